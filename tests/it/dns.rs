//! Mail DNS against an authoritative server.
