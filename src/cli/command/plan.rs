//! `rehome plan` and `rehome show`.

use std::{fs, path::Path};

use crate::{
    cli::{
        args::{Format, LookArgs},
        context::Context,
        failure::Failure,
        runner,
    },
    diag::{Exit, Severity},
    dns,
    journal::Journal,
    model::{Inventory, State},
    plan::{self, Header, Plan},
    report,
    spec::Spec,
};

/// The most that forges take in one comment.
const MARKDOWN_LIMIT: usize = 65_000;

/// Shows what `apply` would do; writes it to a file when asked.
pub(super) async fn run(
    context: &Context,
    path: &Path,
    out: Option<&Path>,
    detailed: bool,
    look: &LookArgs,
) -> Result<Exit, Failure> {
    let spec = context.load(path)?;
    let readers = context.readers(&spec)?;
    let inventory = context.observe(&spec, &readers, look).await?;
    let state = state(context, path)?;
    let plan = make(path, &spec, &inventory, &state);
    if let Some(file) = out {
        save(file, &plan)?;
    }
    print(context, &plan, out)?;
    if context.global.format == Format::Human {
        names(context, &spec, &inventory)?;
    }
    // docs/adr/0004-exit-codes-of-blocked-plans.md
    Ok(match runner::exit_of_nothing(&plan) {
        _ if !plan.is_empty() => {
            if detailed {
                Exit::Changes
            } else {
                Exit::Ok
            }
        }
        Exit::Waiting => Exit::Ok,
        exit => exit,
    })
}

/// Tells what is wrong in DNS already now. It is no part of the plan: nothing of it is changed by `apply`.
fn names(context: &Context, spec: &Spec, inventory: &Inventory) -> Result<(), Failure> {
    let mut checked = Vec::new();
    for (domain, view) in &inventory.dns {
        let Some(wish) = spec.domains.get(domain) else { continue };
        let seen = inventory.platforms.get(&wish.platform).and_then(|p| p.domains.get(domain));
        let expected = seen.map(|d| d.expected.as_slice()).unwrap_or_default();
        let mut findings = dns::check(domain, &wish.dns.verify, expected, view);
        findings.retain(|f| matches!(f.severity, Severity::Error | Severity::Unknown));
        if !findings.is_empty() {
            checked.push(report::Checked { title: format!("DNS of {}, as it is now", domain.unicode()), findings });
        }
    }
    if checked.is_empty() {
        return Ok(());
    }
    context.answer(&format!("\n{}", report::findings_text(&checked, &context.looks())))
}

/// Shows a saved plan.
pub(super) fn show(context: &Context, path: &Path) -> Result<Exit, Failure> {
    let plan = read(path)?;
    print(context, &plan, Some(path))?;
    Ok(Exit::Ok)
}

/// What earlier runs recorded, without making a journal where there is none.
pub(in crate::cli) fn state(context: &Context, spec: &Path) -> Result<State, Failure> {
    match Journal::open_read_only(&context.workspace(spec))? {
        Some(journal) => Ok(journal.state()?),
        None => Ok(State::default()),
    }
}

/// Makes the plan of a spec.
pub(in crate::cli) fn make(path: &Path, spec: &Spec, inventory: &Inventory, state: &State) -> Plan {
    let header = Header {
        created: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        tool: format!("rehome {}", env!("CARGO_PKG_VERSION")),
        spec: path.display().to_string(),
    };
    plan::plan(spec, inventory, state, header)
}

/// Writes a plan to a file.
fn save(path: &Path, plan: &Plan) -> Result<(), Failure> {
    fs::write(path, plan::file::to_bytes(plan))
        .map_err(|e| Failure::caused(Exit::Failed, format!("cannot write the plan to {}", path.display()), &e))
}

/// Reads a saved plan.
pub(in crate::cli) fn read(path: &Path) -> Result<Plan, Failure> {
    let bytes = fs::read(path)
        .map_err(|e| Failure::caused(Exit::Invalid, format!("cannot read the plan {}", path.display()), &e))?;
    plan::file::from_bytes(&bytes)
        .map_err(|e| Failure::caused(Exit::Invalid, format!("{} cannot be used", path.display()), &e))
}

/// Prints a plan the way it was asked for.
pub(in crate::cli) fn print(context: &Context, plan: &Plan, saved: Option<&Path>) -> Result<(), Failure> {
    let text = match context.global.format {
        Format::Json => String::from_utf8_lossy(&plan::file::to_bytes(plan)).into_owned(),
        Format::Markdown => report::plan_markdown(plan, Some(MARKDOWN_LIMIT)),
        Format::Human => {
            let mut text = report::plan_text(plan, &context.looks());
            if let Some(file) = saved.filter(|_| !plan.is_empty()) {
                text.push_str(&format!("\nSaved. To do exactly this: rehome apply {}\n", file.display()));
            }
            text
        }
    };
    context.answer(&text)
}
