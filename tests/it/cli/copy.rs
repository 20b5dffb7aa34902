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
    3 actions. About 8 messages in 1 mailbox.

    Mail
      =  copy  copy@green.example  from source john.smith@blue.example, about 8 messages, then late mail
               opened with: source login john.smith@blue.example, password from env
               PASSWORD_JOHN_SMITH_BLUE_EXAMPLE; target login copy@green.example, password from env
               TO_PASSWORD

    Verification
      ?  verify mail  copy@green.example  against source john.smith@blue.example

    No point of no return.
    Undo: 1 only by hand.
    Total: 2 copy, 1 verify.
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
fn mail_crosses_a_network_in_clear_only_when_that_is_said() {
    let (world, words) = prepared();
    // This machine by an address that is not one of its own kind: to the program it is a network.
    let words: Vec<String> = words.iter().map(|w| w.replace("@127.0.0.1:", "@[::ffff:127.0.0.1]:")).collect();
    let refused = run(&world, &words, &[]).ends(10);
    assert!(refused.err.contains("without TLS"), "{refused}");
    run(&world, &words, &["--insecure", "--quiet"]).ends(0);
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

#[test]
fn what_failed_is_listed_held_and_decided() {
    let (world, words) = prepared();
    let memory = world.sandbox().memory().unwrap();
    let refuse = rehome::sandbox::mail::memory::Fault::RefuseAppend {
        marker: b"Subject:".to_vec(),
        words: "this looks like a virus".to_owned(),
    };
    memory.fail("emailpro", refuse);
    let state = ["--state=st", "--quiet", "--folder=INBOX"];
    assert_ne!(run(&world, &words, &state).code, 0);
    let listed = || {
        let json = world.run(&["failed", "list", "--workspace=st", "--format=json"]).ends(0).out;
        serde_json::from_str::<Vec<serde_json::Value>>(&json).unwrap()
    };
    let failed = listed();
    assert!(!failed.is_empty(), "{failed:?}");
    assert!(failed.iter().all(|f| f["class"] == "rejected" && f["fate"] == "held" && f["attempts"] == 1));
    memory.heal("emailpro");
    assert_ne!(run(&world, &words, &state).code, 0, "held, and still counted as failed");
    assert!(listed().iter().all(|f| f["attempts"] == 1), "nothing was tried again");
    let table = world.run(&["failed", "list", "--workspace=st", "--csv=-"]).ends(0).out;
    assert_eq!(table.lines().count(), failed.len() + 1);
    let uid = failed[0]["uid"].to_string();
    world.run(&["failed", "ignore", TO, "--uid", &uid, "--reason=seen it", "--workspace=st"]).ends(0);
    world.run(&["failed", "retry", TO, "--class=nothing", "--workspace=st"]).ends(10);
    world.run(&["failed", "retry", TO, "--workspace=st"]).ends(0);
    run(&world, &words, &state).ends(0);
    assert!(listed().is_empty());
    assert_eq!(world.mail("emailpro", TO).len(), failed.len());
}

#[test]
fn a_filter_that_can_take_nothing_is_refused() {
    let (world, words) = prepared();
    assert_snapshot!(run(&world, &words, &["--since=2021-01-01", "--until=2020-01-01"]).ends(10).err, @"error: no message is both since `since` and before `until`");
    assert_snapshot!(run(&world, &words, &["--rename=a=X", "--rename=b=X"]).ends(10).err, @"error: `a` and `b` would both become `X`");
    assert_snapshot!(run(&world, &words, &["--max-size=lots"]).ends(10).err, @r"
    error: --max-size: `lots` cannot be read
    help: write a size, such as `25 MB`
    ");
    let dry = run(&world, &words, &["--dry-run", "--exclude=**/Trash", "--since=2020-01-01", "--rename=INBOX=Old"]);
    let out = dry.ends(0).out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(out.contains("without `**/Trash`, since 2020-01-01, `INBOX` becomes `Old`"), "{out}");
}
