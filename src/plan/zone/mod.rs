//! Records of the domains whose zones rehome may write: what is wanted beside what the servers say, set by set.
//!
//! `wanted` says what should be published, `seen` what is, `sets` what becomes of one set, `policy` whether one may be
//! announced, and `emit` makes actions and notes of it.

mod emit;
mod policy;
mod seen;
mod sets;
mod wanted;

pub(super) use emit::{add, emit, guard_of, names_later, switches};
pub(super) use policy::kept_away;
pub(super) use seen::{Seen, seen};
pub use wanted::{announces_policy, ask, spf_to_count, wish};
