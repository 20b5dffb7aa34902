//! Results of checks, by what was looked at and by how bad they are.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    diag::{Finding, Severity, count, plural},
    dns::codes,
};

use super::{
    basis::Basis,
    markdown::escape,
    style::{Options, Paint, clean, pad},
};

/// The findings of one thing that was looked at: a mailbox, a domain at one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Its name for people: `mydomain.ovh at ns1.example (192.0.2.1)`.
    pub title: String,
    /// What was found.
    pub findings: Vec<Finding>,
    /// What findings about DNS rest on.
    #[serde(skip)]
    pub basis: Option<Box<Basis>>,
}

impl Checked {
    /// Findings that speak for themselves.
    #[must_use]
    pub fn new(title: impl Into<String>, findings: Vec<Finding>) -> Self {
        Self { title: title.into(), findings, basis: None }
    }

    /// Findings about the DNS of a domain.
    #[must_use]
    pub fn with_basis(self, basis: Basis) -> Self {
        Self { basis: Some(Box::new(basis)), ..self }
    }
}

/// Worst first, with what could not be found out right behind what is wrong.
const ORDER: [Severity; 5] = [Severity::Error, Severity::Unknown, Severity::Warning, Severity::Info, Severity::Ok];

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Ok => "ok",
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Error => "error",
        Severity::Unknown => "unknown",
    }
}

fn paint(severity: Severity) -> Paint {
    match severity {
        Severity::Ok => Paint::Good,
        Severity::Info => Paint::Quiet,
        Severity::Warning => Paint::Change,
        Severity::Error => Paint::Bad,
        Severity::Unknown => Paint::Move,
    }
}

fn counts(checked: &[Checked]) -> BTreeMap<Severity, u64> {
    let mut out = BTreeMap::new();
    for finding in checked.iter().flat_map(|c| &c.findings) {
        *out.entry(finding.severity).or_default() += 1;
    }
    out
}

fn totals(checked: &[Checked]) -> String {
    let counts = counts(checked);
    let said = ORDER.iter().filter_map(|s| Some(format!("{} {}", count(*counts.get(s)?), word(*s))));
    let said: Vec<String> = said.collect();
    if said.is_empty() { "nothing was checked".to_owned() } else { said.join(", ") }
}

/// What to mend first: what stops mail or is not known, then what else is wrong, then the rest.
fn place(finding: &Finding) -> usize {
    let milder = codes::code(&finding.code).is_some() && !codes::stops_mail(&finding.code);
    match finding.severity {
        Severity::Error if !milder => 0,
        Severity::Unknown => 1,
        Severity::Error => 2,
        Severity::Warning => 3,
        Severity::Info => 4,
        Severity::Ok => 5,
    }
}

/// Whether a finding is only counted without `-v`: what is right, and what is merely worth knowing about DNS.
fn is_quiet(finding: &Finding) -> bool {
    match finding.severity {
        Severity::Ok => true,
        Severity::Info => codes::code(&finding.code).is_some(),
        _ => false,
    }
}

/// The findings worth showing, what to mend first at the top.
fn sorted(checked: &Checked, verbose: bool) -> Vec<&Finding> {
    let mut out: Vec<&Finding> = checked.findings.iter().filter(|f| verbose || !is_quiet(f)).collect();
    out.sort_by_key(|f| (place(f), codes::chapter(&f.code), &f.subject, &f.code));
    out
}

/// Findings for a terminal.
#[must_use]
pub fn findings_text(checked: &[Checked], options: &Options) -> String {
    let mut out = String::new();
    for one in checked {
        let fine = one.findings.iter().filter(|f| f.severity == Severity::Ok).count();
        let shown = sorted(one, options.verbose);
        out.push_str(&format!("{}\n", options.heading(&clean(&one.title))));
        for finding in shown.iter().take(limit(options, &shown)) {
            out.push_str(&text_entry(finding, options));
            out.push_str(&one.basis.as_ref().map(|b| b.lines(finding, options)).unwrap_or_default());
        }
        let left = shown.len() - limit(options, &shown);
        if left > 0 {
            out.push_str(&format!("  ... and {} more (use -v)\n", count(left as u64)));
        }
        let only = one.findings.iter().find(|f| f.severity == Severity::Ok).filter(|_| fine == 1 && shown.is_empty());
        if let Some(finding) = only.filter(|_| !options.verbose) {
            let body = options.wrap(5, &finding.message);
            out.push_str(&format!("  {} {}", options.paint(Paint::Good, "ok"), body.trim_start()));
        } else if fine > 0 && !options.verbose {
            out.push_str(&format!("  {} {} as expected\n", options.paint(Paint::Good, "ok"), said_right(one, fine)));
        }
        let quiet = one.findings.iter().filter(|f| f.severity == Severity::Info && is_quiet(f)).count();
        if quiet > 0 && !options.verbose {
            out.push_str(&format!("  {} {} (use -v)\n", options.paint(Paint::Quiet, "--"), plural(quiet, "note")));
        }
        out.push_str(&one.basis.as_ref().map(|b| b.records(options)).unwrap_or_default());
        out.push('\n');
    }
    out.push_str(&format!("Total: {}.\n", totals(checked)));
    out
}

/// What is right: of DNS by name, since there it says what was looked at.
fn said_right(checked: &Checked, fine: usize) -> String {
    let right = checked.findings.iter().filter(|f| f.severity == Severity::Ok);
    let families: BTreeSet<(usize, &str)> =
        right.clone().filter_map(|f| Some((codes::chapter(&f.code), codes::family(&f.code)?))).collect();
    if right.clone().any(|f| codes::family(&f.code).is_none()) {
        return count(fine as u64);
    }
    families.into_iter().map(|(_, family)| family).collect::<Vec<_>>().join(", ")
}

/// Errors and unknowns are all shown; of the milder ones, as many as a screen holds.
fn limit(options: &Options, shown: &[&Finding]) -> usize {
    let grave = shown.iter().filter(|f| matches!(f.severity, Severity::Error | Severity::Unknown)).count();
    grave.max(options.shown(shown.len()))
}

fn text_entry(finding: &Finding, options: &Options) -> String {
    let mark = options.paint(paint(finding.severity), &pad(word(finding.severity), 7));
    // A message that begins with what it is about needs no heading.
    let named = finding.message.strip_prefix(&finding.subject).is_some_and(|rest| rest.starts_with([' ', ':']));
    let heading = if named { String::new() } else { format!("{}: ", finding.subject) };
    let line = format!("{heading}{} ({})", finding.message, finding.code);
    let body = options.wrap(10, &line);
    let mut out = format!("  {mark} {}", body.trim_start());
    let parts = [("expected", &finding.expected), ("found", &finding.actual), ("fix", &finding.fix)];
    for (name, value) in parts {
        if let Some(value) = value {
            let body = options.wrap(21, value);
            out.push_str(&format!("{:12}{}{}", "", pad(name, 9), body.trim_start()));
        }
    }
    out
}

/// Findings for a review.
#[must_use]
pub fn findings_markdown(checked: &[Checked]) -> String {
    let mut out = format!("**{}**\n", totals(checked));
    for one in checked {
        let bad = worth_reading(one);
        if bad.is_empty() {
            continue;
        }
        out.push_str(&format!("\n#### {}\n\n", escape(&one.title)));
        out.push_str("| | Subject | Finding | Expected | Found | Fix |\n|--|--|--|--|--|--|\n");
        for f in bad {
            let cell = |text: &Option<String>| text.as_deref().map(escape).unwrap_or_default();
            out.push_str(&format!(
                "| {} | {} | {} (`{}`) | {} | {} | {} |\n",
                word(f.severity),
                escape(&f.subject),
                escape(&f.message),
                f.code,
                cell(&f.expected),
                cell(&f.actual),
                cell(&f.fix)
            ));
        }
        out.push_str(&one.basis.as_ref().map(|b| b.markdown()).unwrap_or_default());
    }
    let fine: Vec<&str> = checked.iter().filter(|c| worth_reading(c).is_empty()).map(|c| c.title.as_str()).collect();
    if !fine.is_empty() {
        let list: String = fine.iter().map(|t| format!("- {}\n", escape(t))).collect();
        out.push_str(&format!("\n<details><summary>As expected ({})</summary>\n\n{list}\n</details>\n", fine.len()));
    }
    out
}

/// Everything but what is right: a page has room for notes.
fn worth_reading(checked: &Checked) -> Vec<&Finding> {
    sorted(checked, true).into_iter().filter(|f| f.severity != Severity::Ok).collect()
}

/// Findings for a program: `{"format": 1, "totals": {...}, "checked": [...]}`.
#[must_use]
pub fn findings_json(checked: &[Checked]) -> Value {
    let totals: BTreeMap<&str, u64> = counts(checked).into_iter().map(|(s, n)| (word(s), n)).collect();
    let checked: Vec<Value> = checked.iter().map(one_json).collect();
    json!({ "format": 1, "totals": totals, "checked": checked })
}

fn one_json(checked: &Checked) -> Value {
    let mut out = json!(checked);
    let Some(basis) = &checked.basis else { return out };
    let values = out.pointer_mut("/findings").and_then(Value::as_array_mut);
    for (value, finding) in values.into_iter().flatten().zip(&checked.findings) {
        basis.complete(finding, value);
    }
    basis.add(&mut out);
    out
}
