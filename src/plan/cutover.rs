//! DNS as far as a plan speaks of it: whether the MX has moved, what to move, and the check at the end.

use std::collections::BTreeSet;

use crate::{
    model::{DnsTopic, Domain, NoteKind, Phase, PlatformId, Question, RecordType, Undo, Verdict, Work},
    spec::{Presence, Strategy},
};

use super::{draft::Draft, world::World};

/// The MX records that a platform wants for a domain, in presentation form.
fn wanted_mx<'a>(world: &World<'a>, domain: &Domain, platform: &PlatformId) -> BTreeSet<&'a str> {
    let expected = world.platform(platform).and_then(|v| v.domains.get(domain)).map(|d| d.expected.as_slice());
    let mx = expected.unwrap_or_default().iter().filter(|r| r.topic == DnsTopic::Mx);
    mx.map(|r| r.value.as_str()).collect()
}

/// The host of an MX record in presentation form.
fn host(record: &str) -> String {
    record.rsplit(' ').next().unwrap_or(record).trim_end_matches('.').to_ascii_lowercase()
}

/// Whether every authoritative server that answered sends mail for a domain to the platform and to nobody else.
/// Unknown counts as no.
pub(super) fn mx_moved(world: &World<'_>, domain: &Domain, platform: &PlatformId) -> bool {
    let wanted: BTreeSet<String> = wanted_mx(world, domain, platform).into_iter().map(host).collect();
    let Some(dns) = world.inventory.dns.get(domain).filter(|_| !wanted.is_empty()) else { return false };
    let question = Question { name: domain.as_str().to_owned(), rtype: RecordType::Mx };
    let answers: Vec<&Verdict> =
        dns.servers.values().filter(|s| s.authoritative).filter_map(|s| s.answers.get(&question)).collect();
    let there = |verdict: &&Verdict| {
        let values = verdict.values();
        !values.is_empty() && values.iter().all(|v| wanted.contains(&host(v)))
    };
    !answers.is_empty() && answers.iter().all(there)
}

/// Says which MX records to set where the move of the MX is what moves the mail.
pub(super) fn tell(world: &World<'_>, draft: &mut Draft) {
    let busy = busy_domains(draft);
    for (domain, migrate, target) in world.migrations() {
        let separate = !world.shares_routing(&migrate.from, target);
        if migrate.strategy != Strategy::Parallel || !separate || mx_moved(world, domain, target) {
            continue;
        }
        let wanted = wanted_mx(world, domain, target);
        if wanted.is_empty() && !busy.contains(domain.as_str()) {
            continue;
        }
        let message = format!(
            "new mail for {} arrives at {} until its MX records point to {}",
            domain.unicode(),
            world.title(&migrate.from),
            world.title(target)
        );
        let help = if wanted.is_empty() {
            "set the MX records that the target's provider names, then plan again for the last copies".to_owned()
        } else {
            let records: Vec<&str> = wanted.into_iter().collect();
            format!("set MX {}, then plan again for the last copies", records.join(", "))
        };
        draft.note(NoteKind::Waiting, "mx-cutover", domain.as_str(), message, Some(help));
    }
}

/// The domains in which something is planned.
pub(super) fn busy_domains(draft: &Draft) -> BTreeSet<String> {
    let mut out: BTreeSet<&str> = BTreeSet::new();
    for action in &draft.actions {
        out.insert(action.chain.rsplit_once('@').map_or(&*action.chain, |(_, domain)| domain));
    }
    out.into_iter().map(str::to_owned).collect()
}

/// Plans the check of DNS for each moving domain in which something happens.
pub(super) fn verify(world: &World<'_>, draft: &mut Draft) {
    let busy = busy_domains(draft);
    for (domain, spec) in &world.spec.domains {
        let checked = spec.state == Presence::Present && spec.migrate.is_some() && !spec.dns.verify.is_empty();
        if !checked || !busy.contains(domain.as_str()) {
            continue;
        }
        let work = Work::VerifyDns {
            platform: spec.platform.clone(),
            domain: domain.clone(),
            topics: spec.dns.verify.clone(),
        };
        let reason = format!("mail DNS should be what {} expects", world.title(&spec.platform));
        let name = format!("verify.dns:{}/{domain}", spec.platform);
        draft.add((Phase::Verify, domain.as_str()), name, work, Undo::Nothing, reason);
    }
}
