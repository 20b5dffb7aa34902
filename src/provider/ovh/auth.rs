//! Proving who asks: signed requests, or tokens of a service account.

use std::time::{Duration, Instant};

use serde_json::Value;
use sha1::{Digest as _, Sha1};
use tokio::sync::Mutex;

use super::{
    endpoint::Endpoint,
    failure::{ApiError, Failure, excerpt},
    json::Lenient as _,
};
use crate::{
    model::{Credentials, Digest, Secret},
    provider::ErrorClass,
};

/// How requests are authenticated.
pub(super) enum Auth {
    /// Application key, application secret, consumer key.
    Keys(Keys),
    /// OAuth2 client credentials (RFC 6749 4.4).
    Account(ServiceAccount),
}

/// The three keys of a signed request.
pub(super) struct Keys {
    pub(super) application: Secret,
    secret: Secret,
    pub(super) consumer: Secret,
}

/// A service account and its current token.
pub(super) struct ServiceAccount {
    token_url: String,
    id: Secret,
    secret: Secret,
    token: Mutex<Option<Token>>,
}

#[derive(Clone)]
struct Token {
    value: Secret,
    good_until: Instant,
}

/// How long before its end a token is no longer used, so that none expires on the way.
const MARGIN: Duration = Duration::from_secs(60);

impl Auth {
    /// Picks the way that the credentials allow.
    pub(super) fn new(credentials: &Credentials, endpoint: &Endpoint, url: Option<&str>) -> Result<Self, Failure> {
        let get = |name: &str| credentials.get(name).cloned();
        if let (Some(id), Some(secret)) = (get("client_id"), get("client_secret")) {
            let known = url.map(str::to_owned).or_else(|| endpoint.token_url.clone());
            let token_url = known.ok_or_else(|| {
                Failure::config(
                    "a service account needs to know where tokens are given out",
                    "use `ovh-eu`, `ovh-ca` or `ovh-us` as endpoint, or the three keys instead of a service account",
                )
            })?;
            return Ok(Self::Account(ServiceAccount { token_url, id, secret, token: Mutex::new(None) }));
        }
        let missing: Vec<&str> = ["application_key", "application_secret", "consumer_key"]
            .into_iter()
            .filter(|n| get(n).is_none())
            .collect();
        match (get("application_key"), get("application_secret"), get("consumer_key")) {
            (Some(application), Some(secret), Some(consumer)) => Ok(Self::Keys(Keys { application, secret, consumer })),
            _ => Err(Failure::Stopped {
                what: format!("credentials lack {}", missing.join(", ")),
                class: ErrorClass::Denied,
                help: Some(
                    "give `application_key`, `application_secret` and `consumer_key`, or `client_id` and \
                     `client_secret` of a service account"
                        .to_owned(),
                ),
            }),
        }
    }

    /// What shares one request budget, in a form that reveals nothing.
    pub(super) fn identity(&self) -> Digest {
        match self {
            Self::Keys(keys) => Digest::of(keys.consumer.expose().as_bytes()),
            Self::Account(account) => Digest::of(account.id.expose().as_bytes()),
        }
    }
}

impl Keys {
    /// The signature of one request: `url` and `body` exactly as sent, `timestamp` in the server's time.
    pub(super) fn sign(&self, method: &str, url: &str, body: &str, timestamp: i64) -> String {
        signature(self.secret.expose(), self.consumer.expose(), method, url, body, timestamp)
    }
}

/// `$1$` and the hexadecimal SHA-1 of the parts joined by `+` (OVHcloud API, "first steps").
pub(super) fn signature(
    application_secret: &str,
    consumer_key: &str,
    method: &str,
    url: &str,
    body: &str,
    timestamp: i64,
) -> String {
    use std::fmt::Write as _;
    let signed = format!("{application_secret}+{consumer_key}+{method}+{url}+{body}+{timestamp}");
    Sha1::digest(signed.as_bytes()).iter().fold("$1$".to_owned(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

impl ServiceAccount {
    /// A token that lasts a while; `refused` is one that the API no longer takes.
    pub(super) async fn token(&self, http: &reqwest::Client, refused: Option<&Secret>) -> Result<Secret, Failure> {
        let mut held = self.token.lock().await;
        if let Some(token) = held.as_ref() {
            let was_refused = refused.is_some_and(|r| r.expose() == token.value.expose());
            if !was_refused && Instant::now() < token.good_until {
                return Ok(token.value.clone());
            }
        }
        let fresh = self.ask(http).await?;
        let value = fresh.value.clone();
        *held = Some(fresh);
        Ok(value)
    }

    async fn ask(&self, http: &reqwest::Client) -> Result<Token, Failure> {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", self.id.expose()),
            ("client_secret", self.secret.expose()),
            ("scope", "all"),
        ];
        let call = "asking for a token of the service account";
        let lost = |e: reqwest::Error| Failure::Call {
            call: call.to_owned(),
            what: "the token service could not be reached".to_owned(),
            class: ErrorClass::Unreachable,
            source: Some(Box::new(e.without_url())),
        };
        let reply = http.post(&self.token_url).form(&form).send().await.map_err(lost)?;
        let status = reply.status().as_u16();
        let body = reply.bytes().await.map_err(lost)?;
        if status >= 500 || status == 429 {
            return Err(Failure::Call {
                call: call.to_owned(),
                what: format!("the token service answered {status}: {}", excerpt(&body)),
                class: ErrorClass::Unreachable,
                source: None,
            });
        }
        if !(200..300).contains(&status) {
            return Err(self.refused(status, &body));
        }
        let value: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let Some(token) = value.text("access_token") else {
            return Err(Failure::Call {
                call: call.to_owned(),
                what: "the token service's answer holds no token".to_owned(),
                class: ErrorClass::Unreachable,
                source: None,
            });
        };
        let lasts = Duration::from_secs(value.whole("expires_in").unwrap_or(600));
        let margin = MARGIN.min(lasts / 2);
        Ok(Token { value: Secret::new(token.to_owned()), good_until: Instant::now() + (lasts - margin) })
    }

    /// RFC 6749 5.2 answers with `error` and `error_description` instead of the API's own words.
    fn refused(&self, status: u16, body: &[u8]) -> Failure {
        let mut error = ApiError {
            method: "POST",
            path: self.token_url.clone(),
            rule: self.token_url.clone(),
            status: if status == 400 { 401 } else { status },
            class: None,
            code: None,
            message: String::new(),
            details: std::collections::BTreeMap::new(),
            query_id: None,
            retry_after: None,
            create_token: None,
        };
        error.read_body(body);
        if let Ok(value) = serde_json::from_slice::<Value>(body)
            && let Some(word) = value.text("error")
        {
            error.message = value.text("error_description").unwrap_or(word).to_owned();
            error.code = Some(word.to_owned());
        }
        Failure::Api(Box::new(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_match_an_independent_computation() {
        let sign = |method, url, body| {
            signature(
                "EXEgWIz07P0HYwtQDs7cNIqCiQaWSuHF",
                "MCl7gWoDVsXeM1WXfqH2fuSnQXnBq4dP",
                method,
                url,
                body,
                1_457_018_881,
            )
        };
        assert_eq!(
            sign("GET", "https://eu.api.ovh.com/1.0/email/pro", ""),
            "$1$8e0c788434c340784cfdeb744904ff1939e1937a"
        );
        let account = "https://eu.api.ovh.com/1.0/email/pro/emailpro-ab12345-1/account/john.smith%40mydomain.ovh";
        assert_eq!(sign("PUT", account, r#"{"login":"john.smith01"}"#), "$1$1a812a25027043dd4a0d9080ded16173a813a04c");
    }
}
