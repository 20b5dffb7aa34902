//! Rights on folders of the target that a copy gave to others.

use std::collections::BTreeMap;

use rusqlite::params;

use super::{Ledger, LedgerError, db, lock};
use crate::model::{Address, PlatformId};

/// The table of rights. Running it again changes nothing that is there.
pub const ACL: &str = include_str!("acl.sql");

impl Ledger {
    /// What was given so far: the letters of the rights, by folder of the target and identifier.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub fn given_rights(
        &self,
        account: &Address,
        platform: &PlatformId,
    ) -> Result<BTreeMap<(String, String), String>, LedgerError> {
        let doing = db("read which rights were given");
        let connection = lock(&self.db);
        let mut statement = connection
            .prepare_cached("SELECT folder, identifier, rights FROM ledger_acl WHERE account = ?1 AND platform = ?2")
            .map_err(&doing)?;
        let rows = statement
            .query_map(params![account.key(), platform.as_str()], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)));
        rows.and_then(Iterator::collect).map_err(doing)
    }

    /// Puts down what an identifier was given on a folder of the target, all that it ever was.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub fn give_rights(
        &self,
        account: &Address,
        platform: &PlatformId,
        (folder, identifier): (&str, &str),
        rights: &str,
    ) -> Result<(), LedgerError> {
        let doing = "put down which rights were given";
        self.write(doing, None, |tx| {
            tx.execute(
                "INSERT OR REPLACE INTO ledger_acl (account, platform, folder, identifier, rights)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
                params![account.key(), platform.as_str(), folder, identifier, rights],
            )
            .map(drop)
            .map_err(db(doing))
        })
    }
}
