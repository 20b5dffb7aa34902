//! The records that announce a policy on encryption (RFC 8461) and where its failures are reported (RFC 8460), beside
//! those that somebody asked for. What they say by themselves an audit judges.

use std::collections::BTreeSet;

use super::{Complete as _, Scene, answers::shown, finding, publish, wanted as told};
use crate::{
    diag::{Finding, Severity},
    model::{DnsTopic, RecordType},
};

pub(super) fn policy(scene: &Scene<'_>) -> Vec<Finding> {
    let message = "the record does not announce the MTA-STS policy that the spec asks for";
    held(scene, DnsTopic::MtaSts, &format!("_mta-sts.{}", scene.domain), ("mta-sts-differs", message), same_policy)
}

pub(super) fn reports(scene: &Scene<'_>) -> Vec<Finding> {
    let message = "failed encryption is not reported where the spec asks for it";
    held(scene, DnsTopic::TlsRpt, &format!("_smtp._tls.{}", scene.domain), ("tls-rpt-differs", message), same_reports)
}

fn held(
    scene: &Scene<'_>,
    topic: DnsTopic,
    name: &str,
    (code, message): (&str, &str),
    same: impl Fn(&str, &str) -> bool,
) -> Vec<Finding> {
    let wish = scene.expected(topic).first().copied();
    scene.judge(name, RecordType::Txt, |values| {
        let Some(record) = wish.filter(|record| !values.iter().any(|v| same(v, &record.value))) else {
            return Vec::new();
        };
        let out = finding(code, Severity::Error, format!("{name} TXT"), message);
        vec![out.expected(told(record)).actual(shown(values)).fix(publish(record))]
    })
}

/// Whether two records announce the same policy: their ids are the same (RFC 8461 3.1).
#[must_use]
pub fn same_policy(one: &str, other: &str) -> bool {
    let id = |record: &str| {
        let fields = record.strip_prefix("v=STSv1;")?;
        fields.split(';').find_map(|f| f.trim().strip_prefix("id=").map(str::to_owned))
    };
    id(one).is_some_and(|this| id(other) == Some(this))
}

/// Whether two records have failures reported at the same places, in whatever order (RFC 8460 3).
#[must_use]
pub fn same_reports(one: &str, other: &str) -> bool {
    let places = |record: &str| -> Option<BTreeSet<String>> {
        let fields = record.strip_prefix("v=TLSRPTv1;")?;
        let list = fields.split(';').find_map(|f| f.trim().strip_prefix("rua=").map(str::to_owned))?;
        Some(list.split(',').map(|uri| uri.trim().to_owned()).collect())
    };
    places(one).is_some_and(|these| places(other) == Some(these))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_the_same_by_what_they_mean() {
        assert!(same_policy("v=STSv1; id=a1;", "v=STSv1;id=a1") && !same_policy("v=STSv1; id=a1;", "v=STSv1; id=a2;"));
        assert!(!same_policy("v=stsv1; id=a1;", "v=STSv1; id=a1;") && !same_policy("v=STSv1;", "v=STSv1;"));
        let two = "v=TLSRPTv1; rua=mailto:a@x.org,https://r.example";
        assert!(same_reports(two, "v=TLSRPTv1;rua=https://r.example, mailto:a@x.org"));
        assert!(!same_reports(two, "v=TLSRPTv1; rua=mailto:a@x.org") && !same_reports("x", "x"));
    }
}
