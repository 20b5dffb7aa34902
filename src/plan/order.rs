//! Order: requirements to a stable topological order in which what belongs together stands together.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap},
};

use crate::{
    hands::{self, MANY},
    index::{Index, Met},
    model::{Action, ActionId, Address, CutoverStep, Phase, RecordType, Work, ZoneChange},
};

/// Sorts the actions so that each comes after what it requires, swaps stand together, and phases do not go back: an
/// action that waits for a later phase moves into it.
///
/// # Errors
/// The actions of a circle of requirements, when there is one; the list is then unchanged.
pub(super) fn sort(actions: &mut [Action]) -> Result<(), BTreeSet<ActionId>> {
    let all: &[Action] = actions;
    let (needs, (swaps, subjects)) =
        hands::both(all.len() >= MANY, || needs(all), || (units(all, true), subjects(all)));
    let order = match arrange(actions, &needs, &swaps, &subjects) {
        Ok(order) => order,
        // Swaps that wait for each other cannot each stand together; single actions still can be ordered.
        Err(_) => arrange(actions, &needs, &units(actions, false), &subjects)?,
    };
    for &(at, phase) in &order {
        actions[at].phase = phase;
    }
    permute(actions, order.into_iter().map(|(at, _)| at).collect());
    Ok(())
}

/// Puts the item at `from[n]` to place `n`, without a second list: the actions of a large plan are most of its memory.
fn permute(actions: &mut [Action], mut from: Vec<usize>) {
    for first in 0..from.len() {
        let mut at = first;
        while from[at] != first {
            let next = from[at];
            actions.swap(at, next);
            from[at] = at;
            at = next;
        }
        from[at] = at;
    }
}

/// Lists by number, one behind the other.
struct Lists {
    starts: Vec<usize>,
    all: Vec<usize>,
}

impl Lists {
    /// From pairs of a list's number (below `n`) and an item.
    fn of(n: usize, pairs: &[(usize, usize)]) -> Self {
        let mut starts = vec![0; n + 1];
        for (list, _) in pairs {
            starts[list + 1] += 1;
        }
        for list in 0..n {
            starts[list + 1] += starts[list];
        }
        let mut ends = starts.clone();
        let mut all = vec![0; pairs.len()];
        for &(list, item) in pairs {
            all[ends[list]] = item;
            ends[list] += 1;
        }
        Self { starts, all }
    }

    fn get(&self, list: usize) -> &[usize] {
        &self.all[self.starts[list]..self.starts[list + 1]]
    }
}

/// By action: those that it requires, as far as the plan has them.
fn needs(actions: &[Action]) -> Lists {
    let by_id: Index<&ActionId, usize> = actions.iter().enumerate().map(|(at, action)| (&action.id, at)).collect();
    let mut pairs = Vec::new();
    for (at, action) in actions.iter().enumerate() {
        pairs.extend(action.requires.iter().filter_map(|id| by_id.get(id)).map(|before| (at, *before)));
    }
    Lists::of(actions.len(), &pairs)
}

/// Which unit each action belongs to: its swap, or itself.
fn units(actions: &[Action], grouped: bool) -> Vec<usize> {
    let mut swaps: Index<&Address, usize> = Index::default();
    let mut unit = |at, swap| if grouped { *swaps.entry(swap).or_insert(at) } else { at };
    actions.iter().enumerate().map(|(at, action)| action.swap.as_ref().map_or(at, |swap| unit(at, swap))).collect()
}

/// The units and what each waits for.
struct Graph {
    /// By unit: how many required units are not placed yet.
    waits: Vec<usize>,
    next: Lists,
    members: Lists,
}

fn graph(needs: &Lists, unit: &[usize]) -> Graph {
    let n = unit.len();
    let members: Vec<(usize, usize)> = unit.iter().enumerate().map(|(at, u)| (*u, at)).collect();
    let mut edges = Vec::new();
    for at in 0..n {
        edges.extend(needs.get(at).iter().map(|before| (unit[*before], unit[at])).filter(|(b, a)| b != a));
    }
    // One that is there twice is waited for twice and comes twice.
    let mut waits = vec![0; n];
    for (_, after) in &edges {
        waits[*after] += 1;
    }
    Graph { waits, next: Lists::of(n, &edges), members: Lists::of(n, &members) }
}

type Order = Vec<(usize, Phase)>;

fn arrange(actions: &[Action], needs: &Lists, unit: &[usize], subjects: &[usize]) -> Result<Order, BTreeSet<ActionId>> {
    let graph = graph(needs, unit);
    let phases = phases(actions, &graph)?;
    let places = places(actions, unit, &phases, subjects);
    let mut waits = graph.waits.clone();
    let place = |u: usize| graph.members.get(u).iter().map(|&m| places[m]).min().map(|p| Reverse((p, u)));
    let mut ready: BinaryHeap<_> = (0..actions.len()).filter(|&u| waits[u] == 0).filter_map(place).collect();
    let mut out = Vec::with_capacity(actions.len());
    while let Some(Reverse((_, u))) = ready.pop() {
        inside(needs, graph.members.get(u), &places, |member| out.push((member, phases[u])));
        for &after in graph.next.get(u) {
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
    let own = |u: usize| graph.members.get(u).iter().map(|&m| actions[m].phase).max().unwrap_or(Phase::Domain);
    let mut phases: Vec<Phase> = (0..actions.len()).map(own).collect();
    let mut waits = graph.waits.clone();
    let mut ready: Vec<usize> = (0..actions.len()).filter(|&u| waits[u] == 0).collect();
    let mut seen = 0;
    while let Some(u) = ready.pop() {
        seen += 1;
        for &after in graph.next.get(u) {
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
    let stuck = (0..actions.len()).filter(|&u| waits[u] > 0).flat_map(|u| graph.members.get(u));
    Err(stuck.filter_map(|&m| actions.get(m)).map(|a| a.id.clone()).collect())
}

/// The order inside a unit: by requirement, then by place. Units are small.
fn inside(needs: &Lists, members: &[usize], places: &[usize], mut put: impl FnMut(usize)) {
    if let [only] = members {
        return put(*only);
    }
    let mut left: Vec<usize> = members.to_vec();
    left.sort_by_key(|&m| places[m]);
    while !left.is_empty() {
        let free = |&m: &usize| needs.get(m).iter().all(|before| !left.contains(before));
        let at = left.iter().position(free).unwrap_or(0);
        put(left.remove(at));
    }
}

/// By action: its number in the order that would be, if nothing required anything.
///
/// Where requirements leave a choice, what counts is the phase; in the phases where an account's actions stand together
/// its domain and address; the kind of work; domain and address; the name.
fn places(actions: &[Action], unit: &[usize], phases: &[Phase], subjects: &[usize]) -> Vec<usize> {
    // One number to compare instead of four: from the left the phase, the subject where it counts before the kind of work,
    // that kind, and the subject.
    let key = |(at, action): (usize, &Action)| {
        let (phase, subject) = (phases[unit[at]], subjects[at] as u128);
        let together = matches!(phase, Phase::Account | Phase::Cutover);
        let first = if together { subject + 1 } else { 0 };
        let key = (phase as u128) << 88 | first << 48 | u128::from(rank(&action.work)) << 40 | subject;
        (key, at)
    };
    let mut order: Vec<_> = actions.iter().enumerate().map(key).collect();
    order.sort_unstable_by(|(a, x), (b, y)| a.cmp(b).then_with(|| actions[*x].id.cmp(&actions[*y].id)));
    let mut out = vec![0; actions.len()];
    for (number, (_, at)) in order.into_iter().enumerate() {
        out[at] = number;
    }
    out
}

/// By action: the number of its domain and address in their order.
fn subjects(actions: &[Action]) -> Vec<usize> {
    // Many actions have the same, and each is compared once.
    let mut met: Met<(&str, &str)> = Met::default();
    let mut out: Vec<usize> = actions.iter().map(|action| met.insert_full(subject(action)).0).collect();
    let mut order: Vec<usize> = (0..met.len()).collect();
    order.sort_unstable_by_key(|&at| met[at]);
    let mut numbers = vec![0; met.len()];
    for (number, at) in order.into_iter().enumerate() {
        numbers[at] = number;
    }
    out.iter_mut().for_each(|at| *at = numbers[*at]);
    out
}

fn subject(action: &Action) -> (&str, &str) {
    match &action.swap {
        Some(address) => (address.domain().as_str(), address.folded()),
        None => split(&action.chain),
    }
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
            CutoverStep::Probe | CutoverStep::Converge => 65,
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
