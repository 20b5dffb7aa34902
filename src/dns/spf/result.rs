//! What is asked of an evaluation, and what comes of it.

use std::{fmt, net::IpAddr};

use serde::Serialize;

/// How many terms may cost a lookup (RFC 7208 4.6.4).
pub const LOOKUPS: usize = 10;
/// How many of those may find nothing (RFC 7208 4.6.4).
pub const VOIDS: usize = 2;
/// Whose mail is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The address of the client.
    pub ip: IpAddr,
    /// The domain whose record is asked for. It need not be well-formed.
    pub domain: String,
    /// The envelope sender; empty for a bounce, whose sender is then `postmaster` at the HELO name. Without one, the
    /// sender is `postmaster` at the domain.
    pub sender: Option<String>,
    /// What the client called itself; the domain when not given.
    pub helo: Option<String>,
    /// Who checks, for explanations.
    pub receiver: String,
    /// Seconds since 1970, for explanations.
    pub time: i64,
}

/// The result (RFC 7208 2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// There is no record, or no domain to ask.
    None,
    /// The domain says nothing about the client.
    Neutral,
    /// The client may send.
    Pass,
    /// The client may not send.
    Fail,
    /// The client should not send.
    SoftFail,
    /// A question failed: later the result may be another.
    TempError,
    /// The records are wrong.
    PermError,
}

impl Outcome {
    /// The word of the standard.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Neutral => "neutral",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::SoftFail => "softfail",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// One step of an evaluation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// How many records stand above this one.
    pub depth: usize,
    /// Whose record it is.
    pub domain: String,
    /// The term, or `v=spf1` for the record itself.
    pub term: String,
    /// What came of it, in a few words.
    pub outcome: String,
}

/// What came of an evaluation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Evaluation {
    /// The result.
    pub result: Outcome,
    /// Terms that cost a lookup; one more than [`LOOKUPS`] when that ended it.
    pub lookups: usize,
    /// Those among them that found nothing.
    pub voids: usize,
    /// What the domain says to the rejected, or why the records are wrong or unknown is in the trace.
    pub explanation: Option<String>,
    /// Every step in its order.
    pub trace: Vec<Step>,
}
