//! One file per command.

mod apply;
mod approve;
mod copy;
mod cutover;
mod dedup;
mod demo;
mod diff;
mod dns;
mod doctor;
mod drift;
mod explain;
mod failed;
mod fmt;
mod import;
mod init;
mod journal;
mod plan;
mod platforms;
mod protect;
mod report;
mod sandbox;
mod sandbox_spec;
mod shell;
mod status;
mod steer;
mod validate;
mod verify;
mod watch;

use super::{args::Command, context::Context, failure::Failure};
use crate::diag::Exit;

/// Runs one command.
pub(super) async fn run(context: Context, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Init { file } => init::run(&context, &file),
        Command::Validate { spec } => validate::run(&context, &spec.spec),
        Command::Fmt { spec, check, diff } => fmt::run(&context, &spec.spec, check, diff),
        Command::Import(args) => import::run(&context, &args).await,
        Command::Plan(args) => plan::run(&context, &args).await,
        Command::Show { plan, graph, max_bytes } => plan::show(&context, &plan, graph, max_bytes),
        Command::Diff { old, new, detailed_exitcode } => diff::run(&context, &old, &new, detailed_exitcode),
        Command::Drift { spec, detailed_exitcode, no_dns } => {
            drift::run(&context, &spec.spec, detailed_exitcode, no_dns).await
        }
        Command::Protect { accounts, release, spec } => protect::run(&context, &spec, &accounts, release),
        Command::Apply { input, spec, auto_approve, replan_if_equivalent, apply, look } => {
            let consent = apply::Consent { auto_approve, replan_if_equivalent };
            apply::run(&context, &input, spec.as_deref(), consent, &apply, &look).await
        }
        Command::Resume { spec, apply } => apply::resume(&context, &spec.spec, &apply).await,
        Command::Approve { what, spec } => approve::run(&context, &spec, &what),
        Command::Status { spec, watch: true } => watch::run(&context, &spec.spec).await,
        Command::Status { spec, watch: false } => status::run(&context, &spec.spec).await,
        Command::Pause { spec } => steer::pause(&context, &spec.spec).await,
        Command::Limits(args) => steer::limits(&context, &args).await,
        Command::Cutover { command } => cutover::run(&context, command),
        Command::Verify { words, what, account } => {
            let (path, what) = verify::asked(&context, &words, what)?;
            verify::run(&context, &path, what, &account).await
        }
        Command::Dns { command } => dns::run(&context, command).await,
        Command::Explain { code } => explain::run(&context, code.as_deref()),
        Command::Report(args) => report::run(&context, args).await,
        Command::Journal { command } => journal::run(&context, command),
        Command::Failed { command } => failed::run(&context, command).await,
        Command::Copy(args) => copy::run(context, args).await,
        Command::Dedup(args) => dedup::run(&context, &args).await,
        Command::Sandbox(args) => sandbox::run(&context, args).await,
        Command::Demo { keep, seed } => demo::run(&context, keep, seed).await,
        Command::Platforms => platforms::run(&context),
        Command::Doctor { spec } => doctor::run(&context, &spec.spec).await,
        Command::Schema { of } => shell::schema(&context, of),
        Command::Completions { shell } => shell::completions(&context, shell),
        Command::Man { folder } => shell::man(&context, folder.as_deref()),
    }
}
