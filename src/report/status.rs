//! What the journal knows, for `rehome status`.

use crate::{
    diag::{count, plural},
    model::{MailboxState, PlanOutcome, State},
};

use super::style::{Options, Paint, pad};

/// The state of a workspace for a terminal.
#[must_use]
pub fn status_text(state: &State, options: &Options) -> String {
    let mut out = match &state.open_run {
        Some(run) => {
            format!("{} has begun and not ended; go on with `rehome resume`.\n", options.heading(run.as_str()))
        }
        None => "No run is open.\n".to_owned(),
    };
    out.push_str(&plans(state));
    if state.mailboxes.is_empty() {
        out.push_str("No mailbox has been copied yet.\n");
    } else {
        out.push_str(&mailboxes(state, options));
    }
    if !state.protected.is_empty() {
        out.push_str(&format!("\n{}\n", options.heading("Protected")));
        let shown = options.shown(state.protected.len());
        state.protected.iter().take(shown).for_each(|a| out.push_str(&format!("  {}\n", a.unicode())));
        out.push_str(&options.rest(state.protected.len(), 2));
    }
    out
}

fn plans(state: &State) -> String {
    let of = |outcome| state.plans.values().filter(|o| **o == outcome).count();
    let parts = [(PlanOutcome::Done, "done"), (PlanOutcome::Partial, "partly done"), (PlanOutcome::Open, "open")];
    let said: Vec<String> = parts
        .into_iter()
        .map(|(outcome, word)| (of(outcome), word))
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| format!("{} {word}", count(n as u64)))
        .collect();
    if said.is_empty() { String::new() } else { format!("Plans: {}.\n", said.join(", ")) }
}

fn mailboxes(state: &State, options: &Options) -> String {
    let verified = state.mailboxes.values().filter(|m| m.verified.is_some()).count();
    let all = state.mailboxes.len();
    let boxes = if all == 1 { "mailbox".to_owned() } else { "mailboxes".to_owned() };
    let title = format!("{} {boxes}, {} verified", count(all as u64), count(verified as u64));
    let mut out = format!("\n{}\n", options.heading(&title));
    // What is not proved yet comes first: that is what somebody looks for.
    let mut rows: Vec<_> = state.mailboxes.iter().collect();
    rows.sort_by_key(|(address, m)| (m.verified.is_some(), *address));
    let shown = options.shown(rows.len());
    let width = rows.iter().take(shown).map(|(a, _)| a.unicode().chars().count()).max().unwrap_or(0);
    for (address, mailbox) in rows.into_iter().take(shown) {
        out.push_str(&format!("  {}  {}\n", pad(&address.unicode(), width), row(mailbox, options)));
    }
    out.push_str(&options.rest(all, 2));
    out
}

fn row(mailbox: &MailboxState, options: &Options) -> String {
    let mut parts = vec![match mailbox.passes {
        1 => "1 pass".to_owned(),
        n => format!("{} passes", count(u64::from(n))),
    }];
    if let Some(counts) = &mailbox.counts {
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
    parts.push(match &mailbox.verified {
        Some(proof) => options.paint(Paint::Good, &format!("verified {}", proof.at)),
        None => options.paint(Paint::Change, "not verified"),
    });
    parts.join(", ")
}
