//! A store whose traffic is counted and kept within limits.
//!
//! Limits by the day hold for one mailbox over the last 24 hours (this hour and the 23 before it), counted in the ledger,
//! so that they survive restarts. Octets are counted before they are sent and after they were read: a limit is never
//! exceeded by an upload, and by one window at most by a download. When nothing is left, the copy stops between two
//! windows with everything settled. A message that is larger than a whole day's limit goes first thing in an unused day.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::{
    sync::{Mutex, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    alive::meanwhile,
    clock::{Clock, minute},
    dials::Setting,
    pace::Pace,
    store::{
        Answer, Appended, Change, Fetch, Fetched, FlagGroup, FlagsOf, FolderVerb, Listing, Look, Meta, Opened,
        Outgoing, Store, StoreError, StoreErrorKind, Told,
    },
};
use crate::{
    diag,
    imap::{Known, Quirk, Quirks},
    journal::ledger::{Direction, Ledger, LedgerError},
    model::{FolderStatus, MailLimits},
};

/// What goes around a message: command, flags, date, answer.
const AROUND: u64 = 256;

/// The limits of one mailbox, and what keeps to them.
#[derive(Clone)]
pub(super) struct Meter(Arc<Inner>, Option<watch::Receiver<Setting>>);

struct Inner {
    place: String,
    login: String,
    limits: MailLimits,
    quirks: Quirks,
    ledger: Ledger,
    pace: Arc<Pace>,
    clock: Clock,
    cancel: CancellationToken,
    /// From when on octets may go again, down and up.
    next: Mutex<[Option<Instant>; 2]>,
}

/// What is left of a day.
struct Room {
    octets: u64,
    /// Whether the day is unused.
    whole: bool,
}

impl Meter {
    /// A meter for a mailbox.
    pub(super) fn new(
        (place, login): (String, String),
        limits: MailLimits,
        quirks: Quirks,
        ledger: Ledger,
        pace: Arc<Pace>,
        cancel: CancellationToken,
    ) -> Self {
        let (clock, next) = (Clock::default(), Mutex::default());
        Self(Arc::new(Inner { place, login, limits, quirks, ledger, pace, clock, cancel, next }), None)
    }

    /// The same, under the dials of a person.
    pub(super) fn under(mut self, dials: watch::Receiver<Setting>) -> Self {
        self.1 = Some(dials);
        self
    }

    /// Octets in a second.
    fn rate(&self) -> Option<u64> {
        let said = self.1.as_ref().and_then(|dials| dials.borrow().limits.bytes_per_second);
        said.or(self.0.limits.bytes_per_second).filter(|n| *n > 0)
    }

    fn per_day(&self, direction: Direction) -> Option<u64> {
        let known = known(&self.0.place, &self.0.quirks);
        let limit = match direction {
            Direction::Down => self.0.limits.download_per_day.or(known.download_per_day),
            Direction::Up => self.0.limits.upload_per_day.or(known.upload_per_day),
        };
        limit.filter(|n| *n > 0)
    }

    fn hour(&self) -> i64 {
        self.0.clock.now().as_second().div_euclid(3600)
    }

    /// What may go now; fails with the time to come again when that is nothing.
    async fn room(&self, direction: Direction) -> Result<Room, StoreError> {
        let Some(limit) = self.per_day(direction) else { return Ok(Room { octets: u64::MAX, whole: true }) };
        let hour = self.hour();
        let used = self.ledger(move |l, mailbox| l.used(mailbox, direction, hour)).await?;
        let octets = limit.saturating_sub(used.octets);
        if octets == 0 {
            return Err(self.used_up(direction, limit, used.since.unwrap_or(hour)));
        }
        Ok(Room { octets, whole: used.octets == 0 })
    }

    fn used_up(&self, direction: Direction, limit: u64, since: i64) -> StoreError {
        let again = Timestamp::from_second(since.saturating_add(24).saturating_mul(3600)).unwrap_or(Timestamp::MAX);
        let verb = match direction {
            Direction::Down => "be read from",
            Direction::Up => "be sent to",
        };
        let text = format!(
            "the {} that may {verb} {} at {} in 24 hours are used up; there is room again from {} on",
            diag::size(limit),
            self.0.login,
            self.0.place,
            minute(again),
        );
        StoreError { kind: StoreErrorKind::Later, source: text.into() }
    }

    async fn spend(&self, direction: Direction, octets: u64) -> Result<(), StoreError> {
        if let Some(rate) = self.rate() {
            let mut next = self.0.next.lock().await;
            let [down, up] = &mut *next;
            let slot = if direction == Direction::Down { down } else { up };
            let wait = Duration::from_secs_f64((octets as f64 / rate as f64).min(86_400.0));
            let now = Instant::now();
            *slot = slot.map_or(now, |at| at.max(now)).checked_add(wait);
        }
        if octets == 0 || self.per_day(direction).is_none() {
            return Ok(());
        }
        let hour = self.hour();
        self.ledger(move |l, mailbox| l.spend(mailbox, direction, hour, octets)).await
    }

    /// Waits until nobody has paused and the rate allows more, or somebody asks to stop.
    async fn rest(&self, direction: Direction) {
        let Some(mut dials) = self.1.clone() else { return self.rest_for_rate(direction).await };
        loop {
            let paused = dials.borrow_and_update().paused;
            let rested = async {
                if paused {
                    std::future::pending::<()>().await;
                }
                self.rest_for_rate(direction).await;
            };
            tokio::select! {
                () = self.0.cancel.cancelled() => return,
                () = rested => return,
                changed = dials.changed() => {
                    // What was reckoned with the old rate counts no more.
                    *self.0.next.lock().await = [None, None];
                    if changed.is_err() {
                        return;
                    }
                }
            }
        }
    }

    async fn rest_for_rate(&self, direction: Direction) {
        let until = {
            let [down, up] = *self.0.next.lock().await;
            if direction == Direction::Down { down } else { up }
        };
        if let Some(until) = until {
            tokio::select! {
                () = self.0.cancel.cancelled() => {}
                () = tokio::time::sleep_until(until) => {}
            }
        }
    }

    async fn ledger<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Ledger, (&str, &str)) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = Arc::clone(&self.0);
        let out = self.0.ledger.off_thread(move |ledger| call(ledger, (&inner.place, &inner.login))).await;
        let fatal = |source| StoreError { kind: StoreErrorKind::Fatal, source };
        match out {
            Ok(result) => result.map_err(|e| fatal(Box::new(e))),
            Err(_) => Err(fatal("counting the traffic was stopped".into())),
        }
    }

    fn progress(&self) {
        self.0.pace.progress(&self.0.place);
    }
}

/// What is known of hosts. Gmail allows 2,500 MB down and 500 MB up by IMAP in a day, and locks the account out above it
/// (Google Workspace help, "Gmail bandwidth limits").
fn known(place: &str, quirks: &Quirks) -> MailLimits {
    let host = place.rsplit_once(':').map_or(place, |(host, _)| host);
    let gmail = ["imap.gmail.com", "imap.googlemail.com"].iter().any(|h| host.eq_ignore_ascii_case(h));
    if !gmail && !quirks.knows(Quirk::Gmail) {
        return MailLimits::default();
    }
    MailLimits { download_per_day: Some(2500 << 20), upload_per_day: Some(500 << 20), ..MailLimits::default() }
}

/// A store behind a meter.
pub(super) struct Metered {
    store: Arc<dyn Store>,
    meter: Meter,
}

impl Metered {
    pub(super) fn new(store: Arc<dyn Store>, meter: Meter) -> Self {
        Self { store, meter }
    }

    fn look_with(&self, look: Box<dyn Look>) -> Box<dyn Look> {
        Box::new(Connection { inner: look, meter: self.meter.clone() })
    }

    fn change_with(&self, change: Box<dyn Change>) -> Box<dyn Change> {
        Box::new(Connection { inner: change, meter: self.meter.clone() })
    }
}

#[async_trait]
impl Store for Metered {
    fn place(&self) -> String {
        self.store.place()
    }

    async fn look(&self) -> Result<Box<dyn Look>, StoreError> {
        Ok(self.look_with(self.store.look().await?))
    }

    async fn change(&self) -> Result<Box<dyn Change>, StoreError> {
        Ok(self.change_with(self.store.change().await?))
    }

    async fn extra_look(&self) -> Result<Option<Box<dyn Look>>, StoreError> {
        Ok(self.store.extra_look().await?.map(|look| self.look_with(look)))
    }

    async fn extra_change(&self) -> Result<Option<Box<dyn Change>>, StoreError> {
        Ok(self.store.extra_change().await?.map(|change| self.change_with(change)))
    }
}

/// A connection behind a meter: one that reads, or one that also changes.
struct Connection<C: ?Sized> {
    inner: Box<C>,
    meter: Meter,
}

impl Meter {
    /// Reads bodies, as long as the day has room.
    async fn bodies<L: Look + ?Sized>(&self, look: &mut L, uids: &[u32]) -> Fetch {
        // A connection that is lost meanwhile is found to be lost by what comes next.
        let _ = meanwhile(look, self.rest(Direction::Down)).await;
        if let Err(error) = self.room(Direction::Down).await {
            return Fetch { error: Some(error), ..Fetch::default() };
        }
        let mut fetch = look.bodies(uids).await;
        let octets = |(_, got): &(u32, Fetched)| match got {
            Fetched::Body(body) => body.len() + AROUND,
            Fetched::Gone | Fetched::Unreadable(_) => 0,
        };
        let sum: u64 = fetch.got.iter().map(octets).sum();
        if sum > 0 {
            self.progress();
        }
        if let Err(error) = self.spend(Direction::Down, sum).await {
            fetch.error.get_or_insert(error);
        }
        fetch
    }
}

#[async_trait]
impl<C: Look + ?Sized> Look for Connection<C> {
    async fn list(&mut self) -> Result<Listing, StoreError> {
        self.inner.list().await
    }

    async fn status(&mut self, folder: &str) -> Result<FolderStatus, StoreError> {
        self.inner.status(folder).await
    }

    async fn open(&mut self, folder: &str) -> Result<Opened, StoreError> {
        self.inner.open(folder).await
    }

    async fn survey(&mut self, folder: &str, known: Known) -> Result<(Opened, Option<Told>), StoreError> {
        self.inner.survey(folder, known).await
    }

    async fn scan(&mut self, first: u32, last: Option<u32>) -> Result<Vec<Meta>, StoreError> {
        self.inner.scan(first, last).await
    }

    async fn sweep(&mut self, first: u32, last: u32) -> Result<Vec<Meta>, StoreError> {
        self.inner.sweep(first, last).await
    }

    async fn some(&mut self, uids: &[u32]) -> Result<Vec<Meta>, StoreError> {
        self.inner.some(uids).await
    }

    async fn flags(&mut self, folder: &str, uids: &[u32]) -> Result<(Opened, FlagsOf), StoreError> {
        self.inner.flags(folder, uids).await
    }

    async fn changed(&mut self, since: u64) -> Result<Option<Vec<Meta>>, StoreError> {
        self.inner.changed(since).await
    }

    async fn labels(&mut self) -> Result<BTreeMap<u32, BTreeSet<String>>, StoreError> {
        self.inner.labels().await
    }

    async fn gmail_ids(&mut self) -> Result<BTreeMap<u32, u64>, StoreError> {
        self.inner.gmail_ids().await
    }

    async fn bodies(&mut self, uids: &[u32]) -> Fetch {
        self.meter.bodies(self.inner.as_mut(), uids).await
    }

    async fn noop(&mut self) -> Result<(), StoreError> {
        self.inner.noop().await
    }

    fn is_surplus(&self) -> bool {
        self.inner.is_surplus()
    }

    fn keep(self: Box<Self>) {
        self.inner.keep();
    }
}

#[async_trait]
impl Change for Connection<dyn Change> {
    async fn create(&mut self, folder: &str) -> Result<(), StoreError> {
        self.inner.create(folder).await
    }

    async fn subscribe(&mut self, folder: &str) -> Result<(), StoreError> {
        self.inner.subscribe(folder).await
    }

    async fn folders(&mut self, verb: FolderVerb, folders: &[String]) -> Result<Vec<bool>, StoreError> {
        self.inner.folders(verb, folders).await
    }

    /// Appends as many as the day has room for; the rest is not sent.
    async fn append(&mut self, folder: &str, messages: &[Outgoing], each: bool) -> Answer {
        let unsent = |error| Answer { results: vec![Appended::NotSent; messages.len()], error: Some(error) };
        // A connection that is lost meanwhile is found to be lost by what comes next.
        let _ = meanwhile(self.inner.as_mut(), self.meter.rest(Direction::Up)).await;
        let room = match self.meter.room(Direction::Up).await {
            Ok(room) => room,
            Err(error) => return unsent(error),
        };
        let (mut fits, mut sum) = (0, 0_u64);
        for message in messages {
            let with = sum.saturating_add(message.body.len() + AROUND);
            if with > room.octets && !(room.whole && fits == 0) {
                break;
            }
            (fits, sum) = (fits + 1, with);
        }
        let (Some(now), true) = (messages.get(..fits), fits > 0 || messages.is_empty()) else {
            let limit = self.meter.per_day(Direction::Up).unwrap_or_default();
            let since = self.meter.hour();
            let used = self.meter.ledger(move |l, mailbox| l.used(mailbox, Direction::Up, since)).await;
            return match used {
                Ok(used) => unsent(self.meter.used_up(Direction::Up, limit, used.since.unwrap_or(since))),
                Err(error) => unsent(error),
            };
        };
        // Counted first: a crash in between costs some of the day's room, never more than the day has.
        if let Err(error) = self.meter.spend(Direction::Up, sum).await {
            return unsent(error);
        }
        let mut answer = self.inner.append(folder, now, each).await;
        if answer.results.iter().any(|r| matches!(r, Appended::Stored(_))) {
            self.meter.progress();
        }
        // The store answers for each message it was given; a short answer means doubt, and must not be moved.
        answer.results.resize(now.len(), Appended::Unknown { closed: false });
        answer.results.resize(messages.len(), Appended::NotSent);
        answer
    }

    async fn set_flags(&mut self, groups: &[FlagGroup]) -> Result<(), StoreError> {
        self.inner.set_flags(groups).await
    }

    fn append_limit(&self) -> Option<u64> {
        self.inner.append_limit()
    }

    fn takes_nul(&self) -> bool {
        self.inner.takes_nul()
    }

    fn waits(&self) -> bool {
        self.inner.waits()
    }

    fn learn(&self, quirk: Quirk) {
        self.inner.learn(quirk);
    }
}
