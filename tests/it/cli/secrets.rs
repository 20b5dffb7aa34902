//! Secrets that cannot be had: each message names the reference and what is wrong with it, never a value.

use insta::assert_snapshot;

use crate::world::World;

#[test]
fn a_variable_that_is_missing_or_empty_is_named_with_its_account() {
    let world = World::demo();
    world.unset("PASSWORD_JOHN_SMITH_BLUE_EXAMPLE");
    world.set("PASSWORD_JANE_DOE_BLUE_EXAMPLE", "");
    assert_snapshot!(world.run(&["plan", "rehome.yaml"]).ends(11), @r"
    $ rehome plan rehome.yaml
    --- stderr
    error: 2 secrets cannot be had
      jane.doe@blue.example (env PASSWORD_JANE_DOE_BLUE_EXAMPLE): the environment variable `PASSWORD_JANE_DOE_BLUE_EXAMPLE` is empty
      john.smith@blue.example (env PASSWORD_JOHN_SMITH_BLUE_EXAMPLE): the environment variable `PASSWORD_JOHN_SMITH_BLUE_EXAMPLE` is not set
    help: put each where the spec says; with --no-logins mailboxes are not opened
    --- exit 11
    ");
    world.run(&["plan", "rehome.yaml", "--no-logins"]).ends(0);
    world.run(&["validate", "rehome.yaml"]).ends(0);
    assert_snapshot!(world.run(&["doctor", "rehome.yaml"]), @r"
    $ rehome doctor rehome.yaml
    ok    spec          rehome.yaml is valid
    ok    credentials   the keys of every platform are there
    ok    platform      emailpro: Email Pro emailpro-ab12345-1, 2 accounts, 6 free slots
    ok    platform      exchange: Exchange hosted-ab12345-1, 5 accounts, 3 free slots
    FAIL  secret        jane.doe@blue.example (env PASSWORD_JANE_DOE_BLUE_EXAMPLE): the environment variable `PASSWORD_JANE_DOE_BLUE_EXAMPLE` is empty
    FAIL  secret        john.smith@blue.example (env PASSWORD_JOHN_SMITH_BLUE_EXAMPLE): the environment variable `PASSWORD_JOHN_SMITH_BLUE_EXAMPLE` is not set
    -     mailbox       jane.doe@blue.example on exchange: not opened: the environment variable `PASSWORD_JANE_DOE_BLUE_EXAMPLE` is empty
    -     mailbox       john.smith@blue.example on exchange: not opened: the environment variable `PASSWORD_JOHN_SMITH_BLUE_EXAMPLE` is not set
    ok    mailbox       max.weber@blue.example on exchange: 8 messages in 27 folders
    ok    dns           blue.example: 1 name server asked

    2 checks failed
    --- exit 1
    ");
}

#[test]
fn the_advice_for_a_key_of_a_platform_is_not_to_leave_mailboxes_out() {
    let world = World::demo();
    world.unset("OVH_CONSUMER_KEY");
    assert_snapshot!(world.run(&["plan", "rehome.yaml"]).ends(11), @r"
    $ rehome plan rehome.yaml
    --- stderr
    error: 2 secrets cannot be had
      consumer_key of platform emailpro (env OVH_CONSUMER_KEY): the environment variable `OVH_CONSUMER_KEY` is not set
      consumer_key of platform exchange (env OVH_CONSUMER_KEY): the environment variable `OVH_CONSUMER_KEY` is not set
    help: put each where the spec says
    --- exit 11
    ");
}

#[test]
fn a_file_that_others_can_read_is_refused_with_the_command_that_helps() {
    let world = World::demo();
    let password = world.ready().accounts.into_iter().find(|a| a.name == "John Smith").unwrap().password;
    world.write_secret("john.old", &password, 0o644);
    world.respec("    name: John Smith\n", "    name: John Smith\n    mail: { source_password: { file: john.old } }\n");
    assert_snapshot!(world.run(&["plan", "rehome.yaml"]).ends(11), @r"
    $ rehome plan rehome.yaml
    --- stderr
    error: a secret cannot be had
      john.smith@blue.example (file john.old): others can read the secret file `john.old`; run `chmod 600 john.old`
    help: put each where the spec says; with --no-logins mailboxes are not opened
    --- exit 11
    ");
    world.write_secret("john.old", &password, 0o600);
    world.run(&["plan", "rehome.yaml"]).ends(0);
    world.write_secret("john.old", "\n", 0o600);
    assert_snapshot!(world.run(&["plan", "rehome.yaml"]).ends(11).err, @r"
    error: a secret cannot be had
      john.smith@blue.example (file john.old): the secret file `john.old` is empty
    help: put each where the spec says; with --no-logins mailboxes are not opened
    ");
}

#[test]
fn a_password_in_clear_is_refused_without_being_repeated() {
    let world = World::demo();
    let password = world.ready().accounts.into_iter().find(|a| a.name == "John Smith").unwrap().password;
    let spec = world.read("rehome.yaml");
    let with = spec.replace(
        "    name: John Smith\n",
        &format!("    name: John Smith\n    mail: {{ source_password: {password} }}\n"),
    );
    world.write_secret("clear.yaml", &with, 0o600);
    assert_snapshot!(world.run(&["validate", "clear.yaml"]).ends(10), @r"
    $ rehome validate clear.yaml
    --- stderr
    spec::inline-secret

      × a source password is written in clear
        ╭─[clear.yaml:38:30]
     37 │     name: John Smith
     38 │     mail: { source_password: **************** }
        ·                              ────────┬───────
        ·                                      ╰── not shown
     39 │     aliases: [j.smith@blue.example, sales@blue.example]
        ╰────
      help: a spec holds references only: `{ env: NAME }`, `{ file: path }` or `{ command: [program,
            argument] }`. If the value is real and the file was shared, change the secret

    1 error
    --- exit 10
    ");
}

/// A keyring that holds one password, under both tools' names.
fn keyring(world: &World, password: &str) {
    let tool = format!(
        "#!/bin/sh\ncase \"$*\" in\n  'lookup service mail username john.smith' | 'find-generic-password -s mail -a john.smith -w') \
         echo '{password}' ;;\n  *) exit 1 ;;\nesac\n"
    );
    for name in ["bin/secret-tool", "bin/security"] {
        world.write_secret(name, &tool, 0o700);
    }
    let path = format!("{}:/usr/bin:/bin", world.dir().join("bin").display());
    world.set("PATH", &path);
}

#[test]
fn a_password_is_found_in_the_keyring_and_what_is_not_there_is_said() {
    let world = World::demo();
    let password = world.ready().accounts.into_iter().find(|a| a.name == "John Smith").unwrap().password;
    world.respec(
        "    name: John Smith\n",
        "    name: John Smith\n    mail: { source_password: { keyring: mail/john.smith } }\n",
    );
    world.set("PATH", "/nowhere");
    let shown = world.run(&["plan", "rehome.yaml"]).ends(11).err;
    assert!(shown.contains("john.smith@blue.example (keyring mail/john.smith)"), "{shown}");
    assert!(shown.contains("cannot be started; it comes with"), "{shown}");

    keyring(&world, &password);
    world.run(&["plan", "rehome.yaml"]).ends(0);
    world.respec("mail/john.smith", "mail/someone");
    let shown = world.run(&["plan", "rehome.yaml"]).ends(11).err;
    assert!(shown.contains("the keyring gives nothing for `mail/someone`; unlock it, or put"), "{shown}");
    assert!(!shown.contains(&password), "{shown}");
}
