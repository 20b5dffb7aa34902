//! FETCH (RFC 9051 6.4.5): flags, date, size, UID, and bodies as a whole or by header and text.

use bytes::Bytes;

use super::{
    Fault,
    append::contains,
    args::{Arg, Command},
    flags,
    session::{Outcome, Refusal, Session, bad, no},
    wire::Out,
    world::{Stored, World},
};

/// One thing to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    Flags,
    InternalDate,
    Size,
    Uid,
    ModSeq,
    Body(Section),
}

/// A part of a message and how it is named in the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Section {
    /// What stands before the literal, such as `BODY[HEADER]`.
    label: String,
    part: Part,
    /// Offset and length.
    range: Option<(usize, usize)>,
    /// Whether the message becomes seen.
    marks: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    All,
    Header,
    Text,
    /// These fields of the header, or all but these.
    Fields {
        names: Vec<String>,
        except: bool,
    },
}

/// An unsolicited or solicited `FETCH` that tells flags alone.
pub(super) fn flags_line(number: usize, message: &Stored, uid: bool, condstore: bool) -> String {
    let mut items = vec![format!("FLAGS ({})", flags::write(&message.flags))];
    if uid {
        items.insert(0, format!("UID {}", message.uid));
    }
    if condstore {
        items.push(format!("MODSEQ ({})", message.modseq));
    }
    format!("* {number} FETCH ({})", items.join(" "))
}

impl Session {
    pub(super) fn fetch(&mut self, world: &mut World, command: &Command, out: &mut Out) -> Outcome {
        let Some(wanted) = command.args.get(1) else { return bad("FETCH takes a set and items") };
        let Some(mut items) = items(wanted) else { return bad("an item is not known here") };
        let since = match command.args.get(2) {
            None => None,
            Some(Arg::List(modifier)) => match modifier.as_slice() {
                [key, value] if key.word().as_deref() == Some("CHANGEDSINCE") => {
                    self.condstore = true;
                    value.text().and_then(|v| v.parse::<u64>().ok())
                }
                _ => return bad("the modifier is not known"),
            },
            Some(_) => return bad("a list was expected"),
        };
        if command.uid && !items.contains(&Item::Uid) {
            items.insert(0, Item::Uid);
        }
        self.condstore |= items.contains(&Item::ModSeq);
        if since.is_some() && !items.contains(&Item::ModSeq) {
            items.push(Item::ModSeq);
        }
        let mut faults = world.services.get(&self.service).map(|s| s.faults.clone()).unwrap_or_default();
        let (folder, selected) = self.open(world)?;
        let marks = !selected.read_only && items.iter().any(|i| matches!(i, Item::Body(s) if s.marks));
        let mut outcome = Ok("fetched".to_owned());
        for (number, uid) in Self::resolve(selected, command, 0)? {
            let Some(message) = folder.get(uid) else { continue };
            if since.is_some_and(|s| message.modseq <= s) {
                continue;
            }
            let mut items = items.clone();
            if marks && !message.flags.contains("\\Seen") {
                let seen = message.flags.iter().cloned().chain(["\\Seen".to_owned()]).collect();
                folder.set_flags(uid, seen);
                if !items.contains(&Item::Flags) {
                    items.push(Item::Flags);
                }
            }
            let Some(message) = folder.get(uid) else { continue };
            if let Err(refusal) = put(number, message, &items, &mut faults, out) {
                outcome = Err(refusal);
                break;
            }
        }
        if let Some(service) = world.services.get_mut(&self.service) {
            service.faults = faults;
        }
        outcome
    }
}

fn put(number: usize, message: &Stored, items: &[Item], faults: &mut [Fault], out: &mut Out) -> Result<(), Refusal> {
    let bodies = items.iter().any(|i| matches!(i, Item::Body(_)));
    let unreadable = |f: &Fault| matches!(f, Fault::Unreadable { marker } if contains(&message.bytes, marker));
    if bodies && faults.iter().any(unreadable) {
        return no("[SERVERBUG] the message cannot be read");
    }
    out.text(format!("* {number} FETCH ("));
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.text(" ");
        }
        match item {
            Item::Flags => out.text(format!("FLAGS ({})", flags::write(&message.flags))),
            Item::InternalDate => out.text(format!("INTERNALDATE \"{}\"", message.date)),
            Item::Size => out.text(format!("RFC822.SIZE {}", message.bytes.len())),
            Item::Uid => out.text(format!("UID {}", message.uid)),
            Item::ModSeq => out.text(format!("MODSEQ ({})", message.modseq)),
            Item::Body(section) => {
                out.text(format!("{} ", section.label));
                let bytes = section.cut(&message.bytes);
                if faults.iter_mut().any(breaks) {
                    out.text(format!("{{{}}}\r\n", bytes.len()));
                    out.raw(bytes.slice(..bytes.len() / 2));
                    return Err(Refusal::Drop);
                }
                out.literal(bytes);
            }
        }
    }
    out.line(")");
    Ok(())
}

/// Whether the fault breaks the connection in this body.
fn breaks(fault: &mut Fault) -> bool {
    match fault {
        Fault::DropInFetch(left) if *left > 0 => {
            *left -= 1;
            *left == 0
        }
        _ => false,
    }
}

fn items(arg: &Arg) -> Option<Vec<Item>> {
    match arg {
        Arg::List(list) => list.iter().map(item).collect(),
        Arg::Atom(word) => match word.to_ascii_uppercase().as_str() {
            "FAST" => Some(vec![Item::Flags, Item::InternalDate, Item::Size]),
            _ => item(arg).map(|i| vec![i]),
        },
        Arg::Text(_) => None,
    }
}

fn item(arg: &Arg) -> Option<Item> {
    let word = arg.word()?;
    let named = |part, marks| Item::Body(Section { label: word.clone(), part, range: None, marks });
    Some(match word.as_str() {
        "FLAGS" => Item::Flags,
        "INTERNALDATE" => Item::InternalDate,
        "RFC822.SIZE" => Item::Size,
        "UID" => Item::Uid,
        "MODSEQ" => Item::ModSeq,
        "RFC822" => named(Part::All, true),
        "RFC822.HEADER" => named(Part::Header, false),
        "RFC822.TEXT" => named(Part::Text, true),
        _ => Item::Body(section(&word)?),
    })
}

/// `BODY[...]<0.9>` or `BODY.PEEK[...]`, in upper case.
fn section(word: &str) -> Option<Section> {
    let (marks, rest) = match word.strip_prefix("BODY.PEEK[") {
        Some(rest) => (false, rest),
        None => (true, word.strip_prefix("BODY[")?),
    };
    let (inner, partial) = rest.rsplit_once(']')?;
    let range = match partial.strip_prefix('<').and_then(|p| p.strip_suffix('>')) {
        Some(partial) => {
            let (offset, length) = partial.split_once('.')?;
            Some((offset.parse().ok()?, length.parse().ok()?))
        }
        None if partial.is_empty() => None,
        None => return None,
    };
    let fields = |list: &str| -> Option<Vec<String>> {
        let list = list.trim().strip_prefix('(')?.strip_suffix(')')?;
        Some(list.split_ascii_whitespace().map(|n| n.trim_matches('"').to_owned()).collect())
    };
    let part = match inner {
        "" => Part::All,
        "HEADER" => Part::Header,
        "TEXT" => Part::Text,
        _ => match inner.strip_prefix("HEADER.FIELDS.NOT") {
            Some(list) => Part::Fields { names: fields(list)?, except: true },
            None => Part::Fields { names: fields(inner.strip_prefix("HEADER.FIELDS")?)?, except: false },
        },
    };
    let origin = range.map(|(offset, _)| format!("<{offset}>")).unwrap_or_default();
    Some(Section { label: format!("BODY[{inner}]{origin}"), part, range, marks })
}

impl Section {
    fn cut(&self, message: &Bytes) -> Bytes {
        let border = header_end(message);
        let part = match &self.part {
            Part::All => message.clone(),
            Part::Header => message.slice(..border),
            Part::Text => message.slice(border..),
            Part::Fields { names, except } => pick_fields(message.get(..border).unwrap_or_default(), names, *except),
        };
        match self.range {
            None => part,
            Some((offset, length)) => {
                let start = offset.min(part.len());
                part.slice(start..start.saturating_add(length).min(part.len()))
            }
        }
    }
}

/// Where the header ends, its empty line included.
pub(super) fn header_end(message: &[u8]) -> usize {
    if message.starts_with(b"\r\n") {
        return 2;
    }
    message.windows(4).position(|w| w == b"\r\n\r\n").map_or(message.len(), |at| at + 4)
}

/// The fields of a header as their lines, folded lines included.
pub(super) fn fields(header: &[u8]) -> Vec<&[u8]> {
    let mut out: Vec<&[u8]> = Vec::new();
    let mut start = 0;
    let mut at = 0;
    for line in header.split_inclusive(|b| *b == b'\n') {
        let folded = line.starts_with(b" ") || line.starts_with(b"\t");
        if !folded && at > start {
            out.extend(header.get(start..at));
            start = at;
        }
        at += line.len();
    }
    out.extend(header.get(start..at).filter(|last| !last.is_empty()));
    out
}

/// The name of a field, as bytes before the colon.
pub(super) fn field_name(field: &[u8]) -> &[u8] {
    field.split(|b| *b == b':').next().unwrap_or_default().trim_ascii_end()
}

fn pick_fields(header: &[u8], names: &[String], except: bool) -> Bytes {
    let mut out = Vec::new();
    for field in fields(header) {
        let named = names.iter().any(|n| n.as_bytes().eq_ignore_ascii_case(field_name(field)));
        if named != except && field != b"\r\n" {
            out.extend_from_slice(field);
        }
    }
    out.extend_from_slice(b"\r\n");
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &[u8] = b"Subject: a\r\n b\r\nDate: c\r\nsubject: d\r\n\r\nbody\r\n";

    fn cut(word: &str) -> Vec<u8> {
        section(word).unwrap().cut(&Bytes::from_static(MESSAGE)).to_vec()
    }

    #[test]
    fn sections_are_cut_as_the_standard_says() {
        assert_eq!(cut("BODY[]"), MESSAGE);
        assert_eq!(cut("BODY.PEEK[TEXT]"), b"body\r\n");
        assert_eq!(cut("BODY[HEADER.FIELDS (SUBJECT)]"), b"Subject: a\r\n b\r\nsubject: d\r\n\r\n");
        assert_eq!(cut("BODY[HEADER.FIELDS.NOT (SUBJECT)]"), b"Date: c\r\n\r\n");
        assert_eq!(cut("BODY[]<9.3>"), b"a\r\n");
        assert_eq!(cut("BODY[TEXT]<4.100>"), b"\r\n");
        assert_eq!(cut("BODY[TEXT]<400.100>"), b"");
        assert_eq!(section("BODY[]<9.3>").unwrap().label, "BODY[]<9>");
        for bad in ["BODY[1]", "BODY", "BODY[", "BODY[]x", "BODY[]<1>", "ENVELOPE"] {
            assert_eq!(section(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_message_without_a_body_is_all_header() {
        assert_eq!(header_end(b"A: b\r\n"), 6);
        assert_eq!(header_end(b"\r\nbody"), 2);
        assert_eq!(header_end(b""), 0);
    }
}
