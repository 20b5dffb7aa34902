//! Accounts: each fills a paid slot and can be renamed.

use serde_json::{Map, Value, json};

use crate::{
    model::Address,
    sandbox::api::{
        agenda::MailOp,
        call::{Answer, Problem, Reply, address},
        world::{Platform, Resource, ZimbraAccount},
    },
};

use super::{At, domain, envelope, page, routes, typed};

/// Octets of a mailbox by offer.
fn quota(offer: &str) -> u64 {
    if offer == "PRO" { 50_000_000_000 } else { 15_000_000_000 }
}

/// What a wish for an account may hold.
const FIELDS: [&str; 7] =
    ["contactInformation", "description", "displayName", "email", "firstName", "hideInGal", "lastName"];

/// What is not kept in the wish: it is done, or never shown again.
const SILENT: [&str; 5] = ["password", "forceChangePasswordAfterLogin", "offer", "slotId", "quota"];

pub(super) fn route(at: &mut At<'_>, rest: &[&str]) -> Answer {
    match (at.call.method.as_str(), rest) {
        ("GET", []) => {
            let p = at.platform()?;
            let call = at.call;
            let matching = p.accounts.iter().filter(|(_, a)| {
                let organization = organization(p, &a.current.domain);
                call.lets("email", &a.current.address.to_string())
                    && call.lets("offer", &a.current.offer)
                    && call.lets("domainId", &a.current.domain)
                    && call.lets("organizationId", &organization.0)
                    && call.lets("organizationLabel", &organization.1)
            });
            page(call, matching.map(|(id, a)| (id.clone(), render(at, p, id, a))))
        }
        ("POST", []) => create(at),
        ("GET", [id]) => Ok(Reply::json(&show(at, id)?)),
        ("PUT", [id]) => set(at, id),
        ("DELETE", [id]) => remove(at, id),
        _ => Err(Problem::no_route()),
    }
}

/// Id and label of a domain's organisation.
pub(super) fn organization(p: &Platform, domain: &str) -> (String, String) {
    let id = p.domains.get(domain).map(|d| d.current.organization.clone()).unwrap_or_default();
    let label = p.organizations.get(&id).map(|o| o.current.label.clone()).unwrap_or_default();
    (id, label)
}

fn show(at: &At<'_>, id: &str) -> Result<Value, Problem> {
    let p = at.platform()?;
    Ok(render(at, p, id, find(p, id)?))
}

fn find<'p>(p: &'p Platform, id: &str) -> Result<&'p Resource<ZimbraAccount>, Problem> {
    p.accounts.get(id).ok_or_else(|| typed("NotFound", "AccountNotFound"))
}

fn render(at: &At<'_>, p: &Platform, id: &str, account: &Resource<ZimbraAccount>) -> Value {
    let a = &account.current;
    let (organization, label) = organization(p, &a.domain);
    let wish = |name: &str| account.target.get(name).cloned().unwrap_or(Value::Null);
    let locks = a.locks.iter().map(|lock| json!({ "status": lock, "details": "", "link": "" }));
    let free = quota(&a.offer).saturating_sub(a.octets);
    let current = json!({
        "email": a.address.to_string(), "domainId": a.domain, "organizationId": organization, "organizationLabel": label,
        "offer": a.offer, "slotId": a.slot, "detailedStatus": locks.collect::<Vec<_>>(),
        "quota": { "available": free, "used": a.octets }, "displayName": wish("displayName"),
        "firstName": wish("firstName"), "lastName": wish("lastName"), "description": wish("description"),
        "hideInGal": wish("hideInGal"), "contactInformation": wish("contactInformation"),
        "createdAt": routes::CREATED, "updatedAt": null, "lastConnectionAt": null,
    });
    envelope(&at.core.world, &at.key("account", id), id, account, &current)
}

/// The address of a wish: its form, its domain here, and that nobody else has it.
fn claim(at: &mut At<'_>, text: &str, not_ready: &str) -> Result<(Address, String), Problem> {
    let wanted = address(text)?;
    let good = |c: char| c.is_ascii_alphanumeric() || ".+-_".contains(c);
    if !(2..=32).contains(&wanted.local().len()) || !wanted.local().chars().all(good) {
        return Err(typed("BadRequest", "AccountEmailContainForbiddenCharacter"));
    }
    let domain = domain::ready(at, wanted.domain(), ("NotFound", "DomainNotFound"), (not_ready, "DomainNotReady"))?;
    match at.core.world.holder(&wanted) {
        Some(_) => Err(typed("Conflict", "AccountEmailAddressAlreadyUsed")),
        None => Ok((wanted, domain)),
    }
}

/// Length and characters (API reference 2.0b).
fn strong(password: &str) -> bool {
    (10..=64).contains(&password.len())
        && password.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
        && password.bytes().any(|b| b.is_ascii_uppercase())
        && password.bytes().any(|b| b.is_ascii_punctuation())
}

/// The fields of a wish that are kept, over those of before.
fn merge(at: &At<'_>, before: &Value) -> Result<Value, Problem> {
    let mut target = before.as_object().cloned().unwrap_or_default();
    for (name, value) in at.target()?.as_object().into_iter().flatten() {
        if FIELDS.contains(&name.as_str()) {
            target.insert(name.clone(), value.clone());
        } else if !SILENT.contains(&name.as_str()) {
            return Err(Problem::bad(&format!("Unknown parameter: targetSpec.{name}")));
        }
    }
    Ok(Value::Object(target))
}

/// The slot that a new account fills.
fn slot(at: &At<'_>, offer: &str) -> Result<String, Problem> {
    let p = at.platform()?;
    let Some(wanted) = at.target()?.get("slotId").and_then(Value::as_str) else {
        let free = p.slots.iter().find(|(_, s)| s.account.is_none() && s.offer == offer);
        return free.map(|(id, _)| id.clone()).ok_or_else(|| typed("BadRequest", "NoSlotAvailable"));
    };
    let slot = p.slots.get(wanted).ok_or_else(|| typed("NotFound", "SlotNotFound"))?;
    if slot.account.is_some() {
        return Err(typed("Conflict", "AccountSlotIsAlreadyUsed"));
    }
    if slot.offer != offer {
        return Err(typed("BadRequest", "AccountSlotHasWrongOffer"));
    }
    Ok(wanted.to_owned())
}

fn create(at: &mut At<'_>) -> Answer {
    let (email, offer) = (at.text("email")?.to_owned(), at.text("offer")?.to_owned());
    let password = at.text("password")?.to_owned();
    if !strong(&password) {
        return Err(typed("BadRequest", "InvalidPasswordNotMatchingPolicy"));
    }
    let (wanted, domain) = claim(at, &email, "BadRequest")?;
    let slot = slot(at, &offer)?;
    let blank: Map<String, Value> = FIELDS.iter().map(|f| ((*f).to_owned(), Value::Null)).collect();
    let mut target = merge(at, &Value::Object(blank))?;
    if target.get("hideInGal").is_none_or(Value::is_null) {
        target["hideInGal"] = json!(false);
    }
    let id = at.new_id("account", &wanted.key())?;
    let current =
        ZimbraAccount { address: wanted.clone(), domain, slot: slot.clone(), offer, octets: 0, locks: Vec::new() };
    let account = Resource { status: "CREATING".to_owned(), ..Resource::ready(target, current) };
    let p = at.platform_mut()?;
    p.accounts.insert(id.clone(), account);
    if let Some(slot) = p.slots.get_mut(&slot) {
        slot.account = Some(id.clone());
    }
    let op = MailOp::Create { service: at.id.to_owned(), login: wanted, password };
    let (done, undone) = (id.clone(), id.clone());
    let undo = at.on_platform(move |p| forget(p, &undone));
    let job = at.job("createAccount", at.key("account", &id), &email, move |p| ready(p, &done)).mail(op).undo(undo);
    at.core.accept(job);
    Ok(Reply::json(&show(at, &id)?))
}

fn ready(p: &mut Platform, id: &str) {
    if let Some(account) = p.accounts.get_mut(id) {
        "READY".clone_into(&mut account.status);
    }
}

/// Takes an account and its aliases away and frees its slot.
fn forget(p: &mut Platform, id: &str) {
    p.accounts.remove(id);
    p.aliases.retain(|_, alias| alias.current.account != id);
    p.slots.values_mut().filter(|s| s.account.as_deref() == Some(id)).for_each(|s| s.account = None);
}

fn set(at: &mut At<'_>, id: &str) -> Answer {
    let account = find(at.platform()?, id)?.clone();
    at.writable(&account)?;
    let old = account.current.address.clone();
    let target = merge(at, &account.target)?;
    let password = at.target()?.get("password").and_then(Value::as_str).map(ToOwned::to_owned);
    if password.as_deref().is_some_and(|p| !strong(p)) {
        // The published schema spells the category this way.
        return Err(typed("BadRequets", "PasswordDoesNotMeetRequirements"));
    }
    let email = at.target()?.get("email").and_then(Value::as_str).map(ToOwned::to_owned);
    let moved = match email {
        Some(email) if address(&email)? != old => Some(claim(at, &email, "Conflict")?),
        _ => None,
    };
    let label = moved.as_ref().map_or_else(|| old.to_string(), |(to, _)| format!("{old} -> {to}"));
    let p = at.platform_mut()?;
    if let Some(account) = p.accounts.get_mut(id) {
        account.version += 1;
        account.target = target;
        "UPDATING".clone_into(&mut account.status);
    }
    let (changed, to, back) = (id.to_owned(), moved.clone(), account);
    let undo = at.on_platform({
        let id = id.to_owned();
        move |p| {
            p.accounts.insert(id, back);
        }
    });
    let mut job = at.job("updateAccount", at.key("account", id), &label, move |p| {
        ready(p, &changed);
        if let (Some((to, domain)), Some(account)) = (to, p.accounts.get_mut(&changed)) {
            account.current.address = to;
            account.current.domain = domain;
        }
    });
    let service = at.id.to_owned();
    let login = moved.as_ref().map_or_else(|| old.clone(), |(to, _)| to.clone());
    if let Some((to, _)) = moved {
        job = job.reserve(to.clone()).mail(MailOp::Rename { service: service.clone(), from: old, to });
    }
    if let Some(password) = password {
        job = job.mail(MailOp::Password { service, login, password });
    }
    at.core.accept(job.undo(undo));
    Ok(Reply::json(&show(at, id)?))
}

fn remove(at: &mut At<'_>, id: &str) -> Answer {
    let account = find(at.platform()?, id)?.clone();
    at.writable(&account)?;
    if account.current.locks.iter().any(|lock| lock == "BLOCKEDFORSPAM") {
        return Err(typed("NotFound", "AccountCannotBeDeletedDueToSpam"));
    }
    if let Some(account) = at.platform_mut()?.accounts.get_mut(id) {
        "DELETING".clone_into(&mut account.status);
    }
    let login = account.current.address.clone();
    let gone = id.to_owned();
    let undo = at.on_platform({
        let id = id.to_owned();
        move |p| {
            p.accounts.insert(id, account);
        }
    });
    let job = at.job("deleteAccount", at.key("account", id), &login.to_string(), move |p| forget(p, &gone));
    at.core.accept(job.mail(MailOp::Remove { service: at.id.to_owned(), login }).undo(undo));
    Ok(Reply::void())
}
