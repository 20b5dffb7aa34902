//! Keys of the YAML that were renamed: an account that rehome has made or filled is gone from the spec, and a new one
//! looks like it. Nothing in a file of wishes tells that from one person leaving and another one coming, so a person says
//! which it is, before an empty mailbox takes the place of a full one.

use std::collections::BTreeMap;

use crate::model::{Address, NoteKind, PlatformId};

use super::{decide::Case, draft::Block, world::World};

/// Accounts that the journal knows, that are on their platform and that the spec no longer has, by what a new account may
/// share with them.
#[derive(Default)]
pub(super) struct Gone<'a> {
    addresses: BTreeMap<(&'a PlatformId, &'a Address), &'a Address>,
    aliases: BTreeMap<(&'a PlatformId, &'a Address), &'a Address>,
    names: BTreeMap<(&'a PlatformId, &'a str), &'a Address>,
    sources: BTreeMap<(&'a PlatformId, &'a Address), &'a Address>,
}

impl<'a> Gone<'a> {
    pub(super) fn look(world: &World<'a>) -> Self {
        let mut out = Self::default();
        let state = world.state;
        for (platform, view) in &world.inventory.platforms {
            for (address, seen) in &view.accounts {
                let left = world.platform_of(address) == Some(platform) && world.wish(address).is_none();
                if !left || world.provisional_owner(address).is_some() {
                    continue;
                }
                let known = state.mailboxes.get(address);
                if known.is_none() && !state.passwords.contains(&(platform.clone(), address.clone())) {
                    continue;
                }
                out.addresses.insert((platform, address), address);
                out.aliases.extend(seen.aliases.iter().map(|alias| ((platform, alias), address)));
                let name = seen.profile.display_name.as_deref().filter(|name| !name.is_empty());
                out.names.extend(name.map(|name| ((platform, name), address)));
                if let Some((from, at)) = known.and_then(|known| known.source.as_ref()) {
                    out.sources.insert((from, at), address);
                }
            }
        }
        out
    }

    /// Why an account that is to be made may be another one under a new name.
    pub(super) fn block(&self, world: &World<'a>, case: &Case<'a>) -> Option<Block> {
        let new = case.create.is_some() && !world.state.mailboxes.contains_key(case.address);
        if !new || self.addresses.is_empty() {
            return None;
        }
        let (old, shared) = self.like(case)?;
        let message = format!(
            "looks like a rename: {} is to be made on {}, and {}, which the journal knows and the spec no longer has, {shared}",
            case.address.unicode(),
            world.title(case.target),
            old.unicode(),
        );
        let help = format!(
            "if it is the same mailbox, rename {} to {} on the platform and plan again; if not, keep {} in the spec, or \
             say there that it should be absent",
            old.unicode(),
            case.address.unicode(),
            old.unicode()
        );
        Some(Block::own("looks-like-a-rename", message, help).told_as(NoteKind::Ambiguous))
    }

    fn like(&self, case: &Case<'a>) -> Option<(&'a Address, &'static str)> {
        if let Some(source) = &case.source {
            // Its mail is somewhere. Only whose mail that is can tell.
            let names = [Some(&source.now), source.later.as_ref()];
            let old = names.into_iter().flatten().find_map(|now| self.sources.get(&(source.platform, now)))?;
            return Some((*old, "has the mail of the same source"));
        }
        for alias in case.account.aliases.iter().flatten() {
            if let Some(old) = self.addresses.get(&(case.target, alias)) {
                return Some((*old, "has the address that is to be its alias"));
            }
            if let Some(old) = self.aliases.get(&(case.target, alias)) {
                return Some((*old, "has one of its aliases"));
            }
        }
        let name = case.account.profile.display_name.as_deref()?;
        let old = self.names.get(&(case.target, name))?;
        Some((*old, "has the same name"))
    }
}
