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

#[test]
fn every_case_of_the_rfc_7208_suite_is_as_it_says() {
    let named = std::env::var_os("REHOME_SPF_SUITE").map(PathBuf::from);
    let beside = || python().and_then(|p| Some(p.parent()?.parent()?.join("rfc7208-tests.yml")));
    let (Some(python), Some(suite)) = (python(), named.or_else(beside).filter(|p| p.exists())) else {
        let required = std::env::var_os("REHOME_REQUIRE_SERVERS").is_some();
        assert!(!required, "the suite is not installed: scripts/bench-dns prepare");
        eprintln!("SKIPPED: the suite is not installed: scripts/bench-dns prepare");
        return;
    };
    let out = Command::new(python)
        .arg(root().join("benches/dns/suite.py"))
        .arg(env!("CARGO_BIN_EXE_rehome"))
        .arg(suite)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{told}{}", String::from_utf8_lossy(&out.stderr));
    assert!(told.contains("203 of 203 cases"), "{told}");
}

#[test]
fn every_difference_to_checkdmarc_is_explained() {
    if !here() {
        return;
    }
    let Some(python) = python() else {
        let required = std::env::var_os("REHOME_REQUIRE_SERVERS").is_some();
        assert!(!required, "checkdmarc is not installed: scripts/bench-dns prepare");
        eprintln!("SKIPPED: checkdmarc is not installed: scripts/bench-dns prepare");
        return;
    };
    let out = Command::new(python)
        .arg(root().join("benches/dns/compare.py"))
        .arg(env!("CARGO_BIN_EXE_rehome"))
        .args(["--rounds", "1", "--generated", "240"])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{told}{}", String::from_utf8_lossy(&out.stderr));
    let numbers: Vec<usize> = told.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    assert!(numbers[1] >= 200, "so many domains by chance: {told}");
}
