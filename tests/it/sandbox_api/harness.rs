//! A small world, mailboxes that are only names, DNS in a map, and a client that signs.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use rehome::{
    model::{Address, Domain, ImapEndpoint, ImapSecurity},
    sandbox::{
        api::{
            Api, Links, PublicDns,
            world::{Family, Record, World},
        },
        counters::Counters,
        store::MailStore,
    },
};
use serde_json::{Map, Value, json};
use sha1::{Digest, Sha1};

pub const EXCHANGE: &str = "hosted-ab12345-1";
pub const EMAIL_PRO: &str = "emailpro-ab12345-1";
pub const MX_PLAN: &str = "mxplan-ab12345-1";
pub const ZIMBRA: &str = "6f1f7c0e-0000-4000-8000-000000000001";

pub fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

pub fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

/// One mailbox: its password, whether IMAP is on, and a mark that tells it from a new one of the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    pub password: String,
    pub imap: bool,
    pub octets: u64,
}

/// Mailboxes by service and address.
#[derive(Default)]
pub struct Recorder(pub Mutex<BTreeMap<(String, String), Mailbox>>);

impl Recorder {
    pub fn get(&self, service: &str, login: &str) -> Option<Mailbox> {
        self.0.lock().unwrap().get(&(service.to_owned(), login.to_owned())).cloned()
    }

    pub fn put(&self, service: &str, login: &str, octets: u64) {
        let mailbox = Mailbox { password: "old".to_owned(), imap: true, octets };
        self.0.lock().unwrap().insert((service.to_owned(), login.to_owned()), mailbox);
    }

    fn with<R>(&self, service: &str, login: &Address, f: impl FnOnce(&mut Mailbox) -> R) -> io::Result<R> {
        let mut all = self.0.lock().unwrap();
        all.get_mut(&(service.to_owned(), login.key())).map(f).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

#[async_trait]
impl MailStore for Recorder {
    fn endpoint(&self, _: &str) -> ImapEndpoint {
        ImapEndpoint { host: "127.0.0.1".to_owned(), port: 1, security: ImapSecurity::Plain }
    }

    async fn create(&self, service: &str, login: &Address, password: &str) -> io::Result<()> {
        let mailbox = Mailbox { password: password.to_owned(), imap: true, octets: 0 };
        match self.0.lock().unwrap().insert((service.to_owned(), login.key()), mailbox) {
            None => Ok(()),
            Some(_) => Err(io::ErrorKind::AlreadyExists.into()),
        }
    }

    async fn rename(&self, service: &str, from: &Address, to: &Address) -> io::Result<()> {
        let mut all = self.0.lock().unwrap();
        let mailbox = all.remove(&(service.to_owned(), from.key())).ok_or(io::ErrorKind::NotFound)?;
        all.insert((service.to_owned(), to.key()), mailbox);
        Ok(())
    }

    async fn set_password(&self, service: &str, login: &Address, password: &str) -> io::Result<()> {
        self.with(service, login, |m| password.clone_into(&mut m.password))
    }

    async fn set_imap(&self, service: &str, login: &Address, enabled: bool) -> io::Result<()> {
        self.with(service, login, |m| m.imap = enabled)
    }

    async fn remove(&self, service: &str, login: &Address) -> io::Result<()> {
        self.0.lock().unwrap().remove(&(service.to_owned(), login.key()));
        Ok(())
    }

    async fn usage(&self, service: &str, login: &Address) -> io::Result<u64> {
        self.with(service, login, |m| m.octets)
    }
}

/// DNS in a map, by name and type.
#[derive(Default)]
pub struct Names(pub Mutex<BTreeMap<(String, String), Vec<String>>>);

impl Names {
    pub fn set(&self, name: &str, kind: &str, values: &[&str]) {
        let values = values.iter().map(|&v| v.to_owned()).collect();
        self.0.lock().unwrap().insert((name.to_owned(), kind.to_owned()), values);
    }
}

impl PublicDns for Names {
    fn publish(&self, zone: &Domain, _: u32, _: &[String], records: &[Record]) {
        let mut all = self.0.lock().unwrap();
        let below = |name: &str| name == zone.as_str() || name.ends_with(&format!(".{zone}"));
        all.retain(|(name, _), _| !below(name));
        for record in records {
            let name = match record.sub_domain.as_str() {
                "" => zone.to_string(),
                sub => format!("{sub}.{zone}"),
            };
            let value = record.target.trim_matches('"').trim_end_matches('.').to_owned();
            all.entry((name, record.wire_type().to_owned())).or_default().push(value);
        }
    }

    fn lookup(&self, name: &str, record_type: &str) -> Vec<String> {
        self.0.lock().unwrap().get(&(name.to_owned(), record_type.to_owned())).cloned().unwrap_or_default()
    }
}

/// An answer as it came.
#[derive(Debug)]
pub struct Got {
    pub status: u16,
    pub body: Value,
    pub text: String,
    pub headers: reqwest::header::HeaderMap,
}

impl Got {
    /// The body of a success.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.body
    }

    /// The message of a refusal with that status.
    #[track_caller]
    pub fn refused(self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.text);
        self.body["message"].as_str().unwrap_or_default().to_owned()
    }

    /// The class of a refusal with that status.
    #[track_caller]
    pub fn class(self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.text);
        self.body["class"].as_str().unwrap_or_default().to_owned()
    }
}

/// The API with its mailboxes and names, and the keys of a client.
pub struct Stage {
    pub api: Api,
    pub mail: Arc<Recorder>,
    pub dns: Arc<Names>,
    pub clock: i64,
    pub secret: String,
    http: reqwest::Client,
}

/// One service of each kind, two people on Exchange, one on legacy MX Plan.
pub fn furnish(seed: u64) -> World {
    let mut world = World::new(seed);
    for (family, name) in [(Family::Exchange, EXCHANGE), (Family::EmailPro, EMAIL_PRO), (Family::MxPlan, MX_PLAN)] {
        world.add_hosted(family, name, "127.0.0.1", 4);
    }
    for service in [EXCHANGE, EMAIL_PRO] {
        world.add_domain(service, &domain("blue.example"), false);
    }
    world.add_domain(MX_PLAN, &domain("green.example"), false);
    world.add_legacy(&domain("green.example"), 0, Some(MX_PLAN));
    world.add_legacy(&domain("red.example"), 3, None);
    world.add_zimbra(ZIMBRA, "Team", 2, 2);
    world.add_zimbra_domain(ZIMBRA, &domain("blue.example"));
    world.add_account(EXCHANGE, &address("john@blue.example"), named("John"));
    world.add_account(EXCHANGE, &address("jane@blue.example"), named("Jane"));
    world.add_legacy_account(&address("rose@red.example"), "Rose");
    world.add_zone(&domain("blue.example"), &["dns1.sandbox.example"], &[Record::new("", "MX", "10 mx.old.example.")]);
    world
}

fn named(name: &str) -> Map<String, Value> {
    Map::from_iter([("displayName".to_owned(), json!(name))])
}

impl Stage {
    pub async fn new() -> Self {
        Self::with(furnish(7), Duration::from_millis(10)).await
    }

    pub async fn with(world: World, task_delay: Duration) -> Self {
        let (mail, dns) = (Arc::new(Recorder::default()), Arc::new(Names::default()));
        mail.put(EXCHANGE, "john@blue.example", 5_000);
        mail.put(EXCHANGE, "jane@blue.example", 0);
        mail.put("red.example", "rose@red.example", 70);
        let secret = world.keys.secret.clone();
        let links = Links { mail: mail.clone(), dns: dns.clone(), counters: Counters::new(), task_delay };
        let api = Api::start(world, links, 0).await.unwrap();
        Self { api, mail, dns, clock: 0, secret, http: client() }
    }

    /// A signed call; paths start with `/1.0`, `/v1` or `/v2`.
    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> reqwest::Result<Got> {
        self.call_with(method, path, body, &[]).await
    }

    pub async fn call_with(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> reqwest::Result<Got> {
        let keys = (self.secret.as_str(), self.clock);
        signed(&self.http, &self.api, keys, method, path, body, headers).await
    }

    /// An unsigned call.
    pub async fn plain(&self, method: &str, path: &str, body: &str) -> Got {
        let url = format!("http://{}{path}", self.api.address());
        let request = self.http.request(method.parse().unwrap(), url).body(body.to_owned());
        got(request.send().await.unwrap()).await.unwrap()
    }

    pub async fn get(&self, path: &str) -> Got {
        self.call("GET", path, None).await.unwrap()
    }

    pub async fn put(&self, path: &str, body: Value) -> Got {
        self.call("PUT", path, Some(body)).await.unwrap()
    }

    pub async fn post(&self, path: &str, body: Value) -> Got {
        self.call("POST", path, Some(body)).await.unwrap()
    }

    pub async fn delete(&self, path: &str) -> Got {
        self.call("DELETE", path, None).await.unwrap()
    }

    pub fn count(&self, name: &str) -> u64 {
        self.api.counters().get(name)
    }

    /// The first free slot of a service.
    pub fn slot(&self, service: &str) -> String {
        self.api.edit(|w| {
            let accounts = w.hosted[service].accounts.values();
            accounts.filter(|a| !a.configured).map(|a| a.address.to_string()).next().unwrap()
        })
    }

    /// The id of an account.
    pub fn id(&self, service: &str, login: &str) -> u64 {
        self.api.edit(|w| w.hosted[service].account(&address(login)).unwrap().id)
    }
}

/// A signed call with that secret and that many seconds on the clock.
pub async fn signed(
    http: &reqwest::Client,
    api: &Api,
    (secret, clock): (&str, i64),
    method: &str,
    path: &str,
    body: Option<Value>,
    headers: &[(&str, &str)],
) -> reqwest::Result<Got> {
    let url = format!("http://{}{path}", api.address());
    let body = body.map_or_else(String::new, |b| b.to_string());
    let time = (jiff::Timestamp::now().as_second() + clock).to_string();
    let (application, consumer) = api.edit(|w| (w.keys.application.clone(), w.keys.consumer.clone()));
    let signed = [secret, &consumer, method, &url, &body, &time].map(String::from).join("+");
    let digest: String = Sha1::digest(signed.as_bytes()).iter().map(|b| format!("{b:02x}")).collect();
    let mut request = http
        .request(method.parse().unwrap(), &url)
        .header("X-Ovh-Application", application)
        .header("X-Ovh-Consumer", consumer)
        .header("X-Ovh-Timestamp", time)
        .header("X-Ovh-Signature", format!("$1${digest}"))
        .body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    got(request.send().await?).await
}

/// A client; it speaks plain HTTP here, and still wants a TLS provider.
pub fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

async fn got(response: reqwest::Response) -> reqwest::Result<Got> {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await?;
    Ok(Got { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::Null), text })
}

/// The path of an Exchange account.
pub fn exchange(rest: &str) -> String {
    format!("/1.0/email/exchange/{EXCHANGE}/service/{EXCHANGE}{rest}")
}

/// The path below the Email Pro service.
pub fn pro(rest: &str) -> String {
    format!("/1.0/email/pro/{EMAIL_PRO}{rest}")
}

/// The path below the Zimbra platform.
pub fn zimbra(rest: &str) -> String {
    format!("/v2/zimbra/platform/{ZIMBRA}{rest}")
}
