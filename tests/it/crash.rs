//! Law 3 with the program itself: it dies at any write of its journal, at any write about a message, or while a server
//! has any of its commands; it is told to stop at any of those, and ends in order; whatever was left, the next run ends
//! with the same world, no effect is made twice, and no message is lost or doubled.
//!
//! A sample of the moments is tried; `REHOME_CRASH_ALL=1` tries all of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::{StreamExt as _, stream};
use rehome::{
    model::{Address, Digest, RecordType},
    sandbox::{ImapBackend, Options, Sandbox, World, mail::StoredMessage, residents::mail_name},
};
use serde_json::Value;
use tempfile::TempDir;

use super::binary::{Binary, Ended, Running};

/// How many moments of each kind are tried, unless all are.
const SAMPLE: u64 = 15;

/// Worlds that are rehearsed in at the same time.
const PARALLEL: usize = 3;

/// The demo: everything that it moves, and everything that hangs on it.
const SPEC: &str = crate::world::DEMO;

/// Everything that a rehearsal must end with.
#[derive(Debug, PartialEq)]
struct Outcome {
    world: Value,
    mail: BTreeMap<String, BTreeMap<String, Vec<String>>>,
    effects: BTreeMap<String, u64>,
}

struct Rehearsal {
    sandbox: Sandbox,
    program: Binary,
    _folder: TempDir,
}

impl Rehearsal {
    async fn start() -> Self {
        let options = Options {
            seed: 5,
            world: World::Demo { messages: 12 },
            imap: ImapBackend::Memory,
            api_port: 0,
            task_delay: Duration::from_millis(5),
        };
        let sandbox = Sandbox::start(options).await.unwrap();
        // As the demo does: its administrator publishes the one record that differs.
        let (name, value) = ("_autodiscover._tcp.blue.example", "0 0 443 pro1.mail.ovh.net");
        sandbox.zones().set(name, RecordType::Srv, &[value], 300).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("rehome.yaml"), SPEC).unwrap();
        let mut variables = sandbox.ready().variables();
        for (name, value) in
            [("REHOME_TASK_PAUSE_MILLIS", "2"), ("REHOME_POLL_MILLIS", "10"), ("REHOME_SETTLE_MILLIS", "20")]
        {
            variables.insert(name.to_owned(), value.to_owned());
        }
        Self { program: Binary::new(folder.path(), variables), sandbox, _folder: folder }
    }

    /// Runs the program, with `child` holding it meanwhile for whoever wants to kill it.
    async fn run(&self, program: &Binary, child: &Mutex<Option<Running>>, args: &[&str]) -> Ended {
        {
            // Whoever wants to kill it waits here until it is there.
            let mut place = child.lock().unwrap();
            *place = Some(program.start(args[0], args).unwrap());
        }
        loop {
            tokio::time::sleep(Duration::from_millis(4)).await;
            let mut place = child.lock().unwrap();
            let running = place.as_mut().unwrap();
            if let Some(status) = running.child.try_wait().unwrap() {
                return running.ended(status);
            }
        }
    }

    async fn plainly(&self, args: &[&str]) -> Ended {
        self.run(&self.program, &Mutex::new(None), args).await
    }

    async fn apply(&self, program: &Binary, child: &Mutex<Option<Running>>) -> Ended {
        self.run(program, child, &["apply", "rehome.yaml", "--auto-approve"]).await
    }

    async fn runs(&self) -> Vec<Value> {
        let log = self.plainly(&["journal", "log", "rehome.yaml", "--format", "json"]).await;
        serde_json::from_str(&log.stdout).unwrap_or_default()
    }

    /// What a person does after a crash: `resume`, or `apply` when nothing had begun.
    async fn recover(&self) {
        match self.runs().await.last() {
            None => {
                self.plainly(&["apply", "rehome.yaml", "--auto-approve"]).await.expect(0);
            }
            Some(run) if run["exit"] == 0 => {}
            Some(_) => {
                self.plainly(&["resume", "rehome.yaml"]).await.expect(0);
            }
        }
    }

    /// What there is at the end, when nothing is left to do.
    async fn end(&self) -> Outcome {
        self.plainly(&["plan", "rehome.yaml", "--detailed-exitcode"]).await.expect(0);
        let api = self.sandbox.api();
        api.idle().await;
        let world = api.dump().await;
        let logins: BTreeSet<(String, Address)> = api.edit(|world| {
            let accounts = world.hosted.values().flat_map(|s| s.accounts.values().map(|a| (s.name.clone(), a)));
            accounts.filter(|(_, a)| a.configured).map(|(service, a)| (service, a.address.clone())).collect()
        });
        let store = self.sandbox.memory().unwrap();
        let mail = logins.into_iter().map(|(service, login)| {
            let folders = store.contents(mail_name(&service), &login).unwrap();
            let folders = folders.into_iter().map(|(name, messages)| {
                let line = |m: StoredMessage| format!("{:?} {:?} {:?}", Digest::of(&m.bytes), m.internal_date, m.flags);
                (name, messages.into_iter().map(line).collect())
            });
            (format!("{login} on {service}"), folders.collect())
        });
        let mail = mail.collect();
        let effects = api.counters().snapshot();
        let effects = effects.into_iter().filter(|(name, _)| name.starts_with("effect."));
        // The same password is set once more on an account that is adopted: nobody can see whether it was set.
        let effects =
            effects.map(|(name, n)| if name.starts_with("effect.changePassword") { (name, 1) } else { (name, n) });
        Outcome { world, mail, effects: effects.collect() }
    }
}

/// A kind of moment at which the program can die.
#[derive(Clone, Copy)]
enum Kind {
    /// By `REHOME_REHEARSE_CRASH`.
    Write(&'static str),
    /// While a server has its command or request.
    Command,
    /// The same, and it is asked to stop: by Ctrl-C at odd numbers, by its supervisor at even ones.
    Asked,
}

struct Matrix {
    uninterrupted: Outcome,
    commands: u64,
}

impl Matrix {
    async fn new() -> Self {
        let rehearsal = Rehearsal::start().await;
        let commands = counting(&rehearsal, |_| {});
        rehearsal.apply(&rehearsal.program, &Mutex::new(None)).await.expect(0);
        let commands = commands.load(Ordering::SeqCst);
        let uninterrupted = rehearsal.end().await;
        assert!(uninterrupted.effects.values().all(|n| *n == 1), "{:?}", uninterrupted.effects);
        assert!(uninterrupted.effects.len() >= 12, "{:?}", uninterrupted.effects);
        assert!(uninterrupted.mail.values().flat_map(BTreeMap::values).map(Vec::len).sum::<usize>() > 100);
        Self { uninterrupted, commands }
    }

    /// Dies at the n-th moment of a kind and recovers; `false` when the run ended before it.
    async fn dies(&self, kind: Kind, nth: u64) -> bool {
        let rehearsal = Rehearsal::start().await;
        let child = Arc::new(Mutex::new(None::<Running>));
        let (label, ended) = match kind {
            Kind::Write(place) => {
                let point = format!("{place}:{nth}");
                let program = rehearsal.program.with("REHOME_REHEARSE_CRASH", &point);
                (point, rehearsal.apply(&program, &child).await)
            }
            Kind::Command => {
                let held = Arc::clone(&child);
                counting(&rehearsal, move |n| {
                    if n == nth {
                        let _ = held.lock().unwrap().as_mut().map(|running| running.child.kill());
                    }
                });
                (format!("command:{nth}"), rehearsal.apply(&rehearsal.program, &child).await)
            }
            Kind::Asked => {
                let held = Arc::clone(&child);
                counting(&rehearsal, move |n| {
                    if n == nth
                        && let Some(running) = held.lock().unwrap().as_ref()
                    {
                        signal(running, if nth % 2 == 1 { "INT" } else { "TERM" });
                    }
                });
                (format!("asked:{nth}"), rehearsal.apply(&rehearsal.program, &child).await)
            }
        };
        let died = match kind {
            Kind::Write(_) | Kind::Command => ended.code().is_none(),
            // Before a run has begun, the signal itself ends it.
            Kind::Asked => [None, Some(if nth % 2 == 1 { 130 } else { 143 })].contains(&ended.code()),
        };
        assert!(died || ended.code() == Some(0), "{label}: {ended:?}");
        if let (true, Kind::Asked, Some(run)) = (died, kind, rehearsal.runs().await.last()) {
            assert!(ended.code().is_some(), "{label}: {ended:?}");
            assert_eq!(run["exit"].as_i64(), ended.code().map(i64::from), "{label}: the journal is complete");
        }
        if died {
            rehearsal.recover().await;
        }
        let end = rehearsal.end().await;
        assert_eq!(end.effects, self.uninterrupted.effects, "{label}: what was done");
        assert_eq!(end.mail, self.uninterrupted.mail, "{label}: the mail");
        assert_eq!(end.world, self.uninterrupted.world, "{label}: the world");
        died
    }

    async fn each(&self, kind: Kind, points: impl IntoIterator<Item = u64>) -> u64 {
        let died = stream::iter(points).map(|nth| self.dies(kind, nth)).buffer_unordered(PARALLEL);
        died.filter(|died| std::future::ready(*died)).count().await as u64
    }

    /// Tries a kind whose number of moments is not known: the last one is searched for, which tries some of them.
    /// Tells how many were tried.
    async fn writes(&self, place: &'static str) -> String {
        let kind = Kind::Write(place);
        let (mut tried, mut last, mut beyond) = (BTreeSet::new(), 0, 1);
        while self.dies(kind, beyond).await {
            tried.insert(beyond);
            last = beyond;
            beyond *= 2;
        }
        while beyond - last > 1 {
            let middle = last + (beyond - last) / 2;
            if self.dies(kind, middle).await {
                tried.insert(middle);
                last = middle;
            } else {
                beyond = middle;
            }
        }
        let rest: Vec<u64> = chosen(last).filter(|n| !tried.contains(n)).collect();
        let died = self.each(kind, rest.clone()).await;
        assert!(last > 20, "{place}: {last}");
        let (tries, died) = (tried.len() + rest.len(), tried.len() as u64 + died);
        format!("{place}: {tries} of {last} moments tried, it died at {died}")
    }
}

fn signal(running: &Running, name: &str) {
    let told = Command::new("kill").args([format!("-{name}"), running.child.id().to_string()]).status();
    assert!(told.unwrap().success());
}

/// Calls `see` with the number of each request to the API and command to a mail server.
fn counting(rehearsal: &Rehearsal, see: impl Fn(u64) + Send + Sync + 'static) -> Arc<AtomicU64> {
    let total = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&total);
    rehearsal.sandbox.api().counters().watch(move |name| {
        if name.starts_with("api.") || name.starts_with("imap.") {
            see(count.fetch_add(1, Ordering::SeqCst) + 1);
        }
    });
    total
}

/// The moments to try out of that many, from 1: all, or a sample spread evenly from the first to the last.
fn chosen(last: u64) -> impl Iterator<Item = u64> {
    let all = std::env::var_os("REHOME_CRASH_ALL").is_some();
    let tries = if all { last } else { SAMPLE.min(last) };
    (0..tries).map(move |i| if tries < 2 { last } else { 1 + i * (last - 1) / (tries - 1) })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_may_die_before_any_write_of_its_journal() {
    eprintln!("{}", Matrix::new().await.writes("before").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_may_die_after_any_write_of_its_journal() {
    eprintln!("{}", Matrix::new().await.writes("after").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_may_die_before_any_write_about_a_message() {
    eprintln!("{}", Matrix::new().await.writes("ledger-before").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_may_die_after_any_write_about_a_message() {
    eprintln!("{}", Matrix::new().await.writes("ledger-after").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_may_be_killed_while_a_server_has_any_of_its_commands() {
    let matrix = Matrix::new().await;
    let points: Vec<u64> = chosen(matrix.commands).collect();
    let died = matrix.each(Kind::Command, points.iter().copied()).await;
    eprintln!("command: {} of {} moments tried, it died at {died}", points.len(), matrix.commands);
    // Polls of tasks come in any number, so the last moments may be beyond the end of a run.
    assert!(died * 10 >= points.len() as u64 * 9, "{died} of {}", points.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_may_be_told_to_stop_while_a_server_has_any_of_its_commands() {
    let matrix = Matrix::new().await;
    let points: Vec<u64> = chosen(matrix.commands).collect();
    let stopped = matrix.each(Kind::Asked, points.iter().copied()).await;
    eprintln!("asked: {} of {} moments tried, it stopped at {stopped}", points.len(), matrix.commands);
    // Asked during the last action, it ends as it would have.
    assert!(stopped * 10 >= points.len() as u64 * 7, "{stopped} of {}", points.len());
}
