//! `rehome drift`: what is there and differs from the spec. Sends nothing that could change anything.

use std::{collections::BTreeSet, path::Path};

use serde_json::json;

use super::plan;
use crate::{
    cli::{
        args::{Format, LookArgs},
        context::Context,
        failure::Failure,
        runner,
    },
    diag::Exit,
    journal::{Journal, Standing},
    model::{Action, ActionId, NoteKind, RunId, Work},
    report::{self, Drift},
    spec::Spec,
};

/// Compares what is there with the spec and with what was applied. Mail is compared by `verify`.
pub(super) async fn run(context: &Context, path: &Path, detailed: bool, no_dns: bool) -> Result<Exit, Failure> {
    let spec = context.load(path)?;
    let readers = context.readers(&spec)?;
    let look = LookArgs { no_logins: true, no_dns };
    let inventory = context.observe(&spec, &readers, &look).await?;
    let wanted = plan::make(path, &spec, &inventory, &plan::state(context, path)?);
    let applied = applied(context, path, &spec)?;
    let settings = |a: &Action| matches!(a.work, Work::Platform { .. });
    let (changed, pending): (Vec<Action>, Vec<Action>) =
        wanted.body.actions.into_iter().filter(settings).partition(|a| applied.all || applied.done.contains(&a.id));
    // What keeps mail from being copied is a plan's business.
    let about_mail = ["mailbox-unreachable", runner::LOGIN_REFUSED];
    let open = wanted.body.notes.into_iter().filter(|n| matches!(n.kind, NoteKind::Blocked | NoteKind::Ambiguous));
    let open = open.filter(|n| !about_mail.contains(&n.code.as_str())).collect();
    let drift = Drift { last_run: applied.last, changed, pending, open };
    let dns = plan::wrong_names(&spec, &inventory);
    let text = match context.global.format {
        Format::Json => {
            let document = json!({ "drift": drift, "dns": report::findings_json(&dns) });
            format!("{}\n", serde_json::to_string_pretty(&document).unwrap_or_default())
        }
        Format::Markdown => report::drift_markdown(&drift, &dns),
        Format::Human | Format::Html => report::drift_text(&drift, &dns, &context.looks()),
    };
    context.answer(&text)?;
    Ok(if detailed && !(drift.is_empty() && dns.is_empty()) { Exit::Changes } else { Exit::Ok })
}

/// What earlier runs have done.
#[derive(Default)]
struct Applied {
    last: Option<RunId>,
    /// Whether this very spec was applied as a whole.
    all: bool,
    done: BTreeSet<ActionId>,
}

fn applied(context: &Context, path: &Path, spec: &Spec) -> Result<Applied, Failure> {
    let mut out = Applied::default();
    let Some(journal) = Journal::open_read_only(&context.workspace(path))? else { return Ok(out) };
    for run in journal.runs()? {
        let progress = journal.progress(&run.id)?;
        let done: BTreeSet<ActionId> =
            progress.into_iter().filter(|(_, p)| p.standing == Standing::Done).map(|(id, _)| id).collect();
        if done.is_empty() {
            continue;
        }
        let plan = runner::saved_plan(&journal, &run.id)?;
        if plan.body.rollback_of.is_some() {
            // What was taken back is wanted again, and not lost.
            out.done.clear();
        } else {
            out.done.extend(done);
        }
        let whole = plan.body.part.is_whole() && plan.body.rollback_of.is_none();
        out.all = whole && run.exit == Some(0) && plan.body.spec_digest == spec.digest;
        out.last = Some(run.id);
    }
    Ok(out)
}
