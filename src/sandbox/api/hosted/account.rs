//! Accounts: placeholders that are filled, renamed, and reset.

use serde_json::{Map, Value, json};

use crate::{
    model::Address,
    sandbox::api::{
        agenda::{Job, MailOp},
        call::{Answer, Problem, Reply, address, domain},
        fields,
        world::{Account, EPOCH, Family, World, hex, noise, object},
    },
};

use super::{At, date, rights, shared, tasks, with_account};

/// Fields of an account that a PUT may carry and that it does not set.
const READ_ONLY: &[&str] = &[
    "login",
    "domain",
    "primaryEmailAddress",
    "id",
    "configured",
    "state",
    "taskPendingId",
    "currentUsage",
    "creationDate",
    "SAMAccountName",
    "customIsolationId",
    "exchangeGuid",
    "guid",
    "expirationDate",
    "expirationOutlookDate",
    "lastLogoffDate",
    "lastLogonDate",
    "lastUpdateDate",
    "numberOfAliases",
    "owaLimited",
    "passwordLastUpdate",
    "spamDetected",
    "spamTicketNumber",
];

pub(super) fn route(at: &mut At<'_>, rest: &[&str]) -> Answer {
    let method = at.call.method.as_str();
    match (method, rest) {
        ("GET", []) => list(at),
        ("POST", []) if at.family == Family::Exchange => create(at),
        ("GET", [email]) => Ok(Reply::json(&render(at, at.account(email)?))),
        ("PUT", [email]) => set(at, email),
        ("DELETE", [email]) => reset(at, email),
        ("GET", [email, "alias"]) => {
            let aliases: Vec<String> = at.account(email)?.aliases.iter().map(ToString::to_string).collect();
            Ok(Reply::json(&json!(aliases)))
        }
        ("POST", [email, "alias"]) => add_alias(at, email),
        ("GET", [email, "alias", alias]) => alias_row(at, email, alias),
        ("DELETE", [email, "alias", alias]) => remove_alias(at, email, alias),
        ("POST", [email, "changePassword"]) => change_password(at, email),
        ("GET", [email, "protocol"]) if at.family == Family::Exchange => protocol(at, email),
        ("PUT", [email, "protocol"]) if at.family == Family::Exchange => set_protocol(at, email),
        ("GET", [email, "archive"]) if at.family == Family::Exchange => shared::archive(at, email),
        ("GET", [email, "tasks", rest @ ..]) if at.family != Family::MxPlan => account_tasks(at, email, rest),
        ("GET", [email, "task", rest @ ..]) if at.family == Family::MxPlan => account_tasks(at, email, rest),
        ("GET", [email, "capabilities"]) if at.family == Family::MxPlan => {
            at.account(email)?;
            Ok(Reply::json(&json!({ "quotas": [0.1, 1.0, 2.5, 5.0] })))
        }
        (_, [email, right, rest @ ..]) => rights::route(at, email, right, rest),
        _ => Err(Problem::no_route()),
    }
}

fn list(at: &At<'_>) -> Answer {
    let accounts = at.service()?.accounts.values();
    let text = |a: &Account, name: &str| a.fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let names: Vec<String> = accounts
        .filter(|a| at.call.lets("primaryEmailAddress", &a.address.to_string()))
        .filter(|a| at.call.lets("id", &a.id.to_string()))
        .filter(|a| at.call.lets("accountLicense", &text(a, "accountLicense")))
        .filter(|a| at.call.lets("company", &text(a, "company")))
        .map(|a| a.address.to_string())
        .collect();
    Ok(Reply::json(&json!(names)))
}

fn render(at: &At<'_>, account: &Account) -> Value {
    let mut object: Map<String, Value> = account.fields.clone();
    for (name, value) in [
        ("id", json!(account.id)),
        ("primaryEmailAddress", json!(account.address.to_string())),
        ("login", json!(account.address.local())),
        ("domain", json!(account.address.domain().as_str())),
        ("configured", json!(account.configured)),
        ("state", json!(account.state)),
        ("spamDetected", json!(account.spam)),
        ("spamTicketNumber", Value::Null),
        ("currentUsage", json!(account.octets.div_ceil(1024))),
        ("creationDate", json!(date(EPOCH))),
        ("lastUpdateDate", Value::Null),
        ("taskPendingId", json!(at.core.world.pending(&at.account_key(account.id)))),
        ("passwordLastUpdate", json!(account.password_set.map(date))),
    ] {
        object.insert(name.to_owned(), value);
    }
    for name in READ_ONLY.iter().filter(|n| n.ends_with("Date") || n.starts_with("SAM")) {
        object.entry((*name).to_owned()).or_insert(Value::Null);
    }
    if at.family == Family::Exchange {
        object.insert("numberOfAliases".to_owned(), json!(account.aliases.len()));
        object.insert("owaLimited".to_owned(), json!(false));
        for name in ["customIsolationId", "exchangeGuid", "guid"] {
            object.insert(name.to_owned(), Value::Null);
        }
    }
    Value::Object(object)
}

/// Refuses local parts that the console refuses (API reference 2.0b).
fn check_local(local: &str) -> Result<(), Problem> {
    let good = |c: char| c.is_ascii_alphanumeric() || ".,-_".contains(c);
    if (2..=32).contains(&local.len()) && local.chars().all(good) {
        return Ok(());
    }
    Err(Problem::bad(&format!("`{local}` is not a valid login: 2 to 32 letters, digits, dots, dashes, underscores")))
}

/// The address that a body asks for.
fn wanted(at: &At<'_>, now: &Account) -> Result<Address, Problem> {
    let body = at.call.object()?;
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let login = text("login").unwrap_or(now.address.local());
    let name = match text("domain") {
        Some(name) => domain(name)?,
        None if now.configured || at.family != Family::MxPlan => now.address.domain().clone(),
        None if text("login").is_none() => now.address.domain().clone(),
        None => at.service()?.domains.keys().next().cloned().ok_or_else(|| Problem::missing("domain"))?,
    };
    address(&format!("{login}@{name}"))
}

/// Refuses an address whose domain does not take accounts here, or that something else has.
fn claim(at: &mut At<'_>, wanted: &Address) -> Result<(), Problem> {
    check_local(wanted.local())?;
    super::domain::settle(at.core, at.name, wanted.domain());
    let name = wanted.domain().as_str();
    let known = at.service()?.domains.get(wanted.domain()).ok_or_else(|| Problem::absent("domain", name))?;
    if known.state != "ok" || !known.validated {
        return Err(Problem::conflict(&format!("The domain {name} is not ready")));
    }
    at.free(wanted)
}

fn set(at: &mut At<'_>, email: &str) -> Answer {
    let account = at.writable(email)?;
    let picked = fields::pick(at.call.object()?, &fields::account(at.family), READ_ONLY)?;
    let limit = fields::account_defaults(at.family).get("quota").and_then(Value::as_f64).unwrap_or(0.0);
    if at.family != Family::Exchange && picked.get("quota").and_then(Value::as_f64).is_some_and(|q| q > limit) {
        return Err(Problem::bad(&format!("quota: at most {limit} GB")));
    }
    let to = wanted(at, &account)?;
    let moves = to != account.address;
    if moves {
        claim(at, &to)?;
    }
    let (service, id) = (at.name.to_owned(), account.id);
    let shown = to.clone();
    let mut job = Job::new("setAccount", at.name, at.account_key(id), &account.address, move |world| {
        with_account(world, &service, id, |a| {
            a.address = shown;
            a.configured |= moves;
            a.fields.extend(picked);
        });
    });
    let service = at.name.to_owned();
    if moves {
        job.label = format!("{} -> {to}", account.address);
        job = job.reserve(to.clone());
        job = if account.configured {
            job.mail(MailOp::Rename { service, from: account.address, to })
        } else {
            let password = unguessable(&at.core.world, &account);
            job.mail(MailOp::Create { service, login: to, password })
        };
    }
    at.quietly(job)
}

/// What a mailbox has until its password is set.
fn unguessable(world: &World, account: &Account) -> String {
    hex(&noise(world.seed, &format!("no password {} {}", account.id, account.resets)))
}

/// Dedicated services make accounts on demand; on the others slots are bought and filled (API reference 2.1).
fn create(at: &mut At<'_>) -> Answer {
    if at.service()?.keeps_slots() {
        return Err(Problem::forbidden("Accounts of this offer are ordered"));
    }
    let to = address(&format!("{}@{}", at.call.text("login")?, domain(at.call.text("domain")?)?))?;
    let password = at.call.text("password")?.to_owned();
    at.call.text("license")?;
    check_password(&password)?;
    let known = ["login", "domain", "password", "license", "initials", "SAMAccountName"];
    let picked = fields::pick(at.call.object()?, &fields::account(at.family), &known)?;
    claim(at, &to)?;
    let id = at.core.world.id();
    let mut account = Account::blank(at.family, id, to.clone());
    account.configured = true;
    account.password_set = Some(at.core.world.now());
    account.fields.extend(picked);
    let service = at.name.to_owned();
    let mail = MailOp::Create { service: service.clone(), login: to.clone(), password };
    let job = Job::new("addAccount", at.name, at.account_key(id), &to, move |world| {
        if let Some(service) = world.hosted.get_mut(&service) {
            service.accounts.insert(id, account);
        }
    });
    at.task(job.mail(mail).reserve(to))
}

/// DELETE: the mail is gone; a hosted slot becomes a placeholder again, a dedicated account disappears.
fn reset(at: &mut At<'_>, email: &str) -> Answer {
    let account = at.writable(email)?;
    let keeps = at.service()?.keeps_slots();
    let (service, id, family) = (at.name.to_owned(), account.id, at.family);
    let next = at.core.world.placeholder(at.name, id, account.resets + 1);
    let job = Job::new("deleteAccount", at.name, at.account_key(id), &account.address, move |world| {
        let Some(service) = world.hosted.get_mut(&service) else { return };
        service.accounts.values_mut().for_each(|a| a.rights.retain(|(_, to)| *to != id));
        for group in service.groups.values_mut() {
            group.accounts.remove(&id);
            group.managers.remove(&id);
        }
        let old = service.accounts.remove(&id);
        if let (true, Some(address), Some(old)) = (keeps, next, old) {
            let mut slot = Account { resets: old.resets + 1, ..Account::blank(family, id, address) };
            for name in ["quota", "accountLicense"] {
                slot.fields.extend(old.fields.get(name).map(|v| (name.to_owned(), v.clone())));
            }
            service.accounts.insert(id, slot);
        }
    });
    let job = if account.configured {
        job.mail(MailOp::Remove { service: at.name.to_owned(), login: account.address })
    } else {
        job
    };
    at.task(job)
}

/// Length and characters (API reference 2.0b).
pub(in crate::sandbox::api) fn check_password(password: &str) -> Result<(), Problem> {
    let good = |c: char| c.is_ascii_graphic();
    if (9..=30).contains(&password.len()) && password.chars().all(good) {
        return Ok(());
    }
    Err(Problem::bad("The password does not meet the requirements: 9 to 30 characters, no accents, no spaces"))
}

fn change_password(at: &mut At<'_>, email: &str) -> Answer {
    let account = at.writable(email)?;
    let password = at.call.text("password")?.to_owned();
    check_password(&password)?;
    if !account.configured {
        return Err(Problem::bad(&format!("The account {email} is not configured")));
    }
    let op = MailOp::Password { service: at.name.to_owned(), login: account.address.clone(), password };
    let (service, id) = (at.name.to_owned(), account.id);
    let job = Job::new("changePassword", at.name, at.account_key(id), &account.address, move |world| {
        let now = world.now();
        with_account(world, &service, id, |a| a.password_set = Some(now));
    });
    at.task(job.mail(op))
}

fn account_tasks(at: &At<'_>, email: &str, rest: &[&str]) -> Answer {
    let key = at.account_key(at.account(email)?.id);
    tasks(at, &format!("{key} "), rest)
}

fn alias_key(at: &At<'_>, id: u64, alias: &Address) -> String {
    object(&at.account_key(id), "alias", alias.key())
}

fn add_alias(at: &mut At<'_>, email: &str) -> Answer {
    let account = at.writable(email)?;
    let alias = address(at.call.text("alias")?)?;
    if !account.configured {
        return Err(Problem::bad(&format!("The account {email} is not configured")));
    }
    claim(at, &alias)?;
    let (service, id, added) = (at.name.to_owned(), account.id, alias.clone());
    let label = format!("{} {alias}", account.address);
    let job = Job::new("addAlias", at.name, alias_key(at, id, &alias), label, move |world| {
        with_account(world, &service, id, |a| {
            a.aliases.insert(added);
        });
    });
    at.task(job.reserve(alias))
}

fn alias_row(at: &At<'_>, email: &str, alias: &str) -> Answer {
    let account = at.account(email)?;
    let found = account.aliases.get(&address(alias)?).ok_or_else(|| Problem::absent("alias", alias))?;
    let pending = at.core.world.pending(&alias_key(at, account.id, found));
    Ok(Reply::json(&json!({ "alias": found.to_string(), "creationDate": date(EPOCH), "taskPendingId": pending })))
}

fn remove_alias(at: &mut At<'_>, email: &str, alias: &str) -> Answer {
    let account = at.writable(email)?;
    let alias = account.aliases.get(&address(alias)?).cloned().ok_or_else(|| Problem::absent("alias", alias))?;
    let key = alias_key(at, account.id, &alias);
    at.idle(&key, "alias", alias.local())?;
    let (service, id) = (at.name.to_owned(), account.id);
    let label = format!("{} {alias}", account.address);
    let job = Job::new("deleteAlias", at.name, key, label, move |world| {
        with_account(world, &service, id, |a| {
            a.aliases.remove(&alias);
        });
    });
    at.task(job)
}

fn protocol_key(at: &At<'_>, id: u64) -> String {
    object(&at.account_key(id), "protocol", "")
}

fn protocol(at: &At<'_>, email: &str) -> Answer {
    let account = at.account(email)?;
    let p = account.protocol;
    Ok(Reply::json(&json!({
        "IMAP": p.imap, "POP": p.pop, "activeSync": p.active_sync, "webMail": p.web_mail,
        "creationDate": date(EPOCH), "lastUpdate": null,
        "taskPendingId": at.core.world.pending(&protocol_key(at, account.id)),
    })))
}

fn set_protocol(at: &mut At<'_>, email: &str) -> Answer {
    let account = at.writable(email)?;
    let key = protocol_key(at, account.id);
    at.idle(&key, "protocol", email)?;
    let mut wanted = account.protocol;
    for (name, value) in at.call.object()? {
        let switch = match name.as_str() {
            "IMAP" => &mut wanted.imap,
            "POP" => &mut wanted.pop,
            "activeSync" => &mut wanted.active_sync,
            "webMail" => &mut wanted.web_mail,
            "creationDate" | "lastUpdate" | "taskPendingId" => continue,
            _ => return Err(Problem::bad(&format!("Unknown parameter: {name}"))),
        };
        *switch = value.as_bool().ok_or_else(|| Problem::bad(&format!("Invalid type for parameter: {name}")))?;
    }
    let (service, id) = (at.name.to_owned(), account.id);
    let job = Job::new("setExchangeAccountProtocol", at.name, key, &account.address, move |world| {
        with_account(world, &service, id, |a| a.protocol = wanted);
    });
    let op = MailOp::Imap { service: at.name.to_owned(), login: account.address, enabled: wanted.imap };
    at.quietly(if account.configured { job.mail(op) } else { job })
}
