//! What the SASL mechanisms say: PLAIN (RFC 4616), OAUTHBEARER (RFC 7628) and XOAUTH2 (Google's and Microsoft's older
//! form of it), and what a server answers to a token that it does not take.

use std::{fmt, sync::Arc};

use base64::{
    Engine,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{
    capability::Capabilities,
    error::{ImapErrorKind, words},
    login::Login,
};
use crate::model::Secret;

/// Where bearer tokens come from. Each is asked for when a connection logs in and never kept, since it may live for
/// minutes. Clones are the same source.
#[derive(Clone)]
pub struct TokenSource(Arc<Fetch>);

type Fetch = dyn Fn() -> Result<Secret, String> + Send + Sync;

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSource")
    }
}

impl TokenSource {
    /// A source that may block, as one that reads a file or runs a program does. Its error is shown to people.
    pub fn new(fetch: impl Fn() -> Result<Secret, String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(fetch))
    }

    /// A token that stays the same.
    #[must_use]
    pub fn fixed(token: Secret) -> Self {
        Self::new(move || Ok(token.clone()))
    }

    /// A token, read anew.
    ///
    /// # Errors
    /// `Auth` when there is none, or when it holds what no token may hold (RFC 6750 2.1).
    pub async fn token(&self) -> Result<Secret, ImapErrorKind> {
        let fetch = Arc::clone(&self.0);
        let read = tokio::task::spawn_blocking(move || fetch()).await;
        let missing = |reason: String| ImapErrorKind::Auth { code: None, text: format!("there is no token: {reason}") };
        match read {
            Ok(Ok(token)) if token.expose().is_empty() => Err(missing("it is empty".to_owned())),
            Ok(Ok(token)) if !token.expose().bytes().all(|b| b.is_ascii_graphic()) => {
                Err(missing("it holds blanks or other characters that no token has".to_owned()))
            }
            Ok(Ok(token)) => Ok(token),
            Ok(Err(reason)) => Err(missing(reason)),
            Err(_) => Err(missing("reading it was stopped".to_owned())),
        }
    }
}

/// A mechanism that takes a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bearer {
    /// RFC 7628.
    OAuthBearer,
    /// `XOAUTH2`.
    XOAuth2,
}

impl Bearer {
    /// What a server offers, the standard's before the other.
    pub(super) fn offered(capabilities: &Capabilities) -> Vec<Self> {
        [Self::OAuthBearer, Self::XOAuth2].into_iter().filter(|m| capabilities.auth(m.name())).collect()
    }

    /// The name in capabilities and commands.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::OAuthBearer => "OAUTHBEARER",
            Self::XOAuth2 => "XOAUTH2",
        }
    }

    /// The first message, base64. `endpoint` is `host:port`.
    pub(super) fn message(self, login: &Login, endpoint: &str, token: &Secret) -> Zeroizing<Vec<u8>> {
        encoded(&self.clear(login, endpoint, token))
    }

    /// The first message as it is.
    pub(super) fn clear(self, login: &Login, endpoint: &str, token: &Secret) -> Zeroizing<String> {
        let (user, token) = (login.mailbox(), token.expose());
        Zeroizing::new(match self {
            Self::OAuthBearer => {
                let (host, port) = endpoint.rsplit_once(':').unwrap_or((endpoint, "143"));
                let name = user.replace('=', "=3D").replace(',', "=2C"); // RFC 5801 4, saslname
                format!("n,a={name},\x01host={host}\x01port={port}\x01auth=Bearer {token}\x01\x01")
            }
            Self::XOAuth2 => format!("user={user}\x01auth=Bearer {token}\x01\x01"),
        })
    }

    /// What the server must be answered when it explains its refusal, before it refuses (RFC 7628 3.2.3: a lone `%x01`).
    pub(super) fn farewell(self) -> &'static [u8] {
        match self {
            Self::OAuthBearer => b"AQ==",
            Self::XOAuth2 => b"",
        }
    }
}

/// The message of PLAIN, base64.
pub(super) fn plain(login: &Login, password: &Secret) -> Zeroizing<Vec<u8>> {
    let authzid = login.authzid.as_deref().unwrap_or_default();
    encoded(&Zeroizing::new(format!("{authzid}\0{}\0{}", login.user, password.expose())))
}

fn encoded(clear: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(STANDARD.encode(clear).into_bytes())
}

/// A server's explanation why it does not take a token (RFC 7628 3.2.2; Google and Microsoft send the same members).
#[derive(Debug, Default, Deserialize)]
struct Explanation {
    #[serde(default)]
    status: String,
    #[serde(default)]
    scope: String,
}

/// Reads the explanation out of a challenge, for people. `None` when there is nothing to be read.
pub(super) fn explained(challenge: &str) -> Option<String> {
    let lenient = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let octets = lenient.decode(challenge.trim()).ok().filter(|o| !o.is_empty())?;
    let Ok(found) = serde_json::from_slice::<Explanation>(&octets) else { return Some(words(&octets)) };
    let status = match found.status.as_str() {
        "" => None,
        "invalid_token" | "401" => Some(format!("`{}`: it has expired or was revoked", found.status)),
        "insufficient_scope" | "403" => Some(format!("`{}`: it is not for IMAP", found.status)),
        "invalid_request" | "400" => {
            Some(format!("`{}`: it is no token of this server, or of another user", found.status))
        }
        other => Some(format!("`{}`", words(other.as_bytes()))),
    };
    let scope =
        Some(found.scope).filter(|s| !s.is_empty()).map(|s| format!("it needs the scope {}", words(s.as_bytes())));
    let parts: Vec<String> = [status, scope].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(user: &str) -> Login {
        Login::token(user, TokenSource::fixed(Secret::new("t".to_owned())))
    }

    fn clear(mechanism: Bearer, user: &str) -> String {
        mechanism.clear(&login(user), "mail.example:993", &Secret::new("vF9dft4qmTc2".to_owned())).to_string()
    }

    #[test]
    fn messages_are_those_of_the_documents() {
        assert_eq!(
            clear(Bearer::OAuthBearer, "user@example.com"),
            "n,a=user@example.com,\x01host=mail.example\x01port=993\x01auth=Bearer vF9dft4qmTc2\x01\x01"
        );
        assert!(clear(Bearer::OAuthBearer, "a,b=c").starts_with("n,a=a=2Cb=3Dc,\x01"));
        assert_eq!(clear(Bearer::XOAuth2, "u@e"), "user=u@e\x01auth=Bearer vF9dft4qmTc2\x01\x01");
        let sent = Bearer::XOAuth2.message(&login("u"), "h:1", &Secret::new("x".to_owned()));
        assert_eq!(STANDARD.decode(&*sent).unwrap(), b"user=u\x01auth=Bearer x\x01\x01");
    }

    #[test]
    fn an_explanation_is_told_and_nonsense_is_no_harm() {
        // RFC 7628 4.3
        let given = "eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIiwic2NvcGUiOiJleGFtcGxlX3Njb3BlIn0=";
        assert_eq!(
            explained(given).as_deref(),
            Some("`invalid_token`: it has expired or was revoked; it needs the scope example_scope")
        );
        assert_eq!(explained("eyJzdGF0dXMiOiI0MDAifQ").unwrap().split(':').next(), Some("`400`"));
        assert_eq!(explained(""), None);
        assert_eq!(explained("%%%"), None);
        assert_eq!(explained("bm8g\x1b"), None);
    }

    #[tokio::test]
    async fn a_token_that_could_smuggle_something_in_is_refused_unseen() {
        for bad in ["", "a b", "x\x01auth=Bearer y", "a\r\nb"] {
            let error = TokenSource::fixed(Secret::new(bad.to_owned())).token().await.unwrap_err();
            assert!(bad.is_empty() || !format!("{error:?}{error}").contains(bad));
        }
    }
}
