//! A filter in words.

use crate::{
    diag::size,
    model::{MailFilter, day},
};

/// What a copy leaves out and renames, for people; `None` when it takes everything under its own name.
pub(super) fn filter_words(filter: &MailFilter) -> Option<String> {
    let list = |names: &[String]| names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
    let mut parts = Vec::new();
    if !filter.include.is_empty() {
        parts.push(format!("only {}", list(&filter.include)));
    }
    if !filter.exclude.is_empty() {
        parts.push(format!("without {}", list(&filter.exclude)));
    }
    parts.extend(filter.since.map(|at| format!("since {}", day(at))));
    parts.extend(filter.until.map(|at| format!("before {}", day(at))));
    parts.extend(filter.min_size.map(|n| format!("at least {}", size(n))));
    parts.extend(filter.max_size.map(|n| format!("at most {}", size(n))));
    parts.extend(filter.rename.iter().map(|(old, new)| format!("`{old}` becomes `{new}`")));
    parts.extend((!filter.gmail_labels.is_each()).then(|| "each message with labels once".to_owned()));
    (!parts.is_empty()).then(|| parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::GmailLabels;

    #[test]
    fn a_filter_is_said_whole() {
        let filter = MailFilter {
            include: vec!["INBOX".to_owned(), "Work/*".to_owned()],
            exclude: vec!["**/Trash".to_owned()],
            rename: [("Work/a".to_owned(), "Archive".to_owned())].into(),
            since: Some("2020-01-01T00:00:00Z".parse().unwrap()),
            until: Some("2021-01-01T12:00:00Z".parse().unwrap()),
            min_size: Some(1 << 10),
            max_size: Some(25 << 20),
            gmail_labels: GmailLabels::Once,
        };
        insta::assert_snapshot!(
            filter_words(&filter).unwrap(),
            @"only `INBOX`, `Work/*`, without `**/Trash`, since 2020-01-01, before 2021-01-01T12:00:00Z, at least 1.0 KiB, at most 25.0 MiB, `Work/a` becomes `Archive`, each message with labels once"
        );
        assert_eq!(filter_words(&MailFilter::default()), None);
    }
}
