//! Actions: the units of a plan.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    AclChoice, ActionId, ActionIds, Address, Change, CutoverWork, DnsTopic, Domain, MailFilter, MailboxRef, PlatformId,
    Shared, Text, ZoneChange,
};

/// The stages that a plan shows in order. Edges, not phases, make it safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Domains on the target.
    Domain,
    /// Renames and creates.
    Account,
    /// Aliases, redirections, groups, delegations, contacts, footers.
    Dependent,
    /// Mail.
    Copy,
    /// Proofs.
    Verify,
    /// Renames into place (`stage`).
    Cutover,
    /// The source, once everything is proved.
    Retire,
    /// What an earlier run did, taken back.
    Rollback,
}

impl Phase {
    /// The heading people read.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Domain => "Domains",
            Self::Account => "Accounts",
            Self::Dependent => "Addresses and rights",
            Self::Copy => "Mail",
            Self::Verify => "Verification",
            Self::Cutover => "Cutover",
            Self::Retire => "Source",
            Self::Rollback => "Taken back",
        }
    }
}

/// One unit of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Action {
    /// Its readable, stable name.
    pub id: ActionId,
    /// Its stage.
    pub phase: Phase,
    /// What fails together: a failure stops the later actions of the same chain. An account's address, or a domain.
    pub chain: Text,
    /// What is done.
    pub work: Work,
    /// Why, in one sentence for people.
    pub reason: Text,
    /// What must be done before.
    #[schemars(with = "BTreeSet<ActionId>")]
    pub requires: ActionIds,
    /// What must be true just before.
    pub preconditions: Vec<Precondition>,
    /// How it is taken back.
    pub undo: Undo,
    /// What somebody must agree to before.
    pub guard: Option<Box<Guard>>,
    /// The address whose rename and create belong together; the rename is taken back when the create fails.
    pub swap: Option<Address>,
}

/// What an action does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "work", rename_all = "snake_case")]
pub enum Work {
    /// Changes a platform.
    Platform {
        /// The platform.
        platform: PlatformId,
        /// The change.
        change: Change,
    },
    /// Changes a DNS zone.
    Zone(Box<ZoneChange>),
    /// Waits before or after the MX of a domain moves.
    Cutover(Box<CutoverWork>),
    /// Waits until a platform has accepted a domain.
    DomainReady {
        /// The platform.
        platform: PlatformId,
        /// The domain.
        domain: Domain,
    },
    /// Copies the mail that the target does not have yet.
    Copy(Box<MailWork>),
    /// Reads both mailboxes with the independent reader and compares every message.
    VerifyMail(Box<MailWork>),
    /// Checks the DNS of a domain against what the platform expects.
    VerifyDns {
        /// The platform whose records are expected.
        platform: PlatformId,
        /// The domain.
        domain: Domain,
        /// What is checked.
        topics: BTreeSet<DnsTopic>,
    },
}

/// The two mailboxes of one copy or comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MailWork {
    /// The address of the spec; the identity of the mailbox in the journal.
    pub account: Address,
    /// Where mail comes from.
    pub source: MailboxRef,
    /// Where mail goes.
    pub target: MailboxRef,
    /// Which pass this is, from 1.
    pub pass: u32,
    /// The pass counts as done when the one before it brought fewer messages than this. The plan says so, and whoever
    /// applies it only compares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip_below: Option<u64>,
    /// What is left out.
    #[serde(default)]
    pub filter: Shared<MailFilter>,
    /// What is done about the rights of others.
    #[serde(default, skip_serializing_if = "AclChoice::is_leave")]
    pub acl: AclChoice,
    /// What the source held when the plan was made.
    pub estimate: Option<MailEstimate>,
}

/// The size of a copy as it looked when the plan was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MailEstimate {
    /// Folders.
    pub folders: u64,
    /// Messages.
    pub messages: u64,
    /// Octets, where the server or the platform tells.
    pub octets: Option<u64>,
}

/// What must be true just before an action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Precondition {
    /// No object of the platform has this address.
    AddressFree {
        /// The platform.
        platform: PlatformId,
        /// The address.
        address: Address,
    },
    /// The account exists and takes changes.
    AccountOk {
        /// The platform.
        platform: PlatformId,
        /// The address.
        address: Address,
    },
    /// The mailbox was verified in this workspace, and nothing came in since.
    Verified {
        /// The address of the spec.
        account: Address,
    },
}

/// How an action is taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "undo", content = "how", rename_all = "snake_case")]
pub enum Undo {
    /// By this change.
    Change {
        /// The platform.
        platform: PlatformId,
        /// The change.
        change: Change,
    },
    /// By this change of a DNS zone.
    Zone(Box<ZoneChange>),
    /// Nothing was changed.
    Nothing,
    /// Only by a person; the text says how.
    Manual(Text),
    /// Not at all; the text says why.
    Irreversible(Text),
}

/// Why an action needs somebody's word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Guard {
    /// A stable code, such as `reset-mailbox`.
    pub code: String,
    /// What is at stake, in one sentence.
    pub message: String,
    /// What it takes.
    pub outcome: GuardOutcome,
}

/// What a guard demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GuardOutcome {
    /// Somebody must acknowledge it (`--ack CODE`), bound to this plan.
    Ack,
    /// It is not done.
    Deny,
}

/// Why something is *not* planned.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Note {
    /// What kind of reason.
    pub kind: NoteKind,
    /// A stable code, such as `calendar-not-copied`.
    pub code: String,
    /// What it is about.
    pub subject: String,
    /// The fact, in one sentence.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// All that the sentence is about, a line each, where it names only some of it: for machines and for searching.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
}

/// The kinds of notes, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoteKind {
    /// The spec wants it and it cannot be done as things are; nothing of its account is planned.
    Blocked,
    /// A person must decide between two readings.
    Ambiguous,
    /// It waits for something outside.
    Waiting,
    /// The platform cannot hold it.
    Unsupported,
    /// It exists, the spec does not speak of it, it is left alone.
    Unmanaged,
    /// Good to know.
    Info,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_undo_survives_json() {
        let change = Change::DomainRemove { domain: Domain::parse("x.org").unwrap() };
        for undo in [
            Undo::Change { platform: PlatformId::from("new"), change },
            Undo::Nothing,
            Undo::Manual("by hand".into()),
            Undo::Irreversible("gone".into()),
        ] {
            let json = serde_json::to_string(&undo).unwrap();
            assert_eq!(serde_json::from_str::<Undo>(&json).unwrap(), undo, "{json}");
        }
    }
}
