//! Aliases and redirections.

use serde_json::{Value, json};

use crate::{
    model::Address,
    sandbox::api::{
        call::{Answer, Problem, Reply, address},
        world::{Platform, Resource, ZimbraAlias, ZimbraRedirection},
    },
};

use super::{At, account::organization, domain, envelope, page, typed};

/// When the seeded content was made, as v2 writes it.
pub(super) const CREATED: &str = "2026-01-01T00:00:00Z";

pub(super) fn aliases(at: &mut At<'_>, rest: &[&str]) -> Answer {
    match (at.call.method.as_str(), rest) {
        ("GET", []) => {
            let p = at.platform()?;
            let matching = p.aliases.iter().filter(|(_, a)| {
                at.call.lets("alias", &a.current.address.to_string())
                    && at.call.lets("aliasTargetId", &a.current.account)
            });
            page(at.call, matching.map(|(id, a)| (id.clone(), alias(at, p, id, a))))
        }
        ("POST", []) => add_alias(at),
        ("GET", [id]) => {
            let p = at.platform()?;
            let found = p.aliases.get(*id).ok_or_else(|| typed("NotFound", "AliasNotFound"))?;
            Ok(Reply::json(&alias(at, p, id, found)))
        }
        ("DELETE", [id]) => {
            let found = at.platform()?.aliases.get(*id).ok_or_else(|| typed("NotFound", "AliasNotFound"))?.clone();
            at.writable(&found)?;
            let gone = (*id).to_owned();
            let label = found.current.address.to_string();
            let job = at.job("deleteAlias", at.key("alias", id), &label, move |p| {
                p.aliases.remove(&gone);
            });
            if let Some(alias) = at.platform_mut()?.aliases.get_mut(*id) {
                "DELETING".clone_into(&mut alias.status);
            }
            at.core.accept(job);
            Ok(Reply::void())
        }
        _ => Err(Problem::no_route()),
    }
}

fn alias(at: &At<'_>, p: &Platform, id: &str, resource: &Resource<ZimbraAlias>) -> Value {
    let a = &resource.current;
    let (organization, label) = organization(p, &a.domain);
    let home = p.accounts.get(&a.account).map(|account| account.current.domain.clone());
    let current = json!({
        "alias": {
            "name": a.address.to_string(), "domainId": a.domain, "organizationId": organization,
            "organizationLabel": label,
        },
        "target": { "id": a.account, "domainId": home, "type": "ACCOUNT" },
    });
    envelope(&at.core.world, &at.key("alias", id), id, resource, &current)
}

fn add_alias(at: &mut At<'_>) -> Answer {
    let wanted = address(at.text("alias")?)?;
    let target = at.text("targetId")?.to_owned();
    let missing = || typed("NotFound", "AliasTargetNotFound");
    if at.platform()?.accounts.get(&target).ok_or_else(missing)?.status != "READY" {
        return Err(typed("Conflict", "AliasTargetObjectNotReady"));
    }
    let domain =
        domain::ready(at, wanted.domain(), ("NotFound", "AliasDomainNotFound"), ("Conflict", "AliasDomainNotReady"))?;
    if at.core.world.holder(&wanted).is_some() {
        return Err(typed("BadRequest", "AliasAlreadyUsed"));
    }
    let id = at.new_id("alias", &wanted.key())?;
    let wish = json!({ "alias": wanted.to_string(), "targetId": target });
    let current = ZimbraAlias { address: wanted.clone(), account: target, domain };
    let resource = Resource { status: "CREATING".to_owned(), ..Resource::ready(wish, current) };
    at.platform_mut()?.aliases.insert(id.clone(), resource);
    let (done, undone) = (id.clone(), id.clone());
    let undo = at.on_platform(move |p| {
        p.aliases.remove(&undone);
    });
    let job = at.job("createAlias", at.key("alias", &id), &wanted.to_string(), move |p| {
        if let Some(alias) = p.aliases.get_mut(&done) {
            "READY".clone_into(&mut alias.status);
        }
    });
    at.core.accept(job.undo(undo));
    let p = at.platform()?;
    let made = p.aliases.get(&id).ok_or_else(|| typed("NotFound", "AliasNotFound"))?;
    Ok(Reply::json(&alias(at, p, &id, made)))
}

pub(super) fn redirections(at: &mut At<'_>, rest: &[&str]) -> Answer {
    let missing = || typed("NotFound", "RedirectionNotFound");
    match (at.call.method.as_str(), rest) {
        ("GET", []) => {
            let p = at.platform()?;
            let matching = p.redirections.iter().filter(|(_, r)| {
                at.call.lets("source", &r.current.source.to_string())
                    && at.call.lets("destination", &r.current.destination.to_string())
                    && at.call.lets("domainId", &r.current.domain)
            });
            page(at.call, matching.map(|(id, r)| (id.clone(), redirection(at, p, id, r))))
        }
        ("POST", []) => add_redirection(at),
        ("GET", [id]) => {
            let p = at.platform()?;
            Ok(Reply::json(&redirection(at, p, id, p.redirections.get(*id).ok_or_else(missing)?)))
        }
        ("DELETE", [id]) => {
            let found = at.platform()?.redirections.get(*id).ok_or_else(missing)?.clone();
            at.writable(&found)?;
            let gone = (*id).to_owned();
            let label = format!("{} {}", found.current.source, found.current.destination);
            let job = at.job("deleteRedirection", at.key("redirection", id), &label, move |p| {
                p.redirections.remove(&gone);
            });
            if let Some(redirection) = at.platform_mut()?.redirections.get_mut(*id) {
                "DELETING".clone_into(&mut redirection.status);
            }
            at.core.accept(job);
            Ok(Reply::void())
        }
        _ => Err(Problem::no_route()),
    }
}

fn redirection(at: &At<'_>, p: &Platform, id: &str, resource: &Resource<ZimbraRedirection>) -> Value {
    let r = &resource.current;
    let current = json!({
        "source": r.source.to_string(), "destination": r.destination.to_string(), "domainId": r.domain,
        "organizationId": organization(p, &r.domain).0, "createdAt": CREATED, "updatedAt": null,
    });
    envelope(&at.core.world, &at.key("redirection", id), id, resource, &current)
}

/// Refuses a source that an alias or a group has; an account may have redirections.
fn check_source(at: &At<'_>, source: &Address) -> Result<(), Problem> {
    let world = &at.core.world;
    match world.holder(source) {
        Some(_) if world.services_of(source).is_empty() => Err(Problem::conflict("The source is already used")),
        _ => Ok(()),
    }
}

fn add_redirection(at: &mut At<'_>) -> Answer {
    let (source, destination) = (address(at.text("source")?)?, address(at.text("destination")?)?);
    let domain = domain::ready(at, source.domain(), ("NotFound", "DomainNotFound"), ("Conflict", "DomainNotReady"))?;
    check_source(at, &source)?;
    let same = |r: &ZimbraRedirection| r.source == source && r.destination == destination;
    if at.platform()?.redirections.values().any(|r| same(&r.current)) {
        return Err(Problem::conflict("This redirection already exists"));
    }
    let label = format!("{source} {destination}");
    let id = at.new_id("redirection", &label)?;
    let wish = json!({ "source": source.to_string(), "destination": destination.to_string() });
    let current = ZimbraRedirection { source, destination, domain };
    let resource = Resource { status: "CREATING".to_owned(), ..Resource::ready(wish, current) };
    at.platform_mut()?.redirections.insert(id.clone(), resource);
    let (done, undone) = (id.clone(), id.clone());
    let undo = at.on_platform(move |p| {
        p.redirections.remove(&undone);
    });
    let job = at.job("createRedirection", at.key("redirection", &id), &label, move |p| {
        if let Some(redirection) = p.redirections.get_mut(&done) {
            "READY".clone_into(&mut redirection.status);
        }
    });
    at.core.accept(job.undo(undo));
    let p = at.platform()?;
    let made = p.redirections.get(&id).ok_or_else(|| typed("NotFound", "RedirectionNotFound"))?;
    Ok(Reply::json(&redirection(at, p, &id, made)))
}
