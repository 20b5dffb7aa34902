//! What is handed over when a migration ends: the record of a run, a page for each user, settings for mail programs.
//!
//! Mail programs must be set up again after a change of platform: those that know the old server keep asking it.

mod facts;
mod html;
mod markdown;
mod page;
mod settings;

use std::collections::BTreeMap;

use crate::{
    journal::{Entry, Progress, Run, ledger::Registered},
    model::{ActionId, Address, CopyCounts, FolderPath, ImapEndpoint, State},
    plan::Plan,
    provider::Submission,
};

pub use html::handover_html;
pub use markdown::handover_markdown;
pub use page::user_page;
pub use settings::{apple_profile, autoconfig};

/// Everything that the record of a run is made of: the journal and the ledger as they are now.
#[derive(Clone, Copy, Debug)]
pub struct Handover<'a> {
    /// What was applied.
    pub plan: &'a Plan,
    /// Its application.
    pub run: &'a Run,
    /// What happened, in order.
    pub entries: &'a [Entry],
    /// How far each action came.
    pub progress: &'a BTreeMap<ActionId, Progress>,
    /// What is known of mailboxes.
    pub state: &'a State,
    /// The sums of each folder's last complete pass.
    pub folders: &'a BTreeMap<Address, BTreeMap<FolderPath, CopyCounts>>,
    /// Messages that could not be copied.
    pub failures: &'a BTreeMap<Address, Vec<Registered>>,
    /// SHA-256 of the run's entries ([`Journal::digest`](crate::journal::Journal::digest)).
    pub digest: &'a str,
}

impl Handover<'_> {
    /// The accounts whose mail came to another mailbox, as far as there is one by now: those that need new settings.
    #[must_use]
    pub fn moved(&self) -> Vec<Address> {
        facts::facts(self).accounts.iter().filter(|a| a.has_new_mailbox()).map(|a| a.address.clone()).collect()
    }
}

/// What a mail program needs to know of a platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailServers {
    /// Where mail is read.
    pub imap: ImapEndpoint,
    /// Where mail is handed in; `None` where nobody but the operator knows.
    pub smtp: Option<Submission>,
}

/// One user of the new platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The address, which is also the login.
    pub address: Address,
    /// The name that recipients see.
    pub name: Option<String>,
    /// The servers.
    pub servers: MailServers,
}
