//! One request and one answer, in the words of the OVHcloud API.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use crate::model::{Address, Domain};

/// Which branch of the API a request is for. A caller may mix them with the same credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Branch {
    /// `/1.0`, also `/v1`.
    V1,
    /// `/v2`.
    V2,
    /// `/sandbox`: the rehearsal's own controls.
    Sandbox,
}

/// A request, decoded.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub branch: Branch,
    /// The address as it was sent, which is what a signature covers.
    pub url: String,
    /// Upper case.
    pub method: String,
    /// The decoded path below the branch, `/v2` and `/sandbox` kept: what access rules, faults and counters match.
    pub path: String,
    /// The decoded segments below the branch.
    pub segments: Vec<String>,
    pub query: BTreeMap<String, String>,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body as it was sent.
    pub raw: String,
    /// The body as JSON; null when there is none.
    pub body: Value,
}

/// Percent-decodes; bytes that are no UTF-8 become U+FFFD.
fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Splits `a=b&c=d`, form encoding included.
pub(super) fn pairs(text: &str) -> BTreeMap<String, String> {
    text.split('&')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (decode(&name.replace('+', " ")), decode(&value.replace('+', " ")))
        })
        .collect()
}

impl Call {
    /// Reads a request; `None` when the path is under no branch.
    pub(super) fn new(
        method: &str,
        path_and_query: &str,
        headers: BTreeMap<String, String>,
        raw: String,
    ) -> Option<Self> {
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        let mut parts = path.trim_start_matches('/').split('/');
        let (branch, prefix) = match parts.next()? {
            "1.0" | "v1" => (Branch::V1, ""),
            "v2" => (Branch::V2, "/v2"),
            "sandbox" => (Branch::Sandbox, "/sandbox"),
            _ => return None,
        };
        let segments: Vec<String> = parts.map(decode).filter(|s| !s.is_empty()).collect();
        let path = segments.iter().fold(prefix.to_owned(), |path, segment| format!("{path}/{segment}"));
        let body = serde_json::from_str(&raw).unwrap_or(Value::Null);
        let url = format!("http://{}{path_and_query}", headers.get("host").map_or("", String::as_str));
        Some(Self { branch, url, method: method.to_owned(), path, segments, query: pairs(query), headers, raw, body })
    }

    /// Whether the call changes something: by its verb, but for logging in and Zimbra's diagnosis, which is a question
    /// with a body.
    pub(super) fn mutates(&self) -> bool {
        self.method != "GET" && !self.path.starts_with("/auth/") && !self.path.ends_with("/diagnostic/domain")
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The body as an object.
    pub(super) fn object(&self) -> Result<&Map<String, Value>, Problem> {
        self.body.as_object().ok_or_else(|| Problem::bad("the body is not a JSON object"))
    }

    /// A required text of the body.
    pub(super) fn text(&self, name: &str) -> Result<&str, Problem> {
        self.object()?.get(name).and_then(Value::as_str).ok_or_else(|| Problem::missing(name))
    }

    /// A required id of the body.
    pub(super) fn long(&self, name: &str) -> Result<u64, Problem> {
        self.object()?.get(name).and_then(Value::as_u64).ok_or_else(|| Problem::missing(name))
    }

    /// An optional flag of the body.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.body.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    /// Whether an optional exact filter of the query lets `value` through.
    pub(super) fn lets(&self, filter: &str, value: &str) -> bool {
        self.query.get(filter).is_none_or(|wanted| wanted.eq_ignore_ascii_case(value))
    }
}

/// An address of a path or a body.
pub(super) fn address(text: &str) -> Result<Address, Problem> {
    Address::parse(text).map_err(|e| Problem::bad(&e.to_string()))
}

/// A domain of a path or a body.
pub(super) fn domain(text: &str) -> Result<Domain, Problem> {
    Domain::parse(text).map_err(|e| Problem::bad(&e.to_string()))
}

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub content_type: &'static str,
    pub body: String,
}

/// What a route returns.
pub(super) type Answer = Result<Reply, Problem>;

impl Reply {
    /// 200 with JSON.
    pub(super) fn json(value: &Value) -> Self {
        Self::with_status(200, value)
    }

    /// JSON with another status.
    pub(super) fn with_status(status: u16, value: &Value) -> Self {
        Self { status, headers: Vec::new(), content_type: "application/json", body: value.to_string() }
    }

    /// What `void` looks like: 200 with `null`.
    pub(super) fn void() -> Self {
        Self::json(&Value::Null)
    }

    /// Adds a header.
    pub(super) fn header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// An error answer (API reference 1.4).
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub status: u16,
    /// `Client::NotFound` and the like.
    pub class: String,
    /// `NOT_GRANTED_CALL` and the like, where the API has one.
    pub code: Option<&'static str>,
    pub message: String,
}

impl Problem {
    pub(super) fn new(status: u16, class: &str, message: &str) -> Self {
        Self { status, class: class.to_owned(), code: None, message: message.to_owned() }
    }

    pub(super) fn coded(status: u16, class: &str, code: &'static str, message: &str) -> Self {
        Self { code: Some(code), ..Self::new(status, class, message) }
    }

    pub(super) fn bad(message: &str) -> Self {
        Self::new(400, "Client::BadRequest", message)
    }

    pub(super) fn missing(name: &str) -> Self {
        Self::bad(&format!("Missing parameter: {name}"))
    }

    pub(super) fn conflict(message: &str) -> Self {
        Self::new(409, "Client::Conflict", message)
    }

    pub(super) fn forbidden(message: &str) -> Self {
        Self::new(403, "Client::Forbidden", message)
    }

    /// 404 in the API's own form.
    pub(super) fn absent(selector: &str, value: &str) -> Self {
        let message = format!("The requested object ({selector} = {value}) does not exist");
        Self::new(404, "Client::NotFound", &message)
    }

    /// 404 for a path or verb that the emulator does not have.
    pub(super) fn no_route() -> Self {
        Self::new(404, "Client::NotFound", "Got an invalid (or empty) URL")
    }

    /// 409 of a mailbox that a task holds.
    pub(super) fn busy(what: &str, name: &str) -> Self {
        Self::coded(
            409,
            "Client::Conflict",
            "ACTION_IN_PROGRESS",
            &format!("This {what} is already being processed: {name}, please try later"),
        )
    }

    /// `404 Not Found`; the API's own 460 has no registered phrase.
    fn status_line(&self) -> String {
        let phrase = axum::http::StatusCode::from_u16(self.status).ok().and_then(|s| s.canonical_reason());
        format!("{} {}", self.status, phrase.unwrap_or("Client Error"))
    }

    pub(super) fn reply(&self) -> Reply {
        let mut body = json!({ "class": self.class, "message": self.message, "httpCode": self.status_line() });
        if let (Some(code), Some(object)) = (self.code, body.as_object_mut()) {
            object.insert("errorCode".to_owned(), Value::from(code));
        }
        Reply::with_status(self.status, &body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_names_of_the_first_branch_lead_to_the_same_path() {
        let read = |uri| Call::new("GET", uri, BTreeMap::new(), String::new()).unwrap();
        let (a, b) =
            (read("/1.0/email/pro/s/account/a%2Bb%40c.example?id=7"), read("/v1/email/pro/s/account/a+b@c.example"));
        assert_eq!(a.path, "/email/pro/s/account/a+b@c.example");
        assert_eq!(a.path, b.path);
        assert_eq!(a.query["id"], "7");
        assert_eq!(read("/v2/zimbra/platform").path, "/v2/zimbra/platform");
        assert!(Call::new("GET", "/2.0/me", BTreeMap::new(), String::new()).is_none());
    }
}
