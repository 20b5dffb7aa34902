//! One writer at a time: a lease with an epoch, a heartbeat and a sign of life that the system takes away.
//!
//! Three things decide who may write:
//! - the **row** says who has the lease and until when; a heartbeat moves that moment on;
//! - a **lock file** per epoch is held by the process. The system lets go of it when the process ends, however it ends,
//!   so the lease of a dead process is taken over at once on the same host, and no number of a process is ever trusted;
//! - the **epoch** grows with every owner, and every write is refused by the database itself when the epoch of its
//!   connection is not the newest. A process that slept through its expiry wakes up without being able to write.

use std::{
    fs::{File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::{Journal, JournalError, store::Store};
use crate::model::RunId;

/// What the triggers say when a writer has lost its lease.
pub(super) const FENCED: &str = "rehome: the lease is lost";

/// The right to write to a journal. Dropping it without [`release`](Self::release) is what a crash does.
#[derive(Debug)]
pub struct Lease {
    pub(super) store: std::sync::Arc<Store>,
    pub(super) epoch: i64,
    pub(super) actor: String,
    pub(super) host: String,
    pub(super) pid: u32,
    ttl: Duration,
    /// Held for as long as the process lives; `None` where the file system has no locks, then expiry alone decides.
    sign_of_life: Mutex<Option<File>>,
}

/// The lease as it stands in its row.
struct Row {
    epoch: i64,
    owner: Option<String>,
    host: String,
    pid: u32,
    run: Option<RunId>,
    since: Timestamp,
    expires: Timestamp,
}

impl Journal {
    /// Takes the lease, if it is free, expired, or its owner on this host is dead.
    ///
    /// `actor` is what others read when they have to wait; `ttl` is how long the lease lasts without
    /// [`Lease::renew`].
    ///
    /// # Errors
    /// [`JournalError::Locked`] when somebody has it.
    pub fn acquire_lease(&self, actor: &str, ttl: Duration) -> Result<Lease, JournalError> {
        let store = std::sync::Arc::clone(&self.store);
        let host = host_name();
        let pid = std::process::id();
        let (epoch, before, life) = store.transaction(|tx| {
            let row = read(&store, tx)?;
            let now = Timestamp::now();
            if let Some(owner) = &row.owner {
                let here = row.host == host;
                let dead = here && is_free(&lock_path(store.folder(), row.epoch));
                if !dead && now < row.expires {
                    return Err(JournalError::Locked {
                        owner: owner.clone(),
                        host: row.host.clone(),
                        pid: row.pid,
                        run: row.run.clone(),
                        since: row.since,
                        expires: row.expires,
                    });
                }
            }
            let epoch = row.epoch + 1;
            let life = hold(&lock_path(store.folder(), epoch))?;
            tx.execute(
                "UPDATE lease SET epoch = ?1, owner = ?2, host = ?3, pid = ?4, run = NULL, since = ?5, expires = ?6",
                params![epoch, actor, host, pid, now.to_string(), expiry(now, ttl).to_string()],
            )
            .map_err(|e| store.sql(e))?;
            arm(tx, epoch).map_err(|e| store.sql(e))?;
            Ok((epoch, row.epoch, life))
        })?;
        // The old lock file is only litter from here on.
        let _ = std::fs::remove_file(lock_path(store.folder(), before));
        Ok(Lease { store, epoch, actor: actor.to_owned(), host, pid, ttl, sign_of_life: Mutex::new(life) })
    }
}

impl Lease {
    /// The number that this lease puts on everything it writes.
    #[must_use]
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// How long it lasts without a sign of life. A third of it is a good heartbeat.
    #[must_use]
    pub fn ttl(&self) -> Duration {
        self.ttl
    }

    /// Moves the moment on at which others may take the lease. Every write does so, too.
    ///
    /// # Errors
    /// [`JournalError::Fenced`] when somebody has taken it.
    pub fn renew(&self) -> Result<(), JournalError> {
        self.store.transaction(|tx| self.extend(tx))
    }

    /// Gives the lease back. What this journal's connection writes afterwards is refused.
    ///
    /// # Errors
    /// [`JournalError::Fenced`] when somebody has taken it.
    pub fn release(self) -> Result<(), JournalError> {
        let result = self.store.transaction(|tx| {
            let rows = tx
                .execute(
                    "UPDATE lease SET owner = NULL, host = NULL, pid = NULL, run = NULL, since = NULL, expires = NULL
                     WHERE epoch = ?1",
                    [self.epoch],
                )
                .and_then(|n| tx.execute("UPDATE fence_holder SET epoch = -1", []).map(|_| n))
                .map_err(|e| self.store.sql(e))?;
            if rows == 1 { Ok(()) } else { Err(JournalError::Fenced) }
        });
        if result.is_ok() {
            let _ = std::fs::remove_file(lock_path(self.store.folder(), self.epoch));
        }
        drop(self.sign_of_life.into_inner());
        result
    }

    /// Checks the epoch and moves the expiry on, inside a transaction that writes something else.
    pub(super) fn extend(&self, tx: &Transaction<'_>) -> Result<(), JournalError> {
        let until = expiry(Timestamp::now(), self.ttl).to_string();
        let rows = tx
            .execute("UPDATE lease SET expires = ?1 WHERE epoch = ?2 AND owner IS NOT NULL", params![until, self.epoch])
            .map_err(|e| self.store.sql(e))?;
        if rows == 1 { Ok(()) } else { Err(JournalError::Fenced) }
    }
}

fn read(store: &Store, conn: &Connection) -> Result<Row, JournalError> {
    let text = |time: Option<String>| {
        // A time that cannot be read has passed: it must not keep a workspace locked for ever.
        time.and_then(|t| t.parse().ok()).unwrap_or(Timestamp::UNIX_EPOCH)
    };
    conn.query_row("SELECT epoch, owner, host, pid, run, since, expires FROM lease WHERE id = 1", [], |r| {
        Ok(Row {
            epoch: r.get(0)?,
            owner: r.get(1)?,
            host: r.get::<_, Option<String>>(2)?.unwrap_or_default(),
            pid: r.get::<_, Option<u32>>(3)?.unwrap_or_default(),
            run: r.get::<_, Option<String>>(4)?.map(RunId),
            since: text(r.get(5)?),
            expires: text(r.get(6)?),
        })
    })
    .optional()
    .map_err(|e| store.sql(e))?
    .ok_or_else(|| store.content("the lease", "its row is missing"))
}

/// Makes the database refuse every write of this connection once the epoch moves on: also those of the ledger, which
/// knows nothing of leases.
fn arm(conn: &Connection, epoch: i64) -> rusqlite::Result<()> {
    conn.execute_batch(
        "CREATE TEMP TABLE IF NOT EXISTS fence_holder (epoch INTEGER NOT NULL); DELETE FROM fence_holder;",
    )?;
    conn.execute("INSERT INTO fence_holder (epoch) VALUES (?1)", [epoch])?;
    let mut tables = conn.prepare(
        "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~'
         AND name <> 'lease'",
    )?;
    let names: Vec<String> = tables.query_map([], |r| r.get(0))?.collect::<Result<_, _>>()?;
    for table in names {
        for op in ["INSERT", "UPDATE", "DELETE"] {
            conn.execute_batch(&format!(
                r#"CREATE TEMP TRIGGER IF NOT EXISTS "fence_{op}_{table}" BEFORE {op} ON main."{table}"
                   WHEN (SELECT epoch FROM lease) IS NOT (SELECT epoch FROM fence_holder)
                   BEGIN SELECT RAISE(ABORT, '{FENCED}'); END"#
            ))?;
        }
    }
    Ok(())
}

fn expiry(now: Timestamp, ttl: Duration) -> Timestamp {
    SignedDuration::try_from(ttl).ok().and_then(|d| now.checked_add(d).ok()).unwrap_or(Timestamp::MAX)
}

fn lock_path(folder: &Path, epoch: i64) -> PathBuf {
    folder.join(format!("lease-{epoch}.lock"))
}

/// Whether nobody holds that lock file. A missing file is held by nobody.
fn is_free(path: &Path) -> bool {
    match File::open(path) {
        Ok(file) => match file.try_lock() {
            Ok(()) => true,
            // Where locks are not supported nothing is known: only the expiry counts.
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => false,
        },
        Err(e) => e.kind() == std::io::ErrorKind::NotFound,
    }
}

fn hold(path: &Path) -> Result<Option<File>, JournalError> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(|source| JournalError::Io { what: "creating the lock file", path: path.to_owned(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock | TryLockError::Error(_)) => Ok(None),
    }
}

/// The name of this host, as far as it can be told without asking a network. It is compared with itself and shown.
pub(super) fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .or_else(|| std::env::var("HOSTNAME").ok())
        .or_else(|| std::env::var("COMPUTERNAME").ok())
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "this host".to_owned())
}
