//! What is known of the moves of MX records beside the actions themselves: since when something is seen everywhere, and
//! what a person said. Facts of the file (`meta`), so that an older program passes them over.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};

use super::{Journal, JournalError, Lease};
use crate::model::{ActionId, Domain, RunId};

/// What a person can say about the move of a domain's MX.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CutoverWord {
    /// It may happen as soon as it is safe.
    Approve,
    /// It waits until somebody approves, also where nobody has to.
    Hold,
    /// It does not happen in this run.
    Cancel,
}

/// What was said last about one move.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// What.
    pub word: CutoverWord,
    /// By whom.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

const TTL: &str = "ttl:";

/// The TTLs that MX records had before they were lowered for a move that has not ended.
pub(super) fn lowered(conn: &Connection) -> rusqlite::Result<BTreeMap<Domain, u32>> {
    let mut found = conn.prepare("SELECT key, value FROM meta WHERE key GLOB 'ttl:*'")?;
    let rows = found.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    let mut out = BTreeMap::new();
    for row in rows {
        let (key, value) = row?;
        let domain = key.strip_prefix(TTL).and_then(|d| Domain::parse(d).ok());
        // What cannot be read is no TTL that rehome wrote; waits then rest on what DNS says alone.
        out.extend(domain.zip(value.parse().ok()));
    }
    Ok(out)
}

pub(super) fn said_key(run: &RunId, domain: &Domain) -> String {
    format!("cutover:{run}:{domain}")
}

fn seen_key(run: &RunId, action: &ActionId) -> String {
    format!("seen:{run}:{action}")
}

impl Journal {
    /// Writes down what a person says about a move. Needs no lease: a run that waits holds it, and looks here.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn say(&self, run: &RunId, domain: &Domain, said: &Said) -> Result<(), JournalError> {
        let text = serde_json::to_string(said).map_err(|e| self.store.content("a word", e.to_string()))?;
        self.store.transaction(|tx| {
            tx.execute(
                "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)",
                params![said_key(run, domain), text],
            )
            .map_err(|e| self.store.sql(e))?;
            Ok(())
        })
    }

    /// What was said last about a move in a run.
    ///
    /// # Errors
    /// When the file cannot be read, or holds something else there.
    pub fn said(&self, run: &RunId, domain: &Domain) -> Result<Option<Said>, JournalError> {
        let Some(text) = self.fact(&said_key(run, domain))? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|e| self.store.content("a word", e.to_string()))
    }

    /// Since when an action sees what it waits for; `now` when it sees it for the first time.
    ///
    /// # Errors
    /// When the file cannot be read or written, or the lease is lost.
    pub fn seen_since(
        &self,
        lease: &Lease,
        run: &RunId,
        action: &ActionId,
        now: Timestamp,
    ) -> Result<Timestamp, JournalError> {
        if let Some(since) = self.seen(run, action)? {
            return Ok(since);
        }
        self.write(lease, |tx| {
            tx.execute(
                "INSERT OR IGNORE INTO meta (key, value) VALUES (?1, ?2)",
                params![seen_key(run, action), now.to_string()],
            )
            .map_err(|e| self.store.sql(e))?;
            Ok(now)
        })
    }

    /// Since when an action sees what it waits for, if it does.
    ///
    /// # Errors
    /// When the file cannot be read, or holds something else there.
    pub fn seen(&self, run: &RunId, action: &ActionId) -> Result<Option<Timestamp>, JournalError> {
        let Some(text) = self.fact(&seen_key(run, action))? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| self.store.content("a time", format!("`{text}` is none")))
    }

    /// Forgets since when an action saw what it waits for: a server showed the old records again.
    ///
    /// # Errors
    /// When the file cannot be written, or the lease is lost.
    pub fn unseen(&self, lease: &Lease, run: &RunId, action: &ActionId) -> Result<(), JournalError> {
        if self.seen(run, action)?.is_none() {
            return Ok(());
        }
        self.write(lease, |tx| {
            tx.execute("DELETE FROM meta WHERE key = ?1", [seen_key(run, action)]).map_err(|e| self.store.sql(e))?;
            Ok(())
        })
    }

    /// Remembers the TTL that an MX had before it was lowered for its move. Only the first one counts: a plan that is made
    /// after the TTL was lowered sees the lowered one.
    ///
    /// # Errors
    /// When the file cannot be written, or the lease is lost.
    pub fn ttl_lowered(&self, lease: &Lease, domain: &Domain, was: u32) -> Result<(), JournalError> {
        self.write(lease, |tx| {
            tx.execute(
                "INSERT OR IGNORE INTO meta (key, value) VALUES (?1, ?2)",
                params![format!("{TTL}{domain}"), was.to_string()],
            )
            .map_err(|e| self.store.sql(e))?;
            Ok(())
        })
    }

    /// Forgets that TTL: it is what it was before the move.
    ///
    /// # Errors
    /// When the file cannot be written, or the lease is lost.
    pub fn ttl_raised(&self, lease: &Lease, domain: &Domain) -> Result<(), JournalError> {
        self.write(lease, |tx| {
            tx.execute("DELETE FROM meta WHERE key = ?1", [format!("{TTL}{domain}")]).map_err(|e| self.store.sql(e))?;
            Ok(())
        })
    }

    pub(super) fn fact(&self, key: &str) -> Result<Option<String>, JournalError> {
        self.store.read(|conn| {
            conn.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0))
                .optional()
                .map_err(|e| self.store.sql(e))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_first_sight_counts_until_the_old_is_seen_again() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path()).unwrap();
        let lease = journal.acquire_lease("me", Duration::from_secs(60)).unwrap();
        let (run, action) = (RunId("run-000001".to_owned()), ActionId::from("cutover.wait:x.org"));
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        assert_eq!(journal.seen(&run, &action).unwrap(), None);
        assert_eq!(journal.seen_since(&lease, &run, &action, at(10)).unwrap(), at(10));
        assert_eq!(journal.seen_since(&lease, &run, &action, at(99)).unwrap(), at(10));
        journal.unseen(&lease, &run, &action).unwrap();
        assert_eq!(journal.seen_since(&lease, &run, &action, at(99)).unwrap(), at(99));
    }

    #[test]
    fn the_ttl_before_a_move_is_known_until_it_is_back() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path()).unwrap();
        let lease = journal.acquire_lease("me", Duration::from_secs(60)).unwrap();
        let domain = Domain::parse("x.org").unwrap();
        journal.ttl_lowered(&lease, &domain, 3600).unwrap();
        journal.ttl_lowered(&lease, &domain, 300).unwrap();
        assert_eq!(journal.state().unwrap().lowered_ttls, BTreeMap::from([(domain.clone(), 3600)]));
        journal.ttl_raised(&lease, &domain).unwrap();
        assert!(journal.state().unwrap().lowered_ttls.is_empty());
    }

    #[test]
    fn a_word_can_be_said_while_a_run_holds_the_lease() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path()).unwrap();
        let _lease = journal.acquire_lease("me", Duration::from_secs(60)).unwrap();
        let (run, domain) = (RunId("run-000001".to_owned()), Domain::parse("x.org").unwrap());
        let other = Journal::open(folder.path()).unwrap();
        for word in [CutoverWord::Hold, CutoverWord::Approve] {
            let said = Said { word, by: "you".to_owned(), at: Timestamp::UNIX_EPOCH };
            other.say(&run, &domain, &said).unwrap();
            assert_eq!(journal.said(&run, &domain).unwrap(), Some(said));
        }
        assert_eq!(journal.said(&RunId("run-000002".to_owned()), &domain).unwrap(), None);
    }
}
