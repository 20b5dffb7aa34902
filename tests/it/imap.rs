//! The IMAP client against scripted servers and Dovecot.
