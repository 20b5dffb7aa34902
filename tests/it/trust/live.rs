//! Two platforms in memory for the real executor. What a change does there is what the model of the planner's laws says.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use rehome::{
    apply::{Context, Dns, Mail, MailError, MailVerification, Options, PasswordError, Passwords, RunSummary, run},
    diag::Finding,
    journal::{FILE, Fact, FaultPoint, Journal, JournalError, Lease},
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
            folder: scratch(),
        };
        live.remember(&world.state);
        Arc::new(live)
    }

    /// The journal of a world in which something was done before.
    fn remember(&self, state: &State) {
        let folder = self.folder.path().join(".rehome");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join(FILE), blank()).unwrap();
        let mut facts: Vec<Fact> = state
            .passwords
            .iter()
            .map(|(platform, address)| Fact::PasswordSet { platform: platform.clone(), address: address.clone() })
            .collect();
        facts.extend(state.protected.iter().map(|address| Fact::Protected(address.clone())));
        for (address, known) in &state.mailboxes {
            let source = known.source.clone().expect("a copy has a source");
            let total = known.counts.clone().unwrap_or_default();
            let report = CopyReport { seen: known.copied.clone(), total, ..CopyReport::default() };
            let copied = Fact::Copied { address: address.clone(), source, report };
            facts.extend(std::iter::repeat_n(copied, known.passes as usize));
            let verified = known.verified.clone();
            facts.extend(verified.map(|verified| Fact::Verified { address: address.clone(), verified }));
        }
        if facts.is_empty() {
            return;
        }
        let journal = self.journal();
        let lease = journal.acquire_lease("earlier", Duration::from_secs(600)).unwrap();
        journal.record(&lease, &facts).unwrap();
        lease.release().unwrap();
        assert_eq!(journal.state().unwrap(), *state, "the journal says what the world says");
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

    async fn death(&self) {
        // A permit of an earlier death may be left.
        while !self.dead.load(Ordering::SeqCst) {
            self.died.notified().await;
        }
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
        let lease = leased(&journal);
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
        let hands = Hands { live: Arc::clone(self), journal: &journal };
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
            () = self.death() => None,
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

/// Whether a field that a change sets is set.
fn said<T: PartialEq>(wish: &Option<T>, seen: &Option<T>) -> bool {
    wish.is_none() || wish == seen
}

fn is_made(view: &PlatformView, change: &Change) -> bool {
    let account = |address: &Address| view.accounts.get(address);
    let has = |address: &Address, f: &dyn Fn(&AccountView) -> bool| account(address).is_some_and(f);
    let group = |address: &Address| view.groups.get(address);
    match change {
        Change::DomainAdd { domain, .. } => view.domains.contains_key(domain),
        Change::DomainUpdate { domain, kind, mx_relay } => {
            view.domains.get(domain).is_some_and(|d| d.kind == Some(*kind) && d.mx_relay == *mx_relay)
        }
        Change::DomainRemove { domain } => !view.domains.contains_key(domain),
        Change::AccountRename { from, to } => account(from).is_none() && account(to).is_some(),
        Change::AccountCreate { address, .. } => account(address).is_some(),
        Change::AccountUpdate { address, profile } => has(address, &|a| {
            let (wish, seen) = (profile, &a.profile);
            said(&wish.display_name, &seen.display_name)
                && said(&wish.first_name, &seen.first_name)
                && said(&wish.last_name, &seen.last_name)
                && said(&wish.quota_octets, &seen.quota_octets)
                && said(&wish.hidden, &seen.hidden)
        }),
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
        Change::GroupUpdate { group: g, settings } => group(g).is_some_and(|g| {
            let (wish, seen) = (settings, &g.settings);
            said(&wish.display_name, &seen.display_name)
                && said(&wish.members_only, &seen.members_only)
                && said(&wish.join, &seen.join)
                && said(&wish.leave, &seen.leave)
                && said(&wish.hidden, &seen.hidden)
                && said(&wish.max_receive_mb, &seen.max_receive_mb)
        }),
        Change::GroupRemove { group: g } => group(g).is_none(),
        Change::GroupMemberAdd { group: g, member } => group(g).is_some_and(|g| g.members.contains(member)),
        Change::GroupMemberRemove { group: g, member } => group(g).is_some_and(|g| !g.members.contains(member)),
        Change::GroupManagerAdd { group: g, manager } => group(g).is_some_and(|g| g.managers.contains(manager)),
        Change::GroupManagerRemove { group: g, manager } => group(g).is_some_and(|g| !g.managers.contains(manager)),
        Change::ContactAdd { contact, .. } => view.contacts.contains_key(contact),
        Change::ContactUpdate { contact, fields } => view.contacts.get(contact).is_some_and(|seen| {
            said(&fields.display_name, &seen.display_name)
                && said(&fields.first_name, &seen.first_name)
                && said(&fields.last_name, &seen.last_name)
                && said(&fields.hidden, &seen.hidden)
        }),
        Change::ContactRemove { contact } => !view.contacts.contains_key(contact),
        Change::FooterSet { domain, footer } => {
            view.domains.get(domain).is_some_and(|d| d.footer.as_ref() == Some(footer))
        }
        Change::FooterRemove { domain } => view.domains.get(domain).is_some_and(|d| d.footer.is_none()),
    }
}

/// A folder in memory where the system has one: it is not the disk that is tested here.
fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

/// A journal in which nothing was written yet. Making its tables costs more than a run of a small world.
fn blank() -> &'static [u8] {
    static BLANK: OnceLock<Vec<u8>> = OnceLock::new();
    BLANK.get_or_init(|| {
        let folder = scratch();
        drop(Journal::open(folder.path()).unwrap());
        fs::read(folder.path().join(FILE)).unwrap()
    })
}

/// Mail, passwords and DNS.
struct Hands<'j> {
    live: Arc<Live>,
    journal: &'j Journal,
}

impl Hands<'_> {
    fn statuses(&self, mailbox: &MailboxRef) -> BTreeMap<FolderPath, FolderStatus> {
        model::statuses(&self.live.lock(), &mailbox.platform, &mailbox.address)
    }
}

#[async_trait]
impl Mail for Hands<'_> {
    async fn copy(&self, work: &MailWork) -> Result<CopyReport, MailError> {
        let nth = self.live.calls.fetch_add(1, Ordering::SeqCst);
        self.live.maybe_die(nth, false).await;
        model::carry(&mut self.live.lock(), work);
        let seen = self.statuses(&work.source);
        self.live.maybe_die(nth, true).await;
        Ok(CopyReport { seen, ..CopyReport::default() })
    }

    async fn verify(&self, work: &MailWork) -> Result<MailVerification, MailError> {
        let (seen, there) = (self.statuses(&work.source), self.statuses(&work.target));
        assert_eq!(seen, there, "{} was not copied", work.account);
        let at = "2026-01-01T00:00:00Z".parse().unwrap();
        Ok(MailVerification { verified: Some(Verified { at, messages: 0, seen }), findings: Vec::new() })
    }

    async fn source_now(&self, account: &Address) -> Result<BTreeMap<FolderPath, FolderStatus>, MailError> {
        let known = self.journal.mailbox(account).unwrap().unwrap();
        let (platform, address) = known.source.unwrap();
        Ok(model::statuses(&self.live.lock(), &platform, &address))
    }
}

#[async_trait]
impl Passwords for Hands<'_> {
    async fn obtain(&self, _: &PasswordSource, _: &PlatformId, _: &Address) -> Result<Secret, PasswordError> {
        Ok(Secret::new("a password".to_owned()))
    }
}

#[async_trait]
impl Dns for Hands<'_> {
    async fn check(&self, _: &PlatformId, _: &Domain, _: &BTreeSet<DnsTopic>) -> Vec<Finding> {
        Vec::new()
    }
}

/// The lease of a journal. Where all tests are one process, a child that another test forks keeps the lock's file open
/// until it has become its own program.
fn leased(journal: &Journal) -> Lease {
    let begun = Instant::now();
    loop {
        match journal.acquire_lease("ada", Duration::from_secs(600)) {
            Err(JournalError::Locked { .. }) if begun.elapsed() < Duration::from_secs(5) => std::thread::yield_now(),
            got => return got.unwrap(),
        }
    }
}
