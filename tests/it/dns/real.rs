//! The hard cases against servers that others wrote.

use std::{collections::BTreeSet, time::Duration};

use rehome::{
    diag::Finding,
    dns::{
        self, Client, Servers,
        audit::{Audit, compare, join},
        spf::{Outcome, Request, evaluate},
    },
    model::{DnsTopic, Domain, Question, RecordType, Verdict},
};

use super::{
    daemons::{here, nsd, signed, unbound},
    relay::{Manner, Relay},
};

const CLIENT: Client = Client { timeout: Duration::from_secs(2), authority: true };

fn zone(apex: &str, serial: u32, rows: &str) -> String {
    format!(
        "$ORIGIN {apex}.\n$TTL 300\n@ IN SOA ns1 host {serial} 3600 600 86400 300\n@ IN NS ns1\nns1 IN A 127.0.0.1\n{rows}\n"
    )
}

async fn ask(client: Client, at: std::net::SocketAddr, name: &str, rtype: RecordType) -> Verdict {
    client.lookup(at, &Question { name: name.to_owned(), rtype }).await
}

fn codes(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|f| f.code.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_server_answers_every_hard_case_as_it_is_meant() {
    if !here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let long =
        format!("\"v=DKIM1; p={}\" \"{}\" \"\" \"{}\"", "A".repeat(200), "B".repeat(255), "C".repeat(1500).as_str());
    let long = long.replace(&"C".repeat(1500), &vec!["C".repeat(250); 6].join("\" \""));
    let rows = format!(
        "@ IN MX 10 mx\nmx 604800 IN A 192.0.2.25\n_s_1._domainkey IN CNAME key.far.example.\nbig._domainkey IN TXT {long}\n\
         *.wild IN TXT \"anything\"\nxn--caf-dma IN MX 10 mx\nloop IN CNAME pool\npool IN CNAME loop\n\
         sub IN NS ns.elsewhere.example.\n_imaps._tcp IN CNAME srv\nsrv IN SRV 0 1 993 mx\na.deep IN A 192.0.2.1\n\
         odd IN TXT \"a\\\"b\\\\c\\009\" \"\\195\" \"\\188\"\nup.deep IN DNAME mx\n"
    );
    let server = nsd(folder.path(), &[("a.test", &zone("a.test", 7, &rows))]);
    let at = server.address;
    let found = |values: &[&str], ttl| Verdict::Found { values: values.iter().map(|v| (*v).to_owned()).collect(), ttl };
    assert_eq!(ask(CLIENT, at, "a.test", RecordType::Mx).await, found(&["10 mx.a.test"], 300));
    assert_eq!(ask(CLIENT, at, "MX.A.Test.", RecordType::A).await, found(&["192.0.2.25"], 604_800), "a week is a week");
    assert_eq!(ask(CLIENT, at, "mx.a.test", RecordType::Aaaa).await, Verdict::NoData);
    assert_eq!(ask(CLIENT, at, "deep.a.test", RecordType::A).await, Verdict::NoData, "an empty name exists");
    assert_eq!(ask(CLIENT, at, "no.a.test", RecordType::A).await, Verdict::NxDomain);
    assert_eq!(ask(CLIENT, at, "b.test", RecordType::A).await, Verdict::Refused);
    assert_eq!(ask(CLIENT, at, "x.sub.a.test", RecordType::A).await, Verdict::Lame, "a referral says nothing");
    assert_eq!(ask(CLIENT, at, "loop.a.test", RecordType::A).await, Verdict::Loop);
    let cname = ask(CLIENT, at, "_s_1._domainkey.a.test", RecordType::Cname).await;
    assert_eq!(cname, found(&["key.far.example"], 300));
    let away = ask(CLIENT, at, "_s_1._domainkey.a.test", RecordType::Txt).await;
    assert!(matches!(away, Verdict::Unreachable { .. }), "an alias that leads away is not missing: {away:?}");
    let key = ask(CLIENT, at, "big._domainkey.a.test", RecordType::Txt).await;
    assert_eq!(key.values()[0].len(), 11 + 200 + 255 + 1500, "truncated by UDP, whole by TCP");
    assert_eq!(ask(CLIENT, at, "x.y.wild.a.test", RecordType::Txt).await, found(&["anything"], 300));
    assert_eq!(ask(CLIENT, at, "xn--caf-dma.a.test", RecordType::Mx).await, found(&["10 mx.a.test"], 300));
    assert_eq!(ask(CLIENT, at, "_imaps._tcp.a.test", RecordType::Srv).await, found(&["0 1 993 mx.a.test"], 300));
    assert_eq!(ask(CLIENT, at, "odd.a.test", RecordType::Txt).await, found(&["a\"b\\c\\009ü"], 300));
}

#[tokio::test(flavor = "multi_thread")]
async fn long_ways_and_odd_answers_are_what_they_are() {
    if !here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let aliases: String = (1..12).map(|n| format!("c{n} IN CNAME c{}\n", n + 1)).collect();
    let rows = format!("{aliases}c12 IN A 192.0.2.1\nnow 0 IN A 192.0.2.2\nup IN DNAME deep\na.deep IN A 192.0.2.3\n");
    let server = nsd(folder.path(), &[("a.test", &zone("a.test", 1, &rows))]);
    let at = server.address;
    let found = |value: &str, ttl| Verdict::Found { values: vec![value.to_owned()], ttl };
    assert_eq!(ask(CLIENT, at, "c6.a.test", RecordType::A).await, found("192.0.2.1", 300), "six aliases are followed");
    assert_eq!(
        ask(CLIENT, at, "c1.a.test", RecordType::A).await,
        Verdict::Loop,
        "eleven are too many for resolvers too"
    );
    assert_eq!(ask(CLIENT, at, "now.a.test", RecordType::A).await, found("192.0.2.2", 0), "nobody may remember it");
    assert_eq!(ask(CLIENT, at, "a.up.a.test", RecordType::A).await, found("192.0.2.3", 300), "a tree that is an alias");
    for (manner, name, said) in
        [(Manner::HighTtl, "now.a.test", found("192.0.2.2", 0)), (Manner::OtherName, "now.a.test", Verdict::NoData)]
    {
        let relay = Relay::start(at, manner).await;
        assert_eq!(ask(CLIENT, relay.address, name, RecordType::A).await, said, "{manner:?}");
    }
    let relay = Relay::start(at, Manner::Cut).await;
    let cut = ask(CLIENT, relay.address, "now.a.test", RecordType::A).await;
    assert!(!cut.is_known(), "what was cut and cannot be had whole is unknown: {cut:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_that_disagree_are_both_named() {
    if !here() {
        return;
    }
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let new = nsd(one.path(), &[("a.test", &zone("a.test", 8, "@ IN MX 10 new.example."))]);
    let old = nsd(two.path(), &[("a.test", &zone("a.test", 7, "@ 600 IN MX 10 old.example."))]);
    let domain = Domain::parse("a.test").unwrap();
    let topics = BTreeSet::from([DnsTopic::Mx]);
    let view = CLIENT.observe(&domain, &[], &topics, &[new.address, old.address]).await;
    let findings = dns::check(&domain, &topics, &[], &view);
    assert_eq!(codes(&findings)[..3], ["serials-differ", "ttl-differs", "servers-differ"]);
    let told = findings[2].actual.as_ref().unwrap();
    assert!(told.contains(&format!("{}: 10 new.example", new.address)), "{told}");
    assert!(told.contains(&format!("{}: 10 old.example", old.address)), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_answers_rotate_is_told_from_one_that_is_behind() {
    if !here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let rows = "@ IN MX 10 one.example.\n@ IN MX 10 two.example.\n@ IN TXT \"v=spf1 -all\"";
    let server = nsd(folder.path(), &[("a.test", &zone("a.test", 1, rows))]);
    let relay = Relay::start(server.address, Manner::Rotating).await;
    let domain = Domain::parse("a.test").unwrap();
    let topics = BTreeSet::from([DnsTopic::Mx]);
    let view = CLIENT.observe(&domain, &[], &topics, &[server.address, relay.address]).await;
    let findings = dns::check(&domain, &topics, &[], &view);
    assert_eq!(codes(&findings), ["server-rotates", "mx-present"], "{findings:#?}");
    assert!(findings[0].message.contains(&relay.address.to_string()), "{findings:#?}");
    assert!(!findings[0].message.contains(&server.address.to_string()), "{findings:#?}");
    let both = findings[1].actual.as_ref().unwrap();
    assert!(both.contains("one.example") && both.contains("two.example"), "all that was said is judged: {both}");

    // A server that always says something else is none that rotates.
    let other = tempfile::tempdir().unwrap();
    let behind = nsd(other.path(), &[("a.test", &zone("a.test", 1, "@ IN MX 10 old.example."))]);
    let view = CLIENT.observe(&domain, &[], &topics, &[relay.address, behind.address]).await;
    let told = dns::check(&domain, &topics, &[], &view);
    assert_eq!(codes(&told)[..2], ["server-rotates", "servers-differ"], "{told:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_signature_is_told_from_a_failing_server() {
    if !here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let rows = "@ IN MX 10 mx\nmx IN A 192.0.2.25\n@ IN TXT \"v=spf1 mx -all\"";
    let (good, good_ds) = signed(folder.path(), "good.test", &zone("good.test", 1, rows));
    let (bad, bad_ds) = signed(folder.path(), "bad.test", &zone("bad.test", 1, rows));
    let bad = bad.replace("v=spf1 mx -all", "v=spf1 mx +all");
    let server = nsd(folder.path(), &[("good.test", &good), ("bad.test", &bad)]);
    let zones = [("good.test", good_ds.as_str()), ("bad.test", bad_ds.as_str()), ("gone.test", bad_ds.as_str())];
    let resolver = unbound(folder.path(), server.address, &zones[..2]);
    let recursive = Client { authority: false, ..CLIENT };
    let domain = Domain::parse("bad.test").unwrap();
    assert!(CLIENT.is_resolver(resolver.address, &domain).await);
    assert!(!CLIENT.is_resolver(server.address, &domain).await);
    let text = ask(recursive, resolver.address, "good.test", RecordType::Txt).await;
    assert_eq!(text.values(), ["v=spf1 mx -all"]);
    assert_eq!(ask(recursive, resolver.address, "bad.test", RecordType::Txt).await, Verdict::Bogus);
    assert_eq!(ask(CLIENT, server.address, "bad.test", RecordType::Txt).await.values(), ["v=spf1 mx +all"]);

    let world = Servers::new(recursive, vec![resolver.address]);
    let request = |domain: &str| Request {
        ip: "192.0.2.25".parse().unwrap(),
        domain: domain.to_owned(),
        sender: None,
        helo: None,
        receiver: "unknown".to_owned(),
        time: 0,
    };
    assert_eq!(evaluate(&world, &request("good.test")).await.result, Outcome::Pass);
    assert_eq!(evaluate(&world, &request("bad.test")).await.result, Outcome::TempError, "forged is not believed");

    let topics = BTreeSet::from([DnsTopic::Spf]);
    let own = CLIENT.observe(&domain, &[], &topics, &[server.address]).await;
    let told = recursive.observe(&domain, &[], &topics, &[resolver.address]).await;
    assert_eq!(codes(&compare(&own, &told)), ["dnssec-bogus"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_of_a_real_zone_finds_wildcards_and_doubled_names() {
    if !here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let rows = "@ IN MX 10 mx\nmx IN A 192.0.2.25\n* IN A 192.0.2.80\n_dmarc.a.test IN TXT \"v=DMARC1; p=none\"\n\
                _imap._tcp IN SRV 0 0 0 .\n_25._tcp.mx IN TLSA 3 1 1 aabb\n@ IN CAA 0 issue \"ca.example\"";
    let server = nsd(folder.path(), &[("a.test", &zone("a.test", 1, rows))]);
    let domain = Domain::parse("a.test").unwrap();
    let topics = BTreeSet::from([DnsTopic::Mx, DnsTopic::Spf, DnsTopic::Dmarc]);
    let view = CLIENT.observe(&domain, &[], &topics, &[server.address]).await;
    let dns = Servers::new(Client { authority: false, ..CLIENT }, vec![server.address]);
    let audit = Audit {
        domain: &domain,
        expected: &[],
        leaving: &[],
        view: &view,
        dns: &dns,
        web: None,
        selectors: &[],
        partial: true,
    };
    let audited = audit.run().await;
    let mut said = codes(&audited.findings);
    said.sort_unstable();
    assert_eq!(
        said,
        [
            "caa-present",
            "dns-elsewhere",
            "mta-sts-absent",
            "name-doubled",
            "srv-ok",
            "tlsa-unsigned",
            "tlsa-unusable",
            "wildcard"
        ]
    );
    let tlsa = Question { name: "_25._tcp.mx.a.test".to_owned(), rtype: RecordType::Tlsa };
    assert_eq!(audited.answers[&tlsa].values(), ["3 1 1 aabb"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_above_holds_as_it_says_for_names_below() {
    if !here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let rows = "_dmarc IN TXT \"v=DMARC1; p=reject; sp=quarantine\"\na.news IN MX 10 mx\nmx IN A 192.0.2.25\nb IN MX 10 mx\n\
                _dmarc.b IN TXT \"v=DMARC1; p=none; rua=mailto:r@mx.a.test\"";
    let above = zone("test", 1, "a IN NS ns1.a\nns1.a IN A 127.0.0.1");
    let server = nsd(folder.path(), &[("a.test", &zone("a.test", 1, rows)), ("test", &above)]);
    let topics = BTreeSet::from([DnsTopic::Dmarc]);
    let dns = Servers::new(Client { authority: false, ..CLIENT }, vec![server.address]);
    for (name, said) in [("a.news.a.test", "dmarc-inherited"), ("b.a.test", "dmarc-none")] {
        let domain = Domain::parse(name).unwrap();
        let view = CLIENT.observe(&domain, &[], &topics, &[server.address]).await;
        let audit = Audit {
            domain: &domain,
            expected: &[],
            leaving: &[],
            view: &view,
            dns: &dns,
            web: None,
            selectors: &[],
            partial: true,
        };
        let findings = join(dns::check(&domain, &topics, &[], &view), audit.run().await.findings);
        let found: Vec<&Finding> = findings.iter().filter(|f| f.code.starts_with("dmarc-")).collect();
        assert!(found.iter().any(|f| f.code == said), "{findings:#?}");
        // One organization: `mx.a.test` and `b.a.test` both lead up to `a.test`.
        assert!(!findings.iter().any(|f| f.code == "dmarc-report-refused"), "{findings:#?}");
        if said == "dmarc-inherited" {
            assert_eq!(found.len(), 1, "{findings:#?}");
            assert!(found[0].message.contains("a.test: `sp=quarantine` holds"), "{}", found[0].message);
        }
    }
}
