//! From rows of the database to rows of the ledger.

use std::collections::BTreeSet;

use rusqlite::Row;

use super::{FolderId, FolderRow, LedgerError, MessageRow, MessageState, db};
use crate::model::{Digest, FolderPath};

pub(super) const FOLDER: &str = "f.id, f.path, f.source_validity, f.target, f.target_validity, f.adopt_below, f.distrusted, \
                      f.status, f.counts";

pub(super) const MESSAGE: &str = "uid, state, digest, octets, announced, date, source_flags, target_flags, \
                       target_validity, target_uid, class, reason";

pub(super) fn join(flags: &BTreeSet<String>) -> String {
    flags.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}

pub(super) fn message(row: &Row<'_>) -> Result<MessageRow, LedgerError> {
    let doing = db("read a message");
    let word: String = row.get(1).map_err(&doing)?;
    let state = MessageState::from_word(&word)
        .ok_or(LedgerError::Malformed { value: word, expected: "the state of a message" })?;
    let digest: Option<[u8; 32]> = row.get(2).map_err(&doing)?;
    let flags = |column: usize| -> Result<BTreeSet<String>, LedgerError> {
        let text: String = row.get(column).map_err(db("read flags"))?;
        Ok(text.split_ascii_whitespace().map(str::to_owned).collect())
    };
    let count = |column: usize| -> Result<u64, LedgerError> {
        let n: i64 = row.get(column).map_err(db("read a size"))?;
        Ok(u64::try_from(n).unwrap_or(0))
    };
    let (validity, uid): (Option<u32>, Option<u32>) = (row.get(8).map_err(&doing)?, row.get(9).map_err(&doing)?);
    Ok(MessageRow {
        uid: row.get(0).map_err(&doing)?,
        state,
        digest: digest.map(Digest),
        octets: count(3)?,
        announced: count(4)?,
        date: row.get(5).map_err(&doing)?,
        source_flags: flags(6)?,
        target_flags: flags(7)?,
        target: validity.zip(uid),
        class: row.get(10).map_err(&doing)?,
        reason: row.get(11).map_err(&doing)?,
    })
}

pub(super) struct RawFolder {
    row: FolderRow,
    path: String,
    status: Option<String>,
    counts: Option<String>,
}

pub(super) fn raw_folder(row: &Row<'_>) -> rusqlite::Result<RawFolder> {
    Ok(RawFolder {
        row: FolderRow {
            id: FolderId(row.get(0)?),
            path: FolderPath(Vec::new()),
            source_validity: row.get(2)?,
            target: row.get(3)?,
            target_validity: row.get(4)?,
            adopt_below: row.get(5)?,
            distrusted: row.get(6)?,
            status: None,
            counts: None,
        },
        path: row.get(1)?,
        status: row.get(7)?,
        counts: row.get(8)?,
    })
}

impl RawFolder {
    pub(super) fn read(self) -> Result<FolderRow, LedgerError> {
        fn json<T: serde::de::DeserializeOwned>(text: &str, expected: &'static str) -> Result<T, LedgerError> {
            serde_json::from_str(text).map_err(|_| LedgerError::Malformed { value: text.to_owned(), expected })
        }
        Ok(FolderRow {
            path: json(&self.path, "the path of a folder")?,
            status: self.status.map(|s| json(&s, "the status of a folder")).transpose()?,
            counts: self.counts.map(|c| json(&c, "the counts of a folder")).transpose()?,
            ..self.row
        })
    }
}
