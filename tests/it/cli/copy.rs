//! `rehome copy`: one mailbox to another, without a spec.

use insta::assert_snapshot;
use rehome::{model::Address, sandbox::residents::EMAIL_PRO};

use crate::world::World;

const FROM: &str = "john.smith@blue.example";
const TO: &str = "copy@green.example";

/// A world with an empty mailbox to copy to, and the words that copy john's mail there.
fn prepared() -> (World, Vec<String>) {
    let world = World::demo();
    let ready = world.ready();
    let target = Address::parse(TO).unwrap();
    world.set("TO_PASSWORD", "Target-word-1");
    world.wait_for(world.sandbox().mail().create(EMAIL_PRO, &target, "Target-word-1")).unwrap();
    let url = |user: &str, service: &str| {
        let imap = &ready.imap[service];
        format!("imap://{}@{}:{}", user.replace('@', "%40"), imap.host, imap.port)
    };
    let words = [
        "copy".to_owned(),
        format!("--from={}", url(FROM, rehome::sandbox::residents::EXCHANGE)),
        format!("--to={}", url(TO, EMAIL_PRO)),
        "--from-password=env:PASSWORD_JOHN_SMITH_BLUE_EXAMPLE".to_owned(),
        "--to-password=env:TO_PASSWORD".to_owned(),
    ];
    (world, words.to_vec())
}

fn run(world: &World, words: &[String], more: &[&str]) -> crate::world::Ran {
    let words: Vec<&str> = words.iter().map(String::as_str).chain(more.iter().copied()).collect();
    world.run(&words)
}

#[test]
fn a_mailbox_is_copied_once_and_completely() {
    let (world, words) = prepared();
    let dry = run(&world, &words, &["--dry-run", "--verify"]).ends(0);
    assert_snapshot!(dry.out, @r"
    Plan [ID]   green.example (parallel)
    1 action. About 8 messages in 1 mailbox.

    Mail
      =  copy  copy@green.example  from source john.smith@blue.example, about 8 messages
               opened with: source login john.smith@blue.example, password from env
               PASSWORD_JOHN_SMITH_BLUE_EXAMPLE; target login copy@green.example, password from env
               TO_PASSWORD

    No point of no return.
    Undo: 1 only by hand.
    Total: 1 copy.
    ");
    assert_eq!(world.mail("emailpro", TO).len(), 0, "a dry run copies nothing");
    assert!(!world.dir().join(".rehome").exists(), "and leaves nothing behind");
    run(&world, &words, &["--verify", "--quiet"]).ends(0);
    let copied = world.mail("emailpro", TO);
    assert_eq!(copied, world.mail("exchange", FROM), "every byte of every message");
    let again = run(&world, &words, &["--quiet"]).ends(0);
    assert_eq!(world.mail("emailpro", TO), copied, "a second run copies nothing: {again}");
}

#[test]
fn a_copy_that_was_cut_goes_on() {
    let (world, words) = prepared();
    let memory = world.sandbox().memory().unwrap();
    memory.fail(
        "emailpro",
        rehome::sandbox::mail::memory::Fault::Refuse {
            verb: "APPEND".to_owned(),
            words: "[OVERQUOTA] the mailbox is full".to_owned(),
            times: 1000,
        },
    );
    let full = run(&world, &words, &["--quiet"]);
    assert_ne!(full.code, 0, "{full}");
    memory.heal("emailpro");
    run(&world, &words, &["--quiet"]).ends(0);
    assert_eq!(world.mail("emailpro", TO), world.mail("exchange", FROM));
}

#[test]
fn what_is_typed_wrong_is_refused_before_anything_is_opened() {
    let (world, words) = prepared();
    let with = |at: usize, text: &str| {
        let mut words = words.clone();
        words[at] = text.to_owned();
        run(&world, &words, &[]).ends(10)
    };
    assert_snapshot!(with(1, "--from=imap://john@mail.example"), @r"
    $ rehome copy --from=imap://john@mail.example --to=imap://copy%40green.example@127.0.0.1:[PORT] --from-password=env:PASSWORD_JOHN_SMITH_BLUE_EXAMPLE --to-password=env:TO_PASSWORD
    --- stderr
    error: --from: mail.example would get the password without TLS
    help: use imaps:// or imap+starttls://; --insecure if the network is yours
    --- exit 10
    ");
    assert_snapshot!(with(1, "--from=imaps://john:hunter2hunter2@mail.example").err, @"error: --from: a password must not stand in an URL: give it by reference");
    assert_snapshot!(with(1, "--from=imaps://mail.example").err, @"error: --from: `imaps://mail.example` names no user: imaps://USER@HOST");
    assert_snapshot!(with(1, "--from=pop3://john@mail.example").err, @"error: --from: `pop3` is no scheme for mail: use imaps://, imap+starttls:// or imap://");
    let clear = with(3, "--from-password=hunter2hunter2");
    assert!(!clear.err.contains("hunter2"));
    assert_snapshot!(clear.err, @r"
    error: --from-password is no reference to a password
    help: a password on a command line is seen by everybody: use env:NAME, file:PATH or command:PROGRAM
    ");
    let same = words[1].replace("--from", "--to");
    assert_snapshot!(with(2, &same).err, @"error: source and target are the same mailbox");
}

#[test]
fn a_wrong_password_of_either_side_names_the_side() {
    let (world, words) = prepared();
    world.set("TO_PASSWORD", "another-word");
    let target = run(&world, &words, &[]);
    assert_snapshot!(target.ends(11), @r"
    $ rehome copy --from=imap://john.smith%40blue.example@127.0.0.1:[PORT] --to=imap://copy%40green.example@127.0.0.1:[PORT] --from-password=env:PASSWORD_JOHN_SMITH_BLUE_EXAMPLE --to-password=env:TO_PASSWORD
    Plan [ID]   green.example (parallel)
    Nothing can be done as things are; the reasons are below.

    Blocked
      login-refused
        copy@green.example: the login of copy@green.example on IMAP host `target` was refused:
        AUTHENTICATE at 127.0.0.1:[PORT]: the login was refused: [AUTHENTICATIONFAILED] the name or the
        password is wrong
        > check the password that is given for it, and that it may log in over IMAP
    --- exit 11
    ");
    world.set("TO_PASSWORD", "Target-word-1");
    world.set("PASSWORD_JOHN_SMITH_BLUE_EXAMPLE", "another-word");
    let source = run(&world, &words, &[]);
    assert_snapshot!(source.ends(11), @r"
    $ rehome copy --from=imap://john.smith%40blue.example@127.0.0.1:[PORT] --to=imap://copy%40green.example@127.0.0.1:[PORT] --from-password=env:PASSWORD_JOHN_SMITH_BLUE_EXAMPLE --to-password=env:TO_PASSWORD
    Plan [ID]   green.example (parallel)
    Nothing can be done as things are; the reasons are below.

    Blocked
      login-refused
        copy@green.example: the login of john.smith@blue.example on IMAP host `source` was refused:
        AUTHENTICATE at 127.0.0.1:[PORT]: the login was refused: [AUTHENTICATIONFAILED] the name or the
        password is wrong
        > check the password that is given for it, and that it may log in over IMAP
    --- exit 11
    ");
}
