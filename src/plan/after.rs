//! What a plan leaves behind: its changes made to the objects that were observed. Mail is not looked at.

use std::collections::BTreeSet;

use crate::model::{
    AccountView, Change, ContactView, Delegation, DomainView, GroupSettings, GroupView, Inventory, ObjectState,
    PlatformView, Profile, Question, RedirectionView, Verdict, Work, ZoneChange,
};

use super::Plan;

/// The inventory as it is once everything in the plan is done.
#[must_use]
pub fn after(plan: &Plan, inventory: &Inventory) -> Inventory {
    let mut world = inventory.clone();
    for action in &plan.body.actions {
        if let Work::Zone(change) = &action.work {
            publish(&mut world, change);
        }
        let Work::Platform { platform, change } = &action.work else { continue };
        if let Some(view) = world.platforms.get_mut(platform) {
            make(view, change);
        }
    }
    world
}

/// Makes one change of a zone, at every server that serves it.
fn publish(world: &mut Inventory, change: &ZoneChange) {
    let Some(view) = world.dns.get_mut(&change.domain) else { return };
    let verdict = match &change.after {
        Some(set) => Verdict::Found { values: set.values.iter().cloned().collect(), ttl: set.ttl },
        None => Verdict::NoData,
    };
    for server in view.servers.values_mut().filter(|s| s.authoritative) {
        let question = Question { name: change.name.clone(), rtype: change.rtype };
        server.answers.insert(question, verdict.clone());
    }
}

/// Makes one change.
fn make(view: &mut PlatformView, change: &Change) {
    match change.clone() {
        Change::DomainAdd { domain, kind, mx_relay } => {
            view.domains.insert(domain, domain_view(kind, mx_relay));
        }
        Change::DomainUpdate { domain, kind, mx_relay } => {
            if let Some(seen) = view.domains.get_mut(&domain) {
                (seen.kind, seen.mx_relay) = (Some(kind), mx_relay);
            }
        }
        Change::DomainRemove { domain } => {
            view.domains.remove(&domain);
        }
        Change::FooterSet { domain, footer } => {
            if let Some(seen) = view.domains.get_mut(&domain) {
                seen.footer = Some(footer);
            }
        }
        Change::FooterRemove { domain } => {
            if let Some(seen) = view.domains.get_mut(&domain) {
                seen.footer = None;
            }
        }
        Change::AccountRename { from, to } => {
            if let Some(seen) = view.accounts.remove(&from) {
                view.accounts.insert(to, seen);
            }
        }
        Change::AccountCreate { address, slot, profile, .. } => {
            view.slots.retain(|s| Some(&s.id) != slot.as_ref());
            view.accounts.insert(address, AccountView { profile: *profile, detailed: true, ..AccountView::listed() });
        }
        Change::AccountUpdate { address, profile } => {
            if let Some(seen) = view.accounts.get_mut(&address) {
                overlay_profile(&mut seen.profile, *profile);
            }
        }
        Change::AccountReset { address } => {
            view.accounts.remove(&address);
        }
        Change::AccountPassword { .. } => {}
        other => make_dependent(view, other),
    }
}

fn make_dependent(view: &mut PlatformView, change: Change) {
    match change {
        Change::AliasAdd { account, alias } => {
            view.accounts.entry(account).or_insert_with(AccountView::listed).aliases.insert(alias);
        }
        Change::AliasRemove { account, alias } => {
            if let Some(seen) = view.accounts.get_mut(&account) {
                seen.aliases.remove(&alias);
            }
        }
        Change::DelegationGrant { account, to, right } => {
            let seen = view.accounts.entry(account).or_insert_with(AccountView::listed);
            seen.delegations.insert(Delegation { to, right });
        }
        Change::DelegationRevoke { account, to, right } => {
            if let Some(seen) = view.accounts.get_mut(&account) {
                seen.delegations.remove(&Delegation { to, right });
            }
        }
        Change::RedirectionSet { from, to, keep_copy } => {
            view.redirections.insert(from, RedirectionView { to, keep_copy });
        }
        Change::RedirectionRemove { from } => {
            view.redirections.remove(&from);
        }
        Change::GroupCreate { group, settings } => {
            let (members, managers) = (BTreeSet::new(), BTreeSet::new());
            view.groups.insert(group, GroupView { settings: *settings, members, managers, state: ObjectState::Ok });
        }
        Change::GroupUpdate { group, settings } => {
            if let Some(seen) = view.groups.get_mut(&group) {
                overlay_settings(&mut seen.settings, *settings);
            }
        }
        Change::GroupRemove { group } => {
            view.groups.remove(&group);
        }
        Change::GroupMemberAdd { group, member } => members(view, &group, |g| g.members.insert(member)),
        Change::GroupMemberRemove { group, member } => members(view, &group, |g| g.members.remove(&member)),
        Change::GroupManagerAdd { group, manager } => members(view, &group, |g| g.managers.insert(manager)),
        Change::GroupManagerRemove { group, manager } => members(view, &group, |g| g.managers.remove(&manager)),
        Change::ContactAdd { contact, fields } => {
            view.contacts.insert(contact, *fields);
        }
        Change::ContactUpdate { contact, fields } => {
            if let Some(seen) = view.contacts.get_mut(&contact) {
                overlay_contact(seen, *fields);
            }
        }
        Change::ContactRemove { contact } => {
            view.contacts.remove(&contact);
        }
        _ => {}
    }
}

fn members(view: &mut PlatformView, group: &crate::model::Address, change: impl FnOnce(&mut GroupView) -> bool) {
    if let Some(seen) = view.groups.get_mut(group) {
        change(seen);
    }
}

fn domain_view(kind: Option<crate::model::DomainType>, mx_relay: Option<String>) -> DomainView {
    DomainView {
        remote_id: None,
        kind,
        mx_relay,
        state: ObjectState::Ok,
        ownership: None,
        expected: Vec::new(),
        footer: None,
    }
}

fn overlay<T>(seen: &mut Option<T>, wish: Option<T>) {
    if wish.is_some() {
        *seen = wish;
    }
}

fn overlay_profile(seen: &mut Profile, wish: Profile) {
    overlay(&mut seen.display_name, wish.display_name);
    overlay(&mut seen.first_name, wish.first_name);
    overlay(&mut seen.last_name, wish.last_name);
    overlay(&mut seen.quota_octets, wish.quota_octets);
    overlay(&mut seen.hidden, wish.hidden);
}

fn overlay_settings(seen: &mut GroupSettings, wish: GroupSettings) {
    overlay(&mut seen.display_name, wish.display_name);
    overlay(&mut seen.members_only, wish.members_only);
    overlay(&mut seen.join, wish.join);
    overlay(&mut seen.leave, wish.leave);
    overlay(&mut seen.hidden, wish.hidden);
    overlay(&mut seen.max_receive_mb, wish.max_receive_mb);
}

fn overlay_contact(seen: &mut ContactView, wish: ContactView) {
    overlay(&mut seen.display_name, wish.display_name);
    overlay(&mut seen.first_name, wish.first_name);
    overlay(&mut seen.last_name, wish.last_name);
    overlay(&mut seen.hidden, wish.hidden);
}
