//! What the servers of a domain, the resolvers that a spec names and its MTA-STS policy say of the move of its MX.

use std::{collections::BTreeSet, net::SocketAddr};

use super::{context::Ports, dane, zones::said};
use crate::{
    apply::CutoverSight,
    dns::{
        Client, Lookups as _, Nameserver, Servers,
        audit::{Policy, PolicyMode, Web as _, WebError, Wire},
    },
    model::{CutoverStep, CutoverWork, Domain, Question, RecordSet, RecordType},
};

/// How long senders may go on by a policy that they fetched before: they look for a new one about daily (RFC 8461 3.3).
const REFETCH: u32 = 86_400;

/// Looks once.
pub(super) async fn sight(
    work: &CutoverWork,
    servers: &[SocketAddr],
    asked_too: &[Nameserver],
    ports: Ports,
) -> CutoverSight {
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
        CutoverStep::Probe | CutoverStep::Converge => (&switch.after, &switch.before),
    };
    for (server, answer) in &answers {
        match answer {
            Err(why) => return CutoverSight::Unknown(format!("{server} gives no answer: {why}")),
            Ok(set) if set == wanted => {}
            Ok(set)
                if values(set) == values(wanted)
                    || (work.step != CutoverStep::Drain && values(set) == values(other)) =>
            {
                return CutoverSight::Behind(format!("{server} still has {}", shown(set)));
            }
            Ok(set) => return CutoverSight::Changed(format!("{server} has {}", shown(set))),
        }
    }
    if work.step != CutoverStep::Drain {
        return resolvers(work, &question).await;
    }
    let world = match world(servers, asked_too) {
        Ok(world) => world,
        Err(why) => return CutoverSight::Unknown(why),
    };
    if let Some(reason) = dane::in_the_way(work, &world, ports.smtp).await {
        return CutoverSight::Unknown(reason);
    }
    if view.servers.values().any(|s| s.answers.get(&policy).is_some_and(|v| !v.is_missing())) {
        return by_policy(work, &world, ports.https).await;
    }
    CutoverSight::There { more: 0 }
}

/// Who is asked for the records of others: the resolvers that the spec names, the servers that are asked for everything,
/// else the resolvers of this machine.
pub(super) fn world(servers: &[SocketAddr], resolvers: &[Nameserver]) -> Result<Servers, String> {
    let client = Client { authority: false, ..Client::default() };
    match (resolvers, servers) {
        ([], []) => Servers::system(client),
        ([], servers) => Ok(Servers::new(client, servers.to_vec())),
        (resolvers, _) => Ok(Servers::new(client, resolvers.to_vec())),
    }
}

/// Where a host listens, by the addresses that it has.
pub(super) async fn addresses(host: &str, world: &Servers, port: u16) -> Result<Vec<SocketAddr>, String> {
    let mut found = Vec::new();
    let mut unknown = None;
    for rtype in [RecordType::A, RecordType::Aaaa] {
        let verdict = world.lookup(&Question { name: host.to_owned(), rtype }).await;
        if !verdict.is_known() {
            unknown = Some(format!("the addresses of {host} cannot be found out ({verdict:?})"));
        }
        found.extend(verdict.values().iter().filter_map(|ip| Some(SocketAddr::new(ip.parse().ok()?, port))));
    }
    match (found.is_empty(), unknown) {
        (false, _) => Ok(found),
        (true, Some(unknown)) => Err(unknown),
        (true, None) => Err(format!("{host} has no address")),
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
        let Ok(server) = text.parse::<Nameserver>() else { continue };
        let verdict = client.lookup(server, question).await;
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
async fn by_policy(work: &CutoverWork, world: &Servers, port: u16) -> CutoverSight {
    let domain = &work.switch.domain;
    let policy = match policy_of(domain, world, port).await {
        Ok(policy) if policy.mode != PolicyMode::Enforce => return CutoverSight::There { more: 0 },
        Ok(policy) => policy,
        Err(why) => {
            return CutoverSight::Unknown(format!("the MTA-STS policy of {} cannot be read: {why}", domain.unicode()));
        }
    };
    let missing: Vec<&str> = work.switch.mail_hosts().into_iter().filter(|host| !policy.covers(host)).collect();
    if missing.is_empty() {
        return CutoverSight::There { more: policy.max_age.min(REFETCH) };
    }
    let reason = format!(
        "the MTA-STS policy of {} does not list {}: add it, with a new `id` in _mta-sts.{domain}",
        domain.unicode(),
        missing.join(", ")
    );
    CutoverSight::Forbidden { max_age: policy.max_age, reason }
}

async fn policy_of(domain: &Domain, world: &Servers, port: u16) -> Result<Policy, String> {
    let host = format!("mta-sts.{domain}");
    let addresses = addresses(&host, world, port).await?;
    let page = Wire.get(&host, "/.well-known/mta-sts.txt", &addresses).await.map_err(|e| match e {
        WebError::Wrong(why) | WebError::Unreachable(why) => why,
    })?;
    if page.status != 200 {
        return Err(format!("the server answers {}", page.status));
    }
    Policy::parse(&page.body)
}
