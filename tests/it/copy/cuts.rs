//! A small mailbox is copied while the way breaks at every place of the conversation, on either side, in either direction,
//! in every manner; then the copy is made again. Nothing is lost and nothing doubled.
//!
//! A sample of places is tried; `REHOME_CUTS=1` tries every octet, `REHOME_CUTS=7` every seventh.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::{StreamExt as _, stream};
use rehome::{
    imap::{Connector, Login, Timeouts},
    journal::ledger::Ledger,
    model::{Address, FolderPath, Secret},
    sandbox::{
        corpus::{FolderMail, Message},
        counters::Counters,
        mail::MemoryStore,
        store::MailStore as _,
    },
};

use super::{
    pass,
    wire::{Break, Way, Wire},
};

const OLD: &str = "old";
const NEW: &str = "new";
/// Places per direction when nobody says.
const PLACES: u64 = 24;
/// Copies at the same time: most of each is waiting.
const PARALLEL: usize = 24;
/// Passes until a way that broke once must have healed.
const PASSES: u32 = 4;

const EVERY: [Break; 5] =
    [Break::Cut, Break::Reset, Break::HalfClose, Break::Stall, Break::Delay(Duration::from_millis(2))];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Source,
    Target,
}

/// Two servers, of which the target lacks something.
struct Field {
    store: Arc<MemoryStore>,
    lacks: &'static [&'static str],
    mailboxes: AtomicU64,
}

/// Where and how the way breaks.
#[derive(Clone, Copy, Debug)]
struct Place {
    side: Side,
    way: Way,
    octet: u64,
    what: Break,
}

type Mail = BTreeMap<String, Vec<(Vec<String>, String, Vec<u8>)>>;

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn message(n: u32, octets: usize) -> Message {
    let filler = "one line of many\r\n".repeat(octets / 18);
    let flags: &[&str] = if n.is_multiple_of(2) { &["\\Seen", "$Forwarded"] } else { &["\\Flagged"] };
    Message {
        bytes: format!("Message-ID: <{n}@x>\r\nSubject: {n}\r\n\r\n{filler}{n}\r\n").into_bytes(),
        flags: flags.iter().map(|f| (*f).to_owned()).collect(),
        internal_date: format!("{:>2}-Feb-2001 03:04:05 +0530", 1 + n % 28).parse().unwrap(),
    }
}

/// Equal messages, one that is larger than LITERAL- takes, and folders.
fn mailbox() -> Vec<FolderMail> {
    let folder = |path: &[&str], messages: Vec<Message>| FolderMail {
        path: FolderPath(path.iter().map(|p| (*p).to_owned()).collect()),
        special_use: None,
        subscribed: true,
        selectable: true,
        messages,
    };
    let inbox = [1, 2, 2, 3, 4, 2].map(|n| message(n, 60 * n as usize)).into();
    vec![
        folder(&["INBOX"], inbox),
        folder(&["Projekte", "Süd"], [5, 6, 6].map(|n| message(n, 40)).into()),
        folder(&["Groß"], vec![message(7, 6_000), message(8, 10)]),
    ]
}

impl Field {
    async fn start(lacks: &'static [&'static str]) -> Self {
        let services = [OLD, NEW].map(str::to_owned);
        let store = MemoryStore::start(&services, Counters::new()).await.unwrap();
        store.behave(NEW, |b| b.without = lacks.iter().map(|c| (*c).to_owned()).collect());
        store.create(OLD, &address("all@x.example"), "secret").await.unwrap();
        store.deliver(OLD, &address("all@x.example"), &mailbox()).unwrap();
        Self { store, lacks, mailboxes: AtomicU64::new(0) }
    }

    fn connector(&self, service: &str, login: &Address) -> Connector {
        let login = Login::password(login.to_string(), Secret::new("secret".to_owned()));
        let mut connector = Connector::new(self.store.endpoint(service), login);
        let short = Duration::from_millis(700);
        connector.timeouts = Timeouts { connect: short, login: short, idle: short };
        connector
    }

    fn mail(&self, service: &str, login: &Address) -> Mail {
        let list = self.store.contents(service, login).unwrap().into_iter().map(|(name, messages)| {
            let mut list: Vec<_> = messages
                .into_iter()
                .map(|m| (m.flags.into_iter().collect(), m.internal_date.instant().to_string(), m.bytes.to_vec()))
                .collect();
            list.sort();
            (name, list)
        });
        list.filter(|(_, list): &(_, Vec<_>)| !list.is_empty()).collect()
    }

    /// Copies over ways of which one breaks; again until a pass ends well; and once more. Gives how much went each way in
    /// the first pass, and whether the break happened.
    async fn copied(&self, place: Option<Place>) -> ([(u64, u64); 2], bool) {
        let n = self.mailboxes.fetch_add(1, Ordering::SeqCst);
        let (all, login) = (address("all@x.example"), address(&format!("m{n}@x.example")));
        self.store.create(NEW, &login, "secret").await.unwrap();
        let (source, target) = (self.connector(OLD, &all), self.connector(NEW, &login));
        let wires = [Wire::start(source.endpoint.port).await, Wire::start(target.endpoint.port).await];
        if let Some(Place { side, way, octet, what }) = place {
            wires[usize::from(side == Side::Target)].breaks(way, octet, what);
        }
        let told = format!("target without {:?}, {place:?}", self.lacks);
        let ledger = Ledger::in_memory().unwrap();
        let (source, target) = (wires[0].connector(&source), wires[1].connector(&target));
        let mut report = pass(source.clone(), target.clone(), &ledger).await;
        let octets = [wires[0].passed(), wires[1].passed()];
        let happened = wires.iter().any(Wire::happened);
        for _ in 1..PASSES {
            if report.is_err() {
                report = pass(source.clone(), target.clone(), &ledger).await;
            }
        }
        let report = report.unwrap_or_else(|e| panic!("{told}: {e:?}"));
        let want = self.mail(OLD, &all);
        assert!(report.failed.is_empty() && report.total.balances(), "{told}: {report:#?}");
        assert_eq!(self.mail(NEW, &login), want, "{told}");
        let again = pass(source, target, &ledger).await.unwrap_or_else(|e| panic!("{told}: {e:?}"));
        assert_eq!((again.total.octets, again.failed.len()), (0, 0), "{told}");
        assert_eq!(self.mail(NEW, &login), want, "{told}, and once more");
        (octets, happened)
    }

    /// Breaks at places all over the conversation. Gives how many of the breaks happened.
    async fn everywhere(&self, sides: &[Side], breaks: &[Break]) -> (usize, usize) {
        let (whole, _) = self.copied(None).await;
        let stride = std::env::var("REHOME_CUTS").ok().and_then(|n| n.parse::<u64>().ok());
        let mut places = Vec::new();
        for side in sides {
            let (up, down) = whole[usize::from(*side == Side::Target)];
            for (way, octets) in [(Way::Up, up), (Way::Down, down)] {
                let stride = stride.unwrap_or(octets / PLACES).max(1);
                for (n, octet) in (0..octets).step_by(usize::try_from(stride).unwrap()).enumerate() {
                    // Every place is tried in one manner at least, and every manner all over.
                    let what = breaks[n % breaks.len()];
                    places.push(Place { side: *side, way, octet, what });
                    let other = breaks[(n + 1 + usize::from(way == Way::Up)) % breaks.len()];
                    if other != what {
                        places.push(Place { side: *side, way, octet: octet + stride / 2, what: other });
                    }
                }
            }
        }
        let all = places.len();
        let runs = stream::iter(places).map(|place| self.copied(Some(place))).buffer_unordered(PARALLEL);
        let happened = runs.fold(0, async |sum, (_, happened)| sum + usize::from(happened)).await;
        (happened, all)
    }
}

/// Lanes share the octets in another order in every run, so that a place near the end may never come.
fn most_happened((happened, all): (usize, usize)) {
    assert!(happened * 10 >= all * 8, "only {happened} of {all} breaks happened");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_way_that_breaks_anywhere_loses_and_doubles_nothing() {
    let field = Field::start(&[]).await;
    most_happened(field.everywhere(&[Side::Source, Side::Target], &EVERY).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_way_that_breaks_anywhere_to_a_target_that_lacks_something_loses_and_doubles_nothing() {
    for lacks in [&["UIDPLUS"][..], &["MULTIAPPEND"], &["LITERAL+"], &["UIDPLUS", "MULTIAPPEND", "LITERAL+"]] {
        let field = Field::start(lacks).await;
        most_happened(field.everywhere(&[Side::Target], &[Break::Cut, Break::Reset]).await);
    }
}
