//! Runs a plan: lease, platforms, mail, passwords, DNS and screen put together around [`crate::apply`].

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;

use super::{
    acks,
    args::ApplyArgs,
    context::Context,
    control::{self, Pause, Server},
    endpoint,
    env::Env,
    failure::Failure,
    gates::Doorman,
    hooks::Programs,
    interrupt::Interrupt,
    mail::{Asked, Mailman},
    names::Names,
    post::Postman,
    screen::Screen,
};
use crate::{
    apply::{self, Options, PasswordError, Passwords, RunSummary},
    diag::{self, Exit, Finding, Severity},
    journal::{
        FaultPoint, Journal, Lease,
        ledger::{self, Ledger},
    },
    model::{Address, Event, EventSink as _, Inventory, NoteKind, PasswordSource, Phase, PlatformId, Secret},
    plan::Plan,
    provider::{Provider, Reader, capabilities_of},
    report,
    spec::{Spec, secrets},
};

/// How long a lease lives without a sign of life from its run.
const LEASE: Duration = Duration::from_secs(60);

/// One application of a plan.
pub(super) struct Job<'a> {
    /// The surroundings.
    pub(super) context: &'a Context,
    /// The spec.
    pub(super) spec: &'a Spec,
    /// The plan.
    pub(super) plan: &'a Plan,
    /// What was seen last.
    pub(super) inventory: &'a Inventory,
    /// The platforms, open for changes.
    pub(super) platforms: &'a BTreeMap<PlatformId, Arc<dyn Provider>>,
    /// The folder of the journal.
    pub(super) workspace: PathBuf,
    /// What was typed.
    pub(super) args: &'a ApplyArgs,
    /// Whether it goes on with an earlier run.
    pub(super) resume: bool,
    /// What it was asked for with.
    pub(super) asked: Asked,
}

impl<'a> Job<'a> {
    /// A first run of a spec's plan, in the folder of its journal.
    pub(super) fn new(
        context: &'a Context,
        (spec, plan): (&'a Spec, &'a Plan),
        inventory: &'a Inventory,
        platforms: &'a BTreeMap<PlatformId, Arc<dyn Provider>>,
        workspace: PathBuf,
        args: &'a ApplyArgs,
    ) -> Self {
        Self { context, spec, plan, inventory, platforms, workspace, args, resume: false, asked: Asked::Spec }
    }

    /// Runs the plan to its end, whatever end that is.
    pub(super) async fn run(self) -> Result<Ended, Failure> {
        let acks = acks::read(self.args, self.plan)?;
        let until = self.args.until.as_deref().map(|name| until(self.plan, name)).transpose()?;
        let pause = Arc::new(Pause::default());
        let doorman = Doorman::new(&self.plan.body.gates, self.args, &self.workspace, &pause)?;
        let journal = Journal::open(&self.workspace)?;
        let crash = RehearsedCrash::asked_for(self.context)?;
        if let Some(crash) = crash {
            crash.arm_journal(&journal);
        }
        let lease = journal.acquire_lease(&self.context.actor(), LEASE)?;
        remember_protection(self.spec, &journal, &lease)?;
        let screen = Arc::new(Screen::open(&self.context.global)?);
        let interrupt = Interrupt::listen();
        let mail = Mailman::new(self.context, self.spec, self.inventory, &journal, &screen, &interrupt, self.asked);
        if let Some(crash) = crash {
            crash.arm_ledger(mail.ledger());
        }
        let server = self.serve(control::Desk::new(&screen, &pause, mail.dials()));
        let passwords = Keys { env: &self.context.env, spec: self.spec };
        let readers: BTreeMap<PlatformId, Arc<dyn Reader>> =
            self.platforms.iter().map(|(id, p)| (id.clone(), Arc::clone(p) as Arc<dyn Reader>)).collect();
        let servers = self.context.dns_servers()?;
        let writers = self.context.zone_writers(self.spec, self.plan, &servers)?;
        let post = Some(Postman::new(self.context, self.spec, self.inventory, servers.clone()));
        let names = Names { spec: self.spec, readers: &readers, servers, ports: self.context.ports(), writers, post };
        let options = Options {
            acks,
            no_wait: self.args.no_wait,
            parallel: self.args.parallel.max(1),
            resume: self.resume,
            until,
            cancel: interrupt.gentle.clone(),
            stop_now: interrupt.hard.clone(),
            stopped_by: Arc::clone(&interrupt.first),
            poll: self.context.poll(),
            gatekeeper: Arc::new(doorman),
            hooks: Arc::new(Programs::of(self.spec)),
            clock: self.context.clock(),
            ..Options::default()
        };
        let mut summary = apply::run(apply::Context {
            plan: self.plan,
            journal: &journal,
            lease: &lease,
            platforms: self.platforms,
            mail: &mail,
            passwords: &passwords,
            dns: &names,
            events: screen.as_ref(),
            options,
        })
        .await;
        if let Some(server) = server {
            server.end().await;
        }
        drop(mail);
        if let Some(exit) = interrupt.exit()
            && summary.exit != Exit::Ok
        {
            summary.exit = exit;
        }
        // A lease that is lost by now was taken over, and the summary says so already.
        let _ = lease.release();
        Ok(Ended { summary, told: screen.summary() })
    }

    /// Opens the control socket. A run that cannot be steered is better than none.
    fn serve(&self, desk: control::Desk) -> Option<Server> {
        let screen = Arc::clone(&desk.screen);
        match Server::start(&self.workspace, desk) {
            Ok(server) => Some(server),
            Err(error) => {
                let why = match error.kind() {
                    std::io::ErrorKind::InvalidInput => "the path of its folder is too long for a socket".to_owned(),
                    _ => error.to_string(),
                };
                let message = format!("`rehome pause` and `status --watch` will not find this run: {why}");
                screen.emit(Event::Warning { message });
                None
            }
        }
    }
}

/// Writes into the journal which accounts the spec protects: it outlives the spec.
fn remember_protection(spec: &Spec, journal: &Journal, lease: &Lease) -> Result<(), Failure> {
    let wanted: Vec<&Address> = spec.accounts.iter().filter(|(_, a)| a.protect).map(|(address, _)| address).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let known = journal.state()?.protected;
    for address in wanted.into_iter().filter(|a| !known.contains(*a)) {
        journal.protect(lease, address)?;
    }
    Ok(())
}

/// How many actions of a plan stand up to a name: that of an action, or of a phase.
fn until(plan: &Plan, name: &str) -> Result<usize, Failure> {
    let actions = &plan.body.actions;
    let phase: Option<Phase> = serde_json::from_value(serde_json::Value::from(name)).ok();
    let last = match phase {
        Some(phase) => Some(actions.iter().rposition(|a| a.phase <= phase).map_or(0, |at| at + 1)),
        None => actions.iter().position(|a| a.id.as_str() == name).map(|at| at + 1),
    };
    last.ok_or_else(|| {
        Failure::new(Exit::Invalid, format!("the plan has no action and no phase called `{name}`")).help(
            "phases are domain, account, dependent, copy, verify, cutover, retire; `plan --format json` names the actions",
        )
    })
}

/// How a run ended: what the executor says, and what was told on the way.
pub(super) struct Ended {
    /// The executor's own account.
    pub(super) summary: RunSummary,
    /// The sum of all events.
    pub(super) told: report::Summary,
}

/// The end of the process at a chosen write of the journal, so that recovery can be rehearsed with the real program:
/// `REHOME_REHEARSE_CRASH=before:7` dies right before the seventh write, `after:7` right after it; `ledger-before:7` and
/// `ledger-after:7` count the writes about messages instead of those about actions.
#[derive(Clone, Copy)]
struct RehearsedCrash {
    in_ledger: bool,
    after: bool,
    /// The write, from 1.
    nth: u64,
}

/// Arms what `REHOME_REHEARSE_CRASH` asks for in a ledger that is used without a run.
pub(super) fn rehearse_death(context: &Context, ledger: &Ledger) -> Result<(), Failure> {
    if let Some(crash) = RehearsedCrash::asked_for(context)? {
        crash.arm_ledger(ledger);
    }
    Ok(())
}

impl RehearsedCrash {
    fn asked_for(context: &Context) -> Result<Option<Self>, Failure> {
        let Some(text) = context.env.get("REHOME_REHEARSE_CRASH") else { return Ok(None) };
        let parsed = text.split_once(':').and_then(|(place, nth)| {
            let (in_ledger, side) = place.strip_prefix("ledger-").map_or((false, place), |side| (true, side));
            let after = match side {
                "before" => false,
                "after" => true,
                _ => return None,
            };
            Some(Self { in_ledger, after, nth: nth.parse().ok()? })
        });
        parsed.map(Some).ok_or_else(|| {
            let message = format!("REHOME_REHEARSE_CRASH={text} is none of [ledger-]before:N and [ledger-]after:N");
            Failure::new(Exit::Invalid, message)
        })
    }

    fn arm_journal(self, journal: &Journal) {
        if self.in_ledger {
            return;
        }
        journal.set_fault(move |point: FaultPoint| {
            // Writes are counted from 0 there and from 1 by people.
            if point.write + 1 == self.nth && point.after == self.after {
                std::process::abort();
            }
            false
        });
    }

    fn arm_ledger(self, ledger: &Ledger) {
        if self.in_ledger {
            let fault = if self.after { ledger::Fault::After(self.nth) } else { ledger::Fault::Before(self.nth) };
            ledger.die_at(fault, || std::process::abort());
        }
    }
}

/// Reads passwords, or generates and delivers them.
struct Keys<'a> {
    env: &'a Env,
    spec: &'a Spec,
}

#[async_trait]
impl Passwords for Keys<'_> {
    async fn obtain(
        &self,
        source: &PasswordSource,
        platform: &PlatformId,
        address: &Address,
    ) -> Result<Secret, PasswordError> {
        let failed = |error: secrets::SecretError, help: &str| PasswordError {
            context: format!("the password of {address} on {platform} cannot be had"),
            help: Some(help.to_owned()),
            source: Some(Box::new(error)),
        };
        match source {
            PasswordSource::Given(reference) => {
                self.env.secret(reference, &self.spec.base).map_err(|e| failed(e, "set it where the spec says"))
            }
            PasswordSource::Generate(delivery) => {
                let rules = self.spec.platforms.get(platform).map(|p| capabilities_of(p.kind));
                let policy = rules.as_ref().map(secrets::PasswordPolicy::of);
                secrets::read_or_generate(delivery, &policy.unwrap_or_default(), &self.spec.base)
                    .map_err(|e| failed(e, "see docs/passwords.md"))
            }
        }
    }
}

/// The exit code of a list of findings.
pub(super) fn exit_of_findings<'f>(findings: impl IntoIterator<Item = &'f Finding>) -> Exit {
    let bad: Vec<&Finding> = findings.into_iter().filter(|f| f.severity >= Severity::Error).collect();
    if bad.is_empty() {
        Exit::Ok
    } else if bad.iter().any(|f| f.severity == Severity::Error) {
        Exit::Differences
    } else if bad.iter().all(|f| f.code == LOGIN_REFUSED) {
        Exit::Denied
    } else {
        Exit::Unreachable
    }
}

/// The code of notes and findings about a mailbox that the spec's password does not open.
pub(super) const LOGIN_REFUSED: &str = "login-refused";

/// The exit code of a plan without actions: whether nothing has to be done, or nothing can be.
pub(super) fn exit_of_nothing(plan: &Plan) -> Exit {
    let codes = |kind| plan.body.notes.iter().filter(move |n| n.kind == kind).map(|n| n.code.as_str());
    let blocked: Vec<&str> = codes(NoteKind::Blocked).collect();
    let all = |words: &[&str]| blocked.iter().all(|code| words.contains(code));
    if codes(NoteKind::Ambiguous).next().is_some() {
        Exit::Decide
    } else if blocked.is_empty() {
        if codes(NoteKind::Waiting).next().is_some() { Exit::Waiting } else { Exit::Ok }
    } else if all(&[LOGIN_REFUSED]) {
        Exit::Denied
    } else if all(&["mailbox-unreachable", "incomplete-listing", "dns-unknown", "mta-sts-unread"]) {
        Exit::Unreachable
    } else {
        Exit::Failed
    }
}

/// A run that can go on.
pub(super) struct Unfinished {
    /// The folder of the journal.
    pub(super) workspace: PathBuf,
    /// The spec.
    pub(super) spec: PathBuf,
    /// The plan of the run.
    pub(super) plan: Plan,
}

/// Whether there is a run to go on with.
pub(super) enum Latest {
    /// There is.
    Unfinished(Box<Unfinished>),
    /// It has ended well.
    Ended,
    /// Nothing was applied yet.
    None,
}

/// The run behind what was typed. Only the latest run counts: those before it were overtaken.
pub(super) fn latest(context: &Context, typed: &Path) -> Result<Latest, Failure> {
    let workspace = context.workspace(typed);
    let Some(journal) = Journal::open_read_only(&workspace)? else {
        return Err(Failure::new(Exit::Failed, format!("there is no journal in {}", workspace.display()))
            .help("nothing was applied from here; give the spec: rehome resume SPEC"));
    };
    let run = match journal.latest_run()? {
        None => return Ok(Latest::None),
        Some(run) if run.exit == Some(0) => return Ok(Latest::Ended),
        Some(run) => run,
    };
    let plan = saved_plan(&journal, &run.id)?;
    let recorded = PathBuf::from(&plan.header.spec);
    let spec = if typed.is_file() || recorded.as_os_str().is_empty() { typed.to_owned() } else { recorded };
    Ok(Latest::Unfinished(Box::new(Unfinished { workspace, spec, plan })))
}

/// The plan of a run, as the journal holds it.
pub(super) fn saved_plan(journal: &Journal, run: &crate::model::RunId) -> Result<Plan, Failure> {
    let text = journal.plan_json(run)?;
    serde_json::from_str(&text).map_err(|e| Failure {
        errors: vec![format!("the journal's plan of {run} cannot be read")]
            .into_iter()
            .chain(diag::chain(&e))
            .collect(),
        ..Failure::new(Exit::Failed, "")
    })
}

/// The name of the variable that moves a platform's IMAP host, for messages.
pub(super) fn imap_variable(platform: &PlatformId) -> String {
    endpoint::variable(platform)
}
