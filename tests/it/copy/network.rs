//! Servers that hand out tokens, fill up, limit connections, compress and change their certificates, by real Dovecots.

use std::sync::atomic::Ordering;

use rehome::{
    copy::CopyErrorClass,
    imap::{AppendOutcome, WireName},
    journal::ledger::Ledger,
};

use super::{
    Pair, corpus,
    corpus::fill,
    mail, pass, sorted,
    tokens::{End, Gate},
    without_empty,
};
use crate::imap::dovecot::{Dovecot, Setup};

#[tokio::test]
async fn a_token_that_expires_in_the_middle_loses_and_doubles_nothing() {
    for end in [End::Close, End::Bye] {
        let Some(pair) = Pair::start("").await else { return };
        fill(pair.source("a")).await;
        let before = sorted(pair.source("a")).await;
        let gate = Gate::start(pair.target.port, "a", 8_000, end).await;
        let ledger = Ledger::in_memory().unwrap();
        let report = pass(pair.source("a"), gate.connector(&pair.target("a")), &ledger).await.unwrap();
        assert!(report.failed.is_empty() && report.total.balances(), "{report:?}");
        assert!(gate.expired() > 0, "the test is about tokens that expire");
        assert!(gate.refused.load(Ordering::SeqCst) > 0, "and about ones that are stale when they are read");
        let there = without_empty(sorted(pair.target("a")).await);
        let count = |mail: &super::Mail| mail.values().map(Vec::len).sum::<usize>();
        assert_eq!(count(&there), count(&before), "{end:?}");
        assert_eq!(there["INBOX"], before["INBOX"], "{end:?}");
    }
}

const QUOTA: &str = "mail_plugins = quota\nprotocol imap {\n  mail_plugins = quota imap_quota\n}\n\
                     plugin {\n  quota = maildir:User quota\n  quota_rule = *:messages=5\n}";

#[tokio::test]
async fn a_target_that_was_full_gets_the_rest_when_it_has_room() {
    let Some(pair) = Pair::start(QUOTA).await else { return };
    fill(pair.source("a")).await;
    let before = without_empty(sorted(pair.source("a")).await);
    let ledger = Ledger::in_memory().unwrap();
    let error = pass(pair.source("a"), pair.target("a"), &ledger).await.unwrap_err();
    assert_eq!(error.class(), CopyErrorClass::Full, "{error:?}");
    let again = pass(pair.source("a"), pair.target("a"), &ledger).await.unwrap_err();
    assert_eq!(again.class(), CopyErrorClass::Full, "as long as it is full it is said to be: {again:?}");
    pair.target.change("messages=5", "messages=5000");
    let report = pass(pair.source("a"), pair.target("a"), &ledger).await.unwrap();
    assert!(report.failed.is_empty() && report.total.balances(), "{report:?}");
    let there = without_empty(sorted(pair.target("a")).await);
    let count = |mail: &super::Mail| mail.values().map(Vec::len).sum::<usize>();
    assert_eq!(count(&there), count(&before));
    assert_eq!(there["INBOX"], before["INBOX"]);
}

#[tokio::test]
async fn mail_goes_through_compression_unchanged_in_both_directions() {
    let zlib = "protocol imap {\n  mail_plugins = imap_zlib\n}";
    let Some(server) = Dovecot::start(Setup { extra: zlib, ..Setup::default() }).await else { return };
    fill(server.connector("a", "secret")).await;
    let plain = mail(server.connector("a", "secret")).await;
    let mut writer = server.connector("a", "secret").connect_writer().await.unwrap();
    assert!(writer.capabilities().compress(), "{:?}", writer.capabilities());
    writer.compress().await.unwrap();
    assert!(writer.is_compressed());
    writer.compress().await.unwrap();
    for folder in writer.list().await.unwrap().into_iter().filter(|f| f.selectable) {
        writer.examine(&folder.name).await.unwrap();
        let seen = corpus::read_all(&mut writer).await;
        let expected: Vec<&Vec<u8>> = plain[&folder.path.to_string()].iter().map(|(_, _, octets)| octets).collect();
        assert!(seen.iter().eq(expected), "{}", folder.path);
    }
    let body = vec![b'x'; 3 << 20];
    let message = corpus::outgoing(&[b"Subject: big\r\n\r\n".as_slice(), &body].concat());
    let report = writer.append_many(&WireName::inbox(), &[message.clone(), message]).await;
    assert!(report.outcomes.iter().all(|o| matches!(o, AppendOutcome::Appended(_))), "{report:?}");
    let after = mail(server.connector("a", "secret")).await;
    assert_eq!(after["INBOX"].len(), plain["INBOX"].len() + 2);
    assert!(after["INBOX"].last().unwrap().2.ends_with(&body));
}
