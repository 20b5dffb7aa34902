//! Answers held against expectations. Pure: the same view gives the same findings.

mod answers;
mod clients;
mod dkim;
mod dmarc;
mod encryption;
mod key;
mod mx;
mod ownership;
mod servers;
mod spf;
#[cfg(test)]
mod table;
mod texts;
mod tree;

use std::collections::BTreeSet;

pub(super) use answers::rank;
pub use answers::why;
pub(super) use dkim::{behind_alias, tags};
pub(super) use dmarc::{inherited as inherited_policy, is_record as is_dmarc};
pub use encryption::{same_policy, same_reports};
pub(super) use key::judge_key;
pub use spf::merge as merge_spf;
pub(super) use tree::{Policy as DmarcPolicy, names as walk, organization};

use self::answers::Answers;
use super::platforms::shown_at;
use crate::{
    diag::{Finding, Severity},
    model::{DnsTopic, DnsView, Domain, ExpectedRecord, Need, Question, RecordType},
};

/// Judges the DNS of a domain, topic by topic.
///
/// Where servers differ, each answer is judged, and a finding names who says what. A question that no server answered
/// gives [`Severity::Unknown`] and nothing else.
#[must_use]
pub fn check(
    domain: &Domain,
    topics: &BTreeSet<DnsTopic>,
    expected: &[ExpectedRecord],
    view: &DnsView,
) -> Vec<Finding> {
    let scene = Scene { domain, expected, view };
    if let Some(failure) = &view.failure {
        return vec![
            finding("dns-no-server", Severity::Unknown, domain, "no authoritative server could be asked")
                .actual(failure.clone())
                .fix("check the delegation of the domain and the connection of this machine, then run it again"),
        ];
    }
    if view.servers.is_empty() {
        return vec![finding("dns-no-server", Severity::Unknown, domain, "the DNS of the domain was not looked at")];
    }
    let mut out = servers::check(&scene);
    // What silent servers hold is told once for each of them, and not with every question.
    let talking = servers::talking(view);
    let scene = Scene { view: &talking, ..scene };
    for topic in topics {
        out.extend(match topic {
            DnsTopic::Mx => mx::check(&scene),
            DnsTopic::Spf => spf::check(&scene),
            DnsTopic::Dkim => dkim::check(&scene),
            DnsTopic::Dmarc => dmarc::check(&scene),
            DnsTopic::Autodiscover => clients::autodiscover(&scene),
            DnsTopic::Autoconfig => clients::autoconfig(&scene),
            DnsTopic::Ownership => ownership::check(&scene),
            DnsTopic::MtaSts => encryption::policy(&scene),
            DnsTopic::TlsRpt => encryption::reports(&scene),
        });
    }
    out.extend(texts::check(view));
    let mut told = BTreeSet::new();
    out.retain(|f| told.insert(f.clone()));
    out
}

/// Everything that a topic may look at.
struct Scene<'a> {
    domain: &'a Domain,
    expected: &'a [ExpectedRecord],
    view: &'a DnsView,
}

impl<'a> Scene<'a> {
    /// What is expected for a topic.
    fn expected(&self, topic: DnsTopic) -> Vec<&'a ExpectedRecord> {
        self.expected.iter().filter(|r| r.topic == topic).collect()
    }

    /// What all servers say to a question.
    fn answers(&self, name: &str, rtype: RecordType) -> Answers<'a> {
        Answers::collect(self.view, &Question { name: name.to_owned(), rtype })
    }

    /// Judges a question: unknown and differing answers here, the rest by `judge`, which gets no values for "missing".
    fn judge(&self, name: &str, rtype: RecordType, judge: impl Fn(&[String]) -> Vec<Finding>) -> Vec<Finding> {
        self.answers(name, rtype).judge(judge)
    }
}

/// A finding without expectation, reality and cure yet.
pub(super) fn finding(code: &str, severity: Severity, subject: impl ToString, message: impl Into<String>) -> Finding {
    Finding {
        code: code.to_owned(),
        severity,
        subject: subject.to_string(),
        message: message.into(),
        expected: None,
        actual: None,
        fix: None,
    }
}

/// Completes findings.
pub(super) trait Complete {
    fn expected(self, text: impl Into<String>) -> Self;
    fn actual(self, text: impl Into<String>) -> Self;
    fn fix(self, text: impl Into<String>) -> Self;
}

impl Complete for Finding {
    fn expected(self, text: impl Into<String>) -> Self {
        Self { expected: Some(text.into()), ..self }
    }

    fn actual(self, text: impl Into<String>) -> Self {
        Self { actual: Some(text.into()), ..self }
    }

    fn fix(self, text: impl Into<String>) -> Self {
        Self { fix: Some(text.into()), ..self }
    }
}

/// How bad it is when a record with that need is not as it should be.
fn severity(need: Need) -> Severity {
    match need {
        Need::Required => Severity::Error,
        Need::Recommended => Severity::Warning,
        Need::Optional => Severity::Info,
    }
}

/// What to do to have a record: the record itself, or where its value is shown. A placeholder is never given out.
fn publish(record: &ExpectedRecord) -> String {
    match shown_at(record) {
        None => format!("publish\n{}", zone_line(record)),
        Some(place) => format!("publish {} {}: {place}", record.name, record.rtype),
    }
}

/// A record as one would type it into a zone.
fn zone_line(record: &ExpectedRecord) -> String {
    match record.rtype {
        RecordType::Txt => format!("{}. {} \"{}\"", record.name, record.rtype, record.value),
        _ if record.value.ends_with(" .") => format!("{}. {} {}", record.name, record.rtype, record.value),
        _ => format!("{}. {} {}.", record.name, record.rtype, record.value),
    }
}

/// What is expected, for people: without the parts that are open.
fn wanted(record: &ExpectedRecord) -> String {
    let open = |value: &str| value.replace('*', "...");
    format!("{} {}", record.rtype, open(&record.value))
}

/// Whether a target is `wanted` with the domain behind it: its final dot is missing in the zone file.
fn lacks_dot(target: &str, wanted: &str, domain: &str) -> bool {
    target.strip_suffix(domain).and_then(|rest| rest.strip_suffix('.')).is_some_and(|rest| rest == wanted)
}
