//! A map whose order nobody sees. Names of actions are long and begin alike, so an ordered map of many thousands of them
//! would compare mostly what is equal; and the maps of the standard library draw a number by chance.

use std::{
    borrow::Borrow,
    hash::{DefaultHasher, Hash, Hasher as _},
};

/// Values by key, found by the key's hash, which is the same in every run.
pub(super) struct Index<K, V> {
    entries: Vec<(u64, K, V)>,
    /// The number of an entry plus one, or 0; always a power of two of them and at least a quarter free.
    slots: Vec<u32>,
}

impl<K, V> Default for Index<K, V> {
    fn default() -> Self {
        Self { entries: Vec::new(), slots: vec![0; 16] }
    }
}

impl<K: Hash + Eq, V: Default> Index<K, V> {
    /// The value of a key, made when there is none.
    pub(super) fn entry(&mut self, key: K) -> &mut V {
        let hash = hash(&key);
        let at = match self.find::<K>(hash, &key) {
            Ok(at) => at,
            Err(slot) => {
                let at = self.entries.len();
                self.entries.push((hash, key, V::default()));
                self.fill(slot, at);
                at
            }
        };
        &mut self.entries[at].2
    }

    /// The value of a key.
    pub(super) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let at = self.find(hash(key), key).ok()?;
        self.entries.get(at).map(|(_, _, value)| value)
    }

    /// The keys in the order in which they came.
    pub(super) fn into_keys(self) -> impl Iterator<Item = K> {
        self.entries.into_iter().map(|(_, key, _)| key)
    }

    /// The entry of a key, or the free slot where it belongs.
    fn find<Q: Eq + ?Sized>(&self, hash: u64, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        let mut slot = self.first(hash);
        loop {
            let Some(at) = (self.slots[slot] as usize).checked_sub(1) else { return Err(slot) };
            let (known, other, _) = &self.entries[at];
            if *known == hash && other.borrow() == key {
                return Ok(at);
            }
            slot = (slot + 1) % self.slots.len();
        }
    }

    fn fill(&mut self, slot: usize, at: usize) {
        self.slots[slot] = number(at);
        if self.entries.len() * 4 < self.slots.len() * 3 {
            return;
        }
        self.slots = vec![0; self.slots.len() * 2];
        for at in 0..self.entries.len() {
            let mut slot = self.first(self.entries[at].0);
            while self.slots[slot] != 0 {
                slot = (slot + 1) % self.slots.len();
            }
            self.slots[slot] = number(at);
        }
    }

    fn first(&self, hash: u64) -> usize {
        usize::try_from(hash % self.slots.len() as u64).unwrap_or_default()
    }
}

fn hash<K: Hash + ?Sized>(key: &K) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

/// No plan has four milliards of actions.
fn number(at: usize) -> u32 {
    u32::try_from(at + 1).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_index_counts_what_an_ordered_map_counts(keys in proptest::collection::vec("[a-c]{0,3}", 0..200)) {
            let (mut index, mut map) = (Index::<String, u32>::default(), BTreeMap::<String, u32>::new());
            for key in &keys {
                *index.entry(key.clone()) += 1;
                *map.entry(key.clone()).or_default() += 1;
            }
            for (key, n) in &map {
                prop_assert_eq!(index.get(key), Some(n));
            }
            prop_assert_eq!(index.get(&"d".to_owned()), None);
        }
    }
}
