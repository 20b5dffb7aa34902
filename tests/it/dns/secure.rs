//! DNS over TLS and over HTTPS, with the program as a user runs it and a server of the test on loopback.

use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use rehome::{
    model::RecordType,
    sandbox::{
        counters::Counters,
        dns::{DnsServer, Zones},
    },
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream, UdpSocket},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
    server::TlsStream,
};

use crate::binary::{Binary, Ended};

#[derive(Clone, Copy, PartialEq)]
enum Manner {
    /// DNS over TLS.
    Tls,
    /// The same, and every connection ends after one answer.
    TlsOnce,
    /// DNS over HTTPS.
    Https,
    /// HTTPS with a web page for everything.
    Page,
}

/// A server on a protected way in front of one with zones.
struct Front {
    port: u16,
    connections: Arc<AtomicUsize>,
    lengths: Arc<Mutex<Vec<usize>>>,
}

struct Desk {
    zones: Zones,
    server: DnsServer,
    binary: Binary,
    acceptor: TlsAcceptor,
    _folder: tempfile::TempDir,
}

impl Desk {
    async fn new() -> Self {
        let zones = Zones::new();
        zones.add_zone("a.example", &["ns1.a.example"]).unwrap();
        zones.set("a.example", RecordType::Txt, &["v=spf1 ip4:198.51.100.0/24 ~all"], 600).unwrap();
        zones.set("a.example", RecordType::Mx, &["1 mx.a.example"], 600).unwrap();
        zones.set("mx.a.example", RecordType::A, &["192.0.2.25"], 600).unwrap();
        let server = DnsServer::start(zones.clone(), Counters::new()).await.unwrap();
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ca.pem"), made.cert.pem()).unwrap();
        let trusted = folder.path().join("ca.pem").display().to_string();
        let variables = [("REHOME_DNS_TIMEOUT_MILLIS", "3000"), ("NO_COLOR", "1"), ("SSL_CERT_FILE", &trusted)];
        let variables: BTreeMap<_, _> = variables.map(|(n, v)| (n.to_owned(), v.to_owned())).into();
        let binary = Binary::new(folder.path(), variables);
        Self { zones, server, binary, acceptor: TlsAcceptor::from(Arc::new(config)), _folder: folder }
    }

    async fn front(&self, manner: Manner) -> Front {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (connections, lengths) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (counted, measured) = (Arc::clone(&connections), Arc::clone(&lengths));
        let (acceptor, behind) = (self.acceptor.clone(), self.server.address());
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let (acceptor, measured) = (acceptor.clone(), Arc::clone(&measured));
                tokio::spawn(async move {
                    // A client that does not trust the certificate goes away.
                    let Ok(tls) = acceptor.accept(tcp).await else { return };
                    let _gone = match manner {
                        Manner::Tls | Manner::TlsOnce => framed(tls, behind, &measured, manner).await,
                        Manner::Https | Manner::Page => web(tls, behind, &measured, manner).await,
                    };
                });
            }
        });
        Front { port, connections, lengths }
    }

    fn spf(&self, server: &str) -> Ended {
        let words = ["dns", "spf", "a.example", "--ip", "198.51.100.7", "--format", "json", "--server", server];
        self.binary.run(&words)
    }
}

async fn forward(behind: SocketAddr, question: &[u8], lengths: &Mutex<Vec<usize>>) -> Vec<u8> {
    lengths.lock().unwrap().push(question.len());
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    socket.send_to(question, behind).await.unwrap();
    let mut answer = vec![0; 65_535];
    let n = socket.recv(&mut answer).await.unwrap();
    answer.truncate(n);
    answer
}

async fn framed(
    mut tls: TlsStream<TcpStream>,
    behind: SocketAddr,
    lengths: &Mutex<Vec<usize>>,
    manner: Manner,
) -> std::io::Result<()> {
    loop {
        let mut question = vec![0; usize::from(tls.read_u16().await?)];
        tls.read_exact(&mut question).await?;
        let answer = forward(behind, &question, lengths).await;
        tls.write_u16(u16::try_from(answer.len()).unwrap()).await?;
        tls.write_all(&answer).await?;
        tls.flush().await?;
        if manner == Manner::TlsOnce {
            return tls.shutdown().await;
        }
    }
}

async fn web(
    tls: TlsStream<TcpStream>,
    behind: SocketAddr,
    lengths: &Mutex<Vec<usize>>,
    manner: Manner,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(tls);
    loop {
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let lower = line.to_ascii_lowercase();
            if let Some(n) = lower.strip_prefix("content-length:") {
                length = n.trim().parse().unwrap();
            }
            head.push_str(&line);
        }
        let mut question = vec![0; length];
        stream.read_exact(&mut question).await?;
        assert!(head.starts_with("POST /dns-query "), "{head}");
        let (media, body) = match manner {
            Manner::Page => ("text/html", b"<h1>no</h1>".to_vec()),
            _ => ("application/dns-message", forward(behind, &question, lengths).await),
        };
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-type: {media}\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all(answer.as_bytes()).await?;
        stream.write_all(&body).await?;
        stream.flush().await?;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_go_over_tls_on_one_connection_and_padded() {
    let desk = Desk::new().await;
    let front = desk.front(Manner::Tls).await;
    let told = desk.spf(&format!("tls://127.0.0.1:{}", front.port)).expect(0).stdout;
    assert!(told.contains("\"result\": \"pass\""), "{told}");
    let named = desk.spf(&format!("tls://127.0.0.1:{}#localhost", front.port)).expect(0).stdout;
    assert!(named.contains("\"result\": \"pass\""), "{named}");
    assert_eq!(front.connections.load(Ordering::SeqCst), 2, "one for each command");
    let lengths = front.lengths.lock().unwrap();
    assert!(!lengths.is_empty() && lengths.iter().all(|n| n % 128 == 0), "{lengths:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_closes_after_each_answer_loses_no_question() {
    let desk = Desk::new().await;
    desk.zones.set("a.example", RecordType::Txt, &["v=spf1 include:b.a.example -all"], 600).unwrap();
    desk.zones.set("b.a.example", RecordType::Txt, &["v=spf1 mx:a.example -all"], 600).unwrap();
    let front = desk.front(Manner::TlsOnce).await;
    let told = desk.spf(&format!("tls://localhost:{}", front.port)).expect(0).stdout;
    assert!(told.contains("\"result\": \"fail\"") && told.contains("\"lookups\": 2"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_go_over_https() {
    let desk = Desk::new().await;
    let front = desk.front(Manner::Https).await;
    let told = desk.spf(&format!("https://localhost:{}/dns-query", front.port)).expect(0).stdout;
    assert!(told.contains("\"result\": \"pass\""), "{told}");
    assert_eq!(front.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_trusted_or_no_dns_is_unknown_and_never_missing() {
    let desk = Desk::new().await;
    let (tls, page) = (desk.front(Manner::Tls).await, desk.front(Manner::Page).await);
    let stranger = Desk::new().await;
    for server in [
        format!("tls://127.0.0.1:{}#dns.example", tls.port),
        format!("https://localhost:{}/dns-query", page.port),
        "tls://127.0.0.1:1".to_owned(),
    ] {
        let told = desk.spf(&server).expect(12).stdout;
        assert!(told.contains("\"result\": \"temperror\""), "{server}: {told}");
    }
    for server in [format!("tls://127.0.0.1:{}", tls.port), format!("https://localhost:{}/dns-query", page.port)] {
        let told = stranger.spf(&server).expect(12).stdout;
        assert!(told.contains("\"result\": \"temperror\""), "an authority that nobody trusts: {server}: {told}");
    }
    assert!(tls.lengths.lock().unwrap().is_empty(), "nothing was asked before the certificate was known to be right");
    desk.spf("tls://nowhere/path").expect(10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protected_resolver_is_compared_with_the_servers_of_the_domain() {
    let (own, public) = (Desk::new().await, Desk::new().await);
    public.zones.set("a.example", RecordType::Mx, &["1 old.a.example"], 600).unwrap();
    let front = public.front(Manner::Tls).await;
    let trusting = public.binary.clone();
    let (server, resolver) = (own.server.address().to_string(), format!("tls://127.0.0.1:{}", front.port));
    let words = ["dns", "check", "a.example", "--server", &server, "--resolver", &resolver];
    let told = trusting.run(&words).stdout;
    assert!(told.contains("resolver-differs") && told.contains(&format!("{resolver} still gives another")), "{told}");
}
