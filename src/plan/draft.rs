//! The plan while it is being written: actions with their names, notes, and what was read for whom.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::Hash,
    mem,
    sync::Arc,
};

use indexmap::map::Entry;

use crate::{
    hands::{self, MANY},
    index::{Index, Met},
    model::{Action, ActionId, ActionIds, Address, Change, Note, NoteKind, Phase, PlatformId, Text, Undo, Work, text},
};

use super::{claims::platform_change, reads::Key, undo, world::World};

/// Actions, notes and reads so far.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) actions: Vec<Action>,
    pub(super) notes: BTreeSet<Note>,
    /// What stops many at once: one note each, with how many it stops.
    shared: BTreeMap<(NoteKind, &'static str, String), Shared>,
    /// By chain: what the plan for it rests on.
    reads: Vec<(Text, Key)>,
    /// How often each name was given.
    names: Index<Text, u32>,
    /// The addresses that the planned actions free.
    freed: Index<(PlatformId, Address), ()>,
    /// What many actions say.
    sentences: Met<Text>,
    /// What was written before, while several hands write on.
    before: Option<Arc<Self>>,
}

/// By chain: what the plan for it rests on.
pub(super) struct Read(Vec<(Text, Key)>);

impl Read {
    /// What those actions rest on.
    pub(super) fn of(self, actions: &[Action]) -> Met<Key> {
        // Not collected: as many as there are actions would get a place.
        let mut chains: Met<&Text> = Met::default();
        for same in actions.chunk_by(|a, b| a.chain == b.chain) {
            chains.extend(same.first().map(|action| &action.chain));
        }
        let mut out = Met::default();
        self.0.into_iter().filter(|(chain, _)| chains.contains(chain)).for_each(|(_, key)| _ = out.insert(key));
        out
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
        (phase, chain): (Phase, impl Into<Text>),
        platform: &PlatformId,
        change: Change,
        reason: impl Into<Text>,
    ) -> &mut Action {
        let name = text!("{}:{platform}/{}", change.kind(), change.subject());
        if let Some(address) = freed_by(&change) {
            self.freed.insert((platform.clone(), address.clone()), ());
        }
        let undo = undo::of(world, platform, &change);
        let work = Work::Platform { platform: platform.clone(), change };
        self.add((phase, chain), name, work, undo, reason.into())
    }

    /// Adds any other action.
    pub(super) fn add(
        &mut self,
        (phase, chain): (Phase, impl Into<Text>),
        name: impl Into<Text>,
        work: Work,
        undo: Undo,
        reason: impl Into<Text>,
    ) -> &mut Action {
        let id = self.unique(name.into());
        let at = self.actions.len();
        self.actions.push(Action {
            id,
            phase,
            chain: chain.into(),
            work,
            reason: reason.into(),
            requires: ActionIds::default(),
            preconditions: Vec::new(),
            undo,
            guard: None,
            swap: None,
        });
        &mut self.actions[at]
    }

    fn unique(&mut self, name: Text) -> ActionId {
        let given = self.before.as_ref().and_then(|before| before.names.get(&name)).copied();
        let n = self.names.entry(name.clone()).or_insert(given.unwrap_or_default());
        *n += 1;
        ActionId(if *n == 1 { name } else { text!("{name}#{n}") })
    }

    /// A sentence that many actions say, so that they hold it together.
    pub(super) fn sentence(&mut self, words: &str) -> Text {
        if let Some(known) = self.sentences.get(words) {
            return known.clone();
        }
        let new = Text::from(words);
        self.sentences.insert(new.clone());
        new
    }

    /// Whether a planned action frees an address of that platform.
    pub(super) fn frees(&self, platform: &PlatformId, address: &Address) -> bool {
        let freed = (platform.clone(), address.clone());
        let before = self.before.as_ref().is_some_and(|before| before.freed.contains_key(&freed));
        before || self.freed.contains_key(&freed)
    }

    /// The action that frees an address of that platform, if one is planned.
    pub(super) fn freeing(&self, platform: &PlatformId, address: &Address) -> Option<&ActionId> {
        let frees = |action: &&Action| match &action.work {
            Work::Platform { platform: on, change } => on == platform && freed_by(change) == Some(address),
            _ => false,
        };
        if self.frees(platform, address) { self.actions.iter().find(frees).map(|action| &action.id) } else { None }
    }

    /// Lets an action wait for another.
    pub(super) fn require(&mut self, id: &ActionId, before: impl IntoIterator<Item = ActionId>) {
        let action = self.actions.iter_mut().rev().find(|action| action.id == *id);
        if let Some(action) = action {
            action.requires.extend(before);
        }
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
    pub(super) fn read(&mut self, chain: impl Into<Text>, key: Key) {
        self.reads.push((chain.into(), key));
    }

    /// The actions, the notes, and what was read for them. What was needed only to write them is gone.
    pub(super) fn finished(self) -> (Vec<Action>, Vec<Note>, Read) {
        (self.actions, self.notes.into_iter().collect(), Read(self.reads))
    }

    /// Writes for each of many items, by as many hands as that is worth: each writes for a share of them. Gives what comes
    /// of each share. What is written is the same however many there are; `write` may look only at what the draft says of
    /// names and of freed addresses.
    pub(super) fn share<T: Sync, R: Send>(
        &mut self,
        items: &[T],
        write: impl Fn(&[T], &mut Self) -> R + Sync,
    ) -> Vec<R> {
        self.share_among(hands::worth(items.len(), MANY), items, write)
    }

    fn share_among<T: Sync, R: Send>(
        &mut self,
        hands: usize,
        items: &[T],
        write: impl Fn(&[T], &mut Self) -> R + Sync,
    ) -> Vec<R> {
        if hands < 2 {
            return vec![write(items, self)];
        }
        let before = Arc::new(mem::take(self));
        let work = |part| {
            let mut draft = Self { before: Some(Arc::clone(&before)), ..Self::default() };
            let out = write(part, &mut draft);
            draft.before = None;
            (part, draft, out)
        };
        let done = hands::map(hands::shares(items, hands), 1, work);
        *self = Arc::into_inner(before).expect("every hand has given back what was written before");
        // A hand that knew nothing of what another one did writes once more.
        done.into_iter().map(|(part, draft, out)| if self.joins(draft) { out } else { write(part, self) }).collect()
    }

    /// Takes over what another hand wrote, unless both gave the same name or freed the same address.
    fn joins(&mut self, other: Self) -> bool {
        let freed = self.freed.len();
        if !join(&mut self.freed, other.freed) {
            return false;
        }
        if !join(&mut self.names, other.names) {
            self.freed.truncate(freed);
            return false;
        }
        self.reads.extend(other.reads);
        self.actions.extend(other.actions);
        self.notes.extend(other.notes);
        for (what, shared) in other.shared {
            let stopped = shared.stopped;
            let known = self.shared.entry(what).or_insert(Shared { stopped: 0, ..shared });
            known.stopped += stopped;
        }
        true
    }

    /// Drops actions and whatever requires them; returns the chains that lost something only because of others.
    pub(super) fn drop_actions(&mut self, mut gone: BTreeSet<ActionId>) -> BTreeSet<Text> {
        let first: BTreeSet<Text> =
            self.actions.iter().filter(|a| gone.contains(&a.id)).map(|a| a.chain.clone()).collect();
        loop {
            let more: Vec<ActionId> = self
                .actions
                .iter()
                .filter(|a| !gone.contains(&a.id) && a.requires.iter().any(|id| gone.contains(id)))
                .map(|a| a.id.clone())
                .collect();
            if more.is_empty() {
                break;
            }
            gone.extend(more);
        }
        let mut others = BTreeSet::new();
        let before = self.actions.len();
        self.actions.retain(|a| {
            let keep = !gone.contains(&a.id);
            if !keep && !first.contains(&a.chain) {
                others.insert(a.chain.clone());
            }
            keep
        });
        if self.actions.len() < before {
            // What was dropped frees nothing any more.
            let changes = self.actions.iter().filter_map(platform_change);
            let freed = changes.filter_map(|(platform, change)| Some((platform, freed_by(change)?)));
            self.freed = freed.map(|(platform, address)| ((platform.clone(), address.clone()), ())).collect();
        }
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

/// Adds what nobody has yet; when somebody has any of it, nothing is added.
fn join<K: Hash + Eq, V>(all: &mut Index<K, V>, more: Index<K, V>) -> bool {
    let had = all.len();
    all.reserve(more.len());
    for (key, value) in more {
        match all.entry(key) {
            Entry::Vacant(free) => _ = free.insert(value),
            Entry::Occupied(_) => {
                all.truncate(had);
                return false;
            }
        }
    }
    true
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Domain;

    /// What the hands of a plan do: a name that may be given already, an address that is freed once, a note, a reason
    /// that stops many, and what was read.
    fn write(items: &[u8], draft: &mut Draft) -> usize {
        for n in items {
            let chain = format!("a{n}@x.org");
            let (platform, address) = (PlatformId::from("old"), Address::parse(&chain).unwrap());
            if draft.frees(&platform, &address) {
                draft.note(NoteKind::Info, "freed", chain.as_str(), "is free already", None);
                continue;
            }
            draft.freed.insert((platform, address), ());
            let work = Work::DomainReady { platform: "old".into(), domain: Domain::parse("x.org").unwrap() };
            let name = format!("ready:{}", n / 2);
            draft.add((Phase::Domain, chain.as_str()), name, work, Undo::Nothing, String::new());
            draft.block(&chain, vec![Block::of("old", "stops", "it stops many", "wait")]);
            draft.read(chain.as_str(), Key::from(chain.clone()));
        }
        items.len()
    }

    fn written(hands: usize, items: &[u8]) -> (Vec<Action>, Vec<Note>, BTreeSet<Text>, usize) {
        let mut draft = Draft::default();
        write(&[3, 4], &mut draft);
        let shares = draft.share_among(hands, items, write);
        draft.settle_notes();
        let (actions, notes, read) = draft.finished();
        let keys = read.of(&actions).iter().map(Key::name).collect();
        (actions, notes, keys, shares.iter().sum())
    }

    proptest! {
        #[test]
        fn a_draft_is_the_same_however_many_hands_write_it(items in proptest::collection::vec(0..40_u8, 1..30)) {
            let alone = written(1, &items);
            for hands in 2..5 {
                prop_assert_eq!(&written(hands, &items), &alone);
            }
        }
    }
}
