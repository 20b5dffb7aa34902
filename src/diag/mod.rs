//! F0: what goes wrong and how it is said. Imports nothing of ours.

mod amount;
mod diagnostic;
mod exit;
mod finding;
mod source;

pub use amount::*;
pub use diagnostic::*;
pub use exit::*;
pub use finding::*;

/// The messages of an error and of its sources, outermost first. The one place that walks a chain.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> Vec<String> {
    let mut out = vec![error.to_string()];
    let mut next = error.source();
    while let Some(e) = next {
        let text = e.to_string();
        if out.last() != Some(&text) {
            out.push(text);
        }
        next = e.source();
    }
    out
}
