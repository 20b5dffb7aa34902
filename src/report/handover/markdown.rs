//! The record of a run as Markdown.

use std::fmt::Write as _;

use super::{
    Handover,
    facts::{Account, Facts, Level, Step, duration, facts},
    html::{ending, folder_words, title},
};
use crate::{
    diag::{count, moment},
    journal::Standing,
    model::NoteKind,
};

use super::super::markdown::escape;

/// The record of a run as Markdown.
#[must_use]
pub fn handover_markdown(handover: &Handover<'_>) -> String {
    let facts = facts(handover);
    let mut out = String::with_capacity(4_000 + handover.entries.len() * 200);
    let _ = writeln!(
        out,
        "<!-- rehome:record {} -->\n# {}\n\n{} of plan `{}`, {}.\n",
        handover.run.id,
        escape(&title(handover)),
        handover.run.id,
        handover.plan.id.short(),
        ending(handover)
    );
    totals(handover, &facts, &mut out);
    table(&facts, &mut out);
    facts.accounts.iter().for_each(|account| one(account, &mut out));
    if !facts.others.is_empty() {
        out.push_str("\n## Domains and everything else\n\n");
        steps(&facts.others, &mut out);
    }
    notes(&facts, &mut out);
    foot(handover, &mut out);
    out
}

fn totals(handover: &Handover<'_>, facts: &Facts<'_>, out: &mut String) {
    let all = handover.plan.body.actions.len() as u64;
    let done = handover.progress.values().filter(|p| p.standing == Standing::Done).count() as u64;
    let _ = writeln!(out, "- {} of {} actions done", count(done), count(all));
    let totals = facts.totals();
    if totals.accounts == 0 {
        return;
    }
    let counts = &totals.counts;
    let failed: u64 = counts.failed.values().sum();
    let _ = writeln!(out, "- {} mailboxes: {}", count(totals.accounts as u64), totals.proved());
    let balance = if counts.balances() { "" } else { "; **the sums do not balance**" };
    let _ = writeln!(
        out,
        "- {} of {} messages are at the new platform, {} could not be copied{balance}",
        count(counts.copied + counts.present),
        count(counts.source),
        count(failed)
    );
}

fn table(facts: &Facts<'_>, out: &mut String) {
    if facts.accounts.is_empty() {
        return;
    }
    out.push_str(
        "\n## Accounts\n\n| Account | From | To | Messages | Verified | Left behind | Took |\n|--|--|--|--:|--|--:|--:|\n",
    );
    for account in &facts.accounts {
        let counts = account.mailbox.and_then(|m| m.counts.as_ref());
        let messages = counts.map(|c| format!("{} of {}", count(c.copied + c.present), count(c.source)));
        let level = match account.level() {
            _ if !account.has_mail => "no mail in this run",
            Level::Bytes { .. } => "every byte",
            Level::Counts => "counts",
            Level::Nothing => "**no**",
        };
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {level} | {} | {} |",
            escape(&account.address.unicode()),
            escape(&account.from.map(|(platform, _)| platform.to_string()).unwrap_or_default()),
            escape(&account.to.map(ToString::to_string).unwrap_or_default()),
            messages.unwrap_or_default(),
            account.left_behind().len(),
            duration(account.took())
        );
    }
}

fn one(account: &Account<'_>, out: &mut String) {
    let _ = writeln!(out, "\n## {}\n", escape(&account.address.unicode()));
    if let Some((platform, _)) = account.from {
        let old = account.old_address().map(|a| format!(", where the old mailbox is {} now", escape(&a.unicode())));
        let _ = writeln!(out, "- From {}{}", escape(platform.as_str()), old.unwrap_or_default());
    }
    if account.has_mail {
        if let Some(sums) = account.sums() {
            let _ = writeln!(out, "- Messages: {sums}");
        }
        let _ = writeln!(out, "- Verified: {}", account.level().words());
    }
    for line in account.left_behind() {
        let _ = writeln!(out, "- **Left behind**: {}", escape(&line));
    }
    out.push('\n');
    steps(&account.steps, out);
    folders(account, out);
}

fn folders(account: &Account<'_>, out: &mut String) {
    let (full, empty) = account.folders();
    if full.is_empty() {
        return;
    }
    let _ = write!(
        out,
        "\n<details><summary>{}</summary>\n\n| Folder | At the source | Copied | There already | Left out | Failed \
         |\n|--|--:|--:|--:|--:|--:|\n",
        folder_words(full.len(), empty)
    );
    for (path, counts) in full {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} |",
            escape(&path.to_string()),
            count(counts.source),
            count(counts.copied),
            count(counts.present),
            count(counts.excluded.values().sum()),
            count(counts.failed.values().sum())
        );
    }
    out.push_str("\n</details>\n");
}

fn steps(steps: &[Step<'_>], out: &mut String) {
    out.push_str("| Action | Object | Change | Outcome | When | Took |\n|--|--|--|--|--|--:|\n");
    for step in steps {
        let outcome = match step.standing {
            Standing::Done => "done".to_owned(),
            _ => format!("**{}**", escape(&step.outcome())),
        };
        let _ = writeln!(
            out,
            "| {} | {} | {} | {outcome} | {} | {} |",
            step.phrase.verb,
            escape(&step.phrase.object),
            escape(&step.phrase.detail),
            step.at.map(moment).unwrap_or_default(),
            step.took.map(duration).unwrap_or_default()
        );
    }
}

fn notes(facts: &Facts<'_>, out: &mut String) {
    let mut notes = facts.notes.iter().filter(|n| n.kind != NoteKind::Info).peekable();
    if notes.peek().is_none() {
        return;
    }
    out.push_str("\n## What the plan could not move, and what it left alone\n\n");
    for note in notes {
        let help = note.help.as_ref().map(|h| format!(". {}", escape(h))).unwrap_or_default();
        let _ = writeln!(out, "- **{}** `{}`: {}{help}", escape(&note.subject), note.code, escape(&note.message));
    }
}

fn foot(handover: &Handover<'_>, out: &mut String) {
    let run = handover.run;
    let _ = writeln!(
        out,
        "\n## The journal\n\n- Applied by {} on {}\n- Plan `{}`, made by {}",
        escape(&run.actor),
        escape(&run.host),
        handover.plan.id.as_str(),
        escape(&handover.plan.header.tool)
    );
    if !run.acks.is_empty() {
        let acks: Vec<String> = run.acks.iter().map(|a| escape(a)).collect();
        let _ = writeln!(out, "- Acknowledged: {}", acks.join(", "));
    }
    let _ = writeln!(out, "- {} entries, SHA-256 `{}`", count(handover.entries.len() as u64), handover.digest);
}
