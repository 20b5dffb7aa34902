//! `fmt`, `man`, and the schemas.

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
fn there_is_a_manual_page_for_every_command() {
    let world = World::demo();
    let page = world.run(&["man"]).ends(0);
    assert!(page.out.contains(".TH rehome") && page.out.contains("drift"), "{page}");
    world.run(&["man", "pages"]).ends(0);
    for command in ["plan", "apply", "import", "drift", "diff", "fmt", "protect", "journal-log"] {
        let page = world.read(&format!("pages/rehome-{command}.1"));
        assert!(page.contains("NAME"), "{command}");
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
