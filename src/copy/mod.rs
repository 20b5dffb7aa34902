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
//! | `views`, `filter`, `flags`, `pairing`, `weak`, `placeholder`, `envelope`, `window` | decisions, pure |
//! | `store`, `imap_store` | what is needed of a mailbox, and IMAP behind it |
//! | `network`, `slots` | what the copies of a process share towards the servers |
//! | `metered`, `pace`, `clock` | limits by the day and the second, and patience |
//! | `link`, `reading`, `sending`, `sticking`, `locate` | one connection, one window, one search |
//! | `folder`, `delivery`, `deltas`, `recovery`, `folders`, `estranged` | one folder |
//! | `flow`, `lanes`, `engine` | many folders side by side, one pass |
//! | `verify` | the proof, by another client |
//! | `acl` | the rights of others |
//! | `dedup` | equal messages within a folder, set aside and brought back |

mod acl;
mod clock;
pub mod dedup;
mod delivery;
mod deltas;
mod dials;
mod engine;
mod envelope;
mod error;
mod estranged;
mod filter;
mod flags;
mod flow;
mod folder;
mod folders;
mod imap_store;
mod lanes;
mod link;
mod locate;
mod metered;
mod network;
mod pace;
mod pairing;
mod placeholder;
mod reading;
mod recovery;
mod resources;
mod scanning;
mod sending;
mod slots;
mod sorting;
mod sticking;
mod store;
mod tally;
mod verify;
mod views;
mod weak;
mod window;

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

pub use dials::{Dials, LiveLimits};
pub use error::{CopyError, CopyErrorClass, Side};
pub use filter::lasting_failure;
pub use network::Network;
pub use resources::Resources;
pub use slots::{Admission, Caps, Door, Permit, Scope, Slots};
pub use verify::{MailVerification, VerifyRequest, verify_mailbox};

use crate::{
    imap::Connector,
    journal::ledger::Ledger,
    model::{AclChoice, Address, CopyReport, EventSink, MailFilter, PlatformId},
    naming::{mapping, names},
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
    /// What is done about the rights that others have on folders, after the mail.
    pub acl: AclChoice,
    /// What is known of every message.
    pub ledger: &'a Ledger,
    /// Who is told.
    pub events: &'a dyn EventSink,
    /// What all copies of this process share.
    pub resources: Resources,
    /// Cancelled when nothing new should be begun. What is in flight is settled first.
    pub cancel: CancellationToken,
    /// What the copies of this process share towards the servers. One value for all of them.
    pub network: &'a Network,
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
    let (from, to) = (request.network.door(&request.source), request.network.door(&request.target));
    let lessons = network::Lessons::recall(request.ledger, [from.clone(), to.clone()]);
    // One pair of connections is what a copy cannot do without; further lanes take extras.
    let needs = [(&from, 1), (&to, 1)];
    let _admission = tokio::select! {
        () = request.cancel.cancelled() => {
            return Err(CopyError::Interrupted { account: request.account.clone() });
        }
        admission = request.network.slots.admit(&needs) => admission,
    };
    let pace = Arc::new(pace::Pace::default());
    let store = |door, connector: Connector| -> Arc<dyn store::Store> {
        let mailbox = (connector.endpoint.to_string(), connector.login.mailbox().to_owned());
        let (limits, quirks) = (connector.limits, connector.quirks.clone());
        let ledger = request.ledger.clone();
        let meter = metered::Meter::new(mailbox, limits, quirks, ledger, Arc::clone(&pace), request.cancel.clone())
            .under(request.network.dials.watch());
        Arc::new(metered::Metered::new(Arc::new(imap_store::ImapStore::behind(door, connector)), meter))
    };
    let rights = acl::Job {
        account: request.account,
        source: request.source.clone(),
        target: request.target.clone(),
        source_id: request.source_id.clone(),
        filter: request.filter,
        ledger: request.ledger,
        cancel: request.cancel.clone(),
    };
    let passed = engine::run(engine::Job {
        account: request.account,
        source: store(from, request.source),
        target: store(to, request.target),
        pace: Arc::clone(&pace),
        source_id: request.source_id,
        filter: request.filter,
        ledger: request.ledger,
        events: request.events,
        cancel: request.cancel,
        resources: request.resources,
        tuning: link::Tuning::new(request.settle),
    })
    .await;
    lessons.keep();
    let mut report = passed?;
    if request.acl != AclChoice::Leave {
        report.remarks.extend(acl::run(&rights, request.acl).await?);
    }
    Ok(report)
}

#[cfg(test)]
mod tests;
