//! How many connections may be open, per host and per login, over all copies of a process.
//!
//! A copy is admitted with all the connections it cannot do without, at once, before it opens the first: so copies that
//! wait hold nothing, and two that need connections of the same host cannot wait for each other. Lanes beyond those are
//! extras: they are taken when there is room ([`Door::try_extra`]) and never waited for.
//!
//! A server that refuses one more connection has told its limit: from then on the cap is what was open, less one for
//! the mailbox's user, for the rest of the run. Nobody is thrown out; lanes give way when they look
//! ([`Permit::is_surplus`]).

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

/// How many connections are opened at most. `None` is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// To one host with one login.
    pub per_login: Option<usize>,
    /// To one host in all.
    pub per_host: Option<usize>,
}

impl Default for Caps {
    /// Six per login: below what the common servers allow one user (Dovecot 10, Gmail 15, Exchange 16), so that the
    /// user's own clients still get in.
    fn default() -> Self {
        Self { per_login: Some(6), per_host: None }
    }
}

/// What a refusal was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The connections of one login.
    Login,
    /// The connections of this machine to the host, or of everybody.
    Host,
}

/// The connections of this process. Clones share the count.
#[derive(Clone, Default)]
pub struct Slots {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    counts: Mutex<BTreeMap<Key, Count>>,
    changed: Notify,
}

/// A host (`host:port`), or a login at it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    host: String,
    login: Option<String>,
}

#[derive(Debug, Default)]
struct Count {
    /// Connections that are promised or open.
    held: usize,
    /// Connections that are open.
    open: usize,
    /// The limit as it was given.
    cap: Option<usize>,
    /// The limit as the server told it by a refusal.
    learned: Option<usize>,
    /// Copies that wait for admission: no extra is given while one does.
    waiting: usize,
}

impl Count {
    fn cap(&self) -> usize {
        self.cap.into_iter().chain(self.learned).min().unwrap_or(usize::MAX)
    }

    /// Whoever comes first is let in, however low the cap: otherwise nothing would ever be copied.
    fn admits(&self, n: usize) -> bool {
        self.held == 0 || self.held.saturating_add(n) <= self.cap()
    }
}

impl fmt::Debug for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slots").finish_non_exhaustive()
    }
}

impl Slots {
    /// The way to one login of one host. Caps hold for everybody; the last that were given count.
    #[must_use]
    pub fn door(&self, host: &str, login: &str, caps: Caps) -> Door {
        let keys =
            [Key { host: host.to_owned(), login: None }, Key { host: host.to_owned(), login: Some(login.to_owned()) }];
        let mut counts = self.counts();
        for (key, cap) in keys.iter().zip([caps.per_host, caps.per_login]) {
            counts.entry(key.clone()).or_default().cap = cap;
        }
        drop(counts);
        Door { slots: self.clone(), keys, promise: Arc::default() }
    }

    /// Waits until all these connections may be opened, and promises them together. Doors take them with
    /// [`Door::acquire`], which then never waits. The promise ends when the admission and all permits are dropped.
    ///
    /// Cancel-safe: dropping the future gives everything back.
    pub async fn admit(&self, needs: &[(&Door, usize)]) -> Admission {
        let waiting = Waiting::new(self, needs);
        loop {
            // Registered before looking, so that what is given back in between is not missed.
            let changed = self.inner.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(admission) = self.try_admit(needs) {
                drop(waiting);
                return admission;
            }
            changed.await;
        }
    }

    fn try_admit(&self, needs: &[(&Door, usize)]) -> Option<Admission> {
        let mut counts = self.counts();
        let mut wanted: BTreeMap<&Key, usize> = BTreeMap::new();
        for (door, n) in needs {
            for key in &door.keys {
                *wanted.entry(key).or_default() += n;
            }
        }
        if !wanted.iter().all(|(key, n)| counts.get(*key).is_none_or(|count| count.admits(*n))) {
            return None;
        }
        for (door, n) in needs {
            let mut promise = lock(&door.promise);
            let before = promise.held();
            promise.total += n;
            // Connections that outlived an earlier admission are counted already, and fill this promise.
            let more = promise.held() - before;
            drop(promise);
            for key in &door.keys {
                counts.entry(key.clone()).or_default().held += more;
            }
        }
        drop(counts);
        Some(Admission { parts: needs.iter().map(|(door, n)| ((*door).clone(), *n)).collect() })
    }

    fn counts(&self) -> MutexGuard<'_, BTreeMap<Key, Count>> {
        lock(&self.inner.counts)
    }

    fn change(&self, keys: &[Key; 2], each: impl Fn(&mut Count)) {
        let mut counts = self.counts();
        for key in keys {
            each(counts.entry(key.clone()).or_default());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Counts are changed in single steps: a panic elsewhere leaves none of them half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A copy in the queue; it leaves the queue when it is dropped.
struct Waiting<'a> {
    slots: &'a Slots,
    keys: Vec<[Key; 2]>,
}

impl<'a> Waiting<'a> {
    fn new(slots: &'a Slots, needs: &[(&Door, usize)]) -> Self {
        let keys: Vec<[Key; 2]> = needs.iter().map(|(door, _)| door.keys.clone()).collect();
        keys.iter().for_each(|k| slots.change(k, |c| c.waiting += 1));
        Self { slots, keys }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.keys.iter().for_each(|k| self.slots.change(k, |c| c.waiting = c.waiting.saturating_sub(1)));
    }
}

/// The way to one login of one host. Clones share what was promised.
#[derive(Clone)]
pub struct Door {
    slots: Slots,
    /// The host, and the login at it.
    keys: [Key; 2],
    promise: Arc<Mutex<Promise>>,
}

/// What was promised to the copies that use a door.
#[derive(Clone, Copy, Debug, Default)]
struct Promise {
    total: usize,
    /// How many of those are open; more than `total` when connections outlive the admission.
    open: usize,
}

impl Promise {
    /// What counts as held because of it.
    fn held(self) -> usize {
        self.total.max(self.open)
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Door").field(&self.keys).finish()
    }
}

impl Door {
    /// The right to open a connection that the copy cannot do without. Never waits and never refuses: it is one of those
    /// that were promised, or else, as in a copy that was not admitted anywhere, counts beyond the cap.
    pub fn acquire(&self) -> Permit {
        let mut promise = lock(&self.promise);
        let from_promise = promise.open < promise.total;
        promise.open += usize::from(from_promise);
        drop(promise);
        self.slots.change(&self.keys, |c| {
            c.held += usize::from(!from_promise);
            c.open += 1;
        });
        Permit { door: self.clone(), from_promise }
    }

    /// The right to open one more connection, when there is room for it and no copy waits for that room.
    #[must_use]
    pub fn try_extra(&self) -> Option<Permit> {
        let mut counts = self.slots.counts();
        let room = |c: &Count| c.waiting == 0 && c.held < c.cap();
        if !self.keys.iter().all(|key| counts.get(key).is_none_or(room)) {
            return None;
        }
        for key in &self.keys {
            let count = counts.entry(key.clone()).or_default();
            count.held += 1;
            count.open += 1;
        }
        drop(counts);
        Some(Permit { door: self.clone(), from_promise: false })
    }

    /// The server refused one connection more than are open (the refused one holds its permit still). Gives the cap
    /// that follows, if one does: when nothing of ours was open, others hold the connections, and nothing is learned.
    pub fn refused(&self, scope: Scope) -> Option<usize> {
        let key = self.key(scope);
        let mut counts = self.slots.counts();
        let count = counts.get_mut(key)?;
        let others = count.open.saturating_sub(1);
        if others == 0 {
            return None;
        }
        // One is left for the user, who could not log in otherwise while mail is copied.
        let cap = others.saturating_sub(1).max(1);
        let cap = count.learned.map_or(cap, |known| known.min(cap));
        count.learned = Some(cap);
        tracing::info!(?key, cap, "the server takes no more connections");
        Some(cap)
    }

    /// Makes a promise smaller, and tells by how much less is held because of it.
    fn less(&self, change: impl FnOnce(&mut Promise)) -> usize {
        let mut promise = lock(&self.promise);
        let before = promise.held();
        change(&mut promise);
        before.saturating_sub(promise.held())
    }

    fn key(&self, scope: Scope) -> &Key {
        let [host, login] = &self.keys;
        match scope {
            Scope::Host => host,
            Scope::Login => login,
        }
    }

    /// Remembers what an earlier run learned. What this one learned counts when it is less.
    pub fn remember(&self, scope: Scope, cap: usize) {
        let mut counts = self.slots.counts();
        let count = counts.entry(self.key(scope).clone()).or_default();
        count.learned = Some(count.learned.map_or(cap, |known| known.min(cap)).max(1));
    }

    /// What was learned by a refusal, in this run or in an earlier one.
    #[must_use]
    pub fn learned(&self, scope: Scope) -> Option<usize> {
        self.slots.counts().get(self.key(scope)).and_then(|count| count.learned)
    }

    /// The host, and the login whose connections a scope is about; none for those of everybody.
    pub(super) fn names(&self, scope: Scope) -> (&str, &str) {
        let key = self.key(scope);
        (&key.host, key.login.as_deref().unwrap_or_default())
    }
}

/// The right to one connection; keep it as long as the connection.
#[must_use = "the connection counts only as long as its permit is kept"]
#[derive(Debug)]
pub struct Permit {
    door: Door,
    from_promise: bool,
}

impl Permit {
    /// Whether more connections are open than the server turned out to take, or a copy waits to be admitted: an extra
    /// lane should close its connection when it has finished what it is at.
    #[must_use]
    pub fn is_surplus(&self) -> bool {
        let counts = self.door.slots.counts();
        let over = |c: &Count| c.held > c.cap() || c.waiting > 0;
        !self.from_promise && self.door.keys.iter().any(|key| counts.get(key).is_some_and(over))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let freed = if self.from_promise { self.door.less(|p| p.open = p.open.saturating_sub(1)) } else { 1 };
        self.door.slots.change(&self.door.keys, |c| {
            c.open = c.open.saturating_sub(1);
            c.held = c.held.saturating_sub(freed);
        });
        self.door.slots.inner.changed.notify_waiters();
    }
}

/// The promise of the connections of one copy.
#[must_use = "what is promised is given to others when this is dropped"]
#[derive(Debug)]
pub struct Admission {
    parts: Vec<(Door, usize)>,
}

impl Drop for Admission {
    fn drop(&mut self) {
        for (door, n) in &self.parts {
            let freed = door.less(|p| p.total = p.total.saturating_sub(*n));
            door.slots.change(&door.keys, |c| c.held = c.held.saturating_sub(freed));
            door.slots.inner.changed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn caps(per_login: usize, per_host: usize) -> Caps {
        Caps { per_login: Some(per_login), per_host: Some(per_host) }
    }

    async fn admitted(slots: &Slots, needs: &[(&Door, usize)]) -> Option<Admission> {
        tokio::time::timeout(Duration::from_secs(1), slots.admit(needs)).await.ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_copy_whose_both_ends_are_one_host_is_admitted_under_any_cap() {
        let slots = Slots::default();
        let (from, to) = (slots.door("h", "a", caps(1, 1)), slots.door("h", "b", caps(1, 1)));
        let first = admitted(&slots, &[(&from, 1), (&to, 2)]).await;
        assert!(first.is_some());
        let permits = [from.acquire(), to.acquire(), to.acquire()];
        assert!(from.try_extra().is_none() && to.try_extra().is_none());
        assert!(admitted(&slots, &[(&from, 1), (&to, 2)]).await.is_none(), "the second waits");
        drop((first, permits));
        assert!(admitted(&slots, &[(&from, 1), (&to, 2)]).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_made_again_takes_the_same_promise() {
        let slots = Slots::default();
        let door = slots.door("h", "a", caps(2, 9));
        let admission = admitted(&slots, &[(&door, 2)]).await;
        for _ in 0..5 {
            let _both = (door.acquire(), door.acquire());
            assert!(door.try_extra().is_none());
        }
        drop(admission);
        assert!(door.try_extra().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn no_extra_is_given_while_a_copy_waits_and_lanes_give_way() {
        let slots = Slots::default();
        let door = slots.door("h", "a", caps(3, 9));
        let admission = admitted(&slots, &[(&door, 2)]).await;
        let extra = door.try_extra().unwrap();
        assert!(!extra.is_surplus());
        let other = slots.door("h", "a", caps(3, 9));
        let needs = [(&other, 2)];
        let mut next = Box::pin(slots.admit(&needs));
        assert!(tokio::time::timeout(Duration::from_secs(1), &mut next).await.is_err());
        assert!(extra.is_surplus());
        drop(extra);
        assert!(door.try_extra().is_none());
        drop(admission);
        drop(next.await);
        assert!(door.try_extra().is_some());
    }

    #[test]
    fn a_refusal_lowers_the_cap_to_what_was_open_less_one_for_the_user() {
        let slots = Slots::default();
        let door = slots.door("h", "a", Caps { per_login: None, per_host: None });
        let open: Vec<Permit> = (0..4).map(|_| door.acquire()).collect();
        let refused = door.try_extra().unwrap();
        assert_eq!(door.refused(Scope::Login), Some(3));
        drop(refused);
        assert!(door.try_extra().is_none());
        assert!(slots.door("h", "b", Caps::default()).try_extra().is_some(), "another login is not concerned");
        assert!(open.iter().all(Permit::is_surplus));
        drop(open);
        let lanes: Vec<Option<Permit>> = (0..4).map(|_| door.try_extra()).collect();
        assert_eq!(lanes.iter().flatten().count(), 3);
    }

    #[test]
    fn a_refusal_of_the_only_connection_teaches_nothing() {
        let slots = Slots::default();
        let door = slots.door("h", "a", Caps::default());
        let only = door.acquire();
        assert_eq!(door.refused(Scope::Host), None);
        drop(only);
    }

    proptest! {
        #[test]
        fn whatever_is_taken_and_given_back_nothing_is_left_over(steps in proptest::collection::vec(0_u8..5, 0..60)) {
            let slots = Slots::default();
            let door = slots.door("h", "a", caps(3, 3));
            let (mut permits, mut admissions) = (Vec::new(), Vec::new());
            for step in steps {
                match step {
                    0 => admissions.extend(slots.try_admit(&[(&door, 2)])),
                    1 => permits.push(door.acquire()),
                    2 => permits.extend(door.try_extra()),
                    3 => drop(permits.pop()),
                    _ => drop(admissions.pop()),
                }
                let used: usize = slots.counts().values().map(|c| c.open).max().unwrap_or_default();
                prop_assert_eq!(used, permits.len());
            }
            drop(admissions);
            drop(permits);
            prop_assert!(!door.acquire().from_promise);
            prop_assert!(slots.counts().values().all(|c| c.held == 0 && c.open == 0 && c.waiting == 0));
        }
    }
}
