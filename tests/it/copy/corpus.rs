//! Mail with everything that can be odd about it.

use rehome::imap::{AppendMessage, Body, Connector, Fetched, InternalDate, Reader, UidRange, WireName, Writer};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use crate::imap::dovecot::Dovecot;

pub async fn append(writer: &mut Writer, folder: &str, flags: &[&str], date: &str, octets: &[u8]) {
    let message = AppendMessage {
        flags: flags.iter().map(|f| (*f).to_owned()).collect(),
        internal_date: InternalDate::parse(date),
        body: Body::from(octets.to_vec()),
    };
    writer.append(&WireName::encode(folder), &message).await.unwrap();
}

/// Fills a mailbox.
pub async fn fill(connector: Connector) {
    let mut writer = connector.connect_writer().await.unwrap();
    // `Projekte` becomes a parent that holds no messages itself.
    for folder in ["Projekte/Zürich/Süd", "Empty", "Gesendete Elemente", "Sent", "a&b", "Ça va ?"] {
        writer.create(&WireName::encode(folder)).await.unwrap();
    }
    for folder in ["Projekte/Zürich/Süd", "Empty", "INBOX"] {
        writer.subscribe(&WireName::encode(folder)).await.unwrap();
    }
    let plain = |n: u32| format!("Message-ID: <{n}@x>\r\nSubject: {n}\r\n\r\nbody {n}\r\n").into_bytes();
    let old = " 5-Jan-1971 03:04:05 +0530";
    for n in 1..=90 {
        let flags: &[&str] = if n % 3 == 0 { &["\\Seen", "$Forwarded", "NonJunk"] } else { &[] };
        append(&mut writer, "INBOX", flags, old, &plain(n)).await;
    }
    for flags in [&["\\Seen"][..], &[], &["\\Deleted", "\\Draft", "\\Answered"]] {
        append(&mut writer, "INBOX", flags, old, &plain(7)).await;
    }
    let long = format!("Subject: long\r\n\r\n{}\r\n", "x".repeat(20_000));
    let odd: [(&str, Vec<u8>); 9] = [
        ("31-Dec-1999 23:59:59 -1200", b"Subject: no id\r\n\r\nno final newline".to_vec()),
        ("29-Feb-2024 12:00:00 +1400", b"Subject: 8-bit \xe9\xff\r\n\r\n\x80\x81\xfe\r\n".to_vec()),
        (old, long.into_bytes()),
        (old, b"\r\nonly a body\r\n".to_vec()),
        (old, b"Subject: only a header\r\n".to_vec()),
        (old, b"From nobody Mon Jan  1 00:00:00 2024\r\nSubject: mbox\r\n\r\n.\r\n".to_vec()),
        (old, b"Subject: folded\r\n and\r\n\tmore\r\n\r\n{5}\r\n* 1 FETCH ()\r\n".to_vec()),
        (old, b"X".to_vec()),
        (old, big()),
    ];
    for (date, octets) in &odd {
        append(&mut writer, "Projekte/Zürich/Süd", &["\\Flagged"], date, octets).await;
    }
    append(&mut writer, "Sent", &["\\Seen"], old, &plain(1)).await;
    append(&mut writer, "Gesendete Elemente", &["\\Seen"], old, &plain(2)).await;
    append(&mut writer, "a&b", &[], old, &plain(3)).await;
    append(&mut writer, "Ça va ?", &[], old, &plain(4)).await;
    writer.logout().await;
}

/// A message above what is kept in memory.
fn big() -> Vec<u8> {
    let mut out = b"Message-ID: <big@x>\r\nSubject: big\r\n\r\n".to_vec();
    for n in 0_u32..40_000 {
        out.extend_from_slice(format!("{n:07} a line of a large message, once more\r\n").as_bytes());
    }
    out
}

/// A message to append as it is.
pub fn outgoing(octets: &[u8]) -> AppendMessage {
    AppendMessage {
        flags: std::collections::BTreeSet::new(),
        internal_date: InternalDate::parse(" 5-Jan-1971 03:04:05 +0530"),
        body: Body::from(octets.to_vec()),
    }
}

/// The octets of every message of the open folder, in UID order.
pub async fn read_all(reader: &mut Reader) -> Vec<Vec<u8>> {
    let uids: Vec<u32> = reader.fetch_meta(UidRange::ALL).await.unwrap().iter().map(|m| m.uid).collect();
    let mut out = std::collections::BTreeMap::new();
    let mut stream = reader.fetch_bodies(&uids).unwrap();
    while let Some(fetched) = stream.next().await.unwrap() {
        let Fetched::Message(m) = fetched else { panic!("{fetched:?}") };
        let mut octets = Vec::new();
        std::io::Read::read_to_end(&mut m.body.reader(), &mut octets).unwrap();
        out.insert(m.uid, octets);
    }
    out.into_values().collect()
}

/// Removes what is marked as deleted. The project's own client has no such verb.
pub async fn expunge(server: &Dovecot, user: &str, folder: &str) {
    let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", server.port)).await.unwrap());
    let commands = format!("1 LOGIN {user} secret\r\n2 SELECT {folder}\r\n3 EXPUNGE\r\n4 LOGOUT\r\n");
    stream.get_mut().write_all(commands.as_bytes()).await.unwrap();
    let mut line = String::new();
    while stream.read_line(&mut line).await.unwrap() > 0 {
        if line.starts_with("3 ") {
            assert!(line.starts_with("3 OK"), "{line}");
        }
        line.clear();
    }
}
