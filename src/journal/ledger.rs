//! The ledger: what is known of each message of each mailbox, so that none is lost or copied twice.

/// The tables of the ledger, executed when a journal is created.
pub(crate) const SCHEMA: &str = "";
