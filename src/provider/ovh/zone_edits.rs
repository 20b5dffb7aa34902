//! Records as the API writes them, and which edits make one set out of another. Pure.

use std::collections::BTreeSet;

use serde_json::Value;

use super::json::Lenient as _;
use crate::model::{Domain, RecordType, ZoneChange};

/// One record of the working copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: String,
    /// As the API writes it.
    target: String,
    /// As the model writes it.
    value: String,
    /// Seconds; 0 is the zone's usual one.
    ttl: u32,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Edit {
    Put { id: String, target: String, ttl: u32 },
    Post { target: String, ttl: u32 },
    Delete { id: String },
}

/// Reads a record of the API; nothing when it is of another name or type. SPF, DKIM and DMARC are published as TXT.
pub(super) fn entry(id: &str, record: &Value, zone: &Domain, change: &ZoneChange) -> Option<Entry> {
    let rtype = match record.text("fieldType")? {
        "SPF" | "DKIM" | "DMARC" => "TXT",
        other => other,
    };
    let below = record.text("subDomain").unwrap_or_default().to_ascii_lowercase();
    let name = if below.is_empty() { zone.to_string() } else { format!("{below}.{zone}") };
    if rtype != change.rtype.word() || name != change.name {
        return None;
    }
    let target = record.text("target")?.to_owned();
    let ttl = record.whole("ttl").and_then(|ttl| u32::try_from(ttl).ok()).unwrap_or(0);
    Some(Entry { id: id.to_owned(), value: value(&target, change.rtype, zone), target, ttl })
}

/// The data of a record as servers answer it.
fn value(target: &str, rtype: RecordType, zone: &Domain) -> String {
    match rtype {
        RecordType::Txt => unquoted(target),
        RecordType::Mx | RecordType::Srv | RecordType::Cname | RecordType::Ns | RecordType::Ptr => {
            let mut words: Vec<String> = target.split_whitespace().map(str::to_ascii_lowercase).collect();
            if let Some(host) = words.last_mut() {
                *host = match host.strip_suffix('.') {
                    Some("") => ".".to_owned(),
                    Some(absolute) => absolute.to_owned(),
                    None => format!("{host}.{zone}"),
                };
            }
            words.join(" ")
        }
        _ => target.trim().to_ascii_lowercase(),
    }
}

/// The strings of a TXT record put together (RFC 1035 5.1); without quotes it is one string.
fn unquoted(target: &str) -> String {
    let text = target.trim();
    if !text.starts_with('"') {
        return text.to_owned();
    }
    let (mut out, mut inside, mut escaped) = (String::new(), false, false);
    for c in text.chars() {
        match c {
            c if escaped => {
                out.push(c);
                escaped = false;
            }
            '\\' if inside => escaped = true,
            '"' => inside = !inside,
            c if inside => out.push(c),
            _ => {}
        }
    }
    out
}

/// The data as the API takes it: strings of at most 255 octets (RFC 1035 3.3), absolute names.
///
/// # Errors
/// When a text cannot be written without loss.
fn target(value: &str, rtype: RecordType) -> Result<String, String> {
    if rtype != RecordType::Txt {
        return Ok(match rtype {
            RecordType::Mx | RecordType::Srv | RecordType::Cname | RecordType::Ns | RecordType::Ptr => {
                format!("{}.", value.trim_end_matches('.'))
            }
            _ => value.to_owned(),
        });
    }
    if !value.is_ascii() || value.contains('\\') {
        return Err(format!("`{value}` has characters that are no plain text; write it by hand"));
    }
    let chunks: Vec<&str> = value.as_bytes().chunks(255).filter_map(|c| std::str::from_utf8(c).ok()).collect();
    Ok(chunks.iter().map(|c| format!("\"{}\"", c.replace('"', "\\\""))).collect::<Vec<_>>().join(" "))
}

fn ttl_of(entry: &Entry, usual: u32) -> u32 {
    if entry.ttl == 0 { usual } else { entry.ttl }
}

fn fold(value: &str, rtype: RecordType) -> String {
    if rtype == RecordType::Txt { value.to_owned() } else { value.to_ascii_lowercase() }
}

/// The edits that make what is wanted out of what is there, which may be the set before the change, after it, or
/// anything between: an earlier attempt may have ended half way. Neighbours in the set are not touched.
///
/// # Errors
/// What is there that belongs to neither side, or is gone that belongs to both.
pub(super) fn edits(found: &[Entry], change: &ZoneChange, usual: u32) -> Result<Vec<Edit>, String> {
    let side = |set: &Option<crate::model::RecordSet>| -> BTreeSet<String> {
        set.iter().flat_map(|s| &s.values).map(|v| fold(v, change.rtype)).collect()
    };
    let (before, after) = (side(&change.before), side(&change.after));
    let here: BTreeSet<String> = found.iter().map(|e| fold(&e.value, change.rtype)).collect();
    let strange = here.iter().find(|v| !before.contains(*v) && !after.contains(*v));
    if let Some(strange) = strange {
        return Err(format!(
            "the zone has `{strange}` at {} {}, which the plan did not see",
            change.name, change.rtype
        ));
    }
    if let Some(gone) = before.intersection(&after).find(|v| !here.contains(*v)) {
        return Err(format!("the zone no longer has `{gone}` at {} {}", change.name, change.rtype));
    }
    let Some(wanted) = &change.after else {
        return Ok(found.iter().map(|e| Edit::Delete { id: e.id.clone() }).collect());
    };
    let retimed = change.before.as_ref().is_none_or(|b| b.ttl != wanted.ttl);
    // "The usual one" stays that as long as it is the same.
    let like = found.iter().find(|e| !retimed && ttl_of(e, usual) == wanted.ttl).map(|e| e.ttl);
    let ttl = like.unwrap_or(wanted.ttl);
    let mut out = Vec::new();
    let mut gone: Vec<&Entry> = Vec::new();
    for entry in found {
        if !after.contains(&fold(&entry.value, change.rtype)) {
            gone.push(entry);
        } else if retimed && ttl_of(entry, usual) != wanted.ttl {
            out.push(Edit::Put { id: entry.id.clone(), target: entry.target.clone(), ttl });
        }
    }
    let mut gone = gone.into_iter();
    for value in wanted.values.iter().filter(|v| !here.contains(&fold(v, change.rtype))) {
        let target = target(value, change.rtype)?;
        out.push(match gone.next() {
            Some(entry) => Edit::Put { id: entry.id.clone(), target, ttl },
            None => Edit::Post { target, ttl },
        });
    }
    out.extend(gone.map(|entry| Edit::Delete { id: entry.id.clone() }));
    Ok(out)
}

/// Whether the working copy is as a change leaves it.
pub(super) fn is_made(found: &[Entry], change: &ZoneChange, usual: u32) -> bool {
    edits(found, change, usual).is_ok_and(|list| list.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::model::RecordSet;

    fn zone() -> Domain {
        Domain::parse("x.org").unwrap()
    }

    fn set(values: &[&str], ttl: u32) -> Option<RecordSet> {
        (!values.is_empty()).then(|| RecordSet { values: values.iter().map(|v| (*v).to_owned()).collect(), ttl })
    }

    fn change(rtype: RecordType, before: Option<RecordSet>, after: Option<RecordSet>) -> ZoneChange {
        ZoneChange { domain: zone(), name: "x.org".to_owned(), rtype, before, after }
    }

    fn found(rtype: RecordType, rows: &[(&str, u32)]) -> Vec<Entry> {
        let row = |(n, (text, ttl)): (usize, &(&str, u32))| {
            let record = json!({ "fieldType": rtype.word(), "subDomain": "", "target": text, "ttl": ttl });
            entry(&n.to_string(), &record, &zone(), &change(rtype, None, None)).unwrap()
        };
        rows.iter().enumerate().map(row).collect()
    }

    #[test]
    fn every_form_of_a_record_is_the_same_record() {
        for (rtype, text, wanted) in [
            (RecordType::Mx, "1  MX0.mail.ovh.net.", "1 mx0.mail.ovh.net"),
            (RecordType::Mx, "1 mail", "1 mail.x.org"),
            (RecordType::Txt, "\"v=spf1 \" \"a \\\"b\\\" -all\"", "v=spf1 a \"b\" -all"),
            (RecordType::Txt, "v=spf1 -all", "v=spf1 -all"),
            (RecordType::Srv, "0 0 443 .", "0 0 443 ."),
        ] {
            assert_eq!(value(text, rtype, &zone()), wanted);
        }
        let long = "a".repeat(300);
        assert_eq!(unquoted(&target(&long, RecordType::Txt).unwrap()), long);
        assert!(target("ü", RecordType::Txt).is_err());
    }

    #[test]
    fn neighbours_stay_and_what_nobody_saw_stops_everything() {
        let spf = change(RecordType::Txt, set(&["v=spf1 -all", "x"], 3600), set(&["v=spf1 a -all", "x"], 3600));
        let there = found(RecordType::Txt, &[("x", 0), ("\"v=spf1 -all\"", 0)]);
        let put = Edit::Put { id: "1".to_owned(), target: "\"v=spf1 a -all\"".to_owned(), ttl: 0 };
        assert_eq!(edits(&there, &spf, 3600), Ok(vec![put]));
        let strange = found(RecordType::Txt, &[("x", 0), ("v=spf1 mx -all", 0)]);
        assert!(edits(&strange, &spf, 3600).unwrap_err().contains("which the plan did not see"));
        assert!(edits(&there[1..], &spf, 3600).unwrap_err().contains("no longer has `x`"));
    }

    #[test]
    fn only_the_ttl_changes_where_only_the_ttl_should() {
        let lower = change(RecordType::Mx, set(&["1 a.x.org"], 3600), set(&["1 a.x.org"], 300));
        let there = found(RecordType::Mx, &[("1 a", 0)]);
        assert_eq!(
            edits(&there, &lower, 3600),
            Ok(vec![Edit::Put { id: "0".to_owned(), target: "1 a".to_owned(), ttl: 300 }])
        );
        assert!(is_made(&found(RecordType::Mx, &[("1 a", 300)]), &lower, 3600));
    }

    proptest! {
        /// From any state between before and after, the edits lead to exactly what is wanted.
        #[test]
        fn an_attempt_that_ended_anywhere_is_finished(
            before in prop::collection::btree_set("[a-f]", 0..5), after in prop::collection::btree_set("[a-f]", 0..5),
            choice in prop::collection::vec(any::<bool>(), 12),
        ) {
            let side = |values: &BTreeSet<String>| {
                (!values.is_empty()).then(|| RecordSet { values: values.clone(), ttl: 60 })
            };
            let change = change(RecordType::Txt, side(&before), side(&after));
            let mut picks = choice.iter().cycle();
            let here: Vec<String> = before.union(&after)
                .filter(|v| (before.contains(*v) && after.contains(*v)) || *picks.next().unwrap()).cloned().collect();
            let rows: Vec<(&str, u32)> = here.iter().map(|v| (v.as_str(), 60)).collect();
            let list = edits(&found(RecordType::Txt, &rows), &change, 3600).unwrap();
            let mut world: Vec<(String, String)> =
                here.iter().enumerate().map(|(n, v)| (n.to_string(), v.clone())).collect();
            for edit in list {
                match edit {
                    Edit::Put { id, target, .. } => {
                        world.iter_mut().find(|(i, _)| *i == id).unwrap().1 = unquoted(&target);
                    }
                    Edit::Post { target, .. } => world.push(("new".to_owned(), unquoted(&target))),
                    Edit::Delete { id } => world.retain(|(i, _)| *i != id),
                }
            }
            let left: BTreeSet<String> = world.into_iter().map(|(_, v)| v).collect();
            prop_assert_eq!(left, after);
        }
    }
}
