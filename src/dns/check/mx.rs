//! Where mail goes (RFC 5321 5.1, RFC 7505).

use std::{collections::BTreeSet, net::IpAddr};

use super::{Complete as _, Scene, answers::shown, finding, publish, severity, zone_line};
use crate::{
    diag::{Finding, Severity},
    model::{DnsTopic, ExpectedRecord, Need, RecordType},
};

/// One mail server with its preference: the lowest is tried first.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Exchanger<'a> {
    preference: u16,
    host: &'a str,
}

fn parse(value: &str) -> Option<Exchanger<'_>> {
    let (preference, host) = value.split_once(' ')?;
    Some(Exchanger { preference: preference.parse().ok()?, host })
}

pub(super) fn check(scene: &Scene<'_>) -> Vec<Finding> {
    let name = scene.domain.as_str();
    let wanted = scene.expected(DnsTopic::Mx);
    let mut out = scene.judge(name, RecordType::Mx, |values| judge(name, &wanted, values));
    let hosts: BTreeSet<&str> = scene
        .answers(name, RecordType::Mx)
        .known()
        .flatten()
        .filter_map(|v| parse(v))
        .map(|mx| mx.host)
        .filter(|host| *host == name || host.ends_with(&format!(".{name}")))
        .collect();
    let unusable: Vec<Finding> = hosts.into_iter().flat_map(|host| targets(scene, host)).collect();
    out.retain(|f| f.severity != Severity::Ok || unusable.is_empty());
    out.extend(unusable);
    out
}

fn judge(name: &str, wanted: &[&ExpectedRecord], values: &[String]) -> Vec<Finding> {
    let subject = format!("{name} MX");
    let open = wanted.iter().copied().find(|r| r.value.contains('*'));
    let to_publish = || match open {
        Some(record) => publish(record),
        None => {
            let lines = wanted.iter().filter(|r| r.need != Need::Optional).map(|r| zone_line(r));
            format!("publish\n{}", lines.collect::<Vec<_>>().join("\n"))
        }
    };
    let list = || shown(&wanted.iter().map(|r| r.value.replace('*', "...")).collect::<Vec<_>>());
    let draft = |code, severity, message: String| {
        let out = finding(code, severity, &subject, message).actual(shown(values));
        if wanted.is_empty() { out } else { out.expected(list()) }
    };
    let actual: Vec<Exchanger<'_>> = values.iter().filter_map(|v| parse(v)).collect();
    if actual.is_empty() {
        let severity = if wanted.is_empty() { Severity::Warning } else { Severity::Error };
        // Without any MX record senders try the address of the domain itself (RFC 5321 5.1).
        let message = format!("{name} has no MX record: mail goes to the address of {name} itself, or nowhere");
        let out = draft("mx-missing", severity, message);
        return vec![out.fix(match wanted {
            [] => "publish its mail servers, or `0 .` when it is to take no mail (RFC 7505)".to_owned(),
            _ => to_publish(),
        })];
    }
    if actual.iter().any(|mx| mx.host == ".") {
        let message = if actual.len() == 1 {
            format!("{name} declares that it takes no mail (null MX)")
        } else {
            format!("{name} declares that it takes no mail, and names mail servers as well (RFC 7505 3)")
        };
        // Of a domain of which nobody says that it takes mail, this is a statement and no mistake.
        let meant = wanted.is_empty() && values == ["0 ."];
        let out = draft("mx-null", if meant { Severity::Info } else { Severity::Error }, message);
        return vec![match (meant, wanted) {
            (true, _) => out,
            (false, []) => out.fix("keep either `0 .` or the mail servers"),
            _ => out.fix(format!("remove it, and {}", to_publish())),
        }];
    }
    let mut out = malformed(&draft, name, wanted, &actual);
    let anybody = open.is_some_and(|r| parse(&r.value).is_some_and(|mx| mx.host == "*"));
    if wanted.is_empty() || anybody {
        let message = format!("{name} has MX records, and nothing is known to compare them with");
        let present = draft("mx-present", Severity::Info, message);
        out.push(match open {
            Some(_) => present.fix("name the mail servers in the spec, as `dns.mx`, to have them looked at"),
            None => present,
        });
        return out;
    }
    out.extend(compared(&draft, name, wanted, &actual, &to_publish()));
    if out.is_empty() {
        out.push(draft("mx-ok", Severity::Ok, format!("mail for {name} goes to the platform")));
    }
    out
}

/// The mail servers held against those of the platform.
fn compared(
    draft: &impl Fn(&'static str, Severity, String) -> Finding,
    name: &str,
    wanted: &[&ExpectedRecord],
    actual: &[Exchanger<'_>],
    to_publish: &str,
) -> Vec<Finding> {
    let mut out = Vec::new();
    let expected: Vec<(Exchanger<'_>, Need)> = wanted.iter().filter_map(|r| Some((parse(&r.value)?, r.need))).collect();
    let is_ours = |mx: &&Exchanger<'_>| expected.iter().any(|(e, _)| e.host == mx.host);
    let ours: Vec<&Exchanger<'_>> = actual.iter().filter(is_ours).collect();
    let Some(first) = ours.iter().map(|mx| mx.preference).min() else {
        let message = format!("mail for {name} goes elsewhere: none of its MX records is one of the platform's");
        out.push(
            draft("mx-wrong", Severity::Error, message)
                .fix(format!("when the mailboxes are ready, remove them, and {to_publish}")),
        );
        return out;
    };
    out.extend(strangers(draft, name, actual.iter().filter(|mx| !is_ours(mx)).collect(), first));
    out.extend(absent(draft, wanted, &expected, actual));
    if disordered(&expected, &ours) {
        let message = format!("the platform's mail servers are not tried in its order for {name}");
        out.push(draft("mx-order", Severity::Warning, message).fix(to_publish));
    }
    out
}

/// Servers that are not the platform's: those that get mail first, and those that get it when the platform is busy.
fn strangers(
    draft: &impl Fn(&'static str, Severity, String) -> Finding,
    name: &str,
    strangers: Vec<&Exchanger<'_>>,
    first: u16,
) -> Vec<Finding> {
    let (mut before, mut behind): (Vec<_>, Vec<_>) = strangers.into_iter().partition(|mx| mx.preference <= first);
    for all in [&mut before, &mut behind] {
        all.sort_by_key(|mx| mx.preference);
    }
    let told = |all: &[&Exchanger<'_>]| {
        let hosts: BTreeSet<&str> = all.iter().map(|mx| mx.host).collect();
        let records: Vec<String> = all.iter().map(|mx| format!("MX {} {}", mx.preference, mx.host)).collect();
        let one = hosts.len() == 1;
        let is = if one { "is" } else { "are" };
        let names: Vec<String> = hosts.into_iter().map(str::to_owned).collect();
        (format!("{} {is} not the platform's", listed(&names)), is, format!("remove {}", listed(&records)))
    };
    let mut out = Vec::new();
    if !before.is_empty() {
        let (who, is, remove) = told(&before);
        let message = format!("{who} and {is} preferred: mail for {name} goes there first");
        out.push(draft("mx-foreign-first", Severity::Error, message).fix(remove));
    }
    if !behind.is_empty() {
        let (who, _, remove) = told(&behind);
        let message = format!("{who}: mail for {name} goes there when the platform is busy");
        out.push(draft("mx-foreign-behind", Severity::Warning, message).fix(format!("{remove}, unless it is meant")));
    }
    out
}

/// Servers of the platform that no record names: those that it needs and those that it recommends.
fn absent(
    draft: &impl Fn(&'static str, Severity, String) -> Finding,
    wanted: &[&ExpectedRecord],
    expected: &[(Exchanger<'_>, Need)],
    actual: &[Exchanger<'_>],
) -> Vec<Finding> {
    let missing = |need: Need| -> Vec<&Exchanger<'_>> {
        let named = |host: &str| actual.iter().any(|a| a.host == host);
        expected.iter().filter(|(mx, of)| *of == need && !named(mx.host)).map(|(mx, _)| mx).collect()
    };
    let mut out = Vec::new();
    for need in [Need::Required, Need::Recommended] {
        let gone = missing(need);
        if gone.is_empty() {
            continue;
        }
        let records: Vec<String> = gone.iter().map(|mx| format!("{} {}", mx.preference, mx.host)).collect();
        let message = format!("MX {} {} missing", listed(&records), if gone.len() == 1 { "is" } else { "are" });
        let lines = wanted.iter().filter(|r| parse(&r.value).is_some_and(|w| gone.iter().any(|mx| mx.host == w.host)));
        let fix = format!("publish\n{}", lines.map(|r| zone_line(r)).collect::<Vec<_>>().join("\n"));
        out.push(draft("mx-incomplete", severity(need), message).fix(fix));
    }
    out
}

/// `a, b and c`
fn listed(items: &[String]) -> String {
    match items {
        [all @ .., last] if !all.is_empty() => format!("{} and {last}", all.join(", ")),
        all => all.join(", "),
    }
}

/// Whether two servers come in another order than expected. Equal order with other numbers is the same to a sender.
fn disordered(expected: &[(Exchanger<'_>, Need)], ours: &[&Exchanger<'_>]) -> bool {
    let actual = |host: &str| ours.iter().filter(|mx| mx.host == host).map(|mx| mx.preference).min();
    expected.iter().any(|(a, _)| {
        expected.iter().any(|(b, _)| {
            a.preference < b.preference && matches!((actual(a.host), actual(b.host)), (Some(a), Some(b)) if a >= b)
        })
    })
}

/// Targets that cannot be right, whatever is expected.
fn malformed(
    draft: &impl Fn(&'static str, Severity, String) -> Finding,
    name: &str,
    wanted: &[&ExpectedRecord],
    actual: &[Exchanger<'_>],
) -> Vec<Finding> {
    let mut out = Vec::new();
    let mut seen = BTreeSet::new();
    for mx in actual {
        let host = mx.host;
        if host.parse::<IpAddr>().is_ok() {
            let message = format!("the mail server {host} is an address where a name is needed (RFC 5321 5.1)");
            out.push(draft("mx-target-address", Severity::Error, message).fix("name the server"));
        }
        let known = |bare: &str| wanted.iter().filter_map(|r| parse(&r.value)).any(|e| e.host == bare);
        if let Some(bare) = host.strip_suffix(&format!(".{name}")).filter(|bare| known(bare)) {
            let message = format!("the mail server {host} ends with the domain: its final dot is missing in the zone");
            out.push(draft("mx-doubled", Severity::Error, message).fix(format!("write `{bare}.`, with the final dot")));
        }
        if !seen.insert(host) {
            let message = format!("{host} is named with several preferences");
            out.push(draft("mx-duplicate", Severity::Warning, message).fix("keep one of them"));
        }
    }
    out
}

/// A mail server inside the domain must be a host, not an alias (RFC 2181 10.3). Those outside belong to others.
fn targets(scene: &Scene<'_>, host: &str) -> Vec<Finding> {
    let subject = format!("{host} (mail server)");
    let mut out = Vec::new();
    let aliases: BTreeSet<&String> = scene.answers(host, RecordType::Cname).known().flatten().collect();
    if let Some(target) = aliases.first() {
        let message =
            format!("the mail server {host} is an alias of {target}, which senders may refuse (RFC 2181 10.3)");
        out.push(
            finding("mx-target-alias", Severity::Error, &subject, message)
                .actual(format!("CNAME {target}"))
                .fix(format!("name {target} in the MX record, or give {host} an address")),
        );
        return out;
    }
    let missing = |rtype| {
        let mut known = scene.answers(host, rtype).known().peekable();
        known.peek().is_some() && known.all(<[String]>::is_empty)
    };
    if missing(RecordType::A) && missing(RecordType::Aaaa) {
        let message = format!("the mail server {host} has no address");
        out.push(
            finding("mx-target-unresolved", Severity::Error, &subject, message)
                .actual("no A and no AAAA record")
                .fix(format!("give {host} an address, or remove it from the MX records")),
        );
    }
    out
}
