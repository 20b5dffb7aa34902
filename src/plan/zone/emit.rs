//! Actions and notes of the zones that rehome may write.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    dns::spf::is_record,
    index::Index,
    model::{
        Action, ActionId, DnsTopic, Domain, ExpectedRecord, Guard, GuardOutcome, NoteKind, Phase, Question, RecordSet,
        RecordType, Undo, Work, ZoneChange,
    },
    plan::{cutover, draft::Draft, reads, world::World},
    spec::{DomainSpec, Presence},
};

use super::{
    seen::{Seen, seen},
    sets::{after, tightens},
    wanted::wanted,
};

/// Lookups and void lookups at which receivers stop (RFC 7208 4.6.4).
const LOOKUPS: usize = crate::dns::spf::LOOKUPS;
const VOIDS: usize = crate::dns::spf::VOIDS;
/// The octets of a datagram without extensions (RFC 1035 4.2.1), and what no panel and few receivers go beyond.
const SPF_PLAIN: usize = 512;
const SPF_LONGEST: usize = 4096;

/// One set with what is wanted of it.
struct Wish<'e> {
    topic: DnsTopic,
    question: Question,
    records: Vec<&'e ExpectedRecord>,
}

/// Plans the records of every domain whose zone may be written.
pub(in crate::plan) fn emit(world: &World<'_>, draft: &mut Draft) {
    let written = |(_, spec): &(&Domain, &DomainSpec)| spec.dns.manage.is_some() && spec.state == Presence::Present;
    let planned = planned(world.spec.domains.iter().filter(written).map(|(domain, _)| domain), draft);
    for (domain, spec) in world.spec.domains.iter().filter(written) {
        if !world.inventory.dns.contains_key(domain) {
            let help = Some("plan without --no-dns to have its records planned too".to_owned());
            draft.note(NoteKind::Info, "dns-not-asked", domain.as_str(), "its DNS was not looked at", help);
            continue;
        }
        later(world, domain, spec, draft);
        let all = wanted(world.spec, world.inventory, domain, spec);
        let planned = planned.get(domain.as_str()).map_or(&[][..], Vec::as_slice);
        let place = Place { world, domain, spec, planned };
        let mut made: BTreeMap<DnsTopic, Vec<ZoneChange>> = BTreeMap::new();
        for wish in wishes(&all) {
            if let Some(change) = place.change(&wish, &all, draft) {
                made.entry(wish.topic).or_default().push(change);
            }
        }
        place.unannounced(&all, draft);
        if !made.contains_key(&DnsTopic::Mx) {
            place.raise(draft);
        }
        place.act(made, &all, draft);
    }
}

/// What is planned for the accounts and other objects of each domain so far, up to the proof of their mail: the numbers
/// of the actions.
fn planned<'d>(domains: impl Iterator<Item = &'d Domain>, draft: &Draft) -> Index<&'d str, Vec<usize>> {
    let mut out: Index<&str, Vec<usize>> = domains.map(|domain| (domain.as_str(), Vec::new())).collect();
    if out.is_empty() {
        return out;
    }
    for (at, action) in draft.actions.iter().enumerate() {
        let domain = action.chain.rsplit_once('@').map_or(action.chain.as_str(), |(_, domain)| domain);
        if action.phase < Phase::Retire && !matches!(action.work, Work::Zone(_)) {
            out.get_mut(domain).into_iter().for_each(|all| all.push(at));
        }
    }
    out
}

/// Says that a platform names its records only once it has the domain.
fn later(world: &World<'_>, domain: &Domain, spec: &DomainSpec, draft: &mut Draft) {
    if names_later(world, domain, spec) {
        let message = format!("{} tells its own records once it has the domain", world.title(&spec.platform));
        let help = Some("plan again after this plan is applied: keys and client settings come then".to_owned());
        draft.note(NoteKind::Info, "dns-later", domain.as_str(), message, help);
    }
}

/// Whether a platform names its records only once it has the domain, and does not have it yet.
pub(in crate::plan) fn names_later(world: &World<'_>, domain: &Domain, spec: &DomainSpec) -> bool {
    let target = world.platform(&spec.platform);
    target.is_some_and(|v| v.capabilities.domains && v.domains.get(domain).is_none_or(|d| d.expected.is_empty()))
}

/// The sets, each with all its records.
fn wishes(all: &[ExpectedRecord]) -> Vec<Wish<'_>> {
    let mut by: BTreeMap<(DnsTopic, Question), Vec<&ExpectedRecord>> = BTreeMap::new();
    for record in all {
        let question = Question { name: record.name.clone(), rtype: record.rtype };
        by.entry((record.topic, question)).or_default().push(record);
    }
    by.into_iter().map(|((topic, question), records)| Wish { topic, question, records }).collect()
}

pub(super) struct Place<'p, 'a> {
    pub(super) world: &'p World<'a>,
    pub(super) domain: &'p Domain,
    pub(super) spec: &'p DomainSpec,
    /// The numbers of the actions that are planned for what is in it.
    planned: &'p [usize],
}

impl Place<'_, '_> {
    pub(super) fn seen(&self, question: &Question) -> Seen {
        match self.world.inventory.dns.get(self.domain) {
            Some(view) => seen(view, question),
            None => Seen::Unknown("its DNS was not looked at".to_owned()),
        }
    }

    /// What is to be written, or a note why not.
    fn change(&self, wish: &Wish<'_>, all: &[ExpectedRecord], draft: &mut Draft) -> Option<ZoneChange> {
        let subject = self.subject(&wish.question);
        let before = match self.seen(&wish.question) {
            Seen::Is(before) => before,
            Seen::Unknown(why) => {
                let message = format!("what is there is not known, so nothing is written: {why}");
                let help = Some("plan again once its servers answer".to_owned());
                draft.note(NoteKind::Blocked, "dns-unknown", subject, message, help);
                return None;
            }
            Seen::Differs(told) => {
                let message = format!("its servers differ, so nothing is written: {told}");
                let help = Some("wait until the secondary servers have caught up, then plan again".to_owned());
                draft.note(NoteKind::Waiting, "dns-servers-differ", subject, message, help);
                return None;
            }
            Seen::Alias(target) => {
                let message =
                    format!("{} is an alias of {target}, and nothing can stand beside it", wish.question.name);
                draft.note(NoteKind::Unsupported, "dns-alias", subject, message, Some(by_hand(&wish.records, None)));
                return None;
            }
        };
        let own = before.as_ref().is_some_and(|b| b.values.iter().any(|v| v.trim_start().starts_with("v=DMARC1")));
        if wish.topic == DnsTopic::Dmarc && self.spec.dns.dmarc.is_none() && own {
            return None;
        }
        let after = after(&wish.records, before.as_ref(), self.spec.dns.ttl)?;
        if wish.topic == DnsTopic::Spf && self.needless(&after) {
            return None;
        }
        if wish.topic == DnsTopic::MtaSts && !self.may_announce(all, draft) {
            return None;
        }
        if !self.spec.dns.records.contains(&wish.topic) {
            let message = format!("it should be changed, and `records` leaves {} to you", wish.topic.word());
            let help = by_hand(&wish.records, Some(&after));
            draft.note(NoteKind::Info, "dns-by-hand", subject, message, Some(help));
            return None;
        }
        if let Some(beside) = self.beside_alias(wish, before.as_ref()) {
            let message = format!("an alias is wanted at {}, where {beside} stands already", wish.question.name);
            let help = format!("remove what stands there, then {}", by_hand(&wish.records, None));
            draft.note(NoteKind::Unsupported, "dns-alias", subject, message, Some(help));
            return None;
        }
        let Question { name, rtype } = wish.question.clone();
        let change = ZoneChange { domain: self.domain.clone(), name, rtype, before, after: Some(after) };
        if wish.topic == DnsTopic::Spf
            && (self.too_dear(&change, draft) || self.loses(&change, draft) || self.too_long(&change, draft))
        {
            return None;
        }
        Some(change)
    }

    fn subject(&self, question: &Question) -> String {
        format!("{} {}", question.name, question.rtype)
    }

    /// What stands where an alias is to go.
    fn beside_alias(&self, wish: &Wish<'_>, before: Option<&RecordSet>) -> Option<String> {
        if wish.question.rtype != RecordType::Cname || before.is_some() {
            return None;
        }
        [RecordType::A, RecordType::Aaaa, RecordType::Txt].into_iter().find_map(|rtype| {
            let question = Question { name: wish.question.name.clone(), rtype };
            matches!(self.seen(&question), Seen::Is(Some(_))).then(|| format!("a record of type {rtype}"))
        })
    }

    /// Whether those whom the record would let in pass already, by what it includes: another term would only cost.
    fn needless(&self, after: &RecordSet) -> bool {
        let cost = self.world.inventory.dns.get(self.domain).and_then(|v| v.spf.as_ref());
        cost.is_some_and(|c| c.needless && after.values.contains(&c.record))
    }

    /// Refuses an SPF record that receivers would stop at.
    fn too_dear(&self, change: &ZoneChange, draft: &mut Draft) -> bool {
        let cost = self.world.inventory.dns.get(self.domain).and_then(|v| v.spf.as_ref());
        let Some(cost) = cost.filter(|c| change.added().contains(&c.record.as_str())) else { return false };
        if cost.lookups <= LOOKUPS && cost.voids <= VOIDS {
            return false;
        }
        let message = format!(
            "with the platform added the record would need {} lookups, {} of them void, and receivers stop with an \
             error after {LOOKUPS} or {VOIDS}",
            cost.lookups, cost.voids
        );
        let help =
            format!("remove what no longer sends, then plan again for\n{}. TXT \"{}\"", change.name, cost.record);
        draft.note(NoteKind::Blocked, "spf-merge-too-dear", format!("{} SPF", change.name), message, Some(help));
        true
    }

    /// Refuses an SPF record that turns somebody away who may send now.
    fn loses(&self, change: &ZoneChange, draft: &mut Draft) -> bool {
        let cost = self.world.inventory.dns.get(self.domain).and_then(|v| v.spf.as_ref());
        let Some(cost) = cost.filter(|c| change.added().contains(&c.record.as_str())) else { return false };
        if cost.lost.is_empty() {
            return false;
        }
        let message = format!("with the platform added the record would no longer let {} send", cost.lost.join(", "));
        let help = format!(
            "if they still send, write the record by hand, so that it lets them in; else take them out, then plan again for\n{}. TXT \"{}\"",
            change.name, cost.record
        );
        draft.note(NoteKind::Blocked, "spf-merge-loses-senders", format!("{} SPF", change.name), message, Some(help));
        true
    }

    /// Refuses an SPF record that is longer than what receivers and providers take, and tells of one that does not fit
    /// into a plain answer (RFC 7208 3.4).
    fn too_long(&self, change: &ZoneChange, draft: &mut Draft) -> bool {
        let longest = change.added().into_iter().filter(|v| is_record(v)).map(str::len).max().unwrap_or(0);
        let subject = format!("{} SPF", change.name);
        if longest > SPF_LONGEST {
            let message = format!(
                "with the platform added the record would have {longest} octets, and {SPF_LONGEST} is the most"
            );
            let help =
                "remove what no longer sends, or move it into a record that is included; then plan again".to_owned();
            draft.note(NoteKind::Blocked, "spf-too-long", subject, message, Some(help));
            return true;
        }
        if longest > SPF_PLAIN {
            let message = format!(
                "the record has {longest} octets: an answer with it does not fit into a plain datagram, and a receiver that \
                 cannot ask over TCP does not see it"
            );
            let help = "remove what no longer sends, or move it into a record that is included".to_owned();
            draft.note(NoteKind::Info, "spf-long", subject, message, Some(help));
        }
        false
    }

    /// Whether somebody has counted what the planned SPF record costs, with everything that it includes.
    fn counted(&self, change: &ZoneChange) -> bool {
        let cost = self.world.inventory.dns.get(self.domain).and_then(|v| v.spf.as_ref());
        cost.is_some_and(|c| c.complete && change.added().contains(&c.record.as_str()))
    }

    /// Makes the actions, each where it belongs.
    fn act(&self, made: BTreeMap<DnsTopic, Vec<ZoneChange>>, all: &[ExpectedRecord], draft: &mut Draft) {
        if made.is_empty() {
            return;
        }
        let separate = cutover::moves_mx(self.world, self.domain);
        let planned = self.planned.iter().filter_map(|at| draft.actions.get(*at));
        let accounts: BTreeSet<ActionId> = planned.clone().map(|a| a.id.clone()).collect();
        let creates: BTreeSet<ActionId> =
            planned.filter(|a| a.phase <= Phase::Dependent).map(|a| a.id.clone()).collect();
        let (mut switched, mut moved) = (BTreeSet::new(), BTreeSet::new());
        // What receivers look up about a message, and how long they may go by what was there before.
        let (mut beside, mut known) = (BTreeSet::new(), 0);
        // A policy that does not list the servers of today is announced once nobody delivers to them any more.
        let late = made.contains_key(&DnsTopic::Mx) && !self.left_out(all).is_empty();
        let order = |topic: &DnsTopic| match topic {
            DnsTopic::Ownership | DnsTopic::Spf | DnsTopic::Dkim | DnsTopic::Dmarc => 0,
            DnsTopic::MtaSts if !late => 0,
            DnsTopic::Mx => 1,
            DnsTopic::Autodiscover | DnsTopic::Autoconfig | DnsTopic::MtaSts | DnsTopic::TlsRpt => 2,
        };
        let mut made: Vec<(DnsTopic, Vec<ZoneChange>)> = made.into_iter().collect();
        made.sort_by_key(|(topic, _)| order(topic));
        for (topic, changes) in made {
            for change in changes {
                match topic {
                    DnsTopic::Ownership => self.prove(change, draft),
                    DnsTopic::Spf | DnsTopic::Dkim | DnsTopic::Dmarc => {
                        known = known.max(change.before.as_ref().map_or(0, |b| b.ttl));
                        beside.insert(self.add(Phase::Domain, topic, change, draft).id.clone());
                    }
                    DnsTopic::MtaSts if !late => {
                        beside.insert(self.announce(Phase::Domain, change, draft));
                    }
                    DnsTopic::MtaSts => {
                        let id = self.announce(Phase::Cutover, change, draft);
                        let after = if switched.is_empty() { moved.clone() } else { switched.clone() };
                        draft.require(&id, after);
                    }
                    DnsTopic::TlsRpt => {
                        self.add(Phase::Domain, topic, change, draft);
                    }
                    DnsTopic::Mx if separate && change.before.is_some() => {
                        let beside = (beside.clone(), known);
                        switched.insert(cutover::emit(self.world, self.domain, change, &accounts, &beside, draft));
                    }
                    DnsTopic::Mx => {
                        let action = self.add(Phase::Cutover, topic, change, draft);
                        action.requires.extend(accounts.iter().cloned());
                        moved.insert(action.id.clone());
                    }
                    DnsTopic::Autodiscover | DnsTopic::Autoconfig if !separate => {
                        let action = self.add(Phase::Dependent, topic, change, draft);
                        action.requires.extend(creates.iter().cloned());
                    }
                    DnsTopic::Autodiscover | DnsTopic::Autoconfig => {
                        let action = self.add(Phase::Cutover, topic, change, draft);
                        action.requires.extend(if switched.is_empty() { accounts.clone() } else { switched.clone() });
                    }
                }
            }
        }
    }

    /// An MX that has moved and still has the low TTL of its move gets back the one it had.
    fn raise(&self, draft: &mut Draft) {
        let Some(&was) = self.world.state.lowered_ttls.get(self.domain) else { return };
        let question = Question { name: self.domain.to_string(), rtype: RecordType::Mx };
        let Seen::Is(Some(now)) = self.seen(&question) else { return };
        if now.ttl >= was || !self.spec.dns.records.contains(&DnsTopic::Mx) {
            return;
        }
        let after = RecordSet { ttl: was, ..now.clone() };
        let change = ZoneChange {
            domain: self.domain.clone(),
            name: question.name,
            rtype: RecordType::Mx,
            before: Some(now),
            after: Some(after),
        };
        draft.read(self.domain.as_str(), reads::records_key(&change));
        add(draft, Phase::Cutover, change, "the TTL is what it was before the move".to_owned());
    }

    /// The proof that a platform waits for comes before the wait.
    fn prove(&self, change: ZoneChange, draft: &mut Draft) {
        let id = self.add(Phase::Domain, DnsTopic::Ownership, change, draft).id.clone();
        let waits = |a: &&mut Action| matches!(&a.work, Work::DomainReady { domain, .. } if domain == self.domain);
        for action in draft.actions.iter_mut().filter(waits) {
            action.requires.insert(id.clone());
        }
    }

    pub(super) fn add<'d>(
        &self,
        phase: Phase,
        topic: DnsTopic,
        change: ZoneChange,
        draft: &'d mut Draft,
    ) -> &'d mut Action {
        draft.read(self.domain.as_str(), reads::records_key(&change));
        let mut guard = guard_of(&change);
        if topic == DnsTopic::Spf && !self.counted(&change) {
            guard = Some(Guard {
                code: "spf-not-counted".to_owned(),
                message: format!("what the SPF record of {} costs receivers could not be counted", change.name),
                outcome: GuardOutcome::Ack,
            });
        }
        let reason = format!("{} wants it", self.world.title(&self.spec.platform));
        let action = add(draft, phase, change, reason);
        action.guard = guard.map(Box::new);
        action
    }
}

/// Adds the action of a change.
pub(in crate::plan) fn add(draft: &mut Draft, phase: Phase, change: ZoneChange, reason: String) -> &mut Action {
    let name = format!("{}:{}", change.kind(), change.subject());
    let undo = Undo::Zone(Box::new(change.reversed()));
    let chain = change.domain.to_string();
    draft.add((phase, &chain), name, Work::Zone(Box::new(change)), undo, reason)
}

/// What somebody has to agree to before a change.
pub(in crate::plan) fn guard_of(change: &ZoneChange) -> Option<Guard> {
    let guard =
        |code: &str, message: String| Some(Guard { code: code.to_owned(), message, outcome: GuardOutcome::Ack });
    if change.kind() == "dns.ttl" {
        return None;
    }
    if change.rtype == RecordType::Mx {
        let (gone, come) = (change.removed().join(", "), change.added().join(", "));
        let sent = match (come.is_empty(), gone.is_empty()) {
            (false, false) => format!("to {come} instead of {gone}"),
            (false, true) => format!("to {come}"),
            (true, _) => format!("no longer to {gone}"),
        };
        return guard("mx-change", format!("mail for {} will be sent {sent}", change.name));
    }
    let policy = change.name.starts_with("_dmarc.") && change.rtype == RecordType::Txt;
    let after = change.after.as_ref().filter(|_| policy)?;
    if !tightens(change.before.as_ref(), after) {
        return None;
    }
    let domain = &change.domain;
    guard(
        "dmarc-tightening",
        format!("receivers will treat mail in the name of {} that fails DMARC more harshly", domain.unicode()),
    )
}

/// The records as one types them into a zone.
fn by_hand(records: &[&ExpectedRecord], after: Option<&RecordSet>) -> String {
    let Some(first) = records.first() else { return String::new() };
    let values: Vec<String> = match after {
        Some(set) => set.values.iter().cloned().collect(),
        None => records.iter().map(|r| r.value.clone()).collect(),
    };
    let line = |value: &String| match first.rtype {
        RecordType::Txt => format!("{}. TXT \"{value}\"", first.name),
        // The root has no other dot.
        rtype if value.ends_with('.') => format!("{}. {rtype} {value}", first.name),
        rtype => format!("{}. {rtype} {value}.", first.name),
    };
    let ttl = after.map(|s| format!(" (TTL {})", s.ttl)).unwrap_or_default();
    format!("publish{ttl}\n{}", values.iter().map(line).collect::<Vec<_>>().join("\n"))
}

/// The domains whose MX a plan changes in a way that decides where new mail arrives.
pub(in crate::plan) fn switches(draft: &Draft) -> BTreeSet<Domain> {
    let moved = |action: &Action| match &action.work {
        Work::Zone(change) if change.rtype == RecordType::Mx && change.kind() != "dns.ttl" => {
            Some(change.domain.clone())
        }
        _ => None,
    };
    draft.actions.iter().filter_map(moved).collect()
}
