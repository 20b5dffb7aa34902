//! A part of a plan: some addresses now, the others later. What is left is whole in itself, and empties nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Action, ActionId, Address, Change, Domain, NoteKind, Work};

use super::{Part, draft::Draft, world::World};

/// Names of `part` that neither the spec nor the plan knows.
pub(super) fn unknown(world: &World<'_>, draft: &Draft, part: &Part) -> Vec<String> {
    let known = |name: &&String| {
        let name = Name::read(name);
        let in_spec = match &name {
            Name::Address(a) => {
                let spec = world.spec;
                spec.accounts.contains_key(a)
                    || spec.redirections.contains_key(a)
                    || spec.groups.contains_key(a)
                    || spec.contacts.contains_key(a)
            }
            Name::Domain(d) => world.domain(d).is_some(),
            Name::Action(_) => false,
        };
        in_spec || draft.actions.iter().any(|action| name.means(action))
    };
    part.only.iter().chain(&part.without).filter(|name| !known(name)).cloned().collect()
}

/// Drops what does not belong to the part.
///
/// What stays needs nothing that goes: `only` keeps what its actions need, `without` takes along what needs it. The two
/// halves of a swap stay together. A mailbox is emptied only by a whole plan, in which everything that rests on it has
/// been looked at.
pub(super) fn narrow(draft: &mut Draft, part: &Part) {
    if part.is_whole() {
        return;
    }
    let web = Web::of(&draft.actions);
    let chosen = |names: &BTreeSet<String>| -> BTreeSet<usize> {
        let names: Vec<Name> = names.iter().map(|n| Name::read(n)).collect();
        let meant = |(_, action): &(usize, &Action)| names.iter().any(|name| name.means(action));
        draft.actions.iter().enumerate().filter(meant).map(|(at, _)| at).collect()
    };
    let mut kept: BTreeSet<usize> = if part.only.is_empty() {
        (0..draft.actions.len()).collect()
    } else {
        web.reach(chosen(&part.only), &web.needs)
    };
    let emptied = draft.actions.iter().enumerate().filter(|(_, a)| empties(a)).map(|(at, _)| at);
    let left_out = web.reach(chosen(&part.without), &web.needed_by);
    let without_ends = web.reach(emptied.collect(), &web.needed_by);
    let stopped = kept.intersection(&without_ends).filter(|at| draft.actions.get(**at).is_some_and(empties)).count();
    kept.retain(|at| !left_out.contains(at) && !without_ends.contains(at));
    let gone: BTreeSet<ActionId> =
        draft.actions.iter().enumerate().filter(|(at, _)| !kept.contains(at)).map(|(_, a)| a.id.clone()).collect();
    draft.drop_actions(gone);
    if stopped > 0 {
        let message = format!("{} left as they are, because this is a part of a plan", plural_mailboxes(stopped));
        let help = "plan without --target and --exclude to empty them".to_owned();
        draft.note(NoteKind::Info, "partial-plan", "sources", message, Some(help));
    }
}

fn plural_mailboxes(n: usize) -> String {
    if n == 1 { "1 mailbox is not emptied and".to_owned() } else { format!("{n} mailboxes are not emptied and") }
}

fn empties(action: &Action) -> bool {
    matches!(&action.work, Work::Platform { change: Change::AccountReset { .. } | Change::DomainRemove { .. }, .. })
}

/// What somebody typed.
enum Name {
    Address(Address),
    Domain(Domain),
    Action(String),
}

impl Name {
    fn read(text: &str) -> Self {
        if text.contains(':') {
            return Self::Action(text.to_owned());
        }
        if let Ok(address) = Address::parse(text) {
            return Self::Address(address);
        }
        Domain::parse(text).map_or_else(|_| Self::Action(text.to_owned()), Self::Domain)
    }

    fn means(&self, action: &Action) -> bool {
        match self {
            Self::Address(address) => {
                action.chain == address.key() || action.swap.as_ref() == Some(address) || {
                    let Work::Platform { change, .. } = &action.work else { return false };
                    change.subject().split('/').next() == Some(address.key().as_str())
                }
            }
            Self::Domain(domain) => {
                action.chain.rsplit_once('@').map_or(action.chain.as_str(), |(_, d)| d) == domain.as_str()
            }
            Self::Action(id) => action.id.as_str() == id,
        }
    }
}

type Edges = BTreeMap<usize, BTreeSet<usize>>;

/// Who needs whom; the halves of a swap need each other.
struct Web {
    needs: Edges,
    needed_by: Edges,
}

impl Web {
    fn of(actions: &[Action]) -> Self {
        let places: BTreeMap<&ActionId, usize> = actions.iter().enumerate().map(|(at, a)| (&a.id, at)).collect();
        let mut web = Self { needs: Edges::new(), needed_by: Edges::new() };
        let mut link = |who: usize, what: usize| {
            web.needs.entry(who).or_default().insert(what);
            web.needed_by.entry(what).or_default().insert(who);
        };
        let mut swaps: BTreeMap<&Address, Vec<usize>> = BTreeMap::new();
        for (at, action) in actions.iter().enumerate() {
            action.requires.iter().filter_map(|id| places.get(id)).for_each(|what| link(at, *what));
            if let Some(address) = &action.swap {
                swaps.entry(address).or_default().push(at);
            }
        }
        for mates in swaps.values() {
            for pair in mates.windows(2) {
                if let [one, other] = pair {
                    link(*one, *other);
                    link(*other, *one);
                }
            }
        }
        web
    }

    fn reach(&self, from: BTreeSet<usize>, edges: &Edges) -> BTreeSet<usize> {
        let mut open: Vec<usize> = from.iter().copied().collect();
        let mut seen = from;
        while let Some(at) = open.pop() {
            for next in edges.get(&at).into_iter().flatten() {
                if seen.insert(*next) {
                    open.push(*next);
                }
            }
        }
        seen
    }
}
