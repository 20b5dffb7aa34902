//! The plan file: a plan as bytes and back, with the digest that ties a review to what is applied.
//!
//! The file is pretty-printed JSON, so that it can be read and compared in a repository. The id is computed over the
//! canonical form of the body (RFC 8785 rules: keys sorted, no insignificant space), so that white space does not
//! matter and everything else does. The body holds no floating-point numbers, which is the one place where canonical
//! forms disagree.

use serde::{Deserialize, Serialize, de::IgnoredAny};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::{Body, FORMAT, Plan};
use crate::model::{Digest, PlanId};

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
    let Body { spec_digest, strategies, read_set, part, rollback_of, actions, notes } = body;
    let mut out = Canonical::default();
    // Part by part in the order of the keys, so that a plan of many accounts is never a second time in memory.
    out.raw("{\"actions\":");
    out.list(actions);
    out.raw(",\"notes\":");
    out.list(notes);
    // What is left out of the file when it says nothing is left out here, so that ids stay what they were.
    if !part.is_whole() {
        out.raw(",\"part\":");
        out.item(part);
    }
    out.raw(",\"read_set\":{");
    for (n, (object, fields)) in read_set.iter().enumerate() {
        out.comma(n);
        out.text(object);
        out.raw(":");
        out.item(fields);
    }
    out.raw("}");
    if let Some(run) = rollback_of {
        out.raw(",\"rollback_of\":");
        out.item(run);
    }
    out.raw(",\"spec_digest\":");
    out.text(spec_digest);
    out.raw(",\"strategies\":");
    out.item(strategies);
    out.raw("}");
    PlanId(out.digest().hex())
}

/// Canonical JSON on its way into a digest.
#[derive(Default)]
struct Canonical {
    hash: Sha256,
    /// What is not hashed yet: a digest takes large pieces much faster than small ones.
    pending: Vec<u8>,
}

impl Canonical {
    const PIECE: usize = 1 << 16;

    fn raw(&mut self, text: &str) {
        self.pending.extend_from_slice(text.as_bytes());
        if self.pending.len() >= Self::PIECE {
            self.hash.update(&self.pending);
            self.pending.clear();
        }
    }

    fn comma(&mut self, n: usize) {
        if n > 0 {
            self.raw(",");
        }
    }

    fn list<T: Serialize>(&mut self, items: &[T]) {
        self.raw("[");
        for (n, item) in items.iter().enumerate() {
            self.comma(n);
            self.item(item);
        }
        self.raw("]");
    }

    fn item<T: Serialize>(&mut self, item: &T) {
        self.value(&serde_json::to_value(item).expect(SERIALISES));
    }

    fn text(&mut self, text: &str) {
        // Only these need an escape (RFC 8259 7), and hardly any text has them.
        if text.bytes().any(|b| b < 0x20 || b == b'"' || b == b'\\') {
            self.raw(&serde_json::to_string(text).expect(SERIALISES));
        } else {
            self.raw("\"");
            self.raw(text);
            self.raw("\"");
        }
    }

    fn value(&mut self, value: &serde_json::Value) {
        match value {
            serde_json::Value::Object(map) => {
                // Sorted here: whether the map type is sorted depends on a feature that any dependency can switch.
                let mut entries: Vec<_> = map.iter().collect();
                entries.sort_by_key(|(key, _)| *key);
                self.raw("{");
                for (n, (key, value)) in entries.into_iter().enumerate() {
                    self.comma(n);
                    self.text(key);
                    self.raw(":");
                    self.value(value);
                }
                self.raw("}");
            }
            serde_json::Value::Array(items) => {
                self.raw("[");
                for (n, item) in items.iter().enumerate() {
                    self.comma(n);
                    self.value(item);
                }
                self.raw("]");
            }
            serde_json::Value::String(text) => self.text(text),
            serde_json::Value::Null => self.raw("null"),
            serde_json::Value::Bool(true) => self.raw("true"),
            serde_json::Value::Bool(false) => self.raw("false"),
            serde_json::Value::Number(number) => self.raw(&number.to_string()),
        }
    }

    fn digest(mut self) -> Digest {
        self.hash.update(&self.pending);
        Digest(self.hash.finalize().into())
    }
}
