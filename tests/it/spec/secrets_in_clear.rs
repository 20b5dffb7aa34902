//! A secret written in clear is refused and shown nowhere.

use super::{BASE, refused, refused_below, refused_files};

/// Refused, without the value, and without the value in the machine's form either.
fn hidden(text: &str) -> String {
    let problems = rehome::spec::parse("spec.yaml", text).unwrap_err();
    let shown = problems.render(false, 100);
    for form in [&shown, &problems.to_json().to_string(), &format!("{problems:?}")] {
        assert!(!form.contains("hunter2"), "{form}");
    }
    shown
}

#[test]
fn a_password_in_clear_is_masked() {
    insta::assert_snapshot!(hidden(&format!("{BASE}accounts:\n  ann@mydomain.ovh:\n    password: hunter2é\n    name: Ann\n")), @"
    spec::inline-secret

      × a password is written in clear
        ╭─[spec.yaml:12:15]
     11 │   ann@mydomain.ovh:
     12 │     password: *********
        ·               ────┬────
        ·                   ╰── not shown
     13 │     name: Ann
        ╰────
      help: a spec holds references only: `{ env: NAME }`, `{ file: path }` or `{ command: [program,
            argument] }`. If the value is real and the file was shared, change the secret
    ");
}

#[test]
fn a_secret_is_masked_wherever_it_was_put() {
    for text in [
        "accounts: { ann@mydomain.ovh: { password: { value: hunter2 } } }",
        "accounts: { ann@mydomain.ovh: { password: [hunter2] } }",
        "accounts: { ann@mydomain.ovh: { password: { env: \"hunter2!\" } } }",
        "accounts: { ann@mydomain.ovh: { password: { keyring: hunter2 } } }",
        "accounts: { ann@mydomain.ovh: { passwrod: hunter2 } }",
        "accounts: { ann@mydomain.ovh: { password: &p hunter2 }, bob@mydomain.ovh: { password: *p } }",
        "accounts: { ann@mydomain.ovh: { mail: { source_password: hunter2 } } }",
        "accounts: { ann@mydomain.ovh: { mail: { source_password: { reset: hunter2 } } } }",
        "accounts: { ann@mydomain.ovh: { mial: { source_password: hunter2 } } }",
        "accounts: [ { password: hunter2 } ]",
        "credentals:\n  application_key: hunter2\n",
        "accounts: { ann@mydomain.ovh: { password: { generate: { deliver: hunter2 } } } }",
        "accounts: { ann@mydomain.ovh: { password: hunter2, name: \"x } }",
        "accounts:\n  ann@mydomain.ovh:\n    password: |\n      hunter2\n   name: x\n",
    ] {
        hidden(&format!("{BASE}{text}"));
    }
}

#[test]
fn credentials_in_clear_are_masked() {
    insta::assert_snapshot!(
        hidden("version: 1\nplatforms:\n  a: { kind: ovh-email-pro, service: s, credentials: { client_id: hunter2, client_secret: { env: B } } }\n"),
        @"
    spec::credentials

      × the credentials of `a` lack `client_id`
       ╭─[spec.yaml:3:54]
     2 │ platforms:
     3 │   a: { kind: ovh-email-pro, service: s, credentials: { client_id: *******, client_secret: { env: B } } }
       ·                                                      ┬
       ·                                                      ╰── these credentials
       ╰────
      help: an application signs in with `application_key`, `application_secret` and `consumer_key`; a
            service account with `client_id` and `client_secret`

    spec::inline-secret

      × a secret is written in clear
       ╭─[spec.yaml:3:67]
     2 │ platforms:
     3 │   a: { kind: ovh-email-pro, service: s, credentials: { client_id: *******, client_secret: { env: B } } }
       ·                                                                   ───┬───
       ·                                                                      ╰── not shown
       ╰────
      help: a spec holds references only: `{ env: NAME }`, `{ file: path }` or `{ command: [program,
            argument] }`. If the value is real and the file was shared, change the secret
    "
    );
}

#[test]
fn a_reference_says_one_thing() {
    insta::assert_snapshot!(
        refused_below(
            "accounts:\n  ann@mydomain.ovh: { password: { env: A, file: b } }\n  bob@mydomain.ovh: { password: {} }\n  cat@mydomain.ovh: { password: { command: pass show } }\n  dan@mydomain.ovh: { password: { file: \"{name}\" } }\n  eve@mydomain.ovh: { password: { env: {local} } }\n"
        ),
        @r#"
    spec::bad-reference

      × a password says both `env` and `file`
        ╭─[spec.yaml:11:43]
     10 │ accounts:
     11 │   ann@mydomain.ovh: { password: { env: A, file: b } }
        ·                                           ──┬─
        ·                                             ╰── one too many
     12 │   bob@mydomain.ovh: { password: {} }
        ╰────
      help: keep one of `env`, `file`, `command`, `keyring` and `generate`

    spec::bad-reference

      × a password says nothing
        ╭─[spec.yaml:12:33]
     11 │   ann@mydomain.ovh: { password: { env: A, file: b } }
     12 │   bob@mydomain.ovh: { password: {} }
        ·                                 ┬
        ·                                 ╰── empty
     13 │   cat@mydomain.ovh: { password: { command: pass show } }
        ╰────
      help: say one of `env`, `file`, `command`, `keyring` and `generate`

    spec::bad-reference

      × a command is a list
        ╭─[spec.yaml:13:44]
     12 │   bob@mydomain.ovh: { password: {} }
     13 │   cat@mydomain.ovh: { password: { command: pass show } }
        ·                                            ────┬────
        ·                                                ╰── not a list
     14 │   dan@mydomain.ovh: { password: { file: "{name}" } }
        ╰────
      help: write the program and its arguments as a list: `[pass, show, mail/john]`; no shell is
            involved

    spec::unknown-placeholder

      × `{name}` is no placeholder
        ╭─[spec.yaml:14:41]
     13 │   cat@mydomain.ovh: { password: { command: pass show } }
     14 │   dan@mydomain.ovh: { password: { file: "{name}" } }
        ·                                         ────┬───
        ·                                             ╰── here
     15 │   eve@mydomain.ovh: { password: { env: {local} } }
        ╰────
      help: references know `{local}`, `{address}` and `{domain}`

    spec::bad-reference

      × this is not the name of an environment variable
        ╭─[spec.yaml:15:40]
     14 │   dan@mydomain.ovh: { password: { file: "{name}" } }
     15 │   eve@mydomain.ovh: { password: { env: {local} } }
        ·                                        ┬
        ·                                        ╰── not shown
        ╰────
      help: text that begins with a brace needs quotes: `env: "{local}_OLD_PASSWORD"`
    "#
    );
}

#[test]
fn a_generated_password_is_delivered_where_it_can_be_read() {
    insta::assert_snapshot!(
        refused_below(
            "accounts:\n  ann@mydomain.ovh: { password: { generate: {} } }\n  bob@mydomain.ovh: { password: { generate: { deliver: { command: [put] } } } }\n  cat@mydomain.ovh: { password: { generate: { deliver: { command: [put], read: { env: X } } } } }\n"
        ),
        @"
    spec::no-delivery

      × a generated password is delivered nowhere
        ╭─[spec.yaml:11:35]
     10 │ accounts:
     11 │   ann@mydomain.ovh: { password: { generate: {} } }
        ·                                   ────┬───
        ·                                       ╰── nobody could log in
     12 │   bob@mydomain.ovh: { password: { generate: { deliver: { command: [put] } } } }
        ╰────
      help: say where it goes: `generate: { deliver: { file: secrets/{local} } }`

    spec::deliver-without-read

      × a password given to a command cannot be read again
        ╭─[spec.yaml:12:58]
     11 │   ann@mydomain.ovh: { password: { generate: {} } }
     12 │   bob@mydomain.ovh: { password: { generate: { deliver: { command: [put] } } } }
        ·                                                          ───┬───
        ·                                                             ╰── no `read` beside it
     13 │   cat@mydomain.ovh: { password: { generate: { deliver: { command: [put], read: { env: X } } } } }
        ╰────
      help: add `read`, the reference by which a later run finds the password: `deliver: { command:
            [vault-put, john], read: { command: [vault-get, john] } }`

    spec::deliver-without-read

      × a delivered password cannot be read back from the environment
        ╭─[spec.yaml:13:87]
     12 │   bob@mydomain.ovh: { password: { generate: { deliver: { command: [put] } } } }
     13 │   cat@mydomain.ovh: { password: { generate: { deliver: { command: [put], read: { env: X } } } } }
        ·                                                                                       ┬
        ·                                                                                       ╰── this is fixed when rehome starts
        ╰────
      help: an environment variable cannot change while rehome runs: read it back with `file` or
            `command`
    "
    );
}

#[test]
fn passwords_in_a_table_are_masked() {
    let spec = format!("{BASE}accounts_from: {{ csv: people.csv }}\n");
    let shown = refused_files(&[("spec.yaml", &spec), ("people.csv", "address,password\nann@nowhere.ovh,hunter2\n")]);
    assert!(!shown.contains("hunter2"), "{shown}");
    insta::assert_snapshot!(shown, @"
    spec::inline-secret

      × the column `password` looks like passwords written in clear
       ╭─[people.csv:1:9]
     1 │ address,password
       ·         ────┬───
       ·             ╰── what is below is not shown
     2 │ ann@nowhere.ovh,*******
       ╰────
      help: a table holds references only: name the column `source_password_env`,
            `source_password_file`, `password_env` or `password_file`. If the values are real and the
            file was shared, change them

    spec::undeclared-domain

      × `ann@nowhere.ovh` is in the domain `nowhere.ovh`, which is not declared
       ╭─[people.csv:2:1]
     1 │ address,password
     2 │ ann@nowhere.ovh,*******
       · ───────┬───────
       ·        ╰── its domain is not under `domains`
       ╰────
      help: declare it: `domains: { nowhere.ovh: { platform: ... } }`
    ");
}

#[test]
fn nothing_is_hidden_that_is_no_secret() {
    let shown = refused("version: 1\nplatforms:\n  a: { kind: imap, imap: { host: h.example }, colour: blue }\n");
    assert!(shown.contains("blue"), "{shown}");
}
