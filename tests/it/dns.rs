//! Mail DNS against an authoritative server.

mod audit;
mod broken;
mod commands;
mod coverage;
mod daemons;
mod dnssec;
mod internet;
mod moved;
mod peers;
mod real;
mod realistic;
mod relay;
mod scripted;
mod secure;
mod spf;
mod spf_rules;
mod updates;

use std::{collections::BTreeSet, net::SocketAddr, time::Duration};

use rehome::{
    diag::{Finding, Severity},
    dns::{self, Client},
    model::{DnsTopic, Domain, ExpectedRecord, Need, Question, RecordType, Verdict},
    sandbox::{
        counters::Counters,
        dns::{DnsServer, Fault, Zones},
    },
};

const DOMAIN: &str = "mydomain.ovh";

fn client() -> Client {
    Client { timeout: Duration::from_millis(300), authority: true }
}

fn zones() -> Zones {
    let zones = Zones::new();
    zones.add_zone(DOMAIN, &["dns10.example", "ns10.example"]).unwrap();
    zones.set(DOMAIN, RecordType::Mx, &["1 mx0.mail.ovh.net", "5 mx1.mail.ovh.net"], 3600).unwrap();
    zones.set(DOMAIN, RecordType::Txt, &["v=spf1 include:mx.ovh.com ~all"], 600).unwrap();
    zones
}

fn expected() -> Vec<ExpectedRecord> {
    let record = |topic, rtype, value: &str| ExpectedRecord {
        topic,
        name: DOMAIN.to_owned(),
        rtype,
        value: value.to_owned(),
        need: Need::Required,
    };
    vec![
        record(DnsTopic::Mx, RecordType::Mx, "1 mx0.mail.ovh.net"),
        record(DnsTopic::Mx, RecordType::Mx, "5 mx1.mail.ovh.net"),
        record(DnsTopic::Spf, RecordType::Txt, "v=spf1 include:mx.ovh.com ~all"),
    ]
}

async fn serve(zones: &Zones) -> DnsServer {
    DnsServer::start(zones.clone(), Counters::new()).await.unwrap()
}

async fn ask(server: &DnsServer, name: &str, rtype: RecordType) -> Verdict {
    client().lookup(server.address(), &Question { name: name.to_owned(), rtype }).await
}

fn found(values: &[&str], ttl: u32) -> Verdict {
    Verdict::Found { values: values.iter().map(|v| (*v).to_owned()).collect(), ttl }
}

#[tokio::test]
async fn every_kind_of_answer_keeps_its_meaning() {
    let zones = zones();
    zones.set("www.deep.mydomain.ovh", RecordType::A, &["192.0.2.1"], 60).unwrap();
    let server = serve(&zones).await;
    assert_eq!(
        ask(&server, "MyDomain.OVH", RecordType::Mx).await,
        found(&["1 mx0.mail.ovh.net", "5 mx1.mail.ovh.net"], 3600)
    );
    assert_eq!(ask(&server, DOMAIN, RecordType::A).await, Verdict::NoData);
    assert_eq!(ask(&server, "deep.mydomain.ovh", RecordType::A).await, Verdict::NoData, "an empty name exists");
    assert_eq!(ask(&server, "nowhere.mydomain.ovh", RecordType::A).await, Verdict::NxDomain);
    assert_eq!(ask(&server, "elsewhere.example", RecordType::A).await, Verdict::Refused);
    for (fault, verdict) in [
        (Fault::ServFail, Verdict::ServFail),
        (Fault::Refused, Verdict::Refused),
        (Fault::Silent, Verdict::Timeout),
        (Fault::Lame, Verdict::Lame),
    ] {
        zones.fail(DOMAIN, Some(fault));
        assert_eq!(ask(&server, DOMAIN, RecordType::Mx).await, verdict);
    }
    assert!(matches!(ask(&server, "a..b", RecordType::A).await, Verdict::Malformed { .. }));
    let address = server.address();
    drop(server);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let gone = client().lookup(address, &Question { name: DOMAIN.to_owned(), rtype: RecordType::Mx }).await;
    assert!(matches!(gone, Verdict::Unreachable { .. }), "{gone:?}");
}

#[tokio::test]
async fn aliases_are_followed_and_keep_the_service_records_behind_them() {
    let zones = zones();
    zones.set("_autodiscover._tcp.mydomain.ovh", RecordType::Cname, &["srv.mydomain.ovh"], 900).unwrap();
    zones.set("srv.mydomain.ovh", RecordType::Srv, &["0 0 443 ex5.mail.ovh.net"], 60).unwrap();
    zones.set("out.mydomain.ovh", RecordType::Cname, &["key.dkim.mail.ovh.net"], 60).unwrap();
    zones.set("a.mydomain.ovh", RecordType::Cname, &["b.mydomain.ovh"], 60).unwrap();
    zones.set("b.mydomain.ovh", RecordType::Cname, &["a.mydomain.ovh"], 60).unwrap();
    let server = serve(&zones).await;
    let srv = ask(&server, "_autodiscover._tcp.mydomain.ovh", RecordType::Srv).await;
    assert_eq!(srv, found(&["0 0 443 ex5.mail.ovh.net"], 900), "the alias lives longer than what it stands for");
    assert_eq!(ask(&server, "out.mydomain.ovh", RecordType::Cname).await, found(&["key.dkim.mail.ovh.net"], 60));
    match ask(&server, "out.mydomain.ovh", RecordType::Txt).await {
        Verdict::Unreachable { reason } => assert!(reason.contains("key.dkim.mail.ovh.net"), "{reason}"),
        other => panic!("an alias that leads away is no missing record: {other:?}"),
    }
    assert_eq!(ask(&server, "a.mydomain.ovh", RecordType::Txt).await, Verdict::Loop);
}

#[tokio::test]
async fn long_records_come_over_tcp_and_old_servers_without_edns() {
    let zones = zones();
    let long = format!("v=DKIM1; p={}", "A".repeat(3000));
    zones.set("s1_key._domainkey.mydomain.ovh", RecordType::Txt, &[long.as_str()], 604_800).unwrap();
    let server = serve(&zones).await;
    let got = ask(&server, "s1_key._domainkey.mydomain.ovh", RecordType::Txt).await;
    assert_eq!(got, found(&[&long], 604_800), "the strings are joined, the TTL is not cut");
    for fault in [Fault::NoEdns, Fault::Truncated] {
        zones.fail(DOMAIN, Some(fault));
        assert!(matches!(ask(&server, DOMAIN, RecordType::Mx).await, Verdict::Found { .. }), "{fault:?}");
    }
}

async fn observed(servers: &[&DnsServer], topics: &[DnsTopic]) -> Vec<Finding> {
    let domain = Domain::parse(DOMAIN).unwrap();
    let topics: BTreeSet<DnsTopic> = topics.iter().copied().collect();
    let addresses: Vec<SocketAddr> = servers.iter().map(|s| s.address()).collect();
    let view = client().observe(&domain, &expected(), &topics, &addresses).await;
    assert_eq!(view.servers.len(), servers.len());
    dns::check(&domain, &topics, &expected(), &view)
}

fn codes(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|f| f.code.as_str()).collect()
}

#[tokio::test]
async fn a_zone_in_order_is_found_in_order() {
    let zones = zones();
    let (first, second) = (serve(&zones).await, serve(&zones).await);
    let findings = observed(&[&first, &second], &[DnsTopic::Mx, DnsTopic::Spf]).await;
    assert_eq!(codes(&findings), ["mx-ok", "spf-ok"]);
}

#[tokio::test]
async fn a_secondary_that_lags_behind_is_named() {
    let primary = zones();
    let secondary = primary.fork();
    primary.set(DOMAIN, RecordType::Mx, &["10 new.example"], 3600).unwrap();
    let (first, second) = (serve(&primary).await, serve(&secondary).await);
    let findings = observed(&[&first, &second], &[DnsTopic::Mx]).await;
    assert_eq!(codes(&findings), ["serials-differ", "servers-differ", "mx-wrong"]);
    assert!(findings[2].message.contains(&first.address().to_string()), "{}", findings[2].message);
    secondary.catch_up(&primary);
    assert_eq!(codes(&observed(&[&first, &second], &[DnsTopic::Mx]).await), ["mx-wrong"]);
}

#[tokio::test]
async fn a_server_that_fails_makes_things_unknown_and_nothing_missing() {
    for fault in [Fault::ServFail, Fault::Refused, Fault::Silent, Fault::Lame] {
        let zones = zones();
        zones.fail(DOMAIN, Some(fault));
        let server = serve(&zones).await;
        let findings = observed(&[&server], &[DnsTopic::Mx, DnsTopic::Spf, DnsTopic::Dmarc]).await;
        assert!(!findings.is_empty());
        assert!(findings.iter().all(|f| f.severity == Severity::Unknown), "{fault:?}: {findings:#?}");
    }
}

#[tokio::test]
async fn mail_servers_inside_the_domain_are_looked_at_as_well() {
    let zones = zones();
    zones.set(DOMAIN, RecordType::Mx, &["1 mail.mydomain.ovh"], 60).unwrap();
    zones.set("mail.mydomain.ovh", RecordType::Cname, &["mx0.mail.ovh.net"], 60).unwrap();
    let server = serve(&zones).await;
    assert_eq!(codes(&observed(&[&server], &[DnsTopic::Mx]).await), ["mx-wrong", "mx-target-alias"]);
}
