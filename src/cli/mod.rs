//! F5: the composition root: arguments, context, one file per command, exit codes, progress.

mod acks;
mod args;
mod command;
mod context;
mod control;
mod cutover;
mod dane;
mod ending;
mod endpoint;
mod env;
mod failure;
mod filter;
mod gates;
mod hooks;
mod interrupt;
mod mail;
mod names;
mod post;
mod runner;
mod saved;
mod screen;
mod zones;

use std::{ffi::OsString, process::ExitCode};

use clap::Parser as _;

use self::{
    args::{Args, Color},
    context::Context,
    env::Env,
    failure::Failure,
};
use crate::diag::Exit;

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    ExitCode::from(run(std::env::args_os()).code())
}

/// Runs a command line and gives its exit code.
pub fn run(words: impl IntoIterator<Item = OsString>) -> Exit {
    let args = match Args::try_parse_from(words) {
        Ok(args) => args,
        Err(error) => {
            // clap answers help and version this way too, and exits 2 on mistakes: 2 means something else here.
            let asked = !error.use_stderr();
            let _ = error.print();
            return if asked { Exit::Ok } else { Exit::Invalid };
        }
    };
    let color = match args.global.color {
        Color::Auto => anstream::ColorChoice::Auto,
        Color::Always => anstream::ColorChoice::Always,
        Color::Never => anstream::ColorChoice::Never,
    };
    color.write_global();
    log_to_stderr(args.global.verbose);
    // An error means that a provider is installed already, by an embedder or an earlier call.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return say(&Failure::caused(Exit::Failed, "cannot start", &error), 100),
    };
    let context = Context::new(args.global, Env::default());
    let width = context.width;
    let ended = runtime.block_on(command::run(context, args.command));
    // Tasks that still hold a socket must not keep the process.
    runtime.shutdown_background();
    ended.unwrap_or_else(|failure| say(&failure, width))
}

/// Tells a failure on stderr and gives its exit code.
fn say(failure: &Failure, width: usize) -> Exit {
    if !failure.diagnostics.0.is_empty() {
        anstream::eprint!("{}", failure.diagnostics.render(true, width));
        let errors = failure.diagnostics.errors();
        let s = if errors == 1 { "" } else { "s" };
        anstream::eprintln!("{errors} error{s}");
    }
    let bold = anstyle::Style::new().bold().fg_color(Some(anstyle::AnsiColor::Red.into()));
    let mut lines = failure.errors.iter();
    if let Some(first) = lines.next() {
        anstream::eprintln!("{bold}error:{bold:#} {first}");
    }
    for line in lines {
        anstream::eprintln!("  {line}");
    }
    if let Some(help) = &failure.help {
        anstream::eprintln!("help: {help}");
    }
    failure.exit
}

fn log_to_stderr(verbose: u8) {
    use tracing_subscriber::{EnvFilter, fmt};
    let level = match verbose {
        // What is wrong with a certificate is said by whoever wanted the connection.
        0 => "warn,rustls_platform_verifier=off",
        1 => "rehome=info,warn,rustls_platform_verifier=off",
        _ => "rehome=debug,info",
    };
    let filter = EnvFilter::try_from_env("REHOME_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    // An error means that a subscriber is installed already.
    let _ = fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).try_init();
}
