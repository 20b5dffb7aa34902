//! One test binary: every module below is one area.
#![expect(clippy::unwrap_used, reason = "tests say what they expect by panicking")]

mod apply;
mod architecture;
mod between;
mod binary;
mod browser;
mod claims;
mod cli;
mod copy;
mod crash;
mod cutover;
mod demo;
mod dns;
mod fleet;
mod gitops;
mod imap;
mod journal;
mod kills;
mod masters;
mod plan;
mod postfix;
mod power;
mod provider;
mod readme;
mod sandbox_api;
mod sandbox_mail;
mod smtp;
mod spec;
mod trust;
mod world;
mod zones;
