//! Paths of the API: each segment is percent-encoded once, and what is signed is what is sent.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything but RFC 3986's unreserved characters.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The two branches of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Branch {
    /// `/1.0`: lists of names, tasks.
    V1,
    /// `/v2`: envelopes with a wanted and a current state.
    V2,
}

/// A path below a branch, with its query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ApiPath {
    pub(super) branch: Branch,
    text: String,
    query: String,
}

impl ApiPath {
    pub(super) fn v1(segments: &[&str]) -> Self {
        Self { branch: Branch::V1, text: String::new(), query: String::new() }.join(segments)
    }

    pub(super) fn v2(segments: &[&str]) -> Self {
        Self { branch: Branch::V2, text: String::new(), query: String::new() }.join(segments)
    }

    /// The same path with more segments.
    pub(super) fn join(&self, segments: &[&str]) -> Self {
        let mut text = self.text.clone();
        for segment in segments {
            text.push('/');
            text.extend(utf8_percent_encode(segment, SEGMENT));
        }
        Self { branch: self.branch, text, query: String::new() }
    }

    /// The same path with one more query parameter.
    pub(super) fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push(if self.query.is_empty() { '?' } else { '&' });
        self.query.push_str(name);
        self.query.push('=');
        self.query.extend(utf8_percent_encode(value, SEGMENT));
        self
    }

    /// The path without its query, as an access rule of a consumer key names it.
    pub(super) fn rule(&self) -> String {
        match self.branch {
            Branch::V1 => self.text.clone(),
            Branch::V2 => format!("/v2{}", self.text),
        }
    }
}

impl fmt::Display for ApiPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.text, self.query)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_and_values_are_encoded_once() {
        let path = ApiPath::v1(&["email", "pro", "a/b"]).join(&["account", "j+s%40@x.org"]).query("id", "1&2");
        assert_eq!(path.to_string(), "/email/pro/a%2Fb/account/j%2Bs%2540%40x.org?id=1%262");
        assert_eq!(path.rule(), "/email/pro/a%2Fb/account/j%2Bs%2540%40x.org");
        assert_eq!(path.join(&["x"]).to_string(), "/email/pro/a%2Fb/account/j%2Bs%2540%40x.org/x");
    }
}
