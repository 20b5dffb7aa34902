//! Which messages are the same. Pure.
//!
//! Equality is equality of octets. Equal messages are counted, never merged: N at the source need N at the target.

use std::collections::{BTreeMap, VecDeque};

use crate::model::Digest;

/// Messages of a target that may be taken for messages of the source, each at most once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pool {
    by_digest: BTreeMap<Digest, VecDeque<u32>>,
}

impl Pool {
    /// A pool of target messages. The lowest UID of equal messages is taken first, so that the order of equal messages
    /// is the source's.
    #[must_use]
    pub fn new(candidates: impl IntoIterator<Item = (u32, Digest)>) -> Self {
        let mut sorted: Vec<(u32, Digest)> = candidates.into_iter().collect();
        sorted.sort_unstable();
        sorted.dedup_by_key(|(uid, _)| *uid);
        let mut by_digest: BTreeMap<Digest, VecDeque<u32>> = BTreeMap::new();
        for (uid, digest) in sorted {
            by_digest.entry(digest).or_default().push_back(uid);
        }
        Self { by_digest }
    }

    /// Takes one message of that content out of the pool.
    pub fn take(&mut self, digest: Digest) -> Option<u32> {
        let uids = self.by_digest.get_mut(&digest)?;
        let uid = uids.pop_front();
        if uids.is_empty() {
            self.by_digest.remove(&digest);
        }
        uid
    }

    /// What is left, by UID.
    #[must_use]
    pub fn rest(&self) -> BTreeMap<u32, Digest> {
        self.by_digest.iter().flat_map(|(digest, uids)| uids.iter().map(|uid| (*uid, *digest))).collect()
    }
}

/// The result of matching a window against what the target holds above its floor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matched {
    /// Source UID to target UID.
    pub found: BTreeMap<u32, u32>,
    /// Source UIDs that no candidate is left for.
    pub missing: Vec<u32>,
}

/// Matches messages of the source with candidates at the target as multisets: k equal messages take at most k
/// candidates, in UID order on both sides.
#[must_use]
pub fn match_window(wanted: &[(u32, Digest)], pool: &mut Pool) -> Matched {
    let mut sorted = wanted.to_vec();
    sorted.sort_unstable();
    let mut out = Matched::default();
    for (uid, digest) in sorted {
        match pool.take(digest) {
            Some(target) => {
                out.found.insert(uid, target);
            }
            None => out.missing.push(uid),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn digest(n: u8) -> Digest {
        Digest::of(&[n])
    }

    #[test]
    fn equal_messages_stay_as_many_as_they_are() {
        let mut pool = Pool::new([(12, digest(1)), (11, digest(1)), (13, digest(2))]);
        let matched = match_window(&[(1, digest(1)), (2, digest(1)), (3, digest(1)), (4, digest(3))], &mut pool);
        assert_eq!(matched.found, BTreeMap::from([(1, 11), (2, 12)]));
        assert_eq!(matched.missing, [3, 4]);
        assert_eq!(pool.rest(), BTreeMap::from([(13, digest(2))]));
    }

    fn side() -> impl Strategy<Value = Vec<(u32, Digest)>> {
        proptest::collection::btree_map(1u32..500, (0u8..6).prop_map(digest), 0..40)
            .prop_map(|m| m.into_iter().collect())
    }

    proptest! {
        #[test]
        fn matching_is_one_to_one_by_content_and_as_large_as_can_be(source in side(), target in side()) {
            let contents: BTreeMap<u32, Digest> = target.iter().copied().collect();
            let mut pool = Pool::new(target.iter().copied());
            let matched = match_window(&source, &mut pool);
            prop_assert_eq!(matched.found.len() + matched.missing.len(), source.len());
            let mut used: Vec<u32> = matched.found.values().copied().collect();
            used.sort_unstable();
            used.dedup();
            prop_assert_eq!(used.len(), matched.found.len(), "no candidate is taken twice");
            for (uid, wanted) in &source {
                if let Some(taken) = matched.found.get(uid) {
                    prop_assert_eq!(contents[taken], *wanted);
                }
            }
            for n in 0..6 {
                let count = |side: &[(u32, Digest)]| side.iter().filter(|(_, d)| *d == digest(n)).count();
                let found = source.iter().filter(|(u, d)| *d == digest(n) && matched.found.contains_key(u)).count();
                prop_assert_eq!(found, count(&source).min(count(&target)));
            }
        }

        #[test]
        fn the_order_of_candidates_does_not_matter(
            source in side(),
            shuffled in side().prop_flat_map(|t| (Just(t.clone()), Just(t).prop_shuffle())),
        ) {
            let (target, other) = shuffled;
            let one = match_window(&source, &mut Pool::new(target));
            let two = match_window(&source, &mut Pool::new(other));
            prop_assert_eq!(one, two);
        }
    }
}
