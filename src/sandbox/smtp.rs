//! The mail servers of the sandbox: what is handed to them is delivered into its mailboxes.

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::counters::Counters;
use crate::model::Address;

/// The longest line that is read.
const LINE: u64 = 64 * 1024;

/// What a server does instead of its duty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SmtpFault {
    /// Refuses the recipient for good.
    RefuseRecipient,
    /// Refuses the message for good, once it has it.
    RefuseMessage,
    /// Asks to come again, at the recipient.
    Later,
    /// Turns the client away in its greeting.
    Barred,
    /// Takes the message and delivers it nowhere.
    Swallow,
    /// Takes the message and closes the connection without a word; it is delivered.
    Hang,
    /// Delivers it as junk.
    Junk,
}

/// Where mail goes.
#[async_trait]
pub trait Delivery: Send + Sync {
    /// Whether somebody has that address at a service.
    fn knows(&self, service: &str, address: &Address) -> bool;

    /// Puts a message into a mailbox.
    async fn deliver(&self, service: &str, address: &Address, message: Vec<u8>, junk: bool) -> io::Result<()>;
}

/// A mail server on loopback. It stops when dropped.
#[derive(Debug)]
pub struct SmtpServer {
    address: SocketAddr,
    switch: SmtpSwitch,
    _stop: DropGuard,
}

/// What makes a mail server fail while it runs. Clones move the same server.
#[derive(Clone, Debug)]
pub struct SmtpSwitch(Arc<Mutex<State>>);

impl SmtpSwitch {
    /// Fails in that way from now on; `None` heals it.
    pub fn fail(&self, fault: Option<SmtpFault>) {
        self.lock().fault = fault;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct State {
    fault: Option<SmtpFault>,
    tls: Option<Arc<ServerConfig>>,
    /// By domain: the service that takes its mail.
    routes: BTreeMap<String, String>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("fault", &self.fault).field("routes", &self.routes).finish_non_exhaustive()
    }
}

impl SmtpServer {
    /// Starts on a free port. Commands are counted as `smtp.<VERB>`, whole messages as `smtp.content`. It takes mail for
    /// every address that is known at one of these services, and delivers it at each of them, until it is told better.
    ///
    /// # Errors
    /// When no port can be opened.
    pub async fn start(mail: Arc<dyn Delivery>, services: &[&str], counters: Counters) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let switch = SmtpSwitch(Arc::default());
        let stop = CancellationToken::new();
        let services = services.iter().map(|s| (*s).to_owned()).collect();
        let server = Arc::new(Server { mail, services, counters, switch: switch.clone() });
        tokio::spawn(stop.clone().run_until_cancelled_owned(accept(listener, server, stop.clone())));
        Ok(Self { address, switch, _stop: stop.drop_guard() })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Delivers the mail of a domain at this service alone from now on.
    pub fn route(&self, domain: &str, service: &str) {
        self.switch.lock().routes.insert(domain.to_owned(), service.to_owned());
    }

    /// Fails in that way from now on; `None` heals it.
    pub fn fail(&self, fault: Option<SmtpFault>) {
        self.switch.fail(fault);
    }

    /// What makes it fail, for whoever decides that later.
    #[must_use]
    pub fn switch(&self) -> SmtpSwitch {
        self.switch.clone()
    }

    /// Offers STARTTLS from now on.
    pub fn encrypt(&self, config: Arc<ServerConfig>) {
        self.switch.lock().tls = Some(config);
    }
}

struct Server {
    mail: Arc<dyn Delivery>,
    services: Vec<String>,
    counters: Counters,
    switch: SmtpSwitch,
}

async fn accept(listener: TcpListener, server: Arc<Server>, stop: CancellationToken) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let server = Arc::clone(&server);
        tokio::spawn(stop.clone().run_until_cancelled_owned(async move {
            // A client that breaks the connection is nothing that anybody could act on.
            let _closed: io::Result<()> = server.serve(stream).await;
        }));
    }
}

/// How a conversation ended.
enum End {
    Over,
    /// The client wants to encrypt what follows.
    Encrypt,
}

impl Server {
    fn fault(&self) -> Option<SmtpFault> {
        self.switch.lock().fault.clone()
    }

    fn is(&self, fault: &SmtpFault) -> bool {
        self.fault().as_ref() == Some(fault)
    }

    fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.switch.lock().tls.clone()
    }

    /// The services that take mail for an address, because somebody there has it.
    fn services(&self, address: &Address) -> Vec<String> {
        let routed = self.switch.lock().routes.get(address.domain().as_str()).cloned();
        let all = routed.map_or_else(|| self.services.clone(), |one| vec![one]);
        all.into_iter().filter(|service| self.mail.knows(service, address)).collect()
    }

    async fn serve(&self, stream: TcpStream) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        if self.is(&SmtpFault::Barred) {
            return stream.get_mut().write_all(b"554 5.7.1 no mail from your network\r\n").await;
        }
        stream.get_mut().write_all(b"220 mail.sandbox.example ESMTP\r\n").await?;
        let tls = self.tls();
        match self.converse(&mut stream, tls.is_some()).await? {
            End::Over => Ok(()),
            End::Encrypt => {
                let Some(config) = tls else { return Ok(()) };
                let stream = TlsAcceptor::from(config).accept(stream.into_inner()).await?;
                self.converse(&mut BufReader::new(stream), false).await.map(drop)
            }
        }
    }

    async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut BufReader<S>,
        may_encrypt: bool,
    ) -> io::Result<End> {
        let (mut sender, mut to): (bool, Option<(Vec<String>, Address)>) = (false, None);
        loop {
            let line = read_line(stream).await?;
            let Some(line) = line else { return Ok(End::Over) };
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            self.counters.add(&format!("smtp.{verb}"));
            let reply = match verb.as_str() {
                "EHLO" if may_encrypt => "250-mail.sandbox.example\r\n250-STARTTLS\r\n250 ENHANCEDSTATUSCODES",
                "EHLO" => "250-mail.sandbox.example\r\n250 ENHANCEDSTATUSCODES",
                "STARTTLS" if may_encrypt => {
                    stream.get_mut().write_all(b"220 2.0.0 go ahead\r\n").await?;
                    return Ok(End::Encrypt);
                }
                "MAIL" => {
                    sender = true;
                    "250 2.1.0 sender ok"
                }
                "RCPT" if !sender => "503 5.5.1 say MAIL before",
                "RCPT" if self.is(&SmtpFault::RefuseRecipient) => "550 5.1.1 nobody has that address",
                "RCPT" if self.is(&SmtpFault::Later) => "450 4.2.0 come again",
                "RCPT" => {
                    let address = path(&line).and_then(|text| Address::parse(text).ok());
                    to = address.map(|address| (self.services(&address), address)).filter(|(at, _)| !at.is_empty());
                    if to.is_some() { "250 2.1.5 recipient ok" } else { "550 5.1.1 nobody has that address" }
                }
                "DATA" => match to.take() {
                    None => "503 5.5.1 say RCPT before",
                    Some((services, address)) => {
                        stream.get_mut().write_all(b"354 go on, a dot ends it\r\n").await?;
                        let message = read_content(stream).await?;
                        match self.take(&services, &address, message).await? {
                            Some(reply) => reply,
                            None => return Ok(End::Over),
                        }
                    }
                },
                "RSET" | "NOOP" => "250 2.0.0 ok",
                "QUIT" => {
                    stream.get_mut().write_all(b"221 2.0.0 bye\r\n").await?;
                    return Ok(End::Over);
                }
                _ => "500 5.5.2 what?",
            };
            stream.get_mut().write_all(reply.as_bytes()).await?;
            stream.get_mut().write_all(b"\r\n").await?;
        }
    }

    /// What becomes of a message; `None` closes the connection.
    async fn take(&self, services: &[String], address: &Address, message: Vec<u8>) -> io::Result<Option<&'static str>> {
        let fault = self.fault();
        self.counters.add("smtp.content");
        match fault {
            Some(SmtpFault::RefuseMessage) => return Ok(Some("554 5.6.0 not this one")),
            Some(SmtpFault::Swallow) => return Ok(Some("250 2.0.0 taken")),
            _ => {}
        }
        let mut received = b"Received: by mail.sandbox.example\r\n".to_vec();
        received.extend(message);
        let junk = fault == Some(SmtpFault::Junk);
        for service in services {
            self.mail.deliver(service, address, received.clone(), junk).await?;
        }
        Ok(if fault == Some(SmtpFault::Hang) { None } else { Some("250 2.0.0 taken") })
    }
}

/// The address in `RCPT TO:<address>`.
fn path(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once('<')?;
    rest.split_once('>').map(|(address, _)| address)
}

async fn read_line(from: &mut (impl tokio::io::AsyncBufRead + Unpin)) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    (&mut *from).take(LINE).read_until(b'\n', &mut line).await?;
    if line.is_empty() {
        return Ok(None);
    }
    Ok(Some(String::from_utf8_lossy(&line).trim_end().to_owned()))
}

/// Everything up to the line with only a dot, with the dots that were doubled single again.
async fn read_content(from: &mut (impl tokio::io::AsyncBufRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    loop {
        let mut line = Vec::new();
        (&mut *from).take(LINE).read_until(b'\n', &mut line).await?;
        match line.as_slice() {
            b".\r\n" => return Ok(out),
            [] => return Err(io::ErrorKind::UnexpectedEof.into()),
            [b'.', rest @ ..] => out.extend_from_slice(rest),
            other => out.extend_from_slice(other),
        }
    }
}
