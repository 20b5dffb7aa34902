//! Filters, and messages that failed before.

use std::collections::BTreeMap;

use super::*;
use crate::{
    journal::ledger::{Decision, Owner},
    model::FolderPath,
};

async fn filtered(source: &World, target: &World, ledger: &Ledger, filter: &MailFilter) -> CopyReport {
    let report = pass_with(source, target, ledger, filter, CancellationToken::new()).await.unwrap();
    assert!(report.total.balances() && report.folders.values().all(crate::model::CopyCounts::balances));
    report
}

fn excluded(report: &CopyReport) -> Vec<(&str, u64)> {
    report.total.excluded.iter().map(|(reason, n)| (reason.as_str(), *n)).collect()
}

#[tokio::test]
async fn a_wider_filter_copies_what_a_narrower_one_left_out() {
    let (source, target, ledger) = (source(), World::new(500), Ledger::in_memory().unwrap());
    let since = MailFilter { since: Some("1990-01-01T00:00:00Z".parse().unwrap()), ..MailFilter::default() };
    let report = filtered(&source, &target, &ledger, &since).await;
    assert_eq!(excluded(&report), [("from before 1990-01-01", 9)]);
    assert_eq!(report.total.copied, 1, "nearly all is from 1971");
    let reads = source.with(|w| w.reads);
    assert_eq!(excluded(&filtered(&source, &target, &ledger, &since).await), [("from before 1990-01-01", 9)]);
    assert_eq!(source.with(|w| w.reads), reads, "nothing to do is known by the status");
    let wider = MailFilter { since: Some("1971-01-04T21:34:05Z".parse().unwrap()), ..MailFilter::default() };
    let report = filtered(&source, &target, &ledger, &wider).await;
    assert_eq!((report.total.copied, excluded(&report)), (10, vec![]), "the bound itself is taken");
    assert_same(&source, &target);
    let narrow = filtered(&source, &target, &ledger, &since).await;
    assert_eq!((narrow.total.copied, excluded(&narrow)), (10, vec![]), "what was delivered stays counted as copied");
}

#[tokio::test]
async fn every_reason_is_counted_by_itself() {
    let (source, target, ledger) = (source(), World::new(500), Ledger::in_memory().unwrap());
    // The sizes of this store are three octets more than the truth.
    let filter = MailFilter {
        until: Some("1999-01-01T00:00:00Z".parse().unwrap()),
        max_size: Some(40),
        ..MailFilter::default()
    };
    let report = filtered(&source, &target, &ledger, &filter).await;
    assert_eq!(excluded(&report), [("from 1999-01-01 or later", 1), ("larger than 40 octets", 7)]);
    assert_eq!(report.total.copied, 2, "the empty one without a date, and the one without a header");
}

#[tokio::test]
async fn a_renamed_folder_goes_there_with_what_lies_below() {
    let (source, target, ledger) = (source(), World::new(500), Ledger::in_memory().unwrap());
    source.make("Projekte");
    let rename = [("Projekte", "Archive/Work"), ("INBOX", "Old mail")];
    let rename = rename.map(|(old, new)| (old.to_owned(), new.to_owned())).into();
    let filter = MailFilter { rename, ..MailFilter::default() };
    filtered(&source, &target, &ledger, &filter).await;
    let sizes: BTreeMap<String, usize> = target.mail().into_iter().map(|(name, mail)| (name, mail.len())).collect();
    let names: Vec<(&str, usize)> = sizes.iter().map(|(name, n)| (name.as_str(), *n)).collect();
    assert_eq!(names, [("Archive/Work", 0), ("Archive/Work/Zürich", 2), ("Empty", 0), ("INBOX", 0), ("Old mail", 8)]);
    filtered(&source, &target, &ledger, &MailFilter::default()).await;
    assert_eq!(target.mail().len(), 5, "what was filled under a name keeps it");
}

/// The one failed message, as the registry knows it.
fn registered(ledger: &Ledger) -> Vec<(u32, String, u32, Option<Decision>)> {
    let rows = ledger.failures().unwrap();
    rows.into_iter().map(|(_, r)| (r.failure.uid, r.failure.class, r.attempts, r.decision)).collect()
}

/// Asks for another try of everything that failed.
pub(super) fn retry_all(ledger: &Ledger) {
    for (owner, row) in ledger.failures().unwrap() {
        let key = (row.folder, row.failure.uid_validity, row.failure.uid);
        ledger.decide(&owner, &[key], &Decision::Retry).unwrap();
    }
}

fn decide(ledger: &Ledger, decision: &Decision) {
    let (owner, row) = ledger.failures().unwrap().remove(0);
    assert_eq!(owner, Owner { account: "john@example.org".to_owned(), platform: PlatformId::from("old") });
    assert_eq!(row.folder, FolderPath::inbox());
    assert_eq!(ledger.decide(&owner, &[(row.folder, row.failure.uid_validity, row.failure.uid)], decision).unwrap(), 1);
}

#[tokio::test]
async fn a_message_that_fails_for_good_is_held_until_somebody_says_retry() {
    let (source, target, ledger) = (source(), World::new(500), Ledger::in_memory().unwrap());
    target.with(|w| w.refuses = Some("letter 3"));
    let all = MailFilter::default();
    filtered(&source, &target, &ledger, &all).await;
    assert_eq!(registered(&ledger), [(3, "rejected".to_owned(), 1, None)]);
    let appends = target.with(|w| w.appends);
    for _ in 0..2 {
        let report = filtered(&source, &target, &ledger, &all).await;
        assert_eq!(report.failed.iter().map(|f| f.uid).collect::<Vec<_>>(), [3], "held, and still said to have failed");
    }
    assert_eq!(target.with(|w| w.appends), appends, "nothing was sent again");
    assert_eq!(registered(&ledger), [(3, "rejected".to_owned(), 1, None)]);
    decide(&ledger, &Decision::Retry);
    filtered(&source, &target, &ledger, &all).await;
    assert_eq!(registered(&ledger), [(3, "rejected".to_owned(), 2, None)], "tried once, and held again");
    target.with(|w| w.refuses = None);
    decide(&ledger, &Decision::Retry);
    let report = filtered(&source, &target, &ledger, &all).await;
    assert!(report.failed.is_empty() && registered(&ledger).is_empty());
    assert_eq!(report.total.copied, 10);
}

#[tokio::test]
async fn a_message_that_may_pass_is_tried_by_every_pass() {
    let (source, target, ledger) = (source(), World::new(500), Ledger::in_memory().unwrap());
    source.with(|w| w.breaks = Some("letter 3"));
    for attempts in 1..=2 {
        filtered(&source, &target, &ledger, &MailFilter::default()).await;
        assert_eq!(registered(&ledger), [(3, "unreadable".to_owned(), attempts, None)]);
    }
    source.with(|w| w.breaks = None);
    let report = filtered(&source, &target, &ledger, &MailFilter::default()).await;
    assert_eq!(report.total.copied, 10);
    assert!(registered(&ledger).is_empty());
}

#[tokio::test]
async fn an_ignored_message_is_left_out_and_counted_until_somebody_says_retry() {
    let (source, target, ledger) = (source(), World::new(500), Ledger::in_memory().unwrap());
    target.with(|w| w.refuses = Some("letter 3"));
    let all = MailFilter::default();
    filtered(&source, &target, &ledger, &all).await;
    decide(&ledger, &Decision::Ignore("an old virus".to_owned()));
    for _ in 0..3 {
        let report = filtered(&source, &target, &ledger, &all).await;
        assert_eq!((excluded(&report), report.failed.len()), (vec![("ignored: an old virus", 1)], 0));
    }
    target.with(|w| w.refuses = None);
    decide(&ledger, &Decision::Retry);
    let report = filtered(&source, &target, &ledger, &all).await;
    assert_eq!((report.total.copied, excluded(&report)), (10, vec![]));
    assert_same(&source, &target);
}

#[tokio::test]
async fn another_target_is_given_what_the_first_one_refused() {
    let (source, target, ledger) = (source(), World::new(500), Ledger::in_memory().unwrap());
    target.with(|w| w.refuses = Some("letter 3"));
    filtered(&source, &target, &ledger, &MailFilter::default()).await;
    let other = World::new(900);
    let report = filtered(&source, &other, &ledger, &MailFilter::default()).await;
    assert_eq!((report.total.copied, report.failed.len()), (10, 0));
}
