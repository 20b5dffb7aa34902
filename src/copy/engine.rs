//! One pass over a whole mailbox.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tokio_util::sync::CancellationToken;

use super::{
    CopyError, Side, filter,
    folder::{FolderPass, Tally},
    folders::{self, Prepared},
    link::{Context, Link, Tuning},
    mapping::{Learned, included},
    recovery::{self, Doubt},
    store::{Listed, Listing, Meta, Store},
};
use crate::{
    journal::ledger::{FolderRow, Lease, Ledger, MessageState},
    model::{
        Address, CopyCounts, CopyReport, Event, EventSink, FailedMessage, FolderPath, FolderStatus, LeftOut,
        MailFilter, PlatformId,
    },
};

/// What a pass works on.
pub(super) struct Job<'a> {
    pub(super) account: &'a Address,
    pub(super) source: Arc<dyn Store>,
    pub(super) target: Arc<dyn Store>,
    pub(super) source_id: (PlatformId, Address),
    pub(super) filter: &'a MailFilter,
    pub(super) ledger: &'a Ledger,
    pub(super) events: &'a dyn EventSink,
    pub(super) cancel: CancellationToken,
    pub(super) tuning: Tuning,
}

/// Makes one pass.
pub(super) async fn run(job: Job<'_>) -> Result<CopyReport, CopyError> {
    let context = Context {
        account: job.account,
        ledger: job.ledger.clone(),
        events: job.events,
        cancel: job.cancel,
        tuning: job.tuning,
    };
    let (account, id) = (job.account.clone(), job.source_id.clone());
    let lease = context.ledger(move |l| l.begin(&account, &id)).await?;
    let mut source = Link::new(&context, Side::Source, job.source);
    let mut target = Link::new(&context, Side::Target, job.target);
    let listing = source.list().await?;
    let there = target.list().await?;
    let choice = filter::Choice::load(&context, &job.source_id.0, job.filter).await?;
    let mut pass = Pass {
        context: &context,
        lease,
        source: &mut source,
        target: &mut target,
        filter: job.filter,
        tally: Tally { choice, ..Tally::default() },
        report: CopyReport::default(),
        rows: BTreeMap::new(),
        same: BTreeSet::new(),
        replaced: false,
        left_alone: BTreeSet::new(),
    };
    pass.load(&job.source_id.0, &there).await?;
    pass.settle_doubts(&listing, &there).await?;
    let prepared = pass.prepare(&listing, &there).await?;
    pass.folders(&listing, &there, &prepared).await?;
    pass.subscribe(&listing, &there, &prepared).await?;
    pass.finish()
}

struct Pass<'p, 'c> {
    context: &'c Context<'c>,
    lease: Lease,
    source: &'p mut Link<'c>,
    target: &'p mut Link<'c>,
    filter: &'p MailFilter,
    tally: Tally,
    report: CopyReport,
    /// What the ledger knows, by source path.
    rows: BTreeMap<FolderPath, FolderRow>,
    /// Folders that are at the target as earlier passes left them.
    same: BTreeSet<FolderPath>,
    /// Nothing at the target is what earlier passes filled.
    replaced: bool,
    /// Folders that the target's user took away, and that are not made again.
    left_alone: BTreeSet<FolderPath>,
}

fn find<'a>(listing: &'a Listing, name: &str) -> Option<&'a Listed> {
    listing.folders.iter().find(|f| f.name == name)
}

impl Pass<'_, '_> {
    /// Reads what is known, and finds out whether the target is still the mailbox that it was.
    async fn load(&mut self, platform: &PlatformId, there: &Listing) -> Result<(), CopyError> {
        let (account, platform) = (self.context.account.clone(), platform.clone());
        let rows = self.context.ledger(move |l| l.known_folders(&account, &platform)).await?;
        self.rows = rows.into_iter().map(|row| (row.path.clone(), row)).collect();
        let filled: Vec<FolderRow> = self.rows.values().filter(|r| r.target_validity > 0).cloned().collect();
        for row in &filled {
            let status = row.target.as_deref().and_then(|name| find(there, name)).and_then(|f| f.status);
            if self.is_same(row, status).await? {
                self.same.insert(row.path.clone());
            }
        }
        self.replaced = !filled.is_empty() && self.same.is_empty();
        if !self.replaced {
            return Ok(());
        }
        self.tally.choice.forget_refusals();
        let (lease, mut forgotten) = (self.lease, 0);
        for row in self.rows.values_mut() {
            let id = row.id;
            forgotten += self.context.ledger(move |l| l.forget_deliveries(lease, id)).await?;
            (row.target_validity, row.adopt_below, row.target) = (0, 0, None);
            (row.status, row.counts) = (None, None);
            let saved = row.clone();
            self.context.ledger(move |l| l.save_folder(lease, &saved)).await?;
        }
        if forgotten > 0 {
            self.remark(format!(
                "the target is not the mailbox that earlier passes filled: {forgotten} messages are matched by content \
                 and sent where there is no equal"
            ));
        }
        Ok(())
    }

    /// Whether a folder at the target is the one that the ledger speaks of: same UIDVALIDITY, and no UID taken back.
    async fn is_same(&self, row: &FolderRow, status: Option<FolderStatus>) -> Result<bool, CopyError> {
        let (id, validity) = (row.id, row.target_validity);
        let Some(status) = status.filter(|s| s.uid_validity == validity) else { return Ok(false) };
        let highest = self.context.ledger(move |l| l.highest(id, validity)).await?;
        Ok(status.uid_next == 0 || status.uid_next > highest)
    }

    fn remark(&mut self, text: String) {
        if !self.report.remarks.contains(&text) {
            self.report.remarks.push(text);
        }
    }

    async fn settle_doubts(&mut self, listing: &Listing, there: &Listing) -> Result<(), CopyError> {
        let lease = self.lease;
        let windows = self.context.ledger(move |l| l.open_windows(lease)).await?;
        let mut doubts = Vec::new();
        for window in windows {
            let Some(row) = self.rows.values().find(|r| r.id == window.folder) else { continue };
            let target = row.target.as_deref().and_then(|name| find(there, name));
            let target = target.filter(|f| f.status.is_some_and(|s| s.uid_validity == window.target_validity));
            let source = listing.folders.iter().find(|f| f.path == row.path);
            doubts.push(Doubt {
                target_name: target.map(|f| f.name.clone()),
                source_name: source.map(|f| f.name.clone()),
                window,
                row,
            });
        }
        recovery::settle(self.context, lease, self.source, self.target, doubts).await
    }

    async fn prepare(&mut self, listing: &Listing, there: &Listing) -> Result<Prepared, CopyError> {
        let renamed: BTreeMap<FolderPath, Vec<String>> =
            listing.folders.iter().filter_map(|f| Some((f.path.clone(), self.filter.renamed(&f.path)?))).collect();
        // A name that the filter gives counts until the folder is filled.
        let stays = |r: &&FolderRow| r.target_validity > 0 || !renamed.contains_key(&r.path);
        let known =
            self.rows.values().filter(stays).filter_map(|r| Some((r.path.clone(), r.target.clone()?))).collect();
        let gone = |r: &&FolderRow| {
            !self.replaced && r.target_validity > 0 && r.target.as_deref().is_some_and(|n| find(there, n).is_none())
        };
        let removed: BTreeSet<FolderPath> = self.rows.values().filter(gone).map(|r| r.path.clone()).collect();
        let learned = Learned { known, renamed, ..Learned::default() };
        let out = folders::prepare(self.lease, self.target, listing, there, self.filter, learned, &removed).await?;
        for folder in listing.folders.iter().filter(|f| f.selectable && included(self.filter, &f.path)) {
            if let Some(remark) = out.pairs.get(&folder.path).and_then(|p| p.remark.clone()) {
                self.remark(remark);
            }
        }
        Ok(out)
    }

    async fn folders(&mut self, listing: &Listing, there: &Listing, prepared: &Prepared) -> Result<(), CopyError> {
        let mut order: Vec<&Listed> = listing.folders.iter().filter(|f| f.selectable).collect();
        order.sort_by_key(|f| (!f.path.is_inbox(), f.path.clone()));
        self.tally.total = order.iter().filter_map(|f| f.status).map(|s| u64::from(s.messages)).sum();
        for folder in order {
            self.context.go_on()?;
            let Some(status) = self.source_status(folder).await? else { continue };
            let taken = included(self.filter, &folder.path);
            if taken {
                self.report.seen.insert(folder.path.clone(), status);
            }
            let counts = if !taken {
                let n = u64::from(status.messages);
                self.tally.done += n;
                let excluded = BTreeMap::from([(LeftOut::Folder.to_string(), n)]);
                CopyCounts {
                    source: n,
                    excluded: excluded.into_iter().filter(|(_, n)| *n > 0).collect(),
                    ..CopyCounts::default()
                }
            } else if let Some(text) = prepared.refused.get(&folder.path) {
                self.refused(folder, text).await?
            } else {
                self.folder(folder, status, there, prepared).await?
            };
            self.add(&folder.path, counts)?;
        }
        Ok(())
    }

    fn add(&mut self, path: &FolderPath, counts: CopyCounts) -> Result<(), CopyError> {
        if !counts.balances() {
            return Err(CopyError::Unbalanced {
                account: self.context.account.clone(),
                folder: path.to_string(),
                counts: Box::new(counts),
            });
        }
        self.report.total.add(&counts);
        let (account, folder) = (self.context.account, path.to_string());
        self.context.events.emit(Event::FolderDone {
            account: account.clone(),
            folder: folder.clone(),
            counts: counts.clone(),
        });
        for message in self.tally.failed.iter().filter(|f| f.folder == *path) {
            self.context.events.emit(Event::MessageFailed { account: account.clone(), message: message.clone() });
        }
        self.report.folders.insert(folder, counts);
        Ok(())
    }

    /// The status of a source folder. One that the server does not open is said to have failed, never passed over.
    async fn source_status(&mut self, folder: &Listed) -> Result<Option<FolderStatus>, CopyError> {
        let status = match folder.status {
            Some(status) => Some(status),
            None => self.source.status(&folder.name).await?,
        };
        if status.is_none() {
            self.tally.failed.push(FailedMessage {
                folder: folder.path.clone(),
                uid_validity: 0,
                uid: 0,
                class: "folder-unreadable".to_owned(),
                reason: "the server lists the folder and does not tell its status".to_owned(),
            });
        }
        Ok(status)
    }

    /// A folder that the target will not have: each of its messages fails.
    async fn refused(&mut self, folder: &Listed, text: &str) -> Result<CopyCounts, CopyError> {
        let opened = self.source.refresh(&folder.name).await?;
        let metas = if opened.messages == 0 { Vec::new() } else { self.source.scan(&folder.name, 1, None).await? };
        for meta in &metas {
            self.tally.failed.push(FailedMessage {
                folder: folder.path.clone(),
                uid_validity: opened.uid_validity,
                uid: meta.uid,
                class: "folder-refused".to_owned(),
                reason: text.to_owned(),
            });
        }
        self.remark(format!("the target refuses the folder `{}`: {text}", folder.path));
        let n = metas.len() as u64;
        let failed = BTreeMap::from([("folder-refused".to_owned(), n)]);
        Ok(CopyCounts {
            source: n,
            failed: failed.into_iter().filter(|(_, n)| *n > 0).collect(),
            ..CopyCounts::default()
        })
    }

    async fn folder(
        &mut self,
        folder: &Listed,
        status: FolderStatus,
        there: &Listing,
        prepared: &Prepared,
    ) -> Result<CopyCounts, CopyError> {
        let (lease, path) = (self.lease, folder.path.clone());
        let Some(pair) = prepared.pairs.get(&folder.path) else { return Ok(CopyCounts::default()) };
        let mut row = match self.rows.get(&folder.path) {
            Some(row) => row.clone(),
            None => self.context.ledger(move |l| l.folder(lease, &path)).await?,
        };
        let listed = find(there, &pair.target);
        let settled = unchanged(&row, status)
            .filter(|counts| self.same.contains(&folder.path) && self.filter.still_leaves_out(&counts.excluded));
        if let Some(counts) = settled {
            self.tally.done += counts.source;
            return Ok(counts);
        }
        if row.target_validity > 0 && listed.is_none() {
            // Its user took it away. New mail has a place again; what was delivered is not sent again.
            if !self.has_new(&row, folder, status).await? {
                return self.kept(&row, folder).await;
            }
            if let Some(text) = folders::create(self.target, &pair.target).await? {
                return self.refused(folder, &text).await;
            }
        }
        self.meet_target(&mut row, &pair.target, there).await?;
        let pass = FolderPass {
            context: self.context,
            lease,
            source: self.source,
            target: self.target,
            tally: &mut self.tally,
            row,
            name: folder.name.clone(),
            target_name: pair.target.clone(),
        };
        let (mut row, mut counts) = pass.run().await?;
        // A pass that left failures behind is not complete: the next one tries them again.
        let octets = std::mem::take(&mut counts.octets);
        row.status = counts.failed.is_empty().then_some(status);
        row.counts = Some(counts.clone());
        row.adopt_below = 0;
        let saved = row.clone();
        self.context.ledger(move |l| l.save_folder(lease, &saved)).await?;
        self.rows.insert(folder.path.clone(), row);
        Ok(CopyCounts { octets, ..counts })
    }

    /// Makes sure that the row speaks of the folder that the target has now.
    async fn meet_target(&mut self, row: &mut FolderRow, name: &str, there: &Listing) -> Result<(), CopyError> {
        let listed = find(there, name);
        let status = match listed.and_then(|f| f.status) {
            Some(status) => status,
            None => {
                let opened = self.target.refresh(name).await?;
                FolderStatus {
                    uid_validity: opened.uid_validity,
                    uid_next: opened.uid_next,
                    messages: opened.messages,
                    ..FolderStatus::default()
                }
            }
        };
        let lease = self.lease;
        if row.target_validity == 0 {
            row.target = Some(name.to_owned());
            row.target_validity = status.uid_validity;
            let end = if status.uid_next == 0 { u32::MAX } else { status.uid_next };
            row.adopt_below = if status.messages == 0 { 0 } else { end };
            let saved = row.clone();
            return self.context.ledger(move |l| l.save_folder(lease, &saved)).await;
        }
        if self.is_same(row, Some(status)).await? {
            return Ok(());
        }
        let lost = recovery::rematch(self.context, lease, self.target, row, name).await?;
        if lost > 0 {
            self.remark(format!(
                "`{name}` was renumbered or made anew at the target: {lost} messages that were delivered are not in it \
                 any more and are not sent again"
            ));
        }
        Ok(())
    }

    async fn has_new(&mut self, row: &FolderRow, folder: &Listed, status: FolderStatus) -> Result<bool, CopyError> {
        if status.messages == 0 {
            return Ok(false);
        }
        let opened = self.source.refresh(&folder.name).await?;
        let (id, validity) = (row.id, opened.uid_validity);
        let known = self.context.ledger(move |l| l.messages(id, validity)).await?;
        let metas = self.source.scan(&folder.name, 1, None).await?;
        let delivered = |m: &Meta| known.get(&m.uid).is_some_and(|r| r.state.is_delivered());
        let choice = &self.tally.choice;
        let left = |m: &Meta| choice.of(&folder.path, validity, m, known.get(&m.uid)).is_some();
        Ok(metas.iter().any(|m| !delivered(m) && !left(m)))
    }

    /// The sums of a folder of which everything was delivered, and that the target's user has taken away since.
    async fn kept(&mut self, row: &FolderRow, folder: &Listed) -> Result<CopyCounts, CopyError> {
        self.left_alone.insert(folder.path.clone());
        self.remark(format!(
            "`{}` was removed or renamed at the target by its user; it is not made again",
            folder.path
        ));
        let opened = self.source.refresh(&folder.name).await?;
        let metas = if opened.messages == 0 { Vec::new() } else { self.source.scan(&folder.name, 1, None).await? };
        self.tally.done += metas.len() as u64;
        let (id, validity) = (row.id, opened.uid_validity);
        let known = self.context.ledger(move |l| l.messages(id, validity)).await?;
        let mut counts = CopyCounts { source: metas.len() as u64, ..CopyCounts::default() };
        for meta in metas {
            let row = known.get(&meta.uid).filter(|r| r.state.is_delivered()).cloned();
            match row.or_else(|| self.tally.choice.of(&folder.path, validity, &meta, known.get(&meta.uid))) {
                Some(row) if row.state == MessageState::Adopted => counts.present += 1,
                Some(row) if row.state == MessageState::Excluded => {
                    *counts.excluded.entry(row.class.unwrap_or_default()).or_default() += 1;
                }
                Some(row) if row.state == MessageState::Failed => {
                    *counts.failed.entry(row.class.unwrap_or_default()).or_default() += 1;
                }
                _ => counts.copied += 1,
            }
        }
        Ok(counts)
    }

    async fn subscribe(&mut self, listing: &Listing, there: &Listing, prepared: &Prepared) -> Result<(), CopyError> {
        for folder in listing.folders.iter().filter(|f| f.subscribed && included(self.filter, &f.path)) {
            let Some(pair) = prepared.pairs.get(&folder.path) else { continue };
            let done = find(there, &pair.target).is_some_and(|f| f.subscribed);
            let absent = !folder.selectable || prepared.refused.contains_key(&folder.path);
            if done || absent || self.left_alone.contains(&folder.path) {
                continue;
            }
            if let Some(text) = folders::subscribe(self.target, &pair.target).await? {
                self.remark(format!("the target does not subscribe `{}`: {text}", pair.target));
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<CopyReport, CopyError> {
        for (keyword, n) in std::mem::take(&mut self.tally.dropped) {
            self.remark(format!("the target does not keep the keyword `{keyword}` ({n} messages)"));
        }
        if self.tally.alters {
            self.remark("the target changes the octets of messages it is given".to_owned());
        }
        let mut report = self.report;
        report.failed = self.tally.failed;
        report.remarks.extend(self.tally.remarks);
        report.total.octets = self.tally.octets;
        if !report.total.balances() {
            return Err(CopyError::Unbalanced {
                account: self.context.account.clone(),
                folder: "total".to_owned(),
                counts: Box::new(report.total),
            });
        }
        self.context
            .events
            .emit(Event::CopyDone { account: self.context.account.clone(), counts: report.total.clone() });
        Ok(report)
    }
}

/// The sums of a folder in which nothing happened since the last complete pass, by its status alone. Without
/// HIGHESTMODSEQ a change of flags cannot be seen this way, so the folder is looked at.
fn unchanged(row: &FolderRow, status: FolderStatus) -> Option<CopyCounts> {
    let same = row.status == Some(status) && status.highest_modseq.is_some() && row.adopt_below == 0;
    row.counts.clone().filter(|_| same)
}
