//! The shape of the zone: aliases at its top, wildcards, names that were written twice.

use std::collections::BTreeSet;

use super::Scene;
use crate::{
    diag::{Finding, Severity},
    dns::check::{Complete as _, finding},
    model::{RecordType, Verdict},
};

pub(super) async fn check(scene: &Scene<'_>) -> Vec<Finding> {
    let domain = scene.domain();
    let mut out = Vec::new();
    if let Verdict::Found { values, .. } = scene.ask(domain.as_str(), RecordType::Cname).await {
        let message = format!("{domain} is an alias, so that it can have no MX and no TXT records");
        out.push(
            finding("apex-alias", Severity::Error, format!("{domain} CNAME"), message)
                .actual(format!("CNAME {}", values.join(", ")))
                .fix("replace the alias by A and AAAA records"),
        );
    }
    let wild = wildcards(scene).await;
    if !wild.is_empty() {
        let list: Vec<&str> = wild.iter().map(|t| t.word()).collect();
        let message = format!("*.{domain} answers for every name below {domain}: records may seem to exist");
        out.push(finding("wildcard", Severity::Info, format!("*.{domain}"), message).actual(list.join(", ")));
    }
    out.extend(doubled(scene, &wild).await);
    out
}

async fn wildcards(scene: &Scene<'_>) -> Vec<RecordType> {
    let name = format!("{}.{}", scene.canary, scene.domain());
    let mut out = Vec::new();
    for rtype in [RecordType::A, RecordType::Cname, RecordType::Mx, RecordType::Srv, RecordType::Txt] {
        if matches!(scene.ask(&name, rtype).await, Verdict::Found { .. }) {
            out.push(rtype);
        }
    }
    out
}

/// `_dmarc.example.org.example.org`: the domain was written behind a name that has it already.
async fn doubled(scene: &Scene<'_>, wild: &[RecordType]) -> Vec<Finding> {
    let domain = scene.domain();
    let usual = ["_dmarc", "_mta-sts", "_smtp._tls"].map(|label| (format!("{label}.{domain}"), RecordType::Txt));
    let wanted = scene.audit.expected.iter().filter(|r| r.name != domain.as_str()).map(|r| (r.name.clone(), r.rtype));
    let selectors = scene.audit.selectors.iter().map(|s| (format!("{s}._domainkey.{domain}"), RecordType::Txt));
    let names: BTreeSet<(String, RecordType)> = usual.into_iter().chain(wanted).chain(selectors).collect();
    let mut out = Vec::new();
    // A wildcard answers for names that nobody wrote; an alias answers for every type.
    let told = |rtype: &RecordType| wild.contains(rtype) || wild.contains(&RecordType::Cname);
    for (name, rtype) in names.into_iter().filter(|(_, rtype)| !told(rtype)) {
        let twice = format!("{name}.{domain}");
        if let Verdict::Found { values, .. } = scene.ask(&twice, rtype).await {
            let message = format!("{twice} exists: the domain was written twice, and nobody looks there");
            out.push(
                finding("name-doubled", Severity::Error, format!("{twice} {rtype}"), message)
                    .actual(values.join(", "))
                    .fix(format!("move it to {name}")),
            );
        }
    }
    out
}
