//! Signals, and two runs at once.

use insta::assert_snapshot;
use rehome::sandbox::{
    api::{Fault, FaultKind, When},
    residents::EXCHANGE,
};

use crate::world::{Running, World};

/// Makes the rename of that person take long, and starts an apply that is inside it.
fn in_the_middle<'a>(world: &'a World, person: &str, ms: u64, words: &[&str]) -> Running<'a> {
    let path = format!("/email/exchange/{EXCHANGE}/service/{EXCHANGE}/account/{person}@blue.example");
    world.sandbox().api().faults().add(Fault::once("PUT", &path, FaultKind::Latency { ms }, When::Before));
    let mut run = world.start(words);
    let name = format!("api.PUT {path}");
    run.until("the rename", |w| w.sandbox().api().counters().get(&name) > 0);
    run
}

#[test]
fn ctrl_c_ends_what_is_in_flight_and_resume_goes_on() {
    let world = World::demo();
    let mut run = in_the_middle(&world, "john.smith", 1500, &["apply", "rehome.yaml", "--auto-approve", "--quiet"]);
    run.signal("INT");
    run.until_it_says("finishing what is in flight");
    let ran = run.end().ends(130);
    assert_snapshot!(ran.err, @"finishing what is in flight (at most [DURATION]); once more to stop now");
    let renames = "mutating.PUT /email/exchange";
    let count = |w: &World| {
        let all = w.sandbox().api().counters().snapshot();
        all.iter().filter(|(name, _)| name.starts_with(renames) && name.contains("john.smith@")).map(|(_, n)| n).sum()
    };
    let before: u64 = count(&world);
    assert_eq!(before, 1, "the rename in flight was made");
    let status = world.run(&["status", "rehome.yaml"]);
    // Which others were done meanwhile depends on the machine.
    assert_snapshot!(status.ends(3).out.split("\n\n").next().unwrap(), @r"
    run-000001 of plan [ID] ended [TIME] with 130 (interrupted; the journal is complete).
    `rehome resume` goes on with it, `rehome plan` looks afresh.
    ");
    world.run(&["resume", "rehome.yaml"]).ends(0);
    assert_eq!(count(&world), before, "and not made again");
}

#[test]
fn a_second_ctrl_c_stops_at_once_and_the_journal_makes_it_safe() {
    let world = World::demo();
    let mut run = in_the_middle(&world, "john.smith", 60_000, &["apply", "rehome.yaml", "--auto-approve"]);
    run.signal("INT");
    run.until_it_says("finishing what is in flight");
    run.signal("INT");
    run.end().ends(130);
    world.run(&["resume", "rehome.yaml"]).ends(0);
}

#[test]
fn sigterm_ends_with_its_own_code() {
    let world = World::demo();
    let run = in_the_middle(&world, "jane.doe", 1500, &["apply", "rehome.yaml", "--auto-approve"]);
    run.signal("TERM");
    run.end().ends(143);
    // A spec without arguments: the one in this folder.
    world.run(&["resume", "."]).ends(0);
}

#[test]
fn a_second_run_finds_the_workspace_taken() {
    let world = World::demo();
    let first = in_the_middle(&world, "john.smith", 6_000, &["apply", "rehome.yaml", "--auto-approve"]);
    let second = world.run(&["apply", "rehome.yaml", "--auto-approve", "--quiet"]).ends(6);
    assert_snapshot!(second.err, @r"
    error: tester holds the workspace since [TIME] (process [PID] on [HOST], run-000001)
    help: wait until it ends; without a sign of life the workspace is free from [TIME]
    ");
    world.run(&["status", "rehome.yaml"]);
    first.end().ends(0);
}

#[test]
fn a_killed_run_is_resumed_without_waiting_for_its_lease() {
    let world = World::demo();
    let run = in_the_middle(&world, "max.weber", 60_000, &["apply", "rehome.yaml", "--auto-approve"]);
    run.signal("KILL");
    run.end();
    let status = world.run(&["status", "rehome.yaml"]).ends(3);
    let first = status.out.lines().next().unwrap();
    assert_snapshot!(first, @"run-000001 of plan [ID] began [TIME] and has not ended. `rehome resume` goes on.");
    assert!(status.out.contains("of 30 actions; next\n"), "{status}");
    let other = world.run(&["apply", "rehome.yaml", "--auto-approve", "--quiet"]);
    assert_snapshot!(other.ends(3).err, @r"
    error: run-000001 of plan [ID] has not ended
    help: end it first: `rehome resume`
    ");
    world.run(&["resume", "rehome.yaml"]).ends(0);
}

#[test]
fn resume_without_anything_to_resume_is_no_error() {
    let world = World::demo();
    assert_snapshot!(world.run(&["resume", "rehome.yaml"]), @r"
    $ rehome resume rehome.yaml
    --- stderr
    error: there is no journal in ./.rehome
    help: nothing was applied from here; give the spec: rehome resume SPEC
    --- exit 1
    ");
    world.run(&["apply", "rehome.yaml", "--auto-approve"]).ends(0);
    assert_snapshot!(world.run(&["resume", "rehome.yaml"]).ends(0), @r"
    $ rehome resume rehome.yaml
    There is nothing to resume: the last run has ended well.
    --- exit 0
    ");
}

#[test]
fn resume_does_not_go_back_to_a_run_that_a_later_one_has_overtaken() {
    let world = World::demo();
    // Everything but DNS is done, and that run ends with 8.
    world.autodiscover("ex5.mail.ovh.net");
    world.run(&["apply", "rehome.yaml", "--auto-approve", "--quiet"]).ends(8);
    world.autodiscover("pro1.mail.ovh.net");
    // Another plan takes what was left.
    world.respec("name: Max Weber", "name: Maximilian Weber");
    world.run(&["apply", "rehome.yaml", "--auto-approve", "--quiet"]).ends(0);
    let resumed = world.run(&["resume", "rehome.yaml"]).ends(0);
    assert!(resumed.out.contains("nothing to resume"), "{resumed}");
}
