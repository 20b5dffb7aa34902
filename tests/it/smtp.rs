//! The client that hands one message over, against a mail server of the sandbox and against servers that break off.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use rehome::{
    imap::TlsRoots,
    model::Address,
    sandbox::{
        counters::Counters,
        smtp::{Delivery, SmtpFault, SmtpServer},
    },
    smtp::{Courier, Handed, Host, Letter, Protection, Timeouts},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    sync::Mutex,
};

use crate::imap::tls::{authority, issue};

/// Keeps what is delivered to ann.
#[derive(Default)]
struct Kept(Mutex<Vec<Vec<u8>>>);

#[async_trait]
impl Delivery for Kept {
    fn knows(&self, _: &str, address: &Address) -> bool {
        address.local() == "ann"
    }

    async fn deliver(&self, _: &str, _: &Address, message: Vec<u8>, _: bool) -> io::Result<()> {
        self.0.lock().await.push(message);
        Ok(())
    }
}

async fn server() -> (SmtpServer, Arc<Kept>, Counters) {
    let (kept, counters) = (Arc::new(Kept::default()), Counters::new());
    let server = SmtpServer::start(Arc::clone(&kept) as Arc<dyn Delivery>, &[], counters.clone()).await.unwrap();
    server.route("x.org", "any");
    (server, kept, counters)
}

fn courier() -> Courier {
    let patience = Duration::from_millis(500);
    Courier { timeouts: Timeouts { connect: patience, reply: patience, accepted: patience }, ..Courier::default() }
}

fn host(name: &str, address: SocketAddr) -> Host {
    Host { name: name.to_owned(), addresses: vec![address] }
}

fn ann() -> Address {
    Address::parse("ann@x.org").unwrap()
}

/// Hands a message over, and how often it was about to be sent.
async fn hand_over(courier: &Courier, hosts: &[Host], to: &Address, bytes: &[u8]) -> (Handed, Vec<String>) {
    let mut begun = Vec::new();
    let mut begin = |host: &str| -> Result<(), ()> {
        begun.push(host.to_owned());
        Ok(())
    };
    let letter = Letter { from: None, to: to.clone(), bytes: bytes.to_vec() };
    let handed = courier.hand_over(hosts, &letter, &mut begin).await.unwrap();
    (handed, begun)
}

#[tokio::test]
async fn a_message_arrives_to_the_last_octet_and_is_begun_once() {
    let (server, kept, counters) = server().await;
    let text = b"Subject: dots\r\n\r\n.\r\n..two\r\nlast line without an end";
    let hosts = [host("mx.x.org", server.address())];
    let (handed, begun) = hand_over(&courier(), &hosts, &ann(), text).await;
    assert!(matches!(handed, Handed::Accepted { protection: Protection::Absent, .. }), "{handed:?}");
    assert_eq!(begun, ["mx.x.org"]);
    let mail = kept.0.lock().await;
    assert!(mail[0].ends_with(b"\r\n\r\n.\r\n..two\r\nlast line without an end\r\n"), "{:?}", mail[0]);
    assert_eq!((mail.len(), counters.get("smtp.QUIT")), (1, 1));
}

#[tokio::test]
async fn a_certificate_that_does_not_hold_is_told_and_stops_nothing() {
    let (server, ..) = server().await;
    let ours = authority("ours");
    server.encrypt(issue(&ours, &["mx.x.org"], (2020, 2090)));
    let trusting = Courier { roots: TlsRoots::only_pem(ours.pem().as_bytes()).unwrap(), ..courier() };
    let strict = Courier { roots: TlsRoots::only_pem(authority("other").pem().as_bytes()).unwrap(), ..courier() };
    for (courier, name, wanted) in [
        (&trusting, "mx.x.org", None),
        (&trusting, "other.x.org", Some("other.x.org")),
        (&strict, "mx.x.org", Some("mx.x.org")),
    ] {
        let (handed, _) = hand_over(courier, &[host(name, server.address())], &ann(), b"x").await;
        let Handed::Accepted { protection, .. } = handed else { panic!("{handed:?}") };
        match (protection, wanted) {
            (Protection::Trusted, None) => {}
            (Protection::Encrypted(problem), Some(word)) => assert!(problem.contains(word), "{problem}"),
            (other, _) => panic!("{name}: {other:?}"),
        }
        assert_eq!(courier.certificates(&host(name, server.address())).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_refusal_tells_the_recipient_from_this_machine() {
    let (server, _, counters) = server().await;
    let hosts = [host("mx.x.org", server.address())];
    let bob = Address::parse("bob@x.org").unwrap();
    let (handed, begun) = hand_over(&courier(), &hosts, &bob, b"x").await;
    assert!(matches!(&handed, Handed::Refused { reply, .. } if reply.enhanced == Some((5, 1, 1))), "{handed:?}");
    assert!(begun.is_empty() && counters.get("smtp.DATA") == 0);
    server.fail(Some(SmtpFault::Barred));
    let (handed, _) = hand_over(&courier(), &hosts, &ann(), b"x").await;
    assert!(matches!(&handed, Handed::Barred { reply, .. } if reply.code == 554), "{handed:?}");
    server.fail(Some(SmtpFault::Later));
    assert!(matches!(courier().knock(&hosts, None, &ann()).await, Handed::Deferred { .. }));
    server.fail(None);
    assert!(matches!(courier().knock(&hosts, None, &ann()).await, Handed::Accepted { .. }));
    assert_eq!(counters.get("smtp.content"), 0, "to knock sends nothing");
}

#[tokio::test]
async fn the_next_server_is_tried_where_one_cannot_be_reached_and_every_one_is_asked() {
    let (good, kept, _) = server().await;
    let (bad, ..) = server().await;
    let nobody: SocketAddr = "127.0.0.1:1".parse().unwrap();
    let hosts = [host("a.x.org", nobody), host("b.x.org", good.address())];
    let (handed, begun) = hand_over(&courier(), &hosts, &ann(), b"x").await;
    assert!(matches!(&handed, Handed::Accepted { host, .. } if host == "b.x.org"), "{handed:?}");
    assert_eq!((begun.len(), kept.0.lock().await.len()), (1, 1));
    bad.fail(Some(SmtpFault::RefuseRecipient));
    let hosts = [host("b.x.org", good.address()), host("c.x.org", bad.address())];
    let knocked = courier().knock(&hosts, None, &ann()).await;
    assert!(matches!(&knocked, Handed::Refused { host, .. } if host == "c.x.org"), "{knocked:?}");
    let none = courier().knock(&[host("a.x.org", nobody)], None, &ann()).await;
    assert!(matches!(&none, Handed::Unreachable(why) if why.contains("a.x.org")), "{none:?}");
}

#[tokio::test]
async fn a_connection_that_breaks_is_unclear_only_once_the_message_was_begun() {
    let (server, ..) = server().await;
    server.fail(Some(SmtpFault::Hang));
    let (handed, _) = hand_over(&courier(), &[host("mx.x.org", server.address())], &ann(), b"x").await;
    assert!(matches!(handed, Handed::Unclear { .. }), "{handed:?}");
    for before in ["", "220 mx\r\n", "220 mx\r\n250 mx\r\n", "220 mx\r\n250 mx\r\n250 ok\r\n", "SSH-2.0\r\n"] {
        let at = says(before).await;
        let (handed, begun) = hand_over(&courier(), &[host("mx.x.org", at)], &ann(), b"x").await;
        assert!(matches!(handed, Handed::Unreachable(_)) && begun.is_empty(), "{before:?}: {handed:?}");
    }
    // The server agreed to the recipient and was gone before it asked for the message.
    let at = says("220 mx\r\n250 mx\r\n250 ok\r\n250 ok\r\n").await;
    let (handed, begun) = hand_over(&courier(), &[host("mx.x.org", at)], &ann(), b"x").await;
    assert!(matches!(handed, Handed::Unreachable(_)) && begun.len() == 1, "{handed:?}");
}

/// A server that says that, whatever it is told, and closes.
async fn says(text: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        for line in text.split_inclusive('\n') {
            tcp.write_all(line.as_bytes()).await.unwrap();
            let mut heard = [0; 512];
            let _ = tcp.read(&mut heard).await;
        }
    });
    address
}
