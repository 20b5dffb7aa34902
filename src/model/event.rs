//! Events: the only thing that engines say to a screen, a log or a file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ActionId, Address, CopyCounts, FailedMessage, PlanId, RunId};

/// Something that happened during a run. One per line in `--events FILE`, in the format of [`EVENT_FORMAT`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A run began.
    RunStarted {
        /// The run.
        run: RunId,
        /// The plan.
        plan: PlanId,
        /// How many actions it has.
        actions: usize,
        /// Whether it goes on with an earlier run.
        resumed: bool,
        /// How many of the actions an earlier run has done.
        #[serde(default)]
        done: usize,
    },
    /// An action began.
    ActionStarted {
        /// The action.
        action: ActionId,
    },
    /// An action waits for something outside.
    ActionWaiting {
        /// The action.
        action: ActionId,
        /// For what.
        reason: String,
    },
    /// Nothing of some actions begins, because a gate is shut. Nothing is wrong.
    GateShut {
        /// `hold`, `window`, `pause`, or a class of actions that waits for approval.
        gate: String,
        /// Why, and what opens it.
        reason: String,
        /// How many actions of the plan it is for; for `hold`, `window` and `pause` those that could begin otherwise.
        actions: usize,
    },
    /// A gate that was shut is open.
    GateOpened {
        /// Which.
        gate: String,
        /// Who opened it, where somebody did.
        by: Option<String>,
    },
    /// An action ended well.
    ActionDone {
        /// The action.
        action: ActionId,
        /// What is worth saying, such as the sums of a copy.
        detail: Option<String>,
        /// Whether it had been done by an earlier run and was only recognised.
        adopted: bool,
    },
    /// An action was taken back because its partner failed.
    ActionUndone {
        /// The action.
        action: ActionId,
        /// Why.
        reason: String,
    },
    /// An action failed.
    ActionFailed {
        /// The action.
        action: ActionId,
        /// The chain of errors, outermost first.
        errors: Vec<String>,
        /// What to do.
        help: Option<String>,
        /// What is not done because of it.
        blocked: Vec<ActionId>,
    },
    /// A folder is being copied.
    CopyProgress {
        /// The address of the spec.
        account: Address,
        /// The folder at the source.
        folder: String,
        /// Messages of the account settled so far.
        done: u64,
        /// Messages of the account in all.
        total: u64,
        /// Octets sent so far.
        octets: u64,
    },
    /// A folder was settled in this pass of a copy: `source = copied + present + excluded + failed + gone`.
    FolderDone {
        /// The address of the spec.
        account: Address,
        /// The folder at the source.
        folder: String,
        /// What happened to its messages.
        counts: CopyCounts,
    },
    /// A message could not be copied. Told right after its folder.
    MessageFailed {
        /// The address of the spec.
        account: Address,
        /// Which message, and why.
        message: FailedMessage,
    },
    /// A copy ended.
    CopyDone {
        /// The address of the spec.
        account: Address,
        /// What happened to its messages.
        counts: CopyCounts,
    },
    /// A comparison goes on.
    VerifyProgress {
        /// The address of the spec.
        account: Address,
        /// Messages compared so far.
        done: u64,
        /// Messages in all.
        total: u64,
    },
    /// A server asked for patience; it is obeyed.
    Throttled {
        /// The host.
        host: String,
        /// The server's words.
        reason: String,
        /// How long nothing is sent, in milliseconds.
        millis: u64,
    },
    /// Something a person should know.
    Warning {
        /// What.
        message: String,
    },
    /// A run ended.
    RunFinished {
        /// The run.
        run: RunId,
        /// Its exit code.
        exit: u8,
        /// Actions done.
        done: usize,
        /// Actions failed.
        failed: usize,
        /// Actions not started.
        pending: usize,
    },
}

/// The format of the lines in `--events FILE`. A new kind of event, or a new field, does not raise it.
pub const EVENT_FORMAT: u32 = 1;

/// Takes events. Implementations must not block for long and never fail.
pub trait EventSink: Send + Sync {
    /// Takes one event.
    fn emit(&self, event: Event);
}

/// Drops every event.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoEvents;

impl EventSink for NoEvents {
    fn emit(&self, _event: Event) {}
}

impl<F: Fn(Event) + Send + Sync> EventSink for F {
    fn emit(&self, event: Event) {
        self(event);
    }
}
