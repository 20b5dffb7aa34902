//! A spec in good form: two spaces of indent for each level, one space where one belongs, the parts at the top in the
//! order in which they are read. Comments stay with what they stand above or beside.
//!
//! Only white space, empty lines and the order at the top change. The result is read again, and if it does not say
//! exactly what the text said before, the text is left as it was.

use std::sync::Arc;

use super::tree::{self, Data, Node};
use crate::diag::{Diagnostic, Diagnostics, SourceText};

/// The parts at the top in the order in which they are read.
const ORDER: [&str; 11] = [
    "version",
    "gates",
    "hooks",
    "platforms",
    "domains",
    "defaults",
    "accounts_from",
    "accounts",
    "redirections",
    "groups",
    "contacts",
];

/// Puts a text in good form. Whether it is a valid spec does not matter, but it must be YAML.
///
/// # Errors
/// When it is no YAML, or when its form is too unusual to change without changing what it says.
pub fn format(name: &str, text: &str) -> Result<String, Diagnostics> {
    let read = |text: &str| {
        let source = Arc::new(SourceText { name: name.to_owned(), text: text.to_owned() });
        tree::parse(&source).map_err(|problem| Diagnostics(vec![*problem]))
    };
    let before = read(text)?;
    let formatted = ordered(&lines(text));
    match read(&formatted) {
        Ok(after) if same(&before, &after, true) => Ok(formatted),
        _ => {
            let message = format!("`{name}` is written in a form that cannot be changed safely; it is left as it is");
            let help = "write mappings one key a line, or in braces on one line";
            Err(Diagnostics(vec![Diagnostic::error("spec::unformattable", message).help(help)]))
        }
    }
}

/// Whether two texts say the same; at the top the order does not matter.
fn same(one: &Node, other: &Node, top: bool) -> bool {
    match (&one.data, &other.data) {
        (Data::Null, Data::Null) => true,
        (Data::Scalar { text: a, truth: x }, Data::Scalar { text: b, truth: y }) => a == b && x == y,
        (Data::List(a), Data::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b, false)),
        (Data::Map(a), Data::Map(b)) if top => {
            let find = |key: &Node| b.iter().find(|(k, _)| same(key, k, false));
            a.len() == b.len() && a.iter().all(|(k, v)| find(k).is_some_and(|(_, w)| same(v, w, false)))
        }
        (Data::Map(a), Data::Map(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((k, v), (l, w))| same(k, l, false) && same(v, w, false))
        }
        _ => false,
    }
}

/// What is left open at the end of a line.
enum Open {
    /// Nothing.
    Nothing,
    /// Brackets or a quoted text: the next lines move with this one.
    Flow,
    /// A block of text: lines that are indented further than this belong to it.
    Block(usize),
}

/// The lines with their new indents.
fn lines(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    // Old column and new column of every level that is open.
    let mut levels: Vec<(usize, usize)> = Vec::new();
    let mut open = Open::Nothing;
    let mut depth = Scan::default();
    let mut moved: (usize, usize) = (0, 0);
    // Each with the column it had.
    let mut comments: Vec<(usize, String)> = Vec::new();
    for line in text.trim_start_matches('\u{feff}').lines() {
        let bare = line.trim_end();
        let content = bare.trim_start();
        let column = bare.len() - content.len();
        if let Open::Block(parent) = open {
            if content.is_empty() || column > parent {
                out.push(shift(bare, moved));
                continue;
            }
            open = Open::Nothing;
        }
        if matches!(open, Open::Flow) {
            out.push(shift(bare, moved));
            depth.line(content);
            if depth.is_closed() {
                open = Open::Nothing;
            }
            continue;
        }
        if content.is_empty() || content.starts_with('#') {
            comments.push((column, content.to_owned()));
            continue;
        }
        // A comment below the last line of a block belongs to that block when it stands as deep.
        let deeper = levels.clone();
        let new = place(&mut levels, column, content);
        for (at, comment) in comments.drain(..) {
            let own = deeper.iter().find(|(old, _)| *old == at && at > column).map_or(new, |(_, new)| *new);
            out.push(if comment.is_empty() { comment } else { format!("{:own$}{comment}", "") });
        }
        moved = (column, new);
        out.push(format!("{:new$}{}", "", tidy(content)));
        depth = Scan::default();
        depth.line(content);
        open = if !depth.is_closed() {
            Open::Flow
        } else if is_block(content) {
            Open::Block(column)
        } else {
            Open::Nothing
        };
    }
    for (at, comment) in comments {
        let own = levels.iter().find(|(old, _)| *old == at).map_or(0, |(_, new)| *new);
        out.push(if comment.is_empty() { comment } else { format!("{:own$}{comment}", "") });
    }
    squeeze(out)
}

/// A line that moves with the line it belongs to.
fn shift(line: &str, (old, new): (usize, usize)) -> String {
    let content = line.trim_start();
    if content.is_empty() {
        return String::new();
    }
    let column = line.len() - content.len();
    let column = (column + new).saturating_sub(old);
    format!("{:column$}{content}", "")
}

/// The new column of a line, and what it opens.
fn place(levels: &mut Vec<(usize, usize)>, column: usize, content: &str) -> usize {
    while levels.last().is_some_and(|(old, _)| *old > column) {
        levels.pop();
    }
    let new = match levels.last() {
        Some((old, new)) if *old == column => *new,
        Some((_, new)) => {
            let new = new + 2;
            levels.push((column, new));
            new
        }
        None => {
            levels.push((column, 0));
            0
        }
    };
    // The entry of a list opens a level behind its dash.
    let (mut rest, mut old_at, mut new_at) = (content, column, new);
    while let Some(entry) = rest.strip_prefix("- ") {
        let inner = entry.trim_start();
        old_at += rest.len() - inner.len();
        new_at += 2;
        levels.push((old_at, new_at));
        rest = inner;
    }
    new
}

/// Whether a line ends with the sign that a block of text follows.
fn is_block(content: &str) -> bool {
    let code = without_comment(content).trim_end();
    let Some(last) = code.rsplit(' ').next() else { return false };
    let mut chars = last.chars();
    matches!(chars.next(), Some('|' | '>')) && chars.all(|c| matches!(c, '+' | '-' | '1'..='9')) && code != last
}

/// A line without its comment. A `#` counts only behind a space and outside quotes.
fn without_comment(content: &str) -> &str {
    comment_at(content).map_or(content, |at| content.get(..at).unwrap_or(content))
}

fn comment_at(content: &str) -> Option<usize> {
    let mut scan = Scan::default();
    let mut before = ' ';
    for (at, c) in content.char_indices() {
        if c == '#' && before.is_whitespace() && scan.quote.is_none() {
            return Some(at);
        }
        scan.step(c, before);
        before = c;
    }
    None
}

/// Brackets and quotes.
#[derive(Default)]
struct Scan {
    depth: usize,
    quote: Option<char>,
    escaped: bool,
}

impl Scan {
    fn line(&mut self, content: &str) {
        let mut before = ' ';
        for c in content.chars() {
            if c == '#' && before.is_whitespace() && self.quote.is_none() {
                return;
            }
            self.step(c, before);
            before = c;
        }
    }

    fn step(&mut self, c: char, before: char) {
        if std::mem::take(&mut self.escaped) {
            return;
        }
        match (self.quote, c) {
            (Some('"'), '\\') => self.escaped = true,
            (Some(quote), c) if c == quote => self.quote = None,
            (Some(_), _) => {}
            // Inside a word an apostrophe is a letter.
            (None, '"' | '\'') if !before.is_alphanumeric() => self.quote = Some(c),
            (None, '[' | '{') if self.depth > 0 || before.is_whitespace() => self.depth += 1,
            (None, ']' | '}') => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }

    fn is_closed(&self) -> bool {
        self.depth == 0 && self.quote.is_none()
    }
}

/// One line with one space where one belongs: behind a key's colon, behind a list's dash and comma, inside braces, and
/// at least two before a comment.
fn tidy(content: &str) -> String {
    let at = comment_at(content).unwrap_or(content.len());
    let (code, comment) = content.split_at_checked(at).unwrap_or((content, ""));
    let gap = code.len() - code.trim_end().len();
    let mut out = spaced(code.trim_end());
    if !comment.is_empty() {
        let gap = if out.is_empty() { 0 } else { gap.max(2) };
        out.push_str(&format!("{:gap$}{comment}", ""));
    }
    out
}

fn spaced(code: &str) -> String {
    let mut out = String::with_capacity(code.len());
    let mut scan = Scan::default();
    let mut before = ' ';
    let mut chars = code.chars().peekable();
    while let Some(c) = chars.next() {
        let (quoted, depth) = (scan.quote.is_some(), scan.depth);
        scan.step(c, before);
        before = c;
        let flow = depth > 0 || scan.depth > 0;
        if !quoted && flow && c == ' ' {
            // Runs of spaces outside quotes say nothing; those at brackets are set by the brackets.
            let next = chars.peek().copied();
            if !out.ends_with([' ', '[']) && !matches!(next, Some(' ' | ']' | ',')) {
                out.push(' ');
            }
            continue;
        }
        match c {
            '}' if !quoted && flow && !out.ends_with([' ', '{']) => out.push_str(" }"),
            '{' if !quoted && scan.depth > depth => {
                out.push('{');
                if !matches!(chars.peek(), Some(' ' | '}') | None) {
                    out.push(' ');
                }
            }
            ',' if !quoted && flow => {
                out.push(',');
                if !matches!(chars.peek(), Some(' ') | None) {
                    out.push(' ');
                }
            }
            c => out.push(c),
        }
    }
    key_gap(&out)
}

/// One space behind the first key and behind dashes, however many there were.
fn key_gap(code: &str) -> String {
    let mut head = String::new();
    let mut rest = code;
    while let Some(entry) = rest.strip_prefix("- ") {
        head.push_str("- ");
        rest = entry.trim_start();
    }
    let mut scan = Scan::default();
    let mut before = ' ';
    for (at, c) in rest.char_indices() {
        if c == ':' && scan.quote.is_none() && scan.depth == 0 && rest.get(at + 1..).is_some_and(|r| r.starts_with(' '))
        {
            let (key, value) = rest.split_at_checked(at + 1).unwrap_or((rest, ""));
            return format!("{head}{key} {}", value.trim_start());
        }
        scan.step(c, before);
        before = c;
    }
    format!("{head}{rest}")
}

/// No empty lines at the ends, and never two together.
fn squeeze(lines: Vec<String>) -> Vec<String> {
    let mut out: Vec<String> = Vec::with_capacity(lines.len());
    for line in lines {
        if !line.is_empty() || out.last().is_some_and(|last| !last.is_empty()) {
            out.push(line);
        }
    }
    while out.last().is_some_and(String::is_empty) {
        out.pop();
    }
    out
}

/// The parts at the top in their order, with an empty line between those that are more than a line.
fn ordered(lines: &[String]) -> String {
    let mut parts: Vec<(usize, Vec<&String>)> = Vec::new();
    let mut above: Vec<&String> = Vec::new();
    let mut head: Vec<&String> = Vec::new();
    for line in lines {
        let begins = !line.starts_with([' ', '#', '-', '}', ']', '"', '\'']) && line.contains(':');
        if begins {
            let key = line.split(':').next().unwrap_or_default();
            let mut block = std::mem::take(&mut above);
            // What stands above the first part, up to an empty line, belongs to the file.
            if parts.is_empty() {
                let cut = block.iter().rposition(|l| l.is_empty()).map_or(0, |at| at + 1);
                let own = if key == "version" { block.len() } else { cut };
                head = block.drain(..own).collect();
            }
            block.push(line);
            // What nobody knows, such as anchors under `x-...`, stays where it is: before what uses it.
            let rank = ORDER.iter().position(|k| *k == key).unwrap_or(usize::MAX);
            parts.push((rank, block));
        } else if line.is_empty() || line.starts_with('#') || parts.is_empty() {
            above.push(line);
        } else if let Some((_, block)) = parts.last_mut() {
            block.append(&mut above);
            block.push(line);
        }
    }
    if parts.iter().all(|(rank, _)| *rank != usize::MAX) {
        parts.sort_by_key(|(rank, _)| *rank);
    }
    let mut out: Vec<&str> = head.iter().map(|l| l.as_str()).collect();
    let mut tall = false;
    for (_, block) in &parts {
        let apart = block.first().is_some_and(|l| l.is_empty());
        let block: Vec<&str> = block.iter().map(|l| l.as_str()).skip_while(|l| l.is_empty()).collect();
        let begun = out.last().is_some_and(|l| !l.is_empty() && !l.starts_with('#'));
        if begun && (apart || tall) {
            out.push("");
        }
        tall = block.len() > 1;
        out.extend(block);
    }
    if !above.is_empty() {
        out.extend(above.iter().map(|l| l.as_str()));
    }
    let mut text = squeeze(out.into_iter().map(ToOwned::to_owned).collect()).join("\n");
    text.push('\n');
    text
}
