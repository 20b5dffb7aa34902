//! Hooks: programs of the user that are told what happens, and may forbid what has not happened yet.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When a hook is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HookPoint {
    /// Before anything of a run; may forbid the run.
    BeforeApply,
    /// Before an action; may forbid it.
    BeforeAction,
    /// After an action was done.
    AfterAction,
    /// After an action failed, or nobody can tell whether it was done.
    OnFailure,
    /// After a run has ended, however it did.
    AfterRun,
}

impl HookPoint {
    /// The word in a spec.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::BeforeApply => "before-apply",
            Self::BeforeAction => "before-action",
            Self::AfterAction => "after-action",
            Self::OnFailure => "on-failure",
            Self::AfterRun => "after-run",
        }
    }
}

impl fmt::Display for HookPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The version of the object that a hook gets. New fields do not raise it.
pub const HOOK_FORMAT: u32 = 1;
