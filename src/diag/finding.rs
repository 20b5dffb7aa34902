//! Findings: results of checks of mail or DNS.

use serde::{Deserialize, Serialize};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It is as it should be.
    Ok,
    /// Good to know.
    Info,
    /// Works, but should be better.
    Warning,
    /// Wrong.
    Error,
    /// It could not be found out; this is never taken for "missing".
    Unknown,
}

/// One result of one check.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// A stable code, such as `mx-missing` or `message-changed`.
    pub code: String,
    /// How bad it is.
    pub severity: Severity,
    /// What was looked at: a record's name, a folder and UID.
    pub subject: String,
    /// The fact, in one sentence.
    pub message: String,
    /// What should be there.
    pub expected: Option<String>,
    /// What is there.
    pub actual: Option<String>,
    /// What to do.
    pub fix: Option<String>,
}
