//! Windows that an earlier run left in doubt, and targets that are not what they were.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    CopyError, flags,
    link::{Context, Link, envelope_of},
    locate::{Range, Wanted, locate},
    pairing::Pool,
    store::Fetched,
};
use crate::journal::ledger::{FolderId, FolderRow, Lease, MessageRow, MessageState, OpenWindow};

/// What an earlier run was doing in one folder when it ended.
pub(super) struct Doubt<'a> {
    pub(super) window: OpenWindow,
    pub(super) row: &'a FolderRow,
    /// The folder's name at the target; `None` when it is not there, or not the same folder any more.
    pub(super) target_name: Option<String>,
    /// The folder's name at the source; `None` when it is not there any more.
    pub(super) source_name: Option<String>,
    /// How many messages could not be read where those in doubt would be, at the last look.
    pub(super) unread: usize,
}

/// Finds out what became of every message in doubt. Gives those that stay in doubt, by folder: something is there that
/// cannot be read and may be one of them, so they are not sent again, and their window stays open.
///
/// The connections of the earlier run are dead, but what they had sent may land late. So what is missing at the first
/// look is looked for once more after the settling time, before anything is sent again.
pub(super) async fn settle(
    context: &Context<'_>,
    lease: Lease,
    source: &mut Link<'_>,
    target: &mut Link<'_>,
    mut doubts: Vec<Doubt<'_>>,
) -> Result<BTreeMap<FolderId, BTreeSet<u32>>, CopyError> {
    let mut open: BTreeMap<FolderId, BTreeSet<u32>> = BTreeMap::new();
    for look in 0..2 {
        doubts.retain(|d| !d.window.intents.is_empty());
        if look > 0 && doubts.iter().any(|d| d.target_name.is_some()) {
            context.pause(context.tuning.settle).await?;
        }
        for doubt in &mut doubts {
            look_once(context, lease, source, target, doubt).await?;
        }
    }
    for doubt in doubts.into_iter().filter(|d| !d.window.intents.is_empty()) {
        if doubt.unread > 0 {
            open.entry(doubt.row.id).or_default().extend(doubt.window.intents.iter().map(|m| m.uid));
            continue;
        }
        let plan = |row: MessageRow| MessageRow { state: MessageState::Planned, ..row };
        let rows: Vec<MessageRow> = doubt.window.intents.into_iter().map(plan).collect();
        let (folder, window) = ((doubt.row.id, doubt.window.source_validity), doubt.window.id);
        context.ledger(move |l| l.settle(lease, folder, Some(window), &rows)).await?;
    }
    Ok(open)
}

async fn look_once(
    context: &Context<'_>,
    lease: Lease,
    source: &mut Link<'_>,
    target: &mut Link<'_>,
    doubt: &mut Doubt<'_>,
) -> Result<(), CopyError> {
    let Some(name) = doubt.target_name.clone() else { return Ok(()) };
    let (id, validity, floor) = (doubt.row.id, doubt.window.target_validity, doubt.window.floor);
    let taken = context.ledger(move |l| l.owned(id, validity, floor)).await?;
    let range = Range { folder: &name, validity, floor, taken: &taken };
    let mut wanted: Vec<Wanted> = doubt
        .window
        .intents
        .iter()
        .filter_map(|m| Some(Wanted { uid: m.uid, digest: m.digest?, envelope: None }))
        .collect();
    let mut known = BTreeMap::new();
    let mut located = locate(target, &range, &wanted, &mut known).await?;
    doubt.unread = located.unread;
    if located.found.len() < wanted.len() && located.strangers > 0 {
        // Something is there that has none of the octets: the target may have changed them.
        wanted.retain(|w| !located.found.contains_key(&w.uid));
        add_envelopes(source, doubt, &mut wanted).await?;
        let found: BTreeSet<u32> = located.found.values().copied().collect();
        let taken = taken.union(&found).copied().collect();
        let altered = locate(target, &Range { taken: &taken, ..range }, &wanted, &mut known).await?;
        located.found.extend(altered.found);
    }
    if located.found.is_empty() {
        return Ok(());
    }
    let uids: BTreeSet<u32> = located.found.values().copied().collect();
    let metas = target.some(&name, &uids.into_iter().collect::<Vec<_>>()).await?;
    let there: BTreeMap<u32, &BTreeSet<String>> = metas.iter().map(|m| (m.uid, &m.flags)).collect();
    let mut rows = Vec::new();
    doubt.window.intents.retain(|intent| match located.found.get(&intent.uid) {
        Some(uid) => {
            let row = MessageRow { state: MessageState::Acked, target: Some((validity, *uid)), ..intent.clone() };
            rows.push(match there.get(uid) {
                Some(flags) => with_flags_there(row, flags),
                None => row,
            });
            false
        }
        None => true,
    });
    let (folder, window) = ((id, doubt.window.source_validity), doubt.window.id);
    context.ledger(move |l| l.settle(lease, folder, Some(window), &rows)).await
}

/// The row of a message that arrived without its star, as some targets take it in: the star is set by the run that comes
/// now, as flags are that changed at the source. Any other flag that is missing was taken away by the target's user.
fn with_flags_there(row: MessageRow, there: &BTreeSet<String>) -> MessageRow {
    let have = flags::comparable(there);
    let given = flags::comparable(&row.target_flags);
    if !given.difference(&have).eq(["\\flagged"]) {
        return row;
    }
    MessageRow { source_flags: flags::stored(there), target_flags: flags::stored(there), ..row }
}

/// Reads messages at the source again, for the header fields that a rewriting target keeps.
async fn add_envelopes(source: &mut Link<'_>, doubt: &Doubt<'_>, wanted: &mut [Wanted]) -> Result<(), CopyError> {
    let Some(name) = &doubt.source_name else { return Ok(()) };
    if source.refresh(name).await?.uid_validity != doubt.window.source_validity {
        return Ok(());
    }
    for one in wanted {
        if let Some((_, Fetched::Body(body))) = source.bodies_once(name, &[one.uid]).await?.got.first() {
            one.envelope = envelope_of(body);
        }
    }
    Ok(())
}

/// Finds delivered messages again in a folder whose UIDVALIDITY at the target changed while the rest of the mailbox
/// stayed. What is not found was deleted by its user and is not sent again; returns how many those are.
pub(super) async fn rematch(
    context: &Context<'_>,
    lease: Lease,
    target: &mut Link<'_>,
    row: &mut FolderRow,
    name: &str,
) -> Result<u64, CopyError> {
    let opened = target.refresh(name).await?;
    let metas = if opened.messages == 0 { Vec::new() } else { target.scan(name, 1, None).await? };
    let contents = target.contents(name, &metas).await?;
    let mut pool = Pool::new(contents.iter().map(|c| (c.uid, c.digest)));
    let read: BTreeSet<u32> = contents.iter().map(|c| c.uid).collect();
    // What cannot be read belongs to somebody: else an equal message of the source would be taken to be there already.
    let mut unread = metas.iter().map(|m| m.uid).filter(|uid| !read.contains(uid));
    let (id, validity) = (row.id, row.source_validity);
    let rows = context.ledger(move |l| l.messages(id, validity)).await?;
    let mut lost = 0;
    let mut out = Vec::new();
    for message in rows.into_values().filter(|m| m.state.is_delivered()) {
        let uid = message.digest.and_then(|d| pool.take(d)).or_else(|| unread.next());
        lost += u64::from(uid.is_none());
        out.push(MessageRow { target: uid.map(|uid| (opened.uid_validity, uid)), ..message });
    }
    context.ledger(move |l| l.settle(lease, (id, validity), None, &out)).await?;
    row.target_validity = opened.uid_validity;
    // What was in doubt may be among the rest.
    row.adopt_below = if opened.uid_next == 0 { u32::MAX } else { opened.uid_next };
    let saved = row.clone();
    context.ledger(move |l| l.save_folder(lease, &saved)).await?;
    Ok(lost)
}
