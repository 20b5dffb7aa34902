//! What the servers of a domain, the resolvers that a spec names and its MTA-STS policy say of the move of its MX.

use std::{collections::BTreeSet, net::SocketAddr};

use super::zones::said;
use crate::{
    apply::CutoverSight,
    dns::{
        Client, Lookups as _, Servers,
        audit::{Policy, PolicyMode, Web as _, WebError, Wire},
    },
    model::{CutoverStep, CutoverWork, Domain, Question, RecordSet, RecordType},
    observe::server_address,
};

/// How long senders may go on by a policy that they fetched before: they look for a new one about daily (RFC 8461 3.3).
const REFETCH: u32 = 86_400;

/// Looks once.
pub(super) async fn sight(work: &CutoverWork, servers: &[SocketAddr]) -> CutoverSight {
    let switch = &work.switch;
    let question = Question { name: switch.name.clone(), rtype: switch.rtype };
    let policy = Question { name: format!("_mta-sts.{}", switch.domain), rtype: RecordType::Txt };
    let asked = BTreeSet::from([question.clone(), policy.clone()]);
    let view = Client::default().ask_each(&switch.domain, &asked, servers).await;
    let answers = said(&view, &question);
    if answers.is_empty() {
        return CutoverSight::Unknown(format!("the servers of {} cannot be found", switch.domain));
    }
    let (wanted, other) = match work.step {
        CutoverStep::Drain => (&switch.before, &switch.after),
        CutoverStep::Converge => (&switch.after, &switch.before),
    };
    for (server, answer) in &answers {
        match answer {
            Err(why) => return CutoverSight::Unknown(format!("{server} gives no answer: {why}")),
            Ok(set) if set == wanted => {}
            Ok(set)
                if values(set) == values(wanted)
                    || (work.step == CutoverStep::Converge && values(set) == values(other)) =>
            {
                return CutoverSight::Behind(format!("{server} still has {}", shown(set)));
            }
            Ok(set) => return CutoverSight::Changed(format!("{server} has {}", shown(set))),
        }
    }
    match work.step {
        CutoverStep::Converge => resolvers(work, &question).await,
        CutoverStep::Drain
            if view.servers.values().any(|s| s.answers.get(&policy).is_some_and(|v| !v.is_missing())) =>
        {
            by_policy(work, servers).await
        }
        CutoverStep::Drain => CutoverSight::There { more: 0 },
    }
}

fn values(set: &Option<RecordSet>) -> BTreeSet<String> {
    set.iter().flat_map(|s| &s.values).map(|v| v.to_ascii_lowercase()).collect()
}

fn shown(set: &Option<RecordSet>) -> String {
    match set {
        None => "no MX".to_owned(),
        Some(set) => format!("{} (TTL {})", set.values.iter().cloned().collect::<Vec<_>>().join(", "), set.ttl),
    }
}

/// Whether every resolver that the spec names has the new MX.
async fn resolvers(work: &CutoverWork, question: &Question) -> CutoverSight {
    let client = Client { authority: false, ..Client::default() };
    for text in &work.resolvers {
        let Some(address) = server_address(text) else { continue };
        let verdict = client.lookup(address, question).await;
        let has: BTreeSet<String> = verdict.values().iter().map(|v| v.to_ascii_lowercase()).collect();
        if !verdict.is_known() {
            return CutoverSight::Unknown(format!("resolver {text} gives no answer ({verdict:?})"));
        }
        if has != values(&work.switch.after) {
            let has = has.into_iter().collect::<Vec<_>>().join(", ");
            return CutoverSight::Behind(format!("resolver {text} still has {has}"));
        }
    }
    CutoverSight::There { more: 0 }
}

/// A policy that forbids the new servers would have mail bounce (RFC 8461 5): it has to allow them before the move, and
/// for as long as senders may still go by the one before.
async fn by_policy(work: &CutoverWork, servers: &[SocketAddr]) -> CutoverSight {
    let domain = &work.switch.domain;
    let policy = match policy_of(domain, servers).await {
        Ok(policy) if policy.mode != PolicyMode::Enforce => return CutoverSight::There { more: 0 },
        Ok(policy) => policy,
        Err(why) => {
            return CutoverSight::Unknown(format!("the MTA-STS policy of {} cannot be read: {why}", domain.unicode()));
        }
    };
    let hosts = values(&work.switch.after);
    let missing: Vec<&str> =
        hosts.iter().filter_map(|v| v.split(' ').nth(1)).filter(|host| !policy.covers(host)).collect();
    if missing.is_empty() {
        return CutoverSight::There { more: policy.max_age.min(REFETCH) };
    }
    CutoverSight::Behind(format!(
        "the MTA-STS policy of {} does not list {}: add it, with a new `id` in _mta-sts.{domain}",
        domain.unicode(),
        missing.join(", ")
    ))
}

async fn policy_of(domain: &Domain, servers: &[SocketAddr]) -> Result<Policy, String> {
    let client = Client { authority: false, ..Client::default() };
    let world = if servers.is_empty() { Servers::system(client)? } else { Servers::new(client, servers.to_vec()) };
    let host = format!("mta-sts.{domain}");
    let mut addresses = Vec::new();
    for rtype in [RecordType::A, RecordType::Aaaa] {
        let verdict = world.lookup(&Question { name: host.clone(), rtype }).await;
        addresses.extend(verdict.values().iter().filter_map(|ip| Some(SocketAddr::new(ip.parse().ok()?, 443))));
    }
    if addresses.is_empty() {
        return Err(format!("{host} has no address"));
    }
    let page = Wire.get(&host, "/.well-known/mta-sts.txt", &addresses).await.map_err(|e| match e {
        WebError::Wrong(why) | WebError::Unreachable(why) => why,
    })?;
    if page.status != 200 {
        return Err(format!("the server answers {}", page.status));
    }
    Policy::parse(&page.body)
}
