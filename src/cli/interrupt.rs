//! Ctrl-C: the first stops new work, the second stops at once.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU8, Ordering},
};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::diag::Exit;

/// Listens for SIGINT and SIGTERM.
#[derive(Clone)]
pub(super) struct Interrupt {
    /// Cancelled by the first signal: nothing new starts.
    pub(super) gentle: CancellationToken,
    /// Cancelled by the second: stop now; the journal makes it safe.
    pub(super) hard: CancellationToken,
    /// The first signal.
    pub(super) first: Arc<OnceLock<Exit>>,
    code: Arc<AtomicU8>,
    talks: bool,
}

impl Interrupt {
    /// Starts to listen. Without the right to listen, signals keep their usual effect.
    pub(super) fn listen() -> Self {
        Self::start(true)
    }

    /// The same for a command that only waits to be ended.
    pub(super) fn listen_quietly() -> Self {
        Self::start(false)
    }

    fn start(talks: bool) -> Self {
        let this = Self {
            talks,
            gentle: CancellationToken::new(),
            hard: CancellationToken::new(),
            first: Arc::default(),
            code: Arc::new(AtomicU8::new(0)),
        };
        let watcher = this.clone();
        if let (Ok(mut int), Ok(mut term)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
            tokio::spawn(async move {
                loop {
                    let exit = tokio::select! {
                        _ = int.recv() => Exit::Interrupted,
                        _ = term.recv() => Exit::Terminated,
                    };
                    watcher.take(exit);
                }
            });
        }
        this
    }

    fn take(&self, exit: Exit) {
        self.code.store(exit.code(), Ordering::SeqCst);
        // Only the first counts.
        let _ = self.first.set(exit);
        let (token, words) = if self.gentle.is_cancelled() {
            (&self.hard, "stopping now; the journal is complete, `rehome resume` goes on")
        } else {
            (&self.gentle, "finishing what is in flight (at most 20 s); once more to stop now")
        };
        if self.talks {
            anstream::eprintln!("{words}");
        }
        token.cancel();
    }

    /// The exit code when a signal came.
    pub(super) fn exit(&self) -> Option<Exit> {
        match self.code.load(Ordering::SeqCst) {
            130 => Some(Exit::Interrupted),
            143 => Some(Exit::Terminated),
            _ => None,
        }
    }
}
