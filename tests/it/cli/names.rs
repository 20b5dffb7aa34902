//! What `verify` says of DNS: against the platform, against the spec, and where a platform tells nothing.

use insta::assert_snapshot;
use rehome::{
    model::RecordType,
    sandbox::{
        api::{Fault, FaultKind, When},
        dns,
        residents::EMAIL_PRO,
    },
};
use serde_json::Value;

use crate::world::World;

/// A spec that moves the domain to a server that tells nothing of DNS.
const AWAY: &str = "\
version: 1
platforms:
  exchange:
    kind: ovh-exchange
    organization: hosted-ab12345-1
    service: hosted-ab12345-1
    credentials:
      application_key: { env: OVH_APPLICATION_KEY }
      application_secret: { env: OVH_APPLICATION_SECRET }
      consumer_key: { env: OVH_CONSUMER_KEY }
  own: { kind: imap, imap: { host: imap.own.example } }
domains:
  blue.example:
    platform: own
    migrate: { from: exchange }
    dns: { verify: [mx, spf, dmarc] }
";

fn codes(world: &World, exit: i32) -> Vec<String> {
    let ran = world.run(&["verify", "dns", "rehome.yaml", "--format", "json"]).ends(exit);
    let told: Value = serde_json::from_str(&ran.out).unwrap();
    let findings = told.pointer("/checked/0/findings").and_then(Value::as_array).unwrap();
    findings.iter().map(|f| f["code"].as_str().unwrap().to_owned()).collect()
}

fn applied() -> World {
    let world = World::demo();
    world.run(&["apply", "rehome.yaml", "--auto-approve", "--quiet"]).ends(0);
    world
}

#[test]
fn names_are_held_against_what_the_spec_says_instead_of_the_platform() {
    let world = applied();
    assert!(codes(&world, 0).contains(&"mx-ok".to_owned()));
    world.respec(
        "dns: { verify: [mx, spf, dmarc, autodiscover] }",
        "dns: { verify: [mx, dmarc], mx: [10 mx.other.example], dmarc: 'v=DMARC1; p=reject' }",
    );
    let found = codes(&world, 8);
    assert!(found.contains(&"mx-wrong".to_owned()) && found.contains(&"dmarc-differs".to_owned()), "{found:?}");
}

#[test]
fn a_platform_that_tells_nothing_proves_nothing() {
    let world = World::with(AWAY);
    let found = codes(&world, 8);
    assert!(found.contains(&"mx-left".to_owned()) && !found.contains(&"mx-ok".to_owned()), "{found:?}");
    world.respec("verify: [mx, spf, dmarc]", "verify: [mx], mx: [10 mx.own.example]");
    assert!(codes(&world, 8).contains(&"mx-wrong".to_owned()));
    let zones = world.sandbox().zones();
    zones.set("mx.own.blue.example", RecordType::A, &["192.0.2.7"], 60).unwrap();
    zones.set("blue.example", RecordType::Mx, &["10 mx.own.blue.example"], 60).unwrap();
    world.respec("10 mx.own.example", "10 mx.own.blue.example");
    let found = codes(&world, 0);
    assert!(found.contains(&"mx-ok".to_owned()), "{found:?}");
}

#[test]
fn a_proof_of_ownership_that_the_platform_waits_for_is_judged() {
    let world = World::demo();
    world.respec("verify: [mx, spf, dmarc, autodiscover]", "verify: [ownership]");
    assert_eq!(codes(&world, 0), ["ownership-not-asked"]);
    world.edit(|platforms| platforms.settings.validate_domains = true);
    world.run(&["apply", "rehome.yaml", "--auto-approve", "--no-wait", "--quiet"]);
    assert_eq!(codes(&world, 8), ["ownership-missing"]);
}

#[test]
fn a_platform_that_stops_answering_leaves_dns_unknown() {
    let world = applied();
    // The listing of the service is read first for the inventory, then once more for what it expects.
    let path = format!("/email/pro/{EMAIL_PRO}");
    let fault = Fault { nth: 2, times: 0, ..Fault::once("GET", &path, FaultKind::Html, When::Before) };
    world.sandbox().api().faults().add(fault);
    assert_eq!(codes(&world, 12), ["dns-expectation-unknown"]);
    world.sandbox().api().faults().clear();
}

#[test]
fn what_decides_and_could_not_be_asked_is_no_success() {
    let world = applied();
    for name in ["mx.ovh.com", "mx0.mail.ovh.net"] {
        world.sandbox().zones().fail(name, Some(dns::Fault::ServFail));
        assert!(codes(&world, 12).contains(&"dns-unknown".to_owned()), "{name}");
        world.sandbox().zones().fail(name, None);
    }
    // Whether others take reports decides nothing.
    let zones = world.sandbox().zones();
    let policy = "v=DMARC1; p=none; rua=mailto:r@reports.example";
    zones.set("_dmarc.blue.example", RecordType::Txt, &[policy], 60).unwrap();
    zones.fail("reports.example", Some(dns::Fault::ServFail));
    codes(&world, 0);
}

#[test]
fn a_program_gets_who_said_what_and_the_records_of_each_domain() {
    let world = applied();
    world.autodiscover("ex5.mail.ovh.net");
    let ran = world.run(&["verify", "dns", "rehome.yaml", "--format", "json"]).ends(8);
    let told: Value = serde_json::from_str(&ran.out).unwrap();
    let domain = &told["checked"][0];
    let findings = domain["findings"].as_array().unwrap();
    let wrong = findings.iter().find(|f| f["code"] == "autodiscover-wrong").unwrap();
    assert_eq!((&wrong["section"], &wrong["evidence"][0]["answer"]["ttl"]), (&"RFC 2782".into(), &300.into()));
    let rows = domain["records"].as_array().unwrap();
    let publish: Vec<&Value> = rows.iter().filter(|r| r["standing"] == "publish").collect();
    assert_eq!(publish.len(), 1, "{rows:#?}");
    assert_eq!(
        (&publish[0]["wanted"], &publish[0]["found"][0]),
        (&"0 0 443 pro1.mail.ovh.net".into(), &"0 0 443 ex5.mail.ovh.net".into())
    );
    world.autodiscover("pro1.mail.ovh.net");
}

#[test]
fn mail_and_dns_are_verified_alone_by_a_word_before_the_spec() {
    let world = applied();
    let dns = world.run(&["verify", "dns", "rehome.yaml"]).ends(0);
    assert!(dns.out.contains("DNS of blue.example") && !dns.out.contains("john.smith"), "{dns}");
    let mail = world.run(&["verify", "mail", "rehome.yaml"]).ends(0);
    assert!(!mail.out.contains("DNS of") && mail.out.contains("john.smith"), "{mail}");
    let both = world.run(&["verify", "rehome.yaml"]).ends(0);
    assert!(both.out.contains("DNS of") && both.out.contains("john.smith"), "{both}");
    world.set("REHOME_SPEC", "rehome.yaml");
    let named = world.run(&["verify", "dns"]).ends(0);
    assert!(named.out.contains("DNS of blue.example"), "{named}");
    for wrong in [&["verify", "dns", "rehome.yaml", "--what", "mail"][..], &["verify", "rehome.yaml", "rehome.yaml"]] {
        world.run(wrong).ends(10);
    }
    world.run(&["verify", "./dns"]).ends(10);
    // A spec of that name is found without a dot.
    std::fs::copy(world.dir().join("rehome.yaml"), world.dir().join("dns")).unwrap();
    let spec = world.run(&["verify", "dns"]).ends(0);
    assert!(spec.out.contains("john.smith"), "{spec}");
}

#[test]
fn a_domain_in_order_is_told_in_five_calm_lines() {
    let world = applied();
    let calm = world.run(&["verify", "dns", "rehome.yaml"]).ends(0);
    assert_snapshot!(calm.out, @r"
    DNS of blue.example
      ok MX, SPF, DMARC, Autodiscover as expected
      -- 1 note (use -v)
      =  6 records as the platform wants

    Total: 1 info, 5 ok.
    ");
    assert!(calm.out.lines().filter(|line| !line.is_empty()).count() <= 5, "{calm}");
}

#[test]
fn what_stops_mail_is_told_first() {
    let world = applied();
    let zones = world.sandbox().zones();
    zones.set("blue.example", RecordType::Mx, &["5 mail.old.example"], 3600).unwrap();
    zones.set("blue.example", RecordType::Txt, &["v=spf1 ?all"], 3600).unwrap();
    let broken = world.run(&["verify", "dns", "rehome.yaml"]).ends(8);
    assert_snapshot!(broken.out, @r#"
    DNS of blue.example
      error   blue.example MX: mail for blue.example goes elsewhere: none of its MX records is one of
              the platform's (mx-wrong)
                expected 1 mx0.mail.ovh.net, 5 mx1.mail.ovh.net, 50 mx2.mail.ovh.net, 100
                         mx3.mail.ovh.net
                found    5 mail.old.example
                fix      when the mailboxes are ready, remove them, and publish
                         blue.example. MX 1 mx0.mail.ovh.net.
                         blue.example. MX 5 mx1.mail.ovh.net.
                         blue.example. MX 50 mx2.mail.ovh.net.
                         blue.example. MX 100 mx3.mail.ovh.net.
                seen     MX with TTL 3600 at 127.0.0.1:[PORT]
                rule     RFC 5321 5.1
      error   blue.example SPF: the platform may not send: `include:mx.ovh.com` is missing
              (spf-include-missing)
                expected v=spf1 include:mx.ovh.com ~all
                found    v=spf1 ?all
                fix      publish
                         blue.example. TXT "v=spf1 include:mx.ovh.com ?all"
                seen     TXT with TTL 3600 at 127.0.0.1:[PORT]
                rule     RFC 7208 5.2
      warning blue.example SPF: `?all` says nothing about other senders (spf-all-neutral)
                expected v=spf1 include:mx.ovh.com ~all
                found    v=spf1 ?all
                fix      end it with `~all`, or with `-all` once every sender is listed
                seen     TXT with TTL 3600 at 127.0.0.1:[PORT]
                rule     RFC 7208 5.1
      warning blue.example SPF: 192.0.2.1, a sender of the platform that is being left, does not pass:
              receivers get `neutral` (spf-source-denied)
                expected v=spf1 include:mx.ovh.com ~all
                found    v=spf1 ?all
                fix      until nothing is sent from there any more, publish
                         blue.example. TXT "v=spf1 include:mx.ovh.com ?all"
                seen     TXT with TTL 3600 at 127.0.0.1:[PORT]
                rule     RFC 7208 4
      ok DMARC, Autodiscover as expected
      -- 1 note (use -v)
      records (+ publish, - not the platform's, = as wanted, ? unknown)
        + blue.example MX 1 mx0.mail.ovh.net
        + blue.example MX 5 mx1.mail.ovh.net
        + blue.example MX 50 mx2.mail.ovh.net
        + blue.example MX 100 mx3.mail.ovh.net
        - blue.example MX 5 mail.old.example
        - blue.example TXT v=spf1 ?all
        + blue.example TXT v=spf1 include:mx.ovh.com ?all
      =  1 record as the platform wants

    Total: 2 error, 2 warning, 1 info, 2 ok.
    "#);
    let first = broken.out.lines().nth(1).unwrap();
    assert!(first.contains("blue.example MX"), "{first}");
}
