//! One file as it was written, and the objects that are neither platforms, domains nor accounts.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{
    account::{AccountEntry, Defaults},
    domain::Domain,
    gate::Gates,
    hook::Hooks,
    leaf::{List, Named, Number, OneOrMany},
    platform::Platform,
    read::{Read, Reader, record},
};
use crate::{
    model::{Address, GroupJoin, GroupLeave, PlatformId},
    spec::{
        place::At,
        tree::Node,
        types::{OVH_ZONE, Presence, RFC_2136},
    },
};

/// Who can write a zone.
pub(in crate::spec) const ZONE_WRITERS: [&str; 2] = [OVH_ZONE, RFC_2136];

/// The version of the language that this build reads.
pub(in crate::spec) const VERSION: u64 = 1;

record! {
    /// What should be: platforms, domains, accounts and what belongs to them. Keys that begin with x- are ignored and
    /// may hold anchors.
    #[schemars(title = "rehome spec", extend("patternProperties" = { "^x-": true }))]
    Document, "a spec" {
        /// The version of this language.
        #[schemars(required, extend("const" = VERSION))]
        "version" => version: Number,
        /// What accounts have unless their domain or they say otherwise.
        "defaults" => defaults: Defaults,
        /// The mail platforms, by a name that you choose.
        "platforms" => platforms: Named<Platform>,
        /// The mail domains.
        "domains" => domains: Named<Domain>,
        /// The accounts by address. A name alone, or nothing, is enough where defaults say the rest.
        "accounts" => accounts: Named<AccountEntry>,
        /// More accounts, from a table.
        "accounts_from" => accounts_from: OneOrMany<PeopleFile>,
        /// Addresses whose mail goes elsewhere.
        "redirections" => redirections: Named<Redirection>,
        /// Distribution groups and mailing lists by address.
        "groups" => groups: Named<Group>,
        /// External contacts of a platform's directory, by address.
        "contacts" => contacts: Named<Contact>,
        /// What holds actions up although nothing is wrong.
        "gates" => gates: Gates,
        /// Programs that are told what happens, and may forbid it.
        "hooks" => hooks: Hooks,
    }
}

record! {
    /// A table of accounts.
    PeopleFile, "`accounts_from`" {
        /// The CSV file, from the folder of the spec.
        #[schemars(required)]
        "csv" => csv: String,
        /// The headers of the table, by the name of what they hold: `address: E-Mail`.
        "columns" => columns: Columns,
        /// What separates the fields. The default is found in the first line.
        "delimiter" => delimiter: String,
    }
}

record! {
    /// An address whose mail goes elsewhere.
    Redirection, "a redirection" {
        /// Whether it should exist. The default is present.
        "state" => state: Presence,
        /// Where mail goes.
        "to" => to: List<Address>,
        /// Whether a copy stays in the mailbox of the same address. The default is false.
        "keep_copy" => keep_copy: bool,
        /// The platform that redirects. The default is the domain's.
        "via" => via: PlatformId,
    }
}

record! {
    /// A distribution group or mailing list.
    Group, "a group" {
        /// Whether it should exist. The default is present.
        "state" => state: Presence,
        /// The name that recipients see.
        "name" => name: String,
        /// Who gets its mail. Left out, members are not managed.
        "members" => members: List<Address>,
        /// Who manages it. Left out, managers are not managed.
        "managers" => managers: List<Address>,
        /// Whether only users of the platform may write to it.
        "members_only" => members_only: bool,
        /// Who may join.
        "join" => join: GroupJoin,
        /// Whether members may leave by themselves.
        "leave" => leave: GroupLeave,
        /// Whether the directory hides it.
        "hidden" => hidden: bool,
        /// The largest message it takes, in MB.
        "max_receive_mb" => max_receive_mb: Number,
        /// The platform that holds it. The default is the domain's.
        "via" => via: PlatformId,
    }
}

record! {
    /// An external contact.
    Contact, "a contact" {
        /// Whether it should exist. The default is present.
        "state" => state: Presence,
        /// The platform whose directory holds it.
        #[schemars(required)]
        "platform" => platform: PlatformId,
        /// The name that people see.
        "name" => name: String,
        /// First name.
        "first_name" => first_name: String,
        /// Last name.
        "last_name" => last_name: String,
        /// Whether the directory hides it.
        "hidden" => hidden: bool,
    }
}

impl Read for PlatformId {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        String::read(node, reader).map(Self::from)
    }
}

/// The fields that a table may have. `aliases` holds several, separated by spaces or `;`. `password_file` generates the
/// password and delivers it to that file.
pub(in crate::spec) const FIELDS: [&str; 17] = [
    "address",
    "state",
    "name",
    "first_name",
    "last_name",
    "quota",
    "hidden",
    "aliases",
    "slot",
    "offer",
    "protect",
    "skip",
    "source_address",
    "source_password_env",
    "source_password_file",
    "password_env",
    "password_file",
];

/// The headers of a table, by field.
#[derive(Clone, Debug, Default)]
pub(in crate::spec) struct Columns(pub Vec<(At<String>, At<String>)>);

impl Read for Columns {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let mut out = Vec::new();
        for (field, header) in reader.entries(node, "a mapping of columns")? {
            if !FIELDS.contains(&field.value) {
                reader.unknown_key(&field, header, &FIELDS, "a table of accounts");
            } else if let Some(header) = At::read(header, reader) {
                out.push((field.map(ToOwned::to_owned), header));
            }
        }
        Some(Self(out))
    }
}

impl JsonSchema for Columns {
    fn schema_name() -> Cow<'static, str> {
        "Columns".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let fields: serde_json::Map<_, _> =
            FIELDS.iter().map(|field| ((*field).to_owned(), serde_json::json!({ "type": "string" }))).collect();
        json_schema!({ "type": "object", "properties": fields, "additionalProperties": false })
    }
}
