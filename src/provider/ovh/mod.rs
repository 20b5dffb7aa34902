//! OVHcloud's mail platforms. They share one API client; each platform says what is its own.
//!
//! | file | holds |
//! |---|---|
//! | `client` | one type that can only read, one that can also write |
//! | `adapter` | what all platforms do alike: look, change, wait for the effect |
//! | `v1` | Exchange, Email Pro and new MX Plan, which differ in a few words |
//! | `domain_service` | redirections and lists of `/email/domain` |
//! | `mxplan_legacy` | legacy MX Plan, where the service is the domain |
//! | `zimbra` | Zimbra, on API v2 |
//! | `zone`, `zone_edits` | DNS zones of the same account |

mod adapter;
mod auth;
mod budget;
mod client;
mod domain_service;
mod email_pro;
mod endpoint;
mod exchange;
mod failure;
mod json;
mod mxplan;
mod mxplan_legacy;
mod path;
mod records;
mod v1;
mod wait;
mod zimbra;
mod zone;
mod zone_edits;

use std::sync::Arc;

use self::{
    adapter::{Reading, Site, Writing},
    client::ReadClient,
    failure::Failure,
};
use super::{Authorities, Patience, PlatformConfig, Provider, ProviderError, Reader, ZoneWriter};
use crate::model::{Domain, PlatformKind};

/// One adapter, before it is known whether it may write.
enum Opened {
    V1(v1::V1),
    Legacy(mxplan_legacy::Legacy),
    Zimbra(zimbra::Zimbra),
}

/// Opens a platform for reading. Sends nothing yet.
pub(super) fn open_reader(config: &PlatformConfig) -> Result<Box<dyn Reader>, ProviderError> {
    Ok(match prepare(config)? {
        Opened::V1(adapter) => Box::new(Reading(adapter)),
        Opened::Legacy(adapter) => Box::new(Reading(adapter)),
        Opened::Zimbra(adapter) => Box::new(Reading(adapter)),
    })
}

/// Opens a platform for changes. Sends nothing yet.
pub(super) fn open(config: &PlatformConfig) -> Result<Box<dyn Provider>, ProviderError> {
    Ok(match prepare(config)? {
        Opened::V1(adapter) => Box::new(Writing::new(adapter)),
        Opened::Legacy(adapter) => Box::new(Writing::new(adapter)),
        Opened::Zimbra(adapter) => Box::new(Writing::new(adapter)),
    })
}

/// Opens the zones of an account for changes. Sends nothing yet.
pub(super) fn open_zone(
    config: &PlatformConfig,
    authorities: Arc<dyn Authorities>,
) -> Result<Box<dyn ZoneWriter>, ProviderError> {
    let opened = zone::OvhZone::open(config, authorities);
    Ok(Box::new(opened.map_err(|e| e.during(format!("opening the zones of platform {}", config.id)))?))
}

pub(super) use zone::unserved;

/// Looks again and again until nothing is told any more.
pub(super) async fn wait_until<F, Fut>(patience: Patience, what: &str, mut look: F) -> Result<(), ProviderError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<String>>,
{
    let seen = || {
        let looked = look();
        async move { Ok(looked.await.map_or(wait::Look::There(()), wait::Look::NotYet)) }
    };
    wait::until(patience, what, seen).await.map_err(|e| e.after_sending().during(what.to_owned()))
}

fn prepare(config: &PlatformConfig) -> Result<Opened, ProviderError> {
    pick(config).map_err(|e| e.during(format!("opening platform {}", config.id)))
}

fn pick(config: &PlatformConfig) -> Result<Opened, Failure> {
    let service = config.service.as_deref().filter(|s| !s.is_empty());
    let service = service.ok_or_else(|| Failure::config("the platform names no service", "add `service:` to it"))?;
    let site =
        Site { id: config.id.clone(), kind: config.kind, client: ReadClient::new(config)?, imap: config.imap.clone() };
    Ok(match config.kind {
        PlatformKind::OvhExchange => {
            Opened::V1(exchange::open(site, config.organization.as_deref().unwrap_or(service), service))
        }
        PlatformKind::OvhEmailPro => Opened::V1(email_pro::open(site, service)),
        PlatformKind::OvhMxplan => Opened::V1(mxplan::open(site, service)),
        PlatformKind::OvhMxplanLegacy => {
            let domain = Domain::parse(service)
                .map_err(|e| Failure::config(e.to_string(), "`service` of a legacy MX Plan is its domain"))?;
            Opened::Legacy(mxplan_legacy::Legacy::new(site, domain))
        }
        PlatformKind::OvhZimbra => Opened::Zimbra(zimbra::Zimbra::new(site, service, config.organization.clone())),
        PlatformKind::Imap => {
            return Err(Failure::config("an IMAP host has no API", "use its adapter"));
        }
    })
}
