//! Resolvers that are asked beside the domain's own servers: `dns.resolvers`, `dns.cutover.resolvers`.

use std::net::{IpAddr, SocketAddr};

use url::Url;

use crate::{
    diag::{Diagnostic, Diagnostics},
    spec::{
        place::{At, Locate as _},
        raw::List,
    },
};

/// The resolvers as they were written; what is none is a problem.
pub(super) fn read(written: Option<&At<List<String>>>, problems: &mut Diagnostics) -> Vec<String> {
    let mut out = Vec::new();
    for resolver in written.into_iter().flat_map(|list| &list.value.0) {
        if is_resolver(&resolver.value) {
            out.push(resolver.value.clone());
        } else {
            problems.push(
                Diagnostic::error("spec::bad-server", format!("`{}` is no resolver", resolver.value))
                    .locate(&resolver.place, "not an address, nor a way that is protected")
                    .help("write `192.0.2.53`, `tls://dns.example` or `https://dns.example/dns-query`"),
            );
        }
    }
    out
}

fn is_resolver(text: &str) -> bool {
    if text.parse::<IpAddr>().is_ok() || text.parse::<SocketAddr>().is_ok() {
        return true;
    }
    Url::parse(text).is_ok_and(|url| {
        let host = url.host_str().is_some_and(|h| !h.is_empty());
        let way = url.scheme() == "https" || (url.scheme() == "tls" && matches!(url.path(), "" | "/"));
        host && way && url.username().is_empty() && url.password().is_none()
    })
}
