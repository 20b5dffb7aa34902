//! Gates as a run sees them: whether anything may begin now, and what still waits for somebody's word.

use std::{collections::BTreeSet, fmt, time::Duration};

use async_trait::async_trait;

use super::Context;
use crate::{
    journal::JournalError,
    model::{ApprovalGate, Event, RunId},
};

/// Says whether anything may begin now: a file, a clock, a person at the other end of a socket.
#[async_trait]
pub trait Gatekeeper: fmt::Debug + Send + Sync {
    /// Why nothing may begin now; `None` when it may. Asked often, so it must be quick.
    fn held(&self) -> Option<Held>;

    /// Returns when it is worth asking again, at the latest after `patience`.
    async fn changed(&self, patience: Duration) {
        tokio::time::sleep(patience).await;
    }
}

/// Nothing may begin now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The gate: `hold`, `window` or `pause`.
    pub gate: &'static str,
    /// Why, and what opens it.
    pub reason: String,
}

/// Everything may begin at any time.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoGatekeeper;

#[async_trait]
impl Gatekeeper for NoGatekeeper {
    fn held(&self) -> Option<Held> {
        None
    }
}

/// What was said of the gates of a run, so that each thing is said once.
#[derive(Debug, Default)]
pub(super) struct Gates {
    pub(super) held: Option<Held>,
    told: BTreeSet<ApprovalGate>,
}

impl Gates {
    /// Looks whether anything may begin; `waits` is how many actions could, if so.
    pub(super) fn look(&mut self, ctx: &Context<'_>, waits: usize) {
        let now = ctx.options.gatekeeper.held();
        // While nothing could begin anyway there is nothing to say.
        if now == self.held || (self.held.is_none() && waits == 0) {
            return;
        }
        if let Some(before) = &self.held
            && now.as_ref().is_none_or(|now| now.gate != before.gate)
        {
            ctx.events.emit(Event::GateOpened { gate: before.gate.to_owned(), by: None });
        }
        if let Some(held) = &now {
            let (gate, reason) = (held.gate.to_owned(), held.reason.clone());
            ctx.events.emit(Event::GateShut { gate, reason, actions: waits });
        }
        self.held = now;
    }

    /// What has been approved since of the gates at which actions stand now.
    pub(super) fn approved(
        &mut self,
        ctx: &Context<'_>,
        run: &RunId,
        waits: &BTreeSet<ApprovalGate>,
    ) -> Result<Vec<ApprovalGate>, JournalError> {
        if waits.is_empty() {
            return Ok(Vec::new());
        }
        let approvals = match ctx.journal.approvals(run) {
            Ok(approvals) => approvals,
            Err(error @ (JournalError::Crashed | JournalError::Fenced)) => return Err(error),
            // Nothing is lost by asking again at the next look.
            Err(_) => return Ok(Vec::new()),
        };
        let mut open = Vec::new();
        for gate in waits {
            match approvals.get(gate.word()) {
                Some(approval) => {
                    open.push(*gate);
                    let (gate, by) = (gate.to_string(), Some(approval.by.clone()));
                    ctx.events.emit(Event::GateOpened { gate, by });
                }
                None if self.told.insert(*gate) => {
                    let actions = ctx.plan.body.actions.iter().filter(|action| gate.holds(action)).count();
                    let gate = gate.to_string();
                    ctx.events.emit(Event::GateShut { reason: ask(&gate), gate, actions });
                }
                None => {}
            }
        }
        Ok(open)
    }
}

/// What is said of an approval that is missing.
pub(super) fn ask(gate: &str) -> String {
    format!("it waits for somebody's word: rehome approve {gate}")
}
