//! What a target that rewrites messages may have already, after the journal was lost. Pure.
//!
//! Equal octets come first, over the whole folder. Only what has none is compared by weaker marks: the header fields that
//! servers leave alone, INTERNALDATE, and about the same size. Marks that fit more than one message decide nothing: those
//! messages are sent, because a message that is there twice can be found and one that is nowhere cannot.

use std::collections::{BTreeMap, BTreeSet};

use super::{link::Content, store::Meta};
use crate::{journal::ledger::MessageRow, model::Digest};

/// A rewritten message may be longer or shorter by this many octets, and by that part of its size beside: added header
/// lines, other line ends, parts encoded anew.
const ROOM: u64 = 8 << 10;
const PART: u64 = 8;

/// What a message is known by: its envelope and its INTERNALDATE in seconds.
type Marks = (Digest, i64);

/// The messages of one folder, on both sides, that may be the same in other words.
#[derive(Default)]
pub(super) struct Weak {
    /// UID and octets at the target.
    there: BTreeMap<Marks, Vec<(u32, u64)>>,
    waiting: BTreeMap<Marks, Vec<(MessageRow, Meta)>>,
}

/// What the marks decided.
#[derive(Default)]
pub(super) struct Decided {
    /// Messages of the source with the UID at the target that they have.
    pub(super) same: Vec<(MessageRow, u32)>,
    /// Messages of the source that are to be sent.
    pub(super) rest: Vec<Meta>,
}

fn near(a: u64, b: u64) -> bool {
    a.abs_diff(b) <= ROOM + a.max(b) / PART
}

impl Weak {
    /// The target's side: what was read of its messages, and what was listed. A message without marks can be nobody.
    pub(super) fn new(contents: &[Content], listed: &[Meta]) -> Self {
        let seconds: BTreeMap<u32, i64> = listed.iter().filter_map(|m| Some((m.uid, m.seconds()?))).collect();
        let mut out = Self::default();
        for one in contents {
            if let Some(marks) = one.envelope.zip(seconds.get(&one.uid).copied()) {
                out.there.entry(marks).or_default().push((one.uid, one.octets));
            }
        }
        out
    }

    /// Keeps a message of the source back when the target may have it in other words; else gives it back.
    pub(super) fn keep(&mut self, envelope: Option<Digest>, row: MessageRow, meta: Meta) -> Option<(MessageRow, Meta)> {
        let marks = envelope.zip(row.date);
        let fits = |marks: &Marks| self.there.get(marks).is_some_and(|l| l.iter().any(|(_, n)| near(*n, row.octets)));
        match marks.filter(fits) {
            Some(marks) => {
                self.waiting.entry(marks).or_default().push((row, meta));
                None
            }
            None => Some((row, meta)),
        }
    }

    /// Decides, once every message of the source was compared by octets. `free` are the UIDs at the target that none of
    /// them has.
    pub(super) fn decide(self, free: &BTreeSet<u32>) -> Decided {
        let mut out = Decided::default();
        for (marks, mut ours) in self.waiting {
            ours.sort_unstable_by_key(|(row, _)| row.uid);
            let mut theirs = self.there.get(&marks).cloned().unwrap_or_default();
            theirs.retain(|(uid, _)| free.contains(uid));
            theirs.sort_unstable();
            let first = ours.first().map(|(row, _)| (row.digest, row.octets));
            // Equal messages may stand for each other; different ones may not.
            let equal = ours.iter().all(|(row, _)| first == Some((row.digest, row.octets)));
            let fit = theirs.iter().all(|(_, n)| first.is_some_and(|(_, octets)| near(*n, octets)));
            if !equal || !fit || theirs.len() > ours.len() {
                theirs.clear();
            }
            let mut theirs = theirs.into_iter();
            for (row, meta) in ours {
                match theirs.next() {
                    Some((uid, _)) => out.same.push((row, uid)),
                    None => out.rest.push(meta),
                }
            }
        }
        out.rest.sort_unstable_by_key(|m| m.uid);
        out
    }
}
