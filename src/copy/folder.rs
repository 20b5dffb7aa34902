//! One folder in one pass: what is there, what is to do, and the sums.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::mpsc;

use super::{
    CopyError, deltas, filter, flags,
    link::{Context, Link},
    pairing::Pool,
    reading::{Read, read_window},
    sending::{Fate, Parcel, Place, Trust, send},
    store::{Fetched, Meta, Outgoing, digest},
    window::cut,
};
use crate::{
    journal::ledger::{FolderRow, Intent, Lease, MessageRow, MessageState},
    model::{CopyCounts, Digest, Event, FailedMessage},
};

/// What a pass over several folders adds up.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) failed: Vec<FailedMessage>,
    pub(super) remarks: Vec<String>,
    /// Messages of the account settled so far.
    pub(super) done: u64,
    /// Messages of the account in all.
    pub(super) total: u64,
    /// Octets sent in this pass.
    pub(super) octets: u64,
    /// Keywords that the target does not keep, and on how many messages.
    pub(super) dropped: BTreeMap<String, u64>,
    /// The target stores other octets than it is given.
    pub(super) alters: bool,
    /// Which messages are taken.
    pub(super) choice: filter::Choice,
}

/// One folder being copied.
pub(super) struct FolderPass<'p, 'c> {
    pub(super) context: &'c Context<'c>,
    pub(super) lease: Lease,
    pub(super) source: &'p mut Link<'c>,
    pub(super) target: &'p mut Link<'c>,
    pub(super) tally: &'p mut Tally,
    pub(super) row: FolderRow,
    /// The folder's name at the source, as it is sent.
    pub(super) name: String,
    /// The folder's name at the target, as it is sent.
    pub(super) target_name: String,
}

impl FolderPass<'_, '_> {
    /// Copies what is new, carries flags over, and gives the folder's sums.
    pub(super) async fn run(mut self) -> Result<(FolderRow, CopyCounts), CopyError> {
        let opened = self.source.refresh(&self.name).await?;
        self.row.source_validity = opened.uid_validity;
        let metas = if opened.messages == 0 { Vec::new() } else { self.source.scan(&self.name, 1, None).await? };
        let (id, validity) = (self.row.id, self.row.source_validity);
        let rows = self.context.ledger(move |l| l.messages(id, validity)).await?;
        let left = filter::sort_out(&mut self, &metas, &rows).await?;
        let kept: BTreeSet<u32> = left.keys().copied().collect();
        let mut fates: BTreeMap<u32, MessageRow> = left;
        let mut todo = Vec::new();
        let mut settled = Vec::new();
        for meta in &metas {
            match rows.get(&meta.uid) {
                Some(row) if row.state.is_delivered() => match reused(row, meta) {
                    Some(failed) => drop(fates.insert(meta.uid, failed)),
                    None => {
                        fates.insert(meta.uid, row.clone());
                        settled.push((meta.clone(), row.clone()));
                    }
                },
                _ if kept.contains(&meta.uid) => {}
                _ => todo.push(meta.clone()),
            }
        }
        self.tally.done += fates.len() as u64;
        self.progress(0);
        if !todo.is_empty() {
            self.transfer(todo, &rows, &mut fates).await?;
        }
        deltas::carry(&mut self, settled).await?;
        let counts = self.sum_up(&metas, &fates);
        let place = (&self.row.path, self.row.source_validity);
        filter::register(self.context, self.lease, &self.tally.choice, place, fates.values(), &kept).await?;
        Ok((self.row, counts))
    }

    fn progress(&mut self, settled: usize) {
        self.tally.done += settled as u64;
        self.context.events.emit(Event::CopyProgress {
            account: self.context.account.clone(),
            folder: self.row.path.to_string(),
            done: self.tally.done,
            total: self.tally.total.max(self.tally.done),
            octets: self.tally.octets,
        });
    }

    fn sum_up(&mut self, metas: &[Meta], fates: &BTreeMap<u32, MessageRow>) -> CopyCounts {
        let mut counts = CopyCounts { source: metas.len() as u64, ..CopyCounts::default() };
        for (uid, row) in fates {
            match row.state {
                MessageState::Acked => counts.copied += 1,
                MessageState::Adopted => counts.present += 1,
                MessageState::Gone => counts.gone += 1,
                MessageState::Failed => {
                    let class = row.class.clone().unwrap_or_else(|| "unknown".to_owned());
                    *counts.failed.entry(class.clone()).or_default() += 1;
                    self.tally.failed.push(FailedMessage {
                        folder: self.row.path.clone(),
                        uid_validity: self.row.source_validity,
                        uid: *uid,
                        class,
                        reason: row.reason.clone().unwrap_or_default(),
                    });
                }
                MessageState::Excluded => {
                    *counts.excluded.entry(row.class.clone().unwrap_or_default()).or_default() += 1;
                }
                MessageState::Planned | MessageState::Intent => {}
            }
        }
        counts
    }

    /// Reads and sends at the same time, one window ahead.
    async fn transfer(
        &mut self,
        todo: Vec<Meta>,
        rows: &BTreeMap<u32, MessageRow>,
        fates: &mut BTreeMap<u32, MessageRow>,
    ) -> Result<(), CopyError> {
        let mut sink = self.sink(rows, &todo).await?;
        let todo = self.adopt_unread(&mut sink, todo, rows, fates).await?;
        let sizes: Vec<u64> = todo.iter().map(|m| m.size).collect();
        let windows = cut(&sizes, self.context.tuning.window);
        let (send_batch, mut batches) = mpsc::channel::<Vec<Read>>(1);
        let (context, name) = (self.context, self.name.clone());
        // Each half ends by itself when the other one does, so that no append is cut off in the middle.
        let source = &mut *self.source;
        let read = async move {
            for window in windows {
                let batch = read_window(source, &name, todo.get(window).unwrap_or_default()).await?;
                if send_batch.send(batch).await.is_err() {
                    break;
                }
            }
            Ok::<(), CopyError>(())
        };
        let (target, tally, row) = (&mut *self.target, &mut *self.tally, &mut self.row);
        let lease = self.lease;
        let write = async move {
            while let Some(batch) = batches.recv().await {
                let octets = sink.take(context, lease, target, row, batch, fates).await?;
                tally.octets += octets;
                tally.done += sink.settled;
                context.events.emit(Event::CopyProgress {
                    account: context.account.clone(),
                    folder: row.path.to_string(),
                    done: tally.done,
                    total: tally.total.max(tally.done),
                    octets: tally.octets,
                });
            }
            tally.alters |= sink.place.alters;
            sink.dropped.iter().for_each(|(k, n)| *tally.dropped.entry(k.clone()).or_default() += n);
            Ok::<(), CopyError>(())
        };
        let (read, written) = tokio::join!(read, write);
        written.and(read)
    }

    async fn sink(&mut self, rows: &BTreeMap<u32, MessageRow>, todo: &[Meta]) -> Result<Sink, CopyError> {
        let permanent = self.target.open_for_change(&self.target_name).await?;
        let limit = self.target.change().await?.append_limit();
        self.tally.choice.limit = limit;
        let opened = self.target.refresh(&self.target_name).await?;
        let (id, validity, adopt_below) = (self.row.id, self.row.target_validity, self.row.adopt_below);
        if opened.uid_validity != validity {
            return Err(CopyError::Renumbered {
                side: super::Side::Target,
                account: self.context.account.clone(),
                folder: self.target_name.clone(),
                was: validity,
                now: opened.uid_validity,
            });
        }
        let owned = self.context.ledger(move |l| l.owned(id, validity, 1)).await?;
        let floor = match opened.uid_next {
            0 => owned.last().map_or(1, |last| last.saturating_add(1)),
            next => next,
        };
        let mut pool = Pool::default();
        let mut there = BTreeMap::new();
        if adopt_below > 1 && !todo.is_empty() {
            let mut metas = self.target.scan(&self.target_name, 1, Some(adopt_below - 1)).await?;
            metas.retain(|m| !owned.contains(&m.uid));
            let contents = self.target.contents(&self.target_name, &metas).await?;
            pool = Pool::new(contents.iter().map(|c| (c.uid, c.digest)));
            there = metas.into_iter().map(|m| (m.uid, m.flags)).collect();
        }
        let earlier = self.earlier(rows).await?;
        Ok(Sink {
            place: Place {
                folder: self.target_name.clone(),
                validity,
                floor,
                taken: owned.range(floor..).copied().collect(),
                trust: if self.row.distrusted { Trust::Never } else { Trust::Untried },
                permanent,
                alters: false,
            },
            limit,
            pool,
            there,
            earlier,
            settled: 0,
            dropped: BTreeMap::new(),
        })
    }

    /// What was delivered when the source folder had another UIDVALIDITY, and is not yet known under the present one.
    async fn earlier(&self, rows: &BTreeMap<u32, MessageRow>) -> Result<Earlier, CopyError> {
        let (id, validity) = (self.row.id, self.row.source_validity);
        let older = self.context.ledger(move |l| l.delivered_before(id, validity)).await?;
        let mut used: Vec<(Digest, Option<(u32, u32)>)> = rows
            .values()
            .filter(|r| r.state.is_delivered())
            .filter_map(|r| r.digest.map(|digest| (digest, r.target)))
            .collect();
        let mut earlier = Earlier::default();
        let mut places = BTreeSet::new();
        for row in older {
            let Some(digest) = row.digest else { continue };
            if let Some(at) = used.iter().position(|u| *u == (digest, row.target)) {
                used.swap_remove(at);
            } else if row.target.is_none_or(|place| places.insert(place)) {
                earlier.by_digest.entry(digest).or_default().push(row);
            }
        }
        Ok(earlier)
    }

    /// Adopts, without reading it again, what the ledger knows the digest of and the target has.
    async fn adopt_unread(
        &mut self,
        sink: &mut Sink,
        todo: Vec<Meta>,
        rows: &BTreeMap<u32, MessageRow>,
        fates: &mut BTreeMap<u32, MessageRow>,
    ) -> Result<Vec<Meta>, CopyError> {
        let mut rest = Vec::with_capacity(todo.len());
        let mut adopted = Vec::new();
        for meta in todo {
            let planned =
                rows.get(&meta.uid).filter(|r| r.state == MessageState::Planned && reused(r, &meta).is_none());
            match planned.and_then(|r| r.digest.map(|d| (r, d))).and_then(|(r, d)| Some((r, sink.pool.take(d)?))) {
                Some((row, uid)) => adopted.push(sink.adopted(row.clone(), uid)),
                None => rest.push(meta),
            }
        }
        if !adopted.is_empty() {
            let (lease, folder) = (self.lease, (self.row.id, self.row.source_validity));
            let outcomes = adopted.clone();
            self.context.ledger(move |l| l.settle(lease, folder, None, &outcomes)).await?;
            self.progress(adopted.len());
            fates.extend(adopted.into_iter().map(|row| (row.uid, row)));
        }
        Ok(rest)
    }
}

/// A row that says another message had this UID: the source has broken the promise of UIDVALIDITY, or is not the
/// mailbox it was. Nothing is guessed then.
fn reused(row: &MessageRow, meta: &Meta) -> Option<MessageRow> {
    let now = meta.seconds();
    (row.date.is_some() && now.is_some() && row.date != now).then(|| MessageRow {
        state: MessageState::Failed,
        class: Some("uid-reused".to_owned()),
        reason: Some(
            "the source now has another message under a UID that was copied before; check that the source is still \
             the same mailbox"
                .to_owned(),
        ),
        ..row.clone()
    })
}

/// Deliveries under an earlier UIDVALIDITY of the source.
#[derive(Default)]
struct Earlier {
    by_digest: BTreeMap<Digest, Vec<MessageRow>>,
}

/// Where windows go.
struct Sink {
    place: Place,
    limit: Option<u64>,
    pool: Pool,
    /// Flags of the messages in the pool.
    there: BTreeMap<u32, BTreeSet<String>>,
    earlier: Earlier,
    /// How many messages the last window settled.
    settled: u64,
    dropped: BTreeMap<String, u64>,
}

impl Sink {
    fn adopted(&self, row: MessageRow, uid: u32) -> MessageRow {
        MessageRow {
            state: MessageState::Adopted,
            target: Some((self.place.validity, uid)),
            target_flags: self.there.get(&uid).cloned().unwrap_or_default(),
            class: None,
            reason: None,
            ..row
        }
    }

    /// Settles one window. Returns the octets that were sent.
    async fn take(
        &mut self,
        context: &Context<'_>,
        lease: Lease,
        target: &mut Link<'_>,
        folder: &mut FolderRow,
        batch: Vec<Read>,
        fates: &mut BTreeMap<u32, MessageRow>,
    ) -> Result<u64, CopyError> {
        context.go_on()?;
        let mut outcomes = Vec::new();
        let mut intents = Vec::new();
        let mut parcels = Vec::new();
        for read in batch {
            match self.sort(read) {
                Sorted::Settled(row) => outcomes.push(row),
                Sorted::ToSend(row, parcel) => {
                    intents.push(row);
                    parcels.push(parcel);
                }
            }
        }
        let ids = (folder.id, folder.source_validity);
        let mut window = None;
        let mut sent = Ok(());
        if !parcels.is_empty() {
            let intent = Intent {
                folder: folder.id,
                source_validity: folder.source_validity,
                target_validity: self.place.validity,
                floor: self.place.floor,
                messages: intents.clone(),
            };
            window = Some(context.ledger(move |l| l.intend(lease, &intent)).await?);
            sent = send(target, &mut self.place, &mut parcels).await;
        }
        let octets = self.settle_parcels(intents, &parcels, &mut outcomes);
        if self.place.trust == Trust::Never && !folder.distrusted {
            folder.distrusted = true;
        }
        let rows = outcomes.clone();
        context.ledger(move |l| l.settle(lease, ids, window, &rows)).await?;
        self.settled = outcomes.len() as u64;
        fates.extend(outcomes.into_iter().map(|row| (row.uid, row)));
        sent?;
        if window.is_some() {
            self.raise_floor(target, &parcels).await?;
        }
        Ok(octets)
    }

    fn sort(&mut self, read: Read) -> Sorted {
        let meta = read.meta;
        let filtered = flags::filter(&meta.flags, self.place.permanent.as_ref());
        let mut row = MessageRow {
            uid: meta.uid,
            state: MessageState::Failed,
            digest: None,
            octets: 0,
            announced: meta.size,
            date: meta.seconds(),
            source_flags: flags::stored(&meta.flags),
            target_flags: filtered.kept.clone(),
            target: None,
            class: None,
            reason: None,
        };
        let failed = |row: MessageRow, class: &str, reason: String| {
            Sorted::Settled(MessageRow { class: Some(class.to_owned()), reason: Some(reason), ..row })
        };
        let body = match read.got {
            Fetched::Gone => return Sorted::Settled(MessageRow { state: MessageState::Gone, ..row }),
            Fetched::Unreadable(reason) => return failed(row, "unreadable", reason),
            Fetched::Body(body) => body,
        };
        let content = digest(&body);
        row.digest = Some(content);
        row.octets = body.len();
        if let Some(rows) = self.earlier.by_digest.get_mut(&content)
            && let Some(before) = rows.pop()
        {
            let kept =
                MessageRow { state: before.state, target: before.target, target_flags: before.target_flags, ..row };
            return Sorted::Settled(kept);
        }
        if let Some(uid) = self.pool.take(content) {
            return Sorted::Settled(self.adopted(row, uid));
        }
        if let Some(limit) = self.limit.filter(|limit| body.len() > *limit) {
            let reason = format!("it has {} octets, and the target takes at most {limit}", body.len());
            return failed(row, "too-large", reason);
        }
        if body.has_nul() {
            return failed(row, "nul-octet", "it holds a NUL octet, which IMAP cannot carry".to_owned());
        }
        for flag in filtered.dropped {
            *self.dropped.entry(flag).or_default() += 1;
        }
        let out = Outgoing { flags: filtered.kept, date: meta.date, body };
        Sorted::ToSend(row, Parcel { uid: meta.uid, out, fate: None })
    }

    fn settle_parcels(&mut self, intents: Vec<MessageRow>, parcels: &[Parcel], outcomes: &mut Vec<MessageRow>) -> u64 {
        let mut octets = 0;
        for (row, parcel) in intents.into_iter().zip(parcels) {
            let row = MessageRow { target_flags: parcel.out.flags.clone(), ..row };
            match &parcel.fate {
                None => {} // in doubt: the window stays open for the next run
                Some(Fate::Stored(uid)) => {
                    octets += row.octets;
                    let target = uid.map(|uid| (self.place.validity, uid));
                    outcomes.push(MessageRow { state: MessageState::Acked, target, ..row });
                }
                Some(Fate::Failed { class, reason }) => outcomes.push(MessageRow {
                    state: MessageState::Failed,
                    class: Some((*class).to_owned()),
                    reason: Some(reason.clone()),
                    ..row
                }),
                Some(Fate::NotSent) => outcomes.push(MessageRow { state: MessageState::Planned, ..row }),
            }
        }
        octets
    }

    /// Moves the floor above what was just stored.
    async fn raise_floor(&mut self, target: &mut Link<'_>, parcels: &[Parcel]) -> Result<(), CopyError> {
        let mut unknown = false;
        for parcel in parcels {
            match parcel.fate {
                Some(Fate::Stored(Some(uid))) => {
                    self.place.taken.insert(uid);
                    self.place.floor = self.place.floor.max(uid.saturating_add(1));
                }
                Some(Fate::Stored(None)) => unknown = true,
                _ => {}
            }
        }
        if unknown {
            let opened = target.refresh(&self.place.folder).await?;
            self.place.floor = self.place.floor.max(opened.uid_next);
        }
        let floor = self.place.floor;
        self.place.taken.retain(|uid| *uid >= floor);
        Ok(())
    }
}

enum Sorted {
    Settled(MessageRow),
    ToSend(MessageRow, Parcel),
}
