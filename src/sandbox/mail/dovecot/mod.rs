//! Two private Dovecots on loopback: the truth that the in-memory server is held against.
//!
//! They run unprivileged, or give up their rights when started as root. An account is a small file that Dovecot reads
//! at every login, so a change is seen by the next login without any waiting; Dovecot's own `passwd-file` looks at its
//! file once a second at most. The mail of an account lies in a folder that is named by a number, so a rename moves
//! nothing. Sessions that are open when an account is renamed go on.

mod config;
mod process;
mod users;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use async_trait::async_trait;

pub use config::{MASTER_SEPARATOR, MASTER_USER};

use self::{
    process::{Instance, Owner},
    users::Users,
};
use super::{appender::Appender, second_group};
use crate::{
    model::{Address, ImapEndpoint, ImapSecurity},
    sandbox::{corpus::FolderMail, counters::Counters, store::MailStore},
};

/// What to do when Dovecot is missing.
pub const INSTALL: &str = "install it (`apt-get install dovecot-imapd` on Debian and Ubuntu, `dnf install dovecot` on \
                           Fedora, `brew install dovecot` on macOS) or use the in-memory server";

/// Two private Dovecots. They stop when it is dropped.
#[derive(Debug)]
pub struct DovecotStore {
    first: Server,
    second: Server,
    counters: Counters,
}

#[derive(Debug)]
struct Server {
    instance: Instance,
    /// The accounts of each service.
    users: BTreeMap<String, Users>,
    master_password: String,
}

/// The Dovecot that would be used: an absolute path.
///
/// # Errors
/// When there is none; the text says how to get it.
pub fn find() -> io::Result<PathBuf> {
    process::find("dovecot")
}

impl DovecotStore {
    /// Starts both in `dir`, which must be empty or new and have a short path, with one port per service. `exchange2`,
    /// `emailpro` and `zimbra` are served by the second, all others by the first. Deliveries are counted as
    /// `imap.<service>.APPEND`; what clients send is not seen from outside.
    ///
    /// # Errors
    /// When Dovecot is missing, has a version whose configuration is another, or does not start.
    pub async fn start(dir: &Path, services: &[String], counters: Counters) -> io::Result<Self> {
        let binary = find()?;
        process::check_version(&binary).await?;
        let (second, first): (Vec<String>, Vec<String>) = services.iter().cloned().partition(|s| second_group(s));
        let (a, b) = (dir.join("a"), dir.join("b"));
        let (first, second) =
            tokio::try_join!(Server::start(&binary, &a, &first, false), Server::start(&binary, &b, &second, true))?;
        Ok(Self { first, second, counters })
    }

    /// Puts mail into a mailbox by APPEND. Folders that are missing are made; mail for a special use goes to the
    /// mailbox's own folder for it.
    ///
    /// # Errors
    /// When there is no such login, or the server refuses something.
    pub async fn deliver(&self, service: &str, login: &Address, folders: &[FolderMail]) -> io::Result<()> {
        let mut appender = self.open(service, login).await?;
        appender.deliver(folders).await?;
        for _ in folders.iter().flat_map(|f| &f.messages) {
            self.counters.add(&format!("imap.{service}.APPEND"));
        }
        appender.end().await
    }

    /// The name and password of the master user, who opens any mailbox as `account*master`.
    #[must_use]
    pub fn master(&self, service: &str) -> (&str, &str) {
        (MASTER_USER, &self.server(service).master_password)
    }

    async fn open(&self, service: &str, login: &Address) -> io::Result<Appender> {
        let account = user(login)?;
        self.users(service)?.must_exist(&account)?;
        let (master, password) = self.master(service);
        Appender::open(&self.endpoint(service), &format!("{account}{MASTER_SEPARATOR}{master}"), password).await
    }

    fn server(&self, service: &str) -> &Server {
        if second_group(service) { &self.second } else { &self.first }
    }

    fn users(&self, service: &str) -> io::Result<&Users> {
        let missing = || io::Error::new(io::ErrorKind::NotFound, format!("the sandbox has no service `{service}`"));
        self.server(service).users.get(service).ok_or_else(missing)
    }
}

impl Server {
    async fn start(binary: &Path, dir: &Path, services: &[String], second: bool) -> io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let dir = dir.canonicalize()?;
        let owner = Owner::of(&dir).await?;
        let master_password = config::random_password();
        let instance = Instance::start(binary, &dir, &owner, services, &master_password, second).await?;
        let mut users = BTreeMap::new();
        for (service, port) in instance.ports() {
            users.insert(service.clone(), Users::create(&dir, *port, &owner)?);
        }
        Ok(Self { instance, users, master_password })
    }
}

/// The name of the account on disk and in logins.
fn user(login: &Address) -> io::Result<String> {
    let key = login.key();
    // They would leave the folder of accounts, or be taken for a master login.
    if key.contains(['/', '*', '%']) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("Dovecot is not given the login `{key}`")));
    }
    Ok(key)
}

#[async_trait]
impl MailStore for DovecotStore {
    /// Port 0 for a service that was not started.
    fn endpoint(&self, service: &str) -> ImapEndpoint {
        let port = self.server(service).instance.ports().get(service).copied().unwrap_or(0);
        ImapEndpoint { host: "127.0.0.1".to_owned(), port, security: ImapSecurity::Plain }
    }

    async fn create(&self, service: &str, login: &Address, password: &str) -> io::Result<()> {
        self.users(service)?.create_user(&user(login)?, password)
    }

    async fn rename(&self, service: &str, from: &Address, to: &Address) -> io::Result<()> {
        self.users(service)?.rename(&user(from)?, &user(to)?)
    }

    async fn set_password(&self, service: &str, login: &Address, password: &str) -> io::Result<()> {
        self.users(service)?.set_password(&user(login)?, password)
    }

    async fn set_imap(&self, service: &str, login: &Address, enabled: bool) -> io::Result<()> {
        self.users(service)?.set_imap(&user(login)?, enabled)
    }

    async fn remove(&self, service: &str, login: &Address) -> io::Result<()> {
        self.users(service)?.remove(&user(login)?)
    }

    async fn usage(&self, service: &str, login: &Address) -> io::Result<u64> {
        let mut appender = self.open(service, login).await?;
        let octets = appender.octets().await?;
        appender.end().await?;
        Ok(octets)
    }
}
