//! Tokens of one complete response: text pieces with literals between them. Reading never fails hard: what is not
//! understood gives `None`, and the caller keeps the response as it came.

use bytes::Bytes;

use super::body::Body;

/// How deep lists may nest before a response is not understood any more.
const DEPTH: u8 = 32;

/// One complete response as it was framed: a text, then a literal and a text, and so on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) texts: Vec<Bytes>,
    pub(super) literals: Vec<Body>,
}

impl Frame {
    /// The first text.
    pub(super) fn head(&self) -> &[u8] {
        self.texts.first().map_or(&[], |t| &t[..])
    }
}

/// A string or other value of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Nil,
    Atom(Vec<u8>),
    Quoted(Vec<u8>),
    Literal(Body),
    List(Vec<Self>),
}

impl Value {
    /// The octets of a string or atom. `NIL` is the atom of that name here; large literals are not strings.
    pub(super) fn string(&self) -> Option<Vec<u8>> {
        match self {
            Self::Nil => Some(b"NIL".to_vec()),
            Self::Atom(octets) | Self::Quoted(octets) => Some(octets.clone()),
            Self::Literal(body) => body.bytes().map(|b| b.to_vec()),
            Self::List(_) => None,
        }
    }

    /// Text: UTF-8, or Latin-1 where it is not.
    pub(super) fn text(&self) -> Option<String> {
        self.string().map(|s| text(&s))
    }

    pub(super) fn number<T: std::str::FromStr>(&self) -> Option<T> {
        self.text()?.parse().ok()
    }

    pub(super) fn list(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            Self::Nil => Some(&[]),
            _ => None,
        }
    }
}

pub(super) fn text(octets: &[u8]) -> String {
    match std::str::from_utf8(octets) {
        Ok(text) => text.to_owned(),
        Err(_) => octets.iter().map(|&b| char::from(b)).collect(),
    }
}

/// A place in a response.
pub(super) struct Cursor<'a> {
    frame: &'a Frame,
    piece: usize,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(frame: &'a Frame) -> Self {
        Self { frame, piece: 0, at: 0 }
    }

    /// What is left of the current text.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.frame.texts.get(self.piece).and_then(|t| t.get(self.at..)).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.rest().first().copied()
    }

    /// Whether nothing is left but blanks.
    pub(super) fn at_end(&mut self) -> bool {
        self.blanks();
        self.rest().is_empty() && self.piece >= self.frame.literals.len()
    }

    pub(super) fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
    }

    /// Steps over one octet when it is this one.
    pub(super) fn eat(&mut self, octet: u8) -> bool {
        let hit = self.peek() == Some(octet);
        self.at += usize::from(hit);
        hit
    }

    /// The octets up to the first that `stop` names; `None` when there are none.
    pub(super) fn take_until(&mut self, stop: impl Fn(u8) -> bool) -> Option<&'a [u8]> {
        let rest = self.rest();
        let end = rest.iter().position(|b| stop(*b)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).filter(|t| !t.is_empty())
    }

    /// A word: everything up to a blank or a parenthesis.
    pub(super) fn word(&mut self) -> Option<&'a [u8]> {
        self.blanks();
        self.take_until(|b| matches!(b, b' ' | b'\t' | b'(' | b')'))
    }

    /// The literal, when the text ends here and one follows.
    fn literal(&mut self) -> Option<&'a Body> {
        if !self.rest().is_empty() {
            return None;
        }
        let body = self.frame.literals.get(self.piece)?;
        self.piece += 1;
        self.at = 0;
        Some(body)
    }

    /// Any value: atom, string, literal, list, NIL.
    pub(super) fn value(&mut self) -> Option<Value> {
        self.nested(DEPTH)
    }

    fn nested(&mut self, depth: u8) -> Option<Value> {
        self.blanks();
        match self.peek() {
            None => self.literal().cloned().map(Value::Literal),
            Some(b'"') => self.quoted().map(Value::Quoted),
            Some(b'(') => {
                self.at += 1;
                let depth = depth.checked_sub(1)?;
                let mut items = Vec::new();
                loop {
                    self.blanks();
                    if self.eat(b')') {
                        return Some(Value::List(items));
                    }
                    items.push(self.nested(depth)?);
                }
            }
            Some(b')') => None,
            Some(_) => {
                let atom = self.take_until(|b| matches!(b, b' ' | b'\t' | b'(' | b')' | b'"'))?;
                Some(if atom.eq_ignore_ascii_case(b"NIL") { Value::Nil } else { Value::Atom(atom.to_vec()) })
            }
        }
    }

    /// A quoted string. A backslash before anything but a quote or a backslash stands for itself: servers put folder
    /// names with plain backslashes there.
    fn quoted(&mut self) -> Option<Vec<u8>> {
        if !self.eat(b'"') {
            return None;
        }
        let mut out = Vec::new();
        let rest = self.rest();
        let mut octets = rest.iter().copied().enumerate().peekable();
        while let Some((i, octet)) = octets.next() {
            match octet {
                b'"' => {
                    self.at += i + 1;
                    return Some(out);
                }
                b'\\' => match octets.peek() {
                    Some((_, next @ (b'"' | b'\\'))) => {
                        out.push(*next);
                        octets.next();
                    }
                    _ => out.push(octet),
                },
                other => out.push(other),
            }
        }
        None
    }

    /// Flags: every word between parentheses, whatever octets it has.
    pub(super) fn flags(&mut self) -> Option<Vec<String>> {
        self.blanks();
        if self.rest().get(..3).is_some_and(|w| w.eq_ignore_ascii_case(b"NIL")) {
            self.at += 3;
            return Some(Vec::new());
        }
        if !self.eat(b'(') {
            return None;
        }
        let mut out = Vec::new();
        loop {
            self.blanks();
            if self.eat(b')') {
                return Some(out);
            }
            out.push(text(self.take_until(|b| matches!(b, b' ' | b'\t' | b')'))?));
        }
    }

    /// The name of a FETCH item with its section and origin, upper case and without blanks: `BODY[]`, `BODY[]<0>`.
    pub(super) fn item_name(&mut self) -> Option<String> {
        self.blanks();
        let mut name = text(self.take_until(|b| matches!(b, b' ' | b'(' | b')' | b'[' | b'"'))?).to_ascii_uppercase();
        if self.eat(b'[') {
            name.push('[');
            loop {
                match self.peek() {
                    Some(b']') => {
                        self.at += 1;
                        break;
                    }
                    Some(b'"') => drop(self.quoted()?),
                    Some(b' ') => self.at += 1,
                    Some(octet) => {
                        name.push(char::from(octet.to_ascii_uppercase()));
                        self.at += 1;
                    }
                    None => drop(self.literal()?),
                }
            }
            name.push(']');
            if self.peek() == Some(b'<') {
                name.push_str(&text(self.take_until(|b| b == b' ')?));
            }
        }
        Some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(texts: &[&str], literals: &[&str]) -> Frame {
        Frame {
            texts: texts.iter().map(|t| Bytes::copy_from_slice(t.as_bytes())).collect(),
            literals: literals.iter().map(|l| Body::from(l.as_bytes().to_vec())).collect(),
        }
    }

    #[test]
    fn values_of_every_kind_are_read() {
        let f = frame(&[r#"(a "b\"\\c\d" NIL ("#, " 12))"], &["x y"]);
        let value = Cursor::new(&f).value();
        assert_eq!(
            value,
            Some(Value::List(vec![
                Value::Atom(b"a".to_vec()),
                Value::Quoted(br#"b"\c\d"#.to_vec()),
                Value::Nil,
                Value::List(vec![Value::Literal(Body::from(b"x y".to_vec())), Value::Atom(b"12".to_vec())]),
            ]))
        );
    }

    #[test]
    fn deep_nesting_and_open_ends_are_not_understood() {
        for text in ["(".repeat(100_000), "(a".to_owned(), "\"a".to_owned(), ")".to_owned(), String::new()] {
            assert_eq!(Cursor::new(&frame(&[&text], &[])).value(), None);
        }
    }

    #[test]
    fn item_names_keep_section_and_origin() {
        let f = frame(&["body[header.fields (x \"y]\")]<0> NIL"], &[]);
        assert_eq!(Cursor::new(&f).item_name().as_deref(), Some("BODY[HEADER.FIELDS(X)]<0>"));
    }
}
