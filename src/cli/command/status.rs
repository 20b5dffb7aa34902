//! `rehome status`: what is done and what is not, from the journal alone.

use std::path::Path;

use serde_json::{Value, json};

use super::watch;
use crate::{
    cli::{
        args::Format,
        context::Context,
        control::{Live, Request},
        failure::Failure,
        runner,
    },
    diag::Exit,
    journal::{
        Approval, Journal, Run,
        Standing::{Ambiguous, AmbiguousUndo, Done},
        ledger::{Ledger, Owner},
    },
    model::{Action, ActionId, Address, ApprovalGate, MailboxState, State},
    plan::Plan,
    report::{self, Folders, Left, Standing},
};

/// Prints where the workspace stands. Ends with 9 when a person must decide, 3 when the last run can
/// go on.
pub(super) async fn run(context: &Context, spec: &Path) -> Result<Exit, Failure> {
    let folder = context.workspace(spec);
    let Some(journal) = Journal::open_read_only(&folder)? else {
        context.answer("Nothing was applied from here yet. `rehome plan` shows what would be done.\n")?;
        return Ok(Exit::Ok);
    };
    let (state, unsettled, open) = (journal.state()?, journal.unsettled()?, journal.open_run()?);
    let last = journal.latest_run()?;
    let shown = open.as_ref().or(last.as_ref());
    let plan = plan_of(&journal, shown)?;
    let approvals = approvals(&journal, shown, plan.as_ref())?;
    let left = left(&journal, shown, plan.as_ref())?;
    let live = live(&folder).await;
    let folders = folders(&journal, &state);
    let text = if context.global.format == Format::Json {
        let value = json!({
            "state": state,
            "approvals": approvals.iter().map(|(gate, approval)| json!({"gate": gate, "approval": approval}))
                .collect::<Vec<_>>(),
            "folders": folders.iter().map(|(account, folders)| json!({
                "account": account, "folders": folders.iter().map(|(name, counts)| json!({"folder": name, "counts": counts}))
                    .collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
            "live": live,
            "left": { "actions": left.actions, "of": left.of, "next": left.next.iter().map(|a| &a.id).collect::<Vec<_>>() },
            "open_run": open.as_ref().map(|r| &r.id),
            "last_run": last.as_ref().map(|r| json!({"run": r.id, "plan": r.plan, "ended": r.ended, "exit": r.exit})),
            "unsettled": unsettled.iter().map(|u| json!({
                "run": u.run, "action": u.action, "undo": u.undo, "reason": u.reason,
            })).collect::<Vec<_>>(),
        });
        format!("{}\n", serde_json::to_string_pretty(&value).unwrap_or_default())
    } else {
        let told = live.as_ref().map(watch::told);
        let standing = Standing {
            state: &state,
            latest: shown,
            unsettled: &unsettled,
            approvals: &approvals,
            folders: &folders,
            live: told.as_deref(),
            left,
        };
        report::status_text(&standing, &context.looks())
    };
    context.answer(&text)?;
    Ok(if unsettled.iter().any(|u| u.reason.is_some()) {
        Exit::Decide
    } else if last.is_some_and(|run| run.exit != Some(0)) {
        Exit::Partial
    } else {
        Exit::Ok
    })
}

/// The plan of a run that has not ended well.
fn plan_of(journal: &Journal, run: Option<&Run>) -> Result<Option<Plan>, Failure> {
    run.filter(|run| run.exit != Some(0)).map(|run| runner::saved_plan(journal, &run.id)).transpose()
}

/// What of a run needs somebody's word, and whose word it has.
fn approvals(
    journal: &Journal,
    run: Option<&Run>,
    plan: Option<&Plan>,
) -> Result<Vec<(ApprovalGate, Option<Approval>)>, Failure> {
    let (Some(run), Some(plan)) = (run, plan) else { return Ok(Vec::new()) };
    let gates = &plan.body.gates.approval;
    if gates.is_empty() {
        return Ok(Vec::new());
    }
    let mut given = journal.approvals(&run.id)?;
    Ok(gates.iter().map(|gate| (*gate, given.remove(gate.word()))).collect())
}

/// What of a run is not done, and what of that could be done next or is waited for.
fn left<'p>(journal: &Journal, run: Option<&Run>, plan: Option<&'p Plan>) -> Result<Left<'p>, Failure> {
    let (Some(run), Some(plan)) = (run, plan) else { return Ok(Left::default()) };
    let progress = journal.progress(&run.id)?;
    let done = |id: &ActionId| progress.get(id).is_some_and(|p| p.standing == Done);
    let actions = &plan.body.actions;
    let missing = actions.iter().filter(|action| !done(&action.id));
    // What nobody can tell stands by itself.
    let unclear = |id: &ActionId| progress.get(id).is_some_and(|p| matches!(p.standing, Ambiguous | AmbiguousUndo));
    let free = |action: &&Action| action.requires.iter().all(done) && !unclear(&action.id);
    let next: Vec<_> = missing.clone().filter(free).collect();
    Ok(Left { next, actions: missing.count(), of: actions.len() })
}

/// What the run of a workspace says itself, if one is live on this host.
async fn live(folder: &Path) -> Option<Value> {
    // A run that ends while it is asked is none.
    Live::find(folder).await?.ask(&Request::Status {}).await.ok()
}

/// The sums of the last complete pass over each folder. A journal of an older format has none.
fn folders(journal: &Journal, state: &State) -> Folders {
    let ledger = Ledger::new(journal.db());
    let of = |(address, mailbox): (&Address, &MailboxState)| {
        let (platform, _) = mailbox.source.as_ref()?;
        let owner = Owner { account: address.key(), platform: platform.clone() };
        let sums = ledger.folder_sums(&owner).ok()?;
        Some((address.clone(), sums.into_iter().map(|(path, counts)| (path.to_string(), counts)).collect()))
    };
    state.mailboxes.iter().filter_map(of).collect()
}
