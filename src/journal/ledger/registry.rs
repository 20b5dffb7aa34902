//! The registry of messages that could not be copied: what failed, how often, since when, and what a person decided.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::{Lease, Ledger, LedgerError, db, lock};
use crate::model::{Address, FolderPath, PlatformId};

/// The registry's tables. Running it again changes nothing that is there.
pub const REGISTRY: &str = include_str!("registry.sql");

/// A message that could not be copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// UIDVALIDITY at the source.
    pub uid_validity: u32,
    /// UID at the source.
    pub uid: u32,
    /// A short stable word, such as `too-large`.
    pub class: String,
    /// The server's words, or ours.
    pub reason: String,
    /// Its size as it was read, or as the source announced it.
    pub octets: u64,
    /// INTERNALDATE in seconds since 1970.
    pub date: Option<i64>,
    /// What the target took at most when it was tried; `None` where it does not tell.
    pub append_limit: Option<u64>,
}

/// A failed message as the registry knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The folder at the source.
    pub folder: FolderPath,
    /// How it failed the last time it was tried.
    pub failure: Failure,
    /// When it first failed.
    pub first: Timestamp,
    /// When it was last tried.
    pub last: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// What a person decided.
    pub decision: Option<Decision>,
}

/// What a person decided of a failed message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The next pass tries it again.
    Retry,
    /// It is left out from now on, for this reason.
    Ignore(String),
}

/// Whose failed messages they are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner {
    /// The address of the spec, lower case.
    pub account: String,
    /// The platform that its mail comes from.
    pub platform: PlatformId,
}

/// One message: the folder at the source, UIDVALIDITY, UID.
pub type FailureKey = (FolderPath, u32, u32);

const COLUMNS: &str = "m.account, m.platform, f.folder, f.validity, f.uid, f.class, f.reason, f.octets, f.date, \
                       f.append_limit, f.first, f.last, f.attempts, f.decision, f.note";

impl Ledger {
    /// Every failed message of a workspace, by account, folder and UID. Empty for a journal from before there was a
    /// registry.
    ///
    /// # Errors
    /// [`LedgerError::Database`], [`LedgerError::Malformed`].
    pub fn failures(&self) -> Result<Vec<(Owner, Registered)>, LedgerError> {
        self.registered("", &[])
    }

    /// The failed messages of one account and source.
    ///
    /// # Errors
    /// [`LedgerError::Database`], [`LedgerError::Malformed`].
    pub fn failures_of(&self, account: &Address, platform: &PlatformId) -> Result<Vec<Registered>, LedgerError> {
        let rows =
            self.registered("WHERE m.account = ?1 AND m.platform = ?2", &[&account.key(), &platform.as_str()])?;
        Ok(rows.into_iter().map(|(_, row)| row).collect())
    }

    fn registered(
        &self,
        condition: &str,
        values: &[&dyn rusqlite::ToSql],
    ) -> Result<Vec<(Owner, Registered)>, LedgerError> {
        let connection = lock(&self.db);
        let doing = db("read the registry of failed messages");
        if !exists(&connection, "ledger_failure")? {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT {COLUMNS} FROM ledger_failure f JOIN ledger_mailbox m ON m.id = f.mailbox {condition}
             ORDER BY m.account, m.platform, f.folder, f.validity, f.uid"
        );
        let mut statement = connection.prepare(&sql).map_err(&doing)?;
        let rows = statement.query_map(values, |row| Ok(read(row)));
        let rows: Vec<Result<_, LedgerError>> = rows.and_then(Iterator::collect).map_err(doing)?;
        rows.into_iter().collect()
    }

    /// Puts down which messages of a folder failed in a pass.
    ///
    /// `tried` failed now; one more attempt is counted and an earlier word to try again is spent. `kept` were not tried,
    /// because they would fail again or are ignored. Whatever else the registry has of the folder is over.
    ///
    /// # Errors
    /// [`LedgerError::Fenced`], [`LedgerError::Database`].
    pub fn register(
        &self,
        lease: Lease,
        folder: &FolderPath,
        tried: &[Failure],
        kept: &BTreeSet<(u32, u32)>,
    ) -> Result<(), LedgerError> {
        let doing = "put down which messages failed";
        let key = serde_json::to_string(folder).unwrap_or_default();
        let now = Timestamp::now().to_string();
        let stay: BTreeSet<(u32, u32)> =
            tried.iter().map(|f| (f.uid_validity, f.uid)).chain(kept.iter().copied()).collect();
        self.write(doing, Some(lease), |tx| {
            let known: Vec<(u32, u32)> = {
                let mut statement = tx
                    .prepare("SELECT validity, uid FROM ledger_failure WHERE mailbox = ?1 AND folder = ?2")
                    .map_err(db(doing))?;
                let rows = statement.query_map(params![lease.mailbox, key], |row| Ok((row.get(0)?, row.get(1)?)));
                rows.and_then(Iterator::collect).map_err(db(doing))?
            };
            for (validity, uid) in known.into_iter().filter(|k| !stay.contains(k)) {
                tx.execute(
                    "DELETE FROM ledger_failure WHERE mailbox = ?1 AND folder = ?2 AND validity = ?3 AND uid = ?4",
                    params![lease.mailbox, key, validity, uid],
                )
                .map_err(db(doing))?;
            }
            let octets = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
            for f in tried {
                tx.execute(
                    "INSERT INTO ledger_failure (mailbox, folder, validity, uid, class, reason, octets, date,
                         append_limit, first, last, attempts)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10, 1)
                     ON CONFLICT DO UPDATE SET class = excluded.class, reason = excluded.reason,
                         octets = excluded.octets, date = excluded.date, append_limit = excluded.append_limit,
                         last = excluded.last, attempts = attempts + 1, decision = NULL, note = NULL",
                    params![
                        lease.mailbox,
                        key,
                        f.uid_validity,
                        f.uid,
                        f.class,
                        f.reason,
                        octets(f.octets),
                        f.date,
                        f.append_limit.map(octets),
                        now
                    ],
                )
                .map_err(db(doing))?;
            }
            Ok(())
        })
    }

    /// Puts down what a person decided of failed messages. The folders are looked into again by the next pass. Whoever
    /// calls holds the workspace's lease. Returns how many messages the registry knew.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub fn decide(&self, owner: &Owner, messages: &[FailureKey], decision: &Decision) -> Result<usize, LedgerError> {
        let doing = "put down what is to become of failed messages";
        let (word, note) = match decision {
            Decision::Retry => ("retry", None),
            Decision::Ignore(reason) => ("ignore", Some(reason)),
        };
        self.write(doing, None, |tx| {
            let mut n = 0;
            for (folder, validity, uid) in messages {
                let key = serde_json::to_string(folder).unwrap_or_default();
                n += tx
                    .execute(
                        "UPDATE ledger_failure SET decision = ?1, note = ?2 WHERE folder = ?3 AND validity = ?4
                             AND uid = ?5 AND mailbox =
                             (SELECT id FROM ledger_mailbox WHERE account = ?6 AND platform = ?7)",
                        params![word, note, key, validity, uid, owner.account, owner.platform.as_str()],
                    )
                    .map_err(db(doing))?;
                tx.execute(
                    "UPDATE ledger_folder SET status = NULL WHERE path = ?1 AND mailbox =
                         (SELECT id FROM ledger_mailbox WHERE account = ?2 AND platform = ?3)",
                    params![key, owner.account, owner.platform.as_str()],
                )
                .map_err(db(doing))?;
            }
            if *decision == Decision::Retry && exists(tx, "mailbox")? {
                // What was proved without these messages has to be proved with them.
                tx.execute(
                    "UPDATE mailbox SET seen = '[]', verified = NULL WHERE address = ?1",
                    params![owner.account],
                )
                .map_err(db(doing))?;
            }
            Ok(n)
        })
    }

    /// The sums of each folder's last complete pass, by account and source platform, for reports.
    ///
    /// # Errors
    /// [`LedgerError::Database`], [`LedgerError::Malformed`].
    pub fn folder_sums(&self, owner: &Owner) -> Result<BTreeMap<FolderPath, crate::model::CopyCounts>, LedgerError> {
        let connection = lock(&self.db);
        let doing = db("read the sums of folders");
        let mut statement = connection
            .prepare(
                "SELECT f.path, f.counts FROM ledger_folder f JOIN ledger_mailbox m ON m.id = f.mailbox
                 WHERE m.account = ?1 AND m.platform = ?2 AND f.counts IS NOT NULL",
            )
            .map_err(&doing)?;
        let rows = statement.query_map(params![owner.account, owner.platform.as_str()], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
        });
        let rows: Vec<(String, String)> = rows.and_then(Iterator::collect).map_err(doing)?;
        rows.into_iter().map(|(path, counts)| Ok((json(path)?, json(counts)?))).collect()
    }
}

fn json<T: serde::de::DeserializeOwned>(text: String) -> Result<T, LedgerError> {
    serde_json::from_str(&text)
        .map_err(|_| LedgerError::Malformed { value: text, expected: "a folder's path or its sums" })
}

/// Whether a table is there: a journal of an older format is read as it is.
pub(super) fn exists(connection: &Connection, table: &str) -> Result<bool, LedgerError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1)";
    connection.query_row(sql, [table], |row| row.get(0)).map_err(db("look for a table"))
}

fn read(row: &Row<'_>) -> Result<(Owner, Registered), LedgerError> {
    let doing = db("read a failed message");
    let column = |at: usize| -> Result<String, LedgerError> { row.get(at).map_err(db("read a failed message")) };
    let time = |at: usize| -> Result<Timestamp, LedgerError> {
        let text = column(at)?;
        text.parse().map_err(|_| LedgerError::Malformed { value: text, expected: "a time" })
    };
    let note: Option<String> = row.get(14).map_err(&doing)?;
    let decision: Option<String> = row.get(13).map_err(&doing)?;
    let octets: i64 = row.get(7).map_err(&doing)?;
    let limit: Option<i64> = row.get(9).map_err(&doing)?;
    let failure = Failure {
        uid_validity: row.get(3).map_err(&doing)?,
        uid: row.get(4).map_err(&doing)?,
        class: column(5)?,
        reason: column(6)?,
        octets: u64::try_from(octets).unwrap_or(0),
        date: row.get(8).map_err(&doing)?,
        append_limit: limit.and_then(|n| u64::try_from(n).ok()),
    };
    let registered = Registered {
        folder: json(column(2)?)?,
        failure,
        first: time(10)?,
        last: time(11)?,
        attempts: row.get(12).map_err(&doing)?,
        decision: decision.map(|word| match word.as_str() {
            "retry" => Decision::Retry,
            _ => Decision::Ignore(note.unwrap_or_default()),
        }),
    };
    Ok((Owner { account: column(0)?, platform: PlatformId::from(column(1)?) }, registered))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened() -> (Ledger, Lease, Owner) {
        let ledger = Ledger::in_memory().unwrap();
        let account = Address::parse("John@example.org").unwrap();
        let platform = PlatformId::from("old");
        let lease = ledger.begin(&account, &(platform.clone(), account.clone())).unwrap();
        (ledger, lease, Owner { account: account.key(), platform })
    }

    fn failure(uid: u32) -> Failure {
        Failure {
            uid_validity: 7,
            uid,
            class: "too-large".to_owned(),
            reason: "it is".to_owned(),
            octets: 9,
            date: Some(-1),
            append_limit: Some(8),
        }
    }

    #[test]
    fn attempts_are_counted_and_what_is_over_goes() {
        let (ledger, lease, owner) = opened();
        let inbox = FolderPath::inbox();
        ledger.register(lease, &inbox, &[failure(1), failure(2)], &BTreeSet::new()).unwrap();
        ledger.register(lease, &inbox, &[failure(1)], &BTreeSet::from([(7, 2)])).unwrap();
        let rows = ledger.failures().unwrap();
        assert!(rows.iter().all(|(o, _)| *o == owner));
        assert_eq!(rows.iter().map(|(_, r)| (r.failure.uid, r.attempts)).collect::<Vec<_>>(), [(1, 2), (2, 1)]);
        assert_eq!(rows[0].1.failure, failure(1));
        ledger.register(lease, &inbox, &[], &BTreeSet::new()).unwrap();
        assert!(ledger.failures().unwrap().is_empty());
    }

    #[test]
    fn a_decision_stays_until_it_is_tried() {
        let (ledger, lease, owner) = opened();
        let inbox = FolderPath::inbox();
        ledger.register(lease, &inbox, &[failure(1)], &BTreeSet::new()).unwrap();
        let decided = |d: &Decision| ledger.decide(&owner, &[(inbox.clone(), 7, 1), (inbox.clone(), 7, 5)], d).unwrap();
        assert_eq!(decided(&Decision::Ignore("a virus".to_owned())), 1);
        ledger.register(lease, &inbox, &[], &BTreeSet::from([(7, 1)])).unwrap();
        let decision = || ledger.failures().unwrap()[0].1.decision.clone();
        assert_eq!(decision(), Some(Decision::Ignore("a virus".to_owned())));
        decided(&Decision::Retry);
        assert_eq!(decision(), Some(Decision::Retry));
        ledger.register(lease, &inbox, &[failure(1)], &BTreeSet::new()).unwrap();
        assert_eq!(decision(), None);
    }

    #[test]
    fn a_journal_without_a_registry_has_no_failures() {
        let (ledger, ..) = opened();
        lock(&ledger.db).execute_batch("DROP TABLE ledger_failure").unwrap();
        assert!(ledger.failures().unwrap().is_empty());
    }
}
