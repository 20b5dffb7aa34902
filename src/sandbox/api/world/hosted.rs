//! Exchange, Email Pro and new-generation MX Plan: one shape, three prefixes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::model::{Address, Domain};

/// Which of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// `/email/exchange/{organization}/service/{service}`.
    Exchange,
    /// `/email/pro/{service}`.
    EmailPro,
    /// `/email/mxplan/{service}`.
    MxPlan,
}

/// One service.
#[derive(Clone, Debug)]
pub struct Hosted {
    /// Its family.
    pub family: Family,
    /// Exchange: the organisation.
    pub organization: String,
    /// Its name.
    pub name: String,
    /// `hosted`, `dedicated`, ...; accounts of a dedicated one are made and deleted instead of filled and reset.
    pub offer: String,
    /// `ok`, `suspended`, `inMaintenance`, ...; only `ok` takes changes.
    pub state: String,
    /// Every call answers 460.
    pub expired: bool,
    /// The host that its mailboxes are opened at.
    pub hostname: String,
    /// Writable fields of the service.
    pub fields: Map<String, Value>,
    /// Its domains.
    pub domains: BTreeMap<Domain, HostedDomain>,
    /// Its accounts, placeholders included.
    pub accounts: BTreeMap<u64, Account>,
    /// Its groups.
    pub groups: BTreeMap<u64, Group>,
    /// Its external contacts.
    pub contacts: BTreeMap<u64, Contact>,
    /// Exchange: the ways into its mailboxes that it lets be switched on.
    pub protocol: Protocol,
    /// Exchange: its shared mailboxes, with their other addresses.
    pub shared: BTreeMap<Address, BTreeSet<Address>>,
    /// Exchange: its rooms and equipment.
    pub resources: BTreeSet<Address>,
    /// Exchange: the paths of its public folders.
    pub public_folders: BTreeSet<String>,
}

impl Hosted {
    /// The account with that primary address, and its id.
    #[must_use]
    pub fn account(&self, address: &Address) -> Option<&Account> {
        self.accounts.values().find(|a| a.address == *address)
    }

    /// The group with that address.
    #[must_use]
    pub fn group(&self, address: &Address) -> Option<&Group> {
        self.groups.values().find(|g| g.address == *address)
    }

    /// The contact with that address.
    #[must_use]
    pub fn contact(&self, address: &Address) -> Option<&Contact> {
        self.contacts.values().find(|c| c.address == *address)
    }

    /// Whether something that is no account has an address.
    #[must_use]
    pub fn shares(&self, address: &Address) -> bool {
        let shared = self.shared.iter().any(|(main, aliases)| main == address || aliases.contains(address));
        let group = self.groups.values().any(|g| g.aliases.contains(address));
        shared || group || self.resources.contains(address)
    }

    /// Whether deleting an account gives a placeholder back.
    #[must_use]
    pub fn keeps_slots(&self) -> bool {
        !self.offer.starts_with("dedicated")
    }
}

/// One domain of a service.
#[derive(Clone, Debug, Default)]
pub struct HostedDomain {
    /// Whether unknown recipients are rejected here.
    pub authoritative: bool,
    /// Where unknown recipients go.
    pub mx_relay: Option<String>,
    /// Whether its ownership was proved.
    pub validated: bool,
    /// The label of the record that proves it.
    pub cname: Option<String>,
    /// `ok`, `creating`, `deleting`, ...
    pub state: String,
    /// The text below outgoing mail, and whether it is only for mail to the outside.
    pub footer: Option<(String, bool)>,
    /// Whether DKIM signs.
    pub dkim: bool,
}

/// One account or placeholder.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its number; it stays through renames.
    pub id: u64,
    /// Its primary address; below `configureme.me` while it is a placeholder.
    pub address: Address,
    /// Whether it is more than a placeholder.
    pub configured: bool,
    /// `ok`, `suspended`, ...; only `ok` takes changes.
    pub state: String,
    /// Outgoing mail is blocked.
    pub spam: bool,
    /// Writable fields but login and domain.
    pub fields: Map<String, Value>,
    /// Octets of mail, as last looked up.
    pub octets: u64,
    /// Other addresses.
    pub aliases: BTreeSet<Address>,
    /// Rights of other accounts, by their ids.
    pub rights: BTreeSet<(Right, u64)>,
    /// Exchange: whether it has an archive beside its mailbox.
    pub archive: bool,
    /// Ways in.
    pub protocol: Protocol,
    /// How often it was reset.
    pub resets: u32,
    /// When its password was last set; never for a slot that was only filled.
    pub password_set: Option<Timestamp>,
}

/// What an account of the same service may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// Open the mailbox.
    FullAccess,
    /// Send as.
    SendAs,
    /// Send on behalf.
    SendOnBehalfTo,
}

impl Right {
    /// The right of a path segment.
    #[must_use]
    pub fn from_segment(segment: &str) -> Option<Self> {
        [Self::FullAccess, Self::SendAs, Self::SendOnBehalfTo].into_iter().find(|r| r.segment() == segment)
    }

    /// The path segment.
    #[must_use]
    pub fn segment(self) -> &'static str {
        match self {
            Self::FullAccess => "fullAccess",
            Self::SendAs => "sendAs",
            Self::SendOnBehalfTo => "sendOnBehalfTo",
        }
    }

    /// The field of the body that names the account: it is not the same for all (API reference 2.0b).
    #[must_use]
    pub fn field(self) -> &'static str {
        match self {
            Self::FullAccess => "allowedAccountId",
            Self::SendAs | Self::SendOnBehalfTo => "allowAccountId",
        }
    }

    /// The end of the task functions: `addSendAs`, `deleteSendAs`.
    #[must_use]
    pub fn task(self) -> &'static str {
        match self {
            Self::FullAccess => "FullAccess",
            Self::SendAs => "SendAs",
            Self::SendOnBehalfTo => "SendOnBehalfTo",
        }
    }
}

/// The switches of an Exchange account's `protocol` object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "the API's object is four switches")]
pub struct Protocol {
    /// IMAP.
    pub imap: bool,
    /// POP3.
    pub pop: bool,
    /// `ActiveSync`.
    pub active_sync: bool,
    /// Webmail.
    pub web_mail: bool,
}

impl Default for Protocol {
    fn default() -> Self {
        Self { imap: true, pop: true, active_sync: true, web_mail: true }
    }
}

/// One distribution group.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its number.
    pub id: u64,
    /// Its address.
    pub address: Address,
    /// Its other addresses.
    pub aliases: BTreeSet<Address>,
    /// `ok`, ...
    pub state: String,
    /// Writable fields but the address.
    pub fields: Map<String, Value>,
    /// Members by account id.
    pub accounts: BTreeSet<u64>,
    /// Members by contact id.
    pub contacts: BTreeSet<u64>,
    /// Managers by account id.
    pub managers: BTreeSet<u64>,
}

/// One external contact.
#[derive(Clone, Debug)]
pub struct Contact {
    /// Its number.
    pub id: u64,
    /// Its address.
    pub address: Address,
    /// Writable fields but the address.
    pub fields: Map<String, Value>,
}

/// The key of an object in [`World::busy`](super::World::busy).
#[must_use]
pub fn object(service: &str, kind: &str, id: impl std::fmt::Display) -> String {
    format!("{service} {kind} {id}")
}

/// Lower-case hexadecimal digits.
pub(in crate::sandbox::api) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
