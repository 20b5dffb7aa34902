//! Records of the domains whose zones rehome may write: what is wanted beside what the servers say, set by set.
//!
//! `wanted` says what should be published, `seen` what is, `sets` what becomes of one set, and this file makes actions
//! and notes of it.

mod emit;
mod seen;
mod sets;
mod wanted;

pub(super) use emit::{add, emit, guard_of, names_later, switches};
pub(super) use seen::{Seen, seen};
pub use wanted::{ask, spf_to_count, wish};
