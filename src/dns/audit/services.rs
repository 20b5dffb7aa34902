//! Services that mail programs look up (RFC 6186, RFC 8314 5.1, RFC 5804 1.8, RFC 6764 3, RFC 8620 2.2), as far as the
//! domain offers them.

use super::{Host, Scene};
use crate::{
    diag::{Finding, Severity},
    dns::check::{Complete as _, finding},
    model::RecordType,
};

const SERVICES: [&str; 12] = [
    "_imap",
    "_imaps",
    "_pop3",
    "_pop3s",
    "_submission",
    "_submissions",
    "_sieve",
    "_jmap",
    "_caldav",
    "_caldavs",
    "_carddav",
    "_carddavs",
];

pub(super) async fn check(scene: &Scene<'_>) -> Vec<Finding> {
    let mut out = Vec::new();
    let mut fine = Vec::new();
    for service in SERVICES {
        let name = format!("{service}._tcp.{}", scene.domain());
        match scene.values(&name, RecordType::Srv).await {
            Err(unsure) => out.push(Scene::aside(*unsure)),
            Ok(values) if values.is_empty() => {}
            Ok(values) => {
                let wrong = one(scene, &name, &values).await;
                if wrong.is_empty() {
                    fine.push(service);
                }
                out.extend(wrong);
            }
        }
    }
    if !fine.is_empty() {
        let subject = format!("{} SRV", scene.domain());
        let message = format!("mail programs find {}", fine.join(", "));
        out.push(finding("srv-ok", Severity::Ok, subject, message));
    }
    out
}

async fn one(scene: &Scene<'_>, name: &str, values: &[String]) -> Vec<Finding> {
    let subject = format!("{name} SRV");
    let say = |code, message: String| finding(code, Severity::Error, &subject, message).actual(values.join(", "));
    let targets: Vec<&str> = values.iter().filter_map(|v| v.rsplit(' ').next()).collect();
    if targets.contains(&".") {
        if targets.len() == 1 {
            return Vec::new();
        }
        let message = format!("{name} says that there is no such service, and names one as well");
        return vec![say("srv-contradiction", message).fix("keep either the `.` or the hosts")];
    }
    let mut out = Vec::new();
    for target in targets {
        match scene.host(target).await {
            Err(unsure) => out.push(Scene::aside(*unsure)),
            Ok(Host::At(_)) => {}
            Ok(Host::Alias(of)) => {
                let message = format!("{target} is an alias of {of}, which a service must not be (RFC 2782)");
                out.push(say("srv-target-alias", message).fix(format!("name {of} in the SRV record")));
            }
            Ok(Host::Nowhere) => {
                let message = format!("{target} has no address: mail programs do not reach the service");
                out.push(say("srv-target-unresolved", message).fix("correct the host, or remove the record"));
            }
        }
    }
    out
}
