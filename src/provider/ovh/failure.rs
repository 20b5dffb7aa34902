//! How calls and waits fail, and what the caller may conclude.

use std::{collections::BTreeMap, error::Error as StdError, fmt, time::Duration};

use serde_json::Value;
use thiserror::Error;

use super::json::Lenient as _;
use crate::provider::{ErrorClass, ProviderError};

/// A failure inside an adapter; [`Failure::during`] makes it the error of the trait.
#[derive(Debug, Error)]
pub(super) enum Failure {
    /// The platform answered, and the answer is an error.
    #[error(transparent)]
    Api(Box<ApiError>),
    /// The answer to a call could not be understood, or there was none.
    #[error("{call}: {what}")]
    Call { call: String, what: String, class: ErrorClass, source: Option<Box<dyn StdError + Send + Sync>> },
    /// The adapter stopped by itself.
    #[error("{what}")]
    Stopped { what: String, class: ErrorClass, help: Option<String> },
    /// Something was sent before this went wrong.
    #[error("the platform took the request, and then its outcome could not be read")]
    Afterwards(#[source] Box<Self>),
}

impl Failure {
    /// The spec or its secrets do not let the adapter start.
    pub(super) fn config(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Stopped { what: what.into(), class: ErrorClass::Refused, help: Some(help.into()) }
    }

    /// The adapter stopped, without advice.
    pub(super) fn stopped(class: ErrorClass, what: impl Into<String>) -> Self {
        Self::Stopped { what: what.into(), class, help: None }
    }

    /// Adds what to do, where there is none yet.
    pub(super) fn or_help(self, text: impl Into<String>) -> Self {
        match self {
            Self::Stopped { what, class, help } => {
                Self::Stopped { what, class, help: help.or_else(|| Some(text.into())) }
            }
            other => other,
        }
    }

    pub(super) fn class(&self) -> ErrorClass {
        match self {
            Self::Api(e) => e.kind(),
            Self::Call { class, .. } | Self::Stopped { class, .. } => *class,
            Self::Afterwards(_) => ErrorClass::InDoubt,
        }
    }

    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Api(e) => Some(e.status),
            _ => None,
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Api(e) => e.help(),
            Self::Stopped { help, .. } => help.clone(),
            Self::Call { class: ErrorClass::Unreachable, .. } => {
                Some("check the network and the endpoint; running it again is safe".to_owned())
            }
            Self::Call { .. } => None,
            Self::Afterwards(inner) => inner.help(),
        }
    }

    /// What a failure means once something was sent: whoever reads it must find out whether the change was made.
    pub(super) fn after_sending(self) -> Self {
        match self.class() {
            ErrorClass::Refused
            | ErrorClass::Conflict
            | ErrorClass::InDoubt
            | ErrorClass::Timeout
            | ErrorClass::Stale
            | ErrorClass::Unsupported => self,
            ErrorClass::NotFound | ErrorClass::Denied | ErrorClass::Throttled | ErrorClass::Unreachable => {
                Self::Afterwards(Box::new(self))
            }
        }
    }

    /// A change of several calls of which some were made: it is neither done nor untouched.
    pub(super) fn half_done(self) -> Self {
        match self {
            done @ Self::Afterwards(_) => done,
            other => Self::Afterwards(Box::new(other)),
        }
    }

    /// The error of the trait, with what was being done.
    pub(super) fn during(self, context: impl Into<String>) -> ProviderError {
        ProviderError { context: context.into(), class: self.class(), help: self.help(), source: Some(Box::new(self)) }
    }
}

/// An error body of the API, with what surrounded it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ApiError {
    pub(super) method: &'static str,
    pub(super) path: String,
    /// The path as an access rule names it.
    pub(super) rule: String,
    pub(super) status: u16,
    pub(super) class: Option<String>,
    pub(super) code: Option<String>,
    pub(super) message: String,
    pub(super) details: BTreeMap<String, String>,
    pub(super) query_id: Option<String>,
    pub(super) retry_after: Option<Duration>,
    /// Where keys are made, for the help.
    pub(super) create_token: Option<String>,
}

/// OVHcloud's own status for a service that was not renewed.
pub(super) const EXPIRED: u16 = 460;

impl ApiError {
    /// Fills in what the body says; a body that is no JSON object is quoted.
    pub(super) fn read_body(&mut self, body: &[u8]) {
        let Ok(value @ Value::Object(_)) = serde_json::from_slice::<Value>(body) else {
            self.message = excerpt(body);
            return;
        };
        self.class = value.text("class").map(str::to_owned);
        self.code = value.text("errorCode").map(str::to_owned);
        value.text("message").unwrap_or("no message").clone_into(&mut self.message);
        if let Some(details) = value.get("details").and_then(Value::as_object) {
            self.details = details.iter().map(|(k, v)| (k.clone(), flat(v))).collect();
        }
    }

    /// Takes a secret out of everything that people are shown: a platform may quote what it refuses.
    pub(super) fn hide(&mut self, secret: &str) {
        let texts = [&mut self.message].into_iter().chain(self.details.values_mut());
        for text in texts {
            *text = text.replace(secret, "***");
        }
    }

    fn mutating(&self) -> bool {
        self.method != "GET"
    }

    fn kind(&self) -> ErrorClass {
        match self.status {
            400 if self.message.to_ascii_lowercase().contains("invalid signature") => ErrorClass::Denied,
            401 | 403 => ErrorClass::Denied,
            404 if self.class.as_deref().is_some_and(|c| c.contains("CannotBeDeleted")) => ErrorClass::Refused,
            404 => ErrorClass::NotFound,
            // Of an alias the API says so with 400.
            400 if self.class.as_deref().is_some_and(|c| c.contains("AlreadyUsed")) => ErrorClass::Conflict,
            409 | 412 => ErrorClass::Conflict,
            429 => ErrorClass::Throttled,
            408 | 500.. if self.mutating() => ErrorClass::InDoubt,
            300..=399 | 408 | 500.. => ErrorClass::Unreachable,
            _ => ErrorClass::Refused,
        }
    }

    /// Whether the answer says that nothing was done because the object is in use, so that the same call may be sent
    /// again a little later.
    pub(super) fn is_busy(&self) -> bool {
        const WORDS: [&str; 8] = [
            "already being processed",
            "actioninprogress",
            "undesiredobjectstatus",
            "undesiredstatus",
            "notready",
            "pending task",
            "task pending",
            "taskpending",
        ];
        let class = self.class.as_deref().unwrap_or_default();
        let code = self.code.as_deref().unwrap_or_default();
        let text = format!("{class} {code} {}", self.message).to_ascii_lowercase();
        matches!(self.status, 400 | 409) && WORDS.iter().any(|w| text.contains(w))
    }

    /// Whether the answer says that somebody changed the object since it was read (API v2).
    pub(super) fn is_stale(&self) -> bool {
        self.status == 412
    }

    fn help(&self) -> Option<String> {
        if let Some(actions) = self.details.get("unauthorizedActionsByIAM") {
            return Some(format!("add these rights to the IAM policy of the identity: {actions}"));
        }
        if let Some(actions) = self.details.get("unauthorizedActionsByAuthentication") {
            return Some(format!("the credentials do not carry these rights, make new ones that do: {actions}"));
        }
        let at = |text: &str| match &self.create_token {
            Some(url) => format!("{text} at {url}"),
            None => text.to_owned(),
        };
        match (self.status, self.code.as_deref()) {
            (403, Some("NOT_GRANTED_CALL")) => {
                let whole = self.whole_rule().map(|rule| format!("; `{rule}` covers all that rehome asks for"));
                let whole = whole.unwrap_or_default();
                Some(at(&format!("make a consumer key that grants `{} {}`{whole}", self.method, self.rule)))
            }
            (401 | 403, Some("INVALID_CREDENTIAL" | "NOT_CREDENTIAL")) => {
                Some(at("the consumer key is not valid or not yet validated: make a new one"))
            }
            (401 | 403, Some("INVALID_KEY")) => Some(at("the application key is not valid: make a new one")),
            (401, _) => Some("check `client_id` and `client_secret`, or the three keys".to_owned()),
            (403, _) => Some(format!("give the identity the right to `{} {}`", self.method, self.rule)),
            (400, _) if self.kind() == ErrorClass::Denied => {
                Some("check `application_secret` and the clock of this machine".to_owned())
            }
            (EXPIRED, _) => Some("renew the service in the console, or take it out of the spec".to_owned()),
            (429, _) => Some("lower `requests_per_minute` of the platform, or wait".to_owned()),
            (300..=399, _) => Some("the endpoint answers with a redirect: check `endpoint`".to_owned()),
            (500.., _) | (408, _) => Some("the platform has trouble; running it again is safe".to_owned()),
            _ => self.typed_help().map(str::to_owned),
        }
    }

    /// The access rule that covers everything of that kind, so that keys are not made again for one path after another.
    fn whole_rule(&self) -> Option<&'static str> {
        let rules = [("/email/", "/email/*"), ("/domain/zone/", "/domain/zone/*"), ("/v2/zimbra/", "/v2/zimbra/*")];
        rules.iter().find(|(start, _)| self.rule.starts_with(start)).map(|(_, rule)| *rule)
    }

    /// Advice on the typed errors of API v2.
    fn typed_help(&self) -> Option<&'static str> {
        let class = self.class.as_deref()?;
        let table = [
            ("NoSlotAvailable", "buy a slot in the console, or free one"),
            ("SlotHasWrongOffer", "choose a slot of the wanted offer"),
            ("SlotIsAlreadyUsed", "make a new plan: the slot was taken since"),
            ("EmailAddressAlreadyUsed", "find what has the address: an account, an alias or a list"),
            ("AliasAlreadyUsed", "find what has the address: an account, an alias or a list"),
            ("Password", "use a password that fits the platform's policy"),
            ("ForbiddenCharacter", "use only letters, digits and . + - _ before the @"),
            ("DueToSpam", "the account is blocked for spam: ask the platform's support"),
            ("DomainNotReady", "wait until the domain is validated"),
        ];
        table.iter().find(|(word, _)| class.contains(word)).map(|(_, help)| *help)
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} answered {}", self.method, self.path, self.status)?;
        if let Some(code) = self.code.as_ref().or(self.class.as_ref()) {
            write!(f, " {code}")?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(id) = &self.query_id {
            write!(f, " (query {id})")?;
        }
        Ok(())
    }
}

impl StdError for ApiError {}

/// A value of `details` as text; lists come as JSON lists or as one text.
fn flat(value: &Value) -> String {
    match value {
        Value::String(s) => s.clone(),
        Value::Array(list) => list.iter().map(flat).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// The start of a body that is not what was expected, on one line.
pub(super) fn excerpt(body: &[u8]) -> String {
    const SHOWN: usize = 80;
    let text = String::from_utf8_lossy(body);
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.is_empty() {
        return "an empty body".to_owned();
    }
    let start: String = words.chars().filter(|c| !c.is_control()).take(SHOWN).collect();
    let more = if words.chars().count() > SHOWN { "..." } else { "" };
    format!("a body that is not JSON: `{start}{more}`")
}
