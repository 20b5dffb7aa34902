//! What goes wrong with a journal, and what to do about it.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::ErrorCode;
use thiserror::Error;

use super::ReplayError;
use crate::{
    diag::{Exit, moment},
    model::{ActionId, PlanId, RunId},
};

/// Why a journal could not be opened, read or written. [`help`](Self::help) says what to do.
#[derive(Debug, Error)]
pub enum JournalError {
    /// Somebody else has the lease.
    #[error("{owner} holds the workspace since {} (process {pid} on {host}{})", moment(*since), in_run(run.as_ref()))]
    Locked {
        /// Who has it, as they named themselves.
        owner: String,
        /// Where they run.
        host: String,
        /// Their process there.
        pid: u32,
        /// The run they execute.
        run: Option<RunId>,
        /// When they took it.
        since: Timestamp,
        /// When it can be taken from them, unless they renew it.
        expires: Timestamp,
    },
    /// The lease was lost: somebody else has it by now. Nothing was written.
    #[error("another run has taken over the workspace; nothing more was written")]
    Fenced,
    /// Another plan's run has begun and not ended.
    #[error("{run} of plan {} has not ended", plan.short())]
    OpenRun {
        /// The run.
        run: RunId,
        /// Its plan.
        plan: PlanId,
    },
    /// The journal was written by a later version of rehome.
    #[error("the journal {} has format {found}; this rehome knows formats up to {supported}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format this program knows.
        supported: u32,
    },
    /// The file is a database of another program.
    #[error("{} is not a journal of rehome", .0.display())]
    Foreign(PathBuf),
    /// The file is damaged.
    #[error("the journal {} is damaged: {detail}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// There is no room left.
    #[error("the disk of the journal {} is full; nothing was written", .0.display())]
    DiskFull(PathBuf),
    /// The folder or the file does not take writes, or was opened for reading.
    #[error("the journal {} cannot be written", path.display())]
    ReadOnly {
        /// The file or folder.
        path: PathBuf,
        /// The system's words.
        #[source]
        source: Option<std::io::Error>,
    },
    /// Another program keeps the file locked.
    #[error("another program keeps the journal {} locked", .0.display())]
    Busy(PathBuf),
    /// A file operation failed.
    #[error("{what} {} failed", path.display())]
    Io {
        /// What was being done.
        what: &'static str,
        /// To what.
        path: PathBuf,
        /// The system's words.
        #[source]
        source: std::io::Error,
    },
    /// SQLite refused something for a reason that has no name of its own here.
    #[error("the journal {} could not be used", path.display())]
    Sql {
        /// The file.
        path: PathBuf,
        /// SQLite's words.
        #[source]
        source: rusqlite::Error,
    },
    /// A row holds what this program would never write.
    #[error("the journal {} holds {what} that cannot be read: {detail}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Which content.
        what: &'static str,
        /// Why it cannot be read.
        detail: String,
    },
    /// The order of the entries makes no sense, or would not with the one that was to be added.
    #[error("the journal refuses this")]
    Order(#[from] ReplayError),
    /// No run has that action, or there is no such run.
    #[error("no run has the action {0}")]
    NoAction(ActionId),
    /// There is no such run.
    #[error("there is no run {0}")]
    NoRun(RunId),
    /// A test's fault ended the process, as far as this journal can tell.
    #[error("the process ended here")]
    Crashed,
}

fn in_run(run: Option<&RunId>) -> String {
    run.map(|run| format!(", {run}")).unwrap_or_default()
}

impl JournalError {
    /// The exit code of a command that ends with this.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Locked { .. } | Self::Fenced | Self::Busy(_) => Exit::Locked,
            Self::OpenRun { .. } => Exit::Partial,
            Self::NoAction(_) | Self::NoRun(_) => Exit::Invalid,
            _ => Exit::Failed,
        }
    }

    /// What to do.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::Locked { expires, .. } => {
                format!("wait until it ends; without a sign of life the workspace is free from {}", moment(*expires))
            }
            Self::Fenced => "see `rehome status`; what was in flight is settled by the run that took over".to_owned(),
            Self::OpenRun { .. } => "end it first: `rehome resume`".to_owned(),
            Self::Newer { .. } => "use the version of rehome that wrote it, or a later one".to_owned(),
            Self::Foreign(_) => "move that file away, or use another workspace folder".to_owned(),
            Self::Corrupt { path, .. } => format!(
                "restore it from a backup; or save what is left with `sqlite3 {} .recover`. Without it rehome does not \
                 know which messages it copied: do not delete it and apply again",
                path.display()
            ),
            Self::DiskFull(_) => "free some space, then `rehome resume`".to_owned(),
            Self::ReadOnly { .. } => "check the owner and mode of the folder, and how its disk is mounted".to_owned(),
            Self::Busy(_) => "close the program that has it open (a sqlite3 shell?) and try again".to_owned(),
            Self::Content { .. } => "somebody may have edited it; restore it from a backup".to_owned(),
            Self::NoAction(_) => "`rehome status` lists the actions that can be resolved".to_owned(),
            Self::Io { .. } | Self::Sql { .. } | Self::Order(_) | Self::NoRun(_) | Self::Crashed => return None,
        })
    }

    /// Gives SQLite's errors the names that people can act on.
    pub(super) fn sql(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        if source.to_string().contains(super::lease::FENCED) {
            return Self::Fenced;
        }
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Corrupt { path, detail: source.to_string() }
            }
            Some(ErrorCode::DiskFull) => Self::DiskFull(path),
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly { path, source: None },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy(path),
            _ => Self::Sql { path, source },
        }
    }
}
