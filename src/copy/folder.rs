//! One folder in one pass: what is there, what is to do, and the sums.
//!
//! Two halves work at the same time. One reads: it lists the source part by part, leaves out what is known, and reads
//! the rest window by window. The other sends: while one window is on its way, the next one is put down in the ledger
//! together with what became of the one before, so that the disk and the server are waited for at the same time.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::{mpsc, oneshot};

use super::{
    CopyError,
    delivery::{Sending, Sent},
    deltas,
    engine::{self, Shared},
    filter,
    link::Link,
    reading::{Read, read_window},
    resources::Held,
    scanning::Parts,
    sorting::{self, reused, row_of},
    store::{Meta, Opened, Told},
    tally::{self, FolderTally},
    views,
    window::cut,
};
use crate::{
    imap::{Known, UidRange},
    journal::ledger::{FolderRow, Ledger, MessageRow, Settled, Step},
    model::CopyCounts,
};

/// Above how many ranges of UIDs that vanished a folder is listed instead.
const VANISHED: usize = 1000;

/// How many messages one message to the other half names.
pub(super) const CARRIED: usize = 1000;

/// One folder being copied.
pub(super) struct FolderPass<'p, 'c> {
    pub(super) shared: &'p Shared<'c>,
    pub(super) source: &'p mut Link<'c>,
    pub(super) target: &'p mut Link<'c>,
    pub(super) row: FolderRow,
    /// Whether the row is still to be put down.
    pub(super) unsaved: bool,
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
    /// What is not there any more.
    vanished: Vec<UidRange>,
}

impl FolderPass<'_, '_> {
    /// Copies what is new, carries flags over, and gives what is to be put down, and the sums.
    pub(super) async fn run(mut self) -> Result<(Sent, CopyCounts), CopyError> {
        let opened = self.source.open(&self.name).await?;
        if self.shared.choice.needs_limit(&self.row.path) {
            self.shared.choice.set_limit(self.target.change().await?.append_limit());
        }
        let known = changed_only(self.shared, self.source, &self.row, &self.name, &opened).await?;
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
        let row = (self.row, self.unsaved);
        let mut sending = Sending::new(self.shared, self.target, self.target_name, row, received);
        sending.weakly = reading.adopts();
        // Each half ends by itself when the other one does, so that no append is cut off in the middle.
        let (read, sent) = tokio::join!(reading.run(known, &opened), sending.run());
        let mut sent = sent?;
        let read = match read {
            Ok(read) => read,
            Err(error) => return sent.flush(self.shared).await.and(Err(error)),
        };
        let counts = filter::close(self.shared, &mut sent, read).await?;
        Ok((sent, counts))
    }
}

/// What happened in a folder of the source, which was just surveyed, since the last complete pass, where the source tells
/// that. It has to add up: else something was deleted there without our being told, and the whole folder has to be listed.
pub(super) async fn changed_only(
    shared: &Shared<'_>,
    source: &mut Link<'_>,
    row: &FolderRow,
    name: &str,
    opened: &Opened,
) -> Result<Option<Changed>, CopyError> {
    let same = row.source_validity == opened.uid_validity && row.adopt_below == 0;
    let since = row.status.filter(|s| same && s.uid_validity == opened.uid_validity);
    let counts = row.counts.clone().filter(|c| shared.choice.still_leaves_out(c));
    let (Some(since), Some(counts)) = (since.and_then(|s| s.highest_modseq), counts) else {
        return Ok(None);
    };
    let Some(Told { metas, vanished }) = source.changed(name, since).await? else { return Ok(None) };
    let (id, validity) = (row.id, opened.uid_validity);
    if vanished.len() > VANISHED || metas.iter().any(|m| vanished.iter().any(|range| range.contains(m.uid))) {
        return Ok(None);
    }
    let uids: BTreeSet<u32> = metas.iter().map(|m| m.uid).collect();
    let ranges: Vec<(u32, u32)> = vanished.iter().map(|r| (r.first, r.last.unwrap_or(u32::MAX))).collect();
    let asked = move |l: &Ledger| Ok((l.messages_at(id, validity, &uids)?, l.states_between(id, validity, &ranges)?));
    let (rows, gone) = shared.context.ledger(asked).await?;
    let Some(counts) = tally::without(counts, gone) else { return Ok(None) };
    let new = metas.iter().filter(|m| !rows.contains_key(&m.uid)).count() as u64;
    let complete = counts.source + new == u64::from(opened.messages);
    Ok(complete.then_some(Changed { counts, metas, rows, vanished }))
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
        if let Some(Changed { counts, metas, rows, vanished }) = known {
            self.shared.progress(&self.row.path, counts.source, 0);
            self.tally.counts = counts;
            let (fresh, old): (Vec<Meta>, Vec<Meta>) = metas.into_iter().partition(|m| !rows.contains_key(&m.uid));
            self.tally.counts.source += fresh.len() as u64;
            let fresh = self.leave_out(fresh);
            let changed = old.into_iter().filter_map(|m| rows.get(&m.uid).map(|r| (m, r.clone())));
            let changed = changed.filter(|(m, r)| r.state.is_delivered() && deltas::differs(m, r)).collect();
            let fresh = self.sort_out(fresh, &rows).await?;
            let there = |uid: &u32| !vanished.iter().any(|range| range.contains(*uid));
            self.tally.kept.extend(self.shared.choice.ignored(&self.row.path, validity).into_iter().filter(there));
            if self.hand(Item::Flags(changed)).await {
                self.windows(fresh).await?;
            }
            return Ok(self.tally);
        }
        let below = match engine::known(&self.row) {
            Known::Below(below) => below,
            Known::Nothing | Known::Modseq(_) => 0,
        };
        let mut parts = Parts::of(opened, below);
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
            let todo = self.sized(todo, below).await?;
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

    /// Whether what the target had before may be taken for what is to be sent.
    fn adopts(&self) -> bool {
        self.row.adopt_below > 1
    }

    /// Reads once more what the other half kept back because the target might have had it already.
    async fn kept_back(&mut self) -> Result<(), CopyError> {
        let (wanted, told) = oneshot::channel();
        if self.adopts()
            && self.hand(Item::All(wanted)).await
            && let Ok(rest) = told.await
        {
            self.windows(rest).await?;
        }
        Ok(())
    }

    /// Messages below a UID were listed without their sizes, because they should have been delivered. Those that were not
    /// are asked about again.
    async fn sized(&mut self, todo: Vec<Meta>, below: u32) -> Result<Vec<Meta>, CopyError> {
        let (bare, mut todo): (Vec<Meta>, Vec<Meta>) = todo.into_iter().partition(|m| m.uid < below && m.size == 0);
        if !bare.is_empty() {
            let uids: Vec<u32> = bare.iter().map(|m| m.uid).collect();
            // One that is not there any more is found to be gone when it is read.
            let mut sized: BTreeMap<u32, Meta> = bare.into_iter().map(|m| (m.uid, m)).collect();
            sized.extend(self.source.some(&self.name, &uids).await?.into_iter().map(|m| (m.uid, m)));
            todo.extend(sized.into_values());
            todo.sort_unstable_by_key(|m| m.uid);
        }
        Ok(todo)
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
            let step = move |l: &Ledger| l.advance(lease, (id, validity), Step { over: &over, ..Step::default() });
            self.shared.context.ledger(step).await?;
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
