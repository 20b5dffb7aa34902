//! Lint: the laws that every plan keeps, checked on the plan alone.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Plan,
    claims::platform_change,
    draft::{claimed_by, freed_by},
};
use crate::model::{Action, ActionId, Address, Change};

/// Everything that is wrong with a plan; empty for every plan that the planner makes.
///
/// Names are unique, requirements exist and come first, phases do not go back, and at every prefix of the plan an
/// address that is taken over has an owner or is inside an open swap.
#[must_use]
pub fn lint(plan: &Plan) -> Vec<String> {
    let actions = &plan.body.actions;
    let mut wrong = Vec::new();
    names_and_requirements(actions, &mut wrong);
    for pair in actions.windows(2) {
        if let [before, after] = pair
            && before.phase > after.phase
        {
            wrong.push(format!("{} of phase {:?} follows phase {:?}", after.id, after.phase, before.phase));
        }
    }
    owners(actions, &mut wrong);
    wrong
}

fn names_and_requirements(actions: &[Action], wrong: &mut Vec<String>) {
    let all: BTreeSet<&ActionId> = actions.iter().map(|a| &a.id).collect();
    if all.len() != actions.len() {
        wrong.push("two actions have the same name".to_owned());
    }
    let mut done: BTreeSet<&ActionId> = BTreeSet::new();
    for action in actions {
        for required in action.requires.iter().filter(|r| !done.contains(r)) {
            let what = if all.contains(required) { "comes later" } else { "does not exist" };
            wrong.push(format!("{} requires {required}, which {what}", action.id));
        }
        done.insert(&action.id);
    }
}

fn change(action: &Action) -> Option<&Change> {
    platform_change(action).map(|(_, change)| change)
}

/// Between the action that frees an address and the one that takes it, every action belongs to a swap.
fn owners(actions: &[Action], wrong: &mut Vec<String>) {
    let mut claims: BTreeMap<&Address, BTreeSet<usize>> = BTreeMap::new();
    for (at, action) in actions.iter().enumerate() {
        if let Some(address) = change(action).and_then(claimed_by) {
            claims.entry(address).or_default().insert(at);
        }
    }
    // How many actions outside any swap there are up to each place.
    let mut outside = Vec::with_capacity(actions.len() + 1);
    outside.push(0usize);
    for action in actions {
        outside.push(outside.last().copied().unwrap_or(0) + usize::from(action.swap.is_none()));
    }
    for (at, action) in actions.iter().enumerate() {
        let Some(address) = change(action).and_then(freed_by) else { continue };
        let Some(taken) = claims.get(address) else { continue };
        let Some(&next) = taken.range(at..).find(|n| **n != at) else {
            // Taken before it was given up, unless the plan itself had put somebody there.
            let first = taken.first().copied().unwrap_or(at);
            let made_here = change(&actions[first]).is_some_and(|c| moves_on(c, action));
            if first < at && !made_here {
                wrong.push(format!("{} takes {address} before {} gives it up", actions[first].id, action.id));
            }
            continue;
        };
        // Somebody else has it still, and gives it up later: a redirection beside an account, say.
        let again = actions.get(at + 1..next).unwrap_or_default();
        if again.iter().filter_map(change).filter_map(freed_by).any(|a| a == address) {
            continue;
        }
        if outside.get(next + 1) != outside.get(at) {
            wrong.push(format!("after {} nobody has {address} until {}", action.id, actions[next].id));
        }
    }
}

/// Whether an address was taken only to be left again, as a provisional name is.
fn moves_on(taken_by: &Change, freed: &Action) -> bool {
    let renamed = matches!(change(freed), Some(Change::AccountRename { .. } | Change::AccountReset { .. }));
    renamed && matches!(taken_by, Change::AccountCreate { .. } | Change::AccountRename { .. })
}
