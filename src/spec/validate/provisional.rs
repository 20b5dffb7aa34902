//! Whether every account that moves has a provisional name that it can take.

use super::{Entry, World, claims::Claims};
use crate::{
    diag::{Diagnostic, Diagnostics},
    index::Index,
    model::{Address, Domain, PlatformKind},
    spec::{
        place::{Locate as _, Place},
        types::{MigrateSpec, Strategy},
    },
};

/// The longest local part on Email Pro, MX Plan and Zimbra (OVHcloud's guides to their first configuration), and
/// anywhere (RFC 5321 4.5.3.1.1).
const OVH_LOCAL: usize = 32;
const ANY_LOCAL: usize = 64;

/// The longest local part of an account on platforms of that kind. For Exchange no shorter limit is documented.
pub(super) fn local_limit(kind: PlatformKind) -> usize {
    if matches!(kind, PlatformKind::Imap | PlatformKind::OvhExchange) { ANY_LOCAL } else { OVH_LOCAL }
}

/// Whether platforms of that kind take a local part with those characters (the same guides).
pub(super) fn local_characters(kind: PlatformKind, local: &str) -> bool {
    let special = match kind {
        PlatformKind::Imap | PlatformKind::OvhExchange => return true,
        PlatformKind::OvhZimbra => ".+-_",
        _ => ".-_",
    };
    local.chars().all(|c| c.is_ascii_alphanumeric() || special.contains(c))
}

pub(super) fn check(world: &World<'_>, problems: &mut Diagnostics) {
    let claims = Claims::collect(world);
    let mut taken: Index<Address, (&Address, &Place)> = Index::default();
    for entry in world.present() {
        let Some(migrate) = entry.migration().filter(|m| m.strategy != Strategy::Parallel) else { continue };
        let Entry { address, place, .. } = entry;
        let provisional = match usable(world, &entry, migrate) {
            Ok(provisional) => provisional,
            Err(None) => continue,
            Err(Some((code, message))) => {
                let problem = Diagnostic::error(code, message).locate(place, "this account");
                let problem = wording(world, address.domain(), problem);
                problems.push(problem.help("choose a shorter or plainer `provisional`, such as \"{local}1\""));
                continue;
            }
        };
        if let Some((owner, other)) = claims.of(&provisional) {
            let message = format!("the provisional name `{provisional}` of `{address}` is taken by {}", owner.words());
            collision(message, place, other, problems);
        } else if let Some((first, other)) = taken.get(&provisional) {
            let message = format!("`{first}` and `{address}` would both have the provisional name `{provisional}`");
            collision(message, place, other, problems);
        } else {
            taken.insert(provisional, (address, place));
        }
    }
}

/// The provisional address; nothing when the wording itself is already reported.
fn usable(
    world: &World<'_>,
    entry: &Entry<'_>,
    migrate: &MigrateSpec,
) -> Result<Address, Option<(&'static str, String)>> {
    if !migrate.provisional.contains("{local}")
        || (migrate.provisional == "{local}" && migrate.provisional_domain.is_none())
    {
        return Err(None);
    }
    let address = entry.address;
    let local = migrate.provisional.replace("{local}", address.local());
    let holder = match migrate.strategy {
        Strategy::Stage => entry.platform(),
        _ => Some(&migrate.from),
    };
    let kind = holder.and_then(|platform| world.kind(platform));
    let limit = kind.map_or(ANY_LOCAL, local_limit);
    if local.len() > limit {
        let on = kind.map_or("a mail platform", PlatformKind::title);
        let message = format!(
            "the provisional name `{local}` of `{address}` has {} characters, and {on} takes {limit}",
            local.len()
        );
        return Err(Some(("spec::provisional-too-long", message)));
    }
    if let Some(kind) = kind.filter(|kind| local_characters(*kind, address.local()) && !local_characters(*kind, &local))
    {
        let message = format!("the provisional name `{local}` has characters that {} does not take", kind.title());
        return Err(Some(("spec::provisional-invalid", message)));
    }
    migrate.provisional_address(address).map_err(|error| {
        let message = format!("the provisional name of `{address}` is no address: {error}");
        Some(("spec::provisional-invalid", message))
    })
}

/// Adds where the wording of provisional names is, when it is written.
fn wording(world: &World<'_>, domain: &Domain, problem: Diagnostic) -> Diagnostic {
    let written = world.written.domains.get(domain).and_then(|(_, d)| d.migrate.as_ref());
    match written.and_then(|m| m.value.provisional.as_ref()) {
        Some(provisional) => problem.locate(&provisional.place, "named by this"),
        None => problem,
    }
}

fn collision(message: String, place: &Place, other: &Place, problems: &mut Diagnostics) {
    problems.push(
        Diagnostic::error("spec::provisional-taken", message)
            .locate(place, "this account")
            .locate(other, "and this")
            .help("choose another `provisional` for the domain, such as \"{local}.old\", or a `provisional_domain`"),
    );
}
