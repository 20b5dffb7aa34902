//! Which authorities may issue certificates for mail names (RFC 8659).

use super::Scene;
use crate::{
    diag::{Finding, Severity},
    dns::check::{Complete as _, finding},
    model::RecordType,
};

pub(super) async fn check(scene: &Scene<'_>) -> Vec<Finding> {
    let domain = scene.domain();
    // The closest set counts (RFC 8659 3).
    let mut at = Some(domain.as_str());
    while let Some(name) = at.filter(|n| n.contains('.')) {
        let found = match scene.values(name, RecordType::Caa).await {
            Ok(found) => found,
            // Old servers do not know the type, and nothing is decided by it.
            Err(_) => return Vec::new(),
        };
        if found.is_empty() {
            at = name.split_once('.').map(|(_, up)| up);
            continue;
        }
        let issuers: Vec<&str> = found.iter().filter_map(|v| issuer(v)).collect();
        let subject = format!("{name} CAA");
        if !issuers.is_empty() && issuers.iter().all(|i| i.is_empty()) {
            let message = format!("{name} lets nobody issue certificates: no new host for mail programs can have one");
            let fix = "name the authority of the platform before autodiscover, autoconfig or mta-sts lead to it";
            let out = finding("caa-forbids", Severity::Warning, subject, message);
            return vec![out.actual(found.join(", ")).fix(fix)];
        }
        let message = format!("only {} may issue certificates for names below {name}", issuers.join(", "));
        return vec![finding("caa-present", Severity::Info, subject, message).actual(found.join(", "))];
    }
    Vec::new()
}

/// Who may issue, from `0 issue "letsencrypt.org; account=1"`; empty for nobody.
fn issuer(value: &str) -> Option<&str> {
    let mut words = value.splitn(3, ' ');
    let tag = words.nth(1)?;
    let name = words.next()?.trim_matches('"').split(';').next()?.trim();
    tag.eq_ignore_ascii_case("issue").then_some(name)
}
