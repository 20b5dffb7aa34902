//! `rehome doctor`: the spec, the credentials, and the way to every platform, mailbox and name server.

use std::path::Path;

use crate::{
    cli::{args::LookArgs, context::Context, failure::Failure},
    diag::{self, Exit, plural},
    model::{CreateBy, Inventory, LoginView, PlatformView, ServiceState},
    observe::Observation,
    spec::Spec,
};

/// Checks everything that can be checked without changing anything.
pub(super) async fn run(context: &Context, path: &Path) -> Result<Exit, Failure> {
    let spec = context.load(path)?;
    context.answer(&format!("ok    spec          {} is valid\n", path.display()))?;
    let readers = context.readers(&spec)?;
    context.answer("ok    credentials   the keys of every platform are there\n")?;
    let Observation { inventory, failures, secrets } =
        context.look_around(&spec, &readers, &LookArgs::default()).await?;
    let mut lines = Vec::new();
    platforms(&spec, &inventory, &mut lines);
    for (id, error) in &failures {
        let help = error.help.as_ref().map(|h| format!("; {h}")).unwrap_or_default();
        lines.push((Mark::Fail, "platform", format!("{id}: {}{help}", diag::chain(error).join(": "))));
    }
    for problem in &secrets {
        lines.push((Mark::Fail, "secret", format!("{} ({}): {}", problem.subject, problem.reference, problem.reason)));
    }
    mailboxes(&inventory, &mut lines);
    names(&inventory, &mut lines);
    let bad = lines.iter().filter(|(mark, ..)| *mark == Mark::Fail).count();
    let mut out = String::new();
    for (mark, what, text) in lines {
        out.push_str(&format!("{:<5} {what:<13} {text}\n", mark.word()));
    }
    out.push_str(&match bad {
        0 => "\nEverything answers. Next: rehome plan\n".to_owned(),
        1 => "\n1 check failed\n".to_owned(),
        n => format!("\n{n} checks failed\n"),
    });
    context.answer(&out)?;
    Ok(if bad == 0 { Exit::Ok } else { Exit::Failed })
}

type Line = (Mark, &'static str, String);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Ok,
    Skipped,
    Fail,
}

impl Mark {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skipped => "-",
            Self::Fail => "FAIL",
        }
    }
}

fn platforms(spec: &Spec, inventory: &Inventory, lines: &mut Vec<Line>) {
    for (id, view) in &inventory.platforms {
        let service = &view.service;
        let name = spec.platforms.get(id).and_then(|p| p.service.as_deref()).unwrap_or(&service.name);
        match &service.state {
            ServiceState::Ok => lines.push((
                Mark::Ok,
                "platform",
                format!("{id}: {} {name}, {}{}", view.kind.title(), plural(view.accounts.len(), "account"), room(view)),
            )),
            ServiceState::Unavailable(word) => {
                lines.push((Mark::Fail, "platform", format!("{id}: {name} takes no changes: {word}")));
            }
        }
        for gap in &view.gaps {
            let subject = if gap.subject.is_empty() { String::new() } else { format!(" of {}", gap.subject) };
            lines.push((Mark::Fail, "listing", format!("{id}: {:?}{subject}: {}", gap.class, gap.reason)));
        }
    }
}

/// How many more accounts a platform takes, where that is known.
fn room(view: &PlatformView) -> String {
    match (view.capabilities.create, view.account_limit) {
        (CreateBy::Slot, _) => format!(", {}", plural(view.slots.len(), "free slot")),
        (CreateBy::Request, Some(limit)) => format!(" of at most {limit}"),
        (CreateBy::Request, None) | (CreateBy::Never, _) => String::new(),
    }
}

fn mailboxes(inventory: &Inventory, lines: &mut Vec<Line>) {
    for ((platform, address), view) in &inventory.mailboxes {
        let name = format!("{address} on {platform}");
        lines.push(match &view.login {
            LoginView::Accepted => {
                (Mark::Ok, "mailbox", format!("{name}: {} messages in {} folders", view.messages(), view.folders.len()))
            }
            LoginView::NotTried { reason } => (Mark::Skipped, "mailbox", format!("{name}: not opened: {reason}")),
            LoginView::Refused { reason } => (Mark::Fail, "mailbox", format!("{name}: the login is refused: {reason}")),
            LoginView::Unreachable { reason } => (Mark::Fail, "mailbox", format!("{name}: {reason}")),
        });
    }
}

fn names(inventory: &Inventory, lines: &mut Vec<Line>) {
    for (domain, view) in &inventory.dns {
        let shown = domain.unicode();
        match &view.failure {
            Some(reason) => lines.push((Mark::Fail, "dns", format!("{shown}: {reason}"))),
            None => {
                lines.push((Mark::Ok, "dns", format!("{shown}: {} asked", plural(view.servers.len(), "name server"))))
            }
        }
    }
}
