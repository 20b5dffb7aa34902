//! The same zones, judged by rehome and by checkdmarc.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::daemons::here;

/// Where `scripts/bench-dns prepare` puts it, or what `REHOME_CHECKDMARC` names: a Python that has checkdmarc.
fn python() -> Option<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let named = std::env::var_os("REHOME_CHECKDMARC").map(PathBuf::from);
    named.or_else(|| Some(target.join("checkdmarc/bin/python"))).filter(|p| p.exists())
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Says that a test is left out for want of something; where everything must be there, it fails instead.
#[expect(clippy::print_stderr, reason = "a test that is left out says so")]
fn left_out(what: &str) {
    let told = format!("{what} is not installed: scripts/bench-dns prepare");
    assert!(std::env::var_os("REHOME_REQUIRE_SERVERS").is_none(), "{told}");
    eprintln!("SKIPPED: {told}");
}

/// What a script of `benches/dns` says of the program. It must end well.
fn told<S: AsRef<std::ffi::OsStr>>(python: &Path, script: &str, args: &[S]) -> String {
    let out = Command::new(python)
        .arg(root().join("benches/dns").join(script))
        .arg(env!("CARGO_BIN_EXE_rehome"))
        .args(args)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success(), "{told}{}", String::from_utf8_lossy(&out.stderr));
    told
}

#[test]
fn every_case_of_the_rfc_7208_suite_is_as_it_says() {
    let named = std::env::var_os("REHOME_SPF_SUITE").map(PathBuf::from);
    let beside = || python().and_then(|p| Some(p.parent()?.parent()?.join("rfc7208-tests.yml")));
    let (Some(python), Some(suite)) = (python(), named.or_else(beside).filter(|p| p.exists())) else {
        return left_out("the suite");
    };
    let told = told(&python, "suite.py", &[suite]);
    assert!(told.contains("203 of 203 cases"), "{told}");
}

#[test]
fn every_difference_to_checkdmarc_is_explained() {
    if !here() {
        return;
    }
    let Some(python) = python() else { return left_out("checkdmarc") };
    let told = told(&python, "compare.py", &["--rounds", "1", "--generated", "240"]);
    let numbers: Vec<usize> = told.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    assert!(numbers[1] >= 200, "so many domains by chance: {told}");
}
