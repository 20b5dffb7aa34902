//! Keys behind selectors that the user names, wherever the alias leads.

use super::Scene;
use crate::{
    diag::{Finding, Severity},
    dns::check::{Complete as _, finding, judge_key},
    model::RecordType,
};

pub(super) async fn check(scene: &Scene<'_>) -> Vec<Finding> {
    let mut out = Vec::new();
    for selector in scene.audit.selectors {
        let name = format!("{selector}._domainkey.{}", scene.domain());
        match scene.values(&name, RecordType::Txt).await {
            Err(unsure) => out.push(*unsure),
            Ok(values) => out.extend(one(&name, &values)),
        }
    }
    out
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
