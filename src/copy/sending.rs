//! Sending one window: what arrived, what was refused, and what must be looked for.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ops::Range as Indices,
    time::Duration,
};

use super::{
    CopyError, flags,
    link::{Content, Link, envelope_of},
    locate::{Range, Wanted, locate},
    sticking::stick,
    store::{Answer, Appended, Meta, Outgoing, Refusal, StoreError, StoreErrorKind, Why, digest},
    window::halves,
};
use crate::imap::Quirk;

/// How often one message may break the connection, or be put off, before it is given up.
const STRIKES: u32 = 3;
/// The settling time is this many times shorter when the server itself closed the connection.
const CLOSED: u32 = 16;

/// A message on its way.
#[derive(Debug)]
pub(super) struct Parcel {
    /// UID at the source.
    pub(super) uid: u32,
    pub(super) out: Outgoing,
    /// What became of it; `None` while that is in doubt.
    pub(super) fate: Option<Fate>,
}

/// What became of a message that was to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The target has it, under this UID where that is known.
    Stored(Option<u32>),
    /// The target will not have it.
    Failed { class: &'static str, reason: String },
    /// It is proved not to be there, and is not sent in this pass.
    NotSent,
    /// It may be there: something that cannot be read is. It is neither sent again nor forgotten.
    InDoubt,
}

/// The folder at the target that messages are sent to.
pub(super) struct Place {
    pub(super) folder: String,
    pub(super) validity: u32,
    /// Nothing that is sent from here on gets a smaller UID.
    pub(super) floor: u32,
    /// UIDs from the floor on that belong to messages of the ledger.
    pub(super) taken: BTreeSet<u32>,
    /// The UIDs that the target tells after APPEND were wrong once: each window is looked for.
    pub(super) distrusted: bool,
    /// The target stores other octets than it is given.
    pub(super) alters: bool,
}

struct Group {
    range: Indices<usize>,
    tries: u32,
    how: How,
}

/// How a group goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// As many at once as the target takes.
    Together,
    /// Each message with an answer of its own, because together they failed for a reason that says nothing of any of them.
    Each,
    /// The same after what may be the fault of one message, of the connection, or of sending them together.
    Suspect,
}

/// Sends a window. On return every parcel has its fate, or the error says why the rest is in doubt.
pub(super) async fn send(target: &mut Link<'_>, place: &mut Place, parcels: &mut [Parcel]) -> Result<(), CopyError> {
    let mut known = BTreeMap::new();
    let mut queue = VecDeque::from([Group { range: 0..parcels.len(), tries: 0, how: How::Together }]);
    while let Some(group) = queue.pop_front() {
        let out = send_group(target, place, parcels, &mut known, group, &mut queue).await;
        if let Err(error) = out {
            // What still waits was never sent, or was looked for and not found.
            for group in queue {
                for parcel in parcels.get_mut(group.range).unwrap_or_default() {
                    parcel.fate.get_or_insert(Fate::NotSent);
                }
            }
            return Err(error);
        }
    }
    stick(target, &place.folder, parcels).await
}

async fn send_group(
    target: &mut Link<'_>,
    place: &mut Place,
    parcels: &mut [Parcel],
    known: &mut BTreeMap<u32, Content>,
    group: Group,
    queue: &mut VecDeque<Group>,
) -> Result<(), CopyError> {
    let open: Vec<usize> = group.range.clone().filter(|i| parcels.get(*i).is_some_and(|p| p.fate.is_none())).collect();
    let outgoing: Vec<Outgoing> = open.iter().filter_map(|i| parcels.get(*i)).map(|p| p.out.clone()).collect();
    if outgoing.is_empty() {
        return Ok(());
    }
    if let Err(error) = target.open(&place.folder).await {
        queue.push_front(group);
        return Err(error);
    }
    let Answer { results, error } =
        target.change().await?.append(&place.folder, &outgoing, group.how != How::Together).await;
    let mut doubt = Vec::new();
    let mut refused = Vec::new();
    let mut batch = None;
    let mut lost = None;
    let mut named = Vec::new();
    let mut waiting = Vec::new();
    for (i, result) in
        open.iter().copied().zip(results.into_iter().chain(std::iter::repeat(Appended::Unknown { closed: false })))
    {
        match result {
            Appended::Stored(Some((validity, uid))) if validity == place.validity => named.push((i, uid)),
            Appended::Stored(_) => set(parcels, i, Fate::Stored(None)),
            Appended::Refused(refusal) => refused.push((i, refusal)),
            Appended::BatchRefused(refusal) => {
                doubt.push(i);
                batch = Some(refusal);
            }
            Appended::NotSent => waiting.push(i),
            Appended::Unknown { closed } => {
                doubt.push(i);
                lost = Some(closed);
            }
        }
    }
    if error.is_some() {
        target.disconnect();
    }
    if let (Some(first), Some(last)) = (waiting.first(), waiting.last()) {
        let tries = if waiting.len() == open.len() { group.tries + 1 } else { 0 };
        queue.push_front(Group { range: *first..last + 1, tries, how: group.how });
        if let Some(error) = error.filter(|e| tries > 2 * STRIKES || e.kind != StoreErrorKind::Lost) {
            return Err(target.fail(&format!("appending to `{}`", place.folder), error));
        }
    }
    let believed = believe(target, place, parcels, known, &named).await?;
    for (i, uid) in &named {
        set(parcels, *i, Fate::Stored(believed.then_some(*uid)));
    }
    find_unnamed(target, place, parcels, known, &open).await?;
    if !doubt.is_empty() {
        look_for(target, place, parcels, known, &doubt, lost).await?;
    }
    let in_doubt = doubt.len();
    let left: Vec<usize> = doubt.into_iter().filter(|i| parcels.get(*i).is_some_and(|p| p.fate.is_none())).collect();
    let taken = in_doubt == 0 && refused.is_empty() && waiting.is_empty();
    let taken_singly = taken && group.how == How::Suspect && open.len() > 1;
    if taken_singly || (batch.is_some() && left.len() < in_doubt) {
        // What was refused or lost together is taken one by one, or was stored in part: RFC 3502 says all or nothing.
        target.learn(Quirk::MultiappendUnreliable);
    }
    refuse_all(target, place, parcels, refused, group.tries, queue).await?;
    let (Some(first), Some(last)) = (left.first(), left.last()) else { return Ok(()) };
    let group = Group { range: *first..last + 1, ..group };
    match batch {
        Some(Refusal { why: Why::Throttled(hint), text }) => {
            queue.push_front(group);
            target.throttled(hint, &text).await
        }
        Some(Refusal { why: Why::Later, .. }) if group.tries < STRIKES => {
            let tries = group.tries + 1;
            queue.push_front(Group { tries, ..group });
            target.context.pause(pause_after(target, tries)).await
        }
        // A refusal of many says nothing of any of them.
        Some(Refusal { why, .. }) => {
            let how = if why == Why::Rejected { How::Suspect } else { How::Each };
            queue.push_front(Group { how, ..group });
            Ok(())
        }
        None => divide(target, parcels, group, queue).await,
    }
}

fn set(parcels: &mut [Parcel], i: usize, fate: Fate) {
    if let Some(parcel) = parcels.get_mut(i) {
        parcel.fate = Some(fate);
    }
}

/// Tries again what is left of a group whose connection was lost: the same once more first, since most losses are no
/// message's fault, then one by one, and then in smaller parts.
async fn divide(
    target: &mut Link<'_>,
    parcels: &mut [Parcel],
    group: Group,
    queue: &mut VecDeque<Group>,
) -> Result<(), CopyError> {
    let tries = group.tries + 1;
    match halves(&group.range) {
        Some(_) if tries > 1 && group.how == How::Together => {
            queue.push_front(Group { tries: 1, how: How::Suspect, ..group });
        }
        Some([first, second]) if tries > 1 => {
            queue.push_front(Group { range: second, tries: 1, how: How::Each });
            queue.push_front(Group { range: first, tries: 1, how: How::Each });
        }
        None if tries > STRIKES => {
            let reason = "the connection was lost each time this message was sent".to_owned();
            set(parcels, group.range.start, Fate::Failed { class: "connection-lost", reason });
            return Ok(());
        }
        _ => queue.push_front(Group { tries, ..group }),
    }
    let first_pause = target.context.tuning.first_pause;
    target.context.pause(first_pause).await
}

/// The pause before something is tried again for the n-th time.
fn pause_after(target: &Link<'_>, tries: u32) -> Duration {
    target.context.tuning.first_pause.saturating_mul(4_u32.saturating_pow(tries))
}

/// Deals with messages that were refused one by one. Those that may be taken later wait together. When the copy stops over
/// one of them, none of them is in doubt.
async fn refuse_all(
    target: &mut Link<'_>,
    place: &Place,
    parcels: &mut [Parcel],
    refused: Vec<(usize, Refusal)>,
    tries: u32,
    queue: &mut VecDeque<Group>,
) -> Result<(), CopyError> {
    let all: Vec<usize> = refused.iter().map(|(i, _)| *i).collect();
    let waits = |refusal: &Refusal| match refusal.why {
        Why::Throttled(_) => true,
        Why::Later => tries < STRIKES,
        _ => false,
    };
    let (later, now): (Vec<_>, Vec<_>) = refused.into_iter().partition(|(_, refusal)| waits(refusal));
    let mut out = Ok(());
    for (i, refusal) in now.into_iter().rev() {
        out = out.and(refuse(target, place, parcels, i, refusal, queue));
    }
    if let (Ok(()), Some((first, refusal)), Some((last, _))) = (&out, later.first(), later.last()) {
        let group = |tries| Group { range: *first..last + 1, tries, how: How::Each };
        out = match refusal.why {
            Why::Throttled(hint) => {
                queue.push_front(group(tries));
                target.throttled(hint, &refusal.text).await
            }
            _ => {
                queue.push_front(group(tries + 1));
                target.context.pause(pause_after(target, tries + 1)).await
            }
        };
    }
    if out.is_err() {
        for i in all {
            if let Some(parcel) = parcels.get_mut(i) {
                parcel.fate.get_or_insert(Fate::NotSent);
            }
        }
    }
    out
}

/// Deals with the refusal of one message that is not put off.
fn refuse(
    target: &Link<'_>,
    place: &Place,
    parcels: &mut [Parcel],
    i: usize,
    refusal: Refusal,
    queue: &mut VecDeque<Group>,
) -> Result<(), CopyError> {
    match refusal.why {
        Why::Full => {
            set(parcels, i, Fate::NotSent);
            return Err(CopyError::TargetFull {
                account: target.context.account.clone(),
                folder: place.folder.clone(),
                text: refusal.text,
            });
        }
        Why::NoFolder => {
            set(parcels, i, Fate::NotSent);
            let error = StoreError { kind: StoreErrorKind::Refused(Why::NoFolder), source: refusal.text.into() };
            return Err(target.fail(&format!("appending to `{}`", place.folder), error));
        }
        Why::Rejected => {
            let Some(parcel) = parcels.get_mut(i) else { return Ok(()) };
            let system = flags::system_only(&parcel.out.flags);
            if system != parcel.out.flags {
                // Some servers refuse a whole message over a keyword they promised to take.
                parcel.out.flags = system;
                queue.push_front(Group { range: i..i + 1, tries: 0, how: How::Each });
                return Ok(());
            }
        }
        _ => {}
    }
    let class = match refusal.why {
        Why::TooLarge => "too-large",
        Why::Later | Why::Throttled(_) => "unavailable",
        _ => "rejected",
    };
    set(parcels, i, Fate::Failed { class, reason: refusal.text });
    Ok(())
}

/// Whether the UIDs that the target told are to be believed. None may lie below the floor or belong to another message;
/// and on a new connection one message is looked at: one that equals no other of the window, because beside an equal one
/// a name that is off by one looks right, and else the last.
async fn believe(
    target: &mut Link<'_>,
    place: &mut Place,
    parcels: &[Parcel],
    known: &mut BTreeMap<u32, Content>,
    named: &[(usize, u32)],
) -> Result<bool, CopyError> {
    let generation = target.generation;
    let mut taken = named_or_taken(place, parcels);
    if named.iter().any(|(_, uid)| *uid < place.floor.max(1) || !taken.insert(*uid)) {
        place.distrusted = true;
        target.proved = None;
        target.learn(Quirk::AppendUidUnreliable);
    }
    if place.distrusted || target.proved == Some(generation) {
        return Ok(!place.distrusted);
    }
    let content = |i: usize| parcels.get(i).map(|p| digest(&p.out.body));
    let alone = |i: usize| parcels.iter().filter(|p| Some(digest(&p.out.body)) == content(i)).count() == 1;
    let Some((i, uid)) = named.iter().find(|(i, _)| alone(*i)).or(named.last()) else { return Ok(true) };
    let (Some(sent), Some(parcel)) = (content(*i), parcels.get(*i)) else { return Ok(true) };
    let Outgoing { flags, date, body } = parcel.out.clone();
    let meta = Meta { uid: *uid, flags, date, size: body.len() };
    let mut there = target.contents(&place.folder, &[meta]).await?;
    if there.is_empty() {
        // Not every server shows at once what the same connection appended.
        target.refresh(&place.folder).await?;
        let metas = target.some(&place.folder, &[*uid]).await?;
        there = target.contents(&place.folder, &metas).await?;
    }
    if there.first().is_some_and(|c| c.digest == sent) {
        target.proved = Some(generation);
        return Ok(true);
    }
    let wanted: Vec<Wanted> = named.iter().filter_map(|(i, _)| wanted(parcels, *i)).collect();
    let located = locate(target, &range(place), &wanted, known).await?;
    if !there.is_empty() && located.found.len() == located.altered {
        // Nothing has the octets that were sent: the target changes what it is given, and its names may be right.
        place.alters = true;
        target.proved = Some(generation);
        return Ok(true);
    }
    place.distrusted = true;
    target.learn(Quirk::AppendUidUnreliable);
    Ok(false)
}

fn range(place: &Place) -> Range<'_> {
    Range { folder: &place.folder, validity: place.validity, floor: place.floor, taken: &place.taken }
}

fn wanted(parcels: &[Parcel], i: usize) -> Option<Wanted> {
    let parcel = parcels.get(i)?;
    Some(Wanted { uid: parcel.uid, digest: digest(&parcel.out.body), envelope: envelope_of(&parcel.out.body) })
}

/// Looks for messages that were stored without being named.
async fn find_unnamed(
    target: &mut Link<'_>,
    place: &mut Place,
    parcels: &mut [Parcel],
    known: &mut BTreeMap<u32, Content>,
    group: &[usize],
) -> Result<(), CopyError> {
    let unnamed = |i: &usize| parcels.get(*i).is_some_and(|p| p.fate == Some(Fate::Stored(None)));
    let unnamed: Vec<usize> = group.iter().copied().filter(unnamed).collect();
    if unnamed.is_empty() {
        return Ok(());
    }
    let wanted: Vec<Wanted> = unnamed.iter().filter_map(|i| wanted(parcels, *i)).collect();
    let taken = named_or_taken(place, parcels);
    let mut located = locate(target, &Range { taken: &taken, ..range(place) }, &wanted, known).await?;
    if located.found.len() < wanted.len() && located.strangers == 0 {
        // Some servers show a message a little after they said OK to it.
        target.context.pause(target.context.tuning.settle / CLOSED).await?;
        located = locate(target, &Range { taken: &taken, ..range(place) }, &wanted, known).await?;
    }
    place.alters |= located.altered > 0;
    for i in unnamed {
        let uid = parcels.get(i).and_then(|p| located.found.get(&p.uid)).copied();
        // A stranger may be the message in other words; where there is none, it is not there at all.
        let fate = if uid.is_none() && located.strangers == 0 { not_stored() } else { Fate::Stored(uid) };
        set(parcels, i, fate);
    }
    Ok(())
}

/// What becomes of a message that a server says OK to and does not keep, as Proton Bridge does with mail of one's own
/// for Sent, and Gmail with a second message that equals the first.
fn not_stored() -> Fate {
    let reason = "the target said that it stored this message, and does not have it".to_owned();
    Fate::Failed { class: "not-stored", reason }
}

/// Looks for messages whose append was not answered. After a lost connection one look is not enough: what was on its
/// way may land later, so what is missing is looked for again after the settling time.
async fn look_for(
    target: &mut Link<'_>,
    place: &mut Place,
    parcels: &mut [Parcel],
    known: &mut BTreeMap<u32, Content>,
    doubt: &[usize],
    lost: Option<bool>,
) -> Result<(), CopyError> {
    let settle = target.context.tuning.settle;
    let mut unread = 0;
    for look in 0..2 {
        let open = |i: &usize| parcels.get(*i).is_some_and(|p| p.fate.is_none());
        let open: Vec<usize> = doubt.iter().copied().filter(open).collect();
        match lost {
            _ if open.is_empty() => break,
            _ if look == 0 => {}
            None => break,
            // A server that said goodbye has dealt with what it had read by then, but for what its disk still does.
            Some(true) => target.context.pause(settle / CLOSED).await?,
            Some(false) => target.context.pause(settle).await?,
        }
        let wanted: Vec<Wanted> = open.iter().filter_map(|i| wanted(parcels, *i)).collect();
        let taken = named_or_taken(place, parcels);
        let located = locate(target, &Range { taken: &taken, ..range(place) }, &wanted, known).await?;
        place.alters |= located.altered > 0;
        unread = located.unread;
        for i in open {
            if let Some(uid) = parcels.get(i).and_then(|p| located.found.get(&p.uid)).copied() {
                set(parcels, i, Fate::Stored(Some(uid)));
            }
        }
    }
    if unread > 0 {
        for i in doubt {
            if let Some(parcel) = parcels.get_mut(*i) {
                parcel.fate.get_or_insert(Fate::InDoubt);
            }
        }
    }
    Ok(())
}

fn named_or_taken(place: &Place, parcels: &[Parcel]) -> BTreeSet<u32> {
    let named = parcels.iter().filter_map(|p| match &p.fate {
        Some(Fate::Stored(uid)) => *uid,
        _ => None,
    });
    place.taken.iter().copied().chain(named).collect()
}
