//! One action from precondition to outcome.

use std::sync::Arc;

use super::{
    Context,
    ending::{Ending, Report, Trouble},
};
use crate::{
    journal::{Fact, JournalError, Progress, Record, Standing},
    model::{Action, CutoverStep, Event, PlatformId, RunId, Work},
    provider::{ErrorClass, Provider},
};

/// What every worker of a run shares.
pub(super) struct Executor<'a> {
    pub(super) ctx: &'a Context<'a>,
    pub(super) run: RunId,
}

impl Executor<'_> {
    pub(super) fn action(&self, at: usize) -> Option<&Action> {
        self.ctx.plan.body.actions.get(at)
    }

    pub(super) fn provider(&self, platform: &PlatformId) -> Result<&Arc<dyn Provider>, Trouble> {
        let missing = || {
            Trouble::new(
                Some(ErrorClass::Unsupported),
                format!("there is no platform {platform}"),
                Some("the spec must still declare every platform of the plan"),
            )
        };
        self.ctx.platforms.get(platform).ok_or_else(missing)
    }

    pub(super) fn write(&self, action: &Action, record: &Record, facts: &[Fact]) -> Result<(), JournalError> {
        let due = self.due(action, record);
        let facts: Vec<Fact> = facts.iter().cloned().chain(due).collect();
        self.ctx.journal.append(self.ctx.lease, &self.run, &action.id, record, &facts).map(|_| ())
    }

    pub(super) async fn pause(&self) {
        tokio::select! {
            () = self.ctx.options.cancel.cancelled() => {}
            () = tokio::time::sleep(self.ctx.options.poll) => {}
        }
    }

    /// Writes down that an action is known not to be done.
    pub(super) fn failed(&self, action: &Action, trouble: Trouble) -> Result<Ending, JournalError> {
        let record = Record::Failed { errors: trouble.errors.clone(), help: trouble.help.clone() };
        self.write(action, &record, &[])?;
        Ok(Ending::Failed(trouble))
    }

    /// Does one action, whatever an earlier run left of it.
    pub(super) async fn perform(&self, at: usize, progress: &Progress) -> Result<Report, JournalError> {
        let Some(action) = self.action(at) else { return Ok(Report::new(at, Ending::Left)) };
        self.ctx.events.emit(Event::ActionStarted { action: action.id.clone() });
        match &action.work {
            Work::Platform { platform, change } => {
                let ending = self.change(action, platform, change, progress).await?;
                Ok(Report::new(at, ending))
            }
            Work::Zone(change) => Ok(Report::new(at, self.zone(action, change, progress).await?)),
            Work::Cutover(work) if work.step == CutoverStep::Probe => {
                Ok(Report::new(at, self.probe(action, work, progress).await?))
            }
            Work::Cutover(work) => Ok(Report::new(at, self.cutover(action, work).await?)),
            Work::DomainReady { platform, domain } => {
                Ok(Report::new(at, self.domain_ready(action, platform, domain).await?))
            }
            Work::Copy(work) => self.copy(at, action, work).await,
            Work::VerifyMail(work) => self.verify_mail(at, action, work).await,
            Work::VerifyDns { platform, domain, topics } => {
                self.verify_dns(at, action, (platform, domain, topics)).await
            }
        }
    }

    /// Does the actions of one unit one after the other. When one fails for certain, those before it are taken back.
    pub(super) async fn unit(&self, unit: &[usize], mut progress: Vec<Progress>) -> Result<Vec<Report>, JournalError> {
        let mut reports = Vec::with_capacity(unit.len());
        if let Some(report) = self.settle_undos(unit, &mut progress).await? {
            return Ok(vec![report]);
        }
        if let Some(report) = self.prepare_swap(unit, &progress).await? {
            return Ok(vec![report]);
        }
        if let Some(report) = self.may_begin(unit, &progress).await? {
            return Ok(vec![report]);
        }
        for (n, (&at, stands)) in unit.iter().zip(&progress).enumerate() {
            if stands.standing == Standing::Done {
                continue;
            }
            let mut report = self.perform(at, stands).await?;
            if let (Ending::Failed(trouble), Some(action)) = (&mut report.ending, self.action(at)) {
                reports.extend(self.take_move_back(action, trouble).await?);
            }
            if let Some(action) = self.action(at) {
                self.call_due(action).await?;
            }
            let end = !matches!(report.ending, Ending::Done { .. });
            if let Ending::Failed(trouble) = &mut report.ending {
                let reason = trouble.errors.first().cloned().unwrap_or_default();
                let (undone, stays) = self.take_back(unit.get(..n).unwrap_or_default(), &reason).await?;
                reports.extend(undone);
                trouble.errors.extend(stays);
            }
            reports.push(report);
            if end {
                break;
            }
        }
        Ok(reports)
    }

    /// Before the first action of a swap: everything that can be known about the later ones.
    async fn prepare_swap(&self, unit: &[usize], progress: &[Progress]) -> Result<Option<Report>, JournalError> {
        let untouched = |p: &Progress| matches!(p.standing, Standing::Fresh | Standing::Failed | Standing::Undone);
        if unit.len() < 2 || !progress.iter().all(untouched) {
            return Ok(None);
        }
        let members: Vec<&Action> = unit.iter().filter_map(|&at| self.action(at)).collect();
        for (n, (&at, action)) in unit.iter().zip(&members).enumerate().skip(1) {
            if let Err(trouble) = self.prepare(action, members.get(..n).unwrap_or_default(), false).await {
                return Ok(Some(Report::new(at, self.failed(action, trouble)?)));
            }
        }
        Ok(None)
    }
}
