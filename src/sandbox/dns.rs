//! An authoritative DNS server for the sandbox.
