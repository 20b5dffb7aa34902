//! Domains: their platforms, migrations, DNS and footers.

use super::{World, absent::absent_with, known_platform, template, zones};
use crate::{
    diag::{Diagnostic, Diagnostics},
    model::{Domain, Footer, PlatformId, PlatformKind},
    spec::{
        place::{At, Locate as _},
        raw,
        types::{DomainSpec, FooterSpec, MigrateSpec, OVH_ZONE, Presence, SourceFate, Strategy},
    },
};

/// The provisional local part of a spec that does not say one.
const PROVISIONAL: &str = "{local}01";

pub(super) fn build(world: &mut World<'_>, problems: &mut Diagnostics) {
    for (name, (place, raw)) in &world.written.domains {
        let Some(platform) = &raw.platform else {
            if raw.broken.has("platform") {
                continue;
            }
            problems.push(
                Diagnostic::error("spec::missing-field", format!("the domain `{name}` does not say its platform"))
                    .locate(place, "no `platform`")
                    .help("name the platform that its accounts should be on: `platform: ...`"),
            );
            continue;
        };
        known_platform(&world.written, &platform.value, &platform.place, problems);
        let state = raw.state.as_ref().map(|s| s.value).unwrap_or_default();
        if state == Presence::Absent {
            absent(name, raw, problems);
        }
        let target = PlatformId::from(platform.value.as_str());
        let migrate = raw.migrate.as_ref().and_then(|migrate| migration(world, &target, migrate, problems));
        let dns = raw.dns.as_ref().map(|dns| zones::dns_of(dns, problems)).unwrap_or_default();
        let manage = raw.dns.as_ref().and_then(|dns| dns.value.manage.as_ref());
        if let Some(manage) = manage.filter(|m| m.value == OVH_ZONE) {
            zone_credentials(world, [Some(&target), migrate.as_ref().map(|m| &m.from)], manage, problems);
        }
        world.spec.domains.insert(
            name.clone(),
            DomainSpec {
                platform: target,
                state,
                kind: raw.kind.as_ref().map(|k| k.value),
                mx_relay: raw.mx_relay.as_ref().map(|r| r.value.clone()),
                migrate,
                dns,
                footer: raw.footer.as_ref().and_then(|footer| footer_of(footer, problems)),
            },
        );
    }
}

fn absent(name: &Domain, raw: &raw::Domain, problems: &mut Diagnostics) {
    let wishes = [
        ("type", raw.kind.as_ref().map(|f| &f.place)),
        ("mx_relay", raw.mx_relay.as_ref().map(|f| &f.place)),
        ("migrate", raw.migrate.as_ref().map(|f| &f.place)),
        ("dns", raw.dns.as_ref().map(|f| &f.place)),
        ("footer", raw.footer.as_ref().map(|f| &f.place)),
        ("defaults", raw.defaults.as_ref().map(|f| &f.place)),
    ];
    absent_with(&format!("the domain `{name}`"), raw.state.as_ref().map(|s| &s.place), &wishes, problems);
}

fn migration(
    world: &World<'_>,
    target: &PlatformId,
    migrate: &At<raw::Migrate>,
    problems: &mut Diagnostics,
) -> Option<MigrateSpec> {
    let raw = &migrate.value;
    let Some(from) = &raw.from else {
        if raw.broken.has("from") {
            return None;
        }
        let missing = Diagnostic::error("spec::missing-field", "`migrate` does not say where the accounts come from");
        problems.push(missing.locate(&migrate.place, "no `from`").help("name the platform they are on: `from: ...`"));
        return None;
    };
    if !known_platform(&world.written, &from.value, &from.place, problems) {
        return None;
    }
    let source = PlatformId::from(from.value.as_str());
    if source == *target {
        problems.push(
            Diagnostic::error("spec::migrate-same-platform", format!("`{source}` is the domain's own platform"))
                .locate(&from.place, "source and target are the same")
                .help("`platform` is where the accounts should be, `migrate.from` where they are now"),
        );
    }
    let provisional = raw.provisional.as_ref().map_or(PROVISIONAL, |p| p.value.as_str()).to_owned();
    if let Some(written) = &raw.provisional {
        template::check_provisional(written, raw.provisional_domain.is_some(), problems);
    }
    let kinds = (world.kind(&source), world.kind(target));
    Some(MigrateSpec {
        from: source,
        strategy: raw.strategy.as_ref().map_or_else(|| usual(kinds), |s| s.value),
        provisional,
        provisional_domain: raw.provisional_domain.as_ref().map(|d| d.value.clone()),
        source: raw.source.as_ref().map_or(SourceFate::Keep, |s| s.value),
    })
}

/// The strategy of a spec that does not say one (design, section 5).
fn usual(kinds: (Option<PlatformKind>, Option<PlatformKind>)) -> Strategy {
    match kinds {
        (Some(source), Some(target)) if !source.shares_routing_with(target) => Strategy::Parallel,
        (Some(PlatformKind::OvhMxplanLegacy), _) => Strategy::Stage,
        _ => Strategy::Swap,
    }
}

/// A zone is written through the API of a platform of the domain.
fn zone_credentials(
    world: &World<'_>,
    platforms: [Option<&PlatformId>; 2],
    manage: &At<String>,
    problems: &mut Diagnostics,
) {
    let kinds: Vec<_> = platforms.into_iter().flatten().map(|id| world.kind(id)).collect();
    if kinds.iter().all(|kind| *kind == Some(PlatformKind::Imap)) {
        problems.push(
            Diagnostic::error("spec::credentials", "nobody could write the zone")
                .locate(&manage.place, "needs a platform with credentials of the API")
                .help("leave `manage` out: records are then checked, and you are shown what to change"),
        );
    }
}

fn footer_of(footer: &At<raw::Footer>, problems: &mut Diagnostics) -> Option<FooterSpec> {
    let raw = &footer.value;
    let state = raw.state.as_ref().map(|s| s.value).unwrap_or_default();
    if state == Presence::Absent {
        let wishes = [
            ("html", raw.html.as_ref().map(|f| &f.place)),
            ("outside_only", raw.outside_only.as_ref().map(|f| &f.place)),
        ];
        absent_with("the footer", raw.state.as_ref().map(|s| &s.place), &wishes, problems);
        return Some(FooterSpec::Absent);
    }
    let Some(html) = &raw.html else {
        if raw.broken.has("html") {
            return None;
        }
        let missing = Diagnostic::error("spec::missing-field", "the footer has no text");
        problems.push(missing.locate(&footer.place, "no `html`").help("give `html`, or `state: absent` for no footer"));
        return None;
    };
    let outside_only = raw.outside_only.as_ref().is_some_and(|o| o.value);
    Some(FooterSpec::Present(Footer { html: html.value.clone(), outside_only }))
}
