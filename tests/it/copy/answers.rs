//! Answers that are odd over time: UIDs that do not last, a status that lags behind, limits by the command, and a side that
//! is silent for too long.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use rehome::{copy::CopyErrorClass, imap::WireName, sandbox::store::MailStore as _};

use super::{
    front::{Heed, Odd},
    quirks::{Between, anna},
};

const NEW: &str = "new";
const DATE: &str = "17-Jul-1996 02:44:25 -0700";

fn counts(between: &Between) -> BTreeMap<String, usize> {
    between.mail(NEW).into_iter().map(|(name, list)| (name, list.len())).collect()
}

/// Passes until one is through. Each meets at least one of the numbers that change, and there are ten at most.
async fn through(between: &Between) {
    for _ in 0..11 {
        match between.pass().await {
            Ok(report) => return between.assert_whole(&report),
            Err(error) => assert_eq!(error.class(), CopyErrorClass::Changed, "{error:?}"),
        }
    }
    panic!("eleven passes were not enough");
}

/// Every opening of a folder gives another UIDVALIDITY, the first `times` of them.
fn renumbers(odd: Odd, times: u32) -> Odd {
    let opened = AtomicU32::new(0);
    odd.says(move |verb, text| {
        let Some((head, rest)) = text.split_once("[UIDVALIDITY ") else { return Some(text) };
        if !["SELECT", "EXAMINE"].contains(&verb) {
            return Some(text);
        }
        let n = opened.fetch_add(1, Ordering::SeqCst);
        let (number, rest) = rest.split_once(']').unwrap();
        let number: u32 = number.parse().unwrap();
        Some(format!("{head}[UIDVALIDITY {}]{rest}", if n < times { number + 1000 + n } else { number }))
    })
}

#[tokio::test]
async fn a_uidvalidity_that_changes_from_one_select_to_the_next_loses_and_doubles_nothing() {
    for times in [1, 2, 10] {
        // Without a list of statuses every folder is opened to learn its number.
        let offers = "LITERAL+ UIDPLUS NAMESPACE";
        let between = Between::new(renumbers(Odd::default().offers(offers), times), Odd::default()).await;
        through(&between).await;
        through(&between).await;
        let between = Between::new(Odd::default(), renumbers(Odd::default().offers(offers), times)).await;
        through(&between).await;
        through(&between).await;
    }
}

#[tokio::test]
async fn uids_that_are_said_not_to_last_are_matched_by_content_when_they_do_not() {
    // RFC 4315: such a store gives a new UIDVALIDITY each time, and tells no APPENDUID.
    let day = Arc::new(AtomicU32::new(0));
    let now = Arc::clone(&day);
    let sticky = move |odd: Odd| {
        let now = Arc::clone(&now);
        odd.says(move |_, text| {
            let text = match text.split_once(" [APPENDUID ") {
                Some((head, rest)) => format!("{head}{}", rest.split_once(']').unwrap().1),
                None => text,
            };
            let day = now.load(Ordering::SeqCst) * 1000;
            let mut out = String::new();
            let mut rest = text.as_str();
            while let Some(at) = rest.find("UIDVALIDITY ") {
                let digits = at + "UIDVALIDITY ".len();
                let end = rest[digits..].find(|c: char| !c.is_ascii_digit()).map_or(rest.len(), |n| digits + n);
                let number: u32 = rest[digits..end].parse().unwrap();
                out.push_str(&format!("{}{}", &rest[..digits], number + day));
                rest = &rest[end..];
            }
            out.push_str(rest);
            Some(if out.starts_with("* OK [UIDVALIDITY") {
                format!("* NO [UIDNOTSTICKY] UIDs do not last\r\n{out}")
            } else {
                out
            })
        })
    };
    let between = Between::new(sticky(Odd::default()), sticky(Odd::default())).await;
    let report = between.pass().await.unwrap();
    between.assert_whole(&report);
    for n in 1..=3 {
        day.store(n, Ordering::SeqCst);
        let again = between.pass().await.unwrap();
        between.assert_whole(&again);
    }
}

#[tokio::test]
async fn a_status_that_lags_behind_what_was_appended_forgets_and_doubles_nothing() {
    // The first status that was ever told of a folder is told again until the folder is opened on the same connection.
    let told: Arc<Mutex<BTreeMap<String, String>>> = Arc::default();
    let kept = Arc::clone(&told);
    let odd = Odd::default().says(move |_, text| {
        let mut out = String::new();
        for line in text.split_inclusive("\r\n") {
            if line.starts_with("* STATUS ") {
                let name = line.split(" (").next().unwrap_or_default().to_owned();
                out.push_str(kept.lock().unwrap().entry(name).or_insert_with(|| line.to_owned()));
            } else {
                out.push_str(line);
            }
        }
        Some(out)
    });
    let between = Between::new(Odd::default(), odd).await;
    let report = between.pass().await.unwrap();
    between.assert_whole(&report);
    let before = between.target.heard("APPEND").len();
    let again = between.pass().await.unwrap();
    between.assert_whole(&again);
    assert_eq!(again.total.copied, report.total.copied, "what was delivered is not forgotten: {again:#?}");
    // What the target's user took away stays away, whatever the old status says.
    let mut way = between.target.connector(&anna().to_string(), "secret");
    way.endpoint.port = between.store.endpoint(NEW).port;
    let mut writer = way.connect_writer().await.unwrap();
    writer.create(&WireName::encode("Elsewhere")).await.unwrap();
    writer.select(&WireName::inbox()).await.unwrap();
    writer.move_messages(&[1], &WireName::encode("Elsewhere")).await.unwrap();
    writer.logout().await;
    let there = counts(&between);
    between.put("INBOX", &[(DATE, b"Subject: one more\r\n\r\n")]);
    let last = between.pass().await.unwrap();
    assert!(last.failed.is_empty(), "{last:#?}");
    assert_eq!(counts(&between)["INBOX"], there["INBOX"] + 1, "the one that was moved is not sent again");
    assert_eq!(between.target.heard("APPEND").len(), before + 1, "one new message, and nothing else");
}

#[tokio::test]
async fn a_closed_that_comes_or_does_not_come_before_the_next_folder_is_the_same() {
    let said = |odd: Odd| {
        odd.says(|verb, text| {
            let opens = ["SELECT", "EXAMINE"].contains(&verb) && text.starts_with("* FLAGS");
            Some(if opens { format!("* OK [CLOSED] Previous mailbox is now closed\r\n{text}") } else { text })
        })
    };
    let silent = |odd: Odd| odd.swallows("[CLOSED]");
    for odd in [said(Odd::default()), silent(Odd::default())] {
        let between = Between::new(odd.clone(), odd).await;
        let report = between.pass().await.unwrap();
        between.assert_whole(&report);
    }
}

#[tokio::test]
async fn a_server_that_needs_a_line_end_at_the_end_refuses_that_message_alone() {
    // Yahoo. No octet is added to make it take the message.
    let odd = Odd::default().offers("UIDPLUS LITERAL+").hears(|heard| {
        let bad = heard.verb == "APPEND" && !heard.text.ends_with("\r\n\r\n");
        let words = "$ BAD [CLIENTBUG] Additional arguments found after last expected argument\r\n";
        if bad { Heed::Answer(words.to_owned()) } else { Heed::Pass }
    });
    let between = Between::empty(Odd::default(), odd, |_| {}).await;
    for octets in [&b"Subject: a\r\n\r\nwhole\r\n"[..], b"Subject: b\r\n\r\nno end", b"Subject: c\r\n\r\nwhole\r\n"] {
        between.put("INBOX", &[(DATE, octets)]);
    }
    let report = between.pass().await.unwrap();
    let failed: Vec<_> = report.failed.iter().map(|f| (f.uid, f.class.as_str())).collect();
    assert_eq!(failed, [(2, "rejected")], "{report:#?}");
    assert!(report.failed[0].reason.contains("CLIENTBUG"), "{:?}", report.failed);
    assert_eq!((report.total.copied, counts(&between)["INBOX"]), (2, 2));
}

#[tokio::test]
async fn a_server_that_takes_only_so_many_messages_by_the_command_gets_them_in_parts() {
    let odd = Odd::default().offers("UIDPLUS LITERAL+ MULTIAPPEND MESSAGELIMIT=5").hears(|heard| {
        let many = heard.verb == "APPEND" && heard.text.matches("+}\r\n").count() > 5;
        let words = "$ NO [MESSAGELIMIT 5] Too many messages in one command\r\n";
        if many { Heed::Answer(words.to_owned()) } else { Heed::Pass }
    });
    let between = Between::new(Odd::default(), odd).await;
    let report = between.pass().await.unwrap();
    between.assert_whole(&report);
}

#[tokio::test]
async fn a_source_that_hangs_up_while_the_target_takes_long_costs_a_connection_and_no_message() {
    // The target takes a second for a message, and the source ends whatever was silent for a fifth of that.
    let slow = Odd::default().offers("UIDPLUS").slow("APPEND", Duration::from_millis(600));
    let between = Between::empty(Odd::default().idles(Duration::from_millis(120)), slow, |_| {}).await;
    for n in 0..3 {
        let octets = format!("Subject: {n}\r\n\r\n{}", "x".repeat(3 << 20));
        between.put("INBOX", &[(DATE, octets.as_bytes())]);
    }
    let report = between.pass().await.unwrap();
    between.assert_whole(&report);
}

#[tokio::test]
async fn a_refusal_among_appends_that_are_on_their_way_leaves_a_hole_and_moves_no_name() {
    for words in ["$ NO [CANNOT] not this one\r\n", "$ NO [OVERQUOTA] Quota exceeded\r\n"] {
        let full = words.contains("QUOTA");
        let odd = Odd::default().offers("UIDPLUS LITERAL+").answers("APPEND", 3, words);
        let between = Between::empty(Odd::default(), odd, |_| {}).await;
        let letters: Vec<String> = (1..=9).map(|n| format!("Subject: {n}\r\n\r\n{n}\r\n")).collect();
        for letter in &letters {
            between.put("INBOX", &[(DATE, letter.as_bytes())]);
        }
        let first = between.pass().await;
        match first {
            Err(error) if full => assert_eq!(error.class(), CopyErrorClass::Full, "{error:?}"),
            Ok(report) if !full => {
                assert_eq!(report.failed.iter().map(|f| f.uid).collect::<Vec<_>>(), [3], "{report:#?}");
                assert_eq!(report.total.copied, 8);
            }
            other => panic!("{words}: {other:?}"),
        }
        // What landed behind the hole is known under its own name: flags that change reach the right message.
        let there: Vec<Vec<u8>> = between.mail(NEW)["INBOX"].iter().map(|m| m.2.clone()).collect();
        assert!(!there.contains(&letters[2].clone().into_bytes()));
        if full {
            let report = between.pass().await.unwrap();
            between.assert_whole(&report);
            assert_eq!(
                between.target.heard("APPEND").len(),
                10,
                "the one that was refused is sent again, and no other"
            );
        }
        let proof = between.verify().await;
        assert_eq!(proof.findings.iter().filter(|f| f.code == "message-changed").count(), 0, "{proof:?}");
    }
}

#[tokio::test]
async fn a_nul_goes_to_a_target_with_binary_and_is_the_same_there() {
    for offers in ["UIDPLUS LITERAL+ BINARY", "UIDPLUS LITERAL+ MULTIAPPEND BINARY", "UIDPLUS BINARY"] {
        // A literal8 (RFC 3516) is a literal to the server behind.
        let odd = Odd::default().offers(offers).hears(|heard| match heard.verb.as_str() {
            "APPEND" => Heed::Instead(heard.text.replace("~{", "{")),
            _ => Heed::Pass,
        });
        let between = Between::empty(Odd::default(), odd, |_| {}).await;
        let all: [&[u8]; 4] =
            [b"Subject: a\r\n\r\na\0b\r\n", b"\0", b"Subject: b\0\r\n\r\n\0\0", b"Subject: plain\r\n\r\nx\r\n"];
        between.put("INBOX", &all.map(|octets| (DATE, octets)));
        let report = between.pass().await.unwrap();
        between.assert_whole(&report);
        let binary = between.target.heard("APPEND").iter().map(|h| h.text.matches("~{").count()).sum::<usize>();
        assert!(binary >= 3, "{offers}: what holds a NUL goes as a literal8");
        let again = between.pass().await.unwrap();
        between.assert_whole(&again);
        assert!(between.verify().await.ok, "{offers}");
    }
}
