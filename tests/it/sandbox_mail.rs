//! The sandbox's IMAP, DNS and mail against real clients.

mod checker;
mod faults;
mod mbsync;
pub mod python;
mod stores;
