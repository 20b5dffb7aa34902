//! F2: the [`Provider`] trait, capabilities as data, and one adapter per platform.
//!
//! Reading and writing are two traits. Commands that promise to change nothing hold a [`Reader`] and cannot call
//! anything that mutates; only the executor opens a [`Provider`].

mod capability;
mod config;
mod imap_host;
mod ovh;
mod submission;
mod updates;
mod zone;

use std::{collections::BTreeSet, time::Duration};

use async_trait::async_trait;
use thiserror::Error;

pub use capability::{capabilities_of, supports};
pub use config::PlatformConfig;
pub use submission::{Submission, submission_of};
pub use zone::{Authorities, UpdateConfig, ZoneWriter, open_ovh_zone, open_updates};

use crate::model::{Address, Capabilities, Change, Domain, ImapEndpoint, PlatformKind, PlatformView, Secret};

/// What an observation should cover in detail. Everything is listed; only this is read field by field, because most
/// platforms answer one request per object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// The domains.
    pub domains: BTreeSet<Domain>,
    /// The accounts: those of the spec and their provisional names.
    pub accounts: BTreeSet<Address>,
    /// Whether redirections are of interest.
    pub redirections: bool,
    /// Whether groups are of interest.
    pub groups: bool,
    /// Whether external contacts are of interest.
    pub contacts: bool,
}

/// Looks at a platform. Sends nothing that changes anything.
#[async_trait]
pub trait Reader: Send + Sync {
    /// The kind.
    fn kind(&self) -> PlatformKind;

    /// What it can hold and do.
    fn capabilities(&self) -> Capabilities;

    /// Looks at everything in scope. What cannot be listed becomes a [`Gap`](crate::model::Gap).
    ///
    /// # Errors
    /// Only when the service itself cannot be read.
    async fn observe(&self, scope: &Scope) -> Result<PlatformView, ProviderError>;

    /// Where the platform's mailboxes are opened over IMAP.
    ///
    /// # Errors
    /// When the platform does not tell.
    async fn imap_endpoint(&self) -> Result<ImapEndpoint, ProviderError>;

    /// Whether a change is already made, by reading the platform alone.
    ///
    /// # Errors
    /// When the platform cannot be read; the change is then in doubt.
    async fn probe(&self, change: &Change) -> Result<Probe, ProviderError>;

    /// Whether a domain takes accounts by now, and for what it waits otherwise.
    ///
    /// # Errors
    /// When the platform cannot be read.
    async fn domain_ready(&self, domain: &Domain) -> Result<DomainReady, ProviderError>;
}

/// Changes a platform.
#[async_trait]
pub trait Provider: Reader {
    /// Makes one change and waits until it has taken effect. The password is there exactly when
    /// [`Change::password`] is.
    ///
    /// # Errors
    /// [`ProviderError::class`] tells how far the damage reaches and whether the change may have been made.
    async fn perform(&self, change: &Change, password: Option<&Secret>) -> Result<(), ProviderError>;
}

/// The answer to "has this been done?".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// It has not.
    NotDone,
    /// It has.
    Done,
    /// Neither the state before nor the state after is there.
    Unclear(String),
}

/// The answer to "does this domain take accounts?".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DomainReady {
    /// It does.
    Ready,
    /// Not yet; the text says what it waits for, such as the record to publish.
    Waiting(String),
    /// It will not by waiting.
    Failed(String),
}

/// How a call to a platform failed.
#[derive(Debug, Error)]
#[error("{context}")]
pub struct ProviderError {
    /// What was being done, on what object of what platform.
    pub context: String,
    /// How far the damage reaches.
    pub class: ErrorClass,
    /// What to do.
    pub help: Option<String>,
    /// The platform's answer or the network's failure.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// Classes of failures, by what the caller may do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrorClass {
    /// The platform refused this change; it was not made.
    Refused,
    /// The object is not there.
    NotFound,
    /// Something else has the address or holds the object.
    Conflict,
    /// Credentials or rights.
    Denied,
    /// Too many requests, even after waiting.
    Throttled,
    /// The platform could not be reached or answered nonsense before anything was sent, or to a read.
    Unreachable,
    /// The connection failed after a mutating request was sent: the change may have been made.
    InDoubt,
    /// It is not what it was when the plan was made; nothing was changed.
    Stale,
    /// It takes longer than was waited.
    Timeout,
    /// The adapter cannot do this on its platform.
    Unsupported,
}

/// How long an adapter waits for tasks of a platform, and how often it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// The longest wait for one task.
    pub longest: Duration,
    /// The first pause between looks; it grows to ten times this.
    pub first_pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { longest: Duration::from_secs(900), first_pause: Duration::from_secs(1) }
    }
}

/// Opens a platform for reading alone. Sends nothing yet.
///
/// # Errors
/// When credentials, service or endpoint are missing or make no sense.
pub fn open_reader(config: &PlatformConfig) -> Result<Box<dyn Reader>, ProviderError> {
    match config.kind {
        PlatformKind::Imap => Ok(Box::new(imap_host::ImapHost::new(config))),
        _ => ovh::open_reader(config),
    }
}

/// Opens a platform for changes. Sends nothing yet.
///
/// # Errors
/// When credentials, service or endpoint are missing or make no sense.
pub fn open(config: &PlatformConfig) -> Result<Box<dyn Provider>, ProviderError> {
    match config.kind {
        PlatformKind::Imap => Ok(Box::new(imap_host::ImapHost::new(config))),
        _ => ovh::open(config),
    }
}
