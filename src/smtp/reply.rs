//! What a server answers (RFC 5321 4.2), with the enhanced code where there is one (RFC 3463).

use std::fmt;

use thiserror::Error;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _};

/// The longest line that is read. The RFC allows 512 octets, and servers write novels.
const LINE: u64 = 4_096;
/// The most lines of one reply.
const LINES: usize = 128;

/// One reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// 200 to 599.
    pub code: u16,
    /// Class, subject and detail (`5.1.1`), where the server gives them.
    pub enhanced: Option<(u8, u16, u16)>,
    /// The text of each line, without codes and without what could steer a terminal.
    pub lines: Vec<String>,
}

/// Why there is no reply.
#[derive(Debug, Error)]
pub enum ReplyError {
    /// The connection failed.
    #[error("the connection failed")]
    Io(#[from] std::io::Error),
    /// The server closed it.
    #[error("the server closed the connection")]
    Closed,
    /// What came is no SMTP.
    #[error("the server does not speak SMTP: `{0}`")]
    Strange(String),
    /// Nothing came in time.
    #[error("no answer within {0} seconds")]
    Late(u64),
}

impl Reply {
    /// Reads one reply with all its lines.
    pub(super) async fn read(from: &mut (impl AsyncBufRead + Unpin)) -> Result<Self, ReplyError> {
        let mut reply: Option<Self> = None;
        for _ in 0..LINES {
            let mut line = Vec::new();
            (&mut *from).take(LINE).read_until(b'\n', &mut line).await?;
            if line.last() != Some(&b'\n') {
                return Err(if line.len() as u64 == LINE { strange(&line) } else { ReplyError::Closed });
            }
            let (code, last, text) = split(&line).ok_or_else(|| strange(&line))?;
            let (enhanced, text) = enhanced(code, text);
            let reply = reply.get_or_insert_with(|| Self { code, enhanced, lines: Vec::new() });
            if reply.code != code {
                return Err(strange(&line));
            }
            reply.lines.push(text);
            if last {
                return Ok(reply.clone());
            }
        }
        Err(ReplyError::Strange("a reply without an end".to_owned()))
    }

    /// 2xx and 3xx.
    pub(super) fn is_good(&self) -> bool {
        self.code < 400
    }

    /// 5xx: trying again is of no use.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.code >= 500
    }

    /// Whether an extension is offered, for replies to EHLO.
    pub(super) fn offers(&self, extension: &str) -> bool {
        let word = |line: &String| line.split(' ').next().is_some_and(|w| w.eq_ignore_ascii_case(extension));
        self.lines.iter().skip(1).any(word)
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some((class, subject, detail)) = self.enhanced {
            write!(f, " {class}.{subject}.{detail}")?;
        }
        let text = self.lines.join(" ");
        if text.is_empty() { Ok(()) } else { write!(f, " {text}") }
    }
}

/// `250-text`, `250 text` or `250`: the code, whether it is the last line, the text as something to print.
fn split(line: &[u8]) -> Option<(u16, bool, String)> {
    let text = String::from_utf8_lossy(line);
    let text: String = text.trim_end_matches(['\r', '\n']).chars().filter(|c| !c.is_control()).collect();
    let code: u16 = text.get(..3).filter(|c| c.bytes().all(|b| b.is_ascii_digit()))?.parse().ok()?;
    let last = match text.get(3..4) {
        None | Some(" ") => true,
        Some("-") => false,
        Some(_) => return None,
    };
    (200..600).contains(&code).then(|| (code, last, text.get(4..).unwrap_or_default().to_owned()))
}

/// The enhanced code in front of a text, when its class is that of the reply (RFC 2034 4).
fn enhanced(code: u16, text: String) -> (Option<(u8, u16, u16)>, String) {
    let (word, rest) = text.split_once(' ').unwrap_or((text.as_str(), ""));
    let mut parts = word.split('.').map(str::parse::<u16>);
    if let (Some(Ok(class)), Some(Ok(subject)), Some(Ok(detail)), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
        && class == code / 100
    {
        return (u8::try_from(class).ok().map(|class| (class, subject, detail)), rest.to_owned());
    }
    (None, text)
}

fn strange(line: &[u8]) -> ReplyError {
    let shown: String = String::from_utf8_lossy(line).chars().filter(|c| !c.is_control()).take(80).collect();
    ReplyError::Strange(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(text: &str) -> Result<Reply, ReplyError> {
        Reply::read(&mut text.as_bytes()).await
    }

    #[tokio::test]
    async fn a_reply_has_lines_and_an_enhanced_code_of_its_own_class() {
        let reply = read("250-mx.example greets you\r\n250-STARTTLS\r\n250 SIZE 1000\r\n").await.unwrap();
        assert!(reply.is_good() && reply.offers("starttls") && reply.offers("SIZE") && !reply.offers("mx.example"));
        let reply = read("550 5.1.1 <a@b>: unknown\r\n").await.unwrap();
        assert_eq!((reply.enhanced, reply.to_string().as_str()), (Some((5, 1, 1)), "550 5.1.1 <a@b>: unknown"));
        assert_eq!(read("550 4.1.1 odd\r\n").await.unwrap().enhanced, None);
        assert_eq!(read("354\r\n").await.unwrap().to_string(), "354");
    }

    #[tokio::test]
    async fn what_is_no_reply_is_an_error_and_not_a_refusal() {
        for text in ["SSH-2.0-x\r\n", "25 0\r\n", "250", "250-a\r\n550 b\r\n", "999 x\r\n", "", "2\u{e9}0 x\r\n"] {
            assert!(read(text).await.is_err(), "{text:?}");
        }
        assert!(read(&format!("250 {}\r\n", "a".repeat(9_000))).await.is_err());
        assert!(read(&"250-a\r\n".repeat(1_000)).await.is_err());
    }

    #[tokio::test]
    async fn what_could_steer_a_terminal_is_left_out() {
        assert_eq!(read("550 \u{1b}[31mred\r\n").await.unwrap().lines, ["[31mred"]);
    }
}
