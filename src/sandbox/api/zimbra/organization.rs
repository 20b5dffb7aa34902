//! Organisations: what domains are made in.

use serde_json::{Value, json};

use crate::sandbox::api::{
    call::{Answer, Problem, Reply},
    world::{Organization, Platform, Resource},
};

use super::{At, envelope, page, routes::CREATED, statistics, typed};

/// The longest label.
const LABEL: usize = 12;

pub(super) fn route(at: &mut At<'_>, rest: &[&str]) -> Answer {
    match (at.call.method.as_str(), rest) {
        ("GET", []) => {
            let p = at.platform()?;
            let matching = p.organizations.iter().filter(|(_, o)| at.call.lets("organizationName", &o.current.name));
            page(at.call, matching.map(|(id, o)| (id.clone(), render(at, p, id, o))))
        }
        ("POST", []) => create(at),
        ("GET", [id]) => show(at, id),
        ("PUT", [id]) => set(at, id),
        ("DELETE", [id]) => remove(at, id),
        _ => Err(Problem::no_route()),
    }
}

fn find<'p>(p: &'p Platform, id: &str) -> Result<&'p Resource<Organization>, Problem> {
    p.organizations.get(id).ok_or_else(|| typed("NotFound", "OrganizationNotFound"))
}

fn show(at: &At<'_>, id: &str) -> Answer {
    let p = at.platform()?;
    Ok(Reply::json(&render(at, p, id, find(p, id)?)))
}

fn render(at: &At<'_>, p: &Platform, id: &str, resource: &Resource<Organization>) -> Value {
    let o = &resource.current;
    let mine = |account: &str| {
        let domain = p.accounts.get(account).and_then(|a| p.domains.get(&a.current.domain));
        domain.is_some_and(|d| d.current.organization == id)
    };
    let current = json!({
        "name": o.name, "label": o.label, "description": o.description, "storageConsumed": 0.0,
        "accountsStatistics": statistics(p, mine), "createdAt": CREATED, "updatedAt": null,
    });
    envelope(&at.core.world, &at.key("organization", id), id, resource, &current)
}

/// The wish of a body over an organisation.
fn wish(at: &At<'_>, id: Option<&str>, mut o: Organization) -> Result<Organization, Problem> {
    let text = |name: &str| at.target().ok().and_then(|t| t.get(name)).and_then(Value::as_str).map(ToOwned::to_owned);
    o.name = text("name").unwrap_or(o.name);
    o.label = text("label").unwrap_or(o.label);
    o.description = text("description").or(o.description);
    if o.label.len() > LABEL {
        return Err(typed("BadRequest", "LabelExceedsMaxLength"));
    }
    let others = at.platform()?.organizations.iter().filter(|(other, _)| Some(other.as_str()) != id);
    if others.into_iter().any(|(_, other)| other.current.label == o.label) {
        return Err(typed("Conflict", "LabelAlreadyExistInThisPlatform"));
    }
    Ok(o)
}

fn target(o: &Organization) -> Value {
    json!({ "name": o.name, "label": o.label, "description": o.description })
}

fn create(at: &mut At<'_>) -> Answer {
    at.text("label")?;
    at.text("name")?;
    let made = wish(at, None, Organization { name: String::new(), label: String::new(), description: None })?;
    let id = at.new_id("organization", &made.label)?;
    at.core.did("createOrganization", at.id, &made.label);
    at.platform_mut()?.organizations.insert(id.clone(), Resource::ready(target(&made), made));
    show(at, &id)
}

fn set(at: &mut At<'_>, id: &str) -> Answer {
    let found = find(at.platform()?, id)?.clone();
    at.writable(&found)?;
    let next = wish(at, Some(id), found.current)?;
    at.core.did("updateOrganization", at.id, &next.label);
    if let Some(resource) = at.platform_mut()?.organizations.get_mut(id) {
        resource.version += 1;
        resource.target = target(&next);
        resource.current = next;
    }
    show(at, id)
}

fn remove(at: &mut At<'_>, id: &str) -> Answer {
    let p = at.platform()?;
    let found = find(p, id)?.clone();
    at.writable(&found)?;
    if p.domains.values().any(|d| d.current.organization == id) {
        return Err(typed("Conflict", "OrganizationContainsLinkedResources"));
    }
    at.core.did("deleteOrganization", at.id, &found.current.label);
    at.platform_mut()?.organizations.remove(id);
    Ok(Reply::void())
}
