//! The IMAP side: in memory, or two private Dovecots.
