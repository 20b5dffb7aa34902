//! Does this inventory have what this spec wants? Asked field by field, apart from the planner: nothing here is taken from
//! `plan`, so that a wish the planner forgets is missed here.

use std::collections::{BTreeMap, BTreeSet};

use rehome::{
    model::{
        Address, DomainType, FolderStatus, Inventory, NoteKind, PlatformId, PlatformKind, PlatformView, Profile, State,
    },
    plan::Plan,
    spec::{AccountSpec, DomainSpec, FooterSpec, GroupSpec, MigrateSpec, Presence, SourceFate, Spec, Strategy},
};

/// One wish that is not fulfilled.
struct Miss {
    /// Whose wish it is, and on what else it rests: an address, a domain or a platform.
    about: BTreeSet<String>,
    what: String,
}

/// The wishes that are not fulfilled and of which the plan says nothing: neither a note about the object, its domain or
/// its platform, nor an action that is still to be done.
pub fn missing(spec: &Spec, (inventory, known): (&Inventory, &State), plan: &Plan) -> Vec<String> {
    let kinds = [NoteKind::Blocked, NoteKind::Ambiguous, NoteKind::Waiting, NoteKind::Unsupported];
    let told = plan.body.notes.iter().filter(|n| kinds.contains(&n.kind) || TOLD_ANYWAY.contains(&n.code.as_str()));
    let told: BTreeSet<&str> = told.map(|n| n.subject.as_str()).collect();
    let still: BTreeSet<&str> = plan.body.actions.iter().map(|a| a.chain.as_str()).collect();
    let explained = |miss: &Miss| miss.about.iter().any(|a| told.contains(a.as_str()) || still.contains(a.as_str()));
    let mut look = Look { spec, inventory, known, misses: Vec::new() };
    look.all();
    look.misses.into_iter().filter(|miss| !explained(miss)).map(|miss| miss.what).collect()
}

/// Notes of the other kinds that say why a wish is left alone: a source that is protected is not emptied.
const TOLD_ANYWAY: [&str; 1] = ["protected"];

struct Look<'a> {
    spec: &'a Spec,
    inventory: &'a Inventory,
    /// What the journal knew before the plan.
    known: &'a State,
    misses: Vec<Miss>,
}

impl<'a> Look<'a> {
    fn all(&mut self) {
        let spec = self.spec;
        spec.domains.iter().for_each(|(name, domain)| self.domain(name.as_str(), domain));
        spec.accounts.iter().for_each(|(address, account)| self.account(address, account));
        for (from, wish) in &spec.redirections {
            let Some((id, view)) = self.view(wish.via.as_ref(), from) else { continue };
            let seen = view.redirections.get(from);
            match (wish.state, seen) {
                (Presence::Absent, None) => {}
                (Presence::Absent, Some(_)) => self.miss(id, from, "is still redirected"),
                (Presence::Present, Some(s)) if s.to == wish.to && s.keep_copy == wish.keep_copy => {}
                (Presence::Present, _) => {
                    self.miss(id, from, &format!("is redirected as {seen:?} and not as {wish:?}"))
                }
            }
        }
        spec.groups.iter().for_each(|(address, group)| self.group(address, group));
        for (address, wish) in &spec.contacts {
            let Some(view) = self.inventory.platforms.get(&wish.platform) else { continue };
            match (wish.state, view.contacts.get(address)) {
                (Presence::Absent, None) => {}
                (Presence::Absent, Some(_)) => self.miss(&wish.platform, address, "is still a contact"),
                (Presence::Present, None) => self.miss(&wish.platform, address, "is no contact"),
                (Presence::Present, Some(seen)) => {
                    let wrong = differs(&wish.fields.display_name, &seen.display_name)
                        || differs(&wish.fields.first_name, &seen.first_name)
                        || differs(&wish.fields.last_name, &seen.last_name)
                        || differs(&wish.fields.hidden, &seen.hidden);
                    self.miss_if(wrong, &wish.platform, address, "is another contact");
                }
            }
        }
    }

    fn view(&self, via: Option<&'a PlatformId>, address: &Address) -> Option<(&'a PlatformId, &'a PlatformView)> {
        let id = via.or_else(|| self.spec.domains.get(address.domain()).map(|d| &d.platform))?;
        Some((id, self.inventory.platforms.get(id)?))
    }

    fn miss(&mut self, platform: &PlatformId, address: &Address, what: &str) {
        let about = [address.key(), address.domain().to_string(), platform.to_string()].into();
        self.misses.push(Miss { about, what: format!("{address} {what} on {platform}") });
    }

    fn miss_if(&mut self, wrong: bool, platform: &PlatformId, address: &Address, what: &str) {
        if wrong {
            self.miss(platform, address, what);
        }
    }

    fn domain(&mut self, name: &str, wish: &DomainSpec) {
        let Some(view) = self.inventory.platforms.get(&wish.platform).filter(|v| v.kind != PlatformKind::Imap) else {
            return;
        };
        let seen = view.domains.iter().find(|(domain, _)| domain.as_str() == name).map(|(_, seen)| seen);
        let mut wrong = Vec::new();
        match (wish.state, seen) {
            (Presence::Absent, None) => {}
            (Presence::Absent, Some(_)) => wrong.push("is still there".to_owned()),
            (Presence::Present, None) => wrong.push("is not there".to_owned()),
            (Presence::Present, Some(seen)) => {
                if wish.kind.is_some() && wish.kind != seen.kind {
                    wrong.push(format!("is {:?}", seen.kind));
                }
                let relays = wish.kind.or(seen.kind) == Some(DomainType::NonAuthoritative);
                if relays && wish.mx_relay.is_some() && wish.mx_relay != seen.mx_relay {
                    wrong.push(format!("relays to {:?}", seen.mx_relay));
                }
                match (&wish.footer, &seen.footer) {
                    (None, _) | (Some(FooterSpec::Absent), None) => {}
                    (Some(FooterSpec::Present(footer)), Some(there)) if footer == there => {}
                    (_, there) => wrong.push(format!("has the footer {there:?}")),
                }
            }
        }
        for what in wrong {
            let about = [name.to_owned(), wish.platform.to_string()].into();
            self.misses.push(Miss { about, what: format!("{name} {what} on {}", wish.platform) });
        }
    }

    fn account(&mut self, address: &Address, wish: &AccountSpec) {
        let Some((id, view)) = self.view(None, address) else { return };
        if view.kind == PlatformKind::Imap {
            return;
        }
        let seen = view.accounts.get(address);
        if wish.state == Presence::Absent {
            self.miss_if(seen.is_some(), id, address, "is still an account");
            return;
        }
        let Some(seen) = seen else { return self.miss(id, address, "is no account") };
        let Profile { display_name, first_name, last_name, quota_octets, hidden } = &wish.profile;
        self.miss_if(differs(display_name, &seen.profile.display_name), id, address, "has another name");
        self.miss_if(differs(first_name, &seen.profile.first_name), id, address, "has another first name");
        self.miss_if(differs(last_name, &seen.profile.last_name), id, address, "has another last name");
        self.miss_if(differs(quota_octets, &seen.profile.quota_octets), id, address, "has another quota");
        self.miss_if(differs(hidden, &seen.profile.hidden), id, address, "is hidden, or is not");
        if let Some(aliases) = &wish.aliases {
            for alias in aliases.symmetric_difference(&seen.aliases) {
                let what = if aliases.contains(alias) { "lacks" } else { "still has" };
                // A reason may be told of the alias, of its account, or of whoever is to have it.
                let heirs =
                    self.spec.accounts.iter().filter(|(_, w)| w.aliases.as_ref().is_some_and(|a| a.contains(alias)));
                let mut about: BTreeSet<String> = heirs.map(|(heir, _)| heir.key()).collect();
                about.extend([alias.key(), address.key(), id.to_string(), alias.domain().to_string()]);
                self.misses.push(Miss { about, what: format!("{address} {what} the alias {alias} on {id}") });
            }
        }
        if let Some(rights) = &wish.delegates {
            for right in rights.symmetric_difference(&seen.delegations) {
                let what = if rights.contains(right) { "lacks" } else { "still has" };
                self.miss(id, address, &format!("{what} {right:?}"));
            }
        }
        self.alone(id, address);
        if let Some(migrate) = self.spec.domains.get(address.domain()).and_then(|d| d.migrate.as_ref())
            && !wish.mail.skip
        {
            self.mail(id, address, wish, migrate);
        }
    }

    /// Across platforms that deliver by address, an account is at one of them.
    fn alone(&mut self, id: &PlatformId, address: &Address) {
        for (other, view) in self.inventory.platforms.iter().filter(|(other, _)| *other != id) {
            let twice = view.kind != PlatformKind::Imap && view.accounts.contains_key(address);
            self.miss_if(twice, id, address, &format!("is also on {other}"));
        }
    }

    fn copied_from(&self, address: &Address) -> Option<&Address> {
        self.known.mailboxes.get(address)?.source.as_ref().map(|(_, name)| name)
    }

    /// What the source has is at the target, and a source that should go has gone.
    fn mail(&mut self, id: &PlatformId, address: &Address, wish: &AccountSpec, migrate: &MigrateSpec) {
        let at = |tail: &str| Address::parse(&format!("{}{tail}@{}", address.local(), address.domain())).unwrap();
        // Where a source may be, in the order in which the strategy leaves it.
        let renames = self.inventory.platforms.get(&migrate.from).is_some_and(|v| v.capabilities.rename);
        let names = match migrate.strategy {
            _ if !renames => vec![at("")],
            // A mailbox that was moved twice left its first provisional name to whoever has it now.
            Strategy::Stage if self.copied_from(address) == Some(&at("0101")) => vec![at(""), at("0101")],
            Strategy::Stage => vec![at(""), at("0101"), at("01")],
            Strategy::Swap | Strategy::Parallel => vec![at(""), at("01")],
        };
        let have = |platform: &PlatformId, name: &Address| self.folders(platform, name);
        let Some((name, there)) = names.iter().find_map(|n| Some((n, have(&migrate.from, n)?))) else { return };
        let here = have(id, address);
        self.miss_if(here.as_ref() != Some(&there), id, address, "lacks mail of its source");
        let goes = migrate.source == SourceFate::Reset && !wish.protect;
        self.miss_if(goes, id, address, &format!("still has its source {name}"));
    }

    fn folders(&self, platform: &PlatformId, address: &Address) -> Option<BTreeMap<String, FolderStatus>> {
        let view = self.inventory.mailboxes.get(&(platform.clone(), address.clone()))?;
        Some(view.folders.iter().filter_map(|(path, f)| Some((path.to_string(), f.status?))).collect())
    }

    fn group(&mut self, address: &Address, wish: &GroupSpec) {
        let Some((id, view)) = self.view(wish.via.as_ref(), address) else { return };
        let seen = view.groups.get(address);
        if wish.state == Presence::Absent {
            self.miss_if(seen.is_some(), id, address, "is still a group");
            return;
        }
        let Some(seen) = seen else { return self.miss(id, address, "is no group") };
        let (w, s) = (&wish.settings, &seen.settings);
        let wrong = differs(&w.display_name, &s.display_name)
            || differs(&w.members_only, &s.members_only)
            || differs(&w.join, &s.join)
            || differs(&w.leave, &s.leave)
            || differs(&w.hidden, &s.hidden)
            || differs(&w.max_receive_mb, &s.max_receive_mb);
        self.miss_if(wrong, id, address, "has other settings");
        for (what, wish, seen) in
            [("members", &wish.members, &seen.members), ("managers", &wish.managers, &seen.managers)]
        {
            if let Some(wish) = wish {
                self.miss_if(wish != seen, id, address, &format!("has the {what} {seen:?} and not {wish:?}"));
            }
        }
    }
}

/// Whether a field that is wished and told is another. What a platform does not tell is left alone: nobody could say
/// when it would be right.
fn differs<T: PartialEq>(wish: &Option<T>, seen: &Option<T>) -> bool {
    wish.as_ref().is_some_and(|wish| seen.as_ref().is_some_and(|seen| seen != wish))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::world::World;

    /// The checker is worth something only if it sees what is wrong: here the planner is asked nothing.
    #[test]
    fn a_wish_that_nobody_fulfils_is_seen() {
        let world = World::swap().has("new", "ann", 1).wants("ann");
        let empty = World::swap().plan();
        assert_eq!(missing(&world.spec, (&world.inventory, &world.state), &empty), Vec::<String>::new());
        let mut other = world.clone();
        other.account("ann").aliases = Some([crate::plan::world::a("info")].into());
        assert_eq!(missing(&other.spec, (&other.inventory, &other.state), &empty).len(), 1);
        let gone = World::swap().wants("ann");
        assert_eq!(
            missing(&gone.spec, (&gone.inventory, &gone.state), &empty),
            ["ann@mydomain.ovh is no account on new"]
        );
        let twice = world.has("old", "ann", 2);
        let all = missing(&twice.spec, (&twice.inventory, &twice.state), &empty);
        assert_eq!(all.len(), 2, "two accounts, and mail that was not copied: {all:?}");
    }
}
