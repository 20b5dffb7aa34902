//! The IMAP side: in memory, or two private Dovecots.

mod appender;
pub mod dovecot;
pub mod memory;
mod names;

pub use dovecot::DovecotStore;
pub use memory::{MemoryStore, StoredMessage};

use crate::model::SpecialUse;

/// The folders that a new mailbox of a service has besides the inbox.
///
/// Half of the services use other names than the other half, so that a copy has to map by purpose, not by name.
#[must_use]
pub fn special_folders(service: &str) -> [(SpecialUse, &'static str); 5] {
    if second_group(service) {
        [
            (SpecialUse::Archive, "Archive"),
            (SpecialUse::Drafts, "Drafts"),
            (SpecialUse::Junk, "Junk Email"),
            (SpecialUse::Sent, "Sent Items"),
            (SpecialUse::Trash, "Deleted Items"),
        ]
    } else {
        [
            (SpecialUse::Archive, "Archive"),
            (SpecialUse::Drafts, "Drafts"),
            (SpecialUse::Junk, "Junk"),
            (SpecialUse::Sent, "Sent"),
            (SpecialUse::Trash, "Trash"),
        ]
    }
}

/// Whether a service belongs to the second of two groups: between the groups, servers and folder names differ.
#[must_use]
pub fn second_group(service: &str) -> bool {
    matches!(service, "exchange2" | "emailpro" | "zimbra")
}

/// The attribute of a purpose in LIST (RFC 6154 2).
#[must_use]
pub fn attribute(special_use: SpecialUse) -> &'static str {
    match special_use {
        SpecialUse::All => "\\All",
        SpecialUse::Archive => "\\Archive",
        SpecialUse::Drafts => "\\Drafts",
        SpecialUse::Flagged => "\\Flagged",
        SpecialUse::Junk => "\\Junk",
        SpecialUse::Sent => "\\Sent",
        SpecialUse::Trash => "\\Trash",
    }
}

/// The purpose of an attribute in LIST, compared without case.
#[must_use]
pub fn special_use(attribute_text: &str) -> Option<SpecialUse> {
    [
        SpecialUse::All,
        SpecialUse::Archive,
        SpecialUse::Drafts,
        SpecialUse::Flagged,
        SpecialUse::Junk,
        SpecialUse::Sent,
        SpecialUse::Trash,
    ]
    .into_iter()
    .find(|u| attribute(*u).eq_ignore_ascii_case(attribute_text))
}
