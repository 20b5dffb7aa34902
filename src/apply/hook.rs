//! Hooks around actions and runs.
//!
//! A hook *before* something is asked each time before an intent is written, and may forbid it. A hook *after* something
//! is owed from the moment that the outcome is recorded: both are one transaction, and what is owed is crossed out once
//! the hook has been called. So a run that dies calls it in the next run, and a hook is called twice only when the run
//! died while it was running; its `id` is then the same.

use std::fmt;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{
    Context, RunSummary,
    ending::{Report, Trouble},
    executor::Executor,
};
use crate::{
    diag::Exit,
    journal::{Fact, JournalError, Progress, Record, Standing},
    model::{Action, CutoverStep, Event, HOOK_FORMAT, HookPoint, Work},
};

/// Calls the programs of the user.
#[async_trait]
pub trait Hooks: fmt::Debug + Send + Sync {
    /// Whether there is one.
    fn has(&self, point: HookPoint) -> bool;

    /// Calls it with one JSON object.
    ///
    /// # Errors
    /// In words why it did not end well: its own, as far as it gave any.
    async fn call(&self, point: HookPoint, input: &Value) -> Result<(), String>;
}

/// There are none.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHooks;

#[async_trait]
impl Hooks for NoHooks {
    fn has(&self, _: HookPoint) -> bool {
        false
    }

    async fn call(&self, _: HookPoint, _: &Value) -> Result<(), String> {
        Ok(())
    }
}

/// Asks whether the run may begin.
pub(super) async fn before_apply(ctx: &Context<'_>, resumed: bool) -> Result<(), Trouble> {
    let point = HookPoint::BeforeApply;
    if !ctx.options.hooks.has(point) {
        return Ok(());
    }
    let input = json!({
        "v": HOOK_FORMAT, "hook": point, "id": format!("{}/{point}", ctx.plan.id), "plan": ctx.plan.id,
        "resumed": resumed, "actions": ctx.plan.body.actions.len(), "strategies": ctx.plan.body.strategies,
    });
    call(ctx, point, &input).await.map_err(|words| forbidden(point, &words))
}

/// Tells how the run ended.
pub(super) async fn after_run(ctx: &Context<'_>, summary: &RunSummary) {
    let point = HookPoint::AfterRun;
    if !ctx.options.hooks.has(point) {
        return;
    }
    let input = json!({
        "v": HOOK_FORMAT, "hook": point, "id": format!("{}/{point}", summary.run.as_ref().map_or("", |r| r.as_str())),
        "plan": summary.plan, "run": summary.run, "resumed": summary.resumed, "exit": summary.exit.code(),
        "done": summary.done.len() + summary.done_before, "actions": ctx.plan.body.actions.len(),
        "failed": summary.failed.iter().map(|f| json!({"action": f.action, "errors": f.errors})).collect::<Vec<_>>(),
        "waiting": summary.waiting.iter().map(|w| json!({"action": w.action, "reason": w.reason})).collect::<Vec<_>>(),
    });
    tell(ctx, point, &input).await;
}

/// Calls a hook while no action runs, and keeps the lease alive meanwhile.
async fn call(ctx: &Context<'_>, point: HookPoint, input: &Value) -> Result<(), String> {
    let called = ctx.options.hooks.call(point, input);
    tokio::pin!(called);
    loop {
        tokio::select! {
            ended = &mut called => return ended,
            // What is wrong with the lease is told by the next write.
            () = tokio::time::sleep(ctx.lease.ttl() / 3) => drop(ctx.lease.renew()),
        }
    }
}

async fn tell(ctx: &Context<'_>, point: HookPoint, input: &Value) {
    if let Err(words) = call(ctx, point, input).await {
        ctx.events.emit(Event::Warning { message: format!("the hook {point}: {words}") });
    }
}

fn forbidden(point: HookPoint, words: &str) -> Trouble {
    // Before the first run of a plan there is nothing yet to resume.
    let again = if point == HookPoint::BeforeApply { "the same command" } else { "`rehome resume`" };
    let help = format!("{again} asks it again; `hooks:` in the spec names it");
    Trouble::new(None, format!("the hook {point} does not allow it: {words}"), Some(&help))
}

/// A run that a hook does not allow.
pub(super) fn refuse(summary: RunSummary, trouble: Trouble) -> RunSummary {
    summary.fail(Exit::Guard, trouble.errors, trouble.help)
}

impl Executor<'_> {
    /// Asks about everything in a unit that is about to begin, before its first effect.
    pub(super) async fn may_begin(
        &self,
        unit: &[usize],
        progress: &[Progress],
    ) -> Result<Option<Report>, JournalError> {
        let point = HookPoint::BeforeAction;
        if !self.ctx.options.hooks.has(point) {
            return Ok(None);
        }
        for (&at, stands) in unit.iter().zip(progress) {
            let Some(action) = self.action(at) else { continue };
            // To wait is no effect, and is done over and over.
            let waits = match &action.work {
                Work::DomainReady { .. } => true,
                Work::Cutover(work) => work.step != CutoverStep::Probe,
                _ => false,
            };
            if waits || !matches!(stands.standing, Standing::Fresh | Standing::Failed | Standing::Undone) {
                continue;
            }
            let attempt = stands.attempts.saturating_add(1);
            let mut input = self.input(point, action);
            sign(&mut input, &format!("{}/{point}/{}/{attempt}", self.run, action.id), attempt);
            if let Err(words) = self.ctx.options.hooks.call(point, &input).await {
                let ending = self.failed(action, forbidden(point, &words))?;
                self.call_due(action).await?;
                return Ok(Some(Report::new(at, ending)));
            }
        }
        Ok(None)
    }

    fn input(&self, point: HookPoint, action: &Action) -> Value {
        json!({
            "v": HOOK_FORMAT, "hook": point, "run": self.run, "plan": self.ctx.plan.id,
            // A plan holds references to secrets and no secrets.
            "action": action,
        })
    }

    /// What is owed to a hook once a record is written.
    pub(super) fn due(&self, action: &Action, record: &Record) -> Option<Fact> {
        let (point, result) = match record {
            Record::Done { detail } => (HookPoint::AfterAction, json!({"outcome": "done", "detail": detail})),
            Record::Adopted {} => (HookPoint::AfterAction, json!({"outcome": "adopted"})),
            Record::Failed { errors, help } => {
                (HookPoint::OnFailure, json!({"outcome": "failed", "errors": errors, "help": help}))
            }
            Record::Ambiguous { reason } => (HookPoint::OnFailure, json!({"outcome": "unknown", "errors": [reason]})),
            Record::Intent {} | Record::Undo { .. } | Record::Undone {} | Record::Resolved { .. } => return None,
        };
        if !self.ctx.options.hooks.has(point) {
            return None;
        }
        let mut input = self.input(point, action);
        if let Some(map) = input.as_object_mut() {
            map.insert("result".to_owned(), result);
        }
        Some(Fact::HookDue { point, input })
    }

    /// Calls what is owed for one action.
    pub(super) async fn call_due(&self, action: &Action) -> Result<(), JournalError> {
        let hooks = &self.ctx.options.hooks;
        if hooks.has(HookPoint::AfterAction) || hooks.has(HookPoint::OnFailure) {
            self.call_all_due(|owed| owed == &action.id).await?;
        }
        Ok(())
    }

    /// Calls what an earlier run owes.
    pub(super) async fn call_what_is_owed(&self) -> Result<(), JournalError> {
        self.call_all_due(|_| true).await
    }

    async fn call_all_due(&self, chosen: impl Fn(&crate::model::ActionId) -> bool) -> Result<(), JournalError> {
        for due in self.ctx.journal.hooks_due(&self.run)?.into_iter().filter(|due| chosen(&due.action)) {
            let mut input = due.input;
            sign(&mut input, &due.id, due.attempt);
            // A hook that was taken out of the spec since is not owed any more.
            if self.ctx.options.hooks.has(due.point) {
                tell(self.ctx, due.point, &input).await;
            }
            self.ctx.journal.record(self.ctx.lease, &[Fact::HookCalled { id: due.id }])?;
        }
        Ok(())
    }
}

/// Puts in what tells one call from another.
fn sign(input: &mut Value, id: &str, attempt: u32) {
    if let Some(map) = input.as_object_mut() {
        map.insert("id".to_owned(), id.into());
        map.insert("attempt".to_owned(), attempt.into());
    }
}
