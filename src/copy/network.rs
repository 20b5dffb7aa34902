//! What all copies of a process share towards the servers.

use super::{
    dials::Dials,
    slots::{Caps, Door, Scope, Slots},
};
use crate::imap::{Connector, Hint, ImapError};

/// What all copies of a process share towards the servers; clones share it too.
#[derive(Clone, Debug)]
pub struct Network {
    /// Connections.
    pub slots: Slots,
    /// What a person changes while copies run.
    pub dials: Dials,
}

impl Default for Network {
    fn default() -> Self {
        let slots = Slots::default();
        Self { dials: Dials::new(slots.clone()), slots }
    }
}

impl Network {
    /// The way to the mailbox of a connector.
    #[must_use]
    pub fn door(&self, connector: &Connector) -> Door {
        let limits = &connector.limits;
        // 0 is a limit that somebody took away.
        let given = |n: u32| (n > 0).then(|| usize::try_from(n).unwrap_or(usize::MAX));
        let caps = Caps {
            per_login: limits.connections_per_login.map_or(Caps::default().per_login, given),
            per_host: limits.connections.and_then(given),
        };
        self.slots.door(&connector.endpoint.to_string(), connector.login.mailbox(), caps)
    }
}

/// What number of connections a refusal is about, if it is about that.
pub(super) fn crowded(error: &ImapError) -> Option<Scope> {
    match Hint::of_error(error)? {
        Hint::TooManyOfLogin => Some(Scope::Login),
        Hint::TooManyOfHost => Some(Scope::Host),
        Hint::Pause(_) | Hint::Busy | Hint::Lockout => None,
    }
}
