//! Accounts, delegates, members and limits.

use super::{BASE, accepted, refused, refused_below, warned_below};
use rehome::model::{Address, Delivery, PasswordSource, SecretRef};
use rehome::spec::SourcePassword;

#[test]
fn defaults_make_accounts_one_line_each() {
    let spec = accepted(&format!("{BASE}accounts:\n  Jo.Ann@mydomain.ovh:\n  bob@mydomain.ovh: Bob Miller\n")).spec;
    let jo = &spec.accounts[&Address::parse("jo.ann@mydomain.ovh").unwrap()];
    let file = Delivery::File("secrets/jo.ann@mydomain.ovh".into());
    assert_eq!(jo.password, Some(PasswordSource::Generate(file)));
    assert_eq!(jo.mail.source_password, Some(SourcePassword::Given(SecretRef::Env("OLD_JO_ANN".into()))));
    let bob = &spec.accounts[&Address::parse("bob@mydomain.ovh").unwrap()];
    assert_eq!(bob.profile.display_name.as_deref(), Some("Bob Miller"));
}

#[test]
fn what_a_migration_needs_is_one_finding_for_a_fleet() {
    let bare = BASE.split("defaults:").next().unwrap();
    insta::assert_snapshot!(refused(&format!("{bare}accounts:\n  ann@mydomain.ovh:\n  bob@mydomain.ovh:\n")), @r#"
    spec::no-password

      × 2 accounts of `mydomain.ovh` are to be created by their migration and have no password
       ╭─[spec.yaml:8:3]
     7 │ accounts:
     8 │   ann@mydomain.ovh:
       ·   ────────┬───────
       ·           ╰── no `password`
     9 │   bob@mydomain.ovh:
       ·   ────────┬───────
       ·           ╰── no `password`
       ╰────
      help: generate one: `password: { generate: { deliver: { file: "secrets/{address}" } } }`, or
            give one: `password: { env: NEW_PASSWORD }`. For all accounts at once put it under
            `defaults`

    spec::no-source-password

      × 2 accounts of `mydomain.ovh` migrate, and nothing opens their old mailboxes
       ╭─[spec.yaml:8:3]
     7 │ accounts:
     8 │   ann@mydomain.ovh:
       ·   ────────┬───────
       ·           ╰── no `mail.source_password`
     9 │   bob@mydomain.ovh:
       ·   ────────┬───────
       ·           ╰── no `mail.source_password`
       ╰────
      help: if the password is known: `mail: { source_password: { env: OLD_PASSWORD } }`. If nobody
            knows it: `mail: { source_password: { reset: { generate: { deliver: { file: "secrets/
            old-{address}" } } } } }` changes it on the source. For all accounts at once put either
            under `defaults`
    "#);
}

#[test]
fn a_plain_target_needs_its_password() {
    insta::assert_snapshot!(
        refused(
            "version: 1\nplatforms:\n  a: { kind: imap, imap: { host: a.example }, admin: { master: { user: m, password: { env: M } } } }\n  b: { kind: imap, imap: { host: b.example } }\ndomains:\n  x.example: { platform: b, migrate: { from: a } }\naccounts:\n  ann@x.example:\n"
        ),
        @"
    spec::no-password

      × `ann@x.example` migrates, and nothing opens its new mailbox
       ╭─[spec.yaml:8:3]
     7 │ accounts:
     8 │   ann@x.example:
       ·   ──────┬──────
       ·         ╰── no `password`
       ╰────
      help: a plain IMAP host cannot set passwords: give the present one, `password: { env:
            NEW_PASSWORD }`, or the platform an `admin`
    "
    );
}

#[test]
fn what_should_be_absent_has_no_wishes() {
    insta::assert_snapshot!(
        refused_below(
            "accounts:\n  ann@mydomain.ovh: { state: absent, protect: true, quota: 5 GB }\nredirections:\n  in@mydomain.ovh: { state: absent, to: [x@y.example] }\ngroups:\n  gr@mydomain.ovh: { state: absent, members: [] }\n"
        ),
        @"
    spec::absent-with-wishes

      × the account `ann@mydomain.ovh` should be absent and yet have `quota` and `protect`
        ╭─[spec.yaml:11:30]
     10 │ accounts:
     11 │   ann@mydomain.ovh: { state: absent, protect: true, quota: 5 GB }
        ·                              ───┬──                        ──┬─
        ·                                 │                            ╰── a wish about it
        ·                                 ╰── it is to be deleted
     12 │ redirections:
        ╰────
      help: keep `state: absent` alone, or drop it

    spec::absent-with-wishes

      × the redirection `in@mydomain.ovh` should be absent and yet have `to`
        ╭─[spec.yaml:13:29]
     12 │ redirections:
     13 │   in@mydomain.ovh: { state: absent, to: [x@y.example] }
        ·                             ───┬──      ┬
        ·                                │        ╰── a wish about it
        ·                                ╰── it is to be deleted
     14 │ groups:
        ╰────
      help: keep `state: absent` alone, or drop it

    spec::absent-with-wishes

      × the group `gr@mydomain.ovh` should be absent and yet have `members`
        ╭─[spec.yaml:15:29]
     14 │ groups:
     15 │   gr@mydomain.ovh: { state: absent, members: [] }
        ·                             ───┬──           ┬
        ·                                │             ╰── a wish about it
        ·                                ╰── it is to be deleted
        ╰────
      help: keep `state: absent` alone, or drop it
    "
    );
}

#[test]
fn quotas_fit_the_platform() {
    insta::assert_snapshot!(
        refused_below("accounts:\n  ann@mydomain.ovh: { quota: 50 GB }\n  bob@mydomain.ovh: { quota: a lot }\n  cat@mydomain.ovh: { quota: 10 GB }\n"),
        @"
    spec::quota-over-limit

      × 50 GB for `ann@mydomain.ovh` is more than Email Pro gives
        ╭─[spec.yaml:11:30]
     10 │ accounts:
     11 │   ann@mydomain.ovh: { quota: 50 GB }
        ·                              ──┬──
        ·                                ╰── at most 10 GB
     12 │   bob@mydomain.ovh: { quota: a lot }
        ╰────
      help: lower the quota, or move the account to a platform with larger mailboxes

    spec::bad-quota

      × `a lot` is not a size
        ╭─[spec.yaml:12:30]
     11 │   ann@mydomain.ovh: { quota: 50 GB }
     12 │   bob@mydomain.ovh: { quota: a lot }
        ·                              ──┬──
        ·                                ╰── not a size
     13 │   cat@mydomain.ovh: { quota: 10 GB }
        ╰────
      help: write a number and a unit: `10 GB`, `1.5 GB`, `500 MB`
    "
    );
}

#[test]
fn a_default_quota_over_the_limit_is_one_finding() {
    insta::assert_snapshot!(
        refused(&format!("{BASE}  quota: 20 GiB\naccounts:\n  ann@mydomain.ovh:\n  bob@mydomain.ovh:\n")),
        @r#"
    spec::quota-over-limit

      × 20 GB for 2 accounts is more than Email Pro gives
        ╭─[spec.yaml:10:10]
      9 │   mail: { source_password: { env: "OLD_{local}" } }
     10 │   quota: 20 GiB
        ·          ───┬──
        ·             ╰── at most 10 GB
     11 │ accounts:
        ╰────
      help: lower the quota, or move the account to a platform with larger mailboxes
    "#
    );
}

#[test]
fn delegates_are_accounts_of_the_same_platform() {
    insta::assert_snapshot!(
        refused_below(
            "accounts:\n  ann@mydomain.ovh: { delegates: [{ to: x@y.example, rights: [send-as] }, { to: ann@mydomain.ovh, rights: [send-as] }, { to: bob@mydomain.ovh }] }\n  bob@mydomain.ovh:\n"
        ),
        @"
    spec::unknown-delegate

      × `x@y.example` cannot have rights on `ann@mydomain.ovh`
        ╭─[spec.yaml:11:41]
     10 │ accounts:
     11 │   ann@mydomain.ovh: { delegates: [{ to: x@y.example, rights: [send-as] }, { to: ann@mydomain.ovh, rights: [send-as] }, { to: bob@mydomain.ovh }] }
        ·                                         ─────┬─────
        ·                                              ╰── of a domain that is not declared
     12 │   bob@mydomain.ovh:
        ╰────
      help: only accounts of the same platform can be delegates

    spec::delegate-self

      × `ann@mydomain.ovh` is its own delegate
        ╭─[spec.yaml:11:81]
     10 │ accounts:
     11 │   ann@mydomain.ovh: { delegates: [{ to: x@y.example, rights: [send-as] }, { to: ann@mydomain.ovh, rights: [send-as] }, { to: bob@mydomain.ovh }] }
        ·                                                                                 ────────┬───────
        ·                                                                                         ╰── the account itself
     12 │   bob@mydomain.ovh:
        ╰────

    spec::missing-field

      × a delegate needs `to` and `rights`
        ╭─[spec.yaml:11:120]
     10 │ accounts:
     11 │   ann@mydomain.ovh: { delegates: [{ to: x@y.example, rights: [send-as] }, { to: ann@mydomain.ovh, rights: [send-as] }, { to: bob@mydomain.ovh }] }
        ·                                                                                                                        ┬
        ·                                                                                                                        ╰── here
     12 │   bob@mydomain.ovh:
        ╰────
      help: `{ to: jane@mydomain.ovh, rights: [full-access, send-as] }`
    "
    );
}

#[test]
fn a_delegate_on_another_platform_is_refused() {
    insta::assert_snapshot!(
        refused(&format!(
            "{}accounts:\n  ann@mydomain.ovh: {{ delegates: [{{ to: bob@other.ovh, rights: [full-access] }}] }}\n  bob@other.ovh:\n",
            BASE.replace("defaults:", "  other.ovh: { platform: exchange }\ndefaults:")
        )),
        @"
    spec::delegate-elsewhere

      × `bob@other.ovh` is on `exchange` and `ann@mydomain.ovh` on `emailpro`
        ╭─[spec.yaml:12:41]
     11 │ accounts:
     12 │   ann@mydomain.ovh: { delegates: [{ to: bob@other.ovh, rights: [full-access] }] }
        ·                                         ──────┬──────
        ·                                               ╰── on another platform
     13 │   bob@other.ovh:
        ╰────
      help: only accounts of the same platform can be delegates
    "
    );
}

#[test]
fn unmanaged_delegates_and_exclusive_rights_are_doubtful() {
    insta::assert_snapshot!(
        warned_below(
            "accounts:\n  ann@mydomain.ovh: { delegates: [{ to: bop@mydomain.ovh, rights: [full-access] }, { to: bob@mydomain.ovh, rights: [send-as, send-on-behalf] }] }\n  bob@mydomain.ovh:\ngroups:\n  team@mydomain.ovh: { members: [an@mydomain.ovh, x@y.example], managers: [bob@mydomain.ovh] }\n"
        ),
        @"
    spec::unknown-delegate

      ⚠ the delegate `bop@mydomain.ovh` is not an account of this spec
        ╭─[spec.yaml:11:41]
     10 │ accounts:
     11 │   ann@mydomain.ovh: { delegates: [{ to: bop@mydomain.ovh, rights: [full-access] }, { to: bob@mydomain.ovh, rights: [send-as, send-on-behalf] }] }
        ·                                         ────────┬───────
        ·                                                 ╰── not under `accounts`
     12 │   bob@mydomain.ovh:
        ╰────
      help: did you mean `bob@mydomain.ovh`?

    spec::exclusive-rights

      ⚠ `send-as` and `send-on-behalf` exclude each other
        ╭─[spec.yaml:11:116]
     10 │ accounts:
     11 │   ann@mydomain.ovh: { delegates: [{ to: bop@mydomain.ovh, rights: [full-access] }, { to: bob@mydomain.ovh, rights: [send-as, send-on-behalf] }] }
        ·                                                                                                                    ┬
        ·                                                                                                                    ╰── both for one delegate
     12 │   bob@mydomain.ovh:
        ╰────
      help: keep one: `send-as` hides who wrote, `send-on-behalf` shows it

    spec::unknown-member

      ⚠ the member `an@mydomain.ovh` is not an account of this spec
        ╭─[spec.yaml:14:34]
     13 │ groups:
     14 │   team@mydomain.ovh: { members: [an@mydomain.ovh, x@y.example], managers: [bob@mydomain.ovh] }
        ·                                  ───────┬───────
        ·                                         ╰── not under `accounts`
        ╰────
      help: it must exist on the platform; an account that this spec does not have is left as it is
    "
    );
}

#[test]
fn a_member_that_is_to_be_deleted_is_refused() {
    insta::assert_snapshot!(
        refused_below("accounts:\n  ann@mydomain.ovh: { state: absent }\ngroups:\n  team@mydomain.ovh: { members: [ann@mydomain.ovh] }\n"),
        @"
    spec::unknown-member

      × the member `ann@mydomain.ovh` should be absent
        ╭─[spec.yaml:11:3]
     10 │ accounts:
     11 │   ann@mydomain.ovh: { state: absent }
        ·   ────────┬───────
        ·           ╰── and to be deleted
     12 │ groups:
     13 │   team@mydomain.ovh: { members: [ann@mydomain.ovh] }
        ·                                  ────────┬───────
        ·                                          ╰── a member
        ╰────
    "
    );
}

/// A directory whose contact goes while a group has it as a member would get it back with the next plan.
#[test]
fn a_contact_that_is_to_be_deleted_is_no_member() {
    let said = refused_below(
        "groups:\n  team@mydomain.ovh: { members: [kim@partner.example] }\ncontacts:\n  kim@partner.example: { platform: new, state: absent }\n",
    );
    assert!(said.contains("the member `kim@partner.example` should be absent"), "{said}");
}

#[test]
fn accounts_do_not_share_a_generated_password() {
    insta::assert_snapshot!(
        refused(&format!("{}accounts:\n  ann@mydomain.ovh:\n  bob@mydomain.ovh:\n", BASE.replace("{address}", "{domain}"))),
        @r#"
    spec::shared-delivery

      × 2 accounts would share one generated password, delivered to secrets/mydomain.ovh
        ╭─[spec.yaml:11:3]
     10 │ accounts:
     11 │   ann@mydomain.ovh:
        ·   ────────┬───────
        ·           ╰── this account's password goes there
     12 │   bob@mydomain.ovh:
        ·   ────────┬───────
        ·           ╰── this account's password goes there
        ╰────
      help: give each its own place: `deliver: { file: "secrets/{address}" }`
    "#
    );
}

#[test]
fn a_source_password_without_migration_is_doubtful() {
    let text = BASE.replace(", migrate: { from: exchange }", "");
    let shown =
        accepted(&format!("{text}accounts:\n  ann@mydomain.ovh: {{ mail: {{ source_password: {{ env: A }} }} }}\n"));
    insta::assert_snapshot!(shown.warnings.render(false, 100), @"
    spec::unused-source-password

      ⚠ `ann@mydomain.ovh` does not migrate
        ╭─[spec.yaml:11:48]
     10 │ accounts:
     11 │   ann@mydomain.ovh: { mail: { source_password: { env: A } } }
        ·                                                ┬
        ·                                                ╰── nothing is copied with this password
        ╰────
      help: give the domain a `migrate`, or drop `source_password`
    ");
}

#[test]
fn unusual_names_are_doubtful() {
    insta::assert_snapshot!(warned_below("accounts:\n  a@mydomain.ovh:\n"), @"
    spec::local-part

      ⚠ Email Pro may refuse to create `a@mydomain.ovh`
        ╭─[spec.yaml:11:3]
     10 │ accounts:
     11 │   a@mydomain.ovh:
        ·   ───────┬──────
        ·          ╰── an unusual name
        ╰────
      help: the part before the `@` has 2 to 32 letters, digits and a few of `.-_+`
    ");
}

#[test]
fn a_whole_spec_with_one_account_per_feature_is_accepted() {
    let loaded = accepted(
        r#"version: 1
platforms:
  exchange:
    kind: ovh-exchange
    organization: hosted-ab12345-1
    service: hosted-ab12345-1
    credentials:
      application_key:    { env: OVH_APPLICATION_KEY }
      application_secret: { env: OVH_APPLICATION_SECRET }
      consumer_key:       { env: OVH_CONSUMER_KEY }
  emailpro:
    kind: ovh-email-pro
    service: emailpro-ab12345-1
    credentials: { same_as: exchange }
domains:
  mydomain.ovh:
    platform: emailpro
    type: non-authoritative
    migrate: { from: exchange, strategy: swap, provisional: "{local}01", source: keep }
    dns: { manage: ovh-zone, verify: [mx, spf, dkim, dmarc, autodiscover, autoconfig] }
accounts:
  john.smith@mydomain.ovh:
    name: John Smith
    password: { generate: { deliver: { file: secrets/john.smith } } }
    mail: { source_password: { env: JOHN_OLD_PASSWORD } }
    aliases: [j.smith@mydomain.ovh]
    delegates: [{ to: jane@mydomain.ovh, rights: [full-access, send-as] }]
redirections:
  info@mydomain.ovh: { to: [john.smith@mydomain.ovh, desk@partner.example], keep_copy: false }
groups:
  team@mydomain.ovh: { members: [john.smith@mydomain.ovh], managers: [john.smith@mydomain.ovh] }
"#,
    );
    let codes: Vec<_> = loaded.warnings.0.iter().map(|w| w.code).collect();
    assert_eq!(codes, ["spec::unknown-delegate"], "jane is not an account of the spec");
    let john = loaded.spec.accounts.values().next().unwrap();
    assert_eq!(john.delegates.as_ref().map(|d| d.len()), Some(2));
}

#[test]
fn a_filter_that_can_take_nothing_is_told_where_it_is_written() {
    let told = refused_below(
        "accounts:\n  ann@mydomain.ovh:\n    mail:\n      filter:\n        exclude: [/]\n        rename: { a: X, b: X }\n        \
         since: 2021-01-01\n        until: 2020-01-01\n        min_size: 2 MB\n        max_size: 1 MB\n  \
         bob@mydomain.ovh: { mail: { filter: { since: yesterday } } }\n",
    );
    for code in
        ["spec::filter-name", "spec::filter-dates", "spec::filter-sizes", "spec::rename-collision", "spec::bad-date"]
    {
        assert_eq!(told.matches(code).count(), 1, "{code}\n{told}");
    }
    assert!(told.contains("`a` and `b` would both become `X`"), "{told}");
}

#[test]
fn gates_are_read_and_their_mistakes_told() {
    let gates = "gates: { window: [Sat-Sun 8:00-20:00 UTC, 22:00-06:00 Europe/Paris], approval: [retire, cutover] }\n";
    let spec = accepted(&format!("{BASE}{gates}")).spec;
    let windows: Vec<_> = spec.gates.windows.iter().map(ToString::to_string).collect();
    assert_eq!(windows, ["Sat,Sun 08:00-20:00 UTC", "22:00-06:00 Europe/Paris"]);
    assert_eq!(spec.gates.approval.iter().map(|g| g.word()).collect::<Vec<_>>(), ["cutover", "retire"]);
    assert!(accepted(BASE).spec.gates.is_empty());
    let told = refused_below("gates: { window: [25:00-06:00 UTC, 22:00-06:00 Europa/Paris], approval: [retired] }\n");
    assert_eq!(told.matches("spec::bad-window").count(), 2, "{told}");
    assert!(told.contains("did you mean `retire`?"), "{told}");
}

#[test]
fn hooks_are_read_and_their_mistakes_told() {
    let spec = accepted(&format!("{BASE}hooks: {{ before-action: {{ run: [./ask, -v] }} }}\n")).spec;
    let hook = &spec.hooks[&rehome::model::HookPoint::BeforeAction];
    assert_eq!((hook.run.join(" "), hook.timeout), ("./ask -v".to_owned(), 60));
    let told =
        refused_below("hooks: { after-run: { timeout: 5 }, on-failure: { run: [x], timeout: 0 }, after-all: {} }\n");
    assert_eq!(told.matches("spec::bad-hook").count(), 2, "{told}");
    assert!(told.contains("`hooks` has no key `after-all`"), "{told}");
}
