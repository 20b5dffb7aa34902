//! How the emulated API reaches the mailboxes and the name servers of the same sandbox.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use tempfile::TempDir;

use super::{
    ImapBackend,
    api::{PublicDns, world::Record},
    corpus::{FolderMail, InternalDate, Message},
    counters::Counters,
    dns::Zones,
    mail::{DovecotStore, MemoryStore},
    residents::{MAIL_NAMES, mail_name},
    smtp::Delivery,
    store::MailStore,
};
use crate::model::{Address, Domain, FolderPath, ImapEndpoint, RecordType, SpecialUse};

/// The mailboxes behind all services, whatever keeps them. Services go by their names on the platform here, and by
/// their short names there.
pub(super) enum Mailboxes {
    /// In memory.
    Memory(Arc<MemoryStore>),
    /// Two private Dovecots, and the folder that they live in. It goes after they have ended.
    Dovecot { store: DovecotStore, _folder: TempDir },
}

impl Mailboxes {
    fn store(&self) -> &dyn MailStore {
        match self {
            Self::Memory(store) => store.as_ref(),
            Self::Dovecot { store, .. } => store,
        }
    }

    /// Starts a server for every service.
    pub(super) async fn start(backend: ImapBackend, counters: Counters) -> io::Result<Self> {
        let names = MAIL_NAMES.map(ToOwned::to_owned);
        match backend {
            ImapBackend::Memory => Ok(Self::Memory(MemoryStore::start(&names, counters).await?)),
            ImapBackend::Dovecot => {
                // Sockets below it have names of at most 108 octets.
                let folder = tempfile::Builder::new().prefix("rehome-").tempdir()?;
                let store = DovecotStore::start(folder.path(), &names, counters).await?;
                Ok(Self::Dovecot { store, _folder: folder })
            }
        }
    }

    /// Puts mail into a mailbox as a delivery from outside does.
    pub(super) async fn deliver(&self, service: &str, login: &Address, folders: &[FolderMail]) -> io::Result<()> {
        match self {
            Self::Memory(store) => store.deliver(mail_name(service), login, folders),
            Self::Dovecot { store, .. } => store.deliver(mail_name(service), login, folders).await,
        }
    }
}

#[async_trait]
impl MailStore for Mailboxes {
    fn endpoint(&self, service: &str) -> ImapEndpoint {
        self.store().endpoint(mail_name(service))
    }

    async fn create(&self, service: &str, login: &Address, password: &str) -> io::Result<()> {
        self.store().create(mail_name(service), login, password).await
    }

    async fn rename(&self, service: &str, from: &Address, to: &Address) -> io::Result<()> {
        self.store().rename(mail_name(service), from, to).await
    }

    async fn set_password(&self, service: &str, login: &Address, password: &str) -> io::Result<()> {
        self.store().set_password(mail_name(service), login, password).await
    }

    async fn set_imap(&self, service: &str, login: &Address, enabled: bool) -> io::Result<()> {
        self.store().set_imap(mail_name(service), login, enabled).await
    }

    async fn remove(&self, service: &str, login: &Address) -> io::Result<()> {
        self.store().remove(mail_name(service), login).await
    }

    async fn usage(&self, service: &str, login: &Address) -> io::Result<u64> {
        self.store().usage(mail_name(service), login).await
    }
}

#[async_trait]
impl Delivery for Mailboxes {
    fn knows(&self, service: &str, address: &Address) -> bool {
        match self {
            Self::Memory(store) => store.contents(mail_name(service), address).is_ok(),
            // Who has a mailbox there is known to the server alone; a delivery to nobody fails.
            Self::Dovecot { .. } => true,
        }
    }

    async fn deliver(&self, service: &str, address: &Address, message: Vec<u8>, junk: bool) -> io::Result<()> {
        let internal_date = InternalDate::new(jiff::Timestamp::now(), 0);
        let message = Message { bytes: message, flags: BTreeSet::new(), internal_date };
        let name = if junk { "Junk" } else { "INBOX" };
        let folder = FolderMail {
            path: FolderPath(vec![name.to_owned()]),
            special_use: junk.then_some(SpecialUse::Junk),
            subscribed: true,
            selectable: true,
            messages: vec![message],
        };
        Self::deliver(self, service, address, &[folder]).await
    }
}

/// Record sets by owner name and type.
type Sets = BTreeMap<(String, RecordType), (u32, Vec<String>)>;

/// The zones that name servers answer from. Remembers what the API published, so that what it no longer has goes away
/// and what a test put there by itself stays.
pub(super) struct Published {
    zones: Zones,
    sets: Mutex<BTreeMap<Domain, BTreeSet<(String, RecordType)>>>,
}

impl Published {
    pub(super) fn new(zones: Zones) -> Self {
        Self { zones, sets: Mutex::new(BTreeMap::new()) }
    }
}

/// The types that the name servers know; others live in the API alone.
fn record_type(word: &str) -> Option<RecordType> {
    use RecordType::{A, Aaaa, Cname, Mx, Ns, Srv, Txt};
    [A, Aaaa, Cname, Mx, Ns, Srv, Txt].into_iter().find(|t| t.word() == word)
}

/// The data of a record of the API as name servers take it: names absolute, texts without quotes.
fn presentation(kind: RecordType, target: &str, zone: &Domain) -> String {
    let target = target.trim();
    match kind {
        RecordType::Txt => {
            let strings = target.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
            strings.map_or_else(|| target.to_owned(), |text| text.replace("\" \"", "").replace("\\\"", "\""))
        }
        RecordType::A | RecordType::Aaaa => target.to_owned(),
        _ => match target.strip_suffix('.') {
            Some(absolute) => absolute.to_owned(),
            None => format!("{target}.{zone}"),
        },
    }
}

fn sets(zone: &Domain, records: &[Record]) -> Sets {
    let mut sets = Sets::new();
    for record in records {
        let Some(kind) = record_type(record.wire_type()) else { continue };
        let name = match record.sub_domain.as_str() {
            "" => zone.to_string(),
            sub => format!("{sub}.{zone}"),
        };
        let set = sets.entry((name, kind)).or_insert_with(|| (record.wire_ttl(), Vec::new()));
        set.1.push(presentation(kind, &record.target, zone));
    }
    sets
}

impl PublicDns for Published {
    fn publish(&self, zone: &Domain, _serial: u32, name_servers: &[String], records: &[Record]) {
        let servers: Vec<&str> = name_servers.iter().map(String::as_str).collect();
        let refuse = |error: super::dns::ZoneError| tracing::warn!(%error, %zone, "a record was not published");
        let _ = self.zones.add_zone(zone.as_str(), &servers).map_err(refuse);
        let wanted = sets(zone, records);
        let mut published = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        let before = published.entry(zone.clone()).or_default();
        for (name, kind) in before.iter().filter(|key| !wanted.contains_key(key)) {
            let _ = self.zones.remove(name, *kind).map_err(refuse);
        }
        for ((name, kind), (ttl, values)) in &wanted {
            let _ = self.zones.set(name, *kind, values, *ttl).map_err(refuse);
        }
        *before = wanted.into_keys().collect();
    }

    fn lookup(&self, name: &str, word: &str) -> Vec<String> {
        record_type(word).map(|kind| self.zones.get(name, kind)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_published_whole_and_what_a_test_added_stays() {
        let (zones, zone) = (Zones::new(), Domain::parse("blue.example").unwrap());
        let published = Published::new(zones.clone());
        let ns = ["dns1.sandbox.example".to_owned()];
        let records = [
            Record::new("", "MX", "1 mx0.mail.ovh.net."),
            Record::new("", "MX", "5 mx1.mail.ovh.net."),
            Record::new("", "SPF", "\"v=spf1 include:mx.ovh.com ~all\""),
            Record::new("www", "CNAME", "web"),
        ];
        published.publish(&zone, 1, &ns, &records);
        zones.set("ab1cd-check.blue.example", RecordType::Cname, &["ovh.com"], 60).unwrap();
        assert_eq!(published.lookup("blue.example", "MX"), ["1 mx0.mail.ovh.net", "5 mx1.mail.ovh.net"]);
        assert_eq!(published.lookup("blue.example", "TXT"), ["v=spf1 include:mx.ovh.com ~all"]);
        assert_eq!(published.lookup("www.blue.example", "CNAME"), ["web.blue.example"]);
        published.publish(&zone, 2, &ns, &records[..1]);
        assert_eq!(published.lookup("blue.example", "MX"), ["1 mx0.mail.ovh.net"]);
        assert!(published.lookup("www.blue.example", "CNAME").is_empty());
        assert_eq!(published.lookup("ab1cd-check.blue.example", "CNAME"), ["ovh.com"]);
    }
}
