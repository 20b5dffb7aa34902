//! The MTA-STS policy of a domain (RFC 8461): which servers senders deliver to, and how strictly they keep to that.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The longest life of a policy in seconds (RFC 8461 3.2).
pub const POLICY_LONGEST: u32 = 31_557_600;

/// Hexadecimal digits of an id: at most 32 letters and digits are allowed (RFC 8461 3.1).
const ID_DIGITS: usize = 24;

/// What senders do when the policy is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PolicyMode {
    /// They do not deliver.
    Enforce,
    /// They deliver and report.
    Testing,
    /// They take it as no policy.
    None,
}

impl PolicyMode {
    /// The word in a policy.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Testing => "testing",
            Self::None => "none",
        }
    }
}

/// A policy (RFC 8461 3.2).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Policy {
    /// What senders do.
    pub mode: PolicyMode,
    /// How long it is kept, in seconds.
    pub max_age: u32,
    /// Host names, or `*.` and a domain; lower case, without the final dot.
    pub mx: BTreeSet<String>,
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// One part of a sentence that tells the first thing that is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut fields: BTreeMap<&str, &str> = BTreeMap::new();
        let mut mx = BTreeSet::new();
        for line in text.split('\n').map(|l| l.strip_suffix('\r').unwrap_or(l)).filter(|l| !l.trim().is_empty()) {
            let (key, value) = line.split_once(':').ok_or_else(|| format!("`{line}` has no colon"))?;
            if key.is_empty() || !key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')) {
                return Err(format!("`{key}` is no key"));
            }
            let value = value.trim();
            if key == "mx" {
                mx.insert(value.trim_end_matches('.').to_ascii_lowercase());
            } else {
                // Of a field that stands twice the first one counts.
                fields.entry(key).or_insert(value);
            }
        }
        if fields.get("version") != Some(&"STSv1") {
            return Err("`version: STSv1` is missing".to_owned());
        }
        let mode = match fields.get("mode") {
            Some(&"enforce") => PolicyMode::Enforce,
            Some(&"testing") => PolicyMode::Testing,
            Some(&"none") => PolicyMode::None,
            Some(other) => return Err(format!("`mode: {other}` is no mode")),
            None => return Err("`mode` is missing".to_owned()),
        };
        let age = fields.get("max_age").ok_or_else(|| "`max_age` is missing".to_owned())?;
        let digits = !age.is_empty() && age.bytes().all(|b| b.is_ascii_digit());
        let max_age = age.parse().ok().filter(|age| digits && *age <= POLICY_LONGEST);
        let max_age = max_age.ok_or_else(|| format!("`max_age: {age}` is no number up to {POLICY_LONGEST}"))?;
        if mx.is_empty() && mode != PolicyMode::None {
            return Err("it lists no mail server (`mx`)".to_owned());
        }
        Ok(Self { mode, max_age, mx })
    }

    /// Whether mail may be delivered to a host: `*.` stands for exactly one label (RFC 8461 4.1).
    #[must_use]
    pub fn covers(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.mx.iter().any(|pattern| match pattern.strip_prefix("*.") {
            Some(parent) => host.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == parent),
            None => *pattern == host,
        })
    }

    /// The policy as a web server has to serve it. What means the same reads the same.
    #[must_use]
    pub fn text(&self) -> String {
        let servers: String = self.mx.iter().map(|host| format!("mx: {host}\n")).collect();
        format!("version: STSv1\nmode: {}\n{servers}max_age: {}\n", self.mode.word(), self.max_age)
    }

    /// The id that the record gives it: senders fetch the policy again when it changes (RFC 8461 3.1), so it is another
    /// for every other policy, and the same for the same.
    #[must_use]
    pub fn id(&self) -> String {
        let digest = Sha256::digest(self.text());
        let digits: String = digest.iter().map(|octet| format!("{octet:02x}")).collect();
        digits.chars().take(ID_DIGITS).collect()
    }

    /// The record that announces it.
    #[must_use]
    pub fn record(&self) -> String {
        format!("v=STSv1; id={};", self.id())
    }
}

/// What senders find where the policy of a domain is looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "seen")]
pub enum PolicyView {
    /// This policy.
    Served {
        /// The policy.
        policy: Policy,
    },
    /// Nothing that they would take for a policy: why.
    Wrong {
        /// One part of a sentence.
        reason: String,
    },
    /// Nobody could tell from here: why.
    Unknown {
        /// One part of a sentence.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        "version: STSv1\r\nmode: enforce\r\nmx: Mail.example.org\nmx: *.example.net\nmax_age: 604800\nmax_age: 1\n";

    #[test]
    fn policies_are_read_as_senders_read_them() {
        let policy = Policy::parse(GOOD).unwrap();
        assert_eq!((policy.mode, policy.max_age), (PolicyMode::Enforce, 604_800));
        assert!(policy.covers("mail.EXAMPLE.org.") && policy.covers("mx1.example.net"));
        assert!(!policy.covers("a.b.example.net") && !policy.covers("example.net") && !policy.covers("x.example.org"));
        assert!(Policy::parse("version: STSv1\nmode: none\nmax_age: 0\n").is_ok());
        for wrong in [
            "",
            "mode: none\nmax_age: 1",
            "version: STSv1\nmode: strict\nmax_age: 1",
            "version: STSv1\nmode: enforce\nmax_age: 1",
            "version: STSv1\nmode : enforce\nmx: a.b\nmax_age: 1",
            "version: STSv1\nmode: testing\nmx: a.b\nmax_age: +1",
            "version: STSv1\nmode: testing\nmx: a.b\nmax_age: 31557601",
            "<html>",
        ] {
            assert!(Policy::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn another_policy_has_another_id_and_the_same_one_the_same() {
        let policy = Policy::parse(GOOD).unwrap();
        let id = policy.id();
        assert!((1..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric()), "{id}");
        let turned = "mx: *.example.net\nmax_age: 604800\nmx: mail.example.org.\nmode: enforce\nversion: STSv1";
        assert_eq!(Policy::parse(turned).unwrap().id(), id);
        assert_eq!(Policy::parse(&policy.text()).unwrap(), policy);
        let others = [
            Policy { mode: PolicyMode::Testing, ..policy.clone() },
            Policy { max_age: 604_801, ..policy.clone() },
            Policy { mx: policy.mx.iter().take(1).cloned().collect(), ..policy.clone() },
        ];
        assert!(others.iter().all(|other| other.id() != id));
    }
}
