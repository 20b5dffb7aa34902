//! A way to a server that lets in by tokens which do not live long.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use rehome::{
    imap::{Connector, Login, TokenSource},
    model::Secret,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// How a server takes a login back whose token has expired.
#[derive(Clone, Copy, Debug)]
pub enum End {
    /// It closes the connection without a word.
    Close,
    /// It says goodbye.
    Bye,
}

/// A server by tokens in front of one by passwords. Each token is good for so many octets from the client.
pub struct Gate {
    port: u16,
    /// The number of the token that is good now.
    good: Arc<AtomicU32>,
    /// Logins that were refused.
    pub refused: Arc<AtomicU32>,
}

impl Gate {
    pub async fn start(server: u16, user: &'static str, octets: usize, end: End) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (good, refused) = (Arc::new(AtomicU32::new(1)), Arc::new(AtomicU32::new(0)));
        let gate = Self { port, good: Arc::clone(&good), refused: Arc::clone(&refused) };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                tokio::spawn(carry(client, server, user, octets, end, Arc::clone(&good), Arc::clone(&refused)));
            }
        });
        gate
    }

    /// A connector whose token is read anew for each login. The first to ask after a token was used up gets the stale one.
    pub fn connector(&self, like: &Connector) -> Connector {
        let (good, told) = (Arc::clone(&self.good), AtomicU32::new(0));
        let tokens = TokenSource::new(move || {
            let number = good.load(Ordering::SeqCst);
            let stale = u32::from(told.swap(number, Ordering::SeqCst) != number);
            Ok(Secret::new(format!("t{}", number - stale)))
        });
        let mut connector = Connector { login: Login::token("u", tokens), ..like.clone() };
        connector.endpoint.port = self.port;
        connector
    }

    /// How many tokens were used up.
    pub fn expired(&self) -> u32 {
        self.good.load(Ordering::SeqCst) - 1
    }
}

async fn carry(
    client: TcpStream,
    server: TcpStream,
    user: &str,
    octets: usize,
    end: End,
    good: Arc<AtomicU32>,
    refused: Arc<AtomicU32>,
) {
    let (mut client, mut server) = (BufReader::new(client), BufReader::new(server));
    let mut line = String::new();
    server.read_line(&mut line).await.unwrap();
    client.write_all(b"* OK [CAPABILITY IMAP4rev1 AUTH=XOAUTH2 SASL-IR] who?\r\n").await.unwrap();
    let (tag, number) = loop {
        line.clear();
        if client.read_line(&mut line).await.unwrap_or(0) == 0 {
            return;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words[1..3], ["AUTHENTICATE", "XOAUTH2"], "{line}");
        let tag = words[0].to_owned();
        let number = good.load(Ordering::SeqCst);
        let message = String::from_utf8(STANDARD.decode(words[3]).unwrap()).unwrap();
        if message == format!("user=u\u{1}auth=Bearer t{number}\u{1}\u{1}") {
            break (tag, number);
        }
        refused.fetch_add(1, Ordering::SeqCst);
        let challenge = STANDARD.encode(r#"{"status":"401","schemes":"bearer"}"#);
        client.write_all(format!("+ {challenge}\r\n").as_bytes()).await.unwrap();
        line.clear();
        client.read_line(&mut line).await.unwrap();
        assert_eq!(line, "\r\n");
        client.write_all(format!("{tag} NO [AUTHENTICATIONFAILED] stale\r\n").as_bytes()).await.unwrap();
    };
    server.write_all(format!("{tag} LOGIN {user} secret\r\n").as_bytes()).await.unwrap();
    // Each lives sixteen times as long as the one before, so that a large message gets through in the end.
    let mut left = octets << (4 * (number - 1)).min(20);
    let (mut up, mut down) = (vec![0; 4096], vec![0; 64 << 10]);
    loop {
        tokio::select! {
            n = client.read(&mut up) => {
                let n = n.unwrap_or(0);
                if n == 0 || server.write_all(&up[..n.min(left)]).await.is_err() {
                    return;
                }
                if n >= left {
                    // Whoever comes first with this token uses it up; the others are thrown out with it.
                    let _ = good.compare_exchange(number, number + 1, Ordering::SeqCst, Ordering::SeqCst);
                    if matches!(end, End::Bye) {
                        let _ = client.write_all(b"* BYE [AUTHENTICATIONFAILED] token expired\r\n").await;
                    }
                    return;
                }
                left -= n;
            }
            n = server.read(&mut down) => {
                let n = n.unwrap_or(0);
                if n == 0 || client.write_all(&down[..n]).await.is_err() {
                    return;
                }
            }
        }
    }
}
