//! Two platforms in memory for the real executor. What a change does there is what the model of the planner's laws says.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use rehome::{
    apply::{Context, Dns, Mail, MailError, MailVerification, Options, PasswordError, Passwords, RunSummary, run},
    diag::Finding,
    journal::{Fact, FaultPoint, Journal},
    model::{
        AccountView, Address, Capabilities, Change, CopyReport, Delegation, DnsTopic, Domain, FolderPath, FolderStatus,
        GuardOutcome, ImapEndpoint, ImapSecurity, Inventory, MailWork, MailboxRef, NoEvents, ObjectState,
        PasswordSource, PlatformId, PlatformKind, PlatformView, Secret, State, Verified,
    },
    plan::Plan,
    provider::{DomainReady, Probe, Provider, ProviderError, Reader, Scope},
};
use tokio::sync::Notify;

use crate::plan::{model, world::World};

/// Where a run dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// Beside a write of the journal.
    Journal(FaultPoint),
    /// Before or after an effect.
    Effect { nth: u64, after: bool },
}

/// A world in which things happen.
pub struct Live {
    pub world: Mutex<World>,
    /// How often each change was made.
    effects: Mutex<BTreeMap<String, u32>>,
    calls: AtomicU64,
    writes: AtomicU64,
    crash: Mutex<Option<Crash>>,
    dead: AtomicBool,
    died: Notify,
    folder: tempfile::TempDir,
}

impl Live {
    pub fn new(world: &World) -> Arc<Self> {
        let live = Self {
            world: Mutex::new(world.clone()),
            effects: Mutex::default(),
            calls: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            crash: Mutex::default(),
            dead: AtomicBool::new(false),
            died: Notify::new(),
            folder: tempfile::tempdir().unwrap(),
        };
        live.remember(&world.state);
        Arc::new(live)
    }

    /// The journal of a world in which something was done before.
    fn remember(&self, state: &State) {
        let journal = self.journal();
        let lease = journal.acquire_lease("earlier", Duration::from_secs(600)).unwrap();
        let known = state
            .passwords
            .iter()
            .map(|(platform, address)| Fact::PasswordSet { platform: platform.clone(), address: address.clone() });
        journal.record(&lease, &known.collect::<Vec<_>>()).unwrap();
        lease.release().unwrap();
    }

    pub fn journal(&self) -> Journal {
        let journal = Journal::open(Path::new(&self.folder.path().join(".rehome"))).unwrap();
        // The process that dies here is a future: what it wrote is not lost with a power supply.
        journal.db().lock().unwrap().pragma_update(None, "synchronous", "OFF").unwrap();
        journal
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// How often each change was made, but for passwords: the same one may be set again on an adopted account.
    pub fn effects(&self) -> BTreeMap<String, u32> {
        let all = self.effects.lock().unwrap().clone();
        all.into_iter().filter(|(name, _)| !name.starts_with("account.password")).collect()
    }

    /// What is there in the end. The order of free slots means nothing.
    pub fn inventory(&self) -> Inventory {
        let mut inventory = self.lock().inventory.clone();
        inventory.platforms.values_mut().for_each(|view| view.slots.sort_by_key(|slot| slot.id.to_string()));
        inventory
    }

    /// Every point at which the run that has just ended could have died.
    pub fn points(&self) -> Vec<Crash> {
        let both = |n: u64| (0..n).flat_map(|n| [(n, false), (n, true)]);
        let writes =
            both(self.writes.load(Ordering::SeqCst)).map(|(write, after)| Crash::Journal(FaultPoint { write, after }));
        let effects = both(self.calls.load(Ordering::SeqCst)).map(|(nth, after)| Crash::Effect { nth, after });
        writes.chain(effects).collect()
    }

    fn die(&self) {
        self.dead.store(true, Ordering::SeqCst);
        self.died.notify_one();
    }

    async fn maybe_die(&self, nth: u64, after: bool) {
        if *self.crash.lock().unwrap() == Some(Crash::Effect { nth, after }) {
            self.die();
            // The future never ends, and the test drops it.
            std::future::pending::<()>().await;
        }
    }

    /// Applies a plan until it ends or the process dies; `None` is death.
    pub async fn apply(self: &Arc<Self>, plan: &Plan, crash: Option<Crash>) -> Option<RunSummary> {
        *self.crash.lock().unwrap() = crash;
        self.dead.store(false, Ordering::SeqCst);
        self.calls.store(0, Ordering::SeqCst);
        self.writes.store(0, Ordering::SeqCst);
        let journal = self.journal();
        let lease = journal.acquire_lease("ada", Duration::from_secs(600)).unwrap();
        let this = Arc::clone(self);
        journal.set_fault(move |point| {
            this.writes.fetch_max(point.write + 1, Ordering::SeqCst);
            if crash == Some(Crash::Journal(point)) {
                this.die();
            }
            this.dead.load(Ordering::SeqCst)
        });
        let kinds: Vec<(PlatformId, PlatformKind, Capabilities)> = {
            let world = self.lock();
            world.inventory.platforms.iter().map(|(id, v)| (id.clone(), v.kind, v.capabilities.clone())).collect()
        };
        let platforms: BTreeMap<PlatformId, Arc<dyn Provider>> = kinds
            .into_iter()
            .map(|(id, kind, capabilities)| {
                let side = Side { id: id.clone(), kind, capabilities, live: Arc::clone(self) };
                (id, Arc::new(side) as Arc<dyn Provider>)
            })
            .collect();
        let acks = plan.body.actions.iter().filter_map(|a| a.guard.as_ref());
        let acks = acks.filter(|g| g.outcome == GuardOutcome::Ack).map(|g| g.code.clone()).collect();
        let hands = Hands(Arc::clone(self));
        let context = Context {
            plan,
            journal: &journal,
            lease: &lease,
            platforms: &platforms,
            mail: &hands,
            passwords: &hands,
            dns: &hands,
            events: &NoEvents,
            options: Options { acks, poll: Duration::from_millis(1), ..Options::default() },
        };
        let summary = tokio::select! {
            biased;
            () = self.died.notified() => None,
            summary = run(context) => Some(summary),
        };
        summary.filter(|_| !self.dead.load(Ordering::SeqCst))
    }
}

/// One platform.
struct Side {
    id: PlatformId,
    kind: PlatformKind,
    capabilities: Capabilities,
    live: Arc<Live>,
}

#[async_trait]
impl Reader for Side {
    fn kind(&self) -> PlatformKind {
        self.kind
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities.clone()
    }

    async fn observe(&self, _: &Scope) -> Result<PlatformView, ProviderError> {
        // What the plan was made without knowing is known to whoever looks at one object.
        Ok(PlatformView { gaps: Vec::new(), ..self.live.lock().inventory.platforms[&self.id].clone() })
    }

    async fn imap_endpoint(&self) -> Result<ImapEndpoint, ProviderError> {
        Ok(ImapEndpoint { host: "localhost".to_owned(), port: 143, security: ImapSecurity::Plain })
    }

    async fn probe(&self, change: &Change) -> Result<Probe, ProviderError> {
        let world = self.live.lock();
        Ok(if is_made(&world.inventory.platforms[&self.id], change) { Probe::Done } else { Probe::NotDone })
    }

    async fn domain_ready(&self, domain: &Domain) -> Result<DomainReady, ProviderError> {
        let mut world = self.live.lock();
        let view = world.inventory.platforms.get_mut(&self.id).unwrap();
        view.domains.get_mut(domain).unwrap().state = ObjectState::Ok;
        Ok(DomainReady::Ready)
    }
}

#[async_trait]
impl Provider for Side {
    async fn perform(&self, change: &Change, password: Option<&Secret>) -> Result<(), ProviderError> {
        assert_eq!(password.is_some(), change.password().is_some());
        let nth = self.live.calls.fetch_add(1, Ordering::SeqCst);
        self.live.maybe_die(nth, false).await;
        model::change(&mut self.live.lock(), &self.id, change);
        let name = format!("{}:{}/{}", change.kind(), self.id, change.subject());
        *self.live.effects.lock().unwrap().entry(name).or_default() += 1;
        self.live.maybe_die(nth, true).await;
        Ok(())
    }
}

fn is_made(view: &PlatformView, change: &Change) -> bool {
    let account = |address: &Address| view.accounts.get(address);
    let has = |address: &Address, f: &dyn Fn(&AccountView) -> bool| account(address).is_some_and(f);
    let group = |address: &Address| view.groups.get(address);
    match change {
        Change::DomainAdd { domain, .. } => view.domains.contains_key(domain),
        Change::DomainUpdate { domain, kind, .. } => view.domains.get(domain).is_some_and(|d| d.kind == Some(*kind)),
        Change::DomainRemove { domain } => !view.domains.contains_key(domain),
        Change::AccountRename { from, to } => account(from).is_none() && account(to).is_some(),
        Change::AccountCreate { address, .. } => account(address).is_some(),
        Change::AccountUpdate { address, profile } => {
            has(address, &|a| profile.display_name.is_none() || a.profile.display_name == profile.display_name)
        }
        Change::AccountPassword { .. } => false,
        Change::AccountReset { address } => account(address).is_none(),
        Change::AliasAdd { account, alias } => has(account, &|a| a.aliases.contains(alias)),
        Change::AliasRemove { account, alias } => has(account, &|a| !a.aliases.contains(alias)),
        Change::DelegationGrant { account, to, right } => {
            has(account, &|a| a.delegations.contains(&Delegation { to: to.clone(), right: *right }))
        }
        Change::DelegationRevoke { account, to, right } => {
            has(account, &|a| !a.delegations.contains(&Delegation { to: to.clone(), right: *right }))
        }
        Change::RedirectionSet { from, to, keep_copy } => {
            view.redirections.get(from).is_some_and(|r| r.to == *to && r.keep_copy == *keep_copy)
        }
        Change::RedirectionRemove { from } => !view.redirections.contains_key(from),
        Change::GroupCreate { group: g, .. } => group(g).is_some(),
        Change::GroupUpdate { group: g, settings } => group(g).is_some_and(|g| g.settings == *settings),
        Change::GroupRemove { group: g } => group(g).is_none(),
        Change::GroupMemberAdd { group: g, member } => group(g).is_some_and(|g| g.members.contains(member)),
        Change::GroupMemberRemove { group: g, member } => group(g).is_some_and(|g| !g.members.contains(member)),
        Change::GroupManagerAdd { group: g, manager } => group(g).is_some_and(|g| g.managers.contains(manager)),
        Change::GroupManagerRemove { group: g, manager } => group(g).is_some_and(|g| !g.managers.contains(manager)),
        Change::ContactAdd { contact, .. } => view.contacts.contains_key(contact),
        Change::ContactUpdate { contact, fields } => view.contacts.get(contact) == Some(fields),
        Change::ContactRemove { contact } => !view.contacts.contains_key(contact),
        Change::FooterSet { domain, footer } => {
            view.domains.get(domain).is_some_and(|d| d.footer.as_ref() == Some(footer))
        }
        Change::FooterRemove { domain } => view.domains.get(domain).is_some_and(|d| d.footer.is_none()),
    }
}

/// Mail, passwords and DNS.
struct Hands(Arc<Live>);

impl Hands {
    fn statuses(&self, mailbox: &MailboxRef) -> BTreeMap<FolderPath, FolderStatus> {
        model::statuses(&self.0.lock(), &mailbox.platform, &mailbox.address)
    }
}

#[async_trait]
impl Mail for Hands {
    async fn copy(&self, work: &MailWork) -> Result<CopyReport, MailError> {
        let nth = self.0.calls.fetch_add(1, Ordering::SeqCst);
        self.0.maybe_die(nth, false).await;
        model::carry(&mut self.0.lock(), work);
        let seen = self.statuses(&work.source);
        self.0.maybe_die(nth, true).await;
        Ok(CopyReport { seen, ..CopyReport::default() })
    }

    async fn verify(&self, work: &MailWork) -> Result<MailVerification, MailError> {
        let (seen, there) = (self.statuses(&work.source), self.statuses(&work.target));
        assert_eq!(seen, there, "{} was not copied", work.account);
        let at = "2026-01-01T00:00:00Z".parse().unwrap();
        Ok(MailVerification { verified: Some(Verified { at, messages: 0, seen }), findings: Vec::new() })
    }

    async fn source_now(&self, account: &Address) -> Result<BTreeMap<FolderPath, FolderStatus>, MailError> {
        let known = self.0.journal().mailbox(account).unwrap().unwrap();
        let (platform, address) = known.source.unwrap();
        Ok(model::statuses(&self.0.lock(), &platform, &address))
    }
}

#[async_trait]
impl Passwords for Hands {
    async fn obtain(&self, _: &PasswordSource, _: &PlatformId, _: &Address) -> Result<Secret, PasswordError> {
        Ok(Secret::new("a password".to_owned()))
    }
}

#[async_trait]
impl Dns for Hands {
    async fn check(&self, _: &PlatformId, _: &Domain, _: &BTreeSet<DnsTopic>) -> Vec<Finding> {
        Vec::new()
    }
}
