//! What a plan read, and whether it is still so.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::{Fields, Plan, zone};
use crate::index::Index;
use crate::model::{
    AccountView, Address, Domain, Inventory, PlatformId, PlatformView, PolicyView, Question, Slot, Text, ZoneChange,
    text,
};

/// One difference between what a plan read and what is there now.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Stale {
    /// The object: `exchange/account/john.smith@mydomain.ovh`.
    pub object: String,
    /// The field, or `presence` for the object as a whole.
    pub field: String,
    /// What the plan read.
    pub then: String,
    /// What is there now.
    pub now: String,
}

/// An object that was looked at. Large plans look at many accounts, and at most of them more than once, so their names
/// are written at the end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Account(PlatformId, Address),
    Named(Text),
}

impl Key {
    /// The name of the object in a plan.
    pub(super) fn name(&self) -> Text {
        match self {
            Self::Account(platform, address) => text!("{platform}/account/{}", address.identity()),
            Self::Named(name) => name.clone(),
        }
    }
}

impl From<String> for Key {
    fn from(name: String) -> Self {
        Self::Named(name.into())
    }
}

pub(super) fn account_key(platform: &PlatformId, address: &Address) -> Key {
    Key::Account(platform.clone(), address.clone())
}

pub(super) fn domain_key(platform: &PlatformId, domain: &Domain) -> Key {
    format!("{platform}/domain/{domain}").into()
}

pub(super) fn object_key(platform: &PlatformId, class: &str, subject: &str) -> Key {
    format!("{platform}/{class}/{subject}").into()
}

/// The key of a set of records: `dns:mydomain.ovh/MX/mydomain.ovh`. No platform has a colon in its name.
pub(super) fn records_key(change: &ZoneChange) -> Key {
    format!("{DNS}{}/{}/{}", change.domain, change.rtype, change.name).into()
}

const DNS: &str = "dns:";
const POLICY: &str = "policy:";

/// The key of the MTA-STS policy that a domain serves.
pub(super) fn policy_key(domain: &Domain) -> Key {
    format!("{POLICY}{domain}").into()
}

/// What was asked of a domain's servers; the outer `None` for the key of something else.
fn read_names(inventory: &Inventory, key: &str) -> Option<Option<Fields>> {
    if key.starts_with(DNS) {
        return Some(read_records(inventory, key));
    }
    let domain = key.strip_prefix(POLICY)?;
    let view = Domain::parse(domain).ok().and_then(|d| inventory.dns.get(&d)?.policy.as_ref());
    Some(match view {
        Some(PolicyView::Served { policy }) => Some(fields([("text", json(&policy.text()))])),
        _ => None,
    })
}

/// What the servers of a domain say of a set of records; `None` when that is not known.
fn read_records(inventory: &Inventory, key: &str) -> Option<Fields> {
    let mut parts = key.strip_prefix(DNS)?.splitn(3, '/');
    let domain = Domain::parse(parts.next()?).ok()?;
    let rtype = serde_json::from_value(Value::from(parts.next()?)).ok()?;
    let question = Question { name: parts.next()?.to_owned(), rtype };
    match zone::seen(inventory.dns.get(&domain)?, &question) {
        zone::Seen::Is(None) => Some(Fields::default()),
        zone::Seen::Is(Some(set)) => Some(fields([("values", json(&set.values)), ("ttl", json(&set.ttl))])),
        _ => None,
    }
}

/// The fields of the object of that key as the inventory has them. What changes by itself (octets in use, folder
/// counts, whether a task runs) is left out: preconditions look at that just before each action.
#[must_use]
pub fn read_value(inventory: &Inventory, key: &str) -> Fields {
    read_named(inventory, key, |platform, id| {
        inventory.platforms.get(platform)?.slots.iter().find(|s| s.id.as_str() == id)
    })
}

fn read<'i>(inventory: &'i Inventory, key: &Key, slot: impl Fn(&str, &str) -> Option<&'i Slot>) -> Fields {
    match key {
        Key::Account(platform, address) => {
            let view = inventory.platforms.get(platform).and_then(|view| view.accounts.get(address));
            view.map(account).unwrap_or_default()
        }
        Key::Named(name) => read_named(inventory, name, slot),
    }
}

fn read_named<'i>(inventory: &'i Inventory, name: &str, slot: impl Fn(&str, &str) -> Option<&'i Slot>) -> Fields {
    if let Some(told) = read_names(inventory, name) {
        return told.unwrap_or_default();
    }
    let mut parts = name.splitn(3, '/');
    let (Some(platform), Some(class), Some(subject)) = (parts.next(), parts.next(), parts.next()) else {
        return Fields::default();
    };
    let Some(view) = inventory.platforms.get(platform) else { return Fields::default() };
    let fields = match class {
        "slot" => slot(platform, subject)
            .map(|slot| fields([("offer", json(&slot.offer)), ("quota_octets", json(&slot.quota_octets))])),
        _ => read_object(view, class, subject),
    };
    fields.unwrap_or_default()
}

fn read_object(view: &PlatformView, class: &str, subject: &str) -> Option<Fields> {
    let address = || Address::parse(subject).ok();
    Some(match class {
        "account" => account(view.accounts.get(&address()?)?),
        "domain" => {
            let seen = view.domains.get(&Domain::parse(subject).ok()?)?;
            fields([
                ("type", json(&seen.kind)),
                ("relay", json(&seen.mx_relay)),
                ("footer", json(&seen.footer)),
                ("remote_id", json(&seen.remote_id)),
            ])
        }
        "redirection" => {
            let seen = view.redirections.get(&address()?)?;
            fields([("to", json(&seen.to)), ("keep_copy", json(&seen.keep_copy))])
        }
        "group" => {
            let seen = view.groups.get(&address()?)?;
            fields([
                ("settings", json(&seen.settings)),
                ("members", json(&seen.members)),
                ("managers", json(&seen.managers)),
            ])
        }
        "contact" => fields([("fields", json(view.contacts.get(&address()?)?))]),
        _ => return None,
    })
}

fn account(seen: &AccountView) -> Fields {
    fields([
        ("remote_id", json(&seen.remote_id)),
        ("profile", json(&seen.profile)),
        ("aliases", json(&seen.aliases)),
        ("delegations", json(&seen.delegations)),
        ("imap_enabled", json(&seen.imap_enabled)),
    ])
}

fn fields<const N: usize>(all: [(&'static str, Value); N]) -> Fields {
    Fields::of(all.map(|(name, value)| (name.into(), value)))
}

fn json<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

/// Reads a set of objects at once. Slots are looked up by an index, because each account of a large plan has one.
pub(super) fn read_all(inventory: &Inventory, keys: impl IntoIterator<Item = Key>) -> BTreeMap<Text, Fields> {
    let mut slots: Index<(&str, &str), &Slot> = Index::default();
    for (platform, view) in &inventory.platforms {
        for slot in &view.slots {
            slots.entry((platform.as_str(), slot.id.as_str())).or_insert(slot);
        }
    }
    let slot = |platform: &str, id: &str| slots.get(&(platform, id)).copied();
    keys.into_iter().map(|key| (key.name(), read(inventory, &key, slot))).collect()
}

/// Everything that the plan read and that is different now. What it did not read never appears here.
#[must_use]
pub fn stale(plan: &Plan, inventory: &Inventory) -> Vec<Stale> {
    let mut out = Vec::new();
    let mut missing = BTreeSet::new();
    let now_all = read_all(inventory, plan.body.read_set.keys().cloned().map(Key::Named));
    for (object, then) in &plan.body.read_set {
        let platform = object.split('/').next().unwrap_or_default();
        if let Some(told) = read_names(inventory, object) {
            match told {
                Some(now) => compare_whole(object, then, &now, &mut out),
                None => out.push(difference(object, "presence", "observed", "could not be read")),
            }
            continue;
        }
        if !inventory.platforms.contains_key(platform) {
            if missing.insert(platform) {
                out.push(difference(platform, "platform", "observed", "could not be read"));
            }
            continue;
        }
        let now = now_all.get(object).cloned().unwrap_or_default();
        compare_whole(object, then, &now, &mut out);
    }
    out
}

fn compare_whole(object: &str, then: &Fields, now: &Fields, out: &mut Vec<Stale>) {
    match (then.is_empty(), now.is_empty()) {
        (true, false) => out.push(difference(object, "presence", "absent", "present")),
        (false, true) => out.push(difference(object, "presence", "present", "absent")),
        _ => compare(object, then, now, out),
    }
}

fn compare(object: &str, then: &Fields, now: &Fields, out: &mut Vec<Stale>) {
    // Fields that only one side knows come from another version of rehome; they say nothing about the world.
    for (field, was) in then.iter() {
        if let Some(is) = now.get(field).filter(|is| *is != was) {
            out.push(difference(object, field, &plain(was), &plain(is)));
        }
    }
}

fn difference(object: &str, field: &str, then: &str, now: &str) -> Stale {
    Stale { object: object.to_owned(), field: field.to_owned(), then: then.to_owned(), now: now.to_owned() }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "not set".to_owned(),
        other => other.to_string(),
    }
}
