//! The binary as a user runs it.

mod copy;
mod exits;
mod guards;
mod interrupts;
mod journal;
mod mailboxes;
mod plans;
mod platforms;
mod secrets;
mod shell;

use crate::world::World;

/// Applies the spec without asking.
fn apply(world: &World) -> crate::world::Ran {
    world.run(&["apply", "rehome.yaml", "--auto-approve"])
}
