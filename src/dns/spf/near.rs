//! Addresses and networks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::record::DualCidr;

/// Whether an address lies in the network around another, which is one of its own kind.
pub(super) fn near(network: IpAddr, ip: IpAddr, cidr: DualCidr) -> bool {
    match (network, ip) {
        (IpAddr::V4(network), IpAddr::V4(ip)) => within4(ip, network, cidr.v4),
        (IpAddr::V6(network), IpAddr::V6(ip)) => within6(ip, network, cidr.v6),
        _ => false,
    }
}

/// Whether an address lies in an IPv4 network.
pub(super) fn within4(ip: Ipv4Addr, network: Ipv4Addr, bits: u8) -> bool {
    let host = 32 - u32::from(bits.min(32));
    u32::from(ip).checked_shr(host) == u32::from(network).checked_shr(host)
}

/// Whether an address lies in an IPv6 network.
pub(super) fn within6(ip: Ipv6Addr, network: Ipv6Addr, bits: u8) -> bool {
    let host = 128 - u32::from(bits.min(128));
    u128::from(ip).checked_shr(host) == u128::from(network).checked_shr(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_no_bits_holds_every_address_of_its_kind() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let all = DualCidr { v4: 0, v6: 0 };
        assert!(near(ip("192.0.2.1"), ip("8.8.8.8"), all) && near(ip("::1"), ip("2001:db8::1"), all));
        assert!(!near(ip("192.0.2.1"), ip("::1"), all));
        let one = DualCidr { v4: 32, v6: 128 };
        assert!(near(ip("192.0.2.1"), ip("192.0.2.1"), one) && !near(ip("192.0.2.1"), ip("192.0.2.0"), one));
        assert!(near(ip("::1"), ip("::1"), one) && !near(ip("::1"), ip("::2"), one));
    }
}
