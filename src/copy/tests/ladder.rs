//! What a target is found to be unable to do, by what it does, and how much that costs.

use std::time::Duration;

use super::{
    DATE, Ledger, World, assert_same, letter, pass, source,
    world::{Batch, Inner},
};
use crate::imap::Quirk;

/// A copy to a target of some kind. Gives what was learned, and how many appends it took.
async fn copied(f: impl FnOnce(&mut Inner)) -> (World, Vec<Quirk>, u64) {
    let (source, target, ledger) = (source(), World::new(500), Ledger::in_memory().unwrap());
    target.with(f);
    let report = pass(&source, &target, &ledger).await.unwrap();
    assert!(report.total.balances());
    if report.failed.is_empty() {
        assert_same(&source, &target);
    }
    let (learned, appends) = target.with(|w| (w.learned.iter().copied().collect(), w.appends));
    (target, learned, appends)
}

#[tokio::test(start_paused = true)]
async fn a_target_that_takes_long_for_each_message_gets_more_connections() {
    let (source, target, ledger) = (source(), World::new(500), Ledger::in_memory().unwrap());
    for folder in ["A", "B", "C"] {
        source.make(folder);
        for n in 0..9 {
            source.put(folder, &[], DATE, &letter(n));
        }
    }
    target.with(|w| (w.batch, w.slow) = (Batch::Single, Duration::from_millis(200)));
    pass(&source, &target, &ledger).await.unwrap();
    assert_same(&source, &target);
    assert!(target.with(|w| w.connections) > 1);
}

/// Windows of three messages: three in the inbox, one in the other folder.
const WINDOWS: u64 = 4;

#[tokio::test]
async fn a_target_that_takes_batches_is_given_batches() {
    let (_, learned, appends) = copied(|_| ()).await;
    assert_eq!((learned, appends), (Vec::new(), WINDOWS));
}

#[tokio::test]
async fn a_target_that_refuses_every_batch_is_known_after_the_first() {
    let (_, learned, appends) = copied(|w| w.refuses_batches = true).await;
    assert_eq!(learned, [Quirk::MultiappendUnreliable]);
    // Each of the two lanes may have sent its first before the other had learned.
    assert!(appends <= WINDOWS + 2, "{appends}");
}

#[tokio::test]
async fn a_target_that_stores_a_part_of_what_it_refuses_gets_no_more_batches() {
    for stored in 0..=3 {
        let (_, learned, _) = copied(|w| w.half_refused = Some(stored)).await;
        assert_eq!(learned, [Quirk::MultiappendUnreliable], "{stored}");
    }
}

#[tokio::test]
async fn one_message_that_is_refused_says_nothing_against_batches_and_costs_one_more_append() {
    let (target, learned, appends) = copied(|w| w.refuses = Some("body 1")).await;
    assert!(learned.is_empty(), "{learned:?}");
    // The keyword is tried without once more before a message is given up.
    assert_eq!(appends, WINDOWS + 2);
    assert_eq!(target.with(|w| w.folders["INBOX"].messages.len()), 7);
}

#[tokio::test]
async fn uids_that_are_wrong_in_one_folder_are_asked_for_in_none() {
    for batch in [Batch::Single, Batch::Multi] {
        let (_, learned, _) = copied(|w| (w.lies, w.batch) = (true, batch)).await;
        assert_eq!(learned, [Quirk::AppendUidUnreliable]);
    }
}
