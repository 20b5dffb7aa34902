//! Servers as their kinds are known to be: a whole copy, a copy of what is new, and the proof, from and to each.
//!
//! A profile is data: what a server offers, and which oddities of those that are collected here it has.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use rehome::{
    diag::Severity,
    model::{CopyReport, FolderPath},
    sandbox::corpus::{FolderMail, Message},
};

use super::{
    front::{Heard, Heed, Odd},
    quirks::{Between, OLD, anna},
};

const NEW: &str = "new";
const DATE: &str = "17-Jul-1996 02:44:25 -0700";

/// One thing that a server does otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Oddity {
    /// APPEND of a message with LF alone: `Message contains bare newlines`.
    NoBareNewlines,
    /// APPEND of a message with other octets than ASCII in its header: `Message contains invalid header`.
    NoRawHeaders,
    /// APPEND of a message with a line longer than this: `Command Argument Error. 11`.
    NoLongLines(usize),
    /// APPEND with the keyword `$Forwarded`: the same.
    NoForwarded,
    /// After each tenth error it says goodbye.
    TenErrors,
    /// APPEND forgets `\Flagged`.
    ForgetsFlagged,
    /// Names that differ only in case are one folder.
    FoldsNames,
    /// No untagged EXISTS comes before the OK of APPEND.
    NoExists,
    /// UIDNEXT is never told.
    NoUidNext,
    /// RFC822.SIZE is an estimate.
    Estimates,
    /// A text of its own comes instead of the body of such a message.
    Placeholders,
    /// The connection ends when the body of such a message is asked for.
    FetchDisconnects,
    /// A message that the folder has already is stored no second time, and APPENDUID names an older one.
    Merges,
    /// A message with octets above 0xF0 ends the connection: `BYE Invalid character in literal`.
    ByeOnOctet,
    /// Blanks at the ends of a name, or two together, are refused.
    NoBlanks,
    /// A system flag that RFC 9051 does not know is `BAD Invalid system flag`.
    NoOddSystemFlags,
}

use Oddity::{
    ByeOnOctet, Estimates, FetchDisconnects, FoldsNames, ForgetsFlagged, Merges, NoBareNewlines, NoBlanks, NoExists,
    NoForwarded, NoLongLines, NoOddSystemFlags, NoRawHeaders, NoUidNext, Placeholders, TenErrors,
};

struct Profile {
    name: &'static str,
    offers: &'static str,
    /// Delimiter and prefix of names.
    names: (char, &'static str),
    odd: &'static [Oddity],
    /// The classes of what cannot be copied to it, and how many messages those are.
    refuses: &'static [(&'static str, usize)],
    /// The same for a copy from it.
    withholds: &'static [(&'static str, usize)],
}

const PROFILES: [Profile; 5] = [
    Profile {
        name: "Exchange",
        offers: "UIDPLUS LITERAL+ CHILDREN NAMESPACE",
        names: ('/', ""),
        odd: &[NoLongLines(10_000), NoForwarded, TenErrors, ForgetsFlagged, FoldsNames, Estimates, Placeholders],
        refuses: &[("nul-octet", 1), ("rejected", 12)],
        withholds: &[("placeholder", 1)],
    },
    Profile {
        name: "Gmail",
        offers: "UIDPLUS LITERAL- CHILDREN NAMESPACE ENABLE LIST-EXTENDED LIST-STATUS SPECIAL-USE",
        names: ('/', ""),
        odd: &[Merges, ByeOnOctet, NoBlanks],
        refuses: &[("connection-lost", 1), ("not-stored", 2), ("nul-octet", 1)],
        withholds: &[],
    },
    Profile {
        name: "Dovecot",
        offers: "UIDPLUS LITERAL+ MULTIAPPEND CHILDREN NAMESPACE ENABLE CONDSTORE QRESYNC LIST-EXTENDED LIST-STATUS SPECIAL-USE",
        names: ('/', ""),
        odd: &[NoOddSystemFlags, FetchDisconnects],
        refuses: &[("nul-octet", 1)],
        withholds: &[("unreadable", 1)],
    },
    Profile {
        name: "Cyrus",
        offers: "UIDPLUS LITERAL+ MULTIAPPEND CHILDREN NAMESPACE ENABLE CONDSTORE",
        names: ('.', "INBOX."),
        odd: &[NoBareNewlines, NoRawHeaders],
        refuses: &[("nul-octet", 1), ("rejected", 2)],
        withholds: &[],
    },
    Profile {
        name: "Courier",
        offers: "UIDPLUS CHILDREN NAMESPACE",
        names: ('.', "INBOX."),
        odd: &[NoExists, NoUidNext],
        refuses: &[("nul-octet", 1)],
        withholds: &[],
    },
];

/// The messages of an APPEND: the line before each and its octets.
fn appended(text: &str) -> Vec<(&str, &str)> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((line, after)) = rest.split_once("+}\r\n") {
        let Some(size) = line.rsplit('{').next().and_then(|n| n.parse().ok()) else { break };
        // Each octet is one character here, of one or two octets in this text.
        let end = after.char_indices().nth(size).map_or(after.len(), |(at, _)| at);
        out.push((line, &after[..end]));
        rest = &after[end..];
    }
    out
}

/// What a server is that refuses messages of some kind.
fn refusing(odd: Odd, words: &'static str, is: impl Fn(&str, &str) -> bool + Send + Sync + 'static) -> Odd {
    odd.hears(move |heard| {
        let refused = heard.verb == "APPEND" && appended(&heard.text).iter().any(|(line, octets)| is(line, octets));
        if refused { Heed::Answer(words.to_owned()) } else { Heed::Pass }
    })
}

/// What a server is that gives something else instead of the body of a message that has this text.
fn giving(odd: Odd, marker: &'static str, instead: Option<&'static str>) -> Odd {
    odd.says(move |verb, text| match text.split_once("BODY[] ") {
        Some((head, body)) if verb == "UID FETCH" && body.contains(marker) => {
            instead.map(|words| format!("{head}BODY[] {{{}}}\r\n{words})\r\n", words.len()))
        }
        _ => Some(text),
    })
}

fn head(octets: &str) -> &str {
    octets.split_once("\r\n\r\n").map_or(octets, |(head, _)| head)
}

fn quoted(heard: &Heard) -> &str {
    heard.text.split('"').nth(1).unwrap_or_default()
}

/// What a server is that refuses long lines, and says goodbye over each tenth.
fn counting(odd: Odd, most: usize, errors: Arc<AtomicU32>) -> Odd {
    odd.hears(move |heard| {
        let long = |(_, octets): &(&str, &str)| octets.split("\r\n").any(|line| line.len() > most);
        if heard.verb != "APPEND" || !appended(&heard.text).iter().any(long) {
            return Heed::Pass;
        }
        let tenth = (errors.fetch_add(1, Ordering::SeqCst) + 1).is_multiple_of(10);
        Heed::Answer(if tenth { format!("{ARGUMENT}* BYE Connection closed. 14\r\n") } else { ARGUMENT.to_owned() })
    })
}

/// What a server is that takes names for one which differ only in case.
fn folding(odd: Odd) -> Odd {
    let made: Mutex<BTreeMap<String, String>> = Mutex::default();
    odd.hears(move |heard| {
        let name = quoted(heard).to_owned();
        let mut made = made.lock().unwrap();
        match made.get(&name.to_lowercase()) {
            Some(_) if heard.verb == "CREATE" => Heed::Answer("$ NO Mailbox already exists\r\n".to_owned()),
            Some(known) if *known != name => {
                Heed::Instead(heard.text.replacen(&format!("\"{name}\""), &format!("\"{known}\""), 1))
            }
            None if heard.verb == "CREATE" => {
                made.insert(name.to_lowercase(), name);
                Heed::Pass
            }
            _ => Heed::Pass,
        }
    })
}

/// What a server is that stores no message twice in a folder.
fn merging(odd: Odd) -> Odd {
    let (seen, last) = (Mutex::new(BTreeSet::new()), Arc::new(Mutex::new(String::new())));
    let told = Arc::clone(&last);
    odd.says(move |_, text| {
        if let Some((_, rest)) = text.split_once("[APPENDUID ") {
            *told.lock().unwrap() = rest.split_once(']').unwrap().0.to_owned();
        }
        Some(text)
    })
    .hears(move |heard| {
        let parts = appended(&heard.text);
        let [(_, octets)] = parts[..] else { return Heed::Pass };
        let new = seen.lock().unwrap().insert((quoted(heard).to_owned(), octets.to_owned()));
        if new { Heed::Pass } else { Heed::Answer(format!("$ OK [APPENDUID {}] (Success)\r\n", last.lock().unwrap())) }
    })
}

const ARGUMENT: &str = "$ BAD Command Argument Error. 11\r\n";

/// A server with one oddity more.
fn with(odd: Odd, oddity: Oddity, errors: &Arc<AtomicU32>) -> Odd {
    match oddity {
        NoBareNewlines => refusing(odd, "$ NO Message contains bare newlines\r\n", |_, octets| {
            octets.replace("\r\n", "").contains('\n')
        }),
        NoRawHeaders => refusing(odd, "$ NO Message contains invalid header\r\n", |_, octets| !head(octets).is_ascii()),
        NoLongLines(most) => counting(odd, most, Arc::clone(errors)),
        NoForwarded => refusing(odd, ARGUMENT, |line, _| line.contains("$Forwarded")),
        // It is said together with the errors.
        TenErrors => odd,
        ForgetsFlagged => odd.hears(|heard| match heard.text.split_once("\r\n") {
            Some((line, rest)) if heard.verb == "APPEND" && line.contains("\\Flagged") => Heed::Instead(format!(
                "{}\r\n{rest}",
                line.replace("\\Flagged ", "").replace(" \\Flagged", "").replace("\\Flagged", "")
            )),
            _ => Heed::Pass,
        }),
        FoldsNames => folding(odd),
        NoExists => odd.says(|verb, text| {
            let told = verb == "APPEND" && text.starts_with("* ") && text.contains(" EXISTS");
            Some(if told { String::new() } else { text })
        }),
        NoUidNext => odd.swallows("[UIDNEXT").says(|_, text| {
            let Some((head, rest)) = text.split_once("UIDNEXT ").filter(|_| text.starts_with("* STATUS")) else {
                return Some(text);
            };
            Some(format!("{head}{}", rest.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start()))
        }),
        Estimates => odd.says(|_, text| {
            let Some((head, rest)) = text.split_once("RFC822.SIZE ") else { return Some(text) };
            Some(format!("{head}RFC822.SIZE 19{rest}"))
        }),
        Placeholders => giving(
            odd,
            "odd to read",
            Some(
                "From: a@x\r\nSubject: Retrieval using the IMAP4 protocol failed for the following message: 7\r\n\r\nThe server \
             could not retrieve it.\r\n",
            ),
        ),
        FetchDisconnects => giving(odd, "odd to read", None),
        Merges => merging(odd),
        ByeOnOctet => refusing(odd, "* BYE Invalid character in literal\r\n", |_, octets| {
            octets.chars().any(|c| u32::from(c) > 0xF0)
        }),
        NoBlanks => odd.hears(|heard| {
            let name = quoted(heard);
            let odd = heard.verb == "CREATE" && (name.trim() != name || name.contains("  "));
            let words = "$ NO [CANNOT] Folder contains excess whitespace\r\n";
            if odd { Heed::Answer(words.to_owned()) } else { Heed::Pass }
        }),
        NoOddSystemFlags => refusing(odd, "$ BAD Invalid system flag\r\n", |line, _| line.contains("\\Indexed")),
    }
}

fn odd(profile: &Profile) -> Odd {
    let errors = Arc::default();
    profile.odd.iter().fold(Odd::default().offers(profile.offers), |odd, oddity| with(odd, *oddity, &errors))
}

/// Messages of every kind that one of the servers is odd about.
fn mailbox() -> Vec<FolderMail> {
    let message = |octets: Vec<u8>, flags: &[&str]| Message {
        bytes: octets,
        flags: flags.iter().map(|f| (*f).to_owned()).collect(),
        internal_date: DATE.parse().unwrap(),
    };
    let letter = |n: usize| format!("Message-ID: <{n}@x>\r\nSubject: {n}\r\n\r\ntext {n}\r\n").into_bytes();
    let folder = |name: &str, messages: Vec<Message>| FolderMail {
        path: FolderPath(name.split('/').map(str::to_owned).collect()),
        special_use: None,
        subscribed: true,
        selectable: true,
        messages,
    };
    let inbox =
        (0..8).map(|n| message(letter(n), [&["\\Seen"][..], &["\\Flagged", "\\Seen"], &["$Forwarded"], &[]][n % 4]));
    let long = (0..12).map(|n| message([letter(100 + n), vec![b'x'; 11_000 + n]].concat(), &["\\Flagged"]));
    vec![
        folder("INBOX", inbox.collect()),
        folder("Twins", [5, 5, 5].map(|n| message(letter(n), &[])).into()),
        folder(
            "Octets",
            vec![
                message(b"Subject: bare\n\nlines\nend here\n".to_vec(), &[]),
                message(b"Subject: nul\r\n\r\na\0b\r\n".to_vec(), &[]),
                message(b"Subject: caf\xe9\r\n\r\nLatin-1\r\n".to_vec(), &["\\Seen"]),
                message(b"Subject: high\r\n\r\n\xff\r\n".to_vec(), &["\\Seen"]),
                message(b"Subject: odd to read\r\n\r\nx\r\n".to_vec(), &["\\Seen"]),
                message(b"Subject: flags\r\n\r\nx\r\n".to_vec(), &["\\Seen", "\\Indexed"]),
            ],
        ),
        folder("Long", long.collect()),
        folder("Case", vec![message(letter(20), &[])]),
        folder("CASE", vec![message(letter(21), &["\\Flagged"])]),
        folder("two  blanks ", vec![message(letter(22), &[])]),
        folder("Deep/er", vec![message(letter(23), &["\\Answered"])]),
    ]
}

fn classes(report: &CopyReport) -> BTreeMap<&str, usize> {
    let mut out = BTreeMap::new();
    report.failed.iter().for_each(|f| *out.entry(f.class.as_str()).or_default() += 1);
    out
}

fn count(between: &Between, service: &str) -> usize {
    between.mail(service).values().map(Vec::len).sum()
}

/// A copy, the proof, a copy of what is new, and the proof again.
async fn whole(between: &Between, name: &str, fails: &[(&str, usize)]) {
    between.store.deliver(OLD, &anna(), &mailbox()).unwrap();
    let failing: usize = fails.iter().map(|(_, n)| n).sum();
    let expected: BTreeMap<&str, usize> = fails.iter().copied().collect();
    let report = between.pass().await.unwrap_or_else(|e| panic!("{name}: {e:?}"));
    assert_eq!(classes(&report), expected, "{name}: {report:#?}");
    assert!(report.total.balances(), "{name}: {report:#?}");
    proved(between, name, failing).await;
    // Mail and flags that are new.
    between.put("INBOX", &[(DATE, b"Message-ID: <new@x>\r\nSubject: new\r\n\r\nnew\r\n")]);
    between.put("New folder", &[(DATE, b"Message-ID: <newer@x>\r\nSubject: newer\r\n\r\nnewer\r\n")]);
    let again = between.pass().await.unwrap_or_else(|e| panic!("{name}: {e:?}"));
    assert_eq!(classes(&again), expected, "{name}: {again:#?}");
    assert_eq!(again.total.copied, report.total.copied + 2, "{name}: {again:#?}");
    proved(between, name, failing).await;
    let appends = between.target.heard("APPEND").len();
    let last = between.pass().await.unwrap_or_else(|e| panic!("{name}: {e:?}"));
    assert_eq!(last.total.copied, again.total.copied, "{name}");
    // What may pass another time is tried again, and nothing else.
    let tried = between.target.heard("APPEND").len() - appends;
    assert!(tried <= 4 * failing, "{name}: {tried} appends by a pass with nothing to do");
    proved(between, name, failing).await;
}

async fn proved(between: &Between, name: &str, failing: usize) {
    assert_eq!(count(between, NEW) + failing, count(between, OLD), "{name}");
    let proof = between.verify().await;
    let wrong: Vec<_> = proof.findings.iter().filter(|f| f.severity == Severity::Error).collect();
    if proof.findings.iter().any(|f| f.code == "folder-unread") {
        // Nobody can read the folder to its end, so nothing is claimed of it.
        assert!(!proof.ok && wrong.is_empty() && failing > 0, "{name}: {:#?}", proof.findings);
        return;
    }
    assert!(wrong.iter().all(|f| f.code == "message-failed"), "{name}: {wrong:#?}");
    assert_eq!(wrong.len(), failing, "{name}: {wrong:#?}");
    let odd = |code: &str| ["flags-differ", "date-differs", "message-changed", "message-missing"].contains(&code);
    let told: Vec<_> = proof.findings.iter().filter(|f| odd(&f.code) && f.severity != Severity::Info).collect();
    assert!(told.is_empty(), "{name}: {told:#?}");
}

#[tokio::test]
#[ignore = "what the copies to Exchange and Gmail, as they are played here, should end with is not settled"]
async fn a_copy_to_each_kind_of_server_is_whole_or_says_what_is_not() {
    for profile in &PROFILES {
        let (delimiter, prefix) = profile.names;
        let between = Between::empty(Odd::default(), odd(profile), |b| {
            b.delimiter = delimiter;
            b.prefix = prefix.to_owned();
        })
        .await;
        whole(&between, &format!("to {}", profile.name), profile.refuses).await;
        let starred = between.mail(NEW).values().flatten().filter(|m| m.0.iter().any(|f| f == "\\Flagged")).count();
        let lost = profile.refuses.iter().any(|(_, n)| *n == 12);
        assert_eq!(starred, if lost { 3 } else { 15 }, "{}: stars arrive", profile.name);
    }
}

#[tokio::test]
async fn a_copy_from_each_kind_of_server_is_whole_or_says_what_is_not() {
    for profile in &PROFILES {
        let between = Between::empty(odd(profile), Odd::default(), |_| {}).await;
        let mut fails = vec![("nul-octet", 1)];
        fails.extend(profile.withholds);
        whole(&between, &format!("from {}", profile.name), &fails).await;
    }
}
