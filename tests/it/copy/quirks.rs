//! Servers as odd as they are found: whatever they answer, the copy is the same mail, or what differs is told.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use rehome::{
    copy::{CopyError, CopyErrorClass, MailVerification},
    journal::ledger::Ledger,
    model::{Address, CopyReport, FolderPath, MailFilter},
    sandbox::{
        corpus::{Corpus, FolderMail, Message, Person},
        counters::Counters,
        mail::{MemoryStore, memory::Behaviour},
        store::MailStore as _,
    },
};

use super::{
    front::{Front, Heed, Odd},
    pass_taking, verify_taking,
};

pub const OLD: &str = "old";
const NEW: &str = "new";

/// Flags, date and octets of each message, by folder.
pub type Mail = BTreeMap<String, Vec<(Vec<String>, String, Vec<u8>)>>;

/// Two mailboxes of the sandbox behind fronts.
pub struct Between {
    pub store: Arc<MemoryStore>,
    pub source: Front,
    pub target: Front,
    pub ledger: Ledger,
    pub filter: MailFilter,
}

pub fn anna() -> Address {
    Address::parse("anna@quirks.example").unwrap()
}

impl Between {
    /// A source with mail of every oddity, and an empty target.
    pub async fn new(source: Odd, target: Odd) -> Self {
        let between = Self::empty(source, target, |_| {}).await;
        let person = Person { address: anna(), name: "Anna".to_owned() };
        between.store.deliver(OLD, &anna(), &Corpus::new(3).mailbox(&person, 60)).unwrap();
        between
    }

    pub async fn empty(source: Odd, target: Odd, behave: impl Fn(&mut Behaviour)) -> Self {
        let services = [OLD, NEW].map(str::to_owned);
        let store = MemoryStore::start(&services, Counters::new()).await.unwrap();
        store.behave(NEW, behave);
        for service in &services {
            store.create(service, &anna(), "secret").await.unwrap();
        }
        Self {
            source: Front::start(store.endpoint(OLD).port, source).await,
            target: Front::start(store.endpoint(NEW).port, target).await,
            store,
            ledger: Ledger::in_memory().unwrap(),
            filter: MailFilter::default(),
        }
    }

    /// Puts messages into a folder of the source.
    pub fn put(&self, folder: &str, messages: &[(&str, &[u8])]) {
        let message = |(date, octets): &(&str, &[u8])| Message {
            bytes: octets.to_vec(),
            flags: ["\\Seen".to_owned()].into(),
            internal_date: date.parse().unwrap(),
        };
        let folder = FolderMail {
            path: FolderPath(folder.split('/').map(str::to_owned).collect()),
            special_use: None,
            subscribed: true,
            selectable: true,
            messages: messages.iter().map(message).collect(),
        };
        self.store.deliver(OLD, &anna(), &[folder]).unwrap();
    }

    pub async fn pass(&self) -> Result<CopyReport, CopyError> {
        let (source, target) = (&self.source, &self.target);
        let login = anna().to_string();
        let (from, to) = (source.connector(&login, "secret"), target.connector(&login, "secret"));
        pass_taking(from, to, &self.ledger, &self.filter).await
    }

    pub async fn verify(&self) -> MailVerification {
        let login = anna().to_string();
        let (from, to) = (self.source.connector(&login, "secret"), self.target.connector(&login, "secret"));
        verify_taking(from, to, &self.ledger, &self.filter).await
    }

    pub fn mail(&self, service: &str) -> Mail {
        let folders = self.store.contents(service, &anna()).unwrap();
        let list = folders.into_iter().map(|(name, messages)| {
            let mut list: Vec<_> = messages
                .into_iter()
                .map(|m| (m.flags.into_iter().collect(), m.internal_date.instant().to_string(), m.bytes.to_vec()))
                .collect();
            list.sort();
            (name, list)
        });
        list.filter(|(_, list): &(_, Vec<_>)| !list.is_empty()).collect()
    }

    /// A pass brings everything, and another one changes nothing.
    #[track_caller]
    pub fn assert_whole(&self, report: &CopyReport) {
        assert!(report.failed.is_empty() && report.total.balances(), "{report:#?}");
        let (want, have) = (self.mail(OLD), self.mail(NEW));
        assert_eq!(want.keys().collect::<Vec<_>>(), have.keys().collect::<Vec<_>>());
        for (folder, list) in &want {
            assert_eq!(list.len(), have[folder].len(), "{folder}");
            for (a, b) in list.iter().zip(&have[folder]) {
                assert_eq!((&a.0, &a.1), (&b.0, &b.1), "{folder}: {:?}", String::from_utf8_lossy(&a.2));
                assert!(a.2 == b.2, "{folder}: octets differ");
            }
        }
    }
}

/// Copies through odd servers and demands that nothing shows of it.
async fn unharmed(source: Odd, target: Odd) -> (Between, CopyReport) {
    let between = Between::new(source, target).await;
    let report = between.pass().await.unwrap();
    between.assert_whole(&report);
    let before = between.target.heard("APPEND").len();
    let again = between.pass().await.unwrap();
    between.assert_whole(&again);
    assert_eq!(between.target.heard("APPEND").len(), before, "a second pass appends nothing");
    (between, report)
}

fn plain() -> Odd {
    Odd::default()
}

/// Changes every answer that tells of a message.
fn fetches(change: impl Fn(String) -> String + Send + Sync + 'static) -> Odd {
    plain().says(move |verb, text| Some(if verb == "UID FETCH" && is_fetch(&text) { change(text) } else { text }))
}

fn is_fetch(text: &str) -> bool {
    let first = text.split("\r\n").next().unwrap_or_default();
    text.starts_with("* ") && first.contains(" FETCH (")
}

/// The n-th time something happens, from 1.
fn nth(n: u32) -> impl Fn() -> bool + Send + Sync {
    let count = AtomicU32::new(0);
    move || count.fetch_add(1, Ordering::SeqCst) + 1 == n
}

// --- sources

#[tokio::test]
async fn the_front_itself_changes_nothing() {
    unharmed(plain(), plain()).await;
}

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

// --- targets

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

// --- names

#[tokio::test]
async fn a_source_that_writes_names_in_raw_utf8_or_latin1_is_copied_whole() {
    for (utf7, raw) in [("&APw-", "\u{c3}\u{bc}"), ("&APw-", "\u{fc}")] {
        let between = Between::empty(plain().writes(raw, utf7), plain(), |_| {}).await;
        between.put("B\u{fc}ro", &[("17-Jul-1996 02:44:25 -0700", b"Subject: x\r\n\r\ny")]);
        let report = between.pass().await.unwrap();
        between.assert_whole(&report);
    }
}

#[tokio::test]
async fn names_of_every_kind_arrive_and_can_be_told_apart() {
    let names = [
        "a.b",
        "a\"b",
        "a\\b",
        "R&D",
        "100%",
        "a*b",
        "trailing ",
        " leading",
        "tab\there",
        "Caf\u{e9}",
        "Cafe\u{301}",
        "case",
        "CASE",
        "~user",
        "#news",
        "12345",
        "[brackets]",
        "{7}",
        "a  b",
        "=2F",
        "日本語",
        "💌",
    ];
    for (delimiter, prefix) in [('/', ""), ('.', "INBOX.")] {
        let between = Between::empty(plain(), plain(), |b| {
            b.delimiter = delimiter;
            b.prefix = prefix.to_owned();
        })
        .await;
        for (n, name) in names.iter().enumerate() {
            let octets = format!("Subject: {n}\r\n\r\n{name}\r\n");
            between.put(name, &[("17-Jul-1996 02:44:25 -0700", octets.as_bytes())]);
        }
        let deep = (0..30).map(|n| format!("d{n}")).collect::<Vec<_>>().join("/");
        between.put(&deep, &[("17-Jul-1996 02:44:25 -0700", b"deep")]);
        let long = "l".repeat(255);
        between.put(&long, &[("17-Jul-1996 02:44:25 -0700", b"long")]);
        let report = between.pass().await.unwrap();
        assert!(report.failed.is_empty(), "{report:#?}");
        let all: Vec<_> = between.mail(NEW).into_values().collect();
        assert_eq!(all.len(), names.len() + 2);
        assert!(all.iter().all(|list| list.len() == 1), "no two folders share one");
        let again = between.pass().await.unwrap();
        assert_eq!(again.total.copied, report.total.copied);
        assert_eq!(between.mail(NEW).len(), names.len() + 2);
    }
}

#[tokio::test]
async fn a_target_that_refuses_odd_names_gets_names_that_it_takes() {
    let odd = plain().hears(|heard| {
        let name = heard.text.split('"').nth(1).unwrap_or_default();
        let refused =
            heard.verb == "CREATE" && (name.starts_with(' ') || name.ends_with(' ') || name.contains(['%', '^']));
        if refused {
            Heed::Answer("$ NO [CANNOT] Folder contains excess whitespace\r\n".to_owned())
        } else {
            Heed::Pass
        }
    });
    let between = Between::empty(plain(), odd, |_| {}).await;
    for name in ["trailing ", "100%", "plain"] {
        between.put(name, &[("17-Jul-1996 02:44:25 -0700", name.as_bytes())]);
    }
    let report = between.pass().await.unwrap();
    assert!(report.failed.is_empty(), "{report:#?}");
    let names: Vec<String> = between.mail(NEW).into_keys().collect();
    assert_eq!(names, ["100=25", "plain", "trailing=20"]);
    assert_eq!(report.remarks.len(), 2, "{:?}", report.remarks);
}

#[tokio::test]
async fn a_target_that_has_no_folders_in_folders_gets_flat_ones() {
    let odd = plain().hears(|heard| {
        let name = heard.text.split('"').nth(1).unwrap_or_default();
        let refused = heard.verb == "CREATE" && name.contains('/');
        let words = "$ NO Mailbox doesn't allow inferior mailboxes\r\n";
        if refused { Heed::Answer(words.to_owned()) } else { Heed::Pass }
    });
    let between = Between::empty(plain(), odd, |_| {}).await;
    between.put("a/b", &[("17-Jul-1996 02:44:25 -0700", b"below")]);
    let report = between.pass().await.unwrap();
    assert!(report.failed.is_empty(), "{report:#?}");
    assert_eq!(between.mail(NEW).into_keys().collect::<Vec<_>>(), ["a=2Fb"]);
}

#[tokio::test]
async fn a_subscription_to_nothing_is_no_folder() {
    let odd = plain().offers("LITERAL+ UIDPLUS NAMESPACE LIST-EXTENDED").says(|verb, text| {
        let line = "* LIST (\\NonExistent \\Subscribed) \"/\" \"gone\"\r\n* LIST (\\Noselect) NIL \"\"\r\n";
        let end = verb == "LIST" && !text.starts_with('*');
        Some(if end { format!("{line}{text}") } else { text })
    });
    let (between, report) = unharmed(odd, plain()).await;
    assert!(!between.store.contents(NEW, &anna()).unwrap().contains_key("gone"));
    assert!(report.remarks.iter().all(|r| !r.contains("gone")), "{:?}", report.remarks);
}
