//! `check_host()` against zones written for each rule of RFC 7208.

use rehome::{
    dns::spf::{Evaluation, Outcome, Request, evaluate, parse, reach},
    model::{Question, RecordType},
};

use super::scripted::Scripted;

fn request(ip: &str, domain: &str) -> Request {
    Request {
        ip: ip.parse().unwrap(),
        domain: domain.to_owned(),
        sender: Some(format!("jane.doe@{domain}")),
        helo: Some("mail.client.example".to_owned()),
        receiver: "mx.receiver.example".to_owned(),
        time: 1_700_000_000,
    }
}

async fn judge(zone: &str, ip: &str) -> Evaluation {
    evaluate(&Scripted::new(zone), &request(ip, "a.example")).await
}

/// `fail 1/0`: result, lookups, voids.
async fn said(zone: &str, ip: &str) -> String {
    let e = judge(zone, ip).await;
    format!("{} {}/{}", e.result, e.lookups, e.voids)
}

#[tokio::test]
async fn every_mechanism_matches_what_it_names_and_counts_what_it_costs() {
    let hosts = "
        a.example A 192.0.2.1
        a.example AAAA 2001:db8::1
        a.example MX 10 m.a.example
        a.example MX 20 .
        m.a.example A 192.0.2.25
        m.a.example AAAA 2001:db8::25
        i.example TXT v=spf1 ip4:198.51.100.0/24 -all
        r.example TXT v=spf1 ip4:203.0.113.9 ~all
        9.113.0.203.in-addr.arpa PTR host.a.example
        host.a.example A 203.0.113.9
        7.2.0.192.l.a.example A 127.0.0.2";
    for (record, ip, expected) in [
        ("-all", "192.0.2.1", "fail 0/0"),
        ("", "192.0.2.1", "neutral 0/0"),
        ("?all", "192.0.2.1", "neutral 0/0"),
        ("~ALL", "192.0.2.1", "softfail 0/0"),
        ("a -all", "192.0.2.1", "pass 1/0"),
        ("a -all", "2001:db8::1", "pass 1/0"),
        ("a -all", "::ffff:192.0.2.1", "pass 1/0"),
        ("a/24 -all", "192.0.2.200", "pass 1/0"),
        ("a//32 -all", "2001:db8:ffff::7", "pass 1/0"),
        ("a//32 -all", "192.0.2.200", "fail 1/0"),
        ("a/0 -all", "8.8.8.8", "pass 1/0"),
        ("mx -all", "192.0.2.25", "pass 1/0"),
        ("mx//64 -all", "2001:db8::99", "pass 1/0"),
        ("mx:i.example -all", "192.0.2.25", "fail 1/1"),
        ("ip4:192.0.2.0/31 -all", "192.0.2.1", "pass 0/0"),
        ("ip4:192.0.2.0/31 -all", "192.0.2.2", "fail 0/0"),
        ("ip6:2001:db8::/33 -all", "2001:db8:7fff::1", "pass 0/0"),
        ("ip6:2001:db8::/33 -all", "2001:db8:8000::1", "fail 0/0"),
        ("ip6:::/0 -all", "192.0.2.1", "fail 0/0"),
        ("include:i.example -all", "198.51.100.7", "pass 1/0"),
        ("include:I.Example. -all", "192.0.2.7", "fail 1/0"),
        ("-include:i.example +all", "198.51.100.7", "fail 1/0"),
        ("ptr -all", "203.0.113.9", "pass 1/0"),
        ("ptr:b.example -all", "203.0.113.9", "fail 1/0"),
        ("ptr -all", "203.0.113.8", "fail 1/1"),
        ("exists:%{ir}.l.%{d} -all", "192.0.2.7", "pass 1/0"),
        ("exists:%{ir}.l.%{d} -all", "192.0.2.8", "fail 1/1"),
        ("redirect=r.example", "203.0.113.9", "pass 1/0"),
        ("redirect=r.example", "203.0.113.8", "softfail 1/0"),
        ("redirect=r.example -all", "203.0.113.9", "fail 0/0"),
    ] {
        let zone = format!("a.example TXT v=spf1 {record}\n{hosts}");
        assert_eq!(said(&zone, ip).await, expected, "{record} for {ip}");
    }
}

#[tokio::test]
async fn a_mistake_anywhere_makes_the_whole_record_an_error() {
    for record in ["a:x -all", "ip4:192.0.2.1 -all moo", "+all exp=", "all redirect:x.example", "+all a:%{x}.example"] {
        let zone = format!("a.example TXT v=spf1 {record}");
        assert_eq!(said(&zone, "192.0.2.1").await, "permerror 0/0", "{record}");
    }
    let two = "a.example TXT v=spf1 +all\na.example TXT V=SPF1 -all";
    assert_eq!(said(two, "192.0.2.1").await, "permerror 0/0");
    let others = "a.example TXT v=spf10 -all\na.example TXT \"v=spf1 -all\"\na.example TXT hello";
    assert_eq!(said(others, "192.0.2.1").await, "none 0/0");
    assert_eq!(said("a.example TXT v=spf1 a:x.org\\013ptr +all", "192.0.2.1").await, "permerror 0/0");
    assert_eq!(said("a.example TXT v=spf1 a:ü.example +all", "192.0.2.1").await, "permerror 0/0");
}

#[tokio::test]
async fn an_include_without_a_record_is_an_error_and_its_failure_is_none() {
    let with = |record: &str| format!("a.example TXT v=spf1 include:i.example +all\ni.example TXT {record}");
    for (record, expected) in [
        ("v=spf1 +all", "pass 1/0"),
        ("v=spf1 -all", "pass 1/0"),
        ("v=spf1 ?all", "pass 1/0"),
        ("hello", "permerror 1/0"),
        ("v=spf1 moo", "permerror 1/0"),
        ("!timeout", "temperror 1/0"),
        ("!servfail", "temperror 1/0"),
    ] {
        assert_eq!(said(&with(record), "192.0.2.1").await, expected, "{record}");
    }
    assert_eq!(said("a.example TXT v=spf1 redirect=i.example", "192.0.2.1").await, "permerror 1/0");
}

#[tokio::test]
async fn the_limits_are_ten_lookups_two_voids_and_ten_mail_servers() {
    let a = |n: usize| format!("a.example TXT v=spf1 {}-all\nx.example A 192.0.2.1", "a:x.example ".repeat(n));
    assert_eq!(said(&a(10), "192.0.2.9").await, "fail 10/0");
    assert_eq!(said(&a(11), "192.0.2.9").await, "permerror 11/0");
    assert_eq!(said(&a(11), "192.0.2.1").await, "pass 1/0", "a match before the limit counts");
    let circle = "a.example TXT v=spf1 include:b.example -all\nb.example TXT v=spf1 include:a.example -all";
    assert_eq!(said(circle, "192.0.2.1").await, "permerror 11/0");
    let voids = |n: usize| format!("a.example TXT v=spf1 {}-all", "exists:no.example ".repeat(n));
    assert_eq!(said(&voids(2), "192.0.2.9").await, "fail 2/2");
    assert_eq!(said(&voids(3), "192.0.2.9").await, "permerror 3/3");
    let mx = |n: usize| {
        let rows: String =
            (0..n).map(|i| format!("\na.example MX {i} m{i}.example\nm{i}.example A 192.0.2.{i}")).collect();
        format!("a.example TXT v=spf1 mx -all{rows}")
    };
    assert_eq!(said(&mx(10), "192.0.2.9").await, "pass 1/0");
    assert_eq!(said(&mx(11), "192.0.2.1").await, "permerror 1/0");
}

#[tokio::test]
async fn a_failed_question_is_a_temporary_error_and_never_a_result() {
    for term in ["a:x.example", "mx:x.example", "exists:x.example"] {
        for failure in ["!timeout", "!servfail", "!refused", "!loop"] {
            let zone = format!("a.example TXT v=spf1 {term} +all\nx.example A {failure}\nx.example MX {failure}");
            assert_eq!(said(&zone, "192.0.2.1").await, "temperror 1/0", "{term} {failure}");
        }
    }
    assert_eq!(said("a.example TXT !servfail", "192.0.2.1").await, "temperror 0/0");
    let reverse = "a.example TXT v=spf1 ptr ?all\n1.2.0.192.in-addr.arpa PTR !servfail";
    assert_eq!(said(reverse, "192.0.2.1").await, "neutral 1/0", "reverse names are somebody else's");
}

#[tokio::test]
async fn what_is_no_mail_domain_has_no_result() {
    let dns = Scripted::new("example TXT v=spf1 +all");
    for domain in ["example", "", ".", "a..example", "[192.0.2.1]", &format!("{}.example", "a".repeat(64))] {
        assert_eq!(evaluate(&dns, &request("192.0.2.1", domain)).await.result, Outcome::None, "{domain}");
    }
}

#[tokio::test]
async fn the_rejected_are_told_why_and_a_broken_explanation_is_left_out() {
    let told = |zone: String| async move { judge(&zone, "192.0.2.1").await.explanation };
    let zone = |text: &str| format!("a.example TXT v=spf1 -all exp=why.%{{d}}\nwhy.a.example TXT {text}");
    assert_eq!(
        told(zone("%{c} is not %{o}'s (%{l}, %{h}, %{r}, %{t}, %{S})")).await.as_deref(),
        Some(
            "192.0.2.1 is not a.example's (jane.doe, mail.client.example, mx.receiver.example, 1700000000, \
             jane.doe%40a.example)"
        )
    );
    for broken in ["%(c)", "!timeout", "ümlaut", "one\nwhy.a.example TXT two"] {
        assert_eq!(told(zone(broken)).await, None, "{broken}");
    }
    let included =
        "a.example TXT v=spf1 include:i.example -all\ni.example TXT v=spf1 -all exp=why.a.example\nwhy.a.example TXT x";
    assert_eq!(told(included.to_owned()).await, None, "an included explanation is not the domain's");
    let redirected = "a.example TXT v=spf1 redirect=i.example exp=no.example\ni.example TXT v=spf1 -all exp=why.a.example\nwhy.a.example TXT x";
    assert_eq!(told(redirected.to_owned()).await.as_deref(), Some("x"));
}

#[tokio::test]
async fn the_sender_of_a_bounce_is_the_postmaster_of_the_client() {
    let dns = Scripted::new("a.example TXT v=spf1 -all exp=why.a.example\nwhy.a.example TXT %{s}");
    let told = |sender: Option<&str>| {
        let request = Request { sender: sender.map(str::to_owned), ..request("192.0.2.1", "a.example") };
        let dns = dns.clone();
        async move { evaluate(&dns, &request).await.explanation.unwrap() }
    };
    assert_eq!(told(Some("")).await, "postmaster@mail.client.example");
    assert_eq!(told(Some("@b.example")).await, "postmaster@b.example");
    assert_eq!(told(Some("a@b@c.example")).await, "a@b@c.example");
    assert_eq!(told(None).await, "postmaster@a.example");
}

#[tokio::test]
async fn the_name_of_a_client_has_to_lead_back_to_it() {
    let zone = "
        a.example TXT v=spf1 -all exp=why.a.example
        why.a.example TXT %{p}
        1.2.0.192.in-addr.arpa PTR other.example
        1.2.0.192.in-addr.arpa PTR host.a.example
        1.2.0.192.in-addr.arpa PTR forged.a.example
        other.example A 192.0.2.1
        host.a.example A 192.0.2.1
        forged.a.example A 192.0.2.77";
    assert_eq!(judge(zone, "192.0.2.1").await.explanation.as_deref(), Some("host.a.example"));
    assert_eq!(judge(zone, "192.0.2.2").await.explanation.as_deref(), Some("unknown"));
}

#[tokio::test]
async fn a_trace_tells_every_step() {
    let zone = "a.example TXT v=spf1 a:no.example include:i.example -all\ni.example TXT v=spf1 ip4:192.0.2.0/24 ?all";
    let steps = judge(zone, "198.51.100.1").await.trace;
    let lines: Vec<String> =
        steps.iter().map(|s| format!("{}{} | {} | {}", "  ".repeat(s.depth), s.domain, s.term, s.outcome)).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    a.example | v=spf1 | v=spf1 a:no.example include:i.example -all
    a.example | a:no.example | no match
      i.example | v=spf1 | v=spf1 ip4:192.0.2.0/24 ?all
      i.example | ip4:192.0.2.0/24 | no match
      i.example | ?all | match: neutral
    a.example | include:i.example | no match: i.example says neutral
    a.example | -all | match: fail
    ");
}

#[tokio::test]
async fn the_reach_of_a_record_is_counted_through_all_that_it_includes() {
    let dns = Scripted::new(
        "
        i.example TXT v=spf1 ip4:198.51.100.0/24 -ip4:203.0.113.0/24 a:gone.example include:a.example -all
        h.example A 192.0.2.7
        slow.example TXT !timeout",
    );
    let text = "v=spf1 a:h.example/28 include:i.example include:no.example include:slow.example exists:%{i}.x -all";
    let found = reach(&dns, "a.example", &parse(text).unwrap()).await;
    assert_eq!((found.lookups, found.voids), (7, 1));
    let networks: Vec<String> =
        found.networks.iter().map(|n| format!("{}/{} {}", n.address, n.bits, n.samples()[0])).collect();
    assert_eq!(networks, ["192.0.2.7/28 192.0.2.1", "198.51.100.0/24 198.51.100.1"]);
    assert_eq!(found.circle.as_deref(), Some("a.example"));
    assert_eq!(found.broken, [("no.example".to_owned(), "it has no SPF record".to_owned())]);
    let asked = Question { name: "slow.example".to_owned(), rtype: RecordType::Txt };
    assert_eq!(found.unknown.iter().map(|(q, _)| q).collect::<Vec<_>>(), [&asked]);
}
