//! Folders one after the other without a pause between them.
//!
//! Of a folder that the target was never given anything of nothing is known, and one that is at the target as an earlier
//! pass left it holds no surprise: what there is to do in either can be read before the target is asked about it. The
//! half of a lane that reads therefore goes on with the next folder while the half that sends is still busy with the
//! one before: what is read ahead is bounded by the memory that windows share.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{mpsc, oneshot};

use super::{
    CopyError,
    delivery::Sending,
    engine::{Pass, known},
    filter,
    folder::{Items, Reading, changed_only},
    folders::Prepared,
    lanes::{Lane, Queue, Task, surveyed},
    link::Link,
    store::Listing,
    tally::FolderTally,
};
use crate::journal::ledger::FolderRow;

/// A folder whose messages are being read.
struct Begun<'l> {
    task: Task<'l>,
    row: FolderRow,
    items: Items,
    /// The sums of the reading half, when it is through.
    read: oneshot::Receiver<FolderTally>,
}

impl<'c> Pass<'_, 'c> {
    /// Copies folders that can be read ahead until there are no more, or others need the place of an extra lane.
    pub(super) async fn flow(
        &self,
        lane: &mut Lane<'c>,
        queue: &Queue<'_>,
        (listing, there): (&Listing, &Listing),
        prepared: &Prepared,
    ) -> Result<(), CopyError> {
        let (begin, begun) = mpsc::channel(1);
        let enough = AtomicBool::new(lane.gives_way());
        let Lane { source, target, extra } = lane;
        let (read, sent) = tokio::join!(
            self.read_ahead(source, (*extra, &enough), queue, listing, begin),
            self.send_behind(target, (*extra, &enough), begun, (there, prepared))
        );
        // When reading fails, the half that sends just ends.
        sent.and(read)
    }

    async fn read_ahead<'l>(
        &self,
        source: &mut Link<'c>,
        (extra, enough): (bool, &AtomicBool),
        queue: &Queue<'l>,
        listing: &Listing,
        begin: mpsc::Sender<Begun<'l>>,
    ) -> Result<(), CopyError> {
        let context = self.shared.context;
        while !(enough.load(Ordering::Relaxed) || (extra && source.is_surplus())) {
            context.go_on()?;
            let Some(task) = queue.next_ahead() else { break };
            let (folder, lease) = (task.folder, self.shared.lease);
            let path = folder.path.clone();
            let mut row = match self.rows.get(&path).filter(|_| self.is_known(&path)) {
                Some(row) => row.clone(),
                None => context.ledger(move |l| l.folder(lease, &path)).await?,
            };
            let opened = surveyed(source, &task, known(&row)).await?;
            let elsewhere = self.elsewhere(source, &task, listing).await?;
            let changed = changed_only(&self.shared, source, &row, &folder.name, &opened).await?;
            row.source_validity = opened.uid_validity;
            let (items, received) = mpsc::channel(1);
            let (done, read) = oneshot::channel();
            let reading = Reading {
                shared: &self.shared,
                source: &mut *source,
                name: folder.name.clone(),
                row: row.clone(),
                elsewhere,
                items,
                tally: FolderTally::default(),
            };
            if begin.send(Begun { task, row, items: received, read }).await.is_err() {
                break;
            }
            if done.send(reading.run(changed, &opened).await?).is_err() {
                break;
            }
        }
        Ok(())
    }

    async fn send_behind(
        &self,
        target: &mut Link<'c>,
        (extra, enough): (bool, &AtomicBool),
        mut begun: mpsc::Receiver<Begun<'_>>,
        (there, prepared): (&Listing, &Prepared),
    ) -> Result<(), CopyError> {
        while let Some(Begun { task, mut row, items, read }) = begun.recv().await {
            let path = &task.folder.path;
            // Only folders that have a place are begun.
            let Some(pair) = prepared.pairs.get(path) else { continue };
            let unsaved = self.meet_target(target, &mut row, &pair.target, there).await?;
            let sending = Sending::new(&self.shared, &mut *target, pair.target.clone(), (row, unsaved), items);
            let mut sent = sending.run().await?;
            let Ok(read) = read.await else { return sent.flush(&self.shared).await };
            let counts = filter::close(&self.shared, &mut sent, read).await?;
            let counts = self.complete(sent, task.status, counts).await?;
            self.add(path, counts)?;
            enough.fetch_or(extra && target.is_surplus(), Ordering::Relaxed);
        }
        Ok(())
    }
}
