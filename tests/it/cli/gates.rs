//! Gates: a run that waits for a person, a file or an hour, and goes on.

use insta::assert_snapshot;
use jiff::{ToSpan as _, Zoned, tz::TimeZone};

use crate::world::World;

fn gated(gates: &str) -> World {
    let world = World::demo();
    world.respec("version: 1", &format!("version: 1\ngates: {gates}"));
    world
}

#[test]
fn what_needs_approval_waits_is_approved_and_goes_on() {
    let world = gated("{ approval: [verify] }");
    let plan = world.run(&["plan", "rehome.yaml"]).ends(0);
    assert!(plan.out.contains("wait for approval: rehome approve verify."), "{plan}");
    let early = world.run(&["approve", "verify"]).ends(10);
    assert!(early.err.contains("no run in ./.rehome waits for anything"), "{early}");
    world.run(&["apply", "rehome.yaml", "--auto-approve", "--until", "dependent"]).ends(7);
    let ran = world.run(&["resume", "--no-wait"]).ends(7);
    assert!(ran.out.contains("Gates\n  verify: it waits for somebody's word: rehome approve verify"), "{ran}");
    assert_snapshot!(world.run(&["approve", "retire"]), @r"
    $ rehome approve retire
    --- stderr
    error: nothing of run-000001 waits for `retire`
    help: say one of verify, or run-000001 for all of them
    --- exit 10
    ");
    let status = world.run(&["status"]).ends(3);
    assert!(status.out.contains("Needs approval\n  verify: rehome approve verify\n"), "{status}");
    world.run(&["resume", "--no-wait"]).ends(7);
    assert_snapshot!(world.run(&["approve", "run-000001"]), @r"
    $ rehome approve run-000001
    verify of run-000001: approved by tester
    `rehome resume` goes on.
    --- exit 0
    ");
    let status = world.run(&["status"]).ends(3);
    assert!(status.out.contains("  verify: approved by tester on "), "{status}");
    world.run(&["resume", "--no-wait"]).ends(0);
}

#[test]
fn status_tells_where_a_live_run_stands_and_what_comes_next() {
    let world = gated("{ approval: [account, dependent] }");
    world.run(&["apply", "rehome.yaml", "--auto-approve", "--until", "domain", "--quiet"]).ends(7);
    let mut run = world.start(&["resume"]);
    run.until_it_says("run-000001 goes on: plan ");
    run.until_it_says("wait  account: it waits for somebody's word");
    let status = world.run(&["status"]);
    assert!(status.out.starts_with("run-000001 is live: ") && !status.out.contains("has not ended"), "{status}");
    assert!(status.out.contains("wait  account: it waits for somebody's word"), "{status}");
    let next = |line: &str| line.starts_with("  >  rename ") && line.contains("jane.doe@blue.example");
    assert!(status.out.lines().any(next), "{status}");
    // What was done before it went on counts, too.
    let words: Vec<&str> = status.out.split([' ', ';']).collect();
    let number = |after: &str| -> usize {
        words.windows(2).find(|w| w[0].ends_with(after)).unwrap_or_else(|| panic!("{status}"))[1].parse().unwrap()
    };
    assert_eq!(number("live:") + number("done:"), 30, "{status}");
    world.run(&["approve", "run-000001"]).ends(0);
    run.end().ends(0);
}

#[test]
fn a_run_that_waits_for_approval_goes_on_by_itself() {
    let world = gated("{ approval: [copy] }");
    let mut run = world.start(&["apply", "rehome.yaml", "--auto-approve"]);
    run.until_it_says("wait  copy: it waits for somebody's word");
    world.run(&["approve", "copy"]).ends(0);
    let ran = run.end().ends(0);
    assert!(ran.err.contains("open  copy by tester"), "{ran}");
}

#[test]
fn nothing_begins_while_a_hold_file_is_there() {
    let world = World::demo();
    world.write(".rehome/hold", "until Anna is back\n");
    world.write("elsewhere/hold", "");
    let before = world.sandbox().api().counters().snapshot();
    let ran = world.run(&["apply", "rehome.yaml", "--auto-approve", "--no-wait"]).ends(7);
    assert!(ran.err.contains("wait  hold: remove ./.rehome/hold to go on"), "{ran}");
    let changes = |all: &std::collections::BTreeMap<String, u64>| -> u64 {
        all.iter().filter(|(name, _)| name.starts_with("mutating.")).map(|(_, n)| n).sum()
    };
    assert_eq!(changes(&before), changes(&world.sandbox().api().counters().snapshot()));
    std::fs::remove_file(world.dir().join(".rehome/hold")).unwrap();
    world.run(&["resume", "--no-wait", "--hold-file", "elsewhere/hold"]).ends(7);
    world.run(&["resume"]).ends(0);
}

#[test]
fn nothing_begins_outside_the_window() {
    let hour = |ahead: i64| {
        let at: Zoned = Zoned::now().with_time_zone(TimeZone::UTC) + ahead.hours();
        at.strftime("%H:00").to_string()
    };
    let shut = format!("{}-{} UTC", hour(2), hour(3));
    let world = gated(&format!("{{ window: [\"{shut}\"] }}"));
    let plan = world.run(&["plan", "rehome.yaml"]).ends(0);
    assert!(plan.out.contains(&format!("Begins something only in these hours: {shut}.")), "{plan}");
    let ran = world.run(&["apply", "rehome.yaml", "--auto-approve", "--no-wait"]).ends(7);
    assert!(ran.err.contains(&format!("wait  window: nothing begins outside {shut}; it opens ")), "{ran}");
    let wrong = world.run(&["resume", "--window", "22:00-06:00 Europe/Atlantis"]).ends(10);
    assert!(wrong.err.contains("the window 22:00-06:00 Europe/Atlantis cannot be kept"), "{wrong}");
    world.leaves_more_to_do();

    let open = World::demo();
    let ran = open.run(&["apply", "rehome.yaml", "--auto-approve", "--no-wait", "--window", &shut]).ends(7);
    assert!(ran.err.contains("wait  window: "), "{ran}");
    let now = format!("{}-{} UTC", hour(-1), hour(2));
    open.run(&["resume", "--window", &now]).ends(0);
}

#[test]
fn what_is_wrong_with_gates_is_told_with_its_place() {
    let world = gated("{ window: [\"22-06 Europe/Paris\", \"22:00-06:00 Europa/Paris\"], approval: [retired] }");
    let ran = world.run(&["validate", "rehome.yaml"]).ends(10);
    for text in ["`22` is no time of day", "no time zone `Europa/Paris`", "did you mean `retire`?"] {
        assert!(ran.err.contains(text), "{text}: {ran}");
    }
}
