//! How a node of the tree becomes a value: the reader, which collects every problem, and the macro that makes records.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use crate::{
    diag::{Diagnostic, Diagnostics, SourceText},
    spec::{
        place::{At, Locate as _, Place},
        tree::{Data, Node},
    },
};

/// Collects what goes wrong while one file is read, and which stretches of it must never be shown.
pub(in crate::spec) struct Reader {
    /// The file.
    pub source: Arc<SourceText>,
    /// What is wrong so far.
    pub problems: Diagnostics,
    /// Bytes of the file that may hold a secret.
    pub secrets: Vec<Range<usize>>,
}

/// Something that can be read from a node.
pub(in crate::spec) trait Read: Sized {
    /// Reads it, or reports why not.
    fn read(node: &Node, reader: &mut Reader) -> Option<Self>;
}

impl<T: Read> Read for At<T> {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        T::read(node, reader).map(|value| Self { value, place: node.place.clone() })
    }
}

impl<T: Read> Read for Box<T> {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        T::read(node, reader).map(Self::new)
    }
}

impl Reader {
    /// A reader of that file.
    pub fn new(source: Arc<SourceText>) -> Self {
        Self { source, problems: Diagnostics::default(), secrets: Vec::new() }
    }

    /// Reports a problem at a place.
    pub fn problem(&mut self, code: &'static str, message: String, place: &Place, label: &str, help: Option<String>) {
        let diagnostic = Diagnostic::error(code, message).locate(place, label);
        self.problems.push(match help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        });
    }

    /// Reports that something of another shape belongs here.
    pub fn wrong_type(&mut self, node: &Node, wanted: &str) {
        let label = format!("this is {}", node.data.word());
        self.problem("spec::wrong-type", format!("{wanted} belongs here"), &node.place, &label, None);
    }

    /// The entries of a mapping without the repeated ones, which are reported. Nothing counts as an empty mapping.
    pub fn entries<'n>(&mut self, node: &'n Node, wanted: &str) -> Option<Vec<(At<&'n str>, &'n Node)>> {
        let pairs = match &node.data {
            Data::Map(pairs) => pairs.as_slice(),
            Data::Null => &[],
            _ => {
                self.wrong_type(node, wanted);
                return None;
            }
        };
        let mut first: BTreeMap<&str, &Place> = BTreeMap::new();
        let mut out = Vec::with_capacity(pairs.len());
        for (key, value) in pairs {
            let Data::Scalar { text, .. } = &key.data else {
                self.wrong_type(key, "a plain key");
                continue;
            };
            if let Some(earlier) = first.get(text.as_str()) {
                let repeated = Diagnostic::error("spec::duplicate-key", format!("`{text}` is written twice"))
                    .locate(&key.place, "again here")
                    .locate(earlier, "first here");
                self.problems.push(repeated.help("keep one of them"));
                continue;
            }
            first.insert(text, &key.place);
            out.push((At { value: text.as_str(), place: key.place.clone() }, value));
        }
        Some(out)
    }

    /// Reports a key that nobody knows, with the known one that looks most like it.
    pub fn unknown_key(&mut self, key: &At<&str>, value: &Node, known: &[&str], whose: &str) {
        let best = suggest(key.value, known.iter().copied());
        if best.is_some_and(sounds_secret) {
            self.hide(value);
        }
        let help = match best {
            Some(best) => format!("did you mean `{best}`?"),
            None => format!("{whose} has the keys {}", listed(known)),
        };
        let message = format!("{whose} has no key `{}`", key.value);
        self.problem("spec::unknown-key", message, &key.place, "unknown key", Some(help));
    }

    /// Takes care that nothing is shown that stands behind a key that sounds like a secret, wherever it is.
    pub fn hide_what_sounds_secret(&mut self, node: &Node) {
        match &node.data {
            Data::Null | Data::Scalar { .. } => {}
            Data::List(items) => items.iter().for_each(|item| self.hide_what_sounds_secret(item)),
            Data::Map(pairs) => {
                for (key, value) in pairs {
                    let secret = matches!(&key.data, Data::Scalar { text, .. } if sounds_secret(text));
                    if secret && matches!(value.data, Data::Scalar { .. } | Data::List(_)) {
                        self.hide(value);
                    }
                    self.hide_what_sounds_secret(value);
                }
            }
        }
    }

    /// Takes care that no plain value at or below a node is ever shown.
    pub fn hide(&mut self, node: &Node) {
        match &node.data {
            Data::Null => {}
            Data::Scalar { .. } => {
                let written = node.place.defined.as_deref().unwrap_or(&node.place.span);
                self.secrets.push(written.offset..written.offset + written.len);
            }
            Data::List(items) => items.iter().for_each(|item| self.hide(item)),
            Data::Map(pairs) => pairs.iter().for_each(|(_, value)| self.hide(value)),
        }
    }
}

/// Whether a key sounds as if a secret stood behind it.
pub(in crate::spec) fn sounds_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["passw", "secret", "_key", "token", "credential"].iter().any(|word| key.contains(word))
}

/// The known word that looks most like a given one, if any does.
pub(in crate::spec) fn suggest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let allowed = match lower.chars().count() {
        0..=2 => 0,
        n => (n / 3).min(3),
    };
    // The start of a word means that word: `alias` is `aliases`.
    let begins = |candidate: &str| lower.len() > 3 && candidate.to_lowercase().starts_with(&lower);
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= allowed || begins(candidate))
        .min()
        .map(|(_, candidate)| candidate)
}

/// Words for a sentence: `a`, `b` and `c`.
pub(in crate::spec) fn listed<T: AsRef<str>>(words: &[T]) -> String {
    let quoted: Vec<_> = words.iter().map(|w| format!("`{}`", w.as_ref())).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

/// The keys of a record that were written and could not be read.
#[derive(Clone, Debug, Default)]
pub(in crate::spec) struct Broken(pub Vec<&'static str>);

impl Broken {
    /// Whether a key was written and could not be read, so that its absence is no news.
    pub fn has(&self, key: &str) -> bool {
        self.0.contains(&key)
    }
}

/// Makes a record: a struct whose fields may all be missing and know their places, how it is read, and its schema.
macro_rules! record {
    (
        $(#[$meta:meta])*
        $name:ident, $whose:literal {
            $($(#[$field_meta:meta])* $key:literal => $field:ident: $type:ty,)*
        }
    ) => {
        #[derive(Clone, Debug, Default, schemars::JsonSchema)]
        #[schemars(deny_unknown_fields)]
        $(#[$meta])*
        pub(in crate::spec) struct $name {
            $(
                $(#[$field_meta])*
                #[schemars(rename = $key)]
                pub $field: Option<$crate::spec::place::At<$type>>,
            )*
            /// The keys that were written and could not be read: what is wrong with them is already reported.
            #[schemars(skip)]
            pub broken: $crate::spec::raw::read::Broken,
        }

        impl $name {
            /// The keys it knows.
            pub const KEYS: &'static [&'static str] = &[$($key),*];
        }

        impl $crate::spec::raw::read::Read for $name {
            fn read(
                node: &$crate::spec::tree::Node,
                reader: &mut $crate::spec::raw::read::Reader,
            ) -> Option<Self> {
                let mut out = Self::default();
                for (key, value) in reader.entries(node, concat!("a mapping for ", $whose))? {
                    if matches!(value.data, $crate::spec::tree::Data::Null) && Self::KEYS.contains(&key.value) {
                        continue;
                    }
                    match key.value {
                        $($key => {
                            out.$field = $crate::spec::raw::read::Read::read(value, reader);
                            if out.$field.is_none() {
                                out.broken.0.push($key);
                            }
                        })*
                        _ => reader.unknown_key(&key, value, Self::KEYS, $whose),
                    }
                }
                Some(out)
            }
        }
    };
}
pub(super) use record;
