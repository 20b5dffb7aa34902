//! What the authoritative servers say of one set, taken together.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{DnsView, Question, RecordSet, RecordType, ServerView, Verdict};

/// What is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::plan) enum Seen {
    /// This, or nothing: every server with authority that answered says so.
    Is(Option<RecordSet>),
    /// Servers differ: who says what.
    Differs(String),
    /// The name is an alias, so nothing can stand beside it.
    Alias(String),
    /// Nobody with authority could be asked: why.
    Unknown(String),
}

/// Takes the answers of all authoritative servers together. Only what they agree on is known; the TTL is the longest.
pub(in crate::plan) fn seen(view: &DnsView, question: &Question) -> Seen {
    if question.rtype != RecordType::Cname {
        let alias = Question { name: question.name.clone(), rtype: RecordType::Cname };
        match direct(view, &alias) {
            Seen::Is(Some(set)) => return Seen::Alias(set.values.into_iter().collect::<Vec<_>>().join(", ")),
            Seen::Is(None) => {}
            // The apex of a zone cannot be an alias, and is not asked about.
            Seen::Unknown(_) if !asked(view, &alias) => {}
            other => return other,
        }
    }
    direct(view, question)
}

fn asked(view: &DnsView, question: &Question) -> bool {
    view.servers.values().any(|s| s.answers.contains_key(question))
}

fn direct(view: &DnsView, question: &Question) -> Seen {
    if let Some(failure) = &view.failure {
        return Seen::Unknown(failure.clone());
    }
    let mut values: BTreeMap<BTreeSet<String>, (u32, Vec<&str>)> = BTreeMap::new();
    let mut silent = Vec::new();
    for (name, server) in &view.servers {
        match known(server, question) {
            Ok((set, ttl)) => {
                let entry = values.entry(set).or_default();
                entry.0 = entry.0.max(ttl);
                entry.1.push(name);
            }
            Err(why) => silent.push(format!("{name}: {why}")),
        }
    }
    if values.len() > 1 {
        let say = |(set, (_, names)): (&BTreeSet<String>, &(u32, Vec<&str>))| {
            let said =
                if set.is_empty() { "nothing".to_owned() } else { set.iter().cloned().collect::<Vec<_>>().join(", ") };
            format!("{}: {said}", names.join(", "))
        };
        return Seen::Differs(values.iter().map(say).collect::<Vec<_>>().join("; "));
    }
    match values.pop_first() {
        Some((values, _)) if values.is_empty() => Seen::Is(None),
        Some((values, (ttl, _))) => Seen::Is(Some(RecordSet { values, ttl })),
        None if silent.is_empty() => Seen::Unknown("no server was asked".to_owned()),
        None => Seen::Unknown(silent.join("; ")),
    }
}

fn known(server: &ServerView, question: &Question) -> Result<(BTreeSet<String>, u32), &'static str> {
    if !server.authoritative {
        return Err("it answers without authority");
    }
    match server.answers.get(question) {
        None => Err("it was not asked"),
        Some(Verdict::Found { values, ttl }) => Ok((values.iter().cloned().collect(), *ttl)),
        Some(verdict) if verdict.is_missing() => Ok((BTreeSet::new(), 0)),
        Some(_) => Err("it gave no answer"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(rtype: RecordType) -> Question {
        Question { name: "x.org".to_owned(), rtype }
    }

    fn view(answers: &[(&str, Verdict)]) -> DnsView {
        let server = |verdict: &Verdict| ServerView {
            authoritative: true,
            answers: [(question(RecordType::Txt), verdict.clone())].into(),
            ..ServerView::default()
        };
        let servers = answers.iter().map(|(name, verdict)| ((*name).to_owned(), server(verdict))).collect();
        DnsView { servers, ..DnsView::default() }
    }

    fn found(value: &str, ttl: u32) -> Verdict {
        Verdict::Found { values: vec![value.to_owned()], ttl }
    }

    #[test]
    fn no_failed_lookup_ever_means_that_nothing_is_there() {
        let failures =
            [Verdict::ServFail, Verdict::Refused, Verdict::Timeout, Verdict::Lame, Verdict::Bogus, Verdict::Loop];
        for failure in failures {
            let seen = seen(&view(&[("a", failure.clone())]), &question(RecordType::Txt));
            assert!(matches!(seen, Seen::Unknown(_)), "{failure:?}: {seen:?}");
        }
        let failed = DnsView { failure: Some("no route".to_owned()), ..DnsView::default() };
        assert!(matches!(seen(&failed, &question(RecordType::Txt)), Seen::Unknown(_)));
        assert!(matches!(seen(&DnsView::default(), &question(RecordType::Txt)), Seen::Unknown(_)));
    }

    #[test]
    fn servers_are_taken_together_and_the_longest_ttl_counts() {
        let both = view(&[("a", found("v", 60)), ("b", found("v", 3600)), ("c", Verdict::Timeout)]);
        let Seen::Is(Some(set)) = seen(&both, &question(RecordType::Txt)) else { panic!() };
        assert_eq!(set.ttl, 3600);
        let torn = view(&[("a", found("v", 60)), ("b", Verdict::NxDomain)]);
        assert!(matches!(seen(&torn, &question(RecordType::Txt)), Seen::Differs(_)));
        let gone = view(&[("a", Verdict::NoData), ("b", Verdict::NxDomain)]);
        assert_eq!(seen(&gone, &question(RecordType::Txt)), Seen::Is(None));
    }
}
