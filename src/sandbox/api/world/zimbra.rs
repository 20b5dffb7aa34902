//! Zimbra platforms (v2): platform, organisation, domain, account, slots.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::model::{Address, Domain};

/// An object in the envelope of v2: `{id, checksum, resourceStatus, currentState, targetSpec, currentTasks}`.
#[derive(Clone, Debug)]
pub struct Resource<T> {
    /// `READY`, `CREATING`, `UPDATING`, `DELETING`, `OUT_OF_SYNC`, `SUSPENDED`, `ERROR`.
    pub status: String,
    /// Grows with every change of the target; the checksum follows it.
    pub version: u64,
    /// What was asked for, as the API shows it.
    pub target: Value,
    /// What is.
    pub current: T,
}

impl<T> Resource<T> {
    /// A settled object.
    #[must_use]
    pub fn ready(target: Value, current: T) -> Self {
        Self { status: "READY".to_owned(), version: 1, target, current }
    }
}

/// One platform.
#[derive(Clone, Debug)]
pub struct Platform {
    /// Its UUID.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// Every call answers 460.
    pub expired: bool,
    /// By id.
    pub organizations: BTreeMap<String, Resource<Organization>>,
    /// By id.
    pub domains: BTreeMap<String, Resource<ZimbraDomain>>,
    /// By id.
    pub accounts: BTreeMap<String, Resource<ZimbraAccount>>,
    /// By id.
    pub aliases: BTreeMap<String, Resource<ZimbraAlias>>,
    /// By id.
    pub redirections: BTreeMap<String, Resource<ZimbraRedirection>>,
    /// By id.
    pub slots: BTreeMap<String, Slot>,
    /// How many objects were made; ids of new ones come from it and their names.
    pub made: u64,
}

/// An organisation.
#[derive(Clone, Debug)]
pub struct Organization {
    /// Its name.
    pub name: String,
    /// Its short name.
    pub label: String,
    /// Free text.
    pub description: Option<String>,
}

/// A domain.
#[derive(Clone, Debug)]
pub struct ZimbraDomain {
    /// Its name.
    pub name: Domain,
    /// Its organisation's id.
    pub organization: String,
    /// Whether its ownership was proved.
    pub validated: bool,
    /// The record that proves it.
    pub ownership: Option<String>,
    /// Whether DKIM signs.
    pub dkim: bool,
}

/// An account.
#[derive(Clone, Debug)]
pub struct ZimbraAccount {
    /// Its address.
    pub address: Address,
    /// Its domain's id.
    pub domain: String,
    /// Its slot's id.
    pub slot: String,
    /// `STARTER` or `PRO`.
    pub offer: String,
    /// Octets of mail, as last looked up.
    pub octets: u64,
    /// Blocked for spam or for billing (`BLOCKEDFORSPAM`, `BILLINGLOCKED`).
    pub locks: Vec<String>,
}

/// An alias.
#[derive(Clone, Debug)]
pub struct ZimbraAlias {
    /// The address.
    pub address: Address,
    /// The account's id.
    pub account: String,
    /// The id of the alias' domain.
    pub domain: String,
}

/// A redirection.
#[derive(Clone, Debug)]
pub struct ZimbraRedirection {
    /// The address.
    pub source: Address,
    /// Where its mail goes.
    pub destination: Address,
    /// The id of the address' domain.
    pub domain: String,
}

/// A paid place for one account.
#[derive(Clone, Debug)]
pub struct Slot {
    /// `STARTER` or `PRO`.
    pub offer: String,
    /// The account that fills it.
    pub account: Option<String>,
}
