//! Domains: on the target before anything in them, on the source not authoritative while both have it.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    model::{
        ActionId, Change, Domain, DomainType, DomainView, Guard, GuardOutcome, NoteKind, ObjectClass, ObjectState,
        Phase, PlatformId, ServiceState, Undo, Work,
    },
    spec::{DomainSpec, Presence},
};

use super::{
    claims,
    decide::Cases,
    draft::{Block, Draft},
    reads,
    world::World,
};

/// Where OVHcloud's platforms relay unknown recipients of a domain that another of its platforms holds too
/// (OVHcloud guide "Add a domain to an email service").
pub(super) const RELAY: &str = "mx1.mail.ovh.net";

/// What stands before everything in a domain on its platform.
pub(super) enum Gate {
    /// Nothing.
    Open,
    /// The domain has to be added, or to become usable.
    After(ActionId),
    /// The domain cannot be used.
    Shut(Block),
}

/// By domain of the spec.
pub(super) struct Gates<'a>(BTreeMap<&'a Domain, Gate>);

impl Gates<'_> {
    /// Why nothing can be made in a domain on that platform.
    pub(super) fn shut(&self, world: &World<'_>, domain: &Domain, on: &PlatformId) -> Option<Block> {
        let own = world.domain(domain).is_some_and(|d| &d.platform == on);
        match self.0.get(domain).filter(|_| own)? {
            Gate::Shut(block) => Some(block.clone()),
            Gate::Open | Gate::After(_) => None,
        }
    }

    /// What has to be done before anything is made in a domain on that platform.
    pub(super) fn before(&self, world: &World<'_>, domain: &Domain, on: &PlatformId) -> Option<ActionId> {
        let own = world.domain(domain).is_some_and(|d| &d.platform == on);
        match self.0.get(domain).filter(|_| own)? {
            Gate::After(id) => Some(id.clone()),
            Gate::Open | Gate::Shut(_) => None,
        }
    }
}

/// Looks at every domain of the spec.
pub(super) fn gates<'a>(world: &World<'a>) -> Gates<'a> {
    let present = world.spec.domains.iter().filter(|(_, d)| d.state == Presence::Present);
    Gates(present.map(|(domain, spec)| (domain, gate(world, domain, spec))).collect())
}

fn gate(world: &World<'_>, domain: &Domain, spec: &DomainSpec) -> Gate {
    let platform = &spec.platform;
    if !world.is_managed(platform) {
        return Gate::Open;
    }
    let Some(view) = world.platform(platform) else { return Gate::Open }; // told by the accounts, once per platform
    if let Some(block) = unavailable(world, platform) {
        return Gate::Shut(block);
    }
    let ready = || Gate::After(ready_id(platform, domain));
    match view.domains.get(domain).map(|d| &d.state) {
        Some(ObjectState::Ok) => Gate::Open,
        Some(ObjectState::Busy | ObjectState::Waiting) => ready(),
        Some(ObjectState::Unavailable(word)) => Gate::Shut(Block::of(
            domain.as_str(),
            "domain-unavailable",
            format!("{} cannot be used on {} ({word})", domain.unicode(), world.title(platform)),
            "solve it on the platform and plan again",
        )),
        None if world.gap(platform, ObjectClass::Domain, domain.as_str()).is_some() => {
            Gate::Shut(claims::incomplete(world, platform, ObjectClass::Domain))
        }
        None if !view.capabilities.domains => Gate::Shut(Block::of(
            domain.as_str(),
            "domain-not-on-platform",
            format!("{} is not on {}, which takes no other domains", domain.unicode(), world.title(platform)),
            "choose the platform that has the domain, or one that takes domains",
        )),
        None if wants_authority_too_early(world, domain, spec) => Gate::Shut(Block::of(
            domain.as_str(),
            "authoritative-too-early",
            format!("{} cannot be authoritative on two platforms at once", domain.unicode()),
            "say `type: non-authoritative` until the source no longer has the domain",
        )),
        None => ready(),
    }
}

/// Why a whole service takes no changes.
pub(super) fn unavailable(world: &World<'_>, platform: &PlatformId) -> Option<Block> {
    let ServiceState::Unavailable(word) = &world.platform(platform)?.service.state else { return None };
    let help = match word.as_str() {
        "expired" => "renew the service, and plan again",
        _ => "wait until the platform says it is available, and plan again",
    };
    let message = format!("{} takes no changes now ({word})", world.title(platform));
    Some(Block::of(platform.as_str(), "service-unavailable", message, help))
}

/// Stops whatever is planned on a service that takes no changes. Most of it is not planned in the first place; this is
/// for removals, rights and fields of what is there already.
pub(super) fn stop_unavailable(world: &World<'_>, draft: &mut Draft) {
    let shut: BTreeMap<&PlatformId, Block> =
        world.inventory.platforms.keys().filter_map(|p| Some((p, unavailable(world, p)?))).collect();
    if shut.is_empty() {
        return;
    }
    let mut stopped = BTreeMap::new();
    for action in &draft.actions {
        if let Work::Platform { platform, .. } = &action.work
            && let Some(block) = shut.get(platform)
        {
            stopped.entry(action.chain.clone()).or_insert_with(|| block.clone());
        }
    }
    claims::stop_chains(draft, stopped);
}

fn ready_id(platform: &PlatformId, domain: &Domain) -> ActionId {
    ActionId::from(format!("domain.ready:{platform}/{domain}"))
}

/// The domain on the platform it comes from, where both deliver by address.
fn at_source<'a>(world: &World<'a>, domain: &Domain, spec: &'a DomainSpec) -> Option<(&'a PlatformId, &'a DomainView)> {
    let from = &spec.migrate.as_ref()?.from;
    if from == &spec.platform || !world.shares_routing(from, &spec.platform) {
        return None;
    }
    Some((from, world.platform(from)?.domains.get(domain)?))
}

fn wants_authority_too_early(world: &World<'_>, domain: &Domain, spec: &DomainSpec) -> bool {
    spec.kind == Some(DomainType::Authoritative) && at_source(world, domain, spec).is_some()
}

/// Plans what the domains need.
pub(super) fn emit(world: &World<'_>, gates: &Gates<'_>, cases: &Cases<'_>, draft: &mut Draft) {
    let alive: BTreeSet<&Domain> = cases.list.iter().map(|c| c.address.domain()).collect();
    for (domain, spec) in &world.spec.domains {
        if spec.state == Presence::Absent {
            remove(world, domain, spec, draft);
            continue;
        }
        if matches!(gates.0.get(domain), Some(Gate::Shut(_))) || !world.is_managed(&spec.platform) {
            if let Some(block) = gates.shut(world, domain, &spec.platform).filter(|_| !alive.contains(domain)) {
                draft.tell(domain.as_str(), block);
            }
            continue;
        }
        let Some(view) = world.platform(&spec.platform) else { continue };
        let seen = view.domains.get(domain);
        let loosened =
            (seen.is_none() || alive.contains(domain)).then(|| loosen_source(world, domain, spec, draft)).flatten();
        match seen {
            None => add(world, domain, spec, loosened, draft),
            Some(seen) => {
                update(world, domain, spec, seen, draft);
                if seen.state != ObjectState::Ok {
                    wait(world, domain, spec, seen, draft);
                }
            }
        }
    }
}

/// Makes the source non-authoritative, so that it relays what it no longer has instead of rejecting it.
fn loosen_source(world: &World<'_>, domain: &Domain, spec: &DomainSpec, draft: &mut Draft) -> Option<ActionId> {
    let (from, seen) = at_source(world, domain, spec)?;
    let types = world.platform(from)?.capabilities.domain_type;
    if !types || seen.kind != Some(DomainType::Authoritative) {
        return None;
    }
    draft.read(domain.as_str(), reads::domain_key(from, domain));
    let change = Change::DomainUpdate {
        domain: domain.clone(),
        kind: DomainType::NonAuthoritative,
        mx_relay: Some(RELAY.to_owned()),
    };
    let reason = format!(
        "mail for addresses that have moved to {} must be relayed instead of rejected",
        world.title(&spec.platform)
    );
    let action = draft.change(world, (Phase::Domain, domain.as_str()), from, change, reason);
    Some(action.id.clone())
}

fn add(world: &World<'_>, domain: &Domain, spec: &DomainSpec, loosened: Option<ActionId>, draft: &mut Draft) {
    let platform = &spec.platform;
    let types = world.platform(platform).is_some_and(|v| v.capabilities.domain_type);
    let beside = at_source(world, domain, spec).is_some();
    let kind = spec.kind.or_else(|| beside.then_some(DomainType::NonAuthoritative)).filter(|_| types);
    let relays = kind == Some(DomainType::NonAuthoritative);
    let mx_relay = spec.mx_relay.clone().or_else(|| beside.then(|| RELAY.to_owned())).filter(|_| relays);
    if spec.kind.is_some() && !types {
        untyped(world, domain, platform, draft);
    }
    draft.read(domain.as_str(), reads::domain_key(platform, domain));
    let change = Change::DomainAdd { domain: domain.clone(), kind, mx_relay };
    let reason = format!("{} should be on {}", domain.unicode(), world.title(platform));
    let action = draft.change(world, (Phase::Domain, domain.as_str()), platform, change, reason);
    action.requires.extend(loosened);
    let added = action.id.clone();
    ready(world, domain, platform, Some(added), draft);
}

fn ready(world: &World<'_>, domain: &Domain, platform: &PlatformId, after: Option<ActionId>, draft: &mut Draft) {
    let work = Work::DomainReady { platform: platform.clone(), domain: domain.clone() };
    let reason = format!("nothing can be made in the domain before {} has accepted it", world.title(platform));
    let name = ready_id(platform, domain).0;
    let action = draft.add((Phase::Domain, domain.as_str()), name, work, Undo::Nothing, reason);
    action.requires.extend(after);
}

fn untyped(world: &World<'_>, domain: &Domain, platform: &PlatformId, draft: &mut Draft) {
    draft.note(
        NoteKind::Unsupported,
        "domain-type",
        domain.as_str(),
        format!("{} has no types of domains; `type` is not used there", world.title(platform)),
        Some("leave `type` and `mx_relay` out for this domain".to_owned()),
    );
}

fn update(world: &World<'_>, domain: &Domain, spec: &DomainSpec, seen: &DomainView, draft: &mut Draft) {
    let platform = &spec.platform;
    if spec.kind.is_none() && spec.mx_relay.is_none() {
        return;
    }
    let types = world.platform(platform).is_some_and(|v| v.capabilities.domain_type);
    let Some(kind) = spec.kind.or(seen.kind).filter(|_| types) else {
        untyped(world, domain, platform, draft);
        return;
    };
    let relays = kind == DomainType::NonAuthoritative;
    let mx_relay = spec.mx_relay.clone().or_else(|| seen.mx_relay.clone()).filter(|_| relays);
    let same_relay = !relays || spec.mx_relay.is_none() || spec.mx_relay == seen.mx_relay;
    if seen.kind == Some(kind) && same_relay {
        return;
    }
    if wants_authority_too_early(world, domain, spec) {
        let message = format!("{} stays non-authoritative while the source still has it", domain.unicode());
        let help = "remove the domain from the source when its last account is gone, then plan again".to_owned();
        draft.note(NoteKind::Waiting, "authoritative-too-early", domain.as_str(), message, Some(help));
        return;
    }
    draft.read(domain.as_str(), reads::domain_key(platform, domain));
    let change = Change::DomainUpdate { domain: domain.clone(), kind, mx_relay };
    let reason = "type or relay differ from the spec";
    draft.change(world, (Phase::Domain, domain.as_str()), platform, change, reason);
}

/// A domain that is there and cannot be used yet: the wait is planned, and dropped again if nothing waits for it.
fn wait(world: &World<'_>, domain: &Domain, spec: &DomainSpec, seen: &DomainView, draft: &mut Draft) {
    ready(world, domain, &spec.platform, None, draft);
    let message = format!("{} has not accepted {} yet", world.title(&spec.platform), domain.unicode());
    let help = match &seen.ownership {
        Some(record) => format!("publish `{} {} {}`", record.name, record.rtype, record.value),
        None => "wait; the platform is still working on it".to_owned(),
    };
    draft.note(NoteKind::Waiting, "domain-waiting", domain.as_str(), message, Some(help));
}

/// Drops waits that nothing needs.
pub(super) fn prune_waits(draft: &mut Draft) {
    let waits = |a: &&crate::model::Action| matches!(a.work, Work::DomainReady { .. }) && a.requires.is_empty();
    let mut idle: BTreeSet<ActionId> = draft.actions.iter().filter(waits).map(|a| a.id.clone()).collect();
    if idle.is_empty() {
        return;
    }
    for required in draft.actions.iter().flat_map(|a| &a.requires) {
        idle.remove(required);
    }
    draft.actions.retain(|a| !idle.contains(&a.id));
}

fn remove(world: &World<'_>, domain: &Domain, spec: &DomainSpec, draft: &mut Draft) {
    let platform = &spec.platform;
    let Some(view) = world.platform(platform).filter(|v| v.domains.contains_key(domain)) else { return };
    if !view.capabilities.domains {
        let message = format!("{} cannot give up a domain", world.title(platform));
        let help = Some("cancel the service instead".to_owned());
        draft.note(NoteKind::Unsupported, "domain-remove", domain.as_str(), message, help);
        return;
    }
    let leaving = |a: &&crate::model::Address| world.wish(a).is_none_or(|s| s.state != Presence::Absent);
    let left = view.accounts.keys().filter(|a| a.domain() == domain).filter(leaving).count();
    let unsure = [ObjectClass::Account, ObjectClass::Group, ObjectClass::Domain]
        .into_iter()
        .any(|class| world.gap(platform, class, domain.as_str()).is_some());
    let (outcome, message) = if unsure {
        (GuardOutcome::Deny, "what is in the domain could not be listed completely".to_owned())
    } else if left > 0 {
        (GuardOutcome::Deny, format!("{left} accounts of the domain are still on {}", world.title(platform)))
    } else {
        (GuardOutcome::Ack, format!("{} will no longer take mail for the domain", world.title(platform)))
    };
    draft.read(domain.as_str(), reads::domain_key(platform, domain));
    let change = Change::DomainRemove { domain: domain.clone() };
    let at = (Phase::Retire, domain.as_str());
    let action = draft.change(world, at, platform, change, "the spec says that it should not be there");
    action.guard = Some(Box::new(Guard { code: "remove-domain".to_owned(), message, outcome }));
}

/// A domain goes after everything in it that the plan takes away.
pub(super) fn removals_last(draft: &mut Draft) {
    let mut before: BTreeMap<Domain, BTreeSet<ActionId>> = BTreeMap::new();
    let removed: BTreeSet<Domain> = draft
        .actions
        .iter()
        .filter_map(|a| match &a.work {
            Work::Platform { change: Change::DomainRemove { domain }, .. } => Some(domain.clone()),
            _ => None,
        })
        .collect();
    if removed.is_empty() {
        return;
    }
    for action in &draft.actions {
        let Work::Platform { change, .. } = &action.work else { continue };
        let inside = super::draft::freed_by(change).map(crate::model::Address::domain);
        if let Some(domain) = inside.filter(|d| removed.contains(*d)) {
            before.entry(domain.clone()).or_default().insert(action.id.clone());
        }
    }
    for action in &mut draft.actions {
        if let Work::Platform { change: Change::DomainRemove { domain }, .. } = &action.work {
            action.requires.extend(before.remove(domain).unwrap_or_default());
        }
    }
}
