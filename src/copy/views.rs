//! Folders that only show what other folders hold. Pure.
//!
//! `\Flagged` shows flagged messages, and `\All` every message (RFC 6154 2). Copied as ordinary folders they would
//! double the mailbox. Gmail's `\All` is the one place of messages that no label shows: of it exactly those are copied.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    mapping::included,
    store::{Listed, Listing},
};
use crate::model::{MailFilter, SpecialUse};

/// The reason by which messages of such folders are counted as left out.
pub const VIEW: &str = "shown from another folder";

/// Takes out of a listing what is a view and was not asked for by name.
#[must_use]
pub fn set_aside(listing: Listing, filter: &MailFilter) -> (Listing, Vec<Listed>) {
    let view = |folder: &Listed| match folder.special_use {
        Some(SpecialUse::Flagged) => !named(filter, folder),
        Some(SpecialUse::All) => !listing.labels && !named(filter, folder),
        _ => false,
    };
    let (views, folders) = listing.folders.into_iter().partition(view);
    (Listing { folders, ..listing }, views)
}

fn named(filter: &MailFilter, folder: &Listed) -> bool {
    !filter.include.is_empty() && included(filter, &folder.path)
}

/// Whether labels decide which messages of a folder are copied.
#[must_use]
pub fn by_labels(listing: &Listing, filter: &MailFilter, folder: &Listed) -> bool {
    listing.labels && folder.special_use == Some(SpecialUse::All) && !named(filter, folder)
}

/// The messages of Gmail's `\All` that a folder which is copied shows too.
#[must_use]
pub fn elsewhere(listing: &Listing, filter: &MailFilter, labels: &BTreeMap<u32, BTreeSet<String>>) -> BTreeSet<u32> {
    let shown =
        |label: &String| listing.folders.iter().any(|f| f.selectable && included(filter, &f.path) && shows(f, label));
    labels.iter().filter(|(_, labels)| labels.iter().any(shown)).map(|(uid, _)| *uid).collect()
}

fn shows(folder: &Listed, label: &str) -> bool {
    match label.to_ascii_lowercase().as_str() {
        "\\inbox" => folder.path.is_inbox(),
        "\\sent" => folder.special_use == Some(SpecialUse::Sent),
        "\\draft" | "\\drafts" => folder.special_use == Some(SpecialUse::Drafts),
        _ => folder.name == label,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FolderPath;

    fn folder(name: &str, special_use: Option<SpecialUse>) -> Listed {
        Listed {
            name: name.to_owned(),
            path: FolderPath(name.split('/').map(str::to_owned).collect()),
            selectable: true,
            subscribed: false,
            special_use,
            status: None,
        }
    }

    fn listing(labels: bool) -> Listing {
        let folders = vec![
            folder("INBOX", None),
            folder("Work", None),
            folder("[Gmail]/All Mail", Some(SpecialUse::All)),
            folder("[Gmail]/Starred", Some(SpecialUse::Flagged)),
            folder("[Gmail]/Sent Mail", Some(SpecialUse::Sent)),
        ];
        Listing { delimiter: Some('/'), labels, folders, ..Listing::default() }
    }

    fn names(folders: &[Listed]) -> Vec<&str> {
        folders.iter().map(|f| f.name.as_str()).collect()
    }

    #[test]
    fn views_are_set_aside_unless_they_are_named() {
        let (kept, views) = set_aside(listing(false), &MailFilter::default());
        assert_eq!(names(&views), ["[Gmail]/All Mail", "[Gmail]/Starred"]);
        assert_eq!(kept.folders.len(), 3);
        let (_, views) = set_aside(listing(true), &MailFilter::default());
        assert_eq!(names(&views), ["[Gmail]/Starred"], "what no label shows is only in All Mail");
        let filter = MailFilter { include: vec!["[Gmail]/Starred".to_owned()], ..MailFilter::default() };
        assert_eq!(names(&set_aside(listing(true), &filter).1), [""; 0]);
    }

    #[test]
    fn a_message_is_elsewhere_when_a_folder_that_is_copied_shows_it() {
        let labels =
            [(1, vec!["\\Inbox"]), (2, vec!["\\Starred", "\\Important"]), (3, vec!["Work"]), (4, vec!["Gone"])];
        let labels = labels.map(|(uid, l)| (uid, l.into_iter().map(str::to_owned).collect())).into();
        let all = elsewhere(&listing(true), &MailFilter::default(), &labels);
        assert_eq!(all, BTreeSet::from([1, 3]));
        let filter = MailFilter { exclude: vec!["Work".to_owned()], ..MailFilter::default() };
        assert_eq!(elsewhere(&listing(true), &filter, &labels), BTreeSet::from([1]), "left out there, so kept here");
    }
}
