//! What a run comes to.

use crate::{
    diag::{Exit, Finding, Severity},
    journal::JournalError,
    model::{ActionId, Guard, PlanId, RunId},
    provider::ErrorClass,
};

/// How a run ended, for whoever started it.
#[derive(Clone, Debug)]
pub struct RunSummary {
    /// The exit code of the command.
    pub exit: Exit,
    /// The plan.
    pub plan: PlanId,
    /// The run; `None` when nothing was begun.
    pub run: Option<RunId>,
    /// Whether it went on with an earlier run.
    pub resumed: bool,
    /// Whether the plan had been applied completely before, so that there was nothing to do.
    pub already_applied: bool,
    /// What was done by this call, in order.
    pub done: Vec<ActionId>,
    /// Those of `done` that an earlier call had done without being able to record it.
    pub adopted: Vec<ActionId>,
    /// How many actions earlier calls had done.
    pub done_before: usize,
    /// What was taken back because its partner failed.
    pub undone: Vec<ActionId>,
    /// What failed, each with what it blocks.
    pub failed: Vec<Failure>,
    /// What a person must decide.
    pub ambiguous: Vec<Stopped>,
    /// What waits for something outside.
    pub waiting: Vec<Stopped>,
    /// What was not begun, and is not blocked by a failure.
    pub pending: Vec<ActionId>,
    /// The guards that nobody has acknowledged, or nobody can. Nothing was begun then.
    pub guards: Vec<(ActionId, Guard)>,
    /// What the checks of mail and DNS found.
    pub findings: Vec<Finding>,
    /// What stopped the whole run: the chain of errors, outermost first. A lost journal, or a plan that cannot be run.
    pub fatal: Vec<String>,
    /// What to do about `fatal`.
    pub help: Option<String>,
}

/// One failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What failed.
    pub action: ActionId,
    /// What kind of failure; `None` when it was not the platform's doing.
    pub class: Option<ErrorClass>,
    /// The chain of errors, outermost first.
    pub errors: Vec<String>,
    /// What to do.
    pub help: Option<String>,
    /// What is not done because of it. Each blocked action stands below one failure only.
    pub blocked: Vec<ActionId>,
}

/// An action that stopped without failing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// The action.
    pub action: ActionId,
    /// Why.
    pub reason: String,
    /// What is not done because of it.
    pub blocked: Vec<ActionId>,
}

impl RunSummary {
    pub(super) fn new(plan: PlanId) -> Self {
        Self {
            exit: Exit::Ok,
            plan,
            run: None,
            resumed: false,
            already_applied: false,
            done: Vec::new(),
            adopted: Vec::new(),
            done_before: 0,
            undone: Vec::new(),
            failed: Vec::new(),
            ambiguous: Vec::new(),
            waiting: Vec::new(),
            pending: Vec::new(),
            guards: Vec::new(),
            findings: Vec::new(),
            fatal: Vec::new(),
            help: None,
        }
    }

    pub(super) fn fail(mut self, exit: Exit, errors: Vec<String>, help: Option<String>) -> Self {
        (self.exit, self.fatal, self.help) = (exit, errors, help);
        self
    }

    pub(super) fn fail_journal(self, error: &JournalError) -> Self {
        let mut errors = crate::diag::chain(error);
        if self.run.is_some() {
            errors.insert(0, "the run stopped where it was, because nothing more could be recorded".to_owned());
        }
        self.fail(error.exit(), errors, error.help())
    }

    /// The exit code, from what happened. What a person must do something about comes before what time will solve.
    pub(super) fn decide(&self, stopped: Option<Exit>, held: bool) -> Exit {
        let all = |class| self.failed.iter().all(|f| f.class == Some(class));
        let differs = self.findings.iter().any(|f| f.severity == Severity::Error);
        if let Some(exit) = stopped {
            exit
        } else if !self.ambiguous.is_empty() {
            Exit::Decide
        } else if self.failed.is_empty() && !self.waiting.is_empty() {
            Exit::Waiting
        } else if self.failed.is_empty() && differs {
            Exit::Differences
        } else if self.failed.is_empty() && self.pending.is_empty() {
            Exit::Ok
        } else if self.failed.is_empty() && held {
            Exit::Waiting
        } else if !self.failed.is_empty() && all(ErrorClass::Denied) {
            Exit::Denied
        } else if !self.failed.is_empty() && all(ErrorClass::Stale) {
            Exit::Stale
        } else if !self.failed.is_empty() && all(ErrorClass::Unreachable) {
            Exit::Unreachable
        } else if self.done.is_empty() && self.done_before == 0 {
            Exit::Failed
        } else {
            Exit::Partial
        }
    }
}
