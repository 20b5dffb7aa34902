//! What stays behind: it exists, the spec does not speak of it, and it does not move by itself. Nothing is dropped in
//! silence, and many of one kind are one note.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    diag::plural,
    model::{
        AccountView, Address, Capabilities, Domain, GroupSupport, GroupView, NoteKind, PlatformId, PlatformKind,
        PlatformView, RedirectSupport,
    },
    spec::Strategy,
};

use super::{Ground, cutover::Busy, draft::Draft, world::World};

/// How many names or lines one note shows before it counts the rest.
const SHOWN: usize = 12;

/// Writes the notes.
pub(super) fn emit(ground: &Ground<'_, '_>, busy: &Busy, draft: &mut Draft) {
    accounts_left(ground.world, draft);
    hanging_on_sources(ground, draft);
    for (domain, migrate, target) in ground.world.migrations() {
        if &migrate.from == target {
            continue;
        }
        if let Some(view) = ground.world.platform(&migrate.from) {
            let origin = (&migrate.from, view);
            redirections(ground.world, (domain, target), origin, draft);
            groups(ground.world, (domain, target), origin, draft);
            footer(ground.world, domain, (&migrate.from, view), draft);
        }
    }
    not_mail(ground.world, busy, draft);
    message_sizes(ground, draft);
}

fn lines(all: Vec<String>) -> String {
    let more = all.len().saturating_sub(SHOWN);
    let mut out = all.into_iter().take(SHOWN).collect::<Vec<_>>().join("\n");
    if more > 0 {
        out.push_str(&format!("\n# and {more} more"));
    }
    out
}

pub(super) fn names<'n>(all: impl ExactSizeIterator<Item = &'n Address>) -> String {
    let more = all.len().saturating_sub(SHOWN);
    let shown = all.take(SHOWN).map(Address::unicode).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}

fn set<'n>(all: impl IntoIterator<Item = &'n Address>) -> String {
    all.into_iter().map(Address::to_string).collect::<Vec<_>>().join(", ")
}

/// Accounts in the spec's domains that the spec does not know, one note per platform.
fn accounts_left(world: &World<'_>, draft: &mut Draft) {
    for (platform, view) in &world.inventory.platforms {
        if !world.is_managed(platform) {
            continue;
        }
        let ours = |address: &Address| {
            world.wish(address).is_some()
                || world.source_owner(platform, address).is_some()
                || world.provisional_owner(address).is_some()
        };
        let inside = view.accounts.keys().filter(|a| world.domain(a.domain()).is_some());
        let left: Vec<&Address> = inside.filter(|a| !ours(a)).collect();
        if left.is_empty() {
            continue;
        }
        let message = match left.len() {
            1 => format!("1 account of {} is not in the spec: {}", world.title(platform), names(left.iter().copied())),
            n => format!(
                "{n} accounts of {} are not in the spec: {}",
                world.title(platform),
                names(left.iter().copied())
            ),
        };
        let help = Some("left alone; add them to `accounts:` to move them too".to_owned());
        draft.note(NoteKind::Unmanaged, "account-not-in-spec", platform.as_str(), message, help);
    }
}

/// Aliases and delegations of source accounts that the spec says nothing about.
fn hanging_on_sources(ground: &Ground<'_, '_>, draft: &mut Draft) {
    for case in &ground.cases.list {
        let Some(source) = &case.source else { continue };
        let Some(view) = source.view.filter(|_| source.platform != case.target) else { continue };
        let spoken_of = |a: &&Address| {
            let spec = ground.world.spec;
            ground.world.wants_alias(a)
                || ground.world.wish(a).is_some()
                || spec.redirections.contains_key(*a)
                || spec.groups.contains_key(*a)
        };
        let aliases: Vec<&Address> = view.aliases.iter().filter(|a| !spoken_of(a)).collect();
        if aliases.is_empty() && view.delegations.is_empty() {
            continue;
        }
        let key = case.address.key();
        let place = ground.world.title(source.platform);
        if !aliases.is_empty() {
            let message =
                format!("has aliases on {place} that the spec does not mention: {}", names(aliases.iter().copied()));
            let all = case.account.aliases.iter().flatten().chain(aliases);
            let help = format!("to move them too, write\naliases: [{}]", set(all));
            draft.note(NoteKind::Unmanaged, "alias-not-in-spec", &key, message, Some(help));
        }
        rights(ground.world, (&key, &place), view, case.account.delegates.is_some(), draft);
    }
}

fn rights(world: &World<'_>, (key, place): (&str, &str), view: &AccountView, managed: bool, draft: &mut Draft) {
    if managed || view.delegations.is_empty() {
        return;
    }
    let mut by_delegate: BTreeMap<&Address, Vec<&str>> = BTreeMap::new();
    for delegation in &view.delegations {
        by_delegate.entry(real(world, &delegation.to)).or_default().push(delegation.right.word());
    }
    let line = |(to, rights): (&Address, Vec<&str>)| format!("  - {{ to: {to}, rights: [{}] }}", rights.join(", "));
    let others = match by_delegate.len() {
        1 => "1 other has".to_owned(),
        n => format!("{n} others have"),
    };
    let message = format!("{others} rights on it on {place} that the spec does not mention");
    let yaml = lines(by_delegate.into_iter().map(line).collect());
    let help = Some(format!("to move them too, write\ndelegates:\n{yaml}"));
    draft.note(NoteKind::Unmanaged, "delegation-not-in-spec", key, message, help);
}

/// The name that an address of a source has in the spec: a provisional name stands for the account behind it.
fn real<'n>(world: &World<'n>, address: &'n Address) -> &'n Address {
    world.provisional_owner(address).unwrap_or(address)
}

type Origin<'o> = (&'o PlatformId, &'o PlatformView);

/// Where what is left over can go.
enum Way<'w> {
    /// To the target.
    Target,
    /// To another platform of the spec that has the domain.
    Via(&'w PlatformId),
    Nowhere,
}

/// Whether a platform with these capabilities takes something.
type Can = fn(&Capabilities) -> bool;

fn way<'w>(
    world: &World<'w>,
    (domain, target): (&Domain, &PlatformId),
    source: &PlatformId,
    (here, anywhere): (Can, Can),
) -> Way<'w> {
    if world.platform(target).is_none_or(|v| here(&v.capabilities)) {
        return Way::Target;
    }
    let mut others = world.inventory.platforms.iter().filter(|(id, _)| *id != source && *id != target);
    let takes = |(_, v): &(&PlatformId, &PlatformView)| anywhere(&v.capabilities) && v.domains.contains_key(domain);
    others.find(takes).map_or(Way::Nowhere, |(id, _)| Way::Via(id))
}

/// The kind of the note, and what to do: YAML where something takes it, else the facts alone.
fn advice(
    way: &Way<'_>,
    title: &str,
    (refusal, instead): (&str, &str),
    section: &str,
    (yaml, plain): (impl Fn(&str) -> Vec<String>, impl Fn() -> Vec<String>),
) -> (NoteKind, String) {
    match way {
        Way::Target => (NoteKind::Unmanaged, format!("to move them too, write\n{section}:\n{}", lines(yaml("")))),
        Way::Via(id) => {
            let yaml = lines(yaml(&format!(", via: {id}")));
            (NoteKind::Unsupported, format!("{title} {refusal}, and `{id}` does: write\n{section}:\n{yaml}"))
        }
        Way::Nowhere => (NoteKind::Unsupported, format!("{title} {refusal}: {instead}\n{}", lines(plain()))),
    }
}

fn redirections(
    world: &World<'_>,
    (domain, target): (&Domain, &PlatformId),
    (platform, view): Origin<'_>,
    draft: &mut Draft,
) {
    // A redirection can stand for an alias where accounts have none.
    let spoken_of = |a: &Address| world.spec.redirections.contains_key(a) || world.wants_alias(a);
    let left = view.redirections.iter().filter(|(a, _)| a.domain() == domain && !spoken_of(a));
    let rows: Vec<(&Address, String, bool)> =
        left.map(|(a, r)| (real(world, a), set(r.to.iter().map(|to| real(world, to))), r.keep_copy)).collect();
    if rows.is_empty() {
        return;
    }
    let message = format!("{} on {} not in the spec", plural(rows.len(), "redirection"), world.title(platform));
    let yaml = |via: &str| {
        let row = |(from, to, copy): &(&Address, String, bool)| {
            format!("  {from}: {{ to: [{to}]{}{via} }}", if *copy { ", keep_copy: true" } else { "" })
        };
        rows.iter().map(row).collect()
    };
    let plain = || {
        let row = |(from, to, copy): &(&Address, String, bool)| {
            format!("{from} to {to}{}", if *copy { ", with a copy kept" } else { "" })
        };
        rows.iter().map(row).collect()
    };
    let way = way(
        world,
        (domain, target),
        platform,
        (|c| c.redirections != RedirectSupport::None, |c| c.redirections == RedirectSupport::Any),
    );
    let words = ("takes none through its interface", "make inbox rules in its webmail");
    let (kind, help) = advice(&way, &world.title(target), words, "redirections", (yaml, plain));
    draft.note(kind, "redirection-not-in-spec", domain.as_str(), message, Some(help));
}

fn groups(
    world: &World<'_>,
    (domain, target): (&Domain, &PlatformId),
    (platform, view): Origin<'_>,
    draft: &mut Draft,
) {
    let left = view.groups.iter().filter(|(a, _)| a.domain() == domain && !world.spec.groups.contains_key(*a));
    let members = |g: &GroupView| set(g.members.iter().map(|m| real(world, m)));
    let rows: Vec<(&Address, String)> = left.map(|(a, g)| (a, members(g))).collect();
    if rows.is_empty() {
        return;
    }
    let message = format!("{} on {} not in the spec", plural(rows.len(), "group"), world.title(platform));
    let yaml = |via: &str| rows.iter().map(|(a, all)| format!("  {a}: {{ members: [{all}]{via} }}")).collect();
    let plain = || rows.iter().map(|(a, all)| format!("{a} with {all}")).collect();
    let has: Can = |c| c.groups != GroupSupport::None;
    let way = way(world, (domain, target), platform, (has, has));
    let words =
        ("has none", "mail to each ends with the old platform, unless a platform that has groups takes it over");
    let (kind, help) = advice(&way, &world.title(target), words, "groups", (yaml, plain));
    draft.note(kind, "group-not-in-spec", domain.as_str(), message, Some(help));
}

fn footer(world: &World<'_>, domain: &Domain, (platform, view): Origin<'_>, draft: &mut Draft) {
    let has = view.domains.get(domain).is_some_and(|d| d.footer.is_some());
    let spoken_of = world.domain(domain).is_some_and(|d| d.footer.is_some());
    if has && !spoken_of {
        let message = format!("the footer on {} is not in the spec", world.title(platform));
        let help = Some("to move it too, write `footer: { html: ... }` for the domain".to_owned());
        draft.note(NoteKind::Unmanaged, "footer-not-in-spec", domain.as_str(), message, help);
    }
}

/// What a mailbox has beside mail, for each domain whose mail is copied by this plan.
fn not_mail(world: &World<'_>, busy: &Busy, draft: &mut Draft) {
    let copied: BTreeSet<Domain> = draft
        .actions
        .iter()
        .filter_map(|a| match &a.work {
            crate::model::Work::Copy(work) => Some(work.account.domain().clone()),
            _ => None,
        })
        .collect();
    for (domain, migrate, target) in world.migrations() {
        if !copied.contains(domain) || !busy.contains(domain.as_str()) {
            continue;
        }
        let groupware = |p: &PlatformId| world.platform(p).is_some_and(|v| v.capabilities.groupware);
        if groupware(&migrate.from) {
            let message = format!("calendars and contacts of {} are not copied", world.title(&migrate.from));
            let help = if groupware(target) {
                "export them from the old mailbox (PST, ICS, VCF) and import them into the new one"
            } else {
                "export them (PST, ICS, VCF); the target keeps mail only"
            };
            let help = Some(help.to_owned());
            draft.note(NoteKind::Unsupported, "calendar-not-copied", domain.as_str(), message, help);
        }
        if world.kind(&migrate.from) == Some(PlatformKind::OvhZimbra) {
            let message =
                format!("mailing lists of {} cannot be read, so they do not move", world.title(&migrate.from));
            let help = "look for them in its console, and write them as `groups:` or `redirections:`".to_owned();
            draft.note(NoteKind::Info, "lists-not-read", domain.as_str(), message, Some(help));
        }
        if world.is_managed(&migrate.from) {
            let message = answers(world, domain, &migrate.from);
            let help = match migrate.strategy {
                Strategy::Swap | Strategy::Stage => "tell users to set them again in the new webmail",
                Strategy::Parallel => "tell users to set them again before the MX moves",
            };
            let help = Some(help.to_owned());
            draft.note(NoteKind::Info, "responders-not-copied", domain.as_str(), message, help);
        }
    }
}

/// What is known of automatic replies, and what is not.
fn answers(world: &World<'_>, domain: &Domain, source: &PlatformId) -> String {
    let view = world.platform(source);
    let Some(told) = view.and_then(|v| v.responders.as_ref()) else {
        return "automatic replies, inbox rules and signatures cannot be read, so they do not move".to_owned();
    };
    let answering: Vec<&Address> = told.iter().filter(|a| a.domain() == domain).collect();
    let accounts = view.into_iter().flat_map(|v| &v.accounts);
    let filtered: Vec<&Address> =
        accounts.filter(|(a, seen)| a.domain() == domain && !seen.filters.is_empty()).map(|(a, _)| a).collect();
    let list = |what: &str, found: Vec<&Address>| match found.len() {
        0 => format!("no {what}"),
        _ => format!("{what} of {}", names(found.into_iter())),
    };
    format!(
        "what {} does with mail by itself does not move: {}; {}; signatures cannot be read",
        world.title(source),
        list("automatic replies", answering),
        list("filters", filtered)
    )
}

/// Targets that say how large a message may be: larger ones are found while copying.
fn message_sizes(ground: &Ground<'_, '_>, draft: &mut Draft) {
    let mut limits: BTreeMap<&PlatformId, u64> = BTreeMap::new();
    for case in ground.cases.list.iter().filter(|c| c.source.is_some()) {
        let view = ground.world.open_mailbox(case.target, case.working_name());
        // Where the source was looked into, what is too large is told message by message.
        let looked = case.source.as_ref().is_some_and(|s| ground.world.open_mailbox(s.platform, &s.now).is_some());
        if let Some(limit) = view.and_then(|v| v.append_limit).filter(|_| !looked) {
            let lowest = limits.entry(case.target).or_insert(limit);
            *lowest = limit.min(*lowest);
        }
    }
    let copies = draft.actions.iter().any(|a| matches!(a.work, crate::model::Work::Copy(_)));
    for (platform, limit) in limits.into_iter().filter(|_| copies) {
        let limit = crate::diag::size(limit);
        let message = format!(
            "{} takes messages up to {limit}; larger ones are reported by the copy",
            ground.world.title(platform)
        );
        draft.note(NoteKind::Info, "message-size-limit", platform.as_str(), message, None);
    }
}
