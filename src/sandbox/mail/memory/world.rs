//! What the server holds: services, mailboxes, folders, messages.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::{Behaviour, Fault};
use crate::{model::SpecialUse, sandbox::corpus::InternalDate, sandbox::mail::special_folders};

/// Everything behind all services.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) services: BTreeMap<String, Service>,
    /// How many folders were ever made; it makes UIDVALIDITY unique.
    folders: u32,
    mailboxes: u64,
}

/// One service with its own logins.
#[derive(Debug, Default)]
pub(super) struct Service {
    pub(super) behaviour: Behaviour,
    /// Which mailbox a login opens; logins are lower case.
    pub(super) logins: BTreeMap<String, u64>,
    pub(super) mailboxes: BTreeMap<u64, Mailbox>,
    pub(super) faults: Vec<Fault>,
}

/// One mailbox.
#[derive(Debug)]
pub(super) struct Mailbox {
    pub(super) password: String,
    /// Whether logins are allowed.
    pub(super) imap: bool,
    /// Goes up with every rename; sessions of an earlier epoch end.
    pub(super) epoch: u64,
    /// By full name in Unicode. The inbox is always there.
    pub(super) folders: BTreeMap<String, Folder>,
    pub(super) subscriptions: BTreeSet<String>,
}

/// One folder that can hold messages.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) uid_validity: u32,
    pub(super) uid_next: u32,
    /// Goes up with every change (RFC 7162 3.1).
    pub(super) modseq: u64,
    pub(super) special_use: Option<SpecialUse>,
    /// In the order of their UIDs.
    pub(super) messages: Vec<Stored>,
}

/// One message.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) uid: u32,
    pub(super) bytes: Bytes,
    pub(super) flags: BTreeSet<String>,
    pub(super) date: InternalDate,
    pub(super) modseq: u64,
}

impl World {
    pub(super) fn fresh_folder(&mut self, special_use: Option<SpecialUse>) -> Folder {
        self.folders += 1;
        let uid_validity = 1_700_000_000 + self.folders;
        Folder { uid_validity, uid_next: 1, modseq: 1, special_use, messages: Vec::new() }
    }

    /// A mailbox as the service makes it: the inbox and its folders for special use, all subscribed.
    pub(super) fn fresh_mailbox(&mut self, service: &str, password: &str) -> (u64, Mailbox) {
        self.mailboxes += 1;
        let prefix = self.services.get(service).map(|s| s.behaviour.prefix.clone()).unwrap_or_default();
        let mut folders = BTreeMap::from([("INBOX".to_owned(), self.fresh_folder(None))]);
        for (purpose, name) in special_folders(service) {
            folders.insert(format!("{prefix}{name}"), self.fresh_folder(Some(purpose)));
        }
        let subscriptions = folders.keys().cloned().collect();
        let mailbox = Mailbox { password: password.to_owned(), imap: true, epoch: 0, folders, subscriptions };
        (self.mailboxes, mailbox)
    }

    pub(super) fn mailbox(&mut self, service: &str, id: u64) -> Option<&mut Mailbox> {
        self.services.get_mut(service)?.mailboxes.get_mut(&id)
    }
}

impl Mailbox {
    /// Octets of all messages.
    pub(super) fn octets(&self) -> u64 {
        self.folders.values().map(Folder::octets).sum()
    }
}

impl Folder {
    pub(super) fn octets(&self) -> u64 {
        self.messages.iter().map(|m| m.bytes.len() as u64).sum()
    }

    /// Stores a message and gives its UID.
    pub(super) fn add(&mut self, bytes: Bytes, flags: BTreeSet<String>, date: InternalDate) -> u32 {
        let uid = self.uid_next;
        self.uid_next += 1;
        self.modseq += 1;
        self.messages.push(Stored { uid, bytes, flags, date, modseq: self.modseq });
        uid
    }

    pub(super) fn get(&self, uid: u32) -> Option<&Stored> {
        let at = self.messages.binary_search_by_key(&uid, |m| m.uid).ok()?;
        self.messages.get(at)
    }

    /// Sets the flags of a message; whether that changed anything.
    pub(super) fn set_flags(&mut self, uid: u32, flags: BTreeSet<String>) -> bool {
        let Ok(at) = self.messages.binary_search_by_key(&uid, |m| m.uid) else { return false };
        let Some(message) = self.messages.get_mut(at).filter(|m| m.flags != flags) else { return false };
        self.modseq += 1;
        message.flags = flags;
        message.modseq = self.modseq;
        true
    }

    /// Removes the messages of which `gone` is true and gives their UIDs.
    pub(super) fn remove(&mut self, gone: impl Fn(&Stored) -> bool) -> Vec<u32> {
        let uids: Vec<u32> = self.messages.iter().filter(|m| gone(m)).map(|m| m.uid).collect();
        if !uids.is_empty() {
            self.messages.retain(|m| uids.binary_search(&m.uid).is_err());
            self.modseq += 1;
        }
        uids
    }

    /// The keywords in use, without doubles.
    pub(super) fn keywords(&self) -> BTreeSet<&str> {
        self.messages.iter().flat_map(|m| &m.flags).map(String::as_str).filter(|f| !f.starts_with('\\')).collect()
    }
}
