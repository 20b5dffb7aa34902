//! Commands that need no world, and the demo, which brings its own.

use clap::ValueEnum as _;
use insta::assert_snapshot;

use crate::world::World;

#[test]
fn init_writes_a_spec_that_is_valid_and_never_overwrites() {
    let world = World::demo();
    assert_snapshot!(world.run(&["init", "mine.yaml"]).ends(0), @r"
    $ rehome init mine.yaml
    Wrote mine.yaml. Put in your platforms and accounts, then:

      rehome validate mine.yaml
      rehome plan mine.yaml
    --- exit 0
    ");
    world.run(&["validate", "mine.yaml"]).ends(0);
    assert_snapshot!(world.run(&["init", "rehome.yaml"]).ends(1), @r"
    $ rehome init rehome.yaml
    --- stderr
    error: rehome.yaml is there already, and is left as it is
    help: choose another name: rehome init FILE
    --- exit 1
    ");
}

#[test]
fn validate_counts_what_there_is_or_shows_every_problem() {
    let world = World::demo();
    assert_snapshot!(world.run(&["validate", "rehome.yaml"]).ends(0), @r"
    $ rehome validate rehome.yaml
    rehome.yaml is valid: 2 platforms, 1 domain, 3 accounts, 1 contact.
    --- exit 0
    ");
    world.respec("platform: emailpro\n    type", "platform: emailpr\n    type");
    world.respec("aliases: [max@blue.example]", "aliases: [jane@blue.example]");
    assert_snapshot!(world.run(&["validate", "rehome.yaml"]).ends(10), @r"
    $ rehome validate rehome.yaml
    --- stderr
    spec::unknown-platform

      × there is no platform `emailpr`
        ╭─[rehome.yaml:21:15]
     20 │   blue.example:
     21 │     platform: emailpr
        ·               ───┬───
        ·                  ╰── not declared under `platforms`
     22 │     type: non-authoritative
        ╰────
      help: did you mean `emailpro`?

    spec::address-claimed-twice

      × `jane@blue.example` is claimed twice: as an alias of `jane.doe@blue.example` and as an alias
      │ of `max.weber@blue.example`
        ╭─[rehome.yaml:42:15]
     41 │     name: Jane Doe
     42 │     aliases: [jane@blue.example]
        ·               ────────┬────────
        ·                       ╰── as an alias of `jane.doe@blue.example`
     43 │   max.weber@blue.example:
     44 │     name: Max Weber
     45 │     aliases: [jane@blue.example]
        ·               ────────┬────────
        ·                       ╰── as an alias of `max.weber@blue.example`
     46 │ 
        ╰────
      help: an address belongs to one object; keep one of them

    2 errors
    --- exit 10
    ");
    let json = world.run(&["validate", "rehome.yaml", "--format", "json"]).ends(10);
    assert!(serde_json::from_str::<serde_json::Value>(&json.out).is_ok(), "{json}");
}

#[test]
fn the_schema_is_the_one_in_the_repository() {
    let world = World::demo();
    let schema = world.run(&["schema"]).ends(0);
    assert_eq!(schema.out.trim(), include_str!("../../../specs/schema/spec.json").trim());
}

/// The commands that `rehome --help` names.
fn commands(world: &World) -> Vec<String> {
    let help = world.run(&["--help"]).ends(0).out;
    let list = help.split_once("Commands:").unwrap().1.lines().skip(1);
    list.take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.strip_prefix("  ").filter(|l| !l.starts_with(' ')))
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .collect()
}

#[test]
fn completions_of_every_shell_know_every_command_and_option() {
    let world = World::demo();
    let commands = commands(&world);
    assert!(commands.len() >= 20, "{commands:?}");
    let shells = clap_complete::Shell::value_variants();
    assert!(shells.len() >= 4);
    for shell in shells {
        let ran = world.run(&["completions", &shell.to_string()]).ends(0);
        for command in &commands {
            assert!(ran.out.contains(command.as_str()), "{shell} does not know {command}");
        }
        for option in ["max-bytes", "detailed-exitcode", "events"] {
            assert!(ran.out.contains(option), "{shell} does not know --{option}");
        }
    }
}

#[test]
fn there_is_a_manual_page_for_every_command_and_each_says_how_it_is_used() {
    let world = World::demo();
    let whole = world.run(&["man"]).ends(0);
    assert!(whole.out.contains(".TH rehome"), "{whole}");
    world.run(&["man", "pages"]).ends(0);
    for command in commands(&world) {
        let page = world.read(&format!("pages/rehome-{command}.1"));
        for part in [".TH", "NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS"] {
            assert!(page.contains(part), "the page of {command} has no {part}");
        }
        assert!(page.contains("REHOME_WORKSPACE"), "the page of {command} names no variable");
    }
}

#[test]
fn platforms_tells_what_each_can_hold() {
    let world = World::demo();
    assert_snapshot!(world.run(&["platforms", "--format", "markdown"]).ends(0), @r"
    $ rehome platforms --format markdown
    |  | ovh-exchange | ovh-email-pro | ovh-mxplan | ovh-mxplan-legacy | ovh-zimbra | imap |
    |---|---|---|---|---|---|---|
    | add domains | yes | yes | - | - | yes | - |
    | new accounts | fill a slot | fill a slot | fill a slot | on request | fill a slot | - |
    | rename, mail stays | yes | yes | yes | - | yes | - |
    | empty or delete | yes | yes | yes | yes | yes | - |
    | set passwords | yes | yes | yes | yes | yes | - |
    | aliases | yes | yes | yes | - | yes | - |
    | redirections | of an account | - | any address | any address | any address | - |
    | groups | directory | - | mailing list | mailing list | - | - |
    | full access | yes | yes | yes | - | - | - |
    | send as, on behalf | yes | yes | yes | - | - | - |
    | external contacts | yes | yes | yes | - | - | - |
    | footers | yes | yes | yes | - | - | - |
    | calendars | not copied | not copied | not copied | - | not copied | - |
    | largest mailbox | 300 GB | 10 GB | 5 GB | 5 GB | - | - |
    --- exit 0
    ");
}

#[test]
fn help_and_version_are_answers() {
    let world = World::demo();
    let help = world.run(&["--help"]).ends(0);
    assert!(help.err.is_empty() && help.out.contains("Exit codes"), "{help}");
    world.run(&["--version"]).ends(0);
    world.run(&["apply", "--help"]).ends(0);
    world.run(&[]).ends(10);
}

#[test]
fn the_demo_goes_the_whole_way() {
    let world = World::demo();
    let tmp = world.dir().join("tmp");
    std::fs::create_dir(&tmp).unwrap();
    world.set("TMPDIR", tmp.to_str().unwrap());
    world.run(&["demo", "--seed", "7"]).ends(0);
}
