//! Notes: what stays behind is said, once.

use rehome::model::{
    Change, Delegation, Gap, GroupSettings, GroupSupport, GroupView, GuardOutcome, NoteKind, ObjectClass, ObjectState,
    PlatformKind, RedirectSupport, RedirectionView, Right, ServiceState, SharedKind, SharedView, Work,
};
use rehome::spec::{SourceFate, Strategy};

use super::world::{World, a, d, domain_view, ids, note, p, platform_view};

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
    assert!(note(&plan, "delegation-not-in-spec").message.starts_with("1 other has rights on it"));
    assert!(help("delegation-not-in-spec").ends_with("  - { to: mary@mydomain.ovh, rights: [send-as] }"));
    world.view("new").capabilities.redirections = RedirectSupport::Any;
    world.view("new").capabilities.groups = GroupSupport::Directory;
    let plan = world.plan();
    let help = |code: &str| note(&plan, code).help.clone().unwrap();
    assert!(help("redirection-not-in-spec").ends_with("  info@mydomain.ovh: { to: [john@mydomain.ovh] }"));
    assert!(help("group-not-in-spec").ends_with("  team@mydomain.ovh: { members: [john@mydomain.ovh] }"));
}

#[test]
fn a_delegate_that_moved_is_told_by_its_own_name() {
    let mut world = World::swap().wants("john").wants("mary").has("old", "john", 1).has("old", "mary", 1);
    super::model::apply(&mut world);
    world.seen("old", "john01").delegations = [Delegation { to: a("mary01"), right: Right::SendAs }].into();
    let help = note(&world.plan(), "delegation-not-in-spec").help.clone().unwrap();
    assert!(help.ends_with("  - { to: mary@mydomain.ovh, rights: [send-as] }"), "{help}");
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
fn what_is_no_account_is_told_with_what_to_do_and_has_its_addresses() {
    let mut world = World::swap().wants("john").wants("desk").wants("help").has("old", "john", 1).has("old", "help", 1);
    let shared = |kind, aliases: &[&str]| SharedView { kind, aliases: aliases.iter().map(|l| a(l)).collect() };
    let view = world.view("old");
    view.shared.insert(a("sales"), shared(SharedKind::Mailbox, &["desk"]));
    view.shared.insert(a("room"), shared(SharedKind::Resource, &[]));
    view.shared.insert(a("help01"), shared(SharedKind::Mailbox, &[]));
    view.public_folders = ["/Orders".to_owned(), "/Orders/2019".to_owned()].into();
    world.seen("old", "john").archive = true;
    let plan = world.plan();
    let told = note(&plan, "shared-mailbox-not-moved");
    assert_eq!((told.kind, told.subject.as_str()), (NoteKind::Unsupported, "mydomain.ovh"));
    assert!(told.message.ends_with("do not move: help01@mydomain.ovh, sales@mydomain.ovh"), "{}", told.message);
    assert!(note(&plan, "resource-not-moved").message.starts_with("1 resource of Exchange `old` does not move"));
    let told = note(&plan, "public-folder-not-moved");
    assert_eq!((told.subject.as_str(), told.help.is_some()), ("old", true));
    assert!(told.message.ends_with("/Orders, /Orders/2019"), "{}", told.message);
    assert!(note(&plan, "archive-not-copied").message.ends_with("john@mydomain.ovh"));
    // An alias of a shared mailbox, and a provisional name that one has: found before anything is done.
    let taken = note(&plan, "address-taken");
    assert_eq!(taken.subject, "desk@mydomain.ovh");
    assert!(taken.message.contains("a shared mailbox on Exchange `old`"), "{}", taken.message);
    assert_eq!(note(&plan, "provisional-taken").subject, "help@mydomain.ovh");
    assert!(ids(&plan).iter().all(|id| id.contains("john")), "{:?}", ids(&plan));
}

#[test]
fn automatic_replies_that_a_platform_tells_are_named() {
    let mut world = World::swap().wants("john").has("old", "john", 1);
    let told = |world: &World| note(&world.plan(), "responders-not-copied").message.clone();
    assert!(told(&world).contains("automatic replies, inbox rules and signatures cannot be read"));
    world.view("old").responders = Some([a("john"), a("info")].into());
    assert!(told(&world).contains(": automatic replies of info@mydomain.ovh, john@mydomain.ovh; no filters;"));
    world.view("old").responders = Some([].into());
    world.seen("old", "john").filters = ["to the desk".to_owned()].into();
    assert!(told(&world).contains(": no automatic replies; filters of john@mydomain.ovh;"), "{}", told(&world));
}

#[test]
fn lists_that_nobody_can_read_are_told() {
    let mut world = World::moving(PlatformKind::OvhZimbra, PlatformKind::OvhEmailPro, Strategy::Swap);
    world = world.wants("john").has("old", "john", 1);
    let told = note(&world.plan(), "lists-not-read").message.clone();
    assert_eq!(told, "mailing lists of Zimbra `old` cannot be read, so they do not move");
}

#[test]
fn a_size_that_is_not_offered_is_told_with_those_that_are() {
    let mut world = World::swap().wants("john").has("old", "john", 1);
    world.view("new").mailbox_sizes = [2 << 30, 5 << 30].into();
    world.account("john").profile.quota_octets = Some(3 << 30);
    let told = note(&world.plan(), "mailbox-size-not-offered").message.clone();
    assert_eq!(told, "Email Pro `new` gives no mailbox of 3.0 GiB: it has 2.0 GiB, 5.0 GiB");
    world.account("john").profile.quota_octets = Some(5 << 30);
    assert!(!world.plan().is_empty());
}

#[test]
fn a_size_is_the_one_that_the_platform_calls_so() {
    let mut world = World::swap().wants("john").has("old", "john", 1);
    world.view("new").mailbox_sizes = [2_500_000, 25_000_000, 5_000_000_000].into();
    for (wished, given) in [(5 << 30, 5_000_000_000), (25 << 20, 25_000_000), (2_621_440, 2_500_000)] {
        world.account("john").profile.quota_octets = Some(wished);
        let plan = world.plan();
        let sizes = plan.body.actions.iter().filter_map(|a| match &a.work {
            Work::Platform { change: Change::AccountCreate { profile, .. }, .. } => Some(profile.quota_octets),
            _ => None,
        });
        assert_eq!(sizes.collect::<Vec<_>>(), [Some(given)], "{wished}");
    }
}

#[test]
fn another_address_of_a_group_is_told_and_taken() {
    let mut world = World::swap().wants("john").wants("crew").has("old", "john", 1);
    let alias = SharedView { kind: SharedKind::GroupAlias, aliases: [].into() };
    world.view("old").shared.insert(a("crew"), alias);
    let plan = world.plan();
    let told = note(&plan, "group-alias-not-moved");
    assert_eq!(told.message, "1 alias of a group of Exchange `old` does not move: crew@mydomain.ovh");
    assert!(told.help.as_ref().unwrap().contains("free for a redirection"), "{told:?}");
    assert_eq!(note(&plan, "address-taken").subject, "crew@mydomain.ovh");
}

#[test]
fn imap_that_is_off_for_a_whole_service_is_one_note_and_also_stops_accounts_to_be_made_there() {
    for side in ["old", "new"] {
        let mut world = World::swap().wants("john").wants("mary").has("old", "john", 1).has("old", "mary", 1);
        world.view(side).imap_enabled = Some(false);
        let plan = world.plan();
        assert!(plan.is_empty(), "{:?}", ids(&plan));
        let told: Vec<_> = plan.body.notes.iter().filter(|n| n.code == "imap-disabled").collect();
        assert_eq!((told.len(), told[0].subject.as_str()), (1, side));
    }
}

#[test]
fn a_source_with_an_archive_is_not_reset() {
    let mut world = World::swap().wants("john").has("old", "john", 1);
    world.migrate().source = SourceFate::Reset;
    world.seen("old", "john").archive = true;
    let plan = world.plan();
    let reset = plan.body.actions.iter().find(|a| a.id.as_str().starts_with("account.reset")).unwrap();
    let guard = reset.guard.as_ref().unwrap();
    assert_eq!(guard.outcome, GuardOutcome::Deny);
    assert!(guard.message.contains("the archive of john01@mydomain.ovh was never copied"), "{}", guard.message);
}

#[test]
fn a_right_that_is_missing_leaves_a_word_about_what_may_be_left_behind() {
    let mut world = World::swap().wants("john").has("old", "john", 1);
    let gap = Gap { class: ObjectClass::Shared, subject: "sharedAccount".to_owned(), reason: "403".to_owned() };
    world.view("old").gaps.push(gap);
    let plan = world.plan();
    assert_eq!(note(&plan, "left-behind-unknown").kind, NoteKind::Info);
    assert!(!plan.is_empty());
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
    assert_eq!(
        ids(&plan),
        ["copy:new/mary@mydomain.ovh", "copy:new/mary@mydomain.ovh#2", "verify.mail:new/mary@mydomain.ovh"]
    );
}

#[test]
fn a_service_in_maintenance_blocks_what_would_change_it() {
    let mut world = World::swap().wants("john").has("old", "john", 1);
    world.view("new").service.state = ServiceState::Unavailable("inMaintenance".to_owned());
    assert!(world.plan().is_empty());
    assert!(note(&world.plan(), "service-unavailable").message.contains("inMaintenance"));
}

/// Everything that an account can lose or gain where it is already.
fn at_home_with_other_wishes() -> World {
    let mut world = World::swap().wants("john").wants("mary").has("new", "john", 1).has("new", "mary", 1);
    world.account("john").aliases = Some([].into());
    world.account("john").delegates = Some([].into());
    world.account("mary").profile.display_name = Some("Mary".to_owned());
    world.seen("new", "john").aliases = [a("js")].into();
    world.seen("new", "john").delegations = [Delegation { to: a("mary"), right: Right::SendAs }].into();
    world.seen("new", "mary").profile.display_name = Some("Mary Jones".to_owned());
    world
}

#[test]
fn a_service_in_maintenance_keeps_aliases_rights_and_names_until_it_is_back() {
    let mut world = at_home_with_other_wishes();
    assert_eq!(world.plan().body.actions.len(), 3, "{:?}", ids(&world.plan()));
    world.view("new").service.state = ServiceState::Unavailable("inMaintenance".to_owned());
    let plan = world.plan();
    assert!(plan.is_empty(), "{:?}", ids(&plan));
    let told = note(&plan, "service-unavailable");
    assert_eq!(told.kind, NoteKind::Blocked);
    assert!(told.message.ends_with("(stops 2 addresses)"), "{}", told.message);
}

#[test]
fn a_service_that_limits_its_accounts_gets_no_more_than_it_takes() {
    let mut world = World::moving(PlatformKind::OvhExchange, PlatformKind::OvhMxplanLegacy, Strategy::Swap);
    for local in ["ann", "bob", "cid"] {
        world = world.wants(local).has("old", local, 1);
    }
    world = world.has("new", "eve", 1);
    world.view("new").account_limit = Some(2);
    let plan = world.plan();
    assert!(ids(&plan).contains(&"account.create:new/ann@mydomain.ovh"));
    let refused: Vec<&str> =
        plan.body.notes.iter().filter(|n| n.code == "account-limit").map(|n| &*n.subject).collect();
    assert_eq!(refused, ["bob@mydomain.ovh", "cid@mydomain.ovh"]);
    assert!(!ids(&plan).iter().any(|id| id.contains("bob") || id.contains("cid")), "{:?}", ids(&plan));
    let message = &note(&plan, "account-limit").message;
    assert_eq!(message, "MX Plan (legacy) `new` has 1 of at most 2 accounts, and 3 more are needed");
}

#[test]
fn where_nothing_takes_groups_no_lines_to_write_are_shown() {
    let mut world = World::swap().wants("john").has("old", "john", 1);
    let (settings, state) = (GroupSettings::default(), ObjectState::Ok);
    let group = GroupView { settings, members: [a("john")].into(), managers: [].into(), state };
    world.view("old").groups.insert(a("team"), group);
    world.view("old").redirections.insert(a("info"), RedirectionView { to: [a("john")].into(), keep_copy: true });
    world.view("new").capabilities.groups = GroupSupport::None;
    world.view("new").capabilities.redirections = RedirectSupport::None;
    let plan = world.plan();
    let help = |code: &str| note(&plan, code).help.clone().unwrap();
    assert!(help("group-not-in-spec").ends_with("\nteam@mydomain.ovh with john@mydomain.ovh"));
    assert!(help("redirection-not-in-spec").ends_with("\ninfo@mydomain.ovh to john@mydomain.ovh, with a copy kept"));
    // Another platform of the spec that has the domain takes them.
    let mut other = platform_view("plan", PlatformKind::OvhMxplanLegacy);
    other.domains.insert(d("mydomain.ovh"), domain_view(None));
    other.capabilities.groups = GroupSupport::List;
    other.capabilities.redirections = RedirectSupport::Any;
    world.inventory.platforms.insert(p("plan"), other);
    let plan = world.plan();
    let help = |code: &str| note(&plan, code).help.clone().unwrap();
    assert!(help("group-not-in-spec").ends_with("  team@mydomain.ovh: { members: [john@mydomain.ovh], via: plan }"));
    let line = "  info@mydomain.ovh: { to: [john@mydomain.ovh], keep_copy: true, via: plan }";
    assert!(help("redirection-not-in-spec").ends_with(line));
}

#[test]
fn notes_are_sorted_worst_first() {
    let world = World::swap().wants("john").has("old", "john", 1).has("old", "john01", 1).has("old", "other", 1);
    let kinds: Vec<NoteKind> = world.plan().body.notes.iter().map(|n| n.kind).collect();
    assert!(kinds.is_sorted());
    assert_eq!(kinds.first(), Some(&NoteKind::Blocked));
}
