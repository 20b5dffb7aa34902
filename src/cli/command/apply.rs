//! `rehome apply` and `rehome resume`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    plan::{make, print, read, state},
    steer,
};
use crate::{
    cli::{
        args::{ApplyArgs, Format, LookArgs, MARKDOWN_LIMIT},
        context::Context,
        ending,
        failure::Failure,
        runner::{self, Ended, Job, Latest, Unfinished},
    },
    diag::Exit,
    imap::Parking,
    journal::{Journal, Standing},
    model::{ActionId, Inventory, PlatformId, Work},
    plan::{self, Plan},
    provider::{Provider, Reader},
    spec::Spec,
};

/// How many differences of a stale plan are shown without `-v`.
const STALE_SHOWN: usize = 10;

/// What is agreed to without being asked.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Consent {
    /// The plan of a spec.
    pub(super) auto_approve: bool,
    /// A saved plan that is stale, as long as a new one would do the same.
    pub(super) replan_if_equivalent: bool,
}

/// Does what a spec or a saved plan says.
pub(super) async fn run(
    context: &Context,
    input: &Path,
    spec: Option<&Path>,
    consent: Consent,
    args: &ApplyArgs,
    look: &LookArgs,
) -> Result<Exit, Failure> {
    if is_plan(input) {
        saved(context, input, (spec, consent.replan_if_equivalent), args, look).await
    } else {
        fresh(context, input, consent.auto_approve, args, look).await
    }
}

/// A plan is JSON, a spec is YAML that does not begin with a brace, or a folder.
fn is_plan(path: &Path) -> bool {
    path.is_file() && fs::read(path).is_ok_and(|bytes| bytes.trim_ascii_start().starts_with(b"{"))
}

async fn fresh(
    context: &Context,
    path: &Path,
    auto_approve: bool,
    args: &ApplyArgs,
    look: &LookArgs,
) -> Result<Exit, Failure> {
    let spec = context.load(path)?;
    let platforms = context.providers(&spec)?;
    // Nobody holds connections while a person thinks.
    let context = &if auto_approve { keeping(context) } else { context.clone() };
    let inventory = context.observe(&spec, &readers(&platforms), look).await?;
    let plan = make(path, &spec, &inventory, &state(context, path)?);
    keep_only_for_copies(context, &plan);
    if context.global.format == Format::Human {
        print(context, &plan, None, MARKDOWN_LIMIT)?;
    }
    if plan.is_empty() {
        return nothing(context, &plan);
    }
    if !auto_approve && !confirmed(context)? {
        return Err(Failure::new(Exit::Guard, "nothing was changed").help(
            "say yes, or --auto-approve; or review a saved plan: rehome plan --out plan.json, rehome apply plan.json",
        ));
    }
    let job = Job::new(context, (&spec, &plan), &inventory, &platforms, context.workspace(path), args);
    finish(context, &plan, job.run().await?)
}

/// The same surroundings, where connections to mailboxes stay from one piece of work to the next.
fn keeping(context: &Context) -> Context {
    Context { parking: Some(Parking::default()), ..context.clone() }
}

/// A session stays with its mailbox, whatever that is called later. So connections are kept only for a plan that changes
/// nothing but mail.
fn keep_only_for_copies(context: &Context, plan: &Plan) {
    let copies = |work: &Work| matches!(work, Work::Copy(_) | Work::VerifyMail(_) | Work::VerifyDns { .. });
    if let Some(parking) = context.parking.as_ref().filter(|_| !plan.body.actions.iter().all(|a| copies(&a.work))) {
        parking.close();
    }
}

/// Ends an apply whose plan has no actions. Whoever reads JSON gets the plan, which says why.
fn nothing(context: &Context, plan: &Plan) -> Result<Exit, Failure> {
    if context.global.format != Format::Human {
        print(context, plan, None, MARKDOWN_LIMIT)?;
    }
    Ok(runner::exit_of_nothing(plan))
}

async fn saved(
    context: &Context,
    file: &Path,
    (spec, replan): (Option<&Path>, bool),
    args: &ApplyArgs,
    look: &LookArgs,
) -> Result<Exit, Failure> {
    let plan = read(file)?;
    let path = spec.map_or_else(|| PathBuf::from(&plan.header.spec), Path::to_owned);
    let spec = context.load(&path)?;
    if spec.digest != plan.body.spec_digest {
        return Err(Failure::new(
            Exit::Stale,
            format!(
                "{} is not what {} was made from: it has changed since, or is another one",
                path.display(),
                file.display()
            ),
        )
        .help(format!("plan again: rehome plan {} --out {}", path.display(), file.display())));
    }
    let platforms = context.providers(&spec)?;
    let context = &keeping(context);
    keep_only_for_copies(context, &plan);
    let inventory = context.observe(&spec, &readers(&platforms), look).await?;
    let workspace = context.workspace(&path);
    let done = done_of(&workspace, &plan)?;
    // A plan that has begun has itself changed what it read; the journal, not the fingerprint, knows where it stands.
    match done {
        Some(done) if replan => refuse_unless_same(context, &path, (&spec, &inventory), &plan, &done)?,
        None if replan && !plan::stale(&plan, &inventory).is_empty() => {
            refuse_unless_same(context, &path, (&spec, &inventory), &plan, &BTreeSet::new())?;
        }
        None => refuse_stale(context, &plan, &inventory)?,
        Some(_) => {}
    }
    let job = Job::new(context, (&spec, &plan), &inventory, &platforms, workspace, args);
    finish(context, &plan, job.run().await?)
}

/// The actions of a plan that are done; `None` when it was not begun.
fn done_of(workspace: &Path, plan: &Plan) -> Result<Option<BTreeSet<ActionId>>, Failure> {
    let Some(journal) = Journal::open_read_only(workspace)? else { return Ok(None) };
    let Some(run) = journal.run_of(&plan.id)? else { return Ok(None) };
    let progress = journal.progress(&run.id)?;
    Ok(Some(progress.into_iter().filter(|(_, p)| p.standing == Standing::Done).map(|(id, _)| id).collect()))
}

/// Plans anew, and refuses the saved plan unless the new one does what is left of it. The saved one is then applied: it
/// is what was reviewed, and every action still looks before it leaps.
fn refuse_unless_same(
    context: &Context,
    path: &Path,
    (spec, inventory): (&Spec, &Inventory),
    saved: &Plan,
    done: &BTreeSet<ActionId>,
) -> Result<(), Failure> {
    let again = || {
        let help = "plan again and have the new plan reviewed";
        Failure::new(Exit::Stale, "the plan is stale, and a new one would do something else").help(help)
    };
    if done.len() == saved.body.actions.len() {
        return Ok(());
    }
    if let Some(run) = &saved.body.rollback_of {
        let mut failure = again();
        failure.errors = vec![format!("the plan is stale, and the way back of {run} is not planned anew by itself")];
        return Err(failure);
    }
    let state = state(context, path)?;
    let fresh =
        plan::plan_part(spec, inventory, &state, saved.header.clone(), &saved.body.part).map_err(|unknown| {
            Failure { errors: vec![format!("nobody knows {} any more", unknown.join(", "))], ..again() }
        })?;
    let differences = plan::divergences(saved, done, &fresh);
    if differences.is_empty() {
        tracing::info!(plan = saved.id.short(), "the plan is stale, and a new one does the same");
        return Ok(());
    }
    let mut failure = again();
    let shown = if context.global.verbose > 0 { differences.len() } else { differences.len().min(STALE_SHOWN) };
    failure.errors.extend(differences.iter().take(shown).map(ToString::to_string));
    if differences.len() > shown {
        failure.errors.push(format!("... and {} more (use -v)", differences.len() - shown));
    }
    Err(failure)
}

/// Goes on with the run that was interrupted; the plan is in the journal. A live run is told to go on instead.
pub(super) async fn resume(context: &Context, typed: &Path, args: &ApplyArgs) -> Result<Exit, Failure> {
    if let Some(exit) = steer::resume(context, typed).await? {
        return Ok(exit);
    }
    let Unfinished { workspace, spec: path, plan } = match runner::latest(context, typed)? {
        Latest::Unfinished(run) => *run,
        Latest::Ended => {
            context.answer("There is nothing to resume: the last run has ended well.\n")?;
            return Ok(Exit::Ok);
        }
        Latest::None => {
            context
                .answer("There is nothing to resume: no plan was applied from here yet. `rehome apply` begins.\n")?;
            return Ok(Exit::Ok);
        }
    };
    let spec = context.load(&path)?;
    let platforms = context.providers(&spec)?;
    // Mailboxes and DNS are looked at by the actions themselves; names and hosts are all that is needed here.
    let look = LookArgs { no_logins: true, no_dns: true };
    let inventory = context.observe(&spec, &readers(&platforms), &look).await?;
    let job = Job::new(context, (&spec, &plan), &inventory, &platforms, workspace, args);
    finish(context, &plan, Job { resume: true, ..job }.run().await?)
}

/// The platforms, for looking only.
fn readers(platforms: &BTreeMap<PlatformId, Arc<dyn Provider>>) -> BTreeMap<PlatformId, Arc<dyn Reader>> {
    platforms.iter().map(|(id, p)| (id.clone(), Arc::clone(p) as Arc<dyn Reader>)).collect()
}

fn refuse_stale(context: &Context, plan: &Plan, inventory: &Inventory) -> Result<(), Failure> {
    let stale = plan::stale(plan, inventory);
    if stale.is_empty() {
        return Ok(());
    }
    let mut failure = Failure::new(Exit::Stale, "the plan is stale: what it rests on has changed since it was made");
    let shown = if context.global.verbose > 0 { stale.len() } else { stale.len().min(STALE_SHOWN) };
    for change in stale.iter().take(shown) {
        failure.errors.push(format!("{} {}: was {}, is {}", change.object, change.field, change.then, change.now));
    }
    if stale.len() > shown {
        failure.errors.push(format!("... and {} more (use -v)", stale.len() - shown));
    }
    Err(failure.help("plan again and have the new plan reviewed"))
}

/// Asks on a terminal; elsewhere the answer is no.
fn confirmed(context: &Context) -> Result<bool, Failure> {
    if context.global.no_input || !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Ok(false);
    }
    anstream::eprint!("\nApply this plan? Only `yes` is taken for an answer: ");
    std::io::stderr().flush().map_err(|e| Failure::caused(Exit::Failed, "cannot ask", &e))?;
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).map_err(|e| Failure::caused(Exit::Failed, "cannot read the answer", &e))?;
    Ok(line.trim() == "yes")
}

/// Tells how the run ended. What the plan left out because it was blocked is not done, however well the rest went.
fn finish(context: &Context, plan: &Plan, ended: Ended) -> Result<Exit, Failure> {
    let began = !ended.summary.already_applied;
    let exit = ending::tell(context, ended)?;
    let left = !matches!(runner::exit_of_nothing(plan), Exit::Ok | Exit::Waiting);
    Ok(if exit == Exit::Ok && began && left { Exit::Partial } else { exit })
}
