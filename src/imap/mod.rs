//! F1: the IMAP client: connect, authenticate, list, select, fetch, append, store; quirks by server.
