//! One pass over a whole mailbox.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use super::{
    CopyError, Resources,
    alive::SideBySide,
    delivery::Sent,
    estranged::status_of,
    filter,
    folder::FolderPass,
    folders::{self, Prepared},
    lanes::{Lane, Task, surveyed},
    link::{Context, Link, Tuning},
    mapping::{Learned, included},
    pace::Pace,
    recovery::{self, Doubt},
    sticking::Sticking,
    store::{FolderVerb, Listed, Listing, Store, find},
    tally::{self, Tally},
    views,
};
use crate::{
    imap::Known,
    journal::ledger::{FolderId, FolderRow, Lease, Ledger},
    model::{
        Address, CopyCounts, CopyReport, Event, EventSink, FailedMessage, FolderPath, FolderStatus, MailFilter,
        PlatformId,
    },
};

/// How long the work of one mailbox may take before another pair of connections is made for it, for each further pair:
/// what is done by then needs no more of them.
const PATIENCE: Duration = Duration::from_millis(25);

/// Servers that take longer than this for an answer are worth several connections from the start.
const FAR: Duration = Duration::from_millis(25);

/// How many more folders are copied at the same time when each connection is idle most of the time: the servers are far,
/// or the target wants to be asked before each message.
const MORE: usize = 2;

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
    pub(super) resources: Resources,
    pub(super) tuning: Tuning,
    pub(super) pace: Arc<Pace>,
}

/// Makes one pass.
pub(super) async fn run(job: Job<'_>) -> Result<CopyReport, CopyError> {
    let context = Context {
        account: job.account,
        ledger: job.ledger.clone(),
        events: job.events,
        // The lanes of one mailbox stop together.
        cancel: job.cancel.child_token(),
        tuning: job.tuning,
        pace: job.pace,
        sticking: Sticking::default(),
    };
    let (account, id) = (job.account.clone(), job.source_id.clone());
    let lease = context.ledger(move |l| l.begin(&account, &id)).await?;
    let lane = |extra| Lane::new(&context, (&job.source, &job.target), extra);
    let mut first = lane(false);
    let both = SideBySide::default();
    let (source, target) = (&mut first.source, &mut first.target);
    let (listing, there) = tokio::join!(
        async {
            let listing = source.list().await;
            both.source_is_through(source).await;
            listing
        },
        async {
            let there = target.list().await;
            both.target_is_through(target).await;
            there
        }
    );
    let (listing, mut there) = (listing?, there?);
    let (listing, views) = views::set_aside(listing, job.filter);
    let far = listing.distance.max(there.distance) > FAR;
    let patience = if far { Duration::ZERO } else { PATIENCE };
    let lanes = job.tuning.lanes + if far || first.target.waits() { MORE } else { 0 };
    let choice = filter::Choice::load(&context, &job.source_id.0, job.filter).await?;
    let mut pass = Pass {
        shared: Shared {
            context: &context,
            lease,
            resources: job.resources,
            choice,
            in_doubt: BTreeMap::new(),
            tally: Mutex::default(),
        },
        filter: job.filter,
        report: Mutex::default(),
        rows: BTreeMap::new(),
        same: BTreeSet::new(),
        replaced: false,
        once: None,
        left_alone: Mutex::default(),
    };
    first.source.meanwhile(pass.load(&job.source_id.0, &mut first.target, &mut there)).await?;
    pass.settle_doubts(&mut first, &listing, &there).await?;
    first.target.meanwhile(pass.choose_labels(&mut first.source, &listing)).await?;
    let prepared = pass.folders(&mut first, || lane(true), (patience, lanes), (&listing, &there)).await?;
    pass.views(&views)?;
    pass.subscribe(&mut first.target, (&listing, &there), &prepared, false).await?;
    first.keep();
    pass.finish()
}

/// What the lanes of a pass share.
pub(super) struct Shared<'c> {
    pub(super) context: &'c Context<'c>,
    pub(super) lease: Lease,
    pub(super) resources: Resources,
    /// Which messages are taken.
    pub(super) choice: filter::Choice,
    /// Messages that may be at the target, and that nobody can tell of now.
    pub(super) in_doubt: BTreeMap<FolderId, BTreeSet<u32>>,
    tally: Mutex<Tally>,
}

impl Shared<'_> {
    /// The sums. Held for a moment only.
    pub(super) fn tally(&self) -> MutexGuard<'_, Tally> {
        lock(&self.tally)
    }

    /// Tells how far the mailbox is.
    pub(super) fn progress(&self, folder: &FolderPath, settled: u64, octets: u64) {
        let event = {
            let mut tally = self.tally();
            tally.done += settled;
            tally.octets += octets;
            Event::CopyProgress {
                account: self.context.account.clone(),
                folder: folder.to_string(),
                done: tally.done,
                total: tally.total.max(tally.done),
                octets: tally.octets,
            }
        };
        self.context.events.emit(event);
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Sums that a panic left behind are those of a pass that fails anyway.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is known of a folder that was copied to its end, so that only the rest needs to be asked for.
pub(super) fn known(row: &FolderRow) -> Known {
    let status = row.status.filter(|s| row.adopt_below == 0 && s.uid_validity == row.source_validity);
    match status.filter(|_| row.counts.is_some()) {
        Some(FolderStatus { highest_modseq: Some(modseq), .. }) => Known::Modseq(modseq),
        Some(status) => Known::Below(status.uid_next),
        None => Known::Nothing,
    }
}

/// Whether a folder at the target is the one that a row speaks of: same UIDVALIDITY, and no UID taken back.
fn goes_on(row: &FolderRow, status: Option<FolderStatus>, highest: u32) -> bool {
    status.is_some_and(|s| s.uid_validity == row.target_validity && (s.uid_next == 0 || s.uid_next > highest))
}

pub(super) struct Pass<'p, 'c> {
    pub(super) shared: Shared<'c>,
    pub(super) filter: &'p MailFilter,
    pub(super) report: Mutex<CopyReport>,
    /// What the ledger knows, by source path.
    pub(super) rows: BTreeMap<FolderPath, FolderRow>,
    /// Folders that are at the target as earlier passes left them.
    same: BTreeSet<FolderPath>,
    /// Nothing at the target is what earlier passes filled.
    pub(super) replaced: bool,
    /// Where each message with labels is copied once: the messages of each folder that are copied from another one.
    once: Option<BTreeMap<FolderPath, BTreeSet<u32>>>,
    /// Folders that the target's user took away, and that are not made again.
    pub(super) left_alone: Mutex<BTreeSet<FolderPath>>,
}

impl<'c> Pass<'_, 'c> {
    /// Reads what is known, and finds out whether the target is still the mailbox that it was.
    async fn load(
        &mut self,
        platform: &PlatformId,
        target: &mut Link<'c>,
        there: &mut Listing,
    ) -> Result<(), CopyError> {
        let (account, platform) = (self.shared.context.account.clone(), platform.clone());
        let rows = self.shared.context.ledger(move |l| l.known_folders(&account, &platform)).await?;
        self.rows = rows.into_iter().map(|row| (row.path.clone(), row)).collect();
        let filled: Vec<FolderRow> = self.rows.values().filter(|r| r.target_validity > 0).cloned().collect();
        self.recognise(&filled, there).await?;
        if there.earlier && self.same.len() < filled.len() {
            // The look may be older than what another run did to the target since.
            *there = target.list().await?;
            self.recognise(&filled, there).await?;
        }
        if self.same.is_empty() {
            // A listing may lag behind what was appended; a folder that is opened does not.
            for row in &filled {
                let Some(name) = row.target.as_deref().filter(|name| find(there, name).is_some()) else { continue };
                let now = status_of(&target.refresh(name).await?);
                if self.is_same(row, now).await? {
                    self.same.insert(row.path.clone());
                }
            }
        }
        self.replaced = !filled.is_empty() && self.same.is_empty();
        if !self.replaced {
            return Ok(());
        }
        self.shared.choice.forget_refusals();
        let (lease, mut forgotten) = (self.shared.lease, 0);
        for row in self.rows.values_mut() {
            let id = row.id;
            forgotten += self.shared.context.ledger(move |l| l.forget_deliveries(lease, id)).await?;
            (row.target_validity, row.adopt_below, row.target) = (0, 0, None);
            (row.status, row.counts) = (None, None);
            let saved = row.clone();
            self.shared.context.ledger(move |l| l.save_folder(lease, &saved)).await?;
        }
        if forgotten > 0 {
            self.remark(format!(
                "the target is not the mailbox that earlier passes filled: {forgotten} messages are matched by content \
                 and sent where there is no equal"
            ));
        }
        Ok(())
    }

    /// Takes note of which folders of a listing are the ones that the ledger speaks of.
    async fn recognise(&mut self, filled: &[FolderRow], there: &Listing) -> Result<(), CopyError> {
        let rows = filled.to_vec();
        let highest = self.shared.context.ledger(move |l| l.highest_of(&rows)).await?;
        let listed = |row: &FolderRow| row.target.as_deref().and_then(|name| find(there, name)).and_then(|f| f.status);
        let same = |row: &&FolderRow| goes_on(row, listed(row), highest.get(&row.id).copied().unwrap_or_default());
        self.same = filled.iter().filter(same).map(|row| row.path.clone()).collect();
        Ok(())
    }

    /// Whether a folder at the target was recognised as the one that the ledger speaks of.
    pub(super) fn is_known(&self, path: &FolderPath) -> bool {
        self.same.contains(path)
    }

    /// Whether a folder at the target is the one that the ledger speaks of.
    pub(super) async fn is_same(&self, row: &FolderRow, status: FolderStatus) -> Result<bool, CopyError> {
        let (id, validity) = (row.id, row.target_validity);
        let highest = self.shared.context.ledger(move |l| l.highest(id, validity)).await?;
        Ok(goes_on(row, Some(status), highest))
    }

    pub(super) fn remark(&self, text: String) {
        let mut report = lock(&self.report);
        if !report.remarks.contains(&text) {
            report.remarks.push(text);
        }
    }

    async fn settle_doubts(
        &mut self,
        lane: &mut Lane<'c>,
        listing: &Listing,
        there: &Listing,
    ) -> Result<(), CopyError> {
        let lease = self.shared.lease;
        let windows = self.shared.context.ledger(move |l| l.open_windows(lease)).await?;
        let mut doubts = Vec::new();
        for window in windows {
            let Some(row) = self.rows.values().find(|r| r.id == window.folder) else { continue };
            let target = row.target.as_deref().and_then(|name| find(there, name));
            let target = target.filter(|f| f.status.is_some_and(|s| s.uid_validity == window.target_validity));
            let source = listing.folders.iter().find(|f| f.path == row.path);
            doubts.push(Doubt {
                target_name: target.map(|f| f.name.clone()),
                source_name: source.map(|f| f.name.clone()),
                unread: 0,
                window,
                row,
            });
        }
        self.shared.in_doubt =
            recovery::settle(self.shared.context, lease, &mut lane.source, &mut lane.target, doubts).await?;
        Ok(())
    }

    pub(super) async fn prepare(
        &self,
        target: &mut Link<'c>,
        listing: &Listing,
        there: &Listing,
    ) -> Result<Prepared, CopyError> {
        let renamed = self.filter.renames(listing.folders.iter().map(|f| &f.path));
        // A name that the filter gives counts until the folder is filled.
        let stays = |r: &&FolderRow| r.target_validity > 0 || !renamed.contains_key(&r.path);
        let known =
            self.rows.values().filter(stays).filter_map(|r| Some((r.path.clone(), r.target.clone()?))).collect();
        let gone = |r: &&FolderRow| {
            !self.replaced && r.target_validity > 0 && r.target.as_deref().is_some_and(|n| find(there, n).is_none())
        };
        let removed: BTreeSet<FolderPath> = self.rows.values().filter(gone).map(|r| r.path.clone()).collect();
        let learned = Learned { known, renamed, ..Learned::default() };
        let out = folders::prepare(self.shared.lease, target, listing, there, self.filter, learned, &removed).await?;
        for folder in listing.folders.iter().filter(|f| f.selectable && included(self.filter, &f.path)) {
            if let Some(remark) = out.pairs.get(&folder.path).and_then(|p| p.remark.clone()) {
                self.remark(remark);
            }
        }
        Ok(out)
    }

    /// Folders that only show what others hold: nothing of them is copied, and all of it is counted.
    fn views(&self, views: &[Listed]) -> Result<(), CopyError> {
        for folder in views.iter().filter(|f| f.selectable) {
            let Some(status) = folder.status else { continue };
            lock(&self.report).seen.insert(folder.path.clone(), status);
            if status.messages > 0 {
                self.remark(format!("`{}` shows messages of other folders and is not copied by itself", folder.path));
            }
            self.add(&folder.path, tally::excluded(status, views::VIEW))?;
        }
        Ok(())
    }

    /// The sums of a folder in which nothing happened since the last complete pass.
    pub(super) fn settled(&self, folder: &Listed, status: FolderStatus) -> Option<CopyCounts> {
        let row = self.rows.get(&folder.path).filter(|_| self.same.contains(&folder.path))?;
        let counts = tally::unchanged(row, status).filter(|c| self.filter.still_leaves_out(&c.excluded))?;
        self.shared.tally().done += counts.source;
        Some(counts)
    }

    pub(super) async fn task(
        &self,
        lane: &mut Lane<'c>,
        task: &Task<'_>,
        listings: (&Listing, &Listing),
        prepared: &Prepared,
    ) -> Result<CopyCounts, CopyError> {
        match prepared.refused.get(&task.folder.path) {
            Some(text) => self.refused(&mut lane.source, task.folder, text).await,
            None => self.folder(lane, task, listings, prepared).await,
        }
    }

    pub(super) fn add(&self, path: &FolderPath, counts: CopyCounts) -> Result<(), CopyError> {
        if !counts.balances() {
            return Err(CopyError::Unbalanced {
                account: self.shared.context.account.clone(),
                folder: path.to_string(),
                counts: Box::new(counts),
            });
        }
        filter::tell(&self.shared, path, &counts);
        let mut report = lock(&self.report);
        report.total.add(&counts);
        report.folders.insert(path.to_string(), counts);
        Ok(())
    }

    /// The status of a source folder. One that the server does not open is said to have failed, never passed over.
    pub(super) async fn source_status(
        &self,
        source: &mut Link<'c>,
        folder: &Listed,
    ) -> Result<Option<FolderStatus>, CopyError> {
        let status = match folder.status {
            Some(status) => Some(status),
            None => source.status(&folder.name).await?,
        };
        if status.is_none() {
            self.shared.tally().failed.push(FailedMessage {
                folder: folder.path.clone(),
                uid_validity: 0,
                uid: 0,
                class: "folder-unreadable".to_owned(),
                reason: "the server lists the folder and does not tell its status".to_owned(),
            });
        }
        Ok(status)
    }

    async fn folder(
        &self,
        lane: &mut Lane<'c>,
        task: &Task<'_>,
        (listing, there): (&Listing, &Listing),
        prepared: &Prepared,
    ) -> Result<CopyCounts, CopyError> {
        let (folder, status) = (task.folder, task.status);
        let (lease, path) = (self.shared.lease, folder.path.clone());
        let Some(pair) = prepared.pairs.get(&folder.path) else { return Ok(CopyCounts::default()) };
        let mut row = match self.rows.get(&folder.path) {
            Some(row) => row.clone(),
            None => self.shared.context.ledger(move |l| l.folder(lease, &path)).await?,
        };
        if row.target_validity > 0 && find(there, &pair.target).is_none() {
            // Its user took it away. New mail has a place again; what was delivered is not sent again.
            if !self.has_new(&mut lane.source, &row, task).await? {
                return self.kept(&mut lane.source, &row, folder).await;
            }
            if let Some(text) = folders::create(&mut lane.target, &pair.target).await? {
                return self.refused(&mut lane.source, folder, &text).await;
            }
        }
        let known = known(&row);
        let both = SideBySide::default();
        let (source, target) = (&mut lane.source, &mut lane.target);
        let (met, opened) = tokio::join!(
            async {
                let met = self.meet_target(target, &mut row, &pair.target, there).await;
                both.target_is_through(target).await;
                met
            },
            async {
                let opened = surveyed(source, task, known).await;
                both.source_is_through(source).await;
                opened
            }
        );
        let unsaved = met?;
        opened?;
        let elsewhere = self.elsewhere(&mut lane.source, task, listing).await?;
        let pass = FolderPass {
            elsewhere,
            unsaved,
            shared: &self.shared,
            source: &mut lane.source,
            target: &mut lane.target,
            row,
            name: folder.name.clone(),
            target_name: pair.target.clone(),
        };
        let (sent, counts) = pass.run().await?;
        self.complete(sent, status, counts).await
    }

    /// Chooses the folder of each message that several folders show, where it is to be copied once.
    async fn choose_labels(&mut self, source: &mut Link<'c>, listing: &Listing) -> Result<(), CopyError> {
        let folders = views::preferred(listing, self.filter);
        if folders.is_empty() {
            return Ok(());
        }
        let mut all = Vec::new();
        for folder in folders {
            self.shared.context.go_on()?;
            let opened = source.refresh(&folder.name).await?;
            let ids = if opened.messages == 0 { BTreeMap::new() } else { source.gmail_ids(&folder.name).await? };
            let mut delivered = BTreeSet::new();
            if let Some(id) = self.rows.get(&folder.path).map(|row| row.id) {
                let rows = self.shared.context.ledger(move |l| l.messages(id, opened.uid_validity)).await?;
                delivered.extend(rows.into_values().filter(|r| r.state.is_delivered()).map(|r| r.uid));
            }
            all.push(views::Shown { path: folder.path.clone(), ids, delivered });
        }
        self.once = Some(views::once(&all));
        Ok(())
    }

    /// The messages of the folder that is open which are copied from another folder, because they are shown there too.
    pub(super) async fn elsewhere(
        &self,
        source: &mut Link<'c>,
        task: &Task<'_>,
        listing: &Listing,
    ) -> Result<BTreeSet<u32>, CopyError> {
        if let Some(once) = &self.once {
            return Ok(once.get(&task.folder.path).cloned().unwrap_or_default());
        }
        if task.status.messages == 0 || !views::by_labels(listing, self.filter, task.folder) {
            return Ok(BTreeSet::new());
        }
        Ok(views::elsewhere(listing, self.filter, &source.labels(&task.folder.name).await?))
    }

    /// Puts down that a folder was copied to its end.
    pub(super) async fn complete(
        &self,
        sent: Sent,
        status: FolderStatus,
        counts: CopyCounts,
    ) -> Result<CopyCounts, CopyError> {
        let mut row = sent.row.clone();
        // A pass that left failures behind is not complete: the next one tries them again.
        row.status = counts.failed.is_empty().then_some(status);
        row.counts = Some(counts.clone());
        if row.status.is_some() {
            // What failed may still be found among what the target had before.
            row.adopt_below = 0;
        }
        sent.complete(&self.shared, row).await?;
        Ok(counts)
    }

    /// Subscribes what the source's user subscribed: the folders that are new, or the others, of which some may have been
    /// left alone in this pass.
    pub(super) async fn subscribe(
        &self,
        target: &mut Link<'c>,
        (listing, there): (&Listing, &Listing),
        prepared: &Prepared,
        new: bool,
    ) -> Result<(), CopyError> {
        let left_alone = lock(&self.left_alone).clone();
        let mut names = Vec::new();
        for folder in listing.folders.iter().filter(|f| f.subscribed && included(self.filter, &f.path)) {
            if self.is_new(&folder.path) != new {
                continue;
            }
            let Some(pair) = prepared.pairs.get(&folder.path) else { continue };
            let done = find(there, &pair.target).is_some_and(|f| f.subscribed);
            let absent = !folder.selectable || prepared.refused.contains_key(&folder.path);
            if !done && !absent && !left_alone.contains(&folder.path) {
                names.push(pair.target.clone());
            }
        }
        if names.is_empty() {
            return Ok(());
        }
        // All at once first; what that does not settle is asked for one by one.
        let done = match target.change().await?.folders(FolderVerb::Subscribe, &names).await {
            Ok(done) => done,
            Err(_) => {
                target.disconnect();
                Vec::new()
            }
        };
        for (name, done) in names.iter().zip(done.into_iter().chain(std::iter::repeat(false))) {
            if done {
                continue;
            }
            if let Some(text) = folders::subscribe(target, name).await? {
                self.remark(format!("the target does not subscribe `{name}`: {text}"));
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<CopyReport, CopyError> {
        let tally = std::mem::take(&mut *self.shared.tally());
        for (keyword, n) in &tally.dropped {
            self.remark(format!("the target does not keep the keyword `{keyword}` ({n} messages)"));
        }
        if tally.alters {
            self.remark("the target changes the octets of messages it is given".to_owned());
        }
        let mut report = std::mem::take(&mut *lock(&self.report));
        if report.total.weak > 0 {
            report.remarks.push(format!(
                "{} messages were taken for what the target has already by header, date and size, because it has none of \
                 their octets; check some of them before the source is given up",
                report.total.weak
            ));
        }
        report.failed = tally.failed;
        report.total.octets = tally.octets;
        report.total.new = Some(tally.new);
        if !report.total.balances() {
            return Err(CopyError::Unbalanced {
                account: self.shared.context.account.clone(),
                folder: "total".to_owned(),
                counts: Box::new(report.total),
            });
        }
        self.shared
            .context
            .events
            .emit(Event::CopyDone { account: self.shared.context.account.clone(), counts: report.total.clone() });
        Ok(report)
    }
}
