//! Mail: whether a copy is needed, how both mailboxes are opened, and the actions that copy, prove and retire.

use std::collections::BTreeMap;

use crate::{
    model::{
        AccessMethod, ActionId, ActionIds, Address, Change, FolderPath, FolderStatus, FolderView, Guard, GuardOutcome,
        MailEstimate, MailFilter, MailWork, MailboxRef, NoteKind, ObjectClass, PasswordSource, Phase, Precondition,
        Shared, Text, Undo, Work, text,
    },
    spec::{SourcePassword, Strategy, VerifyLevel},
};

use super::{
    claims, cutover,
    decide::{Case, Free, retires},
    draft::{Block, Draft},
    names,
    world::World,
};

/// Whether mail has to be copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// There is none, or everything is there and proved.
    Nothing,
    /// It was proved, and nobody can look at the source now.
    Unseen,
    /// It has.
    Copy,
}

/// How a mailbox is opened, and the password that has to be set before.
pub(super) struct WayIn {
    pub(super) access: AccessMethod,
    pub(super) sets: Option<PasswordSource>,
}

impl WayIn {
    fn known(access: AccessMethod) -> Self {
        Self { access, sets: None }
    }

    fn password(source: &PasswordSource) -> Self {
        Self::known(AccessMethod::Password { password: source.read_back() })
    }
}

/// How far the copy is proved: to the last octet, whatever the spec says, where a mailbox is emptied afterwards.
fn level(case: &Case<'_>) -> VerifyLevel {
    let empties = matches!(case.stage.as_ref().and_then(|s| s.free.as_ref()), Some(Free::Reset { .. }));
    if empties || retires(case) { VerifyLevel::Bytes } else { case.account.mail.verify }
}

pub(super) fn need(world: &World<'_>, case: &Case<'_>) -> Need {
    let Some(source) = &case.source else { return Need::Nothing };
    let Some(known) = world.state.mailboxes.get(case.address).filter(|m| m.passes > 0) else { return Need::Copy };
    let proved = match (&known.verified, level(case)) {
        (Some(verified), _) => Some(&verified.seen),
        (None, VerifyLevel::Bytes) => return Need::Copy,
        (None, VerifyLevel::Counts) => None,
    };
    let failed = known.counts.as_ref().is_some_and(|c| !c.failed.is_empty());
    if is_fresh(world, case) || proved.is_none() && failed {
        return Need::Copy;
    }
    match world.open_mailbox(source.platform, &source.now) {
        None => Need::Unseen,
        Some(now) => {
            let filter = &case.account.mail.filter;
            // A filter that was widened has something to copy where nothing has changed.
            let left = known.counts.as_ref().is_none_or(|c| filter.still_leaves_out(&c.excluded));
            let same = left
                && unchanged(&now.folders, &known.copied, filter)
                && proved.is_none_or(|seen| unchanged(&now.folders, seen, filter));
            if same { Need::Nothing } else { Need::Copy }
        }
    }
}

/// Whether nothing of the mail is known to be at the target: it was never copied, or from or to somewhere else.
fn is_fresh(world: &World<'_>, case: &Case<'_>) -> bool {
    let Some(known) = world.state.mailboxes.get(case.address).filter(|m| m.passes > 0) else { return true };
    let moved = known.source.as_ref().zip(case.source.as_ref()).is_some_and(|((was, _), now)| was != now.platform);
    moved || case.create.is_some()
}

/// Whether the folders are as they were, as far as both listings tell.
fn unchanged(
    now: &BTreeMap<FolderPath, FolderView>,
    then: &BTreeMap<FolderPath, FolderStatus>,
    filter: &MailFilter,
) -> bool {
    let mut now = now.iter().filter_map(|(p, f)| Some((p, f.status?))).filter(|(p, _)| filter.takes(p));
    let mut then = then.iter().filter(|(p, _)| filter.takes(p));
    loop {
        match (now.next(), then.next()) {
            (None, None) => return true,
            (Some((a, is)), Some((b, was))) if a == b && same_status(&is, was) => {}
            _ => return false,
        }
    }
}

fn same_status(a: &FolderStatus, b: &FolderStatus) -> bool {
    fn agree<T: PartialEq>(a: Option<T>, b: Option<T>) -> bool {
        a.is_none() || b.is_none() || a == b
    }
    let told = |next: u32| (next != 0).then_some(next);
    a.uid_validity == b.uid_validity
        && a.messages == b.messages
        && agree(told(a.uid_next), told(b.uid_next))
        && agree(a.highest_modseq, b.highest_modseq)
        && agree(a.octets, b.octets)
}

/// How the source is opened.
///
/// # Errors
/// When the spec gives no way.
pub(super) fn source_access(world: &World<'_>, case: &Case<'_>) -> Result<WayIn, Block> {
    let missing = || {
        let message = format!("nothing says how the source mailbox of {} is opened", case.address.unicode());
        let help = "add `mail: { source_password: ... }`, or an administrator's way in to the source platform";
        Block::own("source-password-missing", message, help)
    };
    let source = case.source.as_ref().ok_or_else(missing)?;
    if let Some(admin) = world.spec.platforms.get(source.platform).and_then(|p| p.admin.as_ref()) {
        return Ok(WayIn::known(admin.method()));
    }
    match &case.account.mail.source_password {
        None => Err(missing()),
        Some(SourcePassword::Given(secret)) => Ok(WayIn::known(AccessMethod::Password { password: secret.clone() })),
        Some(SourcePassword::Reset(password)) => {
            let names = [Some(&source.now), source.later.as_ref(), case.source_name()];
            let set = names.into_iter().flatten().any(|name| {
                world.state.passwords.contains(&(source.platform.clone(), name.clone()))
                    || world.open_mailbox(source.platform, name).is_some()
            });
            let can = world.platform(source.platform).is_some_and(|v| v.capabilities.set_password);
            if !set && !can {
                return Err(Block::of(
                    source.platform.as_str(),
                    "password-not-supported",
                    format!("{} cannot set passwords through its interface", world.title(source.platform)),
                    "give the source passwords with `mail: { source_password: ... }`",
                ));
            }
            Ok(WayIn { sets: (!set).then(|| password.clone()), ..WayIn::password(password) })
        }
    }
}

/// How the target is opened.
///
/// # Errors
/// When the spec gives no way.
pub(super) fn target_access(world: &World<'_>, case: &Case<'_>) -> Result<WayIn, Block> {
    if let Some(admin) = world.spec.platforms.get(case.target).and_then(|p| p.admin.as_ref()) {
        return Ok(WayIn::known(admin.method()));
    }
    let Some(password) = &case.account.password else {
        let message = format!("nothing says how the target mailbox of {} is opened", case.address.unicode());
        let help = "add `password:` to the account, or an administrator's way in to the target platform";
        return Err(Block::own("password-missing", message, help));
    };
    let names = [case.working_name(), case.address];
    let known = case.create.is_some()
        || matches!(password, PasswordSource::Given(_))
        || names.into_iter().any(|name| {
            world.state.passwords.contains(&(case.target.clone(), name.clone()))
                || world.open_mailbox(case.target, name).is_some()
        });
    let can = world.platform(case.target).is_some_and(|v| v.capabilities.set_password);
    if !known && !can {
        let message = format!("the password of {} is not known and cannot be set", case.address.unicode());
        return Err(Block::own("password-missing", message, "refer to the account's password instead of `generate`"));
    }
    Ok(WayIn { sets: (!known).then(|| password.clone()), ..WayIn::password(password) })
}

/// The mail of one account while its actions are written.
pub(super) struct Writer<'s, 'a> {
    world: &'s World<'a>,
    case: &'s Case<'a>,
    source: Shared<AccessMethod>,
    target: Shared<AccessMethod>,
    filter: Shared<MailFilter>,
    pass: u32,
    fresh: bool,
    /// What the next copy or proof waits for.
    pub(super) before: ActionIds,
}

/// The passwords that have to be set before the mailboxes can be opened.
pub(super) struct NewPasswords {
    pub(super) source: Option<PasswordSource>,
    pub(super) target: Option<PasswordSource>,
}

/// The two addresses of a copy: source, target.
pub(super) type Ends<'e> = (&'e Address, &'e Address);

impl<'s, 'a> Writer<'s, 'a> {
    /// `None` when there is no mail, or no way to it.
    pub(super) fn new(world: &'s World<'a>, case: &'s Case<'a>) -> Option<(Self, NewPasswords)> {
        case.source.as_ref()?;
        let source = source_access(world, case).ok()?;
        let target = target_access(world, case).ok()?;
        let pass = world.state.mailboxes.get(case.address).map_or(0, |m| m.passes);
        let passwords = NewPasswords { source: source.sets, target: target.sets };
        let before = ActionIds::default();
        let fresh = is_fresh(world, case);
        let (source, target) = (source.access.into(), target.access.into());
        let filter = case.account.mail.filter.clone().into();
        Some((Self { world, case, source, target, filter, pass, fresh, before }, passwords))
    }

    /// Whether nothing of the mail is known to be at the target.
    pub(super) fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// Other passes are planned already.
    pub(super) fn goes_on_after(&mut self, pass: u32) {
        self.pass = pass;
    }

    fn work(&self, (from, to): Ends<'_>, skip_below: Option<u64>) -> Option<MailWork> {
        let source = self.case.source.as_ref()?;
        let mailbox = |platform: &crate::model::PlatformId, address: &Address, access: &Shared<AccessMethod>| {
            MailboxRef { platform: platform.clone(), address: address.clone(), access: access.clone() }
        };
        Some(MailWork {
            account: self.case.address.clone(),
            source: mailbox(source.platform, from, &self.source),
            target: mailbox(self.case.target, to, &self.target),
            pass: self.pass,
            skip_below,
            filter: self.filter.clone(),
            acl: self.case.account.mail.acl,
            estimate: self.estimate(),
        })
    }

    fn estimate(&self) -> Option<MailEstimate> {
        let source = self.case.source.as_ref()?;
        let seen = self.world.open_mailbox(source.platform, &source.now)?;
        let folders = seen.folders.iter().filter(|(p, _)| self.case.account.mail.filter.takes(p));
        let counted: Vec<FolderStatus> = folders.filter_map(|(_, f)| f.status).collect();
        let octets = counted.iter().map(|s| s.octets).sum::<Option<u64>>();
        Some(MailEstimate {
            folders: counted.len() as u64,
            messages: counted.iter().map(|s| u64::from(s.messages)).sum(),
            octets: octets.or(seen.used_octets).or_else(|| source.view.and_then(|v| v.used_octets)),
        })
    }

    /// One pass of the copy; with `skip_below` it counts as done when the one before it brought fewer messages.
    pub(super) fn copy(&mut self, draft: &mut Draft, phase: Phase, ends: Ends<'_>, skip_below: Option<u64>) {
        self.pass += 1;
        let Some(work) = self.work(ends, skip_below) else { return };
        if self.pass == 1 {
            names::tell(self.world, self.case, ends.1, draft);
        }
        let place = self.world.title(self.case.target);
        let reason = match (self.pass, skip_below) {
            (1, _) => format!("its mail should be on {place}"),
            (n, None) => format!("takes what has changed at the source since pass {}", n - 1),
            (n, Some(least)) => format!(
                "takes what has changed at the source since pass {}, unless that one brought fewer than {least} messages",
                n - 1
            ),
        };
        // Many mailboxes say the same.
        let reason = draft.sentence(&reason);
        let undo = Undo::Manual(draft.sentence("the copies stay in the target; the source is not touched"));
        let key = self.case.address.identity();
        let name = text!("copy:{}/{key}", self.case.target);
        let action = draft.add((phase, key), name, Work::Copy(Box::new(work)), undo, reason);
        action.requires = std::mem::take(&mut self.before);
        self.before.insert(action.id.clone());
    }

    /// The proof that follows a copy, where the spec wants one; else what comes next waits for the copy itself.
    pub(super) fn verify(&mut self, draft: &mut Draft, phase: Phase, ends: Ends<'_>) -> Option<ActionId> {
        if level(self.case) == VerifyLevel::Counts {
            return None;
        }
        let work = self.work(ends, None)?;
        let reason = draft.sentence("proves that every message arrived unchanged");
        let key = self.case.address.identity();
        let name = text!("verify.mail:{}/{key}", self.case.target);
        let action = draft.add((phase, key), name, Work::VerifyMail(Box::new(work)), Undo::Nothing, reason);
        action.requires = std::mem::take(&mut self.before);
        self.before.insert(action.id.clone());
        Some(action.id.clone())
    }
}

/// Tells that a proved mailbox could not be looked at again.
pub(super) fn tell_unseen(world: &World<'_>, case: &Case<'_>, draft: &mut Draft) {
    let Some(source) = &case.source else { return };
    let block = Block::of(
        source.platform.as_str(),
        "source-not-looked-at",
        format!("mailboxes of {} were verified earlier and could not be looked into now", world.title(source.platform)),
        "nothing has to be done unless mail still arrives there",
    );
    draft.tell(&case.address.key(), block.told_as(NoteKind::Info));
}

/// Tells that nobody can know by a listing whether flags of mail that was copied have changed: the source keeps no
/// HIGHESTMODSEQ (RFC 7162), and a plan does not read the flags of every message.
pub(super) fn tell_blind(world: &World<'_>, case: &Case<'_>, draft: &mut Draft) {
    let Some(source) = case.source.as_ref().filter(|_| !is_fresh(world, case)) else { return };
    let Some(now) = world.open_mailbox(source.platform, &source.now) else { return };
    let filter = &case.account.mail.filter;
    let blind = |(path, folder): (&FolderPath, &FolderView)| {
        filter.takes(path) && folder.status.is_some_and(|s| !s.tells_flags())
    };
    if now.folders.iter().any(blind) {
        let block = Block::of(
            source.platform.as_str(),
            "flags-not-looked-at",
            format!("mailboxes of {} do not tell when flags change and nothing else", world.title(source.platform)),
            "flags that changed are carried over by the next pass, which new mail makes",
        );
        draft.tell(&case.address.key(), block.told_as(NoteKind::Info));
    }
}

/// Empties the source once its mail is proved, where the spec asks for it.
pub(super) fn retire(
    world: &World<'_>,
    case: &Case<'_>,
    (chain, verified): (&Text, Option<ActionId>),
    draft: &mut Draft,
) {
    let Some(source) = case.source.as_ref().filter(|_| retires(case)) else { return };
    let Some(address) = source.later.clone() else { return };
    if world.is_protected(case.address) {
        let message = format!("{} is protected and is not reset", address.unicode());
        draft.note(NoteKind::Info, "protected", case.address.key(), message, None);
        return;
    }
    if !world.platform(source.platform).is_some_and(|v| v.capabilities.reset) {
        let message = format!("{} cannot reset accounts, so the source stays", world.title(source.platform));
        let block = Block::of(source.platform.as_str(), "reset-not-supported", message, "say `source: keep`");
        draft.tell(chain, block.told_as(NoteKind::Unsupported));
        return;
    }
    // What is not listed, on either side, may be what holds an address that the source gives up, or what waits for it.
    let unread = [ObjectClass::Alias, ObjectClass::Group, ObjectClass::Redirection];
    let sides = [source.platform, case.target].into_iter().flat_map(|side| unread.map(|class| (side, class)));
    if let Some((side, class)) = sides.into_iter().find(|(p, c)| world.gap(p, *c, &address.key()).is_some()) {
        draft.tell(chain, claims::incomplete(world, side, class).told_as(NoteKind::Waiting));
        return;
    }
    let separate = source.migrate.strategy == Strategy::Parallel && !world.shares_routing(source.platform, case.target);
    if separate && !cutover::mx_moved(world, case.address.domain(), case.target) {
        let message = "sources are reset once the MX of the domain has moved".to_owned();
        let block =
            Block::of(case.address.domain().as_str(), "reset-after-cutover", message, "move the MX, then plan again");
        draft.tell(chain, block.told_as(NoteKind::Waiting));
        return;
    }
    let proved = world.state.mailboxes.get(case.address).is_some_and(|m| m.verified.is_some());
    let certain = verified.is_some() || proved;
    let archive = source.view.is_some_and(|view| view.archive);
    let reason = "its mail is proved to be at the target and the spec says `source: reset`";
    let change = Change::AccountReset { address: address.clone() };
    let action = draft.change(world, (Phase::Retire, chain), source.platform, change, reason);
    action.requires.extend(verified);
    action.preconditions = vec![
        Precondition::Verified { account: case.address.clone() },
        Precondition::AccountOk { platform: source.platform.clone(), address: address.clone() },
    ];
    let (outcome, message) = if archive {
        let help = "empty or remove the archive there, or say `source: keep`";
        (GuardOutcome::Deny, format!("the archive of {} was never copied: {help}", address.unicode()))
    } else if certain {
        (GuardOutcome::Ack, format!("the mail of {} on {} is lost", address.unicode(), world.title(source.platform)))
    } else {
        (GuardOutcome::Deny, format!("the mail of {} was never verified", address.unicode()))
    };
    action.guard = Some(Box::new(Guard { code: "reset-mailbox".to_owned(), message, outcome }));
}
