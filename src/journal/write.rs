//! Everything that is written. One function makes every write durable, checks the lease and counts for tests.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::{Transaction, params};
use serde::Serialize;

use super::{
    Approval, Fact, Journal, JournalError, Lease, Record, Resolution, Run,
    cutover::said_key,
    fault::FaultPoint,
    lease::host_name,
    probe::probe_key,
    read::{self, address_column},
    replay,
};
use crate::{
    diag::Exit,
    model::{ActionId, Address, CopyReport, PlanId, PlatformId, RunId, Verified},
};

impl Journal {
    /// Begins the run of a plan, or goes on with the one that began: then the run keeps its name and its entries.
    ///
    /// `plan_json` is the whole plan, for `resume`; `acks` is what was acknowledged, added to what was before.
    ///
    /// # Errors
    /// [`JournalError::OpenRun`] when the run of another plan has not ended.
    pub fn begin_run(
        &self,
        lease: &Lease,
        plan: &PlanId,
        plan_json: &str,
        acks: &BTreeSet<String>,
    ) -> Result<Run, JournalError> {
        self.write(lease, |tx| {
            if let Some(open) = read::runs(&self.store, tx)?.into_iter().find(|run| run.ended.is_none())
                && open.plan != *plan
            {
                return Err(JournalError::OpenRun { run: open.id, plan: open.plan });
            }
            let now = Timestamp::now();
            let earlier = read::runs(&self.store, tx)?.into_iter().rev().find(|run| run.plan == *plan);
            let id = match &earlier {
                Some(run) => run.id.clone(),
                None => self.insert_run(tx, plan, plan_json, now, lease)?,
            };
            let mut all: BTreeSet<String> = earlier.map(|run| run.acks).unwrap_or_default();
            all.extend(acks.iter().cloned());
            self.execute(
                tx,
                "UPDATE run SET acks = ?2, ended = NULL, exit = NULL, actor = ?3, host = ?4, pid = ?5, epoch = ?6
                 WHERE id = ?1",
                params![id.0, self.json(&all)?, lease.actor, lease.host, lease.pid, lease.epoch],
            )?;
            self.execute(tx, "UPDATE lease SET run = ?1", [&id.0])?;
            read::run(&self.store, tx, &id)
        })
    }

    fn insert_run(
        &self,
        tx: &Transaction<'_>,
        plan: &PlanId,
        plan_json: &str,
        now: Timestamp,
        lease: &Lease,
    ) -> Result<RunId, JournalError> {
        let last: Option<i64> =
            tx.query_row("SELECT max(seq) FROM run", [], |r| r.get(0)).map_err(|e| self.store.sql(e))?;
        let seq = last.unwrap_or(0) + 1;
        let id = RunId(format!("run-{seq:06}"));
        self.execute(
            tx,
            "INSERT INTO run (seq, id, plan_id, plan, acks, started, actor, host, pid, epoch)
             VALUES (?1, ?2, ?3, ?4, '[]', ?5, ?6, ?7, ?8, ?9)",
            params![seq, id.0, plan.0, plan_json, now.to_string(), lease.actor, lease.host, lease.pid, lease.epoch],
        )?;
        Ok(id)
    }

    /// Ends a run with its exit code.
    ///
    /// # Errors
    /// [`JournalError::Order`] for exit 0 while an action of the run is not done.
    pub fn finish_run(&self, lease: &Lease, run: &RunId, exit: Exit) -> Result<(), JournalError> {
        self.write(lease, |tx| {
            if exit == Exit::Ok {
                replay::complete(run, &replay::progress(&read::entries(&self.store, tx, Some(run))?)?)?;
            }
            let rows = self.execute(
                tx,
                "UPDATE run SET ended = ?2, exit = ?3 WHERE id = ?1 AND ended IS NULL",
                params![run.0, Timestamp::now().to_string(), exit.code()],
            )?;
            self.execute(tx, "UPDATE lease SET run = NULL", [])?;
            if rows == 1 { Ok(()) } else { Err(JournalError::NoRun(run.clone())) }
        })
    }

    /// Adds one record of one action, and the facts that came with it, in one transaction.
    ///
    /// An [`Intent`](Record::Intent) begins the next attempt; every other record belongs to the current one. The number
    /// of the attempt is returned.
    ///
    /// # Errors
    /// [`JournalError::Order`] when the record cannot follow those before it.
    pub fn append(
        &self,
        lease: &Lease,
        run: &RunId,
        action: &ActionId,
        record: &Record,
        facts: &[Fact],
    ) -> Result<u32, JournalError> {
        self.write(lease, |tx| {
            let before = replay::progress(&read::action_entries(&self.store, tx, run, action)?)?;
            let before = before.into_values().next().unwrap_or_default();
            let attempt = before.attempts + u32::from(matches!(record, Record::Intent {}));
            before.after(action, attempt, record)?;
            let value = serde_json::to_value(record).map_err(|e| self.store.content("a record", e.to_string()))?;
            let payload = value.get("payload").cloned().unwrap_or_default().to_string();
            self.execute(
                tx,
                "INSERT INTO entry (run, action, attempt, kind, at, epoch, payload)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    run.0,
                    action.as_str(),
                    attempt,
                    record.kind(),
                    Timestamp::now().to_string(),
                    lease.epoch,
                    payload
                ],
            )?;
            facts.iter().try_for_each(|fact| self.note(tx, fact, Some((run, action, attempt))))?;
            Ok(attempt)
        })
    }

    /// Records facts that belong to no action.
    ///
    /// # Errors
    /// Those of every write.
    pub fn record(&self, lease: &Lease, facts: &[Fact]) -> Result<(), JournalError> {
        self.write(lease, |tx| facts.iter().try_for_each(|fact| self.note(tx, fact, None)))
    }

    /// Records what a person decided about an action whose outcome is open. Returns its run.
    ///
    /// # Errors
    /// [`JournalError::NoAction`] when no action of that name is open.
    pub fn resolve(&self, lease: &Lease, action: &ActionId, decision: Resolution) -> Result<RunId, JournalError> {
        let open = self.unsettled()?;
        let found = open.into_iter().rev().find(|unsettled| unsettled.action == *action);
        let run = found.ok_or_else(|| JournalError::NoAction(action.clone()))?.run;
        let record = Record::Resolved { decision, by: lease.actor.clone() };
        self.append(lease, &run, action, &record, &[])?;
        Ok(run)
    }

    /// Adds one to the completed passes of a mailbox and keeps what the pass saw. See [`Fact::Copied`].
    ///
    /// # Errors
    /// Those of every write.
    pub fn record_copy(
        &self,
        lease: &Lease,
        address: &Address,
        source: (PlatformId, Address),
        report: &CopyReport,
    ) -> Result<(), JournalError> {
        self.record(lease, &[Fact::Copied { address: address.clone(), source, report: report.clone() }])
    }

    /// Keeps the proof that a mailbox equals its source. See [`Fact::Verified`].
    ///
    /// # Errors
    /// Those of every write.
    pub fn record_verified(&self, lease: &Lease, address: &Address, verified: Verified) -> Result<(), JournalError> {
        self.record(lease, &[Fact::Verified { address: address.clone(), verified }])
    }

    /// Protects an account from being reset or deleted, whatever a spec says.
    ///
    /// # Errors
    /// Those of every write.
    pub fn protect(&self, lease: &Lease, address: &Address) -> Result<(), JournalError> {
        self.record(lease, &[Fact::Protected(address.clone())])
    }

    /// Takes that protection away.
    ///
    /// # Errors
    /// Those of every write.
    pub fn unprotect(&self, lease: &Lease, address: &Address) -> Result<(), JournalError> {
        self.record(lease, &[Fact::Unprotected(address.clone())])
    }

    /// Notes that the password of an account was set. See [`Fact::PasswordSet`].
    ///
    /// # Errors
    /// Those of every write.
    pub fn record_password(&self, lease: &Lease, platform: &PlatformId, address: &Address) -> Result<(), JournalError> {
        self.record(lease, &[Fact::PasswordSet { platform: platform.clone(), address: address.clone() }])
    }

    /// Writes down that somebody approves a class of actions of a run. `false` when it was approved before.
    ///
    /// It needs no lease, because it changes nothing that a run has written: so it can be said while a run waits for it,
    /// also from another host.
    ///
    /// # Errors
    /// [`JournalError::NoRun`] when there is no such run.
    pub fn approve(&self, run: &RunId, gate: &str, by: &str) -> Result<bool, JournalError> {
        self.store.transaction(|tx| {
            read::run(&self.store, tx, run)?;
            let approval = Approval { by: by.to_owned(), at: Timestamp::now(), host: host_name() };
            let key = format!("approve:{run}/{gate}");
            let sql = "INSERT OR IGNORE INTO fact (key, value) VALUES (?1, ?2)";
            Ok(self.execute(tx, sql, params![key, self.json(&approval)?])? == 1)
        })
    }

    fn note(
        &self,
        tx: &Transaction<'_>,
        fact: &Fact,
        of: Option<(&RunId, &ActionId, u32)>,
    ) -> Result<(), JournalError> {
        let now = Timestamp::now().to_string();
        match fact {
            Fact::Copied { address, source, report } => self.execute(
                tx,
                "INSERT INTO mailbox (address, source_platform, source_address, seen, counts, passes)
                 VALUES (?1, ?2, ?3, ?4, ?5, 1)
                 ON CONFLICT (address) DO UPDATE SET source_platform = excluded.source_platform,
                   source_address = excluded.source_address, seen = excluded.seen, counts = excluded.counts,
                   passes = passes + 1",
                params![
                    address_column(address),
                    source.0.as_str(),
                    source.1.to_string(),
                    self.json(&report.seen.iter().collect::<Vec<_>>())?,
                    self.json(&report.total)?
                ],
            ),
            Fact::Verified { address, verified } => self.execute(
                tx,
                "INSERT INTO mailbox (address, seen, passes, verified) VALUES (?1, '[]', 0, ?2)
                 ON CONFLICT (address) DO UPDATE SET verified = excluded.verified",
                params![address_column(address), self.json(verified)?],
            ),
            Fact::PasswordSet { platform, address } => {
                let key = format!("password:{platform}/{}", address_column(address));
                self.execute(tx, "INSERT OR REPLACE INTO fact (key, value) VALUES (?1, ?2)", [key, now])
            }
            Fact::Protected(address) => {
                let key = format!("protect:{}", address_column(address));
                self.execute(tx, "INSERT OR REPLACE INTO fact (key, value) VALUES (?1, ?2)", [key, now])
            }
            Fact::Unprotected(address) => {
                let key = format!("protect:{}", address_column(address));
                self.execute(tx, "DELETE FROM fact WHERE key = ?1", [key])
            }
            Fact::HookDue { point, input } => {
                let Some((run, action, attempt)) = of else { return Ok(()) };
                let id = format!("{run}/{point}/{action}/{attempt}");
                let value = serde_json::json!({"point": point, "action": action, "attempt": attempt, "input": input});
                let sql = "INSERT OR REPLACE INTO fact (key, value) VALUES (?1, ?2)";
                self.execute(tx, sql, [format!("hook:{id}"), value.to_string()])
            }
            Fact::ProbeBegun(sent) => {
                let Some((run, action, _)) = of else { return Ok(()) };
                let sql = "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)";
                self.execute(tx, sql, [probe_key(run, action), self.json(sent)?])
            }
            Fact::ProbeEnded { action } => {
                let Some((run, ..)) = of else { return Ok(()) };
                self.execute(tx, "DELETE FROM meta WHERE key = ?1", [probe_key(run, action)])
            }
            Fact::Said { domain, said } => {
                let Some((run, ..)) = of else { return Ok(()) };
                let sql = "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)";
                self.execute(tx, sql, [said_key(run, domain), self.json(said)?])
            }
            Fact::HookCalled { id } => self.execute(tx, "DELETE FROM fact WHERE key = ?1", [format!("hook:{id}")]),
        }
        .map(|_| ())
    }

    /// The one way to write: faults, lease, transaction.
    pub(super) fn write<T>(
        &self,
        lease: &Lease,
        f: impl FnOnce(&Transaction<'_>) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        let faults = &self.store.faults;
        let write = faults.next();
        faults.at(FaultPoint { write, after: false })?;
        let value = self.store.transaction(|tx| {
            lease.extend(tx)?;
            f(tx)
        })?;
        faults.at(FaultPoint { write, after: true })?;
        Ok(value)
    }

    fn execute(&self, tx: &Transaction<'_>, sql: &str, params: impl rusqlite::Params) -> Result<usize, JournalError> {
        tx.prepare_cached(sql).and_then(|mut s| s.execute(params)).map_err(|e| self.store.sql(e))
    }

    fn json(&self, value: &impl Serialize) -> Result<String, JournalError> {
        serde_json::to_string(value).map_err(|e| self.store.content("a record", e.to_string()))
    }
}
