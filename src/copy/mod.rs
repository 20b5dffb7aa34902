//! F3: the copy engine: pairing (pure), transfer, recovery, verification of content.

mod flags;
mod mapping;
mod names;
mod pairing;
