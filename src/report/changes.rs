//! What differs between two plans: what a second look at a pull request is about.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use serde::Serialize;

use crate::{
    diag::{count, plural},
    model::{Action, ActionId, Note},
    plan::Plan,
};

use super::{
    markdown,
    phrase::{self, Phrase},
    rows::single,
    style::{Options, readable},
    text::Columns,
};

/// What differs between two plans.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlanChanges {
    /// Whether the spec is another.
    pub spec: bool,
    /// What of the terms of both is not the same: `gates`, `part`, `rollback_of`, `strategies`.
    pub terms: BTreeSet<&'static str>,
    /// Actions that only the later plan has.
    pub added: Vec<ActionId>,
    /// Actions that only the earlier plan has.
    pub removed: Vec<ActionId>,
    /// Actions that both have and that do something else, are guarded or taken back in another way.
    pub changed: Vec<ActionId>,
    /// Notes that only the later plan has.
    pub notes_added: Vec<Note>,
    /// Notes that only the earlier plan has.
    pub notes_removed: Vec<Note>,
    /// Objects that both rest on and that were seen differently, or that only one rests on.
    pub read: Vec<String>,
}

impl PlanChanges {
    /// Compares two plans. The order of actions is not compared: it follows from them.
    #[must_use]
    pub fn between(old: &Plan, new: &Plan) -> Self {
        let by_id = |plan: &'_ Plan| -> BTreeMap<ActionId, Action> {
            plan.body.actions.iter().map(|a| (a.id.clone(), a.clone())).collect()
        };
        let (before, after) = (by_id(old), by_id(new));
        let only = |here: &BTreeMap<ActionId, Action>, there: &BTreeMap<ActionId, Action>| {
            here.keys().filter(|id| !there.contains_key(*id)).cloned().collect()
        };
        let differs = |id: &&ActionId| after.get(*id).is_some_and(|a| before.get(*id) != Some(a));
        let notes = |here: &Plan, there: &Plan| {
            let known: BTreeSet<&Note> = there.body.notes.iter().collect();
            here.body.notes.iter().filter(|n| !known.contains(n)).cloned().collect()
        };
        let (was, is) = (&old.body.read_set, &new.body.read_set);
        let mut read: Vec<String> =
            was.iter().filter(|(k, v)| is.get(*k) != Some(v)).map(|(k, _)| k.to_string()).collect();
        read.extend(is.keys().filter(|k| !was.contains_key(*k)).map(ToString::to_string));
        read.sort();
        let (a, b) = (&old.body, &new.body);
        let terms = [
            ("gates", a.gates != b.gates),
            ("part", a.part != b.part),
            ("rollback_of", a.rollback_of != b.rollback_of),
            ("strategies", a.strategies != b.strategies),
        ];
        Self {
            terms: terms.into_iter().filter_map(|(name, differs)| differs.then_some(name)).collect(),
            spec: old.body.spec_digest != new.body.spec_digest,
            added: only(&after, &before),
            removed: only(&before, &after),
            changed: before.keys().filter(differs).cloned().collect(),
            notes_added: notes(new, old),
            notes_removed: notes(old, new),
            read,
        }
    }

    /// Whether both plans do the same; notes and what they rest on may differ.
    #[must_use]
    pub fn same_actions(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }

    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.same_actions()
            && self.terms.is_empty()
            && self.notes_added.is_empty()
            && self.notes_removed.is_empty()
            && self.read.is_empty()
    }
}

const ANOTHER_SPEC: &str = " The spec is another.";

/// The differences for a terminal.
#[must_use]
pub fn changes_text(old: &Plan, new: &Plan, options: &Options) -> String {
    let changes = PlanChanges::between(old, new);
    let mut out = format!("{}\n", options.heading(&format!("Plan {} to {}", old.id.short(), new.id.short())));
    if changes.is_empty() {
        out.push_str("They do the same, and rest on the same.");
        out.push_str(if changes.spec { ANOTHER_SPEC } else { "" });
        out.push('\n');
        return out;
    }
    for (mark, line) in terms(old, new, &changes) {
        out.push_str(&options.wrap(2, &format!("{mark} {line}")));
    }
    let rows: Vec<_> = rows(old, new, &changes)
        .into_iter()
        .map(|(mark, action, now)| {
            let mut row = single(action);
            row.phrase.symbol = mark;
            (row, now)
        })
        .collect();
    let columns = Columns::of(rows.iter().map(|(row, _)| row), options);
    for (row, now) in &rows {
        let (line, indent) = columns.line(row, options);
        out.push_str(&line);
        if let Some(now) = now {
            out.push_str(&options.wrap(indent, &format!("now: {}", said(now))));
        }
    }
    for (mark, note) in notes(&changes) {
        let text = format!("{mark} note {}: {}: {}", note.code, note.subject, note.message);
        out.push_str(&options.wrap(2, &readable(&text)));
    }
    tail(&changes, &mut out);
    out
}

/// The differences for a pull request.
#[must_use]
pub fn changes_markdown(old: &Plan, new: &Plan) -> String {
    let changes = PlanChanges::between(old, new);
    let mut out = format!("### Mail plan `{}` to `{}`\n\n", old.id.short(), new.id.short());
    if changes.is_empty() {
        out.push_str("They do the same, and rest on the same.");
        out.push_str(if changes.spec { ANOTHER_SPEC } else { "" });
        out.push('\n');
        return out;
    }
    let terms = terms(old, new, &changes);
    for (mark, line) in &terms {
        let _ = writeln!(out, "- `{mark}` {}", markdown::escape(line));
    }
    if !terms.is_empty() {
        out.push('\n');
    }
    if !changes.same_actions() {
        out.push_str("| | Action | Object | Change |\n|--|--|--|--|\n");
        for (mark, action, now) in rows(old, new, &changes) {
            let phrase = Phrase::of(action);
            let now = now.map(|a| format!("<br>now: {}", markdown::escape(&said(a)))).unwrap_or_default();
            let _ = writeln!(
                out,
                "| `{mark}` | {} | {} | {}{now} |",
                phrase.verb,
                markdown::escape(&phrase.object),
                markdown::escape(&phrase.detail)
            );
        }
        out.push('\n');
    }
    for (mark, note) in notes(&changes) {
        let _ = writeln!(
            out,
            "- `{mark}` note `{}`: {}: {}",
            note.code,
            markdown::escape(&readable(&note.subject)),
            markdown::escape(&readable(&note.message))
        );
    }
    tail(&changes, &mut out);
    out
}

/// What is said above the actions of only one of the plans: what it is a part of, what takes whom back, and when it may
/// do what.
fn terms(old: &Plan, new: &Plan, changes: &PlanChanges) -> Vec<(char, String)> {
    if changes.terms.is_empty() {
        return Vec::new();
    }
    let said = |plan: &Plan| {
        let mut all = phrase::banner(plan);
        let how = phrase::strategies(plan);
        all.extend((!how.is_empty()).then(|| format!("Moves {how}.")));
        all
    };
    let (before, after) = (said(old), said(new));
    let gone = before.iter().filter(|line| !after.contains(line)).map(|line| ('-', line.clone()));
    gone.chain(after.iter().filter(|line| !before.contains(line)).map(|line| ('+', line.clone()))).collect()
}

type Row<'p> = (char, &'p Action, Option<&'p Action>);

fn rows<'p>(old: &'p Plan, new: &'p Plan, changes: &PlanChanges) -> Vec<Row<'p>> {
    let find = |plan: &'p Plan, id: &ActionId| plan.body.actions.iter().find(|a| a.id == *id);
    let mut out: Vec<Row<'p>> = Vec::new();
    out.extend(changes.removed.iter().filter_map(|id| Some(('-', find(old, id)?, None))));
    out.extend(changes.changed.iter().filter_map(|id| Some(('~', find(old, id)?, find(new, id)))));
    out.extend(changes.added.iter().filter_map(|id| Some(('+', find(new, id)?, None))));
    out
}

/// An action with everything that a person may have agreed to.
fn said(action: &Action) -> String {
    let phrase = Phrase::of(action);
    let guard = action.guard.as_ref().map(|g| format!(", guard {}", g.code)).unwrap_or_default();
    format!("{}{guard}; undo: {}", phrase.detail, phrase::undo(&action.undo))
}

fn notes(changes: &PlanChanges) -> Vec<(char, &Note)> {
    let gone = changes.notes_removed.iter().map(|n| ('-', n));
    gone.chain(changes.notes_added.iter().map(|n| ('+', n))).collect()
}

fn tail(changes: &PlanChanges, out: &mut String) {
    let n = |all: &[ActionId]| count(all.len() as u64);
    let _ = write!(
        out,
        "\nTotal: {} more, {} fewer, {} changed.",
        n(&changes.added),
        n(&changes.removed),
        n(&changes.changed)
    );
    if !changes.read.is_empty() {
        let _ = write!(out, " {} they rest on changed.", plural(changes.read.len(), "object"));
    }
    if !changes.terms.is_empty() {
        let names: Vec<&str> = changes.terms.iter().copied().collect();
        let _ = write!(out, " Not the same: {}.", names.join(", "));
    }
    if changes.spec {
        out.push_str(ANOTHER_SPEC);
    }
    out.push('\n');
}
