//! What becomes of a message that was read: adopted, refused at once, or sent.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    flags,
    link::envelope_of,
    pairing::Pool,
    placeholder::is_placeholder,
    reading::Read,
    sending::{Fate, Parcel},
    store::{Fetched, Meta, Outgoing, digest},
    weak::{Decided, Weak},
};
use crate::{
    journal::ledger::{MessageRow, MessageState},
    model::Digest,
};

/// Decides for one folder.
#[derive(Default)]
pub(super) struct Sorter {
    /// UIDVALIDITY of the target folder.
    pub(super) validity: u32,
    /// The flags the target stores.
    pub(super) permanent: Option<std::sync::Arc<BTreeSet<String>>>,
    /// The largest message the target takes.
    pub(super) limit: Option<u64>,
    /// The target offers BINARY (RFC 3516).
    pub(super) takes_nul: bool,
    /// What was at the target before, and may be taken for what is to be sent.
    pub(super) pool: Pool,
    /// What of it may be there in other words; `None` where octets alone count.
    pub(super) weak: Option<Weak>,
    /// Flags of the messages in the pool.
    pub(super) there: BTreeMap<u32, BTreeSet<String>>,
    /// What was delivered when the source folder had another UIDVALIDITY.
    pub(super) earlier: BTreeMap<Digest, Vec<MessageRow>>,
    /// Keywords that the target does not keep, and on how many messages.
    pub(super) dropped: BTreeMap<String, u64>,
}

/// A window, sorted.
#[derive(Default)]
pub(super) struct Sorted {
    /// What is over.
    pub(super) outcomes: Vec<MessageRow>,
    /// What is to be sent: rows and messages, in the same order.
    pub(super) intents: Vec<MessageRow>,
    pub(super) parcels: Vec<Parcel>,
}

impl Sorter {
    pub(super) fn sort(&mut self, batch: Vec<Read>) -> Sorted {
        let mut out = Sorted::default();
        for read in batch {
            match self.one(read) {
                None => {}
                Some((row, None)) => out.outcomes.push(row),
                Some((row, Some(parcel))) => {
                    out.intents.push(row);
                    out.parcels.push(parcel);
                }
            }
        }
        out
    }

    /// What becomes of one message; `None` when that is decided after all others.
    fn one(&mut self, read: Read) -> Option<(MessageRow, Option<Parcel>)> {
        let meta = read.meta;
        let filtered = flags::filter(&meta.flags, self.permanent.as_deref());
        let row = MessageRow { target_flags: filtered.kept.clone(), ..row_of(&meta) };
        let failed = |row: MessageRow, class: &str, reason: String| {
            Some((MessageRow { class: Some(class.to_owned()), reason: Some(reason), ..row }, None))
        };
        let body = match read.got {
            Fetched::Gone => return Some((MessageRow { state: MessageState::Gone, ..row }, None)),
            Fetched::Unreadable(reason) => return failed(row, "unreadable", reason),
            Fetched::Body(body) => body,
        };
        if body.bytes().is_some_and(|bytes| is_placeholder(bytes)) {
            let reason = "the server has put a text of its own in its place, because it cannot convert the message";
            return failed(row, "placeholder", reason.to_owned());
        }
        let content = digest(&body);
        let row = MessageRow { digest: Some(content), octets: body.len(), ..row };
        if let Some(before) = self.earlier.get_mut(&content).and_then(Vec::pop) {
            let known =
                MessageRow { state: before.state, target: before.target, target_flags: before.target_flags, ..row };
            return Some((known, None));
        }
        if let Some(uid) = self.pool.take(content) {
            return Some((self.adopted(row, uid), None));
        }
        let (row, meta) = match self.weak.as_mut() {
            Some(weak) => weak.keep(envelope_of(&body), row, meta)?,
            None => (row, meta),
        };
        if let Some(limit) = self.limit.filter(|limit| body.len() > *limit) {
            let reason = format!("it has {} octets, and the target takes at most {limit}", body.len());
            return failed(row, "too-large", reason);
        }
        if body.has_nul() && !self.takes_nul {
            let reason = "it holds a NUL octet, which this target does not take (it has no BINARY, RFC 3516)";
            return failed(row, "nul-octet", reason.to_owned());
        }
        for flag in filtered.dropped {
            *self.dropped.entry(flag).or_default() += 1;
        }
        let out = Outgoing { flags: filtered.kept, date: meta.date, body };
        Some((row, Some(Parcel { uid: meta.uid, out, fate: None })))
    }

    /// Decides over what was kept back, when all of the folder was compared. Gives what is over, and what is to be read
    /// again and sent.
    pub(super) fn decide(&mut self) -> (Vec<MessageRow>, Vec<Meta>) {
        let Some(weak) = self.weak.take() else { return (Vec::new(), Vec::new()) };
        let Decided { same, rest } = weak.decide(&self.pool.rest().into_keys().collect());
        let known = |(row, uid)| MessageRow { class: Some(MessageRow::WEAK.to_owned()), ..self.adopted(row, uid) };
        (same.into_iter().map(known).collect(), rest)
    }

    fn adopted(&self, row: MessageRow, uid: u32) -> MessageRow {
        MessageRow {
            state: MessageState::Adopted,
            target: Some((self.validity, uid)),
            target_flags: self.there.get(&uid).cloned().unwrap_or_default(),
            class: None,
            reason: None,
            ..row
        }
    }
}

/// The row of a message that nothing has become of yet; it counts as failed until something has.
pub(super) fn row_of(meta: &Meta) -> MessageRow {
    MessageRow {
        uid: meta.uid,
        state: MessageState::Failed,
        digest: None,
        octets: 0,
        announced: meta.size,
        date: meta.seconds(),
        source_flags: flags::stored(&meta.flags),
        target_flags: BTreeSet::new(),
        target: None,
        class: None,
        reason: None,
    }
}

/// The row under which a message that stays in doubt is counted. It is never written down: the open window is.
pub(super) fn in_doubt(row: MessageRow) -> MessageRow {
    let reason = "it may be at the target, where something cannot be read; it is not sent again before that is known";
    MessageRow {
        state: MessageState::Failed,
        class: Some("in-doubt".to_owned()),
        reason: Some(reason.to_owned()),
        ..row
    }
}

/// What became of messages that were sent, and how many octets of them arrived. A message without a fate is in doubt:
/// it has no outcome, and its window stays open for the next run.
pub(super) fn outcomes(validity: u32, intents: Vec<MessageRow>, parcels: &[Parcel]) -> (Vec<MessageRow>, u64) {
    let mut octets = 0;
    let mut out = Vec::with_capacity(intents.len());
    for (row, parcel) in intents.into_iter().zip(parcels) {
        let row = MessageRow { target_flags: parcel.out.flags.clone(), ..row };
        match &parcel.fate {
            None | Some(Fate::InDoubt) => {}
            Some(Fate::Stored(uid)) => {
                octets += row.octets;
                let target = uid.map(|uid| (validity, uid));
                out.push(MessageRow { state: MessageState::Acked, target, ..row });
            }
            Some(Fate::Failed { class, reason }) => out.push(MessageRow {
                state: MessageState::Failed,
                class: Some((*class).to_owned()),
                reason: Some(reason.clone()),
                ..row
            }),
            Some(Fate::NotSent) => out.push(MessageRow { state: MessageState::Planned, ..row }),
        }
    }
    (out, octets)
}

/// A row that says another message had this UID: the source has broken the promise of UIDVALIDITY, or is not the
/// mailbox it was. Nothing is guessed then.
pub(super) fn reused(row: &MessageRow, meta: &Meta) -> Option<MessageRow> {
    let now = meta.seconds();
    (row.date.is_some() && now.is_some() && row.date != now).then(|| MessageRow {
        state: MessageState::Failed,
        class: Some("uid-reused".to_owned()),
        reason: Some(
            "the source now has another message under a UID that was copied before; check that the source is still \
             the same mailbox"
                .to_owned(),
        ),
        ..row.clone()
    })
}
