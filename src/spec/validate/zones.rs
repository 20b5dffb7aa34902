//! The DNS of a domain: what is checked, what is written, by whom, and how its MX moves.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
};

use super::{World, encryption, missing, resolvers};
use crate::{
    diag::{Diagnostic, Diagnostics},
    model::{DnsTopic, dmarc_strictness},
    spec::{
        place::{At, Locate as _, Place},
        raw::{self, TSIG_ALGORITHMS, ZONE_WRITERS, listed, suggest},
        types::{CutoverSpec, DnsSpec, Presence, ProbeSpec, RFC_2136, Strategy, UpdateSpec},
    },
};

/// The longest TTL there is (RFC 2181 8).
const LONGEST: u64 = i32::MAX as u64;

pub(super) fn dns_of(dns: &At<raw::Dns>, problems: &mut Diagnostics) -> DnsSpec {
    let raw = &dns.value;
    if let Some(manage) = &raw.manage {
        word("is no way to write a zone", manage, &ZONE_WRITERS, problems);
    }
    let servers: Vec<&At<String>> = raw.servers.iter().flat_map(|list| &list.value.0).collect();
    for server in &servers {
        address(server, problems);
    }
    let manage = raw.manage.as_ref().map(|m| m.value.clone());
    needs_a_writer(raw, problems);
    let records = match (&manage, &raw.records) {
        (None, _) => BTreeSet::new(),
        (Some(_), Some(list)) => list.value.values().copied().collect(),
        // A policy that senders keep to is announced only where somebody says so.
        (Some(_), None) => {
            DnsTopic::ALL.into_iter().filter(|t| *t != DnsTopic::MtaSts || raw.mta_sts.is_some()).collect()
        }
    };
    DnsSpec {
        update: update(dns, problems),
        manage,
        verify: raw.verify.iter().flat_map(|v| v.value.values().copied()).collect::<BTreeSet<_>>(),
        resolvers: resolvers::read(raw.resolvers.as_ref(), problems),
        servers: servers.into_iter().map(|s| s.value.clone()).collect(),
        records,
        ttl: raw.ttl.as_ref().and_then(|ttl| seconds(ttl, problems)),
        mx: raw.mx.iter().flat_map(|list| &list.value.0).filter_map(|mx| mail_server(mx, problems)).collect(),
        dmarc: raw.dmarc.as_ref().and_then(|text| policy(text, problems)),
        mta_sts: raw.mta_sts.as_ref().and_then(|written| encryption::policy(written, problems)),
        tls_rpt: encryption::reports(raw, problems),
        cutover: raw.cutover.as_ref().map(|c| cutover(&c.value, problems)).unwrap_or_default(),
    }
}

/// Wishes about records that nobody may write would look as if they were kept.
fn needs_a_writer(raw: &raw::Dns, problems: &mut Diagnostics) {
    if raw.manage.is_some() || raw.broken.has("manage") {
        return;
    }
    let verifies = |topic| raw.verify.iter().flat_map(|v| v.value.values()).any(|t| *t == topic);
    let wishes = [
        ("records", raw.records.as_ref().map(|f| &f.place)),
        ("ttl", raw.ttl.as_ref().map(|f| &f.place)),
        // Whether a policy is there can be verified all the same.
        ("dmarc", raw.dmarc.as_ref().filter(|_| !verifies(DnsTopic::Dmarc)).map(|f| &f.place)),
        ("mta_sts", raw.mta_sts.as_ref().filter(|_| !verifies(DnsTopic::MtaSts)).map(|f| &f.place)),
        ("tls_rpt", raw.tls_rpt.as_ref().filter(|_| !verifies(DnsTopic::TlsRpt)).map(|f| &f.place)),
        ("update", raw.update.as_ref().map(|f| &f.place)),
    ];
    for (key, place) in wishes {
        if let Some(place) = place {
            let message = format!("`{key}` has no effect, because nobody may write the zone");
            problems.push(
                Diagnostic::error("spec::nobody-writes", message)
                    .locate(place, "without `manage`")
                    .help("add `manage: ovh-zone` or `manage: rfc2136`"),
            );
        }
    }
}

fn word(what: &str, written: &At<String>, known: &[&str], problems: &mut Diagnostics) {
    if known.contains(&written.value.as_str()) {
        return;
    }
    let help = match suggest(&written.value, known.iter().copied()) {
        Some(best) => format!("did you mean `{best}`?"),
        None => format!("say {}, or leave it out", listed(known)),
    };
    let message = format!("`{}` {what}", written.value);
    problems.push(Diagnostic::error("spec::unknown-word", message).locate(&written.place, "unknown").help(help));
}

fn address(server: &At<String>, problems: &mut Diagnostics) {
    let text = &server.value;
    if text.parse::<IpAddr>().is_err() && text.parse::<SocketAddr>().is_err() {
        problems.push(
            Diagnostic::error("spec::bad-server", format!("`{text}` is not the address of a server"))
                .locate(&server.place, "not an address")
                .help("write an IP address, with a port if it is not 53: `192.0.2.53`, `[2001:db8::53]:5353`"),
        );
    }
}

fn seconds(written: &At<raw::Number>, problems: &mut Diagnostics) -> Option<u32> {
    let number = written.value.0;
    if number > LONGEST {
        problems.push(
            Diagnostic::error("spec::bad-ttl", format!("{number} seconds are longer than DNS can say"))
                .locate(&written.place, "too long")
                .help("a day is 86400"),
        );
    }
    u32::try_from(number).ok().filter(|_| number <= LONGEST)
}

/// `preference host`, with the host in the form in which servers answer.
fn mail_server(written: &At<String>, problems: &mut Diagnostics) -> Option<String> {
    let mut words = written.value.split_whitespace();
    let parts = (words.next().and_then(|w| w.parse::<u16>().ok()), words.next(), words.next());
    if let (Some(preference), Some(host), None) = parts {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        if !host.is_empty() && host.parse::<IpAddr>().is_err() {
            return Some(format!("{preference} {host}"));
        }
    }
    problems.push(
        Diagnostic::error("spec::bad-mx", format!("`{}` is no mail server", written.value))
            .locate(&written.place, "not a preference and a host")
            .help("write `10 mx.example.net`; the host is a name, never an address (RFC 5321 5.1)"),
    );
    None
}

fn policy(written: &At<String>, problems: &mut Diagnostics) -> Option<String> {
    if dmarc_strictness(&written.value).is_some() {
        return Some(written.value.trim().to_owned());
    }
    problems.push(
        Diagnostic::error("spec::bad-dmarc", "this is no DMARC record")
            .locate(&written.place, "no policy in it")
            .help("write `v=DMARC1; p=none; rua=mailto:...`; the policy is none, quarantine or reject"),
    );
    None
}

fn update(dns: &At<raw::Dns>, problems: &mut Diagnostics) -> Option<UpdateSpec> {
    let raw = &dns.value;
    let wanted = raw.manage.as_ref().filter(|m| m.value == RFC_2136);
    let Some(written) = &raw.update else {
        if let Some(manage) = wanted.filter(|_| !raw.broken.has("update")) {
            problems.push(missing(
                "nothing says how the zone is updated",
                (&manage.place, "needs `update`"),
                "add `update: { server: 192.0.2.53, key: rehome, secret: { env: TSIG_KEY } }`",
            ));
        }
        return None;
    };
    let update = &written.value;
    if raw.manage.is_some() && wanted.is_none() {
        problems.push(
            Diagnostic::error("spec::unused-update", "`update` has no effect here")
                .locate(&written.place, "another writer is chosen")
                .help("say `manage: rfc2136`, or leave `update` out"),
        );
    }
    if let Some(server) = &update.server {
        address(server, problems);
    }
    if let Some(algorithm) = &update.algorithm {
        word("is no algorithm of a TSIG key", algorithm, &TSIG_ALGORITHMS, problems);
    }
    let all = (&update.server, &update.key, &update.secret);
    let (Some(server), Some(key), Some(secret)) = all else {
        if update.broken.0.is_empty() {
            problems.push(missing(
                "`update` needs `server`, `key` and `secret`",
                (&written.place, "incomplete"),
                "the secret is the key in Base64, by reference: `secret: { env: TSIG_KEY }`",
            ));
        }
        return None;
    };
    Some(UpdateSpec {
        server: server.value.clone(),
        zone: update.zone.as_ref().map(|z| z.value.to_string()),
        key: key.value.trim_end_matches('.').to_ascii_lowercase(),
        algorithm: update.algorithm.as_ref().map_or(TSIG_ALGORITHMS[0], |a| a.value.as_str()).to_owned(),
        secret: secret.value.reference.clone(),
    })
}

fn cutover(raw: &raw::Cutover, problems: &mut Diagnostics) -> CutoverSpec {
    let usual = CutoverSpec::default();
    let resolvers = resolvers::read(raw.resolvers.as_ref(), problems);
    let probe = raw.probe.as_ref().and_then(|probe| probe_of(probe, problems));
    let mut time = |written: &Option<At<raw::Number>>, usual| match written {
        Some(written) => seconds(written, problems).unwrap_or(usual),
        None => usual,
    };
    CutoverSpec {
        ttl: time(&raw.ttl, usual.ttl),
        margin: time(&raw.margin, usual.margin),
        approve: raw.approve.as_ref().map_or(usual.approve, |a| a.value),
        resolvers,
        probe,
    }
}

/// How long a test message may take unless the spec says so: servers that know nobody yet ask to come again after five
/// minutes.
const CONFIRM: u32 = 900;

fn probe_of(probe: &At<raw::Probe>, problems: &mut Diagnostics) -> Option<ProbeSpec> {
    let raw = &probe.value;
    let confirm = match &raw.confirm {
        None => CONFIRM,
        Some(span) => match u32::try_from(span.value.0).ok().filter(|s| (60..=86_400).contains(s)) {
            Some(seconds) => seconds,
            None => {
                problems.push(
                    Diagnostic::error("spec::bad-span", "a test message gets between a minute and a day")
                        .locate(&span.place, "too short or too long")
                        .help("15m is the default; mail to a wrong place is lost for as long as this takes"),
                );
                CONFIRM
            }
        },
    };
    let Some(account) = &raw.account else {
        if !raw.broken.has("account") {
            problems.push(missing(
                "nothing says to whom the test message is sent",
                (&probe.place, "no `account`"),
                "name an account of the domain: `probe: { account: john@example.org }`",
            ));
        }
        return None;
    };
    Some(ProbeSpec { account: account.value.clone(), confirm, from: raw.from.as_ref().map(|f| f.value.clone()) })
}

/// Whether each test message has a move to test, and a mailbox to arrive in. That the mailbox can be opened is asked of
/// every account that moves.
pub(super) fn check_probes(world: &World<'_>, problems: &mut Diagnostics) {
    for (name, domain) in &world.spec.domains {
        let Some(probe) = &domain.dns.cutover.probe else { continue };
        let written = world.written.domains.get(name).and_then(|(_, d)| d.dns.as_ref());
        let written = written.and_then(|dns| dns.value.cutover.as_ref()).and_then(|c| c.value.probe.as_ref());
        let Some(written) = written else { continue };
        let mut refuse = |place: &Place, message: String, label: &str, help: String| {
            problems.push(Diagnostic::error("spec::bad-probe", message).locate(place, label).help(help));
        };
        let moves = domain.migrate.as_ref().is_some_and(|m| m.strategy == Strategy::Parallel);
        if !moves || domain.dns.manage.is_none() {
            let message = format!("no MX of `{name}` is moved, so there is nothing to test");
            let help = "a test message belongs to a move with `strategy: parallel` and `manage`".to_owned();
            refuse(&written.place, message, "has no effect", help);
            continue;
        }
        let place = written.value.account.as_ref().map_or(&written.place, |a| &a.place);
        let account = &probe.account;
        if account.domain() != name {
            let message = format!("`{account}` is not in `{name}`, whose mail servers are tested");
            refuse(place, message, "another domain", format!("name an account of `{name}`"));
        } else if world.spec.accounts.get(account).is_none_or(|a| a.state != Presence::Present) {
            let help = world.nearest_account(account).unwrap_or_else(|| "declare it under `accounts:`".to_owned());
            refuse(place, format!("there is no account `{account}`"), "not declared under `accounts`", help);
        }
    }
}
