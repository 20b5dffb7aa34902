//! Folders of any length, made up while they are read: what a copy of them costs in memory.
//!
//! Nothing is stored on either side. Message n is a function of n; the target checks that what it is sent is the next one,
//! which it can then show again.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, BufWriter},
    net::{TcpListener, TcpStream, tcp::OwnedWriteHalf},
};

use crate::binary::Binary;

const MIB: u64 = 1 << 20;
const CAPABILITIES: &str = "IMAP4rev1 LITERAL+ UIDPLUS MULTIAPPEND SASL-IR AUTH=PLAIN";

fn body(n: u64) -> String {
    format!("Message-ID: <{n}@endless>\r\nSubject: number {n}\r\n\r\n{n:0120}\r\n")
}

/// A server with one folder.
#[derive(Default)]
struct Endless {
    messages: AtomicU64,
    /// Messages that came out of order or changed.
    wrong: AtomicU64,
}

impl Endless {
    async fn start(messages: u64) -> (Arc<Self>, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let this = Arc::new(Self { messages: AtomicU64::new(messages), wrong: AtomicU64::default() });
        let server = Arc::clone(&this);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                let server = Arc::clone(&server);
                tokio::spawn(async move {
                    // A client that goes away ends the session, whatever it was at.
                    let _ = server.serve(stream).await;
                });
            }
        });
        (this, port)
    }

    async fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let (from, to) = stream.into_split();
        let (mut from, mut to) = (BufReader::with_capacity(256 << 10, from), BufWriter::with_capacity(256 << 10, to));
        to.write_all(format!("* OK [CAPABILITY {CAPABILITIES}] endless\r\n").as_bytes()).await?;
        to.flush().await?;
        let mut line = Vec::new();
        loop {
            line.clear();
            if from.read_until(b'\n', &mut line).await? == 0 {
                return Ok(());
            }
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            let (tag, rest) = text.split_once(' ').unwrap_or((&text, ""));
            let upper = rest.to_ascii_uppercase();
            let verb = upper.split(' ').next().unwrap_or_default().to_owned();
            let n = self.messages.load(Ordering::SeqCst);
            let mut ok = "done".to_owned();
            match verb.as_str() {
                "CAPABILITY" => to.write_all(format!("* CAPABILITY {CAPABILITIES}\r\n").as_bytes()).await?,
                "LIST" | "LSUB" => to.write_all(format!("* {verb} () \"/\" INBOX\r\n").as_bytes()).await?,
                "STATUS" => {
                    let status = format!("* STATUS INBOX (MESSAGES {n} UIDNEXT {} UIDVALIDITY 7)\r\n", n + 1);
                    to.write_all(status.as_bytes()).await?;
                }
                "SELECT" | "EXAMINE" => {
                    let flags = "* FLAGS (\\Seen)\r\n* OK [PERMANENTFLAGS (\\Seen \\*)] flags\r\n";
                    let opened =
                        format!("{flags}* {n} EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT {}] x\r\n", n + 1);
                    to.write_all(opened.as_bytes()).await?;
                    ok = if verb == "SELECT" { "[READ-WRITE] open" } else { "[READ-ONLY] open" }.to_owned();
                }
                "UID" => self.fetch(&upper, n, &mut to).await?,
                "APPEND" => ok = self.append(rest, &mut from).await?,
                "LOGOUT" => to.write_all(b"* BYE\r\n").await?,
                _ => {}
            }
            to.write_all(format!("{tag} OK {ok}\r\n").as_bytes()).await?;
            if from.buffer().is_empty() {
                to.flush().await?;
            }
        }
    }

    async fn fetch(&self, command: &str, messages: u64, to: &mut BufWriter<OwnedWriteHalf>) -> std::io::Result<()> {
        let set = command.split(' ').nth(2).unwrap_or_default();
        for part in set.split(',') {
            let (first, last) = part.split_once(':').unwrap_or((part, part));
            let number = |text: &str| text.parse().unwrap_or(messages);
            for n in number(first)..=number(last).min(messages) {
                let mut items = format!("* {n} FETCH (UID {n} FLAGS (\\Seen)");
                if command.contains("INTERNALDATE") {
                    items.push_str(" INTERNALDATE \"05-Jan-2020 03:04:05 +0000\"");
                }
                let text = body(n);
                if command.contains("RFC822.SIZE") {
                    let _ = write!(items, " RFC822.SIZE {}", text.len());
                }
                if command.contains("BODY") {
                    let _ = write!(items, " BODY[] {{{}}}\r\n{text}", text.len());
                }
                to.write_all(items.as_bytes()).await?;
                to.write_all(b")\r\n").await?;
            }
        }
        Ok(())
    }

    /// One message or many. Gives the words behind OK.
    async fn append(
        &self,
        line: &str,
        from: &mut BufReader<tokio::net::tcp::OwnedReadHalf>,
    ) -> std::io::Result<String> {
        let mut line = line.to_owned();
        let (mut first, mut last) = (0, 0);
        while let Some((_, literal)) = line.rsplit_once('{') {
            let octets: usize = literal.trim_end_matches('}').trim_end_matches('+').parse().unwrap_or(0);
            let mut message = vec![0; octets];
            from.read_exact(&mut message).await?;
            last = self.messages.fetch_add(1, Ordering::SeqCst) + 1;
            first = if first == 0 { last } else { first };
            if message != body(last).as_bytes() {
                self.wrong.fetch_add(1, Ordering::SeqCst);
            }
            let mut rest = Vec::new();
            from.read_until(b'\n', &mut rest).await?;
            line = String::from_utf8_lossy(&rest).trim_end().to_owned();
        }
        Ok(format!("[APPENDUID 7 {first}:{last}] stored"))
    }
}

fn peak(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    Some(line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}

/// Copies so many messages by the real program, twice. Gives its peak of memory in either run, and how long that took.
async fn copied(messages: u64) -> [(u64, Duration); 2] {
    let (_, source) = Endless::start(messages).await;
    let (target, port) = Endless::start(0).await;
    let folder = tempfile::tempdir().unwrap();
    let program = Binary::new(folder.path(), BTreeMap::from([("PASSWORD".to_owned(), "secret".to_owned())]));
    let words = [
        "copy".to_owned(),
        format!("--from=imap://ann@127.0.0.1:{source}"),
        format!("--to=imap://ann@127.0.0.1:{port}"),
        "--from-password=env:PASSWORD".to_owned(),
        "--to-password=env:PASSWORD".to_owned(),
        "--quiet".to_owned(),
    ];
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut runs = [(0, Duration::ZERO); 2];
    for (most, took) in &mut runs {
        let begun = Instant::now();
        let mut running = program.start("copy", &words).unwrap();
        let status = loop {
            *most = peak(running.child.id()).unwrap_or(0).max(*most);
            if let Some(status) = running.child.try_wait().unwrap() {
                break status;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        running.ended(status).expect(0);
        let there = target.messages.load(Ordering::SeqCst);
        assert_eq!((there, target.wrong.load(Ordering::SeqCst)), (messages, 0), "each message, once, in order");
        *took = begun.elapsed();
    }
    runs
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_is_made_up_while_it_is_read_is_copied_in_order_within_bounds() {
    let (small, large) = (copied(500).await, copied(8_000).await);
    // A large folder may cost a little for each message, and never what the messages are.
    assert!(large[0].0 < small[0].0 + 24 * MIB, "{small:?} {large:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes and prints; cargo nextest run --run-ignored all -E 'test(a_million)' --no-capture"]
async fn a_million_messages_in_one_folder_and_what_they_cost() {
    let most = std::env::var("REHOME_ENDLESS").ok().and_then(|n| n.parse().ok()).unwrap_or(1_000_000_u64);
    for messages in [10_000, 100_000, 1_000_000].into_iter().filter(|n| *n <= most) {
        let [(first, took), (second, again)] = copied(messages).await;
        eprintln!(
            "{messages} messages: {} MiB at most in {took:?}; with nothing to do {} MiB in {again:?}",
            first / MIB,
            second / MIB
        );
    }
}
