//! What a spec says of encryption on the way in: the MTA-STS policy (RFC 8461), and where failures are reported (RFC 8460).

use std::collections::BTreeSet;

use super::missing;
use crate::{
    diag::{Diagnostic, Diagnostics},
    model::{DnsTopic, POLICY_LONGEST, Policy, PolicyMode},
    spec::{
        place::{At, Locate as _},
        raw,
    },
};

/// How long senders keep a policy unless the spec says so: a week, the least that protects against somebody who is
/// on the way for some days.
const USUAL_AGE: u32 = 604_800;

pub(super) fn policy(written: &At<raw::MtaSts>, problems: &mut Diagnostics) -> Option<Policy> {
    let raw = &written.value;
    let max_age = match &raw.max_age {
        None => USUAL_AGE,
        Some(span) => match u32::try_from(span.value.0).ok().filter(|s| *s <= POLICY_LONGEST) {
            Some(seconds) => seconds,
            None => {
                problems.push(
                    Diagnostic::error("spec::bad-span", "senders keep a policy for a year at most")
                        .locate(&span.place, "too long")
                        .help("7d is the default"),
                );
                USUAL_AGE
            }
        },
    };
    let hosts = raw.mx.iter().flat_map(|list| &list.value.0);
    let mx: BTreeSet<String> = hosts.filter_map(|host| pattern(host, problems)).collect();
    let Some(mode) = &raw.mode else {
        if !raw.broken.has("mode") {
            problems.push(missing(
                "nothing says how strictly senders keep to the policy",
                (&written.place, "no `mode`"),
                "begin with `mode: testing`, and say `enforce` once the reports are good",
            ));
        }
        return None;
    };
    if mx.is_empty() && mode.value != PolicyMode::None && raw.mx.is_none() && !raw.broken.has("mx") {
        problems.push(missing(
            "the policy lists no mail server",
            (&written.place, "no `mx`"),
            "list every server that takes mail, and before a move those that will: `mx: [mx.example.net]`",
        ));
        return None;
    }
    Some(Policy { mode: mode.value, max_age, mx })
}

/// A host name, or `*.` and one (RFC 8461 3.2).
fn pattern(written: &At<String>, problems: &mut Diagnostics) -> Option<String> {
    let text = written.value.trim_end_matches('.').to_ascii_lowercase();
    let name = text.strip_prefix("*.").unwrap_or(&text);
    let label = |l: &str| {
        let inside = l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        inside && (1..=63).contains(&l.len()) && !l.starts_with('-') && !l.ends_with('-')
    };
    if name.len() <= 253 && name.contains('.') && name.split('.').all(label) {
        return Some(text);
    }
    problems.push(
        Diagnostic::error("spec::bad-mx", format!("`{}` is no mail server of a policy", written.value))
            .locate(&written.place, "not a host name")
            .help("write `mx.example.net`, or `*.example.net` for every host one label below; no preference"),
    );
    None
}

/// Where failures are reported. Naming the record among those that are written and nothing to write is a mistake.
pub(super) fn reports(raw: &raw::Dns, problems: &mut Diagnostics) -> BTreeSet<String> {
    let named = raw.records.iter().flat_map(|list| &list.value.0).find(|t| t.value == DnsTopic::TlsRpt);
    if let Some(topic) = named.filter(|_| raw.tls_rpt.is_none() && !raw.broken.has("tls_rpt")) {
        problems.push(missing(
            "nothing says where failed encryption is reported",
            (&topic.place, "needs `tls_rpt`"),
            "add `tls_rpt: [\"mailto:tls-reports@example.org\"]`",
        ));
    }
    let written = raw.tls_rpt.iter().flat_map(|list| &list.value.0);
    written.filter_map(|uri| destination(uri, problems)).collect()
}

/// A URI without the characters that separate several (RFC 8460 3).
fn destination(written: &At<String>, problems: &mut Diagnostics) -> Option<String> {
    let text = written.value.trim();
    let plain = text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b',' | b';' | b'!'));
    let lower = text.to_ascii_lowercase();
    let address = |a: &str| a.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && domain.contains('.'));
    let right = match (lower.strip_prefix("mailto:"), lower.strip_prefix("https://")) {
        (Some(rest), _) => address(rest),
        (None, Some(host)) => !host.is_empty(),
        (None, None) => false,
    };
    if plain && right {
        return Some(text.to_owned());
    }
    problems.push(
        Diagnostic::error("spec::bad-report", format!("`{}` is no place that reports can be sent to", written.value))
            .locate(&written.place, "neither mailto: nor https:")
            .help(
                "write `mailto:tls-reports@example.org` or `https://reports.example/tls`; `,` `;` `!` as %2C %3B %21",
            ),
    );
    None
}
