//! The waits around the move of an MX. A wait leaves nothing open: what counts (since when something is seen, what a
//! person said) is in the journal, so any later run goes on counting where this one ended.

use jiff::{SignedDuration, Timestamp};

use super::{
    context::CutoverSight,
    ending::{Ending, Trouble},
    executor::Executor,
};
use crate::{
    diag::moment,
    journal::{CutoverWord, JournalError, Record, Said},
    model::{Action, CutoverStep, CutoverWork, Event, Work, ZoneChange},
};

/// What one look comes to.
enum Look {
    /// It is time.
    Over,
    /// Not yet; the text says for what.
    NotYet(String),
    /// It will not be.
    Never(Trouble),
}

impl Executor<'_> {
    pub(super) async fn cutover(&self, action: &Action, work: &CutoverWork) -> Result<Ending, JournalError> {
        if let Some(ending) = self.until_time(action, action, work).await? {
            return Ok(ending);
        }
        self.write(action, &Record::Intent {}, &[])?;
        self.write(action, &Record::Done { detail: None }, &[])?;
        Ok(Ending::Done { adopted: false, detail: None })
    }

    /// The wait before a move, for the change that makes it.
    pub(super) fn move_of(&self, change: &ZoneChange) -> Option<(&Action, &CutoverWork)> {
        self.ctx.plan.body.actions.iter().find_map(|action| match &action.work {
            Work::Cutover(work) if work.step == CutoverStep::Drain && work.switch == *change => Some((action, &**work)),
            _ => None,
        })
    }

    /// Waits for what a step of a move waits for, on behalf of an action. `None` once it is time.
    pub(super) async fn until_time(
        &self,
        action: &Action,
        step: &Action,
        work: &CutoverWork,
    ) -> Result<Option<Ending>, JournalError> {
        let options = &self.ctx.options;
        let mut told = None;
        loop {
            let reason = match self.look_at_cutover(step, work).await? {
                Look::Over => return Ok(None),
                Look::Never(trouble) => return self.failed(action, trouble).map(Some),
                Look::NotYet(reason) => reason,
            };
            if told.as_ref() != Some(&reason) {
                self.ctx.events.emit(Event::ActionWaiting { action: action.id.clone(), reason: reason.clone() });
                told = Some(reason.clone());
            }
            if options.no_wait {
                return Ok(Some(Ending::Waiting(reason)));
            }
            self.pause().await;
            if options.cancel.is_cancelled() {
                return Ok(Some(Ending::Left));
            }
        }
    }

    async fn look_at_cutover(&self, action: &Action, work: &CutoverWork) -> Result<Look, JournalError> {
        let domain = &work.switch.domain;
        let said = self.ctx.journal.said(&self.run, domain)?;
        if let Some(said) = said.as_ref().filter(|s| s.word == CutoverWord::Cancel && work.step == CutoverStep::Drain) {
            let message = format!("{} cancelled the move of the MX of {}", said.by, domain.unicode());
            let help =
                format!("plan again when it is wanted; `rehome plan --rollback {}` takes back what was done", self.run);
            return Ok(Look::Never(Trouble::new(None, message, Some(&help))));
        }
        let now = self.ctx.options.clock.now();
        let more = match self.ctx.dns.sight(work).await {
            CutoverSight::There { more } => more,
            CutoverSight::Unknown(reason) => return Ok(Look::NotYet(reason)),
            CutoverSight::Behind(reason) => {
                self.ctx.journal.unseen(self.ctx.lease, &self.run, &action.id)?;
                return Ok(Look::NotYet(reason));
            }
            CutoverSight::Forbidden { max_age, reason } => {
                self.ctx.journal.unseen(self.ctx.lease, &self.run, &action.id)?;
                if let Some(until) = not_before(now, max_age) {
                    self.ctx.journal.policy_until(self.ctx.lease, domain, until)?;
                }
                return Ok(Look::NotYet(reason));
            }
            CutoverSight::Changed(reason) => {
                let help = "plan again: somebody changed the MX since the plan was made";
                return Ok(Look::Never(Trouble::new(None, reason, Some(help))));
            }
        };
        let since = self.ctx.journal.seen_since(self.ctx.lease, &self.run, &action.id, now)?;
        if let Some(until) = not_before(since, work.wait.max(more)).filter(|until| now < *until) {
            let until = moment(until);
            return Ok(Look::NotYet(match work.step {
                CutoverStep::Drain => format!("the MX of {} moves not before {until}", domain.unicode()),
                CutoverStep::Probe | CutoverStep::Converge => {
                    format!("every server has the new MX of {}; resolvers by {until}", domain.unicode())
                }
            }));
        }
        if work.step != CutoverStep::Drain {
            return Ok(Look::Over);
        }
        if let Some(until) = self.ctx.journal.policy_kept(domain)?.filter(|until| now < *until) {
            let until = moment(until);
            return Ok(Look::NotYet(format!(
                "senders may know an MTA-STS policy that keeps mail from the new servers of {} until {until}",
                domain.unicode()
            )));
        }
        let look = permission(work, said.as_ref());
        Ok(match self.probe_in_the_way(work).await {
            Some(reason) if matches!(look, Look::Over) => Look::NotYet(reason),
            _ => look,
        })
    }
}

/// What people say of a move that could be made.
fn permission(work: &CutoverWork, said: Option<&Said>) -> Look {
    let domain = &work.switch.domain;
    match said.map(|s| (s.word, &s.by)) {
        Some((CutoverWord::Hold, by)) => Look::NotYet(format!(
            "{by} holds the move of the MX of {}; `rehome cutover approve {domain}` lets it go",
            domain.unicode()
        )),
        Some((CutoverWord::Approve, _)) => Look::Over,
        _ if work.approve => Look::NotYet(format!(
            "the MX of {} can move now; `rehome cutover approve {domain}` lets it",
            domain.unicode()
        )),
        _ => Look::Over,
    }
}

/// When a wait ends; `None` when that is beyond all calendars.
fn not_before(since: Timestamp, seconds: u32) -> Option<Timestamp> {
    since.checked_add(SignedDuration::from_secs(i64::from(seconds))).ok()
}
