//! Servers and the ways to them: plain DNS, DNS over TLS (RFC 7858), DNS over HTTPS (RFC 8484).
//!
//! The messages are the same on every way, so an answer keeps its whole meaning. The library's own encrypted transports
//! belong to its stub resolver, which does not keep it (see `lookup.rs`).

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    str::FromStr,
    sync::{Arc, OnceLock},
};

use rustls::{ClientConfig, pki_types::ServerName};
use rustls_platform_verifier::BuilderVerifierExt as _;
use thiserror::Error;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::Mutex,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use url::Url;

/// The largest DNS message there is.
const LARGEST: usize = 65_535;
/// Idle connections that are kept for the next question.
const KEPT: usize = 4;

/// A server and the way to it. Clones share connections.
#[derive(Clone, Debug)]
pub struct Nameserver(pub(super) Way);

#[derive(Clone, Debug)]
pub(super) enum Way {
    Plain(SocketAddr),
    Tls(Arc<Tls>),
    Https(Arc<Https>),
}

/// Why a text names no server.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is no server: give an address, address:port, tls://HOST or https://HOST/PATH")]
pub struct NameserverError(String);

impl From<SocketAddr> for Nameserver {
    fn from(address: SocketAddr) -> Self {
        Self(Way::Plain(address))
    }
}

impl FromStr for Nameserver {
    type Err = NameserverError;

    /// Reads `192.0.2.1`, `192.0.2.1:53`, `tls://192.0.2.1`, `tls://dns.example:853`, `tls://192.0.2.1#dns.example` (the
    /// name that the certificate must have), `https://dns.example/dns-query`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || NameserverError(text.to_owned());
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self(Way::Plain(address)));
        }
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(Self(Way::Plain(SocketAddr::new(ip, 53))));
        }
        let url = Url::parse(text).map_err(|_| wrong())?;
        let host = url.host_str().filter(|h| !h.is_empty()).ok_or_else(wrong)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let bare = url.username().is_empty() && url.password().is_none() && url.query().is_none();
        match url.scheme() {
            "tls" if bare && matches!(url.path(), "" | "/") => {
                let name = url.fragment().unwrap_or(&host).to_owned();
                let name = ServerName::try_from(name).map_err(|_| wrong())?;
                let port = url.port().unwrap_or(853);
                let idle = Mutex::new(Vec::new());
                Ok(Self(Way::Tls(Arc::new(Tls { host, port, name, idle }))))
            }
            "https" if bare && url.fragment().is_none() => {
                let mut url = url;
                if url.path() == "/" {
                    url.set_path("/dns-query");
                }
                Ok(Self(Way::Https(Arc::new(Https { url, client: OnceLock::new() }))))
            }
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Nameserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Way::Plain(address) => write!(f, "{address}"),
            Way::Tls(tls) if tls.host.contains(':') => write!(f, "tls://[{}]:{}", tls.host, tls.port),
            Way::Tls(tls) => write!(f, "tls://{}:{}", tls.host, tls.port),
            Way::Https(https) => write!(f, "{}", https.url),
        }
    }
}

impl Way {
    /// Sends a message over a protected way and takes the answer. Not for [`Way::Plain`], which has datagrams.
    pub(super) async fn exchange(&self, request: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Plain(_) => Err(io::Error::other("plain servers are asked by datagram")),
            Self::Tls(tls) => tls.exchange(request).await,
            Self::Https(https) => https.exchange(request).await,
        }
    }
}

/// A server of DNS over TLS.
#[derive(Debug)]
pub(super) struct Tls {
    host: String,
    port: u16,
    name: ServerName<'static>,
    idle: Mutex<Vec<TlsStream<TcpStream>>>,
}

impl Tls {
    /// Servers close what is idle: a question that meets an old connection at its end is asked again on a new one.
    async fn exchange(&self, request: &[u8]) -> io::Result<Vec<u8>> {
        let kept = self.idle.lock().await.pop();
        if let Some(mut stream) = kept
            && let Ok(answer) = ask(&mut stream, request).await
        {
            self.keep(stream).await;
            return Ok(answer);
        }
        let tcp = TcpStream::connect((self.host.as_str(), self.port)).await?;
        tcp.set_nodelay(true)?;
        let mut stream = TlsConnector::from(config()?).connect(self.name.clone(), tcp).await?;
        let answer = ask(&mut stream, request).await?;
        self.keep(stream).await;
        Ok(answer)
    }

    async fn keep(&self, stream: TlsStream<TcpStream>) {
        let mut idle = self.idle.lock().await;
        if idle.len() < KEPT {
            idle.push(stream);
        }
    }
}

async fn ask(stream: &mut TlsStream<TcpStream>, request: &[u8]) -> io::Result<Vec<u8>> {
    let length = u16::try_from(request.len()).map_err(|_| io::Error::other("the question is too long"))?;
    stream.write_all(&[length.to_be_bytes().as_slice(), request].concat()).await?;
    stream.flush().await?;
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

/// The system's authorities; `SSL_CERT_FILE` names others.
fn config() -> io::Result<Arc<ClientConfig>> {
    static CONFIG: OnceLock<Result<Arc<ClientConfig>, String>> = OnceLock::new();
    let made = CONFIG.get_or_init(|| {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_platform_verifier())
            .map_err(|e| e.to_string())?;
        Ok(Arc::new(config.with_no_client_auth()))
    });
    made.clone().map_err(io::Error::other)
}

/// A server of DNS over HTTPS.
#[derive(Debug)]
pub(super) struct Https {
    url: Url,
    client: OnceLock<Result<reqwest::Client, String>>,
}

impl Https {
    /// RFC 8484 4.1: POST, so that no cache on the way answers.
    async fn exchange(&self, request: &[u8]) -> io::Result<Vec<u8>> {
        const MEDIA: &str = "application/dns-message";
        let told = |e: reqwest::Error| io::Error::other(crate::diag::chain(&e).join(": "));
        let client = self.client.get_or_init(|| {
            let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).https_only(true);
            builder.build().map_err(|e| crate::diag::chain(&e).join(": "))
        });
        let client = client.as_ref().map_err(|e| io::Error::other(e.clone()))?;
        let post = client.post(self.url.clone()).header("content-type", MEDIA).header("accept", MEDIA);
        let mut answer = post.body(request.to_vec()).send().await.map_err(told)?;
        if answer.status() != reqwest::StatusCode::OK {
            return Err(io::Error::other(format!("HTTP {}", answer.status())));
        }
        let media = answer.headers().get("content-type").and_then(|v| v.to_str().ok()).unwrap_or_default();
        if !media.eq_ignore_ascii_case(MEDIA) {
            return Err(io::Error::other(format!("the answer is `{media}` and no DNS message")));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(told)? {
            body.extend_from_slice(&chunk);
            if body.len() > LARGEST {
                return Err(io::Error::other("the answer is longer than a DNS message can be"));
            }
        }
        Ok(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_read_as_people_write_them() {
        let shown = |text: &str| text.parse::<Nameserver>().map(|n| n.to_string()).map_err(|e| e.to_string());
        for (text, wanted) in [
            ("9.9.9.9", "9.9.9.9:53"),
            ("127.0.0.1:5300", "127.0.0.1:5300"),
            ("2620:fe::9", "[2620:fe::9]:53"),
            ("tls://9.9.9.9", "tls://9.9.9.9:853"),
            ("tls://9.9.9.9#dns.quad9.net", "tls://9.9.9.9:853"),
            ("tls://[2620:fe::9]:8853", "tls://[2620:fe::9]:8853"),
            ("https://dns.quad9.net", "https://dns.quad9.net/dns-query"),
            ("https://dns.example:8443/q", "https://dns.example:8443/q"),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(wanted), "{text}");
        }
        for wrong in ["", "dns.example", "tls://", "tls://a b", "tls://h/path", "http://h/dns-query", "https://u:p@h/"]
        {
            assert!(shown(wrong).is_err(), "{wrong}");
        }
    }
}
