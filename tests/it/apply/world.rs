//! A whole world in memory: two platforms behind one MX, their mail, DNS, and passwords. Every effect is counted, every
//! call can fail or be the last thing that happens.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
};

use async_trait::async_trait;
use rehome::{
    apply::{Dns, Mail, MailError, MailVerification, PasswordError, Passwords},
    diag::{Finding, Severity},
    model::{
        AccountView, Address, Capabilities, Change, CopyCounts, CopyReport, CreateBy, DnsTopic, Domain, FolderPath,
        FolderStatus, GroupSupport, ImapEndpoint, MailWork, MailboxRef, PasswordSource, PlatformId, PlatformKind,
        PlatformView, RedirectSupport, RedirectionView, Secret, ServiceState, ServiceView, Verified,
    },
    provider::{DomainReady, ErrorClass, Probe, Provider, ProviderError, Reader, Scope},
};
use tokio::sync::Notify;

/// What everybody can see from outside; two runs went equally well when this is equal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    pub accounts: BTreeMap<(String, Address), Account>,
    pub redirections: BTreeMap<Address, BTreeSet<Address>>,
    pub domains: BTreeSet<(String, Domain)>,
    pub delivered: BTreeMap<Address, String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    pub password: String,
    pub aliases: BTreeSet<Address>,
    pub mail: Vec<u32>,
    pub busy: u32,
    /// It has its address, and neither a password nor the platform's word that it is made.
    pub half: bool,
}

/// What goes wrong with the next call of that kind.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// Refused in this class; nothing is done.
    Refuse(ErrorClass),
    /// Done, but the answer is lost.
    DoneButLost,
    /// An account has its address and is not finished.
    HalfMade,
    /// Not done, and the answer is lost.
    LostBefore,
    /// Still running when patience ends; done the next time somebody looks.
    Slow,
    /// The answer is lost; the effect comes when somebody has looked once.
    LateAndLost,
    /// The reading that would tell is impossible (`probe`) or unclear.
    Blind,
}

#[derive(Default)]
struct Inner {
    facts: Facts,
    effects: BTreeMap<String, u32>,
    log: Vec<String>,
    faults: BTreeMap<String, VecDeque<Fault>>,
    slow: Vec<(PlatformId, Change)>,
    calls: u64,
    crash: Option<(u64, bool)>,
    dead: bool,
    waits: BTreeMap<Domain, u32>,
    dns: Vec<Finding>,
    verify: Vec<Finding>,
    arrivals: bool,
    running: BTreeMap<&'static str, usize>,
    most: BTreeMap<&'static str, usize>,
}

/// The world, shared by everything in it.
#[derive(Clone, Default)]
pub struct World {
    inner: Arc<Mutex<Inner>>,
    died: Arc<Notify>,
    /// Told whenever a copy begins that never ends by itself.
    pub copying: Arc<Notify>,
}

pub fn addr(text: &str) -> Address {
    Address::parse(text).unwrap()
}

pub fn dom(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

impl World {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    pub fn account(&self, platform: &str, address: &str, mail: &[u32]) {
        let account = Account { mail: mail.to_vec(), ..Account::default() };
        self.lock().facts.accounts.insert((platform.to_owned(), addr(address)), account);
    }

    pub fn busy(&self, platform: &str, address: &str, looks: u32) {
        self.lock().facts.accounts.get_mut(&(platform.to_owned(), addr(address))).unwrap().busy = looks;
    }

    /// How often a domain says that it waits.
    pub fn wait(&self, domain: &str, looks: u32) {
        self.lock().waits.insert(dom(domain), looks);
    }

    /// The next calls of this kind (`account.create`, `probe`, `copy`, ...) go wrong, one after the other. A kind
    /// followed by a subject (`account.create a@b.c`) means that one only.
    pub fn fault(&self, kind: &str, faults: impl IntoIterator<Item = Fault>) {
        self.lock().faults.entry(kind.to_owned()).or_default().extend(faults);
    }

    pub fn heal(&self) {
        self.lock().faults.clear();
    }

    pub fn dns_says(&self, severity: Severity) {
        self.lock().dns = vec![finding("mx-missing", severity)];
    }

    pub fn verify_says(&self, severity: Severity) {
        self.lock().verify = vec![finding("message-missing", severity)];
    }

    pub fn mail_arrives_after_verification(&self) {
        self.lock().arrivals = true;
    }

    /// The process dies at the `n`th call from now, before or after its effect.
    pub fn crash_at(&self, point: Option<(u64, bool)>) {
        let mut inner = self.lock();
        inner.calls = 0;
        inner.crash = point;
        inner.dead = false;
        inner.running.clear();
    }

    /// The process is dead: nothing of it goes on.
    pub fn die(&self) {
        self.lock().dead = true;
        self.died.notify_one();
    }

    pub async fn death(&self) {
        while !self.is_dead() {
            self.died.notified().await;
        }
    }

    pub fn is_dead(&self) -> bool {
        self.lock().dead
    }

    pub fn calls(&self) -> u64 {
        self.lock().calls
    }

    pub fn facts(&self) -> Facts {
        self.lock().facts.clone()
    }

    pub fn effects(&self) -> BTreeMap<String, u32> {
        self.lock().effects.clone()
    }

    pub fn log(&self) -> Vec<String> {
        self.lock().log.clone()
    }

    /// The most that ever ran at once: `copy`, or a change of a platform.
    pub fn most(&self, what: &str) -> usize {
        self.lock().most.get(what).copied().unwrap_or(0)
    }

    pub fn provider(&self, id: &str) -> Arc<dyn Provider> {
        Arc::new(FakeProvider { id: PlatformId::from(id), world: self.clone() })
    }

    pub fn mail(&self) -> FakeMail {
        FakeMail(self.clone())
    }

    fn next_fault(&self, kind: &str, subject: &str) -> Option<Fault> {
        let mut inner = self.lock();
        for key in [format!("{kind} {subject}"), kind.to_owned()] {
            if let Some(fault) = inner.faults.get_mut(&key).and_then(VecDeque::pop_front) {
                return Some(fault);
            }
        }
        None
    }

    /// Dies here when the test said so: the future never ends, and the test drops it.
    async fn moment(&self, call: u64, after: bool) {
        let dies = self.lock().crash == Some((call, after));
        if dies {
            self.die();
        }
        if self.is_dead() {
            std::future::pending::<()>().await;
        }
        // Lets others run between the halves of a call.
        tokio::task::yield_now().await;
    }

    async fn begin(&self, what: &'static str) -> u64 {
        let call = {
            let mut inner = self.lock();
            let now = inner.running.entry(what).or_default();
            *now += 1;
            let now = *now;
            let most = inner.most.entry(what).or_default();
            *most = (*most).max(now);
            inner.calls += 1;
            inner.calls - 1
        };
        self.moment(call, false).await;
        call
    }

    async fn end(&self, what: &'static str, call: u64) {
        self.moment(call, true).await;
        *self.lock().running.entry(what).or_default() -= 1;
    }
}

fn finding(code: &str, severity: Severity) -> Finding {
    Finding {
        code: code.to_owned(),
        severity,
        subject: "x.org".to_owned(),
        message: "it is not there".to_owned(),
        expected: None,
        actual: None,
        fix: None,
    }
}

impl Inner {
    fn count(&mut self, effect: String) {
        self.log.push(effect.clone());
        *self.effects.entry(effect).or_default() += 1;
    }

    /// Both platforms are behind one MX, so an address can exist once.
    fn taken(&self, address: &Address) -> bool {
        let accounts = &self.facts.accounts;
        accounts.keys().any(|(_, a)| a == address) || accounts.values().any(|a| a.aliases.contains(address))
    }

    fn apply(&mut self, id: &PlatformId, change: &Change, password: Option<&Secret>) -> Result<(), ErrorClass> {
        let key = |address: &Address| (id.to_string(), address.clone());
        let secret = || password.map(|s| s.expose().to_owned()).ok_or(ErrorClass::Refused);
        match change {
            Change::DomainAdd { domain, .. } => {
                if !self.facts.domains.insert((id.to_string(), domain.clone())) {
                    return Err(ErrorClass::Conflict);
                }
            }
            Change::AccountRename { from, to } => {
                if self.taken(to) {
                    return Err(ErrorClass::Conflict);
                }
                let account = self.facts.accounts.remove(&key(from)).ok_or(ErrorClass::NotFound)?;
                self.facts.accounts.insert(key(to), account);
            }
            Change::AccountCreate { address, .. } => {
                if let Some(own) = self.facts.accounts.get_mut(&key(address)).filter(|a| a.half) {
                    own.half = false;
                    return Ok(());
                }
                if self.taken(address) {
                    return Err(ErrorClass::Conflict);
                }
                secret()?;
                self.facts.accounts.insert(key(address), Account::default());
            }
            Change::AccountPassword { address, .. } => {
                self.facts.accounts.get_mut(&key(address)).ok_or(ErrorClass::NotFound)?.password = secret()?;
            }
            Change::AccountReset { address } => {
                self.facts.accounts.remove(&key(address)).ok_or(ErrorClass::NotFound)?;
            }
            Change::AliasAdd { account, alias } => {
                if self.taken(alias) {
                    return Err(ErrorClass::Conflict);
                }
                let account = self.facts.accounts.get_mut(&key(account)).ok_or(ErrorClass::NotFound)?;
                account.aliases.insert(alias.clone());
            }
            Change::RedirectionSet { from, to, .. } => {
                self.facts.redirections.insert(from.clone(), to.clone());
            }
            _ => return Err(ErrorClass::Unsupported),
        }
        self.count(format!("{} {}", change.kind(), change.subject()));
        Ok(())
    }

    fn probe(&self, id: &PlatformId, change: &Change) -> Probe {
        let has = |address: &Address| self.facts.accounts.contains_key(&(id.to_string(), address.clone()));
        let made = match change {
            Change::DomainAdd { domain, .. } => self.facts.domains.contains(&(id.to_string(), domain.clone())),
            Change::AccountRename { from, to } => match (has(from), has(to)) {
                (true, false) => false,
                (false, true) => true,
                _ => return Probe::Unclear(format!("neither or both of {from} and {to} are there")),
            },
            Change::AccountCreate { address, .. } => {
                let found = self.facts.accounts.get(&(id.to_string(), address.clone()));
                found.is_some_and(|a| !a.half)
            }
            Change::AccountReset { address } => !has(address),
            Change::AliasAdd { account, alias } => {
                let found = self.facts.accounts.get(&(id.to_string(), account.clone()));
                found.is_some_and(|a| a.aliases.contains(alias))
            }
            Change::RedirectionSet { from, to, .. } => self.facts.redirections.get(from) == Some(to),
            _ => return Probe::Unclear("it cannot be seen".to_owned()),
        };
        if made { Probe::Done } else { Probe::NotDone }
    }
}

struct FakeProvider {
    id: PlatformId,
    world: World,
}

impl FakeProvider {
    fn error(&self, what: &str, class: ErrorClass) -> ProviderError {
        let source = format!("{class:?} by {}", self.id);
        ProviderError { context: format!("{what} failed"), class, help: None, source: Some(source.into()) }
    }
}

impl FakeProvider {
    /// An account is there before its password is, and a process can die in between.
    async fn second_half(&self, address: &Address, password: Option<&Secret>) -> Result<(), ErrorClass> {
        let call = self.world.begin("password").await;
        let key = (self.id.to_string(), address.clone());
        let text = password.map(|secret| secret.expose().to_owned()).unwrap_or_default();
        self.world.lock().facts.accounts.get_mut(&key).ok_or(ErrorClass::NotFound)?.password = text;
        self.world.end("password", call).await;
        Ok(())
    }
}

#[async_trait]
impl Reader for FakeProvider {
    fn kind(&self) -> PlatformKind {
        PlatformKind::OvhEmailPro
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            domains: true,
            domain_type: false,
            create: CreateBy::Request,
            rename: true,
            reset: true,
            set_password: true,
            aliases: true,
            redirections: RedirectSupport::Any,
            groups: GroupSupport::None,
            delegations: BTreeSet::new(),
            contacts: false,
            footers: false,
            groupware: false,
            mailbox_limit: None,
            password_length: (8, 64),
            password_complex: false,
            local_part_limit: 64,
        }
    }

    async fn observe(&self, _scope: &Scope) -> Result<PlatformView, ProviderError> {
        let call = self.world.begin("read").await;
        let fault = self.world.next_fault("observe", self.id.as_str());
        let service = ServiceView { name: self.id.to_string(), state: ServiceState::Ok, imap: None, offer: None };
        let mut view = PlatformView::new(self.kind(), service, self.capabilities());
        {
            let mut inner = self.world.lock();
            for ((platform, address), account) in &mut inner.facts.accounts {
                if self.id.0 == *platform {
                    let mut shown = AccountView::listed();
                    shown.aliases.clone_from(&account.aliases);
                    if account.busy > 0 {
                        account.busy -= 1;
                        shown.state = rehome::model::ObjectState::Busy;
                    }
                    view.accounts.insert(address.clone(), shown);
                }
            }
            for (from, to) in &inner.facts.redirections {
                view.redirections.insert(from.clone(), RedirectionView { to: to.clone(), keep_copy: false });
            }
        }
        self.world.end("read", call).await;
        match fault {
            Some(Fault::Refuse(class)) => Err(self.error("listing", class)),
            _ => Ok(view),
        }
    }

    async fn imap_endpoint(&self) -> Result<ImapEndpoint, ProviderError> {
        Err(self.error("asking for IMAP", ErrorClass::Unsupported))
    }

    async fn probe(&self, change: &Change) -> Result<Probe, ProviderError> {
        let call = self.world.begin("read").await;
        let fault = self.world.next_fault("probe", &change.subject());
        let answer = {
            let mut inner = self.world.lock();
            let answer = inner.probe(&self.id, change);
            // What was slow is done by the time somebody looks once more.
            let slow = std::mem::take(&mut inner.slow);
            for (id, change) in slow {
                let _ = inner.apply(&id, &change, Some(&Secret::new("slow".to_owned())));
            }
            answer
        };
        self.world.end("read", call).await;
        match fault {
            Some(Fault::Refuse(class)) => Err(self.error("looking", class)),
            Some(Fault::Blind) => Ok(Probe::Unclear("the platform shows neither".to_owned())),
            _ => Ok(answer),
        }
    }

    async fn domain_ready(&self, domain: &Domain) -> Result<DomainReady, ProviderError> {
        let call = self.world.begin("read").await;
        let waiting = {
            let mut inner = self.world.lock();
            let left = inner.waits.entry(domain.clone()).or_default();
            let waiting = *left > 0;
            *left = left.saturating_sub(1);
            waiting
        };
        self.world.end("read", call).await;
        Ok(if waiting { DomainReady::Waiting("a TXT record".to_owned()) } else { DomainReady::Ready })
    }
}

#[async_trait]
impl Provider for FakeProvider {
    async fn perform(&self, change: &Change, password: Option<&Secret>) -> Result<(), ProviderError> {
        assert_eq!(password.is_some(), change.password().is_some(), "a password where one belongs, and only there");
        let call = self.world.begin("change").await;
        let fault = self.world.next_fault(change.kind(), &change.subject());
        let result = match fault {
            Some(Fault::Refuse(class)) => Err(class),
            Some(Fault::LostBefore) => Err(ErrorClass::InDoubt),
            Some(Fault::DoneButLost) => {
                self.world.lock().apply(&self.id, change, password).and(Err(ErrorClass::InDoubt))
            }
            Some(Fault::HalfMade) => {
                let mut inner = self.world.lock();
                let made = inner.apply(&self.id, change, password);
                if let Some(address) = account_of(change) {
                    let key = (self.id.to_string(), address.clone());
                    inner.facts.accounts.get_mut(&key).into_iter().for_each(|a| a.half = true);
                }
                made.and(Err(ErrorClass::InDoubt))
            }
            Some(slow @ (Fault::Slow | Fault::LateAndLost)) => {
                self.world.lock().slow.push((self.id.clone(), change.clone()));
                Err(if matches!(slow, Fault::Slow) { ErrorClass::Timeout } else { ErrorClass::InDoubt })
            }
            Some(Fault::Blind) | None => {
                let made = self.world.lock().apply(&self.id, change, password);
                match (change, made) {
                    (Change::AccountCreate { address, .. }, Ok(())) => self.second_half(address, password).await,
                    (_, made) => made,
                }
            }
        };
        self.world.end("change", call).await;
        result.map_err(|class| self.error(change.kind(), class))
    }
}

fn account_of(change: &Change) -> Option<&Address> {
    match change {
        Change::AccountCreate { address, .. } => Some(address),
        _ => None,
    }
}

/// Copies numbers.
pub struct FakeMail(World);

impl FakeMail {
    fn boxed(at: &MailboxRef) -> (String, Address) {
        (at.platform.to_string(), at.address.clone())
    }

    fn error(&self, class: ErrorClass) -> MailError {
        let source = format!("{class:?} by the server");
        MailError { context: "copying failed".to_owned(), class, help: None, source: Some(source.into()) }
    }
}

fn seen(mail: &[u32]) -> BTreeMap<FolderPath, FolderStatus> {
    let next = mail.iter().max().map_or(1, |m| m + 1);
    let messages = u32::try_from(mail.len()).unwrap();
    let status = FolderStatus { uid_validity: 1, uid_next: next, messages, ..FolderStatus::default() };
    BTreeMap::from([(FolderPath::inbox(), status)])
}

#[async_trait]
impl Mail for FakeMail {
    async fn copy(&self, work: &MailWork) -> Result<CopyReport, MailError> {
        let world = &self.0;
        let call = world.begin("copy").await;
        let fault = world.next_fault("copy", &work.account.key());
        if matches!(fault, Some(Fault::Slow)) {
            world.copying.notify_one();
            std::future::pending::<()>().await;
        }
        let short = world.next_fault("shortfall", "").is_some();
        let result = {
            let mut inner = world.lock();
            match (fault, inner.facts.accounts.get(&Self::boxed(&work.source)).cloned()) {
                (Some(Fault::Refuse(class)), _) => Err(class),
                (_, None) => Err(ErrorClass::Denied),
                (_, Some(source)) => match inner.facts.accounts.get_mut(&Self::boxed(&work.target)) {
                    None => Err(ErrorClass::Denied),
                    Some(target) => {
                        let new: Vec<u32> = source.mail.iter().copied().filter(|m| !target.mail.contains(m)).collect();
                        target.mail.extend(&new);
                        target.mail.sort_unstable();
                        for message in &new {
                            inner.count(format!("append {} {message}", work.account));
                        }
                        let all = source.mail.len() as u64;
                        let mut total = CopyCounts {
                            source: all,
                            copied: all,
                            new: Some(new.len() as u64),
                            ..CopyCounts::default()
                        };
                        if short {
                            total.copied -= 1;
                            total.failed.insert("too-large".to_owned(), 1);
                        }
                        Ok(CopyReport { total, seen: seen(&source.mail), ..CopyReport::default() })
                    }
                },
            }
        };
        world.end("copy", call).await;
        result.map_err(|class| self.error(class))
    }

    async fn verify(&self, work: &MailWork) -> Result<MailVerification, MailError> {
        let world = &self.0;
        let call = world.begin("verify").await;
        let answer = {
            let mut inner = world.lock();
            let source = inner.facts.accounts.get(&Self::boxed(&work.source)).cloned().unwrap_or_default();
            let target = inner.facts.accounts.get(&Self::boxed(&work.target)).cloned().unwrap_or_default();
            let findings = inner.verify.clone();
            let verified = (source.mail == target.mail && findings.is_empty()).then(|| Verified {
                at: jiff::Timestamp::UNIX_EPOCH,
                messages: source.mail.len() as u64,
                seen: seen(&source.mail),
            });
            if std::mem::take(&mut inner.arrivals) {
                inner.facts.accounts.get_mut(&Self::boxed(&work.source)).unwrap().mail.push(999);
            }
            MailVerification { verified, findings }
        };
        world.end("verify", call).await;
        Ok(answer)
    }

    async fn source_now(&self, account: &Address) -> Result<BTreeMap<FolderPath, FolderStatus>, MailError> {
        let world = &self.0;
        let call = world.begin("read").await;
        // The fake's provisional names: `john` lives at `john01` on the source.
        let old = Address::new(&format!("{}01", account.local()), account.domain().clone()).unwrap();
        let mail = world.lock().facts.accounts.get(&("old".to_owned(), old)).cloned();
        world.end("read", call).await;
        mail.map(|account| seen(&account.mail)).ok_or_else(|| self.error(ErrorClass::Denied))
    }
}

#[async_trait]
impl Passwords for World {
    async fn obtain(
        &self,
        _source: &PasswordSource,
        platform: &PlatformId,
        address: &Address,
    ) -> Result<Secret, PasswordError> {
        let call = self.begin("password").await;
        let fault = self.next_fault("password", &address.key());
        let answer = match fault {
            Some(_) => Err(PasswordError {
                context: format!("the password of {address} could not be delivered"),
                help: Some("make room".to_owned()),
                source: None,
            }),
            None => {
                let mut inner = self.lock();
                if !inner.facts.delivered.contains_key(address) {
                    inner.count(format!("deliver {address}"));
                }
                let entry = inner.facts.delivered.entry(address.clone());
                Ok(Secret::new(entry.or_insert_with(|| format!("{platform}/{address}")).clone()))
            }
        };
        self.end("password", call).await;
        answer
    }
}

#[async_trait]
impl Dns for World {
    async fn check(&self, _platform: &PlatformId, _domain: &Domain, _topics: &BTreeSet<DnsTopic>) -> Vec<Finding> {
        let call = self.begin("read").await;
        self.end("read", call).await;
        self.lock().dns.clone()
    }
}
