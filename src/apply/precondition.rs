//! What must be true just before an action, read freshly.

use std::collections::{BTreeMap, BTreeSet};

use super::{ending::Trouble, executor::Executor};
use crate::{
    model::{
        Action, Address, Change, FolderPath, FolderStatus, ObjectClass, ObjectState, PlatformId, PlatformView,
        Precondition, Secret, Work,
    },
    provider::{ErrorClass, Scope},
};

/// How often a busy account is looked at again before that counts as a failure.
const PATIENCE: u32 = 20;

impl Executor<'_> {
    /// Checks everything that can stop an action before its effect, and gets its password.
    ///
    /// `earlier` are the actions of the same swap that will be done before it: what they bring about is not expected
    /// yet. So the claim of an address is known to be possible before the address is given up.
    ///
    /// With `half_made`, an earlier attempt has done a part of the action, and what that part changed is not expected to
    /// be as it was before: an account that it made is not in its own way.
    pub(super) async fn prepare(
        &self,
        action: &Action,
        earlier: &[&Action],
        half_made: bool,
    ) -> Result<Option<Secret>, Trouble> {
        for precondition in &action.preconditions {
            let used_up = half_made && ends(action, precondition);
            if !used_up && !earlier.iter().any(|before| brings_about(before, precondition)) {
                self.holds(precondition).await?;
            }
        }
        let Work::Platform { platform, change } = &action.work else { return Ok(None) };
        let (Some(source), Some(address)) = (change.password(), account_of(change)) else { return Ok(None) };
        match self.ctx.passwords.obtain(source, platform, address).await {
            Ok(secret) => Ok(Some(secret)),
            Err(error) => Err(Trouble::from(&error)),
        }
    }

    async fn holds(&self, precondition: &Precondition) -> Result<(), Trouble> {
        match precondition {
            Precondition::AddressFree { platform, address } => {
                let view = self.look(platform, address, true).await?;
                match holder(&view, address) {
                    Some(what) => Err(Trouble::new(
                        Some(ErrorClass::Conflict),
                        format!("{address} is not free on {platform}: it is {what}"),
                        Some("plan again: somebody changed it since the plan was made"),
                    )),
                    None => {
                        known(&view, platform, &[ObjectClass::Account, ObjectClass::Redirection, ObjectClass::Group])
                    }
                }
            }
            Precondition::AccountOk { platform, address } => self.account_ok(platform, address).await,
            Precondition::Verified { account } => self.still_verified(account).await,
        }
    }

    async fn account_ok(&self, platform: &PlatformId, address: &Address) -> Result<(), Trouble> {
        for _ in 0..PATIENCE {
            let view = self.look(platform, address, false).await?;
            let Some(account) = view.accounts.get(address) else {
                known(&view, platform, &[ObjectClass::Account])?;
                return Err(Trouble::new(
                    Some(ErrorClass::NotFound),
                    format!("there is no account {address} on {platform}"),
                    Some("plan again: somebody changed it since the plan was made"),
                ));
            };
            match &account.state {
                ObjectState::Ok => return Ok(()),
                ObjectState::Busy if !self.ctx.options.cancel.is_cancelled() => self.pause().await,
                state => {
                    return Err(Trouble::new(
                        Some(ErrorClass::Refused),
                        format!("{address} on {platform} takes no changes now ({state:?})"),
                        Some("wait until the platform shows it as ok, then `rehome resume`"),
                    ));
                }
            }
        }
        Err(Trouble::new(
            Some(ErrorClass::Timeout),
            format!("a task of {platform} still runs on {address}"),
            Some("`rehome resume` later"),
        ))
    }

    /// The proof is in the journal, and the source has received nothing since.
    async fn still_verified(&self, account: &Address) -> Result<(), Trouble> {
        let refuse = |message: String| {
            Trouble::new(None, message, Some("`rehome plan`: it plans another pass and another comparison"))
        };
        let state = self.ctx.journal.mailbox(account).map_err(|error| Trouble {
            class: None,
            errors: crate::diag::chain(&error),
            help: error.help(),
        })?;
        let Some(verified) = state.and_then(|mailbox| mailbox.verified) else {
            return Err(refuse(format!("the mail of {account} was never proved to be complete")));
        };
        let now = self.ctx.mail.source_now(account).await.map_err(|error| Trouble::from(&error))?;
        match arrived(&verified.seen, &now) {
            None => Ok(()),
            Some(folder) => Err(refuse(format!("mail came into {folder} of {account} after it was verified"))),
        }
    }

    pub(super) async fn look(
        &self,
        platform: &PlatformId,
        address: &Address,
        wide: bool,
    ) -> Result<PlatformView, Trouble> {
        let provider = self.provider(platform)?;
        let scope = Scope {
            domains: BTreeSet::from([address.domain().clone()]),
            accounts: BTreeSet::from([address.clone()]),
            redirections: wide,
            groups: wide,
            contacts: wide,
        };
        provider.observe(&scope).await.map_err(|error| Trouble::from(&error))
    }
}

/// What has an address on a platform, in words.
fn holder(view: &PlatformView, address: &Address) -> Option<String> {
    if view.accounts.contains_key(address) {
        return Some("an account".to_owned());
    }
    if let Some((of, _)) = view.accounts.iter().find(|(_, account)| account.aliases.contains(address)) {
        return Some(format!("an alias of {of}"));
    }
    if let Some((_, shared)) =
        view.shared.iter().find(|(main, shared)| *main == address || shared.aliases.contains(address))
    {
        return Some(format!("a {}", shared.kind.word()));
    }
    let others = [
        (view.redirections.contains_key(address), "a redirection"),
        (view.groups.contains_key(address), "a group"),
        (view.contacts.contains_key(address), "an external contact"),
    ];
    others.into_iter().find(|(there, _)| *there).map(|(_, what)| what.to_owned())
}

/// A listing with a gap proves nothing.
fn known(view: &PlatformView, platform: &PlatformId, classes: &[ObjectClass]) -> Result<(), Trouble> {
    // A gap of one object says nothing of others; only a listing that is missing as a whole hides something.
    match view.gaps.iter().find(|gap| classes.contains(&gap.class) && gap.subject.is_empty()) {
        None => Ok(()),
        Some(gap) => Err(Trouble::new(
            Some(ErrorClass::Unreachable),
            format!("{platform} could not be listed completely: {}", gap.reason),
            Some("`rehome resume` later"),
        )),
    }
}

/// The first folder that has something new.
fn arrived(seen: &BTreeMap<FolderPath, FolderStatus>, now: &BTreeMap<FolderPath, FolderStatus>) -> Option<FolderPath> {
    let news = |(path, now): &(&FolderPath, &FolderStatus)| match seen.get(*path) {
        None => now.messages > 0,
        Some(then) => {
            let renumbered = then.uid_validity != now.uid_validity && now.messages > 0;
            renumbered || now.uid_next > then.uid_next || now.messages > then.messages
        }
    };
    now.iter().find(news).map(|(path, _)| path.clone())
}

/// Whether an action makes a precondition true.
fn brings_about(action: &Action, precondition: &Precondition) -> bool {
    let Work::Platform { platform: on, change } = &action.work else { return false };
    match precondition {
        Precondition::AddressFree { platform, address } => on == platform && frees(change) == Some(address),
        Precondition::AccountOk { platform, address } => on == platform && makes(change) == Some(address),
        Precondition::Verified { .. } => false,
    }
}

/// Whether an action makes a precondition of its own untrue.
fn ends(action: &Action, precondition: &Precondition) -> bool {
    let Work::Platform { platform: on, change } = &action.work else { return false };
    match precondition {
        Precondition::AddressFree { platform, address } => on == platform && makes(change) == Some(address),
        Precondition::AccountOk { platform, address } => on == platform && frees(change) == Some(address),
        Precondition::Verified { .. } => false,
    }
}

fn frees(change: &Change) -> Option<&Address> {
    match change {
        Change::AccountRename { from: address, .. }
        | Change::AccountReset { address }
        | Change::AliasRemove { alias: address, .. }
        | Change::RedirectionRemove { from: address }
        | Change::GroupRemove { group: address }
        | Change::ContactRemove { contact: address } => Some(address),
        _ => None,
    }
}

/// The account that is there once a change is made.
pub(super) fn makes(change: &Change) -> Option<&Address> {
    match change {
        Change::AccountRename { to: address, .. } | Change::AccountCreate { address, .. } => Some(address),
        _ => None,
    }
}

/// The account that gets the password of a change.
pub(super) fn account_of(change: &Change) -> Option<&Address> {
    match change {
        Change::AccountCreate { address, .. } | Change::AccountPassword { address, .. } => Some(address),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(uid_validity: u32, uid_next: u32, messages: u32) -> FolderStatus {
        FolderStatus { uid_validity, uid_next, messages, ..FolderStatus::default() }
    }

    #[test]
    fn only_new_mail_ends_a_proof() {
        let seen = BTreeMap::from([(FolderPath::inbox(), status(1, 10, 5))]);
        let now = |s| BTreeMap::from([(FolderPath::inbox(), s)]);
        assert_eq!(arrived(&seen, &now(status(1, 10, 5))), None);
        assert_eq!(arrived(&seen, &now(status(1, 10, 3))), None, "deleted mail is no new mail");
        assert_eq!(arrived(&seen, &now(status(1, 11, 5))), Some(FolderPath::inbox()), "one came, one went");
        assert_eq!(arrived(&seen, &now(status(2, 3, 2))), Some(FolderPath::inbox()), "renumbered");
        assert_eq!(arrived(&seen, &now(status(2, 1, 0))), None, "renumbered and empty");
        let other = FolderPath(vec!["New".to_owned()]);
        assert_eq!(arrived(&seen, &BTreeMap::from([(other.clone(), status(1, 2, 1))])), Some(other));
        assert_eq!(arrived(&seen, &BTreeMap::new()), None);
    }
}
