//! What the journal knows, for `rehome status`.

use std::collections::BTreeMap;

use crate::{
    diag::{Exit, count, moment, plural},
    journal::{Approval, Run, Unsettled},
    model::{Action, Address, ApprovalGate, CopyCounts, MailboxState, State},
};

use super::{
    rows::single,
    style::{Options, Paint, clean, columns, pad},
    text::Columns,
};

/// The sums of each mailbox's folders, by their names at the source.
pub type Folders = BTreeMap<Address, BTreeMap<String, CopyCounts>>;

/// Where a workspace stands.
#[derive(Clone, Debug)]
pub struct Standing<'a> {
    /// What is known of mailboxes and protection.
    pub state: &'a State,
    /// The latest run.
    pub latest: Option<&'a Run>,
    /// Effects that were begun and whose end nobody recorded.
    pub unsettled: &'a [Unsettled],
    /// What of the latest run needs somebody's word, each with whose word it has.
    pub approvals: &'a [(ApprovalGate, Option<Approval>)],
    /// The last pass over each folder; told with `-v`.
    pub folders: &'a Folders,
    /// What the latest run says itself, while it is live on this host.
    pub live: Option<&'a str>,
    /// What of the latest run is not done.
    pub left: Left<'a>,
}

/// What of a run is not done.
#[derive(Clone, Debug, Default)]
pub struct Left<'a> {
    /// The actions for which nothing else has to be done before.
    pub next: Vec<&'a Action>,
    /// How many are not done.
    pub actions: usize,
    /// How many the plan has.
    pub of: usize,
}

/// Where a workspace stands, for a terminal.
#[must_use]
pub fn status_text(standing: &Standing<'_>, options: &Options) -> String {
    let mut out = match standing.live {
        Some(told) => format!("{told}\n`rehome status --watch` follows it.\n"),
        None => latest(standing.latest),
    };
    out.push_str(&left(&standing.left, options));
    out.push_str(&approvals(standing.approvals, options));
    out.push_str(&undecided(standing.unsettled, options));
    let state = standing.state;
    if !state.mailboxes.is_empty() {
        out.push_str(&mailboxes(state, standing.folders, options));
    }
    if !state.protected.is_empty() {
        out.push_str(&format!("\n{}\n", options.heading("Protected")));
        let shown = options.shown(state.protected.len());
        state.protected.iter().take(shown).for_each(|a| out.push_str(&format!("  {}\n", a.unicode())));
        out.push_str(&options.rest(state.protected.len(), 2));
    }
    out
}

fn latest(run: Option<&Run>) -> String {
    let Some(run) = run else { return "No plan was applied from here yet.\n".to_owned() };
    let (id, plan) = (&run.id, run.plan.short());
    match (run.ended, run.exit) {
        (Some(ended), Some(code)) => {
            let meaning = Exit::ALL.into_iter().find(|e| e.code() == code).map_or("failed", Exit::meaning);
            let line = format!("{id} of plan {plan} ended {} with {code} ({meaning}).\n", moment(ended));
            let next = "`rehome resume` goes on with it, `rehome plan` looks afresh.\n";
            if code == 0 { line } else { line + next }
        }
        _ => {
            format!("{id} of plan {plan} began {} and has not ended. `rehome resume` goes on.\n", moment(run.started))
        }
    }
}

/// What comes next, or is waited for.
fn left(left: &Left<'_>, options: &Options) -> String {
    if left.next.is_empty() {
        return String::new();
    }
    let title = format!("Not done: {} of {}", count(left.actions as u64), plural(left.of, "action"));
    let mut out = format!("\n{}\n", options.heading(&format!("{title}; next")));
    let rows: Vec<_> = left.next.iter().take(options.shown(left.next.len())).map(|action| single(action)).collect();
    let columns = Columns::of(rows.iter(), options);
    rows.iter().for_each(|row| out.push_str(&columns.line(row, options).0));
    out.push_str(&options.rest(left.next.len(), 2));
    out
}

fn approvals(all: &[(ApprovalGate, Option<Approval>)], options: &Options) -> String {
    if all.is_empty() {
        return String::new();
    }
    let mut out = format!("\n{}\n", options.heading("Needs approval"));
    for (gate, approval) in all {
        out.push_str(&match approval {
            Some(Approval { by, at, host }) => format!("  {gate}: approved by {by} on {host}, {}\n", moment(*at)),
            None => format!("  {}\n", options.paint(Paint::Change, &format!("{gate}: rehome approve {gate}"))),
        });
    }
    out
}

fn undecided(unsettled: &[Unsettled], options: &Options) -> String {
    let all: Vec<_> = unsettled.iter().filter_map(|u| Some((u, u.reason.as_ref()?))).collect();
    if all.is_empty() {
        return String::new();
    }
    let mut out = format!("\n{}\n", options.heading("Nobody but you can tell whether these were done"));
    for (open, reason) in all.iter().take(options.shown(all.len())) {
        let what = if open.undo { "taking back " } else { "" };
        out.push_str(&format!("  {what}{}\n", open.action));
        out.push_str(&options.wrap(6, reason));
    }
    out.push_str(&options.rest(all.len(), 2));
    out.push_str("  Look at the platform, then: rehome journal resolve ACTION --as done|retry\n");
    out
}

fn mailboxes(state: &State, folders: &Folders, options: &Options) -> String {
    let verified = state.mailboxes.values().filter(|m| m.verified.is_some()).count();
    let all = state.mailboxes.len();
    let boxes = if all == 1 { "mailbox".to_owned() } else { "mailboxes".to_owned() };
    let title = format!("{} {boxes}, {} verified", count(all as u64), count(verified as u64));
    let mut out = format!("\n{}\n", options.heading(&title));
    // What is not proved yet comes first: that is what somebody looks for.
    let mut rows: Vec<_> = state.mailboxes.iter().collect();
    rows.sort_by_key(|(address, m)| (m.verified.is_some(), *address));
    let shown = options.shown(rows.len());
    let width = rows.iter().take(shown).map(|(a, _)| columns(&a.unicode())).max().unwrap_or(0);
    for (address, mailbox) in rows.into_iter().take(shown) {
        out.push_str(&format!("  {}  {}\n", pad(&address.unicode(), width), row(mailbox, options)));
        if options.verbose {
            out.push_str(&in_folders(folders.get(address), options));
        }
    }
    out.push_str(&options.rest(all, 2));
    out
}

/// A line for each folder: what became of its messages.
fn in_folders(folders: Option<&BTreeMap<String, CopyCounts>>, options: &Options) -> String {
    let Some(folders) = folders else { return String::new() };
    let width = folders.keys().map(|name| columns(name)).max().unwrap_or(0);
    let mut out = String::new();
    for (name, counts) in folders {
        let mut parts = vec![format!("{} of {}", count(counts.copied + counts.present), count(counts.source))];
        let words = |map: &BTreeMap<String, u64>, what: &str| -> Vec<String> {
            map.iter().map(|(why, n)| format!("{} {what} ({why})", count(*n))).collect()
        };
        parts.extend(words(&counts.excluded, "left out"));
        parts.extend(words(&counts.failed, "failed").iter().map(|text| options.paint(Paint::Bad, text)));
        if counts.gone > 0 {
            parts.push(format!("{} gone meanwhile", count(counts.gone)));
        }
        out.push_str(&format!("      {}  {}\n", pad(&clean(name), width), parts.join(", ")));
    }
    out
}

fn row(mailbox: &MailboxState, options: &Options) -> String {
    let mut parts = Vec::new();
    if mailbox.passes > 0 {
        let passes = if mailbox.passes == 1 { "pass" } else { "passes" };
        parts.push(format!("{} {passes}", count(u64::from(mailbox.passes))));
    }
    match &mailbox.counts {
        None => parts.push("not copied yet".to_owned()),
        Some(counts) => {
            let there = counts.copied + counts.present;
            parts.push(format!("{} of {}", count(there), plural(counts.source as usize, "message")));
            let failed: u64 = counts.failed.values().sum();
            if failed > 0 {
                parts.push(options.paint(Paint::Bad, &format!("{} failed", count(failed))));
            }
            if !counts.balances() {
                parts.push(options.paint(Paint::Bad, "sums do not balance"));
            }
        }
    }
    parts.push(match &mailbox.verified {
        Some(proof) => options.paint(Paint::Good, &format!("verified {}", moment(proof.at))),
        None => options.paint(Paint::Change, "not verified"),
    });
    parts.join(", ")
}
