//! Connections that were made for a look, kept for the work that follows at once.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
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

/// Connections that were made for a look, kept for the work that follows at once. Clones share them.
///
/// A session stays with the mailbox that it was opened for, whatever that is called later. So this is only for work that
/// renames nothing, such as one copy by hand.
#[derive(Clone, Default)]
pub struct Parking(Arc<Mutex<BTreeMap<Place, (Instant, Reader)>>>);

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
    /// Keeps a connection that the connector made, and what was listed over it: whoever takes it need not ask again.
    pub fn park(&self, connector: &Connector, reader: Reader, listed: Earlier) {
        if reader.is_usable() {
            let reader = Reader { earlier: Some(listed), ..reader };
            let mut parked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            parked.insert(place(connector), (Instant::now(), reader));
        }
    }

    /// A connection to the same mailbox with the same login, if there is one and it was not silent for long.
    pub(super) fn take(&self, connector: &Connector) -> Option<Reader> {
        let (since, mut reader) = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&place(connector))?;
        if since.elapsed() > FRESH {
            return None;
        }
        if since.elapsed() > TRUE {
            reader.earlier = None;
        }
        reader.quirks.all().into_iter().for_each(|quirk| connector.quirks.learn(quirk));
        reader.quirks = connector.quirks.clone();
        reader.conn.idle = connector.timeouts.idle;
        Some(reader)
    }
}
