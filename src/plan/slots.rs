//! Slots: free places that are bought outside rehome, counted and given out the same way every time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::{
    index::Index,
    model::{Address, Slot, SlotId},
};

/// What an account asks of a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ask<'a> {
    pub(super) address: &'a Address,
    /// Exactly this one.
    pub(super) slot: Option<&'a SlotId>,
    /// Of this kind.
    pub(super) offer: Option<&'a str>,
    /// The octets that must fit.
    pub(super) octets: u64,
}

/// Why an account has no slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoSlot {
    /// The named one is not free.
    NotFree(SlotId),
    /// Those left are too small; the largest is this.
    TooSmall(u64),
    /// There are not enough.
    TooFew { needed: usize, had: usize, offer: Option<String> },
}

/// A kind of slot: its offer in lower case, and its size.
type Class = (Option<String>, Option<u64>);
/// The free slots of each kind, each with its place in the order.
type Classes<'a> = BTreeMap<Class, VecDeque<(usize, &'a SlotId)>>;

/// The slot of each account, or why it has none.
pub(super) type Given<'a> = Index<&'a Address, Result<SlotId, NoSlot>>;

/// Gives each account a slot: named ones first, then those with a wish for an offer, then the largest mailboxes, each
/// the smallest kind of slot that fits. Inside one kind, addresses in order take slots in order.
pub(super) fn assign<'a>(slots: &'a [Slot], asks: &[Ask<'a>]) -> Given<'a> {
    // By id, because the order of an answer of an API is nobody's promise.
    let mut slots: Vec<&Slot> = slots.iter().collect();
    slots.sort();
    let mut out = Given::default();
    let named: Index<&SlotId, &Slot> = slots.iter().map(|s| (&s.id, *s)).collect();
    let mut taken: BTreeSet<&SlotId> = BTreeSet::new();
    for ask in asks {
        let Some(id) = ask.slot else { continue };
        let free = named.contains_key(id) && !taken.contains(id);
        if free {
            taken.insert(id);
        }
        let answer = match named.get(id).filter(|_| free).map(|s| s.quota_octets) {
            None => Err(NoSlot::NotFree(id.clone())),
            Some(Some(quota)) if quota < ask.octets => Err(NoSlot::TooSmall(quota)),
            Some(_) => Ok(id.clone()),
        };
        out.insert(ask.address, answer);
    }
    let mut classes: Classes<'a> = BTreeMap::new();
    for (at, slot) in slots.iter().enumerate().filter(|(_, s)| !taken.contains(&s.id)) {
        let class = (slot.offer.as_ref().map(|o| o.to_lowercase()), slot.quota_octets);
        classes.entry(class).or_default().push_back((at, &slot.id));
    }
    by_class(classes, asks, &mut out);
    out
}

fn by_class<'a>(mut classes: Classes<'a>, asks: &[Ask<'a>], out: &mut Given<'a>) {
    let first = |class: &VecDeque<(usize, &SlotId)>| class.front().map(|(at, _)| *at);
    let mut left: BTreeMap<&Class, usize> = classes.iter().map(|(c, s)| (c, s.len())).collect();
    let mut open: Vec<&Ask<'a>> = asks.iter().filter(|a| a.slot.is_none()).collect();
    open.sort_by_key(|a| (a.offer.is_none(), std::cmp::Reverse(a.octets), a.address));
    let mut chosen: BTreeMap<Class, Vec<&'a Address>> = BTreeMap::new();
    for ask in &open {
        let fits = |(offer, quota): &Class| {
            let wished = ask.offer.is_none_or(|o| offer.as_deref() == Some(o.to_lowercase().as_str()));
            wished && quota.is_none_or(|q| q >= ask.octets)
        };
        let usable = left.iter().filter(|(c, n)| **n > 0 && fits(c)).map(|(c, _)| *c);
        let best = usable.min_by_key(|c| (c.1.unwrap_or(u64::MAX), classes.get(c).and_then(first)));
        match best.cloned() {
            Some(class) => {
                if let Some(n) = left.get_mut(&class) {
                    *n -= 1;
                }
                chosen.entry(class).or_default().push(ask.address);
            }
            None => {
                out.insert(ask.address, Err(refusal(&classes, &left, ask, &open)));
            }
        }
    }
    for (class, mut addresses) in chosen {
        addresses.sort();
        let Some(slots) = classes.get_mut(&class) else { continue };
        for address in addresses {
            if let Some((_, slot)) = slots.pop_front() {
                out.insert(address, Ok(slot.clone()));
            }
        }
    }
}

fn refusal(classes: &Classes<'_>, left: &BTreeMap<&Class, usize>, ask: &Ask<'_>, all: &[&Ask<'_>]) -> NoSlot {
    let offer = ask.offer.map(str::to_lowercase);
    let of_offer = |c: &Class| offer.is_none() || c.0 == offer;
    let unused = left.iter().filter(|(c, n)| **n > 0 && of_offer(c));
    if let Some(quota) = unused.filter_map(|(c, _)| c.1).max() {
        return NoSlot::TooSmall(quota);
    }
    let needed = all.iter().filter(|a| offer.is_none() || a.offer.map(str::to_lowercase) == offer).count();
    let had = classes.iter().filter(|(c, _)| of_offer(c)).map(|(_, s)| s.len()).sum();
    NoSlot::TooFew { needed, had, offer: ask.offer.map(str::to_owned) }
}
