//! One address, one owner.

use indexmap::map::Entry;

use super::World;
use crate::{
    diag::{Diagnostic, Diagnostics},
    index::Index,
    model::Address,
    spec::{
        place::{Locate as _, Place},
        raw::Redirection,
        types::Presence,
    },
};

/// Who claims an address.
#[derive(Clone, Copy)]
pub(super) enum Owner<'a> {
    Account,
    Alias(&'a Address),
    Redirection(&'a Redirection),
    Group,
    Contact,
}

impl Owner<'_> {
    pub(super) fn words(&self) -> String {
        match self {
            Self::Account => "an account".to_owned(),
            Self::Alias(of) => format!("an alias of `{of}`"),
            Self::Redirection(_) => "a redirection".to_owned(),
            Self::Group => "a group".to_owned(),
            Self::Contact => "a contact of the same platform".to_owned(),
        }
    }
}

type Claim<'a> = (Owner<'a>, &'a Place);

/// Everything that claims an address of its own.
#[derive(Default)]
pub(super) struct Claims<'a> {
    first: Index<&'a Address, Claim<'a>>,
    /// Those who come too late.
    others: Vec<(&'a Address, Claim<'a>)>,
}

pub(super) fn check(world: &World<'_>, problems: &mut Diagnostics) {
    let claims = Claims::collect(world);
    let conflicts = claims.others.iter().filter_map(|(address, other)| conflict(address, claims.of(address)?, other));
    conflicts.for_each(|problem| problems.push(problem));
    aliases(world, problems);
}

impl<'a> Claims<'a> {
    /// The first who claims an address.
    pub(super) fn of(&self, address: &Address) -> Option<&Claim<'a>> {
        self.first.get(address)
    }

    fn add(&mut self, address: &'a Address, claim: Claim<'a>) {
        match self.first.entry(address) {
            Entry::Vacant(free) => _ = free.insert(claim),
            Entry::Occupied(taken) => self.others.push((taken.key(), claim)),
        }
    }

    pub(super) fn collect(world: &'a World<'_>) -> Self {
        let mut out = Self::default();
        accounts(world, &mut out);
        others(world, &mut out);
        out
    }
}

fn accounts<'a>(world: &'a World<'_>, out: &mut Claims<'a>) {
    for entry in world.present() {
        out.add(entry.address, (Owner::Account, entry.place));
        for alias in entry.own.aliases.iter().flat_map(|list| &list.value.0) {
            out.add(&alias.value, (Owner::Alias(entry.address), &alias.place));
        }
    }
}

fn others<'a>(world: &'a World<'_>, out: &mut Claims<'a>) {
    let present = |state: Presence| state == Presence::Present;
    for (address, _) in world.spec.redirections.iter().filter(|(_, r)| present(r.state)) {
        if let Some((place, raw)) = world.written.redirections.get(address) {
            out.add(address, (Owner::Redirection(raw), place));
        }
    }
    for (address, _) in world.spec.groups.iter().filter(|(_, g)| present(g.state)) {
        if let Some((place, _)) = world.written.groups.get(address) {
            out.add(address, (Owner::Group, place));
        }
    }
    for (address, contact) in world.spec.contacts.iter().filter(|(_, c)| present(c.state)) {
        let same = world.spec.domains.get(address.domain()).is_some_and(|d| d.platform == contact.platform);
        if let (true, Some((place, _))) = (same, world.written.contacts.get(address)) {
            out.add(address, (Owner::Contact, place));
        }
    }
}

fn conflict(address: &Address, first: &Claim<'_>, other: &Claim<'_>) -> Option<Diagnostic> {
    let ((owner, place), (second, again)) = (first, other);
    if let (Owner::Account, Owner::Redirection(redirection)) = (owner, second) {
        return beside_a_mailbox(address, redirection, place, again);
    }
    let message = format!("`{address}` is claimed twice: as {} and as {}", owner.words(), second.words());
    Some(
        Diagnostic::error("spec::address-claimed-twice", message)
            .locate(again, format!("as {}", second.words()))
            .locate(place, format!("as {}", owner.words()))
            .help("an address belongs to one object; keep one of them"),
    )
}

/// A mailbox may forward its mail. Whether it keeps a copy must be said, because without one it stays empty.
fn beside_a_mailbox(address: &Address, redirection: &Redirection, place: &Place, again: &Place) -> Option<Diagnostic> {
    match redirection.keep_copy.as_ref().map(|k| k.value) {
        Some(true) => None,
        Some(false) => Some(
            Diagnostic::warning("spec::mailbox-gets-nothing", format!("the mailbox of `{address}` gets no new mail"))
                .locate(again, "all of it is redirected")
                .locate(place, "away from this mailbox"),
        ),
        None if redirection.broken.has("keep_copy") => None,
        None => Some(
            Diagnostic::error(
                "spec::address-claimed-twice",
                format!("`{address}` is claimed twice: as an account and as a redirection"),
            )
            .locate(again, "as a redirection")
            .locate(place, "as an account")
            .help(
                "if mail should go elsewhere and also stay in the mailbox, add `keep_copy: true`; if the mailbox \
                 should get nothing any more, `keep_copy: false`",
            ),
        ),
    }
}

/// An alias lives on the platform of its account.
fn aliases(world: &World<'_>, problems: &mut Diagnostics) {
    for entry in world.present() {
        let address = entry.address;
        for alias in entry.own.aliases.iter().flat_map(|list| &list.value.0) {
            let domain = alias.value.domain();
            if domain == address.domain() {
                continue;
            }
            if !world.written.has_domain(domain) {
                problems.push(
                    Diagnostic::error(
                        "spec::undeclared-domain",
                        format!("the alias `{}` is in the domain `{domain}`, which is not declared", alias.value),
                    )
                    .locate(&alias.place, "its domain is not under `domains`")
                    .help(world.nearest_domain(domain)),
                );
                continue;
            }
            let (home, there) = (entry.platform(), world.spec.platform_of(&alias.value));
            if let (Some(home), Some(there)) = (home, there)
                && home != there
            {
                problems.push(
                    Diagnostic::error(
                        "spec::alias-elsewhere",
                        format!("the alias `{}` is of a domain on `{there}`, its account is on `{home}`", alias.value),
                    )
                    .locate(&alias.place, format!("`{domain}` is on another platform"))
                    .help("an alias lives on the platform of its account; use a redirection instead"),
                );
            }
        }
    }
}
