//! Addresses that would go with an account: an alias that the spec wants elsewhere, and that nobody has taken over yet.

use std::collections::BTreeSet;

use crate::{
    hands,
    index::Met,
    model::{ActionId, Address, Change, NoteKind, ObjectClass, PlatformId},
    spec::Presence,
};

use super::{
    claims::{self, platform_change},
    draft::{Block, Draft, claimed_by},
    world::{Held, World},
};

/// Leaves alone what still has, or may have, an address of the spec that nothing of the plan takes over. Without it mail
/// to that address would come back, because what should have taken it is blocked, or its platform cannot hold it.
pub(super) fn keep(world: &World<'_>, draft: &mut Draft) {
    let changes = draft.actions.iter().filter_map(platform_change);
    let claimed: Met<Address> = changes.filter_map(|(_, c)| claimed_by(c)).cloned().collect();
    leave(draft, |_, platform, change| last_holder(world, &claimed, platform, change));
    leave(draft, |draft, platform, change| match change {
        Change::AccountReset { address } => held(world, draft, platform, address),
        _ => None,
    });
}

/// Drops the actions of which something says why they are not to be done.
fn leave(draft: &mut Draft, why: impl Fn(&Draft, &PlatformId, &Change) -> Option<Block> + Sync) {
    let kept: Vec<(ActionId, String, Block)> = hands::filter_map(&draft.actions, |action| {
        let (platform, change) = platform_change(action)?;
        let block = why(draft, platform, change)?;
        Some((action.id.clone(), action.chain.to_string(), block))
    });
    draft.drop_actions(kept.iter().map(|(id, ..)| id.clone()).collect());
    for (_, chain, block) in kept {
        draft.tell(&chain, block.told_as(NoteKind::Waiting));
    }
}

/// An alias, redirection or group that is the only one to have an address that the spec wants as something else.
fn last_holder(world: &World<'_>, claimed: &Met<Address>, platform: &PlatformId, change: &Change) -> Option<Block> {
    let (address, is_it): (_, fn(&Held<'_>) -> bool) = match change {
        Change::AliasRemove { alias, .. } => (alias, |held| matches!(held, Held::Alias(_))),
        // A forward of an account's own address is no holder: the account keeps the address.
        Change::RedirectionRemove { from } => (from, |held| matches!(held, Held::Redirection(_))),
        Change::GroupRemove { group } => (group, |held| matches!(held, Held::Group)),
        _ => return None,
    };
    let alone = matches!(world.holders(address), [one] if one.platform == platform && is_it(&one.what));
    (alone && is_wanted(world, address) && !claimed.contains(address)).then(|| {
        let message = format!(
            "{} stays where it is on {}, because nothing can take it over yet",
            address.unicode(),
            world.title(platform)
        );
        Block::own("address-would-be-lost", message, HELP)
    })
}

const HELP: &str = "solve what keeps that address from its new place, and plan again";

/// An account with such an address beside its own.
fn held(world: &World<'_>, draft: &Draft, platform: &PlatformId, address: &Address) -> Option<Block> {
    let changes = || draft.actions.iter().filter_map(platform_change).filter(|(on, _)| *on == platform);
    // Its name now, when the plan renames it first.
    let now = changes().find_map(|(_, change)| match change {
        Change::AccountRename { from, to } if to == address => Some(from),
        _ => None,
    });
    let now = now.unwrap_or(address);
    let can = world.platform(platform).is_some_and(|v| v.capabilities.aliases);
    if can && world.gap(platform, ObjectClass::Alias, &now.key()).is_some() {
        return Some(claims::incomplete(world, platform, ObjectClass::Alias));
    }
    let taken_away: BTreeSet<&Address> = changes()
        .filter_map(|(_, change)| match change {
            Change::AliasRemove { alias, .. } => Some(alias),
            _ => None,
        })
        .collect();
    let aliases = &world.account(platform, now).view()?.aliases;
    let alias = aliases.iter().find(|alias| !taken_away.contains(alias) && is_wanted(world, alias))?;
    let message = format!(
        "{} on {} is left alone while it has {}, which the spec wants and nobody else has",
        address.unicode(),
        world.title(platform),
        alias.unicode()
    );
    Some(Block::own("address-would-be-lost", message, HELP))
}

/// Whether the spec wants an address, as whatever it may be.
fn is_wanted(world: &World<'_>, address: &Address) -> bool {
    let present = |state: Presence| state == Presence::Present;
    world.wants_account(address)
        || world.spec.redirections.get(address).is_some_and(|r| present(r.state))
        || world.spec.groups.get(address).is_some_and(|g| present(g.state))
        || world.wants_alias(address)
}
