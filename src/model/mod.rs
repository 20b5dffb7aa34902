//! F0: the vocabulary, as plain data. Imports nothing of ours.
//!
//! Everything here can be compared, ordered, cloned and (secrets excepted) serialised. Nothing here does input or
//! output, reads a clock or draws a random number.

mod action;
mod action_ids;
mod address;
mod change;
mod dns;
mod event;
mod filter;
mod gate;
mod hook;
mod id;
mod inventory;
mod limits;
mod mail;
mod policy;
mod secret;
mod shared;
mod state;
mod text;
mod zone;

pub use action::*;
pub use action_ids::*;
pub use address::*;
pub use change::*;
pub use dns::*;
pub use event::*;
pub use filter::*;
pub use gate::*;
pub use hook::*;
pub use id::*;
pub use inventory::*;
pub use limits::*;
pub use mail::*;
pub use policy::*;
pub use secret::*;
pub use shared::*;
pub use state::*;
pub use text::*;
pub use zone::*;
