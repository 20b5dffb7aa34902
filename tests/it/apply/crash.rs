//! Law 3: kill at any journal write or remote call, resume: same final world, no repeated effect.

use std::{collections::BTreeMap, sync::atomic::Ordering};

use proptest::prelude::*;
use rehome::{
    apply::RunSummary,
    diag::Exit,
    journal::FaultPoint,
    model::PlanOutcome,
    provider::ErrorClass,
};

use super::{
    desk::{Crash, Desk, full_plan, swap, world},
    world::{Facts, Fault, World, addr},
};

/// What may happen twice without anybody noticing: the same password set again on an adopted account.
fn once_only(world: &World) -> BTreeMap<String, u32> {
    world.effects().into_iter().filter(|(effect, _)| !effect.starts_with("account.password")).collect()
}

struct Clean {
    facts: Facts,
    effects: BTreeMap<String, u32>,
    points: Vec<Crash>,
}

/// One run without any crash, and every point at which it could have had one.
async fn clean(make: impl Fn() -> Desk, exit: Exit) -> Clean {
    let desk = make();
    let summary = desk.attempt(Desk::options(), None).await.unwrap();
    assert_eq!(summary.exit, exit, "{summary:#?}");
    let writes = desk.writes.load(Ordering::SeqCst);
    let journal = (0..writes).flat_map(|write| [false, true].map(|after| Crash::Journal(FaultPoint { write, after })));
    let calls = (0..desk.world.calls()).flat_map(|call| [false, true].map(|after| Crash::Call { call, after }));
    Clean { facts: desk.world.facts(), effects: once_only(&desk.world), points: journal.chain(calls).collect() }
}

fn full() -> Desk {
    Desk::new(world(), full_plan())
}

/// Dies at each point in turn, then runs to the end.
async fn survive(desk: &Desk, crashes: &[Crash]) -> RunSummary {
    for (n, &crash) in crashes.iter().enumerate() {
        if let Some(summary) = desk.attempt(Desk::options(), Some(crash)).await {
            assert!(n > 0, "{crash:?} was never reached");
            return summary;
        }
    }
    desk.apply().await
}

#[tokio::test]
async fn a_crash_anywhere_repeats_no_effect_and_loses_none() {
    let clean = clean(full, Exit::Ok).await;
    assert!(clean.points.len() > 100, "{}", clean.points.len());
    assert!(clean.effects.values().all(|n| *n == 1), "{:?}", clean.effects);
    for &crash in &clean.points {
        let desk = full();
        let summary = survive(&desk, &[crash]).await;
        assert_eq!(summary.exit, Exit::Ok, "{crash:?}: {summary:#?}");
        assert_eq!(desk.world.facts(), clean.facts, "{crash:?}");
        assert_eq!(once_only(&desk.world), clean.effects, "{crash:?}");
        let journal = desk.journal();
        assert_eq!(journal.state().unwrap().plans[&desk.plan.id], PlanOutcome::Done, "{crash:?}");
        drop(journal);
        let again = desk.apply().await;
        assert!(again.already_applied && again.exit == Exit::Ok, "{crash:?}");
        assert_eq!(once_only(&desk.world), clean.effects, "{crash:?}");
    }
}

fn failing_swap() -> Desk {
    let world = world();
    world.fault("account.create ada@x.org", std::iter::repeat_n(Fault::Refuse(ErrorClass::Refused), 50));
    let plan = ["ada@x.org", "bob@x.org"].into_iter().flat_map(swap).collect();
    Desk::new(world, plan)
}

#[tokio::test]
async fn a_crash_anywhere_around_a_failing_swap_leaves_the_address_with_its_owner() {
    let clean = clean(failing_swap, Exit::Partial).await;
    for &crash in &clean.points {
        let desk = failing_swap();
        let summary = survive(&desk, &[crash]).await;
        assert_eq!(summary.exit, Exit::Partial, "{crash:?}: {summary:#?}");
        let facts = desk.world.facts();
        assert_eq!(facts.accounts, clean.facts.accounts, "{crash:?}");
        assert!(facts.accounts.contains_key(&("old".to_owned(), addr("ada@x.org"))), "{crash:?}");
        // Each way there is paired with a way back, and bob's swap happened once.
        let effects = desk.world.effects();
        let count = |effect: &str| effects.get(effect).copied().unwrap_or(0);
        assert_eq!(count("account.rename ada@x.org"), count("account.rename ada01@x.org"), "{crash:?}");
        assert_eq!((count("account.rename bob@x.org"), count("account.create bob@x.org")), (1, 1), "{crash:?}");

        desk.world.heal();
        let healed = desk.apply().await;
        assert_eq!(healed.exit, Exit::Ok, "{crash:?}: {healed:#?}");
    }
}

/// Answers that get lost are crashes of the network: the same matrix, with one of them in each run.
#[tokio::test]
async fn a_crash_after_a_lost_answer_is_survived_too() {
    for fault in [Fault::DoneButLost, Fault::LostBefore] {
        let make = || {
            let world = world();
            world.fault("account.create ada@x.org", [fault]);
            Desk::new(world, ["ada@x.org", "bob@x.org"].into_iter().flat_map(swap).collect())
        };
        let clean = clean(make, Exit::Ok).await;
        for &crash in &clean.points {
            let desk = make();
            let summary = survive(&desk, &[crash]).await;
            assert_eq!(summary.exit, Exit::Ok, "{fault:?} {crash:?}: {summary:#?}");
            assert_eq!(desk.world.facts(), clean.facts, "{fault:?} {crash:?}");
            assert_eq!(once_only(&desk.world), clean.effects, "{fault:?} {crash:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// The second and third crash may come anywhere in the recovery from the one before.
    #[test]
    fn crashes_during_recovery_are_survived(picks in prop::collection::vec(any::<prop::sample::Index>(), 2..4)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let clean = clean(full, Exit::Ok).await;
            let crashes: Vec<Crash> = picks.iter().map(|pick| *pick.get(&clean.points)).collect();
            let desk = full();
            let summary = survive(&desk, &crashes).await;
            assert_eq!(summary.exit, Exit::Ok, "{crashes:?}: {summary:#?}");
            assert_eq!(desk.world.facts(), clean.facts, "{crashes:?}");
            assert_eq!(once_only(&desk.world), clean.effects, "{crashes:?}");
        });
    }
}
