//! A few names of actions, in order.

use std::{collections::BTreeSet, slice, vec};

use serde::{Deserialize, Deserializer, Serialize};

use super::ActionId;

/// A set of names in order, of which most have one or two: a plan of many thousand actions holds as many sets, and a
/// node of a tree would have room for eleven names in each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ActionIds(Vec<ActionId>);

/// Up to so many names a set is exactly as large as it has to be.
const FEW: usize = 4;

impl ActionIds {
    /// Adds a name. Returns whether it is new.
    pub fn insert(&mut self, id: ActionId) -> bool {
        // Names mostly come in order.
        let at = match self.0.last() {
            Some(last) if *last >= id => self.0.binary_search(&id),
            _ => Err(self.0.len()),
        };
        let Err(at) = at else { return false };
        if self.0.len() < FEW {
            self.0.reserve_exact(1);
        }
        self.0.insert(at, id);
        true
    }

    /// Takes a name out. Returns whether it was there.
    pub fn remove(&mut self, id: &ActionId) -> bool {
        let found = self.0.binary_search(id);
        if let Ok(at) = found {
            self.0.remove(at);
        }
        found.is_ok()
    }

    /// Keeps the names of which `keep` says so.
    pub fn retain(&mut self, keep: impl FnMut(&ActionId) -> bool) {
        self.0.retain(keep);
    }

    /// Whether a name is there.
    #[must_use]
    pub fn contains(&self, id: &ActionId) -> bool {
        self.0.binary_search(id).is_ok()
    }

    /// The first name.
    #[must_use]
    pub fn first(&self) -> Option<&ActionId> {
        self.0.first()
    }

    /// The names in order.
    pub fn iter(&self) -> slice::Iter<'_, ActionId> {
        self.0.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Extend<ActionId> for ActionIds {
    fn extend<I: IntoIterator<Item = ActionId>>(&mut self, more: I) {
        for id in more {
            self.insert(id);
        }
    }
}

impl FromIterator<ActionId> for ActionIds {
    fn from_iter<I: IntoIterator<Item = ActionId>>(all: I) -> Self {
        let mut out = Self::default();
        out.extend(all);
        out
    }
}

impl From<BTreeSet<ActionId>> for ActionIds {
    fn from(all: BTreeSet<ActionId>) -> Self {
        Self(all.into_iter().collect())
    }
}

impl IntoIterator for ActionIds {
    type Item = ActionId;
    type IntoIter = vec::IntoIter<ActionId>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a ActionIds {
    type Item = &'a ActionId;
    type IntoIter = slice::Iter<'a, ActionId>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<'de> Deserialize<'de> for ActionIds {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut all = Vec::<ActionId>::deserialize(from)?;
        all.sort();
        all.dedup();
        all.shrink_to_fit();
        Ok(Self(all))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_small_set_holds_what_an_ordered_set_holds(
            added in proptest::collection::vec("[a-c]{0,2}", 0..20),
            removed in proptest::collection::vec("[a-c]{0,2}", 0..5),
        ) {
            let id = |text: &String| ActionId::from(text.as_str());
            let (mut few, mut set) = (ActionIds::default(), BTreeSet::new());
            for text in &added {
                prop_assert_eq!(few.insert(id(text)), set.insert(id(text)));
            }
            for text in &removed {
                prop_assert_eq!(few.remove(&id(text)), set.remove(&id(text)));
            }
            prop_assert!(few.iter().eq(set.iter()));
            prop_assert!(added.iter().all(|text| few.contains(&id(text)) == set.contains(&id(text))));
            let json = serde_json::to_string(&set).unwrap();
            prop_assert_eq!(&serde_json::to_string(&few).unwrap(), &json);
            prop_assert_eq!(serde_json::from_str::<ActionIds>(&json).unwrap(), few);
        }
    }
}
