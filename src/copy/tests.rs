//! The engine against stores in memory that fail in every way.

mod choice;
mod failures;
mod ladder;
mod patience;
mod random;
mod world;

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use world::{Batch, Landing, Message, World};

use super::{
    CopyError, CopyErrorClass,
    engine::{self, Job},
    link::Tuning,
    window::WindowSize,
};
use crate::{
    journal::ledger::{Fault, Ledger, LedgerError},
    model::{Address, CopyReport, MailFilter, NoEvents, PlatformId},
};

const DATE: &str = " 5-Jan-1971 03:04:05 +0530";

async fn pass_with(
    source: &World,
    target: &World,
    ledger: &Ledger,
    filter: &MailFilter,
    cancel: CancellationToken,
) -> Result<CopyReport, CopyError> {
    let account = Address::parse("john@example.org").unwrap();
    let pause = Duration::from_micros(10);
    let window = WindowSize { messages: 3, octets: 2000 };
    engine::run(Job {
        account: &account,
        source: std::sync::Arc::new(source.clone()),
        target: std::sync::Arc::new(target.clone()),
        source_id: (PlatformId::from("old"), account.clone()),
        filter,
        ledger,
        events: &NoEvents,
        cancel,
        resources: super::Resources::default(),
        tuning: Tuning { settle: pause, attempts: 3, first_pause: pause, window, lanes: 2 },
        pace: std::sync::Arc::default(),
    })
    .await
}

async fn pass(source: &World, target: &World, ledger: &Ledger) -> Result<CopyReport, CopyError> {
    pass_with(source, target, ledger, &MailFilter::default(), CancellationToken::new()).await
}

fn letter(n: u32) -> String {
    format!("Message-ID: <{n}@x>\r\nSubject: letter {n}\r\nDate: today\r\n\r\nbody {n}\r\n")
}

/// A source with everything that can be odd.
fn source() -> World {
    let world = World::new(100);
    for n in 1..=5 {
        world.put("INBOX", &["\\Seen", "$Forwarded"], DATE, &letter(n));
    }
    world.put("INBOX", &[], DATE, &letter(2));
    world.put("INBOX", &["\\Deleted"], DATE, &letter(2));
    world.put("INBOX", &[], DATE, "no header and no end");
    world.make("Empty");
    world.make("Projekte/Zürich");
    world.put("Projekte/Zürich", &["\\Flagged"], "31-Dec-1999 23:59:59 -1200", &letter(9));
    world.put("Projekte/Zürich", &[], DATE, "");
    world.with(|w| w.folders.get_mut("Empty").unwrap().subscribed = true);
    world
}

#[track_caller]
fn assert_same(source: &World, target: &World) {
    let (mut have, mut want) = (target.mail(), source.mail());
    if target.with(|w| w.alters) {
        for message in have.values_mut().flatten() {
            message.bytes.drain(.."X-Seen-By: me\r\n".len());
        }
    }
    // A late landing changes the order of UIDs, and nothing else.
    for list in have.values_mut().chain(want.values_mut()) {
        list.sort_by(|a, b| (&a.bytes, &a.flags).cmp(&(&b.bytes, &b.flags)));
    }
    assert_eq!(have, want);
}

#[tokio::test]
async fn everything_arrives_in_order_and_a_second_pass_changes_nothing() {
    let (source, target, ledger) = (source(), World::new(500), Ledger::in_memory().unwrap());
    let report = pass(&source, &target, &ledger).await.unwrap();
    assert_eq!(target.mail(), source.mail(), "bytes, dates, flags, folders, order");
    assert!(target.with(|w| w.folders["Empty"].subscribed));
    assert_eq!((report.total.source, report.total.copied), (10, 10));
    assert!(report.total.balances() && report.failed.is_empty(), "{report:?}");
    let (changes, reads) = (target.with(|w| w.changes), source.with(|w| w.reads));
    let again = pass(&source, &target, &ledger).await.unwrap();
    assert_eq!((target.with(|w| w.changes), source.with(|w| w.reads)), (changes, reads));
    assert_eq!(again.total.copied, 10);
    assert_eq!(again.total.octets, 0);
}

/// Makes a target of some kind.
type Make = fn() -> World;

fn kinds() -> Vec<(&'static str, Make)> {
    fn with(f: impl FnOnce(&mut world::Inner)) -> World {
        let world = World::new(500);
        world.with(f);
        world
    }
    vec![
        ("multi", || with(|_| ())),
        ("single", || with(|w| w.batch = Batch::Single)),
        ("no uidplus", || with(|w| w.uidplus = false)),
        ("lying appenduid", || with(|w| w.lies = true)),
        ("altering", || with(|w| w.alters = true)),
        ("altering without uidplus", || with(|w| (w.alters, w.uidplus) = (true, false))),
    ]
}

#[tokio::test]
async fn a_crash_at_any_write_of_the_ledger_loses_and_doubles_nothing() {
    for (kind, target) in kinds() {
        for after in [false, true] {
            for n in 1.. {
                let (source, target, ledger) = (source(), target(), Ledger::in_memory().unwrap());
                leave_what_can_be_told(kind, &source);
                let fault = if after { Fault::After(n) } else { Fault::Before(n) };
                ledger.set_fault(Some(fault));
                let crashed = pass(&source, &target, &ledger).await;
                ledger.set_fault(None);
                let report = pass(&source, &target, &ledger).await.unwrap();
                assert_same(&source, &target);
                assert!(report.failed.is_empty(), "{kind} {fault:?}");
                match crashed {
                    Ok(_) => break,
                    Err(CopyError::Ledger { source, .. }) => assert!(matches!(*source, LedgerError::Fault)),
                    Err(other) => panic!("{kind} {fault:?}: {other:?}"),
                }
            }
        }
    }
}

/// Where a target changes octets, equal messages and messages without marks cannot be told apart after a crash. They
/// are sent again rather than lost.
fn leave_what_can_be_told(kind: &str, source: &World) {
    let told = |message: &Message| {
        let text = String::from_utf8_lossy(&message.bytes);
        !kind.starts_with("altering") || (text.contains("Message-ID") && !text.contains("letter 2"))
    };
    source.with(|w| w.folders.values_mut().for_each(|f| f.messages.retain(|_, m| told(m))));
}

#[tokio::test]
async fn an_append_that_is_cut_off_loses_and_doubles_nothing() {
    for (kind, target) in kinds() {
        for landing in [Landing::Never, Landing::Now, Landing::Late] {
            for dead in [false, true] {
                for n in 1..9 {
                    let (source, target, ledger) = (source(), target(), Ledger::in_memory().unwrap());
                    leave_what_can_be_told(kind, &source);
                    target.with(|w| (w.cut, w.dead_after_cut) = (Some((n, landing)), dead));
                    let first = pass(&source, &target, &ledger).await;
                    target.with(|w| (w.cut, w.dead) = (None, false));
                    if let Err(error) = first {
                        assert!(dead, "{kind} {landing:?} {n}: {error:?}");
                        assert_eq!(error.class(), CopyErrorClass::Unreachable);
                    }
                    pass(&source, &target, &ledger).await.unwrap();
                    target.with(|w| w.alters &= landing == Landing::Never); // what lands after a cut is not altered here
                    if kind.starts_with("altering") && landing != Landing::Never {
                        continue;
                    }
                    assert_same(&source, &target);
                }
            }
        }
    }
}

#[tokio::test]
async fn a_message_that_the_target_refuses_is_isolated() {
    for (kind, target) in kinds().into_iter().take(3) {
        for breaks in [false, true] {
            let (source, target, ledger) = (source(), target(), Ledger::in_memory().unwrap());
            target.with(|w| if breaks { w.breaks = Some("body 3") } else { w.refuses = Some("body 3") });
            let report = pass(&source, &target, &ledger).await.unwrap();
            assert_eq!(report.failed.len(), 1, "{kind}");
            assert_eq!(report.failed[0].class, if breaks { "connection-lost" } else { "rejected" });
            assert_eq!((report.failed[0].uid, report.total.copied), (3, 9));
            assert_eq!(target.mail()["INBOX"].len(), 7);
            // The reason goes away, and the message comes with the next pass; a refusal needs a person's word.
            target.with(|w| (w.breaks, w.refuses) = (None, None));
            choice::retry_all(&ledger);
            assert!(pass(&source, &target, &ledger).await.unwrap().failed.is_empty());
            assert_same(&source, &target);
        }
    }
}

#[tokio::test]
async fn a_message_that_the_source_cannot_hand_out_is_isolated() {
    let (source, target, ledger) = (source(), World::new(500), Ledger::in_memory().unwrap());
    source.with(|w| w.breaks = Some("body 4"));
    let report = pass(&source, &target, &ledger).await.unwrap();
    assert_eq!(report.failed.iter().map(|f| (f.uid, f.class.as_str())).collect::<Vec<_>>(), [(4, "unreadable")]);
    assert_eq!(report.total.copied, 9);
}

#[tokio::test]
async fn what_is_deleted_at_the_source_meanwhile_is_gone_and_no_error() {
    let (source, target, ledger) = (source(), World::new(500), Ledger::in_memory().unwrap());
    source.with(|w| w.vanishes = Some(("INBOX".to_owned(), 2)));
    let report = pass(&source, &target, &ledger).await.unwrap();
    assert_eq!((report.total.gone, report.total.copied, report.total.source), (1, 9, 10));
    assert_same(&source, &target);
}

#[tokio::test]
async fn what_the_user_of_the_target_did_stays_done() {
    let (source, target, ledger) = (source(), World::new(500), Ledger::in_memory().unwrap());
    pass(&source, &target, &ledger).await.unwrap();
    target.with(|w| {
        let inbox = w.folders.get_mut("INBOX").unwrap();
        inbox.messages.remove(&1);
        inbox.messages.get_mut(&2).unwrap().flags = ["\\Flagged".to_owned()].into();
        w.folders.remove("Projekte/Zürich");
    });
    source.with(|w| {
        let inbox = w.folders.get_mut("INBOX").unwrap();
        for uid in 1..=3 {
            inbox.messages.get_mut(&uid).unwrap().flags = ["\\Answered".to_owned()].into();
        }
        inbox.modseq += 1;
    });
    source.put("INBOX", &[], DATE, &letter(77));
    let report = pass(&source, &target, &ledger).await.unwrap();
    assert_eq!(report.total.copied, 11, "{report:?}");
    let inbox = target.with(|w| w.folders["INBOX"].messages.clone());
    assert!(!inbox.contains_key(&1), "deleted stays deleted");
    assert_eq!(inbox[&2].flags, ["\\Flagged".to_owned()].into(), "touched stays as it is");
    assert_eq!(inbox[&3].flags, ["\\Answered".to_owned()].into(), "untouched follows the source");
    assert_eq!(inbox.len(), 8);
    assert!(!target.mail().contains_key("Projekte/Zürich"), "a removed folder stays away");
    // New mail gives it a place again, and nothing of the old comes back.
    source.put("Projekte/Zürich", &[], DATE, &letter(78));
    pass(&source, &target, &ledger).await.unwrap();
    assert_eq!(target.mail()["Projekte/Zürich"].len(), 1);
}

#[tokio::test]
async fn a_source_that_is_renumbered_is_recognised_by_content() {
    let (source, target, ledger) = (source(), World::new(500), Ledger::in_memory().unwrap());
    pass(&source, &target, &ledger).await.unwrap();
    target.with(|w| w.folders.get_mut("INBOX").unwrap().messages.remove(&1));
    source.with(|w| {
        let inbox = w.folders.get_mut("INBOX").unwrap();
        inbox.validity = 9000;
        inbox.messages = std::mem::take(&mut inbox.messages).into_iter().map(|(u, m)| (u + 50, m)).collect();
        inbox.next += 50;
    });
    let before = target.mail();
    let report = pass(&source, &target, &ledger).await.unwrap();
    assert_eq!(target.mail(), before, "nothing is sent again, and nothing deleted comes back");
    assert_eq!(report.total.copied, 10);
}

#[tokio::test]
async fn a_target_folder_that_is_renumbered_is_recognised_by_content() {
    let (source, target, ledger) = (source(), World::new(500), Ledger::in_memory().unwrap());
    pass(&source, &target, &ledger).await.unwrap();
    target.with(|w| {
        let inbox = w.folders.get_mut("INBOX").unwrap();
        inbox.validity = 9000;
        inbox.messages.remove(&4);
    });
    source.put("INBOX", &[], DATE, &letter(77));
    pass(&source, &target, &ledger).await.unwrap();
    assert_eq!(target.mail()["INBOX"].len(), 8, "seven that were left and a new one");
}

#[tokio::test]
async fn a_target_that_was_made_anew_is_filled_anew() {
    let (source, target, ledger) = (source(), World::new(500), Ledger::in_memory().unwrap());
    pass(&source, &target, &ledger).await.unwrap();
    let fresh = World::new(900);
    fresh.put("INBOX", &[], DATE, &letter(2));
    let report = pass(&source, &fresh, &ledger).await.unwrap();
    assert_same(&with_flags_of(&fresh, &source), &fresh);
    assert_eq!((report.total.present, report.total.copied), (1, 9));
}

/// The source, with the flags of an adopted message, which are the target's own.
fn with_flags_of(_: &World, source: &World) -> World {
    source.with(|w| w.folders.get_mut("INBOX").unwrap().messages.get_mut(&2).unwrap().flags.clear());
    source.clone()
}

#[tokio::test]
async fn what_the_target_has_is_adopted_and_equal_messages_are_counted() {
    let (source, target, ledger) = (source(), World::new(500), Ledger::in_memory().unwrap());
    for n in [2, 2, 4, 70] {
        target.put("INBOX", &[], DATE, &letter(n));
    }
    let report = pass(&source, &target, &ledger).await.unwrap();
    assert_eq!((report.total.present, report.total.copied), (3, 7));
    let twos = target.mail()["INBOX"].iter().filter(|m| m.bytes == letter(2).as_bytes()).count();
    assert_eq!((twos, target.mail()["INBOX"].len()), (3, 9));
    // With the ledger lost, another pass finds everything.
    let ledger = Ledger::in_memory().unwrap();
    let report = pass(&source, &target, &ledger).await.unwrap();
    assert_eq!((report.total.present, report.total.copied), (10, 0));
    assert_eq!(target.mail()["INBOX"].len(), 9);
}

#[tokio::test]
async fn a_full_target_stops_the_account_and_the_next_pass_goes_on() {
    for (kind, target) in kinds().into_iter().take(2) {
        let (source, target, ledger) = (source(), target(), Ledger::in_memory().unwrap());
        target.with(|w| w.room = Some(4));
        let error = pass(&source, &target, &ledger).await.unwrap_err();
        assert_eq!(error.class(), CopyErrorClass::Full, "{kind}: {error:?}");
        assert_eq!(target.mail()["INBOX"].len(), 4, "what fits is there");
        target.with(|w| w.room = None);
        pass(&source, &target, &ledger).await.unwrap();
        assert_same(&source, &target);
    }
}

#[tokio::test]
async fn messages_and_keywords_that_the_target_does_not_take_are_reported() {
    let (source, target, ledger) = (source(), World::new(500), Ledger::in_memory().unwrap());
    target.with(|w| w.keywords = false);
    source.put("INBOX", &[], DATE, &"x".repeat(6000));
    source.put("INBOX", &[], DATE, "a\0b");
    let report = pass(&source, &target, &ledger).await.unwrap();
    let classes: Vec<_> = report.failed.iter().map(|f| f.class.as_str()).collect();
    assert_eq!(classes, ["too-large", "nul-octet"]);
    assert_eq!(report.remarks, ["the target does not keep the keyword `$Forwarded` (5 messages)"]);
    assert!(report.total.balances());
}

#[tokio::test]
async fn twins_in_case_stay_apart_on_a_target_that_folds() {
    let (source, target, ledger) = (source(), World::new(500), Ledger::in_memory().unwrap());
    target.with(|w| w.folds = true);
    for (name, n) in [("Archive", 20), ("archive", 21)] {
        source.make(name);
        source.put(name, &[], DATE, &letter(n));
    }
    let report = pass(&source, &target, &ledger).await.unwrap();
    assert_eq!(target.mail()["Archive"].len(), 1);
    assert_eq!(target.mail()["archive (2)"].len(), 1);
    assert!(report.remarks.iter().any(|r| r.contains("archive (2)")), "{:?}", report.remarks);
    let changes = target.with(|w| w.changes);
    pass(&source, &target, &ledger).await.unwrap();
    assert_eq!(target.with(|w| w.changes), changes);
}

#[tokio::test]
async fn a_filter_leaves_folders_out_and_says_so() {
    let (source, target, ledger) = (source(), World::new(500), Ledger::in_memory().unwrap());
    let filter = MailFilter { exclude: vec!["Projekte".to_owned()], ..MailFilter::default() };
    let report = pass_with(&source, &target, &ledger, &filter, CancellationToken::new()).await.unwrap();
    assert_eq!((report.total.source, report.total.copied), (10, 8));
    assert_eq!(report.total.excluded.values().sum::<u64>(), 2);
    assert!(!target.mail().contains_key("Projekte/Zürich"));
}

#[tokio::test]
async fn a_source_that_gives_a_used_uid_to_another_message_is_not_guessed_about() {
    let (source, target, ledger) = (source(), World::new(500), Ledger::in_memory().unwrap());
    pass(&source, &target, &ledger).await.unwrap();
    source.with(|w| {
        let inbox = w.folders.get_mut("INBOX").unwrap();
        let other = Message { flags: [].into(), date: "1-Jan-2020 00:00:00 +0000".to_owned(), bytes: b"new".to_vec() };
        inbox.messages.insert(3, other);
        inbox.modseq += 1;
    });
    let report = pass(&source, &target, &ledger).await.unwrap();
    assert_eq!(report.failed.iter().map(|f| f.class.as_str()).collect::<Vec<_>>(), ["uid-reused"]);
}

#[tokio::test]
async fn an_interrupted_pass_begins_nothing_new() {
    let (source, target, ledger) = (source(), World::new(500), Ledger::in_memory().unwrap());
    let cancel = CancellationToken::new();
    cancel.cancel();
    let error = pass_with(&source, &target, &ledger, &MailFilter::default(), cancel).await.unwrap_err();
    assert_eq!(error.class(), CopyErrorClass::Interrupted);
    assert_eq!(target.with(|w| w.appends), 0);
    pass(&source, &target, &ledger).await.unwrap();
    assert_same(&source, &target);
}

#[tokio::test]
async fn a_crash_while_folders_are_made_does_not_change_where_they_go() {
    for n in 1.. {
        let (source, target, ledger) = (World::new(100), World::new(500), Ledger::in_memory().unwrap());
        for (name, letter_no) in [("Gesendete Elemente", 1), ("Sent", 2)] {
            source.make(name);
            source.put(name, &[], DATE, &letter(letter_no));
        }
        ledger.set_fault(Some(Fault::Before(n)));
        let done = pass(&source, &target, &ledger).await.is_ok();
        ledger.set_fault(None);
        pass(&source, &target, &ledger).await.unwrap();
        assert_eq!(target.mail(), source.mail(), "write {n}");
        if done {
            break;
        }
    }
}
