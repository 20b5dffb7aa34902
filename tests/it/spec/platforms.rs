//! Platforms that cannot work.

use rehome::model::PlatformId;

use super::{accepted, refused};

#[test]
fn each_kind_says_what_it_lacks() {
    insta::assert_snapshot!(refused("version: 1\nplatforms:\n  a: { kind: ovh-exchange }\n  b: { kind: imap }\n  c: {}\n  d: { kind: ovh-exchnge }\n"), @"
    spec::missing-field

      × the platform `a` does not say its service
       ╭─[spec.yaml:3:3]
     2 │ platforms:
     3 │   a: { kind: ovh-exchange }
       ·   ┬
       ·   ╰── kind ovh-exchange needs `service`
     4 │   b: { kind: imap }
       ╰────
      help: say the name of the service, as the control panel shows it

    spec::missing-field

      × the platform `a` does not say its credentials
       ╭─[spec.yaml:3:3]
     2 │ platforms:
     3 │   a: { kind: ovh-exchange }
       ·   ┬
       ·   ╰── kind ovh-exchange needs `credentials`
     4 │   b: { kind: imap }
       ╰────
      help: give `application_key`, `application_secret` and `consumer_key`, or `client_id` and
            `client_secret`, each as a reference such as `{ env: OVH_APPLICATION_KEY }`, or
            `{ same_as: other-platform }`

    spec::missing-field

      × the platform `b` does not say where its mailboxes are opened
       ╭─[spec.yaml:4:3]
     3 │   a: { kind: ovh-exchange }
     4 │   b: { kind: imap }
       ·   ┬
       ·   ╰── kind imap needs `imap`
     5 │   c: {}
       ╰────
      help: say where its mailboxes are opened: `imap: { host: imap.example.org }`

    spec::missing-field

      × the platform `c` does not say its kind
       ╭─[spec.yaml:5:3]
     4 │   b: { kind: imap }
     5 │   c: {}
       ·   ┬
       ·   ╰── no `kind`
     6 │   d: { kind: ovh-exchnge }
       ╰────
      help: say one of `ovh-exchange`, `ovh-email-pro`, `ovh-mxplan`, `ovh-mxplan-legacy`, `ovh-
            zimbra` and `imap`

    spec::unknown-word

      × `ovh-exchnge` is not a kind of platform
       ╭─[spec.yaml:6:14]
     5 │   c: {}
     6 │   d: { kind: ovh-exchnge }
       ·              ─────┬─────
       ·                   ╰── unknown word
       ╰────
      help: did you mean `ovh-exchange`?
    ");
}

#[test]
fn a_plain_host_has_no_api() {
    insta::assert_snapshot!(refused("version: 1\nplatforms:\n  b: { kind: imap, imap: { host: a.example, port: 0 }, service: x, credentials: { same_as: c } }\n"), @"
    spec::bad-number

      × this is no TCP port
       ╭─[spec.yaml:3:51]
     2 │ platforms:
     3 │   b: { kind: imap, imap: { host: a.example, port: 0 }, service: x, credentials: { same_as: c } }
       ·                                                   ┬
       ·                                                   ╰── 1 to 65535
       ╰────

    spec::not-for-kind

      × `service` means nothing to `b`, a plain IMAP host
       ╭─[spec.yaml:3:65]
     2 │ platforms:
     3 │   b: { kind: imap, imap: { host: a.example, port: 0 }, service: x, credentials: { same_as: c } }
       ·                                                                 ┬
       ·                                                                 ╰── there is no API to use it with
       ╰────
      help: passwords of mailboxes go to `accounts`, a way into all of them to `admin`

    spec::not-for-kind

      × `credentials` means nothing to `b`, a plain IMAP host
       ╭─[spec.yaml:3:81]
     2 │ platforms:
     3 │   b: { kind: imap, imap: { host: a.example, port: 0 }, service: x, credentials: { same_as: c } }
       ·                                                                                 ┬
       ·                                                                                 ╰── there is no API to use it with
       ╰────
      help: passwords of mailboxes go to `accounts`, a way into all of them to `admin`

    spec::unknown-platform

      × there is no platform `c`
       ╭─[spec.yaml:3:92]
     2 │ platforms:
     3 │   b: { kind: imap, imap: { host: a.example, port: 0 }, service: x, credentials: { same_as: c } }
       ·                                                                                            ┬
       ·                                                                                            ╰── not declared under `platforms`
       ╰────
      help: declared under `platforms`: `b`
    ");
}

#[test]
fn credentials_are_complete() {
    insta::assert_snapshot!(
        refused("version: 1\nplatforms:\n  a: { kind: ovh-email-pro, service: s, credentials: { application_key: { env: A } } }\n"),
        @"
    spec::credentials

      × the credentials of `a` lack `application_secret` and `consumer_key`
       ╭─[spec.yaml:3:54]
     2 │ platforms:
     3 │   a: { kind: ovh-email-pro, service: s, credentials: { application_key: { env: A } } }
       ·                                                      ┬
       ·                                                      ╰── these credentials
       ╰────
      help: an application signs in with `application_key`, `application_secret` and `consumer_key`; a
            service account with `client_id` and `client_secret`
    "
    );
}

#[test]
fn same_as_leads_somewhere() {
    insta::assert_snapshot!(
        refused(
            "version: 1\nplatforms:\n  a: { kind: ovh-email-pro, service: s, credentials: { same_as: b } }\n  b: { kind: ovh-email-pro, service: s, credentials: { same_as: a } }\n  c: { kind: ovh-email-pro, service: s, credentials: { same_as: aa } }\n"
        ),
        @"
    spec::same-as-loop

      × `same_as` goes round in a circle: a -> b -> a
       ╭─[spec.yaml:4:65]
     3 │   a: { kind: ovh-email-pro, service: s, credentials: { same_as: b } }
     4 │   b: { kind: ovh-email-pro, service: s, credentials: { same_as: a } }
       ·                                                                 ┬
       ·                                                                 ╰── here
     5 │   c: { kind: ovh-email-pro, service: s, credentials: { same_as: aa } }
       ╰────
      help: one of them must hold the credentials

    spec::unknown-platform

      × there is no platform `aa`
       ╭─[spec.yaml:5:65]
     4 │   b: { kind: ovh-email-pro, service: s, credentials: { same_as: a } }
     5 │   c: { kind: ovh-email-pro, service: s, credentials: { same_as: aa } }
       ·                                                                 ─┬
       ·                                                                  ╰── not declared under `platforms`
       ╰────
      help: declared under `platforms`: `a`, `b` and `c`
    "
    );
}

#[test]
fn an_endpoint_is_known_or_an_url_that_is_safe() {
    insta::assert_snapshot!(
        refused(
            "version: 1\nplatforms:\n  a: { kind: ovh-email-pro, service: s, credentials: &c { client_id: { env: A }, client_secret: { env: B } }, endpoint: ovh-ue }\n  b: { kind: ovh-email-pro, service: s, credentials: *c, endpoint: http://api.example/1.0 }\n"
        ),
        @"
    spec::bad-endpoint

      × `ovh-ue` is not an endpoint of the API
       ╭─[spec.yaml:3:121]
     2 │ platforms:
     3 │   a: { kind: ovh-email-pro, service: s, credentials: &c { client_id: { env: A }, client_secret: { env: B } }, endpoint: ovh-ue }
       ·                                                                                                                         ───┬──
       ·                                                                                                                            ╰── not an endpoint
     4 │   b: { kind: ovh-email-pro, service: s, credentials: *c, endpoint: http://api.example/1.0 }
       ╰────
      help: did you mean `ovh-eu`?

    spec::bad-endpoint

      × the endpoint would send credentials in clear
       ╭─[spec.yaml:4:68]
     3 │   a: { kind: ovh-email-pro, service: s, credentials: &c { client_id: { env: A }, client_secret: { env: B } }, endpoint: ovh-ue }
     4 │   b: { kind: ovh-email-pro, service: s, credentials: *c, endpoint: http://api.example/1.0 }
       ·                                                                    ───────────┬──────────
       ·                                                                               ╰── http outside of this machine
       ╰────
      help: use https
    "
    );
}

#[test]
fn an_admin_is_one_of_two_and_complete() {
    insta::assert_snapshot!(
        refused("version: 1\nplatforms:\n  a: { kind: imap, imap: { host: h.example }, admin: { master: { user: m } } }\n  b: { kind: imap, imap: { host: h.example }, admin: {} }\n"),
        @r#"
        spec::missing-field

          × `admin` needs `user` and `password`
           ╭─[spec.yaml:3:64]
         2 │ platforms:
         3 │   a: { kind: imap, imap: { host: h.example }, admin: { master: { user: m } } }
           ·                                                                ┬
           ·                                                                ╰── here
         4 │   b: { kind: imap, imap: { host: h.example }, admin: {} }
           ╰────
          help: `admin: { master: { user: migrator, password: { env: MASTER_PASSWORD } } }`, `authzid`
                with the same keys, or `admin: { token: { command: [get-token, "{address}"] } }`

        spec::missing-field

          × `admin` needs one of `master`, `authzid` and `token`
           ╭─[spec.yaml:4:54]
         3 │   a: { kind: imap, imap: { host: h.example }, admin: { master: { user: m } } }
         4 │   b: { kind: imap, imap: { host: h.example }, admin: {} }
           ·                                                      ┬
           ·                                                      ╰── here
           ╰────
          help: `admin: { master: { user: migrator, password: { env: MASTER_PASSWORD } } }`, `authzid`
                with the same keys, or `admin: { token: { command: [get-token, "{address}"] } }`
        "#
    );
}

#[test]
fn a_platform_has_a_plain_name() {
    insta::assert_snapshot!(refused("version: 1\nplatforms:\n  a/b: { kind: imap, imap: { host: h.example } }\n"), @"
    spec::bad-name

      × `a/b` is no name for a platform
       ╭─[spec.yaml:3:3]
     2 │ platforms:
     3 │   a/b: { kind: imap, imap: { host: h.example } }
       ·   ─┬─
       ·    ╰── letters, digits and `-`, `_`, `.` only
       ╰────
    ");
}

#[test]
fn passwords_in_clear_over_the_network_are_doubtful() {
    let text =
        |host| format!("version: 1\nplatforms: {{ a: {{ kind: imap, imap: {{ host: {host}, security: plain }} }} }}\n");
    insta::assert_snapshot!(accepted(&text("h.example")).warnings.render(false, 100), @"
    spec::plain-imap

      ⚠ passwords go to `h.example` in clear
       ╭─[spec.yaml:2:66]
     1 │ version: 1
     2 │ platforms: { a: { kind: imap, imap: { host: h.example, security: plain } } }
       ·                                                                  ──┬──
       ·                                                                    ╰── no protection
       ╰────
      help: use `tls` or `starttls` where you can
    ");
    for near in ["localhost", "127.0.0.1", "\"::1\""] {
        assert!(accepted(&text(near)).warnings.0.is_empty(), "{near}");
    }
}

#[test]
fn same_as_shares_credentials_and_the_endpoint() {
    let spec = accepted(
        "version: 1\nplatforms:\n  a: { kind: ovh-email-pro, service: s, endpoint: ovh-ca, credentials: { client_id: { env: A }, client_secret: { env: B } } }\n  b: { kind: ovh-exchange, service: s, credentials: { same_as: a } }\n  c: { kind: ovh-exchange, service: s, credentials: { same_as: b }, endpoint: ovh-eu }\n",
    )
    .spec;
    let of = |name: &str| &spec.platforms[&PlatformId::from(name)];
    assert_eq!(of("c").credentials, of("a").credentials);
    assert_eq!(of("b").endpoint.as_deref(), Some("ovh-ca"));
    assert_eq!(of("c").endpoint.as_deref(), Some("ovh-eu"));
}
