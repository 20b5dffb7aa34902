//! How a copy can end early. Whatever the reason, a later pass goes on where this one stopped.

use std::{error::Error, fmt};

use thiserror::Error;

use crate::{
    journal::ledger::LedgerError,
    model::{Address, CopyCounts},
};

/// Which of the two mailboxes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// Where mail comes from.
    Source,
    /// Where mail goes.
    Target,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Source => "source",
            Self::Target => "target",
        })
    }
}

/// Why the copy or the comparison of an account stopped. What was settled until then is in the ledger.
#[derive(Debug, Error)]
pub enum CopyError {
    /// A mailbox failed.
    #[error("the {side} of {account} failed while {doing}")]
    Store {
        /// Which.
        side: Side,
        /// The address of the spec.
        account: Address,
        /// What was being done.
        doing: String,
        /// What may be done about it.
        class: CopyErrorClass,
        /// The server's words or the network's failure.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The target has no room. Nothing more is sent for this account until it has.
    #[error("the target of {account} is full; the copy stopped in `{folder}`: {text}")]
    TargetFull {
        /// The address of the spec.
        account: Address,
        /// The folder at the source.
        folder: String,
        /// The server's words.
        text: String,
    },
    /// A folder was renumbered or replaced while it was being copied.
    #[error(
        "UIDVALIDITY of `{folder}` at the {side} of {account} changed from {was} to {now} during the copy; run it again"
    )]
    Renumbered {
        /// Which side.
        side: Side,
        /// The address of the spec.
        account: Address,
        /// The folder.
        folder: String,
        /// UIDVALIDITY before.
        was: u32,
        /// UIDVALIDITY now.
        now: u32,
    },
    /// The ledger failed. Nothing is sent without it.
    #[error("the copy of {account} stopped, because what it does could not be recorded")]
    Ledger {
        /// The address of the spec.
        account: Address,
        /// Why.
        #[source]
        source: Box<LedgerError>,
    },
    /// A server or a limit lets nothing through for hours. Nothing is wrong.
    #[error("the copy of {account} goes on later: {text}")]
    Later {
        /// The address of the spec.
        account: Address,
        /// What is waited for, and until when.
        text: String,
    },
    /// Somebody asked to stop.
    #[error("the copy of {account} was interrupted")]
    Interrupted {
        /// The address of the spec.
        account: Address,
    },
    /// Not every message of the source is accounted for. This is a defect of rehome.
    #[error("the sums of {account} do not balance in `{folder}`: {counts:?}")]
    Unbalanced {
        /// The address of the spec.
        account: Address,
        /// The folder at the source, or `total`.
        folder: String,
        /// The sums.
        counts: Box<CopyCounts>,
    },
}

/// What may be done about an early end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CopyErrorClass {
    /// The server cannot be reached or keeps breaking the connection. Running again is safe.
    Unreachable,
    /// The login was refused.
    Denied,
    /// The target has no room.
    Full,
    /// Nothing goes through for hours. Running again then is all there is to do.
    Later,
    /// Somebody asked to stop.
    Interrupted,
    /// A folder changed under the copy. Running again is safe.
    Changed,
    /// Another run has taken over the mailbox.
    Fenced,
    /// It will not get better by itself.
    Failed,
}

impl CopyError {
    /// What may be done about it.
    #[must_use]
    pub fn class(&self) -> CopyErrorClass {
        match self {
            Self::Store { class, .. } => *class,
            Self::TargetFull { .. } => CopyErrorClass::Full,
            Self::Renumbered { .. } => CopyErrorClass::Changed,
            Self::Ledger { source, .. } if matches!(**source, LedgerError::Fenced) => CopyErrorClass::Fenced,
            Self::Ledger { .. } | Self::Unbalanced { .. } => CopyErrorClass::Failed,
            Self::Later { .. } => CopyErrorClass::Later,
            Self::Interrupted { .. } => CopyErrorClass::Interrupted,
        }
    }
}
