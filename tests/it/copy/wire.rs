//! A way to a server that breaks at a chosen octet, in a chosen direction, in every manner a network has.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use rehome::imap::Connector;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Notify, watch},
};

/// Which way octets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To the server.
    Up,
    /// From the server.
    Down,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// Both sides see an orderly end.
    Cut,
    /// Both sides get a reset (RST).
    Reset,
    /// One direction ends, the other goes on.
    HalfClose,
    /// Nothing goes that way any more, and nobody is told.
    Stall,
    /// From here on everything comes late.
    Delay(Duration),
    /// Nothing goes either way on any connection, until [`Wire::ends_all`].
    Hold,
}

/// What holds for all connections.
#[derive(Clone, Copy, Default)]
struct Phase {
    held: bool,
    /// How often all connections were ended.
    ended: u32,
}

#[derive(Default)]
struct Shared {
    phase: watch::Sender<Phase>,
    up: AtomicU64,
    down: AtomicU64,
    fault: Mutex<Option<(Way, u64, Break)>>,
    happened: AtomicBool,
}

impl Shared {
    fn passed(&self, way: Way) -> &AtomicU64 {
        match way {
            Way::Up => &self.up,
            Way::Down => &self.down,
        }
    }

    /// How much of `n` octets may still go that way, and what happens behind them. A break happens once, a delay stays.
    fn allow(&self, way: Way, n: usize) -> (usize, Option<Break>) {
        let mut fault = self.fault.lock().unwrap();
        let before = self.passed(way).fetch_add(n as u64, Ordering::SeqCst);
        match *fault {
            Some((its, at, what)) if its == way && before + n as u64 > at => {
                self.happened.store(true, Ordering::SeqCst);
                if matches!(what, Break::Delay(_)) {
                    return (n, Some(what));
                }
                *fault = None;
                if what == Break::Hold {
                    self.phase.send_modify(|phase| phase.held = true);
                    return (n, None);
                }
                (usize::try_from(at.saturating_sub(before)).unwrap(), Some(what))
            }
            _ => (n, None),
        }
    }
}

/// A running way. Octets are counted over all of its connections together. It ends with the test's runtime.
pub struct Wire {
    port: u16,
    shared: Arc<Shared>,
}

impl Wire {
    /// A way that does not break yet.
    pub async fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared: Arc<Shared> = Arc::default();
        let all = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else { continue };
                client.set_nodelay(true).unwrap();
                server.set_nodelay(true).unwrap();
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                let end = Arc::new(Notify::new());
                let began = all.phase.borrow().ended;
                tokio::spawn(carry((Way::Up, began), from_client, to_server, Arc::clone(&all), Arc::clone(&end)));
                tokio::spawn(carry((Way::Down, began), from_server, to_client, Arc::clone(&all), end));
            }
        });
        Self { port, shared }
    }

    /// Breaks once so many octets have gone that way, counted from the start.
    pub fn breaks(&self, way: Way, after: u64, what: Break) {
        *self.shared.fault.lock().unwrap() = Some((way, after, what));
    }

    /// Ends all connections with what is held of them. New ones are as good as ever.
    pub fn ends_all(&self) {
        self.shared.phase.send_modify(|phase| *phase = Phase { held: false, ended: phase.ended + 1 });
    }

    /// Waits until it has happened.
    pub async fn breaking(&self) {
        while !self.happened() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Whether it has happened.
    pub fn happened(&self) -> bool {
        self.shared.happened.load(Ordering::SeqCst)
    }

    /// Octets to the server and from it.
    pub fn passed(&self) -> (u64, u64) {
        (self.shared.up.load(Ordering::SeqCst), self.shared.down.load(Ordering::SeqCst))
    }

    /// The same mailbox by this way.
    pub fn connector(&self, straight: &Connector) -> Connector {
        let mut connector = straight.clone();
        connector.endpoint.port = self.port;
        connector
    }
}

/// Carries what goes one way on a connection that was made after all were ended `began` times.
async fn carry(
    (way, began): (Way, u32),
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    shared: Arc<Shared>,
    end: Arc<Notify>,
) {
    let mut buffer = vec![0; 16 << 10];
    let mut phase = shared.phase.subscribe();
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read.unwrap_or(0),
            () = end.notified() => 0,
            _ = phase.wait_for(|phase| phase.ended > began) => 0,
        };
        if read == 0 {
            break;
        }
        let (pass, what) = shared.allow(way, read);
        if phase.wait_for(|phase| !phase.held || phase.ended > began).await.is_ok_and(|phase| phase.ended > began) {
            break;
        }
        if let Some(Break::Delay(by)) = what {
            tokio::time::sleep(by).await;
        }
        if to.write_all(&buffer[..pass]).await.is_err() {
            break;
        }
        match what {
            None | Some(Break::Delay(_) | Break::Hold) => {}
            Some(Break::HalfClose) => {
                let _ = to.shutdown().await;
                // What else comes is read and lost, as by a peer that is gone.
                while from.read(&mut buffer).await.is_ok_and(|n| n > 0) {}
                break;
            }
            Some(Break::Stall) => {
                while from.read(&mut buffer).await.is_ok_and(|n| n > 0) {}
                break;
            }
            Some(Break::Cut) => break,
            Some(Break::Reset) => {
                #[expect(deprecated, reason = "a reset needs a linger of zero, which cannot block")]
                for socket in [from.as_ref(), to.as_ref()] {
                    let _ = socket.set_linger(Some(Duration::ZERO));
                }
                break;
            }
        }
    }
    // Both halves of both sockets go together: the other direction is told once, now or when it next waits.
    end.notify_one();
}
