//! Servers that hand out tokens, fill up, limit connections, compress and change their certificates, by real Dovecots.

use std::{sync::atomic::Ordering, time::Duration};

use rehome::{
    copy::CopyErrorClass,
    imap::{AppendOutcome, TlsRoots, WireName},
    journal::ledger::Ledger,
    model::ImapSecurity,
};

use super::{
    Pair, corpus,
    corpus::fill,
    mail, pass, sorted,
    tokens::{End, Gate},
    wire::{Break, Way, Wire},
    without_empty,
};
use crate::imap::{
    dovecot::{Dovecot, Setup},
    tls::{Authority, authority, pem},
};

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

/// Gives a server another certificate, and waits until nobody meets the old one any more: processes that have the old
/// one serve for a moment beside those that have the new one.
async fn renewed(server: &Dovecot, certificate: (String, String), by: &Authority) {
    server.renew(certificate);
    let mut to = server.connector("a", "secret");
    (to.endpoint.port, to.endpoint.security) = (server.tls_port, ImapSecurity::Tls);
    to.tls = TlsRoots::only_pem(by.pem().as_bytes()).unwrap();
    let mut in_a_row = 0;
    while in_a_row < 10 {
        match to.connect().await {
            Ok(reader) => {
                reader.logout().await;
                in_a_row += 1;
            }
            Err(_) => {
                in_a_row = 0;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_is_renewed_in_the_middle_is_taken_when_it_is_valid_and_else_stops_the_copy() {
    let (one, two, stranger) = (authority("one"), authority("two"), authority("stranger"));
    let names = ["localhost", "127.0.0.1"];
    for (authority, valid) in [(&two, true), (&stranger, false)] {
        let Some(source) = Dovecot::start(Setup::default()).await else { return };
        let setup = Setup { tls: Some(pem(&one, &names)), ..Setup::default() };
        let Some(target) = Dovecot::start(setup).await else { return };
        fill(source.connector("a", "secret")).await;
        let before = without_empty(sorted(source.connector("a", "secret")).await);
        let wire = Wire::start(target.tls_port).await;
        let mut to = wire.connector(&target.connector("a", "secret"));
        to.endpoint.security = ImapSecurity::Tls;
        to.tls = TlsRoots::only_pem((one.pem() + &two.pem()).as_bytes()).unwrap();
        // The copy is still under way when the certificate is new.
        wire.breaks(Way::Up, 6_000, Break::Hold);
        let ledger = Ledger::in_memory().unwrap();
        let copy = pass(source.connector("a", "secret"), to.clone(), &ledger);
        let renewal = async {
            wire.breaking().await;
            renewed(&target, pem(authority, &names), authority).await;
            wire.ends_all();
        };
        let (copied, ()) = tokio::join!(copy, renewal);
        if valid {
            let report = copied.unwrap();
            assert!(report.failed.is_empty() && report.total.balances(), "{report:?}");
            // What is served now is the new one.
            to.tls = TlsRoots::only_pem(two.pem().as_bytes()).unwrap();
            to.connect().await.unwrap().logout().await;
        } else {
            let error = copied.unwrap_err();
            assert_ne!(error.class(), CopyErrorClass::Full, "{error:?}");
            let there: usize = mail(target.connector("a", "secret")).await.values().map(Vec::len).sum();
            assert!(there < before.values().map(Vec::len).sum(), "nothing is sent to a server that is not proved");
            // The right one comes back, and the copy goes on where it was.
            renewed(&target, pem(&one, &names), &one).await;
            let report = pass(source.connector("a", "secret"), to, &ledger).await.unwrap();
            assert!(report.failed.is_empty() && report.total.balances(), "{report:?}");
        }
        let there = without_empty(sorted(target.connector("a", "secret")).await);
        let count = |mail: &super::Mail| mail.values().map(Vec::len).sum::<usize>();
        assert_eq!((count(&there), &there["INBOX"]), (count(&before), &before["INBOX"]));
    }
}
