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

/// The sums of a folder without messages that are not at the source any more, given by what became of them, for a failed
/// or left out one the word, and how many. `None` when more are gone than were ever counted.
pub(super) fn without(mut counts: CopyCounts, gone: Vec<(MessageState, Option<String>, u64)>) -> Option<CopyCounts> {
    for (state, class, n) in gone {
        let (excluded, failed) = (&mut counts.excluded, &mut counts.failed);
        let slot = match state {
            MessageState::Acked => &mut counts.copied,
            MessageState::Adopted => &mut counts.present,
            MessageState::Gone => &mut counts.gone,
            MessageState::Excluded => excluded.get_mut(&class.unwrap_or_default())?,
            MessageState::Failed => failed.get_mut(&class?)?,
            MessageState::Planned | MessageState::Intent => continue,
        };
        *slot = slot.checked_sub(n)?;
        counts.source = counts.source.checked_sub(n)?;
    }
    counts.excluded.retain(|_, n| *n > 0);
    counts.failed.retain(|_, n| *n > 0);
    Some(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_vanished_is_taken_from_where_it_was_counted_and_more_than_that_is_not_believed() {
        let excluded = BTreeMap::from([("too old".to_owned(), 1)]);
        let counts = CopyCounts { source: 6, copied: 3, present: 1, gone: 1, excluded, ..CopyCounts::default() };
        let gone = |state, class: Option<&str>, n| (state, class.map(str::to_owned), n);
        let some = vec![
            gone(MessageState::Acked, None, 2),
            gone(MessageState::Gone, None, 1),
            gone(MessageState::Excluded, Some("too old"), 1),
            gone(MessageState::Planned, None, 9),
        ];
        let left = without(counts.clone(), some).unwrap();
        assert_eq!(left, CopyCounts { source: 2, copied: 1, present: 1, ..CopyCounts::default() });
        assert!(left.balances());
        assert_eq!(without(counts.clone(), vec![gone(MessageState::Acked, None, 4)]), None);
        assert_eq!(without(counts, vec![gone(MessageState::Excluded, Some("large"), 1)]), None);
    }
}
