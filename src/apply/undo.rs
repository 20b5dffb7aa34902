//! Taking back what was done for a claim that failed: an address must not stay without an owner.
//!
//! An undo is an effect like any other: its intent is durable before it begins, and a run that finds one open settles it
//! before anything else happens to the swap.

use super::{
    change::{ATTEMPTS, Sight, look},
    ending::{Ending, Report, Trouble},
    executor::Executor,
    zone::{Sight as ZoneSight, look as zone_sight},
};
use crate::{
    journal::{Fact, JournalError, Progress, Record, Standing},
    model::{Action, Change, PlatformId, Undo, Work, ZoneChange},
    provider::ErrorClass,
};

impl Executor<'_> {
    /// Takes back the actions of a swap that were done before its claim failed, the last one first, up to one that
    /// cannot be taken back: the text says which, and how a person can.
    pub(super) async fn take_back(
        &self,
        before: &[usize],
        reason: &str,
    ) -> Result<(Vec<Report>, Option<String>), JournalError> {
        let mut reports = Vec::new();
        for &at in before.iter().rev() {
            let Some(action) = self.action(at) else { continue };
            if let Undo::Manual(how) | Undo::Irreversible(how) = &action.undo {
                return Ok((reports, Some(format!("{} stays done: {how}", action.id))));
            }
            let Some(ending) = self.undo(action, Standing::Done, reason).await? else { continue };
            let undone = matches!(ending, Ending::Undone(_));
            reports.push(Report::new(at, ending));
            if !undone {
                break;
            }
        }
        Ok((reports, None))
    }

    /// Ends the undos that an earlier run began. Gives a report when one of them cannot be ended.
    pub(super) async fn settle_undos(
        &self,
        unit: &[usize],
        progress: &mut [Progress],
    ) -> Result<Option<Report>, JournalError> {
        for (&at, stands) in unit.iter().zip(progress.iter_mut()).rev() {
            if !matches!(stands.standing, Standing::Undoing | Standing::AmbiguousUndo) {
                continue;
            }
            let Some(action) = self.action(at) else { continue };
            let reason = "an earlier run had begun to take it back";
            let Some(ending) = self.undo(action, stands.standing, reason).await? else { continue };
            match ending {
                Ending::Undone(_) => stands.standing = Standing::Undone,
                ending => return Ok(Some(Report::new(at, ending))),
            }
        }
        Ok(None)
    }

    /// Takes an action back, whatever it changed. `None` when there is nothing that rehome could do.
    async fn undo(&self, action: &Action, standing: Standing, reason: &str) -> Result<Option<Ending>, JournalError> {
        Ok(match &action.undo {
            Undo::Change { platform, change } => {
                Some(self.undo_platform(action, platform, change, standing, reason).await?)
            }
            Undo::Zone(change) => Some(self.undo_zone(action, change, standing, reason, &[]).await?),
            Undo::Nothing | Undo::Manual(_) | Undo::Irreversible(_) => None,
        })
    }

    async fn undo_platform(
        &self,
        action: &Action,
        platform: &PlatformId,
        change: &Change,
        standing: Standing,
        reason: &str,
    ) -> Result<Ending, JournalError> {
        let provider = match self.provider(platform) {
            Ok(provider) => provider,
            Err(trouble) => return Ok(Ending::Open(owed(action, trouble))),
        };
        let mut in_doubt = standing != Standing::Done;
        if in_doubt {
            match look(provider.as_ref(), change).await {
                Sight::Made => return self.undone(action, reason),
                Sight::NotMade => {}
                Sight::Unclear(why) => return self.ambiguous_undo(action, standing, why),
            }
        }
        let mut last = None;
        for _ in 0..ATTEMPTS {
            self.write(action, &Record::Undo { reason: reason.to_owned() }, &[])?;
            let (class, trouble) = match self.make(provider.as_ref(), platform, change).await {
                Ok(()) => return self.undone(action, reason),
                Err(failure) => failure,
            };
            let may_be_made = matches!(class, ErrorClass::InDoubt | ErrorClass::Timeout);
            if !may_be_made && !in_doubt {
                last = Some(trouble);
                break;
            }
            in_doubt = true;
            match look(provider.as_ref(), change).await {
                Sight::Made => return self.undone(action, reason),
                Sight::Unclear(why) => return self.ambiguous_undo(action, Standing::Undoing, why),
                Sight::NotMade => last = Some(trouble),
            }
            if class != ErrorClass::InDoubt {
                break;
            }
        }
        self.not_undone(action, last)
    }

    /// Takes a change of a zone back; `change` is the one that does. The facts belong to the first intent.
    pub(super) async fn undo_zone(
        &self,
        action: &Action,
        change: &ZoneChange,
        standing: Standing,
        reason: &str,
        facts: &[Fact],
    ) -> Result<Ending, JournalError> {
        let mut in_doubt = standing != Standing::Done;
        if !in_doubt {
            self.write(action, &Record::Undo { reason: reason.to_owned() }, facts)?;
        }
        let Some(writer) = self.ctx.dns.writer(&change.domain) else {
            let help = "the spec must still say `dns.manage` for every domain of the plan";
            let message = format!("nobody may write the zone of {}", change.domain);
            return Ok(Ending::Open(owed(action, Trouble::new(Some(ErrorClass::Unsupported), message, Some(help)))));
        };
        let mut last = None;
        for _ in 0..ATTEMPTS {
            if in_doubt {
                match zone_sight(writer, change).await {
                    ZoneSight::Made => return self.undone(action, reason),
                    ZoneSight::Unclear(why) => return self.ambiguous_undo(action, standing, why),
                    ZoneSight::NotMade => {
                        // What a person or an earlier run left in doubt is begun again before it is done again.
                        self.write(action, &Record::Undo { reason: reason.to_owned() }, &[])?;
                    }
                }
            }
            let error = match writer.write(change).await {
                Ok(()) => return self.undone(action, reason),
                Err(error) => error,
            };
            in_doubt = true;
            let retry = error.class == ErrorClass::InDoubt;
            last = Some(Trouble::from(&error));
            if !retry {
                break;
            }
        }
        self.not_undone(action, last)
    }

    fn undone(&self, action: &Action, reason: &str) -> Result<Ending, JournalError> {
        self.write(action, &Record::Undone {}, &[])?;
        Ok(Ending::Undone(reason.to_owned()))
    }

    /// Ends an undo that had no effect; `last` is why, as far as anybody said. It stays owed.
    fn not_undone(&self, action: &Action, last: Option<Trouble>) -> Result<Ending, JournalError> {
        let trouble =
            last.unwrap_or_else(|| Trouble::new(None, format!("the undo of {} had no effect", action.id), None));
        let record = Record::Failed { errors: trouble.errors.clone(), help: trouble.help.clone() };
        self.write(action, &record, &[])?;
        Ok(Ending::Open(owed(action, trouble)))
    }

    fn ambiguous_undo(&self, action: &Action, standing: Standing, reason: String) -> Result<Ending, JournalError> {
        if standing != Standing::AmbiguousUndo {
            self.write(action, &Record::Ambiguous { reason: reason.clone() }, &[])?;
        }
        Ok(Ending::Ambiguous(format!("whether it was taken back: {reason}")))
    }
}

fn owed(action: &Action, trouble: Trouble) -> Trouble {
    let address = action.swap.as_ref().map_or_else(|| action.chain.to_string(), ToString::to_string);
    let state = match &action.work {
        Work::Zone(change) => format!("the {} records of {} are still the new ones", change.rtype, change.name),
        _ => format!("{address} has no owner now"),
    };
    let mut trouble = trouble.because(format!("{} could not be taken back: {state}", action.id));
    trouble.help = Some(format!(
        "`rehome resume` at once: it takes it back first{}",
        trouble.help.map(|help| format!(". {help}")).unwrap_or_default()
    ));
    trouble
}
