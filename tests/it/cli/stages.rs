//! Ctrl-C at every stage of a run: the program ends in order with its own code, the journal is complete, and a resume
//! ends where an undisturbed run ends. That nothing is left to do is checked by the harness.

use rehome::{
    model::{Domain, RecordType},
    sandbox::{
        api::{Fault, FaultKind, When},
        residents::{EMAIL_PRO, EXCHANGE},
    },
};
use serde_json::Value;

use crate::world::World;

/// Enough that a copy and its proof take a moment.
const MESSAGES: usize = 60;

/// The call of that kind takes long, so that the signal meets it.
fn slow(world: &World, method: &str, path: &str) {
    world.sandbox().api().faults().add(Fault::once(method, path, FaultKind::Latency { ms: 1500 }, When::Before));
}

fn called(world: &World, start: &str, end: &str) -> bool {
    world.sandbox().api().counters().snapshot().keys().any(|name| name.starts_with(start) && name.ends_with(end))
}

/// Whether an action of that kind has begun.
fn begun(world: &World, kind: &str) -> bool {
    let name = format!("\"action\":\"{kind}:");
    let events = world.dir().join("events.ndjson");
    let lines = std::fs::read_to_string(events).unwrap_or_default();
    lines.lines().any(|line| line.contains("\"event\":\"action_started\"") && line.contains(&name))
}

/// Starts to apply, sends the signal once something is so, and goes on afterwards.
fn stops(world: &World, what: &str, signal: (&str, i32), reached: impl FnMut(&World) -> bool) {
    let mut run =
        world.start(&["apply", "rehome.yaml", "--auto-approve", "--parallel", "1", "--events", "events.ndjson"]);
    run.until(what, reached);
    run.signal(signal.0);
    let ended = run.end();
    let log = world.run(&["journal", "log", "rehome.yaml", "--format", "json"]);
    let runs: Vec<Value> = serde_json::from_str(&log.out).unwrap_or_default();
    match runs.last() {
        // It had not begun to change anything: the signal itself ended it, or it was just in time to say so.
        None => {
            assert!([-1, signal.1].contains(&ended.code), "{ended}");
            world.run(&["apply", "rehome.yaml", "--auto-approve"]).ends(0)
        }
        Some(run) => {
            assert_eq!(ended.code, signal.1, "{ended}");
            assert_eq!(run["exit"], signal.1, "{what}: the run has ended in the journal");
            world.run(&["status", "rehome.yaml"]).ends(3);
            world.run(&["resume", "rehome.yaml"]).ends(0)
        }
    };
}

const INT: (&str, i32) = ("INT", 130);

#[test]
fn while_it_looks_at_the_platforms() {
    let world = World::demo();
    slow(&world, "GET", &format!("/email/exchange/{EXCHANGE}/service/{EXCHANGE}/account"));
    // Nothing is under way that had to end in order, so that a shell's wish that INT be ignored would still hold.
    stops(&world, "the listing", ("TERM", 143), |w| called(w, "api.GET /email/exchange", "/account"));
}

#[test]
fn while_it_adds_the_domain() {
    let world = World::demo();
    slow(&world, "POST", &format!("/email/pro/{EMAIL_PRO}/domain"));
    stops(&world, "the domain", INT, |w| called(w, "api.POST /email/pro", "/domain"));
}

#[test]
fn while_it_waits_for_the_domain() {
    let world = World::demo();
    world.edit(|w| w.settings.validate_domains = true);
    let blue = Domain::parse("blue.example").unwrap();
    let publish = |w: &World| {
        let label = w.edit(|w| w.hosted[EMAIL_PRO].domains.get(&blue).and_then(|d| d.cname.clone()))?;
        w.sandbox().zones().set(&format!("{label}.blue.example"), RecordType::Cname, &["ovh.com"], 60).ok()
    };
    // The record appears when the run is told to stop, so that the next one has nothing to wait for.
    stops(&world, "the wait", INT, |w| begun(w, "domain.ready") && publish(w).is_some());
}

#[test]
fn while_it_renames() {
    let world = World::demo();
    slow(&world, "PUT", "/email/exchange/*/account/jane.doe@blue.example");
    stops(&world, "the rename", INT, |w| called(w, "api.PUT /email/exchange", "/account/jane.doe@blue.example"));
}

#[test]
fn while_it_creates() {
    let world = World::demo();
    slow(&world, "PUT", "/email/pro/*@configureme.me");
    stops(&world, "the create", INT, |w| called(w, "api.PUT /email/pro", "@configureme.me"));
}

#[test]
fn while_it_copies() {
    let world = World::before(crate::world::DEMO, MESSAGES);
    world.autodiscover("pro1.mail.ovh.net");
    stops(&world, "a message", ("TERM", 143), |w| called(w, "imap.emailpro.APPEND", ""));
}

#[test]
fn while_it_compares() {
    let world = World::before(crate::world::DEMO, MESSAGES);
    world.autodiscover("pro1.mail.ovh.net");
    stops(&world, "the comparison", INT, |w| begun(w, "verify.mail"));
}

#[test]
fn while_it_writes_a_zone() {
    let world = crate::zones::managed();
    crate::zones::edit_zone(&world, |rows| {
        for row in rows.iter_mut().filter(|r| r.field_type == "SPF") {
            row.target = "\"v=spf1 ip4:198.51.100.7 -all\"".to_owned();
        }
    });
    slow(&world, "POST", "/domain/zone/blue.example/refresh");
    stops(&world, "the refresh", INT, |w| called(w, "api.POST /domain/zone", "/refresh"));
    // The platform names its keys only now.
    world.leaves_more_to_do();
}
