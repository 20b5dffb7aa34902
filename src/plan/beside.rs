//! What lies beside accounts on the platform that is left: shared mailboxes, resources, public folders, archives. None of
//! it moves by itself, and all of it is said.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    diag::plural,
    model::{Address, Domain, NoteKind, ObjectClass, PlatformId, PlatformKind, PlatformView, SharedKind},
};

use super::{Ground, draft::Draft, leftovers::names, world::World};

/// How many paths one note shows before it counts the rest.
const SHOWN: usize = 12;

/// Writes the notes.
pub(super) fn emit(ground: &Ground<'_, '_>, draft: &mut Draft) {
    let world = ground.world;
    let mut left: BTreeMap<&PlatformId, &PlatformId> = BTreeMap::new();
    for (domain, migrate, target) in world.migrations().filter(|(_, migrate, target)| &migrate.from != *target) {
        let Some(view) = world.platform(&migrate.from) else { continue };
        left.entry(&migrate.from).or_insert(target);
        for kind in [SharedKind::Mailbox, SharedKind::Resource, SharedKind::GroupAlias] {
            shared(world, (domain, target), (&migrate.from, view), kind, draft);
        }
    }
    for (platform, target) in left {
        let Some(view) = world.platform(platform) else { continue };
        public_folders(world, (platform, target), view, draft);
        unread(world, platform, draft);
    }
    archives(ground, draft);
}

/// Whether a platform could hold such things if somebody made them anew.
fn holds(world: &World<'_>, platform: &PlatformId) -> bool {
    world.kind(platform) == Some(PlatformKind::OvhExchange)
}

fn shared(
    world: &World<'_>,
    (domain, target): (&Domain, &PlatformId),
    (platform, view): (&PlatformId, &PlatformView),
    kind: SharedKind,
    draft: &mut Draft,
) {
    let here = view.shared.iter().filter(|(address, seen)| seen.kind == kind && address.domain() == domain);
    let all: Vec<&Address> = here.map(|(address, _)| address).collect();
    if all.is_empty() {
        return;
    }
    let n = plural(all.len(), kind.word()).replace("alias of a groups", "aliases of groups");
    let verb = if all.len() == 1 { "does" } else { "do" };
    let place = world.title(platform);
    let message = format!("{n} of {place} {verb} not move: {}", names(all.into_iter()));
    let (code, help) = match (kind, holds(world, target)) {
        (SharedKind::Mailbox, true) => (
            "shared-mailbox-not-moved",
            "save its mail (PST, with an account that opens it), delete it there, make it anew on the target",
        ),
        (SharedKind::Mailbox, false) => (
            "shared-mailbox-not-moved",
            "save its mail (PST, with an account that opens it) and delete it there: then its address is free for an \
             account that several people open, or for a redirection",
        ),
        (SharedKind::Resource, true) => ("resource-not-moved", "delete it there and make it anew on the target"),
        (SharedKind::Resource, false) => (
            "resource-not-moved",
            "the target books no rooms: use a shared calendar instead, and delete it there when its address is wanted",
        ),
        (SharedKind::GroupAlias, true) => {
            ("group-alias-not-moved", "delete it there and make it anew on the target, in its console")
        }
        (SharedKind::GroupAlias, false) => (
            "group-alias-not-moved",
            "delete it there: then its address is free for a redirection to whoever gets the group's mail",
        ),
    };
    draft.note(NoteKind::Unsupported, code, domain.as_str(), message, Some(help.to_owned()));
}

fn public_folders(
    world: &World<'_>,
    (platform, target): (&PlatformId, &PlatformId),
    view: &PlatformView,
    draft: &mut Draft,
) {
    let n = view.public_folders.len();
    if n == 0 {
        return;
    }
    let shown: Vec<&str> = view.public_folders.iter().take(SHOWN).map(String::as_str).collect();
    let more = n.saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let verb = if n == 1 { "does" } else { "do" };
    let message = format!(
        "{} of {} {verb} not move: {}{more}",
        plural(n, "public folder"),
        world.title(platform),
        shown.join(", ")
    );
    let help = if holds(world, target) {
        "export them in Outlook (PST), make them anew on the target and import them there"
    } else {
        "export them in Outlook (PST); mail in them can be imported into an account of the target"
    };
    draft.note(NoteKind::Unsupported, "public-folder-not-moved", platform.as_str(), message, Some(help.to_owned()));
}

/// Archives of accounts that move: IMAP does not show them, so nothing of them is copied.
fn archives(ground: &Ground<'_, '_>, draft: &mut Draft) {
    let mut by_source: BTreeMap<&PlatformId, BTreeSet<&Address>> = BTreeMap::new();
    for case in &ground.cases.list {
        let Some(source) = case.source.as_ref().filter(|s| s.platform != case.target) else { continue };
        if source.view.is_some_and(|view| view.archive) {
            by_source.entry(source.platform).or_default().insert(case.address);
        }
    }
    for (platform, all) in by_source {
        let (n, word) = (all.len(), if all.len() == 1 { "mailbox has" } else { "mailboxes have" });
        let message = format!(
            "{n} {word} an archive on {} that IMAP does not show, so it is not copied: {}",
            ground.world.title(platform),
            names(all.into_iter())
        );
        let help = "move its mail back into the mailbox, or export it (PST), before the source is given up";
        draft.note(NoteKind::Unsupported, "archive-not-copied", platform.as_str(), message, Some(help.to_owned()));
    }
}

/// What could not be listed may be there.
fn unread(world: &World<'_>, platform: &PlatformId, draft: &mut Draft) {
    for (class, what) in [
        (ObjectClass::Shared, "shared mailboxes, resources and aliases of groups"),
        (ObjectClass::PublicFolder, "public folders"),
        (ObjectClass::Archive, "archives"),
    ] {
        let of_class = |gap: &&crate::model::Gap| gap.class == class;
        let Some(gap) = world.platform(platform).and_then(|view| view.gaps.iter().find(of_class)) else { continue };
        let message = format!(
            "{what} of {} could not be listed, so nobody can say whether something is left there ({})",
            world.title(platform),
            gap.reason
        );
        let help = "grant the right to read them, or look at the platform's console".to_owned();
        draft.note(NoteKind::Info, "left-behind-unknown", format!("{platform} {what}"), message, Some(help));
    }
}
