//! Which messages a copy takes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use jiff::{Timestamp, civil::Time, tz::TimeZone};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::FolderPath;

/// Which messages a copy takes, and which folders get another name. The default takes all under their own names.
///
/// Folders are named as people read them, with `/` between the components. In `include` and `exclude` a name may hold
/// `*` (anything within one component), `?` (one character) and `**` (any number of components); `\` takes the meaning
/// from the next character. A name covers the folder and what lies below it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MailFilter {
    /// Only these folders and what lies below them; empty means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<String>,
    /// Not these folders nor what lies below them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// Folders of the source that get another name at the target; what lies below one goes with it. No wildcards.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rename: BTreeMap<String, String>,
    /// Only messages whose INTERNALDATE is this instant or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub since: Option<Timestamp>,
    /// Only messages whose INTERNALDATE is before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub until: Option<Timestamp>,
    /// Only messages of at least this many octets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_size: Option<u64>,
    /// Only messages of at most this many octets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_size: Option<u64>,
    /// How often a message of Gmail is copied that has several labels.
    #[serde(default, skip_serializing_if = "GmailLabels::is_each")]
    pub gmail_labels: GmailLabels,
}

/// How often a message of Gmail is copied that has several labels. A label is a folder there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GmailLabels {
    /// Into the folder of each label, as it is seen there.
    #[default]
    Each,
    /// Into the folder of the first of its labels.
    Once,
}

impl GmailLabels {
    /// Whether each label is a folder with all of its messages.
    #[must_use]
    pub fn is_each(&self) -> bool {
        *self == Self::Each
    }
}

/// Why a filter leaves a message out. Its text is the reason under which the message is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftOut {
    /// Its folder is not chosen.
    Folder,
    /// It is from before `since`.
    Before(Timestamp),
    /// It is from `until` or later.
    From(Timestamp),
    /// It has fewer octets than `min_size`.
    Smaller(u64),
    /// It has more octets than `max_size`.
    Larger(u64),
}

/// What the reason of a message begins with that a person told to be left out.
pub const IGNORED: &str = "ignored: ";

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder => f.write_str("in a folder left out by the filter"),
            Self::Before(at) => write!(f, "from before {}", day(*at)),
            Self::From(at) => write!(f, "from {} or later", day(*at)),
            Self::Smaller(n) => write!(f, "smaller than {n} octets"),
            Self::Larger(n) => write!(f, "larger than {n} octets"),
        }
    }
}

/// An instant as a day where it is the first of one, in UTC.
#[must_use]
pub fn day(at: Timestamp) -> String {
    let civil = at.to_zoned(TimeZone::UTC).datetime();
    if civil.time() == Time::midnight() { civil.date().to_string() } else { at.to_string() }
}

impl MailFilter {
    /// Whether a folder is taken: named, or below a named one; `exclude` wins.
    #[must_use]
    pub fn takes(&self, path: &FolderPath) -> bool {
        if self.include.is_empty() && self.exclude.is_empty() {
            return true;
        }
        let covered = |patterns: &[String]| patterns.iter().any(|pattern| covers(pattern, path));
        (self.include.is_empty() || covered(&self.include)) && !covered(&self.exclude)
    }

    /// Why a message of a folder that is taken is left out; `None` takes it.
    ///
    /// `date` is INTERNALDATE in seconds since 1970, `size` is RFC822.SIZE. A message whose date or size the server does
    /// not tell is never left out for it.
    #[must_use]
    pub fn leaves_out(&self, date: Option<i64>, size: u64) -> Option<LeftOut> {
        let before = self.since.filter(|since| date.is_some_and(|date| date < since.as_second()));
        let from = self.until.filter(|until| date.is_some_and(|date| date >= until.as_second()));
        let smaller = self.min_size.filter(|least| size > 0 && size < *least);
        let larger = self.max_size.filter(|most| size > *most);
        before
            .map(LeftOut::Before)
            .or(from.map(LeftOut::From))
            .or(smaller.map(LeftOut::Smaller))
            .or(larger.map(LeftOut::Larger))
    }

    /// The components of the name that a folder gets at the target, where the filter gives it another one.
    #[must_use]
    pub fn renamed(&self, path: &FolderPath) -> Option<Vec<String>> {
        let shown = path.to_string();
        let same = |old: &str| {
            let old = old.trim_end_matches('/');
            old == shown || (path.is_inbox() && old.eq_ignore_ascii_case("INBOX"))
        };
        let new = self.rename.iter().find(|(old, _)| same(old)).map(|(_, new)| new)?;
        let parts: Vec<String> = new.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        (!parts.is_empty()).then_some(parts)
    }

    /// Those of the folders that get another name, with it.
    pub fn renames<'p>(&self, folders: impl IntoIterator<Item = &'p FolderPath>) -> BTreeMap<FolderPath, Vec<String>> {
        folders.into_iter().filter_map(|path| Some((path.clone(), self.renamed(path)?))).collect()
    }

    /// Whether what an earlier pass left out is still left out for the same reasons, so that there is nothing more to
    /// copy. A bound that was widened or taken away is another reason.
    #[must_use]
    pub fn still_leaves_out(&self, excluded: &BTreeMap<String, u64>) -> bool {
        let bounds = [
            Some(LeftOut::Folder),
            self.since.map(LeftOut::Before),
            self.until.map(LeftOut::From),
            self.min_size.map(LeftOut::Smaller),
            self.max_size.map(LeftOut::Larger),
        ];
        let known: BTreeSet<String> = bounds.into_iter().flatten().map(|b| b.to_string()).collect();
        excluded.keys().all(|reason| reason.starts_with(IGNORED) || known.contains(reason))
    }
}

/// What makes a filter impossible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilterProblem {
    /// A folder without a name.
    EmptyName,
    /// `since` is not before `until`.
    Dates,
    /// `min_size` is above `max_size`.
    Sizes,
    /// Two folders would get one name.
    Collision {
        /// The two folders of the source.
        folders: [String; 2],
        /// The name that both would get.
        target: String,
    },
}

impl fmt::Display for FilterProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyName => f.write_str("a folder without a name"),
            Self::Dates => f.write_str("no message is both since `since` and before `until`"),
            Self::Sizes => f.write_str("no message is both at least `min_size` and at most `max_size`"),
            Self::Collision { folders: [a, b], target } => write!(f, "`{a}` and `{b}` would both become `{target}`"),
        }
    }
}

impl MailFilter {
    /// What makes this filter impossible, as far as it can be told without looking at a mailbox.
    #[must_use]
    pub fn problems(&self) -> Vec<FilterProblem> {
        let mut out = Vec::new();
        let blank = |name: &String| name.split('/').all(str::is_empty);
        let names = self.include.iter().chain(&self.exclude).chain(self.rename.keys()).chain(self.rename.values());
        out.extend(names.filter(|name| blank(name)).take(1).map(|_| FilterProblem::EmptyName));
        if self.since.zip(self.until).is_some_and(|(since, until)| since >= until) {
            out.push(FilterProblem::Dates);
        }
        if self.min_size.zip(self.max_size).is_some_and(|(least, most)| least > most) {
            out.push(FilterProblem::Sizes);
        }
        let mut taken: BTreeMap<String, &String> = BTreeMap::new();
        for (old, new) in self.rename.iter().filter(|(_, new)| !blank(new)) {
            let parts: Vec<&str> = new.split('/').filter(|part| !part.is_empty()).collect();
            let key = FolderPath(parts.iter().map(|p| (*p).to_owned()).collect());
            let key = if key.is_inbox() { FolderPath::inbox() } else { key }.to_string();
            if let Some(other) = taken.insert(key.clone(), old) {
                out.push(FilterProblem::Collision { folders: [other.clone(), old.clone()], target: key });
            }
        }
        out
    }
}

/// Whether a pattern covers a folder: it fits the folder's path or that of a folder above it.
#[must_use]
pub fn covers(pattern: &str, path: &FolderPath) -> bool {
    let mut wanted: Vec<&str> = pattern.trim_end_matches('/').split('/').collect();
    if let Some(last) = wanted.last_mut().filter(|last| **last == "**") {
        *last = "*"; // what lies below is covered anyway
    }
    let shown = path.to_string();
    let inbox = |text: &str| text.eq_ignore_ascii_case("INBOX");
    let same = |at: usize, one: &str, part: &str| fits(one, part) || (at == 0 && inbox(one) && inbox(part));
    let mut reached = Reached::new(wanted.iter().map(|one| *one == "**").collect());
    shown.split('/').enumerate().any(|(at, part)| {
        reached.step(|i| wanted.get(i).is_some_and(|one| same(at, one, part)));
        reached.end()
    })
}

/// Whether a text fits a pattern with `*`, `?` and `\`.
fn fits(pattern: &str, text: &str) -> bool {
    let mut tokens = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        tokens.push(match c {
            '*' => Token::Any,
            '?' => Token::One,
            '\\' => Token::This(chars.next().unwrap_or('\\')),
            c => Token::This(c),
        });
    }
    let mut reached = Reached::new(tokens.iter().map(|t| *t == Token::Any).collect());
    for c in text.chars() {
        reached.step(|i| match tokens.get(i) {
            Some(Token::This(this)) => *this == c,
            Some(Token::One) => true,
            Some(Token::Any) | None => false,
        });
    }
    reached.end()
}

/// Which beginnings of a pattern fit what was read so far. Takes time of the product of both lengths at most, whatever
/// they hold.
struct Reached {
    /// Which parts of the pattern stand for any number of parts of the text.
    any: Vec<bool>,
    /// At `i`: the first `i` parts fit.
    at: Vec<bool>,
}

impl Reached {
    fn new(any: Vec<bool>) -> Self {
        let mut at = vec![false; any.len() + 1];
        at[0] = true;
        let mut reached = Self { any, at };
        reached.skip();
        reached
    }

    /// What stands for any number may stand for none.
    fn skip(&mut self) {
        for (i, any) in self.any.iter().enumerate() {
            if *any && self.at[i] {
                self.at[i + 1] = true;
            }
        }
    }

    /// Reads one part of the text; `fits` tells for a part of the pattern whether it is that one.
    fn step(&mut self, fits: impl Fn(usize) -> bool) {
        let mut next = vec![false; self.at.len()];
        for (i, any) in self.any.iter().enumerate().filter(|(i, _)| self.at[*i]) {
            next[i] |= *any;
            next[i + 1] |= !*any && fits(i);
        }
        self.at = next;
        self.skip();
    }

    fn end(&self) -> bool {
        self.at.last().copied().unwrap_or(false)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Token {
    Any,
    One,
    This(char),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(text: &str) -> FolderPath {
        FolderPath(text.split('/').map(str::to_owned).collect())
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_pattern_covers_a_folder_and_what_lies_below() {
        for (pattern, folder, covered) in [
            ("Archive", "Archive", true),
            ("Archive", "Archive/2019", true),
            ("Archive/", "Archive/2019", true),
            ("Archive", "Archives", false),
            ("Archive", "Old/Archive", false),
            ("Arch*", "Archives/2019", true),
            ("Archive/*", "Archive", false),
            ("Archive/*", "Archive/2019/May", true),
            ("Archive/201?", "Archive/2019", true),
            ("Archive/201?", "Archive/2020", false),
            ("*/2019", "Archive/2019", true),
            ("*/2019", "2019", false),
            ("**/2019", "2019", true),
            ("**/2019", "a/b/2019/c", true),
            ("a/**/z", "a/z", true),
            ("a/**/z", "a/b/c/z/y", true),
            ("a/**", "a", false),
            ("a/**", "a/b", true),
            ("inbox", "INBOX", true),
            ("InBox/x", "INBOX/x", true),
            ("x/inbox", "x/INBOX", false),
            ("100 \\*", "100 *", true),
            ("100 \\*", "100 %", false),
            ("*", "anything/at all", true),
        ] {
            assert_eq!(covers(pattern, &path(folder)), covered, "`{pattern}` and `{folder}`");
        }
    }

    #[test]
    fn exclude_wins_over_include() {
        let filter = MailFilter {
            include: vec!["Work".to_owned()],
            exclude: vec!["**/Drafts".to_owned()],
            ..MailFilter::default()
        };
        assert!(filter.takes(&path("Work/2020")));
        assert!(!filter.takes(&path("Work/Drafts")));
        assert!(!filter.takes(&path("INBOX")));
        assert!(MailFilter::default().takes(&path("x")));
    }

    #[test]
    fn since_is_included_and_until_is_not() {
        let (since, until) = (at("2020-01-01T00:00:00Z"), at("2021-01-01T00:00:00Z"));
        let filter = MailFilter { since: Some(since), until: Some(until), ..MailFilter::default() };
        assert_eq!(filter.leaves_out(Some(since.as_second()), 1), None);
        assert_eq!(filter.leaves_out(Some(since.as_second() - 1), 1), Some(LeftOut::Before(since)));
        assert_eq!(filter.leaves_out(Some(until.as_second() - 1), 1), None);
        assert_eq!(filter.leaves_out(Some(until.as_second()), 1), Some(LeftOut::From(until)));
        assert_eq!(filter.leaves_out(None, 1), None, "an untold date leaves nothing out");
        assert_eq!(LeftOut::Before(since).to_string(), "from before 2020-01-01");
        assert_eq!(LeftOut::From(at("2020-01-01T10:00:00Z")).to_string(), "from 2020-01-01T10:00:00Z or later");
    }

    #[test]
    fn both_size_bounds_are_included() {
        let filter = MailFilter { min_size: Some(10), max_size: Some(20), ..MailFilter::default() };
        let taken: Vec<u64> = [9, 10, 20, 21].into_iter().filter(|n| filter.leaves_out(None, *n).is_none()).collect();
        assert_eq!(taken, [10, 20]);
        assert_eq!(filter.leaves_out(None, 0), None, "an untold size leaves nothing out");
    }

    #[test]
    fn a_widened_bound_is_another_reason() {
        let narrow = MailFilter { since: Some(at("2020-01-01T00:00:00Z")), ..MailFilter::default() };
        let wide = MailFilter { since: Some(at("2019-01-01T00:00:00Z")), ..MailFilter::default() };
        let left = BTreeMap::from([(LeftOut::Before(at("2020-01-01T00:00:00Z")).to_string(), 3)]);
        assert!(narrow.still_leaves_out(&left));
        assert!(!wide.still_leaves_out(&left) && !MailFilter::default().still_leaves_out(&left));
        let ignored = BTreeMap::from([("ignored: an old virus".to_owned(), 1)]);
        assert!(MailFilter::default().still_leaves_out(&ignored));
    }

    #[test]
    fn what_can_never_be_is_told() {
        let filter = MailFilter {
            rename: [("a", "X/y"), ("b", "/X/y/"), ("c", "inbox"), ("d", "INBOX")]
                .map(|(old, new)| (old.to_owned(), new.to_owned()))
                .into(),
            exclude: vec!["/".to_owned()],
            since: Some(at("2020-01-01T00:00:00Z")),
            until: Some(at("2020-01-01T00:00:00Z")),
            min_size: Some(2),
            max_size: Some(1),
            ..MailFilter::default()
        };
        let told: Vec<String> = filter.problems().iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "a folder without a name",
                "no message is both since `since` and before `until`",
                "no message is both at least `min_size` and at most `max_size`",
                "`a` and `b` would both become `X/y`",
                "`c` and `d` would both become `INBOX`",
            ]
        );
        assert!(MailFilter::default().problems().is_empty());
    }

    #[test]
    fn an_older_plan_loads_and_a_filter_of_folders_reads_as_before() {
        let old: MailFilter = serde_json::from_str(r#"{"include":["a"],"exclude":["b"]}"#).unwrap();
        assert_eq!(serde_json::to_string(&old).unwrap(), r#"{"include":["a"],"exclude":["b"]}"#);
    }

    proptest! {
        #[test]
        fn a_text_without_signs_fits_itself_alone(a in "[a-z .]{0,8}", b in "[a-z .]{0,8}") {
            prop_assert_eq!(fits(&a, &b), a == b);
        }

        #[test]
        fn an_escaped_text_fits_itself(text in "\\PC{0,12}") {
            let escaped: String = text.chars().flat_map(|c| ['\\', c]).collect();
            prop_assert!(fits(&escaped, &text));
            prop_assert!(fits("*", &text));
        }
    }
}
