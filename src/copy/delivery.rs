//! The half of a folder's pass that sends: while one window is on its way, the next one is put down in the ledger together
//! with what became of the one before.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::Notify;

use super::{
    CopyError, Side, deltas,
    engine::Shared,
    folder::{CARRIED, Item, Items},
    link::Link,
    pairing::Pool,
    resources::Held,
    sending::{Fate, Parcel, Place, send},
    sorting::{self, Sorted, Sorter},
    store::Meta,
    tally::FolderTally,
    weak::Weak,
};
use crate::{
    journal::ledger::{FolderRow, Intent, Ledger, MessageRow, MessageState, Settled, Step, WindowId},
    model::Digest,
};

/// The sending half.
pub(super) struct Sending<'p, 'c> {
    shared: &'p Shared<'c>,
    target: &'p mut Link<'c>,
    name: String,
    received: Items,
    /// What the target had before may be known by less than its octets. The other half then tells the end of the folder.
    pub(super) weakly: bool,
    sent: Sent,
}

/// What was sent of a folder, and what of it is not on disk yet.
pub(super) struct Sent {
    pub(super) row: FolderRow,
    /// The sums of what was sent.
    pub(super) tally: FolderTally,
    /// Whether the row is still to be put down. It is before anything is sent.
    unsaved: bool,
    /// What is over and not on disk yet.
    over: Vec<Settled>,
}

impl Sent {
    /// Puts down what is not on disk yet, together with what comes next.
    async fn advance(&mut self, shared: &Shared<'_>, next: Option<Intent>) -> Result<Option<WindowId>, CopyError> {
        let (lease, at) = (shared.lease, (self.row.id, self.row.source_validity));
        let row = std::mem::take(&mut self.unsaved).then(|| self.row.clone());
        let over = std::mem::take(&mut self.over);
        let step = move |l: &Ledger| l.advance(lease, at, Step { row: row.as_ref(), over: &over, next: next.as_ref() });
        shared.context.ledger(step).await
    }

    /// Puts down what is over.
    pub(super) async fn flush(&mut self, shared: &Shared<'_>) -> Result<(), CopyError> {
        if self.over.is_empty() { Ok(()) } else { self.advance(shared, None).await.map(drop) }
    }

    fn count(&mut self, row: &MessageRow) {
        self.tally.count(&self.row.path, self.row.source_validity, row);
    }

    /// Puts down that the folder was copied to its end, and what is over, as one write.
    pub(super) async fn complete(mut self, shared: &Shared<'_>, row: FolderRow) -> Result<(), CopyError> {
        (self.row, self.unsaved) = (row, true);
        self.advance(shared, None).await.map(drop)
    }
}

/// A window whose intent is on disk.
struct Ready {
    window: WindowId,
    intents: Vec<MessageRow>,
    parcels: Vec<Parcel>,
    _held: Held,
}

/// What comes next.
enum Next {
    Ready(Ready),
    Flags(Vec<(Meta, MessageRow)>),
    End,
}

impl<'p, 'c> Sending<'p, 'c> {
    /// The sending half of a folder; `name` is the folder's name at the target, as it is sent. The flag tells whether the
    /// row is still to be put down.
    pub(super) fn new(
        shared: &'p Shared<'c>,
        target: &'p mut Link<'c>,
        name: String,
        (row, unsaved): (FolderRow, bool),
        received: Items,
    ) -> Self {
        let sent = Sent { row, unsaved, over: Vec::new(), tally: FolderTally::default() };
        Self { shared, target, name, received, weakly: false, sent }
    }

    /// Sends what comes, and gives what was sent. When that fails, all that is over is on disk.
    pub(super) async fn run(mut self) -> Result<Sent, CopyError> {
        match self.all().await {
            Ok(()) => Ok(self.sent),
            Err(error) => self.sent.flush(self.shared).await.and(Err(error)),
        }
    }

    async fn all(&mut self) -> Result<(), CopyError> {
        let mut first = None;
        while first.is_none() {
            match self.target.meanwhile(self.received.recv()).await {
                None => return Ok(()),
                Some(Item::Flags(changed)) => self.carry(changed).await?,
                Some(Item::All(_)) => {}
                window @ Some(Item::Window(..)) => first = window,
            }
        }
        let (mut place, mut sorter) = self.open().await?;
        let result = self.transfer(&mut place, &mut sorter, first).await;
        self.sent.row.distrusted |= place.distrusted;
        let mut tally = self.shared.tally();
        tally.alters |= place.alters;
        sorter.dropped.iter().for_each(|(k, n)| *tally.dropped.entry(k.clone()).or_default() += n);
        drop(tally);
        result
    }

    async fn transfer(
        &mut self,
        place: &mut Place,
        sorter: &mut Sorter,
        mut first: Option<Item>,
    ) -> Result<(), CopyError> {
        let mut ready: Option<Ready> = None;
        let mut flags = Vec::new();
        loop {
            self.carry(std::mem::take(&mut flags)).await?;
            let (validity, floor) = (place.validity, place.floor);
            let mut prepare = Prepare {
                shared: self.shared,
                received: &mut self.received,
                sent: &mut self.sent,
                sorter: &mut *sorter,
                place: (validity, floor),
            };
            let Some(mut window) = ready.take() else {
                match self.target.meanwhile(prepare.next(first.take())).await? {
                    Next::Ready(next) => ready = Some(next),
                    Next::Flags(changed) => flags = changed,
                    Next::End => return Ok(()),
                }
                continue;
            };
            let over = Notify::new();
            let (sent, next) = tokio::join!(
                async {
                    let sent = send(self.target, place, &mut window.parcels).await;
                    self.target.meanwhile(over.notified()).await;
                    sent
                },
                async {
                    let next = prepare.next(first.take()).await;
                    over.notify_one();
                    next
                }
            );
            self.settle(validity, &mut window);
            let raised = match &sent {
                Ok(()) => raise_floor(self.target, place, &window.parcels).await,
                Err(_) => Ok(Floor::Named),
            };
            match next {
                Ok(Next::Ready(next)) if sent.is_ok() && matches!(raised, Ok(Floor::Named)) => ready = Some(next),
                // Its intent was put down before the one ahead of it left messages at places that nobody knows, and
                // none of those may be taken for one of its own.
                Ok(Next::Ready(next)) if sent.is_ok() && raised.is_ok() => {
                    let (lease, id, floor) = (self.shared.lease, next.window, place.floor);
                    self.shared.context.ledger(move |l| l.raise_floor(lease, id, floor)).await?;
                    ready = Some(next);
                }
                // Its intent is on disk, and nothing of it was sent.
                Ok(Next::Ready(mut next)) => {
                    next.parcels.iter_mut().for_each(|p| p.fate = Some(Fate::NotSent));
                    self.settle(validity, &mut next);
                }
                Ok(Next::Flags(changed)) => flags = changed,
                Ok(Next::End) => return sent.and(raised.map(drop)),
                Err(error) => return sent.and(raised.map(drop)).and(Err(error)),
            }
            sent.and(raised.map(drop))?;
        }
    }

    /// Notes what became of a window.
    fn settle(&mut self, validity: u32, window: &mut Ready) {
        let intents = std::mem::take(&mut window.intents);
        for (row, parcel) in intents.iter().zip(&window.parcels) {
            // Keywords that were promised a place and then cost a refusal.
            let lost = row.target_flags.difference(&parcel.out.flags);
            for flag in lost.filter(|_| matches!(parcel.fate, Some(Fate::Stored(_)))) {
                *self.shared.tally().dropped.entry(flag.clone()).or_default() += 1;
            }
        }
        for (row, _) in intents.iter().zip(&window.parcels).filter(|(_, p)| p.fate == Some(Fate::InDoubt)) {
            self.sent.count(&sorting::in_doubt(row.clone()));
        }
        let (outcomes, octets) = sorting::outcomes(validity, intents, &window.parcels);
        outcomes.iter().for_each(|row| self.sent.count(row));
        let new = outcomes.iter().filter(|row| row.state == MessageState::Acked).count() as u64;
        self.shared.tally().new += new;
        self.shared.progress(&self.sent.row.path, outcomes.len() as u64, octets);
        self.sent.over.push(Settled { window: Some(window.window), outcomes });
    }

    /// Carries flags over. What is few is put down together with what comes next.
    async fn carry(&mut self, changed: Vec<(Meta, MessageRow)>) -> Result<(), CopyError> {
        let outcomes = deltas::carry(self.target, &self.sent.row, &self.name, changed).await?;
        let many = outcomes.len() >= CARRIED;
        if !outcomes.is_empty() {
            self.sent.over.push(Settled { window: None, outcomes });
        }
        if many { self.sent.flush(self.shared).await } else { Ok(()) }
    }

    /// Opens the folder at the target, and learns what of the mail may be there already.
    async fn open(&mut self) -> Result<(Place, Sorter), CopyError> {
        let context = self.shared.context;
        let opened = self.target.open(&self.name).await?;
        let change = self.target.change().await?;
        let (limit, takes_nul) = (change.append_limit(), change.takes_nul());
        self.shared.choice.set_limit(limit);
        let row = &self.sent.row;
        let (id, validity, adopt_below) = (row.id, row.target_validity, row.adopt_below);
        if opened.uid_validity != validity {
            return Err(CopyError::Renumbered {
                side: Side::Target,
                account: context.account.clone(),
                folder: self.name.clone(),
                was: validity,
                now: opened.uid_validity,
            });
        }
        let floor = match opened.uid_next {
            0 => context.ledger(move |l| l.highest(id, validity)).await?.saturating_add(1),
            next => next,
        };
        let mut sorter =
            Sorter { validity, permanent: opened.permanent.clone(), limit, takes_nul, ..Sorter::default() };
        if row.adopts() {
            let owned = context.ledger(move |l| l.owned(id, validity, 1)).await?;
            let mut metas = self.target.scan(&self.name, 1, Some(adopt_below - 1)).await?;
            metas.retain(|m| !owned.contains(&m.uid));
            let contents = self.target.contents(&self.name, &metas).await?;
            let (account, name) = (context.account.clone(), self.name.clone());
            let mut aside = context.ledger(move |l| l.aside_of(&account, &name, validity)).await?;
            aside.retain(|(uid, _)| *uid < adopt_below && !owned.contains(uid));
            sorter.pool = Pool::new(contents.iter().map(|c| (c.uid, c.digest)).chain(aside));
            sorter.weak = self.weakly.then(|| Weak::new(&contents, &metas));
            sorter.there = metas.into_iter().map(|m| (m.uid, m.flags)).collect();
        }
        sorter.earlier = self.earlier().await?;
        let taken = context.ledger(move |l| l.owned(id, validity, floor)).await?;
        let (folder, distrusted) = (self.name.clone(), self.sent.row.distrusted);
        let place = Place { folder, validity, floor, taken, distrusted, alters: false };
        Ok((place, sorter))
    }

    /// What was delivered when the source folder had another UIDVALIDITY, and is not yet known under the present one.
    async fn earlier(&self) -> Result<BTreeMap<Digest, Vec<MessageRow>>, CopyError> {
        let (id, validity) = (self.sent.row.id, self.sent.row.source_validity);
        let context = self.shared.context;
        let older = context.ledger(move |l| l.delivered_before(id, validity)).await?;
        let mut earlier: BTreeMap<_, Vec<MessageRow>> = BTreeMap::new();
        if older.is_empty() {
            return Ok(earlier);
        }
        let rows = context.ledger(move |l| l.messages(id, validity)).await?;
        let mut used: BTreeMap<_, usize> = BTreeMap::new();
        for row in rows.values().filter(|r| r.state.is_delivered()) {
            *used.entry((row.digest, row.target)).or_default() += 1;
        }
        let mut places = BTreeSet::new();
        for row in older {
            let Some(digest) = row.digest else { continue };
            match used.get_mut(&(row.digest, row.target)).filter(|n| **n > 0) {
                Some(n) => *n -= 1,
                None if row.target.is_none_or(|place| places.insert(place)) => {
                    earlier.entry(digest).or_default().push(row);
                }
                None => {}
            }
        }
        Ok(earlier)
    }
}

/// What is done while a window is on its way.
struct Prepare<'s, 'c> {
    shared: &'s Shared<'c>,
    received: &'s mut Items,
    sent: &'s mut Sent,
    sorter: &'s mut Sorter,
    /// UIDVALIDITY of the target, and a UID that nothing which is sent from now on falls below.
    place: (u32, u32),
}

impl Prepare<'_, '_> {
    /// Waits for the next window that has something to send, and puts it down.
    async fn next(&mut self, mut item: Option<Item>) -> Result<Next, CopyError> {
        let context = self.shared.context;
        loop {
            context.go_on()?;
            let next = match item.take() {
                None => self.received.recv().await,
                given => given,
            };
            let (batch, held) = match next {
                Some(Item::Window(batch, held)) => (batch, held),
                Some(Item::Flags(changed)) => return Ok(Next::Flags(changed)),
                Some(Item::All(wanted)) => {
                    let (outcomes, rest) = self.sorter.decide();
                    self.note(outcomes);
                    // Nobody waits for it when the other half has failed.
                    let _ = wanted.send(rest);
                    continue;
                }
                None => return Ok(Next::End),
            };
            let Sorted { outcomes, intents, parcels } = self.sorter.sort(batch);
            self.note(outcomes);
            let intent = (!intents.is_empty()).then(|| Intent {
                folder: self.sent.row.id,
                source_validity: self.sent.row.source_validity,
                target_validity: self.place.0,
                floor: self.place.1,
                messages: intents.clone(),
            });
            if let Some(window) = self.sent.advance(self.shared, intent).await? {
                return Ok(Next::Ready(Ready { window, intents, parcels, _held: held }));
            }
        }
    }

    /// Counts what is over without being sent.
    fn note(&mut self, outcomes: Vec<MessageRow>) {
        outcomes.iter().for_each(|row| self.sent.count(row));
        self.shared.progress(&self.sent.row.path, outcomes.len() as u64, 0);
        if !outcomes.is_empty() {
            self.sent.over.push(Settled { window: None, outcomes });
        }
    }
}

/// What a floor was raised by.
enum Floor {
    /// By UIDs that are known, all of them.
    Named,
    /// By where the folder ends, because something may be there under a UID that nobody knows.
    Looked,
}

/// Moves the floor above what was just stored.
async fn raise_floor(target: &mut Link<'_>, place: &mut Place, parcels: &[Parcel]) -> Result<Floor, CopyError> {
    let mut floor = Floor::Named;
    for parcel in parcels {
        match parcel.fate {
            Some(Fate::Stored(Some(uid))) => {
                place.taken.insert(uid);
                place.floor = place.floor.max(uid.saturating_add(1));
            }
            Some(Fate::Stored(None) | Fate::InDoubt) => floor = Floor::Looked,
            _ => {}
        }
    }
    if matches!(floor, Floor::Looked) {
        let opened = target.refresh(&place.folder).await?;
        place.floor = place.floor.max(opened.uid_next);
    }
    let lowest = place.floor;
    place.taken.retain(|uid| *uid >= lowest);
    Ok(floor)
}
