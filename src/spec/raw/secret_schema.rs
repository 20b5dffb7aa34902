//! The schema of references to secrets: each form is spelled out, so that an editor offers it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::secret::{Password, Secret, SourceAccess};
use crate::model::SecretRef;

impl JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        SecretRef::json_schema(generator)
    }
}

impl JsonSchema for Password {
    fn schema_name() -> Cow<'static, str> {
        "Password".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let secret = generator.subschema_for::<Secret>();
        json_schema!({ "anyOf": [secret, {
            "description": "A password is generated at apply and delivered, so that its user and a later run have it.",
            "type": "object",
            "properties": { "generate": {
                "type": "object",
                "properties": { "deliver": { "oneOf": [
                    {
                        "description": "A file that only its owner can read. A later run reads it back.",
                        "type": "object",
                        "properties": { "file": { "type": "string" } },
                        "required": ["file"],
                        "additionalProperties": false,
                    },
                    {
                        "description": "A program that gets the password on standard input.",
                        "type": "object",
                        "properties": {
                            "command": { "type": "array", "items": { "type": "string" }, "minItems": 1 },
                            "read": secret,
                        },
                        "required": ["command", "read"],
                        "additionalProperties": false,
                    },
                ] } },
                "required": ["deliver"],
                "additionalProperties": false,
            } },
            "required": ["generate"],
            "additionalProperties": false,
        }] })
    }
}

impl JsonSchema for SourceAccess {
    fn schema_name() -> Cow<'static, str> {
        "SourcePassword".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let secret = generator.subschema_for::<Secret>();
        let password = generator.subschema_for::<Password>();
        json_schema!({ "anyOf": [secret, {
            "description": "The password of the source account is changed to this, once the account has its provisional name.",
            "type": "object",
            "properties": { "reset": password },
            "required": ["reset"],
            "additionalProperties": false,
        }] })
    }
}
