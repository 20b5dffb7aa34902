//! What the emulated servers were asked to do, counted by verb.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Counts by name. Clones share the same counts.
///
/// IMAP commands count as `imap.<service>.<VERB>`, HTTP requests under the name of their route, DNS questions as
/// `dns.<TYPE>`. A test that promises "nothing was changed" reads the mutating names here.
#[derive(Clone, Debug, Default)]
pub struct Counters(Arc<Mutex<BTreeMap<String, u64>>>);

impl Counters {
    /// Counters at zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts one.
    pub fn add(&self, name: &str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.get_mut(name) {
            Some(n) => *n += 1,
            None => {
                counts.insert(name.to_owned(), 1);
            }
        }
    }

    /// How often that name was counted.
    #[must_use]
    pub fn get(&self, name: &str) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).copied().unwrap_or(0)
    }

    /// All counts as they are now.
    #[must_use]
    pub fn snapshot(&self) -> BTreeMap<String, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets everything back to zero, so that a test can count from here on.
    pub fn reset(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_their_counts() {
        let a = Counters::new();
        let b = a.clone();
        a.add("imap.exchange.LOGIN");
        b.add("imap.exchange.LOGIN");
        assert_eq!(a.get("imap.exchange.LOGIN"), 2);
        assert_eq!(b.snapshot().len(), 1);
        a.reset();
        assert_eq!(b.get("imap.exchange.LOGIN"), 0);
    }
}
