//! What platforms want that no API tells: one data file each.
//!
//! A file may leave parts open. `*` stands for what belongs to one tenant or operator; a set of mail servers may have
//! several forms. [`Platform::expected`] closes what is open by what is there.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

use super::check::judge_key;
use crate::{
    diag::Severity,
    model::{DnsTopic, DnsView, Domain, ExpectedRecord, Need, Question, RecordType},
};

const FILES: [&str; 8] = [
    include_str!("ovh.yaml"),
    include_str!("microsoft-365.yaml"),
    include_str!("google.yaml"),
    include_str!("fastmail.yaml"),
    include_str!("migadu.yaml"),
    include_str!("mailcow.yaml"),
    include_str!("stalwart.yaml"),
    include_str!("generic.yaml"),
];

/// A platform as its data file describes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Platform {
    /// The words that name it on the command line.
    pub kinds: Vec<String>,
    /// Its name for people.
    pub title: String,
    /// Where its maker says so.
    pub reference: String,
    /// The sets of mail servers that are right, each `preference host`, the usual one first.
    mx: Vec<Vec<String>>,
    records: Vec<ExpectedRecord>,
    /// Parts of the world with records of their own.
    #[serde(default)]
    regions: Vec<Region>,
    /// Where the parts that are open are shown, by topic.
    #[serde(default)]
    open: BTreeMap<DnsTopic, String>,
}

/// A part of the world in which a platform has other records: those of the same topics stand in for the usual ones.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Region {
    /// The mail servers by which a domain is known to be there.
    mx: String,
    records: Vec<ExpectedRecord>,
}

/// The platform behind a word, such as `google` or `ovh-exchange`.
#[must_use]
pub fn platform(word: &str) -> Option<Platform> {
    platforms().iter().find(|p| p.kinds.iter().any(|k| k == word)).cloned()
}

/// Every word that [`platform`] knows.
#[must_use]
pub fn platform_words() -> Vec<String> {
    platforms().iter().flat_map(|p| p.kinds.clone()).collect()
}

/// Where the value of a record is shown whose value is open (`*`): half a sentence. None for a record without open part.
#[must_use]
pub(super) fn shown_at(record: &ExpectedRecord) -> Option<String> {
    if !record.value.contains('*') {
        return None;
    }
    let label = |name: &str| name.split('.').next().map(str::to_owned);
    let of = |p: &&Platform| {
        let exchanger = record.topic == DnsTopic::Mx && p.mx.iter().flatten().any(|value| *value == record.value);
        let other = |r: &ExpectedRecord| {
            (r.topic, r.rtype, &r.value, label(&r.name))
                == (record.topic, record.rtype, &record.value, label(&record.name))
        };
        exchanger || p.records.iter().any(other)
    };
    let told = platforms().iter().find(of).and_then(|p| p.open.get(&record.topic).cloned());
    Some(told.unwrap_or_else(|| "the pages of the platform show it".to_owned()))
}

fn platforms() -> &'static [Platform] {
    // A test reads every file; one that cannot be read would be left out.
    static READ: LazyLock<Vec<Platform>> =
        LazyLock::new(|| FILES.iter().filter_map(|text| serde_saphyr::from_str(text).ok()).collect());
    &READ
}

impl Platform {
    /// Every record that may have to be looked at, whatever is there.
    #[must_use]
    pub fn questions(&self, domain: &Domain) -> Vec<ExpectedRecord> {
        self.records.iter().map(|r| at(r, domain)).collect()
    }

    /// What is expected, given what is there: of several sets of mail servers the one that fits best, and open parts as
    /// they are found. An optional record whose target is open is expected only where it exists.
    #[must_use]
    pub fn expected(&self, domain: &Domain, view: &DnsView) -> Vec<ExpectedRecord> {
        let there = values(view, domain.as_str(), RecordType::Mx);
        let fits = |set: &&Vec<String>| {
            let found = set.iter().filter(|want| there.iter().any(|v| same_host(want, v))).count();
            // A set that is there as a whole is right, although a longer one has as much in common.
            (found, found == set.len())
        };
        // The first of the best: later ones win ties with `max_by_key`.
        let set = self.mx.iter().rev().max_by_key(fits);
        let mut out = self.besides(domain, &there, set);
        for (index, want) in set.into_iter().flatten().enumerate() {
            let need = if index == 0 { Need::Required } else { Need::Recommended };
            let found: Vec<&String> = there.iter().filter(|v| same_host(want, v)).collect();
            // A pattern that fits every host proves nothing about the one that is there.
            let told = want.split_once(' ').is_some_and(|(_, host)| host != "*");
            let concrete = if told && want.contains('*') && !found.is_empty() {
                found.into_iter().cloned().collect()
            } else {
                vec![want.clone()]
            };
            let name = domain.to_string();
            out.extend(concrete.into_iter().map(|value| ExpectedRecord {
                topic: DnsTopic::Mx,
                name: name.clone(),
                rtype: RecordType::Mx,
                value,
                need,
            }));
        }
        for record in self.records_of(set) {
            let mut record = at(record, domain);
            if record.value.contains('*') {
                // Keys are written in many ways, and which tags are there is judged later.
                let fits = |v: &String| if is_key(&record) { usable(&record, v) } else { matches(&record.value, v) };
                match values(view, &record.name, record.rtype).into_iter().find(fits) {
                    Some(found) => record.value = found,
                    None if record.need == Need::Optional => continue,
                    None => {}
                }
            }
            out.push(record);
        }
        out
    }

    /// The records that go with a set of mail servers.
    fn records_of<'p>(&'p self, set: Option<&Vec<String>>) -> Vec<&'p ExpectedRecord> {
        let inside =
            |region: &&Region| set.into_iter().flatten().any(|want| same_host(&format!("0 {}", region.mx), want));
        let region = self.regions.iter().find(inside);
        let own = region.map(|r| r.records.as_slice()).unwrap_or_default();
        let usual = self.records.iter().filter(|r| own.iter().all(|o| o.topic != r.topic));
        usual.chain(own).collect()
    }

    /// Servers of the platform that are there and belong to another of its sets: they deliver, and are no strangers.
    fn besides(&self, domain: &Domain, there: &[String], set: Option<&Vec<String>>) -> Vec<ExpectedRecord> {
        let in_set = |value: &str| set.is_some_and(|set| set.iter().any(|want| same_host(want, value)));
        let other = |value: &str| self.mx.iter().flatten().any(|want| same_host(want, value));
        let found = there.iter().filter(|value| !in_set(value) && other(value));
        found
            .map(|value| ExpectedRecord {
                topic: DnsTopic::Mx,
                name: domain.to_string(),
                rtype: RecordType::Mx,
                value: value.clone(),
                need: Need::Optional,
            })
            .collect()
    }
}

fn is_key(record: &ExpectedRecord) -> bool {
    record.topic == DnsTopic::Dkim && record.rtype == RecordType::Txt
}

/// Whether what is there can be taken for what is wanted: a key has to be one that receivers can use.
pub(super) fn usable(record: &ExpectedRecord, value: &str) -> bool {
    !is_key(record) || judge_key(value).iter().all(|wrong| wrong.severity < Severity::Error)
}

fn at(record: &ExpectedRecord, domain: &Domain) -> ExpectedRecord {
    let fill = |text: &str| text.replace("{domain}", domain.as_str());
    ExpectedRecord { name: fill(&record.name), value: fill(&record.value), ..record.clone() }
}

fn values(view: &DnsView, name: &str, rtype: RecordType) -> Vec<String> {
    let question = Question { name: name.to_owned(), rtype };
    let answers = view.servers.values().filter_map(|s| s.answers.get(&question));
    let mut out: Vec<String> = answers.flat_map(|v| v.values().iter().cloned()).collect();
    out.sort();
    out.dedup();
    out
}

/// Whether an MX record names the host that is wanted, whatever its preference.
fn same_host(want: &str, value: &str) -> bool {
    match (want.split_once(' '), value.split_once(' ')) {
        (Some((_, want)), Some((_, host))) => host != "." && matches(want, host),
        _ => false,
    }
}

/// Whether a text fits a pattern in which one `*` stands for anything but nothing.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_ascii_lowercase(), text.to_ascii_lowercase());
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => {
            text.len() > before.len() + after.len() && text.starts_with(before) && text.ends_with(after)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::{PlatformKind, ServerView, Verdict};

    fn domain() -> Domain {
        Domain::parse("example.org").unwrap()
    }

    fn view(rows: &[(&str, RecordType, &[&str])]) -> DnsView {
        let answers = rows.iter().map(|(name, rtype, values)| {
            let values = values.iter().map(|v| (*v).to_owned()).collect();
            (Question { name: (*name).to_owned(), rtype: *rtype }, Verdict::Found { values, ttl: 60 })
        });
        let server = ServerView { authoritative: true, answers: answers.collect(), ..ServerView::default() };
        DnsView { servers: BTreeMap::from([("ns".to_owned(), server)]), ..DnsView::default() }
    }

    #[test]
    fn every_file_can_be_read_and_every_kind_of_platform_has_one() {
        assert_eq!(platforms().len(), FILES.len());
        for kind in PlatformKind::ALL {
            assert!(platform(kind.word()).is_some(), "{}", kind.word());
        }
        let words = platform_words();
        assert_eq!(words.len(), words.iter().collect::<std::collections::BTreeSet<_>>().len());
    }

    #[test]
    fn whoever_leaves_a_part_open_says_where_it_is_shown() {
        for platform in platforms() {
            let exchangers = platform.mx.iter().flatten().map(|value| (DnsTopic::Mx, value));
            let others = platform.records.iter().map(|r| (r.topic, &r.value));
            let asked = |topic: &DnsTopic| {
                let optional = |r: &&ExpectedRecord| r.topic == *topic && r.need == Need::Optional;
                platform.records.iter().filter(optional).count() == 0
            };
            for (topic, value) in exchangers.chain(others).filter(|(topic, v)| v.contains('*') && asked(topic)) {
                assert!(platform.open.contains_key(&topic), "{}: {value}", platform.title);
            }
        }
    }

    #[test]
    fn of_several_right_sets_the_one_that_is_there_is_expected() {
        let google = platform("google").unwrap();
        let mx = |rows: &[&str]| {
            let view = view(&[("example.org", RecordType::Mx, rows)]);
            let all = google.expected(&domain(), &view).into_iter().filter(|r| r.topic == DnsTopic::Mx);
            all.map(|r| r.value).collect::<Vec<_>>()
        };
        assert_eq!(mx(&[]), ["1 smtp.google.com"]);
        assert_eq!(mx(&["10 old.example"]), ["1 smtp.google.com"]);
        assert_eq!(mx(&["1 aspmx.l.google.com", "5 alt1.aspmx.l.google.com"]).len(), 5);
    }

    #[test]
    fn a_set_that_is_there_as_a_whole_is_right_and_one_beside_it_no_stranger() {
        let expected = |kind: &str, rows: &[&str]| {
            let view = view(&[("example.org", RecordType::Mx, rows)]);
            platform(kind).unwrap().expected(&domain(), &view)
        };
        let mx = |kind, rows: &[&str]| {
            let all = expected(kind, rows).into_iter().filter(|r| r.topic == DnsTopic::Mx);
            all.map(|r| format!("{:?} {}", r.need, r.value)).collect::<Vec<_>>()
        };
        let four = ["1 mx0.mail.ovh.net", "5 mx1.mail.ovh.net", "50 mx2.mail.ovh.net", "100 mx3.mail.ovh.net"];
        assert_eq!(mx("ovh-mxplan", &four).len(), 4, "what the control panel writes is whole");
        assert_eq!(mx("ovh-mxplan", &[]).len(), 5);
        assert_eq!(mx("ovh-mxplan", &four[..1]).len(), 5);
        let old = ["1 mx1.mail.ovh.net", "5 mx2.mail.ovh.net", "100 mx3.mail.ovh.net"];
        assert_eq!(mx("ovh-mxplan", &old).len(), 3, "what it wrote before still takes mail");
        let legacy = ["1 aspmx.l.google.com", "5 alt1.aspmx.l.google.com", "20 smtp.google.com"];
        assert!(mx("google", &legacy).contains(&"Optional 20 smtp.google.com".to_owned()));
        let spf = |rows: &[&str]| {
            let all = expected("ovh-exchange", rows).into_iter().filter(|r| r.topic == DnsTopic::Spf);
            all.map(|r| r.value).collect::<Vec<_>>()
        };
        assert_eq!(spf(&four), ["v=spf1 include:mx.ovh.com ~all"]);
        assert_eq!(spf(&["1 mx0.mail.ovh.ca", "5 mx1.mail.ovh.ca"]), ["v=spf1 include:mx.ovh.ca ~all"]);
    }

    #[test]
    fn a_key_that_nobody_can_use_is_not_taken_for_the_platforms() {
        let rows: &[&str] = &["v=DKIM1; k=rsa; p=AAAA"];
        let found = view(&[("google._domainkey.example.org", RecordType::Txt, rows)]);
        let expected = platform("google").unwrap().expected(&domain(), &found);
        assert!(expected.iter().any(|r| r.topic == DnsTopic::Dkim && r.value.contains('*')), "{expected:?}");
    }

    #[test]
    fn whoever_is_asked_for_the_same_says_the_same() {
        let mut told: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
        for platform in platforms() {
            let open = platform.mx.iter().flatten().filter(|value| value.contains('*'));
            for (value, place) in open.filter_map(|v| Some((v.as_str(), platform.open.get(&DnsTopic::Mx)?.as_str()))) {
                let (other, first) = *told.entry(value).or_insert((&platform.title, place));
                assert_eq!(place, first, "{} and {other}: nobody knows which of the two is meant", platform.title);
            }
        }
    }

    #[test]
    fn what_belongs_to_a_tenant_is_taken_as_found() {
        let microsoft = platform("microsoft-365").unwrap();
        let rows: &[&str] = &["0 example-org.mail.protection.outlook.com"];
        let expected = microsoft.expected(&domain(), &view(&[("example.org", RecordType::Mx, rows)]));
        assert_eq!(expected[0].value, rows[0]);
        assert!(expected.iter().any(|r| r.name == "selector1._domainkey.example.org"));
        assert!(matches("selector1-*", "Selector1-x.example") && !matches("a*", "a") && !matches("a*b", "ab"));
        let mailcow = platform("mailcow").unwrap().expected(&domain(), &view(&[]));
        assert!(mailcow.iter().all(|r| r.topic != DnsTopic::Autoconfig), "an open target is not asked for");
    }
}
