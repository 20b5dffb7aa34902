//! The decision tables of the strategies, row by row.

use rehome::{
    model::{DomainType, FolderPath, GuardOutcome, LoginView, NoteKind, ObjectState, Phase, PlatformKind, Undo, Work},
    spec::{Presence, SourceFate, SourcePassword, Strategy},
};

use super::{
    model::apply,
    world::{World, a, codes, d, generate, ids, mailbox, note, p},
};

/// Applies the plan and expects the next one to be empty.
fn settles(mut world: World) -> World {
    apply(&mut world);
    let next = world.plan();
    assert_eq!(ids(&next), Vec::<&str>::new(), "notes: {:?}", codes(&next));
    world
}

#[test]
fn swap_renames_the_source_then_creates_the_target_and_copies() {
    let world = World::swap().wants("john").has("old", "john", 12);
    let plan = world.plan();
    assert_eq!(
        ids(&plan),
        [
            "account.rename:old/john@mydomain.ovh",
            "account.create:new/john@mydomain.ovh",
            "copy:new/john@mydomain.ovh",
            "copy:new/john@mydomain.ovh#2",
            "verify.mail:new/john@mydomain.ovh",
        ]
    );
    let [rename, create, copy, again, proof] = plan.body.actions.as_slice() else { panic!() };
    assert_eq!((&rename.swap, &create.swap), (&Some(a("john")), &Some(a("john"))));
    assert!(matches!(&rename.undo, Undo::Change { .. }));
    assert!(create.requires.contains(&rename.id));
    let Work::Copy(work) = &copy.work else { panic!() };
    assert_eq!((&work.source.address, &work.target.address, work.pass), (&a("john01"), &a("john"), 1));
    assert_eq!(work.estimate.unwrap().messages, 12);
    let Work::Copy(work) = &again.work else { panic!() };
    assert_eq!((work.pass, work.skip_below), (2, None), "late mail and flags are always fetched before the proof");
    assert!(again.requires.contains(&copy.id) && proof.requires.contains(&again.id));
    settles(world);
}

#[test]
fn an_interrupted_swap_goes_on_with_the_create() {
    let world = World::swap().wants("john").has("old", "john01", 3);
    let plan = world.plan();
    assert_eq!(
        ids(&plan),
        [
            "account.create:new/john@mydomain.ovh",
            "copy:new/john@mydomain.ovh",
            "copy:new/john@mydomain.ovh#2",
            "verify.mail:new/john@mydomain.ovh"
        ]
    );
    assert_eq!(note(&plan, "source-by-name").kind, NoteKind::Info);
    settles(world);
}

#[test]
fn a_swapped_account_only_copies() {
    let mut world = World::swap().wants("john").has("old", "john01", 3).has("new", "john", 0);
    world.state.passwords.insert((p("new"), a("john")));
    assert_eq!(
        ids(&world.plan()),
        ["copy:new/john@mydomain.ovh", "copy:new/john@mydomain.ovh#2", "verify.mail:new/john@mydomain.ovh"]
    );
    settles(world);
}

#[test]
fn an_address_on_both_sides_is_ambiguous_and_stops_only_its_own_account() {
    let world =
        World::swap().wants("john").has("old", "john", 3).has("new", "john", 0).wants("mary").has("old", "mary", 1);
    let plan = world.plan();
    assert_eq!(note(&plan, "both-sides").kind, NoteKind::Ambiguous);
    assert!(ids(&plan).iter().all(|id| id.contains("mary")), "{:?}", ids(&plan));
    assert_eq!(ids(&plan).len(), 5);
}

#[test]
fn a_provisional_name_that_exists_blocks() {
    let world = World::swap().wants("john").has("old", "john", 3).has("old", "john01", 9);
    let plan = world.plan();
    assert!(plan.is_empty());
    assert_eq!(note(&plan, "provisional-taken").kind, NoteKind::Blocked);
}

#[test]
fn a_provisional_name_that_somebody_else_has_blocks() {
    let as_alias = {
        let mut world = World::swap().wants("john").has("old", "john", 3).has("old", "mary", 1);
        world.seen("old", "mary").aliases.insert(a("john01"));
        world
    };
    let as_account_of_the_target = World::swap().wants("john").has("old", "john", 3).has("new", "john01", 1);
    let as_account_of_the_spec = World::swap().wants("john").wants("john01").has("old", "john", 3);
    for world in [as_alias, as_account_of_the_target, as_account_of_the_spec] {
        let plan = world.plan();
        assert_eq!(note(&plan, "provisional-taken").subject, "john@mydomain.ovh");
        assert!(!ids(&plan).iter().any(|id| id.contains("/john@")));
    }
}

#[test]
fn two_accounts_cannot_share_one_provisional_name() {
    let mut world = World::swap().wants("john").wants("mary").has("old", "john", 1).has("old", "mary", 1);
    world.migrate().provisional = "parked".to_owned();
    let plan = world.plan();
    assert_eq!(note(&plan, "provisional-taken").subject, "mary@mydomain.ovh");
    assert!(ids(&plan).contains(&"account.rename:old/john@mydomain.ovh"));
}

#[test]
fn an_account_without_a_source_is_created_and_said() {
    let world = World::swap().wants("new.hire");
    let plan = world.plan();
    assert_eq!(ids(&plan), ["account.create:new/new.hire@mydomain.ovh"]);
    assert_eq!(note(&plan, "no-source").kind, NoteKind::Info);
    settles(world);
}

#[test]
fn swap_is_refused_between_platforms_with_different_mx() {
    let world =
        World::moving(PlatformKind::Imap, PlatformKind::OvhEmailPro, Strategy::Swap).wants("john").wants("mary");
    let plan = world.plan();
    assert!(plan.is_empty());
    let refused = note(&plan, "swap-needs-shared-routing");
    assert_eq!(refused.subject, "mydomain.ovh");
    assert!(refused.message.ends_with("(stops 2 addresses)"), "{}", refused.message);
}

#[test]
fn parallel_is_refused_where_an_address_exists_once() {
    let mut world = World::swap().wants("john").has("old", "john", 1);
    world.migrate().strategy = Strategy::Parallel;
    let plan = world.plan();
    assert!(plan.is_empty());
    note(&plan, "parallel-needs-separate-routing");
}

#[test]
fn parallel_creates_copies_and_tells_to_move_the_mx() {
    let mut world = World::moving(PlatformKind::Imap, PlatformKind::OvhEmailPro, Strategy::Parallel).wants("john");
    world.inventory.mailboxes.insert((p("old"), a("john")), mailbox(5));
    let plan = world.plan();
    assert_eq!(
        ids(&plan),
        [
            "account.create:new/john@mydomain.ovh",
            "copy:new/john@mydomain.ovh",
            "copy:new/john@mydomain.ovh#2",
            "verify.mail:new/john@mydomain.ovh"
        ]
    );
    assert_eq!(note(&plan, "mx-cutover").kind, NoteKind::Waiting);
    settles(world);
}

#[test]
fn between_imap_hosts_there_is_only_mail() {
    let mut world = World::moving(PlatformKind::Imap, PlatformKind::Imap, Strategy::Parallel).wants("john");
    world.inventory.mailboxes.insert((p("old"), a("john")), mailbox(5));
    world.inventory.mailboxes.insert((p("new"), a("john")), mailbox(0));
    assert_eq!(
        ids(&world.plan()),
        ["copy:new/john@mydomain.ovh", "copy:new/john@mydomain.ovh#2", "verify.mail:new/john@mydomain.ovh"]
    );
    settles(world);
}

#[test]
fn stage_fills_the_target_first_and_renames_it_into_place() {
    let world = World::moving(PlatformKind::OvhExchange, PlatformKind::OvhEmailPro, Strategy::Stage)
        .wants("john")
        .has("old", "john", 4);
    let plan = world.plan();
    assert_eq!(
        ids(&plan),
        [
            "account.create:new/john01@mydomain.ovh",
            "copy:new/john@mydomain.ovh",
            "copy:new/john@mydomain.ovh#2",
            "copy:new/john@mydomain.ovh#3",
            "copy:new/john@mydomain.ovh#4",
            "verify.mail:new/john@mydomain.ovh",
            "account.rename:old/john@mydomain.ovh",
            "account.rename:new/john01@mydomain.ovh",
            "copy:new/john@mydomain.ovh#5",
            "verify.mail:new/john@mydomain.ovh#2",
        ]
    );
    assert!(plan.body.actions[6..].iter().all(|action| action.phase == Phase::Cutover));
    assert_eq!(plan.body.actions[6].swap, plan.body.actions[7].swap);
    let world = settles(world);
    assert!(world.inventory.platforms[&p("old")].accounts.contains_key(&a("john0101")));
}

#[test]
fn of_a_source_that_does_not_tell_of_flags_nothing_is_claimed_about_them() {
    for (tells, told) in [(true, false), (false, true)] {
        let mut world = World::swap().wants("john").has("old", "john", 4);
        for folder in world.inventory.mailboxes.get_mut(&(p("old"), a("john"))).unwrap().folders.values_mut() {
            folder.status.as_mut().unwrap().highest_modseq = tells.then_some(5);
        }
        apply(&mut world);
        let plan = world.plan();
        assert!(plan.is_empty(), "it is enough to look once: {:?}", codes(&plan));
        assert_eq!(plan.body.notes.iter().any(|n| n.code == "flags-not-looked-at"), told);
    }
}

#[test]
fn stage_makes_passes_until_one_brings_little_and_the_plan_says_what_little_is() {
    let world = World::moving(PlatformKind::OvhExchange, PlatformKind::OvhEmailPro, Strategy::Stage)
        .wants("john")
        .has("old", "john", 4);
    let plan = world.plan();
    let passes: Vec<(u32, Option<u64>)> = plan
        .body
        .actions
        .iter()
        .filter_map(|a| match &a.work {
            Work::Copy(work) => Some((work.pass, work.skip_below)),
            _ => None,
        })
        .collect();
    assert_eq!(passes, [(1, None), (2, None), (3, Some(20)), (4, Some(20)), (5, None)]);
    let third = plan.body.actions.iter().find(|a| a.id.as_str().ends_with("#3")).unwrap();
    assert!(third.reason.ends_with("unless that one brought fewer than 20 messages"), "{}", third.reason);
    let shown = rehome::report::plan_text(&plan, &rehome::report::Options { width: 300, ..Default::default() });
    assert!(shown.contains("then late mail, up to 2 times more while a pass brings 20 messages"), "{shown}");
}

#[test]
fn stage_recognises_each_state_in_between() {
    let staged = || World::moving(PlatformKind::OvhExchange, PlatformKind::OvhEmailPro, Strategy::Stage).wants("john");
    let mut filled = staged().has("old", "john", 4).has("new", "john01", 0);
    filled.state.passwords.insert((p("new"), a("john01")));
    assert_eq!(ids(&filled.plan()).first(), Some(&"copy:new/john@mydomain.ovh"));
    settles(filled);
    let mut freed = staged().has("old", "john0101", 4).has("new", "john01", 4);
    freed.state.passwords.insert((p("new"), a("john01")));
    let plan = freed.plan();
    assert!(!ids(&plan).contains(&"account.rename:old/john@mydomain.ovh"));
    assert!(ids(&plan).contains(&"account.rename:new/john01@mydomain.ovh"));
    settles(freed);
    let mut placed = staged().has("old", "john0101", 4).has("new", "john", 4);
    placed.state.passwords.insert((p("new"), a("john")));
    assert_eq!(
        ids(&placed.plan()),
        ["copy:new/john@mydomain.ovh", "copy:new/john@mydomain.ovh#2", "verify.mail:new/john@mydomain.ovh"]
    );
    settles(placed);
}

#[test]
fn stage_does_not_fill_a_strangers_mailbox() {
    let mut world = World::moving(PlatformKind::OvhExchange, PlatformKind::OvhEmailPro, Strategy::Stage)
        .wants("john")
        .has("old", "john", 4)
        .has("new", "john01", 50);
    world.inventory.mailboxes.remove(&(p("new"), a("john01")));
    let plan = world.plan();
    assert!(plan.is_empty());
    note(&plan, "provisional-taken");
}

#[test]
fn a_source_that_cannot_rename_frees_its_address_by_delete_behind_a_guard() {
    let world = World::moving(PlatformKind::OvhMxplanLegacy, PlatformKind::OvhEmailPro, Strategy::Stage)
        .wants("john")
        .has("old", "john", 4);
    let plan = world.plan();
    let reset = plan.body.actions.iter().find(|x| x.id.as_str() == "account.reset:old/john@mydomain.ovh").unwrap();
    let guard = reset.guard.as_ref().unwrap();
    assert_eq!((guard.code.as_str(), guard.outcome), ("free-address-by-delete", GuardOutcome::Ack));
    assert!(matches!(reset.undo, Undo::Irreversible(_)));
    assert_eq!(ids(&plan).last(), Some(&"account.rename:new/john01@mydomain.ovh"));
    settles(world);
}

#[test]
fn a_protected_source_is_not_deleted_to_free_its_address() {
    let mut world = World::moving(PlatformKind::OvhMxplanLegacy, PlatformKind::OvhEmailPro, Strategy::Stage)
        .wants("john")
        .has("old", "john", 4);
    world.state.protected.insert(a("john"));
    let plan = world.plan();
    assert!(plan.is_empty());
    note(&plan, "protected");
}

#[test]
fn swap_from_a_platform_that_cannot_rename_is_refused_with_advice() {
    let mut world = World::moving(PlatformKind::OvhMxplanLegacy, PlatformKind::OvhEmailPro, Strategy::Swap)
        .wants("john")
        .has("old", "john", 4);
    let plan = world.plan();
    assert!(plan.is_empty());
    assert!(note(&plan, "rename-not-supported").help.as_deref().unwrap().contains("stage"));
    world.migrate().strategy = Strategy::Stage;
    assert!(!world.plan().is_empty());
}

#[test]
fn a_missing_domain_comes_first_and_the_source_stops_being_authoritative_before_it() {
    let mut world = World::swap().wants("john").has("old", "john", 1);
    world.view("new").domains.clear();
    world.view("old").domains.get_mut(&d("mydomain.ovh")).unwrap().kind = Some(DomainType::Authoritative);
    let plan = world.plan();
    assert_eq!(
        ids(&plan)[..4],
        [
            "domain.update:old/mydomain.ovh",
            "domain.add:new/mydomain.ovh",
            "domain.ready:new/mydomain.ovh",
            "account.rename:old/john@mydomain.ovh",
        ]
    );
    let ready = plan.body.actions[2].id.clone();
    assert!(plan.body.actions[3].requires.contains(&ready) && plan.body.actions[4].requires.contains(&ready));
    settles(world);
}

#[test]
fn a_domain_that_waits_is_waited_for_only_when_something_needs_it() {
    let mut world = World::swap();
    world.view("new").domains.get_mut(&d("mydomain.ovh")).unwrap().state = ObjectState::Waiting;
    assert!(world.plan().is_empty());
    note(&world.plan(), "domain-waiting");
    let world = world.wants("john");
    assert_eq!(ids(&world.plan()), ["domain.ready:new/mydomain.ovh", "account.create:new/john@mydomain.ovh"]);
    settles(world);
}

#[test]
fn slots_are_counted_and_whoever_gets_none_is_told() {
    let mut world = World::swap();
    for name in ["ann", "bob", "cid", "dan", "eve"] {
        world = world.wants(name).has("old", name, 1);
    }
    let plan = world.plan();
    let blocked: Vec<_> = plan.body.notes.iter().filter(|n| n.code == "no-free-slot").collect();
    assert_eq!(blocked.len(), 2);
    assert!(blocked[0].message.contains("has 3 free slots and 5 are needed"), "{}", blocked[0].message);
    assert!(!ids(&plan).iter().any(|id| id.contains(&blocked[0].subject)));
}

#[test]
fn slots_fit_the_wishes() {
    let mut world = World::swap().wants("ann").wants("bob").wants("cid");
    world.view("new").slots.clear();
    world.slot("small@configureme.me", Some(5));
    world.slot("large@configureme.me", Some(500));
    world.slot("named@configureme.me", Some(50));
    world.account("ann").profile.quota_octets = Some(100);
    world.account("cid").slot = Some("named@configureme.me".into());
    let plan = world.plan();
    let slot = |who: &str| {
        plan.body.actions.iter().find_map(|action| match &action.work {
            Work::Platform { change: rehome::model::Change::AccountCreate { address, slot, .. }, .. } => {
                (*address == a(who)).then(|| slot.as_ref().unwrap().as_str())
            }
            _ => None,
        })
    };
    assert_eq!(slot("ann"), Some("large@configureme.me"));
    assert_eq!(slot("bob"), Some("small@configureme.me"));
    assert_eq!(slot("cid"), Some("named@configureme.me"));
}

#[test]
fn a_mailbox_must_fit_what_the_target_sells() {
    const GB: u64 = 1 << 30;
    let holding = |target, octets: u64| {
        let mut world =
            World::moving(PlatformKind::OvhExchange, target, Strategy::Swap).wants("john").has("old", "john", 1);
        world.seen("old", "john").used_octets = Some(octets);
        world
    };
    for (target, limit) in [
        (PlatformKind::OvhMxplan, 5 * GB),
        (PlatformKind::OvhMxplanLegacy, 5 * GB),
        (PlatformKind::OvhEmailPro, 10 * GB),
    ] {
        assert!(!holding(target, limit).plan().is_empty(), "{target:?} takes what just fits");
        let plan = holding(target, limit + 1).plan();
        assert!(plan.is_empty());
        let told = note(&plan, "mailbox-too-large");
        assert!(told.message.contains(&format!("takes {}.0 GiB", limit / GB)), "{}", told.message);
    }
    // Zimbra sells 15 GB as STARTER and more as PRO: the slot decides.
    let zimbra = |slots: &[(&str, u64)]| {
        let mut world = holding(PlatformKind::OvhZimbra, 15 * GB + 1);
        world.view("new").slots.clear();
        for (id, gigabytes) in slots {
            world.slot(id, Some(gigabytes * GB));
        }
        world.plan()
    };
    let plan = zimbra(&[("starter-1", 15), ("starter-2", 15)]);
    assert!(plan.is_empty());
    assert!(plan.body.notes.iter().any(|n| n.message.contains("15.0 GiB")), "{:?}", plan.body.notes);
    let plan = zimbra(&[("starter-1", 15), ("pro-1", 50)]);
    let Work::Platform { change: rehome::model::Change::AccountCreate { slot, .. }, .. } = &plan.body.actions[1].work
    else {
        panic!("{:?}", ids(&plan))
    };
    assert_eq!(slot.as_ref().unwrap().as_str(), "pro-1");
}

#[test]
fn everything_wrong_with_an_account_is_told_at_once() {
    let mut world = World::swap().wants("john").has("old", "john", 1);
    world.seen("old", "john").used_octets = Some(11 << 30);
    world.seen("old", "john").imap_enabled = Some(false);
    world.account("john").mail.source_password = None;
    world.account("john").password = None;
    let plan = world.plan();
    assert!(plan.is_empty());
    for code in ["mailbox-too-large", "imap-disabled", "source-password-missing", "password-missing"] {
        note(&plan, code);
    }
    assert!(note(&plan, "mailbox-too-large").message.contains("11.0 GiB"));
}

#[test]
fn refused_and_unreachable_mailboxes_block() {
    let bad = [
        (LoginView::Refused { reason: "no".to_owned() }, "login-refused"),
        (LoginView::Unreachable { reason: "timeout".to_owned() }, "mailbox-unreachable"),
    ];
    for (login, code) in bad {
        let mut world = World::swap().wants("john").has("old", "john", 1);
        world.inventory.mailboxes.get_mut(&(p("old"), a("john"))).unwrap().login = login.clone();
        assert!(world.plan().is_empty());
        note(&world.plan(), code);
        let mut world = World::swap().wants("john").has("old", "john01", 1).has("new", "john", 0);
        world.state.passwords.insert((p("new"), a("john")));
        world.inventory.mailboxes.get_mut(&(p("new"), a("john"))).unwrap().login = login;
        assert!(world.plan().is_empty());
        note(&world.plan(), code);
    }
}

#[test]
fn a_busy_account_waits_and_a_suspended_one_blocks() {
    let mut world = World::swap().wants("john").has("old", "john", 1);
    world.seen("old", "john").state = ObjectState::Busy;
    assert_eq!(note(&world.plan(), "object-busy").kind, NoteKind::Waiting);
    world.seen("old", "john").state = ObjectState::Unavailable("suspended".to_owned());
    assert_eq!(note(&world.plan(), "object-unavailable").kind, NoteKind::Blocked);
    assert!(world.plan().is_empty());
}

#[test]
fn names_too_long_for_a_platform_block() {
    let long = "a-name-of-exactly-thirty-one-ch";
    let world = World::swap().wants(long).has("old", long, 1);
    assert!(world.plan().is_empty());
    assert!(note(&world.plan(), "local-part-too-long").message.contains("33 characters"));
}

#[test]
fn a_source_password_is_reset_after_the_swap_and_behind_a_guard() {
    let mut world = World::swap().wants("john").has("old", "john", 1);
    world.inventory.mailboxes.remove(&(p("old"), a("john")));
    world.account("john").mail.source_password = Some(SourcePassword::Reset(generate("john.old")));
    let plan = world.plan();
    assert_eq!(ids(&plan)[2], "account.password:old/john01@mydomain.ovh");
    assert_eq!(plan.body.actions[2].guard.as_ref().unwrap().code, "reset-source-password");
    assert!(plan.body.actions[3].requires.contains(&plan.body.actions[2].id));
    let Work::Copy(work) = &plan.body.actions[3].work else { panic!() };
    assert_eq!(work.source.access.password().to_string(), "file secrets/john.old");
    settles(world);
}

#[test]
fn an_unknown_password_of_an_existing_target_is_set_behind_a_guard() {
    let mut world = World::swap().wants("john").has("old", "john01", 1).has("new", "john", 0);
    world.inventory.mailboxes.remove(&(p("new"), a("john")));
    let plan = world.plan();
    assert_eq!(ids(&plan)[0], "account.password:new/john@mydomain.ovh");
    assert_eq!(plan.body.actions[0].guard.as_ref().unwrap().code, "reset-target-password");
    settles(world);
}

#[test]
fn new_mail_at_the_source_is_copied_again_and_a_quiet_source_is_left_alone() {
    let mut world = World::swap().wants("john").has("old", "john", 12);
    apply(&mut world);
    assert!(world.plan().is_empty());
    world.inventory.mailboxes.insert((p("old"), a("john01")), mailbox(13));
    let plan = world.plan();
    assert_eq!(ids(&plan), ["copy:new/john@mydomain.ovh", "verify.mail:new/john@mydomain.ovh"]);
    let Work::Copy(work) = &plan.body.actions[0].work else { panic!() };
    assert_eq!(work.pass, 3);
    settles(world);
}

#[test]
fn a_folder_that_a_filter_leaves_out_does_not_cause_a_copy() {
    let mut world = World::swap().wants("john").has("old", "john", 12);
    world.account("john").mail.filter.exclude = vec!["Spam".to_owned()];
    apply(&mut world);
    let inbox = mailbox(1).folders[&FolderPath::inbox()].clone();
    let source = world.inventory.mailboxes.get_mut(&(p("old"), a("john01"))).unwrap();
    source.folders.insert(FolderPath(vec!["Spam".to_owned(), "2020".to_owned()]), inbox);
    assert!(world.plan().is_empty());
}

#[test]
fn a_proved_mailbox_that_cannot_be_looked_at_is_left_alone_and_said() {
    let mut world = World::swap().wants("john").has("old", "john", 12);
    apply(&mut world);
    let login = LoginView::NotTried { reason: "no password".to_owned() };
    world.inventory.mailboxes.get_mut(&(p("old"), a("john01"))).unwrap().login = login;
    assert!(world.plan().is_empty());
    assert_eq!(note(&world.plan(), "source-not-looked-at").kind, NoteKind::Info);
}

#[test]
fn a_source_is_reset_last_after_its_proof_and_behind_a_guard() {
    let mut world = World::swap().wants("john").has("old", "john", 12);
    world.migrate().source = SourceFate::Reset;
    let plan = world.plan();
    let reset = plan.body.actions.last().unwrap();
    assert_eq!(reset.id.as_str(), "account.reset:old/john01@mydomain.ovh");
    assert_eq!(reset.requires.len(), plan.body.actions.len() - 1);
    assert_eq!(reset.guard.as_ref().unwrap().code, "reset-mailbox");
    settles(world.clone());
    world.account("john").protect = true;
    assert!(!ids(&world.plan()).iter().any(|id| id.starts_with("account.reset")));
    note(&world.plan(), "protected");
}

#[test]
fn an_account_that_should_not_be_is_deleted_behind_guards() {
    let mut world = World::swap().wants("gone").has("new", "gone", 7);
    world.account("gone").state = Presence::Absent;
    let outcome = |world: &World| {
        let plan = world.plan();
        let [reset] = plan.body.actions.as_slice() else { panic!("{:?}", ids(&plan)) };
        reset.guard.clone().unwrap().outcome
    };
    assert_eq!(outcome(&world), GuardOutcome::Deny, "its mail was never copied");
    world.inventory.mailboxes.insert((p("new"), a("gone")), mailbox(0));
    assert_eq!(outcome(&world), GuardOutcome::Ack, "it is empty");
    world.state.protected.insert(a("gone"));
    assert_eq!(outcome(&world), GuardOutcome::Deny, "it is protected");
}

#[test]
fn a_plain_account_is_created_and_updated() {
    let mut world = World::swap().wants("john").has("new", "john", 1).wants("mary");
    world.spec.domains.get_mut(&d("mydomain.ovh")).unwrap().migrate = None;
    world.seen("new", "john").profile.display_name = Some("Jon".to_owned());
    world.account("john").profile.display_name = Some("John".to_owned());
    assert_eq!(ids(&world.plan()), ["account.update:new/john@mydomain.ovh", "account.create:new/mary@mydomain.ovh"]);
    settles(world);
}

#[test]
fn an_account_that_opts_out_does_not_take_an_address_from_the_source() {
    let mut world = World::swap().wants("john").has("old", "john", 1);
    world.account("john").mail.skip = true;
    assert!(world.plan().is_empty());
    note(&world.plan(), "address-taken");
}

#[test]
fn sources_under_other_addresses_may_trade_names() {
    let mut world = World::swap().wants("john").wants("j").has("old", "john", 1).has("old", "j", 2);
    world.account("john").mail.source_address = Some(a("j"));
    world.account("j").mail.source_address = Some(a("john"));
    let plan = world.plan();
    assert_eq!(
        ids(&plan)[..4],
        [
            "account.rename:old/j@mydomain.ovh",
            "account.create:new/j@mydomain.ovh",
            "account.rename:old/john@mydomain.ovh",
            "account.create:new/john@mydomain.ovh",
        ]
    );
    settles(world);
}
