//! What the planner looks things up in: spec, inventory and state with the indexes that keep planning near-linear.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use crate::{
    hands::{self, MANY},
    index::{Index, Met},
    model::{
        AccountView, Address, Domain, Gap, Inventory, LoginView, MailboxView, ObjectClass, PlatformId, PlatformKind,
        PlatformView, SharedKind, State,
    },
    spec::{AccountSpec, DomainSpec, MigrateSpec, Presence, Spec},
};

/// The three inputs and what is indexed of them.
pub(super) struct World<'a> {
    pub(super) spec: &'a Spec,
    pub(super) inventory: &'a Inventory,
    pub(super) state: &'a State,
    /// The accounts of the spec.
    accounts: Index<&'a Address, &'a AccountSpec>,
    /// The domains of the spec.
    domains: Index<&'a Domain, &'a DomainSpec>,
    /// The name of each platform in a sentence.
    titles: Index<&'a PlatformId, String>,
    /// The accounts that are there.
    views: BTreeMap<&'a PlatformId, Index<&'a Address, &'a AccountView>>,
    /// Who has an address now, on platforms that share their routing.
    holders: Index<&'a Address, Vec<Holder<'a>>>,
    /// Which account of the spec takes which provisional name; the first in order wins.
    provisional: Index<Address, &'a Address>,
    /// Every alias that the spec wants.
    aliases: Met<&'a Address>,
    /// Accounts of the spec by the address of their source, where the spec says one.
    source_addresses: Index<(&'a PlatformId, &'a Address), &'a Address>,
    gaps: BTreeMap<(&'a PlatformId, ObjectClass), BTreeMap<String, &'a Gap>>,
    mailboxes: Index<(&'a PlatformId, &'a Address), &'a MailboxView>,
}

/// Somebody who has an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Holder<'a> {
    pub(super) platform: &'a PlatformId,
    pub(super) what: Held<'a>,
}

/// As what an address is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held<'a> {
    Account,
    Alias(&'a Address),
    Redirection(&'a BTreeSet<Address>),
    Group,
    Shared(SharedKind),
}

/// Whether an account is there.
#[derive(Clone, Copy, Debug)]
pub(super) enum Seen<'a> {
    /// It is.
    Here(&'a AccountView),
    /// The platform has no control plane; what the spec says is taken for true.
    Assumed,
    /// It is not.
    Absent,
    /// The listing is incomplete, so nobody can say.
    Unknown,
}

impl<'a> Seen<'a> {
    pub(super) fn is_here(self) -> bool {
        matches!(self, Self::Here(_) | Self::Assumed)
    }

    pub(super) fn view(self) -> Option<&'a AccountView> {
        match self {
            Self::Here(view) => Some(view),
            Self::Assumed | Self::Absent | Self::Unknown => None,
        }
    }
}

impl<'a> World<'a> {
    pub(super) fn new(spec: &'a Spec, inventory: &'a Inventory, state: &'a State) -> Self {
        let index = || Self::index(spec, inventory, state);
        let (mut world, holders) = hands::both(spec.accounts.len() >= MANY, index, || holders(inventory));
        world.holders = holders;
        world
    }

    /// All but who has an address.
    fn index(spec: &'a Spec, inventory: &'a Inventory, state: &'a State) -> Self {
        let domains: Index<_, _> = spec.domains.iter().collect();
        let mut provisional = Index::default();
        let mut source_addresses = Index::default();
        for (address, account) in &spec.accounts {
            let domain: Option<&&DomainSpec> = domains.get(address.domain());
            let Some(migrate) = domain.and_then(|d| account.migration(d)) else { continue };
            if let Ok(name) = migrate.provisional_address(address) {
                provisional.entry(name).or_insert(address);
            }
            if let Some(source) = &account.mail.source_address {
                source_addresses.entry((&migrate.from, source)).or_insert(address);
            }
        }
        Self {
            spec,
            inventory,
            state,
            accounts: spec.accounts.iter().collect(),
            domains,
            titles: titles(spec, inventory),
            views: inventory.platforms.iter().map(|(id, view)| (id, view.accounts.iter().collect())).collect(),
            holders: Index::default(),
            provisional,
            aliases: wanted_aliases(spec),
            source_addresses,
            gaps: gaps(inventory),
            mailboxes: inventory.mailboxes.iter().map(|((p, a), view)| ((p, a), view)).collect(),
        }
    }

    pub(super) fn platform(&self, id: &PlatformId) -> Option<&'a PlatformView> {
        self.inventory.platforms.get(id)
    }

    pub(super) fn kind(&self, id: &PlatformId) -> Option<PlatformKind> {
        self.platform(id).map(|p| p.kind).or_else(|| self.spec.platforms.get(id).map(|p| p.kind))
    }

    /// The name of a platform in a sentence.
    pub(super) fn title(&self, id: &PlatformId) -> Cow<'_, str> {
        match self.titles.get(id) {
            Some(title) => title.into(),
            None => format!("`{id}`").into(),
        }
    }

    /// Whether an address can exist only once across both platforms.
    pub(super) fn shares_routing(&self, one: &PlatformId, other: &PlatformId) -> bool {
        match (self.kind(one), self.kind(other)) {
            (Some(a), Some(b)) => a.shares_routing_with(b),
            _ => false,
        }
    }

    /// Whether the platform has a control plane.
    pub(super) fn is_managed(&self, id: &PlatformId) -> bool {
        self.kind(id).is_some_and(|k| k != PlatformKind::Imap)
    }

    /// Whether, and why, the listing of a class (or this object's part of it) is incomplete.
    pub(super) fn gap(&self, platform: &PlatformId, class: ObjectClass, subject: &str) -> Option<&'a Gap> {
        let of = |class| {
            let gaps = self.gaps.get(&(platform, class))?;
            gaps.get("").or_else(|| gaps.get(&subject.to_ascii_lowercase())).copied()
        };
        of(class).or_else(|| of(ObjectClass::Service))
    }

    /// Why a class could not be listed completely: the whole of it, or the first object.
    pub(super) fn gap_reason(&self, platform: &PlatformId, class: ObjectClass) -> Option<&'a str> {
        let first = |class| self.gaps.get(&(platform, class))?.values().next().map(|gap| gap.reason.as_str());
        first(class).or_else(|| first(ObjectClass::Service))
    }

    pub(super) fn account(&self, platform: &PlatformId, address: &Address) -> Seen<'a> {
        if self.kind(platform) == Some(PlatformKind::Imap) {
            return Seen::Assumed;
        }
        let Some(accounts) = self.views.get(platform) else { return Seen::Unknown };
        match accounts.get(address) {
            Some(account) => Seen::Here(account),
            None if self.gap(platform, ObjectClass::Account, address.identity()).is_some() => Seen::Unknown,
            None => Seen::Absent,
        }
    }

    /// The mailbox as it was looked into, whatever came of it.
    pub(super) fn mailbox(&self, platform: &PlatformId, address: &Address) -> Option<&'a MailboxView> {
        self.mailboxes.get(&(platform, address)).copied()
    }

    /// The mailbox, if somebody could look into it.
    pub(super) fn open_mailbox(&self, platform: &PlatformId, address: &Address) -> Option<&'a MailboxView> {
        self.mailbox(platform, address).filter(|m| m.login == LoginView::Accepted)
    }

    pub(super) fn holders(&self, address: &Address) -> &[Holder<'a>] {
        self.holders.get(address).map_or(&[], Vec::as_slice)
    }

    /// The account of the spec that takes this provisional name.
    pub(super) fn provisional_owner(&self, name: &Address) -> Option<&'a Address> {
        self.provisional.get(name).copied()
    }

    /// What the spec says of an account.
    pub(super) fn wish(&self, address: &Address) -> Option<&'a AccountSpec> {
        self.accounts.get(address).copied()
    }

    /// What the spec says of a domain.
    pub(super) fn domain(&self, domain: &Domain) -> Option<&'a DomainSpec> {
        self.domains.get(domain).copied()
    }

    /// The platform that an address of the spec should be on.
    pub(super) fn platform_of(&self, address: &Address) -> Option<&'a PlatformId> {
        self.domain(address.domain()).map(|d| &d.platform)
    }

    /// Whether the spec wants an account of this address.
    pub(super) fn wants_account(&self, address: &Address) -> bool {
        self.wish(address).is_some_and(|a| a.state == Presence::Present)
    }

    /// The account of the spec whose mail an account of a platform holds: under its own name, its provisional one, the
    /// one a source may take in `stage`, or the one that the spec names.
    pub(super) fn source_owner(&self, platform: &PlatformId, address: &Address) -> Option<&'a Address> {
        if let Some(owner) = self.source_addresses.get(&(platform, address)) {
            return Some(owner);
        }
        let from_here = |owner: &&'a Address| self.migration(owner).is_some_and(|m| &m.from == platform);
        if let Some((key, _)) = self.accounts.get_key_value(address).filter(|(k, _)| from_here(k)) {
            return Some(key);
        }
        if let Some(owner) = self.provisional.get(address).copied().filter(from_here) {
            return Some(owner);
        }
        self.second_owner(platform, address)
    }

    fn second_owner(&self, platform: &PlatformId, address: &Address) -> Option<&'a Address> {
        let migrate = self.domain(address.domain())?.migrate.as_ref()?;
        let (head, tail) = migrate.provisional.split_once("{local}")?;
        let strip = |local: &str| Some(local.strip_prefix(head)?.strip_suffix(tail)?.to_owned());
        let once = strip(address.local())?;
        let owner = Address::new(&strip(&once)?, address.domain().clone()).ok()?;
        let (&key, _) = self.accounts.get_key_value(&owner)?;
        self.migration(key).filter(|m| &m.from == platform).map(|_| key)
    }

    pub(super) fn migration(&self, address: &Address) -> Option<&'a MigrateSpec> {
        self.wish(address)?.migration(self.domain(address.domain())?)
    }

    /// Whether an account of the spec should have an address as an alias.
    pub(super) fn wants_alias(&self, address: &Address) -> bool {
        self.aliases.contains(address)
    }

    /// Whether an account must never be reset or deleted.
    pub(super) fn is_protected(&self, address: &Address) -> bool {
        self.state.protected.contains(address) || self.wish(address).is_some_and(|a| a.protect)
    }

    /// Domains whose accounts move, with where they move from and to.
    pub(super) fn migrations(&self) -> impl Iterator<Item = (&'a Domain, &'a MigrateSpec, &'a PlatformId)> + use<'a> {
        let present = self.spec.domains.iter().filter(|(_, d)| d.state == Presence::Present);
        present.filter_map(|(name, d)| Some((name, d.migrate.as_ref()?, &d.platform)))
    }
}

fn titles<'a>(spec: &'a Spec, inventory: &'a Inventory) -> Index<&'a PlatformId, String> {
    let title = |(id, kind): (&'a PlatformId, PlatformKind)| match kind.title() {
        title if title.eq_ignore_ascii_case(id.as_str()) => (id, title.to_owned()),
        title => (id, format!("{title} `{id}`")),
    };
    // What is there counts, and comes last.
    let written = spec.platforms.iter().map(|(id, spec)| (id, spec.kind));
    written.chain(inventory.platforms.iter().map(|(id, view)| (id, view.kind))).map(title).collect()
}

fn wanted_aliases(spec: &Spec) -> Met<&Address> {
    let present = spec.accounts.values().filter(|a| a.state == Presence::Present);
    present.filter_map(|a| a.aliases.as_ref()).flatten().collect()
}

fn holders(inventory: &Inventory) -> Index<&Address, Vec<Holder<'_>>> {
    let mut out: Index<&Address, Vec<Holder<'_>>> = Index::default();
    for (platform, view) in inventory.platforms.iter().filter(|(_, v)| v.kind != PlatformKind::Imap) {
        let mut hold = |address, what| {
            let all: &mut Vec<_> = out.entry(address).or_default();
            // Hardly any address has more than one holder.
            all.reserve_exact(1);
            all.push(Holder { platform, what });
        };
        for (address, account) in &view.accounts {
            hold(address, Held::Account);
            for alias in &account.aliases {
                hold(alias, Held::Alias(address));
            }
        }
        for (address, redirection) in &view.redirections {
            // Beside an account a redirection is a forward of that account, not a second owner.
            if !redirection.keep_copy && !view.accounts.contains_key(address) {
                hold(address, Held::Redirection(&redirection.to));
            }
        }
        for address in view.groups.keys() {
            hold(address, Held::Group);
        }
        for (address, shared) in &view.shared {
            for address in std::iter::once(address).chain(&shared.aliases) {
                hold(address, Held::Shared(shared.kind));
            }
        }
    }
    out
}

fn gaps(inventory: &Inventory) -> BTreeMap<(&PlatformId, ObjectClass), BTreeMap<String, &Gap>> {
    let mut out: BTreeMap<_, BTreeMap<String, &Gap>> = BTreeMap::new();
    for (platform, view) in &inventory.platforms {
        for gap in &view.gaps {
            let by_subject = out.entry((platform, gap.class)).or_default();
            // The smallest, so that the order of the gaps does not matter.
            let kept = by_subject.entry(gap.subject.to_ascii_lowercase()).or_insert(gap);
            *kept = (*kept).min(gap);
        }
    }
    out
}

/// Every domain that is the spec's own; whatever is elsewhere is outside.
pub(super) fn own_domains(spec: &Spec) -> BTreeSet<&Domain> {
    let provisional =
        spec.domains.values().filter_map(|d| d.migrate.as_ref()).filter_map(|m| m.provisional_domain.as_ref());
    spec.domains.keys().chain(provisional).collect()
}
