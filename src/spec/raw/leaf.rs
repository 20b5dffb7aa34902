//! Values without inner structure, lists and maps.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::read::{Read, Reader, listed, suggest};
use crate::{
    model::{
        AclChoice, Address, ApprovalGate, DnsTopic, Domain, DomainType, GmailLabels, GroupJoin, GroupLeave,
        ImapSecurity, PlatformKind, Right,
    },
    spec::{
        place::At,
        tree::{Data, Node},
        types::{Presence, SourceFate, Strategy, VerifyLevel},
    },
};

/// The text of a plain value.
pub(super) fn scalar<'n>(node: &'n Node, reader: &mut Reader, wanted: &str) -> Option<&'n str> {
    if let Data::Scalar { text, .. } = &node.data {
        Some(text)
    } else {
        reader.wrong_type(node, wanted);
        None
    }
}

impl Read for String {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        scalar(node, reader, "text").map(ToOwned::to_owned)
    }
}

impl Read for bool {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        match &node.data {
            Data::Scalar { truth: Some(truth), .. } => Some(*truth),
            Data::Scalar { text, .. } => {
                let message = format!("`{text}` is neither `true` nor `false`");
                reader.problem("spec::bad-boolean", message, &node.place, "write `true` or `false`", None);
                None
            }
            _ => {
                reader.wrong_type(node, "`true` or `false`");
                None
            }
        }
    }
}

/// A whole number.
#[derive(Clone, Copy, Debug)]
pub(in crate::spec) struct Number(pub u64);

impl Read for Number {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = scalar(node, reader, "a number")?;
        let number = text.parse().ok().map(Self);
        if number.is_none() {
            let message = format!("`{text}` is not a whole number");
            reader.problem("spec::bad-number", message, &node.place, "a whole number belongs here", None);
        }
        number
    }
}

impl JsonSchema for Number {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Number".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 0 })
    }
}

impl Read for Address {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = scalar(node, reader, "an address")?;
        address(text, node, reader)
    }
}

fn address(text: &str, node: &Node, reader: &mut Reader) -> Option<Address> {
    match Address::parse(text) {
        Ok(address) => Some(address),
        Err(error) => {
            reader.problem("spec::bad-address", error.to_string(), &node.place, "not an address", None);
            None
        }
    }
}

impl Read for Domain {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = scalar(node, reader, "a domain")?;
        match Self::parse(text) {
            Ok(domain) => Some(domain),
            Err(error) => {
                reader.problem("spec::bad-domain", error.to_string(), &node.place, "not a domain", None);
                None
            }
        }
    }
}

/// A value that is one of a few words.
pub(in crate::spec) trait Word: Copy + 'static {
    /// What it is, for messages.
    const WHAT: &'static str;
    /// The words and what they mean.
    const WORDS: &'static [(&'static str, Self)];
}

/// Reads one of a few words.
pub(in crate::spec) fn word<T: Word>(text: &str) -> Option<T> {
    T::WORDS.iter().find(|(word, _)| *word == text).map(|(_, value)| *value)
}

/// The message and the help for a word that is none of those.
pub(in crate::spec) fn not_a_word<T: Word>(text: &str) -> (String, String) {
    let known: Vec<_> = T::WORDS.iter().map(|(word, _)| *word).collect();
    let help = match suggest(text, known.iter().copied()) {
        Some(best) => format!("did you mean `{best}`?"),
        None => format!("{} is one of {}", T::WHAT, listed(&known)),
    };
    (format!("`{text}` is not {}", T::WHAT), help)
}

macro_rules! words {
    ($($type:ty, $what:literal: $($word:literal => $value:expr),+;)*) => {$(
        impl Word for $type {
            const WHAT: &'static str = $what;
            const WORDS: &'static [(&'static str, Self)] = &[$(($word, $value)),+];
        }

        impl Read for $type {
            fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
                let text = scalar(node, reader, $what)?;
                let found = word(text);
                if found.is_none() {
                    let (message, help) = not_a_word::<Self>(text);
                    reader.problem("spec::unknown-word", message, &node.place, "unknown word", Some(help));
                }
                found
            }
        }
    )*};
}

words! {
    PlatformKind, "a kind of platform":
        "ovh-exchange" => Self::OvhExchange, "ovh-email-pro" => Self::OvhEmailPro, "ovh-mxplan" => Self::OvhMxplan,
        "ovh-mxplan-legacy" => Self::OvhMxplanLegacy, "ovh-zimbra" => Self::OvhZimbra, "imap" => Self::Imap;
    Presence, "a state": "present" => Self::Present, "absent" => Self::Absent;
    DomainType, "a domain type":
        "authoritative" => Self::Authoritative, "non-authoritative" => Self::NonAuthoritative;
    Strategy, "a strategy": "swap" => Self::Swap, "stage" => Self::Stage, "parallel" => Self::Parallel;
    VerifyLevel, "a level of proof": "bytes" => Self::Bytes, "counts" => Self::Counts;
    GmailLabels, "how often messages with labels are copied": "each" => Self::Each, "once" => Self::Once;
    AclChoice, "a choice about rights":
        "leave" => Self::Leave, "report" => Self::Report, "copy" => Self::Copy;
    SourceFate, "what becomes of a source": "keep" => Self::Keep, "reset" => Self::Reset;
    ApprovalGate, "a class of actions":
        "domain" => Self::Domain, "account" => Self::Account, "dependent" => Self::Dependent, "copy" => Self::Copy,
        "verify" => Self::Verify, "cutover" => Self::Cutover, "retire" => Self::Retire, "rollback" => Self::Rollback,
        "dns" => Self::Dns;
    DnsTopic, "a DNS check":
        "mx" => Self::Mx, "spf" => Self::Spf, "dkim" => Self::Dkim, "dmarc" => Self::Dmarc,
        "autodiscover" => Self::Autodiscover, "autoconfig" => Self::Autoconfig, "ownership" => Self::Ownership;
    Right, "a right": "full-access" => Self::FullAccess, "send-as" => Self::SendAs,
        "send-on-behalf" => Self::SendOnBehalf;
    GroupJoin, "a way to join": "open" => Self::Open, "closed" => Self::Closed, "approval" => Self::Approval;
    GroupLeave, "a way to leave": "open" => Self::Open, "closed" => Self::Closed;
    ImapSecurity, "a protection": "tls" => Self::Tls, "starttls" => Self::Starttls, "plain" => Self::Plain;
}

/// A list. What cannot be read is reported and left out.
#[derive(Clone, Debug)]
pub(in crate::spec) struct List<T>(pub Vec<At<T>>);

impl<T> List<T> {
    /// Its values.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|item| &item.value)
    }
}

impl<T: Read> Read for List<T> {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        match &node.data {
            Data::List(items) => Some(Self(items.iter().filter_map(|item| Read::read(item, reader)).collect())),
            Data::Scalar { text, .. } => {
                let help = format!("write it in brackets: [{text}]");
                reader.problem(
                    "spec::wrong-type",
                    "a list belongs here".to_owned(),
                    &node.place,
                    "this is a plain value",
                    Some(help),
                );
                None
            }
            _ => {
                reader.wrong_type(node, "a list");
                None
            }
        }
    }
}

impl<T: JsonSchema> JsonSchema for List<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("List_of_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let items = generator.subschema_for::<T>();
        json_schema!({ "type": "array", "items": items })
    }
}

/// One value or a list of them.
#[derive(Clone, Debug)]
pub(in crate::spec) struct OneOrMany<T>(pub Vec<At<T>>);

impl<T: Read> Read for OneOrMany<T> {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        match &node.data {
            Data::List(items) => Some(Self(items.iter().filter_map(|item| Read::read(item, reader)).collect())),
            _ => At::read(node, reader).map(|one| Self(vec![one])),
        }
    }
}

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("One_or_many_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let item = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [item, { "type": "array", "items": item }] })
    }
}

/// A mapping whose keys are names that the spec gives or addresses it speaks of. What cannot be read is reported and
/// left out; a name whose value cannot be read is kept, so that references to it are not reported too.
#[derive(Clone, Debug)]
pub(in crate::spec) struct Named<T>(pub Vec<(At<String>, T)>);

impl<T: Read + Default> Read for Named<T> {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let entries = reader.entries(node, "a mapping of names")?;
        Some(Self(
            entries
                .into_iter()
                .map(|(key, value)| (key.map(ToOwned::to_owned), T::read(value, reader).unwrap_or_default()))
                .collect(),
        ))
    }
}

impl<T: JsonSchema> JsonSchema for Named<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Named_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<T>();
        json_schema!({ "type": "object", "additionalProperties": value })
    }
}
