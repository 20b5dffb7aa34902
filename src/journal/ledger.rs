//! The ledger: what is known of each message of each mailbox, so that none is lost or copied twice.
//!
//! A message is known by (account and source platform, source folder, UIDVALIDITY, UID), never by its text. Before the
//! first octet of a window is sent, [`Ledger::intend`] puts on disk what is about to be sent and above which UID it can
//! only land; afterwards [`Ledger::settle`] puts down what became of it. A window that was never settled is looked for at
//! the target by the next run, above its floor only. Each of the two is one transaction, and the connection runs with
//! `synchronous=FULL`, so each is on disk when the call returns.

mod acl;
mod caps;
mod decode;
mod doubles;
mod registry;
mod rows;
mod traffic;
mod windows;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use thiserror::Error;

pub use acl::ACL;
pub use caps::CAPS;
pub use doubles::{DOUBLES, Double, DoubleId, DoubleState};
pub use registry::{Decision, Failure, FailureKey, Owner, REGISTRY, Registered};
pub use rows::{FolderId, FolderRow, Intent, Lease, MessageRow, MessageState, OpenWindow, Settled, Step, WindowId};
pub use traffic::{Direction, TRAFFIC, Used};

use self::decode::{FOLDER, MESSAGE, RawFolder, message, raw_folder};
use super::Db;
use crate::model::{Address, FolderPath, PlatformId};

/// The ledger's tables. Whoever opens a workspace's database runs this once; it changes nothing that is there.
pub const SCHEMA: &str = include_str!("ledger/schema.sql");

/// What format 2 of the journal adds to [`SCHEMA`]: the messages of an open window are kept with the window, so that each
/// message is written once, when its outcome is known.
pub const FORMAT_2: &str = include_str!("ledger/format_2.sql");

/// Why the ledger refused.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// The database failed: disk full, file gone, corrupted.
    #[error("the ledger could not {doing}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// SQLite's words.
        #[source]
        source: rusqlite::Error,
    },
    /// A row holds something that no version of rehome writes.
    #[error("the ledger holds `{value}` where {expected} belongs")]
    Malformed {
        /// What is there.
        value: String,
        /// What should be.
        expected: &'static str,
    },
    /// Another run has begun to copy the same mailbox; this one must not send anything more.
    #[error("another run has taken over this mailbox")]
    Fenced,
    /// A message was about to be sent a second time. The account stops: this is a defect of rehome, never of the mail.
    #[error("the message with UID {uid} has been sent already (it is `{state}`)")]
    AlreadySent {
        /// UID at the source.
        uid: u32,
        /// Its state.
        state: String,
    },
    /// A test asked the ledger to die here.
    #[error("the ledger died, as a test asked for")]
    Fault,
}

/// Where a ledger dies, for tests of recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Before the n-th write (from 1) reaches the disk; every later write fails too.
    Before(u64),
    /// After the n-th write is on disk, before its caller learns of it; every later write fails too.
    After(u64),
}

#[derive(Debug, Default)]
struct FaultState {
    fault: Option<Fault>,
    writes: u64,
    /// What happens at the fault instead of an error.
    die: Option<fn()>,
}

/// The ledger of one workspace. Clones share the database.
#[derive(Clone, Debug)]
pub struct Ledger {
    db: Db,
    fault: Arc<Mutex<FaultState>>,
    /// Whose turn it is of those that call from async code.
    turn: Arc<tokio::sync::Mutex<()>>,
}

fn db(doing: &'static str) -> impl Fn(rusqlite::Error) -> LedgerError {
    move |source| LedgerError::Database { doing, source }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere leaves no half transaction behind: it was rolled back when it was dropped.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ledger {
    /// The ledger in a database whose tables exist ([`SCHEMA`]).
    #[must_use]
    pub fn new(db: Db) -> Self {
        Self { db, fault: Arc::default(), turn: Arc::default() }
    }

    /// Makes a call where it may block, one at a time: there is one database, and each thread that waits for it keeps
    /// memory of its own for good. A call that was begun comes to its end, also when nobody waits for it any more.
    ///
    /// # Errors
    /// When the call panicked, or the program is about to end.
    pub async fn off_thread<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, tokio::task::JoinError> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let ledger = self.clone();
        tokio::task::spawn_blocking(move || {
            let out = call(&ledger);
            drop(turn);
            out
        })
        .await
    }

    /// A ledger that is gone when it is dropped, for tests and rehearsals.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub fn in_memory() -> Result<Self, LedgerError> {
        let connection = Connection::open_in_memory().map_err(db("open"))?;
        connection.execute_batch(SCHEMA).map_err(db("make its tables"))?;
        connection.execute_batch(REGISTRY).map_err(db("make its tables"))?;
        connection.execute_batch(FORMAT_2).map_err(db("make its tables"))?;
        connection.execute_batch(TRAFFIC).map_err(db("make its tables"))?;
        connection.execute_batch(DOUBLES).map_err(db("make its tables"))?;
        connection.execute_batch(ACL).map_err(db("make its tables"))?;
        connection.execute_batch(CAPS).map_err(db("make its tables"))?;
        Ok(Self::new(Arc::new(Mutex::new(connection))))
    }

    /// Makes the ledger die at a write, for tests; counts writes from here on.
    pub fn set_fault(&self, fault: Option<Fault>) {
        *lock(&self.fault) = FaultState { fault, writes: 0, die: None };
    }

    /// Has `die` called at a write, so that a rehearsal can end the whole process there.
    pub fn die_at(&self, fault: Fault, die: fn()) {
        *lock(&self.fault) = FaultState { fault: Some(fault), writes: 0, die: Some(die) };
    }

    /// How many writes were made since [`set_fault`](Self::set_fault).
    #[must_use]
    pub fn writes(&self) -> u64 {
        lock(&self.fault).writes
    }

    /// Takes the mailbox: from now on every earlier lease of it is refused.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub fn begin(&self, account: &Address, source: &(PlatformId, Address)) -> Result<Lease, LedgerError> {
        self.write("take the mailbox", None, |tx| {
            let doing = db("take the mailbox");
            tx.query_row(
                "INSERT INTO ledger_mailbox (account, platform, address, epoch) VALUES (?1, ?2, ?3, 1)
                 ON CONFLICT (account, platform) DO UPDATE SET address = excluded.address, epoch = epoch + 1
                 RETURNING id, epoch",
                params![account.key(), source.0.as_str(), source.1.key()],
                |row| Ok(Lease { mailbox: row.get(0)?, epoch: row.get(1)? }),
            )
            .map_err(doing)
        })
    }

    /// The folders known of a mailbox, without taking it; none when it was never copied.
    ///
    /// # Errors
    /// [`LedgerError::Database`], [`LedgerError::Malformed`].
    pub fn known_folders(&self, account: &Address, platform: &PlatformId) -> Result<Vec<FolderRow>, LedgerError> {
        let connection = lock(&self.db);
        let sql = format!(
            "SELECT {FOLDER} FROM ledger_folder f JOIN ledger_mailbox m ON m.id = f.mailbox
             WHERE m.account = ?1 AND m.platform = ?2 ORDER BY f.path"
        );
        let mut statement = connection.prepare_cached(&sql).map_err(db("list folders"))?;
        let rows = statement.query_map(params![account.key(), platform.as_str()], raw_folder);
        let rows: Vec<RawFolder> = rows.and_then(Iterator::collect).map_err(db("list folders"))?;
        rows.into_iter().map(RawFolder::read).collect()
    }

    /// The row of a folder, made when it is not there.
    ///
    /// # Errors
    /// [`LedgerError::Fenced`], [`LedgerError::Database`], [`LedgerError::Malformed`].
    pub fn folder(&self, lease: Lease, path: &FolderPath) -> Result<FolderRow, LedgerError> {
        let doing = "open a folder";
        let key = serde_json::to_string(path).unwrap_or_default();
        let find = |connection: &Connection| {
            let sql = format!("SELECT {FOLDER} FROM ledger_folder f WHERE f.mailbox = ?1 AND f.path = ?2");
            connection
                .prepare_cached(&sql)
                .and_then(|mut statement| statement.query_row(params![lease.mailbox, key], raw_folder).optional())
                .map_err(db(doing))
        };
        let known = find(&lock(&self.db))?;
        let raw = match known {
            Some(raw) => raw,
            None => self.write(doing, Some(lease), |tx| {
                tx.prepare_cached("INSERT INTO ledger_folder (mailbox, path) VALUES (?1, ?2)")
                    .and_then(|mut statement| statement.execute(params![lease.mailbox, key]))
                    .map_err(db(doing))?;
                find(tx)?.ok_or_else(|| db(doing)(rusqlite::Error::QueryReturnedNoRows))
            })?,
        };
        raw.read()
    }

    /// Puts down which folders of the target were chosen, before they are made, so that a run after a crash chooses the
    /// same. Folders that were filled already keep theirs.
    ///
    /// # Errors
    /// [`LedgerError::Fenced`], [`LedgerError::Database`].
    pub fn choose_targets(&self, lease: Lease, chosen: &[(FolderPath, String)]) -> Result<(), LedgerError> {
        let doing = "put down where folders go";
        self.write(doing, Some(lease), |tx| {
            let mut statement = tx
                .prepare_cached(
                    "INSERT INTO ledger_folder (mailbox, path, target) VALUES (?1, ?2, ?3)
                     ON CONFLICT (mailbox, path) DO UPDATE SET target = excluded.target WHERE target_validity = 0",
                )
                .map_err(db(doing))?;
            for (path, target) in chosen {
                let key = serde_json::to_string(path).unwrap_or_default();
                statement.execute(params![lease.mailbox, key, target]).map_err(db(doing))?;
            }
            Ok(())
        })
    }

    /// Puts down what is known of a folder.
    ///
    /// # Errors
    /// [`LedgerError::Fenced`], [`LedgerError::Database`].
    pub fn save_folder(&self, lease: Lease, row: &FolderRow) -> Result<(), LedgerError> {
        self.write("write a folder", Some(lease), |tx| put_folder(tx, row))
    }

    /// The messages of a folder under one UIDVALIDITY of the source, by UID.
    ///
    /// # Errors
    /// [`LedgerError::Database`], [`LedgerError::Malformed`].
    pub fn messages(&self, folder: FolderId, validity: u32) -> Result<BTreeMap<u32, MessageRow>, LedgerError> {
        let sql = format!("SELECT {MESSAGE} FROM ledger_message WHERE folder = ?1 AND validity = ?2");
        let rows = self.select(&sql, &[&folder.0, &validity])?;
        Ok(rows.into_iter().map(|row| (row.uid, row)).collect())
    }

    /// The same, for a range of UIDs.
    ///
    /// # Errors
    /// [`LedgerError::Database`], [`LedgerError::Malformed`].
    pub fn messages_between(
        &self,
        folder: FolderId,
        validity: u32,
        uids: (u32, u32),
    ) -> Result<BTreeMap<u32, MessageRow>, LedgerError> {
        let sql = format!(
            "SELECT {MESSAGE} FROM ledger_message WHERE folder = ?1 AND validity = ?2 AND uid BETWEEN ?3 AND ?4"
        );
        let rows = self.select(&sql, &[&folder.0, &validity, &uids.0, &uids.1])?;
        Ok(rows.into_iter().map(|row| (row.uid, row)).collect())
    }

    /// The same, for single UIDs.
    ///
    /// # Errors
    /// [`LedgerError::Database`], [`LedgerError::Malformed`].
    pub fn messages_at(
        &self,
        folder: FolderId,
        validity: u32,
        uids: &BTreeSet<u32>,
    ) -> Result<BTreeMap<u32, MessageRow>, LedgerError> {
        let sql = format!(
            "SELECT {MESSAGE} FROM ledger_message
             WHERE folder = ?1 AND validity = ?2 AND uid IN (SELECT value FROM json_each(?3))"
        );
        let list = serde_json::to_string(uids).unwrap_or_default();
        let rows = self.select(&sql, &[&folder.0, &validity, &list])?;
        Ok(rows.into_iter().map(|row| (row.uid, row)).collect())
    }

    /// What became of the messages of a folder in ranges of UIDs: state, the word of a failed or excluded one, and how
    /// many.
    ///
    /// # Errors
    /// [`LedgerError::Database`], [`LedgerError::Malformed`].
    pub fn states_between(
        &self,
        folder: FolderId,
        validity: u32,
        ranges: &[(u32, u32)],
    ) -> Result<Vec<(MessageState, Option<String>, u64)>, LedgerError> {
        let connection = lock(&self.db);
        let doing = db("count messages");
        let mut statement = connection
            .prepare_cached(
                "SELECT state, class, count(*) FROM ledger_message
                 WHERE folder = ?1 AND validity = ?2 AND uid BETWEEN ?3 AND ?4 GROUP BY state, class",
            )
            .map_err(&doing)?;
        let mut out = Vec::new();
        for (first, last) in ranges {
            let rows = statement.query_map(params![folder.0, validity, first, last], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?, row.get::<_, i64>(2)?))
            });
            let rows: Vec<(String, Option<String>, i64)> = rows.and_then(Iterator::collect).map_err(&doing)?;
            for (word, class, n) in rows {
                let state = MessageState::from_word(&word)
                    .ok_or(LedgerError::Malformed { value: word, expected: "the state of a message" })?;
                out.push((state, class, u64::try_from(n).unwrap_or_default()));
            }
        }
        Ok(out)
    }

    /// The messages of a folder that were delivered under another UIDVALIDITY of the source.
    ///
    /// # Errors
    /// [`LedgerError::Database`], [`LedgerError::Malformed`].
    pub fn delivered_before(&self, folder: FolderId, validity: u32) -> Result<Vec<MessageRow>, LedgerError> {
        // Two ranges of the key: `<>` would look at every message of the folder.
        let part = |side: &str| {
            format!(
                "SELECT {MESSAGE}, validity FROM ledger_message
                 WHERE folder = ?1 AND validity {side} ?2 AND state IN ('acked', 'adopted')"
            )
        };
        let sql = format!("{} UNION ALL {} ORDER BY validity, uid DESC", part("<"), part(">"));
        self.select(&sql, &[&folder.0, &validity])
    }

    /// The UIDs at the target that belong to messages of this folder, under one UIDVALIDITY of the target.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub fn owned(&self, folder: FolderId, target_validity: u32, floor: u32) -> Result<BTreeSet<u32>, LedgerError> {
        let connection = lock(&self.db);
        let doing = db("list what the target was given");
        let mut statement = connection
            .prepare_cached(
                "SELECT target_uid FROM ledger_message
                 WHERE folder = ?1 AND target_validity = ?2 AND target_uid >= ?3 AND state IN ('acked', 'adopted')",
            )
            .map_err(&doing)?;
        let rows = statement.query_map(params![folder.0, target_validity, floor], |row| row.get(0));
        rows.and_then(Iterator::collect).map_err(doing)
    }

    /// The highest UID at the target that a message of this folder was given under that UIDVALIDITY; 0 for none.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub fn highest(&self, folder: FolderId, target_validity: u32) -> Result<u32, LedgerError> {
        lock(&self.db)
            .query_row(HIGHEST, params![folder.0, target_validity], |row| row.get(0))
            .map_err(db("ask for the last message at the target"))
    }

    /// [`highest`](Self::highest) of folders under the UIDVALIDITY that their rows know.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub fn highest_of(&self, rows: &[FolderRow]) -> Result<BTreeMap<FolderId, u32>, LedgerError> {
        let connection = lock(&self.db);
        let doing = db("ask for the last messages at the target");
        let mut statement = connection.prepare_cached(HIGHEST).map_err(&doing)?;
        rows.iter()
            .map(|row| {
                let highest = statement.query_row(params![row.id.0, row.target_validity], |found| found.get(0));
                Ok((row.id, highest.map_err(&doing)?))
            })
            .collect()
    }

    /// The windows of a mailbox whose outcome is not known, oldest first.
    ///
    /// # Errors
    /// [`LedgerError::Database`], [`LedgerError::Malformed`].
    pub fn open_windows(&self, lease: Lease) -> Result<Vec<OpenWindow>, LedgerError> {
        let doing = db("list open windows");
        let mut windows: Vec<OpenWindow> = {
            let connection = lock(&self.db);
            let mut statement = connection
                .prepare_cached(
                    "SELECT w.id, w.folder, w.source_validity, w.target_validity, w.floor
                     FROM ledger_window w JOIN ledger_folder f ON f.id = w.folder
                     WHERE f.mailbox = ?1 AND w.state = 'open' ORDER BY w.id",
                )
                .map_err(&doing)?;
            let rows = statement.query_map(params![lease.mailbox], |row| {
                Ok(OpenWindow {
                    id: WindowId(row.get(0)?),
                    folder: FolderId(row.get(1)?),
                    source_validity: row.get(2)?,
                    target_validity: row.get(3)?,
                    floor: row.get(4)?,
                    intents: Vec::new(),
                })
            });
            rows.and_then(Iterator::collect).map_err(doing)?
        };
        let connection = lock(&self.db);
        for window in &mut windows {
            window.intents = windows::intents(&connection, window.id)?;
        }
        Ok(windows)
    }

    /// Puts down, before the first octet is sent, what is about to be sent.
    ///
    /// # Errors
    /// [`LedgerError::AlreadySent`] when one of the messages has been delivered or is in doubt,
    /// [`LedgerError::Fenced`], [`LedgerError::Database`]. Nothing may be sent then.
    pub fn intend(&self, lease: Lease, intent: &Intent) -> Result<WindowId, LedgerError> {
        self.write("put down what is about to be sent", Some(lease), |tx| windows::open(tx, lease, intent))
    }

    /// Puts down what became of messages, and closes their window when none of it is left in doubt.
    ///
    /// # Errors
    /// [`LedgerError::Fenced`], [`LedgerError::Database`].
    pub fn settle(
        &self,
        lease: Lease,
        folder: (FolderId, u32),
        window: Option<WindowId>,
        outcomes: &[MessageRow],
    ) -> Result<(), LedgerError> {
        self.write("put down what became of messages", Some(lease), |tx| {
            windows::settle(tx, folder, &Settled { window, outcomes: outcomes.to_vec() })
        })
    }

    /// [`save_folder`](Self::save_folder), [`settle`](Self::settle) of what is over and [`intend`](Self::intend) of what
    /// comes next, as one write: the disk is waited for once per window. Messages of `over` are of `folder`, under its
    /// UIDVALIDITY at the source.
    ///
    /// # Errors
    /// As all three. Nothing of any is on disk then.
    pub fn advance(
        &self,
        lease: Lease,
        folder: (FolderId, u32),
        step: Step<'_>,
    ) -> Result<Option<WindowId>, LedgerError> {
        self.write("put down what became of messages and what comes next", Some(lease), |tx| {
            step.row.map(|row| put_folder(tx, row)).transpose()?;
            step.over.iter().try_for_each(|settled| windows::settle(tx, folder, settled))?;
            step.next.map(|intent| windows::open(tx, lease, intent)).transpose()
        })
    }

    /// Raises the UID above which the messages of an open window can land. Nothing of the window may be sent yet.
    ///
    /// # Errors
    /// [`LedgerError::Fenced`], [`LedgerError::Database`].
    pub fn raise_floor(&self, lease: Lease, window: WindowId, floor: u32) -> Result<(), LedgerError> {
        let doing = "raise the floor of a window";
        self.write(doing, Some(lease), |tx| {
            tx.execute("UPDATE ledger_window SET floor = max(floor, ?2) WHERE id = ?1", params![window.0, floor])
                .map(drop)
                .map_err(db(doing))
        })
    }

    /// Forgets that the target has the messages of a folder, because the whole target was replaced: they are matched
    /// anew by their digests, and sent again where there is no equal. Returns how many were delivered before.
    ///
    /// # Errors
    /// [`LedgerError::Fenced`], [`LedgerError::Database`].
    pub fn forget_deliveries(&self, lease: Lease, folder: FolderId) -> Result<u64, LedgerError> {
        let doing = "forget what the target had";
        self.write(doing, Some(lease), |tx| {
            let n = tx
                .execute(
                    "UPDATE ledger_message SET state = 'planned', target_uid = NULL, target_validity = NULL, window = NULL
                     WHERE folder = ?1 AND state IN ('acked', 'adopted', 'intent')",
                    params![folder.0],
                )
                .map_err(db(doing))?;
            let doubtful = windows::forget(tx, folder)?;
            Ok(n as u64 + doubtful)
        })
    }

    /// Runs one write as one transaction, under the lease, with the fault that a test may have asked for.
    fn write<T>(
        &self,
        doing: &'static str,
        lease: Option<Lease>,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let (fault, n, die) = {
            let mut state = lock(&self.fault);
            state.writes += 1;
            (state.fault, state.writes, state.die)
        };
        let struck = || {
            die.into_iter().for_each(|die| die());
            LedgerError::Fault
        };
        if matches!(fault, Some(Fault::Before(at)) if n >= at) || matches!(fault, Some(Fault::After(at)) if n > at) {
            return Err(struck());
        }
        let mut connection = lock(&self.db);
        let synchronous: i64 = connection.query_row("PRAGMA synchronous", [], |row| row.get(0)).map_err(db(doing))?;
        if synchronous < FULL {
            connection.pragma_update(None, "synchronous", FULL).map_err(db(doing))?;
        }
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(db(doing))?;
        if let Some(lease) = lease {
            let epoch: Option<i64> = tx
                .prepare_cached("SELECT epoch FROM ledger_mailbox WHERE id = ?1")
                .and_then(|mut statement| statement.query_row(params![lease.mailbox], |row| row.get(0)).optional())
                .map_err(db(doing))?;
            if epoch != Some(lease.epoch) {
                return Err(LedgerError::Fenced);
            }
        }
        let out = work(&tx)?;
        tx.commit().map_err(db(doing))?;
        if matches!(fault, Some(Fault::After(at)) if n == at) { Err(struck()) } else { Ok(out) }
    }

    fn select(&self, sql: &str, params: &[&dyn rusqlite::ToSql]) -> Result<Vec<MessageRow>, LedgerError> {
        let connection = lock(&self.db);
        let doing = db("read messages");
        let mut statement = connection.prepare_cached(sql).map_err(&doing)?;
        let rows = statement.query_map(params, |row| Ok(message(row)));
        let rows: Vec<Result<MessageRow, LedgerError>> = rows.and_then(Iterator::collect).map_err(doing)?;
        rows.into_iter().collect()
    }
}

fn put_folder(tx: &Transaction<'_>, row: &FolderRow) -> Result<(), LedgerError> {
    let doing = "write a folder";
    tx.prepare_cached(
        "UPDATE ledger_folder SET source_validity = ?2, target = ?3, target_validity = ?4, adopt_below = ?5,
                distrusted = ?6, status = ?7, counts = ?8 WHERE id = ?1",
    )
    .and_then(|mut statement| {
        statement.execute(params![
            row.id.0,
            row.source_validity,
            row.target,
            row.target_validity,
            row.adopt_below,
            row.distrusted,
            row.status.as_ref().and_then(|s| serde_json::to_string(s).ok()),
            row.counts.as_ref().and_then(|c| serde_json::to_string(c).ok()),
        ])
    })
    .map(drop)
    .map_err(db(doing))
}

/// The last words let SQLite use the index of what is at the target, which leaves out everything else.
const HIGHEST: &str = "SELECT coalesce(max(target_uid), 0) FROM ledger_message
     WHERE folder = ?1 AND target_validity = ?2 AND target_uid IS NOT NULL";

/// `PRAGMA synchronous`: each commit is on disk before it returns.
const FULL: i64 = 2;

#[cfg(test)]
mod tests;
