//! Flags that changed at the source after a message was copied.

use std::collections::{BTreeMap, BTreeSet};

use super::{CopyError, flags, folder::FolderPass, store::Meta, store::StoreErrorKind};
use crate::journal::ledger::MessageRow;

/// How many messages one STORE names.
const BATCH: usize = 200;

/// Carries changed flags over to messages that the target's user has not touched since: those whose flags are still
/// what the target was last given. A message that the user deleted stays deleted.
pub(super) async fn carry(pass: &mut FolderPass<'_, '_>, settled: Vec<(Meta, MessageRow)>) -> Result<(), CopyError> {
    let changed: Vec<(Meta, MessageRow)> = settled
        .into_iter()
        .filter(|(meta, row)| flags::comparable(&meta.flags) != flags::comparable(&row.source_flags))
        .collect();
    if changed.is_empty() {
        return Ok(());
    }
    let validity = pass.row.target_validity;
    let place = |row: &MessageRow| row.target.filter(|(v, _)| *v == validity).map(|(_, uid)| uid);
    let uids: BTreeSet<u32> = changed.iter().filter_map(|(_, row)| place(row)).collect();
    let mut there: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
    let mut permanent = None;
    if let (Some(first), Some(last)) = (uids.first(), uids.last()) {
        permanent = pass.target.open_for_change(&pass.target_name).await?;
        pass.target.refresh(&pass.target_name).await?;
        let metas = pass.target.scan(&pass.target_name, *first, Some(*last)).await?;
        there = metas.into_iter().map(|m| (m.uid, m.flags)).collect();
    }
    let mut groups: BTreeMap<BTreeSet<String>, Vec<u32>> = BTreeMap::new();
    let mut rows = Vec::new();
    for (meta, mut row) in changed {
        row.source_flags = flags::stored(&meta.flags);
        if let Some((uid, now)) = place(&row).and_then(|uid| Some((uid, there.get(&uid)?))) {
            let wanted = flags::filter(&meta.flags, permanent.as_ref()).kept;
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
    for (wanted, uids) in groups {
        for part in uids.chunks(BATCH) {
            set(pass, part, &wanted).await?;
        }
    }
    let (lease, folder) = (pass.lease, (pass.row.id, pass.row.source_validity));
    pass.context.ledger(move |l| l.settle(lease, folder, None, &rows)).await
}

/// Sets flags; repeating it does no harm, so a lost connection is simply made again.
async fn set(pass: &mut FolderPass<'_, '_>, uids: &[u32], wanted: &BTreeSet<String>) -> Result<(), CopyError> {
    let mut tries = pass.target.tries(format!("setting flags in `{}`", pass.target_name));
    loop {
        pass.context.go_on()?;
        pass.target.open_for_change(&pass.target_name).await?;
        match pass.target.change().await?.set_flags(uids, wanted).await {
            Ok(()) => return Ok(()),
            Err(error) => {
                if error.kind == StoreErrorKind::Lost {
                    pass.target.drop_change();
                }
                pass.target.again(&mut tries, error).await?;
            }
        }
    }
}
