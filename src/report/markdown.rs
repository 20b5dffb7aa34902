//! A plan for a review: what destroys is always in full view, the rest is folded, and a size limit never cuts a table.

use std::{borrow::Cow, collections::BTreeMap};

use crate::{
    diag::{count, plural},
    index::{Index, Met},
    model::{Action, GuardOutcome, Note, NoteKind, Phase, Text, Undo},
    plan::{OpenGuard, Plan, guards},
};

use super::{
    phrase::{self, Phrase},
    records,
    style::{clean, hidden, readable},
    text,
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

/// A plan as Markdown, and what of it is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Markdown {
    /// The text.
    pub text: String,
    /// How many actions that destroy, or need somebody's word, are not named in it, because the limit is too small.
    pub unnamed: usize,
}

/// A plan as GitHub-flavoured Markdown of at most `max_bytes` octets (65,536 is the limit of a comment there).
///
/// The first line is a marker by which a bot finds its comment again. When everything does not fit, the folded part
/// shrinks block by block, the largest first: to names, then to counts. A block is a domain, or a phase where there is
/// one domain. What destroys is never folded: it has its rows; where those do not fit, each is named without its details;
/// if even the names do not fit, the text says how many are missing and where they are, and so does the result.
#[must_use]
pub fn plan_markdown(plan: &Plan, max_bytes: Option<usize>) -> Markdown {
    let limit = max_bytes.unwrap_or(usize::MAX);
    let said = Said::of(plan);
    let mut blocks = blocks(plan, limit);
    for graves in [Graves::Rows, Graves::Names(usize::MAX)] {
        for detail in [Detail::Full, Detail::Names, Detail::Counts] {
            let frame = said.render(detail, "", graves);
            if frame.len() > limit {
                continue;
            }
            if let Some(folded) = fitting(&mut blocks, limit.saturating_sub(frame.len())) {
                return Markdown { text: said.render(detail, &folded, graves), unnamed: 0 };
            }
        }
    }
    let all = said.graves.len();
    let counts: String = blocks.iter().map(|b| b.text(Detail::Counts)).collect();
    // The largest number of names that fits, by halving.
    let (mut fits, mut over) = (0, all + 1);
    while fits + 1 < over {
        let middle = usize::midpoint(fits, over);
        if said.render(Detail::Counts, &counts, Graves::Names(middle)).len() <= limit {
            fits = middle;
        } else {
            over = middle;
        }
    }
    Markdown { text: said.render(Detail::Counts, &counts, Graves::Names(fits)), unnamed: all - fits }
}

/// How what destroys is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Graves {
    /// A row each.
    Rows,
    /// The names of so many, and a word about the others.
    Names(usize),
}

/// What a plan says whatever the detail. A plan is rendered until it fits, and all of this takes a look at every action.
struct Said<'p> {
    plan: &'p Plan,
    head: String,
    guards: Vec<OpenGuard>,
    graves: Vec<&'p Action>,
    records: String,
    foot: String,
}

impl<'p> Said<'p> {
    fn of(plan: &'p Plan) -> Self {
        Self {
            plan,
            head: head(plan),
            guards: guards(plan),
            graves: plan.body.actions.iter().filter(|a| phrase::is_grave(a)).collect(),
            records: record_diff(plan),
            foot: foot(plan),
        }
    }

    fn render(&self, detail: Detail, folded: &str, graves: Graves) -> String {
        let mut out = self.head.clone();
        out.push_str(&caution(self.plan, &self.guards, detail));
        out.push_str(&grave(&self.graves, graves));
        out.push_str(&self.records);
        out.push_str(folded);
        out.push_str(&notes(&self.plan.body.notes, detail));
        out.push_str(&self.foot);
        out
    }
}

fn head(plan: &Plan) -> String {
    let domains: Vec<&str> = plan.body.strategies.keys().map(crate::model::Domain::as_str).collect();
    let strategies = phrase::strategies(plan);
    let colon = if strategies.is_empty() { "" } else { ": " };
    let mut out = format!(
        "<!-- rehome:plan {} {} -->\n### Mail plan `{}`{colon}{}\n\n",
        domains.first().copied().unwrap_or("-"),
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

fn foot(plan: &Plan) -> String {
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
            out.push_str(&format!(">   - {}\n", escape(&readable(message))));
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

fn table(rows: impl Iterator<Item = String>) -> String {
    let mut out = String::from("\n| | Action | Object | Change | Undo |\n|--|--|--|--|--|\n");
    out.extend(rows);
    out
}

fn row(action: &Action) -> String {
    let phrase = Phrase::of(action);
    let guard = if action.guard.is_some() { " !" } else { "" };
    let undo = match &action.undo {
        Undo::Irreversible(why) => format!("**impossible**: {}", escape(why)),
        other => escape(&phrase::undo(other)),
    };
    let symbol = if phrase.symbol == '|' { "\\|".to_owned() } else { phrase.symbol.to_string() };
    format!(
        "| `{symbol}`{guard} | {} | {} | {} | {undo} |\n",
        phrase.verb,
        escape(&phrase.object),
        escape(&phrase.detail)
    )
}

fn grave(graves: &[&Action], how: Graves) -> String {
    match how {
        _ if graves.is_empty() => String::new(),
        Graves::Rows => table(graves.iter().map(|a| row(a))),
        Graves::Names(shown) => {
            let named: Vec<&Action> = graves.iter().copied().take(shown).collect();
            let mut out = format!("\n{}", names(&named, ""));
            if graves.len() > named.len() {
                let missing = plural(graves.len() - named.len(), "more action");
                out.push_str(&format!(
                    "\n**{missing} of this kind did not fit: read the plan file (`rehome show`) before you agree.**\n"
                ));
            }
            out
        }
    }
}

/// What is folded together.
struct Block<'p> {
    title: String,
    /// The domain of all of it.
    domain: &'p str,
    actions: Vec<&'p Action>,
    detail: Detail,
    /// How long it is at its detail, or no less than that as long as it was not written.
    octets: usize,
    /// How it reads at its detail. In a large plan most blocks shrink before anybody has to write them.
    text: Option<String>,
}

impl Block<'_> {
    fn text(&self, detail: Detail) -> String {
        let title = format!("{} ({})", escape(&self.title), count(self.actions.len() as u64));
        match detail {
            Detail::Full => folded(&title, &table(self.actions.iter().map(|a| row(a)))),
            Detail::Names => folded(&title, &format!("\n{}", names(&self.actions, self.domain))),
            Detail::Counts => format!("\n- {title}\n"),
        }
    }

    fn set(&mut self, detail: Detail) {
        self.detail = detail;
        self.text = None;
        self.octets = match detail {
            Detail::Full => self.actions.len() * ROW,
            // Each name, a comma and a blank.
            Detail::Names => {
                let chains: Met<&Text> = self.actions.iter().map(|a| &a.chain).collect();
                chains.iter().map(|chain| chain.len().saturating_sub(self.domain.len()) + 1).sum()
            }
            Detail::Counts => self.write(),
        };
    }

    /// Writes it, and gives its length.
    fn write(&mut self) -> usize {
        let text = self.text.insert(self.text(self.detail));
        self.octets = text.len();
        self.octets
    }
}

/// No row is shorter than this.
const ROW: usize = 30;

/// The actions that are folded, by domain, or by phase where there is one domain. What cannot fit begins smaller.
fn blocks(plan: &Plan, limit: usize) -> Vec<Block<'_>> {
    let plain = || plan.body.actions.iter().filter(|a| !phrase::is_grave(a));
    let mut domains: Met<&str> = Met::default();
    plain().for_each(|action| _ = domains.insert(phrase::domain_of(action)));
    let mut by: Index<(Phase, &str), Vec<&Action>> = Index::default();
    for action in plain() {
        let key = match domains.len() {
            1 => (action.phase, ""),
            _ => (Phase::Domain, phrase::domain_of(action)),
        };
        by.entry(key).or_default().push(action);
    }
    by.sort_unstable_keys();
    let mut out = Vec::with_capacity(by.len());
    for ((phase, domain), actions) in by {
        let title = if domain.is_empty() { phase.title().to_owned() } else { domain.to_owned() };
        // What cannot fit is not even tried.
        let detail = match actions.len() {
            n if n.saturating_mul(ROW) <= limit => Detail::Full,
            n if n.saturating_mul(8) <= limit => Detail::Names,
            _ => Detail::Counts,
        };
        let only = domains.first().copied().unwrap_or_default();
        let domain = if domain.is_empty() { only } else { domain };
        let mut block = Block { title, domain, actions, detail, octets: 0, text: None };
        block.set(detail);
        out.push(block);
    }
    out
}

/// The blocks in that much room: the largest shrinks first. `None` when they do not fit.
fn fitting(blocks: &mut [Block<'_>], room: usize) -> Option<String> {
    let mut sum: usize = blocks.iter().map(|b| b.octets).sum();
    loop {
        let changed = if sum > room {
            let largest = blocks.iter_mut().filter(|b| b.detail != Detail::Counts).max_by_key(|b| b.octets)?;
            sum -= largest.octets;
            largest.set(if largest.detail == Detail::Full { Detail::Names } else { Detail::Counts });
            largest
        } else if let Some(unwritten) = blocks.iter_mut().find(|b| b.text.is_none()) {
            sum -= unwritten.octets;
            unwritten.write();
            unwritten
        } else {
            return Some(blocks.iter().filter_map(|b| b.text.as_deref()).collect());
        };
        sum += changed.octets;
    }
}

fn folded(title: &str, body: &str) -> String {
    format!("\n<details><summary>{title}</summary>\n{body}\n</details>\n")
}

/// What happens, said once for all to whom the same happens. A name is short where the title says its domain.
fn names(actions: &[&Action], domain: &str) -> String {
    let local =
        |name: &str| name.strip_suffix(domain).and_then(|name| name.strip_suffix('@')).map_or(name.len(), str::len);
    let mut steps: BTreeMap<Cow<'_, str>, Vec<&'static str>> = BTreeMap::new();
    for action in actions {
        let (verb, name) = Phrase::short(action);
        let name = match name {
            Cow::Borrowed(name) => Cow::Borrowed(name.get(..local(name)).unwrap_or(name)),
            Cow::Owned(mut name) => {
                name.truncate(local(&name));
                Cow::Owned(name)
            }
        };
        steps.entry(name).or_default().push(verb);
    }
    let mut same: BTreeMap<Vec<&str>, Vec<String>> = BTreeMap::new();
    for (name, verbs) in &steps {
        same.entry(verbs.clone()).or_default().push(escape(name));
    }
    let mut groups: Vec<_> = same.into_iter().collect();
    // What happens to most comes first.
    groups.sort_by_key(|(_, names)| std::cmp::Reverse(names.len()));
    let line = |(verbs, names): &(Vec<&str>, Vec<String>)| {
        format!("- **{}** ({}): {}\n", in_turn(verbs), count(names.len() as u64), names.join(", "))
    };
    groups.iter().map(line).collect()
}

/// Verbs in their order, with how often where one comes again in a row.
fn in_turn(verbs: &[&str]) -> String {
    let mut out: Vec<String> = Vec::new();
    for run in verbs.chunk_by(|a, b| a == b) {
        match run {
            [one] => out.push((*one).to_owned()),
            many => out.extend(many.first().map(|one| format!("{one} ×{}", many.len()))),
        }
    }
    out.join(", ")
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
    let (subject, message) = (readable(&note.subject), readable(&note.message));
    let mut out = format!("- **{}** `{}`: {}", escape(&subject), note.code, escape(&message));
    if let Some(help) = &note.help {
        let help = readable(help);
        // What to do begins a line of its own, as everywhere.
        match help.split_once('\n') {
            None => out.push_str(&format!("<br>{}", escape(&help))),
            Some((text, lines)) => {
                let lines: String = lines.lines().map(|l| format!("  {}\n", clean(l))).collect();
                out.push_str(&format!("<br>{}\n\n  ````yaml\n{lines}  ````", escape(text)));
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

/// Text that Markdown and HTML leave as it is, on one line, that calls nobody and leads nowhere: a name like `@jane`
/// tells forges to send mail to whoever is called so there, and one like `www.example.net` is a link to them.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        let rest = text.get(at..).unwrap_or_default();
        match c {
            '@' if !before.is_alphanumeric() => out.push_str("@<!-- -->"),
            ':' if rest.starts_with("://") => out.push_str(":<!-- -->"),
            'w' | 'W' if !before.is_alphanumeric() && starts_link(rest) => {
                out.push(c);
                out.push_str("<!-- -->");
            }
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\n' => out.push_str("<br>"),
            c if hidden(c) => out.push('\u{fffd}'),
            '|' | '`' | '*' | '_' | '[' | ']' | '\\' | '~' | '#' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
        before = c;
    }
    out
}

/// Whether forges make a link of it (GitHub Flavored Markdown 6.9).
fn starts_link(text: &str) -> bool {
    text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("www."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_calls_nobody_and_leads_nowhere() {
        assert_eq!(escape("for @jane, jane@x.org"), "for @<!-- -->jane, jane@x.org");
        assert_eq!(escape("http://x.org/ and 10:30"), "http:<!-- -->//x.org/ and 10:30");
        assert_eq!(escape("WWW.x.org, awww.x"), "W<!-- -->WW.x.org, awww.x");
        assert_eq!(escape("<b>|`*_"), "&lt;b&gt;\\|\\`\\*\\_");
    }
}
