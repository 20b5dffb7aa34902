//! F1: folders of two mailboxes: what they are for, how a target can hold their names, which goes where. Pure.
//!
//! The planner shows with it what the copy will do, and both decide the same.

pub mod mapping;
pub mod names;
