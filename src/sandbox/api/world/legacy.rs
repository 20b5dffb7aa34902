//! Legacy MX Plan, which is also the redirection service of any domain.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::model::{Address, Domain};

/// `/email/domain/{domain}`.
#[derive(Clone, Debug)]
pub struct Legacy {
    /// The domain, which is the service's name.
    pub domain: Domain,
    /// What was sold.
    pub offer: String,
    /// The new-generation service that the domain was moved to; it then has no accounts here.
    pub migrated: Option<String>,
    /// Every call answers 460.
    pub expired: bool,
    /// How many accounts there may be.
    pub account_limit: u64,
    /// By account name.
    pub accounts: BTreeMap<String, LegacyAccount>,
    /// By id. One row per destination; a row from an address to itself keeps a local copy.
    pub redirections: BTreeMap<u64, Redirection>,
    /// By account name.
    pub responders: BTreeMap<String, Responder>,
    /// By name.
    pub lists: BTreeMap<String, MailingList>,
}

/// One account.
#[derive(Clone, Debug)]
pub struct LegacyAccount {
    /// Free text.
    pub description: String,
    /// Size limit, in octets.
    pub size: u64,
    /// Outgoing mail is blocked.
    pub blocked: bool,
    /// Octets of mail, as last looked up.
    pub octets: u64,
    /// The names of its filters.
    pub filters: Vec<String>,
}

/// One row of a redirection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirection {
    /// The address of the domain.
    pub from: Address,
    /// Where its mail goes.
    pub to: Address,
}

/// An automatic answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Responder {
    /// The text.
    pub content: String,
    /// Whether incoming mail is kept.
    pub copy: bool,
    /// Where a copy goes.
    pub copy_to: Option<String>,
    /// From when.
    pub from: Value,
    /// Until when.
    pub to: Value,
}

/// A mailing list.
#[derive(Clone, Debug)]
pub struct MailingList {
    /// Its number.
    pub id: u64,
    /// `en`, `fr`, ...
    pub language: String,
    /// The owner's address.
    pub owner: String,
    /// Where answers go.
    pub reply_to: String,
    /// `moderatorMessage`, `subscribeByModerator`, `usersPostOnly`.
    pub options: Map<String, Value>,
    /// Who gets its mail.
    pub subscribers: BTreeSet<Address>,
    /// Who moderates.
    pub moderators: BTreeSet<Address>,
}
