//! TLS: which certificates are trusted, and what went wrong in words.

use std::{
    fmt, io,
    sync::{Arc, OnceLock},
};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use rustls_platform_verifier::Verifier;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{conn::Stream, error::TlsProblem};

/// The authorities that may issue a server's certificate. Clones share what was loaded, and TLS sessions.
#[derive(Clone, Default)]
pub struct TlsRoots {
    extra: Vec<CertificateDer<'static>>,
    without_system: bool,
    config: Arc<OnceLock<Result<Arc<ClientConfig>, TlsProblem>>>,
}

impl fmt::Debug for TlsRoots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let system = if self.without_system { "" } else { "system + " };
        write!(f, "TlsRoots({system}{} given)", self.extra.len())
    }
}

impl TlsRoots {
    /// The authorities that the operating system trusts.
    #[must_use]
    pub fn system() -> Self {
        Self::default()
    }

    /// The system's authorities and those of a PEM file.
    ///
    /// # Errors
    /// [`TlsProblem::Roots`] when the file holds no certificate or a broken one.
    pub fn system_and_pem(pem: &[u8]) -> Result<Self, TlsProblem> {
        Ok(Self { extra: certificates(pem)?, ..Self::default() })
    }

    /// Only the authorities of a PEM file.
    ///
    /// # Errors
    /// [`TlsProblem::Roots`] when the file holds no certificate or a broken one.
    pub fn only_pem(pem: &[u8]) -> Result<Self, TlsProblem> {
        Ok(Self { extra: certificates(pem)?, without_system: true, ..Self::default() })
    }

    fn config(&self) -> Result<Arc<ClientConfig>, TlsProblem> {
        self.config.get_or_init(|| self.build().map_err(|e| TlsProblem::Roots(e.to_string()))).clone()
    }

    fn build(&self) -> Result<Arc<ClientConfig>, Box<dyn std::error::Error>> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = self.verifier(&provider)?;
        Ok(Arc::new(configured(provider, verifier)?))
    }

    /// Protects a connection as mail servers do among each other: also where the certificate does not hold. What is wrong
    /// with it is given beside the connection.
    ///
    /// # Errors
    /// When there is no encryption to be had at all.
    pub async fn protect_anyway<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        host: &str,
    ) -> Result<(TlsStream<S>, Option<TlsProblem>), TlsProblem> {
        let failed = |detail: String| TlsProblem::Handshake { host: host.to_owned(), detail };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let inner = self.verifier(&provider).map_err(|e| TlsProblem::Roots(e.to_string()))?;
        let witness = Arc::new(Witness { inner, host: host.to_owned(), problem: OnceLock::new() });
        let config = configured(provider, Arc::<Witness>::clone(&witness)).map_err(|e| failed(e.to_string()))?;
        let name = ServerName::try_from(host.to_owned()).map_err(|e| failed(e.to_string()))?;
        let shaken = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
        let stream = shaken.map_err(|e| match explain(e, host) {
            HandshakeError::Tls(problem) => problem,
            HandshakeError::Io(error) => failed(error.to_string()),
        })?;
        Ok((stream, witness.problem.get().cloned()))
    }

    fn verifier(
        &self,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ServerCertVerifier>, Box<dyn std::error::Error>> {
        if !self.without_system {
            return Ok(Arc::new(Verifier::new_with_extra_roots(self.extra.clone(), Arc::clone(provider))?));
        }
        let mut store = RootCertStore::empty();
        for certificate in &self.extra {
            store.add(certificate.clone())?;
        }
        Ok(WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider)).build()?)
    }
}

fn configured(
    provider: Arc<CryptoProvider>,
    verifier: Arc<dyn ServerCertVerifier>,
) -> Result<ClientConfig, rustls::Error> {
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous() // only the name of the method: a verifier checks everything, or tells what does not hold
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}

/// Lets every certificate pass and remembers what is wrong with it. That the server has its key is checked all the same.
#[derive(Debug)]
struct Witness {
    inner: Arc<dyn ServerCertVerifier>,
    host: String,
    problem: OnceLock<TlsProblem>,
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Err(error) = self.inner.verify_server_cert(end_entity, intermediates, name, ocsp, now) {
            let problem = match error {
                rustls::Error::InvalidCertificate(problem) => certificate(&problem, self.host.clone()),
                other => TlsProblem::Certificate { host: self.host.clone(), detail: other.to_string() },
            };
            let _first_counts = self.problem.set(problem);
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsProblem> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let all = all.map_err(|e| TlsProblem::Roots(e.to_string()))?;
    if all.is_empty() {
        return Err(TlsProblem::Roots("the PEM text holds no certificate".to_owned()));
    }
    Ok(all)
}

/// How a handshake failed.
pub(super) enum HandshakeError {
    Tls(TlsProblem),
    Io(io::Error),
}

/// Protects a connection.
pub(super) async fn protect(
    stream: Box<dyn Stream>,
    host: &str,
    roots: &TlsRoots,
) -> Result<TlsStream<Box<dyn Stream>>, HandshakeError> {
    let config = roots.config().map_err(HandshakeError::Tls)?;
    let name = ServerName::try_from(host.to_owned())
        .map_err(|e| HandshakeError::Tls(TlsProblem::Handshake { host: host.to_owned(), detail: e.to_string() }))?;
    TlsConnector::from(config).connect(name, stream).await.map_err(|e| explain(e, host))
}

fn explain(error: io::Error, host: &str) -> HandshakeError {
    let host = host.to_owned();
    let Some(tls) = error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>()) else {
        return HandshakeError::Io(error);
    };
    HandshakeError::Tls(match tls {
        rustls::Error::InvalidCertificate(problem) => certificate(problem, host),
        rustls::Error::InvalidMessage(_) => TlsProblem::NotTls { host },
        other => TlsProblem::Handshake { host, detail: other.to_string() },
    })
}

fn certificate(problem: &CertificateError, host: String) -> TlsProblem {
    match problem {
        CertificateError::Expired => TlsProblem::Expired { host, since: None },
        CertificateError::ExpiredContext { not_after, .. } => {
            TlsProblem::Expired { host, since: i64::try_from(not_after.as_secs()).ok() }
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => TlsProblem::NotYetValid { host },
        CertificateError::NotValidForName => TlsProblem::WrongName { host, names: Vec::new() },
        CertificateError::NotValidForNameContext { presented, .. } => {
            TlsProblem::WrongName { host, names: presented.iter().map(|n| readable(n)).collect() }
        }
        CertificateError::UnknownIssuer => TlsProblem::UnknownIssuer { host },
        CertificateError::BadSignature => {
            let detail = "its signature is not that of the authority it names".to_owned();
            TlsProblem::Certificate { host, detail }
        }
        other => TlsProblem::Certificate { host, detail: other.to_string() },
    }
}

/// `DnsName("a.example")` -> `a.example`: the library gives names in its debug form.
fn readable(name: &str) -> String {
    name.split_once("(\"").and_then(|(_, rest)| rest.strip_suffix("\")")).unwrap_or(name).to_owned()
}
