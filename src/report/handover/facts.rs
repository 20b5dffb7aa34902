//! The facts of a run, account by account.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::Handover;
use crate::{
    diag::{count, moment, plural, size},
    journal::{
        Record, Standing,
        ledger::{Decision, Registered},
    },
    model::{
        Action, Address, Change, CopyCounts, FolderPath, MailWork, MailboxState, Note, NoteKind, PlatformId, Work,
    },
};

use super::super::phrase::Phrase;

/// The whole.
pub(super) struct Facts<'a> {
    pub(super) accounts: Vec<Account<'a>>,
    /// What belongs to no account: domains, groups, contacts.
    pub(super) others: Vec<Step<'a>>,
    /// Why things were not planned.
    pub(super) notes: Vec<&'a Note>,
}

/// One action of the run.
pub(super) struct Step<'a> {
    pub(super) action: &'a Action,
    pub(super) phrase: Phrase,
    pub(super) standing: Standing,
    /// When it was settled.
    pub(super) at: Option<Timestamp>,
    /// Seconds between the first intent and the end.
    pub(super) took: Option<i64>,
    /// Why it is not done.
    pub(super) reason: Option<String>,
}

/// One account of the spec.
pub(super) struct Account<'a> {
    pub(super) address: Address,
    /// Where its mail came from.
    pub(super) from: Option<(&'a PlatformId, &'a Address)>,
    /// Where it is now.
    pub(super) to: Option<&'a PlatformId>,
    pub(super) steps: Vec<Step<'a>>,
    pub(super) mailbox: Option<&'a MailboxState>,
    folders: Option<&'a BTreeMap<FolderPath, CopyCounts>>,
    pub(super) failures: &'a [Registered],
    pub(super) notes: Vec<&'a Note>,
    /// Whether this run copies or compares its mail.
    pub(super) has_mail: bool,
}

/// How far it is proved that everything arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// Every octet of every message was read again by the second reader.
    Bytes { at: Timestamp, messages: u64 },
    /// The sums of the copy balance and nothing failed.
    Counts,
    /// Neither.
    Nothing,
}

impl Level {
    pub(super) fn words(self) -> String {
        match self {
            Self::Bytes { at, messages } => {
                let messages = plural(usize::try_from(messages).unwrap_or(usize::MAX), "message");
                format!("every byte: {messages} read again by a second reader, {}", moment(at))
            }
            Self::Counts => "counts: the sums of the copy balance; the bytes were not compared".to_owned(),
            Self::Nothing => "not verified".to_owned(),
        }
    }
}

/// The facts of a run.
pub(super) fn facts<'a>(handover: &Handover<'a>) -> Facts<'a> {
    let mut chains: BTreeMap<&str, Vec<&Action>> = BTreeMap::new();
    let mut people: BTreeSet<&str> = BTreeSet::new();
    for action in &handover.plan.body.actions {
        chains.entry(action.chain.as_str()).or_default().push(action);
        if is_of_account(action) {
            people.insert(action.chain.as_str());
        }
    }
    let times = times(handover);
    let mut out = Facts { accounts: Vec::new(), others: Vec::new(), notes: handover.plan.body.notes.iter().collect() };
    for (chain, actions) in chains {
        let steps = actions.into_iter().map(|action| step(handover, &times, action)).collect();
        match Address::parse(chain).ok().filter(|_| people.contains(chain)) {
            Some(address) => out.accounts.push(account(handover, address, steps)),
            None => out.others.extend(steps),
        }
    }
    out.notes.retain(|note| !out.accounts.iter().any(|a| is_about(note, &a.address)));
    out
}

fn is_of_account(action: &Action) -> bool {
    let of_account = |change: &Change| {
        matches!(
            change,
            Change::AccountCreate { .. }
                | Change::AccountRename { .. }
                | Change::AccountUpdate { .. }
                | Change::AccountPassword { .. }
                | Change::AccountReset { .. }
        )
    };
    match &action.work {
        Work::Copy(_) | Work::VerifyMail(_) => true,
        Work::Platform { change, .. } => of_account(change),
        _ => false,
    }
}

fn is_about(note: &Note, address: &Address) -> bool {
    note.subject == address.key() || note.subject == address.unicode()
}

type Times<'a> = BTreeMap<&'a str, (Option<Timestamp>, Option<Timestamp>)>;

/// When each action was first begun, and when it was last settled.
fn times<'a>(handover: &Handover<'a>) -> Times<'a> {
    let mut out = Times::new();
    for entry in handover.entries {
        let (first, last) = out.entry(entry.action.as_str()).or_default();
        match entry.record {
            Record::Intent {} => {
                first.get_or_insert(entry.at);
            }
            Record::Undo { .. } => {}
            _ => *last = Some(entry.at),
        }
    }
    out
}

fn step<'a>(handover: &Handover<'a>, times: &Times<'_>, action: &'a Action) -> Step<'a> {
    let (first, last) = times.get(action.id.as_str()).copied().unwrap_or_default();
    let progress = handover.progress.get(&action.id);
    Step {
        action,
        phrase: Phrase::of(action),
        standing: progress.map(|p| p.standing).unwrap_or_default(),
        at: last,
        took: first.zip(last).map(|(first, last)| last.as_second() - first.as_second()),
        reason: progress.and_then(|p| p.reason.clone()).or_else(|| errors(handover, action)),
    }
}

/// The words of the last failure that nothing came after.
fn errors(handover: &Handover<'_>, action: &Action) -> Option<String> {
    match &handover.entries.iter().rev().find(|e| e.action == action.id)?.record {
        Record::Failed { errors, .. } => Some(errors.join(": ")),
        _ => None,
    }
}

fn account<'a>(handover: &Handover<'a>, address: Address, steps: Vec<Step<'a>>) -> Account<'a> {
    let mail = steps.iter().find_map(|s| mail_of(s.action));
    let created = steps.iter().find_map(|s| match &s.action.work {
        Work::Platform { platform, change: Change::AccountCreate { .. } } => Some(platform),
        _ => None,
    });
    let mailbox = handover.state.mailboxes.get(&address);
    let known = mailbox.and_then(|m| m.source.as_ref()).map(|(platform, address)| (platform, address));
    let notes = handover.plan.body.notes.iter().filter(|note| is_about(note, &address)).collect();
    Account {
        from: known.or_else(|| mail.map(|m| (&m.source.platform, &m.source.address))),
        to: mail.map(|m| &m.target.platform).or(created),
        has_mail: mail.is_some(),
        folders: handover.folders.get(&address),
        failures: handover.failures.get(&address).map(Vec::as_slice).unwrap_or_default(),
        mailbox,
        notes,
        steps,
        address,
    }
}

fn mail_of(action: &Action) -> Option<&MailWork> {
    match &action.work {
        Work::Copy(mail) | Work::VerifyMail(mail) => Some(mail),
        _ => None,
    }
}

impl Account<'_> {
    pub(super) fn level(&self) -> Level {
        let Some(mailbox) = self.mailbox else { return Level::Nothing };
        if let Some(proof) = &mailbox.verified {
            return Level::Bytes { at: proof.at, messages: proof.messages };
        }
        match &mailbox.counts {
            Some(counts) if counts.balances() && counts.failed.is_empty() => Level::Counts,
            _ => Level::Nothing,
        }
    }

    /// Whether its owner now has a mailbox on another platform.
    pub(super) fn has_new_mailbox(&self) -> bool {
        let copied = self.mailbox.is_some_and(|m| m.passes > 0);
        let created = self.steps.iter().any(|s| {
            s.standing == Standing::Done
                && matches!(&s.action.work, Work::Platform { change: Change::AccountCreate { .. }, .. })
        });
        self.to.is_some() && (created || (copied && self.has_mail))
    }

    /// The address that the old mailbox has now, when it is another one and was not emptied.
    pub(super) fn old_address(&self) -> Option<&Address> {
        let emptied = self.steps.iter().any(|s| {
            s.standing == Standing::Done
                && matches!(&s.action.work, Work::Platform { change: Change::AccountReset { .. }, .. })
        });
        self.from.map(|(_, address)| address).filter(|old| **old != self.address && !emptied)
    }

    /// The folders that hold something, and how many hold nothing.
    pub(super) fn folders(&self) -> (Vec<(&FolderPath, &CopyCounts)>, usize) {
        let (full, empty): (Vec<_>, Vec<_>) = self.folders.into_iter().flatten().partition(|(_, c)| c.source > 0);
        (full, empty.len())
    }

    /// What happened to its messages, in words.
    pub(super) fn sums(&self) -> Option<String> {
        let counts = self.mailbox?.counts.as_ref()?;
        let of = |map: &BTreeMap<String, u64>| map.values().sum::<u64>();
        let mut text = format!(
            "{} at the source = {} copied + {} there already + {} left out + {} failed + {} gone meanwhile",
            count(counts.source),
            count(counts.copied),
            count(counts.present),
            count(of(&counts.excluded)),
            count(of(&counts.failed)),
            count(counts.gone)
        );
        if !counts.balances() {
            text.push_str("; THE SUMS DO NOT BALANCE");
        }
        Some(text)
    }

    /// Everything that did not move, each with its reason.
    pub(super) fn left_behind(&self) -> Vec<String> {
        let mut out = Vec::new();
        let counts = self.mailbox.and_then(|m| m.counts.as_ref());
        for (reason, n) in counts.into_iter().flat_map(|c| &c.excluded) {
            out.push(format!("{} left out: {reason}", messages(*n)));
        }
        for row in self.failures {
            let decision = match &row.decision {
                Some(Decision::Ignore(note)) => format!("; left out on purpose: {note}"),
                Some(Decision::Retry) => "; the next run tries again".to_owned(),
                None => String::new(),
            };
            out.push(format!("{}: {} ({}){decision}", message(row), row.failure.reason, row.failure.class));
        }
        // Failures of a time before there was a registry, or of another source.
        if self.failures.is_empty() {
            for (reason, n) in counts.into_iter().flat_map(|c| &c.failed) {
                out.push(format!("{} failed: {reason}", messages(*n)));
            }
        }
        for step in self.steps.iter().filter(|s| s.standing != Standing::Done) {
            out.push(format!("{} {}: {}", step.phrase.verb, step.phrase.object, step.outcome()));
        }
        for note in &self.notes {
            if !matches!(note.kind, NoteKind::Info) {
                out.push(format!("{} ({})", note.message, note.code));
            }
        }
        out
    }

    /// When its first action began and its last one ended, and the seconds in between.
    pub(super) fn took(&self) -> i64 {
        let begin = self.steps.iter().filter_map(|s| Some(s.at?.as_second() - s.took?)).min();
        let end = self.steps.iter().filter_map(|s| s.at).map(Timestamp::as_second).max();
        begin.zip(end).map_or(0, |(begin, end)| (end - begin).max(0))
    }
}

impl Step<'_> {
    /// How it ended, in words.
    pub(super) fn outcome(&self) -> String {
        let why = |text: &str| match &self.reason {
            Some(reason) => format!("{text}: {reason}"),
            None => text.to_owned(),
        };
        match self.standing {
            Standing::Done => "done".to_owned(),
            Standing::Fresh => why("not started"),
            Standing::Failed => why("failed"),
            Standing::Undone => why("taken back"),
            Standing::Open | Standing::Undoing => why("not known: it was under way when the run stopped"),
            Standing::Ambiguous | Standing::AmbiguousUndo => why("not known: a person must look"),
        }
    }
}

/// One message that stayed behind, as its owner can find it.
pub(super) fn message(row: &Registered) -> String {
    let date = row.failure.date.and_then(|s| Timestamp::from_second(s).ok());
    let date = date.map(|d| format!(" of {}", d.strftime("%Y-%m-%d"))).unwrap_or_default();
    format!("a message{date} in {}, {}, UID {}", row.folder, size(row.failure.octets), row.failure.uid)
}

fn messages(n: u64) -> String {
    plural(usize::try_from(n).unwrap_or(usize::MAX), "message")
}

/// Seconds as people say them.
pub(super) fn duration(seconds: i64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds} s"),
        (0, _) => format!("{minutes} min {seconds:02} s"),
        _ => format!("{hours} h {minutes:02} min"),
    }
}

/// The sums over all accounts.
pub(super) struct Totals {
    pub(super) accounts: usize,
    pub(super) counts: CopyCounts,
    pub(super) by_bytes: usize,
    pub(super) by_counts: usize,
    pub(super) unproved: usize,
}

impl Facts<'_> {
    /// The sums over all accounts whose mail this run was about.
    pub(super) fn totals(&self) -> Totals {
        let mut out = Totals { accounts: 0, counts: CopyCounts::default(), by_bytes: 0, by_counts: 0, unproved: 0 };
        for account in self.accounts.iter().filter(|a| a.has_mail) {
            out.accounts += 1;
            if let Some(counts) = account.mailbox.and_then(|m| m.counts.as_ref()) {
                out.counts.add(counts);
            }
            match account.level() {
                Level::Bytes { .. } => out.by_bytes += 1,
                Level::Counts => out.by_counts += 1,
                Level::Nothing => out.unproved += 1,
            }
        }
        out
    }
}

impl Totals {
    /// How many accounts are proved how far.
    pub(super) fn proved(&self) -> String {
        let mut parts = vec![format!("{} verified byte by byte", count(self.by_bytes as u64))];
        if self.by_counts > 0 {
            parts.push(format!("{} by counts", count(self.by_counts as u64)));
        }
        if self.unproved > 0 {
            parts.push(format!("{} not verified", count(self.unproved as u64)));
        }
        parts.join(", ")
    }
}
