//! Filters: which mail is copied, and what no mailbox could ever satisfy.

use super::World;
use crate::{
    diag::{Diagnostic, Diagnostics},
    model::{FilterProblem, MailFilter},
    spec::{
        place::{At, Locate as _, Place},
        raw::{Defaults, Filter, List},
    },
};

/// The filter as the copy takes it.
pub(super) fn read(filter: &Filter) -> MailFilter {
    let folders = |list: &Option<At<List<String>>>| list.iter().flat_map(|l| l.value.values().cloned()).collect();
    let renamed = filter.rename.iter().flat_map(|map| &map.value.0);
    MailFilter {
        include: folders(&filter.include),
        exclude: folders(&filter.exclude),
        rename: renamed.map(|(old, new)| (old.value.clone(), new.clone())).filter(|(_, new)| !new.is_empty()).collect(),
        since: filter.since.as_ref().map(|m| m.value.0),
        until: filter.until.as_ref().map(|m| m.value.0),
        min_size: filter.min_size.as_ref().map(|s| s.value.0),
        max_size: filter.max_size.as_ref().map(|s| s.value.0),
        gmail_labels: filter.gmail_labels.as_ref().map(|l| l.value).unwrap_or_default(),
    }
}

/// Each filter is judged once, where it is written.
pub(super) fn check(world: &World<'_>, problems: &mut Diagnostics) {
    let of = |d: &'_ Defaults| d.mail.as_ref().and_then(|m| m.value.filter.clone());
    let top = world.written.defaults.and_then(|d| of(&d.value));
    let domains = world
        .written
        .domains
        .values()
        .filter_map(|(_, d)| d.defaults.as_ref().and_then(|defaults| of(&defaults.value)));
    let accounts =
        world.written.accounts.values().filter_map(|(_, a)| a.mail.as_ref().and_then(|m| m.value.filter.clone()));
    for filter in top.into_iter().chain(domains).chain(accounts) {
        for problem in read(&filter.value).problems() {
            problems.push(told(&filter, &problem));
        }
    }
}

fn told(filter: &At<Filter>, problem: &FilterProblem) -> Diagnostic {
    let whole = &filter.place;
    let place = |field: Option<&Place>| field.unwrap_or(whole).clone();
    let written = |name: &str| {
        let entries = filter.value.rename.iter().flat_map(|map| &map.value.0);
        place(entries.map(|(old, _)| old).find(|old| old.value == name).map(|old| &old.place))
    };
    let diagnostic = |code| Diagnostic::error(code, problem.to_string());
    match problem {
        FilterProblem::EmptyName => diagnostic("spec::filter-name")
            .locate(whole, "in this filter")
            .help("name folders as `plan -v` shows them, `/` between the components"),
        FilterProblem::Dates => diagnostic("spec::filter-dates")
            .locate(&place(filter.value.until.as_ref().map(|u| &u.place)), "this must be later than `since`")
            .help("`since` is included and `until` is not: `since: 2020-01-01`, `until: 2021-01-01` is the year 2020"),
        FilterProblem::Sizes => diagnostic("spec::filter-sizes")
            .locate(&place(filter.value.max_size.as_ref().map(|m| &m.place)), "this must not be less than `min_size`"),
        FilterProblem::Collision { folders: [first, second], .. } => diagnostic("spec::rename-collision")
            .locate(&written(second), "this one too")
            .locate(&written(first), "this folder goes there")
            .help("two folders never share one: give each its own name"),
    }
}
