//! Marks in texts that came in by a form or a word processor, and that no reader of the record expects.

use std::collections::BTreeSet;

use super::{Complete as _, finding};
use crate::{
    diag::{Finding, Severity},
    model::{DnsView, RecordType},
};

/// What a mail record begins with, whatever stands before it.
const MAIL: [&str; 6] = ["v=spf1", "v=dmarc1", "v=dkim1", "v=stsv1", "v=tlsrptv1", "k=rsa"];

pub(super) fn check(view: &DnsView) -> Vec<Finding> {
    let answers = view.servers.values().flat_map(|s| s.answers.iter());
    let texts: BTreeSet<(&str, &String)> = answers
        .filter(|(q, _)| q.rtype == RecordType::Txt)
        .flat_map(|(q, v)| v.values().iter().map(move |text| (q.name.as_str(), text)))
        .collect();
    texts.into_iter().filter(|(_, text)| is_mail(text)).filter_map(|(name, text)| marks(name, text)).collect()
}

fn is_mail(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let bare = lower.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    MAIL.iter().any(|start| bare.starts_with(start))
}

fn marks(name: &str, text: &str) -> Option<Finding> {
    let has = |set: &[char]| text.contains(set);
    let kinds = [
        (has(&['"']), "a quotation mark"),
        (has(&['\\']), "a backslash or an octet that is no text"),
        (has(&['\u{2018}', '\u{2019}', '\u{201c}', '\u{201d}', '\u{201e}']), "a typographic quotation mark"),
        (has(&['\u{a0}', '\u{202f}', '\u{feff}', '\u{200b}']), "a space that is none"),
    ];
    let found: Vec<&str> = kinds.into_iter().filter(|(there, _)| *there).map(|(_, kind)| kind).collect();
    if found.is_empty() {
        return None;
    }
    let message =
        format!("the text holds {}: it was copied with it, and readers do not expect it", found.join(" and "));
    let out = finding("text-marks", Severity::Warning, format!("{name} TXT"), message);
    Some(out.actual(text).fix("type the record again, as plain ASCII and without quotes around it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_mail_records_with_odd_marks_are_told() {
        let odd = ["\"v=spf1 -all\"", "v=DMARC1\\; p=none", "v=spf1\u{a0}-all", "\u{201c}v=DKIM1; p=x"];
        assert!(odd.iter().all(|t| is_mail(t) && marks("a", t).is_some()));
        assert!(!is_mail("hello \"world\"") && marks("a", "v=spf1 -all").is_none());
    }
}
