//! Looking at folders and messages through odd answers.

use futures::FutureExt;
use rehome::{
    imap::{Fetched, ImapError, ImapErrorKind, Listed, Quirk, Reader, UidRange, WireName},
    model::SpecialUse,
};

use super::script::{Scripted, logged_in};

const OPEN: &str = "
    C: $ EXAMINE \"INBOX\"
    S: * 3 EXISTS
    S: * OK [UIDVALIDITY 7] x
    S: * OK [UIDNEXT 10] x
    S: $ OK [READ-ONLY] open
";

async fn reader(capabilities: &str, rest: &str) -> (Scripted, Reader) {
    let server = Scripted::start([logged_in(capabilities, rest)]).await;
    let reader = server.connector().connect().await.unwrap();
    (server, reader)
}

async fn opened(rest: &str) -> (Scripted, Reader) {
    let (server, mut reader) = reader("", &format!("{OPEN}{rest}")).await;
    reader.examine(&WireName::inbox()).await.unwrap();
    (server, reader)
}

/// Runs every reading command against a server that says `last` in place of the tagged OK.
async fn every_command(last: &str) -> Vec<ImapError> {
    let mut errors = Vec::new();
    for n in 0..8 {
        let (server, mut r) = reader("NAMESPACE CONDSTORE", &format!("C: $ …\n{last}")).await;
        let inbox = WireName::inbox();
        let error = match n {
            0 => r.noop().await.unwrap_err(),
            1 => r.namespace().await.unwrap_err(),
            2 => r.list().await.unwrap_err(),
            3 => r.status(&inbox).await.unwrap_err(),
            4 => r.examine(&inbox).await.unwrap_err(),
            _ => {
                let (server, mut r) = opened(&format!("C: $ UID FETCH …\n{last}")).await;
                let error = match n {
                    5 => r.fetch_meta(UidRange::ALL).await.unwrap_err(),
                    6 => r.fetch_bodies(&[1, 2]).unwrap().next().await.unwrap_err(),
                    _ => {
                        let mut bodies = r.fetch_bodies(&[4]).unwrap();
                        let error = bodies.next().await.unwrap_err();
                        assert_eq!(bodies.unanswered(), [4]);
                        error
                    }
                };
                assert!(!r.is_usable());
                drop(r);
                server.done().await;
                errors.push(error);
                continue;
            }
        };
        drop(r);
        server.done().await;
        errors.push(error);
    }
    errors
}

#[tokio::test]
async fn a_connection_that_ends_before_the_tag_is_never_success() {
    let untagged = "S: * STATUS INBOX (MESSAGES 0 UIDVALIDITY 1 UIDNEXT 1)\nS: * 0 EXISTS\nS: * OK [UIDVALIDITY 1] x\n
                    S: * NAMESPACE NIL NIL NIL";
    for error in every_command(&format!("{untagged}\nX")).await {
        assert!(matches!(error.kind, ImapErrorKind::Lost(_)), "{error}");
    }
    for error in every_command(&format!("{untagged}\nS: * BYE shutting down\nX")).await {
        assert!(matches!(error.kind, ImapErrorKind::Bye { .. }), "{error}");
        assert!(error.to_string().contains("shutting down"));
    }
}

#[tokio::test]
async fn the_answer_to_another_tag_is_never_success() {
    for error in every_command("S: zz9 OK done\nZ").await {
        assert!(matches!(error.kind, ImapErrorKind::Protocol(_)), "{error}");
    }
}

#[tokio::test]
async fn a_refusal_after_data_is_never_success() {
    let script =
        "C: $ …\nS: * STATUS INBOX (MESSAGES 0 UIDVALIDITY 1)\nS: * LIST () \"/\" a\nS: $ NO disk read failure";
    let (server, mut r) = reader("", &format!("{script}\n{script}\n{script}")).await;
    let errors =
        [r.noop().await.unwrap_err(), r.list().await.unwrap_err(), r.status(&WireName::inbox()).await.unwrap_err()];
    for error in errors {
        assert!(matches!(error.kind, ImapErrorKind::No { .. }), "{error}");
    }
    assert!(r.is_usable());
    server.done().await;
}

#[tokio::test]
async fn a_command_that_was_abandoned_closes_the_connection_to_further_ones() {
    let (server, mut r) = reader("", "C: $ NOOP\nZ").await;
    assert!(r.noop().now_or_never().is_none());
    let error = r.noop().await.unwrap_err();
    assert!(matches!(error.kind, ImapErrorKind::Unusable(_)), "{error}");
    drop(r);
    let (other, mut r) = opened("Z").await;
    assert!(r.fetch_bodies(&[1]).unwrap().next().now_or_never().is_none());
    assert!(matches!(r.noop().await.unwrap_err().kind, ImapErrorKind::Unusable(_)));
    drop(r);
    drop((server, other));
}

#[tokio::test]
async fn silence_ends_in_a_timeout_that_names_the_command() {
    let server = Scripted::start([logged_in("", "C: $ NOOP\nZ")]).await;
    let mut connector = server.connector();
    connector.timeouts.idle = std::time::Duration::from_millis(20);
    let mut r = connector.connect().await.unwrap();
    let error = r.noop().await.unwrap_err();
    assert!(matches!(error.kind, ImapErrorKind::Timeout(_)) && error.command == "NOOP", "{error}");
}

#[tokio::test]
async fn endless_lines_and_literals_are_refused() {
    let long = "x".repeat((1 << 20) + 1);
    for last in [format!("S> * OK {long}\nZ"), "S: * 1 FETCH (BODY[] {9999999999999}\nZ".to_owned()] {
        let (_server, mut r) = reader("", &format!("C: $ NOOP\n{last}")).await;
        let error = r.noop().await.unwrap_err();
        assert!(matches!(error.kind, ImapErrorKind::TooLong { .. }), "{error}");
    }
}

#[tokio::test]
async fn unknown_answers_stray_prompts_and_alerts_are_survived() {
    let (server, mut r) = reader(
        "",
        "C: $ NOOP
         S: +
         S: * ESEARCH (TAG \"x\") UID COUNT 5
         S: * THREAD (1 2)(3)
         S: * 5 EXPUNGE
         S: * VANISHED (EARLIER) 1:5
         S: * XYZZY {3}
         S: a)b
         S:
         S: * OK [ALERT] Mailbox is at 99 % {12}
         S: * OK
         S: $ OK",
    )
    .await;
    r.noop().await.unwrap();
    assert_eq!(r.take_alerts(), ["Mailbox is at 99 % {12}"]);
    assert!(r.take_alerts().is_empty());
    server.done().await;
}

#[tokio::test]
async fn opening_a_folder_belongs_to_that_folder_alone() {
    let (server, mut r) = reader(
        "CONDSTORE",
        "C: $ EXAMINE \"a\" (CONDSTORE)
         S: * 99 EXISTS
         S: * OK [UIDVALIDITY 1] of the old folder
         S: * OK [CLOSED] it
         S: * FLAGS (\\\\Seen a]b \\xe9)
         S: * 2 EXISTS
         S: * 0 RECENT
         S: * OK [HIGHESTMODSEQ 18446744073709551615]
         S: * OK [UIDVALIDITY 4294967295] x
         S: * OK [PERMANENTFLAGS ()] none
         S: * NO [UIDNOTSTICKY] no UIDs
         S: $ OK [READ-ONLY] open
         C: $ EXAMINE \"b\" (CONDSTORE)
         S: * 2 EXISTS
         S: $ OK open
         C: $ EXAMINE \"c\" (CONDSTORE)
         S: * OK [UIDVALIDITY 5] x
         S: $ OK open",
    )
    .await;
    let s = r.examine(&WireName::encode("a")).await.unwrap();
    assert_eq!((s.exists, s.uid_validity, s.uid_next), (2, u32::MAX, None));
    assert_eq!((s.highest_modseq, s.permanent_flags, s.uid_not_sticky), (Some(u64::MAX), Some(vec![]), true));
    assert_eq!(s.flags, ["\\Seen", "a]b", "é"]);
    for name in ["b", "c"] {
        let error = r.examine(&WireName::encode(name)).await.unwrap_err();
        assert!(matches!(error.kind, ImapErrorKind::Protocol(_)), "{error}");
        assert!(r.selected().is_none() && r.is_usable());
        assert!(matches!(r.fetch_meta(UidRange::ALL).await.unwrap_err().kind, ImapErrorKind::Invalid(_)));
    }
    server.done().await;
}

#[tokio::test]
async fn messages_are_read_through_every_known_oddity() {
    let (server, mut r) = opened(
        "C: $ UID FETCH 2:* (UID FLAGS INTERNALDATE RFC822.SIZE)
         S: * 900 FETCH (RFC822.SIZE 10 FLAGS (\\\\Seen \\\\Recent \\x24MDNSent) INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" UID 2)
         S: * 4 EXISTS
         S: * 2 FETCH (FLAGS (\\\\Answered))
         S: * 3 EXPUNGE
         S: * 2 FETCH (UID 0 FLAGS ())
         S: * 3 FETCH (  UID 3 INTERNALDATE NIL FLAGS NIL X-GM-MSGID 12 ENVELOPE (\"a\" NIL ((NIL NIL \"b\" {1}
         S: c))) )
         S: * 4 FETCH (UID 4 RFC822.SIZE -1)
         S: * 4 FETCH (FLAGS (\\xe9t\\xe9 NonJunk) UID 4)
         S: * 5 FETCH (UID 1 FLAGS (\\\\Deleted))
         S: $ OK done",
    )
    .await;
    let metas = r.fetch_meta(UidRange::from(2)).await.unwrap();
    server.done().await;
    let rows: Vec<String> = metas
        .iter()
        .map(|m| {
            let date = m.internal_date.as_ref().and_then(|d| d.instant());
            format!("{} {:?} {} {date:?} {:?}", m.uid, m.flags, m.flags_missing, m.size)
        })
        .collect();
    insta::assert_snapshot!(rows.join("\n"), @r#"
    2 {"$MDNSent", "\\Seen"} false Some(1996-07-17T09:44:25Z) Some(10)
    3 {} false None None
    4 {"NonJunk", "été"} false None None
    "#);
}

#[tokio::test]
async fn a_message_is_never_absent_because_its_answer_was_odd() {
    for odd in
        ["* 1 FETCH (UID 99999999999 FLAGS ())", "* 1 FETCH (UID 1 FLAGS (", "* 1 FETCH UID 1", "* 1 FETCH (UID x)"]
    {
        let (server, mut r) = opened(&format!("C: $ UID FETCH …\nS: {odd}\nS: $ OK done")).await;
        let error = r.fetch_meta(UidRange::ALL).await.unwrap_err();
        assert!(matches!(error.kind, ImapErrorKind::Protocol(_)), "{odd}: {error}");
        server.done().await;
    }
}

#[tokio::test]
async fn a_server_that_stops_half_way_is_asked_for_the_rest() {
    for (first, stopped, next, last) in [("1:*", 5, "1:4", 4), ("1:*", 5, "6:*", 6)] {
        let shown = if next == "1:4" { 9 } else { 2 };
        let (server, mut r) = opened(&format!(
            "C: $ UID FETCH {first} …
             S: * 1 FETCH (UID {shown} FLAGS ())
             S: * 2 FETCH (UID {stopped} FLAGS ())
             S: $ OK [MESSAGELIMIT 2 {stopped}] partial
             C: $ UID FETCH {next} …
             S: * 1 FETCH (UID {last} FLAGS ())
             S: $ OK done"
        ))
        .await;
        let mut want = [shown, stopped, last];
        want.sort_unstable();
        let uids: Vec<u32> = r.fetch_meta(UidRange::ALL).await.unwrap().iter().map(|m| m.uid).collect();
        assert_eq!(uids, want);
        server.done().await;
    }
}

async fn all_bodies(r: &mut Reader, uids: &[u32]) -> Vec<String> {
    let mut bodies = r.fetch_bodies(uids).unwrap();
    let mut out = Vec::new();
    while let Some(fetched) = bodies.next().await.unwrap() {
        out.push(match fetched {
            Fetched::Message(m) => format!("{} {:?}", m.uid, m.body.bytes().unwrap()),
            Fetched::Gone(uid) => format!("{uid} gone"),
            Fetched::Failed { uid, error } => format!("{uid} {}", error.to_string().split_once(": ").unwrap().1),
        });
    }
    out
}

#[tokio::test]
async fn bodies_come_in_every_shape() {
    let (server, mut r) = opened(
        "C: $ UID FETCH 1:8 (UID FLAGS INTERNALDATE BODY.PEEK[])
         S: * 1 FETCH (BODY[] {5}
         S> a\\r\\n\\0\\xff
         S:  UID 1)
         S: * 2 FETCH (UID 2 BODY[] \"q\\\\\"uoted\")
         S: * 3 FETCH (UID 3 BODY[] NIL)
         S: * 9 FETCH (UID 9 BODY[] \"nobody asked\")
         S: * 4 FETCH (UID 4 FLAGS (\\\\Seen))
         S: * 1 FETCH (UID 1 BODY[] \"again\")
         S: * 5 FETCH (BODY[] {0}
         S:  UID 5 FLAGS ())
         S: * 6 FETCH (UID 6 BODY[]<0> \"part\")
         S: * 7 FETCH (UID 7 BODY[HEADER] \"h\" BODY[] ~{2}
         S: ab)
         S: $ OK done
         C: $ NOOP
         S: $ OK
         C: $ UID FETCH 3:4,6,8 (UID)
         S: * 3 FETCH (UID 3)
         S: * 6 FETCH (UID 6)
         S: $ OK done",
    )
    .await;
    let got = all_bodies(&mut r, &[1, 2, 3, 4, 5, 6, 7, 8]).await;
    insta::assert_snapshot!(got.join("\n"), @r#"
    1 b"a\r\n\0\xff"
    2 b"q\"uoted"
    5 b""
    7 b"ab"
    3 the server broke the protocol: it has no body for this message (NIL)
    4 gone
    6 the server broke the protocol: it lists the message and does not send it
    8 gone
    "#);
    r.logout().now_or_never();
    server.done().await;
}

#[tokio::test]
async fn one_bad_message_costs_no_other() {
    let (server, mut r) = opened(
        "C: $ UID FETCH 1:4 …
         S: * 1 FETCH (UID 1 BODY[] \"a\")
         S: $ NO [UNAVAILABLE] UID FETCH Server error
         C: $ UID FETCH 2 …
         C: $ UID FETCH 3:4 …
         S: * 2 FETCH (UID 2 BODY[] \"b\")
         S: $1 OK
         S: $ NO [UNAVAILABLE] UID FETCH Server error
         C: $ UID FETCH 3 …
         C: $ UID FETCH 4 …
         S: $1 NO [UNAVAILABLE] UID FETCH Server error
         S: * 4 FETCH (UID 4 BODY[] \"d\")
         S: $ OK
         C: $ NOOP
         S: $ OK
         C: $ UID FETCH 3 (UID)
         S: * 3 FETCH (UID 3)
         S: $ OK",
    )
    .await;
    let got = all_bodies(&mut r, &[1, 2, 3, 4]).await;
    insta::assert_snapshot!(got.join("\n"), @r#"
    1 b"a"
    2 b"b"
    4 b"d"
    3 the server refused: [UNAVAILABLE] UID FETCH Server error
    "#);
    server.done().await;
}

#[tokio::test]
async fn a_request_to_slow_down_blames_no_message() {
    let (server, mut r) = opened(
        "C: $ UID FETCH 1:2 …
         S: $ BAD Request is throttled. Suggested Backoff Time: 299961 milliseconds",
    )
    .await;
    let mut bodies = r.fetch_bodies(&[1, 2]).unwrap();
    let error = bodies.next().await.unwrap_err();
    assert_eq!(error.wants_pause(), Some(Some(299_961)), "{error}");
    assert_eq!(bodies.unanswered(), [1, 2]);
    server.done().await;
}

#[tokio::test]
async fn a_body_that_belongs_to_nobody_is_an_error() {
    let (server, mut r) = opened("C: $ UID FETCH 1 …\nS: * 1 FETCH (BODY[] \"x\")\nS: $ OK").await;
    let error = r.fetch_bodies(&[1]).unwrap().next().await.unwrap_err();
    assert!(error.to_string().contains("without its UID"), "{error}");
    assert!(!r.is_usable());
    server.done().await;
}

fn row(l: &Listed) -> String {
    let status = l.status.map_or("-".to_owned(), |s| format!("{}/{}", s.messages, s.uid_validity));
    let mut marks = String::new();
    for (mark, on) in [("s", l.subscribed), ("o", l.selectable), ("n", l.non_existent)] {
        marks.push_str(if on { mark } else { "" });
    }
    format!(
        "{:?} {:?} {marks} {status} {}",
        l.path.0,
        l.name,
        l.special_use.map_or(String::new(), |u| format!("{u:?}"))
    )
}

fn rows(listed: &[Listed]) -> String {
    listed.iter().map(row).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn one_round_trip_lists_everything_where_that_is_offered() {
    let (server, mut r) = reader(
        "LIST-EXTENDED SPECIAL-USE LIST-STATUS CONDSTORE STATUS=SIZE",
        "C: $ LIST \"\" \"*\" RETURN (SUBSCRIBED SPECIAL-USE STATUS (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ))
         S: * LIST (\\\\Subscribed) \"/\" inbox
         S: * STATUS INBOX (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 9 HIGHESTMODSEQ 5 MAILBOXID (x) APPENDLIMIT NIL)
         S: * LIST (\\\\HasChildren \\\\NonExistent) \"/\" gone (CHILDINFO (\"SUBSCRIBED\"))
         S: * LIST (\\\\Sent) \"/\" \"Gesendet\"
         S: * STATUS Gesendet (UIDVALIDITY 2 MESSAGES 0)
         S: $ OK done",
    )
    .await;
    let listed = r.list().await.unwrap();
    insta::assert_snapshot!(rows(&listed), @r#"
    ["INBOX"] "inbox" so 3/9 
    ["gone"] "gone" n - 
    ["Gesendet"] "Gesendet" o 0/2 Sent
    "#);
    server.done().await;
}

#[tokio::test]
async fn only_options_that_are_advertised_are_sent() {
    let (server, mut r) = reader(
        "LIST-EXTENDED",
        "C: $ LIST \"\" \"*\" RETURN (SUBSCRIBED)
         S: * LIST () \".\" a
         S: $ OK done
         C: $ STATUS \"a\" (MESSAGES UIDNEXT UIDVALIDITY)
         S: * STATUS \"a\" (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 3)
         S: $ OK done",
    )
    .await;
    assert_eq!(r.list().await.unwrap().len(), 1);
    server.done().await;
}

#[tokio::test]
async fn a_server_that_advertises_options_and_refuses_them_is_listed_the_old_way() {
    let (server, mut r) = reader(
        "LIST-EXTENDED",
        "C: $ LIST \"\" \"*\" RETURN …
         S: $ BAD Unknown parameters
         C: $ LIST \"\" \"*\"
         S: * LIST () NIL 2024
         S: * LIST (\\\\Noselect) \"/\" {6}
         S: Parent
         S: * LIST () \"\\\\\\\\\" \"a\\\\b\\\\\\\\c\"
         S: * LIST () \"/\" \"Entw&APw-rfe\"
         S: * LIST () \"/\" \"R&D\"
         S: * LIST () \"/\" INBOX
         S: * LIST (\\\\Unmarked) \"/\" Inbox
         S: * LIST () \"/\" NIL
         S: * LIST () \"/\" \"\"
         S: $ OK done
         C: $ LSUB \"\" \"*\"
         S: * LSUB () NIL 2024
         S: * LSUB (\\\\Noselect) \"/\" \"R&D\"
         S: * LIST () \"/\" inbox
         S: * LSUB () \"/\" removed
         S: $ OK done",
    )
    .await;
    let listed = r.list_with(rehome::imap::ListDetail::Names).await.unwrap();
    insta::assert_snapshot!(rows(&listed), @r#"
    ["2024"] "2024" so - 
    ["Parent"] "Parent"  - 
    ["a", "b", "c"] "a\\b\\c" o - 
    ["Entwürfe"] "Entwürfe" o - 
    ["R&D"] "R&D" o - 
    ["INBOX"] "INBOX" so - 
    ["NIL"] "NIL" o - 
    ["removed"] "removed" sn - 
    "#);
    assert!(r.quirks().knows(Quirk::ListOptionsRefused));
    server.done().await;
}

#[tokio::test]
async fn a_folder_is_never_missing_because_its_line_was_odd() {
    let (server, mut r) = reader(
        "",
        "C: $ LIST …
         S: * LIST () \"/\" a
         S: * LIST broken
         S: $ OK done
         C: $ LSUB …
         S: $ OK done",
    )
    .await;
    assert!(r.list().await.unwrap_err().to_string().contains("cannot be read"));
    server.done().await;
}

#[tokio::test]
async fn status_is_asked_in_one_go_and_may_be_refused_for_one_folder() {
    let (server, mut r) = reader(
        "SPECIAL-USE",
        "C: $ LIST …
         S: * LIST (\\\\Junk) \"/\" a
         S: * LIST () \"/\" b
         S: * LIST () \"/\" c
         S: $ OK done
         C: $ LSUB …
         S: $ BAD no such command
         C: $ STATUS \"a\" …
         C: $ STATUS \"b\" …
         C: $ STATUS \"c\" …
         S: * STATUS a (MESSAGES 1 UIDVALIDITY 1)
         S: $2 OK
         S: $1 NO [NOPERM] no
         S: * STATUS c ()
         S: $ OK",
    )
    .await;
    let listed = r.list().await.unwrap();
    assert_eq!(listed.iter().map(|l| l.status.is_some()).collect::<Vec<_>>(), [true, false, false]);
    assert_eq!(listed[0].special_use, Some(SpecialUse::Junk));
    server.done().await;
}

#[tokio::test]
async fn an_empty_status_is_not_an_empty_folder() {
    let (server, mut r) = reader(
        "",
        "C: $ STATUS \"a\" …
         S: * STATUS a ()
         S: $ OK
         C: $ STATUS \"a\" …
         S: * STATUS b (MESSAGES 0 UIDVALIDITY 1)
         S: $ OK",
    )
    .await;
    for _ in 0..2 {
        assert!(matches!(r.status(&WireName::encode("a")).await.unwrap_err().kind, ImapErrorKind::Protocol(_)));
    }
    server.done().await;
}

#[tokio::test]
async fn quota_and_name_spaces_are_read() {
    let (server, mut r) = reader(
        "QUOTA NAMESPACE",
        "C: $ NAMESPACE
         S: * NAMESPACE ((\"INBOX.\" \".\" \"X-PARAM\" (\"a\"))) NIL ((\"#shared.\" \".\"))
         S: $ OK
         C: $ GETQUOTAROOT \"INBOX\"
         S: * QUOTAROOT INBOX \"User quota\" \"\"
         S: * QUOTA \"\" (STORAGE 1 2)
         S: * QUOTA \"User quota\" (MESSAGE 5 10 STORAGE 512 1024)
         S: $ OK
         C: $ GETQUOTAROOT \"INBOX\"
         S: $ NO no quota here",
    )
    .await;
    let spaces = r.namespace().await.unwrap();
    assert_eq!((spaces.len(), spaces[0].prefix.as_str(), spaces[0].delimiter), (1, "INBOX.", Some('.')));
    assert_eq!(r.quota_used(&WireName::inbox()).await.unwrap(), Some(512 * 1024));
    assert_eq!(r.quota_used(&WireName::inbox()).await.unwrap(), None);
    server.done().await;
}

#[tokio::test]
async fn changes_are_asked_only_of_folders_that_keep_track() {
    let (server, mut r) = reader(
        "CONDSTORE",
        "C: $ EXAMINE \"a\" (CONDSTORE)
         S: * 1 EXISTS
         S: * OK [UIDVALIDITY 1] x
         S: * OK [NOMODSEQ] x
         S: $ OK
         C: $ EXAMINE \"b\" (CONDSTORE)
         S: * 1 EXISTS
         S: * OK [UIDVALIDITY 1] x
         S: * OK [HIGHESTMODSEQ 9] x
         S: $ OK
         C: $ UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE MODSEQ) (CHANGEDSINCE 5)
         S: * 1 FETCH (UID 4 MODSEQ (7) FLAGS ())
         S: $ OK",
    )
    .await;
    r.examine(&WireName::encode("a")).await.unwrap();
    assert!(matches!(r.fetch_changed(UidRange::ALL, 5).await.unwrap_err().kind, ImapErrorKind::Invalid(_)));
    r.examine(&WireName::encode("b")).await.unwrap();
    let changed = r.fetch_changed(UidRange::ALL, 5).await.unwrap();
    assert_eq!((changed.len(), changed[0].modseq), (1, Some(7)));
    server.done().await;
}
