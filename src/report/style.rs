//! Colour, width and columns.

use std::borrow::Cow;

use anstyle::{AnsiColor, Color, Effects};
use unicode_width::UnicodeWidthStr as _;

use crate::model::Domain;

/// Whether text has colours. Everything is legible without.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// No escape sequences.
    #[default]
    Plain,
    /// ANSI colours.
    Color,
}

/// How a text is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Columns of the terminal; at least 40 are used.
    pub width: usize,
    /// Colours.
    pub style: Style,
    /// Every row and every reason, instead of the first rows of each section.
    pub verbose: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { width: 120, style: Style::Plain, verbose: false }
    }
}

/// How many rows of a section are shown without `-v`.
pub(super) const ROWS: usize = 10;

impl Options {
    /// How many of that many rows are shown.
    pub(super) fn shown(&self, rows: usize) -> usize {
        if self.verbose { rows } else { rows.min(ROWS) }
    }

    /// The line that counts the rest, if there is one.
    pub(super) fn rest(&self, rows: usize, indent: usize) -> String {
        match rows - self.shown(rows) {
            0 => String::new(),
            n => format!("{:indent$}... and {} more (use -v)\n", "", crate::diag::count(n as u64)),
        }
    }

    pub(super) fn heading(&self, text: &str) -> String {
        self.paint(Paint::Heading, text)
    }

    pub(super) fn paint(&self, paint: Paint, text: &str) -> String {
        let style = match (self.style, paint) {
            (Style::Plain, _) | (_, Paint::None) => return text.to_owned(),
            (Style::Color, Paint::Heading) => anstyle::Style::new().effects(Effects::BOLD),
            (Style::Color, Paint::Good) => color(AnsiColor::Green),
            (Style::Color, Paint::Change) => color(AnsiColor::Yellow),
            (Style::Color, Paint::Move) => color(AnsiColor::Cyan),
            (Style::Color, Paint::Bad) => color(AnsiColor::Red),
            (Style::Color, Paint::Quiet) => anstyle::Style::new().effects(Effects::DIMMED),
        };
        format!("{}{text}{}", style.render(), style.render_reset())
    }

    /// A text in lines of the width, each behind an indent. Words longer than a line stay whole.
    pub(super) fn wrap(&self, indent: usize, text: &str) -> String {
        let room = self.width.max(40).saturating_sub(indent);
        let mut out = String::new();
        for line in clean(text).lines() {
            // Lines that are meant to be copied keep their own indent.
            let own = line.len() - line.trim_start().len();
            let mut used = 0;
            for word in line.split_whitespace() {
                let n = columns(word);
                if used == 0 {
                    out.push_str(&format!("{:1$}", "", indent + own));
                    used = own;
                } else if used + 1 + n > room {
                    out.push_str(&format!("\n{:1$}", "", indent + own));
                    used = own;
                } else {
                    out.push(' ');
                    used += 1;
                }
                out.push_str(word);
                used += n;
            }
            out.push('\n');
        }
        out
    }
}

fn color(color: AnsiColor) -> anstyle::Style {
    anstyle::Style::new().fg_color(Some(Color::Ansi(color)))
}

/// Whether a character is not seen where it stands, and can make a text look like another one: controls, those that turn
/// the direction of what follows around, and those without any width. What joins letters and emoji is none of them.
pub(super) fn hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// How many columns of a terminal a text takes: letters of some scripts take two, accents none.
pub(super) fn columns(text: &str) -> usize {
    text.width()
}

/// A text that somebody reads, with its domains as they are written: notes name them as they are compared.
pub(super) fn readable(text: &str) -> Cow<'_, str> {
    if !text.contains("xn--") {
        return Cow::Borrowed(text);
    }
    let in_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    let mut out = String::with_capacity(text.len());
    for part in text.split_inclusive(|c| !in_name(c)) {
        let word = part.trim_end_matches(|c| !in_name(c) || c == '.');
        match Domain::parse(word) {
            Ok(domain) if word.contains("xn--") => out.push_str(&domain.unicode()),
            _ => out.push_str(word),
        }
        out.push_str(part.get(word.len()..).unwrap_or_default());
    }
    Cow::Owned(out)
}

/// Without hidden characters: what servers and platforms say must not move the cursor of who reads it, nor read as
/// something else than it is.
pub(super) fn clean(text: &str) -> String {
    cleaned(text.to_owned())
}

/// The same of a text that nobody else needs: most have nothing to take out.
pub(super) fn cleaned(text: String) -> String {
    shown(text.into()).into_owned()
}

/// The same of a text that others have.
pub(super) fn shown(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.bytes().all(|b| matches!(b, b' '..=b'~' | b'\n')) {
        return text;
    }
    text.chars().map(|c| if hidden(c) && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// What a colour means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    None,
    Heading,
    Good,
    Change,
    Move,
    Bad,
    Quiet,
}

/// Fills up with spaces to a number of columns.
pub(super) fn pad(text: &str, width: usize) -> String {
    let missing = width.saturating_sub(columns(text));
    format!("{text}{:missing$}", "")
}
