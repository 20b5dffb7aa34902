//! The DNS records that a platform wants, from whatever form its API gives them in.
//!
//! The published schema calls most of these fields plain texts: a host, `priority host`, a whole zone line with or
//! without final dots have all been seen, so each form is taken.

use serde_json::Value;

use super::json::Lenient as _;
use crate::model::{DnsTopic, Domain, ExpectedRecord, Need, RecordType};

/// The mail servers of OVHcloud in Europe, shared by its platforms.
const MX_EU: [(u16, &str); 5] = [
    (1, "mx0.mail.ovh.net"),
    (5, "mx1.mail.ovh.net"),
    (50, "mx2.mail.ovh.net"),
    (100, "mx3.mail.ovh.net"),
    (200, "mx4.mail.ovh.net"),
];
/// The same for North America, as the guides have them.
const MX_CA: [(u16, &str); 5] = [
    (1, "mx0.mail.ovh.ca"),
    (5, "mx1.mail.ovh.ca"),
    (50, "mx2.mail.ovh.ca"),
    (100, "mx3.mail.ovh.ca"),
    (200, "mx4.mail.ovh.ca"),
];
/// Senders of OVHcloud's shared platforms in Europe, and in North America.
const SPF_EU: &str = "v=spf1 include:mx.ovh.com ~all";
const SPF_CA: &str = "v=spf1 include:mx.ovh.ca ~all";
/// Where the proof of ownership points.
const OWNER: &str = "ovh.com";
/// The same for services bought through a reseller.
const OWNER_PROVIDER: &str = "ex-mail.biz";

/// A name without its final dot, in lower case.
fn bare(name: &str) -> String {
    name.trim().trim_end_matches('.').to_ascii_lowercase()
}

fn record(topic: DnsTopic, name: &str, rtype: RecordType, value: String, need: Need) -> ExpectedRecord {
    ExpectedRecord { topic, name: bare(name), rtype, value, need }
}

/// Mail goes nowhere without the first server; the last one is not even written by the console, which in North America
/// begins with the second.
fn mx_need(index: usize, host: &str) -> Need {
    match (index, host) {
        (_, "mx0.mail.ovh.ca" | "mx4.mail.ovh.ca" | "mx4.mail.ovh.net") => Need::Optional,
        (0, _) | (_, "mx1.mail.ovh.ca") => Need::Required,
        _ => Need::Recommended,
    }
}

/// MX records from a list of `host`, `priority host` or whole lines; the platform's usual ones when the list is empty.
pub(super) fn mx(domain: &Domain, listed: &[&str], canada: bool) -> Vec<ExpectedRecord> {
    let usual: &[(u16, &str)] = if canada { &MX_CA } else { &MX_EU };
    let mut servers: Vec<(u16, String)> = listed.iter().filter_map(|text| mx_item(text, usual)).collect();
    if servers.is_empty() {
        servers = usual.iter().map(|(p, h)| (*p, (*h).to_owned())).collect();
    }
    servers.sort();
    servers.dedup();
    let rows = servers.iter().enumerate().map(|(i, (priority, host))| {
        record(DnsTopic::Mx, domain.as_str(), RecordType::Mx, format!("{priority} {host}"), mx_need(i, host))
    });
    rows.collect()
}

fn mx_item(text: &str, usual: &[(u16, &str)]) -> Option<(u16, String)> {
    let mut words = text.split_whitespace().rev();
    let host = bare(words.next()?);
    if host.is_empty() {
        return None;
    }
    let stated = words.next().and_then(|w| w.parse().ok());
    let known = || usual.iter().find(|(_, h)| *h == host).map(|(p, _)| *p);
    Some((stated.or_else(known).unwrap_or(10), host))
}

/// The SPF record, the platform's usual one when none is told.
pub(super) fn spf(domain: &Domain, told: Option<&str>, canada: bool) -> ExpectedRecord {
    let usual = if canada { SPF_CA } else { SPF_EU };
    let text = told.map(|t| t.trim().trim_matches('"')).filter(|t| t.starts_with("v=spf1")).unwrap_or(usual);
    record(DnsTopic::Spf, domain.as_str(), RecordType::Txt, text.to_owned(), Need::Recommended)
}

/// The SRV record by which Outlook finds its server, from `0 0 443 host`, a host alone, or a whole line.
pub(super) fn autodiscover(domain: &Domain, told: &str) -> Option<ExpectedRecord> {
    let words: Vec<&str> = told.split_whitespace().collect();
    let host = bare(words.last()?);
    if !host.contains('.') {
        return None;
    }
    let numbers: Vec<&str> = words.iter().rev().skip(1).take(3).rev().copied().collect();
    let stated = numbers.len() == 3 && numbers.iter().all(|n| n.parse::<u16>().is_ok());
    let value = if stated { format!("{} {host}", numbers.join(" ")) } else { format!("0 0 443 {host}") };
    let name = format!("_autodiscover._tcp.{domain}");
    Some(record(DnsTopic::Autodiscover, &name, RecordType::Srv, value, Need::Recommended))
}

/// A key's alias from its two names; the first may be given without the domain.
pub(super) fn dkim(domain: &Domain, name: &str, target: &str) -> Option<ExpectedRecord> {
    let target = bare(target);
    let name = absolute(domain, name)?;
    (!target.is_empty()).then(|| record(DnsTopic::Dkim, &name, RecordType::Cname, target, Need::Recommended))
}

/// A key's alias from a whole line: `name CNAME target.`.
pub(super) fn dkim_line(domain: &Domain, line: &str) -> Option<ExpectedRecord> {
    let words: Vec<&str> = line.split_whitespace().collect();
    dkim(domain, words.first()?, words.last().filter(|_| words.len() > 1)?)
}

/// The proof of ownership, from the label alone, the full name, or a whole line.
pub(super) fn ownership(domain: &Domain, told: &str, reseller: bool) -> Option<ExpectedRecord> {
    let words: Vec<&str> = told.split_whitespace().collect();
    let name = absolute(domain, words.first()?)?;
    let usual = if reseller { OWNER_PROVIDER } else { OWNER };
    let target = if words.len() > 1 { bare(words.last()?) } else { usual.to_owned() };
    Some(record(DnsTopic::Ownership, &name, RecordType::Cname, target, Need::Required))
}

fn absolute(domain: &Domain, name: &str) -> Option<String> {
    let name = bare(name);
    if name.is_empty() {
        return None;
    }
    let inside = name == domain.as_str() || name.ends_with(&format!(".{domain}"));
    Some(if inside { name } else { format!("{name}.{domain}") })
}

/// Rows of `recommendedDNSRecords`: type, name below the zone, and data as in a zone file.
pub(super) fn recommended(domain: &Domain, rows: &[Value]) -> Vec<ExpectedRecord> {
    let mut out: Vec<ExpectedRecord> = rows.iter().filter_map(|row| recommended_row(domain, row)).collect();
    out.sort();
    out.dedup();
    let lowest = out.iter().position(|r| r.topic == DnsTopic::Mx);
    let by_priority =
        |r: &ExpectedRecord| r.value.split(' ').next().and_then(|p| p.parse::<u16>().ok()).unwrap_or(u16::MAX);
    if lowest.is_some() {
        let best = out.iter().filter(|r| r.topic == DnsTopic::Mx).map(by_priority).min();
        for r in out.iter_mut().filter(|r| r.topic == DnsTopic::Mx) {
            r.need = if Some(by_priority(r)) == best { Need::Required } else { Need::Recommended };
        }
    }
    out
}

fn recommended_row(domain: &Domain, row: &Value) -> Option<ExpectedRecord> {
    let below = row.text("subDomain").unwrap_or_default();
    let name = if below.is_empty() || below == "@" { domain.to_string() } else { absolute(domain, below)? };
    let target = row.text("target")?;
    match row.text("fieldType")?.to_ascii_uppercase().as_str() {
        "MX" => {
            let (priority, host) = mx_item(target, &MX_EU)?;
            Some(record(DnsTopic::Mx, &name, RecordType::Mx, format!("{priority} {host}"), Need::Required))
        }
        "SPF" | "TXT" if target.trim_matches('"').starts_with("v=spf1") => {
            Some(ExpectedRecord { name, ..spf(domain, Some(target), false) })
        }
        "SRV" if name.starts_with("_autodiscover.") => autodiscover(domain, target),
        "CNAME" | "DKIM" if name.contains("._domainkey.") => dkim(domain, &name, target),
        "CNAME" if name.starts_with("autoconfig.") => {
            Some(record(DnsTopic::Autoconfig, &name, RecordType::Cname, bare(target), Need::Recommended))
        }
        "CNAME" if name.starts_with("autodiscover.") => {
            Some(record(DnsTopic::Autodiscover, &name, RecordType::Cname, bare(target), Need::Recommended))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn domain() -> Domain {
        Domain::parse("mydomain.ovh").unwrap()
    }

    fn values(records: &[ExpectedRecord]) -> Vec<&str> {
        records.iter().map(|r| r.value.as_str()).collect()
    }

    #[test]
    fn mx_items_come_with_or_without_priority() {
        let forms = ["mx1.mail.ovh.net.", "1 mx0.mail.ovh.net", "mydomain.ovh. 3600 IN MX 50 MX2.mail.ovh.net."];
        let got = mx(&domain(), &forms, false);
        assert_eq!(values(&got), ["1 mx0.mail.ovh.net", "5 mx1.mail.ovh.net", "50 mx2.mail.ovh.net"]);
        assert_eq!((got[0].need, got[1].need), (Need::Required, Need::Recommended));
        let canada = mx(&domain(), &[], true);
        let required: Vec<&str> =
            canada.iter().filter(|r| r.need == Need::Required).map(|r| r.value.as_str()).collect();
        assert_eq!((canada.len(), required), (5, vec!["5 mx1.mail.ovh.ca"]), "the guides and the console agree on it");
        assert_eq!(spf(&domain(), None, true).value, SPF_CA);
        assert_eq!(values(&mx(&domain(), &["ex5.example"], false)), ["10 ex5.example"]);
    }

    #[test]
    fn autodiscover_comes_as_data_host_or_line() {
        for told in
            ["0 0 443 ex5.mail.ovh.net.", "ex5.mail.ovh.net", "_autodiscover._tcp 60 IN SRV 0 0 443 ex5.mail.ovh.net."]
        {
            let got = autodiscover(&domain(), told).unwrap();
            assert_eq!(
                (got.name.as_str(), got.value.as_str()),
                ("_autodiscover._tcp.mydomain.ovh", "0 0 443 ex5.mail.ovh.net")
            );
        }
        assert_eq!(autodiscover(&domain(), ""), None);
        assert_eq!(autodiscover(&domain(), "none"), None);
    }

    #[test]
    fn ownership_comes_as_label_name_or_line() {
        for told in ["ab1cd-check", "ab1cd-check.mydomain.ovh", "ab1cd-check.mydomain.ovh. CNAME ovh.com."] {
            let got = ownership(&domain(), told, false).unwrap();
            assert_eq!((got.name.as_str(), got.value.as_str()), ("ab1cd-check.mydomain.ovh", "ovh.com"));
        }
        assert_eq!(ownership(&domain(), "x", true).unwrap().value, "ex-mail.biz");
        assert_eq!(ownership(&domain(), " ", false), None);
    }

    #[test]
    fn key_aliases_come_as_line() {
        let line =
            "ovhmo1-selector1._domainkey.mydomain.ovh CNAME ovhmo1-selector1._domainkey.123403.aj.dkim.mail.ovh.net.";
        let got = dkim_line(&domain(), line).unwrap();
        assert_eq!(got.name, "ovhmo1-selector1._domainkey.mydomain.ovh");
        assert_eq!(got.value, "ovhmo1-selector1._domainkey.123403.aj.dkim.mail.ovh.net");
        assert_eq!(dkim_line(&domain(), "only-one-word"), None);
    }

    #[test]
    fn recommended_rows_of_unknown_kind_are_left_out() {
        let rows = [
            json!({ "fieldType": "MX", "subDomain": "", "target": "5 mx1.mail.ovh.net." }),
            json!({ "fieldType": "MX", "subDomain": null, "target": "1 mx0.mail.ovh.net." }),
            json!({ "fieldType": "SPF", "subDomain": "", "target": "\"v=spf1 include:mx.ovh.com ~all\"" }),
            json!({ "fieldType": "CNAME", "subDomain": "autoconfig", "target": "mailconfig.ovh.net." }),
            json!({ "fieldType": "TLSA", "subDomain": "x", "target": "?" }),
            json!({ "target": 5 }),
        ];
        let got = recommended(&domain(), &rows);
        assert_eq!(got.len(), 4);
        let need = |v: &str| got.iter().find(|r| r.value == v).map(|r| r.need);
        assert_eq!(need("1 mx0.mail.ovh.net"), Some(Need::Required));
        assert_eq!(need("5 mx1.mail.ovh.net"), Some(Need::Recommended));
    }
}
