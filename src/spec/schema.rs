//! The JSON Schema of the language, made from the types that read it, for editors and for other tools.

use schemars::generate::SchemaSettings;

use super::raw::Document;

/// Where the schema lives in the repository; a spec beside it names it in its first line.
pub const PATH: &str = "specs/schema/spec.json";

/// The schema (draft 2020-12).
#[must_use]
pub fn document() -> serde_json::Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Document>().to_value()
}

/// The schema as it is written to a file.
#[must_use]
pub fn text() -> String {
    let mut text = serde_json::to_string_pretty(&document()).unwrap_or_default();
    text.push('\n');
    text
}
