//! MTA-STS (RFC 8461): senders that know the policy deliver to no mail server that it does not list.

use std::{collections::BTreeMap, net::SocketAddr};

use super::{Host, Page, Scene, WebError};
use crate::{
    diag::{Finding, Severity},
    dns::check::{Complete as _, finding},
    model::RecordType,
};

/// The longest life of a policy in seconds (RFC 8461 3.2).
const LONGEST: u32 = 31_557_600;
const DAY: u32 = 86_400;

/// What senders do when the policy is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyMode {
    /// They do not deliver.
    Enforce,
    /// They deliver and report.
    Testing,
    /// They take it as no policy.
    None,
}

/// A policy (RFC 8461 3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What senders do.
    pub mode: PolicyMode,
    /// How long it is kept, in seconds.
    pub max_age: u32,
    /// Host names, or `*.` and a domain.
    pub mx: Vec<String>,
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// One part of a sentence that tells the first thing that is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut fields: BTreeMap<&str, &str> = BTreeMap::new();
        let mut mx = Vec::new();
        for line in text.split('\n').map(|l| l.strip_suffix('\r').unwrap_or(l)).filter(|l| !l.trim().is_empty()) {
            let (key, value) = line.split_once(':').ok_or_else(|| format!("`{line}` has no colon"))?;
            if key.is_empty() || !key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')) {
                return Err(format!("`{key}` is no key"));
            }
            let value = value.trim();
            if key == "mx" {
                mx.push(value.trim_end_matches('.').to_ascii_lowercase());
            } else {
                // Of a field that stands twice the first one counts.
                fields.entry(key).or_insert(value);
            }
        }
        if fields.get("version") != Some(&"STSv1") {
            return Err("`version: STSv1` is missing".to_owned());
        }
        let mode = match fields.get("mode") {
            Some(&"enforce") => PolicyMode::Enforce,
            Some(&"testing") => PolicyMode::Testing,
            Some(&"none") => PolicyMode::None,
            Some(other) => return Err(format!("`mode: {other}` is no mode")),
            None => return Err("`mode` is missing".to_owned()),
        };
        let age = fields.get("max_age").ok_or_else(|| "`max_age` is missing".to_owned())?;
        let digits = !age.is_empty() && age.bytes().all(|b| b.is_ascii_digit());
        let max_age = age.parse().ok().filter(|age| digits && *age <= LONGEST);
        let max_age = max_age.ok_or_else(|| format!("`max_age: {age}` is no number up to {LONGEST}"))?;
        if mx.is_empty() && mode != PolicyMode::None {
            return Err("it lists no mail server (`mx`)".to_owned());
        }
        Ok(Self { mode, max_age, mx })
    }

    /// Whether mail may be delivered to a host: `*.` stands for exactly one label (RFC 8461 4.1).
    #[must_use]
    pub fn covers(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.mx.iter().any(|pattern| match pattern.strip_prefix("*.") {
            Some(parent) => host.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == parent),
            None => *pattern == host,
        })
    }
}

pub(super) async fn check(scene: &Scene<'_>) -> Vec<Finding> {
    let name = format!("_mta-sts.{}", scene.domain());
    let values = match scene.values(&name, RecordType::Txt).await {
        Ok(values) => values,
        Err(unsure) => return vec![*unsure],
    };
    let subject = format!("{name} TXT");
    let say = |code, severity, message: &str| finding(code, severity, &subject, message).actual(values.join(", "));
    let records: Vec<&String> = values.iter().filter(|v| v.starts_with("v=STSv1;")).collect();
    match records.as_slice() {
        [] if values.iter().any(|v| v.to_ascii_lowercase().contains("v=stsv1")) => {
            let message = "the record looks like MTA-STS and is none";
            vec![say("mta-sts-syntax", Severity::Error, message).fix("it has to begin with `v=STSv1;`")]
        }
        [] => vec![finding("mta-sts-absent", Severity::Info, &subject, "there is no MTA-STS policy")],
        [record] if !has_id(record) => {
            let message = "the record has no `id` of 1 to 32 letters and digits: senders ignore it";
            vec![say("mta-sts-syntax", Severity::Error, message).fix("write `v=STSv1; id=20260101T000000;`")]
        }
        [_] => policy(scene).await,
        _ => {
            let message = "there are several MTA-STS records: senders take them for none";
            vec![say("mta-sts-multiple", Severity::Error, message).fix("keep one of them")]
        }
    }
}

fn has_id(record: &str) -> bool {
    let id = record.split(';').map(str::trim).find_map(|field| field.strip_prefix("id="));
    id.is_some_and(|id| (1..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric()))
}

async fn policy(scene: &Scene<'_>) -> Vec<Finding> {
    let host = format!("mta-sts.{}", scene.domain());
    let url = format!("https://{host}/.well-known/mta-sts.txt");
    let Some(web) = scene.audit.web else {
        let message = "the policy was not looked at".to_owned();
        return vec![finding("mta-sts-unread", Severity::Info, &url, message)];
    };
    let addresses = match addresses(scene, &host).await {
        Ok(addresses) => addresses,
        Err(wrong) => return vec![*wrong],
    };
    let broken = |message: String| {
        finding("mta-sts-policy", Severity::Error, &url, message)
            .fix("serve the policy there by HTTPS, as text/plain, without a redirect")
    };
    let page = match web.get(&host, "/.well-known/mta-sts.txt", &addresses).await {
        Ok(page) => page,
        Err(WebError::Wrong(why)) => return vec![broken("the policy cannot be fetched".to_owned()).actual(why)],
        Err(WebError::Unreachable(why)) => {
            let message = "the policy could not be fetched from here";
            return vec![finding("mta-sts-unreachable", Severity::Unknown, &url, message).actual(why)];
        }
    };
    match read(&page) {
        Ok(policy) => judge(scene, &url, &policy),
        Err(why) => vec![broken(format!("the policy is not valid: {why}")).actual(page.body)],
    }
}

fn read(page: &Page) -> Result<Policy, String> {
    if page.status != 200 {
        return Err(format!("the server answers with status {}", page.status));
    }
    let media = page.media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if media != "text/plain" {
        return Err(format!("its media type is `{media}` and has to be text/plain"));
    }
    Policy::parse(&page.body)
}

async fn addresses(scene: &Scene<'_>, host: &str) -> Result<Vec<SocketAddr>, Box<Finding>> {
    let mut name = host.to_owned();
    // Delegation by aliases is how platforms host policies (RFC 8461 8.2).
    for _ in 0..8 {
        match scene.host(&name).await? {
            Host::Alias(target) => name = target,
            Host::At(ips) => {
                let ips = ips.iter().filter_map(|ip| ip.parse().ok());
                return Ok(ips.map(|ip| SocketAddr::new(ip, 443)).collect());
            }
            Host::Nowhere => break,
        }
    }
    let message = format!("{host} has no address: senders cannot fetch the policy that is announced");
    let fix = "give it an address with the policy, or remove the `_mta-sts` record";
    Err(Box::new(finding("mta-sts-policy", Severity::Error, format!("{host} A"), message).fix(fix)))
}

fn judge(scene: &Scene<'_>, url: &str, policy: &Policy) -> Vec<Finding> {
    if policy.mode == PolicyMode::None {
        let message = "the policy is switched off (`mode: none`)";
        return vec![finding("mta-sts-none", Severity::Info, url, message)];
    }
    let mut out = Vec::new();
    let severity = if policy.mode == PolicyMode::Enforce { Severity::Error } else { Severity::Warning };
    let list = policy.mx.join(", ");
    let now = scene.mail_servers();
    for host in now.iter().filter(|h| !policy.covers(h)) {
        let message = format!("the policy does not list {host}: senders that know it do not deliver there");
        let fix = format!("add `mx: {host}` to the policy and change the `id` of the record");
        out.push(finding("mta-sts-mx-uncovered", severity, url, message).actual(list.clone()).fix(fix));
    }
    for host in scene.wanted_servers().iter().filter(|h| !policy.covers(h) && !now.contains(h)) {
        let message = format!("the policy does not list {host}, to which mail is going to move");
        let fix = format!(
            "add `mx: {host}` and a new `id` before the MX records change, and wait {} s, the life of the old policy",
            policy.max_age
        );
        out.push(finding("mta-sts-target-uncovered", severity, url, message).actual(list.clone()).fix(fix));
    }
    if policy.max_age < DAY {
        let message = format!("the policy lives {} s only: an attacker has to wait no longer", policy.max_age);
        out.push(finding("mta-sts-short", Severity::Info, url, message).fix("raise `max_age` to weeks"));
    }
    if !out.iter().any(|f| f.severity >= Severity::Warning) {
        out.push(finding("mta-sts-ok", Severity::Ok, url, "the policy lists every mail server"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_read_as_senders_read_them() {
        let good =
            "version: STSv1\r\nmode: enforce\nmx: Mail.example.org\nmx: *.example.net\nmax_age: 604800\nmax_age: 1\n";
        let policy = Policy::parse(good).unwrap();
        assert_eq!((policy.mode, policy.max_age), (PolicyMode::Enforce, 604_800));
        assert!(policy.covers("mail.EXAMPLE.org.") && policy.covers("mx1.example.net"));
        assert!(!policy.covers("a.b.example.net") && !policy.covers("example.net") && !policy.covers("x.example.org"));
        assert!(Policy::parse("version: STSv1\nmode: none\nmax_age: 0\n").is_ok());
        for wrong in [
            "",
            "mode: none\nmax_age: 1",
            "version: STSv1\nmode: strict\nmax_age: 1",
            "version: STSv1\nmode: enforce\nmax_age: 1",
            "version: STSv1\nmode : enforce\nmx: a.b\nmax_age: 1",
            "version: STSv1\nmode: testing\nmx: a.b\nmax_age: +1",
            "version: STSv1\nmode: testing\nmx: a.b\nmax_age: 31557601",
            "<html>",
        ] {
            assert!(Policy::parse(wrong).is_err(), "{wrong}");
        }
        let redirect = Page { status: 301, media: "text/plain".to_owned(), body: good.to_owned() };
        assert!(read(&redirect).is_err(), "a redirect is no policy");
        assert!(read(&Page { status: 200, media: "text/html".to_owned(), ..redirect.clone() }).is_err());
        assert!(read(&Page { status: 200, media: "text/plain; charset=utf-8".to_owned(), ..redirect }).is_ok());
        assert!(has_id("v=STSv1; id=20260101T0;") && !has_id("v=STSv1;") && !has_id("v=STSv1; id=a-b;"));
    }
}
