//! Which mailboxes to open, under which address, and by which way.

use crate::{
    model::{AccessMethod, Address, Inventory, MailboxRef, PlatformId, PlatformKind},
    spec::{MigrateSpec, SourcePassword, Spec, Strategy},
};

/// One mailbox to look into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Door {
    /// The platform.
    pub(super) platform: PlatformId,
    /// The address it has there now.
    pub(super) address: Address,
    /// The way in.
    pub(super) access: Option<AccessMethod>,
    /// Whether its secret is named by the spec as known, so that it is an error when it cannot be had.
    pub(super) must_open: bool,
}

/// The mailboxes of an account that can be opened before anything is changed.
pub(super) fn doors(spec: &Spec, inventory: &Inventory, address: &Address) -> Vec<Door> {
    let (Some(migration), Some(domain)) = (spec.migration_of(address), spec.domains.get(address.domain())) else {
        return Vec::new();
    };
    let mut out = Vec::new();
    let target_name = target_name(inventory, &domain.platform, migration, address);
    if let Some(name) = &target_name {
        out.push(target_door(spec, &domain.platform, address, name));
    }
    if let Some(name) = source_name(spec, inventory, migration, address, target_name.as_ref()) {
        out.push(source_door(spec, migration, address, name));
    }
    out
}

/// The mailbox that an account's mail comes from, as things are now; none without a migration or a way in.
#[must_use]
pub fn source_of(spec: &Spec, inventory: &Inventory, address: &Address) -> Option<MailboxRef> {
    let migration = spec.migration_of(address)?;
    let platform = &spec.domains.get(address.domain())?.platform;
    let target = target_name(inventory, platform, migration, address);
    let name = source_name(spec, inventory, migration, address, target.as_ref())?;
    let door = source_door(spec, migration, address, name);
    Some(MailboxRef { platform: door.platform, address: door.address, access: door.access?.into() })
}

/// The mailbox that an account's mail goes to, as things are now.
#[must_use]
pub fn target_of(spec: &Spec, inventory: &Inventory, address: &Address) -> Option<MailboxRef> {
    let migration = spec.migration_of(address)?;
    let platform = &spec.domains.get(address.domain())?.platform;
    let name = target_name(inventory, platform, migration, address)?;
    let door = target_door(spec, platform, address, &name);
    Some(MailboxRef { platform: door.platform, address: door.address, access: door.access?.into() })
}

fn exists(inventory: &Inventory, platform: &PlatformId, address: &Address) -> bool {
    inventory.platforms.get(platform).is_some_and(|p| p.kind == PlatformKind::Imap || p.accounts.contains_key(address))
}

fn target_name(
    inventory: &Inventory,
    target: &PlatformId,
    migration: &MigrateSpec,
    address: &Address,
) -> Option<Address> {
    if exists(inventory, target, address) {
        return Some(address.clone());
    }
    let provisional = migration.provisional_address(address).ok()?;
    (migration.strategy == Strategy::Stage && exists(inventory, target, &provisional)).then_some(provisional)
}

fn source_name(
    spec: &Spec,
    inventory: &Inventory,
    migration: &MigrateSpec,
    address: &Address,
    target: Option<&Address>,
) -> Option<Address> {
    let from = &migration.from;
    if let Some(named) = spec.accounts.get(address).and_then(|a| a.mail.source_address.clone()) {
        return exists(inventory, from, &named).then_some(named);
    }
    let provisional = migration.provisional_address(address).ok()?;
    let swapped = migration.strategy != Strategy::Parallel && target == Some(address);
    let order = if swapped { [&provisional, address] } else { [address, &provisional] };
    order.into_iter().find(|name| exists(inventory, from, name)).cloned()
}

fn target_door(spec: &Spec, platform: &PlatformId, account: &Address, name: &Address) -> Door {
    let admin = spec.platforms.get(platform).and_then(|p| p.admin.as_ref()).map(|a| a.method());
    let own = spec
        .accounts
        .get(account)
        .and_then(|a| a.password.as_ref())
        .map(|p| AccessMethod::Password { password: p.read_back() });
    Door { platform: platform.clone(), address: name.clone(), access: admin.or(own), must_open: false }
}

fn source_door(spec: &Spec, migration: &MigrateSpec, account: &Address, name: Address) -> Door {
    let admin = spec.platforms.get(&migration.from).and_then(|p| p.admin.as_ref()).map(|a| a.method());
    let wish = spec.accounts.get(account).and_then(|a| a.mail.source_password.as_ref());
    let (own, known) = match wish {
        Some(SourcePassword::Given(secret)) => (Some(secret.clone()), true),
        Some(SourcePassword::Reset(source)) => (Some(source.read_back()), false),
        None => (None, false),
    };
    let must_open = admin.is_some() || known;
    let access = admin.or(own.map(|password| AccessMethod::Password { password }));
    Door { platform: migration.from.clone(), address: name, access, must_open }
}
