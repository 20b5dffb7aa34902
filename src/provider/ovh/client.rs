//! The HTTP client of the OVHcloud API, in two types: one that can only read, and one that can also write.

use std::{ops::Deref, sync::Arc, time::Duration};

use backon::{BackoffBuilder as _, ExponentialBuilder, Retryable as _};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use serde_json::Value;
use tokio::sync::OnceCell;

use super::{
    auth::Auth,
    budget::{self, Budget},
    endpoint::Endpoint,
    failure::{ApiError, Failure, excerpt},
    json::label,
    path::{ApiPath, Branch},
    wait::{Look, until},
};
use crate::{
    model::{Credentials, Secret},
    provider::{ErrorClass, Patience, PlatformConfig},
};

/// How often one call is sent at most.
const ATTEMPTS: usize = 6;
/// How many reads run side by side where a platform answers one object at a time.
pub(super) const PARALLEL: usize = 8;
/// Objects per page of API v2.
const PAGE: &str = "500";
/// What OVHcloud's own clients wait for one answer.
const ANSWER: Duration = Duration::from_secs(180);

/// Reads the API. Has no way to send anything but GET.
#[derive(Clone)]
pub(super) struct ReadClient {
    inner: Arc<Inner>,
}

/// Reads and writes the API.
pub(super) struct WriteClient {
    read: ReadClient,
}

struct Inner {
    http: reqwest::Client,
    endpoint: Endpoint,
    auth: Auth,
    budget: Budget,
    patience: Patience,
    /// Seconds that the server's clock is ahead of ours.
    clock: OnceCell<i64>,
}

/// The methods of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Get,
    Post,
    Put,
    Delete,
}

impl Verb {
    fn word(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }

    fn method(self) -> reqwest::Method {
        match self {
            Self::Get => reqwest::Method::GET,
            Self::Post => reqwest::Method::POST,
            Self::Put => reqwest::Method::PUT,
            Self::Delete => reqwest::Method::DELETE,
        }
    }
}

/// One request, ready to be sent any number of times.
struct Call<'a> {
    verb: Verb,
    path: &'a ApiPath,
    /// The body's bytes, made once: what is signed is what is sent.
    body: String,
    cursor: Option<&'a str>,
    /// Whether the call carries who asks; `/auth/time` must not.
    signed: bool,
}

struct Reply {
    value: Value,
    /// Where the next page starts (API v2).
    next: Option<String>,
}

impl ReadClient {
    /// A client for one platform. Sends nothing yet.
    pub(super) fn new(config: &PlatformConfig) -> Result<Self, Failure> {
        let endpoint = Endpoint::parse(config.endpoint.as_deref())?;
        Self::with(&endpoint, &config.credentials, config)
    }

    fn with(endpoint: &Endpoint, credentials: &Credentials, config: &PlatformConfig) -> Result<Self, Failure> {
        let auth = Auth::new(credentials, endpoint, config.oauth_token_url.as_deref())?;
        let per_minute = config.requests_per_minute.unwrap_or(PlatformConfig::REQUESTS_PER_MINUTE);
        let budget = budget::shared(auth.identity(), per_minute);
        let http = http_client(endpoint.is_local())?;
        let inner =
            Inner { http, endpoint: endpoint.clone(), auth, budget, patience: config.patience, clock: OnceCell::new() };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Whether the endpoint serves North America.
    pub(super) fn canada(&self) -> bool {
        self.inner.endpoint.canada
    }

    pub(super) fn patience(&self) -> Patience {
        self.inner.patience
    }

    /// Reads one object or list.
    pub(super) async fn get(&self, path: &ApiPath) -> Result<Value, Failure> {
        Ok(self.send(&Call::reading(path, None)).await?.value)
    }

    /// Reads one object; nothing when the platform says that there is none.
    pub(super) async fn find(&self, path: &ApiPath) -> Result<Option<Value>, Failure> {
        match self.get(path).await {
            Ok(value) => Ok(Some(value)),
            Err(e) if e.status() == Some(404) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Reads a list of names or ids.
    pub(super) async fn names(&self, path: &ApiPath) -> Result<Vec<String>, Failure> {
        let value = self.get(path).await?;
        match value.as_array() {
            Some(list) => Ok(list.iter().filter_map(label).collect()),
            None => Err(Call::reading(path, None).nonsense("the answer is no list")),
        }
    }

    /// Reads every page of a list of API v2.
    pub(super) async fn all(&self, path: &ApiPath) -> Result<Vec<Value>, Failure> {
        let mut out = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let call = Call::reading(path, cursor.as_deref());
            let reply = self.send(&call).await?;
            let Value::Array(page) = reply.value else { return Err(call.nonsense("the answer is no list")) };
            out.extend(page);
            match reply.next {
                None => return Ok(out),
                next if next == cursor => return Err(call.nonsense("the answer names itself as the next page")),
                next => cursor = next,
            }
        }
    }

    /// Sends a call, and sends it again while that is safe.
    async fn send(&self, call: &Call<'_>) -> Result<Reply, Failure> {
        let pause = self.inner.patience.first_pause;
        let backoff = ExponentialBuilder::default()
            .with_min_delay(pause)
            .with_max_delay(pause * 10)
            .with_max_times(ATTEMPTS - 1)
            .with_jitter();
        let longest = self.inner.patience.longest;
        (|| self.once(call))
            .retry(backoff.build())
            .sleep(tokio::time::sleep)
            .when(may_repeat)
            .adjust(|e, pause| match retry_after(e) {
                Some(asked) => pause.map(|_| asked).filter(|asked| *asked <= longest),
                None => pause,
            })
            .notify(|e, pause| tracing::debug!(error = %e, ?pause, "will be sent again"))
            .await
    }

    /// Sends a call once; a token that is refused is replaced once.
    async fn once(&self, call: &Call<'_>) -> Result<Reply, Failure> {
        let Auth::Account(account) = &self.inner.auth else { return self.attempt(call, None).await };
        if !call.signed {
            return self.attempt(call, None).await;
        }
        let token = account.token(&self.inner.http, None).await?;
        match self.attempt(call, Some(&token)).await {
            Err(e) if e.status() == Some(401) => {
                let token = account.token(&self.inner.http, Some(&token)).await?;
                self.attempt(call, Some(&token)).await
            }
            other => other,
        }
    }

    async fn attempt(&self, call: &Call<'_>, token: Option<&Secret>) -> Result<Reply, Failure> {
        let url = self.inner.endpoint.url(call.path)?;
        let mut request = self.inner.http.request(call.verb.method(), url.clone()).header("Accept", "application/json");
        if call.verb == Verb::Get && call.path.branch == Branch::V2 {
            request = request.header("X-Pagination-Size", PAGE);
        }
        if !call.body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json;charset=utf-8").body(call.body.clone());
        }
        if let Some(cursor) = call.cursor {
            request = request.header("X-Pagination-Cursor", cursor);
        }
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, sensitive(&format!("Bearer {}", token.expose()), call)?);
        } else if let (true, Auth::Keys(keys)) = (call.signed, &self.inner.auth) {
            let now = jiff::Timestamp::now().as_second() + self.clock().await?;
            request = request
                .header("X-Ovh-Application", sensitive(keys.application.expose(), call)?)
                .header("X-Ovh-Consumer", sensitive(keys.consumer.expose(), call)?)
                .header("X-Ovh-Timestamp", now)
                .header("X-Ovh-Signature", keys.sign(call.verb.word(), url.as_str(), &call.body, now));
        }
        self.inner.budget.until_ready().await;
        let reply = request.send().await.map_err(|e| call.lost(e))?;
        self.understand(call, reply).await
    }

    async fn understand(&self, call: &Call<'_>, reply: reqwest::Response) -> Result<Reply, Failure> {
        let status = reply.status().as_u16();
        let headers = reply.headers().clone();
        let body = reply.bytes().await.map_err(|e| call.lost(e))?;
        let query_id = header(&headers, "x-ovh-queryid");
        tracing::debug!(method = call.verb.word(), path = %call.path, status, query_id, "answered");
        if !(200..300).contains(&status) {
            let mut error = ApiError {
                method: call.verb.word(),
                path: call.path.to_string(),
                rule: call.path.rule(),
                status,
                class: None,
                code: None,
                message: String::new(),
                details: std::collections::BTreeMap::new(),
                query_id,
                retry_after: header(&headers, RETRY_AFTER.as_str()).and_then(|text| parse_retry_after(&text)),
                create_token: self.inner.endpoint.create_token.clone(),
            };
            error.read_body(&body);
            if let Some(password) = call.password() {
                error.hide(&password);
            }
            return Err(Failure::Api(Box::new(error)));
        }
        let value = if body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&body).map_err(|_| {
                let query = query_id.map(|id| format!(" (query {id})")).unwrap_or_default();
                call.nonsense(&format!("answered {status} with {}{query}", excerpt(&body)))
            })?
        };
        Ok(Reply { value, next: header(&headers, "x-pagination-cursor-next") })
    }

    /// How far the server's clock is ahead, asked once.
    async fn clock(&self) -> Result<i64, Failure> {
        let ahead = self.inner.clock.get_or_try_init(|| async {
            let path = ApiPath::v1(&["auth", "time"]);
            let call = Call { signed: false, ..Call::reading(&path, None) };
            let reply = Box::pin(self.attempt(&call, None)).await?;
            let theirs = reply.value.as_i64().ok_or_else(|| call.nonsense("the answer is no time"))?;
            Ok(theirs - jiff::Timestamp::now().as_second())
        });
        ahead.await.copied()
    }
}

impl WriteClient {
    /// A client that may write beside one that reads; they share budget, clock and connections.
    pub(super) fn new(read: ReadClient) -> Self {
        Self { read }
    }

    pub(super) async fn post(&self, path: &ApiPath, body: &Value) -> Result<Value, Failure> {
        self.write(Verb::Post, path, Some(body)).await
    }

    pub(super) async fn put(&self, path: &ApiPath, body: &Value) -> Result<Value, Failure> {
        self.write(Verb::Put, path, Some(body)).await
    }

    pub(super) async fn delete(&self, path: &ApiPath) -> Result<Value, Failure> {
        self.write(Verb::Delete, path, None).await
    }

    /// Sends a change, and sends it again only while the platform says that it did nothing because the object is busy.
    async fn write(&self, verb: Verb, path: &ApiPath, body: Option<&Value>) -> Result<Value, Failure> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let call = Call { verb, path, body, cursor: None, signed: true };
        let call = &call;
        let what = format!("waiting until {path} is no longer busy");
        let sent = until(self.patience(), &what, || async move {
            match self.send(call).await {
                Err(Failure::Api(e)) if e.is_busy() => Ok(Look::NotYet(e.to_string())),
                other => Ok(Look::There(other)),
            }
        });
        Ok(sent.await??.value)
    }
}

impl Deref for WriteClient {
    type Target = ReadClient;

    fn deref(&self) -> &ReadClient {
        &self.read
    }
}

impl<'a> Call<'a> {
    fn reading(path: &'a ApiPath, cursor: Option<&'a str>) -> Self {
        Self { verb: Verb::Get, path, body: String::new(), cursor, signed: true }
    }

    /// The password that the body sets, if it sets one.
    fn password(&self) -> Option<String> {
        let body: Value = serde_json::from_str(&self.body).ok()?;
        let spec = body.get("targetSpec").unwrap_or(&body);
        spec.get("password")?.as_str().filter(|p| !p.is_empty()).map(str::to_owned)
    }

    fn name(&self) -> String {
        format!("{} {}", self.verb.word(), self.path)
    }

    /// No usable answer: harmless to a read, and to a write everything is possible.
    fn nonsense(&self, what: &str) -> Failure {
        let class = if self.verb == Verb::Get { ErrorClass::Unreachable } else { ErrorClass::InDoubt };
        Failure::Call { call: self.name(), what: what.to_owned(), class, source: None }
    }

    /// The network failed. Before the connection stood, nothing was sent.
    fn lost(&self, error: reqwest::Error) -> Failure {
        let unsent = error.is_connect() || error.is_builder();
        let host = error.url().and_then(|url| Some((url.host_str()?.to_owned(), url.port_or_known_default()?)));
        let host = host.map(|(host, port)| format!("{host}:{port}"));
        let class = if unsent || self.verb == Verb::Get { ErrorClass::Unreachable } else { ErrorClass::InDoubt };
        let what = match (unsent, error.is_timeout()) {
            (true, _) => match &host {
                Some(host) => format!("no connection to {host}"),
                None => "no connection".to_owned(),
            },
            (false, true) => "no answer in time".to_owned(),
            (false, false) => "the connection broke before the answer was complete".to_owned(),
        };
        let cause = innermost(error);
        let in_words = |wrong: &str| match wrong {
            "UnknownIssuer" => "no authority that this machine trusts issued it".to_owned(),
            other => other.to_owned(),
        };
        match cause.to_string().strip_prefix("invalid peer certificate: ") {
            // It will not be another one in a second.
            Some(wrong) if unsent => Failure::Stopped {
                what: format!(
                    "{}: the certificate of {} is refused: {}",
                    self.name(),
                    host.unwrap_or_default(),
                    in_words(wrong)
                ),
                class,
                help: Some(
                    "no credentials were sent; check the endpoint, the clock of this machine and the authorities that \
                     it trusts"
                        .to_owned(),
                ),
            },
            _ => Failure::Call { call: self.name(), what, class, source: Some(cause) },
        }
    }
}

/// What the network itself said. The layers above it only say that something went wrong below.
fn innermost(error: reqwest::Error) -> Box<dyn std::error::Error + Send + Sync> {
    let error = error.without_url();
    let mut deepest: &dyn std::error::Error = &error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string().into()
}

/// Whether the same call may be sent again: it was a read, or it is known that nothing was done.
fn may_repeat(failure: &Failure) -> bool {
    match failure {
        Failure::Api(e) => e.status == 429 || (e.status >= 400 && failure.class() == ErrorClass::Unreachable),
        Failure::Call { class, .. } => *class == ErrorClass::Unreachable,
        _ => false,
    }
}

fn retry_after(failure: &Failure) -> Option<Duration> {
    match failure {
        Failure::Api(e) => e.retry_after,
        _ => None,
    }
}

/// Seconds or a date (RFC 9110 10.2.3).
fn parse_retry_after(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Some(Duration::try_from(at.duration_since(jiff::Timestamp::now())).unwrap_or(Duration::ZERO))
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().filter(|s| !s.is_empty()).map(str::to_owned)
}

/// A header value that is never printed.
fn sensitive(text: &str, call: &Call<'_>) -> Result<reqwest::header::HeaderValue, Failure> {
    let mut value = reqwest::header::HeaderValue::from_str(text).map_err(|_| Failure::Call {
        call: call.name(),
        what: "a credential holds characters that no header takes, such as a line break".to_owned(),
        class: ErrorClass::Denied,
        source: None,
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn http_client(local: bool) -> Result<reqwest::Client, Failure> {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Losing the race to another installer is fine: one provider is there then.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    // A redirect would be signed for another URL; idle connections are closed before servers drop them, because a
    // write on a dropped one leaves its outcome in doubt.
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("rehome/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(15))
        .timeout(ANSWER)
        .pool_idle_timeout(Duration::from_secs(20));
    if local {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|e| Failure::Call {
        call: "starting the HTTP client".to_owned(),
        what: "it could not be set up".to_owned(),
        class: ErrorClass::Unreachable,
        source: Some(Box::new(e)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(parse_retry_after(" 7 "), Some(Duration::from_secs(7)));
        assert_eq!(parse_retry_after("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert_eq!(parse_retry_after("soon"), None);
    }
}
