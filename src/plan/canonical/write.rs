//! Values as canonical JSON text.
//!
//! serde gives the fields of a struct in the order in which they are declared, and nothing can be put in order before an
//! object has ended. So the text is first written as it comes, with a note of where each object and each entry begins and
//! ends, and then taken over once, entry by entry, in order.

use std::ops::Range;

use serde::{
    Serialize, Serializer,
    ser::{
        Error as _, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
        SerializeTupleStruct, SerializeTupleVariant,
    },
};
use serde_json::{Error, Result};

/// Canonical JSON text, value behind value.
#[derive(Default)]
pub(super) struct Writer {
    /// The text so far.
    pub(super) text: Vec<u8>,
    /// The value that is being written.
    draft: Unordered,
}

impl Writer {
    /// Writes a value.
    pub(super) fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.draft.clear();
        value.serialize(&mut self.draft)?;
        let whole = Part { text: 0..self.draft.text.len(), objects: 0..self.draft.objects.len() };
        self.draft.take_over(&whole, &mut self.text);
        Ok(())
    }
}

/// One value, its objects not yet in order.
#[derive(Default)]
struct Unordered {
    text: Vec<u8>,
    /// In the order in which they begin.
    objects: Vec<Object>,
    /// The entries of the objects that have ended, those of one object in order and side by side.
    entries: Vec<Entry>,
    /// The entries of the objects that are open, innermost last.
    open: Vec<Entry>,
}

/// A stretch of the text and the objects that begin in it, by number.
#[derive(Default)]
struct Part {
    text: Range<usize>,
    objects: Range<usize>,
}

struct Object {
    /// Without the braces: how they are written does not depend on what is inside.
    text: Range<usize>,
    /// The number of the first object that is not inside.
    next: usize,
    entries: Range<usize>,
}

/// `"key":value`.
struct Entry {
    /// The first eight octets of the key, as a number that compares as they do.
    head: u64,
    key: Range<usize>,
    part: Part,
}

impl Unordered {
    fn clear(&mut self) {
        self.text.clear();
        self.objects.clear();
        self.entries.clear();
        self.open.clear();
    }

    /// Copies a part with its objects in order.
    fn take_over(&self, part: &Part, to: &mut Vec<u8>) {
        let (mut at, mut number) = (part.text.start, part.objects.start);
        while number < part.objects.end {
            let object = &self.objects[number];
            to.extend_from_slice(&self.text[at..object.text.start]);
            for (n, entry) in self.entries[object.entries.clone()].iter().enumerate() {
                if n > 0 {
                    to.push(b',');
                }
                self.take_over(&entry.part, to);
            }
            (at, number) = (object.text.end, object.next);
        }
        to.extend_from_slice(&self.text[at..part.text.end]);
    }

    fn string(&mut self, text: &str) -> Result<()> {
        if !is_plain(text.as_bytes()) {
            return serde_json::to_writer(&mut self.text, text);
        }
        self.text.push(b'"');
        self.text.extend_from_slice(text.as_bytes());
        self.text.push(b'"');
        Ok(())
    }

    /// Gives what [`object_ends`](Self::object_ends) has to be told.
    fn object_begins(&mut self) -> Begun {
        self.text.push(b'{');
        let at = self.text.len();
        self.objects.push(Object { text: at..at, next: 0, entries: 0..0 });
        Begun { object: self.objects.len() - 1, open: self.open.len() }
    }

    fn key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
        let begun = self.text.len();
        key.serialize(&mut *self)?;
        match self.text.get(begun) {
            Some(b'"') => {}
            // A number or a truth value.
            Some(b'-' | b'0'..=b'9' | b't' | b'f') => {
                self.text.insert(begun, b'"');
                self.text.push(b'"');
            }
            _ => return Err(Error::custom("a key of an object is a string")),
        }
        self.key_ends(begun);
        Ok(())
    }

    fn name(&mut self, name: &str) -> Result<()> {
        let begun = self.text.len();
        self.string(name)?;
        self.key_ends(begun);
        Ok(())
    }

    fn key_ends(&mut self, begun: usize) {
        // As it stands between the quotes.
        let key = begun + 1..self.text.len() - 1;
        let mut head = [0; 8];
        let octets = &self.text[key.clone()];
        let n = octets.len().min(8);
        head[..n].copy_from_slice(&octets[..n]);
        let part = Part { text: begun..begun, objects: self.objects.len()..self.objects.len() };
        self.open.push(Entry { head: u64::from_be_bytes(head), key, part });
        self.text.push(b':');
    }

    fn entry_ends(&mut self) {
        let (text, objects) = (self.text.len(), self.objects.len());
        if let Some(entry) = self.open.last_mut() {
            (entry.part.text.end, entry.part.objects.end) = (text, objects);
        }
    }

    fn object_ends(&mut self, begun: &Begun) {
        let text = &self.text;
        let order =
            |a: &Entry, b: &Entry| a.head.cmp(&b.head).then_with(|| text[a.key.clone()].cmp(&text[b.key.clone()]));
        self.open[begun.open..].sort_by(order);
        let first = self.entries.len();
        self.entries.extend(self.open.drain(begun.open..));
        let next = self.objects.len();
        let object = &mut self.objects[begun.object];
        object.entries = first..self.entries.len();
        object.next = next;
        object.text.end = self.text.len();
        self.text.push(b'}');
    }
}

/// Whether a string stands between its quotes as it is.
fn is_plain(text: &[u8]) -> bool {
    let escaped = |octet: &u8| (*octet < 0x20) | (*octet == b'"') | (*octet == b'\\');
    // Sixteen at once, without a decision in between.
    let (many, rest) = text.as_chunks::<16>();
    let any = |octets: &[u8]| octets.iter().fold(false, |found, octet| found | escaped(octet));
    !many.iter().any(|octets| any(octets)) && !any(rest)
}

/// An object that has begun: its number, and how many entries of others were open.
struct Begun {
    object: usize,
    open: usize,
}

/// What is open while its values come.
struct Open<'d> {
    draft: &'d mut Unordered,
    first: bool,
    /// The object that it is, unless it is a list.
    object: Option<Begun>,
    /// The object around it, where it is what a variant holds.
    variant: Option<Begun>,
}

impl<'d> Open<'d> {
    fn list(draft: &'d mut Unordered, variant: Option<Begun>) -> Self {
        draft.text.push(b'[');
        Self { draft, first: true, object: None, variant }
    }

    fn object(draft: &'d mut Unordered, variant: Option<Begun>) -> Self {
        let object = Some(draft.object_begins());
        Self { draft, first: true, object, variant }
    }

    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        if !std::mem::take(&mut self.first) {
            self.draft.text.push(b',');
        }
        value.serialize(&mut *self.draft)
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        value.serialize(&mut *self.draft)?;
        self.draft.entry_ends();
        Ok(())
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<()> {
        self.draft.name(name)?;
        self.value(value)
    }

    fn close(self) {
        match &self.object {
            Some(object) => self.draft.object_ends(object),
            None => self.draft.text.push(b']'),
        }
        if let Some(variant) = &self.variant {
            self.draft.entry_ends();
            self.draft.object_ends(variant);
        }
    }
}

impl Unordered {
    /// The object that holds what a variant holds, under its name.
    fn variant_begins(&mut self, name: &str) -> Result<Begun> {
        let begun = self.object_begins();
        self.name(name)?;
        Ok(begun)
    }
}

/// Numbers of every kind, as serde_json writes them.
macro_rules! numbers {
    ($($each:ident $of:ident)*) => { $(
        fn $each(self, value: $of) -> Result<()> {
            serde_json::to_writer(&mut self.text, &value)
        }
    )* };
}

/// The form of everything is that of serde_json.
impl<'d> Serializer for &'d mut Unordered {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Open<'d>;
    type SerializeTuple = Open<'d>;
    type SerializeTupleStruct = Open<'d>;
    type SerializeTupleVariant = Open<'d>;
    type SerializeMap = Open<'d>;
    type SerializeStruct = Open<'d>;
    type SerializeStructVariant = Open<'d>;

    fn serialize_bool(self, value: bool) -> Result<()> {
        self.text.extend_from_slice(if value { b"true" } else { b"false" });
        Ok(())
    }

    numbers!(serialize_i8 i8 serialize_i16 i16 serialize_i32 i32 serialize_i64 i64 serialize_i128 i128);
    numbers!(serialize_u8 u8 serialize_u16 u16 serialize_u32 u32 serialize_u64 u64 serialize_u128 u128);
    numbers!(serialize_f32 f32 serialize_f64 f64);

    fn serialize_char(self, value: char) -> Result<()> {
        self.string(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<()> {
        self.string(value)
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<()> {
        self.collect_seq(value)
    }

    fn serialize_none(self) -> Result<()> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<()> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<()> {
        self.text.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<()> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<()> {
        self.string(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<()> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<()> {
        let begun = self.variant_begins(variant)?;
        value.serialize(&mut *self)?;
        self.entry_ends();
        self.object_ends(&begun);
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Open<'d>> {
        Ok(Open::list(self, None))
    }

    fn serialize_tuple(self, _: usize) -> Result<Open<'d>> {
        Ok(Open::list(self, None))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Open<'d>> {
        Ok(Open::list(self, None))
    }

    fn serialize_tuple_variant(self, _: &'static str, _: u32, variant: &'static str, _: usize) -> Result<Open<'d>> {
        let begun = self.variant_begins(variant)?;
        Ok(Open::list(self, Some(begun)))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Open<'d>> {
        Ok(Open::object(self, None))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Open<'d>> {
        Ok(Open::object(self, None))
    }

    fn serialize_struct_variant(self, _: &'static str, _: u32, variant: &'static str, _: usize) -> Result<Open<'d>> {
        let begun = self.variant_begins(variant)?;
        Ok(Open::object(self, Some(begun)))
    }
}

/// The same for each of serde's words for a list.
macro_rules! list {
    ($($of:ident :: $each:ident)*) => { $(
        impl $of for Open<'_> {
            type Ok = ();
            type Error = Error;

            fn $each<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
                self.item(value)
            }

            fn end(self) -> Result<()> {
                self.close();
                Ok(())
            }
        }
    )* };
}

list!(SerializeSeq::serialize_element SerializeTuple::serialize_element);
list!(SerializeTupleStruct::serialize_field SerializeTupleVariant::serialize_field);

/// And for an object with names.
macro_rules! object {
    ($($of:ident)*) => { $(
        impl $of for Open<'_> {
            type Ok = ();
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<()> {
                self.field(name, value)
            }

            fn end(self) -> Result<()> {
                self.close();
                Ok(())
            }
        }
    )* };
}

object!(SerializeStruct SerializeStructVariant);

impl SerializeMap for Open<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
        self.draft.key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.value(value)
    }

    fn end(self) -> Result<()> {
        self.close();
        Ok(())
    }
}
