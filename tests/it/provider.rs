//! Adapters against recorded answers and faults, and against the sandbox's API.

mod api;
mod calls;
mod errors;
mod observe;
mod rehearsal;
mod tables;
