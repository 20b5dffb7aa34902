//! `rehome status`: what is done and what is not, from the journal alone.

use std::path::Path;

use serde_json::json;

use crate::{
    cli::{args::Format, context::Context, failure::Failure, runner},
    diag::Exit,
    journal::{
        Approval, Journal, Run,
        ledger::{Ledger, Owner},
    },
    model::{Address, ApprovalGate, MailboxState, State},
    report::{self, Folders, Standing},
};

/// Prints where the workspace stands. Ends with 9 when a person must decide, 3 when the last run can
/// go on.
pub(super) fn run(context: &Context, spec: &Path) -> Result<Exit, Failure> {
    let folder = context.workspace(spec);
    let Some(journal) = Journal::open_read_only(&folder)? else {
        context.answer("Nothing was applied from here yet. `rehome plan` shows what would be done.\n")?;
        return Ok(Exit::Ok);
    };
    let (state, unsettled, open) = (journal.state()?, journal.unsettled()?, journal.open_run()?);
    let last = journal.latest_run()?;
    let shown = open.as_ref().or(last.as_ref());
    let approvals = approvals(&journal, shown)?;
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
            "open_run": open.as_ref().map(|r| &r.id),
            "last_run": last.as_ref().map(|r| json!({"run": r.id, "plan": r.plan, "ended": r.ended, "exit": r.exit})),
            "unsettled": unsettled.iter().map(|u| json!({
                "run": u.run, "action": u.action, "undo": u.undo, "reason": u.reason,
            })).collect::<Vec<_>>(),
        });
        format!("{}\n", serde_json::to_string_pretty(&value).unwrap_or_default())
    } else {
        let standing =
            Standing { state: &state, latest: shown, unsettled: &unsettled, approvals: &approvals, folders: &folders };
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

/// What of a run that has not ended well needs somebody's word, and whose word it has.
fn approvals(journal: &Journal, run: Option<&Run>) -> Result<Vec<(ApprovalGate, Option<Approval>)>, Failure> {
    let Some(run) = run.filter(|run| run.exit != Some(0)) else { return Ok(Vec::new()) };
    let gates = runner::saved_plan(journal, &run.id)?.body.gates.approval;
    if gates.is_empty() {
        return Ok(Vec::new());
    }
    let mut given = journal.approvals(&run.id)?;
    Ok(gates.into_iter().map(|gate| (gate, given.remove(gate.word()))).collect())
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
