//! The whole sandbox: what the API does shows in the mailboxes and in DNS.

use std::time::Duration;

use rehome::{
    model::RecordType,
    sandbox::{
        ImapBackend, Options, Ready, Sandbox, World,
        residents::{DOMAINS, EMAIL_PRO, EXCHANGE, EXCHANGE_2, MX_PLAN, ZIMBRA, mail_name},
    },
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

use super::harness::{Got, address, client, exchange, pro, signed};

async fn start(seed: u64, world: World) -> Sandbox {
    let options = Options { seed, world, task_delay: Duration::from_millis(5), ..Options::default() };
    Sandbox::start(options).await.unwrap()
}

async fn call(sandbox: &Sandbox, method: &str, path: &str, body: Option<Value>) -> Got {
    let ready = sandbox.ready();
    let keys = (ready.application_secret.as_str(), 0);
    signed(&client(), sandbox.api(), keys, method, path, body, &[]).await.unwrap()
}

/// Whether a login is taken, and how many messages are in its inbox.
async fn open(ready: &Ready, service: &str, login: &str, password: &str) -> Option<u32> {
    let imap = &ready.imap[service];
    let mut stream = BufReader::new(TcpStream::connect((imap.host.as_str(), imap.port)).await.unwrap());
    let commands = format!("a LOGIN {login} \"{password}\"\r\nb SELECT INBOX\r\nc LOGOUT\r\n");
    stream.get_mut().write_all(commands.as_bytes()).await.unwrap();
    let (mut taken, mut exists) = (false, 0);
    let mut line = String::new();
    while stream.read_line(&mut line).await.unwrap_or(0) > 0 {
        taken |= line.starts_with("a OK");
        if let Some(count) = line.trim_end().strip_prefix("* ").and_then(|l| l.strip_suffix(" EXISTS")) {
            exists = count.parse().unwrap();
        }
        if line.starts_with("c ") {
            break;
        }
        line.clear();
    }
    taken.then_some(exists)
}

#[tokio::test]
async fn the_ready_document_opens_everything() {
    let sandbox = start(11, World::Demo { messages: 40 }).await;
    let ready = sandbox.ready();
    assert!(ready.api.starts_with("http://127.0.0.1:") && ready.api.ends_with("/1.0"));
    let read: Ready = serde_json::from_str(&serde_json::to_string(&ready).unwrap()).unwrap();
    assert_eq!(read, ready);
    assert_eq!(ready.domains.iter().map(ToString::to_string).collect::<Vec<_>>(), {
        let mut all = DOMAINS.to_vec();
        all.sort_unstable();
        all
    });
    for service in [EXCHANGE, EXCHANGE_2, EMAIL_PRO, MX_PLAN, ZIMBRA, "red.example"] {
        assert!(ready.imap[service].port > 0, "{service}");
    }
    assert_eq!(ready.accounts.len(), 9);
    for account in &ready.accounts {
        let (login, service) = (account.address.to_string(), account.service.as_str());
        assert!(open(&ready, service, &login, &account.password).await.unwrap() > 0, "{login}");
        assert_eq!(open(&ready, service, &login, "wrong").await, None);
    }
    let variables = sandbox.environment();
    assert_eq!(variables["OVH_ENDPOINT"], ready.api);
    assert_eq!(variables["PASSWORD_JOHN_SMITH_BLUE_EXAMPLE"], ready.accounts[0].password);
}

#[tokio::test]
async fn a_rename_takes_the_mail_along_and_a_switch_and_a_reset_close_the_door() {
    let sandbox = start(11, World::Demo { messages: 40 }).await;
    let ready = sandbox.ready();
    let john = &ready.accounts[0];
    let before = open(&ready, EXCHANGE, "john.smith@blue.example", &john.password).await.unwrap();
    let path = exchange("/account/john.smith%40blue.example");
    call(&sandbox, "PUT", &path, Some(json!({ "login": "john.smith01" }))).await.ok();
    sandbox.api().idle().await;
    assert_eq!(open(&ready, EXCHANGE, "john.smith@blue.example", &john.password).await, None);
    let after = open(&ready, EXCHANGE, "john.smith01@blue.example", &john.password).await;
    assert_eq!(after, Some(before));

    let body = json!({ "name": "blue.example", "type": "nonAuthoritative", "mxRelay": "mx1.mail.ovh.net" });
    call(&sandbox, "POST", &pro("/domain"), Some(body)).await.ok();
    sandbox.api().idle().await;
    let slots = call(&sandbox, "GET", &pro("/account"), None).await.ok();
    let slot = slots.as_array().unwrap().iter().find(|s| s.as_str().unwrap().ends_with("configureme.me")).unwrap();
    let body = json!({ "login": "john.smith", "domain": "blue.example" });
    call(&sandbox, "PUT", &pro(&format!("/account/{}", slot.as_str().unwrap())), Some(body)).await.ok();
    sandbox.api().idle().await;
    let body = json!({ "password": "Sandbox-0001" });
    call(&sandbox, "POST", &pro("/account/john.smith%40blue.example/changePassword"), Some(body)).await.ok();
    sandbox.api().idle().await;
    assert_eq!(open(&ready, EMAIL_PRO, "john.smith@blue.example", "Sandbox-0001").await, Some(0));

    let path = exchange("/account/john.smith01%40blue.example");
    call(&sandbox, "PUT", &format!("{path}/protocol"), Some(json!({ "IMAP": false }))).await.ok();
    sandbox.api().idle().await;
    assert_eq!(open(&ready, EXCHANGE, "john.smith01@blue.example", &john.password).await, None);
    call(&sandbox, "DELETE", &path, None).await.ok();
    sandbox.api().idle().await;
    let store = sandbox.memory().unwrap();
    assert!(store.contents(mail_name(EXCHANGE), &address("john.smith01@blue.example")).is_err());
}

#[tokio::test]
async fn dovecot_keeps_the_mailboxes_just_as_well() {
    if rehome::sandbox::mail::dovecot::find().is_err() {
        assert!(std::env::var_os("REHOME_REQUIRE_SERVERS").is_none(), "dovecot is not installed");
        skipped();
        return;
    }
    let options = Options {
        imap: ImapBackend::Dovecot,
        world: World::Fleet { people: 4, messages: 30 },
        task_delay: Duration::from_millis(5),
        ..Options::default()
    };
    let sandbox = Sandbox::start(options).await.unwrap();
    let ready = sandbox.ready();
    let ada = &ready.accounts[0];
    let before = open(&ready, EXCHANGE, "ada.adler@blue.example", &ada.password).await.unwrap();
    assert!(before > 0);
    let path = exchange("/account/ada.adler%40blue.example");
    call(&sandbox, "PUT", &path, Some(json!({ "login": "ada01" }))).await.ok();
    sandbox.api().idle().await;
    assert_eq!(open(&ready, EXCHANGE, "ada.adler@blue.example", &ada.password).await, None);
    assert_eq!(open(&ready, EXCHANGE, "ada01@blue.example", &ada.password).await, Some(before));
    call(&sandbox, "DELETE", &exchange("/account/ada01%40blue.example"), None).await.ok();
    sandbox.api().idle().await;
    assert_eq!(open(&ready, EXCHANGE, "ada01@blue.example", &ada.password).await, None);
}

#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
fn skipped() {
    eprintln!("SKIPPED: dovecot is not installed");
}

#[tokio::test]
async fn a_refreshed_zone_is_what_dns_answers() {
    let sandbox = start(11, World::Demo { messages: 0 }).await;
    let zone = "/1.0/domain/zone/red.example";
    let autodiscover = "_autodiscover._tcp.red.example";
    assert_eq!(sandbox.zones().get(autodiscover, RecordType::Srv), ["0 0 443 mailconfig.ovh.net"]);
    let ids = call(&sandbox, "GET", &format!("{zone}/record?fieldType=SRV"), None).await.ok();
    let body = json!({ "target": "0 0 443 zimbra1.mail.ovh.net." });
    call(&sandbox, "PUT", &format!("{zone}/record/{}", ids[0]), Some(body)).await.ok();
    assert_eq!(sandbox.zones().get(autodiscover, RecordType::Srv), ["0 0 443 mailconfig.ovh.net"]);
    call(&sandbox, "POST", &format!("{zone}/refresh"), None).await.ok();
    sandbox.api().idle().await;
    assert_eq!(sandbox.zones().get(autodiscover, RecordType::Srv), ["0 0 443 zimbra1.mail.ovh.net"]);
}

#[tokio::test]
async fn one_seed_is_one_world_down_to_the_bytes_of_its_mail() {
    let fleet = World::Fleet { people: 8, messages: 30 };
    let (a, b, c) = (start(5, fleet).await, start(5, fleet).await, start(6, fleet).await);
    assert_eq!(a.api().dump().await, b.api().dump().await);
    assert_ne!(a.api().dump().await, c.api().dump().await);
    assert_eq!(a.residents(), b.residents());
    for resident in a.residents() {
        let mail = |s: &Sandbox| s.memory().unwrap().contents(mail_name(&resident.service), &resident.address).unwrap();
        assert_eq!(mail(&a), mail(&b));
    }
}
