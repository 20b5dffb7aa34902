//! Keys of the YAML that were renamed: told, and never guessed.

use rehome::model::{MailboxState, NoteKind};

use super::world::{World, a, codes, ids, note, p};

/// Ann was moved by an earlier run and left the spec; `anna` came.
fn ann_left_and_anna_came() -> World {
    let mut world = World::swap().has("new", "ann", 5).has("old", "ann01", 5).wants("anna");
    world.seen("new", "ann").profile.display_name = Some("Ann Miller".to_owned());
    world.seen("new", "ann").aliases = [a("miller")].into();
    let known = MailboxState { source: Some((p("old"), a("ann01"))), passes: 1, ..MailboxState::default() };
    world.state.mailboxes.insert(a("ann"), known);
    world
}

fn stops(world: &World, why: &str) {
    let plan = world.plan();
    assert_eq!(ids(&plan), Vec::<&str>::new(), "nothing is made, and nothing is taken away");
    let told = note(&plan, "looks-like-a-rename");
    assert_eq!((told.kind, told.subject.as_str()), (NoteKind::Ambiguous, "anna@mydomain.ovh"));
    assert!(told.message.contains("ann@mydomain.ovh") && told.message.ends_with(why), "{}", told.message);
    assert!(told.help.as_ref().is_some_and(|help| help.contains("keep ann@mydomain.ovh in the spec")), "{told:?}");
}

#[test]
fn an_account_that_shares_something_with_one_that_left_is_not_made_empty_in_its_place() {
    let mut name = ann_left_and_anna_came();
    name.account("anna").profile.display_name = Some("Ann Miller".to_owned());
    stops(&name, "has the same name");
    let mut alias = ann_left_and_anna_came();
    alias.account("anna").aliases = Some([a("miller")].into());
    stops(&alias, "has one of its aliases");
    let mut address = ann_left_and_anna_came();
    address.account("anna").aliases = Some([a("ann")].into());
    stops(&address, "has the address that is to be its alias");
    let mut source = ann_left_and_anna_came();
    source.account("anna").mail.source_address = Some(a("ann01"));
    stops(&source, "has the mail of the same source");
}

#[test]
fn a_new_account_that_shares_nothing_is_made() {
    let world = ann_left_and_anna_came();
    assert_eq!(ids(&world.plan()), ["account.create:new/anna@mydomain.ovh"]);
    let mut other = ann_left_and_anna_came();
    other.account("anna").profile.display_name = Some("Anna Berg".to_owned());
    assert_eq!(ids(&other.plan()), ["account.create:new/anna@mydomain.ovh"]);
}

#[test]
fn somebody_whom_rehome_never_touched_is_no_evidence() {
    let mut world = ann_left_and_anna_came();
    world.account("anna").profile.display_name = Some("Ann Miller".to_owned());
    world.state.mailboxes.clear();
    assert_eq!(ids(&world.plan()), ["account.create:new/anna@mydomain.ovh"]);
    // An account that rehome made without any mail is one that it touched.
    world.state.passwords.insert((p("new"), a("ann")));
    stops(&world, "has the same name");
}

#[test]
fn whoever_says_that_they_are_two_is_believed() {
    let mut world = ann_left_and_anna_came().wants("ann");
    world.account("anna").profile.display_name = Some("Ann Miller".to_owned());
    world.account("ann").profile.display_name = Some("Ann Miller".to_owned());
    let plan = world.plan();
    assert!(ids(&plan).contains(&"account.create:new/anna@mydomain.ovh"), "{:?}", codes(&plan));
}
