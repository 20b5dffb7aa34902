//! The page for one user: what happened to the mailbox, and how to set up a mail program again.

use std::fmt::Write as _;

use super::{
    Handover, User,
    facts::{Account, Level, facts, message},
    html::head,
};
use crate::{
    diag::{count, plural},
    model::{ImapSecurity, Note},
};

use super::super::html::escape;

/// What a user should know of what did not move, by the code of the plan's note.
const PLAIN: [(&str, &str); 2] = [
    (
        "calendar-not-copied",
        "Calendars and contacts did not move. Export them from the old mailbox (ICS, VCF) and import them into the new one.",
    ),
    (
        "responders-not-copied",
        "Automatic replies, inbox rules and signatures did not move. Set them again in the new webmail.",
    ),
];

/// The page for one user, to be sent as it is: self-contained, without a script, without a password.
#[must_use]
pub fn user_page(handover: &Handover<'_>, user: &User) -> String {
    let facts = facts(handover);
    let account = facts.accounts.iter().find(|a| a.address == user.address);
    let mut out = String::with_capacity(8_000);
    head("Your mailbox has moved", &mut out);
    let _ =
        writeln!(out, "<p class=\"lead\">{}</p>\n</header>\n<main class=\"page\">", escape(&user.address.unicode()));
    let greeting =
        user.name.as_ref().map(|n| format!("Hello {}, your", escape(n))).unwrap_or_else(|| "Your".to_owned());
    let _ = writeln!(
        out,
        "<p>{greeting} mailbox is on another server now. Your address stays <strong>{}</strong>, and mail to it arrives \
         there.</p>",
        escape(&user.address.unicode())
    );
    if let Some(account) = account {
        mail(account, &mut out);
        left(account, handover, &mut out);
    }
    settings(user, &mut out);
    programs(user, &mut out);
    out.push_str(
        "</main>\n<footer>\n<p>This page holds no password: you get it from whoever looks after your mail.</p>\n",
    );
    out.push_str("</footer>\n</body>\n</html>\n");
    out
}

fn mail(account: &Account<'_>, out: &mut String) {
    if let Some(counts) = account.mailbox.and_then(|m| m.counts.as_ref()) {
        let there = counts.copied + counts.present;
        let proof = match account.level() {
            Level::Bytes { at, .. } => {
                format!(" Every one was read again on {} and is the same, byte for byte.", at.strftime("%Y-%m-%d"))
            }
            Level::Counts => " Their number was checked.".to_owned(),
            Level::Nothing => " They are still to be checked.".to_owned(),
        };
        let _ = writeln!(
            out,
            "<p>{} of {} came along with {} folders, dates and marks.{proof}</p>",
            count(there),
            plural(usize::try_from(counts.source).unwrap_or(usize::MAX), "message"),
            if there == 1 { "its" } else { "their" }
        );
    }
    if let Some(old) = account.old_address() {
        // Whoever writes to a name that stayed there would be heard by nobody.
        let more = if account.notes.iter().any(|note| note.code == "alias-not-in-spec") {
            "Mail to other names of yours still arrives in it: go on looking into it, and ask whoever looks after your \
             mail to move them."
        } else {
            "Nothing new arrives in it."
        };
        let _ = writeln!(out, "<p>The old mailbox still exists as {}. {more}</p>", escape(&old.unicode()));
    }
}

fn left(account: &Account<'_>, handover: &Handover<'_>, out: &mut String) {
    let domain = account.address.domain();
    let concerns = |n: &&Note| n.subject == domain.as_str() || n.subject == domain.unicode();
    let notes = handover.plan.body.notes.iter().filter(concerns);
    let mut lines: Vec<String> = notes
        .filter_map(|n| PLAIN.iter().find(|(code, _)| *code == n.code))
        .map(|(_, words)| (*words).to_owned())
        .collect();
    lines.sort();
    lines.dedup();
    for row in account.failures {
        lines.push(format!("Not copied: {}: {}", message(row), row.failure.reason));
    }
    let counts = account.mailbox.and_then(|m| m.counts.as_ref());
    for (reason, n) in counts.into_iter().flat_map(|c| &c.excluded) {
        lines.push(format!("{} left out: {reason}", plural(usize::try_from(*n).unwrap_or(usize::MAX), "message")));
    }
    if lines.is_empty() {
        return;
    }
    out.push_str("<section class=\"panel\">\n<h2>What did not come along</h2>\n<ul>\n");
    lines.iter().for_each(|line| {
        let _ = writeln!(out, "<li>{}</li>", escape(line));
    });
    out.push_str("</ul>\n</section>\n");
}

fn settings(user: &User, out: &mut String) {
    let secured = |security| match security {
        ImapSecurity::Tls => "SSL/TLS",
        ImapSecurity::Starttls => "STARTTLS",
        ImapSecurity::Plain => "none",
    };
    let imap = &user.servers.imap;
    out.push_str("<section>\n<h2>The new settings</h2>\n<table>\n<tbody>\n");
    let mut row = |what: &str, value: &str| {
        let _ = writeln!(out, "<tr><th>{what}</th><td>{}</td></tr>", escape(value));
    };
    row("User name", &user.address.unicode());
    row("Password", "the one of the new mailbox");
    row("Incoming server (IMAP)", &imap.host);
    row("Port, security", &format!("{}, {}", imap.port, secured(imap.security)));
    match &user.servers.smtp {
        Some(smtp) => {
            row("Outgoing server (SMTP)", &smtp.host);
            row("Port, security", &format!("{}, {}", smtp.port, secured(smtp.security)));
            row("Outgoing login", "the same user name and password");
        }
        None => row("Outgoing server (SMTP)", "ask whoever looks after your mail"),
    }
    out.push_str("</tbody>\n</table>\n</section>\n");
}

fn programs(user: &User, out: &mut String) {
    out.push_str("<section>\n<h2>Set up your mail program</h2>\n<ul>\n");
    if user.servers.smtp.is_some() {
        out.push_str(
            "<li><strong>iPhone, iPad, Mac:</strong> open the file <code>mail.mobileconfig</code> that came with this \
             page, then install the profile in the system's settings. It asks for your password.</li>\n",
        );
    }
    out.push_str(
        "<li><strong>Thunderbird:</strong> add a mail account with your name, address and password. Should it find other \
         servers than those above, choose to configure by hand and type them in.</li>\n<li><strong>Outlook and \
         others:</strong> add a new account of type IMAP with the settings above.</li>\n<li>Send yourself a message. When \
         it arrives, remove the old account from the program. What lies only on your device (\u{201c}On My Mac\u{201d}, \
         \u{201c}Local Folders\u{201d}) is not part of the mailbox: keep it, or drag it into the new account \
         first.</li>\n</ul>\n</section>\n",
    );
}
