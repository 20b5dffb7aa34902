//! An IMAP4rev1 server in process, in memory: one loopback port per service.
//!
//! It does what mail clients need to read and write mail (RFC 3501 with UIDPLUS, MULTIAPPEND, LITERAL+, SPECIAL-USE,
//! LIST-STATUS, CONDSTORE, QUOTA and others, see [`CAPABILITIES`]), and it can be told to fail. It parses no MIME:
//! ENVELOPE, BODYSTRUCTURE and numbered parts are refused.

mod append;
mod args;
mod fetch;
mod flags;
mod folders;
mod list;
mod search;
mod selected;
mod session;
mod set;
mod store;
mod wire;
mod world;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use self::world::World;
use crate::{
    model::Address,
    sandbox::{
        corpus::{FolderMail, InternalDate},
        counters::Counters,
    },
};

/// What the server offers, unless [`Behaviour::without`] takes it away.
pub const CAPABILITIES: [&str; 21] = [
    "IMAP4rev1",
    "LITERAL+",
    "SASL-IR",
    "AUTH=PLAIN",
    "ID",
    "ENABLE",
    "IDLE",
    "NAMESPACE",
    "CHILDREN",
    "UNSELECT",
    "UIDPLUS",
    "MOVE",
    "MULTIAPPEND",
    "LIST-EXTENDED",
    "LIST-STATUS",
    "SPECIAL-USE",
    "CREATE-SPECIAL-USE",
    "STATUS=SIZE",
    "APPENDLIMIT",
    "QUOTA",
    "CONDSTORE",
];

/// How a service differs from an ordinary one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// The hierarchy delimiter.
    pub delimiter: char,
    /// What the names of all folders but the inbox start with, such as `INBOX.`; empty for nothing. Set it before
    /// mailboxes are made.
    pub prefix: String,
    /// Capabilities that are neither advertised nor honoured where a client would notice.
    pub without: BTreeSet<String>,
    /// The largest message, in octets (RFC 7889).
    pub append_limit: Option<u64>,
    /// The most octets that a mailbox holds; an APPEND beyond it gets `NO [OVERQUOTA]`.
    pub quota: Option<u64>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            delimiter: '/',
            prefix: String::new(),
            without: BTreeSet::new(),
            append_limit: Some(64 << 20),
            quota: None,
        }
    }
}

/// Something that goes wrong on purpose. A fault that counts is over once it has happened; the others stay until
/// [`MemoryStore::heal`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection breaks at the n-th message appended from now on, 1 being the next; nothing of its command is stored.
    DropBeforeAppend(u64),
    /// The same, but everything of its command is stored; only the answer is lost.
    DropAfterAppend(u64),
    /// The connection breaks in the middle of the n-th body fetched from now on.
    DropInFetch(u64),
    /// Messages that contain these bytes are refused by APPEND with these words.
    RefuseAppend {
        /// The bytes.
        marker: Vec<u8>,
        /// What comes behind `NO `.
        words: String,
    },
    /// Bodies of messages that contain these bytes cannot be fetched: the command ends with NO.
    Unreadable {
        /// The bytes.
        marker: Vec<u8>,
    },
    /// The next commands with this verb get NO with these words, that many times.
    Refuse {
        /// The verb in upper case, without `UID`.
        verb: String,
        /// What comes behind `NO `.
        words: String,
        /// How often.
        times: u64,
    },
}

/// The mailboxes and their servers. They stop when it is dropped.
#[derive(Debug)]
pub struct MemoryStore {
    shared: Arc<Shared>,
    addresses: BTreeMap<String, SocketAddr>,
    _stop: DropGuard,
}

/// What all connections share.
#[derive(Debug)]
struct Shared {
    world: Mutex<World>,
    counters: Counters,
    /// Told after every command, for IDLE.
    changes: watch::Sender<()>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MemoryStore {
    /// Starts one server per service on free loopback ports. Commands are counted as `imap.<service>.<VERB>`.
    ///
    /// # Errors
    /// When no port can be opened.
    pub async fn start(services: &[String], counters: Counters) -> io::Result<Arc<Self>> {
        let mut world = World::default();
        for service in services {
            world.services.entry(service.clone()).or_default();
        }
        let shared = Arc::new(Shared { world: Mutex::new(world), counters, changes: watch::Sender::new(()) });
        let stop = CancellationToken::new();
        let mut addresses = BTreeMap::new();
        for service in services {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            addresses.insert(service.clone(), listener.local_addr()?);
            let serve = accept(listener, service.clone(), Arc::clone(&shared), stop.clone());
            tokio::spawn(stop.clone().run_until_cancelled_owned(serve));
        }
        Ok(Arc::new(Self { shared, addresses, _stop: stop.drop_guard() }))
    }

    /// Changes how a service behaves, for all sessions at once.
    pub fn behave(&self, service: &str, change: impl FnOnce(&mut Behaviour)) {
        if let Some(service) = self.shared.lock().services.get_mut(service) {
            change(&mut service.behaviour);
        }
    }

    /// Arms a fault.
    pub fn fail(&self, service: &str, fault: Fault) {
        if let Some(service) = self.shared.lock().services.get_mut(service) {
            service.faults.push(fault);
        }
    }

    /// Takes all faults of a service away.
    pub fn heal(&self, service: &str) {
        if let Some(service) = self.shared.lock().services.get_mut(service) {
            service.faults.clear();
        }
    }

    /// Puts mail into a mailbox without IMAP, as a delivery from outside does. Folders that are missing are made; mail
    /// for a special use goes to the mailbox's own folder for it.
    ///
    /// # Errors
    /// When there is no such service or login.
    pub fn deliver(&self, service: &str, login: &Address, folders: &[FolderMail]) -> io::Result<()> {
        let mut world = self.shared.lock();
        let id = store::find(&world, service, login)?;
        for folder in folders {
            let name = store::folder_for(&mut world, service, id, folder)?;
            let mailbox = world.mailbox(service, id).ok_or_else(|| store::no_login(login))?;
            if folder.subscribed {
                mailbox.subscriptions.insert(name.clone());
            } else {
                mailbox.subscriptions.remove(&name);
            }
            if let Some(place) = mailbox.folders.get_mut(&name) {
                for message in &folder.messages {
                    place.add(message.bytes.clone().into(), message.flags.clone(), message.internal_date);
                }
            }
        }
        drop(world);
        self.shared.changes.send_replace(());
        Ok(())
    }

    /// The messages of a mailbox by full folder name, as bytes, flags and date, for tests that look behind the server.
    ///
    /// # Errors
    /// When there is no such service or login.
    pub fn contents(&self, service: &str, login: &Address) -> io::Result<BTreeMap<String, Vec<StoredMessage>>> {
        let mut world = self.shared.lock();
        let id = store::find(&world, service, login)?;
        let mailbox = world.mailbox(service, id).ok_or_else(|| store::no_login(login))?;
        let messages = |folder: &world::Folder| folder.messages.iter().map(StoredMessage::from).collect();
        Ok(mailbox.folders.iter().map(|(name, folder)| (name.clone(), messages(folder))).collect())
    }
}

/// One message as [`MemoryStore::contents`] shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMessage {
    /// Its UID.
    pub uid: u32,
    /// Its bytes.
    pub bytes: bytes::Bytes,
    /// Its flags and keywords.
    pub flags: BTreeSet<String>,
    /// When the server got it.
    pub internal_date: InternalDate,
}

impl From<&world::Stored> for StoredMessage {
    fn from(m: &world::Stored) -> Self {
        Self { uid: m.uid, bytes: m.bytes.clone(), flags: m.flags.clone(), internal_date: m.date }
    }
}

async fn accept(listener: TcpListener, service: String, shared: Arc<Shared>, stop: CancellationToken) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let session = session::serve(stream, service.clone(), Arc::clone(&shared));
        tokio::spawn(stop.clone().run_until_cancelled_owned(async move {
            // A client that breaks the connection is nothing that anybody could act on.
            let _closed: io::Result<()> = session.await;
        }));
    }
}
