//! The sandbox's IMAP, DNS and mail against real clients.

mod checker;
mod faults;
mod mbsync;
mod python;
mod stores;
