//! The central promise, with the program as people run it: a fleet moves on four routes, a program that shares nothing
//! with it finds every message unchanged, and a second plan is empty.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use rehome::{
    model::Address,
    sandbox::{Ready, ReadyAccount},
};
use tempfile::TempDir;

use super::binary::{Binary, Running};

/// Where each domain goes, by the name that the target's server has in the sandbox's variables.
const TARGETS: [(&str, &str); 4] = [
    ("blue.example", "EMAILPRO"),
    ("green.example", "MXPLAN"),
    ("red.example", "ZIMBRA"),
    ("amber.example", "EXCHANGE2"),
];

/// Checkers that run at the same time.
const CHECKERS: usize = 4;

/// A sandbox as another process. It ends with it.
struct Fleet {
    folder: TempDir,
    sandbox: Running,
    ready: Ready,
    variables: BTreeMap<String, String>,
}

impl Drop for Fleet {
    fn drop(&mut self) {
        // Asked to end, it takes its Dovecots along; a kill would leave them behind.
        let _ = Command::new("kill").args(["-TERM", &self.sandbox.child.id().to_string()]).status();
        let _ = self.sandbox.child.wait();
    }
}

impl Fleet {
    async fn start(imap: &str, people: usize, messages: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (people, messages) = (people.to_string(), messages.to_string());
        let args = ["sandbox", "--world", "fleet", "--imap", imap, "--people", &people, "--messages", &messages];
        let files = ["--write", "spec", "--ready-file", "ready.json"];
        let mut sandbox =
            Binary::new(folder.path(), BTreeMap::new()).start("sandbox", &[&args[..], &files].concat()).unwrap();
        let ready = folder.path().join("ready.json");
        while !ready.exists() {
            if let Some(status) = sandbox.child.try_wait().unwrap() {
                panic!("the sandbox ended: {:?}", sandbox.ended(status));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let ready = serde_json::from_slice(&fs::read(ready).unwrap()).unwrap();
        let variables = fs::read_to_string(folder.path().join("spec/sandbox.env")).unwrap();
        let variables = variables.lines().map(|line| {
            let (name, value) = line.split_once('=').unwrap();
            (name.to_owned(), value.trim_matches('\'').to_owned())
        });
        Self { sandbox, ready, variables: variables.collect(), folder }
    }

    fn program(&self) -> Binary {
        Binary::new(self.folder.path(), self.variables.clone())
    }

    fn manifest(&self, address: &Address) -> PathBuf {
        self.folder.path().join(format!("{address}.json"))
    }

    /// Notes down every source mailbox.
    fn snapshot(&self, account: &ReadyAccount) -> Result<u64, String> {
        let at = &self.ready.imap[&account.service];
        let manifest = self.manifest(&account.address);
        let mut args = vec!["snapshot".to_owned(), "--out".to_owned(), manifest.display().to_string()];
        args.extend(["--source".to_owned(), at.host.clone(), at.port.to_string(), account.address.to_string()]);
        check(&args, ("CHECK_SOURCE_PASSWORD", &account.password))
    }

    /// Compares a target mailbox with what its source was.
    fn verify(&self, account: &ReadyAccount) -> Result<u64, String> {
        let (_, name) = TARGETS.iter().find(|(domain, _)| account.address.domain().as_str() == *domain).unwrap();
        let (host, port) = self.variables[&format!("SANDBOX_IMAP_{name}")].split_once(':').unwrap();
        let secret = self.folder.path().join("spec/secrets").join(account.address.to_string());
        let password = fs::read_to_string(&secret).map_err(|e| format!("{}: {e}", secret.display()))?;
        let manifest = self.manifest(&account.address);
        let mut args = vec!["verify".to_owned(), "--by-use".to_owned(), "--manifest".to_owned()];
        args.extend([manifest.display().to_string(), "--target".to_owned(), host.to_owned(), port.to_owned()]);
        args.push(account.address.to_string());
        check(&args, ("CHECK_TARGET_PASSWORD", password.trim_end()))
    }

    /// Does something for everybody; the sum, or everything that went wrong.
    #[track_caller]
    fn everybody(&self, each: impl Fn(&Self, &ReadyAccount) -> Result<u64, String> + Sync) -> u64 {
        let next = AtomicUsize::new(0);
        let work = || {
            let mut results = Vec::new();
            while let Some(account) = self.ready.accounts.get(next.fetch_add(1, Ordering::Relaxed)) {
                results.push(each(self, account).map_err(|e| format!("{}: {e}", account.address)));
            }
            results
        };
        let results: Vec<_> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..CHECKERS).map(|_| scope.spawn(work)).collect();
            workers.into_iter().flat_map(|w| w.join().unwrap()).collect()
        });
        assert_eq!(results.len(), self.ready.accounts.len());
        let wrong: Vec<&String> = results.iter().filter_map(|r| r.as_ref().err()).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
        results.into_iter().flatten().sum()
    }
}

/// Runs the independent checker; how many messages it saw, or what it complains about.
fn check(args: &[String], secret: (&str, &str)) -> Result<u64, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/check_mail.py");
    let done = Command::new("python3")
        .arg(script)
        .args(args)
        .env(secret.0, secret.1)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("python3: {e}"))?;
    let output = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
    let count = output.trim_end().lines().last().and_then(|line| line.split(' ').next()?.parse().ok());
    count.filter(|_| done.status.success()).ok_or(output)
}

/// The codes of everything that the plan wants somebody's word for.
fn guards(plan: &str) -> BTreeSet<String> {
    let plan: serde_json::Value = serde_json::from_str(plan).unwrap();
    let actions = plan["body"]["actions"].as_array().unwrap();
    actions.iter().filter_map(|a| Some(a["guard"]["code"].as_str()?.to_owned())).collect()
}

async fn moves(imap: &str, people: usize, messages: usize) {
    let fleet = Fleet::start(imap, people, messages).await;
    let program = fleet.program();
    assert_eq!(fleet.ready.accounts.len(), people);
    let noted = fleet.everybody(Fleet::snapshot);
    assert!(noted >= messages as u64, "{noted} of {messages}");

    let plan = program.run(&["plan", "spec", "--format", "json"]).expect(0);
    // MX Plan of the first generation cannot rename: the address becomes free by deleting the source.
    assert_eq!(guards(&plan.stdout), BTreeSet::from(["free-address-by-delete".to_owned()]));
    program.run(&["apply", "spec", "--auto-approve"]).expect(4);
    program.run(&["apply", "spec", "--auto-approve", "--ack", "free-address-by-delete"]).expect(0);
    program.run(&["verify", "spec", "--what", "mail"]).expect(0);
    program.run(&["plan", "spec", "--detailed-exitcode"]).expect(0);
    let again = program.run(&["apply", "spec", "--auto-approve"]).expect(0);
    assert!(!again.stdout.contains("run-000002"), "{}", again.stdout);

    assert_eq!(fleet.everybody(Fleet::verify), noted);
}

#[tokio::test]
async fn a_fleet_moves_on_four_routes_between_real_servers_and_every_message_is_there() {
    if !Path::new("/usr/sbin/dovecot").exists() {
        assert!(std::env::var_os("REHOME_REQUIRE_SERVERS").is_none(), "dovecot is not installed");
        eprintln!("SKIPPED: dovecot is not installed");
        return;
    }
    let messages = std::env::var("REHOME_FLEET_MESSAGES").ok().and_then(|n| n.parse().ok());
    moves("dovecot", 20, messages.unwrap_or(2_000)).await;
}

#[tokio::test]
async fn a_fleet_moves_on_four_routes_in_memory_and_every_message_is_there() {
    moves("memory", 8, 320).await;
}
