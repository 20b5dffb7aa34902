//! What every mail store of the sandbox does, whatever is behind it.

use std::sync::Arc;

use rehome::{
    model::Address,
    sandbox::{
        corpus::{Corpus, FolderMail, Person},
        counters::Counters,
        mail::{DovecotStore, MemoryStore, dovecot},
        store::MailStore,
    },
};

use super::python::{self, Side};

const SERVICES: [&str; 2] = ["exchange", "emailpro"];

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn mail(login: &Address, messages: usize) -> Vec<FolderMail> {
    Corpus::new(11).mailbox(&Person { address: login.clone(), name: "Zoë O'Neill".to_owned() }, messages)
}

/// The login works.
async fn opens(store: &dyn MailStore, service: &str, login: &Address, password: &str) -> bool {
    let at = store.endpoint(service);
    let stream = tokio::net::TcpStream::connect((at.host.as_str(), at.port)).await.unwrap();
    let mut client = async_imap::Client::new(stream);
    client.read_response().await.unwrap();
    client.login(login.to_string(), password).await.is_ok()
}

/// Accounts are made, renamed, locked, given other passwords and removed, and logins follow at once.
async fn logins_follow_the_accounts(store: &dyn MailStore) {
    let (john, john01) = (address("John.Smith@mydomain.ovh"), address("john.smith01@mydomain.ovh"));
    store.create("exchange", &john, "one").await.unwrap();
    assert!(store.create("exchange", &john, "one").await.is_err(), "an address exists once");
    assert!(opens(store, "exchange", &john, "one").await);
    assert!(!opens(store, "emailpro", &john, "one").await, "services have their own logins");
    store.set_password("exchange", &john, "two").await.unwrap();
    assert!(!opens(store, "exchange", &john, "one").await);
    assert!(opens(store, "exchange", &address("JOHN.smith@mydomain.ovh"), "two").await);
    store.set_imap("exchange", &john, false).await.unwrap();
    assert!(!opens(store, "exchange", &john, "two").await);
    store.set_imap("exchange", &john, true).await.unwrap();
    assert!(opens(store, "exchange", &john, "two").await);
    store.rename("exchange", &john, &john01).await.unwrap();
    assert!(!opens(store, "exchange", &john, "two").await);
    assert!(opens(store, "exchange", &john01, "two").await);
    store.create("exchange", &john, "three").await.unwrap();
    assert!(store.rename("exchange", &john, &john01).await.is_err(), "the name is taken");
    assert!(opens(store, "exchange", &john, "three").await);
    store.remove("exchange", &john).await.unwrap();
    assert!(!opens(store, "exchange", &john, "three").await);
    assert!(opens(store, "exchange", &john01, "two").await);
    assert!(store.remove("exchange", &john).await.is_err());
}

/// Mail that was delivered is there to the letter, also after a rename.
async fn a_rename_keeps_the_mail(store: &dyn MailStore, deliver: impl AsyncFn(&str, &Address, &[FolderMail])) {
    let (anna, anna01) = (address("anna@mydomain.ovh"), address("anna01@mydomain.ovh"));
    store.create("exchange", &anna, "secret").await.unwrap();
    assert_eq!(store.usage("exchange", &anna).await.unwrap(), 0);
    let folders = mail(&anna, 120);
    deliver("exchange", &anna, &folders).await;
    let octets: u64 = folders.iter().flat_map(|f| &f.messages).map(|m| m.bytes.len() as u64).sum();
    assert_eq!(store.usage("exchange", &anna).await.unwrap(), octets);

    let dir = tempfile::tempdir().unwrap();
    let manifest = dir.path().join("before.json").display().to_string();
    let side = |login| Side { at: store.endpoint("exchange"), login, password: "secret" };
    let ran = python::snapshot(&side(&anna), &manifest).await;
    assert_eq!(ran.code, Some(0), "{}", ran.output);
    assert!(ran.output.contains("120 messages in 20 folders"), "{}", ran.output);
    store.rename("exchange", &anna, &anna01).await.unwrap();
    let ran = python::verify(&manifest, &side(&anna01)).await;
    assert_eq!(ran.code, Some(0), "{}", ran.output);

    // The same mail in a mailbox of the other kind: folders for special use have other names there.
    store.create("emailpro", &anna, "other").await.unwrap();
    deliver("emailpro", &anna, &folders).await;
    let target = Side { at: store.endpoint("emailpro"), login: &anna, password: "other" };
    let ran = python::compare(&side(&anna01), &target, &["--by-use"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.output);
    assert!(ran.output.contains("120 messages compared: no difference"), "{}", ran.output);
}

async fn python_tours_it(store: &dyn MailStore) {
    for service in SERVICES {
        let login = address("tour@mydomain.ovh");
        store.create(service, &login, "p\"w\\d é").await.unwrap();
        let ran = python::tour(&store.endpoint(service), &login, "p\"w\\d é").await;
        assert_eq!(ran.code, Some(0), "{}", ran.output);
    }
}

async fn memory() -> (Arc<MemoryStore>, Counters) {
    let counters = Counters::new();
    let store = MemoryStore::start(&SERVICES.map(str::to_owned), counters.clone()).await.unwrap();
    (store, counters)
}

#[tokio::test]
async fn memory_logins_follow_the_accounts() {
    logins_follow_the_accounts(&*memory().await.0).await;
}

#[tokio::test]
async fn memory_rename_keeps_the_mail() {
    let (store, _) = memory().await;
    let deliver = async |service: &str, login: &Address, folders: &[FolderMail]| {
        store.deliver(service, login, folders).unwrap();
    };
    a_rename_keeps_the_mail(&*store, deliver).await;
}

#[tokio::test]
async fn memory_serves_imaplib_and_counts_what_it_asked() {
    let (store, counters) = memory().await;
    python_tours_it(&*store).await;
    assert_eq!(counters.get("imap.exchange.LOGIN"), 3);
    assert_eq!(counters.get("imap.exchange.CREATE"), 3);
    assert_eq!(counters.get("imap.emailpro.EXPUNGE"), 1);
}

/// A private Dovecot and the folder that it lives in, or nothing when it is not installed and not demanded.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
async fn private_dovecot() -> Option<(DovecotStore, tempfile::TempDir)> {
    if dovecot::find().is_err() && std::env::var_os("REHOME_REQUIRE_SERVERS").is_none() {
        eprintln!("SKIPPED: dovecot is not installed");
        return None;
    }
    let dir = tempfile::Builder::new().prefix("rh").tempdir().unwrap();
    let store = DovecotStore::start(dir.path(), &SERVICES.map(str::to_owned), Counters::new()).await.unwrap();
    Some((store, dir))
}

#[tokio::test]
async fn dovecot_logins_follow_the_accounts_within_the_same_second() {
    let Some((store, _dir)) = private_dovecot().await else { return };
    logins_follow_the_accounts(&store).await;
}

#[tokio::test]
async fn dovecot_rename_keeps_the_mail() {
    let Some((store, _dir)) = private_dovecot().await else { return };
    let deliver = async |service: &str, login: &Address, folders: &[FolderMail]| {
        store.deliver(service, login, folders).await.unwrap();
    };
    a_rename_keeps_the_mail(&store, deliver).await;
}

#[tokio::test]
async fn dovecot_passes_the_same_tour() {
    let Some((store, _dir)) = private_dovecot().await else { return };
    python_tours_it(&store).await;
}

#[tokio::test]
async fn dovecot_lets_the_master_into_every_mailbox_and_stops_when_dropped() {
    let Some((store, _dir)) = private_dovecot().await else { return };
    let anna = address("anna@mydomain.ovh");
    store.create("emailpro", &anna, "secret").await.unwrap();
    let at = store.endpoint("emailpro");
    let (master, password) = store.master("emailpro");
    let stream = tokio::net::TcpStream::connect((at.host.as_str(), at.port)).await.unwrap();
    let mut client = async_imap::Client::new(stream);
    client.read_response().await.unwrap();
    assert!(client.login(format!("{anna}*{master}"), password).await.is_ok());
    drop(store);
    assert!(tokio::net::TcpStream::connect((at.host.as_str(), at.port)).await.is_err());
}
