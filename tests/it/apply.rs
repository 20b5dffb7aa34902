//! The executor: order, isolation, recovery, and the crash matrix.

mod crash;
mod desk;
mod gates;
mod moves;
mod outcome;
mod probes;
mod recovery;
mod world;
