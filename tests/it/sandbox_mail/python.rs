//! Python programs as clients.

use std::{path::PathBuf, process::Stdio};

use rehome::model::{Address, ImapEndpoint};
use tokio::process::Command;

/// What a program wrote, and how it ended.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub output: String,
}

fn tests() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests")
}

async fn run(script: PathBuf, args: &[String], environment: &[(&str, &str)]) -> Ran {
    let done = Command::new("python3")
        .arg(script)
        .args(args)
        .envs(environment.iter().copied())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .expect("python3 is needed by these tests");
    let output = [done.stdout, done.stderr].concat();
    Ran { code: done.status.code(), output: String::from_utf8_lossy(&output).into_owned() }
}

/// Tours a server with python's imaplib.
pub async fn tour(at: &ImapEndpoint, login: &Address, password: &str) -> Ran {
    let args = [at.port.to_string(), login.to_string()];
    run(tests().join("it/sandbox_mail/tour.py"), &args, &[("TOUR_PASSWORD", password)]).await
}

/// One side of a check.
#[derive(Clone)]
pub struct Side<'a> {
    pub at: ImapEndpoint,
    pub login: &'a Address,
    pub password: &'a str,
}

impl Side<'_> {
    fn args(&self, option: &str) -> Vec<String> {
        vec![option.to_owned(), self.at.host.clone(), self.at.port.to_string(), self.login.to_string()]
    }
}

/// Compares two mailboxes with `tests/check_mail.py`.
pub async fn compare(source: &Side<'_>, target: &Side<'_>, options: &[&str]) -> Ran {
    let mut args = vec!["compare".to_owned()];
    args.extend(source.args("--source"));
    args.extend(target.args("--target"));
    args.extend(options.iter().map(|&o| o.to_owned()));
    let secrets = [("CHECK_SOURCE_PASSWORD", source.password), ("CHECK_TARGET_PASSWORD", target.password)];
    run(tests().join("check_mail.py"), &args, &secrets).await
}

/// Writes a manifest of a mailbox.
pub async fn snapshot(source: &Side<'_>, out: &str) -> Ran {
    let mut args = vec!["snapshot".to_owned()];
    args.extend(source.args("--source"));
    args.extend(["--out".to_owned(), out.to_owned()]);
    run(tests().join("check_mail.py"), &args, &[("CHECK_SOURCE_PASSWORD", source.password)]).await
}

/// Compares a mailbox with a manifest.
pub async fn verify(manifest: &str, target: &Side<'_>) -> Ran {
    let mut args = vec!["verify".to_owned(), "--manifest".to_owned(), manifest.to_owned()];
    args.extend(target.args("--target"));
    run(tests().join("check_mail.py"), &args, &[("CHECK_TARGET_PASSWORD", target.password)]).await
}
