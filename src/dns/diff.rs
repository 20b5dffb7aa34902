//! What is wanted beside what is there, record by record.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{check::merge_spf, spf::is_record};
use crate::model::{DnsTopic, DnsView, ExpectedRecord, Question, RecordType};

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
    /// What is wanted; of an SPF record, with everything kept that is there. None for a foreign record.
    pub wanted: Option<String>,
    /// What is there.
    pub found: Vec<String>,
}

/// Holds what a platform wants against what the servers of a domain said.
#[must_use]
pub fn diff(expected: &[ExpectedRecord], view: &DnsView) -> Vec<Row> {
    let mut out: Vec<Row> = expected.iter().map(|record| row(record, view)).collect();
    let exchangers = expected.iter().filter(|r| r.topic == DnsTopic::Mx);
    for name in exchangers.clone().map(|r| r.name.as_str()).collect::<BTreeSet<_>>() {
        let ours: BTreeSet<&str> = exchangers.clone().filter_map(|r| r.value.split(' ').nth(1)).collect();
        let (values, _) = said(view, name, RecordType::Mx);
        let foreign = values.into_iter().filter(|v| v.split(' ').nth(1).is_some_and(|host| !ours.contains(host)));
        out.extend(foreign.map(|value| Row {
            standing: Standing::Foreign,
            name: name.to_owned(),
            rtype: RecordType::Mx,
            wanted: None,
            found: vec![value],
        }));
    }
    out
}

fn row(record: &ExpectedRecord, view: &DnsView) -> Row {
    let (mut found, known) = said(view, &record.name, record.rtype);
    let mut wanted = record.value.clone();
    match record.topic {
        // The other texts of the domain are nobody's business here.
        DnsTopic::Spf => {
            found.retain(|v| is_record(v));
            if let [one] = found.as_slice() {
                wanted = merge_spf(one, &wanted);
            }
        }
        DnsTopic::Mx => {
            let host = |v: &str| v.split(' ').nth(1).map(str::to_owned);
            found.retain(|v| host(v) == host(&wanted));
            // A preference that keeps the order is as good as another; the findings judge the order.
            if let [one] = found.as_slice() {
                wanted.clone_from(one);
            }
        }
        _ => {}
    }
    let same = found.iter().any(|v| v.eq_ignore_ascii_case(&wanted));
    let standing = if !known {
        Standing::Unknown
    } else if same && found.len() == 1 {
        Standing::Same
    } else {
        Standing::Publish
    };
    Row { standing, name: record.name.clone(), rtype: record.rtype, wanted: Some(wanted), found }
}

/// All values that any server gave, and whether at least one gave an answer.
fn said(view: &DnsView, name: &str, rtype: RecordType) -> (Vec<String>, bool) {
    let question = Question { name: name.to_owned(), rtype };
    let answers: Vec<_> = view.servers.values().filter_map(|s| s.answers.get(&question)).collect();
    let values: BTreeSet<String> = answers.iter().flat_map(|v| v.values().iter().cloned()).collect();
    (values.into_iter().collect(), answers.iter().any(|v| v.is_known()))
}
