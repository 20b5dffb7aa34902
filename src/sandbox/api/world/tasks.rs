//! Tasks: work that is accepted now and done later (API reference 1.7).

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// One task.
#[derive(Clone, Debug)]
pub struct Task {
    /// Its number.
    pub id: u64,
    /// The API's word for what it does, such as `setAccount`.
    pub function: String,
    /// The service, domain or platform that lists it.
    pub service: String,
    /// The [`object`](super::object) key of what it works on.
    pub subject: String,
    /// How people call its object: an address, a domain.
    pub label: String,
    /// Legacy services list tasks by kind: `account`, `redirection`, `responder`, `mailinglist`; empty elsewhere.
    pub list: &'static str,
    /// When it was accepted.
    pub todo: Timestamp,
    /// The same on the clock that runs it.
    pub accepted: Instant,
    /// From acceptance to effect.
    pub delay: Duration,
    /// How it ended, and when.
    pub end: Option<(TaskStatus, Timestamp)>,
}

/// Where a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskStatus {
    /// Accepted.
    Todo,
    /// Running.
    Doing,
    /// Its effect is there.
    Done,
    /// It has no effect and never will.
    Error,
}

impl TaskStatus {
    /// The word of v1 tasks.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Todo => "todo",
            Self::Doing => "doing",
            Self::Done => "done",
            Self::Error => "error",
        }
    }
}

impl Task {
    /// Its status now: `todo` for the first half of its delay, `doing` until its effect.
    #[must_use]
    pub fn status(&self) -> TaskStatus {
        match self.end {
            Some((status, _)) => status,
            None if self.accepted.elapsed() < self.delay / 2 => TaskStatus::Todo,
            None => TaskStatus::Doing,
        }
    }
}
