//! `rehome protect`: accounts that must not be reset or deleted. The journal keeps it, so that it outlives the YAML.

use std::{path::Path, time::Duration};

use crate::{
    cli::{args::Format, context::Context, failure::Failure},
    diag::Exit,
    journal::Journal,
    model::Address,
};

/// Protects accounts, takes the protection away, or lists who is protected.
pub(super) fn run(context: &Context, spec: &Path, accounts: &[String], release: bool) -> Result<Exit, Failure> {
    let folder = context.workspace(spec);
    if accounts.is_empty() {
        return list(context, &folder);
    }
    let parsed: Result<Vec<Address>, _> = accounts.iter().map(|text| Address::parse(text)).collect();
    let addresses = parsed.map_err(|e| Failure::new(Exit::Invalid, e.to_string()))?;
    let journal = Journal::open(&folder)?;
    let lease = journal.acquire_lease(&context.actor(), Duration::from_secs(30))?;
    for address in &addresses {
        if release {
            journal.unprotect(&lease, address)?;
        } else {
            journal.protect(&lease, address)?;
        }
    }
    lease.release()?;
    let names: Vec<String> = addresses.iter().map(|a| a.unicode().into_owned()).collect();
    let said = if release { "may be reset or deleted again, behind guards" } else { "is protected" };
    let said = if names.len() > 1 && !release { "are protected" } else { said };
    context.answer(&format!("{} {said}.\n", names.join(", ")))?;
    Ok(Exit::Ok)
}

fn list(context: &Context, folder: &Path) -> Result<Exit, Failure> {
    let protected = match Journal::open_read_only(folder)? {
        Some(journal) => journal.state()?.protected,
        None => std::collections::BTreeSet::new(),
    };
    let text = if context.global.format == Format::Json {
        format!("{}\n", serde_json::to_string_pretty(&protected).unwrap_or_default())
    } else if protected.is_empty() {
        "No account is protected.\n".to_owned()
    } else {
        protected.iter().map(|a| format!("{}\n", a.unicode())).collect()
    };
    context.answer(&text)?;
    Ok(Exit::Ok)
}
