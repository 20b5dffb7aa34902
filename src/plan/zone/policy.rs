//! Whether an MTA-STS policy may be announced, and when (RFC 8461).
//!
//! Senders that fetched a policy in force deliver to no server that it does not list, for as long as it says. So a record
//! is written only for a policy that is served, or that the spec says is going to be, and that lists the servers which
//! mail goes to. It is written before the MX moves when the policy lists those of today too, and after it otherwise.

use std::collections::BTreeSet;

use crate::{
    model::{
        ActionId, DnsTopic, DnsView, ExpectedRecord, Guard, GuardOutcome, Need, NoteKind, Phase, Policy, PolicyMode,
        PolicyView, Question, RecordType, ZoneChange,
    },
    plan::{draft::Draft, reads},
};

use super::{emit::Place, seen::Seen};

impl Place<'_, '_> {
    /// The policy that a record would announce, as the spec says it or as it is served.
    fn policy(&self) -> Option<&Policy> {
        match (&self.spec.dns.mta_sts, self.served()) {
            (Some(said), _) => Some(said),
            (None, Some(PolicyView::Served { policy })) => Some(policy),
            _ => None,
        }
    }

    fn served(&self) -> Option<&PolicyView> {
        self.world.inventory.dns.get(self.domain)?.policy.as_ref()
    }

    /// Says why no policy is announced where one should be, and none is served and none said.
    pub(super) fn unannounced(&self, all: &[ExpectedRecord], draft: &mut Draft) {
        if self.policy().is_some() || !self.spec.dns.records.contains(&DnsTopic::MtaSts) {
            return;
        }
        let wanted = self.wanted_hosts(all);
        let mx = wanted.into_iter().chain(self.hosts_now().unwrap_or_default()).collect();
        let example = Policy { mode: PolicyMode::Testing, max_age: 604_800, mx };
        match self.served() {
            Some(PolicyView::Wrong { reason }) => {
                let message = format!("no MTA-STS policy is served, so none is announced: {reason}");
                let help = format!("{}\nthen plan again", self.serve(&example));
                draft.note(NoteKind::Blocked, "mta-sts-no-policy", self.place_of_policy(), message, Some(help));
            }
            other => {
                let why = match other {
                    Some(PolicyView::Unknown { reason }) => reason.as_str(),
                    _ => "nobody has looked",
                };
                let message = format!("whether an MTA-STS policy is served is not known, so none is announced: {why}");
                let help = "plan again from a network that reaches it, or say the policy in the spec, as `mta_sts`";
                draft.note(NoteKind::Blocked, "mta-sts-unread", self.place_of_policy(), message, Some(help.to_owned()));
            }
        }
    }

    /// Whether the policy may be announced at all; a note says why not, and what has to be served.
    pub(super) fn may_announce(&self, all: &[ExpectedRecord], draft: &mut Draft) -> bool {
        let Some(policy) = self.policy() else { return false };
        if let (Some(said), Some(PolicyView::Served { policy: served })) = (&self.spec.dns.mta_sts, self.served())
            && said != served
        {
            // A sender that sees the new id now would fetch the old policy and keep it under that id.
            let message = "another MTA-STS policy is served than the spec says, so it is not announced yet".to_owned();
            let help = format!("{}\nthen plan again", self.serve(said));
            draft.note(NoteKind::Waiting, "mta-sts-other-policy", self.place_of_policy(), message, Some(help));
            return false;
        }
        if policy.mode != PolicyMode::None && !self.lists(policy, all, draft) {
            return false;
        }
        if let Some(PolicyView::Wrong { reason } | PolicyView::Unknown { reason }) = self.served() {
            let message = format!("the MTA-STS policy that is announced is not seen to be served: {reason}");
            let help = Some(self.serve(policy));
            draft.note(NoteKind::Info, "mta-sts-serve", self.place_of_policy(), message, help);
        }
        true
    }

    /// Whether a policy lists the servers that mail goes to, or is going to.
    fn lists(&self, policy: &Policy, all: &[ExpectedRecord], draft: &mut Draft) -> bool {
        let Some(now) = self.hosts_now() else {
            let message = "which servers take mail is not known, so no MTA-STS policy is announced".to_owned();
            let help = Some("plan again once its servers answer, and agree".to_owned());
            draft.note(NoteKind::Blocked, "dns-unknown", self.place_of_policy(), message, help);
            return false;
        };
        let wanted = self.wanted_hosts(all);
        // Where nobody says which servers are wanted, those that are there are.
        let needed = if wanted.is_empty() { &now } else { &wanted };
        let missing: Vec<&str> = needed.iter().filter(|h| !policy.covers(h)).map(String::as_str).collect();
        if !missing.is_empty() {
            let message = format!(
                "the MTA-STS policy does not list {}, so it is not announced: senders would not deliver there",
                missing.join(", ")
            );
            let mut right = policy.clone();
            right.mx.extend(wanted.iter().chain(&now).filter(|h| !policy.covers(h)).cloned());
            let said = self.spec.dns.mta_sts.is_some();
            let spec = if said { "add it to `mta_sts` in the spec, and " } else { "" };
            let help = format!("{spec}{}\nthen plan again", self.serve(&right));
            draft.note(NoteKind::Blocked, "mta-sts-uncovered", self.place_of_policy(), message, Some(help));
            return false;
        }
        let old = self.left_out(all);
        if !old.is_empty() && !self.spec.dns.records.contains(&DnsTopic::Mx) {
            let message = format!(
                "mail still goes to {}, which the MTA-STS policy does not list: it is announced once the MX has moved",
                old.into_iter().collect::<Vec<_>>().join(", ")
            );
            let help = Some("move the MX, then plan again; or list these servers too".to_owned());
            draft.note(NoteKind::Waiting, "mta-sts-old-servers", self.place_of_policy(), message, help);
            return false;
        }
        true
    }

    /// The servers of today that the policy does not list.
    pub(super) fn left_out(&self, all: &[ExpectedRecord]) -> BTreeSet<String> {
        let Some(policy) = self.policy().filter(|p| p.mode != PolicyMode::None) else { return BTreeSet::new() };
        let wanted = self.wanted_hosts(all);
        let now = self.hosts_now().unwrap_or_default().into_iter();
        now.filter(|h| !policy.covers(h) && !wanted.contains(h)).collect()
    }

    /// Plans the record. An enforced one binds senders for as long as the policy says, whatever is done here.
    pub(super) fn announce(&self, phase: Phase, change: ZoneChange, draft: &mut Draft) -> ActionId {
        if matches!(self.served(), Some(PolicyView::Served { .. })) {
            draft.read(self.domain.as_str(), reads::policy_key(self.domain));
        }
        let action = self.add(phase, DnsTopic::MtaSts, change, draft);
        action.reason = "senders fetch the policy again when its id changes".into();
        if let Some(policy) = self.policy().filter(|p| p.mode == PolicyMode::Enforce) {
            let servers: Vec<&str> = policy.mx.iter().map(String::as_str).collect();
            let message = format!(
                "senders will deliver mail for {} to {} alone, and keep to that for {} s after they saw it last",
                self.domain.unicode(),
                servers.join(", "),
                policy.max_age
            );
            let guard = Guard { code: "mta-sts-enforce".to_owned(), message, outcome: GuardOutcome::Ack };
            action.guard = Some(Box::new(guard));
        }
        action.id.clone()
    }

    /// The servers that take mail now; `None` where that is not known.
    fn hosts_now(&self) -> Option<BTreeSet<String>> {
        let question = Question { name: self.domain.to_string(), rtype: RecordType::Mx };
        match self.seen(&question) {
            Seen::Is(set) => Some(set.iter().flat_map(|s| &s.values).filter_map(|v| host(v)).collect()),
            _ => None,
        }
    }

    /// The servers that should take it. Those that may be there count where they are.
    fn wanted_hosts(&self, all: &[ExpectedRecord]) -> BTreeSet<String> {
        let now = self.hosts_now().unwrap_or_default();
        let mx = all.iter().filter(|r| r.topic == DnsTopic::Mx);
        mx.filter_map(|r| host(&r.value).filter(|h| r.need != Need::Optional || now.contains(h))).collect()
    }

    fn place_of_policy(&self) -> String {
        format!("_mta-sts.{} TXT", self.domain)
    }

    /// What a web server has to serve, and where.
    fn serve(&self, policy: &Policy) -> String {
        format!(
            "serve as text/plain, without a redirect, at https://mta-sts.{}/.well-known/mta-sts.txt\n{}",
            self.domain,
            policy.text().trim_end()
        )
    }
}

/// What an MTA-STS policy in force means for mail that goes back to servers which it does not list: half a sentence.
pub(in crate::plan) fn kept_away(view: &DnsView, change: &ZoneChange) -> Option<String> {
    let Some(PolicyView::Served { policy }) = &view.policy else { return None };
    let hosts = if change.rtype == RecordType::Mx { change.mail_hosts() } else { Vec::new() };
    let missing: Vec<&str> = hosts.into_iter().filter(|host| !policy.covers(host)).collect();
    (policy.mode == PolicyMode::Enforce && !missing.is_empty()).then(|| {
        format!(
            "; the MTA-STS policy does not list {}, and senders that know it do not deliver there for {} s: add it to the \
             policy, with a new id, first",
            missing.join(", "),
            policy.max_age
        )
    })
}

/// The host of an MX record; nothing for one that says that no mail is taken (RFC 7505).
fn host(record: &str) -> Option<String> {
    let host = record.split(' ').nth(1)?.trim_end_matches('.').to_ascii_lowercase();
    (!host.is_empty()).then_some(host)
}
