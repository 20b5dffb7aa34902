//! F1: YAML bytes to a validated [`Spec`], every problem at once, each with its place.

mod types;

pub use types::*;
