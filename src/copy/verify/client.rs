//! The independent reader: `async-imap` under one rule that it does not keep itself, that success is the tagged OK of the
//! very command.
//!
//! It shares the TCP and TLS connection's making with `imap`, and not a line that reads the protocol. Its weaknesses (one
//! odd answer ends the session, some panic) can raise a false alarm and cannot hide a loss, because a folder counts as
//! read only when as many messages came as the server announced.

use std::{collections::BTreeSet, fmt, panic::AssertUnwindSafe, pin::Pin, task, time::Duration};

use async_imap::{
    Client, Session,
    imap_proto::{AttributeValue, MailboxDatum, NameAttribute, Response, ResponseCode, Status},
};
use futures::FutureExt as _;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, BufStream, ReadBuf};
use zeroize::Zeroizing;

use super::canonical::Canonical;
use crate::{
    copy::placeholder::is_placeholder,
    imap::{Connector, Credential, ImapError, ImapErrorKind, InternalDate},
    model::Digest,
};

/// Messages that one command asks for.
const BATCH: usize = 100;

/// Why the independent reader could not read.
#[derive(Debug, Error)]
pub(super) enum ClientError {
    #[error("no connection for the independent reader")]
    Connect(#[source] ImapError),
    #[error("the login of the independent reader was refused: {0}")]
    Denied(String),
    #[error("the server refused {command}: {text}")]
    Refused { command: &'static str, text: String },
    #[error("the independent reader lost its connection during {0}")]
    Lost(&'static str),
    #[error("the independent reader cannot read an answer to {command}: {text}")]
    Unreadable { command: &'static str, text: String },
    #[error("the server announced {announced} messages and {came} came")]
    Incomplete { announced: usize, came: usize },
}

/// A message as the independent reader saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) uid: u32,
    pub(super) digest: Digest,
    /// How many octets it has.
    pub(super) octets: u64,
    pub(super) canonical: Canonical,
    /// The server gives a text of its own instead of the message, so that nothing is known of its content.
    pub(super) withheld: bool,
    /// INTERNALDATE in seconds since 1970.
    pub(super) date: Option<i64>,
    pub(super) flags: BTreeSet<String>,
}

/// A folder as the independent reader saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SeenFolder {
    pub(super) uid_validity: u32,
    pub(super) messages: Vec<Seen>,
}

/// The stream under the client. It needs a name that can be printed.
struct Wire(Pin<Box<dyn Duplex>>);

trait Duplex: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Duplex for T {}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> task::Poll<std::io::Result<()>> {
        self.0.as_mut().poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
        buf: &[u8],
    ) -> task::Poll<std::io::Result<usize>> {
        self.0.as_mut().poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> task::Poll<std::io::Result<()>> {
        self.0.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> task::Poll<std::io::Result<()>> {
        self.0.as_mut().poll_shutdown(cx)
    }
}

/// A mechanism of one message; to whatever the server says behind it, nothing is answered.
struct Once(Zeroizing<String>);

impl async_imap::Authenticator for Once {
    type Response = String;

    fn process(&mut self, _challenge: &[u8]) -> String {
        std::mem::take(&mut *self.0)
    }
}

/// A session of the independent reader.
pub(super) struct Independent {
    session: Session<Wire>,
    patience: Duration,
}

impl Independent {
    /// Connects and logs in.
    pub(super) async fn connect(connector: &Connector) -> Result<Self, ClientError> {
        let work = async {
            let (stream, greeted) = connector.stream().await.map_err(ClientError::Connect)?;
            let mut client = Client::new(Wire(Box::pin(BufStream::new(stream))));
            if !greeted {
                client.read_response().await.ok().flatten().ok_or(ClientError::Lost("the greeting"))?;
            }
            let login = &connector.login;
            let odd = |text: &str| !text.is_ascii();
            let session = match &login.credential {
                Credential::Token(tokens) => {
                    let refused = |kind: ImapErrorKind| ClientError::Denied(kind.to_string());
                    let token = tokens.token().await.map_err(refused)?;
                    let [first, second] = login.bearer_messages(&connector.endpoint.to_string(), &token);
                    match client.authenticate(first.0, Once(first.1)).await {
                        Err((_, client)) => client.authenticate(second.0, Once(second.1)).await,
                        session => session,
                    }
                }
                Credential::Password(password)
                    if login.authzid.is_some() || odd(&login.user) || odd(password.expose()) =>
                {
                    let zid = login.authzid.as_deref().unwrap_or_default();
                    let plain = Once(format!("{zid}\0{}\0{}", login.user, password.expose()).into());
                    client.authenticate("PLAIN", plain).await
                }
                Credential::Password(password) => client.login(&login.user, password.expose()).await,
            };
            session.map_err(|(error, _)| ClientError::Denied(error.to_string()))
        };
        let patience = connector.timeouts.login;
        let session = contained("LOGIN", patience, work).await??;
        Ok(Self { session, patience: connector.timeouts.idle })
    }

    /// One command. `each` sees every untagged answer; the tagged OK is what makes it a success.
    async fn run(
        &mut self,
        name: &'static str,
        command: &str,
        mut each: impl FnMut(&Response<'_>),
    ) -> Result<(), ClientError> {
        let unreadable = |e: &dyn fmt::Display| ClientError::Unreadable { command: name, text: e.to_string() };
        let id = self.session.run_command(command).await.map_err(|e| unreadable(&e))?;
        loop {
            let next = contained(name, self.patience, self.session.read_response()).await?;
            let response = next.map_err(|e| unreadable(&e))?.ok_or(ClientError::Lost(name))?;
            match response.parsed() {
                Response::Done { tag, status, outcome } if *tag == id => {
                    let text = outcome.information.as_deref().unwrap_or_default().to_owned();
                    return match status {
                        Status::Ok => Ok(()),
                        _ => Err(ClientError::Refused { command: name, text }),
                    };
                }
                other => each(other),
            }
        }
    }

    /// The names of the folders that can be opened, as the server writes them, and of those that are subscribed.
    pub(super) async fn list(&mut self) -> Result<(BTreeSet<String>, BTreeSet<String>), ClientError> {
        let mut out = (BTreeSet::new(), BTreeSet::new());
        for (command, names) in [("LIST", &mut out.0), ("LSUB", &mut out.1)] {
            let each = |response: &Response<'_>| {
                if let Response::MailboxData(MailboxDatum::List(data)) = response {
                    let closed = |a: &NameAttribute<'_>| {
                        let odd = |text: &str| text.eq_ignore_ascii_case("\\NonExistent");
                        matches!(a, NameAttribute::NoSelect)
                            || matches!(a, NameAttribute::Extension(text) if odd(text.as_ref()))
                    };
                    if !data.name_attributes.iter().any(closed) {
                        let inbox = data.name.eq_ignore_ascii_case("INBOX");
                        names.insert(if inbox { "INBOX".to_owned() } else { unescaped(&data.name) });
                    }
                }
            };
            match self.run(command, &format!(r#"{command} "" "*""#), each).await {
                // A server without subscriptions still has folders.
                Err(ClientError::Refused { .. }) if command == "LSUB" => {}
                other => other?,
            }
        }
        Ok(out)
    }

    /// Reads a folder, every octet of every message. `each` is told how many messages came.
    pub(super) async fn folder(&mut self, name: &str, each: impl Fn(u64)) -> Result<SeenFolder, ClientError> {
        let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
        let mut announced = 0_usize;
        let mut out = SeenFolder::default();
        self.run("EXAMINE", &format!("EXAMINE \"{quoted}\""), |response| match response {
            Response::MailboxData(MailboxDatum::Exists(n)) => announced = *n as usize,
            Response::Data { outcome, .. } => {
                if let Some(ResponseCode::UidValidity(n)) = outcome.code {
                    out.uid_validity = n;
                }
            }
            _ => {}
        })
        .await?;
        if announced == 0 {
            return Ok(out);
        }
        let mut uids = BTreeSet::new();
        self.run("UID FETCH", "UID FETCH 1:* (UID)", |response| uids.extend(uid_of(response))).await?;
        if uids.len() < announced {
            return Err(ClientError::Incomplete { announced, came: uids.len() });
        }
        let uids: Vec<u32> = uids.into_iter().collect();
        for part in uids.chunks(BATCH) {
            let set = part.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
            let before = out.messages.len();
            let command = format!("UID FETCH {set} (UID FLAGS INTERNALDATE BODY.PEEK[])");
            let messages = &mut out.messages;
            self.run("UID FETCH", &command, |response| messages.extend(message_of(response))).await?;
            let came = out.messages.len() - before;
            if came != part.len() {
                return Err(ClientError::Incomplete { announced: part.len(), came });
            }
            each(came as u64);
        }
        Ok(out)
    }
}

/// A name as the server means it. The parser hands quoted strings over with their escapes (RFC 9051 4.3), and literals
/// as they are, and does not say which of the two it was: a name in which every quote and backslash is escaped is taken
/// for a quoted one.
fn unescaped(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut rest = name.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => match rest.next() {
                Some(escaped @ ('"' | '\\')) => out.push(escaped),
                _ => return name.to_owned(),
            },
            '"' => return name.to_owned(),
            other => out.push(other),
        }
    }
    out
}

/// Runs a step within its time, and turns a panic of the parser into an error.
async fn contained<T>(
    command: &'static str,
    patience: Duration,
    work: impl Future<Output = T>,
) -> Result<T, ClientError> {
    match tokio::time::timeout(patience, AssertUnwindSafe(work).catch_unwind()).await {
        Ok(Ok(out)) => Ok(out),
        Ok(Err(_)) => {
            Err(ClientError::Unreadable { command, text: "the parser of the independent reader failed".to_owned() })
        }
        Err(_) => Err(ClientError::Lost(command)),
    }
}

fn uid_of(response: &Response<'_>) -> Option<u32> {
    let Response::Fetch(_, attributes) = response else { return None };
    attributes.iter().find_map(|a| match a {
        AttributeValue::Uid(uid) => Some(*uid),
        _ => None,
    })
}

fn message_of(response: &Response<'_>) -> Option<Seen> {
    let Response::Fetch(_, attributes) = response else { return None };
    let mut seen = None;
    let mut date = None;
    let mut flags = BTreeSet::new();
    for attribute in attributes {
        match attribute {
            AttributeValue::BodySection { section: None, data, .. } => {
                let bytes = data.as_deref()?;
                seen = Some((Digest::of(bytes), Canonical::of(bytes), bytes.len() as u64, is_placeholder(bytes)));
            }
            AttributeValue::InternalDate(text) => {
                date = InternalDate::parse(text).instant().map(|t| t.as_second());
            }
            AttributeValue::Flags(list) => flags.extend(list.iter().map(ToString::to_string)),
            _ => {}
        }
    }
    let (digest, canonical, octets, withheld) = seen?;
    Some(Seen { uid: uid_of(response)?, digest, octets, canonical, withheld, date, flags })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_of_quoted_names_are_taken_away_and_literals_stay() {
        assert_eq!(unescaped(r#"Angebote \"neu\""#), r#"Angebote "neu""#);
        assert_eq!(unescaped(r"a\\b"), r"a\b");
        assert_eq!(unescaped(r#"Angebote "neu""#), r#"Angebote "neu""#);
        assert_eq!(unescaped(r"back\slash"), r"back\slash");
        assert_eq!(unescaped("Projekte/Z&APw-rich"), "Projekte/Z&APw-rich");
    }
}
