//! Guards: checked before anything begins, all at once.

use std::collections::BTreeSet;

use crate::model::{Action, ActionId, Guard, GuardOutcome};

/// The guards that stand in the way of these actions.
pub(super) fn unmet<'a>(actions: impl Iterator<Item = &'a Action>, acks: &BTreeSet<String>) -> Vec<(ActionId, Guard)> {
    actions
        .filter_map(|action| Some((action, action.guard.as_deref()?)))
        .filter(|(action, guard)| match guard.outcome {
            GuardOutcome::Deny => true,
            GuardOutcome::Ack => !acks.contains(&guard.code) && !acks.contains(action.id.as_str()),
        })
        .map(|(action, guard)| (action.id.clone(), guard.clone()))
        .collect()
}
