//! Where reports go (RFC 9990 4), which policy holds for a domain without one, and what hangs on it (BIMI).

use super::Scene;
use crate::{
    diag::{Finding, Severity},
    dns::check::{Complete as _, DmarcPolicy, finding, inherited_policy, is_dmarc, organization, tags, walk},
    model::{DnsTopic, Question, RecordType, Verdict},
};

pub(super) async fn check(scene: &Scene<'_>) -> Vec<Finding> {
    let domain = scene.domain();
    let name = format!("_dmarc.{domain}");
    let own = scene.own(&name, RecordType::Txt);
    let policy = own.iter().find(|t| is_dmarc(t)).and_then(|t| tags(t)).unwrap_or_default();
    let mut out = Vec::new();
    if asked(scene, &name) && !own.iter().any(|t| t.to_ascii_lowercase().contains("v=dmarc")) {
        out.extend(above(scene, &name).await);
    }
    for tag in ["rua", "ruf"] {
        for uri in policy.get(tag).map(|list| list.split(',')).into_iter().flatten() {
            out.extend(destination(scene, tag, uri.trim()).await);
        }
    }
    let strict = policy.get("p").is_some_and(|p| matches!(p.to_ascii_lowercase().as_str(), "quarantine" | "reject"));
    out.extend(bimi(scene, strict).await);
    out
}

/// Whether every server that answered said that the domain has no policy of its own, and nobody has asked for one.
fn asked(scene: &Scene<'_>, name: &str) -> bool {
    let question = Question { name: name.to_owned(), rtype: RecordType::Txt };
    let said = scene.audit.view.servers.values().filter_map(|s| s.answers.get(&question));
    let wished = scene.audit.expected.iter().any(|r| r.topic == DnsTopic::Dmarc);
    said.clone().any(Verdict::is_known)
        && said.filter(|v| v.is_known()).all(|v| v.values().iter().all(|t| !is_dmarc(t)))
        && !wished
}

/// The policies on the way up from a name, nearest first; it ends at one that says what it is (RFC 9989 4.10).
async fn climb(scene: &Scene<'_>, start: &str) -> Result<Vec<(String, DmarcPolicy)>, Box<Finding>> {
    let mut out = Vec::new();
    for name in walk(start) {
        let values = scene.values(&format!("_dmarc.{name}"), RecordType::Txt).await?;
        let records: Vec<&String> = values.iter().filter(|v| is_dmarc(v)).collect();
        // Several are as good as none.
        let [record] = records.as_slice() else { continue };
        if let Some(policy) = DmarcPolicy::read(record) {
            let ends = policy.psd.is_some();
            out.push((name, policy));
            if ends {
                break;
            }
        }
    }
    Ok(out)
}

/// The policy of the organizational domain, else of the registry, for a domain that has none of its own.
async fn above(scene: &Scene<'_>, own: &str) -> Option<Finding> {
    let domain = scene.domain().as_str();
    let found = match climb(scene, domain).await {
        Ok(found) => found,
        // A server that serves this domain alone has nothing to say of those above it.
        Err(unsure) => return Some(*unsure).filter(|f| f.severity == Severity::Unknown).map(Scene::aside),
    };
    let organization = organization(domain, &found);
    let (name, policy) = found.iter().find(|(name, _)| *name == organization).or_else(|| found.last())?;
    Some(inherited_policy(own, name, policy))
}

/// Somebody else's mailbox gets reports only when its domain says that it wants them. Who is somebody else, the
/// organizational domains tell.
async fn destination(scene: &Scene<'_>, tag: &str, uri: &str) -> Option<Finding> {
    let domain = scene.domain().as_str();
    let address = uri.get(..7).filter(|s| s.eq_ignore_ascii_case("mailto:")).and_then(|_| uri.get(7..))?;
    let host = address.split('!').next()?.rsplit_once('@')?.1.trim_end_matches('.').to_ascii_lowercase();
    if host == domain {
        return None;
    }
    let (ours, theirs) = (climb(scene, domain).await, climb(scene, &host).await);
    let related = match (&ours, &theirs) {
        (Ok(ours), Ok(theirs)) => organization(domain, ours) == organization(&host, theirs),
        // What could not be climbed: one below the other is the same organization nearly always.
        _ => host.ends_with(&format!(".{domain}")) || domain.ends_with(&format!(".{host}")),
    };
    if related {
        return None;
    }
    let name = format!("{domain}._report._dmarc.{host}");
    let subject = format!("{name} TXT");
    match scene.ask(&name, RecordType::Txt).await {
        Verdict::Found { values, .. } if values.iter().any(|v| is_dmarc(v)) => None,
        Verdict::Found { .. } | Verdict::NoData | Verdict::NxDomain => {
            let message = format!("{host} does not say that it takes reports of {domain}: `{tag}` to it has no effect");
            let fix = format!("let {host} publish\n{name}. TXT \"v=DMARC1;\"");
            Some(finding("dmarc-report-refused", Severity::Warning, subject, message).actual(uri).fix(fix))
        }
        failed => Some(Scene::aside(scene.unsure(&name, RecordType::Txt, &failed))),
    }
}

async fn bimi(scene: &Scene<'_>, strict: bool) -> Option<Finding> {
    let name = format!("default._bimi.{}", scene.domain());
    let values = match scene.values(&name, RecordType::Txt).await {
        Ok(values) => values,
        Err(unsure) => return Some(Scene::aside(*unsure)),
    };
    let records: Vec<&String> = values.iter().filter(|v| v.to_ascii_lowercase().starts_with("v=bimi1")).collect();
    let subject = format!("{name} TXT");
    let say = |code, severity, message: &str| finding(code, severity, &subject, message).actual(values.join(", "));
    let [record] = records.as_slice() else {
        let several = "there are several BIMI records: none of them counts";
        return (records.len() > 1).then(|| say("bimi-syntax", Severity::Warning, several).fix("keep one of them"));
    };
    let tags = tags(record).unwrap_or_default();
    // An empty place says that the domain has no picture, which needs no policy.
    if tags.get("l").is_some_and(String::is_empty) && tags.get("a").is_none_or(String::is_empty) {
        return Some(say("bimi-ok", Severity::Ok, "the domain says that it has no picture"));
    }
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
