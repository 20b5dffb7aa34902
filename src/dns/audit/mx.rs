//! Mail servers outside the domain: their names belong to others, and mail depends on them all the same.

use std::net::IpAddr;

use super::{Host, Scene};
use crate::{
    diag::{Finding, Severity},
    dns::check::{Complete as _, finding},
};

pub(super) async fn check(scene: &Scene<'_>) -> Vec<Finding> {
    let mut out = Vec::new();
    for host in scene.mail_servers() {
        if host.parse::<IpAddr>().is_ok() {
            continue;
        }
        let subject = format!("{host} (mail server)");
        if !is_host_name(&host) {
            let message = format!("{host} is no host name: senders may refuse it");
            out.push(
                finding("mx-target-name", Severity::Warning, &subject, message)
                    .fix("name a host by letters, digits and hyphens"),
            );
        }
        // Those inside the domain are judged at each of its servers.
        if scene.is_own(&host) {
            continue;
        }
        match scene.host(&host).await {
            Err(unsure) => out.push(*unsure),
            Ok(Host::At(_)) => {}
            Ok(Host::Alias(target)) => {
                let message = format!("the mail server {host} is an alias of {target}, which senders may refuse");
                out.push(
                    finding("mx-target-alias", Severity::Error, &subject, message)
                        .actual(format!("CNAME {target}"))
                        .fix(format!("name {target} in the MX record")),
                );
            }
            Ok(Host::Nowhere) => {
                let message = format!("the mail server {host} has no address");
                out.push(
                    finding("mx-target-unresolved", Severity::Error, &subject, message)
                        .actual("no A and no AAAA record")
                        .fix("correct the name, or remove it from the MX records"),
                );
            }
        }
    }
    out
}

/// Letters, digits and hyphens, as mail servers are named (RFC 5321 2.3.5).
fn is_host_name(host: &str) -> bool {
    host.split('.').all(|label| {
        label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') && !label.starts_with('-') && !label.ends_with('-')
    })
}
