//! The rehearsal's own routes below `/sandbox`. They need no signature and are never counted.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    call::{Answer, Call, Problem, Reply, address},
    faults::Fault,
    server::Shared,
    world::Rule,
};

/// `PUT /sandbox/settings`: what is absent stays.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[derive(Default)]
struct SettingsBody {
    clock_skew: Option<i64>,
    validate_domains: Option<bool>,
    refuse_busy: Option<bool>,
    failing: Option<Vec<String>>,
    task_delay_ms: Option<u64>,
}

/// `PUT /sandbox/service/{service}`.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct ServiceBody {
    state: Option<String>,
    expired: Option<bool>,
}

/// `PUT /sandbox/service/{service}/account/{address}`.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct AccountBody {
    state: Option<String>,
    spam: Option<bool>,
}

fn read<T: serde::de::DeserializeOwned>(body: &Value) -> Result<T, Problem> {
    serde_json::from_value(body.clone()).map_err(|e| Problem::bad(&e.to_string()))
}

/// Faults, counters, the world, rights, settings, and states that no customer can set.
pub(super) async fn route(shared: &Shared, call: &Call) -> Answer {
    let path: Vec<&str> = call.segments.iter().map(String::as_str).collect();
    match (call.method.as_str(), path.as_slice()) {
        ("GET", ["faults"]) => Ok(Reply::json(&json!(shared.faults.list()))),
        ("POST", ["faults"]) => {
            let faults: Vec<Fault> =
                if call.body.is_array() { read(&call.body)? } else { vec![read::<Fault>(&call.body)?] };
            faults.into_iter().for_each(|fault| shared.faults.add(fault));
            Ok(Reply::void())
        }
        ("DELETE", ["faults"]) => {
            shared.faults.clear();
            Ok(Reply::void())
        }
        ("GET", ["counters"]) => Ok(Reply::json(&counters(&shared.links.counters.snapshot()))),
        ("DELETE", ["counters"]) => {
            shared.links.counters.reset();
            Ok(Reply::void())
        }
        ("GET", ["world"]) => {
            shared.measure_all().await;
            Ok(Reply::json(&shared.core().world.dump()))
        }
        ("GET", ["idle"]) => Ok(Reply::json(&Value::from(shared.is_idle()))),
        ("PUT", ["rights"]) => {
            let rules: Vec<Rule> = read(&call.body)?;
            let mut core = shared.core();
            let consumer = core.world.keys.consumer.clone();
            let credential = core.world.credentials.get_mut(&consumer);
            credential.ok_or_else(|| Problem::absent("credential", "consumer"))?.rules = rules;
            Ok(Reply::void())
        }
        ("PUT", ["settings"]) => settings(shared, read(&call.body)?),
        ("PUT", ["service", name]) => service(shared, name, read(&call.body)?),
        ("PUT", ["service", name, "account", login]) => account(shared, name, login, read(&call.body)?),
        _ => Err(Problem::no_route()),
    }
}

/// Counts by their first word: `api`, `mutating`, `effect`, `imap`, `dns`; and the sum of each.
fn counters(counts: &BTreeMap<String, u64>) -> Value {
    let mut groups: BTreeMap<&str, BTreeMap<&str, u64>> =
        ["api", "mutating", "effect", "imap", "dns"].map(|group| (group, BTreeMap::new())).into();
    for (name, count) in counts {
        let (group, rest) = name.split_once('.').unwrap_or(("other", name));
        *groups.entry(group).or_default().entry(rest).or_default() += count;
    }
    let totals: BTreeMap<&str, u64> = groups.iter().map(|(group, c)| (*group, c.values().sum())).collect();
    json!({ "total": totals, "counts": groups })
}

fn settings(shared: &Shared, body: SettingsBody) -> Answer {
    let mut core = shared.core();
    let settings = &mut core.world.settings;
    settings.clock_skew = body.clock_skew.unwrap_or(settings.clock_skew);
    settings.validate_domains = body.validate_domains.unwrap_or(settings.validate_domains);
    settings.refuse_busy = body.refuse_busy.unwrap_or(settings.refuse_busy);
    if let Some(failing) = body.failing {
        settings.failing = failing.into_iter().collect();
    }
    if let Some(ms) = body.task_delay_ms {
        core.links.task_delay = std::time::Duration::from_millis(ms);
    }
    Ok(Reply::void())
}

fn service(shared: &Shared, name: &str, body: ServiceBody) -> Answer {
    let mut core = shared.core();
    let world = &mut core.world;
    let legacy = world.legacy.values_mut().find(|l| l.domain.as_str() == name);
    if let Some(hosted) = world.hosted.get_mut(name) {
        hosted.state = body.state.unwrap_or_else(|| hosted.state.clone());
        hosted.expired = body.expired.unwrap_or(hosted.expired);
    } else if let Some(legacy) = legacy {
        legacy.expired = body.expired.unwrap_or(legacy.expired);
    } else if let Some(platform) = world.zimbra.get_mut(name) {
        platform.expired = body.expired.unwrap_or(platform.expired);
    } else {
        return Err(Problem::absent("service", name));
    }
    Ok(Reply::void())
}

fn account(shared: &Shared, service: &str, login: &str, body: AccountBody) -> Answer {
    let login = address(login)?;
    let mut core = shared.core();
    let world = &mut core.world;
    let spam = body.spam;
    if let Some(hosted) = world.hosted.get_mut(service)
        && let Some(account) = hosted.accounts.values_mut().find(|a| a.address == login)
    {
        account.state = body.state.unwrap_or_else(|| account.state.clone());
        account.spam = spam.unwrap_or(account.spam);
    } else if let Some(legacy) = world.legacy.get_mut(login.domain())
        && let Some(account) = legacy.accounts.get_mut(&login.local().to_ascii_lowercase())
    {
        account.blocked = spam.unwrap_or(account.blocked);
    } else if let Some(platform) = world.zimbra.get_mut(service)
        && let Some(account) = platform.accounts.values_mut().find(|a| a.current.address == login)
    {
        account.status = body.state.unwrap_or_else(|| account.status.clone());
        match spam {
            Some(true) => account.current.locks = vec!["BLOCKEDFORSPAM".to_owned()],
            Some(false) => account.current.locks.clear(),
            None => {}
        }
    } else {
        return Err(Problem::absent("account", &login.to_string()));
    }
    Ok(Reply::void())
}
