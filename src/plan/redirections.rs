//! Redirections: on the platform of the domain, or on the one that the spec names.

use std::collections::BTreeSet;

use crate::{
    model::{
        Address, Change, Domain, Guard, GuardOutcome, NoteKind, ObjectClass, Phase, PlatformId, PlatformView,
        RedirectSupport,
    },
    spec::{Presence, RedirectionSpec},
};

use super::{
    Ground,
    accounts::There,
    aliases::missing,
    claims,
    draft::{Block, Draft},
    reads,
    world::{self, Seen},
};

/// Plans all redirections.
pub(super) fn emit(ground: &Ground<'_, '_>, draft: &mut Draft) {
    let own = world::own_domains(ground.world.spec);
    for (from, spec) in &ground.world.spec.redirections {
        let Some(platform) = spec.via.as_ref().or_else(|| ground.world.platform_of(from)) else { continue };
        let Some(view) = ground.world.platform(platform) else {
            unreachable(ground, platform, &from.key(), draft);
            continue;
        };
        match spec.state {
            Presence::Absent => remove(ground, platform, view, from, draft),
            Presence::Present => set(ground, (platform, view), (from, spec), &own, draft),
        }
    }
}

/// Tells that a platform could not be read, once.
pub(super) fn unreachable(ground: &Ground<'_, '_>, platform: &PlatformId, chain: &str, draft: &mut Draft) {
    if ground.world.is_managed(platform) {
        let block = Block::of(
            platform.as_str(),
            "platform-unreachable",
            format!("{} could not be read", ground.world.title(platform)),
            "check credentials and network with `rehome doctor` and plan again",
        );
        draft.block(chain, vec![block]);
    }
}

/// Whether the address is that of an account which the spec wants on the platform.
fn is_own_account(world: &world::World<'_>, platform: &PlatformId, from: &Address) -> bool {
    world.wants_account(from) && world.platform_of(from) == Some(platform)
}

fn gap(ground: &Ground<'_, '_>, platform: &PlatformId, from: &Address) -> bool {
    ground.world.gap(platform, ObjectClass::Redirection, &from.key()).is_some()
}

fn remove(ground: &Ground<'_, '_>, platform: &PlatformId, view: &PlatformView, from: &Address, draft: &mut Draft) {
    let world = ground.world;
    let chain = from.key();
    if gap(ground, platform, from) {
        draft.block(&chain, vec![claims::incomplete(world, platform, ObjectClass::Redirection)]);
        return;
    }
    if !view.redirections.contains_key(from) || draft.frees(platform, from) {
        return;
    }
    // A forward of an account's own address goes with what is known of the account.
    if is_own_account(world, platform, from) && matches!(world.account(platform, from), Seen::Unknown) {
        draft.block(&chain, vec![claims::incomplete(world, platform, ObjectClass::Account)]);
        return;
    }
    draft.read(&chain, reads::object_key(platform, "redirection", &chain));
    let change = Change::RedirectionRemove { from: from.clone() };
    draft.change(world, (Phase::Dependent, &chain), platform, change, "the spec says that it should not be there");
}

fn set(
    ground: &Ground<'_, '_>,
    (platform, view): (&PlatformId, &PlatformView),
    (from, spec): (&Address, &RedirectionSpec),
    own: &BTreeSet<&Domain>,
    draft: &mut Draft,
) {
    let world = ground.world;
    let chain = from.identity();
    let same = view.redirections.get(from).is_some_and(|r| r.to == spec.to && r.keep_copy == spec.keep_copy);
    if same {
        return;
    }
    if let Some(block) = refusal(ground, (platform, view), (from, spec)) {
        draft.block(chain, vec![block]);
        return;
    }
    if is_own_account(world, platform, from) && ground.places.find(world, platform, from) == There::Never {
        // Without its account it would be an owner of the address beside whoever has it now.
        missing(ground, platform, from, from, draft);
        return;
    }
    // One that is there already has its address, and only its destinations change.
    let has = view.redirections.get(from).is_some_and(|r| !r.keep_copy);
    let takes = !spec.keep_copy && !has && !world.wants_account(from);
    let way = if takes { claims::way(world, from, platform, from) } else { Ok(Vec::new()) };
    let way = match way {
        Ok(way) => way,
        Err(block) => {
            draft.block(chain, vec![block]);
            return;
        }
    };
    let cleared = claims::clear(world, ground.cases, draft, (from, chain, Phase::Dependent), (way, None));
    draft.read(chain, reads::object_key(platform, "redirection", chain));
    let change = Change::RedirectionSet { from: from.clone(), to: spec.to.clone(), keep_copy: spec.keep_copy };
    let reason = if view.redirections.contains_key(from) {
        "differs from the spec".to_owned()
    } else {
        format!("mail for {} goes where the spec says", from.unicode())
    };
    let targets = spec.to.iter().filter_map(|to| ground.places.ready(to));
    let before = ground.gates.before(world, from.domain(), platform).into_iter().chain(targets);
    let guard = outside(world, from, &spec.to, own);
    let action = draft.change(world, (Phase::Dependent, chain), platform, change, reason);
    action.requires.extend(cleared.into_iter().chain(before).chain(ground.places.ready(from)));
    action.guard = guard.map(Box::new);
}

/// Why a redirection cannot be made as it is wished.
fn refusal(
    ground: &Ground<'_, '_>,
    (platform, view): (&PlatformId, &PlatformView),
    (from, spec): (&Address, &RedirectionSpec),
) -> Option<Block> {
    let world = ground.world;
    let place = world.title(platform);
    if let Some(block) = ground.gates.shut(world, from.domain(), platform) {
        return Some(block);
    }
    let unsupported =
        |code, message: String, help: &str| Some(Block::own(code, message, help).told_as(NoteKind::Unsupported));
    match view.capabilities.redirections {
        RedirectSupport::None => unsupported(
            "redirection-unsupported",
            format!("{place} does not redirect through its interface"),
            "say `via:` with a platform that redirects for this domain (MX Plan does), or make a rule in the webmail",
        ),
        RedirectSupport::AccountForward if spec.to.len() > 1 => unsupported(
            "redirection-one-target",
            format!("{place} forwards to one address and the spec names {}", spec.to.len()),
            "make a group of the targets and forward to it",
        ),
        RedirectSupport::AccountForward if ground.places.find(world, platform, from) == There::Never => unsupported(
            "redirection-needs-account",
            format!("{place} forwards only from an account, and {} is none there", from.unicode()),
            "make it an account, a group, or an alias of one",
        ),
        RedirectSupport::AccountForward | RedirectSupport::Any => {
            gap(ground, platform, from).then(|| claims::incomplete(world, platform, ObjectClass::Redirection))
        }
    }
}

/// A guard when mail would newly leave the organisation.
fn outside(world: &world::World<'_>, from: &Address, to: &BTreeSet<Address>, own: &BTreeSet<&Domain>) -> Option<Guard> {
    let already = |target: &Address| {
        let mut views = world.inventory.platforms.values();
        views.any(|v| v.redirections.get(from).is_some_and(|r| r.to.contains(target)))
    };
    let new: Vec<String> =
        to.iter().filter(|t| !own.contains(t.domain()) && !already(t)).map(|t| t.unicode().into_owned()).collect();
    (!new.is_empty()).then(|| Guard {
        code: "outside-redirection".to_owned(),
        message: format!("mail for {} will leave for {}", from.unicode(), new.join(", ")),
        outcome: GuardOutcome::Ack,
    })
}
