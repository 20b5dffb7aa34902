//! F4: walks a plan: precondition, intent, perform, outcome, event.
//!
//! [`run`] decides nothing: the plan says what is done and in which order, the journal what is done already. For every
//! action the intent is durable before the effect and the outcome after it, so a run may end at any moment, by a
//! failure, by Ctrl-C or with the power, and the next one goes on without repeating or losing an effect:
//!
//! | the journal says | the platform says | what happens |
//! |---|---|---|
//! | intent, no outcome | not done | it is tried again |
//! | intent, no outcome | done | it is adopted |
//! | intent, no outcome | neither, or nothing | that chain stops, a person decides, the others go on |
//! | done, and its claim failed | | it is taken back, by the same rules |
//!
//! What stands at a gate (a hold file, a window of time, an approval) waits and keeps nothing else from going on. With
//! `no_wait` the run then ends, and the next one goes on.
//!
//! The pieces: `board` says what may begin, `gate` whether it may now, `walk` begins it, `executor` and `change` do one action, `undo` takes one
//! back, `precondition` looks before the leap.

mod board;
mod change;
mod context;
mod cutover;
mod ending;
mod executor;
mod gate;
mod guard;
mod hook;
mod mail;
mod precondition;
mod probe;
mod summary;
mod undo;
mod walk;
mod zone;

use std::{collections::BTreeMap, ops::ControlFlow};

pub use context::{
    Begin, Clock, Context, CutoverSight, Dns, Mail, MailError, MailVerification, Options, PasswordError, Passwords,
    Post, Posted,
};
pub use gate::{Gatekeeper, Held, NoGatekeeper};
pub use hook::{Hooks, NoHooks};
pub use summary::{Failure, RunSummary, Stopped};

use crate::{
    diag::Exit,
    journal::{JournalError, Progress, Run, Standing},
    model::{ActionId, Event, Work},
};
use board::Board;
use executor::Executor;
use walk::Walk;

/// Applies a plan, or goes on applying it.
///
/// Everything that happens is recorded in the journal and told to the events; the summary says how it ended. The future
/// may be dropped at any moment: that is what a crash does, and the next run goes on from there.
pub async fn run(ctx: Context<'_>) -> RunSummary {
    let summary = RunSummary::new(ctx.plan.id.clone());
    if ctx.plan.is_empty() {
        return summary;
    }
    let earlier = match earlier(&ctx) {
        Ok(earlier) => earlier,
        Err(error) => return summary.fail_journal(&error),
    };
    let (summary, board, progress) = match check(&ctx, summary, earlier) {
        ControlFlow::Continue(checked) => checked,
        ControlFlow::Break(summary) => return summary,
    };
    match apply(&ctx, summary, board, progress).await {
        Ok(summary) => summary,
        Err((summary, error)) => summary.fail_journal(&error),
    }
}

/// The run that this plan had before, and how far it came.
type Earlier = Option<(Run, BTreeMap<ActionId, Progress>)>;

fn earlier(ctx: &Context<'_>) -> Result<Earlier, JournalError> {
    let Some(run) = ctx.journal.run_of(&ctx.plan.id)? else { return Ok(None) };
    let progress = ctx.journal.progress(&run.id)?;
    Ok(Some((run, progress)))
}

/// Everything that can end a run before it begins. Breaks with the summary to return.
fn check(
    ctx: &Context<'_>,
    mut summary: RunSummary,
    earlier: Earlier,
) -> ControlFlow<RunSummary, (RunSummary, Board, Vec<Progress>)> {
    let actions = &ctx.plan.body.actions;
    let mut acks = ctx.options.acks.clone();
    let mut known = BTreeMap::new();
    match earlier {
        Some((run, progress)) => {
            if run.exit == Some(0) {
                summary.run = Some(run.id);
                summary.already_applied = true;
                summary.done_before = actions.len();
                return ControlFlow::Break(summary);
            }
            summary.resumed = true;
            acks.extend(run.acks);
            known = progress;
        }
        None if ctx.options.resume => {
            let error = format!("plan {} has not been begun in this workspace", ctx.plan.id.short());
            return ControlFlow::Break(summary.fail(
                Exit::Invalid,
                vec![error],
                Some("`rehome apply` begins it".to_owned()),
            ));
        }
        None => {}
    }
    let progress: Vec<Progress> = actions.iter().map(|a| known.remove(&a.id).unwrap_or_default()).collect();
    let standings: Vec<Standing> = progress.iter().map(|p| p.standing).collect();
    let limit = ctx.options.until.unwrap_or(usize::MAX);
    let todo =
        actions.iter().zip(&standings).take(limit).filter(|(_, s)| **s != Standing::Done).map(|(action, _)| action);
    let unmet = guard::unmet(todo, &acks);
    if !unmet.is_empty() {
        summary.exit = Exit::Guard;
        summary.guards = unmet;
        return ControlFlow::Break(summary);
    }
    match Board::new(actions, &standings, ctx.options.parallel, limit, &ctx.plan.body.gates.approval) {
        Ok(board) => {
            summary.done_before = standings.iter().filter(|s| **s == Standing::Done).count();
            ControlFlow::Continue((summary, board, progress))
        }
        Err(error) => ControlFlow::Break(summary.fail(
            Exit::Invalid,
            vec![error],
            Some("`rehome plan` makes a sound one".to_owned()),
        )),
    }
}

async fn apply(
    ctx: &Context<'_>,
    mut summary: RunSummary,
    board: Board,
    progress: Vec<Progress>,
) -> Result<RunSummary, (RunSummary, JournalError)> {
    let json = match serde_json::to_string(ctx.plan) {
        Ok(json) => json,
        Err(error) => return Ok(summary.fail(Exit::Invalid, vec![error.to_string()], None)),
    };
    if let Err(trouble) = hook::before_apply(ctx, summary.resumed).await {
        return Ok(hook::refuse(summary, trouble));
    }
    let run = match ctx.journal.begin_run(ctx.lease, &ctx.plan.id, &json, &ctx.options.acks) {
        Ok(run) => run,
        Err(error) => return Err((summary, error)),
    };
    summary.run = Some(run.id.clone());
    ctx.events.emit(Event::RunStarted {
        run: run.id.clone(),
        plan: ctx.plan.id.clone(),
        actions: ctx.plan.body.actions.len(),
        resumed: summary.resumed,
        done: summary.done_before,
    });
    let executor = Executor { ctx, run: run.id.clone() };
    if let Err(error) = executor.call_what_is_owed().await {
        return Err((summary, error));
    }
    let ended = match Walk::new(&executor, board, progress, &mut summary).run().await {
        Ok(interrupted) => finish(ctx, &run, &mut summary, interrupted),
        Err(error) => Err(error),
    };
    if let Err(error) = ended {
        return Err((summary, error));
    }
    ctx.events.emit(Event::RunFinished {
        run: run.id,
        exit: summary.exit.code(),
        done: summary.done.len(),
        failed: summary.failed.len(),
        pending: summary.pending.len(),
    });
    hook::after_run(ctx, &summary).await;
    Ok(summary)
}

/// Decides the exit code and ends the run, unless a change of a platform is open: then the run stays open, and the next
/// command settles it before anything else is begun.
fn finish(ctx: &Context<'_>, run: &Run, summary: &mut RunSummary, interrupted: bool) -> Result<(), JournalError> {
    let progress = ctx.journal.progress(&run.id)?;
    let stands = |id: &ActionId| progress.get(id).map_or(Standing::Fresh, |p| p.standing);
    // What was cut off between two actions of one swap: the journal knows more than the reports.
    let (done, pending): (Vec<_>, Vec<_>) =
        std::mem::take(&mut summary.pending).into_iter().partition(|id| stands(id) == Standing::Done);
    summary.pending = pending;
    summary.done.extend(done);
    let stopped = interrupted.then(|| ctx.options.stopped_by.get().copied().unwrap_or(Exit::Interrupted));
    summary.exit = summary.decide(stopped, ctx.options.until.is_some());
    let mut changes = ctx.plan.body.actions.iter().filter(|a| matches!(a.work, Work::Platform { .. } | Work::Zone(_)));
    if changes.any(|a| matches!(stands(&a.id), Standing::Open | Standing::Undoing)) {
        return Ok(());
    }
    ctx.journal.finish_run(ctx.lease, &run.id, summary.exit)
}
