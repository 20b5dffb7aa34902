//! What receivers do with mail that fails (RFC 9989).

use std::collections::BTreeMap;

use super::{Complete as _, Scene, answers::shown, dkim::tags, finding};
use crate::{
    diag::{Finding, Severity},
    model::{Domain, RecordType},
};

/// The most questions of a walk up the tree (RFC 9989 4.10).
const WALK: usize = 8;

/// Where the policy of a domain may stand: at the domain, else above it, registries left aside.
pub(in crate::dns) fn policy_names(domain: &Domain) -> Vec<String> {
    let above = std::iter::successors(Some(domain.as_str()), |name| name.split_once('.').map(|(_, up)| up));
    above.filter(|name| name.contains('.')).take(WALK).map(|name| format!("_dmarc.{name}")).collect()
}

pub(super) fn check(scene: &Scene<'_>) -> Vec<Finding> {
    let domain = scene.domain;
    let own = format!("_dmarc.{domain}");
    let above = policy_names(domain).into_iter().skip(1).find_map(|name| {
        let known: Vec<&[String]> = scene.answers(&name, RecordType::Txt).known().collect();
        known.into_iter().flatten().find(|v| is_record(v)).map(|record| (name, record.clone()))
    });
    let mut out = scene.judge(&own, RecordType::Txt, |values| judge(&own, above.as_ref(), values));
    let misplaced = |values: &[String]| values.iter().any(|v| is_record(v));
    if scene.answers(domain.as_str(), RecordType::Txt).known().any(misplaced) {
        let message = format!("a DMARC record stands at {domain}, where nobody looks for it");
        out.push(finding("dmarc-misplaced", Severity::Warning, domain, message).fix(format!("move it to {own}")));
    }
    out
}

/// `v=DMARC1` in exactly this case, white space around the sign allowed, then the end or a semicolon.
fn is_record(text: &str) -> bool {
    let Some((tag, rest)) = text.split_once('=') else { return false };
    tag.trim() == "v" && rest.split(';').next().is_some_and(|v| v.trim() == "DMARC1")
}

fn judge(own: &str, above: Option<&(String, String)>, values: &[String]) -> Vec<Finding> {
    let records: Vec<&String> = values.iter().filter(|v| is_record(v)).collect();
    let draft = |code, severity, message: String| finding(code, severity, own, message).actual(shown(values));
    let example = "publish `v=DMARC1; p=none; rua=mailto:` with an address that is read, and tighten it later";
    match (records.as_slice(), above) {
        ([], _) if values.iter().any(|v| v.trim_start_matches('"').to_ascii_lowercase().starts_with("v=dmarc1")) => {
            let message = "the record looks like DMARC and is none".to_owned();
            vec![draft("dmarc-syntax", Severity::Error, message).fix("it has to begin with `v=DMARC1;`")]
        }
        ([], Some((name, record))) => {
            let message = format!("the policy is that of {name}");
            vec![finding("dmarc-inherited", Severity::Info, own, message).actual(record.clone())]
        }
        ([], None) => {
            let message = "there is no DMARC policy: large receivers mistrust such mail".to_owned();
            vec![draft("dmarc-missing", Severity::Warning, message).fix(example)]
        }
        ([record], _) => policy(&draft, record),
        (several, _) => {
            let message = format!("there are {} DMARC records: receivers ignore them all", several.len());
            vec![draft("dmarc-multiple", Severity::Error, message).fix("keep one of them")]
        }
    }
}

fn policy(draft: &impl Fn(&'static str, Severity, String) -> Finding, record: &str) -> Vec<Finding> {
    let Some(tags) = tags(record) else {
        let message = "the record is no list of tags".to_owned();
        return vec![draft("dmarc-syntax", Severity::Error, message).fix("write `tag=value`, separated by semicolons")];
    };
    let mut out = Vec::new();
    let reports = tags.get("rua").map(|r| r.split(',').map(str::trim).collect::<Vec<_>>()).unwrap_or_default();
    let is_address = |uri: &&str| uri.len() > 7 && uri.get(..7).is_some_and(|s| s.eq_ignore_ascii_case("mailto:"));
    for wrong in reports.iter().filter(|uri| !is_address(uri)) {
        let message = format!("reports cannot be sent to `{wrong}`");
        out.push(draft("dmarc-report-address", Severity::Warning, message).fix("write `mailto:` before the address"));
    }
    match tags.get("p").map(|p| p.to_ascii_lowercase()).as_deref() {
        Some("reject" | "quarantine") => {}
        Some("none") => {
            let message = "the policy asks receivers to do nothing".to_owned();
            let fix = "once reports show that all mail passes, tighten it to `quarantine` and then `reject`";
            out.push(draft("dmarc-none", Severity::Info, message).fix(fix));
        }
        other => {
            let told = other.map_or_else(|| "`p=` is missing".to_owned(), |p| format!("`p={p}` is no policy"));
            // With a place for reports it counts as `none`, without one as no record at all (RFC 9989 4.10.1).
            let severity = if reports.iter().any(is_address) { Severity::Warning } else { Severity::Error };
            out.push(draft("dmarc-policy", severity, told).fix("write `p=none`, `p=quarantine` or `p=reject`"));
        }
    }
    // What names below get counts as much as the policy itself (RFC 9989 4.10.1).
    for tag in ["sp", "np"] {
        let known = |p: &str| ["none", "quarantine", "reject"].iter().any(|word| p.eq_ignore_ascii_case(word));
        if let Some(wrong) = tags.get(tag).filter(|p| !known(p)) {
            let severity = if reports.iter().any(is_address) { Severity::Warning } else { Severity::Error };
            let message = format!("`{tag}={wrong}` is no policy, and spoils the whole record");
            let fix = format!("write `{tag}=none`, `{tag}=quarantine` or `{tag}=reject`, or leave it out");
            out.push(draft("dmarc-policy", severity, message).fix(fix));
        }
    }
    out.extend(obsolete(draft, &tags));
    if !out.iter().any(|f| matches!(f.severity, Severity::Warning | Severity::Error)) {
        out.push(draft("dmarc-ok", Severity::Ok, "there is a DMARC policy".to_owned()));
    }
    out
}

fn obsolete(
    draft: &impl Fn(&'static str, Severity, String) -> Finding,
    tags: &BTreeMap<String, String>,
) -> Option<Finding> {
    let gone: Vec<&str> = ["pct", "rf", "ri"].into_iter().filter(|t| tags.contains_key(*t)).collect();
    let message = format!("{} no longer mean anything (RFC 9989)", gone.join(", "));
    (!gone.is_empty()).then(|| draft("dmarc-obsolete-tag", Severity::Info, message).fix("remove them"))
}
