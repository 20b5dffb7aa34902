//! The test message of a move, and the move taken back: whatever dies when.

use std::sync::atomic::Ordering;

use rehome::{
    diag::Exit,
    journal::{CutoverWord, FaultPoint},
};

use super::moves::{Stage, domain, mx};

/// When the old MX is forgotten, and when the message is overdue.
const FORGOTTEN: i64 = 3_600;
const OVERDUE: i64 = FORGOTTEN + 900;

fn old() -> Option<rehome::model::RecordSet> {
    mx("10 old.example", 300)
}

fn new() -> Option<rehome::model::RecordSet> {
    mx("10 new.example", 300)
}

/// Each moment at which a journal can die: before or after its n-th write, from 1.
fn moments() -> impl Iterator<Item = (u64, bool)> {
    (1..=14).flat_map(|n| [(n, false), (n, true)])
}

fn at((n, after): (u64, bool)) -> impl Fn(FaultPoint) -> bool + Send + 'static {
    move |point| point.write + 1 == n && point.after == after
}

fn messages(stage: &Stage) -> usize {
    stage.names.post.sent.lock().unwrap().len()
}

#[tokio::test]
async fn a_message_that_arrives_is_sent_once_whenever_the_run_dies() {
    for moment in moments() {
        let stage = Stage::with_probe();
        stage.names.post.delivers.store(true, Ordering::SeqCst);
        Stage::waits(&stage.run().await, "not before");
        stage.at(FORGOTTEN).run_until(at(moment)).await;
        let ended = stage.run().await;
        assert!(messages(&stage) <= 1, "{moment:?}");
        assert_eq!(stage.served(), new(), "{moment:?}");
        if messages(&stage) == 1 {
            Stage::waits(&ended, "resolvers by");
            continue;
        }
        // It died between the intent and the message: nothing is sent, and a person is asked in the end.
        Stage::waits(&ended, "has not arrived");
        assert_eq!(stage.at(OVERDUE).run().await.exit, Exit::Decide, "{moment:?}");
        assert_eq!(stage.served(), new(), "{moment:?}");
    }
}

#[tokio::test]
async fn a_move_whose_message_is_lost_is_taken_back_once_whenever_the_run_dies() {
    for moment in moments() {
        let stage = Stage::with_probe();
        Stage::waits(&stage.run().await, "not before");
        Stage::waits(&stage.at(FORGOTTEN).run().await, "has not arrived");
        stage.at(OVERDUE).run_until(at(moment)).await;
        let after = stage.run().await;
        assert!(matches!(after.exit, Exit::Partial | Exit::Waiting), "{moment:?}: {after:?}");
        assert_eq!(stage.served(), old(), "{moment:?}");
        Stage::waits(&stage.run().await, "the failed test holds the move");
        assert_eq!(stage.written(), ["dns.ttl", "dns.set", "dns.set"], "{moment:?}");
        assert_eq!(messages(&stage), 1, "{moment:?}");
    }
}

#[tokio::test]
async fn a_move_that_was_taken_back_is_made_again_when_somebody_says_so() {
    let stage = Stage::with_probe();
    stage.run().await;
    stage.at(FORGOTTEN).run().await;
    let failed = stage.at(OVERDUE).run().await;
    assert_eq!(failed.exit, Exit::Partial, "{failed:?}");
    assert!(failed.failed[0].errors[0].contains("the MX of x.org was moved back"), "{failed:?}");
    assert_eq!(failed.undone.len(), 1);
    let said = stage.journal();
    let run = said.latest_run().unwrap().unwrap().id;
    assert_eq!(said.said(&run, &domain()).unwrap().unwrap().word, CutoverWord::Hold);
    drop(said);
    stage.names.post.delivers.store(true, Ordering::SeqCst);
    stage.say(CutoverWord::Approve);
    Stage::waits(&stage.run().await, "resolvers by");
    assert_eq!((stage.served(), messages(&stage)), (new(), 2));
    assert_eq!(stage.at(OVERDUE + 300).run().await.exit, Exit::Ok);
}
