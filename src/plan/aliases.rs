//! Aliases and delegations: what hangs on an account, compared with the account's own observation.

use std::collections::BTreeSet;

use crate::model::{
    Address, Change, Delegation, NoteKind, ObjectClass, Phase, PlatformId, Precondition, Right, Text, text,
};

use super::{
    Ground,
    accounts::There,
    claims,
    decide::Case,
    draft::{Block, Draft},
    reads,
};

/// Plans the aliases and delegations of every account.
pub(super) fn emit(ground: &Ground<'_, '_>, draft: &mut Draft) {
    draft.share(&ground.cases.list, |list, draft| {
        for case in list {
            if let Some(wish) = &case.account.aliases {
                aliases(ground, case, wish, draft);
            }
            if let Some(wish) = &case.account.delegates {
                delegations(ground, case, wish, draft);
            }
        }
    });
}

/// What an account has now, or that nobody can say.
fn observed<'c, T: Clone + Ord + 'c>(
    ground: &Ground<'_, '_>,
    case: &'c Case<'_>,
    class: ObjectClass,
    of: impl Fn(&'c crate::model::AccountView) -> &'c BTreeSet<T>,
) -> Option<BTreeSet<T>> {
    if case.create.is_some() {
        return Some(BTreeSet::new());
    }
    let key = case.working_name().identity();
    let seen = case.seen.filter(|s| s.detailed && ground.world.gap(case.target, class, key).is_none())?;
    Some(of(seen).clone())
}

fn unknown(ground: &Ground<'_, '_>, case: &Case<'_>, class: ObjectClass, draft: &mut Draft) {
    let block = claims::incomplete(ground.world, case.target, class);
    draft.tell(&case.address.key(), block.told_as(NoteKind::Waiting));
}

fn aliases(ground: &Ground<'_, '_>, case: &Case<'_>, wish: &BTreeSet<Address>, draft: &mut Draft) {
    let world = ground.world;
    let Some(view) = world.platform(case.target) else { return };
    if !view.capabilities.aliases {
        if !wish.is_empty() {
            let message = format!("{} has no aliases of accounts", world.title(case.target));
            let help = "make a redirection of each alias: `redirections: { alias: { to: [account] } }`";
            let block = Block::of(case.target.as_str(), "alias-unsupported", message, help);
            draft.tell(&case.address.key(), block.told_as(NoteKind::Unsupported));
        }
        return;
    }
    let Some(has) = observed(ground, case, ObjectClass::Alias, |v| &v.aliases) else {
        unknown(ground, case, ObjectClass::Alias, draft);
        return;
    };
    for alias in wish.difference(&has) {
        add_alias(ground, case, alias, draft);
    }
    for alias in has.difference(wish).filter(|a| *a != case.address) {
        if draft.frees(case.target, alias) {
            continue; // Another account of the spec takes it over.
        }
        let change = Change::AliasRemove { account: case.address.clone(), alias: alias.clone() };
        dependent(ground, case, change, "the spec no longer lists it", draft);
    }
}

fn add_alias(ground: &Ground<'_, '_>, case: &Case<'_>, alias: &Address, draft: &mut Draft) {
    let world = ground.world;
    let chain = case.address.identity();
    if let Some(block) = ground.gates.shut(world, alias.domain(), case.target) {
        draft.tell(&alias.key(), block);
        return;
    }
    let way = match claims::way(world, alias, case.target, case.address) {
        Ok(way) => way,
        Err(block) => {
            draft.tell(&alias.key(), block);
            return;
        }
    };
    let ready = ground.places.ready(case.address);
    // The alias stays where it is until its new place is there.
    let claim = (alias, chain, Phase::Dependent);
    let cleared = claims::clear(world, ground.cases, draft, claim, (way, ready.as_ref()));
    let free = Precondition::AddressFree { platform: case.target.clone(), address: alias.clone() };
    let gate = ground.gates.before(world, alias.domain(), case.target);
    let change = Change::AliasAdd { account: case.address.clone(), alias: alias.clone() };
    let reason = text!("{} receives at it", case.address.unicode());
    let action = dependent(ground, case, change, reason, draft);
    action.requires.extend(cleared.into_iter().chain(gate));
    action.preconditions.push(free);
}

/// An action on an account that waits for the account.
fn dependent<'d>(
    ground: &Ground<'_, '_>,
    case: &Case<'_>,
    change: Change,
    reason: impl Into<Text>,
    draft: &'d mut Draft,
) -> &'d mut crate::model::Action {
    let chain = case.address.identity();
    draft.read(chain, reads::account_key(case.target, case.address));
    let at = (Phase::Dependent, chain);
    let action = draft.change(ground.world, at, case.target, change, reason);
    action.requires.extend(ground.places.ready(case.address));
    action.preconditions =
        vec![Precondition::AccountOk { platform: case.target.clone(), address: case.address.clone() }];
    action
}

fn delegations(ground: &Ground<'_, '_>, case: &Case<'_>, wish: &BTreeSet<Delegation>, draft: &mut Draft) {
    let Some(view) = ground.world.platform(case.target) else { return };
    let can: BTreeSet<Right> = view.capabilities.delegations.clone();
    let wish = supported(ground, case, wish, &can, draft);
    if can.is_empty() {
        return;
    }
    let Some(has) = observed(ground, case, ObjectClass::Delegation, |v| &v.delegations) else {
        unknown(ground, case, ObjectClass::Delegation, draft);
        return;
    };
    let mut revoked = BTreeSet::new();
    for Delegation { to, right } in has.difference(&wish) {
        let change = Change::DelegationRevoke { account: case.address.clone(), to: to.clone(), right: *right };
        let action = dependent(ground, case, change, "the spec no longer lists it", draft);
        revoked.insert((to.clone(), action.id.clone()));
    }
    for Delegation { to, right } in wish.difference(&has) {
        let after = match ground.places.find(ground.world, case.target, to) {
            There::Now => None,
            There::After(id) => Some(id),
            There::Never => {
                missing(ground, case.target, case.address, to, draft);
                continue;
            }
        };
        let change = Change::DelegationGrant { account: case.address.clone(), to: to.clone(), right: *right };
        let reason = text!("{} has this right on {}", to.unicode(), case.address.unicode());
        let action = dependent(ground, case, change, reason, draft);
        // Two rights of one pair can exclude each other, so the old one goes first.
        action.requires.extend(revoked.iter().filter(|(who, _)| who == to).map(|(_, id)| id.clone()));
        action.requires.extend(after);
    }
}

/// The wishes that the platform can hold; the others become notes.
fn supported(
    ground: &Ground<'_, '_>,
    case: &Case<'_>,
    wish: &BTreeSet<Delegation>,
    can: &BTreeSet<Right>,
    draft: &mut Draft,
) -> BTreeSet<Delegation> {
    let (kept, lost): (BTreeSet<_>, BTreeSet<_>) = wish.iter().cloned().partition(|d| can.contains(&d.right));
    for delegation in lost {
        let message = format!(
            "{} cannot give `{}` to {}",
            ground.world.title(case.target),
            delegation.right.word(),
            delegation.to.unicode()
        );
        let help = "share the folders from the user's mail program, or leave the right out of the spec";
        let block = Block::own("delegation-unsupported", message, help).told_as(NoteKind::Unsupported);
        draft.tell(&case.address.key(), block);
    }
    kept
}

/// Tells that something refers to an account that is not, and will not be, on its platform.
pub(super) fn missing(ground: &Ground<'_, '_>, platform: &PlatformId, of: &Address, who: &Address, draft: &mut Draft) {
    let place = ground.world.title(platform);
    let ours = ground.world.wants_account(who) && ground.world.platform_of(who) == Some(platform);
    let block = if ours {
        let message = format!("{} is not on {place} yet and is blocked", who.unicode());
        Block::own("waits-for-blocked", message, "solve what blocks it and plan again").told_as(NoteKind::Waiting)
    } else {
        let message = format!("{} is not an account of {place}", who.unicode());
        Block::own("account-missing", message, "add the account to the spec, or leave it out here")
            .told_as(NoteKind::Unsupported)
    };
    draft.tell(&of.key(), block);
}
