//! Worlds drawn at random: what a valid spec can want of two platforms, and what can be there. They are small, so that
//! many can be asked, and every kind of object meets every other.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{collection::vec, option, prelude::*, sample::select, strategy::Strategy as Draws};
use rehome::{
    model::{
        Address, ContactView, CopyCounts, Delegation, DomainType, Footer, GroupJoin, GroupLeave, GroupSettings,
        GroupView, LoginView, MailboxState, ObjectState, PlatformKind, Profile, RedirectionView, Right, Verified,
    },
    provider::capabilities_of,
    spec::{
        ContactSpec, DomainSpec, FooterSpec, GroupSpec, Presence, RedirectionSpec, SourceFate, SourcePassword, Strategy,
    },
};

use super::world::{GB, World, a, d, domain_view, generate, mailbox, p};

/// The accounts that a world may have. The last is of the second domain.
const NAMES: [&str; 4] = ["ann@mydomain.ovh", "bob@mydomain.ovh", "cid@mydomain.ovh", "dan@second.example"];
/// Addresses that are aliases, redirections or groups.
const EXTRA: [&str; 4] = ["info", "sales", "team", "desk@second.example"];
/// Addresses outside.
const OUTSIDE: [&str; 2] = ["kim@partner.example", "lee@partner.example"];
pub const SECOND: &str = "second.example";

type Rights = Vec<(usize, usize)>;
type Looks = (Option<bool>, Option<usize>, Option<bool>);

/// What is drawn for one address.
#[derive(Clone, Debug)]
struct Draw {
    wanted: bool,
    absent: bool,
    protect: bool,
    skip: bool,
    /// Which of source, provisional, second provisional, target, target's provisional exist.
    exists: [bool; 5],
    password: bool,
    reset_source: bool,
    /// How far an earlier run came: passes, whether the last one took everything, whether that was proved.
    earlier: Option<(u32, bool, bool)>,
    aliases: [Option<usize>; 2],
    wished_alias: Option<Option<usize>>,
    rights: Option<Rights>,
    had_rights: Rights,
    looks: Looks,
    had_looks: Looks,
}

fn draw() -> impl Draws<Value = Draw> {
    let extra = || option::weighted(0.3, 0..EXTRA.len());
    let rights = || vec((0..NAMES.len(), 0usize..3), 0..3);
    let looks = || (option::of(any::<bool>()), option::of(1usize..3), option::of(any::<bool>()));
    let exists = prop_oneof![
        5 => Just([true, false, false, false, false]),
        2 => Just([false, true, false, false, false]),
        3 => Just([false, true, false, true, false]),
        1 => Just([true, false, false, false, true]),
        1 => Just([false, false, false, true, false]),
        2 => any::<[bool; 5]>(),
    ];
    let odds = prop::bool::weighted;
    let flags = (odds(0.85), odds(0.1), odds(0.1), odds(0.05), any::<bool>(), odds(0.3));
    let earlier = option::weighted(0.5, (1u32..3, odds(0.7), odds(0.7)));
    let aliases = ([extra(), extra()], option::of(extra()));
    let wishes = (option::of(rights()), rights(), looks(), looks());
    (flags, exists, earlier, aliases, wishes).prop_map(|(flags, exists, earlier, aliases, wishes)| Draw {
        wanted: flags.0,
        absent: flags.1,
        protect: flags.2,
        skip: flags.3,
        exists,
        password: flags.4,
        reset_source: flags.5,
        earlier,
        aliases: aliases.0,
        wished_alias: aliases.1,
        rights: wishes.0,
        had_rights: wishes.1,
        looks: wishes.2,
        had_looks: wishes.3,
    })
}

/// What is drawn for an address that is no account: a redirection or a group, on either side, in the spec, or both.
#[derive(Clone, Debug)]
struct Thing {
    kind: u8,
    wanted: Option<bool>,
    at: [bool; 2],
    members: BTreeSet<usize>,
    outside: Option<usize>,
    managers: Option<BTreeSet<usize>>,
    had: BTreeSet<usize>,
    settings: [(Option<bool>, Option<bool>, Option<bool>); 2],
}

fn thing() -> impl Draws<Value = Thing> {
    let people = || vec(0..NAMES.len(), 0..3).prop_map(|all| all.into_iter().collect::<BTreeSet<_>>());
    let setting = || (option::of(any::<bool>()), option::of(any::<bool>()), option::of(any::<bool>()));
    let wanted = option::weighted(0.8, prop::bool::weighted(0.8));
    let outside = option::weighted(0.4, 0..OUTSIDE.len());
    let members = (people(), outside, option::of(people()), people());
    (0u8..3, wanted, any::<[bool; 2]>(), members, [setting(), setting()]).prop_map(
        |(kind, wanted, at, (members, outside, managers, had), settings)| Thing {
            kind,
            wanted,
            at,
            members,
            outside,
            managers,
            had,
            settings,
        },
    )
}

/// What is drawn for a domain: whether and where it is in the spec, its type there, and what is to be seen of it.
#[derive(Clone, Debug)]
struct Place {
    role: u8,
    /// 0 says nothing, 1 authoritative, 2 not.
    kind: u8,
    relay: bool,
    footer: Option<bool>,
    had_footer: bool,
    on_target: bool,
    authoritative: bool,
    waiting: bool,
}

fn place() -> impl Draws<Value = Place> {
    let odds = prop::bool::weighted;
    let kind = prop_oneof![3 => Just(0u8), 1 => Just(1u8), 2 => Just(2u8)];
    let footer = (option::weighted(0.4, odds(0.7)), odds(0.3));
    (0u8..8, kind, any::<bool>(), footer, odds(0.7), any::<bool>(), odds(0.2)).prop_map(
        |(role, kind, relay, footer, on_target, authoritative, waiting)| Place {
            role,
            kind,
            relay,
            footer: footer.0,
            had_footer: footer.1,
            on_target,
            authoritative,
            waiting,
        },
    )
}

/// Every pair of platforms with every strategy that a spec may name for it.
pub fn pairs() -> Vec<(PlatformKind, PlatformKind, Strategy)> {
    use PlatformKind::{Imap, OvhEmailPro, OvhExchange, OvhMxplan, OvhMxplanLegacy, OvhZimbra};
    let ovh = [OvhExchange, OvhEmailPro, OvhMxplan, OvhMxplanLegacy, OvhZimbra];
    let renames = |kind: PlatformKind| capabilities_of(kind).rename;
    let mut out = Vec::new();
    for to in ovh {
        out.push((Imap, to, Strategy::Parallel));
        for from in ovh {
            out.extend(renames(from).then_some((from, to, Strategy::Swap)));
            out.extend(renames(to).then_some((from, to, Strategy::Stage)));
        }
    }
    out
}

type Contact = (Option<(bool, Looks)>, Option<Looks>);

pub fn worlds() -> impl Draws<Value = World> {
    let looks = || (option::of(any::<bool>()), option::of(1usize..3), option::of(any::<bool>()));
    let contact = (option::weighted(0.5, (prop::bool::weighted(0.7), looks())), option::weighted(0.4, looks()));
    let people = (vec(draw(), 1..=NAMES.len()), vec(thing(), 0..=EXTRA.len()), vec(contact, 0..=OUTSIDE.len()));
    (select(pairs()), people, [place(), place()], 0usize..6, any::<bool>()).prop_map(
        |(kinds, (accounts, things, contacts), places, slots, reset)| {
            let mut built = Builder::new(kinds, &places, slots, reset);
            accounts.iter().zip(NAMES).for_each(|(draw, name)| built.account(&a(name), draw));
            things.iter().zip(EXTRA).for_each(|(thing, name)| built.thing(&a(name), thing));
            contacts.iter().zip(OUTSIDE).for_each(|(contact, name)| built.contact(&a(name), contact));
            built.domains(&places);
            built.world
        },
    )
}

struct Builder {
    world: World,
    /// Addresses that somebody on a platform has. A world in which one is at two places is nobody's fault but its own.
    held: BTreeSet<Address>,
    /// Addresses that something of the spec claims.
    claimed: BTreeSet<Address>,
}

impl Builder {
    fn new(
        (from, to, strategy): (PlatformKind, PlatformKind, Strategy),
        places: &[Place; 2],
        slots: usize,
        reset: bool,
    ) -> Self {
        let mut world = World::moving(from, to, strategy);
        for (name, kind) in [("old", from), ("new", to)] {
            world.view(name).capabilities = capabilities_of(kind);
        }
        world.migrate().source = if reset && from != PlatformKind::Imap { SourceFate::Reset } else { SourceFate::Keep };
        world.view("new").slots.clear();
        (1..=slots).for_each(|n| world.slot(&format!("slot{n}@configureme.me"), None));
        let first = world.spec.domains[&d(super::world::DOMAIN)].clone();
        let imap = from == PlatformKind::Imap;
        let second = match places[1].role {
            0..=2 => None,
            3 | 4 => Some(first),
            5 => Some(DomainSpec { migrate: None, ..first }),
            6 if imap => None,
            6 => Some(DomainSpec { platform: p("old"), migrate: None, ..first }),
            _ => Some(DomainSpec { state: Presence::Absent, migrate: None, ..first }),
        };
        if let Some(second) = second {
            world.spec.domains.insert(d(SECOND), second);
        }
        Self { world, held: BTreeSet::new(), claimed: BTreeSet::new() }
    }

    /// The platform of a domain of the spec, and whether its accounts move there.
    fn home(&self, address: &Address) -> Option<(&'static str, bool)> {
        let spec = self.world.spec.domains.get(address.domain()).filter(|d| d.state == Presence::Present)?;
        Some((if spec.platform == p("old") { "old" } else { "new" }, spec.migrate.is_some()))
    }

    fn there(&mut self, side: &str, address: &Address, messages: u32, looks: Looks) -> bool {
        if !self.held.insert(address.clone()) {
            return false;
        }
        self.world.view(side).accounts.insert(address.clone(), super::world::account_view());
        self.world.view(side).accounts.get_mut(address).unwrap().profile = profile(looks);
        self.world.inventory.mailboxes.insert((p(side), address.clone()), mailbox(messages));
        true
    }

    fn account(&mut self, address: &Address, draw: &Draw) {
        let declared = self.world.spec.domains.contains_key(address.domain());
        if !declared {
            return;
        }
        let imap = self.world.view("old").kind == PlatformKind::Imap;
        let named = |tail: &str| a(&format!("{}{tail}@{}", address.local(), address.domain()));
        let names = [address.clone(), named("01"), named("0101"), address.clone(), named("01")];
        for (n, name) in names.iter().enumerate().filter(|(n, _)| draw.exists[*n]) {
            if n < 3 && imap {
                continue;
            }
            let side = if n < 3 { "old" } else { "new" };
            if self.there(side, name, 1 + n as u32, draw.had_looks) && side == "new" && draw.password {
                self.world.state.passwords.insert((p("new"), name.clone()));
            }
        }
        if imap {
            self.world.inventory.mailboxes.entry((p("old"), address.clone())).or_insert_with(|| mailbox(2));
        }
        self.had(address, draw);
        if draw.wanted {
            self.wish(address, draw);
        }
        self.earlier(&names, draw);
    }

    /// What accounts have beside their mail.
    fn had(&mut self, address: &Address, draw: &Draw) {
        for (side, alias) in ["old", "new"].into_iter().zip(draw.aliases) {
            let Some(alias) = alias.map(|n| a(EXTRA[n])) else { continue };
            let view = self.world.view(side);
            let can = view.capabilities.aliases && view.accounts.contains_key(address);
            if can && alias.domain() == address.domain() && self.held.insert(alias.clone()) {
                self.world.view(side).accounts.get_mut(address).unwrap().aliases.insert(alias);
            }
        }
        for side in ["old", "new"] {
            let view = self.world.view(side);
            let can = view.capabilities.delegations.clone();
            let all = rights(address, &draw.had_rights).into_iter();
            let all: BTreeSet<Delegation> =
                all.filter(|r| can.contains(&r.right) && view.accounts.contains_key(&r.to)).collect();
            if let Some(seen) = view.accounts.get_mut(address) {
                seen.delegations = all;
            }
        }
    }

    fn wish(&mut self, address: &Address, draw: &Draw) {
        let Some((home, migrates)) = self.home(address) else { return self.absent(address, draw.protect) };
        if draw.absent {
            return self.absent(address, draw.protect);
        }
        self.claimed.insert(address.clone());
        let imap = self.world.view("old").kind == PlatformKind::Imap;
        let limit = self.world.view(home).capabilities.mailbox_limit;
        let mut spec = super::world::account_spec(address.local());
        spec.profile = profile(draw.looks);
        spec.profile.quota_octets = spec.profile.quota_octets.filter(|q| limit.is_none_or(|limit| *q <= limit));
        spec.protect = draw.protect;
        spec.mail.skip = draw.skip;
        if draw.reset_source && migrates && !imap {
            let secret = generate(&format!("{}.old", address.local()));
            spec.mail.source_password = Some(SourcePassword::Reset(secret));
            self.closed(address);
        }
        let mine = |alias: &Address| alias.domain() == address.domain() && !self.claimed.contains(alias);
        spec.aliases = draw.wished_alias.map(|wish| wish.map(|n| a(EXTRA[n])).filter(mine).into_iter().collect());
        self.claimed.extend(spec.aliases.iter().flatten().cloned());
        // Rights are of one platform; an account that is to go has none.
        let homes: BTreeMap<Address, bool> =
            NAMES.iter().map(|n| (a(n), self.home(&a(n)).is_some_and(|(side, _)| side == home))).collect();
        let gone = |to: &Address| self.world.spec.accounts.get(to).is_some_and(|x| x.state == Presence::Absent);
        spec.delegates = draw
            .rights
            .as_ref()
            .map(|all| rights(address, all).into_iter().filter(|r| homes[&r.to] && !gone(&r.to)).collect());
        self.world.spec.accounts.insert(address.clone(), spec);
    }

    /// The password of the source is not known, so nobody has looked into it.
    fn closed(&mut self, address: &Address) {
        let local = address.local().to_owned();
        for ((platform, at), seen) in &mut self.world.inventory.mailboxes {
            if *platform == p("old") && at.domain() == address.domain() && at.local().starts_with(&local) {
                seen.login = LoginView::NotTried { reason: "there is no password yet".to_owned() };
            }
        }
    }

    fn absent(&mut self, address: &Address, protect: bool) {
        // What refers to it by an earlier draw would make the spec invalid.
        for other in self.world.spec.accounts.values_mut() {
            other.delegates.iter_mut().for_each(|all| all.retain(|r| r.to != *address));
        }
        if protect {
            self.world.state.protected.insert(address.clone());
        }
        let mut spec = super::world::account_spec(address.local());
        spec.state = Presence::Absent;
        spec.password = None;
        spec.mail.source_password = None;
        self.world.spec.accounts.insert(address.clone(), spec);
    }

    /// What the journal knows of an account whose move has begun.
    fn earlier(&mut self, names: &[Address; 5], draw: &Draw) {
        let Some((passes, complete, proved)) = draw.earlier else { return };
        let [address, ..] = names;
        if !self.home(address).is_some_and(|(_, migrates)| migrates) || !self.world.spec.accounts.contains_key(address)
        {
            return;
        }
        // Only `stage` moves a source past its provisional name.
        let stage = self.world.migrate().strategy == Strategy::Stage;
        let boxes = &self.world.inventory.mailboxes;
        let source = names[..if stage { 3 } else { 2 }]
            .iter()
            .rev()
            .map(|n| (p("old"), n.clone()))
            .find(|key| boxes.contains_key(key));
        let target = names[3..].iter().map(|n| (p("new"), n.clone())).find(|key| boxes.contains_key(key));
        let (Some(source), Some(target)) = (source, target) else { return };
        let seen = super::model::statuses(&self.world, &source.0, &source.1);
        let mut known = MailboxState { source: Some(source.clone()), passes, ..MailboxState::default() };
        known.counts = Some(CopyCounts::default());
        if complete {
            let folders = self.world.inventory.mailboxes[&source].folders.clone();
            self.world.inventory.mailboxes.get_mut(&target).unwrap().folders = folders;
            known.copied = seen.clone();
            let at = "2026-01-01T00:00:00Z".parse().unwrap();
            known.verified = proved.then_some(Verified { at, messages: 0, seen });
        }
        self.world.state.mailboxes.insert(address.clone(), known);
    }

    fn thing(&mut self, address: &Address, thing: &Thing) {
        let Some((home, _)) = self.home(address) else { return };
        match thing.kind {
            0 => self.redirection(address, thing, home),
            1 => self.group(address, thing, home),
            _ => self.forward(thing),
        }
    }

    fn people(&self, all: &BTreeSet<usize>) -> BTreeSet<Address> {
        let gone = |who: &Address| self.world.spec.accounts.get(who).is_some_and(|x| x.state == Presence::Absent);
        let known = |who: &Address| self.world.spec.domains.contains_key(who.domain());
        all.iter().map(|n| a(NAMES[*n])).filter(|who| known(who) && !gone(who)).collect()
    }

    fn redirection(&mut self, address: &Address, thing: &Thing, home: &'static str) {
        let mut to = self.people(&thing.members);
        to.extend(thing.outside.map(|n| a(OUTSIDE[n])));
        let other = if home == "old" { "new" } else { "old" };
        for (side, there) in [home, other].into_iter().zip(thing.at) {
            let can = self.world.view(side).capabilities.redirections;
            let any = can == rehome::model::RedirectSupport::Any;
            if there && any && self.held.insert(address.clone()) {
                let seen = RedirectionView { to: [a(OUTSIDE[0])].into(), keep_copy: false };
                self.world.view(side).redirections.insert(address.clone(), seen);
            }
        }
        let Some(present) = thing.wanted.filter(|present| !present || !to.is_empty()) else { return };
        if present && !self.claimed.insert(address.clone()) {
            return;
        }
        let (state, to) = if present { (Presence::Present, to) } else { (Presence::Absent, BTreeSet::new()) };
        self.world
            .spec
            .redirections
            .insert(address.clone(), RedirectionSpec { state, to, keep_copy: false, via: None });
    }

    /// An account that sends on what it gets, with or without keeping it.
    fn forward(&mut self, thing: &Thing) {
        let Some(from) = self.people(&thing.members).into_iter().find(|who| self.world.spec.accounts.contains_key(who))
        else {
            return;
        };
        let Some((home, _)) = self.home(&from) else { return };
        let view = self.world.view(home);
        let can = view.capabilities.redirections != rehome::model::RedirectSupport::None;
        if thing.at[0] && can && view.accounts.contains_key(&from) {
            let seen = RedirectionView { to: [a(OUTSIDE[0])].into(), keep_copy: thing.at[1] };
            view.redirections.insert(from.clone(), seen);
        }
        let Some(present) = thing.wanted else { return };
        let (state, to, keep_copy) = if present {
            (Presence::Present, [a(OUTSIDE[thing.outside.unwrap_or(1)])].into(), thing.at[1])
        } else {
            (Presence::Absent, BTreeSet::new(), false)
        };
        self.world.spec.redirections.insert(from, RedirectionSpec { state, to, keep_copy, via: None });
    }

    fn group(&mut self, address: &Address, thing: &Thing, home: &'static str) {
        let mut members = self.people(&thing.members);
        members.extend(thing.outside.map(|n| a(OUTSIDE[n])));
        let [wish, seen] = thing.settings.map(settings);
        let other = if home == "old" { "new" } else { "old" };
        for (side, there) in [home, other].into_iter().zip(thing.at) {
            let view = self.world.view(side);
            if there
                && view.capabilities.groups != rehome::model::GroupSupport::None
                && self.held.insert(address.clone())
            {
                let had = |n: &usize| view.accounts.contains_key(&a(NAMES[*n])).then(|| a(NAMES[*n]));
                let people: BTreeSet<Address> = thing.had.iter().filter_map(had).collect();
                let made = GroupView {
                    settings: seen.clone(),
                    members: people.clone(),
                    managers: people,
                    state: ObjectState::Ok,
                };
                view.groups.insert(address.clone(), made);
            }
        }
        let Some(present) = thing.wanted else { return };
        if present && !self.claimed.insert(address.clone()) {
            return;
        }
        let managers = thing.managers.as_ref().map(|all| self.people(all));
        let spec = if present {
            GroupSpec { state: Presence::Present, settings: wish, members: Some(members), managers, via: None }
        } else {
            let settings = GroupSettings::default();
            GroupSpec { state: Presence::Absent, settings, members: None, managers: None, via: None }
        };
        self.world.spec.groups.insert(address.clone(), spec);
    }

    fn contact(&mut self, address: &Address, (wish, seen): &Contact) {
        let can = self.world.view("new").capabilities.contacts;
        if let Some(looks) = seen.filter(|_| can) {
            self.world.view("new").contacts.insert(address.clone(), fields(looks));
        }
        if let Some((present, looks)) = wish {
            // A contact that a group has as a member is not to go.
            let listed = |group: &GroupSpec| group.members.as_ref().is_some_and(|all| all.contains(address));
            let present = *present || self.world.spec.groups.values().any(listed);
            let (state, fields) =
                if present { (Presence::Present, fields(*looks)) } else { (Presence::Absent, ContactView::default()) };
            let spec = ContactSpec { state, fields, platform: p("new") };
            self.world.spec.contacts.insert(address.clone(), spec);
        }
    }

    /// Last: what the domains are, here and there.
    fn domains(&mut self, places: &[Place; 2]) {
        for (domain, place) in [d(super::world::DOMAIN), d(SECOND)].into_iter().zip(places) {
            let Some(spec) = self.world.spec.domains.get_mut(&domain) else { continue };
            if spec.state == Presence::Present {
                spec.kind =
                    [None, Some(DomainType::Authoritative), Some(DomainType::NonAuthoritative)][place.kind as usize];
                spec.mx_relay = (place.kind == 2 && place.relay).then(|| "relay.example".to_owned());
                let footer = Footer { html: "<p>We</p>".to_owned(), outside_only: false };
                let wish = |present| if present { FooterSpec::Present(footer) } else { FooterSpec::Absent };
                spec.footer = place.footer.map(wish);
            }
            for side in ["old", "new"] {
                self.seen_domain(&domain, side, place);
            }
        }
    }

    fn seen_domain(&mut self, domain: &rehome::model::Domain, side: &str, place: &Place) {
        let second = domain.as_str() == SECOND;
        let view = self.world.view(side);
        let used = view.accounts.keys().chain(view.redirections.keys()).chain(view.groups.keys());
        let used = used.filter(|address| address.domain() == domain).count() > 0;
        let can = &view.capabilities;
        if view.kind == PlatformKind::Imap {
            return;
        }
        if side == "new" && !place.on_target && !used && can.domains {
            view.domains.remove(domain);
            return;
        }
        let kind = match (can.domain_type, side == "old" && place.authoritative) {
            (false, _) => None,
            (true, true) => Some(DomainType::Authoritative),
            (true, false) => Some(DomainType::NonAuthoritative),
        };
        let mut seen = domain_view(kind);
        let footer = Footer { html: "<p>Old</p>".to_owned(), outside_only: true };
        seen.footer = (place.had_footer && can.footers).then_some(footer);
        if side == "new" && place.waiting {
            seen.state = ObjectState::Waiting;
        }
        if !second || used || can.domains {
            view.domains.insert(domain.clone(), seen);
        }
    }
}

fn profile((name, quota, hidden): Looks) -> Profile {
    let name = name.map(|x| if x { "Ann" } else { "Old name" }.to_owned());
    let last_name = hidden.map(|x| if x { "Miller" } else { "Baker" }.to_owned());
    Profile { display_name: name, last_name, quota_octets: quota.map(|n| n as u64 * GB), hidden, first_name: None }
}

fn fields((name, _, hidden): Looks) -> ContactView {
    let name = name.map(|x| if x { "Kim" } else { "Old name" }.to_owned());
    ContactView { display_name: name, hidden, ..ContactView::default() }
}

fn settings((name, closed, hidden): (Option<bool>, Option<bool>, Option<bool>)) -> GroupSettings {
    GroupSettings {
        display_name: name.map(|x| if x { "Team" } else { "Old name" }.to_owned()),
        members_only: closed,
        join: closed.map(|x| if x { GroupJoin::Closed } else { GroupJoin::Open }),
        leave: hidden.map(|x| if x { GroupLeave::Closed } else { GroupLeave::Open }),
        hidden,
        max_receive_mb: None,
    }
}

/// Two rights of one pair exclude each other, so the first of them counts.
fn rights(of: &Address, all: &Rights) -> BTreeSet<Delegation> {
    let right = |n: usize| [Right::FullAccess, Right::SendAs, Right::SendOnBehalf][n];
    let mut out: BTreeSet<Delegation> = BTreeSet::new();
    for (who, n) in all.iter().filter(|(who, _)| a(NAMES[*who]) != *of) {
        let to = a(NAMES[*who]);
        let sends = out.iter().any(|r| r.to == to && r.right != Right::FullAccess);
        if *n == 0 || !sends {
            out.insert(Delegation { to, right: right(*n) });
        }
    }
    out
}
