//! F1: YAML bytes to a validated [`Spec`], every problem at once, each with its place.
//!
//! ```text
//! bytes ──tree──▶ nodes with places ──raw──▶ what was written ──validate──▶ Spec
//!                                     people ──▶ ┘ (tables of accounts)
//! ```
//!
//! No stage stops at a problem: a key that nobody knows and an address claimed twice are found in the same run.

mod format;
mod init;
mod load;
mod mask;
mod people;
mod place;
mod raw;
pub mod schema;
pub mod secrets;
mod tree;
mod types;
mod validate;

pub use format::format;
pub use init::template_init;
pub use load::{files, load, parse, parse_bytes, parse_files};
pub use types::*;

use jiff::Timestamp;

use crate::diag::Diagnostics;

/// Reads a size as the spec writes them: `25 MB`. `None` for anything else.
#[must_use]
pub fn read_size(text: &str) -> Option<u64> {
    raw::Size::parse(text).map(|size| size.0)
}

/// Reads a day, which begins at midnight UTC, or an instant, as the spec writes them. `None` for anything else.
#[must_use]
pub fn read_moment(text: &str) -> Option<Timestamp> {
    raw::Moment::parse(text).map(|moment| moment.0)
}

/// A valid spec and what is doubtful about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The spec.
    pub spec: Spec,
    /// What is doubtful; nothing of it is an error.
    pub warnings: Diagnostics,
}
