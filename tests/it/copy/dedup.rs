//! Messages that a folder holds more than once: found, set aside and brought back, by real Dovecots.

use std::time::Duration;

use rehome::{
    copy::dedup::{DedupError, DedupRequest, Survey, Transferred, bring_back, set_aside, survey},
    diag::Severity,
    imap::{Connector, StoreMode, WireName},
    journal::ledger::{Fault, Ledger},
    model::MailFilter,
};
use tokio_util::sync::CancellationToken;

use super::{
    DOTTED, Mail, Pair, account,
    corpus::{self, fill},
    mail, pass, sorted, verify,
    wire::{Break, Way, Wire},
    without_empty,
};
use crate::imap::dovecot::{Dovecot, Setup};

async fn found(connector: &Connector) -> Survey {
    survey(connector, &MailFilter::default(), &CancellationToken::new()).await.unwrap()
}

fn request<'a>(account: &'a rehome::model::Address, connector: &'a Connector, ledger: &'a Ledger) -> DedupRequest<'a> {
    DedupRequest { account, connector, ledger, settle: Duration::from_millis(30), cancel: CancellationToken::new() }
}

async fn aside(connector: &Connector, ledger: &Ledger) -> Result<Transferred, DedupError> {
    let found = found(connector).await;
    set_aside(&request(&account(), connector, ledger), &found).await
}

async fn back(connector: &Connector, ledger: &Ledger) -> Result<Transferred, DedupError> {
    bring_back(&request(&account(), connector, ledger)).await
}

/// Mail with what looks alike and is not: the headers of message 7 once more, over another text.
async fn filled(connector: &Connector) {
    fill(connector.clone()).await;
    let mut writer = connector.connect_writer().await.unwrap();
    let alike = b"Message-ID: <7@x>\r\nSubject: 7\r\n\r\nbody 8\r\n";
    corpus::append(&mut writer, "INBOX", &["\\Seen"], " 5-Jan-1971 03:04:05 +0530", alike).await;
    let late = b"Message-ID: <1@x>\r\nSubject: 1\r\n\r\nbody 1\r\n";
    corpus::append(&mut writer, "Sent", &["\\Seen"], " 6-Jan-1971 03:04:05 +0530", late).await;
    writer.logout().await;
}

fn count(mail: &Mail) -> usize {
    mail.values().map(Vec::len).sum()
}

#[tokio::test]
async fn doubles_are_found_by_their_octets_and_looking_changes_nothing() {
    let Some(server) = Dovecot::start(Setup::default()).await else { return };
    let at = server.connector("a", "secret");
    filled(&at).await;
    let before = mail(at.clone()).await;
    let found = found(&at).await;
    let seen: Vec<_> = found
        .folders
        .iter()
        .flat_map(|f| f.groups.iter().map(move |g| (f.folder.to_string(), g)))
        .map(|(folder, g)| {
            let extra: Vec<u32> = g.extra.iter().map(|one| one.uid).collect();
            (folder, g.kept.uid, extra, g.flags_differ, g.dates_differ)
        })
        .collect();
    let expected =
        [("INBOX".to_owned(), 7, vec![91, 92, 93], true, false), ("Sent".to_owned(), 1, vec![2], false, true)];
    assert_eq!(seen, expected);
    assert_eq!((found.extra(), found.messages as usize), (4, count(&before)));
    assert_eq!(found.obstacle, None);
    assert_eq!(found.plan(), super::dedup::found(&at).await.plan(), "the same doubles are the same plan");
    assert_eq!(mail(at).await, before);
}

#[tokio::test]
async fn doubles_are_set_aside_whole_and_brought_back_as_they_were() {
    for (extra, aside_inbox) in [("", "Rehome-Doubles/INBOX"), (DOTTED, "INBOX/Rehome-Doubles/INBOX")] {
        let Some(server) = Dovecot::start(Setup { extra, ..Setup::default() }).await else { return };
        let at = server.connector("a", "secret");
        // With a prefix the corpus' own names would be at the top level, which such a server refuses.
        if extra.is_empty() {
            filled(&at).await;
        } else {
            let mut writer = at.connect_writer().await.unwrap();
            for flags in [&["\\Seen"][..], &[], &["\\Flagged", "$Label1"]] {
                corpus::append(&mut writer, "INBOX", flags, " 5-Jan-1971 03:04:05 +0530", b"Subject: x\r\n\r\n").await;
            }
        }
        let before = without_empty(sorted(at.clone()).await);
        let ledger = Ledger::in_memory().unwrap();
        let plan = found(&at).await;
        let done = set_aside(&request(&account(), &at, &ledger), &plan).await.unwrap();
        assert_eq!((done.moved, done.gone, done.remarks.len()), (plan.extra(), 0, 0), "{done:?}");
        let between = mail(at.clone()).await;
        assert_eq!(count(&between), count(&before), "nothing is deleted");
        let kept = plan.folders[0].groups[0].kept.clone();
        let (was, stays) = (&before["INBOX"], &between["INBOX"]);
        assert_eq!(stays.len() as u64, was.len() as u64 - plan.folders[0].extra());
        assert!(stays.iter().any(|(flags, _, _)| flags.iter().eq(&kept.flags)), "the one that stays is not touched");
        // Each is where it is said to be, with its flags and its date.
        let mut together: Vec<_> = stays.iter().chain(&between[aside_inbox]).cloned().collect();
        together.sort();
        assert_eq!(&together, was);
        assert!(found(&at).await.folders.is_empty(), "what is set aside is not looked through");
        assert_eq!(aside(&at, &ledger).await.unwrap(), Transferred::default(), "and nothing is left to do");

        let done = back(&at, &ledger).await.unwrap();
        assert_eq!((done.moved, done.gone, done.remarks.len()), (plan.extra(), 0, 0), "{done:?}");
        assert_eq!(without_empty(sorted(at.clone()).await), before);
        assert_eq!(back(&at, &ledger).await.unwrap(), Transferred::default());
        // And once more, by new UIDs.
        assert_eq!(aside(&at, &ledger).await.unwrap().moved, plan.extra());
        assert_eq!(back(&at, &ledger).await.unwrap().moved, plan.extra());
        assert_eq!(without_empty(sorted(at.clone()).await), before);
    }
}

#[tokio::test]
async fn the_only_message_that_is_not_marked_as_deleted_is_the_one_that_stays() {
    let Some(server) = Dovecot::start(Setup::default()).await else { return };
    let at = server.connector("a", "secret");
    let mut writer = at.connect_writer().await.unwrap();
    for flags in [&["\\Deleted"][..], &[], &["\\Deleted"]] {
        corpus::append(&mut writer, "INBOX", flags, " 5-Jan-1971 03:04:05 +0530", b"Subject: x\r\n\r\n").await;
    }
    aside(&at, &Ledger::in_memory().unwrap()).await.unwrap();
    corpus::expunge(&server, "a", "INBOX").await;
    assert_eq!(mail(at).await["INBOX"].len(), 1, "another program's EXPUNGE does not take the last one");
}

#[tokio::test]
async fn without_move_nothing_is_moved() {
    let extra = "imap_capability = IMAP4rev1 SASL-IR NAMESPACE CHILDREN UIDPLUS LIST-EXTENDED SPECIAL-USE";
    let Some(server) = Dovecot::start(Setup { extra, ..Setup::default() }).await else { return };
    let at = server.connector("a", "secret");
    filled(&at).await;
    let before = mail(at.clone()).await;
    let ledger = Ledger::in_memory().unwrap();
    let error = aside(&at, &ledger).await.unwrap_err();
    assert!(matches!(&error, DedupError::CannotMove { why, .. } if why.contains("RFC 6851")), "{error}");
    assert!(found(&at).await.obstacle.is_some_and(|why| why.contains("RFC 6851")));
    assert_eq!(mail(at).await, before);
    assert!(ledger.doubles(&account(), None).unwrap().is_empty());
}

#[tokio::test]
async fn a_crash_at_any_write_of_the_ledger_moves_each_double_once() {
    let Some(server) = Dovecot::start(Setup::default()).await else { return };
    for n in 1.. {
        let mut done = true;
        for (name, fault) in [("before", Fault::Before(n)), ("after", Fault::After(n))] {
            let at = server.connector(&format!("{name}{n}"), "secret");
            filled(&at).await;
            let before = without_empty(sorted(at.clone()).await);
            let ledger = Ledger::in_memory().unwrap();
            ledger.set_fault(Some(fault));
            done &= aside(&at, &ledger).await.is_ok();
            ledger.set_fault(None);
            aside(&at, &ledger).await.unwrap();
            let between = mail(at.clone()).await;
            assert_eq!((count(&between), between["Rehome-Doubles/INBOX"].len()), (count(&before), 3), "{fault:?}");
            assert!(found(&at).await.folders.is_empty(), "{fault:?}");
            ledger.set_fault(Some(fault));
            done &= back(&at, &ledger).await.is_ok();
            ledger.set_fault(None);
            let second = back(&at, &ledger).await.unwrap();
            assert_eq!((second.gone, second.remarks.len()), (0, 0), "{fault:?}: {second:?}");
            assert_eq!(without_empty(sorted(at.clone()).await), before, "{fault:?}: all came back");
        }
        if done {
            break;
        }
    }
}

#[tokio::test]
async fn a_connection_that_breaks_at_any_octet_moves_each_double_once() {
    let Some(server) = Dovecot::start(Setup::default()).await else { return };
    let whole = server.connector("whole", "secret");
    filled(&whole).await;
    let wire = Wire::start(server.port).await;
    let plan = found(&whole).await;
    let ledger = Ledger::in_memory().unwrap();
    set_aside(&request(&account(), &wire.connector(&whole), &ledger), &plan).await.unwrap();
    let (up, down) = wire.passed();
    for (way, octets) in [(Way::Up, up), (Way::Down, down)] {
        let points = 14;
        for point in 0..points {
            let at_octet = octets * (2 * point + 1) / (2 * points);
            let at = server.connector(&format!("{way:?}{point}"), "secret");
            filled(&at).await;
            let before = without_empty(sorted(at.clone()).await);
            let ledger = Ledger::in_memory().unwrap();
            let wire = Wire::start(server.port).await;
            let plan = found(&at).await;
            wire.breaks(way, at_octet, Break::Cut);
            let _cut = set_aside(&request(&account(), &wire.connector(&at), &ledger), &plan).await;
            // The way heals, and the mailbox is still known by login and server.
            aside(&wire.connector(&at), &ledger).await.unwrap();
            let between = mail(at.clone()).await;
            assert_eq!(
                (count(&between), between["Rehome-Doubles/INBOX"].len()),
                (count(&before), 3),
                "{way:?} {at_octet}"
            );
            let done = back(&wire.connector(&at), &ledger).await.unwrap();
            assert_eq!((done.moved, done.gone), (4, 0), "{way:?} {at_octet}: {done:?}");
            assert_eq!(without_empty(sorted(at).await), before, "{way:?} {at_octet}");
        }
    }
}

#[tokio::test]
async fn what_was_set_aside_comes_back_by_no_later_pass_and_is_no_loss_to_the_proof() {
    let Some(pair) = Pair::start("").await else { return };
    fill(pair.source("a")).await;
    let (ledger, target) = (Ledger::in_memory().unwrap(), pair.target("a"));
    pass(pair.source("a"), target.clone(), &ledger).await.unwrap();
    let copied = mail(target.clone()).await;
    assert_eq!(aside(&target, &ledger).await.unwrap().moved, 3);
    let between = mail(target.clone()).await;
    let again = pass(pair.source("a"), target.clone(), &ledger).await.unwrap();
    assert_eq!((again.total.octets, mail(target.clone()).await), (0, between.clone()), "nothing is copied again");
    let proof = verify(pair.source("a"), target.clone(), &ledger).await;
    let codes: Vec<_> = proof.findings.iter().map(|f| (f.code.as_str(), f.severity)).collect();
    assert!(proof.ok, "{:?}", proof.findings);
    assert_eq!(codes, [("message-set-aside", Severity::Info); 3]);
    // Whoever is content deletes what was set aside; that is no loss either.
    let new = b"Message-ID: <7@x>\r\nSubject: 7\r\n\r\nbody 7\r\n";
    let mut writer = pair.source("a").connect_writer().await.unwrap();
    corpus::append(&mut writer, "INBOX", &[], "1-Jan-2024 00:00:00 +0000", new).await;
    let more = pass(pair.source("a"), target.clone(), &ledger).await.unwrap();
    assert_eq!(more.total.copied, again.total.copied + 1, "an equal message that is new at the source is new");
    assert_eq!(mail(target.clone()).await["INBOX"].len(), between["INBOX"].len() + 1);

    // Brought back, each is again the copy of its own source message: changed flags find it.
    assert_eq!(back(&target, &ledger).await.unwrap().moved, 3);
    writer.select(&WireName::inbox()).await.unwrap();
    writer.store_flags(&[92], StoreMode::Replace, ["$Later"]).await.unwrap();
    pass(pair.source("a"), target.clone(), &ledger).await.unwrap();
    let proof = verify(pair.source("a"), target.clone(), &ledger).await;
    assert!(proof.ok && proof.findings.is_empty(), "{:?}", proof.findings);
    let there = mail(target).await;
    assert_eq!(there["INBOX"].len(), copied["INBOX"].len() + 1);
    assert!(there["INBOX"].iter().any(|(flags, _, _)| flags == &["$Later"]));
}

#[tokio::test]
async fn a_loss_is_not_hidden_by_what_was_set_aside() {
    let Some(pair) = Pair::start("").await else { return };
    fill(pair.source("a")).await;
    let (ledger, target) = (Ledger::in_memory().unwrap(), pair.target("a"));
    pass(pair.source("a"), target.clone(), &ledger).await.unwrap();
    assert_eq!(aside(&target, &ledger).await.unwrap().moved, 3);
    let mut writer = target.connect_writer().await.unwrap();
    writer.select(&WireName::inbox()).await.unwrap();
    writer.store_flags(&[7, 8], StoreMode::Add, ["\\Deleted"]).await.unwrap();
    corpus::expunge(&pair.target, "a", "INBOX").await;
    let proof = verify(pair.source("a"), target, &ledger).await;
    let of = |code: &str| proof.findings.iter().filter(|f| f.code == code).count();
    assert_eq!((of("message-set-aside"), of("message-removed")), (3, 2), "{:?}", proof.findings);
}

#[tokio::test]
async fn doubles_that_were_set_aside_before_the_first_copy_are_taken_for_there() {
    let Some(pair) = Pair::start("").await else { return };
    fill(pair.source("a")).await;
    let target = pair.target("a");
    pass(pair.source("a"), target.clone(), &Ledger::in_memory().unwrap()).await.unwrap();
    // Another workspace knows nothing of that copy.
    let ledger = Ledger::in_memory().unwrap();
    assert_eq!(aside(&target, &ledger).await.unwrap().moved, 3);
    let report = pass(pair.source("a"), target.clone(), &ledger).await.unwrap();
    assert_eq!((report.total.present, report.total.copied), (report.total.source, 0));
    assert!(found(&target).await.folders.is_empty(), "no double came again");
    assert!(verify(pair.source("a"), target, &ledger).await.ok);
}

#[tokio::test]
async fn while_a_copy_has_messages_in_doubt_nothing_is_moved() {
    let Some(pair) = Pair::start("").await else { return };
    fill(pair.source("a")).await;
    let (ledger, target) = (Ledger::in_memory().unwrap(), pair.target("a"));
    // The last write of a pass that is on disk is an intent.
    for n in 1.. {
        ledger.set_fault(Some(Fault::After(n)));
        let ended = pass(pair.source("a"), target.clone(), &ledger).await.is_ok();
        ledger.set_fault(None);
        if ended || ledger.windows_in_doubt(&account()).unwrap() > 0 {
            break;
        }
    }
    let before = mail(target.clone()).await;
    let error = aside(&target, &ledger).await.unwrap_err();
    assert!(matches!(error, DedupError::CopyOpen { .. }), "{error}");
    assert!(matches!(back(&target, &ledger).await, Err(DedupError::CopyOpen { .. })));
    assert_eq!(mail(target.clone()).await, before);
    pass(pair.source("a"), target.clone(), &ledger).await.unwrap();
    assert_eq!(aside(&target, &ledger).await.unwrap().moved, 3);
}
