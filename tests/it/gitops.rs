//! The things to copy in `examples/`: everything their files say to run is run, and their specs are valid.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn there(program: &str) -> bool {
    Command::new(program).arg("--version").stdin(Stdio::null()).output().is_ok_and(|o| o.status.success())
}

/// The commands that the workflow files of both forges run.
fn commands() -> BTreeSet<(String, String)> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(root("examples/gitops/.github/workflows")).unwrap().map(|e| e.unwrap().path()).collect();
    files.push(root("examples/gitops/.gitlab-ci.yml"));
    let mut out = BTreeSet::new();
    for file in files {
        let document: Value = serde_saphyr::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        collect(&document, &mut |command| {
            out.insert((name.clone(), command.to_owned()));
        });
    }
    out
}

/// Every `run:` of GitHub's steps and every `script:` of GitLab's jobs.
fn collect(value: &Value, found: &mut impl FnMut(&str)) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| match (key.as_str(), value) {
            ("run", Value::String(command)) => found(command),
            ("script", Value::Array(lines)) => lines.iter().filter_map(Value::as_str).for_each(&mut *found),
            _ => collect(value, found),
        }),
        Value::Array(list) => list.iter().for_each(|value| collect(value, found)),
        _ => {}
    }
}

#[test]
fn every_command_of_the_workflows_is_rehearsed_from_branch_to_rollback() {
    if !(there("git") && there("python3")) {
        assert!(std::env::var_os("REHOME_REQUIRE_SERVERS").is_none(), "git or python3 is not installed");
        eprintln!("SKIPPED: git or python3 is not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (rehearsed, told) = (folder.path().join("rehearsed"), folder.path().join("told"));
    let output = File::create(&told).unwrap();
    let status = Command::new(root("scripts/rehearse-gitops"))
        .arg(&rehearsed)
        .env("REHOME_BINARY", env!("CARGO_BIN_EXE_rehome"))
        .env("TMPDIR", folder.path())
        .stdin(Stdio::null())
        .stdout(output.try_clone().unwrap())
        .stderr(output)
        .status()
        .unwrap();
    assert!(status.success(), "{}", fs::read_to_string(&told).unwrap());
    let rehearsed = fs::read_to_string(&rehearsed).unwrap();
    let rehearsed: BTreeSet<&str> = rehearsed.lines().collect();
    let commands = commands();
    assert!(commands.len() >= 14, "{commands:?}");
    let missing: Vec<_> = commands.iter().filter(|(_, command)| !rehearsed.contains(command.as_str())).collect();
    assert!(missing.is_empty(), "a workflow runs what nothing rehearses: {missing:?}");
}

#[test]
fn the_scripts_of_the_workflows_can_be_started() {
    use std::os::unix::fs::PermissionsExt as _;
    for (file, command) in commands() {
        let script = root("examples/gitops").join(command.split_whitespace().next().unwrap());
        let mode = fs::metadata(&script).unwrap_or_else(|e| panic!("{file}: {command}: {e}")).permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "{file}: {command}");
    }
    for file in [".pre-commit-config.yaml", "hooks/pre-commit"] {
        assert!(fs::read_to_string(root("examples/gitops").join(file)).unwrap().contains("ci/check"), "{file}");
    }
}

#[test]
fn a_job_that_may_read_has_no_password_and_both_forges_run_the_same() {
    for file in ["review.yml", "rollback.yml", "watch.yml"] {
        let text = fs::read_to_string(root("examples/gitops/.github/workflows").join(file)).unwrap();
        for job in text.split("runs-on:").skip(1) {
            let reads = job.contains("environment: mail-read");
            assert!(reads || job.contains("environment: mail-write"), "{file}: a job without an environment");
            assert!(!(reads && job.contains("PASSWORD_")), "{file}: a job that only reads is given passwords");
        }
    }
    let of = |gitlab: bool| {
        let all = commands().into_iter().filter(move |(file, _)| (file == ".gitlab-ci.yml") == gitlab);
        all.map(|(_, command)| command).collect::<BTreeSet<_>>()
    };
    assert_eq!(of(true), of(false));
}

#[test]
fn five_thousand_people_of_a_table_are_valid() {
    let out = Command::new(env!("CARGO_BIN_EXE_rehome"))
        .args(["validate", "examples/fleet"])
        .current_dir(root(""))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{told}");
    assert!(told.contains("5,000 accounts") || told.contains("5000 accounts"), "{told}");
}

#[test]
fn the_container_takes_what_the_scripts_need() {
    let text = fs::read_to_string(root("examples/gitops/Containerfile")).unwrap();
    for word in ["ca-certificates", " git ", "python3", "/var/lib/rehome", "USER rehome", "--locked"] {
        assert!(text.contains(word), "{word}");
    }
    // The image builds with the compiler that the code is developed with.
    let readme = fs::read_to_string(root("README.md")).unwrap();
    assert!(text.contains("rust:1.95-") && readme.contains("developed with 1.95"));
}
