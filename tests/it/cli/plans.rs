//! Saved plans: applied to the letter, or refused with what is wrong.

use insta::assert_snapshot;
use rehome::{
    model::Address,
    sandbox::{
        api::{Fault, FaultKind, When},
        residents::EXCHANGE,
    },
};

use crate::world::World;

fn saved(world: &World) {
    world.run(&["plan", "rehome.yaml", "--out", "plan.json"]).ends(0);
}

#[test]
fn a_saved_plan_is_applied_once() {
    let world = World::demo();
    saved(&world);
    let before = world.read("plan.json");
    world.run(&["show", "plan.json"]).ends(0);
    world.run(&["apply", "plan.json", "--events", "events.ndjson"]).ends(0);
    assert_eq!(world.read("plan.json"), before);
    let events = world.read("events.ndjson");
    assert!(events.lines().count() > 10);
    assert!(events.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    assert_snapshot!(world.run(&["apply", "plan.json"]).ends(0), @r"
    $ rehome apply plan.json
    Plan [ID] was applied by run-000001 already. Nothing was done.
    --- exit 0
    ");
}

#[test]
fn a_comment_that_is_longer_than_it_may_be_is_a_failure() {
    let world = World::demo();
    saved(&world);
    let short = world.run(&["show", "plan.json", "--format", "markdown", "--max-bytes", "300"]).ends(1);
    assert!(short.err.contains("error: the shortest text of this plan has "), "{short}");
    let fits = world.run(&["show", "plan.json", "--format", "markdown", "--max-bytes", "2000"]).ends(0);
    assert!(fits.out.len() <= 2000, "{}", fits.out.len());
    let diff = world.run(&["plan", "rehome.yaml", "--diff", "--format", "markdown"]).ends(0);
    assert!(diff.out.starts_with("```diff\n--- observed\n") && diff.out.ends_with("```\n"), "{diff}");
}

#[test]
fn a_plan_that_cannot_be_written_leaves_the_last_one() {
    let world = World::demo();
    saved(&world);
    let before = world.read("plan.json");
    let full = world.run(&["plan", "rehome.yaml", "--out", "/dev/full"]).ends(1);
    assert!(full.err.contains("cannot write the plan to /dev/full"), "{full}");
    world.run(&["plan", "rehome.yaml", "--out", "no/such/folder.json"]).ends(1);
    assert_eq!(world.read("plan.json"), before);
    let left: Vec<_> = std::fs::read_dir(world.dir()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".rehome-")), "{left:?}");
}

#[test]
fn a_plan_that_was_edited_is_refused() {
    let world = World::demo();
    saved(&world);
    world.write("plan.json", &world.read("plan.json").replace("john.smith01@", "john.smith02@"));
    assert_snapshot!(world.run(&["apply", "plan.json"]).ends(10), @r"
    $ rehome apply plan.json
    --- stderr
    error: plan.json cannot be used
      the plan file was changed after it was made: it says plan [ID] and its content is plan [ID]; make the plan again instead of editing it
    --- exit 10
    ");
    let half = world.read("plan.json");
    world.write("plan.json", &half[..half.len() / 2]);
    assert_snapshot!(world.run(&["apply", "plan.json"]).ends(10).err, @r"
    error: plan.json cannot be used
      the plan file is cut off after 19758 octets; make the plan again with `rehome plan --out FILE`
    ");
    world.write("plan.json", "{\"no\": \"plan\"}\n");
    assert_snapshot!(world.run(&["show", "plan.json"]).ends(10).err, @r"
    error: plan.json cannot be used
      this is not a plan file of rehome; plan files are made with `rehome plan --out FILE`
      missing field `format` at line 1 column 14
    ");
    assert_snapshot!(world.run(&["show", "rehome.yaml"]).ends(10).err, @r"
    error: rehome.yaml cannot be used
      this is not a plan file of rehome; plan files are made with `rehome plan --out FILE`
      expected value at line 1 column 1
    ");
}

#[test]
fn a_plan_of_another_spec_is_refused() {
    let world = World::demo();
    saved(&world);
    world.write("other.yaml", &world.read("rehome.yaml").replace("name: Jane Doe", "name: Jane Roe"));
    assert_snapshot!(world.run(&["apply", "plan.json", "--spec", "other.yaml"]).ends(5), @r"
    $ rehome apply plan.json --spec other.yaml
    --- stderr
    error: other.yaml is not what plan.json was made from: it has changed since, or is another one
    help: plan again: rehome plan other.yaml --out plan.json
    --- exit 5
    ");
    world.write("rehome.yaml", &world.read("other.yaml"));
    assert_snapshot!(world.run(&["apply", "plan.json"]).ends(5).err, @r"
    error: rehome.yaml is not what plan.json was made from: it has changed since, or is another one
    help: plan again: rehome plan rehome.yaml --out plan.json
    ");
}

#[test]
fn a_stale_plan_names_object_and_field_with_then_and_now() {
    let world = World::demo();
    saved(&world);
    let gone = Address::parse("sales@blue.example").unwrap();
    world.edit(|w| {
        let taken = w.hosted.get_mut(EXCHANGE).unwrap().accounts.values_mut().filter_map(|a| a.aliases.take(&gone));
        assert_eq!(taken.count(), 1);
    });
    assert_snapshot!(world.run(&["apply", "plan.json"]).ends(5), @r#"
    $ rehome apply plan.json
    --- stderr
    error: the plan is stale: what it rests on has changed since it was made
      exchange/account/john.smith@blue.example aliases: was ["j.smith@blue.example","sales@blue.example"], is ["j.smith@blue.example"]
    help: plan again and have the new plan reviewed
    --- exit 5
    "#);
}

#[test]
fn drift_that_the_plan_does_not_rest_on_does_not_make_it_stale() {
    let world = World::demo();
    saved(&world);
    world.edit(|w| {
        let accounts = &mut w.hosted.get_mut(EXCHANGE).unwrap().accounts;
        accounts.values_mut().find(|a| a.address.to_string() == "tom.berg@amber.example").unwrap().aliases.clear();
    });
    world.run(&["apply", "plan.json"]).ends(0);
}

#[test]
fn a_plan_remembers_its_spec_wherever_it_is_applied_from() {
    let world = World::demo();
    let spec = world.dir().join("rehome.yaml");
    world.run(&["plan", spec.to_str().unwrap(), "--out", "plan.json", "--quiet"]).ends(0);
    world.run(&["apply", "plan.json", "--quiet"]).ends(0);
    assert!(world.dir().join(".rehome/journal.db").is_file());
}

#[test]
fn every_format_of_a_plan_can_be_read() {
    let world = World::demo();
    let json = world.run(&["plan", "rehome.yaml", "--format", "json"]).ends(0);
    let plan: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert!(plan["body"]["actions"].as_array().unwrap().len() > 10);
    let markdown = world.run(&["plan", "rehome.yaml", "--format", "markdown"]).ends(0);
    assert!(markdown.out.starts_with("<!-- rehome:plan ") && !markdown.out.contains('\u{1b}'), "{markdown}");
    let run = world.run(&["apply", "rehome.yaml", "--auto-approve", "--format", "json"]).ends(0);
    let summary: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(summary["exit"], 0);
    // Also when there is nothing to do.
    let again = world.run(&["apply", "rehome.yaml", "--auto-approve", "--format", "json"]).ends(0);
    assert!(serde_json::from_str::<serde_json::Value>(&again.out).is_ok(), "{again}");
}

fn alias_at_the_source(world: &World, change: impl Fn(&mut std::collections::BTreeSet<Address>)) {
    let john = Address::parse("john.smith@blue.example").unwrap();
    world.edit(|w| {
        let accounts = &mut w.hosted.get_mut(EXCHANGE).unwrap().accounts;
        change(&mut accounts.values_mut().find(|a| a.address == john).unwrap().aliases);
    });
}

#[test]
fn a_stale_plan_is_applied_only_if_a_new_one_would_do_the_same() {
    let world = World::demo();
    saved(&world);
    let sales = Address::parse("sales@blue.example").unwrap();
    alias_at_the_source(&world, |aliases| assert!(aliases.remove(&sales)));
    let other = world.run(&["apply", "plan.json", "--replan-if-equivalent"]).ends(5);
    assert!(other.err.contains("the plan is stale, and a new one would do something else"), "{other}");
    assert!(other.err.contains("no longer: ") && other.err.contains("sales@blue.example"), "{other}");
    // It comes back, and with it one that the plan has nothing to do with.
    let stray = Address::parse("stray@amber.example").unwrap();
    alias_at_the_source(&world, |aliases| {
        aliases.insert(sales.clone());
        aliases.insert(stray.clone());
    });
    world.run(&["apply", "plan.json"]).ends(5);
    world.run(&["apply", "plan.json", "--replan-if-equivalent", "--until", "account"]).ends(7);
    // What is done is not compared; what is left is.
    world.run(&["apply", "plan.json", "--replan-if-equivalent"]).ends(0);
}

/// An API promises no order of its listings.
#[test]
fn listings_in_another_order_make_the_same_plan() {
    let world = World::demo();
    let body = |file: &str| {
        world.run(&["plan", "rehome.yaml", "--out", file]).ends(0);
        let plan: serde_json::Value = serde_json::from_str(&world.read(file)).unwrap();
        assert!(plan["body"]["actions"].as_array().unwrap().len() > 10);
        (plan["id"].clone(), plan["body"].to_string())
    };
    let usual = body("usual.json");
    for turn in 1..4 {
        let faults = world.sandbox().api().faults();
        let kind = FaultKind::Shuffled { turn };
        faults.add(Fault { times: 0, ..Fault::once("GET", "*", kind, When::Before) });
        assert_eq!(body(&format!("turn{turn}.json")), usual, "turn {turn}");
        assert!(faults.list()[0].fired > 5, "the listings came in another order");
        faults.clear();
    }
}
