//! F4: a whole mail world in one process for rehearsal and tests: OVHcloud API, IMAP, DNS.
//!
//! | module | emulates |
//! |---|---|
//! | [`api`] | OVHcloud's control planes: accounts, tasks, zones, faults |
//! | [`mail`] | their mailboxes over IMAP, filled from [`corpus`] |
//! | [`dns`] | the name servers of the domains |
//! | [`smtp`] | the mail servers that deliver into the mailboxes |
//!
//! [`Sandbox::start`] puts them together: a rename in the API renames the mailbox, a refresh of a zone changes what DNS
//! answers. Everything listens on loopback and comes from one seed.

pub mod api;
pub mod corpus;
pub mod counters;
pub mod dns;
mod links;
pub mod mail;
mod outside;
mod ready;
pub mod residents;
pub mod smtp;
pub mod store;

use std::{io, sync::Arc, time::Duration};

use api::{Api, Links};
use corpus::{Corpus, Person};
use counters::Counters;
use dns::{DnsServer, Zones};
use links::{Mailboxes, Published};
use mail::MemoryStore;
use residents::Resident;
use smtp::{Delivery, SmtpServer};
use store::MailStore;

pub use ready::{Ready, ReadyAccount, ReadyImap};
pub use residents::World;

/// What keeps the mailboxes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ImapBackend {
    /// An IMAP server in this process. It needs nothing installed and can be told to fail.
    #[default]
    Memory,
    /// Two private Dovecots, which must be installed. What clients send them is not counted.
    Dovecot,
}

/// What a sandbox is made of.
#[derive(Clone, Debug)]
pub struct Options {
    /// Fixes all content: names, ids, keys, passwords, mail.
    pub seed: u64,
    /// Who lives in it.
    pub world: World,
    /// What keeps the mailboxes.
    pub imap: ImapBackend,
    /// The port of the API; 0 takes any free one.
    pub api_port: u16,
    /// From the acceptance of a change by the API to its effect.
    pub task_delay: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 1,
            world: World::Demo { messages: 60 },
            imap: ImapBackend::Memory,
            api_port: 0,
            task_delay: Duration::from_millis(200),
        }
    }
}

/// The services that can have an address of their own domain.
const SERVICES: [&str; 5] =
    [residents::EXCHANGE, residents::EXCHANGE_2, residents::EMAIL_PRO, residents::MX_PLAN, residents::ZIMBRA];

/// A running sandbox. It ends when it is dropped.
pub struct Sandbox {
    api: Api,
    zones: Zones,
    dns: DnsServer,
    smtp: SmtpServer,
    mailboxes: Arc<Mailboxes>,
    residents: Vec<Resident>,
    options: Options,
}

impl Sandbox {
    /// Furnishes the world, fills the mailboxes and accepts connections.
    ///
    /// # Errors
    /// When a port cannot be had, or a server cannot be started; the text for a missing Dovecot says how to get it.
    pub async fn start(options: Options) -> io::Result<Self> {
        let counters = Counters::new();
        let mailboxes = Arc::new(Mailboxes::start(options.imap, counters.clone()).await?);
        let host = mailboxes.endpoint(residents::EXCHANGE).host;
        let (world, residents) = residents::furnish(options.seed, options.world, &host).map_err(io::Error::other)?;
        let zones = Zones::new();
        outside::furnish(&zones, options.seed).map_err(io::Error::other)?;
        let dns = DnsServer::start(zones.clone(), counters.clone()).await?;
        fill(&mailboxes, &residents, options.seed).await?;
        let smtp = SmtpServer::start(Arc::clone(&mailboxes) as Arc<dyn Delivery>, &SERVICES, counters.clone()).await?;
        let links = Links {
            mail: Arc::clone(&mailboxes) as Arc<dyn MailStore>,
            dns: Arc::new(Published::new(zones.clone())),
            counters,
            task_delay: options.task_delay,
        };
        let api = Api::start(world, links, options.api_port).await?;
        Ok(Self { api, zones, dns, smtp, mailboxes, residents, options })
    }

    /// The API: its world, faults and counters.
    #[must_use]
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// The zones that the sandbox's DNS answers from.
    #[must_use]
    pub fn zones(&self) -> &Zones {
        &self.zones
    }

    /// The mail servers, to tell them for which domains they take mail, and to make them fail.
    #[must_use]
    pub fn smtp(&self) -> &SmtpServer {
        &self.smtp
    }

    /// The mailboxes, by the names of services on the platform.
    #[must_use]
    pub fn mail(&self) -> &dyn MailStore {
        self.mailboxes.as_ref()
    }

    /// The IMAP servers in memory, by the short names of [`residents::mail_name`], to make them fail or to look behind
    /// them; `None` with another backend.
    #[must_use]
    pub fn memory(&self) -> Option<&Arc<MemoryStore>> {
        match self.mailboxes.as_ref() {
            Mailboxes::Memory(store) => Some(store),
            Mailboxes::Dovecot { .. } => None,
        }
    }

    /// The people it began with.
    #[must_use]
    pub fn residents(&self) -> &[Resident] {
        &self.residents
    }

    /// What a client needs to use it; see [`Ready`].
    #[must_use]
    pub fn ready(&self) -> Ready {
        Ready::of(self)
    }

    /// Ends it: connections are closed, mail and state are forgotten.
    pub fn stop(self) {
        self.api.stop();
    }
}

/// Makes everybody's mailbox and puts their mail into it.
async fn fill(mailboxes: &Mailboxes, residents: &[Resident], seed: u64) -> io::Result<()> {
    let corpus = Corpus::new(seed);
    for resident in residents {
        mailboxes.create(&resident.service, &resident.address, &resident.password).await?;
        let person = Person { address: resident.address.clone(), name: resident.name.clone() };
        let mail = corpus.mailbox(&person, resident.messages);
        mailboxes.deliver(&resident.service, &resident.address, &mail).await?;
    }
    Ok(())
}
