//! Storing messages through odd answers: nothing is called stored that is not, and nothing refused that may be stored.

use rehome::imap::{
    AppendMessage, AppendMode, AppendOutcome, AppendReport, Appended, Body, Created, ImapErrorKind, InternalDate,
    Quirk, RefusalKind, StoreMode, WireName, Writer,
};
use tokio::net::TcpListener;

use super::script::{Scripted, Wire, connector, logged_in};

const HEAD: &str = r#"C: $ APPEND "f" (\Seen) " 1-Jan-2020 00:00:00 +0000""#;

fn message(body: &str) -> AppendMessage {
    AppendMessage {
        flags: ["\\Seen".to_owned(), "\\Recent".to_owned()].into(),
        internal_date: InternalDate::parse("1-Jan-2020 00:00:00 +0000"),
        body: Body::from(body.as_bytes().to_vec()),
    }
}

fn folder() -> WireName {
    WireName::encode("f")
}

async fn writer(capabilities: &str, rest: &str) -> (Scripted, Writer) {
    let server = Scripted::start([logged_in(capabilities, &rest.replace("HEAD", HEAD))]).await;
    let writer = server.connector().connect_writer().await.unwrap();
    (server, writer)
}

fn shown(report: &AppendReport) -> String {
    let row = |o: &AppendOutcome| match o {
        AppendOutcome::Appended(a) => format!("stored {:?}", a.uid),
        AppendOutcome::Refused(r) => format!("refused {r}"),
        AppendOutcome::InDoubt => "in doubt".to_owned(),
        AppendOutcome::NotSent => "not sent".to_owned(),
    };
    report.outcomes.iter().map(row).collect::<Vec<_>>().join(", ")
}

#[tokio::test]
async fn a_refusal_before_the_literal_leaves_the_connection_in_step() {
    let (server, mut w) = writer(
        "UIDPLUS",
        "HEAD {3}
         S: * 5 EXISTS
         S: * OK [ALERT] nearly full
         S: $ NO [OVERQUOTA] full
         HEAD {3}
         S: * 6 EXISTS
         S: +
         C: abc
         S: * 7 EXISTS
         S: $ OK [APPENDUID 9 4] done",
    )
    .await;
    let error = w.append(&folder(), &message("abc")).await.unwrap_err();
    assert!(error.is_refusal() && error.to_string().contains("[OVERQUOTA] full"), "{error}");
    let place = w.append(&folder(), &message("abc")).await.unwrap();
    assert_eq!(place, Appended { uid_validity: Some(9), uid: Some(4) });
    server.done().await;
}

#[tokio::test]
async fn an_ok_before_the_message_was_sent_is_not_believed() {
    let (server, mut w) = writer("UIDPLUS", "HEAD {3}\nS: $ OK [APPENDUID 1 1] done\nZ").await;
    let error = w.append(&folder(), &message("abc")).await.unwrap_err();
    assert!(matches!(error.kind, ImapErrorKind::Protocol(_)) && !w.is_usable(), "{error}");
    drop(w);
    server.done().await;
}

#[tokio::test]
async fn many_messages_go_in_one_command_and_share_its_fate() {
    let many = "HEAD {1+}
         C: a (\\Seen) \" 1-Jan-2020 00:00:00 +0000\" {2+}
         C: bc (\\Seen) \" 1-Jan-2020 00:00:00 +0000\" {0+}
         C: ";
    let (server, mut w) = writer(
        "MULTIAPPEND LITERAL+ UIDPLUS",
        &format!(
            "{many}
             S: $ OK [APPENDUID 9 6,3:4] done
             {many}
             S: $ OK [APPENDUID 9 1:900000000] liar
             {many}
             S: $ OK no UIDs
             {many}
             S: $ NO [LIMIT] no
             {many}
             S: * BYE Request is throttled. Suggested Backoff Time: 5 milliseconds
             X"
        ),
    )
    .await;
    assert_eq!(w.append_mode(), AppendMode::Multi);
    let batch = [message("a"), message("bc"), message("")];
    let mut all = Vec::new();
    for _ in 0..5 {
        let report = w.append_many(&folder(), &batch).await;
        all.push(shown(&report));
        if let Some(e) = report.error {
            all.push(format!("{:?}", e.wants_pause()));
        }
    }
    insta::assert_snapshot!(all.join("\n"), @r"
    stored Some(6), stored Some(3), stored Some(4)
    stored None, stored None, stored None
    stored None, stored None, stored None
    refused [LIMIT] no, refused [LIMIT] no, refused [LIMIT] no
    in doubt, in doubt, in doubt
    Some(Some(5))
    ");
    let report = w.append_many(&folder(), &batch).await;
    assert_eq!(shown(&report), "not sent, not sent, not sent");
    server.done().await;
}

#[tokio::test]
async fn what_was_learned_changes_how_messages_go() {
    let (server, mut w) = writer(
        "MULTIAPPEND LITERAL+ UIDPLUS",
        "HEAD {1+}
         C: a
         S: $ OK [APPENDUID 1 2] swapped",
    )
    .await;
    w.quirks().learn(Quirk::MultiappendUnreliable);
    w.quirks().learn(Quirk::AppendUidUnreliable);
    assert_eq!(w.append_mode(), AppendMode::Pipelined);
    assert_eq!(w.append(&folder(), &message("a")).await.unwrap(), Appended::default());
    server.done().await;
}

#[tokio::test]
async fn commands_in_flight_are_settled_each_by_its_own_tag() {
    let (server, mut w) = writer(
        "LITERAL- UIDPLUS",
        "HEAD {1+}
         C: a
         HEAD {2+}
         C: bb
         HEAD {3+}
         C: ccc
         S: $ OK [APPENDUID 1 12] c
         S: * 1 EXISTS
         S: $1 NO [CANNOT] bad header
         S: $2 OK [APPENDUID 1 10] a",
    )
    .await;
    let mut batch = vec![message("a"), message("bb"), message("ccc"), message("x"), message("y")];
    batch[3].flags.insert("no flag".to_owned());
    batch[4].internal_date = InternalDate::parse("some day");
    let report = w.append_many(&folder(), &batch).await;
    assert!(report.error.is_none() && report.mode == AppendMode::Pipelined);
    insta::assert_snapshot!(shown(&report), @r#"stored Some(10), refused [CANNOT] bad header, stored Some(12), refused "no flag" is not a flag that IMAP can carry, refused "some day" is not a date"#);
    server.done().await;
}

#[tokio::test]
async fn large_messages_ask_first_in_the_middle_of_a_pipeline() {
    let large = "x".repeat(5000);
    let (server, mut w) = writer(
        "LITERAL-",
        &format!(
            "HEAD {{1+}}
             C: a
             HEAD {{5000}}
             S: $1 OK
             S: $ NO [TOOBIG] too large
             HEAD {{5000}}
             S: +
             C: {large}
             HEAD {{1+}}
             C: b
             S: $1 OK
             S: $ OK"
        ),
    )
    .await;
    let batch = [message("a"), message(&large), message(&large), message("b")];
    let report = w.append_many(&folder(), &batch).await;
    assert_eq!(shown(&report), "stored None, refused [TOOBIG] too large, stored None, stored None");
    server.done().await;
}

#[tokio::test]
async fn without_literal_plus_one_message_follows_the_other() {
    let (server, mut w) = writer(
        "UIDPLUS",
        "HEAD {1}
         S: +
         C: a
         S: $ OK [APPENDUID 1 1]
         HEAD {1}
         S: + go
         C: b
         S: $ BAD Command Argument Error. 11
         HEAD {1}
         S: $ NO [TRYCREATE] no such folder",
    )
    .await;
    let report = w.append_many(&folder(), &["a", "b", "c", "d"].map(message)).await;
    assert_eq!(report.mode, AppendMode::Single);
    assert_eq!(
        shown(&report),
        "stored Some(1), refused Command Argument Error. 11, refused [TRYCREATE] no such folder, not sent"
    );
    server.done().await;
}

#[tokio::test]
async fn a_lost_connection_leaves_doubt_only_where_there_is_doubt() {
    let (server, mut w) = writer(
        "LITERAL+ UIDPLUS",
        "HEAD {1+}
         C: a
         HEAD {1+}
         C: b
         HEAD {300000}
         S: $2 OK [APPENDUID 1 1] a
         X",
    )
    .await;
    let large = "x".repeat(300_000);
    let report = w.append_many(&folder(), &[message("a"), message("b"), message(&large), message("d")]).await;
    assert_eq!(shown(&report), "stored Some(1), in doubt, in doubt, not sent");
    assert!(matches!(report.error.unwrap().kind, ImapErrorKind::Lost(_)));
    server.done().await;
}

#[tokio::test]
async fn throttling_stops_the_rest() {
    let (server, mut w) = writer(
        "",
        "HEAD {1}
         S: $ NO Request is throttled. Suggested Backoff Time: 300000 milliseconds",
    )
    .await;
    let report = w.append_many(&folder(), &["a", "b"].map(message)).await;
    let AppendOutcome::Refused(refusal) = &report.outcomes[0] else { panic!("{report:?}") };
    assert_eq!(refusal.kind, RefusalKind::Throttled(Some(300_000)));
    assert_eq!(report.outcomes[1], AppendOutcome::NotSent);
    server.done().await;
}

/// A server that writes before it reads: far more than the sockets' buffers hold, in both directions.
#[tokio::test]
async fn a_server_that_talks_while_it_is_written_to_blocks_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let mut wire = Wire::new(listener.accept().await.unwrap().0);
        wire.follow(&logged_in("LITERAL+", "")).await;
        let flood = format!("* OK {}\r\n* 5 EXISTS\r\n", "x".repeat(8000)).into_bytes().repeat(20);
        let mut stored = 0;
        for _ in 0..60 {
            wire.expect("$ APPEND …").await;
            for _ in 0..10 {
                wire.send(&flood).await;
            }
            assert_eq!(wire.octets(200_002).await.len(), 200_002);
            stored += 1;
            wire.follow("S: $ OK stored").await;
        }
        stored
    });
    let mut w = connector(port, rehome::model::ImapSecurity::Plain).connect_writer().await.unwrap();
    let batch = vec![message(&"x".repeat(200_000)); 60];
    let report = w.append_many(&folder(), &batch).await;
    assert!(report.outcomes.iter().all(|o| matches!(o, AppendOutcome::Appended(_))), "{report:?}");
    assert_eq!(server.await.unwrap(), 60);
}

/// The same with a refusal that comes before the literal is through.
#[tokio::test]
async fn a_refusal_in_the_middle_of_a_literal_leaves_the_connection_in_step() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let mut wire = Wire::new(listener.accept().await.unwrap().0);
        wire.follow(&logged_in("LITERAL+", "C: $ APPEND …\nS: $ NO [OVERQUOTA] full")).await;
        wire.send(&format!("* OK {}\r\n", "x".repeat(8000)).into_bytes().repeat(1000)).await;
        wire.octets(250_002).await;
        wire.follow("C: $ NOOP\nS: $ OK").await;
    });
    let mut w = connector(port, rehome::model::ImapSecurity::Plain).connect_writer().await.unwrap();
    let error = w.append(&folder(), &message(&"x".repeat(250_000))).await.unwrap_err();
    assert!(error.is_refusal(), "{error}");
    w.noop().await.unwrap();
    server.await.unwrap();
}

#[tokio::test]
async fn a_folder_exists_only_if_the_server_lists_exactly_it() {
    let (server, mut w) = writer(
        "",
        "C: $ CREATE \"f\"
         S: $ NO [ALREADYEXISTS] is there
         C: $ LIST \"\" \"f\"
         S: * LIST () \"/\" f
         S: $ OK
         C: $ CREATE \"f\"
         S: $ NO Mailbox already exists
         C: $ LIST \"\" \"f\"
         S: * LIST () \"/\" F
         S: $ OK
         C: $ CREATE {2}
         S: +
         C: \"x
         S: $ OK",
    )
    .await;
    assert_eq!(w.create(&folder()).await.unwrap(), Created::Existed);
    assert!(w.create(&folder()).await.unwrap_err().to_string().contains("already exists"));
    assert_eq!(w.create(&WireName::encode("\"x")).await.unwrap(), Created::New);
    assert!(matches!(w.create(&WireName::from_wire("a\0b")).await.unwrap_err().kind, ImapErrorKind::Invalid(_)));
    server.done().await;
}

#[tokio::test]
async fn flags_are_stored_in_short_commands() {
    let (server, mut w) = writer(
        "",
        "C: $ SELECT \"f\"
         S: * 9 EXISTS
         S: * OK [UIDVALIDITY 1] x
         S: $ OK [READ-WRITE] open
         C: $ UID STORE 1:3,7 +FLAGS.SILENT (\\Flagged)
         S: * 1 FETCH (FLAGS (\\\\Flagged))
         S: $ OK
         C: $ UID STORE 9 FLAGS.SILENT ()
         S: $ NO [CANNOT] no",
    )
    .await;
    let selected = w.select(&folder()).await.unwrap();
    assert!(!selected.read_only);
    w.store_flags(&[3, 2, 1, 7], StoreMode::Add, ["\\Flagged"]).await.unwrap();
    assert!(w.store_flags(&[9], StoreMode::Replace, []).await.unwrap_err().is_refusal());
    assert!(matches!(w.store_flags(&[9], StoreMode::Add, ["a b"]).await.unwrap_err().kind, ImapErrorKind::Invalid(_)));
    server.done().await;
}

#[tokio::test]
async fn octets_of_zero_go_in_a_literal8() {
    let script = "HEAD ~{3+}\nC: a\0b\nS: $ OK [APPENDUID 1 7] done";
    let (server, mut w) = writer("BINARY LITERAL+ UIDPLUS", script).await;
    let place = w.append(&folder(), &message("a\0b")).await.unwrap();
    assert_eq!(place.uid, Some(7));
    server.done().await;
}
