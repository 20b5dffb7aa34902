//! How a world is furnished before it is served.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::{
    model::{Address, Domain},
    sandbox::api::fields,
};

use super::{
    Account, EPOCH, Family, Group, Hosted, HostedDomain, Legacy, LegacyAccount, Organization, Platform, Protocol,
    Record, Resource, Slot, World, ZimbraDomain, Zone, hex, noise,
};

/// Where placeholders live (API reference 2.0b).
const PLACEHOLDERS: &str = "configureme.me";

impl Account {
    /// An account with nothing set.
    #[must_use]
    pub fn blank(family: Family, id: u64, address: Address) -> Self {
        Self {
            id,
            address,
            configured: false,
            state: "ok".to_owned(),
            spam: false,
            fields: fields::account_defaults(family),
            octets: 0,
            aliases: BTreeSet::new(),
            rights: BTreeSet::new(),
            archive: false,
            protocol: Protocol::default(),
            resets: 0,
            password_set: None,
        }
    }
}

impl Group {
    /// A closed group without members.
    #[must_use]
    pub fn blank(id: u64, address: Address) -> Self {
        let mut fields = fields::blank(fields::GROUP);
        fields.insert("departRestriction".to_owned(), json!("closed"));
        fields.insert("joinRestriction".to_owned(), json!("closed"));
        let none = BTreeSet::new;
        Self {
            id,
            address,
            aliases: BTreeSet::new(),
            state: "ok".to_owned(),
            fields,
            accounts: none(),
            contacts: none(),
            managers: none(),
        }
    }
}

impl HostedDomain {
    /// A domain in order.
    #[must_use]
    pub fn ready(authoritative: bool) -> Self {
        let mx_relay = (!authoritative).then(|| "mx1.mail.ovh.net".to_owned());
        Self { authoritative, mx_relay, validated: true, state: "ok".to_owned(), ..Self::default() }
    }
}

impl World {
    /// The address that a slot has while nobody uses it; every reset gives it another one.
    #[must_use]
    pub fn placeholder(&self, service: &str, id: u64, resets: u32) -> Option<Address> {
        let name = hex(&noise(self.seed, &format!("placeholder {service} {id} {resets}")));
        Address::new(name.get(..8)?, Domain::parse(PLACEHOLDERS).ok()?).ok()
    }

    /// Adds a service with free slots. An Exchange service is its own organisation.
    pub fn add_hosted(&mut self, family: Family, name: &str, hostname: &str, slots: usize) {
        let service = Hosted {
            family,
            organization: name.to_owned(),
            name: name.to_owned(),
            offer: match family {
                Family::Exchange => "hosted",
                Family::EmailPro => "emailpro",
                Family::MxPlan => "MXPLAN",
            }
            .to_owned(),
            state: "ok".to_owned(),
            expired: false,
            hostname: hostname.to_owned(),
            fields: fields::service_defaults(family),
            domains: BTreeMap::new(),
            accounts: BTreeMap::new(),
            groups: BTreeMap::new(),
            contacts: BTreeMap::new(),
            protocol: Protocol::default(),
            shared: BTreeMap::new(),
            resources: BTreeSet::new(),
            public_folders: BTreeSet::new(),
        };
        self.hosted.insert(name.to_owned(), service);
        for _ in 0..slots {
            let id = self.id();
            let Some(address) = self.placeholder(name, id, 0) else { continue };
            if let Some(service) = self.hosted.get_mut(name) {
                service.accounts.insert(id, Account::blank(family, id, address));
            }
        }
    }

    /// Adds a domain in order to a service.
    pub fn add_domain(&mut self, service: &str, domain: &Domain, authoritative: bool) {
        if let Some(service) = self.hosted.get_mut(service) {
            service.domains.insert(domain.clone(), HostedDomain::ready(authoritative));
        }
    }

    /// Makes the first free slot of a service an account with these fields; its id, or `None` without a free slot. The
    /// mailbox is the caller's affair.
    pub fn add_account(&mut self, service: &str, address: &Address, set: Map<String, Value>) -> Option<u64> {
        let service = self.hosted.get_mut(service)?;
        let account = service.accounts.values_mut().find(|a| !a.configured)?;
        account.address = address.clone();
        account.configured = true;
        account.password_set = Some(EPOCH);
        account.fields.extend(set);
        Some(account.id)
    }

    /// Adds `/email/domain/{domain}` for that many accounts, or for redirections alone when the domain was moved to a
    /// service of the new generation.
    pub fn add_legacy(&mut self, domain: &Domain, account_limit: u64, migrated: Option<&str>) {
        let legacy = Legacy {
            domain: domain.clone(),
            offer: "MXPLAN 100".to_owned(),
            migrated: migrated.map(ToOwned::to_owned),
            expired: false,
            account_limit,
            accounts: BTreeMap::new(),
            redirections: BTreeMap::new(),
            responders: BTreeMap::new(),
            lists: BTreeMap::new(),
        };
        self.legacy.insert(domain.clone(), legacy);
    }

    /// Adds an account to a legacy domain. The mailbox is the caller's affair.
    pub fn add_legacy_account(&mut self, address: &Address, description: &str) {
        if let Some(legacy) = self.legacy.get_mut(address.domain()) {
            let description = description.to_owned();
            let account =
                LegacyAccount { description, size: 5_000_000_000, blocked: false, octets: 0, filters: Vec::new() };
            legacy.accounts.insert(address.local().to_ascii_lowercase(), account);
        }
    }

    /// Adds a Zimbra platform with one organisation and free slots.
    pub fn add_zimbra(&mut self, id: &str, name: &str, starter: usize, pro: usize) {
        let organization = Organization { name: name.to_owned(), label: "main".to_owned(), description: None };
        let target = json!({ "name": name, "label": "main", "description": null });
        let organizations = BTreeMap::from([(self.uuid(&format!("{id} main")), Resource::ready(target, organization))]);
        let offers = std::iter::repeat_n("STARTER", starter).chain(std::iter::repeat_n("PRO", pro));
        let slots = offers
            .enumerate()
            .map(|(n, offer)| (self.uuid(&format!("{id} slot {n}")), Slot { offer: offer.to_owned(), account: None }))
            .collect();
        let platform = Platform {
            id: id.to_owned(),
            name: name.to_owned(),
            expired: false,
            organizations,
            domains: BTreeMap::new(),
            accounts: BTreeMap::new(),
            aliases: BTreeMap::new(),
            redirections: BTreeMap::new(),
            slots,
            made: 0,
        };
        self.zimbra.insert(id.to_owned(), platform);
    }

    /// Adds a domain in order to a Zimbra platform's first organisation.
    pub fn add_zimbra_domain(&mut self, platform: &str, domain: &Domain) {
        let id = self.uuid(&format!("{platform} domain {domain}"));
        let Some(platform) = self.zimbra.get_mut(platform) else { return };
        let Some(organization) = platform.organizations.keys().next().cloned() else { return };
        let target = json!({ "organizationId": organization, "dkimEnabled": false });
        let current =
            ZimbraDomain { name: domain.clone(), organization, validated: true, ownership: None, dkim: false };
        platform.domains.insert(id, Resource::ready(target, current));
    }

    /// Adds a deployed zone.
    pub fn add_zone(&mut self, domain: &Domain, name_servers: &[&str], records: &[Record]) {
        let records = records.iter().map(|record| (self.id(), record.clone())).collect();
        self.zones.insert(domain.clone(), Zone::deployed(name_servers, records));
    }
}
