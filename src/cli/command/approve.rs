//! `rehome approve`: somebody's word that actions may begin which wait for it.

use std::path::Path;

use crate::{
    cli::{context::Context, failure::Failure, runner},
    diag::Exit,
    journal::{Journal, Run},
    model::ApprovalGate,
};

/// Approves one gate, or all gates of a run. A run that waits notices it by itself.
pub(super) fn run(context: &Context, spec: &Path, what: &str) -> Result<Exit, Failure> {
    let folder = context.workspace(spec);
    let nothing = || {
        Failure::new(Exit::Invalid, format!("no run in {} waits for anything", folder.display()))
            .help("a run is approved once it has begun; `rehome status` tells what it waits for")
    };
    // Looked at first, so that nothing is made where nothing is.
    let latest = Journal::open_read_only(&folder)?.ok_or_else(nothing)?.latest_run()?;
    let run = latest.filter(|run| run.exit != Some(0)).ok_or_else(nothing)?;
    let journal = Journal::open(&folder)?;
    let known = runner::saved_plan(&journal, &run.id)?.body.gates.approval;
    let chosen: Vec<ApprovalGate> =
        known.iter().copied().filter(|gate| gate.word() == what || run.id.as_str() == what).collect();
    if chosen.is_empty() {
        return Err(unknown(&run, known.into_iter().map(ApprovalGate::word).collect(), what));
    }
    let by = context.actor();
    let mut out = String::new();
    for gate in chosen {
        let fresh = journal.approve(&run.id, gate.word(), &by)?;
        let how = if fresh { format!("approved by {by}") } else { "was approved before".to_owned() };
        out.push_str(&format!("{gate} of {}: {how}\n", run.id));
    }
    if run.ended.is_some() {
        out.push_str("`rehome resume` goes on.\n");
    }
    context.answer(&out)?;
    Ok(Exit::Ok)
}

fn unknown(run: &Run, known: Vec<&str>, what: &str) -> Failure {
    let failure = Failure::new(Exit::Invalid, format!("nothing of {} waits for `{what}`", run.id));
    failure.help(match known.as_slice() {
        [] => "the spec of its plan asks for no approval".to_owned(),
        gates => format!("say one of {}, or {} for all of them", gates.join(", "), run.id),
    })
}
