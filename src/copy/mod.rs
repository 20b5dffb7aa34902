//! F3: the copy engine: pairing (pure), transfer, recovery, verification of content.
//!
//! # What holds
//!
//! - A message is known by (account, source folder, UIDVALIDITY, UID), and equal by its octets. N equal messages stay N.
//! - Nothing is sent that the ledger has not put on disk before; nothing that is in doubt is sent again before it was
//!   looked for, twice.
//! - What the target's user deleted stays deleted, and flags the user changed stay changed.
//! - Every message of the source is in the sums, once.
//!
//! # Layers
//!
//! | files | what |
//! |---|---|
//! | `names`, `mapping`, `filter`, `flags`, `pairing`, `envelope`, `window` | decisions, pure |
//! | `store`, `imap_store` | what is needed of a mailbox, and IMAP behind it |
//! | `link`, `reading`, `sending`, `locate` | one connection, one window, one search |
//! | `folder`, `deltas`, `recovery`, `folders`, `engine` | one folder, one pass |
//! | `verify` | the proof, by another client |

mod deltas;
mod engine;
mod envelope;
mod error;
mod filter;
mod flags;
mod folder;
mod folders;
mod imap_store;
mod link;
mod locate;
mod mapping;
mod names;
mod pairing;
mod reading;
mod recovery;
mod resources;
mod scanning;
mod sending;
mod sorting;
mod store;
mod tally;
mod verify;
mod window;

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

pub use error::{CopyError, CopyErrorClass, Side};
pub use filter::lasting_failure;
pub use resources::Resources;
pub use verify::{MailVerification, VerifyRequest, verify_mailbox};

use crate::{
    imap::Connector,
    journal::ledger::Ledger,
    model::{Address, CopyReport, EventSink, MailFilter, PlatformId},
};

/// What is to be copied.
#[derive(Clone)]
pub struct CopyRequest<'a> {
    /// The address of the spec: with the source's platform, the identity of the mailbox in the ledger.
    pub account: &'a Address,
    /// The way to the source. It is only ever read.
    pub source: Connector,
    /// The way to the target.
    pub target: Connector,
    /// The platform of the source, and the source's address at this time.
    pub source_id: (PlatformId, Address),
    /// What is left out.
    pub filter: &'a MailFilter,
    /// What is known of every message.
    pub ledger: &'a Ledger,
    /// Who is told.
    pub events: &'a dyn EventSink,
    /// What all copies of this process share.
    pub resources: Resources,
    /// Cancelled when nothing new should be begun. What is in flight is settled first.
    pub cancel: CancellationToken,
    /// How long a message may be on its way after its connection was lost; 60 seconds suit most servers.
    pub settle: Duration,
}

/// Makes one pass: brings the target everything that the source has and the target was never given.
///
/// A pass can be repeated at any time, also after a crash: it settles what the last one left in doubt, copies what is
/// new, carries over changed flags, and costs two listings when there is nothing to do.
///
/// # Errors
/// [`CopyError::class`] tells what may be done. What was settled stays settled.
pub async fn copy_mailbox(request: CopyRequest<'_>) -> Result<CopyReport, CopyError> {
    engine::run(engine::Job {
        account: request.account,
        source: Arc::new(imap_store::ImapStore::new(request.source)),
        target: Arc::new(imap_store::ImapStore::new(request.target)),
        source_id: request.source_id,
        filter: request.filter,
        ledger: request.ledger,
        events: request.events,
        cancel: request.cancel,
        resources: request.resources,
        tuning: link::Tuning::new(request.settle),
    })
    .await
}

#[cfg(test)]
mod tests;
