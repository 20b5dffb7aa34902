//! The sandbox's IMAP, DNS and mail against real clients.
