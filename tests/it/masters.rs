//! Between two IMAP hosts that an administrator opens: as `user*master` on one side and by SASL PLAIN with an
//! authorisation identity on the other, through plan, apply and verify, with no password of any account. The judge is
//! `tests/check_mail.py`.

use std::{collections::BTreeMap, fs};

use rehome::model::{Address, ImapEndpoint, ImapSecurity};

use super::{
    binary::Binary,
    imap::dovecot::{Dovecot, Setup},
    kills,
    sandbox_mail::python::{Side, compare},
};

const LOGIN: &str = "ann@between.example";

fn spec(source: &Dovecot, target: &Dovecot, (from, to): (&str, &str)) -> String {
    format!(
        r"version: 1
platforms:
  old:
    kind: imap
    imap: {{ host: 127.0.0.1, port: {}, security: plain }}
    admin: {{ {from}: {{ user: admin, password: {{ env: MASTER }} }} }}
  new:
    kind: imap
    imap: {{ host: 127.0.0.1, port: {}, security: plain }}
    admin: {{ {to}: {{ user: admin, password: {{ env: MASTER }} }} }}
domains:
  between.example:
    platform: new
    migrate: {{ from: old, strategy: parallel }}
accounts:
  {LOGIN}:
    name: Ann
",
        source.port, target.port
    )
}

async fn moves_as(ways: (&str, &str)) {
    let Some(source) = Dovecot::start(Setup::default()).await else { return };
    let Some(target) = Dovecot::start(Setup::default()).await else { return };
    kills::fill(&source, LOGIN).await;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("rehome.yaml"), spec(&source, &target, ways)).unwrap();
    let variables = [("MASTER", "master secret"), ("REHOME_SETTLE_MILLIS", "300")];
    let variables: BTreeMap<String, String> = variables.map(|(n, v)| (n.to_owned(), v.to_owned())).into();
    let program = Binary::new(folder.path(), variables);
    let plan = program.run(&["plan", "rehome.yaml", "--no-dns"]).expect(0);
    assert!(plan.stdout.contains("opened with: source "), "{}", plan.stdout);
    program.run(&["apply", "rehome.yaml", "--auto-approve", "--no-dns"]).expect(0);
    program.run(&["verify", "rehome.yaml", "--what", "mail"]).expect(0);
    let wrong = program.with("MASTER", "not it").run(&["verify", "rehome.yaml", "--what", "mail"]).expect(11);
    assert!(!format!("{wrong:?}").contains("not it"), "{wrong:?}");

    let login = Address::parse(LOGIN).unwrap();
    let at = |server: &Dovecot| ImapEndpoint {
        host: "127.0.0.1".to_owned(),
        port: server.port,
        security: ImapSecurity::Plain,
    };
    let from = Side { at: at(&source), login: &login, password: "secret" };
    let to = Side { at: at(&target), login: &login, password: "secret" };
    let ran = compare(&from, &to, &["--by-use", "--ignore-extra-folders"]).await;
    assert_eq!(ran.code, Some(0), "{ways:?}: {}", ran.output);
    program.run(&["plan", "rehome.yaml", "--no-dns", "--detailed-exitcode"]).expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_user_reads_and_an_authorisation_identity_writes() {
    moves_as(("master", "authzid")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authorisation_identity_reads_and_a_master_user_writes() {
    moves_as(("authzid", "master")).await;
}
