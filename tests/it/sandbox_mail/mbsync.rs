//! mbsync, a mail copier that people use, between two services of the in-memory server.

use std::{collections::BTreeMap, io::ErrorKind, process::Stdio};

use rehome::{
    model::Address,
    sandbox::{
        corpus::{Corpus, Person},
        counters::Counters,
        mail::{MemoryStore, memory::StoredMessage},
        store::MailStore,
    },
};
use tokio::process::Command;

/// A message as far as mbsync 1.4 keeps it: its bytes and system flags. Its instant as well, but of `-0330` it makes
/// `-0230`, and the corpus has such dates; those of the sandbox are compared by the checker.
type Kept = (Vec<u8>, Vec<String>);

/// The messages of each folder that has some. mbsync marks what it stores with a header of its own and knows no keywords.
fn kept(store: &MemoryStore, service: &str, login: &Address) -> BTreeMap<String, Vec<Kept>> {
    let one = |m: &StoredMessage| {
        let lines = m.bytes.split_inclusive(|b| *b == b'\n').filter(|l| !l.starts_with(b"X-TUID: "));
        let flags = m.flags.iter().filter(|f| f.starts_with('\\')).cloned().collect();
        (lines.flatten().copied().collect(), flags)
    };
    let mut out = BTreeMap::new();
    for (name, messages) in store.contents(service, login).unwrap() {
        let mut messages: Vec<Kept> = messages.iter().map(one).collect();
        messages.sort();
        if !messages.is_empty() {
            out.insert(name, messages);
        }
    }
    out
}

fn config(from: u16, to: u16, state: &str) -> String {
    let store = |name: &str, port: u16| {
        format!(
            "IMAPAccount {name}\nHost 127.0.0.1\nPort {port}\nUser anna@mydomain.ovh\nPass secret\nSSLType None\n\
             AuthMechs PLAIN\n\nIMAPStore {name}\nAccount {name}\n\n"
        )
    };
    let (far, near) = (store("old", from), store("new", to));
    format!(
        "{far}{near}Channel all\nFar :old:\nNear :new:\nPatterns *\nCreate Near\nSync Pull\nCopyArrivalDate yes\n\
         SyncState {state}/\n"
    )
}

#[tokio::test]
async fn mbsync_copies_a_mailbox_from_one_service_to_another() {
    let services = ["exchange", "mxplan"].map(str::to_owned);
    let store = MemoryStore::start(&services, Counters::new()).await.unwrap();
    let anna = Address::parse("anna@mydomain.ovh").unwrap();
    for service in &services {
        store.create(service, &anna, "secret").await.unwrap();
    }
    let mail = Corpus::new(5).mailbox(&Person { address: anna.clone(), name: "Anna".to_owned() }, 150);
    store.deliver("exchange", &anna, &mail).unwrap();

    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().display().to_string();
    let (from, to) = (store.endpoint("exchange"), store.endpoint("mxplan"));
    let file = dir.path().join("mbsyncrc");
    std::fs::write(&file, config(from.port, to.port, &state)).unwrap();
    let ran = Command::new("mbsync").arg("-c").arg(&file).arg("all").stdin(Stdio::null()).output().await;
    let ran = match ran {
        Err(e) if e.kind() == ErrorKind::NotFound => {
            eprintln!("SKIPPED: mbsync is not installed");
            return;
        }
        other => other.unwrap(),
    };
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));

    let (old, new) = (kept(&store, "exchange", &anna), kept(&store, "mxplan", &anna));
    assert_eq!(old.values().map(Vec::len).sum::<usize>(), 150);
    assert!(old == new, "{:?}\n{:?}", old.keys(), new.keys());
}
