//! Notes: what stays behind is said, once.

use rehome::model::{
    Delegation, Gap, GroupSettings, GroupView, NoteKind, ObjectClass, ObjectState, RedirectionView, Right, ServiceState,
};

use super::world::{World, a, ids, note, p};

#[test]
fn accounts_that_the_spec_does_not_know_are_one_note_per_platform() {
    let mut world = World::swap().wants("john").has("old", "john", 1);
    for n in 0..30 {
        world = world.has("old", &format!("other{n:02}"), 1);
    }
    let plan = world.plan();
    let left: Vec<_> = plan.body.notes.iter().filter(|n| n.code == "account-not-in-spec").collect();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].kind, NoteKind::Unmanaged);
    assert!(left[0].message.starts_with("30 accounts"), "{}", left[0].message);
    assert!(left[0].message.ends_with("and 18 more"), "{}", left[0].message);
}

#[test]
fn sources_under_any_of_their_names_are_not_strangers() {
    let world = World::swap().wants("john").has("old", "john01", 1).has("old", "john0101", 1);
    assert!(!world.plan().body.notes.iter().any(|n| n.code == "account-not-in-spec"));
}

#[test]
fn what_hangs_on_a_source_is_told_with_the_lines_to_write() {
    let mut world = World::swap().wants("john").has("old", "john", 1);
    world.seen("old", "john").aliases = [a("j.smith"), a("js")].into();
    world.seen("old", "john").delegations = [Delegation { to: a("mary"), right: Right::SendAs }].into();
    world.view("old").redirections.insert(a("info"), RedirectionView { to: [a("john")].into(), keep_copy: false });
    world.view("old").groups.insert(
        a("team"),
        GroupView {
            settings: GroupSettings::default(),
            members: [a("john")].into(),
            managers: [].into(),
            state: ObjectState::Ok,
        },
    );
    let plan = world.plan();
    let help = |code: &str| note(&plan, code).help.clone().unwrap();
    assert!(help("alias-not-in-spec").ends_with("aliases: [j.smith@mydomain.ovh, js@mydomain.ovh]"));
    assert!(help("delegation-not-in-spec").ends_with("  - { to: mary@mydomain.ovh, rights: [send-as] }"));
    assert!(help("redirection-not-in-spec").ends_with("  info@mydomain.ovh: { to: [john@mydomain.ovh] }"));
    assert!(help("group-not-in-spec").ends_with("  team@mydomain.ovh: { members: [john@mydomain.ovh] }"));
}

#[test]
fn what_is_not_mail_is_told_while_mail_is_copied_and_not_afterwards() {
    let mut world = World::swap().wants("john").has("old", "john", 1);
    let plan = world.plan();
    assert_eq!(note(&plan, "calendar-not-copied").kind, NoteKind::Unsupported);
    note(&plan, "responders-not-copied");
    super::model::apply(&mut world);
    assert!(world.plan().body.notes.is_empty(), "{:?}", world.plan().body.notes);
}

#[test]
fn a_platform_that_cannot_be_read_is_one_note_and_stops_everything_on_it() {
    let mut world = World::swap().wants("john").wants("mary").has("old", "john", 1).has("old", "mary", 1);
    world.inventory.platforms.remove(&p("new"));
    let plan = world.plan();
    assert!(plan.is_empty());
    assert_eq!(note(&plan, "platform-unreachable").subject, "new");
    assert!(note(&plan, "platform-unreachable").message.ends_with("(stops 2 addresses)"));
}

#[test]
fn an_incomplete_listing_of_accounts_stops_those_that_are_not_in_it() {
    let mut world =
        World::swap().wants("john").wants("mary").has("old", "john", 1).has("old", "mary01", 1).has("new", "mary", 0);
    world.state.passwords.insert((p("new"), a("mary")));
    world.view("new").gaps.push(Gap { class: ObjectClass::Account, subject: String::new(), reason: "500".to_owned() });
    let plan = world.plan();
    assert_eq!(note(&plan, "incomplete-listing").subject, "new");
    assert_eq!(ids(&plan), ["copy:new/mary@mydomain.ovh", "verify.mail:new/mary@mydomain.ovh"]);
}

#[test]
fn a_service_in_maintenance_blocks_what_would_change_it() {
    let mut world = World::swap().wants("john").has("old", "john", 1);
    world.view("new").service.state = ServiceState::Unavailable("inMaintenance".to_owned());
    assert!(world.plan().is_empty());
    assert!(note(&world.plan(), "service-unavailable").message.contains("inMaintenance"));
}

#[test]
fn notes_are_sorted_worst_first() {
    let world = World::swap().wants("john").has("old", "john", 1).has("old", "john01", 1).has("old", "other", 1);
    let kinds: Vec<NoteKind> = world.plan().body.notes.iter().map(|n| n.kind).collect();
    assert!(kinds.is_sorted());
    assert_eq!(kinds.first(), Some(&NoteKind::Blocked));
}
