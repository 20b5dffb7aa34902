//! Mail that would go round in a circle.

use std::collections::{BTreeMap, BTreeSet};

use super::World;
use crate::{
    diag::{Diagnostic, Diagnostics},
    model::Address,
    spec::{
        place::{Locate as _, Place},
        types::Presence,
    },
};

/// Where mail to an address goes on to, with the place of each word for it.
type Edges<'a> = BTreeMap<&'a Address, Vec<(&'a Address, &'a Place)>>;

pub(super) fn check(world: &World<'_>, problems: &mut Diagnostics) {
    let edges = edges(world, problems);
    let mut done = BTreeSet::new();
    for start in edges.keys() {
        if !done.contains(start) {
            walk(start, &edges, &mut done, problems);
        }
    }
}

fn edges<'a>(world: &'a World<'_>, problems: &mut Diagnostics) -> Edges<'a> {
    let mut out = Edges::new();
    for (address, spec) in &world.spec.redirections {
        let Some((_, raw)) = world.written.redirections.get(address) else { continue };
        if spec.state == Presence::Absent {
            continue;
        }
        for to in raw.to.iter().flat_map(|list| &list.value.0) {
            if to.value == *address {
                itself(address, &to.place, problems);
            } else {
                out.entry(address).or_default().push((&to.value, &to.place));
            }
        }
    }
    for (address, spec) in &world.spec.groups {
        let Some((_, raw)) = world.written.groups.get(address) else { continue };
        if spec.state == Presence::Absent {
            continue;
        }
        for member in raw.members.iter().flat_map(|list| &list.value.0) {
            if member.value == *address {
                problems.push(
                    Diagnostic::error("spec::redirection-loop", format!("the group `{address}` is its own member"))
                        .locate(&member.place, "itself")
                        .help("take it out of `members`"),
                );
            } else {
                out.entry(address).or_default().push((&member.value, &member.place));
            }
        }
    }
    out
}

fn itself(address: &Address, place: &Place, problems: &mut Diagnostics) {
    problems.push(
        Diagnostic::error("spec::redirection-to-itself", format!("`{address}` is redirected to itself"))
            .locate(place, "the same address")
            .help("to keep a copy in the mailbox of the same address say `keep_copy: true` and list the others only"),
    );
}

/// Depth first without recursion: each address is entered once, so that each circle is found once.
fn walk<'a>(start: &'a Address, edges: &Edges<'a>, done: &mut BTreeSet<&'a Address>, problems: &mut Diagnostics) {
    // The path from the start: an address, the place that led to it, and how many of its own edges were followed.
    let mut path: Vec<(&Address, Option<&Place>, usize)> = vec![(start, None, 0)];
    let mut depth: BTreeMap<&Address, usize> = BTreeMap::from([(start, 0)]);
    while let Some((address, _, next)) = path.last_mut() {
        let edge = edges.get(*address).and_then(|list| list.get(*next)).copied();
        *next += 1;
        let Some((to, place)) = edge else {
            done.insert(*address);
            depth.remove(*address);
            path.pop();
            continue;
        };
        if let Some(at) = depth.get(to) {
            let circle: Vec<_> = path.iter().skip(*at).collect();
            report(to, circle.iter().skip(1).map(|(a, p, _)| (*a, *p)).collect(), place, problems);
        } else if !done.contains(to) && edges.contains_key(to) {
            depth.insert(to, path.len());
            path.push((to, Some(place), 0));
        }
    }
}

fn report(first: &Address, middle: Vec<(&Address, Option<&Place>)>, closing: &Place, problems: &mut Diagnostics) {
    let mut names = vec![first.to_string()];
    names.extend(middle.iter().map(|(address, _)| address.to_string()));
    names.push(first.to_string());
    let message = format!("mail would go round in a circle: {}", names.join(" -> "));
    let mut problem = Diagnostic::error("spec::redirection-loop", message).locate(closing, "this closes the circle");
    for (address, place) in middle {
        if let Some(place) = place {
            problem = problem.locate(place, format!("on to `{address}`"));
        }
    }
    problems.push(problem.help("let one of them go to a mailbox"));
}
