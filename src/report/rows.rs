//! The rows of a terminal's section: an action each, or one row for what a person takes for one thing.

use std::collections::BTreeMap;

use crate::{
    diag::plural,
    model::{Action, Address, Change, MailWork, Work},
};

use super::phrase::{self, Phrase};

/// More comparisons than this are one row.
const COMPARISONS: usize = 3;

/// One row.
pub(super) struct Row<'p> {
    pub(super) phrase: Phrase,
    pub(super) guarded: bool,
    /// The action, when the row is one.
    pub(super) action: Option<&'p Action>,
}

/// Each action by itself.
pub(super) fn every(actions: &[Action]) -> Vec<Row<'_>> {
    actions.iter().map(single).collect()
}

/// What a person cares about: the two halves of a swap are one move, the passes of a copy are one row, many comparisons
/// are one row. Whatever needs somebody's word stands alone.
pub(super) fn calm(actions: &[Action]) -> Vec<Row<'_>> {
    let passes = passes(actions);
    let compared = |a: &&Action| matches!(a.work, Work::VerifyMail(_)) && a.guard.is_none();
    let comparisons = actions.iter().filter(compared).count();
    let mut out = Vec::with_capacity(actions.len());
    let mut rest = actions;
    let mut told = false;
    while let Some((first, others)) = rest.split_first() {
        rest = others;
        if let Some((second, after)) = others.split_first()
            && let Some(phrase) = one_move(first, second)
        {
            rest = after;
            out.push(Row { phrase, guarded: false, action: None });
        } else if comparisons > COMPARISONS && compared(&first) {
            if !std::mem::replace(&mut told, true) {
                let boxes = plural(comparisons, "mailbox");
                let phrase = Phrase::new('?', "verify mail", boxes, "every message, against its source".to_owned());
                out.push(Row { phrase, guarded: false, action: None });
            }
        } else if let Some(mail) = pass_of(first) {
            let Some(all) = passes.get(&mail.account).filter(|all| all.first() == Some(&mail)) else { continue };
            let mut row = single(first);
            if let Some(later) = phrase::later_passes(all.get(1..).unwrap_or_default()) {
                row.phrase.detail = format!("{}, {later}", row.phrase.detail);
            }
            out.push(row);
        } else {
            out.push(single(first));
        }
    }
    out
}

/// The pass that an action is, where nobody has to agree to it.
fn pass_of(action: &Action) -> Option<&MailWork> {
    match &action.work {
        Work::Copy(work) if action.guard.is_none() => Some(work),
        _ => None,
    }
}

/// The passes over each mailbox in the section.
fn passes(actions: &[Action]) -> BTreeMap<&Address, Vec<&MailWork>> {
    let mut out: BTreeMap<&Address, Vec<&MailWork>> = BTreeMap::new();
    for work in actions.iter().filter_map(pass_of) {
        out.entry(&work.account).or_default().push(work);
    }
    out
}

/// An action by itself.
pub(super) fn single(action: &Action) -> Row<'_> {
    Row { phrase: Phrase::of(action), guarded: action.guard.is_some(), action: Some(action) }
}

/// A source that makes room and the target that takes its address.
fn one_move(first: &Action, second: &Action) -> Option<Phrase> {
    let same = first.swap.is_some() && first.swap == second.swap;
    if !same || first.guard.is_some() || second.guard.is_some() {
        return None;
    }
    let (
        Work::Platform { platform: old, change: Change::AccountRename { from, to } },
        Work::Platform { platform: new, change },
    ) = (&first.work, &second.work)
    else {
        return None;
    };
    let Change::AccountCreate { address, .. } = change else { return None };
    if from != address {
        return None;
    }
    let aside = if to.domain() == from.domain() { format!("{}@", to.local()) } else { to.unicode().into_owned() };
    let detail = format!("{old} to {new}; the old mailbox becomes {aside}");
    Some(Phrase::new('>', "move", from.unicode(), detail))
}
