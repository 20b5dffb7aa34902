//! Connections that are kept while nothing is asked of them.
//!
//! While one side is waited for, the other one has nothing to do. Servers end such a connection after a while (RFC 9051
//! 5.4 allows it after 30 minutes, some do it after 10), and what stands between forgets it sooner. A NOOP now and then
//! keeps it. It is a command like any other: it goes out between two commands, never within one.

use std::{future::Future, pin::pin, time::Duration};

use tokio::sync::Notify;

use super::{
    link::Link,
    store::{Look, StoreError, StoreErrorKind},
};

/// How long a connection may be silent: load balancers and routers that forget connections give them 5 minutes or more.
pub(super) const SILENCE: Duration = Duration::from_secs(4 * 60);

/// Two things that are done side by side, each over a connection of its own. The connection of the one that is through
/// first is kept alive until the other one is through too: a server may put a single command off for longer than another
/// one keeps a silent connection.
#[derive(Default)]
pub(super) struct SideBySide {
    source: Notify,
    target: Notify,
}

impl SideBySide {
    /// What was asked of the source is there.
    pub(super) async fn source_is_through(&self, source: &mut Link<'_>) {
        self.source.notify_one();
        source.meanwhile(self.target.notified()).await;
    }

    /// What was asked of the target is there.
    pub(super) async fn target_is_through(&self, target: &mut Link<'_>) {
        self.target.notify_one();
        target.meanwhile(self.source.notified()).await;
    }
}

/// Waits for something else and keeps a connection alive meanwhile. The error says that the connection is lost; what was
/// waited for came all the same.
pub(super) async fn meanwhile<L: Look + ?Sized, T>(
    look: &mut L,
    wait: impl Future<Output = T>,
) -> (T, Result<(), StoreError>) {
    let mut wait = pin!(wait);
    loop {
        tokio::select! {
            biased;
            out = &mut wait => return (out, Ok(())),
            () = tokio::time::sleep(SILENCE) => {}
        }
        let mut noop = look.noop();
        let (out, kept) = tokio::select! {
            biased;
            kept = &mut noop => (None, kept),
            // Whoever uses the connection next needs it between two commands.
            out = &mut wait => (Some(out), noop.await),
        };
        // A server that refuses NOOP has heard it.
        let lost = kept.err().filter(|e| !matches!(e.kind, StoreErrorKind::Refused(_)));
        match (out, lost) {
            (Some(out), None) => return (out, Ok(())),
            (Some(out), Some(error)) => return (out, Err(error)),
            (None, Some(error)) => return (wait.await, Err(error)),
            (None, None) => {}
        }
    }
}
