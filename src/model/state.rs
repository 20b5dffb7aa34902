//! State: what earlier runs recorded, as the planner needs it. A pure fold of the journal.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Address, CopyCounts, Domain, FolderPath, FolderStatus, PlanId, PlatformId, RunId, Verified, pairs};

/// What the journal knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// By address of the spec.
    #[serde(with = "pairs")]
    pub mailboxes: BTreeMap<Address, MailboxState>,
    /// Plans that were applied, and how that ended.
    pub plans: BTreeMap<PlanId, PlanOutcome>,
    /// The run that has begun and not ended.
    pub open_run: Option<RunId>,
    /// Accounts that must not be reset or deleted, whatever a spec says.
    pub protected: BTreeSet<Address>,
    /// Passwords that were generated and delivered, by platform and address: they need not be set again.
    pub passwords: BTreeSet<(PlatformId, Address)>,
    /// The TTLs that MX records had before they were lowered for a move that has not ended, in seconds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lowered_ttls: BTreeMap<Domain, u32>,
}

/// What the journal knows of one mailbox of the spec.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailboxState {
    /// The platform and address where its mail came from, as last copied.
    pub source: Option<(PlatformId, Address)>,
    /// The source's folders as the last completed pass saw them.
    #[serde(with = "pairs")]
    pub copied: BTreeMap<FolderPath, FolderStatus>,
    /// The sums of the last completed pass.
    pub counts: Option<CopyCounts>,
    /// How many passes were completed.
    pub passes: u32,
    /// The last time the target was proved equal to the source.
    pub verified: Option<Verified>,
}

/// How the application of a plan ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanOutcome {
    /// It has begun and not ended.
    Open,
    /// Everything in it was done.
    Done,
    /// Some of it was done.
    Partial,
}
