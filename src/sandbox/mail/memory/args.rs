//! A command as text and literals to a verb with arguments (RFC 9051 9).

use bytes::Bytes;

/// One command as it came in: the lines joined without their ends, the literals apart. The header of a literal, such as
/// `{12}`, stays in the text.
#[derive(Debug, Default)]
pub(super) struct Raw {
    pub(super) text: Vec<u8>,
    pub(super) literals: Vec<Bytes>,
}

/// A command that could be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) tag: String,
    /// Upper case, without `UID`.
    pub(super) verb: String,
    /// Whether numbers are UIDs.
    pub(super) uid: bool,
    pub(super) args: Vec<Arg>,
}

/// One argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Arg {
    /// A word. `BODY[HEADER.FIELDS (A B)]<0.9>` is one word.
    Atom(String),
    /// A quoted string or a literal.
    Text(Bytes),
    /// What stands between parentheses.
    List(Vec<Self>),
}

impl Arg {
    /// The bytes of a word or string.
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Atom(word) => Some(word.as_bytes()),
            Self::Text(bytes) => Some(bytes),
            Self::List(_) => None,
        }
    }

    /// A word or string as text.
    pub(super) fn text(&self) -> Option<&str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    /// A word in upper case.
    pub(super) fn word(&self) -> Option<String> {
        match self {
            Self::Atom(word) => Some(word.to_ascii_uppercase()),
            _ => None,
        }
    }

    /// The members of a list.
    pub(super) fn list(&self) -> Option<&[Self]> {
        match self {
            Self::List(members) => Some(members),
            _ => None,
        }
    }
}

/// Lists may hold lists, but not without end.
const DEPTH: usize = 32;

/// Reads a command. The error is the tag, or `*`, and what is wrong.
pub(super) fn parse(raw: &Raw) -> Result<Command, (String, &'static str)> {
    let mut input = Input { text: &raw.text, at: 0, literals: raw.literals.iter() };
    let tag = input.word();
    if tag.is_empty() || tag.contains(['+', '(', ')', '"', '\\', '*', '%']) {
        return Err(("*".to_owned(), "a command starts with a tag"));
    }
    let wrong = |what| (tag.clone(), what);
    input.space().map_err(wrong)?;
    let mut verb = input.word().to_ascii_uppercase();
    let uid = verb == "UID";
    if uid {
        input.space().map_err(wrong)?;
        verb = input.word().to_ascii_uppercase();
    }
    if verb.is_empty() {
        return Err(wrong("a command has a verb"));
    }
    let mut args = Vec::new();
    while !input.is_done() {
        input.space().map_err(wrong)?;
        args.push(input.arg(0).map_err(wrong)?);
    }
    Ok(Command { tag, verb, uid, args })
}

struct Input<'a> {
    text: &'a [u8],
    at: usize,
    literals: std::slice::Iter<'a, Bytes>,
}

impl Input<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn is_done(&self) -> bool {
        self.at >= self.text.len()
    }

    fn space(&mut self) -> Result<(), &'static str> {
        if self.next() == Some(b' ') { Ok(()) } else { Err("a space was expected") }
    }

    /// Letters up to the next space.
    fn word(&mut self) -> String {
        let mut out = String::new();
        while let Some(byte) = self.peek().filter(|b| b.is_ascii_graphic()) {
            out.push(char::from(byte));
            self.at += 1;
        }
        out
    }

    fn arg(&mut self, depth: usize) -> Result<Arg, &'static str> {
        match self.peek() {
            None => Err("an argument is missing"),
            Some(b'"') => self.quoted(),
            Some(b'{') => self.literal(),
            Some(b'(') if depth < DEPTH => self.list(depth),
            Some(b'(') => Err("lists are nested too deeply"),
            Some(_) => self.atom(),
        }
    }

    fn quoted(&mut self) -> Result<Arg, &'static str> {
        self.at += 1;
        let mut out = Vec::new();
        loop {
            match self.next() {
                None => return Err("a quoted string does not end"),
                Some(b'"') => return Ok(Arg::Text(out.into())),
                Some(b'\\') => match self.next() {
                    Some(byte @ (b'"' | b'\\')) => out.push(byte),
                    _ => return Err("only a quote or a backslash may follow a backslash"),
                },
                Some(byte) => out.push(byte),
            }
        }
    }

    fn literal(&mut self) -> Result<Arg, &'static str> {
        while self.next().is_some_and(|b| b != b'}') {}
        self.literals.next().cloned().map(Arg::Text).ok_or("a literal ends its line")
    }

    fn list(&mut self, depth: usize) -> Result<Arg, &'static str> {
        self.at += 1;
        let mut out = Vec::new();
        while self.peek() != Some(b')') {
            if !out.is_empty() {
                self.space()?;
            }
            out.push(self.arg(depth + 1)?);
        }
        self.at += 1;
        Ok(Arg::List(out))
    }

    fn atom(&mut self) -> Result<Arg, &'static str> {
        let start = self.at;
        let mut brackets = false;
        while let Some(byte) = self.peek() {
            match byte {
                b'[' => brackets = true,
                b']' => brackets = false,
                b' ' | b'(' | b')' | b'"' if brackets => {}
                b' ' | b'(' | b')' | b'"' => break,
                0..=31 | 127 => return Err("a control character stands in a word"),
                _ => {}
            }
            self.at += 1;
        }
        let word = self.text.get(start..self.at).unwrap_or_default();
        match std::str::from_utf8(word) {
            Ok(word) if !word.is_empty() => Ok(Arg::Atom(word.to_owned())),
            _ => Err("a word was expected"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, literals: &[&'static str]) -> Result<Command, (String, &'static str)> {
        let literals = literals.iter().map(|l| Bytes::from_static(l.as_bytes())).collect();
        parse(&Raw { text: text.as_bytes().to_vec(), literals })
    }

    fn atom(word: &str) -> Arg {
        Arg::Atom(word.to_owned())
    }

    #[test]
    fn arguments_of_every_form_are_read() {
        let c = read("a1 uid fetch 1:* (UID BODY.PEEK[HEADER.FIELDS (DATE FROM)]<0.9>)", &[]).unwrap();
        assert_eq!((c.tag.as_str(), c.verb.as_str(), c.uid), ("a1", "FETCH", true));
        let items = vec![atom("UID"), atom("BODY.PEEK[HEADER.FIELDS (DATE FROM)]<0.9>")];
        assert_eq!(c.args, [atom("1:*"), Arg::List(items)]);

        let c = read(r#"a APPEND "a\"b" (\Seen) {3+} () {2}"#, &["abc", "de"]).unwrap();
        assert_eq!(c.args[0], Arg::Text(Bytes::from_static(b"a\"b")));
        assert_eq!(c.args[2], Arg::Text(Bytes::from_static(b"abc")));
        assert_eq!(c.args[4], Arg::Text(Bytes::from_static(b"de")));
        assert_eq!(read("a NOOP", &[]).unwrap().args, []);
    }

    #[test]
    fn nonsense_is_refused_and_never_panics() {
        for text in
            ["", " ", "*", "a", "a ", "a LOGIN  x", "a X (", "a X (()", "a X \"", "a X \"\\x\"", "a X {5}", "a X a)"]
        {
            assert!(read(text, &[]).is_err(), "{text:?}");
        }
        assert!(read(&format!("a X {}", "(".repeat(1000)), &[]).is_err());
    }
}
