//! `gates:` as it was written.

use std::borrow::Cow;

use jiff::tz::TimeZone;
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::{
    leaf::{List, OneOrMany, scalar},
    read::{Read, Reader, record},
};
use crate::{
    model::{self, ApprovalGate},
    spec::tree::Node,
};

record! {
    /// What holds actions up although nothing is wrong: they wait, and nothing fails.
    Gates, "`gates`" {
        /// When actions may begin. Outside of every window nothing begins; what has begun is ended.
        "window" => window: OneOrMany<Window>,
        /// What waits until somebody has said `rehome approve`.
        "approval" => approval: List<ApprovalGate>,
    }
}

/// A window whose time zone is known.
#[derive(Clone, Debug)]
pub(in crate::spec) struct Window(pub model::Window);

impl Read for Window {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = scalar(node, reader, "a window such as `22:00-06:00 Europe/Paris`")?;
        let window: model::Window = match text.parse() {
            Ok(window) => window,
            Err(error) => {
                let help = "write days (if not all), hours and time zone: `Mon-Fri 22:00-06:00 Europe/Paris`";
                let error: model::WindowError = error;
                reader.problem(
                    "spec::bad-window",
                    error.to_string(),
                    &node.place,
                    "not a window",
                    Some(help.to_owned()),
                );
                return None;
            }
        };
        if TimeZone::get(window.zone()).is_err() {
            let message = format!("this machine knows no time zone `{}`", window.zone());
            let help = "write a name of IANA's database such as `Europe/Paris`, or `UTC`".to_owned();
            reader.problem("spec::bad-window", message, &node.place, "unknown time zone", Some(help));
            return None;
        }
        Some(Self(window))
    }
}

impl JsonSchema for Window {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Window".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        model::Window::json_schema(generator)
    }
}
