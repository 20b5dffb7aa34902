//! Values that remember where they were written.

use std::{ops::Range, sync::Arc};

use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::diag::{Diagnostic, SourceText, Span};

/// Where a value stands. The second use of an anchor stands at the use and was defined elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Where the value is used.
    pub span: Span,
    /// Where its text is, when an alias or a merge brought it here.
    pub defined: Option<Box<Span>>,
}

impl Place {
    /// A place without aliases.
    pub fn new(source: &Arc<SourceText>, range: Range<usize>) -> Self {
        Self { span: span(source, range), defined: None }
    }

    /// What decides the order of diagnostics.
    pub fn order(&self) -> (&str, usize) {
        (&self.span.source.name, self.span.offset)
    }
}

/// A stretch of a source.
pub(super) fn span(source: &Arc<SourceText>, range: Range<usize>) -> Span {
    Span { source: Arc::clone(source), offset: range.start, len: range.len() }
}

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub place: Place,
}

impl<T> At<T> {
    /// The same place with what `f` makes of the value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> At<U> {
        At { value: f(self.value), place: self.place }
    }
}

/// A place adds nothing to the schema of its value.
impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> std::borrow::Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// Adds a [`Place`] to a diagnostic: where the value is used and, if that is elsewhere, where it was written.
pub(super) trait Locate {
    /// Adds both places.
    fn locate(self, place: &Place, text: impl Into<String>) -> Self;
}

impl Locate for Diagnostic {
    fn locate(self, place: &Place, text: impl Into<String>) -> Self {
        let located = self.at(place.span.clone(), text);
        match &place.defined {
            Some(defined) => located.at(Span::clone(defined), "which was written here"),
            None => located,
        }
    }
}
