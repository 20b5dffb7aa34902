//! Odd answers of sources.

use std::collections::BTreeMap;

use super::{super::front::Heed, Between, Mail, NEW, OLD, fetches, is_fetch, nth, plain, unharmed};

#[tokio::test]
async fn unsolicited_answers_in_the_middle_of_bodies_are_not_taken_for_them() {
    let odd = fetches(|text| {
        format!(
            "* 99 EXISTS\r\n* 1 RECENT\r\n* 3 FETCH (FLAGS (\\Seen $Other))\r\n* OK [ALERT] maintenance at noon\r\n\
             {text}* 7 FETCH (UID 4000000 FLAGS (\\Deleted))\r\n* FLAGS (\\Seen)\r\n* OK still here\r\n"
        )
    });
    unharmed(odd, plain()).await;
}

#[tokio::test]
async fn an_expunge_in_the_middle_of_bodies_moves_no_body_to_another_message() {
    unharmed(fetches(|text| format!("* 1 EXPUNGE\r\n* VANISHED 4000000\r\n{text}")), plain()).await;
}

#[tokio::test]
async fn items_come_in_any_order_and_in_several_answers() {
    // The UID comes last, and flags come in an answer of their own.
    let odd = fetches(|text| {
        let Some((head, rest)) = text.split_once("(UID ") else { return text };
        let Some((uid, rest)) = rest.split_once(' ') else { return text };
        let Some(inner) = rest.strip_suffix(")\r\n") else { return text };
        format!("{head}({inner} UID {uid})\r\n{head}(UID {uid})\r\n")
    });
    unharmed(odd, plain()).await;
}

#[tokio::test]
async fn sizes_that_are_wrong_harm_nothing() {
    for size in ["0", "1", "99999999"] {
        let odd = fetches(move |text| {
            let Some((head, rest)) = text.split_once("RFC822.SIZE ") else { return text };
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap();
            format!("{head}RFC822.SIZE {size}{}", &rest[digits..])
        });
        unharmed(odd, plain()).await;
    }
}

#[tokio::test]
async fn sequence_numbers_above_the_count_are_only_numbers() {
    let odd = fetches(|text| {
        let rest = text.split_once(" FETCH ").unwrap().1;
        format!("* 900000 FETCH {rest}")
    });
    unharmed(odd, plain()).await;
}

#[tokio::test]
async fn uid_zero_is_no_message() {
    let once = nth(20);
    let odd = fetches(
        move |text| {
            if once() { format!("* 1 FETCH (UID 0 FLAGS () BODY[] {{1}}\r\nx)\r\n{text}") } else { text }
        },
    );
    unharmed(odd, plain()).await;
}

#[tokio::test]
async fn a_server_that_tells_no_uidnext_is_copied_from_and_to() {
    let silent = || plain().swallows("[UIDNEXT").says(|_, text| Some(strip_item(text, "UIDNEXT")));
    unharmed(silent(), plain()).await;
    unharmed(plain(), silent()).await;
    unharmed(plain(), silent().offers("LITERAL+ MULTIAPPEND NAMESPACE")).await;
}

#[tokio::test]
async fn a_status_that_knows_no_uidvalidity_yet_is_not_believed() {
    let none = || {
        plain().says(|_, text| {
            let Some((head, rest)) = text.split_once("UIDVALIDITY ").filter(|_| text.starts_with("* STATUS")) else {
                return Some(text);
            };
            Some(format!("{head}UIDVALIDITY 0{}", rest.trim_start_matches(|c: char| c.is_ascii_digit())))
        })
    };
    unharmed(plain(), none()).await;
    unharmed(none(), plain()).await;
}

fn strip_item(text: String, item: &str) -> String {
    if !text.starts_with("* STATUS") {
        return text;
    }
    let Some(at) = text.find(&format!("{item} ")) else { return text };
    let after = &text[at + item.len() + 1..];
    let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap();
    format!("{}{}", &text[..at], after[digits..].trim_start())
}

#[tokio::test]
async fn status_lines_without_words_are_status_lines() {
    let bare = || {
        plain().says(|_, text| {
            let mut words = text.split(' ');
            let (tag, ok) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let done = tag != "*" && ok == "OK" && !text.contains('[');
            Some(if done { format!("{tag} OK\r\n") } else { text })
        })
    };
    unharmed(bare(), bare()).await;
}

#[tokio::test]
async fn a_message_without_internaldate_is_copied_and_the_others_keep_theirs() {
    let odd = fetches(|text| {
        if !text.contains("UID 2 ") {
            return text;
        }
        let Some((head, rest)) = text.split_once("INTERNALDATE \"") else { return text };
        format!("{head}INTERNALDATE NIL{}", rest.split_once('"').unwrap().1)
    });
    let between = Between::new(odd, plain()).await;
    let report = between.pass().await.unwrap();
    assert!(report.failed.is_empty(), "{report:?}");
    let octets = |mail: Mail| -> BTreeMap<String, Vec<Vec<u8>>> {
        let sorted = |list: Vec<(Vec<String>, String, Vec<u8>)>| {
            let mut list: Vec<Vec<u8>> = list.into_iter().map(|m| m.2).collect();
            list.sort();
            list
        };
        mail.into_iter().map(|(name, list)| (name, sorted(list))).collect()
    };
    assert_eq!(octets(between.mail(OLD)), octets(between.mail(NEW)));
}

#[tokio::test]
async fn a_body_that_is_nil_is_told_and_the_rest_arrives() {
    let odd = fetches(|text| body_instead(text, "UID 2 ", "NIL"));
    let between = Between::new(odd, plain()).await;
    let report = between.pass().await.unwrap();
    assert!(!report.failed.is_empty() && report.failed.iter().all(|f| f.uid == 2 && f.class == "unreadable"));
    assert_eq!(report.total.copied + report.failed.len() as u64, report.total.source);
}

fn body_instead(text: String, of: &str, body: &str) -> String {
    match text.split_once("BODY[] ") {
        Some((head, _)) if head.contains(of) => format!("{head}BODY[] {body})\r\n"),
        _ => text,
    }
}

#[tokio::test]
async fn an_empty_body_and_one_in_quotes_are_bodies() {
    let odd = fetches(|text| {
        let text = body_instead(text, "UID 1 ", "\"\"");
        body_instead(text, "UID 2 ", "\"Subject: a \\\"quoted\\\" one\"")
    });
    let between = Between::new(odd, plain()).await;
    assert!(between.pass().await.unwrap().failed.is_empty());
    let inbox = &between.mail(NEW)["INBOX"];
    assert!(inbox.iter().any(|m| m.2.is_empty()));
    assert!(inbox.iter().any(|m| m.2 == b"Subject: a \"quoted\" one"));
}

#[tokio::test]
async fn a_message_that_the_server_refuses_once_is_asked_for_again() {
    let odd = plain().answers("UID FETCH", 4, "$ NO [UNAVAILABLE] UID FETCH Server error\r\n");
    unharmed(odd, plain()).await;
}

#[tokio::test]
async fn a_goodbye_at_any_answer_of_the_source_costs_a_connection_and_no_message() {
    for n in [5, 9, 14, 22, 40, 70] {
        let now = nth(n);
        let odd = plain().says(move |verb, text| {
            if !verb.is_empty() && now() { Some("* BYE Session expired\r\n".to_owned()) } else { Some(text) }
        });
        let between = Between::new(odd, plain()).await;
        let report = match between.pass().await {
            Ok(report) => report,
            Err(_) => between.pass().await.unwrap(),
        };
        between.assert_whole(&report);
    }
}

#[tokio::test]
async fn a_throttled_source_is_given_time() {
    let words = "$ BAD Request is throttled. Suggested Backoff Time: 15 milliseconds\r\n";
    let odd = plain().answers("UID FETCH", 3, words).answers("EXAMINE", 3, words);
    unharmed(odd, plain()).await;
}

#[tokio::test]
async fn flags_that_are_no_flags_stay_behind_and_are_told() {
    let odd = fetches(|text| text.replace("FLAGS (", "FLAGS (\\Recent Z\u{fc}rich \\X-Odd a]b "));
    let between = Between::new(odd, plain()).await;
    let report = between.pass().await.unwrap();
    assert!(report.failed.is_empty(), "{report:?}");
    let told = report.remarks.iter().filter(|r| r.contains("does not keep the keyword")).count();
    assert!(told >= 2, "{:?}", report.remarks);
    let strip = |mail: Mail| -> usize { mail.values().map(Vec::len).sum() };
    assert_eq!(strip(between.mail(OLD)), strip(between.mail(NEW)));
}

#[tokio::test]
async fn a_fetch_that_leaves_flags_out_does_not_clear_them() {
    // The list of messages comes without flags; the bodies come with them.
    let odd = plain().says(|verb, text| {
        let list = verb == "UID FETCH" && is_fetch(&text) && text.contains("RFC822.SIZE");
        let Some((head, rest)) = text.split_once("FLAGS (").filter(|_| list) else { return Some(text) };
        let rest = rest.split_once(')').unwrap().1;
        Some(format!("{}{}", head, rest.trim_start()))
    });
    unharmed(odd, plain()).await;
}

#[tokio::test]
async fn a_folder_that_cannot_be_opened_is_told_and_stops_nothing() {
    let odd = plain().hears(|heard| {
        let locked = heard.text.contains("Projekte") && ["EXAMINE", "SELECT", "STATUS"].contains(&heard.verb.as_str());
        if locked { Heed::Answer("$ NO [NOPERM] locked\r\n".to_owned()) } else { Heed::Pass }
    });
    let odd = odd.offers("LITERAL+ NAMESPACE UIDPLUS");
    let between = Between::new(odd, plain()).await;
    let before = between.mail(OLD);
    let report = between.pass().await.unwrap();
    let locked = before.keys().filter(|name| name.contains("Projekte")).count();
    if locked > 0 {
        assert!(report.failed.iter().any(|f| f.class == "folder-unreadable"), "{:?}", report.failed);
    }
    for (name, list) in before.iter().filter(|(name, _)| !name.contains("Projekte")) {
        assert_eq!(&between.mail(NEW)[name], list, "{name}");
    }
}
