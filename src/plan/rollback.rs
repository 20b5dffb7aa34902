//! The way back: an ordinary plan made of what a run has done, in reverse. What cannot be taken back is a note, so that
//! it is read before anything is done.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    model::{
        Action, ActionId, Address, Change, Domain, GroupSupport, Guard, GuardOutcome, Inventory, NoteKind, ObjectClass,
        Phase, PlatformId, Precondition, Question, RecordSet, RunId, State, Undo, Work, ZoneChange,
    },
    spec::Spec,
};

use super::{
    Header, Plan, claims,
    draft::{Block, Draft, claimed_by},
    finish, reads,
    world::World,
    zone,
};

/// Makes the plan that takes a run back. `done` are its actions that are done, in the order of its plan.
///
/// The target of a swap is not emptied: it is renamed aside, because mail that came in since the move is in it. Guards,
/// staleness and the journal treat the result like every other plan.
#[must_use]
pub fn rollback(
    spec: &Spec,
    inventory: &Inventory,
    state: &State,
    header: Header,
    (run, done): (&RunId, &[Action]),
) -> Plan {
    let world = World::new(spec, inventory, state);
    let mut back = Back {
        world: &world,
        draft: Draft::default(),
        undone_by: BTreeMap::new(),
        copies: BTreeSet::new(),
        kept: BTreeMap::new(),
    };
    for action in done.iter().rev() {
        let before: BTreeSet<ActionId> = done
            .iter()
            .filter(|later| later.requires.contains(&action.id))
            .filter_map(|later| back.undone_by.get(&later.id).cloned())
            .collect();
        back.take(action, before, done);
    }
    if !back.copies.is_empty() {
        let message = match back.copies.len() {
            1 => "the copies that were made of 1 mailbox stay where they are".to_owned(),
            n => format!("the copies that were made of {n} mailboxes stay where they are"),
        };
        back.draft.note(NoteKind::Info, "copies-stay", "mail", message, None);
    }
    back.draft.settle_notes();
    let mut plan = finish(&world, back.draft, header);
    plan.body.rollback_of = Some(run.clone());
    plan.id = super::file::id(&plan.body);
    plan
}

struct Back<'w, 'a> {
    world: &'w World<'a>,
    draft: Draft,
    /// By the action of the run: the action that takes it back.
    undone_by: BTreeMap<ActionId, ActionId>,
    /// The mailboxes that were copied, in however many passes.
    copies: BTreeSet<Address>,
    /// Addresses that a target does not give up, and which one.
    kept: BTreeMap<Address, PlatformId>,
}

impl Back<'_, '_> {
    fn take(&mut self, action: &Action, before: BTreeSet<ActionId>, done: &[Action]) {
        match (&action.work, &action.undo) {
            (Work::Copy(work), _) => {
                self.copies.insert(work.account.clone());
            }
            (Work::Platform { platform, change: Change::AccountCreate { address, .. } }, _) => {
                self.aside(action, platform, address, before, done);
            }
            (_, Undo::Nothing) => {}
            (_, Undo::Change { platform, change: Change::DomainRemove { domain } })
                if self.in_use(platform, domain) =>
            {
                let message = format!(
                    "{} stays on {}, because mailboxes are, or may be, in it; remove it once they are empty",
                    domain.unicode(),
                    self.world.title(platform)
                );
                self.draft.note(NoteKind::Unsupported, "undo-by-hand", action.id.as_str(), message, None);
            }
            (_, Undo::Change { platform, change }) => self.change(action, platform, change, before),
            (_, Undo::Zone(change)) => self.zone(action, change, before),
            (_, Undo::Manual(how)) => {
                self.draft.note(NoteKind::Unsupported, "undo-by-hand", action.id.as_str(), how.as_str(), None);
            }
            (_, Undo::Irreversible(why)) => {
                let block = Block::own(
                    "cannot-be-undone",
                    why.as_str(),
                    "what can still be taken back is planned; restore the rest from a backup",
                );
                self.draft.tell(action.id.as_str(), block);
            }
        }
    }

    /// Frees the address of a target that a swap made, without losing what came in since.
    fn aside(
        &mut self,
        action: &Action,
        platform: &PlatformId,
        address: &Address,
        before: BTreeSet<ActionId>,
        done: &[Action],
    ) {
        let in_the_way = done.iter().any(|other| {
            matches!(&other.work, Work::Platform { change: Change::AccountRename { from, .. }, .. } if from == address)
                && other.swap.as_ref() == Some(address)
        });
        // A target that was moved into place goes back to the name under which it was made.
        let here = self.will_be(platform, address);
        if !in_the_way || !here {
            if here {
                let how = match &action.undo {
                    Undo::Manual(how) => how.to_string(),
                    _ => format!("reset {} if it is not wanted any more", address.unicode()),
                };
                self.draft.note(NoteKind::Unsupported, "undo-by-hand", action.id.as_str(), how, None);
            }
            return;
        }
        let renames = self.world.platform(platform).is_some_and(|p| p.capabilities.rename);
        let Some(aside) = claims::temporary_name(self.world, address).filter(|_| renames) else {
            let message = format!(
                "{} cannot rename {}, so its address does not become free",
                self.world.title(platform),
                address.unicode()
            );
            let help = "copy back what came in since (`rehome copy`), empty the account by hand, then plan again";
            self.draft.tell(action.id.as_str(), Block::own("cannot-be-undone", message, help));
            self.kept.insert(address.clone(), platform.clone());
            return;
        };
        let change = Change::AccountRename { from: address.clone(), to: aside.clone() };
        let made = self.add(action, platform, &change, before);
        made.guard = Some(Box::new(mail_since(address, &aside)));
    }

    /// Whether an account has an address now, or once what is planned so far is done.
    fn will_be(&self, platform: &PlatformId, address: &Address) -> bool {
        let comes_back = |c: &Change| matches!(c, Change::AccountRename { to, .. } if to == address);
        self.world.account(platform, address).is_here() || self.changes(platform).any(comes_back)
    }

    /// Somebody whom a change is about, and who is gone for good.
    fn missed<'c>(&self, platform: &PlatformId, change: &'c Change) -> Option<&'c Address> {
        let gone = |who: &&Address| !self.will_be(platform, who);
        let view = self.world.platform(platform);
        let listed = |who: &Address| {
            let added = |c: &Change| matches!(c, Change::ContactAdd { contact, .. } if contact == who);
            let any = view.is_some_and(|v| v.capabilities.groups == GroupSupport::List);
            any || view.is_some_and(|v| v.contacts.contains_key(who)) || self.changes(platform).any(added)
        };
        let may_be_listed = matches!(change, Change::GroupMemberAdd { .. });
        about(change).into_iter().filter(gone).find(|who| !may_be_listed || !listed(who))
    }

    /// The renames by which those come back whom a change is about.
    fn returns(&self, platform: &PlatformId, change: &Change) -> BTreeSet<ActionId> {
        let needed = about(change);
        let brings = |action: &&Action| match claims::platform_change(action) {
            Some((on, Change::AccountRename { to, .. })) => on == platform && needed.contains(&to),
            _ => false,
        };
        self.draft.actions.iter().filter(brings).map(|a| a.id.clone()).collect()
    }

    /// The changes that are planned on a platform so far.
    fn changes<'b>(&'b self, platform: &'b PlatformId) -> impl Iterator<Item = &'b Change> + use<'b> {
        let all = self.draft.actions.iter().filter_map(claims::platform_change);
        all.filter(move |(on, _)| *on == platform).map(|(_, change)| change)
    }

    /// Whether something is in a domain that this way back leaves there: no mailbox is ever taken away by it. What could
    /// not be listed may be there.
    fn in_use(&self, platform: &PlatformId, domain: &Domain) -> bool {
        let Some(view) = self.world.platform(platform) else { return true };
        let unsure = [ObjectClass::Account, ObjectClass::Group, ObjectClass::Redirection]
            .into_iter()
            .any(|class| self.world.gap_reason(platform, class).is_some());
        let goes = |address: &Address| {
            self.changes(platform).any(|change| match change {
                Change::GroupRemove { group } => group == address,
                Change::RedirectionRemove { from } => from == address,
                _ => false,
            })
        };
        let lists = view.groups.keys().chain(view.redirections.keys()).filter(|a| a.domain() == domain);
        unsure || view.accounts.keys().any(|a| a.domain() == domain) || lists.into_iter().any(|a| !goes(a))
    }

    /// An address exists once: what would take one that a target keeps would be refused, and waits for it.
    fn waits(&mut self, action: &Action, platform: &PlatformId, change: &Change) -> bool {
        let Some(address) = claimed_by(change) else { return false };
        let Some(keeper) = self.kept.get(address).filter(|keeper| self.world.shares_routing(keeper, platform)) else {
            return false;
        };
        let message =
            format!("{} stays on {}, and an address can exist only once", address.unicode(), self.world.title(keeper));
        let help = "empty the account there by hand, then plan the way back again";
        let block = Block::own("waits-for-blocked", message, help).told_as(NoteKind::Waiting);
        self.draft.tell(action.id.as_str(), block);
        true
    }

    fn change(&mut self, action: &Action, platform: &PlatformId, change: &Change, before: BTreeSet<ActionId>) {
        if self.waits(action, platform, change) {
            return;
        }
        if let Change::AccountRename { from, to } = change {
            let there = |address: &Address| self.world.account(platform, address).is_here();
            if !there(from) {
                let message = format!("{} is not on {} any more", from.unicode(), self.world.title(platform));
                let kind = if there(to) { NoteKind::Info } else { NoteKind::Blocked };
                self.draft.note(kind, "moved-on", action.id.as_str(), message, None);
                return;
            }
        }
        if let Some(gone) = self.missed(platform, change) {
            let message = format!("{} is not on {} any more", gone.unicode(), self.world.title(platform));
            self.draft.note(NoteKind::Unsupported, "undo-by-hand", action.id.as_str(), message, None);
            return;
        }
        let before = &before | &self.returns(platform, change);
        let made = self.add(action, platform, change, before);
        if let Change::AccountRename { from, to } = change
            && made.swap.as_ref() == Some(from)
        {
            // It had its real address since the run, so it is the one that mail has come to.
            made.guard = Some(Box::new(mail_since(from, to)));
        }
    }

    /// Puts records back, unless somebody has changed them since: what they put there is not ours to take away.
    fn zone(&mut self, action: &Action, change: &ZoneChange, before: BTreeSet<ActionId>) {
        let question = Question { name: change.name.clone(), rtype: change.rtype };
        let seen = self.world.inventory.dns.get(&change.domain).map(|view| zone::seen(view, &question));
        let Some(zone::Seen::Is(now)) = seen else {
            let message = format!("what {} has now is not known, so its records are left alone", change.name);
            self.draft.note(NoteKind::Blocked, "dns-unknown", action.id.as_str(), message, None);
            return;
        };
        let values = |set: &Option<RecordSet>| set.as_ref().map(|s| s.values.clone());
        let lower = |one: &Option<RecordSet>, two: &Option<RecordSet>| {
            one.as_ref().zip(two.as_ref()).is_some_and(|(one, two)| one.ttl < two.ttl)
        };
        // A TTL that was lowered goes back up; that one was raised is no harm.
        if values(&now) == values(&change.after) && !lower(&now, &change.after) {
            return;
        }
        // A later change of the same records is taken back first, and leaves what this one expects.
        let same =
            |a: &&mut Action| matches!(&a.work, Work::Zone(c) if c.name == change.name && c.rtype == change.rtype);
        let pending = self.draft.actions.iter_mut().rev().find(same);
        let expected = match pending.as_ref().map(|a| &a.work) {
            Some(Work::Zone(later)) => values(&later.after),
            _ => values(&now),
        };
        if expected != values(&change.before) {
            let message = format!("the {} records of {} were changed since the run", change.rtype, change.name);
            let help = Some("change them by hand; nothing that somebody else put there is taken away".to_owned());
            self.draft.note(NoteKind::Unsupported, "undo-by-hand", action.id.as_str(), message, help);
            return;
        }
        let mut first = now.or_else(|| change.before.clone());
        if let Some(pending) = pending
            && let Work::Zone(later) = &mut pending.work
        {
            let both = ZoneChange { after: change.after.clone(), ..(**later).clone() };
            if both.kind() == later.kind() {
                // Both at once: between the two there would be records that nobody ever wanted.
                pending.undo = Undo::Zone(Box::new(both.reversed()));
                pending.requires.extend(before);
                self.undone_by.insert(action.id.clone(), pending.id.clone());
                **later = both;
                return;
            }
            first.clone_from(&later.after);
        }
        let change = ZoneChange { before: first, ..change.clone() };
        self.draft.read(&action.chain, reads::records_key(&change));
        let mut guard = zone::guard_of(&change);
        let view = self.world.inventory.dns.get(&change.domain);
        if let (Some(guard), Some(told)) = (&mut guard, view.and_then(|v| zone::kept_away(v, &change))) {
            guard.message.push_str(&told);
        }
        let made = zone::add(&mut self.draft, Phase::Rollback, change, format!("takes {} back", action.id));
        made.requires = before.into();
        made.guard = guard.map(Box::new);
        self.undone_by.insert(action.id.clone(), made.id.clone());
    }

    fn add(
        &mut self,
        action: &Action,
        platform: &PlatformId,
        change: &Change,
        before: BTreeSet<ActionId>,
    ) -> &mut Action {
        let reason = format!("takes {} back", action.id);
        for address in accounts_of(change) {
            self.draft.read(&action.chain, reads::account_key(platform, address));
        }
        let made = self.draft.change(self.world, (Phase::Rollback, &action.chain), platform, change.clone(), reason);
        made.requires = before.into();
        made.swap.clone_from(&action.swap);
        if let Change::AccountRename { from, to } = change {
            made.preconditions.extend([
                Precondition::AccountOk { platform: platform.clone(), address: from.clone() },
                Precondition::AddressFree { platform: platform.clone(), address: to.clone() },
            ]);
        }
        self.undone_by.insert(action.id.clone(), made.id.clone());
        made
    }
}

/// A word before the mailbox that has received mail since the move gives its address up.
fn mail_since(address: &Address, stays_as: &Address) -> Guard {
    Guard {
        code: "mail-since-the-move".to_owned(),
        message: format!(
            "mail that {} received since the move stays under the name {}; copy it back with `rehome copy`",
            address.unicode(),
            stays_as.unicode()
        ),
        outcome: GuardOutcome::Ack,
    }
}

/// Those who must be there for a change to be made.
fn about(change: &Change) -> Vec<&Address> {
    match change {
        Change::DelegationGrant { account, to, .. } => vec![account, to],
        Change::GroupMemberAdd { member: who, .. }
        | Change::GroupManagerAdd { manager: who, .. }
        | Change::AccountUpdate { address: who, .. }
        | Change::AliasAdd { account: who, .. }
        | Change::AliasRemove { account: who, .. }
        | Change::DelegationRevoke { account: who, .. } => vec![who],
        _ => Vec::new(),
    }
}

/// The accounts that a change changes.
fn accounts_of(change: &Change) -> Vec<&Address> {
    match change {
        Change::AccountRename { from, to } => vec![from, to],
        Change::AccountUpdate { address, .. } => vec![address],
        Change::AliasAdd { account, .. }
        | Change::AliasRemove { account, .. }
        | Change::DelegationGrant { account, .. }
        | Change::DelegationRevoke { account, .. } => vec![account],
        _ => Vec::new(),
    }
}
