//! How mail programs find their server: Outlook by `_autodiscover._tcp` and `autodiscover`, Thunderbird by `autoconfig`.

use super::{Complete as _, Scene, answers::shown, finding, lacks_dot, publish, severity, wanted as told, zone_line};
use crate::{
    diag::{Finding, Severity},
    model::{DnsTopic, ExpectedRecord, RecordType},
};

/// Where the default zone of OVHcloud's MX Plan sends mail programs. It stays behind when a domain moves on.
const MX_PLAN: &str = "mailconfig.ovh.net";

/// The host that a value names: its last word.
fn host(value: &str) -> &str {
    value.rsplit(' ').next().unwrap_or(value)
}

fn port(value: &str) -> Option<&str> {
    value.split(' ').nth(2)
}

pub(super) fn autodiscover(scene: &Scene<'_>) -> Vec<Finding> {
    let domain = scene.domain;
    let wanted = scene.expected(DnsTopic::Autodiscover);
    let (srv_name, host_name) = (format!("_autodiscover._tcp.{domain}"), format!("autodiscover.{domain}"));
    let srv = wanted.iter().find(|r| r.rtype == RecordType::Srv).copied();
    let cname = wanted.iter().find(|r| r.rtype == RecordType::Cname).copied();
    let mut out = match srv {
        Some(record) => scene.judge(&record.name, RecordType::Srv, |values| service(domain.as_str(), record, values)),
        None if cname.is_some() => Vec::new(),
        None => scene.judge(&srv_name, RecordType::Srv, |values| vec![unjudged("autodiscover", &srv_name, values)]),
    };
    out.extend(match cname {
        Some(record) => scene
            .judge(&record.name, RecordType::Cname, |values| alias("autodiscover", domain.as_str(), record, values)),
        None => {
            let ours = srv.map(|r| host(&r.value));
            let mut out = scene.judge(&host_name, RecordType::Cname, |values| shadow(&host_name, ours, values));
            let no_alias = scene.answers(&host_name, RecordType::Cname).known().all(<[String]>::is_empty);
            if no_alias {
                out.extend(scene.judge(&host_name, RecordType::A, |values| shadow(&host_name, ours, values)));
            }
            out
        }
    });
    out
}

pub(super) fn autoconfig(scene: &Scene<'_>) -> Vec<Finding> {
    let domain = scene.domain.as_str();
    let name = format!("autoconfig.{domain}");
    let wanted = scene.expected(DnsTopic::Autoconfig);
    let (services, hosts): (Vec<&ExpectedRecord>, Vec<&ExpectedRecord>) =
        wanted.into_iter().partition(|r| r.rtype == RecordType::Srv);
    let mut out: Vec<Finding> =
        services.iter().flat_map(|r| scene.judge(&r.name, r.rtype, |values| offered(domain, r, values))).collect();
    if let Some(record) = hosts.first() {
        out.extend(scene.judge(&record.name, record.rtype, |values| alias("autoconfig", domain, record, values)));
        return out;
    }
    // Only a platform that says where its mail programs go can tell what is left over.
    let moved = scene.expected(DnsTopic::Autodiscover).iter().any(|r| host(&r.value) != MX_PLAN);
    out.extend(scene.judge(&name, RecordType::Cname, |values| {
        if moved && values.iter().any(|v| v == MX_PLAN) {
            return vec![leftover("autoconfig-leftover", Severity::Warning, &name, "Thunderbird", values)];
        }
        if !services.is_empty() && values.is_empty() {
            return Vec::new();
        }
        vec![unjudged("autoconfig", &name, values)]
    }));
    out
}

/// A service that the platform offers, or says that it does not (RFC 6186 3.4).
fn offered(domain: &str, record: &ExpectedRecord, values: &[String]) -> Vec<Finding> {
    let name = &record.name;
    let draft = |code, how_bad, message: String| {
        finding(code, how_bad, name, message).expected(told(record)).actual(shown(values))
    };
    let absent = host(&record.value) == ".";
    let right = |v: &String| host(v) == host(&record.value) && (absent || port(v) == port(&record.value));
    vec![match values {
        // What is not offered need not be said.
        [] if absent => return Vec::new(),
        [] => {
            let message = format!("{name} is missing: mail programs do not find the service by themselves");
            draft("srv-missing", severity(record.need), message).fix(publish(record))
        }
        values if values.iter().all(right) => draft("srv-ok", Severity::Ok, format!("{name} leads to the platform")),
        values => match doubled(domain, record, values) {
            Some(wrong) => wrong,
            None => {
                let message = format!("{name} leads elsewhere than to the platform");
                draft("srv-wrong", Severity::Error, message).fix(publish(record))
            }
        },
    }]
}

/// A target that is the platform's with the domain behind it.
fn doubled(domain: &str, record: &ExpectedRecord, values: &[String]) -> Option<Finding> {
    let target = values.iter().map(|v| host(v)).find(|target| lacks_dot(target, host(&record.value), domain))?;
    let message = format!("{} leads to {target}, which ends with the domain: its final dot is missing", record.name);
    let out = finding("target-doubled", Severity::Error, &record.name, message);
    Some(out.expected(told(record)).actual(shown(values)).fix(publish(record)))
}

fn unjudged(topic: &str, name: &str, values: &[String]) -> Finding {
    let message = if values.is_empty() {
        format!("{name} does not exist, and nothing is known that asks for it")
    } else {
        format!("{name} exists, and nothing is known to compare it with")
    };
    finding(&format!("{topic}-not-expected"), Severity::Info, name, message).actual(shown(values))
}

fn leftover(code: &str, how_bad: Severity, name: &str, program: &str, values: &[String]) -> Finding {
    let message = format!("{name} is left over from MX Plan: {program} is sent to a platform that the domain has left");
    finding(code, how_bad, name, message).actual(shown(values)).fix(format!("remove {name}"))
}

/// The SRV record: one, with the platform's host and port.
fn service(domain: &str, record: &ExpectedRecord, values: &[String]) -> Vec<Finding> {
    let name = &record.name;
    let draft = |code, how_bad, message: String| {
        finding(code, how_bad, name, message).expected(told(record)).actual(shown(values))
    };
    if let Some(wrong) = doubled(domain, record, values) {
        return vec![wrong];
    }
    let publish = publish(record);
    vec![match values {
        [] => {
            let message = format!("{name} is missing: Outlook does not find the mailboxes by itself");
            draft("autodiscover-missing", severity(record.need), message).fix(publish)
        }
        [one] if host(one) == host(&record.value) && port(one) == port(&record.value) => {
            draft("autodiscover-ok", Severity::Ok, format!("{name} leads to the platform"))
        }
        [one] if host(one) == "." => {
            let message = format!("{name} says that the service is not offered");
            draft("autodiscover-disabled", severity(record.need), message).fix(publish)
        }
        [one] if host(one) == MX_PLAN => {
            let message =
                format!("{name} is left over from MX Plan: Outlook is sent to a platform that the domain has left");
            draft("autodiscover-leftover", Severity::Error, message).fix(publish)
        }
        [_] => {
            let message = format!("{name} leads elsewhere than to the platform");
            draft("autodiscover-wrong", Severity::Error, message).fix(publish)
        }
        several => {
            let message = format!("{name} has {} records: Outlook takes any of them", several.len());
            draft("autodiscover-multiple", Severity::Error, message).fix(format!("keep one\n{}", zone_line(record)))
        }
    }]
}

/// An alias that the platform asks for.
fn alias(topic: &str, domain: &str, record: &ExpectedRecord, values: &[String]) -> Vec<Finding> {
    let name = &record.name;
    let draft = |code: &str, how_bad, message: String| {
        finding(&format!("{topic}-{code}"), how_bad, name, message).expected(told(record)).actual(shown(values))
    };
    if let Some(wrong) = doubled(domain, record, values) {
        return vec![wrong];
    }
    let publish = publish(record);
    vec![match values {
        [] => draft("missing", severity(record.need), format!("{name} is missing")).fix(publish),
        [one] if *one == record.value => draft("ok", Severity::Ok, format!("{name} leads to the platform")),
        [one] if *one == MX_PLAN => {
            let message = format!("{name} is left over from MX Plan: it leads to a platform that the domain has left");
            draft("leftover", Severity::Error, message).fix(publish)
        }
        _ => draft("wrong", Severity::Error, format!("{name} leads elsewhere than to the platform")).fix(publish),
    }]
}

/// `autodiscover.<domain>`, which Outlook tries before the SRV record, where the platform asks for none.
fn shadow(name: &str, ours: Option<&str>, values: &[String]) -> Vec<Finding> {
    match (values, ours) {
        ([], _) | (_, None) => Vec::new(),
        (values, Some(ours)) if values.iter().all(|v| v == ours) => Vec::new(),
        (values, Some(_)) if values.iter().any(|v| v == MX_PLAN) => {
            vec![leftover("autodiscover-leftover", Severity::Error, name, "Outlook", values)]
        }
        (values, Some(ours)) => {
            let message = format!("{name} exists, and Outlook asks it before the SRV record that leads to {ours}");
            let out = finding("autodiscover-shadowed", Severity::Warning, name, message);
            vec![out.actual(shown(values)).fix(format!("remove {name}, unless it is meant"))]
        }
    }
}
