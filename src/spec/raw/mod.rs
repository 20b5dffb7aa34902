//! The spec as it was written: a mirror of the YAML in which everything may be missing and everything knows its place.
//!
//! Reading never stops at a problem. A key that nobody knows, a list where a mapping belongs, a word that is no number:
//! each is reported where it is found, and what can be read is read. Whether the pieces fit together is decided by
//! `validate`. The JSON Schema is made from the same types, so that editors know what the reader knows.

mod account;
mod document;
mod domain;
mod filter;
mod gate;
mod hook;
mod leaf;
mod platform;
mod read;
mod secret;
mod secret_schema;
mod size;
mod span;

pub(super) use account::*;
pub(super) use document::*;
pub(super) use domain::*;
pub(super) use filter::*;
pub(super) use gate::*;
pub(super) use hook::*;
pub(super) use leaf::*;
pub(super) use platform::*;
pub(super) use read::{Read, Reader, listed, sounds_secret, suggest};
pub(super) use secret::*;
pub(super) use size::Size;
