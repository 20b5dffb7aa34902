//! Which records a domain should have, and what has to be asked to know what it has.

use std::collections::BTreeSet;

use crate::{
    dns,
    model::{DnsTopic, DnsView, Domain, ExpectedRecord, Inventory, Need, PlatformId, Question, RecordType},
    spec::{DomainSpec, Spec},
};

/// What one platform wants: its own words, else those of its data file with open parts left out.
pub(super) fn of_platform(
    spec: &Spec,
    inventory: &Inventory,
    platform: &PlatformId,
    domain: &Domain,
) -> Vec<ExpectedRecord> {
    let seen = inventory.platforms.get(platform).and_then(|p| p.domains.get(domain));
    if let Some(view) = seen.filter(|v| !v.expected.is_empty()) {
        return view.expected.iter().chain(&view.ownership).cloned().collect();
    }
    let Some(kind) = spec.platforms.get(platform).map(|p| p.kind) else { return Vec::new() };
    let Some(data) = dns::platform(kind.word()) else { return Vec::new() };
    let nothing = DnsView::default();
    let known = inventory.dns.get(domain).unwrap_or(&nothing);
    let mut out = data.expected(domain, known);
    // What belongs to a tenant is not known, and a placeholder must never be published.
    out.retain(|r| !r.value.contains('*'));
    out.extend(seen.and_then(|v| v.ownership.clone()));
    out
}

/// What a domain should publish. The senders of the platform that is being left stay let in as long as it is left.
pub(super) fn wanted(spec: &Spec, inventory: &Inventory, domain: &Domain, wish: &DomainSpec) -> Vec<ExpectedRecord> {
    let mut out = of_platform(spec, inventory, &wish.platform, domain);
    if !wish.dns.mx.is_empty() {
        out.retain(|r| r.topic != DnsTopic::Mx);
        out.extend(wish.dns.mx.iter().map(|value| record(DnsTopic::Mx, domain.as_str(), RecordType::Mx, value)));
    }
    if let Some(policy) = &wish.dns.dmarc {
        out.retain(|r| r.topic != DnsTopic::Dmarc);
        out.push(record(DnsTopic::Dmarc, &format!("_dmarc.{domain}"), RecordType::Txt, policy));
    }
    let leaving = wish.migrate.iter().flat_map(|m| of_platform(spec, inventory, &m.from, domain));
    let senders = leaving.filter(|r| r.topic == DnsTopic::Spf).map(|r| r.value);
    for value in senders {
        match out.iter_mut().find(|r| r.topic == DnsTopic::Spf) {
            Some(own) => own.value = dns::merge_spf(&own.value, &value),
            None => out.push(record(DnsTopic::Spf, domain.as_str(), RecordType::Txt, &value)),
        }
    }
    out.sort();
    out.dedup();
    out
}

fn record(topic: DnsTopic, name: &str, rtype: RecordType, value: &str) -> ExpectedRecord {
    ExpectedRecord { topic, name: name.to_owned(), rtype, value: value.to_owned(), need: Need::Required }
}

/// What has to be asked before the records of a domain can be planned: the sets themselves, and at each of their names
/// whether it is an alias, or holds what an alias could not stand beside (RFC 1034 3.6.2).
#[must_use]
pub fn ask(spec: &Spec, inventory: &Inventory, domain: &Domain) -> BTreeSet<Question> {
    let Some(wish) = spec.domains.get(domain).filter(|d| d.dns.manage.is_some()) else { return BTreeSet::new() };
    let mut out = BTreeSet::new();
    let mut add = |name: &str, rtype| {
        out.insert(Question { name: name.to_owned(), rtype });
    };
    for record in wanted(spec, inventory, domain, wish) {
        add(&record.name, record.rtype);
        match record.rtype {
            RecordType::Cname => {
                for rtype in [RecordType::A, RecordType::Aaaa, RecordType::Txt] {
                    add(&record.name, rtype);
                }
            }
            _ => add(&record.name, RecordType::Cname),
        }
    }
    for rtype in [RecordType::Mx, RecordType::Txt] {
        add(domain.as_str(), rtype);
    }
    if wish.dns.records.contains(&DnsTopic::Dmarc) {
        add(&format!("_dmarc.{domain}"), RecordType::Txt);
    }
    // A policy of MTA-STS that senders remember decides how early the MX may move.
    add(&format!("_mta-sts.{domain}"), RecordType::Txt);
    out
}

/// The SPF record that a plan would publish for a domain, and those that it replaces, once its servers were asked.
/// Somebody has to count what it costs and whom it lets in before it may be planned ([`DnsView::spf`]).
#[must_use]
pub fn spf_to_count(spec: &Spec, inventory: &Inventory, domain: &Domain) -> Option<(String, Vec<String>)> {
    let wish = spec.domains.get(domain).filter(|d| d.dns.records.contains(&DnsTopic::Spf))?;
    let all = wanted(spec, inventory, domain, wish);
    let text = &all.iter().find(|r| r.topic == DnsTopic::Spf)?.value;
    let question = Question { name: domain.to_string(), rtype: RecordType::Txt };
    let super::Seen::Is(set) = super::seen(inventory.dns.get(domain)?, &question) else { return None };
    let before: Vec<String> = set.iter().flat_map(|s| &s.values).filter(|v| dns::spf::is_record(v)).cloned().collect();
    let merged = super::sets::merged_spf(set.as_ref(), text)?;
    let there = set.is_some_and(|s| s.values.contains(&merged));
    (!there).then_some((merged, before))
}
