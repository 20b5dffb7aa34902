//! A plan for a terminal: quiet, aligned, one line per action.

use std::collections::BTreeMap;

use crate::{
    diag::{count, plural},
    model::{Action, GuardOutcome, Note, NoteKind, Phase, Work},
    plan::{OpenGuard, Plan, guards},
};

use super::{
    phrase::{self, Phrase},
    records,
    rows::{self, Row},
    style::{self, Options, Paint, pad, readable},
};

/// A plan for a terminal.
#[must_use]
pub fn plan_text(plan: &Plan, options: &Options) -> String {
    let mut out = head(plan, options);
    let mut rest = plan.body.actions.as_slice();
    while let Some(first) = rest.first() {
        let n = rest.iter().take_while(|a| a.phase == first.phase).count();
        let (section, others) = rest.split_at(n);
        out.push_str(&phase(first.phase, section, options));
        rest = others;
    }
    out.push_str(&guard_section(&guards(plan), options));
    out.push_str(&notes(&plan.body.notes, options));
    out.push_str(&tail(plan, options));
    out
}

fn head(plan: &Plan, options: &Options) -> String {
    let strategies = phrase::strategies(plan);
    let gap = if strategies.is_empty() { "" } else { "   " };
    let title = format!("Plan {}{gap}{strategies}", plan.id.short());
    let mut out = format!("{}\n", options.heading(&title));
    if plan.is_empty() {
        out.push_str(&format!("{}\n", phrase::nothing(plan)));
    } else {
        let mail = phrase::mail(plan).map(|m| format!(" {m}")).unwrap_or_default();
        out.push_str(&options.wrap(0, &format!("{}.{mail}", plural(plan.body.actions.len(), "action"))));
    }
    for line in phrase::banner(plan) {
        out.push_str(&format!("{}\n", options.paint(Paint::Bad, options.wrap(0, &line).trim_end())));
    }
    out
}

fn phase(phase: Phase, actions: &[Action], options: &Options) -> String {
    let rows = if options.verbose { rows::every(actions) } else { rows::calm(actions) };
    let title = match rows.len() {
        n if n > options.shown(n) => format!("{} ({})", phase.title(), count(n as u64)),
        _ => phase.title().to_owned(),
    };
    let mut out = format!("\n{}\n", options.heading(&title));
    let shown = shown(&rows, options);
    let columns = Columns::of(shown.iter().copied(), options);
    for one in &shown {
        out.push_str(&row(one, rows.len() == 1, columns, options));
    }
    out.push_str(&options.rest(rows.len(), 2));
    out
}

/// How wide verbs and objects are in a list of rows.
#[derive(Clone, Copy)]
pub(super) struct Columns {
    verb: usize,
    object: usize,
}

impl Columns {
    pub(super) fn of<'r, 'p: 'r>(rows: impl Iterator<Item = &'r Row<'p>> + Clone, options: &Options) -> Self {
        let widest = |of: fn(&Phrase) -> usize| rows.clone().map(|r| of(&r.phrase)).max().unwrap_or(0);
        let object = widest(|p| style::columns(&p.object)).min(options.width.max(40) * 2 / 5);
        Self { verb: widest(|p| p.verb.len()), object }
    }

    /// A row in these columns, and where what belongs to it begins. What is long has a line of its own.
    pub(super) fn line(self, row: &Row<'_>, options: &Options) -> (String, usize) {
        let phrase = &row.phrase;
        let guard = if row.guarded { '!' } else { ' ' };
        let mark = options.paint(phrase.paint(), &format!("{}{guard}", phrase.symbol));
        let start = format!("{}  {}", pad(phrase.verb, self.verb), pad(&phrase.object, self.object));
        let indent = 2 + 3 + self.verb + 2;
        let long = style::columns(&start) + 5 + 2 + style::columns(&phrase.detail) > options.width.max(40);
        let text = if long {
            format!("  {mark} {}\n{}", start.trim_end(), options.wrap(indent, &phrase.detail))
        } else {
            format!("{}\n", format!("  {mark} {start}  {}", phrase.detail).trim_end())
        };
        (text, indent)
    }
}

/// The first rows, but whatever needs somebody's word before all others. The order stays.
fn shown<'r, 'p>(rows: &'r [Row<'p>], options: &Options) -> Vec<&'r Row<'p>> {
    let room = options.shown(rows.len());
    let guarded = rows.iter().filter(|r| r.guarded).count().min(room);
    let (mut plain_left, mut guarded_left) = (room - guarded, guarded);
    let mut out = Vec::with_capacity(room);
    for row in rows {
        let left = if row.guarded { &mut guarded_left } else { &mut plain_left };
        if *left > 0 {
            *left -= 1;
            out.push(row);
        }
    }
    out
}

fn row(row: &Row<'_>, alone: bool, columns: Columns, options: &Options) -> String {
    let (mut out, indent) = columns.line(row, options);
    let Some(action) = row.action else { return out };
    if let Work::Zone(change) = &action.work {
        for (sign, line) in records::lines(change) {
            let paint = if sign == '-' { Paint::Bad } else { Paint::Good };
            out.push_str(&format!("{}{}\n", " ".repeat(indent), options.paint(paint, &format!("{sign} {line}"))));
        }
    }
    if let Work::Copy(work) = &action.work
        && (alone || options.verbose)
        && !action.id.as_str().contains('#')
    {
        let (from, to) = (phrase::way_in(&work.source.access), phrase::way_in(&work.target.access));
        let text = format!("opened with: source {from}; target {to}");
        out.push_str(&options.paint(Paint::Quiet, options.wrap(indent, &text).trim_end_matches('\n')));
        out.push('\n');
    }
    if options.verbose {
        let text = options.wrap(indent, &action.reason);
        out.push_str(&options.paint(Paint::Quiet, text.trim_end_matches('\n')));
        out.push('\n');
    }
    out
}

fn guard_section(open: &[OpenGuard], options: &Options) -> String {
    if open.is_empty() {
        String::new()
    } else {
        format!("\n{}\n{}", options.heading("Guards"), guards_text(open, options))
    }
}

/// What needs somebody's word, or is refused, for a terminal.
#[must_use]
pub fn guards_text(open: &[OpenGuard], options: &Options) -> String {
    let mut out = String::new();
    for guard in open {
        let word = match guard.outcome {
            GuardOutcome::Ack => "needs your word",
            GuardOutcome::Deny => "refused",
        };
        let title = format!("! {}: {}, {word}", guard.code, plural(guard.actions.len(), "action"));
        out.push_str(&format!("  {}\n", options.paint(Paint::Bad, &title)));
        for message in guard.messages.iter().take(options.shown(guard.messages.len())) {
            out.push_str(&options.wrap(6, &readable(message)));
        }
        out.push_str(&options.rest(guard.messages.len(), 6));
        match guard.outcome {
            GuardOutcome::Ack => out.push_str(&format!("    agree with: --ack {}\n", guard.code)),
            GuardOutcome::Deny => out.push_str("    nothing can be acknowledged here; solve it and plan again\n"),
        }
    }
    out
}

pub(super) fn note_title(kind: NoteKind) -> &'static str {
    match kind {
        NoteKind::Blocked => "Blocked",
        NoteKind::Ambiguous => "For you to decide",
        NoteKind::Waiting => "Waiting",
        NoteKind::Unsupported => "Does not move",
        NoteKind::Unmanaged => "Left alone",
        NoteKind::Info => "Good to know",
    }
}

/// Notes by kind and code, in their order.
pub(super) fn by_code(notes: &[Note]) -> BTreeMap<NoteKind, BTreeMap<&str, Vec<&Note>>> {
    let mut out: BTreeMap<NoteKind, BTreeMap<&str, Vec<&Note>>> = BTreeMap::new();
    for note in notes {
        out.entry(note.kind).or_default().entry(&note.code).or_default().push(note);
    }
    out
}

fn notes(notes: &[Note], options: &Options) -> String {
    let mut out = String::new();
    for (kind, codes) in by_code(notes) {
        out.push_str(&format!("\n{}\n", options.heading(note_title(kind))));
        for (code, notes) in codes {
            out.push_str(&one_code(code, &notes, options));
        }
    }
    out
}

fn one_code(code: &str, notes: &[&Note], options: &Options) -> String {
    let count = if notes.len() == 1 { String::new() } else { format!(" ({})", count(notes.len() as u64)) };
    let mut out = format!("  {code}{count}\n");
    let same_help = notes.windows(2).all(|pair| matches!(pair, [a, b] if a.help == b.help));
    for note in notes.iter().take(options.shown(notes.len())) {
        out.push_str(&options.wrap(4, &readable(&format!("{}: {}", note.subject, note.message))));
        if !same_help {
            out.push_str(&help(note, options));
        }
    }
    out.push_str(&options.rest(notes.len(), 4));
    if same_help && let Some(first) = notes.first() {
        out.push_str(&help(first, options));
    }
    out
}

fn help(note: &Note, options: &Options) -> String {
    let Some(help) = &note.help else { return String::new() };
    let text = options.wrap(6, &readable(help));
    // The arrow stands in the indent of the first line.
    text.strip_prefix("      ").map_or(text.clone(), |rest| format!("    > {rest}"))
}

fn tail(plan: &Plan, options: &Options) -> String {
    if plan.is_empty() {
        return String::new();
    }
    let mut out = String::from("\n");
    let all = plan.body.actions.len();
    match phrase::point_of_no_return(plan) {
        None => out.push_str("No point of no return.\n"),
        Some((at, action)) => {
            let text =
                format!("Point of no return: action {} of {}, {}", count(at as u64), count(all as u64), action.id);
            out.push_str(&format!("{}\n", options.paint(Paint::Bad, options.wrap(0, &text).trim_end())));
        }
    }
    let undo = phrase::undo_summary(plan);
    if !undo.is_empty() {
        out.push_str(&options.wrap(0, &format!("Undo: {undo}.")));
    }
    out.push_str(&options.wrap(0, &format!("Total: {}.", phrase::totals(plan))));
    out
}
