//! `rehome status --watch`: follows a run to its end, over its socket, or in the journal when it runs elsewhere.

use std::{path::Path, time::Duration};

use serde_json::Value;

use super::status;
use crate::{
    cli::{
        args::{Format, Global},
        context::Context,
        control::{Line, Live, Request},
        failure::Failure,
        screen::Screen,
    },
    diag::Exit,
    journal::{Journal, Record},
    model::{Event, EventSink as _},
};

/// How often the journal is looked at.
const GLANCE: Duration = Duration::from_secs(1);

/// Follows the run of a workspace until it ends, then says where the workspace stands. What happens goes to stderr;
/// with `--format json` the events themselves go to stdout.
pub(super) async fn run(context: &Context, spec: &Path) -> Result<Exit, Failure> {
    let folder = context.workspace(spec);
    let mut seen = None;
    loop {
        if let Some(live) = Live::find(&folder).await {
            follow(context, live).await?;
            break;
        }
        // No run is live on this host: one may run on another, or somebody may resume the one that died.
        if !look(context, &folder, &mut seen)? {
            break;
        }
        tokio::time::sleep(GLANCE).await;
    }
    if context.global.format == Format::Json { Ok(Exit::Ok) } else { status::run(context, spec).await }
}

async fn follow(context: &Context, mut live: Live) -> Result<(), Failure> {
    let status = live.ask(&Request::Events {}).await?;
    let json = context.global.format == Format::Json;
    if json {
        context.answer(&format!("{status}\n"))?;
    } else if !context.global.quiet {
        anstream::eprintln!("{}", told(&status));
    }
    let screen = Screen::open(&Global { events: None, ..context.global.clone() })?;
    while let Line::Text(text) = live.next().await {
        if json {
            context.answer(&format!("{text}\n"))?;
        } else if let Ok(event) = serde_json::from_str::<Event>(&text) {
            // Kinds of events that this version does not know are passed over.
            screen.emit(event);
        }
    }
    Ok(())
}

/// Where a live run stands, in lines.
pub(super) fn told(status: &Value) -> String {
    let number = |key: &str| status.get(key).and_then(Value::as_u64).unwrap_or(0);
    let run = status.get("run").and_then(Value::as_str).unwrap_or("a run that is about to begin");
    let paused = status.get("paused_by").and_then(Value::as_str);
    let paused = paused.map(|by| format!(", paused by {by}")).unwrap_or_default();
    let mut out = format!(
        "{run} is live: {} of {} actions done, {} failed{paused}",
        number("done"),
        number("actions"),
        number("failed")
    );
    for (gate, reason) in status.get("gates").and_then(Value::as_object).into_iter().flatten() {
        out.push_str(&format!("\nwait  {gate}: {}", reason.as_str().unwrap_or_default()));
    }
    out
}

/// Tells what the journal has that was not told yet. Gives whether there is a run to wait for.
fn look(context: &Context, folder: &Path, seen: &mut Option<i64>) -> Result<bool, Failure> {
    let Some(journal) = Journal::open_read_only(folder)? else { return Ok(false) };
    let Some(run) = journal.latest_run()? else { return Ok(false) };
    if run.ended.is_some() && seen.is_none() {
        return Ok(false);
    }
    let entries = journal.entries(&run.id)?;
    let before = *seen;
    *seen = Some(entries.last().map_or(0, |entry| entry.seq));
    if before.is_none() && !context.global.quiet {
        anstream::eprintln!("{} of {} is not live on this host; following the journal", run.id, run.actor);
    }
    for entry in entries.iter().filter(|entry| before.is_some_and(|last| entry.seq > last)) {
        if context.global.quiet || matches!(entry.record, Record::Intent {} | Record::Undo { .. }) {
            continue;
        }
        anstream::eprintln!("{}  {}", entry.record.kind(), entry.action);
    }
    Ok(run.ended.is_none())
}
