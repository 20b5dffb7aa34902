//! A server that follows a script, for answers no real server can be made to give.
//!
//! A script is a text. `C:` is a line the client must send, `S:` a line the server sends, `S>` the same without a line
//! end, `X` closes the connection, `Z` stays silent until the client goes away. In client lines `$` is any tag and a
//! final `…` any rest; in server lines `$` is the tag of the last tagged line and `$1`, `$2` those before it. `\r` `\n` `\0`
//! `\xNN` and `\\` in server lines are octets. Literals of the client are ordinary `C:` lines when they are lines.

use std::sync::{Arc, Mutex};

use rehome::{
    imap::{Connector, Login},
    model::{ImapEndpoint, ImapSecurity, Secret},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpListener,
    task::JoinHandle,
};

/// The server's end of one connection.
pub struct Wire<S> {
    stream: BufReader<S>,
    tags: Vec<String>,
    /// Every line the client sent.
    pub heard: Vec<String>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub fn new(stream: S) -> Self {
        Self { stream: BufReader::new(stream), tags: Vec::new(), heard: Vec::new() }
    }

    /// The next line of the client without its end; `None` when the client is gone.
    pub async fn line(&mut self) -> Option<String> {
        let mut octets = Vec::new();
        self.stream.read_until(b'\n', &mut octets).await.ok().filter(|n| *n > 0)?;
        let text = String::from_utf8_lossy(&octets).trim_end_matches(['\r', '\n']).to_owned();
        self.heard.push(text.clone());
        Some(text)
    }

    /// So many octets of the client.
    pub async fn octets(&mut self, n: usize) -> Vec<u8> {
        let mut octets = vec![0; n];
        self.stream.read_exact(&mut octets).await.unwrap();
        octets
    }

    /// Sends octets as they are.
    pub async fn send(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Reads a line and demands that it fits, `$` being any tag and a final `…` any rest.
    pub async fn expect(&mut self, pattern: &str) {
        let line = self.line().await.unwrap_or_else(|| panic!("the client went away instead of sending {pattern:?}"));
        let (line, pattern) = match pattern.strip_prefix("$ ") {
            Some(rest) => {
                let (tag, args) = line.split_once(' ').unwrap_or((&line, ""));
                self.tags.push(tag.to_owned());
                (args.to_owned(), rest)
            }
            None => (line, pattern),
        };
        let fits = pattern.strip_suffix('…').map_or(line == pattern, |head| line.starts_with(head));
        assert!(fits, "the client should send {pattern:?} and sent {line:?}");
    }

    /// Follows a script to its end.
    pub async fn follow(&mut self, script: &str) {
        for step in script.lines().map(str::trim_start).filter(|l| !l.is_empty()) {
            match step.get(..2).unwrap_or(step) {
                "C:" => self.expect(step[2..].trim_start()).await,
                "S:" => {
                    let mut octets = self.fill(step[2..].trim_start());
                    octets.extend_from_slice(b"\r\n");
                    self.send(&octets).await;
                }
                "S>" => {
                    let octets = self.fill(step[2..].trim_start());
                    self.send(&octets).await;
                }
                "X" => return,
                "Z" => while self.line().await.is_some() {},
                other => panic!("no such step: {other:?}"),
            }
        }
    }

    /// Follows a script as long as the client is there.
    pub async fn try_follow(&mut self, script: &str) {
        for step in script.lines() {
            if step.starts_with("C:") && self.stream.fill_buf().await.is_ok_and(<[u8]>::is_empty) {
                return;
            }
            self.follow(step).await;
        }
    }

    fn fill(&self, text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '$' => {
                    let back = chars.next_if(char::is_ascii_digit).and_then(|d| d.to_digit(10)).unwrap_or(0) as usize;
                    out.extend_from_slice(self.tags[self.tags.len() - 1 - back].as_bytes());
                }
                '\\' if chars.next_if_eq(&'r').is_some() => out.push(b'\r'),
                '\\' if chars.next_if_eq(&'n').is_some() => out.push(b'\n'),
                '\\' if chars.next_if_eq(&'0').is_some() => out.push(0),
                '\\' if chars.next_if_eq(&'x').is_some() => {
                    let hex: String = chars.by_ref().take(2).collect();
                    out.push(u8::from_str_radix(&hex, 16).unwrap());
                }
                '\\' if chars.next_if_eq(&'\\').is_some() => out.push(b'\\'),
                c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        out
    }
}

/// A server for one script after the other, one for each connection.
pub struct Scripted {
    pub port: u16,
    task: JoinHandle<()>,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    /// Starts it.
    pub async fn start<T: Into<String>>(scripts: impl IntoIterator<Item = T>) -> Self {
        let scripts: Vec<String> = scripts.into_iter().map(Into::into).collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&heard);
        let task = tokio::spawn(async move {
            for script in scripts {
                let mut wire = Wire::new(listener.accept().await.unwrap().0);
                wire.follow(&script).await;
                log.lock().unwrap().append(&mut wire.heard);
            }
        });
        Self { port, task, heard }
    }

    /// A connector for user `u` with password `p`.
    pub fn connector(&self) -> Connector {
        connector(self.port, ImapSecurity::Plain)
    }

    /// Waits for the scripts' end; fails when the client did not keep to them. Gives what the client sent.
    pub async fn done(self) -> Vec<String> {
        self.task.await.unwrap();
        self.heard.lock().unwrap().clone()
    }
}

/// A connector to a port of this machine for user `u` with password `p`.
pub fn connector(port: u16, security: ImapSecurity) -> Connector {
    let endpoint = ImapEndpoint { host: "127.0.0.1".to_owned(), port, security };
    Connector::new(endpoint, Login::password("u", Secret::new("p".to_owned())))
}

/// A script that begins with a login of `u` with `p` and offers these capabilities.
pub fn logged_in(capabilities: &str, rest: &str) -> String {
    format!(
        "S: * OK [CAPABILITY IMAP4rev1] hello
         C: $ LOGIN \"u\" \"p\"
         S: $ OK [CAPABILITY IMAP4rev1 {capabilities}] in
         {rest}"
    )
}
