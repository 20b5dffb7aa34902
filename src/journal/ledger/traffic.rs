//! Traffic of mailboxes with a daily limit.

use rusqlite::params;

use super::{Ledger, LedgerError, db, lock};

/// The table of the traffic.
pub const TRAFFIC: &str = include_str!("traffic.sql");

/// Hours that count.
const WINDOW: i64 = 24;

/// Which way octets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// From the server.
    Down,
    /// To the server.
    Up,
}

impl Direction {
    fn word(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Up => "up",
        }
    }
}

/// What was used up of a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Octets in this hour and the 23 before it.
    pub octets: u64,
    /// The first of those hours with any, in hours since 1970: 24 hours after it began, there is room again.
    pub since: Option<i64>,
}

impl Ledger {
    /// Adds to the traffic of a mailbox in an hour, and forgets what is older than two days. On disk when it returns.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub fn spend(
        &self,
        (host, login): (&str, &str),
        direction: Direction,
        hour: i64,
        octets: u64,
    ) -> Result<(), LedgerError> {
        let octets = i64::try_from(octets).unwrap_or(i64::MAX);
        self.write("count the traffic", None, |tx| {
            let doing = db("count the traffic");
            tx.execute("DELETE FROM ledger_traffic WHERE hour < ?1", [hour - 2 * WINDOW]).map_err(&doing)?;
            tx.execute(
                "INSERT INTO ledger_traffic (host, login, direction, hour, octets) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (host, login, direction, hour) DO UPDATE SET octets = octets + excluded.octets",
                params![host, login, direction.word(), hour, octets],
            )
            .map_err(&doing)?;
            Ok(())
        })
    }

    /// The traffic of a mailbox in the 24 hours that end with this one. An hour in the future, as a clock that was set
    /// back leaves it, counts too.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub fn used(&self, (host, login): (&str, &str), direction: Direction, hour: i64) -> Result<Used, LedgerError> {
        let row = lock(&self.db).query_row(
            "SELECT COALESCE(SUM(octets), 0), MIN(hour) FROM ledger_traffic
             WHERE host = ?1 AND login = ?2 AND direction = ?3 AND hour > ?4 AND octets > 0",
            params![host, login, direction.word(), hour - WINDOW],
            |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)),
        );
        let (octets, since) = row.map_err(db("read the traffic"))?;
        Ok(Used { octets: u64::try_from(octets).unwrap_or_default(), since })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_the_last_24_hours_and_mailboxes_do_not_mix() {
        let ledger = Ledger::in_memory().unwrap();
        let a = ("h:993", "a");
        for (hour, octets) in [(100, 5), (100, 5), (110, 7)] {
            ledger.spend(a, Direction::Up, hour, octets).unwrap();
        }
        let used = |hour| ledger.used(a, Direction::Up, hour).unwrap();
        assert_eq!(used(110), Used { octets: 17, since: Some(100) });
        assert_eq!(used(123), Used { octets: 17, since: Some(100) });
        assert_eq!(used(124), Used { octets: 7, since: Some(110) });
        assert_eq!(used(134), Used::default());
        assert_eq!(used(90).octets, 17, "a clock that was set back frees nothing");
        assert_eq!(ledger.used(a, Direction::Down, 110).unwrap(), Used::default());
        assert_eq!(ledger.used(("h:993", "b"), Direction::Up, 110).unwrap(), Used::default());
    }
}
