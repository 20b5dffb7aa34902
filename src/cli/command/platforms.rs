//! `rehome platforms`: what each platform can hold, from the same data the planner decides by.

use comfy_table::{Table, presets::UTF8_HORIZONTAL_ONLY};

use crate::{
    cli::{args::Format, context::Context, failure::Failure},
    diag::Exit,
    model::{Capabilities, CreateBy, GroupSupport, PlatformKind, RedirectSupport, Right},
    provider::capabilities_of,
};

/// Prints the table.
pub(super) fn run(context: &Context) -> Result<Exit, Failure> {
    let columns: Vec<_> = PlatformKind::ALL.into_iter().map(|kind| (kind, capabilities_of(kind))).collect();
    let text = match context.global.format {
        Format::Json => {
            let map: std::collections::BTreeMap<_, _> = columns.iter().map(|(k, c)| (k.word(), c)).collect();
            format!("{}\n", serde_json::to_string_pretty(&map).unwrap_or_default())
        }
        Format::Human | Format::Html => human(&columns),
        Format::Markdown => markdown(&columns),
    };
    context.answer(&text)?;
    Ok(Exit::Ok)
}

fn human(columns: &[(PlatformKind, Capabilities)]) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY);
    table.set_header(header(columns));
    for row in rows(columns) {
        table.add_row(row);
    }
    format!("{table}\n\nWhat a platform cannot hold is listed in every plan, with what to do about it.\n")
}

fn markdown(columns: &[(PlatformKind, Capabilities)]) -> String {
    let head = header(columns);
    let mut out = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    for row in rows(columns) {
        out.push_str(&format!("| {} |\n", row.join(" | ")));
    }
    out
}

fn header(columns: &[(PlatformKind, Capabilities)]) -> Vec<String> {
    std::iter::once(String::new()).chain(columns.iter().map(|(kind, _)| kind.word().to_owned())).collect()
}

type Cell = fn(&Capabilities) -> String;

fn rows(columns: &[(PlatformKind, Capabilities)]) -> Vec<Vec<String>> {
    let rows: [(&str, Cell); 14] = [
        ("add domains", |c| yes(c.domains)),
        ("new accounts", |c| created(c.create).to_owned()),
        ("rename, mail stays", |c| yes(c.rename)),
        ("empty or delete", |c| yes(c.reset)),
        ("set passwords", |c| yes(c.set_password)),
        ("aliases", |c| yes(c.aliases)),
        ("redirections", |c| redirected(c.redirections).to_owned()),
        ("groups", |c| grouped(c.groups).to_owned()),
        ("full access", |c| yes(c.delegations.contains(&Right::FullAccess))),
        ("send as, on behalf", |c| yes(c.delegations.contains(&Right::SendAs))),
        ("external contacts", |c| yes(c.contacts)),
        ("footers", |c| yes(c.footers)),
        ("calendars", |c| if c.groupware { "not copied".to_owned() } else { "-".to_owned() }),
        ("largest mailbox", |c| c.mailbox_limit.map_or_else(|| "-".to_owned(), |n| format!("{} GB", n >> 30))),
    ];
    let line = |(name, cell): &(&str, Cell)| {
        std::iter::once((*name).to_owned()).chain(columns.iter().map(|(_, c)| cell(c))).collect()
    };
    rows.iter().map(line).collect()
}

fn yes(can: bool) -> String {
    if can { "yes" } else { "-" }.to_owned()
}

fn created(by: CreateBy) -> &'static str {
    match by {
        CreateBy::Request => "on request",
        CreateBy::Slot => "fill a slot",
        CreateBy::Never => "-",
    }
}

fn redirected(how: RedirectSupport) -> &'static str {
    match how {
        RedirectSupport::None => "-",
        RedirectSupport::AccountForward => "of an account",
        RedirectSupport::Any => "any address",
    }
}

fn grouped(how: GroupSupport) -> &'static str {
    match how {
        GroupSupport::None => "-",
        GroupSupport::Directory => "directory",
        GroupSupport::List => "mailing list",
    }
}
