//! `rehome copy` is killed at any moment, between real servers, and nothing is lost or doubled.
//!
//! Half of the runs die at a write of the ledger (`REHOME_REHEARSE_CRASH`), half by SIGKILL at a random time; the target
//! has UIDPLUS, MULTIAPPEND and LITERAL+ or lacks some of them. The judge is `tests/check_mail.py`, which shares nothing
//! with the program. A sample is tried; `REHOME_KILLS=1000` tries that many.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream};
use rand::{Rng as _, SeedableRng as _, rngs::SmallRng};
use rehome::{
    imap::{AppendMessage, Body, InternalDate, WireName},
    model::{Address, ImapEndpoint, ImapSecurity},
};
use tempfile::TempDir;

use super::{
    binary::{Binary, Ended},
    imap::dovecot::{Dovecot, Setup},
    sandbox_mail::python::{Side, compare},
};

/// How many runs are tried when nobody says.
const SAMPLE: u64 = 16;
/// Runs at the same time.
const PARALLEL: usize = 2;
const SOURCE: &str = "source@kills.example";

/// What the targets offer, beside what every server here does.
const VARIANTS: [(&str, &str); 5] = [
    ("everything", "UIDPLUS MULTIAPPEND LITERAL+"),
    ("no uidplus", "MULTIAPPEND LITERAL+"),
    ("no multiappend", "UIDPLUS LITERAL+"),
    ("literal-", "UIDPLUS MULTIAPPEND LITERAL-"),
    ("nothing", ""),
];

const ALWAYS: &str = "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE NAMESPACE CHILDREN UNSELECT LIST-EXTENDED \
                      LIST-STATUS SPECIAL-USE CONDSTORE QRESYNC ESEARCH WITHIN";

struct Field {
    source: Dovecot,
    targets: Vec<(&'static str, Dovecot)>,
    /// How long a run takes that nobody kills.
    whole: Duration,
    /// No run writes to the ledger more often than this.
    writes: AtomicU64,
}

impl Field {
    async fn start() -> Option<Self> {
        let source = Dovecot::start(Setup::default()).await?;
        let mut targets = Vec::new();
        for (name, offered) in VARIANTS {
            let extra = format!("imap_capability = {ALWAYS} {offered}");
            targets.push((name, Dovecot::start(Setup { extra: &extra, ..Setup::default() }).await?));
        }
        fill(&source, SOURCE).await;
        let mut field = Self { source, targets, whole: Duration::ZERO, writes: AtomicU64::new(200) };
        let mut longest = Duration::ZERO;
        for variant in 0..field.targets.len() {
            let run = Run::new(&field, variant, &format!("whole{variant}"));
            let begun = Instant::now();
            run.program.run(&run.words()).expect(0);
            longest = longest.max(begun.elapsed());
            run.judge("nobody killed it").await;
        }
        field.whole = longest;
        Some(field)
    }

    /// One run that is killed up to three times and then left to end. Tells how often it died at a write, and by time.
    async fn killed(&self, n: u64) -> (u64, u64) {
        let mut random = SmallRng::seed_from_u64(n);
        let variant = usize::try_from(n).unwrap() % self.targets.len();
        let run = Run::new(self, variant, &format!("t{n}"));
        let at_write = (n / self.targets.len() as u64).is_multiple_of(2);
        let mut died = (0, 0);
        let mut story = String::new();
        for _ in 0..random.random_range(1..=3_u8) {
            if at_write {
                let nth = random.random_range(1..=self.writes.load(Ordering::Relaxed));
                let side = if random.random_bool(0.5) { "before" } else { "after" };
                let point = format!("ledger-{side}:{nth}");
                let ended = run.wait(&run.program.with("REHOME_REHEARSE_CRASH", &point), None).await;
                match ended.code() {
                    None => died.0 += 1,
                    Some(_) => drop(self.writes.fetch_min(nth.max(8), Ordering::Relaxed)),
                }
                story.push_str(&format!(" {point}"));
            } else {
                let after = self.whole.mul_f64(random.random_range(0.0..1.1));
                let ended = run.wait(&run.program, Some(after)).await;
                died.1 += u64::from(ended.code().is_none());
                story.push_str(&format!(" {after:?}"));
            }
        }
        let told = format!("run {n} to a target with {}, killed at{story}", self.targets[variant].0);
        run.wait(&run.program, None).await.expect(0);
        run.judge(&told).await;
        if n.is_multiple_of(5) {
            run.wait(&run.program, None).await.expect(0);
            run.judge(&format!("{told}, and once more")).await;
        }
        died
    }
}

/// One mailbox that is copied to.
struct Run<'f> {
    field: &'f Field,
    target: &'f Dovecot,
    login: Address,
    folder: TempDir,
    program: Binary,
}

fn endpoint(server: &Dovecot) -> ImapEndpoint {
    ImapEndpoint { host: "127.0.0.1".to_owned(), port: server.port, security: ImapSecurity::Plain }
}

impl<'f> Run<'f> {
    fn new(field: &'f Field, variant: usize, user: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let variables = [("PASSWORD", "secret"), ("REHOME_SETTLE_MILLIS", "300")];
        let variables: BTreeMap<String, String> =
            variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Self {
            field,
            target: &field.targets[variant].1,
            login: Address::parse(&format!("{user}@kills.example")).unwrap(),
            program: Binary::new(folder.path(), variables),
            folder,
        }
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn arguments(&self) -> Vec<String> {
        let url =
            |login: &str, server: &Dovecot| format!("imap://{}@127.0.0.1:{}", login.replace('@', "%40"), server.port);
        vec![
            "copy".to_owned(),
            format!("--from={}", url(SOURCE, &self.field.source)),
            format!("--to={}", url(&self.login.to_string(), self.target)),
            "--from-password=env:PASSWORD".to_owned(),
            "--to-password=env:PASSWORD".to_owned(),
            format!("--state={}", self.state().display()),
            "--quiet".to_owned(),
        ]
    }

    fn words(&self) -> Vec<&'static str> {
        self.arguments().into_iter().map(|word| &*Box::leak(word.into_boxed_str())).collect()
    }

    /// Runs it to its end, or kills it after so long.
    async fn wait(&self, program: &Binary, kill_after: Option<Duration>) -> Ended {
        let arguments = self.arguments();
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut running = program.start("copy", &words).unwrap();
        let begun = Instant::now();
        loop {
            if let Some(status) = running.child.try_wait().unwrap() {
                return running.ended(status);
            }
            if kill_after.is_some_and(|after| begun.elapsed() >= after) {
                running.child.kill().unwrap();
            }
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }

    /// Compares every message, by the independent checker.
    async fn judge(&self, told: &str) {
        let source = Address::parse(SOURCE).unwrap();
        let side = |server: &Dovecot, login| Side { at: endpoint(server), login, password: "secret" };
        let (from, to) = (side(&self.field.source, &source), side(self.target, &self.login));
        let ran = compare(&from, &to, &["--by-use", "--ignore-extra-folders"]).await;
        assert_eq!(ran.code, Some(0), "{told}: {}", ran.output);
    }
}

/// Mail in several folders: many windows, messages of all sizes, equal messages, keywords, odd dates.
pub async fn fill(server: &Dovecot, login: &str) {
    let mut writer = server.connector(login, "secret").connect_writer().await.unwrap();
    let counts = [("INBOX", 150_u32), ("Sent", 40), ("Projekte/Süd", 70), ("Leer", 0), ("Eins", 1)];
    for (folder, count) in counts {
        let name = WireName::encode(folder);
        if folder != "INBOX" {
            writer.create(&name).await.unwrap();
        }
        writer.subscribe(&name).await.unwrap();
        let message = |n: u32| {
            // Every seventh is equal to the one before it.
            let m = n - u32::from(n % 7 == 6);
            let filler = "a line that only makes the message longer\r\n".repeat(usize::try_from(m * m % 97).unwrap());
            let text = format!("Message-ID: <{m}.{folder}@x>\r\nSubject: {m}\r\n\r\n{filler}{m}\r\n");
            let flags: &[&str] = match m % 4 {
                0 => &["\\Seen", "$Forwarded"],
                1 => &["\\Flagged"],
                2 => &["\\Answered", "\\Deleted"],
                _ => &[],
            };
            AppendMessage {
                flags: flags.iter().map(|f| (*f).to_owned()).collect(),
                internal_date: InternalDate::parse(&format!("{:>2}-Feb-2001 03:04:{:02} +0530", 1 + m % 28, m % 60)),
                body: Body::from(text.into_bytes()),
            }
        };
        for n in 0..count {
            writer.append(&name, &message(n)).await.unwrap();
        }
    }
    writer.logout().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_is_killed_at_any_moment_loses_and_doubles_nothing() {
    let Some(field) = Field::start().await else { return };
    let runs = std::env::var("REHOME_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(SAMPLE);
    let kills = stream::iter(0..runs).map(|n| field.killed(n)).buffer_unordered(PARALLEL);
    let (at_write, by_time) = kills.fold((0, 0), |a, b| async move { (a.0 + b.0, a.1 + b.1) }).await;
    eprintln!(
        "{runs} runs, {} kills ({at_write} at a write, {by_time} by time): nothing lost, nothing doubled",
        at_write + by_time
    );
    assert!(at_write + by_time > 0);
}
