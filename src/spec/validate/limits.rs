//! What the target cannot hold: mailboxes over its limit, names it does not take.

use std::collections::BTreeMap;

use super::{
    World,
    accounts::Layers,
    provisional::{local_characters, local_limit},
};
use crate::{
    diag::{Diagnostic, Diagnostics},
    model::{Address, PlatformKind},
    spec::{
        place::{At, Locate as _, Place},
        raw::Size,
    },
};

/// The shortest local part on Email Pro, MX Plan and Zimbra (OVHcloud's guides to their first configuration).
const OVH_SHORTEST: usize = 2;

/// Quotas over a limit, by where they are written, by platform and by limit: a default is one finding.
type Over<'a> = BTreeMap<(&'a str, usize, &'static str, u64), (&'a At<Size>, Vec<&'a Address>)>;

pub(super) fn check(world: &World<'_>, problems: &mut Diagnostics) {
    let mut over = Over::new();
    for entry in world.present() {
        let Some(kind) = entry.platform().and_then(|p| world.kind(p)) else { continue };
        name(kind, entry.address, entry.place, problems);
        let quota = Layers::of(world, &entry).quota();
        let Some((limit, what)) = mailbox_limit(kind, entry.account.offer.as_deref()) else { continue };
        if let Some(quota) = quota.filter(|quota| quota.value.0 > limit.0) {
            let (file, offset) = quota.place.order();
            over.entry((file, offset, what, limit.0)).or_insert_with(|| (quota, Vec::new())).1.push(entry.address);
        }
    }
    for ((_, _, what, limit), (quota, accounts)) in over {
        let whose = match accounts.as_slice() {
            [one] => format!("`{one}`"),
            many => format!("{} accounts", many.len()),
        };
        let message = format!("{} for {whose} is more than {what} gives", quota.value.show());
        problems.push(
            Diagnostic::error("spec::quota-over-limit", message)
                .locate(&quota.place, format!("at most {}", Size(limit).show()))
                .help("lower the quota, or move the account to a platform with larger mailboxes"),
        );
    }
}

/// The largest mailbox of a platform, where it is fixed.
fn mailbox_limit(kind: PlatformKind, offer: Option<&str>) -> Option<(Size, &'static str)> {
    match kind {
        PlatformKind::OvhMxplan | PlatformKind::OvhMxplanLegacy => Some((Size::gib(5), "MX Plan")),
        PlatformKind::OvhEmailPro => Some((Size::gib(10), "Email Pro")),
        PlatformKind::OvhZimbra if offer.is_some_and(|o| o.eq_ignore_ascii_case("STARTER")) => {
            Some((Size::gib(15), "Zimbra Starter"))
        }
        _ => None,
    }
}

/// The documented rules for names. They are a warning: older accounts may break them.
fn name(kind: PlatformKind, address: &Address, place: &Place, problems: &mut Diagnostics) {
    let local = address.local();
    let limit = local_limit(kind);
    let fits = matches!(kind, PlatformKind::Imap | PlatformKind::OvhExchange)
        || ((OVH_SHORTEST..=limit).contains(&local.len()) && local_characters(kind, local));
    if !fits {
        let message = format!("{} may refuse to create `{address}`", kind.title());
        problems.push(Diagnostic::warning("spec::local-part", message).locate(place, "an unusual name").help(format!(
            "the part before the `@` has {OVH_SHORTEST} to {limit} letters, digits and a few of `.-_+`"
        )));
    }
}
