//! The emulated API against its own rules.
