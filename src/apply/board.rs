//! Which actions may begin: requirements, chains, lanes. Pure.
//!
//! Actions of one swap that stand together are one **unit**: one worker does them one after the other. A unit may begin
//! when everything it requires and everything earlier in its chains is done, and when its **lanes** are free: each
//! platform takes one change at a time in the order of the plan, each domain one swap, and mail as much as was allowed.
//! A unit that nobody has begun may also stand at a **gate**; it then keeps nobody else from beginning.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    journal::Standing,
    model::{Action, ActionId, ApprovalGate, Domain, PlatformId, Work},
};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Lane {
    Platform(PlatformId),
    Swap(Domain),
    /// One change at a time: a refresh must not come between two halves of another.
    Zone(Domain),
    /// As many at once as the run allows.
    Mail,
}

/// The places of the actions of one unit, in order.
pub(super) type Unit = Vec<usize>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Waits(usize),
    Ready,
    Running,
    Done,
    Halted,
}

#[derive(Debug)]
pub(super) struct Board {
    units: Vec<Unit>,
    lanes: Vec<BTreeSet<Lane>>,
    phases: Vec<Phase>,
    next: Vec<BTreeSet<usize>>,
    /// Ready units by their lanes. What an earlier run left open goes first, then the order of the plan counts.
    ready: BTreeMap<BTreeSet<Lane>, BTreeSet<(bool, usize)>>,
    /// Units that an earlier run left open, or in the middle: they are ended wherever they stand.
    unsettled: Vec<bool>,
    /// By unit: the gates that are shut for it.
    gates: Vec<BTreeSet<ApprovalGate>>,
    /// Units that could begin if it were not for a gate.
    gated: BTreeSet<usize>,
    busy: BTreeSet<Lane>,
    mail: usize,
    parallel: usize,
    /// Units that begin at this place or later are not begun.
    limit: usize,
}

impl Board {
    /// Lays a plan out.
    ///
    /// # Errors
    /// When the plan is no order: an action requires what is not before it. The text names both.
    pub(super) fn new(
        actions: &[Action],
        standings: &[Standing],
        parallel: usize,
        limit: usize,
        shut: &BTreeSet<ApprovalGate>,
    ) -> Result<Self, String> {
        let places = places(actions)?;
        let units = units(actions);
        let mut unit_of = vec![0; actions.len()];
        for (u, unit) in units.iter().enumerate() {
            for &at in unit {
                if let Some(slot) = unit_of.get_mut(at) {
                    *slot = u;
                }
            }
        }
        let mut next = vec![BTreeSet::new(); units.len()];
        let mut last_of_chain: BTreeMap<&str, usize> = BTreeMap::new();
        for (action, &unit) in actions.iter().zip(&unit_of) {
            let required = action.requires.iter().filter_map(|id| places.get(id)).filter_map(|&at| unit_of.get(at));
            let earlier = last_of_chain.insert(&action.chain, unit);
            for &before in required.chain(earlier.as_ref()).filter(|&&before| before != unit) {
                if let Some(after) = next.get_mut(before) {
                    after.insert(unit);
                }
            }
        }
        let stands = |at: &usize| standings.get(*at).copied().unwrap_or_default();
        let mut board = Self {
            lanes: units.iter().map(|unit| lanes(actions, unit)).collect(),
            phases: vec![Phase::Waits(0); units.len()],
            unsettled: units.iter().map(|unit| is_begun(unit.iter().map(stands))).collect(),
            gates: units.iter().map(|unit| gates(actions, standings, unit, shut)).collect(),
            gated: BTreeSet::new(),
            ready: BTreeMap::new(),
            busy: BTreeSet::new(),
            mail: 0,
            parallel: parallel.max(1),
            limit,
            units,
            next,
        };
        let done: Vec<bool> =
            board.units.iter().map(|unit| unit.iter().all(|at| stands(at) == Standing::Done)).collect();
        board.settle_initial(&done);
        Ok(board)
    }

    fn settle_initial(&mut self, done: &[bool]) {
        let mut waits = vec![0_usize; self.units.len()];
        for (before, after) in self.next.iter().enumerate() {
            if !done.get(before).copied().unwrap_or(false) {
                for &unit in after {
                    if let Some(count) = waits.get_mut(unit) {
                        *count += 1;
                    }
                }
            }
        }
        for (unit, &count) in waits.iter().enumerate() {
            let is_done = done.get(unit).copied().unwrap_or(false);
            self.set(unit, if is_done { Phase::Done } else { Phase::Waits(count) });
            if !is_done && count == 0 {
                self.make_ready(unit);
            }
        }
    }

    fn set(&mut self, unit: usize, phase: Phase) {
        if let Some(slot) = self.phases.get_mut(unit) {
            *slot = phase;
        }
    }

    fn make_ready(&mut self, unit: usize) {
        let settled = !self.unsettled.get(unit).copied().unwrap_or(false);
        let beyond = self.units.get(unit).and_then(|members| members.first()).is_some_and(|first| *first >= self.limit);
        // What an earlier run left open is settled wherever it stands.
        if beyond && settled {
            return;
        }
        self.set(unit, Phase::Ready);
        if settled && self.gates.get(unit).is_some_and(|shut| !shut.is_empty()) {
            self.gated.insert(unit);
            return;
        }
        let lanes = self.lanes.get(unit).cloned().unwrap_or_default();
        self.ready.entry(lanes).or_default().insert((settled, unit));
    }

    /// A gate is open from now on.
    pub(super) fn open(&mut self, gate: ApprovalGate) {
        for shut in &mut self.gates {
            shut.remove(&gate);
        }
        for unit in std::mem::take(&mut self.gated) {
            self.make_ready(unit);
        }
    }

    /// The gates at which something stands that could begin otherwise; what stands at several counts at the first.
    pub(super) fn at_gates(&self) -> BTreeSet<ApprovalGate> {
        self.gated.iter().filter_map(|&unit| self.gates.get(unit)?.first().copied()).collect()
    }

    /// How many units could begin at once, as far as gates and lanes do not keep them.
    pub(super) fn could_begin(&self) -> usize {
        self.ready.values().map(BTreeSet::len).sum()
    }

    /// The next unit that may begin; it counts as begun. Call it until it gives `None`. With `only_begun`, nothing new
    /// begins: only what an earlier run left open.
    pub(super) fn begin(&mut self, only_begun: bool) -> Option<(usize, Unit)> {
        let mut heads: Vec<((bool, usize), BTreeSet<Lane>)> =
            self.ready.iter().filter_map(|(lanes, units)| Some((*units.first()?, lanes.clone()))).collect();
        heads.retain(|((settled, _), _)| !only_begun || !settled);
        heads.sort();
        // A unit that needs two lanes must not starve: what it waits for is kept for it.
        let mut kept: BTreeSet<Lane> = BTreeSet::new();
        for ((settled, unit), lanes) in heads {
            let free = |lane: &Lane| match lane {
                Lane::Mail => self.mail < self.parallel,
                lane => !self.busy.contains(lane) && !kept.contains(lane),
            };
            if !lanes.iter().all(free) {
                kept.extend(lanes);
                continue;
            }
            if let Some(units) = self.ready.get_mut(&lanes) {
                units.remove(&(settled, unit));
                if units.is_empty() {
                    self.ready.remove(&lanes);
                }
            }
            self.mail += usize::from(lanes.contains(&Lane::Mail));
            self.busy.extend(lanes.into_iter().filter(|lane| *lane != Lane::Mail));
            self.set(unit, Phase::Running);
            return Some((unit, self.units.get(unit)?.clone()));
        }
        None
    }

    fn leave_lanes(&mut self, unit: usize) {
        for lane in self.lanes.get(unit).into_iter().flatten() {
            match lane {
                Lane::Mail => self.mail = self.mail.saturating_sub(1),
                lane => {
                    self.busy.remove(lane);
                }
            }
        }
    }

    /// A unit is done; what waited for it may become ready.
    pub(super) fn done(&mut self, unit: usize) {
        self.leave_lanes(unit);
        self.set(unit, Phase::Done);
        for after in self.next.get(unit).cloned().unwrap_or_default() {
            if let Some(Phase::Waits(count)) = self.phases.get(after).copied() {
                let left = count.saturating_sub(1);
                self.set(after, Phase::Waits(left));
                if left == 0 {
                    self.make_ready(after);
                }
            }
        }
    }

    /// A unit will not be done in this run. Returns the places of the actions that wait for it and for nothing that
    /// halted before.
    pub(super) fn halt(&mut self, unit: usize) -> Vec<usize> {
        self.leave_lanes(unit);
        self.stop(unit)
    }

    /// Takes the units at a gate out of this run. Returns the places of their actions, and of those that wait for them.
    pub(super) fn halt_at(&mut self, gate: ApprovalGate) -> (Vec<usize>, Vec<usize>) {
        let here = |unit: &usize| self.gates.get(*unit).is_some_and(|shut| shut.first() == Some(&gate));
        let units: Vec<usize> = self.gated.iter().copied().filter(here).collect();
        let (mut members, mut blocked) = (Vec::new(), Vec::new());
        for unit in units {
            self.gated.remove(&unit);
            members.extend(self.units.get(unit).into_iter().flatten());
            blocked.extend(self.stop(unit));
        }
        (members, blocked)
    }

    fn stop(&mut self, unit: usize) -> Vec<usize> {
        self.set(unit, Phase::Halted);
        let mut blocked = BTreeSet::new();
        let mut stack: Vec<usize> = self.next.get(unit).into_iter().flatten().copied().collect();
        while let Some(after) = stack.pop() {
            if matches!(self.phases.get(after), Some(Phase::Waits(_))) {
                self.set(after, Phase::Halted);
                blocked.extend(self.units.get(after).into_iter().flatten().copied());
                stack.extend(self.next.get(after).into_iter().flatten());
            }
        }
        blocked.into_iter().collect()
    }

    /// Nothing more is begun: nothing is pending any more.
    pub(super) fn forget(&mut self) {
        for phase in &mut self.phases {
            if matches!(phase, Phase::Waits(_) | Phase::Ready) {
                *phase = Phase::Halted;
            }
        }
        self.ready.clear();
    }

    /// The places of the actions that were not begun and wait for nothing that halted.
    pub(super) fn pending(&self) -> Vec<usize> {
        let waiting = |(_, phase): &(&Unit, &Phase)| matches!(phase, Phase::Waits(_) | Phase::Ready | Phase::Running);
        self.units.iter().zip(&self.phases).filter(waiting).flat_map(|(unit, _)| unit).copied().collect()
    }
}

/// Whether an earlier run left a unit open, or between two of its actions.
fn is_begun(standings: impl Iterator<Item = Standing> + Clone) -> bool {
    let done = standings.clone().filter(|s| *s == Standing::Done).count();
    standings.clone().any(Standing::is_unsettled) || (done > 0 && done < standings.count())
}

/// The shut gates that hold what is left to do of a unit.
fn gates(
    actions: &[Action],
    standings: &[Standing],
    unit: &[usize],
    shut: &BTreeSet<ApprovalGate>,
) -> BTreeSet<ApprovalGate> {
    let left = |at: &&usize| standings.get(**at).copied().unwrap_or_default() != Standing::Done;
    let left: Vec<&Action> = unit.iter().filter(left).filter_map(|&at| actions.get(at)).collect();
    shut.iter().copied().filter(|gate| left.iter().any(|action| gate.holds(action))).collect()
}

fn places(actions: &[Action]) -> Result<BTreeMap<&ActionId, usize>, String> {
    let mut places = BTreeMap::new();
    for (at, action) in actions.iter().enumerate() {
        if let Some(missing) = action.requires.iter().find(|id| !places.contains_key(id)) {
            return Err(format!("{} requires {missing}, which is not before it in the plan", action.id));
        }
        if places.insert(&action.id, at).is_some() {
            return Err(format!("{} is in the plan twice", action.id));
        }
    }
    Ok(places)
}

/// Neighbours of the same swap stand together; everything else stands alone.
fn units(actions: &[Action]) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    let mut swap = None;
    for (at, action) in actions.iter().enumerate() {
        match units.last_mut() {
            Some(unit) if action.swap.is_some() && action.swap.as_ref() == swap => unit.push(at),
            _ => units.push(vec![at]),
        }
        swap = action.swap.as_ref();
    }
    units
}

fn lanes(actions: &[Action], unit: &[usize]) -> BTreeSet<Lane> {
    let members = unit.iter().filter_map(|&at| actions.get(at));
    members
        .flat_map(|action| {
            let work = match &action.work {
                Work::Platform { platform, .. } => Some(Lane::Platform(platform.clone())),
                Work::Copy(_) | Work::VerifyMail(_) | Work::VerifyDns { .. } => Some(Lane::Mail),
                Work::Zone(change) => Some(Lane::Zone(change.domain.clone())),
                Work::DomainReady { .. } | Work::Cutover(_) => None,
            };
            let swap = action.swap.as_ref().map(|address| Lane::Swap(address.domain().clone()));
            work.into_iter().chain(swap)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{ActionIds, Address, Change, Phase as Stage, Text, Undo};

    fn address(text: String) -> Address {
        Address::parse(&text).unwrap()
    }

    /// A plan of single actions and pairs over a few platforms, chains and requirements that all point back.
    fn plan() -> impl Strategy<Value = Vec<Action>> {
        let step = (0..3_usize, 0..4_usize, prop::collection::vec(any::<prop::sample::Index>(), 0..3), any::<bool>());
        prop::collection::vec(step, 1..24).prop_map(|steps| {
            let mut plan: Vec<Action> = Vec::new();
            for (n, (platform, chain, needs, pair)) in steps.into_iter().enumerate() {
                let swap = pair.then(|| address(format!("s{n}@x{chain}.org")));
                for half in 0..=usize::from(pair) {
                    let domain = address(format!("a@d{n}-{half}.org")).domain().clone();
                    let requires = needs.iter().filter(|_| !plan.is_empty()).map(|i| i.get(&plan).id.clone()).collect();
                    plan.push(Action {
                        id: ActionId::from(format!("a{n}.{half}")),
                        phase: Stage::Account,
                        chain: format!("c{chain}").into(),
                        work: Work::Platform {
                            platform: PlatformId::from(format!("p{}", (platform + half) % 3)),
                            change: Change::DomainRemove { domain },
                        },
                        reason: Text::default(),
                        requires,
                        preconditions: Vec::new(),
                        undo: Undo::Nothing,
                        guard: None,
                        swap: swap.clone(),
                    });
                }
            }
            plan
        })
    }

    proptest! {
        /// However units end, and in whatever order: what begins has everything done that it needs, no lane holds two,
        /// and in the end every action was begun, halted, or waits for one that halted.
        #[test]
        fn nothing_begins_too_early_and_nothing_is_forgotten(
            plan in plan(),
            choices in prop::collection::vec((any::<prop::sample::Index>(), 0..5_u8), 64),
        ) {
            let standings = vec![Standing::Fresh; plan.len()];
            let mut board = Board::new(&plan, &standings, 2, usize::MAX, &BTreeSet::new()).unwrap();
            let (mut running, mut done) = (Vec::<(usize, Unit)>::new(), BTreeSet::<usize>::new());
            let (mut halted, mut blocked) = (BTreeSet::<usize>::new(), BTreeSet::<usize>::new());
            for (pick, fate) in choices.iter().cycle().take(200) {
                while let Some((unit, members)) = board.begin(false) {
                    for &at in &members {
                        let earlier = |b: &usize| plan[*b].chain == plan[at].chain || plan[at].requires.contains(&plan[*b].id);
                        for before in (0..at).filter(|b| !members.contains(b)).filter(earlier) {
                            prop_assert!(done.contains(&before), "{} began before {}", plan[at].id, plan[before].id);
                        }
                    }
                    let mine = lanes(&plan, &members);
                    prop_assert!(running.iter().all(|(_, other)| lanes(&plan, other).is_disjoint(&mine)));
                    running.push((unit, members));
                }
                if running.is_empty() {
                    break;
                }
                let (unit, members) = running.swap_remove(pick.index(running.len()));
                if *fate == 0 {
                    halted.extend(&members);
                    for at in board.halt(unit) {
                        prop_assert!(blocked.insert(at), "{} was blocked twice", plan[at].id);
                    }
                } else {
                    done.extend(&members);
                    board.done(unit);
                }
            }
            prop_assert!(board.pending().is_empty());
            prop_assert_eq!(done.len() + halted.len() + blocked.len(), plan.len());
        }
    }

    #[test]
    fn what_an_earlier_run_left_open_comes_first() {
        let single = |n: usize| Action {
            id: ActionId::from(format!("a{n}")),
            phase: Stage::Account,
            chain: format!("c{n}").into(),
            work: Work::Platform {
                platform: PlatformId::from("p"),
                change: Change::DomainRemove { domain: address("a@x.org".to_owned()).domain().clone() },
            },
            reason: Text::default(),
            requires: ActionIds::default(),
            preconditions: Vec::new(),
            undo: Undo::Nothing,
            guard: None,
            swap: None,
        };
        let plan: Vec<Action> = (0..4).map(single).collect();
        let standings = [Standing::Done, Standing::Fresh, Standing::Failed, Standing::Ambiguous];
        let mut board = Board::new(&plan, &standings, 1, usize::MAX, &BTreeSet::new()).unwrap();
        let mut order = Vec::new();
        while let Some((unit, members)) = board.begin(false) {
            order.extend(members);
            board.done(unit);
        }
        assert_eq!(order, [3, 1, 2]);
    }
}
