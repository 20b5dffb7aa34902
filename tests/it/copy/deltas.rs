//! What a later pass asks for: no more than what may have changed, and all of it when the server cannot be believed.

use std::collections::BTreeMap;

use rehome::{
    imap::{StoreMode, WireName},
    journal::ledger::Ledger,
    model::CopyReport,
};

use super::{
    Pair, corpus,
    corpus::fill,
    front::{Front, Heed, Odd},
    mail, pass, verify,
};
use crate::binary::Binary;

/// A Dovecot behind a front that hears what is asked for, and a target.
struct Heard {
    pair: Pair,
    front: Front,
    ledger: Ledger,
}

impl Heard {
    async fn start(odd: Odd) -> Option<Self> {
        let pair = Pair::start("").await?;
        fill(pair.source("a")).await;
        let front = Front::start(pair.source.port, odd).await;
        Some(Self { pair, front, ledger: Ledger::in_memory().unwrap() })
    }

    async fn pass(&self) -> CopyReport {
        let source = self.front.connector("a", "secret");
        let report = pass(source, self.pair.target("a"), &self.ledger).await.unwrap();
        assert!(report.failed.is_empty() && report.total.balances(), "{report:#?}");
        report
    }

    /// What a pass fetches from the source.
    async fn fetches(&self) -> (CopyReport, Vec<String>) {
        let before = self.front.heard("UID FETCH").len();
        let report = self.pass().await;
        let all = self.front.heard("UID FETCH").into_iter().skip(before);
        (report, all.map(|h| h.text.split_once("UID FETCH ").unwrap().1.trim_end().to_owned()).collect())
    }

    /// Deletes two messages of the inbox, the last one among them, changes the flags of another, and delivers one.
    async fn change(&self) {
        let mut writer = self.pair.source("a").connect_writer().await.unwrap();
        writer.select(&WireName::inbox()).await.unwrap();
        writer.store_flags(&[3, 92], StoreMode::Add, ["\\Deleted"]).await.unwrap();
        // Marked as deleted from the start; it stays.
        writer.store_flags(&[93], StoreMode::Replace, ["\\Draft"]).await.unwrap();
        writer.store_flags(&[5], StoreMode::Replace, ["\\Flagged", "$Later"]).await.unwrap();
        corpus::expunge(&self.pair.source, "a", "INBOX").await;
        corpus::append(&mut writer, "INBOX", &["\\Seen"], "1-Jan-2024 00:00:00 +0000", b"Subject: new\r\n\r\nx\r\n")
            .await;
        writer.logout().await;
    }

    /// The target has what the source has now, and what was deleted there after it was copied.
    async fn assert_up_to_date(&self, first: &CopyReport, second: &CopyReport) {
        assert_eq!(second.total.source, first.total.source - 2 + 1);
        assert_eq!(second.total.copied, second.total.source);
        let (there, here) = (mail(self.pair.target("a")).await, mail(self.pair.source("a")).await);
        assert_eq!(there["INBOX"].len(), here["INBOX"].len() + 2, "what was delivered stays");
        assert!(here["INBOX"].iter().all(|message| there["INBOX"].contains(message)));
        let proof = verify(self.pair.source("a"), self.pair.target("a"), &self.ledger).await;
        assert!(proof.ok, "{:?}", proof.findings);
    }
}

#[tokio::test]
async fn what_was_deleted_at_the_source_is_told_by_the_server_and_nothing_is_listed_again() {
    let Some(heard) = Heard::start(Odd::default()).await else { return };
    let first = heard.pass().await;
    heard.change().await;
    let (second, asked) = heard.fetches().await;
    heard.assert_up_to_date(&first, &second).await;
    let listed: Vec<&String> = asked.iter().filter(|text| text.contains("RFC822.SIZE")).collect();
    assert!(listed.iter().all(|text| text.contains("CHANGEDSINCE") && text.contains("VANISHED")), "{asked:#?}");
    assert_eq!(listed.len(), 1, "only the folder in which something happened: {asked:#?}");
    let (third, asked) = heard.fetches().await;
    assert!(asked.is_empty(), "{asked:#?}");
    assert_eq!(third.total.source, second.total.source);
}

#[tokio::test]
async fn a_server_that_tells_wrongly_what_vanished_is_listed() {
    fn vanished(with: &'static str) -> Odd {
        Odd::default().says(move |_, text| Some(if text.starts_with("* VANISHED") { with.to_owned() } else { text }))
    }
    let refuses = |word: &'static str| {
        Odd::default().hears(move |heard| match heard.text.contains(word) {
            true => Heed::Answer("$ BAD what?\r\n".to_owned()),
            false => Heed::Pass,
        })
    };
    let silent = Odd::default().hears(|heard| match heard.verb.as_str() {
        "ENABLE" => Heed::Answer("$ OK nothing\r\n".to_owned()),
        _ => Heed::Pass,
    });
    let odd = [
        ("none", vanished("")),
        ("too few", vanished("* VANISHED (EARLIER) 3\r\n")),
        ("others", vanished("* VANISHED (EARLIER) 10:12\r\n")),
        ("all", vanished("* VANISHED (EARLIER) 1:4294967295\r\n")),
        ("nonsense", vanished("* VANISHED (EARLIER) 3:*,x\r\n")),
        ("no ENABLE", refuses("ENABLE QRESYNC")),
        ("no VANISHED", refuses("VANISHED")),
        ("an OK that means nothing", silent),
    ];
    for (name, odd) in odd {
        let Some(heard) = Heard::start(odd).await else { return };
        let first = heard.pass().await;
        heard.change().await;
        let (second, asked) = heard.fetches().await;
        eprintln!("{name}: {asked:#?}");
        heard.assert_up_to_date(&first, &second).await;
    }
}

#[tokio::test]
async fn without_modification_sequences_only_flags_and_dates_of_what_is_known_are_asked_for() {
    let offers = "LITERAL+ UIDPLUS MULTIAPPEND NAMESPACE LIST-EXTENDED LIST-STATUS SPECIAL-USE";
    let Some(heard) = Heard::start(Odd::default().offers(offers).swallows("[HIGHESTMODSEQ")).await else { return };
    let first = heard.pass().await;
    heard.change().await;
    let (second, asked) = heard.fetches().await;
    heard.assert_up_to_date(&first, &second).await;
    let whole = |text: &&String| text.contains("RFC822.SIZE") && text.starts_with("1:");
    assert_eq!(asked.iter().filter(whole).count(), 1, "only the folder that was empty: {asked:#?}");
    assert!(asked.contains(&"1:93 (UID FLAGS INTERNALDATE)".to_owned()), "{asked:#?}");
    assert!(asked.contains(&"94:* (UID FLAGS INTERNALDATE RFC822.SIZE)".to_owned()), "{asked:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_with_nothing_to_do_asks_each_side_for_its_folders_once_and_for_nothing_else() {
    let Some(heard) = Heard::start(Odd::default()).await else { return };
    let target = Front::start(heard.pair.target.port, Odd::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let program = Binary::new(folder.path(), BTreeMap::from([("PASSWORD".to_owned(), "secret".to_owned())]));
    let words = [
        "copy".to_owned(),
        format!("--from=imap://a@127.0.0.1:{}", heard.front.port),
        format!("--to=imap://a@127.0.0.1:{}", target.port),
        "--from-password=env:PASSWORD".to_owned(),
        "--to-password=env:PASSWORD".to_owned(),
        "--quiet".to_owned(),
    ];
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    program.start("first", &words).unwrap().wait().expect(0);
    let before = [heard.front.verbs().len(), target.verbs().len()];
    program.start("second", &words).unwrap().wait().expect(0);
    for (front, before) in [&heard.front, &target].into_iter().zip(before) {
        let asked: Vec<String> = front.verbs().into_iter().skip(before).collect();
        assert_eq!(asked, ["LOGIN", "ID", "NAMESPACE", "LIST"]);
    }
}
