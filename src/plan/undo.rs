//! How each change is taken back, as far as it can be.

use crate::model::{AccountView, Change, ContactView, GroupSettings, PlatformId, PlatformView, Profile, Undo, text};

use super::world::World;

/// The undo of a change, made from what was observed before it.
pub(super) fn of(world: &World<'_>, platform: &PlatformId, change: &Change) -> Undo {
    let view = world.platform(platform);
    match reverse(view, change) {
        Some(change) => Undo::Change { platform: platform.clone(), change },
        None => by_hand(change),
    }
}

fn reverse(view: Option<&PlatformView>, change: &Change) -> Option<Change> {
    // A new account is the largest change, there are many, and none is taken back by a change.
    if matches!(change, Change::AccountCreate { .. }) {
        return None;
    }
    Some(match change.clone() {
        Change::DomainAdd { domain, .. } => Change::DomainRemove { domain },
        Change::DomainUpdate { domain, .. } => {
            let before = view?.domains.get(&domain)?;
            Change::DomainUpdate { kind: before.kind?, mx_relay: before.mx_relay.clone(), domain }
        }
        Change::AccountRename { from, to } => Change::AccountRename { from: to, to: from },
        Change::AccountUpdate { address, profile } => {
            let before = view?.accounts.get(&address)?;
            Change::AccountUpdate { address, profile: Box::new(profile_before(before, &profile)) }
        }
        Change::AliasAdd { account, alias } => Change::AliasRemove { account, alias },
        Change::AliasRemove { account, alias } => Change::AliasAdd { account, alias },
        Change::RedirectionSet { from, .. } => match view?.redirections.get(&from) {
            Some(old) => Change::RedirectionSet { from, to: old.to.clone(), keep_copy: old.keep_copy },
            None => Change::RedirectionRemove { from },
        },
        Change::RedirectionRemove { from } => {
            let old = view?.redirections.get(&from)?;
            Change::RedirectionSet { from, to: old.to.clone(), keep_copy: old.keep_copy }
        }
        Change::GroupCreate { group, .. } => Change::GroupRemove { group },
        Change::GroupUpdate { group, settings } => {
            let before = &view?.groups.get(&group)?.settings;
            Change::GroupUpdate { group, settings: Box::new(settings_before(before, &settings)) }
        }
        Change::GroupMemberAdd { group, member } => Change::GroupMemberRemove { group, member },
        Change::GroupMemberRemove { group, member } => Change::GroupMemberAdd { group, member },
        Change::GroupManagerAdd { group, manager } => Change::GroupManagerRemove { group, manager },
        Change::GroupManagerRemove { group, manager } => Change::GroupManagerAdd { group, manager },
        Change::DelegationGrant { account, to, right } => Change::DelegationRevoke { account, to, right },
        Change::DelegationRevoke { account, to, right } => Change::DelegationGrant { account, to, right },
        Change::ContactAdd { contact, .. } => Change::ContactRemove { contact },
        Change::ContactUpdate { contact, fields } => {
            let before = view?.contacts.get(&contact)?;
            Change::ContactUpdate { contact, fields: Box::new(contact_before(before, &fields)) }
        }
        Change::ContactRemove { contact } => {
            let fields = Box::new(view?.contacts.get(&contact)?.clone());
            Change::ContactAdd { contact, fields }
        }
        Change::FooterSet { domain, .. } => match view?.domains.get(&domain).and_then(|d| d.footer.clone()) {
            Some(footer) => Change::FooterSet { domain, footer },
            None => Change::FooterRemove { domain },
        },
        Change::FooterRemove { domain } => {
            let footer = view?.domains.get(&domain)?.footer.clone()?;
            Change::FooterSet { domain, footer }
        }
        Change::DomainRemove { .. }
        | Change::AccountCreate { .. }
        | Change::AccountPassword { .. }
        | Change::AccountReset { .. }
        | Change::GroupRemove { .. } => return None,
    })
}

fn by_hand(change: &Change) -> Undo {
    match change {
        Change::AccountReset { address } => {
            Undo::Irreversible(text!("the mailbox of {} is emptied for good", address.unicode()))
        }
        Change::AccountCreate { address, .. } => Undo::Manual(text!(
            "reset {} while it is still empty; once mail has come in, copy that back first",
            address.unicode()
        )),
        Change::AccountPassword { address, .. } => {
            Undo::Manual(text!("set the old password of {} again; rehome does not know it", address.unicode()))
        }
        Change::GroupRemove { group } => {
            Undo::Manual(text!("make the group {} and its members again", group.unicode()))
        }
        Change::DomainRemove { domain } => {
            Undo::Manual(text!("add {} again and prove its ownership", domain.unicode()))
        }
        other => Undo::Manual(text!("what was there before `{}` is not known", other.kind())),
    }
}

fn profile_before(before: &AccountView, changed: &Profile) -> Profile {
    let old = &before.profile;
    Profile {
        display_name: changed.display_name.as_ref().and(old.display_name.clone()),
        first_name: changed.first_name.as_ref().and(old.first_name.clone()),
        last_name: changed.last_name.as_ref().and(old.last_name.clone()),
        quota_octets: changed.quota_octets.and(old.quota_octets),
        hidden: changed.hidden.and(old.hidden),
    }
}

fn settings_before(old: &GroupSettings, changed: &GroupSettings) -> GroupSettings {
    GroupSettings {
        display_name: changed.display_name.as_ref().and(old.display_name.clone()),
        members_only: changed.members_only.and(old.members_only),
        join: changed.join.and(old.join),
        leave: changed.leave.and(old.leave),
        hidden: changed.hidden.and(old.hidden),
        max_receive_mb: changed.max_receive_mb.and(old.max_receive_mb),
    }
}

fn contact_before(old: &ContactView, changed: &ContactView) -> ContactView {
    ContactView {
        display_name: changed.display_name.as_ref().and(old.display_name.clone()),
        first_name: changed.first_name.as_ref().and(old.first_name.clone()),
        last_name: changed.last_name.as_ref().and(old.last_name.clone()),
        hidden: changed.hidden.and(old.hidden),
    }
}
