//! What a run says at its end, on stdout.

use serde_json::json;

use super::{args::Format, context::Context, failure::Failure, runner::Ended};
use crate::{
    apply::RunSummary,
    diag::{self, Exit, Finding, Severity},
    model::{Address, CopyCounts, GuardOutcome},
    plan,
    report::{self, Checked},
};

/// Tells how a run ended, and gives its exit code.
pub(super) fn tell(context: &Context, ended: Ended) -> Result<Exit, Failure> {
    let Ended { summary, told } = ended;
    let text = match context.global.format {
        Format::Json => format!("{}\n", serde_json::to_string_pretty(&document(&summary, &told)).unwrap_or_default()),
        Format::Human | Format::Markdown | Format::Html => text(context, &summary, &told),
    };
    context.answer(&text)?;
    if !summary.fatal.is_empty() {
        return Err(Failure {
            errors: summary.fatal.clone(),
            help: summary.help.clone(),
            ..Failure::new(summary.exit, "")
        });
    }
    Ok(summary.exit)
}

fn text(context: &Context, summary: &RunSummary, told: &report::Summary) -> String {
    let looks = context.looks();
    if summary.already_applied {
        let run = summary.run.as_ref().map(|r| format!(" by {r}")).unwrap_or_default();
        return format!("Plan {} was applied{run} already. Nothing was done.\n", summary.plan.short());
    }
    if !summary.guards.is_empty() {
        return guards(summary, &looks);
    }
    let mut out = String::new();
    if told.run.is_some() {
        // What a person must decide stands below, with what to do about it, and is no plain failure.
        let mut told = told.clone();
        told.failures.retain(|f| summary.ambiguous.iter().all(|stopped| stopped.action != f.action));
        out.push_str(&report::summary_text(&told, &looks));
    }
    if !summary.ambiguous.is_empty() {
        out.push_str("\nA person must decide:\n");
        for stopped in &summary.ambiguous {
            out.push_str(&format!("  {}\n      {}\n", stopped.action, stopped.reason));
            if !stopped.blocked.is_empty() {
                let held = diag::plural(stopped.blocked.len(), "action");
                out.push_str(&format!("      not done because of it: {held}\n"));
            }
        }
        out.push_str("  Look at the platform, then: rehome journal resolve ACTION --as done|retry, rehome resume\n");
    }
    // What is wrong stands with the action that failed by it; what could not be found out, and what harms nothing, stands
    // nowhere else.
    for (severity, title) in [(Severity::Unknown, "Could not be checked"), (Severity::Warning, "Worth a look")] {
        let found: Vec<Finding> = summary.findings.iter().filter(|f| f.severity == severity).cloned().collect();
        if !found.is_empty() {
            out.push('\n');
            out.push_str(&report::findings_text(&[Checked::new(title, found)], &looks));
        }
    }
    out
}

fn guards(summary: &RunSummary, looks: &report::Options) -> String {
    let open = plan::open_guards(summary.guards.iter().map(|(action, guard)| (action, guard)));
    let mut out = String::from("Nothing was changed. The plan needs somebody's word first:\n\n");
    out.push_str(&report::guards_text(&open, looks));
    let acks: Vec<String> =
        open.iter().filter(|g| g.outcome == GuardOutcome::Ack).map(|g| format!("--ack {}", g.code)).collect();
    // Where something is refused, no word helps.
    if acks.len() == open.len() {
        out.push_str(&format!("\nTo go on: rehome apply ... {}\n", acks.join(" ")));
    }
    out
}

/// The sums of every mailbox that was copied, folder by folder, and what failed in it.
fn copies(told: &report::Summary) -> Vec<serde_json::Value> {
    let copy = |(account, total): (&Address, &CopyCounts)| {
        json!({
            "account": account,
            "total": total,
            "balances": total.balances(),
            "folders": told.folders.get(account),
            "failed": told.failed.get(account),
        })
    };
    told.copies.iter().map(copy).collect()
}

fn document(summary: &RunSummary, told: &report::Summary) -> serde_json::Value {
    json!({
        "copies": copies(told),
        "exit": summary.exit.code(),
        "plan": summary.plan,
        "run": summary.run,
        "resumed": summary.resumed,
        "already_applied": summary.already_applied,
        "done": summary.done,
        "adopted": summary.adopted,
        "done_before": summary.done_before,
        "undone": summary.undone,
        "failed": summary.failed.iter().map(|f| json!({
            "action": f.action, "errors": f.errors, "help": f.help, "blocked": f.blocked,
        })).collect::<Vec<_>>(),
        "ambiguous": summary.ambiguous.iter().map(|s| json!({"action": s.action, "reason": s.reason})).collect::<Vec<_>>(),
        "waiting": summary.waiting.iter().map(|s| json!({"action": s.action, "reason": s.reason})).collect::<Vec<_>>(),
        "pending": summary.pending,
        "guards": summary.guards.iter().map(|(a, g)| json!({"action": a, "guard": g})).collect::<Vec<_>>(),
        "findings": summary.findings,
        "fatal": summary.fatal,
    })
}
