//! `rehome cutover`: where the move of an MX stands, and a person's word about it.

use std::path::Path;

use serde::Serialize;

use crate::{
    cli::{
        args::{CutoverCommand, Format},
        context::Context,
        failure::Failure,
        runner,
    },
    diag::Exit,
    journal::{CutoverWord, Journal, ProbeSent, Said, Standing},
    model::{Action, CutoverStep, Domain, RecordType, RunId, Work},
    plan::Plan,
};

/// Where one step of a move stands.
#[derive(Serialize)]
struct Step {
    action: String,
    done: bool,
    /// Since when everything is seen at every server, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    seen_since: Option<String>,
    /// When the wait ends at the earliest, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_before: Option<String>,
    /// The test message, once one may have been sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message>,
}

/// Where a test message stands.
#[derive(Serialize)]
struct Message {
    /// When it was begun, RFC 3339.
    sent: String,
    /// The server that it was handed to.
    host: String,
    /// The words with which the server took it.
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted: Option<String>,
    /// When the move is taken back if it has not arrived, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
}

/// RFC 3339, as far as it matters to people.
fn second(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

impl Message {
    fn of(sent: ProbeSent, confirm: u32) -> Self {
        let until = sent.at.checked_add(jiff::SignedDuration::from_secs(i64::from(confirm))).ok();
        Self { sent: second(sent.at), host: sent.host, accepted: sent.accepted, until: until.map(second) }
    }
}

/// Where one move stands.
#[derive(Serialize)]
struct Move {
    domain: Domain,
    run: RunId,
    needs_approval: bool,
    said: Option<Said>,
    steps: Vec<Step>,
}

pub(super) fn run(context: &Context, command: CutoverCommand) -> Result<Exit, Failure> {
    match command {
        CutoverCommand::Status { spec } => status(context, &spec),
        CutoverCommand::Approve { domain, spec } => say(context, &spec, &domain, CutoverWord::Approve),
        CutoverCommand::Hold { domain, spec } => say(context, &spec, &domain, CutoverWord::Hold),
        CutoverCommand::Cancel { domain, spec } => say(context, &spec, &domain, CutoverWord::Cancel),
    }
}

/// The latest run and its plan: earlier ones were overtaken.
fn latest(context: &Context, spec: &Path) -> Result<(Journal, RunId, Plan), Failure> {
    let nothing = || {
        Failure::new(Exit::Invalid, "no move of an MX has begun here")
            .help("`rehome apply` of a spec with strategy parallel and `dns.manage` begins one")
    };
    let journal = Journal::open_read_only(&context.workspace(spec))?.ok_or_else(nothing)?;
    let run = journal.latest_run()?.ok_or_else(nothing)?;
    let plan = runner::saved_plan(&journal, &run.id)?;
    Ok((journal, run.id, plan))
}

/// The steps of a domain's move in a plan.
fn steps<'p>(plan: &'p Plan, domain: &Domain) -> Vec<&'p Action> {
    let is = |a: &&Action| match &a.work {
        Work::Cutover(work) => work.switch.domain == *domain,
        Work::Zone(change) => change.domain == *domain && change.rtype == RecordType::Mx,
        _ => false,
    };
    plan.body.actions.iter().filter(is).collect()
}

fn domains(plan: &Plan) -> Vec<(&Domain, bool)> {
    let waits = plan.body.actions.iter().filter_map(|a| match &a.work {
        Work::Cutover(work) if work.step == CutoverStep::Drain => Some((&work.switch.domain, work.approve)),
        _ => None,
    });
    waits.collect()
}

fn status(context: &Context, spec: &Path) -> Result<Exit, Failure> {
    let (journal, run, plan) = latest(context, spec)?;
    let progress = journal.progress(&run)?;
    let mut moves = Vec::new();
    for (domain, needs_approval) in domains(&plan) {
        let mut told = Vec::new();
        for action in steps(&plan, domain) {
            let seen = journal.seen(&run, &action.id)?;
            let wait = match &action.work {
                Work::Cutover(work) if work.step != CutoverStep::Probe => Some(i64::from(work.wait)),
                _ => None,
            };
            let message = match &action.work {
                Work::Cutover(work) if work.step == CutoverStep::Probe => journal.probe_sent(&run, &action.id)?,
                _ => None,
            };
            let confirm = match &action.work {
                Work::Cutover(work) => work.probe.as_ref().map_or(0, |p| p.confirm),
                _ => 0,
            };
            let end = seen.zip(wait).and_then(|(t, w)| t.checked_add(jiff::SignedDuration::from_secs(w)).ok());
            told.push(Step {
                action: action.id.to_string(),
                done: progress.get(&action.id).is_some_and(|p| p.standing == Standing::Done),
                seen_since: seen.map(second),
                not_before: end.map(second),
                message: message.map(|sent| Message::of(sent, confirm)),
            });
        }
        let said = journal.said(&run, domain)?;
        moves.push(Move { domain: domain.clone(), run: run.clone(), needs_approval, said, steps: told });
    }
    context.answer(&match context.global.format {
        Format::Json => format!("{}\n", serde_json::to_string_pretty(&moves).unwrap_or_default()),
        _ => text(&moves),
    })?;
    let open = moves.iter().flat_map(|m| &m.steps).any(|s| !s.done);
    Ok(if open { Exit::Waiting } else { Exit::Ok })
}

fn text(moves: &[Move]) -> String {
    if moves.is_empty() {
        return "The latest run moves no MX.\n".to_owned();
    }
    let mut out = String::new();
    for one in moves {
        let word = match one.said.as_ref().map(|s| (s.word, &s.by)) {
            Some((CutoverWord::Approve, by)) => format!("approved by {by}"),
            Some((CutoverWord::Hold, by)) => format!("held by {by}"),
            Some((CutoverWord::Cancel, by)) => format!("cancelled by {by}"),
            None if one.needs_approval => format!("waits for `rehome cutover approve {}`", one.domain),
            None => "needs nobody's word".to_owned(),
        };
        out.push_str(&format!("{} in {}: {word}\n", one.domain.unicode(), one.run));
        for step in &one.steps {
            let mark = if step.done { "done" } else { "open" };
            out.push_str(&format!("  {mark}  {}", step.action));
            if let Some(end) = step.not_before.as_ref().filter(|_| !step.done) {
                out.push_str(&format!("  not before {end}"));
            }
            if let Some(message) = &step.message {
                out.push_str(&format!("  sent {} to {}", message.sent, message.host));
                match (&message.accepted, &message.until) {
                    _ if step.done => out.push_str(", arrived"),
                    (Some(_), Some(until)) => out.push_str(&format!(", taken; the MX moves back at {until}")),
                    _ => out.push_str(", not known whether it was taken"),
                }
            }
            out.push('\n');
        }
    }
    out
}

fn say(context: &Context, spec: &Path, domain: &str, word: CutoverWord) -> Result<Exit, Failure> {
    let domain = Domain::parse(domain).map_err(|e| Failure::new(Exit::Invalid, e.to_string()))?;
    let (journal, run, plan) = latest(context, spec)?;
    if !domains(&plan).iter().any(|(d, _)| **d == domain) {
        return Err(Failure::new(
            Exit::Invalid,
            format!("the latest run does not move the MX of {}", domain.unicode()),
        )
        .help("`rehome cutover status` shows the moves"));
    }
    let progress = journal.progress(&run)?;
    let moved = steps(&plan, &domain).into_iter().any(|a| {
        let switch = matches!(&a.work, Work::Zone(change) if change.kind() != "dns.ttl");
        switch && progress.get(&a.id).is_some_and(|p| p.standing == Standing::Done)
    });
    if moved && word != CutoverWord::Approve {
        return Err(Failure::new(Exit::Failed, format!("the MX of {} has moved already", domain.unicode()))
            .help(format!("`rehome plan --rollback {run}` takes it back")));
    }
    drop(journal);
    let journal = Journal::open(&context.workspace(spec))?;
    journal.say(&run, &domain, &Said { word, by: context.actor(), at: jiff::Timestamp::now() })?;
    let said = match word {
        CutoverWord::Approve => "may move as soon as it is safe",
        CutoverWord::Hold => "waits until it is approved",
        CutoverWord::Cancel => "does not move in this run",
    };
    context.answer(&format!("The MX of {} {said}. `rehome resume` goes on.\n", domain.unicode()))?;
    Ok(Exit::Ok)
}
