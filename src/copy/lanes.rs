//! The folders of a mailbox, spread over lanes: pairs of connections that work side by side.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::future::join_all;
use tokio::sync::SetOnce;
use tokio_util::sync::CancellationToken;

use super::{
    CopyError, CopyErrorClass, Side,
    alive::SideBySide,
    engine::{Pass, known, lock},
    folders::Prepared,
    link::{Context, Link},
    mapping::included,
    scanning::is_small,
    store::{Listed, Listing, Opened, Store, find},
    tally,
};
use crate::{
    imap::Known,
    journal::ledger::FolderRow,
    model::{FolderPath, FolderStatus, LeftOut},
};

/// A pair of connections that copies one folder after the other.
pub(super) struct Lane<'c> {
    pub(super) source: Link<'c>,
    pub(super) target: Link<'c>,
    /// It gives way when others need its connections.
    pub(super) extra: bool,
}

impl<'c> Lane<'c> {
    /// A lane whose connections are made when they are needed.
    pub(super) fn new(
        context: &'c Context<'c>,
        (source, target): (&Arc<dyn Store>, &Arc<dyn Store>),
        extra: bool,
    ) -> Self {
        Self {
            source: Link::new(context, Side::Source, Arc::clone(source)),
            target: Link::new(context, Side::Target, Arc::clone(target)),
            extra,
        }
    }

    /// Whether its connections should be given to others.
    pub(super) fn gives_way(&self) -> bool {
        self.extra && (self.source.is_surplus() || self.target.is_surplus())
    }

    /// Ends its work; its connections may serve the next copy of the mailbox.
    pub(super) fn keep(self) {
        self.source.keep();
        self.target.keep();
    }

    /// Makes the connections of an extra lane, if the servers have room for them.
    async fn connect(&mut self) -> bool {
        let (source, target) = tokio::join!(self.source.connect_extra(), self.target.connect_extra());
        match source.and_then(|there| Ok(there && target?)) {
            Ok(made) => made,
            // The server allows no more connections, or is busy: the first lane does it all.
            Err(error) => {
                tracing::debug!(%error, "no further connection");
                false
            }
        }
    }
}

/// One folder that has to be looked into.
pub(super) struct Task<'l> {
    pub(super) folder: &'l Listed,
    pub(super) status: FolderStatus,
}

/// What the lanes of a pass take their folders from, once the target's folders are made.
struct Work<'l> {
    prepared: Prepared,
    queue: Queue<'l>,
    /// Whether a lane has taken it on to subscribe the new folders.
    subscribing: AtomicBool,
}

/// The folders that no lane has taken yet.
pub(super) struct Queue<'l> {
    /// Those that can be read before the target is asked about them.
    ahead: Mutex<VecDeque<Task<'l>>>,
    other: Mutex<VecDeque<Task<'l>>>,
}

impl<'l> Queue<'l> {
    /// The next folder that can be read ahead.
    pub(super) fn next_ahead(&self) -> Option<Task<'l>> {
        lock(&self.ahead).pop_front()
    }

    fn next_other(&self) -> Option<Task<'l>> {
        lock(&self.other).pop_front()
    }

    fn is_empty(&self) -> bool {
        lock(&self.ahead).is_empty() && lock(&self.other).is_empty()
    }
}

/// Opens a folder of the source and lists it, in one round trip where that is not too much at once.
pub(super) async fn surveyed(source: &mut Link<'_>, task: &Task<'_>, known: Known) -> Result<Opened, CopyError> {
    match known {
        Known::Nothing | Known::Below(_) if !is_small(task.status.messages) => source.refresh(&task.folder.name).await,
        known => source.survey(&task.folder.name, known).await,
    }
}

impl<'c> Pass<'_, 'c> {
    /// Makes the folders and copies what is in them. Further lanes are connected after a while each, when there is still
    /// something to do by then.
    pub(super) async fn folders(
        &self,
        first: &mut Lane<'c>,
        further: impl Fn() -> Lane<'c>,
        (patience, lanes): (Duration, usize),
        (listing, there): (&Listing, &Listing),
    ) -> Result<Prepared, CopyError> {
        let _place = (!patience.is_zero()).then(|| self.shared.resources.first_lane());
        let tasks = self.tasks(&mut first.source, listing).await?;
        let lanes = lanes.min(tasks.len());
        let work: SetOnce<Work<'_>> = SetOnce::new();
        let over = CancellationToken::new();
        let more = (1..lanes).map(|n| {
            let (work, further) = (&work, &further);
            let pause = (patience * u32::try_from(n).unwrap_or(u32::MAX), &over);
            async move { self.stop_all(self.further_lane(further, pause, (listing, there), work).await) }
        });
        let first = async {
            let out = self.stop_all(self.first_lane(first, tasks, (listing, there), &work).await);
            over.cancel();
            out
        };
        let (first, more) = tokio::join!(first, join_all(more));
        let errors: Vec<CopyError> = std::iter::once(first).chain(more).filter_map(Result::err).collect();
        // One lane fails, and the others are interrupted by it.
        match errors.into_iter().min_by_key(|e| e.class() == CopyErrorClass::Interrupted) {
            Some(error) => Err(error),
            None => work.into_inner().map(|work| work.prepared).ok_or_else(|| self.shared.context.interrupted()),
        }
    }

    fn stop_all(&self, out: Result<(), CopyError>) -> Result<(), CopyError> {
        if out.is_err() {
            self.shared.context.cancel.cancel();
        }
        out
    }

    /// What has to be looked into. What is settled by the listing alone is counted.
    async fn tasks<'l>(&self, source: &mut Link<'c>, listing: &'l Listing) -> Result<Vec<Task<'l>>, CopyError> {
        let mut tasks: Vec<Task<'l>> = Vec::new();
        let selectable = || listing.folders.iter().filter(|f| f.selectable);
        self.shared.tally().total = selectable().filter_map(|f| f.status).map(|s| u64::from(s.messages)).sum();
        for folder in selectable() {
            self.shared.context.go_on()?;
            let Some(status) = self.source_status(source, folder).await? else { continue };
            if !included(self.filter, &folder.path) {
                self.add(&folder.path, tally::excluded(status, &LeftOut::Folder.to_string()))?;
                continue;
            }
            lock(&self.report).seen.insert(folder.path.clone(), status);
            if let Some(counts) = self.settled(folder, status) {
                self.add(&folder.path, counts)?;
            } else {
                tasks.push(Task { folder, status });
            }
        }
        // What people look at first comes first; then the largest, so that the lanes end together.
        tasks.sort_by_key(|t| (!t.folder.path.is_inbox(), std::cmp::Reverse(t.status.messages), &t.folder.path));
        Ok(tasks)
    }

    /// Whether nothing of a folder was ever given to the target.
    pub(super) fn is_new(&self, path: &FolderPath) -> bool {
        let row = self.rows.get(path).filter(|row| self.replaced || row.target_validity > 0);
        row.is_none() && !self.shared.choice.needs_limit(path)
    }

    /// Whether a folder can be read before the target is asked about it: it is new there, or as an earlier pass left it.
    fn goes_ahead(&self, path: &FolderPath) -> bool {
        // What is adopted is compared with all of the target's folder first.
        let adopts = self.rows.get(path).is_some_and(FolderRow::adopts);
        self.is_new(path) || (self.is_known(path) && !adopts && !self.shared.choice.needs_limit(path))
    }

    async fn first_lane<'l>(
        &self,
        lane: &mut Lane<'c>,
        tasks: Vec<Task<'l>>,
        listings: (&'l Listing, &'l Listing),
        work: &SetOnce<Work<'l>>,
    ) -> Result<(), CopyError> {
        let ahead = tasks.first().filter(|task| self.goes_ahead(&task.folder.path));
        // The source is not kept waiting while the target makes folders.
        let both = SideBySide::default();
        let (source, target) = (&mut lane.source, &mut lane.target);
        let (prepared, ahead) = tokio::join!(
            async {
                let prepared = self.prepare(target, listings.0, listings.1).await;
                both.target_is_through(target).await;
                prepared
            },
            async {
                let read = match ahead {
                    Some(task) => {
                        let row = self.rows.get(&task.folder.path).filter(|row| self.is_known(&row.path));
                        surveyed(source, task, row.map(known).unwrap_or_default()).await.map(drop)
                    }
                    None => Ok(()),
                };
                both.source_is_through(source).await;
                read
            }
        );
        let prepared = prepared?;
        ahead?;
        let (ahead, other) = tasks.into_iter().partition(|task| {
            let path = &task.folder.path;
            // What is there already is compared with the whole folder before anything is sent of it.
            let empty =
                |target: &str| find(listings.1, target).is_none_or(|f| f.status.is_some_and(|s| s.messages == 0));
            let pair = prepared.pairs.get(path).filter(|_| !prepared.refused.contains_key(path));
            self.goes_ahead(path) && pair.is_some_and(|pair| !self.is_new(path) || empty(&pair.target))
        });
        let queue = Queue { ahead: Mutex::new(ahead), other: Mutex::new(other) };
        // Nobody else sets it.
        let _ = work.set(Work { prepared, queue, subscribing: AtomicBool::new(false) });
        let Some(work) = work.get() else { return Err(self.shared.context.interrupted()) };
        self.work(lane, work, listings).await
    }

    async fn further_lane<'l>(
        &self,
        further: &impl Fn() -> Lane<'c>,
        (pause, over): (Duration, &CancellationToken),
        listings: (&'l Listing, &'l Listing),
        work: &SetOnce<Work<'l>>,
    ) -> Result<(), CopyError> {
        let _place = loop {
            // The first lane is done when nothing is left to be taken.
            let waited = tokio::time::timeout(pause, over.cancelled()).await;
            if waited.is_ok() || work.get().is_some_and(|work| work.queue.is_empty()) {
                return Ok(());
            }
            if pause.is_zero() {
                break None;
            }
            if let place @ Some(_) = self.shared.resources.try_lane() {
                break place;
            }
        };
        let mut lane = further();
        if !lane.connect().await {
            return Ok(());
        }
        tokio::select! {
            biased;
            work = work.wait() => self.work(&mut lane, work, listings).await,
            () = self.shared.context.cancel.cancelled() => Ok(()),
        }
    }

    /// Copies folders until there are no more.
    async fn work<'l>(
        &self,
        lane: &mut Lane<'c>,
        work: &Work<'l>,
        listings: (&Listing, &Listing),
    ) -> Result<(), CopyError> {
        self.flow(lane, &work.queue, listings, &work.prepared).await?;
        if !work.subscribing.swap(true, Ordering::Relaxed) {
            // The first lane that has time for it; the others are still copying.
            self.subscribe(&mut lane.target, listings, &work.prepared, true).await?;
        }
        loop {
            self.shared.context.go_on()?;
            if lane.gives_way() {
                return Ok(());
            }
            let Some(task) = work.queue.next_other() else { return Ok(()) };
            let counts = self.task(lane, &task, listings, &work.prepared).await?;
            self.add(&task.folder.path, counts)?;
        }
    }
}
