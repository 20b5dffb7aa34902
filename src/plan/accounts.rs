//! Accounts: the actions of each decided case, and of accounts that should not be.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    index::Index,
    model::{
        ActionId, Address, Change, Guard, GuardOutcome, NoteKind, ObjectClass, PasswordSource, Phase, PlatformId,
        Precondition, Profile, Text, text,
    },
    spec::{AccountSpec, Presence},
};

use super::{
    checks, claims,
    decide::{Case, Cases, Free},
    domains::Gates,
    draft::{Block, Draft},
    mail::{self, Need, Writer},
    passes, reads,
    world::{Seen, World},
};

/// Where the accounts of the spec will be, for whatever depends on them.
#[derive(Default)]
pub(super) struct Places<'a> {
    /// By account: the action after which it has its address on its platform, when it does not have it yet.
    ready: Index<&'a Address, ActionId>,
    removed: BTreeMap<&'a Address, ActionId>,
}

/// Whether an account can be referred to on a platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum There {
    Now,
    After(ActionId),
    Never,
}

impl Places<'_> {
    /// Whether, and when, an address is an account of a platform.
    pub(super) fn find(&self, world: &World<'_>, platform: &PlatformId, address: &Address) -> There {
        if world.platform_of(address) == Some(platform) {
            if let Some(id) = self.ready.get(address) {
                return There::After(id.clone());
            }
            if self.removed.contains_key(address) {
                return There::Never;
            }
        }
        if world.account(platform, address).is_here() { There::Now } else { There::Never }
    }

    /// What an account waits for, in its own chain.
    pub(super) fn ready(&self, address: &Address) -> Option<ActionId> {
        self.ready.get(address).cloned()
    }

    /// Accounts that the plan deletes, with the action.
    pub(super) fn removed(&self) -> &BTreeMap<&Address, ActionId> {
        &self.removed
    }
}

/// Plans all accounts.
pub(super) fn emit<'a>(world: &World<'a>, gates: &Gates<'_>, cases: &Cases<'a>, draft: &mut Draft) -> Places<'a> {
    let mut places = Places::default();
    let write = |list: &[Case<'a>], draft: &mut Draft| {
        let mut ready = Vec::with_capacity(list.len());
        for case in list {
            let mut steps = Steps { world, gates, cases, case, chain: case.address.identity().clone(), draft };
            ready.extend(steps.all().map(|id| (case.address, id)));
        }
        ready
    };
    places.ready.extend(draft.share(&cases.list, write).into_iter().flatten());
    for (address, account) in world.spec.accounts.iter().filter(|(_, a)| a.state == Presence::Absent) {
        if let Some(id) = remove(world, address, account, draft) {
            places.removed.insert(address, id);
        }
    }
    places
}

struct Steps<'s, 'a> {
    world: &'s World<'a>,
    gates: &'s Gates<'s>,
    cases: &'s Cases<'a>,
    case: &'s Case<'a>,
    chain: Text,
    draft: &'s mut Draft,
}

impl<'s, 'a> Steps<'s, 'a> {
    /// Everything for one account; returns what it is ready after.
    fn all(&mut self) -> Option<ActionId> {
        self.read();
        let gate = self.gates.before(self.world, self.case.address.domain(), self.case.target);
        let parked = self.park(gate.clone());
        let created = self.create(gate, parked.clone());
        let begun: BTreeSet<ActionId> = created.iter().cloned().chain(parked).collect();
        self.update(&begun);
        let (placed, verified) = match &self.case.stage {
            None => (created, self.copy(&begun)),
            Some(_) => self.stage(begun),
        };
        mail::retire(self.world, self.case, (&self.chain, verified), self.draft);
        placed
    }

    fn read(&mut self) {
        let case = self.case;
        let mut read = |platform, address| self.draft.read(&self.chain, reads::account_key(platform, address));
        read(case.target, case.address);
        if let Some(stage) = &case.stage {
            read(case.target, &stage.name);
        }
        if let Some(source) = &case.source {
            read(source.platform, &source.now);
            if let Some((_, to)) = &case.park {
                read(source.platform, to);
            } else if let Some(later) = source.later.as_ref().filter(|l| **l != source.now) {
                read(source.platform, later);
            }
        }
        if let Some(slot) = &case.slot {
            self.draft.read(&self.chain, reads::object_key(case.target, "slot", slot.as_str()));
        }
    }

    fn park(&mut self, gate: Option<ActionId>) -> Option<ActionId> {
        let (from, to) = self.case.park.clone()?;
        let source = self.case.source.as_ref()?.platform;
        let reason = text!("frees {} for {}", from.unicode(), self.world.title(self.case.target));
        Some(self.rename((Phase::Account, source), (from, to), reason, gate.into_iter().collect()))
    }

    /// A rename that is half of a swap.
    fn rename(
        &mut self,
        (phase, platform): (Phase, &PlatformId),
        (from, to): (Address, Address),
        reason: Text,
        after: BTreeSet<ActionId>,
    ) -> ActionId {
        let preconditions = vec![
            Precondition::AccountOk { platform: platform.clone(), address: from.clone() },
            Precondition::AddressFree { platform: platform.clone(), address: to.clone() },
        ];
        let swap = if self.case.address == &to { to.clone() } else { from.clone() };
        let change = Change::AccountRename { from, to };
        let action = self.draft.change(self.world, (phase, &self.chain), platform, change, reason);
        action.requires = after.into();
        action.preconditions = preconditions;
        action.swap = Some(swap);
        action.id.clone()
    }

    fn create(&mut self, gate: Option<ActionId>, parked: Option<ActionId>) -> Option<ActionId> {
        let address = self.case.create.clone()?;
        let password = self.case.account.password.clone()?;
        let target = self.case.target;
        let way = claims::way(self.world, &address, target, self.case.address).unwrap_or_default();
        let claim = (&address, &self.chain, Phase::Account);
        let cleared = claims::clear(self.world, self.cases, self.draft, claim, (way, None));
        // A source under another address frees that one; `wire` finds who takes it.
        let parked = parked.filter(|_| self.case.park.as_ref().is_some_and(|(from, _)| *from == address));
        let reason = match (&self.case.stage, &parked) {
            (Some(_), _) => text!("takes the mail on {} until {} moves", self.world.title(target), self.chain),
            (None, Some(_)) => text!("takes over {} on {}", address.unicode(), self.world.title(target)),
            (None, None) => text!("{} should be on {}", address.unicode(), self.world.title(target)),
        };
        let swap = (parked.is_some() || !cleared.is_empty()).then(|| address.clone());
        let preconditions = vec![Precondition::AddressFree { platform: target.clone(), address: address.clone() }];
        let (profile, password) = (Box::new(self.wish()), Box::new(password));
        let change = Change::AccountCreate { address, slot: self.case.slot.clone(), profile, password };
        let action = self.draft.change(self.world, (Phase::Account, &self.chain), target, change, reason);
        action.requires.extend(gate.into_iter().chain(parked).chain(cleared));
        action.preconditions = preconditions;
        action.swap = swap;
        Some(action.id.clone())
    }

    /// The profile with a size that the platform offers; without one where it does not offer the wished one.
    fn wish(&self) -> Profile {
        let mut wish = self.case.account.profile.clone();
        wish.quota_octets = checks::offered(self.world, self.case);
        wish
    }

    fn update(&mut self, after: &BTreeSet<ActionId>) {
        let Some(seen) = self.case.seen.filter(|s| s.detailed) else { return };
        if let Some(block) = checks::size_not_offered(self.world, self.case) {
            self.draft.tell(&self.chain, block);
        }
        let changed = profile_changes(&self.wish(), &seen.profile);
        if changed == Profile::default() {
            return;
        }
        let address = self.case.working_name().clone();
        let preconditions =
            vec![Precondition::AccountOk { platform: self.case.target.clone(), address: address.clone() }];
        let change = Change::AccountUpdate { address, profile: Box::new(changed) };
        let at = (Phase::Account, &self.chain);
        let action = self.draft.change(self.world, at, self.case.target, change, "differs from the spec");
        action.requires.extend(after.iter().cloned());
        action.preconditions = preconditions;
    }

    /// Sets a password that has to be set before a mailbox can be opened.
    fn password(
        &mut self,
        (platform, address): (&PlatformId, &Address),
        password: PasswordSource,
        code: &str,
        after: &BTreeSet<ActionId>,
    ) -> ActionId {
        let place = self.world.title(platform);
        let reason = text!("opens {} on {place} for the copy", address.unicode());
        let message = format!("whoever uses {} on {place} with the old password is locked out", address.unicode());
        let change = Change::AccountPassword { address: address.clone(), password: Box::new(password) };
        let action = self.draft.change(self.world, (Phase::Account, &self.chain), platform, change, reason);
        action.requires.extend(after.iter().cloned());
        action.preconditions = vec![Precondition::AccountOk { platform: platform.clone(), address: address.clone() }];
        action.guard = Some(Box::new(Guard { code: code.to_owned(), message, outcome: GuardOutcome::Ack }));
        action.id.clone()
    }

    /// The writer of the account's mail, after the passwords that it needs.
    fn writer(&mut self, after: &BTreeSet<ActionId>) -> Option<Writer<'s, 'a>> {
        let case = self.case;
        let (mut writer, passwords) = Writer::new(self.world, case)?;
        writer.before.extend(after.iter().cloned());
        if let (Some(password), Some(source), Some(name)) = (passwords.source, &case.source, case.source_name()) {
            writer.before.insert(self.password((source.platform, name), password, "reset-source-password", after));
        }
        if let Some(password) = passwords.target {
            let place = (case.target, case.working_name());
            writer.before.insert(self.password(place, password, "reset-target-password", after));
        }
        Some(writer)
    }

    /// `swap` and `parallel`: the copy and its proof.
    fn copy(&mut self, after: &BTreeSet<ActionId>) -> Option<ActionId> {
        match self.case.need {
            Need::Nothing => {
                mail::tell_blind(self.world, self.case, self.draft);
                return None;
            }
            Need::Unseen => {
                mail::tell_unseen(self.world, self.case, self.draft);
                return None;
            }
            Need::Copy => {}
        }
        let case = self.case;
        let ends = (case.source_name()?, case.address);
        let mut writer = self.writer(after)?;
        passes::once(&mut writer, self.draft, ends);
        writer.verify(self.draft, Phase::Verify, ends)
    }

    /// `stage`: copies until the difference is small, moves into place, copies the rest. Returns what the account is
    /// ready after, and the last proof.
    fn stage(&mut self, after: BTreeSet<ActionId>) -> (Option<ActionId>, Option<ActionId>) {
        let case = self.case;
        let Some(stage) = &case.stage else { return (None, None) };
        let mut writer = self.writer(&after);
        let mut proved = None;
        if let (Some(writer), Some(from), Need::Copy) = (writer.as_mut(), case.source_name(), case.need) {
            let ends = (from, &stage.name);
            passes::until_little(writer, self.draft, ends);
            proved = writer.verify(self.draft, Phase::Verify, ends);
        }
        let mail = writer.iter().filter(|_| case.need == Need::Copy).flat_map(|w| w.before.iter().cloned());
        let before: BTreeSet<ActionId> = mail.chain(after).collect();
        let freed = stage.free.as_ref().and_then(|free| self.free(free, before.clone()));
        let way = claims::way(self.world, case.address, case.target, case.address).unwrap_or_default();
        let claim = (case.address, &self.chain, Phase::Cutover);
        let cleared = claims::clear(self.world, self.cases, self.draft, claim, (way, None));
        let after: BTreeSet<ActionId> = before.into_iter().chain(freed).chain(cleared).collect();
        let reason = text!("the mailbox is complete and takes its place on {}", self.world.title(case.target));
        let names = (stage.name.clone(), case.address.clone());
        let placed = self.rename((Phase::Cutover, case.target), names, reason, after);
        let later = case.source.as_ref().and_then(|s| s.later.as_ref());
        if let (Some(writer), Some(later)) = (writer.as_mut(), later) {
            writer.before = [placed.clone()].into_iter().collect();
            writer.copy(self.draft, Phase::Cutover, (later, case.address), None);
            proved = writer.verify(self.draft, Phase::Cutover, (later, case.address));
        }
        (Some(placed), proved)
    }

    fn free(&mut self, free: &Free, before: BTreeSet<ActionId>) -> Option<ActionId> {
        let source = self.case.source.as_ref()?.platform;
        match free {
            Free::Rename { from, to } => {
                let reason = text!("frees {} for {}", from.unicode(), self.world.title(self.case.target));
                let names = (from.clone(), to.clone());
                Some(self.rename((Phase::Cutover, source), names, reason, before))
            }
            Free::Reset { address } => {
                let place = self.world.title(source);
                let reason = text!("frees {}; {place} cannot rename an account", address.unicode());
                let change = Change::AccountReset { address: address.clone() };
                let at = (Phase::Cutover, &self.chain);
                let action = self.draft.change(self.world, at, source, change, reason);
                action.requires = before.into();
                action.preconditions = vec![
                    Precondition::Verified { account: self.case.address.clone() },
                    Precondition::AccountOk { platform: source.clone(), address: address.clone() },
                ];
                action.swap = Some(self.case.address.clone());
                action.guard = Some(Box::new(Guard {
                    code: "free-address-by-delete".to_owned(),
                    message: format!(
                        "the account {} on {place} is deleted before its successor has the address",
                        address.unicode()
                    ),
                    outcome: GuardOutcome::Ack,
                }));
                Some(action.id.clone())
            }
        }
    }
}

/// The fields of a wish that differ from what is observed. What the platform does not tell is left alone: nobody could
/// say when it would be right.
fn profile_changes(wish: &Profile, seen: &Profile) -> Profile {
    fn differs<T: Clone + PartialEq>(wish: &Option<T>, seen: &Option<T>) -> Option<T> {
        wish.clone().filter(|w| seen.as_ref().is_some_and(|s| s != w))
    }
    Profile {
        display_name: differs(&wish.display_name, &seen.display_name),
        first_name: differs(&wish.first_name, &seen.first_name),
        last_name: differs(&wish.last_name, &seen.last_name),
        quota_octets: differs(&wish.quota_octets, &seen.quota_octets),
        hidden: differs(&wish.hidden, &seen.hidden),
    }
}

/// Plans the end of an account that should not be.
fn remove(world: &World<'_>, address: &Address, account: &AccountSpec, draft: &mut Draft) -> Option<ActionId> {
    let platform = world.platform_of(address)?;
    let chain = address.key();
    let view = match world.account(platform, address) {
        Seen::Here(view) => view,
        Seen::Unknown if world.platform(platform).is_some() => {
            draft.block(&chain, vec![claims::incomplete(world, platform, ObjectClass::Account)]);
            return None;
        }
        Seen::Unknown | Seen::Absent | Seen::Assumed => {
            elsewhere(world, address, platform, draft);
            return None;
        }
    };
    if !world.platform(platform).is_some_and(|v| v.capabilities.reset) {
        let message = format!("{} cannot delete accounts through its interface", world.title(platform));
        let block = Block::of(platform.as_str(), "reset-not-supported", message, "delete it on the platform");
        draft.tell(&chain, block.told_as(NoteKind::Unsupported));
        return None;
    }
    let place = world.title(platform);
    let opened = world.open_mailbox(platform, address).map(crate::model::MailboxView::messages);
    let empty = opened == Some(0) || (opened.is_none() && view.used_octets == Some(0));
    let proved = world.state.mailboxes.get(address).is_some_and(|m| m.verified.is_some());
    let (outcome, message) = if account.protect || world.is_protected(address) {
        (GuardOutcome::Deny, format!("{} is protected", address.unicode()))
    } else if view.archive {
        let help = "empty or remove it there";
        (GuardOutcome::Deny, format!("{} on {place} has an archive that was never copied: {help}", address.unicode()))
    } else if empty || proved {
        (GuardOutcome::Ack, format!("the mailbox of {} on {place} is deleted", address.unicode()))
    } else {
        let help = "save its mail, empty it, and plan again; or delete it on the platform";
        (GuardOutcome::Deny, format!("{} on {place} may hold mail that was never copied: {help}", address.unicode()))
    };
    draft.read(&chain, reads::account_key(platform, address));
    let change = Change::AccountReset { address: address.clone() };
    let reason = "the spec says that it should not be there";
    let action = draft.change(world, (Phase::Retire, &chain), platform, change, reason);
    action.preconditions = vec![Precondition::AccountOk { platform: platform.clone(), address: address.clone() }];
    action.guard = Some(Box::new(Guard { code: "delete-mailbox".to_owned(), message, outcome }));
    Some(action.id.clone())
}

/// An account that should not be, on a platform that the domain is leaving.
fn elsewhere(world: &World<'_>, address: &Address, platform: &PlatformId, draft: &mut Draft) {
    let migrate = world.domain(address.domain()).and_then(|d| d.migrate.as_ref());
    let Some(from) = migrate.map(|m| &m.from).filter(|f| *f != platform) else { return };
    if matches!(world.account(from, address), Seen::Here(_)) {
        let message = format!("{} is still on {} and is left alone there", address.unicode(), world.title(from));
        let help = Some("delete it on that platform, or leave it until the platform is given up".to_owned());
        draft.note(NoteKind::Info, "absent-elsewhere", address.key(), message, help);
    }
}
