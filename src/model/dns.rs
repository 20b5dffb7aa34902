//! Mail DNS: what is expected, what was answered, and by whom.

use std::{collections::BTreeMap, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pairs;

/// A record type that mail uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum RecordType {
    /// IPv4 address.
    A,
    /// IPv6 address.
    Aaaa,
    /// Which authorities may issue certificates (RFC 8659).
    Caa,
    /// Alias.
    Cname,
    /// Mail exchanger.
    Mx,
    /// Name server.
    Ns,
    /// The name of an address.
    Ptr,
    /// Start of authority.
    Soa,
    /// Service.
    Srv,
    /// The certificate of a service (RFC 6698).
    Tlsa,
    /// Text.
    Txt,
}

impl RecordType {
    /// The mnemonic.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Caa => "CAA",
            Self::Cname => "CNAME",
            Self::Mx => "MX",
            Self::Ns => "NS",
            Self::Ptr => "PTR",
            Self::Soa => "SOA",
            Self::Srv => "SRV",
            Self::Tlsa => "TLSA",
            Self::Txt => "TXT",
        }
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Which part of mail DNS a record serves; also what `dns.verify` of a spec lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DnsTopic {
    /// Where mail goes (RFC 5321 5.1).
    Mx,
    /// Who may send (RFC 7208).
    Spf,
    /// Keys that sign (RFC 6376).
    Dkim,
    /// Policy (RFC 9989).
    Dmarc,
    /// How Outlook finds its server.
    Autodiscover,
    /// How Thunderbird finds its server.
    Autoconfig,
    /// Proof of ownership for a platform.
    Ownership,
}

impl DnsTopic {
    /// The word used in a spec.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Mx => "mx",
            Self::Spf => "spf",
            Self::Dkim => "dkim",
            Self::Dmarc => "dmarc",
            Self::Autodiscover => "autodiscover",
            Self::Autoconfig => "autoconfig",
            Self::Ownership => "ownership",
        }
    }
}

/// How strongly a record is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Need {
    /// Mail breaks without it.
    Required,
    /// Mail is worse without it.
    Recommended,
    /// May be there.
    Optional,
}

/// A record that a platform wants.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ExpectedRecord {
    /// What it serves.
    pub topic: DnsTopic,
    /// The absolute owner name, lower case, without the final dot.
    pub name: String,
    /// Its type.
    pub rtype: RecordType,
    /// The data in presentation form: MX `1 mx0.mail.ovh.net`, SRV `0 0 443 host`, TXT without quotes. Names have no
    /// final dot.
    pub value: String,
    /// How strongly it is wanted.
    pub need: Need,
}

/// What one server answered to one question. Only `NoData` and `NxDomain` mean that a record is missing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    /// The records, in presentation form and sorted, with the TTL in seconds.
    Found {
        /// The data.
        values: Vec<String>,
        /// Seconds.
        ttl: u32,
    },
    /// The name exists, this type does not.
    NoData,
    /// The name does not exist.
    NxDomain,
    /// SERVFAIL.
    ServFail,
    /// REFUSED.
    Refused,
    /// No answer in time.
    Timeout,
    /// The server could not be reached.
    Unreachable {
        /// What happened.
        reason: String,
    },
    /// The server answers without authority.
    Lame,
    /// A validating resolver refuses the answer: its signatures do not hold (RFC 4035 5.5).
    Bogus,
    /// An alias points back to itself, or too far.
    Loop,
    /// The answer could not be understood.
    Malformed {
        /// What was wrong.
        reason: String,
    },
}

impl Verdict {
    /// The values when records were found; empty otherwise.
    #[must_use]
    pub fn values(&self) -> &[String] {
        match self {
            Self::Found { values, .. } => values,
            _ => &[],
        }
    }

    /// Whether the server said in so many words that there is no such record.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::NoData | Self::NxDomain)
    }

    /// Whether the answer says anything about the record at all.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.is_missing() || matches!(self, Self::Found { .. })
    }
}

/// One question.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Question {
    /// The absolute owner name, lower case, without the final dot.
    pub name: String,
    /// The type.
    pub rtype: RecordType,
}

/// The mail DNS of one domain, server by server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsView {
    /// The answers by server (`name (address)`) and question.
    pub servers: BTreeMap<String, ServerView>,
    /// Why no server could be asked, when none could.
    pub failure: Option<String>,
}

/// What one server answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerView {
    /// Whether it answers with authority for the zone.
    pub authoritative: bool,
    /// The SOA serial it serves.
    pub serial: Option<u32>,
    /// Its answers.
    #[serde(with = "pairs")]
    pub answers: BTreeMap<Question, Verdict>,
}
