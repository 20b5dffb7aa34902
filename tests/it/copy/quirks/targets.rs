//! Odd answers of targets.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use rehome::copy::CopyErrorClass;

use super::{
    super::front::{Heed, Odd},
    Between, Mail, NEW, OLD, nth, plain, unharmed,
};

#[tokio::test]
async fn an_appenduid_that_is_missing_is_looked_for() {
    let missing = || {
        plain().says(|_, text| match text.split_once(" [APPENDUID ") {
            Some((head, rest)) => Some(format!("{head}{}", rest.split_once(']').unwrap().1)),
            None => Some(text),
        })
    };
    unharmed(plain(), missing()).await;
    unharmed(plain(), missing().offers("LITERAL+")).await;
    unharmed(plain(), missing().offers("")).await;
}

#[tokio::test]
async fn an_appenduid_that_is_wrong_is_found_out() {
    fn changed(change: impl Fn(&str, &str) -> String + Send + Sync + 'static) -> Odd {
        plain().says(move |_, text| {
            let Some((head, rest)) = text.split_once("[APPENDUID ") else { return Some(text) };
            let (inside, tail) = rest.split_once(']').unwrap();
            let (validity, uids) = inside.split_once(' ').unwrap();
            Some(format!("{head}[APPENDUID {}]{tail}", change(validity, uids)))
        })
    }
    unharmed(plain(), changed(|validity, uids| format!("{uids} {validity}"))).await;
    unharmed(plain(), changed(|_, uids| format!("1 {uids}"))).await;
    unharmed(plain(), changed(|validity, _| format!("{validity} 1"))).await;
    unharmed(plain(), changed(|validity, _| format!("{validity} 1:4000000000"))).await;
    // `4:2` is the range from 2 to 4 (RFC 9051 9, seq-range).
    let reversed = |uids: &str| uids.split(':').rev().collect::<Vec<_>>().join(":");
    unharmed(plain(), changed(move |validity, uids| format!("{validity} {}", reversed(uids)))).await;
}

#[tokio::test]
async fn an_ok_for_a_message_that_is_not_stored_is_found_out() {
    for offers in ["LITERAL+", "UIDPLUS LITERAL+", "", "UIDPLUS MULTIAPPEND LITERAL+"] {
        let odd = plain().offers(offers).hears(|heard| {
            let own = heard.verb == "APPEND" && heard.text.contains("\"Sent\"");
            if own { Heed::Answer("$ OK stored, believe me\r\n".to_owned()) } else { Heed::Pass }
        });
        let between = Between::new(plain(), odd).await;
        let report = between.pass().await.unwrap();
        let sent = between.mail(OLD)["Sent"].len() as u64;
        let missing = report.failed.iter().filter(|f| f.class == "not-stored").count() as u64;
        assert!(sent > 0);
        assert_eq!(missing, sent, "{offers}: {report:#?}");
        assert_eq!(report.total.copied + sent, report.total.source);
    }
}

#[tokio::test]
async fn a_multiappend_that_is_refused_and_stored_all_the_same_doubles_nothing() {
    let once = nth(1);
    let odd = plain().says(move |verb, text| {
        let stored = verb == "APPEND" && text.contains(" OK ") && once();
        Some(if stored { format!("{} NO something went wrong\r\n", text.split(' ').next().unwrap()) } else { text })
    });
    let between = Between::empty(plain(), odd, |_| {}).await;
    for n in 0..12 {
        let octets = format!("Subject: {}\r\n\r\n", n / 2);
        between.put("INBOX", &[("17-Jul-1996 02:44:25 -0700", octets.as_bytes())]);
    }
    let report = between.pass().await.unwrap();
    between.assert_whole(&report);
}

#[tokio::test]
async fn literals_are_no_longer_than_the_server_takes_unasked() {
    for offers in ["LITERAL- UIDPLUS", "LITERAL- UIDPLUS MULTIAPPEND", "", "UIDPLUS MULTIAPPEND"] {
        let (between, _) = unharmed(plain(), plain().offers(offers)).await;
        let longest = between.target.unasked();
        assert!(longest <= if offers.contains("LITERAL-") { 4096 } else { 0 }, "{offers}: {longest}");
    }
}

#[tokio::test]
async fn a_goodbye_at_any_answer_of_the_target_loses_and_doubles_nothing() {
    for offers in ["UIDPLUS MULTIAPPEND LITERAL+", "UIDPLUS LITERAL+", ""] {
        for n in [4, 8, 12, 17, 23, 30] {
            let now = nth(n);
            let odd = plain().offers(offers).says(move |verb, text| {
                if !verb.is_empty() && now() { Some("* BYE Connection closed. 14\r\n".to_owned()) } else { Some(text) }
            });
            let between = Between::new(plain(), odd).await;
            let report = match between.pass().await {
                Ok(report) => report,
                Err(_) => between.pass().await.unwrap(),
            };
            between.assert_whole(&report);
        }
    }
}

#[tokio::test]
async fn an_ok_that_is_lost_with_the_connection_is_found_again() {
    for offers in ["UIDPLUS MULTIAPPEND LITERAL+", "UIDPLUS LITERAL+", ""] {
        for n in [1, 2, 5] {
            let now = nth(n);
            let odd = plain()
                .offers(offers)
                .says(move |verb, text| if verb == "APPEND" && now() { None } else { Some(text) });
            let between = Between::new(plain(), odd).await;
            let report = between.pass().await.unwrap();
            between.assert_whole(&report);
        }
    }
}

#[tokio::test]
async fn a_storm_of_announcements_while_appending_blocks_nothing() {
    let storm: String = (0..20_000).map(|n| format!("* {n} EXISTS\r\n* {n} RECENT\r\n")).collect();
    let once = nth(1);
    let odd =
        plain().says(move |verb, text| Some(if verb == "APPEND" && once() { storm.clone() + &text } else { text }));
    unharmed(plain(), odd).await;
}

#[tokio::test]
async fn a_throttled_target_is_given_time() {
    // A server that tells no time is left alone for half a minute, which no test waits for.
    for words in
        ["$ BAD Request is throttled. Suggested Backoff Time: 15 milliseconds\r\n", "$ NO [INUSE] try again\r\n"]
    {
        unharmed(plain(), plain().answers("APPEND", 2, words)).await;
    }
}

#[tokio::test]
async fn permanentflags_that_are_missing_mean_that_all_flags_are_kept() {
    let odd = plain().swallows("[PERMANENTFLAGS");
    unharmed(plain(), odd).await;
}

#[tokio::test]
async fn permanentflags_without_keywords_leave_keywords_behind_and_say_so() {
    let odd = plain().replaces("SELECT", " \\*)]", ")]");
    let between = Between::new(plain(), odd).await;
    let report = between.pass().await.unwrap();
    assert!(report.failed.is_empty(), "{report:?}");
    assert!(report.remarks.iter().any(|r| r.contains("$Forwarded")), "{:?}", report.remarks);
    let all = between.mail(NEW);
    assert!(all.values().flatten().all(|m| m.0.iter().all(|f| f.starts_with('\\'))));
}

#[tokio::test]
async fn a_keyword_that_exchange_calls_an_argument_error_does_not_cost_the_message() {
    let odd = plain().offers("UIDPLUS LITERAL+").hears(|heard| {
        let line = heard.text.split("\r\n").next().unwrap_or_default();
        let odd = heard.verb == "APPEND" && line.contains("$Forwarded");
        if odd { Heed::Answer("$ BAD Command Argument Error. 11\r\n".to_owned()) } else { Heed::Pass }
    });
    let between = Between::new(plain(), odd).await;
    let report = between.pass().await.unwrap();
    assert!(report.failed.is_empty(), "{report:?}");
    assert!(report.remarks.iter().any(|r| r.contains("$Forwarded")), "the loss is told: {:?}", report.remarks);
    let count = |mail: Mail| mail.values().map(Vec::len).sum::<usize>();
    assert_eq!(count(between.mail(NEW)), count(between.mail(OLD)));
}

#[tokio::test]
async fn a_full_target_stops_before_more_is_tried_and_goes_on_later() {
    let full = Arc::new(AtomicU32::new(1));
    let now = Arc::clone(&full);
    let odd = plain().hears(move |heard| {
        let full = heard.verb == "APPEND" && now.load(Ordering::SeqCst) == 1 && heard.text.contains("\"INBOX\"");
        if full { Heed::Answer("$ NO Server Unavailable. 15\r\n".to_owned()) } else { Heed::Pass }
    });
    let between = Between::new(plain(), odd).await;
    assert_eq!(between.pass().await.unwrap_err().class(), CopyErrorClass::Full);
    full.store(0, Ordering::SeqCst);
    let report = between.pass().await.unwrap();
    between.assert_whole(&report);
}
