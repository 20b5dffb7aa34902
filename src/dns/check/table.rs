//! Zones and what is said of them.

use std::collections::{BTreeMap, BTreeSet};

use super::check;
use crate::{
    diag::{Finding, Severity},
    model::{DnsTopic, DnsView, Domain, ExpectedRecord, Need, Question, RecordType, ServerView, Verdict, ZoneCut},
};

const DOMAIN: &str = "mydomain.ovh";

fn domain() -> Domain {
    Domain::parse(DOMAIN).unwrap()
}

fn record(topic: DnsTopic, name: &str, rtype: RecordType, value: &str, need: Need) -> ExpectedRecord {
    ExpectedRecord { topic, name: name.to_owned(), rtype, value: value.to_owned(), need }
}

/// What an Exchange of OVHcloud wants.
fn exchange() -> Vec<ExpectedRecord> {
    let mx = |value, need| record(DnsTopic::Mx, DOMAIN, RecordType::Mx, value, need);
    vec![
        mx("1 mx0.mail.ovh.net", Need::Required),
        mx("5 mx1.mail.ovh.net", Need::Recommended),
        mx("200 mx4.mail.ovh.net", Need::Optional),
        record(DnsTopic::Spf, DOMAIN, RecordType::Txt, "v=spf1 include:mx.ovh.com ~all", Need::Recommended),
        record(
            DnsTopic::Autodiscover,
            "_autodiscover._tcp.mydomain.ovh",
            RecordType::Srv,
            "0 0 443 ex5.mail.ovh.net",
            Need::Recommended,
        ),
        record(
            DnsTopic::Dkim,
            "ovhex1-selector1._domainkey.mydomain.ovh",
            RecordType::Cname,
            "ovhex1-selector1._domainkey.1.aa.dkim.mail.ovh.net",
            Need::Recommended,
        ),
        record(DnsTopic::Ownership, "abc-check.mydomain.ovh", RecordType::Cname, "ovh.com", Need::Required),
    ]
}

type Rows<'a> = &'a [(&'a str, RecordType, &'a [&'a str])];

/// A server that has these records and no others, for every question of the topic.
fn server(topic: DnsTopic, expected: &[ExpectedRecord], rows: Rows<'_>) -> ServerView {
    let mut questions = crate::dns::questions(&domain(), expected, &BTreeSet::from([topic]));
    questions.extend(rows.iter().map(|(name, rtype, _)| Question { name: (*name).to_owned(), rtype: *rtype }));
    let answer = |q: Question| {
        let row = rows.iter().find(|(name, rtype, _)| *name == q.name && *rtype == q.rtype);
        let verdict = match row {
            Some((_, _, [])) | None => Verdict::NoData,
            Some((_, _, values)) => {
                let mut values: Vec<String> = values.iter().map(|v| (*v).to_owned()).collect();
                values.sort();
                Verdict::Found { values, ttl: 3600 }
            }
        };
        (q, verdict)
    };
    ServerView {
        authoritative: true,
        serial: Some(1),
        answers: questions.into_iter().map(answer).collect(),
        ..ServerView::default()
    }
}

fn view(servers: impl IntoIterator<Item = ServerView>) -> DnsView {
    let named = servers.into_iter().enumerate().map(|(i, s)| (format!("ns{} (192.0.2.{i})", i + 1), s));
    DnsView { servers: named.collect::<BTreeMap<_, _>>(), ..DnsView::default() }
}

fn judged(topic: DnsTopic, expected: &[ExpectedRecord], rows: Rows<'_>) -> Vec<Finding> {
    check(&domain(), &BTreeSet::from([topic]), expected, &view([server(topic, expected, rows)]))
}

/// `error mx-missing, warning ...`
fn codes(findings: &[Finding]) -> String {
    for finding in findings {
        assert!(crate::dns::codes::code(&finding.code).is_some(), "`rehome explain {}` says nothing", finding.code);
    }
    let word = |s: Severity| format!("{s:?}").to_lowercase();
    findings.iter().map(|f| format!("{} {}", word(f.severity), f.code)).collect::<Vec<_>>().join(", ")
}

#[track_caller]
fn expect(topic: DnsTopic, rows: Rows<'_>, said: &str) {
    let findings = judged(topic, &exchange(), rows);
    assert_eq!(codes(&findings), said, "{rows:?}");
    for finding in findings.iter().filter(|f| f.severity > Severity::Info) {
        assert!(finding.fix.is_some(), "{} does not say what to do", finding.code);
        assert!(!finding.message.ends_with('.') && !finding.subject.is_empty(), "{finding:?}");
    }
}

#[test]
fn mail_servers_are_compared_by_order_and_strangers_by_rank() {
    let mx = |values: &[&str], said| expect(DnsTopic::Mx, &[(DOMAIN, RecordType::Mx, values)], said);
    mx(&["1 mx0.mail.ovh.net", "5 mx1.mail.ovh.net"], "ok mx-ok");
    mx(&["1 mx0.mail.ovh.net", "5 mx1.mail.ovh.net", "200 mx4.mail.ovh.net"], "ok mx-ok");
    mx(&["10 mx0.mail.ovh.net", "20 mx1.mail.ovh.net"], "ok mx-ok");
    mx(&[], "error mx-missing");
    mx(&["0 ."], "error mx-null");
    mx(&["0 .", "1 mx0.mail.ovh.net"], "error mx-null");
    mx(&["10 mail.elsewhere.example"], "error mx-wrong");
    mx(&["1 mx0.mail.ovh.net"], "warning mx-incomplete");
    mx(&["5 mx1.mail.ovh.net"], "error mx-incomplete");
    mx(&["5 mx0.mail.ovh.net", "1 mx1.mail.ovh.net"], "warning mx-order");
    let ours = ["1 mx0.mail.ovh.net", "5 mx1.mail.ovh.net"];
    mx(&[ours[0], ours[1], "0 old.example"], "error mx-foreign-first");
    mx(&[ours[0], ours[1], "1 old.example"], "error mx-foreign-first");
    mx(&[ours[0], ours[1], "50 old.example"], "warning mx-foreign-behind");
    mx(&[ours[0], ours[1], "5 mx0.mail.ovh.net"], "warning mx-duplicate");
    mx(&[ours[0], ours[1], "9 192.0.2.1"], "error mx-target-address, warning mx-foreign-behind");
    mx(&[ours[0], ours[1], "9 mx0.mail.ovh.net.mydomain.ovh"], "error mx-doubled, warning mx-foreign-behind");
}

#[test]
fn mail_servers_inside_the_domain_must_be_hosts() {
    let expected = [record(DnsTopic::Mx, DOMAIN, RecordType::Mx, "1 mail.mydomain.ovh", Need::Required)];
    let mx = (DOMAIN, RecordType::Mx, ["1 mail.mydomain.ovh"].as_slice());
    fn host<'a>(rtype: RecordType, values: &'a [&'a str]) -> (&'a str, RecordType, &'a [&'a str]) {
        ("mail.mydomain.ovh", rtype, values)
    }
    let none: &[&str] = &[];
    let said = |rows: Rows<'_>| codes(&judged(DnsTopic::Mx, &expected, rows));
    let (a, aaaa, cname) = (RecordType::A, RecordType::Aaaa, RecordType::Cname);
    assert_eq!(said(&[mx, host(a, &["192.0.2.1"]), host(aaaa, none), host(cname, none)]), "ok mx-ok");
    assert_eq!(said(&[mx, host(a, none), host(aaaa, none), host(cname, none)]), "error mx-target-unresolved");
    assert_eq!(said(&[mx, host(cname, &["x.example"])]), "error mx-target-alias");
    assert_eq!(said(&[mx]), "ok mx-ok", "what nobody was asked is not missing");
}

#[test]
fn senders_are_judged_without_the_records_of_others() {
    let spf = |values: &[&str], said| expect(DnsTopic::Spf, &[(DOMAIN, RecordType::Txt, values)], said);
    spf(&["v=spf1 include:mx.ovh.com ~all", "google-site-verification=x"], "ok spf-ok");
    spf(&["V=SPF1 +include:MX.OVH.com -ALL"], "ok spf-ok");
    spf(&[], "warning spf-missing");
    spf(&["\"v=spf1 include:mx.ovh.com ~all\""], "warning spf-lookalike, warning spf-missing, warning text-marks");
    spf(&["v=spf1 include:mx.ovh.com ~all", "v=spf1 a -all"], "error spf-multiple");
    spf(&["v=spf1 include:other.example -all"], "error spf-include-missing");
    spf(&["v=spf1 -all include:mx.ovh.com"], "error spf-after-all");
    spf(&["v=spf1 include:mx.ovh.com +all"], "error spf-all-pass");
    spf(&["v=spf1 include:mx.ovh.com all"], "error spf-all-pass");
    spf(&["v=spf1 include:mx.ovh.com ?all"], "warning spf-all-neutral");
    spf(&["v=spf1 include:mx.ovh.com"], "warning spf-all-missing");
    spf(&["v=spf1 redirect=_spf.example"], "warning spf-redirect");
    spf(&["v=spf1 inlcude:x include:mx.ovh.com ~all"], "error spf-syntax");
    spf(&["v=spf1 include:mx.ovh.com~all"], "error spf-glued, error spf-include-missing, warning spf-all-missing");
    spf(&["v=spf1 include:mx.ovh.com ip4:2001:db8::/32 ~all"], "error spf-address-family");
    spf(&["v=spf1 include:mx.ovh.com ip6:192.0.2.1 ~all"], "error spf-address-family");
    spf(&["v=spf1 include:mx.ovh.com include:https://x.example/ ~all"], "error spf-url");
    spf(&["v=spf1 include:mx.ovh.com a:x.example. ~all"], "info spf-final-dot, ok spf-ok");
    spf(&["v=spf1 include:mx.ovh.com redirect=x.example ~all"], "warning spf-redirect-unused");
    spf(&["v=spf1 include:mx.ovh.com ~all a:x.example"], "warning spf-after-all");
    spf(&["v=spf1 include:mx.ovh.com ptr ~all"], "info spf-ptr, ok spf-ok");
    let many = format!("v=spf1 include:mx.ovh.com {}~all", "a:x.example ".repeat(10));
    spf(&[many.as_str()], "error spf-lookups");
}

#[test]
fn the_cure_for_two_records_keeps_the_senders_of_both() {
    let rows = [(DOMAIN, RecordType::Txt, ["v=spf1 include:a.example ~all", "v=spf1 ip4:192.0.2.1 -all"].as_slice())];
    let fix = judged(DnsTopic::Spf, &exchange(), &rows)[0].fix.clone().unwrap();
    insta::assert_snapshot!(fix, @r#"
    replace them by one
    mydomain.ovh. TXT "v=spf1 include:a.example ip4:192.0.2.1 include:mx.ovh.com ~all"
    "#);
}

#[test]
fn keys_are_compared_by_where_they_lead() {
    let name = "ovhex1-selector1._domainkey.mydomain.ovh";
    let dkim = |cname: &[&str], txt: &[&str], said| {
        expect(DnsTopic::Dkim, &[(name, RecordType::Cname, cname), (name, RecordType::Txt, txt)], said);
    };
    let right = "ovhex1-selector1._domainkey.1.aa.dkim.mail.ovh.net";
    let key = "v=DKIM1; k=ed25519; p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    dkim(&[right], &[key], "ok dkim-ok");
    dkim(&[right], &[], "warning dkim-target-missing");
    dkim(&[right], &["v=DKIM1; p="], "error dkim-revoked");
    dkim(&["ovhex1-selector1._domainkey.1.aa.dkim.mail.ovh.net.mydomain.ovh"], &[], "error target-doubled");
    dkim(&["ovhex9-selector1._domainkey.9.aa.dkim.mail.ovh.net"], &[], "error dkim-wrong-target");
    dkim(&[], &[], "warning dkim-missing");
    dkim(&[], &["v=DKIM1; p=AAAA"], "warning dkim-wrong-type");

    let wanted = [record(
        DnsTopic::Dkim,
        "s1._domainkey.mydomain.ovh",
        RecordType::Txt,
        "v=DKIM1; k=ed25519; p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA =",
        Need::Required,
    )];
    for (values, said) in [
        (["k=ed25519; p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="].as_slice(), "ok dkim-ok"),
        (&["v=DKIM1; k=ed25519; p=BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA="], "error dkim-wrong-key"),
        (&["v=DKIM1; p="], "error dkim-revoked"),
        (&["v=DKIM1; k=rsa"], "error dkim-syntax"),
        (&["hello"], "error dkim-syntax"),
        (&["p=AAAA", "p=BBBB"], "error dkim-multiple"),
        (&[], "error dkim-missing"),
    ] {
        let rows = [("s1._domainkey.mydomain.ovh", RecordType::Txt, values)];
        assert_eq!(codes(&judged(DnsTopic::Dkim, &wanted, &rows)), said, "{values:?}");
    }
    assert_eq!(codes(&judged(DnsTopic::Dkim, &[], &[])), "info dkim-not-offered");
}

#[test]
fn policies_are_read_as_receivers_read_them() {
    let dmarc =
        |values: &[&str], said| expect(DnsTopic::Dmarc, &[("_dmarc.mydomain.ovh", RecordType::Txt, values)], said);
    dmarc(&["v=DMARC1; p=reject; rua=mailto:dmarc@mydomain.ovh"], "ok dmarc-ok");
    dmarc(&["v = DMARC1;p=Quarantine"], "ok dmarc-ok");
    dmarc(&["v=DMARC1; p=none"], "info dmarc-none, ok dmarc-ok");
    dmarc(&[], "warning dmarc-missing");
    dmarc(&["v=dmarc1; p=none"], "error dmarc-syntax");
    dmarc(&["v=DMARC1 p=none"], "error dmarc-syntax");
    dmarc(&["v=DMARC1; p=none", "v=DMARC1; p=reject"], "error dmarc-multiple");
    dmarc(&["v=DMARC1; p=stop"], "error dmarc-policy");
    dmarc(&["v=DMARC1; rua=mailto:a@b.example"], "warning dmarc-policy");
    dmarc(&["v=DMARC1; p=reject; rua=me@x.example"], "warning dmarc-report-address");
    dmarc(&["v=DMARC1; p=reject; pct=50"], "info dmarc-obsolete-tag, ok dmarc-ok");
    dmarc(&["v=DMARC1; p=reject; pct=0"], "info dmarc-testing, info dmarc-obsolete-tag, ok dmarc-ok");
    dmarc(&["v=DMARC1; sp=none; p=reject; t=y"], "info dmarc-order, info dmarc-testing, ok dmarc-ok");
    for wrong in ["t=maybe", "psd=x", "adkim=strict", "aspf=", "fo=1:2"] {
        dmarc(&[&format!("v=DMARC1; p=reject; {wrong}")], "warning dmarc-tag-value");
    }
    dmarc(&["v=DMARC1; p=reject; fo=1:d:s; psd=n; adkim=S"], "ok dmarc-ok");
    dmarc(&["v=DMARC1; p=reject", "hello"], "warning dmarc-foreign-text, ok dmarc-ok");
    dmarc(&["v=spf1 -all"], "warning dmarc-foreign-text, warning dmarc-missing");
    expect(
        DnsTopic::Dmarc,
        &[(DOMAIN, RecordType::Txt, &["v=DMARC1; p=reject"])],
        "warning dmarc-missing, warning dmarc-misplaced",
    );
}

#[test]
fn a_subdomain_has_the_policy_of_the_domain_above() {
    let sub = Domain::parse("news.mydomain.ovh").unwrap();
    let topics = BTreeSet::from([DnsTopic::Dmarc]);
    let answers = crate::dns::questions(&sub, &[], &topics).into_iter().map(|q| {
        let found = Verdict::Found { values: vec!["v=DMARC1; p=reject".to_owned()], ttl: 60 };
        let verdict = if q.name == "_dmarc.mydomain.ovh" { found } else { Verdict::NxDomain };
        (q, verdict)
    });
    let server = ServerView { authoritative: true, answers: answers.collect(), ..ServerView::default() };
    assert_eq!(codes(&check(&sub, &topics, &[], &view([server]))), "info dmarc-inherited");
}

#[test]
fn mail_programs_are_not_sent_where_the_domain_no_longer_is() {
    let srv = "_autodiscover._tcp.mydomain.ovh";
    let name = "autodiscover.mydomain.ovh";
    let right: &[&str] = &["0 0 443 ex5.mail.ovh.net"];
    let case = |values: &[&str], said| expect(DnsTopic::Autodiscover, &[(srv, RecordType::Srv, values)], said);
    case(right, "ok autodiscover-ok");
    case(&["5 7 443 ex5.mail.ovh.net"], "ok autodiscover-ok");
    case(&[], "warning autodiscover-missing");
    case(&["0 0 443 mailconfig.ovh.net"], "error autodiscover-leftover");
    case(&["0 0 443 pro1.mail.ovh.net"], "error autodiscover-wrong");
    case(&["0 0 80 ex5.mail.ovh.net"], "error autodiscover-wrong");
    case(&["0 0 0 ."], "warning autodiscover-disabled");
    case(&[right[0], "0 0 443 mailconfig.ovh.net"], "error autodiscover-multiple");
    let alias = |rtype, values: &[&str], said| {
        expect(DnsTopic::Autodiscover, &[(srv, RecordType::Srv, right), (name, rtype, values)], said);
    };
    alias(RecordType::Cname, &["mailconfig.ovh.net"], "ok autodiscover-ok, error autodiscover-leftover");
    alias(RecordType::Cname, &["web.example"], "ok autodiscover-ok, warning autodiscover-shadowed");
    alias(RecordType::Cname, &["ex5.mail.ovh.net"], "ok autodiscover-ok");
    alias(RecordType::A, &["192.0.2.9"], "ok autodiscover-ok, warning autodiscover-shadowed");

    let autoconfig = "autoconfig.mydomain.ovh";
    expect(DnsTopic::Autoconfig, &[], "info autoconfig-not-expected");
    expect(
        DnsTopic::Autoconfig,
        &[(autoconfig, RecordType::Cname, &["mailconfig.ovh.net"])],
        "warning autoconfig-leftover",
    );
    let plan = [record(DnsTopic::Autoconfig, autoconfig, RecordType::Cname, "mailconfig.ovh.net", Need::Recommended)];
    let rows = [(autoconfig, RecordType::Cname, ["mailconfig.ovh.net"].as_slice())];
    assert_eq!(codes(&judged(DnsTopic::Autoconfig, &plan, &rows)), "ok autoconfig-ok", "on MX Plan it belongs there");
}

#[test]
fn proofs_of_ownership_are_compared() {
    let name = "abc-check.mydomain.ovh";
    expect(DnsTopic::Ownership, &[(name, RecordType::Cname, &["ovh.com"])], "ok ownership-ok");
    expect(DnsTopic::Ownership, &[(name, RecordType::Cname, &["x.example"])], "error ownership-wrong");
    expect(DnsTopic::Ownership, &[], "error ownership-missing");
}

#[test]
fn servers_that_differ_are_named_with_what_each_says() {
    let ours: &[&str] = &["1 mx0.mail.ovh.net", "5 mx1.mail.ovh.net"];
    let new = server(DnsTopic::Mx, &exchange(), &[(DOMAIN, RecordType::Mx, ours)]);
    let mut old = server(DnsTopic::Mx, &exchange(), &[(DOMAIN, RecordType::Mx, &["10 old.example"])]);
    old.serial = Some(0);
    let findings = check(&domain(), &BTreeSet::from([DnsTopic::Mx]), &exchange(), &view([new, old]));
    assert_eq!(codes(&findings), "info serials-differ, error servers-differ, error mx-wrong");
    insta::assert_snapshot!(findings[1].actual.clone().unwrap(), @"ns1 (192.0.2.0): 1 mx0.mail.ovh.net, 5 mx1.mail.ovh.net; ns2 (192.0.2.1): 10 old.example");
    assert!(findings[2].message.ends_with("(at ns2 (192.0.2.1))"), "{}", findings[2].message);
}

#[test]
fn what_no_server_answered_is_unknown_and_never_missing() {
    let verdicts = [
        Verdict::ServFail,
        Verdict::Refused,
        Verdict::Timeout,
        Verdict::Lame,
        Verdict::Loop,
        Verdict::Unreachable { reason: "x".to_owned() },
        Verdict::Malformed { reason: "x".to_owned() },
    ];
    let topics = BTreeSet::from([
        DnsTopic::Mx,
        DnsTopic::Spf,
        DnsTopic::Dkim,
        DnsTopic::Dmarc,
        DnsTopic::Autodiscover,
        DnsTopic::Autoconfig,
        DnsTopic::Ownership,
    ]);
    for verdict in verdicts {
        let questions = crate::dns::questions(&domain(), &exchange(), &topics);
        let answers = questions.into_iter().map(|q| (q, verdict.clone())).collect();
        let server = ServerView { answers, ..ServerView::default() };
        let findings = check(&domain(), &topics, &exchange(), &view([server]));
        assert!(findings.iter().all(|f| f.severity == Severity::Unknown), "{verdict:?}: {}", codes(&findings));
        assert!(findings.len() >= topics.len());
    }
    let failed = DnsView { failure: Some("no route".to_owned()), ..DnsView::default() };
    assert_eq!(codes(&check(&domain(), &topics, &exchange(), &failed)), "unknown dns-no-server");
    assert_eq!(codes(&check(&domain(), &topics, &exchange(), &DnsView::default())), "unknown dns-no-server");
}

#[test]
fn one_silent_server_does_not_hide_what_the_other_says() {
    let silent = ServerView {
        answers: [(Question { name: DOMAIN.to_owned(), rtype: RecordType::Mx }, Verdict::Timeout)].into(),
        ..ServerView::default()
    };
    let talking = server(DnsTopic::Mx, &exchange(), &[]);
    let findings = check(&domain(), &BTreeSet::from([DnsTopic::Mx]), &exchange(), &view([talking, silent]));
    assert_eq!(codes(&findings), "unknown server-silent, error mx-missing");
}

#[test]
fn a_server_without_address_is_told() {
    let ours: &[&str] = &["1 mx0.mail.ovh.net", "5 mx1.mail.ovh.net"];
    let talking = server(DnsTopic::Mx, &exchange(), &[(DOMAIN, RecordType::Mx, ours)]);
    let lost = BTreeMap::from([("ns2.gone.example".to_owned(), "no such name".to_owned())]);
    let view = DnsView { lost, ..view([talking]) };
    let findings = check(&domain(), &BTreeSet::from([DnsTopic::Mx]), &exchange(), &view);
    assert_eq!(codes(&findings), "warning server-no-address, ok mx-ok");
}

#[test]
fn both_sides_of_the_cut_are_held_against_each_other() {
    let ours: &[&str] = &["1 mx0.mail.ovh.net", "5 mx1.mail.ovh.net"];
    let judged = |above: &[&str]| {
        let names = |list: &[&str]| list.iter().map(|n| (*n).to_owned()).collect();
        let own = names(&["ns1.host.example", "ns2.host.example"]);
        let cut = Some(ZoneCut { zone: DOMAIN.to_owned(), above: names(above), own });
        let talking = server(DnsTopic::Mx, &exchange(), &[(DOMAIN, RecordType::Mx, ours)]);
        let view = DnsView { cut, ..view([talking]) };
        check(&domain(), &BTreeSet::from([DnsTopic::Mx]), &exchange(), &view)
    };
    let findings = judged(&["ns2.host.example", "ns3.old.example"]);
    assert_eq!(codes(&findings), "warning delegation-differs, ok mx-ok");
    let told = findings.first().and_then(|f| f.actual.clone());
    assert_eq!(told.as_deref(), Some("ns3.old.example only in the zone above; ns1.host.example only in the zone"));
    assert_eq!(codes(&judged(&[])), "warning delegation-missing, ok mx-ok");
}

#[test]
fn what_is_the_platforms_own_is_never_given_out_as_a_placeholder() {
    let open = |topic, name: &str, rtype, value: &str| record(topic, name, rtype, value, Need::Required);
    let wanted = [
        open(DnsTopic::Mx, DOMAIN, RecordType::Mx, "0 *.mail.protection.outlook.com"),
        open(DnsTopic::Dkim, "selector1._domainkey.mydomain.ovh", RecordType::Cname, "selector1-*"),
        open(DnsTopic::Dkim, "google._domainkey.mydomain.ovh", RecordType::Txt, "v=DKIM1; k=rsa; p=*"),
    ];
    for topic in [DnsTopic::Mx, DnsTopic::Dkim] {
        for rows in [&[][..], &[(DOMAIN, RecordType::Mx, ["10 old.example"].as_slice())]] {
            for finding in judged(topic, &wanted, rows) {
                let texts = [finding.fix.clone(), finding.expected.clone()];
                assert!(texts.iter().flatten().all(|text| !text.contains('*')), "{finding:#?}");
                let shown =
                    finding.fix.as_deref().is_some_and(|fix| fix.contains("shows it") || fix.contains("makes it"));
                assert!(shown, "{finding:#?}");
            }
        }
    }
    let own = [open(DnsTopic::Mx, DOMAIN, RecordType::Mx, "10 *")];
    let rows = [(DOMAIN, RecordType::Mx, ["10 any.example"].as_slice())];
    assert_eq!(codes(&judged(DnsTopic::Mx, &own, &rows)), "info mx-present", "any host proves nothing");
}
