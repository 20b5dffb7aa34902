//! Which records a domain should have, and what has to be asked to know what it has.

use std::collections::BTreeSet;

use crate::{
    dns,
    model::{DnsTopic, DnsView, Domain, ExpectedRecord, Inventory, PlatformId, Question, RecordType},
    spec::{DomainSpec, Spec},
};

/// What decides which records a domain should have.
#[must_use]
pub fn wish<'a>(spec: &'a Spec, inventory: &'a Inventory, domain: &'a Domain, of: &'a DomainSpec) -> dns::Wish<'a> {
    let told = |platform: &PlatformId| {
        let kind = spec.platforms.get(platform)?.kind;
        Some(dns::Told { kind, seen: inventory.platforms.get(platform).and_then(|p| p.domains.get(domain)) })
    };
    dns::Wish {
        domain,
        platform: told(&of.platform),
        leaving: of.migrate.as_ref().and_then(|m| told(&m.from)),
        mx: &of.dns.mx,
        dmarc: of.dns.dmarc.as_deref(),
    }
}

/// What a domain should publish. The senders of the platform that is being left stay let in as long as it is left.
pub(super) fn wanted(spec: &Spec, inventory: &Inventory, domain: &Domain, of: &DomainSpec) -> Vec<ExpectedRecord> {
    let nothing = DnsView::default();
    wish(spec, inventory, domain, of).publishable(inventory.dns.get(domain).unwrap_or(&nothing))
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
