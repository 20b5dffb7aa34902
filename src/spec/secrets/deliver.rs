//! Where generated passwords go. A delivered secret is never replaced by another one without a word.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

use super::{
    PasswordPolicy, SecretError, generate,
    program::{self, Words},
    resolve::{find, from_file},
};
use crate::model::{Delivery, Secret};

/// Delivers a secret: into a file that only its owner can read, created at once and whole, or to the standard input of a
/// program (without a line end). Delivering the same secret again changes nothing.
///
/// # Errors
/// [`SecretError::Exists`] when another secret is in the file; otherwise what could not be written or run.
pub fn deliver(delivery: &Delivery, secret: &Secret, base: &Path) -> Result<(), SecretError> {
    match delivery {
        Delivery::File(path) => to_file(&base.join(path), secret),
        Delivery::Command { argv, .. } => program::run(argv, base, Some(secret), Words::Shown).map(drop),
    }
}

/// The password of a delivery: the one that an earlier run delivered, or a new one, delivered and read back.
///
/// # Errors
/// Those of [`resolve`](super::resolve()), [`generate`](super::generate()) and [`deliver`]; a file that is there and cannot be read, or is
/// open to others, is an error and not replaced.
pub fn read_or_generate(delivery: &Delivery, policy: &PasswordPolicy, base: &Path) -> Result<Secret, SecretError> {
    let back = delivery.read_back();
    match find(&back, base, Words::Dropped) {
        Ok(secret) => return Ok(secret),
        // A store says "there is no such entry" by failing or by printing nothing.
        Err(SecretError::FileMissing(_) | SecretError::CommandFailed { .. } | SecretError::CommandEmpty(_)) => {}
        Err(other) => return Err(other),
    }
    let secret = generate(policy)?;
    match deliver(delivery, &secret, base) {
        // Somebody else was faster: theirs counts, as for a run that comes later.
        Err(SecretError::Exists(_)) => return super::resolve(&back, base),
        delivered => delivered?,
    }
    let found = super::resolve(&back, base)?;
    if found.expose() != secret.expose() {
        return Err(SecretError::ReadBack(delivery.to_string()));
    }
    Ok(secret)
}

fn to_file(path: &Path, secret: &Secret) -> Result<(), SecretError> {
    let failed = |source| SecretError::FileWrite { path: path.to_owned(), source };
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    private_folder(folder).map_err(failed)?;
    match from_file(path) {
        Err(SecretError::FileMissing(_)) => {}
        found => return same(path, secret, found),
    }
    // A temporary file of this crate has mode 0600 from its first byte.
    let mut temporary = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    temporary.write_all(secret.expose().as_bytes()).and_then(|()| temporary.write_all(b"\n")).map_err(failed)?;
    temporary.as_file().sync_all().map_err(failed)?;
    match temporary.persist_noclobber(path) {
        Ok(_) => {}
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            return same(path, secret, from_file(path));
        }
        Err(error) => return Err(failed(error.error)),
    }
    // The name must survive a power cut as well as the content.
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

/// What is there already is either the same, or left alone.
fn same(path: &Path, secret: &Secret, found: Result<Secret, SecretError>) -> Result<(), SecretError> {
    if found?.expose() == secret.expose() { Ok(()) } else { Err(SecretError::Exists(path.to_owned())) }
}

fn private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
