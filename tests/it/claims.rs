//! Pages that name a test for each promise: the tests are there.

use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The pages that promise something.
fn pages() -> Vec<PathBuf> {
    let all = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let promises = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.ends_with("claims.md") || ["faq.md", "recovery.md"].contains(&name.as_ref())
    };
    let mut pages: Vec<PathBuf> = all.filter(promises).collect();
    pages.sort();
    pages
}

/// The rows of its tables, without their heads.
fn rows(text: &str) -> impl Iterator<Item = &str> {
    let lines: Vec<&str> = text.lines().collect();
    let head = |at: usize| lines.get(at + 1).is_some_and(|next| next.starts_with("|--"));
    let kept = |at: usize, line: &&str| line.starts_with('|') && !line.starts_with("|--") && !head(at);
    lines.iter().enumerate().filter(|(at, line)| kept(*at, line)).map(|(_, line)| *line).collect::<Vec<_>>().into_iter()
}

/// The answers of the page of questions.
fn answers(text: &str) -> impl Iterator<Item = &str> {
    text.split("\n\n").filter(|part| part.starts_with("**"))
}

/// The tests that a text names: `tests/it/x.rs::name` between backticks.
fn named(text: &str) -> Vec<(&str, &str)> {
    let words = text.split('`').skip(1).step_by(2);
    words.filter_map(|word| word.split_once("::")).filter(|(file, _)| file.ends_with(".rs")).collect()
}

/// Whether a file has a test of that name, and not only a function; one that nobody runs is none.
fn is_test(text: &str, name: &str) -> bool {
    let Some(at) = [format!("fn {name}("), format!("fn {name}<")].iter().find_map(|f| text.find(f)) else {
        return false;
    };
    // The attributes of a function stand in the lines above it.
    let above = text[..at].rfind('\n').unwrap_or(0);
    let attributes: Vec<&str> =
        text[..above].lines().rev().map(str::trim_start).take_while(|line| line.starts_with('#')).collect();
    let any = |start: &str| attributes.iter().any(|line| line.starts_with(start));
    // Properties are tests that a macro makes.
    (any("#[test]") || any("#[tokio::test") || text[..at].contains("proptest!")) && !any("#[ignore")
}

#[test]
fn every_promise_names_a_test_and_every_test_that_is_named_is_there() {
    let mut wrong = Vec::new();
    let mut promises = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        let page = page.file_name().unwrap().to_string_lossy().into_owned();
        let all: Vec<&str> = if page == "faq.md" { answers(&text).collect() } else { rows(&text).collect() };
        assert!(all.len() >= 20, "only {} promises were found in {page}", all.len());
        promises += all.len();
        wrong.extend(all.iter().filter(|p| named(p).is_empty()).map(|p| format!("{page}: no test is named: {p}")));
        let there = |file: &str, name: &str| fs::read_to_string(root().join(file)).is_ok_and(|t| is_test(&t, name));
        let gone = named(&text).into_iter().filter(|(file, name)| !there(file, name));
        wrong.extend(gone.map(|(file, name)| format!("{page}: there is no test {file}::{name}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(promises > 200, "only {promises} promises were found");
}

#[test]
fn a_promise_without_a_test_or_with_one_that_is_gone_is_found() {
    let text = "| claim | shown by |\n|---|---|\n| a | `tests/it/claims.rs::no_such_test` |\n| b | nothing |\n";
    let all: Vec<&str> = rows(text).collect();
    assert_eq!(all.len(), 2, "the head is no promise");
    assert_eq!(named(all[0]), [("tests/it/claims.rs", "no_such_test")]);
    assert!(named(all[1]).is_empty());
    assert_eq!(answers("# Questions\n\n**Why?** So.\n\nNo answer.\n").collect::<Vec<_>>(), ["**Why?** So."]);
    let file = "fn helper() {}\n\n#[test]\nfn real() {}\n\n#[test]\n#[ignore = \"long; slow\"]\nfn asleep() {}\n";
    assert!(is_test(file, "real"));
    assert!(!is_test(file, "helper") && !is_test(file, "asleep") && !is_test(file, "gone"));
}
