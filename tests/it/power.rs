//! The power fails while the real program copies between real servers: what it wrote to its journal and did not have
//! synced is lost, all of it or any part, and the servers live on. The next run loses nothing and doubles nothing.
//!
//! `strace` records every write and every sync, and kills the program at one of them; then the journal's files are put
//! back to what a disk has to hold of them. A sample is tried; `REHOME_POWER_CUTS=200` tries that many.

mod disk;

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use rand::{Rng as _, SeedableRng as _, rngs::SmallRng};
use rehome::model::{Address, ImapEndpoint, ImapSecurity};

use self::disk::{CALLS, Disk, Left};
use super::{
    imap::dovecot::{Dovecot, Setup},
    kills,
    sandbox_mail::python::{Side, compare},
};

const SAMPLE: u64 = 12;
/// What of a journal is on a disk.
const JOURNAL: [&str; 2] = ["journal.db", "journal.db-wal"];
const SOURCE: &str = "source@power.example";

/// A mailbox that is copied to, and the journal of that copy.
struct Run<'f> {
    servers: &'f (Dovecot, Dovecot),
    login: Address,
    folder: tempfile::TempDir,
}

impl<'f> Run<'f> {
    fn new(servers: &'f (Dovecot, Dovecot), user: &str) -> Self {
        let login = Address::parse(&format!("{user}@power.example")).unwrap();
        Self { servers, login, folder: tempfile::tempdir().unwrap() }
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn record(&self) -> PathBuf {
        self.folder.path().join("record")
    }

    /// Runs the program to its end. With words for `strace`, under it.
    fn copy(&self, strace: Option<&[String]>) -> Option<i32> {
        let url =
            |login: &str, server: &Dovecot| format!("imap://{}@127.0.0.1:{}", login.replace('@', "%40"), server.port);
        let binary = crate::binary::program();
        let mut command = match strace {
            Some(words) => {
                let mut command = Command::new("strace");
                command.args(words).arg("--").arg(binary);
                command
            }
            None => Command::new(binary),
        };
        let output = fs::File::create(self.folder.path().join("output")).unwrap();
        let status = command
            .args(["copy", "--from-password=env:PASSWORD", "--to-password=env:PASSWORD", "--quiet"])
            .arg(format!("--from={}", url(SOURCE, &self.servers.0)))
            .arg(format!("--to={}", url(&self.login.to_string(), &self.servers.1)))
            .arg(format!("--state={}", self.state().display()))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("PASSWORD", "secret")
            .env("REHOME_SETTLE_MILLIS", "300")
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .status()
            .unwrap();
        status.code()
    }

    fn output(&self) -> String {
        fs::read_to_string(self.folder.path().join("output")).unwrap_or_default()
    }

    /// Runs it under `strace`, which kills it when a thread makes its n-th call of that name. What the disk holds then,
    /// and whether it was killed.
    fn cut(&self, at: Option<(&str, u32)>) -> (Disk, bool) {
        let mut disk = Disk::of(&self.state(), &JOURNAL);
        let mut words: Vec<String> = ["-f", "-qq", "-y", "-xx", "-s", "100000000"].map(str::to_owned).into();
        words.push(format!("-etrace={CALLS}"));
        for name in JOURNAL {
            words.push(format!("-P{}", self.state().join(name).display()));
        }
        words.push(format!("-o{}", self.record().display()));
        words.extend(at.map(|(call, nth)| format!("-einject={call}:signal=KILL:when={nth}")));
        let code = self.copy(Some(&words));
        assert!(at.is_some() || code == Some(0), "{code:?}: {}", self.output());
        disk.take(&fs::read_to_string(self.record()).unwrap());
        // Shared memory is not on a disk.
        let _ = fs::remove_file(self.state().join("journal.db-shm"));
        (disk, code != Some(0))
    }

    async fn judge(&self, told: &str) {
        let source = Address::parse(SOURCE).unwrap();
        let at = |server: &Dovecot| ImapEndpoint {
            host: "127.0.0.1".to_owned(),
            port: server.port,
            security: ImapSecurity::Plain,
        };
        let from = Side { at: at(&self.servers.0), login: &source, password: "secret" };
        let to = Side { at: at(&self.servers.1), login: &self.login, password: "secret" };
        let ran = compare(&from, &to, &["--by-use", "--ignore-extra-folders"]).await;
        assert_eq!(ran.code, Some(0), "{told}: {}", ran.output);
    }
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn has_strace() -> bool {
    let done = Command::new("strace").args(["-qq", "-o/dev/null", "true"]).stdin(Stdio::null()).output();
    let works = done.is_ok_and(|out| out.status.success());
    if !works {
        assert!(std::env::var_os("REHOME_REQUIRE_SERVERS").is_none(), "strace is not installed or may not trace");
        eprintln!("SKIPPED: strace is not installed or may not trace");
    }
    works
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn power_that_fails_at_any_write_of_the_journal_loses_and_doubles_nothing() {
    if !has_strace() {
        return;
    }
    let Some(source) = Dovecot::start(Setup::default()).await else { return };
    let Some(target) = Dovecot::start(Setup::default()).await else { return };
    kills::fill(&source, SOURCE).await;
    let servers = (source, target);
    // What the record tells is the file.
    let whole = Run::new(&servers, "whole");
    let (disk, _) = whole.cut(None);
    let random = &mut SmallRng::seed_from_u64(1);
    for (path, content) in disk.after(Left::Everything, random) {
        assert!(fs::read(&path).unwrap() == content, "{}: the record does not tell all of it", path.display());
    }
    assert!(disk.syncs > 4 && disk.writes > 8, "{} syncs, {} writes", disk.syncs, disk.writes);
    let cuts = std::env::var("REHOME_POWER_CUTS").ok().and_then(|n| n.parse().ok()).unwrap_or(SAMPLE);
    // Calls are counted by the thread, and every run has other threads: a run that gets through lowers the bound.
    let mut bounds = BTreeMap::from([("pwrite64", (disk.writes / 2).max(2)), ("fdatasync", (disk.writes / 6).max(2))]);
    let (mut died, mut dropped, mut tried) = (0, BTreeMap::new(), BTreeMap::new());
    for n in 0..cuts {
        let random = &mut SmallRng::seed_from_u64(n);
        let run = Run::new(&servers, &format!("t{n}"));
        let mut story = String::new();
        for _ in 0..random.random_range(1..=2) {
            let call = if random.random_bool(0.5) { "pwrite64" } else { "fdatasync" };
            let bound = bounds.get_mut(call).unwrap();
            let nth = random.random_range(1..=*bound);
            let (there, killed) = run.cut(Some((call, nth)));
            if !killed {
                *bound = (*bound).min(nth).max(2);
            }
            let left = [Left::Nothing, Left::Some, Left::Everything][random.random_range(0..3)];
            story.push_str(&format!(" {call} {nth}, {left:?} of {} octets left;", there.unsynced()));
            there.restore(left, random);
            died += u32::from(killed);
            *tried.entry(format!("{left:?}")).or_insert(0) += 1;
            *dropped.entry(format!("{left:?}")).or_insert(0) += there.unsynced();
        }
        assert_eq!(run.copy(None), Some(0), "{n}:{story} {}", run.output());
        run.judge(&format!("run {n}:{story}")).await;
        assert_eq!(run.copy(None), Some(0), "{n}:{story} {}", run.output());
        run.judge(&format!("run {n} once more:{story}")).await;
    }
    eprintln!("{cuts} runs, {died} cuts; {tried:?}; octets that were not synced: {dropped:?}");
    assert!(3 * u64::from(died) >= cuts && dropped.values().sum::<usize>() > 0, "{died} {dropped:?}");
}
