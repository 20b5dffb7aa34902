//! The sandbox's IMAP, DNS and mail against real clients.

mod checker;
mod faults;
mod python;
mod stores;
