//! What is wanted beside what is there, record by record.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{
    audit::platform_passes,
    check::{is_dmarc, merge_spf, rank},
    platforms::{matches, shown_at, usable},
    spf::is_record,
};
use crate::{
    diag::Finding,
    model::{DnsTopic, DnsView, ExpectedRecord, Question, RecordType},
};

/// How a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// As wanted.
    Same,
    /// Wanted and not there, or there with another value.
    Publish,
    /// There, and not the platform's.
    Foreign,
    /// Nobody could tell.
    Unknown,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// How it is.
    pub standing: Standing,
    /// The owner name.
    pub name: String,
    /// The type.
    pub rtype: RecordType,
    /// What is wanted; of an SPF record, with everything kept that is there. None for a foreign record, and where nobody
    /// but the platform knows the value.
    pub wanted: Option<String>,
    /// Where the platform shows the value, when only it knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shown_at: Option<String>,
    /// What is there.
    pub found: Vec<String>,
}

/// Holds what a platform wants against what the servers of a domain said. Senders that were found to pass need no other
/// SPF record.
#[must_use]
pub fn diff(expected: &[ExpectedRecord], view: &DnsView, findings: &[Finding]) -> Vec<Row> {
    let passes = platform_passes(findings.iter());
    let mut out: Vec<Row> = expected.iter().map(|record| row(record, view, passes)).collect();
    let exchangers = expected.iter().filter(|r| r.topic == DnsTopic::Mx);
    for name in exchangers.clone().map(|r| r.name.as_str()).collect::<BTreeSet<_>>() {
        let ours: BTreeSet<&str> = exchangers.clone().filter_map(|r| r.value.split(' ').nth(1)).collect();
        let (values, _) = said(view, name, RecordType::Mx);
        let known = |host: &str| ours.iter().any(|pattern| matches(pattern, host));
        let foreign = values.into_iter().filter(|v| v.split(' ').nth(1).is_some_and(|host| !known(host)));
        let mut foreign: Vec<String> = foreign.collect();
        foreign.sort_by_key(|value| rank(value));
        let rows = foreign.into_iter().map(|value| Row {
            standing: Standing::Foreign,
            name: name.to_owned(),
            rtype: RecordType::Mx,
            wanted: None,
            shown_at: None,
            found: vec![value],
        });
        // What goes stands beside what comes.
        let at = out.iter().rposition(|r| r.rtype == RecordType::Mx && r.name == name).map_or(out.len(), |at| at + 1);
        out.splice(at..at, rows);
    }
    out
}

fn row(record: &ExpectedRecord, view: &DnsView, passes: bool) -> Row {
    let (mut found, known) = said(view, &record.name, record.rtype);
    let mut wanted = record.value.clone();
    match record.topic {
        // The other texts of the domain are nobody's business here.
        DnsTopic::Spf => {
            found.retain(|v| is_record(v));
            if let [one] = found.as_slice() {
                wanted = if passes { one.clone() } else { merge_spf(one, &wanted) };
            }
        }
        DnsTopic::Mx => {
            let host = |v: &str| v.split(' ').nth(1).map(str::to_owned).unwrap_or_default();
            found.retain(|v| matches(&host(&wanted), &host(v)) && host(v) != ".");
            // A preference that keeps the order is as good as another; the findings judge the order.
            if let [one, ..] = found.as_slice() {
                wanted.clone_from(one);
            }
        }
        DnsTopic::Dmarc => found.retain(|v| is_dmarc(v)),
        _ => {}
    }
    // A part that is open is as good as anything that fits it and can be used.
    if let Some(fits) = found.iter().find(|v| wanted.contains('*') && matches(&wanted, v) && usable(record, v)) {
        wanted.clone_from(fits);
    }
    let same = found.iter().any(|v| v.eq_ignore_ascii_case(&wanted));
    let alone = found.len() == 1 || record.value.contains('*');
    let standing = if !known {
        Standing::Unknown
    } else if same && alone {
        Standing::Same
    } else {
        Standing::Publish
    };
    let open = wanted.contains('*');
    let shown_at = shown_at(record).filter(|_| open);
    let wanted = Some(wanted).filter(|_| !open);
    Row { standing, name: record.name.clone(), rtype: record.rtype, wanted, shown_at, found }
}

/// All values that any server gave, and whether at least one gave an answer.
fn said(view: &DnsView, name: &str, rtype: RecordType) -> (Vec<String>, bool) {
    let question = Question { name: name.to_owned(), rtype };
    let answers: Vec<_> = view.servers.values().filter_map(|s| s.answers.get(&question)).collect();
    let values: BTreeSet<String> = answers.iter().flat_map(|v| v.values().iter().cloned()).collect();
    (values.into_iter().collect(), answers.iter().any(|v| v.is_known()))
}
