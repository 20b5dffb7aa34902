//! Secrets: found by reference, generated, delivered. Nothing here prints one, and no error holds one.
//!
//! All of it blocks: a caller inside of an async runtime moves it to a blocking thread.

mod deliver;
mod generate;
mod keyring;
mod program;
mod resolve;

use std::path::PathBuf;

use thiserror::Error;

use crate::model::{AccessMethod, Address, SecretRef};

pub use deliver::{deliver, read_or_generate};
pub use generate::{PasswordPolicy, generate, unfit};
pub use resolve::resolve;

/// Where the secret is that opens one mailbox: the placeholders of a token's reference are filled in.
#[must_use]
pub fn of_mailbox(access: &AccessMethod, address: &Address) -> SecretRef {
    match access {
        AccessMethod::Token { token, .. } => super::validate::secret_for(token, address),
        AccessMethod::Password { .. }
        | AccessMethod::Named { .. }
        | AccessMethod::Master { .. }
        | AccessMethod::Authzid { .. } => access.password().clone(),
    }
}

/// Why a secret was not found, made or delivered. Names the reference, never the value.
#[derive(Debug, Error)]
pub enum SecretError {
    /// The environment variable does not exist.
    #[error("the environment variable `{0}` is not set")]
    EnvMissing(String),
    /// It is empty.
    #[error("the environment variable `{0}` is empty")]
    EnvEmpty(String),
    /// The file does not exist.
    #[error("the secret file `{}` does not exist", .0.display())]
    FileMissing(PathBuf),
    /// The file cannot be read.
    #[error("the secret file `{}` cannot be read", .path.display())]
    FileUnreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Others than its owner can read the file.
    #[error("others can read the secret file `{}`; run `chmod 600 {}`", .0.display(), .0.display())]
    FileOpen(PathBuf),
    /// The file is empty.
    #[error("the secret file `{}` is empty", .0.display())]
    FileEmpty(PathBuf),
    /// It is something else than a small regular file.
    #[error("`{}` is not a file of at most {max} octets", .path.display(), max = resolve::MAX_SECRET)]
    FileKind {
        /// The file.
        path: PathBuf,
    },
    /// What was read is no text.
    #[error("{0} is not UTF-8 text")]
    NotText(String),
    /// The program could not be started.
    #[error("the command `{program}` cannot be started")]
    CommandStart {
        /// The program.
        program: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The program failed.
    #[error("the command `{program}` failed ({status}); its own words are above")]
    CommandFailed {
        /// The program.
        program: String,
        /// Its exit status.
        status: String,
    },
    /// The program took too long and was stopped.
    #[error("the command `{program}` did not end within {seconds} s and was stopped")]
    CommandTimeout {
        /// The program.
        program: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The program printed nothing.
    #[error("the command `{0}` printed nothing")]
    CommandEmpty(String),
    /// The input or output of the program broke.
    #[error("the command `{program}` could not be talked to")]
    CommandPipe {
        /// The program.
        program: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The system has no keyring that rehome could ask.
    #[error("rehome cannot ask the keyring of this system for `{0}`; use `env`, `file` or `command`")]
    NoKeyring(String),
    /// The tool that asks the keyring is not there.
    #[error("the keyring entry `{entry}` cannot be looked up: `{program}` cannot be started; {package}")]
    KeyringTool {
        /// The entry.
        entry: String,
        /// The tool.
        program: String,
        /// Where it comes from.
        package: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The keyring gave nothing: the entry is not there, or the keyring is locked.
    #[error("the keyring gives nothing for `{entry}`; unlock it, or put the password there with `{store}`")]
    KeyringMissing {
        /// The entry.
        entry: String,
        /// What puts it there.
        store: String,
    },
    /// The operating system gave no randomness.
    #[error("the operating system gives no random numbers")]
    Randomness(#[source] std::io::Error),
    /// No password can satisfy the policy.
    #[error("no password can have {min} to {max} characters and satisfy the platform")]
    Policy {
        /// The shortest.
        min: u8,
        /// The longest.
        max: u8,
    },
    /// Another secret is there already.
    #[error("`{}` holds another secret already and is left as it is; move it away to have a new one", .0.display())]
    Exists(PathBuf),
    /// The file could not be written.
    #[error("the secret file `{}` cannot be written", .path.display())]
    FileWrite {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The delivered secret is not what is read back.
    #[error("what was delivered to {0} is not what is read back; a later run would not find the password")]
    ReadBack(String),
}
