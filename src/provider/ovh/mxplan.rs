//! MX Plan, new generation: accounts as on Email Pro, with a domain that is fixed. Redirections, lists and keys of its
//! domains are still those of legacy MX Plan.

use super::{
    adapter::Site,
    path::ApiPath,
    v1::{Dialect, V1},
};

const DIALECT: Dialect = Dialect {
    protocols: false,
    forward: false,
    groups: false,
    shared: false,
    dkim: false,
    offers: false,
    domain_service: true,
    imap_host: Some("ssl0.ovh.net"),
    imap_host_canada: None,
};

/// One service.
pub(super) fn open(site: Site, service: &str) -> V1 {
    let services = ApiPath::v1(&["email", "mxplan"]);
    let base = services.join(&[service]);
    V1::new(site, &DIALECT, services, base)
}
