//! The walk: begins what may begin, takes what ends, keeps the lease alive, and stops when it is told to.

use std::{collections::BTreeMap, time::Duration};

use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::time::{Instant, MissedTickBehavior};

use super::{
    Context, Failure, RunSummary, Stopped,
    board::{Board, Unit},
    ending::{Ending, Report, Trouble},
    executor::Executor,
    gate::{self, Gates},
};
use crate::{
    diag::{Finding, Severity},
    journal::{JournalError, Progress},
    model::{ActionId, Address, Event, Work},
};

/// How long a gate that has opened may go unnoticed.
const GLANCE: Duration = Duration::from_secs(1);

pub(super) struct Walk<'a> {
    executor: &'a Executor<'a>,
    board: Board,
    progress: Vec<Progress>,
    summary: &'a mut RunSummary,
    /// The findings by action: a later pass over the same mailbox replaces those of an earlier one.
    findings: BTreeMap<usize, Vec<Finding>>,
    gates: Gates,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        executor: &'a Executor<'a>,
        board: Board,
        progress: Vec<Progress>,
        summary: &'a mut RunSummary,
    ) -> Self {
        Self { executor, board, progress, summary, findings: BTreeMap::new(), gates: Gates::default() }
    }

    fn ctx(&self) -> &'a Context<'a> {
        self.executor.ctx
    }

    /// Walks to the end. Gives whether it was told to stop before that.
    ///
    /// # Errors
    /// When the journal takes no more records, or belongs to somebody else: everything stops where it is.
    pub(super) async fn run(mut self) -> Result<bool, JournalError> {
        let ctx = self.ctx();
        let options = &ctx.options;
        let mut flight = FuturesUnordered::new();
        let mut heartbeat = tokio::time::interval((ctx.lease.ttl() / 3).max(Duration::from_secs(1)));
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut deadline: Option<Instant> = None;
        let mut cut_off = false;
        loop {
            self.look()?;
            while deadline.is_none() && !options.cancel.is_cancelled() {
                let Some((unit, members)) = self.board.begin(self.gates.held.is_some()) else { break };
                let progress = self.progress_of(&members);
                let executor = self.executor;
                flight.push(async move {
                    let reports = executor.unit(&members, progress).await;
                    (unit, members, reports)
                });
            }
            let waits = deadline.is_none() && self.waits();
            if flight.is_empty() && (options.no_wait || !waits) {
                break;
            }
            tokio::select! {
                biased;
                () = options.stop_now.cancelled() => { cut_off = true; break; }
                () = options.cancel.cancelled(), if deadline.is_none() => deadline = Some(Instant::now() + options.grace),
                () = until(deadline) => { cut_off = true; break; }
                _ = heartbeat.tick() => self.renew()?,
                () = options.gatekeeper.changed(options.poll.min(GLANCE)), if waits => {}
                Some((unit, members, reports)) = flight.next() => self.take(unit, &members, reports?),
            }
        }
        drop(flight);
        Ok(self.close(cut_off))
    }

    /// Looks which gates are open.
    fn look(&mut self) -> Result<(), JournalError> {
        let ctx = self.ctx();
        for gate in self.gates.approved(ctx, &self.executor.run, &self.board.at_gates())? {
            self.board.open(gate);
        }
        // After what approval has let through: that, too, may be held.
        self.gates.look(ctx, self.board.could_begin());
        Ok(())
    }

    /// Whether something could begin if it were not for a gate.
    fn waits(&self) -> bool {
        (self.gates.held.is_some() && self.board.could_begin() > 0) || !self.board.at_gates().is_empty()
    }

    /// Books what a gate kept from beginning, once nobody waits for it any more.
    fn wait_no_longer(&mut self) {
        for gate in self.board.at_gates() {
            let (members, blocked) = self.board.halt_at(gate);
            self.stopped(gate.word(), gate::ask(gate.word()), &members, &blocked);
        }
        if let Some(held) = self.gates.held.take() {
            let left = self.board.pending();
            self.stopped(held.gate, held.reason, &left, &[]);
            self.board.forget();
        }
    }

    fn stopped(&mut self, gate: &str, reason: String, members: &[usize], blocked: &[usize]) {
        let mut ids = self.ids(members).into_iter().chain(self.ids(blocked));
        if let Some(action) = ids.next() {
            let reason = format!("{gate}: {reason}");
            self.summary.waiting.push(Stopped { action, reason, blocked: ids.collect() });
        }
    }

    fn renew(&self) -> Result<(), JournalError> {
        match self.ctx().lease.renew() {
            Err(error @ (JournalError::Fenced | JournalError::Crashed)) => Err(error),
            Err(error) => {
                // The next write says whether it matters; until the lease expires nothing is lost.
                let message = format!("the lease could not be renewed: {}", crate::diag::chain(&error).join(": "));
                self.ctx().events.emit(Event::Warning { message });
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    fn progress_of(&self, members: &Unit) -> Vec<Progress> {
        members.iter().map(|&at| self.progress.get(at).cloned().unwrap_or_default()).collect()
    }

    fn id(&self, at: usize) -> ActionId {
        self.executor.action(at).map_or_else(|| ActionId::from(""), |action| action.id.clone())
    }

    fn ids(&self, places: &[usize]) -> Vec<ActionId> {
        places.iter().map(|&at| self.id(at)).collect()
    }

    /// Books the end of a unit.
    fn take(&mut self, unit: usize, members: &Unit, reports: Vec<Report>) {
        let bad = reports.iter().any(|r| !matches!(r.ending, Ending::Done { .. }));
        let mut blocked = Vec::new();
        if bad {
            let settled: Vec<usize> = reports.iter().map(|r| r.at).collect();
            let before = |at: &usize| {
                let done = self.progress.get(*at).is_some_and(|p| p.standing == crate::journal::Standing::Done);
                !done && !settled.contains(at)
            };
            blocked.extend(members.iter().copied().filter(before));
            blocked.extend(self.board.halt(unit));
        } else {
            self.board.done(unit);
        }
        let mut blocked = self.ids(&blocked);
        // The blocked actions stand below the report that explains them: the last one that is no success.
        let explains = reports.iter().rposition(|r| !matches!(r.ending, Ending::Done { .. } | Ending::Undone(_)));
        for (n, report) in reports.into_iter().enumerate() {
            self.findings.insert(report.at, report.findings);
            let below = if Some(n) == explains { std::mem::take(&mut blocked) } else { Vec::new() };
            self.book(report.at, report.ending, below);
        }
    }

    fn book(&mut self, at: usize, ending: Ending, blocked: Vec<ActionId>) {
        let action = self.id(at);
        let events = self.ctx().events;
        match ending {
            Ending::Done { adopted, detail } => {
                events.emit(Event::ActionDone { action: action.clone(), detail, adopted });
                if adopted {
                    self.summary.adopted.push(action.clone());
                }
                self.summary.done.push(action);
            }
            Ending::Failed(trouble) | Ending::Open(trouble) => self.fail(action, trouble, blocked),
            Ending::Ambiguous(reason) => {
                let help = format!("look at the platform, then `rehome journal resolve {action} --as done|retry`");
                events.emit(Event::ActionFailed {
                    action: action.clone(),
                    errors: vec![format!("it cannot be told whether it was done: {reason}")],
                    help: Some(help),
                    blocked: blocked.clone(),
                });
                self.summary.ambiguous.push(Stopped { action, reason, blocked });
            }
            Ending::Differs => {
                let errors = self.findings.get(&at).into_iter().flatten().filter(|f| f.severity == Severity::Error);
                let errors = errors.map(|f| format!("{}: {}", f.subject, f.message)).collect();
                events.emit(Event::ActionFailed { action, errors, help: None, blocked: blocked.clone() });
                self.summary.pending.extend(blocked);
            }
            Ending::Waiting(reason) => self.summary.waiting.push(Stopped { action, reason, blocked }),
            Ending::Undone(reason) => {
                events.emit(Event::ActionUndone { action: action.clone(), reason });
                self.summary.done.retain(|done| *done != action);
                self.summary.undone.push(action);
            }
            Ending::Left => {
                self.summary.pending.push(action);
                self.summary.pending.extend(blocked);
            }
        }
    }

    fn fail(&mut self, action: ActionId, trouble: Trouble, blocked: Vec<ActionId>) {
        let Trouble { class, errors, help } = trouble;
        self.ctx().events.emit(Event::ActionFailed {
            action: action.clone(),
            errors: errors.clone(),
            help: help.clone(),
            blocked: blocked.clone(),
        });
        self.summary.failed.push(Failure { action, class, errors, help, blocked });
    }

    fn mailbox_of(&self, at: usize) -> Option<(bool, &'a Address)> {
        match &self.executor.ctx.plan.body.actions.get(at)?.work {
            Work::Copy(work) => Some((false, &work.account)),
            Work::VerifyMail(work) => Some((true, &work.account)),
            _ => None,
        }
    }

    fn close(mut self, cut_off: bool) -> bool {
        if !cut_off && !self.ctx().options.cancel.is_cancelled() {
            self.wait_no_longer();
        }
        let left = self.board.pending();
        self.summary.pending.extend(left.iter().map(|&at| self.id(at)).collect::<Vec<_>>());
        let findings = std::mem::take(&mut self.findings);
        let newest: BTreeMap<_, usize> =
            findings.keys().filter_map(|&at| self.mailbox_of(at).map(|mailbox| (mailbox, at))).collect();
        for (at, found) in findings {
            let replaced = self.mailbox_of(at).and_then(|mailbox| newest.get(&mailbox)).is_some_and(|last| *last != at);
            if !replaced {
                self.summary.findings.extend(found);
            }
        }
        (self.ctx().options.cancel.is_cancelled() || cut_off) && !self.summary.pending.is_empty()
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
