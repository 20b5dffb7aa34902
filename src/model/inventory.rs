//! What was observed: on platforms, in mailboxes and in DNS; and what each platform can hold.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Address, DnsView, Domain, ExpectedRecord, ImapEndpoint, MailboxView, PlatformId, PlatformKind, SlotId, pairs,
};

/// Everything the planner knows of the world at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// By platform.
    pub platforms: BTreeMap<PlatformId, PlatformView>,
    /// The mailboxes that were looked into over IMAP.
    #[serde(with = "pairs")]
    pub mailboxes: BTreeMap<(PlatformId, Address), MailboxView>,
    /// Passwords that the spec gives for accounts to be made and that the platform will not take, and why.
    #[serde(default, with = "pairs", skip_serializing_if = "BTreeMap::is_empty")]
    pub unfit_passwords: BTreeMap<(PlatformId, Address), String>,
    /// The mail DNS of each domain of the spec.
    #[serde(with = "pairs")]
    pub dns: BTreeMap<Domain, DnsView>,
}

/// One platform as it was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformView {
    /// Its kind.
    pub kind: PlatformKind,
    /// The service as a whole.
    pub service: ServiceView,
    /// What it can hold and do.
    pub capabilities: Capabilities,
    /// Its domains.
    #[serde(with = "pairs")]
    pub domains: BTreeMap<Domain, DomainView>,
    /// Its accounts; only those in scope have all their fields.
    #[serde(with = "pairs")]
    pub accounts: BTreeMap<Address, AccountView>,
    /// Free places for accounts, in the platform's order.
    pub slots: Vec<Slot>,
    /// How many accounts it may have, where accounts are made on demand and their number is limited.
    #[serde(default)]
    pub account_limit: Option<u64>,
    /// The sizes that a mailbox can have, in octets, where only some are offered.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub mailbox_sizes: BTreeSet<u64>,
    /// Its redirections.
    #[serde(with = "pairs")]
    pub redirections: BTreeMap<Address, RedirectionView>,
    /// Its groups (distribution lists, mailing lists).
    #[serde(with = "pairs")]
    pub groups: BTreeMap<Address, GroupView>,
    /// Its external contacts.
    #[serde(with = "pairs")]
    pub contacts: BTreeMap<Address, ContactView>,
    /// The addresses that answer by themselves; `None` where the platform does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub responders: Option<BTreeSet<Address>>,
    /// Whether its mailboxes can be opened over IMAP at all; `None` where the platform does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imap_enabled: Option<bool>,
    /// What has an address and is no account: it is seen, and not moved.
    #[serde(default, with = "pairs")]
    pub shared: BTreeMap<Address, SharedView>,
    /// Its public folders, by path: seen, and not moved.
    #[serde(default)]
    pub public_folders: BTreeSet<String>,
    /// What could not be listed. Whatever a gap covers may exist.
    pub gaps: Vec<Gap>,
}

/// Something with an address that belongs to many.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedView {
    /// What it is.
    pub kind: SharedKind,
    /// Its other addresses.
    pub aliases: BTreeSet<Address>,
}

/// What has an address and is no account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SharedKind {
    /// A mailbox that accounts open together, without a password of its own.
    Mailbox,
    /// A room or a piece of equipment that is booked.
    Resource,
    /// Another address of a group.
    GroupAlias,
}

impl SharedKind {
    /// What people call it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Mailbox => "shared mailbox",
            Self::Resource => "resource",
            Self::GroupAlias => "alias of a group",
        }
    }
}

impl PlatformView {
    /// An empty platform.
    #[must_use]
    pub fn new(kind: PlatformKind, service: ServiceView, capabilities: Capabilities) -> Self {
        Self {
            kind,
            service,
            capabilities,
            domains: BTreeMap::new(),
            accounts: BTreeMap::new(),
            slots: Vec::new(),
            account_limit: None,
            mailbox_sizes: BTreeSet::new(),
            redirections: BTreeMap::new(),
            groups: BTreeMap::new(),
            contacts: BTreeMap::new(),
            responders: None,
            imap_enabled: None,
            shared: BTreeMap::new(),
            public_folders: BTreeSet::new(),
            gaps: Vec::new(),
        }
    }

    /// Whether the listing of that class of objects is complete.
    #[must_use]
    pub fn complete(&self, class: ObjectClass) -> bool {
        !self.gaps.iter().any(|g| g.class == class)
    }
}

/// A class of objects that a listing covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ObjectClass {
    /// The service itself.
    Service,
    /// Domains.
    Domain,
    /// Accounts.
    Account,
    /// Aliases of accounts.
    Alias,
    /// Rights of accounts on others.
    Delegation,
    /// Redirections.
    Redirection,
    /// Groups.
    Group,
    /// External contacts.
    Contact,
    /// Footers.
    Footer,
    /// Shared mailboxes and resources.
    Shared,
    /// Public folders.
    PublicFolder,
    /// Archives of accounts.
    Archive,
    /// Mailboxes over IMAP.
    Mailbox,
    /// DNS.
    Dns,
}

/// Something that could not be listed, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Gap {
    /// What is missing.
    pub class: ObjectClass,
    /// The object whose part is missing, or empty for the whole listing.
    pub subject: String,
    /// Why.
    pub reason: String,
}

/// The service as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceView {
    /// Its name on the platform.
    pub name: String,
    /// The platform's word for its state.
    pub state: ServiceState,
    /// Where its mailboxes are opened over IMAP.
    pub imap: Option<ImapEndpoint>,
    /// What it is sold as, where that matters (`hosted`, `dedicated`, `provider`, ...).
    pub offer: Option<String>,
}

/// Whether a service can be changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceState {
    /// It takes changes.
    Ok,
    /// It does not; the platform's word says why (`inMaintenance`, `suspended`, `expired`, ...).
    Unavailable(String),
}

/// Whether an object can be changed now.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectState {
    /// It takes changes.
    Ok,
    /// A task runs on it.
    Busy,
    /// It waits for something outside, such as a DNS record.
    Waiting,
    /// It cannot be changed; the platform's word says why (`suspended`, `internalMigration`, ...).
    Unavailable(String),
}

/// Whether a platform is the only one of a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DomainType {
    /// It is: unknown recipients are rejected.
    Authoritative,
    /// It is not: unknown recipients are relayed.
    NonAuthoritative,
}

/// One domain on a platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainView {
    /// The platform's id, where it is not the name.
    pub remote_id: Option<String>,
    /// `None` where the platform has no such notion.
    pub kind: Option<DomainType>,
    /// Where unknown recipients go.
    pub mx_relay: Option<String>,
    /// Its state.
    pub state: ObjectState,
    /// The record that proves ownership, while the platform waits for it.
    pub ownership: Option<ExpectedRecord>,
    /// The records that the platform wants.
    pub expected: Vec<ExpectedRecord>,
    /// The footer, if any.
    pub footer: Option<Footer>,
}

/// Text that a platform adds below outgoing mail.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Footer {
    /// HTML.
    pub html: String,
    /// Only on mail that leaves the organisation.
    #[serde(default)]
    pub outside_only: bool,
}

/// One account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountView {
    /// The platform's id, where it is not the address.
    pub remote_id: Option<String>,
    /// What can be set on it.
    pub profile: Profile,
    /// Octets in use, where the platform tells.
    pub used_octets: Option<u64>,
    /// Its state.
    pub state: ObjectState,
    /// Its other addresses.
    pub aliases: BTreeSet<Address>,
    /// Rights that others have on it.
    pub delegations: BTreeSet<Delegation>,
    /// Whether the platform lets it be opened over IMAP; `None` where it does not tell.
    pub imap_enabled: Option<bool>,
    /// Whether it has an archive beside its mailbox, which IMAP does not show.
    #[serde(default)]
    pub archive: bool,
    /// The names of its filters on the server, where the platform tells: seen, and not moved.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub filters: BTreeSet<String>,
    /// Whether everything of it was read, or only that it exists.
    pub detailed: bool,
}

impl AccountView {
    /// An account of which only the existence is known.
    #[must_use]
    pub fn listed() -> Self {
        Self {
            remote_id: None,
            profile: Profile::default(),
            used_octets: None,
            state: ObjectState::Ok,
            aliases: BTreeSet::new(),
            delegations: BTreeSet::new(),
            imap_enabled: None,
            archive: false,
            filters: BTreeSet::new(),
            detailed: false,
        }
    }
}

/// The settable fields of an account. `None` means "not managed" in a wish and "not told" in an observation.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Profile {
    /// The name that recipients see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// First name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// Last name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// Size limit of the mailbox, in octets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota_octets: Option<u64>,
    /// Whether the directory hides it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden: Option<bool>,
}

/// A right of one account on another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Delegation {
    /// Who has the right.
    pub to: Address,
    /// The right.
    pub right: Right,
}

/// What a delegate may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Right {
    /// Open the mailbox.
    FullAccess,
    /// Send as the account.
    SendAs,
    /// Send on behalf of the account.
    SendOnBehalf,
}

impl Right {
    /// The word used in a spec.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::FullAccess => "full-access",
            Self::SendAs => "send-as",
            Self::SendOnBehalf => "send-on-behalf",
        }
    }
}

/// A free place for an account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Slot {
    /// The placeholder's address, or the slot's id.
    pub id: SlotId,
    /// What it is sold as (`STARTER`, `PRO`, `standard`, ...).
    pub offer: Option<String>,
    /// The mailbox size it gives, in octets.
    pub quota_octets: Option<u64>,
}

/// One redirection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RedirectionView {
    /// Where mail goes.
    pub to: BTreeSet<Address>,
    /// Whether a copy stays in the mailbox of the same address.
    pub keep_copy: bool,
}

/// One group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupView {
    /// What can be set on it.
    pub settings: GroupSettings,
    /// Who gets its mail: accounts and external contacts.
    pub members: BTreeSet<Address>,
    /// Who manages it.
    pub managers: BTreeSet<Address>,
    /// Its state.
    pub state: ObjectState,
}

/// The settable fields of a group. `None` means "not managed" or "not told".
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupSettings {
    /// The name that recipients see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Whether only users of the platform may write to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members_only: Option<bool>,
    /// Who may join.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join: Option<GroupJoin>,
    /// Whether members may leave by themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leave: Option<GroupLeave>,
    /// Whether the directory hides it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden: Option<bool>,
    /// The largest message it takes, in MB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_receive_mb: Option<u64>,
}

/// Who may join a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GroupJoin {
    /// Anybody.
    Open,
    /// Nobody but by a manager.
    Closed,
    /// Anybody, once a manager agrees.
    Approval,
}

/// Whether members may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GroupLeave {
    /// They may.
    Open,
    /// Only a manager removes them.
    Closed,
}

/// One external contact of a platform's directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContactView {
    /// The name that people see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// First name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// Last name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// Whether the directory hides it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden: Option<bool>,
}

/// How a platform comes to a new account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CreateBy {
    /// It is made on demand.
    Request,
    /// A free slot is filled; slots are bought outside rehome.
    Slot,
    /// It cannot be made through an interface.
    Never,
}

/// How a platform redirects mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RedirectSupport {
    /// Not through its interface.
    None,
    /// An account forwards to one address, with or without a copy.
    AccountForward,
    /// Any address of the domain goes to any number of addresses.
    Any,
}

/// How a platform holds groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupSupport {
    /// Not through its interface.
    None,
    /// Members are accounts and external contacts of the platform.
    Directory,
    /// Members are any addresses (a mailing list).
    List,
}

/// What a platform can hold and do, as data: the planner decides by it, `rehome platforms` prints it, and the
/// documentation's table is made from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// Domains can be added and removed.
    pub domains: bool,
    /// A domain has a type and a relay.
    pub domain_type: bool,
    /// How accounts come to be.
    pub create: CreateBy,
    /// An account can change its address and keep its mail.
    pub rename: bool,
    /// An account can be emptied or deleted.
    pub reset: bool,
    /// An account's password can be set.
    pub set_password: bool,
    /// Accounts have aliases.
    pub aliases: bool,
    /// Redirections.
    pub redirections: RedirectSupport,
    /// Groups.
    pub groups: GroupSupport,
    /// Rights of accounts on others.
    pub delegations: BTreeSet<Right>,
    /// External contacts.
    pub contacts: bool,
    /// Footers.
    pub footers: bool,
    /// Calendars and address books exist beside mail (they are not copied over IMAP).
    pub groupware: bool,
    /// The largest mailbox, in octets, where there is a fixed limit.
    pub mailbox_limit: Option<u64>,
    /// The shortest and longest password.
    pub password_length: (u8, u8),
    /// Whether a password needs upper case, lower case, digit and special character.
    pub password_complex: bool,
    /// The longest local part of an account's address.
    pub local_part_limit: u8,
}
