//! Changes of platforms: intent, effect, outcome, and what to do when nobody knows the outcome.

use super::{
    ending::{Ending, Trouble},
    executor::Executor,
    precondition::{account_of, makes},
};
use crate::{
    journal::{Fact, JournalError, Progress, Record, Standing},
    model::{Action, Change, PlatformId, Secret},
    provider::{ErrorClass, Probe, Provider, ProviderError},
};

/// How often one run tries a change whose earlier tries are known to have had no effect.
pub(super) const ATTEMPTS: u32 = 3;

/// What looking at the platform says about a change that may have been made.
pub(super) enum Sight {
    Made,
    NotMade,
    Unclear(String),
}

impl Executor<'_> {
    pub(super) async fn change(
        &self,
        action: &Action,
        platform: &PlatformId,
        change: &Change,
        progress: &Progress,
    ) -> Result<Ending, JournalError> {
        let provider = match self.provider(platform) {
            Ok(provider) => provider,
            Err(trouble) => return self.failed(action, trouble),
        };
        let mut in_doubt = matches!(progress.standing, Standing::Open | Standing::Ambiguous);
        if in_doubt {
            match look(provider.as_ref(), change).await {
                Sight::Made => return self.adopt(action, provider.as_ref(), platform, change).await,
                Sight::NotMade => {}
                Sight::Unclear(reason) => return self.ambiguous(action, progress.standing, reason),
            }
        }
        let mut last = None;
        for _ in 0..ATTEMPTS {
            let half_made = if in_doubt { self.half_made(platform, change).await } else { Some(false) };
            let password = match self.prepare(action, &[], half_made == Some(true)).await {
                Ok(password) => password,
                Err(trouble) => return self.given_up(action, half_made, trouble),
            };
            self.write(action, &Record::Intent {}, &[])?;
            let error = match provider.perform(change, password.as_ref()).await {
                Ok(()) => {
                    self.write(action, &Record::Done { detail: None }, &facts(platform, change))?;
                    return Ok(Ending::Done { adopted: false, detail: None });
                }
                Err(error) => error,
            };
            let may_be_made = matches!(error.class, ErrorClass::InDoubt | ErrorClass::Timeout);
            if !may_be_made && !in_doubt {
                return self.failed(action, Trouble::from(&error));
            }
            in_doubt = true;
            match look(provider.as_ref(), change).await {
                Sight::Made => return self.adopt(action, provider.as_ref(), platform, change).await,
                Sight::Unclear(reason) => return self.ambiguous(action, Standing::Open, reason),
                // A task of the platform still works on it: it must not be asked for twice.
                Sight::NotMade if error.class == ErrorClass::Timeout => return Ok(Ending::Open(still_runs(&error))),
                Sight::NotMade => last = Some(Trouble::from(&error)),
            }
            if !may_be_made {
                break;
            }
        }
        let trouble = last.unwrap_or_else(|| Trouble::new(None, format!("{} had no effect", action.id), None));
        let half_made = self.half_made(platform, change).await;
        self.given_up(action, half_made, trouble)
    }

    /// Whether an attempt, which is not done as a whole, has got as far as to claim the address: an account without its
    /// password, or a rename that has left the old address with it. `None` when the platform does not tell.
    async fn half_made(&self, platform: &PlatformId, change: &Change) -> Option<bool> {
        let Some(address) = makes(change) else { return Some(false) };
        let view = self.look(platform, address, false).await.ok()?;
        Some(view.accounts.contains_key(address))
    }

    /// Ends an action that is not done. What is half made, or may be, is left for the next run, which finishes it: taking
    /// back what was done before it would fail, because the address has gone to it already.
    fn given_up(&self, action: &Action, half_made: Option<bool>, trouble: Trouble) -> Result<Ending, JournalError> {
        let told = match half_made {
            Some(false) => return self.failed(action, trouble),
            Some(true) => "is half done",
            None => "may be half done",
        };
        let mut trouble = trouble.because(format!("{} {told}", action.id));
        trouble.help.get_or_insert_with(|| "`rehome resume` finishes it".to_owned());
        Ok(Ending::Open(trouble))
    }

    /// Takes over what an attempt without a recorded outcome has done.
    ///
    /// Whether an account exists can be seen, whether it got its password cannot: the attempt may have ended between the
    /// two. So the password is set again. It is the same one, because it was delivered before the first attempt and is
    /// read back from there; setting it twice changes nothing for anybody.
    async fn adopt(
        &self,
        action: &Action,
        provider: &dyn Provider,
        platform: &PlatformId,
        change: &Change,
    ) -> Result<Ending, JournalError> {
        if let Change::AccountCreate { address, password, .. } = change
            && provider.capabilities().set_password
        {
            let again = Change::AccountPassword { address: address.clone(), password: password.clone() };
            let result = match self.ctx.passwords.obtain(password, platform, address).await {
                Ok(secret) => provider.perform(&again, Some(&secret)).await.map_err(|e| Trouble::from(&e)),
                Err(error) => Err(Trouble::from(&error)),
            };
            if let Err(trouble) = result {
                // The account is there, so this is no failure of the create: nothing is taken back.
                let outer = format!("{address} was made by an earlier attempt, but its password could not be set");
                return Ok(Ending::Open(trouble.because(outer)));
            }
        }
        self.write(action, &Record::Adopted {}, &facts(platform, change))?;
        Ok(Ending::Done { adopted: true, detail: None })
    }

    fn ambiguous(&self, action: &Action, standing: Standing, reason: String) -> Result<Ending, JournalError> {
        if standing != Standing::Ambiguous {
            self.write(action, &Record::Ambiguous { reason: reason.clone() }, &[])?;
        }
        Ok(Ending::Ambiguous(reason))
    }

    /// Gets the password of an undo, where it has one, and makes the change.
    pub(super) async fn make(
        &self,
        provider: &dyn Provider,
        platform: &PlatformId,
        change: &Change,
    ) -> Result<(), (ErrorClass, Trouble)> {
        let secret: Option<Secret> = match (change.password(), account_of(change)) {
            (Some(source), Some(address)) => {
                let secret = self.ctx.passwords.obtain(source, platform, address).await;
                Some(secret.map_err(|error| (ErrorClass::Refused, Trouble::from(&error)))?)
            }
            _ => None,
        };
        provider.perform(change, secret.as_ref()).await.map_err(|error| (error.class, Trouble::from(&error)))
    }
}

/// Looks whether a change was made.
pub(super) async fn look(provider: &dyn Provider, change: &Change) -> Sight {
    // A password cannot be read. Setting the same one again is harmless, so not knowing is as good as "not made".
    if matches!(change, Change::AccountPassword { .. }) {
        return Sight::NotMade;
    }
    match provider.probe(change).await {
        Ok(Probe::Done) => Sight::Made,
        Ok(Probe::NotDone) => Sight::NotMade,
        Ok(Probe::Unclear(reason)) => Sight::Unclear(reason),
        Err(error) => Sight::Unclear(crate::diag::chain(&error).join(": ")),
    }
}

fn still_runs(error: &ProviderError) -> Trouble {
    let mut trouble = Trouble::from(error);
    trouble
        .help
        .get_or_insert_with(|| "the platform may still be working on it; `rehome resume` later looks".to_owned());
    trouble
}

/// What is known once a change is made.
fn facts(platform: &PlatformId, change: &Change) -> Vec<Fact> {
    account_of(change)
        .map(|address| Fact::PasswordSet { platform: platform.clone(), address: address.clone() })
        .into_iter()
        .collect()
}
