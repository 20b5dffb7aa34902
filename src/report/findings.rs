//! Results of checks, by what was looked at and by how bad they are.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::diag::{Finding, Severity, count};

use super::{
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

/// The findings worth showing, worst first; `Ok` only when everything is asked for.
fn sorted(checked: &Checked, verbose: bool) -> Vec<&Finding> {
    let place = |f: &Finding| ORDER.iter().position(|s| *s == f.severity);
    let mut out: Vec<&Finding> = checked.findings.iter().filter(|f| verbose || f.severity != Severity::Ok).collect();
    out.sort_by_key(|f| (place(f), &f.subject, &f.code));
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
            out.push_str(&format!("  {} {} as expected\n", options.paint(Paint::Good, "ok"), count(fine as u64)));
        }
        out.push('\n');
    }
    out.push_str(&format!("Total: {}.\n", totals(checked)));
    out
}

/// Errors and unknowns are all shown; of the milder ones, as many as a screen holds.
fn limit(options: &Options, shown: &[&Finding]) -> usize {
    let grave = shown.iter().filter(|f| matches!(f.severity, Severity::Error | Severity::Unknown)).count();
    grave.max(options.shown(shown.len()))
}

fn text_entry(finding: &Finding, options: &Options) -> String {
    let mark = options.paint(paint(finding.severity), &pad(word(finding.severity), 7));
    let line = format!("{}: {} ({})", finding.subject, finding.message, finding.code);
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
        let bad = sorted(one, false);
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
    }
    let fine: Vec<&str> = checked.iter().filter(|c| sorted(c, false).is_empty()).map(|c| c.title.as_str()).collect();
    if !fine.is_empty() {
        let list: String = fine.iter().map(|t| format!("- {}\n", escape(t))).collect();
        out.push_str(&format!("\n<details><summary>As expected ({})</summary>\n\n{list}\n</details>\n", fine.len()));
    }
    out
}

/// Findings for a program: `{"format": 1, "totals": {...}, "checked": [...]}`.
#[must_use]
pub fn findings_json(checked: &[Checked]) -> Value {
    let totals: BTreeMap<&str, u64> = counts(checked).into_iter().map(|(s, n)| (word(s), n)).collect();
    json!({ "format": 1, "totals": totals, "checked": checked })
}
