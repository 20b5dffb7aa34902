//! Changes of a zone as lines: what goes, what comes, each with its TTL.

use crate::{
    model::{RecordSet, RecordType, ZoneChange, preference},
    plan::Plan,
};

use super::style::clean;

/// The records that differ, as they stand in a zone file (RFC 1035 5.1), the old ones first.
pub(super) fn lines(change: &ZoneChange) -> Vec<(char, String)> {
    let ttl_only = change.new_ttl().is_some();
    let part = |sign: char, set: &Option<RecordSet>, differ: &[&str]| {
        let all = set.iter().flat_map(|s| s.values.iter().map(move |v| (v, s.ttl)));
        let mut shown: Vec<(&String, u32)> = all.filter(|(v, _)| ttl_only || differ.contains(&v.as_str())).collect();
        shown.sort_by_key(|(v, _)| preference(v));
        shown.into_iter().map(|(value, ttl)| (sign, line(change, value, ttl))).collect::<Vec<_>>()
    };
    let mut out = part('-', &change.before, &change.removed());
    out.extend(part('+', &change.after, &change.added()));
    out
}

fn line(change: &ZoneChange, value: &str, ttl: u32) -> String {
    let data = match change.rtype {
        RecordType::Txt => format!("\"{value}\""),
        RecordType::Cname | RecordType::Mx | RecordType::Ns | RecordType::Ptr | RecordType::Srv => {
            format!("{}.", value.trim_end_matches('.'))
        }
        _ => value.to_owned(),
    };
    clean(&format!("{}. {ttl} IN {} {data}", change.name, change.rtype)).replace('\n', " ")
}

/// What changes, in a few words.
pub(super) fn summary(change: &ZoneChange) -> String {
    let count = |n: usize, word: &str| (n > 0).then(|| format!("{n} {word}"));
    let kept = change.before.as_ref().map_or(0, |b| b.values.len()) - change.removed().len();
    let kept = kept.min(change.after.as_ref().map_or(0, |a| a.values.len()));
    let parts = [
        count(change.removed().len(), "out"),
        count(change.added().len(), "in"),
        count(kept, "kept"),
        change.new_ttl().map(|(was, is)| format!("TTL {was} to {is}")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// All changes of zones in a plan.
pub(super) fn changes(plan: &Plan) -> impl Iterator<Item = &ZoneChange> {
    plan.body.actions.iter().filter_map(|a| match &a.work {
        crate::model::Work::Zone(change) => Some(&**change),
        _ => None,
    })
}
