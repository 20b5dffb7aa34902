//! Canonical JSON on its way into a digest, without a tree in between.
//!
//! The form: no insignificant space; the keys of every object in the order of their octets (as they stand between the
//! quotes); strings escaped as little as RFC 8259 section 7 allows; whole numbers only. It is the form of RFC 8785 for
//! everything that a plan can hold: its keys are ASCII, and it has no floating-point numbers.

mod write;

use std::{sync::mpsc, thread};

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::{hands::MANY, model::Digest};
use write::Writer;

/// A digest that takes JSON piece by piece. Memory is bounded by the largest single item.
#[derive(Default)]
pub(super) struct Canonical {
    hash: Sha256,
    /// What is not hashed yet: a digest takes large pieces much faster than small ones.
    pending: Writer,
}

impl Canonical {
    const PIECE: usize = 1 << 16;

    /// Text that is JSON already.
    pub(super) fn raw(&mut self, json: &str) {
        self.pending.text.extend_from_slice(json.as_bytes());
    }

    /// One value, whole.
    pub(super) fn item<T: Serialize + ?Sized>(&mut self, item: &T) -> serde_json::Result<()> {
        self.pending.value(item)?;
        if self.pending.text.len() >= Self::PIECE {
            self.hash_pending();
        }
        Ok(())
    }

    /// A list, hashed item by item.
    pub(super) fn list<T: Serialize + Sync>(&mut self, items: &[T]) -> serde_json::Result<()> {
        if items.len() >= MANY {
            return self.long_list(items);
        }
        let mut before = "[";
        for item in items {
            self.raw(before);
            self.item(item)?;
            before = ",";
        }
        self.raw(if items.is_empty() { "[]" } else { "]" });
        Ok(())
    }

    /// The same, of which another hand writes two shares of three; this one hashes besides.
    fn long_list<T: Serialize + Sync>(&mut self, items: &[T]) -> serde_json::Result<()> {
        thread::scope(|scope| {
            let (full, pieces) = mpsc::sync_channel(AHEAD);
            scope.spawn(move || {
                let others = items.chunks(3 * SHARE).filter_map(|three| three.get(SHARE..).filter(|o| !o.is_empty()));
                // Nobody takes more when this hand has failed.
                others.map(piece).try_for_each(|piece| full.send(piece))
            });
            let mut before = b'[';
            for three in items.chunks(3 * SHARE) {
                let (own, others) = three.split_at(three.len().min(SHARE));
                write_all(&mut self.pending, before, own)?;
                before = b',';
                self.hash_pending();
                if !others.is_empty() {
                    self.hash.update(pieces.recv().expect("the other hand writes what follows")?);
                }
            }
            Ok(())
        })?;
        self.raw("]");
        Ok(())
    }

    fn hash_pending(&mut self) {
        let pending = &mut self.pending.text;
        self.hash.update(&pending);
        pending.clear();
    }

    /// An object whose keys come in order, hashed entry by entry.
    pub(super) fn entries<'e, K: Serialize + 'e, V: Serialize + 'e>(
        &mut self,
        entries: impl Iterator<Item = (&'e K, &'e V)>,
    ) -> serde_json::Result<()> {
        self.raw("{");
        let mut before = "";
        for (key, value) in entries {
            self.raw(before);
            self.item(key)?;
            self.raw(":");
            self.item(value)?;
            before = ",";
        }
        self.raw("}");
        Ok(())
    }

    pub(super) fn digest(mut self) -> Digest {
        self.hash_pending();
        Digest(self.hash.finalize().into())
    }
}

/// How many items one hand writes before it is another one's turn.
const SHARE: usize = 256;
/// How many written shares may wait to be hashed.
const AHEAD: usize = 4;

/// Items as they stand in a list behind others.
fn piece<T: Serialize>(items: &[T]) -> serde_json::Result<Vec<u8>> {
    let mut out = Writer::default();
    write_all(&mut out, b',', items)?;
    Ok(out.text)
}

fn write_all<T: Serialize>(to: &mut Writer, mut before: u8, items: &[T]) -> serde_json::Result<()> {
    for item in items {
        to.text.push(before);
        to.value(item)?;
        before = b',';
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::plan::MANY;

    fn canonical<T: Serialize>(value: &T) -> String {
        let mut out = Canonical::default();
        out.item(value).unwrap();
        String::from_utf8(out.pending.text).unwrap()
    }

    #[derive(Serialize)]
    #[serde(tag = "kind", rename_all = "snake_case")]
    enum Shape {
        Unit,
        Named { zebra: u8, apple: Option<&'static str> },
    }

    #[derive(Serialize)]
    enum Plain {
        Named { b: u8, a: u8 },
        Tuple(u8, bool),
    }

    #[test]
    fn keys_are_in_order_at_every_depth() {
        let value = (
            Shape::Unit,
            Shape::Named { zebra: 1, apple: None },
            [Plain::Named { b: 2, a: 1 }, Plain::Tuple(3, true)],
            json!({ "z": { "b\n": "\u{1}\"\\é", "a": [] }, "ab": {}, "a": -1 }),
        );
        assert_eq!(
            canonical(&value),
            concat!(
                r#"[{"kind":"unit"},{"apple":null,"kind":"named","zebra":1},"#,
                r#"[{"Named":{"a":1,"b":2}},{"Tuple":[3,true]}],"#,
                r#"{"a":-1,"ab":{},"z":{"a":[],"b\n":"\u0001\"\\é"}}]"#
            )
        );
    }

    #[test]
    fn keys_are_strings_whatever_they_were() {
        let numbers = BTreeMap::from([(10, 'a'), (-9, 'b'), (9, 'c')]);
        assert_eq!(canonical(&numbers), r#"{"-9":"b","10":"a","9":"c"}"#);
        assert_eq!(canonical(&BTreeMap::from([(true, ()), (false, ())])), r#"{"false":null,"true":null}"#);
        let lists = BTreeMap::from([([1], 1)]);
        assert!(Canonical::default().item(&lists).is_err());
    }

    #[test]
    fn a_string_is_escaped_wherever_it_needs_it() {
        for at in 0..40 {
            let text = format!("{}\n\u{7f}\"é{}", "x".repeat(at), "\\".repeat(at % 3));
            assert_eq!(canonical(&text), serde_json::to_string(&text).unwrap());
            let text = "x".repeat(at);
            assert_eq!(canonical(&[&text, &text]), format!("[\"{text}\",\"{text}\"]"));
        }
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,40}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::vec(("[a-e\"]{0,12}", inner), 0..6)
                    .prop_map(|all| Value::Object(all.into_iter().collect())),
            ]
        })
    }

    /// The entries of every object, last first.
    struct Backwards<'v>(&'v Value);

    impl Serialize for Backwards<'_> {
        fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            match self.0 {
                Value::Object(map) => to.collect_map(map.iter().rev().map(|(k, v)| (k, Backwards(v)))),
                Value::Array(items) => to.collect_seq(items.iter().map(Backwards)),
                other => other.serialize(to),
            }
        }
    }

    #[test]
    fn a_long_list_has_the_digest_of_its_text() {
        for n in [0, 1, MANY - 1, MANY, 10 * MANY] {
            let items: Vec<_> = (0..n).map(|n| json!({ "number": n, "b": "x", "a": ["y"] })).collect();
            let mut out = Canonical::default();
            out.raw("{\"list\":");
            out.list(&items).unwrap();
            out.raw("}");
            let text = serde_json::to_string(&json!({ "list": items })).unwrap();
            assert_eq!(out.digest(), Digest::of(text.as_bytes()), "{n}");
        }
    }

    proptest! {
        #[test]
        fn the_order_of_writing_does_not_matter_and_the_value_is_the_same(value in any_value()) {
            let text = canonical(&value);
            prop_assert_eq!(&text, &canonical(&Backwards(&value)));
            prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        }
    }
}
