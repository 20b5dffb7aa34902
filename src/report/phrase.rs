//! How an action is said: a symbol, a verb, an object, and what changes.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use crate::{
    diag::{count, duration, plural, size},
    index::{Index, Met},
    model::{
        AccessMethod, AclChoice, Action, Address, Change, ContactView, CopyCounts, CutoverStep, CutoverWork,
        DomainType, GroupSettings, MailWork, NoteKind, PasswordSource, PlatformId, Profile, Undo, Work, ZoneChange,
    },
    plan::Plan,
};

use super::{
    filter::filter_words,
    records,
    style::{Paint, cleaned, shown},
};

/// An action in words.
pub(super) struct Phrase {
    pub(super) symbol: char,
    pub(super) verb: &'static str,
    pub(super) object: String,
    pub(super) detail: String,
}

impl Phrase {
    pub(super) fn of(action: &Action) -> Self {
        match &action.work {
            Work::Platform { platform, change } => {
                let symbol = symbol(action);
                Self::new(symbol, verb(symbol, change), object(change), detail(platform, change))
            }
            Work::Zone(change) => Self::zone(change),
            Work::Cutover(work) => Self::cutover(work),
            Work::DomainReady { platform, domain } => {
                Self::new('|', "wait for domain", domain.unicode(), format!("until {platform} accepts it"))
            }
            Work::Copy(work) => {
                let from = format!("from {} {}", work.source.platform, work.source.address.unicode());
                Self::new(
                    '=',
                    "copy",
                    target(work),
                    join([Some(from), pass(work), estimate(work), filter_words(&work.filter), acl_words(work)]),
                )
            }
            Work::VerifyMail(work) => Self::new(
                '?',
                "verify mail",
                target(work),
                format!("against {} {}", work.source.platform, work.source.address.unicode()),
            ),
            Work::VerifyDns { platform, domain, topics } => {
                let topics: Vec<&str> = topics.iter().map(|t| t.word()).collect();
                Self::new('?', "verify DNS", domain.unicode(), format!("{} for {platform}", topics.join(", ")))
            }
        }
    }

    /// The verb and the object alone, which is what a list of names is made of.
    pub(super) fn short(action: &Action) -> (&'static str, Cow<'_, str>) {
        match &action.work {
            Work::Platform { change, .. } => (verb(symbol(action), change), shown(object(change))),
            Work::Copy(work) => ("copy", shown(target(work))),
            Work::VerifyMail(work) => ("verify mail", shown(target(work))),
            Work::Zone(_) | Work::Cutover(_) | Work::DomainReady { .. } | Work::VerifyDns { .. } => {
                let phrase = Self::of(action);
                (phrase.verb, phrase.object.into())
            }
        }
    }

    /// Of what is not an action.
    fn change(platform: &PlatformId, change: &Change) -> Self {
        let (symbol, verb) = words(change);
        Self::new(symbol, verb, object(change), detail(platform, change))
    }

    fn zone(change: &ZoneChange) -> Self {
        let verb = match change.kind() {
            "dns.ttl" => "set TTL",
            "dns.remove" => "remove records",
            _ => "set records",
        };
        let object = format!("{} {}", change.name, change.rtype);
        Self::new(zone_symbol(change), verb, object, records::summary(change))
    }

    fn cutover(work: &CutoverWork) -> Self {
        let domain = work.switch.domain.unicode();
        let wait = duration(u64::from(work.wait));
        let (verb, detail) = match work.step {
            CutoverStep::Drain => {
                let word = if work.approve { ", and until somebody approves" } else { "" };
                ("wait to move MX", format!("until the TTL is lowered everywhere, {wait}{word}"))
            }
            CutoverStep::Probe => {
                let object = work.probe.as_ref().map_or(domain, |p| p.mailbox.address.unicode());
                let detail = format!("through the new mail servers; within {wait}, else the MX moves back");
                return Self::new('?', "send test message", object, detail);
            }
            CutoverStep::Converge => {
                let resolvers = match work.resolvers.len() {
                    0 => String::new(),
                    n => format!(" and {}", plural(n, "resolver")),
                };
                ("wait for new MX", format!("at every server{resolvers}, then {wait}"))
            }
        };
        Self::new('|', verb, domain, detail)
    }

    pub(super) fn new(symbol: char, verb: &'static str, object: impl Into<String>, detail: String) -> Self {
        let detail = cleaned(detail);
        let detail = if detail.contains('\n') { detail.replace('\n', " ") } else { detail };
        Self { symbol, verb, object: cleaned(object.into()), detail }
    }

    pub(super) fn paint(&self) -> Paint {
        match self.symbol {
            '+' => Paint::Good,
            '~' => Paint::Change,
            '>' => Paint::Move,
            '-' => Paint::Bad,
            '|' => Paint::Quiet,
            _ => Paint::None,
        }
    }
}

/// The symbol of an action: `+ ~ > = ? | -`.
pub(super) fn symbol(action: &Action) -> char {
    match &action.work {
        // Half of a move: nothing is lost, the other half takes the address.
        Work::Platform { change, .. } if action.swap.is_some() && freeing(change).is_some() => '>',
        // One that is there gets other destinations: what takes it back is the one that was.
        Work::Platform { change: Change::RedirectionSet { .. }, .. }
            if matches!(&action.undo, Undo::Change { change: Change::RedirectionSet { .. }, .. }) =>
        {
            '~'
        }
        Work::Platform { change, .. } => words(change).0,
        Work::Zone(change) => zone_symbol(change),
        Work::Cutover(work) if work.step == CutoverStep::Probe => '?',
        Work::DomainReady { .. } | Work::Cutover(_) => '|',
        Work::Copy(_) => '=',
        Work::VerifyMail(_) | Work::VerifyDns { .. } => '?',
    }
}

fn zone_symbol(change: &ZoneChange) -> char {
    match (&change.before, &change.after) {
        (_, None) => '-',
        (None, Some(_)) => '+',
        (Some(_), Some(_)) => '~',
    }
}

/// The verb of a removal that only makes room.
fn freeing(change: &Change) -> Option<&'static str> {
    match change {
        Change::AliasRemove { .. } => Some("free alias"),
        Change::RedirectionRemove { .. } => Some("free redirection"),
        Change::GroupRemove { .. } => Some("free group"),
        _ => None,
    }
}

fn verb(symbol: char, change: &Change) -> &'static str {
    Some(change).filter(|_| symbol == '>').and_then(freeing).unwrap_or_else(|| words(change).1)
}

fn target(work: &MailWork) -> Cow<'_, str> {
    work.target.address.unicode()
}

fn pass(work: &MailWork) -> Option<String> {
    let rule = |least: u64| format!(" unless the one before brought fewer than {} messages", count(least));
    (work.pass > 1).then(|| format!("pass {}{}", work.pass, work.skip_below.map(rule).unwrap_or_default()))
}

/// The passes that stand behind another one, in words: the rule of those that have one is the same for all.
pub(super) fn later_passes(passes: &[&MailWork]) -> Option<String> {
    let rule = passes.iter().find_map(|work| work.skip_below);
    let ruled = passes.iter().filter(|work| work.skip_below.is_some()).count();
    let always = match passes.len() - ruled {
        0 => String::new(),
        1 => "then late mail".to_owned(),
        n => format!("then late mail, {n} times"),
    };
    let more = rule.map(|least| {
        let times = if ruled == 1 { "once more".to_owned() } else { format!("up to {ruled} times more") };
        format!("{times} while a pass brings {} messages", count(least))
    });
    Some(join([Some(always), more])).filter(|text| !text.is_empty())
}

fn acl_words(work: &MailWork) -> Option<String> {
    match work.acl {
        AclChoice::Leave => None,
        AclChoice::Report => Some("rights of others reported".to_owned()),
        AclChoice::Copy => Some("others get the rights they have".to_owned()),
    }
}

fn estimate(work: &MailWork) -> Option<String> {
    let estimate = work.estimate.filter(|_| work.pass == 1)?;
    let octets = estimate.octets.map(|o| format!(", {}", size(o))).unwrap_or_default();
    Some(format!("about {} messages{octets}", count(estimate.messages)))
}

fn join<const N: usize>(parts: [Option<String>; N]) -> String {
    parts.into_iter().flatten().filter(|p| !p.is_empty()).collect::<Vec<_>>().join(", ")
}

fn addresses<'a>(all: impl IntoIterator<Item = &'a Address>) -> String {
    all.into_iter().map(Address::unicode).collect::<Vec<_>>().join(", ")
}

/// What a change is about.
fn object(change: &Change) -> Cow<'_, str> {
    match change {
        Change::DomainAdd { domain, .. }
        | Change::DomainUpdate { domain, .. }
        | Change::DomainRemove { domain }
        | Change::FooterSet { domain, .. }
        | Change::FooterRemove { domain } => domain.unicode(),
        Change::AccountRename { from: address, .. }
        | Change::AccountCreate { address, .. }
        | Change::AccountUpdate { address, .. }
        | Change::AccountPassword { address, .. }
        | Change::AccountReset { address }
        | Change::AliasAdd { alias: address, .. }
        | Change::AliasRemove { alias: address, .. }
        | Change::RedirectionSet { from: address, .. }
        | Change::RedirectionRemove { from: address }
        | Change::GroupCreate { group: address, .. }
        | Change::GroupUpdate { group: address, .. }
        | Change::GroupRemove { group: address }
        | Change::GroupMemberAdd { member: address, .. }
        | Change::GroupMemberRemove { member: address, .. }
        | Change::GroupManagerAdd { manager: address, .. }
        | Change::GroupManagerRemove { manager: address, .. }
        | Change::DelegationGrant { account: address, .. }
        | Change::DelegationRevoke { account: address, .. }
        | Change::ContactAdd { contact: address, .. }
        | Change::ContactUpdate { contact: address, .. }
        | Change::ContactRemove { contact: address } => address.unicode(),
    }
}

/// What changes.
fn detail(platform: &PlatformId, change: &Change) -> String {
    let on = || format!("on {platform}");
    match change {
        Change::DomainAdd { kind, mx_relay, .. } => typed(&on(), *kind, mx_relay.as_deref()),
        Change::DomainUpdate { kind, mx_relay, .. } => typed(&on(), Some(*kind), mx_relay.as_deref()),
        Change::AccountRename { to, .. } => format!("to {} on {platform}", to.unicode()),
        Change::AccountCreate { slot, profile, password, .. } => {
            let slot = slot.as_ref().map(|s| format!("in slot {s}"));
            join([Some(on()), slot, Some(profile_words(profile)), Some(password_words(password))])
        }
        Change::AccountUpdate { profile, .. } => join([Some(profile_words(profile)), Some(on())]),
        Change::AccountPassword { password, .. } => join([Some(on()), Some(password_words(password))]),
        Change::AliasAdd { account, .. } => format!("for {} on {platform}", account.unicode()),
        Change::AliasRemove { account, .. } => format!("of {} on {platform}", account.unicode()),
        Change::RedirectionSet { to, keep_copy, .. } => {
            let copy = keep_copy.then(|| "keeps a copy".to_owned());
            join([Some(format!("to {}", addresses(to))), copy, Some(on())])
        }
        Change::GroupCreate { settings, .. } | Change::GroupUpdate { settings, .. } => {
            join([Some(settings_words(settings)), Some(on())])
        }
        Change::GroupMemberAdd { group, .. } | Change::GroupManagerAdd { group, .. } => {
            format!("to {} on {platform}", group.unicode())
        }
        Change::GroupMemberRemove { group, .. } | Change::GroupManagerRemove { group, .. } => {
            format!("from {} on {platform}", group.unicode())
        }
        Change::DelegationGrant { to, right, .. } => {
            format!("{} to {} on {platform}", right.word(), to.unicode())
        }
        Change::DelegationRevoke { to, right, .. } => {
            format!("{} from {} on {platform}", right.word(), to.unicode())
        }
        Change::ContactAdd { fields, .. } | Change::ContactUpdate { fields, .. } => {
            join([Some(contact_words(fields)), Some(on())])
        }
        Change::DomainRemove { .. }
        | Change::FooterSet { .. }
        | Change::FooterRemove { .. }
        | Change::AccountReset { .. }
        | Change::RedirectionRemove { .. }
        | Change::GroupRemove { .. }
        | Change::ContactRemove { .. } => on(),
    }
}

fn words(change: &Change) -> (char, &'static str) {
    match change {
        Change::DomainAdd { .. } => ('+', "add domain"),
        Change::DomainUpdate { .. } => ('~', "update domain"),
        Change::DomainRemove { .. } => ('-', "remove domain"),
        Change::AccountRename { .. } => ('>', "rename"),
        Change::AccountCreate { .. } => ('+', "create"),
        Change::AccountUpdate { .. } => ('~', "update"),
        Change::AccountPassword { .. } => ('~', "set password"),
        Change::AccountReset { .. } => ('-', "reset"),
        Change::AliasAdd { .. } => ('+', "add alias"),
        Change::AliasRemove { .. } => ('-', "remove alias"),
        Change::RedirectionSet { .. } => ('+', "redirect"),
        Change::RedirectionRemove { .. } => ('-', "stop redirecting"),
        Change::GroupCreate { .. } => ('+', "create group"),
        Change::GroupUpdate { .. } => ('~', "update group"),
        Change::GroupRemove { .. } => ('-', "remove group"),
        Change::GroupMemberAdd { .. } => ('+', "add member"),
        Change::GroupMemberRemove { .. } => ('-', "remove member"),
        Change::GroupManagerAdd { .. } => ('+', "add manager"),
        Change::GroupManagerRemove { .. } => ('-', "remove manager"),
        Change::DelegationGrant { .. } => ('+', "grant"),
        Change::DelegationRevoke { .. } => ('-', "revoke"),
        Change::ContactAdd { .. } => ('+', "add contact"),
        Change::ContactUpdate { .. } => ('~', "update contact"),
        Change::ContactRemove { .. } => ('-', "remove contact"),
        Change::FooterSet { .. } => ('~', "set footer"),
        Change::FooterRemove { .. } => ('-', "remove footer"),
    }
}

fn typed(on: &str, kind: Option<DomainType>, relay: Option<&str>) -> String {
    let kind = kind.map(|k| match k {
        DomainType::Authoritative => "authoritative".to_owned(),
        DomainType::NonAuthoritative => "non-authoritative".to_owned(),
    });
    join([Some(on.to_owned()), kind, relay.map(|r| format!("relay {r}"))])
}

fn yes_no(value: bool, yes: &str, no: &str) -> String {
    if value { yes.to_owned() } else { no.to_owned() }
}

fn profile_words(profile: &Profile) -> String {
    let name = |what: &str, name: &Option<String>| name.as_ref().map(|n| format!("{what} \"{n}\""));
    join([
        name("name", &profile.display_name),
        name("first name", &profile.first_name),
        name("last name", &profile.last_name),
        profile.quota_octets.map(|q| format!("quota {}", size(q))),
        profile.hidden.map(|h| yes_no(h, "hidden", "listed")),
    ])
}

fn settings_words(settings: &GroupSettings) -> String {
    join([
        settings.display_name.as_ref().map(|n| format!("name \"{n}\"")),
        settings.members_only.map(|m| yes_no(m, "for the platform's users only", "open to outside senders")),
        settings.join.map(|j| format!("joining {j:?}").to_lowercase()),
        settings.leave.map(|l| format!("leaving {l:?}").to_lowercase()),
        settings.hidden.map(|h| yes_no(h, "hidden", "listed")),
        settings.max_receive_mb.map(|mb| format!("messages up to {mb} MB")),
    ])
}

fn contact_words(fields: &ContactView) -> String {
    let name = |what: &str, name: &Option<String>| name.as_ref().map(|n| format!("{what} \"{n}\""));
    join([
        name("name", &fields.display_name),
        name("first name", &fields.first_name),
        name("last name", &fields.last_name),
        fields.hidden.map(|h| yes_no(h, "hidden", "listed")),
    ])
}

fn password_words(password: &PasswordSource) -> String {
    match password {
        PasswordSource::Given(secret) => format!("password from {secret}"),
        PasswordSource::Generate(delivery) => format!("new password to {delivery}"),
    }
}

/// How a mailbox is opened, without any secret.
pub(super) fn way_in(access: &AccessMethod) -> String {
    match access {
        AccessMethod::Password { password } => format!("password from {password}"),
        AccessMethod::Named { user, password } => format!("login {user}, password from {password}"),
        AccessMethod::Master { user, password, .. } => format!("master user {user}, password from {password}"),
        AccessMethod::Authzid { user, password } => format!("administrator {user}, password from {password}"),
        AccessMethod::Token { user: Some(user), token } => format!("login {user}, token from {token}"),
        AccessMethod::Token { user: None, token } => format!("token from {token}"),
    }
}

/// How an action is taken back.
pub(super) fn undo(undo: &Undo) -> String {
    match undo {
        Undo::Nothing => "nothing to undo".to_owned(),
        Undo::Change { platform, change } => {
            let phrase = Phrase::change(platform, change);
            match change {
                Change::AccountRename { to, .. } => format!("rename back to {}", to.unicode()),
                Change::RedirectionSet { .. } => format!("redirect {} {}", phrase.object, phrase.detail),
                _ if phrase.symbol == '~' => format!("{} {}: {}", phrase.verb, phrase.object, phrase.detail),
                _ => format!("{} {}", phrase.verb, phrase.object),
            }
        }
        Undo::Zone(change) => {
            let phrase = Phrase::zone(change);
            format!("{} {}: {}", phrase.verb, phrase.object, phrase.detail)
        }
        Undo::Manual(how) => format!("by hand: {how}"),
        Undo::Irreversible(why) => format!("impossible: {why}"),
    }
}

/// What a plan without actions means: all is well, or nothing can be done.
pub(super) fn nothing(plan: &Plan) -> &'static str {
    let open = |kind| plan.body.notes.iter().any(|n| n.kind == kind);
    if open(NoteKind::Blocked) || open(NoteKind::Ambiguous) {
        "Nothing can be done as things are; the reasons are below."
    } else if open(NoteKind::Waiting) {
        "Nothing can be done yet; what it waits for is below."
    } else if plan.body.rollback_of.is_some() {
        "Nothing of it is there any more that could be taken back."
    } else if !plan.body.part.is_whole() {
        "Nothing to do in this part."
    } else {
        "Nothing to do: what the spec describes is so."
    }
}

/// How much of a mailbox was there before, and how much of that is known by less than its octets.
pub(super) fn there_already(counts: &CopyCounts) -> String {
    let weak = match counts.weak {
        0 => String::new(),
        n => format!(" ({} of them by header, date and size alone)", count(n)),
    };
    format!("{} there already{weak}", count(counts.present))
}

/// Which domains move how.
pub(super) fn strategies(plan: &Plan) -> String {
    let all = &plan.body.strategies;
    match all.len() {
        0 => String::new(),
        1..=3 => all.iter().map(|(d, s)| format!("{} ({})", d.unicode(), s.word())).collect::<Vec<_>>().join(", "),
        n => plural(n, "domain"),
    }
}

/// The actions counted by what they do: symbol, word, how many.
pub(super) fn counts(plan: &Plan) -> Vec<(char, &'static str, u64)> {
    const ORDER: [(char, &str); 7] = [
        ('+', "create"),
        ('>', "move"),
        ('~', "update"),
        ('=', "copy"),
        ('?', "verify"),
        ('|', "wait"),
        ('-', "delete"),
    ];
    let mut counts: BTreeMap<char, u64> = BTreeMap::new();
    for action in &plan.body.actions {
        *counts.entry(symbol(action)).or_default() += 1;
    }
    ORDER.into_iter().filter_map(|(symbol, word)| Some((symbol, word, *counts.get(&symbol)?))).collect()
}

/// The same in words: `2 create, 1 move`.
pub(super) fn totals(plan: &Plan) -> String {
    let known = counts(plan).into_iter().map(|(_, word, n)| format!("{} {word}", count(n)));
    known.collect::<Vec<_>>().join(", ")
}

/// The domain that an action belongs to; the whole name of its chain where that is no address.
pub(super) fn domain_of(action: &Action) -> &str {
    action.chain.rsplit_once('@').map_or(&action.chain, |(_, domain)| domain)
}

/// What makes a plan another thing than the whole way from what is to what should be, in sentences.
pub(super) fn banner(plan: &Plan) -> Vec<String> {
    let mut out = Vec::new();
    if let Some(run) = &plan.body.rollback_of {
        out.push(format!("Takes {run} back, as far as it can be."));
    }
    let part = &plan.body.part;
    let list = |all: &BTreeSet<String>| all.iter().cloned().collect::<Vec<_>>().join(", ");
    if !part.only.is_empty() {
        out.push(format!("Only a part: {}, and what that needs. No source is emptied.", list(&part.only)));
    }
    if !part.without.is_empty() {
        out.push(format!("Left out: {}, and what needs that. No source is emptied.", list(&part.without)));
    }
    out.extend(gates(plan));
    out
}

/// What will hold the actions of a plan up, in sentences.
fn gates(plan: &Plan) -> Vec<String> {
    let gates = &plan.body.gates;
    let mut out = Vec::new();
    if !gates.windows.is_empty() {
        let hours: Vec<String> = gates.windows.iter().map(ToString::to_string).collect();
        out.push(format!("Begins something only in these hours: {}.", hours.join("; ")));
    }
    for gate in &gates.approval {
        let n = plan.body.actions.iter().filter(|action| gate.holds(action)).count();
        let wait = if n == 1 { "waits" } else { "wait" };
        out.push(format!("{} {wait} for approval: rehome approve {gate}.", plural(n, "action")));
    }
    out
}

/// The mail that a plan is about to copy, counted once per account.
pub(super) fn mail(plan: &Plan) -> Option<String> {
    let mut seen: Index<&Address, &MailWork> = Index::default();
    for action in &plan.body.actions {
        if let Work::Copy(work) = &action.work {
            seen.entry(&work.account).or_insert(work);
        }
    }
    if seen.is_empty() {
        return None;
    }
    let known: Vec<_> = seen.values().filter_map(|w| w.estimate).collect();
    let boxes = plural(seen.len(), "mailbox");
    let messages = known.iter().map(|e| e.messages).sum();
    let octets: Option<u64> = known.iter().map(|e| e.octets).sum();
    let octets = octets.map(|o| format!(", {}", size(o))).unwrap_or_default();
    let unknown = seen.len() - known.len();
    Some(match (known.is_empty(), unknown) {
        (true, _) => format!("Mail of {boxes}, size not known yet."),
        (false, 0) => format!("About {} messages in {boxes}{octets}.", count(messages)),
        (false, n) => format!(
            "At least {} messages in {boxes}{octets}; {} not looked into yet.",
            count(messages),
            count(n as u64)
        ),
    })
}

/// The first action that cannot be taken back, with its place in the plan from 1.
pub(super) fn point_of_no_return(plan: &Plan) -> Option<(usize, &Action)> {
    let mut numbered = plan.body.actions.iter().enumerate();
    numbered.find(|(_, a)| matches!(a.undo, Undo::Irreversible(_))).map(|(at, a)| (at + 1, a))
}

/// How much of a plan can be taken back.
pub(super) fn undo_summary(plan: &Plan) -> String {
    let (mut by_itself, mut by_hand, mut never) = (0usize, 0usize, 0usize);
    let mut copied: Met<&Address> = Met::default();
    for action in &plan.body.actions {
        // All passes over a mailbox are one thing to take back.
        if matches!(&action.work, Work::Copy(work) if !copied.insert(&work.account)) {
            continue;
        }
        match action.undo {
            Undo::Change { .. } | Undo::Zone(_) => by_itself += 1,
            Undo::Manual(_) => by_hand += 1,
            Undo::Irreversible(_) => never += 1,
            Undo::Nothing => {}
        }
    }
    let part = |n: usize, how: &str| (n > 0).then(|| format!("{} {how}", count(n as u64)));
    join([part(by_itself, "can be taken back by rehome"), part(by_hand, "only by hand"), part(never, "not at all")])
}

/// Whether a row destroys something or needs somebody's word: it is never folded away.
pub(super) fn is_grave(action: &Action) -> bool {
    let deletes = symbol(action) == '-';
    action.guard.is_some() || matches!(action.undo, Undo::Irreversible(_)) || deletes
}
