//! Laws of the parser: it never panics, chunks do not matter, and on well-formed responses it agrees with an
//! independent parser.

use imap_proto::{AttributeValue, MailboxDatum, ResponseCode, StatusAttribute, rfc4315::UidSetMember};
use proptest::prelude::*;

use super::{
    code::Code,
    response::{Response, StatusKind},
};

fn responses(chunks: &[&[u8]]) -> Vec<Response> {
    super::fuzz::responses(chunks.iter().copied())
}

fn ours(line: &[u8]) -> String {
    let [one] = &responses(&[line])[..] else { return "not one response".to_owned() };
    match one {
        Response::Tagged { tag, status } => format!("{tag} {:?} {}", status.kind, our_code(status.code.as_ref())),
        Response::Untagged(status) => format!("* {:?} {}", status.kind, our_code(status.code.as_ref())),
        Response::Exists(n) => format!("exists {n}"),
        Response::Flags(flags) => format!("flags {flags:?}"),
        Response::List(l) => {
            let name = String::from_utf8(l.name.clone()).unwrap();
            let name = if name.eq_ignore_ascii_case("inbox") { "INBOX".to_owned() } else { name };
            format!("list {} {:?} {name:?}", l.attributes.len(), l.delimiter)
        }
        Response::StatusOf(s) => format!(
            "status {:?} {:?} {:?} {:?} {:?}",
            String::from_utf8(s.name.clone()).unwrap().replace("inbox", "INBOX"),
            s.messages,
            s.uid_next,
            s.uid_validity,
            s.highest_modseq
        ),
        Response::Fetch(f) => {
            let body = f.body.as_ref().map(|b| b.as_ref().map(|b| b.bytes().unwrap().to_vec()));
            format!("fetch {:?} {:?} {:?} {:?} {:?} {body:?}", f.uid, f.flags, f.internal_date, f.size, f.modseq)
        }
        other => format!("{other:?}"),
    }
}

fn our_code(code: Option<&Code>) -> String {
    match code {
        Some(Code::AppendUid { uid_validity, uids }) => {
            format!("appenduid {uid_validity} {}", uids.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
        }
        Some(code) => format!("{code:?}").to_ascii_lowercase(),
        None => "none".to_owned(),
    }
}

fn theirs(line: &[u8]) -> String {
    let Ok((rest, response)) = imap_proto::Response::parse(line) else { return "not parsed".to_owned() };
    assert!(rest.is_empty(), "generated lines are whole");
    match response {
        imap_proto::Response::Done { tag, status, outcome } => {
            format!("{} {:?} {}", tag.0, kind(&status), their_code(outcome.code.as_ref()))
        }
        imap_proto::Response::Data { status, outcome } => {
            format!("* {:?} {}", kind(&status), their_code(outcome.code.as_ref()))
        }
        imap_proto::Response::MailboxData(MailboxDatum::Exists(n)) => format!("exists {n}"),
        imap_proto::Response::MailboxData(MailboxDatum::Flags(flags)) => format!("flags {flags:?}"),
        imap_proto::Response::MailboxData(MailboxDatum::List(l)) => {
            let delimiter = l.delimiter.as_ref().and_then(|d| d.chars().next());
            format!("list {} {delimiter:?} {:?}", l.name_attributes.len(), l.name)
        }
        imap_proto::Response::MailboxData(MailboxDatum::Status { mailbox, status }) => {
            let find = |f: &dyn Fn(&StatusAttribute) -> Option<u64>| status.iter().find_map(f);
            format!(
                "status {mailbox:?} {:?} {:?} {:?} {:?}",
                find(&|s| if let StatusAttribute::Messages(n) = s { Some((*n).into()) } else { None }),
                find(&|s| if let StatusAttribute::UidNext(n) = s { Some((*n).into()) } else { None }),
                find(&|s| if let StatusAttribute::UidValidity(n) = s { Some((*n).into()) } else { None }),
                find(&|s| if let StatusAttribute::HighestModSeq(n) = s { Some(*n) } else { None }),
            )
        }
        imap_proto::Response::Fetch(_, items) => their_fetch(&items),
        other => format!("{other:?}"),
    }
}

fn their_fetch(items: &[AttributeValue<'_>]) -> String {
    let (mut uid, mut flags, mut date, mut size, mut modseq, mut body) = (None, None, None, None, None, None);
    for item in items {
        match item {
            AttributeValue::Uid(n) => uid = Some(*n),
            AttributeValue::Flags(f) => flags = Some(f.iter().map(ToString::to_string).collect::<Vec<_>>()),
            AttributeValue::InternalDate(d) => date = Some(d.to_string()),
            AttributeValue::Rfc822Size(n) => size = Some(u64::from(*n)),
            AttributeValue::ModSeq(n) => modseq = Some(*n),
            AttributeValue::BodySection { section: None, index: None, data } => {
                body = Some(data.as_ref().map(|d| d.to_vec()));
            }
            _ => {}
        }
    }
    format!("fetch {uid:?} {flags:?} {date:?} {size:?} {modseq:?} {body:?}")
}

fn kind(status: &imap_proto::Status) -> StatusKind {
    match status {
        imap_proto::Status::Ok => StatusKind::Ok,
        imap_proto::Status::No => StatusKind::No,
        imap_proto::Status::Bad => StatusKind::Bad,
        imap_proto::Status::PreAuth => StatusKind::Preauth,
        imap_proto::Status::Bye => StatusKind::Bye,
    }
}

fn their_code(code: Option<&ResponseCode<'_>>) -> String {
    match code {
        Some(ResponseCode::AppendUid(validity, uids)) => {
            let uids = uids.iter().map(|member| match member {
                UidSetMember::Uid(n) => n.to_string(),
                UidSetMember::UidRange(r) => format!("{}:{}", r.start(), r.end()),
            });
            format!("appenduid {validity} {}", uids.collect::<Vec<_>>().join(","))
        }
        Some(ResponseCode::PermanentFlags(flags)) => format!("permanentflags({flags:?})").to_ascii_lowercase(),
        Some(code) => format!("{code:?}").to_ascii_lowercase(),
        None => "none".to_owned(),
    }
}

fn flags() -> impl Strategy<Value = String> {
    proptest::collection::vec(r"\\(Seen|Answered|Deleted)|[a-zA-Z$][a-zA-Z0-9_-]{0,8}", 0..5)
        .prop_map(|f| format!("({})", f.join(" ")))
}

/// A string as an atom, quoted, or a literal. Without escapes: the other parser leaves them in.
fn string() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9][a-zA-Z0-9./-]{0,12}",
        "[ -!#-\\[\\]-~]{0,12}".prop_map(|s| format!("\"{s}\"")),
        "[ -~\r\n]{0,20}".prop_map(|s| format!("{{{}}}\r\n{s}", s.len())),
    ]
}

fn item() -> impl Strategy<Value = String> {
    prop_oneof![
        (1_u32..).prop_map(|n| format!("UID {n}")),
        flags().prop_map(|f| format!("FLAGS {f}")),
        any::<u32>().prop_map(|n| format!("RFC822.SIZE {n}")),
        any::<u64>().prop_map(|n| format!("MODSEQ ({n})")),
        Just("INTERNALDATE \" 7-Feb-1994 22:43:04 -0800\"".to_owned()),
        Just("BODY[] NIL".to_owned()),
        "[ -~\r\n]{0,60}".prop_map(|s| format!("BODY[] {{{}}}\r\n{s}", s.len())),
        "[a-z ]{0,9}".prop_map(|s| format!("BODY[HEADER] \"{s}\"")),
    ]
}

fn code() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just("[ALERT] ".to_owned()),
        Just("[READ-ONLY] ".to_owned()),
        Just("[TRYCREATE] ".to_owned()),
        Just("[UIDNOTSTICKY] ".to_owned()),
        any::<u32>().prop_map(|n| format!("[UIDVALIDITY {n}] ")),
        any::<u32>().prop_map(|n| format!("[UIDNEXT {n}] ")),
        any::<u64>().prop_map(|n| format!("[HIGHESTMODSEQ {n}] ")),
        flags().prop_map(|f| format!("[PERMANENTFLAGS {f}] ")),
        (any::<u32>(), 1_u32..900, 1_u32..900).prop_map(|(v, a, b)| format!("[APPENDUID {v} {a},{b}] ")),
    ]
}

fn well_formed() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<u32>().prop_map(|n| format!("* {n} EXISTS\r\n")),
        flags().prop_map(|f| format!("* FLAGS {f}\r\n")),
        (prop_oneof!["(OK|NO|BAD)"], code(), "[a-z]{1,9} [ -~]{0,20}[a-z]")
            .prop_map(|(k, c, t)| format!("r7 {k} {c}{t}\r\n")),
        (prop_oneof!["(OK|NO|BAD|BYE)"], code(), "[a-z]{1,9}").prop_map(|(k, c, t)| format!("* {k} {c}{t}\r\n")),
        (prop_oneof![Just("NIL"), Just("\"/\""), Just("\".\"")], string())
            .prop_map(|(d, n)| format!("* LIST (\\Marked \\HasNoChildren) {d} {n}\r\n")),
        (string(), any::<u32>(), any::<u32>(), 1_u64..)
            .prop_map(|(n, a, b, c)| format!("* STATUS {n} (MESSAGES {a} UIDNEXT {b} HIGHESTMODSEQ {c})\r\n")),
        proptest::collection::vec(item(), 1..6).prop_map(|items| format!("* 3 FETCH ({})\r\n", items.join(" "))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn two_parsers_agree_on_what_is_well_formed(line in well_formed()) {
        let want = theirs(line.as_bytes());
        prop_assume!(want != "not parsed"); // the other one knows fewer strings
        prop_assert_eq!(ours(line.as_bytes()), want);
    }

    #[test]
    fn no_octets_make_it_panic_and_chunks_do_not_matter(
        mut lines in proptest::collection::vec(well_formed().prop_map(String::into_bytes), 1..4),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        noise in any::<Vec<u8>>(),
        cuts in proptest::collection::vec(1_usize..30, 1..8),
    ) {
        lines.push(noise);
        let mut stream = lines.concat();
        for (at, octet) in damage {
            if !stream.is_empty() {
                let at = at.index(stream.len());
                stream[at] = octet;
            }
        }
        let mut chunks = Vec::new();
        let mut rest = &stream[..];
        for cut in cuts.iter().cycle() {
            if rest.is_empty() { break }
            let (head, tail) = rest.split_at((*cut).min(rest.len()));
            chunks.push(head);
            rest = tail;
        }
        prop_assert_eq!(responses(&chunks), responses(&[&stream[..]]));
    }
}
