//! Diagnostics: everything wrong with a text that somebody wrote, with places.

use std::{fmt, sync::Arc};

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceSpan};
use serde::Serialize;

use super::source::Lines;

/// One text that can be pointed into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceText {
    /// The name people know it by: a path as they gave it.
    pub name: String,
    /// The text.
    pub text: String,
}

/// A stretch of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The source.
    pub source: Arc<SourceText>,
    /// First byte.
    pub offset: usize,
    /// Bytes.
    pub len: usize,
}

impl Span {
    /// Line and column, from 1; columns count characters.
    #[must_use]
    pub fn line_column(&self) -> (usize, usize) {
        let mut end = self.offset.min(self.source.text.len());
        while !self.source.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = self.source.text.get(..end).unwrap_or("");
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        (line, column)
    }
}

impl fmt::Display for Span {
    /// `file:line:column`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.line_column();
        write!(f, "{}:{line}:{column}", self.source.name)
    }
}

/// A place with a few words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What is there.
    pub text: String,
}

/// One thing that is wrong, or doubtful.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// A stable code, such as `spec::duplicate-address`.
    pub code: &'static str,
    /// Whether it stops the command.
    pub warning: bool,
    /// The fact, without a full stop.
    pub message: String,
    /// The places, the most important first.
    pub labels: Vec<Label>,
    /// What to do.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error without places yet.
    #[must_use]
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, warning: false, message: message.into(), labels: Vec::new(), help: None }
    }

    /// A warning without places yet.
    #[must_use]
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self { warning: true, ..Self::error(code, message) }
    }

    /// Adds a place.
    #[must_use]
    pub fn at(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }
}

/// Diagnostics in the order they were found. The order is part of what people see, so finders work in a fixed order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl Diagnostics {
    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    /// Whether there is at least one error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|d| !d.warning)
    }

    /// How many errors there are.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.0.iter().filter(|d| !d.warning).count()
    }

    /// Renders all of them for a terminal of that many columns, with snippets.
    #[must_use]
    pub fn render(&self, color: bool, width: usize) -> String {
        let theme = if color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme).with_width(width).with_links(false);
        let mut out = String::new();
        let mut files = Vec::new();
        for diagnostic in &self.0 {
            let shown = Shown::new(diagnostic, &mut files);
            if handler.render_report(&mut out, &shown).is_err() {
                out.push_str(&diagnostic.message);
            }
            out.push('\n');
        }
        out
    }

    /// All of them as plain data, for `--format json`.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let mut files = Vec::new();
        let rows = self.0.iter().map(|d| {
            let places = d.labels.iter().map(|l| {
                let (line, column) = counted(&l.span.source, &mut files).line_column(l.span.offset);
                JsonPlace { file: &l.span.source.name, line, column, text: &l.text }
            });
            JsonRow {
                code: d.code,
                severity: if d.warning { "warning" } else { "error" },
                message: &d.message,
                places: places.collect(),
                help: d.help.as_deref(),
            }
        });
        serde_json::to_value(rows.collect::<Vec<_>>()).unwrap_or_default()
    }
}

/// The lines of a text, counted once for all diagnostics.
fn counted(source: &Arc<SourceText>, files: &mut Vec<Lines>) -> Lines {
    if let Some(known) = files.iter().find(|lines| lines.is_of(source)) {
        return known.clone();
    }
    let lines = Lines::of(source);
    files.push(lines.clone());
    lines
}

#[derive(Serialize)]
struct JsonRow<'a> {
    code: &'a str,
    severity: &'a str,
    message: &'a str,
    places: Vec<JsonPlace<'a>>,
    help: Option<&'a str>,
}

#[derive(Serialize)]
struct JsonPlace<'a> {
    file: &'a str,
    line: usize,
    column: usize,
    text: &'a str,
}

/// What miette is shown: the labels of the first label's file as a snippet, places in other files as related reports.
#[derive(Debug)]
struct Shown {
    message: String,
    code: Option<&'static str>,
    warning: bool,
    help: Option<String>,
    source: Option<NamedSource<Lines>>,
    labels: Vec<LabeledSpan>,
    related: Vec<Self>,
}

impl Shown {
    fn new(d: &Diagnostic, counted_files: &mut Vec<Lines>) -> Self {
        let mut files: Vec<Lines> = Vec::new();
        for label in &d.labels {
            if !files.iter().any(|lines| lines.is_of(&label.span.source)) {
                files.push(counted(&label.span.source, counted_files));
            }
        }
        let mut parts = files.iter().map(|file| {
            let here = d.labels.iter().filter(|l| file.is_of(&l.span.source));
            Self {
                message: String::new(),
                code: None,
                warning: d.warning,
                help: None,
                source: Some(NamedSource::new(file.name(), file.clone())),
                labels: here
                    .map(|l| {
                        LabeledSpan::new_with_span(Some(l.text.clone()), SourceSpan::from((l.span.offset, l.span.len)))
                    })
                    .collect(),
                related: Vec::new(),
            }
        });
        let mut first = parts.next().unwrap_or(Self {
            message: String::new(),
            code: None,
            warning: d.warning,
            help: None,
            source: None,
            labels: Vec::new(),
            related: Vec::new(),
        });
        first.related = parts.map(|p| Self { message: "the other place".to_owned(), ..p }).collect();
        first.message.clone_from(&d.message);
        first.code = Some(d.code);
        first.help.clone_from(&d.help);
        first
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Shown {}

impl miette::Diagnostic for Shown {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.code.map(|c| Box::new(c) as Box<dyn fmt::Display>)
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(if self.warning { miette::Severity::Warning } else { miette::Severity::Error })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|h| Box::new(h) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        self.source.as_ref().map(|s| s as &dyn miette::SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        if self.labels.is_empty() { None } else { Some(Box::new(self.labels.iter().cloned())) }
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn miette::Diagnostic> + 'a>> {
        if self.related.is_empty() {
            None
        } else {
            Some(Box::new(self.related.iter().map(|r| r as &dyn miette::Diagnostic)))
        }
    }
}
