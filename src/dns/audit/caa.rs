//! Which authorities may issue certificates for mail names (RFC 8659).

use std::collections::BTreeSet;

use super::Scene;
use crate::{
    diag::{Finding, Severity},
    dns::check::{Complete as _, finding},
    model::{RecordType, Verdict},
};

pub(super) async fn check(scene: &Scene<'_>) -> Vec<Finding> {
    let domain = scene.domain();
    let own = scene.mail_servers().into_iter().chain(scene.wanted_servers()).filter(|h| scene.is_own(h));
    let usual = ["autodiscover", "autoconfig", "mta-sts"].map(|label| format!("{label}.{domain}"));
    let hosts: BTreeSet<String> = usual.into_iter().chain(own).collect();
    let mut told = BTreeSet::new();
    let mut out = Vec::new();
    for host in hosts {
        if let Some((name, values)) = closest(scene, &host).await
            && told.insert(name.clone())
        {
            out.extend(one(&name, &values));
        }
    }
    out
}

/// The set that counts for a host: the closest one at or above it (RFC 8659 3), with an alias followed.
async fn closest(scene: &Scene<'_>, host: &str) -> Option<(String, Vec<String>)> {
    let mut at = Some(host);
    while let Some(name) = at.filter(|n| n.contains('.')) {
        match scene.ask(name, RecordType::Caa).await {
            Verdict::Found { values, .. } => return Some((name.to_owned(), values)),
            Verdict::NoData | Verdict::NxDomain => at = name.split_once('.').map(|(_, up)| up),
            // An alias that leads to somebody else is theirs to answer for, and what stands above it still counts.
            Verdict::Unreachable { .. } if scene.is_own(name) => at = name.split_once('.').map(|(_, up)| up),
            // Old servers do not know the type, and nothing is decided by it.
            _ => return None,
        }
    }
    None
}

fn one(name: &str, found: &[String]) -> Option<Finding> {
    let issuers: Vec<&str> = found.iter().filter_map(|v| issuer(v)).collect();
    let subject = format!("{name} CAA");
    if issuers.is_empty() {
        return None;
    }
    if issuers.iter().all(|i| i.is_empty()) {
        let message = format!("{name} lets nobody issue certificates: no new host for mail programs can have one");
        let fix = "name the authority of the platform before autodiscover, autoconfig or mta-sts lead to it";
        let out = finding("caa-forbids", Severity::Warning, subject, message);
        return Some(out.actual(found.join(", ")).fix(fix));
    }
    let message = format!("only {} may issue certificates for names below {name}", issuers.join(", "));
    Some(finding("caa-present", Severity::Info, subject, message).actual(found.join(", ")))
}

/// Who may issue, from `0 issue "letsencrypt.org; account=1"`; empty for nobody.
fn issuer(value: &str) -> Option<&str> {
    let mut words = value.splitn(3, ' ');
    let tag = words.nth(1)?;
    let name = words.next()?.trim_matches('"').split(';').next()?.trim();
    tag.eq_ignore_ascii_case("issue").then_some(name)
}
