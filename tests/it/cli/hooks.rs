//! Hooks: what they are told, what they may forbid, and what is promised when a run dies.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::world::{World, pause};

/// A world with one shell script as every hook: it writes down what it gets, then does the rest.
fn hooked(points: &[&str], rest: &str) -> World {
    let world = World::demo();
    world.write("hooks/hook.sh", &format!("#!/bin/sh\nline=$(cat)\nprintf '%s\\n' \"$line\" >> hooks/calls\n{rest}\n"));
    let hooks: Vec<String> =
        points.iter().map(|p| format!("  {p}: {{ run: [sh, hooks/hook.sh, {p}], timeout: 20 }}\n")).collect();
    world.respec("version: 1", &format!("version: 1\nhooks:\n{}", hooks.concat()));
    world
}

fn calls(world: &World) -> Vec<Value> {
    if !world.dir().join("hooks/calls").exists() {
        return Vec::new();
    }
    world.read("hooks/calls").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn of<'c>(calls: &'c [Value], point: &str) -> Vec<&'c Value> {
    calls.iter().filter(|call| call["hook"] == point).collect()
}

const ALL: [&str; 5] = ["before-apply", "before-action", "after-action", "on-failure", "after-run"];

#[test]
fn every_hook_is_told_once_and_gets_no_secret() {
    // The harness looks for secrets in every file below its folder, so in what the hooks wrote down, too.
    let world = hooked(&ALL, "env | grep -E '^OVH_(APPLICATION|CONSUMER)' >> hooks/env; true");
    let ran = world.run(&["apply", "rehome.yaml", "--auto-approve"]).ends(0);
    let calls = calls(&world);
    assert_eq!((of(&calls, "before-apply").len(), of(&calls, "after-run").len()), (1, 1), "{ran}");
    assert_eq!(of(&calls, "on-failure").len(), 0);
    let done = ran.err.lines().filter(|line| line.starts_with("done  ")).count();
    assert_eq!(of(&calls, "after-action").len(), done);
    assert_eq!(of(&calls, "after-run")[0]["exit"], 0);
    let mut ids: BTreeMap<&str, usize> = BTreeMap::new();
    for call in &calls {
        assert_eq!(call["v"], 1);
        *ids.entry(call["id"].as_str().unwrap()).or_default() += 1;
    }
    assert!(ids.values().all(|n| *n == 1), "{ids:?}");
    let created =
        of(&calls, "after-action").into_iter().find(|c| c["action"]["work"]["change"]["change"] == "account_create");
    assert_eq!(
        world.read("hooks/env").matches("_SECRET=").count() + world.read("hooks/env").matches("_KEY=").count(),
        0
    );
    assert!(created.is_some_and(|c| c["result"]["outcome"] == "done" && c["attempt"] == 1), "{calls:#?}");
}

#[test]
fn a_hook_before_an_action_may_forbid_it_and_its_chain_alone() {
    let world = hooked(
        &["before-action", "on-failure"],
        "case \"$1 $line\" in *before-action*account.create*john.smith*) echo 'not on a Sunday' >&2; exit 3;; esac",
    );
    let ran = world.run(&["apply", "rehome.yaml", "--auto-approve"]).ends(3);
    assert!(
        ran.out.contains("the hook before-action does not allow it: sh ended with exit status: 3: not on a Sunday"),
        "{ran}"
    );
    let changed = |name: &str| {
        let all = world.sandbox().api().counters().snapshot();
        all.iter().any(|(key, n)| key.starts_with("mutating.") && key.contains(name) && *n > 0)
    };
    assert!(!changed("john.smith@"), "the rename before the create was not made either");
    assert!(changed("jane.doe@"), "the others go on");
    let calls = calls(&world);
    let failed = of(&calls, "on-failure");
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0]["result"]["outcome"], "failed");
    world.write("hooks/hook.sh", "exit 0\n");
    world.run(&["resume"]).ends(0);
}

#[test]
fn a_hook_before_the_run_may_forbid_everything_and_those_after_nothing() {
    let world = hooked(&["before-apply", "after-action", "after-run"], "[ \"$1\" != before-apply ] || exit 1");
    let ran = world.run(&["apply", "rehome.yaml", "--auto-approve"]).ends(4);
    assert!(ran.err.contains("the hook before-apply does not allow it: sh ended with exit status: 1"), "{ran}");
    world.write("hooks/hook.sh", "[ \"$1\" = before-apply ] || { echo oops >&2; exit 1; }\n");
    let ran = world.run(&["apply", "rehome.yaml", "--auto-approve"]).ends(0);
    assert!(ran.err.contains("warn  the hook after-action: sh ended with exit status: 1: oops"), "{ran}");
}

#[test]
fn a_hook_that_does_not_end_is_ended() {
    let world = hooked(&["before-apply"], "sleep 600");
    world.respec("timeout: 20", "timeout: 1");
    let ran = world.run(&["apply", "rehome.yaml", "--auto-approve"]).ends(4);
    assert!(ran.err.contains("sh did not end within 1 seconds"), "{ran}");
}

#[test]
fn what_a_hook_has_started_is_ended_with_it_and_does_not_hold_it_up() {
    // What hangs has a child of its own, which would live on.
    let world = hooked(&["before-apply"], "sleep 601 & echo $! > hooks/child; wait");
    world.respec("timeout: 20", "timeout: 1");
    let ran = world.run(&["apply", "rehome.yaml", "--auto-approve"]).ends(4);
    assert!(ran.err.contains("help: the same command asks it again"), "nothing is there to resume: {ran}");
    let state = |pid: &str| std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    let child = world.read("hooks/child");
    let dead =
        || matches!(state(&child).rsplit(") ").next(), None | Some("") | Some("Z")) || state(&child).contains(") Z ");
    for _ in 0..1000 {
        if dead() {
            break;
        }
        pause();
    }
    assert!(dead(), "{}", state(&child));
    // One that has ended well is not held up by what it has left running, and that is left alone.
    world.write("hooks/hook.sh", "#!/bin/sh\ncat > /dev/null\nsleep 30 & echo $! > hooks/child\n");
    world.run(&["apply", "rehome.yaml", "--auto-approve"]).ends(0);
    let child = world.read("hooks/child");
    assert!(state(&child).contains("(sleep)"), "{}", state(&child));
    std::process::Command::new("kill").arg(child.trim()).status().unwrap();
}

#[test]
fn what_a_hook_says_without_end_is_cut() {
    let world =
        hooked(&["before-action"], "head -c 10000000 /dev/zero | tr '\\0' x >&2; head -c 10000000 /dev/zero; exit 3");
    let ran = world.run(&["apply", "rehome.yaml", "--auto-approve"]).ends(1);
    assert!(ran.err.contains("sh ended with exit status: 3: xxx") && ran.err.len() < 100_000, "{}", ran.err.len());
}

#[test]
fn what_is_owed_to_a_hook_is_paid_by_the_next_run() {
    // The run dies while the hook of the first create runs: its outcome is recorded, the call is not crossed out.
    let world = hooked(
        &["after-action"],
        "case \"$line\" in *account_create*) [ -e hooks/died ] || { touch hooks/died; kill -9 $PPID; };; esac",
    );
    world.run(&["apply", "rehome.yaml", "--auto-approve"]);
    let before = calls(&world);
    let last = before.last().unwrap()["id"].clone();
    let ran = world.run(&["resume"]).ends(0);
    let after = calls(&world);
    let again: Vec<_> = after.iter().filter(|call| call["id"] == last).collect();
    assert_eq!(again.len(), 2, "it was running when the run died, so it is called again with the same id: {ran}");
    let mut ids: BTreeMap<&str, usize> = BTreeMap::new();
    after.iter().for_each(|call| *ids.entry(call["id"].as_str().unwrap()).or_default() += 1);
    assert_eq!(ids.values().filter(|n| **n > 1).count(), 1, "and no other is: {ids:?}");
    let plan: Value = serde_json::from_str(&world.run(&["status", "--format", "json"]).out).unwrap();
    assert_eq!(plan["last_run"]["exit"], 0);
    assert_eq!(ids.len(), 30, "every action was told");
}

#[test]
fn a_hook_without_a_program_is_refused() {
    let world = World::demo();
    world.respec(
        "version: 1",
        "version: 1\nhooks: { before-apply: { timeout: 5 }, after-run: { run: [x], timeout: 0 } }",
    );
    let ran = world.run(&["validate", "rehome.yaml"]).ends(10);
    assert!(ran.err.contains("the hook names no program") && ran.err.contains("a hook must end"), "{ran}");
}
