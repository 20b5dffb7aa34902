//! Mailing lists: subscribers and moderators are any addresses.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    model::Address,
    sandbox::api::{
        call::{Answer, Problem, Reply, address},
        hosted::date,
        world::{EPOCH, MailingList},
    },
};

use super::At;

pub(super) fn route(at: &mut At<'_>, rest: &[&str]) -> Answer {
    match (at.call.method.as_str(), rest) {
        ("GET", []) => {
            let names = at.service()?.lists.keys().filter(|name| at.call.lets("name", name));
            Ok(Reply::json(&json!(names.collect::<Vec<_>>())))
        }
        ("POST", []) => create(at),
        ("GET", [name]) => {
            let list = find(at, name)?;
            Ok(Reply::json(&json!({
                "id": list.id, "name": name, "language": list.language, "ownerEmail": list.owner,
                "replyTo": list.reply_to, "options": list.options, "nbSubscribers": list.subscribers.len(),
                "nbSubscribersUpdateDate": date(EPOCH),
            })))
        }
        ("PUT", [name]) => {
            let mut list = find(at, name)?;
            let text = |field: &str| at.call.body.get(field).and_then(Value::as_str).map(ToOwned::to_owned);
            list.language = text("language").unwrap_or(list.language);
            list.owner = text("ownerEmail").unwrap_or(list.owner);
            list.reply_to = text("replyTo").unwrap_or(list.reply_to);
            change(at, name, "changeList", list)?;
            Ok(Reply::void())
        }
        ("POST", [name, "changeOptions"]) => {
            let mut list = find(at, name)?;
            list.options = options(at)?;
            change(at, name, "changeListOptions", list)
        }
        ("DELETE", [name]) => remove(at, name),
        (_, [name, "subscriber", rest @ ..]) => people(at, name, "Subscriber", rest, |l| &mut l.subscribers),
        (_, [name, "moderator", rest @ ..]) => people(at, name, "Moderator", rest, |l| &mut l.moderators),
        _ => Err(Problem::no_route()),
    }
}

fn find(at: &At<'_>, name: &str) -> Result<MailingList, Problem> {
    at.service()?.lists.get(name).cloned().ok_or_else(|| Problem::absent("name", name))
}

fn options(at: &At<'_>) -> Result<serde_json::Map<String, Value>, Problem> {
    at.call.object()?.get("options").and_then(Value::as_object).cloned().ok_or_else(|| Problem::missing("options"))
}

fn create(at: &mut At<'_>) -> Answer {
    let name = at.call.text("name")?.to_ascii_lowercase();
    let own = at.address(&name)?;
    if let Some(holder) = at.core.world.holder(&own) {
        return Err(Problem::conflict(&format!("The address {own} is already used ({holder})")));
    }
    let list = MailingList {
        id: at.core.world.id(),
        language: at.call.text("language")?.to_owned(),
        owner: at.call.text("ownerEmail")?.to_owned(),
        reply_to: at.call.body.get("replyTo").and_then(Value::as_str).unwrap_or("list").to_owned(),
        options: options(at)?,
        subscribers: BTreeSet::new(),
        moderators: BTreeSet::new(),
    };
    at.idle(&own)?;
    let job = at.job("addList", &own, "mailinglist", move |legacy| {
        legacy.lists.insert(name, list);
    });
    at.task(job.reserve(own))
}

fn remove(at: &mut At<'_>, name: &str) -> Answer {
    find(at, name)?;
    let own = at.address(name)?;
    at.idle(&own)?;
    let key = name.to_owned();
    let job = at.job("deleteList", &own, "mailinglist", move |legacy| {
        legacy.lists.remove(&key);
    });
    at.task(job)
}

fn change(at: &mut At<'_>, name: &str, function: &str, list: MailingList) -> Answer {
    let own = at.address(name)?;
    at.idle(&own)?;
    let key = name.to_owned();
    let job = at.job(function, &own, "mailinglist", move |legacy| {
        legacy.lists.insert(key, list);
    });
    at.task(job)
}

type Members = fn(&mut MailingList) -> &mut BTreeSet<Address>;

fn people(at: &mut At<'_>, name: &str, kind: &str, rest: &[&str], members: Members) -> Answer {
    let mut list = find(at, name)?;
    let listed = members(&mut list);
    match (at.call.method.as_str(), rest) {
        ("GET", []) => {
            let emails = listed.iter().map(ToString::to_string).filter(|email| at.call.lets("email", email));
            Ok(Reply::json(&json!(emails.collect::<Vec<_>>())))
        }
        ("GET", [email]) if listed.contains(&address(email)?) => {
            Ok(Reply::json(&json!({ "email": email, "domain": at.name.as_str(), "mailinglist": name })))
        }
        ("POST", []) => {
            let email = address(at.call.text("email")?)?;
            if !listed.insert(email.clone()) {
                return Err(Problem::conflict(&format!("{email} is already in {name}")));
            }
            change(at, name, &format!("add{kind}"), list)
        }
        ("DELETE", [email]) if listed.remove(&address(email)?) => change(at, name, &format!("delete{kind}"), list),
        (_, [email]) => Err(Problem::absent("email", email)),
        _ => Err(Problem::no_route()),
    }
}
