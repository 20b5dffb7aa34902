//! What a run is given: the plan, the journal, and everything that can have an effect, each behind a trait.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use super::{
    gate::{Gatekeeper, NoGatekeeper},
    hook::{Hooks, NoHooks},
};
use crate::{
    diag::{Exit, Finding},
    journal::{FolderMark, Journal, JournalError, Lease},
    model::{
        Address, CopyReport, CutoverWork, DnsTopic, Domain, EventSink, FolderPath, FolderStatus, MailWork,
        PasswordSource, PlatformId, ProbeWork, Secret, Verified,
    },
    plan::Plan,
    provider::{ErrorClass, Provider, ZoneWriter},
};

/// Everything a run needs.
pub struct Context<'a> {
    /// What is done, to the letter.
    pub plan: &'a Plan,
    /// Where intents and outcomes are recorded.
    pub journal: &'a Journal,
    /// The right to record them. It is renewed while the run goes on.
    pub lease: &'a Lease,
    /// The platforms of the plan.
    pub platforms: &'a BTreeMap<PlatformId, Arc<dyn Provider>>,
    /// Copies and compares mail.
    pub mail: &'a dyn Mail,
    /// Gives passwords.
    pub passwords: &'a dyn Passwords,
    /// Checks DNS.
    pub dns: &'a dyn Dns,
    /// Is told what happens.
    pub events: &'a dyn EventSink,
    /// What the caller chose.
    pub options: Options,
}

/// What the caller of a run chooses.
#[derive(Clone, Debug)]
pub struct Options {
    /// What somebody has acknowledged: codes of guards, or ids of actions.
    pub acks: BTreeSet<String>,
    /// Ends at what has to be waited for, instead of waiting.
    pub no_wait: bool,
    /// How many copies and comparisons run at once; at least one does.
    pub parallel: usize,
    /// Goes on with a plan that has begun, and refuses one that has not.
    pub resume: bool,
    /// How many actions of the plan, counted from its start, may be begun; a swap that was begun is finished.
    pub until: Option<usize>,
    /// Cancelled by the first Ctrl-C: nothing new begins, what is in flight may end within [`grace`](Self::grace).
    pub cancel: CancellationToken,
    /// Cancelled by the second: everything stops where it is; the journal makes that safe.
    pub stop_now: CancellationToken,
    /// What the run ends with when it was told to stop: set by whoever cancels, before.
    pub stopped_by: Arc<OnceLock<Exit>>,
    /// How long what is in flight may take to end.
    pub grace: Duration,
    /// The pause between two looks at something that is waited for.
    pub poll: Duration,
    /// Says whether anything may begin now.
    pub gatekeeper: Arc<dyn Gatekeeper>,
    /// Calls the programs of the user.
    pub hooks: Arc<dyn Hooks>,
    /// Tells the time.
    pub clock: Clock,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            acks: BTreeSet::new(),
            no_wait: false,
            parallel: 4,
            resume: false,
            until: None,
            cancel: CancellationToken::new(),
            stop_now: CancellationToken::new(),
            stopped_by: Arc::default(),
            grace: Duration::from_secs(20),
            poll: Duration::from_secs(30),
            gatekeeper: Arc::new(NoGatekeeper),
            hooks: Arc::new(NoHooks),
            clock: Clock::default(),
        }
    }
}

/// Copies and compares mailboxes.
///
/// Each call may take hours. It must be safe to drop its future at any moment and to call it again: a copy goes on from
/// its own ledger. Work that keeps a processor busy belongs into tasks of the implementation; it should end early when
/// the run is cancelled, and any error it then returns is taken for the interruption.
#[async_trait]
pub trait Mail: Send + Sync {
    /// Copies what the target does not have yet.
    ///
    /// # Errors
    /// When the copy as a whole failed; messages that failed one by one are in the report.
    async fn copy(&self, work: &MailWork) -> Result<CopyReport, MailError>;

    /// Compares every message of both mailboxes.
    ///
    /// # Errors
    /// When they could not be compared.
    async fn verify(&self, work: &MailWork) -> Result<MailVerification, MailError>;

    /// The folders of the mailbox that an address of the spec comes from, as its server counts them now. Asked right
    /// before that mailbox is emptied.
    ///
    /// # Errors
    /// When it cannot be looked at.
    async fn source_now(&self, account: &Address) -> Result<BTreeMap<FolderPath, FolderStatus>, MailError>;
}

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailVerification {
    /// The proof, when the target holds everything it should.
    pub verified: Option<Verified>,
    /// What was found, folder by folder or message by message.
    pub findings: Vec<Finding>,
}

/// Why a mailbox could not be copied, compared or looked at.
#[derive(Debug, Error)]
#[error("{context}")]
pub struct MailError {
    /// What was being done with which mailbox.
    pub context: String,
    /// What kind of failure; [`ErrorClass::Denied`] for a refused login.
    pub class: ErrorClass,
    /// What to do.
    pub help: Option<String>,
    /// The server's or the network's words.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// Gives the passwords that accounts are to have.
#[async_trait]
pub trait Passwords: Send + Sync {
    /// Reads a password, or generates and delivers it. Asked *before* the account is made: a password that nobody
    /// received must never be set. The same answer comes again when it is asked again, also in a later run.
    ///
    /// # Errors
    /// When it cannot be read or delivered.
    async fn obtain(
        &self,
        source: &PasswordSource,
        platform: &PlatformId,
        address: &Address,
    ) -> Result<Secret, PasswordError>;
}

/// Why there is no password.
#[derive(Debug, Error)]
#[error("{context}")]
pub struct PasswordError {
    /// What was being done for which account. Never the password.
    pub context: String,
    /// What to do.
    pub help: Option<String>,
    /// The cause.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// Checks the mail DNS of a domain against what a platform expects.
#[async_trait]
pub trait Dns: Send + Sync {
    /// Every check has a finding, also those that went well; what could not be found out is
    /// [`Severity::Unknown`](crate::diag::Severity::Unknown).
    async fn check(&self, platform: &PlatformId, domain: &Domain, topics: &BTreeSet<DnsTopic>) -> Vec<Finding>;

    /// Who writes the zone of a domain; nobody unless the spec says so.
    fn writer(&self, _domain: &Domain) -> Option<&dyn ZoneWriter> {
        None
    }

    /// Who sends the test message of a move and looks for it.
    fn post(&self) -> Option<&dyn Post> {
        None
    }

    /// Whether what a move of an MX waits for is seen at every authoritative server, and at every resolver it names.
    async fn sight(&self, _work: &CutoverWork) -> CutoverSight {
        CutoverSight::Unknown("nobody looks at DNS in this run".to_owned())
    }
}

/// What one look at the MX of a domain that moves found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CutoverSight {
    /// Every server has it.
    There {
        /// For how many seconds it has to be so at least, where something else than the TTL asks for it.
        more: u32,
    },
    /// A server still has what was there before, which begins the wait anew.
    Behind(String),
    /// An MTA-STS policy keeps mail from the new servers, and senders may keep it for that long.
    Forbidden {
        /// Its life in seconds.
        max_age: u32,
        /// What it lacks.
        reason: String,
    },
    /// Some server did not answer, so nothing is known.
    Unknown(String),
    /// The records are neither those before nor those after the move.
    Changed(String),
}

/// Sends the test message of a move of an MX, and looks for it.
#[async_trait]
pub trait Post: Send + Sync {
    /// Where the folders stand in which it may arrive: the inbox, and that for junk.
    ///
    /// # Errors
    /// When the mailbox cannot be opened.
    async fn marks(&self, probe: &ProbeWork) -> Result<BTreeMap<String, FolderMark>, MailError>;

    /// Whether the new servers would take the message. Sends none.
    async fn knock(&self, work: &CutoverWork) -> Posted;

    /// Sends it to the first of the new servers that takes it. `begin` is called with the server's name before the first
    /// octet from which on it may be delivered, and not at all where it comes to nothing before.
    ///
    /// # Errors
    /// That of `begin`, after which nothing is sent.
    async fn hand_over(&self, work: &CutoverWork, token: &str, begin: &mut Begin<'_>) -> Result<Posted, JournalError>;

    /// The folder in which it has arrived, if it has.
    ///
    /// # Errors
    /// When the mailbox cannot be looked into.
    async fn arrived(
        &self,
        probe: &ProbeWork,
        marks: &BTreeMap<String, FolderMark>,
        token: &str,
    ) -> Result<Option<String>, MailError>;
}

/// Writes down that a message is about to be sent to the server of that name.
pub type Begin<'b> = dyn FnMut(&str) -> Result<(), JournalError> + Send + 'b;

/// What became of a test message, in words for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Posted {
    /// A server answers for it.
    Taken {
        /// Its words, and how the way to it was protected.
        words: String,
    },
    /// A server refuses it for good.
    Refused(String),
    /// A server asks to come again.
    Later(String),
    /// No server says anything of the message: it cannot be reached, or turns this machine away.
    Unknown(String),
    /// A server may have it.
    Unclear(String),
}

/// Tells the time. Waits are reckoned with it; tests and rehearsals bring their own.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// A clock of one's own.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl Default for Clock {
    /// That of this machine.
    fn default() -> Self {
        Self::new(Timestamp::now)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
