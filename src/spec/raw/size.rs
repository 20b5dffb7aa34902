//! Sizes as people write them.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{
    leaf::scalar,
    read::{Read, Reader},
};
use crate::spec::tree::Node;

/// A size in octets. `GB` and `GiB` both mean 1024^3: mail platforms count that way, whatever they print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::spec) struct Size(pub u64);

const UNITS: [(&str, u32); 10] =
    [("KB", 1), ("MB", 2), ("GB", 3), ("TB", 4), ("KIB", 1), ("MIB", 2), ("GIB", 3), ("TIB", 4), ("G", 3), ("M", 2)];

impl Size {
    /// That many times 1024^3 octets.
    pub const fn gib(n: u64) -> Self {
        Self(n << 30)
    }

    /// Reads `10 GB`, `1.5 GB`, `500MB`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let cut = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, unit) = text.split_at_checked(cut)?;
        let unit = unit.trim().to_ascii_uppercase();
        let power = UNITS.iter().find(|(word, _)| *word == unit).map(|(_, power)| *power)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() || fraction.len() > 3 || fraction.contains('.') || number.ends_with('.') {
            return None;
        }
        let factor = 1024u64.checked_pow(power)?;
        let octets = whole.parse::<u64>().ok()?.checked_mul(factor)?;
        if fraction.is_empty() {
            return Some(Self(octets));
        }
        let scale = 10u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        let part = fraction.parse::<u64>().ok()?.checked_mul(factor)? / scale;
        Some(Self(octets.checked_add(part)?))
    }

    /// The same for people: the largest unit that leaves no fraction.
    pub fn show(self) -> String {
        let power = [3, 2, 1].into_iter().find(|p| self.0 > 0 && self.0.is_multiple_of(1u64 << (10 * p)));
        match power {
            Some(3) => format!("{} GB", self.0 >> 30),
            Some(2) => format!("{} MB", self.0 >> 20),
            Some(_) => format!("{} KB", self.0 >> 10),
            None => format!("{} octets", self.0),
        }
    }
}

impl Read for Size {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = scalar(node, reader, "a size such as `10 GB`")?;
        let size = Self::parse(text).filter(|size| size.0 > 0);
        if size.is_none() {
            let bare = text.trim().bytes().all(|b| b.is_ascii_digit()) && !text.is_empty();
            let help = if bare {
                format!("say the unit: `{} GB` or `{} MB`", text.trim(), text.trim())
            } else {
                "write a number and a unit: `10 GB`, `1.5 GB`, `500 MB`".to_owned()
            };
            let message = format!("`{text}` is not a size");
            reader.problem("spec::bad-quota", message, &node.place, "not a size", Some(help));
        }
        size
    }
}

impl JsonSchema for Size {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^\s*[0-9]+(\.[0-9]{1,3})?\s*([KMGTkmgt]([Ii]?[Bb])|[GMgm])\s*$",
            "examples": ["10 GB", "500 MB"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_binary_whatever_the_unit_is_called() {
        let octets = |text| Size::parse(text).map(|s| s.0);
        assert_eq!(octets("10 GB"), Some(10 << 30));
        assert_eq!(octets("5 GiB"), Some(5 << 30));
        assert_eq!(octets("500MB"), Some(500 << 20));
        assert_eq!(octets("1.5 gb"), Some(3 << 29));
        for bad in ["", "10", "GB", "-1 GB", "1.2.3 GB", "1. GB", ".5 GB", "10 apples", "99999999999 TB"] {
            assert_eq!(octets(bad), None, "{bad}");
        }
    }

    #[test]
    fn sizes_are_shown_in_the_largest_whole_unit() {
        assert_eq!(Size(10 << 30).show(), "10 GB");
        assert_eq!(Size(1536 << 20).show(), "1536 MB");
        assert_eq!(Size(7).show(), "7 octets");
    }
}
