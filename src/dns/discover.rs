//! Which servers are authoritative for a domain, as the system's resolver tells.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::Duration,
};

use hickory_resolver::{
    TokioResolver,
    config::ResolveHosts,
    net::{DnsError, NetError},
    proto::rr::{Name, RData},
};

use super::wire;
use crate::model::Domain;

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
}

const TIMEOUT: Duration = Duration::from_secs(5);
const PORT: u16 = 53;

/// All addresses of the name servers of the zone that holds a domain.
///
/// # Errors
/// One sentence when no server can be named.
pub(super) async fn servers(domain: &Domain) -> Result<Found, String> {
    let resolver = resolver().map_err(|e| format!("the system's resolver cannot be used: {e}"))?;
    servers_by(&resolver, domain).await
}

async fn servers_by(resolver: &TokioResolver, domain: &Domain) -> Result<Found, String> {
    let names = name_servers(resolver, domain).await?;
    let mut out = BTreeSet::new();
    let mut lost = BTreeMap::new();
    for name in &names {
        match resolver.lookup_ip(name.clone()).await {
            Ok(found) => out.extend(found.iter().map(|ip| {
                let label = format!("{} ({ip})", wire::text(name));
                Server { label, address: SocketAddr::new(ip, PORT) }
            })),
            Err(e) => {
                lost.insert(wire::text(name), e.to_string());
            }
        }
    }
    if out.is_empty() {
        let told: Vec<String> = lost.iter().map(|(name, why)| format!("{name}: {why}")).collect();
        return Err(format!("no name server of {domain} has an address: {}", told.join("; ")));
    }
    Ok(Found { servers: reachable(out.into_iter().collect()).await, lost })
}

fn resolver() -> Result<TokioResolver, NetError> {
    let mut builder = TokioResolver::builder_tokio()?;
    let options = builder.options_mut();
    options.timeout = TIMEOUT;
    options.ndots = 0;
    options.use_hosts_file = ResolveHosts::Never;
    builder.build()
}

/// The NS records of the closest zone apex at or above a domain.
async fn name_servers(resolver: &TokioResolver, domain: &Domain) -> Result<Vec<Name>, String> {
    let mut at = Some(domain.as_str());
    while let Some(name) = at.filter(|n| n.contains('.')) {
        let wire = wire::name(name).ok_or_else(|| format!("`{name}` is not a domain name"))?;
        match resolver.ns_lookup(wire).await {
            Ok(found) => {
                let names = found.answers().iter().filter_map(|r| match &r.data {
                    RData::NS(ns) => Some(ns.0.clone()),
                    _ => None,
                });
                let names: Vec<Name> = names.collect();
                if !names.is_empty() {
                    return Ok(names);
                }
            }
            // Nothing here: the zone begins further up. An answer of another kind says nothing of the zone.
            Err(NetError::Dns(DnsError::NoRecordsFound(_))) => {}
            Err(e) => return Err(format!("the name servers of {name} could not be found: {e}")),
        }
        at = name.split_once('.').map(|(_, up)| up);
    }
    Err(format!("{domain} has no name servers: is it registered?"))
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

    /// A resolver that asks a server of the sandbox alone.
    fn by(server: &DnsServer) -> TokioResolver {
        let address = server.address();
        let mut udp = ConnectionConfig::udp();
        udp.port = address.port();
        let only = NameServerConfig::new(address.ip(), true, vec![udp]);
        let config = ResolverConfig::from_name_servers(vec![only]);
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        builder.options_mut().timeout = Duration::from_millis(300);
        builder.options_mut().attempts = 1;
        builder.build().unwrap()
    }

    #[tokio::test]
    async fn the_servers_of_the_closest_zone_are_found_with_all_their_addresses() {
        let zones = Zones::new();
        zones.add_zone("mydomain.ovh", &["ns1.mydomain.ovh", "ns2.mydomain.ovh"]).unwrap();
        zones.set("ns1.mydomain.ovh", RecordType::A, &["127.0.0.1", "127.0.0.2"], 60).unwrap();
        let server = DnsServer::start(zones.clone(), Counters::new()).await.unwrap();
        for domain in ["mydomain.ovh", "news.mydomain.ovh"] {
            let found = servers_by(&by(&server), &Domain::parse(domain).unwrap()).await.unwrap();
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
        let domain = Domain::parse("mydomain.ovh").unwrap();
        let told = servers_by(&by(&server), &domain).await.unwrap_err();
        assert!(told.starts_with("no name server of mydomain.ovh has an address: ns1.elsewhere.example: "), "{told}");
        zones.fail("mydomain.ovh", Some(Fault::ServFail));
        let told = servers_by(&by(&server), &domain).await.unwrap_err();
        assert!(told.starts_with("the name servers of mydomain.ovh could not be found"), "{told}");
    }
}
