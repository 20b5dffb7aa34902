//! What a plan changes, for those who think in files: a unified difference of the objects as they are and as the plan
//! leaves them.

use similar::TextDiff;

use crate::{
    model::Inventory,
    plan::{Plan, after},
};

use super::{
    style::{Options, Paint, clean},
    yaml::inventory_yaml,
};

/// The unified difference of observed and planned objects; empty when the plan changes none.
#[must_use]
pub fn plan_difference(plan: &Plan, inventory: &Inventory, options: &Options) -> String {
    let (before, after) = (inventory_yaml(inventory), inventory_yaml(&after(plan, inventory)));
    unified(&before, &after, ("observed", "planned"), options)
}

/// A unified difference of two texts, in colours where they are wanted; empty when they are equal.
#[must_use]
pub fn unified(before: &str, after: &str, (from, to): (&str, &str), options: &Options) -> String {
    if before == after {
        return String::new();
    }
    let diff = TextDiff::from_lines(before, after);
    let text = diff.unified_diff().context_radius(3).header(from, to).to_string();
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let paint = match line.chars().next() {
            Some('+') => Paint::Good,
            Some('-') => Paint::Bad,
            Some('@') => Paint::Move,
            _ => Paint::None,
        };
        out.push_str(&options.paint(paint, &clean(line)));
        out.push('\n');
    }
    out
}
