//! Whether a strategy can work between two platforms (design, section 5).

use super::World;
use crate::{
    diag::{Diagnostic, Diagnostics},
    model::PlatformKind,
    spec::{
        place::{Locate as _, Place},
        types::{MigrateSpec, Strategy},
    },
};

pub(super) fn check(world: &World<'_>, problems: &mut Diagnostics) {
    for (name, domain) in &world.spec.domains {
        let Some(migrate) = domain.migrate.as_ref().filter(|m| m.from != domain.platform) else { continue };
        let written = world.written.domains.get(name).and_then(|(_, d)| d.migrate.as_ref());
        let place = written.map(|m| m.value.strategy.as_ref().map_or(&m.place, |s| &s.place));
        if let (Some(source), Some(target), Some(place)) =
            (world.kind(&migrate.from), world.kind(&domain.platform), place)
        {
            judge(migrate, source, target, place, problems);
        }
    }
}

fn judge(migrate: &MigrateSpec, source: PlatformKind, target: PlatformKind, place: &Place, problems: &mut Diagnostics) {
    let (from, to) = (source.title(), target.title());
    let shared = source.shares_routing_with(target);
    let mut refuse = |code, message: String, help: &str| {
        problems.push(Diagnostic::error(code, message).locate(place, "this strategy").help(help));
    };
    match migrate.strategy {
        Strategy::Swap if !shared => refuse(
            "spec::swap-routing",
            format!("`swap` would bounce mail: {from} and {to} have different MX"),
            "a rename takes the address from the platform that the MX still names. Use `parallel`: the target is \
             created at the same address and the MX moves once the mail is there",
        ),
        Strategy::Stage if !shared => refuse(
            "spec::stage-routing",
            format!("`stage` is of no use between {from} and {to}, which have different MX"),
            "the address can exist on both sides. Use `parallel`: nothing has to be renamed",
        ),
        Strategy::Parallel if shared => refuse(
            "spec::parallel-routing",
            format!(
                "`parallel` cannot work: an address can exist only once across {from} and {to}, which share their MX"
            ),
            "use `swap`, or `stage` if the source cannot be renamed",
        ),
        Strategy::Swap if !renames(source) => refuse(
            "spec::swap-rename",
            format!("`swap` cannot work: {from} cannot rename an account"),
            "use `stage`: the target is filled under a provisional name and renamed into place",
        ),
        Strategy::Stage if !renames(target) => refuse(
            "spec::stage-rename",
            format!("`stage` cannot work: {to} cannot rename an account into place"),
            "use `swap`: the source gives the address away by a rename",
        ),
        _ => {}
    }
}

/// Whether accounts of that kind can change their address and keep their mail.
fn renames(kind: PlatformKind) -> bool {
    !matches!(kind, PlatformKind::OvhMxplanLegacy | PlatformKind::Imap)
}
