//! Flags that a target forgets when a message is appended with them, and keeps when they are set afterwards.
//!
//! Some versions of Exchange lose `\Flagged` this way. The first message with a flag is looked at once per copy; where
//! the flag is gone, it is set on this one and on all that follow.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{
    CopyError,
    deltas::set,
    link::Link,
    sending::{Fate, Parcel},
    store::FlagGroup,
};

/// What is known of how a target keeps system flags.
#[derive(Debug, Default)]
pub(super) struct Sticking(Mutex<BTreeMap<String, Keeps>>);

/// How a target keeps a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeps {
    /// As it is appended.
    Appended,
    /// When it is set afterwards.
    Set,
    /// Not at all.
    Not,
}

impl Sticking {
    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Keeps>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note<'f>(&self, flags: impl IntoIterator<Item = &'f String>, keeps: Keeps) {
        self.known().extend(flags.into_iter().map(|flag| (flag.clone(), keeps)));
    }

    fn is(&self, flag: &str, keeps: Keeps) -> bool {
        self.known().get(flag) == Some(&keeps)
    }

    /// One message for each flag that nothing is known of, by UID.
    fn unknown(&self, stored: &[(u32, BTreeSet<String>)]) -> BTreeMap<u32, BTreeSet<String>> {
        let known = self.known();
        let mut seen = BTreeSet::new();
        let mut out: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
        for (uid, flags) in stored {
            for flag in flags.iter().filter(|flag| flag.starts_with('\\') && !known.contains_key(*flag)) {
                if seen.insert(flag) {
                    out.entry(*uid).or_default().insert(flag.clone());
                }
            }
        }
        out
    }
}

/// Makes sure that messages which were just stored have their flags. Flags that the target does not keep in any way are
/// taken out of the parcels, so that they are told.
pub(super) async fn stick(target: &mut Link<'_>, folder: &str, parcels: &mut [Parcel]) -> Result<(), CopyError> {
    let sticking = &target.context.sticking;
    let stored: Vec<(u32, BTreeSet<String>)> = parcels
        .iter()
        .filter_map(|p| match p.fate {
            Some(Fate::Stored(Some(uid))) => Some((uid, p.out.flags.clone())),
            _ => None,
        })
        .collect();
    let probes = sticking.unknown(&stored);
    if !probes.is_empty() {
        let there = seen(target, folder, &probes.keys().copied().collect::<Vec<_>>()).await?;
        for (uid, wanted) in &probes {
            // A message that cannot be seen tells nothing.
            let Some(have) = there.get(uid) else { continue };
            let (kept, lost): (Vec<_>, Vec<_>) = wanted.iter().partition(|flag| have.contains(*flag));
            sticking.note(kept, Keeps::Appended);
            sticking.note(lost, Keeps::Set);
        }
    }
    let forgotten = |flags: &BTreeSet<String>| flags.iter().any(|flag| sticking.is(flag, Keeps::Set));
    let mut groups: BTreeMap<BTreeSet<String>, Vec<u32>> = BTreeMap::new();
    for (uid, flags) in stored.into_iter().filter(|(_, flags)| forgotten(flags)) {
        groups.entry(flags).or_default().push(uid);
    }
    if !groups.is_empty() {
        let groups: Vec<FlagGroup> = groups
            .into_iter()
            .map(|(flags, mut uids)| {
                uids.sort_unstable();
                (uids, flags)
            })
            .collect();
        set(target, folder, &groups).await?;
        let set: Vec<u32> = probes.into_keys().collect();
        for have in seen(target, folder, &set).await?.into_iter().filter(|_| !set.is_empty()) {
            let wanted = groups.iter().find(|(uids, _)| uids.contains(&have.0)).map(|(_, flags)| flags);
            let lost = wanted.into_iter().flatten().filter(|flag| !have.1.contains(*flag));
            sticking.note(lost.filter(|flag| sticking.is(flag, Keeps::Set)), Keeps::Not);
        }
    }
    for parcel in parcels {
        parcel.out.flags.retain(|flag| !sticking.is(flag, Keeps::Not));
    }
    Ok(())
}

/// The flags of messages, in the spelling of RFC 9051 where they are system flags.
async fn seen(target: &mut Link<'_>, folder: &str, uids: &[u32]) -> Result<BTreeMap<u32, BTreeSet<String>>, CopyError> {
    if uids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut metas = target.some(folder, uids).await?;
    if metas.len() < uids.len() {
        // Not every server shows at once what the same connection appended.
        target.refresh(folder).await?;
        metas = target.some(folder, uids).await?;
    }
    Ok(metas.into_iter().map(|m| (m.uid, super::flags::filter(&m.flags, None).kept)).collect())
}
