//! F1: expected records and answers to findings (pure), the lookups, and signed updates of zones.
//!
//! Looking and judging are apart. [`observe`] asks each authoritative server of a domain by itself and writes down what
//! it said, word for word; [`check`] holds that against what a platform wants and touches nothing. A question that
//! failed is [`Severity::Unknown`](crate::diag::Severity::Unknown), never "missing".

mod ask;
pub mod audit;
mod check;
pub mod codes;
mod diff;
mod discover;
mod dnssec;
mod empty;
mod lookup;
mod nameserver;
mod observe;
mod platforms;
mod rotate;
pub mod spf;
mod tlsa;
mod update;
mod wanted;
mod wire;

pub use ask::{Lookups, Servers};
pub use check::{check, merge_spf, same_policy, same_reports, why};
pub use diff::{Row, Standing, diff};
pub use dnssec::{AnchorError, Anchors, Proof, Validator};
pub use lookup::Client;
pub use nameserver::{Nameserver, NameserverError};
pub use observe::{follow_away, observe, questions};
pub use platforms::{Platform, platform, platform_words};
pub use tlsa::tlsa_fits;
pub use update::{UpdateError, Updater};
pub use wanted::{Told, Wish};
