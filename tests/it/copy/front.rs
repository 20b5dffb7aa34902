//! A server that is odd: the sandbox's own behind a front that changes what it hears and says.
//!
//! The front understands enough of IMAP to know where commands and responses end. Text is handled as Latin-1, so that
//! each octet is one character and any octet survives.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    time::Duration,
};

use rehome::{
    imap::{Connector, Login},
    model::{ImapEndpoint, ImapSecurity, Secret},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// A whole command of the client.
#[derive(Clone, Debug)]
pub struct Heard {
    pub tag: String,
    /// In upper case; `UID FETCH` and its like in one.
    pub verb: String,
    /// Everything, literals included.
    pub text: String,
}

/// What the front does with a command.
pub enum Heed {
    /// The server behind gets it.
    Pass,
    /// The server behind gets another text.
    Instead(String),
    /// The server behind never learns of it. `$` is the tag.
    Answer(String),
}

type Hear = Arc<dyn Fn(&Heard) -> Heed + Send + Sync>;
type Say = Arc<dyn Fn(&str, String) -> Option<String> + Send + Sync>;

/// What is odd about a server.
#[derive(Clone, Default)]
pub struct Odd {
    hear: Vec<Hear>,
    say: Vec<Say>,
    offers: Option<&'static str>,
    writes: Option<(&'static str, &'static str)>,
    slow: Option<(&'static str, Duration)>,
    idles: Option<Duration>,
}

impl Odd {
    /// The capabilities it claims instead of its own. Logging in is always by LOGIN.
    pub fn offers(mut self, capabilities: &'static str) -> Self {
        self.offers = Some(capabilities);
        self
    }

    /// Commands that it deals with in its own way.
    pub fn hears(mut self, hear: impl Fn(&Heard) -> Heed + Send + Sync + 'static) -> Self {
        self.hear.push(Arc::new(hear));
        self
    }

    /// Answers it changes, given the verb of the command that is being answered; `None` closes the connection instead.
    pub fn says(mut self, say: impl Fn(&str, String) -> Option<String> + Send + Sync + 'static) -> Self {
        self.say.push(Arc::new(say));
        self
    }

    /// Commands of a verb that it takes so long for.
    pub fn slow(mut self, verb: &'static str, time: Duration) -> Self {
        self.slow = Some((verb, time));
        self
    }

    /// It ends a connection that was silent for so long between two commands.
    pub fn idles(mut self, time: Duration) -> Self {
        self.idles = Some(time);
        self
    }

    /// One text instead of another in everything it says, and the other instead of the one in what it hears.
    pub fn writes(mut self, theirs: &'static str, ours: &'static str) -> Self {
        self.writes = Some((theirs, ours));
        self.says(move |_, text| Some(text.replace(ours, theirs)))
    }

    /// One text instead of another in every answer to a verb.
    pub fn replaces(self, verb: &'static str, from: &'static str, to: &'static str) -> Self {
        self.says(move |v, text| Some(if v == verb { text.replace(from, to) } else { text }))
    }

    /// Answers whose first line holds this text are not given.
    pub fn swallows(self, words: &'static str) -> Self {
        self.says(move |_, text| {
            let first = text.split("\r\n").next().unwrap_or_default().to_owned();
            Some(if first.contains(words) { String::new() } else { text })
        })
    }

    /// The n-th command of a verb (from 1) is answered like this instead of being done.
    pub fn answers(self, verb: &'static str, nth: u32, with: &'static str) -> Self {
        let count = AtomicU32::new(0);
        self.hears(move |heard| {
            let now = heard.verb == verb && count.fetch_add(1, Ordering::SeqCst) + 1 == nth;
            if now { Heed::Answer(with.to_owned()) } else { Heed::Pass }
        })
    }

    fn said(&self, verb: &str, text: String) -> Option<String> {
        let text = match self.offers {
            Some(offers) => offering(&text, offers),
            None => text.replace(" AUTH=PLAIN", ""),
        };
        self.say.iter().try_fold(text, |text, say| say(verb, text))
    }
}

/// The line with other capabilities.
fn offering(text: &str, offers: &str) -> String {
    let Some(at) = text.find("CAPABILITY ").filter(|at| *at < 24) else { return text.to_owned() };
    let start = at + "CAPABILITY ".len();
    let end = text[start..].find([']', '\r']).map_or(text.len(), |n| start + n);
    format!("{}IMAP4rev1 {offers}{}", &text[..start], &text[end..])
}

/// A running front. It ends with the test's runtime.
pub struct Front {
    pub port: u16,
    log: Arc<Log>,
}

/// What a client sent.
#[derive(Default)]
struct Log {
    heard: Mutex<Vec<Heard>>,
    unasked: AtomicUsize,
    end: tokio::sync::Notify,
}

impl Front {
    pub async fn start(server: u16, odd: Odd) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let log = Arc::new(Log::default());
        let kept = Arc::clone(&log);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                tokio::spawn(serve(client, server, odd.clone(), Arc::clone(&kept)));
            }
        });
        Self { port, log }
    }

    pub fn connector(&self, user: &str, password: &str) -> Connector {
        let endpoint = ImapEndpoint { host: "127.0.0.1".to_owned(), port: self.port, security: ImapSecurity::Plain };
        Connector::new(endpoint, Login::password(user, Secret::new(password.to_owned())))
    }

    /// Every command of a verb so far.
    pub fn heard(&self, verb: &str) -> Vec<Heard> {
        self.log.heard.lock().unwrap().iter().filter(|h| h.verb == verb).cloned().collect()
    }

    /// The verbs of all commands so far.
    pub fn verbs(&self) -> Vec<String> {
        self.log.heard.lock().unwrap().iter().map(|h| h.verb.clone()).collect()
    }

    /// Ends all connections that there are, as a server does with those that were silent for too long.
    pub fn ends_all(&self) {
        self.log.end.notify_waiters();
    }

    /// The octets of the longest literal that was sent without asking.
    pub fn unasked(&self) -> usize {
        self.log.unasked.load(Ordering::SeqCst)
    }
}

fn latin(octets: &[u8]) -> String {
    octets.iter().map(|b| char::from(*b)).collect()
}

fn octets(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
}

/// Commands that the server behind has and has not answered: tag and verb.
type Open = Arc<Mutex<VecDeque<(String, String)>>>;

async fn serve(client: TcpStream, server: TcpStream, odd: Odd, log: Arc<Log>) {
    // Small answers must not wait for each other.
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let to_client = tokio::sync::Mutex::new(to_client);
    let open = Open::default();
    // Whichever ends first takes the other with it: both sockets are closed.
    tokio::select! {
        () = commands(from_client, to_server, &to_client, &odd, &open, &log) => {}
        () = answers(from_server, &to_client, &odd, &open) => {}
        () = log.end.notified() => bye(&to_client).await,
    }
}

/// What a server says to whom it does not wait for any longer.
async fn bye(to_client: &tokio::sync::Mutex<OwnedWriteHalf>) {
    let _ = to_client.lock().await.write_all(b"* BYE Autologout\r\n").await;
}

async fn commands(
    from: OwnedReadHalf,
    mut to_server: OwnedWriteHalf,
    to_client: &tokio::sync::Mutex<OwnedWriteHalf>,
    odd: &Odd,
    open: &Open,
    log: &Log,
) {
    let mut from = BufReader::new(from);
    'command: loop {
        let mut whole = Vec::new();
        loop {
            let start = whole.len();
            let line = from.read_until(b'\n', &mut whole);
            let read = match odd.idles.filter(|_| start == 0) {
                Some(time) => tokio::time::timeout(time, line).await.unwrap_or(Ok(0)),
                None => line.await,
            };
            if read.unwrap_or(0) == 0 {
                bye(to_client).await;
                return;
            }
            let Some((size, waits, brace)) = literal(&whole[start..]) else { break };
            if let Some((theirs, ours)) = odd.writes {
                // A name that is translated changes its length, so that it goes in quotes.
                let mut body = vec![0; size];
                if from.read_exact(&mut body).await.is_err() {
                    return;
                }
                whole.truncate(start + brace);
                whole.extend_from_slice(format!("\"{}\"", latin(&body).replace(theirs, ours)).as_bytes());
                continue;
            }
            if waits {
                // The server behind needs no asking; the client does.
                if to_client.lock().await.write_all(b"+ \r\n").await.is_err() {
                    return;
                }
                whole.truncate(start + brace);
                whole.extend_from_slice(format!("{{{size}+}}\r\n").as_bytes());
            } else {
                log.unasked.fetch_max(size, Ordering::SeqCst);
            }
            let mut body = vec![0; size];
            if from.read_exact(&mut body).await.is_err() {
                return;
            }
            whole.extend_from_slice(&body);
        }
        let mut text = latin(&whole);
        if let Some((theirs, ours)) = odd.writes {
            text = text.replace(theirs, ours);
            whole = octets(&text);
        }
        let mut words = text.split([' ', '\r']);
        let tag = words.next().unwrap_or_default().to_owned();
        let mut verb = words.next().unwrap_or_default().to_uppercase();
        if verb == "UID" {
            verb = format!("UID {}", words.next().unwrap_or_default().to_uppercase());
        }
        let heard = Heard { tag, verb, text };
        log.heard.lock().unwrap().push(heard.clone());
        for hear in &odd.hear {
            match hear(&heard) {
                Heed::Pass => {}
                Heed::Instead(text) => whole = octets(&text),
                Heed::Answer(text) => {
                    while text.contains("* BYE ") && !open.lock().unwrap().is_empty() {
                        // What came before is done and answered, in its order.
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                    let text = text.replace('$', &heard.tag);
                    let gone = to_client.lock().await.write_all(&octets(&text)).await.is_err();
                    if gone || text.contains("* BYE ") {
                        return;
                    }
                    continue 'command;
                }
            }
        }
        if let Some((_, time)) = odd.slow.filter(|(verb, _)| *verb == heard.verb) {
            tokio::time::sleep(time).await;
        }
        open.lock().unwrap().push_back((heard.tag, heard.verb));
        if to_server.write_all(&whole).await.is_err() {
            return;
        }
    }
}

async fn answers(from: OwnedReadHalf, to_client: &tokio::sync::Mutex<OwnedWriteHalf>, odd: &Odd, open: &Open) {
    let mut from = BufReader::new(from);
    loop {
        let mut whole = Vec::new();
        loop {
            let start = whole.len();
            if from.read_until(b'\n', &mut whole).await.unwrap_or(0) == 0 {
                return;
            }
            let Some((size, ..)) = literal(&whole[start..]) else { break };
            let mut body = vec![0; size];
            if from.read_exact(&mut body).await.is_err() {
                return;
            }
            whole.extend_from_slice(&body);
        }
        let text = latin(&whole);
        let verb = {
            let mut open = open.lock().unwrap();
            let verb = open.front().map(|(_, verb)| verb.clone()).unwrap_or_default();
            let tag = text.split(' ').next().unwrap_or_default();
            if open.front().is_some_and(|(t, _)| t == tag) {
                open.pop_front();
            }
            verb
        };
        let Some(said) = odd.said(&verb, text) else { return };
        let sent = to_client.lock().await.write_all(&octets(&said)).await;
        // Nobody says goodbye and stays, unless asked to go.
        if sent.is_err() || (said.starts_with("* BYE") && verb != "LOGOUT") {
            return;
        }
    }
}

/// The size of the literal that a line announces, whether its sender waits, and where the brace is.
fn literal(line: &[u8]) -> Option<(usize, bool, usize)> {
    let text = line.strip_suffix(b"}\r\n")?;
    let brace = text.iter().rposition(|b| *b == b'{')?;
    let inner = std::str::from_utf8(&text[brace + 1..]).ok()?;
    let waits = !inner.ends_with('+');
    Some((inner.trim_end_matches('+').parse().ok()?, waits, brace))
}
