//! How many connections servers turned out to take.

use rusqlite::{OptionalExtension as _, params};

use super::{Ledger, LedgerError, db, lock, registry::exists};

/// The table of connection limits. Running it again changes nothing that is there.
pub const CAPS: &str = include_str!("caps.sql");

/// How long a limit is believed, in seconds: a week.
const BELIEVED: i64 = 7 * 24 * 3600;

impl Ledger {
    /// The limit that a host told by a refusal within the last week, for one login, or with an empty one for all of its
    /// connections. `now` is in seconds since 1970.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub fn cap(&self, host: &str, login: &str, now: i64) -> Result<Option<usize>, LedgerError> {
        let doing = db("read how many connections a server takes");
        let connection = lock(&self.db);
        if !exists(&connection, "ledger_cap")? {
            return Ok(None);
        }
        let sql = "SELECT cap FROM ledger_cap WHERE host = ?1 AND login = ?2 AND learned BETWEEN ?3 AND ?4";
        let found: Option<i64> = connection
            .query_row(sql, params![host, login, now - BELIEVED, now + BELIEVED], |row| row.get(0))
            .optional()
            .map_err(doing)?;
        Ok(found.and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0))
    }

    /// Puts a limit down that a host told now. `now` is in seconds since 1970.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub fn learn_cap(&self, host: &str, login: &str, cap: usize, now: i64) -> Result<(), LedgerError> {
        let doing = "put down how many connections a server takes";
        let cap = i64::try_from(cap).unwrap_or(i64::MAX);
        self.write(doing, None, |tx| {
            tx.execute(
                "INSERT OR REPLACE INTO ledger_cap (host, login, cap, learned) VALUES (?1, ?2, ?3, ?4)",
                params![host, login, cap, now],
            )
            .map(drop)
            .map_err(db(doing))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_believed_for_a_week() {
        let ledger = Ledger::in_memory().unwrap();
        ledger.learn_cap("h:993", "ann", 3, 1_000_000).unwrap();
        assert_eq!(ledger.cap("h:993", "ann", 1_000_000 + BELIEVED).unwrap(), Some(3));
        assert_eq!(ledger.cap("h:993", "ann", 1_000_001 + BELIEVED).unwrap(), None);
        assert_eq!(ledger.cap("h:993", "", 1_000_000).unwrap(), None);
        ledger.learn_cap("h:993", "ann", 2, 1_000_002).unwrap();
        assert_eq!(ledger.cap("h:993", "ann", 1_000_002).unwrap(), Some(2));
    }
}
