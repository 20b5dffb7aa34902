//! What must hold before the first effect of an account; everything that does not is told at once.

use crate::diag::size;
use crate::model::{AccountView, Address, Capabilities, CreateBy, LoginView, NoteKind, ObjectState, PlatformId};

use super::{
    claims,
    decide::{Case, Free},
    domains::{self, Gates},
    draft::Block,
    mail::{self, Need},
    victims,
    world::World,
};

/// Every reason why nothing can be planned for an account; empty when it can.
pub(super) fn preflight(world: &World<'_>, gates: &Gates<'_>, case: &Case<'_>) -> Vec<Block> {
    let mut out = Vec::new();
    if !case.moves() && case.need != Need::Copy {
        return out;
    }
    out.extend(gates.shut(world, case.address.domain(), case.target));
    if let Some(name) = &case.create {
        out.extend(can_create(world, case, name));
    }
    if case.stage.is_some() {
        let can = capability(world, case.target, |c| c.rename);
        out.extend((!can).then(|| cannot_rename(world, case.target, case, "`strategy: swap` or `parallel`")));
    }
    out.extend(source_side(world, case));
    out.extend(object_state(world, case.target, case.working_name(), case.seen));
    if case.need == Need::Copy {
        out.extend(mail_side(world, case));
    }
    out
}

fn capability(world: &World<'_>, platform: &PlatformId, has: impl Fn(&Capabilities) -> bool) -> bool {
    world.platform(platform).is_some_and(|v| has(&v.capabilities))
}

/// Whether accounts of a platform fill slots.
pub(super) fn by_slot(world: &World<'_>, platform: &PlatformId) -> bool {
    capability(world, platform, |c| c.create == CreateBy::Slot)
}

fn cannot_rename(world: &World<'_>, platform: &PlatformId, case: &Case<'_>, instead: &str) -> Block {
    Block::of(
        format!("{}", case.address.domain()),
        "rename-not-supported",
        format!("{} cannot rename an account", world.title(platform)),
        format!("use {instead} for this domain"),
    )
}

fn can_create(world: &World<'_>, case: &Case<'_>, name: &crate::model::Address) -> Vec<Block> {
    let mut out = Vec::new();
    let platform = world.title(case.target);
    if capability(world, case.target, |c| c.create == CreateBy::Never) {
        out.push(Block::of(
            case.target.as_str(),
            "create-not-supported",
            format!("{platform} cannot make accounts through its interface"),
            "make them by hand on the platform, then plan again",
        ));
    }
    if case.account.password.is_none() {
        out.push(Block::own(
            "password-missing",
            format!("{} has to be made on {platform} and the spec gives no password for it", name.unicode()),
            "add `password: { generate: { deliver: { file: ... } } }` or a reference to a secret",
        ));
    }
    let unfit = world.inventory.unfit_passwords.get(&(case.target.clone(), case.address.clone()));
    out.extend(unfit.map(|why| {
        Block::own(
            "password-unusable",
            format!("{platform} will not take the password that is given for {}: {why}", name.unicode()),
            "give another one, or let rehome `generate` it",
        )
    }));
    out.extend(too_long(world, case.target, name));
    out.extend(size_not_offered(world, case));
    // In `stage` the real address is taken later; what stands in its way is looked at all the same.
    let stage = case.stage.is_some().then_some(case.address);
    for wanted in [name].into_iter().chain(stage) {
        out.extend(claims::way(world, wanted, case.target, case.address).err());
    }
    out
}

/// The size that a platform gives for the wished one. Where only some are offered, `5 GB` is the one that the platform
/// calls so, in whichever way it counts.
pub(super) fn offered(world: &World<'_>, case: &Case<'_>) -> Option<u64> {
    const UNITS: [(u128, u128); 3] = [(1 << 30, 1_000_000_000), (1 << 20, 1_000_000), (1 << 10, 1_000)];
    let wished = case.account.profile.quota_octets?;
    let Some(sizes) = world.platform(case.target).map(|v| &v.mailbox_sizes).filter(|all| !all.is_empty()) else {
        return Some(wished);
    };
    let in_decimal = UNITS.iter().filter_map(|(binary, decimal)| {
        let scaled = u128::from(wished) * decimal;
        (scaled % binary == 0).then(|| u64::try_from(scaled / binary).ok()).flatten()
    });
    std::iter::once(wished).chain(in_decimal).find(|octets| sizes.contains(octets))
}

pub(super) fn size_not_offered(world: &World<'_>, case: &Case<'_>) -> Option<Block> {
    let wished = case.account.profile.quota_octets?;
    let sizes = &world.platform(case.target)?.mailbox_sizes;
    offered(world, case).is_none().then(|| {
        let offered = sizes.iter().map(|octets| size(*octets)).collect::<Vec<_>>().join(", ");
        Block::own(
            "mailbox-size-not-offered",
            format!("{} gives no mailbox of {}: it has {offered}", world.title(case.target), size(wished)),
            "write one of these as `quota:`, or leave it out for the usual one",
        )
    })
}

fn too_long(world: &World<'_>, platform: &PlatformId, name: &crate::model::Address) -> Option<Block> {
    let limit = usize::from(world.platform(platform)?.capabilities.local_part_limit);
    let long = name.local().len() > limit;
    long.then(|| {
        Block::own(
            "local-part-too-long",
            format!(
                "`{}` has {} characters and {} takes {limit} before the @",
                name.local(),
                name.local().len(),
                world.title(platform)
            ),
            "choose a shorter address or `provisional:` pattern",
        )
    })
}

fn source_side(world: &World<'_>, case: &Case<'_>) -> Vec<Block> {
    let mut out = Vec::new();
    let Some(source) = &case.source else { return out };
    out.extend(domains::unavailable(world, source.platform));
    let freed = case.stage.as_ref().and_then(|s| s.free.as_ref());
    let renamed = match (&case.park, freed) {
        (Some((_, to)), _) | (None, Some(Free::Rename { to, .. })) => Some(to),
        (None, Some(Free::Reset { address })) => {
            out.extend(world.is_protected(case.address).then(|| protected(world, source.platform, address)));
            None
        }
        (None, None) => None,
    };
    if let Some(to) = renamed {
        let can = capability(world, source.platform, |c| c.rename);
        out.extend((!can).then(|| cannot_rename(world, source.platform, case, "`strategy: stage`")));
        out.extend(too_long(world, source.platform, to));
    }
    out.extend(object_state(world, source.platform, &source.now, source.view));
    out
}

fn protected(world: &World<'_>, platform: &PlatformId, address: &crate::model::Address) -> Block {
    Block::own(
        "protected",
        format!(
            "{} is protected, and {} can free the address only by deleting the account",
            address.unicode(),
            world.title(platform)
        ),
        "take the protection back in its own reviewed step, or choose a source that can rename",
    )
}

fn object_state(
    world: &World<'_>,
    platform: &PlatformId,
    address: &Address,
    view: Option<&AccountView>,
) -> Option<Block> {
    let (state, title) = (&view?.state, world.title(platform));
    let address = address.identity();
    match state {
        ObjectState::Ok => None,
        ObjectState::Busy => Some(
            Block::own("object-busy", format!("a task runs on {address} on {title}"), "plan again in a few minutes")
                .told_as(NoteKind::Waiting),
        ),
        ObjectState::Waiting => Some(
            Block::own(
                "object-waiting",
                format!("{address} on {title} waits for something outside"),
                "look at the account on the platform, then plan again",
            )
            .told_as(NoteKind::Waiting),
        ),
        ObjectState::Unavailable(word) => Some(Block::own(
            "object-unavailable",
            format!("{address} on {title} cannot be changed ({word})"),
            "solve it on the platform and plan again",
        )),
    }
}

fn mail_side(world: &World<'_>, case: &Case<'_>) -> Vec<Block> {
    let mut out = Vec::new();
    let Some(source) = &case.source else { return out };
    let source_way = mail::source_access(world, case);
    let target_way = mail::target_access(world, case);
    let sides = [
        (source.platform, &source.now, source.view, source_way.as_ref().is_ok_and(|w| w.sets.is_some())),
        (case.target, case.working_name(), case.seen, target_way.as_ref().is_ok_and(|w| w.sets.is_some())),
    ];
    out.extend(source_way.err());
    out.extend(target_way.err());
    for (platform, address, view, new_password) in sides {
        if world.platform(platform).is_some_and(|v| v.imap_enabled == Some(false)) {
            out.push(Block::of(
                platform.as_str(),
                "imap-disabled",
                format!("IMAP is switched off for the whole service of {}", world.title(platform)),
                "switch IMAP on for the service on the platform",
            ));
            continue;
        }
        if view.is_some_and(|v| v.imap_enabled == Some(false)) {
            out.push(Block::own(
                "imap-disabled",
                format!("IMAP is switched off for {} on {}", address.unicode(), world.title(platform)),
                "switch IMAP on for the account on the platform",
            ));
            continue; // A refused login would say the same once more, with advice that does not help.
        }
        if case.create.as_ref() == Some(address) && platform == case.target {
            continue; // It does not exist yet, so nobody could log in.
        }
        out.extend(login(world, platform, address, new_password));
    }
    out.extend(too_large(world, case));
    out.extend(victims::collision(world, case));
    out
}

fn login(
    world: &World<'_>,
    platform: &PlatformId,
    address: &crate::model::Address,
    new_password: bool,
) -> Option<Block> {
    let title = world.title(platform);
    match &world.mailbox(platform, address)?.login {
        LoginView::Accepted | LoginView::NotTried { .. } => None,
        LoginView::Refused { .. } if new_password => None,
        LoginView::Refused { reason } => Some(Block::own(
            "login-refused",
            format!("the login of {} on {title} was refused: {reason}", address.unicode()),
            "check the password that is given for it, and that it may log in over IMAP",
        )),
        LoginView::Unreachable { reason } => Some(Block::own(
            "mailbox-unreachable",
            format!("the mailbox of {} on {title} could not be reached: {reason}", address.unicode()),
            "check the host and the network, then plan again",
        )),
    }
}

/// The octets that the source holds, where anybody tells.
pub(super) fn needed_octets(world: &World<'_>, case: &Case<'_>) -> Option<u64> {
    let source = case.source.as_ref()?;
    let listed = source.view.and_then(|v| v.used_octets);
    let opened = world.open_mailbox(source.platform, &source.now).and_then(|m| m.used_octets);
    listed.max(opened)
}

fn too_large(world: &World<'_>, case: &Case<'_>) -> Option<Block> {
    let used = needed_octets(world, case)?;
    let fixed = world.platform(case.target).and_then(|v| v.capabilities.mailbox_limit);
    let wished = case.account.profile.quota_octets;
    let seen = case.seen.and_then(|v| v.profile.quota_octets).filter(|_| wished.is_none());
    let limit = [fixed, wished, seen].into_iter().flatten().min()?;
    (used > limit).then(|| {
        Block::own(
            "mailbox-too-large",
            format!("the mailbox holds {} and {} takes {}", size(used), world.title(case.target), size(limit)),
            "make it smaller, leave folders out with `mail: { filter: ... }`, or choose a larger target",
        )
    })
}
