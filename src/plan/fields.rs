//! What a plan remembers of an object.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// A field: its name and what it held.
pub(super) type Field = (Cow<'static, str>, Value);

/// The fields of one object by name, as a plan remembers them. Empty means that the object is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(Box<[Field]>);

impl Fields {
    /// Those fields; no name may be there twice.
    pub(super) fn of<const N: usize>(mut all: [Field; N]) -> Self {
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        Self(Box::new(all))
    }

    /// Whether the object is not there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What a field held.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// The fields in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let all = BTreeMap::<String, Value>::deserialize(from)?;
        Ok(Self(all.into_iter().map(|(name, value)| (Cow::Owned(name), value)).collect()))
    }
}
