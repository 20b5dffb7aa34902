//! The writable fields of v1 objects: names, types and what a PUT does with them.

use serde_json::{Map, Value, json};

use super::{call::Problem, world::Family};

/// The type of a field, and whether it may be null.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Text,
    MaybeText,
    Flag,
    MaybeFlag,
    Long,
    MaybeLong,
    Number,
    Object,
    MaybeList,
}

impl Kind {
    fn takes(self, value: &Value) -> bool {
        match self {
            Self::Text => value.is_string(),
            Self::MaybeText => value.is_string() || value.is_null(),
            Self::Flag => value.is_boolean(),
            Self::MaybeFlag => value.is_boolean() || value.is_null(),
            Self::Long => value.is_u64(),
            Self::MaybeLong => value.is_u64() || value.is_null(),
            Self::Number => value.is_number(),
            Self::Object => value.is_object(),
            Self::MaybeList => value.is_array() || value.is_null(),
        }
    }
}

/// Name and type.
pub(super) type Field = (&'static str, Kind);

const ACCOUNT: &[Field] = &[
    ("deleteAtExpiration", Kind::MaybeFlag),
    ("displayName", Kind::MaybeText),
    ("firstName", Kind::MaybeText),
    ("hiddenFromGAL", Kind::Flag),
    ("initial", Kind::MaybeText),
    ("lastName", Kind::MaybeText),
    ("mailingFilter", Kind::MaybeList),
    ("quota", Kind::Number),
    ("renewPeriod", Kind::MaybeText),
    ("spamAndVirusConfiguration", Kind::Object),
];

const EXCHANGE_ACCOUNT: &[Field] = &[
    ("accountLicense", Kind::Text),
    ("authenticationPolicyId", Kind::MaybeLong),
    ("city", Kind::MaybeText),
    ("company", Kind::MaybeText),
    ("countryCode", Kind::MaybeText),
    ("deleteOutlookAtExpiration", Kind::MaybeFlag),
    ("description", Kind::MaybeText),
    ("fax", Kind::MaybeText),
    ("forwardingEmail", Kind::MaybeText),
    ("jobDepartment", Kind::MaybeText),
    ("jobTitle", Kind::MaybeText),
    ("litigation", Kind::Flag),
    ("litigationPeriod", Kind::MaybeLong),
    ("mailSenderDisplay", Kind::MaybeText),
    ("mobile", Kind::MaybeText),
    ("office", Kind::MaybeText),
    ("outlookLicense", Kind::Flag),
    ("phone", Kind::MaybeText),
    ("postalCode", Kind::MaybeText),
    ("region", Kind::MaybeText),
    ("renewOutlookPeriod", Kind::MaybeText),
    ("sbrDestination", Kind::MaybeText),
    ("sendConnectorId", Kind::MaybeLong),
    ("storeCopyOfEmail", Kind::Flag),
    ("streetAddress", Kind::MaybeText),
];

/// Fields of an account but `login` and `domain`.
pub(super) fn account(family: Family) -> Vec<Field> {
    let more = if family == Family::Exchange { EXCHANGE_ACCOUNT } else { &[] };
    [ACCOUNT, more].concat()
}

/// What an account has when nobody set anything.
pub(super) fn account_defaults(family: Family) -> Map<String, Value> {
    let quota = match family {
        Family::Exchange => json!(50),
        Family::EmailPro => json!(10),
        Family::MxPlan => json!(5.0),
    };
    let mut fields: Map<String, Value> =
        account(family).iter().map(|(n, kind)| ((*n).to_owned(), empty(*kind))).collect();
    fields.insert("quota".to_owned(), quota);
    fields.insert("spamAndVirusConfiguration".to_owned(), spam());
    if family == Family::Exchange {
        fields.insert("accountLicense".to_owned(), json!("standard"));
    }
    fields
}

fn spam() -> Value {
    json!({
        "checkDKIM": false, "checkSPF": false, "deleteSpam": false, "deleteVirus": false, "putInJunk": true,
        "tagSpam": true, "tagVirus": true,
    })
}

/// Fields of a service.
pub(super) fn service(family: Family) -> Vec<Field> {
    let mut fields = vec![
        ("complexityEnabled", Kind::Flag),
        ("displayName", Kind::MaybeText),
        ("lockoutDuration", Kind::Long),
        ("lockoutObservationWindow", Kind::Long),
        ("lockoutThreshold", Kind::MaybeLong),
        ("maxPasswordAge", Kind::MaybeLong),
        ("maxReceiveSize", Kind::Long),
        ("maxSendSize", Kind::Long),
        ("minPasswordAge", Kind::MaybeLong),
        ("minPasswordLength", Kind::MaybeLong),
        ("spamAndVirusConfiguration", Kind::Object),
    ];
    if family == Family::Exchange {
        fields.push(("adfsChangePassword", Kind::Flag));
        fields.push(("defaultAuthenticationPolicyId", Kind::MaybeLong));
        fields.push(("passwordHistoryCount", Kind::MaybeLong));
    }
    fields
}

/// What a service has when nobody set anything.
pub(super) fn service_defaults(family: Family) -> Map<String, Value> {
    let mut fields: Map<String, Value> =
        service(family).iter().map(|(n, kind)| ((*n).to_owned(), empty(*kind))).collect();
    for (name, value) in [
        ("complexityEnabled", json!(true)),
        ("maxReceiveSize", json!(100)),
        ("maxSendSize", json!(100)),
        ("minPasswordLength", json!(9)),
        ("lockoutDuration", json!(30)),
        ("lockoutObservationWindow", json!(30)),
        ("spamAndVirusConfiguration", spam()),
    ] {
        fields.insert(name.to_owned(), value);
    }
    fields
}

/// Fields of a group but its address.
pub(super) const GROUP: &[Field] = &[
    ("company", Kind::MaybeText),
    ("departRestriction", Kind::Text),
    ("displayName", Kind::MaybeText),
    ("hiddenFromGAL", Kind::Flag),
    ("joinRestriction", Kind::Text),
    ("maxReceiveSize", Kind::MaybeLong),
    ("maxSendSize", Kind::MaybeLong),
    ("senderAuthentification", Kind::Flag),
];

/// Fields of an external contact but its address.
pub(super) const CONTACT: &[Field] = &[
    ("displayName", Kind::MaybeText),
    ("firstName", Kind::MaybeText),
    ("hiddenFromGAL", Kind::Flag),
    ("initials", Kind::MaybeText),
    ("lastName", Kind::MaybeText),
];

fn empty(kind: Kind) -> Value {
    match kind {
        Kind::Flag => Value::Bool(false),
        Kind::Long | Kind::Number => Value::from(0),
        Kind::Text => Value::from(""),
        Kind::Object => json!({}),
        _ => Value::Null,
    }
}

/// An object with nothing set.
pub(super) fn blank(fields: &[Field]) -> Map<String, Value> {
    fields.iter().map(|(name, kind)| ((*name).to_owned(), empty(*kind))).collect()
}

/// The fields that a body sets. Names in `known` are passed over: they are read-only, or the caller reads them; any
/// other name is refused, and so is a value of the wrong type.
pub(super) fn pick(body: &Map<String, Value>, fields: &[Field], known: &[&str]) -> Result<Map<String, Value>, Problem> {
    let mut picked = Map::new();
    for (name, value) in body {
        match fields.iter().find(|(field, _)| field == name) {
            Some((_, kind)) if kind.takes(value) => {
                picked.insert(name.clone(), value.clone());
            }
            Some(_) => return Err(Problem::bad(&format!("Invalid type for parameter: {name}"))),
            None if known.contains(&name.as_str()) => {}
            None => return Err(Problem::bad(&format!("Unknown parameter: {name}"))),
        }
    }
    Ok(picked)
}
