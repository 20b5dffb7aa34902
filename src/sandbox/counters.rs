//! What the emulated servers were asked to do, counted by verb.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

type Watcher = Arc<dyn Fn(&str) + Send + Sync>;

#[derive(Default)]
struct Shared {
    counts: Mutex<BTreeMap<String, u64>>,
    watcher: Mutex<Option<Watcher>>,
}

/// Counts by name. Clones share the same counts.
///
/// IMAP commands count as `imap.<service>.<VERB>`, HTTP requests under the name of their route, DNS questions as
/// `dns.<TYPE>`. A test that promises "nothing was changed" reads the mutating names here.
#[derive(Clone, Default)]
pub struct Counters(Arc<Shared>);

impl fmt::Debug for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Counters").field(&self.snapshot()).finish()
    }
}

impl Counters {
    /// Counters at zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts one.
    pub fn add(&self, name: &str) {
        {
            let mut counts = self.0.counts.lock().unwrap_or_else(PoisonError::into_inner);
            match counts.get_mut(name) {
                Some(n) => *n += 1,
                None => {
                    counts.insert(name.to_owned(), 1);
                }
            }
        }
        let watcher = self.0.watcher.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(watcher) = watcher {
            watcher(name);
        }
    }

    /// Has `see` called with every name right after it is counted and, for commands and requests, before the server
    /// acts on it. A rehearsal kills its client there. `see` must not wait for the sandbox, which waits for it.
    pub fn watch(&self, see: impl Fn(&str) + Send + Sync + 'static) {
        *self.0.watcher.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(see));
    }

    /// How often that name was counted.
    #[must_use]
    pub fn get(&self, name: &str) -> u64 {
        self.0.counts.lock().unwrap_or_else(PoisonError::into_inner).get(name).copied().unwrap_or(0)
    }

    /// All counts as they are now.
    #[must_use]
    pub fn snapshot(&self) -> BTreeMap<String, u64> {
        self.0.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets everything back to zero, so that a test can count from here on.
    pub fn reset(&self) {
        self.0.counts.lock().unwrap_or_else(PoisonError::into_inner).clear();
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

    #[test]
    fn a_watcher_sees_every_name_when_it_is_counted() {
        let (counters, seen) = (Counters::new(), Arc::new(Mutex::new(Vec::new())));
        let (see, clone) = (Arc::clone(&seen), counters.clone());
        counters.watch(move |name| see.lock().unwrap().push((name.to_owned(), clone.get(name))));
        counters.add("a");
        counters.clone().add("a");
        assert_eq!(*seen.lock().unwrap(), [("a".to_owned(), 1), ("a".to_owned(), 2)]);
    }
}
