//! A way to a server that says when a message is on its way there, or its OK on the way back, so that the program can be
//! killed at just that moment.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// A moment in the life of an APPEND. They are counted over all connections, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The client has sent its n-th APPEND, and nothing of it has reached the server: nothing is let through any more.
    Held(u32),
    /// The server was sent what the client had of the n-th APPEND, and nothing that it answers is let through any more.
    Received(u32),
    /// The server has said something of its n-th OK to an APPEND, and that is not let through.
    Answered(u32),
}

#[derive(Default)]
struct State {
    moment: std::sync::Mutex<Option<Moment>>,
    seen: AtomicU32,
    come: AtomicBool,
}

/// A running way. It ends with the test's runtime.
pub struct Gate {
    pub port: u16,
    state: Arc<State>,
}

impl Gate {
    pub async fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State::default());
        let kept = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else { continue };
                tokio::spawn(carry(client, server, Arc::clone(&kept)));
            }
        });
        Self { port, state }
    }

    /// Waits for that moment from here on; for none, everything is let through.
    pub fn set(&self, moment: Option<Moment>) {
        *self.state.moment.lock().unwrap() = moment;
        self.state.seen.store(0, Ordering::SeqCst);
        self.state.come.store(false, Ordering::SeqCst);
    }

    /// Whether the moment has come.
    pub fn has_come(&self) -> bool {
        self.state.come.load(Ordering::SeqCst)
    }
}

impl State {
    fn is_shut(&self) -> bool {
        self.come.load(Ordering::SeqCst)
    }

    fn holds(&self) -> bool {
        matches!(*self.moment.lock().unwrap(), Some(Moment::Held(_)))
    }

    /// Counts, and tells whether this is the moment.
    fn reached(&self, data: &[u8], up: bool) -> bool {
        let (text, nth) = match *self.moment.lock().unwrap() {
            Some(Moment::Held(n) | Moment::Received(n)) if up => (" APPEND ", n),
            Some(Moment::Answered(n)) if !up => ("ppend completed", n),
            _ => return false,
        };
        let found = data.windows(text.len()).filter(|w| *w == text.as_bytes()).count();
        let before = self.seen.fetch_add(u32::try_from(found).unwrap(), Ordering::SeqCst);
        before < nth && before + u32::try_from(found).unwrap() >= nth
    }
}

async fn carry(client: TcpStream, server: TcpStream, state: Arc<State>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let up = async {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let n = from_client.read(&mut buffer).await.unwrap_or(0);
            if n == 0 {
                return;
            }
            let reached = state.reached(&buffer[..n], true);
            let held = reached && state.holds();
            if held {
                state.come.store(true, Ordering::SeqCst);
            }
            while state.is_shut() && state.holds() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            if to_server.write_all(&buffer[..n]).await.is_err() {
                return;
            }
            if reached && !held {
                state.come.store(true, Ordering::SeqCst);
            }
        }
    };
    let down = async {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let n = from_server.read(&mut buffer).await.unwrap_or(0);
            if n == 0 {
                return;
            }
            if state.reached(&buffer[..n], false) {
                state.come.store(true, Ordering::SeqCst);
            }
            if state.is_shut() {
                // The client learns nothing more until it is let go on, or somebody kills it.
                while state.is_shut() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
            if to_client.write_all(&buffer[..n]).await.is_err() {
                return;
            }
        }
    };
    // Whichever ends first takes the other with it: both sockets are closed.
    tokio::select! {
        () = up => {}
        () = down => {}
    }
}
