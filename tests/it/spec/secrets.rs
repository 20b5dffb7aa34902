//! Secrets: found, generated, delivered.
#![cfg(unix)]

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use rehome::{
    diag,
    model::{Delivery, Secret, SecretRef},
    spec::secrets::{PasswordPolicy, SecretError, deliver, read_or_generate, resolve},
};

fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn argv(words: &[&str]) -> Vec<String> {
    words.iter().map(|w| (*w).to_owned()).collect()
}

/// What a person reads of an error.
fn words(result: Result<Secret, SecretError>) -> String {
    diag::chain(&result.unwrap_err()).join(": ")
}

#[test]
fn env_is_read_and_its_absence_named() {
    let base = Path::new("");
    assert!(!resolve(&SecretRef::Env("PATH".into()), base).unwrap().expose().is_empty());
    let missing = words(resolve(&SecretRef::Env("REHOME_TEST_NOT_SET".into()), base));
    assert_eq!(missing, "the environment variable `REHOME_TEST_NOT_SET` is not set");
}

#[test]
fn a_file_is_read_without_its_line_end_when_only_its_owner_can_read_it() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| SecretRef::File(PathBuf::from(name));
    write(&dir.path().join("good"), "s3cret \r\n", 0o600);
    assert_eq!(resolve(&at("good"), dir.path()).unwrap().expose(), "s3cret ");
    for open in [0o640, 0o604, 0o660] {
        write(&dir.path().join("open"), "s3cret", open);
        let shown = words(resolve(&at("open"), dir.path()));
        assert!(shown.contains("chmod 600") && !shown.contains("s3cret"), "{shown}");
    }
    write(&dir.path().join("empty"), "\n", 0o600);
    assert!(matches!(resolve(&at("empty"), dir.path()), Err(SecretError::FileEmpty(_))));
    write(&dir.path().join("large"), &"x".repeat(70_000), 0o600);
    assert!(matches!(resolve(&at("large"), dir.path()), Err(SecretError::FileKind { .. })));
    assert!(matches!(resolve(&at("none"), dir.path()), Err(SecretError::FileMissing(_))));
    assert!(matches!(resolve(&at("."), dir.path()), Err(SecretError::FileKind { .. })));
    fs::write(dir.path().join("bytes"), [0xff, 0xfe]).unwrap();
    fs::set_permissions(dir.path().join("bytes"), fs::Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(resolve(&at("bytes"), dir.path()), Err(SecretError::NotText(_))));
}

#[test]
fn a_command_is_run_without_a_shell_and_in_the_folder_of_the_spec() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("there"), "from the folder\n").unwrap();
    let run = |words: &[&str]| resolve(&SecretRef::Command(argv(words)), dir.path());
    assert_eq!(run(&["cat", "there"]).unwrap().expose(), "from the folder");
    assert_eq!(run(&["echo", "$HOME; `id`"]).unwrap().expose(), "$HOME; `id`");
    assert!(matches!(run(&["true"]), Err(SecretError::CommandEmpty(_))));
    assert!(matches!(run(&["no-such-program-here"]), Err(SecretError::CommandStart { .. })));
    let failed = words(run(&["sh", "-c", "echo s3cret; exit 3"]));
    assert!(failed.contains("exit status: 3") && !failed.contains("s3cret"), "{failed}");
}

#[test]
fn a_delivered_file_is_private_and_its_folder_too() {
    let dir = tempfile::tempdir().unwrap();
    let delivery = Delivery::File("deep/er/john".into());
    deliver(&delivery, &Secret::new("first".into()), dir.path()).unwrap();
    let file = dir.path().join("deep/er/john");
    assert_eq!(fs::read_to_string(&file).unwrap(), "first\n");
    assert_eq!((mode(&file), mode(file.parent().unwrap()), mode(&dir.path().join("deep"))), (0o600, 0o700, 0o700));
    let left: Vec<_> = fs::read_dir(file.parent().unwrap()).unwrap().collect();
    assert_eq!(left.len(), 1, "no temporary file stays");
}

#[test]
fn another_secret_is_never_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let delivery = Delivery::File("john".into());
    deliver(&delivery, &Secret::new("first".into()), dir.path()).unwrap();
    deliver(&delivery, &Secret::new("first".into()), dir.path()).unwrap();
    let refused = deliver(&delivery, &Secret::new("second".into()), dir.path());
    assert!(matches!(refused, Err(SecretError::Exists(_))));
    assert_eq!(fs::read_to_string(dir.path().join("john")).unwrap(), "first\n");
}

#[test]
fn a_second_run_finds_the_password_of_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let policy = PasswordPolicy { min: 9, max: 30 };
    let file = Delivery::File("secrets/john".into());
    let first = read_or_generate(&file, &policy, dir.path()).unwrap();
    let second = read_or_generate(&file, &policy, dir.path()).unwrap();
    assert_eq!(first.expose(), second.expose());

    let store = Delivery::Command {
        argv: argv(&["sh", "-c", "cat > store"]),
        read: SecretRef::Command(argv(&["cat", "store"])),
    };
    let first = read_or_generate(&store, &policy, dir.path()).unwrap();
    let second = read_or_generate(&store, &policy, dir.path()).unwrap();
    assert_eq!(first.expose(), second.expose());
    assert_eq!(fs::read_to_string(dir.path().join("store")).unwrap(), first.expose());
}

#[test]
fn a_store_that_loses_passwords_is_found_out() {
    let dir = tempfile::tempdir().unwrap();
    let store = Delivery::Command {
        argv: argv(&["sh", "-c", "cat > /dev/null; echo other > store"]),
        read: SecretRef::Command(argv(&["cat", "store"])),
    };
    let lost = read_or_generate(&store, &PasswordPolicy::default(), dir.path());
    assert!(matches!(lost, Err(SecretError::ReadBack(_))));
}

#[test]
fn an_open_file_is_not_replaced() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("john"), "s3cret", 0o644);
    let open = read_or_generate(&Delivery::File("john".into()), &PasswordPolicy::default(), dir.path());
    assert!(matches!(open, Err(SecretError::FileOpen(_))));
}
