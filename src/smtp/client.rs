//! One message, one recipient, straight to the servers of a domain.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

use super::reply::{Reply, ReplyError};
use crate::{
    imap::{TlsProblem, TlsRoots},
    model::Address,
};

/// How long is waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For a TCP connection to one address.
    pub connect: Duration,
    /// For each reply but the last: servers look things up, and some are slow on purpose.
    pub reply: Duration,
    /// For the reply to the whole message.
    pub accepted: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(30), reply: Duration::from_secs(120), accepted: Duration::from_secs(300) }
    }
}

/// A mail server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its name, which its certificate should be for.
    pub name: String,
    /// Where it listens.
    pub addresses: Vec<SocketAddr>,
}

/// What is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The envelope's sender; `None` for the null one, which no bounce comes back to.
    pub from: Option<Address>,
    /// The recipient.
    pub to: Address,
    /// Header and body; lines end with CRLF.
    pub bytes: Vec<u8>,
}

/// Whether the connection was encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protection {
    /// It was, and the certificate holds for the name of the server.
    Trusted,
    /// It was; the text says what is wrong with the certificate.
    Encrypted(String),
    /// The server offers none.
    Absent,
    /// The server offers it, and it failed: the message went in clear, as it does between servers.
    Failed(String),
}

/// What became of a message, or of the question whether it would be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handed {
    /// A server answers for it now; without content, would.
    Accepted {
        /// The server.
        host: String,
        /// Its words.
        reply: Reply,
        /// Whether it was encrypted on the way.
        protection: Protection,
    },
    /// A server refuses the recipient or the message for good.
    Refused {
        /// The server.
        host: String,
        /// Its words.
        reply: Reply,
    },
    /// No server took it now, and one asks to try again.
    Deferred {
        /// The server.
        host: String,
        /// Its words.
        reply: Reply,
    },
    /// No server deals with this machine or this sender; it says nothing of the recipient.
    Barred {
        /// The server.
        host: String,
        /// Its words.
        reply: Reply,
    },
    /// No server could be spoken with: it may be this network.
    Unreachable(String),
    /// The connection was lost after the message had been begun: a server may have it.
    Unclear {
        /// The server.
        host: String,
        /// How.
        reason: String,
    },
}

/// Brings messages to mail servers.
#[derive(Clone, Debug, Default)]
pub struct Courier {
    /// Who may issue a server's certificate.
    pub roots: TlsRoots,
    /// How long is waited.
    pub timeouts: Timeouts,
}

trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// A connection on which the next command may be sent.
struct Session {
    stream: BufReader<Box<dyn Wire>>,
    protection: Protection,
    /// The certificates that the server showed, its own first.
    shown: Vec<Vec<u8>>,
}

/// Why a conversation ended before the message was begun.
enum Stop {
    Broken(String),
    /// A reply about this machine or the sender.
    Early(Reply),
    /// A reply about the recipient.
    Late(Reply),
}

impl From<ReplyError> for Stop {
    fn from(error: ReplyError) -> Self {
        Self::Broken(crate::diag::chain(&error).join(": "))
    }
}

impl Courier {
    /// Asks each server whether it would take a message for a recipient, and sends none. The first refusal counts, since
    /// any of them may be the one that mail comes to.
    pub async fn knock(&self, hosts: &[Host], from: Option<&Address>, to: &Address) -> Handed {
        let mut worst: Option<Handed> = None;
        for host in hosts {
            let answer = match self.at_door(host, from, to).await {
                Ok((mut session, reply)) => {
                    session.goodbye().await;
                    Handed::Accepted { host: host.name.clone(), reply, protection: session.protection }
                }
                Err(stop) => told(host, stop),
            };
            if rank(&answer) > worst.as_ref().map_or(0, rank) {
                worst = Some(answer);
            }
        }
        worst.unwrap_or_else(|| Handed::Unreachable("there is no mail server".to_owned()))
    }

    /// Hands a message to the first server that takes it, in the order given. `begin` is called once a server has agreed
    /// to the recipient, right before `DATA`: from then on the message may be delivered.
    ///
    /// # Errors
    /// That of `begin`; nothing was sent then.
    pub async fn hand_over<E>(
        &self,
        hosts: &[Host],
        letter: &Letter,
        begin: &mut (dyn FnMut(&str) -> Result<(), E> + Send),
    ) -> Result<Handed, E> {
        let mut best: Option<Handed> = None;
        for host in hosts {
            let answer = match self.at_door(host, letter.from.as_ref(), &letter.to).await {
                Ok((session, _)) => {
                    begin(&host.name)?;
                    self.deliver(host, session, letter).await
                }
                Err(stop) => told(host, stop),
            };
            // A refusal counts wherever it comes from, as it does for every server that sends mail.
            if matches!(answer, Handed::Accepted { .. } | Handed::Refused { .. } | Handed::Unclear { .. }) {
                return Ok(answer);
            }
            if rank(&answer) > best.as_ref().map_or(0, rank) {
                best = Some(answer);
            }
        }
        Ok(best.unwrap_or_else(|| Handed::Unreachable("there is no mail server".to_owned())))
    }

    /// The certificates that a server shows, its own first; none where it does not encrypt.
    ///
    /// # Errors
    /// In words, when it cannot be spoken with.
    pub async fn certificates(&self, host: &Host) -> Result<Vec<Vec<u8>>, String> {
        match self.open(host).await {
            Ok(mut session) => {
                session.goodbye().await;
                Ok(session.shown)
            }
            Err(Stop::Broken(why)) => Err(format!("{}: {why}", host.name)),
            Err(Stop::Early(reply) | Stop::Late(reply)) => Err(format!("{}: {reply}", host.name)),
        }
    }

    /// Up to a server's word about the recipient.
    async fn at_door(&self, host: &Host, from: Option<&Address>, to: &Address) -> Result<(Session, Reply), Stop> {
        let mut session = self.open(host).await?;
        let from = from.map(ToString::to_string).unwrap_or_default();
        let reply = self.say(&mut session, &format!("MAIL FROM:<{from}>")).await?;
        if !reply.is_good() {
            session.goodbye().await;
            return Err(Stop::Early(reply));
        }
        let reply = self.say(&mut session, &format!("RCPT TO:<{to}>")).await?;
        if !reply.is_good() {
            session.goodbye().await;
            return Err(Stop::Late(reply));
        }
        Ok((session, reply))
    }

    /// Connects, greets, and encrypts what the server can encrypt.
    async fn open(&self, host: &Host) -> Result<Session, Stop> {
        let (mut session, me) = self.connect(host).await?;
        let mut hello = self.greet(&mut session, &me).await?;
        if !hello.offers("STARTTLS") {
            return Ok(session);
        }
        let reply = self.say(&mut session, "STARTTLS").await?;
        if !reply.is_good() {
            session.protection = Protection::Failed(reply.to_string());
            return Ok(session);
        }
        if !session.stream.buffer().is_empty() {
            return Err(Stop::Broken("the server spoke before the connection was encrypted".to_owned()));
        }
        let shaken = self.roots.protect_anyway(session.stream.into_inner(), &host.name);
        let failed = match tokio::time::timeout(self.timeouts.reply, shaken).await {
            Ok(Ok((stream, problem))) => {
                let protection =
                    problem.map_or(Protection::Trusted, |p: TlsProblem| Protection::Encrypted(p.to_string()));
                let shown = stream.get_ref().1.peer_certificates().unwrap_or_default();
                let shown = shown.iter().map(|c| c.to_vec()).collect();
                session = Session { stream: BufReader::new(Box::new(stream)), protection, shown };
                hello = self.greet(&mut session, &me).await?;
                return if hello.is_good() { Ok(session) } else { Err(Stop::Early(hello)) };
            }
            Ok(Err(problem)) => problem.to_string(),
            Err(_) => "the handshake did not end".to_owned(),
        };
        let (mut session, me) = self.connect(host).await?;
        self.greet(&mut session, &me).await?;
        session.protection = Protection::Failed(failed);
        Ok(session)
    }

    /// A connection whose greeting was read, and the name of this end of it.
    async fn connect(&self, host: &Host) -> Result<(Session, String), Stop> {
        let mut last = "it has no address".to_owned();
        for address in &host.addresses {
            let tcp = match tokio::time::timeout(self.timeouts.connect, TcpStream::connect(address)).await {
                Ok(Ok(tcp)) => tcp,
                Ok(Err(error)) => {
                    last = format!("{address}: {error}");
                    continue;
                }
                Err(_) => {
                    last = format!("{address}: no connection within {} seconds", self.timeouts.connect.as_secs());
                    continue;
                }
            };
            // This machine may have no name that the world knows; its address always is one (RFC 5321 4.1.3).
            let me = match tcp.local_addr().map(|a| a.ip().to_canonical()) {
                Ok(std::net::IpAddr::V6(ip)) => format!("[IPv6:{ip}]"),
                Ok(ip) => format!("[{ip}]"),
                Err(_) => "[127.0.0.1]".to_owned(),
            };
            let stream: Box<dyn Wire> = Box::new(tcp);
            let mut session =
                Session { stream: BufReader::new(stream), protection: Protection::Absent, shown: Vec::new() };
            let greeting = self.reply(&mut session, self.timeouts.reply).await?;
            return if greeting.is_good() { Ok((session, me)) } else { Err(Stop::Early(greeting)) };
        }
        Err(Stop::Broken(last))
    }

    async fn greet(&self, session: &mut Session, me: &str) -> Result<Reply, Stop> {
        let reply = self.say(session, &format!("EHLO {me}")).await?;
        if reply.is_good() { Ok(reply) } else { Err(Stop::Early(reply)) }
    }

    async fn say(&self, session: &mut Session, command: &str) -> Result<Reply, Stop> {
        session.send(format!("{command}\r\n").as_bytes(), self.timeouts.reply).await?;
        Ok(self.reply(session, self.timeouts.reply).await?)
    }

    async fn reply(&self, session: &mut Session, patience: Duration) -> Result<Reply, ReplyError> {
        let read = tokio::time::timeout(patience, Reply::read(&mut session.stream)).await;
        read.unwrap_or(Err(ReplyError::Late(patience.as_secs())))
    }

    /// `DATA` and what follows. A failure before the server asks for the content is known to have sent nothing.
    async fn deliver(&self, host: &Host, mut session: Session, letter: &Letter) -> Handed {
        match self.say(&mut session, "DATA").await {
            Ok(reply) if reply.is_good() => {}
            Ok(reply) => {
                session.goodbye().await;
                return told(host, Stop::Late(reply));
            }
            Err(stop) => return told(host, stop),
        }
        let host = host.name.clone();
        let sent = match session.send(&stuffed(&letter.bytes), self.timeouts.accepted).await {
            Ok(()) => self.reply(&mut session, self.timeouts.accepted).await,
            Err(error) => Err(error),
        };
        let reply = match sent {
            Ok(reply) => reply,
            Err(error) => return Handed::Unclear { host, reason: crate::diag::chain(&error).join(": ") },
        };
        session.goodbye().await;
        match reply.code {
            ..400 => Handed::Accepted { host, reply, protection: session.protection },
            400..500 => Handed::Deferred { host, reply },
            _ => Handed::Refused { host, reply },
        }
    }
}

impl Session {
    async fn send(&mut self, octets: &[u8], patience: Duration) -> Result<(), ReplyError> {
        let stream = self.stream.get_mut();
        let write = async {
            stream.write_all(octets).await?;
            stream.flush().await
        };
        match tokio::time::timeout(patience, write).await {
            Ok(written) => Ok(written?),
            Err(_) => Err(ReplyError::Late(patience.as_secs())),
        }
    }

    /// Ends the conversation. What fails here changes nothing any more.
    async fn goodbye(&mut self) {
        const MOMENT: Duration = Duration::from_secs(5);
        if self.send(b"QUIT\r\n", MOMENT).await.is_ok() {
            let _ = tokio::time::timeout(MOMENT, Reply::read(&mut self.stream)).await;
        }
    }
}

fn told(host: &Host, stop: Stop) -> Handed {
    let host = host.name.clone();
    match stop {
        Stop::Broken(why) => Handed::Unreachable(format!("{host}: {why}")),
        Stop::Late(reply) if reply.is_permanent() => Handed::Refused { host, reply },
        Stop::Early(reply) if reply.is_permanent() => Handed::Barred { host, reply },
        Stop::Early(reply) | Stop::Late(reply) => Handed::Deferred { host, reply },
    }
}

/// Which of several answers says the most against going on.
fn rank(handed: &Handed) -> u8 {
    match handed {
        Handed::Unreachable(_) => 1,
        Handed::Barred { .. } => 2,
        Handed::Accepted { .. } => 3,
        Handed::Deferred { .. } => 4,
        Handed::Unclear { .. } => 5,
        Handed::Refused { .. } => 6,
    }
}

/// The content with its end: a line that begins with a dot gets another one (RFC 5321 4.5.2).
fn stuffed(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 8);
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        if line.first() == Some(&b'.') {
            out.push(b'.');
        }
        out.extend_from_slice(line);
    }
    if !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_at_the_beginning_of_a_line_does_not_end_the_message() {
        assert_eq!(stuffed(b"a\r\n.\r\n..b"), b"a\r\n..\r\n...b\r\n.\r\n");
        assert_eq!(stuffed(b""), b"\r\n.\r\n");
    }
}
