//! Which flags a target is given. Pure.

use std::collections::BTreeSet;

/// The system flags that a client may set (RFC 9051 2.3.2).
const SYSTEM: [&str; 5] = ["\\Answered", "\\Deleted", "\\Draft", "\\Flagged", "\\Seen"];

/// Flags divided into those that a target takes and those it does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filtered {
    /// In the target's spelling.
    pub kept: BTreeSet<String>,
    /// What the target would not store.
    pub dropped: BTreeSet<String>,
}

/// Divides a message's flags by what the target said in PERMANENTFLAGS when the folder was selected for writing
/// (RFC 9051 7.1).
///
/// An absent or empty list says nothing useful: system flags are tried then, keywords too when the list is absent,
/// because the RFC has clients assume that everything can be changed. `\Recent` is the server's own and is in neither
/// set.
#[must_use]
pub fn filter(flags: &BTreeSet<String>, permanent: Option<&BTreeSet<String>>) -> Filtered {
    let mut out = Filtered::default();
    for flag in flags {
        if flag.eq_ignore_ascii_case("\\Recent") {
            continue;
        }
        match spelling(flag, permanent) {
            Some(kept) => out.kept.insert(kept),
            None => out.dropped.insert(flag.clone()),
        };
    }
    out
}

fn spelling(flag: &str, permanent: Option<&BTreeSet<String>>) -> Option<String> {
    if let Some(system) = SYSTEM.iter().find(|s| s.eq_ignore_ascii_case(flag)) {
        return Some((*system).to_owned());
    }
    let listed = permanent.and_then(|p| p.iter().find(|f| f.eq_ignore_ascii_case(flag)));
    if let Some(theirs) = listed {
        return Some(theirs.clone());
    }
    let any = permanent.is_none_or(|p| p.contains("\\*"));
    (any && is_keyword(flag)).then(|| flag.to_owned())
}

/// Whether a text can be sent as a keyword: an atom (RFC 9051 9, `flag-keyword`).
fn is_keyword(flag: &str) -> bool {
    !flag.is_empty() && flag.bytes().all(|b| b.is_ascii_graphic() && !b"(){%*\"\\]".contains(&b))
}

/// Flags without keywords, for servers that refuse a keyword they promised to take.
#[must_use]
pub fn system_only(flags: &BTreeSet<String>) -> BTreeSet<String> {
    flags.iter().filter(|f| f.starts_with('\\')).cloned().collect()
}

/// Flags as they are put down: as the server wrote them, without `\Recent`, which is a session's and not the message's.
#[must_use]
pub fn stored(flags: &BTreeSet<String>) -> BTreeSet<String> {
    flags.iter().filter(|f| !f.eq_ignore_ascii_case("\\Recent")).cloned().collect()
}

/// Flags as they are compared: `\Recent` left out, case folded, because servers fold keywords differently.
#[must_use]
pub fn comparable(flags: &BTreeSet<String>) -> BTreeSet<String> {
    flags.iter().map(|f| f.to_ascii_lowercase()).filter(|f| f != "\\recent").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(flags: &[&str]) -> BTreeSet<String> {
        flags.iter().map(|f| (*f).to_owned()).collect()
    }

    #[test]
    fn recent_is_never_carried_and_deleted_is() {
        let out = filter(&set(&["\\Recent", "\\Deleted", "\\seen"]), None);
        assert_eq!(out, Filtered { kept: set(&["\\Deleted", "\\Seen"]), dropped: set(&[]) });
    }

    #[test]
    fn keywords_go_where_the_target_takes_them() {
        let flags = set(&["$Forwarded", "$MDNSent", "Zürich", "\\Important"]);
        let open = filter(&flags, Some(&set(&["\\Seen", "\\*"])));
        assert_eq!(open.kept, set(&["$Forwarded", "$MDNSent"]));
        assert_eq!(open.dropped, set(&["Zürich", "\\Important"]));
        let closed = filter(&flags, Some(&set(&["\\Seen", "$MdnSent"])));
        assert_eq!(closed.kept, set(&["$MdnSent"]), "in the target's spelling");
        assert_eq!(closed.dropped, set(&["$Forwarded", "Zürich", "\\Important"]));
        assert_eq!(filter(&flags, Some(&set(&[]))).kept, set(&[]));
    }

    #[test]
    fn a_difference_in_case_is_no_difference() {
        assert_eq!(comparable(&set(&["$MDNSent", "\\Recent"])), comparable(&set(&["$MdnSent"])));
        assert_eq!(system_only(&set(&["$MDNSent", "\\Seen"])), set(&["\\Seen"]));
    }
}
