//! Exchange, Email Pro and new MX Plan (API reference 2.1, 2.2, 2.4): one behaviour behind three prefixes.

mod account;
mod contact;
mod domain;
mod group;
mod rights;
mod shared;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::model::Address;

use super::{
    agenda::Job,
    auth,
    call::{Answer, Call, Problem, Reply, address},
    fields,
    server::Core,
    world::{Account, EPOCH, Family, Hosted, Task, World, object},
};

pub(super) use account::check_password;

/// A call to one service.
struct At<'a> {
    core: &'a mut Core,
    call: &'a Call,
    family: Family,
    name: &'a str,
}

/// `/email/exchange`, `/email/pro`, `/email/mxplan` and what is below.
pub(super) fn route(core: &mut Core, call: &Call, path: &[&str]) -> Answer {
    let (family, name, rest) = match path {
        [_, "exchange"] => return list(core, call, Family::Exchange),
        [_, "pro"] => return list(core, call, Family::EmailPro),
        [_, "mxplan"] => return list(core, call, Family::MxPlan),
        [_, "exchange", organization, "service", rest @ ..] => {
            let services = core.world.hosted.values().filter(|s| s.family == Family::Exchange);
            let names: Vec<&str> =
                services.filter(|s| s.organization == *organization).map(|s| s.name.as_str()).collect();
            match rest {
                _ if names.is_empty() => return Err(Problem::absent("organizationName", organization)),
                [] => return Ok(Reply::json(&json!(names))),
                [name, rest @ ..] if names.contains(name) => (Family::Exchange, *name, rest),
                [name, ..] => return Err(Problem::absent("exchangeService", name)),
            }
        }
        [_, "pro", name, rest @ ..] => (Family::EmailPro, *name, rest),
        [_, "mxplan", name, rest @ ..] => (Family::MxPlan, *name, rest),
        _ => return Err(Problem::no_route()),
    };
    let mut at = At { core, call, family, name };
    at.open()?;
    service(&mut at, rest)
}

fn list(core: &Core, call: &Call, family: Family) -> Answer {
    if call.method != "GET" {
        return Err(Problem::no_route());
    }
    let services = core.world.hosted.values().filter(|s| s.family == family);
    let mut names: Vec<&str> =
        services.map(|s| if family == Family::Exchange { s.organization.as_str() } else { s.name.as_str() }).collect();
    names.dedup();
    Ok(Reply::json(&json!(names)))
}

fn service(at: &mut At<'_>, rest: &[&str]) -> Answer {
    match (at.call.method.as_str(), rest) {
        ("GET", []) => Ok(Reply::json(&render(at.service()?, &at.core.world))),
        ("PUT", []) => set(at),
        ("GET", ["serviceInfos"]) if at.family != Family::MxPlan => {
            Ok(Reply::json(&service_infos(&at.core.world, at.name, at.service()?.expired)))
        }
        ("GET", ["server"]) => Ok(Reply::json(&server(at.family))),
        ("GET", ["task", rest @ ..]) => tasks(at, &format!("{} ", at.name), rest),
        (_, ["domain", rest @ ..]) => domain::route(at, rest),
        (_, ["account", rest @ ..]) => account::route(at, rest),
        (_, ["mailingList", rest @ ..]) if at.family == Family::Exchange => group::route(at, rest),
        (_, ["externalContact", rest @ ..]) => contact::route(at, rest),
        ("GET", _) if at.family == Family::Exchange => shared::route(at, rest),
        _ => Err(Problem::no_route()),
    }
}

impl At<'_> {
    /// Refuses what is expired, and changes to what is not in order.
    fn open(&self) -> Result<(), Problem> {
        let service = self.service()?;
        if service.expired {
            return Err(Problem::new(460, "Client::Expired", "This service is expired"));
        }
        if self.call.mutates() && service.state != "ok" {
            return Err(Problem::forbidden(&format!("The service {} is {}", service.name, service.state)));
        }
        Ok(())
    }

    fn service(&self) -> Result<&Hosted, Problem> {
        let found = self.core.world.hosted.get(self.name).filter(|s| s.family == self.family);
        found.ok_or_else(|| Problem::absent("service", self.name))
    }

    /// The account of a path.
    fn account(&self, text: &str) -> Result<&Account, Problem> {
        let login = address(text)?;
        self.service()?.account(&login).ok_or_else(|| Problem::absent("primaryEmailAddress", text))
    }

    /// The account with an id of a body or path.
    fn account_by_id(&self, id: u64) -> Result<&Account, Problem> {
        self.service()?.accounts.get(&id).ok_or_else(|| Problem::absent("id", &id.to_string()))
    }

    fn account_key(&self, id: u64) -> String {
        object(self.name, "account", id)
    }

    /// Refuses a write to an object that a task holds.
    fn idle(&self, key: &str, what: &str, name: &str) -> Result<(), Problem> {
        if self.core.world.settings.refuse_busy && self.core.world.pending(key) != 0 {
            return Err(Problem::busy(what, name));
        }
        Ok(())
    }

    /// The account of a path, if a write to what is below it may be accepted now.
    fn writable(&self, text: &str) -> Result<Account, Problem> {
        let account = self.account(text)?;
        self.idle(&self.account_key(account.id), "account", text)?;
        if account.state != "ok" {
            return Err(Problem::conflict(&format!("The account {text} is {}", account.state)));
        }
        Ok(account.clone())
    }

    /// Refuses an address that something else has.
    fn free(&self, wanted: &Address) -> Result<(), Problem> {
        match self.core.world.holder(wanted) {
            Some(holder) => Err(Problem::conflict(&format!("The address {wanted} is already used ({holder})"))),
            None => Ok(()),
        }
    }

    /// Accepts a job and answers with its task.
    fn task(&mut self, job: Job) -> Answer {
        let task = self.core.accept(job);
        Ok(Reply::json(&render_task(&task)))
    }

    /// Accepts a job and answers nothing, as every PUT does.
    fn quietly(&mut self, job: Job) -> Answer {
        self.core.accept(job);
        Ok(Reply::void())
    }
}

/// Changes an account by id, if it is still there.
fn with_account(world: &mut World, service: &str, id: u64, change: impl FnOnce(&mut Account)) {
    if let Some(account) = world.hosted.get_mut(service).and_then(|s| s.accounts.get_mut(&id)) {
        change(account);
    }
}

/// A moment as v1 writes it.
pub(super) fn date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

fn render_task(task: &Task) -> Value {
    json!({
        "id": task.id, "function": task.function, "status": task.status().word(), "todoDate": date(task.todo),
        "finishDate": task.end.map(|(_, at)| date(at)),
    })
}

/// Task ids, or one task, of what a key prefix covers.
fn tasks(at: &At<'_>, prefix: &str, rest: &[&str]) -> Answer {
    let mut mine = at.core.world.tasks.values().filter(|t| format!("{} ", t.subject).starts_with(prefix));
    match rest {
        [] => Ok(Reply::json(&json!(mine.map(|t| t.id).collect::<Vec<_>>()))),
        [id] => match mine.find(|t| t.id.to_string() == *id) {
            Some(task) => Ok(Reply::json(&render_task(task))),
            None => Err(Problem::absent("id", id)),
        },
        _ => Err(Problem::no_route()),
    }
}

fn render(service: &Hosted, world: &World) -> Value {
    let mut object = service.fields.clone();
    let domain = service.domains.keys().next().map_or_else(|| service.name.clone(), ToString::to_string);
    for (name, value) in [
        ("domain", json!(if service.family == Family::Exchange { service.name.clone() } else { domain })),
        ("hostname", json!(service.hostname)),
        ("offer", json!(service.offer)),
        ("state", json!(service.state)),
        ("lastUpdateDate", json!(date(EPOCH))),
        ("taskPendingId", json!(world.pending(&object_key(&service.name)))),
        ("webUrl", json!(format!("https://{}/owa", service.hostname))),
    ] {
        object.insert(name.to_owned(), value);
    }
    match service.family {
        Family::Exchange => {
            for name in ["cnameDcvRecord", "defaultSmartHost", "sslExpirationDate"] {
                object.insert(name.to_owned(), Value::Null);
            }
        }
        Family::MxPlan => {
            object.insert("isZimbra".to_owned(), Value::Bool(false));
        }
        Family::EmailPro => {}
    }
    Value::Object(object)
}

fn object_key(service: &str) -> String {
    object(service, "service", "")
}

fn set(at: &mut At<'_>) -> Answer {
    let known = ["domain", "hostname", "offer", "state", "lastUpdateDate", "taskPendingId", "webUrl", "isZimbra"];
    let picked = fields::pick(at.call.object()?, &fields::service(at.family), &known)?;
    at.idle(&object_key(at.name), "service", at.name)?;
    let name = at.name.to_owned();
    let job = Job::new("setService", at.name, object_key(at.name), at.name, move |world| {
        if let Some(service) = world.hosted.get_mut(&name) {
            service.fields.extend(picked);
        }
    });
    at.quietly(job)
}

/// `GET ~/serviceInfos`, the same on all services of v1.
pub(super) fn service_infos(world: &World, name: &str, expired: bool) -> Value {
    let nic = auth::nichandle(world);
    json!({
        "domain": name, "status": if expired { "expired" } else { "ok" }, "contactAdmin": nic, "contactBilling": nic,
        "contactTech": nic, "creation": "2026-01-01", "expiration": "2036-01-01", "engagedUpTo": null,
        "canDeleteAtExpiration": true, "possibleRenewPeriod": [1, 12], "renew": null, "renewalType": "automaticV2016",
        "serviceId": 70_000 + world.seed % 1_000,
    })
}

fn server(family: Family) -> Value {
    let version = match family {
        Family::Exchange => json!(15),
        Family::EmailPro => json!("15"),
        Family::MxPlan => json!(15),
    };
    let mut server: Map<String, Value> = Map::new();
    for (name, value) in [
        ("ip", json!("127.0.0.1")),
        ("ipV6", Value::Null),
        ("isAValid", json!(true)),
        ("isAaaaValid", json!(true)),
        ("isPtrValid", json!(true)),
        ("isPtrV6Valid", json!(true)),
        ("currentDiskUsage", Value::Null),
        ("diskSize", Value::Null),
        ("state", json!("ok")),
        ("taskPendingId", json!(0)),
        ("version", version),
    ] {
        server.insert(name.to_owned(), value);
    }
    if family == Family::Exchange {
        server.insert("commercialVersion".to_owned(), json!("2019"));
        server.insert("individual2010".to_owned(), json!(false));
        server.insert("owaMfa".to_owned(), json!(false));
    }
    Value::Object(server)
}
