//! Pages that name a test for each promise: the tests are there.

use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every page `docs/*claims.md`.
fn pages() -> Vec<PathBuf> {
    let all = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut pages: Vec<PathBuf> = all.filter(|p| p.to_string_lossy().ends_with("claims.md")).collect();
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

/// The tests that a row names: `tests/it/x.rs::name` between backticks.
fn named(row: &str) -> Vec<(&str, &str)> {
    row.split('`')
        .skip(1)
        .step_by(2)
        .filter_map(|word| word.split_once("::"))
        .filter(|(f, _)| f.ends_with(".rs"))
        .collect()
}

/// Whether a file has a test of that name.
fn is_test(file: &str, name: &str) -> bool {
    let Ok(text) = fs::read_to_string(root().join(file)) else { return false };
    let Some(at) = [format!("fn {name}("), format!("fn {name}<")].iter().find_map(|f| text.find(f)) else {
        return false;
    };
    // The attributes of a function stand in the lines above it.
    let above = text[..at].rfind('\n').unwrap_or(0);
    let mut attributes = text[..above].lines().rev().take_while(|line| line.trim_start().starts_with('#'));
    let is_one = |line: &str| line.contains("#[test]") || line.contains("#[tokio::test");
    // Properties are tests that a macro makes.
    attributes.any(is_one) || text[..at].contains("proptest!")
}

#[test]
fn every_promise_names_a_test_and_every_test_that_is_named_is_there() {
    let mut wrong = Vec::new();
    let mut promises = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for row in rows(&text) {
            promises += 1;
            let tests = named(row);
            if tests.is_empty() {
                wrong.push(format!("{}: no test is named: {row}", page.display()));
            }
            let gone = tests.into_iter().filter(|(file, name)| !is_test(file, name));
            wrong.extend(gone.map(|(file, name)| format!("{}: there is no test {file}::{name}", page.display())));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(promises > 50, "only {promises} promises were found");
}

#[test]
fn a_row_without_a_test_or_with_one_that_is_gone_is_found() {
    let text = "| claim | shown by |\n|---|---|\n| a | `tests/it/claims.rs::no_such_test` |\n| b | nothing |\n";
    let all: Vec<&str> = rows(text).collect();
    assert_eq!(all.len(), 2, "the head is no promise");
    assert_eq!(named(all[0]), [("tests/it/claims.rs", "no_such_test")]);
    assert!(named(all[1]).is_empty());
    assert!(is_test(file!(), "a_row_without_a_test_or_with_one_that_is_gone_is_found"));
    assert!(!is_test(file!(), "no_such_test") && !is_test(file!(), "named") && !is_test("tests/it/gone.rs", "x"));
}
