//! What the README shows is what the program prints.

use std::{fs, path::Path};

use crate::world::World;

/// Messages in each mailbox, as in `rehome demo`.
const MESSAGES: usize = 300;

/// The lines between the nth pair of fences of that language.
fn block<'a>(text: &'a str, language: &str, nth: usize) -> &'a str {
    let open = format!("```{language}\n");
    text.split(&open).nth(nth + 1).unwrap().split("```").next().unwrap()
}

/// The README's spec, complete: it leaves out what its readers know.
fn spec(readme: &str) -> String {
    let keys = "credentials: { application_key: { env: OVH_APPLICATION_KEY }, application_secret: { env: \
                OVH_APPLICATION_SECRET }, consumer_key: { env: OVH_CONSUMER_KEY } }";
    let yaml = block(readme, "yaml", 0);
    assert!(yaml.contains("credentials: { ... }"), "{yaml}");
    format!("version: 1\n{}", yaml.replace("credentials: { ... }", keys))
}

/// `REHOME_UPDATE_DOCS=1` writes the README's plan and summary.
#[test]
fn the_plan_of_the_readme_is_what_the_program_prints_for_its_spec() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let world = World::before(&spec(&readme), MESSAGES);
    let john = world.ready().accounts.into_iter().find(|a| a.address.local() == "john.smith").unwrap();
    world.set("JOHN_OLD_PASSWORD", &john.password);
    let plan = world.run(&["plan", "rehome.yaml"]).ends(0).out;
    world.run(&["plan", "rehome.yaml", "--out", "plan.json"]).ends(0);
    let summary = world.run(&["apply", "plan.json", "--quiet"]).ends(8).out;
    let mut wanted = readme.clone();
    for (nth, told) in [plan, summary].iter().enumerate() {
        let shown = block(&readme, "text", nth);
        wanted = wanted.replace(&format!("```text\n{shown}```"), &format!("```text\n{}\n```", told.trim_end()));
    }
    if std::env::var_os("REHOME_UPDATE_DOCS").is_some() {
        fs::write(&path, &wanted).unwrap();
        return;
    }
    assert!(readme == wanted, "the README is old: run the tests with REHOME_UPDATE_DOCS=1\n{wanted}");
}
