//! `manage: rfc2136` from the plan to its rollback, by the program, against BIND.

use rehome::{
    dns::Client,
    model::{Question, RecordType, Verdict},
};

use super::daemons::{Daemon, bind, bind_here};
use crate::{
    world::World,
    zones::{ZONE, parallel},
};

const KEY: &str = "c2VjcmV0IG9mIHRoZSB0ZXN0cywgMzIgb2N0ZXRzLi4=";
const RECORDS: &str = "$ORIGIN blue.example.\n$TTL 3600\n@ IN SOA ns1 host 1 3600 600 86400 300\n@ IN NS ns1\n\
                       ns1 IN A 127.0.0.1\n@ IN MX 10 mx.old.example.\n@ IN TXT \"v=spf1 ip4:198.51.100.7 -all\"\n\
                       @ IN TXT \"of somebody else\"\n";

/// The move of `zones`, in a zone that BIND serves and takes updates of.
fn world() -> Option<(World, Daemon, tempfile::TempDir)> {
    if !bind_here() {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = bind(folder.path(), ZONE, RECORDS, ("rehome", "hmac-sha256", KEY));
    let world = parallel("{ ttl: 120, margin: 0, approve: false }");
    let update =
        format!("manage: rfc2136, update: {{ server: \"{}\", key: rehome, secret: {{ env: TSIG }} }}", server.address);
    world.respec("manage: ovh-zone", &update);
    world.respec("records: [mx]", "records: [mx, spf]");
    world.set("TSIG", KEY);
    world.set("REHOME_DNS_SERVERS", &server.address.to_string());
    while !asked(&world, &server, RecordType::Mx).is_known() {
        std::thread::yield_now();
    }
    Some((world, server, folder))
}

fn asked(world: &World, server: &Daemon, rtype: RecordType) -> Verdict {
    let question = Question { name: ZONE.to_owned(), rtype };
    world.wait_for(Client::default().lookup(server.address, &question))
}

fn is(world: &World, server: &Daemon, rtype: RecordType, wanted: &[&str], ttl: u32) {
    let Verdict::Found { mut values, ttl: seen } = asked(world, server, rtype) else { panic!("no {rtype}") };
    values.sort();
    assert_eq!((values, seen), (wanted.iter().map(|v| (*v).to_owned()).collect(), ttl));
}

const MERGED: [&str; 2] = ["of somebody else", "v=spf1 ip4:198.51.100.7 include:mx.ovh.com -all"];

#[test]
fn a_zone_of_bind_is_planned_moved_and_put_back() {
    let Some((world, server, _folder)) = world() else { return };
    let plan = world.run(&["plan", "rehome.yaml"]).ends(0).out;
    assert!(plan.contains("- blue.example. 120 IN MX 10 mx.old.example."), "{plan}");
    assert!(plan.contains("+ blue.example. 3600 IN TXT \"v=spf1 ip4:198.51.100.7 include:mx.ovh.com -all\""), "{plan}");
    // BIND does not know what is included, so somebody has to say that the record is right.
    let acks = ["--ack", "mx-change", "--ack", "spf-not-counted"];
    let first =
        world.run(&[&["apply", "rehome.yaml", "--auto-approve", "--no-wait"], acks.as_slice()].concat()).ends(7);
    assert!(first.err.contains("moves not before"), "{first}");
    is(&world, &server, RecordType::Mx, &["10 mx.old.example"], 120);
    is(&world, &server, RecordType::Txt, &MERGED, 3600);
    world.set("REHOME_AHEAD_SECONDS", "3700");
    world.run(&["resume", "rehome.yaml", "--no-wait"]).ends(7);
    is(&world, &server, RecordType::Mx, &["10 mx.new.example"], 120);
    world.set("REHOME_AHEAD_SECONDS", "3900");
    world.run(&["resume", "rehome.yaml", "--no-wait"]).ends(0);
    is(&world, &server, RecordType::Mx, &["10 mx.new.example"], 3600);
    world.settle();

    let back = world.run(&["plan", "rehome.yaml", "--rollback", "run-000001", "--out", "back.json"]).ends(0);
    assert!(back.out.contains("+ blue.example. 3600 IN MX 10 mx.old.example."), "{back}");
    world.run(&[&["apply", "back.json", "--no-wait"], acks.as_slice()].concat()).ends(0);
    is(&world, &server, RecordType::Mx, &["10 mx.old.example"], 3600);
    is(&world, &server, RecordType::Txt, &["of somebody else", "v=spf1 ip4:198.51.100.7 -all"], 3600);
    world.leaves_more_to_do();
}

#[test]
fn a_ttl_that_was_lowered_for_a_move_that_is_given_up_goes_back() {
    let Some((world, server, _folder)) = world() else { return };
    world.respec("records: [mx, spf]", "records: [mx]");
    let acks = ["--ack", "mx-change"];
    world.run(&[&["apply", "rehome.yaml", "--auto-approve", "--no-wait"], acks.as_slice()].concat()).ends(7);
    is(&world, &server, RecordType::Mx, &["10 mx.old.example"], 120);
    world.run(&["plan", "rehome.yaml", "--rollback", "run-000001", "--out", "back.json"]).ends(0);
    world.run(&["apply", "back.json", "--no-wait"]).ends(0);
    is(&world, &server, RecordType::Mx, &["10 mx.old.example"], 3600);
    world.leaves_more_to_do();
}

#[test]
fn what_somebody_writes_into_the_zone_meanwhile_stops_the_move() {
    let Some((world, server, folder)) = world() else { return };
    world.respec("records: [mx, spf]", "records: [mx]");
    let acks = ["--ack", "mx-change"];
    world.run(&[&["apply", "rehome.yaml", "--auto-approve", "--no-wait"], acks.as_slice()].concat()).ends(7);
    drop(server);
    // The owner brings the server back with other mail servers.
    let other = RECORDS.replace("MX 10 mx.old.example.", "MX 10 mx.elsewhere.example.");
    let fresh = tempfile::tempdir().unwrap();
    let server = bind(fresh.path(), ZONE, &other, ("rehome", "hmac-sha256", KEY));
    world.set("REHOME_DNS_SERVERS", &server.address.to_string());
    while !asked(&world, &server, RecordType::Mx).is_known() {
        std::thread::yield_now();
    }
    world.set("REHOME_AHEAD_SECONDS", "3700");
    let stopped = world.run(&["resume", "rehome.yaml", "--no-wait"]);
    assert!([1, 3, 5].contains(&stopped.code) && stopped.err.contains("mx.elsewhere.example"), "{stopped}");
    is(&world, &server, RecordType::Mx, &["10 mx.elsewhere.example"], 3600);
    drop(folder);
}
