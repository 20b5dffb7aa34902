//! Order: requirements to a stable topological order in which what belongs together stands together.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::Hashed;
use crate::model::{Action, ActionId, Address, CutoverStep, Phase, RecordType, Work, ZoneChange};

/// What the order prefers where requirements leave a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place<'a> {
    phase: Phase,
    /// In the phases where an account's actions stand together: its domain and address.
    lead: Option<(&'a str, &'a str)>,
    rank: u8,
    subject: (&'a str, &'a str),
    id: &'a ActionId,
}

/// Sorts the actions so that each comes after what it requires, swaps stand together, and phases do not go back: an
/// action that waits for a later phase moves into it.
///
/// # Errors
/// The actions of a circle of requirements, when there is one; the list is then unchanged.
pub(super) fn sort(actions: &mut Vec<Action>) -> Result<(), BTreeSet<ActionId>> {
    let grouped = units(actions, true);
    let order = match arrange(actions, &grouped) {
        Ok(order) => order,
        // Swaps that wait for each other cannot each stand together; single actions still can be ordered.
        Err(_) => arrange(actions, &units(actions, false))?,
    };
    let mut slots: Vec<Option<Action>> = std::mem::take(actions).into_iter().map(Some).collect();
    for (at, phase) in order {
        if let Some(mut action) = slots.get_mut(at).and_then(Option::take) {
            action.phase = phase;
            actions.push(action);
        }
    }
    Ok(())
}

/// Which unit each action belongs to: its swap, or itself.
fn units<'a>(actions: &'a [Action], grouped: bool) -> Vec<usize> {
    let mut swaps: BTreeMap<&'a Address, usize> = BTreeMap::new();
    let unit = |(at, action): (usize, &'a Action)| match &action.swap {
        Some(address) if grouped => *swaps.entry(address).or_insert(at),
        _ => at,
    };
    actions.iter().enumerate().map(unit).collect()
}

struct Graph {
    /// By unit: how many required units are not placed yet.
    waits: Vec<usize>,
    next: Vec<Vec<usize>>,
    members: Vec<Vec<usize>>,
}

fn graph(actions: &[Action], unit: &[usize]) -> Graph {
    let by_id: BTreeMap<Hashed<&ActionId>, usize> =
        actions.iter().enumerate().map(|(at, a)| (Hashed::of(&a.id), at)).collect();
    let n = actions.len();
    let mut graph = Graph { waits: vec![0; n], next: vec![Vec::new(); n], members: vec![Vec::new(); n] };
    let mut edges = BTreeSet::new();
    for (at, action) in actions.iter().enumerate() {
        graph.members[unit[at]].push(at);
        for required in &action.requires {
            let Some(&before) = by_id.get(&Hashed::of(required)) else { continue };
            if unit[before] != unit[at] {
                edges.insert((unit[before], unit[at]));
            }
        }
    }
    for (before, after) in edges {
        graph.next[before].push(after);
        graph.waits[after] += 1;
    }
    graph
}

type Order = Vec<(usize, Phase)>;

fn arrange(actions: &[Action], unit: &[usize]) -> Result<Order, BTreeSet<ActionId>> {
    let graph = graph(actions, unit);
    let phases = phases(actions, &graph)?;
    let mut waits = graph.waits.clone();
    let place = |u: usize| {
        let first = graph.members[u].iter().map(|&m| place(&actions[m], phases[u])).min();
        first.map(|p| (p, u))
    };
    let heads = (0..actions.len()).filter(|&u| waits[u] == 0 && !graph.members[u].is_empty());
    let mut ready: BTreeSet<(Place<'_>, usize)> = heads.filter_map(place).collect();
    let mut out = Vec::with_capacity(actions.len());
    while let Some((_, u)) = ready.pop_first() {
        for member in inside(actions, &graph.members[u], phases[u]) {
            out.push((member, phases[u]));
        }
        for &after in &graph.next[u] {
            waits[after] -= 1;
            if waits[after] == 0 {
                ready.extend(place(after));
            }
        }
    }
    Ok(out)
}

/// The phase of each unit: not before that of anything it requires.
fn phases(actions: &[Action], graph: &Graph) -> Result<Vec<Phase>, BTreeSet<ActionId>> {
    let own = |u: usize| graph.members[u].iter().map(|&m| actions[m].phase).max().unwrap_or(Phase::Domain);
    let mut phases: Vec<Phase> = (0..actions.len()).map(own).collect();
    let mut waits = graph.waits.clone();
    let mut ready: Vec<usize> = (0..actions.len()).filter(|&u| waits[u] == 0).collect();
    let mut seen = 0;
    while let Some(u) = ready.pop() {
        seen += 1;
        for &after in &graph.next[u] {
            phases[after] = phases[after].max(phases[u]);
            waits[after] -= 1;
            if waits[after] == 0 {
                ready.push(after);
            }
        }
    }
    if seen == actions.len() {
        return Ok(phases);
    }
    let stuck = (0..actions.len()).filter(|&u| waits[u] > 0).flat_map(|u| &graph.members[u]);
    Err(stuck.filter_map(|&m| actions.get(m)).map(|a| a.id.clone()).collect())
}

/// The order inside a unit: by requirement, then by place. Units are small.
fn inside(actions: &[Action], members: &[usize], phase: Phase) -> Vec<usize> {
    if let [only] = members {
        return vec![*only];
    }
    let ids: BTreeSet<&ActionId> = members.iter().map(|&m| &actions[m].id).collect();
    let mut left: Vec<usize> = members.to_vec();
    left.sort_by_key(|&m| place(&actions[m], phase));
    let mut placed: BTreeSet<&ActionId> = BTreeSet::new();
    let mut out = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let free = |&m: &usize| actions[m].requires.iter().all(|r| !ids.contains(r) || placed.contains(r));
        let at = left.iter().position(free).unwrap_or(0);
        let member = left.remove(at);
        placed.insert(&actions[member].id);
        out.push(member);
    }
    out
}

fn place(action: &Action, phase: Phase) -> Place<'_> {
    let subject = match &action.swap {
        Some(address) => (address.domain().as_str(), address.folded()),
        None => split(&action.chain),
    };
    let together = matches!(phase, Phase::Account | Phase::Cutover);
    Place { phase, lead: together.then_some(subject), rank: rank(&action.work), subject, id: &action.id }
}

/// Domain first, so that one domain's addresses stand together.
fn split(chain: &str) -> (&str, &str) {
    match chain.rsplit_once('@') {
        Some((local, domain)) => (domain, local),
        None => (chain, ""),
    }
}

fn rank(work: &Work) -> u8 {
    match work {
        Work::Platform { change, .. } => change_rank(change),
        Work::Zone(change) => zone_rank(change),
        Work::Cutover(work) => match work.step {
            CutoverStep::Drain => 63,
            CutoverStep::Converge => 65,
        },
        Work::DomainReady { .. } => 4,
        // What came meanwhile is fetched when everything else is there, as close to the proof as can be.
        Work::Copy(work) if work.pass > 1 => 59,
        Work::Copy(_) => 58,
        Work::VerifyMail(_) => 61,
        Work::VerifyDns { .. } => 62,
    }
}

/// A proof of ownership comes before the wait for it, by requirement; what mail needs comes before the MX.
fn zone_rank(change: &ZoneChange) -> u8 {
    match (change.rtype, change.kind()) {
        (RecordType::Mx, "dns.ttl") => 6,
        (RecordType::Mx, _) => 64,
        (RecordType::Srv, _) => 66,
        _ => 5,
    }
}

fn change_rank(change: &crate::model::Change) -> u8 {
    use crate::model::Change as C;
    match change {
        C::DomainUpdate { .. } => 1,
        C::DomainAdd { .. } => 2,
        C::AccountRename { .. } => 10,
        C::AccountCreate { .. } => 11,
        C::AccountUpdate { .. } => 12,
        C::AccountPassword { .. } => 13,
        C::ContactAdd { .. } => 20,
        C::ContactUpdate { .. } => 21,
        C::AliasRemove { .. } => 22,
        C::AliasAdd { .. } => 23,
        C::RedirectionRemove { .. } => 24,
        C::RedirectionSet { .. } => 25,
        C::GroupRemove { .. } => 26,
        C::GroupCreate { .. } => 27,
        C::GroupUpdate { .. } => 28,
        C::GroupMemberRemove { .. } => 29,
        C::GroupMemberAdd { .. } => 30,
        C::GroupManagerRemove { .. } => 31,
        C::GroupManagerAdd { .. } => 32,
        C::DelegationRevoke { .. } => 33,
        C::DelegationGrant { .. } => 34,
        C::FooterRemove { .. } => 35,
        C::FooterSet { .. } => 36,
        C::ContactRemove { .. } => 37,
        C::AccountReset { .. } => 50,
        C::DomainRemove { .. } => 70,
    }
}
