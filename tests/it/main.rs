//! One test binary: every module below is one area.

mod apply;
mod architecture;
mod cli;
mod copy;
mod dns;
mod imap;
mod journal;
mod plan;
mod provider;
mod sandbox_api;
mod sandbox_mail;
mod spec;
