//! One zone that triggers each finding of the audit, and one that must not.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use async_trait::async_trait;
use rehome::{
    diag::{Finding, Severity},
    dns::{
        audit::{Audit, Page, Web, WebError, compare},
        codes,
    },
    model::{DnsTopic, DnsView, Domain, ExpectedRecord, Need, Question, RecordType, ServerView, Verdict},
};

use super::scripted::Scripted;

const HEALTHY: &str = "
    a.example MX 10 mx.b.example
    a.example TXT v=spf1 include:spf.b.example -all
    _dmarc.a.example TXT v=DMARC1; p=reject; rua=mailto:r@b.example
    a.example._report._dmarc.b.example TXT v=DMARC1
    mx.b.example A 192.0.2.25
    spf.b.example TXT v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all
    s1._domainkey.a.example CNAME s1.b.example
    s1.b.example TXT v=DKIM1; k=ed25519; p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
    _mta-sts.a.example TXT v=STSv1; id=1;
    mta-sts.a.example CNAME sts.b.example
    sts.b.example A 192.0.2.80
    _smtp._tls.a.example TXT v=TLSRPTv1; rua=mailto:r@a.example
    _25._tcp.mx.b.example TLSA 3 1 1 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
    _imaps._tcp.a.example SRV 0 1 993 svc.b.example
    svc.b.example A 192.0.2.26
    _pop3._tcp.a.example SRV 0 0 0 .
    default._bimi.a.example TXT v=BIMI1; l=https://a.example/l.svg; a=
    a.example CAA 0 issue \"ca.example\"";

const POLICY: &str = "version: STSv1\nmode: enforce\nmx: mx.b.example\nmx: *.new.example\nmax_age: 604800\n";

struct OnePage(Result<Page, WebError>);

#[async_trait]
impl Web for OnePage {
    async fn get(&self, host: &str, path: &str, addresses: &[SocketAddr]) -> Result<Page, WebError> {
        assert_eq!((host, path), ("mta-sts.a.example", "/.well-known/mta-sts.txt"));
        assert!(!addresses.is_empty());
        self.0.clone()
    }
}

fn page(body: &str) -> Result<Page, WebError> {
    Ok(Page { status: 200, media: "text/plain".to_owned(), body: body.to_owned() })
}

fn expected() -> Vec<ExpectedRecord> {
    let record = |topic, rtype, value: &str| ExpectedRecord {
        topic,
        name: "a.example".to_owned(),
        rtype,
        value: value.to_owned(),
        need: Need::Required,
    };
    vec![
        record(DnsTopic::Mx, RecordType::Mx, "10 mx.b.example"),
        record(DnsTopic::Spf, RecordType::Txt, "v=spf1 include:spf.b.example ~all"),
    ]
}

async fn audited(zone: &str, page: Result<Page, WebError>, expected: &[ExpectedRecord]) -> Vec<Finding> {
    let domain = Domain::parse("a.example").unwrap();
    let dns = Scripted::new(zone);
    let server = ServerView { authoritative: true, serial: Some(1), answers: dns.answers(), ..ServerView::default() };
    let view = DnsView { servers: BTreeMap::from([("ns (192.0.2.53)".to_owned(), server)]), ..DnsView::default() };
    let selectors = ["s1".to_owned()];
    let leaving = [ExpectedRecord {
        topic: DnsTopic::Spf,
        name: "a.example".to_owned(),
        rtype: RecordType::Txt,
        value: "v=spf1 include:left.example -all".to_owned(),
        need: Need::Required,
    }];
    let web = OnePage(page);
    let audit = Audit {
        domain: &domain,
        expected,
        leaving: &leaving,
        view: &view,
        dns: &dns,
        web: Some(&web),
        selectors: &selectors,
        partial: true,
    };
    let findings = audit.run().await.findings;
    for finding in &findings {
        assert!(codes::code(&finding.code).is_some(), "{} is not explained", finding.code);
        assert!(
            finding.severity < Severity::Warning
                || finding.code == "resolver-failed"
                || finding.fix.is_some()
                || finding.code == "mta-sts-unreachable",
            "{} has no fix",
            finding.code
        );
    }
    findings
}

/// The codes that are not `Ok`, beside those of the healthy zone.
fn told(findings: &[Finding]) -> Vec<&str> {
    let said: BTreeSet<&str> =
        findings.iter().filter(|f| f.severity != Severity::Ok).map(|f| f.code.as_str()).collect();
    said.into_iter().filter(|code| *code != "caa-present").collect()
}

/// The healthy zone with the lines about these names and types replaced.
fn with(lines: &str) -> String {
    let key = |l: &str| l.trim().splitn(3, ' ').take(2).map(str::to_owned).collect::<Vec<_>>();
    let new: BTreeSet<Vec<String>> = lines.lines().map(key).collect();
    let old = HEALTHY.lines().filter(|l| !new.contains(&key(l)));
    let added = lines.lines().filter(|l| l.trim().split(' ').count() > 2);
    old.chain(added).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_domain_in_order_is_found_in_order() {
    let findings = audited(HEALTHY, page(POLICY), &expected()).await;
    assert_eq!(told(&findings), [""; 0], "{findings:#?}");
    let fine: Vec<&str> = findings.iter().filter(|f| f.severity == Severity::Ok).map(|f| f.code.as_str()).collect();
    assert_eq!(fine, ["spf-platform-passes", "dkim-ok", "bimi-ok", "mta-sts-ok", "tlsa-ok", "tls-rpt-ok", "srv-ok"]);
}

#[tokio::test]
async fn each_mistake_has_its_own_code() {
    let key = |n: usize| format!("s1.b.example TXT v=DKIM1; p={}", "A".repeat(n));
    let include = |n: usize| {
        let rows: String = (0..n).map(|i| format!("\ni{i}.example TXT v=spf1 a:mx.b.example -all")).collect();
        let terms: String = (0..n).map(|i| format!("include:i{i}.example ")).collect();
        format!("a.example TXT v=spf1 include:spf.b.example {terms}-all{rows}")
    };
    let mut wrong = Vec::new();
    for (lines, codes) in [
        ("a.example CNAME b.example", vec!["apex-alias"]),
        ("*.a.example A 192.0.2.1", vec!["wildcard"]),
        ("_dmarc.a.example.a.example TXT v=DMARC1; p=none", vec!["name-doubled"]),
        ("mx.b.example CNAME x.example\nmx.b.example A", vec!["mx-target-alias"]),
        ("mx.b.example A", vec!["mx-target-unresolved"]),
        ("mx.b.example A !timeout", vec!["dns-unknown"]),
        ("mx.b.example A !refused", vec!["dns-elsewhere"]),
        ("spf.b.example TXT", vec!["spf-include-broken"]),
        ("spf.b.example TXT !refused", vec!["dns-elsewhere"]),
        ("spf.b.example TXT !servfail", vec!["dns-unknown"]),
        ("spf.b.example TXT v=spf1 ip4:192.0.2.0/24 include:a.example", vec!["spf-circle"]),
        (
            "a.example TXT v=spf1 a:x.example a:y.example a:z.example include:spf.b.example -all",
            vec!["spf-platform-denied", "spf-voids"],
        ),
        ("a.example TXT v=spf1 -ip4:192.0.2.0/24 include:spf.b.example -all", vec!["spf-platform-denied"]),
        (&include(5), vec!["spf-lookups"]),
        (&include(4), vec!["spf-lookups-near"]),
        (
            &format!("a.example TXT v=spf1 include:spf.b.example {}-all", "ip4:192.0.2.100 ".repeat(27)),
            vec!["spf-size"],
        ),
        ("s1._domainkey.a.example CNAME", vec!["dkim-missing"]),
        (&key(20), vec!["dkim-syntax"]),
        ("s1.b.example TXT p=\ns1.b.example TXT p=", vec!["dkim-multiple"]),
        ("a.example._report._dmarc.b.example TXT", vec!["dmarc-report-refused"]),
        ("_dmarc.a.example TXT v=DMARC1; p=none", vec!["bimi-policy"]),
        ("default._bimi.a.example TXT v=BIMI1; l=http://x", vec!["bimi-syntax"]),
        ("_mta-sts.a.example TXT", vec!["mta-sts-absent"]),
        ("_mta-sts.a.example TXT v=STSv1", vec!["mta-sts-syntax"]),
        ("_mta-sts.a.example TXT v=STSv1; id=1\n_mta-sts.a.example TXT v=STSv1; id=2", vec!["mta-sts-multiple"]),
        ("mta-sts.a.example CNAME", vec!["mta-sts-policy"]),
        ("_smtp._tls.a.example TXT v=TLSRPTv1; rua=me", vec!["tls-rpt-syntax"]),
        ("_smtp._tls.a.example TXT v=TLSRPTv1;\n_smtp._tls.a.example TXT v=TLSRPTv1;x", vec!["tls-rpt-multiple"]),
        ("_25._tcp.mx.b.example TLSA 1 1 1 aa", vec!["tlsa-unusable"]),
        ("_25._tcp.mx.b.example TLSA 3 1 1 aa", vec!["tlsa-unusable"]),
        (
            "_imaps._tcp.a.example SRV 0 1 993 .\n_imaps._tcp.a.example SRV 0 1 993 svc.b.example",
            vec!["srv-contradiction"],
        ),
        ("_imaps._tcp.a.example SRV 0 1 993 no.b.example", vec!["srv-target-unresolved"]),
        (
            "_imaps._tcp.a.example SRV 0 1 993 sts.a.example\nsts.a.example CNAME svc.b.example",
            vec!["srv-target-alias"],
        ),
        ("a.example CAA 0 issue \";\"", vec!["caa-forbids"]),
        ("left.example TXT v=spf1 ip4:203.0.113.0/24 -all", vec!["spf-source-denied"]),
        ("left.example TXT v=spf1 ip4:192.0.2.128/25 -all", vec![]),
    ] {
        let findings = audited(&with(lines), page(POLICY), &expected()).await;
        if told(&findings) != codes {
            wrong.push(format!("{lines}: {:?} instead of {codes:?}", told(&findings)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn a_policy_that_lists_too_little_stops_a_move() {
    let mut wanted = expected();
    wanted[0].value = "1 mx1.other.example".to_owned();
    let body = |mx: &str, more: &str| page(&format!("version: STSv1\n{more}\nmx: {mx}\n"));
    let enforce = "mode: enforce\nmax_age: 604800";
    for (page, codes) in [
        (page(POLICY), vec!["mta-sts-target-uncovered"]),
        (body("mx1.other.example", enforce), vec!["mta-sts-mx-uncovered"]),
        (page("version: STSv1\nmode: none\nmax_age: 60\n"), vec!["mta-sts-none"]),
        (page("<html>"), vec!["mta-sts-policy"]),
        (Ok(Page { status: 301, media: String::new(), body: String::new() }), vec!["mta-sts-policy"]),
        (Err(WebError::Wrong("certificate".to_owned())), vec!["mta-sts-policy"]),
        (Err(WebError::Unreachable("no route".to_owned())), vec!["mta-sts-unreachable"]),
    ] {
        let findings = audited(HEALTHY, page, &wanted).await;
        assert_eq!(told(&findings), codes, "{findings:#?}");
    }
    let short = body("mx.b.example", "mode: testing\nmax_age: 60");
    assert_eq!(told(&audited(HEALTHY, short, &expected()).await), ["mta-sts-short"]);
}

#[tokio::test]
async fn addresses_of_own_mail_servers_need_names_that_lead_back() {
    let own = "a.example MX 10 m.a.example\nm.a.example A 192.0.2.9\na.example TXT v=spf1 -all";
    let ptr = "9.2.0.192.in-addr.arpa PTR";
    for (more, codes) in [
        (String::new(), vec!["ptr-missing"]),
        (format!("{ptr} m.a.example"), vec![]),
        (format!("{ptr} x.example"), vec!["ptr-unconfirmed"]),
        (format!("{ptr} x.example\n{ptr} m.a.example"), vec!["ptr-several"]),
        (format!("{ptr} !refused"), vec!["dns-elsewhere"]),
    ] {
        let zone = format!("{own}\n{more}");
        let findings = audited(&zone, page(POLICY), &[]).await;
        let said: Vec<&str> =
            told(&findings).into_iter().filter(|c| *c != "mta-sts-absent" && *c != "dkim-missing").collect();
        assert_eq!(said, codes, "{more}");
    }
    let named = format!("a.example MX 10 m_x.b.example\nm_x.b.example A 192.0.2.9\n{ptr} x");
    assert!(told(&audited(&named, page(POLICY), &[]).await).contains(&"mx-target-name"));
}

#[tokio::test]
async fn a_platform_that_would_break_the_limits_is_not_simply_added() {
    let rows: String = (0..9).map(|i| format!("\nh{i}.example A 192.0.2.1")).collect();
    let terms: String = (0..9).map(|i| format!("a:h{i}.example ")).collect();
    let lines = format!(
        "a.example TXT v=spf1 {terms}-all{rows}\nspf.b.example TXT v=spf1 a:h1.example ip4:198.51.100.0/24 -all"
    );
    let findings = audited(&with(&lines), page(POLICY), &expected()).await;
    assert_eq!(told(&findings), ["spf-lookups-near", "spf-merge-too-dear", "spf-platform-denied"], "{findings:#?}");
    let denied = findings.iter().find(|f| f.code == "spf-platform-denied").unwrap();
    assert!(denied.fix.as_ref().unwrap().contains("a:h8.example include:spf.b.example -all"));
}

#[tokio::test]
async fn a_record_that_would_shut_somebody_out_is_not_proposed() {
    let hosts = "a:mx.b.example ".repeat(59);
    let zone =
        format!("a.example TXT v=spf1 {hosts}redirect=big.example\nbig.example TXT v=spf1 ip4:203.0.113.0/24 -all");
    let findings = audited(&with(&zone), page(POLICY), &expected()).await;
    let lost = findings.iter().find(|f| f.code == "spf-merge-loses").unwrap();
    assert_eq!(lost.actual.as_deref(), Some("203.0.113.0/24"), "{findings:#?}");
}

#[tokio::test]
async fn an_alias_is_followed_to_a_key_that_can_be_used() {
    let alias = ExpectedRecord {
        topic: DnsTopic::Dkim,
        name: "s1._domainkey.a.example".to_owned(),
        rtype: RecordType::Cname,
        value: "s1.b.example".to_owned(),
        need: Need::Recommended,
    };
    let wanted: Vec<ExpectedRecord> = expected().into_iter().chain([alias]).collect();
    for (lines, said) in [
        ("", ""),
        ("s1.b.example TXT", "dkim-target-missing"),
        ("s1.b.example TXT\ns1.b.example CNAME s1.c.example", "dkim-target-missing"),
        (
            "s1.b.example TXT\ns1.b.example CNAME s1.c.example\ns1.c.example TXT k=ed25519; p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            "",
        ),
        ("s1.b.example TXT\ns1.b.example CNAME s1.c.example\ns1.c.example CNAME s1.b.example", "dkim-target-missing"),
        ("s1.b.example TXT v=DKIM1; p=", "dkim-revoked"),
        ("s1.b.example TXT v=spf1 -all", "dkim-syntax"),
        ("s1.b.example TXT !servfail", "dns-unknown"),
        ("*._domainkey.a.example TXT hello", "dkim-wildcard"),
    ] {
        let findings = audited(&with(lines), page(POLICY), &wanted).await;
        assert_eq!(told(&findings).join(" "), said, "{lines}: {findings:#?}");
    }
}

#[tokio::test]
async fn each_server_has_a_verdict_of_its_own_where_they_differ() {
    let domain = Domain::parse("a.example").unwrap();
    let dns = Scripted::new(HEALTHY);
    let question = Question { name: "a.example".to_owned(), rtype: RecordType::Txt };
    let view = |text: &str| {
        let mut answers = dns.answers();
        answers.insert(question.clone(), Verdict::Found { values: vec![text.to_owned()], ttl: 60 });
        ServerView { authoritative: true, serial: Some(1), answers, ..ServerView::default() }
    };
    let servers = [("ns1", "v=spf1 include:spf.b.example -all"), ("ns2", "v=spf1 ip4:203.0.113.7 -all")];
    let servers = servers.into_iter().map(|(name, text)| (name.to_owned(), view(text))).collect();
    let view = DnsView { servers, ..DnsView::default() };
    let expected = expected();
    let audit = Audit {
        domain: &domain,
        expected: &expected,
        leaving: &[],
        view: &view,
        dns: &dns,
        web: None,
        selectors: &[],
        partial: true,
    };
    let findings = audit.run().await.findings;
    let said = |code: &str| findings.iter().find(|f| f.code == code).map(|f| f.message.clone()).unwrap_or_default();
    assert!(said("spf-platform-passes").ends_with("(at ns1)"), "{findings:#?}");
    assert!(said("spf-platform-denied").ends_with("(at ns2)"), "{findings:#?}");
}

#[test]
fn resolvers_are_held_against_the_servers_with_authority() {
    let question = Question { name: "a.example".to_owned(), rtype: RecordType::Mx };
    let view = |name: &str, verdict: Verdict| {
        let server =
            ServerView { authoritative: true, answers: [(question.clone(), verdict)].into(), ..ServerView::default() };
        DnsView { servers: BTreeMap::from([(name.to_owned(), server)]), ..DnsView::default() }
    };
    let found = |value: &str| Verdict::Found { values: vec![value.to_owned()], ttl: 77 };
    let own = view("ns", found("1 new.example"));
    let codes = |verdict| {
        let findings = compare(&own, &view("9.9.9.9", verdict));
        findings.iter().map(|f| (f.code.clone(), f.actual.clone().unwrap_or_default())).collect::<Vec<_>>()
    };
    assert_eq!(codes(found("1 new.example")), []);
    assert_eq!(
        codes(found("1 old.example")),
        [("resolver-differs".to_owned(), "1 old.example, for 77 s more".to_owned())]
    );
    assert_eq!(codes(Verdict::Bogus)[0].0, "dnssec-bogus");
    assert_eq!(codes(Verdict::Timeout)[0].0, "resolver-failed");
}
