//! What all copies of a process share: how much mail may be in memory at the same time, and how many lanes keep the
//! processors busy.

use std::{num::NonZero, sync::Arc, thread};

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
    lanes: Arc<Semaphore>,
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

impl Resources {
    /// A budget of so many octets of mail in memory.
    #[must_use]
    pub fn new(octets: u64) -> Self {
        let units = u32::try_from(octets / UNIT).unwrap_or(u32::MAX).clamp(1, u32::MAX >> 4);
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        Self {
            memory: Arc::new(Semaphore::new(units as usize)),
            units,
            lanes: Arc::new(Semaphore::new(processors.max(2))),
        }
    }

    /// The place of one lane between servers that are near, if there is one: more lanes than processors only cost
    /// connections, whether they are those of one mailbox or of several.
    pub(super) fn try_lane(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.lanes).try_acquire_owned().ok()
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

    #[tokio::test]
    async fn a_message_that_is_kept_in_a_file_costs_little() {
        let resources = Resources::new(4 << 20);
        let _held = resources.hold([1 << 40].into_iter()).await;
        assert!(resources.memory.available_permits() > 3 << 10);
    }
}
