//! A workspace, a plan, and the ways to apply it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rehome::{
    apply::{Context, Options, RunSummary, run},
    journal::{FaultPoint, Journal},
    model::{
        AccessMethod, Action, ActionId, ActionIds, Address, Change, Delivery, DnsTopic, Event, Guard, GuardOutcome,
        MailFilter, MailWork, MailboxRef, PasswordSource, Phase, PlanId, PlatformId, Precondition, SecretRef, Undo,
        Work,
    },
    plan::{Body, Header, Plan},
    provider::Provider,
};

use super::world::{World, addr, dom};

/// Where a run dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    Journal(FaultPoint),
    Call { call: u64, after: bool },
}

pub struct Desk {
    _dir: tempfile::TempDir,
    folder: PathBuf,
    pub world: World,
    pub plan: Plan,
    pub events: Arc<Mutex<Vec<Event>>>,
    pub writes: Arc<AtomicU64>,
}

impl Desk {
    pub fn new(world: World, actions: Vec<Action>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join(".rehome");
        let body = Body { actions, ..Body::default() };
        let plan = Plan { format: 1, id: PlanId::from("0123456789abcdef"), header: Header::default(), body };
        Self { _dir: dir, folder, world, plan, events: Arc::default(), writes: Arc::default() }
    }

    pub fn journal(&self) -> Journal {
        let journal = Journal::open(&self.folder).unwrap();
        // The process that dies here is a future: what it wrote is not lost with a power supply.
        journal.db().lock().unwrap().pragma_update(None, "synchronous", "OFF").unwrap();
        journal
    }

    pub fn options() -> Options {
        Options {
            poll: Duration::from_millis(1),
            acks: BTreeSet::from(["reset-mailbox".to_owned()]),
            ..Options::default()
        }
    }

    pub async fn apply(&self) -> RunSummary {
        self.apply_with(Self::options()).await
    }

    pub async fn apply_with(&self, options: Options) -> RunSummary {
        self.world.crash_at(None);
        self.attempt(options, None).await.expect("nobody dies here")
    }

    /// Applies until the end or until the process dies; `None` is death.
    pub async fn attempt(&self, options: Options, crash: Option<Crash>) -> Option<RunSummary> {
        let journal = self.journal();
        let lease = journal.acquire_lease("ada", Duration::from_secs(600)).unwrap();
        let (world, writes) = (self.world.clone(), Arc::clone(&self.writes));
        writes.store(0, Ordering::SeqCst);
        world.crash_at(match crash {
            Some(Crash::Call { call, after }) => Some((call, after)),
            _ => None,
        });
        journal.set_fault(move |point| {
            writes.fetch_max(point.write + 1, Ordering::SeqCst);
            if crash == Some(Crash::Journal(point)) {
                world.die();
            }
            world.is_dead()
        });
        let platforms: BTreeMap<PlatformId, Arc<dyn Provider>> =
            ["old", "new"].map(|id| (PlatformId::from(id), self.world.provider(id))).into();
        let sink = Arc::clone(&self.events);
        let events = move |event: Event| sink.lock().unwrap().push(event);
        let mail = self.world.mail();
        let ctx = Context {
            plan: &self.plan,
            journal: &journal,
            lease: &lease,
            platforms: &platforms,
            mail: &mail,
            passwords: &self.world,
            dns: &self.world,
            events: &events,
            options,
        };
        let summary = tokio::select! {
            biased;
            () = self.world.death() => None,
            summary = run(ctx) => Some(summary),
        };
        summary.filter(|_| !self.world.is_dead())
    }
}

pub fn names(ids: &[ActionId]) -> Vec<&str> {
    ids.iter().map(ActionId::as_str).collect()
}

fn action(id: &str, phase: Phase, chain: &str, work: Work, undo: Undo) -> Action {
    Action {
        id: ActionId::from(id),
        phase,
        chain: chain.into(),
        work,
        reason: "because the spec says so".into(),
        requires: ActionIds::default(),
        preconditions: Vec::new(),
        undo,
        guard: None,
        swap: None,
    }
}

/// Shortens building: what an action requires, by id.
pub trait With {
    fn after(self, ids: &[&str]) -> Self;
    fn given(self, precondition: Precondition) -> Self;
    fn swap(self, address: &str) -> Self;
    fn guarded(self, outcome: GuardOutcome) -> Self;
}

impl With for Action {
    fn after(mut self, ids: &[&str]) -> Self {
        self.requires.extend(ids.iter().map(|id| ActionId::from(*id)));
        self
    }

    fn given(mut self, precondition: Precondition) -> Self {
        self.preconditions.push(precondition);
        self
    }

    fn swap(mut self, address: &str) -> Self {
        self.swap = Some(addr(address));
        self
    }

    fn guarded(mut self, outcome: GuardOutcome) -> Self {
        let message = "its mail is lost".to_owned();
        self.guard = Some(Box::new(Guard { code: "reset-mailbox".to_owned(), message, outcome }));
        self
    }
}

pub fn change(platform: &str, chain: &str, change: Change) -> Action {
    let id = format!("{}:{platform}/{}", change.kind(), change.subject());
    let work = Work::Platform { platform: PlatformId::from(platform), change };
    action(&id, Phase::Account, chain, work, Undo::Nothing)
}

pub fn password(of: &str) -> PasswordSource {
    PasswordSource::Generate(Delivery::File(format!("secrets/{of}").into()))
}

fn free(platform: &str, address: &str) -> Precondition {
    Precondition::AddressFree { platform: PlatformId::from(platform), address: addr(address) }
}

fn ok(platform: &str, address: &str) -> Precondition {
    Precondition::AccountOk { platform: PlatformId::from(platform), address: addr(address) }
}

/// `ada@x.org` has the provisional name `ada01@x.org`.
pub fn provisional(address: &str) -> Address {
    let (local, domain) = address.split_once('@').unwrap();
    addr(&format!("{local}01@{domain}"))
}

/// Rename on `old`, create on `new`: one swap.
pub fn swap(address: &str) -> [Action; 2] {
    let aside = provisional(address);
    let back = Change::AccountRename { from: aside.clone(), to: addr(address) };
    let mut rename = change("old", address, Change::AccountRename { from: addr(address), to: aside.clone() })
        .given(ok("old", address))
        .given(free("old", &aside.to_string()))
        .swap(address);
    rename.undo = Undo::Change { platform: PlatformId::from("old"), change: back };
    let create = Change::AccountCreate {
        address: addr(address),
        slot: None,
        profile: Box::default(),
        password: Box::new(password(address)),
    };
    let create = change("new", address, create)
        .after(&[rename.id.as_str()])
        .given(free("new", address))
        .given(free("old", address))
        .swap(address);
    [rename, create]
}

fn work(address: &str, pass: u32) -> MailWork {
    let access = AccessMethod::Password { password: SecretRef::Env("P".to_owned()) };
    let mailbox = |platform: &str, address: Address| MailboxRef {
        platform: PlatformId::from(platform),
        address,
        access: access.clone().into(),
    };
    MailWork {
        account: addr(address),
        source: mailbox("old", provisional(address)),
        target: mailbox("new", addr(address)),
        pass,
        skip_below: None,
        filter: MailFilter::default().into(),
        acl: rehome::model::AclChoice::Leave,
        estimate: None,
    }
}

pub fn copy(address: &str, pass: u32) -> Action {
    let id = format!("mail.copy:{address}#{pass}");
    action(&id, Phase::Copy, address, Work::Copy(Box::new(work(address, pass))), Undo::Nothing)
}

pub fn verify(address: &str) -> Action {
    let id = format!("mail.verify:{address}");
    action(&id, Phase::Verify, address, Work::VerifyMail(Box::new(work(address, 1))), Undo::Nothing)
}

pub fn reset(address: &str) -> Action {
    let mut reset = change("old", address, Change::AccountReset { address: provisional(address) })
        .given(Precondition::Verified { account: addr(address) })
        .guarded(GuardOutcome::Ack);
    reset.undo = Undo::Irreversible("its mail is gone".into());
    reset
}

pub fn domain_add() -> Action {
    let change_ = Change::DomainAdd { domain: dom("x.org"), kind: None, mx_relay: None };
    change("new", "x.org", change_)
}

pub fn domain_ready() -> Action {
    let work = Work::DomainReady { platform: PlatformId::from("new"), domain: dom("x.org") };
    action("domain.ready:new/x.org", Phase::Domain, "x.org", work, Undo::Nothing)
}

pub fn verify_dns() -> Action {
    let topics = BTreeSet::from([DnsTopic::Mx]);
    let work = Work::VerifyDns { platform: PlatformId::from("new"), domain: dom("x.org"), topics };
    action("dns.verify:x.org", Phase::Verify, "x.org", work, Undo::Nothing)
}

pub fn world() -> World {
    let world = World::default();
    world.account("old", "ada@x.org", &[1, 2, 3]);
    world.account("old", "bob@x.org", &[7, 8]);
    world
}

/// Two accounts from domain to reset: fourteen actions of every kind.
pub fn full_plan() -> Vec<Action> {
    let mut plan = vec![domain_add(), domain_ready().after(&["domain.add:new/x.org"])];
    for who in ["ada@x.org", "bob@x.org"] {
        let [rename, create] = swap(who);
        plan.push(rename.after(&["domain.ready:new/x.org"]));
        plan.push(create);
    }
    let alias = Change::AliasAdd { account: addr("ada@x.org"), alias: addr("lovelace@x.org") };
    plan.push(change("new", "ada@x.org", alias).after(&["account.create:new/ada@x.org"]));
    let to = BTreeSet::from([addr("bob@x.org")]);
    let redirection = Change::RedirectionSet { from: addr("info@x.org"), to, keep_copy: false };
    plan.push(change("new", "info@x.org", redirection).after(&["account.create:new/bob@x.org"]));
    let password =
        Change::AccountPassword { address: addr("bob01@x.org"), password: Box::new(password("bob01@x.org")) };
    plan.push(change("old", "bob@x.org", password));
    plan.push(copy("ada@x.org", 1).after(&["account.create:new/ada@x.org"]));
    plan.push(copy("bob@x.org", 1).after(&["account.create:new/bob@x.org"]));
    plan.push(verify("ada@x.org").after(&["mail.copy:ada@x.org#1"]));
    plan.push(verify_dns().after(&["domain.ready:new/x.org"]));
    plan.push(reset("ada@x.org").after(&["mail.verify:ada@x.org"]));
    plan
}
