//! Connections that were made for one piece of work, kept for the next one.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{
    connector::Connector,
    reader::{Earlier, Reader},
};

/// How long a connection is worth keeping: servers and middleboxes drop what is silent.
const FRESH: Duration = Duration::from_secs(30);

/// How long a listing is as good as a new one: no longer than a large mailbox takes to be listed.
const TRUE: Duration = Duration::from_secs(10);

/// How many connections to one host are kept: nobody counts them among those that the host allows. A login costs a
/// server as much as a hundred small messages, and what it refuses for their sake makes them [give way](Parking::give_way).
const SPACES: usize = 32;

/// Connections that were made for one piece of work, kept for the next one: a look, a copy, another copy. Clones share
/// them.
///
/// A session stays with the mailbox that it was opened for, whatever that is called later. So this is only for work that
/// renames nothing: a copy by hand, or a plan that only copies.
#[derive(Clone, Default)]
pub struct Parking(Arc<Mutex<Lot>>);

#[derive(Default)]
struct Lot {
    closed: bool,
    parked: BTreeMap<Place, (Instant, Reader)>,
}

/// Host and port, who logged in, whose mailbox.
type Place = (String, String, String);

impl fmt::Debug for Parking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parking").finish_non_exhaustive()
    }
}

fn place(connector: &Connector) -> Place {
    let login = &connector.login;
    (connector.endpoint.to_string(), login.user.clone(), login.mailbox().to_owned())
}

impl Parking {
    fn lot(&self) -> MutexGuard<'_, Lot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a connection that the connector made, and what was listed over it just now: whoever takes it need not ask
    /// again. Gives it back when it cannot be kept: there is no room, or somebody said how many the host gets.
    pub fn park(&self, connector: &Connector, reader: Reader, listed: Option<Earlier>) -> Option<Reader> {
        let place = place(connector);
        let mut lot = self.lot();
        lot.parked.retain(|_, (since, _)| since.elapsed() <= FRESH);
        let neighbours = lot.parked.keys().filter(|(host, ..)| *host == place.0).count();
        let counted = connector.limits.connections.is_some_and(|n| n > 0);
        if lot.closed || counted || neighbours >= SPACES || !reader.is_usable() || !reader.can_leave() {
            return Some(reader);
        }
        let mut reader = Reader { earlier: listed, ..reader };
        reader.conn.rest();
        lot.parked.insert(place, (Instant::now(), reader));
        None
    }

    /// Keeps no connection any more: what follows may rename mailboxes.
    pub fn close(&self) {
        let mut lot = self.lot();
        lot.closed = true;
        lot.parked.clear();
    }

    /// Ends what is kept at a host that takes no more connections. Whether there was anything.
    pub(super) fn give_way(&self, connector: &Connector) -> bool {
        let host = connector.endpoint.to_string();
        let mut lot = self.lot();
        let before = lot.parked.len();
        lot.parked.retain(|(other, ..), _| *other != host);
        lot.parked.len() < before
    }

    /// A connection to the same mailbox with the same login, if there is one and it was not silent for long. No folder is
    /// open there.
    pub(super) fn take(&self, connector: &Connector) -> Option<Reader> {
        let (since, mut reader) = self.lot().parked.remove(&place(connector))?;
        if since.elapsed() > FRESH {
            return None;
        }
        if since.elapsed() > TRUE {
            reader.earlier = None;
        }
        reader.quirks.all().into_iter().for_each(|quirk| connector.quirks.learn(quirk));
        reader.quirks = connector.quirks.clone();
        reader.conn.idle = connector.timeouts.idle;
        reader.leave();
        Some(reader)
    }
}
