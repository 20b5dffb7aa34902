//! F4: a whole mail world in one process for rehearsal and tests: OVHcloud API, IMAP, DNS.

pub mod api;
pub mod corpus;
pub mod counters;
pub mod dns;
pub mod mail;
pub mod store;
