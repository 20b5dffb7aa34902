//! `rehome diff`: what differs between two saved plans.

use std::path::Path;

use super::plan::read;
use crate::{
    cli::{args::Format, context::Context, failure::Failure},
    diag::Exit,
    report::{self, PlanChanges},
};

/// Compares two plans; looks at nothing else.
pub(super) fn run(context: &Context, old: &Path, new: &Path, detailed: bool) -> Result<Exit, Failure> {
    let (old, new) = (read(old)?, read(new)?);
    let changes = PlanChanges::between(&old, &new);
    let text = match context.global.format {
        Format::Json => format!("{}\n", serde_json::to_string_pretty(&changes).unwrap_or_default()),
        Format::Markdown => report::changes_markdown(&old, &new),
        Format::Human | Format::Html => report::changes_text(&old, &new, &context.looks()),
    };
    context.answer(&text)?;
    Ok(if detailed && !changes.is_empty() { Exit::Changes } else { Exit::Ok })
}
