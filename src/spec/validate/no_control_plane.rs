//! What a plain IMAP host cannot have: there is no interface to create, delete or change anything but mail.

use std::collections::BTreeSet;

use super::{World, accounts::Layers};
use crate::{
    diag::{Diagnostic, Diagnostics},
    model::{Address, PlatformId, PlatformKind},
    spec::{
        place::{Locate as _, Place},
        raw::{Account, Password, SourceAccess},
        types::{Presence, SourceFate},
    },
};

pub(super) fn check(world: &World<'_>, problems: &mut Diagnostics) {
    domains(world, problems);
    let imap = |platform: Option<&PlatformId>| platform.and_then(|p| world.kind(p)) == Some(PlatformKind::Imap);
    for entry in world.accounts().filter(|entry| imap(entry.platform())) {
        account(entry.address, entry.own, problems);
    }
    passwords(world, problems);
    for (address, spec) in &world.spec.redirections {
        let platform = spec.via.as_ref().or_else(|| world.spec.platform_of(address));
        if let Some((place, _)) = world.written.redirections.get(address).filter(|_| imap(platform)) {
            refuse("redirections", place, "name another platform with `via`", problems);
        }
    }
    for (address, spec) in &world.spec.groups {
        let platform = spec.via.as_ref().or_else(|| world.spec.platform_of(address));
        if let Some((place, _)) = world.written.groups.get(address).filter(|_| imap(platform)) {
            refuse("groups", place, "name another platform with `via`", problems);
        }
    }
    for (address, spec) in &world.spec.contacts {
        if let Some((place, _)) = world.written.contacts.get(address).filter(|_| imap(Some(&spec.platform))) {
            refuse("contacts", place, "name another platform", problems);
        }
    }
}

fn refuse(what: &str, place: &Place, help: &str, problems: &mut Diagnostics) {
    problems.push(
        Diagnostic::error("spec::not-for-kind", format!("a plain IMAP host has no {what}"))
            .locate(place, "not through IMAP")
            .help(help),
    );
}

fn domains(world: &World<'_>, problems: &mut Diagnostics) {
    for (name, (_, raw)) in &world.written.domains {
        let Some(spec) = world.spec.domains.get(name) else { continue };
        if world.kind(&spec.platform) == Some(PlatformKind::Imap) {
            let fields = [
                ("domain types", raw.kind.as_ref().map(|f| &f.place)),
                ("relays", raw.mx_relay.as_ref().map(|f| &f.place)),
                ("footers", raw.footer.as_ref().map(|f| &f.place)),
                (
                    "domains that could be removed",
                    raw.state.as_ref().filter(|s| s.value == Presence::Absent).map(|f| &f.place),
                ),
            ];
            for (what, place) in fields.into_iter().filter_map(|(what, place)| place.map(|place| (what, place))) {
                refuse(what, place, "set it up on the host itself, and drop it here", problems);
            }
        }
        let Some(migrate) = spec.migrate.as_ref().filter(|m| world.kind(&m.from) == Some(PlatformKind::Imap)) else {
            continue;
        };
        let fate = raw.migrate.as_ref().and_then(|m| m.value.source.as_ref());
        if let Some(fate) = fate.filter(|_| migrate.source == SourceFate::Reset) {
            refuse("accounts that could be reset", &fate.place, "use `source: keep`", problems);
        }
    }
}

fn account(address: &Address, own: &Account, problems: &mut Diagnostics) {
    let fields = [
        ("aliases", own.aliases.as_ref().map(|f| &f.place)),
        ("delegates", own.delegates.as_ref().map(|f| &f.place)),
        ("quotas that could be set", own.quota.as_ref().map(|f| &f.place)),
        ("directory", own.hidden.as_ref().map(|f| &f.place)),
        ("slots", own.slot.as_ref().map(|f| &f.place)),
        ("offers", own.offer.as_ref().map(|f| &f.place)),
        (
            "accounts that could be deleted",
            own.state.as_ref().filter(|s| s.value == Presence::Absent).map(|f| &f.place),
        ),
    ];
    let help = format!("set up `{address}` on the host itself, and drop it here");
    for (what, place) in fields.into_iter().filter_map(|(what, place)| place.map(|place| (what, place))) {
        refuse(what, place, &help, problems);
    }
}

/// Passwords can be set and reset only where there is an interface for it. A default is one finding.
fn passwords(world: &World<'_>, problems: &mut Diagnostics) {
    let mut seen = BTreeSet::new();
    for entry in world.accounts() {
        let layers = Layers::of(world, &entry);
        let migrate = entry.migration();
        let target = entry.platform().and_then(|p| world.kind(p)) == Some(PlatformKind::Imap);
        let password = if migrate.is_some() { layers.password() } else { entry.own.password.as_ref() };
        if let Some(Password::Generate { place, .. }) = password.filter(|_| target).map(|p| &p.value)
            && seen.insert(place.order())
        {
            let help = "its accounts exist already: give the present password, `password: { env: NEW_PASSWORD }`";
            refuse("passwords that could be set", place, help, problems);
        }
        let source = migrate.and_then(|m| world.kind(&m.from)) == Some(PlatformKind::Imap);
        if let Some(SourceAccess::Reset { place, .. }) = layers.source_password().filter(|_| source).map(|p| &p.value)
            && seen.insert(place.order())
        {
            let help =
                "give the present password, `source_password: { env: OLD_PASSWORD }`, or the platform an `admin`";
            refuse("passwords that could be reset", place, help, problems);
        }
    }
}
