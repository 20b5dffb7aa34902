//! Redirections, groups and contacts.

use super::{World, absent::absent_with, known_platform};
use crate::{
    diag::{Diagnostic, Diagnostics},
    model::{Address, ContactView, Domain, GroupSettings, PlatformId},
    spec::{
        place::{At, Locate as _, Place},
        raw::{Contact, Group, List, Redirection, suggest},
        types::{ContactSpec, GroupSpec, Presence, RedirectionSpec},
    },
};

pub(super) fn build(world: &mut World<'_>, problems: &mut Diagnostics) {
    for (address, (place, raw)) in &world.written.redirections {
        home(world, address, place, "redirection", problems);
        via(world, raw.via.as_ref(), problems);
        if let Some(spec) = redirection(address, place, raw, problems) {
            world.spec.redirections.insert(address.clone(), spec);
        }
    }
    for (address, (place, raw)) in &world.written.groups {
        home(world, address, place, "group", problems);
        via(world, raw.via.as_ref(), problems);
        world.spec.groups.insert(address.clone(), group(address, raw, problems));
    }
    for (address, (place, raw)) in &world.written.contacts {
        let Some(platform) = &raw.platform else {
            if raw.broken.has("platform") {
                continue;
            }
            let message = format!("the contact `{address}` does not say its platform");
            problems.push(
                Diagnostic::error("spec::missing-field", message)
                    .locate(place, "no `platform`")
                    .help("name the platform whose directory holds it: `platform: ...`"),
            );
            continue;
        };
        via(world, raw.platform.as_ref(), problems);
        let spec = contact(address, raw, platform.value.clone(), problems);
        world.spec.contacts.insert(address.clone(), spec);
    }
}

/// The domain of an object must be declared.
fn home(world: &World<'_>, address: &Address, place: &Place, what: &str, problems: &mut Diagnostics) {
    if !world.written.has_domain(address.domain()) {
        let message = format!("the {what} `{address}` is in the domain `{}`, which is not declared", address.domain());
        problems.push(
            Diagnostic::error("spec::undeclared-domain", message)
                .locate(place, "its domain is not under `domains`")
                .help(world.nearest_domain(address.domain())),
        );
    }
}

impl World<'_> {
    /// What to do about a domain that is not declared.
    pub(super) fn nearest_domain(&self, domain: &Domain) -> String {
        match suggest(domain.as_str(), self.written.domains.keys().map(Domain::as_str)) {
            Some(best) => format!("did you mean `{best}`?"),
            None => format!("declare it: `domains: {{ {domain}: {{ platform: ... }} }}`"),
        }
    }
}

fn via(world: &World<'_>, platform: Option<&At<PlatformId>>, problems: &mut Diagnostics) {
    if let Some(platform) = platform {
        known_platform(&world.written, platform.value.as_str(), &platform.place, problems);
    }
}

fn redirection(
    address: &Address,
    place: &Place,
    raw: &Redirection,
    problems: &mut Diagnostics,
) -> Option<RedirectionSpec> {
    let state = raw.state.as_ref().map(|s| s.value).unwrap_or_default();
    if state == Presence::Absent {
        let wishes =
            [("to", raw.to.as_ref().map(|f| &f.place)), ("keep_copy", raw.keep_copy.as_ref().map(|f| &f.place))];
        let what = format!("the redirection `{address}`");
        absent_with(&what, raw.state.as_ref().map(|s| &s.place), &wishes, problems);
    } else if raw.broken.has("to") {
        return None;
    } else if raw.to.as_ref().is_none_or(|to| to.value.0.is_empty()) {
        let place = raw.to.as_ref().map_or(place, |to| &to.place);
        problems.push(
            Diagnostic::error("spec::missing-field", format!("the redirection `{address}` goes nowhere"))
                .locate(place, "no `to`")
                .help("say where its mail goes: `to: [desk@partner.example]`"),
        );
        return None;
    }
    Some(RedirectionSpec {
        state,
        to: raw.to.iter().flat_map(|to| to.value.values().cloned()).collect(),
        keep_copy: raw.keep_copy.as_ref().is_some_and(|k| k.value),
        via: raw.via.as_ref().map(|v| v.value.clone()),
    })
}

fn group(address: &Address, raw: &Group, problems: &mut Diagnostics) -> GroupSpec {
    let state = raw.state.as_ref().map(|s| s.value).unwrap_or_default();
    if state == Presence::Absent {
        let wishes = [
            ("name", raw.name.as_ref().map(|f| &f.place)),
            ("members", raw.members.as_ref().map(|f| &f.place)),
            ("managers", raw.managers.as_ref().map(|f| &f.place)),
            ("members_only", raw.members_only.as_ref().map(|f| &f.place)),
            ("join", raw.join.as_ref().map(|f| &f.place)),
            ("leave", raw.leave.as_ref().map(|f| &f.place)),
            ("hidden", raw.hidden.as_ref().map(|f| &f.place)),
            ("max_receive_mb", raw.max_receive_mb.as_ref().map(|f| &f.place)),
        ];
        absent_with(&format!("the group `{address}`"), raw.state.as_ref().map(|s| &s.place), &wishes, problems);
    }
    let set = |list: &Option<At<List<Address>>>| list.as_ref().map(|l| l.value.values().cloned().collect());
    GroupSpec {
        state,
        settings: GroupSettings {
            display_name: raw.name.as_ref().map(|n| n.value.clone()),
            members_only: raw.members_only.as_ref().map(|m| m.value),
            join: raw.join.as_ref().map(|j| j.value),
            leave: raw.leave.as_ref().map(|l| l.value),
            hidden: raw.hidden.as_ref().map(|h| h.value),
            max_receive_mb: raw.max_receive_mb.as_ref().map(|m| m.value.0),
        },
        members: set(&raw.members),
        managers: set(&raw.managers),
        via: raw.via.as_ref().map(|v| v.value.clone()),
    }
}

fn contact(address: &Address, raw: &Contact, platform: PlatformId, problems: &mut Diagnostics) -> ContactSpec {
    let state = raw.state.as_ref().map(|s| s.value).unwrap_or_default();
    if state == Presence::Absent {
        let wishes = [
            ("name", raw.name.as_ref().map(|f| &f.place)),
            ("first_name", raw.first_name.as_ref().map(|f| &f.place)),
            ("last_name", raw.last_name.as_ref().map(|f| &f.place)),
            ("hidden", raw.hidden.as_ref().map(|f| &f.place)),
        ];
        absent_with(&format!("the contact `{address}`"), raw.state.as_ref().map(|s| &s.place), &wishes, problems);
    }
    ContactSpec {
        state,
        fields: ContactView {
            display_name: raw.name.as_ref().map(|n| n.value.clone()),
            first_name: raw.first_name.as_ref().map(|n| n.value.clone()),
            last_name: raw.last_name.as_ref().map(|n| n.value.clone()),
            hidden: raw.hidden.as_ref().map(|h| h.value),
        },
        platform,
    }
}
