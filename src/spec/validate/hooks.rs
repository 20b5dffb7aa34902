//! Hooks: each names a program, and has an end.

use std::collections::BTreeMap;

use super::collect::Written;
use crate::{
    diag::{Diagnostic, Diagnostics},
    model::HookPoint,
    spec::{
        place::{At, Locate as _},
        raw,
        types::HookSpec,
    },
};

/// The longest that a hook may take, unless it says otherwise, in seconds.
const PATIENCE: u64 = 60;
/// What a hook may say at most: a day.
const LONGEST: u64 = 24 * 3600;

pub(super) fn build(written: &Written<'_>, problems: &mut Diagnostics) -> BTreeMap<HookPoint, HookSpec> {
    let Some(hooks) = written.hooks else { return BTreeMap::new() };
    let hooks = &hooks.value;
    let all = [
        (HookPoint::BeforeApply, &hooks.before_apply),
        (HookPoint::BeforeAction, &hooks.before_action),
        (HookPoint::AfterAction, &hooks.after_action),
        (HookPoint::OnFailure, &hooks.on_failure),
        (HookPoint::AfterRun, &hooks.after_run),
    ];
    all.into_iter().filter_map(|(point, hook)| Some((point, one(hook.as_ref()?, problems)?))).collect()
}

fn one(hook: &At<raw::Hook>, problems: &mut Diagnostics) -> Option<HookSpec> {
    let raw = &hook.value;
    let run: Vec<String> = raw.run.iter().flat_map(|words| words.value.values().cloned()).collect();
    if run.first().is_none_or(String::is_empty) {
        if !raw.broken.has("run") {
            problems.push(
                Diagnostic::error("spec::bad-hook", "the hook names no program")
                    .locate(&hook.place, "no `run`")
                    .help("give a program and its arguments: `run: [./hooks/tell, --loud]`"),
            );
        }
        return None;
    }
    let timeout = raw.timeout.as_ref().map_or(PATIENCE, |t| t.value.0);
    if let Some(written) = raw.timeout.as_ref().filter(|t| !(1..=LONGEST).contains(&t.value.0)) {
        problems.push(
            Diagnostic::error("spec::bad-hook", "a hook must end")
                .locate(&written.place, "not between 1 and 86400")
                .help("say in seconds how long it may take"),
        );
    }
    Some(HookSpec { run, timeout })
}
