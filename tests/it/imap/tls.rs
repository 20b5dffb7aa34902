//! Certificates: each thing that can be wrong is told apart, and no credentials are sent to a server that is not proved.

use std::sync::Arc;

use rcgen::{BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rehome::{
    imap::{Connector, ImapErrorKind, TlsProblem, TlsRoots},
    model::ImapSecurity,
};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_rustls::TlsAcceptor;

use super::script::{Scripted, Wire, connector};

pub type Authority = CertifiedIssuer<'static, KeyPair>;

pub fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn certificate(by: &Authority, names: &[&str], years: (i32, i32)) -> (Certificate, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>()).unwrap();
    params.not_before = date_time_ymd(years.0, 1, 1);
    params.not_after = date_time_ymd(years.1, 1, 1);
    (params.signed_by(&key, by).unwrap(), key)
}

/// A certificate for these names and its key, as PEM.
pub fn pem(by: &Authority, names: &[&str]) -> (String, String) {
    let (certificate, key) = certificate(by, names, (2020, 2090));
    (certificate.pem(), key.serialize_pem())
}

/// A server for these names, with a certificate for those years.
pub fn issue(by: &Authority, names: &[&str], years: (i32, i32)) -> Arc<ServerConfig> {
    issue_with_key(by, names, years).0
}

/// The same, and the public key as it stands in the certificate.
pub fn issue_with_key(by: &Authority, names: &[&str], years: (i32, i32)) -> (Arc<ServerConfig>, Vec<u8>) {
    let (certificate, key) = certificate(by, names, years);
    let public = rcgen::PublicKeyData::subject_public_key_info(&key);
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap();
    (Arc::new(config), public)
}

/// Serves one connection over TLS, after STARTTLS when `before` is not empty, and gives what the client said.
async fn serve(config: Arc<ServerConfig>, before: &'static str) -> (u16, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        let mut tcp = listener.accept().await.unwrap().0;
        if !before.is_empty() {
            Wire::new(&mut tcp).follow(before).await;
        }
        let Ok(tls) = TlsAcceptor::from(config).accept(tcp).await else { return Vec::new() };
        let mut wire = Wire::new(tls);
        let greeting = if before.is_empty() {
            "S: * OK [CAPABILITY IMAP4rev1] hi"
        } else {
            "C: $ CAPABILITY\nS: * CAPABILITY IMAP4rev1\nS: $ OK"
        };
        // A client that does not like the certificate is gone by now.
        wire.try_follow(greeting).await;
        wire.try_follow("C: $ LOGIN \"u\" \"p\"\nS: $ OK [CAPABILITY IMAP4rev1] in\nC: $ NOOP\nS: $ OK").await;
        wire.heard
    });
    (port, task)
}

fn to(port: u16, security: ImapSecurity, host: &str, roots: TlsRoots) -> Connector {
    let mut connector = connector(port, security);
    connector.endpoint.host = host.to_owned();
    Connector { tls: roots, ..connector }
}

#[tokio::test]
async fn a_proved_server_is_served_over_tls_and_starttls() {
    let ca = authority("one");
    let roots = TlsRoots::only_pem(ca.pem().as_bytes()).unwrap();
    for (security, before) in [
        (ImapSecurity::Tls, ""),
        (
            ImapSecurity::Starttls,
            "S: * OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN SASL-IR] hi\nC: $ STARTTLS\nS: $ OK go",
        ),
    ] {
        for host in ["localhost", "127.0.0.1"] {
            let (port, task) = serve(issue(&ca, &["localhost", "127.0.0.1"], (2020, 2090)), before).await;
            let mut reader = to(port, security, host, roots.clone()).connect().await.unwrap();
            reader.noop().await.unwrap();
            let heard = task.await.unwrap();
            assert!(heard.iter().any(|l| l.contains("LOGIN")), "{heard:?}");
        }
    }
}

#[tokio::test]
async fn each_thing_that_can_be_wrong_is_told_apart() {
    let (ca, other) = (authority("one"), authority("two"));
    let roots = TlsRoots::only_pem(ca.pem().as_bytes()).unwrap();
    let mut told = Vec::new();
    for config in [
        issue(&ca, &["mail.example.org", "imap.example.org"], (2020, 2090)),
        issue(&ca, &["localhost"], (2010, 2011)),
        issue(&ca, &["localhost"], (2080, 2090)),
        issue(&other, &["localhost"], (2020, 2090)),
    ] {
        let (port, task) = serve(config, "").await;
        let error = to(port, ImapSecurity::Tls, "localhost", roots.clone()).connect().await.unwrap_err();
        assert!(matches!(error.kind, ImapErrorKind::Tls(_)), "{error}");
        told.push(error.to_string().replace(&port.to_string(), "PORT"));
        assert!(task.await.unwrap().is_empty());
    }
    insta::assert_snapshot!(told.join("\n"), @r"
    connect at localhost:PORT: the certificate is not for localhost; it is for mail.example.org, imap.example.org
    connect at localhost:PORT: the certificate of localhost has expired (2011-01-01T00:00:00Z)
    connect at localhost:PORT: the certificate of localhost is not valid yet; check the clock of this machine
    connect at localhost:PORT: the certificate of localhost comes from no authority that this machine trusts
    ");
}

#[tokio::test]
async fn a_port_without_tls_is_recognised() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        Wire::new(listener.accept().await.unwrap().0).try_follow("S: * OK [CAPABILITY IMAP4rev1 STARTTLS] hi\nZ").await;
    });
    let roots = TlsRoots::only_pem(authority("one").pem().as_bytes()).unwrap();
    let error = to(port, ImapSecurity::Tls, "localhost", roots).connect().await.unwrap_err();
    assert!(matches!(error.kind, ImapErrorKind::Tls(TlsProblem::NotTls { .. })), "{error}");
    task.await.unwrap();
}

#[test]
fn a_file_without_certificates_is_no_authority() {
    for text in ["", "hello", "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n"] {
        assert!(matches!(TlsRoots::only_pem(text.as_bytes()), Err(TlsProblem::Roots(_))), "{text}");
        assert!(TlsRoots::system_and_pem(text.as_bytes()).is_err());
    }
}

#[tokio::test]
async fn a_certificate_that_is_renewed_between_two_connections_is_no_trouble_and_a_wrong_one_is() {
    let ca = authority("The CA");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let configs = [
        issue(&ca, &["localhost"], (2020, 2090)),
        issue(&ca, &["localhost"], (2021, 2091)),
        issue(&ca, &["localhost"], (2001, 2002)),
    ];
    let server = tokio::spawn(async move {
        for config in configs {
            let tcp = listener.accept().await.unwrap().0;
            if let Ok(tls) = TlsAcceptor::from(config).accept(tcp).await {
                Wire::new(tls)
                    .follow("S: * OK [CAPABILITY IMAP4rev1] hello\nC: $ LOGIN …\nS: $ OK [CAPABILITY IMAP4rev1] in")
                    .await;
            }
        }
    });
    let connector = to(port, ImapSecurity::Tls, "localhost", TlsRoots::only_pem(ca.pem().as_bytes()).unwrap());
    drop(connector.connect().await.unwrap());
    drop(connector.connect().await.unwrap());
    let error = connector.connect().await.unwrap_err();
    assert!(matches!(error.kind, ImapErrorKind::Tls(TlsProblem::Expired { .. })), "{error}");
    assert!(!error.is_transient(), "nobody waits for a certificate to get younger");
    server.await.unwrap();
}

#[tokio::test]
async fn a_starttls_that_somebody_took_out_of_the_answer_ends_the_connection_before_the_login() {
    let server = Scripted::start(["
        S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] hi
        Z"])
    .await;
    let roots = TlsRoots::only_pem(authority("one").pem().as_bytes()).unwrap();
    let error = to(server.port, ImapSecurity::Starttls, "localhost", roots).connect().await.unwrap_err();
    assert!(matches!(error.kind, ImapErrorKind::Tls(TlsProblem::NoStarttls { .. })), "{error}");
    assert!(!error.is_transient());
    assert!(server.done().await.is_empty(), "not a word was said");
}
