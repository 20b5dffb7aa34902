//! `rehome dns` and `rehome explain` as a user runs them.

use std::collections::BTreeMap;

use rehome::{
    model::RecordType,
    sandbox::{
        counters::Counters,
        dns::{DnsServer, Fault, Zones},
    },
};
use serde_json::Value;

use crate::binary::{Binary, Ended};

struct Desk {
    binary: Binary,
    server: DnsServer,
    zones: Zones,
    _folder: tempfile::TempDir,
}

impl Desk {
    async fn new() -> Self {
        let zones = Zones::new();
        zones.add_zone("a.example", &["ns1.a.example"]).unwrap();
        zones.add_zone("google.com", &["ns1.google.com"]).unwrap();
        let set = |name: &str, rtype, values: &[&str]| zones.set(name, rtype, values, 600).unwrap();
        set("a.example", RecordType::Mx, &["1 smtp.google.com"]);
        set("a.example", RecordType::Txt, &["v=spf1 include:_spf.google.com ~all"]);
        set("_dmarc.a.example", RecordType::Txt, &["v=DMARC1; p=reject"]);
        let key = "v=DKIM1; k=ed25519; p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        set("google._domainkey.a.example", RecordType::Txt, &[key]);
        set("smtp.google.com", RecordType::A, &["192.0.2.25"]);
        set("_spf.google.com", RecordType::Txt, &["v=spf1 ip4:198.51.100.0/24 ~all"]);
        let server = DnsServer::start(zones.clone(), Counters::new()).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let quick = [("REHOME_DNS_TIMEOUT_MILLIS", "200"), ("NO_COLOR", "1")];
        let variables = quick.map(|(n, v)| (n.to_owned(), v.to_owned()));
        let binary = Binary::new(folder.path(), BTreeMap::from(variables));
        Self { binary, server, zones, _folder: folder }
    }

    fn run(&self, args: &[&str]) -> Ended {
        let at = self.server.address().to_string();
        let args: Vec<&str> = args.iter().copied().chain(["--server", at.as_str()]).collect();
        self.binary.run(&args)
    }

    fn json(&self, args: &[&str], exit: i32) -> Value {
        let args: Vec<&str> = args.iter().copied().chain(["--format", "json"]).collect();
        serde_json::from_str(&self.run(&args).expect(exit).stdout).unwrap()
    }
}

fn fields(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn spf_prints_its_result_and_exits_12_only_when_it_could_not_be_found_out() {
    let desk = Desk::new().await;
    let spf = |ip| ["dns", "spf", "a.example", "--ip", ip];
    let passed = desk.json(&spf("198.51.100.7"), 0);
    let mut names = fields(&passed);
    names.sort_unstable();
    assert_eq!(names, ["explanation", "lookups", "result", "trace", "voids"]);
    assert_eq!(
        (passed["result"].as_str(), passed["lookups"].as_u64(), passed["voids"].as_u64()),
        (Some("pass"), Some(1), Some(0))
    );
    assert!(passed["explanation"].is_null() && !passed["trace"].as_array().unwrap().is_empty());
    assert_eq!(desk.json(&spf("192.0.2.1"), 0)["result"], "softfail");
    assert_eq!(desk.json(&["dns", "spf", "[192.0.2.1]", "--ip", "192.0.2.1", "--sender", ""], 0)["result"], "none");
    desk.zones.fail("_spf.google.com", Some(Fault::Silent));
    assert_eq!(desk.json(&spf("192.0.2.1"), 12)["result"], "temperror");
    let human = desk.run(&spf("192.0.2.1")).expect(12).stdout;
    assert!(
        human
            .starts_with("temperror: 192.0.2.1 for mail of a.example\n1 of 10 lookups, 0 of 2 of them found nothing\n")
    );
    for wrong in [&["dns", "spf", "a.example"][..], &["dns", "spf", "a.example", "--ip", "1.2.3"], &["dns", "spf"]] {
        desk.run(wrong).expect(10);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn check_is_calm_about_a_domain_in_order_and_tells_errors_from_what_is_unknown() {
    let desk = Desk::new().await;
    let check = ["dns", "check", "a.example", "--platform", "google"];
    let calm = desk.json(&check, 0);
    let findings = calm["checked"][0]["findings"].as_array().unwrap();
    let bad: Vec<&Value> =
        findings.iter().filter(|f| !["ok", "info"].contains(&f["severity"].as_str().unwrap())).collect();
    assert!(bad.is_empty(), "{bad:#?}");
    let mx = findings.iter().find(|f| f["code"] == "mx-ok").unwrap();
    assert_eq!(mx["section"], "RFC 5321 5.1");
    assert_eq!(mx["evidence"][0]["answer"]["ttl"], 600);
    let lines = desk.run(&check).expect(0).stdout.lines().filter(|line| !line.is_empty()).count();
    assert!(lines <= 5, "a domain in order takes five calm lines");
    assert!(calm["records"].as_array().unwrap().iter().all(|r| r["standing"] == "same"), "{:#}", calm["records"]);

    desk.zones.set("a.example", RecordType::Mx, &["5 old.example"], 600).unwrap();
    let human = desk.run(&check).expect(8).stdout;
    assert!(human.contains("(mx-wrong)") && human.contains("  + a.example MX 1 smtp.google.com"), "{human}");
    assert!(human.contains("  - a.example MX 5 old.example"), "{human}");
    let (first, at) = (human.lines().nth(1).unwrap(), desk.server.address());
    assert!(first.starts_with("  error   a.example MX: "), "what stops mail stands first: {human}");
    assert!(human.contains(&format!("seen     MX with TTL 600 at {at}")) && human.contains("rule     RFC 5321 5.1"));
    desk.run(&["dns", "check", "a.example", "--platform", "microsoft-365"]).expect(8);

    for fault in [Fault::ServFail, Fault::Silent, Fault::Lame, Fault::Refused] {
        desk.zones.fail("a.example", Some(fault));
        let unknown = desk.json(&check, 12);
        let findings = unknown["checked"][0]["findings"].as_array().unwrap();
        assert!(findings.iter().all(|f| f["severity"] == "unknown" || f["severity"] == "info"), "{findings:#?}");
        assert!(unknown["records"].as_array().unwrap().iter().all(|r| r["standing"] == "unknown"));
    }
    desk.run(&["dns", "check", "a..b"]).expect(10);
    let wrong = desk.run(&["dns", "check", "a.example", "--platform", "gogle"]).expect(10);
    assert!(wrong.stderr.contains("microsoft-365"), "{}", wrong.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_tells_the_long_form_and_helps_with_a_typo() {
    let desk = Desk::new().await;
    let told = desk.binary.run(&["explain", "spf-lookups"]).expect(0).stdout;
    assert!(told.contains("RFC 7208 4.6.4") && told.contains("What to do: "), "{told}");
    let wrong = desk.binary.run(&["explain", "spf-lokups"]).expect(10);
    assert!(wrong.stderr.contains("did you mean `spf-lookups`?"), "{}", wrong.stderr);
    assert!(desk.binary.run(&["explain"]).expect(0).stdout.lines().count() > 90);
}

#[test]
fn verify_says_which_resolver_of_the_spec_still_has_another_answer() {
    let world = crate::world::World::demo();
    crate::world::Ran::ends(world.run(&["apply", "rehome.yaml", "--auto-approve", "--quiet"]), 0);
    let zones = Zones::new();
    zones.add_zone("blue.example", &["ns1.blue.example"]).unwrap();
    zones.set("blue.example", RecordType::Mx, &["10 mail.old.example"], 3600).unwrap();
    let resolver = world.wait_for(DnsServer::start(zones, Counters::new())).unwrap();
    let asked = format!("dns: {{ resolvers: [\"{}\"], verify: ", resolver.address());
    world.respec("dns: { verify: ", &asked);
    let ran = world.run(&["verify", "rehome.yaml", "--what", "dns"]);
    assert!(ran.out.contains("resolver-differs") && ran.out.contains("10 mail.old.example, for 3600 s more"), "{ran}");
    world.respec(&resolver.address().to_string(), "quad9");
    let wrong = world.run(&["validate", "rehome.yaml"]).ends(10);
    assert!(wrong.err.contains("`quad9` is no resolver"), "{wrong}");
    world.leaves_more_to_do();
}
