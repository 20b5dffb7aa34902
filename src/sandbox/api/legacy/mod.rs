//! Legacy MX Plan, and the redirections of any domain (API reference 2.3).

mod account;
mod list;
mod redirection;
mod responder;

use serde_json::{Value, json};

use crate::model::{Address, Domain};

use super::{
    agenda::Job,
    call::{Answer, Call, Problem, Reply, domain},
    hosted::{date, service_infos},
    server::Core,
    world::{EPOCH, Legacy, Task, object},
};

/// Sizes that an account may have, in octets.
const SIZES: [u64; 6] = [2_500_000, 5_000_000, 25_000_000, 100_000_000, 1_000_000_000, 5_000_000_000];

/// A call to one domain.
struct At<'a> {
    core: &'a mut Core,
    call: &'a Call,
    name: Domain,
}

pub(super) fn route(core: &mut Core, call: &Call, rest: &[&str]) -> Answer {
    let [name, rest @ ..] = rest else {
        let names: Vec<&str> = core.world.legacy.keys().map(Domain::as_str).collect();
        return if call.method == "GET" { Ok(Reply::json(&json!(names))) } else { Err(Problem::no_route()) };
    };
    let mut at = At { core, call, name: domain(name)? };
    if at.service()?.expired {
        return Err(Problem::new(460, "Client::Expired", "This service is expired"));
    }
    match (call.method.as_str(), rest) {
        ("GET", []) => Ok(Reply::json(&render(&at)?)),
        (_, ["account", rest @ ..]) => account::route(&mut at, rest),
        (_, ["redirection", rest @ ..]) => redirection::route(&mut at, rest),
        (_, ["responder", rest @ ..]) => responder::route(&mut at, rest),
        (_, ["mailingList", rest @ ..]) => list::route(&mut at, rest),
        ("GET", ["task", kind, rest @ ..]) => tasks(&at, kind, rest),
        ("GET", ["quota"]) => {
            let limit = at.service()?.account_limit;
            Ok(Reply::json(&json!({
                "account": limit, "alias": 1_000, "mailingList": 10, "redirection": 1_000, "responder": limit,
            })))
        }
        ("GET", ["summary"]) => {
            let service = at.service()?;
            Ok(Reply::json(&json!({
                "account": service.accounts.len(), "mailingList": service.lists.len(),
                "redirection": service.redirections.len(), "responder": service.responders.len(),
            })))
        }
        ("GET", ["recommendedDNSRecords"]) => Ok(Reply::json(&recommended(&at.name))),
        ("GET", ["dnsMXRecords"]) => Ok(Reply::json(&json!(at.core.links.dns.lookup(at.name.as_str(), "MX")))),
        ("GET", ["serviceInfos"]) => Ok(Reply::json(&service_infos(&at.core.world, at.name.as_str(), false))),
        ("GET", ["dkim"]) => Ok(Reply::json(&json!({
            "status": "disabled", "activeSelector": null, "autoconfig": false, "selectors": [],
        }))),
        _ => Err(Problem::no_route()),
    }
}

impl At<'_> {
    fn service(&self) -> Result<&Legacy, Problem> {
        self.core.world.legacy.get(&self.name).ok_or_else(|| Problem::absent("domain", self.name.as_str()))
    }

    fn address(&self, local: &str) -> Result<Address, Problem> {
        Address::new(local, self.name.clone()).map_err(|e| Problem::bad(&e.to_string()))
    }

    /// The key of what happens to one address: the mailbox, its redirections and its responder exclude each other.
    fn key(&self, address: &Address) -> String {
        object(self.name.as_str(), "pop", address.key())
    }

    /// Refuses a second operation on the same address (409 `ActionInProgress`, API reference 1.4).
    fn idle(&self, address: &Address) -> Result<(), Problem> {
        if self.core.world.pending(&self.key(address)) == 0 {
            return Ok(());
        }
        Err(Problem::busy("pop", &address.to_string().to_uppercase()))
    }

    /// A job of this domain.
    fn job(
        &self,
        function: &str,
        address: &Address,
        list: &'static str,
        effect: impl FnOnce(&mut Legacy) + Send + 'static,
    ) -> Job {
        let name = self.name.clone();
        let job = Job::new(function, self.name.as_str(), self.key(address), address, move |world| {
            if let Some(legacy) = world.legacy.get_mut(&name) {
                effect(legacy);
            }
        });
        job.list(list)
    }

    /// Accepts a job and answers with its task in the form that its list has.
    fn task(&mut self, job: Job) -> Answer {
        let task = self.core.accept(job);
        Ok(Reply::json(&render_task(&task)))
    }
}

fn render(at: &At<'_>) -> Result<Value, Problem> {
    let service = at.service()?;
    let dns = &at.core.links.dns;
    let mx = dns.lookup(at.name.as_str(), "MX");
    let spf = dns.lookup(at.name.as_str(), "TXT").into_iter().filter(|t| t.starts_with("v=spf1"));
    let verdict = |found: bool, right: bool| match (found, right) {
        (false, _) => "none",
        (true, false) => "invalid",
        (true, true) => "valid",
    };
    let spf: Vec<String> = spf.collect();
    Ok(json!({
        "domain": at.name.as_str(), "offer": service.offer, "status": "ok", "creationDate": date(EPOCH), "filerz": 1,
        "linkTo": null, "migratedMXPlanServiceName": service.migrated,
        "allowedAccountSize": SIZES,
        "isMXValid": verdict(!mx.is_empty(), mx.iter().any(|r| r.contains("mail.ovh.net"))),
        "isSPFValid": verdict(!spf.is_empty(), spf.iter().any(|t| t.contains("include:mx.ovh.com"))),
    }))
}

/// The form depends on the list: `TaskPop`, `TaskSpecialAccount`, `TaskMl`.
fn render_task(task: &Task) -> Value {
    let account = task.label.split('@').next().unwrap_or_default();
    let action = task.function.as_str();
    let date = date(task.todo);
    let verb = ["add", "change", "delete"].into_iter().find(|verb| action.starts_with(verb));
    match task.list {
        "account" => json!({ "id": task.id, "domain": task.service, "name": account, "action": action, "date": date }),
        "mailinglist" => json!({
            "id": task.id, "domain": task.service, "account": account, "action": action, "date": date, "language": "en",
        }),
        list => json!({
            "id": task.id.to_string(), "domain": task.service, "account": account, "date": date,
            "type": if list == "responder" { "responder" } else { "forward" },
            "action": verb,
        }),
    }
}

/// A task is running while it is listed by kind; `all` keeps the ended ones with their status.
fn tasks(at: &At<'_>, kind: &str, rest: &[&str]) -> Answer {
    let mine = at.core.world.tasks.values().filter(|t| t.service == at.name.as_str() && !t.list.is_empty());
    let wanted = at.call.query.get("name").or_else(|| at.call.query.get("account"));
    let listed: Vec<&Task> = match kind {
        "all" => mine.collect(),
        "account" | "redirection" | "responder" | "mailinglist" => mine
            .filter(|t| t.list == kind && t.end.is_none())
            .filter(|t| wanted.is_none_or(|w| t.label.split('@').next() == Some(w.as_str())))
            .collect(),
        _ => return Err(Problem::no_route()),
    };
    match rest {
        [] if kind == "redirection" => {
            Ok(Reply::json(&json!(listed.iter().map(|t| t.id.to_string()).collect::<Vec<_>>())))
        }
        [] => Ok(Reply::json(&json!(listed.iter().map(|t| t.id).collect::<Vec<_>>()))),
        [id] => {
            let task = listed.iter().find(|t| t.id.to_string() == *id).ok_or_else(|| Problem::absent("id", id))?;
            if kind != "all" {
                return Ok(Reply::json(&render_task(task)));
            }
            let status = match task.status().word() {
                "error" => "ovhError",
                word => word,
            };
            Ok(Reply::json(&json!({
                "id": task.id, "domain": task.service, "function": format!("{}/{}", task.list, task.function),
                "status": status,
            })))
        }
        _ => Err(Problem::no_route()),
    }
}

fn recommended(name: &Domain) -> Value {
    let rows = [
        ("MX", "", "1 mx0.mail.ovh.net."),
        ("MX", "", "5 mx1.mail.ovh.net."),
        ("MX", "", "50 mx2.mail.ovh.net."),
        ("MX", "", "100 mx3.mail.ovh.net."),
        ("SPF", "", "\"v=spf1 include:mx.ovh.com ~all\""),
        ("SRV", "_autodiscover._tcp", "0 0 443 mailconfig.ovh.net."),
        ("SRV", "_imaps._tcp", "0 0 993 ssl0.ovh.net."),
        ("SRV", "_submission._tcp", "0 0 465 ssl0.ovh.net."),
    ];
    let records = rows.iter().zip(1..).map(|((kind, sub, target), id): (_, u64)| {
        json!({ "id": id, "zone": name.as_str(), "fieldType": kind, "subDomain": sub, "target": target, "ttl": 3_600 })
    });
    Value::from(records.collect::<Vec<_>>())
}
