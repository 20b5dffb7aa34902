//! What was learned about a server by its behaviour. Nothing here is concluded from a banner alone.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// A fact about a server that its capabilities do not tell, or tell wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quirk {
    /// It advertises LIST-EXTENDED and answers BAD to the options; plain LIST, LSUB and STATUS are used.
    ListOptionsRefused,
    /// It advertises AUTH=PLAIN and answers BAD to it; LOGIN is used.
    SaslPlainRefused,
    /// It advertises ID and does not understand it.
    IdRefused,
    /// It advertises QRESYNC and does not take or understand it; what vanished is found by listing.
    ResyncRefused,
    /// Its APPENDUID does not name the message that was stored (found by looking); it is not reported any more.
    AppendUidUnreliable,
    /// It advertises MULTIAPPEND, and it does not work (found by messages that were refused or lost together and taken one
    /// by one, or stored in part); messages are sent one by one.
    MultiappendUnreliable,
    /// It is Gmail (capability `X-GM-EXT-1`), by whatever name it is reached: its limits by the day hold.
    Gmail,
}

/// The facts about one endpoint, shared by all its connections.
#[derive(Clone, Default)]
pub struct Quirks(Arc<Mutex<BTreeSet<Quirk>>>);

impl fmt::Debug for Quirks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.all()).finish()
    }
}

impl Quirks {
    /// Whether this was learned.
    #[must_use]
    pub fn knows(&self, quirk: Quirk) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&quirk)
    }

    /// Remembers a fact for every connection of the endpoint.
    pub fn learn(&self, quirk: Quirk) {
        let new = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(quirk);
        if new {
            tracing::debug!(?quirk, "learned");
        }
    }

    /// Everything that was learned.
    #[must_use]
    pub fn all(&self) -> BTreeSet<Quirk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
