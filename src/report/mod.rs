//! F4: PURE. Plans, findings, runs and state as text for a terminal, Markdown for a review, and JSON for a program.
//!
//! Nothing is decided here and nothing is printed here: every function takes data and returns text. A reader of a plan
//! sees everything that matters whatever the size: many rows of one kind are counted, what destroys is always shown.

mod events;
mod filter;
mod findings;
mod markdown;
mod pace;
mod phrase;
mod status;
mod style;
mod summary;
mod text;

pub use events::{event_json, event_line};
pub use findings::{Checked, findings_json, findings_markdown, findings_text};
pub use markdown::plan_markdown;
pub use pace::{Forecast, Pace, eta, forecast_text};
pub use status::status_text;
pub use style::{Options, Style};
pub use summary::{Failure, Summary, summary_text};
pub use text::plan_text;

/// A plan as JSON: the plan file itself, so that what a program reads is what `apply` does.
#[must_use]
pub fn plan_json(plan: &crate::plan::Plan) -> Vec<u8> {
    crate::plan::file::to_bytes(plan)
}
