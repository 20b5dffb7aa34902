//! The listener: UDP and TCP on one loopback port.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use hickory_proto::{
    op::Message,
    serialize::binary::{BinDecodable, BinEncodable},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{answer::answer, zones::Zones};
use crate::sandbox::counters::Counters;

/// Ports are taken at random until one is free for both UDP and TCP.
const ATTEMPTS: usize = 20;
/// What a datagram may hold without EDNS (RFC 1035 4.2.1).
const PLAIN_UDP: usize = 512;

/// An authoritative server on loopback. It stops when dropped.
#[derive(Debug)]
pub struct DnsServer {
    address: SocketAddr,
    _stop: DropGuard,
}

impl DnsServer {
    /// Starts to serve the zones on a free port. Questions are counted as `dns.<TYPE>`.
    ///
    /// # Errors
    /// When no port is free for both UDP and TCP.
    pub async fn start(zones: Zones, counters: Counters) -> io::Result<Self> {
        let (tcp, udp) = bind().await?;
        let address = tcp.local_addr()?;
        let stop = CancellationToken::new();
        let server = Arc::new(Server { zones, counters });
        tokio::spawn(stop.clone().run_until_cancelled_owned(Arc::clone(&server).serve_udp(udp)));
        tokio::spawn(stop.clone().run_until_cancelled_owned(server.serve_tcp(tcp, stop.clone())));
        Ok(Self { address, _stop: stop.drop_guard() })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn bind() -> io::Result<(TcpListener, UdpSocket)> {
    let mut last = io::Error::other("no port was tried");
    for _ in 0..ATTEMPTS {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        match UdpSocket::bind(tcp.local_addr()?).await {
            Ok(udp) => return Ok((tcp, udp)),
            Err(e) => last = e,
        }
    }
    Err(last)
}

struct Server {
    zones: Zones,
    counters: Counters,
}

impl Server {
    async fn serve_udp(self: Arc<Self>, socket: UdpSocket) {
        let mut buffer = vec![0; 65_536];
        loop {
            let Ok((n, from)) = socket.recv_from(&mut buffer).await else { continue };
            if let Some(reply) = buffer.get(..n).and_then(|b| self.reply(b, true)) {
                let _gone = socket.send_to(&reply, from).await;
            }
        }
    }

    async fn serve_tcp(self: Arc<Self>, listener: TcpListener, stop: CancellationToken) {
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let server = Arc::clone(&self);
            tokio::spawn(stop.clone().run_until_cancelled_owned(async move {
                let _closed = server.converse(stream).await;
            }));
        }
    }

    /// One TCP connection: messages with two octets of length before each (RFC 1035 4.2.2).
    async fn converse(&self, mut stream: TcpStream) -> io::Result<()> {
        loop {
            let mut request = vec![0; usize::from(stream.read_u16().await?)];
            stream.read_exact(&mut request).await?;
            let Some(reply) = self.reply(&request, false) else { continue };
            let Ok(length) = u16::try_from(reply.len()) else { return Ok(()) };
            stream.write_u16(length).await?;
            stream.write_all(&reply).await?;
        }
    }

    fn reply(&self, request: &[u8], udp: bool) -> Option<Vec<u8>> {
        let request = Message::from_bytes(request).ok()?;
        if let Some(query) = request.queries.first() {
            self.counters.add(&format!("dns.{}", query.query_type()));
        }
        let message = answer(&self.zones.lock(), &request, udp)?;
        let bytes = message.to_bytes().ok()?;
        let room = request.edns.as_ref().map_or(PLAIN_UDP, |e| usize::from(e.max_payload()).max(PLAIN_UDP));
        if udp && bytes.len() > room { message.truncate().to_bytes().ok() } else { Some(bytes) }
    }
}
