//! DNS zones: a working copy that the API edits, and the live copy that a refresh makes of it.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// One zone.
#[derive(Clone, Debug, Default)]
pub struct Zone {
    /// The working copy, by record id. Nobody outside sees it.
    pub records: BTreeMap<u64, Record>,
    /// What name servers answer from.
    pub live: Vec<Record>,
    /// Names of its servers.
    pub name_servers: Vec<String>,
    /// Grows with every refresh.
    pub serial: u32,
    /// Why the last refresh failed; empty when it did not.
    pub errors: Vec<String>,
    /// Restore points: when a refresh replaced this live copy.
    pub history: Vec<(Timestamp, Vec<Record>)>,
}

/// One record, in the words of the API.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Record {
    /// Relative to the zone; empty for the zone itself.
    pub sub_domain: String,
    /// `MX`, `TXT`, ..., also the API's own `SPF`, `DKIM`, `DMARC`, which are published as TXT.
    pub field_type: String,
    /// The whole data in one text, as in a zone file.
    pub target: String,
    /// Seconds; 0 is the zone's default.
    pub ttl: u32,
}

impl Record {
    /// A record with the default TTL.
    #[must_use]
    pub fn new(sub_domain: &str, field_type: &str, target: &str) -> Self {
        Self { sub_domain: sub_domain.to_owned(), field_type: field_type.to_owned(), target: target.to_owned(), ttl: 0 }
    }

    /// The type that name servers answer with.
    #[must_use]
    pub fn wire_type(&self) -> &str {
        match self.field_type.as_str() {
            "SPF" | "DKIM" | "DMARC" => "TXT",
            other => other,
        }
    }

    /// The TTL that name servers answer with, in seconds.
    #[must_use]
    pub fn wire_ttl(&self) -> u32 {
        if self.ttl == 0 { 3600 } else { self.ttl }
    }
}

impl Zone {
    /// A zone whose working copy is live.
    #[must_use]
    pub fn deployed(name_servers: &[&str], records: BTreeMap<u64, Record>) -> Self {
        let live = records.values().cloned().collect();
        let name_servers = name_servers.iter().map(|&s| s.to_owned()).collect();
        Self { records, live, name_servers, serial: 2_026_010_100, ..Self::default() }
    }

    /// Whether the live copy is the working copy.
    #[must_use]
    pub fn is_deployed(&self) -> bool {
        let mut working: Vec<&Record> = self.records.values().collect();
        let mut live: Vec<&Record> = self.live.iter().collect();
        working.sort();
        live.sort();
        working == live
    }

    /// What keeps the working copy from being published: a CNAME beside other data (RFC 1034 3.6.2).
    #[must_use]
    pub fn conflicts(&self) -> Vec<String> {
        let mut found = Vec::new();
        for cname in self.records.values().filter(|r| r.field_type == "CNAME") {
            let beside = self.records.values().filter(|r| r.sub_domain == cname.sub_domain).count();
            if beside > 1 {
                let text = format!("CNAME and other data at `{}`", cname.sub_domain);
                if !found.contains(&text) {
                    found.push(text);
                }
            }
        }
        found
    }
}
