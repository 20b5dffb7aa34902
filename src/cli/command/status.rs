//! `rehome status`: what is done and what is not, from the journal alone.

use std::path::Path;

use serde_json::json;

use crate::{
    cli::{args::Format, context::Context, failure::Failure},
    diag::Exit,
    journal::Journal,
    report::{self, Standing},
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
    let text = if context.global.format == Format::Json {
        let value = json!({
            "state": state,
            "open_run": open.as_ref().map(|r| &r.id),
            "last_run": last.as_ref().map(|r| json!({"run": r.id, "plan": r.plan, "ended": r.ended, "exit": r.exit})),
            "unsettled": unsettled.iter().map(|u| json!({
                "run": u.run, "action": u.action, "undo": u.undo, "reason": u.reason,
            })).collect::<Vec<_>>(),
        });
        format!("{}\n", serde_json::to_string_pretty(&value).unwrap_or_default())
    } else {
        let standing = Standing { state: &state, latest: open.as_ref().or(last.as_ref()), unsettled: &unsettled };
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
