//! What needs somebody's word.

use insta::assert_snapshot;
use rehome::model::Address;

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
    let refused = world.run(&["apply", "rehome.yaml", "--auto-approve", "--quiet"]).ends(4);
    assert_snapshot!(refused.out.split_once("Nothing was changed").unwrap().1, @r"
    . The plan needs somebody's word first:

      ! reset-mailbox: 3 actions, needs your word
          the mail of jane.doe01@blue.example on Exchange is lost
          the mail of john.smith01@blue.example on Exchange is lost
          the mail of max.weber01@blue.example on Exchange is lost
        agree with: --ack reset-mailbox

    To go on: rehome apply ... --ack reset-mailbox
    ");
    world.run(&["apply", "rehome.yaml", "--auto-approve", "--ack", "no-such-guard"]).ends(4);
    assert!(!world.mail("exchange", "john.smith@blue.example").is_empty(), "nothing was begun");
    let resume = world.run(&["resume", "rehome.yaml"]).ends(0);
    assert_snapshot!(resume.out, @"There is nothing to resume: no plan was applied from here yet. `rehome apply` begins.");
    world.run(&["apply", "rehome.yaml", "--auto-approve", "--ack", "reset-mailbox"]).ends(0);
    assert_eq!(world.mail("emailpro", "john.smith@blue.example").len(), 8);
    let source = Address::parse("john.smith01@blue.example").unwrap();
    assert!(world.sandbox().memory().unwrap().contents("exchange", &source).is_err(), "the source is gone");
}
