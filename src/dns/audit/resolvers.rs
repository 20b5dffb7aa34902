//! What public resolvers say, held against the servers that have authority.

use std::collections::BTreeSet;

use crate::{
    diag::{Finding, Severity},
    dns::check::{Complete as _, finding, why},
    model::{DnsView, Question, Verdict},
};

/// Compares the answers of resolvers with those of the domain's own servers. An older answer is no mistake: it is gone
/// when its time has run out, which only the resolver knows.
#[must_use]
pub fn compare(own: &DnsView, resolvers: &DnsView) -> Vec<Finding> {
    let mut out = Vec::new();
    for (resolver, told) in &resolvers.servers {
        for (question, verdict) in &told.answers {
            let subject = format!("{} {}", question.name, question.rtype);
            let known = authoritative(own, question);
            match verdict {
                Verdict::Bogus => {
                    let message = format!("{resolver} refuses the {subject} records: their signatures do not hold");
                    let fix = "sign the zone anew, or let the registry remove the DS record until it is right";
                    out.push(finding("dnssec-bogus", Severity::Error, &subject, message).fix(fix));
                }
                v if v.is_known() && !known.is_empty() && !known.contains(v.values()) => {
                    let message = format!("{resolver} still gives another answer for {subject}");
                    let old = if v.values().is_empty() { "no record".to_owned() } else { v.values().join(", ") };
                    let left =
                        if let Verdict::Found { ttl, .. } = v { format!(", for {ttl} s more") } else { String::new() };
                    let out_of_date = finding("resolver-differs", Severity::Warning, &subject, message);
                    let fix =
                        "wait until it has run out there; if it stays, that resolver has a view of the zone of its own";
                    out.push(out_of_date.actual(format!("{old}{left}")).fix(fix));
                }
                v if !v.is_known() && !known.is_empty() => {
                    let message = format!("{resolver} could not tell the {subject} records");
                    out.push(finding("resolver-failed", Severity::Warning, &subject, message).actual(why(v)));
                }
                _ => {}
            }
        }
    }
    out
}

/// The answers of the servers with authority; nothing is compared where they gave none.
fn authoritative<'v>(own: &'v DnsView, question: &Question) -> BTreeSet<&'v [String]> {
    let said = own.servers.values().filter_map(|s| s.answers.get(question));
    said.filter(|v| v.is_known()).map(Verdict::values).collect()
}
