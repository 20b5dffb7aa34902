//! What a team does with plans: a part of one, one step of one, the way back, and what changed meanwhile.

use insta::assert_snapshot;
use rehome::{model::Address, sandbox::residents::EMAIL_PRO};

use crate::world::World;

fn actions(world: &World, file: &str) -> Vec<String> {
    let plan: serde_json::Value = serde_json::from_str(&world.read(file)).unwrap();
    plan["body"]["actions"].as_array().unwrap().iter().map(|a| a["id"].as_str().unwrap().to_owned()).collect()
}

fn id(world: &World, file: &str) -> String {
    let plan: serde_json::Value = serde_json::from_str(&world.read(file)).unwrap();
    plan["id"].as_str().unwrap().to_owned()
}

/// Removes an alias on the target behind the program's back.
fn take_alias(world: &World, alias: &str) {
    let gone = Address::parse(alias).unwrap();
    world.edit(|w| {
        let accounts = w.hosted.get_mut(EMAIL_PRO).unwrap().accounts.values_mut();
        assert_eq!(accounts.filter_map(|a| a.aliases.take(&gone)).count(), 1);
    });
}

#[test]
fn a_part_of_a_plan_is_whole_in_itself_and_empties_nothing() {
    let world = World::demo();
    world.respec("source: keep", "source: reset");
    world.run(&["plan", "rehome.yaml", "--target", "jane.doe@blue.example", "--out", "jane.json"]).ends(0);
    let only = actions(&world, "jane.json");
    assert!(only.contains(&"domain.add:emailpro/blue.example".to_owned()), "what it needs comes along: {only:?}");
    assert!(only.iter().any(|a| a.starts_with("copy") && a.contains("jane.doe")), "{only:?}");
    assert!(!only.iter().any(|a| a.contains("john.smith") || a.starts_with("account.reset")), "{only:?}");
    let rest = world.run(&["plan", "rehome.yaml", "--exclude", "jane.doe@blue.example", "--out", "rest.json"]).ends(0);
    assert!(rest.out.contains("Left out: jane.doe@blue.example, and what needs that. No source is emptied."), "{rest}");
    let without = actions(&world, "rest.json");
    assert!(!without.iter().any(|a| a.ends_with("/jane.doe@blue.example") || a.starts_with("account.reset")));
    // A right for jane needs jane.
    assert!(!without.iter().any(|a| a.starts_with("delegation")), "{without:?}");
    let diff = world.run(&["diff", "jane.json", "rest.json", "--detailed-exitcode"]).ends(2);
    assert!(diff.out.contains("  +  create       john.smith@blue.example"), "{diff}");
    assert!(diff.out.contains("  - Only a part: jane.doe@blue.example"), "{diff}");
    world.run(&["diff", "jane.json", "jane.json", "--detailed-exitcode"]).ends(0);
    world.run(&["plan", "rehome.yaml", "--target", "nobody@blue.example"]).ends(10);
    let nothing = world.run(&["plan", "rehome.yaml", "--exclude", "blue.example,partner.example"]).ends(0);
    assert!(nothing.out.contains("Nothing to do in this part.\nLeft out: blue.example"), "{nothing}");
    world.run(&["apply", "jane.json", "--quiet"]).ends(0);
    world.leaves_more_to_do();
    assert_eq!(world.mail("emailpro", "jane.doe@blue.example").len(), 8);
    let second = world.run(&["plan", "rehome.yaml", "--target", "jane.doe@blue.example"]).ends(0);
    assert!(second.out.contains("Nothing to do"), "{second}");
}

#[test]
fn apply_stops_where_it_is_told_to_and_goes_on() {
    let world = World::demo();
    world.run(&["plan", "rehome.yaml", "--out", "plan.json"]).ends(0);
    world.run(&["apply", "plan.json", "--until", "no-such-thing"]).ends(10);
    let ran = world.run(&["apply", "plan.json", "--until", "account", "--quiet"]).ends(7);
    assert!(ran.out.contains("8 actions done, 22 not started"), "{ran}");
    assert_eq!(world.mail("emailpro", "john.smith@blue.example").len(), 0, "nothing is copied yet");
    world.run(&["resume", "rehome.yaml", "--quiet"]).ends(0);
}

#[test]
fn an_acknowledgement_in_a_file_counts_for_one_plan() {
    let world = World::demo();
    world.respec("source: keep", "source: reset");
    world.run(&["plan", "rehome.yaml", "--out", "plan.json"]).ends(0);
    let file =
        |plan: &str| format!("plan: \"{plan}\"\nacknowledge: [reset-mailbox]\nreason: proved and archived\nby: jane\n");
    world.write("ack.yaml", &file("0123456789abcdef"));
    let other = world.run(&["apply", "plan.json", "--ack-file", "ack.yaml"]).ends(4);
    assert!(other.err.contains("an acknowledgement counts for one plan"), "{other}");
    world.write("ack.yaml", "plan: 0123456789abcdef\nacknowledge: [reset-mailbox]\n");
    world.run(&["apply", "plan.json", "--ack-file", "ack.yaml"]).ends(10);
    world.write("ack.yaml", &file(&id(&world, "plan.json")[..12]));
    world.run(&["apply", "plan.json", "--ack-file", "ack.yaml", "--quiet"]).ends(0);
}

#[test]
fn protection_outlives_the_spec() {
    let world = World::demo();
    world.respec("source: keep", "source: reset");
    world.respec("    name: Max Weber", "    name: Max Weber\n    protect: true");
    world.run(&["apply", "rehome.yaml", "--auto-approve", "--ack", "reset-mailbox", "--quiet"]).ends(0);
    assert_eq!(world.run(&["protect", "--spec", "rehome.yaml"]).ends(0).out, "max.weber@blue.example\n");
    world.respec("\n    protect: true", "");
    let plan = world.run(&["plan", "rehome.yaml", "--detailed-exitcode"]).ends(0);
    assert!(plan.out.contains("is protected and is not reset"), "{plan}");
    world.run(&["protect", "max.weber@blue.example", "--release", "--spec", "rehome.yaml"]).ends(0);
    let freed = world.run(&["plan", "rehome.yaml", "--detailed-exitcode"]).ends(2);
    assert!(freed.out.contains("max.weber01@blue.example  on exchange"), "{freed}");
    world.leaves_more_to_do();
}

#[test]
fn a_run_is_taken_back_and_nobody_loses_mail() {
    let world = World::demo();
    world.run(&["apply", "rehome.yaml", "--auto-approve", "--quiet"]).ends(0);
    let back = world.run(&["plan", "rehome.yaml", "--rollback", "run-000001", "--out", "back.json"]).ends(0);
    assert!(back.out.contains("Takes run-000001 back, as far as it can be."), "{back}");
    assert!(back.out.contains("copies-stay"), "{back}");
    assert!(back.out.contains("undo-by-hand"), "what stays is said before: {back}");
    world.run(&["apply", "back.json"]).ends(4);
    world.run(&["apply", "back.json", "--ack", "mail-since-the-move", "--quiet"]).ends(0);
    world.leaves_more_to_do();
    assert_eq!(world.mail("exchange", "john.smith@blue.example").len(), 8, "the source has its name again");
    assert_eq!(world.mail("emailpro", "john.smith-move1@blue.example").len(), 8, "and what came in is kept");
    let aliases = world.run(&["import", "exchange", "--spec", "rehome.yaml", "--domain", "blue.example"]).ends(0);
    assert!(aliases.out.contains("aliases: [j.smith@blue.example, sales@blue.example]"), "{aliases}");
    let drift = world.run(&["drift", "rehome.yaml", "--no-dns"]).ends(0);
    assert!(drift.out.contains("Wanted, and not applied yet"), "{drift}");
    world.run(&["plan", "rehome.yaml", "--rollback", "run-000009"]).ends(10);
}

#[test]
fn drift_is_what_changed_since_it_was_applied() {
    let world = World::demo();
    let fresh = world.run(&["drift", "rehome.yaml", "--detailed-exitcode", "--no-dns"]).ends(2);
    assert!(fresh.out.contains("Wanted, and not applied yet"), "{fresh}");
    world.run(&["apply", "rehome.yaml", "--auto-approve", "--quiet"]).ends(0);
    world.run(&["drift", "rehome.yaml", "--detailed-exitcode"]).ends(0);
    take_alias(&world, "sales@blue.example");
    assert_snapshot!(world.run(&["drift", "rehome.yaml", "--detailed-exitcode"]).ends(2), @r"
    $ rehome drift rehome.yaml --detailed-exitcode
    Changed since it was applied (1); last applied by run-000001
      +  add alias  sales@blue.example  for john.smith@blue.example on emailpro

    The rows say what would put it right: rehome plan, rehome apply.
    --- exit 2
    ");
    let markdown = world.run(&["drift", "rehome.yaml", "--format", "markdown"]).ends(0);
    assert!(markdown.out.starts_with("<!-- rehome:drift -->"), "{markdown}");
    let json = world.run(&["drift", "rehome.yaml", "--format", "json"]).ends(0);
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json["drift"]["changed"][0]["id"], "alias.add:emailpro/sales@blue.example");
    world.leaves_more_to_do();
}

#[test]
fn a_plan_is_shown_as_a_difference_a_graph_and_a_page() {
    let world = World::demo();
    let diff = world.run(&["plan", "rehome.yaml", "--diff"]).ends(0);
    assert!(diff.out.contains("\n-    john.smith@blue.example:\n+    john.smith01@blue.example:\n"), "{diff}");
    world.run(&["plan", "rehome.yaml", "--out", "plan.json"]).ends(0);
    let mermaid = world.run(&["show", "plan.json", "--graph", "mermaid"]).ends(0);
    assert!(mermaid.out.starts_with("flowchart TD\n") && mermaid.out.contains("rename john.smith@blue.example"));
    let dot = world.run(&["show", "plan.json", "--graph", "dot"]).ends(0);
    assert!(dot.out.starts_with("digraph ") && dot.out.trim_end().ends_with('}'));
    let page = world.run(&["show", "plan.json", "--format", "html"]).ends(0);
    assert!(page.out.starts_with("<!doctype html>") && page.out.contains("default-src 'none'"));
    let small = world.run(&["show", "plan.json", "--format", "markdown", "--max-bytes", "2500"]).ends(0);
    assert!(small.out.len() <= 2500, "{}", small.out.len());
}
