//! Rights of others on folders, between real Dovecots with `imap_acl`.

use rehome::{
    imap::{Connector, Granted, WireName},
    journal::ledger::Ledger,
    model::AclChoice,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

use super::{corpus::fill, pass, pass_with};
use crate::imap::dovecot::{Dovecot, Setup};

const ACL: &str = "mail_plugins = acl\nprotocol imap {\n  mail_plugins = acl imap_acl\n}\nplugin {\n  acl = vfile\n}";

/// The same, and `anyone` may be given rights.
const ACL_FOR_ALL: &str = "mail_plugins = acl\nprotocol imap {\n  mail_plugins = acl imap_acl\n}\nplugin {\n  acl = vfile\n  acl_anyone = allow\n}";

/// Sends commands that the project's own client has no word for.
async fn tell(server: &Dovecot, commands: &[&str]) {
    let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", server.port)).await.unwrap());
    let list: String = commands.iter().map(|c| format!("2 {c}\r\n")).collect();
    stream.get_mut().write_all(format!("1 LOGIN a secret\r\n{list}3 LOGOUT\r\n").as_bytes()).await.unwrap();
    let mut said = String::new();
    while stream.read_line(&mut said).await.unwrap() > 0 {}
    assert_eq!(said.matches("2 OK").count(), commands.len(), "{said}");
}

/// What others may do, as `identifier:rights`.
async fn others(connector: &Connector, folder: &str) -> Vec<String> {
    let mut reader = connector.connect().await.unwrap();
    let granted = reader.granted(&WireName::encode(folder)).await.unwrap().unwrap_or_default();
    let mut out: Vec<String> = granted
        .into_iter()
        .filter(|g| g.identifier != "a")
        .map(|Granted { identifier, rights }| {
            let mut letters: Vec<char> = rights.chars().collect();
            letters.sort_unstable();
            format!("{identifier}:{}", letters.into_iter().collect::<String>())
        })
        .collect();
    out.sort();
    out
}

async fn shared() -> Option<Dovecot> {
    let source = Dovecot::start(Setup { extra: ACL_FOR_ALL, ..Setup::default() }).await?;
    fill(source.connector("a", "secret")).await;
    let commands = [
        "SETACL INBOX bob lrs",
        "SETACL INBOX carol lrswite",
        "SETACL INBOX -carol w",
        "SETACL Sent bob lr",
        "SETACL Sent anyone l",
        "SETACL Empty $staff lr",
    ];
    tell(&source, &commands).await;
    Some(source)
}

#[tokio::test]
async fn rights_of_others_are_left_unless_asked_for() {
    let Some(source) = shared().await else { return };
    let Some(target) = Dovecot::start(Setup { extra: ACL, ..Setup::default() }).await else { return };
    let (from, to) = (source.connector("a", "secret"), target.connector("a", "secret"));
    let ledger = Ledger::in_memory().unwrap();
    let report = pass(from.clone(), to.clone(), &ledger).await.unwrap();
    assert!(!report.remarks.iter().any(|r| r.contains("bob")), "{:?}", report.remarks);
    let report = pass_with(from, to.clone(), &ledger, AclChoice::Report).await.unwrap();
    let told: Vec<_> = report.remarks.iter().filter(|r| r.contains("shared")).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told.iter().any(|r| r.contains("`INBOX` is shared at the source") && r.contains("bob (lrs)")), "{told:?}");
    assert!(others(&to, "INBOX").await.is_empty(), "telling gives nothing");
}

#[tokio::test]
async fn others_get_the_rights_they_have_and_what_cannot_be_mapped_is_told() {
    let Some(source) = shared().await else { return };
    let Some(target) = Dovecot::start(Setup { extra: ACL, ..Setup::default() }).await else { return };
    let (from, to) = (source.connector("a", "secret"), target.connector("a", "secret"));
    let ledger = Ledger::in_memory().unwrap();
    let report = pass_with(from.clone(), to.clone(), &ledger, AclChoice::Copy).await.unwrap();
    assert_eq!(others(&to, "INBOX").await, others(&from, "INBOX").await, "{:?}", report.remarks);
    assert_eq!(others(&to, "Sent").await, ["bob:lr"]);
    assert!(others(&to, "Empty").await.is_empty());
    for unmapped in ["anyone (l)", "$staff (lr)"] {
        let told = report.remarks.iter().any(|r| r.contains(unmapped) && r.contains("other people"));
        assert!(told, "{unmapped}: {:?}", report.remarks);
    }
    // Whoever took a right away at the target meant it; what is new at the source is given.
    tell(&target, &["SETACL INBOX bob -s"]).await;
    tell(&source, &["SETACL Sent bob +s"]).await;
    pass_with(from.clone(), to.clone(), &ledger, AclChoice::Copy).await.unwrap();
    assert_eq!(others(&to, "INBOX").await, ["-carol:w", "bob:lr", "carol:deilrstw"]);
    assert_eq!(others(&to, "Sent").await, ["bob:lrs"]);
}

#[tokio::test]
async fn a_target_or_a_source_without_rights_is_said_to_be_one() {
    let Some(source) = shared().await else { return };
    let Some(plain) = Dovecot::start(Setup::default()).await else { return };
    let (from, to) = (source.connector("a", "secret"), plain.connector("a", "secret"));
    let report = pass_with(from.clone(), to.clone(), &Ledger::in_memory().unwrap(), AclChoice::Copy).await.unwrap();
    assert!(report.remarks.iter().any(|r| r.starts_with("the target takes no rights")), "{:?}", report.remarks);
    assert!(report.remarks.iter().any(|r| r.contains("stays unshared: bob (lr")), "{:?}", report.remarks);
    let back = pass_with(to, from, &Ledger::in_memory().unwrap(), AclChoice::Copy).await.unwrap();
    assert!(back.remarks.iter().any(|r| r.starts_with("the source does not tell the rights")), "{:?}", back.remarks);
}
