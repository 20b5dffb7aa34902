//! How looking for doubles, or moving them, can fail.

use thiserror::Error;

use crate::{imap::ImapError, journal::ledger::LedgerError, model::Address};

/// Why doubles could not be found or moved. Each message is in one folder or the other, and the ledger knows what is open.
#[derive(Debug, Error)]
pub enum DedupError {
    /// The server failed or refused.
    #[error("{place} failed while {doing}")]
    Imap {
        /// Login and server.
        place: String,
        /// What was being done.
        doing: String,
        /// The server's words or the network's failure.
        #[source]
        source: Box<ImapError>,
    },
    /// The ledger failed. Nothing is moved without it.
    #[error("the doubles of {account} stay where they are, because what is done could not be recorded")]
    Ledger {
        /// The address of the spec.
        account: Address,
        /// Why.
        #[source]
        source: Box<LedgerError>,
    },
    /// Doubles cannot be moved on this server.
    #[error("the doubles in {place} cannot be set aside: {why}")]
    CannotMove {
        /// Login and server.
        place: String,
        /// What stands in the way.
        why: String,
    },
    /// A copy to the mailbox has messages in doubt, which a move would hide from it.
    #[error("a copy of {account} was interrupted, and what it sent last is not settled yet")]
    CopyOpen {
        /// The address of the spec.
        account: Address,
    },
    /// Somebody asked to stop.
    #[error("looking after the doubles of {place} was interrupted")]
    Interrupted {
        /// Login and server.
        place: String,
    },
}
