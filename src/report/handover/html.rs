//! The record of a run as one page that needs nothing else.

use std::fmt::Write as _;

use super::{
    Handover,
    facts::{Account, Facts, Level, Step, duration, facts},
};
use crate::{
    diag::{Exit, count, moment, plural},
    journal::Standing,
    model::NoteKind,
};

use super::super::{
    html::{STYLE, entry, escape},
    phrase,
};

/// What the record has beside the page of a plan.
const OWN_STYLE: &str = include_str!("page.css");

/// More accounts than this are folded.
const OPEN: usize = 12;

/// The record of a run as a self-contained HTML page.
#[must_use]
pub fn handover_html(handover: &Handover<'_>) -> String {
    let facts = facts(handover);
    let mut out = String::with_capacity(16_000 + handover.entries.len() * 300);
    let title = title(handover);
    head(&title, &mut out);
    let _ = writeln!(
        out,
        "<p class=\"lead\">{} of plan <code>{}</code>, {}.</p>\n</header>\n<main>",
        escape(&handover.run.id.0),
        escape(handover.plan.id.short()),
        escape(&ending(handover))
    );
    cards(handover, &facts, &mut out);
    table(&facts, &mut out);
    accounts(&facts, &mut out);
    steps_section("Domains and everything else", &facts.others, &mut out);
    notes(&facts, &mut out);
    foot(handover, &mut out);
    out
}

/// The head of a page, up to its heading.
pub(super) fn head(title: &str, out: &mut String) {
    let title = escape(title);
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\">\n<meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'\">\n<title>{title}</title>\n<style>\n{STYLE}{OWN_STYLE}\
         </style>\n</head>\n<body>\n<header>\n<h1>{title}</h1>\n"
    );
}

/// What the record is of, for its heading.
pub(super) fn title(handover: &Handover<'_>) -> String {
    match handover.plan.body.rollback_of {
        Some(_) => "Record of the way back".to_owned(),
        None => format!("Record of the migration: {}", phrase::strategies(handover.plan)),
    }
}

/// How the run ended, in words.
pub(super) fn ending(handover: &Handover<'_>) -> String {
    let run = handover.run;
    let began = moment(run.started);
    match (run.ended, run.exit) {
        (Some(ended), Some(code)) => {
            let meaning = Exit::ALL.into_iter().find(|e| e.code() == code).map_or("failed", Exit::meaning);
            let took = duration(ended.as_second() - run.started.as_second());
            format!("began {began}, ended {} after {took} with {code} ({meaning})", moment(ended))
        }
        _ => format!("began {began} and has not ended"),
    }
}

fn cards(handover: &Handover<'_>, facts: &Facts<'_>, out: &mut String) {
    let totals = facts.totals();
    let all = handover.plan.body.actions.len();
    let done = handover.progress.values().filter(|p| p.standing == Standing::Done).count();
    let failed: u64 = totals.counts.failed.values().sum();
    let there = totals.counts.copied + totals.counts.present;
    let mut cards =
        vec![(done == all, format!("{} of {}", count(done as u64), count(all as u64)), "actions done".to_owned())];
    if totals.accounts > 0 {
        cards.push((totals.unproved == 0, count(totals.accounts as u64), format!("mailboxes: {}", totals.proved())));
        cards.push((
            totals.counts.balances(),
            format!("{} of {}", count(there), count(totals.counts.source)),
            "messages are at the new platform".to_owned(),
        ));
        cards.push((failed == 0, count(failed), "messages could not be copied".to_owned()));
    }
    out.push_str("<div class=\"cards\">\n");
    for (fine, number, words) in cards {
        let class = if fine { "" } else { " bad" };
        let _ = writeln!(out, "<div class=\"card{class}\"><b>{number}</b><span>{}</span></div>", escape(&words));
    }
    out.push_str("</div>\n");
}

fn table(facts: &Facts<'_>, out: &mut String) {
    if facts.accounts.is_empty() {
        return;
    }
    let _ = writeln!(out, "<section>\n<h2>Accounts <span>{}</span></h2>", count(facts.accounts.len() as u64));
    out.push_str(
        "<div class=\"scroll\"><table>\n<thead><tr><th>Account</th><th>From</th><th>To</th><th \
         class=\"n\">Messages</th><th>Verified</th><th class=\"n\">Left behind</th><th \
         class=\"n\">Took</th></tr></thead>\n<tbody>\n",
    );
    for account in &facts.accounts {
        let counts = account.mailbox.and_then(|m| m.counts.as_ref());
        let messages = counts.map(|c| format!("{} of {}", count(c.copied + c.present), count(c.source)));
        let (class, word) = match account.level() {
            _ if !account.has_mail => ("", "no mail in this run"),
            Level::Bytes { .. } => ("good", "every byte"),
            Level::Counts => ("change", "counts"),
            Level::Nothing => ("bad", "no"),
        };
        let left = account.left_behind().len();
        let _ = writeln!(
            out,
            "<tr><td><a href=\"#{id}\">{name}</a></td><td>{from}</td><td>{to}</td><td class=\"n\">{messages}</td><td \
             class=\"{class}\">{word}</td><td class=\"n{bad}\">{left}</td><td class=\"n\">{took}</td></tr>",
            id = escape(&account.address.key()),
            name = escape(&account.address.unicode()),
            from = escape(&account.from.map(|(platform, _)| platform.to_string()).unwrap_or_default()),
            to = escape(&account.to.map(ToString::to_string).unwrap_or_default()),
            messages = messages.unwrap_or_default(),
            bad = if left > 0 { " bad" } else { "" },
            took = duration(account.took()),
        );
    }
    out.push_str("</tbody>\n</table></div>\n</section>\n");
}

fn accounts(facts: &Facts<'_>, out: &mut String) {
    if facts.accounts.is_empty() {
        return;
    }
    out.push_str("<section>\n<h2>Account by account</h2>\n");
    let open = if facts.accounts.len() <= OPEN { " open" } else { "" };
    for account in &facts.accounts {
        one(account, open, out);
    }
    out.push_str("</section>\n");
}

fn one(account: &Account<'_>, open: &str, out: &mut String) {
    let _ = writeln!(
        out,
        "<details{open} class=\"account\" id=\"{}\"><summary>{}</summary>",
        escape(&account.address.key()),
        escape(&account.address.unicode())
    );
    out.push_str("<dl>\n");
    let mut fact = |what: &str, text: &str| {
        let _ = writeln!(out, "<dt>{what}</dt><dd>{}</dd>", escape(text));
    };
    if let Some((platform, _)) = account.from {
        let old = account.old_address().map(|a| format!(", where the old mailbox is {} now", a.unicode()));
        fact("From", &format!("{platform}{}", old.unwrap_or_default()));
    }
    if account.has_mail {
        if let Some(sums) = account.sums() {
            fact("Messages", &sums);
        }
        fact("Verified", &account.level().words());
    }
    out.push_str("</dl>\n");
    let left = account.left_behind();
    if !left.is_empty() {
        out.push_str("<div class=\"panel bad\"><strong>Left behind</strong><ul>");
        left.iter().for_each(|line| {
            let _ = write!(out, "<li>{}</li>", escape(line));
        });
        out.push_str("</ul></div>\n");
    }
    rows(&account.steps, out);
    folders(account, out);
    out.push_str("</details>\n");
}

fn folders(account: &Account<'_>, out: &mut String) {
    let (full, empty) = account.folders();
    if full.is_empty() {
        return;
    }
    let _ = write!(
        out,
        "<details><summary>{}</summary>\n<table>\n<thead><tr><th>Folder</th><th class=\"n\">At the source</th><th \
         class=\"n\">Copied</th><th class=\"n\">There already</th><th class=\"n\">Left out</th><th \
         class=\"n\">Failed</th></tr></thead>\n<tbody>\n",
        folder_words(full.len(), empty)
    );
    for (path, counts) in full {
        let _ = write!(out, "<tr><td>{}</td>", escape(&path.to_string()));
        let (excluded, failed) = (counts.excluded.values().sum(), counts.failed.values().sum());
        for n in [counts.source, counts.copied, counts.present, excluded, failed] {
            let _ = write!(out, "<td class=\"n\">{}</td>", count(n));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table></details>\n");
}

/// How many folders are shown, and how many are not because they hold nothing.
pub(super) fn folder_words(full: usize, empty: usize) -> String {
    let empty = if empty == 0 { String::new() } else { format!(", and {} empty", count(empty as u64)) };
    format!("{}{empty}", plural(full, "folder"))
}

fn rows(steps: &[Step<'_>], out: &mut String) {
    out.push_str("<div class=\"rows\">\n");
    for step in steps {
        let fine = step.standing == Standing::Done;
        let _ = writeln!(
            out,
            "<div class=\"row{grave}\"><span class=\"mark\">{symbol}</span><span class=\"verb\">{verb}</span><span \
             class=\"what\">{object}</span><span class=\"detail\">{detail}</span><span \
             class=\"undo{never}\">{outcome}</span></div>",
            grave = if fine { "" } else { " grave" },
            symbol = escape(&step.phrase.symbol.to_string()),
            verb = step.phrase.verb,
            object = escape(&step.phrase.object),
            detail = escape(&step.phrase.detail),
            never = if fine { "" } else { " never" },
            outcome = escape(&told(step)),
        );
    }
    out.push_str("</div>\n");
}

/// The outcome of a step and when that was.
fn told(step: &Step<'_>) -> String {
    let took = step.took.filter(|s| *s > 0).map(|s| format!(", {}", duration(s))).unwrap_or_default();
    match step.at {
        Some(at) => format!("{} {}{took}", step.outcome(), moment(at)),
        None => step.outcome(),
    }
}

fn steps_section(title: &str, steps: &[Step<'_>], out: &mut String) {
    if steps.is_empty() {
        return;
    }
    let _ = writeln!(out, "<section>\n<h2>{title} <span>{}</span></h2>", count(steps.len() as u64));
    rows(steps, out);
    out.push_str("</section>\n");
}

fn notes(facts: &Facts<'_>, out: &mut String) {
    let notes: Vec<_> = facts.notes.iter().filter(|n| n.kind != NoteKind::Info).collect();
    if notes.is_empty() {
        return;
    }
    out.push_str("<section>\n<h2>What the plan could not move, and what it left alone</h2>\n<ul class=\"notes\">\n");
    notes.into_iter().for_each(|note| entry(note, out));
    out.push_str("</ul>\n</section>\n");
}

fn foot(handover: &Handover<'_>, out: &mut String) {
    let run = handover.run;
    let _ = writeln!(
        out,
        "</main>\n<footer>\n<p>Applied by {} on {}. Plan <span class=\"id\">{}</span>, made by {}.</p>",
        escape(&run.actor),
        escape(&run.host),
        escape(handover.plan.id.as_str()),
        escape(&handover.plan.header.tool)
    );
    if !run.acks.is_empty() {
        let acks: Vec<&str> = run.acks.iter().map(String::as_str).collect();
        let _ = writeln!(out, "<p>Acknowledged: {}.</p>", escape(&acks.join(", ")));
    }
    let _ = writeln!(
        out,
        "<p>{} of the journal, SHA-256 <span class=\"id\">{}</span></p>\n</footer>\n</body>\n</html>",
        plural(handover.entries.len(), "entry").replace("entrys", "entries"),
        escape(handover.digest)
    );
}
