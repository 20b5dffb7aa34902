//! The IMAP client against scripted servers and Dovecot.

pub mod dovecot;
mod login;
mod look;
mod real;
pub mod script;
mod seeds;
mod store;
pub mod tls;
mod tokens;
