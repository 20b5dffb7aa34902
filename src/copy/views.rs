//! Folders that only show what other folders hold. Pure.
//!
//! `\Flagged` shows flagged messages, and `\All` every message (RFC 6154 2). Copied as ordinary folders they would
//! double the mailbox. Gmail's `\All` is the one place of messages that no label shows: of it exactly those are copied.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    mapping::included,
    store::{Listed, Listing},
};
use crate::model::{FolderPath, MailFilter, SpecialUse};

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

/// A folder that shows messages which others may show too.
pub(super) struct Shown {
    pub(super) path: FolderPath,
    /// The numbers of its messages, the same in every folder, by UID.
    pub(super) ids: BTreeMap<u32, u64>,
    /// Its messages that were copied from it before.
    pub(super) delivered: BTreeSet<u32>,
}

/// The folders that show a message which is copied once, first those that are preferred: the inbox, what was sent,
/// drafts, then the others by name, and `\All` last. What is in the trash or in junk is shown nowhere else.
#[must_use]
pub fn preferred<'l>(listing: &'l Listing, filter: &MailFilter) -> Vec<&'l Listed> {
    if !listing.labels || filter.gmail_labels.is_each() {
        return Vec::new();
    }
    let alone = |f: &Listed| matches!(f.special_use, Some(SpecialUse::Trash | SpecialUse::Junk));
    let taken = |f: &&Listed| f.selectable && included(filter, &f.path) && !alone(f);
    let mut out: Vec<&Listed> = listing.folders.iter().filter(taken).collect();
    let rank = |f: &Listed| match f.special_use {
        _ if f.path.is_inbox() => 0,
        Some(SpecialUse::Sent) => 1,
        Some(SpecialUse::Drafts) => 2,
        Some(SpecialUse::All) => 4,
        _ => 3,
    };
    out.sort_by_key(|f| (rank(f), &f.path));
    out
}

/// The messages of each folder that are copied from another one, where each message is copied once. One that was copied
/// before stays where it is.
pub(super) fn once(folders: &[Shown]) -> BTreeMap<FolderPath, BTreeSet<u32>> {
    let mut owners: BTreeMap<u64, usize> = BTreeMap::new();
    for (n, folder) in folders.iter().enumerate() {
        for id in folder.delivered.iter().filter_map(|uid| folder.ids.get(uid)) {
            owners.entry(*id).or_insert(n);
        }
    }
    let mut out = BTreeMap::new();
    for (n, folder) in folders.iter().enumerate() {
        let other = |(uid, id): (&u32, &u64)| (*owners.entry(*id).or_insert(n) != n).then_some(*uid);
        let uids: BTreeSet<u32> = folder.ids.iter().filter_map(other).collect();
        out.insert(folder.path.clone(), uids.difference(&folder.delivered).copied().collect());
    }
    out
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
    use crate::model::GmailLabels;

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
    fn a_message_is_copied_once_from_the_first_folder_that_shows_it() {
        let filter = MailFilter { gmail_labels: GmailLabels::Once, ..MailFilter::default() };
        assert!(preferred(&listing(false), &filter).is_empty());
        assert!(preferred(&listing(true), &MailFilter::default()).is_empty());
        let (kept, _) = set_aside(listing(true), &filter);
        let order: Vec<&str> = preferred(&kept, &filter).iter().map(|f| f.name.as_str()).collect();
        assert_eq!(order, ["INBOX", "[Gmail]/Sent Mail", "Work", "[Gmail]/All Mail"]);
        let shown = |name: &str, ids: &[(u32, u64)], delivered: &[u32]| Shown {
            path: FolderPath(vec![name.to_owned()]),
            ids: ids.iter().copied().collect(),
            delivered: delivered.iter().copied().collect(),
        };
        let all = [
            shown("a", &[(1, 70), (2, 71)], &[]),
            shown("b", &[(5, 71), (6, 72)], &[5, 6]),
            shown("c", &[(9, 72), (8, 73)], &[]),
        ];
        let uids: Vec<BTreeSet<u32>> = once(&all).into_values().collect();
        assert_eq!(uids, [BTreeSet::from([2]), BTreeSet::new(), BTreeSet::from([9])], "what was copied stays there");
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
