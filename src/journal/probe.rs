//! What is known of the test message through a new MX, so that no later run sends a second one; and until when senders
//! may go by an MTA-STS policy that was seen. Facts of the file (`meta`), as those of `cutover`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::params;
use serde::{Deserialize, Serialize};

use super::{Journal, JournalError, Lease};
use crate::model::{ActionId, Domain, RunId};

/// Where a folder stood before the message was sent: what has a lower UID is older.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderMark {
    /// UIDVALIDITY.
    pub uid_validity: u32,
    /// UIDNEXT; 0 where the server does not tell.
    pub uid_next: u32,
}

/// A test message that was sent, or may have been.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeSent {
    /// What tells it from all other mail.
    pub token: String,
    /// When it was begun.
    pub at: Timestamp,
    /// The server that agreed to the recipient.
    pub host: String,
    /// The folders in which it may arrive, by their names on the wire.
    pub marks: BTreeMap<String, FolderMark>,
    /// The words with which the server took it; `None` while that is not known.
    pub accepted: Option<String>,
}

pub(super) fn probe_key(run: &RunId, action: &ActionId) -> String {
    format!("probe:{run}:{action}")
}

fn policy_key(domain: &Domain) -> String {
    format!("sts:{domain}")
}

impl Journal {
    /// The test message of an action, if one was begun.
    ///
    /// # Errors
    /// When the file cannot be read, or holds something else there.
    pub fn probe_sent(&self, run: &RunId, action: &ActionId) -> Result<Option<ProbeSent>, JournalError> {
        let Some(text) = self.fact(&probe_key(run, action))? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|e| self.store.content("a test message", e.to_string()))
    }

    /// Writes down that a server took the test message.
    ///
    /// # Errors
    /// When the file cannot be written, or the lease is lost.
    pub fn probe_accepted(
        &self,
        lease: &Lease,
        run: &RunId,
        action: &ActionId,
        sent: &ProbeSent,
    ) -> Result<(), JournalError> {
        let text = serde_json::to_string(sent).map_err(|e| self.store.content("a test message", e.to_string()))?;
        self.put(lease, &probe_key(run, action), &text)
    }

    /// Forgets a test message that is known not to be on its way: another may be sent.
    ///
    /// # Errors
    /// When the file cannot be written, or the lease is lost.
    pub fn probe_not_sent(&self, lease: &Lease, run: &RunId, action: &ActionId) -> Result<(), JournalError> {
        self.write(lease, |tx| {
            tx.execute("DELETE FROM meta WHERE key = ?1", [probe_key(run, action)]).map_err(|e| self.store.sql(e))?;
            Ok(())
        })
    }

    /// Remembers until when senders may go by an MTA-STS policy that keeps mail from the new servers of a domain. An
    /// earlier policy that is kept longer counts.
    ///
    /// # Errors
    /// When the file cannot be read or written, or the lease is lost.
    pub fn policy_until(&self, lease: &Lease, domain: &Domain, until: Timestamp) -> Result<(), JournalError> {
        if self.policy_kept(domain)?.is_some_and(|known| known >= until) {
            return Ok(());
        }
        self.put(lease, &policy_key(domain), &until.to_string())
    }

    /// Until when senders may go by such a policy, as far as one was seen.
    ///
    /// # Errors
    /// When the file cannot be read, or holds something else there.
    pub fn policy_kept(&self, domain: &Domain) -> Result<Option<Timestamp>, JournalError> {
        let Some(text) = self.fact(&policy_key(domain))? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| self.store.content("a time", format!("`{text}` is none")))
    }

    fn put(&self, lease: &Lease, key: &str, value: &str) -> Result<(), JournalError> {
        self.write(lease, |tx| {
            tx.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)", params![key, value])
                .map_err(|e| self.store.sql(e))?;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::journal::{Fact, Record};

    #[test]
    fn a_message_is_known_from_its_intent_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path()).unwrap();
        let lease = journal.acquire_lease("me", Duration::from_secs(60)).unwrap();
        let run = journal.begin_run(&lease, &"0123456789abcdef".into(), "{}", &Default::default()).unwrap();
        let action = ActionId::from("cutover.probe:x.org");
        let mut sent = ProbeSent {
            token: "t".to_owned(),
            at: Timestamp::UNIX_EPOCH,
            host: "mx.x.org".to_owned(),
            marks: BTreeMap::from([("INBOX".to_owned(), FolderMark { uid_validity: 1, uid_next: 7 })]),
            accepted: None,
        };
        let begun = Fact::ProbeBegun(sent.clone());
        journal.append(&lease, &run.id, &action, &Record::Intent {}, &[begun]).unwrap();
        assert_eq!(journal.probe_sent(&run.id, &action).unwrap(), Some(sent.clone()));
        sent.accepted = Some("250 ok".to_owned());
        journal.probe_accepted(&lease, &run.id, &action, &sent).unwrap();
        assert_eq!(journal.probe_sent(&run.id, &action).unwrap(), Some(sent));
        journal.probe_not_sent(&lease, &run.id, &action).unwrap();
        assert_eq!(journal.probe_sent(&run.id, &action).unwrap(), None);
    }

    #[test]
    fn of_two_policies_the_one_that_is_kept_longer_counts() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path()).unwrap();
        let lease = journal.acquire_lease("me", Duration::from_secs(60)).unwrap();
        let domain = Domain::parse("x.org").unwrap();
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        for (until, known) in [(50, 50), (20, 50), (60, 60)] {
            journal.policy_until(&lease, &domain, at(until)).unwrap();
            assert_eq!(journal.policy_kept(&domain).unwrap(), Some(at(known)));
        }
    }
}
