//! Texts that are no specs: syntax, shape, unknown keys and words.

use super::{refused, refused_below, refused_files};

#[test]
fn a_tab_is_named() {
    insta::assert_snapshot!(refused("version: 1\nplatforms:\n\texchange: {}\n"), @"
    spec::tab

      × a tab is used to indent
       ╭─[spec.yaml:3:1]
     2 │ platforms:
     3 │     exchange: {}
       · ──┬─
       ·   ╰── this is a tab
       ╰────
      help: YAML indents with spaces only: replace the tab by spaces
    ");
}

#[test]
fn an_empty_file_is_refused() {
    insta::assert_snapshot!(refused("# nothing yet\n"), @"
    spec::empty

      × `spec.yaml` is empty
       ╭─[spec.yaml:1:1]
     1 │ # nothing yet
       · ▲
       · ╰── nothing is here
       ╰────
      help: begin with `version: 1`; `rehome init` writes a file to start from
    ");
}

#[test]
fn a_list_is_no_spec() {
    insta::assert_snapshot!(refused("- version: 1\n"), @"
    spec::not-a-mapping

      × a spec is a mapping, and this is a list
       ╭─[spec.yaml:1:1]
     1 │ - version: 1
       · ▲
       · ╰── here
       ╰────
      help: begin with `version: 1`, then `platforms:`, `domains:` and `accounts:`
    ");
}

#[test]
fn a_missing_version_is_named() {
    insta::assert_snapshot!(refused("platforms: {}\n"), @"
    spec::version-missing

      × the spec does not say its version
       ╭─[spec.yaml:1:1]
     1 │ platforms: {}
       · ────┬────
       ·     ╰── before this
       ╰────
      help: begin the file with `version: 1`
    ");
}

#[test]
fn another_version_is_named() {
    insta::assert_snapshot!(refused("version: 2\n"), @"
    spec::version-unsupported

      × this rehome does not read version 2
       ╭─[spec.yaml:1:10]
     1 │ version: 2
       ·          ┬
       ·          ╰── version 1 is read
       ╰────
      help: a newer rehome wrote this: update rehome
    ");
}

#[test]
fn broken_syntax_points_to_its_place() {
    insta::assert_snapshot!(refused("version: 1\nplatforms: { a: [ }\n"), @"
    spec::syntax

      × this is not valid YAML: mismatched bracket '[' closed by '}'
       ╭─[spec.yaml:2:17]
     1 │ version: 1
     2 │ platforms: { a: [ }
       ·                 ▲
       ·                 ╰── here
       ╰────
    ");
}

#[test]
fn an_unknown_anchor_is_named() {
    insta::assert_snapshot!(refused("version: 1\nplatforms: *nowhere\n"), @"
    spec::unknown-anchor

      × an alias refers to an anchor that is not defined before it
       ╭─[spec.yaml:2:12]
     1 │ version: 1
     2 │ platforms: *nowhere
       ·            ▲
       ·            ╰── no such anchor
       ╰────
      help: `&name` defines an anchor, `*name` uses it further down
    ");
}

#[test]
fn a_second_document_is_named() {
    insta::assert_snapshot!(refused("version: 1\n---\nversion: 1\n"), @"
    spec::several-documents

      × the file holds more than one YAML document
       ╭─[spec.yaml:3:1]
     2 │ ---
     3 │ version: 1
       · ▲
       · ╰── a second one begins here
       ╰────
      help: put each document into a file of its own; a folder of files is read as one spec
    ");
}

#[test]
fn repeated_keys_show_both_places() {
    insta::assert_snapshot!(refused_below("accounts:\n  jo.ann@mydomain.ovh: Jo\n  jo.ann@mydomain.ovh: Joan\n"), @"
    spec::duplicate-key

      × `jo.ann@mydomain.ovh` is written twice
        ╭─[spec.yaml:11:3]
     10 │ accounts:
     11 │   jo.ann@mydomain.ovh: Jo
        ·   ─────────┬─────────
        ·            ╰── first here
     12 │   jo.ann@mydomain.ovh: Joan
        ·   ─────────┬─────────
        ·            ╰── again here
        ╰────
      help: keep one of them
    ");
}

#[test]
fn unknown_keys_are_all_reported_with_a_guess() {
    insta::assert_snapshot!(refused_below("acounts: {}\naccounts:\n  jo@mydomain.ovh: { nmae: Jo, colour: red }\n"), @r#"
    spec::unknown-key

      × a spec has no key `acounts`
        ╭─[spec.yaml:10:1]
      9 │   mail: { source_password: { env: "OLD_{local}" } }
     10 │ acounts: {}
        · ───┬───
        ·    ╰── unknown key
     11 │ accounts:
        ╰────
      help: did you mean `accounts`?

    spec::unknown-key

      × an account has no key `nmae`
        ╭─[spec.yaml:12:22]
     11 │ accounts:
     12 │   jo@mydomain.ovh: { nmae: Jo, colour: red }
        ·                      ──┬─
        ·                        ╰── unknown key
        ╰────
      help: did you mean `name`?

    spec::unknown-key

      × an account has no key `colour`
        ╭─[spec.yaml:12:32]
     11 │ accounts:
     12 │   jo@mydomain.ovh: { nmae: Jo, colour: red }
        ·                                ───┬──
        ·                                   ╰── unknown key
        ╰────
      help: an account has the keys `state`, `name`, `first_name`, `last_name`, `quota`, `hidden`,
            `password`, `mail`, `aliases`, `delegates`, `slot`, `offer` and `protect`
    "#);
}

#[test]
fn the_start_of_a_key_is_known_for_that_key() {
    let told = refused_below("redirect: {}\naccounts:\n  jo@mydomain.ovh: { alias: [j@mydomain.ovh] }\n");
    for guess in ["did you mean `redirections`?", "did you mean `aliases`?"] {
        assert!(told.contains(guess), "{told}");
    }
}

#[test]
fn values_of_the_wrong_shape_are_all_reported() {
    insta::assert_snapshot!(
        refused_below("accounts:\n  jo@mydomain.ovh: { aliases: j@mydomain.ovh, hidden: maybe, quota: 10, mail: [x] }\n"),
        @"
    spec::wrong-type

      × a list belongs here
        ╭─[spec.yaml:11:31]
     10 │ accounts:
     11 │   jo@mydomain.ovh: { aliases: j@mydomain.ovh, hidden: maybe, quota: 10, mail: [x] }
        ·                               ───────┬──────
        ·                                      ╰── this is a plain value
        ╰────
      help: write it in brackets: [j@mydomain.ovh]

    spec::bad-boolean

      × `maybe` is neither `true` nor `false`
        ╭─[spec.yaml:11:55]
     10 │ accounts:
     11 │   jo@mydomain.ovh: { aliases: j@mydomain.ovh, hidden: maybe, quota: 10, mail: [x] }
        ·                                                       ──┬──
        ·                                                         ╰── write `true` or `false`
        ╰────

    spec::bad-quota

      × `10` is not a size
        ╭─[spec.yaml:11:69]
     10 │ accounts:
     11 │   jo@mydomain.ovh: { aliases: j@mydomain.ovh, hidden: maybe, quota: 10, mail: [x] }
        ·                                                                     ─┬
        ·                                                                      ╰── not a size
        ╰────
      help: say the unit: `10 GB` or `10 MB`

    spec::wrong-type

      × a mapping for `mail` belongs here
        ╭─[spec.yaml:11:79]
     10 │ accounts:
     11 │   jo@mydomain.ovh: { aliases: j@mydomain.ovh, hidden: maybe, quota: 10, mail: [x] }
        ·                                                                               ┬
        ·                                                                               ╰── this is a list
        ╰────
    "
    );
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut text = "version: 1\nx-a: &a0 [b, b, b, b, b, b, b, b, b]\n".to_owned();
    for level in 1..12 {
        let items = vec![format!("*a{}", level - 1); 9].join(", ");
        text.push_str(&format!("x-{level}: &a{level} [{items}]\n"));
    }
    let shown = refused(&text);
    assert!(shown.contains("spec::too-much"), "{shown}");
}

#[test]
fn deep_nesting_is_refused() {
    let shown = refused(&format!("version: 1\nplatforms: {}", "[".repeat(20_000)));
    assert!(shown.contains("spec::"), "{shown}");
}

#[test]
fn a_duplicate_in_two_files_shows_both_files() {
    let one = "version: 1\nplatforms: { mail: { kind: imap, imap: { host: a.example } } }\n";
    insta::assert_snapshot!(refused_files(&[("a.yaml", one), ("b.yaml", one)]), @"
    spec::duplicate-entry

      × the platform `mail` is declared twice
       ╭─[b.yaml:2:14]
     1 │ version: 1
     2 │ platforms: { mail: { kind: imap, imap: { host: a.example } } }
       ·              ──┬─
       ·                ╰── again here
       ╰────
      help: keep one of them; upper and lower case, and the spellings of a domain, make no difference

    Error: 
      × the other place
       ╭─[a.yaml:2:14]
     1 │ version: 1
     2 │ platforms: { mail: { kind: imap, imap: { host: a.example } } }
       ·              ──┬─
       ·                ╰── first here
       ╰────
    ");
}

#[test]
fn what_cannot_be_put_in_good_form_without_changing_what_it_says_is_left_alone() {
    // A text over two lines, the second of which only looks like a mapping in braces.
    let refused = rehome::spec::format("spec.yaml", "a: b\n  {x,y}\n").unwrap_err();
    assert_eq!(refused.0.iter().map(|d| d.code).collect::<Vec<_>>(), ["spec::unformattable"]);
}
