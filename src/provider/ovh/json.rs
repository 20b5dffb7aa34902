//! Reading the API's JSON leniently: its schema grows, so nothing unknown is ever an error.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::model::Address;

/// Access to a field that may be missing, null or of another type than the schema says.
pub(super) trait Lenient {
    /// A text that is there and not empty.
    fn text(&self, field: &str) -> Option<&str>;
    /// A truth value.
    fn flag(&self, field: &str) -> Option<bool>;
    /// A whole number, also when it came as text or as a double.
    fn whole(&self, field: &str) -> Option<u64>;
    /// Any number.
    fn number(&self, field: &str) -> Option<f64>;
    /// The texts of a list; a single text counts as a list of one.
    fn texts(&self, field: &str) -> Vec<&str>;
    /// The members of a list.
    fn members(&self, field: &str) -> &[Value];
    /// An address, when the text is one.
    fn address(&self, field: &str) -> Option<Address>;
}

impl Lenient for Value {
    fn text(&self, field: &str) -> Option<&str> {
        self.get(field)?.as_str().filter(|s| !s.is_empty())
    }

    fn flag(&self, field: &str) -> Option<bool> {
        self.get(field)?.as_bool()
    }

    fn whole(&self, field: &str) -> Option<u64> {
        whole(self.get(field)?)
    }

    fn number(&self, field: &str) -> Option<f64> {
        let value = self.get(field)?;
        value.as_f64().or_else(|| value.as_str()?.parse().ok())
    }

    fn texts(&self, field: &str) -> Vec<&str> {
        match self.get(field) {
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(one)) if !one.is_empty() => vec![one],
            _ => Vec::new(),
        }
    }

    fn members(&self, field: &str) -> &[Value] {
        self.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    fn address(&self, field: &str) -> Option<Address> {
        Address::parse(self.text(field)?).ok()
    }
}

/// A whole number, also when it came as text or as a double.
pub(super) fn whole(value: &Value) -> Option<u64> {
    if let Some(n) = value.as_u64() {
        return Some(n);
    }
    if let Some(text) = value.as_str() {
        return text.parse().ok();
    }
    octets(value.as_f64()?)
}

/// A double as a count of octets; nothing for what is no such count.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "the value is checked to be in range just before"
)]
pub(super) fn octets(value: f64) -> Option<u64> {
    (value.is_finite() && value >= 0.0 && value < u64::MAX as f64).then_some(value as u64)
}

/// An id or name in a listing, whatever its JSON type.
pub(super) fn label(value: &Value) -> Option<String> {
    match value {
        Value::String(s) => Some(s.clone()),
        Value::Number(n) => Some(n.to_string()),
        _ => None,
    }
}

/// Those texts that are addresses.
pub(super) fn addresses<'a>(texts: impl IntoIterator<Item = &'a str>) -> BTreeSet<Address> {
    texts.into_iter().filter_map(|t| Address::parse(t).ok()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn missing_null_and_wrong_types_are_nothing() {
        let v = json!({ "a": null, "b": 5, "c": "", "d": [1, "x"], "e": "7", "f": 2.5, "g": -1 });
        assert_eq!(v.text("a").or(v.text("b")).or(v.text("c")).or(v.text("zzz")), None);
        assert_eq!(v.texts("d"), ["x"]);
        assert_eq!((v.whole("e"), v.whole("f"), v.whole("g")), (Some(7), Some(2), None));
        assert_eq!(json!("not an object").text("a"), None);
    }
}
