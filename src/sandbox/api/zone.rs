//! `/domain/zone`: a working copy that nobody sees until it is refreshed (API reference 3.1).

use serde_json::{Value, json};

use crate::model::Domain;

use super::{
    agenda::Job,
    call::{Answer, Call, Problem, Reply, domain},
    hosted::date,
    server::Core,
    world::{EPOCH, Record, World, Zone, object},
};

const TYPES: [&str; 20] = [
    "A", "AAAA", "CAA", "CNAME", "DKIM", "DMARC", "DNAME", "HTTPS", "LOC", "MX", "NAPTR", "NS", "PTR", "RP", "SPF",
    "SRV", "SSHFP", "SVCB", "TLSA", "TXT",
];

pub(super) fn route(core: &mut Core, call: &Call, rest: &[&str]) -> Answer {
    let [name, rest @ ..] = rest else {
        let names: Vec<&str> = core.world.zones.keys().map(Domain::as_str).collect();
        return if call.method == "GET" { Ok(Reply::json(&json!(names))) } else { Err(Problem::no_route()) };
    };
    let name = domain(name)?;
    let zone = core.world.zones.get(&name).ok_or_else(|| Problem::absent("zoneName", name.as_str()))?;
    match (call.method.as_str(), rest) {
        ("GET", []) => Ok(Reply::json(&json!({
            "name": name.as_str(), "nameServers": zone.name_servers, "dnssecSupported": true, "hasDnsAnycast": false,
            "lastUpdate": date(EPOCH),
        }))),
        ("GET", ["record"]) => {
            let matching = zone
                .records
                .iter()
                .filter(|(_, r)| call.lets("fieldType", &r.field_type) && call.lets("subDomain", &r.sub_domain));
            Ok(Reply::json(&json!(matching.map(|(id, _)| *id).collect::<Vec<_>>())))
        }
        ("POST", ["record"]) => create(core, call, &name),
        (_, ["record", id]) => one(core, call, &name, id),
        ("POST", ["refresh"]) => refresh(core, &name),
        ("GET", ["status"]) => {
            let errors = &zone.errors;
            let deployed = zone.is_deployed() && core.world.pending(&key(&name)) == 0;
            Ok(Reply::json(&json!({ "isDeployed": deployed && errors.is_empty(), "errors": errors, "warnings": [] })))
        }
        ("GET", ["soa"]) => Ok(Reply::json(&json!({
            "server": zone.name_servers.first(), "email": "tech.ovh.net.", "serial": zone.serial, "refresh": 86_400,
            "expire": 3_600_000, "nxDomainTtl": 60, "ttl": 3_600,
        }))),
        ("GET", ["export"]) => Ok(Reply::json(&Value::from(export(&name, zone)))),
        ("GET", ["history"]) => {
            let dates: Vec<String> = zone.history.iter().map(|(at, _)| date(*at)).collect();
            Ok(Reply::json(&json!(dates)))
        }
        ("GET", ["history", when]) => {
            let found = zone.history.iter().any(|(at, _)| date(*at) == *when);
            let point = json!({ "creationDate": when, "zoneFileUrl": format!("http://sandbox.invalid/{name}") });
            if found { Ok(Reply::json(&point)) } else { Err(Problem::absent("creationDate", when)) }
        }
        _ => Err(Problem::no_route()),
    }
}

fn key(name: &Domain) -> String {
    object("zone", "refresh", name)
}

fn render(name: &Domain, id: u64, record: &Record) -> Value {
    json!({
        "id": id, "zone": name.as_str(), "subDomain": record.sub_domain, "fieldType": record.field_type,
        "target": record.target, "ttl": record.ttl,
    })
}

/// The fields of a body over a record.
fn read(call: &Call, mut record: Record) -> Result<Record, Problem> {
    let body = call.object()?;
    if let Some(value) = body.get("subDomain") {
        let text = value.as_str().unwrap_or_default();
        if text == "@" {
            return Err(Problem::bad("subDomain: leave it empty for the zone itself"));
        }
        text.to_ascii_lowercase().clone_into(&mut record.sub_domain);
    }
    if let Some(value) = body.get("target") {
        value.as_str().ok_or_else(|| Problem::bad("target: a text"))?.clone_into(&mut record.target);
    }
    if let Some(value) = body.get("ttl").filter(|v| !v.is_null()) {
        let ttl = value.as_u64().and_then(|t| u32::try_from(t).ok());
        record.ttl = ttl.filter(|t| *t == 0 || *t >= 60).ok_or_else(|| Problem::bad("ttl: 0, or 60 and more"))?;
    }
    let empty = record.target.trim().is_empty();
    if empty { Err(Problem::missing("target")) } else { Ok(record) }
}

/// Refuses a CNAME beside other data at its name (RFC 1034 3.6.2).
fn check(zone: &Zone, id: u64, record: &Record) -> Result<(), Problem> {
    let beside = zone.records.iter().filter(|(other, r)| **other != id && r.sub_domain == record.sub_domain);
    for (_, other) in beside {
        if other.field_type == "CNAME" || record.field_type == "CNAME" {
            let name = &record.sub_domain;
            return Err(Problem::conflict(&format!("A CNAME cannot stand beside other records at `{name}`")));
        }
        if other == record {
            return Err(Problem::conflict("This record already exists"));
        }
    }
    Ok(())
}

fn create(core: &mut Core, call: &Call, name: &Domain) -> Answer {
    let field_type = call.text("fieldType")?;
    if !TYPES.contains(&field_type) {
        return Err(Problem::bad(&format!("fieldType: {field_type} is not known")));
    }
    call.text("target")?;
    let record = read(call, Record::new("", field_type, ""))?;
    let id = core.world.id();
    let zone = core.world.zones.get_mut(name).ok_or_else(|| Problem::absent("zoneName", name.as_str()))?;
    check(zone, id, &record)?;
    zone.records.insert(id, record.clone());
    core.did("addRecord", name.as_str(), format_args!("{} {}", record.sub_domain, record.field_type));
    Ok(Reply::json(&render(name, id, &record)))
}

fn one(core: &mut Core, call: &Call, name: &Domain, text: &str) -> Answer {
    let absent = || Problem::absent("id", text);
    let id: u64 = text.parse().map_err(|_| absent())?;
    let zone = core.world.zones.get_mut(name).ok_or_else(absent)?;
    let record = zone.records.get(&id).cloned().ok_or_else(absent)?;
    let label = format!("{} {}", record.sub_domain, record.field_type);
    match call.method.as_str() {
        "GET" => Ok(Reply::json(&render(name, id, &record))),
        "PUT" => {
            if call.body.get("fieldType").is_some_and(|t| *t != json!(record.field_type)) {
                return Err(Problem::bad("fieldType cannot be changed"));
            }
            let changed = read(call, record)?;
            check(zone, id, &changed)?;
            zone.records.insert(id, changed);
            core.did("setRecord", name.as_str(), label);
            Ok(Reply::void())
        }
        "DELETE" => {
            zone.records.remove(&id);
            core.did("deleteRecord", name.as_str(), label);
            Ok(Reply::void())
        }
        _ => Err(Problem::no_route()),
    }
}

/// Publishes the working copy after the task delay, or notes why it cannot be.
fn refresh(core: &mut Core, name: &Domain) -> Answer {
    if core.world.pending(&key(name)) != 0 {
        return Err(Problem::conflict(&format!("A refresh of {name} is already running")));
    }
    let refreshed = name.clone();
    let job = Job::new("refreshZone", name.as_str(), key(name), name, move |world| deploy(world, &refreshed));
    core.accept(job);
    Ok(Reply::void())
}

fn deploy(world: &mut World, name: &Domain) {
    let now = world.now();
    let Some(zone) = world.zones.get_mut(name) else { return };
    zone.errors = zone.conflicts();
    if zone.errors.is_empty() {
        let next = zone.records.values().cloned().collect();
        let old = std::mem::replace(&mut zone.live, next);
        zone.history.push((now, old));
        zone.serial += 1;
        world.unpublished.insert(name.clone());
    }
}

/// Puts records into a zone of the same customer and publishes them at once, as the `configure...` switches of a new
/// mail domain do. What stands there under the same name and type is replaced.
pub(super) fn configure(world: &mut World, name: &Domain, records: &[Record]) {
    if records.is_empty() || !world.zones.contains_key(name) {
        return;
    }
    let fresh: Vec<(u64, Record)> = records.iter().map(|r| (world.id(), r.clone())).collect();
    let replaced = |old: &Record| {
        records.iter().any(|r| {
            let spf = r.field_type == "SPF" && old.target.contains("v=spf1");
            r.sub_domain == old.sub_domain && (r.field_type == old.field_type || spf)
        })
    };
    if let Some(zone) = world.zones.get_mut(name) {
        zone.records.retain(|_, old| !replaced(old));
        zone.records.extend(fresh);
    }
    deploy(world, name);
}

/// The working copy as a zone file (RFC 1035 5).
fn export(name: &Domain, zone: &Zone) -> String {
    let server = zone.name_servers.first().map_or("ns.invalid", String::as_str);
    let serial = zone.serial;
    let mut text = format!("$TTL 3600\n@\tIN SOA {server}. tech.ovh.net. ({serial} 86400 3600 3600000 60)\n");
    for server in &zone.name_servers {
        text.push_str(&format!("\tIN NS\t{server}.\n"));
    }
    for record in zone.records.values() {
        let label = if record.sub_domain.is_empty() { name.to_string() + "." } else { record.sub_domain.clone() };
        text.push_str(&format!("{label}\t{}\tIN {}\t{}\n", record.wire_ttl(), record.wire_type(), record.target));
    }
    text
}
