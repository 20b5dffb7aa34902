//! Zimbra on v2 (API reference 2.5): everything in one envelope, checksums against lost updates, cursors.

mod account;
mod diagnosis;
mod domain;
mod organization;
mod routes;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    agenda::Job,
    call::{Answer, Call, Problem, Reply},
    server::Core,
    world::{Platform, Resource, Slot, World, hex, object},
};

/// How many objects a page has when the caller does not say.
const PAGE: usize = 100;

/// A call to one platform.
struct At<'a> {
    core: &'a mut Core,
    call: &'a Call,
    id: &'a str,
}

pub(super) fn route(core: &mut Core, call: &Call, rest: &[&str]) -> Answer {
    let [id, rest @ ..] = rest else {
        let platforms = core.world.zimbra.values().map(|p| (p.id.clone(), platform(&core.world, p)));
        return if call.method == "GET" { page(call, platforms) } else { Err(Problem::no_route()) };
    };
    let mut at = At { core, call, id };
    if at.platform()?.expired {
        return Err(Problem::new(460, "Client::Expired", "This service is expired"));
    }
    match (call.method.as_str(), rest) {
        ("GET", []) => Ok(Reply::json(&platform(&at.core.world, at.platform()?))),
        (_, ["account", rest @ ..]) => account::route(&mut at, rest),
        (_, ["alias", rest @ ..]) => routes::aliases(&mut at, rest),
        (_, ["redirection", rest @ ..]) => routes::redirections(&mut at, rest),
        (_, ["domain", rest @ ..]) => domain::route(&mut at, rest),
        (_, ["organization", rest @ ..]) => organization::route(&mut at, rest),
        ("POST", ["diagnostic", "domain"]) => diagnosis::route(&mut at),
        ("GET", ["slot", rest @ ..]) => slots(&at, rest),
        ("GET", ["task"]) => tasks(&at),
        _ => Err(Problem::no_route()),
    }
}

/// A typed error of v2: `Client::<category>::<name>`.
fn typed(category: &str, name: &str) -> Problem {
    let status = match category {
        "NotFound" => 404,
        "Conflict" => 409,
        "PreconditionFailed" => 412,
        _ => 400,
    };
    let words: String = name.chars().flat_map(|c| c.is_uppercase().then_some(' ').into_iter().chain([c])).collect();
    Problem::new(status, &format!("Client::{category}::{name}"), words.trim_start())
}

impl At<'_> {
    fn platform(&self) -> Result<&Platform, Problem> {
        self.core.world.zimbra.get(self.id).ok_or_else(|| typed("NotFound", "PlatformNotFound"))
    }

    fn platform_mut(&mut self) -> Result<&mut Platform, Problem> {
        self.core.world.zimbra.get_mut(self.id).ok_or_else(|| typed("NotFound", "PlatformNotFound"))
    }

    fn key(&self, kind: &str, id: &str) -> String {
        object(self.id, kind, id)
    }

    /// A new object's id: the same for the same history of one seed.
    fn new_id(&mut self, kind: &str, name: &str) -> Result<String, Problem> {
        let platform = self.platform_mut()?;
        platform.made += 1;
        let name = format!("{} {kind} {name} {}", platform.id, platform.made);
        Ok(self.core.world.uuid(&name))
    }

    /// The wish in a body.
    fn target(&self) -> Result<&Value, Problem> {
        self.call.object()?.get("targetSpec").filter(|t| t.is_object()).ok_or_else(|| Problem::missing("targetSpec"))
    }

    /// A required text of the wish.
    fn text(&self, name: &str) -> Result<&str, Problem> {
        self.target()?.get(name).and_then(Value::as_str).ok_or_else(|| Problem::missing(&format!("targetSpec.{name}")))
    }

    /// Whether a change of an object may be accepted: it is settled, and the caller saw its last state.
    fn writable<T>(&self, resource: &Resource<T>) -> Result<(), Problem> {
        if resource.status != "READY" {
            return Err(typed("Conflict", "UndesiredObjectStatus"));
        }
        let seen = self.call.body.get("checksum").and_then(Value::as_str);
        let seen = seen.or_else(|| self.call.query.get("checksum").map(String::as_str));
        match seen {
            Some(seen) if seen != checksum(resource) => Err(typed("PreconditionFailed", "InvalidChecksum")),
            _ => Ok(()),
        }
    }

    /// A job on one object.
    fn job(
        &self,
        function: &str,
        key: String,
        label: &str,
        effect: impl FnOnce(&mut Platform) + Send + 'static,
    ) -> Job {
        Job::new(function, self.id, key, label, self.on_platform(effect))
    }

    fn on_platform(
        &self,
        change: impl FnOnce(&mut Platform) + Send + 'static,
    ) -> impl FnOnce(&mut World) + Send + 'static {
        let id = self.id.to_owned();
        move |world: &mut World| {
            if let Some(platform) = world.zimbra.get_mut(&id) {
                change(platform);
            }
        }
    }
}

/// Changes with every change of the wish.
fn checksum<T>(resource: &Resource<T>) -> String {
    let text = format!("{} {}", resource.version, resource.target);
    hex(&Sha256::digest(text.as_bytes())).chars().take(32).collect()
}

/// The envelope.
fn envelope<T>(world: &World, key: &str, id: &str, resource: &Resource<T>, current: &Value) -> Value {
    let running = world.busy.get(key).and_then(|task| world.tasks.get(task));
    let tasks: Vec<Value> = running
        .map(|task| {
            let id = world.uuid(&format!("task {}", task.id));
            json!({ "id": id, "type": task.function, "status": "RUNNING", "link": format!("/task/{id}"), "errors": null })
        })
        .into_iter()
        .collect();
    json!({
        "id": id, "checksum": checksum(resource), "resourceStatus": resource.status, "currentState": current,
        "targetSpec": resource.target, "currentTasks": tasks,
    })
}

/// One page of a listing, in the order of ids, with the cursor of the next one in `X-Pagination-Cursor-Next`.
fn page(call: &Call, items: impl IntoIterator<Item = (String, Value)>) -> Answer {
    let size = match call.header("x-pagination-size") {
        None => PAGE,
        Some(text) => {
            text.parse().ok().filter(|n| *n > 0).ok_or_else(|| Problem::bad("X-Pagination-Size: a number above 0"))?
        }
    };
    let cursor = call.header("x-pagination-cursor").map(|text| text.trim_start_matches("after-").to_owned());
    let mut rest: Vec<(String, Value)> =
        items.into_iter().filter(|(id, _)| cursor.as_ref().is_none_or(|c| id > c)).collect();
    rest.sort_by(|a, b| a.0.cmp(&b.0));
    let more = rest.len() > size;
    rest.truncate(size);
    let last = rest.last().map(|(id, _)| id.clone());
    let reply = Reply::json(&Value::from(rest.into_iter().map(|(_, item)| item).collect::<Vec<_>>()));
    Ok(match last {
        Some(id) if more => reply.header("X-Pagination-Cursor-Next", format!("after-{id}")),
        _ => reply,
    })
}

fn platform(world: &World, p: &Platform) -> Value {
    let target = json!({ "name": p.name, "description": "" });
    let current = json!({
        "name": p.name, "description": "", "numberOfOrganizations": p.organizations.len(), "quota": 0.0,
        "accountsStatistics": statistics(p, |_| true),
    });
    envelope(world, &object(&p.id, "platform", ""), &p.id, &Resource::ready(target, ()), &current)
}

/// Slots by offer: filled and free.
fn statistics(p: &Platform, counts: impl Fn(&str) -> bool) -> Value {
    let of = |offer: &str| p.slots.values().filter(|s| s.offer == offer).collect::<Vec<&Slot>>();
    let rows = ["STARTER", "PRO"].map(|offer| {
        let filled = of(offer).iter().filter(|s| s.account.as_deref().is_some_and(&counts)).count();
        let free = of(offer).iter().filter(|s| s.account.is_none()).count();
        json!({ "offer": offer, "configuredAccountsCount": filled, "availableAccountsCount": free })
    });
    Value::from(rows.to_vec())
}

fn slots(at: &At<'_>, rest: &[&str]) -> Answer {
    let p = at.platform()?;
    let email =
        |slot: &Slot| slot.account.as_ref().and_then(|id| p.accounts.get(id)).map(|a| a.current.address.to_string());
    let render = |id: &String, slot: &Slot| {
        let current = json!({
            "accountId": slot.account, "email": email(slot), "offer": slot.offer, "platformId": p.id,
            "billingStatus": "OK", "createdAt": routes::CREATED,
        });
        let mut slot = envelope(&at.core.world, &at.key("slot", id), id, &Resource::ready(Value::Null, ()), &current);
        // Nobody wishes anything of a slot.
        if let Some(fields) = slot.as_object_mut() {
            fields.remove("targetSpec");
        }
        slot
    };
    match rest {
        [] => page(
            at.call,
            p.slots
                .iter()
                .filter(|(_, slot)| at.call.lets("offer", &slot.offer) && at.call.lets("billingStatus", "OK"))
                .filter(|(_, slot)| at.call.lets("used", &slot.account.is_some().to_string()))
                .filter(|(_, slot)| at.call.lets("accountId", slot.account.as_deref().unwrap_or_default()))
                .filter(|(_, slot)| at.call.lets("email", &email(slot).unwrap_or_default()))
                .map(|(id, slot)| (id.clone(), render(id, slot))),
        ),
        [id] => {
            let (id, slot) = p.slots.get_key_value(*id).ok_or_else(|| typed("NotFound", "SlotNotFound"))?;
            Ok(Reply::json(&render(id, slot)))
        }
        _ => Err(Problem::no_route()),
    }
}

fn tasks(at: &At<'_>) -> Answer {
    let world = &at.core.world;
    let mine = world.tasks.values().filter(|t| t.service == at.id).map(|t| {
        let id = world.uuid(&format!("task {}", t.id));
        let status = match t.status().word() {
            "todo" => "PENDING",
            "doing" => "RUNNING",
            "done" => "DONE",
            _ => "ERROR",
        };
        let end = t.end.map(|(_, at)| at.to_string());
        let errors = (status == "ERROR").then(|| json!([{ "message": "the task failed" }]));
        let task = json!({
            "id": id, "type": t.function, "status": status, "message": t.label, "link": format!("/task/{id}"),
            "createdAt": t.todo.to_string(), "startedAt": t.todo.to_string(), "updatedAt": t.todo.to_string(),
            "finishedAt": end, "errors": errors, "progress": [],
        });
        (id, task)
    });
    page(at.call, mine)
}
