//! Where reports go (RFC 9990 4), and what hangs on the policy (BIMI).

use super::Scene;
use crate::{
    diag::{Finding, Severity},
    dns::check::{Complete as _, finding, tags},
    model::{RecordType, Verdict},
};

pub(super) async fn check(scene: &Scene<'_>) -> Vec<Finding> {
    let domain = scene.domain();
    let own = scene.own(&format!("_dmarc.{domain}"), RecordType::Txt);
    let policy = own.iter().find(|t| t.starts_with("v=DMARC1")).and_then(|t| tags(t)).unwrap_or_default();
    let mut out = Vec::new();
    for tag in ["rua", "ruf"] {
        for uri in policy.get(tag).map(|list| list.split(',')).into_iter().flatten() {
            out.extend(destination(scene, tag, uri.trim()).await);
        }
    }
    let strict = policy.get("p").is_some_and(|p| matches!(p.to_ascii_lowercase().as_str(), "quarantine" | "reject"));
    out.extend(bimi(scene, strict).await);
    out
}

/// Somebody else's mailbox gets reports only when its domain says that it wants them.
async fn destination(scene: &Scene<'_>, tag: &str, uri: &str) -> Option<Finding> {
    let domain = scene.domain().as_str();
    let address = uri.get(..7).filter(|s| s.eq_ignore_ascii_case("mailto:")).and_then(|_| uri.get(7..))?;
    let host = address.split('!').next()?.rsplit_once('@')?.1.trim_end_matches('.').to_ascii_lowercase();
    let below = |a: &str, b: &str| a == b || a.ends_with(&format!(".{b}"));
    if below(&host, domain) || below(domain, &host) {
        return None;
    }
    let name = format!("{domain}._report._dmarc.{host}");
    let subject = format!("{name} TXT");
    match scene.ask(&name, RecordType::Txt).await {
        Verdict::Found { values, .. } if values.iter().any(|v| v.starts_with("v=DMARC1")) => None,
        Verdict::Found { .. } | Verdict::NoData | Verdict::NxDomain => {
            let message = format!("{host} does not say that it takes reports of {domain}: `{tag}` to it has no effect");
            let fix = format!("let {host} publish\n{name}. TXT \"v=DMARC1;\"");
            Some(finding("dmarc-report-refused", Severity::Warning, subject, message).actual(uri).fix(fix))
        }
        failed => Some(scene.unsure(&name, RecordType::Txt, &failed)),
    }
}

async fn bimi(scene: &Scene<'_>, strict: bool) -> Option<Finding> {
    let name = format!("default._bimi.{}", scene.domain());
    let values = match scene.values(&name, RecordType::Txt).await {
        Ok(values) => values,
        Err(unsure) => return Some(*unsure),
    };
    let records: Vec<&String> = values.iter().filter(|v| v.to_ascii_lowercase().starts_with("v=bimi1")).collect();
    let subject = format!("{name} TXT");
    let say = |code, severity, message: &str| finding(code, severity, &subject, message).actual(values.join(", "));
    let [record] = records.as_slice() else {
        let several = "there are several BIMI records: none of them counts";
        return (records.len() > 1).then(|| say("bimi-syntax", Severity::Warning, several).fix("keep one of them"));
    };
    let tags = tags(record).unwrap_or_default();
    let web = |tag: &str| tags.get(tag).is_none_or(|v| v.is_empty() || v.to_ascii_lowercase().starts_with("https://"));
    Some(if !tags.contains_key("l") || !web("l") || !web("a") {
        let message = "the BIMI record does not name its picture by `l=https://...`";
        say("bimi-syntax", Severity::Warning, message).fix("write `v=BIMI1; l=https://...; a=https://...`")
    } else if !strict {
        let message = "the picture is not shown as long as the DMARC policy is not `quarantine` or `reject`";
        say("bimi-policy", Severity::Warning, message).fix("tighten the DMARC policy first")
    } else {
        say("bimi-ok", Severity::Ok, "there is a BIMI record")
    })
}
