//! Where nobody can say whose an account or an address is, nothing is taken.

use rehome::{
    model::{Gap, MailboxState, NoteKind, ObjectClass, PlatformKind, Work},
    spec::Strategy,
};

use super::world::{World, a, ids, note, p};

#[test]
fn a_source_under_both_provisional_names_is_ambiguous_unless_the_journal_knows_which() {
    let staged = World::moving(PlatformKind::OvhExchange, PlatformKind::OvhEmailPro, Strategy::Stage).wants("john");
    let mut world = staged.has("old", "john01", 9).has("old", "john0101", 4).has("new", "john", 4);
    let plan = world.plan();
    assert!(plan.is_empty());
    let told = note(&plan, "provisional-taken");
    assert_eq!(told.kind, NoteKind::Blocked);
    assert!(told.message.contains("john01@mydomain.ovh and john0101@mydomain.ovh"), "{}", told.message);
    for name in ["john01", "john0101"] {
        let known = MailboxState { source: Some((p("old"), a(name))), ..MailboxState::default() };
        world.state.mailboxes.insert(a("john"), known);
        let plan = world.plan();
        let copy = plan.body.actions.iter().find_map(|x| match &x.work {
            Work::Copy(copy) => Some(copy.source.address.clone()),
            _ => None,
        });
        assert_eq!(copy, Some(a(name)));
    }
    world.state.mailboxes.clear();
    world.account("john").mail.source_address = Some(a("john0101"));
    assert!(!world.plan().is_empty());
}

#[test]
fn an_address_that_may_be_held_by_what_was_not_listed_is_not_claimed() {
    for class in [ObjectClass::Account, ObjectClass::Alias, ObjectClass::Redirection, ObjectClass::Group] {
        let mut world = World::swap().wants("new.hire").wants("mary").has("old", "mary", 1);
        world.view("old").gaps.push(Gap {
            class,
            subject: "new.hire@mydomain.ovh".to_owned(),
            reason: "500".to_owned(),
        });
        let plan = world.plan();
        note(&plan, "incomplete-listing");
        assert!(!ids(&plan).iter().any(|id| id.contains("new.hire")), "{class:?}: {:?}", ids(&plan));
        assert!(ids(&plan).contains(&"account.create:new/mary@mydomain.ovh"), "{class:?}: {:?}", ids(&plan));
    }
}
