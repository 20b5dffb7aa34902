//! The plan as data.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    model::{Action, Domain, Gates, Note, PlanId, RunId, Text},
    spec::Strategy,
};

use super::Fields;

/// The version of the plan format that this program writes.
pub const FORMAT: u32 = 1;

/// An immutable, ordered list of actions with everything needed to review, save and apply it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// The version of the format.
    pub format: u32,
    /// SHA-256 of the canonical JSON of `body`.
    pub id: PlanId,
    /// What is good to know and decides nothing: it is not part of the id.
    pub header: Header,
    /// What is decided.
    pub body: Body,
}

/// What is good to know about a plan and decides nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Header {
    /// When it was made, RFC 3339.
    pub created: String,
    /// The version of rehome that made it.
    pub tool: String,
    /// The path of the spec, as it was given.
    pub spec: String,
}

/// What a plan decides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Body {
    /// The digest of the spec it was made from.
    pub spec_digest: String,
    /// How each domain moves.
    pub strategies: BTreeMap<Domain, Strategy>,
    /// What the plan read, by object (`exchange/account/john.smith@mydomain.ovh`) and field. An empty map means that
    /// the object was not there.
    #[schemars(with = "BTreeMap<String, BTreeMap<String, serde_json::Value>>")]
    pub read_set: BTreeMap<Text, Fields>,
    /// Which part of the whole it is; the whole when empty.
    #[serde(default, skip_serializing_if = "Part::is_whole")]
    pub part: Part,
    /// The run that it takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_of: Option<RunId>,
    /// What holds the actions up although nothing is wrong.
    #[serde(default, skip_serializing_if = "Gates::is_empty")]
    pub gates: Gates,
    /// The actions, in an order that respects every requirement.
    pub actions: Vec<Action>,
    /// Why other things are not planned.
    pub notes: Vec<Note>,
}

/// What a plan was narrowed to. Each entry is an address, a domain, or the name of an action.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Part {
    /// Only these, and what they need (`--target`).
    #[serde(default)]
    pub only: BTreeSet<String>,
    /// Not these, nor what needs them (`--exclude`).
    #[serde(default)]
    pub without: BTreeSet<String>,
}

impl Part {
    /// Whether nothing was left out.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.only.is_empty() && self.without.is_empty()
    }
}

impl Plan {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.body.actions.is_empty()
    }
}
