//! SEARCH (RFC 9051 6.4.4): the keys that copies and checks use, and the common ones of mail programs.

use jiff::civil::Date;

use super::{
    append::contains,
    args::{Arg, Command},
    fetch::{field_name, fields, header_end},
    session::{Outcome, Session, bad},
    set::NumberSet,
    wire::Out,
    world::{Stored, World},
};
use crate::sandbox::corpus;

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Key {
    All,
    Numbers(NumberSet),
    Uids(NumberSet),
    Flag { flag: String, set: bool },
    Header { name: String, value: Vec<u8> },
    Body(Vec<u8>),
    Text(Vec<u8>),
    Larger(usize),
    Smaller(usize),
    Since(Date),
    Before(Date),
    On(Date),
    ModSeq(u64),
    None,
    Not(Box<Self>),
    Or(Box<Self>, Box<Self>),
    And(Vec<Self>),
}

/// What a condition is held against.
struct Candidate<'a> {
    number: u32,
    last: u32,
    last_uid: u32,
    message: &'a Stored,
}

impl Session {
    pub(super) fn search(&mut self, world: &mut World, command: &Command, out: &mut Out) -> Outcome {
        let mut args = command.args.as_slice();
        if let [word, charset, rest @ ..] = args
            && word.word().as_deref() == Some("CHARSET")
        {
            if !matches!(charset.text().map(str::to_ascii_uppercase).as_deref(), Some("UTF-8" | "US-ASCII")) {
                return super::session::no("[BADCHARSET (UTF-8 US-ASCII)] that charset is not known");
            }
            args = rest;
        }
        let mut keys = Vec::new();
        while !args.is_empty() {
            let Some(key) = key(&mut args) else { return bad("a key is not known here") };
            keys.push(key);
        }
        if keys.is_empty() {
            return bad("SEARCH takes keys");
        }
        let by_modseq = keys.iter().any(|k| matches!(k, Key::ModSeq(_)));
        let (folder, selected) = self.open(world)?;
        let last = u32::try_from(selected.uids.len()).unwrap_or(u32::MAX);
        let last_uid = selected.uids.last().copied().unwrap_or(0);
        let mut found = String::new();
        let mut highest = 0;
        for (number, uid) in (1..).zip(&selected.uids) {
            let Some(message) = folder.get(*uid) else { continue };
            let candidate = Candidate { number, last, last_uid, message };
            if keys.iter().all(|k| k.fits(&candidate)) {
                found.push_str(&format!(" {}", if command.uid { *uid } else { number }));
                highest = highest.max(message.modseq);
            }
        }
        if by_modseq && !found.is_empty() {
            found.push_str(&format!(" (MODSEQ {highest})"));
        }
        out.line(format!("* SEARCH{found}"));
        Ok("done".to_owned())
    }
}

/// Takes one key off the arguments; `None` when it is not known.
fn key(args: &mut &[Arg]) -> Option<Key> {
    let (first, rest) = args.split_first()?;
    *args = rest;
    if let Arg::List(list) = first {
        let mut inner = list.as_slice();
        let mut keys = Vec::new();
        while !inner.is_empty() {
            keys.push(key(&mut inner)?);
        }
        return Some(Key::And(keys));
    }
    let word = first.word()?;
    let flag = |flag: &str, set| Some(Key::Flag { flag: flag.to_owned(), set });
    match word.as_str() {
        "ALL" | "OLD" => Some(Key::All),
        "NEW" | "RECENT" => Some(Key::None),
        "ANSWERED" => flag("\\Answered", true),
        "DELETED" => flag("\\Deleted", true),
        "DRAFT" => flag("\\Draft", true),
        "FLAGGED" => flag("\\Flagged", true),
        "SEEN" => flag("\\Seen", true),
        "UNANSWERED" => flag("\\Answered", false),
        "UNDELETED" => flag("\\Deleted", false),
        "UNDRAFT" => flag("\\Draft", false),
        "UNFLAGGED" => flag("\\Flagged", false),
        "UNSEEN" => flag("\\Seen", false),
        "NOT" => Some(Key::Not(Box::new(key(args)?))),
        "OR" => Some(Key::Or(Box::new(key(args)?), Box::new(key(args)?))),
        _ => match NumberSet::parse(&word) {
            Some(set) => Some(Key::Numbers(set)),
            None => with_value(&word, args),
        },
    }
}

fn with_value(word: &str, args: &mut &[Arg]) -> Option<Key> {
    let mut value = || {
        let (first, rest) = args.split_first()?;
        *args = rest;
        first.bytes().map(<[u8]>::to_vec)
    };
    let text = |v: Vec<u8>| String::from_utf8(v).ok();
    Some(match word {
        "UID" => Key::Uids(NumberSet::parse(&text(value()?)?)?),
        "KEYWORD" => Key::Flag { flag: text(value()?)?, set: true },
        "UNKEYWORD" => Key::Flag { flag: text(value()?)?, set: false },
        "HEADER" => Key::Header { name: text(value()?)?, value: value()?.to_ascii_lowercase() },
        "SUBJECT" | "FROM" | "TO" | "CC" | "BCC" => {
            Key::Header { name: word.to_owned(), value: value()?.to_ascii_lowercase() }
        }
        "BODY" => Key::Body(value()?.to_ascii_lowercase()),
        "TEXT" => Key::Text(value()?.to_ascii_lowercase()),
        "LARGER" => Key::Larger(text(value()?)?.parse().ok()?),
        "SMALLER" => Key::Smaller(text(value()?)?.parse().ok()?),
        "SINCE" => Key::Since(date(&text(value()?)?)?),
        "BEFORE" => Key::Before(date(&text(value()?)?)?),
        "ON" => Key::On(date(&text(value()?)?)?),
        "MODSEQ" => Key::ModSeq(text(value()?)?.parse().ok()?),
        _ => return None,
    })
}

/// `17-Jul-1996`
fn date(text: &str) -> Option<Date> {
    let mut parts = text.split('-');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    Date::new(year.parse().ok()?, corpus::month(month)?, day.parse().ok()?).ok()
}

impl Key {
    fn fits(&self, c: &Candidate<'_>) -> bool {
        let m = c.message;
        match self {
            Self::All => true,
            Self::None => false,
            Self::Numbers(set) => set.contains(c.number, c.last),
            Self::Uids(set) => set.contains(m.uid, c.last_uid),
            Self::Flag { flag, set } => m.flags.iter().any(|f| f.eq_ignore_ascii_case(flag)) == *set,
            Self::Header { name, value } => header_fits(&m.bytes, name, value),
            Self::Body(value) => {
                let body = m.bytes.get(header_end(&m.bytes)..).unwrap_or_default();
                contains(&body.to_ascii_lowercase(), value)
            }
            Self::Text(value) => contains(&m.bytes.to_ascii_lowercase(), value),
            Self::Larger(size) => m.bytes.len() > *size,
            Self::Smaller(size) => m.bytes.len() < *size,
            Self::Since(date) => m.date.day() >= *date,
            Self::Before(date) => m.date.day() < *date,
            Self::On(date) => m.date.day() == *date,
            Self::ModSeq(modseq) => m.modseq >= *modseq,
            Self::Not(key) => !key.fits(c),
            Self::Or(a, b) => a.fits(c) || b.fits(c),
            Self::And(keys) => keys.iter().all(|k| k.fits(c)),
        }
    }
}

/// An empty value asks whether the field is there at all.
fn header_fits(message: &[u8], name: &str, value: &[u8]) -> bool {
    let header = message.get(..header_end(message)).unwrap_or_default();
    fields(header).into_iter().filter(|f| field_name(f).eq_ignore_ascii_case(name.as_bytes())).any(|field| {
        let content = field.get(field_name(field).len()..).unwrap_or_default();
        value.is_empty() || contains(&content.to_ascii_lowercase(), value)
    })
}
