//! Who may send (RFC 7208), as far as the domain's own record tells; the records of others are audited apart.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, Ipv6Addr},
};

use super::{Complete as _, Scene, answers::shown, finding, severity};
use crate::{
    diag::{Finding, Severity},
    dns::spf::{is_record, parse},
    model::{DnsTopic, ExpectedRecord, RecordType},
};

/// Terms that cost a lookup, and how many a record may cost (RFC 7208 4.6.4).
const COSTLY: [&str; 5] = ["include", "a", "mx", "ptr", "exists"];
const LOOKUPS: usize = 10;

/// One term of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Term<'a> {
    /// As it was written.
    text: &'a str,
    /// `+`, `-`, `~` or `?`; a modifier has none.
    qualifier: char,
    /// The name of the mechanism or modifier, as it was written.
    name: &'a str,
    /// Whether it is a modifier (`name=value`).
    modifier: bool,
}

impl<'a> Term<'a> {
    fn parse(text: &'a str) -> Self {
        let end = text.find(['=', ':', '/']).unwrap_or(text.len());
        let modifier = text.get(end..).is_some_and(|rest| rest.starts_with('='));
        let (qualifier, bare) = match text.chars().next() {
            Some(q @ ('+' | '-' | '~' | '?')) if !modifier => (q, 1),
            _ => ('+', 0),
        };
        Self { text, qualifier, name: text.get(bare..end).unwrap_or_default(), modifier }
    }

    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// Whether two terms let the same senders in.
    fn same(&self, other: &Self) -> bool {
        let bare = |t: &Self| t.text.trim_start_matches('+').to_ascii_lowercase();
        bare(self) == bare(other)
    }
}

/// The terms of a record behind its version.
fn terms(record: &str) -> Vec<Term<'_>> {
    record.split(' ').skip(1).filter(|t| !t.is_empty()).map(Term::parse).collect()
}

/// Something that its author took for a record, such as `"v=spf1 ..."` with the quotes in it.
fn is_lookalike(text: &str) -> bool {
    let bare = text.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '\\' | '\u{feff}'));
    !is_record(text) && bare.get(..6).is_some_and(|v| v.eq_ignore_ascii_case("v=spf1"))
}

/// A record that lets in everybody whom `actual` or `wanted` lets in: terms that are missing go before `all`, and
/// nothing of `actual` is lost.
#[must_use]
pub fn merge(actual: &str, wanted: &str) -> String {
    let have = terms(actual);
    let missing: Vec<Term<'_>> =
        terms(wanted).into_iter().filter(|t| !t.modifier && !t.is("all") && !have.iter().any(|h| h.same(t))).collect();
    let (end, kept): (Vec<&Term<'_>>, Vec<&Term<'_>>) = have.iter().partition(|t| t.modifier || t.is("all"));
    let own_end = have.iter().any(|t| t.is("all") || t.is("redirect"));
    let default_end = terms(wanted).into_iter().filter(|t| t.is("all") && !own_end);
    let all = kept.into_iter().copied().chain(missing).chain(end.into_iter().copied()).chain(default_end);
    std::iter::once("v=spf1").chain(all.map(|t| t.text)).collect::<Vec<_>>().join(" ")
}

pub(super) fn check(scene: &Scene<'_>) -> Vec<Finding> {
    let name = scene.domain.as_str();
    let wanted = scene.expected(DnsTopic::Spf);
    scene.judge(name, RecordType::Txt, |values| judge(name, wanted.first().copied(), values))
}

fn judge(name: &str, wanted: Option<&ExpectedRecord>, values: &[String]) -> Vec<Finding> {
    let subject = format!("{name} SPF");
    let records: Vec<&String> = values.iter().filter(|v| is_record(v)).collect();
    let text = wanted.map(|w| w.value.as_str());
    let draft = |code, severity, message: String| {
        let out = finding(code, severity, &subject, message).actual(match records.as_slice() {
            [] => shown(&[]),
            some => some.iter().map(|r| r.as_str()).collect::<Vec<_>>().join("\n"),
        });
        match text {
            Some(text) => out.expected(text),
            None => out,
        }
    };
    let mut out = Vec::new();
    for lookalike in values.iter().filter(|v| is_lookalike(v)) {
        let message = format!("a TXT record of {name} looks like SPF and is none");
        let fix = "it has to begin with `v=spf1` and a space, without quotes or spaces before";
        out.push(draft("spf-lookalike", Severity::Warning, message).actual(lookalike.clone()).fix(fix));
    }
    let record = match records.as_slice() {
        [] => {
            let message = format!("{name} does not say who may send its mail");
            let missing = draft("spf-missing", wanted.map_or(Severity::Warning, |w| severity(w.need)), message);
            out.push(missing.fix(match text {
                Some(line) => format!("publish\n{name}. TXT \"{line}\""),
                None => "publish the record of whoever sends; it begins with `v=spf1` and ends with `~all`".to_owned(),
            }));
            return out;
        }
        [record] => record.as_str(),
        several => {
            let message =
                format!("{name} has {} SPF records: receivers take that for an error and for none", several.len());
            let merged = several
                .iter()
                .skip(1)
                .fold(several.first().map_or("", |r| r.as_str()).to_owned(), |all, r| merge(&all, r));
            let merged = text.map_or(merged.clone(), |t| merge(&merged, t));
            out.push(
                draft("spf-multiple", Severity::Error, message)
                    .fix(format!("replace them by one\n{name}. TXT \"{merged}\"")),
            );
            return out;
        }
    };
    out.extend(grammar(&draft, record, text));
    out.extend(senders(&draft, name, record, text));
    out.extend(ending(&draft, &terms(record)));
    if !out.iter().any(|f| matches!(f.severity, Severity::Warning | Severity::Error)) {
        out.push(draft("spf-ok", Severity::Ok, format!("{name} says who may send its mail")));
    }
    out
}

fn grammar(
    draft: &impl Fn(&'static str, Severity, String) -> Finding,
    record: &str,
    wanted: Option<&str>,
) -> Vec<Finding> {
    let wanted = wanted.map(terms).unwrap_or_default();
    let terms = terms(record);
    let mut out = Vec::new();
    let mut told = BTreeSet::new();
    for term in &terms {
        if let Some(slip) = slip(term) {
            told.insert(term.text);
            out.push(draft(slip.code, slip.severity, slip.message).fix(slip.fix));
        }
    }
    for wrong in parse(record).err().into_iter().flatten().filter(|w| !told.contains(w.term.as_str())) {
        let message = format!("{wrong}: receivers take the whole record for an error");
        out.push(draft("spf-syntax", Severity::Error, message).fix(format!("correct or remove `{}`", wrong.term)));
    }
    out.extend(without_effect(draft, &terms, &wanted));
    let costly = |t: &&Term<'_>| (!t.modifier && COSTLY.iter().any(|c| t.is(c))) || (t.modifier && t.is("redirect"));
    let lookups = terms.iter().filter(costly).count();
    if lookups > LOOKUPS {
        let message =
            format!("the record needs at least {lookups} lookups, and receivers stop with an error after {LOOKUPS}");
        out.push(draft("spf-lookups", Severity::Error, message).fix("remove what no longer sends, or name addresses"));
    }
    if terms.iter().any(|t| t.is("ptr")) {
        let message = "`ptr` is slow and should not be used (RFC 7208 5.5)".to_owned();
        out.push(draft("spf-ptr", Severity::Info, message).fix("remove it"));
    }
    out
}

/// A common slip of the pen in one term.
struct Slip {
    code: &'static str,
    severity: Severity,
    message: String,
    fix: String,
}

fn slip(term: &Term<'_>) -> Option<Slip> {
    let text = term.text;
    let say = |code, severity, message, fix| Some(Slip { code, severity, message, fix });
    let value = text.split_once([':', '=']).map_or("", |(_, value)| value);
    let lower = text.to_ascii_lowercase();
    let own = !term.modifier || term.is("redirect");
    let ends = |all: &&str| own && lower.len() > all.len() && lower.ends_with(all);
    let glued = ["~all", "-all", "?all", "+all"].into_iter().find(ends);
    if let Some(all) = glued {
        let rest = text.get(..text.len() - all.len()).unwrap_or_default();
        let message = format!("`{text}` is one term: the space before `{all}` is missing");
        return say("spf-glued", Severity::Error, message, format!("write `{rest} {all}`"));
    }
    let address = value.split('/').next().unwrap_or_default();
    let family = |name: &str| term.is(name) && !term.modifier;
    if family("ip4") && address.parse::<Ipv6Addr>().is_ok() {
        let message = format!("`{text}`: an IPv6 address stands behind `ip4:`");
        return say("spf-address-family", Severity::Error, message, format!("write `ip6:{value}`"));
    }
    if family("ip6") && address.parse::<Ipv4Addr>().is_ok() {
        let message = format!("`{text}`: an IPv4 address stands behind `ip6:`");
        return say("spf-address-family", Severity::Error, message, format!("write `ip4:{value}`"));
    }
    let names = ["include", "a", "mx", "exists", "redirect"].iter().any(|name| term.is(name));
    if let Some((scheme, rest)) = value.split_once("://").filter(|_| names) {
        let host = rest.split('/').next().unwrap_or(rest);
        let message = format!("`{text}`: a domain name is meant, and `{scheme}://` makes it none");
        let end = text.len() - value.len();
        let fix = format!("write `{}{host}`", text.get(..end).unwrap_or_default());
        return say("spf-url", Severity::Error, message, fix);
    }
    if let Some(bare) = text.strip_suffix('.').filter(|_| names && !value.is_empty()) {
        let message = format!("`{text}` ends with a dot: it is allowed, and some receivers do not know that");
        return say("spf-final-dot", Severity::Info, message, format!("write `{bare}`"));
    }
    None
}

/// What stands in the record and decides nothing (RFC 7208 5.1, 6.1).
fn without_effect(
    draft: &impl Fn(&'static str, Severity, String) -> Finding,
    terms: &[Term<'_>],
    wanted: &[Term<'_>],
) -> Vec<Finding> {
    let mut out = Vec::new();
    let Some(all) = terms.iter().position(|t| t.is("all") && !t.modifier) else { return out };
    // That the platform's own terms stand there is worse, and told apart.
    let foreign = |t: &&Term<'_>| !t.modifier && !wanted.iter().any(|w| w.same(t));
    let behind: Vec<&str> = terms.iter().skip(all + 1).filter(foreign).map(|t| t.text).collect();
    if !behind.is_empty() {
        let list = behind.join("`, `");
        let message = format!("`{list}` behind `all`: whoever is meant is judged by `all` already");
        out.push(draft("spf-after-all", Severity::Warning, message).fix("move it before `all`, or remove it"));
    }
    if let Some(redirect) = terms.iter().find(|t| t.modifier && t.is("redirect")) {
        let message = format!("`{}` beside `all` is never looked at", redirect.text);
        out.push(draft("spf-redirect-unused", Severity::Warning, message).fix("keep one of the two"));
    }
    out
}

/// Whether the platform may send.
fn senders(
    draft: &impl Fn(&'static str, Severity, String) -> Finding,
    name: &str,
    record: &str,
    wanted: Option<&str>,
) -> Vec<Finding> {
    let Some(wanted) = wanted else { return Vec::new() };
    let have = terms(record);
    let all = have.iter().position(|t| t.is("all") && !t.modifier).unwrap_or(have.len());
    let redirect = have.iter().find(|t| t.modifier && t.is("redirect"));
    let mut out = Vec::new();
    for term in terms(wanted).iter().filter(|t| !t.modifier && !t.is("all")) {
        let at = have.iter().position(|h| h.same(term));
        let merged = format!("publish\n{name}. TXT \"{}\"", merge(record, wanted));
        match (at, redirect) {
            (Some(at), _) if at < all => {}
            (Some(_), _) => {
                let message = format!("`{}` stands behind `all`, where it has no effect", term.text);
                out.push(draft("spf-after-all", Severity::Error, message).fix(merged));
            }
            (None, Some(elsewhere)) if all == have.len() => {
                let message = format!("whether the platform may send is said elsewhere (`{}`)", elsewhere.text);
                out.push(
                    draft("spf-redirect", Severity::Warning, message).fix(format!("see that it has `{}`", term.text)),
                );
            }
            (None, _) => {
                let message = format!("the platform may not send: `{}` is missing", term.text);
                out.push(draft("spf-include-missing", Severity::Error, message).fix(merged));
            }
        }
    }
    out
}

/// What the record says of everybody else.
fn ending(draft: &impl Fn(&'static str, Severity, String) -> Finding, terms: &[Term<'_>]) -> Vec<Finding> {
    let redirected = terms.iter().any(|t| t.modifier && t.is("redirect"));
    let all = terms.iter().find(|t| t.is("all") && !t.modifier);
    let fix = "end it with `~all`, or with `-all` once every sender is listed";
    match all.map(|t| t.qualifier) {
        Some('-' | '~') => Vec::new(),
        None if redirected => Vec::new(),
        Some('?') => {
            let message = "`?all` says nothing about other senders".to_owned();
            vec![draft("spf-all-neutral", Severity::Warning, message).fix(fix)]
        }
        Some(_) => {
            let message = "`+all` lets everybody send in the name of the domain".to_owned();
            vec![draft("spf-all-pass", Severity::Error, message).fix(fix)]
        }
        None => {
            let message = "the record does not end with `all`: it says nothing about other senders".to_owned();
            vec![draft("spf-all-missing", Severity::Warning, message).fix(fix)]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_loses_nothing_and_keeps_the_strictest_ending() {
        let ours = "v=spf1 include:mx.ovh.com ~all";
        for (actual, merged) in [
            ("v=spf1 include:a.example -all", "v=spf1 include:a.example include:mx.ovh.com -all"),
            ("v=spf1 +include:MX.ovh.com ?all", "v=spf1 +include:MX.ovh.com ?all"),
            ("v=spf1", "v=spf1 include:mx.ovh.com ~all"),
            ("v=spf1 a redirect=b.example", "v=spf1 a include:mx.ovh.com redirect=b.example"),
            ("v=spf1 -all include:late.example", "v=spf1 include:late.example include:mx.ovh.com -all"),
        ] {
            assert_eq!(merge(actual, ours), merged);
            assert_eq!(merge(&merge(actual, ours), ours), merge(actual, ours), "merging twice changes nothing");
        }
    }

    #[test]
    fn records_are_told_from_their_lookalikes() {
        for text in ["v=spf1", "V=SPF1 -all", "v=spf1  -all"] {
            assert!(is_record(text) && !is_lookalike(text), "{text}");
        }
        for text in ["v=spf10 -all", " v=spf1 -all", "\"v=spf1 -all\"", "v=spf1-all", "v=spf1;"] {
            assert!(!is_record(text) && is_lookalike(text), "{text}");
        }
        assert!(!is_lookalike("google-site-verification=x") && !is_lookalike("ü"));
    }
}
