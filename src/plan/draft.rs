//! The plan while it is being written: actions with their names, notes, and what was read for whom.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash, Hasher as _},
};

use crate::model::{Action, ActionId, Address, Change, Note, NoteKind, Phase, PlatformId, Undo, Work};

use super::{undo, world::World};

/// Actions, notes and reads so far.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) actions: Vec<Action>,
    pub(super) notes: BTreeSet<Note>,
    /// What stops many at once: one note each, with how many it stops.
    shared: BTreeMap<(NoteKind, &'static str, String), Shared>,
    reads: BTreeMap<String, BTreeSet<String>>,
    names: BTreeMap<Hashed<String>, u32>,
    /// The platforms on which a planned action frees an address.
    freed: BTreeMap<Address, BTreeSet<PlatformId>>,
}

/// A key that is compared by its hash first. Names of actions are long and begin alike, so a map of many thousands of
/// them would compare mostly what is equal. The hash is the same in every run; nothing may depend on its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hashed<T>(u64, T);

impl<T: Hash> Hashed<T> {
    pub(super) fn of(key: T) -> Self {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        Self(hasher.finish(), key)
    }
}

struct Shared {
    message: String,
    help: Option<String>,
    stopped: usize,
}

/// Why something cannot be planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) kind: NoteKind,
    pub(super) code: &'static str,
    /// A platform or domain when the reason is theirs; `None` when it is the object's own.
    pub(super) owner: Option<String>,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

impl Block {
    /// A reason of the object itself.
    pub(super) fn own(code: &'static str, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { kind: NoteKind::Blocked, code, owner: None, message: message.into(), help: Some(help.into()) }
    }

    /// A reason of a platform or domain, told once however many it stops.
    pub(super) fn of(
        owner: impl Into<String>,
        code: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self { owner: Some(owner.into()), ..Self::own(code, message, help) }
    }

    /// The same with another kind of reason.
    pub(super) fn told_as(mut self, kind: NoteKind) -> Self {
        self.kind = kind;
        self
    }
}

impl Draft {
    /// Adds an action that changes a platform; what is not said here is set on the result.
    pub(super) fn change(
        &mut self,
        world: &World<'_>,
        (phase, chain): (Phase, &str),
        platform: &PlatformId,
        change: Change,
        reason: impl Into<String>,
    ) -> &mut Action {
        let name = format!("{}:{platform}/{}", change.kind(), change.subject());
        if let Some(address) = freed_by(&change) {
            self.freed.entry(address.clone()).or_default().insert(platform.clone());
        }
        let undo = undo::of(world, platform, &change);
        let work = Work::Platform { platform: platform.clone(), change };
        self.add((phase, chain), name, work, undo, reason.into())
    }

    /// Adds any other action.
    pub(super) fn add(
        &mut self,
        (phase, chain): (Phase, &str),
        name: String,
        work: Work,
        undo: Undo,
        reason: String,
    ) -> &mut Action {
        let id = self.unique(name);
        let at = self.actions.len();
        self.actions.push(Action {
            id,
            phase,
            chain: chain.to_owned(),
            work,
            reason,
            requires: BTreeSet::new(),
            preconditions: Vec::new(),
            undo,
            guard: None,
            swap: None,
        });
        &mut self.actions[at]
    }

    fn unique(&mut self, name: String) -> ActionId {
        let n = self.names.entry(Hashed::of(name.clone())).or_default();
        *n += 1;
        ActionId(if *n == 1 { name } else { format!("{name}#{n}") })
    }

    /// Whether a planned action frees an address of that platform.
    pub(super) fn frees(&self, platform: &PlatformId, address: &Address) -> bool {
        self.freed.get(address).is_some_and(|on| on.contains(platform))
    }

    pub(super) fn note(
        &mut self,
        kind: NoteKind,
        code: &str,
        subject: impl Into<String>,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        self.listing(kind, code, (subject.into(), message.into()), help, Vec::new());
    }

    /// The same, with a line for each thing that it is about.
    pub(super) fn listing(
        &mut self,
        kind: NoteKind,
        code: &str,
        (subject, message): (String, String),
        help: Option<String>,
        details: Vec<String>,
    ) {
        self.notes.insert(Note { kind, code: code.to_owned(), subject, message, help, details });
    }

    /// Says why an object is not planned.
    pub(super) fn tell(&mut self, subject: &str, block: Block) {
        match block.owner {
            None => self.note(block.kind, block.code, subject, block.message, block.help),
            Some(owner) => {
                let shared = self.shared.entry((block.kind, block.code, owner)).or_insert(Shared {
                    message: block.message,
                    help: block.help,
                    stopped: 0,
                });
                shared.stopped += 1;
            }
        }
    }

    /// Says why nothing of a chain is planned.
    pub(super) fn block(&mut self, chain: &str, blocks: Vec<Block>) {
        for block in blocks {
            self.tell(chain, block);
        }
    }

    /// Remembers that the plan for a chain rests on an object.
    pub(super) fn read(&mut self, chain: &str, key: String) {
        self.reads.entry(chain.to_owned()).or_default().insert(key);
    }

    /// The objects that the actions of the plan rest on.
    pub(super) fn read_keys(&self) -> BTreeSet<&str> {
        let chains: BTreeSet<&str> = self.actions.iter().map(|a| a.chain.as_str()).collect();
        chains.into_iter().filter_map(|c| self.reads.get(c)).flatten().map(String::as_str).collect()
    }

    /// Drops actions and whatever requires them; returns the chains that lost something only because of others.
    pub(super) fn drop_actions(&mut self, mut gone: BTreeSet<ActionId>) -> BTreeSet<String> {
        let first: BTreeSet<String> =
            self.actions.iter().filter(|a| gone.contains(&a.id)).map(|a| a.chain.clone()).collect();
        loop {
            let more: Vec<ActionId> = self
                .actions
                .iter()
                .filter(|a| !gone.contains(&a.id) && !a.requires.is_disjoint(&gone))
                .map(|a| a.id.clone())
                .collect();
            if more.is_empty() {
                break;
            }
            gone.extend(more);
        }
        let mut others = BTreeSet::new();
        self.actions.retain(|a| {
            let keep = !gone.contains(&a.id);
            if !keep && !first.contains(&a.chain) {
                others.insert(a.chain.clone());
            }
            keep
        });
        others
    }

    /// Turns what stops many into notes.
    pub(super) fn settle_notes(&mut self) {
        for ((kind, code, owner), shared) in std::mem::take(&mut self.shared) {
            let message = match shared.stopped {
                1 => format!("{} (stops 1 address)", shared.message),
                n => format!("{} (stops {n} addresses)", shared.message),
            };
            self.note(kind, code, owner, message, shared.help);
        }
    }
}

/// The address that a change gives up, where it does.
pub(super) fn freed_by(change: &Change) -> Option<&Address> {
    match change {
        Change::AccountRename { from, .. } | Change::RedirectionRemove { from } => Some(from),
        Change::AccountReset { address } => Some(address),
        Change::AliasRemove { alias, .. } => Some(alias),
        Change::GroupRemove { group } => Some(group),
        Change::DomainAdd { .. }
        | Change::DomainUpdate { .. }
        | Change::DomainRemove { .. }
        | Change::AccountCreate { .. }
        | Change::AccountUpdate { .. }
        | Change::AccountPassword { .. }
        | Change::AliasAdd { .. }
        | Change::RedirectionSet { .. }
        | Change::GroupCreate { .. }
        | Change::GroupUpdate { .. }
        | Change::GroupMemberAdd { .. }
        | Change::GroupMemberRemove { .. }
        | Change::GroupManagerAdd { .. }
        | Change::GroupManagerRemove { .. }
        | Change::DelegationGrant { .. }
        | Change::DelegationRevoke { .. }
        | Change::ContactAdd { .. }
        | Change::ContactUpdate { .. }
        | Change::ContactRemove { .. }
        | Change::FooterSet { .. }
        | Change::FooterRemove { .. } => None,
    }
}

/// The address that a change takes, where it does. A forward of an account's own address takes nothing.
pub(super) fn claimed_by(change: &Change) -> Option<&Address> {
    match change {
        Change::AccountRename { to, .. } => Some(to),
        Change::AccountCreate { address, .. } => Some(address),
        Change::AliasAdd { alias, .. } => Some(alias),
        Change::RedirectionSet { from, keep_copy: false, .. } => Some(from),
        Change::GroupCreate { group, .. } => Some(group),
        Change::RedirectionSet { .. }
        | Change::DomainAdd { .. }
        | Change::DomainUpdate { .. }
        | Change::DomainRemove { .. }
        | Change::AccountUpdate { .. }
        | Change::AccountPassword { .. }
        | Change::AccountReset { .. }
        | Change::AliasRemove { .. }
        | Change::RedirectionRemove { .. }
        | Change::GroupUpdate { .. }
        | Change::GroupRemove { .. }
        | Change::GroupMemberAdd { .. }
        | Change::GroupMemberRemove { .. }
        | Change::GroupManagerAdd { .. }
        | Change::GroupManagerRemove { .. }
        | Change::DelegationGrant { .. }
        | Change::DelegationRevoke { .. }
        | Change::ContactAdd { .. }
        | Change::ContactUpdate { .. }
        | Change::ContactRemove { .. }
        | Change::FooterSet { .. }
        | Change::FooterRemove { .. } => None,
    }
}
