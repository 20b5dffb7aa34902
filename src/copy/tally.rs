//! What a pass adds up, in all its lanes together.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    journal::ledger::{FolderRow, MessageRow, MessageState},
    model::{CopyCounts, FailedMessage, FolderPath, FolderStatus},
};

/// The sums of a pass.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) failed: Vec<FailedMessage>,
    /// Messages of the account settled so far.
    pub(super) done: u64,
    /// Messages of the account in all.
    pub(super) total: u64,
    /// Octets sent in this pass.
    pub(super) octets: u64,
    /// Messages that this pass brought to the target.
    pub(super) new: u64,
    /// Keywords that the target does not keep, and on how many messages.
    pub(super) dropped: BTreeMap<String, u64>,
    /// The target stores other octets than it is given.
    pub(super) alters: bool,
}

/// The sums of one folder while it is copied.
#[derive(Default)]
pub(super) struct FolderTally {
    pub(super) counts: CopyCounts,
    pub(super) failed: Vec<FailedMessage>,
    /// Failed before or ignored, and not tried in this pass.
    pub(super) kept: BTreeSet<u32>,
}

impl FolderTally {
    /// Counts what became of a message.
    pub(super) fn count(&mut self, path: &FolderPath, validity: u32, row: &MessageRow) {
        match row.state {
            MessageState::Acked => self.counts.copied += 1,
            MessageState::Adopted => {
                self.counts.present += 1;
                self.counts.weak += u64::from(row.is_weak());
            }
            MessageState::Gone => self.counts.gone += 1,
            MessageState::Failed => {
                let class = row.class.clone().unwrap_or_else(|| "unknown".to_owned());
                *self.counts.failed.entry(class.clone()).or_default() += 1;
                self.failed.push(FailedMessage {
                    folder: path.clone(),
                    uid_validity: validity,
                    uid: row.uid,
                    class,
                    reason: row.reason.clone().unwrap_or_default(),
                });
            }
            MessageState::Excluded => {
                *self.counts.excluded.entry(row.class.clone().unwrap_or_default()).or_default() += 1;
            }
            MessageState::Planned | MessageState::Intent => {}
        }
    }
}

/// The sums of a folder that is left out as a whole.
pub(super) fn excluded(status: FolderStatus, reason: &str) -> CopyCounts {
    let n = u64::from(status.messages);
    let excluded = BTreeMap::from([(reason.to_owned(), n)]);
    CopyCounts { source: n, excluded: excluded.into_iter().filter(|(_, n)| *n > 0).collect(), ..CopyCounts::default() }
}

/// The sums of a folder in which nothing happened since the last complete pass, by its status alone. Without
/// HIGHESTMODSEQ a change of flags cannot be seen this way, so the folder is looked at.
pub(super) fn unchanged(row: &FolderRow, status: FolderStatus) -> Option<CopyCounts> {
    let same = row.status == Some(status) && status.highest_modseq.is_some() && row.adopt_below == 0;
    row.counts.clone().filter(|_| same)
}
