//! One message that is larger than what a copy may keep in memory: 32 MiB, or `REHOME_LARGE_MIB` of them.

use std::{collections::BTreeMap, time::Duration};

use rehome::imap::{Fetched, WireName};
use sha2::{Digest as _, Sha256};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

use super::Pair;
use crate::binary::Binary;

const MIB: u64 = 1 << 20;
/// Room for everything that a large message may cost beside itself: windows, buffers of sockets and of TLS.
const ROOM: u64 = 20 * MIB;
/// One line of the message; the number makes it another message wherever a line is lost, doubled or moved.
const LINE: usize = 76;

fn line(n: u64) -> String {
    let text = format!("{n:016}");
    format!("{text}{:x>width$}\r\n", "", width = LINE - text.len() - 2)
}

/// Stores a message of that many lines by plain APPEND, without ever having it whole. Gives its digest and its size.
async fn store(port: u16, user: &str, lines: u64) -> (Vec<u8>, u64) {
    let header = b"Message-ID: <large@x>\r\nSubject: large\r\n\r\n";
    let size = header.len() as u64 + lines * LINE as u64;
    let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
    let mut text = String::new();
    stream.get_mut().write_all(format!("1 LOGIN {user} secret\r\n").as_bytes()).await.unwrap();
    // The server hands a connection over at the login, and takes only so much ahead of that.
    while !text.contains("1 OK") {
        assert!(stream.read_line(&mut text).await.unwrap() > 0, "{text}");
    }
    stream.get_mut().write_all(format!("2 APPEND INBOX {{{size}+}}\r\n").as_bytes()).await.unwrap();
    let mut hash = Sha256::new();
    let mut chunk = header.to_vec();
    for n in 0..lines {
        chunk.extend_from_slice(line(n).as_bytes());
        if chunk.len() > 60_000 || n + 1 == lines {
            hash.update(&chunk);
            stream.get_mut().write_all(&chunk).await.unwrap();
            chunk.clear();
        }
    }
    stream.get_mut().write_all(b"\r\n3 LOGOUT\r\n").await.unwrap();
    while stream.read_line(&mut text).await.unwrap() > 0 {}
    assert!(text.contains("2 OK"), "{text}");
    (hash.finalize().to_vec(), size)
}

/// The most memory that a process ever had, in octets (`proc_pid_status(5)`).
fn peak(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    Some(line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}

/// Copies by the real program, and gives its peak of memory.
async fn copied(pair: &Pair, user: &str) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let program = Binary::new(folder.path(), BTreeMap::from([("PASSWORD".to_owned(), "secret".to_owned())]));
    let words = [
        "copy".to_owned(),
        format!("--from=imap://{user}@127.0.0.1:{}", pair.source.port),
        format!("--to=imap://{user}@127.0.0.1:{}", pair.target.port),
        "--from-password=env:PASSWORD".to_owned(),
        "--to-password=env:PASSWORD".to_owned(),
        "--quiet".to_owned(),
    ];
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut running = program.start("copy", &words).unwrap();
    let mut most = 0;
    loop {
        most = most.max(peak(running.child.id()).unwrap_or(0));
        if let Some(status) = running.child.try_wait().unwrap() {
            running.ended(status).expect(0);
            return most;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn a_message_larger_than_the_memory_for_it_arrives_whole() {
    let Some(pair) = Pair::start("").await else { return };
    let mib = std::env::var("REHOME_LARGE_MIB").ok().and_then(|n| n.parse().ok()).unwrap_or(32_u64);
    let port = pair.source.port;
    store(port, "small", 10).await;
    let (digest, size) = store(port, "large", mib * MIB / LINE as u64).await;
    let (small, large) = (copied(&pair, "small").await, copied(&pair, "large").await);
    eprintln!("{} MiB: {} MiB at most, and {} MiB for a small one", size / MIB, large / MIB, small / MIB);
    assert!(large < small + ROOM, "{large} octets of memory, and {small} for a small message");
    let mut reader = pair.target("large").connect().await.unwrap();
    assert_eq!(reader.examine(&WireName::inbox()).await.unwrap().exists, 1);
    let mut bodies = reader.fetch_bodies(&[1]).unwrap();
    let Some(Fetched::Message(there)) = bodies.next().await.unwrap() else { panic!("it is not there") };
    assert_eq!((there.body.len(), there.body.digest().as_slice()), (size, digest.as_slice()));
}
