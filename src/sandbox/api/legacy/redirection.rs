//! Redirections: one row per destination, and a row from an address to itself for a local copy.

use serde_json::json;

use crate::sandbox::api::{
    call::{Answer, Problem, Reply, address},
    world::Redirection,
};

use super::At;

pub(super) fn route(at: &mut At<'_>, rest: &[&str]) -> Answer {
    match (at.call.method.as_str(), rest) {
        ("GET", []) => {
            let rows = at.service()?.redirections.iter();
            let ids: Vec<String> = rows
                .filter(|(_, r)| at.call.lets("from", &r.from.to_string()) && at.call.lets("to", &r.to.to_string()))
                .map(|(id, _)| id.to_string())
                .collect();
            Ok(Reply::json(&json!(ids)))
        }
        ("POST", []) => create(at),
        ("GET", [id]) => {
            let (_, row) = find(at, id)?;
            Ok(Reply::json(&json!({ "id": id, "from": row.from.to_string(), "to": row.to.to_string() })))
        }
        ("DELETE", [id]) => {
            let (id, row) = find(at, id)?;
            at.idle(&row.from)?;
            let mut job = at.job("deleteRedirection", &row.from, "redirection", move |legacy| {
                legacy.redirections.remove(&id);
            });
            job.label = format!("{} {}", row.from, row.to);
            at.task(job)
        }
        ("POST", [id, "changeRedirection"]) => change(at, id),
        _ => Err(Problem::no_route()),
    }
}

fn find(at: &At<'_>, text: &str) -> Result<(u64, Redirection), Problem> {
    let absent = || Problem::absent("id", text);
    let id: u64 = text.parse().map_err(|_| absent())?;
    at.service()?.redirections.get(&id).cloned().map(|row| (id, row)).ok_or_else(absent)
}

fn create(at: &mut At<'_>) -> Answer {
    let (from, to) = (address(at.call.text("from")?)?, address(at.call.text("to")?)?);
    let copy = at.call.object()?.get("localCopy").ok_or_else(|| Problem::missing("localCopy"))?.as_bool();
    let copy = copy.ok_or_else(|| Problem::bad("Invalid type for parameter: localCopy"))?;
    if *from.domain() != at.name {
        return Err(Problem::bad(&format!("from: not an address of {}", at.name)));
    }
    at.idle(&from)?;
    let row = Redirection { from: from.clone(), to };
    let own = Redirection { from: from.clone(), to: from.clone() };
    let rows = &at.service()?.redirections;
    if rows.values().any(|r| *r == row) {
        return Err(Problem::conflict("This redirection already exists"));
    }
    let needs_copy = copy && row != own && !rows.values().any(|r| *r == own);
    let holder = at.core.world.holder(&from).filter(|_| at.core.world.services_of(&from).is_empty());
    if let Some(holder) = holder {
        return Err(Problem::conflict(&format!("The address {from} is already used ({holder})")));
    }
    let (id, copy_id) = (at.core.world.id(), at.core.world.id());
    let label = format!("{from} {}", row.to);
    let mut job = at.job("addRedirection", &from, "redirection", move |legacy| {
        legacy.redirections.insert(id, row);
        if needs_copy {
            legacy.redirections.insert(copy_id, own);
        }
    });
    job.label = label;
    at.task(job)
}

fn change(at: &mut At<'_>, id: &str) -> Answer {
    let (id, row) = find(at, id)?;
    let to = address(at.call.text("to")?)?;
    at.idle(&row.from)?;
    let label = format!("{} {to}", row.from);
    let mut job = at.job("changeRedirection", &row.from, "redirection", move |legacy| {
        if let Some(row) = legacy.redirections.get_mut(&id) {
            row.to = to;
        }
    });
    job.label = label;
    at.task(job)
}
