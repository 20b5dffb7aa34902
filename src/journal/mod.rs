//! F1: the durable record of intents and outcomes, and the ledger of copied messages.
//!
//! One SQLite file per workspace. An intent is durable before its effect begins, an outcome after it; what a crash
//! leaves open is therefore always known to be open. `docs/journal.md` explains the tables, [`replay`] the order in
//! which records may follow each other, [`Lease`] who may write.
//!
//! Calls block for as long as a disk needs to make a few hundred bytes durable. They are made from async code as they
//! are: waiting for them is the point.

mod cutover;
mod error;
mod fault;
mod lease;
pub mod ledger;
mod probe;
mod read;
mod record;
mod replay;
mod store;
mod write;

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

pub use cutover::{CutoverWord, Said};
pub use error::JournalError;
pub use fault::FaultPoint;
pub use lease::Lease;
pub use probe::{FolderMark, ProbeSent};
pub use record::{Approval, Entry, Fact, HookDue, Record, Resolution, Run, Unsettled};
pub use replay::{Progress, Records, ReplayError, Standing, progress, replay};
pub use store::{FILE, FORMAT};

/// The one connection of a process to its journal; the ledger shares it, so that both are written in one order.
pub type Db = Arc<Mutex<rusqlite::Connection>>;

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    store: Arc<store::Store>,
}

impl Journal {
    /// Opens the journal of a workspace folder (`.rehome`), makes it where it is missing and brings an older format up
    /// to [`FORMAT`]. A new folder can be entered only by its owner.
    ///
    /// # Errors
    /// [`JournalError`] says whether the file is newer, foreign, damaged, locked or cannot be written.
    pub fn open(folder: &Path) -> Result<Self, JournalError> {
        Ok(Self { store: Arc::new(store::Store::open(folder)?) })
    }

    /// Opens the journal for reading, `None` when there is none. Creates and changes nothing; taking the lease fails.
    ///
    /// # Errors
    /// [`JournalError`] says whether the file is newer, foreign, damaged or locked.
    pub fn open_read_only(folder: &Path) -> Result<Option<Self>, JournalError> {
        Ok(store::Store::open_read_only(folder)?.map(|store| Self { store: Arc::new(store) }))
    }

    /// The connection, for the ledger.
    #[must_use]
    pub fn db(&self) -> Db {
        self.store.db()
    }

    /// For tests of crashes: asked right before and right after each write; when it says `true` the write is (or was)
    /// the last thing this journal does, every later call gives [`JournalError::Crashed`].
    pub fn set_fault(&self, decide: impl Fn(FaultPoint) -> bool + Send + 'static) {
        self.store.faults.set(Box::new(decide));
    }
}
