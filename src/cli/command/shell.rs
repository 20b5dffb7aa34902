//! `rehome completions` and `rehome schema`: what shells and editors want.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::{
    cli::{args::Args, context::Context, failure::Failure},
    diag::Exit,
    spec,
};

/// Prints the completions of a shell.
pub(super) fn completions(context: &Context, shell: Shell) -> Result<Exit, Failure> {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "rehome", &mut out);
    context.answer(&String::from_utf8_lossy(&out))?;
    Ok(Exit::Ok)
}

/// Prints the JSON Schema of the spec.
pub(super) fn schema(context: &Context) -> Result<Exit, Failure> {
    let text = serde_json::to_string_pretty(&spec::schema::document()).unwrap_or_default();
    context.answer(&format!("{text}\n"))?;
    Ok(Exit::Ok)
}
