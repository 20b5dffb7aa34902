//! Mail DNS: what is expected, what was answered, and by whom.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{PolicyView, pairs};

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
    /// The announcement of a policy on encryption (RFC 8461).
    #[serde(rename = "mta-sts")]
    MtaSts,
    /// Where failed encryption is reported (RFC 8460).
    #[serde(rename = "tls-rpt")]
    TlsRpt,
}

impl DnsTopic {
    /// Every topic, in order.
    pub const ALL: [Self; 9] = [
        Self::Mx,
        Self::Spf,
        Self::Dkim,
        Self::Dmarc,
        Self::Autodiscover,
        Self::Autoconfig,
        Self::Ownership,
        Self::MtaSts,
        Self::TlsRpt,
    ];

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
            Self::MtaSts => "mta-sts",
            Self::TlsRpt => "tls-rpt",
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
    /// Name servers of the delegation that have no address, with why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lost: BTreeMap<String, String>,
    /// Who serves the zone, where the zone above and the zone itself say different things.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<ZoneCut>,
    /// What the SPF record that a plan would publish costs receivers; `None` where nobody has counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spf: Option<SpfCost>,
    /// The MTA-STS policy that is served; `None` where nobody has looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyView>,
}

/// Who serves a zone, as both sides of the cut tell (RFC 1034 4.2.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneCut {
    /// The zone's apex.
    pub zone: String,
    /// Whom the zone above names; nobody where it knows no such zone.
    pub above: BTreeSet<String>,
    /// Whom the zone itself names.
    pub own: BTreeSet<String>,
}

/// What an SPF record costs whoever evaluates it (RFC 7208 4.6.4).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SpfCost {
    /// The record.
    pub record: String,
    /// Terms that cost a lookup, those of included records too.
    pub lookups: usize,
    /// Those among them that find nothing.
    pub voids: usize,
    /// Whether every included record could be read.
    pub complete: bool,
    /// Networks (`192.0.2.0/24`) that the records before it let in and it does not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<String>,
    /// Whether everybody whom its new terms let in passes without them, by what is included already.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub needless: bool,
}

/// What one server answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerView {
    /// Whether it answers with authority for the zone.
    pub authoritative: bool,
    /// The SOA serial it serves.
    pub serial: Option<u32>,
    /// For how many seconds resolvers may remember that something is not there: the smaller of the SOA's own TTL and
    /// its last field (RFC 2308 5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub negative_ttl: Option<u32>,
    /// The name of the zone that holds the domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Its answers.
    #[serde(with = "pairs")]
    pub answers: BTreeMap<Question, Verdict>,
    /// What is odd about them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub oddities: BTreeSet<Oddity>,
}

/// What is odd about an answer that can be used all the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "oddity")]
pub enum Oddity {
    /// The records of one set have different TTLs (RFC 2181 5.2).
    MixedTtl {
        /// The owner name.
        name: String,
        /// The type.
        rtype: RecordType,
        /// The lowest TTL in seconds.
        lowest: u32,
        /// The highest.
        highest: u32,
    },
    /// The name is an alias of one that does not exist.
    Dangling {
        /// The owner name.
        name: String,
        /// What it leads to.
        target: String,
    },
    /// The name is an alias of one that this server does not serve.
    Away {
        /// The owner name.
        name: String,
        /// What it leads to.
        target: String,
    },
    /// The name is an alias and has records of its own too.
    Beside {
        /// The owner name.
        name: String,
        /// The type of the other records.
        rtype: RecordType,
        /// What the alias leads to.
        target: String,
    },
    /// The server gives other records from one answer to the next.
    Rotates {
        /// The owner name.
        name: String,
        /// The type.
        rtype: RecordType,
        /// All records that the rotating servers gave.
        values: Vec<String>,
    },
    /// The server answers over TCP alone.
    TcpOnly,
}

/// How strict a DMARC record is: what becomes of mail that fails, at the domain and below it (`p` and `sp`), from 0 for
/// `none` to 2 for `reject`. `None` when it is no DMARC record, or has no policy (RFC 9989 4.7).
#[must_use]
pub fn dmarc_strictness(record: &str) -> Option<(u8, u8)> {
    let mut tags = record.split(';').map(|tag| tag.split_once('=').map(|(k, v)| (k.trim(), v.trim())));
    if tags.next()?? != ("v", "DMARC1") {
        return None;
    }
    let tags: BTreeMap<String, &str> = tags.flatten().map(|(k, v)| (k.to_ascii_lowercase(), v)).collect();
    let strictness = |tag: &str| match tags.get(tag)?.to_ascii_lowercase().as_str() {
        "none" => Some(0),
        "quarantine" => Some(1),
        "reject" => Some(2),
        _ => None,
    };
    let own = strictness("p")?;
    Some((own, strictness("sp").unwrap_or(own)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_as_strict_as_it_says() {
        for (record, strictness) in [
            ("v=DMARC1; p=none", Some((0, 0))),
            ("v=DMARC1;p=reject;sp=quarantine;", Some((2, 1))),
            ("v = DMARC1 ; P=Quarantine; rua=mailto:a@x.org", Some((1, 1))),
            ("v=DMARC1; rua=mailto:a@x.org", None),
            ("v=dmarc1; p=none", None),
            ("v=spf1 -all", None),
        ] {
            assert_eq!(dmarc_strictness(record), strictness, "{record}");
        }
    }
}
