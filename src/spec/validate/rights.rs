//! Delegates and members: whether the accounts they name are there.

use super::World;
use crate::{
    diag::{Diagnostic, Diagnostics},
    model::{Address, Right},
    spec::{
        place::{At, Locate as _},
        raw::Delegate,
        types::Presence,
    },
};

pub(super) fn check(world: &World<'_>, problems: &mut Diagnostics) {
    for entry in world.present() {
        for delegate in entry.own.delegates.iter().flat_map(|list| &list.value.0) {
            check_delegate(world, entry.address, &delegate.value, problems);
        }
    }
    for (group, _) in world.spec.groups.iter().filter(|(_, g)| g.state == Presence::Present) {
        let Some((_, raw)) = world.written.groups.get(group) else { continue };
        for (what, list) in [("member", &raw.members), ("manager", &raw.managers)] {
            for person in list.iter().flat_map(|list| &list.value.0) {
                known_person(world, what, person, problems);
            }
        }
    }
}

fn check_delegate(world: &World<'_>, address: &Address, delegate: &Delegate, problems: &mut Diagnostics) {
    let Some(to) = &delegate.to else { return };
    if to.value == *address {
        problems.push(
            Diagnostic::error("spec::delegate-self", format!("`{address}` is its own delegate"))
                .locate(&to.place, "the account itself"),
        );
        return;
    }
    if !world.written.has_domain(to.value.domain()) {
        problems.push(
            Diagnostic::error("spec::unknown-delegate", format!("`{}` cannot have rights on `{address}`", to.value))
                .locate(&to.place, "of a domain that is not declared")
                .help("only accounts of the same platform can be delegates"),
        );
        return;
    }
    let (home, there) = (world.spec.platform_of(address), world.spec.platform_of(&to.value));
    if let (Some(home), Some(there)) = (home, there)
        && home != there
    {
        let message = format!("`{}` is on `{there}` and `{address}` on `{home}`", to.value);
        problems.push(
            Diagnostic::error("spec::delegate-elsewhere", message)
                .locate(&to.place, "on another platform")
                .help("only accounts of the same platform can be delegates"),
        );
        return;
    }
    unmanaged(world, "delegate", "spec::unknown-delegate", to, problems);
    let rights: Vec<_> = delegate.rights.iter().flat_map(|r| r.value.values()).collect();
    if rights.contains(&&Right::SendAs) && rights.contains(&&Right::SendOnBehalf) {
        let place = delegate.rights.as_ref().map_or(&to.place, |r| &r.place);
        problems.push(
            Diagnostic::warning("spec::exclusive-rights", "`send-as` and `send-on-behalf` exclude each other")
                .locate(place, "both for one delegate")
                .help("keep one: `send-as` hides who wrote, `send-on-behalf` shows it"),
        );
    }
}

/// Members may be anybody; one of a managed domain should be an object of the spec.
fn known_person(world: &World<'_>, what: &str, person: &At<Address>, problems: &mut Diagnostics) {
    let address = &person.value;
    if world.spec.contacts.get(address).is_some_and(|contact| contact.state == Presence::Absent) {
        let problem = Diagnostic::error("spec::unknown-member", format!("the {what} `{address}` should be absent"));
        let problem = problem.locate(&person.place, format!("a {what}"));
        problems.push(match world.written.contacts.get(address) {
            Some((place, _)) => problem.locate(place, "and to be deleted"),
            None => problem,
        });
        return;
    }
    let other = world.spec.groups.contains_key(address)
        || world.spec.redirections.contains_key(address)
        || world.spec.contacts.contains_key(address);
    if world.written.has_domain(address.domain()) && !other {
        unmanaged(world, what, "spec::unknown-member", person, problems);
    }
}

/// An account of a managed domain that the spec does not have: it may exist, unmanaged, or be a slip of the pen.
fn unmanaged(world: &World<'_>, what: &str, code: &'static str, person: &At<Address>, problems: &mut Diagnostics) {
    let address = &person.value;
    match world.spec.accounts.get(address) {
        Some(account) if account.state == Presence::Absent => {
            let problem = Diagnostic::error(code, format!("the {what} `{address}` should be absent"));
            let problem = problem.locate(&person.place, format!("a {what}"));
            problems.push(match world.account_place(address) {
                Some(place) => problem.locate(place, "and to be deleted"),
                None => problem,
            });
        }
        Some(_) => {}
        None => {
            let help = world.nearest_account(address).unwrap_or_else(|| {
                "it must exist on the platform; an account that this spec does not have is left as it is".to_owned()
            });
            problems.push(
                Diagnostic::warning(code, format!("the {what} `{address}` is not an account of this spec"))
                    .locate(&person.place, "not under `accounts`")
                    .help(help),
            );
        }
    }
}
