//! Flags that changed at the source after a message was copied.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    CopyError, flags,
    link::Link,
    store::{FlagGroup, Meta, StoreErrorKind},
};
use crate::journal::ledger::{FolderRow, Lease, MessageRow};

/// Whether a message that was delivered has other flags at the source than it had when they were last carried over.
pub(super) fn differs(meta: &Meta, row: &MessageRow) -> bool {
    meta.flags != row.source_flags && flags::comparable(&meta.flags) != flags::comparable(&row.source_flags)
}

/// Carries changed flags over to messages that the target's user has not touched since: those whose flags are still
/// what the target was last given. A message that the user deleted stays deleted.
pub(super) async fn carry(
    target: &mut Link<'_>,
    lease: Lease,
    folder: &FolderRow,
    name: &str,
    changed: Vec<(Meta, MessageRow)>,
) -> Result<(), CopyError> {
    if changed.is_empty() {
        return Ok(());
    }
    let validity = folder.target_validity;
    let place = |row: &MessageRow| row.target.filter(|(v, _)| *v == validity).map(|(_, uid)| uid);
    let uids: BTreeSet<u32> = changed.iter().filter_map(|(_, row)| place(row)).collect();
    let mut there: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
    let mut permanent = None;
    if !uids.is_empty() {
        permanent = target.refresh(name).await?.permanent;
        let uids: Vec<u32> = uids.into_iter().collect();
        let metas = target.some(name, &uids).await?;
        there = metas.into_iter().map(|m| (m.uid, m.flags)).collect();
    }
    let mut groups: BTreeMap<BTreeSet<String>, Vec<u32>> = BTreeMap::new();
    let mut rows = Vec::new();
    for (meta, mut row) in changed {
        row.source_flags = flags::stored(&meta.flags);
        if let Some((uid, now)) = place(&row).and_then(|uid| Some((uid, there.get(&uid)?))) {
            let wanted = flags::filter(&meta.flags, permanent.as_deref()).kept;
            let untouched = flags::comparable(now) == flags::comparable(&row.target_flags);
            if untouched || flags::comparable(now) == flags::comparable(&wanted) {
                if flags::comparable(now) != flags::comparable(&wanted) {
                    groups.entry(wanted.clone()).or_default().push(uid);
                }
                row.target_flags = wanted;
            }
        }
        rows.push(row);
    }
    let groups: Vec<FlagGroup> = groups.into_iter().map(|(wanted, uids)| (uids, wanted)).collect();
    if !groups.is_empty() {
        set(target, name, &groups).await?;
    }
    let at = (folder.id, folder.source_validity);
    target.context.ledger(move |l| l.settle(lease, at, None, &rows)).await
}

/// Sets flags; repeating it does no harm, so a lost connection is simply made again.
pub(super) async fn set(target: &mut Link<'_>, folder: &str, groups: &[FlagGroup]) -> Result<(), CopyError> {
    let mut tries = target.tries(format!("setting flags in `{folder}`"));
    loop {
        target.context.go_on()?;
        target.open(folder).await?;
        match target.change().await?.set_flags(groups).await {
            Ok(()) => return Ok(()),
            Err(error) => {
                if error.kind == StoreErrorKind::Lost {
                    target.disconnect();
                }
                target.again(&mut tries, error).await?;
            }
        }
    }
}
