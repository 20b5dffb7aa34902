//! Finding messages at the target that may or may not have arrived.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    CopyError, Side,
    link::{Content, Link},
    pairing::{Pool, match_window},
};
use crate::model::Digest;

/// A message that is looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// UID at the source.
    pub(super) uid: u32,
    pub(super) digest: Digest,
    /// The key for a target that changes octets; `None` when it is not known or the message has none.
    pub(super) envelope: Option<Digest>,
}

/// Where to look.
pub(super) struct Range<'a> {
    /// The folder at the target.
    pub(super) folder: &'a str,
    /// UIDVALIDITY that the folder must have.
    pub(super) validity: u32,
    /// What is looked for has no smaller UID.
    pub(super) floor: u32,
    /// UIDs that belong to other messages.
    pub(super) taken: &'a BTreeSet<u32>,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Located {
    /// Source UID to target UID.
    pub(super) found: BTreeMap<u32, u32>,
    /// How many of them were found with other octets than were sent.
    pub(super) altered: usize,
    /// How many messages in the range match nothing, or cannot be read.
    pub(super) strangers: usize,
    /// How many messages in the range cannot be read: each may be one that is looked for.
    pub(super) unread: usize,
}

/// Looks for messages at the target: by content first, then, for what is left on both sides, by the header fields that
/// rewriting servers keep, and that only where the pair is the only one.
///
/// `known` keeps what was read, so that looking again reads only what is new.
pub(super) async fn locate(
    target: &mut Link<'_>,
    range: &Range<'_>,
    wanted: &[Wanted],
    known: &mut BTreeMap<u32, Content>,
) -> Result<Located, CopyError> {
    let opened = target.refresh(range.folder).await?;
    if opened.uid_validity != range.validity {
        return Err(CopyError::Renumbered {
            side: Side::Target,
            account: target.context.account.clone(),
            folder: range.folder.to_owned(),
            was: range.validity,
            now: opened.uid_validity,
        });
    }
    let mut metas = target.scan(range.folder, range.floor.max(1), None).await?;
    metas.retain(|m| !range.taken.contains(&m.uid));
    let there: BTreeSet<u32> = metas.iter().map(|m| m.uid).collect();
    metas.retain(|m| !known.contains_key(&m.uid));
    for content in target.contents(range.folder, &metas).await? {
        known.insert(content.uid, content);
    }
    let candidates: Vec<Content> = known.values().filter(|c| there.contains(&c.uid)).copied().collect();
    let unread = there.len() - candidates.len();
    let paired = pair(wanted, &candidates);
    Ok(Located { strangers: paired.strangers + unread, unread, ..paired })
}

fn pair(wanted: &[Wanted], candidates: &[Content]) -> Located {
    let mut pool = Pool::new(candidates.iter().map(|c| (c.uid, c.digest)));
    let exact: Vec<(u32, Digest)> = wanted.iter().map(|w| (w.uid, w.digest)).collect();
    let matched = match_window(&exact, &mut pool);
    let mut out = Located { found: matched.found, altered: 0, strangers: 0, unread: 0 };
    let rest = pool.rest();
    let mut left: BTreeMap<Digest, Vec<u32>> = BTreeMap::new();
    for candidate in candidates.iter().filter(|c| rest.contains_key(&c.uid)) {
        if let Some(envelope) = candidate.envelope {
            left.entry(envelope).or_default().push(candidate.uid);
        }
    }
    let missing = |w: &&Wanted| matched.missing.contains(&w.uid);
    for one in wanted.iter().filter(missing) {
        let Some(envelope) = one.envelope else { continue };
        let rivals = wanted.iter().filter(missing).filter(|w| w.envelope == Some(envelope)).count();
        if let Some([only]) = left.get(&envelope).map(Vec::as_slice)
            && rivals == 1
        {
            out.found.insert(one.uid, *only);
            out.altered += 1;
        }
    }
    out.strangers = rest.len() - out.altered;
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(n: u8) -> Digest {
        Digest::of(&[n])
    }

    fn content(uid: u32, d: u8, e: u8) -> Content {
        Content { uid, digest: digest(d), envelope: Some(digest(e)), octets: 1 }
    }

    fn wanted(uid: u32, d: u8, e: u8) -> Wanted {
        Wanted { uid, digest: digest(d), envelope: Some(digest(e)) }
    }

    #[test]
    fn content_comes_before_the_envelope() {
        let out = pair(&[wanted(1, 1, 9), wanted(2, 2, 9)], &[content(10, 2, 9), content(11, 77, 9)]);
        assert_eq!(out.found, BTreeMap::from([(2, 10), (1, 11)]));
        assert_eq!((out.altered, out.strangers), (1, 0));
    }

    #[test]
    fn an_envelope_that_two_share_decides_nothing() {
        let two = pair(&[wanted(1, 1, 9), wanted(2, 2, 9)], &[content(10, 77, 9)]);
        assert!(two.found.is_empty(), "one of the two would be taken for delivered though it is not");
        let doubled = pair(&[wanted(1, 1, 9)], &[content(10, 77, 9), content(11, 78, 9)]);
        assert!(doubled.found.is_empty());
        assert_eq!(doubled.strangers, 2);
    }
}
