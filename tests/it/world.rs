//! The one harness of scenarios that run the real program: a sandbox in this process, a folder with a spec, and the
//! built binary with an environment of its own.
//!
//! What must be true whatever the scenario is, is checked here and not in the scenarios: commands that promise to change
//! nothing send nothing that could, no secret leaves the places it belongs to, and when an apply ended well, the next
//! plan is empty.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use rehome::{
    model::{Address, RecordType},
    sandbox::{
        ImapBackend, Options, Ready, Sandbox, World as People,
        api::{
            Fault, FaultKind, When,
            world::{Hosted, World as Platforms},
        },
    },
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::binary::{self, Binary};

/// The spec of the demo: three people of blue.example go from Exchange to Email Pro.
pub const DEMO: &str = include_str!("../../specs/demo.yaml");

/// Messages in each mailbox: all folders, few messages.
const MESSAGES: usize = 8;

/// No command of a test takes longer, unless it hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// Commands that change what the plan says.
const CHANGING: [&str; 2] = ["apply", "resume"];

/// Commands that promise to change nothing.
const READERS: [&str; 18] = [
    "validate",
    "plan",
    "show",
    "status",
    "report",
    "verify",
    "doctor",
    "journal",
    "platforms",
    "schema",
    "completions",
    "init",
    "drift",
    "diff",
    "import",
    "fmt",
    "protect",
    "man",
];

/// IMAP commands that change nothing (SELECT may take `\Recent` away, so it is not among them).
const READING: [&str; 17] = [
    "AUTHENTICATE",
    "CAPABILITY",
    "COMPRESS",
    "ENABLE",
    "EXAMINE",
    "FETCH",
    "GETQUOTA",
    "GETQUOTAROOT",
    "ID",
    "LIST",
    "LOGIN",
    "LOGOUT",
    "LSUB",
    "NAMESPACE",
    "NOOP",
    "SEARCH",
    "STATUS",
];

/// A mail world, a folder to work in, and the program.
pub struct World {
    sandbox: Sandbox,
    runtime: Runtime,
    folder: TempDir,
    variables: RefCell<BTreeMap<String, String>>,
    /// Files below the folder in which a secret may stand.
    secret_files: RefCell<BTreeSet<PathBuf>>,
    runs: Cell<u32>,
    /// Whether the last apply or resume ended well.
    applied: Cell<bool>,
    /// Programs under way that may change something.
    changing: Cell<u32>,
    _filters: insta::internals::SettingsBindDropGuard,
}

impl World {
    /// The world of the demo with the demo's spec as `rehome.yaml`, and with DNS as the new platform wants it.
    pub fn demo() -> Self {
        Self::with(DEMO)
    }

    /// The same with another spec.
    pub fn with(spec: &str) -> Self {
        let world = Self::before(spec, MESSAGES);
        world.autodiscover("pro1.mail.ovh.net");
        world
    }

    /// The same with that many messages in each mailbox, and with DNS as the old platform wants it.
    pub fn before(spec: &str, messages: usize) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let options = Options {
            seed: 1,
            world: People::Demo { messages },
            imap: ImapBackend::Memory,
            api_port: 0,
            task_delay: Duration::from_millis(5),
        };
        let sandbox = runtime.block_on(Sandbox::start(options)).unwrap();
        let folder = tempfile::Builder::new().prefix("rehome-it-").tempdir().unwrap();
        for part in ["work", "home", "out"] {
            fs::create_dir(folder.path().join(part)).unwrap();
        }
        let variables = sandbox.ready().variables();
        let world = Self {
            _filters: filters(folder.path()),
            sandbox,
            runtime,
            folder,
            variables: RefCell::new(variables),
            secret_files: RefCell::default(),
            runs: Cell::new(0),
            applied: Cell::new(false),
            changing: Cell::new(0),
        };
        world.write("rehome.yaml", spec);
        world
    }

    /// The sandbox, to change it behind the program's back.
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// How to reach it.
    pub fn ready(&self) -> Ready {
        self.sandbox.ready()
    }

    /// Changes the platforms behind the program's back.
    pub fn edit<R>(&self, change: impl FnOnce(&mut Platforms) -> R) -> R {
        self.sandbox.api().edit(change)
    }

    /// Changes one hosted service behind the program's back.
    pub fn edit_hosted<R>(&self, service: &str, change: impl FnOnce(&mut Hosted) -> R) -> R {
        self.edit(|platforms| change(platforms.hosted.get_mut(service).unwrap()))
    }

    /// Every request of that kind fails from now on.
    pub fn fails(&self, verb: &str, path: &str, kind: FaultKind, when: When) {
        self.sandbox.api().faults().add(Fault { times: 0, ..Fault::once(verb, path, kind, when) });
    }

    /// Waits for something of the sandbox.
    pub fn wait_for<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// Does something beside the scenario, for as long as the world lasts.
    pub fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(future);
    }

    /// The host that the zone of blue.example tells mail programs.
    pub fn autodiscover(&self, host: &str) {
        let value = format!("0 0 443 {host}");
        self.sandbox.zones().set("_autodiscover._tcp.blue.example", RecordType::Srv, &[value.as_str()], 300).unwrap();
    }

    /// The folder that commands run in.
    pub fn dir(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// Writes a file of that folder.
    pub fn write(&self, name: &str, content: &str) {
        let path = self.dir().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Writes a file that holds a secret, with that mode.
    pub fn write_secret(&self, name: &str, secret: &str, mode: u32) {
        use std::os::unix::fs::PermissionsExt as _;
        self.write(name, secret);
        fs::set_permissions(self.dir().join(name), fs::Permissions::from_mode(mode)).unwrap();
        self.secret_files.borrow_mut().insert(self.dir().join(name));
    }

    /// Reads a file of that folder.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.dir().join(name)).unwrap()
    }

    /// Replaces text in the spec; it must be there.
    pub fn respec(&self, from: &str, to: &str) {
        let spec = self.read("rehome.yaml");
        assert!(spec.contains(from), "the spec has no `{from}`");
        self.write("rehome.yaml", &spec.replace(from, to));
    }

    /// Sets an environment variable of the program.
    pub fn set(&self, name: &str, value: &str) {
        self.variables.borrow_mut().insert(name.to_owned(), value.to_owned());
    }

    /// Takes an environment variable of the program away.
    pub fn unset(&self, name: &str) {
        assert!(self.variables.borrow_mut().remove(name).is_some(), "{name} was not set");
    }

    /// The messages of a mailbox as bytes, over all folders, sorted.
    pub fn mail(&self, service: &str, address: &str) -> Vec<Vec<u8>> {
        let address = Address::parse(address).unwrap();
        let folders = self.sandbox.memory().unwrap().contents(service, &address).unwrap();
        let mut all: Vec<Vec<u8>> = folders.into_values().flatten().map(|m| m.bytes.to_vec()).collect();
        all.sort();
        all
    }

    /// Runs the program to its end.
    pub fn run(&self, words: &[&str]) -> Ran {
        self.start(words).end()
    }

    /// Starts the program; `end` must follow.
    pub fn start(&self, words: &[&str]) -> Running<'_> {
        let n = self.runs.get() + 1;
        self.runs.set(n);
        let home = self.folder.path().join("home").display().to_string();
        let mut variables = self.variables.borrow().clone();
        variables.extend([("HOME".to_owned(), home), ("USER".to_owned(), "tester".to_owned())]);
        let program = Binary::new(&self.dir(), variables).writing_to(self.folder.path().join("out"));
        let process = program.start(&n.to_string(), words).unwrap();
        let words: Vec<String> = words.iter().map(|&w| w.to_owned()).collect();
        let beside = self.changing.get() > 0;
        let changing = words.iter().any(|w| CHANGING.contains(&w.as_str())).then(|| Changing::begin(self));
        Running {
            world: self,
            before: (!beside).then(|| self.changes()),
            process,
            words,
            started: Instant::now(),
            _changing: changing,
        }
    }

    /// What was sent so far that can change something.
    fn changes(&self) -> BTreeMap<String, u64> {
        let mut counts = self.sandbox.api().counters().snapshot();
        counts.retain(|name, _| match name.split('.').collect::<Vec<_>>().as_slice() {
            ["imap", _, verb] => !READING.contains(verb),
            ["mutating", ..] => true,
            _ => false,
        });
        counts
    }

    /// Everything that must not be seen: the keys, and all passwords, those made on the way too.
    fn secrets(&self) -> Vec<Vec<u8>> {
        let ready = self.ready();
        let mut secrets: Vec<Vec<u8>> = [ready.application_secret, ready.consumer_key, ready.client_secret]
            .into_iter()
            .chain(ready.accounts.into_iter().map(|a| a.password))
            .map(String::into_bytes)
            .collect();
        for path in files(&self.dir()).into_iter().filter(|p| self.may_hold_secrets(p)) {
            secrets.push(fs::read(path).unwrap().trim_ascii().to_vec());
        }
        secrets.retain(|s| s.len() >= 6);
        secrets
    }

    fn may_hold_secrets(&self, path: &Path) -> bool {
        path.starts_with(self.dir().join("secrets")) || self.secret_files.borrow().contains(path)
    }

    /// Law 7: no secret in an answer, a log, a plan, the events, or the journal.
    fn no_secret_is_seen(&self) {
        let secrets = self.secrets();
        let shown = files(self.folder.path()).into_iter().filter(|p| !self.may_hold_secrets(p));
        for path in shown {
            let mut bytes = Vec::new();
            // A lock file of a run that ends just now may be gone.
            let Ok(_) = File::open(&path).and_then(|mut f| f.read_to_end(&mut bytes)) else { continue };
            for secret in &secrets {
                let seen = bytes.windows(secret.len()).any(|window| window == secret);
                assert!(!seen, "a secret stands in {}", path.display());
            }
        }
    }

    /// Says that the scenario ends on purpose before everything is as the spec wants it.
    pub fn leaves_more_to_do(&self) {
        self.applied.set(false);
    }

    /// What must hold after every scenario that ended well: there is nothing left to do.
    pub fn settle(&self) {
        let again = self.run(&["plan", "rehome.yaml", "--detailed-exitcode"]);
        assert_eq!(again.code, 0, "a second plan is not empty: {again}");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if self.applied.get() && !std::thread::panicking() {
            self.settle();
        }
    }
}

/// The program while it runs.
pub struct Running<'a> {
    world: &'a World,
    /// What was changed before it began; `None` when something else may change things meanwhile.
    before: Option<BTreeMap<String, u64>>,
    process: binary::Running,
    words: Vec<String>,
    started: Instant,
    _changing: Option<Changing<'a>>,
}

/// As long as it lives, a program is under way that may change something.
struct Changing<'a>(&'a World);

impl<'a> Changing<'a> {
    fn begin(world: &'a World) -> Self {
        world.changing.update(|n| n + 1);
        Self(world)
    }
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        self.0.changing.update(|n| n - 1);
    }
}

impl Running<'_> {
    /// Sends it a signal, `INT` or `TERM` or `KILL`.
    pub fn signal(&self, name: &str) {
        let sent =
            Command::new("sh").args(["-c", &format!("kill -{name} {}", self.process.child.id())]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits until something is true.
    pub fn until(&mut self, what: &str, mut is: impl FnMut(&World) -> bool) {
        while !is(self.world) {
            assert!(self.process.child.try_wait().unwrap().is_none(), "it ended before {what}: {}", self.told());
            assert!(self.started.elapsed() < PATIENCE, "never saw {what}: {}", self.told());
            pause();
        }
    }

    /// Waits until a line of stderr holds that text.
    pub fn until_it_says(&mut self, text: &str) {
        let err = self.process.err.clone();
        self.until(text, |_| fs::read_to_string(&err).unwrap().contains(text));
    }

    fn told(&self) -> String {
        let read = |path: &Path| fs::read_to_string(path).unwrap();
        read(&self.process.out) + &read(&self.process.err)
    }

    /// Waits for its end, and checks what is true of every command.
    pub fn end(mut self) -> Ran {
        let status = loop {
            if let Some(status) = self.process.child.try_wait().unwrap() {
                break status;
            }
            if self.started.elapsed() > PATIENCE {
                self.process.child.kill().unwrap();
                self.process.child.wait().unwrap();
                panic!("rehome {} does not end: {}", self.words.join(" "), self.told());
            }
            pause();
        };
        let ended = self.process.ended(status);
        let words = self.words.join(" ");
        let ran = Ran { words, code: ended.code().unwrap_or(-1), out: ended.stdout, err: ended.stderr };
        let command = self.words.iter().find(|w| !w.starts_with('-')).map_or("", String::as_str);
        // Who watches a run changes nothing, but the run does.
        let watches = self.words.iter().any(|w| w == "--watch");
        if (READERS.contains(&command) && !watches) || self.words.iter().any(|w| w == "--dry-run") {
            let before = self.before.unwrap_or_else(|| self.world.changes());
            assert_eq!(self.world.changes(), before, "rehome {} changed something", ran.words);
        }
        if CHANGING.contains(&command) && !ran.out.contains("\nUsage: ") {
            self.world.applied.set(ran.code == 0);
        }
        self.world.no_secret_is_seen();
        ran
    }
}

/// Lets the program in the other process go on.
#[expect(clippy::disallowed_methods, reason = "a scenario is a plain thread that waits for another process")]
pub fn pause() {
    std::thread::sleep(Duration::from_millis(3));
}

/// The end of a command.
pub struct Ran {
    words: String,
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// Asserts the exit code; a failure shows everything that was said.
    #[track_caller]
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self}");
        self
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "$ rehome {}", self.words)?;
        if !self.out.is_empty() {
            writeln!(f, "{}", self.out.trim_end())?;
        }
        if !self.err.is_empty() {
            writeln!(f, "--- stderr\n{}", self.err.trim_end())?;
        }
        write!(f, "--- exit {}", self.code)
    }
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { out.extend(files(&path)) } else { out.push(path) }
    }
    out
}

/// What differs from run to run: folders, ports, times, ids.
fn filters(folder: &Path) -> insta::internals::SettingsBindDropGuard {
    let mut settings = insta::Settings::clone_current();
    for (pattern, shown) in [
        (&*format!("{}/work", folder.display()), "[DIR]"),
        (r"127\.0\.0\.1:\d+", "127.0.0.1:[PORT]"),
        (r"EU\.sandbox-1\.[0-9a-f]+", "[QUERY]"),
        (r"\b([Pp]lan) [0-9a-f]{8,64}\b", "$1 [ID]"),
        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z", "[TIME]"),
        (r"process \d+ on [^\s,)]+", "process [PID] on [HOST]"),
        (r"\b\d+(\.\d+)? m?s\b", "[DURATION]"),
    ] {
        settings.add_filter(pattern, shown);
    }
    settings.bind_to_scope()
}
