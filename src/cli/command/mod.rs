//! One file per command.

mod apply;
mod copy;
mod demo;
mod doctor;
pub(super) mod failed;
mod init;
mod journal;
mod plan;
mod platforms;
mod sandbox;
mod sandbox_spec;
mod shell;
mod status;
mod validate;
mod verify;

use super::{args::Command, context::Context, failure::Failure};
use crate::diag::Exit;

/// Runs one command.
pub(super) async fn run(context: Context, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Init { file } => init::run(&context, &file),
        Command::Validate { spec } => validate::run(&context, &spec.spec),
        Command::Plan { spec, out, detailed_exitcode, look } => {
            plan::run(&context, &spec.spec, out.as_deref(), detailed_exitcode, &look).await
        }
        Command::Show { plan } => plan::show(&context, &plan),
        Command::Apply { input, spec, auto_approve, apply, look } => {
            apply::run(&context, &input, spec.as_deref(), auto_approve, &apply, &look).await
        }
        Command::Resume { spec, apply } => apply::resume(&context, &spec.spec, &apply).await,
        Command::Status { spec } => status::run(&context, &spec.spec),
        Command::Verify { spec, what, account } => verify::run(&context, &spec.spec, what, &account).await,
        Command::Journal { command } => journal::run(&context, command),
        Command::Failed { command } => failed::run(&context, command).await,
        Command::Copy(args) => copy::run(&context, args).await,
        Command::Sandbox(args) => sandbox::run(&context, args).await,
        Command::Demo { keep, seed } => demo::run(&context, keep, seed).await,
        Command::Platforms => platforms::run(&context),
        Command::Doctor { spec } => doctor::run(&context, &spec.spec).await,
        Command::Schema => shell::schema(&context),
        Command::Completions { shell } => shell::completions(&context, shell),
    }
}
