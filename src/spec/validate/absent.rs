//! `state: absent`: what should not exist has no wishes, and nothing lives in it.

use super::World;
use crate::{
    diag::{Diagnostic, Diagnostics},
    spec::{
        place::{Locate as _, Place},
        raw::listed,
        types::Presence,
    },
};

/// Reports wishes about something that should not exist.
pub(super) fn absent_with(
    what: &str,
    state: Option<&Place>,
    wishes: &[(&str, Option<&Place>)],
    problems: &mut Diagnostics,
) {
    let given: Vec<_> = wishes.iter().filter_map(|(field, place)| place.map(|place| (*field, place))).collect();
    let (Some(state), Some((_, first))) = (state, given.first()) else { return };
    let fields: Vec<_> = given.iter().map(|(field, _)| *field).collect();
    let message = format!("{what} should be absent and yet have {}", listed(&fields));
    problems.push(
        Diagnostic::error("spec::absent-with-wishes", message)
            .locate(state, "it is to be deleted")
            .locate(first, "a wish about it")
            .help("keep `state: absent` alone, or drop it"),
    );
}

/// A domain that should be absent while something in it should not.
pub(super) fn check(world: &World<'_>, problems: &mut Diagnostics) {
    let (spec, written) = (&world.spec, &world.written);
    for (name, _) in spec.domains.iter().filter(|(_, d)| d.state == Presence::Absent) {
        let accounts = world.present().map(|entry| (entry.address, Some(entry.place)));
        let redirections = spec.redirections.iter().filter(|(_, r)| r.state == Presence::Present && r.via.is_none());
        let redirections = redirections.map(|(a, _)| (a, written.redirections.get(a).map(|(place, _)| *place)));
        let groups = spec.groups.iter().filter(|(_, g)| g.state == Presence::Present && g.via.is_none());
        let groups = groups.map(|(a, _)| (a, written.groups.get(a).map(|(place, _)| *place)));
        let inside: Vec<_> = accounts.chain(redirections).chain(groups).filter(|(a, _)| a.domain() == name).collect();
        let state = written.domains.get(name).and_then(|(_, raw)| raw.state.as_ref());
        let (Some(state), Some((address, Some(place)))) = (state, inside.first()) else { continue };
        let message = match inside.len() {
            1 => format!("`{name}` should be absent and yet hold `{address}`"),
            n => format!("`{name}` should be absent and yet hold {n} addresses"),
        };
        problems.push(
            Diagnostic::error("spec::absent-with-wishes", message)
                .locate(&state.place, "the domain is to be deleted")
                .locate(place, "and this lives in it")
                .help("a domain goes once nothing is left in it; leave it present until then"),
        );
    }
}
