//! Faults of the in-memory server do what they say.
