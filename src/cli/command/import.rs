//! `rehome import`: a spec of what exists, or of a table.

mod table;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use crate::{
    cli::{args::ImportArgs, context::Context, failure::Failure, saved},
    diag::Exit,
    model::{Domain, Inventory, ObjectClass, PlatformId, PlatformKind, PlatformView, State},
    plan::{self, Header},
    provider::{Reader, Scope},
    report::{self, Import, Named},
    spec::{self, Spec},
};

/// Writes a spec.
pub(super) async fn run(context: &Context, args: &ImportArgs) -> Result<Exit, Failure> {
    let text = match (args.what.as_deref(), args.table.as_deref()) {
        (Some(word @ ("csv" | "omm-csv")), Some(file)) => table::read(file, word == "omm-csv")?,
        (Some(word @ ("csv" | "omm-csv")), None) => {
            return Err(Failure::new(Exit::Invalid, format!("`import {word}` needs a file"))
                .help(format!("rehome import {word} FILE")));
        }
        (_, Some(file)) => {
            return Err(Failure::new(Exit::Invalid, format!("nothing reads {} here", file.display()))
                .help("a table is read by `rehome import csv FILE` or `rehome import omm-csv FILE`"));
        }
        (what, None) => observed(context, args, what).await?,
    };
    match &args.out {
        None => context.answer(&text)?,
        Some(path) => {
            write_new(path, &text)?;
            context.answer(&format!("Wrote {0}. Read it, then: rehome plan {0}\n", path.display()))?;
        }
    }
    Ok(Exit::Ok)
}

fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |e: &std::io::Error| {
        let failure = Failure::caused(Exit::Failed, format!("cannot write {}", path.display()), e);
        match e.kind() {
            std::io::ErrorKind::AlreadyExists => failure.help("choose another name: --out FILE"),
            _ => failure,
        }
    };
    saved::create(path, text.as_bytes()).map_err(|e| failed(&e))
}

async fn observed(context: &Context, args: &ImportArgs, what: Option<&str>) -> Result<String, Failure> {
    let spec = context.load(&args.spec)?;
    let from = chosen(&spec, what.or(args.from.as_deref()))?;
    let to = args.to.as_deref().map(|to| chosen(&spec, Some(to))).transpose()?;
    let domains: Result<BTreeSet<Domain>, _> = args.domain.iter().map(|d| Domain::parse(d)).collect();
    let domains = domains.map_err(|e| Failure::new(Exit::Invalid, e.to_string()))?;
    if spec.platforms.get(from).is_some_and(|p| p.kind == PlatformKind::Imap) {
        return Err(Failure::new(
            Exit::Invalid,
            format!("{from} is a plain IMAP host, which does not tell who has an account"),
        )
        .help("list the accounts in a table: rehome import csv FILE"));
    }
    let readers = context.readers(&spec)?;
    let mut views: BTreeMap<&PlatformId, PlatformView> = BTreeMap::new();
    for id in [Some(from), to].into_iter().flatten() {
        let reader = readers.get(id).ok_or_else(|| no_platform(&spec, id.as_str()))?;
        views.insert(id, look(reader, &domains).await?);
    }
    let named = |id| Some(Named { id, spec: spec.platforms.get(id)?, view: views.get(id)? });
    let source = named(from).ok_or_else(|| no_platform(&spec, from.as_str()))?;
    if !source.view.complete(ObjectClass::Account) || !source.view.complete(ObjectClass::Domain) {
        return Err(Failure::new(Exit::Unreachable, format!("{from} could not be listed completely"))
            .help("try again: a spec of a part would look like a spec of the whole"));
    }
    knows(&source, &domains)?;
    let text = report::import_spec(&Import { from: source, to: to.and_then(named), domains: &domains });
    check(context, &text, to.is_none().then_some(&views))?;
    Ok(text)
}

/// Reads the result again, and plans with it: what was seen is what it says.
fn check(context: &Context, text: &str, views: Option<&BTreeMap<&PlatformId, PlatformView>>) -> Result<(), Failure> {
    let loaded = spec::parse("the imported spec", text).map_err(Failure::invalid)?;
    let Some(views) = views else { return Ok(()) };
    let platforms = views.iter().map(|(id, view)| ((*id).clone(), view.clone())).collect();
    let inventory = Inventory { platforms, ..Inventory::default() };
    let plan = plan::plan(&loaded.spec, &inventory, &State::default(), Header::default());
    if !plan.is_empty() && !context.global.quiet {
        let n = plan.body.actions.len();
        anstream::eprintln!("warning: {n} settings cannot be written the way they are; `rehome plan` shows them");
    }
    Ok(())
}

/// A domain that the platform does not have would give a spec of nothing.
fn knows(source: &Named<'_>, domains: &BTreeSet<Domain>) -> Result<(), Failure> {
    let unknown: Vec<String> =
        domains.iter().filter(|d| !source.view.domains.contains_key(*d)).map(|d| d.unicode().into_owned()).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let known: Vec<String> = source.view.domains.keys().map(|d| d.unicode().into_owned()).collect();
    Err(Failure::new(Exit::Invalid, format!("{} has no domain {}", source.id, unknown.join(", ")))
        .help(format!("it has {}", if known.is_empty() { "none".to_owned() } else { known.join(", ") })))
}

fn chosen<'s>(spec: &'s Spec, name: Option<&str>) -> Result<&'s PlatformId, Failure> {
    let name = name.unwrap_or_default();
    spec.platforms.keys().find(|id| id.as_str() == name).ok_or_else(|| no_platform(spec, name))
}

fn no_platform(spec: &Spec, name: &str) -> Failure {
    let known: Vec<&str> = spec.platforms.keys().map(PlatformId::as_str).collect();
    Failure::new(Exit::Invalid, format!("the spec has no platform `{name}`"))
        .help(format!("it has {}; --spec names another spec", known.join(", ")))
}

/// Looks twice: at what there is, then at each of it.
async fn look(reader: &Arc<dyn Reader>, domains: &BTreeSet<Domain>) -> Result<PlatformView, Failure> {
    let listed = reader.observe(&Scope::default()).await?;
    let wanted = |domain: &Domain| domains.is_empty() || domains.contains(domain);
    let scope = Scope {
        domains: listed.domains.keys().filter(|d| wanted(d)).cloned().collect(),
        accounts: listed.accounts.keys().filter(|a| wanted(a.domain())).cloned().collect(),
        redirections: true,
        groups: true,
        contacts: true,
    };
    Ok(reader.observe(&scope).await?)
}
