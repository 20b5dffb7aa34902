//! A way to a server that is long or thin, and what goes over it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::Instant,
};

/// How a line is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Way {
    /// How long each octet is on its way.
    pub delay: Duration,
    /// Octets per second in each direction; 0 is no limit.
    pub rate: u64,
}

/// A running line. It ends with the test's runtime.
pub struct Line {
    pub port: u16,
    seen: Arc<Seen>,
}

/// What went over a line.
#[derive(Default)]
struct Seen {
    octets: AtomicU64,
    open: AtomicUsize,
    most: AtomicUsize,
}

impl Line {
    pub async fn start(server: u16, way: Way) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Seen::default());
        let kept = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                tokio::spawn(carry(client, server, way, Arc::clone(&kept)));
            }
        });
        Self { port, seen }
    }

    /// Octets in both directions so far.
    pub fn octets(&self) -> u64 {
        self.seen.octets.load(Ordering::SeqCst)
    }

    /// How many connections were open at the same time since this was last asked.
    pub fn most(&self) -> usize {
        self.seen.most.swap(self.seen.open.load(Ordering::SeqCst), Ordering::SeqCst)
    }
}

async fn carry(client: TcpStream, server: TcpStream, way: Way, seen: Arc<Seen>) {
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let open = seen.open.fetch_add(1, Ordering::SeqCst) + 1;
    seen.most.fetch_max(open, Ordering::SeqCst);
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // Whichever ends first takes the other with it: both sockets are closed.
    tokio::select! {
        () = pump(from_client, to_server, way, &seen) => {}
        () = pump(from_server, to_client, way, &seen) => {}
    }
    seen.open.fetch_sub(1, Ordering::SeqCst);
}

async fn pump(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, way: Way, seen: &Seen) {
    let (queue, mut queued) = mpsc::channel::<(Instant, Vec<u8>)>(4096);
    let read = async move {
        let mut buffer = vec![0; 16 << 10];
        while let Ok(n @ 1..) = from.read(&mut buffer).await {
            if queue.send((Instant::now() + way.delay, buffer[..n].to_vec())).await.is_err() {
                return;
            }
        }
    };
    let write = async {
        let mut free = Instant::now();
        while let Some((due, data)) = queued.recv().await {
            tokio::time::sleep_until(due.max(free)).await;
            seen.octets.fetch_add(data.len() as u64, Ordering::SeqCst);
            if to.write_all(&data).await.is_err() {
                return;
            }
            if way.rate > 0 {
                free = Instant::now() + Duration::from_secs_f64(data.len() as f64 / way.rate as f64);
            }
        }
    };
    tokio::join!(read, write);
}
