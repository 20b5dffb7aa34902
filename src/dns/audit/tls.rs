//! Certificates of mail servers in DNS (RFC 6698, RFC 7672), and reports about failed encryption (RFC 8460).

use super::Scene;
use crate::{
    diag::{Finding, Severity},
    dns::{
        Lookups as _,
        check::{Complete as _, finding},
    },
    model::{Question, RecordType},
};

pub(super) async fn check(scene: &Scene<'_>) -> Vec<Finding> {
    let mut out = Vec::new();
    for host in scene.mail_servers() {
        out.extend(tlsa(scene, &host).await);
    }
    out.extend(reports(scene).await);
    out
}

/// The certificates of one mail server. A sender that cannot read them does not deliver at all (RFC 7672 2.1).
async fn tlsa(scene: &Scene<'_>, host: &str) -> Vec<Finding> {
    let name = format!("_25._tcp.{host}");
    let values = match scene.values(&name, RecordType::Tlsa).await {
        Ok(values) => values,
        // Nothing is known of a stranger's zone, and its owner is not asked to do anything.
        Err(unsure) => return if scene.is_own(host) { vec![*unsure] } else { Vec::new() },
    };
    if values.is_empty() {
        return Vec::new();
    }
    let subject = format!("{name} TLSA");
    let say = |code, severity, message: String| finding(code, severity, &subject, message).actual(values.join("\n"));
    let signed = scene.signed(&Question { name: name.clone(), rtype: RecordType::Tlsa }).await;
    let mut out = Vec::new();
    if signed == Some(false) {
        // What a stranger does in his zone is not for the owner of the domain to mend.
        let severity = if scene.is_own(host) { Severity::Warning } else { Severity::Info };
        let message = format!("{host} has TLSA records that have no effect: the zone they stand in is not signed");
        out.push(
            say("tlsa-unsigned", severity, message)
                .fix("sign the zone and have its DS record published, or remove them"),
        );
    }
    for value in &values {
        let wrong = match kinds(value) {
            None => Some("cannot be read"),
            Some((usage, ..)) if usage < 2 => Some("has a usage that mail does not use (RFC 7672 3.1.3)"),
            Some((_, _, 1, 64) | (_, _, 2, 128)) => None,
            Some((_, _, 0, length)) if length > 128 => None,
            Some(_) => Some("does not have the length of its digest"),
        };
        if let Some(wrong) = wrong {
            let message = format!("a TLSA record of {host} {wrong}: `{value}`");
            // Where nobody reads it, it does no harm.
            let severity = if signed == Some(false) { Severity::Warning } else { Severity::Error };
            out.push(say("tlsa-unusable", severity, message).fix("publish `3 1 1` and the digest of the key"));
        }
    }
    if out.is_empty() {
        let message = match signed {
            Some(_) => format!("{host} has TLSA records, and they are signed"),
            None => format!("{host} has TLSA records; they count where the zone is signed"),
        };
        out.push(say("tlsa-ok", Severity::Ok, message));
    }
    out
}

/// Usage, selector, matching type, and hexadecimal digits.
fn kinds(value: &str) -> Option<(u8, u8, u8, usize)> {
    let words: Vec<&str> = value.split(' ').collect();
    let [usage, selector, matching, data] = words.as_slice() else { return None };
    let selector = selector.parse().ok().filter(|s| *s < 2)?;
    let usage = usage.parse().ok().filter(|u| *u < 4)?;
    Some((usage, selector, matching.parse().ok()?, data.len()))
}

async fn reports(scene: &Scene<'_>) -> Option<Finding> {
    let name = format!("_smtp._tls.{}", scene.domain());
    let values = match scene.values(&name, RecordType::Txt).await {
        Ok(values) => values,
        Err(unsure) => return Some(Scene::aside(*unsure)),
    };
    let subject = format!("{name} TXT");
    let say = |code, severity, message: &str| finding(code, severity, &subject, message).actual(values.join(", "));
    let records: Vec<&String> = values.iter().filter(|v| v.starts_with("v=TLSRPTv1;")).collect();
    Some(match records.as_slice() {
        [] if values.iter().any(|v| v.to_ascii_lowercase().contains("tlsrptv1")) => {
            let message = "the record looks like TLS-RPT and is none";
            say("tls-rpt-syntax", Severity::Error, message).fix("it has to begin with `v=TLSRPTv1;`")
        }
        [] => return None,
        [record] if has_destination(record) => say("tls-rpt-ok", Severity::Ok, "failed encryption is reported"),
        [_] => {
            let message = "the record names no place that reports can be sent to";
            say("tls-rpt-syntax", Severity::Error, message).fix("write `v=TLSRPTv1; rua=mailto:` and an address")
        }
        _ => {
            let message = "there are several TLS-RPT records: senders take them for none";
            say("tls-rpt-multiple", Severity::Error, message).fix("keep one of them")
        }
    })
}

fn has_destination(record: &str) -> bool {
    let rua = record.split(';').map(str::trim).find_map(|field| field.strip_prefix("rua="));
    let right = |uri: &str| {
        let uri = uri.trim().to_ascii_lowercase();
        uri.strip_prefix("mailto:").is_some_and(|a| a.contains('@')) || uri.starts_with("https://")
    };
    rua.is_some_and(|list| list.split(',').all(right))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_and_digests_are_told_apart() {
        assert!(has_destination("v=TLSRPTv1; rua=mailto:a@example.org,https://r.example"));
        assert!(!has_destination("v=TLSRPTv1; rua=a@example.org") && !has_destination("v=TLSRPTv1;"));
        assert_eq!(kinds("3 1 1 abcd"), Some((3, 1, 1, 4)));
        assert_eq!(kinds("3 1 1"), None);
    }
}
