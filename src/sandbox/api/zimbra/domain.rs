//! Domains: made in an organisation, proved by a record, and what they want of DNS.

use serde_json::{Value, json};

use crate::{
    model::Domain,
    sandbox::api::{
        call::{Answer, Call, Problem, Reply, domain},
        world::{Platform, Resource, ZimbraDomain, hex, noise},
    },
};

use super::{At, account::organization, envelope, page, routes::CREATED, statistics, typed};

pub(super) fn route(at: &mut At<'_>, rest: &[&str]) -> Answer {
    settle(at);
    let missing = || typed("NotFound", "DomainNotFound");
    match (at.call.method.as_str(), rest) {
        ("GET", []) => {
            let p = at.platform()?;
            let matching = p.domains.iter().filter(|(id, d)| {
                at.call.lets("domainName", d.current.name.as_str())
                    && at.call.lets("organizationId", &d.current.organization)
                    && at.call.lets("organizationLabel", &organization(p, id).1)
            });
            page(at.call, matching.map(|(id, d)| (id.clone(), render(at, p, id, d))))
        }
        ("POST", []) => create(at),
        ("GET", [id]) => {
            let p = at.platform()?;
            Ok(Reply::json(&render(at, p, id, p.domains.get(*id).ok_or_else(missing)?)))
        }
        ("PUT", [id]) => set(at, id),
        ("DELETE", [id]) => remove(at, id),
        _ => Err(Problem::no_route()),
    }
}

/// Notices that ownership records have become visible.
fn settle(at: &mut At<'_>) {
    let dns = at.core.links.dns.clone();
    let Ok(p) = at.platform_mut() else { return };
    for domain in p.domains.values_mut().filter(|d| !d.current.validated) {
        let Some(record) = &domain.current.ownership else { continue };
        if dns.lookup(record, "CNAME").iter().any(|target| target == "ovh.com") {
            domain.current.validated = true;
            domain.current.ownership = None;
        }
    }
}

/// The id of a domain that takes accounts, or the error that its caller's route has.
pub(super) fn ready(
    at: &mut At<'_>,
    name: &Domain,
    missing: (&str, &str),
    not_ready: (&str, &str),
) -> Result<String, Problem> {
    settle(at);
    let found = at.platform()?.domains.iter().find(|(_, d)| d.current.name == *name);
    let (id, domain) = found.ok_or_else(|| typed(missing.0, missing.1))?;
    if domain.status == "READY" && domain.current.validated {
        return Ok(id.clone());
    }
    Err(typed(not_ready.0, not_ready.1))
}

/// The records that the platform wants for a domain.
pub(super) fn expected(at: &At<'_>, domain: &ZimbraDomain) -> Value {
    let mx = [(1, "mx0"), (5, "mx1"), (50, "mx2"), (100, "mx3")]
        .map(|(priority, host)| json!({ "priority": priority, "target": format!("{host}.mail.ovh.net.") }));
    let number = 100_000 + at.core.world.seed % 1_000;
    let cnames = [1, 2].map(|n| {
        let selector = format!("ovhmo{number}-selector{n}._domainkey");
        json!({ "name": format!("{selector}.{}", domain.name), "value": format!("{selector}.1675.ac.dkim.mail.ovh.net.") })
    });
    json!({
        "mx": mx, "spf": "v=spf1 include:mx.ovh.com ~all", "autodiscover": "0 0 443 zimbra1.mail.ovh.net.",
        "dkim": { "cnames": cnames }, "ownership": { "cname": domain.ownership },
    })
}

fn render(at: &At<'_>, p: &Platform, id: &str, resource: &Resource<ZimbraDomain>) -> Value {
    let d = &resource.current;
    let label = p.organizations.get(&d.organization).map(|o| o.current.label.clone());
    let mine = |account: &str| p.accounts.get(account).is_some_and(|a| a.current.domain == id);
    let current = json!({
        "name": d.name.as_str(), "status": "READY", "organizationId": d.organization, "organizationLabel": label,
        "accountsStatistics": statistics(p, mine), "expectedDNSConfig": expected(at, d), "createdAt": CREATED,
        "updatedAt": null,
    });
    let mut shown = envelope(&at.core.world, &at.key("domain", id), id, resource, &current);
    if resource.status == "READY" && !d.validated {
        shown["resourceStatus"] = json!("CREATING");
    }
    shown
}

fn create(at: &mut At<'_>) -> Answer {
    let name = domain(at.text("name")?).map_err(|_| typed("BadRequest", "InvalidDomainFormat"))?;
    let organization = at.text("organizationId")?.to_owned();
    for switch in ["autoConfigureDKIM", "autoConfigureMX", "autoConfigureSPF"] {
        let value = at.target()?.get(switch).and_then(Value::as_bool);
        value.ok_or_else(|| Problem::missing(&format!("targetSpec.{switch}")))?;
    }
    let p = at.platform()?;
    if !p.organizations.contains_key(&organization) {
        return Err(typed("NotFound", "OrganizationNotFound"));
    }
    let taken = p.domains.values().any(|d| d.current.name == name);
    if taken || at.core.world.authority(&name, at.id).is_some() {
        return Err(Problem::conflict(&format!("The domain {name} is already used, or authoritative elsewhere")));
    }
    let validated = !at.core.world.settings.validate_domains;
    let token: String = hex(&noise(at.core.world.seed, &format!("token {} {name}", at.id))).chars().take(5).collect();
    let id = at.new_id("domain", name.as_str())?;
    let dkim = at.target()?.get("autoConfigureDKIM").and_then(Value::as_bool).unwrap_or(false);
    let wish = json!({ "organizationId": organization, "dkimEnabled": dkim });
    let ownership = (!validated).then(|| format!("{token}-check.{name}"));
    let current = ZimbraDomain { name: name.clone(), organization, validated, ownership, dkim };
    let resource = Resource { status: "CREATING".to_owned(), ..Resource::ready(wish, current) };
    at.platform_mut()?.domains.insert(id.clone(), resource);
    let (done, undone) = (id.clone(), id.clone());
    let undo = at.on_platform(move |p| {
        p.domains.remove(&undone);
    });
    let job = at.job("createDomain", at.key("domain", &id), name.as_str(), move |p| {
        if let Some(domain) = p.domains.get_mut(&done) {
            "READY".clone_into(&mut domain.status);
        }
    });
    at.core.accept(job.undo(undo));
    let p = at.platform()?;
    let made = p.domains.get(&id).ok_or_else(|| typed("NotFound", "DomainNotFound"))?;
    Ok(Reply::json(&render(at, p, &id, made)))
}

fn set(at: &mut At<'_>, id: &str) -> Answer {
    let missing = || typed("NotFound", "DomainNotFound");
    let found = at.platform()?.domains.get(id).ok_or_else(missing)?.clone();
    at.writable(&found)?;
    let dkim = at.target()?.get("dkimEnabled").and_then(Value::as_bool).unwrap_or(found.current.dkim);
    let organization = at.target()?.get("organizationId").and_then(Value::as_str).map(ToOwned::to_owned);
    let organization = organization.unwrap_or(found.current.organization);
    if !at.platform()?.organizations.contains_key(&organization) {
        return Err(typed("NotFound", "OrganizationNotFound"));
    }
    if let Some(domain) = at.platform_mut()?.domains.get_mut(id) {
        domain.version += 1;
        domain.target = json!({ "organizationId": organization, "dkimEnabled": dkim });
        "UPDATING".clone_into(&mut domain.status);
    }
    let changed = id.to_owned();
    let job = at.job("updateDomain", at.key("domain", id), found.current.name.as_str(), move |p| {
        if let Some(domain) = p.domains.get_mut(&changed) {
            "READY".clone_into(&mut domain.status);
            domain.current.dkim = dkim;
            domain.current.organization = organization;
        }
    });
    at.core.accept(job);
    let p = at.platform()?;
    Ok(Reply::json(&render(at, p, id, p.domains.get(id).ok_or_else(missing)?)))
}

fn remove(at: &mut At<'_>, id: &str) -> Answer {
    let p = at.platform()?;
    let found = p.domains.get(id).ok_or_else(|| typed("NotFound", "DomainNotFound"))?.clone();
    at.writable(&found)?;
    let used = p.accounts.values().any(|a| a.current.domain == id)
        || p.aliases.values().any(|a| a.current.domain == id)
        || p.redirections.values().any(|r| r.current.domain == id);
    if used {
        return Err(typed("Conflict", "UndesiredObjectStatus"));
    }
    let gone = id.to_owned();
    let job = at.job("deleteDomain", at.key("domain", id), found.current.name.as_str(), move |p| {
        p.domains.remove(&gone);
    });
    if let Some(domain) = at.platform_mut()?.domains.get_mut(id) {
        "DELETING".clone_into(&mut domain.status);
    }
    at.core.accept(job);
    Ok(Reply::void())
}

/// The domain of a diagnosis, which takes ids; names are understood too.
pub(super) fn of_text<'p>(p: &'p Platform, text: &str) -> Option<(&'p String, &'p ZimbraDomain)> {
    let found = p.domains.iter().find(|(id, d)| *id == text || d.current.name.as_str() == text)?;
    Some((found.0, &found.1.current))
}

/// The texts of a list in a body.
pub(super) fn texts<'c>(call: &'c Call, name: &str) -> Result<Vec<&'c str>, Problem> {
    let list = call.object()?.get(name).and_then(Value::as_array).ok_or_else(|| Problem::missing(name))?;
    Ok(list.iter().filter_map(Value::as_str).collect())
}
