//! Platforms: what each kind needs, and whose credentials it uses.

use std::{collections::BTreeMap, net::IpAddr};

use super::{collect::Written, known_platform};
use crate::{
    diag::{Diagnostic, Diagnostics},
    model::{ImapEndpoint, ImapSecurity, MailLimits, PlatformId, PlatformKind, SecretRef},
    spec::{
        place::{At, Locate as _, Place},
        raw::{self, CLIENT_CREDENTIALS, Credentials, KEY_CREDENTIALS, Number, listed},
        types::{AdminAccess, PlatformSpec},
    },
};

/// The short names of the API's hosts.
const ENDPOINTS: [&str; 3] = ["ovh-eu", "ovh-ca", "ovh-us"];

pub(super) fn build(written: &Written<'_>, problems: &mut Diagnostics) -> BTreeMap<PlatformId, PlatformSpec> {
    let mut out = BTreeMap::new();
    for (id, (place, raw)) in &written.platforms {
        let Some(kind) = &raw.kind else {
            if raw.broken.has("kind") {
                continue;
            }
            let kinds: Vec<_> = PlatformKind::ALL.iter().map(|kind| kind.word()).collect();
            problems.push(
                Diagnostic::error("spec::missing-field", format!("the platform `{id}` does not say its kind"))
                    .locate(place, "no `kind`")
                    .help(format!("say one of {}", listed(&kinds))),
            );
            continue;
        };
        fields(id, place, kind.value, raw, problems);
        let home = credentials_home(written, id, problems);
        let endpoint = raw.endpoint.as_ref().or_else(|| home.and_then(|home| home.endpoint.as_ref()));
        out.insert(
            id.clone(),
            PlatformSpec {
                kind: kind.value,
                service: raw.service.as_ref().map(|s| s.value.clone()),
                organization: raw.organization.as_ref().map(|s| s.value.clone()),
                endpoint: endpoint.map(|e| e.value.clone()),
                imap: raw.imap.as_ref().and_then(|imap| endpoint_of(imap, problems)),
                credentials: home.map(own_credentials).unwrap_or_default(),
                admin: raw.admin.as_ref().and_then(|admin| admin_of(admin, problems)),
                requests_per_minute: raw.requests_per_minute.as_ref().and_then(|n| rate(n, problems)),
                limits: raw.limits.as_ref().map(|limits| limits_of(&limits.value, problems)).unwrap_or_default(),
            },
        );
    }
    out
}

/// What the kind needs and what it cannot use.
fn fields(id: &PlatformId, place: &Place, kind: PlatformKind, raw: &raw::Platform, problems: &mut Diagnostics) {
    let mut missing = |field: &str, what: &str, help: &str| {
        problems.push(
            Diagnostic::error("spec::missing-field", format!("the platform `{id}` does not say {what}"))
                .locate(place, format!("kind {kind} needs `{field}`"))
                .help(help),
        );
    };
    if kind == PlatformKind::Imap {
        if raw.imap.is_none() && !raw.broken.has("imap") {
            missing(
                "imap",
                "where its mailboxes are opened",
                "say where its mailboxes are opened: `imap: { host: imap.example.org }`",
            );
        }
        no_api(id, raw, problems);
        return;
    }
    if raw.service.is_none() && !raw.broken.has("service") {
        let help = match kind {
            PlatformKind::OvhMxplanLegacy => "the service of a legacy MX Plan is its domain: `service: mydomain.ovh`",
            PlatformKind::OvhZimbra => "the service of Zimbra is the platform's id, as the control panel shows it",
            _ => "say the name of the service, as the control panel shows it",
        };
        missing("service", "its service", help);
    }
    if raw.credentials.is_none() && !raw.broken.has("credentials") {
        missing(
            "credentials",
            "its credentials",
            "give `application_key`, `application_secret` and `consumer_key`, or `client_id` and `client_secret`, \
             each as a reference such as `{ env: OVH_APPLICATION_KEY }`, or `{ same_as: other-platform }`",
        );
    }
    if let Some(organization) = raw.organization.as_ref().filter(|_| kind != PlatformKind::OvhExchange) {
        problems.push(
            Diagnostic::error("spec::not-for-kind", format!("kind {kind} has no organisation"))
                .locate(&organization.place, "only ovh-exchange has one"),
        );
    }
    if let Some(endpoint) = &raw.endpoint {
        api_endpoint(endpoint, problems);
    }
    if let Some(At { value: Credentials::Own(own), place }) = &raw.credentials {
        complete(id, own.iter().map(|(name, _)| name.value.as_str()), place, problems);
    }
}

fn no_api(id: &PlatformId, raw: &raw::Platform, problems: &mut Diagnostics) {
    let fields = [
        ("service", raw.service.as_ref().map(|f| &f.place)),
        ("organization", raw.organization.as_ref().map(|f| &f.place)),
        ("endpoint", raw.endpoint.as_ref().map(|f| &f.place)),
        ("credentials", raw.credentials.as_ref().map(|f| &f.place)),
        ("requests_per_minute", raw.requests_per_minute.as_ref().map(|f| &f.place)),
    ];
    for (field, place) in fields.into_iter().filter_map(|(field, place)| place.map(|place| (field, place))) {
        problems.push(
            Diagnostic::error("spec::not-for-kind", format!("`{field}` means nothing to `{id}`, a plain IMAP host"))
                .locate(place, "there is no API to use it with")
                .help("passwords of mailboxes go to `accounts`, a way into all of them to `admin`"),
        );
    }
}

fn api_endpoint(endpoint: &At<String>, problems: &mut Diagnostics) {
    let text = endpoint.value.as_str();
    if ENDPOINTS.contains(&text) {
        return;
    }
    let parsed = url::Url::parse(text).ok().filter(|_| text.trim_end_matches('/').ends_with("/1.0"));
    let Some(url) = parsed.filter(|url| matches!(url.scheme(), "https" | "http") && url.has_host()) else {
        let help = match raw::suggest(text, ENDPOINTS) {
            Some(best) => format!("did you mean `{best}`?"),
            None => format!("say one of {}, or an URL that ends in `/1.0`", listed(&ENDPOINTS)),
        };
        let diagnostic = Diagnostic::error("spec::bad-endpoint", format!("`{text}` is not an endpoint of the API"));
        problems.push(diagnostic.locate(&endpoint.place, "not an endpoint").help(help));
        return;
    };
    if url.scheme() == "http" && !url.host_str().is_some_and(is_loopback) {
        problems.push(
            Diagnostic::error("spec::bad-endpoint", "the endpoint would send credentials in clear")
                .locate(&endpoint.place, "http outside of this machine")
                .help("use https"),
        );
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Either way of signing in has all its parts.
fn complete<'n>(id: &PlatformId, names: impl Iterator<Item = &'n str>, place: &Place, problems: &mut Diagnostics) {
    let names: Vec<_> = names.collect();
    let lacks = |wanted: &[&'static str]| -> Vec<&'static str> {
        wanted.iter().copied().filter(|w| !names.contains(w)).collect()
    };
    let (keys, client) = (lacks(&KEY_CREDENTIALS), lacks(&CLIENT_CREDENTIALS));
    let (some_key, some_client) = (keys.len() < KEY_CREDENTIALS.len(), client.len() < CLIENT_CREDENTIALS.len());
    let message = match (some_key, some_client) {
        (true, true) => format!("the platform `{id}` has two kinds of credentials"),
        (_, false) if !keys.is_empty() => format!("the credentials of `{id}` lack {}", listed(&keys)),
        (false, true) if !client.is_empty() => format!("the credentials of `{id}` lack {}", listed(&client)),
        _ => return,
    };
    problems.push(Diagnostic::error("spec::credentials", message).locate(place, "these credentials").help(
        "an application signs in with `application_key`, `application_secret` and `consumer_key`; a service account \
         with `client_id` and `client_secret`",
    ));
}

/// The platform whose credentials are used: the end of the chain of `same_as`.
fn credentials_home<'a>(
    written: &Written<'a>,
    id: &PlatformId,
    problems: &mut Diagnostics,
) -> Option<&'a raw::Platform> {
    let (_, first) = written.platforms.get(id)?;
    let mut at: &raw::Platform = first;
    let mut seen = vec![id.clone()];
    while let Some(At { value: Credentials::SameAs(other), .. }) = &at.credentials {
        let own_link = seen.len() == 1;
        if !written.platforms.contains_key(&PlatformId::from(other.value.as_str())) {
            if own_link {
                known_platform(written, &other.value, &other.place, problems);
            }
            return None;
        }
        let next = PlatformId::from(other.value.as_str());
        if seen.contains(&next) {
            // The chain is reported by the platform that it comes back to.
            if next == *id && seen.iter().all(|other| id <= other) {
                seen.push(next);
                let chain: Vec<_> = seen.iter().map(PlatformId::as_str).collect();
                let message = format!("`same_as` goes round in a circle: {}", chain.join(" -> "));
                let diagnostic = Diagnostic::error("spec::same-as-loop", message);
                problems.push(diagnostic.locate(&other.place, "here").help("one of them must hold the credentials"));
            }
            return None;
        }
        at = written.platforms.get(&next).map(|(_, platform)| *platform)?;
        if at.credentials.is_none() && own_link && at.kind.as_ref().is_some_and(|k| k.value == PlatformKind::Imap) {
            let message = format!("`{next}` is a plain IMAP host and has no credentials");
            problems.push(Diagnostic::error("spec::credentials", message).locate(&other.place, "nothing to share"));
        }
        seen.push(next);
    }
    Some(at)
}

fn own_credentials(platform: &raw::Platform) -> BTreeMap<String, SecretRef> {
    match &platform.credentials {
        Some(At { value: Credentials::Own(own), .. }) => {
            own.iter().map(|(name, secret)| (name.value.clone(), secret.reference.clone())).collect()
        }
        _ => BTreeMap::new(),
    }
}

fn endpoint_of(imap: &At<raw::Imap>, problems: &mut Diagnostics) -> Option<ImapEndpoint> {
    let security = imap.value.security.as_ref().map(|s| s.value).unwrap_or_default();
    let host = imap.value.host.as_ref().filter(|host| {
        !host.value.is_empty() && !host.value.contains(|c: char| c.is_whitespace() || matches!(c, '/' | '@'))
    });
    let Some(host) = host else {
        let place = imap.value.host.as_ref().map_or(&imap.place, |host| &host.place);
        let missing = Diagnostic::error("spec::missing-field", "`imap` needs a host");
        problems.push(missing.locate(place, "no host name").help("a name or an address, without a scheme"));
        return None;
    };
    let standard = if security == ImapSecurity::Tls { 993 } else { 143 };
    let port = match &imap.value.port {
        None => standard,
        Some(given) => match u16::try_from(given.value.0).ok().filter(|port| *port > 0) {
            Some(port) => port,
            None => {
                let diagnostic = Diagnostic::error("spec::bad-number", "this is no TCP port");
                problems.push(diagnostic.locate(&given.place, "1 to 65535"));
                return None;
            }
        },
    };
    if let Some(plain) = imap.value.security.as_ref().filter(|s| s.value == ImapSecurity::Plain)
        && !is_loopback(&host.value)
    {
        let warning = Diagnostic::warning("spec::plain-imap", format!("passwords go to `{}` in clear", host.value));
        problems.push(warning.locate(&plain.place, "no protection").help("use `tls` or `starttls` where you can"));
    }
    Some(ImapEndpoint { host: host.value.clone(), port, security })
}

fn admin_of(admin: &At<raw::Admin>, problems: &mut Diagnostics) -> Option<AdminAccess> {
    let mut missing = |place: &Place, what: &str| {
        let diagnostic = Diagnostic::error("spec::missing-field", format!("`admin` needs {what}"));
        problems.push(diagnostic.locate(place, "here").help(
            "`admin: { master: { user: migrator, password: { env: MASTER_PASSWORD } } }`, `authzid` with the same keys, or \
             `admin: { token: { command: [get-token, \"{address}\"] } }`",
        ));
        None
    };
    match (&admin.value.master, &admin.value.authzid, &admin.value.token) {
        (None, None, Some(token)) => Some(AdminAccess::Token { user: None, token: token.value.reference.clone() }),
        (Some(master), None, None) => match (&master.value.user, &master.value.password) {
            (Some(user), Some(password)) => Some(AdminAccess::Master {
                user: user.value.clone(),
                separator: master.value.separator.as_ref().map_or("*", |s| s.value.as_str()).to_owned(),
                password: password.value.reference.clone(),
            }),
            _ => missing(&master.place, "`user` and `password`"),
        },
        (None, Some(authzid), None) => match (&authzid.value.user, &authzid.value.password) {
            (Some(user), Some(password)) => {
                Some(AdminAccess::Authzid { user: user.value.clone(), password: password.value.reference.clone() })
            }
            _ => missing(&authzid.place, "`user` and `password`"),
        },
        _ => missing(&admin.place, "one of `master`, `authzid` and `token`"),
    }
}

fn limits_of(limits: &raw::Limits, problems: &mut Diagnostics) -> MailLimits {
    let mut connections = |number: &At<Number>| {
        let count = u32::try_from(number.value.0).ok();
        if count.is_none() {
            let diagnostic = Diagnostic::error("spec::bad-number", "this is no number of connections");
            problems.push(diagnostic.locate(&number.place, "0 for no limit, or more"));
        }
        count
    };
    let octets = |size: &At<raw::Size>| size.value.0;
    MailLimits {
        connections: limits.connections.as_ref().and_then(&mut connections),
        connections_per_login: limits.connections_per_login.as_ref().and_then(&mut connections),
        download_per_day: limits.download_per_day.as_ref().map(octets),
        upload_per_day: limits.upload_per_day.as_ref().map(octets),
        bytes_per_second: limits.bytes_per_second.as_ref().map(octets),
    }
}

fn rate(number: &At<Number>, problems: &mut Diagnostics) -> Option<u32> {
    let rate = u32::try_from(number.value.0).ok().filter(|n| *n > 0);
    if rate.is_none() {
        let diagnostic = Diagnostic::error("spec::bad-number", "this is no number of requests per minute");
        problems.push(diagnostic.locate(&number.place, "1 or more"));
    }
    rate
}
