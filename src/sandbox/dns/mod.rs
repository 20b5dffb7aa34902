//! An authoritative DNS server for the sandbox: shared [`Zones`] behind any number of listeners.
//!
//! To rehearse servers that differ, start a second [`DnsServer`] over [`Zones::fork`]: it stays as it was until
//! [`Zones::catch_up`].

mod answer;
mod server;
mod zones;

pub use server::DnsServer;
pub use zones::{Fault, ZoneError, Zones};
