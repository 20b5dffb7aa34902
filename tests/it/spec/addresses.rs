//! One address, one owner; no circles; provisional names that are free.

use super::{BASE, refused, refused_below, refused_files, warned_below};

/// The other way round: a source with narrow names.
const BACK: &str = r#"version: 1
x-keys: &keys { client_id: { env: A }, client_secret: { env: B } }
platforms:
  exchange: { kind: ovh-exchange, service: ex-1, credentials: *keys }
  emailpro: { kind: ovh-email-pro, service: pro-1, credentials: *keys }
domains:
  mydomain.ovh: { platform: exchange, migrate: { from: emailpro, provisional: "PROVISIONAL" } }
defaults: { password: { env: "NEW_{local}" }, mail: { source_password: { env: "OLD_{local}" } } }
"#;

#[test]
fn an_address_has_one_owner() {
    insta::assert_snapshot!(
        refused_below("accounts:\n  ann@mydomain.ovh: { aliases: [bob@mydomain.ovh] }\n  bob@mydomain.ovh:\n"),
        @"
    spec::address-claimed-twice

      × `bob@mydomain.ovh` is claimed twice: as an alias of `ann@mydomain.ovh` and as an account
        ╭─[spec.yaml:11:33]
     10 │ accounts:
     11 │   ann@mydomain.ovh: { aliases: [bob@mydomain.ovh] }
        ·                                 ────────┬───────
        ·                                         ╰── as an alias of `ann@mydomain.ovh`
     12 │   bob@mydomain.ovh:
        ·   ────────┬───────
        ·           ╰── as an account
        ╰────
      help: an address belongs to one object; keep one of them
    "
    );
}

#[test]
fn an_alias_through_an_anchor_shows_where_it_is_used() {
    insta::assert_snapshot!(
        refused_below("accounts:\n  ann@mydomain.ovh: { aliases: &both [team@mydomain.ovh] }\n  bob@mydomain.ovh: { aliases: *both }\n"),
        @"
    spec::address-claimed-twice

      × `team@mydomain.ovh` is claimed twice: as an alias of `ann@mydomain.ovh` and as an alias of
      │ `bob@mydomain.ovh`
        ╭─[spec.yaml:11:39]
     10 │ accounts:
     11 │   ann@mydomain.ovh: { aliases: &both [team@mydomain.ovh] }
        ·                                       ────────┬────────┬
        ·                                               │        ╰── as an alias of `ann@mydomain.ovh`
        ·                                               ╰── which was written here
     12 │   bob@mydomain.ovh: { aliases: *both }
        ·                                ──┬──
        ·                                  ╰── as an alias of `bob@mydomain.ovh`
        ╰────
      help: an address belongs to one object; keep one of them
    "
    );
}

#[test]
fn owners_in_two_files_show_both_files() {
    insta::assert_snapshot!(
        refused_files(&[
            ("a.yaml", &format!("{BASE}accounts:\n  team@mydomain.ovh:\n")),
            ("b.yaml", "version: 1\ngroups:\n  Team@mydomain.ovh: { members: [] }\n"),
        ]),
        @"
    spec::address-claimed-twice

      × `team@mydomain.ovh` is claimed twice: as an account and as a group
       ╭─[b.yaml:3:3]
     2 │ groups:
     3 │   Team@mydomain.ovh: { members: [] }
       ·   ────────┬────────
       ·           ╰── as a group
       ╰────
      help: an address belongs to one object; keep one of them

    Error: 
      × the other place
        ╭─[a.yaml:11:3]
     10 │ accounts:
     11 │   team@mydomain.ovh:
        ·   ────────┬────────
        ·           ╰── as an account
        ╰────
    "
    );
}

#[test]
fn a_redirection_of_a_mailbox_says_whether_it_keeps_a_copy() {
    insta::assert_snapshot!(
        refused_below("accounts:\n  ann@mydomain.ovh:\nredirections:\n  ann@mydomain.ovh: { to: [x@y.example] }\n"),
        @"
    spec::address-claimed-twice

      × `ann@mydomain.ovh` is claimed twice: as an account and as a redirection
        ╭─[spec.yaml:11:3]
     10 │ accounts:
     11 │   ann@mydomain.ovh:
        ·   ────────┬───────
        ·           ╰── as an account
     12 │ redirections:
     13 │   ann@mydomain.ovh: { to: [x@y.example] }
        ·   ────────┬───────
        ·           ╰── as a redirection
        ╰────
      help: if mail should go elsewhere and also stay in the mailbox, add `keep_copy: true`; if the
            mailbox should get nothing any more, `keep_copy: false`
    "
    );
    insta::assert_snapshot!(
        warned_below("accounts:\n  ann@mydomain.ovh:\nredirections:\n  ann@mydomain.ovh: { to: [x@y.example], keep_copy: false }\n"),
        @"
    spec::mailbox-gets-nothing

      ⚠ the mailbox of `ann@mydomain.ovh` gets no new mail
        ╭─[spec.yaml:11:3]
     10 │ accounts:
     11 │   ann@mydomain.ovh:
        ·   ────────┬───────
        ·           ╰── away from this mailbox
     12 │ redirections:
     13 │   ann@mydomain.ovh: { to: [x@y.example], keep_copy: false }
        ·   ────────┬───────
        ·           ╰── all of it is redirected
        ╰────
    "
    );
    assert_eq!(
        warned_below(
            "accounts:\n  ann@mydomain.ovh:\nredirections:\n  ann@mydomain.ovh: { to: [x@y.example], keep_copy: true }\n"
        ),
        ""
    );
}

#[test]
fn a_redirection_to_itself_is_a_wish_for_a_copy() {
    insta::assert_snapshot!(refused_below("redirections:\n  in@mydomain.ovh: { to: [in@mydomain.ovh, x@y.example] }\n"), @"
    spec::redirection-to-itself

      × `in@mydomain.ovh` is redirected to itself
        ╭─[spec.yaml:11:27]
     10 │ redirections:
     11 │   in@mydomain.ovh: { to: [in@mydomain.ovh, x@y.example] }
        ·                           ───────┬───────
        ·                                  ╰── the same address
        ╰────
      help: to keep a copy in the mailbox of the same address say `keep_copy: true` and list the
            others only
    ");
}

#[test]
fn circles_are_shown_whole() {
    insta::assert_snapshot!(
        refused_below(
            "redirections:\n  aa@mydomain.ovh: { to: [bb@mydomain.ovh] }\n  bb@mydomain.ovh: { to: [cc@mydomain.ovh, x@y.example] }\ngroups:\n  cc@mydomain.ovh: { members: [aa@mydomain.ovh] }\n"
        ),
        @"
    spec::redirection-loop

      × mail would go round in a circle: aa@mydomain.ovh -> bb@mydomain.ovh -> cc@mydomain.ovh ->
      │ aa@mydomain.ovh
        ╭─[spec.yaml:11:27]
     10 │ redirections:
     11 │   aa@mydomain.ovh: { to: [bb@mydomain.ovh] }
        ·                           ───────┬───────
        ·                                  ╰── on to `bb@mydomain.ovh`
     12 │   bb@mydomain.ovh: { to: [cc@mydomain.ovh, x@y.example] }
        ·                           ───────┬───────
        ·                                  ╰── on to `cc@mydomain.ovh`
     13 │ groups:
     14 │   cc@mydomain.ovh: { members: [aa@mydomain.ovh] }
        ·                                ───────┬───────
        ·                                       ╰── this closes the circle
        ╰────
      help: let one of them go to a mailbox
    "
    );
}

#[test]
fn a_redirection_goes_somewhere() {
    insta::assert_snapshot!(refused_below("redirections:\n  aa@mydomain.ovh: {}\n  bb@mydomain.ovh: { to: [] }\n  cc@elsewhere.ovh: { to: [x@y.example], via: exchnge }\n"), @"
    spec::missing-field

      × the redirection `aa@mydomain.ovh` goes nowhere
        ╭─[spec.yaml:11:3]
     10 │ redirections:
     11 │   aa@mydomain.ovh: {}
        ·   ───────┬───────
        ·          ╰── no `to`
     12 │   bb@mydomain.ovh: { to: [] }
        ╰────
      help: say where its mail goes: `to: [desk@partner.example]`

    spec::missing-field

      × the redirection `bb@mydomain.ovh` goes nowhere
        ╭─[spec.yaml:12:26]
     11 │   aa@mydomain.ovh: {}
     12 │   bb@mydomain.ovh: { to: [] }
        ·                          ┬
        ·                          ╰── no `to`
     13 │   cc@elsewhere.ovh: { to: [x@y.example], via: exchnge }
        ╰────
      help: say where its mail goes: `to: [desk@partner.example]`

    spec::undeclared-domain

      × the redirection `cc@elsewhere.ovh` is in the domain `elsewhere.ovh`, which is not declared
        ╭─[spec.yaml:13:3]
     12 │   bb@mydomain.ovh: { to: [] }
     13 │   cc@elsewhere.ovh: { to: [x@y.example], via: exchnge }
        ·   ────────┬───────
        ·           ╰── its domain is not under `domains`
        ╰────
      help: declare it: `domains: { elsewhere.ovh: { platform: ... } }`

    spec::unknown-platform

      × there is no platform `exchnge`
        ╭─[spec.yaml:13:47]
     12 │   bb@mydomain.ovh: { to: [] }
     13 │   cc@elsewhere.ovh: { to: [x@y.example], via: exchnge }
        ·                                               ───┬───
        ·                                                  ╰── not declared under `platforms`
        ╰────
      help: did you mean `exchange`?
    ");
}

#[test]
fn aliases_live_on_the_platform_of_their_account() {
    insta::assert_snapshot!(
        refused(&format!("{}accounts:\n  ann@mydomain.ovh: {{ aliases: [a@mydomian.ovh, a@other.ovh, no-at] }}\n", BASE.replace("defaults:", "  other.ovh: { platform: exchange }\ndefaults:"))),
        @"
    spec::undeclared-domain

      × the alias `a@mydomian.ovh` is in the domain `mydomian.ovh`, which is not declared
        ╭─[spec.yaml:12:33]
     11 │ accounts:
     12 │   ann@mydomain.ovh: { aliases: [a@mydomian.ovh, a@other.ovh, no-at] }
        ·                                 ───────┬──────
        ·                                        ╰── its domain is not under `domains`
        ╰────
      help: did you mean `mydomain.ovh`?

    spec::alias-elsewhere

      × the alias `a@other.ovh` is of a domain on `exchange`, its account is on `emailpro`
        ╭─[spec.yaml:12:49]
     11 │ accounts:
     12 │   ann@mydomain.ovh: { aliases: [a@mydomian.ovh, a@other.ovh, no-at] }
        ·                                                 ─────┬─────
        ·                                                      ╰── `other.ovh` is on another platform
        ╰────
      help: an alias lives on the platform of its account; use a redirection instead

    spec::bad-address

      × `no-at` is not a mail address: it needs the form local@domain
        ╭─[spec.yaml:12:62]
     11 │ accounts:
     12 │   ann@mydomain.ovh: { aliases: [a@mydomian.ovh, a@other.ovh, no-at] }
        ·                                                              ──┬──
        ·                                                                ╰── not an address
        ╰────
    "
    );
}

#[test]
fn provisional_names_are_short_enough() {
    insta::assert_snapshot!(refused(&format!("{}accounts:\n  a-name-of-thirty-one-characters@mydomain.ovh:\n", BACK.replace("PROVISIONAL", "{local}01"))), @r#"
    spec::provisional-too-long

      × the provisional name `a-name-of-thirty-one-characters01` of `a-name-of-thirty-one-
      │ characters@mydomain.ovh` has 33 characters, and Email Pro takes 32
        ╭─[spec.yaml:7:79]
      6 │ domains:
      7 │   mydomain.ovh: { platform: exchange, migrate: { from: emailpro, provisional: "{local}01" } }
        ·                                                                               ─────┬─────
        ·                                                                                    ╰── named by this
      8 │ defaults: { password: { env: "NEW_{local}" }, mail: { source_password: { env: "OLD_{local}" } } }
      9 │ accounts:
     10 │   a-name-of-thirty-one-characters@mydomain.ovh:
        ·   ──────────────────────┬─────────────────────
        ·                         ╰── this account
        ╰────
      help: choose a shorter or plainer `provisional`, such as "{local}1"
    "#);
}

#[test]
fn provisional_names_are_free() {
    insta::assert_snapshot!(refused_below("accounts:\n  ann@mydomain.ovh:\n  bob@mydomain.ovh: { aliases: [ann01@mydomain.ovh] }\n"), @r#"
    spec::provisional-taken

      × the provisional name `ann01@mydomain.ovh` of `ann@mydomain.ovh` is taken by an alias of
      │ `bob@mydomain.ovh`
        ╭─[spec.yaml:11:3]
     10 │ accounts:
     11 │   ann@mydomain.ovh:
        ·   ────────┬───────
        ·           ╰── this account
     12 │   bob@mydomain.ovh: { aliases: [ann01@mydomain.ovh] }
        ·                                 ─────────┬────────
        ·                                          ╰── and this
        ╰────
      help: choose another `provisional` for the domain, such as "{local}.old", or a
            `provisional_domain`
    "#);
}

#[test]
fn provisional_names_have_characters_that_the_platform_takes() {
    insta::assert_snapshot!(
        refused(&format!("{}accounts:\n  ann@mydomain.ovh:\n", BACK.replace("PROVISIONAL", "{local}+old"))),
        @r#"
    spec::provisional-invalid

      × the provisional name `ann+old` has characters that Email Pro does not take
        ╭─[spec.yaml:7:79]
      6 │ domains:
      7 │   mydomain.ovh: { platform: exchange, migrate: { from: emailpro, provisional: "{local}+old" } }
        ·                                                                               ──────┬──────
        ·                                                                                     ╰── named by this
      8 │ defaults: { password: { env: "NEW_{local}" }, mail: { source_password: { env: "OLD_{local}" } } }
      9 │ accounts:
     10 │   ann@mydomain.ovh:
        ·   ────────┬───────
        ·           ╰── this account
        ╰────
      help: choose a shorter or plainer `provisional`, such as "{local}1"
    "#
    );
}

#[test]
fn the_same_provisional_name_is_given_once() {
    insta::assert_snapshot!(
        refused(&format!(
            "{}accounts:\n  ann@mydomain.ovh:\n  ann@other.ovh:\n",
            BASE.replace("from: exchange } }", "from: exchange, provisional_domain: old.ovh } }\n  other.ovh: { platform: emailpro, migrate: { from: exchange, provisional_domain: old.ovh } }")
        )),
        @r#"
    spec::provisional-taken

      × `ann@mydomain.ovh` and `ann@other.ovh` would both have the provisional name `ann01@old.ovh`
        ╭─[spec.yaml:12:3]
     11 │ accounts:
     12 │   ann@mydomain.ovh:
        ·   ────────┬───────
        ·           ╰── and this
     13 │   ann@other.ovh:
        ·   ──────┬──────
        ·         ╰── this account
        ╰────
      help: choose another `provisional` for the domain, such as "{local}.old", or a
            `provisional_domain`
    "#
    );
}
