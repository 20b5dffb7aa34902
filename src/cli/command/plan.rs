//! `rehome plan` and `rehome show`.

use std::{fs, path::Path};

use crate::{
    cli::{
        args::{Format, GraphKind, PlanArgs},
        context::Context,
        failure::Failure,
        runner, saved,
    },
    diag::{Exit, Severity, plural},
    dns,
    journal::{Journal, Standing},
    model::{Action, Inventory, RunId, State},
    plan::{self, Header, Part, Plan},
    report,
    spec::Spec,
};

/// Shows what `apply` would do; writes it to a file when asked.
pub(super) async fn run(context: &Context, args: &PlanArgs) -> Result<Exit, Failure> {
    let path = args.spec.spec.as_path();
    let spec = context.load(path)?;
    let readers = context.readers(&spec)?;
    let inventory = context.observe(&spec, &readers, &args.look).await?;
    let state = state(context, path)?;
    let plan = match &args.rollback {
        Some(run) => way_back(context, path, (&spec, &inventory, &state), run)?,
        None => part(path, (&spec, &inventory, &state), args)?,
    };
    if let Some(file) = &args.out {
        save(file, &plan)?;
    }
    if args.diff {
        difference(context, &plan, &inventory)?;
    } else {
        print(context, &plan, args.out.as_deref(), args.max_bytes)?;
        if context.global.format == Format::Human && args.rollback.is_none() {
            names(context, &spec, &inventory)?;
        }
    }
    // docs/adr/0004-exit-codes-of-blocked-plans.md
    Ok(match runner::exit_of_nothing(&plan) {
        _ if !plan.is_empty() => {
            if args.detailed_exitcode {
                Exit::Changes
            } else {
                Exit::Ok
            }
        }
        Exit::Waiting => Exit::Ok,
        exit => exit,
    })
}

/// Shows the objects before and after.
fn difference(context: &Context, plan: &Plan, inventory: &Inventory) -> Result<(), Failure> {
    let text = report::plan_difference(plan, inventory, &context.looks());
    context.answer(&match (text.is_empty(), context.global.format) {
        (true, _) => "The plan changes no object of a platform.\n".to_owned(),
        (false, Format::Markdown) => format!("```diff\n{text}```\n"),
        (false, _) => text,
    })
}

/// What a plan is made from.
type Ground<'a> = (&'a Spec, &'a Inventory, &'a State);

/// The plan, or the part of it that was asked for.
fn part(path: &Path, (spec, inventory, state): Ground<'_>, args: &PlanArgs) -> Result<Plan, Failure> {
    let trimmed = |all: &[String]| all.iter().map(|name| name.trim().to_owned()).collect();
    let part = Part { only: trimmed(&args.target), without: trimmed(&args.exclude) };
    if part.is_whole() {
        return Ok(make(path, spec, inventory, state));
    }
    plan::plan_part(spec, inventory, state, header(path), &part).map_err(|unknown| {
        Failure::new(Exit::Invalid, format!("neither the spec nor the plan knows {}", unknown.join(", ")))
            .help("give an address or a domain of the spec, or the name of an action as `plan --format json` shows it")
    })
}

/// The plan that takes a run back.
fn way_back(context: &Context, path: &Path, (spec, inventory, state): Ground<'_>, run: &str) -> Result<Plan, Failure> {
    let folder = context.workspace(path);
    let Some(journal) = Journal::open_read_only(&folder)? else {
        return Err(Failure::new(Exit::Invalid, format!("there is no journal in {}", folder.display()))
            .help("only what was applied from here can be taken back"));
    };
    let run = RunId(run.to_owned());
    let applied = runner::saved_plan(&journal, &run)?;
    let progress = journal.progress(&run)?;
    let is_done = |action: &Action| progress.get(&action.id).is_some_and(|p| p.standing == Standing::Done);
    let done: Vec<Action> = applied.body.actions.into_iter().filter(is_done).collect();
    Ok(plan::rollback(spec, inventory, state, header(path), (&run, &done)))
}

/// Tells what is wrong in DNS already now. It is no part of the plan: nothing of it is changed by `apply`.
fn names(context: &Context, spec: &Spec, inventory: &Inventory) -> Result<(), Failure> {
    let checked = wrong_names(spec, inventory);
    if checked.is_empty() {
        return Ok(());
    }
    context.answer(&format!("\n{}", report::findings_text(&checked, &context.looks())))
}

/// What is wrong in DNS, or could not be found out, domain by domain.
pub(in crate::cli) fn wrong_names(spec: &Spec, inventory: &Inventory) -> Vec<report::Checked> {
    let mut checked = Vec::new();
    for (domain, view) in &inventory.dns {
        let Some(wish) = spec.domains.get(domain) else { continue };
        let expected = plan::wish(spec, inventory, domain, wish).expected(view);
        let mut findings = dns::check(domain, &wish.dns.verify, &expected, view);
        findings.retain(|f| matches!(f.severity, Severity::Error | Severity::Unknown));
        if !findings.is_empty() {
            checked.push(report::Checked::new(format!("DNS of {}, as it is now", domain.unicode()), findings));
        }
    }
    checked
}

/// Shows a saved plan.
pub(super) fn show(
    context: &Context,
    path: &Path,
    graph: Option<GraphKind>,
    max_bytes: usize,
) -> Result<Exit, Failure> {
    let plan = read(path)?;
    let language = graph.map(|kind| match kind {
        GraphKind::Mermaid => report::Graph::Mermaid,
        GraphKind::Dot => report::Graph::Dot,
    });
    match language {
        Some(language) => context.answer(&report::plan_graph(&plan, language))?,
        None => print(context, &plan, Some(path), max_bytes)?,
    }
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
    plan::plan(spec, inventory, state, header(path))
}

fn header(path: &Path) -> Header {
    Header {
        created: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        tool: format!("rehome {}", env!("CARGO_PKG_VERSION")),
        spec: path.display().to_string(),
    }
}

/// Writes a plan to a file.
fn save(path: &Path, plan: &Plan) -> Result<(), Failure> {
    saved::replace(path, &plan::file::to_bytes(plan))
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
pub(in crate::cli) fn print(
    context: &Context,
    plan: &Plan,
    saved: Option<&Path>,
    max_bytes: usize,
) -> Result<(), Failure> {
    let text = match context.global.format {
        Format::Json => String::from_utf8_lossy(&plan::file::to_bytes(plan)).into_owned(),
        Format::Markdown => return markdown(context, plan, max_bytes),
        Format::Html => report::plan_html(plan),
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

/// Prints a plan for a review. A text that does not name all that destroys is no ground to agree on, and says so where
/// nobody can miss it.
fn markdown(context: &Context, plan: &Plan, max_bytes: usize) -> Result<(), Failure> {
    let shown = report::plan_markdown(plan, Some(max_bytes));
    context.answer(&shown.text)?;
    match shown.unnamed {
        0 if shown.text.len() <= max_bytes => Ok(()),
        0 => Err(Failure::new(
            Exit::Failed,
            format!("the shortest text of this plan has {} octets, and {max_bytes} are allowed", shown.text.len()),
        )
        .help("allow more with `--max-bytes`, or split the change (`plan --target`)")),
        n => Err(Failure::new(
            Exit::Failed,
            format!("{} that destroy or need your word did not fit into {max_bytes} octets", plural(n, "action")),
        )
        .help("read the plan file, split the change (`plan --target`), or allow more with `--max-bytes`")),
    }
}
