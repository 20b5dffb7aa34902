//! A server of canned answers, in the form of OVHcloud's API.

use std::{collections::BTreeMap, time::Duration};

use rehome::{
    model::{
        Address, Change, Credentials, Domain, PasswordSource, PlatformId, PlatformKind, Profile, Secret, SecretRef,
    },
    provider::{Patience, PlatformConfig, ProviderError, Scope},
};
use serde_json::{Value, json};
use wiremock::{
    Mock, MockServer, Request, ResponseTemplate,
    matchers::{method, path},
};

/// The service of the fixtures.
pub const SERVICE: &str = "emailpro-ab12345-1";

pub struct Api {
    pub server: MockServer,
}

impl Api {
    /// A server that knows what time it is and nothing else.
    pub async fn start() -> Self {
        let server = MockServer::start().await;
        let api = Self { server };
        api.get("/1.0/auth/time", json!(1_457_018_881)).await;
        api.answer_last("GET", 404, json!({ "message": "The requested object does not exist" })).await;
        api
    }

    /// An Email Pro service in good order.
    pub async fn email_pro() -> Self {
        let api = Self::start().await;
        api.get(&format!("/1.0/email/pro/{SERVICE}"), service("ok")).await;
        api
    }

    pub fn config(&self, kind: PlatformKind, service: &str) -> PlatformConfig {
        let keys = [("application_key", "AK"), ("application_secret", "AS"), ("consumer_key", "CK")];
        let keys = keys.map(|(name, value)| (name.to_owned(), Secret::new(value.to_owned())));
        PlatformConfig {
            service: Some(service.to_owned()),
            endpoint: Some(format!("{}/1.0", self.server.uri())),
            credentials: Credentials(BTreeMap::from(keys)),
            requests_per_minute: Some(1_000_000),
            patience: Patience { longest: Duration::from_secs(20), first_pause: Duration::from_millis(1) },
            ..PlatformConfig::new(PlatformId::from("pro"), kind)
        }
    }

    pub fn pro(&self) -> PlatformConfig {
        self.config(PlatformKind::OvhEmailPro, SERVICE)
    }

    /// Answers a GET from now on.
    pub async fn get(&self, at: &str, body: Value) {
        self.answer("GET", at, 200, body).await;
    }

    /// Answers a GET that many times; what was set up later for the same path follows.
    pub async fn get_times(&self, at: &str, body: Value, times: u64) {
        self.times("GET", at, ResponseTemplate::new(200).set_body_json(body), times).await;
    }

    pub async fn answer(&self, verb: &str, at: &str, status: u16, body: Value) {
        let answer = ResponseTemplate::new(status).set_body_json(body);
        Mock::given(method(verb)).and(path(at)).respond_with(answer).mount(&self.server).await;
    }

    pub async fn raw(&self, verb: &str, at: &str, answer: ResponseTemplate) {
        Mock::given(method(verb)).and(path(at)).respond_with(answer).mount(&self.server).await;
    }

    pub async fn times(&self, verb: &str, at: &str, answer: ResponseTemplate, times: u64) {
        let mock = Mock::given(method(verb)).and(path(at)).respond_with(answer);
        mock.up_to_n_times(times).mount(&self.server).await;
    }

    async fn answer_last(&self, verb: &str, status: u16, body: Value) {
        let answer = ResponseTemplate::new(status).set_body_json(body);
        Mock::given(method(verb)).respond_with(answer).with_priority(255).mount(&self.server).await;
    }

    pub async fn requests(&self) -> Vec<Request> {
        self.server.received_requests().await.unwrap_or_default()
    }

    /// `METHOD path` of everything that could have changed something.
    pub async fn writes(&self) -> Vec<String> {
        let requests = self.requests().await;
        let writes = requests.iter().filter(|r| r.method.as_str() != "GET");
        writes.map(|r| format!("{} {}", r.method, r.url.path())).collect()
    }

    /// How often a path was asked for.
    pub async fn count(&self, verb: &str, at: &str) -> usize {
        let requests = self.requests().await;
        requests.iter().filter(|r| r.method.as_str() == verb && r.url.path() == at).count()
    }
}

/// A service with that state, with fields and words that no schema has yet.
pub fn service(state: &str) -> Value {
    json!({
        "domain": SERVICE, "hostname": "pro1.mail.ovh.net", "state": state, "taskPendingId": 0, "offer": "basic",
        "minPasswordLength": 9, "complexityEnabled": false, "aFieldOfTomorrow": { "deep": [1, 2] },
    })
}

/// An account at rest.
pub fn account(address: &str) -> Value {
    let (login, domain) = address.split_once('@').unwrap();
    json!({
        "primaryEmailAddress": address, "login": login, "domain": domain, "id": 481_516, "configured": true,
        "state": "ok", "taskPendingId": 0, "quota": 10, "currentUsage": 2048, "displayName": "John Smith",
        "firstName": null, "lastName": "", "hiddenFromGAL": false, "passwordLastUpdate": "2026-05-05T11:32:07+02:00",
    })
}

pub fn at(account: &str) -> String {
    format!("/1.0/email/pro/{SERVICE}/account/{}", account.replace('@', "%40"))
}

pub fn addr(text: &str) -> Address {
    Address::parse(text).unwrap()
}

pub fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

pub fn scope(accounts: &[&str]) -> Scope {
    Scope {
        domains: accounts.iter().map(|a| addr(a).domain().clone()).collect(),
        accounts: accounts.iter().map(|a| addr(a)).collect(),
        redirections: true,
        groups: true,
        contacts: true,
    }
}

/// A change of one field of John's account.
pub fn update(display_name: &str) -> Change {
    Change::AccountUpdate {
        address: addr("john.smith@mydomain.ovh"),
        profile: Box::new(Profile { display_name: Some(display_name.to_owned()), ..Profile::default() }),
    }
}

/// Any password source: adapters get the password itself beside the change.
pub fn from_env() -> PasswordSource {
    PasswordSource::Given(SecretRef::Env("UNUSED".to_owned()))
}

/// What a person is shown of an error: its chain and what to do.
pub fn shown(error: &ProviderError) -> String {
    let mut lines = rehome::diag::chain(error);
    lines.extend(error.help.as_ref().map(|help| format!("help: {help}")));
    lines.push(format!("class: {:?}", error.class));
    lines.join("\n")
}
