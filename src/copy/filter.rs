//! Which messages of a folder a pass takes: the filter, what a person decided, and what is known to fail again.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use super::{CopyError, delivery::Sent, engine::Shared, link::Context, store::Meta, tally::FolderTally};
use crate::{
    journal::ledger::{Decision, Failure, FolderRow, MessageRow, MessageState, Registered},
    model::{CopyCounts, Event, FailedMessage, FolderPath, IGNORED, MailFilter},
};

/// Failures that the same target repeats for the same message. Any other kind is tried again by every pass.
const LASTING: [&str; 3] = ["too-large", "rejected", "nul-octet"];

/// Whether a message that failed in this way would fail again, so that it is held until somebody says otherwise.
#[must_use]
pub fn lasting_failure(class: &str) -> bool {
    LASTING.contains(&class)
}

/// What a pass knows that decides which messages it takes.
#[derive(Debug, Default)]
pub(super) struct Choice {
    filter: MailFilter,
    /// What failed before, by folder, UIDVALIDITY and UID.
    failures: BTreeMap<FolderPath, BTreeMap<(u32, u32), Registered>>,
    /// The largest message that the target takes, once it was asked.
    limit: Mutex<Option<u64>>,
}

/// What becomes of a message that the target was never given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Chosen {
    /// It is copied.
    Take,
    /// It is left out; the text says why, and is what it is counted under.
    LeaveOut(String),
    /// It failed before and would fail again.
    Hold,
}

/// Decides. Pure: the same filter, message and history give the same answer in every run.
///
/// A person's word counts first, then the filter. A message that failed in a lasting way is held until somebody says
/// `retry`, or until the target takes messages of another size than it did then.
pub(super) fn choose(
    filter: &MailFilter,
    meta: &Meta,
    known: Option<&MessageRow>,
    failure: Option<&Registered>,
    limit: Option<u64>,
) -> Chosen {
    if let Some(Decision::Ignore(reason)) = failure.and_then(|f| f.decision.as_ref()) {
        return Chosen::LeaveOut(format!("{IGNORED}{reason}"));
    }
    if let Some(reason) = filter.leaves_out(meta.seconds(), meta.size) {
        return Chosen::LeaveOut(reason.to_string());
    }
    let failed = known.is_some_and(|row| row.state == MessageState::Failed);
    let lasts = failure.is_some_and(|f| {
        let same = f.failure.append_limit == limit || f.failure.class == "nul-octet";
        f.decision.is_none() && lasting_failure(&f.failure.class) && same
    });
    if failed && lasts { Chosen::Hold } else { Chosen::Take }
}

impl Choice {
    /// What is known when a pass begins. `replaced`: the target is another mailbox than the one that refused messages.
    pub(super) async fn load(
        context: &Context<'_>,
        platform: &crate::model::PlatformId,
        filter: &MailFilter,
    ) -> Result<Self, CopyError> {
        let (account, platform) = (context.account.clone(), platform.clone());
        let rows = context.ledger(move |l| l.failures_of(&account, &platform)).await?;
        let mut failures: BTreeMap<FolderPath, BTreeMap<(u32, u32), Registered>> = BTreeMap::new();
        for row in rows {
            let key = (row.failure.uid_validity, row.failure.uid);
            failures.entry(row.folder.clone()).or_default().insert(key, row);
        }
        Ok(Self { filter: filter.clone(), failures, limit: Mutex::default() })
    }

    /// The largest message that the target takes, as far as it was asked.
    fn limit(&self) -> Option<u64> {
        *self.limit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes down what the target says of its largest message.
    pub(super) fn set_limit(&self, limit: Option<u64>) {
        *self.limit.lock().unwrap_or_else(PoisonError::into_inner) = limit;
    }

    /// Whether what an earlier pass left out of a folder is still left out.
    pub(super) fn still_leaves_out(&self, counts: &CopyCounts) -> bool {
        self.filter.still_leaves_out(&counts.excluded)
    }

    /// The messages of a folder that a person told to leave out.
    pub(super) fn ignored(&self, folder: &FolderPath, validity: u32) -> Vec<u32> {
        let all = self.failures.get(folder).into_iter().flatten();
        let ignored = all.filter(|((v, _), f)| *v == validity && matches!(f.decision, Some(Decision::Ignore(_))));
        ignored.map(|((_, uid), _)| *uid).collect()
    }

    /// Forgets what another target refused. What a person decided stays.
    pub(super) fn forget_refusals(&mut self) {
        for failures in self.failures.values_mut() {
            failures.retain(|_, f| f.decision.is_some());
        }
    }

    /// Whether the target has to be asked for its limit before messages of the folder can be chosen.
    pub(super) fn needs_limit(&self, folder: &FolderPath) -> bool {
        let failures = self.failures.get(folder);
        failures.is_some_and(|all| all.values().any(|f| lasting_failure(&f.failure.class)))
    }

    /// The outcome of a message that is not taken; `None` takes it.
    pub(super) fn of(
        &self,
        folder: &FolderPath,
        validity: u32,
        meta: &Meta,
        known: Option<&MessageRow>,
    ) -> Option<MessageRow> {
        let failure = self.failures.get(folder).and_then(|all| all.get(&(validity, meta.uid)));
        match choose(&self.filter, meta, known, failure, self.limit()) {
            Chosen::Take => None,
            Chosen::Hold => known.cloned(),
            Chosen::LeaveOut(reason) => Some(MessageRow {
                state: MessageState::Excluded,
                announced: meta.size,
                date: meta.seconds(),
                class: Some(reason),
                reason: None,
                target: None,
                ..known.cloned().unwrap_or_else(|| blank(meta))
            }),
        }
    }
}

fn blank(meta: &Meta) -> MessageRow {
    MessageRow {
        uid: meta.uid,
        state: MessageState::Planned,
        digest: None,
        octets: 0,
        announced: meta.size,
        date: meta.seconds(),
        source_flags: BTreeSet::new(),
        target_flags: BTreeSet::new(),
        target: None,
        class: None,
        reason: None,
    }
}

/// Whether a message that is not tried stays in the registry: held, or ignored by a person.
pub(super) fn is_kept(row: &MessageRow) -> bool {
    let ignored = row.class.as_ref().is_some_and(|class| class.starts_with(IGNORED));
    row.state == MessageState::Failed || ignored
}

/// Puts the failures of a folder into the registry. `kept` were not tried in this pass.
pub(super) async fn register(
    shared: &Shared<'_>,
    row: &FolderRow,
    failed: &[FailedMessage],
    kept: &BTreeSet<u32>,
) -> Result<(), CopyError> {
    let tried: Vec<&FailedMessage> = failed.iter().filter(|f| !kept.contains(&f.uid)).collect();
    if tried.is_empty() && !shared.choice.failures.contains_key(&row.path) {
        return Ok(());
    }
    let (id, validity, limit) = (row.id, row.source_validity, shared.choice.limit());
    let uids: BTreeSet<u32> = tried.iter().map(|f| f.uid).collect();
    let rows = shared.context.ledger(move |l| l.messages_at(id, validity, &uids)).await?;
    let failure = |f: &&FailedMessage| {
        let known = rows.get(&f.uid);
        Failure {
            uid_validity: validity,
            uid: f.uid,
            class: f.class.clone(),
            reason: f.reason.clone(),
            octets: known.map_or(0, |r| if r.octets > 0 { r.octets } else { r.announced }),
            date: known.and_then(|r| r.date),
            append_limit: limit,
        }
    };
    let tried: Vec<Failure> = tried.iter().map(failure).collect();
    let kept = kept.iter().map(|uid| (validity, *uid)).collect();
    let (lease, folder) = (shared.lease, row.path.clone());
    shared.context.ledger(move |l| l.register(lease, &folder, &tried, &kept)).await
}

/// Brings the two halves of a folder together: its sums, and what failed in it.
pub(super) async fn close(shared: &Shared<'_>, sent: &mut Sent, read: FolderTally) -> Result<CopyCounts, CopyError> {
    let tally = std::mem::take(&mut sent.tally);
    let mut counts = read.counts;
    counts.add(&tally.counts);
    let failed: Vec<FailedMessage> = read.failed.into_iter().chain(tally.failed).collect();
    if !failed.is_empty() {
        // The registry takes their sizes and dates from the ledger.
        sent.flush(shared).await?;
    }
    register(shared, &sent.row, &failed, &read.kept).await?;
    shared.tally().failed.extend(failed);
    Ok(counts)
}

/// Tells what a folder came to, and which of its messages failed.
pub(super) fn tell(shared: &Shared<'_>, path: &FolderPath, counts: &CopyCounts) {
    let (account, folder) = (shared.context.account, path.to_string());
    let failed: Vec<FailedMessage> = shared.tally().failed.iter().filter(|f| f.folder == *path).cloned().collect();
    shared.context.events.emit(Event::FolderDone { account: account.clone(), folder, counts: counts.clone() });
    for message in failed {
        shared.context.events.emit(Event::MessageFailed { account: account.clone(), message });
    }
}

/// The words under which a message is left out that is not at the target, as the comparison of mailboxes needs them:
/// by a person's decision that the ledger has, or by the filter. What was delivered is compared.
pub(super) fn left_out(
    filter: &MailFilter,
    known: Option<&MessageRow>,
    date: Option<i64>,
    octets: u64,
) -> Option<String> {
    if known.is_some_and(|row| row.state.is_delivered()) {
        return None;
    }
    let ignored = known.filter(|row| row.state == MessageState::Excluded).and_then(|row| row.class.clone());
    let size = known.map(|row| row.announced).filter(|n| *n > 0).unwrap_or(octets);
    ignored.filter(|class| class.starts_with(IGNORED)).or_else(|| filter.leaves_out(date, size).map(|r| r.to_string()))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::imap::InternalDate;

    fn meta(size: u64) -> Meta {
        Meta { uid: 4, flags: BTreeSet::new(), date: Some(InternalDate::parse(" 1-Jun-2020 12:00:00 +0000")), size }
    }

    fn failed(class: &str, decision: Option<Decision>) -> (MessageRow, Registered) {
        let failure = Failure {
            uid_validity: 1,
            uid: 4,
            class: class.to_owned(),
            reason: "no".to_owned(),
            octets: 10,
            date: None,
            append_limit: Some(8),
        };
        let (first, last) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
        let row = MessageRow { state: MessageState::Failed, class: Some(class.to_owned()), ..blank(&meta(10)) };
        (row, Registered { folder: FolderPath::inbox(), failure, first, last, attempts: 1, decision })
    }

    fn chosen(class: &str, decision: Option<Decision>, limit: Option<u64>) -> Chosen {
        let (row, failure) = failed(class, decision);
        choose(&MailFilter::default(), &meta(10), Some(&row), Some(&failure), limit)
    }

    #[test]
    fn what_fails_for_good_is_held_and_what_may_pass_is_tried() {
        for class in LASTING {
            assert_eq!(chosen(class, None, Some(8)), Chosen::Hold, "{class}");
            assert_eq!(chosen(class, Some(Decision::Retry), Some(8)), Chosen::Take, "{class}");
        }
        for class in ["unavailable", "connection-lost", "unreadable", "folder-refused", "uid-reused"] {
            assert_eq!(chosen(class, None, Some(8)), Chosen::Take, "{class}");
        }
    }

    #[test]
    fn another_limit_is_another_chance_except_for_what_imap_cannot_carry() {
        assert_eq!(chosen("too-large", None, Some(20)), Chosen::Take);
        assert_eq!(chosen("rejected", None, None), Chosen::Take);
        assert_eq!(chosen("nul-octet", None, None), Chosen::Hold);
    }

    #[test]
    fn a_person_counts_before_the_filter_and_the_filter_before_history() {
        let ignore = Decision::Ignore("a virus".to_owned());
        assert_eq!(chosen("rejected", Some(ignore), Some(8)), Chosen::LeaveOut("ignored: a virus".to_owned()));
        let filter = MailFilter { max_size: Some(9), ..MailFilter::default() };
        let (row, failure) = failed("too-large", None);
        let out = choose(&filter, &meta(10), Some(&row), Some(&failure), Some(8));
        assert_eq!(out, Chosen::LeaveOut("larger than 9 octets".to_owned()));
        assert_eq!(choose(&filter, &meta(9), None, None, None), Chosen::Take);
    }

    #[test]
    fn a_failure_that_the_ledger_has_forgotten_is_tried_again() {
        let (row, failure) = failed("rejected", None);
        let planned = MessageRow { state: MessageState::Planned, ..row };
        let choice = |known| choose(&MailFilter::default(), &meta(10), known, Some(&failure), Some(8));
        assert_eq!(choice(Some(&planned)), Chosen::Take);
        assert_eq!(choice(None), Chosen::Take);
    }
}
