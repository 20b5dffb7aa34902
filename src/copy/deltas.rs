//! Flags that changed at the source after a message was copied.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    CopyError, flags,
    link::Link,
    store::{FlagGroup, FlagsOf, Meta, StoreErrorKind},
};
use crate::journal::ledger::{FolderRow, MessageRow};

/// Whether a message that was delivered has other flags at the source than it had when they were last carried over.
pub(super) fn differs(meta: &Meta, row: &MessageRow) -> bool {
    meta.flags != row.source_flags && flags::comparable(&meta.flags) != flags::comparable(&row.source_flags)
}

/// Carries changed flags over to messages that the target's user has not touched since: those whose flags are still
/// what the target was last given. A message that the user deleted stays deleted.
///
/// Gives the rows to be put down. Until they are, the next pass does it again, which changes nothing.
pub(super) async fn carry(
    target: &mut Link<'_>,
    folder: &FolderRow,
    name: &str,
    changed: Vec<(Meta, MessageRow)>,
) -> Result<Vec<MessageRow>, CopyError> {
    if changed.is_empty() {
        return Ok(Vec::new());
    }
    let validity = folder.target_validity;
    let place = |row: &MessageRow| row.target.filter(|(v, _)| *v == validity).map(|(_, uid)| uid);
    let uids: BTreeSet<u32> = changed.iter().filter_map(|(_, row)| place(row)).collect();
    let (mut there, mut permanent) = (FlagsOf::new(), None);
    if !uids.is_empty() {
        let uids: Vec<u32> = uids.into_iter().collect();
        let (opened, flags) = target.flags(name, &uids).await?;
        (there, permanent) = (flags, opened.permanent);
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
    Ok(rows)
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
