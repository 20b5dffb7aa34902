//! The environment of a run: the process's own, with an overlay for the demo.

use std::{collections::BTreeMap, path::Path};

use crate::{
    model::{Secret, SecretRef},
    spec::secrets::{self, SecretError},
};

/// Looks up environment variables. The demo lays the sandbox's variables over those of the process, so that it goes
/// through the very same code as a run from a shell.
#[derive(Clone, Debug, Default)]
pub(super) struct Env {
    overlay: BTreeMap<String, String>,
}

impl Env {
    /// The process's environment under these variables.
    pub(super) fn with(overlay: BTreeMap<String, String>) -> Self {
        Self { overlay }
    }

    /// The value of a variable that is set and not empty.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.overlay.get(name).cloned().or_else(|| std::env::var(name).ok()).filter(|v| !v.is_empty())
    }

    /// The secret behind a reference.
    pub(super) fn secret(&self, reference: &SecretRef, base: &Path) -> Result<Secret, SecretError> {
        if let SecretRef::Env(name) = reference
            && let Some(value) = self.overlay.get(name)
        {
            return Ok(Secret::new(value.clone()));
        }
        secrets::resolve(reference, base)
    }
}
