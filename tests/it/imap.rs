//! The IMAP client against scripted servers and Dovecot.

pub mod dovecot;
mod real;
