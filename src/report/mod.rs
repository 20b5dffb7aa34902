//! F4: PURE. Plans, findings, runs and state as text for a terminal, Markdown for a review, and JSON for a program.
//!
//! Nothing is decided here and nothing is printed here: every function takes data and returns text. A reader of a plan
//! sees everything that matters whatever the size: many rows of one kind are counted, what destroys is always shown.

mod basis;
mod changes;
mod difference;
mod drift;
mod events;
mod filter;
mod findings;
mod graph;
mod handover;
mod html;
mod markdown;
mod pace;
mod phrase;
mod records;
mod rows;
mod spec_text;
mod status;
mod style;
mod summary;
mod text;
mod yaml;

pub use basis::Basis;
pub use changes::{PlanChanges, changes_markdown, changes_text};
pub use difference::{plan_difference, unified};
pub use drift::{Drift, drift_markdown, drift_text};
pub use events::{event_json, event_line, event_schema, event_schema_text};
pub use findings::{Checked, findings_json, findings_markdown, findings_text};
pub use graph::{Graph, plan_graph};
pub use handover::{
    Handover, MailServers, User, apple_profile, autoconfig, handover_html, handover_markdown, user_page,
};
pub use html::plan_html;
pub use markdown::{Markdown, plan_markdown};
pub use pace::{Forecast, Pace, eta, forecast_text};
pub use spec_text::{Import, Named, import_spec};
pub use status::{Folders, Left, Standing, status_text};
pub use style::{Options, Style};
pub use summary::{Failure, Summary, summary_text};
pub use text::{guards_text, plan_text};
pub use yaml::{inventory_yaml, scalar as yaml_scalar};

/// A plan as JSON: the plan file itself, so that what a program reads is what `apply` does.
#[must_use]
pub fn plan_json(plan: &crate::plan::Plan) -> Vec<u8> {
    crate::plan::file::to_bytes(plan)
}
