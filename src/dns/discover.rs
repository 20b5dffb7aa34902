//! Which servers are authoritative for a domain, as the system's resolver tells.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::Duration,
};

use futures::{StreamExt as _, stream::FuturesUnordered};
use hickory_resolver::{
    TokioResolver,
    config::ResolveHosts,
    net::{DnsError, NetError},
    proto::{
        op::{Message, ResponseCode},
        rr::{RData, Record},
    },
};

use super::{lookup::Client, wire};
use crate::model::{Domain, Question, RecordType, ZoneCut};

/// One address of one server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Server {
    /// How people know it: `name (address)`, or the address alone.
    pub(super) label: String,
    pub(super) address: SocketAddr,
}

/// What a delegation leads to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Every address.
    pub(super) servers: Vec<Server>,
    /// Names without an address, with why.
    pub(super) lost: BTreeMap<String, String>,
    /// What the zone above and the zone itself say, where they say different things.
    pub(super) cut: Option<ZoneCut>,
}

/// What the zone above says about a zone.
enum Above {
    /// These names serve it.
    Names(BTreeSet<String>),
    /// There is no such zone.
    Nothing,
    /// Nobody could be asked, or who was asked serves both zones and tells of the lower one.
    Unknown,
}

const TIMEOUT: Duration = Duration::from_secs(5);
const PORT: u16 = 53;
/// Servers of the zone above that are asked, all at a time.
const ABOVE: usize = 3;
/// The wait for one answer from above.
const PATIENCE: Duration = Duration::from_secs(2);

/// All addresses of the name servers of the zone that holds a domain.
///
/// # Errors
/// One sentence when no server can be named.
pub(super) async fn servers(domain: &Domain) -> Result<Found, String> {
    let resolver = resolver().map_err(|e| format!("the system's resolver cannot be used: {e}"))?;
    Delegations { resolver, port: PORT }.servers(domain).await
}

/// The ways to who serves a zone.
struct Delegations {
    resolver: TokioResolver,
    /// Where name servers listen.
    port: u16,
}

impl Delegations {
    async fn servers(&self, domain: &Domain) -> Result<Found, String> {
        let (names, cut) = self.names(domain).await?;
        let mut out = BTreeSet::new();
        let mut lost = BTreeMap::new();
        for name in &names {
            match self.addresses(name).await {
                Ok(found) => out.extend(found),
                Err(why) => {
                    lost.insert(name.clone(), why);
                }
            }
        }
        if out.is_empty() {
            let told: Vec<String> = lost.iter().map(|(name, why)| format!("{name}: {why}")).collect();
            return Err(format!("no name server of {domain} has an address: {}", told.join("; ")));
        }
        Ok(Found { servers: reachable(out.into_iter().collect()).await, lost, cut })
    }

    async fn addresses(&self, name: &str) -> Result<Vec<Server>, String> {
        let wire = wire::name(name).ok_or_else(|| format!("`{name}` is not a domain name"))?;
        let found = self.resolver.lookup_ip(wire).await.map_err(|e| e.to_string())?;
        let server = |ip| Server { label: format!("{name} ({ip})"), address: SocketAddr::new(ip, self.port) };
        Ok(found.iter().map(server).collect())
    }

    /// All who serve the closest zone at or above a domain: whom the zone itself names, and whom the zone above it does.
    async fn names(&self, domain: &Domain) -> Result<(BTreeSet<String>, Option<ZoneCut>), String> {
        for zone in lineage(domain.as_str()).filter(|n| n.contains('.')) {
            let own = match self.own(zone).await {
                // Nothing here: the zone begins further up.
                Ok(own) if own.is_empty() => continue,
                other => other,
            };
            let above = self.above(zone).await;
            return match (own, above) {
                (Ok(own), Above::Unknown) => Ok((own, None)),
                (Ok(own), Above::Nothing) => {
                    let cut = ZoneCut { zone: zone.to_owned(), above: BTreeSet::new(), own: own.clone() };
                    Ok((own, Some(cut)))
                }
                (Ok(own), Above::Names(above)) => {
                    let all = own.union(&above).cloned().collect();
                    Ok((all, (own != above).then(|| ZoneCut { zone: zone.to_owned(), above, own })))
                }
                // The zone does not answer: whom the zone above names is asked in person.
                (Err(_), Above::Names(above)) => Ok((above, None)),
                (Err(why), Above::Nothing | Above::Unknown) => Err(why),
            };
        }
        Err(format!("{domain} has no name servers: is it registered?"))
    }

    /// Whom a zone names; nobody where no zone begins.
    async fn own(&self, zone: &str) -> Result<BTreeSet<String>, String> {
        let wire = wire::name(zone).ok_or_else(|| format!("`{zone}` is not a domain name"))?;
        match self.resolver.ns_lookup(wire).await {
            Ok(found) => Ok(named(found.answers()).map(|(_, server)| server).collect()),
            // An answer of another kind says nothing of the zone.
            Err(NetError::Dns(DnsError::NoRecordsFound(_))) => Ok(BTreeSet::new()),
            Err(e) => Err(format!("the name servers of {zone} could not be found: {e}")),
        }
    }

    /// Whom the zone above names. A resolver would give what the zone itself says, so its servers are asked in person.
    async fn above(&self, zone: &str) -> Above {
        let mut servers = Vec::new();
        for upper in lineage(zone).skip(1) {
            let Ok(names) = self.own(upper).await else { return Above::Unknown };
            for name in names.iter().take(ABOVE) {
                servers.extend(self.addresses(name).await.into_iter().flatten());
            }
            if !names.is_empty() {
                break;
            }
        }
        let client = Client { timeout: PATIENCE, ..Client::default() };
        let question = Question { name: zone.to_owned(), rtype: RecordType::Ns };
        let servers = reachable(servers).await;
        let asked = servers.iter().take(ABOVE).map(|s| client.exchange(s.address, &question));
        let mut asked: FuturesUnordered<_> = asked.collect();
        while let Some(answer) = asked.next().await {
            match answer.map_or(Above::Unknown, |message| referral(zone, &message)) {
                Above::Unknown => {}
                told => return told,
            }
        }
        Above::Unknown
    }
}

/// A name and the names above it, to the root.
fn lineage(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| match name.split_once('.') {
        Some((_, "")) => None,
        Some((_, up)) => Some(up),
        None => Some("."),
    })
}

/// Owners and servers of the NS records.
fn named(records: &[Record]) -> impl Iterator<Item = (String, String)> {
    records.iter().filter_map(|r| match &r.data {
        RData::NS(server) => Some((wire::text(&r.name), wire::text(&server.0))),
        _ => None,
    })
}

/// What an answer from above says about a zone (RFC 1034 4.3.2).
fn referral(zone: &str, message: &Message) -> Above {
    let names: BTreeSet<String> =
        named(&message.authorities).filter(|(owner, _)| owner == zone).map(|(_, server)| server).collect();
    match (message.metadata.response_code, message.metadata.authoritative) {
        (ResponseCode::NoError, false) if !names.is_empty() => Above::Names(names),
        (ResponseCode::NXDomain, true) => Above::Nothing,
        _ => Above::Unknown,
    }
}

fn resolver() -> Result<TokioResolver, NetError> {
    let mut builder = TokioResolver::builder_tokio()?;
    let options = builder.options_mut();
    options.timeout = TIMEOUT;
    options.ndots = 0;
    options.use_hosts_file = ResolveHosts::Never;
    builder.build()
}

/// Leaves addresses out that this machine has no route to, as long as others remain: that a home has no IPv6 says
/// nothing about the zone.
async fn reachable(servers: Vec<Server>) -> Vec<Server> {
    let mut out = Vec::new();
    for server in &servers {
        let local = if server.address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let routed = match tokio::net::UdpSocket::bind(local).await {
            Ok(socket) => socket.connect(server.address).await.is_ok(),
            Err(_) => false,
        };
        if routed {
            out.push(server.clone());
        }
    }
    if out.is_empty() { servers } else { out }
}

#[cfg(test)]
mod tests {
    use hickory_resolver::{
        config::{ConnectionConfig, NameServerConfig, ResolverConfig},
        net::runtime::TokioRuntimeProvider,
    };

    use super::*;
    use crate::{
        model::RecordType,
        sandbox::{
            counters::Counters,
            dns::{DnsServer, Fault, Zones},
        },
    };

    /// A resolver that asks a server of the sandbox alone. Every name server listens at `port`.
    fn by(server: &DnsServer, port: u16) -> Delegations {
        let address = server.address();
        let mut udp = ConnectionConfig::udp();
        udp.port = address.port();
        let only = NameServerConfig::new(address.ip(), true, vec![udp]);
        let config = ResolverConfig::from_name_servers(vec![only]);
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        builder.options_mut().timeout = Duration::from_millis(300);
        builder.options_mut().attempts = 1;
        Delegations { resolver: builder.build().unwrap(), port }
    }

    async fn servers_by(server: &DnsServer, domain: &str) -> Result<Found, String> {
        by(server, PORT).servers(&Domain::parse(domain).unwrap()).await
    }

    #[tokio::test]
    async fn the_servers_of_the_closest_zone_are_found_with_all_their_addresses() {
        let zones = Zones::new();
        zones.add_zone("mydomain.ovh", &["ns1.mydomain.ovh", "ns2.mydomain.ovh"]).unwrap();
        zones.set("ns1.mydomain.ovh", RecordType::A, &["127.0.0.1", "127.0.0.2"], 60).unwrap();
        let server = DnsServer::start(zones.clone(), Counters::new()).await.unwrap();
        for domain in ["mydomain.ovh", "news.mydomain.ovh"] {
            let found = servers_by(&server, domain).await.unwrap();
            let labels: Vec<&str> = found.servers.iter().map(|s| s.label.as_str()).collect();
            assert_eq!(
                found.lost.keys().collect::<Vec<_>>(),
                ["ns2.mydomain.ovh"],
                "a name without an address is told"
            );
            assert_eq!(labels, ["ns1.mydomain.ovh (127.0.0.1)", "ns1.mydomain.ovh (127.0.0.2)"]);
            assert!(found.servers.iter().all(|s| s.address.port() == PORT));
        }
    }

    #[tokio::test]
    async fn a_delegation_that_cannot_be_read_is_told_in_one_sentence() {
        let zones = Zones::new();
        zones.add_zone("mydomain.ovh", &["ns1.elsewhere.example"]).unwrap();
        let server = DnsServer::start(zones.clone(), Counters::new()).await.unwrap();
        let told = servers_by(&server, "mydomain.ovh").await.unwrap_err();
        assert!(told.starts_with("no name server of mydomain.ovh has an address: ns1.elsewhere.example: "), "{told}");
        zones.fail("mydomain.ovh", Some(Fault::ServFail));
        let told = servers_by(&server, "mydomain.ovh").await.unwrap_err();
        assert!(told.starts_with("the name servers of mydomain.ovh could not be found"), "{told}");
    }

    /// A zone as it is served, and the zone above, which says what it says.
    async fn cut(above: &[&str]) -> (Found, [DnsServer; 2]) {
        let (served, upper) = (Zones::new(), Zones::new());
        for zones in [&served, &upper] {
            zones.add_zone("ovh", &["ns.ovh"]).unwrap();
            for server in ["ns.ovh", "ns1.ovh", "ns2.ovh", "ns3.ovh"] {
                zones.set(server, RecordType::A, &["127.0.0.1"], 60).unwrap();
            }
        }
        served.add_zone("mydomain.ovh", &["ns1.ovh", "ns2.ovh"]).unwrap();
        upper.set("mydomain.ovh", RecordType::Ns, above, 86_400).unwrap();
        let resolver = DnsServer::start(served, Counters::new()).await.unwrap();
        let upper = DnsServer::start(upper, Counters::new()).await.unwrap();
        let domain = Domain::parse("mail.mydomain.ovh").unwrap();
        let found = by(&resolver, upper.address().port()).servers(&domain).await.unwrap();
        (found, [resolver, upper])
    }

    fn names(found: &Found) -> Vec<&str> {
        found.servers.iter().filter_map(|s| s.label.split_once(' ')).map(|(name, _)| name).collect()
    }

    #[tokio::test]
    async fn whoever_the_zone_above_names_is_asked_too() {
        let (found, _servers) = cut(&["ns2.ovh", "ns3.ovh"]).await;
        assert_eq!(names(&found), ["ns1.ovh", "ns2.ovh", "ns3.ovh"]);
        let cut = found.cut.unwrap();
        assert_eq!(cut.zone, "mydomain.ovh");
        assert_eq!(cut.above.iter().collect::<Vec<_>>(), ["ns2.ovh", "ns3.ovh"]);
        assert_eq!(cut.own.iter().collect::<Vec<_>>(), ["ns1.ovh", "ns2.ovh"]);
    }

    #[tokio::test]
    async fn a_cut_that_both_sides_tell_alike_is_nothing_to_tell() {
        let (found, _servers) = cut(&["ns2.ovh", "ns1.ovh"]).await;
        assert_eq!(names(&found), ["ns1.ovh", "ns2.ovh"]);
        assert_eq!(found.cut, None);
    }

    #[tokio::test]
    async fn a_zone_that_the_zone_above_does_not_know_is_told() {
        let (found, _servers) = cut(&[]).await;
        assert_eq!(names(&found), ["ns1.ovh", "ns2.ovh"]);
        assert_eq!(found.cut.map(|d| d.above), Some(BTreeSet::new()));
    }

    #[tokio::test]
    async fn a_zone_that_does_not_answer_is_asked_of_those_whom_the_zone_above_names() {
        let (_, [resolver, upper]) = cut(&["ns3.ovh"]).await;
        let zones = Zones::new();
        zones.add_zone("ovh", &["ns.ovh"]).unwrap();
        for server in ["ns.ovh", "ns3.ovh"] {
            zones.set(server, RecordType::A, &["127.0.0.1"], 60).unwrap();
        }
        zones.fail("mydomain.ovh", Some(Fault::ServFail));
        drop(resolver);
        let resolver = DnsServer::start(zones, Counters::new()).await.unwrap();
        let domain = Domain::parse("mydomain.ovh").unwrap();
        let found = by(&resolver, upper.address().port()).servers(&domain).await.unwrap();
        assert_eq!(names(&found), ["ns3.ovh"]);
    }
}
