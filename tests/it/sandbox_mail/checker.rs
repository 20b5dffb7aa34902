//! The independent checker sees every kind of difference, and the corpus is as odd over IMAP as it is at rest.

use std::sync::Arc;

use rehome::{
    model::{Address, FolderPath},
    sandbox::{
        corpus::{Corpus, FolderMail, Person},
        counters::Counters,
        mail::MemoryStore,
        store::MailStore,
    },
};

use super::python::{Ran, Side, compare};

fn address() -> Address {
    Address::parse("anna@mydomain.ovh").unwrap()
}

async fn store() -> Arc<MemoryStore> {
    let services = ["exchange", "emailpro"].map(str::to_owned);
    let store = MemoryStore::start(&services, Counters::new()).await.unwrap();
    for service in &services {
        store.create(service, &address(), "secret").await.unwrap();
    }
    store
}

/// Delivers a mailbox to one side and a changed copy of it to the other.
async fn compared(change: impl FnOnce(&mut Vec<FolderMail>), options: &[&str]) -> Ran {
    let store = store().await;
    let mut folders = Corpus::new(3).mailbox(&Person { address: address(), name: "Anna".to_owned() }, 60);
    store.deliver("exchange", &address(), &folders).unwrap();
    change(&mut folders);
    store.deliver("emailpro", &address(), &folders).unwrap();
    let login = address();
    let side = |service| Side { at: store.endpoint(service), login: &login, password: "secret" };
    compare(&side("exchange"), &side("emailpro"), &[&["--by-use"], options].concat()).await
}

#[track_caller]
fn differs(ran: &Ran, said: &str) {
    assert_eq!(ran.code, Some(1), "{}", ran.output);
    let last = ran.output.trim_end().lines().last().unwrap();
    assert_eq!(last, format!("60 messages compared: {said}"), "{}", ran.output);
}

#[tokio::test]
async fn equal_mailboxes_have_no_difference() {
    let ran = compared(|_| {}, &[]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.output);
}

#[tokio::test]
async fn every_kind_of_difference_is_told() {
    let ran = compared(|f| drop(f[0].messages.remove(3)), &[]).await;
    differs(&ran, "1 missing");
    let ran = compared(|f| f[0].messages[3].bytes.extend(b"x"), &[]).await;
    differs(&ran, "1 extra, 1 missing");
    let twice = |f: &mut Vec<FolderMail>| {
        let again = f[0].messages[3].clone();
        f[0].messages.push(again);
    };
    differs(&compared(twice, &[]).await, "1 duplicate");
    let flagged = |f: &mut Vec<FolderMail>| f[0].messages[3].flags.extend(["$Extra".to_owned()]);
    differs(&compared(flagged, &[]).await, "1 changed flags");
    assert_eq!(compared(flagged, &["--ignore-keyword", "$Extra"]).await.code, Some(0));
    let later =
        |f: &mut Vec<FolderMail>| f[0].messages[3].internal_date = "17-Jul-1996 02:44:25 -0700".parse().unwrap();
    differs(&compared(later, &[]).await, "1 changed date");
    let unsubscribed = |f: &mut Vec<FolderMail>| f[1].subscribed = !f[1].subscribed;
    differs(&compared(unsubscribed, &[]).await, "1 subscription");
    assert_eq!(compared(unsubscribed, &["--no-subscriptions"]).await.code, Some(0));
}

#[tokio::test]
async fn folders_are_matched_by_name_use_or_map() {
    let leer = |f: &&mut FolderMail| f.path == FolderPath(vec!["Leer".to_owned()]);
    let renamed = |f: &mut Vec<FolderMail>| f.iter_mut().find(leer).unwrap().path = FolderPath(vec!["Vide".to_owned()]);
    differs(&compared(renamed, &[]).await, "1 extra folder, 1 missing folder");
    differs(&compared(renamed, &["--ignore-extra-folders"]).await, "1 missing folder");
    assert_eq!(compared(renamed, &["--map", "Leer=Vide"]).await.code, Some(0));
}

#[tokio::test]
async fn a_mailbox_that_cannot_be_read_is_no_difference() {
    let store = store().await;
    let login = address();
    let side = |password| Side { at: store.endpoint("exchange"), login: &login, password };
    let ran = compare(&side("secret"), &side("wrong"), &[]).await;
    assert_eq!(ran.code, Some(2), "{}", ran.output);
    assert!(!ran.output.contains("wrong'"), "{}", ran.output);
}
