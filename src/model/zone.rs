//! Changes of DNS zones: all records of one name and type, before and after.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Address, Domain, MailboxRef, RecordType};

/// All records of one name and type (an RRset, RFC 2181 5).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct RecordSet {
    /// The data in presentation form, as in [`ExpectedRecord::value`](super::ExpectedRecord::value).
    pub values: BTreeSet<String>,
    /// Seconds. All records of a set have the same (RFC 2181 5.2).
    pub ttl: u32,
}

/// One change of a zone. It is *named* like every change: whether it was made can be read from the zone.
///
/// Nothing but these records is touched. Records of the set that stand on both sides stay as they are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct ZoneChange {
    /// The domain of the spec: its writer knows which zone holds it.
    pub domain: Domain,
    /// The absolute owner name, lower case, without the final dot.
    pub name: String,
    /// The type.
    pub rtype: RecordType,
    /// What is there when the plan is made; `None` for nothing.
    pub before: Option<RecordSet>,
    /// What is there afterwards; `None` for nothing.
    pub after: Option<RecordSet>,
}

impl ZoneChange {
    /// The kind, as it stands in action ids: `dns.set`, `dns.remove`, or `dns.ttl` where nothing but the TTL changes.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match (&self.before, &self.after) {
            (_, None) => "dns.remove",
            (Some(before), Some(after)) if before.values == after.values => "dns.ttl",
            _ => "dns.set",
        }
    }

    /// The set that changes, as it stands in action ids: `mydomain.ovh/MX`, `mydomain.ovh/_dmarc/TXT`.
    #[must_use]
    pub fn subject(&self) -> String {
        let below = self.name.strip_suffix(self.domain.as_str()).map(|n| n.trim_end_matches('.'));
        match below {
            Some("") => format!("{}/{}", self.domain, self.rtype),
            Some(below) => format!("{}/{below}/{}", self.domain, self.rtype),
            None => format!("{}/{}/{}", self.domain, self.name, self.rtype),
        }
    }

    /// The change that takes this one back.
    #[must_use]
    pub fn reversed(&self) -> Self {
        Self { before: self.after.clone(), after: self.before.clone(), ..self.clone() }
    }

    /// The records that go.
    #[must_use]
    pub fn removed(&self) -> Vec<&str> {
        Self::only(&self.before, &self.after)
    }

    /// The records that come.
    #[must_use]
    pub fn added(&self) -> Vec<&str> {
        Self::only(&self.after, &self.before)
    }

    /// The TTL before and after, where records are there on both sides and it changes.
    #[must_use]
    pub fn new_ttl(&self) -> Option<(u32, u32)> {
        let (before, after) = (self.before.as_ref()?.ttl, self.after.as_ref()?.ttl);
        (before != after).then_some((before, after))
    }

    /// The hosts of the records that come, by preference: for MX records the servers that mail is going to.
    #[must_use]
    pub fn mail_hosts(&self) -> Vec<&str> {
        let mut hosts: Vec<(u16, &str)> = self
            .after
            .iter()
            .flat_map(|s| &s.values)
            .filter_map(|v| Some((preference(v)?, v.split_once(' ')?.1.trim_end_matches('.'))))
            .collect();
        hosts.sort_unstable();
        hosts.into_iter().map(|(_, host)| host).collect()
    }

    fn only<'s>(here: &'s Option<RecordSet>, there: &Option<RecordSet>) -> Vec<&'s str> {
        let kept = |v: &&String| there.as_ref().is_some_and(|s| s.values.contains(*v));
        let mut out: Vec<&str> = here.iter().flat_map(|s| &s.values).filter(|v| !kept(v)).map(String::as_str).collect();
        out.sort_by_key(|v| preference(v));
        out
    }
}

/// The number with which records begin that are tried in an order (RFC 5321 5.1, RFC 2782).
#[must_use]
pub fn preference(value: &str) -> Option<u16> {
    value.split(' ').next()?.parse().ok()
}

/// One wait of the move of an MX. What was seen and when is in the journal, so that a later run goes on counting.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct CutoverWork {
    /// For what it waits.
    pub step: CutoverStep,
    /// The move.
    pub switch: ZoneChange,
    /// How long after everything is seen at every authoritative server, in seconds: resolvers may know what was there
    /// before for as long.
    pub wait: u32,
    /// Whether a person has to agree before it ends.
    pub approve: bool,
    /// The resolvers (`address[:port]`, `tls://...`, `https://...`) that have to have it too.
    pub resolvers: Vec<String>,
    /// The test message that has to arrive; before the move, whether it would be taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<ProbeWork>,
}

/// A test message through the new mail servers of a domain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct ProbeWork {
    /// Where it has to arrive.
    pub mailbox: MailboxRef,
    /// How long it may take, in seconds. The move is taken back then.
    pub confirm: u32,
    /// Who sends it; `None` for the null sender, which no bounce comes back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Address>,
}

/// For what the move of an MX waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CutoverStep {
    /// Before it: until nobody can still have the records with their old TTL.
    Drain,
    /// Right after it: until a test message through the new servers has arrived.
    Probe,
    /// After it: until every server has it, and nobody can still have the old records.
    Converge,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(name: &str, before: &[&str], after: &[&str], ttl: u32) -> ZoneChange {
        let set = |values: &[&str], ttl| {
            let values: BTreeSet<String> = values.iter().map(|v| (*v).to_owned()).collect();
            (!values.is_empty()).then_some(RecordSet { values, ttl })
        };
        ZoneChange {
            domain: Domain::parse("x.org").unwrap(),
            name: name.to_owned(),
            rtype: RecordType::Txt,
            before: set(before, 3600),
            after: set(after, ttl),
        }
    }

    #[test]
    fn a_change_is_named_by_what_it_touches() {
        assert_eq!(change("x.org", &[], &["a"], 60).subject(), "x.org/TXT");
        assert_eq!(change("_dmarc.x.org", &["a"], &[], 60).subject(), "x.org/_dmarc/TXT");
        assert_eq!(change("x.org", &["a"], &["a"], 60).kind(), "dns.ttl");
        assert_eq!(change("x.org", &["a"], &[], 60).kind(), "dns.remove");
    }

    #[test]
    fn mail_servers_are_told_by_preference() {
        let mx = change("x.org", &["5 old.example"], &["10 b.example", "9 z.example", "100 a.example"], 60);
        assert_eq!(mx.mail_hosts(), ["z.example", "b.example", "a.example"]);
        assert_eq!(mx.added(), ["9 z.example", "10 b.example", "100 a.example"]);
    }

    #[test]
    fn a_wait_of_a_plan_without_probes_is_read() {
        let switch = serde_json::to_value(change("x.org", &["a"], &["b"], 60)).unwrap();
        let old = serde_json::json!({"step": "drain", "switch": switch, "wait": 1, "approve": true, "resolvers": []});
        let read: CutoverWork = serde_json::from_value(old.clone()).unwrap();
        assert_eq!(read.probe, None);
        assert_eq!(serde_json::to_value(read).unwrap(), old);
    }

    #[test]
    fn what_stands_on_both_sides_is_not_touched() {
        let one = change("x.org", &["a", "b"], &["b", "c"], 300);
        assert_eq!((one.removed(), one.added(), one.new_ttl()), (vec!["a"], vec!["c"], Some((3600, 300))));
        assert_eq!(one.reversed().reversed(), one);
        assert_eq!(one.reversed().added(), ["a"]);
    }
}
