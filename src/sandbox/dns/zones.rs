//! The zones that can be changed while they are served.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use hickory_proto::rr::{
    Name, RData,
    rdata::{A, AAAA, CNAME, MX, NS, SRV, TLSA, TXT},
};

use crate::model::RecordType;

/// Zones with their records. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Zones(Arc<Mutex<Inner>>);

#[derive(Clone, Debug, Default)]
pub(super) struct Inner {
    /// By apex.
    pub(super) zones: BTreeMap<String, Zone>,
    /// By name; a fault covers the name and everything below it.
    faults: BTreeMap<String, Fault>,
}

#[derive(Clone, Debug)]
pub(super) struct Zone {
    pub(super) serial: u32,
    /// By owner name and type. The apex holds the NS records; the SOA is made from the serial.
    pub(super) sets: BTreeMap<(String, RecordType), RecordSet>,
}

#[derive(Clone, Debug)]
pub(super) struct RecordSet {
    pub(super) ttl: u32,
    pub(super) values: Vec<String>,
    pub(super) data: Vec<RData>,
}

/// What a server does wrong when it is asked for a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// It answers SERVFAIL.
    ServFail,
    /// It answers REFUSED.
    Refused,
    /// It does not answer at all.
    Silent,
    /// It answers without authority and without records, as a server does that lost the zone.
    Lame,
    /// It answers FORMERR to EDNS, as old servers do (RFC 6891 7).
    NoEdns,
    /// It answers over UDP with the truncation bit and without records.
    Truncated,
}

/// Why a zone could not be changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ZoneError {
    /// No zone holds the name.
    #[error("no zone of the sandbox holds `{0}`")]
    NoZone(String),
    /// The name is no domain name.
    #[error("`{0}` is not a domain name")]
    Name(String),
    /// The value does not fit the type.
    #[error("`{value}` is not the data of a {rtype} record")]
    Value {
        /// The type.
        rtype: RecordType,
        /// The text.
        value: String,
    },
}

impl Zones {
    /// No zones.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an empty zone with its name servers, or gives the name servers of one that is there.
    ///
    /// # Errors
    /// [`ZoneError::Name`] and [`ZoneError::Value`].
    pub fn add_zone(&self, apex: &str, name_servers: &[&str]) -> Result<(), ZoneError> {
        let apex = normal(apex)?;
        self.lock().zones.entry(apex.clone()).or_insert_with(|| Zone { serial: 2_026_010_100, sets: BTreeMap::new() });
        self.set(&apex, RecordType::Ns, name_servers, 86_400)
    }

    /// Removes a zone with everything in it.
    pub fn remove_zone(&self, apex: &str) {
        if let Ok(apex) = normal(apex) {
            self.lock().zones.remove(&apex);
        }
    }

    /// Sets all records of a name and type, in presentation form as in
    /// [`ExpectedRecord::value`](crate::model::ExpectedRecord::value), with their TTL in seconds. No values remove
    /// them. The serial goes up when anything changed.
    ///
    /// # Errors
    /// [`ZoneError`].
    pub fn set<S: AsRef<str>>(&self, name: &str, rtype: RecordType, values: &[S], ttl: u32) -> Result<(), ZoneError> {
        let name = normal(name)?;
        let values: Vec<String> = values.iter().map(|v| v.as_ref().to_owned()).collect();
        let data = values.iter().map(|v| rdata(rtype, v)).collect::<Result<Vec<_>, _>>()?;
        let mut inner = self.lock();
        let zone = inner.zone_mut(&name).ok_or_else(|| ZoneError::NoZone(name.clone()))?;
        let key = (name, rtype);
        let same = match zone.sets.get(&key) {
            Some(set) => set.values == values && set.ttl == ttl,
            None => values.is_empty(),
        };
        if same {
            return Ok(());
        }
        zone.serial = zone.serial.wrapping_add(1);
        if values.is_empty() {
            zone.sets.remove(&key);
        } else {
            zone.sets.insert(key, RecordSet { ttl, values, data });
        }
        Ok(())
    }

    /// Removes all records of a name and type.
    ///
    /// # Errors
    /// [`ZoneError::NoZone`] and [`ZoneError::Name`].
    pub fn remove(&self, name: &str, rtype: RecordType) -> Result<(), ZoneError> {
        self.set::<&str>(name, rtype, &[], 0)
    }

    /// The records of a name and type as they were set.
    #[must_use]
    pub fn get(&self, name: &str, rtype: RecordType) -> Vec<String> {
        let Ok(name) = normal(name) else { return Vec::new() };
        let inner = self.lock();
        let set = inner.zone(&name).and_then(|(_, zone)| zone.sets.get(&(name.clone(), rtype)));
        set.map(|s| s.values.clone()).unwrap_or_default()
    }

    /// The SOA serial of a zone.
    #[must_use]
    pub fn serial(&self, apex: &str) -> Option<u32> {
        let apex = normal(apex).ok()?;
        self.lock().zones.get(&apex).map(|z| z.serial)
    }

    /// Raises the serial of a zone without changing a record.
    pub fn bump(&self, apex: &str) {
        if let Ok(apex) = normal(apex)
            && let Some(zone) = self.lock().zones.get_mut(&apex)
        {
            zone.serial = zone.serial.wrapping_add(1);
        }
    }

    /// Makes questions for a name, and for everything below it, go wrong; `None` ends that.
    pub fn fail(&self, name: &str, fault: Option<Fault>) {
        if let Ok(name) = normal(name) {
            let mut inner = self.lock();
            match fault {
                Some(fault) => inner.faults.insert(name, fault),
                None => inner.faults.remove(&name),
            };
        }
    }

    /// A copy that goes its own way from here on, as a secondary server does that gets no updates.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self(Arc::new(Mutex::new(self.lock().clone())))
    }

    /// Takes over the zones of another, faults excepted.
    pub fn catch_up(&self, primary: &Self) {
        let zones = primary.lock().zones.clone();
        self.lock().zones = zones;
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// The zone that holds a name, with its apex: the longest that fits.
    pub(super) fn zone(&self, name: &str) -> Option<(&str, &Zone)> {
        ancestors(name).find_map(|a| self.zones.get_key_value(a)).map(|(apex, zone)| (apex.as_str(), zone))
    }

    fn zone_mut(&mut self, name: &str) -> Option<&mut Zone> {
        let apex = ancestors(name).find(|a| self.zones.contains_key(*a))?;
        self.zones.get_mut(apex)
    }

    pub(super) fn fault(&self, name: &str) -> Option<Fault> {
        ancestors(name).find_map(|a| self.faults.get(a)).copied()
    }
}

/// The name and the names above it, longest first.
pub(super) fn ancestors(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |n| n.split_once('.').map(|(_, up)| up))
}

/// Lower case, no final dot.
fn normal(name: &str) -> Result<String, ZoneError> {
    let text = name.trim_end_matches('.').to_ascii_lowercase();
    match absolute(&text) {
        Some(_) if !text.is_empty() => Ok(text),
        _ => Err(ZoneError::Name(name.to_owned())),
    }
}

/// The absolute name of a text, final dot or not. `.` is the root.
pub(super) fn absolute(text: &str) -> Option<Name> {
    let mut name = Name::from_ascii(text).ok()?;
    name.set_fqdn(true);
    Some(name)
}

fn rdata(rtype: RecordType, value: &str) -> Result<RData, ZoneError> {
    parse(rtype, value).ok_or_else(|| ZoneError::Value { rtype, value: value.to_owned() })
}

fn parse(rtype: RecordType, value: &str) -> Option<RData> {
    let words: Vec<&str> = value.split_ascii_whitespace().collect();
    Some(match (rtype, words.as_slice()) {
        (RecordType::A, [one]) => RData::A(A(one.parse::<Ipv4Addr>().ok()?)),
        (RecordType::Aaaa, [one]) => RData::AAAA(AAAA(one.parse::<Ipv6Addr>().ok()?)),
        (RecordType::Cname, [one]) => RData::CNAME(CNAME(absolute(one)?)),
        (RecordType::Ns, [one]) => RData::NS(NS(absolute(one)?)),
        (RecordType::Mx, [preference, host]) => RData::MX(MX::new(preference.parse().ok()?, absolute(host)?)),
        (RecordType::Srv, [priority, weight, port, host]) => {
            RData::SRV(SRV::new(priority.parse().ok()?, weight.parse().ok()?, port.parse().ok()?, absolute(host)?))
        }
        (RecordType::Tlsa, [usage, selector, matching, data]) => {
            let number = |word: &str| word.parse::<u8>().ok();
            let octets = (0..data.len()).step_by(2).map(|at| u8::from_str_radix(data.get(at..at + 2)?, 16).ok());
            let octets: Vec<u8> = octets.collect::<Option<_>>()?;
            RData::TLSA(TLSA::new(number(usage)?.into(), number(selector)?.into(), number(matching)?.into(), octets))
        }
        // A character string holds at most 255 octets (RFC 1035 3.3).
        (RecordType::Txt, _) => RData::TXT(TXT::from_bytes(value.as_bytes().chunks(255).collect())),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_serial_goes_up_exactly_when_something_changed() {
        let zones = Zones::new();
        zones.add_zone("Example.org.", &["ns1.example.net"]).unwrap();
        let before = zones.serial("example.org").unwrap();
        zones.set("example.org", RecordType::Mx, &["1 mx0.mail.ovh.net"], 3600).unwrap();
        zones.set("example.org", RecordType::Mx, &["1 mx0.mail.ovh.net"], 3600).unwrap();
        assert_eq!(zones.serial("example.org"), Some(before + 1));
        zones.remove("example.org", RecordType::Mx).unwrap();
        zones.remove("example.org", RecordType::Mx).unwrap();
        assert_eq!(zones.serial("example.org"), Some(before + 2));
    }

    #[test]
    fn wrong_data_and_foreign_names_are_refused() {
        let zones = Zones::new();
        zones.add_zone("example.org", &["ns1.example.net"]).unwrap();
        for (rtype, value) in [
            (RecordType::Mx, "mx0.mail.ovh.net"),
            (RecordType::Mx, "x mx0.mail.ovh.net"),
            (RecordType::A, "::1"),
            (RecordType::Srv, "0 0 443"),
            (RecordType::Soa, "x"),
        ] {
            assert!(matches!(zones.set("example.org", rtype, &[value], 1), Err(ZoneError::Value { .. })), "{value}");
        }
        assert!(matches!(zones.set("example.com", RecordType::A, &["192.0.2.1"], 1), Err(ZoneError::NoZone(_))));
    }

    #[test]
    fn a_fork_stays_behind_until_it_catches_up() {
        let zones = Zones::new();
        zones.add_zone("example.org", &["ns1.example.net"]).unwrap();
        let secondary = zones.fork();
        zones.set("example.org", RecordType::Txt, &["v=spf1 -all"], 60).unwrap();
        assert!(secondary.get("example.org", RecordType::Txt).is_empty());
        secondary.catch_up(&zones);
        assert_eq!(secondary.get("example.org", RecordType::Txt), ["v=spf1 -all"]);
    }
}
