//! `POST diagnostic/domain`: what DNS says, against what the platform wants.

use serde_json::{Value, json};

use crate::sandbox::api::{
    call::{Answer, Reply},
    world::ZimbraDomain,
};

use super::{At, domain};

pub(super) fn route(at: &mut At<'_>) -> Answer {
    let wanted = domain::texts(at.call, "domains")?;
    let p = at.platform()?;
    let rows: Vec<Value> = wanted
        .into_iter()
        .map(|text| match domain::of_text(p, text) {
            Some((id, found)) => diagnose(at, id, found),
            None => json!({
                "domainId": text, "domainName": null, "status": "ERROR", "error": { "code": "DOMAIN_NOT_FOUND" },
                "isExternal": null, "result": null, "recommendations": null,
            }),
        })
        .collect();
    Ok(Reply::json(&Value::from(rows)))
}

/// One test: `OK` without errors.
fn test(errors: &[&str]) -> Value {
    let status = if errors.is_empty() { "OK" } else { "ERROR" };
    let errors: Vec<Value> = errors.iter().map(|code| json!({ "code": code })).collect();
    json!({ "status": status, "errors": errors, "recordsFound": [] })
}

fn diagnose(at: &At<'_>, id: &str, found: &ZimbraDomain) -> Value {
    let dns = &at.core.links.dns;
    let name = found.name.as_str();
    let mx = dns.lookup(name, "MX");
    let mx: &[&str] = match () {
        () if mx.is_empty() => &["NO_MX_RECORD"],
        () if mx.iter().any(|r| r.contains("mail.ovh.net")) => &[],
        () => &["EXTERNAL_MX_RECORD"],
    };
    let spf: Vec<String> = dns.lookup(name, "TXT").into_iter().filter(|t| t.starts_with("v=spf1")).collect();
    let spf: &[&str] = match spf.as_slice() {
        [] => &["NO_SPF_RECORD"],
        [one] if one.contains("include:mx.ovh.com") => &[],
        [_] => &["MISSING_OVH_SERVER"],
        _ => &["MULTIPLE_SPF_RECORDS"],
    };
    let srv = dns.lookup(&format!("_autodiscover._tcp.{name}"), "SRV");
    let autodiscover: &[&str] = match srv.as_slice() {
        [] => &["NO_SRV_RECORD"],
        [one] if one == "0 0 443 zimbra1.mail.ovh.net" => &[],
        [_] => &["INCORRECT_SRV_RECORD"],
        _ => &["MULTIPLE_SRV_RECORDS"],
    };
    let dkim: &[&str] = if found.dkim { &[] } else { &["DKIM_DISABLED"] };
    let wrong = [mx, spf, autodiscover, dkim].iter().any(|errors| !errors.is_empty());
    json!({
        "domainId": id, "domainName": name, "isExternal": !at.core.world.zones.contains_key(&found.name),
        "status": if wrong { "ERROR" } else { "OK" },
        "error": wrong.then(|| json!({ "code": "BAD_CONFIGURATION" })),
        "result": { "mx": test(mx), "spf": test(spf), "dkim": test(dkim), "autodiscover": test(autodiscover) },
        "recommendations": { "expectedDNSConfig": domain::expected(at, found) },
    })
}
