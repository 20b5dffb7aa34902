//! `rehome status`: what is done and what is not, from the journal alone.

use std::path::Path;

use serde_json::json;

use super::journal::{meaning, when};
use crate::{
    cli::{args::Format, context::Context, failure::Failure},
    diag::Exit,
    journal::{Journal, Run, Unsettled},
    model::State,
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
        text(&state, last.as_ref(), open.as_ref(), &unsettled)
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

fn text(state: &State, last: Option<&Run>, open: Option<&Run>, unsettled: &[Unsettled]) -> String {
    let mut out = String::new();
    match (open, last) {
        (Some(run), _) => out.push_str(&format!(
            "{} of plan {} began {} and has not ended. `rehome resume` goes on.\n",
            run.id,
            run.plan.short(),
            when(run.started)
        )),
        (None, Some(run)) => {
            if let (Some(ended), Some(code)) = (run.ended, run.exit) {
                out.push_str(&format!(
                    "{} of plan {} ended {} with {code} ({}).\n",
                    run.id,
                    run.plan.short(),
                    when(ended),
                    meaning(code)
                ));
                if code != 0 {
                    out.push_str("`rehome resume` goes on with it, `rehome plan` looks afresh.\n");
                }
            }
        }
        (None, None) => out.push_str("No plan was applied from here yet.\n"),
    }
    let decide: Vec<_> = unsettled.iter().filter_map(|u| u.reason.as_ref().map(|r| (u, r))).collect();
    if !decide.is_empty() {
        out.push_str("\nNobody but you can tell whether these were done:\n");
        for (open, reason) in decide {
            let what = if open.undo { "taking back " } else { "" };
            out.push_str(&format!("  {what}{}\n      {reason}\n", open.action));
        }
        out.push_str("  Look at the platform, then: rehome journal resolve ACTION --as done|retry\n");
    }
    out.push_str(&mailboxes(state));
    out
}

fn mailboxes(state: &State) -> String {
    if state.mailboxes.is_empty() {
        return String::new();
    }
    let widest = state.mailboxes.keys().map(|a| a.unicode().chars().count()).max().unwrap_or(0);
    let mut out = String::from("\nMailboxes\n");
    for (address, mailbox) in &state.mailboxes {
        let copied = match &mailbox.counts {
            Some(c) => {
                let failed: u64 = c.failed.values().sum();
                let failures = if failed > 0 { format!(", {failed} failed") } else { String::new() };
                format!("{} of {} messages{failures}", c.copied + c.present, c.source)
            }
            None => "not copied yet".to_owned(),
        };
        let verified = match &mailbox.verified {
            Some(v) => format!("verified {}", when(v.at)),
            None => "not verified".to_owned(),
        };
        let name = address.unicode();
        let pad = " ".repeat(widest.saturating_sub(name.chars().count()));
        out.push_str(&format!("  {name}{pad}  {copied}, {verified}\n"));
    }
    out
}
