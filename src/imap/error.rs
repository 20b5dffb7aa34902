//! How a command can fail, said so that the caller knows what it may do next.

use std::{fmt, io, time::Duration};

use thiserror::Error;

use super::{code::Code, hint::Hint};

/// A failure, with the server and the command it belongs to. Arguments of commands are never part of it.
#[derive(Debug, Error)]
#[error("{command} at {endpoint}: {kind}")]
pub struct ImapError {
    /// `host:port` of the server.
    pub endpoint: String,
    /// The verb of the command, or `connect`.
    pub command: &'static str,
    /// What went wrong.
    pub kind: ImapErrorKind,
}

/// What went wrong.
#[derive(Debug)]
pub enum ImapErrorKind {
    /// No connection could be made. Nothing was sent.
    Unreachable(io::Error),
    /// The connection broke or was closed before the command was answered. A command that changes something may have
    /// taken effect.
    Lost(io::Error),
    /// The connection could not be protected. No credentials were sent.
    Tls(TlsProblem),
    /// The server did not let us in; its words.
    Auth {
        /// The response code, where it sent one.
        code: Option<Code>,
        /// The server's words.
        text: String,
    },
    /// The server refused this command (`NO`). It was not done.
    No {
        /// The response code, where it sent one.
        code: Option<Code>,
        /// The server's words.
        text: String,
    },
    /// The server did not understand this command (`BAD`). It was not done.
    Bad {
        /// The response code, where it sent one.
        code: Option<Code>,
        /// The server's words.
        text: String,
    },
    /// The server said goodbye before it answered the command.
    Bye {
        /// The response code, where it sent one.
        code: Option<Code>,
        /// The server's words.
        text: String,
    },
    /// The server broke the rules of the protocol; the text says how.
    Protocol(String),
    /// Nothing moved for this long.
    Timeout(Duration),
    /// The server refused the command because it wants us to slow down. It was not done.
    Throttled {
        /// How long it wants to be left alone, where it says so.
        millis: Option<u64>,
        /// The server's words.
        text: String,
    },
    /// A line or literal is larger than is accepted.
    TooLong {
        /// What is too long.
        what: &'static str,
        /// The limit in octets.
        limit: u64,
    },
    /// The arguments cannot be sent; nothing was sent.
    Invalid(String),
    /// An earlier failure left the connection in doubt, so it takes no more commands. Nothing was sent.
    Unusable(String),
    /// A message could not be kept in, or read from, a temporary file of this machine.
    Spill(io::Error),
}

impl fmt::Display for ImapErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = |f: &mut fmt::Formatter<'_>, what: &str, code: &Option<Code>, text: &str| match code {
            Some(code) => write!(f, "{what}: [{code}] {text}"),
            None => write!(f, "{what}: {text}"),
        };
        match self {
            Self::Unreachable(e) => write!(f, "the server cannot be reached: {e}"),
            Self::Lost(e) => write!(f, "the connection was lost: {e}"),
            Self::Tls(problem) => problem.fmt(f),
            Self::Auth { code, text } => said(f, "the login was refused", code, text),
            Self::No { code, text } => said(f, "the server refused", code, text),
            Self::Bad { code, text } => said(f, "the server did not accept the command", code, text),
            Self::Bye { code, text } => said(f, "the server closed the connection", code, text),
            Self::Protocol(text) => write!(f, "the server broke the protocol: {text}"),
            Self::Timeout(d) => write!(f, "nothing happened for {} s", d.as_secs()),
            Self::Throttled { millis: Some(ms), text } => write!(f, "the server asks for a pause of {ms} ms: {text}"),
            Self::Throttled { millis: None, text } => write!(f, "the server asks for a pause: {text}"),
            Self::TooLong { what, limit } => write!(f, "the server sent {what} of more than {limit} octets"),
            Self::Invalid(text) => f.write_str(text),
            Self::Unusable(text) => write!(f, "the connection takes no more commands: {text}"),
            Self::Spill(e) => write!(f, "a temporary file for a large message failed: {e}"),
        }
    }
}

impl std::error::Error for ImapErrorKind {}

impl ImapError {
    pub(super) fn new(endpoint: &str, command: &'static str, kind: ImapErrorKind) -> Self {
        Self { endpoint: endpoint.to_owned(), command, kind }
    }

    /// The response code of the server's refusal or goodbye.
    #[must_use]
    pub fn code(&self) -> Option<&Code> {
        match &self.kind {
            ImapErrorKind::Auth { code, .. }
            | ImapErrorKind::No { code, .. }
            | ImapErrorKind::Bad { code, .. }
            | ImapErrorKind::Bye { code, .. } => code.as_ref(),
            _ => None,
        }
    }

    /// Whether the server answered the command with a refusal.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self.kind, ImapErrorKind::No { .. } | ImapErrorKind::Bad { .. } | ImapErrorKind::Throttled { .. })
    }

    /// Whether the server asks to be left alone for a while, by a refusal or a goodbye: `Some(None)` when it does not say
    /// for how long, else milliseconds.
    #[must_use]
    pub fn wants_pause(&self) -> Option<Option<u64>> {
        match &self.kind {
            ImapErrorKind::Throttled { millis, .. } => Some(*millis),
            ImapErrorKind::Bye { text, .. } => throttled(text),
            _ => None,
        }
    }

    /// Whether a new connection may well succeed where this one failed.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self.kind,
            ImapErrorKind::Unreachable(_)
                | ImapErrorKind::Lost(_)
                | ImapErrorKind::Bye { .. }
                | ImapErrorKind::Timeout(_)
                | ImapErrorKind::Throttled { .. }
                | ImapErrorKind::Unusable(_)
        ) || self.code().is_some_and(Code::is_transient)
    }
}

/// Why a connection could not be protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsProblem {
    /// The certificate is not valid any more.
    Expired {
        /// The host that was asked for.
        host: String,
        /// When it ended, where known (Unix seconds).
        since: Option<i64>,
    },
    /// The certificate is not valid yet, or the clock of this machine is wrong.
    NotYetValid {
        /// The host that was asked for.
        host: String,
    },
    /// The certificate is for other names.
    WrongName {
        /// The host that was asked for.
        host: String,
        /// The names in the certificate.
        names: Vec<String>,
    },
    /// No trusted authority issued the certificate.
    UnknownIssuer {
        /// The host that was asked for.
        host: String,
    },
    /// The certificate is wrong in another way.
    Certificate {
        /// The host that was asked for.
        host: String,
        /// How.
        detail: String,
    },
    /// The server does not speak TLS on this port.
    NotTls {
        /// The host that was asked for.
        host: String,
    },
    /// The server does not offer STARTTLS, which is required.
    NoStarttls {
        /// The host that was asked for.
        host: String,
    },
    /// The handshake failed.
    Handshake {
        /// The host that was asked for.
        host: String,
        /// How.
        detail: String,
    },
    /// The trusted certificates of this machine cannot be used.
    Roots(String),
    /// Protection is off, the host is not this machine, and nobody allowed it.
    PlainRefused {
        /// The host that was asked for.
        host: String,
    },
}

impl fmt::Display for TlsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired { host, since } => {
                write!(f, "the certificate of {host} has expired")?;
                match since.and_then(|s| jiff::Timestamp::from_second(s).ok()) {
                    Some(t) => write!(f, " ({t})"),
                    None => Ok(()),
                }
            }
            Self::NotYetValid { host } => {
                write!(f, "the certificate of {host} is not valid yet; check the clock of this machine")
            }
            Self::WrongName { host, names } if names.is_empty() => {
                write!(f, "the certificate is not for {host}")
            }
            Self::WrongName { host, names } => {
                write!(f, "the certificate is not for {host}; it is for {}", names.join(", "))
            }
            Self::UnknownIssuer { host } => {
                write!(f, "the certificate of {host} comes from no authority that this machine trusts")
            }
            Self::Certificate { host, detail } => write!(f, "the certificate of {host} cannot be used: {detail}"),
            Self::NotTls { host } => {
                write!(f, "{host} does not speak TLS on this port; is it the port for STARTTLS?")
            }
            Self::NoStarttls { host } => write!(f, "{host} does not offer STARTTLS, and a login without it is refused"),
            Self::Handshake { host, detail } => write!(f, "the TLS handshake with {host} failed: {detail}"),
            Self::Roots(detail) => write!(f, "the trusted certificates of this machine cannot be used: {detail}"),
            Self::PlainRefused { host } => {
                write!(f, "{host} is not this machine, and an unprotected connection to it was not allowed")
            }
        }
    }
}

/// Makes a server's words safe to show: no control characters, bounded length.
pub(super) fn words(raw: &[u8]) -> String {
    const LIMIT: usize = 500;
    let text = match std::str::from_utf8(raw) {
        Ok(text) => text.to_owned(),
        Err(_) => raw.iter().map(|&b| char::from(b)).collect(),
    };
    let clean = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut out: String = clean.take(LIMIT).collect();
    if out.is_empty() {
        out.push_str("(no text)");
    } else if text.trim().chars().nth(LIMIT).is_some() {
        out.push('…');
    }
    out
}

/// How long a server asks to be left alone: `Some(None)` when it asks without saying how long.
pub(super) fn throttled(text: &str) -> Option<Option<u64>> {
    match Hint::of(None, text)? {
        Hint::Pause(told) => Some(told.map(|d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))),
        Hint::Lockout => Some(None),
        Hint::Busy | Hint::TooManyOfLogin | Hint::TooManyOfHost => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backoff_of_exchange_is_read_in_milliseconds() {
        assert_eq!(throttled("Request is throttled. Suggested Backoff Time: 299961 milliseconds"), Some(Some(299_961)));
        assert_eq!(throttled("Account exceeded command or bandwidth limits. x"), Some(None));
        assert_eq!(throttled("Session over [THROTTLED]"), Some(None));
        assert_eq!(throttled("Suggested Backoff Time: soon"), Some(None));
        assert_eq!(throttled("Mailbox is full"), None);
    }

    #[test]
    fn words_of_a_server_cannot_drive_the_terminal() {
        assert_eq!(words(b" a\x1b[2Jb\r\n"), "a [2Jb");
        assert_eq!(words("é".as_bytes()), "é");
        assert_eq!(words(b"\xe9"), "é");
        assert_eq!(words(b""), "(no text)");
        assert!(words(&[b'x'; 9000]).chars().count() < 520);
    }
}
