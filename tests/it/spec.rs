//! Specs, good and bad, as people write them.
