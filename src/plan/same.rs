//! Whether a new plan still does what is left of an earlier one.

use std::collections::{BTreeMap, BTreeSet};

use super::Plan;
use crate::model::{Action, ActionId, Text, Work};

/// How a new plan differs from what is left of an earlier one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Divergence {
    /// The new plan does not do it any more.
    Gone(ActionId),
    /// Only the new plan does it.
    New(ActionId),
    /// Both do it, and not in the same way.
    Changed(ActionId),
    /// Both do the same, in another order.
    Order,
}

impl std::fmt::Display for Divergence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Gone(id) => write!(f, "no longer: {id}"),
            Self::New(id) => write!(f, "new: {id}"),
            Self::Changed(id) => write!(f, "changed: {id}"),
            Self::Order => f.write_str("the same actions in another order"),
        }
    }
}

/// How `fresh` differs from `earlier` without the actions that are done already. Nothing means that both do the same to
/// the letter: only reasons and the estimated size of mailboxes, which decide nothing, may be others.
#[must_use]
pub fn divergences(earlier: &Plan, done: &BTreeSet<ActionId>, fresh: &Plan) -> Vec<Divergence> {
    let left: Vec<Action> =
        earlier.body.actions.iter().filter(|a| !done.contains(&a.id)).map(|a| essence(a, done)).collect();
    let now: Vec<Action> = fresh.body.actions.iter().map(|a| essence(a, &BTreeSet::new())).collect();
    let by_id = |all: &'_ [Action]| all.iter().map(|a| (a.id.clone(), a.clone())).collect::<BTreeMap<_, _>>();
    let (before, after) = (by_id(&left), by_id(&now));
    let mut out: Vec<Divergence> = left
        .iter()
        .filter_map(|action| match after.get(&action.id) {
            None => Some(Divergence::Gone(action.id.clone())),
            Some(other) if other != action => Some(Divergence::Changed(action.id.clone())),
            Some(_) => None,
        })
        .collect();
    out.extend(now.iter().filter(|a| !before.contains_key(&a.id)).map(|a| Divergence::New(a.id.clone())));
    if out.is_empty() && left != now {
        out.push(Divergence::Order);
    }
    out
}

/// An action without what decides nothing, and without requirements that are met.
fn essence(action: &Action, done: &BTreeSet<ActionId>) -> Action {
    let mut action = Action { reason: Text::default(), ..action.clone() };
    action.requires.retain(|id| !done.contains(id));
    if let Work::Copy(work) | Work::VerifyMail(work) = &mut action.work {
        work.estimate = None;
    }
    action
}
