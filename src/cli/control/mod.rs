//! The local control socket of a live run: `.rehome/control.sock`, a Unix socket of mode 0600, one JSON object per line
//! in both directions. docs/control.md is its reference.

mod client;
mod request;
mod server;

use std::{path::Path, sync::Mutex, sync::PoisonError};

use tokio::sync::Notify;

use crate::copy::Dials;

pub(super) use client::{Line, Live};
pub(super) use request::Request;
pub(super) use server::{Desk, Server};

/// The name of the socket in a workspace.
const SOCKET: &str = "control.sock";
/// The version of the protocol.
const PROTOCOL: u32 = 1;
/// The longest line that is read from either side.
const LONGEST_LINE: usize = 64 << 10;

fn path(workspace: &Path) -> std::path::PathBuf {
    workspace.join(SOCKET)
}

/// Whether somebody has paused the run, and who.
#[derive(Debug, Default)]
pub(super) struct Pause {
    by: Mutex<Option<String>>,
    changed: Notify,
}

impl Pause {
    /// Who has paused the run.
    pub(super) fn by(&self) -> Option<String> {
        self.by.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns at the next change.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Pauses the run and its copies, or lets both go on. Gives who had paused it before.
    fn set(&self, by: Option<String>, dials: &Dials) -> Option<String> {
        let before = {
            // Both under one lock: of two clients the later one decides about both.
            let mut now = self.by.lock().unwrap_or_else(PoisonError::into_inner);
            dials.pause(by.is_some());
            std::mem::replace(&mut *now, by)
        };
        // Kept for whoever asks next, when nobody waits now.
        self.changed.notify_one();
        before
    }
}
