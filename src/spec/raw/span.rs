//! Spans of time: `15m`, `2h`, `900`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{
    leaf::scalar,
    read::{Read, Reader},
};
use crate::spec::tree::Node;

/// A span of time in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::spec) struct Span(pub u64);

impl Read for Span {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = scalar(node, reader, "a span of time")?;
        let span = parse(text);
        if span.is_none() {
            let message = format!("`{text}` is no span of time");
            let help = "write a number with s, m, h or d behind it: `15m`".to_owned();
            reader.problem("spec::bad-span", message, &node.place, "not a span of time", Some(help));
        }
        span
    }
}

fn parse(text: &str) -> Option<Span> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.get(digits.len()..)? {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    let number: u64 = Some(digits).filter(|d| d.bytes().all(|b| b.is_ascii_digit()))?.parse().ok()?;
    number.checked_mul(unit).map(Span)
}

impl JsonSchema for Span {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer"], "minimum": 0, "pattern": "^[0-9]+[smhd]?$", "examples": ["15m"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_a_number_with_a_unit() {
        let seconds = |text| parse(text).map(|s| s.0);
        assert_eq!(
            [seconds("15m"), seconds("900"), seconds("2h"), seconds("1d")].map(Option::unwrap),
            [900, 900, 7_200, 86_400]
        );
        for wrong in ["", "m", "-1m", "1.5h", "1w", "15 m", "1m30s", "99999999999999999999d", "18446744073709551615d"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
