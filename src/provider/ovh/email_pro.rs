//! Email Pro: no forwards and no groups; every slot is the same.

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
    dkim: true,
    offers: false,
    domain_service: false,
    imap_host: None,
    imap_host_canada: None,
};

/// One service.
pub(super) fn open(site: Site, service: &str) -> V1 {
    let services = ApiPath::v1(&["email", "pro"]);
    let base = services.join(&[service]);
    V1::new(site, &DIALECT, services, base)
}
