//! What receivers do with mail that fails (RFC 9989).

use super::{
    Complete as _, Scene,
    answers::shown,
    dkim::tags,
    finding, publish,
    tree::{self, Policy},
    wanted as told,
};
use crate::{
    diag::{Finding, Severity},
    model::{DnsTopic, ExpectedRecord, RecordType},
};

pub(super) fn check(scene: &Scene<'_>) -> Vec<Finding> {
    let domain = scene.domain;
    let own = format!("_dmarc.{domain}");
    let above = tree::names(domain.as_str()).into_iter().skip(1).find_map(|name| {
        let asked = format!("_dmarc.{name}");
        let known: Vec<&[String]> = scene.answers(&asked, RecordType::Txt).known().collect();
        known.into_iter().flatten().find_map(|v| Policy::read(v)).map(|policy| (name, policy))
    });
    let wish = scene.expected(DnsTopic::Dmarc).first().copied();
    let mut out = scene.judge(&own, RecordType::Txt, |values| {
        let mut out = judge(&own, above.as_ref(), values);
        out.extend(wish.and_then(|record| differs(record, values)));
        out
    });
    let misplaced = |values: &[String]| values.iter().any(|v| is_record(v));
    if scene.answers(domain.as_str(), RecordType::Txt).known().any(misplaced) {
        let message = format!("a DMARC record stands at {domain}, where nobody looks for it");
        out.push(finding("dmarc-misplaced", Severity::Warning, domain, message).fix(format!("move it to {own}")));
    }
    out
}

/// `v=DMARC1` in exactly this case, white space around the sign allowed, then the end or a semicolon.
pub(in crate::dns) fn is_record(text: &str) -> bool {
    let Some((tag, rest)) = text.split_once('=') else { return false };
    tag.trim() == "v" && rest.split(';').next().is_some_and(|v| v.trim() == "DMARC1")
}

/// Whether the record is another than the one that somebody asked for, whatever the order of its tags.
fn differs(record: &ExpectedRecord, values: &[String]) -> Option<Finding> {
    let records: Vec<&String> = values.iter().filter(|v| is_record(v)).collect();
    let same = |v: &&String| tags(v) == tags(&record.value);
    if records.iter().any(same) {
        return None;
    }
    let message = format!("{} is not the policy that the spec asks for", record.name);
    let out = finding("dmarc-differs", Severity::Error, &record.name, message);
    Some(out.expected(told(record)).actual(shown(values)).fix(publish(record)))
}

fn judge(own: &str, above: Option<&(String, Policy)>, values: &[String]) -> Vec<Finding> {
    let records: Vec<&String> = values.iter().filter(|v| is_record(v)).collect();
    let draft = |code, severity, message: String| finding(code, severity, own, message).actual(shown(values));
    let example = "publish `v=DMARC1; p=none; rua=mailto:` with an address that is read, and tighten it later";
    let mut out = foreign(own, values);
    out.extend(match (records.as_slice(), above) {
        ([], _) if values.iter().any(|v| v.trim_start_matches('"').to_ascii_lowercase().starts_with("v=dmarc1")) => {
            let message = "the record looks like DMARC and is none".to_owned();
            vec![draft("dmarc-syntax", Severity::Error, message).fix("it has to begin with `v=DMARC1;`")]
        }
        ([], Some((name, policy))) => vec![inherited(own, name, policy)],
        ([], None) => {
            let message = "there is no DMARC policy: large receivers mistrust such mail".to_owned();
            vec![draft("dmarc-missing", Severity::Warning, message).fix(example)]
        }
        ([record], _) => policy(&draft, record),
        (several, _) => {
            let message = format!("there are {} DMARC records: receivers ignore them all", several.len());
            vec![draft("dmarc-multiple", Severity::Error, message).fix("keep one of them")]
        }
    });
    out
}

/// Other texts at the name of the policy, which receivers have to read and leave aside.
fn foreign(own: &str, values: &[String]) -> Vec<Finding> {
    let looks = |v: &str| v.trim_start_matches(['"', ' ']).to_ascii_lowercase().starts_with("v=dmarc");
    let others: Vec<&String> = values.iter().filter(|v| !is_record(v) && !looks(v)).collect();
    if others.is_empty() {
        return Vec::new();
    }
    let message = if others.iter().any(|v| crate::dns::spf::is_record(v)) {
        format!("an SPF record stands at {own}: a wildcard answers there, or it was written at the wrong name")
    } else {
        format!("{own} has texts that are no DMARC record")
    };
    let list: Vec<&str> = others.into_iter().map(String::as_str).collect();
    vec![
        finding("dmarc-foreign-text", Severity::Warning, own, message)
            .actual(list.join("\n"))
            .fix("move or remove them"),
    ]
}

/// A policy that stands above the domain: what it asks for names below itself (RFC 9989 4.10.1).
pub(in crate::dns) fn inherited(own: &str, name: &str, policy: &Policy) -> Finding {
    let (tag, asked) = policy.below(true);
    let message = format!("the policy is that of {name}: `{tag}={asked}` holds here");
    finding("dmarc-inherited", Severity::Info, own, message).actual(policy.text.clone())
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
    out.extend(values_of_tags(draft, &tags));
    out.extend(order(draft, record, &tags));
    out.extend(testing(draft, &tags));
    out.extend(obsolete(draft, &tags));
    if !out.iter().any(|f| matches!(f.severity, Severity::Warning | Severity::Error)) {
        out.push(draft("dmarc-ok", Severity::Ok, "there is a DMARC policy".to_owned()));
    }
    out
}

type Tags = std::collections::BTreeMap<String, String>;

/// Values that a tag cannot have: receivers take the usual one instead (RFC 9989 4.7).
fn values_of_tags(draft: &impl Fn(&'static str, Severity, String) -> Finding, tags: &Tags) -> Vec<Finding> {
    let rows: [(&str, &[&str], &str); 5] = [
        ("adkim", &["r", "s"], "r"),
        ("aspf", &["r", "s"], "r"),
        ("psd", &["y", "n", "u"], "u"),
        ("t", &["y", "n"], "n"),
        ("fo", &["0", "1", "d", "s"], "0"),
    ];
    let mut out = Vec::new();
    for (tag, known, usual) in rows {
        let Some(value) = tags.get(tag) else { continue };
        let mut words: Vec<&str> = if tag == "fo" { value.split(':').map(str::trim).collect() } else { vec![value] };
        words.retain(|w| !known.iter().any(|k| w.eq_ignore_ascii_case(k)));
        if !words.is_empty() {
            let message = format!("`{tag}={value}` means nothing: receivers take `{tag}={usual}`");
            let fix = format!("write one of `{}` behind `{tag}=`, or leave it out", known.join("`, `"));
            out.push(draft("dmarc-tag-value", Severity::Warning, message).fix(fix));
        }
    }
    out
}

/// Readers of RFC 7489 want the policy right behind the version (6.3).
fn order(draft: &impl Fn(&'static str, Severity, String) -> Finding, record: &str, tags: &Tags) -> Option<Finding> {
    let second = record.split(';').nth(1).and_then(|tag| tag.split_once('=')).map(|(name, _)| name.trim());
    if !tags.contains_key("p") || second == Some("p") {
        return None;
    }
    let message = "`p=` is not the second tag: receivers that follow RFC 7489 may pass over the record".to_owned();
    Some(draft("dmarc-order", Severity::Info, message).fix("write it right behind `v=DMARC1;`"))
}

/// A policy that is only tried out.
fn testing(draft: &impl Fn(&'static str, Severity, String) -> Finding, tags: &Tags) -> Option<Finding> {
    let tried = tags.get("t").is_some_and(|t| t.eq_ignore_ascii_case("y"));
    let none = tags.get("pct").is_some_and(|p| p == "0");
    let message = match (tried, none) {
        (true, false) => "`t=y`: receivers do what the policy one step milder asks for",
        (true, true) => "`t=y` and `pct=0`: the policy is only tried out, for receivers of both standards",
        (false, true) => "`pct=0` tries the policy out for receivers that follow RFC 7489; for others it is in force",
        (false, false) => return None,
    };
    let fix = if none && !tried { "write `t=y` instead of `pct=0`" } else { "remove it once reports show no surprise" };
    Some(draft("dmarc-testing", Severity::Info, message.to_owned()).fix(fix))
}

fn obsolete(draft: &impl Fn(&'static str, Severity, String) -> Finding, tags: &Tags) -> Option<Finding> {
    let gone: Vec<&str> = ["pct", "rf", "ri"].into_iter().filter(|t| tags.contains_key(*t)).collect();
    let message = format!("{} no longer mean anything (RFC 9989)", gone.join(", "));
    (!gone.is_empty()).then(|| draft("dmarc-obsolete-tag", Severity::Info, message).fix("remove them"))
}
