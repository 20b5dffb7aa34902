//! Accounts: made and deleted on demand, never renamed.

use serde_json::{Value, json};

use crate::{
    model::Address,
    sandbox::api::{
        agenda::MailOp,
        call::{Answer, Problem, Reply},
        hosted::{check_password, date},
        world::{EPOCH, LegacyAccount},
    },
};

use super::{At, SIZES};

pub(super) fn route(at: &mut At<'_>, rest: &[&str]) -> Answer {
    match (at.call.method.as_str(), rest) {
        ("GET", []) => {
            let accounts = at.service()?.accounts.iter();
            let names: Vec<&String> = accounts
                .filter(|(name, a)| at.call.lets("accountName", name) && at.call.lets("description", &a.description))
                .map(|(name, _)| name)
                .collect();
            Ok(Reply::json(&json!(names)))
        }
        ("POST", []) => create(at),
        ("GET", [name]) => {
            let (address, account) = find(at, name)?;
            Ok(Reply::json(&json!({
                "accountName": address.local(), "domain": at.name.as_str(), "email": address.to_string(),
                "description": account.description, "size": account.size, "isBlocked": account.blocked,
            })))
        }
        ("PUT", [name]) => set(at, name),
        ("DELETE", [name]) => remove(at, name),
        ("POST", [name, "changePassword"]) => change_password(at, name),
        ("POST", [name, "updateUsage"]) => find(at, name).map(|_| Reply::void()),
        ("GET", [name, "usage"]) => {
            let octets = find(at, name)?.1.octets;
            Ok(Reply::json(&json!({ "quota": octets, "emailCount": null, "date": date(EPOCH) })))
        }
        ("GET", [name, "filter"]) => Ok(Reply::json(&json!(find(at, name)?.1.filters))),
        _ => Err(Problem::no_route()),
    }
}

fn find(at: &At<'_>, name: &str) -> Result<(Address, LegacyAccount), Problem> {
    let name = name.to_ascii_lowercase();
    let account = at.service()?.accounts.get(&name).cloned().ok_or_else(|| Problem::absent("accountName", &name))?;
    Ok((at.address(&name)?, account))
}

fn size(at: &At<'_>, otherwise: u64) -> Result<u64, Problem> {
    match at.call.object()?.get("size") {
        None => Ok(otherwise),
        Some(value) => value
            .as_u64()
            .filter(|size| SIZES.contains(size))
            .ok_or_else(|| Problem::bad("size: not one of allowedAccountSize")),
    }
}

fn description(at: &At<'_>) -> Option<String> {
    at.call.body.get("description").and_then(Value::as_str).map(ToOwned::to_owned)
}

/// The account is listed at once; its mailbox comes with the task.
fn create(at: &mut At<'_>) -> Answer {
    let name = at.call.text("accountName")?.to_ascii_lowercase();
    let password = at.call.text("password")?.to_owned();
    let address = at.address(&name)?;
    check_password(&password)?;
    let size = size(at, 5_000_000_000)?;
    let service = at.service()?;
    if let Some(new) = &service.migrated {
        return Err(Problem::forbidden(&format!("The accounts of {} are on {new}", at.name)));
    }
    at.idle(&address)?;
    if let Some(holder) = at.core.world.holder(&address) {
        return Err(Problem::conflict(&format!("The address {address} is already used ({holder})")));
    }
    if u64::try_from(service.accounts.len()).unwrap_or(u64::MAX) >= service.account_limit {
        return Err(Problem::forbidden("The number of accounts of this offer is reached"));
    }
    let account = LegacyAccount {
        description: description(at).unwrap_or_default(),
        size,
        blocked: false,
        octets: 0,
        filters: Vec::new(),
    };
    if let Some(legacy) = at.core.world.legacy.get_mut(&at.name) {
        legacy.accounts.insert(name.clone(), account);
    }
    let domain = at.name.clone();
    let op = MailOp::Create { service: at.name.to_string(), login: address.clone(), password };
    let job = at.job("addAccount", &address, "account", |_| {}).mail(op).undo(move |world| {
        if let Some(legacy) = world.legacy.get_mut(&domain) {
            legacy.accounts.remove(&name);
        }
    });
    at.task(job)
}

fn set(at: &mut At<'_>, name: &str) -> Answer {
    let (address, account) = find(at, name)?;
    if let Some(field) = at
        .call
        .object()?
        .keys()
        .find(|k| !["description", "size", "accountName", "domain", "email", "isBlocked"].contains(&k.as_str()))
    {
        return Err(Problem::bad(&format!("Unknown parameter: {field}")));
    }
    let (size, description) = (size(at, account.size)?, description(at).unwrap_or(account.description));
    at.idle(&address)?;
    let key = address.local().to_owned();
    let job = at.job("changeAccount", &address, "account", move |legacy| {
        if let Some(account) = legacy.accounts.get_mut(&key) {
            account.size = size;
            account.description = description;
        }
    });
    at.core.accept(job);
    Ok(Reply::void())
}

fn remove(at: &mut At<'_>, name: &str) -> Answer {
    let (address, _) = find(at, name)?;
    at.idle(&address)?;
    let key = address.local().to_owned();
    let op = MailOp::Remove { service: at.name.to_string(), login: address.clone() };
    let job = at.job("deleteAccount", &address, "account", move |legacy| {
        legacy.accounts.remove(&key);
        legacy.responders.remove(&key);
    });
    at.task(job.mail(op))
}

fn change_password(at: &mut At<'_>, name: &str) -> Answer {
    let (address, _) = find(at, name)?;
    let password = at.call.text("password")?.to_owned();
    check_password(&password)?;
    at.idle(&address)?;
    let op = MailOp::Password { service: at.name.to_string(), login: address.clone(), password };
    let job = at.job("changePassword", &address, "account", |_| {});
    at.task(job.mail(op))
}
