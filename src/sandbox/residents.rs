//! The worlds that a rehearsal starts from: who lives where, and which moves can be rehearsed.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::api::world::{Contact, Family, Group, MailingList, Record, Redirection, Right, World as State};
use crate::model::{Address, AddressError, Domain};

/// A world to rehearse in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World {
    /// Nine people with aliases, delegations, a forwarding, a group, a contact and a footer, on four routes.
    Demo {
        /// Messages in each mailbox.
        messages: usize,
    },
    /// Many plain people, spread evenly over the same four routes.
    Fleet {
        /// How many.
        people: usize,
        /// Messages in each mailbox.
        messages: usize,
    },
}

/// The first Exchange service: two domains leave it.
pub const EXCHANGE: &str = "hosted-ab12345-1";
/// The second Exchange service: one domain joins it.
pub const EXCHANGE_2: &str = "hosted-ab12345-2";
/// The Email Pro service: one domain leaves it, one joins it.
pub const EMAIL_PRO: &str = "emailpro-ab12345-1";
/// The new-generation MX Plan service, with its one domain.
pub const MX_PLAN: &str = "mxplan-ab12345-1";
/// The Zimbra platform.
pub const ZIMBRA: &str = "5a1b7c3e-2d4f-4a6b-8c9d-0e1f2a3b4c5d";

/// The domains and the moves they rehearse: Exchange to Email Pro, Email Pro to MX Plan, legacy MX Plan to Zimbra,
/// Exchange to Exchange.
pub const DOMAINS: [&str; 4] = ["blue.example", "green.example", "red.example", "amber.example"];

/// Somebody with a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resident {
    /// The service that has the mailbox: its name, the domain of a legacy service, the id of a Zimbra platform.
    pub service: String,
    /// The address.
    pub address: Address,
    /// The name people read.
    pub name: String,
    /// The password.
    pub password: String,
    /// Messages in the mailbox.
    pub messages: usize,
}

/// The services of every world by the short names that their mailboxes and variables go by. The legacy services share
/// one mail server, as they do at OVHcloud.
#[must_use]
pub fn mail_name(service: &str) -> &'static str {
    match service {
        EXCHANGE => "exchange",
        EXCHANGE_2 => "exchange2",
        EMAIL_PRO => "emailpro",
        MX_PLAN => "mxplan",
        ZIMBRA => "zimbra",
        _ => "legacy",
    }
}

/// The short names of all mail servers.
pub const MAIL_NAMES: [&str; 6] = ["exchange", "exchange2", "emailpro", "mxplan", "legacy", "zimbra"];

struct Furnisher {
    state: State,
    residents: Vec<Resident>,
    domains: [Domain; 4],
    messages: usize,
}

/// Makes a world and the list of its people.
///
/// # Errors
/// Never with the names that are built in; a mistake in them is an [`AddressError`] instead of a panic.
pub(super) fn furnish(seed: u64, world: World, hostname: &str) -> Result<(State, Vec<Resident>), AddressError> {
    let (people, messages) = match world {
        World::Demo { messages } => (None, messages),
        World::Fleet { people, messages } => (Some(people), messages),
    };
    let [blue, green, red, amber] = DOMAINS.map(Domain::parse);
    let domains = [blue?, green?, red?, amber?];
    let mut f = Furnisher { state: State::new(seed), residents: Vec::new(), domains, messages };
    f.services(hostname, people.map_or(4, |p| p.div_ceil(4) + 1));
    f.zones();
    match people {
        None => f.demo()?,
        Some(people) => f.fleet(people)?,
    }
    Ok((f.state, f.residents))
}

impl Furnisher {
    /// All services; `share` people at most live on each route.
    fn services(&mut self, hostname: &str, share: usize) {
        let state = &mut self.state;
        let [blue, green, red, amber] = &self.domains;
        // A slot for everybody who leaves and everybody who joins.
        state.add_hosted(Family::Exchange, EXCHANGE, hostname, 2 * share);
        state.add_hosted(Family::Exchange, EXCHANGE_2, hostname, share);
        state.add_hosted(Family::EmailPro, EMAIL_PRO, hostname, 2 * share);
        state.add_hosted(Family::MxPlan, MX_PLAN, hostname, share);
        for (service, domain) in [(EXCHANGE, blue), (EXCHANGE, amber), (EMAIL_PRO, green), (MX_PLAN, green)] {
            state.add_domain(service, domain, false);
        }
        let limit = u64::try_from(2 * share).unwrap_or(u64::MAX);
        state.add_legacy(green, 0, Some(MX_PLAN));
        state.add_legacy(red, limit, None);
        state.add_zimbra(ZIMBRA, "Sandbox", share, share);
    }

    /// Each domain's zone, as it stands before a move.
    fn zones(&mut self) {
        let servers = ["dns1.sandbox.example", "dns2.sandbox.example"];
        for (domain, host) in self.domains.iter().zip(["ex5", "pro1", "", "ex5"]) {
            let mut records: Vec<Record> = [(1, "mx0"), (5, "mx1"), (50, "mx2"), (100, "mx3")]
                .map(|(priority, mx)| Record::new("", "MX", &format!("{priority} {mx}.mail.ovh.net.")))
                .to_vec();
            records.push(Record::new("", "SPF", "\"v=spf1 include:mx.ovh.com ~all\""));
            records.push(Record::new("_dmarc", "TXT", "\"v=DMARC1; p=none\""));
            if host.is_empty() {
                records.push(Record::new("_autodiscover._tcp", "SRV", "0 0 443 mailconfig.ovh.net."));
                records.push(Record::new("autoconfig", "CNAME", "mailconfig.ovh.net."));
                records.push(Record::new("autodiscover", "CNAME", "mailconfig.ovh.net."));
            } else {
                let target = format!("0 0 443 {host}.mail.ovh.net.");
                records.push(Record::new("_autodiscover._tcp", "SRV", &target));
            }
            self.state.add_zone(domain, &servers, &records);
        }
    }

    fn address(&self, local: &str, domain: usize) -> Result<Address, AddressError> {
        Address::parse(&format!("{local}@{}", DOMAINS.get(domain).copied().unwrap_or_default()))
    }

    /// Somebody on the source of a domain's move; the account's id on the services that have ids.
    fn person(&mut self, name: &str, domain: usize) -> Result<(Option<u64>, Address), AddressError> {
        let address = self.address(&name.to_lowercase().replace(' ', "."), domain)?;
        let (first, last) = name.split_once(' ').unwrap_or((name, ""));
        let fields: Map<String, Value> = [("displayName", name), ("firstName", first), ("lastName", last)]
            .map(|(field, text)| (field.to_owned(), json!(text)))
            .into_iter()
            .collect();
        let service = match domain {
            0 | 3 => EXCHANGE,
            1 => EMAIL_PRO,
            _ => "",
        };
        let id = if service.is_empty() {
            self.state.add_legacy_account(&address, name);
            None
        } else {
            self.state.add_account(service, &address, fields)
        };
        let service = if service.is_empty() { address.domain().to_string() } else { service.to_owned() };
        self.residents.push(Resident {
            service,
            password: password(self.state.seed, &address),
            address: address.clone(),
            name: name.to_owned(),
            messages: self.messages,
        });
        Ok((id, address))
    }

    fn alias(&mut self, service: &str, id: Option<u64>, alias: Address) {
        let account = self.state.hosted.get_mut(service).zip(id).and_then(|(s, id)| s.accounts.get_mut(&id));
        if let Some(account) = account {
            account.aliases.insert(alias);
        }
    }

    fn demo(&mut self) -> Result<(), AddressError> {
        let (john, _) = self.person("John Smith", 0)?;
        let (jane, _) = self.person("Jane Doe", 0)?;
        let (max, _) = self.person("Max Weber", 0)?;
        for (id, alias) in [(john, "j.smith"), (john, "sales"), (jane, "jane"), (max, "max")] {
            let alias = self.address(alias, 0)?;
            self.alias(EXCHANGE, id, alias);
        }
        let (anna, _) = self.person("Anna Rossi", 1)?;
        let (ben, _) = self.person("Ben Okafor", 1)?;
        let alias = self.address("anna", 1)?;
        self.alias(EMAIL_PRO, anna, alias);
        self.grant(EMAIL_PRO, anna, ben, Right::SendAs);
        let (_, rose) = self.person("Rose Martin", 2)?;
        let (_, li) = self.person("Li Wei", 2)?;
        let (amira, _) = self.person("Amira Haddad", 3)?;
        self.person("Tom Berg", 3)?;
        let alias = self.address("amira", 3)?;
        self.alias(EXCHANGE, amira, alias);
        self.directory(john, jane, max)?;
        self.legacy(&rose, &li)
    }

    fn grant(&mut self, service: &str, on: Option<u64>, to: Option<u64>, right: Right) {
        let account = self.state.hosted.get_mut(service).zip(on).and_then(|(s, id)| s.accounts.get_mut(&id));
        if let Some((account, to)) = account.zip(to) {
            account.rights.insert((right, to));
        }
    }

    /// What hangs on the people of the first domain: rights, a forwarding, a contact, a group, a footer.
    fn directory(&mut self, john: Option<u64>, jane: Option<u64>, max: Option<u64>) -> Result<(), AddressError> {
        self.grant(EXCHANGE, john, jane, Right::FullAccess);
        self.grant(EXCHANGE, john, jane, Right::SendAs);
        let desk = Address::parse("desk@partner.example")?;
        let mut contact = Contact { id: self.state.id(), address: desk.clone(), fields: Map::new() };
        for (field, value) in [
            ("displayName", json!("Partner Desk")),
            ("firstName", json!("Partner")),
            ("lastName", json!("Desk")),
            ("initials", Value::Null),
            ("hiddenFromGAL", json!(false)),
        ] {
            contact.fields.insert(field.to_owned(), value);
        }
        let mut group = Group::blank(self.state.id(), self.address("team", 0)?);
        group.fields.insert("displayName".to_owned(), json!("Blue Team"));
        group.accounts = [john, jane].into_iter().flatten().collect();
        group.contacts = [contact.id].into();
        group.managers = john.into_iter().collect();
        let domain = self.domains[0].clone();
        let Some(service) = self.state.hosted.get_mut(EXCHANGE) else { return Ok(()) };
        if let Some(account) = max.and_then(|id| service.accounts.get_mut(&id)) {
            account.fields.insert("forwardingEmail".to_owned(), json!(desk.to_string()));
            account.fields.insert("storeCopyOfEmail".to_owned(), json!(true));
        }
        service.contacts.insert(contact.id, contact);
        service.groups.insert(group.id, group);
        if let Some(domain) = service.domains.get_mut(&domain) {
            domain.footer = Some(("<p>Blue Example Ltd</p>".to_owned(), true));
        }
        Ok(())
    }

    /// What the legacy service has besides accounts: redirections, one with a local copy, and a list.
    fn legacy(&mut self, rose: &Address, li: &Address) -> Result<(), AddressError> {
        let (info, desk) = (self.address("info", 2)?, Address::parse("desk@partner.example")?);
        let rows = [
            (info.clone(), rose.clone()),
            (info, li.clone()),
            (li.clone(), desk),
            // A row from an address to itself keeps a local copy.
            (li.clone(), li.clone()),
        ];
        let rows: Vec<(u64, Redirection)> =
            rows.into_iter().map(|(from, to)| (self.state.id(), Redirection { from, to })).collect();
        let options = json!({ "moderatorMessage": false, "subscribeByModerator": true, "usersPostOnly": false });
        let list = MailingList {
            id: self.state.id(),
            language: "en".to_owned(),
            owner: rose.to_string(),
            reply_to: "list".to_owned(),
            options: options.as_object().cloned().unwrap_or_default(),
            subscribers: [rose.clone(), li.clone()].into(),
            moderators: [rose.clone()].into(),
        };
        if let Some(legacy) = self.state.legacy.get_mut(&self.domains[2]) {
            legacy.redirections.extend(rows);
            legacy.lists.insert("everybody".to_owned(), list);
        }
        Ok(())
    }

    fn fleet(&mut self, people: usize) -> Result<(), AddressError> {
        for n in 0..people {
            let (first, last) = (FIRST[n % FIRST.len()], LAST[n / FIRST.len() % LAST.len()]);
            let name = match n / (FIRST.len() * LAST.len()) {
                0 => format!("{first} {last}"),
                round => format!("{first} {last}{}", round + 1),
            };
            self.person(&name, n % DOMAINS.len())?;
        }
        Ok(())
    }
}

/// A password that every platform takes: its own length and character rules differ (API reference 2.0b).
fn password(seed: u64, address: &Address) -> String {
    let digest = Sha256::digest(format!("{seed} password {}", address.key()).as_bytes());
    let digits: String = digest.iter().take(6).map(|b| format!("{b:02x}")).collect();
    format!("Sb-{digits}!")
}

const FIRST: [&str; 20] = [
    "Ada", "Bruno", "Chloe", "David", "Elena", "Farid", "Greta", "Hugo", "Ines", "Jonas", "Karim", "Lena", "Marco",
    "Nadia", "Oscar", "Paula", "Quentin", "Rita", "Samir", "Tessa",
];
const LAST: [&str; 20] = [
    "Adler", "Bianchi", "Costa", "Durand", "Eriksen", "Fontaine", "Gruber", "Horvat", "Ivanov", "Jansen", "Keller",
    "Lopez", "Moreau", "Novak", "Olsen", "Petit", "Quinn", "Ricci", "Santos", "Tanaka",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_fleet_is_spread_over_the_four_routes_and_everybody_has_a_slot_on_both_sides() {
        let (state, residents) = furnish(3, World::Fleet { people: 20, messages: 0 }, "h").unwrap();
        let on = |service: &str| residents.iter().filter(|r| r.service == service).count();
        assert_eq!((on(EXCHANGE), on(EMAIL_PRO), on("red.example")), (10, 5, 5));
        let free = |service: &str| state.hosted[service].accounts.values().filter(|a| !a.configured).count();
        assert!([EXCHANGE_2, EMAIL_PRO, MX_PLAN].into_iter().all(|s| free(s) >= 5));
        assert!(state.zimbra[ZIMBRA].slots.len() >= 5);
    }

    #[test]
    fn names_do_not_repeat_in_a_large_fleet() {
        let (_, residents) = furnish(3, World::Fleet { people: 1_000, messages: 0 }, "h").unwrap();
        let addresses: BTreeSet<String> = residents.iter().map(|r| r.address.key()).collect();
        assert_eq!(addresses.len(), 1_000);
        assert!(residents.iter().all(|r| r.address.local().len() <= 32));
    }

    #[test]
    fn the_demo_has_everything_that_a_move_may_have_to_take_along() {
        let (state, residents) = furnish(1, World::Demo { messages: 1 }, "h").unwrap();
        assert_eq!(residents.len(), 9);
        let exchange = &state.hosted[EXCHANGE];
        assert_eq!((exchange.groups.len(), exchange.contacts.len()), (1, 1));
        assert!(exchange.accounts.values().any(|a| a.fields["forwardingEmail"].is_string()));
        assert!(exchange.accounts.values().any(|a| !a.rights.is_empty() && a.aliases.len() == 2));
        assert!(exchange.domains.values().any(|d| d.footer.is_some()));
    }
}
