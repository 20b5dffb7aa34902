//! Zimbra, on API v2: every object is an envelope of what is wanted and what is, guarded by a checksum.
//!
//! Lists give whole objects, so one listing tells everything of its kind. An object at rest has the status `READY` and
//! no current task.

mod change;
mod view;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::{
    adapter::{Adapter, Made, Seen, Site},
    client::WriteClient,
    failure::Failure,
    json::Lenient as _,
    path::ApiPath,
    wait::{Look, until},
};
use crate::{
    model::{Address, Change, Domain, ImapEndpoint, ImapSecurity, PlatformView, Secret},
    provider::{DomainReady, ErrorClass, Scope, capability::GIB},
};

/// What a STARTER mailbox holds; a PRO one holds more, and no published text says how much.
const STARTER: u64 = 15 * GIB;
/// How often a change is made again on a fresh copy of an object that somebody else changed meanwhile.
const STALE_TRIES: u32 = 5;

/// One platform of Zimbra.
pub(super) struct Zimbra {
    site: Site,
    /// The organisation that new domains go to: its id, name or label.
    organization: Option<String>,
    base: ApiPath,
    /// Set once the platform was seen to take changes.
    usable: OnceCell<()>,
}

/// Whether an object takes changes.
enum Rest {
    Still,
    Busy(String),
    Stuck(String),
}

/// The part of an envelope that is.
fn current(envelope: &Value) -> &Value {
    envelope.get("currentState").unwrap_or(&Value::Null)
}

/// The part of an envelope that is wanted.
fn wanted(envelope: &Value) -> &Value {
    envelope.get("targetSpec").unwrap_or(&Value::Null)
}

/// A field as it is, or as it is wanted while the object is being made.
fn field<'a>(envelope: &'a Value, name: &str) -> Option<&'a str> {
    current(envelope).text(name).or_else(|| wanted(envelope).text(name))
}

fn rest(envelope: &Value) -> Rest {
    let tasks = envelope.members("currentTasks");
    let errors: Vec<&str> =
        tasks.iter().flat_map(|task| task.members("errors")).filter_map(|error| error.text("message")).collect();
    match envelope.text("resourceStatus") {
        Some("ERROR") => Rest::Stuck(format!("in error: {}", errors.join("; "))),
        Some("SUSPENDED") => Rest::Stuck("suspended".to_owned()),
        None | Some("READY") if tasks.is_empty() => Rest::Still,
        word => Rest::Busy(word.unwrap_or("busy").to_owned()),
    }
}

/// How an object looks whose wanted fields are `fields`.
fn compare(envelope: &Value, fields: &Value, name: &str) -> Seen {
    match rest(envelope) {
        Rest::Busy(why) => Seen::Busy(format!("{name} is {why}")),
        Rest::Stuck(why) => Seen::Clash(format!("{name} is {why}")),
        Rest::Still => super::v1::compare(current(envelope), fields, name),
    }
}

impl Zimbra {
    pub(super) fn new(site: Site, platform: &str, organization: Option<String>) -> Self {
        let base = ApiPath::v2(&["zimbra", "platform", platform]);
        Self { site, organization, base, usable: OnceCell::new() }
    }

    async fn read_platform(&self) -> Result<Value, Failure> {
        match self.site.client.get(&self.base).await {
            Err(e) if e.status() == Some(404) => {
                let all = self.site.client.all(&ApiPath::v2(&["zimbra", "platform"])).await.unwrap_or_default();
                let names: Vec<String> = all
                    .iter()
                    .filter_map(|p| Some(format!("{} ({})", p.text("id")?, field(p, "name").unwrap_or("unnamed"))))
                    .collect();
                Err(Failure::stopped(ErrorClass::NotFound, format!("there is no platform at {}", self.base))
                    .or_help(format!("these credentials see: {}", names.join(", "))))
            }
            other => other,
        }
    }

    /// The account of an address, by what it is called now.
    async fn account(&self, address: &Address) -> Result<Option<Value>, Failure> {
        let path = self.base.join(&["account"]).query("email", &address.to_string());
        let found = self.site.client.all(&path).await?;
        let called = |a: &&Value| field(a, "email").is_some_and(|e| Address::parse(e).is_ok_and(|e| e == *address));
        Ok(found.iter().find(called).cloned())
    }

    async fn domain(&self, domain: &Domain) -> Result<Option<Value>, Failure> {
        let path = self.base.join(&["domain"]).query("domainName", domain.as_str());
        let found = self.site.client.all(&path).await?;
        let called = |d: &&Value| field(d, "name").is_some_and(|n| Domain::parse(n).is_ok_and(|n| n == *domain));
        Ok(found.iter().find(called).cloned())
    }

    async fn alias(&self, alias: &Address) -> Result<Option<Value>, Failure> {
        let path = self.base.join(&["alias"]).query("alias", &alias.to_string());
        let found = self.site.client.all(&path).await?;
        Ok(found.iter().find(|a| view::alias_address(a).is_some_and(|a| a == *alias)).cloned())
    }

    /// The rows of one redirected address.
    async fn redirections(&self, from: &Address) -> Result<Vec<(Address, Value)>, Failure> {
        let path = self.base.join(&["redirection"]).query("source", &from.to_string());
        let rows = self.site.client.all(&path).await?.into_iter().filter_map(|row| {
            let (source, target) = view::redirection(&row)?;
            (source == *from).then_some((target, row))
        });
        Ok(rows.collect())
    }

    fn of(&self, list: &str, envelope: &Value) -> Result<ApiPath, Failure> {
        let id = envelope.text("id");
        let id =
            id.ok_or_else(|| Failure::stopped(ErrorClass::Unreachable, format!("a {list} came without its id")))?;
        Ok(self.base.join(&[list, id]))
    }

    /// Changes fields of an object. When somebody changed it since it was read, it is read again and compared anew by
    /// the checksum.
    async fn put(&self, write: &WriteClient, path: &ApiPath, fields: &Value) -> Result<(), Failure> {
        let mut tries = 0;
        loop {
            let now = self.site.client.get(path).await?;
            let mut body = json!({ "targetSpec": fields });
            if let (Some(checksum), Some(body)) = (now.text("checksum"), body.as_object_mut()) {
                body.insert("checksum".to_owned(), Value::from(checksum));
            }
            match write.put(path, &body).await {
                Err(Failure::Api(e)) if e.is_stale() && tries < STALE_TRIES => tries += 1,
                Err(e) => return Err(e),
                Ok(_) => return Ok(()),
            }
        }
    }

    /// Waits until an object is at rest.
    async fn rested(&self, path: &ApiPath, what: &str) -> Result<(), Failure> {
        until(self.site.client.patience(), what, || async {
            match rest(&self.site.client.get(path).await?) {
                Rest::Still => Ok(Look::There(())),
                Rest::Busy(why) => Ok(Look::NotYet(format!("it is {why}"))),
                Rest::Stuck(why) => Err(Failure::stopped(ErrorClass::Refused, format!("{what}: it is {why}"))),
            }
        })
        .await
    }
}

#[async_trait]
impl Adapter for Zimbra {
    fn site(&self) -> &Site {
        &self.site
    }

    async fn view(&self, scope: &Scope) -> Result<PlatformView, Failure> {
        self.observe(scope).await
    }

    async fn endpoint(&self) -> Result<ImapEndpoint, Failure> {
        let host = if self.site.client.canada() { "imap.mail.ovh.ca" } else { "imap.mail.ovh.net" };
        Ok(ImapEndpoint { host: host.to_owned(), port: 993, security: ImapSecurity::Tls })
    }

    async fn seen(&self, change: &Change) -> Result<Seen, Failure> {
        self.look(change).await
    }

    async fn ready(&self, domain: &Domain) -> Result<DomainReady, Failure> {
        let Some(envelope) = self.domain(domain).await? else {
            return Ok(DomainReady::Failed(format!("the domain {domain} is not on {}", self.site.id)));
        };
        if let Some(record) = view::waits_for(domain, &envelope) {
            return Ok(DomainReady::Waiting(format!(
                "publish `{} {} {}`: the platform waits for this proof that the domain is yours",
                record.name, record.rtype, record.value
            )));
        }
        let inner = current(&envelope).text("status").unwrap_or("READY");
        Ok(match rest(&envelope) {
            Rest::Still if inner == "READY" => DomainReady::Ready,
            Rest::Still if inner == "ERROR" => DomainReady::Failed("the domain is in error".to_owned()),
            Rest::Still => DomainReady::Waiting(format!("the domain is {inner}")),
            Rest::Busy(why) => DomainReady::Waiting(format!("the platform prepares the domain: {why}")),
            Rest::Stuck(why) => DomainReady::Failed(format!("the domain is {why}")),
        })
    }

    async fn service_ok(&self) -> Result<(), Failure> {
        let checked = self.usable.get_or_try_init(|| async {
            match rest(&self.read_platform().await?) {
                Rest::Stuck(why) => Err(Failure::stopped(ErrorClass::Refused, format!("the platform is {why}"))),
                Rest::Still | Rest::Busy(_) => Ok(()),
            }
        });
        checked.await.copied()
    }

    async fn make(&self, write: &WriteClient, change: &Change, password: Option<&Secret>) -> Result<Made, Failure> {
        self.change(write, change, password).await
    }
}
