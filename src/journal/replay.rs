//! From entries to states: pure, and strict about the order of things.
//!
//! ```text
//!            ┌───────── failed (known not done) ◀──────────┐
//!            ▼                                             │
//! fresh ─intent─▶ open ─done, adopted─▶ done ─undo─▶ undoing ─undone─▶ undone ─intent─▶ open ...
//!                  │                                       │
//!               ambiguous ─adopted, intent, resolved─▶  ambiguous (undo) ─undone, undo, resolved─▶
//! ```

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use super::{Entry, Record, Resolution, Run};
use crate::model::{ActionId, Address, Domain, MailboxState, PlanId, PlanOutcome, PlatformId, RunId, State};

/// Where an action stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// Nothing was tried, or a person said that it is to be tried again.
    #[default]
    Fresh,
    /// It was about to be done; whether it was is not recorded.
    Open,
    /// It is done.
    Done,
    /// It was not done.
    Failed,
    /// Somebody looked and could not tell whether it was done.
    Ambiguous,
    /// It was about to be taken back; whether it was is not recorded.
    Undoing,
    /// Somebody looked and could not tell whether it was taken back.
    AmbiguousUndo,
    /// It was taken back.
    Undone,
}

impl Standing {
    /// Whether the platform has to be asked before anything else is done to its object.
    #[must_use]
    pub fn is_unsettled(self) -> bool {
        matches!(self, Self::Open | Self::Ambiguous | Self::Undoing | Self::AmbiguousUndo)
    }

    /// Where it stands after a record; `None` when that record cannot follow.
    #[must_use]
    pub fn after(self, record: &Record) -> Option<Self> {
        Some(match (self, record) {
            (Self::Fresh | Self::Open | Self::Failed | Self::Ambiguous | Self::Undone, Record::Intent {}) => Self::Open,
            (Self::Open, Record::Done { .. }) | (Self::Open | Self::Ambiguous, Record::Adopted {}) => Self::Done,
            (Self::Fresh | Self::Open | Self::Failed | Self::Ambiguous | Self::Undone, Record::Failed { .. }) => {
                Self::Failed
            }
            (Self::Open, Record::Ambiguous { .. }) => Self::Ambiguous,
            (Self::Done | Self::Undoing | Self::AmbiguousUndo, Record::Undo { .. }) => Self::Undoing,
            (Self::Undoing, Record::Failed { .. }) => Self::Undoing,
            (Self::Undoing | Self::AmbiguousUndo, Record::Undone {}) => Self::Undone,
            (Self::Undoing, Record::Ambiguous { .. }) => Self::AmbiguousUndo,
            (Self::Open | Self::Ambiguous, Record::Resolved { decision, .. }) => match decision {
                Resolution::Done => Self::Done,
                Resolution::Retry => Self::Fresh,
            },
            (Self::Undoing | Self::AmbiguousUndo, Record::Resolved { decision, .. }) => match decision {
                Resolution::Done => Self::Undone,
                Resolution::Retry => Self::Undoing,
            },
            _ => return None,
        })
    }
}

/// How far an action came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Where it stands.
    pub standing: Standing,
    /// How often it was attempted.
    pub attempts: u32,
    /// The last reason why nobody can tell, while that is so.
    pub reason: Option<String>,
}

impl Progress {
    /// The progress after one more record.
    ///
    /// # Errors
    /// [`ReplayError::Order`] when the record cannot follow, [`ReplayError::Attempt`] when its number is wrong.
    pub fn after(&self, action: &ActionId, attempt: u32, record: &Record) -> Result<Self, ReplayError> {
        let standing = self.standing.after(record).ok_or_else(|| ReplayError::Order {
            action: action.clone(),
            standing: self.standing,
            kind: record.kind(),
        })?;
        let expected = self.attempts.saturating_add(u32::from(matches!(record, Record::Intent {})));
        if attempt != expected {
            return Err(ReplayError::Attempt { action: action.clone(), found: attempt, expected });
        }
        let reason = match record {
            Record::Ambiguous { reason } => Some(reason.clone()),
            _ => None,
        };
        Ok(Self { standing, attempts: expected, reason })
    }
}

/// Why entries make no sense.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReplayError {
    /// A record follows what it cannot follow.
    #[error("`{kind}` cannot follow for {action}, which is {standing:?}")]
    Order {
        /// The action.
        action: ActionId,
        /// Where it stood.
        standing: Standing,
        /// The word of the record.
        kind: &'static str,
    },
    /// A record has the number of another attempt.
    #[error("{action} has an entry of attempt {found} where attempt {expected} was due")]
    Attempt {
        /// The action.
        action: ActionId,
        /// The number it has.
        found: u32,
        /// The number it should have.
        expected: u32,
    },
    /// An entry belongs to no run.
    #[error("an entry belongs to {0}, which is not there")]
    Run(RunId),
    /// A run claims to be complete and has open actions.
    #[error("{run} cannot be complete: {action} is {standing:?}")]
    Complete {
        /// The run.
        run: RunId,
        /// The action.
        action: ActionId,
        /// Where it stands.
        standing: Standing,
    },
    /// Two runs are open at once.
    #[error("{0} and {1} are both open")]
    TwoOpen(RunId, RunId),
}

/// The progress of the actions of one run.
///
/// # Errors
/// When the entries make no sense together.
pub fn progress<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Result<BTreeMap<ActionId, Progress>, ReplayError> {
    let mut actions: BTreeMap<ActionId, Progress> = BTreeMap::new();
    for entry in entries {
        let next = match actions.get(&entry.action) {
            Some(progress) => progress.after(&entry.action, entry.attempt, &entry.record)?,
            None => Progress::default().after(&entry.action, entry.attempt, &entry.record)?,
        };
        actions.insert(entry.action.clone(), next);
    }
    Ok(actions)
}

/// Everything that a journal holds beside the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// The runs, oldest first.
    pub runs: Vec<Run>,
    /// The entries of all runs, in order.
    pub entries: Vec<Entry>,
    /// The mailboxes.
    pub mailboxes: BTreeMap<Address, MailboxState>,
    /// The accounts that are protected.
    pub protected: BTreeSet<Address>,
    /// The accounts whose password was set.
    pub passwords: BTreeSet<(PlatformId, Address)>,
    /// The TTLs that MX records had before they were lowered for a move that has not ended.
    pub lowered_ttls: BTreeMap<Domain, u32>,
}

/// Folds a journal into what the planner needs to know of it.
///
/// # Errors
/// When the records make no sense together; a journal that only rehome wrote never does that.
pub fn replay(records: Records) -> Result<State, ReplayError> {
    let mut by_run: BTreeMap<&RunId, Vec<&Entry>> = records.runs.iter().map(|run| (&run.id, Vec::new())).collect();
    for entry in &records.entries {
        by_run.get_mut(&entry.run).ok_or_else(|| ReplayError::Run(entry.run.clone()))?.push(entry);
    }
    let mut plans: BTreeMap<PlanId, PlanOutcome> = BTreeMap::new();
    let mut open_run: Option<RunId> = None;
    for run in &records.runs {
        let actions = progress(by_run.get(&run.id).into_iter().flatten().copied())?;
        let outcome = match (run.ended, run.exit) {
            (Some(_), Some(0)) => {
                complete(&run.id, &actions)?;
                PlanOutcome::Done
            }
            (Some(_), _) => PlanOutcome::Partial,
            (None, _) => {
                if let Some(other) = open_run.replace(run.id.clone()) {
                    return Err(ReplayError::TwoOpen(other, run.id.clone()));
                }
                PlanOutcome::Open
            }
        };
        plans.insert(run.plan.clone(), outcome);
    }
    Ok(State {
        mailboxes: records.mailboxes,
        plans,
        open_run,
        protected: records.protected,
        passwords: records.passwords,
        lowered_ttls: records.lowered_ttls,
    })
}

/// Whether a run with these actions may end with exit code 0.
///
/// # Errors
/// Names the first action that is open or failed.
pub(super) fn complete(run: &RunId, actions: &BTreeMap<ActionId, Progress>) -> Result<(), ReplayError> {
    match actions.iter().find(|(_, progress)| progress.standing != Standing::Done) {
        None => Ok(()),
        Some((action, progress)) => {
            Err(ReplayError::Complete { run: run.clone(), action: action.clone(), standing: progress.standing })
        }
    }
}
