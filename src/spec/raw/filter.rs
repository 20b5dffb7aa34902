//! `filter:` as it was written, and the instants in it.

use std::borrow::Cow;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{
    leaf::{List, Named, scalar},
    read::{Read, Reader, record},
    size::Size,
};
use crate::{model::GmailLabels, spec::tree::Node};

record! {
    /// Which mail a copy takes. The default takes all.
    Filter, "`filter`" {
        /// Only these folders and what lies below them. `*`, `?` and `**` are wildcards.
        "include" => include: List<String>,
        /// Not these folders nor what lies below them. `*`, `?` and `**` are wildcards.
        "exclude" => exclude: List<String>,
        /// Folders that get another name at the target: old name to new name.
        "rename" => rename: Named<String>,
        /// Only messages that arrived on this day or later (UTC), or at this time or later.
        "since" => since: Moment,
        /// Only messages that arrived before this day (UTC), or before this time.
        "until" => until: Moment,
        /// Only messages of at least this size.
        "min_size" => min_size: Size,
        /// Only messages of at most this size.
        "max_size" => max_size: Size,
        /// How often a message of Gmail is copied that has several labels.
        "gmail_labels" => gmail_labels: GmailLabels,
    }
}

/// A day, which begins at midnight UTC, or an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::spec) struct Moment(pub Timestamp);

impl Moment {
    /// Reads `2020-01-31` or `2020-01-31T12:00:00Z`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let day = || {
            // Only the plain form: a day with anything behind it means something else.
            let day: Date = text.parse().ok().filter(|_| text.len() == 10)?;
            Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp())
        };
        day().or_else(|| text.parse().ok()).map(Self)
    }
}

impl Read for Moment {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = scalar(node, reader, "a day such as `2020-01-31`")?;
        let moment = Self::parse(text);
        if moment.is_none() {
            let message = format!("`{text}` is no day and no time");
            let help = "write a day, `2020-01-31`, or a time with its zone, `2020-01-31T12:00:00Z`".to_owned();
            reader.problem("spec::bad-date", message, &node.place, "not a day", Some(help));
        }
        moment
    }
}

impl JsonSchema for Moment {
    fn schema_name() -> Cow<'static, str> {
        "Moment".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A day (it begins at midnight UTC) or a time with its zone (RFC 3339).",
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ].+)?$",
            "examples": ["2020-01-31", "2020-01-31T12:00:00Z"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_utc() {
        let read = |text| Moment::parse(text).map(|m| m.0.to_string());
        assert_eq!(read("2020-01-31").as_deref(), Some("2020-01-31T00:00:00Z"));
        assert_eq!(read("2020-01-31T12:00:00+02:00").as_deref(), Some("2020-01-31T10:00:00Z"));
        for bad in ["", "2020", "2020-02-30", "31.1.2020", "2020-01-31T12:00:00", "yesterday"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
