//! A plan as one page that needs nothing else: no network, no other file. Everything is there without a script; the
//! script filters.

use std::{collections::BTreeSet, fmt::Write as _};

use crate::{
    diag::{count, plural},
    model::{Action, GuardOutcome, Note, NoteKind, Undo, Work},
    plan::{OpenGuard, Plan, guards},
};

use super::{
    phrase::{self, Phrase},
    records,
    style::{Paint, hidden, readable},
    text,
};

pub(super) const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/page.js");

/// A plan as a self-contained HTML page.
///
/// A part of it can be pointed at: `plan.html#q=john&kind=-` opens with the filter set (`kind` takes the symbols of the
/// terminal, and `!` for what destroys or needs a word).
#[must_use]
pub fn plan_html(plan: &Plan) -> String {
    let mut out = String::with_capacity(20_000 + plan.body.actions.len() * 400);
    head(plan, &mut out);
    out.push_str("<main>\n");
    caution(plan, &guards(plan), &mut out);
    stops(&plan.body.notes, &mut out);
    sections(plan, &mut out);
    others(&plan.body.notes, &mut out);
    out.push_str("</main>\n");
    foot(plan, &mut out);
    out
}

fn head(plan: &Plan, out: &mut String) {
    let strategies = phrase::strategies(plan);
    let title = if strategies.is_empty() { format!("Mail plan {}", plan.id.short()) } else { strategies };
    // Nothing may be loaded, whatever ends up in the text: the policy is the second line behind the escaping.
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\">\n<meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n<meta \
         name=\"rehome-plan\" content=\"{id}\">\n<title>Plan {short}</title>\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n<header>\n<h1>{title}</h1>\n<p class=\"lead\">Plan <code>{short}</code>. ",
        id = escape(plan.id.as_str()),
        short = escape(plan.id.short()),
        title = escape(&title),
    );
    if plan.is_empty() {
        let _ = writeln!(out, "{}</p>", escape(phrase::nothing(plan)));
    } else {
        let mail = phrase::mail(plan).map(|m| format!(" {m}")).unwrap_or_default();
        let _ = writeln!(out, "{}.{}</p>", escape(&phrase::totals(plan)), escape(&mail));
    }
    for line in phrase::banner(plan) {
        let _ = writeln!(out, "<p class=\"panel\">{}</p>", escape(&line));
    }
    out.push_str("</header>\n");
    if !plan.is_empty() {
        filters(plan, out);
    }
}

fn filters(plan: &Plan, out: &mut String) {
    out.push_str(
        "<div class=\"bar\"><div class=\"inner\">\n<form hidden role=\"search\">\n<input type=\"search\" id=\"search\" \
         placeholder=\"Filter: address, word, action\" aria-label=\"Filter the actions\" autocomplete=\"off\">\n",
    );
    let domains: BTreeSet<&str> = plan.body.actions.iter().map(phrase::domain_of).collect();
    if domains.len() > 1 {
        out.push_str("<select id=\"domain\" aria-label=\"Domain\"><option value=\"\">All domains</option>");
        for domain in domains {
            let _ = write!(out, "<option>{}</option>", escape(domain));
        }
        out.push_str("</select>\n");
    }
    let graves = plan.body.actions.iter().filter(|a| phrase::is_grave(a)).count() as u64;
    if graves > 0 {
        kind_button('!', "destroys or needs a word", graves, out);
    }
    for (symbol, word, n) in phrase::counts(plan) {
        kind_button(symbol, word, n, out);
    }
    let _ = write!(
        out,
        "<button type=\"button\" id=\"theme\" title=\"Light or dark\" aria-label=\"Light or dark\">&#9680;</button>\n\
         <output class=\"count\" id=\"count\">{}</output>\n</form>\n</div></div>\n",
        plural(plan.body.actions.len(), "action")
    );
}

fn kind_button(symbol: char, word: &str, n: u64, out: &mut String) {
    let symbol = escape(&symbol.to_string());
    let _ = writeln!(
        out,
        "<button type=\"button\" data-kind=\"{symbol}\" aria-pressed=\"false\"><code>{symbol}</code> {word} {}</button>",
        count(n)
    );
}

fn caution(plan: &Plan, open: &[OpenGuard], out: &mut String) {
    let point = phrase::point_of_no_return(plan);
    if open.is_empty() && point.is_none() {
        return;
    }
    out.push_str("<section class=\"panel bad\">\n<h2>Before you agree</h2>\n<ul>\n");
    for guard in open {
        let what = match guard.outcome {
            GuardOutcome::Ack => format!("agree with <code>--ack {}</code>", escape(&guard.code)),
            GuardOutcome::Deny => "refused; solve it and plan again".to_owned(),
        };
        let _ = write!(
            out,
            "<li><strong>{}</strong> ({}): {what}<ul>",
            escape(&guard.code),
            plural(guard.actions.len(), "action")
        );
        for message in &guard.messages {
            let _ = write!(out, "<li>{}</li>", escape(&readable(message)));
        }
        out.push_str("</ul></li>\n");
    }
    if let Some((at, action)) = point {
        let _ = writeln!(
            out,
            "<li>Point of no return: action {} of {}, <code>{}</code></li>",
            count(at as u64),
            count(plan.body.actions.len() as u64),
            escape(action.id.as_str())
        );
    }
    out.push_str("</ul>\n</section>\n");
}

fn sections(plan: &Plan, out: &mut String) {
    let mut rest = plan.body.actions.as_slice();
    while let Some(first) = rest.first() {
        let n = rest.iter().take_while(|a| a.phase == first.phase).count();
        let (section, others) = rest.split_at(n);
        rest = others;
        let _ = writeln!(
            out,
            "<section data-rows>\n<h2>{} <span>{}</span></h2>\n<div class=\"rows\">",
            escape(first.phase.title()),
            count(n as u64)
        );
        for action in section {
            row(action, out);
        }
        out.push_str("</div>\n</section>\n");
    }
    if !plan.is_empty() {
        out.push_str("<p class=\"none\" id=\"none\" hidden>No action fits this filter.</p>\n");
    }
}

fn row(action: &Action, out: &mut String) {
    let phrase = Phrase::of(action);
    let class = match phrase.paint() {
        Paint::Good => " good",
        Paint::Change => " change",
        Paint::Move => " move",
        Paint::Bad => " bad",
        _ => "",
    };
    let grave = phrase::is_grave(action);
    let never = matches!(action.undo, Undo::Irreversible(_));
    let _ = writeln!(
        out,
        "<div class=\"row{grave}\" id=\"{id}\" data-kind=\"{symbol}\" data-domain=\"{domain}\" \
         title=\"{reason}\"><span class=\"mark{class}\">{symbol}{guard}</span><span class=\"verb\">{verb}</span><span \
         class=\"what\">{object}</span><span class=\"detail\">{detail}</span><span class=\"undo{never}\">{undo}</span>{records}</div>",
        records = record_lines(action),
        grave = if grave { " grave" } else { "" },
        id = escape(action.id.as_str()),
        symbol = escape(&phrase.symbol.to_string()),
        domain = escape(phrase::domain_of(action)),
        reason = escape(&action.reason),
        guard = if action.guard.is_some() { "!" } else { "" },
        verb = phrase.verb,
        object = escape(&phrase.object),
        detail = escape(&phrase.detail),
        never = if never { " never" } else { "" },
        undo = match &action.undo {
            Undo::Nothing => String::new(),
            other => format!("undo: {}", escape(&phrase::undo(other))),
        },
    );
}

/// The records that go and come, below the row of their change.
fn record_lines(action: &Action) -> String {
    let Work::Zone(change) = &action.work else { return String::new() };
    let line = |(sign, line): (char, String)| {
        let class = if sign == '-' { "bad" } else { "good" };
        format!("<span class=\"{class}\">{sign} {}</span>", escape(&line))
    };
    let lines: Vec<String> = records::lines(change).into_iter().map(line).collect();
    format!("<pre class=\"records\">{}</pre>", lines.join("\n"))
}

/// What stops something is in view above the actions.
fn stops(notes: &[Note], out: &mut String) {
    for (kind, codes) in text::by_code(notes) {
        if matches!(kind, NoteKind::Blocked | NoteKind::Ambiguous | NoteKind::Waiting) {
            let _ = writeln!(out, "<section class=\"panel\">\n<h2>{}</h2>\n<ul>", text::note_title(kind));
            codes.into_values().flatten().for_each(|note| entry(note, out));
            out.push_str("</ul>\n</section>\n");
        }
    }
}

fn others(notes: &[Note], out: &mut String) {
    let mut some = false;
    for (kind, codes) in text::by_code(notes) {
        if matches!(kind, NoteKind::Blocked | NoteKind::Ambiguous | NoteKind::Waiting) {
            continue;
        }
        if !std::mem::replace(&mut some, true) {
            out.push_str("<section>\n<h2>Notes</h2>\n");
        }
        let all: Vec<&Note> = codes.into_values().flatten().collect();
        let open = if all.len() <= 5 { " open" } else { "" };
        let title = text::note_title(kind);
        let _ = writeln!(out, "<details{open}><summary>{title} ({})</summary>\n<ul>", count(all.len() as u64));
        all.into_iter().for_each(|note| entry(note, out));
        out.push_str("</ul>\n</details>\n");
    }
    if some {
        out.push_str("</section>\n");
    }
}

pub(super) fn entry(note: &Note, out: &mut String) {
    let _ = write!(
        out,
        "<li><strong>{}</strong> <code>{}</code>: {}",
        escape(&readable(&note.subject)),
        escape(&note.code),
        escape(&readable(&note.message))
    );
    let help = note.help.as_deref().map(readable);
    match help.as_deref().map(|help| help.split_once('\n').unwrap_or((help, ""))) {
        None => {}
        Some((text, "")) => {
            let _ = write!(out, "<br><span class=\"help\">{}</span>", escape(text));
        }
        Some((text, lines)) => {
            let _ = write!(out, "<br><span class=\"help\">{}</span><pre>{}</pre>", escape(text), escape(lines));
        }
    }
    out.push_str("</li>\n");
}

fn foot(plan: &Plan, out: &mut String) {
    out.push_str("<footer>\n");
    let undo = phrase::undo_summary(plan);
    if !undo.is_empty() {
        let _ = writeln!(out, "<p>Undo: {}.</p>", escape(&undo));
    }
    let header = &plan.header;
    let said = [("made", &header.created), ("by", &header.tool), ("from", &header.spec)];
    let said: Vec<String> = said
        .iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(what, text)| format!("{what} {}", escape(text)))
        .collect();
    let _ = writeln!(out, "<p>Plan <span class=\"id\">{}</span> {}</p>", escape(plan.id.as_str()), said.join(" "));
    out.push_str("</footer>\n");
    if !plan.is_empty() {
        let _ = write!(out, "<script>\n{SCRIPT}</script>\n");
    }
    out.push_str("</body>\n</html>\n");
}

/// Text that HTML leaves as it is, also inside a quoted attribute.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if hidden(c) && c != '\n' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
