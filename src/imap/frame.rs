//! Framing: where the lines and literals of a byte stream begin and end. Works on any chunking of the bytes, never
//! panics, and holds no more than one line.

use bytes::{Buf, Bytes, BytesMut};

/// The most octets of one response outside its literals.
pub(super) const LINE_LIMIT: u64 = 1 << 20;
/// The most octets of one literal: more than any mail server stores, less than a hostile one could want.
pub(super) const LITERAL_LIMIT: u64 = 4 << 30;
/// The most literals of one response.
const LITERALS_LIMIT: u32 = 1024;

/// A piece of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Text up to a literal of so many octets; the announcement is cut off.
    Text(Bytes, u64),
    /// Octets of the literal, in order; never empty.
    Literal(Bytes),
    /// Text up to the end of the response; the line end is cut off.
    End(Bytes),
}

/// What was too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong {
    pub(super) what: &'static str,
    pub(super) limit: u64,
}

/// The state between pieces.
#[derive(Debug, Default)]
pub(super) struct Framer {
    /// Octets of the open literal that are still to come.
    literal: u64,
    /// How much of the open line was already searched for its end.
    searched: usize,
    /// Octets of text of the open response in earlier pieces.
    text: u64,
    /// Literals of the open response.
    literals: u32,
    /// Whether the open response is a status line, whose text may end in what looks like a literal.
    status: bool,
}

impl Framer {
    /// Whether a response has begun and not ended.
    pub(super) fn inside(&self) -> bool {
        self.literal > 0 || self.searched > 0 || self.literals > 0
    }

    /// Takes the next piece from the buffer; `None` when more bytes are needed.
    pub(super) fn next(&mut self, input: &mut BytesMut) -> Result<Option<Piece>, TooLong> {
        if self.literal > 0 {
            if input.is_empty() {
                return Ok(None);
            }
            let take = usize::try_from(self.literal).unwrap_or(usize::MAX).min(input.len());
            self.literal -= take as u64;
            return Ok(Some(Piece::Literal(input.split_to(take).freeze())));
        }
        let fresh = input.get(self.searched..).unwrap_or_default();
        let Some(at) = fresh.iter().position(|b| *b == b'\n') else {
            self.searched = input.len();
            return self.bounded(input.len()).map(|()| None);
        };
        let end = self.searched + at;
        self.searched = 0;
        self.bounded(end)?;
        let mut line = input.split_to(end);
        input.advance(1);
        if line.ends_with(b"\r") {
            line.truncate(line.len() - 1);
        }
        let first = self.literals == 0;
        if first {
            self.status = is_status(&line);
        }
        match literal_at_end(&line).filter(|_| !self.status || first && code_is_open(&line)) {
            Some((cut, length)) => {
                if length > LITERAL_LIMIT {
                    return Err(TooLong { what: "a literal", limit: LITERAL_LIMIT });
                }
                self.literals += 1;
                if self.literals > LITERALS_LIMIT {
                    return Err(TooLong { what: "a response with literals", limit: u64::from(LITERALS_LIMIT) });
                }
                self.text += cut as u64;
                self.literal = length;
                line.truncate(cut);
                Ok(Some(Piece::Text(line.freeze(), length)))
            }
            None => {
                *self = Self::default();
                Ok(Some(Piece::End(line.freeze())))
            }
        }
    }

    fn bounded(&self, length: usize) -> Result<(), TooLong> {
        if self.text + length as u64 > LINE_LIMIT {
            return Err(TooLong { what: "a line", limit: LINE_LIMIT });
        }
        Ok(())
    }
}

/// Whether the line is one whose end is free text: `* OK ...`, `tag NO ...`, `+ ...`.
fn is_status(line: &[u8]) -> bool {
    let mut words = line.splitn(3, |b| *b == b' ');
    let head = words.next().unwrap_or_default();
    let word = words.next().unwrap_or_default().to_ascii_uppercase();
    head == b"+" || matches!(&word[..], b"OK" | b"NO" | b"BAD" | b"BYE" | b"PREAUTH")
}

/// Whether a status line ends inside its response code, where a literal can really begin.
fn code_is_open(line: &[u8]) -> bool {
    line.splitn(3, |b| *b == b' ').nth(2).is_some_and(|t| t.starts_with(b"[") && !t.contains(&b']'))
}

/// `{n}`, `{n+}` or `~{n}` at the end of a line: where it begins, and n.
fn literal_at_end(line: &[u8]) -> Option<(usize, u64)> {
    let inner = line.strip_suffix(b"}")?;
    let open = inner.iter().rposition(|b| *b == b'{')?;
    let digits = inner.get(open + 1..)?;
    let digits = digits.strip_suffix(b"+").unwrap_or(digits);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // More than u64 holds is more than the limit.
    let length = std::str::from_utf8(digits).ok()?.parse().unwrap_or(u64::MAX);
    let cut = if open > 0 && inner.get(open - 1) == Some(&b'~') { open - 1 } else { open };
    Some((cut, length))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The responses of a byte stream: texts with their literals, one list each.
    fn responses(chunks: &[&[u8]]) -> Result<Vec<Vec<Vec<u8>>>, TooLong> {
        let mut framer = Framer::default();
        let mut input = BytesMut::new();
        let mut out = Vec::new();
        let mut open: Vec<Vec<u8>> = Vec::new();
        let mut literal: Option<Vec<u8>> = None;
        for chunk in chunks {
            input.extend_from_slice(chunk);
            while let Some(piece) = framer.next(&mut input)? {
                match piece {
                    Piece::Text(text, _) => {
                        open.extend(literal.take());
                        open.push(text.to_vec());
                        literal = Some(Vec::new());
                    }
                    Piece::Literal(octets) => literal.get_or_insert_default().extend_from_slice(&octets),
                    Piece::End(text) => {
                        open.extend(literal.take());
                        open.push(text.to_vec());
                        out.push(std::mem::take(&mut open));
                    }
                }
            }
        }
        Ok(out)
    }

    fn texts(stream: &str) -> Vec<Vec<String>> {
        let all = responses(&[stream.as_bytes()]).unwrap();
        all.into_iter().map(|r| r.into_iter().map(|t| String::from_utf8(t).unwrap()).collect()).collect()
    }

    #[test]
    fn literals_are_cut_out_and_lines_may_end_in_a_bare_lf() {
        assert_eq!(
            texts("* 1 FETCH (BODY[] {5}\r\nab\r\nc X {0}\r\n UID 3)\r\n* OK\n"),
            vec![
                vec!["* 1 FETCH (BODY[] ", "ab\r\nc", " X ", "", " UID 3)"]
                    .into_iter()
                    .map(str::to_owned)
                    .collect::<Vec<_>>(),
                vec!["* OK".to_owned()]
            ]
        );
    }

    #[test]
    fn free_text_that_looks_like_a_literal_is_text() {
        assert_eq!(texts("a1 NO no such thing {12}\r\n* OK x {3+}\r\n").len(), 2);
        assert_eq!(texts("* OK [BADCHARSET ({5}\r\nUTF-8)] x\r\n").len(), 1);
        assert_eq!(texts("* X ~{2}\r\nab\r\n"), [["* X ", "ab", ""]]);
    }

    #[test]
    fn memory_is_bounded() {
        let long = vec![b'x'; usize::try_from(LINE_LIMIT).unwrap() + 1];
        assert_eq!(responses(&[&long]), Err(TooLong { what: "a line", limit: LINE_LIMIT }));
        assert!(responses(&[b"* 1 FETCH (BODY[] {99999999999999999999999}\r\n"]).is_err());
        let many = b"{0}\r\n".repeat(2000);
        assert!(responses(&[&many]).is_err());
    }

    proptest! {
        #[test]
        fn any_octets_in_any_chunks_give_the_same_responses(
            parts in proptest::collection::vec(prop_oneof![
                Just(b"* 2 FETCH (BODY[] {3}\r\n".to_vec()), Just(b"\r\n".to_vec()), Just(b"{7+}\r\n".to_vec()),
                Just(b"a OK x {2}\r\n".to_vec()), Just(b"* OK [X {1}\r\n".to_vec()), any::<Vec<u8>>(),
            ], 0..20),
            cuts in proptest::collection::vec(1_usize..40, 1..20),
        ) {
            let stream = parts.concat();
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
}
