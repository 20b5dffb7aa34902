//! What all copies of a process share towards the servers.

use jiff::Timestamp;

use super::slots::{Caps, Door, Scope, Slots};
use crate::{
    imap::{Connector, Hint, ImapError},
    journal::ledger::Ledger,
};

/// What all copies of a process share towards the servers; clones share it too.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// Connections.
    pub slots: Slots,
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

/// The limits that servers told by a refusal, kept in the ledger from run to run.
pub(super) struct Lessons<'a> {
    ledger: &'a Ledger,
    doors: [Door; 2],
    known: Vec<Option<usize>>,
}

impl<'a> Lessons<'a> {
    /// Tells the doors what earlier runs learned. A ledger that cannot be read teaches nothing: the copy itself will say so.
    pub(super) fn recall(ledger: &'a Ledger, doors: [Door; 2]) -> Self {
        let now = Timestamp::now().as_second();
        let mut this = Self { ledger, doors, known: Vec::new() };
        for (door, scope) in this.all() {
            let (host, login) = door.names(scope);
            if let Ok(Some(cap)) = ledger.cap(host, login, now) {
                door.remember(scope, cap);
            }
        }
        this.known = this.learned();
        this
    }

    fn all(&self) -> impl Iterator<Item = (&Door, Scope)> {
        self.doors.iter().flat_map(|door| [(door, Scope::Login), (door, Scope::Host)])
    }

    fn learned(&self) -> Vec<Option<usize>> {
        self.all().map(|(door, scope)| door.learned(scope)).collect()
    }

    /// Puts down what was learned since.
    pub(super) fn keep(&self) {
        let now = Timestamp::now().as_second();
        for ((door, scope), known) in self.all().zip(&self.known) {
            let Some(cap) = door.learned(scope).filter(|cap| known.is_none_or(|k| *cap < k)) else { continue };
            let (host, login) = door.names(scope);
            if let Err(error) = self.ledger.learn_cap(host, login, cap, now) {
                // The next run learns it again, by one refused connection.
                tracing::debug!(%error, host, "a limit was not kept");
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_taught_is_known_to_the_next_run() {
        let ledger = Ledger::in_memory().unwrap();
        let doors = || {
            let slots = Slots::default();
            let caps = Caps { per_login: None, per_host: None };
            [slots.door("h:993", "ann", caps), slots.door("i:993", "ann", caps)]
        };
        let [there, other] = doors();
        let lessons = Lessons::recall(&ledger, [there.clone(), other.clone()]);
        lessons.keep();
        assert_eq!(ledger.writes(), 0, "nothing was learned");
        let open: Vec<_> = (0..5).map(|_| there.acquire()).collect();
        assert_eq!(there.refused(Scope::Login), Some(3));
        lessons.keep();
        drop(open);

        let [there, other] = doors();
        let lessons = Lessons::recall(&ledger, [there.clone(), other.clone()]);
        assert_eq!((there.learned(Scope::Login), there.learned(Scope::Host)), (Some(3), None));
        assert_eq!(other.learned(Scope::Login), None, "another host is not concerned");
        let lanes: Vec<_> = (0..5).filter_map(|_| there.try_extra()).collect();
        assert_eq!(lanes.len(), 3);
        let before = ledger.writes();
        lessons.keep();
        assert_eq!(ledger.writes(), before, "what is known is not put down again");
    }
}
