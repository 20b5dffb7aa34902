//! The documentation's table of platforms.
