//! Gates: each stands for itself, so there is nothing to judge that reading has not judged.

use std::collections::BTreeSet;

use super::collect::Written;
use crate::model::Gates;

pub(super) fn build(written: &Written<'_>) -> Gates {
    let Some(raw) = written.gates else { return Gates::default() };
    let windows: BTreeSet<_> =
        raw.value.window.iter().flat_map(|all| &all.value.0).map(|w| w.value.0.clone()).collect();
    Gates {
        windows: windows.into_iter().collect(),
        approval: raw.value.approval.iter().flat_map(|all| all.value.values().copied()).collect(),
    }
}
