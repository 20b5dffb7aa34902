//! What servers allow: how many connections, and how much a thin line is worth saving.

use std::time::Duration;

use jiff::Timestamp;
use rehome::{
    copy::{CopyRequest, Network, Scope, copy_mailbox},
    imap::{Connector, WireName},
    journal::ledger::Ledger,
    model::{AclChoice, CopyReport, MailFilter, NoEvents, PlatformId},
};
use tokio_util::sync::CancellationToken;

use super::{
    Pair, SETTLE, account,
    corpus::{self, fill},
    front::{Front, Odd},
    line::{Line, Way},
    sorted, without_empty,
};

/// Far enough that several connections are worth while from the start.
const FAR: Way = Way { delay: Duration::from_millis(20), rate: 0 };

fn over(line: &Line, connector: Connector) -> Connector {
    let mut connector = connector;
    connector.endpoint.port = line.port;
    connector
}

async fn pass(source: Connector, target: Connector, ledger: &Ledger, network: &Network) -> CopyReport {
    let (account, filter) = (account(), MailFilter::default());
    let report = copy_mailbox(CopyRequest {
        account: &account,
        source,
        target,
        source_id: (PlatformId::from("old"), account.clone()),
        filter: &filter,
        acl: AclChoice::Leave,
        ledger,
        resources: rehome::copy::Resources::default(),
        events: &NoEvents,
        cancel: CancellationToken::new(),
        network,
        settle: SETTLE,
    });
    let report = report.await.unwrap();
    assert!(report.failed.is_empty() && report.total.balances(), "{report:#?}");
    report
}

const THREE: &str = "protocol imap {\n  mail_max_userip_connections = 3\n}";

#[tokio::test]
async fn a_server_that_allows_three_connections_is_copied_to_beside_its_user() {
    let Some(pair) = Pair::start(THREE).await else { return };
    fill(pair.source("a")).await;
    let before = without_empty(sorted(pair.source("a")).await);
    // The user reads mail in two places: one connection is left.
    let users = [pair.target("a").connect().await.unwrap(), pair.target("a").connect().await.unwrap()];
    let (near, line) = (Line::start(pair.source.port, FAR).await, Line::start(pair.target.port, FAR).await);
    let (source, target) = (over(&near, pair.source("a")), over(&line, pair.target("a")));
    let (ledger, network) = (Ledger::in_memory().unwrap(), Network::default());
    let report = pass(source.clone(), target.clone(), &ledger, &network).await;
    assert_eq!(report.total.copied, report.total.source);
    let there = without_empty(sorted(pair.target("a")).await);
    assert_eq!(there["INBOX"], before["INBOX"]);
    assert_eq!(there.len(), before.len());
    assert!(line.most() > 2, "the test is about connections that are refused");
    assert_eq!(network.door(&target).learned(Scope::Login), Some(1), "it goes on with the one it has");
    assert_eq!(network.door(&source).learned(Scope::Login), None, "the source refused none");
    let (host, now) = (target.endpoint.to_string(), Timestamp::now().as_second());
    assert_eq!(ledger.cap(&host, "a", now).unwrap(), Some(1), "and the next run knows it");
    drop(users);

    // What an earlier run learned, one less than the server allows, is never exceeded: its user still gets in.
    line.most();
    let later = Ledger::in_memory().unwrap();
    later.learn_cap(&host, "b", 2, now).unwrap();
    let report = pass(source, over(&line, pair.target("b")), &later, &Network::default()).await;
    assert_eq!(report.total.copied, report.total.source);
    assert_eq!(line.most(), 2);
}

#[tokio::test]
async fn a_login_that_is_refused_for_being_one_too_many_costs_a_lane_and_nothing_else() {
    for words in [
        "$ NO [LIMIT] Too many simultaneous connections.\r\n",
        "$ NO [UNAVAILABLE] Maximum number of connections from user+IP exceeded.\r\n",
    ] {
        let Some(pair) = Pair::start("").await else { return };
        fill(pair.source("a")).await;
        let front = Front::start(pair.target.port, Odd::default().answers("LOGIN", 3, words)).await;
        let (near, line) = (Line::start(pair.source.port, FAR).await, Line::start(front.port, FAR).await);
        let (source, target) = (over(&near, pair.source("a")), over(&line, pair.target("a")));
        let (ledger, network) = (Ledger::in_memory().unwrap(), Network::default());
        let report = pass(source, target.clone(), &ledger, &network).await;
        assert_eq!(report.total.copied, report.total.source, "{words}");
        assert!(front.heard("LOGIN").len() > 2, "{words}: the test is about the third login");
        let cap = network.door(&target).learned(Scope::Login).unwrap();
        assert!((1..5).contains(&cap), "{words}: {cap}");
        assert_eq!(
            without_empty(sorted(pair.target("a")).await)["INBOX"],
            without_empty(sorted(pair.source("a")).await)["INBOX"]
        );
    }
}

/// A loopback address that is not spelled as one: what is on this machine by its name is never compressed.
const ELSEWHERE: &str = "127.1";

const ZLIB: &str = "protocol imap {\n  mail_plugins = imap_zlib\n}";

#[tokio::test]
async fn a_thin_line_is_compressed_once_it_is_known_to_be_thin_and_a_fast_one_never_is() {
    const MESSAGES: u32 = 72;
    let Some(pair) = Pair::start(ZLIB).await else { return };
    let mut writer = pair.source("a").connect_writer().await.unwrap();
    let text = "A line that says the same as the one before it, and the one after it.\r\n".repeat(2000);
    for n in 0..MESSAGES {
        let octets = format!("Message-ID: <{n}@x>\r\nSubject: {n}\r\n\r\n{text}");
        corpus::append(&mut writer, "INBOX", &[], "1-Jan-2024 00:00:00 +0000", octets.as_bytes()).await;
    }
    writer.examine(&WireName::inbox()).await.unwrap();
    let whole = u64::from(MESSAGES) * text.len() as u64;
    for (rate, user) in [(3 << 20, "thin"), (0, "fast")] {
        let line = Line::start(pair.target.port, Way { rate, ..Way::default() }).await;
        let mut target = over(&line, pair.target(user));
        target.endpoint.host = ELSEWHERE.to_owned();
        let ledger = Ledger::in_memory().unwrap();
        let report = pass(pair.source("a"), target, &ledger, &Network::default()).await;
        assert_eq!(report.total.copied, u64::from(MESSAGES));
        let sent = line.octets();
        if rate > 0 {
            assert!(sent < whole * 3 / 4, "{user}: {sent} of {whole} octets");
        } else {
            assert!(sent > whole, "{user}: {sent} of {whole} octets");
        }
        assert_eq!(sorted(pair.target(user)).await["INBOX"], sorted(pair.source("a")).await["INBOX"], "{user}");
    }
}
