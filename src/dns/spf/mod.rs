//! Who may send: the function `check_host()` of RFC 7208, over any [`Lookups`](super::Lookups).
//!
//! A record is read completely into a [`Record`] before anything is asked, so that a mistake at its end counts at its
//! beginning too (4.6). What was asked and what came of it is kept as a trace, with the numbers that receivers limit.

mod evaluate;
mod expand;
mod macros;
mod names;
mod near;
mod questions;
mod record;
mod result;
mod walk;

pub use evaluate::evaluate;
pub use macros::{MacroString, Part};
pub(in crate::dns) use names::reverse;
pub use record::{Directive, DualCidr, Mechanism, Qualifier, Record, SyntaxError, is_record, parse};
pub use result::{Evaluation, LOOKUPS, Outcome, Request, Step, VOIDS};
pub use walk::{Network, Reach, adds_nobody, reach};
