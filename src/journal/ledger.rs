//! The ledger: what is known of each message of each mailbox, so that none is lost or copied twice.
