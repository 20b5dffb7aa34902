//! Takes care that no snippet shows a secret: the text of every diagnostic is replaced by one in which the stretches that
//! may hold secrets are stars. Offsets stay what they are.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use super::raw::sounds_secret;
use crate::diag::{Diagnostics, SourceText};

/// What is hidden, by file.
#[derive(Default)]
pub(super) struct Masks(Vec<(Arc<SourceText>, Vec<Range<usize>>)>);

impl Masks {
    /// Hides stretches of a file.
    pub fn add(&mut self, source: Arc<SourceText>, secrets: Vec<Range<usize>>) {
        if !secrets.is_empty() {
            self.0.push((source, secrets));
        }
    }

    /// Replaces the hidden files in all places of all diagnostics.
    pub fn apply(&self, diagnostics: &mut Diagnostics) {
        let masked: BTreeMap<*const SourceText, Arc<SourceText>> = self
            .0
            .iter()
            .map(|(source, secrets)| {
                let text = stars(&source.text, secrets);
                (Arc::as_ptr(source), Arc::new(SourceText { name: source.name.clone(), text }))
            })
            .collect();
        for label in diagnostics.0.iter_mut().flat_map(|d| &mut d.labels) {
            if let Some(hidden) = masked.get(&Arc::as_ptr(&label.span.source)) {
                label.span.source = Arc::clone(hidden);
            }
        }
    }
}

fn stars(text: &str, secrets: &[Range<usize>]) -> String {
    let mut hidden = vec![false; text.len()];
    for range in secrets {
        let end = range.end.min(text.len());
        if let Some(bytes) = hidden.get_mut(range.start.min(end)..end) {
            bytes.fill(true);
        }
    }
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        // Line ends stay, so that lines keep their numbers; a star per byte, so that offsets stay.
        if hidden.get(at).copied().unwrap_or(false) && !matches!(c, '\n' | '\r') {
            out.extend(std::iter::repeat_n('*', c.len_utf8()));
        } else {
            out.push(c);
        }
    }
    out
}

/// What may be secret in a text that is no YAML: whatever stands behind a key that sounds like one, unless it begins like
/// a reference or an alias. Rather too much than too little.
pub(super) fn guess(text: &str) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let mut offset = 0;
    let mut below: Option<usize> = None;
    for line in text.split_inclusive('\n') {
        let indent = line.len() - line.trim_start().len();
        if below.is_some_and(|key| indent > key || line.trim().is_empty()) {
            out.push(offset..offset + line.len());
        } else {
            below = None;
            let mut from = 0;
            while let Some(colon) = line.get(from..).and_then(|rest| rest.find(':')).map(|at| from + at) {
                let key = line.get(from..colon).unwrap_or("");
                let word = key.rsplit([' ', '{', ',', '[', '\t']).next().unwrap_or("");
                let value = line.get(colon + 1..).unwrap_or("");
                let begins = value.trim_start().chars().next();
                let reference = matches!(begins, None | Some('{' | '[' | '*' | '&' | '#'));
                if sounds_secret(word) && !reference {
                    out.push(offset + colon + 1..offset + line.len());
                    below = Some(indent);
                    break;
                }
                from = colon + 1;
            }
        }
        offset += line.len();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_keep_offsets_and_lines() {
        let text = "a: häß\nb";
        let hidden = stars(text, std::slice::from_ref(&(3..text.len())));
        assert_eq!(hidden, "a: *****\n*");
        assert_eq!(hidden.len(), text.len());
    }

    #[test]
    fn a_broken_file_hides_what_sounds_secret() {
        let text = "password: \"hunter2\nname: x\nsource_password: { env: A }\np: { consumer_key: abc, a: b }\ntoken: |\n  s3\nz: 1\n";
        let hidden = stars(text, &guess(text));
        for secret in ["hunter2", "abc", "s3"] {
            assert!(!hidden.contains(secret), "{hidden}");
        }
        for kept in ["name: x", "{ env: A }", "z: 1"] {
            assert!(hidden.contains(kept), "{hidden}");
        }
    }
}
