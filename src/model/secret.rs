//! Secrets and the references a spec, plan or journal may hold instead of them.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

/// A secret value. It cannot be serialised, and formatting it prints `***`.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes a secret over.
    #[must_use]
    pub fn new(value: String) -> Self {
        Self(SecretString::from(value))
    }

    /// The value, for the one place that puts it on a wire or into its sink.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Where a secret is found. Only the reference is ever written down.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecretRef {
    /// An environment variable.
    Env(String),
    /// A file that only its owner can read; a relative path is taken from the folder of the spec. One final line end is
    /// cut off.
    File(PathBuf),
    /// A program and its arguments; the secret is its standard output without the final line end.
    Command(Vec<String>),
    /// An entry of the system's keyring: `service/user`.
    Keyring(String),
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Command(argv) => write!(f, "command {}", argv.first().map_or("", String::as_str)),
            Self::Keyring(entry) => write!(f, "keyring {entry}"),
        }
    }
}

/// Where a generated password goes, so that its user (and a later run) can have it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// A file with mode 0600; a relative path is taken from the folder of the spec. A later run reads it back.
    File(PathBuf),
    /// A program that gets the password on standard input, and the reference by which a later run reads it back.
    Command {
        /// The program and its arguments.
        argv: Vec<String>,
        /// How a later run reads the password.
        read: SecretRef,
    },
}

impl Delivery {
    /// The reference under which the delivered password can be read again.
    #[must_use]
    pub fn read_back(&self) -> SecretRef {
        match self {
            Self::File(path) => SecretRef::File(path.clone()),
            Self::Command { read, .. } => read.clone(),
        }
    }
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Command { argv, .. } => write!(f, "command {}", argv.first().map_or("", String::as_str)),
        }
    }
}

/// How an account gets its password.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PasswordSource {
    /// It is read from where the spec says.
    Given(SecretRef),
    /// It is generated at apply and delivered.
    Generate(Delivery),
}

impl PasswordSource {
    /// The reference under which the password can be read once it is set.
    #[must_use]
    pub fn read_back(&self) -> SecretRef {
        match self {
            Self::Given(secret) => secret.clone(),
            Self::Generate(delivery) => delivery.read_back(),
        }
    }
}

/// The resolved credentials of one platform, by the name of the field (`application_key`, `password`, ...).
#[derive(Clone, Debug, Default)]
pub struct Credentials(pub BTreeMap<String, Secret>);

impl Credentials {
    /// The credential of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Secret> {
        self.0.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_cannot_be_printed() {
        let s = Secret::new("hunter2".to_owned());
        assert_eq!(format!("{s} {s:?}"), "*** ***");
    }
}
