//! Two folders, message by message, as multisets. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::client::Seen;
use crate::{
    copy::flags,
    diag::{Finding, Severity, plural},
    journal::ledger::{MessageRow, MessageState},
    model::Digest,
};

/// What one folder's comparison needs.
pub(super) struct Sides<'a> {
    /// The folder at the source, for people.
    pub(super) folder: &'a str,
    /// The folder at the target, for people.
    pub(super) target: &'a str,
    pub(super) target_validity: u32,
    /// The one that the copy knew; 0 when it knew none.
    pub(super) copied_validity: u32,
    pub(super) source: &'a [Seen],
    pub(super) there: &'a [Seen],
    /// What the ledger knows, by source UID.
    pub(super) rows: &'a BTreeMap<u32, MessageRow>,
    /// What makes another pass, for advice.
    pub(super) again: &'a str,
}

/// What comparing gave.
#[derive(Default)]
pub(super) struct Compared {
    pub(super) findings: Vec<Finding>,
    /// Messages of the source that nothing at this folder of the target answers to. They may be elsewhere.
    pub(super) missing: Vec<Missing>,
    /// Messages of the target that answer to nothing of the source.
    pub(super) extra: Vec<(u32, Digest)>,
}

/// A message that is not where it should be.
pub(super) struct Missing {
    pub(super) uid: u32,
    pub(super) digest: Digest,
    /// The ledger says that it was delivered: somebody took it away since.
    pub(super) delivered: bool,
    /// Its folder at the target is not the one that it was delivered to, though it has the same name.
    pub(super) anew: bool,
}

/// Compares.
pub(super) fn compare(sides: &Sides<'_>) -> Compared {
    let mut out = Compared::default();
    let mut source: BTreeMap<Digest, Vec<&Seen>> = BTreeMap::new();
    let mut there: BTreeMap<Digest, Vec<&Seen>> = BTreeMap::new();
    sides.source.iter().for_each(|m| source.entry(m.digest).or_default().push(m));
    sides.there.iter().for_each(|m| there.entry(m.digest).or_default().push(m));
    let mut left: Vec<&Seen> = Vec::new();
    let contents: BTreeSet<Digest> = source.keys().copied().collect();
    for (digest, mut ours) in source {
        let mut theirs = there.remove(&digest).unwrap_or_default();
        let place = |m: &Seen| sides.rows.get(&m.uid).and_then(|r| r.target).map(|(_, uid)| uid);
        // Equal messages: first the pairs that the ledger knows, then those that are most alike.
        ours.sort_by_key(|m| (m.date, flags::comparable(&m.flags), m.uid));
        theirs.sort_by_key(|m| (m.date, flags::comparable(&m.flags), m.uid));
        let mut unpaired = Vec::new();
        for one in ours {
            match theirs.iter().position(|t| place(one) == Some(t.uid)) {
                Some(at) => same(sides, one, theirs.remove(at), &mut out),
                None => unpaired.push(one),
            }
        }
        let mut theirs = theirs.into_iter();
        for one in unpaired {
            match theirs.next() {
                Some(other) => same(sides, one, other, &mut out),
                None => left.push(one),
            }
        }
        there.insert(digest, theirs.collect());
    }
    let mut rest: Vec<&Seen> = there.into_values().flatten().collect();
    for one in left {
        unequal(sides, one, &mut rest, &mut out);
    }
    extras(sides, &rest, &contents, &mut out);
    out.extra = rest.into_iter().map(|m| (m.uid, m.digest)).collect();
    out
}

fn finding(sides: &Sides<'_>, code: &str, severity: Severity, uid: u32, message: String) -> Finding {
    Finding {
        code: code.to_owned(),
        severity,
        subject: format!("{} UID {uid}", sides.folder),
        message,
        expected: None,
        actual: None,
        fix: None,
    }
}

/// Date and flags of a message whose octets are equal.
fn same(sides: &Sides<'_>, one: &Seen, other: &Seen, out: &mut Compared) {
    let row = sides.rows.get(&one.uid);
    if one.date.is_some() && one.date != other.date {
        let ours = row.is_some_and(|r| r.state == MessageState::Acked);
        let severity = if ours { Severity::Error } else { Severity::Warning };
        let mut found =
            finding(sides, "date-differs", severity, one.uid, "it has another date at the target".to_owned());
        found.expected = one.date.map(shown);
        found.actual = other.date.map(shown);
        out.findings.push(found);
    }
    let (want, have) = (flags::comparable(&one.flags), flags::comparable(&other.flags));
    let given = row.filter(|r| r.state.is_delivered()).map(|r| flags::comparable(&r.target_flags));
    let followed = row.is_some_and(|r| flags::comparable(&r.source_flags) == want);
    if want == have || (followed && given.as_ref() == Some(&have)) {
        return;
    }
    let touched = followed && given.is_some();
    let (severity, message, fix) = if touched {
        (Severity::Info, "its flags were changed at the target after it was copied", None)
    } else {
        (Severity::Warning, "its flags differ", Some(format!("{} to carry changed flags over", sides.again)))
    };
    let list = |flags: &BTreeSet<String>| Some(flags.iter().cloned().collect::<Vec<_>>().join(" "));
    let found = finding(sides, "flags-differ", severity, one.uid, message.to_owned());
    out.findings.push(Finding { expected: list(&want), actual: list(&have), fix, ..found });
}

fn shown(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |t| t.to_string())
}

/// A message of the source without an equal: changed on its way, failed before, taken away, or missing.
fn unequal(sides: &Sides<'_>, one: &Seen, rest: &mut Vec<&Seen>, out: &mut Compared) {
    let row = sides.rows.get(&one.uid);
    if let Some(row) = row.filter(|r| r.state == MessageState::Failed) {
        let class = row.class.as_deref().unwrap_or("unknown");
        let reason = row.reason.as_deref().unwrap_or_default();
        let message = format!("it could not be copied ({class}): {reason}");
        out.findings.push(finding(sides, "message-failed", Severity::Error, one.uid, message));
        return;
    }
    let place = row.filter(|r| r.state.is_delivered()).and_then(|r| r.target);
    let known = place.filter(|(validity, _)| *validity == sides.target_validity).map(|(_, uid)| uid);
    let mut alike = |test: &dyn Fn(&Seen) -> bool| {
        let mut found = rest.iter().enumerate().filter(|(_, m)| test(m)).map(|(at, _)| at);
        let first = found.next()?;
        found.next().is_none().then(|| rest.remove(first))
    };
    let by_text = |m: &Seen| one.canonical.text.is_some() && m.canonical.text == one.canonical.text;
    let by_envelope = |m: &Seen| one.canonical.envelope.is_some() && m.canonical.envelope == one.canonical.envelope;
    let other = match known {
        Some(uid) => alike(&|m| m.uid == uid),
        None => alike(&by_text).or_else(|| alike(&by_envelope)),
    };
    match other {
        Some(other) if by_text(other) => {
            let message = "the target changed its octets; header fields and text are the same".to_owned();
            out.findings.push(finding(sides, "message-changed", Severity::Warning, one.uid, message));
            same(sides, one, other, out);
        }
        Some(other) if other.withheld => {
            let message = "the target gives a text of its own instead of it, so that nobody can compare its content";
            let mut found = finding(sides, "message-withheld", Severity::Unknown, one.uid, message.to_owned());
            found.fix = Some(format!("look at it in `{}` with a program that does not use IMAP", sides.target));
            out.findings.push(found);
            same(sides, one, other, out);
        }
        Some(_) => {
            let message = "its content is different at the target".to_owned();
            out.findings.push(finding(sides, "message-changed", Severity::Error, one.uid, message));
        }
        None => {
            let delivered = row.is_some_and(|r| r.state.is_delivered());
            let then = place.map_or(sides.copied_validity, |(validity, _)| validity);
            let anew = sides.target_validity != 0 && then != 0 && then != sides.target_validity;
            out.missing.push(Missing { uid: one.uid, digest: one.digest, delivered, anew });
        }
    }
}

/// Messages of the target that the source does not have: new mail, mostly.
fn extras(sides: &Sides<'_>, rest: &[&Seen], contents: &BTreeSet<Digest>, out: &mut Compared) {
    let owned: BTreeSet<u32> = sides.rows.values().filter_map(|r| r.target).map(|(_, uid)| uid).collect();
    let unknown: Vec<&&Seen> = rest.iter().filter(|m| !owned.contains(&m.uid)).collect();
    let doubled = unknown.iter().filter(|m| contents.contains(&m.digest)).count();
    let mut say = |severity, n: usize, message: &str, fix: Option<&str>| {
        if n > 0 {
            out.findings.push(Finding {
                code: "message-extra".to_owned(),
                severity,
                subject: sides.target.to_owned(),
                message: format!("{} {message}", plural(n, "message")),
                expected: None,
                actual: None,
                fix: fix.map(str::to_owned),
            });
        }
    };
    let dedup = Some("nothing is lost; `rehome dedup` shows them and can set them aside");
    say(Severity::Info, unknown.len() - doubled, "at the target only, as new mail is", None);
    say(Severity::Warning, doubled, "more often than at the source", dedup);
}
