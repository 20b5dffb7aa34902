//! Runs the programs of `hooks:`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    process::Stdio,
    time::Duration,
};

use async_trait::async_trait;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, Command},
};

use crate::{
    apply::Hooks,
    model::HookPoint,
    spec::{HookSpec, Spec},
};

/// How much of what a hook says on standard error is kept.
const WORDS: u64 = 4096;
/// How long a hook that has ended is listened to: what it has left running may hold its standard error open for ever.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The hooks of one spec.
#[derive(Debug)]
pub(super) struct Programs {
    hooks: BTreeMap<HookPoint, HookSpec>,
    base: PathBuf,
    /// Names of environment variables that hold secrets of the spec, or how they begin.
    secrets: BTreeSet<String>,
    prefixes: BTreeSet<String>,
}

impl Programs {
    /// The hooks of a spec.
    pub(super) fn of(spec: &Spec) -> Self {
        let (mut secrets, mut prefixes) = (BTreeSet::new(), BTreeSet::new());
        if !spec.hooks.is_empty() {
            let mut names = BTreeSet::new();
            variables(&serde_json::to_value(spec).unwrap_or_default(), &mut names);
            for name in names {
                match name.split_once('{') {
                    // `TOKEN_{LOCAL}` is another variable for each mailbox.
                    Some((start, _)) => prefixes.insert(start.to_owned()),
                    None => secrets.insert(name),
                };
            }
        }
        Self { hooks: spec.hooks.clone(), base: spec.base.clone(), secrets, prefixes }
    }

    fn command(&self, hook: &HookSpec) -> Option<Command> {
        let (program, arguments) = hook.run.split_first()?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        // With a group of its own it is ended with all that it has started, and Ctrl-C in a terminal reaches the run
        // alone, which lets it end.
        command.process_group(0);
        if !self.base.as_os_str().is_empty() {
            command.current_dir(&self.base);
        }
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if self.secrets.contains(&*text) || self.prefixes.iter().any(|start| text.starts_with(start)) {
                command.env_remove(&name);
            }
        }
        Some(command)
    }
}

/// Every environment variable that a spec refers to.
fn variables(value: &Value, out: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            out.extend(map.get("env").and_then(Value::as_str).map(str::to_owned));
            map.values().for_each(|v| variables(v, out));
        }
        Value::Array(items) => items.iter().for_each(|v| variables(v, out)),
        _ => {}
    }
}

#[async_trait]
impl Hooks for Programs {
    fn has(&self, point: HookPoint) -> bool {
        self.hooks.contains_key(&point)
    }

    async fn call(&self, point: HookPoint, input: &Value) -> Result<(), String> {
        let Some(hook) = self.hooks.get(&point) else { return Ok(()) };
        let Some(mut command) = self.command(hook) else { return Ok(()) };
        let name = hook.run.first().map(String::as_str).unwrap_or_default();
        let child = command.spawn().map_err(|e| format!("{name} cannot be started: {e}"))?;
        let mut family = Family::of(&child);
        let patience = Duration::from_secs(hook.timeout);
        let ended = tokio::time::timeout(patience, ends(child, format!("{input}\n"))).await;
        if ended.is_ok() {
            family.leave_alone();
        }
        match ended {
            Ok(Ok(())) => Ok(()),
            Ok(Err(words)) => Err(format!("{name} {words}")),
            // It is ended with its family.
            Err(_) => Err(format!("{name} did not end within {} seconds", hook.timeout)),
        }
    }
}

/// A hook and all that it has started: ended together when nobody waits for the hook any more.
struct Family(Option<Pid>);

impl Family {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)))
    }

    /// The hook has ended by itself: what it has left running is its own affair.
    fn leave_alone(&mut self) {
        self.0 = None;
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // An error means that nobody is left.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

async fn ends(mut child: Child, input: String) -> Result<(), String> {
    let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
    let give = async {
        if let Some(mut stdin) = stdin {
            // A hook that does not want its input may close it.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
    };
    let mut words = Vec::new();
    let hear = async {
        if let Some(mut stderr) = stderr {
            let _ = (&mut stderr).take(WORDS).read_to_end(&mut words).await;
            // The rest is read and dropped, so that nobody waits for room in the pipe.
            let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
        }
    };
    let status = {
        let mut talk = std::pin::pin!(async { tokio::join!(give, hear) });
        tokio::select! {
            status = child.wait() => {
                let _ = tokio::time::timeout(LAST_WORDS, talk).await;
                status
            }
            _ = &mut talk => child.wait().await,
        }
    };
    let status = status.map_err(|e| format!("was lost: {e}"))?;
    if status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&words);
    let said: Vec<&str> = words.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let said: String = said.join("; ").chars().filter(|c| !c.is_control()).collect();
    Err(if said.is_empty() { format!("ended with {status}") } else { format!("ended with {status}: {said}") })
}
