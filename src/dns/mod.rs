//! F1: expected records and answers to findings (pure), and the lookups.
//!
//! Looking and judging are apart. [`observe`] asks each authoritative server of a domain by itself and writes down what
//! it said, word for word; [`check`] holds that against what a platform wants and touches nothing. A question that
//! failed is [`Severity::Unknown`](crate::diag::Severity::Unknown), never "missing".

mod ask;
mod check;
mod discover;
mod lookup;
mod observe;
pub mod spf;
mod wire;

pub use ask::{Lookups, Servers};
pub use check::{check, merge_spf};
pub use lookup::Client;
pub use observe::{observe, questions};
