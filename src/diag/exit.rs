//! Exit codes: the one table.

/// What a command's end means to whoever called it. Codes not in this table mean failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Exit {
    /// Done, or nothing to do.
    Ok = 0,
    /// Failed.
    Failed = 1,
    /// Changes are present (`--detailed-exitcode`).
    Changes = 2,
    /// Partly applied; can be resumed.
    Partial = 3,
    /// A guard is not satisfied.
    Guard = 4,
    /// The plan is stale.
    Stale = 5,
    /// Another run holds the workspace.
    Locked = 6,
    /// Waiting; nothing is wrong.
    Waiting = 7,
    /// Verification found differences.
    Differences = 8,
    /// A person must decide.
    Decide = 9,
    /// The spec or the command line is invalid.
    Invalid = 10,
    /// Authentication or permission.
    Denied = 11,
    /// A platform is unreachable; retrying is safe.
    Unreachable = 12,
    /// Interrupted by SIGINT; the journal is complete.
    Interrupted = 130,
    /// Ended by SIGTERM; the journal is complete.
    Terminated = 143,
}

impl Exit {
    /// Every code, for the documentation and its test.
    pub const ALL: [Self; 15] = [
        Self::Ok,
        Self::Failed,
        Self::Changes,
        Self::Partial,
        Self::Guard,
        Self::Stale,
        Self::Locked,
        Self::Waiting,
        Self::Differences,
        Self::Decide,
        Self::Invalid,
        Self::Denied,
        Self::Unreachable,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// The number.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }

    /// What it means, in the words of the documentation.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "done, or nothing to do",
            Self::Failed => "failed",
            Self::Changes => "changes are present (with --detailed-exitcode)",
            Self::Partial => "partly applied; can be resumed",
            Self::Guard => "a guard is not satisfied",
            Self::Stale => "the plan is stale",
            Self::Locked => "another run holds the workspace",
            Self::Waiting => "waiting for a gate, a validation or a TTL; nothing is wrong",
            Self::Differences => "verification found differences",
            Self::Decide => "a person must decide",
            Self::Invalid => "the spec or the command line is invalid",
            Self::Denied => "authentication or permission",
            Self::Unreachable => "a platform is unreachable; retrying is safe",
            Self::Interrupted => "interrupted; the journal is complete",
            Self::Terminated => "terminated; the journal is complete",
        }
    }
}
