//! LIST and LSUB (RFC 9051 6.3.9, RFC 5258, RFC 5819, RFC 6154).

use std::collections::{BTreeMap, BTreeSet};

use super::{
    args::Arg,
    session::{Outcome, Session, bad},
    wire::{Out, quoted},
    world::{Mailbox, World},
};
use crate::sandbox::mail::{attribute, names};

/// What the options of LIST ask for.
#[derive(Default)]
struct Wanted {
    /// Only subscribed folders.
    subscribed_only: bool,
    /// Only folders with a special use.
    special_only: bool,
    /// Say which are subscribed.
    subscribed: bool,
    /// The items of a STATUS for each.
    status: Vec<Arg>,
}

impl Session {
    pub(super) fn list(&mut self, world: &mut World, args: &[Arg], out: &mut Out) -> Outcome {
        let mut wanted = Wanted::default();
        let mut args = args;
        if let [Arg::List(options), rest @ ..] = args {
            for option in options.iter().filter_map(Arg::word) {
                match option.as_str() {
                    "SUBSCRIBED" => (wanted.subscribed_only, wanted.subscribed) = (true, true),
                    "SPECIAL-USE" => wanted.special_only = true,
                    "REMOTE" | "RECURSIVEMATCH" => {}
                    _ => return bad("the selection option is not known"),
                }
            }
            args = rest;
        }
        let [reference, patterns, rest @ ..] = args else { return bad("LIST takes a reference and a pattern") };
        match rest {
            [] => {}
            [word, Arg::List(options)] if word.word().as_deref() == Some("RETURN") => {
                let mut options = options.iter();
                while let Some(option) = options.next() {
                    match option.word().as_deref() {
                        Some("SUBSCRIBED") => wanted.subscribed = true,
                        Some("CHILDREN" | "SPECIAL-USE") => {}
                        Some("STATUS") => {
                            wanted.status = options.next().and_then(Arg::list).unwrap_or_default().to_vec()
                        }
                        _ => return bad("the return option is not known"),
                    }
                }
            }
            _ => return bad("RETURN was expected"),
        }
        let delimiter = self.delimiter(world);
        let Some(patterns) = patterns_of(reference, patterns) else { return bad("the pattern is not modified UTF-7") };
        if patterns.iter().all(String::is_empty) {
            out.line(format!("* LIST (\\Noselect) {} \"\"", quoted(&delimiter.to_string())));
            return Ok("done".to_owned());
        }
        let special = world.services.get(&self.service).is_none_or(|s| !s.behaviour.without.contains("SPECIAL-USE"));
        let rows = rows(self.mailbox(world)?, delimiter, &wanted, special);
        for (name, attributes) in rows {
            if !patterns.iter().any(|p| names::matches(p, &name, delimiter)) {
                continue;
            }
            let (delimiter, wire) = (quoted(&delimiter.to_string()), quoted(&names::encode(&name)));
            out.line(format!("* LIST ({}) {delimiter} {wire}", attributes.join(" ")));
            if !wanted.status.is_empty() && !attributes.iter().any(|a| matches!(*a, "\\Noselect" | "\\NonExistent")) {
                out.line(self.status_line(world, &name, &wanted.status)?);
            }
        }
        Ok("done".to_owned())
    }

    pub(super) fn lsub(&mut self, world: &mut World, args: &[Arg], out: &mut Out) -> Outcome {
        let [reference, pattern] = args else { return bad("LSUB takes a reference and a pattern") };
        let Some(patterns) = patterns_of(reference, pattern) else { return bad("the pattern is not modified UTF-7") };
        let delimiter = self.delimiter(world);
        let mailbox = self.mailbox(world)?;
        for name in mailbox.subscriptions.iter().filter(|n| patterns.iter().any(|p| names::matches(p, n, delimiter))) {
            let attributes = if mailbox.folders.contains_key(name) { "" } else { "\\Noselect" };
            let (delimiter, wire) = (quoted(&delimiter.to_string()), quoted(&names::encode(name)));
            out.line(format!("* LSUB ({attributes}) {delimiter} {wire}"));
        }
        Ok("done".to_owned())
    }
}

/// The patterns with the reference before each.
fn patterns_of(reference: &Arg, patterns: &Arg) -> Option<Vec<String>> {
    let reference = names::decode(reference.bytes()?)?;
    let one = |p: &Arg| {
        let pattern = format!("{reference}{}", names::decode(p.bytes()?)?);
        Some(if pattern.eq_ignore_ascii_case("INBOX") { "INBOX".to_owned() } else { pattern })
    };
    match patterns {
        Arg::List(list) => list.iter().map(one).collect(),
        pattern => one(pattern).map(|p| vec![p]),
    }
}

/// Every name with its attributes: folders, the parents that their names imply, and what is only subscribed.
fn rows(mailbox: &Mailbox, delimiter: char, wanted: &Wanted, special: bool) -> BTreeMap<String, Vec<&'static str>> {
    let mut parents = BTreeSet::new();
    for name in mailbox.folders.keys() {
        parents.extend(name.match_indices(delimiter).filter_map(|(at, _)| name.get(..at)).map(str::to_owned));
    }
    let mut names: BTreeSet<&String> = mailbox.folders.keys().chain(&parents).collect();
    if wanted.subscribed_only {
        names = mailbox.subscriptions.iter().collect();
    }
    let mut out = BTreeMap::new();
    for name in names {
        let mut attributes = Vec::new();
        let folder = mailbox.folders.get(name);
        let purpose = folder.and_then(|f| f.special_use).filter(|_| special);
        if wanted.special_only && purpose.is_none() {
            continue;
        }
        match folder {
            Some(_) => {}
            None if parents.contains(name) => attributes.push("\\Noselect"),
            None => attributes.push("\\NonExistent"),
        }
        attributes.push(if parents.contains(name) { "\\HasChildren" } else { "\\HasNoChildren" });
        if wanted.subscribed && mailbox.subscriptions.contains(name) {
            attributes.push("\\Subscribed");
        }
        attributes.extend(purpose.map(attribute));
        out.insert(name.clone(), attributes);
    }
    out
}
