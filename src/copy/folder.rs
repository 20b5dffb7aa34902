//! One folder in one pass: what is there, what is to do, and the sums.
//!
//! Two halves work at the same time. One reads: it lists the source part by part, leaves out what is known, and reads
//! the rest window by window. The other sends: while one window is on its way, the next one is put down in the ledger
//! together with what became of the one before, so that the disk and the server are waited for at the same time.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::{mpsc, oneshot};

use super::{
    CopyError, Side, deltas,
    engine::Shared,
    filter,
    link::Link,
    pairing::Pool,
    reading::{Read, read_window},
    resources::Held,
    scanning::Parts,
    sending::{Fate, Parcel, Place, send},
    sorting::{self, Sorted, Sorter, reused, row_of},
    store::{Meta, Opened},
    tally::FolderTally,
    views,
    weak::Weak,
    window::cut,
};
use crate::{
    journal::ledger::{FolderRow, Intent, MessageRow, Settled, WindowId},
    model::{CopyCounts, Digest},
};

/// How many messages one message to the other half names.
const CARRIED: usize = 1000;

/// One folder being copied.
pub(super) struct FolderPass<'p, 'c> {
    pub(super) shared: &'p Shared<'c>,
    pub(super) source: &'p mut Link<'c>,
    pub(super) target: &'p mut Link<'c>,
    pub(super) row: FolderRow,
    /// Messages that are copied from another folder, because they are shown there too.
    pub(super) elsewhere: BTreeSet<u32>,
    /// The folder's name at the source, as it is sent.
    pub(super) name: String,
    /// The folder's name at the target, as it is sent.
    pub(super) target_name: String,
}

/// What the reading half hands to the sending half.
pub(super) enum Item {
    /// Messages that were delivered and have other flags now.
    Flags(Vec<(Meta, MessageRow)>),
    /// Messages to be delivered, and their part of the memory.
    Window(Vec<Read>, Held),
    /// All of the folder was handed over. Which messages are to be read once more is wanted here.
    All(oneshot::Sender<Vec<Meta>>),
}

/// What comes from the reading half.
pub(super) type Items = mpsc::Receiver<Item>;

/// What a source tells of a folder that was copied to its end before.
pub(super) struct Changed {
    /// The sums of that pass.
    counts: CopyCounts,
    /// What is new or has other flags since.
    metas: Vec<Meta>,
    /// What is known of those messages.
    rows: BTreeMap<u32, MessageRow>,
}

impl FolderPass<'_, '_> {
    /// Copies what is new, carries flags over, and gives the folder's row and sums.
    pub(super) async fn run(mut self) -> Result<(FolderRow, CopyCounts), CopyError> {
        let opened = self.source.open(&self.name).await?;
        if self.shared.choice.needs_limit(&self.row.path) {
            self.shared.choice.set_limit(self.target.change().await?.append_limit());
        }
        let known = self.changed_only(&opened).await?;
        self.row.source_validity = opened.uid_validity;
        let (items, received) = mpsc::channel(1);
        let reading = Reading {
            shared: self.shared,
            source: &mut *self.source,
            name: self.name,
            row: self.row.clone(),
            elsewhere: self.elsewhere,
            items,
            tally: FolderTally::default(),
        };
        let mut sending = Sending::new(self.shared, self.target, self.target_name, self.row, received);
        sending.weakly = sending.row.adopt_below > 1;
        // Each half ends by itself when the other one does, so that no append is cut off in the middle.
        let (read, sent) = tokio::join!(reading.run(known, &opened), sending.run());
        let (row, sent) = sent?;
        let counts = filter::close(self.shared, &row, read?, sent).await?;
        Ok((row, counts))
    }

    /// What happened since the last complete pass, where the source tells and nothing was deleted there meanwhile. Else
    /// the whole folder has to be listed.
    async fn changed_only(&mut self, opened: &Opened) -> Result<Option<Changed>, CopyError> {
        let same = self.row.source_validity == opened.uid_validity && self.row.adopt_below == 0;
        let since = self.row.status.filter(|s| same && s.uid_validity == opened.uid_validity);
        let counts = self.row.counts.clone().filter(|c| self.shared.choice.still_leaves_out(c));
        let (Some(since), Some(counts)) = (since.and_then(|s| s.highest_modseq), counts) else {
            return Ok(None);
        };
        let Some(metas) = self.source.changed(&self.name, since).await? else { return Ok(None) };
        let (id, validity) = (self.row.id, opened.uid_validity);
        let uids: BTreeSet<u32> = metas.iter().map(|m| m.uid).collect();
        let rows = self.shared.context.ledger(move |l| l.messages_at(id, validity, &uids)).await?;
        let new = metas.iter().filter(|m| !rows.contains_key(&m.uid)).count() as u64;
        let complete = counts.source + new == u64::from(opened.messages);
        Ok(complete.then_some(Changed { counts, metas, rows }))
    }
}

/// The reading half.
pub(super) struct Reading<'p, 'c> {
    pub(super) shared: &'p Shared<'c>,
    pub(super) source: &'p mut Link<'c>,
    /// The folder's name at the source, as it is sent.
    pub(super) name: String,
    pub(super) row: FolderRow,
    /// Messages that are copied from another folder.
    pub(super) elsewhere: BTreeSet<u32>,
    pub(super) items: mpsc::Sender<Item>,
    pub(super) tally: FolderTally,
}

impl Reading<'_, '_> {
    /// Reads what is to be copied, and gives the sums of what is not.
    pub(super) async fn run(mut self, known: Option<Changed>, opened: &Opened) -> Result<FolderTally, CopyError> {
        let context = self.shared.context;
        let (id, validity) = (self.row.id, self.row.source_validity);
        if let Some(Changed { counts, metas, rows }) = known {
            self.shared.progress(&self.row.path, counts.source, 0);
            self.tally.counts = counts;
            let (fresh, old): (Vec<Meta>, Vec<Meta>) = metas.into_iter().partition(|m| !rows.contains_key(&m.uid));
            self.tally.counts.source += fresh.len() as u64;
            let fresh = self.leave_out(fresh);
            let changed = old.into_iter().filter_map(|m| rows.get(&m.uid).map(|r| (m, r.clone())));
            let changed = changed.filter(|(m, r)| r.state.is_delivered() && deltas::differs(m, r)).collect();
            let fresh = self.sort_out(fresh, &rows).await?;
            self.tally.kept.extend(self.shared.choice.ignored(&self.row.path, validity));
            if self.hand(Item::Flags(changed)).await {
                self.windows(fresh).await?;
            }
            return Ok(self.tally);
        }
        let mut parts = Parts::of(opened);
        while let Some((range, metas)) = parts.next(self.source, &self.name).await? {
            let rows = context.ledger(move |l| l.messages_between(id, validity, range)).await?;
            let mut changed = Vec::new();
            let mut todo = Vec::new();
            let mut settled = 0;
            self.tally.counts.source += metas.len() as u64;
            for meta in metas {
                match rows.get(&meta.uid).filter(|row| row.state.is_delivered()) {
                    None => todo.push(meta),
                    Some(row) => {
                        settled += 1;
                        match reused(row, &meta) {
                            Some(failed) => self.tally.count(&self.row.path, validity, &failed),
                            None => {
                                self.tally.count(&self.row.path, validity, row);
                                if deltas::differs(&meta, row) {
                                    changed.push((meta, row.clone()));
                                }
                            }
                        }
                    }
                }
            }
            let todo = self.sort_out(todo, &rows).await?;
            drop(rows);
            self.shared.progress(&self.row.path, settled, 0);
            let mut going = true;
            while going && !changed.is_empty() {
                let rest = changed.split_off(changed.len().min(CARRIED));
                going = self.hand(Item::Flags(std::mem::replace(&mut changed, rest))).await;
            }
            let todo = self.leave_out(todo);
            if !going || !self.windows(todo).await? {
                return Ok(self.tally);
            }
        }
        self.kept_back().await?;
        Ok(self.tally)
    }

    /// Reads once more what the other half kept back because the target might have had it already.
    async fn kept_back(&mut self) -> Result<(), CopyError> {
        let (wanted, told) = oneshot::channel();
        if self.row.adopt_below > 1
            && self.hand(Item::All(wanted)).await
            && let Ok(rest) = told.await
        {
            self.windows(rest).await?;
        }
        Ok(())
    }

    /// Counts what another folder brings, and gives the rest. Nothing is written down of it: it may be only here the
    /// next time.
    fn leave_out(&mut self, metas: Vec<Meta>) -> Vec<Meta> {
        let (out, rest): (Vec<Meta>, Vec<Meta>) = metas.into_iter().partition(|m| self.elsewhere.contains(&m.uid));
        if !out.is_empty() {
            *self.tally.counts.excluded.entry(views::VIEW.to_owned()).or_default() += out.len() as u64;
            self.shared.progress(&self.row.path, out.len() as u64, 0);
        }
        rest
    }

    /// Settles what is not to be copied, and gives the rest.
    async fn sort_out(&mut self, todo: Vec<Meta>, rows: &BTreeMap<u32, MessageRow>) -> Result<Vec<Meta>, CopyError> {
        let (id, validity) = (self.row.id, self.row.source_validity);
        let (mut rest, mut news, mut settled) = (Vec::with_capacity(todo.len()), Vec::new(), 0);
        for meta in todo {
            if self.shared.in_doubt.get(&id).is_some_and(|uids| uids.contains(&meta.uid)) {
                settled += 1;
                self.tally.count(&self.row.path, validity, &sorting::in_doubt(row_of(&meta)));
                continue;
            }
            let known = rows.get(&meta.uid);
            let Some(row) = self.shared.choice.of(&self.row.path, validity, &meta, known) else {
                rest.push(meta);
                continue;
            };
            settled += 1;
            self.tally.count(&self.row.path, validity, &row);
            if filter::is_kept(&row) {
                self.tally.kept.insert(row.uid);
            }
            if known != Some(&row) {
                news.push(row);
            }
        }
        self.shared.progress(&self.row.path, settled, 0);
        if !news.is_empty() {
            let (lease, over) = (self.shared.lease, [Settled { window: None, outcomes: news }]);
            self.shared.context.ledger(move |l| l.advance(lease, (id, validity), &over, None)).await?;
        }
        Ok(rest)
    }

    /// Reads messages, window by window. False when the other half has ended.
    async fn windows(&mut self, todo: Vec<Meta>) -> Result<bool, CopyError> {
        let sizes: Vec<u64> = todo.iter().map(|m| m.size).collect();
        for window in cut(&sizes, self.shared.context.tuning.window) {
            let Some(metas) = todo.get(window) else { continue };
            let held = self.shared.resources.hold(metas.iter().map(|m| m.size)).await;
            let batch = read_window(self.source, &self.name, metas).await?;
            if !self.hand(Item::Window(batch, held)).await {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn hand(&self, item: Item) -> bool {
        self.items.send(item).await.is_ok()
    }
}

/// The sending half.
pub(super) struct Sending<'p, 'c> {
    shared: &'p Shared<'c>,
    target: &'p mut Link<'c>,
    name: String,
    row: FolderRow,
    received: Items,
    /// What the target had before may be known by less than its octets. The other half then tells the end of the folder.
    weakly: bool,
    /// What is over and not on disk yet.
    over: Vec<Settled>,
    tally: FolderTally,
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
    /// The sending half of a folder; `name` is the folder's name at the target, as it is sent.
    pub(super) fn new(
        shared: &'p Shared<'c>,
        target: &'p mut Link<'c>,
        name: String,
        row: FolderRow,
        received: Items,
    ) -> Self {
        Self { shared, target, name, row, received, weakly: false, over: Vec::new(), tally: FolderTally::default() }
    }

    /// Sends what comes, and gives the folder's row and the sums of what was sent.
    pub(super) async fn run(mut self) -> Result<(FolderRow, FolderTally), CopyError> {
        let result = self.all().await;
        let flushed = self.flush().await;
        result.and(flushed).map(|()| (self.row, self.tally))
    }

    async fn all(&mut self) -> Result<(), CopyError> {
        let mut first = None;
        while first.is_none() {
            match self.received.recv().await {
                None => return Ok(()),
                Some(Item::Flags(changed)) => self.carry(changed).await?,
                Some(Item::All(_)) => {}
                window @ Some(Item::Window(..)) => first = window,
            }
        }
        let (mut place, mut sorter) = self.open().await?;
        let result = self.transfer(&mut place, &mut sorter, first).await;
        self.row.distrusted |= place.distrusted;
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
                row: &self.row,
                received: &mut self.received,
                over: &mut self.over,
                tally: &mut self.tally,
                sorter: &mut *sorter,
                place: (validity, floor),
            };
            let Some(mut window) = ready.take() else {
                match prepare.next(first.take()).await? {
                    Next::Ready(next) => ready = Some(next),
                    Next::Flags(changed) => flags = changed,
                    Next::End => return Ok(()),
                }
                continue;
            };
            let (sent, next) = tokio::join!(send(self.target, place, &mut window.parcels), prepare.next(first.take()));
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
            self.tally.count(&self.row.path, self.row.source_validity, &sorting::in_doubt(row.clone()));
        }
        let (outcomes, octets) = sorting::outcomes(validity, intents, &window.parcels);
        outcomes.iter().for_each(|row| self.tally.count(&self.row.path, self.row.source_validity, row));
        self.shared.progress(&self.row.path, outcomes.len() as u64, octets);
        self.over.push(Settled { window: Some(window.window), outcomes });
    }

    /// Puts down what is over.
    async fn flush(&mut self) -> Result<(), CopyError> {
        let over = std::mem::take(&mut self.over);
        if over.is_empty() {
            return Ok(());
        }
        let (lease, at) = (self.shared.lease, (self.row.id, self.row.source_validity));
        self.shared.context.ledger(move |l| l.advance(lease, at, &over, None)).await.map(drop)
    }

    async fn carry(&mut self, changed: Vec<(Meta, MessageRow)>) -> Result<(), CopyError> {
        deltas::carry(self.target, self.shared.lease, &self.row, &self.name, changed).await
    }

    /// Opens the folder at the target, and learns what of the mail may be there already.
    async fn open(&mut self) -> Result<(Place, Sorter), CopyError> {
        let context = self.shared.context;
        let opened = self.target.open(&self.name).await?;
        let change = self.target.change().await?;
        let (limit, takes_nul) = (change.append_limit(), change.takes_nul());
        self.shared.choice.set_limit(limit);
        let (id, validity, adopt_below) = (self.row.id, self.row.target_validity, self.row.adopt_below);
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
        if adopt_below > 1 {
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
        let place =
            Place { folder: self.name.clone(), validity, floor, taken, distrusted: self.row.distrusted, alters: false };
        Ok((place, sorter))
    }

    /// What was delivered when the source folder had another UIDVALIDITY, and is not yet known under the present one.
    async fn earlier(&self) -> Result<BTreeMap<Digest, Vec<MessageRow>>, CopyError> {
        let (id, validity) = (self.row.id, self.row.source_validity);
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
    row: &'s FolderRow,
    received: &'s mut Items,
    over: &'s mut Vec<Settled>,
    tally: &'s mut FolderTally,
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
                folder: self.row.id,
                source_validity: self.row.source_validity,
                target_validity: self.place.0,
                floor: self.place.1,
                messages: intents.clone(),
            });
            let (lease, at) = (self.shared.lease, (self.row.id, self.row.source_validity));
            let over = std::mem::take(self.over);
            let window = context.ledger(move |l| l.advance(lease, at, &over, intent.as_ref())).await?;
            if let Some(window) = window {
                return Ok(Next::Ready(Ready { window, intents, parcels, _held: held }));
            }
        }
    }

    /// Counts what is over without being sent.
    fn note(&mut self, outcomes: Vec<MessageRow>) {
        outcomes.iter().for_each(|row| self.tally.count(&self.row.path, self.row.source_validity, row));
        self.shared.progress(&self.row.path, outcomes.len() as u64, 0);
        if !outcomes.is_empty() {
            self.over.push(Settled { window: None, outcomes });
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
