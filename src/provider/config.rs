//! What an adapter needs to know of one platform of a spec.

use super::Patience;
use crate::model::{Credentials, ImapEndpoint, PlatformId, PlatformKind};

/// One platform as its adapter needs it. Secrets are resolved by the caller.
#[derive(Clone, Debug)]
pub struct PlatformConfig {
    /// Its name in the spec; errors say it.
    pub id: PlatformId,
    /// Its adapter.
    pub kind: PlatformKind,
    /// The service: `emailpro-ab12345-1`, the domain for legacy MX Plan, the platform's id for Zimbra.
    pub service: Option<String>,
    /// Exchange: the organisation; the service's name when absent, which is how OVHcloud names them.
    pub organization: Option<String>,
    /// `ovh-eu` (default), `ovh-ca`, `ovh-us`, or an URL ending in `/1.0` with API v2 beside it at `/v2`.
    pub endpoint: Option<String>,
    /// Where mailboxes are opened, instead of what the platform says.
    pub imap: Option<ImapEndpoint>,
    /// `application_key`, `application_secret`, `consumer_key`; or `client_id`, `client_secret` of a service account.
    pub credentials: Credentials,
    /// The budget of requests per minute; [`PlatformConfig::REQUESTS_PER_MINUTE`] when absent.
    pub requests_per_minute: Option<u32>,
    /// How long tasks of the platform may take.
    pub patience: Patience,
    /// Where tokens of a service account are asked for, when not at the endpoint's usual place.
    pub oauth_token_url: Option<String>,
}

impl PlatformConfig {
    /// OVHcloud publishes no limit; its engineers call about this many requests per consumer key harmless.
    pub const REQUESTS_PER_MINUTE: u32 = 60;

    /// A platform of that kind and name, with nothing else known.
    #[must_use]
    pub fn new(id: PlatformId, kind: PlatformKind) -> Self {
        Self {
            id,
            kind,
            service: None,
            organization: None,
            endpoint: None,
            imap: None,
            credentials: Credentials::default(),
            requests_per_minute: None,
            patience: Patience::default(),
            oauth_token_url: None,
        }
    }
}
