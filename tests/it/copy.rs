//! The copy engine against private Dovecot servers, with everything that can be odd and with connections that are cut.

mod acl;
mod answers;
mod budget;
mod corpus;
mod cuts;
mod dedup;
mod deltas;
mod endless;
mod fidelity;
mod front;
mod gmail;
mod large;
mod line;
mod names;
mod network;
mod parking;
mod profiles;
mod proxy;
mod quirks;
mod tokens;
mod wire;

use std::{collections::BTreeMap, time::Duration};

use rehome::{
    copy::{
        CopyError, CopyErrorClass, CopyRequest, MailVerification, Network, VerifyRequest, copy_mailbox, verify_mailbox,
    },
    diag::Severity,
    imap::{Connector, Fetched, StoreMode, UidRange, WireName},
    journal::ledger::{Fault, Ledger},
    model::{AclChoice, Address, CopyReport, MailFilter, NoEvents, PlatformId},
};
use tokio_util::sync::CancellationToken;

use self::{corpus::fill, proxy::Proxy};
use crate::imap::dovecot::{Dovecot, Setup};

const SETTLE: Duration = Duration::from_millis(200);

/// Another delimiter and a prefix.
const DOTTED: &str = "namespace inbox {\n  separator = .\n  prefix = INBOX.\n}";

struct Pair {
    source: Dovecot,
    target: Dovecot,
}

impl Pair {
    async fn start(extra: &str) -> Option<Self> {
        let source = Dovecot::start(Setup::default()).await?;
        let target = Dovecot::start(Setup { extra, ..Setup::default() }).await?;
        Some(Self { source, target })
    }

    fn source(&self, user: &str) -> Connector {
        self.source.connector(user, "secret")
    }

    fn target(&self, user: &str) -> Connector {
        self.target.connector(user, "secret")
    }
}

fn account() -> Address {
    Address::parse("john@example.org").unwrap()
}

async fn pass(source: Connector, target: Connector, ledger: &Ledger) -> Result<CopyReport, CopyError> {
    pass_with(source, target, ledger, AclChoice::Leave).await
}

async fn pass_taking(
    source: Connector,
    target: Connector,
    ledger: &Ledger,
    filter: &MailFilter,
) -> Result<CopyReport, CopyError> {
    pass_as(source, target, ledger, AclChoice::Leave, filter).await
}

async fn pass_with(
    source: Connector,
    target: Connector,
    ledger: &Ledger,
    acl: AclChoice,
) -> Result<CopyReport, CopyError> {
    pass_as(source, target, ledger, acl, &MailFilter::default()).await
}

async fn pass_as(
    source: Connector,
    target: Connector,
    ledger: &Ledger,
    acl: AclChoice,
    filter: &MailFilter,
) -> Result<CopyReport, CopyError> {
    let account = account();
    copy_mailbox(CopyRequest {
        account: &account,
        source,
        target,
        source_id: (PlatformId::from("old"), account.clone()),
        filter,
        acl,
        ledger,
        resources: rehome::copy::Resources::default(),
        events: &NoEvents,
        cancel: CancellationToken::new(),
        network: &Network::default(),
        settle: SETTLE,
    })
    .await
}

async fn verify(source: Connector, target: Connector, ledger: &Ledger) -> MailVerification {
    verify_taking(source, target, ledger, &MailFilter::default()).await
}

async fn verify_taking(source: Connector, target: Connector, ledger: &Ledger, filter: &MailFilter) -> MailVerification {
    let account = account();
    let request = VerifyRequest {
        account: &account,
        source,
        target,
        source_id: (PlatformId::from("old"), account.clone()),
        filter,
        ledger,
        events: &NoEvents,
        cancel: CancellationToken::new(),
        again: "run the copy again",
    };
    verify_mailbox(request).await.unwrap()
}

type Mail = BTreeMap<String, Vec<(Vec<String>, String, Vec<u8>)>>;

/// Every message by folder, in UID order: flags, date, octets.
async fn mail(connector: Connector) -> Mail {
    // Where few connections are allowed, one that was just given up may still count.
    let mut tries = 0..100;
    let mut reader = loop {
        match connector.connect().await {
            Ok(reader) => break reader,
            Err(e) if e.to_string().contains("connections") && tries.next().is_some() => {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            Err(e) => panic!("{e:?}"),
        }
    };
    let mut out = BTreeMap::new();
    for folder in reader.list().await.unwrap().into_iter().filter(|f| f.selectable) {
        reader.examine(&folder.name).await.unwrap();
        let metas = reader.fetch_meta(UidRange::ALL).await.unwrap();
        let uids: Vec<u32> = metas.iter().map(|m| m.uid).collect();
        let mut bodies = BTreeMap::new();
        let mut stream = reader.fetch_bodies(&uids).unwrap();
        while let Some(fetched) = stream.next().await.unwrap() {
            let Fetched::Message(m) = fetched else { panic!("{fetched:?}") };
            let mut octets = Vec::new();
            std::io::Read::read_to_end(&mut m.body.reader(), &mut octets).unwrap();
            bodies.insert(m.uid, octets);
        }
        let list = metas.into_iter().map(|m| {
            let date = m.internal_date.unwrap().instant().unwrap().to_string();
            (m.flags.into_iter().collect(), date, bodies.remove(&m.uid).unwrap())
        });
        out.insert(folder.path.to_string(), list.collect());
    }
    out
}

/// The same, without the order that a retry may change.
async fn sorted(connector: Connector) -> Mail {
    let mut out = mail(connector).await;
    out.values_mut().for_each(|list| list.sort());
    out
}

/// Folders that the target brings along are no difference.
fn without_empty(mail: Mail) -> Mail {
    mail.into_iter().filter(|(_, list)| !list.is_empty()).collect()
}

#[tokio::test]
async fn everything_arrives_and_is_proved_and_a_second_pass_does_nothing() {
    let Some(pair) = Pair::start("").await else { return };
    fill(pair.source("a")).await;
    let ledger = Ledger::in_memory().unwrap();
    let before = mail(pair.source("a")).await;
    let report = pass(pair.source("a"), pair.target("a"), &ledger).await.unwrap();
    assert!(report.failed.is_empty() && report.total.balances(), "{report:?}");
    assert_eq!(report.total.copied, report.total.source);
    let mut there = mail(pair.target("a")).await;
    // The folder of sent mail has another name on either side and the same purpose.
    assert_eq!(there.remove("Sent"), before.get("Sent").cloned());
    for (folder, list) in &before {
        assert!(folder == "Sent" || there.get(folder) == Some(list), "{folder}");
    }
    assert_eq!(mail(pair.source("a")).await, before, "the source is only read");

    let proof = verify(pair.source("a"), pair.target("a"), &ledger).await;
    assert!(proof.ok && proof.findings.is_empty(), "{:?}", proof.findings);
    assert_eq!(proof.messages, report.total.source);
    assert_eq!(proof.seen, report.seen);

    let again = pass(pair.source("a"), pair.target("a"), &ledger).await.unwrap();
    assert_eq!((again.total.octets, again.total.copied), (0, report.total.copied));
    assert_eq!(mail(pair.target("a")).await.values().map(Vec::len).sum::<usize>() as u64, report.total.source);

    // Without the ledger, everything is recognised by its content.
    let blank = Ledger::in_memory().unwrap();
    let adopted = pass(pair.source("a"), pair.target("a"), &blank).await.unwrap();
    assert_eq!((adopted.total.present, adopted.total.copied), (report.total.source, 0));
}

#[tokio::test]
async fn names_are_translated_to_another_delimiter_and_prefix_and_back() {
    let Some(pair) = Pair::start(DOTTED).await else { return };
    fill(pair.source("a")).await;
    let ledger = Ledger::in_memory().unwrap();
    let report = pass(pair.source("a"), pair.target("a"), &ledger).await.unwrap();
    assert!(report.failed.is_empty(), "{report:?}");
    let there = mail(pair.target("a")).await;
    assert_eq!(there["INBOX/Projekte/Zürich/Süd"], mail(pair.source("a")).await["Projekte/Zürich/Süd"]);
    let proof = verify(pair.source("a"), pair.target("a"), &ledger).await;
    assert!(proof.ok && proof.findings.is_empty(), "{:?}", proof.findings);

    // And back, into a third mailbox.
    let back = Ledger::in_memory().unwrap();
    let returned = pass(pair.target("a"), pair.source("b"), &back).await.unwrap();
    assert!(returned.failed.is_empty(), "{returned:?}");
    assert_eq!(
        without_empty(mail(pair.source("b")).await),
        without_empty(mail(pair.source("a")).await),
        "after two copies nothing has changed"
    );
}

#[tokio::test]
async fn a_crash_at_any_write_of_the_ledger_loses_and_doubles_nothing() {
    let Some(pair) = Pair::start("").await else { return };
    fill(pair.source("a")).await;
    let want = without_empty(sorted(pair.source("a")).await);
    for n in 1.. {
        let mut done = false;
        for (name, fault) in [("before", Fault::Before(n)), ("after", Fault::After(n))] {
            let user = format!("{name}{n}");
            let ledger = Ledger::in_memory().unwrap();
            ledger.set_fault(Some(fault));
            done |= pass(pair.source("a"), pair.target(&user), &ledger).await.is_ok();
            ledger.set_fault(None);
            let report = pass(pair.source("a"), pair.target(&user), &ledger).await.unwrap();
            assert!(report.failed.is_empty() && report.total.present == 0, "{fault:?}: {report:?}");
            assert_eq!(without_empty(sorted(pair.target(&user)).await), want, "{fault:?}");
        }
        if done {
            break;
        }
    }
}

#[tokio::test]
async fn a_connection_cut_at_any_append_loses_and_doubles_nothing() {
    let Some(pair) = Pair::start("").await else { return };
    fill(pair.source("a")).await;
    let want = without_empty(sorted(pair.source("a")).await);
    for n in 1..5 {
        for cut in [proxy::Cut::Answer(n), proxy::Cut::Literal(n)] {
            let user = format!("u{}{n}", if matches!(cut, proxy::Cut::Answer(_)) { "answer" } else { "literal" });
            let proxy = Proxy::start(pair.target.port, cut).await;
            let ledger = Ledger::in_memory().unwrap();
            let mut target = pair.target(&user);
            target.endpoint.port = proxy.port;
            let report = pass(pair.source("a"), target, &ledger).await.unwrap();
            assert!(report.failed.is_empty(), "{cut:?}: {report:?}");
            assert_eq!(without_empty(sorted(pair.target(&user)).await), want, "{cut:?}");
        }
    }
}

#[tokio::test]
async fn a_killed_run_is_taken_up_without_loss_or_doubles() {
    let Some(pair) = Pair::start("").await else { return };
    fill(pair.source("a")).await;
    let want = without_empty(sorted(pair.source("a")).await);
    let ledger = Ledger::in_memory().unwrap();
    let mut finished = false;
    for millis in [3_u64, 6, 12, 25, 40, 60, 90, 140, 200, 300] {
        let run = pass(pair.source("a"), pair.target("a"), &ledger);
        // Dropped wherever it is, in the middle of an append too.
        finished = tokio::time::timeout(Duration::from_millis(millis), run).await.is_ok();
        if finished {
            break;
        }
    }
    if !finished {
        pass(pair.source("a"), pair.target("a"), &ledger).await.unwrap();
    }
    assert_eq!(without_empty(sorted(pair.target("a")).await), want);
    assert!(verify(pair.source("a"), pair.target("a"), &ledger).await.ok);
}

#[tokio::test]
async fn a_message_that_breaks_the_connection_is_isolated() {
    let Some(pair) = Pair::start("").await else { return };
    fill(pair.source("a")).await;
    let proxy = Proxy::start(pair.target.port, proxy::Cut::Marker("8-bit")).await;
    let ledger = Ledger::in_memory().unwrap();
    let mut target = pair.target("a");
    target.endpoint.port = proxy.port;
    let report = pass(pair.source("a"), target, &ledger).await.unwrap();
    assert_eq!(report.failed.iter().map(|f| f.class.as_str()).collect::<Vec<_>>(), ["connection-lost"]);
    assert_eq!(report.total.copied + 1, report.total.source);
    let proof = verify(pair.source("a"), pair.target("a"), &ledger).await;
    let codes: Vec<_> = proof.findings.iter().map(|f| f.code.as_str()).collect();
    assert_eq!((proof.ok, codes), (false, vec!["message-failed"]));
}

#[tokio::test]
async fn what_happens_at_the_target_after_the_copy_is_told_apart_from_loss() {
    let Some(pair) = Pair::start("").await else { return };
    fill(pair.source("a")).await;
    let ledger = Ledger::in_memory().unwrap();
    pass(pair.source("a"), pair.target("a"), &ledger).await.unwrap();
    let inbox = WireName::inbox();
    let mut writer = pair.target("a").connect_writer().await.unwrap();
    writer.select(&inbox).await.unwrap();
    // One message is read, one deleted, and a new one comes in.
    writer.store_flags(&[2], StoreMode::Replace, ["\\Flagged"]).await.unwrap();
    writer.store_flags(&[3], StoreMode::Add, ["\\Deleted"]).await.unwrap();
    corpus::append(&mut writer, "INBOX", &[], "1-Jan-2024 00:00:00 +0000", b"Subject: new\r\n\r\nmail\r\n").await;
    corpus::expunge(&pair.target, "a", "INBOX").await;
    let proof = verify(pair.source("a"), pair.target("a"), &ledger).await;
    let found: Vec<_> = proof.findings.iter().map(|f| (f.code.as_str(), f.severity)).collect();
    assert!(proof.ok, "{:?}", proof.findings);
    assert!(found.contains(&("message-removed", Severity::Warning)), "{found:?}");
    assert!(found.contains(&("flags-differ", Severity::Info)), "{found:?}");
    assert!(found.contains(&("message-extra", Severity::Info)), "{found:?}");
    // Another pass brings none of it back.
    let before = mail(pair.target("a")).await;
    pass(pair.source("a"), pair.target("a"), &ledger).await.unwrap();
    assert_eq!(mail(pair.target("a")).await, before);
    // Without the ledger's word, the same absence is a loss.
    let blank = Ledger::in_memory().unwrap();
    let proof = verify(pair.source("a"), pair.target("a"), &blank).await;
    assert!(!proof.ok);
    assert!(proof.findings.iter().any(|f| f.code == "message-missing"), "{:?}", proof.findings);
}

#[tokio::test]
async fn new_mail_and_changed_flags_come_with_the_next_pass() {
    let Some(pair) = Pair::start("").await else { return };
    fill(pair.source("a")).await;
    let ledger = Ledger::in_memory().unwrap();
    pass(pair.source("a"), pair.target("a"), &ledger).await.unwrap();
    let mut writer = pair.source("a").connect_writer().await.unwrap();
    writer.select(&WireName::inbox()).await.unwrap();
    writer.store_flags(&[1, 2], StoreMode::Replace, ["\\Answered", "$Later"]).await.unwrap();
    corpus::append(&mut writer, "INBOX", &["\\Seen"], "1-Jan-2024 00:00:00 +0000", b"Subject: x\r\n\r\n").await;
    pass(pair.source("a"), pair.target("a"), &ledger).await.unwrap();
    assert_eq!(mail(pair.target("a")).await["INBOX"], mail(pair.source("a")).await["INBOX"]);
    assert!(verify(pair.source("a"), pair.target("a"), &ledger).await.findings.is_empty());
}

#[tokio::test]
async fn a_full_target_is_said_to_be_full_and_the_next_pass_goes_on() {
    let extra = "mail_plugins = quota\nprotocol imap {\n  mail_plugins = quota imap_quota\n}\n\
                 plugin {\n  quota = maildir:User quota\n  quota_rule = *:messages=5\n}";
    let Some(small) = Pair::start(extra).await else { return };
    fill(small.source("a")).await;
    let ledger = Ledger::in_memory().unwrap();
    let error = pass(small.source("a"), small.target("a"), &ledger).await.unwrap_err();
    assert_eq!(error.class(), CopyErrorClass::Full, "{error:?}");
    assert!(error.to_string().contains("is full"), "{error}");
    let there = mail(small.target("a")).await;
    // Of two messages that come at the same moment, the server may take one too many.
    let there = there.values().map(Vec::len).sum::<usize>();
    assert!((5..=6).contains(&there), "what fits is there: {there}");
}

#[tokio::test]
async fn a_refused_login_is_said_to_be_one() {
    let Some(pair) = Pair::start("").await else { return };
    let ledger = Ledger::in_memory().unwrap();
    let wrong = pair.source.connector("a", "wrong");
    let error = pass(wrong, pair.target("a"), &ledger).await.unwrap_err();
    assert_eq!(error.class(), CopyErrorClass::Denied, "{error:?}");
}
