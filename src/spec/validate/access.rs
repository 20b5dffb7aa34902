//! Whether a migration can open both mailboxes and create the target.

use std::collections::BTreeMap;

use super::{World, accounts::Layers, many};
use crate::{
    diag::{Diagnostic, Diagnostics},
    model::{Address, Domain, PlatformKind},
    spec::{
        place::{Locate as _, Place},
        raw::Account,
    },
};

/// Accounts that lack something, by domain: a fleet without passwords is one finding.
type Lacking<'a> = BTreeMap<&'a Domain, Vec<(&'a Place, String)>>;

pub(super) fn check(world: &World<'_>, problems: &mut Diagnostics) {
    let (mut sources, mut targets, mut passwords) = (Lacking::new(), Lacking::new(), Lacking::new());
    for entry in world.present() {
        let address = entry.address;
        let Some(migrate) = entry.migration() else {
            unused(world, address, entry.own, problems);
            continue;
        };
        let layers = Layers::of(world, &entry);
        let source = world.spec.platforms.get(&migrate.from);
        let unopened =
            layers.source_password().is_none() && !layers.broken("source_password") && !layers.broken("mail");
        if unopened && source.is_some_and(|p| p.admin.is_none()) {
            sources.entry(address.domain()).or_default().push((entry.place, address.to_string()));
        }
        let target = entry.platform().and_then(|id| world.spec.platforms.get(id));
        let Some(target) = target.filter(|_| entry.account.password.is_none() && !layers.broken("password")) else {
            continue;
        };
        if target.kind != PlatformKind::Imap {
            passwords.entry(address.domain()).or_default().push((entry.place, address.to_string()));
        } else if target.admin.is_none() {
            targets.entry(address.domain()).or_default().push((entry.place, address.to_string()));
        }
    }
    report(&sources, &targets, &passwords, problems);
}

fn report(sources: &Lacking<'_>, targets: &Lacking<'_>, passwords: &Lacking<'_>, problems: &mut Diagnostics) {
    for (domain, accounts) in sources {
        problems.push(
            many(
                "spec::no-source-password",
                accounts,
                "migrates, and nothing opens its old mailbox",
                &format!("accounts of `{domain}` migrate, and nothing opens their old mailboxes"),
                "no `mail.source_password`",
            )
            .help(
                "if the password is known: `mail: { source_password: { env: OLD_PASSWORD } }`. If nobody knows it: `mail: { \
                 source_password: { reset: { generate: { deliver: { file: \"secrets/old-{address}\" } } } } }` \
                 changes it on the source. For all accounts at once put either under `defaults`",
            ),
        );
    }
    for (domain, accounts) in targets {
        problems.push(
            many(
                "spec::no-password",
                accounts,
                "migrates, and nothing opens its new mailbox",
                &format!("accounts of `{domain}` migrate, and nothing opens their new mailboxes"),
                "no `password`",
            )
            .help("a plain IMAP host cannot set passwords: give the present one, `password: { env: NEW_PASSWORD }`, or the platform an `admin`"),
        );
    }
    for (domain, accounts) in passwords {
        problems.push(
            many(
                "spec::no-password",
                accounts,
                "is to be created by its migration and has no password",
                &format!("accounts of `{domain}` are to be created by their migration and have no password"),
                "no `password`",
            )
            .help(
                "generate one: `password: { generate: { deliver: { file: \"secrets/{address}\" } } }`, or give one: \
                 `password: { env: NEW_PASSWORD }`. For all accounts at once put it under `defaults`",
            ),
        );
    }
}

/// A source password that the account itself names, where nothing is copied.
fn unused(world: &World<'_>, address: &Address, own: &Account, problems: &mut Diagnostics) {
    let Some(written) = own.mail.as_ref().and_then(|mail| mail.value.source_password.as_ref()) else { return };
    if !world.written.has_domain(address.domain()) || world.migrate_broken(address.domain()) {
        return;
    }
    problems.push(
        Diagnostic::warning("spec::unused-source-password", format!("`{address}` does not migrate"))
            .locate(&written.place, "nothing is copied with this password")
            .help("give the domain a `migrate`, or drop `source_password`"),
    );
}

impl World<'_> {
    /// Whether a domain's migration was written and could not be understood.
    fn migrate_broken(&self, domain: &Domain) -> bool {
        self.written.domains.get(domain).is_some_and(|(_, d)| {
            d.broken.has("migrate")
                || (d.migrate.is_some() && self.spec.domains.get(domain).is_none_or(|built| built.migrate.is_none()))
        })
    }
}
