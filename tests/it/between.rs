//! What can happen between two runs of `rehome copy`, or in two at once, with the real program between real servers. The
//! judge is `tests/check_mail.py`, which shares nothing with the program.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use rehome::{
    imap::{AppendMessage, Body, InternalDate, WireName},
    model::{Address, ImapEndpoint, ImapSecurity},
};
use tempfile::TempDir;

use super::{
    binary::{Binary, Ended, Running},
    imap::dovecot::{Dovecot, Setup},
    kills::{
        self,
        gate::{Gate, Moment},
    },
    sandbox_mail::python::{Side, compare},
};

const LOGIN: &str = "ann@between.example";

/// A source with mail, an empty target, and the program.
struct Field {
    source: Dovecot,
    target: Dovecot,
    folder: TempDir,
    program: Binary,
}

impl Field {
    async fn start() -> Option<Self> {
        Self::to(Setup::default()).await
    }

    async fn to(setup: Setup<'_>) -> Option<Self> {
        Self::between(Setup::default(), setup).await
    }

    async fn between(source: Setup<'_>, target: Setup<'_>) -> Option<Self> {
        let source = Dovecot::start(source).await?;
        let target = Dovecot::start(target).await?;
        kills::fill(&source, LOGIN).await;
        let folder = tempfile::tempdir().unwrap();
        let variables = [("PASSWORD", "secret"), ("REHOME_SETTLE_MILLIS", "300")];
        let variables: BTreeMap<String, String> =
            variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let program = Binary::new(folder.path(), variables);
        Some(Self { source, target, folder, program })
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn begin(&self, name: &str) -> Running {
        self.begin_with(name, &self.state(), self.target.port, &["--quiet"])
    }

    /// Begins a copy with its state there, to the target by that port.
    fn begin_with(&self, name: &str, state: &Path, port: u16, more: &[&str]) -> Running {
        let url = |port: u16| format!("imap://{}@127.0.0.1:{port}", LOGIN.replace('@', "%40"));
        let words = [
            "copy".to_owned(),
            format!("--from={}", url(self.source.port)),
            format!("--to={}", url(port)),
            "--from-password=env:PASSWORD".to_owned(),
            "--to-password=env:PASSWORD".to_owned(),
            format!("--state={}", state.display()),
        ];
        let words: Vec<&str> = words.iter().map(String::as_str).chain(more.iter().copied()).collect();
        self.program.start(name, &words).unwrap()
    }

    /// How many messages the target's inbox has.
    async fn inbox(&self) -> u32 {
        let mut reader = self.target.connector(LOGIN, "secret").connect().await.unwrap();
        let opened = reader.examine(&WireName::inbox()).await.unwrap();
        reader.logout().await;
        opened.exists
    }

    /// One more message in the source's inbox.
    async fn mail_arrives(&self, n: u32) {
        let mut writer = self.source.connector(LOGIN, "secret").connect_writer().await.unwrap();
        let body = Body::from(format!("Message-ID: <new{n}@x>\r\n\r\nnew {n}\r\n").into_bytes());
        let internal_date = InternalDate::parse(" 1-Mar-2001 00:00:00 +0000");
        let message = AppendMessage { flags: BTreeSet::new(), internal_date, body };
        writer.append(&WireName::inbox(), &message).await.unwrap();
        writer.logout().await;
    }

    fn copy(&self) -> Ended {
        self.begin("copy").wait()
    }

    /// Begins a copy and kills it after so long. Whether it was still under way.
    async fn killed(&self, after: Duration) -> bool {
        let mut running = self.begin("killed");
        tokio::time::sleep(after).await;
        let under_way = running.child.try_wait().unwrap().is_none();
        running.child.kill().unwrap();
        running.wait();
        under_way
    }

    /// Every message is at the target, as often as at the source.
    async fn judge(&self, told: &str) {
        let login = Address::parse(LOGIN).unwrap();
        let side = |server: &Dovecot| {
            let at = ImapEndpoint { host: "127.0.0.1".to_owned(), port: server.port, security: ImapSecurity::Plain };
            (at, login.clone())
        };
        let ((from, a), (to, b)) = (side(&self.source), side(&self.target));
        let from = Side { at: from, login: &a, password: "secret" };
        let to = Side { at: to, login: &b, password: "secret" };
        let ran = compare(&from, &to, &["--by-use", "--ignore-extra-folders"]).await;
        assert_eq!(ran.code, Some(0), "{told}: {}", ran.output);
    }

    async fn validity(&self, server: &Dovecot, folder: &str) -> u32 {
        let mut reader = server.connector(LOGIN, "secret").connect().await.unwrap();
        let opened = reader.examine(&WireName::encode(folder)).await.unwrap();
        reader.logout().await;
        opened.uid_validity
    }

    /// Gives folders of a server another UIDVALIDITY, and keeps their mail.
    async fn renumber(&self, server: &Dovecot, folders: &[&str]) {
        for folder in folders {
            let before = self.validity(server, folder).await;
            let next = (before + 1000).to_string();
            server.doveadm(&["mailbox", "update", "-u", LOGIN, "--uid-validity", &next, folder]);
            assert_ne!(self.validity(server, folder).await, before, "{folder}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_processes_on_one_mailbox_one_works_and_the_other_says_so() {
    let Some(field) = Field::start().await else { return };
    let (one, other) = (field.begin("one"), field.begin("other"));
    let (one, other) = (one.wait(), other.wait());
    let mut codes = [one.code(), other.code()];
    codes.sort_unstable();
    assert!(codes == [Some(0), Some(6)] || codes == [Some(0), Some(0)], "{codes:?}\n{one:?}\n{other:?}");
    field.judge("two at once").await;
    field.copy().expect(0);
    field.judge("two at once, and once more").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_that_is_lost_costs_time_and_doubles_nothing() {
    let Some(field) = Field::start().await else { return };
    let mut under_way = 0;
    for after in [60, 120, 250, 400, 800] {
        under_way += u32::from(field.killed(Duration::from_millis(after)).await);
        // Whoever has no journal cannot know what is still on its way, so it has to have arrived.
        tokio::time::sleep(Duration::from_secs(1)).await;
        if field.state().exists() {
            fs::remove_dir_all(field.state()).unwrap();
        }
    }
    assert!(under_way > 0, "the test is about copies that are under way");
    field.copy().expect(0);
    field.judge("the journal was lost in the middle").await;
    fs::remove_dir_all(field.state()).unwrap();
    field.copy().expect(0);
    field.judge("the journal was lost after the end").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn folders_that_are_renumbered_between_runs_are_known_by_content() {
    let Some(field) = Field::start().await else { return };
    field.copy().expect(0);
    field.renumber(&field.source, &["INBOX", "Projekte/Süd"]).await;
    field.copy().expect(0);
    field.judge("the source was renumbered").await;
    field.renumber(&field.target, &["INBOX"]).await;
    field.copy().expect(0);
    field.judge("a folder of the target was renumbered").await;
    field.renumber(&field.target, &["INBOX", "Sent", "Projekte/Süd", "Eins", "Leer"]).await;
    field.copy().expect(0);
    field.judge("all of the target was renumbered").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn folders_that_are_renumbered_after_a_kill_are_known_by_content() {
    let Some(field) = Field::start().await else { return };
    let mut under_way = 0;
    for after in [60, 110, 160] {
        under_way += u32::from(field.killed(Duration::from_millis(after)).await);
    }
    assert!(under_way > 0, "the test is about copies that are under way");
    tokio::time::sleep(Duration::from_millis(300)).await;
    field.renumber(&field.source, &["INBOX"]).await;
    field.renumber(&field.target, &["INBOX"]).await;
    field.copy().expect(0);
    field.judge("both sides were renumbered after a kill").await;
    field.copy().expect(0);
    field.judge("both sides were renumbered after a kill, and once more").await;
}

/// Waits until the program behind the gate is held.
async fn held(gate: &Gate, running: &mut Running) {
    while !gate.has_come() {
        assert!(running.child.try_wait().unwrap().is_none(), "it ended before it could be held");
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_one_process_is_at_work_the_other_says_so_and_sends_nothing() {
    let Some(field) = Field::start().await else { return };
    let gate = Gate::start(field.target.port).await;
    gate.set(Some(Moment::Held(1)));
    let mut one = field.begin_with("one", &field.state(), gate.port, &["--quiet"]);
    held(&gate, &mut one).await;
    let other = field.begin_with("other", &field.state(), field.target.port, &["--quiet"]).wait().expect(6);
    let told = other.stdout + &other.stderr;
    assert!(told.contains("process"), "it says who is at work: {told}");
    assert_eq!(field.inbox().await, 0, "and sends nothing");
    gate.set(None);
    one.wait().expect(0);
    field.judge("the other one came while one was at work").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_that_know_nothing_of_each_other_lose_nothing() {
    let Some(field) = Field::start().await else { return };
    let gate = Gate::start(field.target.port).await;
    gate.set(Some(Moment::Held(1)));
    let mut one = field.begin_with("one", &field.state(), gate.port, &["--quiet"]);
    held(&gate, &mut one).await;
    let elsewhere = field.folder.path().join("elsewhere");
    field.begin_with("other", &elsewhere, field.target.port, &["--quiet"]).wait().expect(0);
    gate.set(None);
    one.wait().expect(0);
    // What one was about to send when the other came is there twice.
    assert_eq!(field.inbox().await, 300);
    let proof = field.begin_with("proof", &elsewhere, field.target.port, &["--verify"]).wait();
    let told = proof.stdout.clone() + &proof.stderr;
    assert_eq!(proof.status.code(), Some(0), "doubles are no loss: {told}");
    assert!(!told.contains("message-missing"), "{told}");
    assert!(told.contains("more often than at the source") && told.contains("rehome dedup"), "{told}");
}

/// A server that keeps no HIGHESTMODSEQ.
const PLAIN: &str = "imap_capability = IMAP4rev1 SASL-IR LITERAL+ ENABLE NAMESPACE UIDPLUS MULTIAPPEND LIST-EXTENDED \
                     LIST-STATUS SPECIAL-USE";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flags_that_only_a_look_can_tell_are_looked_at_by_every_copy() {
    let Some(field) = Field::between(Setup { extra: PLAIN, ..Setup::default() }, Setup::default()).await else {
        return;
    };
    field.copy().expect(0);
    field.judge("the first copy").await;
    let told = field.begin_with("dry", &field.state(), field.target.port, &["--dry-run"]).wait().expect(0).stdout;
    assert!(told.contains("copy  ann@"), "nobody can say that there is nothing to do: {told}");
    field.source.doveadm(&["flags", "add", "-u", LOGIN, "\\Answered $Later", "mailbox", "Sent", "uid", "3"]);
    let before = field.inbox().await;
    field.copy().expect(0);
    field.judge("flags alone have changed").await;
    field.copy().expect(0);
    assert_eq!(field.inbox().await, before, "and nothing is sent for it");
}

/// Limits of Gmail by its capability, whatever its name.
const GMAIL: &str = "imap_capability = IMAP4rev1 SASL-IR LITERAL+ ENABLE NAMESPACE UIDPLUS MULTIAPPEND LIST-EXTENDED \
                     LIST-STATUS SPECIAL-USE X-GM-EXT-1";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_that_is_used_up_is_so_for_the_next_process_too() {
    let Some(field) = Field::to(Setup { extra: GMAIL, ..Setup::default() }).await else { return };
    field.copy().expect(0);
    let journal = || rusqlite::Connection::open(field.state().join("journal.db")).unwrap();
    let used: i64 = journal()
        .query_row("SELECT sum(octets) FROM ledger_traffic WHERE direction = 'up'", [], |row| row.get(0))
        .unwrap();
    assert!(used > 100_000, "what was sent is counted on disk: {used}");
    // A day's 500 MB are gone.
    let done = journal().execute("UPDATE ledger_traffic SET octets = 524288000 WHERE direction = 'up'", []).unwrap();
    assert!(done > 0);
    field.mail_arrives(1).await;
    let before = field.inbox().await;
    for _ in 0..2 {
        field.copy().expect(7);
        assert_eq!(field.inbox().await, before);
    }
    // The day is over.
    journal().execute("UPDATE ledger_traffic SET hour = hour - 25", []).unwrap();
    field.copy().expect(0);
    assert_eq!(field.inbox().await, before + 1);
    field.judge("after a day that was used up").await;
}

/// A file system of its own that can fill up; it goes with the value.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// `None` after a note where this user may not mount one.
    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    fn new(size: &str) -> Option<Self> {
        let disk = Self(tempfile::tempdir().unwrap());
        if disk.mount(&["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]) {
            return Some(disk);
        }
        eprintln!("SKIPPED: no file system can be mounted here");
        None
    }

    fn mount(&self, words: &[&str]) -> bool {
        let done = Command::new("mount").args(words).arg(self.0.path()).stdin(Stdio::null()).output();
        done.is_ok_and(|out| out.status.success())
    }

    fn grow(&self, size: &str) {
        assert!(self.mount(&["-o", &format!("remount,size={size}")]));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fills_up_stops_the_copy_and_costs_nothing() {
    let Some(field) = Field::start().await else { return };
    let mut stopped = 0;
    for size in ["240k", "300k", "360k"] {
        let Some(disk) = SmallDisk::new(size) else { return };
        let state = disk.0.path().join("state");
        let ended = field.begin_with("full", &state, field.target.port, &["--quiet"]).wait();
        let there = field.inbox().await;
        if ended.code() != Some(0) {
            stopped += 1;
            let told = ended.stdout + &ended.stderr;
            assert!(told.contains("full"), "{size}: {told}");
            let known = rusqlite::Connection::open(state.join("journal.db")).and_then(|journal| {
                let count = "SELECT (SELECT count(*) FROM ledger_message)
                                  + (SELECT coalesce(sum(json_array_length(intents)), 0) FROM ledger_window)";
                journal.query_row(count, [], |row| row.get::<_, u32>(0))
            });
            assert!(there <= known.unwrap_or(0) || there == 0, "{size}: nothing is sent that is not put down");
        }
        disk.grow("64m");
        field.begin_with("again", &state, field.target.port, &["--quiet"]).wait().expect(0);
        field.judge(&format!("a disk of {size}")).await;
        // The next one begins with an empty mailbox.
        field.target.doveadm(&["expunge", "-u", LOGIN, "mailbox", "*", "all"]);
    }
    assert!(stopped > 0, "no disk was small enough");
}
