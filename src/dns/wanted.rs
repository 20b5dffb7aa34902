//! What a domain should publish: one answer for what is planned, what is looked at and what is verified.

use std::collections::BTreeSet;

use super::{check::merge_spf, platforms};
use crate::model::{DnsTopic, DnsView, Domain, DomainView, ExpectedRecord, Need, PlatformKind, RecordType};

/// One platform and what it says of the domain itself.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// Its kind, for what its data file says where it tells nothing.
    pub kind: PlatformKind,
    /// The domain as the platform shows it; `None` where it has no such domain, or none yet.
    pub seen: Option<&'a DomainView>,
}

/// What decides which records a domain should have.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// The domain.
    pub domain: &'a Domain,
    /// The platform that it is on, or joins.
    pub platform: Option<Told<'a>>,
    /// The platform that it leaves, as long as it may still send.
    pub leaving: Option<Told<'a>>,
    /// Mail servers (`preference host`) instead of those of the platform; empty for the platform's.
    pub mx: &'a BTreeSet<String>,
    /// The DMARC record, where somebody has said which.
    pub dmarc: Option<&'a str>,
}

impl Wish<'_> {
    /// Every record that may have to be looked at, whatever is there.
    #[must_use]
    pub fn questions(&self) -> Vec<ExpectedRecord> {
        self.with(|told| match told.seen.filter(|_| tells(told)) {
            Some(seen) => seen.expected.clone(),
            None => data(told).map(|d| d.questions(self.domain)).unwrap_or_default(),
        })
    }

    /// What is expected, given what is there. A `*` stands for what belongs to one tenant or operator and is not known.
    #[must_use]
    pub fn expected(&self, view: &DnsView) -> Vec<ExpectedRecord> {
        self.with(|told| of(told, self.domain, view))
    }

    /// What the platform that is being left wants, as far as it is known.
    #[must_use]
    pub fn leaving(&self, view: &DnsView) -> Vec<ExpectedRecord> {
        let mut out = self.leaving.map(|told| of(told, self.domain, view)).unwrap_or_default();
        out.retain(|r| !r.value.contains('*'));
        out
    }

    /// What can be written: without what is not known, and with the senders of the platform that is being left.
    #[must_use]
    pub fn publishable(&self, view: &DnsView) -> Vec<ExpectedRecord> {
        let mut out = self.expected(view);
        // A placeholder must never be published.
        out.retain(|r| !r.value.contains('*'));
        for value in self.leaving(view).into_iter().filter(|r| r.topic == DnsTopic::Spf).map(|r| r.value) {
            match out.iter_mut().find(|r| r.topic == DnsTopic::Spf) {
                Some(own) => own.value = merge_spf(&own.value, &value),
                None => out.push(record(DnsTopic::Spf, self.domain.as_str(), RecordType::Txt, &value)),
            }
        }
        out.sort();
        out.dedup();
        out
    }

    /// The records of the platform, its proof of ownership, and what was said instead.
    fn with(&self, records: impl Fn(Told<'_>) -> Vec<ExpectedRecord>) -> Vec<ExpectedRecord> {
        let mut out = self.platform.map(records).unwrap_or_default();
        out.extend(self.platform.and_then(|told| told.seen).and_then(|v| v.ownership.clone()));
        if !self.mx.is_empty() {
            out.retain(|r| r.topic != DnsTopic::Mx);
            out.extend(self.mx.iter().map(|value| record(DnsTopic::Mx, self.domain.as_str(), RecordType::Mx, value)));
        }
        if let Some(policy) = self.dmarc {
            out.retain(|r| r.topic != DnsTopic::Dmarc);
            out.push(record(DnsTopic::Dmarc, &format!("_dmarc.{}", self.domain), RecordType::Txt, policy));
        }
        out
    }
}

fn tells(told: Told<'_>) -> bool {
    told.seen.is_some_and(|v| !v.expected.is_empty())
}

fn data(told: Told<'_>) -> Option<platforms::Platform> {
    platforms::platform(told.kind.word())
}

/// The platform's own words, else those of its data file.
fn of(told: Told<'_>, domain: &Domain, view: &DnsView) -> Vec<ExpectedRecord> {
    match told.seen.filter(|_| tells(told)) {
        Some(seen) => seen.expected.clone(),
        None => data(told).map(|d| d.expected(domain, view)).unwrap_or_default(),
    }
}

fn record(topic: DnsTopic, name: &str, rtype: RecordType, value: &str) -> ExpectedRecord {
    ExpectedRecord { topic, name: name.to_owned(), rtype, value: value.to_owned(), need: Need::Required }
}
