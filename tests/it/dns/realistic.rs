//! Zones as people publish them, judged by the program as a user runs it: nothing that is right is called wrong, and
//! what is wrong is told once, with what to do.

use std::collections::BTreeMap;

use serde_json::Value;

use super::daemons::{Daemon, here, nsd};
use crate::binary::Binary;

const KEY: &str = "v=DKIM1; k=ed25519; p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// Platforms and services, as far as their customers' zones lead there.
const OTHERS: &[(&str, &str)] = &[
    (
        "google.com",
        r#"
_spf IN TXT "v=spf1 include:_netblocks.google.com include:_netblocks2.google.com ~all"
_netblocks IN TXT "v=spf1 ip4:35.190.247.0/24 ip4:64.233.160.0/19 ~all"
_netblocks2 IN TXT "v=spf1 ip6:2001:4860:4000::/36 ~all"
smtp IN A 142.250.102.27
*.l IN A 142.250.102.26"#,
    ),
    (
        "outlook.com",
        r#"
*.mail.protection IN A 52.101.73.1
spf.protection IN TXT "v=spf1 ip4:40.92.0.0/15 ip6:2a01:111:f400::/48 -all"
autodiscover IN CNAME atod.office.com."#,
    ),
    ("office.com", "atod IN A 52.97.1.1"),
    (
        "onmicrosoft.com",
        r#"
*.t IN TXT "v=DKIM1; k=ed25519; p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=""#,
    ),
    ("ovh.com", r#"mx IN TXT "v=spf1 ip4:46.105.0.0/16 ip4:178.32.0.0/15 ~all""#),
    ("ovh.ca", "mx IN TXT \"v=spf1 ip4:198.50.128.0/17 ~all\"\n*.mail IN A 198.50.128.9"),
    ("ovh.net", "*.mail IN A 188.165.36.237\nmailconfig IN A 188.165.36.1"),
    ("rep.test", r#"*._report._dmarc IN TXT "v=DMARC1""#),
];

const OVH: &str = "@ IN MX 1 mx0.mail.ovh.net.\n@ IN MX 5 mx1.mail.ovh.net.\n@ IN MX 50 mx2.mail.ovh.net.\n@ IN MX 100 \
                   mx3.mail.ovh.net.\n@ IN TXT \"v=spf1 include:mx.ovh.com ~all\"\n_dmarc IN TXT \"v=DMARC1; p=reject\"";

/// A zone, what is given to the program besides, and what it says that is worse than a note.
struct Case {
    zone: &'static str,
    rows: String,
    given: &'static [&'static str],
    told: &'static str,
}

fn case(zone: &'static str, given: &'static [&'static str], told: &'static str, rows: &str) -> Case {
    Case { zone, rows: rows.replace("KEY", KEY), given, told }
}

/// OVHcloud's zone with rows in the place of those that begin alike.
fn ovh(zone: &'static str, told: &'static str, rows: &str) -> Case {
    let head = |row: &str| row.split(' ').take(3).map(str::to_owned).collect::<Vec<_>>();
    let kept = OVH.lines().filter(|row| !rows.lines().any(|new| head(new) == head(row)));
    let all: Vec<&str> = kept.chain(rows.lines()).collect();
    case(zone, &["--platform", "ovh-exchange"], told, &all.join("\n"))
}

fn cases() -> Vec<Case> {
    vec![
        case(
            "m365.test",
            &["--platform", "microsoft-365"],
            "",
            r#"@ IN MX 0 m365-test.mail.protection.outlook.com.
@ IN TXT "v=spf1 include:spf.protection.outlook.com -all"
@ IN TXT "MS=ms12345678"
selector1._domainkey IN CNAME selector1-m365-test._domainkey.t.onmicrosoft.com.
selector2._domainkey IN CNAME selector2-m365-test._domainkey.t.onmicrosoft.com.
autodiscover IN CNAME autodiscover.outlook.com.
_dmarc IN TXT "v=DMARC1; p=reject; rua=mailto:d@rep.test""#,
        ),
        case(
            "legacy.test",
            &["--platform", "google"],
            "",
            r#"@ IN MX 1 aspmx.l.google.com.
@ IN MX 5 alt1.aspmx.l.google.com.
@ IN MX 5 alt2.aspmx.l.google.com.
@ IN MX 10 alt3.aspmx.l.google.com.
@ IN MX 10 alt4.aspmx.l.google.com.
@ IN TXT "v=spf1 include:_spf.google.com ~all"
google._domainkey IN TXT "KEY"
_dmarc IN TXT "v=DMARC1; p=quarantine""#,
        ),
        case(
            "redirect.test",
            &["--platform", "google"],
            "",
            r#"@ IN MX 1 smtp.google.com.
@ IN TXT "v=spf1 redirect=_spf.google.com"
google._domainkey IN TXT "KEY"
_dmarc IN TXT "v=DMARC1; p=quarantine""#,
        ),
        ovh("plain.test", "", ""),
        ovh(
            "nested.test",
            "",
            "@ IN TXT \"v=spf1 include:_spf.nested.test ~all\"\n_spf IN TXT \"v=spf1 include:mx.ovh.com -all\"",
        ),
        ovh("part.test", "error spf-include-missing", "@ IN TXT \"v=spf1 ip4:46.105.0.0/24 ip4:178.32.0.0/15 -all\""),
        ovh("all.test", "error spf-include-missing, error spf-all-pass", "@ IN TXT \"v=spf1 +all\""),
        case(
            "mxplan.test",
            &["--platform", "ovh-mxplan"],
            "",
            r#"@ IN MX 1 mx1.mail.ovh.net.
@ IN MX 5 mx2.mail.ovh.net.
@ IN MX 100 mx3.mail.ovh.net.
@ IN TXT "v=spf1 include:mx.ovh.com ~all"
autoconfig IN CNAME mailconfig.ovh.net.
_autodiscover._tcp IN SRV 0 0 443 mailconfig.ovh.net.
_dmarc IN TXT "v=DMARC1; p=none""#,
        ),
        case(
            "canada.test",
            &["--platform", "ovh-exchange"],
            "",
            "@ IN MX 1 mx1.mail.ovh.ca.\n@ IN MX 5 mx2.mail.ovh.ca.\n@ IN MX 50 mx3.mail.ovh.ca.\n@ IN MX 100 \
             mx4.mail.ovh.ca.\n@ IN TXT \"v=spf1 include:mx.ovh.ca ~all\"\n_dmarc IN TXT \"v=DMARC1; p=none\"",
        ),
        ovh(
            "overlap.test",
            "warning mx-foreign-behind",
            "@ IN MX 1 mx0.mail.ovh.net.\n@ IN MX 5 mx1.mail.ovh.net.\n@ IN MX 50 mx2.mail.ovh.net.\n@ IN MX 100 \
             mx3.mail.ovh.net.\n@ IN MX 300 overlap-test.mail.protection.outlook.com.\n@ IN TXT \"v=spf1 include:mx.ovh.com \
             include:spf.protection.outlook.com ~all\"",
        ),
        case(
            "early.test",
            &["--platform", "google", "--from", "ovh-mxplan"],
            "error mx-foreign-first",
            "@ IN MX 1 mx0.mail.ovh.net.\n@ IN MX 5 mx1.mail.ovh.net.\n@ IN MX 10 smtp.google.com.\n@ IN TXT \"v=spf1 \
             include:mx.ovh.com include:_spf.google.com ~all\"\ngoogle._domainkey IN TXT \"KEY\"\n_dmarc IN TXT \
             \"v=DMARC1; p=none\"",
        ),
        ovh("one.test", "warning mx-incomplete", "@ IN MX 1 mx0.mail.ovh.net."),
        case(
            "parked.test",
            &[],
            "",
            "@ IN MX 0 .\n@ IN TXT \"v=spf1 -all\"\n_dmarc IN TXT \"v=DMARC1; p=reject; sp=reject\"\n*._domainkey IN TXT \
             \"v=DMARC1; p=\"\n",
        ),
        case(
            "bare.test",
            &[],
            "warning mx-missing, warning dmarc-missing",
            "@ IN A 192.0.2.10\n@ IN TXT \"v=spf1 a -all\"",
        ),
        case(
            "own.test",
            &["--platform", "mailcow"],
            "",
            "@ IN MX 10 mail\nmail IN A 192.0.2.20\n@ IN TXT \"v=spf1 mx -all\"\n@ IN A 192.0.2.20\ndkim._domainkey IN TXT \
             \"KEY\"\n_dmarc IN TXT \"v=DMARC1; p=reject\"\ndefault._bimi IN TXT \"v=BIMI1; l=; a=;\"",
        ),
        case("sub.plain.test", &["--platform", "ovh-exchange"], "", OVH.rsplit_once('\n').unwrap().0),
        ovh("wild.test", "warning dkim-wildcard", "* IN TXT \"hello\""),
    ]
}

fn served(folder: &std::path::Path, cases: &[Case]) -> Daemon {
    let head = |apex: &str| {
        format!("$ORIGIN {apex}.\n$TTL 3600\n@ IN SOA ns1 host 1 3600 600 86400 300\n@ IN NS ns1\nns1 IN A 127.0.0.1\n")
    };
    let mut zones: BTreeMap<String, String> =
        OTHERS.iter().map(|(apex, rows)| ((*apex).to_owned(), format!("{}{rows}\n", head(apex)))).collect();
    for case in cases {
        zones.insert(case.zone.to_owned(), format!("{}{}\n", head(case.zone), case.rows));
    }
    zones.insert(
        "2.0.192.in-addr.arpa".to_owned(),
        format!("{}20 IN PTR mail.own.test.\n", head("2.0.192.in-addr.arpa")),
    );
    let zones: Vec<(&str, &str)> = zones.iter().map(|(apex, text)| (apex.as_str(), text.as_str())).collect();
    nsd(folder, &zones)
}

fn checked(binary: &Binary, words: &[&str]) -> Vec<Value> {
    let words: Vec<&str> = ["dns", "check"].iter().chain(words).chain(&["--format", "json"]).copied().collect();
    let told: Value = serde_json::from_str(&binary.run(&words).stdout).unwrap();
    told["checked"][0]["findings"].as_array().unwrap().clone()
}

fn bad(findings: &[Value]) -> String {
    let word = |f: &Value, key: &str| f[key].as_str().unwrap().to_owned();
    let worth = findings.iter().filter(|f| !["ok", "info"].contains(&f["severity"].as_str().unwrap()));
    worth.map(|f| format!("{} {}", word(f, "severity"), word(f, "code"))).collect::<Vec<_>>().join(", ")
}

fn program(folder: &std::path::Path) -> Binary {
    let variables = [("REHOME_DNS_TIMEOUT_MILLIS", "1000"), ("NO_COLOR", "1")];
    Binary::new(folder, variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
}

#[tokio::test(flavor = "multi_thread")]
async fn zones_as_people_publish_them_raise_no_false_alarm_and_leave_nothing_out() {
    if !here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let cases = cases();
    let server = served(folder.path(), &cases);
    let at = server.address.to_string();
    let binary = program(folder.path());
    let mut wrong = Vec::new();
    for case in &cases {
        let words: Vec<&str> = [&[case.zone], case.given, &["--server", &at]].concat();
        let findings = checked(&binary, &words);
        let told = bad(&findings);
        if told != case.told {
            wrong.push(format!("{}: `{told}`, and `{}` is right", case.zone, case.told));
        }
        for finding in findings.iter().filter(|f| f["severity"] == "error") {
            assert!(finding["fix"].as_str().is_some_and(|fix| !fix.is_empty()), "{finding:#}");
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fix_never_says_to_publish_what_is_there() {
    if !here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let broken = "v=DKIM1; k=rsa; p=AAAA";
    let cases = [
        case(
            "key.test",
            &["--platform", "google"],
            "",
            &format!(
                "@ IN MX 1 smtp.google.com.\n@ IN TXT \"v=spf1 include:_spf.google.com ~all\"\ngoogle._domainkey IN TXT \"{broken}\""
            ),
        ),
        ovh("denied.test", "", "@ IN TXT \"v=spf1 -ip4:46.105.0.0/16 include:mx.ovh.com -all\""),
    ];
    let server = served(folder.path(), &cases);
    let at = server.address.to_string();
    let binary = program(folder.path());
    let fix = |zone: &str, given: &[&str], code: &str| {
        let findings = checked(&binary, &[&[zone], given, &["--server", &at]].concat());
        let found = findings.iter().find(|f| f["code"] == code).unwrap_or_else(|| panic!("{code}: {findings:#?}"));
        found["fix"].as_str().unwrap().to_owned()
    };
    let told = fix("key.test", cases[0].given, "dkim-syntax");
    assert!(!told.contains("AAAA") && told.contains("Admin console"), "{told}");
    let told = fix("denied.test", cases[1].given, "spf-platform-denied");
    assert!(told.contains("rehome dns spf denied.test --ip 46.105.") && !told.contains("publish"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_that_somebody_else_keeps_are_read_where_they_are() {
    if !here() {
        return;
    }
    let (own, others) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let rows = "_dmarc IN CNAME hosted._dmarc.keeper.example.\n_smtp._tls IN CNAME gone.keeper.example.";
    let head = "$TTL 3600\n@ IN SOA ns1 host 1 3600 600 86400 300\n@ IN NS ns1\nns1 IN A 127.0.0.1\n";
    let zone =
        format!("$ORIGIN hosted.test.\n{head}{OVH}\n{rows}\n").replace("_dmarc IN TXT \"v=DMARC1; p=reject\"\n", "");
    let server = nsd(own.path(), &[("hosted.test", &zone)]);
    let keeper = format!("$ORIGIN keeper.example.\n{head}hosted._dmarc IN TXT \"v=DMARC1; p=reject\"\n");
    let mut zones = vec![("hosted.test", zone.as_str()), ("keeper.example", keeper.as_str())];
    let ovh: Vec<(&str, String)> = OTHERS
        .iter()
        .filter(|(apex, _)| apex.starts_with("ovh."))
        .map(|(apex, rows)| (*apex, format!("$ORIGIN {apex}.\n{head}{rows}\n")))
        .collect();
    zones.extend(ovh.iter().map(|(apex, text)| (*apex, text.as_str())));
    let world = nsd(others.path(), &zones);
    let (at, resolver) = (server.address.to_string(), world.address.to_string());
    let binary = program(own.path());
    let words = ["hosted.test", "--platform", "ovh-exchange", "--server", &at, "--resolver", &resolver];
    let findings = checked(&binary, &words);
    assert_eq!(bad(&findings), "", "{findings:#?}");
    assert!(findings.iter().any(|f| f["code"] == "dmarc-ok"), "{findings:#?}");
    // Nobody but the keeper can tell: that is no missing record.
    let alone = checked(&binary, &["hosted.test", "--server", &at]);
    assert!(bad(&alone).contains("unknown dns-unknown") && !bad(&alone).contains("dmarc-missing"), "{alone:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_dead_server_of_two_is_told_once_and_the_other_is_judged() {
    if !here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = served(folder.path(), &[ovh("plain.test", "", "")]);
    let dead = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let (at, silent) = (server.address.to_string(), dead.local_addr().unwrap().to_string());
    let variables = [("REHOME_DNS_TIMEOUT_MILLIS", "100"), ("NO_COLOR", "1")];
    let binary = Binary::new(folder.path(), variables.map(|(n, v)| (n.to_owned(), v.to_owned())).into());
    let words = ["plain.test", "--platform", "ovh-exchange", "--server", &at, "--server", &silent];
    let findings = checked(&binary, &words);
    assert_eq!(bad(&findings), "unknown server-silent", "{findings:#?}");
    assert!(findings.iter().any(|f| f["code"] == "mx-ok"), "{findings:#?}");
    let words: Vec<&str> = ["dns", "check"].iter().chain(&words).copied().collect();
    binary.run(&words).expect(12);
}
