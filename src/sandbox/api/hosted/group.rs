//! Distribution groups (Exchange): members by account or contact id, managers by account id.

use serde_json::{Value, json};

use crate::sandbox::api::{
    agenda::Job,
    call::{Answer, Problem, Reply, address},
    fields,
    world::{EPOCH, Group, World, object},
};

use super::{At, date, rights::number};

const READ_ONLY: &[&str] = &[
    "mailingListAddress",
    "creationDate",
    "lastUpdateDate",
    "spamDetected",
    "spamTicketNumber",
    "state",
    "taskPendingId",
];

/// Which of a group's three sets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Set {
    Accounts,
    Contacts,
    Managers,
}

impl Set {
    fn field(self) -> &'static str {
        match self {
            Self::Accounts => "memberAccountId",
            Self::Contacts => "memberContactId",
            Self::Managers => "managerAccountId",
        }
    }

    fn task(self) -> &'static str {
        if self == Self::Managers { "DistributionGroupManager" } else { "DistributionGroupMember" }
    }

    fn of(self, group: &mut Group) -> &mut std::collections::BTreeSet<u64> {
        match self {
            Self::Accounts => &mut group.accounts,
            Self::Contacts => &mut group.contacts,
            Self::Managers => &mut group.managers,
        }
    }
}

pub(super) fn route(at: &mut At<'_>, rest: &[&str]) -> Answer {
    match (at.call.method.as_str(), rest) {
        ("GET", []) => {
            let groups = at.service()?.groups.values();
            let names: Vec<String> = groups
                .map(|g| g.address.to_string())
                .filter(|address| at.call.lets("mailingListAddress", address))
                .collect();
            Ok(Reply::json(&json!(names)))
        }
        ("POST", []) => create(at),
        ("GET", [email]) => Ok(Reply::json(&render(at, &find(at, email)?))),
        ("GET", [email, "alias"]) => {
            let names: Vec<String> = find(at, email)?.aliases.iter().map(ToString::to_string).collect();
            Ok(Reply::json(&json!(names)))
        }
        ("PUT", [email]) => set(at, email),
        ("DELETE", [email]) => remove(at, email),
        (_, [email, "member", "account", rest @ ..]) => people(at, email, Set::Accounts, rest),
        (_, [email, "member", "contact", rest @ ..]) => people(at, email, Set::Contacts, rest),
        (_, [email, "manager", "account", rest @ ..]) => people(at, email, Set::Managers, rest),
        _ => Err(Problem::no_route()),
    }
}

fn find(at: &At<'_>, text: &str) -> Result<Group, Problem> {
    let wanted = address(text)?;
    at.service()?.group(&wanted).cloned().ok_or_else(|| Problem::absent("mailingListAddress", text))
}

fn key(at: &At<'_>, id: u64) -> String {
    object(at.name, "group", id)
}

fn with_group(world: &mut World, service: &str, id: u64, change: impl FnOnce(&mut Group)) {
    if let Some(group) = world.hosted.get_mut(service).and_then(|s| s.groups.get_mut(&id)) {
        change(group);
    }
}

fn render(at: &At<'_>, group: &Group) -> Value {
    let mut object = group.fields.clone();
    for (name, value) in [
        ("mailingListAddress", json!(group.address.to_string())),
        ("creationDate", json!(date(EPOCH))),
        ("lastUpdateDate", Value::Null),
        ("spamDetected", json!(false)),
        ("spamTicketNumber", Value::Null),
        ("state", json!(group.state)),
        ("taskPendingId", json!(at.core.world.pending(&key(at, group.id)))),
    ] {
        object.insert(name.to_owned(), value);
    }
    Value::Object(object)
}

fn create(at: &mut At<'_>) -> Answer {
    let wanted = address(at.call.text("mailingListAddress")?)?;
    at.call.text("departRestriction")?;
    at.call.text("joinRestriction")?;
    let picked = fields::pick(at.call.object()?, fields::GROUP, READ_ONLY)?;
    if !at.service()?.domains.contains_key(wanted.domain()) {
        return Err(Problem::absent("domainName", wanted.domain().as_str()));
    }
    at.free(&wanted)?;
    let id = at.core.world.id();
    let mut group = Group::blank(id, wanted.clone());
    group.fields.extend(picked);
    let service = at.name.to_owned();
    let job = Job::new("addDistributionGroup", at.name, key(at, id), &wanted, move |world| {
        if let Some(service) = world.hosted.get_mut(&service) {
            service.groups.insert(id, group);
        }
    });
    at.task(job.reserve(wanted))
}

fn set(at: &mut At<'_>, email: &str) -> Answer {
    let group = find(at, email)?;
    at.idle(&key(at, group.id), "mailing list", email)?;
    let body = at.call.object()?;
    let picked = fields::pick(body, fields::GROUP, READ_ONLY)?;
    let to = match body.get("mailingListAddress").and_then(Value::as_str) {
        Some(text) => address(text)?,
        None => group.address.clone(),
    };
    let moves = to != group.address;
    if moves {
        at.free(&to)?;
    }
    let (service, id, next) = (at.name.to_owned(), group.id, to.clone());
    let job = Job::new("setDistributionGroup", at.name, key(at, id), &group.address, move |world| {
        with_group(world, &service, id, |g| {
            g.address = next;
            g.fields.extend(picked);
        });
    });
    at.quietly(if moves { job.reserve(to) } else { job })
}

fn remove(at: &mut At<'_>, email: &str) -> Answer {
    let group = find(at, email)?;
    at.idle(&key(at, group.id), "mailing list", email)?;
    let (service, id) = (at.name.to_owned(), group.id);
    let job = Job::new("deleteDistributionGroup", at.name, key(at, id), &group.address, move |world| {
        if let Some(service) = world.hosted.get_mut(&service) {
            service.groups.remove(&id);
        }
    });
    at.task(job)
}

/// The address behind an id of that set.
fn person(at: &At<'_>, set: Set, id: u64) -> Result<String, Problem> {
    match set {
        Set::Contacts => {
            let contact = at.service()?.contacts.get(&id);
            contact.map(|c| c.address.to_string()).ok_or_else(|| Problem::absent(set.field(), &id.to_string()))
        }
        Set::Accounts | Set::Managers => at.account_by_id(id).map(|a| a.address.to_string()),
    }
}

fn people(at: &mut At<'_>, email: &str, set: Set, rest: &[&str]) -> Answer {
    let mut group = find(at, email)?;
    let subject = |id: u64| object(&key_of(&group), set.field(), id);
    let members = set.of(&mut group.clone()).clone();
    match (at.call.method.as_str(), rest) {
        ("GET", []) => Ok(Reply::json(&json!(members))),
        ("GET", [text]) => {
            let id = number(text)?;
            if !members.contains(&id) {
                return Err(Problem::absent(set.field(), text));
            }
            let pending = at.core.world.pending(&format!("{} {}", at.name, subject(id)));
            Ok(Reply::json(&row(set, id, &person(at, set, id)?, pending)))
        }
        ("POST", []) => {
            let id = at.call.long(set.field())?;
            let who = person(at, set, id)?;
            if members.contains(&id) {
                return Err(Problem::conflict(&format!("{who} is already in {email}")));
            }
            change(at, &mut group, set, id, &who, true)
        }
        ("DELETE", [text]) => {
            let id = number(text)?;
            if !members.contains(&id) {
                return Err(Problem::absent(set.field(), text));
            }
            let who = person(at, set, id)?;
            change(at, &mut group, set, id, &who, false)
        }
        _ => Err(Problem::no_route()),
    }
}

fn key_of(group: &Group) -> String {
    format!("group {}", group.id)
}

fn row(set: Set, id: u64, who: &str, pending: u64) -> Value {
    let created = date(EPOCH);
    match set {
        Set::Managers => json!({
            "managerAccountId": id, "managerEmailAddress": who, "creationDate": created, "taskPendingId": pending,
        }),
        _ => json!({
            "memberAccountId": (set == Set::Accounts).then_some(id),
            "memberContactId": (set == Set::Contacts).then_some(id),
            "memberEmailAddress": who, "creationDate": created, "taskPendingId": pending,
        }),
    }
}

fn change(at: &mut At<'_>, group: &mut Group, set: Set, id: u64, who: &str, add: bool) -> Answer {
    at.idle(&key(at, group.id), "mailing list", &group.address.to_string())?;
    let subject = format!("{} {}", at.name, object(&key_of(group), set.field(), id));
    at.idle(&subject, "mailing list", &group.address.to_string())?;
    let function = format!("{}{}", if add { "add" } else { "delete" }, set.task());
    let (service, gid) = (at.name.to_owned(), group.id);
    let label = format!("{} {who}", group.address);
    let job = Job::new(&function, at.name, subject, label, move |world| {
        with_group(world, &service, gid, |g| {
            let members = set.of(g);
            if add {
                members.insert(id)
            } else {
                members.remove(&id)
            };
        });
    });
    at.task(job)
}
