//! The JSON Schema of a plan, made from the types that write it, for programs that read plans.

use schemars::generate::SchemaSettings;

use super::Plan;

/// Where the schema lives in the repository.
pub const PATH: &str = "specs/schema/plan.json";

/// The schema (draft 2020-12).
#[must_use]
pub fn document() -> serde_json::Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Plan>().to_value()
}

/// The schema as it is written to a file.
#[must_use]
pub fn text() -> String {
    let mut text = serde_json::to_string_pretty(&document()).unwrap_or_default();
    text.push('\n');
    text
}
