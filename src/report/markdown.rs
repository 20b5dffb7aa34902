//! A plan for a review: what destroys is always in full view, the rest is folded, and a size limit never cuts a table.

use std::{collections::BTreeMap, num::NonZero, thread};

use crate::{
    diag::{count, plural},
    model::{Action, GuardOutcome, Note, NoteKind, Phase, Undo},
    plan::{OpenGuard, Plan, guards},
};

use super::{
    phrase::{self, Phrase},
    records, text,
};

/// How much of the foldable part is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Detail {
    /// A row per action, an entry per note.
    Full,
    /// The names alone.
    Names,
    /// Counts alone.
    Counts,
}

/// A plan as GitHub-flavoured Markdown of at most `max_bytes` octets (65,536 is the limit of a comment there).
///
/// The first line is a marker by which a bot finds its comment again. When everything does not fit, the folded part
/// shrinks block by block, the largest first: to names, then to counts. A block is a domain, or a phase where there is
/// one domain. Rows that destroy stay; if even those do not fit, the text says how many are missing and where they are.
#[must_use]
pub fn plan_markdown(plan: &Plan, max_bytes: Option<usize>) -> String {
    let limit = max_bytes.unwrap_or(usize::MAX);
    let frame = Frame::of(plan);
    let mut blocks = blocks(plan, limit);
    for detail in [Detail::Full, Detail::Names, Detail::Counts] {
        let bare = frame.around("", detail, usize::MAX);
        if bare.len() > limit {
            continue;
        }
        if let Some(folded) = fitting(&mut blocks, limit.saturating_sub(bare.len())) {
            return frame.around(&folded, detail, usize::MAX);
        }
    }
    let counts: String = blocks.iter().map(|b| b.text(Detail::Counts)).collect();
    // The largest number of rows that fits, by halving.
    let (mut fits, mut over) = (0, frame.graves.len() + 1);
    while fits + 1 < over {
        let middle = usize::midpoint(fits, over);
        if frame.around(&counts, Detail::Counts, middle).len() <= limit {
            fits = middle;
        } else {
            over = middle;
        }
    }
    frame.around(&counts, Detail::Counts, fits)
}

/// What stands around the folded part. All of the plan is looked at once, however often the rest has to shrink.
struct Frame<'p> {
    plan: &'p Plan,
    head: String,
    open: Vec<OpenGuard>,
    graves: Vec<&'p Action>,
    records: String,
    tail: String,
}

impl<'p> Frame<'p> {
    fn of(plan: &'p Plan) -> Self {
        Self {
            plan,
            head: head(plan),
            open: guards(plan),
            graves: plan.body.actions.iter().filter(|a| phrase::is_grave(a)).collect(),
            records: record_diff(plan),
            tail: tail(plan),
        }
    }

    /// The whole text with that folded part and as many rows of what destroys.
    fn around(&self, folded: &str, detail: Detail, rows: usize) -> String {
        let caution = caution(self.plan, &self.open, detail);
        let graves = grave_rows(&self.graves, rows);
        let notes = notes(&self.plan.body.notes, detail);
        [&self.head, &caution, &graves, &self.records, folded, &notes, &self.tail].concat()
    }
}

fn head(plan: &Plan) -> String {
    let first = plan.body.strategies.keys().next().map_or("-", crate::model::Domain::as_str);
    let strategies = phrase::strategies(plan);
    let colon = if strategies.is_empty() { "" } else { ": " };
    let mut out = format!(
        "<!-- rehome:plan {first} {} -->\n### Mail plan `{}`{colon}{}\n\n",
        plan.id,
        plan.id.short(),
        escape(&strategies)
    );
    for line in phrase::banner(plan) {
        out.push_str(&format!("> [!IMPORTANT]\n> {}\n\n", escape(&line)));
    }
    if plan.is_empty() {
        out.push_str(&format!("{}\n", phrase::nothing(plan)));
    } else {
        let mail = phrase::mail(plan).map(|m| format!(" {m}")).unwrap_or_default();
        out.push_str(&format!("**{}.**{mail}\n", phrase::totals(plan)));
    }
    out
}

fn tail(plan: &Plan) -> String {
    if plan.is_empty() {
        return String::new();
    }
    let undo = phrase::undo_summary(plan);
    let undo = if undo.is_empty() { String::new() } else { format!("Undo: {}. ", escape(&undo)) };
    format!("\n{undo}Applies exactly this with `rehome apply` and the plan file.\n")
}

/// Lines of records that are shown; no domain of mail has more.
const RECORDS_SHOWN: usize = 60;

/// The changes of zones, record by record.
fn record_diff(plan: &Plan) -> String {
    let lines: Vec<String> = records::changes(plan)
        .flat_map(records::lines)
        .map(|(sign, line)| format!("{sign} {}\n", line.replace('`', "'")))
        .collect();
    match lines.len() {
        0 => String::new(),
        n if n <= RECORDS_SHOWN => format!("\n```diff\n{}```\n", lines.concat()),
        n => {
            let shown = lines.iter().take(RECORDS_SHOWN).cloned().collect::<String>();
            format!("\n```diff\n{shown}```\n\n{} more lines in the plan file.\n", n - RECORDS_SHOWN)
        }
    }
}

fn caution(plan: &Plan, open: &[OpenGuard], detail: Detail) -> String {
    let point = phrase::point_of_no_return(plan);
    if open.is_empty() && point.is_none() {
        return String::new();
    }
    let shown = if detail == Detail::Full { 5 } else { 1 };
    let mut out = String::from("\n> [!CAUTION]\n");
    for guard in open {
        let what = match guard.outcome {
            GuardOutcome::Ack => format!("agree with `--ack {}`", guard.code),
            GuardOutcome::Deny => "refused".to_owned(),
        };
        out.push_str(&format!("> - **{}** ({}), {what}\n", guard.code, plural(guard.actions.len(), "action")));
        for message in guard.messages.iter().take(shown) {
            out.push_str(&format!(">   - {}\n", escape(message)));
        }
        if guard.messages.len() > shown {
            out.push_str(&format!(">   - and {} more\n", count((guard.messages.len() - shown) as u64)));
        }
    }
    if let Some((at, action)) = point {
        let all = count(plan.body.actions.len() as u64);
        out.push_str(&format!(
            "> - Point of no return: action {} of {all}, {}\n",
            count(at as u64),
            code(action.id.as_str())
        ));
    }
    out
}

/// The head of a table of actions.
const TABLE: &str = "\n| | Action | Object | Change | Undo |\n|--|--|--|--|--|\n";

fn table<'p>(actions: impl Iterator<Item = &'p Action>) -> String {
    let mut out = String::from(TABLE);
    actions.for_each(|action| row(action, &Phrase::of(action), &mut out));
    out
}

fn row(action: &Action, phrase: &Phrase, out: &mut String) {
    out.push_str("| `");
    match phrase.symbol {
        '|' => out.push_str("\\|"),
        symbol => out.push(symbol),
    }
    out.push_str(if action.guard.is_some() { "` ! | " } else { "` | " });
    out.push_str(phrase.verb);
    for text in [&phrase.object, &phrase.detail] {
        out.push_str(" | ");
        escape_to(text, out);
    }
    out.push_str(" | ");
    match &action.undo {
        Undo::Irreversible(why) => {
            out.push_str("**impossible**: ");
            escape_to(why, out);
        }
        other => escape_to(&phrase::undo(other), out),
    }
    out.push_str(" |\n");
}

fn grave_rows(graves: &[&Action], limit: usize) -> String {
    if graves.is_empty() {
        return String::new();
    }
    let mut out = if limit == 0 { String::new() } else { table(graves.iter().take(limit).copied()) };
    if graves.len() > limit {
        let missing = plural(graves.len() - limit, "more row");
        out.push_str(&format!("\n**{missing} of this kind did not fit: read the plan file before you agree.**\n"));
    }
    out
}

/// What is folded together.
struct Block<'p> {
    title: String,
    actions: Vec<&'p Action>,
    detail: Detail,
    /// How long the rows are, and the names.
    rows: usize,
    names: usize,
    /// How long it is at its detail.
    octets: usize,
}

impl Block<'_> {
    fn text(&self, detail: Detail) -> String {
        match detail {
            Detail::Full => self.folded(&table(self.actions.iter().copied())),
            Detail::Names => self.folded(&format!("\n{}\n", names(&self.actions))),
            Detail::Counts => format!("\n- {}\n", self.heading()),
        }
    }

    fn heading(&self) -> String {
        format!("{} ({})", escape(&self.title), count(self.actions.len() as u64))
    }

    fn folded(&self, body: &str) -> String {
        folded(&self.heading(), body)
    }

    fn set(&mut self, detail: Detail) {
        self.detail = detail;
        self.octets = match detail {
            Detail::Full => self.folded(TABLE).len() + self.rows,
            Detail::Names => self.folded("\n\n").len() + self.names,
            Detail::Counts => self.text(detail).len(),
        };
    }

    /// Looks how long its rows and names would be, without keeping them: few of a large plan are shown.
    fn measure(&mut self) {
        let mut scratch = String::new();
        let mut length = |write: &dyn Fn(&mut String)| {
            scratch.clear();
            write(&mut scratch);
            scratch.len()
        };
        let shown = if self.detail == Detail::Counts { &[] } else { self.actions.as_slice() };
        for action in shown {
            let phrase = Phrase::of(action);
            if self.detail == Detail::Full {
                self.rows += length(&|out| row(action, &phrase, out));
            }
            self.names += length(&|out| name(&phrase, out));
        }
        self.names += BETWEEN.len() * shown.len().saturating_sub(1);
        self.set(self.detail);
    }
}

/// The actions that are folded, by domain, or by phase where there is one domain. What cannot fit begins smaller.
fn blocks(plan: &Plan, limit: usize) -> Vec<Block<'_>> {
    let plain = || plan.body.actions.iter().filter(|a| !phrase::is_grave(a));
    let first = plain().next().map(phrase::domain_of);
    let several = plain().any(|a| Some(phrase::domain_of(a)) != first);
    let mut by: BTreeMap<(Phase, &str), Vec<&Action>> = BTreeMap::new();
    for action in plain() {
        let key = if several { (Phase::Domain, phrase::domain_of(action)) } else { (action.phase, "") };
        by.entry(key).or_default().push(action);
    }
    let block = |((phase, domain), actions): ((Phase, &str), Vec<_>)| {
        let title = if domain.is_empty() { phase.title().to_owned() } else { domain.to_owned() };
        // No row is shorter than this, so what cannot fit is not even tried.
        let detail = match actions.len() {
            n if n.saturating_mul(30) <= limit => Detail::Full,
            n if n.saturating_mul(8) <= limit => Detail::Names,
            _ => Detail::Counts,
        };
        Block { title, actions, detail, rows: 0, names: 0, octets: 0 }
    };
    let mut out: Vec<Block<'_>> = by.into_iter().map(block).collect();
    measure(&mut out);
    out
}

/// More actions than this are measured by as many hands as the machine has.
const MANY: usize = 10_000;

fn measure(blocks: &mut [Block<'_>]) {
    let actions: usize = blocks.iter().map(|b| b.actions.len()).sum();
    let hands = if actions < MANY { 1 } else { thread::available_parallelism().map_or(1, NonZero::get) };
    let share = blocks.len().div_ceil(hands).max(1);
    thread::scope(|scope| {
        let mut parts = blocks.chunks_mut(share);
        let own = parts.next();
        for part in parts {
            scope.spawn(|| part.iter_mut().for_each(Block::measure));
        }
        own.into_iter().flatten().for_each(Block::measure);
    });
}

/// The blocks in that much room: the largest shrinks first. `None` when they do not fit.
fn fitting(blocks: &mut [Block<'_>], room: usize) -> Option<String> {
    let mut sum: usize = blocks.iter().map(|b| b.octets).sum();
    while sum > room {
        let largest = blocks.iter_mut().filter(|b| b.detail != Detail::Counts).max_by_key(|b| b.octets)?;
        sum -= largest.octets;
        largest.set(if largest.detail == Detail::Full { Detail::Names } else { Detail::Counts });
        sum += largest.octets;
    }
    Some(blocks.iter().map(|b| b.text(b.detail)).collect())
}

fn folded(title: &str, body: &str) -> String {
    format!("\n<details><summary>{title}</summary>\n{body}\n</details>\n")
}

/// What stands between two names.
const BETWEEN: &str = "; ";

fn names(actions: &[&Action]) -> String {
    let mut out = String::new();
    for (n, action) in actions.iter().enumerate() {
        out.push_str(if n > 0 { BETWEEN } else { "" });
        name(&Phrase::of(action), &mut out);
    }
    out
}

fn name(phrase: &Phrase, out: &mut String) {
    out.push_str(phrase.verb);
    out.push(' ');
    escape_to(&phrase.object, out);
}

fn notes(notes: &[Note], detail: Detail) -> String {
    let mut out = String::new();
    for (kind, codes) in text::by_code(notes) {
        let all: Vec<&Note> = codes.into_values().flatten().collect();
        let title = format!("{} ({})", text::note_title(kind), count(all.len() as u64));
        // What stops something is in view as long as there is room.
        let open = matches!(kind, NoteKind::Blocked | NoteKind::Ambiguous);
        let shown = match detail {
            Detail::Full => all.len(),
            Detail::Names => all.len().min(20),
            Detail::Counts => 0,
        };
        let mut list: String = all.iter().take(shown).map(|note| entry(note)).collect();
        if shown > 0 && all.len() > shown {
            list.push_str(&format!("- and {} more\n", count((all.len() - shown) as u64)));
        }
        out.push_str(&match (shown, open) {
            (0, _) => format!("\n- {title}\n"),
            (_, true) => format!("\n#### {title}\n\n{list}"),
            (_, false) => folded(&title, &format!("\n{list}")),
        });
    }
    out
}

fn entry(note: &Note) -> String {
    let mut out = format!("- **{}** `{}`: {}", escape(&note.subject), note.code, escape(&note.message));
    if let Some(help) = &note.help {
        match help.split_once('\n') {
            None => out.push_str(&format!(". {}", escape(help))),
            Some((text, lines)) => {
                let lines: String = lines.lines().map(|l| format!("  {l}\n")).collect();
                out.push_str(&format!(". {}\n\n  ````yaml\n{lines}  ````", escape(text)));
            }
        }
    }
    out.push('\n');
    out
}

/// A name as code, whatever it contains.
fn code(text: &str) -> String {
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}

/// Text that Markdown and HTML leave as it is, on one line.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    escape_to(text, &mut out);
    out
}

fn escape_to(text: &str, out: &mut String) {
    // Most text is words, names and numbers.
    let plain = |b| {
        let mark =
            matches!(b, b' '..=b'"' | b'$' | b'%' | b'\''..=b')' | b'+'..=b'/' | b':' | b';' | b'=' | b'?' | b'@');
        mark || b.is_ascii_alphanumeric()
    };
    if text.bytes().all(plain) {
        return out.push_str(text);
    }
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\n' => out.push_str("<br>"),
            c if c.is_control() => out.push('\u{fffd}'),
            '|' | '`' | '*' | '_' | '[' | ']' | '\\' | '~' | '#' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
}
