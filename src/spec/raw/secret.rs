//! References to secrets. A plain value where a reference belongs is a secret written in clear: it is refused and never
//! shown, not even in the snippet.

use std::path::PathBuf;

use super::{
    leaf::List,
    read::{Read, Reader, listed},
};
use crate::{
    model::{Delivery, PasswordSource, SecretRef},
    spec::{
        place::{At, Place},
        tree::{Data, Node},
        types::SourcePassword,
        validate::unknown_placeholder,
    },
};

/// A reference and the place of its text.
#[derive(Clone, Debug)]
pub(in crate::spec) struct Secret {
    /// What is referred to.
    pub reference: SecretRef,
    /// Where that is written.
    pub place: Place,
}

/// How an account gets its password.
#[derive(Clone, Debug)]
pub(in crate::spec) enum Password {
    /// It is read.
    Given(Secret),
    /// It is generated and delivered.
    Generate {
        /// Where it goes.
        delivery: Delivery,
        /// Where that is written.
        place: Place,
    },
}

/// How a copy gets the password of the source.
#[derive(Clone, Debug)]
pub(in crate::spec) enum SourceAccess {
    /// It is read.
    Given(Secret),
    /// It is changed on the source.
    Reset {
        /// To this.
        password: Password,
        /// Where `reset` is written.
        place: Place,
    },
}

impl Password {
    /// The same as the planner reads it.
    pub fn source(&self) -> PasswordSource {
        match self {
            Self::Given(secret) => PasswordSource::Given(secret.reference.clone()),
            Self::Generate { delivery, .. } => PasswordSource::Generate(delivery.clone()),
        }
    }
}

impl SourceAccess {
    /// The same as the planner reads it.
    pub fn source(&self) -> SourcePassword {
        match self {
            Self::Given(secret) => SourcePassword::Given(secret.reference.clone()),
            Self::Reset { password, .. } => SourcePassword::Reset(password.source()),
        }
    }
}

const REFERENCES: [&str; 4] = ["env", "file", "command", "keyring"];
const REFERENCE_HELP: &str = "a spec holds references only: `{ env: NAME }`, `{ file: path }` or `{ command: [program, argument] }`. \
                              If the value is real and the file was shared, change the secret";

/// An entry of a mapping.
type Entry<'n> = (At<&'n str>, &'n Node);

/// The one entry of a mapping that says which kind of reference it is, and the others.
fn choice<'n>(
    node: &'n Node,
    reader: &mut Reader,
    known: &[&str],
    whose: &str,
) -> Option<(At<&'n str>, &'n Node, Vec<Entry<'n>>)> {
    if !matches!(node.data, Data::Map(_) | Data::Null) {
        reader.hide(node);
        let message = format!("{whose} is written in clear");
        reader.problem("spec::inline-secret", message, &node.place, "not shown", Some(REFERENCE_HELP.to_owned()));
        return None;
    }
    let (mut chosen, mut rest) = (Vec::new(), Vec::new());
    for (key, value) in reader.entries(node, whose)? {
        if known.contains(&key.value) {
            chosen.push((key, value));
        } else if key.value == "read" {
            rest.push((key, value));
        } else {
            reader.hide(value);
            reader.unknown_key(&key, value, known, whose);
            rest.push((key, value));
        }
    }
    let mut chosen = chosen.into_iter();
    match (chosen.next(), chosen.next()) {
        (Some((key, value)), None) => Some((key, value, rest)),
        (Some((first, _)), Some((second, _))) => {
            let message = format!("{whose} says both `{}` and `{}`", first.value, second.value);
            let help = format!("keep one of {}", listed(known));
            reader.problem("spec::bad-reference", message, &second.place, "one too many", Some(help));
            None
        }
        (None, _) => {
            if rest.is_empty() {
                let help = format!("say one of {}", listed(known));
                reader.problem(
                    "spec::bad-reference",
                    format!("{whose} says nothing"),
                    &node.place,
                    "empty",
                    Some(help),
                );
            }
            None
        }
    }
}

/// Text that may be a secret put in the wrong place: hidden unless it is of the right form.
fn text(node: &Node, reader: &mut Reader, form: fn(&str) -> bool, what: &str, help: &str) -> Option<String> {
    if let Data::Scalar { text, .. } = &node.data
        && form(text)
    {
        if let Some(part) = unknown_placeholder(text) {
            let message = format!("`{part}` is no placeholder");
            let help = "references know `{local}`, `{address}` and `{domain}`".to_owned();
            reader.problem("spec::unknown-placeholder", message, &node.place, "here", Some(help));
            return None;
        }
        return Some(text.clone());
    }
    let help = match &node.data {
        Data::Map(_) => "text that begins with a brace needs quotes: `env: \"{local}_OLD_PASSWORD\"`",
        _ => help,
    };
    reader.hide(node);
    reader.problem(
        "spec::bad-reference",
        format!("this is not {what}"),
        &node.place,
        "not shown",
        Some(help.to_owned()),
    );
    None
}

/// A name of an environment variable, templates included.
fn is_env_name(name: &str) -> bool {
    let bare = name.replace("{local}", "L").replace("{address}", "A").replace("{domain}", "D");
    let known = bare.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'{' | b'}'));
    known && !bare.is_empty() && !bare.starts_with(|c: char| c.is_ascii_digit())
}

fn command(node: &Node, reader: &mut Reader) -> Option<Vec<String>> {
    if !matches!(node.data, Data::List(_)) {
        let help = "write the program and its arguments as a list: `[pass, show, mail/john]`; no shell is involved";
        reader.problem(
            "spec::bad-reference",
            "a command is a list".to_owned(),
            &node.place,
            "not a list",
            Some(help.to_owned()),
        );
        return None;
    }
    let argv: Vec<String> = List::read(node, reader)?.0.into_iter().map(|a: At<String>| a.value).collect();
    if argv.first().is_none_or(String::is_empty) {
        reader.problem("spec::bad-reference", "the command is empty".to_owned(), &node.place, "no program", None);
        return None;
    }
    Some(argv)
}

fn reference(key: &str, value: &Node, reader: &mut Reader) -> Option<Secret> {
    let filled = |text: &str| !text.trim().is_empty() && !text.contains(['\n', '\0']);
    let reference = match key {
        "env" => SecretRef::Env(text(
            value,
            reader,
            is_env_name,
            "the name of an environment variable",
            "a name has letters, digits and `_`, such as `JOHN_OLD_PASSWORD`",
        )?),
        "file" => SecretRef::File(PathBuf::from(text(value, reader, filled, "a path", "write the path of a file")?)),
        "command" => SecretRef::Command(command(value, reader)?),
        _ => SecretRef::Keyring(text(
            value,
            reader,
            |entry| entry.split_once('/').is_some_and(|(service, user)| !service.is_empty() && !user.is_empty()),
            "an entry of a keyring",
            "write `service/user`",
        )?),
    };
    Some(Secret { reference, place: value.place.clone() })
}

impl Read for Secret {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let (key, value, _) = choice(node, reader, &REFERENCES, "a secret")?;
        reference(key.value, value, reader)
    }
}

impl Read for Password {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let (key, value, _) = choice(node, reader, &["env", "file", "command", "keyring", "generate"], "a password")?;
        if key.value == "generate" {
            let (delivery, place) = generate(value, reader, &key.place)?;
            Some(Self::Generate { delivery, place })
        } else {
            reference(key.value, value, reader).map(Self::Given)
        }
    }
}

fn generate(node: &Node, reader: &mut Reader, key: &Place) -> Option<(Delivery, Place)> {
    let mut delivery = None;
    for (name, value) in reader.entries(node, "a mapping for `generate`")? {
        if name.value == "deliver" {
            delivery = Some(deliver(value, reader));
        } else {
            reader.unknown_key(&name, value, &["deliver"], "`generate`");
        }
    }
    if delivery.is_none() {
        let help = "say where it goes: `generate: { deliver: { file: secrets/{local} } }`";
        reader.problem(
            "spec::no-delivery",
            "a generated password is delivered nowhere".to_owned(),
            key,
            "nobody could log in",
            Some(help.to_owned()),
        );
    }
    delivery?
}

fn deliver(node: &Node, reader: &mut Reader) -> Option<(Delivery, Place)> {
    let (key, value, rest) = choice(node, reader, &["file", "command"], "a delivery")?;
    let read = rest.into_iter().find(|(key, _)| key.value == "read");
    if key.value == "file" {
        let Secret { reference: SecretRef::File(path), place } = reference("file", value, reader)? else { return None };
        if let Some((read, _)) = read {
            let help = "a delivered file is read back by itself: leave `read` out".to_owned();
            reader.problem("spec::bad-reference", "`read` goes with `command`".into(), &read.place, "here", Some(help));
        }
        return Some((Delivery::File(path), place));
    }
    let argv = command(value, reader)?;
    let Some((_, read)) = read else {
        let help = "add `read`, the reference by which a later run finds the password: \
                    `deliver: { command: [vault-put, john], read: { command: [vault-get, john] } }`";
        reader.problem(
            "spec::deliver-without-read",
            "a password given to a command cannot be read again".to_owned(),
            &key.place,
            "no `read` beside it",
            Some(help.to_owned()),
        );
        return None;
    };
    let read = Secret::read(read, reader)?;
    if matches!(read.reference, SecretRef::Env(_)) {
        let help = "an environment variable cannot change while rehome runs: read it back with `file` or `command`";
        reader.problem(
            "spec::deliver-without-read",
            "a delivered password cannot be read back from the environment".to_owned(),
            &read.place,
            "this is fixed when rehome starts",
            Some(help.to_owned()),
        );
        return None;
    }
    Some((Delivery::Command { argv, read: read.reference }, value.place.clone()))
}

impl Read for SourceAccess {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let (key, value, _) =
            choice(node, reader, &["env", "file", "command", "keyring", "reset"], "a source password")?;
        if key.value == "reset" {
            Password::read(value, reader).map(|password| Self::Reset { password, place: key.place })
        } else {
            reference(key.value, value, reader).map(Self::Given)
        }
    }
}
