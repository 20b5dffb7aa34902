//! Observed objects as YAML in the words of a spec.

use std::{collections::BTreeSet, fmt::Write as _};

use crate::model::{
    AccountView, Address, ContactView, DomainType, Footer, GroupJoin, GroupLeave, GroupSettings, GroupView, Inventory,
    PlatformView, RedirectionView,
};

/// The keys of one block, each with its value as it is written.
pub(super) type Fields = Vec<(&'static str, String)>;

/// Everything in an inventory, platform by platform, in an order that depends on names alone.
#[must_use]
pub fn inventory_yaml(inventory: &Inventory) -> String {
    let mut out = String::new();
    for (id, view) in &inventory.platforms {
        let _ = writeln!(out, "{}:", scalar(id.as_str()));
        section(
            &mut out,
            "domains",
            view.domains.iter().map(|(name, d)| {
                let mut fields = domain_fields(d.kind, d.mx_relay.as_deref());
                fields.extend(d.footer.as_ref().map(|f| ("footer", footer(f))));
                (name.unicode().into_owned(), fields)
            }),
        );
        section(&mut out, "accounts", view.accounts.iter().map(|(a, seen)| (a.to_string(), account_fields(seen))));
        let redirections = view.redirections.iter();
        section(&mut out, "redirections", redirections.map(|(a, r)| (a.to_string(), redirection_fields(r))));
        section(&mut out, "groups", view.groups.iter().map(|(a, g)| (a.to_string(), group_fields(g))));
        section(&mut out, "contacts", view.contacts.iter().map(|(a, c)| (a.to_string(), contact_fields(c))));
    }
    out
}

fn section(out: &mut String, title: &str, objects: impl Iterator<Item = (String, Fields)>) {
    let mut begun = false;
    for (name, fields) in objects {
        if !std::mem::replace(&mut begun, true) {
            let _ = writeln!(out, "  {title}:");
        }
        let _ = writeln!(out, "    {}:", scalar(&name));
        for (key, value) in fields {
            let _ = writeln!(out, "      {key}: {value}");
        }
    }
}

/// A text as YAML takes it for that text, in a block and inside brackets.
#[must_use]
pub fn scalar(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || " @._-+/()$=~".contains(c);
    let first = |c: char| c.is_alphanumeric() || c == '/' || c == '_';
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let is_plain = text.chars().all(plain)
        && text.starts_with(first)
        && !text.ends_with(' ')
        && !words.contains(&text.to_ascii_lowercase().as_str())
        && !text.starts_with(|c: char| c.is_ascii_digit() && text.parse::<f64>().is_ok());
    // Digits with colons, dots or underscores have meanings of their own in some readers.
    let number = text.starts_with(|c: char| c.is_ascii_digit()) && !text.contains('@') && !text.contains(' ');
    if is_plain && !number { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

/// A list on one line.
pub(super) fn list<'t>(items: impl IntoIterator<Item = &'t Address>) -> String {
    let items: Vec<String> = items.into_iter().map(|a| scalar(&a.to_string())).collect();
    format!("[{}]", items.join(", "))
}

/// A block on one line.
pub(super) fn inline(fields: &Fields) -> String {
    let parts: Vec<String> = fields.iter().map(|(key, value)| format!("{key}: {value}")).collect();
    format!("{{ {} }}", parts.join(", "))
}

pub(super) fn domain_fields(kind: Option<DomainType>, relay: Option<&str>) -> Fields {
    let mut out = Fields::new();
    match kind {
        Some(DomainType::Authoritative) => out.push(("type", "authoritative".to_owned())),
        Some(DomainType::NonAuthoritative) => out.push(("type", "non-authoritative".to_owned())),
        None => {}
    }
    out.extend(relay.map(|relay| ("mx_relay", scalar(relay))));
    out
}

pub(super) fn footer(footer: &Footer) -> String {
    inline(&vec![("html", scalar(&footer.html)), ("outside_only", footer.outside_only.to_string())])
}

/// A size with the largest unit that leaves no fraction; `None` where no unit does.
pub(super) fn quota(octets: u64) -> Option<String> {
    let units = [(30, "GB"), (20, "MB"), (10, "KB")];
    let unit = units.into_iter().find(|(shift, _)| octets > 0 && octets.is_multiple_of(1u64 << shift));
    unit.map(|(shift, unit)| format!("{} {unit}", octets >> shift))
}

pub(super) fn account_fields(seen: &AccountView) -> Fields {
    let p = &seen.profile;
    let mut out = Fields::new();
    out.extend(p.display_name.as_deref().map(|v| ("name", scalar(v))));
    out.extend(p.first_name.as_deref().map(|v| ("first_name", scalar(v))));
    out.extend(p.last_name.as_deref().map(|v| ("last_name", scalar(v))));
    out.extend(p.quota_octets.and_then(quota).map(|v| ("quota", v)));
    out.extend(p.hidden.map(|v| ("hidden", v.to_string())));
    if !seen.aliases.is_empty() {
        out.push(("aliases", list(&seen.aliases)));
    }
    if !seen.delegations.is_empty() {
        out.push(("delegates", delegates(seen)));
    }
    out
}

fn delegates(seen: &AccountView) -> String {
    let to: BTreeSet<&Address> = seen.delegations.iter().map(|d| &d.to).collect();
    let one = |to: &Address| {
        let rights = seen.delegations.iter().filter(|d| d.to == *to).map(|d| d.right.word());
        format!("{{ to: {}, rights: [{}] }}", scalar(&to.to_string()), rights.collect::<Vec<_>>().join(", "))
    };
    format!("[{}]", to.into_iter().map(one).collect::<Vec<_>>().join(", "))
}

pub(super) fn redirection_fields(seen: &RedirectionView) -> Fields {
    vec![("to", list(&seen.to)), ("keep_copy", seen.keep_copy.to_string())]
}

pub(super) fn group_fields(seen: &GroupView) -> Fields {
    let mut out = settings_fields(&seen.settings);
    out.push(("members", list(&seen.members)));
    if !seen.managers.is_empty() {
        out.push(("managers", list(&seen.managers)));
    }
    out
}

fn settings_fields(settings: &GroupSettings) -> Fields {
    let mut out = Fields::new();
    out.extend(settings.display_name.as_deref().map(|v| ("name", scalar(v))));
    out.extend(settings.members_only.map(|v| ("members_only", v.to_string())));
    out.extend(settings.join.map(|v| {
        let word = match v {
            GroupJoin::Open => "open",
            GroupJoin::Closed => "closed",
            GroupJoin::Approval => "approval",
        };
        ("join", word.to_owned())
    }));
    out.extend(settings.leave.map(|v| {
        let word = match v {
            GroupLeave::Open => "open",
            GroupLeave::Closed => "closed",
        };
        ("leave", word.to_owned())
    }));
    out.extend(settings.hidden.map(|v| ("hidden", v.to_string())));
    out.extend(settings.max_receive_mb.map(|v| ("max_receive_mb", v.to_string())));
    out
}

pub(super) fn contact_fields(seen: &ContactView) -> Fields {
    let mut out = Fields::new();
    out.extend(seen.display_name.as_deref().map(|v| ("name", scalar(v))));
    out.extend(seen.first_name.as_deref().map(|v| ("first_name", scalar(v))));
    out.extend(seen.last_name.as_deref().map(|v| ("last_name", scalar(v))));
    out.extend(seen.hidden.map(|v| ("hidden", v.to_string())));
    out
}

/// The gaps of a listing as comments.
pub(super) fn gaps(view: &PlatformView) -> String {
    let mut out = String::new();
    for gap in &view.gaps {
        let subject = if gap.subject.is_empty() { String::new() } else { format!(" of {}", gap.subject) };
        let reason = super::style::clean(&gap.reason).replace('\n', " ");
        let _ = writeln!(out, "# not listed completely ({:?}{subject}): {reason}", gap.class);
    }
    out
}
