//! Who may call what.

use serde::{Deserialize, Serialize};

use super::{hex, noise};

/// The keys that a rehearsal's client uses. They open nothing but the sandbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// Application key.
    pub application: String,
    /// Application secret.
    pub secret: String,
    /// The consumer key with all rights.
    pub consumer: String,
    /// The service account's id (OAuth2 client credentials).
    pub client_id: String,
    /// The service account's secret.
    pub client_secret: String,
}

impl Keys {
    pub(super) fn new(seed: u64) -> Self {
        let key = |name: &str, length: usize| hex(&noise(seed, name)).chars().take(length).collect();
        Self {
            application: key("application key", 16),
            secret: key("application secret", 32),
            consumer: key("consumer key", 32),
            client_id: format!("EU.{}", key("client id", 16)),
            client_secret: key("client secret", 32),
        }
    }
}

/// Method and path that a credential may call; `*` stands for any run of characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rule {
    /// `GET`, `POST`, `PUT`, `DELETE` or `*`.
    pub method: String,
    /// Such as `/email/*`. A v2 path may be written with or without `/v2`.
    pub path: String,
}

impl Rule {
    /// A rule.
    #[must_use]
    pub fn new(method: &str, path: &str) -> Self {
        Self { method: method.to_owned(), path: path.to_owned() }
    }
}

/// Where a credential is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CredentialState {
    /// Asked for; a person has to agree.
    PendingValidation,
    /// Usable.
    Validated,
    /// A person said no.
    Refused,
    /// Too old.
    Expired,
}

/// One consumer key's rights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Its number.
    pub id: u64,
    /// Its state.
    pub state: CredentialState,
    /// What it may call.
    pub rules: Vec<Rule>,
}

impl Credential {
    /// Every verb on every path.
    #[must_use]
    pub fn full(seed: u64) -> Self {
        let rules = ["GET", "POST", "PUT", "DELETE"].map(|method| Rule::new(method, "/*")).to_vec();
        Self { id: 100_000 + seed % 1_000, state: CredentialState::Validated, rules }
    }
}
