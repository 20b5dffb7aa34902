//! The binary as a user runs it.

mod control;
mod copy;
mod dedup;
mod exits;
mod form;
mod gates;
mod guards;
mod hooks;
mod imports;
mod interrupts;
mod journal;
mod mailboxes;
mod names;
mod plans;
mod platforms;
mod report;
mod reviews;
mod secrets;
mod shell;
mod stages;
mod trouble;

use crate::world::World;

/// Applies the spec without asking.
fn apply(world: &World) -> crate::world::Ran {
    world.run(&["apply", "rehome.yaml", "--auto-approve"])
}
