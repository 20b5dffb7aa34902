//! Servers as odd as they are found: whatever they answer, the copy is the same mail, or what differs is told.

mod naming;
mod sources;
mod targets;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use rehome::{
    copy::{CopyError, MailVerification},
    journal::ledger::Ledger,
    model::{Address, CopyReport, FolderPath, MailFilter},
    sandbox::{
        corpus::{Corpus, FolderMail, Message, Person},
        counters::Counters,
        mail::{MemoryStore, memory::Behaviour},
        store::MailStore as _,
    },
};

use super::{
    front::{Front, Odd},
    pass_taking, verify_taking,
};

pub const OLD: &str = "old";
pub const NEW: &str = "new";

/// Flags, date and octets of each message, by folder.
pub type Mail = BTreeMap<String, Vec<(Vec<String>, String, Vec<u8>)>>;

/// Two mailboxes of the sandbox behind fronts.
pub struct Between {
    pub store: Arc<MemoryStore>,
    pub source: Front,
    pub target: Front,
    pub ledger: Ledger,
    pub filter: MailFilter,
}

pub fn anna() -> Address {
    Address::parse("anna@quirks.example").unwrap()
}

impl Between {
    /// A source with mail of every oddity, and an empty target.
    pub async fn new(source: Odd, target: Odd) -> Self {
        let between = Self::empty(source, target, |_| {}).await;
        let person = Person { address: anna(), name: "Anna".to_owned() };
        between.store.deliver(OLD, &anna(), &Corpus::new(3).mailbox(&person, 60)).unwrap();
        between
    }

    pub async fn empty(source: Odd, target: Odd, behave: impl Fn(&mut Behaviour)) -> Self {
        let services = [OLD, NEW].map(str::to_owned);
        let store = MemoryStore::start(&services, Counters::new()).await.unwrap();
        store.behave(NEW, behave);
        for service in &services {
            store.create(service, &anna(), "secret").await.unwrap();
        }
        Self {
            source: Front::start(store.endpoint(OLD).port, source).await,
            target: Front::start(store.endpoint(NEW).port, target).await,
            store,
            ledger: Ledger::in_memory().unwrap(),
            filter: MailFilter::default(),
        }
    }

    /// Puts messages into a folder of the source.
    pub fn put(&self, folder: &str, messages: &[(&str, &[u8])]) {
        let message = |(date, octets): &(&str, &[u8])| Message {
            bytes: octets.to_vec(),
            flags: ["\\Seen".to_owned()].into(),
            internal_date: date.parse().unwrap(),
        };
        let folder = FolderMail {
            path: FolderPath(folder.split('/').map(str::to_owned).collect()),
            special_use: None,
            subscribed: true,
            selectable: true,
            messages: messages.iter().map(message).collect(),
        };
        self.store.deliver(OLD, &anna(), &[folder]).unwrap();
    }

    pub async fn pass(&self) -> Result<CopyReport, CopyError> {
        let (source, target) = (&self.source, &self.target);
        let login = anna().to_string();
        let (from, to) = (source.connector(&login, "secret"), target.connector(&login, "secret"));
        pass_taking(from, to, &self.ledger, &self.filter).await
    }

    pub async fn verify(&self) -> MailVerification {
        let login = anna().to_string();
        let (from, to) = (self.source.connector(&login, "secret"), self.target.connector(&login, "secret"));
        verify_taking(from, to, &self.ledger, &self.filter).await
    }

    pub fn mail(&self, service: &str) -> Mail {
        let folders = self.store.contents(service, &anna()).unwrap();
        let list = folders.into_iter().map(|(name, messages)| {
            let mut list: Vec<_> = messages
                .into_iter()
                .map(|m| (m.flags.into_iter().collect(), m.internal_date.instant().to_string(), m.bytes.to_vec()))
                .collect();
            list.sort();
            (name, list)
        });
        list.filter(|(_, list): &(_, Vec<_>)| !list.is_empty()).collect()
    }

    /// A pass brings everything, and another one changes nothing.
    #[track_caller]
    pub fn assert_whole(&self, report: &CopyReport) {
        assert!(report.failed.is_empty() && report.total.balances(), "{report:#?}");
        let (want, have) = (self.mail(OLD), self.mail(NEW));
        assert_eq!(want.keys().collect::<Vec<_>>(), have.keys().collect::<Vec<_>>());
        for (folder, list) in &want {
            assert_eq!(list.len(), have[folder].len(), "{folder}");
            for (a, b) in list.iter().zip(&have[folder]) {
                assert_eq!((&a.0, &a.1), (&b.0, &b.1), "{folder}: {:?}", String::from_utf8_lossy(&a.2));
                assert!(a.2 == b.2, "{folder}: octets differ");
            }
        }
    }
}

/// Copies through odd servers and demands that nothing shows of it.
async fn unharmed(source: Odd, target: Odd) -> (Between, CopyReport) {
    let between = Between::new(source, target).await;
    let report = between.pass().await.unwrap();
    between.assert_whole(&report);
    let before = between.target.heard("APPEND").len();
    let again = between.pass().await.unwrap();
    between.assert_whole(&again);
    assert_eq!(between.target.heard("APPEND").len(), before, "a second pass appends nothing");
    (between, report)
}

fn plain() -> Odd {
    Odd::default()
}

/// Changes every answer that tells of a message.
fn fetches(change: impl Fn(String) -> String + Send + Sync + 'static) -> Odd {
    plain().says(move |verb, text| Some(if verb == "UID FETCH" && is_fetch(&text) { change(text) } else { text }))
}

fn is_fetch(text: &str) -> bool {
    let first = text.split("\r\n").next().unwrap_or_default();
    text.starts_with("* ") && first.contains(" FETCH (")
}

/// The n-th time something happens, from 1.
fn nth(n: u32) -> impl Fn() -> bool + Send + Sync {
    let count = AtomicU32::new(0);
    move || count.fetch_add(1, Ordering::SeqCst) + 1 == n
}

#[tokio::test]
async fn the_front_itself_changes_nothing() {
    unharmed(plain(), plain()).await;
}
