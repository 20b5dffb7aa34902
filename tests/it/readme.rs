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

/// Whether a file has a test of that name, and not only a function; one that nobody runs is none.
fn is_a_test(text: &str, name: &str) -> bool {
    let Some((before, _)) = text.split_once(&format!("fn {name}(")) else { return false };
    // What belongs to a function stands between the last empty line and its name.
    let of_it = before.rsplit("\n\n").next().unwrap_or_default();
    (of_it.contains("#[test]") || of_it.contains("#[tokio::test")) && !of_it.contains("#[ignore")
}

#[test]
fn a_function_that_is_no_test_keeps_nothing_true() {
    let text = "fn helper() {}\n\n#[test]\nfn real() {}\n\n#[test]\n#[ignore]\nfn asleep() {}\n";
    assert!(is_a_test(text, "real"));
    assert!(!is_a_test(text, "helper") && !is_a_test(text, "asleep") && !is_a_test(text, "gone"));
}

/// Every answer of the page of questions names the tests that keep it true.
#[test]
fn every_answer_of_the_questions_names_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/faq.md")).unwrap();
    let answers: Vec<&str> = page.split("\n\n").filter(|part| part.starts_with("**")).collect();
    assert!(answers.len() >= 25, "{}", answers.len());
    for answer in answers {
        let named: Vec<(&str, &str)> = answer.split('`').filter_map(|word| word.split_once(".rs::")).collect();
        assert!(!named.is_empty(), "no test keeps this true:\n{answer}");
        for (file, test) in named {
            let text = fs::read_to_string(root.join(format!("{file}.rs"))).unwrap_or_else(|e| panic!("{file}.rs: {e}"));
            assert!(is_a_test(&text, test), "{file}.rs has no test {test}");
        }
    }
}
