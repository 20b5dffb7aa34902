//! Claims: an address exists once, so whatever frees it comes before whatever takes it.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::map::Entry;

use crate::{
    hands,
    index::Index,
    model::{Action, ActionId, Address, Change, ObjectClass, Phase, PlatformId, Precondition, Text, Work, text},
    spec::Presence,
};

use super::{
    decide::Cases,
    draft::{Block, Draft, claimed_by, freed_by},
    reads,
    world::{Held, Holder, World},
};

/// What must be removed so that an address can be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Clearing<'a> {
    platform: &'a PlatformId,
    what: Held<'a>,
}

/// What stands in the way of taking an address on a platform: removals that the spec implies, or a reason why not.
///
/// # Errors
/// When somebody has the address whom the spec does not let go of it.
pub(super) fn way<'a>(
    world: &World<'a>,
    address: &Address,
    on: &PlatformId,
    account: &Address,
) -> Result<Vec<Clearing<'a>>, Block> {
    let mut out = Vec::new();
    let near = |platform: &PlatformId| world.shares_routing(platform, on);
    let mut holders = world.holders(address).iter().filter(|h| near(h.platform)).peekable();
    if holders.peek().is_none() {
        return may_be_held(world, address, near).map_or(Ok(out), Err);
    }
    for holder in holders {
        if lets_go(world, holder, address, on, account) {
            out.push(Clearing { platform: holder.platform, what: holder.what });
        } else if !goes_anyway(world, holder, address) {
            return Err(taken(world, holder, address));
        }
    }
    Ok(out)
}

/// Why nobody can say that an address is free: who may have it may be among those that were not listed.
fn may_be_held(world: &World<'_>, address: &Address, near: impl Fn(&PlatformId) -> bool) -> Option<Block> {
    let classes = [ObjectClass::Account, ObjectClass::Alias, ObjectClass::Redirection, ObjectClass::Group];
    let subject = address.identity();
    for (platform, view) in world.inventory.platforms.iter().filter(|(p, _)| near(p)) {
        let gap = |class| world.gap(platform, class, subject).is_some();
        // Where the domain is not, nobody has an address of it.
        if !view.domains.contains_key(address.domain()) && !gap(ObjectClass::Domain) {
            continue;
        }
        if let Some(class) = classes.into_iter().find(|class| gap(*class)) {
            return Some(incomplete(world, platform, class));
        }
    }
    None
}

/// Whether taking the address over implies that this holder loses it.
fn lets_go(world: &World<'_>, holder: &Holder<'_>, address: &Address, on: &PlatformId, account: &Address) -> bool {
    match holder.what {
        Held::Account | Held::Shared(_) => false,
        // An alias of an account that the spec knows: the spec says who should have it.
        Held::Alias(of) => {
            let managed_here = holder.platform == on && world.wants_account(of);
            managed_here || world.source_owner(holder.platform, of).is_some()
        }
        Held::Redirection(to) => {
            let moves = world.spec.redirections.get(address).is_some_and(|r| r.state == Presence::Present);
            // Where accounts have no aliases, a redirection to the account is how it has one.
            let is_alias = to.iter().all(|t| t == account || world.source_owner(holder.platform, t) == Some(account));
            holder.platform != on && (moves || (is_alias && !to.is_empty()))
        }
        Held::Group => {
            let moves = world.spec.groups.get(address).is_some_and(|g| g.state == Presence::Present);
            holder.platform != on && moves
        }
    }
}

/// Whether the holder gives the address up by an action that is planned elsewhere.
fn goes_anyway(world: &World<'_>, holder: &Holder<'_>, address: &Address) -> bool {
    // What should be absent is removed where it would be, and nowhere else.
    let absent = |state: Presence, via: Option<&PlatformId>| {
        state == Presence::Absent && via.or_else(|| world.platform_of(address)) == Some(holder.platform)
    };
    match holder.what {
        Held::Account => {
            let moves = world.source_owner(holder.platform, address).is_some();
            moves || world.wish(address).is_some_and(|a| absent(a.state, None))
        }
        Held::Alias(_) | Held::Shared(_) => false,
        Held::Redirection(_) => world.spec.redirections.get(address).is_some_and(|r| absent(r.state, r.via.as_ref())),
        Held::Group => world.spec.groups.get(address).is_some_and(|g| absent(g.state, g.via.as_ref())),
    }
}

fn taken(world: &World<'_>, holder: &Holder<'_>, address: &Address) -> Block {
    let platform = world.title(holder.platform);
    let what = match holder.what {
        Held::Account => "an account".to_owned(),
        Held::Alias(of) => format!("an alias of {}", of.unicode()),
        Held::Redirection(_) => "a redirection".to_owned(),
        Held::Group => "a group".to_owned(),
        Held::Shared(kind) => format!("a {}", kind.word()),
    };
    Block::own(
        "address-taken",
        format!("{} is {what} on {platform}, and an address can exist only once", address.unicode()),
        "remove it there, or say in the spec what becomes of it",
    )
}

/// Plans the removals that clear the way, not before `after`, for the claimer to require.
pub(super) fn clear(
    world: &World<'_>,
    cases: &Cases<'_>,
    draft: &mut Draft,
    (address, chain, phase): (&Address, &Text, Phase),
    (clearings, after): (Vec<Clearing<'_>>, Option<&ActionId>),
) -> BTreeSet<ActionId> {
    let mut out = BTreeSet::new();
    for Clearing { platform, what } in clearings {
        if draft.frees(platform, address) {
            continue; // `wire` finds it.
        }
        let alias = address.clone();
        let from = address.clone();
        let mut renamed_by = None;
        let change = match what {
            Held::Account | Held::Shared(_) => continue,
            Held::Alias(of) => {
                let renamed = cases.rename_of(platform, of);
                renamed_by = renamed.map(|(_, id)| id.clone());
                draft.read(chain, reads::account_key(platform, of));
                Change::AliasRemove { account: renamed.map_or_else(|| of.clone(), |(to, _)| to.clone()), alias }
            }
            Held::Redirection(_) => {
                draft.read(chain, reads::object_key(platform, "redirection", &address.key()));
                Change::RedirectionRemove { from }
            }
            Held::Group => {
                draft.read(chain, reads::object_key(platform, "group", &address.key()));
                Change::GroupRemove { group: from }
            }
        };
        let reason = text!("frees {} for its new place", address.unicode());
        let action = draft.change(world, (phase, chain), platform, change, reason);
        action.requires.extend(renamed_by.into_iter().chain(after.cloned()));
        out.insert(action.id.clone());
    }
    out
}

/// The platform that an action changes, and how.
pub(super) fn platform_change(action: &Action) -> Option<(&PlatformId, &Change)> {
    match &action.work {
        Work::Platform { platform, change } => Some((platform, change)),
        Work::Zone(_)
        | Work::Cutover(_)
        | Work::DomainReady { .. }
        | Work::Copy(_)
        | Work::VerifyMail(_)
        | Work::VerifyDns { .. } => None,
    }
}

/// Makes every claim of an address wait for what frees it, and joins both into one swap, so that the order keeps them
/// side by side and a failed claim takes the other back.
pub(super) fn wire(world: &World<'_>, draft: &mut Draft) {
    let mut freeing: Index<Address, (usize, Vec<usize>)> = Index::default();
    for (at, action) in draft.actions.iter().enumerate() {
        let Some((platform, change)) = platform_change(action) else { continue };
        // What an earlier action of this plan made does not stand in anybody's way.
        let freed = freed_by(change).filter(|a| world.holders(a).iter().any(|h| h.platform == platform));
        if let Some(address) = freed {
            match freeing.entry(address.clone()) {
                Entry::Vacant(first) => _ = first.insert((at, Vec::new())),
                Entry::Occupied(mut known) => known.get_mut().1.push(at),
            }
        }
    }
    for at in 0..draft.actions.len() {
        let Some(address) = claim(world, &draft.actions[at]).cloned() else { continue };
        let Some((first, others)) = freeing.get(&address) else { continue };
        for &b in [first].into_iter().chain(others).filter(|&&b| b != at) {
            let id = draft.actions[b].id.clone();
            draft.actions[b].swap.get_or_insert_with(|| address.clone());
            let claimer = &mut draft.actions[at];
            claimer.requires.insert(id);
            claimer.swap.get_or_insert_with(|| address.clone());
        }
    }
}

fn claim<'b>(world: &World<'_>, action: &'b Action) -> Option<&'b Address> {
    let (_, change) = platform_change(action)?;
    let address = claimed_by(change)?;
    let forwards_own = matches!(change, Change::RedirectionSet { .. }) && world.wants_account(address);
    (!forwards_own).then_some(address)
}

/// Claims of addresses that somebody has and nothing in the plan frees: their chains are stopped, whatever the reason
/// was that the freeing is not planned.
pub(super) fn refuse_unfreed(world: &World<'_>, draft: &mut Draft) {
    loop {
        let found = hands::filter_map(&draft.actions, |action| {
            let ((on, change), address) = (platform_change(action)?, claim(world, action)?);
            let own = |h: &&Holder<'_>| h.platform == on && matches!(change, Change::RedirectionSet { .. });
            let in_the_way = world
                .holders(address)
                .iter()
                .filter(|h| !own(h) && world.shares_routing(h.platform, on))
                .find(|h| !draft.frees(h.platform, address))?;
            Some((action.chain.clone(), taken(world, in_the_way, address)))
        });
        let mut stopped: BTreeMap<Text, Block> = BTreeMap::new();
        for (chain, block) in found {
            // The first reason counts.
            stopped.entry(chain).or_insert(block);
        }
        if stopped.is_empty() {
            return;
        }
        stop_chains(draft, stopped);
    }
}

/// Takes back everything that is planned for some chains and says why; what depends on it goes too.
pub(super) fn stop_chains(draft: &mut Draft, stopped: BTreeMap<Text, Block>) {
    let is_stopped = |a: &&Action| stopped.contains_key(&a.chain);
    let swaps: BTreeSet<Address> = draft.actions.iter().filter(is_stopped).filter_map(|a| a.swap.clone()).collect();
    let half = |a: &Action| a.swap.as_ref().is_some_and(|s| swaps.contains(s));
    let gone = draft.actions.iter().filter(|a| is_stopped(a) || half(a)).map(|a| a.id.clone()).collect();
    for (chain, block) in stopped {
        draft.block(&chain, vec![block]);
    }
    for other in draft.drop_actions(gone) {
        let block = Block::own(
            "waits-for-blocked",
            "part of it waits for something that is blocked",
            "solve that first and plan again",
        );
        draft.tell(&other, block.told_as(crate::model::NoteKind::Waiting));
    }
}

/// Breaks a circle of renames on one platform (a takes b's address and b takes a's) by an explicit extra rename through
/// a temporary name. Returns whether it could.
pub(super) fn break_circle(world: &World<'_>, draft: &mut Draft, circle: &BTreeSet<ActionId>) -> bool {
    let Some(at) = draft
        .actions
        .iter()
        .position(|a| circle.contains(&a.id) && matches!(platform_change(a), Some((_, Change::AccountRename { .. }))))
    else {
        return false;
    };
    let chosen = draft.actions[at].clone();
    let Work::Platform { platform, change: Change::AccountRename { from, to } } = &chosen.work else { return false };
    let Some(temporary) = temporary_name(world, from) else { return false };
    let reason = text!("{} and {} trade places; this makes room", from.unicode(), to.unicode());
    let change = Change::AccountRename { from: from.clone(), to: temporary.clone() };
    let aside = draft.change(world, (chosen.phase, &chosen.chain), platform, change, reason);
    aside.preconditions.push(Precondition::AddressFree { platform: platform.clone(), address: temporary.clone() });
    aside.swap = chosen.swap.clone();
    let aside = aside.id.clone();
    // Whoever waited for the address to be freed now waits for the first step only.
    for action in &mut draft.actions {
        let claims = platform_change(action).and_then(|(_, c)| claimed_by(c)) == Some(from);
        if claims && action.requires.remove(&chosen.id) {
            action.requires.insert(aside.clone());
        }
    }
    let second = Change::AccountRename { from: temporary, to: to.clone() };
    let action = &mut draft.actions[at];
    action.undo = super::undo::of(world, platform, &second);
    action.preconditions.retain(|p| !matches!(p, Precondition::AccountOk { .. }));
    action.requires.insert(aside);
    action.work = Work::Platform { platform: platform.clone(), change: second };
    true
}

/// A name beside an address that nobody has and nobody wants.
pub(super) fn temporary_name(world: &World<'_>, address: &Address) -> Option<Address> {
    let domain = address.domain();
    let names = (1..=99).filter_map(|n| Address::new(&format!("{}-move{n}", address.local()), domain.clone()).ok());
    let mut free = names.filter(|name| {
        world.holders(name).is_empty() && !world.wants_account(name) && world.provisional_owner(name).is_none()
    });
    free.next()
}

/// Whether the provisional name can be taken on a platform for an account.
///
/// # Errors
/// Who has it, or that nobody can say.
pub(super) fn provisional_free(
    world: &World<'_>,
    name: &Address,
    on: &PlatformId,
    owner: &Address,
) -> Result<(), Block> {
    let advice = "choose another `provisional:` pattern for the domain, or free that address";
    let block = |message: String| Err(Block::own("provisional-taken", message, advice));
    if world.wants_account(name) {
        return block(format!("the provisional name {} is an account of the spec", name.unicode()));
    }
    if let Some(other) = world.provisional_owner(name).filter(|o| *o != owner) {
        return block(format!("the provisional name {} is also that of {}", name.unicode(), other.unicode()));
    }
    let claimed = world.spec.redirections.get(name).is_some_and(|r| r.state == Presence::Present)
        || world.spec.groups.get(name).is_some_and(|g| g.state == Presence::Present);
    if claimed {
        return block(format!("the provisional name {} is another address of the spec", name.unicode()));
    }
    let holder = world.holders(name).iter().find(|h| world.shares_routing(h.platform, on));
    if let Some(holder) = holder {
        let place = world.title(holder.platform);
        return block(format!("the provisional name {} exists on {place}", name.unicode()));
    }
    // Whoever may have it on any platform that shares the routing may be among those that were not listed.
    let hidden = |p: &&PlatformId| {
        let near = *p == on || world.shares_routing(p, on);
        near && world.is_managed(p) && world.gap(p, ObjectClass::Account, name.identity()).is_some()
    };
    if let Some(platform) = world.inventory.platforms.keys().find(hidden) {
        return Err(incomplete(world, platform, ObjectClass::Account));
    }
    Ok(())
}

/// The reason of everything that an incomplete listing stops.
pub(super) fn incomplete(world: &World<'_>, platform: &PlatformId, class: ObjectClass) -> Block {
    let what = match class {
        ObjectClass::Service => "the service",
        ObjectClass::Domain => "domains",
        ObjectClass::Account => "accounts",
        ObjectClass::Alias => "aliases",
        ObjectClass::Delegation => "delegations",
        ObjectClass::Redirection => "redirections",
        ObjectClass::Group => "groups",
        ObjectClass::Contact => "contacts",
        ObjectClass::Footer => "footers",
        ObjectClass::Shared => "shared mailboxes and resources",
        ObjectClass::PublicFolder => "public folders",
        ObjectClass::Archive => "archives",
        ObjectClass::Mailbox => "mailboxes",
        ObjectClass::Dns => "DNS records",
    };
    let why = world.gap_reason(platform, class).map(|r| format!(" ({r})")).unwrap_or_default();
    Block::of(
        platform.as_str(),
        "incomplete-listing",
        format!(
            "{what} of {} could not be read completely{why}, so nobody can say what is missing",
            world.title(platform)
        ),
        "solve that and plan again",
    )
}
