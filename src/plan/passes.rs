//! Passes: how often a mailbox is copied, and where the passes stand. Which of them are worth doing is a rule that the
//! plan shows; whoever applies it only compares.

use std::collections::BTreeMap;

use super::{
    cutover,
    decide::Cases,
    draft::Draft,
    mail::{Ends, Need, Writer},
    world::World,
};
use crate::{
    model::{ActionId, Address, CutoverStep, Domain, Phase, Work},
    spec::Strategy,
};

/// A pass that brought fewer messages than this brought little: what is left then is fetched in seconds.
pub(super) const LITTLE: u64 = 20;

/// Passes that `stage` plans at most to get the rest small, after the two that it always makes.
const MORE: usize = 2;

/// The copy, and one more pass when it may take long: it fetches what came and changed meanwhile, right before the
/// proof.
pub(super) fn once(writer: &mut Writer<'_, '_>, draft: &mut Draft, ends: Ends<'_>) {
    let fresh = writer.is_fresh();
    writer.copy(draft, Phase::Copy, ends, None);
    if fresh {
        writer.copy(draft, Phase::Copy, ends, None);
    }
}

/// Copies until little is left, before the address changes hands.
pub(super) fn until_little(writer: &mut Writer<'_, '_>, draft: &mut Draft, ends: Ends<'_>) {
    once(writer, draft, ends);
    for _ in 0..MORE {
        writer.copy(draft, Phase::Copy, ends, Some(LITTLE));
    }
}

/// Mail goes on arriving at the old platform until nobody has the old MX any more: one pass as soon as it has moved, one
/// when it is everywhere, and another proof.
pub(super) fn overlap(world: &World<'_>, cases: &Cases<'_>, draft: &mut Draft) {
    let moves = moves(draft);
    if moves.is_empty() {
        return;
    }
    let passes = passes(draft);
    for case in &cases.list {
        let Some((moved, everywhere)) = moves.get(case.address.domain()) else { continue };
        let parallel = case.source.as_ref().is_some_and(|s| s.migrate.strategy == Strategy::Parallel);
        if !parallel || case.need == Need::Unseen || !cutover::moves_mx(world, case.address.domain()) {
            continue;
        }
        let (Some(from), Some((mut writer, passwords))) = (case.source_name(), Writer::new(world, case)) else {
            continue;
        };
        let opens = passwords.source.is_none() && passwords.target.is_none();
        if let Some(pass) = passes.get(case.address) {
            writer.goes_on_after(*pass);
        } else if !opens {
            continue;
        }
        let ends = (from, case.address);
        writer.before.insert(moved.clone());
        writer.copy(draft, Phase::Cutover, ends, None);
        writer.before.insert(everywhere.clone());
        writer.copy(draft, Phase::Cutover, ends, None);
        writer.verify(draft, Phase::Cutover, ends);
    }
}

/// By domain: the move of its MX, and what says that it is everywhere.
fn moves(draft: &Draft) -> BTreeMap<Domain, (ActionId, ActionId)> {
    let mut out = BTreeMap::new();
    for action in &draft.actions {
        let Work::Cutover(work) = &action.work else { continue };
        // It waits for the move and for nothing else.
        if let (CutoverStep::Converge, Some(moved)) = (work.step, action.requires.first()) {
            out.insert(work.switch.domain.clone(), (moved.clone(), action.id.clone()));
        }
    }
    out
}

/// By mailbox: the last pass that is planned so far.
fn passes(draft: &Draft) -> BTreeMap<Address, u32> {
    let mut out: BTreeMap<Address, u32> = BTreeMap::new();
    for action in &draft.actions {
        if let Work::Copy(work) = &action.work {
            let last = out.entry(work.account.clone()).or_default();
            *last = (*last).max(work.pass);
        }
    }
    out
}
