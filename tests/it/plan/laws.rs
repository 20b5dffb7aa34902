//! Laws of the planner, over worlds drawn at random.

use std::{collections::BTreeSet, sync::OnceLock};

use proptest::{collection::vec, prelude::*, sample::select, strategy::Strategy as Draws};
use rehome::{
    model::{
        Address, Change, Delegation, DomainType, Gap, GroupSettings, GroupView, NoteKind, ObjectClass, ObjectState,
        PlatformKind, RedirectionView, Right, Work,
    },
    plan::{Plan, file, lint, stale},
    spec::{GroupSpec, Presence, RedirectionSpec, SourceFate, Strategy},
};

use super::{
    model::apply,
    world::{World, a, d, ids, p},
};
use crate::trust::scenario::shown;

const NAMES: [&str; 6] = ["ann", "bob", "cid", "dan", "eve", "fay"];
const EXTRA: [&str; 4] = ["info", "sales", "team", "desk"];

/// What is drawn for one address.
#[derive(Clone, Debug)]
struct Draw {
    wanted: bool,
    absent: bool,
    protect: bool,
    /// Which of source, provisional, second provisional, target, target's provisional exist.
    exists: [bool; 5],
    password: bool,
    source_alias: Option<usize>,
    target_alias: Option<usize>,
    wished_alias: Option<Option<usize>>,
    delegate: Option<usize>,
    had_delegate: Option<usize>,
}

fn draw() -> impl Draws<Value = Draw> {
    let extra = || prop::option::weighted(0.3, 0..EXTRA.len());
    let name = || prop::option::weighted(0.3, 0..NAMES.len());
    let exists = prop_oneof![
        5 => Just([true, false, false, false, false]),
        2 => Just([false, true, false, false, false]),
        2 => Just([false, true, false, true, false]),
        1 => Just([true, false, false, false, true]),
        2 => any::<[bool; 5]>(),
    ];
    let flags = (prop::bool::weighted(0.8), prop::bool::weighted(0.1), prop::bool::weighted(0.1), any::<bool>());
    let wishes = (extra(), extra(), prop::option::of(extra()), name(), name());
    (flags, exists, wishes).prop_map(|(flags, exists, wishes)| Draw {
        wanted: flags.0,
        absent: flags.1,
        protect: flags.2,
        exists,
        password: flags.3,
        source_alias: wishes.0,
        target_alias: wishes.1,
        wished_alias: wishes.2,
        delegate: wishes.3,
        had_delegate: wishes.4,
    })
}

/// What is drawn for an address that is no account: a redirection or a group, on either side or in the spec.
type Thing = (u8, bool, bool, bool, Vec<usize>);

pub fn worlds() -> impl Draws<Value = World> {
    let kinds = select(vec![
        (PlatformKind::OvhExchange, PlatformKind::OvhEmailPro, Strategy::Swap),
        (PlatformKind::OvhEmailPro, PlatformKind::OvhExchange, Strategy::Swap),
        (PlatformKind::OvhExchange, PlatformKind::OvhZimbra, Strategy::Swap),
        (PlatformKind::OvhExchange, PlatformKind::OvhEmailPro, Strategy::Stage),
        (PlatformKind::OvhMxplanLegacy, PlatformKind::OvhExchange, Strategy::Stage),
        (PlatformKind::Imap, PlatformKind::OvhEmailPro, Strategy::Parallel),
    ]);
    let thing = (0u8..3, any::<bool>(), any::<bool>(), any::<bool>(), vec(0..NAMES.len(), 0..3));
    let domain = (any::<bool>(), any::<bool>(), any::<bool>());
    (kinds, vec(draw(), NAMES.len()), vec(thing, EXTRA.len()), domain, 0usize..8, any::<bool>())
        .prop_map(|(kinds, draws, things, domain, slots, reset)| build(kinds, &draws, &things, domain, slots, reset))
}

fn build(
    (from, to, strategy): (PlatformKind, PlatformKind, Strategy),
    draws: &[Draw],
    things: &[Thing],
    (on_target, authoritative, waiting): (bool, bool, bool),
    slots: usize,
    reset: bool,
) -> World {
    let mut world = World::moving(from, to, strategy);
    world.migrate().source = if reset { SourceFate::Reset } else { SourceFate::Keep };
    for n in 4..4 + slots {
        world.slot(&format!("slot{n}@configureme.me"), None);
    }
    let domain = d("mydomain.ovh");
    if authoritative && let Some(seen) = world.view("old").domains.get_mut(&domain).filter(|s| s.kind.is_some()) {
        seen.kind = Some(DomainType::Authoritative);
    }
    for (name, draw) in NAMES.into_iter().zip(draws) {
        world = account(world, name, draw);
    }
    for (name, thing) in EXTRA.into_iter().zip(things) {
        other(&mut world, name, thing);
    }
    let empty = world.view("new").accounts.is_empty();
    if !on_target && empty && world.view("new").capabilities.domains {
        world.view("new").domains.clear();
    } else if waiting && let Some(seen) = world.view("new").domains.get_mut(&domain) {
        seen.state = ObjectState::Waiting;
    }
    world
}

fn account(mut world: World, name: &str, draw: &Draw) -> World {
    let imap = world.view("old").kind == PlatformKind::Imap;
    let names = [name.to_owned(), format!("{name}01"), format!("{name}0101"), name.to_owned(), format!("{name}01")];
    for (n, local) in names.iter().enumerate().filter(|(n, _)| draw.exists[*n]) {
        let side = if n < 3 { "old" } else { "new" };
        // A world in which an address exists twice already is not one that a plan can be blamed for.
        let other = p(if side == "old" { "new" } else { "old" });
        let twice = !imap && world.inventory.platforms[&other].accounts.contains_key(&a(local));
        if !twice {
            world = world.has(side, local, 1 + n as u32);
            if side == "new" && draw.password {
                world.state.passwords.insert((p("new"), a(local)));
            }
        }
    }
    if imap {
        world.inventory.mailboxes.entry((p("old"), a(name))).or_insert_with(|| super::world::mailbox(2));
    }
    for (side, alias) in [("old", draw.source_alias), ("new", draw.target_alias)] {
        let Some(alias) = alias.map(|n| a(EXTRA[n])) else { continue };
        let free = !world.inventory.platforms.values().any(|v| v.accounts.values().any(|x| x.aliases.contains(&alias)));
        let view = world.view(side);
        if free && view.capabilities.aliases && view.accounts.contains_key(&a(name)) {
            world.seen(side, name).aliases.insert(alias);
        }
    }
    let right = Right::FullAccess;
    if let Some(to) = draw.had_delegate.map(|n| a(NAMES[n])).filter(|to| *to != a(name)) {
        let known = world.view("new").accounts.contains_key(&to);
        if known && let Some(seen) = world.view("new").accounts.get_mut(&a(name)) {
            seen.delegations.insert(Delegation { to, right });
        }
    }
    if !draw.wanted {
        return world;
    }
    // A valid spec names an address once.
    let claimed = |alias: &Address, world: &World| {
        world.spec.accounts.values().any(|x| x.aliases.as_ref().is_some_and(|l| l.contains(alias)))
    };
    let wish = draw.wished_alias.map(|w| w.map(|n| a(EXTRA[n])).filter(|x| !claimed(x, &world)).into_iter().collect());
    world = world.wants(name);
    let spec = world.account(name);
    spec.state = if draw.absent { Presence::Absent } else { Presence::Present };
    spec.protect = draw.protect;
    spec.aliases = wish;
    spec.delegates = draw.delegate.map(|n| [Delegation { to: a(NAMES[n]), right }].into());
    world
}

fn other(world: &mut World, name: &str, (kind, wanted, at_old, at_new, members): &Thing) {
    let address = a(name);
    let taken = world.spec.accounts.values().any(|x| x.aliases.as_ref().is_some_and(|l| l.contains(&address)));
    let held = world.inventory.platforms.values().any(|v| v.accounts.values().any(|x| x.aliases.contains(&address)));
    let members: BTreeSet<Address> = members.iter().map(|n| a(NAMES[*n])).collect();
    if taken || members.is_empty() {
        return;
    }
    let state = if *wanted { Presence::Present } else { Presence::Absent };
    match kind {
        0 => {
            let spec = RedirectionSpec { state, to: members.clone(), keep_copy: false, via: None };
            world.spec.redirections.insert(address.clone(), spec);
            let at = [("old", *at_old && !held), ("new", *at_new && !*at_old && !held)];
            for (side, _) in at.into_iter().filter(|(_, there)| *there) {
                let seen = RedirectionView { to: [a("fay")].into(), keep_copy: false };
                world.view(side).redirections.insert(address.clone(), seen);
            }
        }
        1 => {
            let settings = GroupSettings::default();
            let spec = GroupSpec {
                state,
                settings: settings.clone(),
                members: Some(members.clone()),
                managers: None,
                via: None,
            };
            world.spec.groups.insert(address.clone(), spec);
            if *at_new && !held {
                let seen =
                    GroupView { settings, members: [a("eve")].into(), managers: [].into(), state: ObjectState::Ok };
                world.view("new").groups.insert(address, seen);
            }
        }
        _ => {}
    }
}

/// What a plan takes away for good, by name. What moves is not taken away.
fn deletions(plan: &Plan) -> BTreeSet<String> {
    let deletes = |change: &Change| {
        matches!(
            change,
            Change::AccountReset { .. }
                | Change::AliasRemove { .. }
                | Change::RedirectionRemove { .. }
                | Change::GroupRemove { .. }
                | Change::GroupMemberRemove { .. }
                | Change::DelegationRevoke { .. }
                | Change::ContactRemove { .. }
                | Change::DomainRemove { .. }
        )
    };
    let actions = plan.body.actions.iter().filter(|action| match &action.work {
        Work::Platform { change, .. } => deletes(change),
        _ => false,
    });
    actions.map(|action| action.id.to_string()).collect()
}

/// Hides part of the listings and says so.
fn hide(world: &World, class: ObjectClass, platform: &str, every: usize) -> World {
    let mut partial = world.clone();
    let view = partial.view(platform);
    let mut n = 0;
    let mut keep = || {
        n += 1;
        n % every != 0
    };
    match class {
        ObjectClass::Account => view.accounts.retain(|_, _| keep()),
        ObjectClass::Alias => view.accounts.values_mut().for_each(|x| x.aliases.retain(|_| keep())),
        ObjectClass::Delegation => view.accounts.values_mut().for_each(|x| x.delegations.retain(|_| keep())),
        ObjectClass::Redirection => view.redirections.retain(|_, _| keep()),
        ObjectClass::Group => view.groups.retain(|_, _| keep()),
        _ => {}
    }
    view.gaps.push(Gap { class, subject: String::new(), reason: "half an answer".to_owned() });
    partial
}

/// Whether a plan is sound, fresh, whole as a file, and what its schema says.
pub fn keeps(world: &World) {
    static SCHEMA: OnceLock<jsonschema::Validator> = OnceLock::new();
    let schema = SCHEMA.get_or_init(|| {
        let text = include_str!("../../../specs/schema/plan.json");
        jsonschema::validator_for(&serde_json::from_str(text).unwrap()).unwrap()
    });
    let plan = world.plan();
    assert_eq!(lint(&plan), Vec::<String>::new());
    assert!(stale(&plan, &world.inventory).is_empty());
    let bytes = file::to_bytes(&plan);
    assert_eq!(file::from_bytes(&bytes).unwrap(), plan);
    let json = serde_json::from_slice(&bytes).unwrap();
    let problems: Vec<String> = schema.iter_errors(&json).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(problems.is_empty(), "{problems:#?}");
}

/// Whether the order of listings changes nothing.
pub fn keeps_its_bytes(world: &World, turn: usize) {
    let mut turned = world.clone();
    for view in turned.inventory.platforms.values_mut() {
        let n = view.slots.len().max(1);
        view.slots.rotate_left(turn % n);
        view.slots.reverse();
        view.gaps.reverse();
    }
    assert_eq!(file::to_bytes(&turned.plan()), file::to_bytes(&world.plan()));
}

/// Whether applying leaves nothing to do.
pub fn ends_in_nothing(mut world: World) {
    let first = world.plan();
    let clear = !first
        .body
        .notes
        .iter()
        .any(|n| matches!(n.kind, NoteKind::Blocked | NoteKind::Ambiguous) || n.code == "waits-for-blocked");
    let mut rounds = 0;
    while !world.plan().is_empty() {
        apply(&mut world);
        rounds += 1;
        // What was blocked may be free by now, such as a slot that was given back.
        assert!(rounds <= if clear { 1 } else { 4 }, "still: {:?}", ids(&world.plan()));
    }
}

const LISTED: [ObjectClass; 5] =
    [ObjectClass::Account, ObjectClass::Alias, ObjectClass::Delegation, ObjectClass::Redirection, ObjectClass::Group];

/// Whether a listing of that platform that is cut short leads to no deletion, whatever was being listed.
pub fn hides_nothing(world: &World, platform: &str) {
    LISTED.into_iter().for_each(|class| (1..3).for_each(|every| hides_nothing_of(world, class, platform, every)));
}

fn hides_nothing_of(world: &World, class: ObjectClass, platform: &str, every: usize) {
    let full = deletions(&world.plan());
    let partial = deletions(&hide(world, class, platform, every).plan());
    let more: Vec<_> = partial.difference(&full).collect();
    assert!(more.is_empty(), "{more:?} only because something was not listed");
}

// Together more than ten thousand worlds in a normal run, most where a case costs one plan.
proptest! {
    #![proptest_config(ProptestConfig { cases: 4_500, ..ProptestConfig::default() })]

    #[test]
    fn every_plan_keeps_its_laws(world in worlds()) {
        shown(&world, || keeps(&world));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_500, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_listings_changes_nothing(world in worlds(), turn in 0usize..7) {
        shown(&world, || keeps_its_bytes(&world, turn));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn a_partial_listing_never_leads_to_a_deletion(
        world in worlds(),
        class in select(LISTED.to_vec()),
        platform in select(vec!["old", "new"]),
        every in 1usize..3,
    ) {
        shown(&world, || hides_nothing_of(&world, class, platform, every));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 800, ..ProptestConfig::default() })]

    #[test]
    fn after_apply_there_is_nothing_left_to_do(world in worlds()) {
        shown(&world, || ends_in_nothing(world.clone()));
    }
}
