//! Flags and keywords (RFC 9051 2.3.2).

use std::collections::BTreeSet;

use super::args::Arg;

pub(super) const SYSTEM: [&str; 5] = ["\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft"];

/// The flags of an argument, in the spelling of the standard. `known` gives keywords the spelling they already have.
pub(super) fn read(args: &[Arg], known: &BTreeSet<&str>) -> Result<BTreeSet<String>, String> {
    let mut out = BTreeSet::new();
    for arg in args {
        let Arg::Atom(flag) = arg else { return Err("a flag is a word".to_owned()) };
        if flag.starts_with('\\') {
            let system = SYSTEM.iter().find(|s| s.eq_ignore_ascii_case(flag));
            out.insert((*system.ok_or_else(|| format!("Invalid system flag {flag}"))?).to_owned());
        } else {
            let spelled = known.iter().find(|k| k.eq_ignore_ascii_case(flag));
            out.insert(spelled.map_or_else(|| flag.clone(), |k| (*k).to_owned()));
        }
    }
    Ok(out)
}

/// Flags as a list without parentheses.
pub(super) fn write<'a>(flags: impl IntoIterator<Item = &'a String>) -> String {
    flags.into_iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}
