//! Folders that the target refuses, renumbered, or does not have any more.

use std::collections::BTreeMap;

use super::{
    CopyError,
    engine::{Pass, lock},
    lanes::Task,
    link::Link,
    recovery,
    store::{Listed, Listing, Meta, Opened, find},
};
use crate::{
    journal::ledger::{FolderRow, MessageState},
    model::{CopyCounts, FailedMessage, FolderStatus},
};

pub(super) fn status_of(opened: &Opened) -> FolderStatus {
    FolderStatus {
        uid_validity: opened.uid_validity,
        uid_next: opened.uid_next,
        messages: opened.messages,
        ..FolderStatus::default()
    }
}

impl<'c> Pass<'_, 'c> {
    /// A folder that the target will not have: each of its messages fails.
    pub(super) async fn refused(
        &self,
        source: &mut Link<'c>,
        folder: &Listed,
        text: &str,
    ) -> Result<CopyCounts, CopyError> {
        let opened = source.refresh(&folder.name).await?;
        let metas = if opened.messages == 0 { Vec::new() } else { source.scan(&folder.name, 1, None).await? };
        for meta in &metas {
            self.shared.tally().failed.push(FailedMessage {
                folder: folder.path.clone(),
                uid_validity: opened.uid_validity,
                uid: meta.uid,
                class: "folder-refused".to_owned(),
                reason: text.to_owned(),
            });
        }
        self.remark(format!("the target refuses the folder `{}`: {text}", folder.path));
        let n = metas.len() as u64;
        let failed = BTreeMap::from([("folder-refused".to_owned(), n)]);
        Ok(CopyCounts {
            source: n,
            failed: failed.into_iter().filter(|(_, n)| *n > 0).collect(),
            ..CopyCounts::default()
        })
    }

    /// Makes sure that the row speaks of the folder that the target has now. True when the row is to be put down before
    /// anything is sent there.
    pub(super) async fn meet_target(
        &self,
        target: &mut Link<'c>,
        row: &mut FolderRow,
        name: &str,
        there: &Listing,
    ) -> Result<bool, CopyError> {
        let listed = find(there, name).and_then(|f| f.status);
        if listed.is_some() && row.target.as_deref() == Some(name) && self.is_known(&row.path) {
            return Ok(false);
        }
        let status = match listed {
            Some(status) => status,
            None => status_of(&target.refresh(name).await?),
        };
        let lease = self.shared.lease;
        if row.target_validity == 0 {
            row.target = Some(name.to_owned());
            row.target_validity = status.uid_validity;
            let end = if status.uid_next == 0 { u32::MAX } else { status.uid_next };
            row.adopt_below = if status.messages == 0 { 0 } else { end };
            return Ok(true);
        }
        if self.is_same(row, status).await? {
            return Ok(false);
        }
        // The listing is older than what was found of windows in doubt.
        let now = status_of(&target.refresh(name).await?);
        if self.is_same(row, now).await? {
            return Ok(false);
        }
        let lost = recovery::rematch(self.shared.context, lease, target, row, name).await?;
        if lost > 0 {
            self.remark(format!(
                "`{name}` was renumbered or made anew at the target: {lost} messages that were delivered are not in it \
                 any more and are not sent again"
            ));
        }
        Ok(false)
    }

    pub(super) async fn has_new(
        &self,
        source: &mut Link<'c>,
        row: &FolderRow,
        task: &Task<'_>,
    ) -> Result<bool, CopyError> {
        let folder = task.folder;
        if task.status.messages == 0 {
            return Ok(false);
        }
        let opened = source.refresh(&folder.name).await?;
        let (id, validity) = (row.id, opened.uid_validity);
        let known = self.shared.context.ledger(move |l| l.messages(id, validity)).await?;
        let metas = source.scan(&folder.name, 1, None).await?;
        let delivered = |m: &Meta| known.get(&m.uid).is_some_and(|r| r.state.is_delivered());
        let left = |m: &Meta| self.shared.choice.of(&folder.path, validity, m, known.get(&m.uid)).is_some();
        Ok(metas.iter().any(|m| !delivered(m) && !left(m)))
    }

    /// The sums of a folder of which everything was delivered, and that the target's user has taken away since.
    pub(super) async fn kept(
        &self,
        source: &mut Link<'c>,
        row: &FolderRow,
        folder: &Listed,
    ) -> Result<CopyCounts, CopyError> {
        lock(&self.left_alone).insert(folder.path.clone());
        self.remark(format!(
            "`{}` was removed or renamed at the target by its user; it is not made again",
            folder.path
        ));
        let opened = source.refresh(&folder.name).await?;
        let metas = if opened.messages == 0 { Vec::new() } else { source.scan(&folder.name, 1, None).await? };
        self.shared.tally().done += metas.len() as u64;
        let (id, validity) = (row.id, opened.uid_validity);
        let known = self.shared.context.ledger(move |l| l.messages(id, validity)).await?;
        let mut counts = CopyCounts { source: metas.len() as u64, ..CopyCounts::default() };
        for meta in metas {
            let row = known.get(&meta.uid).filter(|r| r.state.is_delivered()).cloned();
            match row.or_else(|| self.shared.choice.of(&folder.path, validity, &meta, known.get(&meta.uid))) {
                Some(row) if row.state == MessageState::Adopted => {
                    counts.present += 1;
                    counts.weak += u64::from(row.is_weak());
                }
                Some(row) if row.state == MessageState::Excluded => {
                    *counts.excluded.entry(row.class.unwrap_or_default()).or_default() += 1;
                }
                Some(row) if row.state == MessageState::Failed => {
                    *counts.failed.entry(row.class.unwrap_or_default()).or_default() += 1;
                }
                _ => counts.copied += 1,
            }
        }
        Ok(counts)
    }
}
