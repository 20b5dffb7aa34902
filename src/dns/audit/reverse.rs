//! Names of addresses (RFC 1035 3.5, RFC 8601 3): of mail servers inside the domain, which its owner runs.

use std::net::IpAddr;

use super::{Host, Scene};
use crate::{
    diag::{Finding, Severity},
    dns::{
        check::{Complete as _, finding},
        spf::reverse,
    },
    model::RecordType,
};

pub(super) async fn check(scene: &Scene<'_>) -> Vec<Finding> {
    let mut out = Vec::new();
    for host in scene.mail_servers().into_iter().filter(|h| scene.is_own(h)) {
        let Ok(Host::At(addresses)) = scene.host(&host).await else { continue };
        for ip in addresses.iter().filter_map(|a| a.parse().ok()) {
            // Others own the names of addresses, and mail arrives without them.
            out.push(one(scene, &host, ip).await.unwrap_or_else(|unsure| Scene::aside(*unsure)));
        }
    }
    out
}

async fn one(scene: &Scene<'_>, host: &str, ip: IpAddr) -> Result<Finding, Box<Finding>> {
    let names = scene.values(&reverse(ip), RecordType::Ptr).await?;
    let subject = format!("{} PTR", reverse(ip));
    let say = |code, severity, message: String| finding(code, severity, &subject, message).actual(names.join(", "));
    if names.is_empty() {
        let message = format!("{ip}, an address of {host}, has no name: receivers mistrust mail that it sends");
        let fix = format!("let the owner of the address publish the name {host} for it");
        return Ok(finding("ptr-missing", Severity::Warning, &subject, message).fix(fix));
    }
    let rtype = if ip.is_ipv4() { RecordType::A } else { RecordType::Aaaa };
    for name in &names {
        let back = scene.values(name, rtype).await?;
        if back.iter().any(|a| a.parse() == Ok(ip)) {
            return Ok(if names.len() > 1 {
                let message = format!("{ip} has {} names: receivers take any of them", names.len());
                say("ptr-several", Severity::Info, message).fix("keep one")
            } else {
                say("ptr-ok", Severity::Ok, format!("{ip} is called {name}, and {name} is {ip}"))
            });
        }
    }
    let message = format!("{ip} is called {}, which does not lead back to it", names.join(", "));
    Ok(say("ptr-unconfirmed", Severity::Warning, message).fix(format!("let the name be {host}, and {host} be {ip}")))
}
