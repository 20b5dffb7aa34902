//! Equal messages within a folder: found by their octets, set aside by MOVE, and brought back.
//!
//! Doubles are what another tool, or the same one run twice, left in a mailbox. They are equal when every octet is; the
//! text of a header says nothing. Of each group one message stays, untouched; the others go to a folder below
//! [`ROOT`] and keep their flags and dates. Nothing is ever deleted or expunged, and what is about to be moved is in the
//! ledger before it is.

mod error;
mod survey;
mod transfer;

pub use error::DedupError;
pub use survey::{FolderDoubles, Group, One, ROOT, Survey, survey};
pub use transfer::{DedupRequest, Transferred, bring_back, set_aside};
