//! The file: opening, creating, migrating, and the one way in which a transaction is made.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant, SystemTime},
};

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior, config::DbConfig};

use super::{Db, JournalError, fault::Faults, ledger};

/// The name of the file in its folder.
pub const FILE: &str = "journal.db";

/// What makes a SQLite file a journal of rehome: `PRAGMA application_id`, "rhom".
const APPLICATION_ID: i32 = 0x7268_6f6d;

/// Migration `n` makes format `n + 1` out of format `n`. A released one never changes.
const MIGRATIONS: &[&[&str]] = &[
    &[include_str!("schema.sql"), ledger::SCHEMA],
    &[ledger::FORMAT_2],
    &[ledger::TRAFFIC],
    &[ledger::REGISTRY],
    &[ledger::DOUBLES, ledger::ACL, ledger::CAPS],
];

/// The newest format, which is what this program writes.
pub const FORMAT: u32 = MIGRATIONS.len() as u32;

/// How long a statement waits for somebody else's transaction.
const PATIENCE: Duration = Duration::from_secs(5);

/// An open journal file.
#[derive(Debug)]
pub(super) struct Store {
    db: Db,
    folder: PathBuf,
    path: PathBuf,
    read_only: bool,
    pub(super) faults: Faults,
}

/// How a reader opened the file: by SQLite's rules, or as a file that nobody changes, with what it looked like then.
type Stamp = Option<(u64, SystemTime)>;

impl Store {
    /// Opens a journal for writing; makes folder and file where they are missing.
    pub(super) fn open(folder: &Path) -> Result<Self, JournalError> {
        make_folder(folder)?;
        let path = folder.join(FILE);
        let mut conn = Connection::open_with_flags(
            &path,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )
        .map_err(|e| match e.sqlite_error_code() {
            Some(rusqlite::ErrorCode::CannotOpen) => JournalError::ReadOnly { path: path.clone(), source: None },
            _ => JournalError::sql(&path, e),
        })?;
        prepare(&path, &mut conn)?;
        owner_only(&path, 0o600)?;
        Ok(Self::new(conn, folder, path, false))
    }

    /// Opens a journal for reading. `None` when there is none.
    pub(super) fn open_read_only(folder: &Path) -> Result<Option<Self>, JournalError> {
        let path = folder.join(FILE);
        match fs::metadata(&path) {
            Ok(meta) if meta.len() == 0 => return Ok(None),
            Ok(_) => {}
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
            Err(source) => return Err(JournalError::Io { what: "reading", path, source }),
        }
        let (conn, found) = undisturbed(&path, |conn| recognise(&path, conn))?;
        let store = Self::new(conn, folder, path, true);
        // A file whose first transaction was never committed holds nothing.
        Ok(if found == 0 { None } else { Some(store) })
    }

    fn new(conn: Connection, folder: &Path, path: PathBuf, read_only: bool) -> Self {
        let db = Arc::new(Mutex::new(conn));
        Self { db, folder: folder.to_owned(), path, read_only, faults: Faults::default() }
    }

    pub(super) fn db(&self) -> Db {
        Arc::clone(&self.db)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A panic elsewhere cannot leave a transaction open: it is rolled back when it is dropped.
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn sql(&self, error: rusqlite::Error) -> JournalError {
        JournalError::sql(&self.path, error)
    }

    pub(super) fn content(&self, what: &'static str, detail: impl Into<String>) -> JournalError {
        JournalError::Content { path: self.path.clone(), what, detail: detail.into() }
    }

    /// Makes one transaction of everything that `f` writes.
    pub(super) fn transaction<T>(
        &self,
        f: impl FnOnce(&Transaction<'_>) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        if self.read_only {
            return Err(JournalError::ReadOnly { path: self.path.clone(), source: None });
        }
        self.faults.alive()?;
        let mut conn = self.lock();
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(|e| self.sql(e))?;
        let value = f(&tx)?;
        tx.commit().map_err(|e| self.sql(e))?;
        Ok(value)
    }

    /// Reads from one consistent picture of the file.
    pub(super) fn read<T>(&self, f: impl Fn(&Connection) -> Result<T, JournalError>) -> Result<T, JournalError> {
        self.faults.alive()?;
        let mut conn = self.lock();
        if !self.read_only {
            let tx = conn.transaction().map_err(|e| self.sql(e))?;
            return f(&tx);
        }
        let (fresh, result) = undisturbed(&self.path, f)?;
        *conn = fresh;
        Ok(result)
    }

    /// Checks the whole file, page by page.
    pub(super) fn check(&self) -> Result<(), JournalError> {
        self.read(|conn| quick_check(&self.path, conn, "1"))
    }
}

/// Opens the file so that nothing is created beside it: when no other program has it open there is no `-wal`, and it
/// is read as an immutable file; with a `-wal` the files that SQLite needs are already there.
fn reader(path: &Path) -> Result<(Connection, Stamp), JournalError> {
    let stamp = stamp_of(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let immutable = if stamp.is_some() { "?immutable=1" } else { "" };
    let conn = Connection::open_with_flags(format!("file:{}{immutable}", escape(path)), flags)
        .and_then(|conn| conn.busy_timeout(PATIENCE).map(|()| conn))
        .map_err(|e| JournalError::sql(path, e))?;
    Ok((conn, stamp))
}

/// Reads from a connection of its own. Who took the file for one that nobody changes looks again whether that was so.
fn undisturbed<T>(
    path: &Path,
    read: impl Fn(&Connection) -> Result<T, JournalError>,
) -> Result<(Connection, T), JournalError> {
    for _ in 0..8 {
        let (mut conn, stamp) = reader(path)?;
        let result = conn.transaction().map_err(|e| JournalError::sql(path, e)).and_then(|picture| read(&picture));
        if stamp.is_none() || stamp == stamp_of(path)? {
            return result.map(|value| (conn, value));
        }
    }
    Err(JournalError::Busy(path.to_owned()))
}

/// Size and time of a file that nobody has open for writing; `None` while somebody has.
fn stamp_of(path: &Path) -> Result<Stamp, JournalError> {
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    if fs::metadata(wal).is_ok_and(|meta| meta.len() > 0) {
        return Ok(None);
    }
    let io = |source| JournalError::Io { what: "reading", path: path.to_owned(), source };
    let meta = fs::metadata(path).map_err(io)?;
    Ok(Some((meta.len(), meta.modified().map_err(io)?)))
}

/// Escapes what has a meaning in the path of a URI (<https://www.sqlite.org/uri.html>).
fn escape(path: &Path) -> String {
    let text = path.to_string_lossy();
    let text = if cfg!(windows) { format!("/{}", text.replace('\\', "/")) } else { text.into_owned() };
    text.replace('%', "%25").replace('?', "%3f").replace('#', "%23")
}

fn prepare(path: &Path, conn: &mut Connection) -> Result<(), JournalError> {
    let sql = |e| JournalError::sql(path, e);
    conn.busy_timeout(PATIENCE).map_err(sql)?;
    // More than the statements of the ledger.
    conn.set_prepared_statement_cache_capacity(64);
    // One picture of the file: another process may be making the journal just now.
    let picture = conn.transaction().map_err(sql)?;
    let found = recognise(path, &picture)?;
    drop(picture);
    write_ahead(conn).map_err(sql)?;
    conn.pragma_update(None, "synchronous", "FULL").map_err(sql)?;
    conn.pragma_update(None, "foreign_keys", true).map_err(sql)?;
    conn.pragma_update(None, "temp_store", "MEMORY").map_err(sql)?;
    // Else some statements are prepared anew for each value that is bound to them.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(sql)?;
    if found < FORMAT {
        migrate(path, conn, MIGRATIONS)?;
    }
    for table in tables(conn).map_err(sql)? {
        quick_check(path, conn, &format!("'{table}'"))?;
    }
    Ok(())
}

/// The tables that are checked whenever the journal is opened: all but the one with a row for every message, which would
/// take longer than most runs. A damaged page of that is told when it is read.
fn tables(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    let names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'ledger_message'";
    conn.prepare(names)?.query_map([], |row| row.get(0))?.collect()
}

/// Chooses the write-ahead log. That needs the file for a moment, and SQLite does not wait for it by itself.
#[expect(clippy::disallowed_methods, reason = "SQLite blocks too; the journal is opened where that does no harm")]
fn write_ahead(conn: &Connection) -> rusqlite::Result<()> {
    let until = Instant::now() + PATIENCE;
    loop {
        match conn.pragma_update(None, "journal_mode", "WAL") {
            Err(e) if e.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) && Instant::now() < until => {
                thread::sleep(Duration::from_millis(5));
            }
            done => return done,
        }
    }
}

/// The format of the file, 0 for an empty one.
fn recognise(path: &Path, conn: &Connection) -> Result<u32, JournalError> {
    let sql = |e| JournalError::sql(path, e);
    let id: i32 = conn.pragma_query_value(None, "application_id", |r| r.get(0)).map_err(sql)?;
    let tables: u32 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0)).map_err(sql)?;
    if tables == 0 && id == 0 {
        return Ok(0);
    }
    if id != APPLICATION_ID {
        return Err(JournalError::Foreign(path.to_owned()));
    }
    let text: String = conn.query_row("SELECT value FROM meta WHERE key = 'format'", [], |r| r.get(0)).map_err(sql)?;
    let found: u32 = text.parse().map_err(|_| JournalError::Content {
        path: path.to_owned(),
        what: "a format",
        detail: format!("`{text}` is no number"),
    })?;
    if found > FORMAT {
        return Err(JournalError::Newer { path: path.to_owned(), found, supported: FORMAT });
    }
    Ok(found)
}

/// Makes the newest format out of what is there, all in one transaction.
fn migrate(path: &Path, conn: &mut Connection, migrations: &[&[&str]]) -> Result<(), JournalError> {
    let sql = |e| JournalError::sql(path, e);
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sql)?;
    // Somebody else may have done it while we waited for the lock.
    let found = recognise(path, &tx)?;
    for batch in migrations.iter().skip(found as usize).copied().flatten() {
        tx.execute_batch(batch).map_err(sql)?;
    }
    tx.pragma_update(None, "application_id", APPLICATION_ID).map_err(sql)?;
    tx.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('format', ?1)", [migrations.len().to_string()])
        .map_err(sql)?;
    tx.commit().map_err(sql)
}

fn quick_check(path: &Path, conn: &Connection, what: &str) -> Result<(), JournalError> {
    let sql = format!("PRAGMA quick_check({what})");
    let verdict: String = conn.query_row(&sql, [], |r| r.get(0)).map_err(|e| JournalError::sql(path, e))?;
    if verdict == "ok" { Ok(()) } else { Err(JournalError::Corrupt { path: path.to_owned(), detail: verdict }) }
}

fn make_folder(folder: &Path) -> Result<(), JournalError> {
    if folder.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(folder).map_err(|source| match source.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            JournalError::ReadOnly { path: folder.to_owned(), source: Some(source) }
        }
        _ => JournalError::Io { what: "creating the folder", path: folder.to_owned(), source },
    })?;
    owner_only(folder, 0o700)?;
    // A journal names people and machines and is no text: it has no place in a repository. Nothing depends on this.
    let _ = fs::write(folder.join(".gitignore"), "*\n");
    Ok(())
}

#[cfg(unix)]
fn owner_only(path: &Path, mode: u32) -> Result<(), JournalError> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(|source| JournalError::Io {
        what: "setting the mode of",
        path: path.to_owned(),
        source,
    })
}

#[cfg(not(unix))]
fn owner_only(_path: &Path, _mode: u32) -> Result<(), JournalError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_format_is_brought_up_and_a_failed_step_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let mut conn = Connection::open(&path).unwrap();
        migrate(&path, &mut conn, MIGRATIONS).unwrap();
        let format = |conn: &Connection| -> String {
            conn.query_row("SELECT value FROM meta WHERE key = 'format'", [], |r| r.get(0)).unwrap()
        };

        let made: Vec<&[&str]> = vec![&["nonsense, but already made"]; FORMAT as usize];
        let mut broken = made.clone();
        broken.push(&["CREATE TABLE later (id INTEGER)", "nonsense"]);
        assert!(migrate(&path, &mut conn, &broken).is_err());
        assert_eq!(format(&conn), FORMAT.to_string());

        let mut longer = made;
        longer.push(&["CREATE TABLE later (id INTEGER)"]);
        migrate(&path, &mut conn, &longer).unwrap();
        conn.execute("INSERT INTO later VALUES (1)", []).unwrap();
        assert_eq!(format(&conn), (FORMAT + 1).to_string());
        assert!(matches!(recognise(&path, &conn), Err(JournalError::Newer { found, .. }) if found == FORMAT + 1));
    }
}
