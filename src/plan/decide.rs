//! What becomes of each account: the decision tables of the strategies, over what is observed on both sides.

use std::collections::BTreeMap;

use crate::{
    hands::{self, MANY},
    index::Index,
    model::{AccountView, ActionId, Address, NoteKind, ObjectClass, PlatformId, SlotId, text},
    spec::{AccountSpec, MigrateSpec, Presence, SourceFate, Strategy},
};

use super::{
    checks, claims,
    domains::Gates,
    draft::{Block, Draft},
    mail::{self, Need},
    renamed::Gone,
    slots::{self, NoSlot},
    victims,
    world::{Seen, World},
};

/// What is to be done for one account. The fields are independent steps; the emission puts them in order.
pub(super) struct Case<'a> {
    pub(super) address: &'a Address,
    pub(super) account: &'a AccountSpec,
    pub(super) target: &'a PlatformId,
    /// The target's account, under whichever name it is there.
    pub(super) seen: Option<&'a AccountView>,
    /// `swap`: the source account is renamed.
    pub(super) park: Option<(Address, Address)>,
    /// The target account is made under this name.
    pub(super) create: Option<Address>,
    /// `stage`: the target account is moved into place at the end.
    pub(super) stage: Option<Stage>,
    pub(super) source: Option<Source<'a>>,
    pub(super) slot: Option<SlotId>,
    pub(super) need: Need,
}

/// The end of `stage`.
pub(super) struct Stage {
    /// The target's name until then.
    pub(super) name: Address,
    /// How the source gives the address up; `None` when it need not.
    pub(super) free: Option<Free>,
}

/// How a source gives an address up.
pub(super) enum Free {
    Rename { from: Address, to: Address },
    Reset { address: Address },
}

/// Where the mail of an account is.
pub(super) struct Source<'a> {
    pub(super) platform: &'a PlatformId,
    pub(super) migrate: &'a MigrateSpec,
    pub(super) view: Option<&'a AccountView>,
    /// Its address now.
    pub(super) now: Address,
    /// Its address once the plan is done; `None` when the plan deletes it.
    pub(super) later: Option<Address>,
}

impl Case<'_> {
    fn settled<'a>(address: &'a Address, account: &'a AccountSpec, target: &'a PlatformId) -> Case<'a> {
        Case {
            address,
            account,
            target,
            seen: None,
            park: None,
            create: None,
            stage: None,
            source: None,
            slot: None,
            need: Need::Nothing,
        }
    }

    /// Whether the control plane changes for the account itself.
    pub(super) fn moves(&self) -> bool {
        self.park.is_some() || self.create.is_some() || self.stage.is_some()
    }

    /// The target's name while mail is first copied.
    pub(super) fn working_name(&self) -> &Address {
        self.stage.as_ref().map_or(self.address, |s| &s.name)
    }

    /// The source's name while mail is first copied.
    pub(super) fn source_name(&self) -> Option<&Address> {
        match &self.park {
            Some((_, to)) => Some(to),
            None => self.source.as_ref().map(|s| &s.now),
        }
    }
}

/// All accounts that something can be done for.
pub(super) struct Cases<'a> {
    pub(super) list: Vec<Case<'a>>,
    /// By platform and address now: the new address and the action that renames.
    renames: Index<(PlatformId, Address), (Address, ActionId)>,
}

impl Cases<'_> {
    pub(super) fn rename_of(&self, platform: &PlatformId, address: &Address) -> Option<&(Address, ActionId)> {
        self.renames.get(&(platform.clone(), address.clone()))
    }
}

/// Decides all accounts; what cannot be planned becomes notes of the draft.
pub(super) fn decide<'a>(world: &World<'a>, gates: &Gates<'a>, draft: &mut Draft) -> Cases<'a> {
    let gone = Gone::look(world);
    let wanted = world.spec.accounts.iter().filter(|(_, account)| account.state != Presence::Absent);
    let placed = wanted.filter_map(|(address, account)| Some((address, account, world.platform_of(address)?)));
    let judge = |(address, account, target)| (address, judged(world, gates, &gone, (address, account, target)));
    let mut list = Vec::new();
    for (address, verdict) in hands::map(placed.collect(), MANY, judge) {
        match verdict {
            Ok((case, notes)) => {
                notes.into_iter().for_each(|note| draft.tell(&address.key(), note));
                victims::tell(world, &case, draft);
                list.push(case);
            }
            Err(blocks) => draft.block(&address.key(), blocks),
        }
    }
    give_slots(world, &mut list, draft);
    within_limits(world, &mut list, draft);
    let renames = list.iter().filter_map(rename).collect();
    Cases { list, renames }
}

/// What is to be done for one account and what is to be said of it, or all that stands against it.
fn judged<'a>(
    world: &World<'a>,
    gates: &Gates<'a>,
    gone: &Gone<'a>,
    (address, account, target): (&'a Address, &'a AccountSpec, &'a PlatformId),
) -> Result<(Case<'a>, Vec<Block>), Vec<Block>> {
    let (case, notes) = case(world, address, account, target).map_err(|block| vec![block])?;
    let mut blocks = checks::preflight(world, gates, &case);
    blocks.extend(gone.block(world, &case));
    if blocks.is_empty() { Ok((case, notes)) } else { Err(blocks) }
}

fn rename(case: &Case<'_>) -> Option<((PlatformId, Address), (Address, ActionId))> {
    let source = case.source.as_ref()?;
    let freed = match case.stage.as_ref().and_then(|s| s.free.as_ref()) {
        Some(Free::Rename { from, to }) => Some((from, to)),
        Some(Free::Reset { .. }) | None => None,
    };
    let (from, to) = case.park.as_ref().map(|(from, to)| (from, to)).or(freed)?;
    let id = ActionId(text!("account.rename:{}/{}", source.platform, from.identity()));
    Some(((source.platform.clone(), from.clone()), (to.clone(), id)))
}

type Decided<'a> = Result<(Case<'a>, Vec<Block>), Block>;

fn case<'a>(world: &World<'a>, address: &'a Address, account: &'a AccountSpec, target: &'a PlatformId) -> Decided<'a> {
    let at_target = world.account(target, address);
    if matches!(at_target, Seen::Unknown) {
        return Err(unreadable(world, target));
    }
    let mut case = Case::settled(address, account, target);
    case.seen = at_target.view();
    let Some(migrate) = world.migration(address) else {
        case.create = (!at_target.is_here()).then(|| address.clone());
        return Ok((case, Vec::new()));
    };
    let sides = Sides::look(world, &case, migrate)?;
    let mut notes = match migrate.strategy {
        Strategy::Swap => swap(world, &mut case, &sides)?,
        Strategy::Stage => stage(world, &mut case, &sides)?,
        Strategy::Parallel => parallel(world, &mut case, &sides)?,
    };
    case.need = mail::need(world, &case);
    let verified = world.state.mailboxes.get(address).is_some_and(|m| m.verified.is_some());
    if case.source.is_none() && !verified {
        notes.push(no_source(world, &sides));
    }
    Ok((case, notes))
}

fn unreadable(world: &World<'_>, platform: &PlatformId) -> Block {
    if world.platform(platform).is_some() {
        return claims::incomplete(world, platform, ObjectClass::Account);
    }
    Block::of(
        platform.as_str(),
        "platform-unreachable",
        format!("{} could not be read", world.title(platform)),
        "check credentials and network with `rehome doctor` and plan again",
    )
}

/// Both sides of one migrating account.
struct Sides<'a> {
    migrate: &'a MigrateSpec,
    /// The source's own address.
    origin: Address,
    provisional: Address,
    shared: bool,
    /// Whether the source can rename.
    renames: bool,
    at_origin: Seen<'a>,
    at_provisional: Seen<'a>,
}

impl<'a> Sides<'a> {
    fn look(world: &World<'a>, case: &Case<'a>, migrate: &'a MigrateSpec) -> Result<Self, Block> {
        let provisional = migrate.provisional_address(case.address).map_err(|e| {
            Block::own(
                "provisional-invalid",
                format!("the provisional name is not usable: {e}"),
                "change the `provisional:` pattern of the domain",
            )
        })?;
        let origin = case.account.mail.source_address.clone().unwrap_or_else(|| case.address.clone());
        let at_origin = world.account(&migrate.from, &origin);
        // Where nothing can be renamed, an account of that name is somebody else's.
        let renames = world.platform(&migrate.from).is_some_and(|v| v.capabilities.rename);
        let at_provisional = match at_origin {
            Seen::Here(_) | Seen::Absent | Seen::Unknown if renames => world.account(&migrate.from, &provisional),
            Seen::Here(_) | Seen::Absent | Seen::Unknown | Seen::Assumed => Seen::Absent,
        };
        if matches!(at_origin, Seen::Unknown) || matches!(at_provisional, Seen::Unknown) {
            return Err(unreadable(world, &migrate.from));
        }
        let shared = world.shares_routing(&migrate.from, case.target);
        Ok(Self { migrate, origin, provisional, shared, renames, at_origin, at_provisional })
    }

    fn source(&self, seen: Seen<'a>, now: &Address, later: Option<Address>) -> Source<'a> {
        Source { platform: &self.migrate.from, migrate: self.migrate, view: seen.view(), now: now.clone(), later }
    }

    /// The source where it stands, not moved by this plan.
    fn standing(&self) -> Option<Source<'a>> {
        let at = |seen: Seen<'a>, name: &Address| seen.is_here().then(|| self.source(seen, name, Some(name.clone())));
        at(self.at_origin, &self.origin).or_else(|| at(self.at_provisional, &self.provisional))
    }

    /// Whether the address that the target needs is where the source still has it.
    fn in_the_way(&self, address: &Address) -> bool {
        self.shared && self.at_origin.is_here() && &self.origin == address
    }
}

fn swap<'a>(world: &World<'a>, case: &mut Case<'a>, sides: &Sides<'a>) -> Result<Vec<Block>, Block> {
    if !sides.shared {
        return Err(wrong_strategy(world, case, sides, "swap-needs-shared-routing"));
    }
    let target = world.account(case.target, case.address);
    let origin_wanted = world.wants_account(&sides.origin);
    if sides.at_origin.is_here() && origin_wanted {
        if target.is_here() && sides.origin == *case.address {
            return Err(both_sides(world, case, sides));
        }
        if sides.at_provisional.is_here() {
            return Err(both_names(world, sides));
        }
        claims::provisional_free(world, &sides.provisional, &sides.migrate.from, case.address)?;
        case.park = Some((sides.origin.clone(), sides.provisional.clone()));
        case.source = Some(sides.source(sides.at_origin, &sides.origin, Some(sides.provisional.clone())));
    } else {
        case.source = sides.standing();
    }
    case.create = (!target.is_here()).then(|| case.address.clone());
    Ok(found_by_name(world, case, sides))
}

/// Says that the source is taken for one by its name alone.
fn found_by_name(world: &World<'_>, case: &Case<'_>, sides: &Sides<'_>) -> Vec<Block> {
    let by_its_name = case.source.as_ref().is_some_and(|s| s.now == sides.provisional);
    let known = world.state.mailboxes.contains_key(case.address);
    if by_its_name && !known { vec![by_name(world, sides)] } else { Vec::new() }
}

fn parallel<'a>(world: &World<'a>, case: &mut Case<'a>, sides: &Sides<'a>) -> Result<Vec<Block>, Block> {
    let target = world.account(case.target, case.address);
    if sides.in_the_way(case.address) {
        if target.is_here() {
            return Err(both_sides(world, case, sides));
        }
        return Err(wrong_strategy(world, case, sides, "parallel-needs-separate-routing"));
    }
    case.source = sides.standing();
    case.create = (!target.is_here()).then(|| case.address.clone());
    Ok(Vec::new())
}

fn stage<'a>(world: &World<'a>, case: &mut Case<'a>, sides: &Sides<'a>) -> Result<Vec<Block>, Block> {
    let second = sides.renames.then(|| sides.migrate.provisional_address(&sides.provisional).ok()).flatten();
    let at_second = second.as_ref().map_or(Seen::Absent, |s| world.account(&sides.migrate.from, s));
    let second_is_its = second.as_ref().map_or(Ok(false), |s| is_parked(world, case, sides, (s, at_second)))?;
    let parked = || {
        let name = second.as_ref().filter(|_| second_is_its)?;
        Some(sides.source(at_second, name, Some(name.clone())))
    };
    if world.account(case.target, case.address).is_here() {
        if sides.in_the_way(case.address) {
            return Err(both_sides(world, case, sides));
        }
        let origin = sides.at_origin.is_here().then(|| sides.standing()).flatten();
        // Whoever has the provisional name once the mailbox was moved is somebody else, unless it was moved from there.
        let standing = Some((sides.migrate.from.clone(), sides.provisional.clone()));
        let moved = world.state.mailboxes.get(case.address).is_some_and(|known| known.source != standing);
        case.source = origin.or_else(parked).or_else(|| sides.standing().filter(|_| !moved));
        return Ok(found_by_name(world, case, sides));
    }
    let staged = world.account(case.target, &sides.provisional);
    case.source = sides.at_origin.is_here().then(|| sides.standing()).flatten().or_else(parked);
    if case.source.is_none() && !staged.is_here() {
        // Nobody has the address. A source that has its provisional name already keeps it, as in `swap`.
        case.source = sides.standing();
        case.create = Some(case.address.clone());
        return Ok(found_by_name(world, case, sides));
    }
    staged_name(world, case, sides, staged)?;
    let free = match &mut case.source {
        Some(source) if sides.in_the_way(case.address) => Some(free(world, sides, source, second)?),
        _ => None,
    };
    case.stage = Some(Stage { name: sides.provisional.clone(), free });
    Ok(Vec::new())
}

/// Whether the account of the second provisional name on the source is the one whose mail moves: where the first one is
/// there too, only the journal knows which of them that is.
fn is_parked(
    world: &World<'_>,
    case: &Case<'_>,
    sides: &Sides<'_>,
    (second, seen): (&Address, Seen<'_>),
) -> Result<bool, Block> {
    if sides.at_origin.is_here() {
        return Ok(false);
    }
    if matches!(seen, Seen::Unknown) {
        return Err(unreadable(world, &sides.migrate.from));
    }
    if !seen.is_here() || !sides.at_provisional.is_here() {
        return Ok(seen.is_here());
    }
    let copied_from = world.state.mailboxes.get(case.address).and_then(|known| known.source.as_ref());
    match copied_from.filter(|(platform, _)| *platform == sides.migrate.from) {
        Some((_, name)) if name == second => Ok(true),
        Some((_, name)) if *name == sides.provisional => Ok(false),
        Some(_) | None => Err(both_provisional_names(world, case, sides, second)),
    }
}

/// Whether the target's provisional name is free, or is an account that this migration made.
fn staged_name<'a>(world: &World<'a>, case: &mut Case<'a>, sides: &Sides<'a>, staged: Seen<'a>) -> Result<(), Block> {
    if !staged.is_here() {
        claims::provisional_free(world, &sides.provisional, case.target, case.address)?;
        case.create = Some(sides.provisional.clone());
        return Ok(());
    }
    let key = (case.target.clone(), sides.provisional.clone());
    let ours = world.state.mailboxes.contains_key(case.address)
        || world.state.passwords.contains(&key)
        || world.open_mailbox(case.target, &sides.provisional).is_some()
        || !sides.at_origin.is_here();
    if !ours {
        return Err(Block::own(
            "provisional-taken",
            format!(
                "the provisional name {} exists on {} and nothing says that it was made for this migration",
                sides.provisional.unicode(),
                world.title(case.target)
            ),
            "choose another `provisional:` pattern, or give the password of that account to say that it is meant",
        ));
    }
    case.seen = staged.view();
    Ok(())
}

fn free<'a>(
    world: &World<'a>,
    sides: &Sides<'a>,
    source: &mut Source<'a>,
    second: Option<Address>,
) -> Result<Free, Block> {
    let from = &sides.migrate.from;
    let resets = world.platform(from).is_some_and(|p| p.capabilities.reset);
    match second {
        Some(to) => {
            claims::provisional_free(world, &to, from, &sides.origin)?;
            source.later = Some(to.clone());
            Ok(Free::Rename { from: sides.origin.clone(), to })
        }
        None if resets => {
            source.later = None;
            Ok(Free::Reset { address: sides.origin.clone() })
        }
        None => Err(Block::of(
            from.as_str(),
            "source-cannot-free",
            format!(
                "{} can neither rename nor delete an account, so the address never becomes free",
                world.title(from)
            ),
            "free the address by hand on the platform once the mail is verified",
        )),
    }
}

fn both_sides(world: &World<'_>, case: &Case<'_>, sides: &Sides<'_>) -> Block {
    Block::own(
        "both-sides",
        format!(
            "{} exists on {} and on {}; which of them gets the mail is not for rehome to guess",
            case.address.unicode(),
            world.title(&sides.migrate.from),
            world.title(case.target)
        ),
        format!(
            "rename the source to {} or empty the target, whichever is meant, and plan again",
            sides.provisional.unicode()
        ),
    )
    .told_as(NoteKind::Ambiguous)
}

fn both_names(world: &World<'_>, sides: &Sides<'_>) -> Block {
    Block::own(
        "provisional-taken",
        format!(
            "{} has both {} and its provisional name {}",
            world.title(&sides.migrate.from),
            sides.origin.unicode(),
            sides.provisional.unicode()
        ),
        "choose another `provisional:` pattern for the domain, or remove the account that is in the way",
    )
}

fn both_provisional_names(world: &World<'_>, case: &Case<'_>, sides: &Sides<'_>, second: &Address) -> Block {
    Block::own(
        "provisional-taken",
        format!(
            "{} has both {} and {}, and nothing says which of them has the mail of {}",
            world.title(&sides.migrate.from),
            sides.provisional.unicode(),
            second.unicode(),
            case.address.unicode()
        ),
        "name the one that has it: `mail: { source_address: ... }`",
    )
}

fn wrong_strategy(world: &World<'_>, case: &Case<'_>, sides: &Sides<'_>, code: &'static str) -> Block {
    let (from, to) = (world.title(&sides.migrate.from), world.title(case.target));
    let (message, help) = if sides.shared {
        (
            format!("{from} and {to} share their routing, so one address cannot be on both at once"),
            "use `strategy: swap`, or `stage` when the source cannot rename",
        )
    } else {
        (
            format!(
                "{from} and {to} have different mail exchangers, so a rename before the MX moves would bounce mail"
            ),
            "use `strategy: parallel` for this domain",
        )
    };
    Block::of(case.address.domain().as_str(), code, message, help)
}

fn by_name(world: &World<'_>, sides: &Sides<'_>) -> Block {
    let message = format!(
        "takes {} on {} for the source, because {} is not there any more",
        sides.provisional.unicode(),
        world.title(&sides.migrate.from),
        sides.origin.unicode()
    );
    Block::own("source-by-name", message, "say `mail: { skip: true }` if that is somebody else's mailbox")
        .told_as(NoteKind::Info)
}

fn no_source(world: &World<'_>, sides: &Sides<'_>) -> Block {
    let message = format!(
        "there is neither {} nor {} on {}, so no mail is copied",
        sides.origin.unicode(),
        sides.provisional.unicode(),
        world.title(&sides.migrate.from)
    );
    Block::own("no-source", message, "give `mail: { source_address: ... }` if its mail is under another address")
        .told_as(NoteKind::Info)
}

fn give_slots(world: &World<'_>, list: &mut Vec<Case<'_>>, draft: &mut Draft) {
    let mut asks: BTreeMap<&PlatformId, Vec<slots::Ask<'_>>> = BTreeMap::new();
    for case in list.iter().filter(|c| c.create.is_some() && checks::by_slot(world, c.target)) {
        asks.entry(case.target).or_default().push(slots::Ask {
            address: case.address,
            slot: case.account.slot.as_ref(),
            offer: case.account.offer.as_deref(),
            octets: checks::needed_octets(world, case).unwrap_or(0).max(case.account.profile.quota_octets.unwrap_or(0)),
        });
    }
    let mut given = slots::Given::default();
    for (platform, asks) in &asks {
        if let Some(view) = world.platform(platform) {
            given.extend(slots::assign(&view.slots, asks));
        }
    }
    list.retain_mut(|case| match given.swap_remove(case.address) {
        None => true,
        Some(Ok(slot)) => {
            case.slot = Some(slot);
            true
        }
        Some(Err(why)) => {
            draft.block(&case.address.key(), vec![no_slot(world, case, why)]);
            false
        }
    });
}

/// Refuses those for whom a service has no room, where it limits how many accounts it has. First come, by address.
fn within_limits(world: &World<'_>, list: &mut Vec<Case<'_>>, draft: &mut Draft) {
    let mut new: BTreeMap<&PlatformId, u64> = BTreeMap::new();
    for case in list.iter().filter(|c| c.create.is_some()) {
        *new.entry(case.target).or_default() += 1;
    }
    for (platform, needed) in new {
        let Some(view) = world.platform(platform) else { continue };
        let Some(limit) = view.account_limit else { continue };
        let mut room = limit.saturating_sub(view.accounts.len() as u64);
        let message = format!(
            "{} has {} of at most {}, and {} more {} needed",
            world.title(platform),
            crate::diag::count(view.accounts.len() as u64),
            crate::diag::plural(usize::try_from(limit).unwrap_or(usize::MAX), "account"),
            crate::diag::count(needed),
            if needed == 1 { "is" } else { "are" },
        );
        list.retain(|case| {
            if case.target != platform || case.create.is_none() {
                return true;
            }
            let fits = room > 0;
            room = room.saturating_sub(1);
            if !fits {
                let help = "order a larger offer, or delete accounts that nobody needs, then plan again";
                let block = Block::own("account-limit", message.clone(), help);
                draft.block(&case.address.key(), vec![block]);
            }
            fits
        });
    }
}

fn no_slot(world: &World<'_>, case: &Case<'_>, why: NoSlot) -> Block {
    let platform = world.title(case.target);
    match why {
        NoSlot::NotFree(slot) => Block::own(
            "slot-not-free",
            format!("the slot {slot} is not free on {platform}"),
            "leave `slot:` out to take the next free one",
        ),
        NoSlot::TooSmall(quota) => Block::own(
            "mailbox-too-large",
            format!("no free slot of {platform} is large enough; the largest has {}", crate::diag::size(quota)),
            "order a larger slot, or make the mailbox smaller",
        ),
        NoSlot::TooFew { needed, had, offer } => {
            let kind = offer.map(|o| format!(" of offer {o}")).unwrap_or_default();
            Block::own(
                "no-free-slot",
                format!("{platform} has {}{kind} and {needed} are needed", crate::diag::plural(had, "free slot")),
                "order more slots on the platform, then plan again",
            )
        }
    }
}

/// Whether the source is emptied once its mail is proved to be at the target.
pub(super) fn retires(case: &Case<'_>) -> bool {
    case.source.as_ref().is_some_and(|s| s.migrate.source == SourceFate::Reset && s.later.is_some())
}
