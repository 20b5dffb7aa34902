//! Every way in which a copy can be interrupted, one test each: what must hold afterwards.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use super::*;
use crate::{
    copy::tests::world::Hook,
    journal::{Journal, ledger::FolderRow},
};

fn fresh() -> (World, World, Ledger) {
    (source(), World::new(500), Ledger::in_memory().unwrap())
}

fn account() -> (Address, PlatformId) {
    (Address::parse("john@example.org").unwrap(), PlatformId::from("old"))
}

fn folder_row(ledger: &Ledger, path: &str) -> FolderRow {
    let (account, platform) = account();
    let rows = ledger.known_folders(&account, &platform).unwrap();
    rows.into_iter().find(|r| r.path.to_string() == path).unwrap()
}

/// The number of the ledger's write that comes right before the first append.
async fn first_intent() -> u64 {
    let (source, target, ledger) = fresh();
    ledger.set_fault(None);
    let seen = Arc::new(AtomicU64::new(0));
    let (kept, counted) = (Arc::clone(&seen), ledger.clone());
    target.on_append(Hook::new(move |_| {
        let _ = kept.compare_exchange(0, counted.writes(), Ordering::SeqCst, Ordering::SeqCst);
    }));
    pass(&source, &target, &ledger).await.unwrap();
    seen.load(Ordering::SeqCst)
}

#[tokio::test]
async fn crash_before_the_intent_is_durable_has_sent_nothing() {
    let (source, target, ledger) = fresh();
    ledger.set_fault(Some(Fault::Before(first_intent().await)));
    pass(&source, &target, &ledger).await.unwrap_err();
    assert_eq!(target.with(|w| w.appends), 0, "nothing was sent");
    ledger.set_fault(None);
    pass(&source, &target, &ledger).await.unwrap();
    assert_same(&source, &target);
}

#[tokio::test]
async fn crash_after_the_intent_and_before_or_within_the_literal_resends_once() {
    let (source, target, ledger) = fresh();
    ledger.set_fault(Some(Fault::After(first_intent().await)));
    pass(&source, &target, &ledger).await.unwrap_err();
    assert_eq!(target.with(|w| w.appends), 0);
    ledger.set_fault(None);
    pass(&source, &target, &ledger).await.unwrap();
    assert_same(&source, &target);
    // Within the literal: the server throws away what is not complete.
    let (source, target, ledger) = fresh();
    target.with(|w| (w.cut, w.dead_after_cut) = (Some((1, Landing::Never)), true));
    pass(&source, &target, &ledger).await.unwrap_err();
    target.with(|w| (w.cut, w.dead) = (None, false));
    pass(&source, &target, &ledger).await.unwrap();
    assert_same(&source, &target);
}

#[tokio::test]
async fn an_ok_that_is_lost_is_adopted_and_nothing_resent() {
    let (source, target, ledger) = fresh();
    target.with(|w| (w.cut, w.dead_after_cut) = (Some((1, Landing::Now)), true));
    pass(&source, &target, &ledger).await.unwrap_err();
    let landed = target.mail()["INBOX"].len();
    assert!(landed > 0);
    target.with(|w| (w.cut, w.dead, w.appended) = (None, false, 0));
    let report = pass(&source, &target, &ledger).await.unwrap();
    assert_same(&source, &target);
    assert_eq!(target.with(|w| w.appended) + landed as u64, report.total.copied);
}

#[tokio::test]
async fn a_commit_after_our_reconnect_is_waited_for() {
    for (kind, target) in kinds().into_iter().take(3) {
        for dead in [false, true] {
            let (source, target, ledger) = (source(), target(), Ledger::in_memory().unwrap());
            target.with(|w| (w.cut, w.dead_after_cut) = (Some((2, Landing::Late)), dead));
            let first = pass(&source, &target, &ledger).await;
            assert_eq!(first.is_err(), dead, "{kind}");
            target.with(|w| (w.cut, w.dead) = (None, false));
            pass(&source, &target, &ledger).await.unwrap();
            assert_same(&source, &target);
        }
    }
}

#[tokio::test]
async fn crash_after_the_ok_and_before_the_ack_is_durable_is_like_a_lost_ok() {
    let (source, target, ledger) = fresh();
    ledger.set_fault(Some(Fault::Before(first_intent().await + 1)));
    pass(&source, &target, &ledger).await.unwrap_err();
    let landed = target.with(|w| w.appended);
    assert!(landed > 0, "the server has them, the ledger does not know");
    ledger.set_fault(None);
    let report = pass(&source, &target, &ledger).await.unwrap();
    assert_same(&source, &target);
    assert_eq!(target.with(|w| w.appended), report.total.copied, "none was sent twice");
}

#[tokio::test]
async fn a_no_in_the_middle_of_a_window_costs_that_message_alone() {
    for batch in [Batch::Single, Batch::Multi] {
        let (source, target, ledger) = fresh();
        target.with(|w| (w.batch, w.refuses) = (batch, Some("body 2")));
        let report = pass(&source, &target, &ledger).await.unwrap();
        let failed: Vec<_> = report.failed.iter().map(|f| f.uid).collect();
        assert_eq!(failed, [2, 6, 7], "{batch:?}: the letter and its two equals");
        assert_eq!(report.total.copied, 7);
    }
}

#[tokio::test]
async fn a_multiappend_that_is_refused_but_partly_stored_doubles_nothing() {
    for (kind, target) in kinds().into_iter().take(3) {
        for stored in 0..=3 {
            let (source, target, ledger) = (source(), target(), Ledger::in_memory().unwrap());
            target.with(|w| (w.batch, w.half_refused) = (Batch::Multi, Some(stored)));
            let report = pass(&source, &target, &ledger).await.unwrap();
            assert!(report.failed.is_empty(), "{kind} {stored}: {report:?}");
            assert_same(&source, &target);
        }
    }
}

#[tokio::test]
async fn a_uidvalidity_of_the_target_that_changes_mid_run_stops_and_then_adopts() {
    let (source, target, ledger) = fresh();
    let once = AtomicBool::new(false);
    target.on_append(Hook::new(move |w| {
        if w.appends == 2 && !once.swap(true, Ordering::SeqCst) {
            let inbox = w.folders.get_mut("INBOX").unwrap();
            inbox.validity = 9000;
        }
    }));
    let first = pass(&source, &target, &ledger).await;
    if let Err(error) = first {
        assert_eq!(error.class(), CopyErrorClass::Changed, "{error:?}");
        pass(&source, &target, &ledger).await.unwrap();
    }
    pass(&source, &target, &ledger).await.unwrap();
    assert_same(&source, &target);
}

#[tokio::test]
async fn a_uidvalidity_of_the_source_that_changes_deletes_and_resends_nothing() {
    let (source, target, ledger) = fresh();
    pass(&source, &target, &ledger).await.unwrap();
    let before = (target.mail(), target.with(|w| w.appends));
    source.with(|w| w.folders.values_mut().for_each(|f| f.validity += 4000));
    let report = pass(&source, &target, &ledger).await.unwrap();
    assert_eq!((target.mail(), target.with(|w| w.appends)), before);
    assert_eq!((report.total.copied, report.total.source), (10, 10));
}

#[tokio::test]
async fn a_planned_message_that_the_source_expunges_is_gone_and_no_error() {
    for uid in 1..=8 {
        let (source, target, ledger) = fresh();
        source.with(|w| w.vanishes = Some(("INBOX".to_owned(), uid)));
        let report = pass(&source, &target, &ledger).await.unwrap();
        assert_eq!((report.total.gone, report.total.copied), (1, 9));
        assert!(report.failed.is_empty());
        assert_same(&source, &target);
    }
}

#[tokio::test]
async fn what_the_target_s_user_moved_or_deleted_is_remembered_as_delivered() {
    for (kind, target) in kinds().into_iter().take(4) {
        let (source, target, ledger) = (source(), target(), Ledger::in_memory().unwrap());
        pass(&source, &target, &ledger).await.unwrap();
        target.make("Elsewhere");
        target.with(|w| {
            let moved = w.folders.get_mut("INBOX").unwrap().messages.remove(&1).unwrap();
            w.folders.get_mut("INBOX").unwrap().messages.remove(&3);
            w.folders.get_mut("Elsewhere").unwrap().messages.insert(1, moved);
        });
        let before = target.mail();
        source.with(|w| w.folders.get_mut("INBOX").unwrap().modseq += 1);
        pass(&source, &target, &ledger).await.unwrap();
        assert_eq!(target.mail(), before, "{kind}");
    }
}

#[tokio::test]
async fn of_two_runs_on_one_account_the_one_that_lost_its_lease_sends_nothing_more() {
    let (source, target, ledger) = fresh();
    let other = (ledger.clone(), Mutex::new(None));
    let taken = Arc::new(other);
    let takes = Arc::clone(&taken);
    target.on_append(Hook::new(move |w| {
        if w.appends == 1 {
            let (account, platform) = account();
            let lease = takes.0.begin(&account, &(platform, account.clone())).unwrap();
            *takes.1.lock().unwrap() = Some((lease, w.appends));
        }
    }));
    let error = pass(&source, &target, &ledger).await.unwrap_err();
    assert_eq!(error.class(), CopyErrorClass::Fenced, "{error:?}");
    assert_eq!(target.with(|w| w.appends), 1, "the one on its way, and none after it");
    target.on_append(Hook::default());
    pass(&source, &target, &ledger).await.unwrap();
    assert_same(&source, &target);
}

#[tokio::test]
async fn two_runs_at_once_bring_every_message_once() {
    for _ in 0..8 {
        let (source, target, ledger) = fresh();
        let (a, b) = tokio::join!(pass(&source, &target, &ledger), pass(&source, &target, &ledger));
        for error in [a.err(), b.err()].into_iter().flatten() {
            assert_eq!(error.class(), CopyErrorClass::Fenced, "{error:?}");
        }
        pass(&source, &target, &ledger).await.unwrap();
        assert_same(&source, &target);
    }
}

#[tokio::test]
async fn a_full_disk_of_the_ledger_stops_before_anything_is_sent() {
    for pages in [0, 1, 2, 4, 8] {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path()).unwrap();
        let ledger = Ledger::new(journal.db());
        let (source, target) = (source(), World::new(500));
        let limit = |pages: i64| {
            let db = journal.db();
            let db = db.lock().unwrap();
            let used: i64 = db.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
            let set: i64 =
                db.query_row(&format!("PRAGMA max_page_count = {}", used + pages), [], |r| r.get(0)).unwrap();
            assert!(set >= used);
        };
        for n in 0..600 {
            source.put("INBOX", &[], DATE, &letter(1000 + n));
        }
        limit(pages);
        let error = pass(&source, &target, &ledger).await.unwrap_err();
        assert!(matches!(error, CopyError::Ledger { .. }), "{error:?}");
        let sent = target.with(|w| w.appended);
        limit(1_000_000);
        let put_down: i64 = {
            let db = journal.db();
            let db = db.lock().unwrap();
            let count = "SELECT (SELECT count(*) FROM ledger_message)
                              + (SELECT coalesce(sum(json_array_length(intents)), 0) FROM ledger_window)";
            db.query_row(count, [], |row| row.get(0)).unwrap()
        };
        assert!(i64::try_from(sent).unwrap() <= put_down, "{sent} sent, {put_down} put down");
        pass(&source, &target, &ledger).await.unwrap();
        assert_same(&source, &target);
    }
}

#[tokio::test]
async fn a_message_that_is_about_to_be_sent_twice_halts_the_account() {
    let (source, target) = (source(), World::new(500));
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let ledger = Ledger::new(journal.db());
    // A defect: while the first window is on its way, a message of a later one is put down as delivered.
    let db = journal.db();
    target.on_append(Hook::new(move |w| {
        if w.appends == 1 {
            let insert = "INSERT INTO ledger_message (folder, validity, uid, state)
                          SELECT id, (SELECT max(source_validity) FROM ledger_window), 8, 'acked' FROM ledger_folder
                          WHERE path LIKE '%INBOX%'";
            assert_eq!(db.lock().unwrap().execute(insert, []).unwrap(), 1);
        }
    }));
    let error = pass(&source, &target, &ledger).await.unwrap_err();
    let CopyError::Ledger { source: why, .. } = &error else { panic!("{error:?}") };
    assert!(matches!(**why, LedgerError::AlreadySent { uid: 8, .. }), "{error:?}");
    let sent = target.mail()["INBOX"].iter().filter(|m| m.bytes == b"no header and no end").count();
    assert_eq!(sent, 0, "the message itself was not sent");
}

#[tokio::test]
async fn a_clock_that_jumps_and_a_server_that_moves_send_nothing_again() {
    let (source, target) = (source(), World::new(500));
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let ledger = Ledger::new(journal.db());
    target.with(|w| w.refuses = Some("body 4"));
    pass(&source, &target, &ledger).await.unwrap();
    let before = (target.mail(), target.with(|w| w.appends));
    // Everything with a time in it was written years ahead, or long ago.
    for shift in ["+40 years", "-40 years"] {
        let times = format!(
            "UPDATE ledger_failure SET first = strftime('%Y-%m-%dT%H:%M:%SZ', first, '{shift}'),
                                       last = strftime('%Y-%m-%dT%H:%M:%SZ', last, '{shift}')"
        );
        assert_eq!(journal.db().lock().unwrap().execute(&times, []).unwrap(), 1);
        let report = pass(&source, &target, &ledger).await.unwrap();
        assert_eq!((target.mail(), target.with(|w| w.appends)), before);
        assert_eq!((report.total.copied, report.failed.len()), (9, 1));
    }
    // The same mailboxes behind other addresses: a store does not know where it is.
    let (moved_source, moved_target) = (World(Arc::clone(&source.0)), World(Arc::clone(&target.0)));
    moved_source.with(|w| w.folders.get_mut("INBOX").unwrap().modseq += 1);
    pass(&moved_source, &moved_target, &ledger).await.unwrap();
    assert_eq!((target.mail(), target.with(|w| w.appends)), before);
}

#[tokio::test]
async fn clocks_names_and_tokens_that_change_do_not_change_who_is_who() {
    // The connection breaks at each step and is made again, as it is when a token expires or an address changes. What
    // is known of messages is neither of those nor a time.
    for n in 1..6 {
        let (source, target, ledger) = fresh();
        target.with(|w| w.cut = Some((n, Landing::Now)));
        pass(&source, &target, &ledger).await.unwrap();
        target.with(|w| w.cut = None);
        source.with(|w| w.folders.get_mut("INBOX").unwrap().modseq += 1);
        pass(&source, &target, &ledger).await.unwrap();
        assert_same(&source, &target);
    }
}

#[tokio::test]
async fn no_uid_of_the_source_is_delivered_twice_in_the_ledger() {
    let (source, target, ledger) = fresh();
    pass(&source, &target, &ledger).await.unwrap();
    let row = folder_row(&ledger, "INBOX");
    let rows = ledger.messages(row.id, row.source_validity).unwrap();
    let places: std::collections::BTreeSet<_> = rows.values().filter_map(|r| r.target).collect();
    assert_eq!(places.len(), rows.len(), "each message has its own place");
}

#[tokio::test]
async fn an_ok_for_what_is_not_stored_is_a_failure() {
    for (kind, target) in kinds().into_iter().take(4) {
        let (source, target, ledger) = (source(), target(), Ledger::in_memory().unwrap());
        target.with(|w| w.swallows = Some("body 4"));
        target.with(|w| w.uidplus = false);
        let report = pass(&source, &target, &ledger).await.unwrap();
        let failed: Vec<_> = report.failed.iter().map(|f| (f.uid, f.class.as_str())).collect();
        assert_eq!(failed, [(4, "not-stored")], "{kind}");
        assert_eq!(target.mail()["INBOX"].len(), 7);
    }
}

// --- a journal that is lost

/// A pass over a target that alters what it is given, and the ledger lost after it.
async fn altered_and_forgotten(source: &World) -> World {
    let target = World::new(500);
    target.with(|w| w.alters = true);
    pass(source, &target, &Ledger::in_memory().unwrap()).await.unwrap();
    target
}

fn inbox(world: &World) -> usize {
    world.mail()["INBOX"].len()
}

#[tokio::test]
async fn a_lost_journal_and_a_target_that_alters_octets_double_nothing() {
    let source = World::new(100);
    for n in 1..=7 {
        source.put("INBOX", &["\\Seen"], DATE, &letter(n));
    }
    // Equal messages are as many as they are.
    source.put("INBOX", &[], DATE, &letter(2));
    let target = altered_and_forgotten(&source).await;
    source.put("INBOX", &[], DATE, &letter(8));
    let ledger = Ledger::in_memory().unwrap();
    let report = pass(&source, &target, &ledger).await.unwrap();
    assert_eq!(inbox(&target), 9, "what was there is known, and the new one is sent");
    assert_eq!((report.total.present, report.total.weak, report.total.copied), (8, 8, 1));
    assert!(report.total.balances());
    assert!(report.remarks.iter().any(|r| r.contains("by header, date and size")), "{:?}", report.remarks);
    let row = folder_row(&ledger, "INBOX");
    let rows = ledger.messages(row.id, row.source_validity).unwrap();
    assert_eq!(rows.values().filter(|r| r.is_weak()).count(), 8, "the ledger tells weak from strong");
    assert_same(&source, &target);
    let again = pass(&source, &target, &ledger).await.unwrap();
    assert_eq!((inbox(&target), again.total.weak), (9, 8));
}

#[tokio::test]
async fn octets_come_before_marks_in_the_whole_folder() {
    // The target has the second message as it is, and another one that looks like it by its marks.
    let source = World::new(100);
    let twin = letter(1).replace("body 1", "body i");
    source.put("INBOX", &[], DATE, &letter(1));
    for n in 2..=5 {
        source.put("INBOX", &[], DATE, &letter(n));
    }
    source.put("INBOX", &[], DATE, &twin);
    let target = World::new(500);
    target.put("INBOX", &[], DATE, &twin);
    let report = pass(&source, &target, &Ledger::in_memory().unwrap()).await.unwrap();
    assert_eq!((report.total.present, report.total.weak, report.total.copied), (1, 0, 5));
    assert_same(&source, &target);
}

#[tokio::test]
async fn marks_that_do_not_tell_one_message_from_another_decide_nothing() {
    let changed = |text: &str| format!("X-Seen-By: me\r\n{text}");
    let twin = letter(1).replace("body 1", "body i");
    // Two different messages that look alike, and one of them there in other words.
    let (source, target) = (World::new(100), World::new(500));
    source.put("INBOX", &[], DATE, &letter(1));
    source.put("INBOX", &[], DATE, &twin);
    target.put("INBOX", &[], DATE, &changed(&twin));
    let report = pass(&source, &target, &Ledger::in_memory().unwrap()).await.unwrap();
    assert_eq!((report.total.weak, report.total.copied, inbox(&target)), (0, 2, 3), "rather twice than never");
    // One that two at the target look like, one with another date, one of another size.
    for there in [
        vec![(DATE, changed(&letter(1))), (DATE, changed(&twin))],
        vec![(" 5-Jan-1971 03:04:06 +0530", changed(&letter(1)))],
        vec![(DATE, changed(&letter(1)) + &"more\r\n".repeat(3000))],
    ] {
        let (source, target) = (World::new(100), World::new(500));
        source.put("INBOX", &[], DATE, &letter(1));
        for (date, text) in there {
            target.put("INBOX", &[], date, &text);
        }
        let report = pass(&source, &target, &Ledger::in_memory().unwrap()).await.unwrap();
        assert_eq!((report.total.weak, report.total.copied), (0, 1));
    }
}

#[tokio::test]
async fn a_crash_at_any_write_of_a_weak_adoption_doubles_nothing() {
    for n in 1.. {
        let source = World::new(100);
        for letters in 1..=5 {
            source.put("INBOX", &[], DATE, &letter(letters));
        }
        let target = altered_and_forgotten(&source).await;
        source.put("INBOX", &[], DATE, &letter(6));
        let ledger = Ledger::in_memory().unwrap();
        ledger.set_fault(Some(Fault::After(n)));
        let crashed = pass(&source, &target, &ledger).await.is_err();
        ledger.set_fault(None);
        let report = pass(&source, &target, &ledger).await.unwrap();
        assert_eq!((inbox(&target), report.total.weak), (6, 5), "write {n}");
        if !crashed {
            break;
        }
    }
}

// --- power

/// Copies the ledger's files as a disk would show them that lost power now.
fn disk(from: &std::path::Path, torn: usize) -> tempfile::TempDir {
    use std::io::Write as _;
    let to = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        // Shared memory is not on a disk.
        if name.starts_with("journal.db") && !name.ends_with("-shm") {
            std::fs::copy(entry.path(), to.path().join(name)).unwrap();
        }
    }
    // A write that was under way leaves anything behind the last one that was synced.
    if torn > 0 {
        let log = to.path().join("journal.db-wal");
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(log).unwrap();
        file.write_all(&vec![0xA5; torn]).unwrap();
    }
    to
}

#[tokio::test]
async fn power_that_fails_at_any_append_loses_and_doubles_nothing() {
    for landed in [false, true] {
        for (n, torn) in [(1, 0), (2, 24), (3, 4096), (4, 4120), (5, 0)] {
            let folder = tempfile::tempdir().unwrap();
            let journal = Journal::open(folder.path()).unwrap();
            let ledger = Ledger::new(journal.db());
            let (source, target) = (source(), World::new(500));
            let saved: Arc<Mutex<Option<tempfile::TempDir>>> = Arc::default();
            let (keep, at) = (Arc::clone(&saved), folder.path().to_owned());
            // The disk as it is when the n-th append begins; the messages arrive or not; the machine is gone.
            target.on_append(Hook::new(move |w| {
                if w.appends == n {
                    *keep.lock().unwrap() = Some(disk(&at, torn));
                    w.dead_after_cut = true;
                    w.cut = Some((n, if landed { Landing::Now } else { Landing::Never }));
                }
            }));
            let first = pass(&source, &target, &ledger).await;
            let Some(disk) = saved.lock().unwrap().take() else { continue };
            assert!(first.is_err());
            target.on_append(Hook::default());
            target.with(|w| (w.cut, w.dead, w.dead_after_cut) = (None, false, false));
            drop((ledger, journal));
            let journal = Journal::open(disk.path()).unwrap();
            let ledger = Ledger::new(journal.db());
            pass(&source, &target, &ledger).await.unwrap();
            assert_same(&source, &target);
        }
    }
}

#[test]
fn every_commit_of_the_ledger_is_synced() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let db = journal.db();
    let db = db.lock().unwrap();
    let pragma = |name: &str| -> String {
        db.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, rusqlite::types::Value>(0))
            .map(|v| format!("{v:?}"))
            .unwrap()
    };
    assert_eq!(pragma("synchronous"), "Integer(2)", "FULL: each commit is on disk before it returns");
    assert_eq!(pragma("journal_mode"), "Text(\"wal\")");
}
