//! YAML text to a tree in which every node knows its place.
//!
//! The tree keeps repeated keys, so that they are reported with both places, and keeps the text of scalars as written,
//! so that `01` and `1.10` stay what they are. Everything that knows of the YAML library is in this file.

use std::{fmt, ops::Range, sync::Arc};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::{Budget, Error, Location, MergeKeyPolicy, Spanned, options::DuplicateKeyPolicy};

use super::place::{Place, span};
use crate::diag::{Diagnostic, SourceText};

/// One node.
#[derive(Debug)]
pub(super) struct Node {
    /// What it holds.
    pub data: Data,
    /// Where it is.
    pub place: Place,
}

/// What a node holds.
#[derive(Debug)]
pub(super) enum Data {
    /// Nothing, or `null` or `~` without quotes.
    Null,
    /// Text, and whether YAML takes it for a boolean.
    Scalar {
        /// As written, quotes and escapes resolved.
        text: String,
        /// `true` or `false` without quotes.
        truth: Option<bool>,
    },
    /// A list.
    List(Vec<Node>),
    /// A mapping in the order it was written, repeated keys included.
    Map(Vec<(Node, Node)>),
}

impl Data {
    /// The word people use for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Scalar { .. } => "a plain value",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

/// The largest file that is read: far more than any honest spec, far less than memory.
pub(super) const MAX_BYTES: u64 = 64 << 20;

/// Reads one document.
///
/// # Errors
/// One diagnostic: a text that is no YAML has only one first problem.
pub(super) fn parse(source: &Arc<SourceText>) -> Result<Node, Box<Diagnostic>> {
    let options = serde_saphyr::options! {
        budget: budget(source.text.len()),
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::Merge,
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: expansion(source.text.len()),
        },
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        non_finite_float_policy: serde_saphyr::options::NonFiniteFloatPolicy::AsString,
        reject_unsupported_tags: true,
        with_snippet: false,
    };
    match serde_saphyr::from_str_with_options::<Spanned<Tree>>(&source.text, options) {
        Ok(tree) => Ok(tree_node(tree, source)),
        Err(Error::Eof { .. }) if nothing(&source.text) => {
            Ok(Node { data: Data::Null, place: Place::new(source, 0..source.text.len().min(1)) })
        }
        Err(error) => {
            let problem = syntax(&error, source);
            Err(Box::new(tab(&problem, source).unwrap_or(problem)))
        }
    }
}

/// Whether a text has nothing but comments and marks of documents.
fn nothing(text: &str) -> bool {
    text.trim_start_matches('\u{feff}')
        .lines()
        .map(str::trim)
        .all(|line| line.is_empty() || line.starts_with('#') || line.starts_with('%') || matches!(line, "---" | "..."))
}

/// What is wrong when it is a tab, on the line of the problem or on the one before: the library's words for it vary.
fn tab(problem: &Diagnostic, source: &Arc<SourceText>) -> Option<Diagnostic> {
    let (line, _) = problem.labels.first()?.span.line_column();
    let at = leading_tab(&source.text, line.saturating_sub(2)..line)?;
    Some(
        Diagnostic::error("spec::tab", "a tab is used to indent")
            .at(span(source, at..at + 1), "this is a tab")
            .help("YAML indents with spaces only: replace the tab by spaces"),
    )
}

/// How many nodes aliases may add to a file of that length: each account of a fleet may use its team's block, but a
/// bomb grows out of all proportion.
fn expansion(bytes: usize) -> usize {
    20_000 + 2 * bytes
}

/// Limits in proportion to the text, so that a long honest file is read and a short bomb is refused at once.
fn budget(bytes: usize) -> Option<Budget> {
    let written = 10_000 + bytes;
    serde_saphyr::budget! {
        max_events: 2 * written + expansion(bytes),
        max_nodes: written + expansion(bytes),
        max_aliases: 10_000 + bytes / 8,
        max_anchors: 10_000 + bytes / 8,
        max_merge_keys: 10_000 + bytes / 8,
        max_recorded_anchor_events: written + expansion(bytes),
        max_total_scalar_bytes: 8 * written,
        max_depth: 64,
        max_documents: 2,
        enforce_alias_anchor_ratio: false,
    }
}

/// The first tab that indents one of those lines (counted from 0).
fn leading_tab(text: &str, lines: Range<usize>) -> Option<usize> {
    let mut offset = 0;
    for (number, line) in text.split_inclusive('\n').enumerate().take(lines.end) {
        let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
        let tab = line.get(..indent).and_then(|indent| indent.find('\t'));
        if let Some(tab) = tab.filter(|_| lines.contains(&number)) {
            return Some(offset + tab);
        }
        offset += line.len();
    }
    None
}

fn syntax(error: &Error, source: &Arc<SourceText>) -> Diagnostic {
    let error = error.without_snippet();
    if let Error::AliasError { error, .. } = error {
        return syntax(error, source);
    }
    let place = error.location().map(|l| location(&l, source));
    let (code, message, label, help) = match error {
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasReplayCounterOverflow { .. } => (
            "spec::too-much",
            "the file grows out of proportion when it is read".to_owned(),
            "reading stopped here",
            Some("aliases that repeat aliases multiply; write the blocks out, or use `defaults`"),
        ),
        Error::MultipleDocuments { .. } => (
            "spec::several-documents",
            "the file holds more than one YAML document".to_owned(),
            "a second one begins here",
            Some("put each document into a file of its own; a folder of files is read as one spec"),
        ),
        Error::UnknownAnchor { .. } => (
            "spec::unknown-anchor",
            "an alias refers to an anchor that is not defined before it".to_owned(),
            "no such anchor",
            Some("`&name` defines an anchor, `*name` uses it further down"),
        ),
        other => ("spec::syntax", format!("this is not valid YAML: {}", bare(&other.to_string())), "here", None),
    };
    let place = place.unwrap_or(0..source.text.len().min(1));
    let diagnostic = Diagnostic::error(code, message).at(span(source, place), label);
    match help {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

/// The library's words without the places, which are shown.
fn bare(text: &str) -> &str {
    let line = text.lines().next().unwrap_or(text);
    line.split(" at line ").next().unwrap_or(line)
}

fn location(location: &Location, source: &Arc<SourceText>) -> Range<usize> {
    let length = source.text.len();
    let inner = location.span();
    let Some(offset) = inner.byte_offset() else { return by_line(location, &source.text) };
    let offset = usize::try_from(offset).unwrap_or(length).min(length);
    let bytes = inner.byte_len().and_then(|n| usize::try_from(n).ok()).unwrap_or(0).min(length - offset);
    offset..offset + bytes
}

/// A place of which only line and column are known.
fn by_line(location: &Location, text: &str) -> Range<usize> {
    let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let mut start = 0;
    for line in text.split_inclusive('\n').take(number(location.line()).saturating_sub(1)) {
        start += line.len();
    }
    let line = text.get(start..).unwrap_or("").lines().next().unwrap_or("");
    let column = line.char_indices().nth(number(location.column()).saturating_sub(1)).map_or(line.len(), |(at, _)| at);
    start + column..start + column
}

/// The tree as the library gives it: a type of its own because only `Spanned` at every level keeps all places.
enum Tree {
    Null,
    Bool(bool),
    /// A plain scalar that the library took for a number; its text is cut from the source.
    Number,
    Text(String),
    List(Vec<Spanned<Tree>>),
    Map(Vec<(Spanned<Tree>, Spanned<Tree>)>),
}

fn tree_node(tree: Spanned<Tree>, source: &Arc<SourceText>) -> Node {
    let defined = location(&tree.defined, source);
    let used = location(&tree.referenced, source);
    let place = if used == defined || tree.referenced.line() == 0 {
        Place::new(source, defined.clone())
    } else {
        Place { span: span(source, used), defined: Some(Box::new(span(source, defined.clone()))) }
    };
    let cut = || source.text.get(defined.clone()).unwrap_or("").trim().to_owned();
    let data = match tree.value {
        Tree::Null => Data::Null,
        Tree::Bool(truth) => Data::Scalar { text: cut(), truth: Some(truth) },
        Tree::Number => Data::Scalar { text: cut(), truth: None },
        Tree::Text(text) => Data::Scalar { text, truth: None },
        Tree::List(items) => Data::List(items.into_iter().map(|item| tree_node(item, source)).collect()),
        Tree::Map(pairs) => {
            Data::Map(pairs.into_iter().map(|(k, v)| (tree_node(k, source), tree_node(v, source))).collect())
        }
    };
    Node { data, place }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML value")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_none<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Tree, E> {
        Ok(Tree::Number)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Tree, E> {
        Ok(Tree::Number)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Tree, E> {
        Ok(Tree::Number)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Tree, E> {
        Ok(Tree::Number)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Tree, E> {
        Ok(Tree::Number)
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Tree, E> {
        Ok(Tree::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Tree, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = access.next_entry()? {
            pairs.push(pair);
        }
        Ok(Tree::Map(pairs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Node, Box<Diagnostic>> {
        parse(&Arc::new(SourceText { name: "t.yaml".into(), text: text.into() }))
    }

    /// `text@line:column`, and `^line:column` where it was defined elsewhere.
    fn show(node: &Node, out: &mut Vec<String>) {
        let place = |p: &Place| {
            let (l, c) = p.span.line_column();
            let defined = p.defined.as_ref().map(|d| d.line_column()).map(|(l, c)| format!("^{l}:{c}"));
            format!("@{l}:{c}+{}{}", p.span.len, defined.unwrap_or_default())
        };
        match &node.data {
            Data::Null => out.push(format!("null{}", place(&node.place))),
            Data::Scalar { text, truth } => {
                out.push(format!("{text}{}{}", if truth.is_some() { "!" } else { "" }, place(&node.place)));
            }
            Data::List(items) => items.iter().for_each(|n| show(n, out)),
            Data::Map(pairs) => pairs.iter().for_each(|(k, v)| {
                show(k, out);
                show(v, out);
            }),
        }
    }

    fn shown(text: &str) -> String {
        let mut out = Vec::new();
        show(&read(text).unwrap(), &mut out);
        out.join(" ")
    }

    #[test]
    fn every_scalar_has_its_place_and_its_text() {
        insta::assert_snapshot!(shown("a: 1.10\nb: [no, true, 0x1F, 007]\n\"c\": 'x y'\nd:\ne: ~\n"), @"a@1:1+1 1.10@1:4+4 b@2:1+1 no@2:5+2 true!@2:9+4 0x1F@2:15+4 007@2:21+3 c@3:1+3 x y@3:6+5 d@4:1+1 null@4:2+0 e@5:1+1 null@5:4+1");
    }

    #[test]
    fn aliases_and_merges_have_both_places() {
        insta::assert_snapshot!(shown("a: &x {k: v}\nb: *x\nc:\n  <<: *x\n  l: w\n"), @"a@1:1+1 k@1:8+1 v@1:11+1 b@2:1+1 k@2:4+2^1:8 v@2:4+2^1:11 c@3:1+1 l@5:3+1 w@5:6+1 k@4:7+2^1:8 v@4:7+2^1:11");
    }

    #[test]
    fn an_unfinished_text_is_not_empty() {
        for text in ["a: {", "a: [1,", "\"a", "a: 'b"] {
            assert_eq!(read(text).err().map(|d| d.code), Some("spec::syntax"), "{text}");
        }
        assert!(matches!(read("---\n# nothing\n").map(|n| n.data), Ok(Data::Null)));
    }

    #[test]
    fn a_tab_in_block_text_is_text() {
        assert!(read("html: |\n  <p>\n  \tcolour: red\n").is_ok());
        assert_eq!(read("a:\n\tb: c\n").err().map(|d| d.code), Some("spec::tab"));
    }

    /// The library loses places in some shapes of types: none of ours may be one.
    #[test]
    fn every_node_of_every_example_has_its_place() {
        fn walk(tree: &Spanned<Tree>, nodes: &mut usize) {
            assert!(tree.defined.line() > 0 && tree.referenced.line() > 0);
            assert!(tree.defined.span().byte_offset().is_some());
            *nodes += 1;
            match &tree.value {
                Tree::List(items) => items.iter().for_each(|item| walk(item, nodes)),
                Tree::Map(pairs) => pairs.iter().for_each(|(key, value)| {
                    walk(key, nodes);
                    walk(value, nodes);
                }),
                _ => {}
            }
        }
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/specs/examples");
        let files = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
        let mut nodes = 0;
        for file in files.filter(|f| f.extension().is_some_and(|e| e == "yaml")) {
            let text = std::fs::read_to_string(file).unwrap();
            walk(&serde_saphyr::from_str(&text).unwrap(), &mut nodes);
        }
        assert!(nodes > 300, "{nodes}");
    }

    #[test]
    fn repeated_keys_are_kept() {
        insta::assert_snapshot!(shown("a: 1\na: 2\n"), @"a@1:1+1 1@1:4+1 a@2:1+1 2@2:4+1");
    }
}
