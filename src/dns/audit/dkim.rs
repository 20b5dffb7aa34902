//! Keys behind the selectors of the platform and of the user, hop by hop wherever the alias leads.

use std::collections::BTreeSet;

use super::Scene;
use crate::{
    diag::{Finding, Severity},
    dns::check::{Complete as _, behind_alias, finding, judge_key, tags},
    model::{DnsTopic, Need, RecordType, Verdict},
};

/// How far aliases are followed.
const HOPS: usize = 8;
/// A label that nobody publishes is asked for below this one.
const KEYS: &str = "_domainkey";

pub(super) async fn check(scene: &Scene<'_>) -> Vec<Finding> {
    let mut out = wildcard(scene).await;
    let mut seen = BTreeSet::new();
    let mut usable = false;
    let mut led = Vec::new();
    let wanted = scene.audit.expected.iter().filter(|r| r.topic == DnsTopic::Dkim);
    for record in wanted {
        seen.insert(record.name.clone());
        // An alias to somewhere else, and a key, are judged at each server of the domain.
        let own = scene.own(&record.name, RecordType::Cname);
        let right = own.iter().any(|v| v.eq_ignore_ascii_case(&record.value));
        if record.rtype == RecordType::Cname && right {
            let severity = if record.need == Need::Optional { Severity::Info } else { Severity::Warning };
            let found = follow(scene, &record.name, severity).await;
            usable |= found.iter().any(|f| f.severity == Severity::Ok);
            led.extend(found);
        }
    }
    // One key of several that is not there yet is how platforms prepare the next one; without any, nothing is signed.
    let worst = if usable { Severity::Warning } else { Severity::Error };
    out.extend(led.into_iter().map(|f| match f.severity {
        Severity::Warning if f.code == "dkim-target-missing" => Finding { severity: worst, ..f },
        _ => f,
    }));
    for selector in scene.audit.selectors {
        let name = format!("{selector}.{KEYS}.{}", scene.domain());
        if seen.insert(name.clone()) {
            out.extend(named(scene, &name).await);
        }
    }
    out
}

/// A selector that the user named: a key, or an alias to one.
async fn named(scene: &Scene<'_>, name: &str) -> Vec<Finding> {
    match scene.values(name, RecordType::Cname).await {
        Err(unsure) => vec![*unsure],
        Ok(aliases) if !aliases.is_empty() => follow(scene, name, Severity::Error).await,
        Ok(_) => match scene.values(name, RecordType::Txt).await {
            Err(unsure) => vec![*unsure],
            Ok(values) => one(name, &values),
        },
    }
}

/// Follows an alias to its end, and judges what stands there.
async fn follow(scene: &Scene<'_>, name: &str, missing: Severity) -> Vec<Finding> {
    let mut path = vec![name.to_owned()];
    loop {
        let at = path.last().cloned().unwrap_or_default();
        match scene.values(&at, RecordType::Cname).await {
            Err(unsure) => return vec![*unsure],
            Ok(next) => match next.into_iter().next() {
                Some(target) if path.contains(&target) || path.len() > HOPS => {
                    path.push(target);
                    let message = format!("{name} leads in a circle or too far: no key is found");
                    let broken = finding("dkim-target-missing", Severity::Error, name, message);
                    return vec![broken.actual(path.join(" -> ")).fix("publish the alias that the platform shows")];
                }
                Some(target) => path.push(target),
                None => break,
            },
        }
    }
    let end = path.last().cloned().unwrap_or_default();
    match scene.values(&end, RecordType::Txt).await {
        Err(unsure) => vec![*unsure],
        Ok(texts) => behind_alias(name, &end, missing, &texts),
    }
}

/// Where a wildcard answers for every selector, only a key that can be read counts.
async fn wildcard(scene: &Scene<'_>) -> Vec<Finding> {
    let name = format!("{}.{KEYS}.{}", scene.canary, scene.domain());
    let mut found = Vec::new();
    for rtype in [RecordType::Cname, RecordType::Txt] {
        if let Verdict::Found { values, .. } = scene.ask(&name, rtype).await {
            found.extend(values);
        }
    }
    // That no key counts is what a domain says that sends nothing.
    let revoked = |text: &String| tags(text).is_some_and(|t| t.get("p").is_some_and(String::is_empty));
    if found.iter().all(revoked) {
        return Vec::new();
    }
    // One that answers for all names is told with those names.
    let everywhere = format!("{}.{}", scene.canary, scene.domain());
    let general = matches!(scene.ask(&everywhere, RecordType::Txt).await, Verdict::Found { .. })
        || matches!(scene.ask(&everywhere, RecordType::Cname).await, Verdict::Found { .. });
    let subject = if general { format!("*.{}", scene.domain()) } else { format!("*.{KEYS}.{}", scene.domain()) };
    let message = "every selector seems to exist: a key that is missing is not noticed";
    vec![
        finding("dkim-wildcard", Severity::Warning, subject, message)
            .actual(found.join(", "))
            .fix("remove the wildcard"),
    ]
}

fn one(name: &str, values: &[String]) -> Vec<Finding> {
    let subject = format!("{name} TXT");
    let say =
        |code: &str, severity, message: String| finding(code, severity, &subject, message).actual(values.join("\n"));
    match values {
        [] => {
            let message = format!("{name} is missing: signatures with this key cannot be checked");
            vec![say("dkim-missing", Severity::Error, message).fix("publish the key that the platform shows")]
        }
        [value] => {
            let wrong = judge_key(value);
            let grave = wrong.iter().any(|w| w.severity != Severity::Info);
            let mut out: Vec<Finding> = wrong
                .into_iter()
                .map(|w| say(w.code, w.severity, format!("{name}: {}", w.message)).fix(w.fix))
                .collect();
            if !grave {
                out.push(say("dkim-ok", Severity::Ok, format!("{name} holds a key")));
            }
            out
        }
        several => {
            let message = format!("{name} holds {} records: which of them is the key is undefined", several.len());
            vec![say("dkim-multiple", Severity::Error, message).fix("keep one of them")]
        }
    }
}
