//! What a run came to: a fold of its events.

use std::{collections::BTreeMap, fmt::Display};

use crate::{
    diag::{count, plural, size},
    model::{ActionId, Address, CopyCounts, Event, FailedMessage, PlanId, RunId},
};

use super::{
    phrase::there_already,
    style::{Options, Paint},
};

/// What a run came to, taken up event by event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The run, once it has begun.
    pub run: Option<RunId>,
    /// Its plan.
    pub plan: Option<PlanId>,
    /// How many actions the plan has.
    pub actions: usize,
    /// Whether it went on with an earlier run.
    pub resumed: bool,
    /// Actions that an earlier run has done.
    pub before: usize,
    /// Actions done.
    pub done: usize,
    /// Of those, done by an earlier run and recognised.
    pub adopted: usize,
    /// Actions taken back, with the reason.
    pub undone: Vec<(ActionId, String)>,
    /// Actions that still wait, with what for.
    pub waiting: Vec<(ActionId, String)>,
    /// Gates that are shut, with why.
    pub gates: BTreeMap<String, String>,
    /// Actions that failed.
    pub failures: Vec<Failure>,
    /// The last pass of every mailbox that was copied; octets are those of all its passes.
    pub copies: BTreeMap<Address, CopyCounts>,
    /// The last pass of every folder of those mailboxes.
    pub folders: BTreeMap<Address, BTreeMap<String, CopyCounts>>,
    /// Messages that failed in the last pass.
    pub failed: BTreeMap<Address, Vec<FailedMessage>>,
    /// What a person should know.
    pub warnings: Vec<String>,
    /// The exit code and how many actions were not started, once the run has ended.
    pub end: Option<(u8, usize)>,
}

/// An action that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The action.
    pub action: ActionId,
    /// The chain of errors, outermost first.
    pub errors: Vec<String>,
    /// What to do.
    pub help: Option<String>,
    /// What is not done because of it.
    pub blocked: Vec<ActionId>,
}

impl Summary {
    /// The summary of all those events.
    #[must_use]
    pub fn of<'e>(events: impl IntoIterator<Item = &'e Event>) -> Self {
        let mut out = Self::default();
        events.into_iter().for_each(|event| out.take(event));
        out
    }

    /// Takes one event up.
    pub fn take(&mut self, event: &Event) {
        match event {
            Event::RunStarted { run, plan, actions, resumed, done } => {
                (self.run, self.plan) = (Some(run.clone()), Some(plan.clone()));
                (self.actions, self.resumed, self.before) = (*actions, *resumed, *done);
            }
            Event::ActionWaiting { action, reason } => {
                self.waiting.retain(|(a, _)| a != action);
                self.waiting.push((action.clone(), reason.clone()));
            }
            Event::GateShut { gate, reason, .. } => {
                self.gates.insert(gate.clone(), reason.clone());
            }
            Event::GateOpened { gate, .. } => {
                self.gates.remove(gate);
            }
            Event::ActionDone { action, adopted, .. } => {
                self.done += 1;
                self.adopted += usize::from(*adopted);
                self.waiting.retain(|(a, _)| a != action);
            }
            Event::ActionUndone { action, reason } => {
                // What is taken back is not done any more.
                self.done = self.done.saturating_sub(1);
                self.undone.push((action.clone(), reason.clone()));
            }
            Event::ActionFailed { action, errors, help, blocked } => {
                self.waiting.retain(|(a, _)| a != action);
                self.failures.push(Failure {
                    action: action.clone(),
                    errors: errors.clone(),
                    help: help.clone(),
                    blocked: blocked.clone(),
                });
            }
            Event::CopyDone { account, counts } => {
                let earlier = self.copies.get(account).map_or(0, |c| c.octets);
                let counts = CopyCounts { octets: counts.octets.saturating_add(earlier), ..counts.clone() };
                self.copies.insert(account.clone(), counts);
            }
            Event::FolderDone { account, folder, counts } => {
                self.failed.entry(account.clone()).or_default().retain(|f| f.folder.to_string() != *folder);
                self.folders.entry(account.clone()).or_default().insert(folder.clone(), counts.clone());
            }
            Event::MessageFailed { account, message } => {
                self.failed.entry(account.clone()).or_default().push(message.clone());
            }
            Event::Warning { message } => self.warnings.push(message.clone()),
            Event::RunFinished { exit, done, pending, .. } => {
                self.done = *done;
                self.end = Some((*exit, *pending));
            }
            Event::ActionStarted { .. }
            | Event::CopyProgress { .. }
            | Event::VerifyProgress { .. }
            | Event::Throttled { .. } => {}
        }
    }
}

/// A run for a terminal.
#[must_use]
pub fn summary_text(summary: &Summary, options: &Options) -> String {
    let name = summary.run.as_ref().map_or("Run", RunId::as_str);
    let pending = match summary.end {
        Some((_, 0)) => String::new(),
        Some((_, n)) => format!(", {} not started", count(n as u64)),
        None => ", not ended".to_owned(),
    };
    let adopted = match summary.adopted {
        0 => String::new(),
        n => format!(" ({} recognised from an earlier run)", count(n as u64)),
    };
    let failed = match summary.failures.len() {
        0 => String::new(),
        n => format!(", {} failed", count(n as u64)),
    };
    let line = format!("{name}: {} done{adopted}{failed}{pending}", plural(summary.done, "action"));
    let mut out = format!("{}\n", options.heading(&line));
    out.push_str(&mail(summary));
    out.push_str(&failures(summary, options));
    out.push_str(&pairs("Taken back", &summary.undone, options));
    out.push_str(&pairs("Waiting", &summary.waiting, options));
    out.push_str(&pairs("Gates", &summary.gates.iter().collect::<Vec<_>>(), options));
    if !summary.warnings.is_empty() {
        out.push_str(&format!("\n{}\n", options.heading("Warnings")));
        let all = &summary.warnings;
        all.iter().take(options.shown(all.len())).for_each(|w| out.push_str(&options.wrap(2, w)));
        out.push_str(&options.rest(all.len(), 2));
    }
    out
}

fn mail(summary: &Summary) -> String {
    if summary.copies.is_empty() {
        return String::new();
    }
    let mut c = CopyCounts::default();
    summary.copies.values().for_each(|counts| c.add(counts));
    let parts = |of: &std::collections::BTreeMap<String, u64>| {
        of.iter().map(|(reason, n)| format!("{} {reason}", count(*n))).collect::<Vec<_>>().join(", ")
    };
    let mut out = format!(
        "Mail: {} at the source = {} copied + {} + {} left out + {} failed + {} gone meanwhile, {} sent.\n",
        count(c.source),
        count(c.copied),
        there_already(&c),
        count(c.excluded.values().sum()),
        count(c.failed.values().sum()),
        count(c.gone),
        size(c.octets)
    );
    if !c.excluded.is_empty() {
        out.push_str(&format!("  left out: {}\n", parts(&c.excluded)));
    }
    if !c.failed.is_empty() {
        out.push_str(&format!("  failed: {}\n", parts(&c.failed)));
    }
    if !c.balances() {
        out.push_str("  The sums do not balance: do not retire any source, and report this.\n");
    }
    out
}

fn failures(summary: &Summary, options: &Options) -> String {
    if summary.failures.is_empty() {
        return String::new();
    }
    let mut out = format!("\n{}\n", options.heading("Failed"));
    for failure in summary.failures.iter().take(options.shown(summary.failures.len())) {
        out.push_str(&format!("  {} {}\n", options.paint(Paint::Bad, "x"), failure.action));
        for error in &failure.errors {
            out.push_str(&options.wrap(6, error));
        }
        if let Some(help) = &failure.help {
            out.push_str(&options.wrap(6, &format!("> {help}")));
        }
        if !failure.blocked.is_empty() {
            let held = plural(failure.blocked.len(), "action");
            out.push_str(&format!("      not done because of it: {held}\n"));
        }
    }
    out.push_str(&options.rest(summary.failures.len(), 2));
    out
}

fn pairs<A: Display, B: Display>(title: &str, all: &[(A, B)], options: &Options) -> String {
    if all.is_empty() {
        return String::new();
    }
    let mut out = format!("\n{}\n", options.heading(title));
    for (what, reason) in all.iter().take(options.shown(all.len())) {
        out.push_str(&options.wrap(2, &format!("{what}: {reason}")));
    }
    out.push_str(&options.rest(all.len(), 2));
    out
}
