//! Exchange, Email Pro and MX Plan (new generation): one interface with three dialects.
//!
//! Lists give names, objects are read one by one. A PUT answers nothing and takes effect later; other changes answer
//! with a task. An object at rest has the state `ok` and no pending task.

mod account;
mod details;
mod domain;
mod look;
mod parts;
mod shared;
mod view;

pub(super) use look::compare;
pub(super) use parts::group_of;
pub(super) use view::{gap, unreadable};

use std::{collections::BTreeMap, sync::Mutex};

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::OnceCell;

use super::{
    adapter::{Adapter, Made, Seen, Site},
    client::WriteClient,
    domain_service::DomainService,
    failure::{EXPIRED, Failure},
    json::Lenient as _,
    path::ApiPath,
    wait::{Look, until},
};
use crate::{
    model::{Address, Change, Domain, ImapEndpoint, ImapSecurity, ObjectState, PlatformView, Secret},
    provider::{DomainReady, ErrorClass, Scope},
};

/// The domain of free places.
const PLACEHOLDER: &str = "configureme.me";

/// In what the three platforms differ.
pub(super) struct Dialect {
    /// The word for IMAP, POP and so on of one account, where it exists.
    pub(super) protocols: bool,
    /// An account can forward its mail.
    pub(super) forward: bool,
    /// Groups live in the platform's directory.
    pub(super) groups: bool,
    /// It has shared mailboxes, resources, public folders and archives.
    pub(super) shared: bool,
    /// Keys that sign are objects of a domain of the service.
    pub(super) dkim: bool,
    /// Slots differ in what they are sold as, so that each must be read.
    pub(super) offers: bool,
    /// Redirections and lists of its domains are those of `/email/domain`.
    pub(super) domain_service: bool,
    /// The one IMAP host of the platform, where it is not the service's own.
    pub(super) imap_host: Option<&'static str>,
    /// The IMAP host in North America, where the service names none.
    pub(super) imap_host_canada: Option<&'static str>,
}

/// One service of one of the three.
pub(super) struct V1 {
    site: Site,
    dialect: &'static Dialect,
    /// Where this service's kind is listed.
    services: ApiPath,
    base: ApiPath,
    /// Accounts and contacts by their numbers, which never change owner.
    numbers: Mutex<BTreeMap<(Directory, u64), Address>>,
    /// The service, once it was seen to take changes.
    service: OnceCell<Value>,
}

/// The two lists that numbers count in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Directory {
    Accounts,
    Contacts,
}

impl Directory {
    fn word(self) -> &'static str {
        match self {
            Self::Accounts => "account",
            Self::Contacts => "externalContact",
        }
    }
}

/// Whether an object takes changes.
enum Rest {
    Still,
    Busy(String),
    Stuck(String),
}

impl V1 {
    pub(super) fn new(site: Site, dialect: &'static Dialect, services: ApiPath, base: ApiPath) -> Self {
        Self { site, dialect, services, base, numbers: Mutex::new(BTreeMap::new()), service: OnceCell::new() }
    }

    fn account(&self, address: &Address) -> ApiPath {
        self.base.join(&["account", &address.to_string()])
    }

    fn domain(&self, domain: &Domain) -> ApiPath {
        self.base.join(&["domain", domain.as_str()])
    }

    /// The redirections and lists of a domain, where the platform keeps them outside.
    fn domain_service(&self, domain: &Domain) -> DomainService {
        DomainService::new(self.site.client.clone(), domain.clone())
    }

    async fn find(&self, path: &ApiPath) -> Result<Option<Value>, Failure> {
        self.site.client.find(path).await
    }

    /// The service itself; when it is not there, the error lists those that are.
    async fn read_service(&self) -> Result<Value, Failure> {
        match self.site.client.get(&self.base).await {
            Err(e) if e.status() == Some(404) => Err(self.no_service().await),
            other => other,
        }
    }

    async fn no_service(&self) -> Failure {
        let names = self.site.client.names(&self.services).await.unwrap_or_default();
        let help = if names.is_empty() {
            "these credentials see no service of this kind".to_owned()
        } else {
            format!("these credentials see: {}", names.join(", "))
        };
        Failure::stopped(ErrorClass::NotFound, format!("there is no service at {}", self.base)).or_help(help)
    }

    /// The number of an account or contact.
    async fn number(&self, directory: Directory, address: &Address) -> Result<Option<u64>, Failure> {
        let found = self.find(&self.base.join(&[directory.word(), &address.to_string()])).await?;
        let number = found.as_ref().and_then(|v| v.whole("id"));
        if let Some(number) = number {
            self.learn(directory, number, address);
        }
        Ok(number)
    }

    fn learn(&self, directory: Directory, number: u64, address: &Address) {
        let mut known = self.numbers.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        known.insert((directory, number), address.clone());
    }

    /// The address behind a number.
    async fn whose(&self, directory: Directory, number: u64) -> Result<Option<Address>, Failure> {
        let known = || {
            let known = self.numbers.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            known.get(&(directory, number)).cloned()
        };
        if let Some(address) = known() {
            return Ok(Some(address));
        }
        let path = self.base.join(&[directory.word()]).query("id", &number.to_string());
        let names = self.site.client.names(&path).await?;
        // A server that ignores the filter answers with everybody.
        let [name] = names.as_slice() else { return Ok(None) };
        let address = Address::parse(name).ok();
        if let Some(address) = &address {
            self.learn(directory, number, address);
        }
        Ok(address)
    }

    /// Waits until the task that a change answered with has ended. Old tasks vanish, so that a missing one says nothing.
    async fn task(&self, reply: &Value) -> Result<(), Failure> {
        let Some(id) = reply.get("id").and_then(super::json::label) else { return Ok(()) };
        let path = self.base.join(&["task", &id]);
        let function = reply.text("function").unwrap_or("the task").to_owned();
        let end = until(self.site.client.patience(), &function, || async {
            let Some(task) = self.find(&path).await? else { return Ok(Look::There(())) };
            match task.text("status") {
                Some("done") => Ok(Look::There(())),
                Some(bad @ ("error" | "cancelled")) => {
                    Err(Failure::stopped(ErrorClass::Refused, format!("the platform's task {function} ended as {bad}")))
                }
                status => Ok(Look::NotYet(format!("{function} is {}", status.unwrap_or("unknown")))),
            }
        });
        end.await.map_err(Failure::after_sending)
    }

    /// Waits until an object is at rest, and gives it back.
    async fn rested(&self, path: &ApiPath, what: &str) -> Result<Value, Failure> {
        until(self.site.client.patience(), what, || async {
            let value = self.site.client.get(path).await?;
            match rest(&value) {
                Rest::Still => Ok(Look::There(value)),
                Rest::Busy(why) => Ok(Look::NotYet(why)),
                Rest::Stuck(why) => Err(Failure::stopped(ErrorClass::Refused, format!("{what} is {why}"))),
            }
        })
        .await
    }
}

/// Reads `state` and `taskPendingId`. A word that no schema knows yet counts as busy: it may pass.
fn rest(value: &Value) -> Rest {
    match value.text("state") {
        Some(word @ ("suspended" | "internalMigration")) => return Rest::Stuck(word.to_owned()),
        None | Some("ok") => {}
        Some(word) => return Rest::Busy(word.to_owned()),
    }
    match value.whole("taskPendingId") {
        None | Some(0) => Rest::Still,
        Some(task) => Rest::Busy(format!("task {task} is running")),
    }
}

/// The same as the inventory says it.
fn object_state(value: &Value) -> ObjectState {
    match rest(value) {
        Rest::Still => ObjectState::Ok,
        Rest::Busy(word) if word == "unknown" => ObjectState::Unavailable(word),
        Rest::Busy(_) => ObjectState::Busy,
        Rest::Stuck(word) => ObjectState::Unavailable(word),
    }
}

fn is_placeholder(name: &str) -> bool {
    name.rsplit_once('@').is_some_and(|(_, domain)| domain.eq_ignore_ascii_case(PLACEHOLDER))
}

#[async_trait]
impl Adapter for V1 {
    fn site(&self) -> &Site {
        &self.site
    }

    async fn view(&self, scope: &Scope) -> Result<PlatformView, Failure> {
        self.observe(scope).await
    }

    async fn endpoint(&self) -> Result<ImapEndpoint, Failure> {
        let fixed = self.dialect.imap_host.map(str::to_owned);
        let host = match fixed {
            Some(host) => Some(host),
            None => self.read_service().await?.text("hostname").map(str::to_owned),
        };
        let canada = self.site.client.canada();
        let host = host.or_else(|| self.dialect.imap_host_canada.filter(|_| canada).map(str::to_owned));
        let host = host.ok_or_else(|| {
            Failure::stopped(ErrorClass::NotFound, "the service names no host")
                .or_help("write the platform's `imap:` host into the spec")
        })?;
        Ok(ImapEndpoint { host, port: 993, security: ImapSecurity::Tls })
    }

    async fn seen(&self, change: &Change) -> Result<Seen, Failure> {
        self.look(change).await
    }

    async fn ready(&self, domain: &Domain) -> Result<DomainReady, Failure> {
        self.domain_ready(domain).await
    }

    async fn service_ok(&self) -> Result<(), Failure> {
        let checked = self.service.get_or_try_init(|| async {
            let service = self.read_service().await?;
            match service.text("state") {
                None | Some("ok") => Ok(service),
                Some(word) => Err(Failure::stopped(ErrorClass::Refused, format!("the service is {word}"))
                    .or_help("wait until it takes changes again")),
            }
        });
        checked.await.map(|_| ())
    }

    async fn make(&self, write: &WriteClient, change: &Change, password: Option<&Secret>) -> Result<Made, Failure> {
        match change {
            Change::AccountRename { from, to } => self.account_rename(write, from, to).await,
            Change::AccountCreate { address, slot, profile, .. } => {
                self.account_create(write, address, slot.as_ref(), profile, password).await
            }
            Change::AccountUpdate { address, profile } => self.account_update(write, address, profile).await,
            Change::AccountPassword { address, .. } => self.account_password(write, address, password).await,
            Change::AccountReset { address } => self.account_reset(write, address).await,
            Change::DomainAdd { .. } | Change::DomainUpdate { .. } | Change::DomainRemove { .. } => {
                self.make_domain(write, change).await
            }
            _ => self.make_part(write, change).await,
        }
    }
}

/// Whether a failure says that the service was not renewed.
fn expired(failure: &Failure) -> bool {
    failure.status() == Some(EXPIRED)
}
