//! Placeholders: `{local}`, `{address}` and `{domain}` in references to secrets, `{local}` in provisional names.

use std::path::PathBuf;

use crate::{
    diag::{Diagnostic, Diagnostics},
    model::{Address, Delivery, PasswordSource, SecretRef},
    spec::{
        place::{At, Locate as _},
        types::SourcePassword,
    },
};

/// The placeholders of references.
const PLACEHOLDERS: [&str; 3] = ["{local}", "{address}", "{domain}"];

/// The first part in braces that is no placeholder of references.
pub(in crate::spec) fn unknown_placeholder(text: &str) -> Option<&str> {
    braces(text).find(|part| !PLACEHOLDERS.contains(part))
}

fn braces(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('{').map(|(at, _)| {
        let rest = text.get(at..).unwrap_or("");
        rest.find('}').and_then(|end| rest.get(..=end)).unwrap_or(rest)
    })
}

/// Whether the wording of a provisional name can work at all.
pub(super) fn check_provisional(written: &At<String>, other_domain: bool, problems: &mut Diagnostics) {
    let text = written.value.as_str();
    let problem = if let Some(part) = braces(text).find(|part| *part != "{local}") {
        Some(("spec::unknown-placeholder", format!("`{part}` is no placeholder of a provisional name")))
    } else if !text.contains("{local}") {
        Some(("spec::provisional-without-local", "all accounts would have the same provisional name".to_owned()))
    } else if text == "{local}" && !other_domain {
        Some(("spec::provisional-same", "the provisional name is the real name".to_owned()))
    } else {
        None
    };
    if let Some((code, message)) = problem {
        let help = "use `{local}` for the part before the `@` and add to it: \"{local}01\"";
        problems.push(Diagnostic::error(code, message).locate(&written.place, "here").help(help));
    }
}

/// A reference for one account. Names in files and programs are lower case, because addresses are compared without it;
/// a `/` of a local part does not become a folder.
pub fn secret(reference: &SecretRef, address: &Address) -> SecretRef {
    match reference {
        SecretRef::Env(name) => SecretRef::Env(fill(name, address, |part| {
            part.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
        })),
        SecretRef::File(path) => SecretRef::File(file(path, address)),
        SecretRef::Command(argv) => SecretRef::Command(command(argv, address)),
        SecretRef::Keyring(entry) => SecretRef::Keyring(fill(entry, address, |part| part.to_ascii_lowercase())),
    }
}

fn file(path: &std::path::Path, address: &Address) -> PathBuf {
    let Some(text) = path.to_str() else { return path.to_owned() };
    PathBuf::from(fill(text, address, |part| part.to_ascii_lowercase().replace('/', "_")))
}

fn command(argv: &[String], address: &Address) -> Vec<String> {
    argv.iter().map(|argument| fill(argument, address, |part| part.to_ascii_lowercase())).collect()
}

fn fill(text: &str, address: &Address, form: impl Fn(&str) -> String) -> String {
    if !text.contains('{') {
        return text.to_owned();
    }
    let values = [address.local(), address.as_str(), address.domain().as_str()];
    let put = |text: String, (name, value): (&str, &str)| {
        if text.contains(name) { text.replace(name, &form(value)) } else { text }
    };
    PLACEHOLDERS.into_iter().zip(values).fold(text.to_owned(), put)
}

/// A password for one account.
pub(super) fn password(source: PasswordSource, address: &Address) -> PasswordSource {
    match source {
        PasswordSource::Given(reference) => PasswordSource::Given(secret(&reference, address)),
        PasswordSource::Generate(Delivery::File(path)) => {
            PasswordSource::Generate(Delivery::File(file(&path, address)))
        }
        PasswordSource::Generate(Delivery::Command { argv, read }) => {
            PasswordSource::Generate(Delivery::Command { argv: command(&argv, address), read: secret(&read, address) })
        }
    }
}

/// A source password for one account.
pub(super) fn source_password(source: SourcePassword, address: &Address) -> SourcePassword {
    match source {
        SourcePassword::Given(reference) => SourcePassword::Given(secret(&reference, address)),
        SourcePassword::Reset(source) => SourcePassword::Reset(password(source, address)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_in_the_form_of_their_place() {
        let address = Address::parse("Jo.O'Hara/x@Example.org").unwrap();
        let env = secret(&SecretRef::Env("OLD_{local}".into()), &address);
        assert_eq!(env, SecretRef::Env("OLD_JO_O_HARA_X".into()));
        let file = secret(&SecretRef::File("s/{address}".into()), &address);
        assert_eq!(file, SecretRef::File("s/jo.o'hara_x@example.org".into()));
        let command = secret(&SecretRef::Command(vec!["vault".into(), "mail/{domain}".into()]), &address);
        assert_eq!(command, SecretRef::Command(vec!["vault".into(), "mail/example.org".into()]));
    }

    #[test]
    fn unknown_placeholders_are_found() {
        assert_eq!(unknown_placeholder("a/{local}/{domain}"), None);
        assert_eq!(unknown_placeholder("a/{locale}"), Some("{locale}"));
        assert_eq!(unknown_placeholder("a/{local"), Some("{local"));
    }
}
