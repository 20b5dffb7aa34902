//! Messages that the target will not take for their size. Looked for only where a limit is known and a folder may hold
//! such.

use crate::{
    imap::{Connector, ImapError, UidRange, WireName},
    model::{FolderPath, LargeMessage, MailFilter, MailboxView},
};

/// No more messages of one folder are asked for their size and date.
const MOST: usize = 1000;

/// The folders of a mailbox that may hold a message above a limit: where the server tells the size of a folder, only
/// those that are larger than the limit as a whole.
pub(super) fn suspects<'v>(view: &'v MailboxView, filter: &MailFilter, limit: u64) -> Vec<(&'v FolderPath, &'v str)> {
    if view.used_octets.is_some_and(|used| used <= limit) {
        return Vec::new();
    }
    let may = |status: &crate::model::FolderStatus| status.messages > 0 && status.octets.is_none_or(|n| n > limit);
    let folders = view.folders.iter().filter(|(path, f)| f.selectable && filter.takes(path));
    folders.filter(|(_, f)| f.status.as_ref().is_some_and(may)).map(|(path, f)| (path, f.wire_name.as_str())).collect()
}

/// Looks through folders for messages above a limit that the filter takes.
pub(super) async fn find(
    connector: &Connector,
    folders: &[(&FolderPath, &str)],
    filter: &MailFilter,
    limit: u64,
) -> Result<Vec<LargeMessage>, ImapError> {
    let mut reader = connector.connect().await?;
    let mut out = Vec::new();
    for (path, name) in folders {
        if reader.examine(&WireName::encode(name)).await?.exists == 0 {
            continue;
        }
        // A number of SEARCH cannot have more than 32 bits everywhere (RFC 9051 9).
        let large = if limit < u64::from(u32::MAX) { reader.search_larger(limit).await? } else { continue };
        for uid in large.into_iter().take(MOST) {
            let metas = reader.fetch_meta(UidRange::new(uid, uid)).await?;
            let Some(meta) = metas.into_iter().find(|m| m.uid == uid) else { continue };
            let octets = meta.size.unwrap_or_default();
            let date = meta.internal_date.and_then(|d| d.instant()).map(|t| t.as_second());
            if octets > limit && filter.leaves_out(date, octets).is_none() {
                out.push(LargeMessage { folder: (*path).clone(), uid: meta.uid, octets, date });
            }
        }
    }
    reader.logout().await;
    out.sort();
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FolderStatus, FolderView, LoginView};

    #[test]
    fn only_folders_that_may_hold_such_a_message_are_looked_through() {
        let mut view = MailboxView::unseen(LoginView::Accepted);
        for (name, messages, octets) in [
            ("Small", 5, Some(100)),
            ("Large", 5, Some(101)),
            ("Untold", 5, None),
            ("Empty", 0, None),
            ("Out", 5, None),
        ] {
            let status = FolderStatus { messages, octets, ..FolderStatus::default() };
            let folder = FolderView {
                wire_name: name.to_owned(),
                special_use: None,
                subscribed: false,
                selectable: true,
                status: Some(status),
            };
            view.folders.insert(FolderPath(vec![name.to_owned()]), folder);
        }
        let filter = MailFilter { exclude: vec!["Out".to_owned()], ..MailFilter::default() };
        let names: Vec<&str> = suspects(&view, &filter, 100).into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["Large", "Untold"]);
    }
}
