//! Maps and sets that are found by hash and gone through in the order in which their keys came, the same in every run.
//!
//! Addresses and names of actions are long and begin alike: an ordered map of many thousands of them compares mostly what
//! is equal, and the hash maps of the standard library draw a number by chance.

use foldhash::fast::FixedState;
use indexmap::{IndexMap, IndexSet};

/// Values by key.
pub(crate) type Index<K, V> = IndexMap<K, V, FixedState>;

/// Keys alone.
pub(crate) type Met<K> = IndexSet<K, FixedState>;
