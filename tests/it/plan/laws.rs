//! Laws of the planner, over worlds drawn at random.

use std::{collections::BTreeSet, sync::OnceLock};

use proptest::prelude::*;
use rehome::{
    model::{Action, Change, Gap, GuardOutcome, NoteKind, ObjectClass, Work},
    plan::{Plan, file, lint, stale},
};

use super::{
    draws::worlds,
    model,
    world::{World, ids},
};
use crate::trust::{reach, scenario::shown};

/// What a plan takes away for good, by name. What moves is not taken away.
fn deletions(plan: &Plan) -> BTreeSet<String> {
    let deletes = |change: &Change| {
        matches!(
            change,
            Change::AccountReset { .. }
                | Change::AliasRemove { .. }
                | Change::RedirectionRemove { .. }
                | Change::GroupRemove { .. }
                | Change::GroupMemberRemove { .. }
                | Change::DelegationRevoke { .. }
                | Change::ContactRemove { .. }
                | Change::DomainRemove { .. }
        )
    };
    // One half of a swap makes room for the other; an account that is reset is gone all the same.
    let moves = |action: &Action, change: &Change| {
        let other = |a: &&Action| a.id != action.id && a.swap == action.swap;
        action.swap.is_some()
            && !matches!(change, Change::AccountReset { .. })
            && plan.body.actions.iter().any(|a| other(&a))
    };
    let actions = plan.body.actions.iter().filter(|action| match &action.work {
        Work::Platform { change, .. } => deletes(change) && !moves(action, change),
        _ => false,
    });
    actions.map(|action| action.id.to_string()).collect()
}

/// Hides part of the listings and says so.
fn hide(world: &World, class: ObjectClass, platform: &str, every: usize) -> World {
    let mut partial = world.clone();
    let view = partial.view(platform);
    let mut n = 0;
    let mut keep = || {
        n += 1;
        n % every != 0
    };
    match class {
        ObjectClass::Account => view.accounts.retain(|_, _| keep()),
        ObjectClass::Alias => view.accounts.values_mut().for_each(|x| x.aliases.retain(|_| keep())),
        ObjectClass::Delegation => view.accounts.values_mut().for_each(|x| x.delegations.retain(|_| keep())),
        ObjectClass::Redirection => view.redirections.retain(|_, _| keep()),
        ObjectClass::Group => view.groups.retain(|_, _| keep()),
        _ => {}
    }
    view.gaps.push(Gap { class, subject: String::new(), reason: "half an answer".to_owned() });
    partial
}

/// Whether a plan is sound, fresh, whole as a file, and what its schema says.
pub fn keeps(world: &World) {
    static SCHEMA: OnceLock<jsonschema::Validator> = OnceLock::new();
    let schema = SCHEMA.get_or_init(|| {
        let text = include_str!("../../../specs/schema/plan.json");
        jsonschema::validator_for(&serde_json::from_str(text).unwrap()).unwrap()
    });
    let plan = world.plan();
    assert_eq!(lint(&plan), Vec::<String>::new());
    assert!(stale(&plan, &world.inventory).is_empty());
    let bytes = file::to_bytes(&plan);
    assert_eq!(file::from_bytes(&bytes).unwrap(), plan);
    let json = serde_json::from_slice(&bytes).unwrap();
    let problems: Vec<String> = schema.iter_errors(&json).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(problems.is_empty(), "{problems:#?}");
}

/// Whether the order of listings changes nothing.
pub fn keeps_its_bytes(world: &World, turn: usize) {
    let mut turned = world.clone();
    for view in turned.inventory.platforms.values_mut() {
        let n = view.slots.len().max(1);
        view.slots.rotate_left(turn % n);
        view.slots.reverse();
        view.gaps.reverse();
    }
    assert_eq!(file::to_bytes(&turned.plan()), file::to_bytes(&world.plan()));
}

/// Whether nothing of the spec was left out of a plan.
pub fn clear(plan: &Plan) -> bool {
    let stops = |kind| matches!(kind, NoteKind::Blocked | NoteKind::Ambiguous);
    !plan.body.notes.iter().any(|n| stops(n.kind) || n.code == "waits-for-blocked")
}

/// Whether a guard forbids a plan.
pub fn refused(plan: &Plan) -> bool {
    plan.body.actions.iter().any(|a| a.guard.as_ref().is_some_and(|g| g.outcome == GuardOutcome::Deny))
}

/// Whether applying reaches the spec and leaves nothing to do, whoever asks.
pub fn reaches_its_end(mut world: World) {
    let mut plan = world.plan();
    let mut rounds = 0;
    while !plan.is_empty() && !refused(&plan) {
        let limit = if clear(&plan) { 1 } else { 4 };
        model::apply_plan(&mut world, &plan);
        rounds += 1;
        plan = world.plan();
        // What was blocked may be free by now, such as a slot that was given back.
        assert!(plan.is_empty() || rounds < limit, "still: {:?}", ids(&plan));
    }
    let missing = reach::missing(&world.spec, (&world.inventory, &world.state), &plan);
    assert!(missing.is_empty(), "the spec is not reached and nothing says why: {missing:#?}");
}

const LISTED: [ObjectClass; 5] =
    [ObjectClass::Account, ObjectClass::Alias, ObjectClass::Delegation, ObjectClass::Redirection, ObjectClass::Group];

/// Whether a listing of that platform that is cut short leads to no deletion, whatever was being listed.
pub fn hides_nothing(world: &World, platform: &str) {
    LISTED.into_iter().for_each(|class| (1..3).for_each(|every| hides_nothing_of(world, class, platform, every)));
}

fn hides_nothing_of(world: &World, class: ObjectClass, platform: &str, every: usize) {
    let plan = world.plan();
    // Whoever waits for a slot gets that of somebody who is not seen.
    let waits = |id: &&String| plan.body.notes.iter().any(|n| n.code == "no-free-slot" && id.ends_with(&n.subject));
    let full = deletions(&plan);
    let partial = deletions(&hide(world, class, platform, every).plan());
    let more: Vec<_> = partial.difference(&full).filter(|id| !waits(id)).collect();
    assert!(more.is_empty(), "{more:?} only because something was not listed");
}

/// Every law that the planner can be asked about one world.
pub fn all_of_the_planner(world: &World, turn: usize) {
    keeps(world);
    keeps_its_bytes(world, turn);
    hides_nothing_this(world, turn);
    reaches_its_end(world.clone());
}

/// One of the ways in which a listing can be cut short.
fn hides_nothing_this(world: &World, turn: usize) {
    let class = LISTED[turn % LISTED.len()];
    hides_nothing_of(world, class, ["old", "new"][turn % 2], 1 + turn / 2 % 2);
}

proptest! {
    #![proptest_config(super::cases(10_000))]

    /// `lint` asks at every prefix who has each address.
    #[test]
    fn every_plan_is_valid_json_and_leaves_no_address_without_an_owner(world in worlds()) {
        shown(&world, || keeps(&world));
    }

    #[test]
    fn shuffled_listings_give_the_same_bytes(world in worlds(), turn in 0usize..20) {
        shown(&world, || keeps_its_bytes(&world, turn));
    }

    #[test]
    fn a_partial_listing_never_deletes(world in worlds(), turn in 0usize..20) {
        shown(&world, || hides_nothing_this(&world, turn));
    }

    #[test]
    fn every_plan_reaches_the_spec_and_the_second_is_empty(world in worlds()) {
        shown(&world, || reaches_its_end(world.clone()));
    }
}
