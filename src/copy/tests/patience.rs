//! Days of throttling and of limits by the day, in seconds, by a paused clock.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{DATE, World, letter};
use crate::{
    copy::{
        CopyError, CopyErrorClass,
        engine::{self, Job},
        link::Tuning,
        metered::{Meter, Metered},
        pace::Pace,
        store::{
            Answer, Appended, Change, Fetch, FlagGroup, FlagsOf, FolderVerb, Listing, Look, Meta, Opened, Outgoing,
            Refusal, Store, StoreError, StoreErrorKind, Told, Why,
        },
        window::WindowSize,
    },
    imap::{Known, Quirk, Quirks},
    journal::ledger::{Direction, Ledger},
    model::{Address, CopyReport, Event, FolderStatus, MailFilter, MailLimits, PlatformId},
};

const HOUR: Duration = Duration::from_secs(3600);

/// A store whose server is in a mood: so many of its answers are requests for patience.
#[derive(Clone)]
struct Moody {
    world: World,
    asked: Arc<AtomicU64>,
}

impl Moody {
    fn new(world: &World) -> Self {
        Self { world: world.clone(), asked: Arc::default() }
    }

    /// Every fifth request is refused: for a while, for a time told, and now and then for hours.
    fn mood(&self) -> Option<Why> {
        let n = self.asked.fetch_add(1, Ordering::SeqCst);
        match n % 60 {
            7 => Some(Why::Throttled(Some(5 * HOUR))),
            n if n % 5 == 1 => Some(Why::Throttled(None)),
            n if n % 5 == 3 => Some(Why::Throttled(Some(Duration::from_millis(299_000)))),
            _ => None,
        }
    }

    fn check(&self) -> Result<(), StoreError> {
        match self.mood() {
            Some(why) => Err(StoreError { kind: StoreErrorKind::Refused(why), source: "Request is throttled.".into() }),
            None => Ok(()),
        }
    }
}

/// A connection to it: one that reads, or one that also changes.
struct Connection<C: ?Sized>(Box<C>, Moody);

#[async_trait]
impl Store for Moody {
    fn place(&self) -> String {
        "moody".to_owned()
    }

    async fn look(&self) -> Result<Box<dyn Look>, StoreError> {
        self.check()?;
        Ok(Box::new(Connection(self.world.look().await?, self.clone())))
    }

    async fn change(&self) -> Result<Box<dyn Change>, StoreError> {
        self.check()?;
        Ok(Box::new(Connection(self.world.change().await?, self.clone())))
    }

    async fn extra_look(&self) -> Result<Option<Box<dyn Look>>, StoreError> {
        self.look().await.map(Some)
    }

    async fn extra_change(&self) -> Result<Option<Box<dyn Change>>, StoreError> {
        self.change().await.map(Some)
    }
}

#[async_trait]
impl<C: Look + ?Sized> Look for Connection<C> {
    async fn list(&mut self) -> Result<Listing, StoreError> {
        self.1.check()?;
        self.0.list().await
    }

    async fn status(&mut self, folder: &str) -> Result<FolderStatus, StoreError> {
        self.1.check()?;
        self.0.status(folder).await
    }

    async fn open(&mut self, folder: &str) -> Result<Opened, StoreError> {
        self.1.check()?;
        self.0.open(folder).await
    }

    async fn survey(&mut self, folder: &str, known: Known) -> Result<(Opened, Option<Told>), StoreError> {
        self.1.check()?;
        self.0.survey(folder, known).await
    }

    async fn scan(&mut self, first: u32, last: Option<u32>) -> Result<Vec<Meta>, StoreError> {
        self.1.check()?;
        self.0.scan(first, last).await
    }

    async fn sweep(&mut self, first: u32, last: u32) -> Result<Vec<Meta>, StoreError> {
        self.1.check()?;
        self.0.sweep(first, last).await
    }

    async fn some(&mut self, uids: &[u32]) -> Result<Vec<Meta>, StoreError> {
        self.1.check()?;
        self.0.some(uids).await
    }

    async fn flags(&mut self, folder: &str, uids: &[u32]) -> Result<(Opened, FlagsOf), StoreError> {
        self.1.check()?;
        self.0.flags(folder, uids).await
    }

    async fn changed(&mut self, since: u64) -> Result<Option<Vec<Meta>>, StoreError> {
        self.1.check()?;
        self.0.changed(since).await
    }

    async fn labels(&mut self) -> Result<BTreeMap<u32, BTreeSet<String>>, StoreError> {
        self.0.labels().await
    }

    async fn gmail_ids(&mut self) -> Result<BTreeMap<u32, u64>, StoreError> {
        self.0.gmail_ids().await
    }

    async fn bodies(&mut self, uids: &[u32]) -> Fetch {
        match self.1.check() {
            Err(error) => Fetch { error: Some(error), ..Fetch::default() },
            Ok(()) => self.0.bodies(uids).await,
        }
    }

    async fn noop(&mut self) -> Result<(), StoreError> {
        self.0.noop().await
    }

    fn is_surplus(&self) -> bool {
        self.0.is_surplus()
    }

    fn keep(self: Box<Self>) {
        self.0.keep();
    }
}

#[async_trait]
impl Change for Connection<dyn Change> {
    async fn create(&mut self, folder: &str) -> Result<(), StoreError> {
        self.0.create(folder).await
    }

    async fn subscribe(&mut self, folder: &str) -> Result<(), StoreError> {
        self.0.subscribe(folder).await
    }

    async fn folders(&mut self, verb: FolderVerb, folders: &[String]) -> Result<Vec<bool>, StoreError> {
        self.0.folders(verb, folders).await
    }

    async fn append(&mut self, folder: &str, messages: &[Outgoing], each: bool) -> Answer {
        let Some(why) = self.1.mood() else { return self.0.append(folder, messages, each).await };
        let refusal = Refusal { why, text: "Request is throttled.".to_owned() };
        let one =
            if messages.len() > 1 && !each { Appended::BatchRefused(refusal) } else { Appended::Refused(refusal) };
        Answer { results: vec![one; messages.len()], error: None }
    }

    async fn set_flags(&mut self, groups: &[FlagGroup]) -> Result<(), StoreError> {
        self.1.check()?;
        self.0.set_flags(groups).await
    }

    fn append_limit(&self) -> Option<u64> {
        self.0.append_limit()
    }

    fn takes_nul(&self) -> bool {
        self.0.takes_nul()
    }

    fn waits(&self) -> bool {
        self.0.waits()
    }

    fn learn(&self, quirk: Quirk) {
        self.0.learn(quirk);
    }
}

/// Two mailboxes and the way between them, the same over many passes.
pub(super) struct Way {
    from: Metered,
    to: Metered,
    ledger: Ledger,
    pace: Arc<Pace>,
    events: Mutex<Vec<Event>>,
}

impl Way {
    pub(super) fn new(from: Arc<dyn Store>, to: Arc<dyn Store>, limits: MailLimits) -> Self {
        let ledger = Ledger::in_memory().unwrap();
        let pace = Arc::new(Pace::default());
        let meter = |place: &str, limits| {
            let mailbox = (place.to_owned(), "john".to_owned());
            Meter::new(mailbox, limits, Quirks::default(), ledger.clone(), Arc::clone(&pace), CancellationToken::new())
        };
        let (down, up) = (meter("from", MailLimits::default()), meter("to", limits));
        Self { from: Metered::new(from, down), to: Metered::new(to, up), ledger, pace, events: Mutex::default() }
    }

    pub(super) async fn pass(self: &Arc<Self>) -> Result<CopyReport, CopyError> {
        let account = Address::parse("john@example.org").unwrap();
        let note = |event| self.events.lock().unwrap().push(event);
        let pause = Duration::from_millis(100);
        engine::run(Job {
            account: &account,
            source: Arc::new(Shared(Arc::clone(self), false)),
            target: Arc::new(Shared(Arc::clone(self), true)),
            source_id: (PlatformId::from("old"), account.clone()),
            filter: &MailFilter::default(),
            ledger: &self.ledger,
            events: &note,
            cancel: CancellationToken::new(),
            tuning: Tuning {
                settle: pause,
                attempts: 3,
                first_pause: pause,
                window: WindowSize { messages: 3, octets: 2000 },
                lanes: 2,
            },
            pace: Arc::clone(&self.pace),
            resources: crate::copy::Resources::default(),
        })
        .await
    }

    /// Passes, an hour between them, until one gets through. Gives how many ended with "later".
    async fn through(self: &Arc<Self>) -> (CopyReport, u32) {
        for put_off in 0..300 {
            match self.pass().await {
                Ok(report) => return (report, put_off),
                Err(error) => assert_eq!(error.class(), CopyErrorClass::Later, "{error:?}"),
            }
            tokio::time::sleep(HOUR).await;
        }
        panic!("it never got through");
    }
}

/// One side of a way.
struct Shared(Arc<Way>, bool);

impl Shared {
    fn store(&self) -> &Metered {
        if self.1 { &self.0.to } else { &self.0.from }
    }
}

#[async_trait]
impl Store for Shared {
    fn place(&self) -> String {
        self.store().place()
    }

    async fn look(&self) -> Result<Box<dyn Look>, StoreError> {
        self.store().look().await
    }

    async fn change(&self) -> Result<Box<dyn Change>, StoreError> {
        self.store().change().await
    }

    async fn extra_look(&self) -> Result<Option<Box<dyn Look>>, StoreError> {
        self.look().await.map(Some)
    }

    async fn extra_change(&self) -> Result<Option<Box<dyn Change>>, StoreError> {
        self.change().await.map(Some)
    }
}

pub(super) fn filled(n: u32) -> World {
    let source = World::new(1);
    source.make("Archive");
    for i in 0..n {
        source.put(if i % 3 == 0 { "INBOX" } else { "Archive" }, &["\\Seen"], DATE, &letter(i));
    }
    source
}

#[tokio::test(start_paused = true)]
async fn a_day_of_throttling_and_a_limit_by_the_day_lose_and_double_nothing() {
    let (source, target) = (filled(120), World::new(7));
    let limits = MailLimits { upload_per_day: Some(20_000), ..MailLimits::default() };
    let way = Arc::new(Way::new(Arc::new(Moody::new(&source)), Arc::new(Moody::new(&target)), limits));
    let began = Instant::now();
    let (report, put_off) = way.through().await;
    assert!(report.total.balances() && report.failed.is_empty(), "{report:?}");
    assert!(put_off > 2);
    assert!(began.elapsed() > 24 * HOUR, "{:?}", began.elapsed());
    assert_eq!(source.mail(), target.mail(), "complete, in order, once each");
    let events = way.events.lock().unwrap();
    assert!(events.iter().any(|e| matches!(e, Event::Throttled { millis: 299_000, .. })));
}

#[tokio::test(start_paused = true)]
async fn a_limit_by_the_day_is_kept_over_passes_and_says_when_it_goes_on() {
    let (source, target) = (filled(60), World::new(7));
    let limits = MailLimits { upload_per_day: Some(9_000), ..MailLimits::default() };
    let way = Arc::new(Way::new(Arc::new(source.clone()), Arc::new(target.clone()), limits));
    let error = way.pass().await.unwrap_err();
    assert!(error.to_string().contains("there is room again from"), "{error}");
    let count = || target.mail().values().map(Vec::len).sum::<usize>();
    let first = count();
    assert!(first > 5 && first < 40, "{first}");
    tokio::time::sleep(12 * HOUR).await;
    assert_eq!(way.pass().await.unwrap_err().class(), CopyErrorClass::Later);
    assert!(count() <= first + 1, "half a day later there is no more room than before");
    let (report, _) = way.through().await;
    assert!(report.total.balances());
    assert_eq!(source.mail(), target.mail());
}

#[tokio::test(start_paused = true)]
async fn a_message_larger_than_a_whole_day_still_gets_its_day() {
    let (source, target) = (World::new(1), World::new(7));
    source.put("INBOX", &[], DATE, &letter(1));
    source.put("INBOX", &[], DATE, &format!("{}{}", letter(2), "x".repeat(1500)));
    let limits = MailLimits { upload_per_day: Some(1_000), ..MailLimits::default() };
    let way = Arc::new(Way::new(Arc::new(source.clone()), Arc::new(target.clone()), limits));
    let (report, put_off) = way.through().await;
    assert_eq!(report.total.copied, 2);
    assert!(put_off > 0, "not both on one day");
    assert_eq!(source.mail(), target.mail());
}

#[tokio::test(start_paused = true)]
async fn octets_by_the_second_are_kept() {
    let (source, target) = (filled(30), World::new(7));
    let limits = MailLimits { bytes_per_second: Some(100), ..MailLimits::default() };
    let way = Arc::new(Way::new(Arc::new(source), Arc::new(target), limits));
    let began = Instant::now();
    way.pass().await.unwrap();
    // Each of the 30 messages counts for 256 octets and its own length at least.
    assert!(began.elapsed() > Duration::from_secs(75), "{:?}", began.elapsed());
    assert_eq!(way.ledger.used(("to", "john"), Direction::Up, i64::MAX).unwrap().octets, 0, "nothing is counted");
}
