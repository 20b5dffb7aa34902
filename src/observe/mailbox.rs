//! One mailbox over IMAP: login, folders, numbers, space.

use std::time::Instant;

use crate::{
    imap::{Connector, Earlier, ImapError, ImapErrorKind, Login, Parking, WireName},
    model::{AccessMethod, Address, FolderView, ImapEndpoint, LoginView, MailboxView, PlatformId, Secret},
};

/// What is known before a mailbox is opened: the way in, or why there is none.
pub(super) struct Attempt {
    key: (PlatformId, Address),
    way: Result<Connector, String>,
}

impl Attempt {
    /// An attempt that can be made.
    pub(super) fn open(key: (PlatformId, Address), connector: Connector) -> Self {
        Self { key, way: Ok(connector) }
    }

    /// An attempt that cannot be made.
    pub(super) fn not_tried(key: (PlatformId, Address), reason: &str) -> Self {
        Self { key, way: Err(reason.to_owned()) }
    }
}

/// The way into one mailbox of a host.
#[must_use]
pub fn connector(
    endpoint: &ImapEndpoint,
    access: &AccessMethod,
    address: &Address,
    secret: Secret,
    allow_plain: bool,
) -> Connector {
    let mut connector = Connector::new(endpoint.clone(), Login::for_access(access, address, secret));
    connector.allow_plain = allow_plain;
    connector
}

/// Makes the attempt. Every failure is data: the planner decides what it means.
pub(super) async fn look(attempt: Attempt, parking: Option<&Parking>) -> ((PlatformId, Address), MailboxView) {
    let view = match attempt.way {
        Err(reason) => MailboxView::unseen(LoginView::NotTried { reason }),
        Ok(connector) => match into(&connector, parking).await {
            Ok(view) => view,
            Err(error) => MailboxView::unseen(login_failed(&error)),
        },
    };
    (attempt.key, view)
}

async fn into(connector: &Connector, parking: Option<&Parking>) -> Result<MailboxView, ImapError> {
    let mut reader = connector.connect().await?;
    let mut view = MailboxView::unseen(LoginView::Accepted);
    view.capabilities.clone_from(reader.capabilities().as_set());
    view.append_limit = reader.capabilities().append_limit();
    // Every account has an inbox, so that this need not wait for the listing.
    reader.ask_quota(&WireName::inbox())?;
    let begun = Instant::now();
    let listed = Earlier { folders: reader.list().await?, took: begun.elapsed() };
    if let Some(space) = reader.namespace().await?.first() {
        view.prefix.clone_from(&space.prefix);
        view.delimiter = space.delimiter;
    }
    if view.delimiter.is_none() {
        view.delimiter = listed.folders.iter().find_map(|f| f.delimiter);
    }
    let inbox = listed.folders.iter().find(|f| f.path.is_inbox()).map(|f| f.name.clone());
    for folder in listed.folders.iter().filter(|f| !f.non_existent) {
        view.folders.insert(
            folder.path.clone(),
            FolderView {
                wire_name: folder.wire_name.clone(),
                special_use: folder.special_use,
                subscribed: folder.subscribed,
                selectable: folder.selectable,
                status: folder.status,
            },
        );
    }
    // A server that refuses to tell its quota has still shown everything else.
    let mut quota = None;
    if let Some(name) = inbox {
        if view.append_limit.is_none() && reader.is_usable() {
            view.append_limit = reader.append_limit_of(&name).await.unwrap_or(None);
        }
        if reader.is_usable() {
            quota = reader.quota(&name).await.unwrap_or(None);
        }
    }
    view.used_octets = quota.map(|q| q.used);
    view.quota_octets = quota.map(|q| q.limit);
    if view.used_octets.is_none() {
        view.used_octets = sum_of_sizes(&view);
    }
    let left = match parking {
        Some(parking) => parking.park(connector, reader, Some(listed)),
        None => Some(reader),
    };
    if let Some(reader) = left {
        reader.logout().await;
    }
    Ok(view)
}

/// The sum of the folders' sizes, when every folder tells its own.
fn sum_of_sizes(view: &MailboxView) -> Option<u64> {
    let mut sum = 0u64;
    for status in view.folders.values().filter_map(|f| f.status) {
        sum = sum.saturating_add(status.octets?);
    }
    Some(sum)
}

fn login_failed(error: &ImapError) -> LoginView {
    let reason = crate::diag::chain(error).join(": ");
    match &error.kind {
        ImapErrorKind::Auth { .. } => LoginView::Refused { reason },
        _ => LoginView::Unreachable { reason },
    }
}
