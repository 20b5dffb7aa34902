//! Each adapter against the emulated API: observe, perform, probe, perform again, observe.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use rehome::{
    model::{
        Address, Change, ContactView, Credentials, Domain, DomainType, Footer, GroupJoin, GroupSettings, ImapEndpoint,
        ImapSecurity, PlatformId, PlatformKind, PlatformView, Profile, RedirectionView, Right, Secret, SlotId,
    },
    provider::{DomainReady, ErrorClass, Patience, PlatformConfig, Probe, Scope, open, open_reader},
    sandbox::{
        api::{
            Api, Links, PublicDns,
            world::{Family, Record, World},
        },
        counters::Counters,
        store::MailStore,
    },
};

use super::api::{addr, domain, from_env, shown};

const ZIMBRA: &str = "11111111-2222-3333-4444-555555555555";
const PASSWORD: &str = "Correct-horse-9";

/// Mailboxes of which only the logins matter.
#[derive(Default)]
struct Logins(Mutex<BTreeMap<(String, Address), String>>);

#[async_trait]
impl MailStore for Logins {
    fn endpoint(&self, _service: &str) -> ImapEndpoint {
        ImapEndpoint { host: "127.0.0.1".to_owned(), port: 143, security: ImapSecurity::Plain }
    }

    async fn create(&self, service: &str, login: &Address, password: &str) -> io::Result<()> {
        self.0.lock().unwrap().insert((service.to_owned(), login.clone()), password.to_owned());
        Ok(())
    }

    async fn rename(&self, service: &str, from: &Address, to: &Address) -> io::Result<()> {
        let mut all = self.0.lock().unwrap();
        let password = all.remove(&(service.to_owned(), from.clone())).unwrap_or_default();
        all.insert((service.to_owned(), to.clone()), password);
        Ok(())
    }

    async fn set_password(&self, service: &str, login: &Address, password: &str) -> io::Result<()> {
        self.create(service, login, password).await
    }

    async fn set_imap(&self, _service: &str, _login: &Address, _enabled: bool) -> io::Result<()> {
        Ok(())
    }

    async fn remove(&self, service: &str, login: &Address) -> io::Result<()> {
        self.0.lock().unwrap().remove(&(service.to_owned(), login.clone()));
        Ok(())
    }

    async fn usage(&self, _service: &str, _login: &Address) -> io::Result<u64> {
        Ok(4096)
    }
}

/// A DNS in which nothing is ever found.
struct NoDns;

impl PublicDns for NoDns {
    fn publish(&self, _zone: &Domain, _serial: u32, _name_servers: &[String], _records: &[Record]) {}

    fn lookup(&self, _name: &str, _record_type: &str) -> Vec<String> {
        Vec::new()
    }
}

struct Rehearsal {
    api: Api,
    mail: Arc<Logins>,
    keys: BTreeMap<String, Secret>,
}

impl Rehearsal {
    async fn start(furnish: impl FnOnce(&mut World)) -> Self {
        let mut world = World::new(7);
        furnish(&mut world);
        let keys = &world.keys;
        let keys = [
            ("application_key", &keys.application),
            ("application_secret", &keys.secret),
            ("consumer_key", &keys.consumer),
        ];
        let keys = keys.map(|(name, key)| (name.to_owned(), Secret::new(key.clone()))).into();
        let mail = Arc::new(Logins::default());
        let links = Links {
            mail: Arc::<Logins>::clone(&mail),
            dns: Arc::new(NoDns),
            counters: Counters::new(),
            task_delay: Duration::from_millis(15),
        };
        Self { api: Api::start(world, links, 0).await.unwrap(), mail, keys }
    }

    fn config(&self, kind: PlatformKind, service: &str) -> PlatformConfig {
        PlatformConfig {
            service: Some(service.to_owned()),
            endpoint: Some(self.api.endpoint()),
            credentials: Credentials(self.keys.clone()),
            requests_per_minute: Some(1_000_000),
            patience: Patience { longest: Duration::from_secs(20), first_pause: Duration::from_millis(2) },
            ..PlatformConfig::new(PlatformId::from("here"), kind)
        }
    }

    async fn observe(&self, config: &PlatformConfig) -> PlatformView {
        let accounts = ["john", "john01", "jane", "new", "j.smith"].map(|local| addr(&format!("{local}@mydomain.ovh")));
        let scope = Scope {
            domains: BTreeSet::from([domain("mydomain.ovh"), domain("other.ovh")]),
            accounts: accounts.into(),
            redirections: true,
            groups: true,
            contacts: true,
        };
        open_reader(config).unwrap().observe(&scope).await.map_err(|e| shown(&e)).unwrap()
    }

    fn effects(&self) -> BTreeMap<String, u64> {
        self.api.counters().snapshot().into_iter().filter(|(name, _)| name.starts_with("effect.")).collect()
    }

    /// Performs a change, and everything that must hold around it.
    async fn step(&self, config: &PlatformConfig, change: Change) -> PlatformView {
        let name = format!("{} {}", change.kind(), change.subject());
        let provider = open(config).unwrap();
        let secret = change.password().map(|_| Secret::new(PASSWORD.to_owned()));
        let probe = || async { open_reader(config).unwrap().probe(&change).await.map_err(|e| shown(&e)).unwrap() };
        assert_eq!(probe().await, Probe::NotDone, "{name} is not made yet");
        provider.perform(&change, secret.as_ref()).await.map_err(|e| shown(&e)).unwrap();
        // A domain is added when it is listed; until it takes accounts is a wait of its own.
        self.api.idle().await;
        let effects = self.effects();
        // A password cannot be read back, and setting it once more changes nothing.
        let readable = !matches!(change, Change::AccountPassword { .. });
        if readable {
            assert_eq!(probe().await, Probe::Done, "{name} is made");
        }
        open(config).unwrap().perform(&change, secret.as_ref()).await.map_err(|e| shown(&e)).unwrap();
        self.api.idle().await;
        let again: Vec<String> = self
            .effects()
            .into_iter()
            .filter(|(effect, n)| effects.get(effect) != Some(n))
            .map(|(effect, _)| effect)
            .collect();
        assert!(again.is_empty() || !readable, "{name} was made twice: {again:?}");
        self.observe(config).await
    }

    fn login(&self, service: &str, address: &str) -> Option<String> {
        self.mail.0.lock().unwrap().get(&(service.to_owned(), addr(address))).cloned()
    }
}

fn hosted(world: &mut World, family: Family, service: &str) {
    world.add_hosted(family, service, "ex5.mail.ovh.net", 4);
    world.add_domain(service, &domain("mydomain.ovh"), false);
    for local in ["john", "jane"] {
        world.add_account(service, &addr(&format!("{local}@mydomain.ovh")), serde_json::Map::new());
    }
}

fn john() -> Address {
    addr("john@mydomain.ovh")
}

fn jane() -> Address {
    addr("jane@mydomain.ovh")
}

fn profile(name: &str) -> Profile {
    Profile { display_name: Some(name.to_owned()), ..Profile::default() }
}

fn create(slot: Option<SlotId>) -> Change {
    Change::AccountCreate {
        address: addr("new@mydomain.ovh"),
        slot,
        profile: Box::new(Profile { first_name: Some("New".to_owned()), ..profile("New One") }),
        password: Box::new(from_env()),
    }
}

/// Rename, create, update, password, aliases, reset: what all but the legacy platform share.
async fn accounts(r: &Rehearsal, config: &PlatformConfig, service: &str) {
    let before = r.observe(config).await;
    assert!(before.gaps.is_empty(), "{:?}", before.gaps);
    assert!(before.accounts.contains_key(&john()) && !before.slots.is_empty());

    let seen = r.step(config, Change::AccountRename { from: john(), to: addr("john01@mydomain.ovh") }).await;
    assert!(seen.accounts.contains_key(&addr("john01@mydomain.ovh")) && !seen.accounts.contains_key(&john()));
    let seen = r.step(config, Change::AccountRename { from: addr("john01@mydomain.ovh"), to: john() }).await;
    assert_eq!(seen.accounts.keys().collect::<Vec<_>>(), before.accounts.keys().collect::<Vec<_>>());

    let slot = before.slots[0].id.clone();
    let seen = r.step(config, create(Some(slot.clone()))).await;
    let made = &seen.accounts[&addr("new@mydomain.ovh")];
    assert_eq!(made.profile.display_name.as_deref(), Some("New One"));
    assert_eq!(made.profile.first_name.as_deref(), Some("New"));
    assert!(!seen.slots.iter().any(|s| s.id == slot), "the slot is filled");
    assert_eq!(r.login(service, "new@mydomain.ovh").as_deref(), Some(PASSWORD));

    let fields = Profile { hidden: Some(true), ..profile("Newer") };
    let seen =
        r.step(config, Change::AccountUpdate { address: addr("new@mydomain.ovh"), profile: Box::new(fields) }).await;
    let now = &seen.accounts[&addr("new@mydomain.ovh")].profile;
    assert_eq!((now.display_name.as_deref(), now.hidden), (Some("Newer"), Some(true)));
    assert_eq!(now.first_name.as_deref(), Some("New"), "what is not wished for stays");
    r.step(config, Change::AccountPassword { address: john(), password: Box::new(from_env()) }).await;
    assert_eq!(r.login(service, "john@mydomain.ovh").as_deref(), Some(PASSWORD));

    let alias = addr("j.smith@mydomain.ovh");
    let seen = r.step(config, Change::AliasAdd { account: john(), alias: alias.clone() }).await;
    assert!(seen.accounts[&john()].aliases.contains(&alias));
    let seen = r.step(config, Change::AliasRemove { account: john(), alias }).await;
    assert!(seen.accounts[&john()].aliases.is_empty());

    let seen = r.step(config, Change::AccountReset { address: addr("new@mydomain.ovh") }).await;
    assert!(!seen.accounts.contains_key(&addr("new@mydomain.ovh")));
    assert_eq!(seen.slots.len(), before.slots.len(), "the slot is free again");
}

/// Rights, contacts, footers: what the three of API v1 share.
async fn dependents(r: &Rehearsal, config: &PlatformConfig) {
    for right in [Right::FullAccess, Right::SendAs, Right::SendOnBehalf] {
        let seen = r.step(config, Change::DelegationGrant { account: john(), to: jane(), right }).await;
        let held = &seen.accounts[&john()].delegations;
        assert!(held.iter().any(|d| d.to == jane() && d.right == right) && held.len() == 1);
        let seen = r.step(config, Change::DelegationRevoke { account: john(), to: jane(), right }).await;
        assert!(seen.accounts[&john()].delegations.is_empty());
    }
    let contact = addr("bob@partner.example");
    let fields = ContactView { display_name: Some("Bob".to_owned()), ..ContactView::default() };
    let seen = r.step(config, Change::ContactAdd { contact: contact.clone(), fields: Box::new(fields) }).await;
    assert_eq!(seen.contacts[&contact].display_name.as_deref(), Some("Bob"));
    let fields = ContactView { last_name: Some("B".to_owned()), ..ContactView::default() };
    let seen = r.step(config, Change::ContactUpdate { contact: contact.clone(), fields: Box::new(fields) }).await;
    assert_eq!(seen.contacts[&contact].display_name.as_deref(), Some("Bob"));
    let seen = r.step(config, Change::ContactRemove { contact }).await;
    assert!(seen.contacts.is_empty());

    let at = domain("mydomain.ovh");
    for html in ["<p>one</p>", "<p>two</p>"] {
        let footer = Footer { html: html.to_owned(), outside_only: true };
        let seen = r.step(config, Change::FooterSet { domain: at.clone(), footer: footer.clone() }).await;
        assert_eq!(seen.domains[&at].footer.as_ref(), Some(&footer));
    }
    let seen = r.step(config, Change::FooterRemove { domain: at.clone() }).await;
    assert_eq!(seen.domains[&at].footer, None);
    let to_authoritative = Change::DomainUpdate { domain: at.clone(), kind: DomainType::Authoritative, mx_relay: None };
    let seen = r.step(config, to_authoritative).await;
    assert_eq!(seen.domains[&at].kind, Some(DomainType::Authoritative));
}

async fn domains(r: &Rehearsal, config: &PlatformConfig) {
    let other = domain("other.ovh");
    let add = Change::DomainAdd { domain: other.clone(), kind: Some(DomainType::NonAuthoritative), mx_relay: None };
    let seen = r.step(config, add).await;
    assert!(seen.domains.contains_key(&other));
    r.api.idle().await;
    assert_eq!(open_reader(config).unwrap().domain_ready(&other).await.unwrap(), DomainReady::Ready);
    let seen = r.step(config, Change::DomainRemove { domain: other.clone() }).await;
    assert!(!seen.domains.contains_key(&other));
}

/// Groups of a directory and mailing lists take the same changes.
async fn groups(r: &Rehearsal, config: &PlatformConfig) {
    let group = addr("team@mydomain.ovh");
    let settings =
        GroupSettings { members_only: Some(true), join: Some(GroupJoin::Approval), ..GroupSettings::default() };
    let seen = r.step(config, Change::GroupCreate { group: group.clone(), settings: Box::new(settings.clone()) }).await;
    assert_eq!(seen.groups[&group].settings.members_only, Some(true));
    assert_eq!(seen.groups[&group].settings.join, Some(GroupJoin::Approval));
    let open = GroupSettings { join: Some(GroupJoin::Open), ..GroupSettings::default() };
    let seen = r.step(config, Change::GroupUpdate { group: group.clone(), settings: Box::new(open) }).await;
    assert_eq!(seen.groups[&group].settings.join, Some(GroupJoin::Open));
    assert_eq!(seen.groups[&group].settings.members_only, Some(true));
    let seen = r.step(config, Change::GroupMemberAdd { group: group.clone(), member: john() }).await;
    assert_eq!(seen.groups[&group].members, [john()].into());
    let seen = r.step(config, Change::GroupManagerAdd { group: group.clone(), manager: jane() }).await;
    assert_eq!(seen.groups[&group].managers, [jane()].into());
    let seen = r.step(config, Change::GroupManagerRemove { group: group.clone(), manager: jane() }).await;
    assert!(seen.groups[&group].managers.is_empty());
    let seen = r.step(config, Change::GroupMemberRemove { group: group.clone(), member: john() }).await;
    assert!(seen.groups[&group].members.is_empty());
    let seen = r.step(config, Change::GroupRemove { group }).await;
    assert!(seen.groups.is_empty());
}

/// Redirections of any address to any number of others.
async fn redirections(r: &Rehearsal, config: &PlatformConfig, copies: bool) {
    let from = addr("info@mydomain.ovh");
    let outside = addr("desk@partner.example");
    let mut wishes = vec![(vec![john()], false), (vec![john(), outside.clone()], false)];
    if copies {
        wishes.extend([(vec![outside.clone()], true), (vec![outside.clone(), jane()], true), (vec![outside], false)]);
    }
    for (to, keep_copy) in wishes {
        let to: BTreeSet<Address> = to.into_iter().collect();
        let seen = r.step(config, Change::RedirectionSet { from: from.clone(), to: to.clone(), keep_copy }).await;
        assert_eq!(seen.redirections[&from], RedirectionView { to, keep_copy });
    }
    let seen = r.step(config, Change::RedirectionRemove { from }).await;
    assert!(seen.redirections.is_empty());
}

/// An Email Pro service whose tasks of that kind fail.
async fn failing(function: &str) -> (Rehearsal, PlatformConfig) {
    let service = "emailpro-ab12345-1";
    let r = Rehearsal::start(|w| hosted(w, Family::EmailPro, service)).await;
    r.api.edit(|w| w.settings.failing.insert(function.to_owned()));
    let config = r.config(PlatformKind::OvhEmailPro, service);
    (r, config)
}

#[tokio::test]
async fn a_rename_whose_task_fails_is_refused_and_nothing_moved() {
    let (r, config) = failing("setAccount").await;
    let change = Change::AccountRename { from: john(), to: addr("john01@mydomain.ovh") };
    let error = open(&config).unwrap().perform(&change, None).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Refused, "{}", shown(&error));
    assert_eq!(open_reader(&config).unwrap().probe(&change).await.unwrap(), Probe::NotDone);
    assert!(r.observe(&config).await.accounts.contains_key(&john()));
}

#[tokio::test]
async fn an_account_whose_password_failed_is_in_doubt_and_finished_later() {
    let (r, config) = failing("changePassword").await;
    let change = create(Some(r.observe(&config).await.slots[0].id.clone()));
    let secret = Secret::new(PASSWORD.to_owned());
    let error = open(&config).unwrap().perform(&change, Some(&secret)).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::InDoubt, "{}", shown(&error));
    assert_eq!(open_reader(&config).unwrap().probe(&change).await.unwrap(), Probe::NotDone);
    r.api.edit(|w| w.settings.failing.clear());
    open(&config).unwrap().perform(&change, Some(&secret)).await.map_err(|e| shown(&e)).unwrap();
    assert_eq!(r.login("emailpro-ab12345-1", "new@mydomain.ovh").as_deref(), Some(PASSWORD));
    let accounts = r.observe(&config).await.accounts;
    assert_eq!(accounts.len(), 3, "one slot was filled, not two");
}

#[tokio::test]
async fn an_alias_whose_task_fails_is_refused() {
    let (_r, config) = failing("addAlias").await;
    let change = Change::AliasAdd { account: john(), alias: addr("j.smith@mydomain.ovh") };
    let error = open(&config).unwrap().perform(&change, None).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Refused, "{}", shown(&error));
}

#[tokio::test]
async fn a_change_waits_for_the_task_that_is_already_running() {
    let (_r, config) = failing("nothing").await;
    let provider = open(&config).unwrap();
    let john01 = addr("john01@mydomain.ovh");
    let rename = Change::AccountRename { from: john(), to: john01.clone() };
    let fields = Change::AccountUpdate { address: john(), profile: Box::new(profile("Johnny")) };
    // Both at once: whichever the platform takes second waits, or finds the account renamed.
    let (renamed, updated) = tokio::join!(provider.perform(&rename, None), provider.perform(&fields, None));
    renamed.map_err(|e| shown(&e)).unwrap();
    assert!(updated.is_ok() || updated.is_err_and(|e| e.class == ErrorClass::NotFound));
    assert_eq!(provider.probe(&rename).await.unwrap(), Probe::Done);
}

#[tokio::test]
async fn a_swap_across_two_services_gives_the_address_to_the_target() {
    let (source, target) = ("hosted-ab12345-1", "emailpro-ab12345-1");
    let r = Rehearsal::start(|w| {
        hosted(w, Family::Exchange, source);
        w.add_hosted(Family::EmailPro, target, "pro1.mail.ovh.net", 1);
        w.add_domain(target, &domain("mydomain.ovh"), false);
    })
    .await;
    let from = r.config(PlatformKind::OvhExchange, source);
    let to = r.config(PlatformKind::OvhEmailPro, target);
    let made = Change::AccountCreate {
        address: john(),
        slot: Some(r.observe(&to).await.slots[0].id.clone()),
        profile: Box::new(profile("John")),
        password: Box::new(from_env()),
    };
    let secret = Secret::new(PASSWORD.to_owned());
    let early = open(&to).unwrap().perform(&made, Some(&secret)).await.unwrap_err();
    assert_eq!(early.class, ErrorClass::Conflict, "the source still has it: {}", shown(&early));
    assert_eq!(r.observe(&to).await.slots.len(), 1, "and the slot is still free");
    r.step(&from, Change::AccountRename { from: john(), to: addr("john01@mydomain.ovh") }).await;
    let seen = r.step(&to, made).await;
    assert!(seen.accounts.contains_key(&john()) && seen.slots.is_empty());
}

#[tokio::test]
async fn a_domain_takes_accounts_once_its_proof_is_published() {
    let service = "emailpro-ab12345-1";
    let r = Rehearsal::start(|w| {
        hosted(w, Family::EmailPro, service);
        w.settings.validate_domains = true;
    })
    .await;
    let config = r.config(PlatformKind::OvhEmailPro, service);
    let other = domain("other.ovh");
    let add = Change::DomainAdd { domain: other.clone(), kind: None, mx_relay: None };
    open(&config).unwrap().perform(&add, None).await.map_err(|e| shown(&e)).unwrap();
    r.api.idle().await;
    let reader = open_reader(&config).unwrap();
    let ready = reader.domain_ready(&other).await.unwrap();
    assert!(matches!(&ready, DomainReady::Waiting(why) if why.contains("CNAME ovh.com")), "{ready:?}");
    let proof = r.observe(&config).await.domains[&other].ownership.clone().unwrap();
    assert!(proof.name.ends_with(".other.ovh"), "{proof:?}");
    r.api.edit(|w| {
        let domain = w.hosted.get_mut(service).and_then(|s| s.domains.get_mut(&other)).unwrap();
        domain.validated = true;
        domain.state = "ok".to_owned();
    });
    assert_eq!(reader.domain_ready(&other).await.unwrap(), DomainReady::Ready);
}

#[tokio::test]
async fn exchange_makes_every_change_once() {
    let service = "hosted-ab12345-1";
    let r = Rehearsal::start(|w| hosted(w, Family::Exchange, service)).await;
    let config = r.config(PlatformKind::OvhExchange, service);
    accounts(&r, &config, service).await;
    dependents(&r, &config).await;
    domains(&r, &config).await;
    groups(&r, &config).await;
    let to: BTreeSet<Address> = [addr("desk@partner.example")].into();
    let set = Change::RedirectionSet { from: john(), to: to.clone(), keep_copy: true };
    let seen = r.step(&config, set).await;
    assert_eq!(seen.redirections[&john()], RedirectionView { to, keep_copy: true });
    let seen = r.step(&config, Change::RedirectionRemove { from: john() }).await;
    assert!(seen.redirections.is_empty());
    assert_eq!(seen.accounts[&john()].imap_enabled, Some(true));
}

#[tokio::test]
async fn exchange_groups_take_contacts() {
    let service = "hosted-ab12345-1";
    let r = Rehearsal::start(|w| hosted(w, Family::Exchange, service)).await;
    let config = r.config(PlatformKind::OvhExchange, service);
    let (group, contact) = (addr("team@mydomain.ovh"), addr("bob@partner.example"));
    let fields = ContactView { display_name: Some("Bob".to_owned()), ..ContactView::default() };
    r.step(&config, Change::ContactAdd { contact: contact.clone(), fields: Box::new(fields) }).await;
    r.step(&config, Change::GroupCreate { group: group.clone(), settings: Box::new(GroupSettings::default()) }).await;
    let seen = r.step(&config, Change::GroupMemberAdd { group: group.clone(), member: contact.clone() }).await;
    assert_eq!(seen.groups[&group].members, [contact.clone()].into());
    let seen = r.step(&config, Change::GroupMemberRemove { group: group.clone(), member: contact }).await;
    assert!(seen.groups[&group].members.is_empty());
}

#[tokio::test]
async fn a_dedicated_exchange_makes_and_deletes_accounts() {
    let service = "private-ab12345-1";
    let r = Rehearsal::start(|w| {
        hosted(w, Family::Exchange, service);
        w.hosted.get_mut(service).unwrap().offer = "dedicated".to_owned();
    })
    .await;
    let config = r.config(PlatformKind::OvhExchange, service);
    let provider = open(&config).unwrap();
    provider.perform(&create(None), Some(&Secret::new(PASSWORD.to_owned()))).await.map_err(|e| shown(&e)).unwrap();
    assert!(r.observe(&config).await.accounts.contains_key(&addr("new@mydomain.ovh")));
    assert_eq!(r.login(service, "new@mydomain.ovh").as_deref(), Some(PASSWORD));
}

#[tokio::test]
async fn email_pro_makes_every_change_once() {
    let service = "emailpro-ab12345-1";
    let r = Rehearsal::start(|w| hosted(w, Family::EmailPro, service)).await;
    let config = r.config(PlatformKind::OvhEmailPro, service);
    accounts(&r, &config, service).await;
    dependents(&r, &config).await;
    domains(&r, &config).await;
}

#[tokio::test]
async fn mxplan_makes_every_change_once() {
    let service = "mxplan-ab12345-1";
    let r = Rehearsal::start(|w| {
        hosted(w, Family::MxPlan, service);
        w.add_legacy(&domain("mydomain.ovh"), 5, Some(service));
    })
    .await;
    let config = r.config(PlatformKind::OvhMxplan, service);
    accounts(&r, &config, service).await;
    dependents(&r, &config).await;
    groups(&r, &config).await;
    redirections(&r, &config, true).await;
    assert_eq!(open_reader(&config).unwrap().imap_endpoint().await.unwrap().host, "ssl0.ovh.net");
}

#[tokio::test]
async fn legacy_mxplan_makes_every_change_once() {
    let r = Rehearsal::start(|w| {
        w.add_legacy(&domain("mydomain.ovh"), 5, None);
        w.add_legacy_account(&john(), "John");
        w.add_legacy_account(&jane(), "Jane");
    })
    .await;
    let config = r.config(PlatformKind::OvhMxplanLegacy, "mydomain.ovh");
    let seen = r.observe(&config).await;
    assert!(seen.gaps.is_empty(), "{:?}", seen.gaps);
    assert_eq!(seen.accounts[&john()].profile.quota_octets, Some(5_000_000_000));
    let seen = r.step(&config, create(None)).await;
    assert_eq!(seen.accounts[&addr("new@mydomain.ovh")].profile.display_name.as_deref(), Some("New One"));
    assert!(r.mail.0.lock().unwrap().keys().any(|(_, login)| *login == addr("new@mydomain.ovh")));
    let seen = r.step(&config, Change::AccountUpdate { address: john(), profile: Box::new(profile("Johnny")) }).await;
    assert_eq!(seen.accounts[&john()].profile.display_name.as_deref(), Some("Johnny"));
    r.step(&config, Change::AccountPassword { address: john(), password: Box::new(from_env()) }).await;
    groups(&r, &config).await;
    redirections(&r, &config, true).await;
    let seen = r.step(&config, Change::AccountReset { address: addr("new@mydomain.ovh") }).await;
    assert!(!seen.accounts.contains_key(&addr("new@mydomain.ovh")));
}

#[tokio::test]
async fn zimbra_makes_every_change_once() {
    let r = Rehearsal::start(|w| {
        w.add_zimbra(ZIMBRA, "ours", 3, 1);
        w.add_zimbra_domain(ZIMBRA, &domain("mydomain.ovh"));
    })
    .await;
    let config = r.config(PlatformKind::OvhZimbra, ZIMBRA);
    for local in [john(), jane()] {
        let slot = r.observe(&config).await.slots[0].id.clone();
        let made = Change::AccountCreate {
            address: local,
            slot: Some(slot),
            profile: Box::default(),
            password: Box::new(from_env()),
        };
        r.step(&config, made).await;
    }
    accounts(&r, &config, ZIMBRA).await;
    domains(&r, &config).await;
    redirections(&r, &config, false).await;
}
