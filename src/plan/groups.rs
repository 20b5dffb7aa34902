//! Groups: distribution lists whose members are a directory's accounts and contacts, or mailing lists of any addresses.

use std::collections::BTreeSet;

use crate::{
    model::{
        ActionId, Address, Change, ContactView, GroupSettings, GroupSupport, GroupView, NoteKind, ObjectClass, Phase,
        PlatformId, PlatformView, Text,
    },
    spec::{GroupSpec, Presence},
};

use super::{
    Ground,
    accounts::There,
    aliases::missing,
    claims,
    directory::Contacts,
    draft::{Block, Draft},
    reads, redirections,
};

/// Plans all groups.
pub(super) fn emit(ground: &Ground<'_, '_>, contacts: &mut Contacts, draft: &mut Draft) {
    for (address, spec) in &ground.world.spec.groups {
        let Some(platform) = spec.via.as_ref().or_else(|| ground.world.platform_of(address)) else { continue };
        let Some(view) = ground.world.platform(platform) else {
            redirections::unreachable(ground, platform, &address.key(), draft);
            continue;
        };
        let mut group = Group { ground, platform, view, address, spec, chain: address.identity().clone(), after: None };
        match spec.state {
            Presence::Absent => group.remove(draft),
            Presence::Present => group.set(contacts, draft),
        }
    }
}

struct Group<'g, 'a> {
    ground: &'g Ground<'g, 'a>,
    platform: &'g PlatformId,
    view: &'g PlatformView,
    address: &'g Address,
    spec: &'g GroupSpec,
    chain: Text,
    /// The action that makes it.
    after: Option<ActionId>,
}

impl Group<'_, '_> {
    fn gap(&self) -> bool {
        self.ground.world.gap(self.platform, ObjectClass::Group, &self.chain).is_some()
    }

    fn change<'d>(&self, change: Change, reason: &str, draft: &'d mut Draft) -> &'d mut crate::model::Action {
        draft.read(&self.chain, reads::object_key(self.platform, "group", &self.chain));
        let at = (Phase::Dependent, &self.chain);
        let action = draft.change(self.ground.world, at, self.platform, change, reason);
        action.requires.extend(self.after.clone());
        action
    }

    fn remove(&self, draft: &mut Draft) {
        if self.gap() {
            draft.block(&self.chain, vec![claims::incomplete(self.ground.world, self.platform, ObjectClass::Group)]);
        } else if self.view.groups.contains_key(self.address) && !draft.frees(self.platform, self.address) {
            let change = Change::GroupRemove { group: self.address.clone() };
            self.change(change, "the spec says that it should not be there", draft);
        }
    }

    fn set(&mut self, contacts: &mut Contacts, draft: &mut Draft) {
        let world = self.ground.world;
        if self.view.capabilities.groups == GroupSupport::None {
            let message = format!("{} has no groups through its interface", world.title(self.platform));
            let help = "say `via:` with a platform that has them, or make a redirection to all members";
            let block = Block::own("group-unsupported", message, help).told_as(NoteKind::Unsupported);
            draft.block(&self.chain, vec![block]);
            return;
        }
        if let Some(block) = self.ground.gates.shut(world, self.address.domain(), self.platform) {
            draft.block(&self.chain, vec![block]);
            return;
        }
        if self.gap() {
            draft.block(&self.chain, vec![claims::incomplete(world, self.platform, ObjectClass::Group)]);
            return;
        }
        let empty = GroupView {
            settings: GroupSettings::default(),
            members: BTreeSet::new(),
            managers: BTreeSet::new(),
            state: crate::model::ObjectState::Ok,
        };
        let seen = self.view.groups.get(self.address);
        match seen {
            None if self.create(draft).is_none() => return,
            None => {}
            Some(seen) => self.update(seen, draft),
        }
        let seen = seen.unwrap_or(&empty);
        self.members(&seen.members, contacts, draft);
        self.managers(&seen.managers, draft);
    }

    fn create(&mut self, draft: &mut Draft) -> Option<()> {
        let world = self.ground.world;
        let way = match claims::way(world, self.address, self.platform, self.address) {
            Ok(way) => way,
            Err(block) => {
                draft.block(&self.chain, vec![block]);
                return None;
            }
        };
        let claim = (self.address, &self.chain, Phase::Dependent);
        let cleared = claims::clear(world, self.ground.cases, draft, claim, (way, None));
        let gate = self.ground.gates.before(world, self.address.domain(), self.platform);
        let settings = Box::new(self.spec.settings.clone());
        let change = Change::GroupCreate { group: self.address.clone(), settings };
        let reason = format!("{} should be on {}", self.address.unicode(), world.title(self.platform));
        let action = self.change(change, &reason, draft);
        action.requires.extend(cleared.into_iter().chain(gate));
        self.after = Some(action.id.clone());
        Some(())
    }

    fn update(&self, seen: &GroupView, draft: &mut Draft) {
        let settings = settings_changes(&self.spec.settings, &seen.settings);
        if settings != GroupSettings::default() {
            let change = Change::GroupUpdate { group: self.address.clone(), settings: Box::new(settings) };
            self.change(change, "differs from the spec", draft);
        }
    }

    fn members(&self, has: &BTreeSet<Address>, contacts: &mut Contacts, draft: &mut Draft) {
        let Some(wish) = &self.spec.members else { return };
        for member in has.difference(wish) {
            let change = Change::GroupMemberRemove { group: self.address.clone(), member: member.clone() };
            self.change(change, "the spec no longer lists it", draft);
        }
        for member in wish.difference(has) {
            let Ok(after) = self.member(member, contacts, draft) else { continue };
            let change = Change::GroupMemberAdd { group: self.address.clone(), member: member.clone() };
            let reason = format!("is a member of {}", self.address.unicode());
            self.change(change, &reason, draft).requires.extend(after);
        }
    }

    /// What a member waits for; an outside address becomes a contact where members have to be in the directory.
    fn member(&self, member: &Address, contacts: &mut Contacts, draft: &mut Draft) -> Result<Option<ActionId>, ()> {
        let world = self.ground.world;
        if self.view.capabilities.groups == GroupSupport::List {
            return Ok(self.ground.places.ready(member));
        }
        // A source that gives its address up takes its memberships along: who has the address then is outside.
        let leaving = draft.freeing(self.platform, member).cloned();
        match self.ground.places.find(world, self.platform, member) {
            There::Now if leaving.is_none() => return Ok(None),
            There::After(id) => return Ok(Some(id)),
            There::Now | There::Never => {}
        }
        if let Some(planned) = contacts.planned(self.platform, member) {
            return Ok(Some(planned));
        }
        if self.view.contacts.contains_key(member) {
            return Ok(None);
        }
        let inside = world.platform_of(member) == Some(self.platform) || world.spec.groups.contains_key(member);
        if inside || !self.view.capabilities.contacts {
            missing(self.ground, self.platform, self.address, member, draft);
            return Err(());
        }
        if world.gap(self.platform, ObjectClass::Contact, &member.key()).is_some() {
            let block = claims::incomplete(world, self.platform, ObjectClass::Contact).told_as(NoteKind::Waiting);
            draft.tell(&self.chain, block);
            return Err(());
        }
        let fields = ContactView { display_name: Some(member.to_string()), ..ContactView::default() };
        let reason = format!("is a member of {} from outside", self.address.unicode());
        let contact = contacts.add(world, self.platform, member, fields, &reason, draft);
        draft.require(&contact, leaving);
        Ok(Some(contact))
    }

    fn managers(&self, has: &BTreeSet<Address>, draft: &mut Draft) {
        let Some(wish) = &self.spec.managers else { return };
        for manager in has.difference(wish) {
            let change = Change::GroupManagerRemove { group: self.address.clone(), manager: manager.clone() };
            self.change(change, "the spec no longer lists it", draft);
        }
        for manager in wish.difference(has) {
            let after = match self.ground.places.find(self.ground.world, self.platform, manager) {
                There::Now => None,
                There::After(id) => Some(id),
                There::Never => {
                    missing(self.ground, self.platform, self.address, manager, draft);
                    continue;
                }
            };
            let change = Change::GroupManagerAdd { group: self.address.clone(), manager: manager.clone() };
            let reason = format!("manages {}", self.address.unicode());
            self.change(change, &reason, draft).requires.extend(after);
        }
    }
}

/// The settings of a wish that differ from what the platform tells.
fn settings_changes(wish: &GroupSettings, seen: &GroupSettings) -> GroupSettings {
    fn differs<T: Clone + PartialEq>(wish: &Option<T>, seen: &Option<T>) -> Option<T> {
        wish.clone().filter(|w| seen.as_ref().is_some_and(|s| s != w))
    }
    GroupSettings {
        display_name: differs(&wish.display_name, &seen.display_name),
        members_only: differs(&wish.members_only, &seen.members_only),
        join: differs(&wish.join, &seen.join),
        leave: differs(&wish.leave, &seen.leave),
        hidden: differs(&wish.hidden, &seen.hidden),
        max_receive_mb: differs(&wish.max_receive_mb, &seen.max_receive_mb),
    }
}
