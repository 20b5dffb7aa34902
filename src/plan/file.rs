//! The plan file: a plan as bytes and back, with the digest that ties a review to what is applied.
//!
//! The file is pretty-printed JSON, so that it can be read and compared in a repository. The id is computed over the
//! canonical form of the body (see `canonical.rs`: keys sorted, no insignificant space), so that white space does not
//! matter and everything else does.

use serde::{Deserialize, de::IgnoredAny};
use thiserror::Error;

use super::{Body, FORMAT, Plan, canonical::Canonical};
use crate::model::PlanId;

/// Why bytes are not a plan that can be used.
#[derive(Debug, Error)]
pub enum PlanFileError {
    /// The bytes end in the middle.
    #[error("the plan file is cut off after {octets} octets; make the plan again with `rehome plan --out FILE`")]
    Truncated {
        /// How many octets there are.
        octets: usize,
    },
    /// It is something else.
    #[error("this is not a plan file of rehome; plan files are made with `rehome plan --out FILE`")]
    NotAPlan {
        /// What was wrong, where that says more.
        #[source]
        source: Option<serde_json::Error>,
    },
    /// It was written by a newer program.
    #[error(
        "the plan file has format {found} and this program reads up to format {supported}; apply it with the version \
         of rehome that made it ({tool}), or make the plan again with this one"
    )]
    Newer {
        /// The format of the file.
        found: u32,
        /// The newest format this program reads.
        supported: u32,
        /// The version that wrote it.
        tool: String,
    },
    /// The body is not what was reviewed.
    #[error(
        "the plan file was changed after it was made: it says plan {said} and its content is plan {is}; make the plan \
         again instead of editing it"
    )]
    Edited {
        /// The id in the file, shortened.
        said: String,
        /// The id of the content, shortened.
        is: String,
    },
    /// The envelope is a plan's, the body is not.
    #[error("the plan file is damaged; make the plan again with `rehome plan --out FILE`")]
    Damaged {
        /// What was wrong.
        #[source]
        source: serde_json::Error,
    },
}

/// An id over something else than the plan would be worse than no plan.
const SERIALISES: &str = "a plan is plain data with text keys, which JSON can hold";

#[derive(Deserialize)]
struct Envelope {
    format: u32,
    #[serde(rename = "id")]
    _id: PlanId,
    #[serde(default)]
    header: EnvelopeHeader,
    #[serde(rename = "body")]
    _body: IgnoredAny,
}

#[derive(Default, Deserialize)]
struct EnvelopeHeader {
    #[serde(default)]
    tool: String,
}

/// A plan as the bytes of a plan file.
#[must_use]
pub fn to_bytes(plan: &Plan) -> Vec<u8> {
    let mut out = serde_json::to_vec_pretty(plan).expect(SERIALISES);
    out.push(b'\n');
    out
}

/// Reads a plan file.
///
/// # Errors
/// [`PlanFileError`] says which of the ways to be unusable it is, and what to do.
pub fn from_bytes(bytes: &[u8]) -> Result<Plan, PlanFileError> {
    let envelope: Envelope = serde_json::from_slice(bytes).map_err(|e| refuse(bytes, e))?;
    if envelope.format == 0 {
        return Err(PlanFileError::NotAPlan { source: None });
    }
    if envelope.format > FORMAT {
        return Err(PlanFileError::Newer { found: envelope.format, supported: FORMAT, tool: envelope.header.tool });
    }
    let plan: Plan = serde_json::from_slice(bytes).map_err(|source| PlanFileError::Damaged { source })?;
    let is = id(&plan.body);
    if is != plan.id {
        return Err(PlanFileError::Edited { said: plan.id.short().to_owned(), is: is.short().to_owned() });
    }
    Ok(plan)
}

fn refuse(bytes: &[u8], error: serde_json::Error) -> PlanFileError {
    let begun = bytes.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{');
    if error.is_eof() && begun {
        PlanFileError::Truncated { octets: bytes.len() }
    } else {
        PlanFileError::NotAPlan { source: Some(error) }
    }
}

/// The id of a body: SHA-256 of its canonical JSON.
#[must_use]
pub(super) fn id(body: &Body) -> PlanId {
    Id::begin(body).end(body)
}

/// An id on the way: part by part in the order of the keys, so that a plan of many accounts is never a second time in
/// memory, and so that what comes late need not be there when it begins.
pub(super) struct Id(Canonical);

impl Id {
    /// Takes what is done and why other things are not.
    pub(super) fn begin(body: &Body) -> Self {
        let mut out = Canonical::default();
        head(body, &mut out).expect(SERIALISES);
        Self(out)
    }

    /// Takes the rest. The body must be the one that it began with; what it read may have been added.
    pub(super) fn end(mut self, body: &Body) -> PlanId {
        tail(body, &mut self.0).expect(SERIALISES);
        PlanId(self.0.digest().hex())
    }
}

fn head(body: &Body, out: &mut Canonical) -> serde_json::Result<()> {
    let Body { actions, gates, notes, .. } = body;
    out.raw("{\"actions\":");
    out.list(actions)?;
    // What is left out of the file when it says nothing is left out here, so that ids stay what they were.
    if !gates.is_empty() {
        out.raw(",\"gates\":");
        out.item(gates)?;
    }
    out.raw(",\"notes\":");
    out.list(notes)
}

fn tail(body: &Body, out: &mut Canonical) -> serde_json::Result<()> {
    let Body { part, read_set, rollback_of, spec_digest, strategies, actions: _, gates: _, notes: _ } = body;
    if !part.is_whole() {
        out.raw(",\"part\":");
        out.item(part)?;
    }
    out.raw(",\"read_set\":");
    out.entries(read_set.iter())?;
    if let Some(run) = rollback_of {
        out.raw(",\"rollback_of\":");
        out.item(run)?;
    }
    out.raw(",\"spec_digest\":");
    out.item(spec_digest)?;
    out.raw(",\"strategies\":");
    out.item(strategies)?;
    out.raw("}");
    Ok(())
}
