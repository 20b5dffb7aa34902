//! `rehome journal log|show|resolve`: the record of every intent and outcome.

use std::{path::Path, time::Duration};

use serde_json::json;

use crate::{
    cli::{
        args::{Format, JournalCommand, Resolution as Wanted},
        context::Context,
        failure::Failure,
    },
    diag::{Exit, moment},
    journal::{Entry, Journal, Record, Resolution, Run},
    model::{ActionId, RunId},
};

/// Runs one of the journal's commands.
pub(super) fn run(context: &Context, command: JournalCommand) -> Result<Exit, Failure> {
    match command {
        JournalCommand::Log { spec, named } => log(context, named.as_ref().unwrap_or(&spec.spec)),
        JournalCommand::Show { run, spec } => show(context, &spec, run),
        JournalCommand::Resolve { action, outcome, spec } => resolve(context, &spec, action, outcome),
    }
}

/// Opens the journal of a spec for reading.
pub(super) fn open(context: &Context, spec: &Path) -> Result<Journal, Failure> {
    let folder = context.workspace(spec);
    Journal::open_read_only(&folder)?.ok_or_else(|| {
        Failure::new(Exit::Failed, format!("there is no journal in {}", folder.display()))
            .help("nothing was applied from here yet; `--workspace DIR` names another folder")
    })
}

fn log(context: &Context, spec: &Path) -> Result<Exit, Failure> {
    let runs = open(context, spec)?.runs()?;
    if context.global.format == Format::Json {
        let rows: Vec<_> = runs.iter().map(run_json).collect();
        context.answer(&format!("{}\n", serde_json::to_string_pretty(&rows).unwrap_or_default()))?;
        return Ok(Exit::Ok);
    }
    let mut out = String::new();
    for run in &runs {
        let end = match (run.ended, run.exit) {
            (Some(at), Some(code)) => format!("ended {} with {code} ({})", moment(at), meaning(code)),
            _ => "has not ended: `rehome resume` goes on".to_owned(),
        };
        out.push_str(&format!(
            "{}  plan {}  began {} by {} on {}; {end}\n",
            run.id,
            run.plan.short(),
            moment(run.started),
            run.actor,
            run.host
        ));
    }
    context.answer(&out)?;
    Ok(Exit::Ok)
}

fn run_json(run: &Run) -> serde_json::Value {
    json!({
        "run": run.id, "plan": run.plan, "started": run.started, "ended": run.ended, "exit": run.exit,
        "actor": run.actor, "host": run.host, "pid": run.pid, "acks": run.acks,
    })
}

fn show(context: &Context, spec: &Path, run: Option<String>) -> Result<Exit, Failure> {
    let journal = open(context, spec)?;
    let id = match run {
        Some(text) => RunId(text),
        None => match journal.runs()?.pop() {
            Some(last) => last.id,
            None => return Err(Failure::new(Exit::Failed, "the journal has no runs yet")),
        },
    };
    if !journal.runs()?.iter().any(|r| r.id == id) {
        return Err(
            Failure::new(Exit::Invalid, format!("there is no run {id}")).help("`rehome journal log` lists them")
        );
    }
    let entries = journal.entries(&id)?;
    if context.global.format == Format::Json {
        let rows: Vec<_> = entries
            .iter()
            .map(|e| {
                json!({"seq": e.seq, "run": e.run, "action": e.action, "attempt": e.attempt, "at": e.at, "record": e.record})
            })
            .collect();
        context.answer(&format!("{}\n", serde_json::to_string_pretty(&rows).unwrap_or_default()))?;
    } else {
        let out: String = entries.iter().map(entry_line).collect();
        context.answer(&out)?;
    }
    Ok(Exit::Ok)
}

fn entry_line(entry: &Entry) -> String {
    let said = match &entry.record {
        Record::Done { detail: Some(text) } => format!(": {text}"),
        Record::Failed { errors, .. } => format!(": {}", errors.join(": ")),
        Record::Undo { reason } | Record::Ambiguous { reason } => format!(": {reason}"),
        Record::Resolved { decision, by } => format!(
            ": {} by {by}",
            match decision {
                Resolution::Done => "done",
                Resolution::Retry => "retry",
            }
        ),
        _ => String::new(),
    };
    format!("{}  {:<9} {}{said}\n", moment(entry.at), entry.record.kind(), entry.action)
}

fn resolve(context: &Context, spec: &Path, action: String, outcome: Wanted) -> Result<Exit, Failure> {
    open(context, spec)?;
    let journal = Journal::open(&context.workspace(spec))?;
    let lease = journal.acquire_lease(&context.actor(), Duration::from_secs(30))?;
    let (decision, word) = match outcome {
        Wanted::Done => (Resolution::Done, "done"),
        Wanted::Retry => (Resolution::Retry, "to be tried again"),
    };
    let action = ActionId::from(action);
    let run = journal.resolve(&lease, &action, decision)?;
    lease.release()?;
    context.answer(&format!("{action} of {run} is recorded as {word}. Go on with `rehome resume`.\n"))?;
    Ok(Exit::Ok)
}

/// The meaning of a recorded exit code.
fn meaning(code: u8) -> &'static str {
    Exit::ALL.into_iter().find(|e| e.code() == code).map_or("failed", Exit::meaning)
}
