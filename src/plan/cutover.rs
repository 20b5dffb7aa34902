//! DNS as far as a plan speaks of it: whether the MX has moved, what to move, and the check at the end.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    model::{
        AccessMethod, Action, ActionId, CutoverStep, CutoverWork, DnsTopic, Domain, MailboxRef, NoteKind, Phase,
        PlatformId, ProbeWork, Question, RecordSet, RecordType, Undo, Verdict, Work, ZoneChange,
    },
    spec::{AdminAccess, CutoverSpec, Presence, Strategy},
};

use super::{draft::Draft, reads, world::World, zone};

/// The MX records that a platform wants for a domain, in presentation form.
fn wanted_mx<'a>(world: &World<'a>, domain: &Domain, platform: &PlatformId) -> BTreeSet<&'a str> {
    let said = world.domain(domain).filter(|d| d.platform == *platform && !d.dns.mx.is_empty());
    if let Some(spec) = said {
        return spec.dns.mx.iter().map(String::as_str).collect();
    }
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

/// Whether the move of a domain's MX is what moves its mail.
pub(super) fn moves_mx(world: &World<'_>, domain: &Domain) -> bool {
    let Some(spec) = world.domain(domain) else { return false };
    spec.migrate
        .as_ref()
        .is_some_and(|m| m.strategy == Strategy::Parallel && !world.shares_routing(&m.from, &spec.platform))
}

/// Plans the move of an MX: its TTL is lowered early, the move waits until nobody can still have the old one, every
/// server is seen to have it, and the TTL goes back. `before` is what has to be done for the accounts first, and
/// `beside` the records that mail through the new servers rests on, with how long resolvers may know what they replace.
/// Gives the action after which the new MX is everywhere.
pub(super) fn emit(
    world: &World<'_>,
    domain: &Domain,
    change: ZoneChange,
    before: &BTreeSet<ActionId>,
    beside: &(BTreeSet<ActionId>, u32),
    draft: &mut Draft,
) -> ActionId {
    draft.read(domain.as_str(), reads::records_key(&change));
    let usual = CutoverSpec::default();
    let wish = world.domain(domain).map_or(&usual, |d| &d.dns.cutover);
    let (Some(old), Some(new)) = (&change.before, &change.after) else {
        return zone::add(draft, Phase::Cutover, change, "mail moves with it".to_owned()).id.clone();
    };
    // An earlier run may have lowered it: resolvers may know the one before that, and it is the one to go back to.
    let was = world.state.lowered_ttls.get(domain).copied().unwrap_or(0).max(old.ttl);
    let low = old.ttl.min(wish.ttl);
    let lowered = RecordSet { ttl: low, ..old.clone() };
    let mut needs: BTreeSet<ActionId> = before.union(&beside.0).cloned().collect();
    if low < old.ttl {
        let lower = ZoneChange { after: Some(lowered.clone()), ..change.clone() };
        let reason = format!("so that the move of the MX is known everywhere within {low} seconds");
        needs.insert(zone::add(draft, Phase::Domain, lower, reason).id.clone());
    }
    let moved = RecordSet { ttl: low, ..new.clone() };
    let switch = ZoneChange { before: Some(lowered), after: Some(moved.clone()), ..change.clone() };
    let probe = probe(world, domain, wish);
    let known = was.max(negative_ttl(world, domain)).max(beside.1);
    let work = |step, wait, approve| CutoverWork {
        step,
        switch: switch.clone(),
        wait,
        approve,
        resolvers: if step == CutoverStep::Converge { wish.resolvers.clone() } else { Vec::new() },
        probe: probe.clone().filter(|_| step != CutoverStep::Converge),
    };
    let drain = work(CutoverStep::Drain, known.saturating_add(wish.margin), wish.approve);
    let reason = format!("resolvers may still know what was there before, for {known} seconds");
    let drained = wait(draft, "cutover.wait", domain, drain, reason);
    drained.requires.extend(needs);
    let drained = drained.id.clone();

    let reason = format!("new mail arrives at {} from then on", target(world, domain));
    let guard = zone::guard_of(&switch);
    let moving = zone::add(draft, Phase::Cutover, switch.clone(), reason);
    moving.requires.insert(drained);
    moving.guard = guard.map(Box::new);
    let mut moving = moving.id.clone();
    if let Some(probe) = &probe {
        let reason = format!("mail for {} should arrive at {}", domain.unicode(), target(world, domain));
        let sent = wait(draft, "cutover.probe", domain, work(CutoverStep::Probe, probe.confirm, false), reason);
        sent.requires.insert(moving);
        moving = sent.id.clone();
    }

    let converge = work(CutoverStep::Converge, low.saturating_add(wish.margin), false);
    let reason = "the move is done when every server has it".to_owned();
    let seen = wait(draft, "cutover.converge", domain, converge, reason);
    seen.requires.insert(moving);
    let seen = seen.id.clone();
    if low < was {
        let raise = ZoneChange { before: Some(moved.clone()), after: Some(RecordSet { ttl: was, ..moved }), ..change };
        let raised = zone::add(draft, Phase::Cutover, raise, "the TTL is what it was before the move".to_owned());
        raised.requires.insert(seen.clone());
    }
    seen
}

fn wait<'d>(draft: &'d mut Draft, kind: &str, domain: &Domain, work: CutoverWork, reason: String) -> &'d mut Action {
    let name = format!("{kind}:{domain}");
    draft.add((Phase::Cutover, domain.as_str()), name, Work::Cutover(Box::new(work)), Undo::Nothing, reason)
}

fn target(world: &World<'_>, domain: &Domain) -> String {
    world.domain(domain).map(|d| world.title(&d.platform).into_owned()).unwrap_or_default()
}

/// The test message of a move, to the mailbox that the account has on its new platform.
fn probe(world: &World<'_>, domain: &Domain, wish: &CutoverSpec) -> Option<ProbeWork> {
    let probe = wish.probe.as_ref()?;
    let platform = &world.domain(domain)?.platform;
    let admin = world.spec.platforms.get(platform).and_then(|p| p.admin.as_ref()).map(AdminAccess::method);
    let password = world.wish(&probe.account).and_then(|a| a.password.as_ref());
    let access = admin.or_else(|| password.map(|p| AccessMethod::Password { password: p.read_back() }))?;
    let mailbox = MailboxRef { platform: platform.clone(), address: probe.account.clone(), access: access.into() };
    Some(ProbeWork { mailbox, confirm: probe.confirm, from: probe.from.clone() })
}

/// How long resolvers may remember that a record is not there, by the server that says the most. One that does not say
/// may be remembered for an hour (RFC 2308 5 leaves it open).
fn negative_ttl(world: &World<'_>, domain: &Domain) -> u32 {
    const UNSAID: u32 = 3600;
    let servers = world.inventory.dns.get(domain).into_iter().flat_map(|v| v.servers.values());
    servers.map(|s| s.negative_ttl.unwrap_or(UNSAID)).max().unwrap_or(UNSAID)
}

/// Says which MX records to set where the move of the MX is what moves the mail.
pub(super) fn tell(world: &World<'_>, busy: &Busy, draft: &mut Draft) {
    let switched = zone::switches(draft);
    for (domain, migrate, target) in world.migrations() {
        let separate = !world.shares_routing(&migrate.from, target);
        if migrate.strategy != Strategy::Parallel
            || !separate
            || switched.contains(domain)
            || mx_moved(world, domain, target)
        {
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
pub(super) type Busy = BTreeSet<String>;

pub(super) fn busy_domains(draft: &Draft) -> Busy {
    let mut out: BTreeSet<&str> = BTreeSet::new();
    // What one account needs stands together.
    for group in draft.actions.chunk_by(|a, b| a.chain == b.chain) {
        let chain = group.first().map_or("", |action| &*action.chain);
        out.insert(chain.rsplit_once('@').map_or(chain, |(_, domain)| domain));
    }
    out.into_iter().map(str::to_owned).collect()
}

/// Plans the check of DNS for each moving domain in which something happens.
pub(super) fn verify(world: &World<'_>, busy: &Busy, draft: &mut Draft) {
    let mut written: BTreeMap<Domain, BTreeSet<ActionId>> = BTreeMap::new();
    for action in &draft.actions {
        let domain = match &action.work {
            Work::Zone(change) => &change.domain,
            Work::Cutover(work) => &work.switch.domain,
            _ => continue,
        };
        written.entry(domain.clone()).or_default().insert(action.id.clone());
    }
    for (domain, spec) in &world.spec.domains {
        let checked = spec.state == Presence::Present && spec.migrate.is_some() && !spec.dns.verify.is_empty();
        // Records that the platform names only once it has the domain cannot be right yet, and a later plan sets them.
        let later = spec.dns.manage.is_some() && zone::names_later(world, domain, spec);
        if !checked || later || !busy.contains(domain.as_str()) {
            continue;
        }
        let work = Work::VerifyDns {
            platform: spec.platform.clone(),
            domain: domain.clone(),
            topics: spec.dns.verify.clone(),
        };
        let reason = format!("mail DNS should be what {} expects", world.title(&spec.platform));
        let name = format!("verify.dns:{}/{domain}", spec.platform);
        let action = draft.add((Phase::Verify, domain.as_str()), name, work, Undo::Nothing, reason);
        action.requires.extend(written.remove(domain).unwrap_or_default());
    }
}
