//! UIDs and sets of them.

use std::fmt;

/// A range of UIDs, both ends included. Without a last one it reaches to the end of the mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UidRange {
    /// The lowest UID.
    pub first: u32,
    /// The highest UID; `None` is the end of the mailbox.
    pub last: Option<u32>,
}

impl UidRange {
    /// Every message.
    pub const ALL: Self = Self { first: 1, last: None };

    /// From one UID to another, in either order, as servers send both `2:4` and `4:2`.
    #[must_use]
    pub fn new(a: u32, b: u32) -> Self {
        Self { first: a.min(b), last: Some(a.max(b)) }
    }

    /// From this UID to the end of the mailbox.
    #[must_use]
    pub fn from(first: u32) -> Self {
        Self { first: first.max(1), last: None }
    }

    /// Whether the UID lies in it.
    #[must_use]
    pub fn contains(&self, uid: u32) -> bool {
        uid >= self.first && self.last.is_none_or(|last| uid <= last)
    }

    /// How many UIDs it spans; `None` without an end.
    #[must_use]
    pub fn span(&self) -> Option<u64> {
        self.last.map(|last| u64::from(last.saturating_sub(self.first)) + 1)
    }

    /// Reads a set such as `4:2,7`; `*` is not a UID here.
    #[must_use]
    pub(super) fn parse_set(text: &str) -> Option<Vec<Self>> {
        let uid = |t: &str| t.parse::<u32>().ok().filter(|n| *n > 0);
        text.split(',')
            .map(|part| match part.split_once(':') {
                Some((a, b)) => Some(Self::new(uid(a)?, uid(b)?)),
                None => uid(part).map(|n| Self::new(n, n)),
            })
            .collect()
    }
}

impl fmt::Display for UidRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.last {
            None => write!(f, "{}:*", self.first),
            Some(last) if last == self.first => write!(f, "{last}"),
            Some(last) => write!(f, "{}:{last}", self.first),
        }
    }
}

/// The UIDs of ranges in order, when they are exactly as many as expected. A server's claim of billions costs nothing.
#[must_use]
pub(super) fn expand(ranges: &[UidRange], expected: usize) -> Option<Vec<u32>> {
    let total: u64 = ranges.iter().map(UidRange::span).try_fold(0_u64, |sum, n| sum.checked_add(n?))?;
    if total != expected as u64 {
        return None;
    }
    Some(ranges.iter().flat_map(|r| r.first..=r.last.unwrap_or(r.first)).collect())
}

/// One command's worth of UIDs: the set as sent, and its members in ascending order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) set: String,
    pub(super) uids: Vec<u32>,
}

/// Splits UIDs into ascending, compact sets of at most `count` messages and `octets` octets of text, because servers
/// limit both (Exchange: about 1,900 UIDs and 4 KiB a line; others refuse descending sets). UID 0 is nobody's.
#[must_use]
pub(super) fn chunks(uids: &[u32], count: usize, octets: usize) -> Vec<Chunk> {
    let mut sorted: Vec<u32> = uids.iter().copied().filter(|u| *u > 0).collect();
    sorted.sort_unstable();
    sorted.dedup();
    let mut out: Vec<Chunk> = Vec::new();
    let mut open: Vec<UidRange> = Vec::new();
    let mut members: Vec<u32> = Vec::new();
    let mut settled = 0; // octets of every range but the last
    for uid in sorted {
        let grows = open.last().is_some_and(|r| r.last.is_some_and(|l| l.checked_add(1) == Some(uid)));
        // A range can take 21 octets and a comma.
        if members.len() >= count.max(1) || (!grows && !open.is_empty() && settled + 44 > octets) {
            out.push(Chunk { set: join(&open), uids: std::mem::take(&mut members) });
            open.clear();
            settled = 0;
        }
        match open.last_mut() {
            Some(range) if grows && !members.is_empty() => range.last = Some(uid),
            _ => {
                settled += open.last().map_or(0, |r| r.to_string().len() + 1);
                open.push(UidRange::new(uid, uid));
            }
        }
        members.push(uid);
    }
    if !members.is_empty() {
        out.push(Chunk { set: join(&open), uids: members });
    }
    out
}

fn join(ranges: &[UidRange]) -> String {
    ranges.iter().map(UidRange::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sets_are_compact_and_ascending() {
        let sets: Vec<_> = chunks(&[9, 3, 2, 1, 7, 9, 0], 100, 1000).into_iter().map(|c| c.set).collect();
        assert_eq!(sets, ["1:3,7,9"]);
    }

    #[test]
    fn a_claim_of_billions_is_not_expanded() {
        assert_eq!(expand(&[UidRange::new(1, u32::MAX)], 2), None);
        assert_eq!(expand(&[UidRange::new(4, 2)], 3), Some(vec![2, 3, 4]));
        assert_eq!(expand(&[UidRange::ALL], 3), None);
    }

    proptest! {
        #[test]
        fn chunks_hold_every_uid_once_within_their_bounds(
            uids in proptest::collection::vec(prop_oneof![1_u32..300, any::<u32>()], 0..400),
            count in 1_usize..90,
        ) {
            let mut want: Vec<u32> = uids.iter().copied().filter(|u| *u > 0).collect();
            want.sort_unstable();
            want.dedup();
            let parts = chunks(&uids, count, 200);
            let mut have = Vec::new();
            for part in &parts {
                prop_assert!(part.uids.len() <= count && part.set.len() <= 200);
                let ranges = UidRange::parse_set(&part.set).unwrap();
                prop_assert_eq!(expand(&ranges, part.uids.len()), Some(part.uids.clone()));
                have.extend_from_slice(&part.uids);
            }
            prop_assert_eq!(have, want);
        }
    }
}
