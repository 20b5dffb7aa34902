//! F2: PURE. Spec, inventory and state to a plan: difference, strategies, order, guards, notes, staleness, plan file.

mod accounts;
mod after;
mod aliases;
mod beside;
mod canonical;
mod checks;
mod claims;
mod cutover;
mod decide;
mod directory;
mod domains;
mod draft;
mod fields;
pub mod file;
mod groups;
mod guards;
mod leftovers;
mod lint;
mod lost;
mod mail;
mod names;
mod order;
mod part;
mod passes;
mod reads;
mod redirections;
mod renamed;
mod rollback;
mod same;
pub mod schema;
mod slots;
mod types;
mod undo;
mod victims;
mod world;
mod zone;

pub use after::after;
pub use fields::Fields;
pub use file::PlanFileError;
pub use guards::{OpenGuard, guards, open_guards};
pub use lint::lint;
pub use reads::{Stale, read_value, stale};
pub use rollback::rollback;
pub use same::{Divergence, divergences};
pub use types::*;
pub use zone::{announces_policy, ask, spf_to_count, wish};

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    hands::{self, MANY},
    model::{ActionId, Address, Change, Inventory, Phase, PlatformId, State, Text, Work},
    spec::{Presence, Spec},
};

use draft::{Block, Draft};
use world::World;

/// What the planning of dependents rests on.
struct Ground<'g, 'a> {
    world: &'g World<'a>,
    gates: &'g domains::Gates<'a>,
    cases: &'g decide::Cases<'a>,
    places: &'g accounts::Places<'a>,
}

/// Makes the plan. The same arguments give the same bytes, whatever order anything was listed in.
#[must_use]
pub fn plan(spec: &Spec, inventory: &Inventory, state: &State, header: Header) -> Plan {
    let world = World::new(spec, inventory, state);
    let mut draft = drafted(&world);
    draft.settle_notes();
    finish(&world, draft, header)
}

/// Makes a part of the plan. Guards that count deletions count those of the whole.
///
/// # Errors
/// The names that neither the spec nor the plan knows.
pub fn plan_part(
    spec: &Spec,
    inventory: &Inventory,
    state: &State,
    header: Header,
    part: &Part,
) -> Result<Plan, Vec<String>> {
    let world = World::new(spec, inventory, state);
    let mut draft = drafted(&world);
    let unknown = part::unknown(&world, &draft, part);
    if !unknown.is_empty() {
        return Err(unknown);
    }
    part::narrow(&mut draft, part);
    draft.settle_notes();
    let mut plan = finish(&world, draft, header);
    plan.body.part = part.clone();
    plan.id = file::id(&plan.body);
    Ok(plan)
}

/// Everything that is to be done, in order, with its guards.
fn drafted(world: &World<'_>) -> Draft {
    let mut draft = Draft::default();
    let gates = domains::gates(world);
    let cases = decide::decide(world, &gates, &mut draft);
    domains::emit(world, &gates, &cases, &mut draft);
    let places = accounts::emit(world, &gates, &cases, &mut draft);
    let ground = Ground { world, gates: &gates, cases: &cases, places: &places };
    aliases::emit(&ground, &mut draft);
    redirections::emit(&ground, &mut draft);
    let mut contacts = directory::contacts(&ground, &mut draft);
    groups::emit(&ground, &mut contacts, &mut draft);
    directory::footers(&ground, &mut draft);

    domains::stop_unavailable(world, &mut draft);
    claims::refuse_unfreed(world, &mut draft);
    claims::wire(world, &mut draft);
    lost::keep(world, &mut draft);
    directory::ends_last(&ground, &mut draft);
    domains::removals_last(&mut draft);
    domains::prune_waits(&mut draft);
    sources_last(&mut draft);
    zone::emit(world, &mut draft);
    passes::overlap(world, &cases, &mut draft);
    let busy = cutover::busy_domains(&draft);
    cutover::verify(world, &busy, &mut draft);
    cutover::tell(world, &busy, &mut draft);
    leftovers::emit(&ground, &busy, &mut draft);
    beside::emit(&ground, &mut draft);
    order(world, &mut draft);
    guards::thresholds(world, &mut draft);
    draft
}

/// A source is emptied after everything else of its account.
fn sources_last(draft: &mut Draft) {
    let is_end = |a: &crate::model::Action| {
        a.phase == Phase::Retire && matches!(a.work, Work::Platform { change: Change::AccountReset { .. }, .. })
    };
    let chains: BTreeSet<Text> = draft.actions.iter().filter(|a| is_end(a)).map(|a| a.chain.clone()).collect();
    if chains.is_empty() {
        return;
    }
    let mut before: BTreeMap<Text, BTreeSet<ActionId>> = BTreeMap::new();
    for action in draft.actions.iter().filter(|a| chains.contains(&a.chain) && !is_end(a)) {
        before.entry(action.chain.clone()).or_default().insert(action.id.clone());
    }
    // Others may free an address of it for themselves.
    let mut freed: BTreeMap<(PlatformId, Address), BTreeSet<ActionId>> = BTreeMap::new();
    for action in &draft.actions {
        if let Work::Platform { platform, change: Change::AliasRemove { account, .. } } = &action.work {
            freed.entry((platform.clone(), account.clone())).or_default().insert(action.id.clone());
        }
    }
    for action in draft.actions.iter_mut().filter(|a| is_end(a)) {
        action.requires.extend(before.get(&action.chain).cloned().unwrap_or_default());
        if let Work::Platform { platform, change: Change::AccountReset { address } } = &action.work {
            action.requires.extend(freed.remove(&(platform.clone(), address.clone())).unwrap_or_default());
        }
    }
}

/// Puts the actions in order. A circle is broken by a temporary name where it is one of renames; otherwise its chains
/// are stopped and told.
fn order(world: &World<'_>, draft: &mut Draft) {
    // A circle of n renames is broken once, and actions without renames cannot be in more circles than there are.
    let mut tries = draft.actions.len();
    while let Err(circle) = order::sort(&mut draft.actions) {
        tries = tries.saturating_sub(1);
        if tries > 0 && claims::break_circle(world, draft, &circle) {
            continue;
        }
        let message = "its addresses and those of others wait for each other in a circle";
        let help = "move one of them by hand to a temporary address, then plan again";
        let stuck = draft.actions.iter().filter(|a| circle.contains(&a.id));
        let stopped = stuck.map(|a| (a.chain.clone(), Block::own("claim-circle", message, help))).collect();
        claims::stop_chains(draft, stopped);
    }
}

fn finish(world: &World<'_>, draft: Draft, header: Header) -> Plan {
    let (actions, notes, read) = draft.finished();
    let migrating = world.spec.domains.iter().filter(|(_, d)| d.state == Presence::Present);
    let mut body = Body {
        spec_digest: world.spec.digest.clone(),
        strategies: migrating.filter_map(|(name, d)| Some((name.clone(), d.migrate.as_ref()?.strategy))).collect(),
        part: Part::default(),
        rollback_of: None,
        read_set: BTreeMap::new(),
        notes,
        gates: world.spec.gates.of(&actions),
        actions,
    };
    // The id begins with the actions, which takes longer than looking at what they rest on. What that other hand asks
    // memory for was free since the spec was read by as many hands.
    let many = body.actions.len() >= MANY;
    let look = || reads::read_all(world.inventory, read.of(&body.actions));
    let (begun, read_set) = hands::both(many, || file::Id::begin(&body), look);
    body.read_set = read_set;
    let id = begun.end(&body);
    let plan = Plan { format: FORMAT, id, header, body };
    debug_assert!(lint(&plan).is_empty(), "a plan breaks its laws: {:#?}", lint(&plan));
    plan
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Gates, Precondition, Undo};

    fn spec() -> Spec {
        Spec {
            digest: String::new(),
            base: ".".into(),
            platforms: BTreeMap::new(),
            domains: BTreeMap::new(),
            accounts: BTreeMap::new(),
            redirections: BTreeMap::new(),
            groups: BTreeMap::new(),
            contacts: BTreeMap::new(),
            gates: Gates::default(),
            hooks: BTreeMap::new(),
        }
    }

    fn rename(world: &World<'_>, draft: &mut Draft, from: &str, to: &str) -> ActionId {
        let [from, to] = [from, to].map(|a| Address::parse(a).unwrap());
        let platform = PlatformId::from("old");
        let free = Precondition::AddressFree { platform: platform.clone(), address: to.clone() };
        let (chain, swap) = (from.key(), from.clone());
        let change = Change::AccountRename { from, to };
        let action = draft.change(world, (Phase::Account, &chain), &platform, change, "test");
        action.preconditions.push(free);
        action.swap = Some(swap);
        action.id.clone()
    }

    fn require(draft: &mut Draft, who: &ActionId, what: &ActionId) {
        let action = draft.actions.iter_mut().find(|a| a.id == *who).unwrap();
        action.requires.insert(what.clone());
    }

    fn shown(draft: &Draft) -> Vec<String> {
        let one = |a: &crate::model::Action| match &a.work {
            Work::Platform { change: Change::AccountRename { from, to }, .. } => format!("{from} -> {to}"),
            _ => a.id.to_string(),
        };
        draft.actions.iter().map(one).collect()
    }

    #[test]
    fn accounts_that_trade_names_go_through_a_temporary_one() {
        let (spec, inventory, state) = (spec(), Inventory::default(), State::default());
        let world = World::new(&spec, &inventory, &state);
        let mut draft = Draft::default();
        let a = rename(&world, &mut draft, "a@x.org", "b@x.org");
        let b = rename(&world, &mut draft, "b@x.org", "a@x.org");
        require(&mut draft, &a, &b);
        require(&mut draft, &b, &a);
        order(&world, &mut draft);
        assert_eq!(shown(&draft), ["a@x.org -> a-move1@x.org", "b@x.org -> a@x.org", "a-move1@x.org -> b@x.org"]);
        let last = draft.actions.last().unwrap();
        let Undo::Change { change: Change::AccountRename { to, .. }, .. } = &last.undo else { panic!() };
        assert_eq!(to.to_string(), "a-move1@x.org");
        assert!(draft.notes.is_empty());
    }

    #[test]
    fn a_circle_without_a_way_out_stops_its_own_chains_and_says_so() {
        let (spec, inventory, state) = (spec(), Inventory::default(), State::default());
        let world = World::new(&spec, &inventory, &state);
        let mut draft = Draft::default();
        let other = rename(&world, &mut draft, "free@x.org", "other@x.org");
        let mut wait = |name: &str| {
            let work = Work::DomainReady { platform: "old".into(), domain: "x.org".parse().unwrap() };
            draft.add((Phase::Domain, name), name.to_owned(), work, Undo::Nothing, String::new()).id.clone()
        };
        let (a, b) = (wait("a"), wait("b"));
        require(&mut draft, &a, &b);
        require(&mut draft, &b, &a);
        order(&world, &mut draft);
        assert_eq!(draft.actions.iter().map(|x| &x.id).collect::<Vec<_>>(), [&other]);
        assert!(draft.notes.iter().all(|n| n.code == "claim-circle"));
        assert_eq!(draft.notes.len(), 2);
    }
}
