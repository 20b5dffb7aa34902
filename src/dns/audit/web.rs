//! Fetching a policy the way RFC 8461 3.3 demands it: valid certificate, no redirect, a bounded body.

use std::{net::SocketAddr, time::Duration};

use async_trait::async_trait;

/// A policy is a few lines; more is nobody's policy (RFC 8461 3.3).
const LARGEST: usize = 64 * 1024;
const PATIENCE: Duration = Duration::from_secs(15);

/// What a web server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The HTTP status.
    pub status: u16,
    /// The media type as sent.
    pub media: String,
    /// The body, cut at 64 KiB.
    pub body: String,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebError {
    /// The server answered, and its certificate or its HTTP is wrong: senders see the same.
    Wrong(String),
    /// Nobody answered: it may be this network.
    Unreachable(String),
}

/// Something that fetches pages.
#[async_trait]
pub trait Web: Send + Sync {
    /// Gets `https://host/path` from one of these addresses, without following redirects.
    async fn get(&self, host: &str, path: &str, addresses: &[SocketAddr]) -> Result<Page, WebError>;
}

/// The web as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wire;

#[async_trait]
impl Web for Wire {
    async fn get(&self, host: &str, path: &str, addresses: &[SocketAddr]) -> Result<Page, WebError> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .no_proxy()
            .resolve_to_addrs(host, addresses)
            .build()
            .map_err(|e| WebError::Unreachable(crate::diag::chain(&e).join(": ")))?;
        let mut response = client.get(format!("https://{host}{path}")).send().await.map_err(told)?;
        let status = response.status().as_u16();
        let media = response.headers().get("content-type").and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(told)? {
            body.extend(chunk);
            if body.len() > LARGEST {
                body.truncate(LARGEST);
                break;
            }
        }
        Ok(Page { status, media, body: String::from_utf8_lossy(&body).into_owned() })
    }
}

/// A certificate that does not hold is the server's fault and not the network's.
fn told(error: reqwest::Error) -> WebError {
    let chain = crate::diag::chain(&error).join(": ");
    if chain.contains("certificate") { WebError::Wrong(chain) } else { WebError::Unreachable(chain) }
}
