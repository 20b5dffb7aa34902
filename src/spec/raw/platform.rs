//! `platforms:` as it was written.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{
    leaf::Number,
    read::{Read, Reader, record},
    secret::Secret,
    size::Size,
};
use crate::{
    model::{ImapSecurity, PlatformKind},
    spec::{
        place::At,
        tree::{Data, Node},
    },
};

record! {
    /// One mail platform.
    Platform, "a platform" {
        /// Which kind of platform it is.
        #[schemars(required)]
        "kind" => kind: PlatformKind,
        /// The name of the service on the platform. The domain for ovh-mxplan-legacy, the platform's id for ovh-zimbra.
        "service" => service: String,
        /// ovh-exchange: the organisation, usually equal to the service.
        "organization" => organization: String,
        /// The API: ovh-eu, ovh-ca, ovh-us, or an URL that ends in /1.0. The default is ovh-eu.
        "endpoint" => endpoint: String,
        /// Where its mailboxes are opened. Needed for kind imap; otherwise the platform's own answer is used.
        "imap" => imap: Imap,
        /// Credentials of the API, or the platform whose credentials are used too.
        "credentials" => credentials: Credentials,
        /// A way into every mailbox of the platform, where it has one.
        "admin" => admin: Admin,
        /// Requests per minute that rehome allows itself on the API.
        "requests_per_minute" => requests_per_minute: Number,
        /// What its mail servers allow, or are to be allowed. What is known of the host is the default: Gmail's limits by
        /// the day.
        "limits" => limits: Limits,
    }
}

record! {
    /// Limits of connections and traffic to mailboxes.
    Limits, "`limits`" {
        /// Most that is read from one mailbox in 24 hours, such as `2500 MB`.
        "download_per_day" => download_per_day: Size,
        /// Most that is sent to one mailbox in 24 hours, such as `500 MB`.
        "upload_per_day" => upload_per_day: Size,
        /// Most connections to the host at a time, over all mailboxes. 0 is no limit.
        "connections" => connections: Number,
        /// Most connections to one mailbox at a time. The default is 6, 0 is no limit.
        "connections_per_login" => connections_per_login: Number,
        /// Most that goes to one mailbox, and from it, in a second, such as `500 KB`.
        "bytes_per_second" => bytes_per_second: Size,
    }
}

record! {
    /// A host that serves IMAP.
    Imap, "`imap`" {
        /// Host name or address.
        #[schemars(required)]
        "host" => host: String,
        /// TCP port. The default is 993 with tls, 143 otherwise.
        "port" => port: Number,
        /// How the connection is protected. The default is tls.
        "security" => security: ImapSecurity,
    }
}

record! {
    /// A way into every mailbox of a platform without its user's password: say one of the three.
    Admin, "`admin`" {
        /// Dovecot's master user: the login is `account*master`.
        "master" => master: Master,
        /// SASL PLAIN as an administrator who acts for the account.
        "authzid" => authzid: Authzid,
        /// A bearer token (OAuth 2.0) for each mailbox: read anew for each login, sent with OAUTHBEARER or XOAUTH2. The
        /// reference may hold {local}, {address} and {domain} of the mailbox.
        "token" => token: Secret,
    }
}

record! {
    /// Dovecot's master user.
    Master, "`master`" {
        /// The master user's name.
        #[schemars(required)]
        "user" => user: String,
        /// What stands between the account and the master user. The default is `*`.
        "separator" => separator: String,
        /// The master user's password.
        #[schemars(required)]
        "password" => password: Secret,
    }
}

record! {
    /// An administrator who acts for others.
    Authzid, "`authzid`" {
        /// The administrator's name.
        #[schemars(required)]
        "user" => user: String,
        /// The administrator's password.
        #[schemars(required)]
        "password" => password: Secret,
    }
}

/// The names that credentials have, by way of signing in.
pub(in crate::spec) const KEY_CREDENTIALS: [&str; 3] = ["application_key", "application_secret", "consumer_key"];
/// The same for a service account (OAuth2).
pub(in crate::spec) const CLIENT_CREDENTIALS: [&str; 2] = ["client_id", "client_secret"];

/// Credentials, or where else they stand.
#[derive(Clone, Debug)]
pub(in crate::spec) enum Credentials {
    /// Those of another platform.
    SameAs(At<String>),
    /// References by name.
    Own(Vec<(At<String>, Secret)>),
}

impl Read for Credentials {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        if matches!(node.data, Data::Scalar { .. } | Data::List(_)) {
            reader.hide(node);
        }
        let known: Vec<_> = KEY_CREDENTIALS.into_iter().chain(CLIENT_CREDENTIALS).chain(["same_as"]).collect();
        let (mut same_as, mut own) = (None, Vec::new());
        for (key, value) in reader.entries(node, "a mapping of credentials")? {
            if key.value == "same_as" {
                same_as = Some((key, At::<String>::read(value, reader)));
            } else if known.contains(&key.value) {
                if let Some(secret) = Secret::read(value, reader) {
                    own.push((key.map(ToOwned::to_owned), secret));
                }
            } else {
                reader.hide(value);
                reader.unknown_key(&key, value, &known, "`credentials`");
            }
        }
        let Some((key, platform)) = same_as else { return Some(Self::Own(own)) };
        if !own.is_empty() {
            let help = "keep `same_as` or the credentials".to_owned();
            let message = "`same_as` stands beside other credentials".to_owned();
            reader.problem("spec::bad-reference", message, &key.place, "here", Some(help));
        }
        platform.map(Self::SameAs)
    }
}

impl JsonSchema for Credentials {
    fn schema_name() -> Cow<'static, str> {
        "Credentials".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let secret = generator.subschema_for::<Secret>();
        let record = |names: &[&str]| {
            let properties: serde_json::Map<_, _> =
                names.iter().map(|name| ((*name).to_owned(), secret.clone().to_value())).collect();
            json_schema!({
                "type": "object", "properties": properties, "required": names, "additionalProperties": false,
            })
        };
        json_schema!({ "oneOf": [
            record(&KEY_CREDENTIALS),
            record(&CLIENT_CREDENTIALS),
            {
                "description": "The credentials of another platform of this spec.",
                "type": "object",
                "properties": { "same_as": { "type": "string" } },
                "required": ["same_as"],
                "additionalProperties": false,
            },
        ] })
    }
}
