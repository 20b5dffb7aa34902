//! A way to a server on which connections break.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// When the connection is cut.
#[derive(Clone, Copy, Debug)]
pub enum Cut {
    /// The answer to the n-th append (from 1) is swallowed.
    Answer(u32),
    /// The n-th append is cut off in the middle of what is sent.
    Literal(u32),
    /// Whenever this text is sent.
    Marker(&'static str),
}

/// A running proxy. It ends with the test's runtime.
pub struct Proxy {
    pub port: u16,
}

impl Proxy {
    pub async fn start(server: u16, cut: Cut) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let appends = Arc::new(AtomicU32::new(0));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                tokio::spawn(carry(client, server, cut, Arc::clone(&appends)));
            }
        });
        Self { port }
    }
}

async fn carry(client: TcpStream, server: TcpStream, cut: Cut, appends: Arc<AtomicU32>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let up = async {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let n = from_client.read(&mut buffer).await.unwrap_or(0);
            let data = &buffer[..n];
            if n == 0 {
                return;
            }
            let part = match cut {
                Cut::Literal(at) if count(data, " APPEND ") > 0 => {
                    let before = appends.fetch_add(1, Ordering::SeqCst);
                    if before + 1 == at { n / 2 } else { n }
                }
                Cut::Marker(text) if count(data, text) > 0 => 0,
                _ => n,
            };
            if to_server.write_all(&data[..part]).await.is_err() || part < n {
                return;
            }
        }
    };
    let down = async {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let n = from_server.read(&mut buffer).await.unwrap_or(0);
            let data = &buffer[..n];
            if n == 0 {
                return;
            }
            if let Cut::Answer(at) = cut
                && count(data, "APPENDUID") > 0
                && appends.fetch_add(1, Ordering::SeqCst) + 1 == at
            {
                return;
            }
            if to_client.write_all(data).await.is_err() {
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

fn count(data: &[u8], text: &str) -> usize {
    data.windows(text.len()).filter(|w| *w == text.as_bytes()).count()
}
