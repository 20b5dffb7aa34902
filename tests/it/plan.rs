//! Plans as people read them, and the planner's laws.

mod dependents;
mod file;
pub mod laws;
pub mod model;
mod moves;
mod notes;
mod policies;
mod report;
mod runs;
mod screens;
mod strategies;
pub mod world;
