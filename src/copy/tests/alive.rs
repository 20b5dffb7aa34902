//! Connections that have nothing to do for long are still there when they are needed, by a paused clock.

use std::{sync::Arc, time::Duration};

use super::{
    World,
    patience::{Way, filled},
};
use crate::{
    copy::alive::{SILENCE, meanwhile},
    copy::store::Store as _,
    model::MailLimits,
};

const MINUTE: Duration = Duration::from_secs(60);

/// Copies; neither side keeps a connection that is silent for ten minutes.
async fn copied(source: &World, target: &World, limits: MailLimits) {
    for side in [source, target] {
        side.with(|w| w.idles = Some(10 * MINUTE));
    }
    let way = Arc::new(Way::new(Arc::new(source.clone()), Arc::new(target.clone()), limits));
    let report = way.pass().await.unwrap();
    assert!(report.total.balances() && report.failed.is_empty(), "{report:?}");
    assert_eq!(source.mail(), target.mail());
}

#[tokio::test(start_paused = true)]
async fn a_source_that_waits_for_a_slow_target_is_kept() {
    let (source, target) = (filled(60), World::new(7));
    target.with(|w| w.slow = 25 * MINUTE);
    copied(&source, &target, MailLimits::default()).await;
    assert!(source.with(|w| w.connections) <= 2, "one for each lane, and none again");
    assert!(source.with(|w| w.noops) > 20);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_waits_for_its_allowance_is_kept() {
    let (source, target) = (filled(30), World::new(7));
    // A window of three takes a quarter of an hour.
    let limits = MailLimits { bytes_per_second: Some(1), ..MailLimits::default() };
    copied(&source, &target, limits).await;
    assert!(source.with(|w| w.connections) <= 2 && target.with(|w| w.connections) <= 2);
    assert!(source.with(|w| w.noops) > 0 && target.with(|w| w.noops) > 0);
}

#[tokio::test(start_paused = true)]
async fn a_copy_without_pauses_sends_no_noop() {
    let (source, target) = (filled(60), World::new(7));
    copied(&source, &target, MailLimits::default()).await;
    assert_eq!((source.with(|w| w.noops), target.with(|w| w.noops)), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_lost_while_it_waits_costs_nothing_of_what_was_waited_for() {
    let world = World::new(1);
    let mut look = world.look().await.unwrap();
    world.with(|w| w.dead = true);
    let wait = async {
        tokio::time::sleep(3 * SILENCE).await;
        7
    };
    let (out, kept) = meanwhile(look.as_mut(), wait).await;
    assert!(out == 7 && kept.is_err());
}
