//! Domains of a service: authority, ownership, footers, and the DNS that the platform wants.

use serde_json::{Value, json};

use crate::{
    model::Domain,
    sandbox::api::{
        agenda::Job,
        call::{Answer, Problem, Reply, domain},
        server::Core,
        world::{EPOCH, Family, HostedDomain, Record, World, hex, noise, object},
        zone,
    },
};

use super::{At, date};

/// The shared mail input (API reference 3.2).
const MX: [(u32, &str); 4] =
    [(1, "mx0.mail.ovh.net"), (5, "mx1.mail.ovh.net"), (50, "mx2.mail.ovh.net"), (100, "mx3.mail.ovh.net")];
const SPF: &str = "v=spf1 include:mx.ovh.com ~all";

pub(super) fn route(at: &mut At<'_>, rest: &[&str]) -> Answer {
    if let Some(name) = rest.first() {
        settle(at.core, at.name, &domain(name)?);
    }
    let movable = at.family != Family::MxPlan;
    match (at.call.method.as_str(), rest) {
        ("GET", []) => {
            let domains = at.service()?.domains.iter();
            let names: Vec<&str> =
                domains.filter(|(_, d)| at.call.lets("state", &d.state)).map(|(name, _)| name.as_str()).collect();
            Ok(Reply::json(&json!(names)))
        }
        ("POST", []) if movable => add(at),
        ("GET", [name]) => Ok(Reply::json(&render(at, &find(at, name)?.0)?)),
        ("PUT", [name]) => set(at, name),
        ("DELETE", [name]) if movable => remove(at, name),
        (_, [name, "disclaimer"]) => footer(at, name),
        ("GET", [name, "disclaimerAttribute"]) => {
            find(at, name)?;
            Ok(Reply::json(&json!(["DisplayName", "Email", "FirstName", "LastName", "PhoneNumber", "Title"])))
        }
        ("GET", [name, "dkimSelector"]) if movable => {
            find(at, name)?;
            Ok(Reply::json(&json!(selectors(at))))
        }
        ("GET", [name, "dkim"]) if movable => {
            let (_, found) = find(at, name)?;
            Ok(Reply::json(&json!(found.dkim.then(|| selectors(at)).map_or_else(Vec::new, Vec::from))))
        }
        ("GET", [name, "dkim", selector]) if movable => dkim(at, name, selector),
        _ => Err(Problem::no_route()),
    }
}

fn find(at: &At<'_>, text: &str) -> Result<(Domain, HostedDomain), Problem> {
    let name = domain(text)?;
    let found = at.service()?.domains.get(&name).cloned().ok_or_else(|| Problem::absent("domainName", text))?;
    Ok((name, found))
}

fn key(service: &str, name: &Domain) -> String {
    object(service, "domain", name)
}

fn with_domain(world: &mut World, service: &str, name: &Domain, change: impl FnOnce(&mut HostedDomain)) {
    if let Some(domain) = world.hosted.get_mut(service).and_then(|s| s.domains.get_mut(name)) {
        change(domain);
    }
}

/// Notices that the ownership record of a domain has become visible.
pub(super) fn settle(core: &mut Core, service: &str, name: &Domain) {
    let waiting = core.world.hosted.get(service).and_then(|s| s.domains.get(name)).filter(|d| !d.validated);
    let Some(label) = waiting.and_then(|d| d.cname.clone()) else { return };
    if core.links.dns.lookup(&format!("{label}.{name}"), "CNAME").iter().any(|target| target == "ovh.com") {
        with_domain(&mut core.world, service, name, |d| {
            d.validated = true;
            d.cname = None;
        });
    }
}

fn server_of(family: Family) -> &'static str {
    match family {
        Family::Exchange => "ex5.mail.ovh.net",
        Family::EmailPro => "pro1.mail.ovh.net",
        Family::MxPlan => "mailconfig.ovh.net",
    }
}

fn render(at: &At<'_>, name: &Domain) -> Result<Value, Problem> {
    let found = at.service()?.domains.get(name).ok_or_else(|| Problem::absent("domainName", name.as_str()))?;
    let dns = &at.core.links.dns;
    let mx = dns.lookup(name.as_str(), "MX");
    let hosts: Vec<&str> = mx.iter().filter_map(|r| r.split_whitespace().nth(1)).collect();
    let spf: Vec<String> = dns.lookup(name.as_str(), "TXT").into_iter().filter(|t| t.starts_with("v=spf1")).collect();
    let srv = dns.lookup(&format!("_autodiscover._tcp.{name}"), "SRV");
    let expected_srv = format!("0 0 443 {}", server_of(at.family));
    let mut object = json!({
        "name": name.as_str(), "type": if found.authoritative { "authoritative" } else { "nonAuthoritative" },
        "mxRelay": found.mx_relay, "state": found.state, "domainValidated": found.validated, "cnameToCheck": found.cname,
        "isAliasDomain": false, "domainAliases": [], "taskPendingId": at.core.world.pending(&key(at.name, name)),
        "mxIsValid": hosts.iter().any(|h| MX.iter().any(|(_, ours)| ours == h)), "mxRecord": hosts,
        "expectedMX": MX.map(|(_, host)| host), "srvIsValid": srv.contains(&expected_srv), "srvRecord": srv,
    });
    if at.family != Family::MxPlan
        && let Some(object) = object.as_object_mut()
    {
        let state = if found.dkim { "active" } else { "toConfigure" };
        for (field, value) in [
            ("spfIsValid", json!(spf.len() == 1 && spf.iter().any(|t| t.contains("include:mx.ovh.com")))),
            ("spfRecord", json!(spf)),
            ("expectedSPF", json!(SPF)),
            ("expectedAutodiscoverSRV", json!(format!("{expected_srv}."))),
            ("dkimDiagnostics", json!({ "state": state, "errorCode": null, "message": null })),
        ] {
            object.insert(field.to_owned(), value);
        }
        if at.family == Family::Exchange {
            for field in ["main", "organization2010", "sbrDefault", "sendConnectorIdDefault"] {
                object.insert(field.to_owned(), Value::Null);
            }
        }
    }
    Ok(object)
}

/// The type of a body, and whether this service may have it.
fn authority(at: &At<'_>, name: &Domain, text: &str) -> Result<bool, Problem> {
    let world = &at.core.world;
    let wanted = match text {
        "authoritative" => true,
        "nonAuthoritative" => false,
        _ => return Err(Problem::bad("type: authoritative or nonAuthoritative")),
    };
    let rival = world.authority(name, at.name).map(ToOwned::to_owned);
    match rival.or_else(|| wanted.then(|| world.sharer(name, at.name)).flatten()) {
        Some(other) => Err(Problem::conflict(&format!(
            "Authoritative domain detected: {name} is on {other}; both services need the type nonAuthoritative"
        ))),
        None => Ok(wanted),
    }
}

fn relay(at: &At<'_>, authoritative: bool) -> Option<String> {
    let given = at.call.body.get("mxRelay").and_then(Value::as_str).map(ToOwned::to_owned);
    given.filter(|_| !authoritative)
}

fn add(at: &mut At<'_>) -> Answer {
    let name = domain(at.call.text("name")?)?;
    if at.service()?.domains.contains_key(&name) {
        return Err(Problem::conflict(&format!("The domain {name} already exists")));
    }
    let authoritative = authority(at, &name, at.call.text("type")?)?;
    let world = &mut at.core.world;
    let validated = !world.settings.validate_domains;
    let token: String = hex(&noise(world.seed, &format!("token {} {name}", at.name))).chars().take(5).collect();
    let domain = HostedDomain {
        authoritative,
        mx_relay: relay(at, authoritative),
        validated,
        cname: (!validated).then(|| format!("{token}-check")),
        state: "creating".to_owned(),
        footer: None,
        dkim: at.call.flag("configureDKIM") && at.call.flag("autoEnableDKIM"),
    };
    let records = wanted_records(at);
    if let Some(service) = at.core.world.hosted.get_mut(at.name) {
        service.domains.insert(name.clone(), domain);
    }
    let service = [at.name.to_owned(), at.name.to_owned()];
    let names = [name.clone(), name.clone()];
    let [done, undone] = service;
    let [added, refused] = names;
    let job = Job::new("addDomain", at.name, key(at.name, &name), &name, move |world| {
        with_domain(world, &done, &added, |d| "ok".clone_into(&mut d.state));
        zone::configure(world, &added, &records);
    });
    at.task(job.undo(move |world| {
        if let Some(service) = world.hosted.get_mut(&undone) {
            service.domains.remove(&refused);
        }
    }))
}

/// What the `configure...` switches of a new domain write into a zone of the same customer.
fn wanted_records(at: &At<'_>) -> Vec<Record> {
    let mut records = Vec::new();
    if at.call.flag("configureMx") {
        records.extend(MX.iter().map(|(priority, host)| Record::new("", "MX", &format!("{priority} {host}."))));
    }
    if at.call.flag("configureSPF") {
        records.push(Record::new("", "SPF", &format!("\"{SPF}\"")));
    }
    if at.call.flag("configureAutodiscover") {
        let target = format!("0 0 443 {}.", server_of(at.family));
        records.push(Record::new("_autodiscover._tcp", "SRV", &target));
    }
    records
}

fn set(at: &mut At<'_>, text: &str) -> Answer {
    let (name, found) = find(at, text)?;
    at.idle(&key(at.name, &name), "domain", text)?;
    let kind = at.call.object()?.get("type").map(|v| v.as_str().unwrap_or_default().to_owned());
    let authoritative = match kind {
        Some(kind) => authority(at, &name, &kind)?,
        None => found.authoritative,
    };
    let mx_relay = if at.call.object()?.contains_key("mxRelay") { relay(at, authoritative) } else { found.mx_relay };
    let (service, changed) = (at.name.to_owned(), name.clone());
    let job = Job::new("setDomain", at.name, key(at.name, &name), &name, move |world| {
        with_domain(world, &service, &changed, |d| {
            d.authoritative = authoritative;
            d.mx_relay = mx_relay.filter(|_| !authoritative);
        });
    });
    at.quietly(job)
}

fn remove(at: &mut At<'_>, text: &str) -> Answer {
    let (name, found) = find(at, text)?;
    at.idle(&key(at.name, &name), "domain", text)?;
    let service = at.service()?;
    let uses = |a: &crate::model::Address| *a.domain() == name;
    let account = service.accounts.values().any(|a| uses(&a.address) || a.aliases.iter().any(uses));
    let contact = service.contacts.values().any(|c| uses(&c.address));
    if account || contact || found.footer.is_some() || service.groups.values().any(|g| uses(&g.address)) {
        return Err(Problem::conflict(&format!("The domain {name} is still used by an object of the service")));
    }
    let (service, gone) = (at.name.to_owned(), name.clone());
    let job = Job::new("deleteDomain", at.name, key(at.name, &name), &name, move |world| {
        if let Some(service) = world.hosted.get_mut(&service) {
            service.domains.remove(&gone);
        }
    });
    at.task(job)
}

fn footer(at: &mut At<'_>, text: &str) -> Answer {
    let (name, found) = find(at, text)?;
    let subject = object(&key(at.name, &name), "disclaimer", "");
    let absent = || Problem::absent("disclaimer", text);
    if at.call.method == "GET" {
        let (content, outside) = found.footer.ok_or_else(absent)?;
        return Ok(Reply::json(&json!({
            "name": name.as_str(), "content": content, "outsideOnly": outside, "creationDate": date(EPOCH),
            "taskPendingId": at.core.world.pending(&subject),
        })));
    }
    at.idle(&subject, "disclaimer", text)?;
    let content = at.call.body.get("content").and_then(Value::as_str).map(ToOwned::to_owned);
    let outside = at.call.body.get("outsideOnly").and_then(Value::as_bool);
    let (function, next) = match (at.call.method.as_str(), found.footer) {
        ("POST", Some(_)) => return Err(Problem::conflict(&format!("The domain {name} already has a disclaimer"))),
        ("POST", None) => {
            let content = content.ok_or_else(|| Problem::missing("content"))?;
            ("addDomainDisclaimer", Some((content, outside.unwrap_or(false))))
        }
        ("PUT" | "DELETE", None) => return Err(absent()),
        ("PUT", Some((old, was))) => ("setDomainDisclaimer", Some((content.unwrap_or(old), outside.unwrap_or(was)))),
        ("DELETE", Some(_)) => ("deleteDomainDisclaimer", None),
        _ => return Err(Problem::no_route()),
    };
    let (service, changed) = (at.name.to_owned(), name.clone());
    let job = Job::new(function, at.name, subject, &name, move |world| {
        with_domain(world, &service, &changed, |d| d.footer = next);
    });
    if at.call.method == "PUT" { at.quietly(job) } else { at.task(job) }
}

fn selectors(at: &At<'_>) -> [String; 2] {
    let prefix = if at.family == Family::Exchange { "ovhex" } else { "ovhemp" };
    let number = 100_000 + at.core.world.seed % 1_000;
    [1, 2].map(|n| format!("{prefix}{number}-selector{n}"))
}

fn dkim(at: &At<'_>, text: &str, selector: &str) -> Answer {
    let (name, found) = find(at, text)?;
    if !found.dkim || !selectors(at).iter().any(|s| s == selector) {
        return Err(Problem::absent("selectorName", selector));
    }
    let record = format!("{selector}._domainkey.{name}");
    let target = format!("{selector}._domainkey.1675.ac.dkim.mail.ovh.net");
    let visible = at.core.links.dns.lookup(&record, "CNAME").contains(&target);
    Ok(Reply::json(&json!({
        "selectorName": selector, "status": if visible { "inProduction" } else { "waitingRecord" }, "recordType": "CNAME",
        "customerRecord": record, "targetRecord": target, "header": "from;to;subject;date", "cnameIsValid": visible,
        "taskPendingId": 0, "lastUpdate": date(EPOCH),
    })))
}
