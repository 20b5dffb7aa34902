//! The laws that need the executor, over random worlds and over every scenario.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

use proptest::{
    prelude::*,
    test_runner::{RngSeed, TestRunner},
};
use rehome::{
    diag::Exit,
    model::{Change, Work},
    plan::{Header, Plan, plan},
};

use super::{
    back::{self, Back},
    live::{Crash, Live},
    reach, scenario,
};
use crate::plan::{
    cases, draws,
    laws::{self, clear, refused},
    world::World,
};

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

/// Applies the plan of a world to its end, once more for each death that `deaths` chooses, and takes the first run back.
/// `None` where there is no run to take back.
pub async fn lived(world: &World, deaths: impl Fn(&[Crash]) -> Vec<Vec<Crash>>) -> Option<Back> {
    let first = world.plan();
    let live = Live::new(world);
    let summary = live.apply(&first, None).await.expect("nobody dies here");
    if refused(&first) {
        assert_eq!(summary.exit, Exit::Guard);
        assert_eq!(live.effects(), BTreeMap::new(), "a plan that is refused does nothing");
        return None;
    }
    assert_eq!(summary.exit, Exit::Ok, "{summary:#?}");
    assert_eq!(live.effects(), planned(&first), "the effects are those of the plan, each once");
    let ended = live.inventory();
    if first.is_empty() {
        return None;
    }
    let state = live.journal().state().unwrap();
    let again = plan(&world.spec, &ended, &state, Header::default());
    assert!(again.is_empty() || !clear(&first), "a second plan is not empty: {:?}", crate::plan::world::ids(&again));
    let missing = reach::missing(&world.spec, (&ended, &world.state), &again);
    assert!(missing.is_empty(), "the spec is not reached and nothing says why: {missing:#?}");
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
    Some(back::taken_back(world, &live, &first).await)
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(future)
}

/// The executor reaches the spec and does nothing else, wherever it died; and the way back leads to where it began.
#[test]
fn a_run_reaches_the_spec_wherever_it_died_and_can_be_taken_back() {
    let (runs, whole) = (AtomicU64::new(0), AtomicU64::new(0));
    let law = |(world, picks): (World, Vec<prop::sample::Index>)| {
        let choose = |points: &[Crash]| {
            if points.is_empty() { Vec::new() } else { vec![picks.iter().map(|pick| *pick.get(points)).collect()] }
        };
        scenario::shown(&world, || {
            let back = block_on(lived(&world, choose));
            runs.fetch_add(u64::from(back.is_some()), Ordering::Relaxed);
            whole.fetch_add(u64::from(back == Some(Back::Whole)), Ordering::Relaxed);
        });
        Ok(())
    };
    let all = cases(10_000);
    let worlds = u64::from(all.cases);
    std::thread::scope(|scope| {
        for part in 0..PARTS {
            let config = part_of(all.clone(), part);
            scope.spawn(|| {
                let drawn = (draws::worlds(), prop::collection::vec(any::<prop::sample::Index>(), 1..3));
                TestRunner::new(config).run(&drawn, law).unwrap();
            });
        }
    });
    let (runs, whole) = (runs.into_inner(), whole.into_inner());
    assert!(runs * 10 >= worlds * 5, "only {runs} of {worlds} worlds had a run to take back");
    assert!(whole * 10 >= runs * 3, "only {whole} of {runs} ways back led to everything that was there");
}

/// Side by side, each with worlds of its own.
const PARTS: u32 = 4;

fn part_of(mut config: ProptestConfig, part: u32) -> ProptestConfig {
    config.cases = config.cases.div_ceil(PARTS);
    if let RngSeed::Fixed(seed) = config.rng_seed {
        config.rng_seed = RngSeed::Fixed(seed + u64::from(part));
    }
    config
}

/// What is drawn is what the reader of specs would let through, and reads back as the same.
#[test]
fn every_world_that_is_drawn_is_a_valid_spec() {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) };
    let law = |world: World| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("spec.yaml"), scenario::yaml(&world)).unwrap();
        let read = scenario::read_spec(folder.path());
        assert_eq!(read.domains, world.spec.domains);
        assert_eq!(read.accounts, world.spec.accounts);
        assert_eq!(read.redirections, world.spec.redirections);
        assert_eq!(read.groups, world.spec.groups);
        assert_eq!(read.contacts, world.spec.contacts);
        Ok(())
    };
    TestRunner::new(config).run(&draws::worlds(), law).unwrap();
}

/// Each scenario is a world that has failed once, or could: here every law is asked, and the run dies everywhere.
#[test]
fn every_scenario_keeps_every_law() {
    let all = scenario::all();
    assert!(all.len() >= 5, "{}", all.len());
    for (_, world) in all {
        (0..20).for_each(|turn| laws::all_of_the_planner(&world, turn));
        for platform in ["old", "new"] {
            laws::hides_nothing(&world, platform);
        }
        block_on(lived(&world, |points| points.iter().map(|point| vec![*point]).collect()));
    }
}
