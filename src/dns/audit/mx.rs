//! Mail servers outside the domain: their names belong to others, and mail depends on them all the same.

use std::{collections::BTreeSet, net::IpAddr};

use super::{Host, Scene};
use crate::{
    diag::{Finding, Severity},
    dns::check::{Complete as _, finding},
    model::{DnsTopic, ExpectedRecord},
};

pub(super) async fn check(scene: &Scene<'_>) -> Vec<Finding> {
    let mut out: Vec<Finding> = left(scene).into_iter().collect();
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

/// Whether mail still goes to the platform that is being left, where nobody knows the servers of the other one.
fn left(scene: &Scene<'_>) -> Option<Finding> {
    let servers = |records: &[ExpectedRecord]| -> BTreeSet<String> {
        let mx = records.iter().filter(|r| r.topic == DnsTopic::Mx && !r.value.contains('*'));
        mx.filter_map(|r| r.value.split_once(' ')).map(|(_, host)| host.to_owned()).collect()
    };
    let (left, now) = (servers(scene.audit.leaving), scene.mail_servers());
    let still = !now.is_empty() && now.iter().all(|host| left.contains(host));
    if !servers(scene.audit.expected).is_empty() || !still {
        return None;
    }
    let domain = scene.domain();
    let message = format!("mail for {domain} still goes to the platform that is being left");
    let out = finding("mx-left", Severity::Error, format!("{domain} MX"), message);
    Some(
        out.actual(now.join(", "))
            .fix("publish the mail servers of the other platform, and name them in the spec as `dns.mx`"),
    )
}

/// Letters, digits and hyphens, as mail servers are named (RFC 5321 2.3.5).
fn is_host_name(host: &str) -> bool {
    host.split('.').all(|label| {
        label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') && !label.starts_with('-') && !label.ends_with('-')
    })
}
