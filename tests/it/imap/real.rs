//! Against a real Dovecot.

use std::{collections::BTreeMap, io::Read};

use rehome::{
    imap::{
        AppendMessage, AppendMode, AppendOutcome, AppendReport, Body, Connector, Created, Credential, Fetched,
        FetchedMessage, ImapErrorKind, InternalDate, ListDetail, Login, Quirk, Reader, SPILL_ABOVE, StoreMode,
        TlsRoots, UidRange, WireName,
    },
    model::{ImapSecurity, Secret, SpecialUse},
};

use super::{
    dovecot::{Dovecot, Setup},
    tls::{authority, pem},
};

fn message(body: impl Into<Vec<u8>>) -> AppendMessage {
    AppendMessage {
        flags: ["\\Seen".to_owned(), "$Forwarded".to_owned()].into(),
        internal_date: InternalDate::parse(" 7-Feb-1994 22:43:04 -0800"),
        body: Body::from(body.into()),
    }
}

fn uids(report: &AppendReport) -> Vec<u32> {
    assert!(report.error.is_none(), "{report:?}");
    let uid = |o: &AppendOutcome| match o {
        AppendOutcome::Appended(place) => place.uid.unwrap(),
        other => panic!("{other:?}"),
    };
    report.outcomes.iter().map(uid).collect()
}

async fn bodies(reader: &mut Reader, uids: &[u32]) -> BTreeMap<u32, FetchedMessage> {
    let mut stream = reader.fetch_bodies(uids).unwrap();
    let mut all = BTreeMap::new();
    while let Some(fetched) = stream.next().await.unwrap() {
        let Fetched::Message(m) = fetched else { panic!("{fetched:?}") };
        assert!(all.insert(m.uid, m).is_none(), "answered twice");
    }
    all
}

#[tokio::test]
async fn what_is_stored_is_read_back_octet_by_octet_in_every_mode() {
    let Some(server) = Dovecot::start(Setup::default()).await else { return };
    let connector = server.connector("anna@example.org", "secret");
    let mut w = connector.connect_writer().await.unwrap();
    let name = WireName::encode("Ablage");
    w.create(&name).await.unwrap();
    let mut batch: Vec<_> = (0..100).map(|n| message(format!("Subject: {n}\r\n\r\nbody {n}\r\n"))).collect();
    batch.push(message(*b"X: no final line end\r\n\r\nab"));
    batch.push(message(*b"X: bare cr\r\n\r\na\rb\r\n"));
    batch.push(message(*b"Subject: caf\xe9 \xff\r\n\r\n\x01\x80\xfe\r\n"));
    batch.push(message("header only\r\n"));
    batch.push(message(format!("A: b\r\n\r\n{}\r\n", "x".repeat(300_000))));
    batch.push(message("* 1 FETCH (BODY[] {3}\r\nr1 OK done\r\n+ go\r\n"));
    for mode in [AppendMode::Multi, AppendMode::Pipelined] {
        assert_eq!(w.append_mode(), mode);
        let report = w.append_many(&name, &batch).await;
        assert_eq!(report.mode, mode);
        let uids = uids(&report);
        w.examine(&name).await.unwrap();
        let all = bodies(&mut w, &uids).await;
        for (uid, want) in uids.iter().zip(&batch) {
            let got = &all[uid];
            assert_eq!((&got.body, got.flags.as_ref()), (&want.body, Some(&want.flags)), "UID {uid}");
            assert_eq!(got.internal_date.as_ref().unwrap().instant(), want.internal_date.instant());
        }
        let metas = w.fetch_meta(UidRange::from(uids[0])).await.unwrap();
        assert_eq!(metas.iter().map(|m| m.uid).collect::<Vec<_>>(), uids);
        assert!(metas.iter().zip(&batch).all(|(m, b)| m.size == Some(b.body.len()) && m.flags == b.flags));
        connector.quirks.learn(Quirk::MultiappendUnreliable);
    }
    w.logout().await;
}

#[tokio::test]
async fn a_large_message_passes_through_files_both_ways() {
    let Some(server) = Dovecot::start(Setup::default()).await else { return };
    let mut w = server.connector("anna", "secret").connect_writer().await.unwrap();
    let line = "0123456789abcdef".repeat(4) + "\r\n";
    let large = message("Subject: large\r\n\r\n".to_owned() + &line.repeat(20 * 1024 * 1024 / line.len()));
    let inbox = WireName::inbox();
    let first = w.append(&inbox, &large).await.unwrap().uid.unwrap();
    w.examine(&inbox).await.unwrap();
    let spilled = bodies(&mut w, &[first]).await.remove(&first).unwrap().body;
    assert!(spilled.bytes().is_none() && spilled.len() > SPILL_ABOVE);
    assert_eq!(spilled, large.body);
    // Now from a file, alone and among small ones.
    let again = AppendMessage { body: spilled, ..message("") };
    let mut uids =
        uids(&w.append_many(&inbox, &[message("a: b\r\n\r\n"), again.clone(), message("c: d\r\n\r\n")]).await);
    uids.push(w.append(&inbox, &again).await.unwrap().uid.unwrap());
    let all = bodies(&mut w, &uids).await;
    for uid in [uids[1], uids[3]] {
        assert_eq!(all[&uid].body.digest(), large.body.digest());
        let mut octets = Vec::new();
        all[&uid].body.reader().read_to_end(&mut octets).unwrap();
        assert_eq!(&octets, large.body.bytes().unwrap());
    }
}

#[tokio::test]
async fn passwords_and_names_of_every_kind_get_in() {
    let users = [
        ("plain", "hunter2"),
        ("quote", "a\"b\\c d"),
        ("accent", "p\u{e4}ss w\u{f6}rt \u{20ac}"),
        ("odd", "{5}%*()[]~ ' $"),
        ("empty-ish", " "),
    ];
    let Some(server) = Dovecot::start(Setup { users: &users, ..Setup::default() }).await else { return };
    for sasl in [true, false] {
        for (user, password) in users {
            let connector = server.connector(user, password);
            if !sasl {
                connector.quirks.learn(Quirk::SaslPlainRefused);
            }
            let found = connector.connect().await;
            assert!(found.is_ok(), "{user}, SASL {sasl}: {found:?} {}", server.log());
        }
    }
    let error = server.connector("plain", "wr\"ong").connect().await.unwrap_err();
    assert!(matches!(error.kind, ImapErrorKind::Auth { .. }), "{error}");
    assert!(!error.to_string().contains("wr\"ong"));
}

#[tokio::test]
async fn an_administrator_gets_into_the_mailbox_of_another() {
    let Some(server) = Dovecot::start(Setup::default()).await else { return };
    let mut own = server.connector("anna@example.org", "secret").connect_writer().await.unwrap();
    own.append(&WireName::inbox(), &message("a: b\r\n\r\n")).await.unwrap();
    let by_name = server.connector("anna@example.org*admin", "master secret");
    let authzid = Login {
        user: "admin".into(),
        authzid: Some("anna@example.org".into()),
        credential: Credential::Password(Secret::new("master secret".into())),
    };
    let by_authzid = Connector { login: authzid, ..by_name.clone() };
    for connector in [by_name, by_authzid] {
        let mut reader = connector.connect().await.unwrap();
        assert_eq!(reader.examine(&WireName::inbox()).await.unwrap().exists, 1);
    }
}

#[tokio::test]
async fn folders_of_every_name_are_made_found_and_opened_again() {
    let Some(server) = Dovecot::start(Setup::default()).await else { return };
    let mut w = server.connector("anna", "secret").connect_writer().await.unwrap();
    let names = [
        "Entw\u{fc}rfe",
        "R&D",
        "quote\"d",
        "back\\slash",
        "a b  c",
        "\u{65e5}\u{672c}/\u{8a9e}",
        "{5}",
        "100%",
        "*",
        "2024",
        "NIL",
    ];
    for text in names {
        let name = WireName::encode(text);
        assert_eq!(w.create(&name).await.unwrap(), Created::New, "{text}");
        assert_eq!(w.create(&name).await.unwrap(), Created::Existed, "{text}");
        w.append(&name, &message("a: b\r\n\r\n")).await.unwrap();
    }
    w.subscribe(&WireName::encode("R&D")).await.unwrap();
    for detail in [ListDetail::Sizes, ListDetail::Status, ListDetail::Names] {
        let listed = w.list_with(detail).await.unwrap();
        for text in names {
            let folder = listed.iter().find(|l| l.wire_name == text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(folder.path.0, text.split('/').collect::<Vec<_>>());
            assert_eq!(folder.subscribed, text == "R&D");
            assert_eq!(folder.status.map(|s| s.messages), (detail != ListDetail::Names).then_some(1));
            assert_eq!(folder.status.and_then(|s| s.octets), (detail == ListDetail::Sizes).then_some(8));
            assert_eq!(w.examine(&folder.name).await.unwrap().exists, 1);
        }
    }
    // The old way finds the same.
    let modern = w.list().await.unwrap();
    w.quirks().learn(Quirk::ListOptionsRefused);
    let rows = |mut l: Vec<rehome::imap::Listed>| {
        l.sort_by(|a, b| a.wire_name.cmp(&b.wire_name));
        l.into_iter().map(|l| (l.wire_name, l.selectable, l.subscribed, l.special_use, l.status)).collect::<Vec<_>>()
    };
    let old = rows(w.list().await.unwrap());
    assert_eq!(old, rows(modern));
    assert!(old.iter().any(|row| row.3 == Some(SpecialUse::Sent)) || old.iter().all(|row| row.0 != "Sent"));
    assert_eq!(w.namespace().await.unwrap()[0].delimiter, Some('/'));
}

#[tokio::test]
async fn messages_that_vanish_under_way_are_gone_and_the_rest_arrives() {
    let Some(server) = Dovecot::start(Setup::default()).await else { return };
    let connector = server.connector("anna", "secret");
    let inbox = WireName::inbox();
    let mut w = connector.connect_writer().await.unwrap();
    let batch: Vec<_> = (0..6).map(|n| message(format!("Subject: {n}\r\n\r\n"))).collect();
    let uids = uids(&w.append_many(&inbox, &batch).await);
    let mut r = connector.connect().await.unwrap();
    r.examine(&inbox).await.unwrap();
    server.doveadm(&["expunge", "-u", "anna", "mailbox", "INBOX", "uid", &format!("{},{}", uids[1], uids[4])]);
    let mut stream = r.fetch_bodies(&[uids.as_slice(), &[4_000_000]].concat()).unwrap();
    let (mut come, mut gone) = (Vec::new(), Vec::new());
    while let Some(fetched) = stream.next().await.unwrap() {
        match fetched {
            Fetched::Message(m) => come.push(m.uid),
            Fetched::Gone(uid) => gone.push(uid),
            Fetched::Failed { uid, error } => panic!("{uid}: {error}"),
        }
    }
    // Dovecot may still give out what it has open.
    assert!(gone.contains(&4_000_000));
    let mut all = [come.clone(), gone].concat();
    all.sort_unstable();
    assert_eq!(all, [uids.as_slice(), &[4_000_000]].concat());
    assert!([0, 2, 3, 5].iter().all(|n| come.contains(&uids[*n])));
    assert!(stream.unanswered().is_empty());
}

#[tokio::test]
async fn flags_change_and_changes_are_found_by_modseq() {
    let Some(server) = Dovecot::start(Setup::default()).await else { return };
    let mut w = server.connector("anna", "secret").connect_writer().await.unwrap();
    let inbox = WireName::inbox();
    let uids = uids(&w.append_many(&inbox, &[message("a: 1\r\n\r\n"), message("a: 2\r\n\r\n")]).await);
    let before = w.select(&inbox).await.unwrap();
    assert!(!before.read_only && before.permanent_flags.unwrap().contains(&"\\*".to_owned()));
    w.store_flags(&uids[1..], StoreMode::Replace, ["\\Flagged", "neu"]).await.unwrap();
    let since = before.highest_modseq.unwrap();
    let changed = w.fetch_changed(UidRange::ALL, since).await.unwrap();
    assert_eq!(changed.len(), 1);
    assert_eq!((changed[0].uid, changed[0].flags.len(), changed[0].modseq > Some(since)), (uids[1], 2, true));
    let status = w.status_with(&inbox, true).await.unwrap();
    assert_eq!((status.messages, status.uid_validity, status.octets), (2, before.uid_validity, Some(16)));
    let error = w.append(&WireName::encode("nowhere"), &message("a: b\r\n\r\n")).await.unwrap_err();
    assert_eq!(error.code(), Some(&rehome::imap::Code::TryCreate), "{error}");
    let mut bad = message("a: b\r\n\r\n");
    bad.flags.insert("\\NoSuchSystemFlag".to_owned());
    let report = w.append_many(&inbox, &[message("c: d\r\n\r\n"), bad]).await;
    assert!(report.outcomes.iter().all(|o| matches!(o, AppendOutcome::Refused(_))), "{report:?}");
    assert!(!w.is_usable(), "after BAD nobody knows what the server read as commands");
    let mut w = server.connector("anna", "secret").connect_writer().await.unwrap();
    assert_eq!(w.status(&inbox).await.unwrap().messages, 2);
}

/// Dovecot 2.3 answers BAD to flags and dates that it does not know, and then runs the lines of a literal that came
/// without its consent as commands.
#[tokio::test]
async fn the_lines_of_a_message_never_become_commands() {
    let Some(server) = Dovecot::start(Setup::default()).await else { return };
    let connector = server.connector("anna", "secret");
    let evil = "x1 CREATE hacked\r\nx2 NOOP\r\n";
    let mut flag = message(evil);
    flag.flags.insert("\\Evil".to_owned());
    let mut date = message(evil);
    date.internal_date = InternalDate::parse("01-Jan-0001 00:00:00 +0000");
    let mut keyword = message(evil);
    keyword.flags.insert("k".repeat(300));
    for mode in [AppendMode::Multi, AppendMode::Pipelined] {
        for odd in [&flag, &date, &keyword] {
            let mut w = connector.connect_writer().await.unwrap();
            assert_eq!(w.append_mode(), mode);
            w.append_many(&WireName::inbox(), &[message(evil), odd.clone(), message(evil)]).await;
            let mut w = connector.connect_writer().await.unwrap();
            let _ = w.append(&WireName::inbox(), odd).await;
            w.noop().await.unwrap();
            let listed = w.list().await.unwrap();
            assert!(listed.iter().all(|l| l.wire_name != "hacked"), "{odd:?}");
        }
        connector.quirks.learn(Quirk::MultiappendUnreliable);
    }
}

#[tokio::test]
async fn dovecot_is_proved_by_its_certificate_over_tls_and_starttls() {
    let ca = authority("authority of a test");
    let tls = Some(pem(&ca, &["localhost"]));
    let Some(server) = Dovecot::start(Setup { tls, ..Setup::default() }).await else { return };
    let roots = TlsRoots::only_pem(ca.pem().as_bytes()).unwrap();
    let mut connector = Connector { tls: roots, ..server.connector("anna", "secret") };
    for (security, port) in [(ImapSecurity::Tls, server.tls_port), (ImapSecurity::Starttls, server.port)] {
        connector.endpoint.security = security;
        connector.endpoint.port = port;
        connector.endpoint.host = "localhost".into();
        let mut w = connector.connect_writer().await.unwrap();
        let batch = [message("a: b\r\n\r\n"), message("x".repeat(3_000_000) + "\r\n")];
        let uids = uids(&w.append_many(&WireName::inbox(), &batch).await);
        w.examine(&WireName::inbox()).await.unwrap();
        assert_eq!(bodies(&mut w, &uids).await[&uids[1]].body, batch[1].body);
        connector.endpoint.host = "127.0.0.1".into();
        let error = connector.connect().await.unwrap_err().to_string();
        assert!(error.contains("not for 127.0.0.1; it is for localhost"), "{error}");
    }
}
