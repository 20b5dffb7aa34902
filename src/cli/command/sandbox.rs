//! `rehome sandbox`: a mail world on this machine to rehearse in.

use std::{collections::BTreeMap, fs, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path, time::Duration};

use super::sandbox_spec;
use crate::{
    cli::{
        args::{Format, SandboxArgs, SandboxImap, SandboxWorld},
        context::Context,
        failure::Failure,
        interrupt::Interrupt,
    },
    diag::Exit,
    sandbox::{ImapBackend, Options, Ready, Sandbox, World},
};

/// Messages in each mailbox, unless a number is asked for.
const MESSAGES: usize = 60;

/// Runs a sandbox until it is interrupted.
pub(super) async fn run(context: &Context, args: SandboxArgs) -> Result<Exit, Failure> {
    let interrupt = Interrupt::listen_quietly();
    let each = |people: usize| args.messages.map_or(MESSAGES, |all| all.div_ceil(people.max(1)));
    let options = Options {
        seed: args.seed,
        world: match args.world {
            SandboxWorld::Demo => World::Demo { messages: each(9) },
            SandboxWorld::Fleet => World::Fleet { people: args.people, messages: each(args.people) },
        },
        imap: match args.imap {
            SandboxImap::Memory => ImapBackend::Memory,
            SandboxImap::Dovecot => ImapBackend::Dovecot,
        },
        api_port: args.port,
        task_delay: Duration::from_millis(args.task_delay),
    };
    let sandbox = Sandbox::start(options).await.map_err(cannot_start)?;
    let ready = sandbox.ready();
    if let Some(folder) = &args.write {
        sandbox_spec::write(folder, &ready, &variables(&ready))?;
    }
    context.answer(&told(context, &ready, args.write.as_deref()))?;
    if let Some(path) = &args.ready_file {
        write_ready(path, &ready)?;
    }
    interrupt.gentle.cancelled().await;
    sandbox.stop();
    Ok(Exit::Ok)
}

/// Why a sandbox did not start, and what to do.
pub(super) fn cannot_start(error: std::io::Error) -> Failure {
    Failure::caused(Exit::Failed, "the sandbox cannot start", &error)
}

/// The variables under which rehome finds its way in a sandbox.
pub(super) fn variables(ready: &Ready) -> BTreeMap<String, String> {
    ready.variables()
}

/// The document appears under its name only when it is whole.
fn write_ready(path: &Path, ready: &Ready) -> Result<(), Failure> {
    let failed = |e: &std::io::Error| Failure::caused(Exit::Failed, format!("cannot write {}", path.display()), e);
    let text = serde_json::to_string_pretty(ready)
        .map_err(|e| Failure::caused(Exit::Failed, "cannot describe the sandbox", &e))?;
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let mut file = fs::File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&partial)
        .map_err(|e| failed(&e))?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|e| failed(&e))?;
    fs::rename(&partial, path).map_err(|e| failed(&e))
}

fn told(context: &Context, ready: &Ready, folder: Option<&Path>) -> String {
    if context.global.format == Format::Json {
        return format!("{}\n", serde_json::to_string(ready).unwrap_or_default());
    }
    let mut out = format!("The sandbox runs. API {}, DNS {}.\n\n", ready.api, ready.dns);
    for (service, imap) in &ready.imap {
        let people = ready.accounts.iter().filter(|a| a.service == *service).count();
        out.push_str(&format!("  {service:<38} IMAP {}:{}  {people} accounts\n", imap.host, imap.port));
    }
    match folder {
        Some(folder) => {
            let folder = folder.display();
            out.push_str(&format!(
                "\nIn another shell:\n\n  set -a; . {folder}/sandbox.env; set +a\n  rehome plan {folder}\n"
            ));
        }
        None => {
            out.push_str("\n`rehome sandbox --write DIR` also writes a spec for it, `--ready-file F` every detail.\n")
        }
    }
    out.push_str("\nCtrl-C ends it; nothing of it is kept.\n");
    out
}
