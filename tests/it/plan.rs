//! Plans as people read them, and the planner's laws.

mod dependents;
pub mod draws;
mod file;
pub mod laws;
pub mod model;
mod moves;
mod notes;
mod policies;
mod renames;
mod report;
mod runs;
mod screens;
mod strategies;
pub mod world;

/// So many cases, or what `REHOME_WORLDS` says: `REHOME_WORLDS=100000` is the longer run by hand.
pub fn cases(usual: u32) -> proptest::prelude::ProptestConfig {
    let wished = std::env::var("REHOME_WORLDS").ok().map(|n| n.parse().expect("REHOME_WORLDS is a number"));
    // A world that fails is printed as a scenario, which says more than a seed.
    let failure_persistence = None;
    proptest::prelude::ProptestConfig { cases: wished.unwrap_or(usual), failure_persistence, ..Default::default() }
}
