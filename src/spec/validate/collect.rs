//! Takes the files together. The same thing in two files, or in two spellings, is an error that shows both places.

use std::collections::BTreeMap;

use super::File;
use crate::{
    diag::{Diagnostic, Diagnostics},
    model::{self, Address, PlatformId},
    spec::{
        place::{At, Locate as _, Place},
        raw::{Account, Contact, Defaults, Domain, Gates, Group, Hooks, Platform, Redirection},
    },
};

/// Everything that was written, by name, with the place of each name.
#[derive(Default)]
pub(super) struct Written<'a> {
    pub defaults: Option<&'a At<Defaults>>,
    pub platforms: BTreeMap<PlatformId, (&'a Place, &'a Platform)>,
    pub domains: BTreeMap<model::Domain, (&'a Place, &'a Domain)>,
    pub accounts: BTreeMap<Address, (&'a Place, &'a Account)>,
    pub redirections: BTreeMap<Address, (&'a Place, &'a Redirection)>,
    pub groups: BTreeMap<Address, (&'a Place, &'a Group)>,
    pub contacts: BTreeMap<Address, (&'a Place, &'a Contact)>,
    pub gates: Option<&'a At<Gates>>,
    pub hooks: Option<&'a At<Hooks>>,
}

impl<'a> Written<'a> {
    /// Takes files together.
    pub fn collect(files: &'a [File], problems: &mut Diagnostics) -> Self {
        let mut all = Self::default();
        for file in files {
            let d = &file.document;
            if let Some(defaults) = &d.defaults {
                match all.defaults {
                    Some(first) => problems.push(twice("`defaults`", &defaults.place, &first.place)),
                    None => all.defaults = Some(defaults),
                }
            }
            if let Some(gates) = &d.gates {
                match all.gates {
                    Some(first) => problems.push(twice("`gates`", &gates.place, &first.place)),
                    None => all.gates = Some(gates),
                }
            }
            if let Some(hooks) = &d.hooks {
                match all.hooks {
                    Some(first) => problems.push(twice("`hooks`", &hooks.place, &first.place)),
                    None => all.hooks = Some(hooks),
                }
            }
            for (name, platform) in d.platforms.iter().flat_map(|n| &n.value.0) {
                let id = platform_id(name, problems);
                insert(&mut all.platforms, id, name, platform, "the platform", problems);
            }
            for (name, domain) in d.domains.iter().flat_map(|n| &n.value.0) {
                let id = domain_name(name, problems);
                insert(&mut all.domains, id, name, domain, "the domain", problems);
            }
            let listed = d.accounts.iter().flat_map(|n| &n.value.0).chain(file.tables.iter().flatten());
            for (name, entry) in listed {
                insert(&mut all.accounts, address(name, problems), name, &entry.0, "the account", problems);
            }
            for (name, redirection) in d.redirections.iter().flat_map(|n| &n.value.0) {
                let id = address(name, problems);
                insert(&mut all.redirections, id, name, redirection, "the redirection", problems);
            }
            for (name, group) in d.groups.iter().flat_map(|n| &n.value.0) {
                insert(&mut all.groups, address(name, problems), name, group, "the group", problems);
            }
            for (name, contact) in d.contacts.iter().flat_map(|n| &n.value.0) {
                insert(&mut all.contacts, address(name, problems), name, contact, "the contact", problems);
            }
        }
        all
    }

    /// Where a domain is written.
    pub fn has_domain(&self, domain: &model::Domain) -> bool {
        self.domains.contains_key(domain)
    }
}

fn insert<'a, K: Ord, V>(
    map: &mut BTreeMap<K, (&'a Place, &'a V)>,
    key: Option<K>,
    name: &'a At<String>,
    value: &'a V,
    what: &str,
    problems: &mut Diagnostics,
) {
    let Some(key) = key else { return };
    match map.get(&key) {
        Some((first, _)) => problems.push(twice(&format!("{what} `{}`", name.value), &name.place, first)),
        None => {
            map.insert(key, (&name.place, value));
        }
    }
}

fn twice(what: &str, again: &Place, first: &Place) -> Diagnostic {
    Diagnostic::error("spec::duplicate-entry", format!("{what} is declared twice"))
        .locate(again, "again here")
        .locate(first, "first here")
        .help("keep one of them; upper and lower case, and the spellings of a domain, make no difference")
}

fn platform_id(name: &At<String>, problems: &mut Diagnostics) -> Option<PlatformId> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.value.is_empty() || !name.value.chars().all(fits) {
        problems.push(
            Diagnostic::error("spec::bad-name", format!("`{}` is no name for a platform", name.value))
                .locate(&name.place, "letters, digits and `-`, `_`, `.` only"),
        );
        return None;
    }
    Some(PlatformId::from(name.value.as_str()))
}

fn domain_name(name: &At<String>, problems: &mut Diagnostics) -> Option<model::Domain> {
    match model::Domain::parse(&name.value) {
        Ok(domain) => Some(domain),
        Err(error) => {
            let diagnostic = Diagnostic::error("spec::bad-domain", error.to_string());
            problems.push(diagnostic.locate(&name.place, "not a domain"));
            None
        }
    }
}

fn address(name: &At<String>, problems: &mut Diagnostics) -> Option<Address> {
    match Address::parse(&name.value) {
        Ok(address) => Some(address),
        Err(error) => {
            let diagnostic = Diagnostic::error("spec::bad-address", error.to_string());
            problems.push(diagnostic.locate(&name.place, "not an address"));
            None
        }
    }
}
