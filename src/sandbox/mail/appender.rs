//! A small IMAP writer that fills mailboxes: folders, subscriptions, and messages by MULTIAPPEND.
//!
//! It is no client for people's mail: it stops at the first thing that is not as expected.

use std::io;

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use super::{names, special_use};
use crate::{
    model::ImapEndpoint,
    sandbox::corpus::{FolderMail, Message},
};

/// The most messages and octets of one APPEND.
const MESSAGES: usize = 200;
const OCTETS: usize = 8 << 20;

/// One connection.
pub(super) struct Appender {
    stream: BufReader<TcpStream>,
    tags: u32,
}

/// One folder as LIST told it: attributes in lower case, and the name in Unicode.
struct Listed {
    attributes: Vec<String>,
    name: String,
}

impl Appender {
    /// Connects without TLS and logs in.
    pub(super) async fn open(at: &ImapEndpoint, user: &str, password: &str) -> io::Result<Self> {
        let stream = TcpStream::connect((at.host.as_str(), at.port)).await?;
        let mut appender = Self { stream: BufReader::new(stream), tags: 0 };
        appender.line().await?;
        let quote = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        appender.command(format!("LOGIN {} {}", quote(user), quote(password)).as_bytes()).await?;
        Ok(appender)
    }

    pub(super) async fn end(mut self) -> io::Result<()> {
        self.command(b"LOGOUT").await.map(drop)
    }

    /// Octets of all messages (RFC 8438).
    pub(super) async fn octets(&mut self) -> io::Result<u64> {
        let rows = self.command(b"LIST \"\" \"*\" RETURN (STATUS (SIZE))").await?;
        let size = |row: &Vec<u8>| {
            let text = String::from_utf8_lossy(row);
            let (_, number) = text.strip_prefix("* STATUS ")?.rsplit_once("SIZE ")?;
            number.trim_end_matches(')').parse::<u64>().ok()
        };
        Ok(rows.iter().filter_map(size).sum())
    }

    /// Makes the folders and stores the messages.
    pub(super) async fn deliver(&mut self, folders: &[FolderMail]) -> io::Result<()> {
        let listed = self.folders().await?;
        for folder in folders {
            let own = listed.iter().find(|row| {
                folder.special_use.is_some() && row.attributes.iter().any(|a| special_use(a) == folder.special_use)
            });
            let name = match own {
                Some(row) => row.name.clone(),
                None => folder.path.0.join("/"),
            };
            let wire = wire(&name);
            let there = listed.iter().any(|row| row.name == name);
            if !folder.selectable {
                continue;
            }
            if !there {
                self.command(format!("CREATE {wire}").as_bytes()).await?;
            }
            let verb = if folder.subscribed { "SUBSCRIBE" } else { "UNSUBSCRIBE" };
            self.command(format!("{verb} {wire}").as_bytes()).await?;
            let mut rest = folder.messages.as_slice();
            while !rest.is_empty() {
                let (batch, after) = rest.split_at(batch(rest));
                self.append(&wire, batch).await?;
                rest = after;
            }
        }
        Ok(())
    }

    async fn append(&mut self, wire: &str, messages: &[Message]) -> io::Result<()> {
        let mut command = format!("APPEND {wire}").into_bytes();
        for message in messages {
            let flags = message.flags.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
            let head = format!(" ({flags}) \"{}\" {{{}+}}\r\n", message.internal_date, message.bytes.len());
            command.extend_from_slice(head.as_bytes());
            command.extend_from_slice(&message.bytes);
        }
        self.command(&command).await.map(drop)
    }

    async fn folders(&mut self) -> io::Result<Vec<Listed>> {
        let rows = self.command(b"LIST \"\" \"*\" RETURN (SPECIAL-USE)").await?;
        let listed = |row: &Vec<u8>| {
            let text = std::str::from_utf8(row).ok()?;
            let (attributes, name) = text.strip_prefix("* LIST (")?.split_once(") \"/\" ")?;
            let name = match name.strip_prefix('"') {
                Some(quoted) => unquoted(quoted.strip_suffix('"')?),
                None => name.to_owned(),
            };
            let attributes = attributes.split(' ').map(str::to_ascii_lowercase).collect();
            Some(Listed { attributes, name: names::decode(name.as_bytes())? })
        };
        rows.iter()
            .filter(|r| r.starts_with(b"* LIST"))
            .map(|row| listed(row).ok_or_else(|| refused(b"LIST", row)))
            .collect()
    }

    /// Sends a command and gives the untagged lines before its end. The command may hold secrets and mail; only its
    /// verb is told when it fails.
    async fn command(&mut self, command: &[u8]) -> io::Result<Vec<Vec<u8>>> {
        self.tags += 1;
        let tag = format!("d{} ", self.tags);
        let stream = self.stream.get_mut();
        stream.write_all(tag.as_bytes()).await?;
        stream.write_all(command).await?;
        stream.write_all(b"\r\n").await?;
        stream.flush().await?;
        let mut lines = Vec::new();
        loop {
            let line = self.line().await?;
            match line.strip_prefix(tag.as_bytes()) {
                Some(end) if end.starts_with(b"OK") => return Ok(lines),
                Some(end) => return Err(refused(command.split(|b| *b == b' ').next().unwrap_or_default(), end)),
                None => lines.push(line),
            }
        }
    }

    /// A line without its end, a literal in it included.
    async fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        loop {
            if self.stream.read_until(b'\n', &mut line).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            while line.pop_if(|b| matches!(*b, b'\r' | b'\n')).is_some() {}
            let Some(size) = literal(&line) else { return Ok(line) };
            let mut bytes = vec![0; size];
            self.stream.read_exact(&mut bytes).await?;
            // Names are the only literals that are read here; a quoted string says the same.
            let head = line.iter().rposition(|b| *b == b'{').unwrap_or(line.len());
            line.truncate(head);
            line.push(b'"');
            for byte in bytes {
                if matches!(byte, b'"' | b'\\') {
                    line.push(b'\\');
                }
                line.push(byte);
            }
            line.push(b'"');
        }
    }
}

fn literal(line: &[u8]) -> Option<usize> {
    let open = line.iter().rposition(|b| *b == b'{')?;
    let digits = line.get(open + 1..)?.strip_suffix(b"}")?;
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|size| *size < 65_536)
}

/// How many of the next messages one APPEND takes: at least one.
fn batch(messages: &[Message]) -> usize {
    let mut octets = 0;
    let fits = |m: &&Message| {
        octets += m.bytes.len();
        octets <= OCTETS
    };
    messages.iter().take(MESSAGES).take_while(fits).count().max(1)
}

fn wire(name: &str) -> String {
    format!("\"{}\"", names::encode(name).replace('\\', "\\\\").replace('"', "\\\""))
}

/// What stands between quotes, without the backslashes that only protect.
fn unquoted(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    out
}

fn refused(verb: &[u8], words: &[u8]) -> io::Error {
    io::Error::other(format!("{}: {}", String::from_utf8_lossy(verb), String::from_utf8_lossy(words).trim()))
}
