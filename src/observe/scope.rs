//! What of a platform is read field by field.

use crate::{
    model::{Domain, PlatformId},
    provider::Scope,
    spec::{Presence, Spec},
};

/// What the spec has to do with one platform: the domains that are or were there, the accounts under their real and
/// their provisional names.
#[must_use]
pub fn scope(spec: &Spec, platform: &PlatformId) -> Scope {
    let mut scope = Scope::default();
    for (domain, wish) in &spec.domains {
        if wish.platform == *platform || wish.migrate.as_ref().is_some_and(|m| m.from == *platform) {
            scope.domains.insert(domain.clone());
        }
    }
    let concerns = |domain: &Domain| scope.domains.contains(domain);
    for (address, wish) in &spec.accounts {
        if !concerns(address.domain()) {
            continue;
        }
        scope.accounts.insert(address.clone());
        let migration = spec.domains.get(address.domain()).and_then(|d| d.migrate.as_ref());
        if let Some(Ok(provisional)) = migration.map(|m| m.provisional_address(address)) {
            scope.accounts.insert(provisional);
        }
        if let Some(source) = &wish.mail.source_address {
            scope.accounts.insert(source.clone());
        }
    }
    let here = |via: Option<&PlatformId>, domain: &Domain| via == Some(platform) || concerns(domain);
    scope.redirections = spec.redirections.iter().any(|(from, r)| here(r.via.as_ref(), from.domain()));
    scope.groups = spec.groups.iter().any(|(group, g)| here(g.via.as_ref(), group.domain()));
    scope.contacts = scope.groups || spec.contacts.values().any(|c| c.platform == *platform);
    // A migration tells what the source has and the spec does not mention, so that nothing is dropped in silence.
    if spec.domains.values().any(|d| d.migrate.as_ref().is_some_and(|m| m.from == *platform)) {
        scope.redirections = true;
        scope.groups = true;
        scope.contacts = true;
    }
    for wish in spec.domains.values().filter(|d| d.state == Presence::Absent) {
        scope.redirections |= wish.platform == *platform;
        scope.groups |= wish.platform == *platform;
    }
    scope
}
