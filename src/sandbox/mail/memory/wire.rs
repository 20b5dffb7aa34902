//! Bytes in and out of one connection.

use std::io;

use bytes::Bytes;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, BufWriter},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use super::args::Raw;

/// The longest line of a command, literals left aside.
const LINE: u64 = 256 * 1024;
/// The most literals of one command, and the most octets in them.
const LITERALS: usize = 10_000;
const OCTETS: u64 = 256 << 20;

/// One connection.
pub(super) struct Wire {
    input: BufReader<OwnedReadHalf>,
    output: BufWriter<OwnedWriteHalf>,
    /// The beginning of a line that is still coming in; kept here so that a read may be given up and taken up again.
    partial: Vec<u8>,
}

/// What came in.
pub(super) enum Incoming {
    /// A command, complete.
    Command(Raw),
    /// A command with a literal beyond the limit; the rest of the command is off the wire.
    TooBig {
        /// The text so far: the tag is its first word.
        text: Vec<u8>,
    },
    /// A line or command that no client needs.
    Absurd,
    /// The client is gone.
    Closed,
}

impl Wire {
    pub(super) fn new(stream: TcpStream) -> Self {
        let _slower = stream.set_nodelay(true);
        let (input, output) = stream.into_split();
        Self {
            input: BufReader::with_capacity(64 * 1024, input),
            output: BufWriter::with_capacity(64 * 1024, output),
            partial: Vec::new(),
        }
    }

    /// Reads one command with its literals. Literals above `limit` octets are refused.
    pub(super) async fn command(&mut self, limit: u64) -> io::Result<Incoming> {
        let mut raw = Raw::default();
        let mut too_big = false;
        let mut octets = 0;
        loop {
            let Some(line) = self.line().await? else { return Ok(Incoming::Closed) };
            raw.text.extend_from_slice(&line);
            if raw.text.len() as u64 > LINE || raw.literals.len() >= LITERALS {
                return Ok(Incoming::Absurd);
            }
            let Some((size, waits)) = literal_header(&line) else { break };
            octets += size;
            if octets > OCTETS {
                return Ok(Incoming::Absurd);
            }
            if size > limit {
                too_big = true;
                // A client that waits for the continuation never gets it and sends nothing more of this command.
                if waits {
                    break;
                }
                tokio::io::copy(&mut (&mut self.input).take(size), &mut tokio::io::sink()).await?;
                continue;
            }
            if waits {
                self.output.write_all(b"+ OK\r\n").await?;
                self.output.flush().await?;
            }
            let mut literal = vec![0; usize::try_from(size).unwrap_or(0)];
            self.input.read_exact(&mut literal).await?;
            raw.literals.push(literal.into());
        }
        Ok(if too_big { Incoming::TooBig { text: raw.text } } else { Incoming::Command(raw) })
    }

    /// One line without its end; `None` when the client is gone.
    pub(super) async fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let room = (LINE + 2).saturating_sub(self.partial.len() as u64);
        (&mut self.input).take(room).read_until(b'\n', &mut self.partial).await?;
        let mut line = std::mem::take(&mut self.partial);
        if line.pop_if(|b| *b == b'\n').is_none() && line.len() as u64 <= LINE {
            return Ok(None);
        }
        line.pop_if(|b| *b == b'\r');
        Ok(Some(line))
    }

    pub(super) async fn send(&mut self, out: Out) -> io::Result<()> {
        for chunk in out.0 {
            self.output.write_all(&chunk).await?;
        }
        self.output.flush().await
    }
}

/// The size of the literal that a line announces at its end, and whether the client waits for the continuation.
fn literal_header(line: &[u8]) -> Option<(u64, bool)> {
    let open = line.iter().rposition(|b| *b == b'{')?;
    let inner = line.get(open + 1..)?.strip_suffix(b"}")?;
    let (digits, waits) = match inner.strip_suffix(b"+") {
        Some(digits) => (digits, false),
        None => (inner, true),
    };
    let number = std::str::from_utf8(digits).ok().filter(|d| d.bytes().all(|b| b.is_ascii_digit()))?;
    Some((number.parse().ok()?, waits))
}

/// What goes out: chunks, so that bodies are not copied.
#[derive(Debug, Default)]
pub(super) struct Out(Vec<Bytes>);

impl Out {
    /// A line; the end is added.
    pub(super) fn line(&mut self, text: impl AsRef<str>) {
        self.0.push(format!("{}\r\n", text.as_ref()).into());
    }

    /// Text without an end.
    pub(super) fn text(&mut self, text: impl Into<String>) {
        self.0.push(text.into().into());
    }

    /// A literal.
    pub(super) fn literal(&mut self, bytes: Bytes) {
        self.text(format!("{{{}}}\r\n", bytes.len()));
        self.0.push(bytes);
    }

    /// Bytes as they are.
    pub(super) fn raw(&mut self, bytes: Bytes) {
        self.0.push(bytes);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A quoted string.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literal_headers_are_seen_at_the_end_of_a_line_only() {
        assert_eq!(literal_header(b"a APPEND x {12}"), Some((12, true)));
        assert_eq!(literal_header(b"a APPEND x {12+}"), Some((12, false)));
        for line in ["a {12} b", "a {}", "a {x}", "a {1+2}", "a }", "a \"{12}\"", "a {99999999999999999999999}"] {
            assert_eq!(literal_header(line.as_bytes()), None, "{line}");
        }
    }
}
