//! What the target will not take: messages over its size limit, mailboxes over its quota, folders that would become one.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{
    diag::{plural, size},
    model::{FolderPath, LargeMessage, MailFilter, MailboxView, NoteKind},
};

use super::{
    decide::Case,
    draft::{Block, Draft},
    mail::Need,
    world::World,
};

/// How many messages are named; the rest is counted.
const NAMED: usize = 5;

/// Tells what will not arrive although the copy is planned.
pub(super) fn tell(world: &World<'_>, case: &Case<'_>, draft: &mut Draft) {
    let Some(source) = case.source.as_ref().filter(|_| case.need == Need::Copy) else { return };
    let Some(from) = world.open_mailbox(source.platform, &source.now) else { return };
    let Some(to) = world.open_mailbox(case.target, case.working_name()) else { return };
    let title = world.title(case.target);
    if let Some(limit) = to.append_limit
        && let Some((message, all)) = too_large(&from.too_large, &case.account.mail.filter, limit, &title)
    {
        let help = "they will be counted as failed: save them by hand, or leave them out with `mail: { filter: { \
                    max_size: ... } }`";
        let told = (case.address.key(), message);
        draft.listing(NoteKind::Unsupported, "message-too-large", told, Some(help.to_owned()), all);
    }
    let copied = world.state.mailboxes.get(case.address).is_some_and(|m| m.passes > 0);
    if let Some(message) = over_quota(from, to, &case.account.mail.filter, copied, &title) {
        let help = "the copy will stop when the target is full: raise its quota, or leave mail out with `mail: { \
                    filter: ... }`";
        draft.note(NoteKind::Unsupported, "target-quota", case.address.key(), message, Some(help.to_owned()));
    }
}

/// The messages that a target does not take: in a sentence, and each of them.
fn too_large(all: &[LargeMessage], filter: &MailFilter, limit: u64, title: &str) -> Option<(String, Vec<String>)> {
    let mut victims: Vec<&LargeMessage> = all
        .iter()
        .filter(|m| m.octets > limit && filter.takes(&m.folder) && filter.leaves_out(m.date, m.octets).is_none())
        .collect();
    victims.sort_by_key(|m| (std::cmp::Reverse(m.octets), &m.folder, m.uid));
    if victims.is_empty() {
        return None;
    }
    let named = |m: &&LargeMessage| {
        let day = m.date.and_then(|s| Timestamp::from_second(s).ok()).map(|t| t.strftime(" of %Y-%m-%d").to_string());
        format!("`{}` UID {}{} ({})", m.folder, m.uid, day.unwrap_or_default(), size(m.octets))
    };
    let all: Vec<String> = victims.iter().map(named).collect();
    let mut list: Vec<String> = all.iter().take(NAMED).cloned().collect();
    if victims.len() > NAMED {
        list.push(format!("and {} more", victims.len() - NAMED));
    }
    let are = if victims.len() == 1 { "is" } else { "are" };
    let message = format!(
        "{} {are} larger than the {} that {title} takes: {}",
        plural(victims.len(), "message"),
        size(limit),
        list.join(", ")
    );
    Some((message, all))
}

/// Before the first pass all of it has to fit beside what is there; later a part of what is there is it.
fn over_quota(from: &MailboxView, to: &MailboxView, filter: &MailFilter, copied: bool, title: &str) -> Option<String> {
    let limit = to.quota_octets?;
    let taken = from.folders.iter().filter(|(path, f)| f.status.is_some() && filter.takes(path));
    let folders: Option<u64> = taken.map(|(_, f)| f.status.and_then(|s| s.octets)).sum();
    // What a filter by date or size takes is not known here, so nothing is claimed.
    let by_message = filter.since.or(filter.until).is_some() || filter.max_size.or(filter.min_size).is_some();
    let whole = filter.include.is_empty() && filter.exclude.is_empty();
    let needed = folders.or(from.used_octets.filter(|_| whole)).filter(|_| !by_message)?;
    let used = if copied { 0 } else { to.used_octets.unwrap_or(0) };
    (needed > limit.saturating_sub(used)).then(|| {
        let there = if used > 0 { format!(", of which {} are in use", size(used)) } else { String::new() };
        format!("{} have to be copied and {title} holds {} for this mailbox{there}", size(needed), size(limit))
    })
}

/// Folders of the source that a new name would make one with another.
pub(super) fn collision(world: &World<'_>, case: &Case<'_>) -> Option<Block> {
    let source = case.source.as_ref()?;
    let filter = &case.account.mail.filter;
    let view = world.open_mailbox(source.platform, &source.now).filter(|_| !filter.rename.is_empty())?;
    let (first, second, place) = collide(view, filter)?;
    Some(Block::own(
        "rename-collision",
        format!("`{first}` and `{second}` would both become `{place}` at the target"),
        "give one of them another name under `mail: { filter: { rename: ... } }`, or leave it out: two folders never \
         become one",
    ))
}

fn collide(view: &MailboxView, filter: &MailFilter) -> Option<(FolderPath, FolderPath, FolderPath)> {
    let mut taken: BTreeMap<FolderPath, (&FolderPath, bool)> = BTreeMap::new();
    for path in view.folders.iter().filter(|(p, f)| f.selectable && filter.takes(p)).map(|(p, _)| p) {
        let (place, renamed) = goes_to(view, filter, path);
        let place = if place.is_inbox() { FolderPath::inbox() } else { place };
        match taken.get(&place) {
            Some((other, before)) if renamed || *before => return Some(((*other).clone(), path.clone(), place)),
            _ => drop(taken.insert(place, (path, renamed))),
        }
    }
    None
}

/// The path that a folder has at the target without its prefix, as far as names decide it, and whether it is a new one.
fn goes_to(view: &MailboxView, filter: &MailFilter, path: &FolderPath) -> (FolderPath, bool) {
    for n in (1..=path.0.len()).rev() {
        let above = FolderPath(path.0.iter().take(n).cloned().collect());
        if let Some(mut new) = filter.renamed(&above) {
            new.extend(path.0.iter().skip(n).cloned());
            return (FolderPath(new), true);
        }
    }
    let prefix = view.delimiter.map_or(0, |d| view.prefix.split(d).filter(|part| !part.is_empty()).count());
    let rest: Vec<String> = path.0.iter().skip(if path.0.len() > prefix { prefix } else { 0 }).cloned().collect();
    (FolderPath(rest), false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FolderStatus, FolderView, LoginView};

    fn path(text: &str) -> FolderPath {
        FolderPath(text.split('/').map(str::to_owned).collect())
    }

    fn mailbox(folders: &[(&str, u64)]) -> MailboxView {
        let mut view = MailboxView { delimiter: Some('/'), ..MailboxView::unseen(LoginView::Accepted) };
        for (name, octets) in folders {
            let status = FolderStatus { messages: 1, octets: Some(*octets), ..FolderStatus::default() };
            let folder = FolderView {
                wire_name: (*name).to_owned(),
                special_use: None,
                subscribed: true,
                selectable: true,
                status: Some(status),
            };
            view.folders.insert(path(name), folder);
        }
        view
    }

    fn renames(pairs: &[(&str, &str)]) -> MailFilter {
        let rename = pairs.iter().map(|(old, new)| ((*old).to_owned(), (*new).to_owned())).collect();
        MailFilter { rename, ..MailFilter::default() }
    }

    #[test]
    fn a_new_name_must_be_free_for_the_folder_and_what_lies_below() {
        let view = mailbox(&[("INBOX", 1), ("Archive/2019", 1), ("Old", 1), ("Old/2019", 1), ("Sent", 1)]);
        let told = |pairs| collide(&view, &renames(pairs)).map(|(a, b, c)| format!("{a} {b} {c}"));
        assert_eq!(told(&[("Old", "Archive")]).as_deref(), Some("Archive/2019 Old/2019 Archive/2019"));
        assert_eq!(told(&[("Old", "inbox")]).as_deref(), Some("INBOX Old INBOX"));
        assert_eq!(told(&[("Old", "inbox"), ("INBOX", "Old inbox")]), None);
        assert_eq!(told(&[("Old", "Sent"), ("Sent", "Old")]), None, "an exchange is no collision");
        assert_eq!(told(&[("Old", "Archive/Old")]), None);
    }

    #[test]
    fn the_largest_victims_are_named_and_the_rest_is_counted() {
        let large = |uid: u32| LargeMessage {
            folder: path("INBOX"),
            uid,
            octets: u64::from(uid) << 20,
            date: Some(1_577_836_800),
        };
        let all: Vec<LargeMessage> = (1..=9).map(large).collect();
        let (message, details) = too_large(&all, &MailFilter::default(), 2 << 20, "it").unwrap();
        assert_eq!(details.len(), 7, "machines are told all of them");
        insta::assert_snapshot!(
            message,
            @"7 messages are larger than the 2.0 MiB that it takes: `INBOX` UID 9 of 2020-01-01 (9.0 MiB), `INBOX` UID 8 of 2020-01-01 (8.0 MiB), `INBOX` UID 7 of 2020-01-01 (7.0 MiB), `INBOX` UID 6 of 2020-01-01 (6.0 MiB), `INBOX` UID 5 of 2020-01-01 (5.0 MiB), and 2 more"
        );
        let filter = MailFilter { max_size: Some(2 << 20), ..MailFilter::default() };
        assert_eq!(too_large(&all, &filter, 2 << 20, "it"), None, "what is left out is no victim");
    }

    #[test]
    fn what_is_there_counts_before_the_first_pass_and_not_after() {
        let from = mailbox(&[("INBOX", 60), ("Trash", 50)]);
        let to = MailboxView { quota_octets: Some(120), used_octets: Some(20), ..mailbox(&[]) };
        let told = |filter: &MailFilter, copied| over_quota(&from, &to, filter, copied, "it").is_some();
        assert!(told(&MailFilter::default(), false));
        assert!(!told(&MailFilter::default(), true));
        assert!(!told(&MailFilter { exclude: vec!["Trash".to_owned()], ..MailFilter::default() }, false));
    }
}
