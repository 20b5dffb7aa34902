//! Domains and migrations that cannot work.

use rehome::{
    model::Domain,
    spec::{SourceFate, Strategy},
};

use super::{accepted, refused, refused_below};

/// Platforms of several kinds, to be followed by `domains:`.
const KINDS: &str = r"version: 1
x-keys: &keys { client_id: { env: A }, client_secret: { env: B } }
platforms:
  exchange: { kind: ovh-exchange, service: ex-1, credentials: *keys }
  emailpro: { kind: ovh-email-pro, service: pro-1, credentials: *keys }
  legacy: { kind: ovh-mxplan-legacy, service: a.ovh, credentials: *keys }
  host: { kind: imap, imap: { host: imap.example } }
domains:
";

fn refused_domain(text: &str) -> String {
    refused(&format!("{KINDS}{text}"))
}

#[test]
fn a_domain_names_its_platform() {
    insta::assert_snapshot!(refused_domain("  a.ovh: {}\n  b.ovh: { platform: exchang }\n  c_d: { platform: exchange }\n"), @"
    spec::missing-field

      × the domain `a.ovh` does not say its platform
        ╭─[spec.yaml:9:3]
      8 │ domains:
      9 │   a.ovh: {}
        ·   ──┬──
        ·     ╰── no `platform`
     10 │   b.ovh: { platform: exchang }
        ╰────
      help: name the platform that its accounts should be on: `platform: ...`

    spec::unknown-platform

      × there is no platform `exchang`
        ╭─[spec.yaml:10:22]
      9 │   a.ovh: {}
     10 │   b.ovh: { platform: exchang }
        ·                      ───┬───
        ·                         ╰── not declared under `platforms`
     11 │   c_d: { platform: exchange }
        ╰────
      help: did you mean `exchange`?

    spec::bad-domain

      × `c_d` is not a valid domain name
        ╭─[spec.yaml:11:3]
     10 │   b.ovh: { platform: exchang }
     11 │   c_d: { platform: exchange }
        ·   ─┬─
        ·    ╰── not a domain
        ╰────
    ");
}

#[test]
fn swap_needs_shared_routing() {
    insta::assert_snapshot!(refused_domain("  a.ovh: { platform: exchange, migrate: { from: host, strategy: swap } }\n"), @"
    spec::swap-routing

      × `swap` would bounce mail: IMAP host and Exchange have different MX
       ╭─[spec.yaml:9:65]
     8 │ domains:
     9 │   a.ovh: { platform: exchange, migrate: { from: host, strategy: swap } }
       ·                                                                 ──┬─
       ·                                                                   ╰── this strategy
       ╰────
      help: a rename takes the address from the platform that the MX still names. Use `parallel`: the
            target is created at the same address and the MX moves once the mail is there
    ");
}

#[test]
fn stage_needs_shared_routing() {
    insta::assert_snapshot!(refused_domain("  a.ovh: { platform: exchange, migrate: { from: host, strategy: stage } }\n"), @"
    spec::stage-routing

      × `stage` is of no use between IMAP host and Exchange, which have different MX
       ╭─[spec.yaml:9:65]
     8 │ domains:
     9 │   a.ovh: { platform: exchange, migrate: { from: host, strategy: stage } }
       ·                                                                 ──┬──
       ·                                                                   ╰── this strategy
       ╰────
      help: the address can exist on both sides. Use `parallel`: nothing has to be renamed
    ");
}

#[test]
fn parallel_needs_separate_routing() {
    insta::assert_snapshot!(refused_domain("  a.ovh: { platform: exchange, migrate: { from: emailpro, strategy: parallel } }\n"), @"
    spec::parallel-routing

      × `parallel` cannot work: an address can exist only once across Email Pro and Exchange, which
      │ share their MX
       ╭─[spec.yaml:9:69]
     8 │ domains:
     9 │   a.ovh: { platform: exchange, migrate: { from: emailpro, strategy: parallel } }
       ·                                                                     ────┬───
       ·                                                                         ╰── this strategy
       ╰────
      help: use `swap`, or `stage` if the source cannot be renamed
    ");
}

#[test]
fn swap_needs_a_source_that_renames() {
    insta::assert_snapshot!(refused_domain("  a.ovh: { platform: exchange, migrate: { from: legacy, strategy: swap } }\n"), @"
    spec::swap-rename

      × `swap` cannot work: MX Plan (legacy) cannot rename an account
       ╭─[spec.yaml:9:67]
     8 │ domains:
     9 │   a.ovh: { platform: exchange, migrate: { from: legacy, strategy: swap } }
       ·                                                                   ──┬─
       ·                                                                     ╰── this strategy
       ╰────
      help: use `stage`: the target is filled under a provisional name and renamed into place
    ");
}

#[test]
fn stage_needs_a_target_that_renames() {
    insta::assert_snapshot!(refused_domain("  a.ovh: { platform: legacy, migrate: { from: exchange, strategy: stage } }\n"), @"
    spec::stage-rename

      × `stage` cannot work: MX Plan (legacy) cannot rename an account into place
       ╭─[spec.yaml:9:67]
     8 │ domains:
     9 │   a.ovh: { platform: legacy, migrate: { from: exchange, strategy: stage } }
       ·                                                                   ──┬──
       ·                                                                     ╰── this strategy
       ╰────
      help: use `swap`: the source gives the address away by a rename
    ");
}

#[test]
fn source_and_target_differ() {
    insta::assert_snapshot!(refused_domain("  a.ovh: { platform: exchange, migrate: { from: exchange } }\n  b.ovh: { platform: exchange, migrate: {} }\n"), @"
    spec::migrate-same-platform

      × `exchange` is the domain's own platform
        ╭─[spec.yaml:9:49]
      8 │ domains:
      9 │   a.ovh: { platform: exchange, migrate: { from: exchange } }
        ·                                                 ────┬───
        ·                                                     ╰── source and target are the same
     10 │   b.ovh: { platform: exchange, migrate: {} }
        ╰────
      help: `platform` is where the accounts should be, `migrate.from` where they are now

    spec::missing-field

      × `migrate` does not say where the accounts come from
        ╭─[spec.yaml:10:41]
      9 │   a.ovh: { platform: exchange, migrate: { from: exchange } }
     10 │   b.ovh: { platform: exchange, migrate: {} }
        ·                                         ┬
        ·                                         ╰── no `from`
        ╰────
      help: name the platform they are on: `from: ...`
    ");
}

#[test]
fn provisional_names_tell_accounts_apart() {
    insta::assert_snapshot!(
        refused_domain(
            "  a.ovh: { platform: exchange, migrate: { from: emailpro, provisional: moved } }\n  b.ovh: { platform: exchange, migrate: { from: emailpro, provisional: \"{local}\" } }\n  c.ovh: { platform: exchange, migrate: { from: emailpro, provisional: \"{name}01\" } }\n"
        ),
        @r#"
    spec::provisional-without-local

      × all accounts would have the same provisional name
        ╭─[spec.yaml:9:72]
      8 │ domains:
      9 │   a.ovh: { platform: exchange, migrate: { from: emailpro, provisional: moved } }
        ·                                                                        ──┬──
        ·                                                                          ╰── here
     10 │   b.ovh: { platform: exchange, migrate: { from: emailpro, provisional: "{local}" } }
        ╰────
      help: use `{local}` for the part before the `@` and add to it: "{local}01"

    spec::provisional-same

      × the provisional name is the real name
        ╭─[spec.yaml:10:72]
      9 │   a.ovh: { platform: exchange, migrate: { from: emailpro, provisional: moved } }
     10 │   b.ovh: { platform: exchange, migrate: { from: emailpro, provisional: "{local}" } }
        ·                                                                        ────┬────
        ·                                                                            ╰── here
     11 │   c.ovh: { platform: exchange, migrate: { from: emailpro, provisional: "{name}01" } }
        ╰────
      help: use `{local}` for the part before the `@` and add to it: "{local}01"

    spec::unknown-placeholder

      × `{name}` is no placeholder of a provisional name
        ╭─[spec.yaml:11:72]
     10 │   b.ovh: { platform: exchange, migrate: { from: emailpro, provisional: "{local}" } }
     11 │   c.ovh: { platform: exchange, migrate: { from: emailpro, provisional: "{name}01" } }
        ·                                                                        ─────┬────
        ·                                                                             ╰── here
        ╰────
      help: use `{local}` for the part before the `@` and add to it: "{local}01"
    "#
    );
}

#[test]
fn a_domain_that_should_be_absent_has_no_wishes() {
    insta::assert_snapshot!(refused_domain("  a.ovh: { platform: exchange, state: absent, type: authoritative }\n"), @"
    spec::absent-with-wishes

      × the domain `a.ovh` should be absent and yet have `type`
       ╭─[spec.yaml:9:39]
     8 │ domains:
     9 │   a.ovh: { platform: exchange, state: absent, type: authoritative }
       ·                                       ───┬──        ──────┬──────
       ·                                          │                ╰── a wish about it
       ·                                          ╰── it is to be deleted
       ╰────
      help: keep `state: absent` alone, or drop it
    ");
}

#[test]
fn dns_and_footer_are_checked() {
    insta::assert_snapshot!(
        refused_domain(
            "  a.ovh: { platform: exchange, dns: { manage: ovh, verify: [mx, dmrac], servers: [ns1.example] }, footer: {} }\n  b.ovh: { platform: host, dns: { manage: ovh-zone } }\n"
        ),
        @"
    spec::unknown-word

      × `ovh` is no way to write a zone
        ╭─[spec.yaml:9:47]
      8 │ domains:
      9 │   a.ovh: { platform: exchange, dns: { manage: ovh, verify: [mx, dmrac], servers: [ns1.example] }, footer: {} }
        ·                                               ─┬─
        ·                                                ╰── unknown
     10 │   b.ovh: { platform: host, dns: { manage: ovh-zone } }
        ╰────
      help: say `ovh-zone` and `rfc2136`, or leave it out

    spec::unknown-word

      × `dmrac` is not a DNS check
        ╭─[spec.yaml:9:65]
      8 │ domains:
      9 │   a.ovh: { platform: exchange, dns: { manage: ovh, verify: [mx, dmrac], servers: [ns1.example] }, footer: {} }
        ·                                                                 ──┬──
        ·                                                                   ╰── unknown word
     10 │   b.ovh: { platform: host, dns: { manage: ovh-zone } }
        ╰────
      help: did you mean `dmarc`?

    spec::bad-server

      × `ns1.example` is not the address of a server
        ╭─[spec.yaml:9:83]
      8 │ domains:
      9 │   a.ovh: { platform: exchange, dns: { manage: ovh, verify: [mx, dmrac], servers: [ns1.example] }, footer: {} }
        ·                                                                                   ─────┬─────
        ·                                                                                        ╰── not an address
     10 │   b.ovh: { platform: host, dns: { manage: ovh-zone } }
        ╰────
      help: write an IP address, with a port if it is not 53: `192.0.2.53`, `[2001:db8::53]:5353`

    spec::missing-field

      × the footer has no text
        ╭─[spec.yaml:9:107]
      8 │ domains:
      9 │   a.ovh: { platform: exchange, dns: { manage: ovh, verify: [mx, dmrac], servers: [ns1.example] }, footer: {} }
        ·                                                                                                           ┬
        ·                                                                                                           ╰── no `html`
     10 │   b.ovh: { platform: host, dns: { manage: ovh-zone } }
        ╰────
      help: give `html`, or `state: absent` for no footer

    spec::credentials

      × nobody could write the zone
        ╭─[spec.yaml:10:43]
      9 │   a.ovh: { platform: exchange, dns: { manage: ovh, verify: [mx, dmrac], servers: [ns1.example] }, footer: {} }
     10 │   b.ovh: { platform: host, dns: { manage: ovh-zone } }
        ·                                           ────┬───
        ·                                               ╰── needs a platform with credentials of the API
        ╰────
      help: leave `manage` out: records are then checked, and you are shown what to change
    "
    );
}

#[test]
fn a_plain_host_has_no_objects() {
    insta::assert_snapshot!(
        refused_domain(
            "  a.ovh: { platform: host, type: authoritative, footer: { html: x } }\naccounts:\n  jo@a.ovh: { aliases: [], delegates: [], password: { generate: { deliver: { file: f } } } }\nredirections:\n  in@a.ovh: { to: [x@y.example] }\ngroups:\n  g@a.ovh: {}\ncontacts:\n  c@y.example: { platform: host }\n"
        ),
        @"
    spec::not-for-kind

      × a plain IMAP host has no domain types
        ╭─[spec.yaml:9:34]
      8 │ domains:
      9 │   a.ovh: { platform: host, type: authoritative, footer: { html: x } }
        ·                                  ──────┬──────
        ·                                        ╰── not through IMAP
     10 │ accounts:
        ╰────
      help: set it up on the host itself, and drop it here

    spec::not-for-kind

      × a plain IMAP host has no footers
        ╭─[spec.yaml:9:57]
      8 │ domains:
      9 │   a.ovh: { platform: host, type: authoritative, footer: { html: x } }
        ·                                                         ┬
        ·                                                         ╰── not through IMAP
     10 │ accounts:
        ╰────
      help: set it up on the host itself, and drop it here

    spec::not-for-kind

      × a plain IMAP host has no aliases
        ╭─[spec.yaml:11:24]
     10 │ accounts:
     11 │   jo@a.ovh: { aliases: [], delegates: [], password: { generate: { deliver: { file: f } } } }
        ·                        ┬
        ·                        ╰── not through IMAP
     12 │ redirections:
        ╰────
      help: set up `jo@a.ovh` on the host itself, and drop it here

    spec::not-for-kind

      × a plain IMAP host has no delegates
        ╭─[spec.yaml:11:39]
     10 │ accounts:
     11 │   jo@a.ovh: { aliases: [], delegates: [], password: { generate: { deliver: { file: f } } } }
        ·                                       ┬
        ·                                       ╰── not through IMAP
     12 │ redirections:
        ╰────
      help: set up `jo@a.ovh` on the host itself, and drop it here

    spec::not-for-kind

      × a plain IMAP host has no passwords that could be set
        ╭─[spec.yaml:11:84]
     10 │ accounts:
     11 │   jo@a.ovh: { aliases: [], delegates: [], password: { generate: { deliver: { file: f } } } }
        ·                                                                                    ┬
        ·                                                                                    ╰── not through IMAP
     12 │ redirections:
        ╰────
      help: its accounts exist already: give the present password, `password: { env: NEW_PASSWORD }`

    spec::not-for-kind

      × a plain IMAP host has no redirections
        ╭─[spec.yaml:13:3]
     12 │ redirections:
     13 │   in@a.ovh: { to: [x@y.example] }
        ·   ────┬───
        ·       ╰── not through IMAP
     14 │ groups:
        ╰────
      help: name another platform with `via`

    spec::not-for-kind

      × a plain IMAP host has no groups
        ╭─[spec.yaml:15:3]
     14 │ groups:
     15 │   g@a.ovh: {}
        ·   ───┬───
        ·      ╰── not through IMAP
     16 │ contacts:
        ╰────
      help: name another platform with `via`

    spec::not-for-kind

      × a plain IMAP host has no contacts
        ╭─[spec.yaml:17:3]
     16 │ contacts:
     17 │   c@y.example: { platform: host }
        ·   ─────┬─────
        ·        ╰── not through IMAP
        ╰────
      help: name another platform
    "
    );
}

#[test]
fn a_plain_source_cannot_be_reset() {
    insta::assert_snapshot!(
        refused_domain(
            "  a.ovh: { platform: exchange, migrate: { from: host, source: reset } }\naccounts:\n  jo@a.ovh: { password: { env: P }, mail: { source_password: { reset: { env: Q } } } }\n"
        ),
        @"
    spec::not-for-kind

      × a plain IMAP host has no accounts that could be reset
        ╭─[spec.yaml:9:63]
      8 │ domains:
      9 │   a.ovh: { platform: exchange, migrate: { from: host, source: reset } }
        ·                                                               ──┬──
        ·                                                                 ╰── not through IMAP
     10 │ accounts:
        ╰────
      help: use `source: keep`

    spec::not-for-kind

      × a plain IMAP host has no passwords that could be reset
        ╭─[spec.yaml:11:64]
     10 │ accounts:
     11 │   jo@a.ovh: { password: { env: P }, mail: { source_password: { reset: { env: Q } } } }
        ·                                                                ──┬──
        ·                                                                  ╰── not through IMAP
        ╰────
      help: give the present password, `source_password: { env: OLD_PASSWORD }`, or the platform an
            `admin`
    "
    );
}

#[test]
fn accounts_of_an_undeclared_domain_are_one_finding() {
    insta::assert_snapshot!(refused_below("accounts:\n  a1@mydomian.ovh:\n  a2@mydomian.ovh:\n  a3@mydomian.ovh:\n  a4@mydomian.ovh:\n"), @"
    spec::undeclared-domain

      × 4 accounts are in the domain `mydomian.ovh`, which is not declared
        ╭─[spec.yaml:11:3]
     10 │ accounts:
     11 │   a1@mydomian.ovh:
        ·   ───────┬───────
        ·          ╰── its domain is not under `domains`
     12 │   a2@mydomian.ovh:
        ·   ───────┬───────
        ·          ╰── its domain is not under `domains`
     13 │   a3@mydomian.ovh:
        ·   ───────┬───────
        ·          ╰── its domain is not under `domains`
     14 │   a4@mydomian.ovh:
        ╰────
      help: did you mean `mydomain.ovh`?
    ");
}

#[test]
fn a_domain_that_should_be_absent_is_empty() {
    insta::assert_snapshot!(
        refused_domain("  a.ovh: { platform: exchange, state: absent }\naccounts:\n  ann@a.ovh:\nredirections:\n  in@a.ovh: { to: [x@y.example] }\n"),
        @"
    spec::absent-with-wishes

      × `a.ovh` should be absent and yet hold 2 addresses
        ╭─[spec.yaml:9:39]
      8 │ domains:
      9 │   a.ovh: { platform: exchange, state: absent }
        ·                                       ───┬──
        ·                                          ╰── the domain is to be deleted
     10 │ accounts:
     11 │   ann@a.ovh:
        ·   ────┬────
        ·       ╰── and this lives in it
     12 │ redirections:
        ╰────
      help: a domain goes once nothing is left in it; leave it present until then
    "
    );
}

#[test]
fn the_strategy_fits_the_platforms_when_none_is_said() {
    let text = format!(
        "{KINDS}  a.ovh: {{ platform: emailpro, migrate: {{ from: exchange }} }}\n  b.ovh: {{ platform: emailpro, migrate: {{ from: legacy }} }}\n  c.ovh: {{ platform: emailpro, migrate: {{ from: host }} }}\n"
    );
    let spec = accepted(&text).spec;
    let of = |name: &str| spec.domains[&Domain::parse(name).unwrap()].migrate.clone().unwrap();
    assert_eq!(of("a.ovh").strategy, Strategy::Swap);
    assert_eq!(of("b.ovh").strategy, Strategy::Stage);
    assert_eq!(of("c.ovh").strategy, Strategy::Parallel);
    assert_eq!(of("a.ovh").provisional, "{local}01");
    assert_eq!(of("a.ovh").source, SourceFate::Keep);
}

#[test]
fn defaults_that_a_plain_host_cannot_set_are_refused_once_or_left_out() {
    let text = format!(
        "{KINDS}  a.ovh: {{ platform: host, migrate: {{ from: exchange }} }}\ndefaults:\n  quota: 5 GB\n  password: {{ generate: {{ deliver: {{ file: \"s/{{local}}\" }} }} }}\n  mail: {{ source_password: {{ env: \"{{local}}\" }} }}\naccounts:\n  ann@a.ovh:\n  bob@a.ovh:\n"
    );
    insta::assert_snapshot!(refused(&text), @r#"
    spec::not-for-kind

      × a plain IMAP host has no passwords that could be set
        ╭─[spec.yaml:12:44]
     11 │   quota: 5 GB
     12 │   password: { generate: { deliver: { file: "s/{local}" } } }
        ·                                            ─────┬─────
        ·                                                 ╰── not through IMAP
     13 │   mail: { source_password: { env: "{local}" } }
        ╰────
      help: its accounts exist already: give the present password, `password: { env: NEW_PASSWORD }`
    "#);
    let spec =
        accepted(&text.replace("{ generate: { deliver: { file: \"s/{local}\" } } }", "{ env: \"NEW_{local}\" }")).spec;
    assert!(spec.accounts.values().all(|a| a.profile.quota_octets.is_none()));
}

#[test]
fn what_is_written_into_a_zone_is_checked() {
    insta::assert_snapshot!(
        refused_domain(
            "  a.ovh: { platform: exchange, dns: { records: [mx], mx: [mail], dmarc: p=none } }\n  b.ovh: { platform: exchange, dns: { manage: ovh-zone, ttl: 4000000000, update: { server: 192.0.2.1, key: k, secret: { env: K } } } }\n  c.ovh: { platform: host, dns: { manage: rfc2136 } }\n"
        ),
        @"
    spec::nobody-writes

      × `records` has no effect, because nobody may write the zone
        ╭─[spec.yaml:9:48]
      8 │ domains:
      9 │   a.ovh: { platform: exchange, dns: { records: [mx], mx: [mail], dmarc: p=none } }
        ·                                                ┬
        ·                                                ╰── without `manage`
     10 │   b.ovh: { platform: exchange, dns: { manage: ovh-zone, ttl: 4000000000, update: { server: 192.0.2.1, key: k, secret: { env: K } } } }
        ╰────
      help: add `manage: ovh-zone` or `manage: rfc2136`

    spec::bad-mx

      × `mail` is no mail server
        ╭─[spec.yaml:9:59]
      8 │ domains:
      9 │   a.ovh: { platform: exchange, dns: { records: [mx], mx: [mail], dmarc: p=none } }
        ·                                                           ──┬─
        ·                                                             ╰── not a preference and a host
     10 │   b.ovh: { platform: exchange, dns: { manage: ovh-zone, ttl: 4000000000, update: { server: 192.0.2.1, key: k, secret: { env: K } } } }
        ╰────
      help: write `10 mx.example.net`; the host is a name, never an address (RFC 5321 5.1)

    spec::bad-dmarc

      × this is no DMARC record
        ╭─[spec.yaml:9:73]
      8 │ domains:
      9 │   a.ovh: { platform: exchange, dns: { records: [mx], mx: [mail], dmarc: p=none } }
        ·                                                                         ───┬──
        ·                                                                            ╰── no policy in it
     10 │   b.ovh: { platform: exchange, dns: { manage: ovh-zone, ttl: 4000000000, update: { server: 192.0.2.1, key: k, secret: { env: K } } } }
        ╰────
      help: write `v=DMARC1; p=none; rua=mailto:...`; the policy is none, quarantine or reject

    spec::nobody-writes

      × `dmarc` has no effect, because nobody may write the zone
        ╭─[spec.yaml:9:73]
      8 │ domains:
      9 │   a.ovh: { platform: exchange, dns: { records: [mx], mx: [mail], dmarc: p=none } }
        ·                                                                         ───┬──
        ·                                                                            ╰── without `manage`
     10 │   b.ovh: { platform: exchange, dns: { manage: ovh-zone, ttl: 4000000000, update: { server: 192.0.2.1, key: k, secret: { env: K } } } }
        ╰────
      help: add `manage: ovh-zone` or `manage: rfc2136`

    spec::bad-ttl

      × 4000000000 seconds are longer than DNS can say
        ╭─[spec.yaml:10:62]
      9 │   a.ovh: { platform: exchange, dns: { records: [mx], mx: [mail], dmarc: p=none } }
     10 │   b.ovh: { platform: exchange, dns: { manage: ovh-zone, ttl: 4000000000, update: { server: 192.0.2.1, key: k, secret: { env: K } } } }
        ·                                                              ─────┬────
        ·                                                                   ╰── too long
     11 │   c.ovh: { platform: host, dns: { manage: rfc2136 } }
        ╰────
      help: a day is 86400

    spec::unused-update

      × `update` has no effect here
        ╭─[spec.yaml:10:82]
      9 │   a.ovh: { platform: exchange, dns: { records: [mx], mx: [mail], dmarc: p=none } }
     10 │   b.ovh: { platform: exchange, dns: { manage: ovh-zone, ttl: 4000000000, update: { server: 192.0.2.1, key: k, secret: { env: K } } } }
        ·                                                                                  ┬
        ·                                                                                  ╰── another writer is chosen
     11 │   c.ovh: { platform: host, dns: { manage: rfc2136 } }
        ╰────
      help: say `manage: rfc2136`, or leave `update` out

    spec::missing-field

      × nothing says how the zone is updated
        ╭─[spec.yaml:11:43]
     10 │   b.ovh: { platform: exchange, dns: { manage: ovh-zone, ttl: 4000000000, update: { server: 192.0.2.1, key: k, secret: { env: K } } } }
     11 │   c.ovh: { platform: host, dns: { manage: rfc2136 } }
        ·                                           ───┬───
        ·                                              ╰── needs `update`
        ╰────
      help: add `update: { server: 192.0.2.53, key: rehome, secret: { env: TSIG_KEY } }`
    "
    );
}

/// A move with these words about its cutover, and one account.
fn moving(cutover: &str) -> String {
    format!(
        "version: 1\nplatforms:\n  old: {{ kind: imap, imap: {{ host: old.example }} }}\n  new: {{ kind: imap, imap: {{ host: \
         new.example }} }}\ndomains:\n  a.ovh: {{ platform: new, migrate: {{ from: old, strategy: parallel }}, dns: {{ \
         manage: rfc2136, update: {{ server: 192.0.2.1, key: k, secret: {{ env: K }} }}, cutover: {cutover} }} }}\naccounts:\n  \
         ann@a.ovh: {{ password: {{ env: N }}, mail: {{ source_password: {{ env: O }} }} }}\n"
    )
}

#[test]
fn a_test_message_goes_to_an_account_that_moves() {
    let read = |cutover: &str| {
        let spec = accepted(&moving(cutover)).spec;
        spec.domains.into_values().next().unwrap().dns.cutover
    };
    let probe = read("{ probe: { account: ann@a.ovh } }").probe.unwrap();
    assert_eq!((probe.account.to_string().as_str(), probe.confirm, probe.from), ("ann@a.ovh", 900, None));
    let probe = read("{ probe: { account: ann@a.ovh, confirm: 2h, from: check@b.example } }").probe.unwrap();
    assert_eq!((probe.confirm, probe.from.unwrap().to_string().as_str()), (7_200, "check@b.example"));
    assert_eq!(read("{ approve: false }").probe, None);
    for (cutover, code, told) in [
        ("{ probe: { account: bob@a.ovh } }", "spec::bad-probe", "there is no account `bob@a.ovh`"),
        ("{ probe: { account: ann@b.ovh } }", "spec::bad-probe", "is not in `a.ovh`"),
        ("{ probe: { confirm: 15m } }", "spec::missing-field", "nothing says to whom the test message is sent"),
        ("{ probe: { account: ann@a.ovh, confirm: 5s } }", "spec::bad-span", "between a minute and a day"),
        ("{ probe: { account: ann@a.ovh, confirm: soon } }", "spec::bad-span", "`soon` is no span of time"),
    ] {
        let refused = refused(&moving(cutover));
        assert!(refused.contains(code) && refused.contains(told), "{refused}");
    }
    let nobody_moves = moving("{ probe: { account: ann@a.ovh } }")
        .replace("manage: rfc2136, update: { server: 192.0.2.1, key: k, secret: { env: K } }, ", "");
    assert!(refused(&nobody_moves).contains("no MX of `a.ovh` is moved"), "{}", refused(&nobody_moves));
}

#[test]
fn resolvers_of_a_move_may_be_protected_ones() {
    let spec =
        accepted(&moving("{ resolvers: [192.0.2.53, \"tls://dns.example\", \"https://dns.example/dns-query\"] }")).spec;
    let resolvers = &spec.domains.values().next().unwrap().dns.cutover.resolvers;
    assert_eq!(resolvers.join(" "), "192.0.2.53 tls://dns.example https://dns.example/dns-query");
    assert!(refused(&moving("{ resolvers: [dns.example] }")).contains("`dns.example` is no resolver"));
}
