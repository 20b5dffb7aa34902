//! External contacts of a directory, and footers of domains.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    model::{ActionId, Address, Change, ContactView, Domain, Footer, NoteKind, ObjectClass, Phase, PlatformId, Work},
    spec::{ContactSpec, FooterSpec, Presence},
};

use super::{
    Ground, claims, domains,
    draft::{Block, Draft},
    reads, redirections,
    world::World,
};

/// The contacts that the plan adds.
#[derive(Default)]
pub(super) struct Contacts(BTreeMap<(PlatformId, Address), ActionId>);

impl Contacts {
    pub(super) fn planned(&self, platform: &PlatformId, contact: &Address) -> Option<ActionId> {
        self.0.get(&(platform.clone(), contact.clone())).cloned()
    }

    pub(super) fn add(
        &mut self,
        world: &World<'_>,
        platform: &PlatformId,
        contact: &Address,
        fields: ContactView,
        reason: &str,
        draft: &mut Draft,
    ) -> ActionId {
        let chain = contact.key();
        draft.read(&chain, reads::object_key(platform, "contact", &chain));
        let change = Change::ContactAdd { contact: contact.clone(), fields: Box::new(fields) };
        let id = draft.change(world, (Phase::Dependent, &chain), platform, change, reason).id.clone();
        self.0.insert((platform.clone(), contact.clone()), id.clone());
        id
    }
}

/// Plans the contacts of the spec.
pub(super) fn contacts(ground: &Ground<'_, '_>, draft: &mut Draft) -> Contacts {
    let mut out = Contacts::default();
    for (address, spec) in &ground.world.spec.contacts {
        contact(ground, address, spec, &mut out, draft);
    }
    out
}

fn contact(ground: &Ground<'_, '_>, address: &Address, spec: &ContactSpec, out: &mut Contacts, draft: &mut Draft) {
    let world = ground.world;
    let chain = address.key();
    let Some(view) = world.platform(&spec.platform) else {
        redirections::unreachable(ground, &spec.platform, &chain, draft);
        return;
    };
    let place = world.title(&spec.platform);
    if !view.capabilities.contacts {
        if spec.state == Presence::Present {
            let message = format!("{place} has no external contacts");
            let block = Block::own("contact-unsupported", message, "leave the contact out for this platform");
            draft.block(&chain, vec![block.told_as(NoteKind::Unsupported)]);
        }
        return;
    }
    if world.gap(&spec.platform, ObjectClass::Contact, &chain).is_some() {
        draft.block(&chain, vec![claims::incomplete(world, &spec.platform, ObjectClass::Contact)]);
        return;
    }
    if let Some(block) = domains::unavailable(world, &spec.platform) {
        draft.block(&chain, vec![block]);
        return;
    }
    let at = (Phase::Dependent, chain.as_str());
    let key = reads::object_key(&spec.platform, "contact", &chain);
    match (spec.state, view.contacts.get(address)) {
        (Presence::Absent, None) => {}
        (Presence::Absent, Some(_)) => {
            draft.read(&chain, key);
            let change = Change::ContactRemove { contact: address.clone() };
            draft.change(world, at, &spec.platform, change, "the spec says that it should not be there");
        }
        (Presence::Present, None) => {
            let reason = format!("should be in the directory of {place}");
            out.add(world, &spec.platform, address, spec.fields.clone(), &reason, draft);
        }
        (Presence::Present, Some(seen)) => {
            let fields = field_changes(&spec.fields, seen);
            if fields != ContactView::default() {
                draft.read(&chain, key);
                let change = Change::ContactUpdate { contact: address.clone(), fields: Box::new(fields) };
                draft.change(world, at, &spec.platform, change, "differs from the spec");
            }
        }
    }
}

fn field_changes(wish: &ContactView, seen: &ContactView) -> ContactView {
    fn differs<T: Clone + PartialEq>(wish: &Option<T>, seen: &Option<T>) -> Option<T> {
        wish.clone().filter(|w| seen.as_ref().is_some_and(|s| s != w))
    }
    ContactView {
        display_name: differs(&wish.display_name, &seen.display_name),
        first_name: differs(&wish.first_name, &seen.first_name),
        last_name: differs(&wish.last_name, &seen.last_name),
        hidden: differs(&wish.hidden, &seen.hidden),
    }
}

/// Plans the footers of the domains.
pub(super) fn footers(ground: &Ground<'_, '_>, draft: &mut Draft) {
    let domains = ground.world.spec.domains.iter().filter(|(_, d)| d.state == Presence::Present);
    for (domain, spec) in domains {
        if let Some(wish) = &spec.footer {
            footer(ground, domain, &spec.platform, wish, draft);
        }
    }
}

fn footer(ground: &Ground<'_, '_>, domain: &Domain, platform: &PlatformId, wish: &FooterSpec, draft: &mut Draft) {
    let world = ground.world;
    let Some(view) = world.platform(platform) else { return };
    if !view.capabilities.footers {
        if matches!(wish, FooterSpec::Present(_)) {
            let message = format!("{} has no footers", world.title(platform));
            let help = "put the text into the users' signatures, or leave the footer out";
            let block = Block::own("footer-unsupported", message, help).told_as(NoteKind::Unsupported);
            draft.tell(domain.as_str(), block);
        }
        return;
    }
    if ground.gates.shut(world, domain, platform).is_some() {
        return; // Told with the domain.
    }
    let has: Option<&Footer> = view.domains.get(domain).and_then(|d| d.footer.as_ref());
    let change = match (wish, has) {
        (FooterSpec::Present(wish), has) if has != Some(wish) => {
            Change::FooterSet { domain: domain.clone(), footer: wish.clone() }
        }
        (FooterSpec::Absent, Some(_)) => Change::FooterRemove { domain: domain.clone() },
        (FooterSpec::Present(_) | FooterSpec::Absent, _) => return,
    };
    if world.gap(platform, ObjectClass::Footer, domain.as_str()).is_some() {
        let block = claims::incomplete(world, platform, ObjectClass::Footer).told_as(NoteKind::Waiting);
        draft.tell(domain.as_str(), block);
        return;
    }
    draft.read(domain.as_str(), reads::domain_key(platform, domain));
    let at = (Phase::Dependent, domain.as_str());
    let action = draft.change(world, at, platform, change, "differs from the spec");
    action.requires.extend(ground.gates.before(world, domain, platform));
}

/// Makes the end of an account or contact wait for the end of what refers to it.
pub(super) fn ends_last(ground: &Ground<'_, '_>, draft: &mut Draft) {
    let mut ends: BTreeMap<Address, ActionId> =
        ground.places.removed().iter().map(|(address, id)| ((*address).clone(), id.clone())).collect();
    for action in &draft.actions {
        if let Work::Platform { change: Change::ContactRemove { contact }, .. } = &action.work {
            ends.insert(contact.clone(), action.id.clone());
        }
    }
    let mut before: BTreeMap<ActionId, BTreeSet<ActionId>> = BTreeMap::new();
    for action in &draft.actions {
        let Work::Platform { change, .. } = &action.work else { continue };
        let refers: Vec<&Address> = match change {
            Change::DelegationRevoke { account, to, .. } => vec![account, to],
            Change::GroupMemberRemove { member, .. } => vec![member],
            Change::GroupManagerRemove { manager, .. } => vec![manager],
            Change::AliasRemove { account, .. } => vec![account],
            _ => continue,
        };
        for end in refers.into_iter().filter_map(|a| ends.get(a)) {
            before.entry(end.clone()).or_default().insert(action.id.clone());
        }
    }
    for action in &mut draft.actions {
        action.requires.extend(before.remove(&action.id).unwrap_or_default());
    }
}
