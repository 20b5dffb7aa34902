//! F3: spec, providers, mailboxes and DNS to an inventory; concurrent, partial failure is data.
//!
//! Nothing here can change anything: platforms are seen through [`Reader`], mailboxes through
//! [`imap::Reader`](crate::imap::Reader), DNS by questions.

mod mailbox;
mod names;
mod oversize;
mod scope;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
};

use futures::{StreamExt as _, future, stream};

pub use mailbox::connector;
pub use names::{source_of, target_of};
pub use scope::scope;

use crate::{
    dns::{
        self,
        audit::{Wire, look_at_policy},
    },
    imap::Parking,
    model::{
        Address, Domain, Inventory, MailboxView, PasswordSource, PlatformId, PlatformView, PolicyView, Secret,
        SecretRef, SpfCost,
    },
    plan,
    provider::{ProviderError, Reader},
    spec::{Presence, Spec, secrets},
};

/// Resolves a reference to a secret; the text says why it could not be.
pub type SecretLookup<'a> = dyn Fn(&SecretRef) -> Result<Secret, String> + Send + Sync + 'a;

/// What to look at, and with what.
pub struct Look<'a> {
    /// The spec: it decides what is of interest.
    pub spec: &'a Spec,
    /// The platforms.
    pub readers: &'a BTreeMap<PlatformId, Arc<dyn Reader>>,
    /// Passwords of mailboxes.
    pub secrets: &'a SecretLookup<'a>,
    /// Whether mailboxes are opened.
    pub mailboxes: bool,
    /// Whether DNS is asked.
    pub dns: bool,
    /// DNS servers to ask for every domain instead of its own; empty means its own.
    pub dns_servers: Vec<SocketAddr>,
    /// Where web servers listen that serve policies.
    pub https: u16,
    /// Whether a connection without TLS may leave this machine.
    pub allow_plain: bool,
    /// How many mailboxes are opened at the same time.
    pub parallel: usize,
    /// Where connections stay for what follows at once; else they are closed.
    pub parking: Option<Parking>,
}

/// What was seen, and what could not be seen at all.
#[derive(Debug, Default)]
pub struct Observation {
    /// What was seen.
    pub inventory: Inventory,
    /// Platforms that could not be read.
    pub failures: Vec<(PlatformId, ProviderError)>,
    /// Secrets that the spec names and that cannot be had: the reference, whose it is, why.
    pub secrets: Vec<SecretProblem>,
}

/// A secret that the spec names and that cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretProblem {
    /// Whose secret.
    pub subject: String,
    /// Where it should be.
    pub reference: SecretRef,
    /// Why it cannot be had.
    pub reason: String,
}

impl Look<'_> {
    /// Looks at everything that the spec speaks of.
    pub async fn observe(&self) -> Observation {
        let mut seen = Observation::default();
        for (id, result) in self.platforms().await {
            match result {
                Ok(view) => {
                    seen.inventory.platforms.insert(id, view);
                }
                Err(error) => seen.failures.push((id, error)),
            }
        }
        if self.mailboxes {
            self.look_into_mailboxes(&mut seen).await;
        }
        if self.dns {
            self.ask_dns(&mut seen.inventory).await;
        }
        seen
    }

    async fn platforms(&self) -> Vec<(PlatformId, Result<PlatformView, ProviderError>)> {
        let looks = self.readers.iter().map(|(id, reader)| async move {
            let scope = scope(self.spec, id);
            (id.clone(), reader.observe(&scope).await)
        });
        future::join_all(looks).await
    }

    async fn look_into_mailboxes(&self, seen: &mut Observation) {
        let mut doors = Vec::new();
        let mut problems = BTreeSet::new();
        for address in self.spec.accounts.keys() {
            for door in names::doors(self.spec, &seen.inventory, address) {
                doors.push(self.unlock(door, &seen.inventory, &mut problems));
            }
        }
        let views: Vec<((PlatformId, Address), MailboxView)> = stream::iter(doors)
            .map(|door| mailbox::look(door, self.parking.as_ref()))
            .buffer_unordered(self.parallel.max(1))
            .collect()
            .await;
        seen.inventory.mailboxes.extend(views);
        self.look_for_oversized(&mut seen.inventory).await;
        self.judge_passwords(&mut seen.inventory);
        seen.secrets.extend(problems);
    }

    /// Judges the passwords of accounts that are to be made. One that is not there yet is made at apply, or missed then.
    fn judge_passwords(&self, inventory: &mut Inventory) {
        for (address, account) in &self.spec.accounts {
            let Some(platform) = self.spec.platform_of(address).filter(|_| account.state == Presence::Present) else {
                continue;
            };
            let Some(view) = inventory.platforms.get(platform) else { continue };
            let Some(source) = account.password.as_ref().filter(|_| !view.accounts.contains_key(address)) else {
                continue;
            };
            let reference = source.read_back();
            // A program that keeps generated passwords is not asked for thousands that it does not have yet.
            if matches!((source, &reference), (PasswordSource::Generate(_), SecretRef::Command(_))) {
                continue;
            }
            let Ok(secret) = (self.secrets)(&reference) else { continue };
            let can = &view.capabilities;
            if let Some(why) = secrets::unfit(can.password_length, can.password_complex, &secret) {
                inventory.unfit_passwords.insert((platform.clone(), address.clone()), why);
            }
        }
    }

    /// Looks for messages that the targets will not take, where a target that exists tells its limit. What cannot be
    /// looked through is simply not told: the copy itself finds out.
    async fn look_for_oversized(&self, inventory: &mut Inventory) {
        let mut searches = Vec::new();
        for (address, account) in &self.spec.accounts {
            let ends = source_of(self.spec, inventory, address).zip(target_of(self.spec, inventory, address));
            let Some((source, target)) = ends else { continue };
            let there = inventory.mailboxes.get(&(target.platform, target.address));
            let Some(limit) = there.and_then(|view| view.append_limit) else { continue };
            let key = (source.platform.clone(), source.address.clone());
            let Some(view) = inventory.mailboxes.get(&key) else { continue };
            let endpoint = inventory.platforms.get(&source.platform).and_then(|p| p.service.imap.clone());
            let (Some(endpoint), Ok(secret)) = (endpoint, (self.secrets)(source.access.password())) else { continue };
            let filter = &account.mail.filter;
            let folders = oversize::suspects(view, filter, limit);
            if folders.is_empty() {
                continue;
            }
            let way = mailbox::connector(&endpoint, &source.access, &source.address, secret, self.allow_plain);
            searches
                .push(async move { (key, oversize::find(&way, &folders, filter, limit).await.unwrap_or_default()) });
        }
        let found: Vec<_> = stream::iter(searches).buffer_unordered(self.parallel.max(1)).collect().await;
        for (key, large) in found {
            if let Some(view) = inventory.mailboxes.get_mut(&key) {
                view.too_large = large;
            }
        }
    }

    fn unlock(
        &self,
        door: names::Door,
        inventory: &Inventory,
        problems: &mut BTreeSet<SecretProblem>,
    ) -> mailbox::Attempt {
        let key = (door.platform.clone(), door.address.clone());
        let Some(access) = door.access else {
            return mailbox::Attempt::not_tried(key, "the spec gives no way to open it");
        };
        let endpoint = inventory.platforms.get(&door.platform).and_then(|p| p.service.imap.clone());
        let Some(endpoint) = endpoint else {
            return mailbox::Attempt::not_tried(key, "the platform does not tell where its mailboxes are");
        };
        let reference = secrets::of_mailbox(&access, &door.address);
        match (self.secrets)(&reference) {
            Ok(secret) => {
                let mut connector = mailbox::connector(&endpoint, &access, &door.address, secret, self.allow_plain);
                connector.limits = self.spec.platforms.get(&door.platform).map(|p| p.limits).unwrap_or_default();
                mailbox::Attempt::open(key, connector)
            }
            Err(reason) => {
                if door.must_open {
                    problems.insert(SecretProblem {
                        subject: door.address.to_string(),
                        reference,
                        reason: reason.clone(),
                    });
                }
                mailbox::Attempt::not_tried(key, &reason)
            }
        }
    }

    async fn ask_dns(&self, inventory: &mut Inventory) {
        let questions = self
            .spec
            .domains
            .iter()
            .filter(|(_, d)| d.state == Presence::Present && (!d.dns.verify.is_empty() || d.dns.manage.is_some()));
        let asked = questions.map(|(domain, wish)| {
            let expected = plan::wish(self.spec, inventory, domain, wish).questions();
            let servers = dns_servers(self.spec, domain, &self.dns_servers);
            let mut questions = dns::questions(domain, &expected, &wish.dns.verify);
            questions.extend(plan::ask(self.spec, inventory, domain));
            async move { (domain.clone(), dns::Client::default().ask_each(domain, &questions, &servers).await) }
        });
        let views = future::join_all(asked).await;
        inventory.dns.extend(views);
        self.count_senders(inventory).await;
        self.read_policies(inventory).await;
    }

    /// Reads the MTA-STS policies of the domains whose record a plan may write: what is served decides whether it does.
    async fn read_policies(&self, inventory: &mut Inventory) {
        let announced = self.spec.domains.keys().filter(|d| plan::announces_policy(self.spec, d));
        let looks = announced.map(|domain| async move {
            let servers = dns_servers(self.spec, domain, &self.dns_servers);
            let view = match dns::Servers::of_others(&resolvers(self.spec, domain), &servers) {
                Ok(world) => look_at_policy(domain, &world, &Wire, self.https).await,
                Err(reason) => PolicyView::Unknown { reason },
            };
            (domain.clone(), view)
        });
        for (domain, policy) in future::join_all(looks).await {
            if let Some(view) = inventory.dns.get_mut(&domain) {
                view.policy = Some(policy);
            }
        }
    }

    /// Counts what the SPF records that a plan would publish cost receivers, with everything that they include.
    async fn count_senders(&self, inventory: &mut Inventory) {
        let all = self.spec.domains.keys();
        let planned: Vec<(Domain, (String, Vec<String>))> =
            all.filter_map(|d| Some((d.clone(), plan::spf_to_count(self.spec, inventory, d)?))).collect();
        for (domain, (record, before)) in planned {
            let servers = dns_servers(self.spec, &domain, &self.dns_servers);
            let world = dns::Servers::of_others(&resolvers(self.spec, &domain), &servers);
            let (Ok(world), Ok(parsed)) = (world, dns::spf::parse(&record)) else { continue };
            let reach = dns::spf::reach(&world, domain.as_str(), &parsed).await;
            let (mut lost, mut needless) = (Vec::new(), false);
            for text in &before {
                let Ok(old) = dns::spf::parse(text) else { continue };
                let old = dns::spf::reach(&world, domain.as_str(), &old).await;
                lost.extend(old.beyond(&reach).iter().map(ToString::to_string));
                if before.len() == 1 {
                    needless = dns::spf::adds_nobody(&world, domain.as_str(), text, &record, &old).await;
                }
            }
            let cost = SpfCost {
                lost,
                needless,
                record,
                lookups: reach.lookups,
                voids: reach.voids,
                complete: reach.unknown.is_empty() && reach.broken.is_empty(),
            };
            if let Some(view) = inventory.dns.get_mut(&domain) {
                view.spf = Some(cost);
            }
        }
    }
}

/// The DNS servers to ask for a domain: those given, else those the spec names, else none, which means the domain's own.
#[must_use]
pub fn dns_servers(spec: &Spec, domain: &Domain, given: &[SocketAddr]) -> Vec<SocketAddr> {
    if !given.is_empty() {
        return given.to_vec();
    }
    let named = spec.domains.get(domain).map(|d| d.dns.servers.as_slice()).unwrap_or_default();
    named.iter().filter_map(|text| server_address(text)).collect()
}

/// The resolvers that the spec names for a domain.
#[must_use]
pub fn resolvers(spec: &Spec, domain: &Domain) -> Vec<dns::Nameserver> {
    let named = spec.domains.get(domain).map(|d| d.dns.resolvers.as_slice()).unwrap_or_default();
    named.iter().filter_map(|text| text.parse().ok()).collect()
}

/// Reads `address` or `address:port`; the port is 53 by default.
#[must_use]
pub fn server_address(text: &str) -> Option<SocketAddr> {
    text.parse().ok().or_else(|| text.parse().ok().map(|ip| SocketAddr::new(ip, 53)))
}
