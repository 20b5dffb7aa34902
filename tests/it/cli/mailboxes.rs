//! Mailboxes that cannot be moved as they are. Nothing of such an account is begun, and the others go their way.

use insta::assert_snapshot;
use rehome::{
    model::Address,
    sandbox::{
        corpus::{Corpus, Person},
        residents::{EMAIL_PRO, EXCHANGE},
    },
};

use super::apply;
use crate::world::World;

const JOHN: &str = "john.smith@blue.example";

fn john() -> Address {
    Address::parse(JOHN).unwrap()
}

/// What a plan says of the accounts for which nothing can be done.
fn notes(world: &World) -> String {
    let ran = world.run(&["plan", "rehome.yaml"]).ends(0);
    let start = ran.out.find("\nBlocked").unwrap_or_else(|| panic!("nothing is blocked: {ran}"));
    ran.out[start..].split("\n\n").next().unwrap_or_default().trim().to_owned()
}

#[test]
fn without_a_free_slot_the_plan_says_who_gets_none() {
    let world = World::demo();
    let free = world.edit_hosted(EMAIL_PRO, |service| {
        let accounts = &mut service.accounts;
        let empty: Vec<u64> = accounts.values().filter(|a| !a.configured).map(|a| a.id).collect();
        empty.iter().skip(1).for_each(|id| drop(accounts.remove(id)));
        accounts.values().filter(|a| !a.configured).count()
    });
    assert_eq!(free, 1);
    assert_snapshot!(notes(&world), @r"
    Blocked
      no-free-slot (2)
        john.smith@blue.example: Email Pro `emailpro` has 1 free slot and 3 are needed
        max.weber@blue.example: Email Pro `emailpro` has 1 free slot and 3 are needed
        > order more slots on the platform, then plan again
    ");
}

#[test]
fn when_nothing_can_be_done_the_plan_does_not_say_that_all_is_well() {
    let world = World::demo();
    world.edit_hosted(EMAIL_PRO, |service| service.state = "suspended".to_owned());
    let ran = world.run(&["plan", "rehome.yaml"]).ends(1);
    assert_snapshot!(ran, @r"
    $ rehome plan rehome.yaml
    Plan [ID]   blue.example (swap)
    Nothing can be done as things are; the reasons are below.

    Blocked
      service-unavailable
        emailpro: Email Pro `emailpro` takes no changes now (suspended) (stops 5 addresses)
        > wait until the platform says it is available, and plan again

    Does not move
      group-not-in-spec
        blue.example: 1 group on Exchange not in the spec
        > Email Pro `emailpro` has none: mail to each ends with the old platform, unless a platform that
          has groups takes it over
          team@blue.example with jane.doe@blue.example, john.smith@blue.example, desk@partner.example
      redirection-not-in-spec
        blue.example: 1 redirection on Exchange not in the spec
        > Email Pro `emailpro` takes none through its interface: make inbox rules in its webmail
          max.weber@blue.example to desk@partner.example, with a copy kept
    --- exit 1
    ");
    assert!(!ran.out.contains("what the spec describes is so"), "{ran}");
    assert_eq!(apply(&world).ends(1).err, "", "nothing was begun");
}

#[test]
fn a_mailbox_that_is_larger_than_the_target_takes_is_not_begun() {
    let world = World::demo();
    world.respec("    name: John Smith\n", "    name: John Smith\n    quota: 1 KB\n");
    assert_snapshot!(notes(&world), @r"
    Blocked
      mailbox-too-large
        john.smith@blue.example: the mailbox holds 111.0 KiB and Email Pro `emailpro` takes 1.0 KiB
        > make it smaller, leave folders out with `mail: { filter: ... }`, or choose a larger target
    ");
}

#[test]
fn a_wrong_password_of_the_source_blocks_before_the_first_change() {
    let world = World::demo();
    world.set("PASSWORD_JOHN_SMITH_BLUE_EXAMPLE", "not-his-password");
    assert_snapshot!(notes(&world), @r"
    Blocked
      login-refused
        john.smith@blue.example: the login of john.smith@blue.example on Exchange was refused:
        AUTHENTICATE at 127.0.0.1:[PORT]: the login was refused: [AUTHENTICATIONFAILED] the name or the
        password is wrong
        > check the password that is given for it, and that it may log in over IMAP
    ");
    assert_snapshot!(world.run(&["doctor", "rehome.yaml"]).ends(1).out, @r"
    ok    spec          rehome.yaml is valid
    ok    credentials   the keys of every platform are there
    ok    platform      emailpro: Email Pro emailpro-ab12345-1, 2 accounts, 6 free slots
    ok    platform      exchange: Exchange hosted-ab12345-1, 5 accounts, 3 free slots
    ok    mailbox       jane.doe@blue.example on exchange: 8 messages in 27 folders
    FAIL  mailbox       john.smith@blue.example on exchange: the login is refused: AUTHENTICATE at 127.0.0.1:[PORT]: the login was refused: [AUTHENTICATIONFAILED] the name or the password is wrong
    ok    mailbox       max.weber@blue.example on exchange: 8 messages in 27 folders
    ok    dns           blue.example: 1 name server asked

    1 check failed
    ");
}

#[test]
fn a_password_that_the_target_will_not_take_is_found_while_planning() {
    let world = World::demo();
    world.respec("    name: John Smith\n", "    name: John Smith\n    password: { env: NEW_WORD }\n");
    world.set("NEW_WORD", "abc");
    assert_snapshot!(notes(&world), @r"
    Blocked
      password-unusable
        john.smith@blue.example: Email Pro `emailpro` will not take the password that is given for
        john.smith@blue.example: passwords there have 9 to 30 characters
        > give another one, or let rehome `generate` it
    ");
    world.set("NEW_WORD", "Long-enough-1");
    world.run(&["apply", "rehome.yaml", "--auto-approve", "--quiet"]).ends(0);
}

#[test]
fn imap_that_is_switched_off_blocks_before_the_first_change() {
    let world = World::demo();
    world.edit_hosted(EXCHANGE, |service| {
        service.accounts.values_mut().find(|a| a.address == john()).unwrap().protocol.imap = false;
    });
    world.wait_for(world.sandbox().mail().set_imap(EXCHANGE, &john(), false)).unwrap();
    assert_snapshot!(notes(&world), @r"
    Blocked
      imap-disabled
        john.smith@blue.example: IMAP is switched off for john.smith@blue.example on Exchange
        > switch IMAP on for the account on the platform
    ");
}

#[test]
fn imap_that_is_off_for_the_whole_service_blocks_before_the_first_change() {
    let world = World::demo();
    world.edit_hosted(EXCHANGE, |service| service.protocol.imap = false);
    assert_snapshot!(notes(&world), @r"
    Blocked
      imap-disabled
        exchange: IMAP is switched off for the whole service of Exchange (stops 3 addresses)
        > switch IMAP on for the service on the platform
    ");
}

#[test]
fn a_wrong_password_of_the_target_is_told_by_verify_and_doctor() {
    let world = World::demo();
    apply(&world).ends(0);
    let delivered = world.read("secrets/john.smith@blue.example");
    world.write_secret("secrets/john.smith@blue.example", "edited-by-somebody\n", 0o600);
    let verify = world.run(&["verify", "rehome.yaml", "--account", JOHN]);
    assert_snapshot!(verify.ends(11), @r"
    $ rehome verify rehome.yaml --account john.smith@blue.example
    john.smith@blue.example
      unknown john.smith@blue.example: comparing john.smith01@blue.example (exchange) to
              john.smith@blue.example (emailpro): the target of john.smith@blue.example failed while
              listing its folders: AUTHENTICATE at 127.0.0.1:[PORT]: the login was refused:
              [AUTHENTICATIONFAILED] the name or the password is wrong (login-refused)
                fix      check the password; see docs/passwords.md

    Total: 1 unknown.
    --- exit 11
    ");
    world.run(&["doctor", "rehome.yaml"]).ends(1);
    world.write_secret("secrets/john.smith@blue.example", &delivered, 0o600);
    world.run(&["verify", "rehome.yaml", "--account", JOHN]).ends(0);
}

#[test]
fn a_target_that_was_emptied_since_is_a_difference_and_no_users_deleting() {
    let world = World::demo();
    apply(&world).ends(0);
    let all = world.mail("exchange", "john.smith01@blue.example");
    assert_eq!(all, world.mail("emailpro", JOHN), "every byte of every message");
    // The mailbox is made anew behind everybody's back.
    let password = world.read("secrets/john.smith@blue.example");
    let mail = world.sandbox().mail();
    world.wait_for(mail.remove(EMAIL_PRO, &john())).unwrap();
    world.wait_for(mail.create(EMAIL_PRO, &john(), password.trim())).unwrap();
    let verify = world.run(&["verify", "rehome.yaml", "--what", "mail", "--account", JOHN]).ends(8);
    assert!(verify.out.contains("(message-removed)"), "{verify}");
    let emptied = &verify.out[verify.out.find("8 messages were delivered").unwrap_or_else(|| panic!("{verify}"))..];
    assert_snapshot!(emptied.lines().take(4).collect::<Vec<_>>().join("\n"), @r"
    8 messages were delivered, and none of them is at the target any
              more: somebody emptied the mailbox or made it anew (mailbox-emptied)
                fix      keep the source; find out who did it, or restore the target, before anything
                         else
    ");
}

#[test]
fn mail_that_came_into_the_source_afterwards_is_missed_and_then_copied() {
    let world = World::demo();
    apply(&world).ends(0);
    let late = Corpus::new(9).mailbox(&Person { address: john(), name: "John Smith".to_owned() }, 5);
    let source = Address::parse("john.smith01@blue.example").unwrap();
    world.sandbox().memory().unwrap().deliver("exchange", &source, &late).unwrap();
    let verify = world.run(&["verify", "rehome.yaml", "--what", "mail", "--account", JOHN]).ends(8);
    assert_snapshot!(verify, @r"
    $ rehome verify rehome.yaml --what mail --account john.smith@blue.example
    john.smith@blue.example
      error   Drafts UID 2: it is not at the target (message-missing)
                fix      run `rehome plan` and `rehome apply`
      error   INBOX UID 3: it is not at the target (message-missing)
                fix      run `rehome plan` and `rehome apply`
      error   Junk UID 2: it is not at the target (message-missing)
                fix      run `rehome plan` and `rehome apply`
      error   Sent UID 2: it is not at the target (message-missing)
                fix      run `rehome plan` and `rehome apply`
      error   Trash UID 2: it is not at the target (message-missing)
                fix      run `rehome plan` and `rehome apply`

    Total: 5 error.
    --- exit 8
    ");
    let plan = world.run(&["plan", "rehome.yaml", "--detailed-exitcode"]).ends(2);
    assert!(plan.out.contains("john.smith@blue.example") && !plan.out.contains("copy  jane.doe@"), "{plan}");
    apply(&world).ends(0);
    assert_eq!(world.mail("exchange", "john.smith01@blue.example"), world.mail("emailpro", JOHN));
}
