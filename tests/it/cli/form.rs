//! `fmt` and the schemas.

use insta::assert_snapshot;

use crate::world::World;

const UGLY: &str = "# of the file\n\nversion: 1\naccounts:\n    # about ann\n    ann@x.example:   {name: Ann,hidden: true} # stays\n    bob@x.example:\n            name:   \"Bob: B\"\n            # below the name\n    # before cat\n\n\n    cat@x.example: Cat\ndomains:\n  x.example: {platform: p,\n      dns: { verify: [mx,\n        spf] } }\nplatforms:\n   p: # the one\n      kind: imap\n      imap: {host: h.example}\n";

#[test]
fn a_spec_is_put_in_good_form_and_its_comments_stay() {
    let world = World::demo();
    world.write("ugly.yaml", UGLY);
    world.run(&["fmt", "ugly.yaml", "--check"]).ends(2);
    let shown = world.run(&["fmt", "ugly.yaml", "--diff"]).ends(0);
    assert!(shown.out.contains("\n+  ann@x.example: { name: Ann, hidden: true }  # stays\n"), "{shown}");
    assert_eq!(world.read("ugly.yaml"), UGLY, "neither writes");
    world.run(&["fmt", "ugly.yaml"]).ends(0);
    assert_snapshot!(world.read("ugly.yaml"), @r#"
    # of the file

    version: 1
    platforms:
      p:  # the one
        kind: imap
        imap: { host: h.example }

    domains:
      x.example: { platform: p,
          dns: { verify: [mx,
            spf] } }

    accounts:
      # about ann
      ann@x.example: { name: Ann, hidden: true }  # stays
      bob@x.example:
        name: "Bob: B"
        # below the name
      # before cat

      cat@x.example: Cat
    "#);
    world.run(&["fmt", "ugly.yaml", "--check"]).ends(0);
    world.write("broken.yaml", "a: [\n");
    world.run(&["fmt", "broken.yaml", "--check"]).ends(10);
    assert_eq!(world.read("broken.yaml"), "a: [\n");
}

#[test]
fn the_repository_s_own_specs_are_in_good_form() {
    let world = World::demo();
    let root = env!("CARGO_MANIFEST_DIR");
    for spec in ["specs/demo.yaml", "specs/examples", "specs/examples/fleet", "src/spec/init.yaml"] {
        let ran = world.run(&["fmt", &format!("{root}/{spec}"), "--check"]);
        assert_eq!(ran.code, 0, "{ran}");
    }
}

#[test]
fn plans_fit_the_schema_that_the_program_prints() {
    let world = World::demo();
    let schema = world.run(&["schema", "plan"]).ends(0);
    let schema: serde_json::Value = serde_json::from_str(&schema.out).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let plan = world.run(&["plan", "rehome.yaml", "--target", "jane.doe@blue.example", "--format", "json"]).ends(0);
    let plan: serde_json::Value = serde_json::from_str(&plan.out).unwrap();
    let errors: Vec<String> = validator.iter_errors(&plan).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    assert!(!validator.is_valid(&serde_json::json!({ "format": 1, "id": "x" })));
}

/// A run of the real program: every line of its events fits the schema that the program prints, and a sample of them is
/// shown in `docs/screens` (`REHOME_UPDATE=1` takes it anew).
#[test]
fn events_fit_the_schema_that_the_program_prints() {
    let world = World::demo();
    let schema = world.run(&["schema", "event"]).ends(0);
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema.out).unwrap()).unwrap();
    let person = "jane.doe@blue.example";
    world.run(&["plan", "rehome.yaml", "--target", person, "--out", "plan.json"]).ends(0);
    world.run(&["apply", "plan.json", "--events", "events.ndjson"]).ends(0);
    world.leaves_more_to_do();
    let sample = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/screens/1-person-events.ndjson");
    let events = world.read("events.ndjson");
    if std::env::var_os("REHOME_UPDATE").is_some() {
        std::fs::write(&sample, &events).unwrap();
    }
    for text in [events, std::fs::read_to_string(&sample).unwrap()] {
        let kinds: Vec<String> = text
            .lines()
            .map(|line| {
                let event: serde_json::Value = serde_json::from_str(line).unwrap();
                let wrong: Vec<String> =
                    validator.iter_errors(&event).map(|e| format!("{}: {e}", e.instance_path())).collect();
                assert!(wrong.is_empty(), "{line}: {wrong:#?}");
                event["event"].as_str().unwrap().to_owned()
            })
            .collect();
        assert_eq!(kinds.first().map(String::as_str), Some("run_started"));
        assert_eq!(kinds.last().map(String::as_str), Some("run_finished"));
        assert!(kinds.iter().any(|kind| kind == "copy_done"), "{kinds:?}");
    }
}
