//! Exchange, hosted or dedicated: the full dialect.

use super::{
    adapter::Site,
    path::ApiPath,
    v1::{Dialect, V1},
};

const DIALECT: Dialect = Dialect {
    protocols: true,
    forward: true,
    groups: true,
    shared: true,
    dkim: true,
    offers: true,
    domain_service: false,
    imap_host: None,
    imap_host_canada: Some("ex.mail.ovh.ca"),
};

/// One service of an organisation; OVHcloud usually gives both one name.
pub(super) fn open(site: Site, organization: &str, service: &str) -> V1 {
    let services = ApiPath::v1(&["email", "exchange", organization, "service"]);
    let base = services.join(&[service]);
    V1::new(site, &DIALECT, services, base)
}
