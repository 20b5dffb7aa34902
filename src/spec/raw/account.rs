//! `accounts:` and the `defaults:` of accounts as they were written.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{
    filter::Filter,
    leaf::List,
    read::{Read, Reader, record},
    secret::{Password, SourceAccess},
    size::Size,
};
use crate::{
    model::{AclChoice, Address, Right},
    spec::{
        place::At,
        tree::{Data, Node},
        types::{Presence, VerifyLevel},
    },
};

record! {
    /// One account.
    Account, "an account" {
        /// Whether it should exist. The default is present; absent deletes it, behind guards.
        "state" => state: Presence,
        /// The name that recipients see.
        "name" => name: String,
        /// First name.
        "first_name" => first_name: String,
        /// Last name.
        "last_name" => last_name: String,
        /// The size limit of the mailbox.
        "quota" => quota: Size,
        /// Whether the directory hides it.
        "hidden" => hidden: bool,
        /// Where the password of a new account comes from.
        "password" => password: Password,
        /// Its mail.
        "mail" => mail: Box<Mail>,
        /// Its other addresses. Left out, they are not managed.
        "aliases" => aliases: List<Address>,
        /// Rights of other accounts on this one. Left out, they are not managed.
        "delegates" => delegates: List<Delegate>,
        /// The slot to use, when not simply the next free one.
        "slot" => slot: String,
        /// The kind of slot to use, such as STARTER or PRO.
        "offer" => offer: String,
        /// It must never be reset or deleted, also after this block is gone.
        "protect" => protect: bool,
    }
}

record! {
    /// The mail of an account.
    Mail, "`mail`" {
        /// The account does not take part in the migration of its domain.
        "skip" => skip: bool,
        /// The password of the account on the platform it leaves.
        "source_password" => source_password: SourceAccess,
        /// The address of the source, when it is another one.
        "source_address" => source_address: Address,
        /// Which mail is copied, and which folders get another name.
        "filter" => filter: Filter,
        /// How far the copy is proved: `bytes` (the default) or `counts`.
        "verify" => verify: VerifyLevel,
        /// The rights that others have on folders: `leave` (the default), `report` or `copy`.
        "acl" => acl: AclChoice,
    }
}

record! {
    /// Rights of one other account.
    Delegate, "a delegate" {
        /// The account that gets the rights.
        #[schemars(required)]
        "to" => to: Address,
        /// The rights.
        #[schemars(required)]
        "rights" => rights: List<Right>,
    }
}

record! {
    /// What accounts have unless they say otherwise. References to secrets may hold {local}, {address} and {domain}.
    Defaults, "`defaults`" {
        /// Where the passwords of new accounts come from.
        "password" => password: Password,
        /// Their mail.
        "mail" => mail: DefaultMail,
        /// The size limit of the mailbox.
        "quota" => quota: Size,
        /// The kind of slot to use.
        "offer" => offer: String,
        /// Whether the directory hides them.
        "hidden" => hidden: bool,
    }
}

record! {
    /// The mail of accounts that do not say otherwise.
    DefaultMail, "`mail`" {
        /// The accounts do not take part in the migration of their domain.
        "skip" => skip: bool,
        /// The passwords of the accounts on the platform they leave.
        "source_password" => source_password: SourceAccess,
        /// Which mail is copied, and which folders get another name.
        "filter" => filter: Filter,
        /// How far the copy is proved: `bytes` (the default) or `counts`.
        "verify" => verify: VerifyLevel,
        /// The rights that others have on folders: `leave` (the default), `report` or `copy`.
        "acl" => acl: AclChoice,
    }
}

/// An account as a block, as nothing at all, or as its name alone.
#[derive(Clone, Debug, Default)]
pub(in crate::spec) struct AccountEntry(pub Account);

impl Read for AccountEntry {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        if matches!(node.data, Data::Scalar { .. }) {
            return Some(Self(Account { name: At::read(node, reader), ..Account::default() }));
        }
        Account::read(node, reader).map(Self)
    }
}

impl JsonSchema for AccountEntry {
    fn schema_name() -> Cow<'static, str> {
        "AccountEntry".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let account = generator.subschema_for::<Account>();
        json_schema!({ "anyOf": [
            account,
            { "type": "string", "description": "The name that recipients see; everything else by default." },
            { "type": "null", "description": "Everything by default." },
        ] })
    }
}
