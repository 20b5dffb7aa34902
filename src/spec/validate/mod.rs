//! Whether the pieces fit together. Everything here is pure: it looks at what was written and says what is wrong.
//!
//! Building is lenient, so that one mistake is reported once: a platform without a kind is still a known platform.

mod absent;
mod access;
mod accounts;
mod claims;
mod collect;
mod domains;
mod encryption;
mod filter;
mod gates;
mod hooks;
mod limits;
mod loops;
mod no_control_plane;
mod objects;
mod platforms;
mod provisional;
mod resolvers;
mod rights;
mod strategy;
mod template;
mod zones;

use std::{
    collections::BTreeMap,
    io::{self, BufWriter},
    path::Path,
};

use sha2::{Digest as _, Sha256};

use super::{
    place::{At, Locate as _, Place},
    raw::{self, AccountEntry, Document, suggest},
    types::{AccountSpec, DomainSpec, MigrateSpec, Presence, Spec},
};
use crate::{
    diag::{Diagnostic, Diagnostics},
    hands::{self, MANY},
    model::{Address, Digest, Domain, PlatformId, PlatformKind},
};
use collect::Written;

pub(super) use template::{secret as secret_for, unknown_placeholder};

/// The accounts of one table.
pub(super) type Table = Vec<(At<String>, AccountEntry)>;

/// One file and what it refers to.
pub(super) struct File {
    /// What it says.
    pub document: Document,
    /// The tables it takes accounts from.
    pub tables: Vec<Table>,
}

/// What was written, and as much of the spec as could be built from it.
struct World<'a> {
    written: Written<'a>,
    spec: Spec,
}

/// An account as it was written and as it was built, with its domain.
struct Entry<'w> {
    address: &'w Address,
    account: &'w AccountSpec,
    place: &'w Place,
    own: &'w raw::Account,
    domain: Option<&'w DomainSpec>,
    written: Option<&'w raw::Domain>,
}

impl<'w> Entry<'w> {
    /// The migration that it takes part in.
    fn migration(&self) -> Option<&'w MigrateSpec> {
        self.account.migration(self.domain?)
    }

    /// The platform that it should be on.
    fn platform(&self) -> Option<&'w PlatformId> {
        self.domain.map(|d| &d.platform)
    }
}

/// That something was left out which must be there: where it is missed, and what to write.
fn missing(message: impl Into<String>, (place, label): (&Place, &str), help: &str) -> Diagnostic {
    Diagnostic::error("spec::missing-field", message).locate(place, label).help(help)
}

/// Builds the spec. It is to be used only when no problem is an error.
pub(super) fn run(files: &[File], base: &Path, problems: &mut Diagnostics) -> Option<Spec> {
    let written = Written::collect(files, problems);
    let platforms = platforms::build(&written, problems);
    let spec = Spec {
        digest: String::new(),
        base: base.to_owned(),
        platforms,
        domains: BTreeMap::new(),
        accounts: BTreeMap::new(),
        redirections: BTreeMap::new(),
        groups: BTreeMap::new(),
        contacts: BTreeMap::new(),
        gates: gates::build(&written),
        hooks: hooks::build(&written, problems),
    };
    let mut world = World { written, spec };
    domains::build(&mut world, problems);
    accounts::build(&mut world, problems);
    objects::build(&mut world, problems);
    let rules: [Rule; 11] = [
        strategy::check,
        absent::check,
        access::check,
        claims::check,
        provisional::check,
        loops::check,
        rights::check,
        limits::check,
        filter::check,
        no_control_plane::check,
        zones::check_probes,
    ];
    let digest = judged(&world, &rules, problems)?;
    Some(Spec { digest, ..world.spec })
}

/// A rule looks at everything and says what is wrong.
type Rule = fn(&World<'_>, &mut Diagnostics);

/// What the rules say, in their order, and the digest.
fn judged(world: &World<'_>, rules: &[Rule], problems: &mut Diagnostics) -> Option<String> {
    let (first, others) = rules.split_at(rules.len() / 2);
    let judge = |rules: &[Rule], said: &mut Diagnostics| rules.iter().for_each(|rule| rule(world, said));
    let own = || {
        judge(first, problems);
        digest(&world.spec)
    };
    let other = || {
        let mut said = Diagnostics::default();
        judge(others, &mut said);
        said
    };
    let (digest, said) = hands::both(world.spec.accounts.len() >= MANY, own, other);
    problems.0.extend(said.0);
    digest
}

/// SHA-256 over the canonical JSON of a spec whose digest is empty.
fn digest(spec: &Spec) -> Option<String> {
    let mut out = BufWriter::with_capacity(1 << 16, Hashed(Sha256::new()));
    serde_json::to_writer(&mut out, spec).ok()?;
    let Hashed(hash) = out.into_inner().ok()?;
    Some(Digest(hash.finalize().into()).hex())
}

/// Hashes what is written: the spec of a fleet need not be in memory twice.
struct Hashed(Sha256);

impl io::Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl World<'_> {
    /// The kind of a platform, when it is known.
    fn kind(&self, platform: &PlatformId) -> Option<PlatformKind> {
        self.spec.platforms.get(platform).map(|p| p.kind)
    }

    /// The kind of the platform that a domain is on.
    fn kind_of_domain(&self, domain: &Domain) -> Option<PlatformKind> {
        self.spec.domains.get(domain).and_then(|d| self.kind(&d.platform))
    }

    /// Where an account is written.
    fn account_place(&self, address: &Address) -> Option<&Place> {
        self.written.accounts.get(address).map(|(place, _)| *place)
    }

    /// Every account, once all are built.
    fn accounts(&self) -> impl Iterator<Item = Entry<'_>> {
        // Both have the same addresses, and those of one domain stand together.
        let both = self.spec.accounts.iter().zip(self.written.accounts.values());
        let mut last: Option<(&Domain, Option<&DomainSpec>, Option<&raw::Domain>)> = None;
        both.map(move |((address, account), (place, own))| {
            let name = address.domain();
            let known = last.filter(|(last, ..)| *last == name);
            let (_, domain, written) = *last.insert(known.unwrap_or_else(|| {
                (name, self.spec.domains.get(name), self.written.domains.get(name).map(|(_, written)| *written))
            }));
            Entry { address, account, place, own, domain, written }
        })
    }

    /// Accounts that should exist.
    fn present(&self) -> impl Iterator<Item = Entry<'_>> {
        self.accounts().filter(|entry| entry.account.state == Presence::Present)
    }

    /// "Did you mean", for an address that nobody declares.
    fn nearest_account(&self, address: &Address) -> Option<String> {
        let same_domain = self.spec.accounts.keys().filter(|a| a.domain() == address.domain());
        let locals: Vec<_> = same_domain.map(Address::local).collect();
        suggest(address.local(), locals).map(|local| format!("did you mean `{local}@{}`?", address.domain()))
    }
}

/// Reports a reference to a platform that nobody declares. Returns whether it is declared.
fn known_platform(written: &Written<'_>, name: &str, place: &Place, problems: &mut Diagnostics) -> bool {
    if written.platforms.contains_key(&PlatformId::from(name)) {
        return true;
    }
    let names: Vec<_> = written.platforms.keys().map(PlatformId::as_str).collect();
    let help = match suggest(name, names.iter().copied()) {
        Some(best) => format!("did you mean `{best}`?"),
        None if names.is_empty() => "declare it under `platforms:`".to_owned(),
        None => format!("declared under `platforms`: {}", super::raw::listed(&names)),
    };
    problems.push(
        Diagnostic::error("spec::unknown-platform", format!("there is no platform `{name}`"))
            .locate(place, "not declared under `platforms`")
            .help(help),
    );
    false
}

/// One finding about many objects: up to three places and how many there are.
fn many(code: &'static str, places: &[(&Place, String)], one: &str, more: &str, label: &str) -> Diagnostic {
    let message = match places {
        [(_, only)] => format!("`{only}` {one}"),
        _ => format!("{} {more}", places.len()),
    };
    places.iter().take(3).fold(Diagnostic::error(code, message), |d, (place, _)| d.locate(place, label))
}
