//! What a person changes while copies run: a pause, the speed, the number of connections.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::slots::Slots;

/// Limits of a live run. What is said here counts instead of what the spec says, for every host; 0 is no limit, `None`
/// is what the spec says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LiveLimits {
    /// Octets of messages in a second, in each direction, for one mailbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<u64>,
    /// Connections to each host, over all mailboxes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<u32>,
}

/// How the dials stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) paused: bool,
    pub(super) limits: LiveLimits,
}

/// The dials of all copies of a process. Clones share them.
#[derive(Clone, Debug)]
pub struct Dials {
    setting: Arc<watch::Sender<Setting>>,
    slots: Slots,
}

impl Dials {
    pub(super) fn new(slots: Slots) -> Self {
        Self { setting: Arc::new(watch::Sender::new(Setting::default())), slots }
    }

    /// Stops reading and sending messages between two groups of them, or lets it go on.
    pub fn pause(&self, paused: bool) {
        self.setting.send_if_modified(|setting| std::mem::replace(&mut setting.paused, paused) != paused);
    }

    /// Changes what is said; the rest stays.
    pub fn set(&self, limits: LiveLimits) {
        if let Some(n) = limits.connections {
            let cap = (n > 0).then(|| usize::try_from(n).unwrap_or(usize::MAX));
            self.slots.cap_hosts(cap);
        }
        self.setting.send_if_modified(|setting| {
            let before = setting.limits;
            setting.limits.bytes_per_second = limits.bytes_per_second.or(before.bytes_per_second);
            setting.limits.connections = limits.connections.or(before.connections);
            setting.limits != before
        });
    }

    /// What was said so far.
    #[must_use]
    pub fn limits(&self) -> LiveLimits {
        self.setting.borrow().limits
    }

    pub(super) fn watch(&self) -> watch::Receiver<Setting> {
        self.setting.subscribe()
    }
}
