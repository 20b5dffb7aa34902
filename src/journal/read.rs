//! Everything that is read.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension as _, Params, Row, params};
use serde::de::DeserializeOwned;

use super::{
    Approval, Entry, HookDue, Journal, JournalError, Progress, Record, Records, Run, Unsettled, cutover,
    replay::{self, Standing},
    store::Store,
};
use crate::model::{
    ActionId, Address, FolderPath, FolderStatus, HookPoint, MailboxState, PlanId, PlatformId, RunId, State,
};

impl Journal {
    /// What the planner needs to know of this journal.
    ///
    /// # Errors
    /// [`JournalError::Order`] or [`JournalError::Content`] when somebody has edited the file.
    pub fn state(&self) -> Result<State, JournalError> {
        Ok(replay::replay(self.records()?)?)
    }

    /// Everything in the journal beside the ledger, from one consistent picture of it.
    ///
    /// # Errors
    /// [`JournalError::Content`] when somebody has edited the file.
    pub fn records(&self) -> Result<Records, JournalError> {
        let store = &self.store;
        store.read(|conn| {
            let (protected, passwords) = facts(store, conn)?;
            Ok(Records {
                runs: runs(store, conn)?,
                entries: entries(store, conn, None)?,
                mailboxes: mailboxes(store, conn, None)?,
                protected,
                passwords,
                lowered_ttls: cutover::lowered(conn).map_err(|e| store.sql(e))?,
            })
        })
    }

    /// What is known of one mailbox of the spec.
    ///
    /// # Errors
    /// Those of every read.
    pub fn mailbox(&self, address: &Address) -> Result<Option<MailboxState>, JournalError> {
        Ok(self.store.read(|conn| mailboxes(&self.store, conn, Some(address)))?.remove(address))
    }

    /// The runs, oldest first.
    ///
    /// # Errors
    /// Those of every read.
    pub fn runs(&self) -> Result<Vec<Run>, JournalError> {
        self.store.read(|conn| runs(&self.store, conn))
    }

    /// The run that has begun and not ended.
    ///
    /// # Errors
    /// Those of every read.
    pub fn open_run(&self) -> Result<Option<Run>, JournalError> {
        Ok(self.runs()?.into_iter().find(|run| run.ended.is_none()))
    }

    /// The run that was begun or resumed last. It need not be the newest one: a run keeps its place when it is resumed.
    ///
    /// # Errors
    /// Those of every read.
    pub fn latest_run(&self) -> Result<Option<Run>, JournalError> {
        Ok(self.runs()?.into_iter().max_by_key(|run| run.epoch))
    }

    /// The newest run of a plan.
    ///
    /// # Errors
    /// Those of every read.
    pub fn run_of(&self, plan: &PlanId) -> Result<Option<Run>, JournalError> {
        Ok(self.runs()?.into_iter().rev().find(|run| run.plan == *plan))
    }

    /// The plan of a run, as the JSON it was begun with.
    ///
    /// # Errors
    /// [`JournalError::NoRun`].
    pub fn plan_json(&self, run: &RunId) -> Result<String, JournalError> {
        let found = self.store.read(|conn| {
            conn.query_row("SELECT plan FROM run WHERE id = ?1", [&run.0], |r| r.get(0))
                .optional()
                .map_err(|e| self.store.sql(e))
        })?;
        found.ok_or_else(|| JournalError::NoRun(run.clone()))
    }

    /// The entries of a run, in order.
    ///
    /// # Errors
    /// Those of every read.
    pub fn entries(&self, run: &RunId) -> Result<Vec<Entry>, JournalError> {
        self.store.read(|conn| entries(&self.store, conn, Some(run)))
    }

    /// SHA-256 of the entries of a run, in hexadecimal: of the lines that the `sqlite3` shell prints for
    /// `SELECT seq, action, attempt, kind, at, payload FROM entry WHERE run = '...' ORDER BY seq`, so that anybody can
    /// compute it again.
    ///
    /// # Errors
    /// Those of every read.
    pub fn digest(&self, run: &RunId) -> Result<String, JournalError> {
        use sha2::{Digest as _, Sha256};
        let lines = self.store.read(|conn| {
            let sql = "SELECT seq || '|' || action || '|' || attempt || '|' || kind || '|' || at || '|' || payload
                       FROM entry WHERE run = ?1 ORDER BY seq";
            rows(&self.store, conn, sql, [&run.0], |r| r.get::<_, String>(0).map_err(|e| self.store.sql(e)))
        })?;
        let mut hash = Sha256::new();
        for line in lines {
            hash.update(line.as_bytes());
            hash.update(b"\n");
        }
        Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// How far each action of a run came.
    ///
    /// # Errors
    /// Those of every read.
    pub fn progress(&self, run: &RunId) -> Result<BTreeMap<ActionId, Progress>, JournalError> {
        Ok(replay::progress(&self.entries(run)?)?)
    }

    /// What was approved of a run, by gate.
    ///
    /// # Errors
    /// Those of every read.
    pub fn approvals(&self, run: &RunId) -> Result<BTreeMap<String, Approval>, JournalError> {
        Ok(self.facts_below(&format!("approve:{run}/"), "an approval")?.into_iter().collect())
    }

    /// The calls of hooks that a run owes.
    ///
    /// # Errors
    /// Those of every read.
    pub fn hooks_due(&self, run: &RunId) -> Result<Vec<HookDue>, JournalError> {
        #[derive(serde::Deserialize)]
        struct Due {
            point: HookPoint,
            action: ActionId,
            attempt: u32,
            input: serde_json::Value,
        }
        let all: Vec<(String, Due)> = self.facts_below(&format!("hook:{run}/"), "a hook that is due")?;
        let due = |(key, due): (String, Due)| {
            let Due { point, action, attempt, input } = due;
            HookDue { id: format!("{run}/{key}"), point, action, attempt, input }
        };
        Ok(all.into_iter().map(due).collect())
    }

    /// The facts whose keys begin like that, by the rest of the key.
    fn facts_below<T: DeserializeOwned>(
        &self,
        prefix: &str,
        what: &'static str,
    ) -> Result<Vec<(String, T)>, JournalError> {
        let store = &self.store;
        store.read(|conn| {
            let sql = "SELECT substr(key, length(?1) + 1), value FROM fact WHERE substr(key, 1, length(?1)) = ?1";
            rows(store, conn, sql, [prefix], |r| {
                let text = |at: usize| r.get::<_, String>(at).map_err(|e| store.sql(e));
                Ok((text(0)?, parse(store, what, &text(1)?)?))
            })
        })
    }

    /// The actions whose outcome is open, over the newest run of every plan that is not done. These are what
    /// [`Journal::resolve`] takes.
    ///
    /// # Errors
    /// Those of every read.
    pub fn unsettled(&self) -> Result<Vec<Unsettled>, JournalError> {
        let mut open = Vec::new();
        for run in self.runs()?.into_iter().filter(|run| run.exit != Some(0)) {
            for (action, progress) in self.progress(&run.id)? {
                if progress.standing.is_unsettled() {
                    let undo = matches!(progress.standing, Standing::Undoing | Standing::AmbiguousUndo);
                    open.push(Unsettled { run: run.id.clone(), action, undo, reason: progress.reason });
                }
            }
        }
        Ok(open)
    }

    /// Checks every page of the file.
    ///
    /// # Errors
    /// [`JournalError::Corrupt`] with the first thing that is wrong.
    pub fn check(&self) -> Result<(), JournalError> {
        self.store.check()
    }
}

/// An address as a key.
pub(super) fn address_column(address: &Address) -> String {
    address.key()
}

pub(super) fn runs(store: &Store, conn: &Connection) -> Result<Vec<Run>, JournalError> {
    rows(store, conn, "SELECT * FROM run ORDER BY seq", [], |r| run_row(store, r))
}

pub(super) fn run(store: &Store, conn: &Connection, id: &RunId) -> Result<Run, JournalError> {
    rows(store, conn, "SELECT * FROM run WHERE id = ?1", [&id.0], |r| run_row(store, r))?
        .pop()
        .ok_or_else(|| JournalError::NoRun(id.clone()))
}

fn run_row(store: &Store, r: &Row<'_>) -> Result<Run, JournalError> {
    let text = |name: &str| r.get::<_, String>(name).map_err(|e| store.sql(e));
    let ended: Option<String> = r.get("ended").map_err(|e| store.sql(e))?;
    Ok(Run {
        id: RunId(text("id")?),
        plan: PlanId(text("plan_id")?),
        acks: parse(store, "the acknowledgements of a run", &text("acks")?)?,
        started: time(store, &text("started")?)?,
        ended: ended.map(|t| time(store, &t)).transpose()?,
        exit: r.get("exit").map_err(|e| store.sql(e))?,
        actor: text("actor")?,
        host: text("host")?,
        pid: r.get("pid").map_err(|e| store.sql(e))?,
        epoch: r.get("epoch").map_err(|e| store.sql(e))?,
    })
}

pub(super) fn entries(store: &Store, conn: &Connection, run: Option<&RunId>) -> Result<Vec<Entry>, JournalError> {
    match run {
        None => rows(store, conn, "SELECT * FROM entry ORDER BY seq", [], |r| entry_row(store, r)),
        Some(run) => {
            rows(store, conn, "SELECT * FROM entry WHERE run = ?1 ORDER BY seq", [&run.0], |r| entry_row(store, r))
        }
    }
}

pub(super) fn action_entries(
    store: &Store,
    conn: &Connection,
    run: &RunId,
    action: &ActionId,
) -> Result<Vec<Entry>, JournalError> {
    let sql = "SELECT * FROM entry WHERE run = ?1 AND action = ?2 ORDER BY seq";
    rows(store, conn, sql, params![run.0, action.as_str()], |r| entry_row(store, r))
}

fn entry_row(store: &Store, r: &Row<'_>) -> Result<Entry, JournalError> {
    let text = |name: &str| r.get::<_, String>(name).map_err(|e| store.sql(e));
    let payload: serde_json::Value = parse(store, "the payload of an entry", &text("payload")?)?;
    let record: Record = serde_json::from_value(serde_json::json!({ "kind": text("kind")?, "payload": payload }))
        .map_err(|e| store.content("an entry", e.to_string()))?;
    Ok(Entry {
        seq: r.get("seq").map_err(|e| store.sql(e))?,
        run: RunId(text("run")?),
        action: ActionId::from(text("action")?),
        attempt: r.get("attempt").map_err(|e| store.sql(e))?,
        at: time(store, &text("at")?)?,
        epoch: r.get("epoch").map_err(|e| store.sql(e))?,
        record,
    })
}

fn mailboxes(
    store: &Store,
    conn: &Connection,
    only: Option<&Address>,
) -> Result<BTreeMap<Address, MailboxState>, JournalError> {
    let sql = "SELECT * FROM mailbox WHERE ?1 IS NULL OR address = ?1";
    let all = rows(store, conn, sql, [only.map(address_column)], |r| {
        let text = |name: &str| r.get::<_, Option<String>>(name).map_err(|e| store.sql(e));
        let source = match (text("source_platform")?, text("source_address")?) {
            (Some(platform), Some(address)) => Some((PlatformId::from(platform), parse_address(store, &address)?)),
            _ => None,
        };
        let seen: Vec<(FolderPath, FolderStatus)> =
            parse(store, "what was seen of a mailbox", &text("seen")?.unwrap_or_else(|| "[]".to_owned()))?;
        let state = MailboxState {
            source,
            copied: seen.into_iter().collect(),
            counts: text("counts")?.map(|t| parse(store, "the counts of a mailbox", &t)).transpose()?,
            passes: r.get("passes").map_err(|e| store.sql(e))?,
            verified: text("verified")?.map(|t| parse(store, "the proof of a mailbox", &t)).transpose()?,
        };
        let address: String = r.get("address").map_err(|e| store.sql(e))?;
        Ok((parse_address(store, &address)?, state))
    })?;
    Ok(all.into_iter().collect())
}

type Facts = (BTreeSet<Address>, BTreeSet<(PlatformId, Address)>);

fn facts(store: &Store, conn: &Connection) -> Result<Facts, JournalError> {
    let keys = rows(store, conn, "SELECT key FROM fact ORDER BY key", [], |r| {
        r.get::<_, String>(0).map_err(|e| store.sql(e))
    })?;
    let (mut protected, mut passwords) = Facts::default();
    for key in keys {
        if let Some(address) = key.strip_prefix("protect:") {
            protected.insert(parse_address(store, address)?);
        } else if let Some((platform, address)) = key.strip_prefix("password:").and_then(|k| k.rsplit_once('/')) {
            passwords.insert((PlatformId::from(platform), parse_address(store, address)?));
        }
    }
    Ok((protected, passwords))
}

fn rows<T>(
    store: &Store,
    conn: &Connection,
    sql: &str,
    params: impl Params,
    read: impl Fn(&Row<'_>) -> Result<T, JournalError>,
) -> Result<Vec<T>, JournalError> {
    let mut statement = conn.prepare_cached(sql).map_err(|e| store.sql(e))?;
    let mut cursor = statement.query(params).map_err(|e| store.sql(e))?;
    let mut out = Vec::new();
    while let Some(row) = cursor.next().map_err(|e| store.sql(e))? {
        out.push(read(row)?);
    }
    Ok(out)
}

fn parse<T: DeserializeOwned>(store: &Store, what: &'static str, text: &str) -> Result<T, JournalError> {
    serde_json::from_str(text).map_err(|e| store.content(what, e.to_string()))
}

fn parse_address(store: &Store, text: &str) -> Result<Address, JournalError> {
    Address::parse(text).map_err(|e| store.content("an address", e.to_string()))
}

fn time(store: &Store, text: &str) -> Result<jiff::Timestamp, JournalError> {
    text.parse().map_err(|_| store.content("a time", format!("`{text}`")))
}
