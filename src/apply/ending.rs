//! How one action ended, before anybody decides what that means for the run.

use std::error::Error;

use super::{MailError, PasswordError};
use crate::{
    diag::{self, Finding},
    provider::{ErrorClass, ProviderError},
};

/// The end of one action in this run.
#[derive(Debug)]
pub(super) enum Ending {
    /// It is done.
    Done { adopted: bool, detail: Option<String> },
    /// It is known not to be done.
    Failed(Trouble),
    /// It may be done: the intent stays open, and the next run looks.
    Open(Trouble),
    /// Looking does not tell whether it is done.
    Ambiguous(String),
    /// A check found differences. It is not done, so that a later run checks again.
    Differs,
    /// It waits for something outside.
    Waiting(String),
    /// It was taken back because its partner failed.
    Undone(String),
    /// It was not begun, or interrupted where that is harmless.
    Left,
}

/// The end of the action at a place of the plan, with what it found.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) at: usize,
    pub(super) ending: Ending,
    pub(super) findings: Vec<Finding>,
}

impl Report {
    pub(super) fn new(at: usize, ending: Ending) -> Self {
        Self { at, ending, findings: Vec::new() }
    }
}

/// A failure in words.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    pub(super) class: Option<ErrorClass>,
    pub(super) errors: Vec<String>,
    pub(super) help: Option<String>,
}

impl Trouble {
    pub(super) fn new(class: Option<ErrorClass>, message: impl Into<String>, help: Option<&str>) -> Self {
        Self { class, errors: vec![message.into()], help: help.map(str::to_owned) }
    }

    fn of(class: Option<ErrorClass>, error: &dyn Error, help: Option<&String>) -> Self {
        Self { class, errors: diag::chain(error), help: help.cloned() }
    }

    /// Puts a sentence in front of the chain.
    pub(super) fn because(mut self, outer: impl Into<String>) -> Self {
        self.errors.insert(0, outer.into());
        self
    }
}

impl From<&ProviderError> for Trouble {
    fn from(error: &ProviderError) -> Self {
        Self::of(Some(error.class), error, error.help.as_ref())
    }
}

impl From<&MailError> for Trouble {
    fn from(error: &MailError) -> Self {
        Self::of(Some(error.class), error, error.help.as_ref())
    }
}

impl From<&PasswordError> for Trouble {
    fn from(error: &PasswordError) -> Self {
        Self::of(None, error, error.help.as_ref())
    }
}
