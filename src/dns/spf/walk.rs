//! Everything that a record lets in, and what the dearest evaluation of it costs.

use std::{
    collections::BTreeSet,
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use futures::future::BoxFuture;

use super::{
    macros::MacroString,
    names::{bare, can_be_asked},
    record::{Directive, DualCidr, Mechanism, Qualifier, Record, is_record, parse},
    result::{LOOKUPS, VOIDS},
};
use crate::{
    dns::Lookups,
    model::{Question, RecordType, Verdict},
};

/// After so many terms nothing new is learnt: receivers have stopped long before.
const ENOUGH: usize = 60;

/// A network of senders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Network {
    /// An address in it.
    pub address: IpAddr,
    /// Its length in bits.
    pub bits: u8,
}

/// What a record comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// The networks that pass, as far as they are written down.
    pub networks: BTreeSet<Network>,
    /// Terms that cost a lookup when nothing matches before.
    pub lookups: usize,
    /// Those among them that find nothing.
    pub voids: usize,
    /// Names whose records are missing or wrong, with what is wrong: receivers give up there.
    pub broken: Vec<(String, String)>,
    /// Questions that failed, with what happened.
    pub unknown: Vec<(Question, Verdict)>,
    /// A domain that includes itself, directly or by others.
    pub circle: Option<String>,
}

impl Reach {
    /// The networks that this lets in and `other` does not. Nothing is known to be missing from what could not be read.
    #[must_use]
    pub fn beyond(&self, other: &Self) -> Vec<Network> {
        if !other.unknown.is_empty() {
            return Vec::new();
        }
        self.networks.iter().filter(|n| !other.networks.iter().any(|o| o.holds(n))).copied().collect()
    }

    /// Whether receivers stop at one of the limits (RFC 7208 4.6.4).
    #[must_use]
    pub fn exceeds(&self) -> bool {
        self.lookups > LOOKUPS || self.voids > VOIDS
    }
}

/// Walks through a record of a domain and everything it includes. Terms with macros depend on the message and are
/// counted, not followed.
pub async fn reach(dns: &dyn Lookups, domain: &str, record: &Record) -> Reach {
    let mut walk = Walk { dns, reach: Reach::default(), above: Vec::new() };
    walk.record(&bare(domain), record, true).await;
    walk.reach
}

/// Whether the terms that `after` has and `before` has not let in only whom `old`, the reach of `before`, lets in too.
/// Terms that decide by the message, and an ending, are something else.
pub async fn adds_nobody(dns: &dyn Lookups, domain: &str, before: &str, after: &str, old: &Reach) -> bool {
    let had: BTreeSet<String> = before.split(' ').map(str::to_ascii_lowercase).collect();
    let added: Vec<&str> = after.split(' ').filter(|t| !had.contains(&t.to_ascii_lowercase())).collect();
    let Ok(record) = parse(&format!("v=spf1 {}", added.join(" "))) else { return false };
    let plain = |d: &Directive| !matches!(d.mechanism, Mechanism::All | Mechanism::Ptr(_) | Mechanism::Exists(_));
    let sure = |reach: &Reach| reach.unknown.is_empty() && reach.broken.is_empty() && reach.circle.is_none();
    if added.is_empty() || !record.directives.iter().all(plain) || !sure(old) || old.exceeds() {
        return false;
    }
    let new = reach(dns, domain, &record).await;
    !new.networks.is_empty() && sure(&new) && new.beyond(old).is_empty()
}

struct Walk<'a> {
    dns: &'a dyn Lookups,
    reach: Reach,
    above: Vec<String>,
}

impl Walk<'_> {
    fn record<'s>(&'s mut self, domain: &'s str, record: &'s Record, passes: bool) -> BoxFuture<'s, ()> {
        Box::pin(async move {
            self.above.push(domain.to_owned());
            for directive in &record.directives {
                if self.reach.lookups > ENOUGH {
                    break;
                }
                self.directive(domain, directive, passes && directive.qualifier == Qualifier::Pass).await;
                if directive.mechanism == Mechanism::All {
                    break;
                }
            }
            if let Some(target) = record.redirect.as_ref().filter(|_| !record.has_all()) {
                self.reach.lookups += 1;
                self.descend(target, passes).await;
            }
            self.above.pop();
        })
    }

    async fn directive(&mut self, domain: &str, directive: &Directive, passes: bool) {
        self.reach.lookups += usize::from(directive.mechanism.costs());
        match &directive.mechanism {
            Mechanism::Ip4(address, bits) => self.add(passes, IpAddr::V4(*address), *bits),
            Mechanism::Ip6(address, bits) => self.add(passes, IpAddr::V6(*address), *bits),
            Mechanism::Include(target) => self.descend(target, passes).await,
            Mechanism::A(target, cidr) => {
                let Some(host) = named(target.as_ref(), domain) else { return };
                let found = self.hosts(&host, *cidr, passes).await;
                self.reach.voids += usize::from(!found);
            }
            Mechanism::Mx(target, cidr) => {
                let Some(name) = named(target.as_ref(), domain) else { return };
                let servers = self.ask(&name, RecordType::Mx).await;
                self.reach.voids += usize::from(servers.as_ref().is_some_and(Vec::is_empty));
                for host in servers.iter().flatten().filter_map(|v| v.split_once(' ')).map(|(_, host)| host).take(10) {
                    self.hosts(host, *cidr, passes).await;
                }
            }
            Mechanism::All | Mechanism::Ptr(_) | Mechanism::Exists(_) => {}
        }
    }

    fn add(&mut self, passes: bool, address: IpAddr, bits: u8) {
        if passes {
            self.reach.networks.insert(Network { address, bits });
        }
    }

    /// The addresses of a host; false when it has none for sure.
    async fn hosts(&mut self, host: &str, cidr: DualCidr, passes: bool) -> bool {
        let mut found = false;
        for rtype in [RecordType::A, RecordType::Aaaa] {
            let Some(values) = self.ask(host, rtype).await else { return true };
            for address in values.iter().filter_map(|v| v.parse().ok()) {
                found = true;
                self.add(passes, address, if address.is_ipv4() { cidr.v4 } else { cidr.v6 });
            }
        }
        found
    }

    async fn descend(&mut self, target: &MacroString, passes: bool) {
        let Some(name) = target.literal().map(bare) else { return };
        if self.above.contains(&name) {
            self.reach.circle.get_or_insert(name);
            return;
        }
        let Some(texts) = self.ask(&name, RecordType::Txt).await else { return };
        let records: Vec<&String> = texts.iter().filter(|t| is_record(t)).collect();
        let wrong = match records.as_slice() {
            [] => "it has no SPF record".to_owned(),
            [text] => match parse(text) {
                Ok(record) => return self.record(&name, &record, passes).await,
                Err(errors) => errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
            },
            several => format!("it has {} SPF records", several.len()),
        };
        self.reach.broken.push((name, wrong));
    }

    async fn ask(&mut self, name: &str, rtype: RecordType) -> Option<Vec<String>> {
        if !can_be_asked(name) {
            return Some(Vec::new());
        }
        let question = Question { name: bare(name), rtype };
        match self.dns.lookup(&question).await {
            Verdict::Found { values, .. } => Some(values),
            Verdict::NoData | Verdict::NxDomain => Some(Vec::new()),
            failed => {
                self.reach.unknown.push((question, failed));
                None
            }
        }
    }
}

fn named(target: Option<&MacroString>, domain: &str) -> Option<String> {
    match target {
        None => Some(domain.to_owned()),
        Some(text) => text.literal().map(bare),
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl Network {
    /// Whether every address of the other one is in it.
    fn holds(&self, other: &Self) -> bool {
        let same = |one: u128, two: u128, width: u32| {
            let shift = width - u32::from(self.bits).min(width);
            one.checked_shr(shift).unwrap_or(0) == two.checked_shr(shift).unwrap_or(0)
        };
        self.bits <= other.bits
            && match (self.address, other.address) {
                (IpAddr::V4(a), IpAddr::V4(b)) => same(u32::from(a).into(), u32::from(b).into(), 32),
                (IpAddr::V6(a), IpAddr::V6(b)) => same(a.into(), b.into(), 128),
                _ => false,
            }
    }

    /// Addresses that senders of this network can have: the first behind that of the network itself, and one near its
    /// end, so that a part of the network is not taken for the whole. One for a network of one or two.
    #[must_use]
    pub fn samples(self) -> Vec<IpAddr> {
        match self.address {
            IpAddr::V4(v4) if self.bits < 31 => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                let base = u32::from(v4) & mask;
                [base | 1, base | (!mask & !1)].map(|a| IpAddr::V4(Ipv4Addr::from(a))).to_vec()
            }
            IpAddr::V6(v6) if self.bits < 127 => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                let base = u128::from(v6) & mask;
                [base | 1, base | (!mask & !1)].map(|a| IpAddr::V6(Ipv6Addr::from(a))).to_vec()
            }
            single => vec![single],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(networks: &[(&str, u8)]) -> Reach {
        let network = |(address, bits): &(&str, u8)| Network { address: address.parse().unwrap(), bits: *bits };
        Reach { networks: networks.iter().map(network).collect(), ..Reach::default() }
    }

    #[test]
    fn a_network_is_lost_when_no_other_one_holds_all_of_it() {
        let old = reach(&[("192.0.2.7", 32), ("198.51.100.0", 24), ("2001:db8::", 32), ("203.0.113.0", 24)]);
        let new = reach(&[("192.0.2.0", 24), ("198.51.100.0", 25), ("2001:db8::", 31), ("0.0.0.0", 33)]);
        let lost: Vec<String> = old.beyond(&new).iter().map(ToString::to_string).collect();
        assert_eq!(lost, ["198.51.100.0/24", "203.0.113.0/24"]);
        assert!(old.beyond(&reach(&[("0.0.0.0", 0), ("::", 0)])).is_empty());
        let question = Question { name: "x".to_owned(), rtype: RecordType::Txt };
        let half = Reach { unknown: vec![(question, Verdict::Timeout)], ..Reach::default() };
        assert!(old.beyond(&half).is_empty(), "what could not be read is not known to be lost");
    }
}
