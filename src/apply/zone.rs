//! Changes of DNS zones: the same rules as for platforms, with another writer.

use super::{
    change::ATTEMPTS,
    ending::{Ending, Trouble},
    executor::Executor,
};
use crate::{
    journal::{JournalError, Progress, Record, Standing},
    model::{Action, RecordType, ZoneChange},
    provider::{ErrorClass, Probe, ZoneWriter},
};

pub(super) enum Sight {
    Made,
    NotMade,
    Unclear(String),
}

impl Executor<'_> {
    pub(super) async fn zone(
        &self,
        action: &Action,
        change: &ZoneChange,
        progress: &Progress,
    ) -> Result<Ending, JournalError> {
        let Some(writer) = self.ctx.dns.writer(&change.domain) else {
            let message = format!("nobody may write the zone of {}", change.domain);
            let help = "the spec must still say `dns.manage` for every domain of the plan";
            return self.failed(action, Trouble::new(Some(ErrorClass::Unsupported), message, Some(help)));
        };
        let mut in_doubt = matches!(progress.standing, Standing::Open | Standing::Ambiguous);
        if in_doubt && let Some(ending) = self.settled(action, writer, change, progress.standing).await? {
            return Ok(ending);
        }
        if let Some((step, work)) = self.move_of(change)
            && let Some(ending) = self.until_time(action, step, work).await?
        {
            // Between the end of the wait and now there may have been a gate, a weekend, or a failed test.
            return Ok(ending);
        }
        self.remember_ttl(change)?;
        let mut last = None;
        for _ in 0..ATTEMPTS {
            self.write(action, &Record::Intent {}, &[])?;
            let error = match writer.write(change).await {
                Ok(()) => {
                    self.write(action, &Record::Done { detail: None }, &[])?;
                    self.forget_ttl(change)?;
                    return Ok(Ending::Done { adopted: false, detail: None });
                }
                Err(error) => error,
            };
            let may_be_made = matches!(error.class, ErrorClass::InDoubt | ErrorClass::Timeout);
            if !may_be_made && !in_doubt {
                return self.failed(action, Trouble::from(&error));
            }
            in_doubt = true;
            if let Some(ending) = self.settled(action, writer, change, Standing::Open).await? {
                return Ok(ending);
            }
            if error.class == ErrorClass::Timeout {
                // It is written, and not every server has it yet: the next run looks again.
                return Ok(Ending::Open(Trouble::from(&error)));
            }
            last = Some(Trouble::from(&error));
            if !may_be_made {
                break;
            }
        }
        let trouble = last.unwrap_or_else(|| Trouble::new(None, format!("{} had no effect", action.id), None));
        self.failed(action, trouble)
    }

    /// Before an MX gets a lower TTL: a later plan must still know how long the old one may be remembered.
    fn remember_ttl(&self, change: &ZoneChange) -> Result<(), JournalError> {
        match change.new_ttl() {
            Some((was, is)) if change.rtype == RecordType::Mx && is < was => {
                self.ctx.journal.ttl_lowered(self.ctx.lease, &change.domain, was)
            }
            _ => Ok(()),
        }
    }

    /// After an MX got a higher TTL: the move has ended.
    fn forget_ttl(&self, change: &ZoneChange) -> Result<(), JournalError> {
        match change.new_ttl() {
            Some((was, is)) if change.rtype == RecordType::Mx && is > was => {
                self.ctx.journal.ttl_raised(self.ctx.lease, &change.domain)
            }
            _ => Ok(()),
        }
    }

    /// The end of a change that may have been made, where looking tells one.
    async fn settled(
        &self,
        action: &Action,
        writer: &dyn ZoneWriter,
        change: &ZoneChange,
        standing: Standing,
    ) -> Result<Option<Ending>, JournalError> {
        match look(writer, change).await {
            Sight::NotMade => Ok(None),
            Sight::Made => {
                self.write(action, &Record::Adopted {}, &[])?;
                self.forget_ttl(change)?;
                Ok(Some(Ending::Done { adopted: true, detail: None }))
            }
            Sight::Unclear(reason) => {
                if standing != Standing::Ambiguous {
                    self.write(action, &Record::Ambiguous { reason: reason.clone() }, &[])?;
                }
                Ok(Some(Ending::Ambiguous(reason)))
            }
        }
    }
}

pub(super) async fn look(writer: &dyn ZoneWriter, change: &ZoneChange) -> Sight {
    match writer.probe(change).await {
        Ok(Probe::Done) => Sight::Made,
        Ok(Probe::NotDone) => Sight::NotMade,
        Ok(Probe::Unclear(reason)) => Sight::Unclear(reason),
        Err(error) => Sight::Unclear(crate::diag::chain(&error).join(": ")),
    }
}
