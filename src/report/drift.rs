//! What is there and differs from the spec.

use serde::Serialize;

use crate::{
    diag::{count, plural},
    model::{Action, Note, RunId},
};

use super::{
    findings::{Checked, findings_text},
    markdown::escape,
    phrase::Phrase,
    rows,
    style::{Options, readable},
    text::Columns,
};

/// What is there and differs from the spec.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Drift {
    /// The last run that ended well.
    pub last_run: Option<RunId>,
    /// What would put right what was as the spec wants it, and is not any more.
    pub changed: Vec<Action>,
    /// What the spec wants and no run has done yet.
    pub pending: Vec<Action>,
    /// What cannot be put right as things are, or that a person must decide.
    pub open: Vec<Note>,
}

impl Drift {
    /// Whether everything is as the spec wants it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.pending.is_empty() && self.open.is_empty()
    }

    fn parts(&self) -> [(&'static str, &[Action]); 2] {
        [("Changed since it was applied", &self.changed), ("Wanted, and not applied yet", &self.pending)]
    }

    fn since(&self) -> String {
        self.last_run
            .as_ref()
            .map_or_else(|| "nothing was applied from here yet".to_owned(), |run| format!("last applied by {run}"))
    }
}

/// Drift for a terminal. The rows say what would put things right.
#[must_use]
pub fn drift_text(drift: &Drift, dns: &[Checked], options: &Options) -> String {
    let mut out = String::new();
    if drift.is_empty() {
        out.push_str(&format!("Everything is as the spec wants it; {}.\n", drift.since()));
    }
    for (title, actions) in drift.parts() {
        if actions.is_empty() {
            continue;
        }
        let shown = options.shown(actions.len());
        let heading = format!("{title} ({}); {}", count(actions.len() as u64), drift.since());
        out.push_str(&format!("{}\n", options.heading(options.wrap(0, &heading).trim_end())));
        let rows: Vec<_> = actions.iter().take(shown).map(rows::single).collect();
        let columns = Columns::of(rows.iter(), options);
        for row in &rows {
            out.push_str(&columns.line(row, options).0);
        }
        out.push_str(&options.rest(actions.len(), 2));
        out.push('\n');
    }
    if !drift.open.is_empty() {
        out.push_str(&format!("{}\n", options.heading("For you to look at")));
        for note in &drift.open {
            out.push_str(&options.wrap(2, &readable(&format!("{}: {}", note.subject, note.message))));
        }
        out.push('\n');
    }
    if !drift.is_empty() {
        out.push_str(&options.wrap(0, "The rows say what would put it right: rehome plan, rehome apply."));
    }
    if !dns.is_empty() {
        out.push_str(&format!("\n{}", findings_text(dns, options)));
    }
    out
}

/// Drift for an issue or a comment.
#[must_use]
pub fn drift_markdown(drift: &Drift, dns: &[Checked]) -> String {
    let mut out = String::from("<!-- rehome:drift -->\n### Mail drift\n\n");
    if drift.is_empty() {
        out.push_str(&format!("Everything is as the spec wants it; {}.\n", drift.since()));
    }
    for (title, actions) in drift.parts() {
        if actions.is_empty() {
            continue;
        }
        out.push_str(&format!(
            "**{title}** ({}; {}). What would put it right:\n\n| | Action | Object | Change |\n|--|--|--|--|\n",
            plural(actions.len(), "action"),
            drift.since()
        ));
        for action in actions {
            let phrase = Phrase::of(action);
            let symbol = if phrase.symbol == '|' { "\\|".to_owned() } else { phrase.symbol.to_string() };
            out.push_str(&format!(
                "| `{symbol}` | {} | {} | {} |\n",
                phrase.verb,
                escape(&phrase.object),
                escape(&phrase.detail)
            ));
        }
        out.push('\n');
    }
    for note in &drift.open {
        let (subject, message) = (readable(&note.subject), readable(&note.message));
        out.push_str(&format!("- **{}**: {}\n", escape(&subject), escape(&message)));
    }
    for checked in dns {
        out.push_str(&format!("\n**{}**\n\n", escape(&checked.title)));
        for finding in &checked.findings {
            out.push_str(&format!("- `{}` {}: {}\n", finding.code, escape(&finding.subject), escape(&finding.message)));
        }
    }
    out
}
