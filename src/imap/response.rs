//! Responses of a server, read from frames (RFC 9051 7). Items that nobody asked for are skipped, responses that
//! nobody knows are kept as they came, and a known response that cannot be read says so: a message must never seem
//! absent because its answer was odd.

use super::{
    body::Body,
    code::{self, Code},
    error::words,
    token::{Cursor, Frame, Value, text},
    uid::UidRange,
};

/// A response.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Response {
    /// The end of a command.
    Tagged {
        tag: String,
        status: Status,
    },
    /// An untagged OK, NO, BAD, BYE or PREAUTH.
    Untagged(Status),
    /// The server waits for more; what it says about it.
    Continue(String),
    Capability(Vec<String>),
    List(ListLine),
    Lsub(ListLine),
    StatusOf(StatusLine),
    Flags(Vec<String>),
    Exists(u32),
    Fetch(FetchLine),
    Namespace(Vec<(Vec<u8>, Option<char>)>),
    Search(Vec<u32>),
    /// Messages that are no more (RFC 7162 3.2.10): since a HIGHESTMODSEQ, or just now.
    Vanished {
        earlier: bool,
        uids: Vec<UidRange>,
    },
    QuotaRoot(Vec<Vec<u8>>),
    /// Resource, usage, limit.
    Quota {
        root: Vec<u8>,
        resources: Vec<(String, u64, u64)>,
    },
    /// The folder, and who has which rights on it.
    Acl {
        name: Vec<u8>,
        rights: Vec<(Vec<u8>, Vec<u8>)>,
    },
    /// A response of this kind that cannot be read.
    Malformed {
        name: &'static str,
        words: String,
    },
    /// Anything else.
    Other,
}

/// A status line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) kind: StatusKind,
    pub(super) code: Option<Code>,
    pub(super) text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StatusKind {
    Ok,
    No,
    Bad,
    Bye,
    Preauth,
}

/// LIST or LSUB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ListLine {
    pub(super) attributes: Vec<String>,
    pub(super) delimiter: Option<char>,
    pub(super) name: Vec<u8>,
}

/// STATUS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct StatusLine {
    pub(super) name: Vec<u8>,
    pub(super) messages: Option<u32>,
    pub(super) uid_next: Option<u32>,
    pub(super) uid_validity: Option<u32>,
    pub(super) highest_modseq: Option<u64>,
    pub(super) size: Option<u64>,
    /// APPENDLIMIT (RFC 7889); `None` also for NIL.
    pub(super) append_limit: Option<u64>,
}

/// FETCH. Absent items are `None`; an item that was sent as NIL is `Some(None)` where that differs.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct FetchLine {
    pub(super) uid: Option<u32>,
    pub(super) flags: Option<Vec<String>>,
    pub(super) internal_date: Option<String>,
    pub(super) size: Option<u64>,
    pub(super) modseq: Option<u64>,
    pub(super) body: Option<Option<Body>>,
    /// Gmail's labels as they stand on the wire.
    pub(super) labels: Option<Vec<Vec<u8>>>,
    /// Gmail's number of the message, the same in every folder that shows it.
    pub(super) gmail_id: Option<u64>,
}

impl Response {
    /// Reads one response. Never fails: see [`Response::Malformed`] and [`Response::Other`].
    pub(super) fn parse(frame: &Frame) -> Self {
        let head = frame.head();
        if head.is_empty() {
            return Self::Other;
        }
        if head == b"+" || head.starts_with(b"+ ") {
            return Self::Continue(String::from_utf8_lossy(head).trim_start_matches('+').trim().to_owned());
        }
        let Some(rest) = head.strip_prefix(b"* ") else {
            return tagged(head).unwrap_or_else(|| malformed("tagged response", head));
        };
        if let Some(status) = status(rest) {
            return Self::Untagged(status);
        }
        let mut cursor = Cursor::new(frame);
        cursor.word();
        let Some(first) = cursor.word() else { return Self::Other };
        if first.first().is_some_and(u8::is_ascii_digit) {
            return numbered(first, &mut cursor).unwrap_or_else(|name| malformed(name, head));
        }
        named(&first.to_ascii_uppercase(), &mut cursor).unwrap_or_else(|name| malformed(name, head))
    }
}

fn malformed(name: &'static str, head: &[u8]) -> Response {
    Response::Malformed { name, words: words(head) }
}

fn tagged(line: &[u8]) -> Option<Response> {
    let at = line.iter().position(|b| *b == b' ')?;
    let (tag, rest) = line.split_at(at);
    let status = status(rest.trim_ascii_start()).filter(|_| !tag.is_empty())?;
    matches!(status.kind, StatusKind::Ok | StatusKind::No | StatusKind::Bad)
        .then(|| Response::Tagged { tag: text(tag), status })
}

/// `OK [CODE] text`, with or without a text.
fn status(line: &[u8]) -> Option<Status> {
    let end = line.iter().position(|b| *b == b' ').unwrap_or(line.len());
    let (word, rest) = line.split_at(end);
    let kind = match &word.to_ascii_uppercase()[..] {
        b"OK" => StatusKind::Ok,
        b"NO" => StatusKind::No,
        b"BAD" => StatusKind::Bad,
        b"BYE" => StatusKind::Bye,
        b"PREAUTH" => StatusKind::Preauth,
        _ => return None,
    };
    let (code, text) = code::split(rest.trim_ascii_start());
    Some(Status { kind, code, text: words(text) })
}

fn numbered(number: &[u8], cursor: &mut Cursor<'_>) -> Result<Response, &'static str> {
    let Some(word) = cursor.word() else { return Ok(Response::Other) };
    match &word.to_ascii_uppercase()[..] {
        b"EXISTS" => {
            let n = std::str::from_utf8(number).ok().and_then(|n| n.parse().ok());
            n.map(Response::Exists).ok_or("EXISTS")
        }
        // The sequence number is of no use here; Exchange sends some above EXISTS.
        b"FETCH" => fetch(cursor).map(Response::Fetch).ok_or("FETCH"),
        _ => Ok(Response::Other),
    }
}

fn named(name: &[u8], cursor: &mut Cursor<'_>) -> Result<Response, &'static str> {
    Ok(match name {
        b"CAPABILITY" => {
            let mut list = Vec::new();
            while let Some(word) = cursor.word() {
                list.push(text(word).to_ascii_uppercase());
            }
            Response::Capability(list)
        }
        b"LIST" | b"XLIST" => Response::List(list_line(cursor).ok_or("LIST")?),
        b"LSUB" => Response::Lsub(list_line(cursor).ok_or("LSUB")?),
        b"STATUS" => Response::StatusOf(status_line(cursor).ok_or("STATUS")?),
        b"FLAGS" => Response::Flags(cursor.flags().ok_or("FLAGS")?),
        b"NAMESPACE" => Response::Namespace(namespace(cursor).ok_or("NAMESPACE")?),
        b"QUOTAROOT" => {
            cursor.value().ok_or("QUOTAROOT")?;
            let mut roots = Vec::new();
            while !cursor.at_end() {
                roots.push(cursor.value().and_then(|v| v.string()).ok_or("QUOTAROOT")?);
            }
            Response::QuotaRoot(roots)
        }
        b"QUOTA" => quota(cursor).ok_or("QUOTA")?,
        b"ACL" => acl(cursor).ok_or("ACL")?,
        b"SEARCH" => Response::Search(search(cursor)),
        b"VANISHED" => vanished(cursor).ok_or("VANISHED")?,
        _ => Response::Other,
    })
}

fn list_line(cursor: &mut Cursor<'_>) -> Option<ListLine> {
    let attributes = cursor.flags()?;
    let delimiter = match cursor.value()? {
        Value::Nil => None,
        value => value.text()?.chars().next(),
    };
    let name = cursor.value()?.string()?;
    Some(ListLine { attributes, delimiter, name })
}

/// The numbers of a SEARCH answer, up to what is no number: `(MODSEQ n)` may stand at the end (RFC 7162).
fn search(cursor: &mut Cursor<'_>) -> Vec<u32> {
    let number = |word: &[u8]| std::str::from_utf8(word).ok()?.parse().ok();
    std::iter::from_fn(|| cursor.word().and_then(number)).collect()
}

/// `VANISHED (EARLIER) 41,43:116`.
fn vanished(cursor: &mut Cursor<'_>) -> Option<Response> {
    cursor.blanks();
    let earlier = cursor.eat(b'(');
    if earlier && !(cursor.word()?.eq_ignore_ascii_case(b"EARLIER") && cursor.eat(b')')) {
        return None;
    }
    let set = std::str::from_utf8(cursor.word()?).ok()?;
    Some(Response::Vanished { earlier, uids: UidRange::parse_set(set)? })
}

fn status_line(cursor: &mut Cursor<'_>) -> Option<StatusLine> {
    let mut line = StatusLine { name: cursor.value()?.string()?, ..StatusLine::default() };
    let items = cursor.value()?;
    let mut items = items.list()?.iter();
    while let (Some(name), Some(value)) = (items.next(), items.next()) {
        match name.text()?.to_ascii_uppercase().as_str() {
            "MESSAGES" => line.messages = Some(value.number()?),
            "UIDNEXT" => line.uid_next = value.number(),
            "UIDVALIDITY" => line.uid_validity = Some(value.number()?),
            "HIGHESTMODSEQ" => line.highest_modseq = value.number().filter(|n| *n > 0),
            "SIZE" => line.size = value.number(),
            "APPENDLIMIT" => line.append_limit = value.number(),
            _ => {}
        }
    }
    Some(line)
}

/// The personal name spaces; those of others and shared ones are not the account's own mail.
fn namespace(cursor: &mut Cursor<'_>) -> Option<Vec<(Vec<u8>, Option<char>)>> {
    let personal = cursor.value()?;
    personal
        .list()?
        .iter()
        .map(|space| match space.list()? {
            [prefix, Value::Nil, ..] => Some((prefix.string()?, None)),
            [prefix, delimiter, ..] => Some((prefix.string()?, delimiter.text()?.chars().next())),
            _ => None,
        })
        .collect()
}

/// `ACL folder identifier rights ...` (RFC 4314 3.6).
fn acl(cursor: &mut Cursor<'_>) -> Option<Response> {
    let name = cursor.value()?.string()?;
    let mut rights = Vec::new();
    while !cursor.at_end() {
        rights.push((cursor.value()?.string()?, cursor.value()?.string()?));
    }
    Some(Response::Acl { name, rights })
}

fn quota(cursor: &mut Cursor<'_>) -> Option<Response> {
    let root = cursor.value()?.string()?;
    let list = cursor.value()?;
    let mut resources = Vec::new();
    for triple in list.list()?.chunks(3) {
        let [name, used, limit] = triple else { return None };
        resources.push((name.text()?.to_ascii_uppercase(), used.number()?, limit.number()?));
    }
    Some(Response::Quota { root, resources })
}

fn fetch(cursor: &mut Cursor<'_>) -> Option<FetchLine> {
    cursor.blanks();
    if !cursor.eat(b'(') {
        return None;
    }
    let mut line = FetchLine::default();
    loop {
        cursor.blanks();
        if cursor.eat(b')') {
            return Some(line);
        }
        let name = cursor.item_name()?;
        if name == "FLAGS" {
            line.flags = Some(cursor.flags()?);
            continue;
        }
        let value = cursor.value()?;
        match name.as_str() {
            // UID 0 is nobody's; Exchange was seen to send it.
            "UID" => line.uid = Some(value.number()?).filter(|uid| *uid > 0),
            "INTERNALDATE" => {
                line.internal_date = if value == Value::Nil { None } else { Some(value.text()?) };
            }
            "RFC822.SIZE" => line.size = value.number(),
            "MODSEQ" => line.modseq = value.list().and_then(<[Value]>::first).and_then(Value::number),
            "X-GM-MSGID" => line.gmail_id = value.number(),
            "X-GM-LABELS" => {
                line.labels = Some(value.list()?.iter().map(Value::string).collect::<Option<Vec<Vec<u8>>>>()?);
            }
            "BODY[]" => line.body = Some(body(value)?),
            _ => {}
        }
    }
}

/// The octets of a body; `Some(None)` is a body sent as NIL.
#[expect(clippy::option_option, reason = "not understood, sent as NIL, and sent are three answers")]
fn body(value: Value) -> Option<Option<Body>> {
    match value {
        Value::Nil => Some(None),
        Value::Quoted(octets) => Some(Some(Body::from(octets))),
        Value::Literal(body) => Some(Some(body)),
        Value::Atom(_) | Value::List(_) => None,
    }
}
