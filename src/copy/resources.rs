//! What all copies of a process share: how much mail may be in memory at the same time, and how many lanes keep the
//! processors busy.

use std::{
    num::NonZero,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::imap::SPILL_ABOVE;

/// The unit of the budget.
const UNIT: u64 = 1 << 10;
/// What a message that is kept in a file costs on its way through.
const PASSING: u64 = 128 << 10;

/// The budget of all copies of one process. Clones share it.
#[derive(Clone, Debug)]
pub struct Resources {
    memory: Arc<Semaphore>,
    units: u32,
    /// Lanes between servers that are near: what such a lane waits for is a processor.
    lanes: Arc<AtomicUsize>,
    processors: usize,
}

impl Default for Resources {
    /// 16 MiB of mail in memory.
    fn default() -> Self {
        Self::new(16 << 20)
    }
}

/// A part of the budget, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Held {
    _permit: Option<OwnedSemaphorePermit>,
}

/// The place of a lane between servers that are near, given back when it is dropped.
#[derive(Debug)]
pub(super) struct LanePlace(Arc<AtomicUsize>);

impl Drop for LanePlace {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Resources {
    /// A budget of so many octets of mail in memory.
    #[must_use]
    pub fn new(octets: u64) -> Self {
        let units = u32::try_from(octets / UNIT).unwrap_or(u32::MAX).clamp(1, u32::MAX >> 4);
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        Self {
            memory: Arc::new(Semaphore::new(units as usize)),
            units,
            lanes: Arc::default(),
            processors: processors.max(2),
        }
    }

    /// The place of the lane that a mailbox cannot do without. There is one always, and it counts.
    pub(super) fn first_lane(&self) -> LanePlace {
        self.lanes.fetch_add(1, Ordering::Relaxed);
        LanePlace(Arc::clone(&self.lanes))
    }

    /// The place of one more lane, if there is one: more lanes than processors only cost connections, whether they are
    /// those of one mailbox or of several.
    pub(super) fn try_lane(&self) -> Option<LanePlace> {
        let more = |taken: usize| (taken < self.processors).then_some(taken + 1);
        self.lanes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(LanePlace(Arc::clone(&self.lanes)))
    }

    /// Waits until messages of these sizes fit. What is larger than the whole budget gets the whole budget.
    ///
    /// Whoever holds a part never waits for another one before giving it back, so that nobody waits for ever.
    pub(super) async fn hold(&self, sizes: impl Iterator<Item = u64>) -> Held {
        let octets: u64 = sizes.map(|size| if size > SPILL_ABOVE { PASSING } else { size }).sum();
        let units = u32::try_from(octets.div_ceil(UNIT)).unwrap_or(u32::MAX).clamp(1, self.units);
        // The semaphore is never closed; if it were, an unbounded copy would be better than none.
        Held { _permit: Arc::clone(&self.memory).acquire_many_owned(units).await.ok() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_too_large_waits_for_everything_and_gets_it() {
        let resources = Resources::new(100 * UNIT);
        let first = resources.hold([60 * UNIT].into_iter()).await;
        let more = resources.hold([40 * UNIT].into_iter()).await;
        assert_eq!(resources.memory.available_permits(), 0);
        drop((first, more));
        let _all = resources.hold([UNIT; 500].into_iter()).await;
        assert_eq!(resources.memory.available_permits(), 0);
    }

    #[test]
    fn mailboxes_that_are_copied_side_by_side_leave_no_place_for_more_lanes_than_processors() {
        let resources = Resources::default();
        let mailboxes: Vec<LanePlace> = (0..resources.processors + 2).map(|_| resources.first_lane()).collect();
        assert!(resources.try_lane().is_none());
        let left: Vec<LanePlace> = mailboxes.into_iter().skip(3).collect();
        assert_eq!(left.len(), resources.processors - 1);
        let further = resources.try_lane();
        assert!(further.is_some() && resources.try_lane().is_none());
        drop(further);
        assert!(resources.try_lane().is_some(), "a place is given back");
    }

    #[tokio::test]
    async fn a_message_that_is_kept_in_a_file_costs_little() {
        let resources = Resources::new(4 << 20);
        let _held = resources.hold([1 << 40].into_iter()).await;
        assert!(resources.memory.available_permits() > 3 << 10);
    }
}
