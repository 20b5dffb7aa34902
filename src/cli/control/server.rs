//! The side of the run: answers whoever may open the socket, and is harmed by nothing that they send.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Semaphore, broadcast},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::{LONGEST_LINE, PROTOCOL, Pause, Request, path};
use crate::{cli::screen::Screen, copy::Dials};

/// Connections that are served at once; more have to wait.
const CLIENTS: usize = 16;
/// How long a client may take to send a line, or to take one.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long the last events of a run may take to arrive.
const FAREWELL: Duration = Duration::from_secs(2);

/// What a client can look at and change.
#[derive(Clone)]
pub(in crate::cli) struct Desk {
    /// Knows how far the run is, and every event.
    pub(in crate::cli) screen: Arc<Screen>,
    /// The pause.
    pub(in crate::cli) pause: Arc<Pause>,
    /// The limits.
    pub(in crate::cli) dials: Dials,
    /// The run has ended: clients are told what they have not been told yet, and let go.
    over: CancellationToken,
}

/// Serves a socket until it is dropped. The file goes with it.
pub(in crate::cli) struct Server {
    task: JoinHandle<()>,
    over: CancellationToken,
    path: PathBuf,
}

impl Server {
    /// Opens the socket of a workspace. The caller holds the lease, so a file that is there belongs to a run that died.
    ///
    /// # Errors
    /// When the socket cannot be made: the path is too long for one, or the disk takes none.
    pub(in crate::cli) fn start(workspace: &Path, desk: Desk) -> io::Result<Self> {
        let path = path(workspace);
        let fresh = path.with_extension(format!("{}.new", std::process::id()));
        // Made under another name: nobody sees it before it has its mode, and what a dead run left is replaced at once.
        let _ = fs::remove_file(&fresh);
        let listener = UnixListener::bind(&fresh)?;
        let ready =
            fs::set_permissions(&fresh, fs::Permissions::from_mode(0o600)).and_then(|()| fs::rename(&fresh, &path));
        if let Err(error) = ready {
            let _ = fs::remove_file(&fresh);
            return Err(error);
        }
        let over = desk.over.clone();
        Ok(Self { task: tokio::spawn(listen(listener, desk)), over, path })
    }

    /// Ends it: those who follow the run get its last events first, as long as they take them at once.
    pub(in crate::cli) async fn end(mut self) {
        self.over.cancel();
        let _ = tokio::time::timeout(FAREWELL, &mut self.task).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
        // A run that has taken over already has its own file there; it is told by nobody answering here.
        let _ = fs::remove_file(&self.path);
    }
}

async fn listen(listener: UnixListener, desk: Desk) {
    let places = Arc::new(Semaphore::new(CLIENTS));
    // Clients end with the server.
    let mut clients = tokio::task::JoinSet::new();
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await.ok()?;
            Some((place, listener.accept().await))
        };
        let accepted = tokio::select! {
            biased;
            () = desk.over.cancelled() => break,
            accepted = next => accepted,
        };
        let (place, stream) = match accepted {
            Some((place, Ok((stream, _)))) => (place, stream),
            // Out of file handles, most likely: that passes.
            _ => {
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            }
        };
        let desk = desk.clone();
        clients.spawn(async move {
            // What goes wrong with a client ends that client and nothing else.
            let _ = Client::new(stream, desk).serve().await;
            drop(place);
        });
        while clients.try_join_next().is_some() {}
    }
    while clients.join_next().await.is_some() {}
}

struct Client {
    read: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
    desk: Desk,
}

impl Client {
    fn new(stream: UnixStream, desk: Desk) -> Self {
        let (read, write) = stream.into_split();
        Self { read: BufReader::new(read), write, desk }
    }

    async fn serve(mut self) -> io::Result<()> {
        while let Some(line) = self.line().await? {
            let request: Request = match serde_json::from_slice(&line) {
                Ok(request) => request,
                Err(error) => {
                    return self.say(&json!({"v": PROTOCOL, "ok": false, "error": error.to_string()})).await;
                }
            };
            if request == (Request::Events {}) {
                return self.events().await;
            }
            let answer = self.desk.answer(request);
            self.say(&answer).await?;
        }
        Ok(())
    }

    /// The next line; `None` at the end. What is longer than a line may be is an error before it is in memory.
    async fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let mut rest = (&mut self.read).take(LONGEST_LINE as u64);
        let over = self.desk.over.clone();
        tokio::select! {
            () = over.cancelled() => return Ok(None),
            read = tokio::time::timeout(PATIENCE, rest.read_until(b'\n', &mut line)) => read??,
        };
        if line.is_empty() {
            return Ok(None);
        }
        if line.last() != Some(&b'\n') && line.len() >= LONGEST_LINE {
            self.say(&json!({"v": PROTOCOL, "ok": false, "error": "the line is too long"})).await?;
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(Some(line))
    }

    async fn say(&mut self, value: &Value) -> io::Result<()> {
        self.send(&value.to_string()).await
    }

    async fn send(&mut self, line: &str) -> io::Result<()> {
        let bytes = [line.as_bytes(), b"\n"].concat();
        tokio::time::timeout(PATIENCE, self.write.write_all(&bytes)).await?
    }

    async fn events(mut self) -> io::Result<()> {
        // Subscribed before the answer, so that nothing is missed between the two.
        let mut events = self.desk.screen.subscribe();
        let status = self.desk.status();
        self.say(&status).await?;
        let mut scrap = [0_u8; 256];
        let over = self.desk.over.clone();
        loop {
            tokio::select! {
                biased;
                event = events.recv() => match event {
                    Ok(line) => self.send(&line).await?,
                    Err(broadcast::error::RecvError::Lagged(n)) => {
                        self.say(&json!({"v": PROTOCOL, "event": "missed", "events": n})).await?;
                    }
                    Err(broadcast::error::RecvError::Closed) => return Ok(()),
                },
                // The last events were sent before this.
                () = over.cancelled() => return Ok(()),
                // Nothing more is read from a client that listens, but its end is noticed.
                read = self.read.read(&mut scrap) => if read? == 0 { return Ok(()) },
            }
        }
    }
}

impl Desk {
    /// The desk of a run.
    pub(in crate::cli) fn new(screen: &Arc<Screen>, pause: &Arc<Pause>, dials: &Dials) -> Self {
        let (screen, pause, dials) = (Arc::clone(screen), Arc::clone(pause), dials.clone());
        Self { screen, pause, dials, over: CancellationToken::new() }
    }

    fn answer(&self, request: Request) -> Value {
        match request {
            Request::Status {} | Request::Events {} => self.status(),
            Request::Pause { by } => {
                let before = self.pause.set(Some(named(&by)), &self.dials);
                json!({"v": PROTOCOL, "ok": true, "run": self.run(), "was_paused_by": before})
            }
            Request::Resume { .. } => {
                let before = self.pause.set(None, &self.dials);
                json!({"v": PROTOCOL, "ok": true, "run": self.run(), "was_paused_by": before})
            }
            Request::Limits(limits) => {
                self.dials.set(limits);
                json!({"v": PROTOCOL, "ok": true, "run": self.run(), "limits": self.dials.limits()})
            }
        }
    }

    fn run(&self) -> Value {
        json!(self.screen.summary().run)
    }

    fn status(&self) -> Value {
        let told = self.screen.summary();
        json!({
            "v": PROTOCOL, "ok": true, "run": told.run, "plan": told.plan, "pid": std::process::id(),
            "actions": told.actions, "done": told.before + told.done, "failed": told.failures.len(), "gates": told.gates,
            "paused_by": self.pause.by(), "limits": self.dials.limits(),
        })
    }
}

/// A name that was sent, fit to be shown.
fn named(by: &str) -> String {
    let name: String = by.chars().filter(|c| !c.is_control()).take(64).collect();
    if name.trim().is_empty() { "somebody".to_owned() } else { name }
}
