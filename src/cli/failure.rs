//! How a command ends badly: an exit code, what went wrong, and what to do.

use crate::{
    diag::{self, Diagnostics, Exit},
    provider::{ErrorClass, ProviderError},
};

/// The end of a command that could not do its work.
#[derive(Debug)]
pub(super) struct Failure {
    /// The exit code.
    pub(super) exit: Exit,
    /// The chain of errors, outermost first.
    pub(super) errors: Vec<String>,
    /// What to do.
    pub(super) help: Option<String>,
    /// Problems with places, in a text that somebody wrote.
    pub(super) diagnostics: Diagnostics,
}

impl Failure {
    /// A failure in one sentence.
    pub(super) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, errors: vec![message.into()], help: None, diagnostics: Diagnostics::default() }
    }

    /// A failure with the error that caused it.
    pub(super) fn caused(exit: Exit, message: impl Into<String>, error: &dyn std::error::Error) -> Self {
        let mut failure = Self::new(exit, message);
        failure.errors.extend(diag::chain(error));
        failure
    }

    /// A failure of a spec or another text.
    pub(super) fn invalid(diagnostics: Diagnostics) -> Self {
        Self { exit: Exit::Invalid, errors: Vec::new(), help: None, diagnostics }
    }

    /// Adds what to do.
    pub(super) fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }
}

impl From<ProviderError> for Failure {
    fn from(error: ProviderError) -> Self {
        let mut failure = Self::new(exit_of(error.class), error.context.clone());
        failure.errors = diag::chain(&error);
        failure.help = error.help;
        failure
    }
}

/// The exit code of a provider's failure.
pub(super) fn exit_of(class: ErrorClass) -> Exit {
    match class {
        ErrorClass::Denied => Exit::Denied,
        ErrorClass::Unreachable | ErrorClass::Throttled | ErrorClass::Timeout => Exit::Unreachable,
        ErrorClass::InDoubt => Exit::Decide,
        ErrorClass::Stale => Exit::Stale,
        ErrorClass::Refused | ErrorClass::NotFound | ErrorClass::Conflict | ErrorClass::Unsupported => Exit::Failed,
    }
}

impl From<crate::journal::ledger::LedgerError> for Failure {
    fn from(error: crate::journal::ledger::LedgerError) -> Self {
        Self { errors: diag::chain(&error), ..Self::new(Exit::Failed, "") }
    }
}

impl From<crate::journal::JournalError> for Failure {
    fn from(error: crate::journal::JournalError) -> Self {
        let help = error.help();
        Self { exit: error.exit(), errors: diag::chain(&error), help, diagnostics: Diagnostics::default() }
    }
}
