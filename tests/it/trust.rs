//! Trust in plans: whatever world is drawn, the real executor carries its plan out against platforms that are modelled in
//! memory, dies wherever it likes, and goes on. A case that fails is printed as a scenario for `tests/scenarios/`.

mod back;
mod laws;
mod live;
pub mod reach;
pub mod scenario;
