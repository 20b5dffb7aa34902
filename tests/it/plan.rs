//! Plans as people read them, and the planner's laws.

mod dependents;
mod file;
mod laws;
mod model;
mod notes;
mod report;
mod runs;
mod screens;
mod strategies;
mod world;
