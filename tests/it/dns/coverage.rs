//! For each code of the table a zone that triggers it and one that does not, served by NSD.
//!
//! The cases are data. A case is the healthy zone with some rows in the place of its own, so that what is found is what
//! was changed, and the zones of all others are those that must not trigger it.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::Duration,
};

use async_trait::async_trait;
use futures::{StreamExt as _, stream};
use rehome::{
    dns::{
        self, Client, Servers,
        audit::{Audit, Page, Web, WebError, join},
        codes,
    },
    model::{DnsTopic, Domain, ExpectedRecord},
};

use super::{
    daemons::{Daemon, here, nsd, signed},
    relay::{Manner, Relay},
};

/// How long a server is waited for. One that is silent over UDP is waited for at every question.
fn client(case: &Case) -> Client {
    let silent = case.manner == Some(Manner::TcpOnly);
    Client { timeout: Duration::from_millis(if silent { 150 } else { 3000 }), authority: true }
}

/// Cases that are judged at the same time.
const AT_ONCE: usize = 8;

/// A zone in which everything is right; `{d}` stands for its name.
const HEALTHY: &str = r#"
@ IN MX 10 mx
mx IN A 192.0.2.25
@ IN TXT "v=spf1 include:_spf.{d} -all"
_spf IN TXT "v=spf1 ip4:192.0.2.0/24 -all"
_dmarc IN TXT "v=DMARC1; p=reject; rua=mailto:r@{d}"
s1._domainkey IN CNAME key
key IN TXT "v=DKIM1; k=ed25519; p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
s2._domainkey IN TXT "v=DKIM1; k=ed25519; p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
_mta-sts IN TXT "v=STSv1; id=1;"
mta-sts IN A 192.0.2.80
_smtp._tls IN TXT "v=TLSRPTv1; rua=mailto:r@{d}"
_imaps._tcp IN SRV 0 1 993 mx
_autodiscover._tcp IN SRV 0 0 443 mx
autoconfig IN CNAME cfg
cfg IN A 192.0.2.81
proof IN CNAME owner
owner IN A 192.0.2.82
default._bimi IN TXT "v=BIMI1; l=https://{d}/l.svg; a="
@ IN CAA 0 issue "ca.example"
"#;

/// What the platform wants: topic, need, name, type, value.
const WANTED: &str = "\
mx required {d} MX 10 mx.{d}
spf recommended {d} TXT v=spf1 include:_spf.{d} ~all
dkim recommended s1._domainkey.{d} CNAME key.{d}
dkim required s2._domainkey.{d} TXT v=DKIM1; k=ed25519; p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
autodiscover recommended _autodiscover._tcp.{d} SRV 0 0 443 mx.{d}
autoconfig recommended autoconfig.{d} CNAME cfg.{d}
autoconfig optional _imaps._tcp.{d} SRV 0 1 993 mx.{d}
ownership required proof.{d} CNAME owner.{d}
";

/// A record that holds the key of the healthy mail server.
const TLSA: &str = "_25._tcp.mx IN TLSA 3 1 1 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

const POLICY: &str = "version: STSv1\nmode: enforce\nmx: mx.{d}\nmax_age: 604800\n";

/// A case: the code that it is about, rows that stand in the place of the healthy ones, and what else is different.
#[derive(Clone, Copy)]
struct Case {
    code: &'static str,
    rows: &'static str,
    /// Lines that stand in the place of those of [`WANTED`] with the same topic; a topic alone takes its lines away.
    wanted: &'static str,
    leaving: &'static str,
    policy: &'static str,
    manner: Option<Manner>,
    signed: bool,
}

const fn zone(code: &'static str, rows: &'static str) -> Case {
    Case { code, rows, wanted: "", leaving: "", policy: POLICY, manner: None, signed: false }
}

const fn signed_zone(code: &'static str, rows: &'static str) -> Case {
    Case { signed: true, ..zone(code, rows) }
}

const fn wanting(code: &'static str, wanted: &'static str, rows: &'static str) -> Case {
    Case { wanted, ..zone(code, rows) }
}

const fn leaving(code: &'static str, leaving: &'static str, rows: &'static str) -> Case {
    Case { leaving, ..zone(code, rows) }
}

const fn policy(code: &'static str, policy: &'static str) -> Case {
    Case { policy, ..zone(code, "") }
}

const fn server(code: &'static str, manner: Manner) -> Case {
    Case { manner: Some(manner), ..zone(code, "") }
}

const CASES: &[Case] = &[
    server("dns-unknown", Manner::Failing),
    zone("dns-elsewhere", "@ IN MX 10 mx.elsewhere.example."),
    server("server-lame", Manner::NoAuthority),
    server("server-tcp-only", Manner::TcpOnly),
    server("ttl-mixed", Manner::MixedTtl),
    server("alias-beside", Manner::AliasBeside),
    zone("wildcard", "* IN A 192.0.2.90"),
    zone("alias-dangling", "autoconfig IN CNAME gone"),
    zone("text-marks", r#"_dmarc IN TXT "v=DMARC1; p=reject; rua=\"mailto:r@{d}\"""#),
    zone("name-doubled", r#"_dmarc.{d} IN TXT "v=DMARC1; p=none""#),
    zone("mx-ok", ""),
    wanting("mx-present", "mx", ""),
    zone("mx-missing", "@ IN MX"),
    zone("mx-null", "@ IN MX 0 ."),
    zone("mx-wrong", "@ IN MX 10 mx2\nmx2 IN A 192.0.2.25"),
    wanting("mx-incomplete", "mx required {d} MX 10 mx.{d}\nmx required {d} MX 20 mx2.{d}", ""),
    wanting(
        "mx-order",
        "mx required {d} MX 10 mx.{d}\nmx required {d} MX 20 mx2.{d}",
        "@ IN MX 30 mx\n@ IN MX 20 mx2\nmx2 IN A 192.0.2.25",
    ),
    zone("mx-foreign-first", "@ IN MX 10 mx\n@ IN MX 5 mx2\nmx2 IN A 192.0.2.25"),
    zone("mx-foreign-behind", "@ IN MX 10 mx\n@ IN MX 50 mx2\nmx2 IN A 192.0.2.25"),
    zone("mx-duplicate", "@ IN MX 10 mx\n@ IN MX 20 mx"),
    zone("mx-target-address", "@ IN MX 10 192.0.2.25."),
    zone("mx-target-name", "@ IN MX 10 m_x\nm_x IN A 192.0.2.25"),
    wanting("mx-doubled", "mx required {d} MX 10 mx0.far.example", "@ IN MX 10 mx0.far.example"),
    zone("mx-target-alias", "mx IN A\nmx IN CNAME real\nreal IN A 192.0.2.25"),
    zone("mx-target-unresolved", "mx IN A"),
    Case { wanted: "mx", ..leaving("mx-left", "mx required {d} MX 10 mx.{d}", "") },
    zone("ptr-ok", ""),
    zone("ptr-missing", "mx IN A 192.0.2.26"),
    zone("ptr-unconfirmed", "mx IN A 192.0.2.27"),
    zone("ptr-several", "mx IN A 192.0.2.28"),
    zone("spf-ok", ""),
    zone("spf-missing", "@ IN TXT"),
    zone("spf-lookalike", r#"@ IN TXT " v=spf1 -all""#),
    zone("spf-multiple", "@ IN TXT \"v=spf1 include:_spf.{d} -all\"\n@ IN TXT \"v=spf1 -all\""),
    zone("spf-syntax", r#"@ IN TXT "v=spf1 include:_spf.{d} inlcude:x.{d} -all""#),
    zone("spf-glued", r#"@ IN TXT "v=spf1 include:_spf.{d} mx~all""#),
    zone("spf-address-family", r#"@ IN TXT "v=spf1 include:_spf.{d} ip4:2001:db8::1 -all""#),
    zone("spf-url", r#"@ IN TXT "v=spf1 include:_spf.{d} include:https://x.{d} -all""#),
    zone("spf-final-dot", r#"@ IN TXT "v=spf1 include:_spf.{d} a:mx.{d}. -all""#),
    zone("spf-redirect-unused", r#"@ IN TXT "v=spf1 include:_spf.{d} redirect=_spf.{d} -all""#),
    zone(
        "spf-lookups",
        r#"@ IN TXT "v=spf1 include:_spf.{d} a:mx.{d} a:mx.{d} a:mx.{d} a:mx.{d} a:mx.{d} a:mx.{d} a:mx.{d} a:mx.{d} a:mx.{d} mx -all""#,
    ),
    zone(
        "spf-lookups-near",
        r#"@ IN TXT "v=spf1 include:_spf.{d} a:mx.{d} a:mx.{d} a:mx.{d} a:mx.{d} a:mx.{d} a:mx.{d} a:mx.{d} a:mx.{d} -all""#,
    ),
    zone("spf-voids", r#"@ IN TXT "v=spf1 a:v1.{d} a:v2.{d} a:v3.{d} include:_spf.{d} -all""#),
    zone("spf-circle", r#"_spf IN TXT "v=spf1 include:{d} ip4:192.0.2.0/24 -all""#),
    zone("spf-include-broken", r#"@ IN TXT "v=spf1 include:_spf.{d} include:none.{d} -all""#),
    zone(
        "spf-size",
        r#"@ IN TXT "v=spf1 include:_spf.{d} ip4:192.0.2.100 ip4:192.0.2.100 ip4:192.0.2.100 ip4:192.0.2.100 ip4:192.0.2.100 ip4:192.0.2.100 ip4:192.0.2.100 ip4:192.0.2.100 ip4:192.0.2.100 ip4:192.0.2.100 ip4:192.0.2.100 " "ip4:192.0.2.100 ip4:192.0.2.100 ip4:192.0.2.100 ip4:192.0.2.100 ip4:192.0.2.100 ip4:192.0.2.100 ip4:192.0.2.100 ip4:192.0.2.100 ip4:192.0.2.100 ip4:192.0.2.100 ip4:192.0.2.100 ip4:192.0.2.100 ip4:192.0.2.100 ip4:192.0.2.100 " "ip4:192.0.2.100 ip4:192.0.2.100 ip4:192.0.2.100 -all""#,
    ),
    zone("spf-ptr", r#"@ IN TXT "v=spf1 include:_spf.{d} ptr -all""#),
    zone("spf-include-missing", r#"@ IN TXT "v=spf1 ip4:198.51.100.0/24 -all""#),
    zone("spf-after-all", r#"@ IN TXT "v=spf1 -all include:_spf.{d}""#),
    zone("spf-redirect", r#"@ IN TXT "v=spf1 redirect=_spf.elsewhere.example""#),
    zone("spf-platform-passes", ""),
    zone("spf-platform-denied", r#"@ IN TXT "v=spf1 -ip4:192.0.2.0/24 include:_spf.{d} -all""#),
    leaving("spf-source-denied", "spf recommended {d} TXT v=spf1 ip4:203.0.113.0/24 -all", ""),
    wanting(
        "spf-merge-too-dear",
        "spf recommended {d} TXT v=spf1 include:_more.{d} ~all",
        "@ IN TXT \"v=spf1 a:mx.{d} a:mx.{d} a:mx.{d} a:mx.{d} a:mx.{d} a:mx.{d} a:mx.{d} a:mx.{d} a:mx.{d} -all\"\n\
         _more IN TXT \"v=spf1 a:mx.{d} ip4:198.51.100.0/24 -all\"",
    ),
    zone("spf-all-neutral", r#"@ IN TXT "v=spf1 include:_spf.{d} ?all""#),
    zone("spf-all-pass", r#"@ IN TXT "v=spf1 include:_spf.{d} +all""#),
    zone("spf-all-missing", r#"@ IN TXT "v=spf1 include:_spf.{d}""#),
    zone("dkim-ok", ""),
    wanting("dkim-not-offered", "dkim", ""),
    zone("dkim-missing", "s1._domainkey IN CNAME"),
    zone("dkim-target-missing", "key IN TXT"),
    zone("dkim-wildcard", r#"*._domainkey IN TXT "hello""#),
    zone("dkim-wrong-target", "s1._domainkey IN CNAME other"),
    zone("dkim-wrong-type", "s1._domainkey IN CNAME\ns1._domainkey IN TXT \"v=DKIM1; p=AAAA\""),
    zone("dkim-multiple", "s2._domainkey IN TXT \"p=AAAA\"\ns2._domainkey IN TXT \"p=BBBB\""),
    zone("dkim-syntax", r#"key IN TXT "v=DKIM1; k=ed25519; p=AAAA""#),
    zone("dkim-revoked", r#"key IN TXT "v=DKIM1; p=""#),
    zone("dkim-wrong-key", r#"s2._domainkey IN TXT "k=ed25519; p=BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA=""#),
    zone("dkim-unusable", r#"key IN TXT "v=DKIM1; k=dsa; p=AAAA""#),
    zone(
        "dkim-weak",
        r#"key IN TXT "v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXF" "xcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxQIDAQAB""#,
    ),
    zone("dkim-testing", r#"key IN TXT "v=DKIM1; t=y; k=ed25519; p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=""#),
    zone("dmarc-ok", ""),
    zone("dmarc-missing", "_dmarc IN TXT"),
    zone("dmarc-syntax", r#"_dmarc IN TXT "v=DMARC1 p=none""#),
    zone("dmarc-multiple", "_dmarc IN TXT \"v=DMARC1; p=none\"\n_dmarc IN TXT \"v=DMARC1; p=reject\""),
    zone("dmarc-policy", r#"_dmarc IN TXT "v=DMARC1; p=stop""#),
    zone("dmarc-none", r#"_dmarc IN TXT "v=DMARC1; p=none""#),
    wanting("dmarc-differs", "dmarc required _dmarc.{d} TXT v=DMARC1; p=none", ""),
    zone("dmarc-foreign-text", "_dmarc IN TXT \"v=DMARC1; p=reject\"\n_dmarc IN TXT \"v=spf1 -all\""),
    zone("dmarc-tag-value", r#"_dmarc IN TXT "v=DMARC1; p=reject; adkim=x""#),
    zone("dmarc-order", r#"_dmarc IN TXT "v=DMARC1; sp=none; p=reject""#),
    zone("dmarc-testing", r#"_dmarc IN TXT "v=DMARC1; p=reject; t=y""#),
    zone("dmarc-report-address", r#"_dmarc IN TXT "v=DMARC1; p=reject; rua=r@{d}""#),
    zone("dmarc-report-refused", r#"_dmarc IN TXT "v=DMARC1; p=reject; rua=mailto:r@silent.test""#),
    zone("dmarc-obsolete-tag", r#"_dmarc IN TXT "v=DMARC1; p=reject; pct=50""#),
    zone("dmarc-misplaced", "@ IN TXT \"v=spf1 include:_spf.{d} -all\"\n@ IN TXT \"v=DMARC1; p=none\""),
    zone("bimi-ok", ""),
    zone("bimi-syntax", r#"default._bimi IN TXT "v=BIMI1; l=http://x""#),
    zone("bimi-policy", r#"_dmarc IN TXT "v=DMARC1; p=none; rua=mailto:r@{d}""#),
    zone("mta-sts-ok", ""),
    zone("mta-sts-absent", "_mta-sts IN TXT"),
    zone("mta-sts-syntax", r#"_mta-sts IN TXT "v=STSv1;""#),
    zone("mta-sts-multiple", "_mta-sts IN TXT \"v=STSv1; id=1;\"\n_mta-sts IN TXT \"v=STSv1; id=2;\""),
    wanting("mta-sts-differs", "mta-sts required _mta-sts.{d} TXT v=STSv1; id=2;", ""),
    wanting("tls-rpt-differs", "tls-rpt required _smtp._tls.{d} TXT v=TLSRPTv1; rua=mailto:other@{d}", ""),
    policy("mta-sts-none", "version: STSv1\nmode: none\nmax_age: 60\n"),
    policy("mta-sts-short", "version: STSv1\nmode: enforce\nmx: mx.{d}\nmax_age: 60\n"),
    policy("mta-sts-policy", "<html>"),
    policy("mta-sts-unreachable", "unreachable"),
    policy("mta-sts-unread", "unread"),
    policy("mta-sts-mx-uncovered", "version: STSv1\nmode: enforce\nmx: old.{d}\nmax_age: 604800\n"),
    wanting("mta-sts-target-uncovered", "mx required {d} MX 10 new.{d}", ""),
    zone("tls-rpt-ok", ""),
    zone("tls-rpt-syntax", r#"_smtp._tls IN TXT "v=TLSRPTv1; rua=me""#),
    zone("tls-rpt-multiple", "_smtp._tls IN TXT \"v=TLSRPTv1; rua=mailto:a@{d}\"\n_smtp._tls IN TXT \"v=TLSRPTv1;\""),
    signed_zone("tlsa-ok", TLSA),
    zone("tlsa-unsigned", TLSA),
    zone("tlsa-unusable", "_25._tcp.mx IN TLSA 1 1 1 aa"),
    zone("autodiscover-ok", ""),
    wanting("autodiscover-not-expected", "autodiscover", ""),
    zone("autodiscover-missing", "_autodiscover._tcp IN SRV"),
    zone("autodiscover-disabled", "_autodiscover._tcp IN SRV 0 0 0 ."),
    zone("autodiscover-leftover", "_autodiscover._tcp IN SRV 0 0 443 mailconfig.ovh.net."),
    zone("autodiscover-wrong", "_autodiscover._tcp IN SRV 0 0 443 key"),
    zone("autodiscover-multiple", "_autodiscover._tcp IN SRV 0 0 443 mx\n_autodiscover._tcp IN SRV 0 0 443 key"),
    zone("autodiscover-shadowed", "autodiscover IN A 192.0.2.83"),
    zone("autoconfig-ok", ""),
    wanting("autoconfig-not-expected", "autoconfig", ""),
    zone("autoconfig-missing", "autoconfig IN CNAME"),
    zone("autoconfig-leftover", "autoconfig IN CNAME mailconfig.ovh.net."),
    zone("autoconfig-wrong", "autoconfig IN CNAME mx"),
    zone("srv-ok", ""),
    zone("srv-missing", "_imaps._tcp IN SRV"),
    zone("srv-wrong", "_imaps._tcp IN SRV 0 1 993 cfg"),
    wanting(
        "target-doubled",
        "autodiscover recommended _autodiscover._tcp.{d} SRV 0 0 443 a.far.example",
        "_autodiscover._tcp IN SRV 0 0 443 a.far.example",
    ),
    zone("srv-contradiction", "_imaps._tcp IN SRV 0 1 993 mx\n_imaps._tcp IN SRV 0 0 0 ."),
    zone("srv-target-alias", "_imaps._tcp IN SRV 0 1 993 autoconfig"),
    zone("srv-target-unresolved", "_imaps._tcp IN SRV 0 1 993 gone"),
    zone("ownership-ok", ""),
    zone("ownership-missing", "proof IN CNAME"),
    zone("ownership-wrong", "proof IN CNAME mx"),
    wanting("ownership-not-asked", "ownership", ""),
    zone("caa-present", ""),
    zone("caa-forbids", "@ IN CAA 0 issue \";\""),
];

/// Codes that no single zone at a server with authority triggers, and the test that triggers each.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    (
        "dns-no-server",
        include_str!("../../../src/dns/check/table.rs"),
        "what_no_server_answered_is_unknown_and_never_missing",
    ),
    ("dns-expectation-unknown", include_str!("../cli/names.rs"), "a_platform_that_stops_answering_leaves_dns_unknown"),
    ("server-no-address", include_str!("../../../src/dns/check/table.rs"), "a_server_without_address_is_told"),
    (
        "delegation-differs",
        include_str!("../../../src/dns/check/table.rs"),
        "both_sides_of_the_cut_are_held_against_each_other",
    ),
    (
        "delegation-missing",
        include_str!("../../../src/dns/check/table.rs"),
        "both_sides_of_the_cut_are_held_against_each_other",
    ),
    (
        "server-silent",
        include_str!("../../../src/dns/check/table.rs"),
        "one_silent_server_does_not_hide_what_the_other_says",
    ),
    ("servers-differ", include_str!("real.rs"), "two_servers_that_disagree_are_both_named"),
    ("server-rotates", include_str!("real.rs"), "a_server_whose_answers_rotate_is_told_from_one_that_is_behind"),
    ("serials-differ", include_str!("real.rs"), "two_servers_that_disagree_are_both_named"),
    ("ttl-differs", include_str!("real.rs"), "two_servers_that_disagree_are_both_named"),
    ("resolver-differs", include_str!("audit.rs"), "resolvers_are_held_against_the_servers_with_authority"),
    ("resolver-failed", include_str!("audit.rs"), "resolvers_are_held_against_the_servers_with_authority"),
    ("dnssec-bogus", include_str!("dnssec.rs"), "the_command_tells_bogus_from_secure_from_insecure"),
    ("dnssec-secure", include_str!("dnssec.rs"), "the_command_tells_bogus_from_secure_from_insecure"),
    ("dnssec-insecure", include_str!("dnssec.rs"), "the_command_tells_bogus_from_secure_from_insecure"),
    ("dnssec-unknown", include_str!("dnssec.rs"), "the_command_tells_bogus_from_secure_from_insecure"),
    ("apex-alias", include_str!("audit.rs"), "each_mistake_has_its_own_code"),
    ("dmarc-inherited", include_str!("real.rs"), "a_policy_above_holds_as_it_says_for_names_below"),
    ("spf-merge-loses", include_str!("audit.rs"), "a_record_that_would_shut_somebody_out_is_not_proposed"),
];

/// The rows of a case: the healthy ones but for the names and types that the case has its own rows for.
fn rows(case: &Case) -> String {
    let key = |row: &str| row.split(' ').filter(|w| *w != "IN").take(2).map(str::to_owned).collect::<Vec<_>>();
    let own: BTreeSet<Vec<String>> = case.rows.lines().map(key).collect();
    let kept = HEALTHY.lines().filter(|row| !row.is_empty() && !own.contains(&key(row)));
    let added = case.rows.lines().filter(|row| row.split(' ').count() > 3);
    kept.chain(added).map(|row| format!("{row}\n")).collect()
}

fn records(lines: &str, domain: &str) -> Vec<ExpectedRecord> {
    let word = |text: &str| serde_json::Value::from(text.to_owned());
    let one = |line: &str| {
        let words: Vec<&str> = line.splitn(5, ' ').collect();
        ExpectedRecord {
            topic: serde_json::from_value(word(words[0])).unwrap(),
            need: serde_json::from_value(word(words[1])).unwrap(),
            name: words[2].replace("{d}", domain),
            rtype: serde_json::from_value(word(words[3])).unwrap(),
            value: words[4].replace("{d}", domain),
        }
    };
    lines.lines().filter(|line| line.contains(' ')).map(one).collect()
}

fn wanted(case: &Case, domain: &str) -> Vec<ExpectedRecord> {
    let topic = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    let own: BTreeSet<String> = case.wanted.lines().map(topic).collect();
    let kept: String = WANTED.lines().filter(|line| !own.contains(&topic(line))).map(|l| format!("{l}\n")).collect();
    records(&format!("{kept}{}", case.wanted), domain)
}

/// The web as the case has it.
struct Pages(String);

#[async_trait]
impl Web for Pages {
    async fn get(&self, _: &str, _: &str, _: &[SocketAddr]) -> Result<Page, WebError> {
        match self.0.as_str() {
            "unreachable" => Err(WebError::Unreachable("no route".to_owned())),
            body => Ok(Page { status: 200, media: "text/plain".to_owned(), body: body.to_owned() }),
        }
    }
}

async fn judged(case: &Case, name: &str, at: SocketAddr) -> BTreeSet<String> {
    let domain = Domain::parse(name).unwrap();
    let (expected, leaving) = (wanted(case, name), records(case.leaving, name));
    let topics: BTreeSet<DnsTopic> = DnsTopic::ALL.into();
    let client = client(case);
    let view = client.observe(&domain, &expected, &topics, &[at]).await;
    let own = dns::check(&domain, &topics, &expected, &view);
    let world = Servers::new(Client { authority: false, ..client }, vec![at]);
    let web = Pages(case.policy.replace("{d}", name));
    let audit = Audit {
        domain: &domain,
        expected: &expected,
        leaving: &leaving,
        view: &view,
        dns: &world,
        web: (case.policy != "unread").then_some(&web as &dyn Web),
        selectors: &[],
        partial: true,
    };
    let findings = join(own, audit.run().await.findings);
    for finding in &findings {
        let fix = finding.fix.as_deref().unwrap_or_default();
        assert!(!fix.contains('*') || finding.code.contains("wildcard"), "a placeholder is no fix: {finding:#?}");
    }
    findings.into_iter().map(|f| f.code).collect()
}

/// NSD with a zone for each case, and those that they lead to.
fn served(folder: &std::path::Path) -> Daemon {
    let head = |apex: &str| {
        format!("$ORIGIN {apex}.\n$TTL 300\n@ IN SOA ns1 host 1 3600 600 86400 300\n@ IN NS ns1\nns1 IN A 127.0.0.1\n")
    };
    let mut zones: Vec<(String, String)> = CASES
        .iter()
        .enumerate()
        .map(|(n, case)| {
            let apex = format!("c{n:03}.test");
            let text = format!("{}{}", head(&apex), rows(case).replace("{d}", &apex));
            let text = if case.signed { signed(folder, &apex, &text).0 } else { text };
            (apex, text)
        })
        .collect();
    let names =
        "25 IN PTR mx.c000.test.\n27 IN PTR gone.silent.test.\n28 IN PTR mx.silent.test.\n28 IN PTR mx2.silent.test.\n";
    zones.push(("2.0.192.in-addr.arpa".to_owned(), format!("{}{names}", head("2.0.192.in-addr.arpa"))));
    let hosts = "mx IN A 192.0.2.28\nmx2 IN A 192.0.2.28\n";
    zones.push(("silent.test".to_owned(), format!("{}{hosts}", head("silent.test"))));
    zones.push(("test".to_owned(), head("test")));
    let zones: Vec<(&str, &str)> = zones.iter().map(|(apex, text)| (apex.as_str(), text.as_str())).collect();
    nsd(folder, &zones)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_code_has_a_zone_that_triggers_it_and_one_that_does_not() {
    if !here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = served(folder.path());
    let to = server.address;
    let cases = CASES.iter().enumerate().map(|(n, case)| async move {
        let relay = match case.manner {
            Some(manner) => Some(Relay::start(to, manner).await),
            None => None,
        };
        let at = relay.as_ref().map_or(to, |r| r.address);
        (case.code, judged(case, &format!("c{n:03}.test"), at).await)
    });
    let found: Vec<(&str, BTreeSet<String>)> = stream::iter(cases).buffer_unordered(AT_ONCE).collect().await;
    let mut told: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (case, found) in &found {
        if !found.contains(*case) {
            wrong.push(format!("{case} is not found, but {found:?}"));
        }
        for code in codes::words().into_iter().filter(|code| found.contains(*code)) {
            told.entry(code).or_default().insert(case);
        }
    }
    for code in codes::words() {
        match elsewhere(code) {
            Some((text, test)) => {
                let named = text.contains(&format!("fn {test}(")) && text.contains(code);
                wrong.extend((!named).then(|| format!("{code}: there is no test {test} that speaks of it")));
            }
            None => {
                let by = told.get(code).map_or(0, BTreeSet::len);
                wrong.extend((by == 0).then(|| format!("{code}: no zone triggers it")));
                wrong.extend((by == CASES.len()).then(|| format!("{code}: every zone triggers it")));
            }
        }
    }
    // What is right is said of the healthy zone, and nothing else.
    let (n, healthy) = CASES.iter().enumerate().find(|(_, case)| case.code == "mx-ok").unwrap();
    let calm = judged(healthy, &format!("c{n:03}.test"), server.address).await;
    let bad: Vec<&String> = calm
        .iter()
        .filter(|code| codes::code(code).is_some_and(|c| c.severity >= rehome::diag::Severity::Warning))
        .collect();
    wrong.extend((!bad.is_empty()).then(|| format!("of the healthy zone: {bad:?}")));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn elsewhere(code: &str) -> Option<(&'static str, &'static str)> {
    ELSEWHERE.iter().find(|(known, ..)| *known == code).map(|(_, text, test)| (*text, *test))
}
