//! What several servers say to one question.

use std::collections::BTreeMap;

use super::{Complete as _, finding};
use crate::{
    diag::{Finding, Severity},
    model::{DnsView, Oddity, Question, Verdict},
};

/// The distinct answers, each with the servers that gave it.
pub(super) struct Answers<'a> {
    question: Question,
    /// No values stand for "there is no such record".
    known: BTreeMap<&'a [String], Vec<&'a str>>,
    unknown: Vec<(&'a str, String)>,
}

impl<'a> Answers<'a> {
    pub(super) fn collect(view: &'a DnsView, question: &Question) -> Self {
        let mut out = Self { question: question.clone(), known: BTreeMap::new(), unknown: Vec::new() };
        let rotating = rotating(view, question);
        for (server, told) in &view.servers {
            match told.answers.get(question) {
                Some(verdict) if verdict.is_known() => {
                    let values = verdict.values();
                    // A part of what rotates is no other answer.
                    let part = !values.is_empty() && values.iter().all(|v| rotating.contains(v));
                    out.known.entry(if part { rotating } else { values }).or_default().push(server);
                }
                Some(verdict) => out.unknown.push((server, why(verdict))),
                None => out.unknown.push((server, "it was not asked".to_owned())),
            }
        }
        out
    }

    /// The answers without those who gave them; empty values stand for "there is no such record".
    pub(super) fn known(self) -> impl Iterator<Item = &'a [String]> {
        self.known.into_keys()
    }

    /// The findings on each answer, with those on the answers' differences.
    pub(super) fn judge(self, judge: impl Fn(&[String]) -> Vec<Finding>) -> Vec<Finding> {
        let subject = format!("{} {}", self.question.name, self.question.rtype);
        let mut out = Vec::new();
        if !self.unknown.is_empty() {
            let told: Vec<String> = self.unknown.iter().map(|(server, why)| format!("{server}: {why}")).collect();
            let whole = if self.known.is_empty() { "no server" } else { "not every server" };
            let message = format!("{whole} could tell the {} records of {}", self.question.rtype, self.question.name);
            out.push(
                finding("dns-unknown", Severity::Unknown, &subject, message)
                    .actual(told.join("; "))
                    .fix("ask again later; as long as it is unknown, nothing is concluded from it"),
            );
        }
        if self.known.len() < 2 {
            out.extend(self.known.keys().flat_map(|values| judge(values)));
            return out;
        }
        let told: Vec<String> =
            self.known.iter().map(|(v, servers)| format!("{}: {}", servers.join(", "), shown(v))).collect();
        let message = format!("the servers differ in the {} records of {}", self.question.rtype, self.question.name);
        out.push(
            finding("servers-differ", Severity::Error, &subject, message)
                .actual(told.join("; "))
                .fix("wait until all servers have the same zone; when they stay different, ask the DNS provider"),
        );
        for (values, servers) in &self.known {
            // What is fine at one server is no consolation while another differs.
            let wrong = judge(values).into_iter().filter(|f| f.severity != Severity::Ok);
            out.extend(wrong.map(|f| Finding { message: format!("{} (at {})", f.message, servers.join(", ")), ..f }));
        }
        out
    }
}

/// All records of a set that rotates; none when no server's answers do.
fn rotating<'a>(view: &'a DnsView, question: &Question) -> &'a [String] {
    let mut oddities = view.servers.values().flat_map(|s| &s.oddities);
    let all = oddities.find_map(|oddity| match oddity {
        Oddity::Rotates { name, rtype, values } if *name == question.name && *rtype == question.rtype => Some(values),
        _ => None,
    });
    all.map_or(&[], Vec::as_slice)
}

/// Values for people, those with a number in front (a preference, a priority) in the order of their numbers.
pub(in crate::dns) fn shown(values: &[String]) -> String {
    if values.is_empty() {
        return "no record".to_owned();
    }
    let mut sorted: Vec<&str> = values.iter().map(String::as_str).collect();
    sorted.sort_by_key(|value| rank(value));
    sorted.join(", ")
}

/// The number that a value begins with; values without one keep their place.
pub(in crate::dns) fn rank(value: &str) -> u16 {
    value.split_once(' ').and_then(|(number, _)| number.parse().ok()).unwrap_or(0)
}

/// What happened to a question that was not answered, as the end of a sentence.
#[must_use]
pub fn why(verdict: &Verdict) -> String {
    match verdict {
        Verdict::ServFail => "it failed to answer (SERVFAIL)".to_owned(),
        Verdict::Refused => "it refused to answer (REFUSED)".to_owned(),
        Verdict::Timeout => "it did not answer in time".to_owned(),
        Verdict::Unreachable { reason } => reason.clone(),
        Verdict::Lame => "it has no authority for the zone".to_owned(),
        Verdict::Bogus => "its signatures do not hold (DNSSEC)".to_owned(),
        Verdict::Loop => "aliases lead in a circle or too far".to_owned(),
        Verdict::Malformed { reason } => format!("its answer cannot be understood: {reason}"),
        Verdict::Found { .. } | Verdict::NoData | Verdict::NxDomain => "it answered".to_owned(),
    }
}
