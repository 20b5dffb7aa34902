//! What becomes of one set of records.

use std::collections::BTreeSet;

use crate::{
    dns::{merge_spf, same_policy, same_reports, spf::is_record},
    model::{DnsTopic, ExpectedRecord, Need, RecordSet, dmarc_strictness},
};

/// What new sets get where nothing says otherwise, in seconds.
const USUAL_TTL: u32 = 3600;

/// The values that a set should have, given what is there. `None` when it is right as it is.
pub(super) fn after(
    wanted: &[&ExpectedRecord],
    before: Option<&RecordSet>,
    asked_ttl: Option<u32>,
) -> Option<RecordSet> {
    let first = wanted.first()?;
    let empty = BTreeSet::new();
    let there = before.map_or(&empty, |b| &b.values);
    let values = match first.topic {
        DnsTopic::Mx => mx(wanted, there),
        DnsTopic::Spf => with(there, is_record, merged_spf(before, &first.value)?),
        DnsTopic::Dmarc => with(there, |v| v.trim_start().starts_with("v=DMARC1"), first.value.clone()),
        DnsTopic::MtaSts => announced(there, "v=stsv1", same_policy, &first.value),
        DnsTopic::TlsRpt => announced(there, "v=tlsrptv1", same_reports, &first.value),
        DnsTopic::Dkim if first.rtype == crate::model::RecordType::Txt => {
            let same = there.iter().any(|v| key(v) == key(&first.value));
            if same { there.clone() } else { with(there, |v| v.contains("p="), first.value.clone()) }
        }
        // One target: a second one would leave it to chance where mail programs go.
        DnsTopic::Dkim | DnsTopic::Autodiscover | DnsTopic::Autoconfig | DnsTopic::Ownership => {
            let right = |v: &&String| wanted.iter().any(|w| v.eq_ignore_ascii_case(&w.value));
            let kept: BTreeSet<String> = there.iter().filter(right).cloned().collect();
            let missing = wanted.iter().filter(|w| !there.iter().any(|v| v.eq_ignore_ascii_case(&w.value)));
            kept.into_iter().chain(missing.map(|w| w.value.clone())).collect()
        }
    };
    if values == *there || (first.topic == DnsTopic::Autodiscover && same_service(&values, there)) {
        return None;
    }
    // The texts of others share the set of SPF, and with it the TTL.
    let shared = there.intersection(&values).next().is_some();
    let ttl = match (asked_ttl, before) {
        (Some(ttl), None) => ttl,
        (Some(ttl), Some(_)) if !shared => ttl,
        (_, Some(before)) => before.ttl,
        (None, None) => USUAL_TTL,
    };
    Some(RecordSet { values, ttl })
}

/// The SPF record to publish: everybody whom any record there lets in, and whom `wanted` lets in.
pub(super) fn merged_spf(before: Option<&RecordSet>, wanted: &str) -> Option<String> {
    let there: Vec<&String> = before.iter().flat_map(|b| &b.values).filter(|v| is_record(v)).collect();
    let Some((first, rest)) = there.split_first() else { return Some(wanted.to_owned()) };
    let all = rest.iter().fold((*first).clone(), |all, one| merge_spf(&all, one));
    let merged = merge_spf(&all, wanted);
    // White space and case are no reason to write.
    let same = |a: &str, b: &str| {
        a.split_whitespace().map(str::to_ascii_lowercase).eq(b.split_whitespace().map(str::to_ascii_lowercase))
    };
    if rest.is_empty() && same(first, &merged) { Some((*first).clone()) } else { Some(merged) }
}

/// The same texts with one of them replaced, or added.
fn with(there: &BTreeSet<String>, own: impl Fn(&str) -> bool, value: String) -> BTreeSet<String> {
    there.iter().filter(|v| !own(v)).cloned().chain([value]).collect()
}

/// The same texts with the one record of its kind, which stays as it is where it means the same.
fn announced(
    there: &BTreeSet<String>,
    version: &str,
    same: impl Fn(&str, &str) -> bool,
    value: &str,
) -> BTreeSet<String> {
    let own = |v: &str| v.trim_start().to_ascii_lowercase().starts_with(version);
    let mut ours = there.iter().filter(|v| own(v));
    match (ours.next(), ours.next()) {
        (Some(one), None) if same(one, value) => there.clone(),
        _ => with(there, own, value.to_owned()),
    }
}

/// Exactly the platform's servers. What is there already and delivers is left alone: the numbers where their order is
/// right, and servers that are missing behind the first. Optional ones neither come nor go.
fn mx(wanted: &[&ExpectedRecord], there: &BTreeSet<String>) -> BTreeSet<String> {
    let host = |v: &str| v.split(' ').nth(1).unwrap_or_default().to_ascii_lowercase();
    let ours: BTreeSet<String> = wanted.iter().map(|w| host(&w.value)).collect();
    let needed: BTreeSet<String> = wanted.iter().filter(|w| w.need == Need::Required).map(|w| host(&w.value)).collect();
    let present: BTreeSet<String> = there.iter().map(|v| host(v)).collect();
    let once = there.len() == present.len();
    if once && present.is_subset(&ours) && needed.is_subset(&present) && ranked(there) == ranked_as(wanted, &present) {
        return there.clone();
    }
    let optional = |w: &&&ExpectedRecord| w.need == Need::Optional && present.contains(&host(&w.value));
    let chosen = wanted.iter().filter(|w| w.need != Need::Optional).chain(wanted.iter().filter(optional));
    chosen.map(|w| w.value.clone()).collect()
}

/// The hosts in the order in which senders try them.
fn ranked(values: &BTreeSet<String>) -> Vec<String> {
    let mut all: Vec<(u16, String)> = values.iter().filter_map(|v| split(v)).collect();
    all.sort();
    all.into_iter().map(|(_, host)| host).collect()
}

fn ranked_as(wanted: &[&ExpectedRecord], present: &BTreeSet<String>) -> Vec<String> {
    let values = wanted.iter().map(|w| w.value.clone());
    ranked(&values.filter(|v| split(v).is_some_and(|(_, host)| present.contains(&host))).collect())
}

fn split(value: &str) -> Option<(u16, String)> {
    let (preference, host) = value.split_once(' ')?;
    Some((preference.parse().ok()?, host.to_ascii_lowercase()))
}

/// Of a service that has one host, priority and weight mean nothing.
fn same_service(one: &BTreeSet<String>, other: &BTreeSet<String>) -> bool {
    let place = |v: &String| v.split(' ').skip(2).map(str::to_ascii_lowercase).collect::<Vec<_>>();
    match (one.first(), other.first()) {
        (Some(a), Some(b)) => one.len() == 1 && other.len() == 1 && a.split(' ').count() == 4 && place(a) == place(b),
        _ => false,
    }
}

/// The public key of a key record, without the white space that it may hold (RFC 6376 3.6.1).
fn key(record: &str) -> Option<String> {
    let tags = record.split(';').filter_map(|t| t.split_once('='));
    let found = tags.into_iter().find(|(name, _)| name.trim() == "p")?;
    Some(found.1.split_whitespace().collect())
}

/// Whether a policy becomes stricter for any mail. A new one is stricter than none.
pub(super) fn tightens(before: Option<&RecordSet>, after: &RecordSet) -> bool {
    let of = |set: &RecordSet| set.values.iter().find_map(|v| dmarc_strictness(v));
    let (own, below) = of(after).unwrap_or_default();
    let (own_before, below_before) = before.and_then(of).unwrap_or_default();
    own > own_before || below > below_before
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RecordType;

    fn record(topic: DnsTopic, value: &str, need: Need) -> ExpectedRecord {
        let rtype = if topic == DnsTopic::Mx { RecordType::Mx } else { RecordType::Txt };
        ExpectedRecord { topic, name: "x.org".to_owned(), rtype, value: value.to_owned(), need }
    }

    fn set(values: &[&str]) -> RecordSet {
        RecordSet { values: values.iter().map(|v| (*v).to_owned()).collect(), ttl: 600 }
    }

    fn changed(wanted: &[ExpectedRecord], there: &[&str], ttl: Option<u32>) -> Option<(Vec<String>, u32)> {
        let wanted: Vec<&ExpectedRecord> = wanted.iter().collect();
        let before = (!there.is_empty()).then(|| set(there));
        after(&wanted, before.as_ref(), ttl).map(|s| (s.values.into_iter().collect(), s.ttl))
    }

    #[test]
    fn spf_is_merged_and_its_neighbours_stay() {
        let ours = [record(DnsTopic::Spf, "v=spf1 include:mx.ovh.com ~all", Need::Recommended)];
        let there = ["google-site-verification=x", "v=spf1 include:old.example -all"];
        let (values, ttl) = changed(&ours, &there, Some(60)).unwrap();
        assert_eq!(values, ["google-site-verification=x", "v=spf1 include:old.example include:mx.ovh.com -all"]);
        assert_eq!(ttl, 600, "the TTL belongs to the others too");
        assert_eq!(changed(&ours, &["v=spf1  include:MX.ovh.com ~all"], None), None);
        let two = ["v=spf1 a -all", "v=spf1 mx ~all"];
        assert_eq!(changed(&ours, &two, None).unwrap().0, ["v=spf1 a mx include:mx.ovh.com -all"]);
        assert_eq!(changed(&ours, &[], None), Some((vec!["v=spf1 include:mx.ovh.com ~all".to_owned()], 3600)));
    }

    #[test]
    fn mail_servers_are_replaced_as_a_whole_and_never_for_their_numbers() {
        let ours = [
            record(DnsTopic::Mx, "1 mx0.new.example", Need::Required),
            record(DnsTopic::Mx, "5 mx1.new.example", Need::Recommended),
            record(DnsTopic::Mx, "200 mx4.new.example", Need::Optional),
        ];
        let both = vec!["1 mx0.new.example".to_owned(), "5 mx1.new.example".to_owned()];
        assert_eq!(changed(&ours, &["10 mx.old.example"], Some(300)), Some((both.clone(), 300)));
        assert_eq!(changed(&ours, &["10 mx0.new.example", "20 mx1.new.example"], None), None);
        assert_eq!(changed(&ours, &["1 mx0.new.example", "5 mx1.new.example", "200 mx4.new.example"], None), None);
        assert!(changed(&ours, &["20 mx0.new.example", "10 mx1.new.example"], None).is_some(), "the order is wrong");
        let beside = ["1 mx0.new.example", "5 mx1.new.example", "0 mx.old.example"];
        assert_eq!(changed(&ours, &beside, None), Some((both, 600)));
    }

    #[test]
    fn only_a_stricter_policy_is_a_tightening() {
        let none = set(&["v=DMARC1; p=none"]);
        let strict = set(&["v=DMARC1; p=reject; sp=none"]);
        assert!(tightens(Some(&none), &strict) && tightens(None, &strict));
        assert!(!tightens(Some(&strict), &none) && !tightens(None, &none));
        assert!(tightens(Some(&strict), &set(&["v=DMARC1; p=reject"])), "what is below the domain counts too");
    }
}
