//! Writers of DNS zones: one trait, and who implements it.

use std::{net::SocketAddr, sync::Arc};

use async_trait::async_trait;

use super::{Patience, PlatformConfig, Probe, ProviderError, ovh, updates};
use crate::model::{Domain, Question, RecordSet, ZoneChange};

/// Changes the records of one domain.
#[async_trait]
pub trait ZoneWriter: Send + Sync {
    /// Makes one change and waits until every authoritative server answers with it. What is done already, wholly or by
    /// half, is not done twice.
    ///
    /// # Errors
    /// [`ErrorClass::Stale`](super::ErrorClass::Stale) when the records are neither those before the change nor
    /// those after it: somebody changed them since they were read, and nothing is written.
    async fn write(&self, change: &ZoneChange) -> Result<(), ProviderError>;

    /// Whether a change is already made, by reading alone. What is written and not yet served everywhere counts as not
    /// made: to make it again only waits.
    ///
    /// # Errors
    /// When it cannot be read.
    async fn probe(&self, change: &ZoneChange) -> Result<Probe, ProviderError>;
}

/// Asks the authoritative servers of a domain, each by itself.
#[async_trait]
pub trait Authorities: Send + Sync {
    /// What each of them says: its name, and the set (`None` for no records), or why there is no answer. Empty when none
    /// can be found.
    async fn ask(&self, domain: &Domain, question: &Question) -> Vec<(String, Result<Option<RecordSet>, String>)>;
}

/// Opens the writer of zones in an account of OVHcloud, with the credentials of one of its platforms. Sends nothing yet.
///
/// # Errors
/// When credentials or endpoint are missing or make no sense.
pub fn open_ovh_zone(
    config: &PlatformConfig,
    authorities: Arc<dyn Authorities>,
) -> Result<Box<dyn ZoneWriter>, ProviderError> {
    ovh::open_zone(config, authorities)
}

/// Where dynamic updates go, and the key that signs them.
#[derive(Clone, Debug)]
pub struct UpdateConfig {
    /// The primary server.
    pub server: SocketAddr,
    /// The zone; `None` for the one that the server names.
    pub zone: Option<String>,
    /// The name of the key.
    pub key: String,
    /// `hmac-sha256`, `hmac-sha384` or `hmac-sha512`.
    pub algorithm: String,
    /// The key in Base64.
    pub secret: crate::model::Secret,
    /// How long servers may take to have a change.
    pub patience: Patience,
}

/// Opens the writer of zones that take dynamic updates (RFC 2136). Sends nothing yet.
///
/// # Errors
/// When the key makes no sense.
pub fn open_updates(
    config: &UpdateConfig,
    authorities: Arc<dyn Authorities>,
) -> Result<Box<dyn ZoneWriter>, ProviderError> {
    Ok(Box::new(updates::Updates::open(config, authorities)?))
}
