//! One test binary: every module below is one area.
#![expect(clippy::unwrap_used, reason = "tests say what they expect by panicking")]

mod apply;
mod architecture;
mod binary;
mod cli;
mod copy;
mod crash;
mod dns;
mod fleet;
mod imap;
mod journal;
mod kills;
mod plan;
mod provider;
mod sandbox_api;
mod sandbox_mail;
mod spec;
mod world;
mod zones;
