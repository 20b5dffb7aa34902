//! The laws that need the executor, over random worlds and over every scenario.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rehome::{
    diag::Exit,
    model::{Change, GuardOutcome, Inventory, NoteKind, PlatformKind, RunId, Undo, Work},
    plan::{Header, Plan, plan, rollback},
};

use super::{
    live::{Crash, Live},
    scenario,
};
use crate::plan::{laws, model, world::World};

/// The changes of a plan, each as often as it is planned, but for passwords.
fn planned(plan: &Plan) -> BTreeMap<String, u32> {
    let mut out = BTreeMap::new();
    for action in &plan.body.actions {
        if let Work::Platform { platform, change } = &action.work
            && !matches!(change, Change::AccountPassword { .. })
        {
            *out.entry(format!("{}:{platform}/{}", change.kind(), change.subject())).or_default() += 1;
        }
    }
    out
}

fn refused(plan: &Plan) -> bool {
    plan.body.actions.iter().any(|a| a.guard.as_ref().is_some_and(|g| g.outcome == GuardOutcome::Deny))
}

/// Whether nothing of the spec was left out of a plan.
fn clear(plan: &Plan) -> bool {
    let blocked = |kind| matches!(kind, NoteKind::Blocked | NoteKind::Ambiguous);
    !plan.body.notes.iter().any(|n| blocked(n.kind) || n.code == "waits-for-blocked")
}

/// Applies the plan of a world to its end, and once more for each death that `deaths` chooses.
pub async fn killed_and_resumed(world: &World, deaths: impl Fn(&[Crash]) -> Vec<Vec<Crash>>) {
    let first = world.plan();
    let live = Live::new(world);
    let summary = live.apply(&first, None).await.expect("nobody dies here");
    if refused(&first) {
        assert_eq!(summary.exit, Exit::Guard);
        assert_eq!(live.effects(), BTreeMap::new(), "a plan that is refused does nothing");
        return;
    }
    assert_eq!(summary.exit, Exit::Ok, "{summary:#?}");
    assert_eq!(live.effects(), planned(&first), "the effects are those of the plan, each once");
    let ended = live.inventory();
    if !first.is_empty() && clear(&first) {
        let state = live.journal().state().unwrap();
        let again = plan(&world.spec, &ended, &state, Header::default());
        assert!(again.is_empty(), "a second plan is not empty: {:?}", crate::plan::world::ids(&again));
    }
    for crashes in deaths(&live.points()) {
        let live = Live::new(world);
        for &crash in &crashes {
            if let Some(summary) = live.apply(&first, Some(crash)).await {
                assert_eq!(summary.exit, Exit::Ok, "{crashes:?} {summary:#?}");
                break;
            }
        }
        let summary = live.apply(&first, None).await.expect("nobody dies here");
        assert_eq!(summary.exit, Exit::Ok, "{crashes:?}: {summary:#?}");
        assert_eq!(live.inventory(), ended, "{crashes:?}: another world");
        assert_eq!(live.effects(), planned(&first), "{crashes:?}: an effect was lost or repeated");
    }
}

/// What a way back must bring back: who has which address, and what it redirects, groups and grants.
fn owned(inventory: &Inventory) -> Vec<String> {
    let mut out = Vec::new();
    for (platform, view) in inventory.platforms.iter().filter(|(_, v)| v.kind != PlatformKind::Imap) {
        // A mailbox that took over an address is moved aside and kept, because mail came in since.
        let kept = view.accounts.iter().filter(|(address, _)| !address.local().contains("-move"));
        for (address, account) in kept {
            out.push(format!("{platform} {address} {:?} {:?}", account.aliases, account.delegations));
        }
        out.extend(view.redirections.iter().map(|(from, r)| format!("{platform} {from} to {:?}", r.to)));
        out.extend(view.groups.iter().map(|(g, group)| format!("{platform} {g} {:?}", group.members)));
    }
    out
}

/// Applies the plan of a world and the way back of that run.
pub fn taken_back(world: &World) {
    let first = world.plan();
    let whole = |undo: &Undo| matches!(undo, Undo::Nothing | Undo::Change { .. });
    let takes_over = |change: &Change| matches!(change, Change::AccountUpdate { .. } | Change::DomainUpdate { .. });
    let undoable = first.body.actions.iter().all(|action| {
        let other = matches!(&action.work, Work::Platform { change, .. } if takes_over(change));
        let created = matches!(&action.work, Work::Platform { change: Change::AccountCreate { .. }, .. });
        (whole(&action.undo) || created) && !other
    });
    if first.is_empty() || refused(&first) || !undoable {
        return;
    }
    let mut done = world.clone();
    model::apply(&mut done);
    let run = (&RunId("run-000001".to_owned()), first.body.actions.as_slice());
    let back = rollback(&done.spec, &done.inventory, &done.state, Header::default(), run);
    if back.body.notes.iter().any(|n| n.code == "undo-by-hand" || n.kind == NoteKind::Blocked) {
        return;
    }
    for action in &back.body.actions {
        model::perform(&mut done, action);
    }
    assert_eq!(owned(&done.inventory), owned(&world.inventory), "the way back leads elsewhere");
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn a_run_reaches_the_spec_wherever_it_died_and_does_nothing_else(
        world in laws::worlds(),
        picks in prop::collection::vec(any::<prop::sample::Index>(), 1..3),
    ) {
        let choose = |points: &[Crash]| {
            if points.is_empty() { Vec::new() } else { vec![picks.iter().map(|pick| *pick.get(points)).collect()] }
        };
        scenario::shown(&world, || block_on(killed_and_resumed(&world, choose)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_way_back_of_a_run_restores_who_has_what(world in laws::worlds()) {
        scenario::shown(&world, || taken_back(&world));
    }
}

/// Each scenario is a world that has failed once, or could: here every law is asked, and the run dies everywhere.
#[test]
fn every_scenario_keeps_every_law() {
    let all = scenario::all();
    assert!(all.len() >= 5, "{}", all.len());
    for (_, world) in all {
        laws::keeps(&world);
        laws::keeps_its_bytes(&world, 3);
        laws::ends_in_nothing(world.clone());
        for platform in ["old", "new"] {
            laws::hides_nothing(&world, platform);
        }
        taken_back(&world);
        block_on(killed_and_resumed(&world, |points| points.iter().map(|point| vec![*point]).collect()));
    }
}
