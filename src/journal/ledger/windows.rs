//! Windows in the database: opened before the first octet is sent, settled when the outcome is known.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    FolderId, Intent, Lease, LedgerError, MessageRow, Settled, WindowId, db,
    decode::{MESSAGE, join, message},
};

/// Opens a window.
pub(super) fn open(tx: &Transaction<'_>, lease: Lease, intent: &Intent) -> Result<WindowId, LedgerError> {
    let doing = "put down what is about to be sent";
    let mut find = tx
        .prepare_cached("SELECT state FROM ledger_message WHERE folder = ?1 AND validity = ?2 AND uid = ?3")
        .map_err(db(doing))?;
    let doubtful = doubtful(tx, intent.folder, intent.source_validity)?;
    let none = none_known(tx, intent)?;
    for message in &intent.messages {
        let state: Option<String> = if none {
            None
        } else {
            find.query_row(params![intent.folder.0, intent.source_validity, message.uid], |row| row.get(0))
                .optional()
                .map_err(db(doing))?
        };
        let sent = state.filter(|s| matches!(s.as_str(), "acked" | "adopted" | "intent"));
        let sent = sent.or_else(|| doubtful.contains(&message.uid).then(|| "intent".to_owned()));
        if let Some(state) = sent {
            return Err(LedgerError::AlreadySent { uid: message.uid, state });
        }
    }
    tx.prepare_cached(
        "INSERT INTO ledger_window (folder, source_validity, target_validity, floor, epoch, state, intents)
         VALUES (?1, ?2, ?3, ?4, ?5, 'open', ?6)",
    )
    .and_then(|mut statement| {
        statement.execute(params![
            intent.folder.0,
            intent.source_validity,
            intent.target_validity,
            intent.floor,
            lease.epoch,
            written(&intent.messages),
        ])
    })
    .map_err(db(doing))?;
    Ok(WindowId(tx.last_insert_rowid()))
}

/// Whether nothing is known of any message from the first UID of an intent to the last: one question instead of many.
fn none_known(tx: &Transaction<'_>, intent: &Intent) -> Result<bool, LedgerError> {
    let uids = || intent.messages.iter().map(|message| message.uid);
    let (Some(first), Some(last)) = (uids().min(), uids().max()) else { return Ok(true) };
    tx.prepare_cached(
        "SELECT NOT EXISTS (SELECT 1 FROM ledger_message WHERE folder = ?1 AND validity = ?2 AND uid BETWEEN ?3 AND ?4)",
    )
    .and_then(|mut statement| {
        statement.query_row(params![intent.folder.0, intent.source_validity, first, last], |row| row.get(0))
    })
    .map_err(db("put down what is about to be sent"))
}

/// Puts outcomes down, and closes their window when none is missing.
pub(super) fn settle(tx: &Transaction<'_>, folder: (FolderId, u32), settled: &Settled) -> Result<(), LedgerError> {
    let doing = "put down what became of messages";
    let left = match settled.window {
        None => None,
        Some(window) => {
            let over: BTreeSet<u32> = settled.outcomes.iter().map(|row| row.uid).collect();
            let mut left = Vec::new();
            if uids(tx, window)?.iter().any(|uid| !over.contains(uid)) {
                left = intents(tx, window)?;
                left.retain(|row| !over.contains(&row.uid));
            }
            Some((window, left))
        }
    };
    let place = Place { folder: folder.0, validity: folder.1, window: settled.window };
    for row in &settled.outcomes {
        put(tx, place, row)?;
    }
    let Some((window, left)) = left else { return Ok(()) };
    let (state, left) = if left.is_empty() { ("settled", None) } else { ("open", Some(written(&left))) };
    tx.prepare_cached("UPDATE ledger_window SET state = ?2, intents = ?3 WHERE id = ?1")
        .and_then(|mut statement| statement.execute(params![window.0, state, left]))
        .map(drop)
        .map_err(db(doing))
}

/// The messages of a window that have no outcome yet, by UID.
pub(super) fn intents(connection: &Connection, window: WindowId) -> Result<Vec<MessageRow>, LedgerError> {
    let doing = db(READING);
    if let Some(text) = text(connection, window)? {
        let mut rows: Vec<MessageRow> = read(text)?;
        rows.sort_unstable_by_key(|row| row.uid);
        return Ok(rows);
    }
    // Format 1 kept them among the messages.
    let sql = format!("SELECT {MESSAGE} FROM ledger_message WHERE window = ?1 AND state = 'intent' ORDER BY uid");
    let mut statement = connection.prepare_cached(&sql).map_err(&doing)?;
    let rows = statement.query_map(params![window.0], |row| Ok(message(row)));
    let rows: Vec<Result<MessageRow, LedgerError>> = rows.and_then(Iterator::collect).map_err(&doing)?;
    rows.into_iter().collect()
}

/// What an open window is read for.
const READING: &str = "read an open window";

fn text(connection: &Connection, window: WindowId) -> Result<Option<String>, LedgerError> {
    connection
        .prepare_cached("SELECT intents FROM ledger_window WHERE id = ?1")
        .and_then(|mut statement| statement.query_row(params![window.0], |row| row.get(0)))
        .map_err(db(READING))
}

/// What has to be known of a message to tell whether it has an outcome. The rest of it is passed over, which takes a
/// fraction of the time.
#[derive(Deserialize)]
struct Numbered {
    uid: u32,
}

/// The UIDs of the messages of a window that have no outcome yet.
fn uids(connection: &Connection, window: WindowId) -> Result<Vec<u32>, LedgerError> {
    match text(connection, window)? {
        Some(text) => Ok(read::<Numbered>(text)?.into_iter().map(|message| message.uid).collect()),
        None => Ok(intents(connection, window)?.into_iter().map(|row| row.uid).collect()),
    }
}

/// Puts the messages of open windows back among those to be copied, and closes the windows. Returns how many those are.
pub(super) fn forget(tx: &Transaction<'_>, folder: FolderId) -> Result<u64, LedgerError> {
    let doing = "forget what the target had";
    let mut n = 0;
    for (window, validity) in open_of(tx, folder)? {
        let outcomes: Vec<MessageRow> = intents(tx, window)?;
        n += outcomes.len() as u64;
        settle(tx, (folder, validity), &Settled { window: Some(window), outcomes })?;
    }
    tx.execute("UPDATE ledger_message SET state = 'planned' WHERE folder = ?1 AND state = 'intent'", params![folder.0])
        .map_err(db(doing))?;
    Ok(n)
}

fn open_of(tx: &Transaction<'_>, folder: FolderId) -> Result<Vec<(WindowId, u32)>, LedgerError> {
    let doing = db("list open windows");
    let mut statement = tx
        .prepare_cached(
            "SELECT id, source_validity FROM ledger_window WHERE folder = ?1 AND state = 'open' ORDER BY id",
        )
        .map_err(&doing)?;
    let rows = statement.query_map(params![folder.0], |row| Ok((WindowId(row.get(0)?), row.get(1)?)));
    rows.and_then(Iterator::collect).map_err(doing)
}

/// The UIDs of a folder that are in doubt.
fn doubtful(tx: &Transaction<'_>, folder: FolderId, validity: u32) -> Result<BTreeSet<u32>, LedgerError> {
    let mut out = BTreeSet::new();
    for (window, _) in open_of(tx, folder)?.into_iter().filter(|(_, v)| *v == validity) {
        out.extend(uids(tx, window)?);
    }
    Ok(out)
}

fn written(rows: &[MessageRow]) -> String {
    // Rows hold nothing that JSON cannot: numbers, text, hexadecimal digests.
    serde_json::to_string(rows).unwrap_or_default()
}

fn read<T: DeserializeOwned>(text: String) -> Result<Vec<T>, LedgerError> {
    serde_json::from_str(&text)
        .map_err(|_| LedgerError::Malformed { value: text, expected: "the messages of an open window" })
}

#[derive(Clone, Copy)]
struct Place {
    folder: FolderId,
    validity: u32,
    window: Option<WindowId>,
}

macro_rules! message_row {
    ($verb:literal) => {
        concat!(
            "INSERT OR ",
            $verb,
            " INTO ledger_message (folder, validity, uid, state, digest, octets, announced, date,
                 source_flags, target_flags, target_validity, target_uid, window, class, reason)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"
        )
    };
}

fn put(tx: &Transaction<'_>, place: Place, row: &MessageRow) -> Result<(), LedgerError> {
    // Most messages are new. SQLite keeps a way back for each row that may replace another one, and none for one that
    // may be passed over. What was passed over, whatever the reason, goes to the statement that tells why it cannot be.
    if write(tx, message_row!("IGNORE"), place, row)? == 0 {
        write(tx, message_row!("REPLACE"), place, row)?;
    }
    Ok(())
}

/// Writes a message, and gives how many rows were written.
fn write(tx: &Transaction<'_>, sql: &str, place: Place, row: &MessageRow) -> Result<usize, LedgerError> {
    let doing = "write a message";
    let mut statement = tx.prepare_cached(sql).map_err(db(doing))?;
    let octets = i64::try_from(row.octets).unwrap_or(i64::MAX);
    let announced = i64::try_from(row.announced).unwrap_or(i64::MAX);
    statement
        .execute(params![
            place.folder.0,
            place.validity,
            row.uid,
            row.state.word(),
            row.digest.as_ref().map(|d| d.0.as_slice()),
            octets,
            announced,
            row.date,
            join(&row.source_flags),
            join(&row.target_flags),
            row.target.map(|(validity, _)| validity),
            row.target.map(|(_, uid)| uid),
            place.window.map(|w| w.0),
            row.class,
            row.reason,
        ])
        .map_err(db(doing))
}
