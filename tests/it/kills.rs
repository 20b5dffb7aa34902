//! `rehome copy` is killed at any moment, between real servers, and nothing is lost or doubled.
//!
//! Half of the runs die by SIGKILL at a random time. The others die at a chosen point: at a write of the ledger
//! (`REHOME_REHEARSE_CRASH`), when the server was sent a message, or when its OK is on the way back. The target has
//! UIDPLUS, MULTIAPPEND and LITERAL+ or lacks some of them. The judge is `tests/check_mail.py`, which shares nothing with
//! the program. A sample is tried; `REHOME_KILLS=1000` tries that many, from `REHOME_KILLS_FROM` on.

pub mod gate;

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

use self::gate::{Gate, Moment};
use super::{
    binary::{Binary, Ended},
    imap::dovecot::{Dovecot, Setup},
    sandbox_mail::python::{Side, compare},
};

/// How many runs are tried when nobody says.
const SAMPLE: u64 = 24;
/// Runs at the same time.
const PARALLEL: usize = 2;
const SOURCE: &str = "source@kills.example";

/// What the targets offer, beside what every server here does.
const VARIANTS: [(&str, &str); 6] = [
    ("everything", "UIDPLUS MULTIAPPEND LITERAL+"),
    ("no uidplus", "MULTIAPPEND LITERAL+"),
    ("no multiappend", "UIDPLUS LITERAL+"),
    ("no literal+", "UIDPLUS MULTIAPPEND"),
    ("literal-", "UIDPLUS MULTIAPPEND LITERAL-"),
    ("nothing", ""),
];

const ALWAYS: &str = "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE NAMESPACE CHILDREN UNSELECT LIST-EXTENDED \
                      LIST-STATUS SPECIAL-USE CONDSTORE QRESYNC ESEARCH WITHIN";

struct Field {
    source: Dovecot,
    targets: Vec<(&'static str, Dovecot)>,
    /// No run takes more milliseconds than this when nobody kills it.
    whole: AtomicU64,
    /// No run writes to the ledger more often than this.
    writes: AtomicU64,
    /// No run appends more often than this.
    appends: AtomicU64,
}

/// How a run is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Means {
    Time,
    Write,
    Received,
    Answered,
}

/// How often runs died, and how many of them did at all.
#[derive(Clone, Copy, Debug, Default)]
struct Died {
    runs: u64,
    by_time: u64,
    at_write: u64,
    received: u64,
    answered: u64,
}

impl Died {
    fn and(self, other: Self) -> Self {
        Self {
            runs: self.runs + other.runs,
            by_time: self.by_time + other.by_time,
            at_write: self.at_write + other.at_write,
            received: self.received + other.received,
            answered: self.answered + other.answered,
        }
    }

    fn note(&mut self, means: Means) {
        let kills = match means {
            Means::Time => &mut self.by_time,
            Means::Write => &mut self.at_write,
            Means::Received => &mut self.received,
            Means::Answered => &mut self.answered,
        };
        *kills += 1;
        self.runs = 1;
    }

    fn kills(self) -> u64 {
        self.by_time + self.at_write + self.received + self.answered
    }
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
        let [whole, writes, appends] = [1, 60, 40].map(AtomicU64::new);
        let field = Self { source, targets, whole, writes, appends };
        let mut longest = Duration::ZERO;
        for variant in 0..field.targets.len() {
            let run = Run::new(&field, variant, &format!("whole{variant}")).await;
            let begun = Instant::now();
            run.program.run(&run.words()).expect(0);
            longest = longest.max(begun.elapsed());
            run.judge("nobody killed it").await;
        }
        field.whole.store(u64::try_from(longest.as_millis()).unwrap(), Ordering::Relaxed);
        Some(field)
    }

    /// One run that is killed up to three times and then left to end.
    async fn killed(&self, n: u64) -> Died {
        let mut random = SmallRng::seed_from_u64(n);
        let variant = usize::try_from(n).unwrap() % self.targets.len();
        let run = Run::new(self, variant, &format!("t{n}")).await;
        let by_time = (n / self.targets.len() as u64).is_multiple_of(2);
        let mut died = Died::default();
        let mut story = String::new();
        for _ in 0..random.random_range(1..=3_u8) {
            let chosen = [Means::Write, Means::Received, Means::Answered];
            let means = if by_time { Means::Time } else { chosen[random.random_range(0..chosen.len())] };
            if self.kill(&run, means, &mut random, &mut story).await {
                died.note(means);
            }
        }
        run.gate.set(None);
        let told = format!("run {n} to a target with {}, killed at{story}", self.targets[variant].0);
        run.wait(&run.program, None).await.expect(0);
        run.judge(&told).await;
        if n.is_multiple_of(5) {
            run.wait(&run.program, None).await.expect(0);
            run.judge(&format!("{told}, and once more")).await;
        }
        died
    }

    /// Kills a run once. Whether it died of it: one that is through before learns its bound.
    async fn kill(&self, run: &Run<'_>, means: Means, random: &mut SmallRng, story: &mut String) -> bool {
        let bound = match means {
            Means::Time => &self.whole,
            Means::Write => &self.writes,
            Means::Received | Means::Answered => &self.appends,
        };
        let at = random.random_range(1..=bound.load(Ordering::Relaxed));
        let nth = u32::try_from(at).unwrap();
        let (mut program, mut after, mut moment) = (run.program.clone(), None, None);
        match means {
            Means::Time => after = Some(Duration::from_millis(at)),
            Means::Write => {
                let side = if random.random_bool(0.5) { "before" } else { "after" };
                program = program.with("REHOME_REHEARSE_CRASH", &format!("ledger-{side}:{at}"));
            }
            Means::Received => moment = Some(Moment::Received(nth)),
            Means::Answered => moment = Some(Moment::Answered(nth)),
        }
        run.gate.set(moment);
        let died = run.wait(&program, after).await.code().is_none();
        if !died {
            bound.fetch_min(at.max(8), Ordering::Relaxed);
        }
        story.push_str(&format!(" {means:?} {at}{}", if died { "" } else { " (it was through)" }));
        died
    }
}

/// One mailbox that is copied to.
struct Run<'f> {
    field: &'f Field,
    target: &'f Dovecot,
    gate: Gate,
    login: Address,
    folder: TempDir,
    program: Binary,
}

fn endpoint(server: &Dovecot) -> ImapEndpoint {
    ImapEndpoint { host: "127.0.0.1".to_owned(), port: server.port, security: ImapSecurity::Plain }
}

impl<'f> Run<'f> {
    async fn new(field: &'f Field, variant: usize, user: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let variables = [("PASSWORD", "secret"), ("REHOME_SETTLE_MILLIS", "300")];
        let variables: BTreeMap<String, String> =
            variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Self {
            field,
            target: &field.targets[variant].1,
            gate: Gate::start(field.targets[variant].1.port).await,
            login: Address::parse(&format!("{user}@kills.example")).unwrap(),
            program: Binary::new(folder.path(), variables),
            folder,
        }
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn arguments(&self) -> Vec<String> {
        let url = |login: &str, port: u16| format!("imap://{}@127.0.0.1:{port}", login.replace('@', "%40"));
        vec![
            "copy".to_owned(),
            format!("--from={}", url(SOURCE, self.field.source.port)),
            format!("--to={}", url(&self.login.to_string(), self.gate.port)),
            "--from-password=env:PASSWORD".to_owned(),
            "--to-password=env:PASSWORD".to_owned(),
            format!("--state={}", self.state().display()),
            "--quiet".to_owned(),
        ]
    }

    fn words(&self) -> Vec<&'static str> {
        self.arguments().into_iter().map(|word| &*Box::leak(word.into_boxed_str())).collect()
    }

    /// Runs it to its end, or kills it after so long or when the gate says so.
    async fn wait(&self, program: &Binary, kill_after: Option<Duration>) -> Ended {
        let arguments = self.arguments();
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut running = program.start("copy", &words).unwrap();
        let begun = Instant::now();
        loop {
            if let Some(status) = running.child.try_wait().unwrap() {
                return running.ended(status);
            }
            if self.gate.has_come() || kill_after.is_some_and(|after| begun.elapsed() >= after) {
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
    let from = std::env::var("REHOME_KILLS_FROM").ok().and_then(|n| n.parse().ok()).unwrap_or(0);
    let kills = stream::iter(from..from + runs).map(|n| field.killed(n)).buffer_unordered(PARALLEL);
    let died = kills.fold(Died::default(), |a, b| async move { a.and(b) }).await;
    eprintln!("{runs} runs from {from}, {} kills ({died:?}): nothing lost, nothing doubled", died.kills());
    assert!(2 * died.runs >= runs, "half of the runs were not killed at all: {died:?}");
    let each = [died.by_time, died.at_write, died.received, died.answered];
    assert!(each.iter().all(|n| *n > 0), "{died:?}");
}
