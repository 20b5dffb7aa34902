//! Messages that were set aside because their folder holds an equal one, so that they can be had back and no later pass
//! or proof takes them for lost.

use std::collections::BTreeSet;

use rusqlite::{Row, params};

use super::{Ledger, LedgerError, db, lock, registry::exists};
use crate::model::{Address, Digest};

/// The table of what was set aside. Running it again changes nothing that is there.
pub const DOUBLES: &str = include_str!("doubles.sql");

/// Where a double is, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DoubleState {
    /// It is about to be set aside, or was; nobody has looked yet.
    Moving,
    /// It was set aside.
    Aside,
    /// It is about to be brought back, or was; nobody has looked yet.
    Returning,
    /// It was brought back.
    Back,
    /// It was to be set aside, and is still where it was.
    Stayed,
    /// It is in neither folder: somebody else took it away.
    Gone,
}

impl DoubleState {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Moving, "moving"),
        (Self::Aside, "aside"),
        (Self::Returning, "returning"),
        (Self::Back, "back"),
        (Self::Stayed, "stayed"),
        (Self::Gone, "gone"),
    ];

    fn word(self) -> &'static str {
        Self::ALL.iter().find(|(state, _)| *state == self).map_or("gone", |(_, word)| word)
    }

    fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == word).map(|(state, _)| *state)
    }
}

/// The number of a double's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DoubleId(i64);

/// A message that has an equal one in its folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Double {
    /// The folder it was in, as its name is sent, in Unicode.
    pub folder: String,
    /// UIDVALIDITY of that folder.
    pub validity: u32,
    /// Its UID there.
    pub uid: u32,
    /// UID of the equal message that stays there.
    pub kept: u32,
    /// SHA-256 of its octets.
    pub digest: Digest,
    /// How many those are.
    pub octets: u64,
    /// The folder it is set aside in, as its name is sent, in Unicode.
    pub aside: String,
    /// UIDVALIDITY of that folder.
    pub aside_validity: u32,
    /// Its UID there, once it is known.
    pub aside_uid: Option<u32>,
    /// It can have no smaller UID in the folder that the move under way leads to.
    pub floor: u32,
    /// UIDVALIDITY and UID in `folder` after it was brought back; the UID is 0 until it is known.
    pub back: Option<(u32, u32)>,
    /// Where it is.
    pub state: DoubleState,
}

const COLUMNS: &str = "id, folder, validity, uid, kept, digest, octets, aside, aside_validity, aside_uid, floor, \
                       back_validity, back_uid, state";

impl Ledger {
    /// What was ever set aside of an account, oldest first: in one mailbox, or in any.
    ///
    /// # Errors
    /// [`LedgerError::Database`], [`LedgerError::Malformed`].
    pub fn doubles(&self, account: &Address, place: Option<&str>) -> Result<Vec<(DoubleId, Double)>, LedgerError> {
        let doing = db("read what was set aside");
        let connection = lock(&self.db);
        if !exists(&connection, "ledger_double")? {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT {COLUMNS} FROM ledger_double WHERE account = ?1 AND (?2 IS NULL OR place = ?2) ORDER BY id"
        );
        let mut statement = connection.prepare_cached(&sql).map_err(&doing)?;
        let rows = statement.query_map(params![account.key(), place], |row| Ok(read(row)));
        let rows: Vec<Result<_, LedgerError>> = rows.and_then(Iterator::collect).map_err(doing)?;
        rows.into_iter().collect()
    }

    /// What somebody agreed to by the id of a plan, or by its beginning: folder, UIDVALIDITY, UID of the double, UID of the
    /// one that stays.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub fn acknowledged(
        &self,
        account: &Address,
        place: &str,
        plan: &str,
    ) -> Result<BTreeSet<(String, u32, u32, u32)>, LedgerError> {
        let doing = db("read what was agreed to");
        let connection = lock(&self.db);
        if !exists(&connection, "ledger_double")? {
            return Ok(BTreeSet::new());
        }
        let mut statement = connection
            .prepare_cached(
                "SELECT folder, validity, uid, kept FROM ledger_double
                 WHERE account = ?1 AND place = ?2 AND substr(plan, 1, length(?3)) = ?3",
            )
            .map_err(&doing)?;
        let rows = statement.query_map(params![account.key(), place, plan], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        });
        rows.and_then(Iterator::collect).map_err(doing)
    }

    /// What was set aside of one folder of an account and stayed away: the UIDs there, and the contents. For a copy they
    /// are as good as there: an equal message is.
    ///
    /// # Errors
    /// [`LedgerError::Database`], [`LedgerError::Malformed`].
    pub fn aside_of(&self, account: &Address, folder: &str, validity: u32) -> Result<Vec<(u32, Digest)>, LedgerError> {
        let away = |d: &Double| !matches!(d.state, DoubleState::Back | DoubleState::Stayed);
        let here = |d: &Double| d.folder == folder && d.validity == validity && away(d);
        let rows = self.doubles(account, None)?;
        Ok(rows.into_iter().filter(|(_, d)| here(d)).map(|(_, d)| (d.uid, d.digest)).collect())
    }

    /// Puts down, before the first of them is moved, what is about to be set aside. `plan` is what somebody
    /// acknowledged. On disk when it returns.
    ///
    /// # Errors
    /// [`LedgerError::Database`]. Nothing may be moved then.
    pub fn begin_aside(
        &self,
        account: &Address,
        (place, plan): (&str, &str),
        doubles: &[Double],
    ) -> Result<Vec<DoubleId>, LedgerError> {
        let doing = "put down what is about to be set aside";
        self.write(doing, None, |tx| {
            let mut ids = Vec::with_capacity(doubles.len());
            for d in doubles {
                tx.execute(
                    "INSERT INTO ledger_double (account, place, plan, folder, validity, uid, kept, digest, octets,
                         aside, aside_validity, floor, state)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 'moving')",
                    params![
                        account.key(),
                        place,
                        plan,
                        d.folder,
                        d.validity,
                        d.uid,
                        d.kept,
                        d.digest.0.to_vec(),
                        i64::try_from(d.octets).unwrap_or(i64::MAX),
                        d.aside,
                        d.aside_validity,
                        d.floor,
                    ],
                )
                .map_err(db(doing))?;
                ids.push(DoubleId(tx.last_insert_rowid()));
            }
            Ok(ids)
        })
    }

    /// Puts down, before the first of them is moved, what is about to be brought back: to a folder of that UIDVALIDITY
    /// and to no UID below `floor`. On disk when it returns.
    ///
    /// # Errors
    /// [`LedgerError::Database`]. Nothing may be moved then.
    pub fn begin_return(&self, doubles: &[DoubleId], validity: u32, floor: u32) -> Result<(), LedgerError> {
        let doing = "put down what is about to be brought back";
        self.write(doing, None, |tx| {
            for id in doubles {
                tx.execute(
                    "UPDATE ledger_double SET state = 'returning', back_validity = ?2, floor = ?3 WHERE id = ?1",
                    params![id.0, validity, floor],
                )
                .map_err(db(doing))?;
            }
            Ok(())
        })
    }

    /// Puts down what became of moves. A message that a copy delivered and that was brought back is known by its new UID
    /// from then on.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub fn settle_doubles(&self, account: &Address, outcomes: &[(DoubleId, Double)]) -> Result<(), LedgerError> {
        let doing = "put down what became of messages that were set aside";
        self.write(doing, None, |tx| {
            for (id, d) in outcomes {
                tx.execute(
                    "UPDATE ledger_double SET state = ?2, aside_uid = ?3, back_validity = ?4, back_uid = ?5 WHERE id = ?1",
                    params![id.0, d.state.word(), d.aside_uid, d.back.map(|b| b.0), d.back.map(|b| b.1)],
                )
                .map_err(db(doing))?;
                let (DoubleState::Back, Some((validity, uid))) = (d.state, d.back) else { continue };
                if uid == 0 {
                    continue;
                }
                tx.execute(
                    "UPDATE ledger_message SET target_validity = ?3, target_uid = ?4
                     WHERE target_validity = ?5 AND target_uid = ?6 AND folder IN
                         (SELECT f.id FROM ledger_folder f JOIN ledger_mailbox m ON m.id = f.mailbox
                          WHERE m.account = ?1 AND f.target = ?2 AND f.target_validity = ?3)",
                    params![account.key(), d.folder, validity, uid, d.validity, d.uid],
                )
                .map_err(db(doing))?;
            }
            Ok(())
        })
    }

    /// How many messages of an account a copy has in doubt: sent, perhaps, and not looked for yet.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub fn windows_in_doubt(&self, account: &Address) -> Result<u64, LedgerError> {
        let n: i64 = lock(&self.db)
            .query_row(
                "SELECT count(*) FROM ledger_window w JOIN ledger_folder f ON f.id = w.folder
                 JOIN ledger_mailbox m ON m.id = f.mailbox WHERE m.account = ?1 AND w.state = 'open'",
                params![account.key()],
                |row| row.get(0),
            )
            .map_err(db("ask what is in doubt"))?;
        Ok(u64::try_from(n).unwrap_or(0))
    }
}

fn read(row: &Row<'_>) -> Result<(DoubleId, Double), LedgerError> {
    let doing = db("read what was set aside");
    let word: String = row.get(13).map_err(&doing)?;
    let state = DoubleState::from_word(&word)
        .ok_or(LedgerError::Malformed { value: word, expected: "the state of a message that was set aside" })?;
    let octets: i64 = row.get(6).map_err(&doing)?;
    let back: Option<u32> = row.get(11).map_err(&doing)?;
    let back_uid: Option<u32> = row.get(12).map_err(&doing)?;
    let double = Double {
        folder: row.get(1).map_err(&doing)?,
        validity: row.get(2).map_err(&doing)?,
        uid: row.get(3).map_err(&doing)?,
        kept: row.get(4).map_err(&doing)?,
        digest: Digest(row.get(5).map_err(&doing)?),
        octets: u64::try_from(octets).unwrap_or(0),
        aside: row.get(7).map_err(&doing)?,
        aside_validity: row.get(8).map_err(&doing)?,
        aside_uid: row.get(9).map_err(&doing)?,
        floor: row.get(10).map_err(&doing)?,
        back: back.map(|validity| (validity, back_uid.unwrap_or(0))),
        state,
    };
    Ok((DoubleId(row.get(0).map_err(&doing)?), double))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn double() -> Double {
        Double {
            folder: "INBOX".to_owned(),
            validity: 7,
            uid: 4,
            kept: 2,
            digest: Digest::of(b"x"),
            octets: 1,
            aside: "Rehome-Doubles/INBOX".to_owned(),
            aside_validity: 9,
            aside_uid: None,
            floor: 1,
            back: None,
            state: DoubleState::Moving,
        }
    }

    #[test]
    fn what_was_put_down_is_read_back_in_every_state() {
        let ledger = Ledger::in_memory().unwrap();
        let account = Address::parse("ann@blue.example").unwrap();
        let ids = ledger.begin_aside(&account, ("ann@h:993", "plan"), &[double()]).unwrap();
        assert_eq!(ledger.doubles(&account, Some("ann@h:993")).unwrap(), [(ids[0], double())]);
        assert!(ledger.doubles(&account, Some("elsewhere")).unwrap().is_empty());
        for (state, _) in DoubleState::ALL {
            let now = Double { state, aside_uid: Some(3), back: Some((7, 8)), ..double() };
            ledger.settle_doubles(&account, &[(ids[0], now.clone())]).unwrap();
            assert_eq!(ledger.doubles(&account, None).unwrap(), [(ids[0], now)]);
        }
        ledger.begin_return(&ids, 7, 12).unwrap();
        let (_, now) = ledger.doubles(&account, None).unwrap().remove(0);
        assert_eq!((now.state, now.floor), (DoubleState::Returning, 12));
    }
}
