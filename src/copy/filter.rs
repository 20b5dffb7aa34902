//! Which messages of a folder a pass takes: the filter, what a person decided, and what is known to fail again.

use std::collections::{BTreeMap, BTreeSet};

use super::{CopyError, folder::FolderPass, link::Context, store::Meta};
use crate::{
    journal::ledger::{Decision, Failure, Lease, MessageRow, MessageState, Registered},
    model::{FolderPath, IGNORED, MailFilter},
};

/// Failures that the same target repeats for the same message. Any other kind is tried again by every pass.
const LASTING: [&str; 3] = ["too-large", "rejected", "nul-octet"];

/// Whether a message that failed in this way would fail again, so that it is held until somebody says otherwise.
#[must_use]
pub fn lasting_failure(class: &str) -> bool {
    LASTING.contains(&class)
}

/// What a pass knows that decides which messages it takes.
#[derive(Clone, Debug, Default)]
pub(super) struct Choice {
    filter: MailFilter,
    /// What failed before, by folder, UIDVALIDITY and UID.
    failures: BTreeMap<FolderPath, BTreeMap<(u32, u32), Registered>>,
    /// The largest message that the target takes, once it was asked.
    pub(super) limit: Option<u64>,
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
        Ok(Self { filter: filter.clone(), failures, limit: None })
    }

    /// Forgets what another target refused. What a person decided stays.
    pub(super) fn forget_refusals(&mut self) {
        for failures in self.failures.values_mut() {
            failures.retain(|_, f| f.decision.is_some());
        }
    }

    /// Whether the target has to be asked for its limit before messages of the folder can be chosen.
    fn needs_limit(&self, folder: &FolderPath) -> bool {
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
        match choose(&self.filter, meta, known, failure, self.limit) {
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

/// Sorts out what is not copied: gives its outcomes, by UID, and puts down those that are news.
pub(super) async fn sort_out(
    pass: &mut FolderPass<'_, '_>,
    metas: &[Meta],
    rows: &BTreeMap<u32, MessageRow>,
) -> Result<BTreeMap<u32, MessageRow>, CopyError> {
    if pass.tally.choice.needs_limit(&pass.row.path) {
        pass.tally.choice.limit = pass.target.change().await?.append_limit();
    }
    let validity = pass.row.source_validity;
    let mut out = BTreeMap::new();
    for meta in metas {
        let known = rows.get(&meta.uid);
        if known.is_some_and(|row| row.state.is_delivered()) {
            continue;
        }
        if let Some(row) = pass.tally.choice.of(&pass.row.path, validity, meta, known) {
            out.insert(meta.uid, row);
        }
    }
    let news: Vec<MessageRow> =
        out.iter().filter(|(uid, row)| rows.get(uid) != Some(row)).map(|(_, r)| r.clone()).collect();
    if !news.is_empty() {
        let (lease, folder) = (pass.lease, (pass.row.id, validity));
        pass.context.ledger(move |l| l.settle(lease, folder, None, &news)).await?;
    }
    Ok(out)
}

/// Puts the failures of a folder into the registry. `kept` were not tried in this pass.
pub(super) async fn register(
    context: &Context<'_>,
    lease: Lease,
    choice: &Choice,
    (folder, validity): (&FolderPath, u32),
    fates: impl Iterator<Item = &MessageRow>,
    kept: &BTreeSet<u32>,
) -> Result<(), CopyError> {
    let mut stay = BTreeSet::new();
    let mut tried = Vec::new();
    for row in fates {
        if kept.contains(&row.uid) {
            let ignored = row.class.as_ref().is_some_and(|class| class.starts_with(IGNORED));
            if ignored || row.state == MessageState::Failed {
                stay.insert((validity, row.uid));
            }
        } else if row.state == MessageState::Failed {
            tried.push(Failure {
                uid_validity: validity,
                uid: row.uid,
                class: row.class.clone().unwrap_or_else(|| "unknown".to_owned()),
                reason: row.reason.clone().unwrap_or_default(),
                octets: if row.octets > 0 { row.octets } else { row.announced },
                date: row.date,
                append_limit: choice.limit,
            });
        }
    }
    if tried.is_empty() && !choice.failures.contains_key(folder) {
        return Ok(());
    }
    let folder = folder.clone();
    context.ledger(move |l| l.register(lease, &folder, &tried, &stay)).await
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
