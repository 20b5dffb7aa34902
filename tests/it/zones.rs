//! Zones that rehome writes, by the program, in the sandbox.

use insta::assert_snapshot;
use rehome::{
    model::{Address, RecordType},
    sandbox::{
        api::{FaultKind, When, world::Record},
        corpus::{FolderMail, Message},
    },
};

use crate::world::World;

pub const ZONE: &str = "blue.example";

/// The demo with a zone that may be written.
pub fn managed() -> World {
    let spec = crate::world::DEMO.replace(
        "dns: { verify: [mx, spf, dmarc, autodiscover] }",
        "dns: { manage: ovh-zone, verify: [mx, spf, dkim, dmarc, autodiscover] }",
    );
    let world = World::with(&spec);
    edit_zone(&world, |_| {});
    world
}

/// Changes the working copy of the zone and publishes it, as its owner would in the console.
pub fn edit_zone(world: &World, change: impl FnOnce(&mut Vec<Record>)) {
    let domain = rehome::model::Domain::parse(ZONE).unwrap();
    let live = world.edit(|platforms| {
        let mut rows: Vec<Record> = platforms.zones[&domain].records.values().cloned().collect();
        change(&mut rows);
        let fresh: Vec<(u64, Record)> = rows.into_iter().map(|r| (platforms.id(), r)).collect();
        let zone = platforms.zones.get_mut(&domain).unwrap();
        zone.records = fresh.into_iter().collect();
        zone.live = zone.records.values().cloned().collect();
        zone.live.clone()
    });
    let zones = world.sandbox().zones();
    let mut sets: std::collections::BTreeMap<(String, RecordType), (u32, Vec<String>)> = Default::default();
    for record in live {
        let name = if record.sub_domain.is_empty() { ZONE.to_owned() } else { format!("{}.{ZONE}", record.sub_domain) };
        let rtype: RecordType = serde_json::from_value(record.wire_type().into()).unwrap();
        let value = record.target.trim_matches('"').trim_end_matches('.').to_owned();
        let set = sets.entry((name, rtype)).or_insert((record.wire_ttl(), Vec::new()));
        set.1.push(value);
    }
    for ((name, rtype), (ttl, values)) in sets {
        zones.set(&name, rtype, &values, ttl).unwrap();
    }
}

pub fn served(world: &World, name: &str, rtype: RecordType) -> Vec<String> {
    let mut all = world.sandbox().zones().get(name, rtype);
    all.sort();
    all
}

pub fn apply(world: &World, more: &[&str]) -> crate::world::Ran {
    world.run(&[&["apply", "rehome.yaml", "--auto-approve"], more].concat())
}

#[test]
fn records_are_shown_as_they_go_and_come_and_are_then_served() {
    let world = managed();
    edit_zone(&world, |rows| {
        for row in rows.iter_mut().filter(|r| r.field_type == "SPF") {
            row.target = "\"v=spf1 ip4:198.51.100.7 -all\"".to_owned();
        }
        rows.push(Record::new("", "TXT", "\"google-site-verification=abc\""));
    });
    let shown = world.run(&["plan", "rehome.yaml"]).ends(0);
    assert_snapshot!(section(&shown.out, "set records"), @r#"
      ~  set records      blue.example TXT  1 out, 1 in, 1 kept
                          - blue.example. 3600 IN TXT "v=spf1 ip4:198.51.100.7 -all"
                          + blue.example. 3600 IN TXT "v=spf1 ip4:198.51.100.7 include:mx.ovh.com -all"
    "#);
    let markdown = world.run(&["plan", "rehome.yaml", "--format", "markdown"]).ends(0).out;
    assert!(
        markdown.contains("```diff\n- blue.example. 3600 IN TXT \"v=spf1 ip4:198.51.100.7 -all\"\n+ "),
        "{markdown}"
    );
    let html = world.run(&["plan", "rehome.yaml", "--format", "html"]).ends(0).out;
    assert!(html.contains("<pre class=\"records\"><span class=\"bad\">- blue.example. 3600 IN TXT "), "{html}");
    apply(&world, &[]).ends(0);
    let kept = ["google-site-verification=abc", "v=spf1 ip4:198.51.100.7 include:mx.ovh.com -all"];
    assert_eq!(served(&world, ZONE, RecordType::Txt), kept);
    assert_eq!(served(&world, ZONE, RecordType::Mx).len(), 4, "what is right is left alone");

    // The platform has the domain now, and names its keys and its own host.
    let later = world.run(&["plan", "rehome.yaml"]).ends(0).out;
    assert!(later.contains("_autodiscover._tcp.blue.example SRV"), "{later}");
    apply(&world, &[]).ends(0);
    assert_eq!(served(&world, "_autodiscover._tcp.blue.example", RecordType::Srv), ["0 0 443 pro1.mail.ovh.net"]);
    world.settle();
}

#[test]
fn a_rollback_puts_the_records_back_and_leaves_what_others_changed() {
    let world = managed();
    apply(&world, &[]).ends(0);
    apply(&world, &[]).ends(0);
    let before = world.run(&["plan", "rehome.yaml", "--rollback", "run-000002", "--format", "json"]).ends(0).out;
    assert!(before.contains("\"dns.set:blue.example/_autodiscover._tcp/SRV\""), "{before}");
    edit_zone(&world, |rows| {
        rows.iter_mut().filter(|r| r.field_type == "SRV").for_each(|r| r.target = "0 0 443 mine.example.".to_owned());
    });
    let after = world.run(&["plan", "rehome.yaml", "--rollback", "run-000002"]).ends(0).out;
    assert!(after.contains("were changed since the run"), "{after}");
    world.leaves_more_to_do();
}

#[test]
fn a_zone_that_changed_after_the_plan_makes_it_stale() {
    let world = managed();
    apply(&world, &[]).ends(0);
    world.leaves_more_to_do();
    world.run(&["plan", "rehome.yaml", "--out", "plan.json"]).ends(0);
    edit_zone(&world, |rows| {
        rows.iter_mut().filter(|r| r.field_type == "SRV").for_each(|r| r.target = "0 0 443 mine.example.".to_owned());
    });
    let stale = world.run(&["apply", "plan.json"]).ends(5);
    assert!(stale.err.contains("dns:blue.example/SRV/_autodiscover._tcp.blue.example"), "{}", stale.err);

    // Between the look and the write the API itself is asked again.
    edit_zone(&world, |rows| {
        rows.iter_mut()
            .filter(|r| r.field_type == "SRV")
            .for_each(|r| r.target = "0 0 443 ex5.mail.ovh.net.".to_owned());
    });
    world.edit(|platforms| {
        let domain = rehome::model::Domain::parse(ZONE).unwrap();
        let zone = platforms.zones.get_mut(&domain).unwrap();
        zone.records
            .values_mut()
            .filter(|r| r.field_type == "SRV")
            .for_each(|r| r.target = "0 0 443 x.example.".to_owned());
    });
    let stale = world.run(&["apply", "plan.json"]);
    assert!([3, 5].contains(&stale.code) && stale.err.contains("which the plan did not see"), "{stale}");
    assert_eq!(served(&world, "_autodiscover._tcp.blue.example", RecordType::Srv), ["0 0 443 ex5.mail.ovh.net"]);
}

#[test]
fn a_crash_between_write_and_refresh_is_finished_without_writing_twice() {
    let world = managed();
    apply(&world, &[]).ends(0);
    world.leaves_more_to_do();
    world.fails("POST", "/domain/zone/blue.example/refresh", FaultKind::Drop, When::Before);
    let broken = apply(&world, &[]);
    assert_ne!(broken.code, 0, "{broken}");
    world.sandbox().api().faults().clear();
    world.run(&["resume", "rehome.yaml"]).ends(0);
    let rows = world.edit(|platforms| {
        let domain = rehome::model::Domain::parse(ZONE).unwrap();
        platforms.zones[&domain].records.values().filter(|r| r.field_type == "SRV").count()
    });
    assert_eq!(rows, 1);
    assert_eq!(served(&world, "_autodiscover._tcp.blue.example", RecordType::Srv), ["0 0 443 pro1.mail.ovh.net"]);
}

#[test]
fn what_may_not_be_written_is_told_with_the_record_to_publish() {
    let world = managed();
    apply(&world, &[]).ends(0);
    world.leaves_more_to_do();
    world.respec("manage: ovh-zone,", "manage: ovh-zone, records: [dkim], dmarc: \"v=DMARC1; p=reject\",");
    let shown = world.run(&["plan", "rehome.yaml"]).ends(0).out;
    assert!(shown.contains("`records` leaves dmarc to you"), "{shown}");
    assert!(shown.contains("_autodiscover._tcp.blue.example. SRV 0 0 443 pro1.mail.ovh.net."), "{shown}");
    assert!(shown.contains("_dmarc.blue.example. TXT \"v=DMARC1; p=reject\""), "{shown}");
    assert!(!shown.contains("set records"), "{shown}");
    world.respec("records: [dkim]", "records: [dkim, dmarc]");
    apply(&world, &[]).ends(4);
    // Mail programs are still sent to the old host, which nobody may correct here, and the check says so.
    apply(&world, &["--ack", "dmarc-tightening"]).ends(8);
    assert_eq!(served(&world, "_dmarc.blue.example", RecordType::Txt), ["v=DMARC1; p=reject"]);
}

#[test]
fn servers_that_do_not_answer_never_become_a_record_to_create() {
    let world = managed();
    world.sandbox().zones().fail(ZONE, Some(rehome::sandbox::dns::Fault::ServFail));
    let shown = world.run(&["plan", "rehome.yaml"]);
    assert!(shown.out.contains("dns-unknown") && !shown.out.contains("set records"), "{shown}");
}

/// A move to servers of somebody else: john.smith and nobody else, whose mailbox there is one of the sandbox's.
pub fn parallel(cutover: &str) -> World {
    let spec = format!(
        "version: 1\nplatforms:\n  exchange:\n    kind: ovh-exchange\n    organization: hosted-ab12345-1\n    service: \
         hosted-ab12345-1\n    credentials:\n      application_key: {{ env: OVH_APPLICATION_KEY }}\n      \
         application_secret: {{ env: OVH_APPLICATION_SECRET }}\n      consumer_key: {{ env: OVH_CONSUMER_KEY }}\n  new: \
         {{ kind: imap, imap: {{ host: 127.0.0.1 }} }}\ndomains:\n  blue.example:\n    platform: new\n    migrate: {{ \
         from: exchange, strategy: parallel }}\n    dns: {{ manage: ovh-zone, records: [mx], mx: [\"10 \
         mx.new.example\"], verify: [mx], cutover: {cutover} }}\naccounts:\n  john.smith@blue.example:\n    password: {{ \
         env: NEW_PASSWORD }}\n    mail: {{ source_password: {{ env: PASSWORD_JOHN_SMITH_BLUE_EXAMPLE }} }}\n"
    );
    let world = World::with(&spec);
    let address = Address::parse("john.smith@blue.example").unwrap();
    let service = rehome::sandbox::residents::EXCHANGE_2;
    let made = world.sandbox().mail().create(service, &address, "there-in-the-new-place");
    world.wait_for(made).unwrap();
    let endpoint = world.sandbox().mail().endpoint(service);
    world.set("REHOME_IMAP_NEW", &format!("imap://{}:{}", endpoint.host, endpoint.port));
    world.set("NEW_PASSWORD", "there-in-the-new-place");
    edit_zone(&world, |_| {});
    world
}

#[test]
fn a_parallel_move_lowers_the_ttl_waits_asks_moves_and_raises_it() {
    let world = parallel("{ ttl: 120, margin: 600 }");
    let shown = world.run(&["plan", "rehome.yaml"]).ends(0);
    assert_snapshot!(shown.out.split_once("\nCutover\n").unwrap().1.split_once("\nDoes not").unwrap().0, @r"
      |  wait to move MX  blue.example
                          until the TTL is lowered everywhere, 70 minutes, and until somebody approves
      ~! set records      blue.example MX          4 out, 1 in
                          - blue.example. 120 IN MX 1 mx0.mail.ovh.net.
                          - blue.example. 120 IN MX 5 mx1.mail.ovh.net.
                          - blue.example. 120 IN MX 50 mx2.mail.ovh.net.
                          - blue.example. 120 IN MX 100 mx3.mail.ovh.net.
                          + blue.example. 120 IN MX 10 mx.new.example.
      |  wait for new MX  blue.example             at every server, then 12 minutes
      ~  set TTL          blue.example MX          1 kept, TTL 120 to 3600
                          - blue.example. 120 IN MX 10 mx.new.example.
                          + blue.example. 3600 IN MX 10 mx.new.example.
      ?  verify DNS       blue.example             mx for new
      =  copy             john.smith@blue.example
                          from exchange john.smith@blue.example, pass 3, then late mail
      ?  verify mail      john.smith@blue.example  against exchange john.smith@blue.example

    Guards
      ! mx-change: 1 action, needs your word
          mail for blue.example will be sent to 10 mx.new.example instead of 1 mx0.mail.ovh.net, 5
          mx1.mail.ovh.net, 50 mx2.mail.ovh.net, 100 mx3.mail.ovh.net
        agree with: --ack mx-change
    ");
    apply(&world, &["--no-wait"]).ends(4);
    let waiting = apply(&world, &["--no-wait", "--ack", "mx-change"]).ends(7);
    assert!(waiting.err.contains("moves not before"), "{waiting}");
    assert_eq!(served(&world, ZONE, RecordType::Mx).len(), 4);
    world.run(&["cutover", "status", "rehome.yaml"]).ends(7);

    // An hour and the margin later only a person's word is missing.
    world.set("REHOME_AHEAD_SECONDS", "4300");
    let asking = world.run(&["resume", "rehome.yaml", "--no-wait"]).ends(7);
    assert!(asking.err.contains("rehome cutover approve blue.example"), "{asking}");
    world.run(&["cutover", "hold", ZONE, "rehome.yaml"]).ends(0);
    let held = world.run(&["resume", "rehome.yaml", "--no-wait"]).ends(7);
    assert!(held.err.contains("tester holds"), "{held}");
    world.run(&["cutover", "approve", ZONE, "rehome.yaml"]).ends(0);
    let mail = |service: &str| world.mail(service, "john.smith@blue.example").len();
    arrives(&world, "while the move waited");
    world.run(&["resume", "rehome.yaml", "--no-wait"]).ends(7);
    assert_eq!(served(&world, ZONE, RecordType::Mx), ["10 mx.new.example"]);
    assert_eq!(mail("exchange2"), 9, "what came before the move is fetched as soon as it is made");
    arrives(&world, "by the MX of yesterday");

    world.set("REHOME_AHEAD_SECONDS", "5100");
    world.run(&["resume", "rehome.yaml", "--no-wait"]).ends(0);
    let status = world.run(&["cutover", "status", "rehome.yaml"]).ends(0);
    assert_snapshot!(status.out, @r"
    blue.example in run-000001: approved by tester
      done  dns.ttl:blue.example/MX
      done  cutover.wait:blue.example
      done  dns.set:blue.example/MX
      done  cutover.converge:blue.example
      done  dns.ttl:blue.example/MX#2
    ");
    let ttl = world.edit(|platforms| {
        let domain = rehome::model::Domain::parse(ZONE).unwrap();
        let zone = &platforms.zones[&domain];
        zone.live.iter().filter(|r| r.field_type == "MX").map(Record::wire_ttl).collect::<Vec<_>>()
    });
    assert_eq!(ttl, [3600]);
    assert_eq!((mail("exchange"), mail("exchange2")), (10, 10), "and the rest once nobody has the old one any more");
}

/// A message comes to john.smith on the old platform.
fn arrives(world: &World, subject: &str) {
    let message = Message {
        bytes: format!("Subject: {subject}\r\n\r\nx\r\n").into_bytes(),
        flags: Default::default(),
        internal_date: "01-Jan-2026 00:00:00 +0000".parse().unwrap(),
    };
    let inbox = FolderMail {
        path: rehome::model::FolderPath::inbox(),
        special_use: None,
        subscribed: true,
        selectable: true,
        messages: vec![message],
    };
    let john = Address::parse("john.smith@blue.example").unwrap();
    world.sandbox().memory().unwrap().deliver("exchange", &john, &[inbox]).unwrap();
}

#[test]
fn a_cancelled_move_does_not_happen() {
    let world = parallel("{ ttl: 120, margin: 0 }");
    world.run(&["cutover", "approve", ZONE, "rehome.yaml"]).ends(10);
    apply(&world, &["--no-wait", "--ack", "mx-change"]).ends(7);
    world.run(&["cutover", "cancel", ZONE, "rehome.yaml"]).ends(0);
    world.set("REHOME_AHEAD_SECONDS", "90000");
    let ended = world.run(&["resume", "rehome.yaml", "--no-wait"]).ends(3);
    assert!(ended.err.contains("tester cancelled the move"), "{ended}");
    assert_eq!(served(&world, ZONE, RecordType::Mx).len(), 4);
}

#[test]
fn whoever_still_sends_from_the_old_platform_is_judged_too() {
    let world = parallel("{ approve: false }");
    world.respec("verify: [mx]", "verify: [spf]");
    let told = |world: &World| world.run(&["verify", "rehome.yaml", "--what", "dns"]).out;
    assert!(!told(&world).contains("spf-source-denied"), "the old platform may send");
    edit_zone(&world, |rows| {
        rows.iter_mut()
            .filter(|r| r.field_type == "SPF")
            .for_each(|r| r.target = "\"v=spf1 ip4:198.51.100.7 -all\"".to_owned());
    });
    let out = told(&world);
    assert!(out.contains("spf-source-denied") && out.contains("ip4:198.51.100.7 include:mx.ovh.com -all"), "{out}");
    // The same record is what a plan would publish.
    world.respec("records: [mx]", "records: [spf]");
    let plan = world.run(&["plan", "rehome.yaml"]).ends(0).out;
    assert!(plan.contains("+ blue.example. 3600 IN TXT \"v=spf1 ip4:198.51.100.7 include:mx.ovh.com -all\""), "{plan}");
}

#[test]
fn a_platform_that_may_send_by_what_is_included_gets_no_term_of_its_own() {
    for (included, planned) in [("include:mx.ovh.com", false), ("ip4:203.0.113.0/24", true)] {
        let world = parallel("{ approve: false }");
        world.respec("records: [mx]", "records: [spf]");
        let zones = world.sandbox().zones();
        let text = format!("v=spf1 {included} -all");
        zones.set("_spf.blue.example", RecordType::Txt, &[text.as_str()], 300).unwrap();
        edit_zone(&world, |rows| {
            let text = "\"v=spf1 include:_spf.blue.example -all\"".to_owned();
            rows.iter_mut().filter(|r| r.field_type == "SPF").for_each(|r| r.target.clone_from(&text));
        });
        let plan = world.run(&["plan", "rehome.yaml"]);
        assert_eq!(plan.out.contains("include:_spf.blue.example include:mx.ovh.com"), planned, "{plan}");
    }
}

#[test]
fn an_spf_record_that_receivers_would_stop_at_is_not_planned() {
    let world = parallel("{ approve: false }");
    world.respec("records: [mx]", "records: [spf]");
    let many: Vec<String> = (0..10).map(|n| format!("a:h{n}.partner.example")).collect();
    edit_zone(&world, |rows| {
        let text = format!("\"v=spf1 {} -all\"", many.join(" "));
        rows.iter_mut().filter(|r| r.field_type == "SPF").for_each(|r| r.target.clone_from(&text));
    });
    let plan = world.run(&["plan", "rehome.yaml"]);
    assert!(plan.out.contains("spf-merge-too-dear") && !plan.out.contains("set records"), "{plan}");
}

#[test]
fn an_spf_record_that_is_too_long_is_told_of_or_refused() {
    for (networks, code, planned) in [(40, "spf-long", true), (260, "spf-too-long", false)] {
        let world = parallel("{ approve: false }");
        world.respec("records: [mx]", "records: [spf]");
        let many: Vec<String> = (0..networks).map(|n| format!("ip4:203.0.113.{}", n % 256)).collect();
        edit_zone(&world, |rows| {
            let text = format!("\"v=spf1 {} -all\"", many.join(" "));
            rows.iter_mut().filter(|r| r.field_type == "SPF").for_each(|r| r.target.clone_from(&text));
        });
        let plan = world.run(&["plan", "rehome.yaml"]);
        assert!(plan.out.contains(&format!(" {code} ")) || plan.out.contains(code), "{plan}");
        assert_eq!(plan.out.contains("set records"), planned, "{plan}");
    }
}

/// The rows of an answer around a word.
fn section(text: &str, word: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let Some(at) = lines.iter().position(|l| l.contains(word)) else { return text.to_owned() };
    let more = |l: &&&str| l.starts_with("     ");
    let rest = lines[at + 1..].iter().take_while(more).count();
    lines[at..=at + rest].join("\n")
}
