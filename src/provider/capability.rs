//! What each platform can hold and do, as data. The sources are OVHcloud's published API schemas and mail guides.

use crate::model::{Capabilities, Change, CreateBy, GroupSupport, PlatformKind, RedirectSupport, Right};

/// One gibibyte. Limits are binary: the console computes a mailbox's share of its quota that way.
pub(super) const GIB: u64 = 1 << 30;

const EVERY_RIGHT: &[Right] = &[Right::FullAccess, Right::SendAs, Right::SendOnBehalf];

/// [`Capabilities`] in a form that can stand in a constant.
struct Row {
    domains: bool,
    domain_type: bool,
    create: CreateBy,
    rename: bool,
    reset: bool,
    set_password: bool,
    aliases: bool,
    redirections: RedirectSupport,
    groups: GroupSupport,
    delegations: &'static [Right],
    contacts: bool,
    footers: bool,
    groupware: bool,
    mailbox_limit: Option<u64>,
    password_length: (u8, u8),
    password_complex: bool,
    local_part_limit: u8,
}

/// The largest option is 300 GB; what a slot really gives stands in its own quota. Password rules are a service's own
/// and are read from it when it is observed.
const EXCHANGE: Row = Row {
    domains: true,
    domain_type: true,
    create: CreateBy::Slot,
    rename: true,
    reset: true,
    set_password: true,
    aliases: true,
    redirections: RedirectSupport::AccountForward,
    groups: GroupSupport::Directory,
    delegations: EVERY_RIGHT,
    contacts: true,
    footers: true,
    groupware: true,
    mailbox_limit: Some(300 * GIB),
    password_length: (9, 127),
    password_complex: true,
    local_part_limit: 64,
};

/// Redirections of Email Pro are rules inside the webmail, which no interface shows.
const EMAIL_PRO: Row = Row {
    redirections: RedirectSupport::None,
    groups: GroupSupport::None,
    mailbox_limit: Some(10 * GIB),
    password_length: (9, 30),
    local_part_limit: 32,
    ..EXCHANGE
};

/// The domain is fixed with the service; redirections and lists are those of `/email/domain`.
const MXPLAN: Row = Row {
    domains: false,
    redirections: RedirectSupport::Any,
    groups: GroupSupport::List,
    mailbox_limit: Some(5 * GIB),
    ..EMAIL_PRO
};

/// An account's name is its key and cannot change. "Delegation" there lets another customer manage a mailbox, which is
/// no right of one account on another. A redirection is the only alias.
const MXPLAN_LEGACY: Row = Row {
    domain_type: false,
    create: CreateBy::Request,
    rename: false,
    aliases: false,
    delegations: &[],
    contacts: false,
    footers: false,
    groupware: false,
    password_complex: false,
    ..MXPLAN
};

/// Sizes depend on the slot: STARTER has 15 GB, PRO more. Rights, footers and lists have no published interface.
const ZIMBRA: Row = Row {
    domains: true,
    domain_type: false,
    redirections: RedirectSupport::Any,
    groups: GroupSupport::None,
    delegations: &[],
    contacts: false,
    footers: false,
    mailbox_limit: None,
    password_length: (10, 64),
    ..EMAIL_PRO
};

/// A host that only speaks IMAP: its accounts are there already.
const IMAP: Row = Row {
    domains: false,
    domain_type: false,
    create: CreateBy::Never,
    rename: false,
    reset: false,
    set_password: false,
    aliases: false,
    redirections: RedirectSupport::None,
    groups: GroupSupport::None,
    delegations: &[],
    contacts: false,
    footers: false,
    groupware: false,
    mailbox_limit: None,
    password_length: (1, 255),
    password_complex: false,
    local_part_limit: 64,
};

/// What platforms of that kind can hold and do. A service may narrow it: an observation has the narrowed form.
#[must_use]
pub fn capabilities_of(kind: PlatformKind) -> Capabilities {
    let row = match kind {
        PlatformKind::OvhExchange => EXCHANGE,
        PlatformKind::OvhEmailPro => EMAIL_PRO,
        PlatformKind::OvhMxplan => MXPLAN,
        PlatformKind::OvhMxplanLegacy => MXPLAN_LEGACY,
        PlatformKind::OvhZimbra => ZIMBRA,
        PlatformKind::Imap => IMAP,
    };
    Capabilities {
        domains: row.domains,
        domain_type: row.domain_type,
        create: row.create,
        rename: row.rename,
        reset: row.reset,
        set_password: row.set_password,
        aliases: row.aliases,
        redirections: row.redirections,
        groups: row.groups,
        delegations: row.delegations.iter().copied().collect(),
        contacts: row.contacts,
        footers: row.footers,
        groupware: row.groupware,
        mailbox_limit: row.mailbox_limit,
        password_length: row.password_length,
        password_complex: row.password_complex,
        local_part_limit: row.local_part_limit,
    }
}

/// Whether a platform with these capabilities can make that kind of change at all.
#[must_use]
pub fn supports(can: &Capabilities, change: &Change) -> bool {
    match change {
        Change::DomainAdd { .. } | Change::DomainRemove { .. } => can.domains,
        Change::DomainUpdate { .. } => can.domain_type,
        Change::AccountRename { .. } => can.rename,
        Change::AccountCreate { .. } => can.create != CreateBy::Never,
        Change::AccountUpdate { .. } | Change::AccountPassword { .. } => can.set_password,
        Change::AccountReset { .. } => can.reset,
        Change::AliasAdd { .. } | Change::AliasRemove { .. } => can.aliases,
        Change::RedirectionSet { to, .. } => match can.redirections {
            RedirectSupport::None => false,
            RedirectSupport::AccountForward => to.len() == 1,
            RedirectSupport::Any => true,
        },
        Change::RedirectionRemove { .. } => can.redirections != RedirectSupport::None,
        Change::GroupCreate { .. }
        | Change::GroupUpdate { .. }
        | Change::GroupRemove { .. }
        | Change::GroupMemberAdd { .. }
        | Change::GroupMemberRemove { .. }
        | Change::GroupManagerAdd { .. }
        | Change::GroupManagerRemove { .. } => can.groups != GroupSupport::None,
        Change::DelegationGrant { right, .. } | Change::DelegationRevoke { right, .. } => {
            can.delegations.contains(right)
        }
        Change::ContactAdd { .. } | Change::ContactUpdate { .. } | Change::ContactRemove { .. } => can.contacts,
        Change::FooterSet { .. } | Change::FooterRemove { .. } => can.footers,
    }
}
