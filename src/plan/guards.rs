//! Guards over a whole plan: thresholds of deletions, and what a person has to agree to.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Plan, draft::Draft, world::World};
use crate::model::{ActionId, Change, Guard, GuardOutcome, PlatformView, Work};

/// More deletions of one kind in one domain than this need somebody's word.
const DELETIONS: usize = 5;
/// And so does more than this share of what is there, in percent, once there are [`FLOOR`] objects.
const PERCENT: usize = 10;
/// Below this many objects a share says nothing: one of two aliases is half of them.
const FLOOR: usize = 10;

/// One thing that a person has to agree to, or that is refused, with all actions it holds back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OpenGuard {
    /// The stable code, which `--ack` takes.
    pub code: String,
    /// What it takes.
    pub outcome: GuardOutcome,
    /// What is at stake, action by action and without repetition.
    pub messages: Vec<String>,
    /// The actions it holds back.
    pub actions: Vec<ActionId>,
}

/// The guards of a plan by code, refusals first.
#[must_use]
pub fn guards(plan: &Plan) -> Vec<OpenGuard> {
    open_guards(plan.body.actions.iter().filter_map(|action| Some((&action.id, action.guard.as_deref()?))))
}

/// Guards of actions by code, refusals first.
#[must_use]
pub fn open_guards<'a>(guarded: impl IntoIterator<Item = (&'a ActionId, &'a Guard)>) -> Vec<OpenGuard> {
    let mut by_code: BTreeMap<(std::cmp::Reverse<GuardOutcome>, &str), OpenGuard> = BTreeMap::new();
    for (action, guard) in guarded {
        let open = by_code.entry((std::cmp::Reverse(guard.outcome), &guard.code)).or_insert_with(|| OpenGuard {
            code: guard.code.clone(),
            outcome: guard.outcome,
            messages: Vec::new(),
            actions: Vec::new(),
        });
        if open.messages.last() != Some(&guard.message) {
            open.messages.push(guard.message.clone());
        }
        open.actions.push(action.clone());
    }
    by_code.into_values().collect()
}

/// What a deletion takes away: the kind of object and the domain it is counted in.
fn deletion(change: &Change) -> Option<(&'static str, String)> {
    let of = |address: &crate::model::Address| address.domain().to_string();
    Some(match change {
        Change::AliasRemove { alias, .. } => ("aliases", of(alias)),
        Change::RedirectionRemove { from } => ("redirections", of(from)),
        Change::GroupRemove { group } => ("groups", of(group)),
        Change::GroupMemberRemove { group, .. } => ("group members", of(group)),
        Change::DelegationRevoke { account, .. } => ("delegations", of(account)),
        Change::ContactRemove { .. } => ("contacts", String::new()),
        Change::AccountReset { address } => ("accounts", of(address)),
        _ => return None,
    })
}

fn population(view: &PlatformView, kind: &str, domain: &str) -> usize {
    let here = |a: &&crate::model::Address| a.domain().as_str() == domain;
    match kind {
        "aliases" => view.accounts.values().flat_map(|a| &a.aliases).filter(here).count(),
        "redirections" => view.redirections.keys().filter(here).count(),
        "groups" => view.groups.keys().filter(here).count(),
        "group members" => view.groups.iter().filter(|(a, _)| here(a)).map(|(_, g)| g.members.len()).sum(),
        "delegations" => view.accounts.iter().filter(|(a, _)| here(a)).map(|(_, v)| v.delegations.len()).sum(),
        "contacts" => view.contacts.len(),
        _ => view.accounts.keys().filter(here).count(),
    }
}

/// Puts a guard on deletions that are many. A move frees an address and gives it to somebody: that deletes nothing.
pub(super) fn thresholds(world: &World<'_>, draft: &mut Draft) {
    let mut counts: BTreeMap<(String, &'static str, String), Vec<usize>> = BTreeMap::new();
    for (at, action) in draft.actions.iter().enumerate().filter(|(_, a)| a.swap.is_none()) {
        let Work::Platform { platform, change } = &action.work else { continue };
        if let Some((kind, domain)) = deletion(change) {
            counts.entry((platform.to_string(), kind, domain)).or_default().push(at);
        }
    }
    for ((platform, kind, domain), actions) in counts {
        let id = platform.as_str().into();
        let total = world.platform(&id).map_or(0, |v| population(v, kind, &domain));
        let many = actions.len() > DELETIONS || (total >= FLOOR && actions.len() * 100 > total * PERCENT);
        if !many {
            continue;
        }
        let place = if domain.is_empty() { String::new() } else { format!(" of {domain}") };
        let message = format!("{} of {total} {kind}{place} on {} are deleted", actions.len(), world.title(&id));
        for at in actions {
            if let Some(action) = draft.actions.get_mut(at) {
                action.guard.get_or_insert_with(|| {
                    let code = "many-deletions".to_owned();
                    Box::new(Guard { code, message: message.clone(), outcome: GuardOutcome::Ack })
                });
            }
        }
    }
}
