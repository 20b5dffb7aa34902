//! Work for more than one thread. What comes of it is the same however many there are.

use std::{num::NonZero, panic::resume_unwind, thread};

/// So many accounts or actions are worth another hand.
pub(crate) const MANY: usize = 1_024;

/// Does both, side by side when that is worth a thread.
pub(crate) fn both<A, B: Send>(worth: bool, own: impl FnOnce() -> A, other: impl FnOnce() -> B + Send) -> (A, B) {
    if !worth {
        return (own(), other());
    }
    thread::scope(|scope| {
        let other = scope.spawn(other);
        (own(), other.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

/// How many hands so many items are worth, when each is to have at least a share.
pub(crate) fn worth(items: usize, share: usize) -> usize {
    thread::available_parallelism().map_or(1, NonZero::get).min(items / share.max(1))
}

/// The items in as many shares as there are hands, all but the last equally large.
pub(crate) fn shares<T>(items: &[T], hands: usize) -> Vec<&[T]> {
    items.chunks(items.len().div_ceil(hands.max(1)).max(1)).collect()
}

/// What is made of each item, in their order, by as many hands as the machine has and each has at least so many items
/// for.
pub(crate) fn map<T: Send, R: Send>(items: Vec<T>, share: usize, make: impl Fn(T) -> R + Sync) -> Vec<R> {
    let hands = worth(items.len(), share);
    if hands < 2 {
        return items.into_iter().map(make).collect();
    }
    let (make, share) = (&make, items.len().div_ceil(hands));
    let mut own = items;
    let mut rest = own.split_off(share).into_iter();
    let parts: Vec<Vec<T>> = (1..hands).map(|_| rest.by_ref().take(share).collect()).collect();
    thread::scope(|scope| {
        let work = |part: Vec<T>| scope.spawn(move || part.into_iter().map(make).collect::<Vec<R>>());
        let running: Vec<_> = parts.into_iter().map(work).collect();
        // This hand takes its share too: what memory a hand has asked for is only free for itself afterwards.
        let mut out: Vec<R> = own.into_iter().map(make).collect();
        let done = |hand: thread::ScopedJoinHandle<'_, _>| hand.join().unwrap_or_else(|panic| resume_unwind(panic));
        out.extend(running.into_iter().flat_map(done));
        out
    })
}

/// What `find` makes of those items for which it makes something, in their order; many are looked at by as many hands as
/// that is worth.
pub(crate) fn filter_map<'i, T: Sync, R: Send>(items: &'i [T], find: impl Fn(&'i T) -> Option<R> + Sync) -> Vec<R> {
    let look = |part: &'i [T]| part.iter().filter_map(&find).collect::<Vec<R>>();
    map(shares(items, worth(items.len(), MANY)), 1, look).into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_hands_keep_the_order() {
        for n in [0, 1, 2, 3, 7, 100, 101] {
            let out = map((0..n).collect(), 1, |item: usize| item * 2);
            assert_eq!(out, (0..n).map(|item| item * 2).collect::<Vec<_>>());
        }
        assert_eq!(both(true, || 1, || 2), both(false, || 1, || 2));
        for n in [0, 1, MANY, 2 * MANY, 3 * MANY + 1] {
            let all: Vec<usize> = (0..n).collect();
            let odd = filter_map(&all, |item| (item % 2 == 1).then_some(item));
            assert_eq!(odd, all.iter().filter(|item| **item % 2 == 1).collect::<Vec<_>>());
        }
    }

    #[test]
    #[should_panic(expected = "of the other hand")]
    fn a_panic_of_another_hand_is_not_lost() {
        both(true, || (), || panic!("of the other hand"));
    }
}
