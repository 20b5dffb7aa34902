//! F2: PURE. Spec, inventory and state to a plan: difference, strategies, order, guards, notes, staleness, plan file.

mod types;

pub use types::*;
