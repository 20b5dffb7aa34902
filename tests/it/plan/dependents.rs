//! Aliases, redirections, groups, delegations, contacts, footers.

use std::collections::BTreeSet;

use rehome::{
    model::{
        Address, ContactView, Delegation, DnsTopic, Footer, Gap, GroupSettings, GroupView, GuardOutcome, NoteKind,
        ObjectClass, ObjectState, PlatformKind, RedirectionView, Right,
    },
    plan::guards,
    spec::{ContactSpec, FooterSpec, GroupSpec, Presence, RedirectionSpec, Strategy},
};

use super::{
    model::apply,
    world::{World, a, codes, d, ids, note, p},
};

fn settles(mut world: World) -> World {
    apply(&mut world);
    let next = world.plan();
    assert_eq!(ids(&next), Vec::<&str>::new(), "notes: {:?}", codes(&next));
    world
}

fn set(all: &[&str]) -> BTreeSet<Address> {
    all.iter().map(|local| a(local)).collect()
}

fn redirection(to: &[&str]) -> RedirectionSpec {
    RedirectionSpec { state: Presence::Present, to: set(to), keep_copy: false, via: None }
}

fn group(members: &[&str]) -> GroupSpec {
    GroupSpec {
        state: Presence::Present,
        settings: GroupSettings::default(),
        members: Some(set(members)),
        managers: None,
        via: None,
    }
}

fn group_view(members: &[&str]) -> GroupView {
    GroupView {
        settings: GroupSettings::default(),
        members: set(members),
        managers: BTreeSet::new(),
        state: ObjectState::Ok,
    }
}

fn gap(class: ObjectClass) -> Gap {
    Gap { class, subject: String::new(), reason: "500".to_owned() }
}

/// John is on the new platform and his mail is proved to be there.
fn moved() -> World {
    let mut world = World::swap().wants("john").has("old", "john", 1);
    apply(&mut world);
    world
}

#[test]
fn an_alias_is_freed_on_the_source_right_before_it_is_taken_on_the_target() {
    let mut world = World::swap().wants("john").has("old", "john", 1);
    world.seen("old", "john").aliases = set(&["j.smith"]);
    world.account("john").aliases = Some(set(&["j.smith"]));
    let plan = world.plan();
    let at = |id: &str| ids(&plan).iter().position(|x| *x == id).unwrap();
    let remove = at("alias.remove:old/j.smith@mydomain.ovh");
    assert_eq!(remove + 1, at("alias.add:new/j.smith@mydomain.ovh"));
    assert!(remove > at("account.create:new/john@mydomain.ovh"));
    assert_eq!(plan.body.actions[remove].swap, Some(a("j.smith")));
    settles(world);
}

#[test]
fn an_alias_that_becomes_an_account_is_freed_before_the_account_is_made() {
    let mut world = World::swap().wants("john").wants("sales").has("old", "john", 1);
    world.seen("old", "john").aliases = set(&["sales"]);
    let plan = world.plan();
    let at = |id: &str| ids(&plan).iter().position(|x| *x == id).unwrap();
    assert_eq!(
        at("alias.remove:old/sales@mydomain.ovh") + 1,
        at("account.create:new/sales@mydomain.ovh"),
        "{:?}",
        ids(&plan)
    );
    settles(world);
}

#[test]
fn an_address_left_behind_as_alias_of_the_parked_source_is_freed() {
    let mut world = World::swap().wants("john").has("old", "john01", 1);
    world.seen("old", "john01").aliases = set(&["john"]);
    let plan = world.plan();
    assert_eq!(ids(&plan)[..2], ["alias.remove:old/john@mydomain.ovh", "account.create:new/john@mydomain.ovh"]);
    settles(world);
}

#[test]
fn an_alias_moves_between_accounts_of_the_spec() {
    let mut world = moved().wants("mary").has("new", "mary", 0);
    world.seen("new", "john").aliases = set(&["info"]);
    world.account("john").aliases = Some(BTreeSet::new());
    world.account("mary").aliases = Some(set(&["info"]));
    let plan = world.plan();
    assert_eq!(ids(&plan), ["alias.remove:new/info@mydomain.ovh", "alias.add:new/info@mydomain.ovh"]);
    assert!(guards(&plan).is_empty());
    settles(world);
}

#[test]
fn an_alias_of_an_account_that_nobody_manages_is_not_taken_away() {
    let mut world = moved().has("new", "stranger", 0);
    world.seen("new", "stranger").aliases = set(&["info"]);
    world.account("john").aliases = Some(set(&["info"]));
    assert!(world.plan().is_empty());
    assert_eq!(note(&world.plan(), "address-taken").subject, "info@mydomain.ovh");
}

#[test]
fn aliases_that_are_not_managed_are_left_alone_and_those_that_are_no_longer_listed_go() {
    let mut world = moved();
    world.seen("new", "john").aliases = set(&["one", "two"]);
    assert!(world.plan().is_empty());
    world.account("john").aliases = Some(set(&["two"]));
    assert_eq!(ids(&world.plan()), ["alias.remove:new/one@mydomain.ovh"]);
    world.view("new").gaps.push(gap(ObjectClass::Alias));
    assert!(world.plan().is_empty());
    assert_eq!(note(&world.plan(), "incomplete-listing").kind, NoteKind::Waiting);
}

#[test]
fn a_platform_without_aliases_says_what_to_do_instead() {
    let mut world = World::moving(PlatformKind::OvhExchange, PlatformKind::OvhMxplanLegacy, Strategy::Swap)
        .wants("john")
        .has("new", "john", 0);
    world.account("john").aliases = Some(set(&["j"]));
    assert!(note(&world.plan(), "alias-unsupported").help.as_deref().unwrap().contains("redirection"));
}

#[test]
fn redirections_follow_what_the_platform_can_do() {
    let mut world = moved();
    world.spec.redirections.insert(a("info"), redirection(&["john"]));
    assert_eq!(note(&world.plan(), "redirection-unsupported").kind, NoteKind::Unsupported);
    world.spec.redirections.get_mut(&a("info")).unwrap().via = Some(p("old"));
    note(&world.plan(), "redirection-needs-account");
    world.spec.redirections.get_mut(&a("info")).unwrap().to = set(&["john", "mary"]);
    note(&world.plan(), "redirection-one-target");
    assert!(world.plan().is_empty());
    let any = rehome::model::RedirectSupport::Any;
    world.view("old").capabilities.redirections = any;
    assert_eq!(ids(&world.plan()), ["redirection.set:old/info@mydomain.ovh"]);
    settles(world);
}

#[test]
fn a_redirection_that_is_there_gets_other_destinations_in_place() {
    let mut world = moved().wants("mary").has("new", "mary", 1);
    world.view("new").capabilities.redirections = rehome::model::RedirectSupport::Any;
    let seen = RedirectionView { to: set(&["john"]), keep_copy: false };
    world.view("new").redirections.insert(a("info"), seen);
    world.spec.redirections.insert(a("info"), redirection(&["mary"]));
    let plan = world.plan();
    assert_eq!(ids(&plan), ["redirection.set:new/info@mydomain.ovh"], "{:?}", codes(&plan));
    let shown = rehome::report::plan_text(&plan, &rehome::report::Options::default());
    assert!(shown.contains("~  redirect"), "{shown}");
    settles(world);
}

#[test]
fn a_forward_of_an_account_goes_and_the_account_keeps_its_address() {
    let mut world = moved();
    world.view("new").capabilities.redirections = rehome::model::RedirectSupport::AccountForward;
    for keep_copy in [true, false] {
        let seen = RedirectionView { to: [Address::parse("desk@partner.example").unwrap()].into(), keep_copy };
        world.view("new").redirections.insert(a("john"), seen);
        let absent = RedirectionSpec { state: Presence::Absent, ..redirection(&[]) };
        world.spec.redirections.insert(a("john"), absent);
        let plan = world.plan();
        assert_eq!(ids(&plan), ["redirection.remove:new/john@mydomain.ovh"], "{:?}", codes(&plan));
        world = settles(world);
    }
}

#[test]
fn a_redirection_moves_with_its_address_and_waits_for_its_target() {
    let mut world = World::moving(PlatformKind::OvhExchange, PlatformKind::OvhZimbra, Strategy::Swap)
        .wants("john")
        .has("old", "john", 1);
    world.spec.redirections.insert(a("info"), redirection(&["john", "desk@partner.example"]));
    world
        .view("old")
        .redirections
        .insert(a("info"), RedirectionView { to: set(&["john", "desk@partner.example"]), keep_copy: false });
    let plan = world.plan();
    let at = |id: &str| ids(&plan).iter().position(|x| *x == id).unwrap();
    let removed = at("redirection.remove:old/info@mydomain.ovh");
    assert_eq!(removed + 1, at("redirection.set:new/info@mydomain.ovh"));
    assert!(at("account.create:new/john@mydomain.ovh") < removed);
    assert!(guards(&plan).is_empty(), "the outside target is not new");
    settles(world);
}

#[test]
fn mail_that_newly_leaves_the_organisation_needs_somebodys_word() {
    let mut world = World::moving(PlatformKind::OvhExchange, PlatformKind::OvhZimbra, Strategy::Swap);
    world.spec.redirections.insert(a("info"), redirection(&["desk@partner.example"]));
    let guards = guards(&world.plan());
    assert_eq!((guards[0].code.as_str(), guards[0].outcome), ("outside-redirection", GuardOutcome::Ack));
    world.spec.redirections.insert(a("info"), redirection(&["desk@mydomain.ovh"]));
    assert!(rehome::plan::guards(&world.plan()).is_empty());
}

#[test]
fn a_group_is_made_with_members_managers_and_contacts() {
    let mut world = World::moving(PlatformKind::OvhEmailPro, PlatformKind::OvhExchange, Strategy::Swap)
        .wants("john")
        .has("old", "john", 1);
    let mut team = group(&["john", "guest@partner.example", "nobody"]);
    team.managers = Some(set(&["john"]));
    world.spec.groups.insert(a("team"), team);
    let plan = world.plan();
    let dependent: Vec<_> =
        ids(&plan).into_iter().filter(|id| !id.contains(":new/john@") && !id.contains(":old/john@")).collect();
    assert_eq!(
        dependent,
        [
            "contact.add:new/guest@partner.example",
            "group.create:new/team@mydomain.ovh",
            "group.member.add:new/team@mydomain.ovh/guest@partner.example",
            "group.member.add:new/team@mydomain.ovh/john@mydomain.ovh",
            "group.manager.add:new/team@mydomain.ovh/john@mydomain.ovh",
        ]
    );
    assert_eq!(note(&plan, "account-missing").subject, "team@mydomain.ovh");
    world.spec.groups.get_mut(&a("team")).unwrap().members = Some(set(&["john", "guest@partner.example"]));
    settles(world);
}

#[test]
fn a_member_that_is_blocked_is_waited_for() {
    let mut world = World::moving(PlatformKind::OvhEmailPro, PlatformKind::OvhExchange, Strategy::Swap)
        .wants("john")
        .has("old", "john", 1)
        .has("old", "john01", 1);
    world.spec.groups.insert(a("team"), group(&["john"]));
    let plan = world.plan();
    assert_eq!(ids(&plan), ["group.create:new/team@mydomain.ovh"]);
    assert_eq!(note(&plan, "waits-for-blocked").kind, NoteKind::Waiting);
}

#[test]
fn members_that_left_the_spec_are_removed_unless_the_listing_has_a_gap() {
    let mut world = World::moving(PlatformKind::OvhEmailPro, PlatformKind::OvhExchange, Strategy::Swap)
        .wants("john")
        .has("new", "john", 1);
    world.view("new").groups.insert(a("team"), group_view(&["john", "gone"]));
    world.spec.groups.insert(a("team"), group(&["john"]));
    assert_eq!(ids(&world.plan()), ["group.member.remove:new/team@mydomain.ovh/gone@mydomain.ovh"]);
    world.view("new").gaps.push(gap(ObjectClass::Group));
    assert!(world.plan().is_empty());
    note(&world.plan(), "incomplete-listing");
}

#[test]
fn groups_are_unsupported_on_email_pro() {
    let mut world = World::swap();
    world.spec.groups.insert(a("team"), group(&[]));
    assert!(world.plan().is_empty());
    assert_eq!(note(&world.plan(), "group-unsupported").kind, NoteKind::Unsupported);
}

#[test]
fn a_delegation_waits_for_both_accounts_and_an_old_right_goes_first() {
    let grant = |to: &str, right| Delegation { to: a(to), right };
    let mut world = World::swap().wants("john").wants("mary").has("old", "john", 1).has("old", "mary", 1);
    world.account("john").delegates = Some([grant("mary", Right::SendAs)].into());
    let plan = world.plan();
    let granted = plan.body.actions.iter().find(|x| x.id.as_str().starts_with("delegation.grant")).unwrap();
    for who in ["john", "mary"] {
        let made = format!("account.create:new/{who}@mydomain.ovh");
        assert!(granted.requires.iter().any(|r| r.as_str() == made));
    }
    let mut world = settles(world);
    world.account("john").delegates = Some([grant("mary", Right::SendOnBehalf)].into());
    let plan = world.plan();
    assert_eq!(
        ids(&plan),
        [
            "delegation.revoke:new/john@mydomain.ovh/mary@mydomain.ovh/send-as",
            "delegation.grant:new/john@mydomain.ovh/mary@mydomain.ovh/send-on-behalf",
        ]
    );
    assert!(plan.body.actions[1].requires.contains(&plan.body.actions[0].id));
    settles(world);
}

#[test]
fn delegations_to_nobody_and_unknown_rights_become_notes() {
    let mut world = moved();
    world.account("john").delegates = Some([Delegation { to: a("ghost"), right: Right::SendAs }].into());
    assert!(world.plan().is_empty());
    note(&world.plan(), "account-missing");
    world.view("new").capabilities.delegations.clear();
    assert_eq!(note(&world.plan(), "delegation-unsupported").kind, NoteKind::Unsupported);
}

#[test]
fn contacts_and_footers_are_compared_with_what_is_there() {
    let mut world = World::swap();
    let fields = |name: &str| ContactView { display_name: Some(name.to_owned()), ..ContactView::default() };
    let contact = |state, name| ContactSpec { state, fields: fields(name), platform: p("new") };
    world.spec.contacts.insert(a("x@partner.example"), contact(Presence::Present, "X"));
    world.spec.contacts.insert(a("y@partner.example"), contact(Presence::Present, "Y"));
    world.spec.contacts.insert(a("z@partner.example"), contact(Presence::Absent, "Z"));
    world.view("new").contacts.insert(a("y@partner.example"), fields("old"));
    world.view("new").contacts.insert(a("z@partner.example"), fields("Z"));
    let footer = Footer { html: "<p>hi</p>".to_owned(), outside_only: true };
    world.spec.domains.get_mut(&d("mydomain.ovh")).unwrap().footer = Some(FooterSpec::Present(footer));
    assert_eq!(
        ids(&world.plan()),
        [
            "contact.add:new/x@partner.example",
            "contact.update:new/y@partner.example",
            "footer.set:new/mydomain.ovh",
            "contact.remove:new/z@partner.example",
        ]
    );
    let mut world = settles(world);
    world.spec.domains.get_mut(&d("mydomain.ovh")).unwrap().footer = Some(FooterSpec::Absent);
    assert_eq!(ids(&world.plan()), ["footer.remove:new/mydomain.ovh"]);
    world.view("new").gaps.push(gap(ObjectClass::Footer));
    assert!(world.plan().is_empty());
}

#[test]
fn what_should_not_be_is_removed_once_and_never_on_a_gap() {
    let mut world = World::moving(PlatformKind::OvhExchange, PlatformKind::OvhZimbra, Strategy::Swap);
    let mut absent = redirection(&[]);
    absent.state = Presence::Absent;
    world.spec.redirections.insert(a("info"), absent);
    world.view("new").redirections.insert(a("info"), RedirectionView { to: set(&["x"]), keep_copy: false });
    assert_eq!(ids(&world.plan()), ["redirection.remove:new/info@mydomain.ovh"]);
    settles(world.clone());
    world.view("new").gaps.push(gap(ObjectClass::Redirection));
    assert!(world.plan().is_empty());
    note(&world.plan(), "incomplete-listing");
}

#[test]
fn many_deletions_need_somebodys_word() {
    let mut world = moved();
    let all: Vec<String> = (0..6).map(|n| format!("alias{n}")).collect();
    world.seen("new", "john").aliases = all.iter().map(|x| a(x)).collect();
    world.account("john").aliases = Some(set(&["alias0"]));
    assert!(guards(&world.plan()).is_empty(), "five of six: under the floor");
    world.account("john").aliases = Some(BTreeSet::new());
    let open = guards(&world.plan());
    assert_eq!((open[0].code.as_str(), open[0].actions.len()), ("many-deletions", 6));
    assert_eq!(open[0].messages.len(), 1);
}

#[test]
fn a_domain_is_removed_last_and_never_while_somebody_is_in_it() {
    let mut world = World::swap().wants("gone").has("new", "gone", 0);
    let spec = world.spec.domains.get_mut(&d("mydomain.ovh")).unwrap();
    spec.state = Presence::Absent;
    spec.migrate = None;
    world.account("gone").state = Presence::Absent;
    let plan = world.plan();
    assert_eq!(ids(&plan), ["account.reset:new/gone@mydomain.ovh", "domain.remove:new/mydomain.ovh"]);
    assert_eq!(plan.body.actions[1].guard.as_ref().unwrap().outcome, GuardOutcome::Ack);
    settles(world.clone());
    let world = world.has("new", "stays", 3);
    let plan = world.plan();
    assert_eq!(plan.body.actions[1].guard.as_ref().unwrap().outcome, GuardOutcome::Deny);
}

#[test]
fn dns_is_checked_when_something_else_happens_in_the_domain() {
    let mut world = World::swap().wants("john").has("old", "john", 1);
    world.spec.domains.get_mut(&d("mydomain.ovh")).unwrap().dns.verify = [DnsTopic::Mx].into();
    assert_eq!(ids(&world.plan()).last(), Some(&"verify.dns:new/mydomain.ovh"));
    settles(world);
}
