//! What needs somebody's word.

use insta::assert_snapshot;

use super::apply;
use crate::world::World;

#[test]
fn without_a_terminal_nobody_says_yes() {
    let world = World::demo();
    let ran = world.run(&["apply", "rehome.yaml"]).ends(4);
    assert_snapshot!(ran.err, @r"
    error: nothing was changed
    help: say yes, or --auto-approve; or review a saved plan: rehome plan --out plan.json, rehome apply plan.json
    ");
    assert!(!world.dir().join(".rehome").exists(), "nothing was begun");
}

#[test]
fn resetting_a_source_needs_a_word_and_then_happens() {
    let world = World::demo();
    world.respec("source: keep", "source: reset");
    apply(&world).ends(0);
    // Everything is copied and verified; the source may go, if somebody says so.
    let plan = world.run(&["plan", "rehome.yaml", "--detailed-exitcode"]).ends(2);
    assert_snapshot!(plan, @"");
    let refused = world.run(&["apply", "rehome.yaml", "--auto-approve", "--quiet"]).ends(4);
    assert_snapshot!(refused.out.split_once("Nothing was changed").unwrap().1, @"");
    assert!(world.mail("exchange", "john.smith01@blue.example").len() > 1);
    let wrong = world.run(&["apply", "rehome.yaml", "--auto-approve", "--ack", "no-such-guard"]);
    wrong.ends(4);
    world.run(&["apply", "rehome.yaml", "--auto-approve", "--ack", "source-reset"]).ends(0);
}
