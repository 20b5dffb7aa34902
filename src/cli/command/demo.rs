//! `rehome demo`: the whole way on a sandbox in this process, with the very output of a real run.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::{apply, plan, sandbox, validate, verify};
use crate::{
    cli::{
        args::{ApplyArgs, Global, LookArgs, MARKDOWN_LIMIT, PlanArgs, SpecArg, VerifyWhat},
        context::Context,
        env::Env,
        failure::Failure,
        interrupt::Interrupt,
    },
    diag::Exit,
    model::RecordType,
    sandbox::{ImapBackend, Options, Sandbox, World},
};

/// The spec of the demo, as it stands in the repository.
const SPEC: &str = include_str!("../../../specs/demo.yaml");

/// Messages in each mailbox.
const MESSAGES: usize = 300;

/// Runs the demo; with `keep` the sandbox stays until it is interrupted.
pub(super) async fn run(outer: &Context, keep: bool, seed: u64) -> Result<Exit, Failure> {
    let started = Instant::now();
    let interrupt = Interrupt::listen_quietly();
    let options = Options {
        seed,
        world: World::Demo { messages: MESSAGES },
        imap: ImapBackend::Memory,
        api_port: 0,
        task_delay: Duration::from_millis(20),
    };
    let sandbox = Sandbox::start(options).await.map_err(sandbox::cannot_start)?;
    let folder = folder()?;
    let spec = folder.join("rehome.yaml");
    fs::write(&spec, SPEC)
        .map_err(|e| Failure::caused(Exit::Failed, format!("cannot write {}", spec.display()), &e))?;
    let ready = sandbox.ready();
    let variables = sandbox::variables(&ready);
    super::sandbox_spec::write_variables(&folder, &variables)?;
    let global = Global { workspace: None, ..outer.global.clone() };
    let context = Context::new(global, Env::with(variables));
    let people = ready.accounts.iter().filter(|a| a.address.domain().as_str() == "blue.example").count();
    say(
        &context,
        &format!(
            "A sandbox runs in this process: OVHcloud's API at {}, IMAP and DNS beside it.\nIn it live {people} people on \
             Exchange with {MESSAGES} messages each. They move to Email Pro.\n",
            ready.api
        ),
    )?;
    let exit = walk(&context, &spec, &sandbox).await?;
    if exit != Exit::Ok {
        say(&context, &format!("\nThe demo did not end well. Everything it left is in {}\n", folder.display()))?;
        sandbox.stop();
        return Ok(exit);
    }
    say(&context, &ending(&folder, started.elapsed(), keep))?;
    if keep {
        interrupt.gentle.cancelled().await;
    }
    sandbox.stop();
    Ok(exit)
}

/// Every step of a move. Each ends as it would in a shell; the first that does not end well ends the demo.
async fn walk(context: &Context, spec: &Path, sandbox: &Sandbox) -> Result<Exit, Failure> {
    let look = LookArgs::default();
    let path = spec.display();
    let saved = spec.with_file_name("plan.json");
    heading(context, &format!("rehome validate {path}"))?;
    validate::run(context, spec)?;
    heading(context, &format!("rehome plan {path} --out {}", saved.display()))?;
    plan::run(context, &PlanArgs { out: Some(saved.clone()), ..planned(spec) }).await?;
    publish(context, sandbox)?;
    heading(context, &format!("rehome apply {}", saved.display()))?;
    let exit = apply::run(
        context,
        &saved,
        None,
        apply::Consent::default(),
        &ApplyArgs { parallel: 4, ..ApplyArgs::default() },
        &look,
    )
    .await?;
    if exit != Exit::Ok {
        return Ok(exit);
    }
    heading(context, &format!("rehome verify {path}"))?;
    let exit = verify::run(context, spec, VerifyWhat::All, &[]).await?;
    if exit != Exit::Ok {
        return Ok(exit);
    }
    heading(context, &format!("rehome plan {path} --detailed-exitcode"))?;
    plan::run(context, &PlanArgs { detailed_exitcode: true, ..planned(spec) }).await
}

fn planned(spec: &Path) -> PlanArgs {
    PlanArgs { spec: SpecArg { spec: spec.to_owned() }, max_bytes: MARKDOWN_LIMIT, ..PlanArgs::default() }
}

/// Plays the administrator of the zone, who publishes the one record that differs on the new platform.
fn publish(context: &Context, sandbox: &Sandbox) -> Result<(), Failure> {
    let (name, value) = ("_autodiscover._tcp.blue.example", "0 0 443 pro1.mail.ovh.net");
    sandbox
        .zones()
        .set(name, RecordType::Srv, &[value], 300)
        .map_err(|e| Failure::caused(Exit::Failed, "cannot change the sandbox's zone", &e))?;
    say(
        context,
        &format!(
            "\n(Email Pro wants another autodiscover record than Exchange did. The demo plays the administrator of the \
             zone\nand publishes it: {name} SRV {value})\n"
        ),
    )
}

/// A fresh folder below the system's temporary folder. It is left for the user to look at.
fn folder() -> Result<PathBuf, Failure> {
    tempfile::Builder::new()
        .prefix("rehome-demo-")
        .tempdir()
        .map(tempfile::TempDir::keep)
        .map_err(|e| Failure::caused(Exit::Failed, "cannot make a folder for the demo", &e))
}

fn heading(context: &Context, command: &str) -> Result<(), Failure> {
    let bold = anstyle::Style::new().bold();
    let line = if context.color { format!("\n{bold}$ {command}{bold:#}\n\n") } else { format!("\n$ {command}\n\n") };
    context.answer(&line)
}

fn say(context: &Context, text: &str) -> Result<(), Failure> {
    context.answer(text)
}

fn ending(folder: &Path, took: Duration, keep: bool) -> String {
    let folder = folder.display();
    let next = if keep {
        format!(
            "The sandbox keeps running until Ctrl-C. In another shell:\n\n  set -a; . {folder}/sandbox.env; set +a\n  \
             rehome status {folder}/rehome.yaml\n  rehome journal show --spec {folder}/rehome.yaml\n"
        )
    } else {
        format!(
            "Next:\n\n  rehome journal show --spec {folder}/rehome.yaml\n      what was done, in which order\n  rehome \
             demo --keep\n      the same, and the sandbox stays for you to try commands on\n  rehome init\n      a spec \
             of your own to start from\n"
        )
    };
    format!(
        "\nDone in {:.1} s. Moved, verified, and the second plan is empty.\nThe spec, the saved plan, the journal and the \
         new passwords are in {folder}\n\n{next}",
        took.as_secs_f64()
    )
}
