//! From a reference to the secret.

use std::{
    env,
    fs::File,
    io::{ErrorKind, Read},
    path::Path,
};

use zeroize::Zeroizing;

use super::{
    SecretError, keyring,
    program::{self, Words},
};
use crate::model::{Secret, SecretRef};

/// The largest secret, in octets.
pub(super) const MAX_SECRET: u64 = 64 << 10;

/// Finds a secret. Relative paths start at `base`; programs run there.
///
/// # Errors
/// [`SecretError`] names the reference and what is wrong with it.
pub fn resolve(reference: &SecretRef, base: &Path) -> Result<Secret, SecretError> {
    find(reference, base, Words::Shown)
}

/// The same, for a secret that may not be there yet.
pub(super) fn find(reference: &SecretRef, base: &Path, words: Words) -> Result<Secret, SecretError> {
    match reference {
        SecretRef::Env(name) => from_env(name),
        SecretRef::File(path) => from_file(&base.join(path)),
        SecretRef::Command(argv) => from_command(argv, base, words),
        SecretRef::Keyring(entry) => keyring::find(entry, base, words),
    }
}

fn from_env(name: &str) -> Result<Secret, SecretError> {
    match env::var(name) {
        Ok(value) if value.is_empty() => Err(SecretError::EnvEmpty(name.to_owned())),
        Ok(value) => Ok(Secret::new(value)),
        Err(env::VarError::NotPresent) => Err(SecretError::EnvMissing(name.to_owned())),
        Err(env::VarError::NotUnicode(_)) => Err(SecretError::NotText(format!("the environment variable `{name}`"))),
    }
}

pub(super) fn from_file(path: &Path) -> Result<Secret, SecretError> {
    let unreadable = |source| SecretError::FileUnreadable { path: path.to_owned(), source };
    // What was opened is what is judged: a file that is exchanged in between is not read by mistake.
    let mut file = File::open(path).map_err(|source| match source.kind() {
        ErrorKind::NotFound => SecretError::FileMissing(path.to_owned()),
        _ => unreadable(source),
    })?;
    let meta = file.metadata().map_err(unreadable)?;
    if !meta.is_file() || meta.len() > MAX_SECRET {
        return Err(SecretError::FileKind { path: path.to_owned() });
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        if meta.permissions().mode() & 0o077 != 0 {
            return Err(SecretError::FileOpen(path.to_owned()));
        }
    }
    let mut bytes = Zeroizing::new(Vec::new());
    Read::by_ref(&mut file).take(MAX_SECRET + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    let name = || format!("the secret file `{}`", path.display());
    text(&bytes, name)?.ok_or_else(|| SecretError::FileEmpty(path.to_owned()))
}

fn from_command(argv: &[String], base: &Path, words: Words) -> Result<Secret, SecretError> {
    let output = program::run(argv, base, None, words)?;
    let program = argv.first().map_or("", String::as_str);
    let name = || format!("the output of the command `{program}`");
    text(&output, name)?.ok_or_else(|| SecretError::CommandEmpty(program.to_owned()))
}

/// The text without its final line end; nothing when it is empty.
pub(super) fn text(bytes: &[u8], name: impl Fn() -> String) -> Result<Option<Secret>, SecretError> {
    let text = std::str::from_utf8(bytes).map_err(|_| SecretError::NotText(name()))?;
    let text = text.strip_suffix('\n').map_or(text, |t| t.strip_suffix('\r').unwrap_or(t));
    Ok((!text.is_empty()).then(|| Secret::new(text.to_owned())))
}
