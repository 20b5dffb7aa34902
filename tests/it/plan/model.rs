//! A model of what applying a plan does, which also checks what the executor relies on: preconditions hold, an address
//! is never at two places, and one that is managed is never without an owner outside a swap.

use std::collections::{BTreeMap, BTreeSet};

use rehome::{
    model::{
        AccountView, Action, Address, Change, ContactView, CopyCounts, Delegation, DomainView, GroupSettings,
        GroupSupport, GroupView, Inventory, LoginView, MailWork, ObjectState, PlatformId, PlatformKind, PlatformView,
        Precondition, RedirectSupport, RedirectionView, Slot, SlotId, Verified, Work,
    },
    plan::Plan,
    spec::Presence,
};

use super::world::{World, account_view, domain_view, mailbox};

/// Applies every action of the world's plan; panics where the executor would stop.
pub fn apply(world: &mut World) {
    let plan = world.plan();
    apply_plan(world, &plan);
}

/// Applies every action of a plan and asks after each who has the addresses of the spec.
pub fn apply_plan(world: &mut World, plan: &Plan) {
    let managed = managed(world);
    let mut owned: BTreeSet<Address> = BTreeSet::new();
    for action in &plan.body.actions {
        for precondition in &action.preconditions {
            check(world, action, precondition);
        }
        owned.extend(managed.iter().filter(|(a, _)| !owners(&world.inventory, a).is_empty()).map(|(a, _)| a.clone()));
        perform(world, action);
        for (address, stays) in &managed {
            let owners = owners(&world.inventory, address);
            assert!(owners.len() <= 1, "after {}: {address} is at {owners:?}", action.id);
            let lost = *stays && owners.is_empty() && owned.contains(address);
            assert!(!lost || action.swap.is_some(), "after {} nobody has {address}", action.id);
        }
    }
    for (address, stays) in &managed {
        let lost = *stays && owned.contains(address) && owners(&world.inventory, address).is_empty();
        assert!(!lost, "in the end nobody has {address}");
    }
}

/// Every address that the spec says something about, with whether somebody has to have it: not what should be absent,
/// and not an alias that the spec takes away.
fn managed(world: &World) -> BTreeMap<Address, bool> {
    let present = |state: Presence| state == Presence::Present;
    let spec = &world.spec;
    let mut out: BTreeMap<Address, bool> = BTreeMap::new();
    out.extend(spec.groups.iter().map(|(a, g)| (a.clone(), present(g.state))));
    out.extend(spec.redirections.iter().map(|(a, r)| (a.clone(), present(r.state))));
    for (address, account) in &spec.accounts {
        out.insert(address.clone(), present(account.state));
        out.extend(account.aliases.iter().flatten().map(|alias| (alias.clone(), true)));
    }
    out
}

/// Who has an address on platforms that deliver by it. A forward of an account's own address is no second owner.
fn owners(inventory: &Inventory, address: &Address) -> Vec<String> {
    let mut out = Vec::new();
    let routed = inventory.platforms.iter().filter(|(_, v)| v.kind != PlatformKind::Imap);
    for (platform, view) in routed {
        let account = view.accounts.contains_key(address);
        if account {
            out.push(format!("account of {platform}"));
        }
        if view.accounts.values().any(|v| v.aliases.contains(address)) {
            out.push(format!("alias of {platform}"));
        }
        if !account && view.redirections.get(address).is_some_and(|r| !r.keep_copy) {
            out.push(format!("redirection of {platform}"));
        }
        if view.groups.contains_key(address) {
            out.push(format!("group of {platform}"));
        }
    }
    out
}

fn check(world: &World, action: &Action, precondition: &Precondition) {
    match precondition {
        Precondition::AddressFree { platform, address } => {
            let view = &world.inventory.platforms[platform];
            let taken = view.accounts.contains_key(address)
                || view.groups.contains_key(address)
                || view.accounts.values().any(|v| v.aliases.contains(address));
            assert!(!taken, "{}: {address} is not free on {platform}", action.id);
        }
        Precondition::AccountOk { platform, address } => {
            let account = world.inventory.platforms[platform].accounts.get(address);
            assert!(account.is_some_and(|v| v.state == ObjectState::Ok), "{}: {address} is not ok", action.id);
        }
        Precondition::Verified { account } => {
            let proved = world.state.mailboxes.get(account).is_some_and(|m| m.verified.is_some());
            assert!(proved, "{}: {account} is not verified", action.id);
        }
    }
}

/// Does one action.
pub fn perform(world: &mut World, action: &Action) {
    match &action.work {
        Work::Platform { platform, change: made } => {
            if made.password().is_some() {
                remember_password(world, platform, made);
            }
            change(world, platform, made);
        }
        Work::DomainReady { platform, domain } => {
            let view = world.inventory.platforms.get_mut(platform).unwrap();
            view.domains.get_mut(domain).unwrap().state = ObjectState::Ok;
        }
        Work::Copy(work) => copy(world, work),
        Work::VerifyMail(work) => {
            let seen = statuses(world, &work.source.platform, &work.source.address);
            let there = statuses(world, &work.target.platform, &work.target.address);
            assert_eq!(seen, there, "{}", action.id);
            let known = world.state.mailboxes.get_mut(&work.account).unwrap();
            known.verified = Some(Verified { at: "2026-01-01T00:00:00Z".parse().unwrap(), messages: 0, seen });
        }
        Work::VerifyDns { .. } | Work::Zone(_) | Work::Cutover(_) => {}
    }
}

/// Makes one change of a platform.
pub fn change(world: &mut World, platform: &PlatformId, change: &Change) {
    mailboxes(world, platform, change);
    let view = world.inventory.platforms.get_mut(platform).unwrap();
    if !accounts(view, change) && !dependents(view, change) {
        domains(view, change);
    }
}

fn remember_password(world: &mut World, platform: &PlatformId, change: &Change) {
    if let Change::AccountCreate { address, .. } | Change::AccountPassword { address, .. } = change {
        world.state.passwords.insert((platform.clone(), address.clone()));
    }
}

type Statuses = BTreeMap<rehome::model::FolderPath, rehome::model::FolderStatus>;

/// The folders of a mailbox.
pub fn statuses(world: &World, platform: &PlatformId, address: &Address) -> Statuses {
    let view = &world.inventory.mailboxes[&(platform.clone(), address.clone())];
    view.folders.iter().filter_map(|(path, f)| Some((path.clone(), f.status?))).collect()
}

/// Brings the target what the source has.
pub fn carry(world: &mut World, work: &MailWork) {
    let from = (work.source.platform.clone(), work.source.address.clone());
    let to = (work.target.platform.clone(), work.target.address.clone());
    let source = world.inventory.mailboxes.get(&from).unwrap_or_else(|| panic!("no mailbox {from:?}")).clone();
    assert!(world.inventory.mailboxes.contains_key(&to), "no mailbox {to:?}");
    let target = world.inventory.mailboxes.get_mut(&to).unwrap();
    target.folders = source.folders;
    target.used_octets = source.used_octets;
}

fn copy(world: &mut World, work: &MailWork) {
    let from = (work.source.platform.clone(), work.source.address.clone());
    carry(world, work);
    let copied = statuses(world, &from.0, &from.1);
    let known = world.state.mailboxes.entry(work.account.clone()).or_default();
    assert_eq!(work.pass, known.passes + 1, "passes are counted");
    known.passes = work.pass;
    known.source = Some(from);
    known.copied = copied;
    known.counts = Some(CopyCounts::default());
}

fn mailboxes(world: &mut World, platform: &PlatformId, change: &Change) {
    let all = &mut world.inventory.mailboxes;
    let key = |address: &Address| (platform.clone(), address.clone());
    match change {
        Change::AccountCreate { address, .. } => {
            all.insert(key(address), mailbox(0));
        }
        Change::AccountPassword { address, .. } => {
            all.entry(key(address)).or_insert_with(|| mailbox(0)).login = LoginView::Accepted;
        }
        Change::AccountRename { from, to } => {
            if let Some(view) = all.remove(&key(from)) {
                all.insert(key(to), view);
            }
        }
        Change::AccountReset { address } => {
            all.remove(&key(address));
        }
        _ => {}
    }
}

fn account<'v>(view: &'v mut PlatformView, address: &Address) -> &'v mut AccountView {
    view.accounts.get_mut(address).unwrap_or_else(|| panic!("no account {address}"))
}

fn accounts(view: &mut PlatformView, change: &Change) -> bool {
    match change.clone() {
        Change::AccountRename { from, to } => {
            let moved = view.accounts.remove(&from).unwrap();
            assert!(view.accounts.insert(to, moved).is_none());
        }
        Change::AccountCreate { address, slot, profile, .. } => {
            if let Some(slot) = slot {
                let at = view.slots.iter().position(|s| s.id == slot).unwrap();
                view.slots.remove(at);
            }
            assert!(view.domains.contains_key(address.domain()));
            assert!(view.accounts.insert(address, AccountView { profile: *profile, ..account_view() }).is_none());
        }
        Change::AccountUpdate { address, profile } => {
            let old = &mut account(view, &address).profile;
            old.display_name = profile.display_name.or(old.display_name.take());
            old.first_name = profile.first_name.or(old.first_name.take());
            old.last_name = profile.last_name.or(old.last_name.take());
            old.quota_octets = profile.quota_octets.or(old.quota_octets);
            old.hidden = profile.hidden.or(old.hidden);
        }
        Change::AccountPassword { address, .. } => {
            account(view, &address);
        }
        Change::AccountReset { address } => {
            view.accounts.remove(&address).unwrap();
            view.slots.push(Slot { id: SlotId::from(format!("freed-{address}")), offer: None, quota_octets: None });
        }
        Change::AliasAdd { account: of, alias } => assert!(account(view, &of).aliases.insert(alias)),
        Change::AliasRemove { account: of, alias } => assert!(account(view, &of).aliases.remove(&alias)),
        Change::DelegationGrant { account: of, to, right } => {
            account(view, &to);
            assert!(account(view, &of).delegations.insert(Delegation { to, right }));
        }
        Change::DelegationRevoke { account: of, to, right } => {
            assert!(account(view, &of).delegations.remove(&Delegation { to, right }));
        }
        _ => return false,
    }
    true
}

fn dependents(view: &mut PlatformView, change: &Change) -> bool {
    match change.clone() {
        Change::RedirectionSet { from, to, keep_copy } => {
            assert!(view.capabilities.redirections != RedirectSupport::None);
            view.redirections.insert(from, RedirectionView { to, keep_copy });
        }
        Change::RedirectionRemove { from } => {
            view.redirections.remove(&from).unwrap();
        }
        Change::GroupCreate { group, settings } => {
            let made = GroupView {
                settings: *settings,
                members: BTreeSet::new(),
                managers: BTreeSet::new(),
                state: ObjectState::Ok,
            };
            assert!(view.groups.insert(group, made).is_none());
        }
        Change::GroupUpdate { group, settings } => {
            let old = &mut view.groups.get_mut(&group).unwrap().settings;
            *old = GroupSettings {
                display_name: settings.display_name.or(old.display_name.take()),
                members_only: settings.members_only.or(old.members_only),
                join: settings.join.or(old.join),
                leave: settings.leave.or(old.leave),
                hidden: settings.hidden.or(old.hidden),
                max_receive_mb: settings.max_receive_mb.or(old.max_receive_mb),
            };
        }
        Change::GroupRemove { group } => {
            view.groups.remove(&group).unwrap();
        }
        Change::GroupMemberAdd { group, member } => {
            let list = view.capabilities.groups == GroupSupport::List;
            let known = view.accounts.contains_key(&member) || view.contacts.contains_key(&member);
            assert!(list || known, "{member} is in no directory");
            assert!(view.groups.get_mut(&group).unwrap().members.insert(member));
        }
        Change::GroupMemberRemove { group, member } => {
            assert!(view.groups.get_mut(&group).unwrap().members.remove(&member));
        }
        Change::GroupManagerAdd { group, manager } => {
            assert!(view.groups.get_mut(&group).unwrap().managers.insert(manager));
        }
        Change::GroupManagerRemove { group, manager } => {
            assert!(view.groups.get_mut(&group).unwrap().managers.remove(&manager));
        }
        Change::ContactAdd { contact, fields } => {
            assert!(view.contacts.insert(contact, *fields).is_none());
        }
        Change::ContactUpdate { contact, fields } => {
            let old = view.contacts.get_mut(&contact).unwrap();
            *old = ContactView {
                display_name: fields.display_name.or(old.display_name.take()),
                first_name: fields.first_name.or(old.first_name.take()),
                last_name: fields.last_name.or(old.last_name.take()),
                hidden: fields.hidden.or(old.hidden),
            };
        }
        Change::ContactRemove { contact } => {
            view.contacts.remove(&contact).unwrap();
        }
        _ => return false,
    }
    true
}

fn domains(view: &mut PlatformView, change: &Change) {
    match change.clone() {
        Change::DomainAdd { domain, kind, mx_relay } => {
            let made = DomainView { mx_relay, state: ObjectState::Waiting, ..domain_view(kind) };
            assert!(view.domains.insert(domain, made).is_none());
        }
        Change::DomainUpdate { domain, kind, mx_relay } => {
            let seen = view.domains.get_mut(&domain).unwrap();
            seen.kind = Some(kind);
            seen.mx_relay = mx_relay;
        }
        Change::DomainRemove { domain } => {
            let inside = view.accounts.keys().chain(view.groups.keys()).find(|a| *a.domain() == domain);
            assert_eq!(inside, None, "{domain} is removed with something in it");
            view.domains.remove(&domain).unwrap();
        }
        Change::FooterSet { domain, footer } => view.domains.get_mut(&domain).unwrap().footer = Some(footer),
        Change::FooterRemove { domain } => view.domains.get_mut(&domain).unwrap().footer = None,
        other => panic!("{other:?} is not modelled"),
    }
}
