//! Crashes on purpose, so that tests can prove what a crash leaves behind.

use std::{
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use super::JournalError;

/// A moment beside one write of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FaultPoint {
    /// Which write, from 0, counted since the journal was opened.
    pub write: u64,
    /// Right after it is durable; otherwise right before it begins.
    pub after: bool,
}

type Decide = Box<dyn Fn(FaultPoint) -> bool + Send>;

/// Whether a fault was asked for, and whether it has struck.
#[derive(Default)]
pub(super) struct Faults {
    writes: AtomicU64,
    crashed: AtomicBool,
    decide: Mutex<Option<Decide>>,
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults").field("writes", &self.writes).field("crashed", &self.crashed).finish_non_exhaustive()
    }
}

impl Faults {
    pub(super) fn set(&self, decide: Decide) {
        *self.decide.lock().unwrap_or_else(PoisonError::into_inner) = Some(decide);
    }

    /// The number of the write that begins now.
    pub(super) fn next(&self) -> u64 {
        self.writes.fetch_add(1, Ordering::SeqCst)
    }

    /// After a crash nothing can be read or written any more.
    pub(super) fn alive(&self) -> Result<(), JournalError> {
        if self.crashed.load(Ordering::SeqCst) { Err(JournalError::Crashed) } else { Ok(()) }
    }

    pub(super) fn at(&self, point: FaultPoint) -> Result<(), JournalError> {
        self.alive()?;
        let decide = self.decide.lock().unwrap_or_else(PoisonError::into_inner);
        if decide.as_ref().is_some_and(|decide| decide(point)) {
            self.crashed.store(true, Ordering::SeqCst);
            return Err(JournalError::Crashed);
        }
        Ok(())
    }
}
