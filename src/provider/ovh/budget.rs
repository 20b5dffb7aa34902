//! The request budget: one per identity, however many platforms of a spec share it.

use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use crate::model::Digest;

/// Lets at most so many requests per minute through, with a small burst at the start.
pub(super) type Budget = Arc<DefaultDirectRateLimiter>;

type Shared = Mutex<BTreeMap<(String, u32), Weak<DefaultDirectRateLimiter>>>;

/// Budgets in use. OVHcloud counts per consumer key, so two platforms with one key must share.
static BUDGETS: Shared = Mutex::new(BTreeMap::new());

/// The budget of an identity; zero requests per minute counts as one.
pub(super) fn shared(identity: Digest, per_minute: u32) -> Budget {
    let mut budgets = BUDGETS.lock().unwrap_or_else(PoisonError::into_inner);
    budgets.retain(|_, held| held.strong_count() > 0);
    let key = (identity.hex(), per_minute);
    if let Some(held) = budgets.get(&key).and_then(Weak::upgrade) {
        return held;
    }
    let rate = NonZeroU32::new(per_minute).unwrap_or(NonZeroU32::MIN);
    let burst = NonZeroU32::new(per_minute / 4).unwrap_or(NonZeroU32::MIN);
    let budget = Arc::new(RateLimiter::direct(Quota::per_minute(rate).allow_burst(burst)));
    budgets.insert(key, Arc::downgrade(&budget));
    budget
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_identity_has_one_budget() {
        let (a, b) = (Digest::of(b"budget-a"), Digest::of(b"budget-b"));
        let first = shared(a, 60);
        assert!(Arc::ptr_eq(&first, &shared(a, 60)));
        assert!(!Arc::ptr_eq(&first, &shared(b, 60)));
        for _ in 0..15 {
            assert!(first.check().is_ok());
        }
        assert!(first.check().is_err(), "a burst is a quarter of a minute's budget");
    }
}
