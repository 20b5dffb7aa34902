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

/// A pause that a server asks for is longer than either side keeps a silent connection.
async fn put_off(command: &'static str, at_target: bool) {
    let (source, target) = (filled(30), World::new(7));
    let asks = if at_target { &target } else { &source };
    asks.with(|w| w.puts_off.insert(command, 9 * MINUTE));
    for side in [&source, &target] {
        side.with(|w| w.idles = Some(5 * MINUTE));
    }
    let way = Arc::new(Way::new(Arc::new(source.clone()), Arc::new(target.clone()), MailLimits::default()));
    let begun = tokio::time::Instant::now();
    let report = way.pass().await.unwrap();
    assert!(report.total.balances() && report.failed.is_empty(), "{report:?}");
    assert!(begun.elapsed() >= 9 * MINUTE, "the pause was kept");
    assert_eq!(source.mail(), target.mail());
    for side in [&source, &target] {
        assert!(side.with(|w| w.noops) >= 2, "{command} put off, at the target: {at_target}: no sign of life");
        assert!(side.with(|w| w.connections) <= 2, "one for each lane, and none again");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_a_server_asks_for_costs_no_connection_on_either_side() {
    for command in ["LIST", "FETCH"] {
        put_off(command, false).await;
    }
    for command in ["LIST", "APPEND"] {
        put_off(command, true).await;
    }
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
