//! Plans as people read them, and the planner's laws.

mod dependents;
pub mod draws;
mod file;
#[cfg(target_os = "linux")]
mod hands;
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
mod unsure;
pub mod world;

use proptest::test_runner::RngSeed;

/// So many cases, the same in every run; or as many others, drawn anew, as `REHOME_WORLDS` says: `REHOME_WORLDS=100000` is
/// the longer run by hand.
pub fn cases(usual: u32) -> proptest::prelude::ProptestConfig {
    let wished = std::env::var("REHOME_WORLDS").ok().map(|n| n.parse().expect("REHOME_WORLDS is a number"));
    // A change is judged by what it changes, not by chance.
    let rng_seed = if wished.is_some() { RngSeed::Random } else { RngSeed::Fixed(7208) };
    // A world that fails is printed as a scenario, which says more than a seed.
    let failure_persistence = None;
    let cases = wished.unwrap_or(usual);
    proptest::prelude::ProptestConfig { cases, rng_seed, failure_persistence, ..Default::default() }
}
