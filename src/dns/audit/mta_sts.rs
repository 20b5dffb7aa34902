//! MTA-STS (RFC 8461): senders that know the policy deliver to no mail server that it does not list.

use std::net::SocketAddr;

use super::{Host, Page, Scene, Web, WebError};
use crate::{
    diag::{Finding, Severity},
    dns::{
        Lookups,
        check::{Complete as _, finding, why},
    },
    model::{Domain, Policy, PolicyMode, PolicyView, Question, RecordType},
};

/// Where a policy stands (RFC 8461 3.3).
const PATH: &str = "/.well-known/mta-sts.txt";
const DAY: u32 = 86_400;

/// A page with a policy as senders get it.
///
/// # Errors
/// [`WebError::Wrong`] where senders find no page either, [`WebError::Unreachable`] when nobody could tell from here.
pub async fn policy_page(domain: &Domain, dns: &dyn Lookups, web: &dyn Web, port: u16) -> Result<Page, WebError> {
    let host = format!("mta-sts.{domain}");
    let mut found = Vec::new();
    for rtype in [RecordType::A, RecordType::Aaaa] {
        let verdict = dns.lookup(&Question { name: host.clone(), rtype }).await;
        if !verdict.is_known() {
            let reason = format!("the addresses of {host} cannot be found out ({})", why(&verdict));
            return Err(WebError::Unreachable(reason));
        }
        found.extend(verdict.values().iter().filter_map(|ip| Some(SocketAddr::new(ip.parse().ok()?, port))));
    }
    if found.is_empty() {
        return Err(WebError::Wrong(format!("{host} has no address")));
    }
    web.get(&host, PATH, &found).await
}

/// The policy that senders find, by the strictest of them.
pub async fn look_at_policy(domain: &Domain, dns: &dyn Lookups, web: &dyn Web, port: u16) -> PolicyView {
    match policy_page(domain, dns, web, port).await.map(|page| read(&page)) {
        Ok(Ok(policy)) => PolicyView::Served { policy },
        Ok(Err(reason)) | Err(WebError::Wrong(reason)) => PolicyView::Wrong { reason },
        Err(WebError::Unreachable(reason)) => PolicyView::Unknown { reason },
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
    let url = format!("https://{host}{PATH}");
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
    let page = match web.get(&host, PATH, &addresses).await {
        Ok(page) => page,
        Err(WebError::Wrong(why)) => return vec![broken("the policy cannot be fetched".to_owned()).actual(why)],
        Err(WebError::Unreachable(why)) => {
            let message = "the policy could not be fetched from here";
            let fix =
                "try it again from a network that reaches it; senders that cannot fetch it go by the one they know";
            return vec![finding("mta-sts-unreachable", Severity::Unknown, &url, message).actual(why).fix(fix)];
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
    let list = policy.mx.iter().cloned().collect::<Vec<_>>().join(", ");
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
    fn a_policy_counts_only_as_it_has_to_be_served() {
        let good = "version: STSv1\nmode: enforce\nmx: *.example.net\nmax_age: 604800\n";
        let redirect = Page { status: 301, media: "text/plain".to_owned(), body: good.to_owned() };
        assert!(read(&redirect).is_err(), "a redirect is no policy");
        assert!(read(&Page { status: 200, media: "text/html".to_owned(), ..redirect.clone() }).is_err());
        assert!(read(&Page { status: 200, media: "text/plain; charset=utf-8".to_owned(), ..redirect }).is_ok());
        assert!(has_id("v=STSv1; id=20260101T0;") && !has_id("v=STSv1;") && !has_id("v=STSv1; id=a-b;"));
    }
}
