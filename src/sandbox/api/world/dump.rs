//! The world as a document that two runs can be compared by: names instead of ids, no times, no tasks, no passwords.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Hosted, HostedDomain, Legacy, Platform, Record, World, Zone};

impl World {
    /// The end state, in which only what a customer could tell apart differs.
    #[must_use]
    pub fn dump(&self) -> Value {
        let hosted: BTreeMap<_, _> = self.hosted.values().map(|s| (s.name.clone(), hosted(s))).collect();
        let legacy: BTreeMap<_, _> = self.legacy.iter().map(|(d, l)| (d.to_string(), legacy(l))).collect();
        let zimbra: BTreeMap<_, _> = self.zimbra.values().map(|p| (p.id.clone(), platform(p))).collect();
        let zones: BTreeMap<_, _> = self.zones.iter().map(|(d, z)| (d.to_string(), zone(z))).collect();
        let running = self.busy.len();
        json!({ "hosted": hosted, "legacy": legacy, "zimbra": zimbra, "zones": zones, "running": running })
    }
}

fn texts<T: ToString>(items: impl IntoIterator<Item = T>) -> Vec<String> {
    let mut all: Vec<String> = items.into_iter().map(|i| i.to_string()).collect();
    all.sort();
    all
}

fn hosted(service: &Hosted) -> Value {
    let name = |id: &u64| service.accounts.get(id).map_or_else(|| id.to_string(), |a| a.address.key());
    let contact = |id: &u64| service.contacts.get(id).map_or_else(|| id.to_string(), |c| c.address.key());
    let accounts: BTreeMap<String, Value> = service
        .accounts
        .values()
        .filter(|a| a.configured)
        .map(|a| {
            let rights = texts(a.rights.iter().map(|(right, id)| format!("{} {}", right.segment(), name(id))));
            let value = json!({
                "state": a.state, "spamDetected": a.spam, "fields": a.fields, "octets": a.octets,
                "aliases": texts(a.aliases.iter().map(crate::model::Address::key)), "rights": rights,
                "imap": a.protocol.imap, "pop": a.protocol.pop, "resets": a.resets,
            });
            (a.address.key(), value)
        })
        .collect();
    let groups: BTreeMap<String, Value> = service
        .groups
        .values()
        .map(|g| {
            let members = texts(g.accounts.iter().map(name).chain(g.contacts.iter().map(contact)));
            let value =
                json!({ "fields": g.fields, "members": members, "managers": texts(g.managers.iter().map(name)) });
            (g.address.key(), value)
        })
        .collect();
    let contacts: BTreeMap<String, &_> = service.contacts.values().map(|c| (c.address.key(), &c.fields)).collect();
    let domains: BTreeMap<String, Value> =
        service.domains.iter().map(|(name, d)| (name.to_string(), hosted_domain(d))).collect();
    json!({
        "state": service.state, "expired": service.expired, "fields": service.fields, "domains": domains,
        "accounts": accounts, "groups": groups, "contacts": contacts,
        "placeholders": texts(service.accounts.values().filter(|a| !a.configured).map(|a| a.address.key())),
    })
}

fn hosted_domain(d: &HostedDomain) -> Value {
    json!({
        "authoritative": d.authoritative, "mxRelay": d.mx_relay, "validated": d.validated, "state": d.state,
        "dkim": d.dkim, "footer": d.footer,
    })
}

fn legacy(service: &Legacy) -> Value {
    let accounts: BTreeMap<&String, Value> = service
        .accounts
        .iter()
        .map(|(name, a)| {
            let value = json!({
                "description": a.description, "size": a.size, "blocked": a.blocked, "octets": a.octets,
            });
            (name, value)
        })
        .collect();
    let responders: BTreeMap<&String, Value> = service
        .responders
        .iter()
        .map(|(name, r)| {
            let value =
                json!({ "content": r.content, "copy": r.copy, "copyTo": r.copy_to, "from": r.from, "to": r.to });
            (name, value)
        })
        .collect();
    let lists: BTreeMap<&String, Value> = service
        .lists
        .iter()
        .map(|(name, l)| {
            let value = json!({
                "language": l.language, "owner": l.owner, "replyTo": l.reply_to, "options": l.options,
                "subscribers": texts(&l.subscribers), "moderators": texts(&l.moderators),
            });
            (name, value)
        })
        .collect();
    let rows = texts(service.redirections.values().map(|r| format!("{} -> {}", r.from.key(), r.to.key())));
    json!({
        "expired": service.expired, "migrated": service.migrated, "accounts": accounts, "redirections": rows,
        "responders": responders, "lists": lists,
    })
}

fn platform(p: &Platform) -> Value {
    let account = |id: &String| p.accounts.get(id).map_or_else(|| id.clone(), |a| a.current.address.key());
    let organization = |id: &String| p.organizations.get(id).map_or_else(|| id.clone(), |o| o.current.label.clone());
    let accounts: BTreeMap<String, Value> = p
        .accounts
        .values()
        .map(|a| {
            let value = json!({
                "status": a.status, "target": a.target, "offer": a.current.offer, "octets": a.current.octets,
                "locks": a.current.locks,
            });
            (a.current.address.key(), value)
        })
        .collect();
    let domains: BTreeMap<String, Value> = p
        .domains
        .values()
        .map(|d| {
            let value = json!({
                "status": d.status, "organization": organization(&d.current.organization),
                "validated": d.current.validated, "dkim": d.current.dkim,
            });
            (d.current.name.to_string(), value)
        })
        .collect();
    let aliases =
        texts(p.aliases.values().map(|a| format!("{} -> {}", a.current.address.key(), account(&a.current.account))));
    let redirections = texts(
        p.redirections.values().map(|r| format!("{} -> {}", r.current.source.key(), r.current.destination.key())),
    );
    let free = texts(p.slots.values().filter(|s| s.account.is_none()).map(|s| &s.offer));
    json!({
        "expired": p.expired, "organizations": texts(p.organizations.values().map(|o| &o.current.label)),
        "domains": domains, "accounts": accounts, "aliases": aliases, "redirections": redirections, "freeSlots": free,
    })
}

fn zone(z: &Zone) -> Value {
    let line = |r: &Record| format!("{} {} {} {}", r.sub_domain, r.wire_ttl(), r.field_type, r.target);
    json!({ "working": texts(z.records.values().map(line)), "live": texts(z.live.iter().map(line)), "errors": z.errors })
}
