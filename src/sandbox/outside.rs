//! The part of the world's DNS that the domains of a sandbox point at: the platforms' own names, and a partner.

use super::dns::{ZoneError, Zones};
use crate::model::RecordType;

/// The public half of a DKIM key (RFC 6376 3.6.1); nobody has the other half.
const DKIM_KEY: &str = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA2b3E1QGtO4le7P8PICo38mFGJtdPfDLXwUanyG1cqhMmepsAynAVP7MZwJyD0EYFk69PUo2I+M+fYnJDv3OZaH8I+yhAUvAMbyVnU2rbHFUBdvu4tOZgC3fLxB8GYf7zsCUdn+VQGJRY5zN6RhC0rJrnjLR5LMTy+oD9PFkxJ0IMWDxWwYMktpx+0Q0AmAzj7huSLEWx6kd5sy+BK8DtcmJHvnhe0FBrl24kWUjQni/MSie8ts2FxemNjReZRkd48+NdydC6/hc3DNCaDVCfe76ab/Qf6yzGmPM7hpyH67OGZwuUWTVS+gDg+mvlX9z+EsIgMh7TEAfFswnbyS6KFQIDAQAB";

const TTL: u32 = 3_600;

/// Adds those zones.
pub(super) fn furnish(zones: &Zones, seed: u64) -> Result<(), ZoneError> {
    let servers = ["dns1.sandbox.example", "dns2.sandbox.example"];
    for zone in ["sandbox.example", "partner.example", "ovh.net", "ovh.com"] {
        zones.add_zone(zone, &servers)?;
    }
    for name in servers {
        zones.set(name, RecordType::A, &["127.0.0.1"], TTL)?;
    }
    for host in ["mx0", "mx1", "mx2", "mx3", "mx4", "ex5", "pro1", "zimbra1"] {
        zones.set(&format!("{host}.mail.ovh.net"), RecordType::A, &["192.0.2.10"], TTL)?;
    }
    for host in ["mailconfig.ovh.net", "ssl0.ovh.net", "ovh.com"] {
        zones.set(host, RecordType::A, &["192.0.2.11"], TTL)?;
    }
    zones.set("mx.ovh.com", RecordType::Txt, &["v=spf1 ip4:192.0.2.0/24 ~all"], TTL)?;
    zones.set("partner.example", RecordType::Mx, &["10 mail.partner.example"], TTL)?;
    zones.set("mail.partner.example", RecordType::A, &["192.0.2.20"], TTL)?;
    let number = 100_000 + seed % 1_000;
    for prefix in ["ovhex", "ovhemp", "ovhmo"] {
        for selector in [1, 2] {
            let name = format!("{prefix}{number}-selector{selector}._domainkey.1675.ac.dkim.mail.ovh.net");
            zones.set(&name, RecordType::Txt, &[format!("v=DKIM1; k=rsa; p={DKIM_KEY}")], TTL)?;
        }
    }
    Ok(())
}
