//! Keys that sign (RFC 6376 3.6.1, RFC 8301).

use std::collections::BTreeMap;

use super::{
    Complete as _, Scene, answers::shown, finding, key::judge_key, lacks_dot, publish, severity, wanted as told,
};
use crate::{
    diag::{Finding, Severity},
    model::{DnsTopic, ExpectedRecord, RecordType},
};

pub(super) fn check(scene: &Scene<'_>) -> Vec<Finding> {
    let wanted = scene.expected(DnsTopic::Dkim);
    if wanted.is_empty() {
        let subject = format!("{} DKIM", scene.domain);
        let message = format!("the platform names no keys for {}", scene.domain);
        return vec![finding("dkim-not-offered", Severity::Info, subject, message)];
    }
    wanted.into_iter().flat_map(|record| one(scene, record)).collect()
}

fn one(scene: &Scene<'_>, record: &ExpectedRecord) -> Vec<Finding> {
    // What stands behind the alias, as far as the servers of the domain know it; others are asked by the audit.
    let behind: Vec<&[String]> = match record.rtype {
        RecordType::Cname => scene.answers(&record.name, RecordType::Txt).known().collect(),
        _ => Vec::new(),
    };
    let domain = scene.domain.as_str();
    scene.judge(&record.name, record.rtype, |values| match record.rtype {
        RecordType::Cname => alias(record, domain, values, &behind),
        _ => key(record, values),
    })
}

fn draft(record: &ExpectedRecord, values: &[String], code: &str, how_bad: Severity, message: String) -> Finding {
    finding(code, how_bad, &record.name, message).expected(told(record)).actual(shown(values))
}

/// The platform keeps the key; the domain holds an alias to it.
fn alias(record: &ExpectedRecord, domain: &str, values: &[String], behind: &[&[String]]) -> Vec<Finding> {
    let name = &record.name;
    let say = |code, how_bad, message: String| vec![draft(record, values, code, how_bad, message).fix(publish(record))];
    match values {
        [target] if target.eq_ignore_ascii_case(&record.value) => reached(record, target, behind),
        [] if behind.iter().any(|texts| !texts.is_empty()) => {
            let message = format!("{name} holds a key of its own instead of an alias to the platform's");
            say("dkim-wrong-type", severity(record.need), message)
        }
        [] => {
            let message = format!("{name} is missing: the platform cannot sign with this key");
            say("dkim-missing", severity(record.need), message)
        }
        [target] if lacks_dot(target, &record.value, domain) => {
            let message = format!("{name} leads to {target}, which ends with the domain: its final dot is missing");
            say("target-doubled", Severity::Error, message)
        }
        _ => say("dkim-wrong-target", Severity::Error, format!("{name} leads elsewhere than to the platform's key")),
    }
}

/// The alias is right; what it leads to has to be a key.
fn reached(record: &ExpectedRecord, target: &str, behind: &[&[String]]) -> Vec<Finding> {
    let name = &record.name;
    match behind {
        [] => {
            let message = format!("{name} leads to the platform's key");
            vec![finding("dkim-ok", Severity::Ok, name, message).expected(told(record)).actual(target)]
        }
        answers => answers.iter().flat_map(|texts| behind_alias(name, target, severity(record.need), texts)).collect(),
    }
}

/// What is wrong with the texts that an alias of a key leads to; one calm finding when nothing is.
pub(in crate::dns) fn behind_alias(name: &str, target: &str, how_bad: Severity, texts: &[String]) -> Vec<Finding> {
    let say = |code: &str, severity, message: String| finding(code, severity, name, message);
    match texts {
        [] => {
            let message = format!("{name} leads to {target}, and there is no key");
            let fix = "let the platform make the key; when it has others, publish those and remove this alias";
            vec![say("dkim-target-missing", how_bad, message).actual(format!("CNAME {target}")).fix(fix)]
        }
        [text] => {
            let wrong = judge_key(text);
            let grave = wrong.iter().any(|w| w.severity != Severity::Info);
            let mut out: Vec<Finding> = wrong
                .into_iter()
                .map(|w| say(w.code, w.severity, format!("{name}: {}", w.message)).actual(text.clone()).fix(w.fix))
                .collect();
            if !grave {
                out.push(
                    say("dkim-ok", Severity::Ok, format!("{name} leads to a key")).actual(format!("CNAME {target}")),
                );
            }
            out
        }
        several => {
            let message = format!("{name} leads to {} records: which of them is the key is undefined", several.len());
            vec![say("dkim-multiple", Severity::Error, message).actual(shown(several)).fix("keep one of them")]
        }
    }
}

/// The key itself.
fn key(record: &ExpectedRecord, values: &[String]) -> Vec<Finding> {
    let name = &record.name;
    let found =
        |code, how_bad, message: String| vec![draft(record, values, code, how_bad, message).fix(publish(record))];
    let value = match values {
        [] => {
            let message = format!("{name} is missing: signatures with this key cannot be checked");
            return found("dkim-missing", severity(record.need), message);
        }
        [value] => value,
        _ => {
            let message = format!("{name} holds {} records: which of them is the key is undefined", values.len());
            return found("dkim-multiple", Severity::Error, message);
        }
    };
    let wrong = judge_key(value);
    let grave = wrong.iter().any(|w| w.severity != Severity::Info);
    let told = wrong.into_iter().map(|w| {
        let fix = format!("{}; {}", w.fix, publish(record));
        draft(record, values, w.code, w.severity, format!("{name}: {}", w.message)).fix(fix)
    });
    let mut out: Vec<Finding> = told.collect();
    if grave {
        return out;
    }
    let wanted = tags(&record.value).and_then(|t| t.get("p").map(|p| material(p)));
    let there = tags(value).and_then(|t| t.get("p").map(|p| material(p)));
    if wanted.is_some() && wanted != there {
        return found("dkim-wrong-key", Severity::Error, format!("{name} holds another key than the platform's"));
    }
    out.push(draft(record, values, "dkim-ok", Severity::Ok, format!("{name} holds the key")));
    out
}

/// The text of a key without the white space that may stand in it.
pub(super) fn material(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

/// A tag list (RFC 6376 3.2); `None` when it is none, or a tag stands twice.
pub(in crate::dns) fn tags(text: &str) -> Option<BTreeMap<String, String>> {
    let mut out = BTreeMap::new();
    for part in text.split(';').map(str::trim).filter(|p| !p.is_empty()) {
        let (name, value) = part.split_once('=')?;
        if out.insert(name.trim().to_owned(), value.trim().to_owned()).is_some() {
            return None;
        }
    }
    (!out.is_empty()).then_some(out)
}
