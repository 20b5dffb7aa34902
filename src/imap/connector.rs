//! From an endpoint and a login to a connection that is ready for work.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::net::{TcpStream, lookup_host};

use super::{
    capability::Capabilities,
    compress::Compression,
    conn::{Command, Conn, Stream, refusal},
    error::{ImapError, ImapErrorKind, TlsProblem},
    hint::Hint,
    login::{self, Login},
    parking::Parking,
    quirks::{Quirk, Quirks},
    reader::Reader,
    response::{Response, StatusKind},
    tls::{HandshakeError, TlsRoots, protect},
    writer::Writer,
};
use crate::model::{ImapEndpoint, ImapSecurity, MailLimits};

/// How long is waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For a TCP connection and its TLS handshake, all addresses of the host together.
    pub connect: Duration,
    /// For each answer up to the end of the login.
    pub login: Duration,
    /// For anything to move, in either direction, while a command is under way.
    pub idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            login: Duration::from_secs(60),
            idle: Duration::from_secs(300), // servers index large folders before they answer
        }
    }
}

/// Opens connections to one mailbox of one server. Clones share what was learned about the server.
#[derive(Clone, Debug)]
pub struct Connector {
    /// The server.
    pub endpoint: ImapEndpoint,
    /// Who logs in.
    pub login: Login,
    /// How long is waited.
    pub timeouts: Timeouts,
    /// Who may issue the server's certificate.
    pub tls: TlsRoots,
    /// Whether [`ImapSecurity::Plain`] is allowed to a host that is not this machine.
    pub allow_plain: bool,
    /// What was learned about the server.
    pub quirks: Quirks,
    /// What the server allows, or a person allows. The connector leaves it to its callers to keep to it.
    pub limits: MailLimits,
    /// What was measured of the way to the server.
    pub compression: Compression,
    /// Where connections are that may be used instead of a new one, and where they go when their work is done.
    pub parking: Option<Parking>,
}

impl Connector {
    /// A connector with the system's certificates and the usual timeouts.
    #[must_use]
    pub fn new(endpoint: ImapEndpoint, login: Login) -> Self {
        Self {
            endpoint,
            login,
            timeouts: Timeouts::default(),
            tls: TlsRoots::system(),
            allow_plain: false,
            quirks: Quirks::default(),
            limits: MailLimits::default(),
            compression: Compression::default(),
            parking: None,
        }
    }

    /// Whether the server is on this machine, by its name alone.
    #[must_use]
    pub fn is_local(&self) -> bool {
        let host = self.endpoint.host.as_str();
        host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
    }

    /// Connects and logs in, for reading.
    ///
    /// # Errors
    /// `Unreachable`, `Tls`, `Auth`, and whatever else a server can do; see [`ImapErrorKind`].
    pub async fn connect(&self) -> Result<Reader, ImapError> {
        if let Some(reader) = self.parking.as_ref().and_then(|parking| parking.take(self)) {
            return Ok(reader);
        }
        let conn = match self.open().await {
            // What waits for work takes the place of what has some.
            Err(error) if is_crowded(&error) && self.parking.as_ref().is_some_and(|parking| parking.give_way(self)) => {
                self.open().await?
            }
            opened => opened?,
        };
        Ok(Reader::new(conn, self.quirks.clone()))
    }

    /// Keeps a connection that this connector made, for whoever wants one next. Where there is no place for it, it ends.
    pub fn keep(&self, reader: Reader) {
        if let Some(parking) = &self.parking {
            let _ended = parking.park(self, reader, None);
        }
    }

    /// Connects and logs in, for reading and writing.
    ///
    /// # Errors
    /// As [`Connector::connect`].
    pub async fn connect_writer(&self) -> Result<Writer, ImapError> {
        self.connect().await.map(Writer::new)
    }

    /// A stream to the server, protected as the endpoint wants it and not logged in, for a client of another make that
    /// checks what this one did. The flag tells whether the greeting was read already, as it must be for STARTTLS.
    ///
    /// # Errors
    /// As [`Connector::connect`], but for the login.
    pub async fn stream(
        &self,
    ) -> Result<(impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static + use<>, bool), ImapError>
    {
        let stream = self.tcp().await?;
        match self.endpoint.security {
            ImapSecurity::Plain => Ok((stream, false)),
            ImapSecurity::Tls => Ok((self.protect(stream).await?, false)),
            ImapSecurity::Starttls => {
                let mut conn = Conn::new(self.endpoint.to_string(), stream, self.timeouts.login);
                greeting(&mut conn).await?;
                Ok((self.starttls(conn).await?, true))
            }
        }
    }

    async fn open(&self) -> Result<Conn, ImapError> {
        let stream = self.tcp().await?;
        let stream = match self.endpoint.security {
            ImapSecurity::Tls => self.protect(stream).await?,
            ImapSecurity::Starttls | ImapSecurity::Plain => stream,
        };
        let mut conn = Conn::new(self.endpoint.to_string(), stream, self.timeouts.login);
        greeting(&mut conn).await?;
        if self.endpoint.security == ImapSecurity::Starttls {
            let stream = self.starttls(conn).await?;
            // Whatever was said before is forgotten: it may have come from anybody.
            conn = Conn::new(self.endpoint.to_string(), stream, self.timeouts.login);
        }
        if conn.capabilities.as_set().is_empty() {
            capability(&mut conn).await?;
        }
        let begun = Instant::now();
        login::log_in(&mut conn, &self.login, &self.quirks).await?;
        conn.distance = Some(begun.elapsed());
        if conn.capabilities.has("X-GM-EXT-1") {
            self.quirks.learn(Quirk::Gmail);
        }
        login::introduce(&mut conn, &self.quirks);
        conn.idle = self.timeouts.idle;
        Ok(conn)
    }

    fn error(&self, kind: ImapErrorKind) -> ImapError {
        ImapError::new(&self.endpoint.to_string(), "connect", kind)
    }

    /// Connects to the first address of the host that answers.
    async fn tcp(&self) -> Result<Box<dyn Stream>, ImapError> {
        let unreachable = |e| self.error(ImapErrorKind::Unreachable(e));
        let host = (self.endpoint.host.as_str(), self.endpoint.port);
        let addresses = tokio::time::timeout(self.timeouts.connect, lookup_host(host))
            .await
            .map_err(|_| self.error(ImapErrorKind::Timeout(self.timeouts.connect)))?
            .map_err(unreachable)?;
        let addresses: Vec<SocketAddr> = addresses.collect();
        let plain = self.endpoint.security == ImapSecurity::Plain && !self.allow_plain;
        if plain && !addresses.iter().all(|a| a.ip().is_loopback()) {
            return Err(self.error(ImapErrorKind::Tls(TlsProblem::PlainRefused { host: self.endpoint.host.clone() })));
        }
        // An address that swallows packets must not eat the time of the others.
        let share = self.timeouts.connect / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host name has no address");
        for address in addresses {
            match tokio::time::timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(tcp)) => {
                    // Small commands must not wait for acknowledgements; failing to say so only costs time.
                    let _ = tcp.set_nodelay(true);
                    return Ok(Box::new(tcp));
                }
                Ok(Err(e)) => last = e,
                Err(_) => last = io::Error::new(io::ErrorKind::TimedOut, format!("{address} does not answer")),
            }
        }
        Err(unreachable(last))
    }

    async fn protect(&self, stream: Box<dyn Stream>) -> Result<Box<dyn Stream>, ImapError> {
        match tokio::time::timeout(self.timeouts.connect, protect(stream, &self.endpoint.host, &self.tls)).await {
            Err(_) => Err(self.error(ImapErrorKind::Timeout(self.timeouts.connect))),
            Ok(Err(HandshakeError::Tls(problem))) => Err(self.error(ImapErrorKind::Tls(problem))),
            Ok(Err(HandshakeError::Io(e))) => Err(self.error(ImapErrorKind::Unreachable(e))),
            Ok(Ok(stream)) => Ok(Box::new(stream)),
        }
    }

    /// Turns TLS on. What the server said so far, and what it says before TLS is on, is not trusted (RFC 9051 11.1,
    /// RFC 8314 7).
    async fn starttls(&self, mut conn: Conn) -> Result<Box<dyn Stream>, ImapError> {
        if conn.capabilities.as_set().is_empty() {
            capability(&mut conn).await?;
        }
        if !conn.capabilities.starttls() {
            let problem = TlsProblem::NoStarttls { host: self.endpoint.host.clone() };
            return Err(self.error(ImapErrorKind::Tls(problem)));
        }
        let command = Command::new(&conn, "STARTTLS", "");
        conn.run(command, &mut |_| ()).await?;
        if conn.has_input() {
            let text = "it sent data behind its consent to TLS, before TLS was on".to_owned();
            return Err(conn.broken("STARTTLS", ImapErrorKind::Protocol(text)));
        }
        self.protect(conn.into_stream()).await
    }
}

/// Whether the server has too many connections, of this login or of everybody.
fn is_crowded(error: &ImapError) -> bool {
    matches!(Hint::of_error(error), Some(Hint::TooManyOfLogin | Hint::TooManyOfHost))
}

/// Reads the greeting. A server that already knows us is refused: it cannot know whose mailbox we want.
async fn greeting(conn: &mut Conn) -> Result<(), ImapError> {
    let status = match conn.response("connect").await? {
        Response::Untagged(status) => status,
        _ => return Err(conn.broken("connect", ImapErrorKind::Protocol("this is no IMAP greeting".to_owned()))),
    };
    match status.kind {
        StatusKind::Ok => {
            if let Some(super::Code::Capability(words)) = status.code {
                conn.capabilities = Capabilities::new(words);
            }
            Ok(())
        }
        StatusKind::Preauth => {
            let text = "it says that somebody is logged in already".to_owned();
            Err(conn.broken("connect", ImapErrorKind::Protocol(text)))
        }
        _ => Err(conn.broken("connect", refusal(status))),
    }
}

/// Asks for the capabilities.
pub(super) async fn capability(conn: &mut Conn) -> Result<(), ImapError> {
    let mut found = None;
    let command = Command::new(conn, "CAPABILITY", "");
    let mut each = |response| {
        if let Response::Capability(words) = response {
            found = Some(words);
        }
    };
    conn.run(command, &mut each).await?;
    match found {
        Some(words) => {
            conn.capabilities = Capabilities::new(words);
            Ok(())
        }
        None => Err(conn.broken("CAPABILITY", ImapErrorKind::Protocol("it names no capabilities".to_owned()))),
    }
}
