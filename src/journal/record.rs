//! What a journal holds, as plain data.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ProbeSent, Said};
use crate::model::{ActionId, Address, CopyReport, Domain, HookPoint, PlanId, PlatformId, RunId, Verified};

/// One application of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its name.
    pub id: RunId,
    /// The plan.
    pub plan: PlanId,
    /// What was acknowledged for it (`--ack`).
    pub acks: BTreeSet<String>,
    /// When it began.
    pub started: Timestamp,
    /// When it ended; `None` while it runs, and after a crash until it is resumed.
    pub ended: Option<Timestamp>,
    /// The exit code it ended with.
    pub exit: Option<u8>,
    /// Who last began or resumed it.
    pub actor: String,
    /// Where that was.
    pub host: String,
    /// The process there.
    pub pid: u32,
    /// The lease it was last begun or resumed under.
    pub epoch: i64,
}

/// One row of what happened to an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the order of all entries.
    pub seq: i64,
    /// The run.
    pub run: RunId,
    /// The action.
    pub action: ActionId,
    /// Which attempt it belongs to, from 1; 0 for what failed before its first attempt.
    pub attempt: u32,
    /// When it was written.
    pub at: Timestamp,
    /// The lease it was written under.
    pub epoch: i64,
    /// What happened.
    pub record: Record,
}

/// What can happen to an action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "payload", rename_all = "snake_case")]
pub enum Record {
    /// It is about to be done. Written before the effect.
    Intent {},
    /// It was done.
    Done {
        /// What is worth saying.
        detail: Option<String>,
    },
    /// It had been done by an attempt whose outcome was not recorded; the platform shows it.
    Adopted {},
    /// It was not done, and this is known. After an [`Undo`](Self::Undo): it was not taken back, and that is still owed.
    Failed {
        /// The chain of errors, outermost first.
        errors: Vec<String>,
        /// What to do.
        help: Option<String>,
    },
    /// It is about to be taken back. Written before the effect.
    Undo {
        /// Why.
        reason: String,
    },
    /// It was taken back.
    Undone {},
    /// Nobody can tell by looking whether it was done (or taken back).
    Ambiguous {
        /// Why.
        reason: String,
    },
    /// A person decided.
    Resolved {
        /// What.
        decision: Resolution,
        /// Who.
        by: String,
    },
}

impl Record {
    /// The word in the `kind` column.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Intent {} => "intent",
            Self::Done { .. } => "done",
            Self::Adopted {} => "adopted",
            Self::Failed { .. } => "failed",
            Self::Undo { .. } => "undo",
            Self::Undone {} => "undone",
            Self::Ambiguous { .. } => "ambiguous",
            Self::Resolved { .. } => "resolved",
        }
    }
}

/// What a person decided about an action that nobody can read from the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// It has been done; go on after it.
    Done,
    /// It has not been done; do it.
    Retry,
}

/// What is recorded together with an outcome, in the same transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A pass of a copy was completed.
    Copied {
        /// The address of the spec.
        address: Address,
        /// Where its mail came from.
        source: (PlatformId, Address),
        /// What the pass did.
        report: CopyReport,
    },
    /// The target was proved equal to its source.
    Verified {
        /// The address of the spec.
        address: Address,
        /// When, and what was compared.
        verified: Verified,
    },
    /// The password of an account was set.
    PasswordSet {
        /// The platform.
        platform: PlatformId,
        /// The account.
        address: Address,
    },
    /// The account must not be reset or deleted, whatever a spec says.
    Protected(Address),
    /// The account may be reset or deleted again.
    Unprotected(Address),
    /// A hook is to be told of the record that this comes with.
    HookDue {
        /// Which.
        point: HookPoint,
        /// What it is told.
        input: serde_json::Value,
    },
    /// The test message of the action that this comes with is about to be sent.
    ProbeBegun(ProbeSent),
    /// The test message of another action of the run counts for nothing any more.
    ProbeEnded {
        /// The action.
        action: ActionId,
    },
    /// Something is said of a move, as by a person.
    Said {
        /// The domain.
        domain: Domain,
        /// What.
        said: Said,
    },
    /// A hook has been told.
    HookCalled {
        /// Which call: [`HookDue::id`].
        id: String,
    },
}

/// A call of a hook that is owed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookDue {
    /// What tells this call from every other: run, hook, action and attempt.
    pub id: String,
    /// Which hook.
    pub point: HookPoint,
    /// The action.
    pub action: ActionId,
    /// Which attempt at it.
    pub attempt: u32,
    /// What it is told.
    pub input: serde_json::Value,
}

/// Somebody's word that a class of actions of a run may begin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Where.
    pub host: String,
}

/// An action whose outcome is open: it is in flight, or a crash or a platform keeps it from being known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsettled {
    /// The run.
    pub run: RunId,
    /// The action.
    pub action: ActionId,
    /// Whether it is its undoing that is open.
    pub undo: bool,
    /// Why it cannot be told, when somebody has looked.
    pub reason: Option<String>,
}
